use sqlx::FromRow;
use sqlx::error::ErrorKind;

use super::*;

/// A database with a table of people, some of whom have no age.
async fn people() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.db");
    std::fs::File::create(&file).unwrap();
    let mut connection = Connection::open(&file, Access::Writes).unwrap();
    for sql in [
        "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, age INTEGER,
            picture BLOB, CHECK (age >= 0))",
        "CREATE TABLE pet (owner INTEGER REFERENCES person (id), name TEXT)",
        "INSERT INTO person (name, age) VALUES ('ada', 36), ('bob', NULL), ('eve', 20)",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    (folder, connection)
}

#[derive(Debug, PartialEq, FromRow)]
struct Person {
    age: Option<i64>,
    name: String,
}

#[tokio::test]
async fn rows_are_read_by_the_names_and_by_the_places_of_their_columns() {
    let (_folder, mut connection) = people().await;
    let ada = Person { age: Some(36), name: "ada".to_owned() };
    let bob = Person { age: None, name: "bob".to_owned() };
    let found: Vec<Person> = sqlx::query_as("SELECT id, name, age FROM person WHERE id < $1 ORDER BY id")
        .bind(3_i64)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(found, [ada, bob]);
    let places: (i64, String, bool) =
        sqlx::query_as("SELECT id, name, age IS NULL FROM person WHERE name = $1")
            .bind("bob")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(places, (2, "bob".to_owned(), true));
    let none: Option<i64> = sqlx::query_scalar("SELECT id FROM person WHERE id = 9")
        .fetch_optional(&mut connection)
        .await
        .unwrap();
    assert_eq!(none, None);
    let missing: sqlx::Result<i64> =
        sqlx::query_scalar("SELECT id FROM person WHERE id = 9").fetch_one(&mut connection).await;
    assert!(matches!(missing, Err(sqlx::Error::RowNotFound)));
    let wrong: sqlx::Result<i64> = sqlx::query_scalar("SELECT 'text'").fetch_one(&mut connection).await;
    assert!(matches!(wrong, Err(sqlx::Error::ColumnDecode { .. })), "{wrong:?}");
}

#[tokio::test]
async fn each_value_goes_to_the_placeholder_of_its_number_whichever_comes_first() {
    let (_folder, mut connection) = people().await;
    let found: (String, i32, Option<Vec<u8>>, String, Vec<u8>) =
        sqlx::query_as("SELECT $2, $1, $4, $2 || $3, $5")
            .bind(7_i32)
            .bind("b")
            .bind(Some("c".to_owned()))
            .bind(None::<Vec<u8>>)
            .bind(&[1_u8, 0, 2][..])
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(found, ("b".to_owned(), 7, None, "bc".to_owned(), vec![1, 0, 2]));
}

#[tokio::test]
async fn a_placeholder_without_a_value_is_an_error() {
    let (_folder, mut connection) = people().await;
    let done =
        sqlx::query("UPDATE person SET age = $2 WHERE id = $1").bind(1_i64).execute(&mut connection).await;
    assert!(matches!(done, Err(sqlx::Error::Encode(_))), "{:?}", done.map(|_| ()));
    let age: Option<i64> =
        sqlx::query_scalar("SELECT age FROM person WHERE id = 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(age, Some(36));
}

#[tokio::test]
async fn a_statement_that_changes_rows_is_done_with_all_when_its_first_is_read() {
    let (_folder, mut connection) = people().await;
    let first: Option<i64> = sqlx::query_scalar("UPDATE person SET age = 1 RETURNING id")
        .fetch_optional(&mut connection)
        .await
        .unwrap();
    assert_eq!(first, Some(1));
    let changed =
        sqlx::query("UPDATE person SET age = 2 WHERE age = 1").execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 3);
    let again = sqlx::query("DELETE FROM person WHERE age = 1").execute(&mut connection).await.unwrap();
    assert_eq!(again.rows_affected(), 0);
}

