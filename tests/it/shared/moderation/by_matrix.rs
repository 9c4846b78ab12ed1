//! What operators do in a shared room by Matrix's own means is done on IRC by their own connection, or put back.

use super::*;

impl Talk {
    /// Alice, an operator of #tea, with carol, and the ghosts of bob and dan.
    pub(super) async fn with_operator() -> Self {
        Self::operated(talk_with("PREFIX=(ohv)@%+").await).await
    }

    /// Alice becomes an operator.
    pub(super) async fn operated(talk: Self) -> Self {
        talk.bob.mode("#tea", "+o-t alice");
        talk.powers(&[(BOB, 50), (talk.alice.id(), 50)]).await;
        let known = |levels: &Value| levels["events"]["m.room.topic"] == 0;
        talk.world.homeserver.wait_state(&talk.room, LEVELS, "", known).await;
        talk
    }

    /// As [`Self::with_operator`], but IRC refuses whatever she does, which nobody knows yet.
    pub(super) async fn with_former_operator() -> Self {
        let talk = Self::with_operator().await;
        talk.world.ircd.take("#tea", "alice", 'o');
        talk
    }

    /// Waits until what is known on IRC by now is what the room has, whatever was put back in between.
    async fn settled(&self) {
        for nick in ["alice", "carol"] {
            self.heard(nick).await;
        }
        for (mode, level) in [("+m", 10), ("-m", 0)] {
            self.bob.mode("#tea", mode);
            let is_so = |levels: &Value| levels["events_default"] == level;
            self.world.homeserver.wait_state(&self.room, LEVELS, "", is_so).await;
        }
    }

    pub(super) async fn wait_line(&self, nick: &str, line: &str) {
        self.world.ircd.wait_line(|by, sent| by == nick && sent == line).await;
    }

    pub(super) async fn told(&self, nick: &str, words: &str) -> Event {
        let network = &self.networks[usize::from(nick == "carol")];
        self.world.homeserver.wait_event(network, |event| event.body().contains(words)).await
    }

    fn levels(&self) -> Value {
        self.world.homeserver.state(&self.room, LEVELS, "")
    }

    pub(super) fn set_level(&self, user: &str, level: Option<i64>) {
        let mut levels = self.levels();
        match level {
            Some(level) => levels["users"][user] = level.into(),
            None => _ = levels["users"].as_object_mut().unwrap().remove(user),
        }
        self.alice.send_state(&self.room, LEVELS, "", levels).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_operator_removes_from_the_room_they_kick_on_irc() {
    let talk = Talk::with_operator().await;
    talk.alice.kick(&talk.room, DAN, "enough").unwrap();
    talk.wait_line("alice", "KICK #tea dan :enough").await;
    talk.world.ircd.wait_parted("#tea", "dan").await;
    talk.alice.kick(&talk.room, talk.carol.id(), "you, too").unwrap();
    talk.wait_line("alice", "KICK #tea carol :you, too").await;
    talk.world.ircd.wait_parted("#tea", "carol").await;
    // Both may come again.
    talk.dan.join("#tea");
    talk.dan.say("#tea", "back");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "back").await.sender, DAN);
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_operator_bans_in_the_room_they_ban_and_kick_on_irc() {
    let talk = Talk::with_operator().await;
    talk.alice.ban(&talk.room, DAN).unwrap();
    talk.world.ircd.wait_line(|by, line| by == "alice" && line.starts_with("MODE #tea +b *!*@")).await;
    talk.world.ircd.wait_parted("#tea", "dan").await;
    // The ban is the channel's: a ghost that is heard again comes back.
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    talk.alice.ban(&talk.room, talk.carol.id()).unwrap();
    talk.world.ircd.wait_parted("#tea", "carol").await;
    // Others who use the bridge come from the same host.
    let is_ban = |by: &str, line: &str| {
        by == "alice" && line.starts_with("MODE #tea +b *!") && line.contains("carol@")
    };
    talk.world.ircd.wait_line(is_ban).await;
    // It is the channel's, which keeps her out, and lets her in when it is taken back there.
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.carol.join(ALIAS).await;
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not in #tea")).await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let banned =
        talk.world.ircd.lines().into_iter().map(|line| line.line()).find(|line| is_ban("alice", line));
    talk.bob.mode("#tea", &banned.unwrap().trim_start_matches("MODE #tea ").replace("+b", "-b"));
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_by_somebody_without_a_right_on_irc_is_invited_back_and_a_ghost_returns() {
    let talk = Talk::with_former_operator().await;
    talk.alice.kick(&talk.room, talk.carol.id(), "out").unwrap();
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    let told = talk.told("alice", "is invited back to the shared room of #tea").await;
    assert!(told.body().contains("not channel operator"), "{}", told.body());
    talk.carol.join(&talk.room).await;
    talk.carol.send_text(&talk.room, "here I am");
    talk.bob.wait_text("here I am").await;
    // All the time.
    let left = |line: &String| line.starts_with("PART") || line.starts_with("JOIN");
    let moves: Vec<String> = talk.world.ircd.lines_from("carol").into_iter().filter(left).collect();
    assert_eq!(moves, ["JOIN #tea"]);
    talk.alice.kick(&talk.room, DAN, "out").unwrap();
    talk.told("alice", "dan is as before").await;
    assert!(talk.world.ircd.names("#tea").iter().any(|nick| nick == "dan"));
    talk.dan.say("#tea", "still here");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "still here").await.sender, DAN);
}

