//! What was wrong in shared rooms at first: each test has the name of it.

use serde_json::{Value, json};

use super::*;
use crate::support::ircd::Options;

/// Before, whom the person ignored whose connection shows the channel nobody in the room heard.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_one_ignores_who_shows_a_channel_is_shown_to_the_others() {
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, network) = (&talk.world.homeserver, &talk.networks[0]);
    talk.alice.send_text(network, "ignore bob");
    let answer = homeserver.wait_event(network, begins("bob!*@* is ignored on fake")).await;
    assert!(answer.body().contains("In rooms that you share with others it is shown"), "{}", answer.body());
    let calls = async |text: &str| {
        talk.bob.say("#tea", text);
        let shown = homeserver.wait_message(&talk.room, text).await;
        shown.content["m.mentions"]["user_ids"].clone()
    };
    assert_eq!(calls("alice and carol, do you hear me?").await, json!([talk.carol.id()]));
    // What is for her alone is not shown.
    talk.bob.say("alice", "and you?");
    talk.heard("alice").await;
    assert!(homeserver.rooms_named("bob").is_empty());
    assert!(!homeserver.timeline_bodies(network).iter().any(|body| body.contains("and you?")));
    // Of one who does not show the channel nobody is called either.
    talk.alice.send_text(network, "unignore bob");
    homeserver.wait_event(network, begins("bob!*@* is not ignored")).await;
    talk.carol.send_text(&talk.networks[1], "ignore bob");
    homeserver.wait_event(&talk.networks[1], begins("bob!*@* is ignored on fake")).await;
    assert_eq!(calls("carol and alice, once more").await, json!([talk.alice.id()]));
}

/// Before, the end of the link was one commit and the request that takes them out another.
#[tokio::test(flavor = "multi_thread")]
async fn who_loses_their_place_while_the_homeserver_fails_is_removed_after_the_next_start() {
    let mut talk = Talk::begin(world().start().await).await;
    let path = format!("/rooms/{}/state/m.room.member/{}", talk.room, talk.carol.id());
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    talk.world.homeserver.faults().fail("PUT", &path, failure, 10_000);
    talk.carol.send_text(&talk.networks[1], "part #tea");
    talk.world.homeserver.wait_requests("PUT", &path, 1).await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
}

/// Before, somebody who was deleted read on for as long as they said nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_shared_room_and_not_in_its_channel_is_removed_at_the_start() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.database.execute(UNLINK_CAROL).await;
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", talk.carol.id())["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("You are not in #tea any more"), "{reason}");
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.alice.id().to_owned()));
}

/// Before, the link went and the person stayed.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_is_removed_from_the_shared_rooms_that_they_were_in() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    std::fs::rename(talk.world.config_file(), talk.world.directory.path().join("config.yaml")).unwrap();
    let words = ["user", "delete", talk.carol.id(), "--yes"];
    let (code, said) = crate::rotation::towline(&talk.world, &words).await;
    assert_eq!(code, 0, "{said}");
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", talk.carol.id())["reason"].clone();
    assert_eq!(reason, "You do not use this bridge any more.");
    talk.world.ircd.wait_joined("#tea", "alice").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.alice.id().to_owned()));
}

pub(super) async fn look_for(world: &World, localpart: &str) {
    let url = format!("{}/_matrix/app/v1/rooms/%23{localpart}:test.local", world.appservice_url());
    let request = crate::support::homeserver::client().get(url);
    let answer = request.bearer_auth(world.homeserver.hs_token()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_while_the_bridge_is_down_is_not_removed_before_it_hears_of_that() {
    let mut talk = Talk::begin(world().start().await).await;
    // Nobody comes, so its alias goes at the next start, behind the look through all members.
    look_for(&talk.world, "irc_fake_%23pot").await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.hold_transactions(true);
    let dave = talk.world.homeserver.user("dave");
    assert_eq!(dave.join(ALIAS).await, talk.room);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_alias("#irc_fake_#pot:test.local", None).await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&dave.id().to_owned()));
    talk.world.homeserver.hold_transactions(false);
    talk.world.ircd.wait_joined("#tea", "dave").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&dave.id().to_owned()));
}

/// Before, it kept the alias for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_nobody_holds_loses_its_alias_until_somebody_looks_for_it() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    talk.alice.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "alice").await;
    talk.heard("carol").await;
    homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
    talk.carol.send_text(&talk.networks[1], "part #tea");
    homeserver.wait_alias(ALIAS, None).await;
    homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    assert_eq!(talk.alice.join(ALIAS).await, talk.room, "nobody reads there what was said without them");
    homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.bob.say("#tea", "as before");
    homeserver.wait_message(&talk.room, "as before").await;
}

