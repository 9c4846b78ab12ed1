//! What users of matrix-appservice-irc complain about most, each by the number of its issue there. Those that are about no
//! shared room are beside what they are about: look for `complaint_`.

use std::collections::BTreeSet;

use super::*;
use crate::support::bridge::ask;
use crate::support::ircd::Options;
use crate::support::random::Random;

const SERVERS: &str = "irc.a.net hub.b.net";

/// The shared room with so many people from Matrix, besides alice and carol; and what each has to do with the bot.
async fn with_others(talk: &Talk, count: usize) -> Vec<(TestUser, String, String)> {
    let mut others = Vec::new();
    for number in 0..count {
        let nick = format!("guest{number}");
        let (user, control, network) = talk.world.greeted_user(&nick).await;
        user.join(ALIAS).await;
        talk.world.ircd.wait_joined("#tea", &nick).await;
        others.push((user, control, network));
    }
    others
}

fn memberships(world: &World, room: &str) -> usize {
    world.homeserver.events(room).iter().filter(|event| event.kind == "m.room.member").count()
}

/// How many messages wait to be told apart, numbered.
fn numbered(words: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{words} {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_86_and_384_when_all_are_cut_off_each_connects_once_and_no_chat_with_the_bot_rings() {
    let talk = Talk::begin(world().start().await).await;
    let others = with_others(&talk, 8).await;
    let connections = talk.world.ircd.connections();
    let sends = || talk.world.homeserver.requests("PUT", "/send/m.room.message");
    let chats: Vec<usize> =
        others.iter().map(|(_, control, _)| talk.world.homeserver.event_count(control)).collect();
    talk.world.wait_outbox_empty().await;
    let (before, members) = (sends(), memberships(&talk.world, &talk.room));
    talk.world.ircd.cut_all();
    let networks = others.iter().map(|(.., network)| network).chain(&talk.networks);
    for network in networks {
        // Once it was told that it had gone.
        let is_lost = std::cell::Cell::new(false);
        let is_back = |event: &Event| {
            is_lost.set(is_lost.get() || event.body().starts_with("Not connected"));
            is_lost.get() && event.body().starts_with("Connected to")
        };
        talk.world.homeserver.wait_event(network, is_back).await;
    }
    let nicks = (0..8).map(|number| format!("guest{number}")).chain(["alice".into(), "carol".into()]);
    for nick in nicks {
        talk.world.ircd.wait_joined("#tea", &nick).await;
    }
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.world.ircd.connections(), connections + 10, "one attempt each");
    // To each that it is lost and that it is back, and in the room that something may be missing.
    let shown = talk.world.homeserver.timeline_bodies(&talk.room);
    let gaps = shown.iter().filter(|body| body.starts_with("Nothing was seen here")).count();
    assert!(sends() <= before + 20 + gaps && gaps <= 2, "{} more, {gaps} gaps", sends() - before);
    assert_eq!(memberships(&talk.world, &talk.room), members, "nobody left the room for that");
    for ((_, control, _), count) in others.iter().zip(chats) {
        assert_eq!(talk.world.homeserver.event_count(control), count);
    }
}

/// Each of their ghosts waits for a homeserver that doesn't answer.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1174_however_many_join_at_once_what_is_said_comes_at_once() {
    let talk = Talk::begin(world().config("settings: { members: all }\n").start().await).await;
    for ghost in [BOB, DAN] {
        talk.world.homeserver.wait_member(&talk.room, ghost, "join").await;
    }
    let registered = talk.world.homeserver.requests("POST", "/register");
    talk.world.homeserver.faults().fail("POST", "/register", Fault::Hang, 10_000);
    talk.world.homeserver.faults().fail("POST", "/join", Fault::Hang, 10_000);
    let crowd: Vec<Person> =
        (0..200).map(|number| talk.world.ircd.person(&format!("crowd{number}"))).collect();
    crowd.iter().for_each(|person| person.join("#tea"));
    talk.world.homeserver.wait_requests("POST", "/register", registered + 1).await;
    let said = numbered("line", 20);
    for line in &said {
        talk.bob.say("#tea", line);
        talk.world.homeserver.wait_message(&talk.room, line).await;
    }
    talk.carol.send_text(&talk.room, "so many!");
    talk.bob.wait_text("so many!").await;
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1090_however_many_quit_at_once_no_ghost_moves_and_what_is_said_comes_at_once() {
    let talk = Talk::begin(world().config("settings: { members: all }\n").start().await).await;
    let nicks: Vec<String> = (0..15).map(|number| format!("crowd{number}")).collect();
    let crowd: Vec<Person> = nicks.iter().map(|nick| talk.world.ircd.person(nick)).collect();
    crowd.iter().for_each(|person| person.join("#tea"));
    for nick in &nicks {
        let ghost = format!("@irc_fake_{nick}:test.local");
        talk.world.homeserver.wait_member(&talk.room, &ghost, "join").await;
    }
    talk.world.wait_outbox_empty().await;
    let before = memberships(&talk.world, &talk.room);
    talk.world.ircd.split(&nicks.iter().map(String::as_str).collect::<Vec<_>>(), SERVERS);
    talk.bob.say("#tea", "where are they all?");
    talk.world.homeserver.wait_message(&talk.room, "where are they all?").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    talk.world.pass("alice", Duration::from_secs(15)).await;
    let split = |event: &Event| event.body().contains("have lost each other");
    talk.world.homeserver.wait_event(&talk.room, split).await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(memberships(&talk.world, &talk.room), before);
}

/// Nobody falls out of a room for a restart, and everybody is in their channels again: those of then, and no others.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1768_and_371_after_a_restart_everybody_is_where_they_were() {
    let mut talk = Talk::begin(world().start().await).await;
    let own = numbered("#own", 5).into_iter().map(|name| name.replace(' ', "-")).collect::<Vec<_>>();
    let typed: Vec<String> = own.iter().map(|name| format!("join {name}")).collect();
    talk.alice.send_text(&talk.networks[0], &typed.join("\n"));
    for name in &own {
        talk.world.ircd.wait_joined(name, "alice").await;
    }
    talk.alice.send_text(&talk.networks[0], "part #own-4");
    talk.world.ircd.wait_parted("#own-4", "alice").await;
    talk.heard("alice").await;
    talk.world.wait_outbox_empty().await;
    let members = memberships(&talk.world, &talk.room);
    let mark = talk.world.ircd.mark();
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.start_bridge().await;
    for (nick, channel) in own[..4].iter().map(|name| ("alice", name.as_str())).chain([("carol", "#tea")]) {
        talk.world.ircd.wait_joined(channel, nick).await;
    }
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.heard("alice").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(memberships(&talk.world, &talk.room), members);
    let joins = talk.world.ircd.lines().into_iter().skip(mark).map(|one| one.line());
    assert!(!joins.into_iter().any(|line| line.starts_with("JOIN") && line.contains("#own-4")));
}

