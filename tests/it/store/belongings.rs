//! What is stored about one user: all of it is found, read and deleted, and nothing of anybody else.

use std::collections::BTreeSet;

use serde_json::Value;
use towline::store::{
    BufferKind, GoneSession, Incoming, Link, NewBuffer, NewEvent, NewOutbox, NewRoom, Outgoing, Part,
    RoomKind, SHARED, Store, StoreError, User,
    settings::{self, Scope},
    transfer,
};

use super::{NOW, Raw, Set, event, line, message, open, reseal, rows};
use crate::support::database::TestDatabase;

/// Tables in which nothing is about anybody.
const OF_NOBODY: [&str; 4] = ["instance", "policy_rule", "replaced", "sts_policy"];

async fn tables(raw: &mut Raw) -> BTreeSet<String> {
    const SQLITE: &str =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'
        AND name NOT LIKE '@_sqlx%' ESCAPE '@' AND name NOT LIKE 'history@_search%' ESCAPE '@'";
    const POSTGRES: &str = "SELECT table_name::text FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name NOT LIKE '@_sqlx%' ESCAPE '@'
            AND table_name NOT LIKE 'history@_search%' ESCAPE '@'";
    let sql = if matches!(raw, Raw::Sqlite(_)) { SQLITE } else { POSTGRES };
    raw.texts(sql).await.into_iter().collect()
}

async fn count(raw: &mut Raw, table: &str) -> i64 {
    raw.count(format!(r#"SELECT COUNT(*) FROM "{table}""#).leak()).await
}

async fn exported(store: &Store, user: &User) -> Value {
    let mut output = Vec::new();
    transfer::export(store, user, &mut output, NOW, &mut |_, _| {}).await.unwrap();
    serde_json::from_slice(&output)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output)))
}

/// A migration that makes a table says in `src/store/belongings.rs` whose its rows are.
/// What takes her out of a room.
pub(super) fn removal(room: i64) -> NewOutbox {
    message(room, "@bot:x", &format!("removal from {room}"))
}

#[tokio::test]
async fn nothing_is_left_of_a_user_who_is_deleted_in_any_table() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut raw = Raw::new(&database).await;
    // One user, whose the network is, too: each row is about them.
    rows::fill(&mut raw, &database, i64::MAX).await;
    let user = store.known_user("@alice:x").await.unwrap().unwrap();
    assert!(store.known_user("@ALICE:x").await.unwrap().is_none());
    let found = store.belongings(&user).await.unwrap();
    let mut known: BTreeSet<String> = found.iter().map(|(table, _)| (*table).to_owned()).collect();
    let of_user = known.clone();
    known.extend(OF_NOBODY.map(str::to_owned));
    let all = tables(&mut raw).await;
    assert_eq!(known, all, "src/store/belongings.rs must know each table");
    for (table, rows) in &found {
        assert_eq!(i64::try_from(*rows).unwrap(), count(&mut raw, table).await, "{table}");
        assert!(*rows > 0, "rows.rs puts a row into each table, and none into {table}");
    }
    let read = exported(&store, &user).await;
    assert_eq!((&read["user"], read["exported_at"].as_i64()), (&"@alice:x".into(), Some(NOW)));
    let exported = read["tables"].as_object().unwrap();
    assert_eq!(exported.keys().cloned().collect::<BTreeSet<_>>(), of_user);
    for (table, rows) in &found {
        assert_eq!(exported[*table].as_array().unwrap().len() as u64, *rows, "{table}");
    }

    let (gone, _) = store.delete_user(&user, removal, NOW).await.unwrap();
    assert_eq!(gone, found);
    while store.scrub_words().await.unwrap() {}
    for table in all.iter().filter(|table| !OF_NOBODY.contains(&table.as_str())) {
        assert_eq!(count(&mut raw, table).await, 0, "{table}");
    }
    assert!(count(&mut raw, "sts_policy").await > 0);
    assert_eq!(count(&mut raw, "history_search").await, 0);
    assert!(store.known_user("@alice:x").await.unwrap().is_none());
    store.close().await;
    open(&database).await.close().await;
}

