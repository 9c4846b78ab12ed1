//! The inbox: transactions, repeated, concurrent, poisoned, and what is said when they can't be stored.

use serde_json::{Value, json};

use super::Talk;
use crate::support::bridge::World;
use crate::support::database::{TestDatabase, connect_sqlite};
use crate::support::homeserver::{self, Fault};

/// Sends a transaction as the homeserver would; the status.
async fn transact(world: &World, id: &str, events: &Value) -> u16 {
    let url = format!("{}/_matrix/app/v1/transactions/{id}", world.appservice_url());
    let request = homeserver::client().put(url).bearer_auth(world.homeserver.hs_token());
    request.body(json!({ "events": events }).to_string()).send().await.unwrap().status().as_u16()
}

fn text(room: &str, id: &str, body: &str) -> Value {
    json!({ "event_id": id, "room_id": room, "sender": "@alice:test.local", "type": "m.room.message",
        "content": { "msgtype": "m.text", "body": body } })
}

/// What bob has heard of lines that begin so.
fn heard(talk: &Talk, what: &str) -> Vec<String> {
    let lines = talk.bob.messages("#rust").into_iter().map(|(_, text)| text);
    lines.filter(|text| text.starts_with(what)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_repeated_transaction_and_a_repeated_event_change_nothing() {
    let talk = Talk::begin().await;
    let events = json!([text(&talk.room, "$1", "say 1"), text(&talk.room, "$2", "say 2")]);
    for transaction in ["7", "7", "8", "1"] {
        assert_eq!(transact(&talk.world, transaction, &events).await, 200);
    }
    let mixed = json!([text(&talk.room, "$2", "say 2"), text(&talk.room, "$3", "say 3")]);
    assert_eq!(transact(&talk.world, "9", &mixed).await, 200);
    talk.bob.wait_text("say 3").await;
    assert_eq!(heard(&talk, "say"), ["say 1", "say 2", "say 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_two_identical_transactions_at_once_are_one() {
    let talk = Talk::begin().await;
    let events: Vec<Value> =
        (0..50).map(|n| text(&talk.room, &format!("${n}"), &format!("say {n}"))).collect();
    let events = json!(events);
    let same = futures_util::future::join_all((0..4).map(|_| transact(&talk.world, "7", &events))).await;
    assert_eq!(same, [200; 4]);
    talk.bob.wait_text("say 49").await;
    let wanted: Vec<String> = (0..50).map(|number| format!("say {number}")).collect();
    assert_eq!(heard(&talk, "say"), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_in_the_middle_of_a_transaction_stops_no_other() {
    let talk = Talk::begin().await;
    let message = |more: Value| {
        let mut event = text(&talk.room, "$poison", "poison");
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    };
    let poison = [
        json!(null),
        json!("no object"),
        json!([1, 2]),
        json!({}),
        json!({ "type": "m.room.message" }),
        message(json!({ "event_id": "$p1", "content": null })),
        message(json!({ "event_id": "$p2", "content": "text" })),
        message(json!({ "event_id": "$p3", "content": [] })),
        message(json!({ "event_id": "$p4", "content": { "msgtype": 7, "body": { "x": [] } } })),
        message(json!({ "event_id": "$p5", "sender": 7 })),
        message(json!({ "event_id": "$p6", "unsigned": null, "content": {} })),
        message(json!({ "event_id": "$p7\u{0}", "sender": "@al\u{0}ice:test.local" })),
        message(
            json!({ "event_id": "$p8", "type": "m.room.member", "state_key": 9, "content": { "membership": 9 } }),
        ),
        message(json!({ "event_id": "$p9", "type": "m.room.member", "state_key": "@towline:test.local",
            "content": { "membership": "invite", "is_direct": "perhaps" }, "unsigned": { "invite_room_state": 3 } })),
        message(json!({ "event_id": "$pa", "room_id": "nonsense" })),
        message(json!({ "event_id": "$pb", "type": "m.room.encrypted", "room_id": "!nowhere:test.local" })),
    ];
    let mut events = vec![text(&talk.room, "$0", "say 0")];
    for (number, poison) in poison.into_iter().enumerate() {
        events.push(poison);
        events.push(text(&talk.room, &format!("${}", number + 1), &format!("say {}", number + 1)));
    }
    let last = format!("say {}", (events.len() - 1) / 2);
    assert_eq!(transact(&talk.world, "7", &json!(events)).await, 200);
    talk.bob.wait_text(&last).await;
    assert_eq!(heard(&talk, "say").len(), (events.len() - 1) / 2 + 1);
    assert!(heard(&talk, "poison").is_empty());
    // And in the lane of the desk.
    let control = talk.world.homeserver.user("carol").start_dm(&talk.world.homeserver.bot());
    talk.world.homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_no_200_for_what_could_not_be_stored_and_it_is_taken_when_it_can() {
    let talk = Talk::begin().await;
    let mut lock = Lock::take(&talk.world.database).await;
    // SQLite's busy timeout is half of what an observer waits.
    let status = transact(&talk.world, "7", &json!([text(&talk.room, "$1", "say 1")])).await;
    assert_eq!(status, 503);
    lock.let_go().await;
    assert_eq!(transact(&talk.world, "7", &json!([text(&talk.room, "$1", "say 1")])).await, 200);
    talk.bob.wait_text("say 1").await;
    // The session has come through it, and so has the way back.
    talk.bob.say("#rust", "still here");
    talk.world.homeserver.wait_message(&talk.room, "still here").await;
    assert_eq!(heard(&talk, "say"), ["say 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_failing_database_is_answered_once_it_can_be() {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let mut lock = Lock::take(&world.database).await;
    alice.send_text(&control, "nonsense");
    lock.let_go().await;
    world
        .homeserver
        .wait_event(&control, |event| event.sender != alice.id() && event.body().contains("nonsense"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_is_said_in_a_room_before_its_id_is_known_is_not_lost() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, _) = world.connected_user("alice").await;
    // The room is made, its answer is lost, and for a while it can't be searched for.
    world.homeserver.faults().fail("POST", "/createRoom", Fault::AnswerLost, 2);
    world.homeserver.faults().fail("GET", "/joined_rooms", Fault::Status(502, json!("")), 3);
    alice.send_text(&control, "join #rust");
    let lobby = world.homeserver.wait_room_named("Lobby of FakeNet").await;
    let room = world.homeserver.wait_invite(alice.id()).await;
    assert_ne!(room, lobby);
    alice.join(&room).await;
    alice.send_text(&room, "early 0");
    alice.send_text(&room, "early 1");
    bob.wait_text("early 1").await;
    alice.send_text(&room, "late");
    bob.wait_text("late").await;
    let said: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["early 0", "early 1", "late"]);
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_came_while_the_homeserver_failed_is_taken_up_after_a_restart() {
    let mut world = World::start().await;
    let alice = world.homeserver.user("alice");
    world.homeserver.faults().fail("POST", "/join", Fault::Status(502, json!("")), 1_000);
    let control = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_requests("POST", "/join", 1).await;
    world.stop_bridge().await;
    world.homeserver.faults().clear();
    world.start_bridge().await;
    world.homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
}

/// Keeps the bridge from writing.
enum Lock {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Lock {
    async fn take(database: &TestDatabase) -> Self {
        use sqlx::Connection as _;
        let url = database.url();
        let mut lock = if url.starts_with("sqlite") {
            Self::Sqlite(connect_sqlite(&url).await)
        } else {
            Self::Postgres(sqlx::PgConnection::connect(&url).await.unwrap())
        };
        lock.execute("BEGIN IMMEDIATE", "ALTER TABLE inbox RENAME TO inbox_away").await;
        lock
    }

    async fn let_go(&mut self) {
        self.execute("ROLLBACK", "ALTER TABLE inbox_away RENAME TO inbox").await;
    }

    async fn execute(&mut self, sqlite: &'static str, postgres: &'static str) {
        match self {
            Self::Sqlite(connection) => {
                sqlx::query(sqlite).execute(connection).await.unwrap();
            }
            Self::Postgres(connection) => {
                sqlx::query(postgres).execute(connection).await.unwrap();
            }
        }
    }
}
