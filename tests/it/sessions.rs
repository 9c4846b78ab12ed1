//! Several sessions of one user on one network: each has its own nick, rooms, settings and history.

use crate::support::bridge::{Builder, World, ask};
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

const WORK: &str = "FakeNet (work)";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice on the network twice, with her control room and the rooms of both sessions.
struct Twice {
    world: World,
    alice: TestUser,
    control: String,
    work: String,
}

impl Twice {
    async fn begin(builder: Builder) -> Self {
        let world = builder.start().await;
        let (alice, control, _) = world.connected_user("alice").await;
        ask(&world, &alice, &control, "open fake as Work", &format!("Connecting to {WORK}.")).await;
        let work = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
        world.ircd.wait_registered("alice_work").await;
        world.homeserver.wait_event(&work, says("Connected to")).await;
        Self { world, alice, control, work }
    }

    async fn ask(&self, typed: &str, words: &str) -> Event {
        ask(&self.world, &self.alice, &self.control, typed, words).await
    }

    async fn in_channel(&self, typed: &str, nick: &str) -> String {
        self.alice.send_text(&self.control, typed);
        self.world.ircd.wait_joined("#tea", nick).await;
        let room = self.world.homeserver.wait_invite(self.alice.id()).await;
        self.alice.join(&room).await
    }

