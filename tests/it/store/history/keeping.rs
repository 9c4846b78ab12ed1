//! How long lines are kept, that some are not kept at all, and that old ones become findable.

use towline::store::{HistoryLine, Incoming, NewOutbox, Retention};

use super::super::upgrade::first_version;
use super::super::{NOW, Raw, Set, line, message};
use super::said;
use super::search::search;

const DAY: i64 = 86_400_000;

impl Set {
    fn shown(&self, line: HistoryLine) -> NewOutbox {
        let row = message(self.room.id, "@g:x", &line.text);
        NewOutbox { history: Some(line), ..row }
    }
}

#[tokio::test]
async fn a_buffer_is_pruned_by_itself_a_bounded_number_at_once() {
    let set = Set::new().await;
    let (a, b) = (set.channel("#a").await, set.channel("#b").await);
    for buffer in [a, b] {
        set.keep((0..700).map(|number| said(buffer, "old", NOW - 40 * DAY + number))).await;
        set.keep([said(buffer, "new", NOW)]).await;
    }
    assert_eq!(set.store.prune_history(a, NOW - 50 * DAY).await.unwrap(), (0, false));
    assert_eq!(set.store.prune_history(a, NOW - 30 * DAY).await.unwrap(), (500, true));
    assert_eq!(set.store.prune_history(a, NOW - 30 * DAY).await.unwrap(), (200, false));
    assert_eq!((set.texts(a).await, set.texts(b).await.len()), (vec!["new".to_owned()], 701));
    assert_eq!(set.store.prune_history(a, i64::MAX).await.unwrap(), (1, false));
}

#[tokio::test]
async fn what_a_user_does_not_want_kept_is_shown_and_not_kept() {
    let set = Set::new().await;
    let (a, b) = (set.channel("#a").await, set.channel("#b").await);
    assert_eq!(set.store.retention(a).await.unwrap(), None);
    set.store.set_retention(a, Retention::Off).await.unwrap();
    set.store.set_retention(b, Retention::Days(30)).await.unwrap();
    let outbox = vec![set.shown(line(a, "secret")), set.shown(line(b, "kept"))];
    let mut incoming = Incoming { outbox, ..Incoming::default() };
    incoming.keep(line(a, "unseen"));
    set.commit(incoming).await;
    assert_eq!(set.waiting().await, ["secret", "kept"]);
    assert_eq!((set.texts(a).await, set.texts(b).await), (vec![], vec!["kept".to_owned()]));
    // Also after a restart.
    set.store.close().await;
    let store = super::super::open(&set.database).await;
    let epoch = store.claim_session(set.session.id, "two").await.unwrap();
    let mut incoming = Incoming::default();
    incoming.keep(line(a, "more"));
    store.commit_incoming(set.session.id, epoch, "fake", incoming, NOW).await.unwrap();
    assert!(store.last_lines(a, 9).await.unwrap().is_empty());
    assert_eq!(store.retention(a).await.unwrap(), Some(Retention::Off));
    let wanted =
        vec![(a, "fake".to_owned(), Some(Retention::Off)), (b, "fake".to_owned(), Some(Retention::Days(30)))];
    assert_eq!(store.retentions().await.unwrap(), wanted);
    store.set_retention(a, Retention::Forever).await.unwrap();
    let mut incoming = Incoming::default();
    incoming.keep(line(a, "again"));
    store.commit_incoming(set.session.id, epoch, "fake", incoming, NOW).await.unwrap();
    assert_eq!(store.last_lines(a, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_nothing_is_kept_what_was_missed_is_shown_and_what_came_before_is_not_again() {
    let set = Set::new().await;
    let a = set.channel("#a").await;
    set.store.set_retention(a, Retention::Off).await.unwrap();
    let gaps = towline::store::Gaps { seen_at: None, buffers: vec![(a, Some(NOW - 5_000))] };
    set.commit(Incoming { gaps, ..Incoming::default() }).await;
    let replayed = |text: &str, at| HistoryLine { replayed: Some(0), ..said(a, text, at) };
    let outbox = vec![
        set.shown(replayed("seen before", NOW - 6_000)),
        set.shown(replayed("missed", NOW - 5_000)),
        set.shown(replayed("missed, too", NOW)),
    ];
    set.commit(Incoming { outbox, ..Incoming::default() }).await;
    assert_eq!(set.waiting().await, ["missed", "missed, too"]);
}

#[tokio::test]
async fn the_lines_of_an_older_version_become_findable_over_restarts() {
    let (database, mut raw) = first_version().await;
    raw.execute(
        r#"INSERT INTO "user" (user_id, created_at) VALUES ('@alice:x', 1);
         INSERT INTO network (slug, name, created_at) VALUES ('fake', 'Fake', 1);
         INSERT INTO session ("user", network, connect, created_at) VALUES (1, 'fake', TRUE, 1);
         INSERT INTO buffer (session, kind, folded, name, wanted) VALUES (1, 'channel', '#a', '#a', TRUE)"#,
    )
    .await;
    for _ in 0..5 {
        raw.execute(
            "INSERT INTO history (buffer, at, kind, sender, text, direction)
                SELECT 1, 1700000000000 + COUNT(*) * 1000000, 'message', 'bob', 'an old line', 'in' FROM history;
             INSERT INTO history (buffer, at, kind, sender, text, direction)
                SELECT 1, 1700000000000 + id * 1234567, kind, sender, text, direction FROM history;
             INSERT INTO history (buffer, at, kind, sender, text, direction)
                SELECT 1, 1700000000000 + id * 7654321, kind, sender, text, direction FROM history",
        )
        .await;
    }
    let lines = raw.count("SELECT COUNT(*) FROM history").await;
    assert!(lines > 1_000, "{lines}");
    let store = super::super::open(&database).await;
    let found = async |store: &towline::store::Store| {
        let search = towline::store::Search { limit: 10_000, ..search("OLD line") };
        store.search(&search).await.unwrap().lines.len() as i64
    };
    assert_eq!(found(&store).await, 0);
    assert!(store.index_older_lines().await.unwrap());
    assert!(store.index_older_lines().await.unwrap());
    assert_eq!(found(&store).await, 400);
    store.close().await;
    let store = super::super::open(&database).await;
    while store.index_older_lines().await.unwrap() {}
    assert_eq!(found(&store).await, lines);
    assert!(!store.index_older_lines().await.unwrap());
    assert_eq!(Raw::new(&database).await.count("SELECT COUNT(*) FROM history_search").await, lines);
}
