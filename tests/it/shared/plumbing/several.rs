//! Rooms that show several channels: what is said in them goes to each, and nothing is carried from one to another.

use super::*;
use crate::support::bridge::ask;
use crate::support::ircd::Heard;

mod commands;
mod fates;
mod people;
mod replaced;

/// Ghosts come when they speak, and not by themselves.
const WHEN_THEY_SPEAK: &str = "settings:\n  members: active\n";
const TEA_AND_ZOO: [(&str, &[&str]); 1] = [("fake", &["#tea", "#zoo"])];
const TEA_AND_DEN: [(&str, &[&str]); 2] = [("fake", &["#tea"]), ("other", &["#den"])];

/// Carol's room, in which alice is, who is on both networks. Bob is in all channels, which are of one server.
struct Square {
    world: World,
    alice: TestUser,
    carol: TestUser,
    bob: Person,
    control: String,
    fake: String,
    room: String,
}

/// Alice's nick.
fn nick_on(network: &str) -> &'static str {
    if network == "fake" { "alice" } else { "ally" }
}

impl Square {
    async fn build(builder: Builder) -> Self {
        Self::build_with(builder, "").await
    }

    /// With these settings for all, besides.
    async fn build_with(builder: Builder, settings: &str) -> Self {
        let settings = format!("{WHEN_THEY_SPEAK}{settings}");
        let world = builder.network("other", "OtherNet").config(&settings).start().await;
        let bob = world.ircd.person("bob");
        for channel in ["#tea", "#zoo", "#den"] {
            bob.join(channel);
        }
        let (alice, control, fake) = world.greeted_user("alice").await;
        ask(&world, &alice, &control, "open other", "Connecting to OtherNet").await;
        let other = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
        world.homeserver.wait_event(&other, begins("Connected to")).await;
        // Else whoever connects first would have her nick.
        alice.send_text(&other, "nick ally");
        world.ircd.wait_registered("ally").await;
        let carol = world.homeserver.user("carol");
        let room = carol.create_room(&PUBLIC);
        alice.join(&room).await;
        Self { world, alice, carol, bob, control, fake, room }
    }

    /// From the next start on the room shows these channels.
    async fn restart_with(&mut self, shown: &[(&str, &[&str])]) {
        self.world.stop_bridge().await;
        for network in ["fake", "other"] {
            let channels = shown.iter().filter(|(slug, _)| *slug == network).flat_map(|(_, names)| *names);
            let channels: Vec<String> = channels.map(|name| mapping(name, &self.room)).collect();
            self.world.plumb_on(network, &channels.join(", "));
        }
        self.world.start_bridge().await;
        for (network, channels) in shown {
            for channel in *channels {
                self.world.ircd.wait_joined(channel, nick_on(network)).await;
                self.shows(network, channel).await;
            }
        }
    }

    async fn open(shown: &[(&str, &[&str])]) -> Self {
        Self::open_in(World::builder(), shown).await
    }

    async fn open_in(builder: Builder, shown: &[(&str, &[&str])]) -> Self {
        let mut square = Self::build(builder).await;
        square.restart_with(shown).await;
        square
    }

    /// What bob says in a channel is shown by the ghost that he has on this network.
    async fn shows(&self, network: &str, channel: &str) {
        let text = format!("{channel} at {}", self.world.ircd.mark());
        self.bob.say(channel, &text);
        let shown = self.world.homeserver.wait_message(&self.room, &text).await;
        assert_eq!(shown.sender, format!("@irc_{network}_bob:test.local"));
    }

    async fn is_heard(&self, user: &TestUser, text: &str, in_channels: &[(&str, &str)]) -> String {
        let event = user.send_text(&self.room, text);
        for (channel, nick) in in_channels {
            let is_it = |heard: &Heard| heard.target() == *channel && heard.text() == text;
            assert_eq!(self.bob.wait_message(is_it).await.nick(), *nick, "{text} in {channel}");
        }
        event
    }

    /// What bob has heard in a channel.
    fn heard(&self, channel: &str) -> Vec<String> {
        self.bob.messages(channel).into_iter().map(|(_, text)| text).collect()
    }

    /// How often a line stands in the room.
    fn shown(&self, text: &str) -> usize {
        self.world.homeserver.timeline_lines(&self.room).iter().filter(|line| *line == text).count()
    }

    /// All that was said until now has gone where it belongs.
    async fn is_settled(&self) {
        self.world.homeserver.wait_delivered().await;
        self.world
            .database()
            .wait(
                "all is attended to",
                "SELECT event_id FROM inbox WHERE state = 'new'",
                <[String]>::is_empty,
            )
            .await;
        for nick in ["alice", "ally"] {
            self.world.pass(nick, Duration::ZERO).await;
        }
        self.world.wait_outbox_empty().await;
    }

