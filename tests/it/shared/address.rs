//! The alias that a shared room bears, by which clients and the directory show it.

use super::*;
use crate::support::bridge::ask;

const CANONICAL_ALIAS: &str = "m.room.canonical_alias";
const STATE: &str = "/state/m.room.canonical_alias";

/// Waits until a room bears its alias, or none.
async fn bears(world: &World, room: &str, alias: Option<&str>) {
    world.homeserver.wait_state(room, CANONICAL_ALIAS, "", |state| state["alias"].as_str() == alias).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_room_bears_its_alias_from_the_first_who_comes_until_the_last_has_gone() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    bears(&talk.world, &talk.room, Some(ALIAS)).await;
    assert_eq!(homeserver.state(&talk.room, CANONICAL_ALIAS, ""), json!({ "alias": ALIAS }));
    for (user, network) in [(&talk.alice, &talk.networks[0]), (&talk.carol, &talk.networks[1])] {
        assert_eq!(homeserver.state(&talk.room, CANONICAL_ALIAS, "")["alias"], ALIAS, "somebody is there");
        user.send_text(network, "part #tea");
        homeserver.wait_member(&talk.room, user.id(), "leave").await;
    }
    homeserver.wait_alias(ALIAS, None).await;
    let now = homeserver.state(&talk.room, CANONICAL_ALIAS, "");
    assert_eq!(now, json!({}), "it never bears one that leads nowhere");
    assert_eq!(talk.alice.join(ALIAS).await, talk.room);
    bears(&talk.world, &talk.room, Some(ALIAS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_bears_no_alias_only_because_somebody_has_looked_for_it() {
    // Nobody comes in who is not invited.
    let shared = "{ burst: 100, interval_ms: 0 }\n    shared: { join_rule: invite }";
    let world = world().flood(shared).start().await;
    let (alice, control, _) = world.greeted_user("alice").await;
    assert_eq!(alice.try_join(ALIAS).await.unwrap_err().status, 403);
    let room = world.homeserver.alias(ALIAS).expect("it is made when it is looked for");
    ask(&world, &alice, &control, &format!("join {ALIAS}"), "You are invited to #irc_fake_#tea").await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    assert_eq!(world.homeserver.requests("PUT", STATE), 0);
    alice.accept_invites();
    bears(&world, &room, Some(ALIAS)).await;
}

#[rstest]
#[case::another(json!({ "alias": "#mine:test.local" }))]
#[case::one_more(json!({ "alias": ALIAS, "alt_aliases": ["#mine:test.local"] }))]
#[case::none(json!({}))]
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_somebody_else_has_a_room_bear_is_put_back(#[case] content: serde_json::Value) {
    let talk = Talk::begin(world().start().await).await;
    bears(&talk.world, &talk.room, Some(ALIAS)).await;
    for user in [&talk.alice, &talk.world.homeserver.user("mallory")] {
        user.send_state_by_force(&talk.room, CANONICAL_ALIAS, "", content.clone());
        let is_back = |state: &serde_json::Value| *state == json!({ "alias": ALIAS });
        talk.world.homeserver.wait_state(&talk.room, CANONICAL_ALIAS, "", is_back).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_alias_was_given_or_taken_before_a_crash_bears_what_it_should_after_the_start() {
    let mut talk = Talk::begin(world().start().await).await;
    bears(&talk.world, &talk.room, Some(ALIAS)).await;
    talk.world.stop_bridge().await;
    talk.alice.send_state_by_force(&talk.room, CANONICAL_ALIAS, "", json!({}));
    talk.world.start_bridge().await;
    bears(&talk.world, &talk.room, Some(ALIAS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_takes_no_alias_of_a_room_keeps_it_from_nothing_else() {
    let world = world().start().await;
    let refusal = Fault::Status(403, json!({ "errcode": "M_FORBIDDEN", "error": "no" }));
    world.homeserver.faults().fail("PUT", STATE, refusal, usize::MAX);
    let talk = Talk::begin(world).await;
    talk.world.homeserver.wait_requests("PUT", STATE, 1).await;
    talk.bob.mode("#tea", "+i");
    let is_closed = |rules: &serde_json::Value| rules["join_rule"] == "invite";
    talk.world.homeserver.wait_state(&talk.room, "m.room.join_rules", "", is_closed).await;
    for (user, network) in [(&talk.alice, &talk.networks[0]), (&talk.carol, &talk.networks[1])] {
        user.send_text(network, "part #tea");
        talk.world.homeserver.wait_member(&talk.room, user.id(), "leave").await;
    }
    talk.world.homeserver.wait_alias(ALIAS, None).await;
}

/// Before, the usual one was tried first: the homeserver asked the bridge for it, which waited for the homeserver, for ten
/// seconds each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_found_by_another_spelling_alone_bears_that_and_the_homeserver_is_asked_for_no_other()
{
    let [usual, other] = ["5b1=5d", "7b1=7d"].map(|name| format!("#irc_fake_#tea={name}:test.local"));
    let world = world().start().await;
    let (alice, _, _) = world.greeted_user("alice").await;
    let (carol, _, _) = world.greeted_user("carol").await;
    let room = alice.join(&usual).await;
    world.ircd.wait_joined("#tea[1]", "alice").await;
    bears(&world, &room, Some(&usual)).await;
    alice.take_alias(&usual);
    assert_eq!(world.homeserver.requests("PUT", STATE), 1);
    assert_eq!(carol.join(&other).await, room);
    bears(&world, &room, Some(&other)).await;
    assert_eq!(world.homeserver.requests("PUT", STATE), 2);
    assert_eq!(world.homeserver.alias(&usual), None, "nobody has looked for that again");
}
