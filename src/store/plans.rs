//! What SQLite reads for those statements whose table grows with all that was ever said: not more of it than is asked for.
//!
//! It has no statistics to go by, and of two indexes that match as many of a statement's terms takes the one that was made
//! last. PostgreSQL has, and is not asked.

use super::pool::Pool;
use super::{SecretKey, Store, StoreOptions, history, lines, members, outbox, said, spaces};

/// The statement, of which table, and by which columns it is read.
const CASES: [(&str, &str, &str, &str); 10] = [
    // Each line asks for these: it took as long as the room had been sent lines before.
    ("what waits for a room", outbox::WAITING, "outbox", "(room=? AND state=? AND rowid>?)"),
    ("what waits for a room that is looked at", outbox::LOOK, "outbox", "(room=? AND state=?)"),
    ("how much waits for a room", outbox::HOW_MANY_WAIT, "outbox", "(room=? AND state=?)"),
    ("what became an event, in the history", outbox::BECAME_IN_HISTORY, "outbox", "(room=? AND state=?)"),
    ("what became an event", outbox::BECAME, "outbox", "(room=? AND state=?)"),
    ("what is to show a line", history::REQUEST_OF_LINE, "outbox", "outbox_history (history=?)"),
    ("lines on their way", lines::OPEN, "irc_line", "(session=? AND created_at>?)"),
    ("lines of an event", said::NOT_REFUSED, "irc_line", "(buffer=? AND event_id=?)"),
    ("who is to leave a room", members::ONE_UNWANTED, "member", "INDEX member_unwanted (room=?)"),
    ("rooms of a session's space", spaces::ROOMS, "room", "(rowid=?)"),
];

#[tokio::test]
async fn what_is_asked_of_a_table_that_grows_is_found_by_an_index_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("t.db").display()).into();
    let key = SecretKey::new([7; 32]);
    let store = Store::open(&StoreOptions { url, key, lock: None }).await.unwrap();
    let Pool::Sqlite(connections) = store.readers() else { panic!("it is SQLite") };
    for (name, sql, table, columns) in CASES {
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let asked = sqlx::query_as(explained).bind(1).bind(1).bind(1);
        let steps: Vec<(i64, i64, i64, String)> =
            asked.fetch_all(&mut *connections.read().unwrap()).await.unwrap();
        let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{name}: {steps:#?}");
        let of_table = |step: &&String| step.split(' ').nth(1) == Some(table);
        let found: Vec<&String> = steps.iter().filter(of_table).collect();
        assert!(matches!(found[..], [step] if step.contains(columns)), "{name}: {steps:#?}");
    }
    store.close().await;
}