/// Before, they were taken out after a quarter of an hour, when others were shown what is said there.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1768_who_waits_for_their_turn_to_connect_stays_where_they_were_however_long_that_takes() {
    const HOUR: Duration = Duration::from_hours(1);
    let mut talk = Talk::begin(world().stale_after(24 * HOUR).start().await).await;
    talk.world.stop_bridge().await;
    let mut config = talk.world.config();
    for network in config.networks.values_mut() {
        (network.connections.interval, network.connections.fastest) = (HOUR, HOUR);
    }
    let mark = talk.world.ircd.mark();
    talk.world.start_bridge_with(config).await;
    let joins = |_: &str, line: &str| line.starts_with("JOIN #tea");
    let first = talk.world.ircd.wait_line_after(mark, joins).await.nick;
    let is_carol = first == "alice";
    let (waiting, nick) = if is_carol { (&talk.carol, "carol") } else { (&talk.alice, "alice") };
    let network = &talk.networks[usize::from(is_carol)];
    talk.world.ircd.wait_joined("#tea", &first).await;
    talk.bob.say("#tea", "one is back");
    talk.world.homeserver.wait_message(&talk.room, "one is back").await;
    for _ in 0..2 {
        talk.world.pass(&first, Duration::from_mins(16)).await;
        // The first makes the session look at the time, and the last comes when it has.
        for _ in 0..3 {
            ask(&talk.world, waiting, network, "channels", "You are not connected to FakeNet").await;
        }
        talk.world.wait_outbox_empty().await;
        assert!(talk.world.homeserver.members(&talk.room, "join").contains(&waiting.id().to_owned()));
    }
    talk.world.pass(&first, HOUR).await;
    waiting.send_text(&talk.room, "here at last");
    talk.bob.wait_text("here at last").await;
    talk.world.ircd.wait_joined("#tea", nick).await;
    talk.heard(nick).await;
    talk.world.wait_outbox_empty().await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&waiting.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1661_a_restart_loses_nothing_that_one_writes_and_says_what_may_be_missing() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.carol.send_text(&talk.room, "in a moment");
    talk.world.start_bridge().await;
    talk.bob.wait_text("in a moment").await;
    talk.world.homeserver.wait_event(&talk.room, begins("Nothing was seen here from ")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_344_and_222_who_is_in_the_channel_is_in_the_member_list_without_a_word_until_they_go() {
    let world = world().config("settings: { members: all }\n").start().await;
    let silent = world.ircd.person("erin");
    silent.join("#tea");
    let talk = Talk::begin(world).await;
    let erin = "@irc_fake_erin:test.local";
    for ghost in [BOB, DAN, erin] {
        talk.world.homeserver.wait_member(&talk.room, ghost, "join").await;
    }
    silent.part("#tea", "");
    talk.world.homeserver.wait_member(&talk.room, erin, "leave").await;
}

/// Of those whose connections could show the channel, one is thrown out and one can't connect.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1564_one_who_is_not_in_the_channel_keeps_no_line_from_the_others() {
    let talk = Talk::begin(world().start().await).await;
    let dave = talk.world.homeserver.user("dave");
    talk.world.ircd.ban_joins("#tea", 474);
    dave.join(ALIAS).await;
    talk.world.homeserver.wait_member(&talk.room, dave.id(), "leave").await;
    let said = numbered("line", 30);
    for (number, line) in said.iter().enumerate() {
        if number == 10 {
            talk.bob.kick("#tea", "alice", "out");
        }
        talk.dan.say("#tea", line);
    }
    talk.world.homeserver.wait_message(&talk.room, "line 29").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    let shown = talk.lines(&said.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(shown.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1724_all_of_what_is_said_is_delivered_though_a_quarter_of_all_requests_fails() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.homeserver.faults().storm(Random::seeded("1724"), 25);
    let said = numbered("line", 200);
    for (number, line) in said.iter().enumerate() {
        let speaker = [&talk.bob, &talk.dan][number / 7 % 2];
        speaker.say("#tea", line);
    }
    let all: Vec<&str> = said.iter().map(String::as_str).collect();
    talk.world.homeserver.wait_event(&talk.room, |event| event.says("line 199")).await;
    talk.world.homeserver.faults().clear();
    talk.world.wait_outbox_empty().await;
    let shown: Vec<String> = talk.lines(&all).into_iter().map(|(_, line)| line).collect();
    assert_eq!(shown, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1740_what_one_writes_while_one_is_being_connected_arrives() {
    let talk = Talk::begin(world().start().await).await;
    let (dave, control, _) = talk.world.greeted_user("dave").await;
    talk.world.ircd.refuse();
    talk.world.ircd.cut("dave");
    talk.world.ircd.wait_gone("dave").await;
    dave.join(ALIAS).await;
    let said = numbered("from dave", 5);
    for line in &said {
        dave.send_text(&talk.room, line);
    }
    talk.world.homeserver.wait_delivered().await;
    talk.world.ircd.welcome().await;
    dave.send_text(&control, "connect");
    talk.bob.wait_text("from dave 4").await;
    let heard = talk.bob.messages("#tea").into_iter().filter(|(who, _)| who == "dave");
    assert_eq!(heard.map(|(_, text)| text).collect::<Vec<_>>(), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1688_and_568_after_an_outage_of_the_homeserver_lines_come_in_the_order_of_irc() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.homeserver.stop();
    let said = numbered("line", 60);
    for (number, line) in said.iter().enumerate() {
        let speaker = [&talk.bob, &talk.dan][number % 2];
        speaker.say("#tea", line);
    }
    talk.world.homeserver.start_again().await;
    talk.world.homeserver.wait_event(&talk.room, |event| event.says("line 59")).await;
    talk.world.wait_outbox_empty().await;
    let shown = talk.lines(&said.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(shown.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_735_and_719_who_changes_nicks_is_in_the_member_list_once() {
    let talk = Talk::begin(world().config("settings: { members: all }\n").start().await).await;
    talk.world.homeserver.wait_member(&talk.room, BOB, "join").await;
    talk.bob.nick("robert");
    talk.world.homeserver.wait_member(&talk.room, "@irc_fake_robert:test.local", "join").await;
    talk.world.homeserver.wait_member(&talk.room, BOB, "leave").await;
}

/// One sits behind a bouncer with the same nick: what they say there all connections of that nick are shown.
#[rstest]
#[case::with_echoes(Options::with_history())]
#[case::without(Options::default())]
#[tokio::test(flavor = "multi_thread")]
async fn complaint_27_and_1438_ones_own_words_are_there_once_and_those_of_ones_other_client_too(
    #[case] options: Options,
) {
    let talk = Talk::begin(world().ircd(options).start().await).await;
    talk.alice.send_text(&talk.room, "from the room");
    talk.bob.wait_text("from the room").await;
    for nick in ["alice", "carol"] {
        talk.world.ircd.send_raw(nick, b":alice!alice@host PRIVMSG #tea :from the phone\r\n");
    }
    talk.world.homeserver.wait_message(&talk.room, "from the phone").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    talk.world.wait_outbox_empty().await;
    let lines = talk.lines(&["from the room", "from the phone"]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0].0, talk.alice.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1399_and_1780_every_nick_has_an_id_that_any_homeserver_takes() {
    let talk = Talk::begin(world().start().await).await;
    let nicks = ["[Bot]", "Nick|away", "x^y", "back\\slash", "`tick`", "{curly}"];
    let people: Vec<Person> = nicks.iter().map(|nick| talk.world.ircd.person(nick)).collect();
    let mut ids = BTreeSet::new();
    for (person, nick) in people.iter().zip(nicks) {
        person.join("#tea");
        person.say("#tea", &format!("I am {nick}"));
        let shown = talk.world.homeserver.wait_message(&talk.room, &format!("I am {nick}")).await;
        let localpart = shown.sender[1..].split(':').next().unwrap().to_owned();
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/+".contains(c);
        assert!(localpart.chars().all(is_legal), "{localpart}");
        ids.insert(localpart);
    }
    assert_eq!(ids.len(), nicks.len());
    // In another case it is the same person.
    people[0].nick("{BOT}");
    people[0].say("#tea", "still the same");
    let shown = talk.world.homeserver.wait_message(&talk.room, "still the same").await;
    assert!(ids.contains(shown.sender[1..].split(':').next().unwrap()), "{}", shown.sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_101_and_789_who_is_banned_from_the_network_is_not_tried_again_and_says_nothing_in_the_room()
 {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.error("carol", "Closing Link: carol (K-Lined: enough)");
    talk.world.homeserver.wait_event(&talk.networks[1], |event| event.body().contains("K-Lined")).await;
    let connections = talk.world.ircd.connections();
    talk.carol.send_text(&talk.room, "you can't stop me");
    talk.world.clock.advance(Duration::from_mins(16));
    // What comes makes the session look at the time.
    talk.carol.send_text(&talk.room, "hello?");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    assert_eq!(talk.world.ircd.connections(), connections);
    talk.bob.say("#tea", "peace");
    talk.world.homeserver.wait_message(&talk.room, "peace").await;
    let said = talk.bob.messages("#tea");
    assert!(
        !said.iter().any(|(_, text)| ["you can't stop me", "hello?"].contains(&text.as_str())),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1268_and_1194_who_says_nothing_for_weeks_stays_in_the_room_and_in_the_channel() {
    let talk = Talk::begin(world().start().await).await;
    for _ in 0..60 {
        for nick in ["alice", "carol"] {
            talk.world.pass(nick, Duration::from_hours(12)).await;
        }
    }
    talk.bob.say("#tea", "is anybody still here?");
    talk.world.homeserver.wait_message(&talk.room, "is anybody still here?").await;
    let members = talk.world.homeserver.members(&talk.room, "join");
    for user in [&talk.alice, &talk.carol] {
        assert!(members.contains(&user.id().to_owned()), "{members:?}");
    }
    for nick in ["alice", "carol"] {
        assert!(talk.world.ircd.names("#tea").contains(&nick.to_owned()));
    }
}
