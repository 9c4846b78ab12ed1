//! The store, on whichever engine `TOWLINE_TEST_DATABASE` names: every function, the guards at its door, and what the
//! writer promises.

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use towline::store::settings::{self, Scope};
use towline::store::{
    BufferKind, Direction, HistoryLine, Incoming, LineKey, LineState, Link, NewBuffer, NewEvent, NewLine,
    NewOutbox, NewRoom, OpenError, OutboxKind, Outgoing, Refused, RoomKind, RoomRow, STRAY, SecretKey,
    SessionRow, Store, StoreError, StoreOptions, User,
};

use crate::support::database::{TestDatabase, connect_sqlite};

mod announced;
mod belongings;
mod buffers;
mod gaps;
mod history;
mod networks;
mod outbox;
mod plumbing;
mod poison;
mod prompts;
mod published;
mod questions;
mod reseal;
mod rooms;
mod rows;
mod sts;
mod transfer;
mod upgrade;
mod writer;

const NOW: i64 = 1_700_000_000_000;

fn options(database: &TestDatabase) -> StoreOptions {
    StoreOptions { url: database.url().into(), key: SecretKey::new([7; 32]), lock: None }
}

async fn open(database: &TestDatabase) -> Store {
    Store::open(&options(database)).await.unwrap()
}

/// A connection past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let url = database.url();
        if url.starts_with("sqlite") {
            Self::Sqlite(connect_sqlite(&url).await)
        } else {
            Self::Postgres(PgConnection::connect(&url).await.unwrap())
        }
    }

    pub(crate) async fn execute(&mut self, sql: &'static str) {
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql(sql).execute(connection).await.unwrap();
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(connection).await.unwrap();
            }
        }
    }

    async fn texts(&mut self, sql: &'static str) -> Vec<String> {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
        }
    }

    async fn count(&mut self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }
}

fn refused(note: &str) -> Refused {
    Refused { note: note.to_owned(), ..Refused::default() }
}

/// A user with a session, its network room, and the store.
struct Set {
    store: Store,
    database: TestDatabase,
    user: User,
    session: SessionRow,
    epoch: i64,
    room: RoomRow,
}

impl Set {
    async fn new() -> Self {
        let database = TestDatabase::with_schema().await;
        let store = open(&database).await;
        let user = store.ensure_user("@alice:x", NOW).await.unwrap();
        let (session, new) = store.open_session(&user, ("fake", ""), "FakeNet", NOW).await.unwrap();
        assert!(new);
        let epoch = store.claim_session(session.id, "one").await.unwrap();
        let room = store
            .intend_room(NewRoom {
                kind: RoomKind::Network,
                marker: "marker".into(),
                creator: "@bot:x".into(),
                owner: Some(user.id),
                lane: "user/@alice:x".into(),
                link: Link::Network { session: session.id },
                room_id: None,
                created_at: NOW,
            })
            .await
            .unwrap();
        Self { store, database, user, session, epoch, room }
    }

    fn buffer(&self, kind: BufferKind, name: &str) -> NewBuffer {
        NewBuffer {
            session: self.session.id,
            network: "fake".into(),
            kind,
            name: name.into(),
            folded: name.to_lowercase(),
            key: None,
            marker: format!("marker of {name}"),
            creator: "@bot:x".into(),
            owner: self.user.id,
            lane: format!("session/{}", self.session.id),
            gone: Vec::new(),
            wanted: kind == BufferKind::Channel,
            created_at: NOW,
        }
    }

    async fn commit(&self, incoming: Incoming) {
        self.store.commit_incoming(self.session.id, self.epoch, "fake", incoming, NOW).await.unwrap();
    }

    async fn waiting(&self) -> Vec<String> {
        let rows = self.store.waiting_requests(self.room.id, 0, 5_000).await.unwrap();
        rows.into_iter().map(|row| row.payload).collect()
    }
}

fn message(room: i64, sender: &str, text: &str) -> NewOutbox {
    NewOutbox {
        room,
        txn_id: format!("txn {text}"),
        sender: sender.into(),
        kind: OutboxKind::Message,
        payload: text.into(),
        ts: None,
        history: None,
    }
}

fn event(id: &str, room: &str) -> NewEvent {
    NewEvent {
        event_id: id.into(),
        room_id: room.into(),
        lane: None,
        person: "@alice:x".into(),
        is_said: true,
        json: format!("the json of {id}"),
        said_at: None,
    }
}

