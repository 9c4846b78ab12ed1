//! Who is excluded: by the configuration and by policy lists, on both sides.

use rstest::rstest;
use serde_json::{Value, json};

use crate::reload::reload;
use crate::support::bridge::{World, ask};
use crate::support::homeserver::{Event, NewRoom, TestUser};

const SHARED: &str = "templates: { shared_alias: \"irc_{network}_{channel}\" }\n";
const ALIAS: &str = "#irc_fake_#tea:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// A policy list for everybody: who keeps it, and its room.
fn a_list(world: &World) -> (TestUser, String) {
    let keeper = world.homeserver.user("keeper");
    let room = keeper.create_room(&NewRoom {
        preset: Some("public_chat"),
        name: Some("Bans"),
        ..NewRoom::default()
    });
    (keeper, room)
}

fn rule(keeper: &TestUser, room: &str, kind: &str, key: &str, content: Value) {
    keeper.send_state(room, &format!("m.policy.rule.{kind}"), key, content).unwrap();
}

fn ban(keeper: &TestUser, room: &str, kind: &str, entity: &str) {
    let content = json!({ "entity": entity, "recommendation": "m.ban", "reason": "spam" });
    rule(keeper, room, kind, &format!("rule:{entity}"), content);
}

fn lift(keeper: &TestUser, room: &str, kind: &str, entity: &str) {
    rule(keeper, room, kind, &format!("rule:{entity}"), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_policy_list_names_is_out_of_everything_and_back_when_it_names_them_no_more() {
    let mut world = World::builder().config(SHARED).without_bridge().await;
    let (keeper, list) = a_list(&world);
    world.add_config(&format!("policy_lists: [ \"{list}\" ]\n"));
    world.start_bridge().await;
    world.homeserver.wait_member(&list, &world.homeserver.bot(), "join").await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, network) = world.greeted_user("alice").await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;

    ban(&keeper, &list, "user", "@ali?e:*");
    world.ircd.wait_gone("alice").await;
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    let told = world.homeserver.wait_event(&control, says("You can't use this bridge any more")).await;
    assert!(told.body().contains(&format!("the policy list {list} (spam)")), "{}", told.body());
    // Neither commands nor rooms are theirs.
    ask(&world, &alice, &control, "networks", "You are excluded from this bridge").await;
    ask(&world, &alice, &network, "nick", "You are excluded from this bridge").await;
    alice.join(ALIAS).await;
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    // They are told once, also over a restart, and it holds from the start on.
    world.stop_bridge().await;
    let connections = world.ircd.connections();
    world.start_bridge().await;
    ask(&world, &alice, &control, "networks", "You are excluded from this bridge").await;
    assert_eq!(world.ircd.connections(), connections);
    let tellings = world.homeserver.timeline_bodies(&control);
    let tellings = tellings.iter().filter(|body| body.contains("You can't use this bridge any more")).count();
    assert_eq!(tellings, 1);

    lift(&keeper, &list, "user", "@ali?e:*");
    world.ircd.wait_registered("alice").await;
    alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    alice.send_text(&room, "back again");
    bob.wait_text("back again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_found_by_its_alias_and_what_stands_there_already_holds() {
    let mut world = World::builder().without_bridge().await;
    let (keeper, list) = a_list(&world);
    world.homeserver.give_alias("#bans:test.local", &list);
    ban(&keeper, &list, "user", "@eve:test.local");
    world.add_config("policy_lists: [ \"#bans:test.local\" ]\n");
    world.start_bridge().await;
    world.homeserver.wait_member(&list, &world.homeserver.bot(), "join").await;
    // What was there before is read with it, or before it.
    let (_alice, control, _) = world.greeted_user("alice").await;
    ban(&keeper, &list, "user", "@alice:test.local");
    world.homeserver.wait_event(&control, says("You can't use this bridge any more")).await;
    let eve = world.homeserver.user("eve");
    let dm = eve.start_dm(&world.homeserver.bot());
    world.homeserver.wait_member(&dm, &world.homeserver.bot(), "leave").await;
    let refused = world.homeserver.state(&dm, "m.room.member", &world.homeserver.bot());
    let reason = refused["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("excluded from this bridge by the policy list #bans:test.local (spam)"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_for_invited_people_is_entered_when_the_bot_is_invited() {
    let mut world = World::builder().without_bridge().await;
    let keeper = world.homeserver.user("keeper");
    let list = keeper.create_room(&NewRoom { name: Some("Bans"), ..NewRoom::default() });
    ban(&keeper, &list, "user", "@alice:test.local");
    world.add_config(&format!("policy_lists: [ \"{list}\" ]\n"));
    world.start_bridge().await;
    let (_alice, control, _) = world.greeted_user("alice").await;
    keeper.invite(&list, &world.homeserver.bot());
    world.homeserver.wait_event(&control, says("You can't use this bridge any more")).await;
    world.ircd.wait_gone("alice").await;
    // Taken out of it, it holds what it said, and follows it again when it is back.
    keeper.kick(&list, &world.homeserver.bot(), "out").unwrap();
    lift(&keeper, &list, "user", "@alice:test.local");
    world.homeserver.wait_delivered().await;
    assert!(!world.ircd.nicks().contains(&"alice".to_owned()));
    keeper.invite(&list, &world.homeserver.bot());
    world.ircd.wait_registered("alice").await;
}

#[rstest]
#[case::a_server("*.local")]
#[case::everybody_here("@*:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn no_list_shuts_the_bridge_out_of_itself_and_no_administrator_out_of_it(#[case] entity: &str) {
    let mut world = World::builder().without_bridge().await;
    let (keeper, list) = a_list(&world);
    let kind = if entity.starts_with('@') { "user" } else { "server" };
    ban(&keeper, &list, kind, entity);
    ban(&keeper, &list, "user", "@admin:*");
    world.add_config(&format!("policy_lists: [ \"{list}\" ]\n"));
    world.start_bridge().await;
    let (_admin, _, _) = world.connected_user("admin").await;
    // What comes last there tells that all of it is read.
    let (_, control, _) = world.greeted_user("alice").await;
    ban(&keeper, &list, "user", "@alice:*");
    world.homeserver.wait_event(&control, says("You can't use this bridge any more")).await;
    world.ircd.wait_gone("alice").await;
    assert!(world.ircd.nicks().contains(&"admin".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_excluded_nick_says_is_not_shown_and_its_ghost_does_not_come() {
    let mut world = World::builder().without_bridge().await;
    let (keeper, list) = a_list(&world);
    world.add_config(&format!("policy_lists: [ \"{list}\" ]\n"));
    world.start_bridge().await;
    let people = ["bob", "spam1"].map(|nick| world.ircd.person(nick));
    let [bob, spammer] = &people;
    people.iter().for_each(|person| person.join("#tea"));
    let (alice, control, room) = world.user_in_channel("alice", "#tea").await;
    let ghost = "@irc_fake_spam1:test.local";
    spammer.say("#tea", "buy now");
    world.homeserver.wait_message(&room, "buy now").await;
    world.homeserver.wait_member(&room, ghost, "join").await;

    ban(&keeper, &list, "user", "@irc_fake_spam*:test.local");
    world.homeserver.wait_member(&room, ghost, "leave").await;
    spammer.say("#tea", "buy more");
    spammer.say("alice", "buy this, alice");
    spammer.notice("alice", "and this");
    let other = world.ircd.person("spam2");
    other.join("#tea");
    bob.say("#tea", "is it quiet here?");
    world.homeserver.wait_message(&room, "is it quiet here?").await;
    assert_eq!(world.homeserver.timeline_bodies(&room).iter().filter(|body| body.contains("buy")).count(), 1);
    for room in world.homeserver.rooms() {
        let said = world.homeserver.timeline_bodies(&room);
        assert!(!said.iter().any(|body| body.contains("buy this") || body.contains("and this")), "{said:?}");
    }
    for ghost in [ghost, "@irc_fake_spam2:test.local"] {
        assert!(!world.homeserver.members(&room, "join").contains(&ghost.to_owned()));
    }
    ask(&world, &alice, &control, "search in fake more", "Nothing was found").await;
    // Nor does one who takes such a nick.
    spammer.nick("innocent");
    spammer.say("#tea", "good evening");
    world.homeserver.wait_message(&room, "good evening").await;
    world.homeserver.wait_member(&room, "@irc_fake_innocent:test.local", "join").await;
    spammer.nick("spam1");
    world.homeserver.wait_member(&room, "@irc_fake_innocent:test.local", "leave").await;
    bob.say("#tea", "gone again");
    world.homeserver.wait_message(&room, "gone again").await;
    world.wait_outbox_empty().await;
    assert!(!world.homeserver.members(&room, "join").contains(&ghost.to_owned()));

    lift(&keeper, &list, "user", "@irc_fake_spam*:test.local");
    world.homeserver.wait_member(&room, ghost, "join").await;
    spammer.say("#tea", "sorry");
    world.homeserver.wait_message(&room, "sorry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_plumbed_room_nothing_of_an_excluded_user_goes_to_irc_and_nobody_answers_them() {
    let mut world = World::builder().config("excluded: [ \"@eve:*\" ]\n").without_bridge().await;
    let owner = world.homeserver.user("owner");
    let room = owner.create_room(&NewRoom {
        preset: Some("public_chat"),
        name: Some("Tea house"),
        ..NewRoom::default()
    });
    world.plumb(&format!("\"#tea\": \"{room}\""));
    world.start_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, _) = world.greeted_user("alice").await;
    world.homeserver.wait_member(&room, &world.homeserver.bot(), "join").await;
    let eve = world.homeserver.user("eve");
    eve.join(&room).await;
    eve.send_text(&room, "buy now");
    alice.join(&room).await;
    world.ircd.wait_joined("#tea", "alice").await;
    alice.send_text(&room, "good evening");
    bob.wait_text("good evening").await;
    assert!(bob.messages("#tea").iter().all(|(_, text)| !text.contains("buy now")));
    let answers = world.homeserver.timeline_bodies(&room);
    assert!(!answers.iter().any(|body| body.starts_with(eve.id())), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_excluded_follows_a_configuration_that_is_read_anew() {
    let world = World::builder().config("excluded: [ \"@eve:test.local\" ]\n").without_bridge().await;
    let process = world.start_process_with(&[]);
    let (_alice, control, _) = world.greeted_user("alice").await;
    reload(&world, &process, |text| text.replace("@eve:", "@al*:")).await;
    world.ircd.wait_gone("alice").await;
    let told = world.homeserver.wait_event(&control, says("You can't use this bridge any more")).await;
    assert!(told.body().contains("excluded from this bridge by its configuration"), "{}", told.body());
    reload(&world, &process, |text| text.replace("@al*:", "@eve:")).await;
    world.ircd.wait_registered("alice").await;
    process.stop().await;
}
