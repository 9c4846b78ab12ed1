//! What the administrator says of shared rooms (`networks.*.shared`): the directory, who comes in, and how they are made.

use super::*;
use crate::reload::reload;
use crate::support::bridge::ask;

/// A world whose shared rooms are like this.
fn world_with(shared: &str) -> Builder {
    // It stands among the network's keys, as `flood` does.
    world().flood(&format!("{{ burst: 100, interval_ms: 0 }}\n    shared: {shared}"))
}

async fn rule(world: &World, room: &str, rule: &str) {
    world.homeserver.wait_state(room, "m.room.join_rules", "", |rules| rules["join_rule"] == rule).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_room_is_in_the_directory_while_its_channel_is_open_and_no_secret() {
    let talk = Talk::begin(world_with("{ published: true }").start().await).await;
    let is_listed = async |is_listed| talk.world.homeserver.wait_listed(&talk.room, is_listed).await;
    is_listed(true).await;
    for mode in ["s", "p", "i", "k key"] {
        talk.bob.mode("#tea", &format!("+{mode}"));
        is_listed(false).await;
        talk.bob.mode("#tea", &format!("-{mode}"));
        is_listed(true).await;
    }
    for user in [&talk.alice, &talk.carol] {
        user.leave(&talk.room);
    }
    is_listed(false).await;
    talk.alice.join(ALIAS).await;
    is_listed(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_not_in_the_directory_unless_the_administrator_says_so() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+t");
    let is_locked = |levels: &serde_json::Value| levels["events"]["m.room.topic"] == 50;
    talk.world.homeserver.wait_state(&talk.room, "m.room.power_levels", "", is_locked).await;
    talk.world.homeserver.wait_requests("GET", "/directory/list/room/", 1).await;
    assert_eq!(talk.world.homeserver.requests("PUT", "/directory/list/room/"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_publishes_nothing_keeps_a_room_from_nothing_else() {
    let refuses = |options: &mut crate::support::homeserver::Options| options.refuses_publishing = true;
    let talk = Talk::begin(world_with("{ published: true }").homeserver_options(refuses).start().await).await;
    talk.world.homeserver.wait_requests("PUT", "/directory/list/room/", 1).await;
    talk.bob.mode("#tea", "+i");
    rule(&talk.world, &talk.room, "invite").await;
    talk.bob.mode("#tea", "-i");
    rule(&talk.world, &talk.room, "public").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_for_invited_people_is_entered_by_typing_join_and_its_alias() {
    let world = world_with("{ join_rule: invite }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, network) = world.greeted_user("alice").await;
    assert_eq!(alice.try_join(ALIAS).await.unwrap_err().status, 403);
    let room = world.homeserver.alias(ALIAS).expect("it is made when it is looked for");
    ask(&world, &alice, &control, &format!("join {ALIAS}"), "You are invited to #irc_fake_#tea").await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.accept_invites();
    world.ircd.wait_joined("#tea", "alice").await;
    // Ghosts are invited by the bot.
    bob.say("#tea", "hello");
    assert_eq!(world.homeserver.wait_message(&room, "hello").await.sender, BOB);
    alice.send_text(&room, "hello to you");
    bob.wait_text("hello to you").await;
    ask(&world, &alice, &control, &format!("join {ALIAS}"), "You are in #tea already").await;
    // Who leaves is told the way back, which is no invitation on IRC while the channel is open.
    ask(&world, &alice, &network, "part #tea", "type join with the room's alias").await;
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    ask(
        &world,
        &alice,
        &network,
        &format!("join {}", ALIAS.to_uppercase().replace("TEST.LOCAL", "test.local")),
        "You are invited",
    )
    .await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.accept_invites();
    world.ircd.wait_joined("#tea", "alice").await;
    assert_eq!(world.homeserver.state(&room, "m.room.join_rules", "")["join_rule"], "invite");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_invites_themselves_to_the_room_of_a_closed_channel() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+i");
    rule(&talk.world, &talk.room, "invite").await;
    let (dora, control) = talk.world.user_with_control_room("dora").await;
    ask(&talk.world, &dora, &control, &format!("join {ALIAS}"), "#tea is for invited people").await;
    talk.bob.mode("#tea", "-i");
    rule(&talk.world, &talk.room, "public").await;
    ask(&talk.world, &dora, &control, &format!("join {ALIAS}"), "You are invited to").await;
    talk.world.homeserver.wait_member(&talk.room, dora.id(), "invite").await;
}

#[rstest]
#[case::as_the_homeserver_has_it("{}", "12", json!(false))]
#[case::otherwise("{ room_version: \"11\", federated: true }", "11", json!(null))]
#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_made_as_the_configuration_says(
    #[case] shared: &str,
    #[case] version: &str,
    #[case] federates: serde_json::Value,
) {
    let talk = Talk::begin(world_with(shared).start().await).await;
    let creation = talk.world.homeserver.state(&talk.room, "m.room.create", "");
    assert_eq!((&creation["room_version"], &creation["m.federate"]), (&json!(version), &federates));
    talk.bob.mode("#tea", "+o carol");
    let has_power = |levels: &serde_json::Value| levels["users"][talk.carol.id()] == 50;
    let levels = talk.world.homeserver.wait_state(&talk.room, "m.room.power_levels", "", has_power).await;
    let bot = talk.world.homeserver.bot();
    assert_eq!(levels["users"][&bot], if version == "12" { json!(null) } else { json!(100) });
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_exist_follow_a_configuration_that_is_read_anew() {
    let world = world_with("{ published: true }").without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, _) = world.greeted_user("alice").await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    world.homeserver.wait_listed(&room, true).await;
    reload(&world, &process, |text| text.replace("{ published: true }", "{ join_rule: invite }")).await;
    world.homeserver.wait_listed(&room, false).await;
    rule(&world, &room, "invite").await;
    reload(&world, &process, |text| text.replace("{ join_rule: invite }", "{ published: true }")).await;
    world.homeserver.wait_listed(&room, true).await;
    rule(&world, &room, "public").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_channels_leads_to_their_shared_rooms() {
    let world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, _) = world.greeted_user("alice").await;
    let list = ask(&world, &alice, &control, "list", "the largest first").await;
    let html = list.content["formatted_body"].as_str().unwrap();
    assert!(
        html.contains("<a href=\"https://matrix.to/#/%23irc_fake_%23tea:test.local\">#tea</a>"),
        "{html}"
    );
    assert!(list.body().ends_with(&format!("as {ALIAS} does.")), "{}", list.body());
}