/// A user with a session on the same network as alice, and a line of history in a channel that both are in.
async fn with_bob(set: &Set) -> (User, i64) {
    let bob = set.store.ensure_user("@bob:x", NOW).await.unwrap();
    let (session, _) = set.store.open_session(&bob, ("fake", ""), "FakeNet", NOW).await.unwrap();
    let epoch = set.store.claim_session(session.id, "one").await.unwrap();
    let new = NewBuffer {
        session: session.id,
        owner: bob.id,
        marker: "marker of bob".into(),
        lane: format!("session/{}", session.id),
        ..set.buffer(BufferKind::Channel, "#tea")
    };
    let buffer = set.store.open_buffer(new).await.unwrap().id;
    let outgoing = Outgoing { history: vec![line(buffer, "bob's line")], ..Outgoing::default() };
    let incoming = Incoming { outgoing, ..Incoming::default() };
    set.store.commit_incoming(session.id, epoch, "fake", incoming, NOW).await.unwrap();
    (bob, buffer)
}

#[tokio::test]
async fn what_is_of_others_stays_and_is_not_shown() {
    let set = Set::new().await;
    reseal::fill(&set, "tea").await;
    // What waits in one of alice's rooms is hers.
    set.store.room_made(set.room.id, "!a:x").await.unwrap();
    let (bob, buffer) = with_bob(&set).await;
    let before = set.store.belongings(&bob).await.unwrap();
    let of_bob = exported(&set.store, &bob).await.to_string();
    assert!(
        of_bob.contains("bob's line") && !of_bob.contains("@alice:x") && !of_bob.contains("the json of $tea")
    );
    assert!(!exported(&set.store, &set.user).await.to_string().contains("bob"));
    let (_, shared) = set.store.delete_user(&set.user, removal, NOW).await.unwrap();
    assert!(shared.is_empty(), "nothing is told to rooms of her own: {shared:?}");
    assert_eq!(set.store.belongings(&bob).await.unwrap(), before);
    assert_eq!(exported(&set.store, &bob).await.to_string(), of_bob);
    assert_eq!(set.store.own_buffers(bob.id).await.unwrap()[0].id, buffer);
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(raw.texts("SELECT name FROM channel").await, ["#tea"], "bob is there still");
    assert_eq!(count(&mut raw, "inbox").await + count(&mut raw, "outbox").await, 0);
    // Whoever was about to set something for her, her session or her channel comes too late.
    for scope in [Scope::User, Scope::Session, Scope::Buffer] {
        let late = set.store.set_setting(&settings::LINES, scope, 1, Some("7")).await;
        assert!(matches!(late, Err(StoreError::Superseded)), "{scope:?}: {late:?}");
    }
    assert_eq!(count(&mut raw, "setting").await, 0);
}

/// The shared room of a channel.
pub(super) async fn shared_room(set: &Set, channel: &str) -> i64 {
    let room = NewRoom {
        kind: RoomKind::Shared,
        marker: format!("shared {channel}"),
        creator: "@bot:x".into(),
        owner: None,
        lane: SHARED.into(),
        link: Link::Shared { network: "fake".into(), name: channel.into() },
        room_id: Some(format!("!{}:x", &channel[1..])),
        created_at: NOW,
    };
    set.store.intend_room(room).await.unwrap().id
}

#[tokio::test]
async fn a_shared_room_stays_when_one_of_those_in_it_is_deleted() {
    let set = Set::new().await;
    let room = shared_room(&set, "#sea").await;
    let new = NewBuffer { marker: "of alice".into(), ..set.buffer(BufferKind::Channel, "#sea") };
    set.store.share_buffer(new, (room, Part::Member), ("user/@alice:x".into(), None)).await.unwrap().unwrap();
    let mut raw = Raw::new(&set.database).await;
    let links = "SELECT COUNT(*) FROM link WHERE role = 'shared'";
    assert_eq!(raw.count(links).await, 2);
    let (_, shared) = set.store.delete_user(&set.user, removal, NOW).await.unwrap();
    assert_eq!(shared, [room]);
    assert!(set.store.room(room).await.unwrap().is_some());
    assert_eq!(raw.count(links).await, 1);
    assert_eq!(set.store.waiting_requests(room, 0, 9).await.unwrap().len(), 1, "she is taken out of it");
}

