//! Operators' ranks before their ghosts' names, where that is wanted.

use std::time::Duration;

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, TestUser};
use crate::support::ircd::Person;

const BOB: &str = "@irc_fake_bob:test.local";
const CAROL: &str = "@irc_fake_carol:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice in #rust, of which bob is an operator, and carol is not.
struct Scene {
    world: World,
    alice: TestUser,
    control: String,
    room: String,
    bob: Person,
    carol: Person,
}

impl Scene {
    async fn begin() -> Self {
        let world = World::start().await;
        let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
        bob.join("#rust");
        carol.join("#rust");
        let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
        for ghost in [BOB, CAROL] {
            world.homeserver.wait_member(&room, ghost, "join").await;
        }
        Self { world, alice, control, room, bob, carol }
    }

    async fn set(&self, value: &str) {
        let room = &self.control;
        let events = self.world.homeserver.events(room);
        let before: Vec<String> = events.into_iter().map(|event| event.event_id).collect();
        self.alice.send_text(room, &format!("set ranks {value}"));
        let told = format!("ranks {value} for you");
        let told = |event: &Event| says(&told)(event) && !before.contains(&event.event_id);
        self.world.homeserver.wait_event(room, told).await;
    }

    /// Waits until somebody has this name in the room.
    async fn named(&self, ghost: &str, name: &str) {
        let is_it = |event: &Event| {
            event.kind == "m.room.member"
                && event.state_key.as_deref() == Some(ghost)
                && event.content["displayname"] == name
        };
        loop {
            let events = self.world.homeserver.events(&self.room).into_iter();
            let before: Vec<String> = events.filter(is_it).map(|event| event.event_id).collect();
            if self.name(ghost) == name {
                return;
            }
            let is_new = |event: &Event| is_it(event) && !before.contains(&event.event_id);
            self.world.homeserver.wait_event(&self.room, is_new).await;
        }
    }

    fn name(&self, ghost: &str) -> String {
        let member = self.world.homeserver.state(&self.room, "m.room.member", ghost);
        member["displayname"].as_str().unwrap_or_default().to_owned()
    }

