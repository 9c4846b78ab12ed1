//! What a hostile look at shared rooms found: each test has the name of it.

use serde_json::Value;

use super::*;
use crate::support::database::TestDatabase;
use crate::support::ircd::Options;

fn with_redactions() -> Builder {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    world().ircd(options)
}

fn with_ids() -> Builder {
    world().ircd(Options::with_history())
}

/// Before, whoever looked for the alias meanwhile was told of the room that was gone.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_notice_at_once_that_a_shared_room_was_purged_have_one_new_room() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    homeserver.purge(&talk.room);
    let path = format!("/rooms/{}/joined_members", talk.room);
    homeserver.faults().fail("GET", &path, Fault::Late(Duration::from_secs(1)), 1);
    let dave = homeserver.user("dave");
    let looking = tokio::spawn({
        let dave = dave.clone();
        async move { dave.try_join(ALIAS).await }
    });
    homeserver.wait_requests("GET", &path, 1).await;
    talk.alice.send_text(&talk.networks[0], "join #tea");
    homeserver.wait_event(&talk.networks[0], begins("The shared room of #tea was gone")).await;
    let room = homeserver.wait_invite(talk.alice.id()).await;
    assert_eq!(looking.await.unwrap().unwrap(), room);
    assert_eq!(homeserver.rooms_named("#tea (FakeNet)"), [room.as_str()]);
    talk.world.ircd.wait_joined("#tea", "dave").await;
    homeserver.wait_member(&room, talk.carol.id(), "invite").await;
}

/// Before, answers and reactions named events of a room that only one of them had ever been in.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_room_of_ones_own_has_shown_is_no_event_of_the_shared_room() {
    let world = with_ids().start().await;
    let (homeserver, ircd) = (&world.homeserver, &world.ircd);
    let bob = ircd.person("bob");
    bob.join("#tea");
    let (alice, control, network) = world.greeted_user("alice").await;
    let (carol, _, others) = world.greeted_user("carol").await;
    alice.send_text(&control, "join #tea");
    let own = homeserver.wait_invite(alice.id()).await;
    alice.join(&own).await;
    ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "before carol came");
    homeserver.wait_message(&own, "before carol came").await;
    let room = carol.join(ALIAS).await;
    ircd.wait_joined("#tea", "carol").await;
    bob.notice("carol", "are you there?");
    homeserver.wait_event(&others, |event| event.body().ends_with("are you there?")).await;
    bob.say("#tea", "in both rooms");
    homeserver.wait_message(&own, "in both rooms").await;
    let shared = homeserver.wait_message(&room, "in both rooms").await.event_id;
    let [before, both] = [ircd.wait_msgid("before carol came").await, ircd.wait_msgid("in both rooms").await];
    bob.raw_line(&format!("@+draft/reply={both};+draft/react=lol TAGMSG #tea"));
    let is_lol = |one: &Event| one.content["m.relates_to"]["key"] == "lol";
    homeserver.wait_event(&own, is_lol).await;
    let lol = homeserver.wait_event(&room, is_lol).await.event_id;
    world.wait_outbox_empty().await;
    alice.send_text(&network, "part #tea");
    ircd.wait_parted("#tea", "alice").await;
    assert_eq!(alice.join(ALIAS).await, room);
    ircd.wait_joined("#tea", "alice").await;
    bob.notice("alice", "here again?");
    homeserver.wait_event(&network, |event| event.body().ends_with("here again?")).await;
    // From now on hers is the connection that shows the channel.
    carol.send_text(&others, "disconnect");
    homeserver.wait_member(&room, carol.id(), "leave").await;
    ircd.wait_gone("carol").await;
    for (msgid, text, event) in
        [(&both, "as I said", Value::from(shared.as_str())), (&before, "as I had said", Value::Null)]
    {
        bob.raw_line(&format!("@+draft/reply={msgid} PRIVMSG #tea :{text}"));
        let answer = homeserver.wait_message(&room, text).await;
        assert_eq!(answer.content["m.relates_to"]["m.in_reply_to"]["event_id"], event, "{text}");
    }
    bob.raw_line(&format!("@+draft/reply={both};+draft/unreact=lol TAGMSG #tea"));
    homeserver.wait_event(&room, |one| one.redacts.as_deref() == Some(&lol)).await;
}

