//! A shared room on a real homeserver: found by its alias, and one conversation of two people on Matrix and two on IRC.

mod directory;
mod services;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::from_heisenbridge::Steps;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;
use crate::rig::synapse::SERVER_NAME;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, PASSWORD, Rooms, Town, ghost};
use crate::scene::CHANNEL;

/// Joins the shared room of the channel by its alias; gives its id.
async fn join_shared(user: &MatrixUser) -> String {
    let path = format!("join/%23irc_demo_%23{}:{SERVER_NAME}", &CHANNEL[1..]);
    let answer = user.request(Method::POST, &path, &json!({})).await.unwrap();
    answer["room_id"].as_str().unwrap().to_owned()
}

/// A town with shared rooms, and more in the configuration of its IRC server.
async fn with_shared_rooms(more: &str) -> Town {
    let directory = TempDir::with_prefix("towline-shared-").unwrap();
    let inspircd = Inspircd::start_with(&directory.path().join("inspircd"), more).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { rooms: Rooms { shared: true, ..Rooms::default() }, ..Extras::default() };
    Town::around(directory, inspircd, entry, &extras).await
}

#[tokio::test]
async fn a_shared_room_is_found_by_its_alias_and_everybody_sees_each_message_once_on_synapse() {
    let town = with_shared_rooms("").await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    let witness = IrcPerson::connect(town.inspircd.address(), "witness").await;
    irene.join(CHANNEL).await;
    witness.join(CHANNEL).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;

    let room = join_shared(&town.alice).await;
    town.alice.say(&room, "alice is here").await;
    irene.wait_said("alice", CHANNEL, "alice is here").await;
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is here").await;
    irene.wait_said("carol", CHANNEL, "carol is here").await;
    irene.say(CHANNEL, "irene is here");
    witness.wait_said("irene", CHANNEL, "irene is here").await;
    for user in [&town.alice, &carol] {
        user.wait_message(&room, "irene is here").await;
    }
    witness.say(CHANNEL, "that is all");
    for user in [&town.alice, &carol] {
        user.wait_message(&room, "that is all").await;
    }
    irene.wait_said("witness", CHANNEL, "that is all").await;
    // What comes twice, or late, comes before a closing line from each side.
    carol.say(&room, "closed on Matrix").await;
    for person in [&irene, &witness] {
        person.wait_said("carol", CHANNEL, "closed on Matrix").await;
    }
    irene.say(CHANNEL, "closed on IRC");
    witness.wait_said("irene", CHANNEL, "closed on IRC").await;
    for user in [&town.alice, &carol] {
        for line in ["closed on Matrix", "closed on IRC"] {
            user.wait_message(&room, line).await;
        }
    }
    let by = |who: &str, line: &str| (who.to_owned(), line.to_owned());
    // Synapse's order is its own; by whom each was said, and that it was once, is not.
    let is_all = |mut said: Vec<(String, String)>, mut expected: Vec<(String, String)>, who: &str| {
        // That their first words wait until they are in the channel is told or not, as fast as that is.
        said.retain(|(sender, _)| *sender != bot());
        said.sort();
        expected.sort();
        assert_eq!(said, expected, "{who}");
    };
    // Who is in the room sees what is said from then on, and what they say themselves.
    let since_carol = [
        by(carol.id(), "carol is here"),
        by(&ghost("irene"), "irene is here"),
        by(&ghost("witness"), "that is all"),
        by(carol.id(), "closed on Matrix"),
        by(&ghost("irene"), "closed on IRC"),
    ];
    is_all(carol.lines(&room), since_carol.to_vec(), "carol");
    let since_alice = [&since_carol[..], &[by(town.alice.id(), "alice is here")]].concat();
    is_all(town.alice.lines(&room), since_alice, "alice");
    // Who is on IRC hears all but themselves.
    let of_matrix =
        [by("alice", "alice is here"), by("carol", "carol is here"), by("carol", "closed on Matrix")];
    let heard = [&of_matrix[..], &[by("witness", "that is all")]].concat();
    is_all(irene.messages(CHANNEL), heard, "irene");
    let of_irene = [by("irene", "irene is here"), by("irene", "closed on IRC")];
    let heard = [&of_matrix[..], &of_irene].concat();
    is_all(witness.messages(CHANNEL), heard, "witness");

    // Who leaves the room leaves the channel; the other one sees on.
    town.alice.leave(&room).await;
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" PART ")).await;
    irene.say(CHANNEL, "alice is gone");
    carol.wait_message(&room, "alice is gone").await;

    // With the last one goes the alias, and the room has it again for whoever looks for it.
    carol.leave(&room).await;
    irene.wait_line(|line| line.starts_with(":carol!") && line.contains(" PART ")).await;
    assert_eq!(join_shared(&town.alice).await, room);
    town.alice.say(&room, "alice is back").await;
    irene.wait_said("alice", CHANNEL, "alice is back").await;
    irene.say(CHANNEL, "welcome back");
    town.alice.wait_message(&room, "welcome back").await;
}

