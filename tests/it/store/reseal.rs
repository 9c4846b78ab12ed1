//! A new key: what the old one has sealed is there at each step, and at the end without the old one.

use secrecy::{ExposeSecret as _, SecretBox};
use towline::store::settings::{self, Scope};
use towline::store::{
    BufferKind, Fates, Incoming, LineState, NewBuffer, NewLine, NewPrompt, NewPublished, OpenError, Outgoing,
    Published, PublishedKind, SecretKey, Store, StoreOptions,
};

use super::{NOW, Raw, STRAY, Set, event, message, options};
use crate::support::database::TestDatabase;

fn bytes(byte: u8) -> SecretBox<[u8; 32]> {
    SecretBox::new(Box::new([byte; 32]))
}

/// The key of the tests, a new one with that one below it, and the new one alone.
fn keys() -> [SecretKey; 3] {
    let both = SecretKey::with_older((2, bytes(8)), vec![(1, bytes(7))]);
    [SecretKey::new([7; 32]), both, SecretKey::with_older((2, bytes(8)), Vec::new())]
}

async fn open_with(database: &TestDatabase, key: &SecretKey) -> Result<Store, OpenError> {
    Store::open(&StoreOptions { key: key.clone(), ..options(database) }).await
}

/// Puts something into each column that is sealed.
pub(super) async fn fill(set: &Set, name: &str) {
    let store = &set.store;
    let channel = format!("#{name}");
    let new =
        NewBuffer { key: Some(format!("key of {name}").into()), ..set.buffer(BufferKind::Channel, &channel) };
    let buffer = store.open_buffer(new).await.unwrap().id;
    let id = format!("${name}");
    store.accept(vec![event(&id, "!a:x")], NOW).await.unwrap();
    let line = NewLine {
        buffer,
        event_id: id.clone(),
        part: 0,
        state: LineState::Queued,
        payload: format!("line {name}"),
    };
    let prompt = NewPrompt {
        buffer,
        event_id: id.clone(),
        txn_id: format!("txn {name}"),
        button: "b".into(),
        payload: format!("prompt {name}"),
    };
    let published = NewPublished {
        id: name.into(),
        kind: PublishedKind::Text,
        buffer,
        event_id: id,
        content: format!("published {name}"),
        expires_at: None,
    };
    set.commit(Incoming {
        outbox: vec![message(set.room.id, "@bot:x", name)],
        outgoing: Outgoing { lines: vec![line], ..Outgoing::default() },
        fates: Fates { prompts: vec![prompt], ..Fates::default() },
        published: vec![published],
        ..Incoming::default()
    })
    .await;
    let secret = format!("password {name}");
    store.set_setting(&settings::SASL_PASSWORD, Scope::Session, set.session.id, Some(&secret)).await.unwrap();
}

/// All that was put in can be read; the password is the last one's.
async fn assert_there(store: &Store, set: &Set, names: &[&str]) {
    let all = |what: &str| names.iter().map(|name| format!("{what}{name}")).collect::<Vec<_>>();
    let buffers = store.buffers(set.session.id).await.unwrap();
    let keys: Vec<_> =
        buffers.iter().map(|buffer| buffer.key.as_ref().unwrap().expose_secret().to_owned()).collect();
    assert_eq!(keys, all("key of "));
    let events = store.waiting_events(STRAY, 0, 10).await.unwrap();
    assert_eq!(events.into_iter().map(|event| event.json).collect::<Vec<_>>(), all("the json of $"));
    let rows = store.waiting_requests(set.room.id, 0, 10).await.unwrap();
    assert_eq!(rows.into_iter().map(|row| row.payload).collect::<Vec<_>>(), all(""));
    let lines = store.open_lines(set.session.id).await.unwrap();
    assert_eq!(lines.into_iter().map(|line| line.payload).collect::<Vec<_>>(), all("line "));
    for (buffer, name) in buffers.iter().zip(names) {
        let prompts = store.prompts(buffer.id, &format!("${name}")).await.unwrap();
        assert_eq!(prompts[0].payload.as_deref(), Some(format!("prompt {name}").as_str()));
        let published = store.published(PublishedKind::Text, name, NOW).await.unwrap();
        assert_eq!(published, Some(Published::Here(format!("published {name}"))));
    }
    let password = store.setting(&settings::SASL_PASSWORD, Scope::Session, set.session.id).await.unwrap();
    assert_eq!(password.unwrap().text(), format!("password {}", names.last().unwrap()));
}