fn line(buffer: i64, text: &str) -> HistoryLine {
    HistoryLine {
        buffer,
        channel: None,
        at: NOW,
        kind: "message",
        sender: "bob".into(),
        account: None,
        target: None,
        text: text.into(),
        msgid: None,
        event_id: None,
        direction: Direction::In,
        replayed: None,
    }
}

#[tokio::test]
async fn users_and_sessions_are_made_once_and_found_again() {
    let Set { store, user, session, database: _kept, .. } = Set::new().await;
    assert_eq!(store.ensure_user("@alice:x", NOW + 1).await.unwrap(), user);
    assert_eq!(store.user_id(user.id).await.unwrap(), "@alice:x");
    let bob = store.ensure_user("@bob:x", NOW).await.unwrap();
    let all = [(user.id, "@alice:x".to_owned()), (bob.id, "@bob:x".to_owned())];
    assert_eq!(store.user_ids().await.unwrap(), all);
    let (again, new) = store.open_session(&user, ("fake", ""), "FakeNet", NOW).await.unwrap();
    assert_eq!((&again, new), (&session, false));
    store.set_connect(session.id, false).await.unwrap();
    assert!(!store.sessions().await.unwrap()[0].connect);
    // To open it is to want it connected.
    assert!(store.open_session(&user, ("fake", ""), "FakeNet", NOW).await.unwrap().0.connect);
    store.ensure_network("other", "Other", NOW).await.unwrap();
    store.ensure_network("other", "Another", NOW).await.unwrap();
    assert_eq!(store.sessions().await.unwrap(), vec![again]);
}

#[tokio::test]
async fn the_inbox_knows_each_event_once_and_keeps_the_order_of_its_lane() {
    let set = Set::new().await;
    let store = &set.store;
    store.room_made(set.room.id, "!r:x").await.unwrap();
    let lane = "user/@alice:x";
    let lanes = store.accept(vec![event("$1", "!r:x"), event("$2", "!r:x")], NOW).await.unwrap();
    assert_eq!(lanes, [lane]);
    let again = store.accept(vec![event("$2", "!r:x"), event("$3", "!r:x")], NOW).await.unwrap();
    assert_eq!(again, [lane]);
    let ids = async |lane, after| -> Vec<(i64, String)> {
        let events = store.waiting_events(lane, after, 10).await.unwrap();
        events.into_iter().map(|event| (event.seq, event.event_id)).collect()
    };
    let waiting = ids(lane, 0).await;
    assert_eq!(waiting.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["$1", "$2", "$3"]);
    assert_eq!(ids(lane, waiting[1].0).await.len(), 1);
    assert_eq!(store.waiting_events(lane, 0, 1).await.unwrap()[0].json, "the json of $1");
    store.finish_event(waiting[0].0, None).await.unwrap();
    store.finish_event(waiting[1].0, Some("poison")).await.unwrap();
    assert_eq!(ids(lane, 0).await.len(), 1);
    // Done or failed, an event is known.
    store.accept(vec![event("$1", "!r:x"), event("$2", "!r:x")], NOW).await.unwrap();
    assert_eq!(ids(lane, 0).await.len(), 1);
    assert_eq!(store.waiting_lanes().await.unwrap(), [lane]);
    // An answer and the end of its event are one commit.
    store.answer_event(waiting[2].0, vec![message(set.room.id, "@bot:x", "answer")], NOW).await.unwrap();
    assert!(store.waiting_lanes().await.unwrap().is_empty());
    assert_eq!(set.waiting().await, ["answer"]);
}

#[tokio::test]
async fn a_repeated_transaction_names_its_lanes_again_since_the_first_answer_may_have_been_lost() {
    let Set { store, database: _kept, .. } = Set::new().await;
    assert_eq!(store.accept(vec![event("$1", "!unknown:x")], NOW).await.unwrap(), [STRAY]);
    assert_eq!(store.accept(vec![event("$1", "!unknown:x")], NOW).await.unwrap(), [STRAY]);
}

