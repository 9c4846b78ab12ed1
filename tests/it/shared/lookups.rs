//! What people look up from their clients, by the homeserver: rooms of channels, ghosts of nicks.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::server::call;
use crate::support::ircd::Options;

/// Of each network that is for all, and of nobody's own.
#[rstest]
#[case::channel("location/irc?network=fake&channel=%23Tea", "alias", &["#irc_fake_#tea:test.local"])]
#[case::channel_without_its_sign("location/irc?network=FakeNet&channel=tea", "alias", &["#irc_fake_#tea:test.local"])]
#[case::channel_in_other_letters("location/irc?network=fake&channel=%23%C3%A9", "alias", &["#irc_fake_#=c3=a9:test.local"])]
#[case::no_channel("location/irc?network=fake&channel=a%20b", "alias", &[])]
#[case::channel_without_a_room_for_all("location/irc?network=fake&channel=%26tea", "alias", &[])]
#[case::another_network("location/irc?network=nowhere&channel=%23tea", "alias", &[])]
#[case::nothing_asked("location/irc", "alias", &[])]
#[case::alias("location?alias=%23irc_fake_%23tea:test.local", "alias", &["#irc_fake_#tea:test.local"])]
#[case::anothers_alias("location?alias=%23tea:test.local", "alias", &[])]
#[case::nick("user/irc?network=fake&nickname=Bob", "userid", &["@irc_fake_bob:test.local"])]
#[case::no_nick("user/irc?network=fake&nickname=b%20b", "userid", &[])]
#[case::ghost("user?userid=@irc_fake_bob:test.local", "userid", &["@irc_fake_bob:test.local"])]
#[case::nobodys_ghost("user?userid=@bob:test.local", "userid", &[])]
#[tokio::test]
async fn channels_and_nicks_are_looked_up_from_a_client(
    #[case] path: &str,
    #[case] key: &str,
    #[case] wanted: &[&str],
) {
    let world = world().start().await;
    let path = format!("/_matrix/app/v1/thirdparty/{path}");
    let (status, body) = call(&world, Method::GET, &path, &json!({})).await;
    assert_eq!(status, 200);
    let found: Vec<&str> = body.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect();
    assert_eq!(found, wanted, "{body}");
    for one in body.as_array().unwrap() {
        assert_eq!((&one["protocol"], &one["fields"]["network"]), (&json!("irc"), &json!("fake")));
    }
}

#[tokio::test]
async fn what_is_looked_up_without_a_network_is_found_on_each_that_is_for_all() {
    let world = world().start().await;
    let (_, body) =
        call(&world, Method::GET, "/_matrix/app/v1/thirdparty/user/irc?nickname=bob", &json!({})).await;
    let networks: Vec<&str> =
        body.as_array().unwrap().iter().map(|one| one["fields"]["network"].as_str().unwrap()).collect();
    assert!(networks.contains(&"fake") && networks.contains(&"libera"), "{body}");
}

/// A server that compares names so.
fn comparing(mapping: &str) -> Options {
    let mut options = Options::default();
    options.isupport.retain(|token| !token.starts_with("CASEMAPPING="));
    options.isupport.push(format!("CASEMAPPING={mapping}"));
    options
}

/// Before, brackets and braces were the same letters on every network.
#[rstest]
#[case::by_rfc_1459("rfc1459", "@irc_fake_bob=7bx=7d:test.local")]
#[case::by_ascii("ascii", "@irc_fake_bob=5bx=5d:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn a_nick_is_looked_up_as_its_network_compares_names(#[case] mapping: &str, #[case] id: &str) {
    let world = world().ircd(comparing(mapping)).start().await;
    let bob = world.ircd.person("bob{x}");
    bob.join("#tea");
    let alice = world.homeserver.user("alice");
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "hello");
    let said = world.homeserver.wait_message(&room, "hello").await;
    assert_eq!(said.sender, "@irc_fake_bob=7bx=7d:test.local");
    let path = "/_matrix/app/v1/thirdparty/user/irc?network=fake&nickname=Bob%5Bx%5D";
    let (_, body) = call(&world, Method::GET, path, &json!({})).await;
    assert_eq!(body[0]["userid"], id, "{body}");
}

const BRACKETS: &str = "#irc_fake_#tea=5b1=5d:test.local";
const BRACES: &str = "#irc_fake_#tea=7b1=7d:test.local";

/// As the homeserver asks for an alias that it does not have.
async fn look_for(world: &World, alias: &str) -> u16 {
    let path = format!("/_matrix/app/v1/rooms/{}", alias.replace('#', "%23"));
    call(world, Method::GET, &path, &json!({})).await.0
}

/// Alice is in both channels of a network that tells brackets from braces; Bob is, on IRC.
async fn in_both(world: &World) -> (TestUser, Person, [String; 2]) {
    let (bob, alice) = (world.ircd.person("bob"), world.homeserver.user("alice"));
    ["#tea[1]", "#tea{1}"].iter().for_each(|channel| bob.join(channel));
    // Before anybody knows how names are compared.
    let brackets = alice.join(BRACKETS).await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    // By then the session has told what the server says of itself.
    bob.say("#tea[1]", "in brackets");
    world.homeserver.wait_message(&brackets, "in brackets").await;
    let braces = alice.join(BRACES).await;
    world.ircd.wait_joined("#tea{1}", "alice").await;
    assert_ne!(brackets, braces);
    (alice, bob, [brackets, braces])
}