/// What was said, as its event and its id on IRC, once its event is known to the store.
async fn shown(talk: &Talk, text: &str) -> (String, String) {
    let event = talk.world.homeserver.wait_message(&talk.room, text).await.event_id;
    talk.world.wait_outbox_empty().await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    (event, talk.world.ircd.wait_msgid(text).await)
}

/// Before, only the session that had shown a line knew of which message its event was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_about_a_message_finds_it_whoever_has_shown_it() {
    let talk = Talk::begin(world().ircd(Options::with_history()).start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    talk.bob.say("#tea", "who is there?");
    let (question, msgid) = shown(&talk, "who is there?").await;
    // Of what alice's connection has shown, through carol's own.
    talk.carol.reply(&talk.room, &question, "me");
    let line = ircd.wait_line(|nick, line| nick == "carol" && line.ends_with("PRIVMSG #tea :me")).await;
    assert!(line.line().contains(&format!("+draft/reply={msgid}")), "{}", line.line());
    talk.carol.react(&talk.room, &question, "👍");
    let is_reaction = |nick: &str, line: &str| nick == "carol" && line.contains("react=👍");
    let line = ircd.wait_line(is_reaction).await;
    assert!(line.line().contains(&msgid) && line.line().ends_with("TAGMSG #tea"), "{}", line.line());
    // Of what another has said in the room.
    talk.alice.send_text(&talk.room, "and I");
    let (own, own_msgid) = shown(&talk, "and I").await;
    talk.carol.reply(&talk.room, &own, "good");
    let line = ircd.wait_line(|nick, line| nick == "carol" && line.ends_with("PRIVMSG #tea :good")).await;
    assert!(line.line().contains(&format!("+draft/reply={own_msgid}")), "{}", line.line());
    // On IRC, about what carol has said, which alice's connection shows.
    let (me, me_msgid) = shown(&talk, "me").await;
    talk.bob.raw_line(&format!("@+draft/reply={me_msgid} PRIVMSG #tea :welcome"));
    let welcome = homeserver.wait_message(&talk.room, "welcome").await;
    assert_eq!(welcome.content["m.relates_to"]["m.in_reply_to"]["event_id"], me);
    assert_eq!(welcome.content["m.mentions"]["user_ids"], json!([talk.carol.id()]));
    talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/react=lol TAGMSG #tea"));
    let lol = |one: &Event| one.content["m.relates_to"]["key"] == "lol";
    let reaction = homeserver.wait_event(&talk.room, lol).await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    // From now on carol's connection shows the channel.
    talk.alice.send_text(&talk.networks[0], "disconnect");
    homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    // Until she is gone, her connection may still show something.
    ircd.wait_gone("alice").await;
    talk.bob.raw_line(&format!("@+draft/reply={msgid} PRIVMSG #tea :I had asked"));
    let asked = homeserver.wait_message(&talk.room, "I had asked").await;
    assert_eq!(asked.content["m.relates_to"]["m.in_reply_to"]["event_id"], question);
    talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/unreact=lol TAGMSG #tea"));
    homeserver.wait_event(&talk.room, |one| one.redacts.as_deref() == Some(&reaction.event_id)).await;
    // What nobody knows is a message like any other.
    talk.bob.raw_line("@+draft/reply=unknown PRIVMSG #tea :hello everybody");
    let plain = homeserver.wait_message(&talk.room, "hello everybody").await;
    assert_eq!(plain.content["m.relates_to"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_another_has_shown_names_its_sender_where_the_network_has_no_ids() {
    let options = Options::default().without(&["message-tags"]);
    let talk = Talk::begin(world().ircd(options).start().await).await;
    talk.bob.say("#tea", "who is there?");
    let question = talk.world.homeserver.wait_message(&talk.room, "who is there?").await.event_id;
    talk.world.wait_outbox_empty().await;
    talk.heard("carol").await;
    talk.carol.reply(&talk.room, &question, "me");
    talk.dan.wait_text("bob: me").await;
    // Who came later has not heard it, and nothing of it is repeated for them.
    let dave = talk.world.homeserver.user("dave");
    dave.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "dave").await;
    dave.reply(&talk.room, &question, "not me");
    talk.dan.wait_text("not me").await;
}

/// Before, its alias led to a room that the homeserver no longer had.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_that_was_purged_is_made_anew_when_somebody_looks_for_it() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    talk.bob.topic("#tea", "all about tea");
    homeserver.wait_event(&talk.room, |event| event.content["topic"] == "all about tea").await;
    talk.heard("carol").await;
    homeserver.purge(&talk.room);
    let room = talk.alice.join(ALIAS).await;
    assert_ne!(room, talk.room);
    assert_eq!(homeserver.wait_invite(talk.carol.id()).await, room);
    talk.carol.join(&room).await;
    homeserver.wait_event(&room, |event| event.content["topic"] == "all about tea").await;
    talk.bob.say("#tea", "here again");
    homeserver.wait_message(&room, "here again").await;
    for (user, text) in [(&talk.alice, "I, too"), (&talk.carol, "and I")] {
        user.send_text(&room, text);
        talk.bob.wait_text(text).await;
    }
    homeserver.wait_member(&room, DAN, "join").await;
    talk.world.wait_outbox_empty().await;
    let lines = homeserver.timeline_lines(&room);
    assert_eq!(lines.iter().filter(|line| *line == "here again").count(), 1, "{lines:?}");
    // The same by a command of somebody who was there.
    homeserver.purge(&room);
    talk.alice.send_text(&talk.networks[0], "join #tea");
    homeserver.wait_event(&talk.networks[0], begins("The shared room of #tea was gone")).await;
    let another = homeserver.wait_invite(talk.alice.id()).await;
    talk.alice.join(&another).await;
    talk.bob.say("#tea", "for the third time");
    homeserver.wait_message(&another, "for the third time").await;
}

/// Before, what waited for it was set aside without a word.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_to_a_room_of_ones_own_is_shown_there_although_the_channel_is_shared_by_then() {
    let world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, own) = world.user_in_channel("alice", "#tea").await;
    let network = world.homeserver.room_named("FakeNet");
    let path = format!("/rooms/{own}/send/");
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    world.homeserver.faults().fail("PUT", &path, failure, 10_000);
    bob.say("#tea", "before she goes");
    world.homeserver.wait_requests("PUT", &path, 1).await;
    alice.send_text(&network, "part #tea");
    world.ircd.wait_parted("#tea", "alice").await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "to the shared room");
    world.homeserver.wait_message(&room, "to the shared room").await;
    world.homeserver.faults().clear();
    world.homeserver.wait_message(&own, "before she goes").await;
    world.wait_outbox_empty().await;
    assert!(!world.homeserver.timeline_bodies(&own).contains(&"to the shared room".to_owned()));
    // Closing the network is leaving that room, too.
    alice.send_text(&network, "close confirm");
    world.homeserver.wait_member(&own, alice.id(), "leave").await;
}

