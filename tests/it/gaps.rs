//! What was said while nobody was there: told where nobody kept it, fetched where somebody did.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::clock::now;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{self, Person};

mod fetching;

const GAP: &str = "chat.towline.gap";

/// Alice in `#rust` with Bob, and the room.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
    control: String,
}

async fn scene() -> Scene {
    scene_in(World::start().await).await
}

async fn scene_in(world: World) -> Scene {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&room, "before").await;
    Scene { world, alice, bob, room, control }
}

fn is_gap(event: &Event) -> bool {
    event.content[GAP].is_object()
}

/// The gaps of a room: from, to.
fn gaps(world: &World, room: &str) -> Vec<(u64, u64)> {
    let events = world.homeserver.events(room).into_iter().filter(is_gap);
    events
        .map(|event| {
            (event.content[GAP]["from"].as_u64().unwrap(), event.content[GAP]["to"].as_u64().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_a_notice_says_from_when_to_when_nothing_was_seen() {
    let Scene { world, alice, bob, room, .. } = scene().await;
    let before = world.homeserver.wait_message(&room, "before").await.ts;
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    bob.say("#rust", "missed");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    let notice = world.homeserver.wait_event(&room, is_gap).await;
    // What is said on IRC has the network's time, which may be a moment before we know that we are back.
    alice.send_text(&room, "and now");
    let after = world.homeserver.wait_message(&room, "and now").await.ts;
    assert_eq!(notice.content["msgtype"], "m.notice");
    assert!(notice.body().starts_with("Nothing was seen here from "), "{}", notice.body());
    assert!(notice.body().ends_with(" UTC: there was no connection to FakeNet."), "{}", notice.body());
    let [(from, to)] = gaps(&world, &room)[..] else { panic!("one gap") };
    assert!(from <= before && before <= to && to <= after, "{from} {before} {to} {after}");
    // It stands between what was said before and after.
    let bodies = world.homeserver.timeline_bodies(&room);
    let place = |text: &str| bodies.iter().position(|body| body.starts_with(text)).unwrap();
    assert!(place("before") < place("Nothing was seen") && place("Nothing was seen") < place("after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_gap_begins_when_the_server_was_last_heard() {
    let Scene { mut world, bob, room, .. } = scene().await;
    let before = world.homeserver.wait_message(&room, "before").await.ts;
    world.stop_bridge().await;
    let stopped = now();
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    let [(from, to)] = gaps(&world, &room)[..] else { panic!("one gap") };
    // It was heard of until it stopped, and a line may have been on its way for two seconds.
    assert!(from + 2_000 <= stopped && stopped <= to && to > before, "{from} {before} {stopped} {to}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_and_returns_has_missed_nothing_by_accident() {
    let Scene { world, alice, bob, room, control } = scene().await;
    alice.send_text(&control, "part #rust");
    world.ircd.wait_parted("#rust", "alice").await;
    alice.send_text(&control, "join #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    assert_eq!(gaps(&world, &room), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_was_told_is_not_told_again() {
    const HOUR: Duration = Duration::from_hours(1);
    let Scene { mut world, bob, room, .. } = scene().await;
    for round in 1..=2 {
        world.stop_bridge().await;
        // So much longer than a line may be on its way, on however slow a machine.
        world.clock.advance(HOUR);
        world.start_bridge().await;
        world.ircd.wait_joined("#rust", "alice").await;
        let text = format!("round {round}");
        bob.say("#rust", &text);
        world.homeserver.wait_message(&room, &text).await;
    }
    let [(_, first), (second, _)] = gaps(&world, &room)[..] else { panic!("two gaps") };
    let doubt = HOUR.as_millis() as u64 / 2;
    assert!(first < second + doubt, "{first} {second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bouncer_plays_back_is_shown_once_and_disturbs_nobody() {
    let Scene { world, bob, room, .. } = scene().await;
    let play = |second: u32, text: &str| {
        let tags = format!("@time=2026-01-02T03:04:{second:02}.000Z;batch=b");
        let line = format!("{tags} :bob!b@host PRIVMSG #rust :{text}\r\n");
        world.ircd.send_raw("alice", line.as_bytes());
    };
    for _ in 0..2 {
        world.ircd.send_raw("alice", b":fake.irc BATCH +b znc.in/playback #rust\r\n");
        [(5, "old"), (6, "for alice"), (7, "ha"), (7, "ha")]
            .into_iter()
            .for_each(|(second, text)| play(second, text));
        world.ircd.send_raw("alice", b":fake.irc BATCH -b\r\n");
    }
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    assert_eq!(world.homeserver.timeline_lines(&room), ["before", "old", "for alice", "ha", "ha", "after"]);
    let of = |text: &str| {
        let events = world.homeserver.events(&room).into_iter();
        events
            .filter(|event| event.body() == text)
            .map(|event| (event.content["msgtype"].clone(), event.ts))
            .next()
    };
    assert_eq!(of("old").unwrap(), ("m.notice".into(), 1_767_323_045_000));
    assert_eq!(of("for alice").unwrap().0, "m.text");
}

async fn scene_with_history() -> Scene {
    scene_in(World::builder().ircd(ircd::Options::with_history()).start().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_fetched_once_and_stands_before_what_comes_now() {
    let Scene { world, bob, room, .. } = scene_with_history().await;
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    // More than one answer holds.
    for number in 1..=120 {
        bob.say("#rust", &format!("missed {number}"));
    }
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    let missed = (1..=120).map(|number| format!("missed {number}"));
    let wanted: Vec<String> =
        ["before".to_owned()].into_iter().chain(missed).chain(["after".to_owned()]).collect();
    assert_eq!(world.homeserver.timeline_lines(&room), wanted);
    assert_eq!(gaps(&world, &room), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_what_was_missed_is_fetched_with_its_own_time() {
    let Scene { mut world, alice, bob, room, .. } = scene_with_history().await;
    alice.send_text(&room, "my own");
    bob.wait_text("my own").await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    bob.say("#rust", "missed");
    let said = world.homeserver.wait_message(&room, "before").await.ts;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    let after = world.homeserver.wait_message(&room, "after").await.ts;
    let missed = world.homeserver.wait_message(&room, "missed").await;
    assert!(said < missed.ts && missed.ts <= after, "{said} {} {after}", missed.ts);
    assert_eq!(missed.content["msgtype"], "m.text", "it is not old");
    assert_eq!(world.homeserver.timeline_lines(&room), ["before", "my own", "missed", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_began_while_nobody_was_there_gets_its_room() {
    let Scene { world, alice, bob, .. } = scene_with_history().await;
    // The server takes it for her, and she does not hear it.
    world.ircd.half_open("alice");
    bob.say("alice", "are you there?");
    world.ircd.cut("alice");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    let line = world.homeserver.wait_message(&room, "are you there?").await;
    // It is meant for her, however late it comes.
    assert_eq!(line.content["msgtype"], "m.text");
    bob.say("alice", "hello?");
    world.homeserver.wait_message(&room, "hello?").await;
    assert_eq!(world.homeserver.timeline_lines(&room), ["are you there?", "hello?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_lines_do_not_wait_for_ever_for_a_server_that_does_not_answer() {
    let Scene { world, bob, room, .. } = scene_with_history().await;
    world.ircd.stall_history(true);
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    let asked = world.ircd.wait_line_after(mark, |_, line| line.contains("CHATHISTORY AFTER #rust")).await;
    world.homeserver.wait_message(&room, "after").await;
    // The answer comes at last.
    let line = asked.line();
    let label = line.split_once(' ').map_or("", |(tags, _)| tags);
    for line in [
        &format!("{label} :fake.irc BATCH +h chathistory #rust"),
        "@batch=h;msgid=m1;time=2026-01-02T03:04:05.000Z :bob!b@host PRIVMSG #rust :missed",
        ":fake.irc BATCH -h",
    ] {
        world.ircd.send_raw("alice", format!("{line}\r\n").as_bytes());
    }
    world.homeserver.wait_message(&room, "missed").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert_eq!([&lines[0], &lines[1], &lines[3]], ["before", "after", "missed"]);
    assert!(lines[2].starts_with("Missed lines, said since "), "{}", lines[2]);
}

#[rstest::rstest]
#[case::that_keeps_history(true)]
#[case::that_does_not(false)]
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_missed_lines_when_the_connection_breaks_stands_behind_them_with_the_next_server(
    #[case] keeps_history: bool,
) {
    let Scene { world, alice, bob, room, control } = scene_with_history().await;
    world.ircd.stall_history(true);
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    bob.say("#rust", "missed");
    world.ircd.wait_line_after(mark, |_, line| line.contains("CHATHISTORY AFTER #rust")).await;
    bob.say("#rust", "live");
    // It reads in order: what it answers, it answers after that.
    world.ircd.send_line("alice", "PING :after-the-line");
    world.ircd.wait_line(|_, line| line.contains("after-the-line")).await;
    assert_eq!(world.homeserver.timeline_lines(&room), ["before"]);
    world.ircd.stall_history(false);
    if !keeps_history {
        world.ircd.forget_capability("draft/chathistory");
    }
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    let lines = world.homeserver.timeline_lines(&room);
    if keeps_history {
        assert_eq!(lines, ["before", "missed", "live", "after"]);
        assert_eq!(gaps(&world, &room), []);
    } else {
        assert_eq!([&lines[0], &lines[1], &lines[3]], ["before", "live", "after"]);
        assert_eq!(gaps(&world, &room).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_what_was_missed_goes_on_where_it_broke_off() {
    const PAGE: u32 = 50;
    let Scene { world, alice, room, control, .. } = scene_with_history().await;
    world.ircd.stall_history(true);
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "connect");
    let asked = world.ircd.wait_line_after(mark, |_, line| line.contains("CHATHISTORY AFTER #rust")).await;
    let line = asked.line();
    let label = line.split_once(' ').map_or("", |(tags, _)| tags);
    let mut page = format!("{label} :fake.irc BATCH +h chathistory #rust\r\n");
    for number in 1..=PAGE {
        page.push_str(&format!(
            "@batch=h;msgid=m{number};time=2026-01-02T03:{number:02}:05.000Z :bob!b@host PRIVMSG #rust :missed \
             {number}\r\n"
        ));
    }
    world.ircd.send_raw("alice", format!("{page}:fake.irc BATCH -h\r\n").as_bytes());
    world.ircd.wait_line_after(mark, |_, line| line.contains("CHATHISTORY AFTER #rust msgid=m50")).await;
    world.homeserver.wait_event(&room, |event| event.body().ends_with("missed 50")).await;
    // There is more, but the connection breaks.
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "connect");
    let asked = world.ircd.wait_line_after(mark, |_, line| line.contains("CHATHISTORY AFTER #rust")).await;
    assert!(asked.line().contains(" timestamp=2026-01-02T03:50:00.000Z "), "{}", asked.line());
}