    /// How often each room shows a line of somebody's.
    async fn shown(&self, by: &Person, line: &str, rooms: [&str; 2]) -> [usize; 2] {
        by.say("#tea", line);
        let mut counts = [0; 2];
        for (count, room) in counts.iter_mut().zip(rooms) {
            self.world.homeserver.wait_message(room, line).await;
            *count = self.world.homeserver.timeline_lines(room).iter().filter(|one| *one == line).count();
        }
        counts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_session_has_a_nick_rooms_and_settings_of_its_own_and_comes_back_after_a_restart() {
    let aliases = "templates: { alias: \"irc_{user}_{network}_{channel}\" }\n";
    let mut twice = Twice::begin(World::builder().config(aliases)).await;
    let bob = twice.world.ircd.person("bob");
    bob.join("#tea");
    assert_eq!(twice.world.homeserver.room_named(WORK), twice.work);
    let home = twice.in_channel("join fake #tea", "alice").await;
    let work = twice.in_channel("join fake/work #tea", "alice_work").await;
    assert_ne!(home, work);
    assert_eq!(twice.world.homeserver.room_named("#tea (FakeNet, work)"), work);
    // Each line once in each of the two rooms, and what is written in one of them is said by its session.
    assert_eq!(twice.shown(&bob, "hello both", [&home, &work]).await, [1, 1]);
    twice.alice.send_text(&work, "from work");
    let heard = bob.wait_text("from work").await;
    assert_eq!(heard.nick(), "alice_work");
    let said = twice.world.homeserver.wait_message(&home, "from work").await;
    assert_eq!(said.sender, "@irc_fake_alice_work:test.local");
    twice.world.wait_outbox_empty().await;
    for (alias, room) in [("fake", &home), ("fake=2fwork", &work)] {
        let alias = format!("#irc_alice_{alias}_=23tea:test.local");
        assert_eq!(twice.world.homeserver.alias(&alias).as_ref(), Some(room), "{alias}");
    }
    // What is set for one is not for the other.
    twice.ask("set fake as work comings show", "comings show for fake/work.").await;
    let other = twice.ask("set fake comings", "comings ").await;
    assert!(other.body().starts_with("comings hide (built in)"), "{}", other.body());
    let status = twice.ask("status", WORK).await;
    assert!(status.body().contains("alice_work") && status.body().contains("FakeNet "), "{}", status.body());
    twice.ask("networks", "open, open as work").await;
    // Searched everywhere, both have it, and it is said whose each is.
    let found = twice.ask("search hello both", "Found").await;
    assert!(found.body().contains("(fake)") && found.body().contains("(fake/work)"), "{}", found.body());
    let found = twice.ask("search in fake/work hello both", "Found").await;
    assert_eq!(found.body().matches("hello both").count(), 2, "the question and one line: {}", found.body());
    twice.ask("space fake/work", WORK).await;
    let space = twice.world.homeserver.wait_invite_to(twice.alice.id(), true).await;
    assert_eq!(twice.world.homeserver.state(&space, "m.room.name", "")["name"], WORK);

    twice.world.stop_bridge().await;
    twice.world.start_bridge().await;
    for nick in ["alice", "alice_work"] {
        twice.world.ircd.wait_joined("#tea", nick).await;
    }
    assert_eq!(twice.shown(&bob, "hello again", [&home, &work]).await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_is_disconnected_closed_forgotten_and_opened_again_by_itself() {
    let mut twice = Twice::begin(World::builder()).await;
    let (_admin, admins) = twice.world.user_with_control_room("admin").await;
    let bob = twice.world.ircd.person("bob");
    bob.join("#tea");
    let work = twice.in_channel("join fake as work #tea", "alice_work").await;
    bob.say("#tea", "kept at work");
    twice.world.homeserver.wait_message(&work, "kept at work").await;
    // A network alone is the session without a name; words that are no session are words.
    twice.alice.send_text(&twice.control, "disconnect fake as usual");
    twice.world.ircd.wait_line(|nick, line| nick == "alice" && line == "QUIT :as usual").await;
    twice.alice.send_text(&twice.control, "connect fake");
    twice.world.ircd.wait_registered("alice").await;
    let administrator = twice.world.homeserver.user("admin");
    ask(&twice.world, &administrator, &admins, "sessions", "fake/work").await;
    administrator.send_text(&admins, "session @alice:test.local fake/work disconnect maintenance");
    twice.world.ircd.wait_gone("alice_work").await;
    twice.alice.send_text(&twice.control, "open fake/work");
    twice.world.ircd.wait_registered("alice_work").await;
    twice.ask("open fake/home/work", "There is no network fake/home").await;
    twice.ask("open fake as büro", "can't be the name of a session").await;
    twice.ask("connect fake/home", "There is no session fake/home.").await;

    twice.ask("close fake as work", &format!("This disconnects you from {WORK}")).await;
    twice.ask("yes", &format!("you are no longer on {WORK}")).await;
    twice.world.ircd.wait_gone("alice_work").await;
    twice.world.homeserver.wait_member(&work, twice.alice.id(), "leave").await;
    // It stays closed over a restart, and what was said there is kept until it is forgotten.
    twice.world.stop_bridge().await;
    twice.world.start_bridge().await;
    twice.world.ircd.wait_registered("alice").await;
    twice.ask("forget fake", "all that is kept of FakeNet, for good").await;
    twice.ask("cancel", "forgetting FakeNet").await;
    twice.ask("forget fake as work", &format!("all that is kept of {WORK}, for good")).await;
    twice.ask("yes", &format!("of {WORK}, in 1 conversation, and what you had set there. What stands")).await;
    let kept = twice.world.database().texts("SELECT text FROM history WHERE text = 'kept at work'").await;
    assert!(kept.is_empty(), "{kept:?}");
    twice.ask("open fake as work", &format!("Connecting to {WORK}.")).await;
    twice.world.ircd.wait_registered("alice_work").await;
    let rows = twice.world.database().texts("SELECT name FROM session WHERE name <> ''").await;
    assert_eq!(rows, ["work"]);
}

/// Before, each name was one more session that was kept for good.
#[tokio::test(flavor = "multi_thread")]
async fn of_closed_sessions_so_many_are_kept_and_forgetting_one_makes_room_for_another() {
    let twice = Twice::begin(World::builder().config("limits: { closed_sessions: 1 }\n")).await;
    twice.ask("set fake as work comings show", "comings show for fake/work.").await;
    twice.ask("close fake as work confirm", &format!("you are no longer on {WORK}")).await;
    let told = "You have closed one network and kept what was said and set there, which is the most that this bridge \
                allows: fake/work. Open one of them again, or delete what you need no more, such as with forget fake/work.";
    twice.ask("open fake as third", told).await;
    // What is open or kept takes no more.
    twice.ask("open fake", "FakeNet is open already").await;
    twice.ask("open fake as work", &format!("Connecting to {WORK}.")).await;
    twice.ask("set fake as work comings", "comings show (set here)").await;
    twice.ask("close fake as work confirm", &format!("you are no longer on {WORK}")).await;
    let asked = format!(
        "all that is kept of {WORK}, for good, and what you have set there, since you have closed it."
    );
    twice.ask("forget fake as work", &asked).await;
    twice.ask("yes", &format!("Forgotten: 0 lines of {WORK}, and what you had set there.")).await;
    for (sql, left) in
        [("SELECT name FROM session", &[""][..]), ("SELECT scope_id FROM setting WHERE key = 'comings'", &[])]
    {
        assert_eq!(twice.world.database().texts(sql).await, left, "{sql}");
    }
    twice.ask("open fake as third", "Connecting to FakeNet (third).").await;
    twice.world.ircd.wait_registered("alice_third").await;
}

/// Before, who had many open could close them all.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_networks_are_closed_than_are_kept() {
    let twice = Twice::begin(World::builder().config("limits: { closed_sessions: 1 }\n")).await;
    twice.ask("close fake as work", "This disconnects you from").await;
    twice.ask("close fake as work confirm", &format!("you are no longer on {WORK}")).await;
    let told = "You have closed one network and kept what was said and set there, which is the most that this bridge \
                allows: fake/work. Before you close another, delete one that you need no more, such as with forget \
                fake/work. To be offline there until then, type disconnect fake.";
    for typed in ["close fake", "close fake confirm"] {
        twice.ask(typed, told).await;
    }
    twice.ask("forget fake as work confirm", "Forgotten").await;
    twice.ask("close fake confirm", "you are no longer on FakeNet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_everything_takes_closed_networks_along_and_keeps_what_is_set_on_open_ones() {
    let twice = Twice::begin(World::builder()).await;
    twice.ask("set fake comings show", "comings show for fake.").await;
    twice.in_channel("join fake as work #tea", "alice_work").await;
    twice.ask("close fake as work confirm", &format!("you are no longer on {WORK}")).await;
    let asked = "all that is kept of everything, for good, and what you have set on networks that you have closed: \
                 fake/work.";
    twice.ask("forget everything", asked).await;
    let gone = "of everything, in 1 conversation, and what you had set on the network that you have closed.";
    twice.ask("yes", gone).await;
    assert_eq!(twice.world.database().texts("SELECT name FROM session").await, [""]);
    twice.ask("set fake comings", "comings show (set here)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_counts_among_those_that_a_user_may_have() {
    let twice = Twice::begin(World::builder().config("limits: { sessions_per_user: 2 }\n")).await;
    twice.ask("open fake as third", "You have 2 networks open, the most that this bridge allows.").await;
    twice.ask("open fake as work", &format!("{WORK} is open already")).await;
}

/// A person is in a shared room once, whichever of their sessions stands there.
#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_a_user_has_stands_in_a_shared_room_and_the_other_keeps_its_own() {
    let shared = "templates: { shared_alias: \"irc_{network}_{channel}\" }\n";
    let world = World::builder().config(shared).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control) = world.user_with_control_room("alice").await;
    ask(&world, &alice, &control, "open fake as work", "Connecting to").await;
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_event(&network, says("Connected to")).await;
    let room = alice.join("#irc_fake_#tea:test.local").await;
    world.ircd.wait_joined("#tea", "alice_work").await;
    bob.say("#tea", "hello work");
    world.homeserver.wait_message(&room, "hello work").await;
    assert!(!world.ircd.nicks().contains(&"alice".to_owned()), "no other session was opened for it");

    ask(&world, &alice, &control, "open fake", "Connecting to FakeNet.").await;
    alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&control, "join fake #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    let own = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    bob.say("#tea", "hello twice");
    for place in [&room, &own] {
        world.homeserver.wait_message(place, "hello twice").await;
    }
    // What she writes in the shared room is said by the session that stands there.
    alice.send_text(&room, "from the shared room");
    let heard = bob.wait_text("from the shared room").await;
    assert_eq!(heard.nick(), "alice_work");
    world.homeserver.wait_message(&own, "from the shared room").await;
    world.wait_outbox_empty().await;
    let lines = world.homeserver.timeline_lines(&room);
    for line in ["hello work", "hello twice", "from the shared room"] {
        assert_eq!(lines.iter().filter(|one| *one == line).count(), 1, "{line}: {lines:?}");
    }
}

/// A ghost is of the network and not of a session: who is invited to a chat is spoken to by the session without a name; in a
/// session's own room it is that one. How another is spoken to is told where nobody else reads it: before, all in the chat
/// could read by which name its user is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_is_invited_is_spoken_to_by_the_session_without_a_name_or_by_that_of_the_room() {
    const BOB: &str = "@irc_fake_bob:test.local";
    let twice = Twice::begin(World::builder()).await;
    let bob = twice.world.ircd.person("bob");
    let chat = twice.alice.start_dm(BOB);
    let query = twice.world.homeserver.wait_invite(twice.alice.id()).await;
    twice.alice.join(&query).await;
    twice.world.homeserver.wait_member(&chat, BOB, "leave").await;
    let reason = twice.world.homeserver.state(&chat, "m.room.member", BOB)["reason"].clone();
    assert_eq!(reason, "The conversation with bob has a room of its own; see your invitations.");
    let told = "For one with your other name there, type query fake/work bob.";
    twice.world.homeserver.wait_event(&twice.control, |event| event.body().ends_with(told)).await;
    twice.alice.send_text(&query, "from home");
    assert_eq!(bob.wait_text("from home").await.nick(), "alice");

    let carol = twice.world.ircd.person("carol");
    carol.join("#tea");
    let work = twice.in_channel("join fake as work #tea", "alice_work").await;
    // The bridge knows by then which room that is.
    carol.say("#tea", "hello work");
    twice.world.homeserver.wait_message(&work, "hello work").await;
    twice.alice.invite(&work, BOB);
    let invited = bob.wait_heard(|heard| heard.command == "INVITE" && heard.text() == "#tea").await;
    assert_eq!(invited.nick(), "alice_work");
}
