//! Conversations with one person, and with services.

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

const BOB: &str = "@irc_fake_bob:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// The room of a new conversation, entered.
async fn entered(world: &World, user: &TestUser) -> String {
    let room = world.homeserver.wait_invite(user.id()).await;
    user.join(&room).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_from_a_nick_opens_a_room_of_two_and_its_answer_goes_back() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "hi there");
    let room = entered(&world, &alice).await;
    let heard = world.homeserver.wait_message(&room, "hi there").await;
    assert_eq!(heard.sender, BOB);
    assert_eq!(world.homeserver.members(&room, "join"), [alice.id(), BOB]);
    assert!(world.homeserver.members(&room, "invite").is_empty());
    let create = world.homeserver.events(&room).into_iter().next().unwrap();
    assert_eq!((create.kind.as_str(), create.sender.as_str()), ("m.room.create", BOB));
    let is_invite =
        |event: &Event| event.state_key.as_deref() == Some(alice.id()) && event.membership() == "invite";
    let invite = world.homeserver.wait_event(&room, is_invite).await;
    assert_eq!(invite.content["is_direct"], true);

    let answer = alice.send_text(&room, "hello bob");
    assert_eq!(bob.wait_text("hello bob").await.target(), "bob");
    world.homeserver.wait_receipt(&room, BOB, &answer).await;
    bob.action("alice", "waves");
    let wave = world.homeserver.wait_message(&room, "waves").await;
    assert_eq!((wave.sender.as_str(), &wave.content["msgtype"]), (BOB, &"m.emote".into()));
}

/// Each invitation made an account, and anybody could have as many made as they liked. Homeservers ask for whoever is
/// invited before they tell by whom.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_who_has_no_permission_has_only_so_many_ghosts_made() {
    let mut world = World::builder().without_bridge().await;
    world.forbid("@mallory:test.local");
    world.start_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    let mallory = world.homeserver.user("mallory");
    let ghost = |number: usize| format!("@irc_fake_nobody{number}:test.local");
    let rooms: Vec<String> = (0..40).map(|number| mallory.start_dm(&ghost(number))).collect();
    let last = mallory.start_dm(BOB);
    // It is answered after the others.
    world.homeserver.wait_member(&last, BOB, "leave").await;
    let registered = (0..40).filter(|number| world.homeserver.is_registered(&ghost(*number))).count();
    assert_eq!(registered, 30);
    assert_eq!(world.homeserver.members(&rooms[39], "invite"), [ghost(39)], "it stays unanswered");
    let ghosts = world.database().texts("SELECT user_id FROM ghost WHERE user_id LIKE '%nobody%'").await;
    assert_eq!(ghosts.len(), registered);
}

/// It was shown nowhere, and its answer began a conversation.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_somebody_new_from_another_client_opens_a_room() {
    let world = World::start().await;
    let (alice, _, _) = world.connected_user("alice").await;
    world.ircd.send_raw("alice", b":alice!alice@host PRIVMSG bob :on my way\r\n");
    let room = entered(&world, &alice).await;
    world.homeserver.wait_event(&room, says("on my way")).await;
    let bob = world.ircd.person("bob");
    bob.say("alice", "good");
    assert_eq!(world.homeserver.wait_message(&room, "good").await.sender, BOB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_says_when_the_other_goes_away_leaves_and_is_there_again() {
    let mut options = ircd::Options::default();
    options.isupport.push("MONITOR=100".into());
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, network) = world.connected_user("alice").await;
    bob.say("alice", "hi there");
    let room = entered(&world, &alice).await;
    world.homeserver.wait_message(&room, "hi there").await;
    world.ircd.wait_line(|_, line| line == "MONITOR + bob").await;
    bob.raw_line("AWAY :lunch");
    for text in ["one", "two"] {
        alice.send_text(&room, text);
        bob.wait_text(text).await;
    }
    world.homeserver.wait_event(&room, says("bob is away: lunch")).await;
    world.ircd.send_raw("alice", b":bob!bob@host AWAY\r\n:bob!bob@host ACCOUNT bobby\r\n");
    world.homeserver.wait_event(&room, says("bob is back.")).await;
    world.homeserver.wait_event(&room, says("bob is logged in as bobby.")).await;
    bob.quit("so long");
    world.homeserver.wait_event(&room, says("bob has left IRC")).await;
    let bob = world.ircd.person("bob");
    world.homeserver.wait_event(&room, says("bob is on IRC again.")).await;
    bob.say("alice", "I am");
    world.homeserver.wait_message(&room, "I am").await;
    let lines = world.homeserver.timeline_lines(&room);
    for once in ["bob is away: lunch", "bob has left IRC.", "bob is on IRC again."] {
        assert_eq!(lines.iter().filter(|line| line.as_str() == once).count(), 1, "{once}: {lines:?}");
    }
    assert!(!world.homeserver.timeline_bodies(&network).iter().any(|body| body.contains("lunch")));
}

