//! What leaving a room means, what an invitation means, and what the bot asks about both.

use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, NewRoom};

const BOB: &str = "@irc_fake_bob:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_a_channels_room_while_the_bridge_was_down_is_out_of_the_channel() {
    let mut world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    alice.leave(&room);
    let mark = world.ircd.mark();
    let before = world.homeserver.event_count(&network);
    world.start_bridge().await;
    // Raw lines leave once the session knows that it is there.
    world.homeserver.wait_message_after(&network, before, "Connected to fake.irc as alice.").await;
    world.homeserver.wait_delivered().await;
    // She may have been in it for a moment: until the server's answer to a PART is here, as it is before that to the next line.
    let before = world.homeserver.event_count(&network);
    alice.send_text(&network, "raw MOTD");
    world.ircd.wait_line_after(mark, |_, line| line == "MOTD").await;
    assert!(world.ircd.names("#rust").is_empty());
    world.homeserver.wait_message_after(&network, before, "End of message of the day.").await;
    alice.send_text(&network, "channels");
    world.homeserver.wait_event(&network, says("You are in no channel")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_a_question_about_a_network_that_they_have_closed_since_is_told_so() {
    let world = World::start().await;
    let (alice, control, network) = world.greeted_user("alice").await;
    alice.leave(&network);
    let question = world.homeserver.wait_event(&control, says("You have left the room of FakeNet")).await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, says("Closed: ")).await;
    alice.react(&control, &question.event_id, "✅");
    world.homeserver.wait_event(&control, says("You have closed that network")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_networks_room_is_asked_before_anything_is_disconnected() {
    let world = World::start().await;
    let (alice, control, network) = world.greeted_user("alice").await;
    alice.leave(&network);
    let question = world.homeserver.wait_event(&control, says("You have left the room of FakeNet")).await;
    assert!(question.body().contains("You are still there as alice"), "{}", question.body());
    assert_eq!(question.content["m.mentions"]["user_ids"][0], alice.id());
    assert_eq!(world.ircd.nicks(), ["alice"]);
    // The room comes back when it is asked for, and nothing has happened.
    alice.send_text(&control, "open fake");
    world.homeserver.wait_member(&network, alice.id(), "invite").await;
    alice.join(&network).await;
    alice.leave(&network);
    let second = world
        .homeserver
        .wait_event(&control, |event| {
            says("You have left the room")(event) && event.event_id != question.event_id
        })
        .await;
    let is_button = |event: &Event| {
        event.kind == "m.reaction" && event.content["m.relates_to"]["event_id"] == second.event_id
    };
    let button = world.homeserver.wait_event(&control, is_button).await;
    assert_eq!(button.content["m.relates_to"]["key"], "✅");
    alice.react(&control, &second.event_id, "🎉");
    alice.react(&control, &second.event_id, "✅");
    world.ircd.wait_gone("alice").await;
    let answer = world.homeserver.wait_event(&control, says("Disconnected from FakeNet")).await;
    assert_eq!(answer.content["m.relates_to"]["m.in_reply_to"]["event_id"], second.event_id);
    world.homeserver.wait_event(&control, |event| event.redacts.as_ref() == Some(&button.event_id)).await;
    // Once is enough: who is not connected is not asked, and no second reaction does anything.
    alice.react(&control, &second.event_id, "👍");
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("not connected")).await;
    assert_eq!(
        world
            .homeserver
            .timeline_bodies(&control)
            .iter()
            .filter(|body| body.contains("Disconnected"))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_reaction_answers_a_question() {
    let world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let mallory = world.homeserver.user("mallory");
    alice.invite(&control, mallory.id());
    mallory.join(&control).await;
    alice.leave(&network);
    let question = world.homeserver.wait_event(&control, says("You have left the room of FakeNet")).await;
    mallory.react(&control, &question.event_id, "✅");
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, |event| event.body().contains("| connected | alice |")).await;
    assert_eq!(world.ircd.nicks(), ["alice"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_control_room_loses_nothing_and_begins_another() {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let (alice, control, network) = world.connected_user("alice").await;
    alice.leave(&control);
    world.homeserver.wait_member(&control, &bot, "leave").await;
    assert_eq!(world.ircd.nicks(), ["alice"]);
    // What must be told has a room of the bot's.
    alice.leave(&network);
    let own = world.homeserver.wait_invite(alice.id()).await;
    world.homeserver.wait_event(&own, says("You have left the room of FakeNet")).await;
    assert_eq!(world.homeserver.state(&own, "m.room.create", "")["m.federate"], false);
    // And whoever writes to the bot again is answered.
    let again = alice.start_dm(&bot);
    world.homeserver.wait_event(&again, says("To begin")).await;
    alice.send_text(&again, "status");
    world.homeserver.wait_event(&again, says("connected")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_own_control_room_is_the_same_after_its_user_left_it() {
    let world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.leave(&control);
    alice.leave(&network);
    let own = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&own).await;
    alice.leave(&own);
    world.homeserver.wait_delivered().await;
    world.ircd.cut("alice");
    let again = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_event(&again, says("To begin")).await;
    alice.send_text(&again, "open fake");
    world.homeserver.wait_member(&network, alice.id(), "invite").await;
    assert!(world.homeserver.members(&own, "join").contains(&world.homeserver.bot()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_declines_a_room_where_others_are_and_says_why_to_its_user_alone() {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let (alice, control) = world.user_with_control_room("alice").await;
    let mallory = world.homeserver.user("mallory");
    let room =
        alice.create_room(&NewRoom { invite: &[mallory.id()], name: Some("friends"), ..NewRoom::default() });
    mallory.join(&room).await;
    alice.invite(&room, &bot);
    world.homeserver.wait_event(&control, says("You invited me to a room where others are")).await;
    world.homeserver.wait_member(&room, &bot, "leave").await;
    assert!(world.homeserver.timeline(&room).is_empty(), "nobody else reads it");
    // A room of two is a chat, whatever the client calls it.
    let chat = alice.create_room(&NewRoom { invite: &[&bot], ..NewRoom::default() });
    world.homeserver.wait_event(&chat, says("To begin")).await;
    alice.send_text(&chat, "status");
    world.homeserver.wait_event(&chat, says("no network yet")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_on_irc_is_a_question_and_a_reaction_enters_the_channel() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#closed");
    let (alice, _, network) = world.connected_user("alice").await;
    bob.invite("alice", "#closed");
    let question = world.homeserver.wait_event(&network, says("bob invites you to #closed")).await;
    assert_eq!(question.content["msgtype"], "m.text");
    alice.react(&network, &question.event_id, "✅");
    world.ircd.wait_joined("#closed", "alice").await;
    world.homeserver.wait_event(&network, says("Joining #closed")).await;
    let room = world.homeserver.wait_invite(alice.id()).await;
    assert_eq!(world.homeserver.state(&room, "m.room.name", "")["name"], "#closed (FakeNet)");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_on_irc_is_one_to_the_channels_room_and_who_comes_in_there_enters_the_channel() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let carol = world.ircd.person("carol");
    bob.join("#closed");
    carol.join("#other");
    let (alice, _, network) = world.connected_user("alice").await;
    bob.invite("alice", "#closed");
    let closed = world.homeserver.wait_invite(alice.id()).await;
    world.homeserver.wait_event(&network, says("accept the invitation to its room, react to this")).await;
    assert_eq!(world.homeserver.state(&closed, "m.room.name", "")["name"], "#closed (FakeNet)");
    // Until then they are not there, and who declines never is.
    carol.invite("alice", "#other");
    let other = world.homeserver.wait_room_named("#other (FakeNet)").await;
    world.homeserver.wait_member(&other, alice.id(), "invite").await;
    alice.leave(&other);
    alice.join(&closed).await;
    world.ircd.wait_joined("#closed", "alice").await;
    world.wait_outbox_empty().await;
    assert_eq!(world.ircd.names("#other"), ["carol"]);
    // It is entered after a restart, too; another name of theirs is no coming in.
    world.stop_bridge().await;
    world.ircd.wait_parted("#closed", "alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#closed", "alice").await;
    alice.send_text(&network, "part #closed");
    world.ircd.wait_parted("#closed", "alice").await;
    alice.set_displayname("Alice");
    alice.send_text(&closed, "am I there?");
    world.homeserver.wait_event(&closed, says("you have left #closed")).await;
    // What was declined is no hindrance, when it is news.
    bob.join("#other");
    bob.invite("alice", "#other");
    world.homeserver.wait_member(&other, alice.id(), "invite").await;
    assert_eq!(world.ircd.names("#closed"), ["bob"]);
    // Nor is it to come in while the network is away.
    alice.send_text(&network, "disconnect");
    world.ircd.wait_gone("alice").await;
    alice.join(&other).await;
    world.homeserver.wait_event(&other, says("You will be in #other when FakeNet is connected")).await;
    alice.send_text(&network, "connect");
    world.ircd.wait_joined("#other", "alice").await;
}

/// Before, it was to be accepted though they were in the room.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_room_of_a_channel_that_they_parted_is_asked_by_a_question_alone() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&network, "part #rust");
    world.ircd.wait_parted("#rust", "alice").await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    bob.invite("alice", "#rust");
    world.homeserver.wait_event(&network, says("bob invites you to #rust. To enter, react to this")).await;
    // Who leaves it is invited to it.
    alice.leave(&room);
    world.pass("alice", std::time::Duration::from_mins(11)).await;
    bob.invite("alice", "#rust");
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
}

/// Before, whoever accepted while the bridge was down was in the room and not in the channel: a homeserver that sends an event once
/// more may leave out what was before.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_accepted_while_the_bridge_is_down_enters_the_channel() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#closed");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.invite("alice", "#closed");
    let closed = world.homeserver.wait_invite(alice.id()).await;
    world.stop_bridge().await;
    alice.join(&closed).await;
    world.start_bridge().await;
    world.ircd.wait_joined("#closed", "alice").await;
}

/// Before, each restart let strangers have ten more rooms made.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_so_many_rooms_wait_for_an_answer_to_invitations_over_restarts_too() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, network) = world.connected_user("alice").await;
    for round in 0..3 {
        if round == 1 {
            world.stop_bridge().await;
            world.start_bridge().await;
            world.ircd.wait_registered("alice").await;
        }
        for number in 0..5 {
            bob.join(&format!("#c{round}{number}"));
            bob.invite("alice", &format!("#c{round}{number}"));
        }
        let last = format!("bob invites you to #c{round}4");
        world.homeserver.wait_event(&network, says(&last)).await;
        world.pass("alice", std::time::Duration::from_mins(11)).await;
    }
    world.homeserver.wait_event(&network, says("bob invites you to #c24. To enter, react")).await;
    world.wait_outbox_empty().await;
    let rooms = (0..3).flat_map(|round| (0..5).map(move |number| format!("#c{round}{number} (FakeNet)")));
    assert_eq!(rooms.filter(|name| !world.homeserver.rooms_named(name).is_empty()).count(), 10);
    drop(alice);
}

/// Before, it was looked for in the store alone, which knows the event only from the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_though_the_homeserver_has_not_said_that_it_was_asked() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#closed");
    let (alice, _, network) = world.connected_user("alice").await;
    world.wait_outbox_empty().await;
    let sends = format!("/rooms/{network}/send/m.room.message");
    world.homeserver.faults().fail("PUT", &sends, Fault::Unanswered, 1);
    bob.invite("alice", "#closed");
    let question = world.homeserver.wait_event(&network, says("bob invites you to #closed")).await;
    alice.react(&network, &question.event_id, "✅");
    world.ircd.wait_joined("#closed", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_is_invited_to_a_channels_room_is_invited_on_irc() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    alice.invite(&room, BOB);
    bob.wait_heard(|heard| heard.command == "INVITE" && heard.text() == "#rust").await;
    world.homeserver.wait_member(&room, BOB, "leave").await;
    let reason = world.homeserver.state(&room, "m.room.member", BOB)["reason"].clone();
    assert!(reason.as_str().unwrap().contains("when they enter #rust"), "{reason}");
    bob.join("#rust");
    bob.say("#rust", "here I am");
    assert_eq!(world.homeserver.wait_message(&room, "here I am").await.sender, BOB);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_throws_a_ghost_out_kicks_on_irc_and_without_power_is_told() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    alice.kick(&room, BOB, "out").unwrap();
    world.homeserver.wait_event(&room, says("you are no operator there")).await;
    assert!(world.ircd.names("#rust").contains(&"bob".to_owned()));
    bob.say("#rust", "still here");
    assert_eq!(world.homeserver.wait_message(&room, "still here").await.sender, BOB);
    bob.mode("#rust", "+o alice");
    world.homeserver.wait_event(&room, says("bob sets +o alice")).await;
    alice.kick(&room, BOB, "enough\r\nQUIT").unwrap();
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("KICK #rust bob :enough")).await;
    world.ircd.wait_parted("#rust", "bob").await;
    assert_eq!(world.homeserver.state(&room, "m.room.member", BOB)["membership"], json!("leave"));
    assert!(world.ircd.nicks().contains(&"alice".to_owned()));
}

/// Before, who was let in again was kicked out of the channel.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_ghosts_ban_back_takes_it_back_on_irc_and_puts_nobody_out() {
    let world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    // Without power on IRC, a ban is the room's alone.
    alice.ban(&room, BOB).unwrap();
    world.homeserver.wait_event(&room, says("is not shown in this room until you lift the ban")).await;
    bob.say("#rust", "nobody hears me");
    carol.mode("#rust", "+o alice");
    bob.mode("#rust", "+o alice");
    world.homeserver.wait_event(&room, says("sets +o alice")).await;
    alice.unban(&room, BOB);
    // There is none to take back, as the list says.
    world.ircd.wait_line(|nick, line| nick == "alice" && line == "MODE #rust +b").await;
    bob.say("#rust", "here again");
    assert_eq!(world.homeserver.wait_message(&room, "here again").await.sender, BOB);
    assert!(
        !world.ircd.lines_from("alice").iter().any(|line| line.starts_with("KICK") || line.contains(" -b "))
    );
    assert!(!world.homeserver.timeline_bodies(&room).contains(&"nobody hears me".to_owned()));
    // With it, one is the channel's, too, both ways.
    alice.ban(&room, BOB).unwrap();
    world.ircd.wait_line(|nick, line| nick == "alice" && line == "MODE #rust +b bob!*@*").await;
    world.ircd.wait_parted("#rust", "bob").await;
    let mark = world.ircd.mark();
    alice.unban(&room, BOB);
    world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line == "MODE #rust -b bob!*@*").await;
    bob.join("#rust");
    bob.say("#rust", "thank you");
    assert_eq!(world.homeserver.wait_message(&room, "thank you").await.sender, BOB);
}

/// Before, whoever had set it, the channel's ban was gone; and of one that could not be taken back nothing was said.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_on_irc_stays_when_the_room_lets_a_ghost_in_again_unless_it_is_the_owners_own() {
    let world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    carol.join("#rust");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    alice.ban(&room, BOB).unwrap();
    world.homeserver.wait_event(&room, says("is not shown in this room until you lift the ban")).await;
    carol.mode("#rust", "+b bob!*@*");
    carol.mode("#rust", "+o alice");
    world.homeserver.wait_event(&room, says("+o alice")).await;
    alice.unban(&room, BOB);
    let told = world.homeserver.wait_event(&room, says("is still banned from #rust")).await;
    assert_eq!(
        told.body(),
        "bob!*@* is still banned from #rust: carol has set that, and it was not taken back."
    );
    // One of her own, which she may not take back any more.
    carol.mode("#rust", "-b bob!*@*");
    bob.say("#rust", "here again");
    world.homeserver.wait_message(&room, "here again").await;
    alice.ban(&room, BOB).unwrap();
    world.ircd.wait_line(|nick, line| nick == "alice" && line == "MODE #rust +b bob!*@*").await;
    world.ircd.wait_parted("#rust", "bob").await;
    carol.mode("#rust", "-o alice");
    world.homeserver.wait_event(&room, says("-o alice")).await;
    alice.unban(&room, BOB);
    world.homeserver.wait_event(&room, says("from #rust: you are no operator there any more")).await;
    assert!(!world.ircd.lines_from("alice").iter().any(|line| line.contains(" -b ")));
}
