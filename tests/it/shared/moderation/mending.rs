//! What was wrong with the moderation of shared rooms, each named after the bug.

use super::*;

/// Before, it was mute for good there, and nobody was told.
#[rstest]
#[case::for_invited_people("+i")]
#[case::with_a_key("+k earlgrey")]
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_is_not_in_a_closed_room_yet_comes_in_when_it_speaks(#[case] close: &str) {
    let config = "settings:\n  members: active\n";
    let talk = Talk::begin(world().config(config).start().await).await;
    talk.bob.mode("#tea", close);
    talk.rule("invite").await;
    assert!(!talk.world.homeserver.members(&talk.room, "join").contains(&DAN.to_owned()));
    talk.dan.say("#tea", "from the first time on");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "from the first time on").await.sender, DAN);
}

/// Before, whoever came back to a channel was mute in its closed room.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_has_left_a_closed_room_returns_to_it() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "join").await;
    talk.bob.mode("#tea", "+k earlgrey");
    talk.rule("invite").await;
    talk.dan.part("#tea", "");
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    talk.dan.raw_line("JOIN #tea earlgrey");
    talk.dan.say("#tea", "here again");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "here again").await.sender, DAN);
}

/// Before, they had it again, and nobody looked until some rank or mode changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_is_let_speak_gives_nobody_back_a_power_that_they_lose_meanwhile() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+mo alice");
    talk.moderated().await;
    talk.powers(&[(BOB, 50), (talk.alice.id(), 50)]).await;
    let path = format!("{}/state/{LEVELS}", talk.room);
    let before = talk.world.homeserver.requests("PUT", &path);
    talk.world.homeserver.faults().fail("PUT", &path, Fault::Late(Duration::from_secs(3)), 1);
    talk.receives("alice", ":dan!dan@host PRIVMSG #tea :as an exception");
    talk.world.homeserver.wait_requests("PUT", &path, before + 1).await;
    talk.bob.mode("#tea", "-o alice");
    talk.world.homeserver.wait_message(&talk.room, "as an exception").await;
    talk.powers(&[(BOB, 50), (DAN, 10)]).await;
}

/// Before, yesterday's operators had their powers for as long as the network could not be reached.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_keeps_a_power_over_a_start_while_nobody_is_connected() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(BOB, 50), (talk.carol.id(), 50)]).await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.ircd.refuse();
    talk.world.start_bridge().await;
    talk.powers(&[]).await;
}

/// Before, the ban stayed in the room, with none in the channel, and nobody knew.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_somebody_who_was_removed_before_does_not_stay_in_the_room() {
    let talk = Talk::with_operator().await;
    talk.alice.kick(&talk.room, talk.carol.id(), "first").unwrap();
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.alice.ban(&talk.room, talk.carol.id()).unwrap();
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.told("alice", "@carol:test.local is not banned").await;
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_somebody_who_never_came_does_not_stay_in_the_room() {
    let talk = Talk::with_operator().await;
    let erin = talk.world.homeserver.user("erin");
    talk.alice.ban(&talk.room, erin.id()).unwrap();
    talk.world.homeserver.wait_member(&talk.room, erin.id(), "leave").await;
    talk.told("alice", "@erin:test.local is not banned").await;
    erin.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "erin").await;
}

/// Before, they were locked out for good, and who banned them was not told.
#[rstest]
#[case::removed(false)]
#[case::banned(true)]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_while_their_connection_is_down_is_invited_back(#[case] is_ban: bool) {
    let talk = Talk::with_operator().await;
    talk.world.ircd.refuse();
    talk.world.ircd.cut("carol");
    talk.world.ircd.wait_gone("carol").await;
    talk.heard("alice").await;
    if is_ban {
        talk.alice.ban(&talk.room, talk.carol.id()).unwrap();
    } else {
        talk.alice.kick(&talk.room, talk.carol.id(), "out").unwrap();
    }
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.told("alice", "is invited back to the shared room of #tea").await;
    talk.world.ircd.welcome().await;
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

