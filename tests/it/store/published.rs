//! What links lead to: from the commit of their line to that of their message's end.

use towline::store::{BufferKind, Incoming, NewPublished, Published, PublishedKind};

use super::{NOW, Raw, Set};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn item(buffer: i64, id: &str, event_id: &str) -> NewPublished {
    NewPublished {
        id: id.into(),
        kind: PublishedKind::Media,
        buffer,
        event_id: event_id.into(),
        content: format!("what {id} is"),
        expires_at: None,
    }
}

impl Set {
    async fn open(&self, name: &str) -> i64 {
        self.store.open_buffer(self.buffer(BufferKind::Channel, name)).await.unwrap().id
    }

    async fn publish(&self, published: Vec<NewPublished>) {
        self.commit(Incoming { published, ..Incoming::default() }).await;
    }

    async fn unpublish(&self, buffer: i64, event_id: &str) {
        let unpublished = vec![(buffer, event_id.into())];
        self.commit(Incoming { unpublished, ..Incoming::default() }).await;
    }

    async fn published_at(&self, id: &str, now: i64) -> Option<Published> {
        self.store.published(PublishedKind::Media, id, now).await.unwrap()
    }

    async fn link(&self, id: &str) -> Option<Published> {
        self.published_at(id, NOW).await
    }
}

fn here(text: &str) -> Published {
    Published::Here(text.into())
}

#[tokio::test]
async fn a_link_leads_to_its_item_until_its_message_is_taken_back() {
    let set = Set::new().await;
    let (tea, other) = (set.open("#tea").await, set.open("#other").await);
    set.publish(vec![item(tea, "a", "$1"), item(tea, "b", "$1"), item(tea, "c", "$2")]).await;
    assert_eq!(set.link("a").await, Some(here("what a is")));
    assert_eq!(set.link("A").await, None, "ids differ by their case");
    assert_eq!(set.link("").await, None);
    let as_text = set.store.published(PublishedKind::Text, "a", NOW).await.unwrap();
    assert_eq!(as_text, None, "what is an image is no page");
    set.unpublish(other, "$1").await;
    assert_eq!(set.link("a").await, Some(here("what a is")), "another room says nothing about it");
    set.unpublish(tea, "$1").await;
    assert_eq!((set.link("a").await, set.link("b").await), (Some(Published::Gone), Some(Published::Gone)));
    assert_eq!(set.link("c").await, Some(here("what c is")));
    let mut raw = Raw::new(&set.database).await;
    let erased = "SELECT COUNT(*) FROM published WHERE event_id = '$1' AND content IS NULL";
    assert_eq!(raw.count(erased).await, 2, "what nobody can fetch is not kept");
    let bare = "SELECT COUNT(*) FROM published WHERE CAST(content AS TEXT) LIKE '%what%'";
    assert_eq!(raw.count(bare).await, 0, "what it is stands nowhere in clear");
}

#[tokio::test]
async fn what_is_published_and_taken_back_in_one_commit_is_gone() {
    let set = Set::new().await;
    let tea = set.open("#tea").await;
    let (published, unpublished) = (vec![item(tea, "a", "$1")], vec![(tea, "$1".into())]);
    set.commit(Incoming { published, unpublished, ..Incoming::default() }).await;
    assert_eq!(set.link("a").await, Some(Published::Gone));
}

#[tokio::test]
async fn an_item_expires_is_erased_and_is_forgotten_after_a_year() {
    let set = Set::new().await;
    let tea = set.open("#tea").await;
    let expiring = NewPublished { expires_at: Some(NOW + DAY), ..item(tea, "a", "$1") };
    set.publish(vec![expiring, item(tea, "b", "$2")]).await;
    assert_eq!(set.published_at("a", NOW + DAY - 1).await, Some(here("what a is")));
    assert_eq!(set.published_at("a", NOW + DAY).await, Some(Published::Gone));
    assert!(!set.store.prune_published(NOW + DAY).await.unwrap());
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(raw.count("SELECT COUNT(*) FROM published WHERE content IS NULL").await, 1);
    let year = NOW + DAY + 365 * DAY;
    assert!(!set.store.prune_published(year - 1).await.unwrap());
    assert_eq!(set.published_at("a", year).await, Some(Published::Gone));
    assert!(!set.store.prune_published(year).await.unwrap());
    assert_eq!(set.published_at("a", year).await, None);
    assert_eq!(set.published_at("b", year).await, Some(here("what b is")));
}

#[tokio::test]
async fn the_items_of_a_buffer_go_with_its_history() {
    let set = Set::new().await;
    let (tea, other) = (set.open("#tea").await, set.open("#other").await);
    set.publish(vec![item(tea, "a", "$1"), item(other, "b", "$2")]).await;
    set.store.prune_published_of(tea, NOW).await.unwrap();
    assert_eq!(set.link("a").await, Some(here("what a is")), "it is not older than that");
    set.store.prune_published_of(tea, NOW + 1).await.unwrap();
    assert_eq!(set.link("a").await, None);
    assert_eq!(set.link("b").await, Some(here("what b is")));
    set.store.forget_history(set.user.id, other, NOW).await.unwrap();
    assert_eq!(set.link("b").await, None);
}
