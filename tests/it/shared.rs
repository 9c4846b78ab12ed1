//! Shared rooms: found by alias, one for all who are in the channel, each with their own connection.

mod address;
mod choices;
mod complaints;
mod connections;
mod history;
mod holes;
mod instead;
mod listener;
mod lookups;
mod mending;
mod moderation;
mod plumbing;
mod refusals;
mod relay;
mod relay_bans;
mod removals;
mod renewal;
mod review;
mod settings;
mod silent;

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::bridge::{Builder, World, ask};
use crate::support::homeserver::{Event, Fault, TestUser};
use crate::support::ircd::Person;

const ALIAS: &str = "#irc_fake_#tea:test.local";
const BOB: &str = "@irc_fake_bob:test.local";
const UNLINK_CAROL: &str =
    "DELETE FROM link WHERE buffer IN (SELECT buffer.id FROM buffer JOIN session ON session.id = buffer.session
        JOIN \"user\" ON \"user\".id = session.\"user\" WHERE \"user\".user_id = '@carol:test.local')";
const DAN: &str = "@irc_fake_dan:test.local";

fn world() -> Builder {
    World::builder().config("templates: { shared_alias: \"irc_{network}_{channel}\" }\n")
}

/// Alice, who came first, and carol in the shared room of #tea, and bob and dan in the channel.
struct Talk {
    world: World,
    alice: TestUser,
    carol: TestUser,
    bob: Person,
    dan: Person,
    /// The network rooms of alice and carol.
    networks: [String; 2],
    room: String,
}

impl Talk {
    /// Alice shows the channel.
    async fn begin(world: World) -> Self {
        let (bob, dan) = (world.ircd.person("bob"), world.ircd.person("dan"));
        bob.join("#tea");
        dan.join("#tea");
        let (alice, _, first) = world.greeted_user("alice").await;
        let (carol, _, second) = world.greeted_user("carol").await;
        let room = alice.join(ALIAS).await;
        world.ircd.wait_joined("#tea", "alice").await;
        bob.say("#tea", "alice is here");
        world.homeserver.wait_message(&room, "alice is here").await;
        assert_eq!(carol.join(ALIAS).await, room);
        world.ircd.wait_joined("#tea", "carol").await;
        let networks = [first, second];
        let talk = Self { world, alice, carol, bob, dan, networks, room };
        talk.heard("carol").await;
        talk
    }

    /// Waits until a user's session has read all that was said on IRC.
    async fn heard(&self, nick: &str) {
        let network = &self.networks[usize::from(nick == "carol")];
        let marker = format!("marker {}", self.world.homeserver.event_count(network));
        self.dan.notice(nick, &marker);
        self.world.homeserver.wait_event(network, |event| event.body().ends_with(&marker)).await;
    }

    /// How often each of these lines is in the room, by whom.
    fn lines(&self, of: &[&str]) -> Vec<(String, String)> {
        let mut lines = self.world.homeserver.timeline_by_line(&self.room);
        lines.retain(|(_, line)| of.contains(&line.as_str()));
        lines
    }
}