/// A town with a shared room of the channel, where alice and carol are, in this order: so alice's connection shows it.
async fn two_in_a_shared_room(more: &str) -> (Town, MatrixUser, IrcPerson, String) {
    let town = with_shared_rooms(more).await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let room = join_shared(&town.alice).await;
    for (user, nick) in [(&town.alice, "alice"), (&carol, "carol")] {
        assert_eq!(join_shared(user).await, room);
        user.say(&room, &format!("{nick} is here")).await;
        irene.wait_said(nick, CHANNEL, &format!("{nick} is here")).await;
    }
    irene.say(CHANNEL, "both are here");
    carol.wait_message(&room, "both are here").await;
    (town, carol, irene, room)
}

#[tokio::test]
async fn whose_connection_shows_a_shared_channel_is_killed_in_mid_conversation_and_nothing_is_missed_on_synapse()
 {
    const OPERATOR: &str = "<class name=\"all\" commands=\"*\" privs=\"*\"><type name=\"netadmin\" classes=\"all\">\
                            <oper name=\"irene\" password=\"sesame\" host=\"*@*\" type=\"netadmin\">\n";
    let (town, carol, irene, room) = two_in_a_shared_room(OPERATOR).await;
    irene.raw("OPER irene sesame");
    irene.wait_line(|line| line.contains(" 381 ")).await;
    let said: Vec<String> = (0..40).map(|number| format!("line {number:02}")).collect();
    for (number, line) in said.iter().enumerate() {
        irene.say(CHANNEL, line);
        if number == 19 {
            irene.raw("KILL alice :in mid-conversation");
        }
    }
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
    // What comes twice, or late, comes before a closing line from each side: whose connection was killed waits.
    carol.say(&room, "carol has the last word").await;
    irene.wait_said("carol", CHANNEL, "carol has the last word").await;
    irene.say(CHANNEL, "and so has irene");
    for user in [&town.alice, &carol] {
        user.wait_message(&room, "line 39").await;
        for line in ["carol has the last word", "and so has irene"] {
            user.wait_message(&room, line).await;
        }
        let lines = user.lines(&room).into_iter().filter(|(_, line)| line.starts_with("line "));
        let (senders, lines): (Vec<_>, Vec<_>) = lines.unzip();
        assert_eq!(lines, said, "{}", user.id());
        assert!(senders.iter().all(|sender| *sender == ghost("irene")));
    }
}

#[tokio::test]
async fn whom_a_channel_refuses_is_taken_out_of_its_shared_room_with_the_reason_on_synapse() {
    let (town, _, irene, room) = two_in_a_shared_room("").await;
    irene.raw(&format!("MODE {CHANNEL} +b dave!*@*"));
    irene.wait_line(|line| line.contains(" MODE ") && line.contains("+b dave!*@*")).await;
    let dave = MatrixUser::register(&town.synapse.url, "dave", PASSWORD).await;
    assert_eq!(join_shared(&dave).await, room);
    dave.wait_out(&room).await;
    let refused = town.alice.wait_event(&room, |event| {
        event["type"] == "m.room.member"
            && event["state_key"] == dave.id()
            && event["content"]["membership"] == "leave"
    });
    let reason = refused.await["content"]["reason"].clone();
    assert!(reason.as_str().unwrap_or_default().contains(&format!("Not in {CHANNEL}")), "{reason}");
    assert!(!irene.names(CHANNEL).await.contains(&"dave".to_owned()));
}

