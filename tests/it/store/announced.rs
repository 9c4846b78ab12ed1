//! What networks say of themselves, and what is found by names as they compare them.

use secrecy::ExposeSecret as _;
use towline::names::CaseMapping;
use towline::store::{Announced, BufferKind, NewBuffer};

use super::Set;
use super::belongings::shared_room;

fn comparing(mapping: CaseMapping) -> Announced {
    Announced { mapping, channel_types: "#&".to_owned() }
}

async fn found(set: &Set, name: &str) -> Option<i64> {
    set.store.shared_room("fake", name).await.unwrap().map(|room| room.id)
}

#[tokio::test]
async fn what_a_network_said_last_is_kept() {
    let set = Set::new().await;
    assert_eq!(set.store.announced().await.unwrap(), []);
    for mapping in CaseMapping::ALL {
        set.store.announce("fake", comparing(mapping)).await.unwrap();
        assert_eq!(set.store.announced().await.unwrap(), [("fake".to_owned(), comparing(mapping))]);
    }
    // One that is gone is no failure.
    set.store.announce("gone", comparing(CaseMapping::Ascii)).await.unwrap();
}

/// Before, by RFC 1459 on each.
#[tokio::test]
async fn a_shared_room_is_found_as_its_network_compares_names() {
    let set = Set::new().await;
    let older = shared_room(&set, "#tea[1]").await;
    assert_eq!(found(&set, "#Tea{1}").await, Some(older), "nobody knows");
    assert!(set.store.announce("fake", comparing(CaseMapping::Ascii)).await.unwrap().is_empty());
    assert_eq!((found(&set, "#TEA[1]").await, found(&set, "#tea{1}").await), (Some(older), None));
    let newer = shared_room(&set, "#tea{1}").await;
    assert_ne!(newer, older);
    for (mapping, apart, wanted) in [
        (CaseMapping::Precis, vec![], [older, newer]),
        (CaseMapping::Rfc1459Strict, vec![newer], [older, older]),
        (CaseMapping::Rfc1459Strict, vec![], [older, older]),
        (CaseMapping::Rfc1459, vec![], [older, older]),
        // Nothing of it was lost.
        (CaseMapping::Ascii, vec![], [older, newer]),
        (CaseMapping::Rfc1459, vec![newer], [older, older]),
    ] {
        assert_eq!(set.store.announce("fake", comparing(mapping)).await.unwrap(), apart, "{mapping:?}");
        let both = [found(&set, "#tea[1]").await, found(&set, "#tea{1}").await];
        assert_eq!(both, wanted.map(Some), "{mapping:?}");
    }
    assert!(set.store.room(newer).await.unwrap().is_some());
}

#[tokio::test]
async fn a_shared_room_in_another_script_is_found_as_its_network_compares_names() {
    let set = Set::new().await;
    let (older, newer) = (shared_room(&set, "#Чай").await, shared_room(&set, "#чай").await);
    assert_eq!((found(&set, "#Чай").await, found(&set, "#чай").await), (Some(older), Some(newer)));
    assert_eq!(set.store.announce("fake", comparing(CaseMapping::Precis)).await.unwrap(), [newer]);
    assert_eq!((found(&set, "#Чай").await, found(&set, "#чай").await), (Some(older), Some(older)));
}

/// A channel that somebody has in a room of their own has a key, too, by which another's room would be named after it.
#[tokio::test]
async fn a_channel_that_was_opened_before_it_was_known_how_names_are_compared_takes_no_others_room() {
    let set = Set::new().await;
    set.store.open_buffer(set.buffer(BufferKind::Channel, "#tea[1]")).await.unwrap();
    set.store.announce("fake", comparing(CaseMapping::Ascii)).await.unwrap();
    let room = shared_room(&set, "#tea{1}").await;
    let room = set.store.room(room).await.unwrap().unwrap();
    assert_eq!(room.buffer_name.as_deref(), Some("#tea{1}"));
    assert_eq!(found(&set, "#tea[1]").await, None);
}

/// Before, the second was taken for the first as long as that was stored by another casemapping.
#[tokio::test]
async fn buffers_are_told_apart_as_their_session_compares_names_and_keep_their_keys() {
    let set = Set::new().await;
    let opened = |name: &str, folded: &str, key: &str| NewBuffer {
        folded: folded.to_owned(),
        key: Some(key.to_owned().into()),
        ..set.buffer(BufferKind::Channel, name)
    };
    let older = set.store.open_buffer(opened("#tea[1]", "#tea{1}", "sesame")).await.unwrap().id;
    let session = set.session.id;
    let refolded = set.store.refold_buffers(session, CaseMapping::Ascii).await.unwrap();
    assert_eq!(refolded, [(older, "#tea[1]".to_owned())]);
    let newer = set.store.open_buffer(opened("#tea{1}", "#tea{1}", "abracadabra")).await.unwrap().id;
    assert_ne!(newer, older);
    for mapping in [CaseMapping::Rfc1459, CaseMapping::Ascii] {
        set.store.refold_buffers(session, mapping).await.unwrap();
        let buffers = set.store.buffers(session).await.unwrap();
        let kept: Vec<_> = buffers
            .iter()
            .map(|one| (one.id, one.name.as_str(), one.key.as_ref().unwrap().expose_secret()))
            .collect();
        assert_eq!(kept, [(older, "#tea[1]", "sesame"), (newer, "#tea{1}", "abracadabra")], "{mapping:?}");
        let again = set.store.open_buffer(opened("#tea{1}", "#tea{1}", "abracadabra")).await.unwrap();
        assert_eq!(again.id, newer, "{mapping:?}");
    }
}

/// Before, it was gone for good.
#[tokio::test]
async fn a_key_that_cannot_be_read_now_is_kept_where_the_name_is_folded_otherwise() {
    let set = Set::new().await;
    for (name, folded) in [("#tea[1]", "#tea{1}"), ("#rust", "#rust")] {
        let key = Some("sesame".to_owned().into());
        let opened = NewBuffer { folded: folded.to_owned(), key, ..set.buffer(BufferKind::Channel, name) };
        set.store.open_buffer(opened).await.unwrap();
    }
    let mut raw = super::Raw::new(&set.database).await;
    // Sealed for another place.
    raw.execute(
        "UPDATE buffer SET key = (SELECT other.key FROM buffer AS other WHERE other.name = '#rust') WHERE name = '#tea[1]'",
    )
    .await;
    assert_eq!(set.store.refold_buffers(set.session.id, CaseMapping::Ascii).await.unwrap().len(), 1);
    assert_eq!(raw.count("SELECT COUNT(*) FROM buffer WHERE key IS NOT NULL").await, 2);
}

/// Before, it was the older one, which nothing finds any more.
#[tokio::test]
async fn logs_of_a_channel_that_was_two_by_its_name_go_into_the_one_that_is_found() {
    let set = Set::new().await;
    let mut opened = Vec::new();
    for name in ["#tea[1]", "#tea{1}"] {
        let new = NewBuffer { folded: name.to_owned(), ..set.buffer(BufferKind::Channel, name) };
        opened.push(set.store.open_buffer(new).await.unwrap().id);
    }
    set.store.announce("fake", comparing(CaseMapping::Rfc1459)).await.unwrap();
    let session = set.session.id;
    set.store.refold_buffers(session, CaseMapping::Rfc1459).await.unwrap();
    assert_eq!(set.store.import_buffer(session, "#tea[1]").await.unwrap(), opened[1]);
}
