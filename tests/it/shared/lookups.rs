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

/// Before, whoever looked for the one was led into the other.
#[tokio::test(flavor = "multi_thread")]
async fn where_brackets_are_no_braces_an_alias_does_not_lead_into_another_channel() {
    let world = world().ircd(comparing("ascii")).start().await;
    let (alice, carol) = (world.homeserver.user("alice"), world.homeserver.user("carol"));
    let room = alice.join("#irc_fake_#tea=5b1=5d:test.local").await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    // By then the session has told what the server says of itself.
    alice.send_text(&room, "is this tea?");
    world.ircd.wait_line(|nick, line| nick == "alice" && line.ends_with("is this tea?")).await;
    assert_eq!(carol.try_join("#irc_fake_#tea=7b1=7d:test.local").await.unwrap_err().status, 404);
    let path = "/_matrix/app/v1/thirdparty/location/irc?network=fake&channel=%23tea%7B1%7D";
    assert_eq!(call(&world, Method::GET, path, &json!({})).await.1, json!([]));
    assert_eq!(carol.join("#irc_fake_#tea=5b1=5d:test.local").await, room);
}