/// Before, nobody saw that they had no channel there until 90 days had passed.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_shared_room_and_forgotten_is_removed_when_what_happened_later_is_handed_over() {
    let mut talk = Talk::begin(world().start().await).await;
    let dave = talk.world.homeserver.user("dave");
    let before = crate::support::clock::now() - 2 * 60 * 1000;
    dave.join_at(&talk.room, before);
    talk.world.ircd.wait_joined("#tea", "dave").await;
    talk.world.homeserver.wait_delivered().await;
    talk.world.stop_bridge().await;
    // As what was stored about somebody is deleted.
    let forget = "DELETE FROM link WHERE role = 'shared' AND buffer IN (SELECT buffer.id FROM buffer
            JOIN session ON session.id = buffer.session JOIN \"user\" ON \"user\".id = session.\"user\"
            WHERE \"user\".user_id = '@dave:test.local');
        DELETE FROM inbox WHERE state <> 'new'";
    talk.world.database.execute(forget).await;
    talk.world.start_bridge().await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.heard("alice").await;
    // An event of the bridge's own that has the homeserver's time.
    talk.bob.topic("#tea", "who is there?");
    talk.world.homeserver.wait_event(&talk.room, |event| event.content["topic"] == "who is there?").await;
    talk.world.homeserver.wait_member(&talk.room, dave.id(), "leave").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.alice.id().to_owned()));
}

/// Before, they were removed as somebody of whom nothing was handed over.
#[tokio::test(flavor = "multi_thread")]
async fn who_joins_is_not_removed_by_what_is_handed_over_with_that_and_not_stored() {
    let mut talk = Talk::begin(world().start().await).await;
    // Nobody comes, so its alias goes at the next start, behind the look through all members.
    mending::look_for(&talk.world, "irc_fake_%23pot").await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.hold_transactions(true);
    let dave = talk.world.homeserver.user("dave");
    let now = crate::support::clock::now();
    dave.join_at(&talk.room, now - 2 * 60 * 1000);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_alias("#irc_fake_#pot:test.local", None).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    let (refuse, admit) = match talk.world.database() {
        TestDatabase::Sqlite(_) => (
            "CREATE TRIGGER refused BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'refused'); END",
            "DROP TRIGGER refused",
        ),
        TestDatabase::Postgres { .. } => (
            "ALTER TABLE inbox ADD CONSTRAINT refused CHECK (seq < 0) NOT VALID",
            "ALTER TABLE inbox DROP CONSTRAINT refused",
        ),
    };
    talk.world.database().execute(refuse).await;
    let bot = talk.world.homeserver.bot();
    let own = |id: &str, kind: &str| {
        json!({ "event_id": id, "room_id": talk.room, "sender": bot, "type": kind, "content": {},
            "origin_server_ts": now })
    };
    let other = json!({ "event_id": "$other", "room_id": talk.room, "sender": dave.id(), "type": "m.room.message",
        "content": { "msgtype": "m.text", "body": "hello" }, "origin_server_ts": now });
    // What a message says of its time is no word of the homeserver's.
    let answer = hand_over(&talk.world, "first", json!([own("$said", "m.room.message")])).await;
    assert!(answer.is_success(), "{answer}");
    let answer = hand_over(&talk.world, "second", json!([other, own("$named", "m.room.name")])).await;
    assert!(answer.is_server_error(), "{answer}");
    talk.heard("alice").await;
    talk.world.database().execute(admit).await;
    talk.world.homeserver.hold_transactions(false);
    talk.world.ircd.wait_joined("#tea", "dave").await;
    talk.world.homeserver.wait_delivered().await;
    let is_dave = |one: &Event| one.state_key.as_deref() == Some(dave.id());
    let mut events = talk.world.homeserver.events(&talk.room).into_iter().filter(is_dave);
    assert!(events.all(|event| event.content["membership"] == "join"), "nobody removes him");
}

