//! Answers, threads and slash commands: what a room knows of them, and how IRC is told where it has no such thing.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{Fault, TestUser};
use crate::support::ircd::{Options, Person};

/// Alice and Bob in `#rust`.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
}

impl Scene {
    async fn begin(options: Options) -> Self {
        let world = World::builder().ircd(options).start().await;
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
        Self { world, alice, bob, room }
    }

    async fn settled(&self, event: &str) {
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), event).await;
    }

    async fn say(&self, text: &str) -> String {
        let event = self.alice.send_text(&self.room, text);
        self.settled(&event).await;
        event
    }

    async fn reply(&self, to: &str, text: &str) {
        let event = self.alice.reply(&self.room, to, text);
        self.settled(&event).await;
    }

    async fn in_thread(&self, root: &str, text: &str) {
        let relation = json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": true,
            "m.in_reply_to": { "event_id": root } });
        let content = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relation });
        let event = self.alice.send(&self.room, "m.room.message", content);
        self.settled(&event).await;
    }

    /// What bob says, once its event is known to the store.
    async fn bob_says(&self, text: &str) -> String {
        self.bob.say("#rust", text);
        let event = self.world.homeserver.wait_message(&self.room, &text.replace('\u{2}', "")).await;
        self.world.wait_outbox_empty().await;
        event.event_id
    }

    fn heard(&self) -> Vec<String> {
        let said = self.bob.messages("#rust").into_iter();
        said.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }
}