/// Before, it was a kick on IRC of whoever had the nick.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_of_a_ghost_that_is_withdrawn_kicks_nobody() {
    let config = "settings:\n  members: active\n";
    let talk = Talk::operated(Talk::begin(world().config(config).start().await).await).await;
    // Before the bridge reads of it.
    talk.world.homeserver.hold_transactions(true);
    talk.alice.invite(&talk.room, DAN);
    talk.alice.kick(&talk.room, DAN, "not you").unwrap();
    talk.world.homeserver.hold_transactions(false);
    // Behind it in the same lane.
    talk.alice.send_text(&talk.room, "it was not meant so");
    talk.bob.wait_text("it was not meant so").await;
    assert!(!talk.world.ircd.lines_from("alice").iter().any(|line| line.starts_with("KICK")));
}

/// Before, the invitation hung there, and nobody was invited.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_to_the_room_as_a_ghost_is_invited_on_irc() {
    let talk = Talk::with_operator().await;
    talk.dan.part("#tea", "");
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    talk.alice.invite(&talk.room, DAN);
    talk.wait_line("alice", "INVITE dan #tea").await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    talk.dan.join("#tea");
    talk.dan.say("#tea", "thanks");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "thanks").await.sender, DAN);
}

/// Before, they kept it until somebody else came or a mode changed.
#[rstest]
#[case::in_a_netsplit("QUIT :a.example.org b.example.org")]
#[case::as_their_connection_is_given_up("QUIT :Ping timeout: 240 seconds")]
#[case::by_parting("PART #tea")]
#[case::by_being_kicked_out("")]
#[tokio::test(flavor = "multi_thread")]
async fn who_was_seen_to_go_has_no_power_though_their_own_connection_does_not_know_it(#[case] line: &str) {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(BOB, 50), (talk.carol.id(), 50)]).await;
    let line = match line {
        "" => ":bob!bob@host KICK #tea carol :out".to_owned(),
        line => format!(":carol!carol@host {line}"),
    };
    talk.receives("alice", &line);
    talk.powers(&[(BOB, 50)]).await;
}

/// Before, the closed room let nobody in again whom its channel would have let in.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_outside_a_closed_channel_for_too_long_is_invited_back_to_its_room() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+k earlgrey");
    talk.rule("invite").await;
    talk.heard("carol").await;
    talk.world.ircd.ban_joins("#tea", 437);
    talk.world.ircd.cut("carol");
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not in #tea")).await;
    for _ in 0..16 {
        talk.world.pass("carol", Duration::from_mins(1)).await;
    }
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.told("carol", "You are invited back: to try again, accept that.").await;
    talk.world.ircd.allow_joins("#tea");
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_irc_invites_to_a_closed_channel_that_they_were_kicked_out_of_is_invited_to_its_room() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+i");
    talk.rule("invite").await;
    talk.bob.kick("#tea", "carol", "out");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.told("carol", "Its room is for invited people, as the channel is").await;
    talk.bob.invite("carol", "#tea");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_a_closed_channels_room_gives_the_key_and_is_invited_to_it() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+k earlgrey");
    talk.rule("invite").await;
    talk.carol.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.carol.send_text(&talk.networks[1], "join #tea earlgrey");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

/// Before, each that was ever heard stayed in the powers for as long as the channel was moderated.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_has_left_has_no_voice_in_a_moderated_channels_room_any_more() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+m");
    talk.moderated().await;
    talk.receives("alice", ":dan!dan@host PRIVMSG #tea :as an exception");
    talk.world.homeserver.wait_message(&talk.room, "as an exception").await;
    talk.powers(&[(BOB, 50), (DAN, 10)]).await;
    talk.dan.part("#tea", "");
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    talk.powers(&[(BOB, 50)]).await;
}