#[tokio::test]
async fn what_an_old_key_has_sealed_is_there_at_each_step_and_at_the_end_without_it() {
    let [_, both, new] = keys();
    let mut set = Set::new().await;
    fill(&set, "old").await;
    assert!(matches!(set.store.change_key(&new).await, Err(OpenError::WrongKey)), "it opens nothing");
    assert_there(&set.store, &set, &["old"]).await;
    assert!(set.store.change_key(&both).await.unwrap());
    assert!(!set.store.change_key(&both).await.unwrap(), "they are in use already");
    fill(&set, "new").await;
    assert_there(&set.store, &set, &["old", "new"]).await;
    // Six values of the old key and the proof; the password was set anew.
    assert_eq!(set.store.sealed_by_older_keys().await.unwrap(), 7);

    // The process ends in between: both keys are in the file.
    set.store.close().await;
    assert!(matches!(open_with(&set.database, &new).await, Err(OpenError::WrongKey)));
    set.store = open_with(&set.database, &both).await.unwrap();
    assert_there(&set.store, &set, &["old", "new"]).await;

    let done = set.store.reseal().await.unwrap();
    assert_eq!((done.values, done.lost), (6, 0));
    assert_eq!(set.store.reseal().await.unwrap().values, 0);
    assert_eq!(set.store.sealed_by_older_keys().await.unwrap(), 0);
    set.store.close().await;
    set.store = open_with(&set.database, &new).await.unwrap();
    assert_there(&set.store, &set, &["old", "new"]).await;
}

#[tokio::test]
async fn what_no_key_opens_keeps_nobody_from_a_new_one() {
    let [_, both, new] = keys();
    let set = Set::new().await;
    let ids: Vec<String> = (0..230).map(|number| format!("${number:03}")).collect();
    set.store.accept(ids.iter().map(|id| event(id, "!a:x")).collect(), NOW).await.unwrap();
    let mut raw = Raw::new(&set.database).await;
    // The payload of another row.
    raw.execute(
        "UPDATE inbox SET payload = (SELECT payload FROM inbox WHERE event_id = '$229') WHERE event_id < '$150'",
    )
    .await;
    set.store.change_key(&both).await.unwrap();
    let done = set.store.reseal().await.unwrap();
    assert_eq!((done.values, done.lost), (80, 150));
    assert_eq!(set.store.sealed_by_older_keys().await.unwrap(), 0);
    set.store.close().await;
    open_with(&set.database, &new).await.unwrap().close().await;
}

/// A column of bytes that is not among these is sealed for ever with a key that is thrown away.
#[tokio::test]
async fn each_column_that_holds_bytes_is_sealed_anew() {
    const SQLITE: &str = "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND c.type = 'BLOB' AND m.name NOT LIKE '%sqlx%' AND m.name NOT LIKE 'history_search%'
        ORDER BY 1";
    const POSTGRES: &str = "SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'bytea' AND table_name NOT LIKE '%sqlx%'
        ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\"";
    let set = Set::new().await;
    let mut raw = Raw::new(&set.database).await;
    let sql = if matches!(raw, Raw::Sqlite(_)) { SQLITE } else { POSTGRES };
    let known = [
        "buffer.key",
        "inbox.payload",
        "instance.value",
        "irc_line.payload",
        "outbox.payload",
        "prompt.payload",
        "published.content",
        "setting.value",
    ];
    assert_eq!(raw.texts(sql).await, known, "src/store/reseal.rs and `fill` in this test must know each");
}
