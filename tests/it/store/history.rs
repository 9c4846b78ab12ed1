//! History in the store: numbers that tell the time, lines that are kept once and in their order.

mod forget;
mod keeping;
mod search;
mod stays;

use towline::store::{BufferKind, HistoryLine, Incoming, NewBuffer, Outgoing};

use super::upgrade::first_version;
use super::{NOW, Raw, Set, line, message};

impl Set {
    async fn channel(&self, name: &str) -> i64 {
        self.store.open_buffer(self.buffer(BufferKind::Channel, name)).await.unwrap().id
    }

    async fn keep(&self, lines: impl IntoIterator<Item = HistoryLine>) {
        let mut incoming = Incoming::default();
        lines.into_iter().for_each(|line| incoming.keep(line));
        self.commit(incoming).await;
    }

    async fn texts(&self, buffer: i64) -> Vec<String> {
        let lines = self.store.last_lines(buffer, 10_000).await.unwrap();
        lines.into_iter().map(|(_, text)| text).collect()
    }
}

fn said(buffer: i64, text: &str, at: i64) -> HistoryLine {
    HistoryLine { at, ..line(buffer, text) }
}

#[tokio::test]
async fn lines_stand_in_the_order_in_which_they_were_read_shown_or_not() {
    let set = Set::new().await;
    let buffer = set.channel("#rust").await;
    let mut incoming = Incoming::default();
    let shown = |text: &str| super::NewOutbox {
        history: Some(line(buffer, text)),
        ..message(set.room.id, "@g:x", text)
    };
    incoming.keep(line(buffer, "first"));
    incoming.outbox.push(shown("second"));
    incoming.outbox.push(message(set.room.id, "@g:x", "of nobody"));
    incoming.keep(line(buffer, "third"));
    incoming.keep(line(buffer, "fourth"));
    incoming.outbox.push(shown("fifth"));
    incoming.keep(line(buffer, "sixth"));
    set.commit(incoming).await;
    assert_eq!(set.texts(buffer).await, ["first", "second", "third", "fourth", "fifth", "sixth"]);
    assert_eq!(set.waiting().await, ["second", "of nobody", "fifth"]);
    let mut raw = Raw::new(&set.database).await;
    let shown = "SELECT h.text FROM outbox o JOIN history h ON h.id = o.history ORDER BY o.seq";
    assert_eq!(raw.texts(shown).await, ["second", "fifth"]);
}

#[tokio::test]
async fn a_netsplit_is_kept_whole_and_in_order() {
    let set = Set::new().await;
    let buffers = [set.channel("#a").await, set.channel("#b").await];
    let lines = (0..1_234).flat_map(|number| buffers.map(|buffer| line(buffer, &number.to_string())));
    set.keep(lines.map(|line| HistoryLine { kind: "quit", ..line })).await;
    let wanted: Vec<String> = (0..1_234).map(|number| number.to_string()).collect();
    for buffer in buffers {
        assert_eq!(set.texts(buffer).await, wanted);
    }
}