/// Before, no power was taken from anybody any more where the list was too long for an event.
#[tokio::test(flavor = "multi_thread")]
async fn powers_that_are_too_many_for_an_event_are_those_of_people_alone() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+m");
    talk.moderated().await;
    let path = format!("{}/state/{LEVELS}", talk.room);
    let refusal = json!({ "errcode": "M_TOO_LARGE", "error": "event too large" });
    talk.world.homeserver.faults().fail("PUT", &path, Fault::Status(413, refusal), 1);
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(talk.carol.id(), 50)]).await;
}

/// Before, each line asked once more, and what the user asked the server for was refused for as long.
#[tokio::test(flavor = "multi_thread")]
async fn modes_that_are_in_doubt_are_asked_for_once_and_not_at_each_line() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.powers(&[(BOB, 50)]).await;
    talk.world.ircd.ignore_modes(true);
    let asked = || talk.world.ircd.lines_from("alice").iter().filter(|line| *line == "MODE #tea").count();
    let (before, mark) = (asked(), talk.world.ircd.mark());
    for _ in 0..5 {
        talk.receives("alice", ":bob!bob@host MODE #tea +Xo alice");
    }
    talk.world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line == "MODE #tea").await;
    talk.heard("alice").await;
    assert_eq!(asked(), before + 1);
}

/// Before, it stayed, where anybody may set the topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_the_same_words_that_looks_otherwise_is_put_back() {
    let talk = Talk::with_operator().await;
    talk.bob.topic("#tea", "Earl Grey");
    let is_it = |topic: &Value| topic["topic"] == "Earl Grey";
    let before = talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", is_it).await;
    talk.heard("carol").await;
    let html = json!([{ "mimetype": "text/html", "body": "<h1>Lapsang</h1>" }]);
    let other = json!({ "topic": "Earl Grey", "m.topic": { "m.text": html } });
    talk.carol.send_state(&talk.room, "m.room.topic", "", other).unwrap();
    talk.world.homeserver.wait_state(&talk.room, "m.room.topic", "", |topic| *topic == before).await;
}

/// Before, each ghost with a rank that came or went was a change of the powers that everybody in the room was sent.
#[tokio::test(flavor = "multi_thread")]
async fn ghosts_have_powers_only_while_not_everybody_speaks() {
    let talk = Talk::with_operator().await;
    talk.bob.mode("#tea", "+mv dan");
    talk.moderated().await;
    talk.powers(&[(BOB, 50), (talk.alice.id(), 50), (DAN, 10)]).await;
    talk.bob.mode("#tea", "-m");
    let everybody = |levels: &Value| levels["events_default"] == 0;
    let levels = talk.world.homeserver.wait_state(&talk.room, LEVELS, "", everybody).await;
    assert_eq!((&levels["users"][BOB], &levels["users"][DAN]), (&Value::Null, &Value::Null));
    assert_eq!(levels["users"][talk.alice.id()], 50);
}

/// Before, it was put back without a word.
#[tokio::test(flavor = "multi_thread")]
async fn who_changes_powers_while_their_connection_is_down_is_told_that_it_is_not_done() {
    let talk = Talk::with_operator().await;
    let path = format!("{}/state/{LEVELS}", talk.room);
    let before = talk.world.homeserver.requests("PUT", &path);
    // Their own power is taken from them no sooner than they have used it.
    talk.world.homeserver.faults().fail("PUT", &path, Fault::Hang, 1);
    talk.world.ircd.refuse();
    talk.world.ircd.cut("alice");
    talk.world.homeserver.wait_requests("PUT", &path, before + 1).await;
    talk.set_level(talk.carol.id(), Some(50));
    talk.told("alice", "You are not in the channel now, by your own connection.").await;
}