#[tokio::test]
async fn an_existing_room_shows_a_channel_and_is_left_to_its_people_on_synapse() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let network = town.open_network().await;
    let is_on = |event: &serde_json::Value| {
        event["content"]["body"].as_str().is_some_and(|body| body.starts_with("Connected to"))
    };
    town.alice.wait_event(&network, is_on).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let request = json!({ "preset": "private_chat", "name": "Tea house", "topic": "ours", "invite": [town.alice.id()] });
    let room = carol.create_room(&request).await;
    town.alice.join(&room).await;

    // The bot comes when it is invited, and with it who is on the network.
    town.towline.plumb(Some((CHANNEL, &room)));
    let mark = irene.mark();
    town.towline.reload().await;
    town.towline.wait_logged("invite @towline:").await;
    carol.invite(&room, &bot()).await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;
    irene.say(CHANNEL, "anybody home?");
    let shown = carol.wait_message(&room, "anybody home?").await;
    assert_eq!(shown["sender"], ghost("irene").as_str());
    town.alice.say(&room, "alice is").await;
    irene.wait_said("alice", CHANNEL, "alice is").await;
    carol.say(&room, "carol is, too").await;
    let is_told = |event: &serde_json::Value| {
        let body = event["content"]["body"].as_str().unwrap_or_default();
        body.starts_with(carol.id()) && body.contains("does not go to")
    };
    carol.wait_event(&room, is_told).await;
    town.alice.say(&room, "she can't hear you").await;
    irene.wait_said("alice", CHANNEL, "she can't hear you").await;
    assert!(irene.messages(CHANNEL).iter().all(|(_, text)| text != "carol is, too"));

    // Without its line the room is its people's alone, as it was.
    town.towline.plumb(None);
    town.towline.reload().await;
    for user in [ghost("irene"), bot()] {
        carol.wait_member(&room, &user, "leave").await;
    }
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" PART ")).await;
    for (kind, key, value) in [("m.room.name", "name", "Tea house"), ("m.room.topic", "topic", "ours")] {
        let state =
            carol.request(Method::GET, &format!("rooms/{room}/state/{kind}"), &json!({})).await.unwrap();
        assert_eq!(state[key], value);
    }
    carol.say(&room, "still here").await;
    town.alice.wait_message(&room, "still here").await;
}

/// What Synapse hands over of a room's state.
async fn state(user: &MatrixUser, room: &str, kind: &str) -> serde_json::Value {
    user.request(Method::GET, &format!("rooms/{room}/state/{kind}"), &json!({})).await.unwrap()
}