/// Before, whoever looked for the one was led into the other, and later nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn where_brackets_are_no_braces_each_channel_has_a_shared_room() {
    let mut world = world().ircd(comparing("ascii")).start().await;
    let (alice, bob, [brackets, braces]) = in_both(&world).await;
    for round in ["first", "second"] {
        for (room, channel) in [(&brackets, "#tea[1]"), (&braces, "#tea{1}")] {
            let (asked, answer) = (format!("what is {channel}, {round}?"), format!("{channel}, {round}"));
            alice.send_text(room, &asked);
            assert_eq!(bob.wait_text(&asked).await.target(), channel);
            bob.say(channel, &answer);
            world.homeserver.wait_message(room, &answer).await;
        }
        for (channel, alias) in [("%23Tea%5B1%5D", BRACKETS), ("%23Tea%7B1%7D", BRACES)] {
            let path = format!("/_matrix/app/v1/thirdparty/location/irc?network=fake&channel={channel}");
            assert_eq!(call(&world, Method::GET, &path, &json!({})).await.1[0]["alias"], alias);
        }
        if round == "first" {
            world.stop_bridge().await;
            world.start_bridge().await;
            world.ircd.wait_joined("#tea[1]", "alice").await;
            world.ircd.wait_joined("#tea{1}", "alice").await;
        }
    }
    let network = world.homeserver.wait_room_named("FakeNet").await;
    alice.join(&network).await;
    alice.send_text(&network, "part #tea{1}");
    world.ircd.wait_parted("#tea{1}", "alice").await;
    assert_eq!(world.ircd.names("#tea[1]"), ["alice", "bob"]);
}

/// Before, it stayed in the homeserver's directory, and led everybody there.
#[tokio::test(flavor = "multi_thread")]
async fn when_a_network_begins_to_tell_brackets_from_braces_no_alias_leads_into_another_channel() {
    let world = world().start().await;
    let (bob, alice) = (world.ircd.person("bob"), world.homeserver.user("alice"));
    bob.join("#tea[1]");
    let room = alice.join(BRACKETS).await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    bob.say("#tea[1]", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    assert_eq!(alice.join(BRACES).await, room);
    world.ircd.send_line("alice", "005 alice CASEMAPPING=ascii :are supported by this server");
    world.homeserver.wait_alias(BRACES, None).await;
    assert_eq!(look_for(&world, BRACES).await, 200);
    let other = world.homeserver.alias(BRACES);
    assert!(other.is_some() && other.as_ref() != Some(&room));
    assert_eq!(world.homeserver.alias(BRACKETS).as_ref(), Some(&room));
}

/// Both stay what they were, and are two again when the channels are.
#[tokio::test(flavor = "multi_thread")]
async fn when_two_channels_become_one_the_older_shared_room_is_found_and_the_other_is_lost_to_nobody() {
    let world = world().ircd(comparing("ascii")).start().await;
    let (alice, bob, [brackets, braces]) = in_both(&world).await;
    world.ircd.send_line("alice", "005 alice CASEMAPPING=rfc1459 :are supported by this server");
    world.homeserver.wait_alias(BRACES, None).await;
    assert_eq!(look_for(&world, BRACES).await, 200);
    assert_eq!(world.homeserver.alias(BRACES), Some(brackets.clone()));
    alice.send_text(&braces, "is anybody here?");
    bob.wait_text("is anybody here?").await;
    world.ircd.send_line("alice", "005 alice CASEMAPPING=ascii :are supported by this server");
    world.homeserver.wait_alias(BRACES, None).await;
    assert_eq!(look_for(&world, BRACES).await, 200);
    assert_eq!(world.homeserver.alias(BRACES), Some(braces));
    assert_eq!(world.homeserver.alias(BRACKETS), Some(brackets));
}

/// Review of casemappings, M2: their link went to the other room, and nothing took them out of this one any more.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_other_of_two_rooms_of_one_channel_is_told_so_and_goes_from_it_with_the_channel() {
    let world = world().ircd(comparing("ascii")).start().await;
    let (_, bob, [brackets, braces]) = in_both(&world).await;
    let (carol, control) = world.user_with_control_room("carol").await;
    assert_eq!(carol.join(BRACES).await, braces);
    world.ircd.wait_joined("#tea{1}", "carol").await;
    for nick in ["alice", "carol"] {
        world.ircd.send_line(nick, &format!("005 {nick} CASEMAPPING=rfc1459 :are supported by this server"));
        world.pass(nick, Duration::ZERO).await;
    }
    world.homeserver.wait_alias(BRACES, None).await;
    assert_eq!(carol.join(BRACKETS).await, brackets);
    world.homeserver.wait_member(&brackets, carol.id(), "leave").await;
    world.homeserver.wait_event(&control, |event| event.body().contains("already, in its other room")).await;
    assert!(world.homeserver.members(&braces, "join").contains(&carol.id().to_owned()));
    bob.kick("#tea{1}", "carol", "out");
    world.homeserver.wait_member(&braces, carol.id(), "leave").await;
}

