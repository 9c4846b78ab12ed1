//! Relays: people without a connection of their own are heard through somebody else's, with their name.

mod relaymsg;
mod trouble;

use serde_json::json;
use towline::config::{Permission, Permissions};

use super::plumbing::{PUBLIC, mapping};
use super::*;
use crate::support::bridge::ask;
use crate::support::ircd::Options;

/// The relay's nick.
pub(super) const RELAY: &str = "admin_relay";

/// Carol's room, in which dave is, too, tied to #tea, in which bob is. An administrator's second session relays.
pub(super) struct Relayed {
    pub(super) world: World,
    admin: TestUser,
    pub(super) carol: TestUser,
    pub(super) dave: TestUser,
    pub(super) bob: Person,
    control: String,
    /// The room of the relay's network.
    pub(super) relay: String,
    pub(super) room: String,
}

/// The administrator has a session besides, which relays as soon as it is told to.
pub(super) async fn with_relay(world: &World) -> (TestUser, String, String) {
    let (admin, control, _) = world.greeted_user("admin").await;
    ask(world, &admin, &control, "open fake as relay", "Connecting to FakeNet (relay).").await;
    let relay = admin.join(&world.homeserver.wait_invite(admin.id()).await).await;
    world.homeserver.wait_event(&relay, begins("Connected to")).await;
    (admin, control, relay)
}

impl Relayed {
    async fn begin(builder: Builder) -> Self {
        let mut world = builder.without_bridge().await;
        let room = Self::tie(&mut world);
        world.start_bridge().await;
        Self::go_on(world, room).await
    }

    /// Carol's room is to show #tea.
    fn tie(world: &mut World) -> String {
        let carol = world.homeserver.user("carol");
        carol.set_displayname("Carol");
        let room = carol.create_room(&PUBLIC);
        world.plumb(&mapping("#tea", &room));
        room
    }