/// Before, whoever had no right on IRC any more put people out of the channel, in which IRC kept them, and which did not let
/// them in again where it was closed.
#[rstest]
#[case::who_lets_it_lie(false)]
#[case::who_declines(true)]
#[tokio::test(flavor = "multi_thread")]
async fn whom_irc_keeps_is_in_the_channel_until_they_decline_to_come_back_to_its_room(
    #[case] declines: bool,
) {
    let talk = Talk::with_former_operator().await;
    talk.alice.kick(&talk.room, talk.carol.id(), "out").unwrap();
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.heard("carol").await;
    assert!(talk.world.ircd.names("#tea").contains(&"carol".to_owned()));
    if declines {
        talk.carol.leave(&talk.room);
    } else {
        talk.world.pass("carol", Duration::from_mins(14)).await;
        assert!(talk.world.ircd.names("#tea").contains(&"carol".to_owned()));
        talk.world.pass("carol", Duration::from_mins(1)).await;
    }
    talk.world.ircd.wait_parted("#tea", "carol").await;
}

/// Before, each was put back and then done, and who made the next from what was put back took the one before away.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_that_irc_gives_is_not_put_back_first() {
    let talk = Talk::with_operator().await;
    let path = format!("{}/state/{LEVELS}", talk.room);
    let before = talk.world.homeserver.requests("PUT", &path);
    talk.set_level(talk.carol.id(), Some(50));
    talk.wait_line("alice", "MODE #tea +o carol").await;
    talk.set_level(DAN, Some(10));
    talk.wait_line("alice", "MODE #tea +v dan").await;
    talk.bob.mode("#tea", "+m");
    talk.powers_with_dan(&[(BOB, 50), (talk.alice.id(), 50), (talk.carol.id(), 50)]).await;
    let lines = talk.world.ircd.lines_from("alice");
    let modes: Vec<&String> =
        lines.iter().filter(|line| line.starts_with("MODE #tea ") && line.contains(' ')).collect();
    assert!(!modes.iter().any(|line| line.contains("-o") || line.contains("-v")), "{modes:?}");
    // The ghost's is not listed where everybody speaks, and then it is.
    let sent = talk.world.homeserver.requests("PUT", &path) - before;
    assert!(sent <= 2, "{sent} changes of powers by the bridge");
}

/// Before, it stayed: who may change powers may let themselves set what is not listed.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_an_operator_gives_the_room_by_listing_it_is_cleared() {
    let talk = Talk::with_operator().await;
    // Before the bridge reads of it.
    talk.world.homeserver.hold_transactions(true);
    let mut levels = talk.world.homeserver.state(&talk.room, LEVELS, "");
    levels["events"]["com.example.mine"] = 0.into();
    talk.alice.send_state(&talk.room, LEVELS, "", levels).unwrap();
    talk.alice.send_state(&talk.room, "com.example.mine", "", json!({ "is": "mine" })).unwrap();
    talk.world.homeserver.hold_transactions(false);
    let is_empty = |content: &Value| *content == json!({});
    talk.world.homeserver.wait_state(&talk.room, "com.example.mine", "", is_empty).await;
    let is_back = |levels: &Value| levels["events"]["com.example.mine"].is_null();
    talk.world.homeserver.wait_state(&talk.room, LEVELS, "", is_back).await;
}

/// Before, they were out of both.
#[tokio::test(flavor = "multi_thread")]
async fn whom_an_exception_lets_in_all_the_same_is_not_taken_out_by_a_ban() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+e carol!*@*");
    talk.bob.mode("#tea", "+b carol!*@*");
    talk.wait_line("carol", "MODE #tea +e").await;
    talk.heard("carol").await;
    // Another whom none lets in.
    let erin = talk.world.homeserver.user("erin");
    erin.join(ALIAS).await;
    erin.send_text(&talk.room, "erin is here");
    talk.bob.wait_text("erin is here").await;
    talk.bob.mode("#tea", "+b erin!*@*");
    talk.world.homeserver.wait_member(&talk.room, erin.id(), "leave").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.carol.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_modes_is_a_few_changes_of_powers() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    let path = format!("{}/state/{LEVELS}", talk.room);
    let before = talk.world.homeserver.requests("PUT", &path);
    let begun = crate::support::clock::now();
    for _ in 0..20 {
        for change in ["+v alice", "-v alice", "+v carol", "-v carol"] {
            talk.bob.mode("#tea", change);
        }
    }
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(talk.carol.id(), 50)]).await;
    let sent = talk.world.homeserver.requests("PUT", &path) - before;
    // One for each half of a second that it takes, however slow the machine is.
    let most = (crate::support::clock::now() - begun) / 500 + 1;
    assert!(sent as u64 <= most, "{sent} changes for 81 lines, where {most} may be");
}

