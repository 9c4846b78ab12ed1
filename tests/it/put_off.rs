//! Messages that a server has not taken for now (439, 707), and that leave again when it will.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{Options, Person};

/// The server says nothing to messages but what a test has it say.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
}

impl Scene {
    async fn begin() -> Self {
        let world = World::builder().ircd(Options::with_history()).start().await;
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
        world.ircd.swallow_messages(true);
        Self { world, alice, bob, room }
    }

    /// Says something, and waits until its last line has left; gives the event and that line's label.
    async fn say(&self, text: &str) -> (String, String) {
        let event = self.alice.send_text(&self.room, text);
        (event, self.wait_left(text.lines().last().unwrap()).await)
    }

    async fn wait_left(&self, text: &str) -> String {
        let end = format!(" PRIVMSG #rust :{text}");
        let line = self.world.ircd.wait_line(|nick, line| nick == "alice" && line.ends_with(&end)).await;
        let line = line.line();
        let tags = line.strip_prefix('@').and_then(|line| line.split_once(' ')).expect("it has a label").0;
        let label = tags.split(';').find_map(|tag| tag.strip_prefix("label=")).expect("it has a label");
        label.to_owned()
    }

    /// The server's answer to the message of this label.
    fn answer(&self, label: &str, answer: &str) {
        self.world.ircd.send_raw("alice", format!("@label={label} :{answer}\r\n").as_bytes());
    }

    fn refuse(&self, label: &str) {
        self.answer(
            label,
            "fake.irc 439 alice #rust :Message target change too fast. Please wait 20 seconds.",
        );
    }

    /// Half a minute later, with a server that takes what is said: what bob hears up to a last word.
    async fn heard_later(&self) -> Vec<String> {
        // What the server has said by now was read when time goes by.
        self.world.pass("alice", Duration::ZERO).await;
        self.world.ircd.swallow_messages(false);
        self.world.pass("alice", Duration::from_secs(30)).await;
        let after = self.alice.send_text(&self.room, "after");
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), &after).await;
        let said = self.bob.messages("#rust").into_iter().filter(|(who, _)| who == "alice");
        said.map(|(_, text)| text).collect()
    }

    async fn kept(&self) -> Vec<String> {
        let lines = "SELECT text FROM history WHERE direction = 'out' ORDER BY id";
        self.world.database().texts(lines).await
    }

    async fn wait_stored(&self, what: &str, sql: &'static str, wanted: &[&str]) {
        self.world.database().wait(what, sql, |found| found == wanted).await;
    }

    fn answers(&self, event: &str) -> Vec<Event> {
        let events = self.world.homeserver.events(&self.room).into_iter();
        events.filter(answer_to(event)).collect()
    }
}

fn answer_to(event: &str) -> impl Fn(&Event) -> bool {
    move |one| one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_put_off_arrives_later_and_is_kept_once() {
    let scene = Scene::begin().await;
    let (event, label) = scene.say("one").await;
    scene.refuse(&label);
    assert_eq!(scene.heard_later().await, ["one", "after"]);
    assert_eq!(scene.kept().await, ["one", "after"]);
    assert_eq!(scene.answers(&event).len(), 0);
}

/// Before, what a server refused last of a message of several lines arrived by itself, though its sender had been told
/// that the message did not.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_rest_of_a_message_that_was_refused_does_not_arrive_later() {
    let scene = Scene::begin().await;
    let (event, _) = scene.say("one\ntwo\nthree").await;
    for text in ["one", "two", "three"] {
        let label = scene.wait_left(text).await;
        scene.refuse(&label);
    }
    let answer = scene.world.homeserver.wait_event(&scene.room, answer_to(&event)).await;
    assert!(answer.body().contains("did not arrive"), "{}", answer.body());
    assert_eq!(scene.heard_later().await, ["after"]);
    assert_eq!(scene.answers(&event).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_rest_of_a_message_that_has_arrived_in_part_is_told_and_not_sent_later() {
    let scene = Scene::begin().await;
    let (event, last) = scene.say("one\ntwo").await;
    let first = scene.wait_left("one").await;
    scene.answer(&first, "alice!alice@test PRIVMSG #rust :one");
    scene.refuse(&last);
    let answer = scene.world.homeserver.wait_event(&scene.room, answer_to(&event)).await;
    assert!(answer.body().contains("did not arrive"), "{}", answer.body());
    assert_eq!(scene.heard_later().await, ["after"]);
}

/// Before, what its author had deleted was sent once more, and kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_taken_back_on_its_way_does_not_leave_again() {
    let scene = Scene::begin().await;
    let (event, label) = scene.say("a secret").await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.wait_stored("the redaction is known", "SELECT state FROM irc_line", &["uncertain"]).await;
    scene.refuse(&label);
    assert_eq!(scene.heard_later().await, ["after"]);
    assert_eq!(scene.kept().await, ["after"]);
    assert_eq!(scene.answers(&event).len(), 0);
}

const HISTORY: &str = "SELECT text FROM history WHERE direction = 'out'";

/// Before, the history had it as said.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_stopped_or_taken_back_while_it_is_put_off_was_never_said() {
    for taken_back in [false, true] {
        let scene = Scene::begin().await;
        let (event, label) = scene.say("hello").await;
        scene.refuse(&label);
        // It is put off when what came after that is done.
        scene.world.ircd.send_line("alice", "NOTICE alice :now");
        scene.wait_stored("it was kept as it left", HISTORY, &["hello"]).await;
        let network = scene.world.homeserver.room_named("FakeNet");
        scene.world.homeserver.wait_event(&network, |event| event.body().contains("now")).await;
        if taken_back {
            scene.alice.redact(&scene.room, &event).unwrap();
        } else {
            scene.alice.send_text(&scene.room, "!irc stop");
        }
        scene.wait_stored("it is forgotten", HISTORY, &[]).await;
        assert_eq!(scene.heard_later().await, ["after"]);
    }
}
