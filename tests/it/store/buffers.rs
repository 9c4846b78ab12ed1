//! Channels under another name, and in which something was said last.

use secrecy::ExposeSecret;
use towline::store::settings::{self, Scope};
use towline::store::{BufferKind, Heir, HistoryLine, Incoming, NewBuffer, NewOutbox};

use super::{NOW, Raw, Set, line, message};

#[tokio::test]
async fn a_channel_that_is_renamed_keeps_its_room_its_history_and_its_key() {
    let set = Set::new().await;
    let new = NewBuffer { key: Some("sesame".to_owned().into()), ..set.buffer(BufferKind::Channel, "!tea") };
    let made = set.store.open_buffer(new).await.unwrap();
    let row = NewOutbox { history: Some(line(made.id, "hello")), ..message(made.room, "@g:x", "hello") };
    set.commit(Incoming { outbox: vec![row], ..Incoming::default() }).await;
    set.store.rename_buffer(made.id, "!ABCDEtea", "!abcdetea").await.unwrap();
    let buffers = set.store.buffers(set.session.id).await.unwrap();
    let [buffer] = &buffers[..] else { panic!("{buffers:?}") };
    assert_eq!((buffer.id, buffer.room, buffer.name.as_str()), (made.id, made.room, "!ABCDEtea"));
    assert_eq!(buffer.key.as_ref().unwrap().expose_secret(), "sesame");
    let again = set.store.open_buffer(set.buffer(BufferKind::Channel, "!ABCDEtea")).await.unwrap();
    assert_eq!(again.id, made.id, "it is found by its new name");
    let another = NewBuffer { marker: "another".into(), ..set.buffer(BufferKind::Channel, "!tea") };
    let other = set.store.open_buffer(another).await.unwrap();
    assert_ne!(other.id, made.id);
    let mut raw = Raw::new(&set.database).await;
    let channels =
        "SELECT channel.name FROM buffer JOIN channel ON channel.id = buffer.channel ORDER BY channel.name";
    assert_eq!(raw.texts(channels).await, ["!ABCDEtea", "!tea"]);
    let history = "SELECT COUNT(*) FROM history JOIN buffer ON buffer.id = history.buffer WHERE buffer.name = '!ABCDEtea'";
    assert_eq!(raw.count(history).await, 1);
    // One that is gone is no failure.
    set.store.rename_buffer(999, "#x", "#x").await.unwrap();
}

/// Before, one such key kept the whole bridge from starting.
#[tokio::test]
async fn a_key_that_does_not_open_is_no_key_and_keeps_no_channel_away() {
    let set = Set::new().await;
    for (name, key) in [("#a", "sesame"), ("#b", "abracadabra")] {
        let new = NewBuffer { key: Some(key.to_owned().into()), ..set.buffer(BufferKind::Channel, name) };
        set.store.open_buffer(NewBuffer { marker: name.into(), ..new }).await.unwrap();
    }
    let mut raw = Raw::new(&set.database).await;
    // What was sealed for one channel opens for no other.
    raw.execute("UPDATE buffer SET key = (SELECT key FROM buffer WHERE name = '#b') WHERE name = '#a'").await;
    let buffers = set.store.buffers(set.session.id).await.unwrap();
    let keys: Vec<_> =
        buffers.iter().map(|buffer| buffer.key.as_ref().map(ExposeSecret::expose_secret)).collect();
    assert_eq!(keys, [None, Some("abracadabra")]);
    set.store.rename_buffer(buffers[0].id, "#c", "#c").await.unwrap();
}

#[tokio::test]
async fn what_was_set_for_the_buffers_of_a_session_is_read_at_once() {
    let set = Set::new().await;
    let mut ids = Vec::new();
    for name in ["#a", "#b", "#c"] {
        ids.push(set.store.open_buffer(set.buffer(BufferKind::Channel, name)).await.unwrap().id);
    }
    for (setting, buffer, value) in [
        (&settings::CHARSET, ids[1], "KOI8-R"),
        (&settings::CHARSET, ids[2], "windows-1251 read"),
        (&settings::NAME_CHARSET, ids[0], "UTF-8"),
    ] {
        set.store.set_setting(setting, Scope::Buffer, buffer, Some(value)).await.unwrap();
    }
    assert_eq!(set.session.id, ids[0], "a number of both");
    set.store.set_setting(&settings::CHARSET, Scope::Session, ids[0], Some("big5")).await.unwrap();
    let read = set.store.buffer_settings(&settings::CHARSET, set.session.id).await.unwrap();
    assert_eq!(read, [(ids[1], "KOI8-R".to_owned()), (ids[2], "windows-1251 read".to_owned())]);
    assert_eq!(set.store.buffer_settings(&settings::CHARSET, 999).await.unwrap(), []);
}

#[tokio::test]
async fn it_is_known_when_something_was_last_said() {
    let set = Set::new().await;
    let mut ids = Vec::new();
    for name in ["#a", "#b", "#silent"] {
        ids.push(set.store.open_buffer(set.buffer(BufferKind::Channel, name)).await.unwrap().id);
    }
    set.store.open_buffer(set.buffer(BufferKind::Query, "bob")).await.unwrap();
    for (buffer, at) in [(ids[0], NOW), (ids[1], NOW + 5), (ids[0], NOW + 2)] {
        let history = Some(HistoryLine { at, ..line(buffer, "hello") });
        let row = NewOutbox { history, ..message(set.room.id, "@g:x", "hello") };
        set.commit(Incoming { outbox: vec![row], ..Incoming::default() }).await;
    }
    let mut said = set.store.last_said(set.session.id).await.unwrap();
    said.sort_unstable();
    assert_eq!(said, [(ids[0], NOW + 2), (ids[1], NOW + 5), (ids[2], 0)]);
}

#[tokio::test]
async fn a_conversation_that_follows_to_a_nick_of_another_stays_as_it_is() {
    let set = Set::new().await;
    let [bob, carol] = ["bob", "carol"].map(|name| NewBuffer {
        marker: name.into(),
        creator: format!("@{name}:x"),
        ..set.buffer(BufferKind::Query, name)
    });
    let bob = set.store.open_buffer(bob).await.unwrap();
    let carol = set.store.open_buffer(carol).await.unwrap();
    let follow = |name: &str| {
        let user_id = format!("@{name}:x");
        Heir { buffer: bob.id, room: bob.room, name: name.into(), folded: name.into(), user_id }
    };
    set.commit(Incoming { heirs: vec![follow("carol")], ..Incoming::default() }).await;
    let named = |buffers: Vec<towline::store::Buffer>| {
        let named = buffers.into_iter().filter(|buffer| buffer.kind == BufferKind::Query);
        named.map(|buffer| (buffer.id, buffer.name, buffer.creator)).collect::<Vec<_>>()
    };
    let before = [(bob.id, "bob".into(), "@bob:x".into()), (carol.id, "carol".into(), "@carol:x".into())];
    assert_eq!(named(set.store.buffers(set.session.id).await.unwrap()), before);
    set.commit(Incoming { heirs: vec![follow("robert")], ..Incoming::default() }).await;
    let after =
        [(bob.id, "robert".into(), "@robert:x".into()), (carol.id, "carol".into(), "@carol:x".into())];
    assert_eq!(named(set.store.buffers(set.session.id).await.unwrap()), after);
}
