//! The commands of a network's room, each with its answer where it works and where it does not.

use std::time::Duration;

use rstest::rstest;

use crate::support::bridge::{self, World};
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice on a network whose server has these capabilities besides, with her control room and the network's.
async fn with_capabilities(capabilities: &[&str]) -> (World, TestUser, [String; 2]) {
    let mut options = ircd::Options::default();
    options.capabilities.extend(capabilities.iter().map(|name| (*name).to_owned()));
    connected(World::builder().ircd(options).start().await).await
}

async fn connected(world: World) -> (World, TestUser, [String; 2]) {
    let (alice, control, network) = world.connected_user("alice").await;
    world.homeserver.wait_event(&network, says("Connected to")).await;
    (world, alice, [control, network])
}

const LABELS: [&str; 3] = ["batch", "echo-message", "labeled-response"];

/// Types something in a room and waits for what is said to it.
async fn ask(world: &World, user: &TestUser, room: &str, typed: &str, answer: &str) -> String {
    bridge::ask(world, user, room, typed, answer).await.body().to_owned()
}

/// An answer with each space once, however wide a table's columns are.
fn collapsed(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

async fn reconnect(world: &World, alice: &TestUser, network: &str) {
    alice.send_text(network, "disconnect");
    world.ircd.wait_gone("alice").await;
    alice.send_text(network, "connect");
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_name_real_name_and_server_password_are_given_at_the_next_connection() {
    let (mut world, alice, [_, network]) = with_capabilities(&[]).await;
    ask(&world, &alice, &network, "username", "Your user name on FakeNet is alice.").await;
    ask(&world, &alice, &network, "username wonder.land", "Your user name will be wonder.land. It is used")
        .await;
    ask(&world, &alice, &network, "realname", "is your nick: you have set none.").await;
    ask(&world, &alice, &network, "realname Alice Liddell", "Your real name will be Alice Liddell. It is")
        .await;
    ask(&world, &alice, &network, "password", "No password for FakeNet's server is set.").await;
    let typed = alice.send_text(&network, "password looking glass");
    world.homeserver.wait_event(&network, says("server is stored encrypted. It is used from the next")).await;
    world.homeserver.wait_event(&network, |one| one.redacts.as_ref() == Some(&typed)).await;
    let mark = world.ircd.mark();
    reconnect(&world, &alice, &network).await;
    world.ircd.wait_line_after(mark, |_, line| line == "PASS :looking glass").await;
    world.ircd.wait_line_after(mark, |_, line| line == "USER wonder.land 0 * :Alice Liddell").await;
    ask(&world, &alice, &network, "password", "You have set a password for FakeNet's server.").await;

    // Over a restart, and back.
    world.stop_bridge().await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line == "USER wonder.land 0 * :Alice Liddell").await;
    world.ircd.wait_registered("alice").await;
    ask(&world, &alice, &network, "username OFF", "Your user name will be alice.").await;
    ask(&world, &alice, &network, "realname off", "Your real name will be your nick.").await;
    ask(&world, &alice, &network, "password off", "The password for FakeNet's server is deleted.").await;
    let mark = world.ircd.mark();
    reconnect(&world, &alice, &network).await;
    world.ircd.wait_line_after(mark, |_, line| line == "USER alice 0 * :alice").await;
    let lines = world.ircd.lines();
    assert!(!lines[mark..].iter().any(|one| one.line().starts_with("PASS")));
}

#[rstest]
#[case::with_a_space("username a b", "a b can't be your user name: it takes up to 16 letters")]
#[case::with_a_hyphen("username alice-2", "alice-2 can't be your user name: it takes")]
#[case::of_somebody_else(
    "username Bob",
    "Bob can't be your user name: somebody else of this bridge is known by it."
)]
#[case::too_long("realname LONG", "No server takes a real name of more than 200 bytes.")]
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_no_name_is_not_taken(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    world.user_with_control_room("bob").await;
    let (world, alice, [_, network]) = connected(world).await;
    ask(&world, &alice, &network, &typed.replace("LONG", &"x".repeat(201)), answer).await;
}

