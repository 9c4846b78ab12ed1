//! The writer: group commit, order, and what becomes of writes when the database fails.

use super::{NOW, Raw, Set, event, message, open};
use crate::support::database::TestDatabase;
use towline::store::{Incoming, Lost, Store, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_writes_at_once_commit_in_the_order_of_each_submitter() {
    let set = Set::new().await;
    let store = set.store.clone();
    let (room, writers) = (set.room.id, 10);
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    let row = message(room, "@g:x", &format!("{writer} {number}"));
                    store.enqueue(vec![row], NOW).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = set.waiting().await;
    assert_eq!(all.len(), 1_000);
    for writer in 0..writers {
        let own: Vec<&str> = all.iter().filter_map(|text| text.strip_prefix(&format!("{writer} "))).collect();
        let wanted: Vec<String> = (0..100).map(|number: i32| number.to_string()).collect();
        assert_eq!(own, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_in_a_batch_fails_alone() {
    let set = Set::new().await;
    // Handed in together, so that they share commits: every tenth names a room that does not exist.
    let writes = (0..200).map(|number| {
        let store = set.store.clone();
        let room = if number % 10 == 3 { i64::MAX } else { set.room.id };
        async move { store.enqueue(vec![message(room, "@g:x", &number.to_string())], NOW).await }
    });
    let results = futures_util::future::join_all(writes).await;
    let failed: Vec<usize> =
        results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(at, _)| at).collect();
    assert_eq!(failed, (3..200).step_by(10).collect::<Vec<_>>());
    assert_eq!(set.waiting().await.len(), 180);
}

/// Takes the write lock of the database, or what stands for it.
async fn hold_the_lock(database: &TestDatabase) -> Raw {
    let mut raw = Raw::new(database).await;
    match &raw {
        Raw::Sqlite(_) => raw.execute("BEGIN IMMEDIATE").await,
        Raw::Postgres(_) => raw.execute("ALTER TABLE outbox RENAME TO outbox_away").await,
    }
    raw
}

async fn let_go(mut raw: Raw) {
    match &raw {
        Raw::Sqlite(_) => raw.execute("ROLLBACK").await,
        Raw::Postgres(_) => raw.execute("ALTER TABLE outbox_away RENAME TO outbox").await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_an_error_of_the_database_and_not_the_end_of_the_store() {
    let set = Set::new().await;
    let raw = hold_the_lock(&set.database).await;
    let writes = (0..5).map(|number| {
        let store = set.store.clone();
        let row = message(set.room.id, "@g:x", &number.to_string());
        async move { store.enqueue(vec![row], NOW).await }
    });
    for result in futures_util::future::join_all(writes).await {
        // Closed would end the sessions for good.
        assert!(
            matches!(&result, Err(error @ StoreError::Database(_)) if error.is_temporary()),
            "{result:?}"
        );
    }
    let_go(raw).await;
    set.store.enqueue(vec![message(set.room.id, "@g:x", "after")], NOW).await.unwrap();
    assert_eq!(set.waiting().await, ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_rolls_all_of_its_batch_back_as_a_full_disk_does_fails_all_and_no_more() {
    let set = Set::new().await;
    let mut raw = Raw::new(&set.database).await;
    if matches!(raw, Raw::Postgres(_)) {
        return;
    }
    raw.execute(
        "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.sender = '@full:x'
         BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
    )
    .await;
    let writes = (0..100).map(|number| {
        let store = set.store.clone();
        let sender = if number % 10 == 9 { "@full:x" } else { "@g:x" };
        let row = message(set.room.id, sender, &number.to_string());
        async move { (number.to_string(), store.enqueue(vec![row], NOW).await) }
    });
    let results = futures_util::future::join_all(writes).await;
    let told: Vec<String> =
        results.into_iter().filter(|(_, result)| result.is_ok()).map(|(text, _)| text).collect();
    // What was confirmed is there, and what was not is not.
    assert_eq!(set.waiting().await, told);
    set.store.enqueue(vec![message(set.room.id, "@g:x", "after")], NOW).await.unwrap();
    assert!(set.waiting().await.contains(&"after".to_owned()));
}

#[tokio::test]
async fn a_write_of_many_parts_is_stored_whole_or_not_at_all() {
    let set = Set::new().await;
    let outbox = vec![message(set.room.id, "@g:x", "one"), message(i64::MAX, "@g:x", "two")];
    let incoming = Incoming { outbox, ..Incoming::default() };
    let result = set.store.commit_incoming(set.session.id, set.epoch, "fake", incoming, NOW).await;
    assert!(matches!(&result, Err(error) if !error.is_temporary()), "{result:?}");
    assert!(set.waiting().await.is_empty());
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_next_start_and_what_was_not_is_not() {
    let set = Set::new().await;
    set.store.accept(vec![event("$1", "!a:x")], NOW).await.unwrap();
    let Set { store, database, .. } = set;
    store.close().await;
    assert!(matches!(store.accept(vec![event("$2", "!a:x")], NOW).await, Err(StoreError::Closed)));
    let store: Store = open(&database).await;
    let events = store.waiting_events(towline::store::STRAY, 0, 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>(), ["$1"]);
}

#[tokio::test]
async fn writing_goes_on_after_the_server_has_cut_all_connections() {
    let set = Set::new().await;
    let mut raw = Raw::new(&set.database).await;
    if matches!(raw, Raw::Sqlite(_)) {
        return;
    }
    // Each is waited for, or one could end between the two writes.
    let cut = "SELECT COUNT(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'towline'";
    assert!(raw.count(cut).await > 0);
    // The first write may meet the dead connection; it is told so, and the next one has a new connection.
    let first = set.store.enqueue(vec![message(set.room.id, "@g:x", "first")], NOW).await;
    assert!(first.is_ok() || first.as_ref().is_err_and(StoreError::is_temporary), "{first:?}");
    set.store.enqueue(vec![message(set.room.id, "@g:x", "first")], NOW).await.unwrap();
    assert_eq!(set.waiting().await, ["first"]);
}

#[tokio::test]
async fn an_instance_that_has_lost_its_lock_learns_of_it() {
    let set = Set::new().await;
    let mut raw = Raw::new(&set.database).await;
    if matches!(raw, Raw::Sqlite(_)) {
        return;
    }
    let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'towline-lock'";
    assert_eq!(raw.count(cut).await, 1);
    let lost = tokio::time::timeout(crate::support::homeserver::LIMIT, set.store.lost()).await;
    assert_eq!(lost.unwrap(), Lost::Lock);
}
