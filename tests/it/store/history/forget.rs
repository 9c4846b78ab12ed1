//! What is forgotten leaves nothing, and does not come back.

use towline::store::{Gaps, HistoryLine, Incoming, NewOutbox};

use super::super::{NOW, Raw, Set, line, message};
use super::said;

/// Before, the words of deleted lines stayed in the parts of SQLite's index until these happened to be merged.
#[tokio::test]
async fn the_index_keeps_no_word_of_what_was_forgotten() {
    let set = Set::new().await;
    let (one, other) = (set.channel("#one").await, set.channel("#other").await);
    for number in 0..20 {
        // Each commit makes a part of the index.
        let at = NOW - 1_000_000 + number * 1_000;
        set.keep([said(one, &format!("xyzzyplugh {number}"), at), said(other, "kept here", at)]).await;
    }
    let mut raw = Raw::new(&set.database).await;
    let blocks =
        "SELECT COUNT(*) FROM history_search_data WHERE instr(block, CAST('xyzzyplugh' AS BLOB)) > 0";
    let is_sqlite = matches!(raw, Raw::Sqlite(_));
    if is_sqlite {
        assert!(raw.count(blocks).await > 0);
    }
    assert_eq!(set.store.forget_history(set.user.id, one, NOW).await.unwrap(), 20);
    // That it is to be done outlives a restart.
    set.store.close().await;
    let store = super::super::open(&set.database).await;
    while store.scrub_words().await.unwrap() {}
    if is_sqlite {
        assert_eq!(raw.count(blocks).await, 0);
    }
    assert_eq!(raw.count("SELECT COUNT(*) FROM instance WHERE key = 'history_scrub'").await, 0);
    let search = towline::store::Search {
        user: set.user.id,
        scope: towline::store::SearchScope::All,
        sender: None,
        since: None,
        words: "kept".into(),
        limit: 50,
    };
    assert_eq!(store.search(&search).await.unwrap().lines.len(), 20, "the others are still found");
}

/// Before, the database's file had it until a thousand pages were written, which on a quiet bridge takes days, and its log until
/// others were written over it.
#[tokio::test]
async fn what_was_forgotten_is_out_of_the_file_and_its_log_at_once() {
    let set = Set::new().await;
    let Some(file) = set.database.url().strip_prefix("sqlite://").map(str::to_owned) else { return };
    let has = |file: &str, word: &str| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    let log = format!("{file}-wal");
    let channel = set.channel("#one").await;
    set.keep([said(channel, "xyzzyplugh", NOW)]).await;
    // It writes the log back.
    set.store.close().await;
    assert!(has(&file, "xyzzyplugh"));
    let store = super::super::open(&set.database).await;
    let set = Set { store, ..set };
    set.keep([said(channel, "plughxyzzy", NOW)]).await;
    assert!(has(&log, "plughxyzzy"));
    assert_eq!(set.store.forget_history(set.user.id, channel, NOW).await.unwrap(), 2);
    while set.store.scrub_words().await.unwrap() {}
    // It is written back when nobody waits, and who comes now may be just too early.
    for number in 0..50 {
        set.store.ensure_user(&format!("@bob{number}:x"), NOW).await.unwrap();
        let words = ["xyzzyplugh", "plughxyzzy"];
        if words.iter().all(|word| !has(&file, word) && !has(&log, word)) {
            return;
        }
    }
    panic!("it is still there");
}

#[tokio::test]
async fn what_would_be_sent_again_is_forgotten_too_and_nothing_of_others() {
    let set = Set::new().await;
    let (one, other) = (set.channel("#one").await, set.channel("#other").await);
    set.keep([line(one, "a"), line(other, "b")]).await;
    let mut raw = Raw::new(&set.database).await;
    raw.execute(
        "INSERT INTO prompt (buffer, event_id, txn_id, button, state, created_at)
            SELECT id, name, name, name, 'open', 1 FROM buffer",
    )
    .await;
    let stranger = set.store.ensure_user("@mallory:x", NOW).await.unwrap();
    assert_eq!(set.store.forget_history(stranger.id, one, NOW).await.unwrap(), 0);
    assert_eq!(raw.count("SELECT COUNT(*) FROM prompt").await, 2);
    assert_eq!(set.store.forget_history(set.user.id, one, NOW).await.unwrap(), 1);
    assert_eq!(raw.texts("SELECT event_id FROM prompt").await, ["#other"]);
    assert_eq!(raw.texts("SELECT text FROM history").await, ["b"]);
}

/// Before, the network's own history brought everything back at the next connection.
#[tokio::test]
async fn what_was_forgotten_does_not_come_back_with_what_was_missed() {
    let set = Set::new().await;
    let buffer = set.channel("#rust").await;
    let replayed = |text: &str, at: i64| HistoryLine {
        at,
        msgid: Some(text.into()),
        replayed: Some(0),
        ..line(buffer, text)
    };
    set.keep([HistoryLine { msgid: Some("said".into()), ..line(buffer, "said") }]).await;
    assert_eq!(set.store.forget_history(set.user.id, buffer, NOW + 500).await.unwrap(), 1);
    let come = async |lines: Vec<HistoryLine>| {
        let row = |line: HistoryLine| {
            let text = line.text.clone();
            NewOutbox { history: Some(line), ..message(set.room.id, "@g:x", &text) }
        };
        set.commit(Incoming { outbox: lines.into_iter().map(row).collect(), ..Incoming::default() }).await;
    };
    come(vec![replayed("said", NOW), replayed("later", NOW + 600)]).await;
    assert_eq!((set.texts(buffer).await, set.waiting().await), (vec!["later".into()], vec!["later".into()]));
    // What was said while nobody was there is news, although it was before the forgetting.
    let gaps = Gaps { buffers: vec![(buffer, Some(NOW + 100))], ..Gaps::default() };
    set.commit(Incoming { gaps, ..Incoming::default() }).await;
    come(vec![replayed("said", NOW), replayed("missed", NOW + 200)]).await;
    assert_eq!(set.waiting().await, ["later", "missed"]);
}