#[rstest]
#[case::plain(&["setname"])]
#[case::labels(&["setname", "batch", "echo-message", "labeled-response"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_real_name_is_another_at_once_where_the_server_can(#[case] capabilities: &[&str]) {
    let (world, alice, [_, network]) = with_capabilities(capabilities).await;
    ask(&world, &alice, &network, "realname Alice Liddell", "Your real name on FakeNet is Alice Liddell.")
        .await;
    world.ircd.wait_line(|_, line| line.ends_with("SETNAME :Alice Liddell")).await;
    // What the server does not take is not kept.
    let long = format!("realname {}", "x".repeat(150));
    ask(&world, &alice, &network, &long, "FakeNet says: Realname is not valid.").await;
    ask(&world, &alice, &network, "realname", "Your real name on FakeNet is Alice Liddell.").await;
    let mark = world.ircd.mark();
    reconnect(&world, &alice, &network).await;
    world.ircd.wait_line_after(mark, |_, line| line == "USER alice 0 * :Alice Liddell").await;
}

/// Before, it came twice where the server shows us what we say.
#[rstest]
#[case::echoes(&["echo-message"])]
#[case::labels(&LABELS)]
#[case::neither(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_to_oneself_is_shown_once(#[case] capabilities: &[&str]) {
    let (world, alice, [_, network]) = with_capabilities(capabilities).await;
    alice.send_text(&network, "notice alice mind this");
    world.homeserver.wait_event(&network, says("alice: mind this")).await;
    alice.send_text(&network, "raw NOTICE alice :mind that");
    world.homeserver.wait_event(&network, says("alice: mind that")).await;
    // What is said behind it comes behind it.
    ask(&world, &alice, &network, "raw NOTICE alice :and this", "alice: and this").await;
    alice.send_text(&network, "raw NOTICE alice :the end");
    world.homeserver.wait_event(&network, says("alice: the end")).await;
    world.wait_outbox_empty().await;
    let lines = world.homeserver.timeline_lines(&network);
    for line in ["mind this", "mind that", "and this"] {
        let line = format!("alice: {line}");
        assert_eq!(lines.iter().filter(|one| **one == line).count(), 1, "{line}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_is_so_on_the_next_connection_until_they_are_back() {
    let (mut world, alice, [_, network]) = with_capabilities(&[]).await;
    ask(&world, &alice, &network, "away", "You are not away on FakeNet.").await;
    ask(&world, &alice, &network, "away out for tea", "FakeNet says: You have been marked as being away")
        .await;
    ask(&world, &alice, &network, "away", "You are away on FakeNet: out for tea").await;
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_line_after(mark, |_, line| line == "AWAY :out for tea").await;
    world.stop_bridge().await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line == "AWAY :out for tea").await;
    ask(&world, &alice, &network, "away off", "FakeNet says: You are no longer marked as being away").await;
    alice.send_text(&network, "disconnect");
    world.ircd.wait_gone("alice").await;
    ask(&world, &alice, &network, "away asleep", "You will be away when FakeNet is connected").await;
    ask(&world, &alice, &network, "away back", "You will not be away when FakeNet is connected").await;
}

