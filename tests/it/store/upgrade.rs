//! Databases of older versions: what they hold is still there after the upgrade.

use std::str::FromStr as _;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{NOW, Raw, open, rows};
use crate::support::database::TestDatabase;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// A database as the first version left it.
pub(super) async fn first_version() -> (TestDatabase, Raw) {
    of_version(1).await
}

/// A database as a version left it that had this migration and none that is newer.
async fn of_version(version: i64) -> (TestDatabase, Raw) {
    let database = TestDatabase::new().await;
    if database.url().starts_with("sqlite") {
        // SQLite opens what is there; only the store makes a file.
        let options = SqliteConnectOptions::from_str(&database.url()).unwrap().create_if_missing(true);
        options.connect().await.unwrap().close().await.unwrap();
    }
    let mut raw = Raw::new(&database).await;
    match &mut raw {
        Raw::Sqlite(connection) => SQLITE.run_to(version, connection).await.unwrap(),
        Raw::Postgres(connection) => POSTGRES.run_to(version, connection).await.unwrap(),
    }
    (database, raw)
}

#[tokio::test]
async fn requests_that_wait_keep_their_order_and_numbers_are_not_given_twice() {
    let (database, mut raw) = first_version().await;
    raw.execute(
        "INSERT INTO room (kind, marker, creator, lane, created_at) VALUES ('lobby', 'm', '@b:x', 'l', 1);
         INSERT INTO outbox (room, txn_id, sender, kind, state, created_at) VALUES (1, 'a', '@b:x', 'state', 'done', 1);
         INSERT INTO outbox (room, txn_id, sender, kind, state, created_at) VALUES (1, 'b', '@b:x', 'message', 'queued', 2);
         INSERT INTO outbox (room, txn_id, sender, kind, state, created_at) VALUES (1, 'c', '@b:x', 'redact', 'queued', 3);
         DELETE FROM outbox WHERE txn_id = 'c'",
    )
    .await;
    let store = open(&database).await;
    let bot = super::NewOutbox { sender: "@b:x".into(), ..super::message(1, "@b:x", "d") };
    store.enqueue(vec![bot], NOW).await.unwrap();
    let rows = raw.texts("SELECT txn_id || ' ' || kind || ' ' || state FROM outbox ORDER BY seq").await;
    assert_eq!(rows, ["a state done", "b message queued", "txn d message queued"]);
    assert_eq!(raw.count("SELECT MAX(seq) FROM outbox").await, 4);
}

#[tokio::test]
async fn a_line_that_was_kept_twice_is_kept_once() {
    let (database, mut raw) = first_version().await;
    raw.execute(
        r#"INSERT INTO "user" (user_id, created_at) VALUES ('@a:x', 1);
         INSERT INTO network (slug, name, created_at) VALUES ('fake', 'Fake', 1);
         INSERT INTO session ("user", network, connect, created_at) VALUES (1, 'fake', TRUE, 1);
         INSERT INTO buffer (session, kind, folded, name, wanted) VALUES (1, 'channel', '#a', '#a', TRUE);
         INSERT INTO history (buffer, at, kind, sender, text, msgid, direction)
            VALUES (1, 1, 'message', 'bob', 'one', 'x', 'in'), (1, 2, 'message', 'bob', 'two', 'x', 'in'),
                (1, 3, 'message', 'bob', 'three', NULL, 'in'), (1, 4, 'message', 'bob', 'three', NULL, 'in')"#,
    )
    .await;
    let store = open(&database).await;
    let lines = store.last_lines(1, 9).await.unwrap();
    assert_eq!(lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["one", "three", "three"]);
}

/// Findings 1 and 11: a column that was left out of the copy would be gone with what it holds; and what waits is for the row
/// that its room has had alone.
#[tokio::test]
async fn the_tables_that_are_made_anew_for_several_channels_keep_each_column_and_what_waits_its_row() {
    let (database, mut raw) = of_version(45).await;
    rows::fill(&mut raw, &database, 45).await;
    raw.execute(
        r"UPDATE room SET room_id = '!r', owner = 1, looked_at_event = '$l', refill = 3, aliased = TRUE, owner_left = TRUE;
         INSERT INTO inbox (event_id, room_id, lane, state, note, received_at, person)
            VALUES ('$done', '!r', 'l', 'done', 'taken back', 4, '@dave:x'), ('$other', '!s', 'stray', 'new', NULL, 5, NULL);
         UPDATE irc_line SET note = 'late';
         INSERT INTO hourglass (event_id, buffer, txn_id) VALUES ('$h', 2, 'h')",
    )
    .await;
    let is_sqlite = database.url().starts_with("sqlite");
    let mut before = Vec::new();
    for table in ["room", "inbox", "irc_line", "hourglass"] {
        let columns = if is_sqlite {
            format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name")
        } else {
            format!(
                "SELECT column_name::text FROM information_schema.columns
                WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY column_name"
            )
        };
        for column in raw.texts(columns.leak()).await {
            let sql = format!(
                "SELECT COALESCE(CAST({column} AS TEXT), 'nothing') AS value FROM {table} ORDER BY value"
            );
            let sql: &'static str = sql.leak();
            before.push((sql, raw.texts(sql).await));
        }
    }
    assert!(before.len() > 30, "{}", before.len());
    let _store = open(&database).await;
    for (sql, values) in before {
        assert_eq!(raw.texts(sql).await, values, "{sql}");
    }
    let row = "SELECT event_id || ' ' || CAST(room AS TEXT) FROM inbox ORDER BY event_id";
    assert_eq!(raw.texts(row).await, ["$done 0", "$e 1", "$other 0"]);
}

#[tokio::test]
async fn an_upgrade_from_each_earlier_schema_keeps_a_row_of_each_table() {
    let versions: Vec<i64> = SQLITE.iter().map(|migration| migration.version).collect();
    for version in versions {
        let (database, mut raw) = of_version(version).await;
        rows::fill(&mut raw, &database, version).await;
        let store = open(&database).await;
        let mut expected: Vec<&str> = rows::tables(version).collect();
        expected.sort_unstable();
        let mut found = Vec::new();
        let mut tables = expected.clone();
        tables.dedup();
        for table in tables {
            let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
            let count = raw.count(sql.leak()).await;
            found.extend(std::iter::repeat_n(table, count as usize));
        }
        assert_eq!(found, expected, "from {version}");
        // What they hold is read as what it was.
        let session = store.open_sessions().await.unwrap().remove(0);
        assert_eq!(
            (session.user_id.as_str(), session.network.as_str()),
            ("@alice:x", "fake"),
            "from {version}"
        );
        assert_eq!(store.last_lines(1, 9).await.unwrap(), [("bob".to_owned(), "tea or coffee".to_owned())]);
        assert_eq!(store.queues().await.unwrap().outbox.waiting, 1, "from {version}");
        let bot = super::NewOutbox { sender: "@b:x".into(), ..super::message(1, "@b:x", "d") };
        store.enqueue(vec![bot], NOW).await.unwrap();
        assert_eq!(raw.count("SELECT MIN(seq) FROM outbox WHERE seq > 1").await, 3, "from {version}");
        store.close().await;
    }
}