    async fn go_on(world: World, room: String) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#tea");
        let (carol, dave) = (world.homeserver.user("carol"), world.homeserver.user("dave"));
        dave.join(&room).await;
        world.homeserver.wait_member(&room, &world.homeserver.bot(), "join").await;
        let (admin, control, relay) = with_relay(&world).await;
        ask(&world, &admin, &relay, "relay #tea", "goes there through FakeNet").await;
        world.ircd.wait_joined("#tea", RELAY).await;
        world.homeserver.wait_event(&room, begins("From now on what people write here")).await;
        Self { world, admin, carol, dave, bob, control, relay, room }
    }

    pub(super) async fn start() -> Self {
        Self::begin(World::builder()).await
    }

    /// Somebody writes, and this is heard on IRC, of the relay.
    pub(super) async fn is_heard(&self, user: &TestUser, text: &str, line: &str) -> String {
        let event = user.send_text(&self.room, text);
        assert_eq!(self.bob.wait_text(line).await.nick(), RELAY);
        event
    }

    fn heard(&self) -> Vec<String> {
        self.bob.messages("#tea").into_iter().map(|(_, text)| text).collect()
    }

    /// What the bot has answered to somebody's messages.
    fn answers(&self) -> Vec<String> {
        let bodies = self.world.homeserver.timeline_bodies(&self.room);
        bodies
            .into_iter()
            .filter(|body| body.starts_with("Your message") || body.contains("what you write"))
            .collect()
    }

    async fn set(&self, setting: &str) {
        let answer = format!("{setting} for fake/relay.");
        ask(&self.world, &self.admin, &self.relay, &format!("set {setting}"), &answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_connection_is_heard_on_irc_with_their_name_in_order_and_once() {
    let relayed = Relayed::start().await;
    let homeserver = &relayed.world.homeserver;
    for number in 0..10 {
        relayed.carol.send_text(&relayed.room, &format!("question {number}"));
        relayed.dave.send_text(&relayed.room, &format!("answer {number}"));
    }
    relayed.is_heard(&relayed.carol, "two\nlines", "<Carol> lines").await;
    let emote = json!({ "msgtype": "m.emote", "body": "waves" });
    relayed.carol.send(&relayed.room, "m.room.message", emote);
    relayed.bob.wait_text("\u{1}ACTION Carol waves\u{1}").await;
    // Bots talk by notices, and don't talk to each other.
    let notice = json!({ "msgtype": "m.notice", "body": "beep" });
    relayed.carol.send(&relayed.room, "m.room.message", notice.clone());
    relayed.bob.say("#tea", "good morning all");
    homeserver.wait_message(&relayed.room, "good morning all").await;
    relayed.is_heard(&relayed.dave, "that is all", "<dave> that is all").await;
    let mut expected: Vec<String> = (0..10)
        .flat_map(|number| [format!("<Carol> question {number}"), format!("<dave> answer {number}")])
        .collect();
    let rest = ["<Carol> two", "<Carol> lines", "\u{1}ACTION Carol waves\u{1}", "<dave> that is all"];
    expected.extend(rest.map(str::to_owned));
    assert_eq!(relayed.heard(), expected);
    // What was relayed does not come back, by the relay's ghost or anybody's, and nobody is told that it was not sent.
    relayed.world.wait_outbox_empty().await;
    let shown = homeserver.timeline_lines(&relayed.room);
    assert!(shown.iter().all(|line| !line.contains("<Carol>") && !line.contains("<dave>")), "{shown:?}");
    assert_eq!(shown.iter().filter(|line| *line == "good morning all").count(), 1);
    assert_eq!(relayed.answers(), Vec::<String>::new());
    relayed.set("relay-notices on").await;
    relayed.carol.send(&relayed.room, "m.room.message", notice);
    let heard = relayed.bob.wait_text("<Carol> beep").await;
    assert_eq!(heard.command, "NOTICE");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_called_so_that_nobody_is_taken_for_somebody_else() {
    let relayed = Relayed::start().await;
    relayed.is_heard(&relayed.carol, "it is me", "<Carol> it is me").await;
    relayed.dave.set_displayname("car\u{200b}ol");
    relayed.is_heard(&relayed.dave, "me too", "<carol (@dave:test.local)> me too").await;
    relayed.is_heard(&relayed.carol, "not you", "<Carol (@carol:test.local)> not you").await;
    relayed.dave.set_displayname("Carol> I agree\n<bob");
    // The nick that is in the channel is not called by it.
    relayed.is_heard(&relayed.dave, "hm", "<Carol I agree b\u{200b}ob> hm").await;
    relayed.is_heard(&relayed.carol, "good", "<Carol> good").await;
    relayed.set("relay-antiping off").await;
    relayed.is_heard(&relayed.dave, "hm?", "<Carol I agree bob> hm?").await;
    relayed.set("relay-name localpart").await;
    relayed.is_heard(&relayed.dave, "so", "<dave> so").await;
    relayed.set("relay-name id").await;
    relayed.is_heard(&relayed.dave, "so?", "<@dave:test.local> so?").await;
    relayed.set("relay-name display-name").await;
    relayed.set("relay-prefix first").await;
    relayed.carol.send_text(&relayed.room, "one\ntwo\n<bob> I give up");
    relayed.bob.wait_text("<Carol> <bob> I give up").await;
    assert!(relayed.heard().ends_with(&["<Carol> one", "two", "<Carol> <bob> I give up"].map(str::to_owned)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_around_a_name_is_a_setting_and_nothing_in_a_name_ends_it() {
    let relayed = Relayed::start().await;
    relayed.set("relay-format [{name} on Matrix]").await;
    relayed.is_heard(&relayed.carol, "good morning", "[Carol on Matrix] good morning").await;
    relayed.dave.set_displayname("Eve] hi [x");
    relayed.is_heard(&relayed.dave, "so", "[Eve hi x @dave:test.local on Matrix] so").await;
    relayed.dave.set_displayname("Eve (x)");
    relayed.is_heard(&relayed.dave, "so?", "[Eve (x) on Matrix] so?").await;
    relayed.set("relay-prefix first").await;
    relayed.carol.send_text(&relayed.room, "one\n(two)\n[bob] three");
    relayed.bob.wait_text("[Carol on Matrix] [bob] three").await;
    let last = ["[Carol on Matrix] one", "(two)", "[Carol on Matrix] [bob] three"].map(str::to_owned);
    assert!(relayed.heard().ends_with(&last), "{:?}", relayed.heard());
    // What could be a command, or end nowhere, is none.
    for format in ["!{name}", "{name}:", "<name>", "<@{name}>"] {
        let refused = format!(
            "relay-format is {{name}} in a pair of brackets, once, with up to 24 other characters \
             and no sign of a rank before it, such as [{{name}}], not {format}"
        );
        ask(&relayed.world, &relayed.admin, &relayed.relay, &format!("set relay-format {format}"), &refused)
            .await;
    }
    relayed.is_heard(&relayed.carol, "still", "[Carol on Matrix] still").await;
    let typed = "unset relay-format";
    ask(&relayed.world, &relayed.admin, &relayed.relay, typed, "relay-format <{name}> (built in)").await;
    relayed.is_heard(&relayed.carol, "as before", "<Carol> as before").await;
}

/// MSC4144, as bridges of other networks and people with several names use it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_bears_a_name_of_its_own_is_said_by_that() {
    let relayed = Relayed::start().await;
    let profile = |name: &str| json!({ "id": "1", "displayname": name, "has_fallback": true });
    let content = |name: &str, key: &str| {
        json!({
            "msgtype": "m.text", "body": format!("{name}: good evening"), "format": "org.matrix.custom.html",
            "formatted_body": format!("<strong data-mx-profile-fallback>{name}: </strong>good <b>evening</b>"),
            key: profile(name),
        })
    };
    relayed.carol.send(&relayed.room, "m.room.message", content("Tulip", "com.beeper.per_message_profile"));
    relayed.bob.wait_text("<Tulip> good \u{2}evening").await;
    // Not by somebody else's.
    relayed.carol.send(&relayed.room, "m.room.message", content("Dave", "m.per_message_profile"));
    relayed.bob.wait_text("<Dave (@carol:test.local)> good \u{2}evening").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_is_cut_fits_with_the_name_and_nothing_is_lost() {
    let relayed = Relayed::start().await;
    let long = (0..90).map(|number| format!("wörd{number}")).collect::<Vec<_>>().join(" ");
    relayed.carol.send_text(&relayed.room, &long);
    relayed.is_heard(&relayed.carol, "end", "<Carol> end").await;
    let heard = relayed.heard();
    let said: Vec<&str> = heard.iter().map(|line| line.strip_prefix("<Carol> ").expect("the name")).collect();
    assert!(said.len() > 2, "{said:?}");
    assert_eq!(said[..said.len() - 1].join(" "), long);
    let lines = relayed.world.ircd.lines_from(RELAY);
    assert!(lines.iter().all(|line| line.len() <= 510), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_replies_and_what_is_taken_back_are_told_with_the_name() {
    // One without replies, which say by themselves what they answer.
    let network = Options::default().without(&["message-tags"]);
    let relayed = Relayed::begin(World::builder().ircd(network)).await;
    let room = &relayed.room;
    let said = relayed.is_heard(&relayed.carol, "teh tea is ready", "<Carol> teh tea is ready").await;
    relayed.carol.edit(room, &said, "the tea is ready");
    relayed.bob.wait_text("<Carol> s/teh/the/").await;
    // Nobody edits what others have said.
    relayed.dave.edit(room, &said, "the tea is cold");
    relayed.bob.say("#tea", "shall we?");
    let asked = relayed.world.homeserver.wait_message(room, "shall we?").await;
    relayed.dave.reply(room, &asked.event_id, "yes");
    relayed.bob.wait_text("<dave> bob: yes").await;
    relayed.set("redactions line").await;
    relayed.carol.redact(room, &said).unwrap();
    relayed.bob.wait_text("\u{1}ACTION Carol takes an earlier message back\u{1}").await;
    let heard = relayed.heard();
    assert!(heard.iter().all(|line| !line.contains("cold")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_owner_speaks_by_another_session_of_theirs_and_without_one_through_the_relay_as_itself() {
    let relayed = Relayed::start().await;
    relayed.admin.join(&relayed.room).await;
    relayed.world.ircd.wait_joined("#tea", "admin").await;
    relayed.admin.send_text(&relayed.room, "I am here");
    assert_eq!(relayed.bob.wait_text("I am here").await.nick(), "admin");
    // Who leaves the room leaves by the other session, and the relay stays.
    relayed.admin.leave(&relayed.room);
    relayed.world.ircd.wait_parted("#tea", "admin").await;
    relayed.is_heard(&relayed.carol, "goodbye", "<Carol> goodbye").await;
    ask(&relayed.world, &relayed.admin, &relayed.control, "disconnect fake", "Disconnected from FakeNet")
        .await;
    relayed.world.ircd.wait_gone("admin").await;
    relayed.admin.join(&relayed.room).await;
    relayed.is_heard(&relayed.admin, "me again", "me again").await;
    let mine = relayed.heard().into_iter().filter(|line| line == "I am here" || line == "me again").count();
    assert_eq!(mine, 2, "each once");
    relayed.world.wait_outbox_empty().await;
    let shown = relayed.world.homeserver.timeline_lines(&relayed.room);
    assert_eq!(shown.iter().filter(|line| *line == "I am here").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_a_session_of_their_own_speaks_by_it_from_then_on() {
    let relayed = Relayed::start().await;
    relayed.is_heard(&relayed.carol, "hello", "<Carol> hello").await;
    let (_, control) = relayed.world.user_with_control_room("carol").await;
    relayed.carol.send_text(&control, "open fake");
    relayed.world.ircd.wait_registered("carol").await;
    relayed.carol.send_text(&relayed.room, "it is really me");
    assert_eq!(relayed.bob.wait_text("it is really me").await.nick(), "carol");
    relayed.carol.send_text(&relayed.room, "still");
    assert_eq!(relayed.bob.wait_text("still").await.nick(), "carol");
    // Where she has none any more, through the relay again.
    relayed.carol.send_text(&control, "close fake");
    relayed.world.homeserver.wait_event(&control, |event| event.body().contains("To do it, type yes")).await;
    ask(&relayed.world, &relayed.carol, &control, "yes", "Closed: you are no longer on FakeNet").await;
    relayed.is_heard(&relayed.carol, "back to you", "<Carol> back to you").await;
    assert_eq!(relayed.heard(), ["<Carol> hello", "it is really me", "still", "<Carol> back to you"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_holds_over_restarts_and_what_waited_for_it_is_said_once() {
    let mut relayed = Relayed::start().await;
    relayed.is_heard(&relayed.carol, "before", "<Carol> before").await;
    relayed.world.stop_bridge().await;
    relayed.carol.send_text(&relayed.room, "while it was down");
    relayed.dave.send_text(&relayed.room, "me too");
    relayed.world.start_bridge().await;
    relayed.bob.wait_text("<dave> me too").await;
    // Without a connection it waits, and its sender is told, as the session's own user would be.
    relayed.world.ircd.refuse();
    relayed.world.ircd.cut(RELAY);
    relayed.world.homeserver.wait_event(&relayed.relay, begins("Not connected")).await;
    let waiting = relayed.carol.send_text(&relayed.room, "does it wait?");
    let is_told = |event: &Event| {
        event.body().starts_with("Your message waits")
            && event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == waiting.as_str()
    };
    let told = relayed.world.homeserver.wait_event(&relayed.room, is_told).await;
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([relayed.carol.id()]));
    relayed.world.stop_bridge().await;
    relayed.world.ircd.welcome().await;
    relayed.world.start_bridge().await;
    relayed.bob.wait_text("<Carol> does it wait?").await;
    relayed.is_heard(&relayed.carol, "after", "<Carol> after").await;
    let said =
        ["before", "while it was down", "does it wait?", "after"].map(|text| format!("<Carol> {text}"));
    let mut expected = said.to_vec();
    expected.insert(2, "<dave> me too".to_owned());
    assert_eq!(relayed.heard(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_relay_people_are_told_again_that_nothing_of_theirs_goes() {
    let relayed = Relayed::start().await;
    let (world, admin) = (&relayed.world, &relayed.admin);
    relayed.is_heard(&relayed.carol, "hello", "<Carol> hello").await;
    let listed = ask(world, admin, &relayed.control, "relay", "admin_relay").await;
    assert!(listed.body().contains("fake/relay"), "{}", listed.body());
    ask(world, admin, &relayed.relay, "relay #tea", "already").await;
    ask(world, admin, &relayed.control, "relay fake #tea", "A session of @admin:test.local relays").await;
    ask(world, admin, &relayed.control, "relay fake #den", "No room that people share shows #den").await;
    ask(world, admin, &relayed.relay, "relay #tea off", "Nobody is relayed to #tea any more").await;
    // It was there for others, and goes.
    world.ircd.wait_parted("#tea", RELAY).await;
    world.homeserver.wait_event(&relayed.room, begins("What people write here")).await;
    relayed.carol.send_text(&relayed.room, "anybody?");
    world.homeserver.wait_event(&relayed.room, begins("@carol:test.local: what you write here")).await;
    assert_eq!(relayed.heard(), ["<Carol> hello"]);
    ask(world, admin, &relayed.relay, "relay #tea", "goes there through FakeNet").await;
    relayed.is_heard(&relayed.carol, "here again", "<Carol> here again").await;
    // Only an administrator has it done.
    let (alice, _, network) = world.greeted_user("alice").await;
    ask(world, &alice, &network, "relay #tea", "There is no command relay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_floods_is_told_once_and_does_not_keep_others_waiting() {
    let relayed = Relayed::start().await;
    // What it is sent waits for its word that it has it.
    relayed.world.ircd.mute(RELAY);
    for number in 0..40 {
        relayed.carol.send_text(&relayed.room, &format!("flood {number}"));
    }
    let told = relayed.world.homeserver.wait_event(&relayed.room, begins("Your message was not sent")).await;
    assert!(told.body().contains("20 of yours wait already"), "{}", told.body());
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([relayed.carol.id()]));
    relayed.world.homeserver.wait_delivered().await;
    relayed.dave.send_text(&relayed.room, "may I?");
    let waits = "SELECT event_id FROM irc_line WHERE state IN ('queued', 'sending')";
    let is_it = |waits: &[String]| waits.len() == 21;
    relayed.world.database().wait("dave's waits behind twenty of hers", waits, is_it).await;
    let answers = relayed.answers();
    assert_eq!(answers.iter().filter(|answer| answer.contains("20 of yours")).count(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_channel_refuses_is_told_to_who_wrote_it() {
    let relayed = Relayed::start().await;
    relayed.world.ircd.moderate("#tea");
    let refused = relayed.carol.send_text(&relayed.room, "is it quiet here?");
    let told =
        relayed.world.homeserver.wait_event(&relayed.room, begins("Your message did not arrive")).await;
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([relayed.carol.id()]));
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], refused.as_str());
    relayed.world.ircd.give("#tea", RELAY, 'v');
    relayed.is_heard(&relayed.carol, "now it is", "<Carol> now it is").await;
    assert_eq!(relayed.heard(), ["<Carol> now it is"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_bridge_repeats_in_the_room_goes_round_no_further() {
    let relayed = Relayed::start().await;
    let other = relayed.world.homeserver.user("other_irc_admin_relay");
    other.join(&relayed.room).await;
    relayed.is_heard(&relayed.carol, "good morning", "<Carol> good morning").await;
    other.send_text(&relayed.room, "<Carol> good morning");
    let emote = json!({ "msgtype": "m.emote", "body": "waves" });
    relayed.carol.send(&relayed.room, "m.room.message", emote);
    relayed.bob.wait_text("\u{1}ACTION Carol waves\u{1}").await;
    let emote = json!({ "msgtype": "m.emote", "body": "Carol waves" });
    other.send(&relayed.room, "m.room.message", emote);
    relayed.is_heard(&other, "something new", "<other_irc_admin_relay> something new").await;
    assert_eq!(relayed.heard().len(), 3, "{:?}", relayed.heard());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_relayed_answers_questions_about_their_own_messages_and_nobody_elses() {
    let relayed = Relayed::start().await;
    let (homeserver, room) = (&relayed.world.homeserver, &relayed.room);
    let long: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
    relayed.carol.send_text(room, &long.join("\n"));
    let asked = homeserver.wait_event(room, begins("Your message was not sent: it would be 20 lines")).await;
    assert_eq!(asked.content["m.mentions"]["user_ids"], json!([relayed.carol.id()]));
    relayed.dave.react(room, &asked.event_id, "✅");
    relayed.is_heard(&relayed.dave, "no flood", "<dave> no flood").await;
    assert_eq!(relayed.heard(), ["<dave> no flood"]);
    relayed.carol.react(room, &asked.event_id, "✅");
    relayed.bob.wait_text("<Carol> line 19").await;
    assert_eq!(relayed.heard().len(), 21);
    // Nor do commands of IRC programs go through somebody else's connection, or those for the bridge.
    relayed.carol.send_text(room, "/quit");
    homeserver.wait_event(room, begins("Your message was not sent")).await;
    relayed.carol.send_text(room, "!irc raw QUIT");
    homeserver.wait_event(room, begins("@carol:test.local: what you write here")).await;
    relayed.is_heard(&relayed.carol, "still here", "<Carol> still here").await;
}

/// A room found by alias, in which alice is, and carol, who may not use the bridge, can be; an administrator relays.
struct Found {
    world: World,
    bob: Person,
    carol: TestUser,
    alice: TestUser,
    admin: TestUser,
    /// The room of the relay's network.
    relay: String,
    room: String,
}

impl Found {
    async fn begin(builder: Builder) -> Self {
        let mut world = builder.without_bridge().await;
        world.forbid("@carol:test.local");
        world.start_bridge().await;
        let bob = world.ircd.person("bob");
        bob.join("#tea");
        let (carol, alice) = (world.homeserver.user("carol"), world.homeserver.user("alice"));
        let (admin, _, relay) = with_relay(&world).await;
        let room = alice.join(ALIAS).await;
        world.ircd.wait_joined("#tea", "alice").await;
        ask(&world, &admin, &relay, "relay #tea", "goes there through FakeNet").await;
        world.ircd.wait_joined("#tea", RELAY).await;
        Self { world, bob, carol, alice, admin, relay, room }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_room_found_by_alias_who_may_not_be_in_the_channel_stays_while_they_are_relayed() {
    let Found { mut world, bob, carol, alice, admin, relay, room } = Found::begin(world()).await;
    carol.join(ALIAS).await;
    carol.send_text(&room, "may I come in?");
    assert_eq!(bob.wait_text("<carol> may I come in?").await.nick(), RELAY);
    // Before, who typed a command was taken out of the room.
    carol.send_text(&room, "!irc help");
    world.homeserver.wait_event(&room, begins("Commands are not taken in a room that people share")).await;
    // Who may be in the channel is there as themselves.
    alice.send_text(&room, "of course");
    assert_eq!(bob.wait_text("of course").await.nick(), "alice");
    admin.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "admin").await;
    admin.send_text(&room, "as you like");
    assert_eq!(bob.wait_text("as you like").await.nick(), "admin");
    // A start looks through the room, and removes nobody who is relayed.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", RELAY).await;
    carol.send_text(&room, "still here");
    assert_eq!(bob.wait_text("<carol> still here").await.nick(), RELAY);
    ask(&world, &admin, &relay, "relay #tea off", "Nobody is relayed").await;
    world.homeserver.wait_member(&room, carol.id(), "leave").await;
    world.ircd.wait_parted("#tea", RELAY).await;
    let there: Vec<String> = world.homeserver.members(&room, "join");
    assert!(there.contains(&admin.id().to_owned()) && there.contains(&alice.id().to_owned()), "{there:?}");
}

/// Before, a reply had any line said on IRC whose event its writer could name (as in CVE-2024-32000).
#[rstest]
#[case::in_words(&["message-tags"])]
#[case::by_a_tag(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_relayed_quotes_nothing_from_before_they_came_into_a_room_found_by_alias(
    #[case] lacks: &[&str],
) {
    let builder = world().ircd(Options::with_history().without(lacks));
    let Found { world, bob, carol, room, .. } = Found::begin(builder).await;
    let say = async |line: &str| {
        bob.say("#tea", line);
        world.homeserver.wait_message(&room, line).await.event_id
    };
    let is_shown = async |to: &str, text: &str| {
        carol.reply(&room, to, text);
        let line = world.ircd.wait_line(|_, line| line.ends_with(text)).await.line();
        line.contains("+draft/reply=") || !line.ends_with(&format!("PRIVMSG #tea :<carol> {text}"))
    };
    let before = say("the door's code is 1234").await;
    carol.join(ALIAS).await;
    assert!(!is_shown(&before, "what was it?").await);
    let since = say("good evening").await;
    assert!(is_shown(&since, "and to you").await);
    // Who comes again was not there in between.
    carol.leave(&room);
    world.homeserver.wait_member(&room, carol.id(), "leave").await;
    let between = say("now it is 5678").await;
    carol.join(ALIAS).await;
    assert!(!is_shown(&between, "and now?").await);
    assert!(!is_shown(&since, "thanks anyway").await);
}

/// Before, that was so in a room found by its alias alone. A room of other people may show its history to those who were there
/// alone, and whoever joins it can know an event's id.
#[rstest]
#[case::in_words(&["message-tags"])]
#[case::by_a_tag(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_relayed_quotes_nothing_from_before_they_came_into_a_plumbed_room(#[case] lacks: &[&str]) {
    let network = Options::with_history().without(lacks);
    let relayed = Relayed::begin(World::builder().ircd(network)).await;
    let (world, room) = (&relayed.world, &relayed.room);
    let erin = world.homeserver.user("erin");
    let say = async |line: &str| {
        relayed.bob.say("#tea", line);
        world.homeserver.wait_message(room, line).await.event_id
    };
    let is_shown = async |user: &TestUser, name: &str, to: &str, text: &str| {
        user.reply(room, to, text);
        let line = world.ircd.wait_line(|_, line| line.ends_with(text)).await.line();
        line.contains("+draft/reply=") || !line.ends_with(&format!("PRIVMSG #tea :<{name}> {text}"))
    };
    let before = say("the door's code is 1234").await;
    erin.join(room).await;
    assert!(!is_shown(&erin, "erin", &before, "what was it?").await);
    assert!(is_shown(&relayed.carol, "Carol", &before, "so it is").await, "she was there");
    let since = say("good evening").await;
    assert!(is_shown(&erin, "erin", &since, "and to you").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_ends_with_its_owners_right_to_it() {
    let relayed = Relayed::start().await;
    relayed.is_heard(&relayed.carol, "hello", "<Carol> hello").await;
    let mut world = relayed.world;
    world.stop_bridge().await;
    let mut config = world.config();
    config.permissions = Permissions::new([("test.local".to_owned(), Permission::User)]);
    world.start_bridge_with(config).await;
    world.ircd.wait_joined("#tea", RELAY).await;
    relayed.carol.send_text(&relayed.room, "hello?");
    world.homeserver.wait_event(&relayed.room, begins("@carol:test.local: what you write here")).await;
    assert_eq!(relayed.bob.messages("#tea").len(), 1);
}

/// Killed where an event has been given to the relay and nobody was told: it is said once.
#[cfg(feature = "failpoints")]
#[rstest]
#[case::to_the_relay("relay_placed:4")]
#[case::before_the_line_leaves("line_sending:4")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed_is_said_once_or_asked_about_whatever_crash_comes_between(#[case] point: &str) {
    let mut world = World::builder().without_bridge().await;
    let room = Relayed::tie(&mut world);
    let process = world.start_process();
    let relayed = Relayed::go_on(world, room).await;
    process.kill().await;
    relayed.world.ircd.wait_nobody_connected().await;
    let mut process = relayed.world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    relayed.world.ircd.wait_joined("#tea", RELAY).await;
    let texts: Vec<String> = (0..5).map(|number| format!("crash {number}")).collect();
    // One by one, since lines that wait together leave together: the fourth is the one that is killed.
    for text in &texts[..3] {
        relayed.is_heard(&relayed.carol, text, &format!("<Carol> {text}")).await;
    }
    texts[3..].iter().for_each(|text| drop(relayed.carol.send_text(&relayed.room, text)));
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    relayed.world.ircd.wait_nobody_connected().await;
    let _process = relayed.world.start_process();
    relayed.is_heard(&relayed.dave, "after it", "<dave> after it").await;
    let heard = relayed.heard();
    let asked = relayed.answers();
    for text in texts {
        let times = heard.iter().filter(|line| **line == format!("<Carol> {text}")).count();
        assert!(times == 1 || times == 0 && !asked.is_empty(), "{text}: {heard:?} {asked:?}");
    }
    let order: Vec<&String> = heard.iter().filter(|line| line.contains("crash")).collect();
    assert!(order.is_sorted(), "{heard:?}");
}