/// What the bridge answers to a transaction.
async fn hand_over(world: &World, id: &str, events: Value) -> reqwest::StatusCode {
    let url = format!("{}/_matrix/app/v1/transactions/{id}", world.appservice_url());
    let request = crate::support::homeserver::client().put(url);
    let request = request.bearer_auth(world.homeserver.hs_token()).header("Content-Type", "application/json");
    request.body(json!({ "events": events }).to_string()).send().await.unwrap().status()
}

/// Before, it stayed for as long as the room.
#[rstest]
#[case::when_they_leave("leave")]
#[case::when_their_connection_breaks("cut")]
#[case::when_they_take_another_nick("nick")]
#[tokio::test(flavor = "multi_thread")]
async fn the_ghost_of_somebody_who_has_spoken_from_elsewhere_goes(#[case] how: &str) {
    let talk = Talk::begin(world().start().await).await;
    let ghost = "@irc_fake_carol:test.local";
    // Alice's connection shows the channel, and carol says it from another client.
    for nick in ["alice", "carol"] {
        talk.world.ircd.send_raw(nick, b":carol!carol@host PRIVMSG #tea :from my tablet\r\n");
    }
    talk.world.homeserver.wait_message(&talk.room, "from my tablet").await;
    talk.world.homeserver.wait_member(&talk.room, ghost, "join").await;
    match how {
        "leave" => talk.carol.leave(&talk.room),
        "cut" => talk.world.ircd.cut("carol"),
        _ => drop(talk.carol.send_text(&talk.networks[1], "nick caroline")),
    }
    talk.world.homeserver.wait_member(&talk.room, ghost, "leave").await;
}

/// Before, what was asked while they were out took them out of the room that they had come back to.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_comes_late_does_not_hit_who_has_come_again() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    let path = format!("/rooms/{}/state/m.room.member/{}", talk.room, talk.carol.id());
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    homeserver.faults().fail("PUT", &path, failure, 10_000);
    talk.carol.send_text(&talk.networks[1], "part #tea");
    homeserver.wait_requests("PUT", &path, 1).await;
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.carol.leave(&talk.room);
    assert_eq!(talk.carol.join(ALIAS).await, talk.room);
    talk.world.ircd.wait_joined("#tea", "carol").await;
    homeserver.wait_delivered().await;
    homeserver.faults().clear();
    talk.carol.send_text(&talk.room, "here I am again");
    talk.bob.wait_text("here I am again").await;
    talk.world.wait_outbox_empty().await;
    assert!(homeserver.members(&talk.room, "join").contains(&talk.carol.id().to_owned()));
}

/// Before, nobody found a room again whose alias was taken while somebody came in by its id.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_that_somebody_enters_while_its_alias_goes_has_it_again() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    homeserver.faults().fail("DELETE", "/directory/room/", Fault::Late(Duration::from_secs(2)), 1);
    talk.alice.send_text(&talk.networks[0], "part #tea");
    homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    let given = homeserver.requests("PUT", "/directory/room/");
    talk.carol.send_text(&talk.networks[1], "part #tea");
    homeserver.wait_requests("DELETE", "/directory/room/", 1).await;
    // It is there still, and goes when she is in.
    talk.alice.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    homeserver.wait_requests("PUT", "/directory/room/", given + 1).await;
    homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_that_somebody_enters_whose_alias_is_gone_has_it_again() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    for (user, network) in [(&talk.alice, &talk.networks[0]), (&talk.carol, &talk.networks[1])] {
        user.send_text(network, "part #tea");
        homeserver.wait_member(&talk.room, user.id(), "leave").await;
    }
    let aliased = "SELECT room_id FROM room WHERE aliased";
    talk.world.database().wait("the alias to be gone", aliased, <[String]>::is_empty).await;
    homeserver.wait_alias(ALIAS, None).await;
    talk.alice.join(&talk.room).await;
    homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
}

