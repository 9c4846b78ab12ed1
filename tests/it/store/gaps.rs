//! Lines that come twice, by themselves and with what was missed.

use rstest::rstest;
use towline::store::{BufferKind, Direction, Gaps, HistoryLine, Incoming, NewOutbox, Outgoing, SentLine};

use super::{NOW, Raw, Set, line, message};

const SECOND: i64 = 1_000;

fn with_id(buffer: i64, text: &str, msgid: &str) -> HistoryLine {
    HistoryLine { msgid: Some(msgid.into()), ..line(buffer, text) }
}

/// What came with what was missed.
fn replayed(line: HistoryLine, before: u32) -> HistoryLine {
    HistoryLine { replayed: Some(before), ..line }
}

fn out(line: HistoryLine) -> HistoryLine {
    HistoryLine { direction: Direction::Out, ..line }
}

fn at(line: HistoryLine, at: i64) -> HistoryLine {
    HistoryLine { at, ..line }
}

#[rstest]
#[case::the_same_id_live(with_id(0, "a", "1"), with_id(0, "a", "1"), false)]
#[case::the_same_id_replayed(with_id(0, "a", "1"), replayed(with_id(0, "a", "1"), 0), false)]
#[case::another_id(with_id(0, "a", "1"), replayed(with_id(0, "a", "2"), 0), true)]
#[case::no_id_and_live(line(0, "a"), line(0, "a"), true)]
#[case::no_id_and_replayed(line(0, "a"), replayed(line(0, "a"), 0), false)]
#[case::the_second_of_its_kind(line(0, "a"), replayed(line(0, "a"), 1), true)]
#[case::stamped_twice(line(0, "a"), replayed(at(line(0, "a"), NOW + SECOND), 0), false)]
#[case::said_again_later(line(0, "a"), replayed(at(line(0, "a"), NOW + 2 * SECOND), 0), true)]
#[case::another_text(line(0, "a"), replayed(line(0, "b"), 0), true)]
#[case::our_own_gets_its_id(out(line(0, "a")), replayed(at(with_id(0, "a", "1"), NOW + 9 * SECOND), 0), false)]
#[case::our_own_of_another_day(out(line(0, "a")), replayed(at(with_id(0, "a", "1"), NOW + 999 * SECOND), 0), true)]
#[case::not_our_own(line(0, "a"), replayed(with_id(0, "a", "1"), 0), true)]
#[tokio::test]
async fn a_line_is_shown_once(#[case] first: HistoryLine, #[case] second: HistoryLine, #[case] shown: bool) {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    for (name, line) in [("first", first), ("second", second)] {
        let history = Some(HistoryLine { buffer, ..line });
        let row = NewOutbox { history, ..message(set.room.id, "@g:x", name) };
        set.commit(Incoming { outbox: vec![row], ..Incoming::default() }).await;
    }
    let wanted: &[&str] = if shown { &["first", "second"] } else { &["first"] };
    assert_eq!(set.waiting().await, wanted);
    assert_eq!(set.store.last_lines(buffer, 9).await.unwrap().len(), wanted.len());
}

#[tokio::test]
async fn what_is_replayed_twice_before_it_is_stored_is_stored_once() {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let history = [("a", 0), ("ha", 0), ("ha", 1), ("a", 0), ("ha", 0), ("ha", 1)];
    let history = history.map(|(text, before)| (0, replayed(line(buffer, text), before))).to_vec();
    set.commit(Incoming { history, ..Incoming::default() }).await;
    let lines = set.store.last_lines(buffer, 9).await.unwrap();
    assert_eq!(lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["a", "ha", "ha"]);
}

#[tokio::test]
async fn a_line_of_ours_takes_one_id_only() {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let lines = [
        out(line(buffer, "a")),
        replayed(with_id(buffer, "a", "1"), 0),
        replayed(with_id(buffer, "a", "2"), 0),
    ];
    let history = lines.map(|line| (0, line)).to_vec();
    set.commit(Incoming { history, ..Incoming::default() }).await;
    let ids = Raw::new(&set.database).await.texts("SELECT msgid FROM history ORDER BY id").await;
    assert_eq!(ids, ["1", "2"]);
}