/// A server without ids, so that nothing can be shown but by words.
fn plain() -> Options {
    Options::default().without(&["message-tags"])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_last_words_of_somebody_begins_with_their_nick() {
    let scene = Scene::begin(plain()).await;
    let question = scene.bob_says("who is there?").await;
    scene.reply(&question, "me").await;
    scene.reply(&question, "bob: still me").await;
    let own = scene.say("I am tired").await;
    scene.reply(&own, "and hungry").await;
    assert_eq!(scene.heard(), ["bob: me", "bob: still me", "I am tired", "and hungry"]);
}

/// Before, it was said to nobody: the store knows a line's event only from the homeserver's answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_words_whose_sending_the_homeserver_has_not_answered_is_to_the_one_who_said_them() {
    let scene = Scene::begin(plain()).await;
    scene.bob_says("hello").await;
    let sends = format!("/rooms/{}/send/m.room.message", scene.room);
    scene.world.homeserver.faults().fail("PUT", &sends, Fault::Unanswered, 1);
    scene.bob.say("#rust", "who is there?");
    let question = scene.world.homeserver.wait_message(&scene.room, "who is there?").await.event_id;
    scene.reply(&question, "me").await;
    assert_eq!(scene.heard(), ["bob: me"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_earlier_words_quotes_them() {
    let scene = Scene::begin(plain()).await;
    let question = scene.bob_says("shall we \u{2}meet\u{2} on tuesday?").await;
    let own = scene.say("hm").await;
    scene.bob_says("or on wednesday?").await;
    scene.say("I don't know").await;
    scene.reply(&question, "yes").await;
    scene.reply(&own, "that was a sigh").await;
    let heard = scene.heard();
    assert_eq!(heard[2], "bob: \"shall we meet on tuesday?\" <- yes");
    assert_eq!(heard[3], "\"hm\" <- that was a sigh");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_or_to_somebody_who_left_quotes() {
    let scene = Scene::begin(plain()).await;
    let carol = scene.world.ircd.person("carol");
    carol.join("#rust");
    carol.say("#rust", "I am off");
    let off = scene.world.homeserver.wait_message(&scene.room, "I am off").await.event_id;
    let question = scene.bob_says("who is there?").await;
    carol.part("#rust", "");
    scene.world.ircd.wait_parted("#rust", "carol").await;
    scene.bob_says("who is left?").await;
    scene.reply(&off, "bye").await;
    scene.world.pass("alice", Duration::from_mins(11)).await;
    scene.reply(&question, "me").await;
    let heard = scene.heard();
    assert_eq!(heard, ["carol: \"I am off\" <- bye", "bob: \"who is there?\" <- me"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_irc_has_not_seen_shows_nothing_of_it() {
    let scene = Scene::begin(plain()).await;
    let eve = scene.world.homeserver.user("eve");
    scene.alice.invite(&scene.room, eve.id());
    eve.join(&scene.room).await;
    let secret = eve.send_text(&scene.room, "a secret of the room");
    let fallback = "> <@eve:test.local> a secret of the room\n\nI know";
    scene.reply(&secret, fallback).await;
    scene.reply("$unknown", "what").await;
    assert_eq!(scene.heard(), ["I know", "what"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_only_operators_heard_does_not_quote_it_to_all() {
    let scene = Scene::begin(plain()).await;
    scene.bob.mode("#rust", "+o alice");
    scene.bob.say("@#rust", "psst");
    let secret = scene.world.homeserver.wait_message(&scene.room, "[to @] psst").await.event_id;
    scene.world.wait_outbox_empty().await;
    scene.bob_says("hello all").await;
    scene.reply(&secret, "I know").await;
    scene.world.pass("alice", Duration::from_mins(11)).await;
    scene.reply(&secret, "I knew").await;
    assert_eq!(scene.heard(), ["bob: I know", "bob: I knew"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_words_that_the_server_refused_does_not_quote_them() {
    let scene = Scene::begin(plain()).await;
    scene.bob.mode("#rust", "+m");
    scene.world.ircd.moderate("#rust");
    let refused = scene.alice.send_text(&scene.room, "a rude word");
    scene.world.homeserver.wait_event(&scene.room, |one| one.body().contains("did not arrive")).await;
    scene.bob.mode("#rust", "+v alice");
    scene.world.pass("alice", Duration::from_secs(1)).await;
    scene.say("hello").await;
    scene.reply(&refused, "sorry").await;
    assert_eq!(scene.heard(), ["hello", "sorry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_of_two_needs_no_nicks() {
    let world = World::builder().ircd(plain()).start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "tea?");
    let invite = world.homeserver.wait_invite(alice.id()).await;
    let room = alice.join(&invite).await;
    let question = world.homeserver.wait_message(&room, "tea?").await.event_id;
    world.wait_outbox_empty().await;
    alice.reply(&room, &question, "yes");
    bob.wait_text("yes").await;
    bob.say("alice", "or coffee?");
    world.homeserver.wait_message(&room, "or coffee?").await;
    alice.reply(&room, &question, "green tea");
    bob.wait_text("\"tea?\" <- green tea").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_shows_once_what_it_is_about() {
    let scene = Scene::begin(plain()).await;
    let root = scene.bob_says("let us plan the party").await;
    scene.bob_says("or not").await;
    scene.in_thread(&root, "I bring cake").await;
    scene.say("elsewhere").await;
    scene.in_thread(&root, "and tea").await;
    scene.world.pass("alice", Duration::from_mins(11)).await;
    scene.in_thread(&root, "and candles").await;
    let quoted = |text: &str| format!("bob: \"let us plan the party\" <- {text}");
    let expected = [quoted("I bring cake"), "elsewhere".into(), "and tea".into(), quoted("and candles")];
    assert_eq!(scene.heard(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_names_its_root_where_the_network_has_replies() {
    let scene = Scene::begin(Options::with_history()).await;
    let root = scene.bob_says("let us plan the party").await;
    let msgid = scene.world.ircd.wait_msgid("let us plan").await;
    scene.in_thread(&root, "I bring cake").await;
    scene.in_thread(&root, "and tea").await;
    let lines = scene.world.ircd.lines_from("alice");
    let tagged =
        |text: &str| lines.iter().find(|line| line.ends_with(text)).unwrap().contains("+draft/reply=");
    assert!(tagged("I bring cake") && !tagged("and tea"), "{msgid}: {lines:?}");
    assert_eq!(scene.heard(), ["I bring cake", "and tea"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_answer_keeps_to_its_words() {
    let scene = Scene::begin(plain()).await;
    let question = scene.bob_says("who is there?").await;
    let answer = scene.alice.reply(&scene.room, &question, "it is only meh");
    scene.settled(&answer).await;
    let edit = scene.alice.edit(&scene.room, &answer, "it is only me");
    scene.settled(&edit).await;
    assert_eq!(scene.heard(), ["bob: it is only meh", "s/meh/me/"]);
}

#[rstest]
#[case::action("/me waves", "\u{1}ACTION waves\u{1}")]
#[case::text("/say hello", "hello")]
#[case::escaped("//join #rust", "/join #rust")]
#[case::path("/usr/bin/env", "/usr/bin/env")]
#[case::colon(":x", ":x")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_with_a_slash_is_what_an_irc_user_means(#[case] typed: &str, #[case] heard: &str) {
    let scene = Scene::begin(plain()).await;
    scene.say(typed).await;
    assert_eq!(scene.heard(), [heard]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_typed_is_a_notice() {
    let scene = Scene::begin(plain()).await;
    scene.alice.send_text(&scene.room, "/notice look out");
    assert_eq!(scene.bob.wait_text("look out").await.command, "NOTICE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_command_of_irc_programs_reaches_nobody() {
    let scene = Scene::begin(plain()).await;
    let event = scene.alice.send_text(&scene.room, "/msg NickServ identify hunter2");
    let answer =
        scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("was not sent")).await;
    assert!(answer.body().contains("!irc msg NickServ TEXT"), "{}", answer.body());
    let gone = event.clone();
    scene.world.homeserver.wait_event(&scene.room, move |one| one.redacts.as_deref() == Some(&gone)).await;
    scene.alice.edit(&scene.room, &event, "/ns identify hunter2");
    scene.say("after").await;
    assert_eq!(scene.heard(), ["after"]);
    assert!(!scene.world.ircd.lines_from("alice").iter().any(|line| line.contains("hunter2")));
}