/// Before, their coming was deleted with the rest, and they stayed.
#[tokio::test]
async fn who_is_deleted_is_taken_out_of_a_shared_room_that_they_have_only_just_entered() {
    let set = Set::new().await;
    let (sea, lake) = (shared_room(&set, "#sea").await, shared_room(&set, "#lake").await);
    set.store.accept(vec![event("$coming", "!sea:x")], NOW).await.unwrap();
    // What was dealt with long ago takes nobody out of anything.
    set.store.accept(vec![event("$long ago", "!lake:x")], NOW).await.unwrap();
    let waiting = set.store.waiting_events("user/@alice:x", 0, 9).await.unwrap();
    set.store.finish_event(waiting[1].seq, None).await.unwrap();
    let (_, shared) = set.store.delete_user(&set.user, removal, NOW).await.unwrap();
    assert_eq!(shared, [sea]);
    assert_eq!(set.store.waiting_requests(sea, 0, 9).await.unwrap().len(), 1);
    assert!(set.store.waiting_requests(lake, 0, 9).await.unwrap().is_empty());
}

/// Before, what waited in the lane of a room, or of the session that relays there, was not found.
#[tokio::test]
async fn what_somebody_says_through_anothers_session_is_theirs_while_it_waits() {
    let set = Set::new().await;
    let room = shared_room(&set, "#sea").await;
    let new = NewBuffer { marker: "of alice".into(), ..set.buffer(BufferKind::Channel, "#sea") };
    let lane = ("user/@alice:x".into(), None);
    let buffer = set.store.share_buffer(new, (room, Part::Member), lane).await.unwrap().unwrap().id;
    assert!(set.store.set_relays(buffer, true).await.unwrap());
    let by_carol = |id: &str| NewEvent { person: "@carol:x".into(), ..event(id, "!sea:x") };
    set.store.accept(vec![by_carol("$one"), by_carol("$two")], NOW).await.unwrap();
    let lane = format!("relay/{room}");
    let waiting = set.store.waiting_events(&lane, 0, 9).await.unwrap();
    assert_eq!(waiting.len(), 2);
    // Also when it is known who says it for her.
    set.store.rewrite_event(&waiting[0], "session/1", "the json of $one").await.unwrap();
    let carol = set.store.known_user("@carol:x").await.unwrap().unwrap();
    let read = exported(&set.store, &carol).await;
    let read: Vec<&Value> = read["tables"]["inbox"].as_array().unwrap().iter().collect();
    assert!(
        read.len() == 2 && ["$one", "$two"].iter().all(|id| read.iter().any(|row| row["event_id"] == *id)),
        "{read:?}"
    );
    assert!(!exported(&set.store, &set.user).await.to_string().contains("$two"));
    let (_, shared) = set.store.delete_user(&carol, removal, NOW).await.unwrap();
    assert!(shared.is_empty(), "she has no session to be taken out with");
    for lane in [lane.as_str(), "session/1"] {
        assert!(set.store.waiting_events(lane, 0, 9).await.unwrap().is_empty(), "{lane}");
    }
    // What was said is not hers any more: it is kept that the event was seen.
    set.store.accept(vec![by_carol("$three")], NOW).await.unwrap();
    let waiting = set.store.waiting_events(&lane, 0, 9).await.unwrap();
    set.store.finish_event(waiting[0].seq, None).await.unwrap();
    assert!(set.store.known_user("@carol:x").await.unwrap().is_none());
    assert!(set.store.known_user("@alice:x").await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_session_is_deleted_whole_and_nothing_of_another() {
    let set = Set::new().await;
    reseal::fill(&set, "tea").await;
    let buffer = set.store.own_buffers(set.user.id).await.unwrap()[0].id;
    let outgoing = Outgoing { history: vec![line(buffer, "alice's line")], ..Outgoing::default() };
    set.commit(Incoming { outgoing, ..Incoming::default() }).await;
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(set.session.id, 1);
    raw.execute("UPDATE inbox SET lane = 'session/1'").await;
    let (bob, _) = with_bob(&set).await;
    let before = set.store.belongings(&bob).await.unwrap();
    // Neither an open one nor another's.
    assert_eq!(set.store.delete_closed_session(set.user.id, 1).await.unwrap(), None);
    assert!(set.store.close_session(1, Vec::new()).await.unwrap());
    assert_eq!(set.store.delete_closed_session(bob.id, 1).await.unwrap(), None);
    assert_eq!(set.store.closed_sessions(set.user.id).await.unwrap().len(), 1);
    let gone = set.store.delete_closed_session(set.user.id, 1).await.unwrap();
    assert_eq!(gone, Some(GoneSession { buffers: 1, lines: 1 }));
    assert_eq!(set.store.belongings(&bob).await.unwrap(), before);
    assert!(set.store.sessions_of(set.user.id).await.unwrap().is_empty());
    for (table, left) in [
        ("inbox", 0),
        ("irc_line", 0),
        ("prompt", 0),
        ("published", 0),
        ("setting", 0),
        ("buffer", 1),
        ("history", 1),
    ] {
        assert_eq!(count(&mut raw, table).await, left, "{table}");
    }
    while set.store.scrub_words().await.unwrap() {}
}

/// Before, each conversation that was forgotten had the database look through everybody's lines.
#[tokio::test]
async fn what_goes_with_a_conversation_or_a_session_is_found_by_an_index() {
    let set = Set::new().await;
    let mut raw = Raw::new(&set.database).await;
    let without = match &raw {
        Raw::Sqlite(_) => {
            "SELECT m.name || '.' || f.\"from\" FROM sqlite_master m, pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table' AND f.\"table\" IN ('buffer', 'session') AND f.on_delete = 'CASCADE'
                AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) t WHERE t.name = f.\"from\" AND t.pk = 1)
                AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) i, pragma_index_info(i.name) c
                    WHERE c.seqno = 0 AND c.name = f.\"from\" AND i.partial = 0)
             ORDER BY 1"
        }
        Raw::Postgres(_) => {
            "SELECT c.conrelid::regclass::text || '.' || a.attname FROM pg_constraint c
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
             WHERE c.contype = 'f' AND c.confdeltype = 'c'
                AND c.confrelid IN ('buffer'::regclass, 'session'::regclass)
                AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid
                    AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)
             ORDER BY 1"
        }
    };
    // There is one link for each room, and those to buffers have an index that knows them.
    assert_eq!(raw.texts(without).await, ["link.buffer", "link.session"]);
}

#[tokio::test]
async fn an_export_opens_what_waits_and_names_secrets_without_showing_them() {
    let set = Set::new().await;
    reseal::fill(&set, "tea").await;
    // What waits in one of alice's rooms is hers.
    set.store.room_made(set.room.id, "!a:x").await.unwrap();
    let read = exported(&set.store, &set.user).await;
    let tables = &read["tables"];
    assert_eq!(tables["inbox"][0]["payload"], "the json of $tea");
    assert_eq!(tables["outbox"][0]["payload"], "tea");
    assert_eq!(tables["irc_line"][0]["payload"], "line tea");
    assert_eq!(tables["prompt"][0]["payload"], "prompt tea");
    assert_eq!(tables["published"][0]["content"], "published tea");
    let secret = "a secret, which is not exported";
    assert_eq!(tables["buffer"][0]["key"], secret);
    let setting = &tables["setting"][0];
    assert_eq!((&setting["key"], &setting["value"]), (&"sasl-password".into(), &secret.into()));
    assert!(!read.to_string().contains("password tea"));
}
