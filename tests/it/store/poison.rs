//! Rows whose payload does not open: each is set aside alone, and what stands behind it goes on.

use towline::store::{BufferKind, Incoming, LineState, NewLine, NewOutbox, Outgoing, STRAY};

use super::{NOW, Raw, Set, event, message};

/// Batches of every size meet damaged rows at their ends and in their middle.
#[rstest::rstest]
#[case::one_at_a_time(1)]
#[case::two_at_a_time(2)]
#[case::all_at_once(10)]
#[tokio::test]
async fn invariant_1_an_event_that_does_not_open_stops_nothing_behind_it(#[case] limit: i64) {
    let set = Set::new().await;
    let store = &set.store;
    let events = (0..6).map(|number| event(&format!("${number}"), "!a:x")).collect();
    store.accept(events, NOW).await.unwrap();
    let mut raw = Raw::new(&set.database).await;
    // What was sealed for one row opens in no other.
    raw.execute(
        "UPDATE inbox SET payload = (SELECT payload FROM inbox WHERE event_id = '$5')
            WHERE event_id IN ('$0', '$1', '$3')",
    )
    .await;
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let events = store.waiting_events(STRAY, after, limit).await.unwrap();
        let Some(last) = events.last() else { break };
        after = last.seq;
        read.extend(events.into_iter().map(|event| event.event_id));
    }
    assert_eq!(read, ["$2", "$4", "$5"]);
    assert_eq!(store.event_counts().await.unwrap(), (3, 3));
    let notes = raw.texts("SELECT note FROM inbox WHERE state = 'failed' AND payload IS NULL").await;
    assert_eq!(notes, ["a stored value does not open with this secret key"; 3]);
}

#[tokio::test]
async fn invariant_1_a_request_that_does_not_open_stops_nothing_behind_it() {
    let set = Set::new().await;
    let (store, room) = (&set.store, set.room.id);
    let row = |number: usize| NewOutbox {
        txn_id: format!("t{number}"),
        ..message(room, "@g:x", &number.to_string())
    };
    store.enqueue((0..4).map(row).collect(), NOW).await.unwrap();
    let mut raw = Raw::new(&set.database).await;
    raw.execute(
        "UPDATE outbox SET payload = (SELECT payload FROM outbox WHERE txn_id = 't3') WHERE txn_id IN ('t0', 't2')",
    )
    .await;
    // The first that is read is damaged, and nothing else is read with it.
    let first = store.waiting_requests(room, 0, 1).await.unwrap();
    assert_eq!(first.iter().map(|row| row.payload.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(set.waiting().await, ["1", "3"]);
    assert_eq!(store.request_counts().await.unwrap(), (2, 2));
}

#[tokio::test]
async fn a_line_that_does_not_open_is_given_without_its_text_and_those_behind_it_whole() {
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap();
    let line = |part| NewLine {
        buffer: buffer.id,
        event_id: "$1".into(),
        part,
        state: LineState::Queued,
        payload: format!("part {part}"),
    };
    let outgoing = Outgoing { lines: (0..3).map(line).collect(), ..Outgoing::default() };
    store
        .commit_incoming(set.session.id, set.epoch, "fake", Incoming { outgoing, ..Incoming::default() }, NOW)
        .await
        .unwrap();
    let mut raw = Raw::new(&set.database).await;
    raw.execute("UPDATE irc_line SET payload = (SELECT payload FROM irc_line WHERE part = 2) WHERE part = 1")
        .await;
    let open = store.open_lines(set.session.id).await.unwrap();
    assert_eq!(open.iter().map(|one| one.payload.as_str()).collect::<Vec<_>>(), ["part 0", "", "part 2"]);
}