#[rstest]
#[case::shown("umode", "Your modes on FakeNet: +i")]
#[case::set("umode +Rx", "Your modes on FakeNet: +Rix")]
#[case::taken("umode -i", "Your modes on FakeNet: none")]
#[case::unknown("umode +Z", "FakeNet says: Unknown MODE flag.")]
#[tokio::test(flavor = "multi_thread")]
async fn own_modes_are_shown_as_they_are_afterwards(
    #[case] typed: &str,
    #[case] answer: &str,
    #[values(false, true)] labels: bool,
) {
    let (world, alice, [_, network]) = with_capabilities(if labels { &LABELS } else { &[] }).await;
    ask(&world, &alice, &network, typed, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_one_and_a_refused_one_is_told() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (world, alice, [_, network]) = connected(world).await;
    ask(&world, &alice, &network, "notice bob the build is done", "Sent to bob as a notice.").await;
    bob.wait_heard(|heard| heard.command == "NOTICE" && heard.text() == "the build is done").await;
    ask(&world, &alice, &network, "notice bob", "Type it like this: notice NICK | #CHANNEL TEXT").await;
}

#[rstest]
#[case::plain(&[])]
#[case::labels(&LABELS)]
#[tokio::test(flavor = "multi_thread")]
async fn a_ctcp_request_is_answered_where_it_was_typed(#[case] capabilities: &[&str]) {
    let mut options = ircd::Options::default();
    options.capabilities.extend(capabilities.iter().map(|name| (*name).to_owned()));
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    let (world, alice, [control, network]) = connected(world).await;
    alice.send_text(&control, "ctcp bob version");
    bob.wait_text("\u{1}VERSION\u{1}").await;
    bob.notice("alice", "\u{1}VERSION irc\u{2}x\u{2} 4\u{1}");
    world.homeserver.wait_message(&control, "bob answers VERSION: ircx 4").await;
    alice.send_text(&network, "ping BOB");
    bob.wait_text("\u{1}PING towline\u{1}").await;
    bob.notice("alice", "\u{1}PING towline\u{1}");
    world.homeserver.wait_event(&network, says("bob answers after ")).await;
    // Nobody waits for a second answer; it is shown.
    bob.notice("alice", "\u{1}PING towline\u{1}");
    world.homeserver.wait_event(&network, says("bob sent CTCP PING towline")).await;
    ask(&world, &alice, &network, "ctcp nobody version", "to nobody did not arrive: No such nick").await;
    ask(&world, &alice, &network, "ctcp bob dcc send x", "can't be had through a bridge").await;
    ask(&world, &alice, &network, "ctcp bob action waves", "with /me").await;
    ask(&world, &alice, &network, "ctcp bob", "Type it like this: ctcp NICK REQUEST").await;
    let lines = world.homeserver.timeline_bodies(&network);
    assert!(!lines.iter().any(|line| line.contains("alice sent CTCP")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_to_ctcp_is_told_that_there_is_none() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (world, alice, [_, network]) = connected(world).await;
    alice.send_text(&network, "ctcp bob time");
    bob.wait_text("\u{1}TIME\u{1}").await;
    world.pass("alice", Duration::from_secs(10)).await;
    world.homeserver.wait_event(&network, says("bob has not answered TIME. Many programs don't")).await;
    alice.send_text(&network, "ctcp bob version");
    bob.wait_text("\u{1}VERSION\u{1}").await;
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("The connection was lost before")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_spoken_to_by_their_command_and_by_a_message_where_there_is_none() {
    let options = ircd::Options { services: true, ..ircd::Options::default() };
    let world = World::builder().ircd(options).start().await;
    let chanserv = world.ircd.person("ChanServ");
    let (world, alice, [_, network]) = connected(world).await;
    ask(&world, &alice, &network, "ns info alice", "NickServ: Invalid command.").await;
    world
        .homeserver
        .wait_event(&network, says("Sent to NickServ. The answer comes in the network's room."))
        .await;
    world.ircd.wait_line(|_, line| line == "NICKSERV :info alice").await;
    // This server has no such command.
    ask(&world, &alice, &network, "cs op #rust alice", "Sent to ChanServ.").await;
    chanserv.wait_text("op #rust alice").await;
    let typed = alice.send_text(&network, "chanserv register #rust hunter2");
    world.homeserver.wait_event(&network, |one| one.redacts.as_ref() == Some(&typed)).await;
    chanserv.wait_text("register #rust hunter2").await;
    chanserv.quit("");
    ask(&world, &alice, &network, "cs help", "What you said to ChanServ did not arrive").await;
    ask(&world, &alice, &network, "ns", "Type it like this: nickserv TEXT").await;
}

/// Before, it stood in the network's room as the service repeats it: "the password has been changed to …".
#[rstest]
#[case::by_their_command("nickserv set password hunter22")]
#[case::by_a_message("msg NickServ set password hunter22")]
#[case::by_hand("raw PRIVMSG NickServ :set password hunter22")]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_that_a_service_repeats_is_not_shown(#[case] typed: &str) {
    let world = World::start().await;
    let nickserv = world.ircd.person("NickServ");
    let (world, alice, [_, network]) = connected(world).await;
    let event = alice.send_text(&network, typed);
    nickserv.wait_text("set password hunter22").await;
    nickserv.notice("alice", "The password for \u{2}alice\u{2} has been changed to \u{2}hunter22\u{2}.");
    world.homeserver.wait_message(&network, "NickServ: The password for alice has been changed to ….").await;
    world.homeserver.wait_event(&network, |one| one.redacts.as_ref() == Some(&event)).await;
    // Who is no service may say what they like.
    let bob = world.ircd.person("bob");
    bob.notice("alice", "is hunter22 yours?");
    world.homeserver.wait_message(&network, "bob: is hunter22 yours?").await;
}

/// Before, it was taken for a password: "… is now registered to alice."
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_one_has_registered_is_named_in_the_services_answer() {
    let world = World::start().await;
    let chanserv = world.ircd.person("ChanServ");
    let (world, alice, [_, network]) = connected(world).await;
    alice.send_text(&network, "join #rust");
    world.homeserver.wait_invite(alice.id()).await;
    alice.send_text(&network, "cs register #rust");
    chanserv.wait_text("register #rust").await;
    chanserv.notice("alice", "\u{2}#rust\u{2} is now registered to \u{2}alice\u{2}.");
    world.homeserver.wait_event(&network, says("#rust is now registered to alice.")).await;
}

#[rstest]
#[case::by_nick("who bob", "bob (away) | ~bob@people.fake | bob")]
#[case::nobody("who nobody", "FakeNet knows nobody there.")]
#[case::everybody("who", "Type it like this: who")]
#[case::of_the_past("whowas carol", "carol was ~carol@people.fake, carol")]
#[case::of_no_past("whowas nobody", "FakeNet says: There was no such nickname.")]
#[case::no_nick("whowas #rust", "#rust is no nick")]
#[case::nobody_named("whowas", "Type it like this: whowas [NICK]")]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_and_who_was(
    #[case] typed: &str,
    #[case] answer: &str,
    #[values(false, true)] labels: bool,
) {
    let (world, alice, [_, network]) = with_capabilities(if labels { &LABELS } else { &[] }).await;
    let bob = world.ircd.person("bob");
    bob.raw_line("AWAY :lunch");
    world.ircd.person("carol").quit("bye");
    ask(&world, &alice, &network, typed, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_channels_room_who_is_about_the_channel_with_accounts_where_the_server_tells_them() {
    let mut options = ircd::Options::default();
    options.isupport.push("WHOX".to_owned());
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let said = ask(&world, &alice, &room, "!irc who", "| real name").await;
    assert!(said.contains("~alice@") && said.contains("~bob@people.fake"), "{said}");
    world.ircd.wait_line(|_, line| line == "WHO #rust %tcuhnfar,152").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejoin_tries_all_channels_again_that_keep_the_user_out() {
    let world = World::start().await;
    world.ircd.ban_joins("#closed", 473);
    let (world, alice, [_, network]) = connected(world).await;
    ask(&world, &alice, &network, "rejoin", "No channel of FakeNet keeps you out.").await;
    alice.send_text(&network, "join #closed");
    world.homeserver.wait_event(&network, says("Not in #closed")).await;
    world.ircd.allow_joins("#closed");
    ask(&world, &alice, &network, "rejoin", "Trying again to enter #closed;").await;
    world.ircd.wait_joined("#closed", "alice").await;
    alice.send_text(&network, "disconnect");
    world.ircd.wait_gone("alice").await;
    ask(&world, &alice, &network, "rejoin", "You are not connected to FakeNet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_lists_its_channels_page_by_page_and_is_asked_once() {
    let world = World::start().await;
    let people = ["bob", "carol", "dave"].map(|nick| world.ircd.person(nick));
    let bob = &people[0];
    (0..23).for_each(|number| bob.join(&format!("#c{number:02}")));
    people.iter().for_each(|person| person.join("#rust"));
    bob.topic("#rust", "Safe and \u{2}fast\u{2}");
    let (world, alice, [_, network]) = connected(world).await;
    ask(&world, &alice, &network, "list more", "There is no list that could go on.").await;
    let said = collapsed(&ask(&world, &alice, &network, "list", "the largest first").await);
    assert!(said.starts_with("channel | people | topic\n#rust | 3 | Safe and fast\n#c00 | 1 |\n"), "{said}");
    assert!(said.ends_with("1–20 of 24, the largest first. For the next ones, type list more."), "{said}");
    let said = collapsed(&ask(&world, &alice, &network, "list more", "the largest first").await);
    let rows = "#c19 | 1 |\n#c20 | 1 |\n#c21 | 1 |\n#c22 | 1 |";
    assert_eq!(said, format!("channel | people | topic\n{rows}\n21–24 of 24, the largest first."));
    ask(&world, &alice, &network, "list page 3", "There are 2 pages.").await;
    let asked = world.ircd.lines_from("alice").into_iter().filter(|line| line.starts_with("LIST")).count();
    assert_eq!(asked, 1);
    let said = ask(&world, &alice, &network, "list FAST", "1–1 of 1").await;
    assert!(said.contains("#rust"), "{said}");
    ask(&world, &alice, &network, "list *2?", "1–3 of 3").await;
    ask(&world, &alice, &network, "list haskell", "FakeNet lists no channel that fits haskell.").await;
    // What is ten minutes old is asked for again.
    world.pass("alice", Duration::from_mins(10)).await;
    ask(&world, &alice, &network, "list haskell", "FakeNet lists no channel that fits haskell.").await;
    let asked = world.ircd.lines_from("alice").into_iter().filter(|line| line.starts_with("LIST")).count();
    assert_eq!(asked, 5);
}

/// Before, the list of a large network was an hourglass and nothing else until all of it was there.
#[tokio::test(flavor = "multi_thread")]
async fn how_much_of_a_long_list_has_come_is_told_in_the_message_that_becomes_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    (0..7).for_each(|number| bob.join(&format!("#c{number}")));
    world.ircd.stall_list();
    let (world, alice, [_, network]) = connected(world).await;
    alice.send_text(&network, "list");
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("LIST")).await;
    world.pass("alice", Duration::from_secs(4)).await;
    let far = "FakeNet sends its list: 7 channels so far.";
    let told = world.homeserver.wait_event(&network, says(far)).await;
    // Told once more, it is the same message.
    world.pass("alice", Duration::from_secs(4)).await;
    let of_told = |one: &Event, new: &str| {
        one.content["m.relates_to"]["event_id"] == *told.event_id
            && one.content["m.new_content"]["body"].as_str().is_some_and(|body| body.contains(new))
    };
    world.homeserver.wait_event(&network, |one| of_told(one, far)).await;
    world.ircd.end_list("alice");
    world.homeserver.wait_event(&network, |one| of_told(one, "1–7 of 7, the largest first")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_by_itself_does_so_before_channels_are_entered_and_is_not_shown_when_it_is_secret() {
    let mut options = ircd::Options { services: true, ..ircd::Options::default() };
    options.accounts.push(("alice".to_owned(), "hunter2".to_owned()));
    let (mut world, alice, [_, network]) = connected(World::builder().ircd(options).start().await).await;
    alice.send_text(&network, "join #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    ask(&world, &alice, &network, "autocmd", "Nothing runs by itself on fake.").await;
    ask(&world, &alice, &network, "autocmd add join #tea", "That can't run by itself: it takes raw, msg")
        .await;
    ask(&world, &alice, &network, "autocmd add umode +R", "1. umode +R").await;
    ask(&world, &alice, &network, "autocmd add umode +Z", "2. umode +Z").await;
    let typed = alice.send_text(&network, "autocmd add msg NickServ IDENTIFY hunter2");
    world.homeserver.wait_event(&network, says("3. msg NickServ …")).await;
    world.homeserver.wait_event(&network, |one| one.redacts.as_ref() == Some(&typed)).await;
    ask(&world, &alice, &network, "autocmd add when logged in", "4. when logged in").await;
    ask(&world, &alice, &network, "autocmd add raw AWAY :here", "5. raw AWAY :here").await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    let lines: Vec<String> = world.ircd.lines().into_iter().skip(mark).map(|one| one.line()).collect();
    let own = ["MODE alice +R", "PRIVMSG NickServ :IDENTIFY hunter2", "AWAY :here", "JOIN #rust"];
    let places: Vec<_> = own.iter().map(|line| lines.iter().position(|one| one == line).unwrap()).collect();
    assert!(places.is_sorted(), "{lines:?}");
    let wrong = "autocmd umode +Z: FakeNet says: Unknown MODE flag. I don't repeat this.";
    world.homeserver.wait_message(&network, wrong).await;
    // Once, however often it connects.
    let mark = world.ircd.mark();
    reconnect(&world, &alice, &network).await;
    world.ircd.wait_line_after(mark, |_, line| line == "JOIN #rust").await;
    ask(&world, &alice, &network, "autocmd remove 9", "There is no command of that number.").await;
    ask(&world, &alice, &network, "autocmd remove 2", "2. msg NickServ …").await;
    ask(&world, &alice, &network, "autocmd off", "Nothing runs by itself on fake.").await;
    let told = world.homeserver.timeline_bodies(&network);
    assert_eq!(told.iter().filter(|body| body.contains(wrong)).count(), 1, "{told:?}");
    assert!(!told.iter().any(|body| body.contains("hunter2")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_does_not_come_keeps_nobody_out_of_their_channels() {
    let (world, alice, [_, network]) = with_capabilities(&[]).await;
    alice.send_text(&network, "join #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    let typed = "autocmd add wait 5\nautocmd add when logged in\nautocmd add raw AWAY :never";
    ask(&world, &alice, &network, typed, "3. raw AWAY :never").await;
    let first = world.homeserver.wait_event(&network, says("Connected to")).await;
    let mark = world.ircd.mark();
    reconnect(&world, &alice, &network).await;
    let is_second = |event: &Event| says("Connected to")(event) && event.event_id != first.event_id;
    world.homeserver.wait_event(&network, is_second).await;
    // Five seconds, and then thirty more.
    for _ in 0..8 {
        world.pass("alice", Duration::from_secs(5)).await;
    }
    world.ircd.wait_line_after(mark, |_, line| line == "JOIN #rust").await;
    world.homeserver.wait_event(&network, says("autocmd when logged in: you were not logged in")).await;
    let lines = world.ircd.lines();
    assert!(!lines[mark..].iter().any(|one| one.line() == "AWAY :never"));
}

/// Before, of somebody whom the server did not take after all nothing was ever known.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_one_too_many_for_the_server_is_asked_for() {
    let mut options = ircd::Options::default();
    options.isupport.push("MONITOR=100".to_owned());
    let (world, alice, [_, network]) = connected(World::builder().ircd(options).start().await).await;
    ask(&world, &alice, &network, "monitor +bob", "you are told when these come and go:").await;
    world.ircd.wait_line(|_, line| line == "MONITOR + bob").await;
    world.ircd.send_line("alice", "734 alice 100 bob :Monitor list is full.");
    let mark = world.ircd.mark();
    world.ircd.send_line("alice", "PING :heard");
    world.ircd.wait_line_after(mark, |_, line| line == "PONG :heard").await;
    world.pass("alice", Duration::from_mins(1)).await;
    world.ircd.wait_line_after(mark, |_, line| line == "ISON bob").await;
}

#[rstest]
#[case::told_by_the_server(&["MONITOR=100"])]
#[case::asked_for(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_told_when_somebody_comes_and_goes_also_after_a_restart(#[case] tokens: &[&str]) {
    let mut options = ircd::Options::default();
    options.isupport.extend(tokens.iter().map(|token| (*token).to_owned()));
    let is_asked = tokens.is_empty();
    let (mut world, alice, [_, network]) = connected(World::builder().ircd(options).start().await).await;
    // Where the server does not tell, it is asked each minute.
    let minute = async |world: &World| {
        if is_asked {
            world.pass("alice", Duration::from_mins(1)).await;
        }
    };
    let carol = world.ircd.person("carol");
    ask(&world, &alice, &network, "monitor", "You want to know of nobody on FakeNet").await;
    alice.send_text(&network, "monitor +bob carol");
    world.homeserver.wait_event(&network, says("you are told when these come and go:")).await;
    minute(&world).await;
    world.homeserver.wait_message(&network, "bob is not on FakeNet.").await;
    world.homeserver.wait_message(&network, "carol is on FakeNet.").await;
    let bob = world.ircd.person("bob");
    minute(&world).await;
    let told = world.homeserver.wait_message(&network, "bob is on FakeNet now.").await;
    assert_eq!(told.content["m.mentions"]["user_ids"][0], alice.id());
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    minute(&world).await;
    // What the server says of them is read before the answer to what comes then.
    let asks = |line: &str| line.starts_with("MONITOR +") || line.starts_with("ISON ");
    world.ircd.wait_line_after(mark, |_, line| asks(line)).await;
    world.pass("alice", Duration::ZERO).await;
    ask(&world, &alice, &network, "monitor -carol", "bob: is there").await;
    let before = world.homeserver.event_count(&network);
    bob.quit("bye");
    carol.quit("bye");
    minute(&world).await;
    // It was said of him before he came, too.
    world.homeserver.wait_message_after(&network, before, "bob is not on FakeNet.").await;
    ask(&world, &alice, &network, "monitor", "bob: is not there").await;
    ask(&world, &alice, &network, "monitor -carol", "carol is not among them.").await;
    // Before, those that stood before her went all the same, until the next start.
    ask(&world, &alice, &network, "monitor -bob -dave", "dave is not among them.").await;
    ask(&world, &alice, &network, "monitor", "bob: is not there").await;
}

/// Before, both had it, and what a network's operators did against one met the other.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_choose_the_same_user_name_one_has_it_until_they_choose_another() {
    let world = World::start().await;
    let (alice, _, alices) = world.greeted_user("alice").await;
    let (carol, _, carols) = world.greeted_user("carol").await;
    alice.send_text(&alices, "username wonderland");
    carol.send_text(&carols, "username wonderland");
    let bot = world.homeserver.bot();
    let answer = async |room: &str| {
        let is_it = |event: &Event| event.sender == bot && event.body().contains("wonderland");
        world.homeserver.wait_event(room, is_it).await.body().to_owned()
    };
    let answers = [answer(&alices).await, answer(&carols).await];
    let is_taken = |text: &&String| text.starts_with("wonderland can't be your user name: somebody else");
    assert_eq!(answers.iter().filter(is_taken).count(), 1, "{answers:?}");
    assert!(answers.iter().any(|text| text.starts_with("Your user name will be wonderland.")), "{answers:?}");
    let (first, room) = if is_taken(&&answers[0]) { (&carol, &carols) } else { (&alice, &alices) };
    let (second, other) = if is_taken(&&answers[0]) { (&alice, &alices) } else { (&carol, &carols) };
    first.send_text(room, "username off");
    let is_back = |event: &Event| {
        event.sender == bot
            && event.body().starts_with("Your user name will be")
            && !event.body().contains("wonderland")
    };
    world.homeserver.wait_event(room, is_back).await;
    second.send_text(other, "username wonderland");
    let is_theirs = |event: &Event| event.body().starts_with("Your user name will be wonderland.");
    world.homeserver.wait_event(other, is_theirs).await;
}
