//! The control language, as a person types it and reads its answers.

mod closing;
mod examples;
mod first_steps;
mod no_commands;
mod pills;
mod prefix;
mod property;
mod questions;
mod signs;

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Types something and gives the answer to it. How far a command has come, where it takes long, is none.
pub(crate) async fn ask(world: &World, user: &TestUser, room: &str, text: &str) -> String {
    let bot = world.homeserver.bot();
    let event = user.send_text(room, text);
    let is_progress = |one: &Event| one.body().contains("Leaving the rooms of ");
    let after = |one: &Event| one.kind == "m.room.message" && one.sender == bot && !is_progress(one);
    // The answer is the bot's first message behind the command.
    let mut seen = false;
    let is_answer = std::cell::RefCell::new(|one: &Event| {
        seen |= one.event_id == event;
        seen && after(one)
    });
    let answer = world.homeserver.wait_event(room, |one| (is_answer.borrow_mut())(one)).await;
    // It stands in the place of the last that was told of how far it has come.
    let in_place = answer.content["m.new_content"]["body"].as_str();
    in_place.unwrap_or(answer.body()).to_owned()
}

/// A text without what only makes its columns even.
pub(crate) fn squeezed(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Somebody who is connected, and to whom everything about that was said.
async fn connected(world: &World) -> (TestUser, String, String) {
    connected_as(world, "alice").await
}

async fn connected_as(world: &World, name: &str) -> (TestUser, String, String) {
    let (alice, control, network) = world.connected_user(name).await;
    world.homeserver.wait_event(&control, says("Connecting to FakeNet")).await;
    world.homeserver.wait_event(&network, says("Connected to")).await;
    (alice, control, network)
}

/// What is typed in the control room of somebody on no network.
#[rstest]
#[case::help("help", "open NETWORK")]
#[case::question_mark("?", "open NETWORK")]
#[case::help_of_a_command("help join", "The # may be left out")]
#[case::help_of_nothing("help xyzzy", "There is no command xyzzy")]
#[case::networks("networks", "open fake | FakeNet")]
#[case::other_word("list-networks", "open fake | FakeNet")]
#[case::open_without_a_name("open", "Type it like this: open NETWORK")]
#[case::open_with_too_much("open fake now", "Type it like this: open NETWORK")]
#[case::open_unknown("open fakee", "Did you mean fake?")]
#[case::status("status", "You are on no network yet")]
#[case::join_nowhere("join #rust", "You are on no network yet")]
#[case::part_nowhere("part #rust", "You are on no network yet")]
#[case::query_nowhere("query bob", "You are on no network yet")]
#[case::msg_nowhere("msg bob hi", "You are on no network yet")]
#[case::nick_nowhere("nick", "You are on no network yet")]
#[case::sasl_nowhere("sasl", "You are on no network yet")]
#[case::raw_nowhere("raw MOTD", "You are on no network yet")]
#[case::connect_nowhere("connect", "You are on no network yet")]
#[case::disconnect_nowhere("disconnect", "You are on no network yet")]
#[case::capitals("HELP", "open NETWORK")]
#[case::mixed_letters("NetWorks", "open fake | FakeNet")]
#[case::slash("/networks", "open fake | FakeNet")]
#[case::exclamation_mark("!networks", "open fake | FakeNet")]
#[case::space_around("   networks  ", "open fake | FakeNet")]
#[case::unknown("jion #rust", "Did you mean join")]
#[case::unknown_altogether("frobnicate", "Type help to see all")]
#[case::other_script("привет", "There is no command привет")]
#[case::quotes("\"help\"", "There is no command \"help\"")]
#[case::space_alone("   ", "Type help")]
#[case::several_lines("networks\nxyzzy\nstatus", "There is no command xyzzy")]
#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_answered(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let said = ask(&world, &alice, &control, typed).await;
    assert!(squeezed(&said).contains(answer), "{said}");
}