#[tokio::test]
async fn a_line_that_comes_late_stands_where_it_was_said() {
    let set = Set::new().await;
    let (a, b) = (set.channel("#a").await, set.channel("#b").await);
    set.keep([said(a, "now", NOW), said(a, "soon", NOW + 86_400_000)]).await;
    let hour_ago = NOW - 3_600_000;
    // More within a second than it has numbers, in two goes, and another channel's in between.
    set.keep((0..40).map(|number| said(a, &format!("old {number}"), hour_ago))).await;
    set.keep((0..40).map(|number| said(b, &format!("other {number}"), hour_ago))).await;
    set.keep((40..60).map(|number| said(a, &format!("old {number}"), hour_ago))).await;
    set.keep([said(a, "older", hour_ago - 1), said(a, "newer", hour_ago + 1_000), said(a, "first", -5)])
        .await;
    let mut wanted = vec!["first".to_owned(), "older".to_owned()];
    wanted.extend((0..60).map(|number| format!("old {number}")));
    wanted.extend(["newer", "now", "soon"].map(str::to_owned));
    assert_eq!(set.texts(a).await, wanted);
    assert_eq!(set.texts(b).await, (0..40).map(|number| format!("other {number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn numbers_go_on_after_a_restart_and_after_the_clock_was_set_back() {
    let set = Set::new().await;
    let buffer = set.channel("#a").await;
    set.keep([said(buffer, "one", NOW)]).await;
    set.store.close().await;
    let store = super::open(&set.database).await;
    let epoch = store.claim_session(set.session.id, "two").await.unwrap();
    let mut incoming = Incoming::default();
    incoming.keep(said(buffer, "two", NOW - 5_000));
    store.commit_incoming(set.session.id, epoch, "fake", incoming, NOW - 5_000).await.unwrap();
    let lines = store.last_lines(buffer, 9).await.unwrap();
    assert_eq!(lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test]
async fn what_the_user_said_and_what_happened_is_kept_in_all_its_parts() {
    let set = Set::new().await;
    let buffer = set.channel("#a").await;
    let kick = HistoryLine {
        kind: "kick",
        account: Some("bobby".into()),
        target: Some("mallory".into()),
        ..line(buffer, "out")
    };
    set.keep([kick]).await;
    let history = vec![HistoryLine { event_id: Some("$e".into()), ..line(buffer, "mine") }];
    let outgoing = Outgoing { finished: vec![1], history, ..Outgoing::default() };
    set.store
        .commit_incoming(set.session.id, set.epoch, "fake", Incoming { outgoing, ..Incoming::default() }, NOW)
        .await
        .unwrap();
    let mut raw = Raw::new(&set.database).await;
    let rows = "SELECT kind || ' ' || sender || ' ' || COALESCE(account, '-') || ' ' || COALESCE(target, '-')
        || ' ' || text || ' ' || COALESCE(event_id, '-') FROM history ORDER BY id";
    assert_eq!(raw.texts(rows).await, ["kick bob bobby mallory out -", "message bob - - mine $e"]);
}

#[tokio::test]
async fn the_lines_of_the_first_version_get_numbers_that_tell_their_time() {
    let (database, mut raw) = first_version().await;
    raw.execute(
        r#"INSERT INTO "user" (user_id, created_at) VALUES ('@a:x', 1);
         INSERT INTO network (slug, name, created_at) VALUES ('fake', 'Fake', 1);
         INSERT INTO session ("user", network, connect, created_at) VALUES (1, 'fake', TRUE, 1);
         INSERT INTO buffer (session, kind, folded, name, wanted) VALUES (1, 'channel', '#a', '#a', TRUE);
         INSERT INTO history (buffer, at, kind, sender, text, direction)
            VALUES (1, 1, 'message', 'bob', 'one', 'in'), (1, 0, 'message', 'bob', 'zero', 'in'),
                (1, 1, 'message', 'bob', 'also one', 'in'), (1, 9, 'message', 'bob', 'nine', 'in');
         INSERT INTO room (kind, marker, creator, lane, created_at) VALUES ('lobby', 'm', '@b:x', 'l', 1);
         INSERT INTO outbox (room, txn_id, sender, kind, state, history, created_at)
            VALUES (1, 'a', '@b:x', 'message', 'queued', 3, 1), (1, 'b', '@b:x', 'message', 'queued', NULL, 1)"#,
    )
    .await;
    let _store = super::open(&database).await;
    let numbers = "SELECT text || ' ' || CAST(id AS TEXT) FROM history ORDER BY id";
    assert_eq!(raw.texts(numbers).await, ["zero 0", "one 16", "also one 17", "nine 144"]);
    let shown = "SELECT h.text FROM outbox o JOIN history h ON h.id = o.history";
    assert_eq!(raw.texts(shown).await, ["also one"]);
}

/// Before, the logs of `bob[m]` stayed in a buffer of their own where the network folds as ASCII does.
#[tokio::test]
async fn a_buffer_that_was_read_in_is_the_one_that_is_opened_whatever_the_networks_casemapping() {
    let set = Set::new().await;
    for (kind, typed, read_in) in
        [(BufferKind::Query, "Bob[m]", "bob[m]"), (BufferKind::Channel, "#C++[x]", "#c++[X]")]
    {
        let imported = set.store.import_buffer(set.session.id, read_in).await.unwrap();
        // The network folds as ASCII does.
        let new = NewBuffer { folded: typed.to_ascii_lowercase(), ..set.buffer(kind, typed) };
        let opened = set.store.open_buffer(new.clone()).await.unwrap();
        assert_eq!((opened.id, opened.name.as_str()), (imported, typed));
        let marker = "again".to_owned();
        assert_eq!(set.store.open_buffer(NewBuffer { marker, ..new }).await.unwrap().id, imported);
        // Others are others.
        let other = set.buffer(kind, &typed.replace(['[', ']'], "-"));
        assert_ne!(set.store.open_buffer(other).await.unwrap().id, imported);
    }
}

#[tokio::test]
async fn a_line_of_a_log_that_was_heard_here_is_known_and_counted_among_those_that_are_alike() {
    const AGO: i64 = NOW - 3_600_000;
    let set = Set::new().await;
    let buffer = set.channel("#rust").await;
    set.keep([said(buffer, "ha", AGO + 250), said(buffer, "ha", AGO + 999), said(buffer, "ha", AGO + 1_000)])
        .await;
    let log = |text: &str, alike: u32| {
        let msgid = Some(format!("log:{text}{alike}"));
        (HistoryLine { msgid, ..said(buffer, text, AGO) }, alike)
    };
    let all = vec![log("ha", 0), log("ha", 1), log("ha", 2), log("ho", 0)];
    let imported = set.store.import_lines(set.session.id, all.clone(), NOW).await.unwrap();
    assert_eq!((imported.stored, imported.known), (2, 2), "two were heard, and one is new");
    let imported = set.store.import_lines(set.session.id, all, NOW).await.unwrap();
    assert_eq!((imported.stored, imported.known), (0, 4));
    assert_eq!(
        set.texts(buffer).await,
        ["ha", "ho", "ha", "ha", "ha"],
        "a log tells no more than the second"
    );
}