/// Before, it was shown nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_from_another_client_of_their_bouncer_is_shown_once_in_the_shared_room() {
    let talk = Talk::begin(world().start().await).await;
    // Alice shows the channel, carol does not.
    for (who, line) in [("alice", "from my phone"), ("carol", "from my tablet")] {
        let raw = format!(":{who}!{who}@host PRIVMSG #tea :{line}\r\n");
        for nick in ["alice", "carol"] {
            talk.world.ircd.send_raw(nick, raw.as_bytes());
        }
        let shown = talk.world.homeserver.wait_message(&talk.room, line).await;
        assert_eq!(shown.sender, format!("@irc_fake_{who}:test.local"));
    }
    talk.alice.send_text(&talk.room, "from here");
    talk.bob.wait_text("from here").await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.lines(&["from my phone", "from my tablet", "from here"]).len(), 3);
    let heard: Vec<String> = talk.bob.messages("#tea").into_iter().map(|(_, text)| text).collect();
    assert!(!heard.iter().any(|text| text.starts_with("from my")), "nothing goes round: {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_elsewhere_is_theirs_in_the_shared_room_with_double_puppeting() {
    let talk = Talk::begin(world().double_puppet(true).start().await).await;
    let raw = b":carol!carol@host PRIVMSG #tea :from my tablet\r\n";
    for nick in ["alice", "carol"] {
        talk.world.ircd.send_raw(nick, raw);
    }
    let shown = talk.world.homeserver.wait_message(&talk.room, "from my tablet").await;
    assert_eq!(shown.sender, talk.carol.id());
    talk.world.homeserver.wait_delivered().await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.lines(&["from my tablet"]).len(), 1);
    assert!(!talk.bob.messages("#tea").iter().any(|(_, text)| text == "from my tablet"));
}

const UNLINK_ALL: &str = "DELETE FROM link WHERE role = 'shared' AND buffer IS NOT NULL";

/// Before, the look through a room ended with the first who could not be removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_fails_for_now_is_done_again_and_keeps_nobody_else_in_a_shared_room() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.database.execute(UNLINK_ALL).await;
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    talk.world.homeserver.faults().fail("POST", &format!("/rooms/{}/kick", talk.room), failure, 1);
    talk.world.start_bridge().await;
    for user in [&talk.alice, &talk.carol] {
        talk.world.homeserver.wait_member(&talk.room, user.id(), "leave").await;
    }
}