#[tokio::test]
async fn invariant_1_what_is_said_before_a_room_is_known_keeps_its_place_before_what_is_said_after() {
    let set = Set::new().await;
    let store = &set.store;
    let lane = set.room.lane.clone();
    let elsewhere = NewEvent { lane: Some(lane.clone()), ..event("$elsewhere", "!other:x") };
    store.accept(vec![event("$first", "!r:x"), event("$second", "!r:x"), elsewhere], NOW).await.unwrap();
    // Somebody has read the lane up to here already.
    let cursor = store.waiting_events(&lane, 0, 10).await.unwrap()[0].seq;
    store.room_made(set.room.id, "!r:x").await.unwrap();
    assert_eq!(store.accept(vec![event("$third", "!r:x")], NOW).await.unwrap(), std::slice::from_ref(&lane));
    let found = store.waiting_events(&lane, cursor, 10).await.unwrap();
    let found: Vec<(&str, &str)> =
        found.iter().map(|event| (event.event_id.as_str(), event.json.as_str())).collect();
    let wanted = [
        ("$first", "the json of $first"),
        ("$second", "the json of $second"),
        ("$third", "the json of $third"),
    ];
    assert_eq!(found, wanted);
    assert!(store.waiting_events(STRAY, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_outbox_keeps_order_and_forgets_payloads_when_they_are_done() {
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap();
    let shown = NewOutbox { history: Some(line(buffer.id, "one")), ..message(set.room.id, "@g:x", "one") };
    let outbox = vec![shown, message(set.room.id, "@g:x", "two"), message(set.room.id, "@g:x", "three")];
    let topics = vec![(buffer.id, "the topic".to_owned())];
    let history = vec![(0, line(buffer.id, "unseen"))];
    set.commit(Incoming { outbox, topics, history, ..Incoming::default() }).await;
    assert_eq!(set.waiting().await, ["one", "two", "three"]);
    assert_eq!(store.rooms_with_requests().await.unwrap(), [(set.room.id, 3)]);
    let rows = store.waiting_requests(set.room.id, 0, 10).await.unwrap();
    assert_eq!((rows[0].kind, rows[0].sender.as_str()), (OutboxKind::Message, "@g:x"));
    assert_eq!(store.waiting_requests(set.room.id, rows[0].seq, 1).await.unwrap()[0].payload, "two");
    store.requests_done(vec![(rows[0].seq, Some("$e".into()))]).await.committed().await.unwrap();
    store.set_aside((rows[1].room, rows[1].seq), refused("no"), NOW).await.unwrap();
    assert_eq!(store.request_counts().await.unwrap(), (1, 1));
    assert_eq!(set.waiting().await, ["three"]);
    let lines = store.last_lines(buffer.id, 10).await.unwrap();
    assert_eq!(lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["unseen", "one"]);
    assert_eq!(store.buffers(set.session.id).await.unwrap()[0].topic.as_deref(), Some("the topic"));
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(raw.texts("SELECT event_id FROM history WHERE event_id IS NOT NULL").await, ["$e"]);
    assert_eq!(raw.count("SELECT COUNT(*) FROM outbox WHERE payload IS NOT NULL").await, 1);
    // The same rows once more, as after a commit whose outcome was unknown.
    store.enqueue(vec![message(set.room.id, "@g:x", "three")], NOW).await.unwrap();
    assert_eq!(set.waiting().await, ["three"]);
}

#[tokio::test]
async fn lines_to_irc_are_stored_before_they_leave_and_settled_once() {
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap();
    store.accept(vec![event("$1", "!a:x"), event("$2", "!a:x")], NOW).await.unwrap();
    let events = store.waiting_events(STRAY, 0, 10).await.unwrap();
    let new = |part, state| NewLine {
        buffer: buffer.id,
        event_id: "$1".into(),
        part,
        state,
        payload: format!("part {part}"),
    };
    let outgoing = Outgoing {
        finished: vec![events[0].seq],
        failed: vec![(events[1].seq, "poison".into())],
        lines: vec![new(0, LineState::Sending), new(1, LineState::Queued), new(2, LineState::Queued)],
        history: vec![line(buffer.id, "said")],
        ..Outgoing::default()
    };
    assert!(!outgoing.is_empty());
    store
        .commit_incoming(set.session.id, set.epoch, "fake", Incoming { outgoing, ..Incoming::default() }, NOW)
        .await
        .unwrap();
    assert!(store.waiting_events(STRAY, 0, 10).await.unwrap().is_empty());
    let open: Vec<_> = store.open_lines(set.session.id).await.unwrap();
    let seen: Vec<_> = open.iter().map(|one| (one.part, one.sending, one.payload.as_str())).collect();
    assert_eq!(seen, [(0, true, "part 0"), (1, false, "part 1"), (2, false, "part 2")]);
    let key = |part| LineKey { buffer: buffer.id, event_id: "$1".into(), part };
    let next = Outgoing { sending: vec![key(1)], refused: vec![key(2)], ..Outgoing::default() };
    store
        .commit_incoming(
            set.session.id,
            set.epoch,
            "fake",
            Incoming { outgoing: next, ..Incoming::default() },
            NOW,
        )
        .await
        .unwrap();
    let settled = store.settle_lines(vec![key(0)], LineState::Confirmed, Some("note")).await;
    settled.committed().await.unwrap();
    let open = store.open_lines(set.session.id).await.unwrap();
    assert_eq!(open.iter().map(|one| (one.part, one.sending)).collect::<Vec<_>>(), [(1, true)]);
}

#[tokio::test]
async fn settings_are_set_replaced_and_removed_in_their_scope() {
    let Set { store, session, database, .. } = Set::new().await;
    let text = async |setting, id| {
        let value = store.setting(setting, Scope::Session, id).await.unwrap();
        value.map(|value| value.text().to_owned())
    };
    for setting in [&settings::NICK, &settings::SASL_PASSWORD] {
        assert_eq!(text(setting, session.id).await, None);
        store.set_setting(setting, Scope::Session, session.id, Some("first")).await.unwrap();
        store.set_setting(setting, Scope::Session, session.id, Some("hunter2")).await.unwrap();
        assert_eq!(text(setting, session.id).await.as_deref(), Some("hunter2"));
        assert_eq!(text(setting, session.id + 1).await, None);
    }
    let mut raw = Raw::new(&database).await;
    let clear = raw.count("SELECT COUNT(*) FROM setting WHERE LENGTH(value) = 7").await;
    assert_eq!(clear, 1, "the nick is readable and the password is not");
    store.set_setting(&settings::SASL_PASSWORD, Scope::Session, session.id, None).await.unwrap();
    assert_eq!(text(&settings::SASL_PASSWORD, session.id).await, None);
}

#[tokio::test]
async fn invariant_10_what_is_under_way_can_not_be_read_in_the_database() {
    let set = Set::new().await;
    set.store.accept(vec![event("$1", "!a:x")], NOW).await.unwrap();
    let row = message(set.room.id, "@g:x", "a word of the outbox");
    let outbox = vec![NewOutbox { txn_id: "txn".into(), ..row }];
    set.commit(Incoming { outbox, ..Incoming::default() }).await;
    let TestDatabase::Sqlite(directory) = &set.database else {
        let mut raw = Raw::new(&set.database).await;
        let sealed = "SELECT COUNT(*) FROM outbox WHERE position('word'::bytea IN payload) > 0";
        assert_eq!(raw.count(sealed).await, 0);
        let sealed = "SELECT COUNT(*) FROM inbox WHERE position('json'::bytea IN payload) > 0";
        assert_eq!(raw.count(sealed).await, 0);
        return;
    };
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        for clear in [&b"a word of the outbox"[..], b"the json of"] {
            assert!(!bytes.windows(clear.len()).any(|window| window == clear), "{}", file.display());
        }
    }
}

#[tokio::test]
async fn what_is_settled_is_forgotten_after_its_time_and_what_waits_is_not() {
    let set = Set::new().await;
    let store = &set.store;
    store.accept(vec![event("$old", "!a:x"), event("$waits", "!a:x")], NOW).await.unwrap();
    store.accept(vec![event("$new", "!a:x")], NOW + 10).await.unwrap();
    let events = store.waiting_events(STRAY, 0, 10).await.unwrap();
    store.finish_event(events[0].seq, None).await.unwrap();
    store.finish_event(events[2].seq, None).await.unwrap();
    let rows = (0..3).map(|number| message(set.room.id, "@g:x", &number.to_string())).collect();
    store.enqueue(rows, NOW).await.unwrap();
    let rows = store.waiting_requests(set.room.id, 0, 10).await.unwrap();
    store.requests_done(vec![(rows[0].seq, None)]).await.committed().await.unwrap();
    store.set_aside((rows[1].room, rows[1].seq), refused("no"), NOW).await.unwrap();
    assert!(!store.prune(NOW + 5).await.unwrap());
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(raw.texts("SELECT event_id FROM inbox ORDER BY seq").await, ["$waits", "$new"]);
    assert_eq!(raw.count("SELECT COUNT(*) FROM outbox").await, 1);
    let many = (0..600).map(|number| event(&format!("${number}"), "!a:x")).collect();
    store.accept(many, NOW).await.unwrap();
    raw.execute("UPDATE inbox SET state = 'done', payload = NULL").await;
    assert!(store.prune(NOW + 5).await.unwrap(), "more is left");
    assert!(!store.prune(NOW + 5).await.unwrap());
}

#[tokio::test]
async fn invariant_5_a_write_of_an_instance_that_was_taken_over_is_refused() {
    let set = Set::new().await;
    let newer = set.store.claim_session(set.session.id, "two").await.unwrap();
    assert_eq!(newer, set.epoch + 1);
    let incoming = Incoming { outbox: vec![message(set.room.id, "@g:x", "late")], ..Incoming::default() };
    let late = set.store.commit_incoming(set.session.id, set.epoch, "fake", incoming, NOW).await;
    assert!(matches!(late, Err(StoreError::Superseded)), "{late:?}");
    let outgoing = Outgoing { finished: vec![1], ..Outgoing::default() };
    let late = set
        .store
        .commit_incoming(set.session.id, set.epoch, "fake", Incoming { outgoing, ..Incoming::default() }, NOW)
        .await;
    assert!(matches!(late, Err(StoreError::Superseded)), "{late:?}");
    assert!(set.waiting().await.is_empty());
}

#[tokio::test]
async fn a_second_instance_is_refused_until_the_first_has_closed() {
    let database = TestDatabase::new().await;
    let first = open(&database).await;
    let second = Store::open(&options(&database)).await;
    assert!(matches!(second, Err(OpenError::Locked)), "{:?}", second.err());
    // Whoever still holds the closed store does not keep the next instance out.
    let kept = first.clone();
    first.close().await;
    open(&database).await.close().await;
    assert!(matches!(kept.ensure_user("@a:x", NOW).await, Err(StoreError::Closed)));
    assert!(!kept.is_reachable().await);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let database = TestDatabase::new().await;
    open(&database).await.close().await;
    let mut raw = Raw::new(&database).await;
    raw.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let error = Store::open(&options(&database)).await.err().unwrap();
    assert!(matches!(error, OpenError::SchemaNewer { found: 9999, known } if known < 9999), "{error}");
    assert!(error.to_string().contains("newer towline"), "{error}");
}

#[tokio::test]
async fn another_key_is_refused() {
    let database = TestDatabase::new().await;
    open(&database).await.close().await;
    let wrong = StoreOptions { key: SecretKey::new([8; 32]), ..options(&database) };
    let error = Store::open(&wrong).await.err().unwrap();
    assert!(matches!(error, OpenError::WrongKey), "{error}");
    // A refused start leaves nothing locked.
    assert!(open(&database).await.is_reachable().await);
}

#[tokio::test]
async fn how_long_a_commit_takes_is_measured_and_leaves_nothing() {
    let database = TestDatabase::with_schema().await;
    let store = open(&database).await;
    let time = towline::store::commit_time(&database.url().into()).await.unwrap();
    assert!(!time.is_zero());
    if let TestDatabase::Sqlite(directory) = &database {
        let left = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("speed")));
        let nowhere = "sqlite:///nowhere/towline.db".to_owned();
        assert!(towline::store::commit_time(&nowhere.into()).await.is_err());
    }
    store.close().await;
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indexes() {
    let database = TestDatabase::new().await;
    let _store = open(&database).await;
    let mut raw = Raw::new(&database).await;
    // Each engine finds words in its own way: what belongs to `history_search` differs.
    let (columns, indexes) = match &raw {
        Raw::Sqlite(_) => (
            "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk > 0 THEN ' NOT NULL' ELSE '' END
             FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '_sqlx%'
                AND m.name NOT LIKE 'history_search%' ORDER BY 1",
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
        ),
        Raw::Postgres(_) => (
            "SELECT line FROM (
                SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
                FROM information_schema.columns
                WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'
                    AND table_name NOT LIKE 'history\\_search%') AS found (line)
             ORDER BY line COLLATE \"C\"",
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey'
             AND indexname NOT LIKE '%\\_key' AND indexname NOT LIKE '\\_sqlx%'
             AND indexname NOT LIKE 'history\\_search%' ORDER BY indexname COLLATE \"C\"",
        ),
    };
    let found =
        format!("{}\n\n{}\n", raw.texts(columns).await.join("\n"), raw.texts(indexes).await.join("\n"));
    // One text for both engines: that each equals it is that they equal each other.
    assert_eq!(found, include_str!("store/schema.txt"), "after a migration, store/schema.txt follows");
}
