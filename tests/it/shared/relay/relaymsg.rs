//! Where the network lets people be heard under nicks of their own (`RELAYMSG`).

use super::*;

impl Relayed {
    /// On a network with `RELAYMSG`, whose operator the relay is.
    async fn as_operator() -> Self {
        Self::as_operator_of(World::builder()).await
    }

    async fn as_operator_of(world: Builder) -> Self {
        let relayed = Self::begin(world.ircd(Options::with_relaymsg())).await;
        relayed.bob.mode("#tea", &format!("+o {RELAY}"));
        relayed.is_known().await;
        relayed
    }

    /// What has happened on IRC until now has reached the relay.
    async fn is_known(&self) {
        let marker = format!("marker {}", self.world.ircd.mark());
        self.bob.say("#tea", &marker);
        self.world.homeserver.wait_message(&self.room, &marker).await;
    }

    /// Who was heard, and with what.
    fn said(&self) -> Vec<(String, String)> {
        self.bob.messages("#tea")
    }

    async fn is_heard_as(&self, nick: &str, user: &TestUser, text: &str) -> String {
        let event = user.send_text(&self.room, text);
        assert_eq!(self.bob.wait_text(text).await.nick(), nick);
        event
    }

    fn tries(&self) -> usize {
        let lines = self.world.ircd.lines_from(RELAY);
        lines.iter().filter(|line| line.contains(" RELAYMSG ") || line.starts_with("RELAYMSG ")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_network_has_relaymsg_everybody_is_heard_under_a_nick_of_their_own() {
    let relayed = Relayed::as_operator().await;
    let (homeserver, room) = (&relayed.world.homeserver, &relayed.room);
    for number in 0..5 {
        relayed.carol.send_text(room, &format!("question {number}"));
        relayed.dave.send_text(room, &format!("answer {number}"));
    }
    let emote = json!({ "msgtype": "m.emote", "body": "waves" });
    relayed.carol.send(room, "m.room.message", emote);
    assert_eq!(relayed.bob.wait_text("\u{1}ACTION waves\u{1}").await.nick(), "Carol/m");
    relayed.dave.send_text(room, "two\nlines");
    assert_eq!(relayed.bob.wait_text("lines").await.nick(), "dave/m");
    let mut expected: Vec<(String, String)> = (0..5)
        .flat_map(|number| {
            [("Carol/m", format!("question {number}")), ("dave/m", format!("answer {number}"))]
        })
        .map(|(nick, text)| (nick.to_owned(), text))
        .collect();
    let rest = [("Carol/m", "\u{1}ACTION waves\u{1}"), ("dave/m", "two"), ("dave/m", "lines")];
    expected.extend(rest.map(|(nick, text)| (nick.to_owned(), text.to_owned())));
    assert_eq!(relayed.said(), expected);
    // What is said by notice has no such form.
    relayed.set("relay-notices on").await;
    relayed.carol.send(room, "m.room.message", json!({ "msgtype": "m.notice", "body": "beep" }));
    let heard = relayed.bob.wait_text("<Carol> beep").await;
    assert_eq!((heard.command.as_str(), heard.nick()), ("NOTICE", RELAY));
    // Others' are shown, ours are in the room already.
    relayed.world.ircd.send_raw(RELAY, b"@draft/relaymsg=x :eve/d!r@h PRIVMSG #tea :hi from afar\r\n");
    let other = homeserver.wait_message(room, "hi from afar").await;
    assert!(other.sender.contains("eve"), "{}", other.sender);
    relayed.world.wait_outbox_empty().await;
    let shown = homeserver.timeline_lines(room);
    assert_eq!(shown.iter().filter(|line| line.contains("question 3")).count(), 1, "{shown:?}");
    assert_eq!(relayed.answers(), Vec::<String>::new());
    let kept = "SELECT sender FROM history WHERE text = 'question 3' AND direction = 'out'";
    assert_eq!(relayed.world.database().texts(kept).await, ["Carol/m"]);
}

/// Before, each of them was put in front of those before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_under_nicks_keeps_its_order_when_the_network_takes_none_any_more() {
    let slow = World::builder().flood("{ burst: 2, interval_ms: 400 }");
    let relayed = Relayed::as_operator_of(slow).await;
    for number in 0..6 {
        let user = if number % 2 == 0 { &relayed.carol } else { &relayed.dave };
        user.send_text(&relayed.room, &format!("line {number}"));
    }
    relayed.bob.wait_text("line 0").await;
    relayed.world.ircd.send_raw(RELAY, format!(":fake.irc CAP {RELAY} DEL :draft/relaymsg\r\n").as_bytes());
    relayed.bob.wait_text("<dave> line 5").await;
    let heard: Vec<String> =
        relayed.heard().iter().filter_map(|text| Some(text[text.find("line ")?..].to_owned())).collect();
    let expected: Vec<String> = (0..6).map(|number| format!("line {number}")).collect();
    assert_eq!(heard, expected);
    assert_eq!(relayed.answers(), Vec::<String>::new());
}

/// Before, what another bridge said for somebody of the same name was never shown.
#[tokio::test(flavor = "multi_thread")]
async fn another_bridges_nick_that_is_one_of_ours_is_shown() {
    let relayed = Relayed::as_operator().await;
    relayed.is_heard_as("Carol/m", &relayed.carol, "it is me").await;
    relayed
        .world
        .ircd
        .send_raw(RELAY, b"@draft/relaymsg=other :Carol/m!r@h PRIVMSG #tea :it is me from elsewhere\r\n");
    relayed.world.homeserver.wait_message(&relayed.room, "it is me from elsewhere").await;
    relayed.world.wait_outbox_empty().await;
    let shown = relayed.world.homeserver.timeline_lines(&relayed.room);
    assert_eq!(shown.iter().filter(|line| line.contains("it is me")).count(), 2, "{shown:?}");
}

/// Before, nobody was told; or that it did not reach them, though it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_the_nick_that_somebody_is_heard_under_is_told_as_one_that_reaches_them() {
    let relayed = Relayed::as_operator().await;
    relayed.is_heard_as("Carol/m", &relayed.carol, "hello").await;
    relayed.bob.mode("#tea", "+b Carol/*!*@*");
    let is_told = |event: &Event| event.body().starts_with("bob banned Carol/*!*@* from #tea.");
    let told = relayed.world.homeserver.wait_event(&relayed.relay, is_told).await;
    let expected =
        "@carol:test.local, whom you relay, is heard as carol/m there: what they say may be refused";
    assert!(told.body().contains(expected), "{}", told.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_behind_their_nicks_is_a_setting_and_so_is_to_have_none() {
    let relayed = Relayed::as_operator().await;
    relayed.is_heard_as("Carol/m", &relayed.carol, "one").await;
    relayed.set("relay-tag matrix").await;
    relayed.is_heard_as("Carol/matrix", &relayed.carol, "two").await;
    relayed.set("relay-tag off").await;
    relayed.is_heard(&relayed.carol, "three", "<Carol> three").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_may_not_give_nicks_says_names_until_the_channels_modes_change_and_loses_nothing() {
    let relayed = Relayed::begin(World::builder().ircd(Options::with_relaymsg())).await;
    for number in 0..8 {
        let user = if number % 2 == 0 { &relayed.carol } else { &relayed.dave };
        user.send_text(&relayed.room, &format!("line {number}"));
    }
    relayed.is_heard(&relayed.carol, "that is all", "<Carol> that is all").await;
    let mut expected: Vec<String> = (0..8)
        .map(|number| format!("<{}> line {number}", if number % 2 == 0 { "Carol" } else { "dave" }))
        .collect();
    expected.push("<Carol> that is all".to_owned());
    assert_eq!(relayed.heard(), expected, "all, once and in order");
    assert_eq!(relayed.tries(), 1, "what was refused is not tried with each line");
    assert_eq!(relayed.answers(), Vec::<String>::new());
    let kept = "SELECT text FROM history WHERE direction = 'out' ORDER BY id";
    assert_eq!(relayed.world.database().texts(kept).await, expected, "the history has what others saw");
    relayed.bob.mode("#tea", &format!("+o {RELAY}"));
    relayed.is_known().await;
    relayed.is_heard_as("Carol/m", &relayed.carol, "as an operator").await;
    // A name that it does not take is one person's.
    relayed.world.ircd.refuse_relays(Some("INVALID_NICK"));
    relayed.is_heard(&relayed.carol, "again", "<Carol> again").await;
    relayed.world.ircd.refuse_relays(None);
    relayed.is_heard_as("dave/m", &relayed.dave, "not me").await;
    relayed.is_heard(&relayed.carol, "still", "<Carol> still").await;
    // And a ban is not gone around.
    relayed.world.ircd.refuse_relays(Some("BANNED"));
    let refused = relayed.dave.send_text(&relayed.room, "let me in");
    let told =
        relayed.world.homeserver.wait_event(&relayed.room, begins("Your message did not arrive")).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], refused.as_str());
    assert!(relayed.heard().iter().all(|line| !line.contains("let me in")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_taken_for_somebody_else_by_their_nick() {
    let relayed = Relayed::as_operator().await;
    relayed.is_heard_as("Carol/m", &relayed.carol, "it is me").await;
    for (name, text, begins) in [("Carol/m!", "me too", "Carol_m-"), ("Carol?", "no, me", "Carol-")] {
        relayed.dave.set_displayname(name);
        relayed.dave.send_text(&relayed.room, text);
        let nick = relayed.bob.wait_text(text).await.nick().to_owned();
        assert!(nick.starts_with(begins) && nick.ends_with("/m"), "{nick}");
    }
    relayed.is_heard_as("Carol/m", &relayed.carol, "still me").await;
    // However long the words are, others get all of them.
    let long = (0..90).map(|number| format!("wörd{number}")).collect::<Vec<_>>().join(" ");
    relayed.carol.send_text(&relayed.room, &long);
    relayed.is_heard_as("Carol/m", &relayed.carol, "end").await;
    let said: Vec<(String, String)> =
        relayed.said().into_iter().skip_while(|(_, text)| text != "still me").collect();
    let parts: Vec<&str> = said[1..said.len() - 1].iter().map(|(_, text)| text.as_str()).collect();
    assert!(parts.len() > 1 && said.iter().all(|(nick, _)| nick == "Carol/m"), "{said:?}");
    assert_eq!(parts.join(" "), long);
    let heard =
        |text: &str| format!(":Carol/m!{}@{} PRIVMSG #tea :{text}", "u".repeat(10), "h".repeat(63)).len();
    assert!(parts.iter().all(|text| heard(text) <= 510), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed_by_nick_is_not_shown_again_by_who_shows_the_channel_and_is_taken_back() {
    let mut world = World::builder().ircd(Options::with_relaymsg()).without_bridge().await;
    let room = Relayed::tie(&mut world);
    world.start_bridge().await;
    let alice = world.homeserver.user("alice");
    let (_, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    world.ircd.wait_registered("alice").await;
    alice.join(&room).await;
    alice.send_text(&room, "here I am");
    world.ircd.wait_joined("#tea", "alice").await;
    let relayed = Relayed::go_on(world, room).await;
    // Alice was there first.
    relayed.world.ircd.give("#tea", RELAY, 'o');
    let said = relayed.is_heard_as("Carol/m", &relayed.carol, "hello all").await;
    relayed.is_known().await;
    relayed.world.wait_outbox_empty().await;
    let shown = relayed.world.homeserver.timeline_lines(&relayed.room);
    assert_eq!(shown.iter().filter(|line| *line == "hello all").count(), 1, "{shown:?}");
    // Its id is known from its echo.
    let msgid = relayed.world.ircd.wait_msgid("hello all").await;
    relayed.carol.redact(&relayed.room, &said).unwrap();
    let taken = format!("REDACT #tea {msgid}");
    relayed.world.ircd.wait_line(|nick, line| nick == RELAY && line.contains(&taken)).await;
}