/// What is typed in the control room of somebody who is connected.
#[rstest]
#[case::networks("networks", "FakeNet | open")]
#[case::open_again("open fake", "is open already")]
#[case::status("status", "| connected | alice | just now |")]
#[case::connect("connect", "You are connected to FakeNet already")]
#[case::connect_with_too_much("connect fake now", "Type it like this: connect")]
#[case::reconnect_with_too_much("reconnect fake now", "Type it like this: reconnect")]
#[case::disconnect("disconnect", "Disconnected from FakeNet")]
#[case::quit("quit fake so long", "Disconnected from FakeNet")]
#[case::join("join #rust", "Joining #rust on FakeNet")]
#[case::join_of_a_network("join FAKE #rust", "Joining #rust on FakeNet")]
#[case::join_nothing("join", "Type it like this: join")]
#[case::join_too_much("join #a b c", "Type it like this: join")]
#[case::join_several("join a,b", "Joining #a on FakeNet.\nJoining #b on FakeNet")]
#[case::join_several_with_spaces("join fake #a #b", "\nJoining #b on FakeNet")]
#[case::join_several_and_one_of_another_kind("join #a,+x", "channels begin with one of #&")]
#[case::join_nothing_with_commas("join ,,", "Type it like this: join")]
#[case::join_another_kind("join +x", "channels begin with one of #&")]
#[case::part_nothing("part", "Type it like this: part")]
#[case::part_elsewhere("part #rust", "You are not in #rust")]
#[case::query("query bob", "The conversation with bob has a room")]
#[case::query_with_text("query bob hi", "Said to bob")]
#[case::query_nothing("query", "Type it like this: query")]
#[case::query_no_nick("query #rust", "is no nick")]
#[case::msg("msg bob hi", "Sent to bob")]
#[case::msg_apostrophe("msg bob don't panic", "Sent to bob")]
#[case::msg_nothing("msg bob", "Type it like this: msg")]
#[case::msg_a_list("msg bob,carol hi", "Only one at a time")]
#[case::nick("nick", "You are alice. Your nick for FakeNet is alice")]
#[case::nick_new("nick alicia", "Asking the server for the nick alicia")]
#[case::nick_wrong("nick a b", "is no nick")]
#[case::sasl("sasl", "You don't log in to FakeNet")]
#[case::sasl_set("sasl alice p", "From the next connection to FakeNet on you are logged in as alice")]
#[case::sasl_alone("sasl alice", "Type the password behind the account")]
#[case::login("login", "You don't log in to FakeNet")]
#[case::login_optional("login optional", "even if the login fails")]
#[case::login_required("login REQUIRED", "Without a login you are not connected to FakeNet")]
#[case::login_nickserv("login nickserv", "You log in by NickServ")]
#[case::login_address("login nickserv NickServ@services.test", "telling NickServ@services.test the password")]
#[case::login_bad_address("login nickserv services.test", "is no full address of a service")]
#[case::login_sasl("login sasl", "You log in by SASL")]
#[case::login_else("login now", "Type it like this: login")]
#[case::certfp("certfp", "You have no certificate for FakeNet")]
#[case::certfp_generate("certfp generate", "msg NickServ CERT ADD")]
#[case::certfp_remove("certfp remove", "You have no certificate for FakeNet")]
#[case::certfp_nothing("certfp set", "Type it like this: certfp")]
#[case::certfp_nonsense("certfp set hello", "it holds no certificate")]
#[case::certfp_else("certfp frobnicate", "Type it like this: certfp")]
#[case::sasl_off("sasl OFF", "You will not be logged in")]
#[case::raw("raw PING :x", "Sent. FakeNet says nothing to it so far.")]
#[case::raw_nothing("raw", "Type it like this: raw")]
#[case::whois("whois bob", "bob is ~bob@")]
#[case::whois_nobody("whois nobody", "FakeNet says: No such nick")]
#[case::whois_no_nick("whois #tea", "#tea is no nick")]
#[case::whois_oneself("whois", "alice is ~alice@")]
#[case::whois_oneself_by_another_word("whoami fake", "alice is ~alice@")]
#[case::whois_oneself_and_more("whoami bob", "Type it like this: whoami")]
#[case::back("back", "FakeNet says: You are")]
#[case::back_and_more("back fake soon", "Type it like this: back")]
#[case::ping_nobody("ping", "Type it like this: ping")]
#[case::motd("motd", "Nothing here is real.")]
#[case::a_setting("forward", "forward is a setting: type set forward")]
#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_a_network_is_answered(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let _bob = world.ircd.person("bob");
    let (alice, control, _) = connected(&world).await;
    let said = ask(&world, &alice, &control, typed).await;
    assert!(squeezed(&said).contains(answer), "{said}");
}