/// Review of casemappings, H1: after the next start the buffer of the one was shown in the other's room.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_it_was_known_how_names_are_compared_is_no_other_channels_after_a_restart() {
    let mut world = world().ircd(comparing("ascii")).start().await;
    let (bob, alice) = (world.ircd.person("bob"), world.homeserver.user("alice"));
    ["#tea[1]", "#tea{1}"].iter().for_each(|channel| bob.join(channel));
    let brackets = alice.join(BRACKETS).await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    bob.say("#tea[1]", "in brackets");
    world.homeserver.wait_message(&brackets, "in brackets").await;
    let network = alice.join(&world.homeserver.wait_room_named("FakeNet").await).await;
    world.stop_bridge().await;
    world.database().execute("UPDATE buffer SET folded = '#tea{1}' WHERE name = '#tea[1]'").await;
    world.ircd.refuse();
    world.start_bridge().await;
    let braces = alice.join(BRACES).await;
    ask(&world, &alice, &network, "nick", "You are not connected").await;
    world.ircd.welcome().await;
    alice.send_text(&network, "connect");
    for (room, channel) in [(&brackets, "#tea[1]"), (&braces, "#tea{1}")] {
        world.ircd.wait_joined(channel, "alice").await;
        alice.send_text(room, &format!("to {channel}"));
        assert_eq!(bob.wait_text(&format!("to {channel}")).await.target(), channel);
        bob.say(channel, &format!("from {channel}"));
        world.homeserver.wait_message(room, &format!("from {channel}")).await;
    }
}

/// Before, the first alias that somebody looked up was the room's for good, also where the channel was another.
#[tokio::test(flavor = "multi_thread")]
async fn while_no_server_has_told_how_names_are_compared_an_alias_does_not_lead_where_it_may_be_another_channel()
 {
    let world = world().ircd(comparing("ascii")).start().await;
    let path = "/_matrix/app/v1/rooms/%23irc_fake_%23tea=5b1=5d:test.local";
    assert_eq!(call(&world, Method::GET, path, &json!({})).await.0, 200);
    assert_eq!(world.ircd.connections(), 0, "nobody has asked for that");
    let carol = world.homeserver.user("carol");
    assert_eq!(carol.try_join("#irc_fake_#tea=7b1=7d:test.local").await.unwrap_err().status, 404);
    let path = "/_matrix/app/v1/thirdparty/location/irc?network=fake&channel=%23tea%7B1%7D";
    assert_eq!(call(&world, Method::GET, path, &json!({})).await.1, json!([]));
}

/// Before, all was compared by RFC 1459 until somebody was connected.
#[rstest]
#[case::by_rfc_1459("rfc1459", "@irc_fake_bob=7bx=7d:test.local")]
#[case::by_ascii("ascii", "@irc_fake_bob=5bx=5d:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_names_are_compared_as_the_network_does_before_anybody_is_connected(
    #[case] mapping: &str,
    #[case] id: &str,
) {
    let mut world = world().ircd(comparing(mapping)).start().await;
    let bob = world.ircd.person("bob{x}");
    bob.join("#tea[1]");
    let (alice, carol) = (world.homeserver.user("alice"), world.homeserver.user("carol"));
    let room = alice.join("#irc_fake_#tea=5b1=5d:test.local").await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    bob.say("#tea[1]", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    world.stop_bridge().await;
    world.ircd.refuse();
    world.start_bridge().await;
    let path = "/_matrix/app/v1/thirdparty/user/irc?network=fake&nickname=Bob%5Bx%5D";
    let (_, body) = call(&world, Method::GET, path, &json!({})).await;
    assert_eq!(body[0]["userid"], id, "{body}");
    let other = carol.try_join("#irc_fake_#tea=7b1=7d:test.local").await;
    assert_eq!(other.is_ok_and(|other| other == room), mapping == "rfc1459");
}

/// Before, each got one, also where its network has no such channels.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_a_kind_that_its_network_has_not_gets_no_shared_room() {
    let mut world = world().start().await;
    let (alice, carol) = (world.homeserver.user("alice"), world.homeserver.user("carol"));
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    alice.send_text(&room, "is this tea?");
    world.ircd.wait_line(|nick, line| nick == "alice" && line.ends_with("is this tea?")).await;
    let path = "/_matrix/app/v1/thirdparty/location/irc?network=fake&channel=%2Btea";
    for is_connected in [true, false] {
        assert_eq!(carol.try_join("#irc_fake_=2btea:test.local").await.unwrap_err().status, 404);
        assert_eq!(call(&world, Method::GET, path, &json!({})).await.1, json!([]));
        if is_connected {
            world.stop_bridge().await;
            world.ircd.refuse();
            world.start_bridge().await;
        }
    }
}