/// Some servers say that somebody has gone before they say why, or that they only have another nick.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_or_has_another_nick_is_told_once() {
    let mut options = ircd::Options::default();
    options.isupport.push("MONITOR=100".into());
    let world = World::builder().ircd(options).start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    for person in [&bob, &carol] {
        person.join("#rust");
    }
    let (alice, _, _) = world.user_in_channel("alice", "#rust").await;
    let mut rooms = Vec::new();
    for person in [&bob, &carol] {
        person.say("alice", "hi there");
        let room = entered(&world, &alice).await;
        world.homeserver.wait_message(&room, "hi there").await;
        rooms.push(room);
    }
    world.ircd.wait_line(|_, line| line == "MONITOR + carol").await;
    let lines = ":fake.irc 731 alice :bob\r\n:bob!bob@host QUIT :bye\r\n\
                 :fake.irc 731 alice :carol\r\n:carol!carol@host NICK caroline\r\n\
                 :bob!bob@host PRIVMSG alice :after\r\n:caroline!carol@host PRIVMSG alice :after\r\n";
    world.ircd.send_raw("alice", lines.as_bytes());
    for (room, name, told) in
        [(&rooms[0], "bob", "bob has left IRC: bye"), (&rooms[1], "carol", "carol is now known as caroline.")]
    {
        world.homeserver.wait_message(room, "after").await;
        let lines = world.homeserver.timeline_lines(room);
        let news: Vec<&String> = lines.iter().filter(|line| line.starts_with(name)).collect();
        assert_eq!(news, [told]);
    }
}