    fn is_in(&self, user: &str) -> bool {
        self.world.homeserver.members(&self.room, "join").iter().any(|member| member == user)
    }

    /// It is not known of one of alice's messages whether it has arrived in #tea and #zoo, and she has it sent again to the
    /// latter. Gives its event.
    pub(super) async fn lose_and_send_again_to_zoo(&self) -> String {
        self.world.ircd.half_open("alice");
        let event = self.alice.send_text(&self.room, "is it lost?");
        for channel in ["#tea", "#zoo"] {
            let line = format!("PRIVMSG {channel} :is it lost?");
            self.world.ircd.wait_line(|_, one| one == line).await;
        }
        self.world.ircd.cut("alice");
        let mut asked = Vec::new();
        for channel in ["#tea", "#zoo"] {
            let words = format!("In {channel} on FakeNet your message may not have arrived");
            let is_it = |event: &Event| event.body().starts_with(&words);
            asked.push(self.world.homeserver.wait_event(&self.room, is_it).await);
        }
        self.world.ircd.wait_joined("#zoo", "alice").await;
        self.alice.react(&self.room, &asked[1].event_id, "✅");
        self.bob.wait_message(|heard| heard.target() == "#zoo" && heard.text() == "is it lost?").await;
        event
    }

    /// Alice leaves the room, and is in #tea and #zoo when she comes in again.
    pub(super) async fn leave_and_be_in_both_again(&self) {
        self.alice.leave(&self.room);
        self.world.ircd.wait_parted("#tea", "alice").await;
        self.is_settled().await;
        self.alice.join(&self.room).await;
        for channel in ["#tea", "#zoo"] {
            self.world.ircd.wait_joined(channel, "alice").await;
        }
        self.is_heard(&self.alice, "both again", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    }
}

#[rstest]
#[case::of_one_network(&TEA_AND_ZOO, ("fake", "#tea"), ("fake", "#zoo"))]
#[case::of_two_networks(&TEA_AND_DEN, ("fake", "#tea"), ("other", "#den"))]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_the_room_goes_to_each_channel_and_what_is_said_in_one_to_no_other(
    #[case] shown: &[(&str, &[&str])],
    #[case] one: (&str, &str),
    #[case] other: (&str, &str),
) {
    let square = Square::open(shown).await;
    let in_both = [(one.1, nick_on(one.0)), (other.1, nick_on(other.0))];
    square.is_heard(&square.alice, "good morning", &in_both).await;
    for (channel, text) in [(one.1, "only here"), (other.1, "only there")] {
        square.bob.say(channel, text);
        square.world.homeserver.wait_message(&square.room, text).await;
    }
    square.is_heard(&square.alice, "good night", &in_both).await;
    square.is_settled().await;
    for (_, channel) in [one, other] {
        assert_eq!(square.heard(channel), ["good morning", "good night"], "{channel}");
    }
    for text in ["good morning", "only here", "only there", "good night"] {
        assert_eq!(square.shown(text), 1, "{text}");
    }
    assert!(!square.is_in("@irc_fake_alice:test.local") && !square.is_in("@irc_other_ally:test.local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_an_edit_and_its_end_go_to_each_channel_as_the_others_there_saw_what_they_are_about() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let square = Square::open_in(World::builder().ircd(options), &TEA_AND_ZOO).await;
    let in_both = [("#tea", "alice"), ("#zoo", "alice")];
    square.bob.say("#tea", "green or black?");
    let question = square.world.homeserver.wait_message(&square.room, "green or black?").await;
    square.world.wait_outbox_empty().await;
    square.alice.reply(&square.room, &question.event_id, "black");
    for (channel, is_answer) in [("#tea", true), ("#zoo", false)] {
        let said =
            |nick: &str, line: &str| nick == "alice" && line.ends_with(&format!("PRIVMSG {channel} black"));
        let line =
            square.world.ircd.wait_line(|nick, line| said(nick, &line.replace(" :", " "))).await.line();
        assert_eq!(line.contains("+draft/reply="), is_answer, "{line}");
    }
    let typo = square.is_heard(&square.alice, "with mlik", &in_both).await;
    square.alice.edit(&square.room, &typo, "with milk");
    for (channel, _) in in_both {
        let is_it = |heard: &Heard| heard.target() == channel && heard.text() == "* with milk";
        square.bob.wait_message(is_it).await;
    }
    square.is_settled().await;
    square.alice.redact(&square.room, &typo).unwrap();
    for (channel, _) in in_both {
        let line = format!("REDACT {channel} ");
        square.world.ircd.wait_line(|_, one| one.starts_with(&line)).await;
    }
    square.is_settled().await;
    for (channel, _) in in_both {
        let line = format!("REDACT {channel} ");
        let lines = square.world.ircd.lines_from("alice");
        assert_eq!(lines.iter().filter(|one| one.starts_with(&line)).count(), 2, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_channel_does_not_take_is_told_of_that_channel_and_said_in_the_other() {
    let square = Square::open(&TEA_AND_ZOO).await;
    square.world.ircd.moderate("#zoo");
    let event = square.is_heard(&square.alice, "is it quiet here?", &[("#tea", "alice")]).await;
    let told = begins("In #zoo on FakeNet your message did not arrive");
    let told = square.world.homeserver.wait_event(&square.room, told).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event.as_str());
    square.is_settled().await;
    let answers = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(answers.iter().filter(|body| body.contains("your message")).count(), 1, "{answers:?}");
    assert_eq!(square.heard("#zoo"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_over_a_restart_goes_to_each_channel_once() {
    let mut square = Square::open(&TEA_AND_DEN).await;
    square.world.stop_bridge().await;
    let texts: Vec<String> = (0..5).map(|number| format!("line {number}")).collect();
    for text in &texts {
        square.alice.send_text(&square.room, text);
    }
    square.world.start_bridge().await;
    for (channel, nick) in [("#tea", "alice"), ("#den", "ally")] {
        let is_last = |heard: &Heard| heard.target() == channel && heard.text() == "line 4";
        assert_eq!(square.bob.wait_message(is_last).await.nick(), nick);
    }
    square.is_settled().await;
    for channel in ["#tea", "#den"] {
        assert_eq!(square.heard(channel), texts, "{channel}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_room_is_to_show_no_more_goes_and_the_others_stay() {
    let mut square = Square::open(&TEA_AND_DEN).await;
    square.restart_with(&[("fake", &["#tea"])]).await;
    square.world.ircd.wait_parted("#den", "ally").await;
    square.world.homeserver.wait_member(&square.room, "@irc_other_bob:test.local", "leave").await;
    square.bob.say("#den", "nobody hears this there");
    square.is_heard(&square.alice, "tea for two", &[("#tea", "alice")]).await;
    square.is_settled().await;
    assert_eq!((square.shown("nobody hears this there"), square.heard("#den").len()), (0, 0));
    assert!(square.is_in(&square.world.homeserver.bot()) && square.is_in("@irc_fake_bob:test.local"));
    // And one more comes back.
    square.restart_with(&TEA_AND_ZOO).await;
    square.is_heard(&square.alice, "and animals", &[("#tea", "alice"), ("#zoo", "alice")]).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_when_a_message_is_accepted_loses_it_for_neither_channel_and_says_it_twice_in_none() {
    let point = "inbox_committed:1";
    let mut square = Square::open(&TEA_AND_ZOO).await;
    square.world.stop_bridge().await;
    square.alice.send_text(&square.room, "before the crash");
    let mut process = square.world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    square.world.ircd.wait_nobody_connected().await;
    let _process = square.world.start_process();
    square.is_heard(&square.alice, "after the crash", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    for channel in ["#tea", "#zoo"] {
        assert_eq!(square.heard(channel), ["before the crash", "after the crash"], "{channel}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_two_channels_has_one_hourglass_where_the_homeserver_takes_no_second() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let refusal = Fault::Status(400, json!({ "errcode": "M_DUPLICATE_ANNOTATION", "error": "it is there" }));
    let reactions = format!("/rooms/{}/send/m.reaction", square.room);
    square.world.homeserver.faults().fail("PUT", &reactions, refusal, 1);
    square.alice.send_text(&square.fake, "disconnect");
    square.world.ircd.wait_gone("alice").await;
    let event = square.alice.send_text(&square.room, "slow");
    let is_it =
        |one: &Event| one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == event.as_str();
    let hourglass = square.world.homeserver.wait_event(&square.room, is_it).await;
    square.alice.send_text(&square.fake, "connect");
    for channel in ["#tea", "#zoo"] {
        square.bob.wait_message(|heard| heard.target() == channel && heard.text() == "slow").await;
    }
    let is_gone = |one: &Event| one.redacts.as_deref() == Some(&hourglass.event_id);
    square.world.homeserver.wait_event(&square.room, is_gone).await;
    let standing = "SELECT event_id FROM hourglass";
    square.world.database().wait("no hourglass is left", standing, <[String]>::is_empty).await;
    square.is_settled().await;
    let refused = square.world.database().texts("SELECT kind FROM outbox WHERE state = 'refused'").await;
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!((square.heard("#tea"), square.heard("#zoo")), (vec!["slow".into()], vec!["slow".into()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_have_arrived_is_asked_for_each_channel_and_sent_again_to_the_one_that_is_answered_for()
{
    let square = Square::open(&TEA_AND_ZOO).await;
    square.lose_and_send_again_to_zoo().await;
    square.is_heard(&square.alice, "enough", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    assert_eq!(square.heard("#tea"), ["enough"]);
    assert_eq!(square.heard("#zoo"), ["is it lost?", "enough"]);
}