/// The same words when there is no connection.
#[rstest]
#[case::join("join #rust", "You will be in #rust when FakeNet is connected")]
#[case::part("part #tea", "Leaving #tea")]
#[case::msg("msg bob hi", "You are not connected to FakeNet")]
#[case::raw("raw MOTD", "You are not connected to FakeNet")]
#[case::whois("whois bob", "You are not connected to FakeNet")]
#[case::whoami("whoami", "You are not connected to FakeNet")]
#[case::nick("nick", "You are not connected. Your nick for FakeNet is alice")]
#[case::nick_new("nick alicia", "Your nick will be alicia")]
#[case::query("query bob", "has a room")]
#[case::query_with_text("query bob hi", "You are not connected to FakeNet")]
#[case::status("status", "not connected; to change that, type connect.")]
#[case::connect("reconnect", "Connecting to FakeNet")]
#[case::open("open fake", "Connecting to FakeNet")]
#[case::disconnect("disconnect", "Disconnected from FakeNet")]
#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_answered_without_a_connection(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#tea").await;
    world.homeserver.wait_event(&control, says("Joining #tea")).await;
    ask(&world, &alice, &control, "disconnect").await;
    let said = ask(&world, &alice, &control, typed).await;
    assert!(squeezed(&said).contains(answer), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_shows_every_command_in_both_kinds_of_room() {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    let in_control = ask(&world, &alice, &control, "help").await;
    let in_network = ask(&world, &alice, &network, "help").await;
    let reference = towline::commands::reference();
    let (commands, _) = reference.split_once("\n## Settings\n").unwrap();
    // Of what is for administrators it says nothing to anybody else.
    let (commands, admin) = commands.split_once("\n## Administration\n").unwrap();
    let commands = commands.to_owned() + admin.split_once("\n## ").map_or("", |(_, rest)| rest);
    let names = commands.lines().filter_map(|line| line.strip_prefix("| `")?.split([' ', '`']).next());
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 13);
    for name in names {
        let stands = |text: &str| text.lines().any(|line| line.split_whitespace().next() == Some(name));
        // The configuration lets only administrators do that.
        let is_shown = name != "plumb";
        assert_eq!(
            (stands(&in_control), stands(&in_network)),
            (is_shown, is_shown),
            "{name} in {in_control}"
        );
    }
    assert!(!in_network.contains("[NETWORK]"));
    assert!(
        !in_control.contains("network [NETWORK | add"),
        "nor does it let users have networks of their own"
    );
    let (admin, control, _) = connected_as(&world, "admin").await;
    let in_control = ask(&world, &admin, &control, "help").await;
    assert!(
        in_control.contains("\nplumb [NETWORK]") && in_control.contains("\nnetwork [NETWORK | add"),
        "{in_control}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lines_are_several_commands_in_their_order() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, _) = connected(&world).await;
    let said =
        ask(&world, &alice, &control, "msg bob one\n\n  MSG bob “two” – it's naïve 😀\nmsg bob three").await;
    assert_eq!(said, "Sent to bob.\nSent to bob.\nSent to bob.");
    bob.wait_text("three").await;
    let heard: Vec<String> = bob.messages("bob").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["one", "“two” – it's naïve 😀", "three"]);
    let many = vec!["networks"; 30].join("\n");
    assert!(ask(&world, &alice, &control, &many).await.contains("stopped after 20 lines"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_several_networks_the_control_room_asks_which_and_a_network_room_does_not() {
    let world = World::builder().network("other", "OtherNet").start().await;
    let (alice, control, network) = connected(&world).await;
    ask(&world, &alice, &control, "nick fake alicia").await;
    world.ircd.wait_registered("alicia").await;
    ask(&world, &alice, &control, "open other").await;
    let other = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&other).await;
    world.ircd.wait_registered("alice").await;
    world.homeserver.wait_event(&other, says("Connected to")).await;

    let said = ask(&world, &alice, &control, "join #rust").await;
    assert!(said.contains("You are on fake, other: say which one first"), "{said}");
    ask(&world, &alice, &control, "join other #rust").await;
    world.ircd.wait_joined("#rust", "alice").await;
    ask(&world, &alice, &network, "join #tea").await;
    world.ircd.wait_joined("#tea", "alicia").await;
    assert_eq!(world.ircd.names("#rust"), ["alice"]);
    let status = ask(&world, &alice, &control, "status").await;
    assert!(status.contains("FakeNet  | connected") && status.contains("OtherNet | connected"), "{status}");
    // The ghosts of two networks are never the same.
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.say("#rust", "hi");
    let room = world.homeserver.wait_room_named("#rust (OtherNet)").await;
    assert_eq!(world.homeserver.wait_message(&room, "hi").await.sender, "@irc_other_bob:test.local");
}

/// Before, it said that one is connected already.
#[tokio::test(flavor = "multi_thread")]
async fn who_reconnects_while_connected_leaves_and_comes_back_to_their_channels() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#tea").await;
    let mark = world.ircd.mark();
    assert!(ask(&world, &alice, &control, "join #rust").await.contains("Joining #rust"));
    world.ircd.wait_joined("#rust", "alice").await;
    let said = ask(&world, &alice, &control, "reconnect").await;
    assert_eq!(said, "Connecting to FakeNet; its room tells how it goes.");
    world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line == "QUIT :Reconnecting").await;
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("USER alice ")).await;
    world.ircd.wait_joined("#tea", "alice").await;
    world.ircd.wait_joined("#rust", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_answers_to_a_raw_line_stands_under_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, network) = connected(&world).await;
    let said = ask(&world, &alice, &control, "raw WHOIS bob").await;
    assert!(said.starts_with("FakeNet answers:\nbob ") && said.contains("A fake server"), "{said}");
    let said = ask(&world, &alice, &control, "quote NONSENSE").await;
    assert_eq!(said, "FakeNet answers:\nNONSENSE: Unknown command");
    let said = ask(&world, &alice, &control, "raw CAP LIST").await;
    assert!(said.starts_with("FakeNet answers:\nLIST ") && said.contains("server-time"), "{said}");
    let lines = world.homeserver.timeline_lines(&network);
    assert!(!lines.iter().any(|line| line.contains("NONSENSE")), "{lines:?}");
    // A line is a line.
    let said = ask(&world, &alice, &control, "raw PRIVMSG bob :one\u{b}two").await;
    assert!(said.contains("Sent"), "{said}");
    bob.wait_text("one\u{b}two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conversation_whois_is_about_the_other_and_answers_where_it_was_asked() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = connected(&world).await;
    bob.say("alice", "hi");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    alice.send_text(&room, "!irc whois");
    world.homeserver.wait_event(&room, |event| event.body().starts_with("bob is ~bob@")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_connection_does_not_outlive_is_answered() {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    let before = world.homeserver.event_count(&network);
    let said = ask(&world, &alice, &control, "raw QUIT :bye").await;
    assert_eq!(said, "Sent.");
    // Nothing can be asked before the session knows that it is back.
    world.homeserver.wait_message_after(&network, before, "Connected to fake.irc as alice.").await;
    world.ircd.mute("alice");
    alice.send_text(&control, "whois bob");
    world.ircd.wait_line(|_, line| line.starts_with("WHOIS")).await;
    world.ircd.cut("alice");
    world
        .homeserver
        .wait_event(&control, says("The connection was lost before the server had answered"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_entered_and_left_by_raw_lines_is_kept_and_forgotten_like_others() {
    let mut world = World::start().await;
    let (alice, _, network) = connected(&world).await;
    ask(&world, &alice, &network, "raw JOIN #stays,#goes").await;
    let stays = world.homeserver.wait_room_named("#stays (FakeNet)").await;
    let goes = world.homeserver.wait_room_named("#goes (FakeNet)").await;
    ask(&world, &alice, &network, "raw PART #goes").await;
    world.homeserver.wait_event(&goes, says("You left the channel")).await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#stays", "alice").await;
    assert!(world.ircd.names("#goes").is_empty());
    assert_eq!(world.homeserver.rooms_named("#stays (FakeNet)"), [stays]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_day_is_few_events() {
    let world = World::start().await;
    let (_alice, _, network) = world.connected_user("alice").await;
    world.homeserver.wait_event(&network, says("Nothing here is real")).await;
    let before = world.homeserver.timeline(&network).len();
    assert!(before <= 3, "{:?}", world.homeserver.timeline_bodies(&network));
    let mut motd = String::from(":fake.irc 375 alice :- start -\r\n");
    (0..100).for_each(|n| motd.push_str(&format!(":fake.irc 372 alice :- line {n}\r\n")));
    motd.push_str(":fake.irc 376 alice :the end\r\n");
    world.ircd.send_raw("alice", motd.as_bytes());
    world.homeserver.wait_event(&network, says("the end")).await;
    let events = world.homeserver.timeline(&network).len() - before;
    assert!(events <= 5, "{events} events");
    let shown = world.homeserver.timeline_bodies(&network).join("\n");
    assert!((0..100).all(|n| shown.lines().any(|line| line.ends_with(&format!("line {n}")))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_is_changed_refused_and_kept_over_a_restart() {
    let mut world = World::start().await;
    let _bob = world.ircd.person("bob");
    let (alice, control, network) = connected(&world).await;
    ask(&world, &alice, &control, "nick bob").await;
    world.homeserver.wait_event(&network, says("You can't be bob")).await;
    ask(&world, &alice, &control, "nick alicia").await;
    world.ircd.wait_registered("alicia").await;
    world.homeserver.wait_event(&network, says("You are now alicia")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alicia").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_is_redacted_wherever_it_is_typed() {
    let world = World::start().await;
    let services = world.ircd.person("NickServ");
    let (alice, control, network) = connected(&world).await;
    for (room, text) in [
        (&control, "sasl alice hunter2"),
        (&network, "SASL alice hunter2"),
        (&network, "/msg NickServ REGISTER hunter2 a@b.example"),
        (&control, "raw PRIVMSG NickServ :identify hunter2"),
        (&control, "networks\nmsg nickserv identify hunter2"),
        (&network, "quote PASS hunter2"),
        (&network, "msg NickServ confirm hunter2"),
        (&control, "raw NS ID hunter2"),
        (&network, "mgs NickServ identify hunter2"),
        (&network, "identify hunter2"),
    ] {
        let event = alice.send_text(room, text);
        let redaction = world.homeserver.wait_event(room, |one| one.redacts.as_ref() == Some(&event)).await;
        assert_eq!(redaction.sender, world.homeserver.bot(), "{text}");
    }
    services.wait_message(|heard| heard.text().contains("identify")).await;
    for room in [&control, &network] {
        let shown = world.homeserver.timeline_bodies(room);
        assert!(!shown.iter().any(|body| body.contains("hunter2")), "{shown:?}");
    }
}

/// On other networks Q is a person, and only the network itself says which it is.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_for_a_service_of_one_letter_is_redacted_while_there_is_no_connection() {
    let mut options = ircd::Options::default();
    options.isupport.retain(|token| !token.starts_with("NETWORK="));
    options.isupport.push("NETWORK=QuakeNet".to_owned());
    let mut world = World::builder().ircd(options).start().await;
    let _service = world.ircd.person("Q");
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "query Q");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.stop_bridge().await;
    world.ircd.refuse();
    world.start_bridge().await;
    let event = alice.send_text(&room, "auth alice hunter2");
    let redaction = world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&event)).await;
    assert_eq!(redaction.sender, "@irc_fake_q:test.local");
}

/// Before, the redaction was stored with the answer, and what kept the answer away kept the password in the room.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_goes_from_the_room_although_its_command_is_never_answered() {
    let world = World::start().await;
    let (alice, control, _) = connected(&world).await;
    world.wait_outbox_empty().await;
    let lose_answers = if world.database().bytes().is_some() {
        "CREATE TRIGGER lose_answers BEFORE INSERT ON outbox WHEN NEW.kind = 'message'
         BEGIN SELECT RAISE(ABORT, 'lost'); END"
    } else {
        "CREATE FUNCTION lose_answers() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'lost'; END $$;
         CREATE TRIGGER lose_answers BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.kind = 'message')
         EXECUTE FUNCTION lose_answers()"
    };
    world.database().execute(lose_answers).await;
    let event = alice.send_text(&control, "sasl alice hunter2");
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&event)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_permission_any_more_is_told_so() {
    let mut world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    world.stop_bridge().await;
    world.forbid(alice.id());
    world.start_bridge().await;
    let said = ask(&world, &alice, &control, "networks").await;
    assert!(said.contains("no permission"), "{said}");
}
