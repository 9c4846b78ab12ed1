//! Delivery in both directions under faults: nothing lost, nothing doubled, in order.

use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Fault, TestUser};
use crate::support::ircd::Person;

mod crash;
mod echo;
mod folding;
mod inbox;
mod look_back;
mod merging;
mod outage;
mod refusals;
mod storm;

/// Alice in #rust, where bob is; bob's ghost has come.
struct Talk {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
}

impl Talk {
    async fn begin() -> Self {
        Self::begin_in(World::start().await).await
    }

    async fn begin_in(world: World) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
        bob.say("#rust", "hello");
        world.homeserver.wait_message(&room, "hello").await;
        // Neither the answer to her command nor the greeting of the network is under way, which would have the faults that
        // are meant for what follows.
        world.homeserver.wait_event(&control, |event| event.body().starts_with("Joining #rust")).await;
        world.wait_outbox_empty().await;
        Self { world, alice, bob, room }
    }

    /// Bob says numbered lines.
    fn say(&self, what: &str, count: usize) {
        (0..count).for_each(|number| self.bob.say("#rust", &format!("{what} {number}")));
    }

    /// Waits for the last of the lines; each must be there once, in order.
    async fn heard(&self, what: &str, count: usize) {
        self.world.homeserver.wait_message(&self.room, &format!("{what} {}", count - 1)).await;
        let lines = self.world.homeserver.timeline_lines(&self.room);
        let heard: Vec<&String> = lines.iter().filter(|line| line.starts_with(&format!("{what} "))).collect();
        let wanted: Vec<String> = (0..count).map(|number| format!("{what} {number}")).collect();
        assert_eq!(heard, wanted.iter().collect::<Vec<_>>());
    }
}

impl Talk {
    /// Lets no message through, and returns when the first of these lines is being tried and the others wait.
    async fn hold_back(&self, first: &str, others: impl Fn()) {
        let slow_down = Fault::RateLimited { retry_after_ms: 50 };
        self.world.homeserver.faults().fail("PUT", SEND, slow_down, 10_000);
        let before = self.world.homeserver.requests("PUT", SEND);
        self.bob.say("#rust", first);
        self.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
        others();
        self.all_stored().await;
    }

    /// The session reads in order: what it answers now, it answers after what it has read is committed.
    async fn all_stored(&self) {
        let mark = self.world.ircd.mark();
        self.world.ircd.send_line("alice", "PING :after-the-lines");
        self.world.ircd.wait_line_after(mark, |_, line| line.contains("after-the-lines")).await;
    }
}

fn bad_gateway() -> Fault {
    Fault::Status(502, json!("<html>502 Bad Gateway</html>"))
}

const SEND: &str = "/send/m.room.message/";

#[rstest::rstest]
#[case::bad_gateway(bad_gateway(), 2)]
#[case::internal_error(Fault::Status(500, json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" })), 2)]
#[case::rate_limited(Fault::RateLimited { retry_after_ms: 200 }, 5)]
#[case::rate_limited_without_a_wait(Fault::Status(429, json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "slow" })), 2)]
#[case::dropped_connections(Fault::Drop, 3)]
#[case::lost_answers(Fault::AnswerLost, 3)]
#[case::a_token_that_is_unknown_for_a_while(
    Fault::Status(401, json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "Invalid access token" })), 3)]
