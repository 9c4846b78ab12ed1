//! A shared room in the place of a room of one's own, after asking; and whose `join` leads to which.

use super::*;
use crate::support::bridge::ask;

const ASKED: &str = "You have joined the shared room of #tea";
const YES: &str = "✅";
const NO: &str = "❌";

/// Alice, who has a room of her own for #tea and has joined the shared one, and bob in the channel.
struct Choice {
    world: World,
    alice: TestUser,
    bob: Person,
    network: String,
    own: String,
    room: String,
}

impl Choice {
    /// She is asked.
    async fn begin(world: World) -> Self {
        let choice = Self::come(world).await;
        choice.question().await;
        choice
    }

    async fn come(world: World) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#tea");
        let (alice, _, own) = world.user_in_channel("alice", "#tea").await;
        let network = world.homeserver.room_named("FakeNet");
        bob.say("#tea", "a borrowed cup");
        world.homeserver.wait_message(&own, "a borrowed cup").await;
        let room = alice.join(ALIAS).await;
        Self { world, alice, bob, network, own, room }
    }

    async fn question(&self) -> Event {
        self.world.homeserver.wait_event(&self.network, begins(ASKED)).await
    }

    async fn answer(&self, key: &str) {
        let question = self.question().await;
        self.alice.react(&self.network, &question.event_id, key);
    }

    fn is_in(&self, room: &str) -> bool {
        self.world.homeserver.members(room, "join").contains(&self.alice.id().to_owned())
    }

    /// The shared room is hers, and she has never left the channel.
    async fn is_in_the_shared_one(&self) {
        let homeserver = &self.world.homeserver;
        homeserver
            .wait_event(&self.own, begins("#tea is shown in another room from now on, #irc_fake_#tea"))
            .await;
        self.bob.say("#tea", "for all to read");
        assert_eq!(homeserver.wait_message(&self.room, "for all to read").await.sender, BOB);
        self.alice.send_text(&self.room, "from the shared room");
        self.bob.wait_text("from the shared room").await;
        self.alice.send_text(&self.own, "to nobody");
        let found = ask(&self.world, &self.alice, &self.network, "search borrowed", "a borrowed cup").await;
        assert!(found.body().contains("bob"), "{}", found.body());
        homeserver.wait_delivered().await;
        self.world.wait_outbox_empty().await;
        assert!(!homeserver.timeline_lines(&self.own).contains(&"for all to read".to_owned()));
        assert!(!self.bob.messages("#tea").iter().any(|(_, text)| text == "to nobody"));
        assert!(self.is_in(&self.room));
    }

    /// Her own is hers, as before.
    async fn is_in_her_own(&self) {
        let homeserver = &self.world.homeserver;
        homeserver.wait_member(&self.room, self.alice.id(), "leave").await;
        self.bob.say("#tea", "for her to read");
        homeserver.wait_message(&self.own, "for her to read").await;
        self.alice.send_text(&self.own, "from her own");
        self.bob.wait_text("from her own").await;
        assert!(self.is_in(&self.own));
    }

    fn parts(&self) -> usize {
        self.world.ircd.lines().iter().filter(|line| line.bytes.starts_with(b"PART #tea")).count()
    }
}

#[rstest]
#[case::by_a_reaction(false)]
#[case::by_a_word(true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_takes_the_place_of_ones_own_if_one_says_so(#[case] is_typed: bool) {
    let choice = Choice::begin(world().start().await).await;
    if is_typed {
        ask(&choice.world, &choice.alice, &choice.network, "yes", "You are in the shared room of #tea now")
            .await;
    } else {
        choice.answer(YES).await;
        choice
            .world
            .homeserver
            .wait_event(&choice.network, begins("You are in the shared room of #tea now"))
            .await;
    }
    choice.is_in_the_shared_one().await;
    assert_eq!(choice.parts(), 0, "she was in the channel all the time");
    choice.world.homeserver.wait_alias(ALIAS, Some(&choice.room)).await;
}

