//! A room's outbox has a bound: beyond it lines go to the history only, and one event stands for them.

use super::Talk;
use crate::support::bridge::World;
use crate::support::ircd::Options;

async fn small_talk() -> Talk {
    Talk::begin_in(World::builder().config("limits: { outbox: 100 }\n").start().await).await
}

/// The notices that stand for lines of a room, each with its place in the timeline and its number.
fn notices(talk: &Talk) -> Vec<(usize, i64)> {
    let lines = talk.world.homeserver.timeline_by_line(&talk.room).into_iter().enumerate();
    let notices = lines.filter(|(_, (sender, line))| {
        *sender == talk.world.homeserver.bot() && line.contains("not shown here")
    });
    notices.map(|(place, (_, line))| (place, line.split(' ').next().unwrap().parse().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bound_lines_go_to_the_history_and_notices_say_how_many() {
    let talk = small_talk().await;
    talk.bob.say("alice", "psst 0");
    let query = talk.world.homeserver.wait_invite(talk.alice.id()).await;
    talk.world.homeserver.wait_message(&query, "psst 0").await;
    talk.world.wait_outbox_empty().await;
    talk.hold_back("first", || {
        talk.say("line", 200);
        talk.bob.say("#rust", "alice: look");
        talk.say("more", 50);
        (1..150).for_each(|number| talk.bob.say("alice", &format!("psst {number}")));
    })
    .await;
    // What waits is what the bound allows, what is never folded, and what stands for the rest.
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM outbox JOIN room ON room.id = outbox.room
        WHERE state = 'queued' AND room.kind = 'private'";
    assert_eq!(talk.world.database().texts(waiting).await, ["102"]);
    talk.world.homeserver.faults().clear();
    talk.world.homeserver.wait_message(&talk.room, "alice: look").await;
    let is_last = |body: &str| body.starts_with("50 lines ") && body.contains("type !irc history 200");
    talk.world.homeserver.wait_event(&talk.room, |event| is_last(event.body())).await;
    let lines = talk.world.homeserver.timeline_lines(&talk.room);
    let start = lines.iter().position(|line| line == "first").unwrap();
    let shown: Vec<&str> = lines[start + 1..].iter().map(String::as_str).collect();
    let wanted: Vec<String> = (0..99).map(|number| format!("line {number}")).collect();
    assert_eq!(shown[..99], wanted.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(shown[99].starts_with("101 lines from "), "{}", shown[99]);
    assert_eq!(shown[100], "alice: look");
    assert_eq!(notices(&talk), [(start + 100, 101), (start + 102, 50)]);
    // To one alone everything is said.
    talk.world.homeserver.wait_message(&query, "psst 149").await;
    let said = talk.world.homeserver.timeline_lines(&query);
    assert_eq!(said, (0..150).map(|number| format!("psst {number}")).collect::<Vec<_>>());
    // The history has them all, and what comes now is shown.
    let kept = "SELECT text FROM history WHERE text LIKE 'line %' OR text LIKE 'more %' ORDER BY id";
    let said: Vec<String> =
        (0..200).map(|n| format!("line {n}")).chain((0..50).map(|n| format!("more {n}"))).collect();
    assert_eq!(talk.world.database().texts(kept).await, said);
    talk.bob.say("#rust", "and now");
    talk.world.homeserver.wait_message(&talk.room, "and now").await;
}

/// Before, the notice sent people to a history that did not have the lines.
#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_folded_and_not_kept_are_not_said_to_be_in_the_history() {
    let talk = small_talk().await;
    talk.alice.send_text(&talk.room, "!irc history keep off");
    let is_answer = |body: &str| body.contains("is kept from now on");
    talk.world.homeserver.wait_event(&talk.room, |event| is_answer(event.body())).await;
    talk.hold_back("first", || talk.say("line", 150)).await;
    talk.world.homeserver.faults().clear();
    let notice =
        talk.world.homeserver.wait_event(&talk.room, |event| event.body().contains("not shown")).await;
    let told = notice.body();
    assert!(told.starts_with("51 lines ") && told.ends_with("They are not in the history either."), "{told}");
    // From here on they are kept again, and of those the notice tells where they are.
    talk.alice.send_text(&talk.room, "!irc history keep forever");
    let is_answer = |body: &str| body.contains("is kept for ever from now on");
    talk.world.homeserver.wait_event(&talk.room, |event| is_answer(event.body())).await;
    talk.hold_back("second", || talk.say("more", 150)).await;
    talk.world.homeserver.faults().clear();
    let is_second = |body: &str| body.starts_with("51 lines ") && body.contains("They are in the history");
    talk.world.homeserver.wait_event(&talk.room, |event| is_second(event.body())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_folded_is_told_after_a_restart() {
    let mut talk = small_talk().await;
    talk.hold_back("first", || talk.say("line", 150)).await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.heard("line", 99).await;
    talk.world.homeserver.wait_event(&talk.room, |event| event.body().starts_with("51 lines ")).await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(notices(&talk).len(), 1);
}

/// Before, each of them had its place, and took those of lines.
#[tokio::test(flavor = "multi_thread")]
async fn reactions_never_fill_a_room() {
    let world = World::builder().config("limits: { outbox: 100 }\n").ircd(Options::with_history());
    let talk = Talk::begin_in(world.start().await).await;
    talk.world.wait_outbox_empty().await;
    let msgid = talk.world.ircd.wait_msgid("hello").await;
    talk.hold_back("first", || {
        for _ in 0..100 {
            talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/react=x TAGMSG #rust"));
            talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/unreact=x TAGMSG #rust"));
        }
        (0..100).for_each(|number| {
            talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/react=x{number} TAGMSG #rust"));
        });
        talk.say("line", 40);
    })
    .await;
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM outbox JOIN room ON room.id = outbox.room
        WHERE state = 'queued' AND room.kind = 'private' AND outbox.kind <> 'message'";
    let waiting: usize = talk.world.database().texts(waiting).await[0].parse().unwrap();
    assert!((40..=51).contains(&waiting), "{waiting}");
    talk.world.homeserver.faults().clear();
    talk.heard("line", 40).await;
    assert_eq!(notices(&talk), []);
}
