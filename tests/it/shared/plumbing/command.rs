//! `plumb` and `unplumb`: a room shows a channel because somebody has asked for it, and those agree who have a say on either
//! side.

mod crash;
mod over;
mod rights;
mod shown;

use super::*;

/// Whoever may use the bridge may ask.
const USERS: &str = "plumb: { by: users }\n";
const PLUMBED: &str = "SELECT room_id || ' ' || plumbed FROM room WHERE plumbed IS NOT NULL";
/// Events that were taken and not attended to.
const WAITING: &str = "SELECT event_id FROM inbox WHERE state = 'new'";

/// Alice's room, in which carol is; and #tea, in which alice is with bob, who is its operator, and dan.
struct Inn {
    world: World,
    alice: TestUser,
    carol: TestUser,
    bob: Person,
    dan: Person,
    network: String,
    room: String,
}

impl Inn {
    async fn build(room: &NewRoom<'_>) -> Self {
        Self::in_world(World::builder().config(USERS).start().await, room).await
    }

    async fn in_world(world: World, room: &NewRoom<'_>) -> Self {
        let (bob, dan) = (world.ircd.person("bob"), world.ircd.person("dan"));
        bob.join("#tea");
        dan.join("#tea");
        world.ircd.give("#tea", "bob", 'o');
        let (alice, _, network) = world.greeted_user("alice").await;
        alice.send_text(&network, "join #tea");
        let own = world.homeserver.wait_invite(alice.id()).await;
        alice.join(&own).await;
        world.ircd.wait_joined("#tea", "alice").await;
        let carol = world.homeserver.user("carol");
        let room = alice.create_room(room);
        alice.invite(&room, carol.id());
        carol.join(&room).await;
        Self { world, alice, carol, bob, dan, network, room }
    }

    fn bot(&self) -> String {
        self.world.homeserver.bot()
    }

    /// What alice is told in the network's room.
    async fn told(&self, part: &str) -> String {
        let event =
            self.world.homeserver.wait_event(&self.network, |event| event.body().contains(part)).await;
        event.body().to_owned()
    }

    /// Alice wants #tea shown, and invites the bot.
    async fn ask(&self) {
        self.alice.send_text(&self.network, &format!("plumb {} #tea", self.room));
        self.told("To have #tea shown there, invite me").await;
        self.alice.invite(&self.room, &self.bot());
    }