#[tokio::test]
async fn operators_moderate_a_shared_room_from_both_sides_on_synapse() {
    let town = with_shared_rooms("").await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    let walter = IrcPerson::connect(town.inspircd.address(), "walter").await;
    irene.join(CHANNEL).await;
    walter.join(CHANNEL).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let (alice, room) = (&town.alice, join_shared(&town.alice).await);
    alice.say(&room, "alice is here").await;
    irene.wait_said("alice", CHANNEL, "alice is here").await;
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is here").await;
    irene.wait_said("carol", CHANNEL, "carol is here").await;
    walter.say(CHANNEL, "walter is here");
    alice.wait_message(&room, "walter is here").await;

    // An operator on IRC is one in the room, and acts there as themselves.
    irene.raw(&format!("MODE {CHANNEL} +o alice"));
    let has_power = |event: &serde_json::Value| {
        event["type"] == "m.room.power_levels" && event["content"]["users"][alice.id()] == 50
    };
    alice.wait_event(&room, has_power).await;
    put_state(alice, &room, "m.room.topic", &json!({ "topic": "Ropes" })).await;
    irene.wait_line(|line| line.starts_with(":alice!") && line.ends_with("Ropes")).await;
    irene.raw(&format!("TOPIC {CHANNEL} :Knots"));
    alice.wait_event(&room, |event| event["content"]["topic"] == "Knots").await;
    let mut levels = state(alice, &room, "m.room.power_levels").await;
    for (level, mode) in [(10, " +v "), (50, "+o")] {
        levels["users"][carol.id()] = level.into();
        put_state(alice, &room, "m.room.power_levels", &levels).await;
        let is_given =
            |line: &str| line.starts_with(":alice!") && line.contains(mode) && line.contains("carol");
        irene.wait_line(is_given).await;
    }
    // Nobody removes an equal on Matrix.
    let is_equal = |event: &serde_json::Value| {
        event["type"] == "m.room.power_levels" && event["content"]["users"][carol.id()] == 50
    };
    alice.wait_event(&room, is_equal).await;
    irene.raw(&format!("MODE {CHANNEL} -o carol"));
    alice.wait_state(&room, "m.room.power_levels", |levels| levels["users"][carol.id()] != 50).await;
    put_out(alice, "kick", &room, &ghost("walter")).await;
    let is_kick =
        |line: &str| line.starts_with(":alice!") && line.contains(" KICK ") && line.contains("walter");
    irene.wait_line(is_kick).await;
    put_out(alice, "kick", &room, carol.id()).await;
    let is_kick =
        |line: &str| line.starts_with(":alice!") && line.contains(" KICK ") && line.contains("carol");
    irene.wait_line(is_kick).await;

    // A channel that is closed has a closed room, and opens with it: for invited people, and with a key.
    for (close, open) in [("+i", "-i"), ("+k rope", "-k rope")] {
        irene.raw(&format!("MODE {CHANNEL} {close}"));
        alice.wait_state(&room, "m.room.join_rules", |rules| rules["join_rule"] == "invite").await;
        let closed = carol.request(Method::POST, &format!("join/{room}"), &json!({})).await;
        assert_eq!(closed.unwrap_err()["errcode"], "M_FORBIDDEN");
        irene.raw(&format!("MODE {CHANNEL} {open}"));
        alice.wait_state(&room, "m.room.join_rules", |rules| rules["join_rule"] == "public").await;
    }
    set_key_from_matrix(&town, &irene, &carol, &room).await;
    for (rule, mode) in [("invite", "+i"), ("public", "-i")] {
        put_state(alice, &room, "m.room.join_rules", &json!({ "join_rule": rule })).await;
        irene
            .wait_line(|line| line.starts_with(":alice!") && line.contains(" MODE ") && line.contains(mode))
            .await;
    }

    // A ban in the room is the channel's, and none stays in the room.
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is back").await;
    irene.wait_said("carol", CHANNEL, "carol is back").await;
    put_out(alice, "ban", &room, carol.id()).await;
    let is_ban = |line: &str| line.starts_with(":alice!") && line.contains(" MODE ") && line.contains("+b ");
    let ban = irene.wait_line(is_ban).await;
    let mask = ban.split(' ').next_back().unwrap().trim_start_matches(':').to_owned();
    irene
        .wait_line(|line| line.starts_with(":alice!") && line.contains(" KICK ") && line.contains("carol"))
        .await;
    alice.wait_member(&room, carol.id(), "leave").await;
    // The other way round: who is banned on IRC is out of the room.
    irene.raw(&format!("MODE {CHANNEL} -b {mask}"));
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is back again").await;
    irene.wait_said("carol", CHANNEL, "carol is back again").await;
    irene.raw(&format!("MODE {CHANNEL} +b carol!*@*"));
    carol.wait_out(&room).await;

    // No operator any more: nothing can be done there.
    irene.raw(&format!("MODE {CHANNEL} +m-o alice"));
    let has_none = |levels: &serde_json::Value| {
        levels["users"][alice.id()].is_null()
            && levels["users"][ghost("irene")] == 50
            && levels["users"][carol.id()].is_null()
            && levels["events_default"] == 10
    };
    alice.wait_state(&room, "m.room.power_levels", has_none).await;
    // By an operator on IRC out of both.
    irene.raw(&format!("KICK {CHANNEL} alice :and you"));
    alice.wait_out(&room).await;
}

/// alice sets the channel's key where nobody else reads it, carol comes back by it, and it stands in no room.
async fn set_key_from_matrix(town: &Town, irene: &IrcPerson, carol: &MatrixUser, room: &str) {
    let alice = &town.alice;
    let gone = async |user: &MatrixUser, room: &str, typed: &str| {
        let event = user.say(room, typed).await;
        let is_gone = |one: &serde_json::Value| {
            one["type"] == "m.room.redaction"
                && (one["redacts"] == event.as_str() || one["content"]["redacts"] == event.as_str())
        };
        user.wait_event(room, is_gone).await;
    };
    gone(alice, room, "!irc mode +k lapsang").await;
    gone(alice, &town.control, &format!("mode {CHANNEL} +k rope")).await;
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains("+k") && line.contains("rope")).await;
    alice.wait_state(room, "m.room.join_rules", |rules| rules["join_rule"] == "invite").await;
    let network = carol.wait_invite_named(NETWORK).await;
    carol.join(&network).await;
    gone(carol, &network, &format!("join {CHANNEL} rope")).await;
    assert_eq!(carol.wait_invite_named(&format!("{CHANNEL} ({NETWORK})")).await, room);
    carol.join(room).await;
    carol.say(room, "carol has the key").await;
    irene.wait_said("carol", CHANNEL, "carol has the key").await;
    put_out(alice, "kick", room, carol.id()).await;
    irene
        .wait_line(|line| line.starts_with(":alice!") && line.contains(" KICK ") && line.contains("carol"))
        .await;
    alice.say(&town.control, &format!("mode {CHANNEL} -k rope")).await;
    alice.wait_state(room, "m.room.join_rules", |rules| rules["join_rule"] == "public").await;
}