#[tokio::test]
async fn what_begins_and_ends_a_transaction_is_run_though_it_has_no_rows() {
    let (_folder, mut connection) = people().await;
    let cases: [(&[&'static str], i64); 4] = [
        (&["BEGIN IMMEDIATE", "DELETE FROM person WHERE id = 1", "ROLLBACK"], 3),
        (&["BEGIN IMMEDIATE", "DELETE FROM person WHERE id = 1", "COMMIT"], 2),
        (
            &[
                "BEGIN IMMEDIATE",
                "SAVEPOINT work",
                "DELETE FROM person",
                "ROLLBACK TO SAVEPOINT work",
                "COMMIT",
            ],
            2,
        ),
        (&["BEGIN IMMEDIATE", "SAVEPOINT work", "DELETE FROM person", "RELEASE SAVEPOINT work", "COMMIT"], 0),
    ];
    for (orders, left) in cases {
        for order in orders {
            sqlx::query(*order).execute(&mut connection).await.unwrap();
        }
        assert!(connection.inner.is_autocommit(), "{orders:?}");
        let found: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM person").fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, left, "{orders:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_told_apart_as_by_sqlx() {
    let (folder, mut connection) = people().await;
    let mut theirs = sqlx::SqlitePool::connect(folder.path().join("people.db").to_str().unwrap())
        .await
        .unwrap()
        .acquire()
        .await
        .unwrap();
    for (sql, kind) in [
        ("INSERT INTO person (name) VALUES ('ada')", ErrorKind::UniqueViolation),
        ("INSERT INTO person (id, name) VALUES (1, 'zoe')", ErrorKind::UniqueViolation),
        ("INSERT INTO person (name) VALUES (NULL)", ErrorKind::NotNullViolation),
        ("INSERT INTO person (name, age) VALUES ('zoe', -1)", ErrorKind::CheckViolation),
        ("INSERT INTO pet (owner) VALUES (9)", ErrorKind::ForeignKeyViolation),
        ("INSERT INTO pet (owner) VALUES (9) RETURNING name", ErrorKind::ForeignKeyViolation),
        ("INSERT INTO nowhere VALUES (1)", ErrorKind::Other),
    ] {
        let ours = sqlx::query(sql).fetch_optional(&mut connection).await.map(drop).unwrap_err();
        let theirs = sqlx::query(sql).execute(&mut *theirs).await.map(drop).unwrap_err();
        let (ours, theirs) = (ours.into_database_error().unwrap(), theirs.into_database_error().unwrap());
        assert_eq!(ours.kind(), kind, "{sql}");
        assert_eq!(ours.code(), theirs.code(), "{sql}");
        assert_eq!(ours.to_string(), theirs.to_string(), "{sql}");
    }
}

#[tokio::test]
async fn the_connection_is_set_so_that_commits_survive_a_power_cut_and_what_is_deleted_is_gone() {
    let (_folder, mut connection) = people().await;
    for (pragma, wanted) in [
        ("synchronous", 2),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("busy_timeout", 5000),
        ("wal_autocheckpoint", 4000),
    ] {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, wanted, "{pragma}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
    assert_eq!(mode, "wal");
}

/// Two of a line's statements were, for their `LIMIT`: an eighth of all instructions that a line took.
#[tokio::test]
async fn a_statement_is_not_planned_anew_for_other_values() {
    const SQL: &str = "SELECT name FROM person WHERE age > $1 ORDER BY id LIMIT $2";
    let (_folder, mut connection) = people().await;
    for (age, limit, found) in [(1, 1, 1), (1, 9, 2), (20, 9, 1), (1, 1, 1)] {
        let asked = sqlx::query_scalar::<_, String>(SQL).bind(age).bind(limit);
        assert_eq!(asked.fetch_all(&mut connection).await.unwrap().len(), found, "{age}, {limit}");
    }
    let statement = connection.inner.prepare_cached(SQL).unwrap();
    assert_eq!(statement.get_status(rusqlite::StatementStatus::Run), 4);
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

/// `.cargo/config.toml` says how, and why.
#[tokio::test]
async fn sqlite_is_compiled_as_the_tree_says() {
    let (_folder, mut connection) = people().await;
    let options: Vec<(String,)> =
        sqlx::query_as("PRAGMA compile_options").fetch_all(&mut connection).await.unwrap();
    let has = |option: &str| options.iter().any(|(found,)| found == option);
    for (option, is_there) in [
        ("ENABLE_FTS5", true),
        ("ENABLE_STAT4", false),
        ("ENABLE_MEMORY_MANAGEMENT", false),
        ("DEFAULT_MEMSTATUS=0", true),
    ] {
        assert_eq!(has(option), is_there, "{option}: {options:?}");
    }
}