/// Before, it stayed there until she left the channel.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_into_a_room_and_was_in_its_channel_all_the_while_has_no_ghost_there() {
    const CAROL: &str = "@irc_fake_carol:test.local";
    let talk = Talk::with_former_operator().await;
    talk.alice.kick(&talk.room, talk.carol.id(), "out").unwrap();
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.told("alice", "is invited back to the shared room of #tea").await;
    // Whoever comes has it looked at who is missing.
    let erin = talk.world.ircd.person("erin");
    erin.join("#tea");
    talk.world.homeserver.wait_member(&talk.room, CAROL, "join").await;
    talk.carol.join(&talk.room).await;
    talk.world.homeserver.wait_member(&talk.room, CAROL, "leave").await;
    // Nor does it come again.
    talk.world.ircd.person("frank").join("#tea");
    talk.world.homeserver.wait_member(&talk.room, "@irc_fake_frank:test.local", "join").await;
    assert!(!talk.world.homeserver.members(&talk.room, "join").contains(&CAROL.to_owned()));
    talk.carol.send_text(&talk.room, "here I am");
    talk.bob.wait_text("here I am").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_by_somebody_without_a_right_on_irc_is_lifted() {
    let talk = Talk::with_former_operator().await;
    talk.alice.ban(&talk.room, talk.carol.id()).unwrap();
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.alice.ban(&talk.room, DAN).unwrap();
    talk.told("alice", "dan is as before").await;
    talk.dan.say("#tea", "still here");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "still here").await.sender, DAN);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1349_powers_that_an_operator_gives_in_the_room_are_ranks_on_irc() {
    let talk = Talk::with_operator().await;
    let (alice, carol) = (talk.alice.id(), talk.carol.id());
    talk.set_level(carol, Some(10));
    talk.wait_line("alice", "MODE #tea +v carol").await;
    talk.settled().await;
    talk.powers(&[(BOB, 50), (alice, 50), (carol, 10)]).await;
    talk.set_level(carol, Some(25));
    talk.wait_line("alice", "MODE #tea -v+h carol carol").await;
    talk.settled().await;
    talk.powers(&[(BOB, 50), (alice, 50), (carol, 25)]).await;
    talk.set_level(carol, None);
    talk.wait_line("alice", "MODE #tea -h carol").await;
    talk.settled().await;
    talk.powers(&[(BOB, 50), (alice, 50)]).await;
    talk.set_level(DAN, Some(50));
    talk.wait_line("alice", "MODE #tea +o dan").await;
    talk.powers(&[(BOB, 50), (alice, 50), (DAN, 50)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_power_in_the_room_is_a_mode_on_irc() {
    let talk = Talk::with_operator().await;
    let mut levels = talk.levels();
    levels["events_default"] = 50.into();
    levels["events"]["m.room.topic"] = 50.into();
    talk.alice.send_state(&talk.room, LEVELS, "", levels).unwrap();
    talk.wait_line("alice", "MODE #tea +mt").await;
    let is_so = |levels: &Value| levels["events_default"] == 10 && levels["events"]["m.room.topic"] == 50;
    talk.world.homeserver.wait_state(&talk.room, LEVELS, "", is_so).await;
    talk.alice.send_state(&talk.room, RULES, "", json!({ "join_rule": "invite" })).unwrap();
    talk.wait_line("alice", "MODE #tea +i").await;
    talk.settled().await;
    talk.rule("invite").await;
    talk.alice.send_state(&talk.room, RULES, "", json!({ "join_rule": "public" })).unwrap();
    talk.wait_line("alice", "MODE #tea -i").await;
    talk.settled().await;
    talk.rule("public").await;
    talk.told_nothing("alice").await;
}

impl Talk {
    /// Nothing that they did was refused before what is refused now.
    async fn told_nothing(&self, nick: &str) {
        self.world.ircd.take("#tea", nick, 'o');
        self.alice.send_state(&self.room, "m.room.topic", "", json!({ "topic": "refused" })).unwrap();
        let topic = self.told(nick, "The topic is as before").await;
        let network = &self.networks[usize::from(nick == "carol")];
        let bodies = self.world.homeserver.timeline_bodies(network);
        let refused: Vec<&String> =
            bodies.iter().filter(|body| body.starts_with("Not done in #tea")).collect();
        assert_eq!(refused, [topic.body()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_power_levels_without_a_right_on_irc_is_put_back() {
    let talk = Talk::with_former_operator().await;
    let before = talk.levels();
    let mut levels = before.clone();
    levels["users"][talk.carol.id()] = 50.into();
    levels["users_default"] = 50.into();
    levels["events"]["com.example.mine"] = 0.into();
    talk.alice.send_state(&talk.room, LEVELS, "", levels).unwrap();
    talk.told("alice", "Its powers are as before").await;
    let is_so = |levels: &Value| *levels == before;
    talk.world.homeserver.wait_state(&talk.room, LEVELS, "", is_so).await;
    talk.alice.send_state(&talk.room, RULES, "", json!({ "join_rule": "invite" })).unwrap();
    talk.told("alice", "Who may join is as before").await;
    talk.rule("public").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_set_in_the_room_is_the_channels_or_is_put_back() {
    let talk = Talk::with_operator().await;
    let set = |user: &TestUser, topic: &str| {
        user.send_state(&talk.room, "m.room.topic", "", json!({ "topic": topic }))
    };
    set(&talk.carol, "anybody's").unwrap();
    talk.wait_line("carol", "TOPIC #tea :anybody's").await;
    talk.bob.mode("#tea", "+t");
    let locked = |levels: &Value| levels["events"]["m.room.topic"] == 50;
    talk.world.homeserver.wait_state(&talk.room, LEVELS, "", locked).await;
    assert_eq!(set(&talk.carol, "mine").unwrap_err().status, 403);
    set(&talk.alice, "an operator's").unwrap();
    talk.wait_line("alice", "TOPIC #tea :an operator's").await;
    talk.heard("alice").await;
    talk.world.ircd.take("#tea", "alice", 'o');
    set(&talk.alice, "a former operator's").unwrap();
    talk.told("alice", "The topic is as before").await;
    let is_back = |topic: &Value| topic["topic"] == "an operator's";
    talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", is_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_somebody_does_not_want_to_set_on_irc_is_put_back_in_the_room_that_others_read() {
    let talk = Talk::with_operator().await;
    talk.bob.topic("#tea", "bob's");
    let has = |wanted: &'static str| move |topic: &Value| topic["topic"] == wanted;
    talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", has("bob's")).await;
    let network = &talk.networks[0];
    talk.alice.send_text(network, "set topic-sync off");
    talk.world.homeserver.wait_event(network, begins("topic-sync off for fake")).await;
    talk.alice.send_state(&talk.room, "m.room.topic", "", json!({ "topic": "alice's" })).unwrap();
    talk.told("alice", "as set topic-sync says").await;
    talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", has("bob's")).await;
    // What one of them wants does not change what others read.
    talk.bob.topic("#tea", "bob's again");
    talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", has("bob's again")).await;
    talk.carol.send_state(&talk.room, "m.room.topic", "", json!({ "topic": "carol's" })).unwrap();
    talk.wait_line("carol", "TOPIC #tea :carol's").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shared_room_shows_of_topics_the_configuration_says() {
    let config = "settings: { topic-sync: matrix }\n";
    let talk = Talk::operated(Talk::begin(world().config(config).start().await).await).await;
    talk.bob.topic("#tea", "bob's");
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    talk.alice.send_state(&talk.room, "m.room.topic", "", json!({ "topic": "the room's" })).unwrap();
    talk.wait_line("alice", "TOPIC #tea :the room's").await;
    talk.heard("alice").await;
    let shown = |event: &Event| event.kind == "m.room.topic" && event.sender != talk.alice.id();
    assert!(!talk.world.homeserver.events(&talk.room).iter().any(shown));
}
