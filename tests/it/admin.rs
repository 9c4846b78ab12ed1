//! What administrators see and do at run time, and that nobody else can.

mod bot;
mod erase;
mod limits;

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

async fn admin(world: &World) -> (TestUser, String) {
    world.user_with_control_room("admin").await
}

#[rstest]
#[case::permissions("permissions")]
#[case::permit("permit @mallory:test.local admin")]
#[case::users("users")]
#[case::sessions("sessions")]
#[case::session("session @admin:test.local fake disconnect")]
#[case::erase("erase @admin:test.local")]
#[case::ident("ident @admin:test.local mallory")]
#[case::bot("bot name Mallory")]
#[case::avatar("avatar bob mxc://test.local/bob")]
#[case::limits("limits lines 60")]
#[case::announce("announce I am the administrator")]
#[case::stats("stats")]
#[case::drain("drain")]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_administrator_has_no_command_of_theirs(#[case] typed: &str) {
    let world = World::start().await;
    let (mallory, control) = world.user_with_control_room("mallory").await;
    mallory.send_text(&control, typed);
    world.homeserver.wait_event(&control, says("There is no command")).await;
    mallory.send_text(&control, "help");
    let help = world.homeserver.wait_event(&control, says("open NETWORK")).await;
    assert!(!help.body().contains("unpermit"), "{}", help.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_taken_ends_connections_and_one_that_is_given_begins_them_and_both_outlive_a_restart()
 {
    let mut world = World::start().await;
    let (admin, control) = admin(&world).await;
    let (alice, chat, network) = world.connected_user("alice").await;
    admin.send_text(&control, "permit @alice:test.local none");
    let answer = world.homeserver.wait_event(&control, says("@alice:test.local: none, from now on.")).await;
    assert!(answer.body().contains("One open connection"), "{}", answer.body());
    world.ircd.wait_gone("alice").await;
    alice.send_text(&chat, "status");
    world.homeserver.wait_event(&chat, says("You have no permission to use this bridge any more.")).await;
    alice.send_text(&network, "join #rust");
    world.homeserver.wait_event(&network, says("no permission")).await;

    world.stop_bridge().await;
    world.start_bridge().await;
    alice.send_text(&chat, "help");
    let refused = |event: &Event| says("You have no permission")(event);
    world.homeserver.wait_delivered().await;
    world.homeserver.wait_event(&chat, refused).await;
    assert!(!world.ircd.nicks().contains(&"alice".to_owned()));

    admin.send_text(&control, "permissions");
    world.homeserver.wait_event(&control, says("@alice:test.local")).await;
    admin.send_text(&control, "unpermit @alice:test.local");
    world.homeserver.wait_event(&control, says("is taken back")).await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&chat, "status");
    world.homeserver.wait_event(&chat, says("FakeNet")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_of_permissions_can_not_be_changed_here() {
    let world = World::start().await;
    let (admin, control) = admin(&world).await;
    for who in ["@admin:test.local", "test.local"] {
        admin.send_text(&control, &format!("permit {who} none"));
        world
            .homeserver
            .wait_event(&control, says(&format!("What {who} may do stands in the configuration")))
            .await;
    }
    admin.send_text(&control, "permit * admin");
    world.homeserver.wait_event(&control, says("That makes everybody whom * fits an administrator")).await;
    admin.send_text(&control, "cancel");
    world.homeserver.wait_event(&control, says("Dropped")).await;
    admin.send_text(&control, "permit nobody@all user");
    world.homeserver.wait_event(&control, says("nobody@all is nobody: it must be a full id")).await;
    admin.send_text(&control, "permit @carol:other.org user");
    world.homeserver.wait_event(&control, says("@carol:other.org: user, from now on.")).await;
    admin.send_text(&control, "unpermit @dave:other.org");
    world.homeserver.wait_event(&control, says("Nothing was set for @dave:other.org.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_how_sessions_stand_and_not_what_is_said() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#secret");
    let (alice, chat, _) = world.user_in_channel("alice", "#secret").await;
    let (admin, control) = admin(&world).await;
    admin.send_text(&control, "users");
    let users = world.homeserver.wait_event(&control, says("@alice:test.local")).await;
    assert!(users.body().contains("fake"), "{}", users.body());
    admin.send_text(&control, "sessions @alice:test.local");
    let is_table = |event: &Event| ["fake", "connected"].iter().all(|word| event.body().contains(word));
    let sessions = world.homeserver.wait_event(&control, is_table).await;
    assert!(!sessions.body().contains("#secret"), "{}", sessions.body());
    admin.send_text(&control, "stats");
    world.homeserver.wait_event(&control, says("1 connected")).await;

    admin.send_text(&control, "session @alice:test.local FAKE disconnect maintenance");
    world.ircd.wait_gone("alice").await;
    admin.send_text(&control, "session @alice:test.local fake connect");
    world.ircd.wait_registered("alice").await;
    admin.send_text(&control, "session @bob:test.local fake connect");
    world.homeserver.wait_event(&control, says("@bob:test.local does not have fake open")).await;

    admin.send_text(&control, "announce We restart at 20:00.");
    world.homeserver.wait_event(&control, says("2 users are told")).await;
    let told =
        world.homeserver.wait_event(&chat, says("From the administrator of this bridge: We restart")).await;
    assert_eq!(told.content["msgtype"], "m.text");
    assert_eq!(told.content["m.mentions"]["user_ids"][0], alice.id());
}

/// Before, it was said in a room that they had left.
#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_reaches_who_has_left_their_chats_with_the_bot() {
    let world = World::start().await;
    let (admin, control) = admin(&world).await;
    let (alice, chat) = world.user_with_control_room("alice").await;
    alice.leave(&chat);
    // What has left its trace in the store is known.
    let becomes = async |sql: &'static str, is_so: &dyn Fn(&[String]) -> bool| {
        world.database().wait("it becomes known", sql, is_so).await;
    };
    becomes("SELECT room_id FROM room WHERE room_id IS NOT NULL", &|rooms| !rooms.contains(&chat)).await;
    admin.send_text(&control, "announce One.");
    let own = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_event(&own, says("From the administrator of this bridge: One.")).await;
    alice.leave(&own);
    becomes("SELECT room_id FROM room WHERE owner_left", &|rooms| rooms.contains(&own)).await;
    admin.send_text(&control, "announce Two.");
    world.homeserver.wait_event(&own, says("From the administrator of this bridge: Two.")).await;
    world.homeserver.wait_member(&own, alice.id(), "invite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_drained_nobody_connects_anew_and_who_is_connected_stays() {
    let world = World::start().await;
    let (admin, control) = admin(&world).await;
    world.greeted_user("alice").await;
    admin.send_text(&control, "drain");
    world.homeserver.wait_event(&control, says("One session is connected")).await;
    let (bob, chat) = world.user_with_control_room("bob").await;
    bob.send_text(&chat, "open fake");
    let network = bob.join(&world.homeserver.wait_invite(bob.id()).await).await;
    world.homeserver.wait_event(&network, says("prepares maintenance")).await;
    assert_eq!(world.ircd.nicks(), ["alice"]);
    admin.send_text(&control, "drain off");
    world.ircd.wait_registered("bob").await;
    assert_eq!(world.ircd.nicks(), ["alice", "bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_name_that_an_administrator_sets_is_given_and_nobody_elses() {
    let mut world = World::start().await;
    let (admin, control) = admin(&world).await;
    let (alice, _, network) = world.greeted_user("alice").await;
    let ask = async |world: &World, typed: &str, answer: &'static str| {
        admin.send_text(&control, typed);
        world.homeserver.wait_event(&control, says(answer)).await;
    };
    ask(&world, "ident", "All have the names that this bridge gives them.").await;
    ask(&world, "ident @alice:test.local", "@alice:test.local is alice to IRC, unless they").await;
    ask(&world, "ident @nobody:test.local x", "@nobody:test.local has never used this bridge.").await;
    ask(&world, "ident @alice:test.local ADMIN", "ADMIN can't be a user name: somebody else").await;
    ask(&world, "ident @alice:test.local -x", "-x can't be a user name: it takes").await;
    ask(&world, "ident @alice:test.local wonder", "is wonder to IRC from their next connections on").await;
    ask(&world, "ident", "@alice:test.local | wonder").await;
    alice.send_text(&network, "username queen");
    world.homeserver.wait_event(&network, says("Your user name is wonder: the administrator")).await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("USER wonder ")).await;
    ask(&world, "ident @alice:test.local", "is wonder to IRC, as was set here.").await;
    ask(&world, "ident @alice:test.local off", "is alice to IRC again").await;
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("USER alice ")).await;
}

/// Before, whoever had it already got it again with the next attempt.
#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_can_not_be_stored_for_one_is_told_to_nobody_until_it_can() {
    let world = World::start().await;
    let (_alice, alices) = world.user_with_control_room("alice").await;
    let (_bob, bobs) = world.user_with_control_room("bob").await;
    let (admin, control) = admin(&world).await;
    let room = format!("(SELECT id FROM room WHERE room_id = '{bobs}')");
    let (lose, keep) = if world.database().bytes().is_some() {
        let lose = format!(
            "CREATE TRIGGER lose BEFORE INSERT ON outbox WHEN NEW.kind = 'message' AND NEW.room = {room}
             BEGIN SELECT RAISE(ABORT, 'lost'); END"
        );
        (lose, "DROP TRIGGER lose")
    } else {
        let lose = format!(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.kind = 'message' AND NEW.room = {room} THEN RAISE EXCEPTION 'lost'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER lose BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lose()"
        );
        (lose, "DROP TRIGGER lose ON outbox")
    };
    world.database().execute(lose.leak()).await;
    let failed = admin.send_text(&control, "announce One.");
    let is_sign =
        |event: &Event| event.kind == "m.reaction" && event.content["m.relates_to"]["event_id"] == failed;
    let sign = world.homeserver.wait_event(&control, is_sign).await;
    assert_eq!(sign.content["m.relates_to"]["key"], "❌");
    world.database().execute(keep).await;
    admin.send_text(&control, "announce One.");
    for room in [&alices, &bobs] {
        world.homeserver.wait_event(room, says("From the administrator of this bridge: One.")).await;
    }
    let told = world.homeserver.events(&alices).into_iter().filter(|event| says(": One.")(event)).count();
    assert_eq!(told, 1);
}