/// Before, whatever else they wanted of the bridge waited, too, and so did all who looked for another room.
#[tokio::test(flavor = "multi_thread")]
async fn who_enters_a_shared_room_waits_for_no_alias() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    talk.world.database().execute("UPDATE room SET aliased = FALSE").await;
    let path = format!("/rooms/{}/aliases", talk.room);
    homeserver.faults().fail("GET", &path, Fault::Hang, 1);
    let (dave, chat, _) = talk.world.connected_user("dave").await;
    assert_eq!(dave.join(ALIAS).await, talk.room);
    homeserver.wait_requests("GET", &path, 1).await;
    dave.send_text(&chat, "version");
    homeserver.wait_event(&chat, begins("This is Towline")).await;
    // Another room is found meanwhile.
    let pot = dave.join("#irc_fake_#pot:test.local").await;
    homeserver.wait_alias("#irc_fake_#pot:test.local", Some(&pot)).await;
    talk.world.ircd.wait_joined("#pot", "dave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_with_members_whose_alias_went_in_a_crash_has_it_again_after_the_start() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    delete_alias(&talk.world).await;
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
}

async fn delete_alias(world: &World) {
    let path = "_matrix/client/v3/directory/room/%23irc_fake_%23tea:test.local";
    let request = crate::support::homeserver::client().delete(format!("{}/{path}", world.homeserver.url()));
    let answer = request.bearer_auth(world.homeserver.as_token()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    world.homeserver.wait_alias(ALIAS, None).await;
}

/// Before, one call that failed at the start left the room without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_has_its_alias_again_after_the_start_although_the_homeserver_fails_at_first() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    delete_alias(&talk.world).await;
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    talk.world.homeserver.faults().fail("GET", &format!("/rooms/{}/aliases", talk.room), failure, 1);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_alias(ALIAS, Some(&talk.room)).await;
}

/// Before, the invitation was to the room of before.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_a_channels_key_is_invited_to_the_room_that_it_has_by_then() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    talk.world.ircd.set_key("#tea", "earlgrey");
    talk.world.ircd.cut("carol");
    homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    homeserver.wait_event(&talk.networks[1], |event| event.body().contains("It needs a key")).await;
    homeserver.purge(&talk.room);
    talk.alice.send_text(&talk.networks[0], "join #tea");
    let room = homeserver.wait_invite(talk.alice.id()).await;
    talk.alice.join(&room).await;
    talk.carol.send_text(&talk.networks[1], "join #tea earlgrey");
    assert_eq!(homeserver.wait_invite(talk.carol.id()).await, room);
    talk.carol.join(&room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
    talk.carol.send_text(&room, "with the key");
    talk.bob.wait_text("with the key").await;
}

