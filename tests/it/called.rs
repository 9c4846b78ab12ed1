//! What the administrator's templates make of people on IRC: nicks, real names and user names.

use crate::support::bridge::{World, ask};
use crate::support::homeserver::{Fault, TestUser};
use crate::support::ircd::Options;

async fn with(templates: &str) -> World {
    World::builder().config(&format!("templates: {{ {templates} }}\n")).start().await
}

/// Opens the network, and joins its room.
async fn open(world: &World, user: &TestUser, control: &str) -> String {
    user.send_text(control, "open fake");
    let network = world.homeserver.wait_invite(user.id()).await;
    user.join(&network).await;
    network
}

/// The nicks that connections have asked for so far, in that order.
fn asked(world: &World) -> Vec<String> {
    let lines = world.ircd.lines();
    let nicks = lines.iter().filter_map(|one| one.line().strip_prefix("NICK ").map(str::to_owned));
    nicks.map(|nick| nick.trim_start_matches(':').to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_make_the_nick_the_real_name_and_the_user_name_of_somebody() {
    let world = with(
        "nick: \"{display}[m]\", realname: \"{user_id} ({display}) {nick}\", username: \"m.{localpart}\"",
    )
    .await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.set_displayname("Alice  Liddéll");
    let network = open(&world, &alice, &control).await;
    let nick = "Alice_Liddell[m]";
    world.ircd.wait_registered(nick).await;
    let user = format!("USER m.alice 0 * :@alice:test.local (Alice Liddéll) {nick}");
    world.ircd.wait_line(|_, line| line == user).await;
    ask(&world, &alice, &network, "username", "Your user name on FakeNet is m.alice.").await;
    // Nobody is called otherwise than the administrator says.
    let said =
        format!("Your real name on FakeNet is @alice:test.local (Alice Liddéll) {nick}: the administrator");
    ask(&world, &alice, &network, "realname", &said).await;
    ask(&world, &alice, &network, "realname The Queen", &said).await;
    ask(&world, &alice, &network, "realname off", &said).await;
    // But has the nick that they choose.
    alice.send_text(&network, "nick wonder");
    world.ircd.wait_registered("wonder").await;
    let mark = world.ircd.mark();
    world.ircd.cut("wonder");
    world.ircd.wait_line_after(mark, |_, line| line == "NICK wonder").await;
    let user = "USER m.alice 0 * :@alice:test.local (Alice Liddéll) wonder";
    world.ircd.wait_line_after(mark, |_, line| line == user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_networks_own_templates_are_its_own() {
    let server = "{ host: 127.0.0.1, port: PORT, tls: false } ]\n    nick: \"m_{localpart}\"\n    \
                  realname: \"{user_id}\"\n    bind: [";
    let config = "templates: { nick: \"{display}\", realname: \"somebody\" }\n";
    let world = World::builder().server(server).config(config).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    open(&world, &alice, &control).await;
    world.ircd.wait_registered("m_alice").await;
    world.ircd.wait_line(|_, line| line == "USER alice 0 * :@alice:test.local").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_people_get_one_nick_by_their_display_names() {
    let world = with("nick: \"{display}[m]\"").await;
    let (alice, alices) = world.user_with_control_room("alice").await;
    let (mallory, mallorys) = world.user_with_control_room("mallory").await;
    alice.set_displayname("Alice");
    mallory.set_displayname("ALICE");
    open(&world, &alice, &alices).await;
    world.ircd.wait_registered("Alice[m]").await;
    open(&world, &mallory, &mallorys).await;
    world.ircd.wait_clients(2).await;
    let nicks = world.ircd.nicks();
    let of_mallory = nicks.iter().find(|nick| *nick != "Alice[m]").unwrap();
    let number = of_mallory.strip_prefix("ALICE_").and_then(|rest| rest.strip_suffix("[m]")).unwrap();
    assert!(number.parse::<i64>().is_ok(), "{of_mallory}");
    // It was not asked for, so that it is not taken when she is away for a moment.
    assert_eq!(asked(&world), ["Alice[m]".to_owned(), of_mallory.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_homeserver_that_is_silent_is_called_by_their_id() {
    let world = with("nick: \"{display}\"").await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.set_displayname("Wonder");
    world.homeserver.faults().fail("GET", "/profile/@alice:test.local/displayname", Fault::Hang, 1);
    open(&world, &alice, &control).await;
    world.ircd.wait_registered("alice").await;
    // With the next connection it is heard, and counts when it is silent again.
    world.ircd.cut("alice");
    world.ircd.wait_registered("Wonder").await;
    let gone = serde_json::json!({ "errcode": "M_UNKNOWN" });
    world.homeserver.faults().fail(
        "GET",
        "/profile/@alice:test.local/displayname",
        Fault::Status(500, gone),
        10,
    );
    world.ircd.cut("Wonder");
    world.ircd.wait_connections(3).await;
    world.ircd.wait_registered("Wonder").await;
    assert_eq!(asked(&world), ["alice", "Wonder", "Wonder"]);
}

/// Before, whoever knew the line had the name that the administrator forbids.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_choose_no_real_name_sends_none_by_hand_either() {
    let mut options = Options::default();
    options.capabilities.push("setname".to_owned());
    let config = "templates: { realname: \"{user_id}\" }\n";
    let world = World::builder().ircd(options).config(config).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let network = open(&world, &alice, &control).await;
    world.ircd.wait_registered("alice").await;
    let said = "Your real name on FakeNet is @alice:test.local: the administrator";
    for line in ["SETNAME :The Queen", ":alice setname Queen"] {
        ask(&world, &alice, &network, &format!("raw {line}"), said).await;
    }
    // Nor by what runs at each connection.
    ask(&world, &alice, &network, "autocmd add raw SETNAME :The Queen", "SETNAME").await;
    ask(&world, &alice, &network, "autocmd add raw PING done", "PING").await;
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_line_after(mark, |_, line| line == "PING done").await;
    world
        .homeserver
        .wait_event(&network, |event| event.body().contains(said) && event.body().contains("raw SETNAME"))
        .await;
    let lines = world.ircd.lines();
    assert!(lines.iter().all(|one| !one.line().contains("Queen")), "{lines:?}");
    // Where nothing is set, it is theirs.
    let world =
        World::builder().ircd(Options { capabilities: vec!["setname".to_owned()], ..Options::default() });
    let world = world.start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let network = open(&world, &alice, &control).await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&network, "raw SETNAME :The Queen");
    world.ircd.wait_line(|_, line| line == "SETNAME :The Queen").await;
}

/// Before, that there was no connection was known at once, and told and acted on three seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nobody_is_told_of_before_a_silent_homeserver_has_answered() {
    // Nothing listens there: a port for the system's own, of a service that nobody has any more.
    let server = "{ host: 127.0.0.1, port: 1, tls: false }";
    let config = "templates: { nick: \"{display}\" }\n";
    let world = World::builder().server(server).config(config).without_bridge().await;
    let process = world.start_process_with(&[]);
    let (alice, control) = world.user_with_control_room("alice").await;
    world.homeserver.faults().fail("GET", "/profile/@alice:test.local/displayname", Fault::Hang, 1);
    let network = open(&world, &alice, &control).await;
    world.homeserver.wait_event(&network, |event| event.body().contains("refused the connection")).await;
    let log = std::fs::read_to_string(process.log_file()).unwrap();
    assert!(!log.contains("does not say in time"), "{log}");
    assert_eq!(process.stop().await, Some(0));
}

/// Before, a long name was cut at its end, and where a server refused it for its length its owner was told to choose another.
#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_too_long_for_a_network_is_cut_so_that_what_is_behind_the_name_stays() {
    let mut options = Options::default();
    options.isupport.retain(|token| !token.starts_with("NICKLEN"));
    options.isupport.push("NICKLEN=9".to_owned());
    let config = "templates: { nick: \"{localpart}[m]\" }\n";
    let world = World::builder().ircd(options).config(config).start().await;
    let (christopher, control) = world.user_with_control_room("christopher").await;
    let network = open(&world, &christopher, &control).await;
    world.ircd.wait_registered("christ[m]").await;
    world.homeserver.wait_event(&network, |event| event.body().contains("as christ[m]")).await;
    assert_eq!(asked(&world), ["christopher[m]", "christoph[m]", "christ[m]"]);
    // What the network takes is known to whoever comes next.
    let (maximilian, control) = world.user_with_control_room("maximilian").await;
    open(&world, &maximilian, &control).await;
    world.ircd.wait_registered("maximi[m]").await;
    assert_eq!(asked(&world)[3..], ["maximi[m]"]);
}
