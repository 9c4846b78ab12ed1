//! Limits: shown with where they come from, and set while the bridge runs.

use rstest::rstest;

use super::{admin, says};
use crate::support::bridge::World;
use crate::support::homeserver::Event;

/// A row of the table, without what pads it.
fn row(event: &Event, name: &str) -> String {
    let line = event.body().lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_limits_are_shown_with_where_they_come_from_and_what_a_change_takes() {
    let world = World::builder().config("limits: { refill: 9, inbox_body: 32MiB }\n").start().await;
    let (admin, control) = admin(&world).await;
    admin.send_text(&control, "limits stale_after 90m");
    world.homeserver.wait_event(&control, says("stale_after 90m from now on.")).await;
    admin.send_text(&control, "limits");
    let shown = world.homeserver.wait_event(&control, says("sessions_per_user")).await;
    for expected in [
        "inbox_body | 32MiB | the configuration | in the configuration, with a restart",
        "sessions_per_user | 20 | nothing, it is built in | here, at once",
        "closed_sessions | 50 | nothing, it is built in | here, at once",
        "shared_connections | 0 | nothing, it is built in | here, at once",
        "shared_idle | 0 | nothing, it is built in | here, at once",
        "channels_per_session | 500 | nothing, it is built in | here, at once",
        "outbox | 10000 | nothing, it is built in | here, at once",
        "membership_calls | 20 | nothing, it is built in | here, at once",
        "refill | 9 | the configuration | in the configuration",
        "lines | 5 | nothing, it is built in | here, at once",
        "stale_after | 90m | here | here, at once",
        "history | keep | nothing, it is built in | here, at once",
    ] {
        let name = expected.split(' ').next().unwrap();
        assert_eq!(row(&shown, name), expected);
    }
    admin.send_text(&control, "limits LINES");
    world.homeserver.wait_event(&control, says("How many lines one message may become on IRC")).await;
}

#[rstest]
#[case::of_the_file("limits refill 3", "refill stands in the configuration, under limits")]
#[case::of_a_restart("limits inbox_body 64MiB", "inbox_body can't change while I run.")]
#[case::too_many("limits lines 61", "lines is a whole number from 1 to 60.")]
#[case::no_limit("limits speed 3", "There is no limit speed.")]
#[case::more_words("limits lines 3 4", "Type it like this: limits [NAME [VALUE | off]]")]
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_can_not_be_set_so_is_said(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().config("limits: { refill: 9 }\n").start().await;
    let (admin, control) = admin(&world).await;
    admin.send_text(&control, typed);
    world.homeserver.wait_event(&control, says(answer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_set_holds_at_once_and_after_a_restart_until_it_is_taken_back() {
    let mut world = World::builder().network("other", "OtherNet").start().await;
    let (admin, control) = admin(&world).await;
    let (alice, chat, _) = world.connected_user("alice").await;
    admin.send_text(&control, "limits sessions_per_user 1");
    world.homeserver.wait_event(&control, says("sessions_per_user 1 from now on.")).await;
    alice.send_text(&chat, "open other");
    world.homeserver.wait_event(&chat, says("You have 1 networks open, the most that this bridge")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    let (carol, carols, _) = world.connected_user("carol").await;
    carol.send_text(&carols, "open other");
    world.homeserver.wait_event(&carols, says("You have 1 networks open, the most that this bridge")).await;
    admin.send_text(&control, "limits sessions_per_user off");
    world.homeserver.wait_event(&control, says("sessions_per_user 20 again, as it is built in.")).await;
    alice.send_text(&chat, "open other");
    world.homeserver.wait_event(&chat, says("Connecting to OtherNet")).await;
}

/// What a session has read at its start is another from then on, too.
#[tokio::test(flavor = "multi_thread")]
async fn how_many_lines_a_message_may_become_is_another_for_sessions_that_run() {
    let world = World::start().await;
    let (admin, control) = admin(&world).await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let paste: Vec<String> = (1..=20).map(|number| format!("line {number}")).collect();
    alice.send_text(&room, &paste.join("\n"));
    world.homeserver.wait_event(&room, says("it would be 20 lines on IRC")).await;
    admin.send_text(&control, "limits lines 30");
    world.homeserver.wait_event(&control, says("lines 30 from now on.")).await;
    alice.send_text(&room, &paste.join("\n"));
    bob.wait_text("line 20").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_delete_history_is_asked_first() {
    let world = World::start().await;
    let (admin, control) = admin(&world).await;
    admin.send_text(&control, "limits history 30d");
    world.homeserver.wait_event(&control, says("longer ago than 30d is deleted from the history")).await;
    admin.send_text(&control, "cancel");
    world
        .homeserver
        .wait_event(&control, says("Dropped, and nothing is done: what I asked about history."))
        .await;
    admin.send_text(&control, "limits history 60d");
    world.homeserver.wait_event(&control, says("longer ago than 60d")).await;
    admin.send_text(&control, "yes");
    world.homeserver.wait_event(&control, says("history 60d from now on.")).await;
    // Longer takes no question.
    admin.send_text(&control, "limits history 90d");
    world.homeserver.wait_event(&control, says("history 90d from now on.")).await;
}

/// Before, what an administrator had set was told as the configuration's.
#[rstest]
#[case::built_in("", None, "lines 5 (built in)")]
#[case::configured("limits: { lines: 9 }\n", None, "lines 9 (from this bridge's configuration)")]
#[case::set("", Some("limits lines 8"), "lines 8 (set by this bridge's administrator)")]
#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_how_many_lines_a_message_may_become_is_told(
    #[case] config: &str,
    #[case] typed: Option<&str>,
    #[case] shown: &str,
) {
    let world = World::builder().config(config).start().await;
    let (admin, control) = admin(&world).await;
    if let Some(typed) = typed {
        admin.send_text(&control, typed);
        world.homeserver.wait_event(&control, says("from now on.")).await;
    }
    admin.send_text(&control, "set lines");
    world.homeserver.wait_event(&control, says(shown)).await;
}