async fn put_state(user: &MatrixUser, room: &str, kind: &str, content: &serde_json::Value) {
    user.request(Method::PUT, &format!("rooms/{room}/state/{kind}"), content).await.unwrap();
}

/// Removes or bans somebody.
async fn put_out(user: &MatrixUser, how: &str, room: &str, other: &str) {
    let body = json!({ "user_id": other, "reason": "enough" });
    user.request(Method::POST, &format!("rooms/{room}/{how}"), &body).await.unwrap();
}

#[tokio::test]
async fn people_without_a_connection_are_relayed_with_their_names_on_real_servers() {
    let steps = Steps::of(
        "In a plumbed room",
        "people_without_a_connection_are_relayed_with_their_names_on_real_servers",
    );
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let dave = MatrixUser::register(&town.synapse.url, "dave", PASSWORD).await;
    let room = carol.create_room(&json!({ "preset": "public_chat", "name": "Tea house" })).await;
    dave.join(&room).await;

    steps.begin("PLUMB");
    town.towline.plumb(Some((CHANNEL, &room)));
    town.towline.reload().await;
    carol.wait_member(&room, &bot(), "join").await;
    town.alice.say(&town.control, "open demo as relay").await;
    let network = town.alice.wait_invite_named(&format!("{NETWORK} (relay)")).await;
    town.alice.join(&network).await;
    let says = |words: &'static str| {
        move |event: &serde_json::Value| {
            event["content"]["body"].as_str().is_some_and(|body| body.contains(words))
        }
    };
    town.alice.wait_event(&network, says("Connected to")).await;
    town.alice.say(&network, &format!("relay {CHANNEL}")).await;
    carol.wait_event(&room, says("From now on what people write here")).await;
    carol.say(&room, "good morning").await;
    irene.wait_said("alice_relay", CHANNEL, "<carol> good morning").await;
    dave.say(&room, "two\nlines").await;
    irene.wait_said("alice_relay", CHANNEL, "<dave> lines").await;
    irene.say(CHANNEL, "carol: good morning");
    carol.wait_message(&room, "carol: good morning").await;

    let set = async |setting: &str| {
        let words = format!("{setting} for demo/relay.");
        town.alice.say(&network, &format!("set {setting}")).await;
        let is_set = move |event: &serde_json::Value| {
            event["content"]["body"].as_str().is_some_and(|body| body.starts_with(&words))
        };
        town.alice.wait_event(&network, is_set).await;
    };
    steps.begin("DISAMBIGUATION");
    named(&dave, &room, "Carol").await;
    dave.say(&room, "I am carol, too").await;
    let line = format!("<Carol ({})> I am carol, too", dave.id());
    irene.wait_said("alice_relay", CHANNEL, &line).await;
    steps.begin("ZWSP");
    named(&dave, &room, "Irene").await;
    dave.say(&room, "not your name").await;
    irene.wait_said("alice_relay", CHANNEL, "<I\u{200b}rene> not your name").await;
    set("relay-antiping off").await;
    dave.say(&room, "your name").await;
    irene.wait_said("alice_relay", CHANNEL, "<Irene> your name").await;
    steps.begin("DISPLAYNAMES");
    set("relay-name localpart").await;
    dave.say(&room, "dave I am").await;
    irene.wait_said("alice_relay", CHANNEL, "<dave> dave I am").await;
    steps.begin("PREFIXALL");
    set("relay-prefix first").await;
    dave.say(&room, "one\ntwo").await;
    irene.wait_said("alice_relay", CHANNEL, "two").await;
    steps.begin("NOTICERELAY");
    let notice = json!({ "msgtype": "m.notice", "body": "beep" });
    let path = |txn: &str| format!("rooms/{room}/send/m.room.message/{txn}");
    dave.request(Method::PUT, &path("beep1"), &notice).await.unwrap();
    set("relay-notices on").await;
    dave.say(&room, "now").await;
    irene.wait_said("alice_relay", CHANNEL, "<dave> now").await;
    dave.request(Method::PUT, &path("beep2"), &notice).await.unwrap();
    irene.wait_line(|line| line.contains(" NOTICE ") && line.ends_with("<dave> beep")).await;
    steps.begin("RELAYTAG");
    // The server has no RELAYMSG, so the name stands before the words, whatever the tag.
    set("relay-tag irc").await;
    dave.say(&room, "tagged").await;
    irene.wait_said("alice_relay", CHANNEL, "<dave> tagged").await;
    let relayed = irene.messages(CHANNEL).into_iter().map(|(_, text)| text);
    assert_eq!(
        relayed.collect::<Vec<_>>(),
        [
            "<carol> good morning",
            "<dave> two",
            "<dave> lines",
            &line,
            "<I\u{200b}rene> not your name",
            "<Irene> your name",
            "<dave> dave I am",
            "<dave> one",
            "two",
            "<dave> now",
            "<dave> tagged",
        ]
    );
    steps.end();
}

