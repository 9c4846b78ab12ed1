//! The outbox: rows that become one event.

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
