//! Listeners: a session that hears the channels of shared rooms with few people, for those who are there.

use super::plumbing::{PUBLIC, mapping};
use super::*;

/// The listener's nick.
const LISTENER: &str = "admin_listen";

/// An administrator, with the room of a session of theirs that listens in rooms with fewer than two people, and bob, who is
/// in #tea.
struct Listened {
    world: World,
    admin: TestUser,
    network: String,
    bob: Person,
}

impl Listened {
    async fn begin(world: World) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#tea");
        let (admin, control, _) = world.greeted_user("admin").await;
        ask(&world, &admin, &control, "open fake as listen", "Connecting to FakeNet (listen).").await;
        let network = admin.join(&world.homeserver.wait_invite(admin.id()).await).await;
        world.homeserver.wait_event(&network, begins("Connected to")).await;
        ask(&world, &admin, &network, "listen 2", "fewer than 2 people").await;
        Self { world, admin, network, bob }
    }

    /// Somebody comes into the shared room, and their session into the channel.
    async fn enter(&self, name: &str) -> (TestUser, String) {
        let (user, _, _) = self.world.greeted_user(name).await;
        let room = user.join(ALIAS).await;
        self.world.ircd.wait_joined("#tea", name).await;
        (user, room)
    }

    async fn comes(&self) {
        self.world.ircd.wait_joined("#tea", LISTENER).await;
    }

    async fn goes(&self) {
        self.world.ircd.wait_parted("#tea", LISTENER).await;
    }

    fn is_there(&self) -> bool {
        self.world.ircd.names("#tea").iter().any(|nick| nick == LISTENER)
    }

    async fn says_and_shows(&self, room: &str, text: &str) {
        self.bob.say("#tea", text);
        self.world.homeserver.wait_message(room, text).await;
    }

    async fn type_there(&self, typed: &str, words: &str) {
        ask(&self.world, &self.admin, &self.network, typed, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_the_only_connection_is_away_is_shown_by_the_listener() {
    let listened = Listened::begin(world().start().await).await;
    let world = &listened.world;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    listened.says_and_shows(&room, "before").await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    listened.says_and_shows(&room, "while she is away").await;
    world.ircd.welcome().await;
    world.ircd.wait_joined("#tea", "alice").await;
    alice.send_text(&room, "here again");
    listened.bob.wait_text("here again").await;
    listened.says_and_shows(&room, "after").await;
    world.wait_outbox_empty().await;
    let shown = world.homeserver.timeline_lines(&room);
    assert_eq!(shown, ["before", "while she is away", "here again", "after"]);
    // It is nobody's place in the room, and nobody reads by it.
    let joined = world.homeserver.members(&room, "join");
    let here = [world.homeserver.bot(), alice.id().to_owned(), BOB.to_owned()];
    assert!(joined.iter().all(|user| here.contains(user)), "{joined:?}");
    listened.type_there("search away", "Nothing was found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_comes_where_few_are_and_goes_where_many_are_and_not_with_everyone() {
    let listened = Listened::begin(world().start().await).await;
    let world = &listened.world;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    let (carol, _) = listened.enter("carol").await;
    let (dave, _) = listened.enter("dave").await;
    // There were two, and it stayed.
    listened.goes().await;
    let parts = || world.ircd.lines_from(LISTENER).iter().filter(|line| line.starts_with("PART")).count();
    assert_eq!(parts(), 1);
    dave.leave(&room);
    world.ircd.wait_parted("#tea", "dave").await;
    carol.leave(&room);
    listened.comes().await;
    let joins = world.ircd.lines_from(LISTENER).iter().filter(|line| line.starts_with("JOIN")).count();
    assert_eq!((joins, parts()), (2, 1));
    // Nobody is left: the room is nobody's, and has no alias any more.
    alice.leave(&room);
    listened.goes().await;
    let aliased = "SELECT marker FROM room WHERE aliased";
    world.database().wait("the alias is gone", aliased, <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_there_before_shows_its_channel_also_where_nobody_has_a_connection() {
    let mut world = World::builder().without_bridge().await;
    let carol = world.homeserver.user("carol");
    let room = carol.create_room(&PUBLIC);
    world.plumb(&mapping("#tea", &room));
    world.start_bridge().await;
    let listened = Listened::begin(world).await;
    listened.comes().await;
    listened.says_and_shows(&room, "to all of you").await;
    // It says nothing, whatever people write.
    carol.send_text(&room, "to nobody");
    listened.says_and_shows(&room, "nothing came").await;
    listened.world.wait_outbox_empty().await;
    assert_eq!(listened.bob.messages("#tea").len(), 0);
    listened.type_there("listen", "#tea").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_has_put_the_listener_out_is_left_alone_for_a_day() {
    let world = world().stale_after(Duration::from_hours(48)).start().await;
    let listened = Listened::begin(world).await;
    let world = &listened.world;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    listened.bob.kick("#tea", LISTENER, "no bots");
    let told = |event: &Event| event.body().contains("does not listen in #tea");
    let alert = world.homeserver.wait_event(&listened.network, told).await;
    assert!(alert.body().contains("bob kicked you out of #tea: no bots"), "{}", alert.body());
    let (carol, _) = listened.enter("carol").await;
    carol.leave(&room);
    world.ircd.wait_parted("#tea", "carol").await;
    listened.type_there("listen", "no channel").await;
    assert!(!listened.is_there());
    // Nobody was taken out of the room for it.
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
    world.pass("alice", Duration::from_hours(25)).await;
    let (_, _) = listened.enter("dave").await;
    alice.leave(&room);
    listened.comes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_beside_a_relay() {
    let listened = Listened::begin(world().start().await).await;
    let world = &listened.world;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    listened.type_there("relay #tea", "goes there through FakeNet").await;
    world.homeserver.wait_event(&room, begins("From now on what people write here")).await;
    listened.type_there("listen", "no channel").await;
    assert!(listened.is_there(), "it is the relay");
    let mark = world.ircd.mark();
    listened.type_there("relay #tea off", "Nobody is relayed").await;
    for command in ["PART #tea", "JOIN #tea"] {
        let is_it = |nick: &str, line: &str| nick == LISTENER && line.starts_with(command);
        world.ircd.wait_line_after(mark, is_it).await;
    }
    listened.comes().await;
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_listens_after_a_restart_until_it_is_told_not_to() {
    let mut listened = Listened::begin(world().start().await).await;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    listened.world.stop_bridge().await;
    listened.world.start_bridge().await;
    listened.comes().await;
    listened.world.ircd.wait_joined("#tea", "alice").await;
    listened.type_there("listen off", "listens for nobody any more").await;
    listened.goes().await;
    listened.type_there("listen off", "does not listen for others").await;
    alice.send_text(&room, "still here");
    listened.bob.wait_text("still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_for_others_comes_into_the_room_for_themselves_by_their_other_session() {
    let listened = Listened::begin(world().start().await).await;
    let (_, room) = listened.enter("alice").await;
    listened.comes().await;
    assert_eq!(listened.admin.join(ALIAS).await, room);
    listened.world.ircd.wait_joined("#tea", "admin").await;
    // Else she is told that her message waits, where the bridge has not heard yet that she is in the channel.
    listened.world.pass("admin", Duration::ZERO).await;
    listened.admin.send_text(&room, "by myself");
    assert_eq!(listened.bob.wait_text("by myself").await.nick(), "admin");
    listened.says_and_shows(&room, "welcome").await;
    listened.world.wait_outbox_empty().await;
    assert_eq!(listened.world.homeserver.timeline_lines(&room), ["by myself", "welcome"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_listens_on_a_network_and_it_is_an_administrators() {
    let listened = Listened::begin(world().start().await).await;
    let (world, admin) = (&listened.world, &listened.admin);
    let own = world.homeserver.room_named("FakeNet");
    ask(world, admin, &own, "listen 3", "fake/listen of @admin:test.local listens there already").await;
    ask(world, admin, &own, "listen 0", "listen [NUMBER | off]").await;
    ask(world, admin, &own, "listen", "fake/listen").await;
    listened.type_there("listen 4", "fewer than 4 people").await;
}

/// Review of the listener, M2: a rank of the session that listens was its owner's in the room.
#[tokio::test(flavor = "multi_thread")]
async fn the_rank_of_a_listener_gives_nobody_power() {
    let listened = Listened::begin(world().start().await).await;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    listened.admin.join(ALIAS).await;
    listened.world.ircd.wait_joined("#tea", "admin").await;
    listened.bob.mode("#tea", "+o admin_listen");
    listened.bob.mode("#tea", "+o alice");
    let (operator, owner) = (alice.id().to_owned(), listened.admin.id().to_owned());
    let is_operator = |levels: &serde_json::Value| levels["users"][&operator] == 50;
    let homeserver = &listened.world.homeserver;
    homeserver.wait_state(&room, "m.room.power_levels", "", is_operator).await;
    let has_power = |levels: &serde_json::Value| levels["users"][&owner] == 50;
    listened.says_and_shows(&room, "told").await;
    listened.world.wait_outbox_empty().await;
    let now = homeserver.wait_state(&room, "m.room.power_levels", "", is_operator).await;
    assert!(!has_power(&now), "{now}");
}

/// Review, M5: who had no connection for a quarter of an hour was taken out, since the listener showed the channel.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_alone_in_a_room_stays_there_however_long_their_connection_is_away() {
    let world = world().stale_after(Duration::from_hours(48)).start().await;
    let listened = Listened::begin(world).await;
    let world = &listened.world;
    let (alice, room) = listened.enter("alice").await;
    listened.comes().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    listened.says_and_shows(&room, "she is away").await;
    for _ in 0..2 {
        world.pass(LISTENER, Duration::from_mins(16)).await;
        listened.says_and_shows(&room, "still").await;
    }
    world.ircd.welcome().await;
    world.pass(LISTENER, Duration::from_mins(16)).await;
    world.ircd.wait_joined("#tea", "alice").await;
    listened.says_and_shows(&room, "back").await;
    world.wait_outbox_empty().await;
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
}

/// Review, M4 and M6: who had disconnected counted as hearing the channel, and the listener spoke for its owner.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_disconnected_hears_nothing_and_is_not_spoken_for_by_their_listener() {
    let mut world = World::builder().without_bridge().await;
    let carol = world.homeserver.user("carol");
    let room = carol.create_room(&PUBLIC);
    world.plumb(&mapping("#tea", &room));
    world.start_bridge().await;
    let listened = Listened::begin(world).await;
    listened.comes().await;
    let own = listened.world.homeserver.room_named("FakeNet");
    let mut networks = Vec::new();
    for name in ["alice", "dave", "erin"] {
        let (user, _, network) = listened.world.greeted_user(name).await;
        user.join(&room).await;
        listened.world.ircd.wait_joined("#tea", name).await;
        networks.push((user, network));
    }
    listened.goes().await;
    for (user, network) in &networks[..2] {
        user.send_text(network, "disconnect");
    }
    listened.comes().await;
    listened.admin.send_text(&own, "disconnect");
    listened.world.ircd.wait_gone("admin").await;
    listened.admin.join(&room).await;
    listened.admin.send_text(&room, "by whom?");
    let told = |event: &Event| event.body().contains("what you write here");
    listened.world.homeserver.wait_event(&room, told).await;
    listened.says_and_shows(&room, "nobody").await;
    assert_eq!(listened.bob.messages("#tea").len(), 0);
}

/// Review, M3 and M7: it listened an hour after it was connected, and what its owner wrote elsewhere connected it.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_listens_as_soon_as_it_is_connected_and_not_before() {
    let listened = Listened::begin(world().start().await).await;
    listened.type_there("disconnect", "Disconnected.").await;
    let (_, room) = listened.enter("alice").await;
    listened.type_there("listen 2", "fewer than 2 people").await;
    listened.type_there("listen", "not connected").await;
    listened.type_there("connect", "Connected to").await;
    listened.comes().await;
    listened.says_and_shows(&room, "heard").await;
    listened.type_there("disconnect", "Disconnected.").await;
    listened.world.ircd.wait_gone(LISTENER).await;
    listened.type_there("listen", "not connected").await;
    listened.says_and_shows(&room, "without it").await;
    listened.type_there("connect", "Connected to").await;
    listened.comes().await;
}

/// Before, it was left alone for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_refused_for_a_moment_comes_in_after_that() {
    let world = world().stale_after(Duration::from_hours(48)).start().await;
    let listened = Listened::begin(world).await;
    let world = &listened.world;
    listened.type_there("listen off", "listens for nobody any more").await;
    let (_, room) = listened.enter("alice").await;
    world.ircd.ban_joins("#tea", 437);
    let mark = world.ircd.mark();
    listened.type_there("listen 2", "fewer than 2 people").await;
    let is_it = |nick: &str, line: &str| nick == LISTENER && line.starts_with("JOIN #tea");
    world.ircd.wait_line_after(mark, is_it).await;
    world.pass(LISTENER, Duration::ZERO).await;
    world.ircd.allow_joins("#tea");
    world.pass(LISTENER, Duration::from_mins(3)).await;
    listened.comes().await;
    listened.says_and_shows(&room, "heard").await;
}
