//! Edits of what the user said: what is told of them on IRC, and that what has not left goes as it is now.

use std::time::Duration;

use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{Options, Person};

/// Alice and Bob in `#rust`.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    room: String,
}

impl Scene {
    async fn begin() -> Self {
        Self::of(World::builder().start().await).await
    }

    async fn of(world: World) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
        Self { world, alice, bob, control, room }
    }

    async fn settled(&self, event: &str) {
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), event).await;
    }

    /// Says something that arrives.
    async fn say(&self, text: &str) -> String {
        let event = self.alice.send_text(&self.room, text);
        self.settled(&event).await;
        event
    }

    async fn edit(&self, event: &str, text: &str) -> String {
        let edit = self.alice.edit(&self.room, event, text);
        self.settled(&edit).await;
        edit
    }

    async fn set(&self, setting: &str) {
        self.alice.send_text(&self.control, &format!("set {setting}"));
        let answer = format!("{setting} for you, on all networks.");
        self.world.homeserver.wait_message(&self.control, &answer).await;
    }

    /// All that bob has heard of alice.
    fn heard(&self) -> Vec<String> {
        let said = self.bob.messages("#rust").into_iter();
        said.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }

    async fn kept(&self) -> Vec<String> {
        self.world.database().texts("SELECT text FROM history WHERE direction = 'out' ORDER BY id").await
    }

    async fn wait_taken_back(&self, room: &str, event: &str) {
        self.world.homeserver.wait_event(room, |one| one.redacts.as_deref() == Some(event)).await;
    }

    /// What the bridge has told in the room.
    fn told(&self) -> Vec<Event> {
        let bot = self.world.homeserver.bot();
        let events = self.world.homeserver.events(&self.room).into_iter();
        events.filter(|event| event.sender == bot && event.kind == "m.room.message").collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_edit_of_the_last_message_is_told_as_the_user_likes() {
    let scene = Scene::begin().await;
    let event = scene.say("I saw teh cat").await;
    scene.edit(&event, "I saw the cat").await;
    scene.edit(&event, "I saw the  cat").await;
    scene.set("edits word").await;
    scene.edit(&event, "I saw the dog").await;
    scene.set("edits full").await;
    scene.edit(&event, "I saw the frog").await;
    let heard = ["I saw teh cat", "s/teh/the/", "* dog", "* I saw the frog"];
    assert_eq!(scene.heard(), heard);
    assert_eq!(scene.kept().await, heard, "the history has what others saw");
    assert!(scene.told().is_empty(), "{:?}", scene.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_earlier_message_says_the_new_text() {
    let scene = Scene::begin().await;
    let first = scene.say("teh first").await;
    let last = scene.say("and this is the last").await;
    scene.edit(&first, "the first").await;
    scene.edit(&first, "the first").await;
    scene.edit(&last, "and this is the latest").await;
    assert_eq!(scene.heard(), ["teh first", "and this is the last", "(edited) the first", "s/last/latest/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_after_a_restart_says_the_new_text_or_nothing() {
    let mut scene = Scene::begin().await;
    let event = scene.say("teh cat").await;
    scene.world.stop_bridge().await;
    scene.world.start_bridge().await;
    scene.world.ircd.wait_registered("alice").await;
    scene.edit(&event, "teh cat").await;
    scene.edit(&event, "the cat").await;
    assert_eq!(scene.heard(), ["teh cat", "(edited) the cat"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_several_lines_says_those_that_changed() {
    let scene = Scene::begin().await;
    let event = scene.say("one\ntwo\nthree").await;
    scene.edit(&event, "one\ntwo and a half\nthree\nfour").await;
    assert_eq!(scene.heard(), ["one", "two", "three", "* two and a half", "* four"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_action_is_corrected_in_words() {
    let scene = Scene::begin().await;
    let event = scene.alice.send(
        &scene.room,
        "m.room.message",
        json!({ "msgtype": "m.emote", "body": "waves at teh crowd" }),
    );
    scene.settled(&event).await;
    let edited = json!({ "msgtype": "m.emote", "body": "* waves at the crowd",
        "m.new_content": { "msgtype": "m.emote", "body": "waves at the crowd" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event } });
    let edit = scene.alice.send(&scene.room, "m.room.message", edited);
    scene.settled(&edit).await;
    assert_eq!(scene.heard(), ["\u{1}ACTION waves at teh crowd\u{1}", "s/teh/the/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_edit_of_what_waits_for_the_connection_goes_in_its_place() {
    let mut scene = Scene::begin().await;
    scene.say("before").await;
    scene.world.lose_connection().await;
    let first = scene.alice.send_text(&scene.room, "teh first");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("waits")).await;
    scene.alice.send_text(&scene.room, "the second");
    scene.alice.edit(&scene.room, &first, "teh First");
    scene.alice.edit(&scene.room, &first, "the first");
    let last = scene.alice.send_text(&scene.room, "the third");
    scene.world.homeserver.wait_delivered().await;
    scene.world.ircd.welcome().await;
    scene.world.ircd.wait_registered("alice").await;
    scene.bob.wait_text("the third").await;
    scene.settled(&last).await;
    assert_eq!(scene.heard(), ["before", "the first", "the second", "the third"]);
    // Also where it is told that the message never went.
    scene.world.stop_bridge().await;
    assert_eq!(scene.kept().await, ["before", "the first", "the second", "the third"]);
}

impl Scene {
    /// Restarts a bridge that is not connected, and lets it connect when it has read what waits.
    async fn begin_anew(&mut self) {
        self.world.stop_bridge().await;
        self.world.start_bridge().await;
        // It stands behind all that waits.
        self.alice.send_text(&self.room, "!irc version");
        self.world.homeserver.wait_event(&self.room, |event| event.body().contains("Towline 0.")).await;
        self.world.ircd.welcome().await;
        self.alice.send_text(&self.room, "!irc connect");
    }

    /// What is said meanwhile comes to the bridge together, so that it has all of it before the first line leaves.
    fn together<T>(&self, say: impl FnOnce() -> T) -> T {
        self.world.homeserver.hold_transactions(true);
        let said = say();
        self.world.homeserver.hold_transactions(false);
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_edit_that_waits_over_a_restart_is_the_message() {
    let mut scene = Scene::begin().await;
    scene.world.lose_connection().await;
    let first = scene.alice.send_text(&scene.room, "teh first");
    scene.alice.send_text(&scene.room, "the second");
    scene.alice.edit(&scene.room, &first, "the first");
    scene.world.homeserver.wait_delivered().await;
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("waits")).await;
    scene.begin_anew().await;
    scene.bob.wait_text("the first").await;
    scene.say("the third").await;
    assert_eq!(scene.heard(), ["the first", "the second", "the third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_edited_while_it_waits_still_answers() {
    let mut scene =
        Scene::of(World::builder().ircd(Options::default().without(&["message-tags"])).start().await).await;
    scene.bob.say("#rust", "tea or coffee?");
    let question = scene.world.homeserver.wait_message(&scene.room, "tea or coffee?").await.event_id;
    scene.world.wait_outbox_empty().await;
    scene.world.lose_connection().await;
    let answer = scene.alice.reply(&scene.room, &question, "tae");
    scene.alice.edit(&scene.room, &answer, "tea");
    scene.world.homeserver.wait_delivered().await;
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("waits")).await;
    scene.begin_anew().await;
    scene.bob.wait_text("bob: tea").await;
    assert_eq!(scene.heard(), ["bob: tea"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_edited_in_front_of_flood_control_still_answers() {
    let world = World::builder().ircd(Options::default().without(&["message-tags"]));
    let scene = Scene::of(world.flood("{ burst: 3, interval_ms: 400 }").start().await).await;
    scene.bob.say("#rust", "tea or coffee?");
    let question = scene.world.homeserver.wait_message(&scene.room, "tea or coffee?").await.event_id;
    scene.world.wait_outbox_empty().await;
    let edit = scene.together(|| {
        for line in 1..6 {
            scene.alice.send_text(&scene.room, &format!("line {line}"));
        }
        let answer = scene.alice.reply(&scene.room, &question, "tae");
        scene.alice.edit(&scene.room, &answer, "tea")
    });
    scene.settled(&edit).await;
    assert_eq!(scene.heard().last().map(String::as_str), Some("bob: tea"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_edit_of_what_waits_for_flood_control_goes_in_its_place() {
    let scene = Scene::of(World::builder().flood("{ burst: 3, interval_ms: 400 }").start().await).await;
    let edit = scene.together(|| {
        for line in 1..6 {
            scene.alice.send_text(&scene.room, &format!("line {line}"));
        }
        let last = scene.alice.send_text(&scene.room, "teh end");
        scene.alice.edit(&scene.room, &last, "the end")
    });
    scene.settled(&edit).await;
    let heard = scene.heard();
    assert_eq!(heard.len(), 6, "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("the end"));
    assert_eq!(scene.kept().await, heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_what_did_not_arrive_is_said_as_it_is() {
    let scene = Scene::begin().await;
    scene.bob.mode("#rust", "+m");
    scene.world.ircd.moderate("#rust");
    let event = scene.alice.send_text(&scene.room, "teh cat");
    let answered = |one: &Event| one.body().contains("did not arrive");
    scene.world.homeserver.wait_event(&scene.room, answered).await;
    scene.bob.mode("#rust", "+v alice");
    scene.world.pass("alice", Duration::from_secs(1)).await;
    scene.edit(&event, "the cat").await;
    assert_eq!(scene.heard(), ["the cat"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_into_a_command_or_out_of_one_does_nothing_and_the_former_is_said() {
    let scene = Scene::begin().await;
    let event = scene.say("hello").await;
    let command = scene.alice.send_text(&scene.room, "!irc history 3");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("alice: hello")).await;
    let before = scene.told().len();
    let told_about = async |edited: &str| {
        let is_about = |one: &Event| {
            one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == edited
                && one.body().contains("I do nothing about what is edited. Type the command anew.")
        };
        scene.world.homeserver.wait_event(&scene.room, is_about).await;
    };
    scene.alice.edit(&scene.room, &event, "!irc part #rust");
    told_about(&event).await;
    scene.alice.edit(&scene.room, &command, "!irc part #rust");
    told_about(&command).await;
    scene.alice.edit(&scene.room, &command, "no command");
    scene.say("after").await;
    assert_eq!(scene.heard(), ["hello", "after"]);
    assert_eq!(scene.told().len(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_said_is_not_edited() {
    let scene = Scene::begin().await;
    scene.bob.say("#rust", "my own words");
    let event = scene.world.homeserver.wait_message(&scene.room, "my own words").await;
    scene.world.wait_outbox_empty().await;
    scene.alice.edit(&scene.room, &event.event_id, "other words");
    scene.say("after").await;
    assert_eq!(scene.heard(), ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_message_back_takes_its_edits_back() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let scene = Scene::of(World::builder().ircd(options).start().await).await;
    let event = scene.say("my secret is tea").await;
    scene.edit(&event, "my secret is coffee").await;
    let mut msgids = Vec::new();
    for text in ["my secret is tea", "s/tea/coffee/"] {
        msgids.push(scene.world.ircd.wait_msgid(text).await);
    }
    scene.alice.redact(&scene.room, &event).unwrap();
    for msgid in msgids {
        scene.world.ircd.wait_line(|_, line| line == format!("REDACT #rust {msgid}")).await;
    }
    scene.say("after").await;
    assert_eq!(scene.kept().await, ["", "", "after"]);
}

/// The edit took its place without being looked at.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_an_edit_of_what_waits_is_looked_at_like_a_message() {
    let scene = Scene::begin().await;
    scene.world.lose_connection().await;
    let event = scene.alice.send_text(&scene.room, "hello");
    let edit = scene.alice.edit(&scene.room, &event, "/msg NickServ identify hunter2");
    let is_told = |one: &Event| {
        one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event.as_str()
            && one.body().contains("was not sent")
    };
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    scene.wait_taken_back(&scene.room, &edit).await;
    scene.world.ircd.welcome().await;
    scene.alice.send_text(&scene.control, "connect");
    scene.world.ircd.wait_joined("#rust", "alice").await;
    scene.say("after").await;
    assert_eq!(scene.heard(), ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_in_an_edited_command_goes_from_the_room() {
    let scene = Scene::begin().await;
    for room in [&scene.room, &scene.control] {
        let prefix = if *room == scene.room { "!irc " } else { "" };
        let event = scene.alice.send_text(room, &format!("{prefix}sasl"));
        let edit = scene.alice.edit(room, &event, &format!("{prefix}sasl alice hunter2"));
        scene.wait_taken_back(room, &edit).await;
    }
}

/// Before, it stayed there where no word beside the command's own tells that it is a secret.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_key_in_an_edited_command_goes_from_the_room() {
    let scene = Scene::begin().await;
    for (room, before, after) in [
        (&scene.room, "!irc key", "!irc key sesame"),
        (&scene.room, "!irc key off", "!IRC Key sesame"),
        (&scene.control, "key #rust", "key #rust sesame"),
    ] {
        let event = scene.alice.send_text(room, before);
        let edit = scene.alice.edit(room, &event, after);
        scene.wait_taken_back(room, &edit).await;
    }
}
