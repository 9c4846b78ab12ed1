//! Which way a topic goes between a channel and its room.

use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

struct Topics {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
}

impl Topics {
    async fn start() -> Self {
        let world = World::start().await;
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
        Self { world, alice, bob, room }
    }

    async fn choose(&self, word: &str) {
        self.alice.send_text(&self.room, &format!("!irc set topic-sync {word}"));
        let answer = format!("topic-sync {word} for #rust");
        self.world.homeserver.wait_event(&self.room, |event| event.body().starts_with(&answer)).await;
    }

    /// Alice gives her room a topic.
    fn give(&self, topic: &str) {
        self.alice.send_state(&self.room, "m.room.topic", "", json!({ "topic": topic })).unwrap();
    }

    /// What was done until now has reached the other side.
    async fn settled(&self) {
        let marker = format!("marker {}", self.world.ircd.mark());
        self.alice.send_text(&self.room, &marker);
        self.bob.wait_text(&marker).await;
        self.bob.say("#rust", &format!("{marker} too"));
        self.world.homeserver.wait_message(&self.room, &format!("{marker} too")).await;
    }

    async fn is_shown(&self, topic: &str) {
        self.world.homeserver.wait_state(&self.room, "m.room.topic", "", |now| now["topic"] == topic).await;
    }

    fn shown(&self) -> String {
        let state = self.world.homeserver.state(&self.room, "m.room.topic", "");
        state["topic"].as_str().unwrap_or_default().to_owned()
    }

    async fn is_set(&self, topic: &str) {
        let line = format!("TOPIC #rust :{topic}");
        self.world.ircd.wait_line(|nick, sent| nick == "alice" && sent == line).await;
    }

    fn on_irc(&self) -> String {
        self.world.ircd.topic("#rust").unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_of_a_room_of_ones_own_goes_the_way_that_its_user_has_set() {
    let topics = Topics::start().await;
    // By itself it has IRC's, and what its owner does there stays there.
    topics.bob.topic("#rust", "one");
    topics.is_shown("one").await;
    topics.give("mine");
    let is_told = |event: &Event| {
        event.body().contains("Your topic is in this room alone") && event.body().contains("!irc topic TEXT")
    };
    topics.world.homeserver.wait_event(&topics.room, is_told).await;
    topics.settled().await;
    assert_eq!((topics.on_irc().as_str(), topics.shown().as_str()), ("one", "mine"));

    // Both ways: what the room has already is not shown once more.
    topics.choose("any").await;
    topics.give("tea & cake");
    topics.is_set("tea & cake").await;
    topics.settled().await;
    let is_it = |event: &Event| event.kind == "m.room.topic" && event.content["topic"] == "tea & cake";
    let events = topics.world.homeserver.events(&topics.room);
    assert_eq!(events.into_iter().filter(is_it).count(), 1);
    topics.bob.topic("#rust", "two");
    topics.is_shown("two").await;

    topics.choose("matrix").await;
    topics.bob.topic("#rust", "three");
    topics.settled().await;
    assert_eq!(topics.shown(), "two");
    topics.give("four");
    topics.is_set("four").await;

    topics.choose("off").await;
    topics.bob.topic("#rust", "five");
    topics.give("six");
    topics.settled().await;
    assert_eq!((topics.on_irc().as_str(), topics.shown().as_str()), ("five", "six"));
    // From now on it has IRC's, and not only from the next one on.
    topics.choose("irc").await;
    topics.is_shown("five").await;
    topics.give("seven");
    topics.settled().await;
    assert_eq!(topics.on_irc(), "five");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_irc_refuses_is_told_and_the_room_has_the_channels_again() {
    let topics = Topics::start().await;
    topics.bob.topic("#rust", "bob's");
    topics.is_shown("bob's").await;
    topics.bob.mode("#rust", "+t");
    topics.choose("any").await;
    topics.give("alice's");
    let network = topics.world.homeserver.room_named("FakeNet");
    let is_told = |event: &Event| {
        event.body().starts_with("Not done in #rust: what you did in its room")
            && event.body().contains("as before")
    };
    topics.world.homeserver.wait_event(&network, is_told).await;
    topics.is_shown("bob's").await;
    assert_eq!(topics.on_irc(), "bob's");
}