/// Lines of ours with the same words are told apart: each that comes back is one of them, the oldest first.
#[rstest]
#[case::nobody_told_its_id(None)]
#[case::an_echo_told_its_id(Some("1"))]
#[tokio::test]
async fn invariant_1_what_comes_back_is_known_as_the_line_that_it_is(#[case] echo: Option<&str>) {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let sent = |event: &str| HistoryLine { event_id: Some(event.into()), ..out(line(buffer, "ok")) };
    let history = vec![sent("$1"), at(sent("$2"), NOW + SECOND), at(sent("$3"), NOW + 2 * SECOND)];
    set.store
        .commit_incoming(
            set.session.id,
            set.epoch,
            "fake",
            Incoming { outgoing: Outgoing { history, ..Outgoing::default() }, ..Incoming::default() },
            NOW,
        )
        .await
        .unwrap();
    if let Some(msgid) = echo {
        for event_id in ["$1", "$3"] {
            // The second of them has the id of another line, and gets none.
            let line = SentLine { buffer, since: NOW, event_id: event_id.into(), text: "ok".into() };
            set.store.note_msgid(line, msgid.into()).await.committed().await.unwrap();
        }
    }
    let back = async |line: HistoryLine| {
        let mut incoming = Incoming::default();
        incoming.keep(HistoryLine { sender: sent("").sender, ..replayed(line, 0) });
        let committed =
            set.store.commit_incoming(set.session.id, set.epoch, "fake", incoming, NOW).await.unwrap();
        committed.came_back.into_iter().map(|(_, event_id, _)| event_id).collect::<Vec<_>>()
    };
    assert_eq!(back(with_id(buffer, "ok", "1")).await, ["$1"]);
    assert_eq!(back(with_id(buffer, "ok", "1")).await, ["$1"], "also when it comes again");
    assert_eq!(back(with_id(buffer, "ok", "2")).await, ["$2"]);
    assert_eq!(back(with_id(buffer, "what", "3")).await, [""; 0]);
    // Without an id by its place among those of its time.
    assert_eq!(back(at(line(buffer, "ok"), NOW + 3 * SECOND)).await, ["$3"]);
    // Flood control may have held it back, and the network's clock may be another.
    assert_eq!(back(at(line(buffer, "ok"), NOW + 40 * SECOND)).await, ["$1"]);
}

#[tokio::test]
async fn what_is_missing_is_remembered_until_it_no_longer_is() {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let commit = async |seen_at: Option<i64>, gap: Option<i64>| {
        let gaps = Gaps { seen_at, buffers: vec![(buffer, gap)] };
        set.commit(Incoming { gaps, ..Incoming::default() }).await;
        let row = set.store.buffers(set.session.id).await.unwrap().remove(0);
        (set.store.seen_at(set.session.id).await.unwrap(), row.gap_from)
    };
    assert_eq!(set.store.seen_at(set.session.id).await.unwrap(), None);
    assert_eq!(commit(Some(NOW), Some(7)).await, (Some(NOW), Some(7)));
    assert_eq!(commit(None, None).await, (Some(NOW), None));
}

#[tokio::test]
async fn the_last_lines_that_were_heard_before_a_time_are_found() {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let heard = [1, 5, 9].map(|time| at(with_id(buffer, "a", &time.to_string()), time));
    // Without an id the time may be our own, as is that of what we say.
    let others = [at(line(buffer, "a"), 6), at(out(with_id(buffer, "a", "7")), 7)];
    let history = heard.into_iter().chain(others).map(|line| (0, line)).collect();
    set.commit(Incoming { history, ..Incoming::default() }).await;
    let last = async |time| set.store.last_heard_before(buffer, time, 2).await.unwrap();
    assert_eq!(
        [last(0).await, last(5).await, last(8).await, last(9).await],
        [vec![], vec![5, 1], vec![5, 1], vec![9, 5]]
    );
}