/// Before, they were removed again.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_a_shared_room_and_come_again_while_they_were_to_be_removed_stays_there() {
    let mut talk = Talk::begin(world().start().await).await;
    // Nobody comes, so its alias goes at the next start, behind the look through all members.
    look_for(&talk.world, "irc_fake_%23pot").await;
    talk.world.stop_bridge().await;
    talk.world.database.execute(UNLINK_CAROL).await;
    let path = format!("/rooms/{}/kick", talk.room);
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    talk.world.homeserver.faults().fail("POST", &path, failure, 10_000);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_requests("POST", &path, 1).await;
    talk.carol.leave(&talk.room);
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
    talk.world.homeserver.wait_alias("#irc_fake_#pot:test.local", None).await;
    talk.world.homeserver.faults().clear();
    talk.carol.send_text(&talk.room, "here I am again");
    talk.bob.wait_text("here I am again").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.carol.id().to_owned()));
}

/// Before, what was left of it was said again by a ghost of theirs, as an edit.
#[rstest]
#[case::by_themselves(false)]
#[case::by_an_operator(true)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_of_a_shared_room_has_said_is_not_published_again_when_a_line_is_taken_back(
    #[case] by_an_operator: bool,
) {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let talk = Talk::begin(world().ircd(options).start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    let event = talk.carol.send_text(&talk.room, "first secret\nsecond secret");
    talk.bob.wait_text("second secret").await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    let [first, second] = [ircd.wait_msgid("first secret").await, ircd.wait_msgid("second secret").await];
    if by_an_operator {
        talk.bob.raw_line(&format!("REDACT #tea {first}"));
        let redaction = homeserver.wait_event(&talk.room, |one| one.redacts.as_ref() == Some(&event)).await;
        assert_eq!(redaction.sender, homeserver.bot());
        assert_eq!(redaction.content["reason"], "Taken back by bob");
        talk.bob.raw_line(&format!("REDACT #tea {second}"));
    } else {
        talk.carol.redact(&talk.room, &event).unwrap();
        for msgid in [first, second] {
            ircd.wait_line(|nick, line| nick == "carol" && line == format!("REDACT #tea {msgid}")).await;
        }
    }
    talk.bob.say("#tea", "afterwards");
    homeserver.wait_message(&talk.room, "afterwards").await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    let events = homeserver.events(&talk.room);
    let edits = events.iter().filter(|one| one.content["m.relates_to"]["rel_type"] == "m.replace");
    assert_eq!(edits.count(), 0, "nothing of it is said again");
    let redactions = events.iter().filter(|one| one.kind == "m.room.redaction");
    assert_eq!(redactions.count(), 1, "it is taken back once");
    let there = homeserver.members(&talk.room, "join");
    assert!(!there.contains(&"@irc_fake_carol:test.local".to_owned()), "{there:?}");
}

/// Before, the end of the session took their link, and nothing took them out of the room.
#[tokio::test(flavor = "multi_thread")]
async fn who_enters_a_shared_room_while_their_network_is_being_closed_is_removed_from_it() {
    let world = world().start().await;
    let (alice, _, own) = world.user_in_channel("alice", "#own").await;
    let (admin, chat, _) = world.connected_user("admin").await;
    let path = format!("/rooms/{own}/kick");
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    world.homeserver.faults().fail("POST", &path, failure, 10_000);
    admin.send_text(&chat, "erase @alice:test.local confirm");
    world.homeserver.wait_requests("POST", &path, 1).await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    world.homeserver.faults().clear();
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    world.homeserver.wait_member(&own, alice.id(), "leave").await;
}

/// Before, each who is there with their own connection took the place of somebody who should come: the rest of those who came
/// at once came when they spoke.
#[tokio::test(flavor = "multi_thread")]
async fn all_who_come_at_once_come_into_a_shared_room_however_many_are_there_with_their_own_connections() {
    let talk = Talk::begin(world().config("settings: { members: all }\n").start().await).await;
    let crowd: Vec<Person> =
        (0..20).map(|number| talk.world.ircd.person(&format!("crowd{number}"))).collect();
    talk.world.ircd.at_once("alice", || crowd.iter().for_each(|person| person.join("#tea")));
    for number in 0..crowd.len() {
        let ghost = format!("@irc_fake_crowd{number}:test.local");
        talk.world.homeserver.wait_member(&talk.room, &ghost, "join").await;
    }
}