fn begins(words: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().starts_with(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_each_message_once_who_is_in_a_shared_room_or_in_its_channel() {
    let talk = Talk::begin(world().start().await).await;
    let said = ["from bob", "from dan", "from alice", "from carol"];
    talk.bob.say("#tea", "from bob");
    talk.world.homeserver.wait_message(&talk.room, "from bob").await;
    talk.dan.say("#tea", "from dan");
    talk.world.homeserver.wait_message(&talk.room, "from dan").await;
    talk.alice.send_text(&talk.room, "from alice");
    talk.bob.wait_text("from alice").await;
    talk.carol.send_text(&talk.room, "from carol");
    talk.bob.wait_text("from carol").await;
    talk.dan.wait_text("from carol").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    talk.world.wait_outbox_empty().await;
    let by = |user: &str, line: &str| (user.to_owned(), line.to_owned());
    let (alice, carol) = (talk.alice.id(), talk.carol.id());
    let expected = [by(BOB, said[0]), by(DAN, said[1]), by(alice, said[2]), by(carol, said[3])];
    assert_eq!(talk.lines(&said), expected);
    for (person, others) in [
        (&talk.bob, ["from dan", "from alice", "from carol"]),
        (&talk.dan, ["from bob", "from alice", "from carol"]),
    ] {
        let heard: Vec<String> = person.messages("#tea").into_iter().map(|(_, text)| text).collect();
        for line in others {
            assert_eq!(heard.iter().filter(|one| *one == line).count(), 1, "{line}: {heard:?}");
        }
    }
    let mut members = vec![alice.to_owned(), carol.to_owned(), BOB.to_owned(), DAN.to_owned()];
    members.push(talk.world.homeserver.bot());
    members.sort();
    for ghost in [BOB, DAN] {
        talk.world.homeserver.wait_member(&talk.room, ghost, "join").await;
    }
    assert_eq!(talk.world.homeserver.members(&talk.room, "join"), members, "and no ghost of alice or carol");
}

/// Before, they were removed from all of them, and did not come back.
#[tokio::test(flavor = "multi_thread")]
async fn who_reconnects_stays_in_their_shared_rooms_and_goes_on_there() {
    let talk = Talk::begin(world().start().await).await;
    let mark = talk.world.ircd.mark();
    talk.alice.send_text(&talk.networks[0], "reconnect");
    talk.world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line == "QUIT :Reconnecting").await;
    talk.world
        .ircd
        .wait_line_after(mark, |nick, line| nick == "alice" && line.starts_with("JOIN #tea"))
        .await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.alice.send_text(&talk.room, "alice is back");
    assert_eq!(talk.bob.wait_text("alice is back").await.nick(), "alice");
    talk.bob.say("#tea", "welcome back");
    talk.world.homeserver.wait_message(&talk.room, "welcome back").await;
    let is_alice = |event: &Event| event.state_key.as_deref() == Some(talk.alice.id());
    let events = talk.world.homeserver.events(&talk.room).into_iter();
    let left = events.filter(|one| one.kind == "m.room.member" && is_alice(one));
    assert!(left.into_iter().all(|event| event.content["membership"] != "leave"));
    assert_eq!(
        talk.world.homeserver.state(&talk.room, "m.room.member", talk.alice.id())["membership"],
        "join"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_in_mid_conversation_and_nothing_is_missed_or_shown_twice() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.say("#tea", "one");
    talk.world.homeserver.wait_message(&talk.room, "one").await;
    // Nothing reaches alice any more, who shows the channel.
    talk.world.ircd.mute("alice");
    for line in ["two", "one", "three"] {
        talk.bob.say("#tea", line);
    }
    talk.bob.topic("#tea", "more tea");
    talk.heard("carol").await;
    assert_eq!(talk.lines(&["one", "two", "three"]).len(), 1);
    talk.alice.send_text(&talk.networks[0], "disconnect");
    talk.world.homeserver.wait_message(&talk.room, "three").await;
    talk.bob.say("#tea", "four");
    talk.world.homeserver.wait_message(&talk.room, "four").await;
    let lines = talk.lines(&["one", "two", "three", "four"]);
    let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["one", "two", "one", "three", "four"]);
    talk.world.homeserver.wait_event(&talk.room, |event| event.content["topic"] == "more tea").await;
    // Who goes now goes from the room, too.
    talk.dan.part("#tea", "");
    talk.world.homeserver.wait_member(&talk.room, DAN, "leave").await;
    // Whoever disconnects is not in the room either. Back again, alice is one of those who wait.
    talk.world.homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    talk.alice.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.bob.say("#tea", "five");
    talk.heard("alice").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.lines(&["five"]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_cut_one_after_the_other_and_each_line_is_shown_once_in_order() {
    let talk = Talk::begin(world().start().await).await;
    let said: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    for (number, line) in said.iter().enumerate() {
        let (cut, nick) = (number % 20 == 10, ["alice", "carol"][number / 20 % 2]);
        talk.bob.say("#tea", line);
        if cut {
            talk.world.ircd.cut(nick);
        } else if number % 20 == 19 {
            talk.world.ircd.wait_joined("#tea", nick).await;
            talk.heard(nick).await;
        }
    }
    talk.world.homeserver.wait_event(&talk.room, |event| event.body().ends_with("line 59")).await;
    talk.world.wait_outbox_empty().await;
    let mut lines = talk.world.homeserver.timeline_lines(&talk.room);
    lines.retain(|line| line.starts_with("line "));
    assert_eq!(lines, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_the_channel_by_command_is_led_to_the_shared_room_while_they_are_in_it() {
    let talk = Talk::begin(world().start().await).await;
    talk.alice.send_text(&talk.networks[0], "join #tea");
    talk.world.homeserver.wait_event(&talk.networks[0], begins("You are in #tea already")).await;
    assert_eq!(
        talk.world.homeserver.rooms_named("#tea (FakeNet)").as_slice(),
        std::slice::from_ref(&talk.room)
    );
    talk.alice.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "alice").await;
    talk.heard("alice").await;
    talk.alice.send_text(&talk.networks[0], "join #tea");
    let own = talk.world.homeserver.wait_invite(talk.alice.id()).await;
    talk.alice.join(&own).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.heard("alice").await;
    talk.bob.say("#tea", "to both rooms");
    for room in [&own, &talk.room] {
        talk.world.homeserver.wait_message(room, "to both rooms").await;
    }
    talk.alice.send_text(&own, "from her own");
    talk.bob.wait_text("from her own").await;
    let shown = talk.world.homeserver.wait_message(&talk.room, "from her own").await;
    assert_eq!(shown.sender, "@irc_fake_alice:test.local", "she is somebody on IRC for those who share it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_goes_on_after_a_restart_and_a_change_of_nick() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.start_bridge().await;
    for nick in ["alice", "carol"] {
        talk.world.ircd.wait_joined("#tea", nick).await;
        talk.heard(nick).await;
    }
    talk.bob.say("#tea", "back");
    talk.world.homeserver.wait_message(&talk.room, "back").await;
    talk.carol.send_text(&talk.networks[1], "nick caroline");
    talk.world.ircd.wait_registered("caroline").await;
    talk.carol.send_text(&talk.room, "under another nick");
    talk.bob.wait_text("under another nick").await;
    talk.heard("alice").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.lines(&["back", "under another nick"]).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_room_leaves_the_channel_and_the_other_way_round() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    talk.alice.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "alice").await;
    talk.bob.say("#tea", "without alice");
    homeserver.wait_message(&talk.room, "without alice").await;
    // Back, and out by command.
    talk.alice.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.alice.send_text(&talk.room, "again");
    talk.bob.wait_text("again").await;
    talk.alice.send_text(&talk.networks[0], "part #tea");
    talk.world.ircd.wait_parted("#tea", "alice").await;
    homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    // Out by an operator.
    talk.bob.kick("#tea", "carol", "enough");
    homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let told =
        homeserver.wait_event(&talk.networks[1], |event| event.body().contains("kicked you out")).await;
    assert!(
        told.body().contains("enough") && told.body().contains("no longer in its shared room"),
        "{}",
        told.body()
    );
    assert_eq!(talk.carol.join(ALIAS).await, talk.room);
    talk.world.ircd.wait_joined("#tea", "carol").await;
    talk.heard("carol").await;
    talk.bob.say("#tea", "all over again");
    homeserver.wait_message(&talk.room, "all over again").await;
    talk.carol.send_text(&talk.networks[1], "close confirm");
    homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn only_operators_have_power_in_a_shared_room_and_its_history_is_for_those_who_were_there(
    #[case] version: &str,
) {
    let talk = Talk::begin(world().room_version(version).start().await).await;
    let state = |kind: &str| talk.world.homeserver.state(&talk.room, kind, "");
    let bot = talk.world.homeserver.bot();
    // Bob made the channel, but ghosts need no power.
    let expected = if version == "12" { json!({}) } else { json!({ bot: 100 }) };
    let is_so = |levels: &serde_json::Value| levels["users"] == expected;
    talk.world.homeserver.wait_state(&talk.room, "m.room.power_levels", "", is_so).await;
    assert_eq!(state("m.room.history_visibility")["history_visibility"], "joined");
    assert_eq!(state("m.room.create")["m.federate"], false);
    assert_eq!(state("m.room.name")["name"], "#tea (FakeNet)");
    for (kind, content) in [
        ("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
        ("m.room.power_levels", json!({ "users": { talk.alice.id(): 100 } })),
        ("m.room.join_rules", json!({ "join_rule": "invite" })),
        ("m.room.name", json!({ "name": "mine" })),
    ] {
        assert_eq!(talk.alice.send_state(&talk.room, kind, "", content).unwrap_err().status, 403, "{kind}");
    }
    assert!(talk.alice.kick(&talk.room, talk.carol.id(), "").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_join_opens_the_network_and_what_is_said_at_once_arrives() {
    let world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let alice = world.homeserver.user("alice");
    let room = alice.join(ALIAS).await;
    alice.send_text(&room, "first words");
    bob.wait_text("first words").await;
    let network = world.homeserver.wait_invite(alice.id()).await;
    assert_eq!(world.homeserver.state(&network, "m.room.name", "")["name"], "FakeNet");
    bob.say("#tea", "alice: welcome");
    let welcome = world.homeserver.wait_message(&room, "alice: welcome").await;
    assert_eq!(welcome.content["m.mentions"]["user_ids"], json!([alice.id()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_are_named_in_a_shared_room_are_notified() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.say("#tea", "carol and alice, look");
    let event = talk.world.homeserver.wait_message(&talk.room, "carol and alice, look").await;
    let mut users: Vec<&str> = event.content["m.mentions"]["user_ids"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|user| user.as_str())
        .collect();
    users.sort_unstable();
    assert_eq!(users, [talk.alice.id(), talk.carol.id()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_of_a_channel_are_one_room() {
    let world = world().start().await;
    let (alice, _, _) = world.connected_user("alice").await;
    let room = alice.join("#irc_fake_#tea=5b1=5d:test.local").await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    assert_eq!(alice.join("#irc_fake_#tea=7b1=7d:test.local").await, room);
}

#[rstest]
#[case::two_hashes("##tea", "#irc_fake_##tea:test.local")]
#[case::another_script("#чай", "#irc_fake_#=d1=87=d0=b0=d0=b9:test.local")]
#[case::without_modes("+tea", "#irc_fake_=2btea:test.local")]
#[case::with_an_id("!FAKE1tea", "#irc_fake_=21fake1tea:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_any_kind_that_is_the_same_on_all_servers_has_a_shared_room(
    #[case] channel: &str,
    #[case] alias: &str,
) {
    let mut options = crate::support::ircd::Options::default();
    options.isupport.retain(|token| !token.starts_with("CHANTYPES=") && !token.starts_with("STATUSMSG="));
    options.isupport.push("CHANTYPES=#&+!".to_owned());
    let world = world().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join(channel);
    let alice = world.homeserver.user("alice");
    let room = alice.join(alias).await;
    world.ircd.wait_joined(channel, "alice").await;
    alice.send_text(&room, "is there tea?");
    assert_eq!(bob.wait_text("is there tea?").await.target(), channel);
    bob.say(channel, "there is");
    world.homeserver.wait_message(&room, "there is").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_one_network_aliases_need_not_name_it_and_no_other_is_added() {
    let config = "presets: false\ntemplates: { shared_alias: \"irc_{channel}\" }\n";
    let world = World::builder().config(config).start().await;
    let (admin, control) = world.user_with_control_room("admin").await;
    let alice = world.homeserver.user("alice");
    let room = alice.join("#irc_#tea:test.local").await;
    world.ircd.wait_joined("#tea", "alice").await;
    for typed in ["network add pot irc.pot.example", "network add libera"] {
        ask(&world, &admin, &control, typed, "There can be no other network for all here").await;
    }
    admin.join("#irc_#tea:test.local").await;
    world.ircd.wait_joined("#tea", "admin").await;
    admin.send_text(&room, "good morning");
    world.homeserver.wait_message(&room, "good morning").await;
    assert_eq!(alice.try_join("#irc_fake_#tea:test.local").await.unwrap_err().status, 404);
}

#[rstest]
#[case::no_channel("#irc_fake_tea:test.local")]
#[case::an_unknown_network("#irc_other_=23tea:test.local")]
#[case::of_one_server_alone("#irc_fake_=26tea:test.local")]
#[case::that_is_yet_to_be_made("#irc_fake_=21=21tea:test.local")]
#[case::without_its_id("#irc_fake_=21tea:test.local")]
#[case::of_an_id_alone("#irc_fake_=21fake1:test.local")]
#[case::a_capital("#irc_fake_#Tea:test.local")]
#[case::not_as_it_is_written("#irc_fake_=23tea:test.local")]
#[case::a_space("#irc_fake_#tea=20pot:test.local")]
#[case::no_text("#irc_fake_#=ff:test.local")]
#[case::nothing("#irc_fake_:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_names_no_channel_leads_nowhere(#[case] alias: &str) {
    let world = world().start().await;
    let alice = world.homeserver.user("alice");
    assert_eq!(alice.try_join(alias).await.unwrap_err().status, 404);
    assert!(world.homeserver.rooms().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_template_there_are_no_shared_rooms() {
    let world = World::start().await;
    let alice = world.homeserver.user("alice");
    assert_eq!(alice.try_join(ALIAS).await.unwrap_err().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_only_so_many_rooms_are_made_because_somebody_looks_for_aliases() {
    let world = world().start().await;
    let alice = world.homeserver.user("alice");
    let mut made = 0;
    for number in 0..40 {
        let url =
            format!("{}/_matrix/app/v1/rooms/%23irc_fake_%23a{number}:test.local", world.appservice_url());
        let request = crate::support::homeserver::client().get(url);
        let answer = request.bearer_auth(world.homeserver.hs_token()).send().await.unwrap();
        made += usize::from(answer.status().is_success());
    }
    assert_eq!((made, world.homeserver.rooms().len()), (30, 30));
    assert_eq!(world.ircd.connections(), 0, "nobody has asked for that");
    // Rooms that are there are found still.
    alice.join("#irc_fake_#a0:test.local").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_permission_is_removed_from_a_shared_room_and_told_why() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.forbid("@mallory:test.local");
    talk.world.start_bridge().await;
    let mallory = talk.world.homeserver.user("mallory");
    mallory.join(ALIAS).await;
    talk.world.homeserver.wait_member(&talk.room, mallory.id(), "leave").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", mallory.id())["reason"].clone();
    assert!(reason.as_str().unwrap().contains("has no permission"), "{reason}");
    assert!(!talk.world.ircd.nicks().contains(&"mallory".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_channel_does_not_let_in_is_removed_and_told_why() {
    let world = world().start().await;
    world.ircd.person("bob").join("#tea");
    let (alice, _, network) = world.greeted_user("alice").await;
    world.ircd.ban_joins("#tea", 474);
    let room = alice.join(ALIAS).await;
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    world.homeserver.wait_event(&network, begins("Not in #tea")).await;
    world.ircd.allow_joins("#tea");
    alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_shared_room_and_by_a_crash_not_in_its_channel_is_removed_when_they_say_something() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    // As after a crash between the end of the link and the removal.
    talk.world.database.execute(UNLINK_CAROL).await;
    // The look through its members at the start fails.
    let members = format!("/rooms/{}/members", talk.room);
    let refusal = json!({ "errcode": "M_FORBIDDEN", "error": "no" });
    talk.world.homeserver.faults().fail("GET", &members, Fault::Status(403, refusal), 1);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_requests("GET", &members, 1).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.carol.send_text(&talk.room, "does anybody hear me?");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", talk.carol.id())["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("You are not in #tea any more"), "{reason}");
    assert!(!talk.world.ircd.names("#tea").contains(&"carol".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_shared_room_is_refused_and_is_not_said() {
    let talk = Talk::begin(world().start().await).await;
    talk.alice.send_text(&talk.room, "!irc names #tea");
    talk.world
        .homeserver
        .wait_event(&talk.room, begins("Your message was not done: this room is shared"))
        .await;
    talk.alice.send_text(&talk.networks[0], "detach #tea");
    let refusal = |event: &Event| event.body().contains("shared with others");
    talk.world.homeserver.wait_event(&talk.networks[0], refusal).await;
    talk.carol.send_text(&talk.room, "and now");
    talk.bob.wait_text("and now").await;
    let heard: Vec<String> = talk.bob.messages("#tea").into_iter().map(|(_, text)| text).collect();
    assert!(!heard.iter().any(|text| text.contains("names")), "{heard:?}");
}

/// Also of a command that is refused.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_that_is_typed_into_a_shared_room_is_taken_out_of_it() {
    let talk = Talk::begin(world().start().await).await;
    let event = talk.alice.send_text(&talk.room, "!irc sasl alice hunter2hunter2");
    talk.world.homeserver.wait_event(&talk.room, |one| one.redacts.as_ref() == Some(&event)).await;
    talk.world
        .homeserver
        .wait_event(&talk.room, begins("Your message was not done: this room is shared"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_a_channels_operators_is_told_to_whom_it_reaches_and_not_in_the_shared_room() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.send_raw("alice", b":bob!bob@host PRIVMSG @#tea :between us\r\n");
    talk.world.homeserver.wait_message(&talk.networks[0], "bob to @#tea: between us").await;
    talk.bob.say("#tea", "for all");
    talk.world.homeserver.wait_message(&talk.room, "for all").await;
    assert!(
        !talk.world.homeserver.timeline_bodies(&talk.room).iter().any(|body| body.contains("between us"))
    );
}

/// What others show is for those who are in the channel.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_outside_a_channel_for_a_quarter_of_an_hour_leaves_its_shared_room_while_others_show_it() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.ban_joins("#tea", 437);
    talk.world.ircd.cut("carol");
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not in #tea")).await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.carol.id().to_owned()));
    for _ in 0..16 {
        talk.world.pass("carol", Duration::from_mins(1)).await;
    }
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&talk.alice.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_use_the_bridge_any_more_leaves_its_shared_rooms() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.world.stop_bridge().await;
    talk.world.forbid("@carol:test.local");
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.bob.say("#tea", "among us");
    talk.world.homeserver.wait_message(&talk.room, "among us").await;
}