#[case::a_proxy_without_words(Fault::Status(404, json!("not here")), 2)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_no_line_from_irc_is_lost_doubled_or_out_of_order_when_sends_fail(
    #[case] fault: Fault,
    #[case] times: usize,
) {
    let talk = Talk::begin().await;
    let carol = talk.world.ircd.person("carol");
    carol.join("#rust");
    talk.world.homeserver.lose_echoes();
    talk.world.homeserver.faults().fail("PUT", SEND, fault, times);
    for number in 0..20 {
        talk.bob.say("#rust", &format!("line {number}"));
        // So that bob's lines don't go together, and there are requests to fail.
        carol.say("#rust", &format!("carol's {number}"));
    }
    talk.heard("line", 20).await;
    talk.heard("carol's", 20).await;
    assert_eq!(talk.world.homeserver.faults().remaining(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_nothing_is_lost_or_doubled_when_a_third_of_all_requests_fails() {
    let talk = Talk::begin().await;
    let faults = talk.world.homeserver.faults();
    faults.fail_each(9, "", "/_matrix/client", Fault::AnswerLost, 12);
    faults.fail_each(6, "", "/_matrix/client", bad_gateway(), 12);
    faults.fail_each(6, "", "/_matrix/client", Fault::Drop, 12);
    let carol = talk.world.ircd.person("carol");
    carol.join("#rust");
    for number in 0..8 {
        talk.bob.say("#rust", &format!("bob {number}"));
        carol.say("#rust", &format!("carol {number}"));
    }
    // Bob's and carol's lines alternate, and so they do in the room.
    let wanted: Vec<String> = (0..8).flat_map(|n| [format!("bob {n}"), format!("carol {n}")]).collect();
    talk.world.homeserver.wait_message(&talk.room, "carol 7").await;
    let lines = talk.world.homeserver.timeline_lines(&talk.room);
    let heard: Vec<&String> = lines.iter().filter(|line| wanted.contains(line)).collect();
    assert_eq!(heard, wanted.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_homeserver_that_hangs_and_comes_back_gets_everything_once() {
    let talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", SEND, Fault::Hang, 1);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.say("line", 5);
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    talk.world.homeserver.stop();
    talk.say("later", 5);
    talk.world.homeserver.start_again().await;
    talk.world.homeserver.forget_transactions();
    talk.heard("line", 5).await;
    talk.heard("later", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_hangs_does_not_keep_the_bridge_from_stopping_and_starting() {
    let mut talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", SEND, Fault::Hang, 1);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.say("line", 3);
    // The first send hangs; the restart does not wait until its time is up.
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    talk.all_stored().await;
    talk.world.stop_bridge().await;
    talk.world.start_bridge().await;
    talk.heard("line", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_waits_is_delivered_after_a_restart_of_the_bridge() {
    let mut talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", SEND, bad_gateway(), 1_000);
    talk.say("line", 30);
    talk.all_stored().await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.heard("line", 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_answer_lost_before_a_restart_is_found_by_its_content_key() {
    let mut talk = Talk::begin().await;
    talk.world.homeserver.lose_echoes();
    let faults = talk.world.homeserver.faults();
    faults.fail("PUT", SEND, Fault::AnswerLost, 1);
    faults.fail("", "/_matrix/client", bad_gateway(), 1_000);
    talk.bob.say("#rust", "sent and not answered");
    talk.world.homeserver.wait_message(&talk.room, "sent and not answered").await;
    talk.world.stop_bridge().await;
    // Others talk meanwhile, more than what is searched.
    for number in 0..150 {
        talk.alice.send_text(&talk.room, &format!("alice {number}"));
    }
    talk.world.homeserver.forget_transactions();
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.world.ircd.wait_joined("#rust", "alice").await;
    talk.bob.say("#rust", "the next");
    talk.world.homeserver.wait_message(&talk.room, "the next").await;
    let lines = talk.world.homeserver.timeline_lines(&talk.room);
    assert_eq!(lines.iter().filter(|line| *line == "sent and not answered").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_answer_lost_before_a_restart_is_found_in_a_control_room_that_its_user_made() {
    let mut world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    world.homeserver.lose_echoes();
    let faults = world.homeserver.faults();
    faults.fail("PUT", SEND, Fault::AnswerLost, 1);
    faults.fail("", "/_matrix/client", bad_gateway(), 1_000);
    alice.send_text(&control, "status");
    let is_answer = |body: &str| body.contains("no network yet");
    world.homeserver.wait_event(&control, |event| is_answer(event.body())).await;
    world.stop_bridge().await;
    world.homeserver.forget_transactions();
    world.homeserver.faults().clear();
    world.start_bridge().await;
    alice.send_text(&control, "nonsense");
    world
        .homeserver
        .wait_event(&control, |event| event.sender != alice.id() && event.body().contains("nonsense"))
        .await;
    let bodies = world.homeserver.timeline_bodies(&control);
    assert_eq!(bodies.iter().filter(|body| is_answer(body)).count(), 1, "{bodies:?}");
}

#[rstest::rstest]
#[case::too_large(Fault::Status(413, json!({ "errcode": "M_TOO_LARGE", "error": "event too large" })))]
#[case::too_large_for_a_proxy(Fault::Status(413, json!("<html>Request Entity Too Large</html>")))]
#[case::not_understood(Fault::Status(400, json!({ "errcode": "M_BAD_JSON", "error": "no" })))]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_for_good_stops_nothing_behind_it(#[case] fault: Fault) {
    let talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", SEND, fault, 1);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.bob.say("#rust", "refused");
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    talk.say("line", 4);
    talk.heard("line", 4).await;
    assert!(!talk.world.homeserver.timeline_lines(&talk.room).contains(&"refused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_the_owner_has_kicked_comes_back_when_it_speaks() {
    let talk = Talk::begin().await;
    let ghost = "@irc_fake_bob:test.local";
    talk.alice.kick(&talk.room, ghost, "out").unwrap();
    talk.bob.say("#rust", "here I am");
    talk.world.homeserver.wait_message(&talk.room, "here I am").await;
    // A banned one does not; and the others speak on.
    talk.alice.ban(&talk.room, ghost).unwrap();
    let carol = talk.world.ircd.person("carol");
    carol.join("#rust");
    talk.bob.say("#rust", "banned");
    carol.say("#rust", "not banned");
    talk.world.homeserver.wait_message(&talk.room, "not banned").await;
    let lines = talk.world.homeserver.timeline_lines(&talk.room);
    assert!(!lines.contains(&"banned".to_owned()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_the_homeserver_has_forgotten_is_registered_again() {
    let talk = Talk::begin().await;
    let why = "Application service has not registered this user (@irc_fake_bob:test.local)";
    let forgotten = Fault::Status(403, json!({ "errcode": "M_FORBIDDEN", "error": why }));
    let before = talk.world.homeserver.requests("POST", "/register");
    talk.world.homeserver.faults().fail("PUT", SEND, forgotten, 1);
    talk.bob.say("#rust", "who am I");
    talk.world.homeserver.wait_message(&talk.room, "who am I").await;
    assert!(talk.world.homeserver.requests("POST", "/register") > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_a_ghost_that_leaves_before_its_words_are_delivered_speaks_and_goes() {
    let talk = Talk::begin().await;
    let carol = talk.world.ircd.person("carol");
    let ghost = "@irc_fake_carol:test.local";
    // Her words wait, as does her ghost, which has never been here, nor is brought in before she speaks.
    talk.world.homeserver.faults().fail("POST", "/register", bad_gateway(), 2);
    carol.join("#rust");
    carol.say("#rust", "my first and last words");
    carol.quit("gone");
    talk.world.homeserver.wait_message(&talk.room, "my first and last words").await;
    talk.world.homeserver.wait_member(&talk.room, ghost, "leave").await;
    // And bob, whose ghost is here, with a backlog.
    talk.world.homeserver.faults().fail("PUT", SEND, bad_gateway(), 2);
    talk.say("backlog", 10);
    talk.bob.part("#rust", "bye");
    talk.heard("backlog", 10).await;
    talk.world.homeserver.wait_member(&talk.room, "@irc_fake_bob:test.local", "leave").await;
    let left = talk.world.homeserver.state(&talk.room, "m.room.member", "@irc_fake_bob:test.local");
    assert_eq!(left["reason"], "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_departure_that_fails_is_made_again() {
    let talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", "m.room.member", bad_gateway(), 2);
    talk.bob.part("#rust", "bye");
    talk.world.homeserver.wait_member(&talk.room, "@irc_fake_bob:test.local", "leave").await;
    // Clients show an id for whoever has gone without a name.
    let left = talk.world.homeserver.state(&talk.room, "m.room.member", "@irc_fake_bob:test.local");
    assert_eq!((&left["displayname"], &left["reason"]), (&json!("bob"), &json!("bye")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_refuses_a_departure_by_name_is_asked_without() {
    let talk = Talk::begin().await;
    let refused: Value = json!({ "errcode": "M_FORBIDDEN", "error": "Use the call that is made for it" });
    talk.world.homeserver.faults().fail("PUT", "m.room.member", Fault::Status(403, refused), 1);
    talk.bob.part("#rust", "bye");
    talk.world.homeserver.wait_member(&talk.room, "@irc_fake_bob:test.local", "leave").await;
    let left = talk.world.homeserver.state(&talk.room, "m.room.member", "@irc_fake_bob:test.local");
    assert_eq!(left["reason"], "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_fails_is_made_again() {
    let talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("POST", "/receipt/", bad_gateway(), 2);
    let said = talk.alice.send_text(&talk.room, "read this");
    talk.world.homeserver.wait_receipt(&talk.room, &talk.world.homeserver.bot(), &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_that_is_refused_costs_no_message() {
    let talk = Talk::begin().await;
    let refused: Value = json!({ "errcode": "M_UNKNOWN", "error": "Displayname is too long (max 256)" });
    talk.world.homeserver.faults().fail("PUT", "/displayname", Fault::Status(400, refused), 1);
    let carol = talk.world.ircd.person("carol");
    carol.join("#rust");
    carol.say("#rust", "nameless");
    talk.world.homeserver.wait_message(&talk.room, "nameless").await;
}
