//! The outbox: rows that become one event.

use towline::store::{Folding, Incoming, Refused};

use super::{NOW, Set, message};

/// A room in which these wait.
async fn with(texts: &[&str]) -> Set {
    let set = Set::new().await;
    let rows = texts.iter().map(|text| message(set.room.id, "@g:x", text)).collect();
    set.store.enqueue(rows, NOW).await.unwrap();
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_read_whole_or_not_at_all() {
    let set = with(&["0", "1", "2", "3", "4", "5"]).await;
    let (store, room) = (&set.store, set.room.id);
    let seqs: Vec<i64> =
        store.waiting_requests(room, 0, 10).await.unwrap().iter().map(|row| row.seq).collect();
    store.batch_requests(room, vec![(seqs[1], seqs[2]), (seqs[3], seqs[5])]).await.unwrap();
    let batches = |rows: Vec<towline::store::Outbox>| rows.iter().map(|row| row.batch).collect::<Vec<_>>();
    let (one, two) = (Some(seqs[1]), Some(seqs[3]));
    for (limit, wanted) in [
        (6, vec![None, one, one, two, two, two]),
        (5, vec![None, one, one]),
        (4, vec![None, one, one]),
        (2, vec![None]),
    ] {
        assert_eq!(batches(store.waiting_requests(room, 0, limit).await.unwrap()), wanted, "of {limit}");
    }
    assert_eq!(batches(store.waiting_requests(room, seqs[2], 10).await.unwrap()), [two, two, two]);
    // Done together, and what is left is not touched.
    let done = [1, 2].map(|at| (seqs[at], Some("$e".to_owned())));
    store.requests_done(done.into()).await.committed().await.unwrap();
    assert_eq!(set.waiting().await, ["0", "3", "4", "5"]);
    store.separate_requests(room, seqs[3]).await.unwrap();
    let alone = batches(store.waiting_requests(room, 0, 10).await.unwrap());
    assert_eq!(alone, [None, Some(seqs[3]), Some(seqs[4]), Some(seqs[5])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_room_has_no_space_for_is_counted_and_told_in_its_place() {
    let set = Set::new().await;
    let (store, room) = (&set.store, set.room.id);
    let rows = |texts: &[&str]| texts.iter().map(|text| message(room, "@g:x", text)).collect::<Vec<_>>();
    let commit = async |texts: &[&str], left: i64, unfoldable: &[usize]| {
        let foldable = (0..texts.len()).filter(|place| !unfoldable.contains(place)).collect();
        let folding = Folding { limit: 3, left: [(room, left)].into(), foldable };
        let incoming = Incoming { outbox: rows(texts), folding, ..Incoming::default() };
        store.commit_incoming(set.session.id, set.epoch, "fake", incoming, NOW).await.unwrap().folded
    };
    // None of these has a line of the history.
    let folded =
        |lines: i64| format!(r#"{{"folded":{lines},"unkept":{lines},"first_at":{NOW},"last_at":{NOW}}}"#);
    // An estimate that is too low folds nothing that there is space for.
    assert!(commit(&["1", "2"], 0, &[]).await.is_empty());
    assert_eq!(commit(&["3", "4", "5"], 1, &[]).await, [(room, 2)].into());
    assert_eq!(store.rooms_with_folds().await.unwrap(), [room]);
    assert_eq!(commit(&["6"], -2, &[]).await, [(room, 1)].into());
    assert_eq!(set.waiting().await, ["1", "2", "3"]);
    // What is never folded comes behind a row that stands for what was.
    assert_eq!(commit(&["7", "for you", "8"], -3, &[1]).await, [(room, 2)].into());
    assert_eq!(set.waiting().await, ["1", "2", "3", &folded(4), "for you"]);
    store.enqueue(rows(&["an answer"]), NOW).await.unwrap();
    assert_eq!(set.waiting().await[5..], [folded(1), "an answer".to_owned()]);
    // While lines are folded none is sent, though there is space.
    assert_eq!(commit(&["9"], 0, &[]).await, [(room, 1)].into());
    assert_eq!(commit(&["10"], 3, &[]).await, [(room, 1)].into());
    assert!(store.close_fold(room, NOW).await.unwrap());
    assert!(!store.close_fold(room, NOW).await.unwrap());
    assert_eq!(set.waiting().await[7..], [folded(2)]);
    assert!(store.rooms_with_folds().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_refusals_is_stored_with_that_they_are_told() {
    let set = with(&["0", "1", "2", "3"]).await;
    let (store, room) = (&set.store, set.room.id);
    let seqs: Vec<i64> =
        store.waiting_requests(room, 0, 10).await.unwrap().iter().map(|row| row.seq).collect();
    let refused = |note: &str, code: Option<&str>| Refused {
        note: note.to_owned(),
        untold: code.map(str::to_owned),
        follow_up: Vec::new(),
    };
    store.set_aside((room, seqs[0]), refused("one", Some("M_A")), NOW).await.unwrap();
    store.set_aside((room, seqs[1]), refused("two", Some("M_A")), NOW).await.unwrap();
    let follow_up = vec![message(room, "@g:x", "a warning")];
    store.set_aside((room, seqs[2]), Refused { follow_up, ..refused("three", None) }, NOW).await.unwrap();
    assert_eq!(set.waiting().await, ["3", "a warning"]);
    assert_eq!(store.untold_kinds(10).await.unwrap(), [(room, "M_A".to_owned())]);
    let untold = store.untold(room, "M_A").await.unwrap().unwrap();
    assert_eq!((untold.first.as_str(), untold.count, untold.last), ("one", 2, seqs[1]));
    // What is refused meanwhile is still to be told.
    store.set_aside((room, seqs[3]), refused("four", Some("M_A")), NOW).await.unwrap();
    let telling = vec![message(room, "@g:x", "two were refused")];
    store.tell_untold(room, "M_A", untold.last, telling, NOW).await.unwrap();
    assert_eq!(set.waiting().await, ["a warning", "two were refused"]);
    let untold = store.untold(room, "M_A").await.unwrap().unwrap();
    assert_eq!((untold.first.as_str(), untold.count), ("four", 1));
    store.tell_untold(room, "M_A", untold.last, Vec::new(), NOW).await.unwrap();
    assert_eq!(store.untold(room, "M_A").await.unwrap(), None);
    assert!(store.untold_kinds(10).await.unwrap().is_empty());
}
