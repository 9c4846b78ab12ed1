//! Databases that are saved, restored and copied: everything arrives, and nothing is written over.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use towline::store::transfer::{Counts, TransferError, back_up, copy, restore};
use towline::store::{OpenError, SecretKey, StoreOptions};

use super::{NOW, Raw, Set, open, options, rows};
use crate::support::database::TestDatabase;

/// A database with rows in all tables, closed.
async fn full() -> TestDatabase {
    let database = TestDatabase::new().await;
    open(&database).await.close().await;
    rows::fill(&mut Raw::new(&database).await, &database, i64::MAX).await;
    database
}

fn sqlite() -> TestDatabase {
    TestDatabase::Sqlite(TempDir::with_prefix("towline-db-").unwrap())
}

async fn save(database: &TestDatabase) -> (Counts, String) {
    let mut file = Vec::new();
    let counts = back_up(&options(database), &mut file, NOW, &mut |_, _| {}).await.unwrap();
    (counts, String::from_utf8(file).unwrap())
}

async fn restored(file: &str, database: &TestDatabase) -> Result<Counts, TransferError> {
    restore(&mut file.as_bytes(), &options(database), &mut |_, _| {}).await
}

/// What a backup holds, in an order that does not depend on the engine's. That the history is indexed is each database's
/// own affair, and SQLite alone counts lines of history.
fn content(file: &str) -> BTreeSet<String> {
    let (mut table, mut columns) = (String::new(), Vec::new());
    let mut lines = BTreeSet::new();
    for line in file.lines().filter(|line| !line.contains("sha256")) {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if let Some(name) = value["table"].as_str() {
            name.clone_into(&mut table);
            columns = serde_json::from_value(value["columns"].take()).unwrap();
            continue;
        }
        if let Some(row) = value.as_array() {
            let row: BTreeMap<&String, &Value> = columns.iter().zip(row).collect();
            value = json!(row);
        }
        let is_own = line.contains("history_words") || table == "history" && value["last_number"].is_number();
        if !is_own {
            lines.insert(format!("{table}: {value}"));
        }
    }
    lines
}

const NONE: [&str; 0] = [];

/// What only one of two backups holds.
fn differences(one: &str, other: &str) -> Vec<String> {
    content(one).symmetric_difference(&content(other)).cloned().collect()
}

#[tokio::test]
async fn a_backup_restored_on_either_engine_is_the_same_database() {
    let (first, second, third) = (full().await, sqlite(), TestDatabase::new().await);
    let (counts, saved) = save(&first).await;
    let empty: Vec<_> = counts.iter().filter(|(_, rows)| *rows == 0).collect();
    assert!(empty.is_empty() && counts.len() == 29, "the test fills all tables, and {empty:?} is empty");
    assert_eq!(restored(&saved, &second).await.unwrap(), counts);
    let (_, again) = save(&second).await;
    assert_eq!(differences(&again, &saved), NONE);
    restored(&again, &third).await.unwrap();
    assert_eq!(differences(&save(&third).await.1, &saved), NONE);
}

#[tokio::test]
async fn a_copy_goes_to_the_other_engine_and_back_and_its_history_is_found() {
    let (first, second, third) = (full().await, sqlite(), TestDatabase::new().await);
    let mut heard = Vec::new();
    let mut hear = |table: &str, rows| heard.push((table.to_owned(), rows));
    let counts = copy(&options(&first), &options(&second), &mut hear).await.unwrap();
    assert!(counts.iter().all(|count| heard.contains(count)), "{counts:?} {heard:?}");
    copy(&options(&second), &options(&third), &mut |_, _| {}).await.unwrap();
    assert_eq!(differences(&save(&third).await.1, &save(&first).await.1), NONE);
    for database in [&second, &third] {
        let mut raw = Raw::new(database).await;
        assert_eq!(raw.count("SELECT COUNT(*) FROM history_search").await, 1);
    }
}