/// Gives somebody another name, and waits until a room has it.
async fn named(user: &MatrixUser, room: &str, name: &str) {
    let path = format!("profile/{}/displayname", user.id());
    user.request(Method::PUT, &path, &json!({ "displayname": name })).await.unwrap();
    let has_it = |event: &serde_json::Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == user.id()
            && event["content"]["displayname"] == name
    };
    user.wait_event(room, has_it).await;
}

#[tokio::test]
async fn a_room_shows_a_channel_by_command_when_an_operator_agrees_on_real_servers() {
    let town = Town::start().await;
    town.towline.let_users_plumb();
    town.towline.reload().await;
    town.towline.wait_logged("the configuration was read anew").await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    // Who enters a channel first is its operator.
    irene.join(CHANNEL).await;
    // Alice is the bridge's administrator, who needs nobody's consent.
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let chat = carol.start_dm(&bot()).await;
    carol.wait_member(&chat, &bot(), "join").await;
    carol.say(&chat, "open demo").await;
    let network = carol.wait_invite_named(NETWORK).await;
    carol.join(&network).await;
    let tells = |part: &'static str| {
        move |event: &serde_json::Value| {
            event["content"]["body"].as_str().is_some_and(|body| body.contains(part))
        }
    };
    carol.wait_event(&network, tells("Connected to")).await;
    carol.say(&network, &format!("join {CHANNEL}")).await;
    irene.wait_line(|line| line.starts_with(":carol!") && line.contains(" JOIN ")).await;
    let own = carol.wait_invite_named(&format!("{CHANNEL} ({NETWORK})")).await;
    carol.join(&own).await;
    let room = carol.create_room(&json!({ "preset": "private_chat", "name": "Tea house" })).await;

    carol.say(&network, &format!("plumb {room} {CHANNEL}")).await;
    carol.wait_event(&network, tells("invite me to that room")).await;
    carol.invite(&room, &bot()).await;
    let question = irene.wait_line(|line| line.starts_with(":carol!") && line.contains("!plumb yes ")).await;
    let code = question.split("!plumb yes ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    irene.say("carol", &format!("!plumb yes {code}"));
    carol.wait_event(&network, tells("irene agrees. #towline is shown in that room from now on.")).await;
    let is_outcome = |line: &str| line.contains("NOTICE irene :#towline is shown in that room from now on.");
    irene.wait_line(is_outcome).await;
    carol.wait_event(&room, tells("This room shows #towline on")).await;
    irene.say(CHANNEL, "anybody home?");
    let shown = carol.wait_message(&room, "anybody home?").await;
    assert_eq!(shown["sender"], ghost("irene").as_str());
    carol.say(&room, "carol is").await;
    irene.wait_said("carol", CHANNEL, "carol is").await;

    // The room that was hers alone says where the channel is.
    carol.wait_event(&own, tells("is shown in another room from now on")).await;
    carol.say(&own, "anybody here?").await;
    carol.wait_event(&own, tells("Your message was not sent")).await;

    carol.say(&network, &format!("unplumb {CHANNEL}")).await;
    for user in [ghost("irene"), bot()] {
        carol.wait_member(&room, &user, "leave").await;
    }
    irene.wait_line(|line| line.starts_with(":carol!") && line.contains(" PART ")).await;
}