    /// How often somebody's membership of the room was said.
    fn memberships(&self, ghost: &str) -> usize {
        let events = self.world.homeserver.events(&self.room).into_iter();
        events
            .filter(|event| event.kind == "m.room.member" && event.state_key.as_deref() == Some(ghost))
            .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_name_shows_their_rank_where_it_is_wanted_and_gives_them_no_power() {
    let mut scene = Scene::begin().await;
    scene.set("name").await;
    scene.named(BOB, "@bob").await;
    assert_eq!(scene.name(CAROL), "carol");
    assert_eq!(scene.world.homeserver.displayname(BOB).as_deref(), Some("bob"), "elsewhere as before");
    let powers = scene.world.homeserver.state(&scene.room, "m.room.power_levels", "");
    assert!(powers["users"].get(BOB).is_none(), "{powers}");
    scene.bob.mode("#rust", "+v carol");
    scene.bob.mode("#rust", "+h carol");
    scene.named(CAROL, "%carol").await;
    scene.bob.mode("#rust", "-h carol");
    scene.named(CAROL, "carol").await;
    // Nothing is done at a line.
    let before = scene.memberships(BOB);
    for number in 0..5 {
        let line = format!("line {number}");
        scene.bob.say("#rust", &line);
        scene.world.homeserver.wait_message(&scene.room, &line).await;
    }
    // Who comes later has it, too, and who takes another nick.
    let dave = scene.world.ircd.person("dave");
    dave.join("#rust");
    scene.bob.mode("#rust", "+o dave");
    scene.named("@irc_fake_dave:test.local", "@dave").await;
    dave.nick("erin");
    scene.named("@irc_fake_erin:test.local", "@erin").await;

    // After a restart only the difference is made.
    scene.world.stop_bridge().await;
    scene.bob.mode("#rust", "+o carol");
    scene.world.start_bridge().await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    scene.named(CAROL, "@carol").await;
    assert_eq!(scene.memberships(BOB), before);
    scene.set("none").await;
    scene.named(BOB, "bob").await;
    scene.named(CAROL, "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_ranks_is_folded_and_a_netsplit_changes_no_name() {
    let scene = Scene::begin().await;
    scene.set("name").await;
    scene.named(BOB, "@bob").await;
    let before = scene.memberships(CAROL);
    for _ in 0..20 {
        scene.bob.mode("#rust", "+o carol");
        scene.bob.mode("#rust", "-o carol");
    }
    scene.bob.mode("#rust", "+o carol");
    scene.named(CAROL, "@carol").await;
    assert!(scene.memberships(CAROL) - before < 10, "{} of 41", scene.memberships(CAROL) - before);
    // Bob is not there just now, and the ranks of others change meanwhile.
    let before = scene.memberships(BOB);
    scene.world.ircd.split(&["bob"], "hub.fake leaf.fake");
    scene.carol.mode("#rust", "-o carol");
    scene.named(CAROL, "carol").await;
    assert_eq!((scene.name(BOB).as_str(), scene.memberships(BOB)), ("@bob", before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_gets_another_name_shows_its_rank_before_that() {
    let scene = Scene::begin().await;
    scene.set("name").await;
    scene.named(BOB, "@bob").await;
    scene.world.ircd.set_account("bob", "robert");
    scene.bob.say("#rust", "it is me, Robert");
    scene.named(BOB, "@bob (robert)").await;
    assert_eq!(scene.world.homeserver.displayname(BOB).as_deref(), Some("bob (robert)"));
}

/// Before, the old name with the rank took the new one's place, until the rank was another.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_gets_another_name_while_its_rank_is_shown_keeps_that_name() {
    let scene = Scene::begin().await;
    let path = format!("{}/state/m.room.member/{BOB}", scene.room);
    let asked = scene.world.homeserver.requests("GET", &path);
    let late = Fault::Late(Duration::from_secs(3));
    scene.world.homeserver.faults().fail("GET", &path, late, 1);
    scene.set("name").await;
    scene.world.homeserver.wait_requests("GET", &path, asked + 1).await;
    scene.world.ircd.set_account("bob", "robert");
    scene.bob.say("#rust", "it is me, Robert");
    scene.named(BOB, "bob (robert)").await;
    scene.named(BOB, "@bob (robert)").await;
    assert_eq!(scene.name(BOB), "@bob (robert)");
}

/// Before, the old name took the new one's place, and nothing was left that would mend it.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_gets_another_name_while_its_rank_is_taken_keeps_that_name() {
    let scene = Scene::begin().await;
    scene.set("name").await;
    scene.named(BOB, "@bob").await;
    let path = format!("{}/state/m.room.member/{BOB}", scene.room);
    let asked = scene.world.homeserver.requests("GET", &path);
    let late = Fault::Late(Duration::from_secs(3));
    scene.world.homeserver.faults().fail("GET", &path, late, 1);
    let before: Vec<String> =
        scene.world.homeserver.events(&scene.room).into_iter().map(|event| event.event_id).collect();
    scene.set("none").await;
    scene.world.homeserver.wait_requests("GET", &path, asked + 1).await;
    scene.world.ircd.set_account("bob", "robert");
    scene.bob.say("#rust", "it is me, Robert");
    let taken = |event: &Event| {
        event.kind == "m.room.member"
            && event.content["displayname"] == "bob"
            && !before.contains(&event.event_id)
    };
    scene.world.homeserver.wait_event(&scene.room, taken).await;
    scene.named(BOB, "bob (robert)").await;
}

/// Before, the name that was kept over a netsplit was whoever's who took the nick.
#[rstest]
#[case::who_joins(false)]
#[case::who_takes_the_nick(true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_rank_that_is_kept_over_a_netsplit_is_not_worn_by_another(#[case] renames: bool) {
    let scene = Scene::begin().await;
    scene.set("name").await;
    scene.named(BOB, "@bob").await;
    scene.world.ircd.split(&["bob"], "hub.fake leaf.fake");
    let other = if renames { None } else { Some(scene.world.ircd.person("bob")) };
    match &other {
        Some(other) => other.join("#rust"),
        None => scene.carol.nick("bob"),
    }
    scene.named(BOB, "bob").await;
}