/// They are services, too: a room opened, and the password stood there and in the history.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_what_is_said_to_services_by_their_address_is_not_kept() {
    let world = World::start().await;
    let (_alice, _, network) = world.connected_user("alice").await;
    let lines = ":alice!alice@host PRIVMSG NickServ@services.fake :IDENTIFY alice hunter2\r\n\
                 :fake.irc NOTICE alice :after\r\n";
    world.ircd.send_raw("alice", lines.as_bytes());
    world.homeserver.wait_event(&network, says("after")).await;
    // What opens a room is committed with the line.
    assert!(world.database().texts("SELECT name FROM buffer").await.is_empty());
    let history = world.database().texts("SELECT text FROM history").await;
    assert!(!history.iter().any(|text| text.contains("hunter2")), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_what_services_say_stands_in_the_network_room_and_passwords_nowhere() {
    let world = World::start().await;
    let services = world.ircd.person("NickServ");
    let (alice, control, network) = world.connected_user("alice").await;
    services.notice("alice", "this nickname is registered");
    services.say("alice", "identify please");
    world.homeserver.wait_event(&network, says("this nickname is registered")).await;
    world.homeserver.wait_event(&network, says("identify please")).await;
    assert!(world.homeserver.members(&network, "invite").is_empty());
    // Not even where the user has opened a room for them.
    alice.send_text(&control, "query NickServ");
    let room = entered(&world, &alice).await;
    let typed = alice.send_text(&room, "identify hunter2");
    services.wait_text("identify hunter2").await;
    world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&typed)).await;
    let typed = alice.send_text(&room, "drop alice hunter2");
    world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&typed)).await;
    services.notice("alice", "you are now identified");
    world.homeserver.wait_event(&room, says("you are now identified")).await;
    let history = world.database().texts("SELECT text FROM history").await;
    assert!(history.is_empty(), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn query_makes_the_room_and_msg_makes_none() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "msg bob don't panic");
    bob.wait_text("don't panic").await;
    world.homeserver.wait_message(&control, "Sent to bob.").await;
    assert!(!world.homeserver.is_registered(BOB));
    alice.send_text(&control, "query bob good \"morning\"");
    let room = entered(&world, &alice).await;
    bob.wait_text("good \"morning\"").await;
    assert_eq!(world.homeserver.members(&room, "join"), [alice.id(), BOB]);
    alice.send_text(&room, "and?");
    bob.wait_text("and?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_nick_that_has_gone_did_not_arrive() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "bye");
    let room = entered(&world, &alice).await;
    bob.quit("gone");
    let event = alice.send_text(&room, "wait!");
    let answer = world.homeserver.wait_event(&room, says("did not arrive")).await;
    assert_eq!(answer.content["m.relates_to"]["m.in_reply_to"]["event_id"], event);
    assert!(answer.body().contains("Nobody of that nick"), "{}", answer.body());
    assert_eq!(answer.sender, BOB, "the bot is not in the room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_from_a_stranger_opens_no_room() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (_alice, _, network) = world.connected_user("alice").await;
    bob.notice("alice", "buy now");
    world.homeserver.wait_event(&network, says("bob: buy now")).await;
    assert!(!world.homeserver.is_registered(BOB));
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_494_a_second_chat_with_a_nick_is_left_with_the_reason_and_leads_to_the_conversations_own_room()
 {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    // Element asks for the ghost's profile first, which makes the homeserver ask the bridge.
    bob.say("alice", "hi");
    let room = entered(&world, &alice).await;
    let other = alice.start_dm(BOB);
    let leaves = |event: &Event| {
        event.kind == "m.room.member"
            && event.state_key.as_deref() == Some(BOB)
            && event.content["membership"] == "leave"
    };
    let left = world.homeserver.wait_event(&other, leaves).await;
    assert_eq!(
        left.content["reason"],
        "The conversation with bob has a room of its own; see your invitations."
    );
    alice.send_text(&room, "here then");
    bob.wait_text("here then").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_survives_a_restart_with_its_room() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "before");
    let room = entered(&world, &alice).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    bob.say("alice", "after");
    world.homeserver.wait_message(&room, "after").await;
    alice.send_text(&room, "still you");
    bob.wait_text("still you").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ctcp_request_is_told_and_answered_to_its_sender() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (_alice, _, network) = world.connected_user("alice").await;
    bob.say("alice", "\u{1}VERSION\u{1}");
    world.homeserver.wait_event(&network, says("bob sent CTCP VERSION")).await;
    bob.wait_text("\u{1}VERSION Towline 0.1.0\u{1}").await;
    assert!(!world.homeserver.is_registered(BOB), "it is no conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_the_payloads_of_what_was_said_to_services_are_gone_or_sealed() {
    let mut world = World::start().await;
    let services = world.ircd.person("NickServ");
    let (alice, control, _) = world.connected_user("alice").await;
    let command = alice.send_text(&control, "msg NickServ identify hunter2");
    services.wait_text("identify hunter2").await;
    let query = alice.send_text(&control, "query NickServ identify hunter2");
    services.wait_heard(|heard| heard.text() == "identify hunter2").await;
    for event in [&command, &query] {
        let redacts = |one: &Event| one.redacts.as_ref() == Some(event);
        assert_eq!(world.homeserver.wait_event(&control, redacts).await.sender, world.homeserver.bot());
    }
    world.stop_bridge().await;
    if let Some(bytes) = world.database().bytes() {
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }
    let readable: Vec<String> = world
        .homeserver
        .rooms()
        .iter()
        .flat_map(|room| world.homeserver.timeline_bodies(room))
        .filter(|body| body.contains("hunter2"))
        .collect();
    assert!(readable.is_empty(), "{readable:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_a_query_is_invited_again_by_its_next_message() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "first");
    let room = entered(&world, &alice).await;
    world.homeserver.wait_message(&room, "first").await;
    alice.leave(&room);
    let left = "SELECT room_id FROM room WHERE owner_left";
    world.database().wait("it is known that she left", left, |left| left.contains(&room)).await;
    bob.say("alice", "are you there?");
    world.homeserver.wait_message(&room, "are you there?").await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    assert_eq!(world.homeserver.wait_invite(alice.id()).await, room, "it is the same room");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_short_nick_is_a_person_where_no_service_has_it() {
    let world = World::start().await;
    let x = world.ircd.person("x");
    let (alice, _, _) = world.connected_user("alice").await;
    x.say("alice", "hello from a person");
    let query = world.homeserver.wait_invite(alice.id()).await;
    world.homeserver.wait_message(&query, "hello from a person").await;
}