#[rstest]
#[case::by_a_reaction(None)]
#[case::by_a_word(Some("cancel"))]
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_their_own_room_is_taken_out_of_the_shared_one(#[case] typed: Option<&str>) {
    let choice = Choice::begin(world().start().await).await;
    match typed {
        Some(typed) => {
            _ = ask(&choice.world, &choice.alice, &choice.network, typed, "the shared room of #tea").await;
        }
        None => {
            choice.answer(NO).await;
            choice
                .world
                .homeserver
                .wait_event(&choice.network, begins("You keep your own room of #tea"))
                .await;
        }
    }
    choice.is_in_her_own().await;
    let member = choice.world.homeserver.state(&choice.room, "m.room.member", choice.alice.id());
    assert_eq!(member["reason"], "You have a room of your own for #tea");
    // She may think better of it.
    assert_eq!(choice.alice.join(ALIAS).await, choice.room);
    let open = "SELECT matter FROM question";
    choice.world.database().wait("she is asked again", open, |open| open.len() == 1).await;
    ask(&choice.world, &choice.alice, &choice.network, "yes", "You are in the shared room of #tea now").await;
    choice.is_in_the_shared_one().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_so_within_five_minutes_keeps_their_own_room_and_is_told() {
    let choice = Choice::begin(world().start().await).await;
    choice.world.pass("alice", Duration::from_mins(4)).await;
    assert!(choice.is_in(&choice.room));
    choice.world.pass("alice", Duration::from_secs(61)).await;
    let told = begins("You are not in the shared room of #tea: you have not said within five minutes");
    choice.world.homeserver.wait_event(&choice.network, told).await;
    choice.is_in_her_own().await;
    // The question is none any more.
    ask(&choice.world, &choice.alice, &choice.network, "yes", "I have asked nothing here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_writes_in_a_shared_room_while_they_are_asked_goes_nowhere_and_they_are_told() {
    let choice = Choice::begin(world().start().await).await;
    let event = choice.alice.send_text(&choice.room, "am I here?");
    let told =
        choice.world.homeserver.wait_event(&choice.room, begins("This did not go to IRC: first say")).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event);
    assert!(choice.is_in(&choice.room));
    choice.answer(YES).await;
    choice.is_in_the_shared_one().await;
    assert!(!choice.bob.messages("#tea").iter().any(|(_, text)| text == "am I here?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_the_shared_room_before_they_say_yes_keeps_their_own() {
    let choice = Choice::begin(world().start().await).await;
    choice.alice.leave(&choice.room);
    choice.world.homeserver.wait_delivered().await;
    ask(&choice.world, &choice.alice, &choice.network, "yes", "You keep your own room of #tea").await;
    choice.is_in_her_own().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_stays_in_the_shared_room_over_a_restart_and_has_five_minutes_more() {
    let mut choice = Choice::begin(world().start().await).await;
    choice.world.pass("alice", Duration::from_secs(200)).await;
    choice.world.stop_bridge().await;
    choice.world.ircd.wait_nobody_connected().await;
    choice.world.start_bridge().await;
    choice.world.ircd.wait_joined("#tea", "alice").await;
    choice.world.pass("alice", Duration::from_mins(4)).await;
    assert!(choice.is_in(&choice.room));
    choice.world.pass("alice", Duration::from_secs(61)).await;
    choice.is_in_her_own().await;
}

/// Whatever was stored when it ended, she is in the channel by one room, and can have the other.
#[cfg(feature = "failpoints")]
#[rstest]
#[case::when_it_is_asked("instead_asked:1")]
#[case::when_the_room_is_hers("instead_agreed:1")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_whoever_is_asked_with_one_room_of_the_channel(#[case] point: &str) {
    let world = world().without_bridge().await;
    let mut process = world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    let choice = Choice::come(world).await;
    let is_agreed = point.starts_with("instead_agreed");
    if is_agreed {
        choice.answer(YES).await;
    }
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    choice.world.ircd.wait_nobody_connected().await;
    let _process = choice.world.start_process();
    choice.world.ircd.wait_joined("#tea", "alice").await;
    if !is_agreed {
        choice.answer(YES).await;
    }
    choice.is_in_the_shared_one().await;
    let bodies = choice.world.homeserver.timeline_bodies(&choice.network);
    assert_eq!(bodies.iter().filter(|body| body.starts_with(ASKED)).count(), 1, "she is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn join_leads_to_shared_rooms_whoever_wants_that_and_others_to_rooms_of_their_own() {
    let world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, network) = world.greeted_user("alice").await;
    ask(&world, &alice, &control, "set rooms shared", "rooms shared for you").await;
    ask(&world, &alice, &network, "join #tea", "You are invited to #irc_fake_#tea:test.local").await;
    let room = world.homeserver.alias(ALIAS).expect("it is made");
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.accept_invites();
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    ask(&world, &alice, &network, "join #tea", "You are in #tea already").await;
    // With a key it is one of her own, and so it is where she says so for this network.
    alice.send_text(&network, "join #key secret");
    world.ircd.wait_joined("#key", "alice").await;
    assert_eq!(world.homeserver.alias("#irc_fake_#key:test.local"), None);
    ask(&world, &alice, &network, "set rooms own", "rooms own for fake").await;
    alice.send_text(&network, "join #pot");
    world.ircd.wait_joined("#pot", "alice").await;
    assert_eq!(world.homeserver.alias("#irc_fake_#pot:test.local"), None);
    // Where she has one of her own it stays that.
    ask(&world, &alice, &network, "set rooms shared", "rooms shared for fake").await;
    ask(&world, &alice, &network, "join #pot", "#pot").await;
    assert_eq!(world.homeserver.alias("#irc_fake_#pot:test.local"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_which_room_join_leads_to_for_all_who_choose_nothing() {
    let world = world().config("settings:\n  rooms: shared\n").start().await;
    let (alice, _, network) = world.greeted_user("alice").await;
    ask(&world, &alice, &network, "join #tea", "You are invited to #irc_fake_#tea:test.local").await;
    let (carol, _, network) = world.greeted_user("carol").await;
    ask(&world, &carol, &network, "set rooms own", "rooms own for fake").await;
    carol.send_text(&network, "join #tea");
    world.ircd.wait_joined("#tea", "carol").await;
}

/// Before, they were asked, and read what those said who had put them out, for as long as they liked.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_put_out_of_the_channel_is_not_asked_and_reads_nothing_in_the_shared_room() {
    let choice = Choice::begin(world().start().await).await;
    let homeserver = &choice.world.homeserver;
    choice.world.ircd.ban_joins("#tea", 474);
    choice.bob.kick("#tea", "alice", "out");
    let told = begins("You are not in the shared room of #tea: you are in the channel no more");
    homeserver.wait_event(&choice.network, told).await;
    homeserver.wait_member(&choice.room, choice.alice.id(), "leave").await;
    choice.alice.join(ALIAS).await;
    homeserver.wait_member(&choice.room, choice.alice.id(), "leave").await;
    choice.world.wait_outbox_empty().await;
    let questions = homeserver.events(&choice.network).into_iter().filter(|event| begins(ASKED)(event));
    assert_eq!(questions.count(), 1);
}

/// Before, they kept neither: the one was given up, and they were taken out of the other.
#[tokio::test(flavor = "multi_thread")]
async fn who_says_yes_when_their_time_is_over_keeps_their_own_room() {
    let choice = Choice::begin(world().start().await).await;
    let path = format!("/rooms/{}/members", choice.room);
    choice.world.homeserver.faults().fail("GET", &path, Fault::Late(Duration::from_secs(2)), 1);
    choice.answer(YES).await;
    choice.world.pass("alice", Duration::from_mins(6)).await;
    choice.is_in_her_own().await;
}

/// Before, they read on there until the next start, with no channel and no question.
#[tokio::test(flavor = "multi_thread")]
async fn whose_question_is_forgotten_is_taken_out_of_the_shared_room_all_the_same() {
    let choice = Choice::begin(world().start().await).await;
    choice.world.homeserver.wait_delivered().await;
    // As where too many others were asked since.
    choice.world.database().execute("DELETE FROM question").await;
    choice.world.pass("alice", Duration::from_secs(301)).await;
    choice.is_in_her_own().await;
    let member = choice.world.homeserver.state(&choice.room, "m.room.member", choice.alice.id());
    assert_eq!(member["reason"], "You have a room of your own for #tea");
}

/// Before, each was answered, and another bot could have answered that.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_is_told_of_their_messages_and_not_of_notices_edits_or_stickers() {
    let choice = Choice::begin(world().start().await).await;
    let (homeserver, room) = (&choice.world.homeserver, &choice.room);
    let first = choice.alice.send_text(room, "am I here?");
    choice.alice.send(room, "m.room.message", json!({ "msgtype": "m.notice", "body": "beep" }));
    choice.alice.edit(room, &first, "am I there?");
    let picture = json!({ "body": "a cup", "url": "mxc://test.local/cup", "info": {} });
    choice.alice.send(room, "m.sticker", picture);
    let last = choice.alice.send_text(room, "well?");
    let answers = |event: &str| {
        let events = homeserver.events(room).into_iter().filter(begins_with_refusal);
        events.filter(|one| one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event).count()
    };
    let is_last = |one: &Event| one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == last.as_str();
    homeserver.wait_event(room, is_last).await;
    assert_eq!((answers(&first), answers(&last)), (1, 1));
    assert_eq!(homeserver.events(room).iter().filter(|one| begins_with_refusal(one)).count(), 2);
}

fn begins_with_refusal(event: &Event) -> bool {
    begins("This did not go to IRC: first say")(event)
}

/// Before, strangers used up what all who may use the bridge can have made in an hour.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_look_for_rooms_keep_nobody_from_joining_theirs() {
    let world = world().config("settings:\n  rooms: shared\n").start().await;
    let (alice, _, network) = world.greeted_user("alice").await;
    let stranger = world.homeserver.user("stranger");
    for number in 0..30 {
        _ = stranger.try_join(&format!("#irc_fake_#a{number}:test.local")).await;
    }
    assert_eq!(stranger.try_join("#irc_fake_#late:test.local").await.unwrap_err().status, 404);
    let enters = async |channel: &str, answer: &str| {
        ask(&world, &alice, &network, &format!("join {channel}"), answer).await;
    };
    enters("#tea", "You are invited to #irc_fake_#tea:test.local").await;
    // So many of her own, and she is told what to do then.
    for number in 1..30 {
        enters(&format!("#b{number}"), &format!("You are invited to #irc_fake_#b{number}:test.local")).await;
    }
    enters("#late", "#irc_fake_#late:test.local is not made: you have had 30 rooms made within the hour")
        .await;
    ask(&world, &alice, &network, "set rooms own", "rooms own for fake").await;
    alice.send_text(&network, "join #late");
    world.ircd.wait_joined("#late", "alice").await;
    // Others have theirs.
    let (carol, _, network) = world.greeted_user("carol").await;
    ask(&world, &carol, &network, "join #pot", "You are invited to #irc_fake_#pot:test.local").await;
}

/// Before, they were told to try again in a few minutes, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_joins_a_channel_whose_shared_room_may_be_anothers_is_told_that_nobody_knows() {
    let mut options = crate::support::ircd::Options::default();
    options.isupport.retain(|token| !token.starts_with("CASEMAPPING"));
    options.isupport.push("CASEMAPPING=ascii".to_owned());
    let world = world().ircd(options).config("settings:\n  rooms: shared\n").start().await;
    world.ircd.refuse();
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    ask(&world, &alice, &network, "join #tea[1]", "You are invited to #irc_fake_#tea=5b1=5d").await;
    let none = "#tea{1} has no shared room for now: it may be #tea[1], which has one, and no server of FakeNet has said";
    ask(&world, &alice, &network, "join #tea{1}", none).await;
    world.ircd.welcome().await;
    ask(&world, &alice, &network, "connect", "Connected to").await;
    ask(&world, &alice, &network, "nick", "You are alice.").await;
    ask(&world, &alice, &network, "join #tea{1}", "You are invited to #irc_fake_#tea=7b1=7d").await;
}