/// Before, who was taken out of it before the server had told the channel's modes was not invited back.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_room_is_known_to_be_closed_after_a_restart_though_nobody_tells() {
    let mut talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+ko earlgrey carol");
    talk.rule("invite").await;
    talk.powers(&[(talk.carol.id(), 50)]).await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.ircd.refuse();
    talk.world.start_bridge().await;
    // What nobody knows stays as it was, but for powers.
    talk.powers(&[]).await;
    talk.rule("invite").await;
    talk.carol.send_text(&talk.networks[1], "disconnect");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
}

/// Before, the ban was neither in the channel nor told of, or stood in the room for good.
#[cfg(feature = "failpoints")]
#[rstest]
#[case::before_irc_is_asked("put_out:1")]
#[case::when_irc_has_answered("put_out_done:1")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_somebody_is_banned_leaves_no_ban_in_the_room_and_the_operator_is_told(
    #[case] point: &str,
) {
    let world = world().without_bridge().await;
    let mut process = world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    let talk = Talk::operated(Talk::begin(world).await).await;
    talk.alice.ban(&talk.room, talk.carol.id()).unwrap();
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    talk.world.ircd.wait_nobody_connected().await;
    let _process = talk.world.start_process();
    talk.told("alice", "@carol:test.local is not banned").await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    // Nor is she in the channel, with her own connection.
    talk.world.ircd.wait_registered("carol").await;
    talk.heard("carol").await;
    assert!(!talk.world.ircd.names("#tea").contains(&"carol".to_owned()));
}

/// Before, the kick was neither done nor told of: she was out of the room, whether or not the other might have put her out.
#[cfg(feature = "failpoints")]
#[rstest]
#[case::before_irc_is_asked("put_out:1")]
#[case::when_irc_has_answered("put_out_done:1")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_somebody_is_put_out_has_them_invited_back_and_the_operator_is_told(
    #[case] point: &str,
) {
    let world = world().without_bridge().await;
    let mut process = world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    let talk = Talk::operated(Talk::begin(world).await).await;
    talk.alice.kick(&talk.room, talk.carol.id(), "out").unwrap();
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    talk.world.ircd.wait_nobody_connected().await;
    let _process = talk.world.start_process();
    talk.told("alice", "It is not known whether @carol:test.local was put out of #tea on IRC").await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.world.ircd.wait_registered("carol").await;
    talk.heard("carol").await;
    assert!(!talk.world.ircd.names("#tea").contains(&"carol".to_owned()));
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

/// Before, nobody was told, and the ghost came back.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_ghost_is_put_out_is_told_of_once_and_the_ghost_comes_back() {
    let world = world().without_bridge().await;
    let mut process = world.start_process_with(&[(towline::failpoint::VARIABLE, "ghost_put_out:1")]);
    let mut talk = Talk::operated(Talk::begin(world).await).await;
    talk.alice.kick(&talk.room, DAN, "out").unwrap();
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    talk.world.ircd.wait_nobody_connected().await;
    let words = "It is not known whether @irc_fake_dan:test.local was put out of #tea on IRC";
    let process = talk.world.start_process();
    talk.told("alice", words).await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "join").await;
    drop(process);
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.start_bridge().await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.heard("alice").await;
    let told = talk.world.homeserver.timeline_bodies(&talk.networks[0]);
    assert_eq!(told.iter().filter(|body| body.starts_with(words)).count(), 1, "{told:?}");
}