/// Before, they were lost with the connection that did not hear them any more.
#[tokio::test(flavor = "multi_thread")]
async fn reactions_that_only_the_next_connection_has_heard_are_shown_when_it_takes_over() {
    let talk = Talk::begin(with_ids().start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    talk.bob.say("#tea", "one");
    let one = homeserver.wait_message(&talk.room, "one").await.event_id;
    let first = ircd.wait_msgid("one").await;
    let reacts = |msgid: &str, what: &str| {
        talk.dan.raw_line(&format!("@+draft/reply={msgid};+draft/{what} TAGMSG #tea"));
    };
    reacts(&first, "react=early");
    let is = |key: &'static str| move |event: &Event| event.content["m.relates_to"]["key"] == key;
    let early = homeserver.wait_event(&talk.room, is("early")).await.event_id;
    talk.world.wait_outbox_empty().await;
    talk.heard("alice").await;
    // Nothing reaches alice any more, who shows the channel.
    ircd.mute("alice");
    talk.bob.say("#tea", "two");
    let second = ircd.wait_msgid("two").await;
    reacts(&first, "unreact=early");
    reacts(&first, "react=late");
    reacts(&second, "react=new");
    reacts(&second, "react=wrong");
    reacts(&second, "unreact=wrong");
    talk.heard("carol").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    let two = homeserver.wait_message(&talk.room, "two").await.event_id;
    for (key, event) in [("late", &one), ("new", &two)] {
        let reaction = homeserver.wait_event(&talk.room, is(key)).await;
        assert_eq!(reaction.content["m.relates_to"]["event_id"], event.as_str(), "{key}");
        assert_eq!(reaction.sender, DAN);
    }
    homeserver.wait_event(&talk.room, |event| event.redacts.as_deref() == Some(&early)).await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    let count = |key: &'static str| homeserver.events(&talk.room).iter().filter(|one| is(key)(one)).count();
    assert_eq!(["late", "new", "wrong"].map(count), [1, 1, 0]);
    // What was shown late is known by its event as all else.
    talk.bob.raw_line(&format!("@+draft/reply={second} PRIVMSG #tea :about two"));
    let answer = homeserver.wait_message(&talk.room, "about two").await;
    assert_eq!(answer.content["m.relates_to"]["m.in_reply_to"]["event_id"], two);
}

/// Before, what only the next connection had heard was published by it although its sender had taken it back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_while_a_connection_hung_is_not_published_by_the_one_that_takes_over() {
    let talk = Talk::begin(with_redactions().start().await).await;
    let ircd = &talk.world.ircd;
    // Nothing reaches alice any more, who shows the channel.
    ircd.mute("alice");
    talk.bob.say("#tea", "a secret");
    talk.bob.say("#tea", "no secret");
    talk.bob.raw_line(&format!("REDACT #tea {}", ircd.wait_msgid("a secret").await));
    talk.heard("carol").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    talk.world.homeserver.wait_message(&talk.room, "no secret").await;
    talk.bob.say("#tea", "afterwards");
    talk.world.homeserver.wait_message(&talk.room, "afterwards").await;
    talk.world.wait_outbox_empty().await;
    let lines = talk.world.homeserver.timeline_lines(&talk.room);
    assert!(!lines.iter().any(|line| line == "a secret"), "{lines:?}");
}

/// Before, what was taken back stayed in the room for ever, where the connection that showed it did not hear of that.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_and_taken_back_while_a_connection_hung_is_taken_back_by_the_one_that_takes_over() {
    let talk = Talk::begin(with_redactions().start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    talk.bob.say("#tea", "taken back in time");
    let early = homeserver.wait_message(&talk.room, "taken back in time").await.event_id;
    talk.bob.say("#tea", "taken back late");
    let late = homeserver.wait_message(&talk.room, "taken back late").await.event_id;
    let own = talk.carol.send_text(&talk.room, "first secret\nsecond secret");
    talk.bob.wait_text("second secret").await;
    talk.world.wait_outbox_empty().await;
    let takes_back = async |text: &str| {
        talk.bob.raw_line(&format!("REDACT #tea {}", ircd.wait_msgid(text).await));
    };
    takes_back("taken back in time").await;
    let redacts = |event: &Event, of: &str| event.redacts.as_deref() == Some(of);
    homeserver.wait_event(&talk.room, |event| redacts(event, &early)).await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    ircd.mute("alice");
    for text in ["taken back late", "first secret", "second secret"] {
        takes_back(text).await;
    }
    talk.heard("carol").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    let redaction = homeserver.wait_event(&talk.room, |event| redacts(event, &late)).await;
    assert_eq!(redaction.sender, BOB);
    let redaction = homeserver.wait_event(&talk.room, |event| redacts(event, &own)).await;
    assert_eq!(redaction.content["reason"], "Taken back by bob");
    talk.bob.say("#tea", "afterwards");
    homeserver.wait_message(&talk.room, "afterwards").await;
    talk.world.wait_outbox_empty().await;
    let events = homeserver.events(&talk.room);
    let count = |of: &str| events.iter().filter(|event| redacts(event, of)).count();
    assert_eq!([&early, &late, &own].map(|of| count(of)), [1, 1, 1], "each is taken back once");
}