#[tokio::test]
async fn a_number_that_was_given_is_not_given_again_after_a_restore() {
    let (first, second, third) = (full().await, sqlite(), TestDatabase::new().await);
    restored(&save(&first).await.1, &second).await.unwrap();
    restored(&save(&second).await.1, &third).await.unwrap();
    for database in [&second, &third] {
        let store = open(database).await;
        store.enqueue(vec![super::message(1, "@b:x", "later")], NOW).await.unwrap();
        let mut raw = Raw::new(database).await;
        // One was queued, and one that is gone had the next number.
        assert_eq!(raw.count("SELECT MIN(seq) FROM outbox WHERE seq > 1").await, 3);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_saved_while_others_write_is_one_moment() {
    let Set { store, database, room, .. } = Set::new().await;
    let writing = tokio::spawn(async move {
        for number in 0..60 {
            let row = |part: &str| super::message(room.id, "@b:x", &format!("{number}-{part}"));
            store.enqueue(vec![row("a"), row("b")], NOW).await.unwrap();
        }
    });
    let mut last = String::new();
    while !writing.is_finished() {
        last = save(&database).await.1;
        let count = |part: &str| last.matches(&format!("-{part}\"")).count();
        assert_eq!(count("a"), count("b"));
    }
    writing.await.unwrap();
    restored(&last, &sqlite()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_into_a_database_that_is_not_empty() {
    let (first, second) = (full().await, full().await);
    let (_, before) = save(&second).await;
    let refused = restored(&save(&first).await.1, &second).await.unwrap_err();
    assert!(matches!(&refused, TransferError::NotEmpty(what) if what == "instance has rows"), "{refused}");
    let refused = copy(&options(&first), &options(&second), &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty(_)), "{refused}");
    assert_eq!(save(&second).await.1, before);

    let foreign = TestDatabase::new().await;
    if foreign.url().starts_with("sqlite") {
        std::fs::write(foreign.url().trim_start_matches("sqlite://"), "").unwrap();
    }
    Raw::new(&foreign).await.execute("CREATE TABLE homeserver (name TEXT)").await;
    let refused = restored(&before, &foreign).await.unwrap_err();
    assert!(matches!(&refused, TransferError::NotEmpty(what) if what == "it has homeserver"), "{refused}");
}

/// All lines but those with this text.
fn without(saved: &str, text: &str) -> String {
    saved.split_inclusive('\n').filter(|line| !line.contains(text)).collect()
}

#[rstest]
#[case::nothing(|_: &str| String::new())]
#[case::something_else(|_: &str| "{\"towline\": true}\n".to_owned())]
#[case::another_format(|saved: &str| saved.replacen("\"towline_backup\":1", "\"towline_backup\":2", 1))]
#[case::cut_off_in_a_line(|saved: &str| saved[..saved.floor_char_boundary(saved.len() / 2)].to_owned())]
#[case::without_its_last_line(|saved: &str| without(saved, "sha256"))]
#[case::a_row_less(|saved: &str| without(saved, "tea or coffee"))]
#[case::another_word(|saved: &str| saved.replace("tea or coffee", "tea or poison"))]
#[case::rows_before_their_table(|saved: &str| { let (first, rest) = saved.split_once('\n').unwrap(); format!("{first}\n[1]\n{rest}") })]
#[case::no_table_of_ours(|saved: &str| saved.replace("\"table\":\"hourglass\"", "\"table\":\"hourglass\\\" --\""))]
#[tokio::test]
async fn a_damaged_backup_leaves_nothing_and_the_whole_one_goes_in_afterwards(
    #[case] damage: fn(&str) -> String,
) {
    let (_, saved) = save(&full().await).await;
    let database = TestDatabase::new().await;
    let refused = restored(&damage(&saved), &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::Damaged(_) | TransferError::Unknown(_)), "{refused}");
    restored(&saved, &database).await.unwrap();
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_written() {
    let (_, saved) = save(&full().await).await;
    let database = TestDatabase::new().await;
    let others = StoreOptions { key: SecretKey::new([9; 32]), ..options(&database) };
    let refused = restore(&mut saved.as_bytes(), &others, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, TransferError::Open(OpenError::WrongKey)), "{refused}");
    restored(&saved, &database).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_newer_version_is_refused_and_one_of_an_older_is_brought_up_to_date() {
    let (_, saved) = save(&full().await).await;
    let (begin, rest) = saved.split_once("\"schema\":").unwrap();
    let newer = format!("{begin}\"schema\":9{rest}");
    let refused = restored(&newer, &TestDatabase::new().await).await.unwrap_err();
    assert!(matches!(refused, TransferError::Newer { .. }), "{refused}");

    let old = backup_of_first_version();
    let database = TestDatabase::new().await;
    restored(&old, &database).await.unwrap();
    let mut raw = Raw::new(&database).await;
    // The fourth migration gives lines numbers that tell their time.
    assert_eq!(raw.texts("SELECT text FROM history WHERE id >= 1000 * 16").await, ["from long ago"]);
    // Into a database that is ready for this version it does not go.
    let ready = TestDatabase::new().await;
    open(&ready).await.close().await;
    Raw::new(&ready).await.execute("DELETE FROM instance").await;
    let refused = restored(&old, &ready).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty(_)), "{refused}");
}

/// A backup as the first version would have written it: a user, and a line of a conversation.
fn backup_of_first_version() -> String {
    let mut file = [
        r#"{"towline_backup":1,"schema":1,"version":"0.0.1","made_at":1}"#,
        r#"{"table":"user","columns":["id","user_id","created_at"]}"#,
        r#"[1,"@a:x",1]"#,
        r#"{"table":"network","columns":["slug","name","created_at"]}"#,
        r#"["fake","Fake",1]"#,
        r#"{"table":"session","columns":["id","user","network","name","connect","epoch","created_at"]}"#,
        r#"[1,1,"fake","",1,0,1]"#,
        r#"{"table":"buffer","columns":["id","session","kind","folded","name","wanted"]}"#,
        r#"[1,1,"query","bob","bob",1]"#,
        r#"{"table":"history","columns":["id","buffer","at","kind","sender","text","direction"]}"#,
        r#"[1,1,1000,"message","bob","from long ago","in"]"#,
        "",
    ]
    .join("\n");
    let sum = digest(&SHA256, file.as_bytes());
    let sum = sum.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let rows = r#"{"user":1,"network":1,"session":1,"buffer":1,"history":1}"#;
    file.push_str(&format!("{{\"rows\":{rows},\"sha256\":\"{sum}\"}}\n"));
    file
}

#[tokio::test]
async fn a_database_in_use_is_saved_and_not_copied() {
    let Set { store, database, .. } = Set::new().await;
    save(&database).await;
    let refused = copy(&options(&database), &options(&sqlite()), &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, TransferError::Open(OpenError::Locked)), "{refused}");
    store.close().await;
    copy(&options(&database), &options(&sqlite()), &mut |_, _| {}).await.unwrap();
}