    /// What bob is asked, and its code.
    async fn question(&self) -> (String, String) {
        let heard = self.bob.wait_message(|heard| heard.text().contains("!plumb yes ")).await;
        let text = heard.text().to_owned();
        let code = text.split("!plumb yes ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        (text, code)
    }

    /// Bob agrees.
    async fn agree(&self) {
        let (_, code) = self.question().await;
        self.bob.say("alice", &format!("!plumb yes {code}"));
        self.told("bob agrees. #tea is shown in that room from now on.").await;
    }

    /// #tea is shown with bob's consent.
    async fn open() -> Self {
        let inn = Self::build(&PUBLIC).await;
        inn.ask().await;
        inn.agree().await;
        inn.shows("welcome").await;
        inn
    }

    /// Alice's own room of #tea.
    fn own(&self) -> String {
        self.world.homeserver.room_named("#tea (FakeNet)")
    }

    /// Alice's session has read all that was said on IRC until now, and what it made of it was sent.
    async fn has_heard(&self) {
        self.world.pass("alice", Duration::ZERO).await;
        self.world.wait_outbox_empty().await;
    }

    /// All that was done on Matrix until now is attended to.
    async fn is_attended_to(&self) {
        self.world.homeserver.wait_delivered().await;
        self.world.database().wait("all is attended to", WAITING, <[String]>::is_empty).await;
    }

    /// Nobody in a room reads what is said in #tea.
    async fn shows_nothing(&self, room: &str, text: &str) {
        self.bob.say("#tea", text);
        self.has_heard().await;
        let lines = self.world.homeserver.timeline_lines(room);
        assert!(!lines.contains(&text.to_owned()), "{lines:?}");
    }

    /// Who came into #tea from here on, by what they have sent.
    fn joins(&self, nick: &str) -> usize {
        self.world.ircd.lines_from(nick).iter().filter(|line| line.starts_with("JOIN #tea")).count()
    }

    async fn shows(&self, text: &str) {
        self.bob.say("#tea", text);
        let shown = self.world.homeserver.wait_message(&self.room, text).await;
        assert_eq!(shown.sender, BOB);
    }

    /// The bot is out of the room, and nothing is left of it.
    async fn is_left(&self) {
        self.world.homeserver.wait_member(&self.room, &self.bot(), "leave").await;
        self.world.database().wait("the room is let go of", PLUMBED, <[String]>::is_empty).await;
        self.shows_nothing(&self.room, "nobody hears this there").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_shows_a_channel_when_an_operator_agrees_and_until_it_is_ended() {
    let mut inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (question, code) = inn.question().await;
    for part in [inn.alice.id(), "#tea", inn.room.as_str(), "within five minutes"] {
        assert!(question.contains(part), "{question}");
    }
    inn.told("I have asked bob in your name").await;
    inn.bob.say("#tea", "not for them yet");
    inn.bob.say("alice", &format!("!PLUMB Yes {}", code.to_uppercase()));
    inn.told("bob agrees. #tea is shown in that room from now on.").await;
    inn.bob.wait_text("#tea is shown in that room from now on.").await;
    inn.shows("welcome").await;
    inn.alice.send_text(&inn.room, "thanks");
    assert_eq!(inn.bob.wait_text("thanks").await.nick(), "alice");
    assert!(!inn.world.homeserver.timeline_lines(&inn.room).contains(&"not for them yet".to_owned()));
    let talks = inn.world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await;
    assert_eq!(talks, Vec::<String>::new(), "the answer is no conversation");

    let announced =
        begins("This room shows #tea on FakeNet from now on, because @alice:test.local has asked for it.");
    inn.world.homeserver.wait_event(&inn.room, announced).await;

    inn.alice.send_text(&inn.network, "plumb");
    let listed = inn.told("Rooms that show channels of FakeNet").await;
    for part in [inn.room.as_str(), "plumb, which @alice:test.local typed"] {
        assert!(listed.contains(part), "{listed}");
    }
    inn.world.stop_bridge().await;
    inn.world.start_bridge().await;
    inn.world.ircd.wait_joined("#tea", "alice").await;
    inn.shows("still shown").await;

    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea is not shown in that room any more; I leave it.").await;
    inn.world
        .homeserver
        .wait_message(&inn.room, "This room shows #tea no longer: @alice:test.local has ended it.")
        .await;
    inn.world.ircd.wait_parted("#tea", "alice").await;
    inn.is_left().await;
    inn.world.homeserver.wait_member(&inn.room, BOB, "leave").await;
    let members = inn.world.homeserver.members(&inn.room, "join");
    assert!(members.contains(&inn.alice.id().to_owned()) && members.contains(&inn.carol.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_does_not_agree_ends_it() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.bob.say("alice", &format!("!plumb no {code}"));
    inn.told("bob does not agree that #tea is shown in that room.").await;
    inn.is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_answer_within_five_minutes_does_not_agree() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.told("I have asked bob in your name").await;
    inn.world.pass("alice", Duration::from_secs(299)).await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, [format!("{} ending", inn.room)]);
    inn.world.pass("alice", Duration::from_secs(2)).await;
    inn.told("#tea is not shown in that room: no operator has agreed within five minutes.").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_an_operator_then_can_agree() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.dan.say("alice", &format!("!plumb yes {code}"));
    inn.told("dan has answered whether #tea may be shown, and is no operator there").await;
    inn.dan.wait_text("You are no operator of #tea now.").await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, [format!("{} ending", inn.room)]);
    inn.bob.say("alice", "!plumb yes another");
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees.").await;
    inn.shows("welcome").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_needs_nobodys_consent() {
    let inn = Inn::build(&PUBLIC).await;
    inn.bob.mode("#tea", "+o alice");
    inn.bob.say("#tea", "you are one");
    let own = inn.world.homeserver.room_named("#tea (FakeNet)");
    inn.world.homeserver.wait_message(&own, "you are one").await;
    inn.ask().await;
    inn.told("#tea is shown in that room from now on.").await;
    inn.shows("welcome").await;
    assert!(inn.bob.messages("bob").is_empty(), "nobody is asked");
}

/// In carol's room, where alice has one less than what is needed to change its name.
#[rstest]
#[case::whatever_is_usual("11", 50)]
#[case::where_more_is_needed("11", 100)]
#[case::with_creators("12", 50)]
#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_say_in_a_room_has_nothing_shown_there(#[case] version: &str, #[case] needed: i64) {
    let inn = Inn::build(&PUBLIC).await;
    let room = inn.carol.create_room(&NewRoom { room_version: Some(version), ..PUBLIC });
    let users = match version {
        "11" => json!({ inn.carol.id(): 100, inn.alice.id(): needed - 1 }),
        _ => json!({ inn.alice.id(): needed - 1 }),
    };
    let levels = json!({ "users": users, "invite": 0, "events": { "m.room.name": needed } });
    inn.carol.send_state(&room, "m.room.power_levels", "", levels).unwrap();
    inn.alice.join(&room).await;
    inn.alice.send_text(&inn.network, &format!("plumb {room} #tea"));
    inn.told("To have #tea shown there, invite me").await;
    inn.alice.invite(&room, &inn.bot());
    inn.told("You may not say what that room shows").await;
    inn.world.homeserver.wait_member(&room, &inn.bot(), "leave").await;
    assert!(inn.bob.messages("bob").is_empty(), "nobody is asked");
    inn.world.database().wait("the room is let go of", PLUMBED, <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_their_say_before_the_operator_agrees_has_nothing_shown() {
    let inn = Inn::build(&NewRoom { room_version: Some("11"), ..PUBLIC }).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    let mut levels = inn.world.homeserver.state(&inn.room, "m.room.power_levels", "");
    levels["users"][inn.alice.id()] = json!(0);
    inn.alice.send_state(&inn.room, "m.room.power_levels", "", levels).unwrap();
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees. You may not say what that room shows").await;
    inn.is_left().await;
    // Nor was he told that it is.
    let told = inn.bob.heard().into_iter().map(|heard| heard.text().to_owned());
    let told: Vec<String> = told.filter(|text| text.contains("#tea is")).collect();
    assert_eq!(told, ["#tea is not shown in that room: who asked has called it off, or can't have it."]);
}

/// Before, who was invited by somebody else could not be invited by the one who asks.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_invitation_is_for_a_reason_of_their_own() {
    let inn = Inn::build(&PUBLIC).await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #tea", inn.room));
    inn.told("To have #tea shown there, invite me").await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, Vec::<String>::new());
    let mut levels = inn.world.homeserver.state(&inn.room, "m.room.power_levels", "");
    levels["invite"] = json!(0);
    inn.alice.send_state(&inn.room, "m.room.power_levels", "", levels).unwrap();
    inn.carol.invite(&inn.room, &inn.bot());
    // It talks with one person at a time, and leaves.
    inn.world.homeserver.wait_member(&inn.room, &inn.bot(), "leave").await;
    inn.is_attended_to().await;
    assert!(inn.bob.messages("bob").is_empty(), "nobody is asked");
    inn.alice.invite(&inn.room, &inn.bot());
    inn.agree().await;
    inn.shows("welcome").await;
}

#[rstest]
#[case::encrypted(NewRoom { encrypted: true, ..PUBLIC }, "That room is encrypted")]
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_can_show_nothing_is_left(#[case] room: NewRoom<'static>, #[case] told: &str) {
    let inn = Inn::build(&room).await;
    inn.ask().await;
    inn.told(told).await;
    inn.is_left().await;
}

#[rstest]
#[case::no_room("plumb !a/b:test.local #tea", "is no room")]
#[case::no_alias("plumb #nowhere:test.local #tea", "leads to no room")]
#[case::no_channel("plumb !room:test.local", "Type it like this")]
#[case::a_channel_first("plumb #tea !room:test.local", "Type it like this")]
#[case::a_room_of_the_bridges("plumb NETWORK #tea", "one of mine already, for something else")]
#[case::nothing_to_end("unplumb #tea", "has no room that shows a channel")]
#[case::nothing_there("plumb", "No room that you are in shows a channel of FakeNet")]
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_shown_is_refused_with_the_reason(#[case] typed: &str, #[case] told: &str) {
    let inn = Inn::build(&PUBLIC).await;
    inn.alice.send_text(&inn.network, &typed.replace("NETWORK", &inn.network));
    inn.told(told).await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_in_the_channel_asks_nobody_there() {
    let inn = Inn::build(&PUBLIC).await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #zoo", inn.room));
    inn.told("To have #zoo shown there, invite me").await;
    inn.alice.invite(&inn.room, &inn.bot());
    inn.told("You are not in #zoo on FakeNet").await;
    inn.is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_when_the_bridge_stops_is_not_agreed() {
    let mut inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.world.stop_bridge().await;
    inn.world.start_bridge().await;
    inn.world.ircd.wait_joined("#tea", "alice").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.has_heard().await;
    inn.is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_say_can_not_end_it_and_an_operator_of_the_channel_can() {
    let inn = Inn::open().await;
    let (erin, _, network) = inn.world.greeted_user("erin").await;
    let told = async |part: &str| {
        inn.world.homeserver.wait_event(&network, |event| event.body().contains(part)).await;
    };
    erin.send_text(&network, "unplumb #tea");
    told("You may not end that").await;
    erin.send_text(&network, "join #tea");
    let own = inn.world.homeserver.wait_invite(erin.id()).await;
    erin.join(&own).await;
    inn.world.ircd.wait_joined("#tea", "erin").await;
    inn.bob.mode("#tea", "+o erin");
    inn.bob.say("#tea", "you are one");
    inn.world.homeserver.wait_message(&own, "you are one").await;
    erin.send_text(&network, "unplumb #tea");
    told("#tea is not shown in that room any more").await;
    inn.world.homeserver.wait_member(&inn.room, &inn.bot(), "leave").await;
}

#[rstest]
#[case::where_anybody_may_come_in(true)]
#[case::where_somebody_invites_it(false)]
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_needs_nobodys_consent(#[case] is_open: bool) {
    let inn = Inn::build(if is_open { &PUBLIC } else { &PRIVATE }).await;
    let (admin, chat) = inn.world.user_with_control_room("admin").await;
    admin.send_text(&chat, "open fake");
    let network = inn.world.homeserver.wait_invite(admin.id()).await;
    admin.join(&network).await;
    inn.world.ircd.wait_registered("admin").await;
    admin.send_text(&network, &format!("plumb {} #tea", inn.room));
    if !is_open {
        let asked = |event: &Event| event.body().contains("To have #tea shown there, invite me");
        inn.world.homeserver.wait_event(&network, asked).await;
        inn.alice.invite(&inn.room, &inn.bot());
    }
    let tied = |event: &Event| event.body().contains("#tea is tied to that room from now on. What is said");
    inn.world.homeserver.wait_event(&network, tied).await;
    inn.world.homeserver.wait_member(&inn.room, &inn.bot(), "join").await;
    // Nobody's connection shows it yet, and nobody says that it is shown.
    inn.world.homeserver.wait_event(&inn.room, begins("This room is tied to #tea on FakeNet")).await;
    // Alice has a room of her own for the channel, and is in this one when she has left that.
    inn.alice.send_text(&inn.network, "part #tea");
    inn.world.ircd.wait_parted("#tea", "alice").await;
    inn.alice.send_text(&inn.room, "here I am");
    inn.bob.wait_text("here I am").await;
    inn.shows("welcome").await;
    assert!(inn.bob.messages("bob").is_empty(), "nobody is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_is_changed_there_only() {
    let mut house = House::build(World::builder().config(USERS), &PUBLIC).await;
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    let homeserver = &house.world.homeserver;
    let told = async |part: &str| {
        homeserver.wait_event(&house.network, |event| event.body().contains(part)).await;
    };
    house.alice.send_text(&house.network, "unplumb #tea");
    told("take its line out under networks.fake.channels").await;
    let other = house.alice.create_room(&PUBLIC);
    house.alice.send_text(&house.network, &format!("plumb {other} #Tea"));
    told("can only be changed there").await;
    house.bob.say("#tea", "still shown");
    homeserver.wait_message(&house.room, "still shown").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_bot_out_ends_what_was_asked_for() {
    let inn = Inn::open().await;
    inn.alice.kick(&inn.room, &inn.bot(), "no more").unwrap();
    inn.world.ircd.wait_parted("#tea", "alice").await;
    inn.is_left().await;
    assert!(!inn.world.homeserver.members(&inn.room, "join").contains(&BOB.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_brought_into_the_channel_because_somebody_else_has_asked_before_they_write() {
    let inn = Inn::build(&PUBLIC).await;
    let (_, control) = inn.world.user_with_control_room("carol").await;
    inn.carol.send_text(&control, "open fake");
    inn.world.ircd.wait_registered("carol").await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees.").await;
    inn.shows("welcome").await;
    inn.carol.leave(&inn.room);
    inn.carol.join(&inn.room).await;
    inn.is_attended_to().await;
    inn.world.pass("carol", Duration::ZERO).await;
    assert_eq!(inn.joins("carol"), 0);
    inn.carol.send_text(&inn.room, "hello, everybody");
    assert_eq!(inn.bob.wait_text("hello, everybody").await.nick(), "carol");
    assert_eq!(inn.joins("carol"), 1);
}