/// Before, the nick's letters were folded, and the ghost was another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_is_shown_late_is_by_the_ghost_of_the_nick_as_it_is_written() {
    let config = "templates: { shared_alias: \"irc_{network}_{channel}\" }\nsettings:\n  members: active\n";
    let world = World::builder().config(config).ircd(Options::with_history()).start().await;
    let talk = Talk::begin(world).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    let matrix = ircd.person("Dan[m]");
    matrix.join("#tea");
    talk.bob.say("#tea", "one");
    homeserver.wait_message(&talk.room, "one").await;
    talk.world.wait_outbox_empty().await;
    let msgid = ircd.wait_msgid("one").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    ircd.mute("alice");
    matrix.raw_line(&format!("@+draft/reply={msgid};+draft/react=new TAGMSG #tea"));
    talk.heard("carol").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    let is_new = |event: &Event| event.content["m.relates_to"]["key"] == "new";
    let reaction = homeserver.wait_event(&talk.room, is_new).await;
    assert_eq!(homeserver.displayname(&reaction.sender).as_deref(), Some("Dan[m]"), "{}", reaction.sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_channels_key_enters_its_shared_room_without_being_asked_for_it() {
    let world = world().start().await;
    world.ircd.person("bob").join("#tea");
    world.ircd.set_key("#tea", "earlgrey");
    let (alice, _, network) = world.greeted_user("alice").await;
    alice.send_text(&network, "join #tea earlgrey");
    let own = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&own).await;
    world.ircd.wait_joined("#tea", "alice").await;
    alice.send_text(&network, "part #tea");
    world.ircd.wait_parted("#tea", "alice").await;
    let mark = world.ircd.mark();
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    let after = world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line.contains("JOIN")).await;
    assert!(after.line().ends_with("JOIN #tea earlgrey"), "{}", after.line());
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
    let told = world.homeserver.timeline_bodies(&network);
    assert!(!told.iter().any(|body| body.contains("It needs a key")), "{told:?}");
}

/// Before, nobody in a shared room typed, or had read anything.
#[tokio::test(flavor = "multi_thread")]
async fn who_types_and_reads_in_a_shared_room_does_so_on_irc_by_their_own_connection() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/read-marker".to_owned());
    let talk = Talk::begin(world().ircd(options).start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    talk.bob.say("#tea", "what do you think?");
    let question = homeserver.wait_message(&talk.room, "what do you think?").await.event_id;
    homeserver.wait_member(&talk.room, BOB, "join").await;
    talk.world.wait_outbox_empty().await;
    talk.heard("carol").await;
    // Carol's connection does not show the channel.
    talk.carol.typing(&talk.room, true);
    ircd.wait_line(|nick, line| nick == "carol" && line.contains("+typing=active TAGMSG #tea")).await;
    talk.carol.typing(&talk.room, false);
    ircd.wait_line(|nick, line| nick == "carol" && line.contains("+typing=done TAGMSG #tea")).await;
    let goes_by_alice = async |text: &str| {
        talk.alice.send_text(&talk.room, text);
        talk.bob.wait_text(text).await;
    };
    goes_by_alice("I type nothing").await;
    assert!(!ircd.lines_from("alice").iter().any(|line| line.contains("+typing")), "carol alone typed");
    talk.carol.read(&talk.room, &question);
    ircd.wait_line(|nick, line| nick == "carol" && line.contains("MARKREAD #tea timestamp=")).await;
    goes_by_alice("I have read nothing").await;
    assert!(!ircd.lines_from("alice").iter().any(|line| line.contains("MARKREAD #tea timestamp=")));
    // And the other way.
    talk.bob.raw_line("@+typing=active TAGMSG #tea");
    homeserver.wait_typing(&talk.room, BOB, true).await;
    talk.bob.raw_line("@+typing=done TAGMSG #tea");
    homeserver.wait_typing(&talk.room, BOB, false).await;
}
