//! The hard cases of fetching what was missed: many rooms at once, servers that have forgotten, that tell things as
//! talk, that look like bouncers; rooms whose history is not kept.

use super::*;

/// Waits for the request about a channel; the tags of its answer.
async fn asked(world: &World, mark: usize, channel: &str) -> String {
    let wanted = format!("CHATHISTORY AFTER {channel} ");
    let asked = world.ircd.wait_line_after(mark, |_, line| line.contains(&wanted)).await;
    asked.line().split_once(' ').map_or("", |(tags, _)| tags).to_owned()
}

/// Sends alice a page of `#rust`'s history: id and line of each.
fn send_page(world: &World, tags: &str, lines: &[(&str, &str)]) {
    let mut page = format!("{tags} :fake.irc BATCH +h chathistory #rust\r\n");
    for (number, (id, line)) in lines.iter().enumerate() {
        page.push_str(&format!("@batch=h;msgid={id};time=2026-01-02T03:04:{number:02}.000Z {line}\r\n"));
    }
    world.ircd.send_raw("alice", format!("{page}:fake.irc BATCH -h\r\n").as_bytes());
}

/// Reconnects alice to a server that answers no request by itself; the tags for the answer about `#rust`.
async fn reconnect_and_stall(scene: &Scene) -> String {
    let Scene { world, alice, control, .. } = scene;
    world.ircd.stall_history(true);
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    alice.send_text(control, "connect");
    asked(world, mark, "#rust").await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_channels_than_are_asked_for_at_a_time_are_all_fetched() {
    const CHANNELS: usize = 12;
    let Scene { world, alice, bob, control, .. } = scene_with_history().await;
    let mut rooms = Vec::new();
    for number in 0..CHANNELS {
        let channel = format!("#c{number}");
        bob.join(&channel);
        alice.send_text(&control, &format!("join {channel}"));
        let room = world.homeserver.wait_room_named(&format!("{channel} (FakeNet)")).await;
        bob.say(&channel, "before");
        world.homeserver.wait_message(&room, "before").await;
        rooms.push((channel, room));
    }
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    rooms.iter().for_each(|(channel, _)| bob.say(channel, "missed"));
    alice.send_text(&control, "connect");
    for (channel, room) in &rooms {
        world.homeserver.wait_message(room, "missed").await;
        assert_eq!(world.homeserver.timeline_lines(room), ["before", "missed"], "{channel}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_has_forgotten_is_told_as_a_gap_up_to_what_it_has() {
    let Scene { world, bob, room, .. } = scene_with_history().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    bob.say("#rust", "forgotten");
    world.ircd.drop_history();
    bob.say("#rust", "missed");
    world.ircd.welcome().await;
    let missed = world.homeserver.wait_message(&room, "missed").await.ts;
    let told = world.homeserver.wait_event(&room, is_gap).await;
    assert!(told.content[GAP]["to"].as_u64().unwrap() <= missed, "{told:?} {missed}");
    assert_eq!(gaps(&world, &room).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_zncs_capabilities_is_no_bouncer_and_its_gaps_are_told() {
    let mut options = ircd::Options::default();
    options.capabilities.extend(["znc.in/self-message".to_owned(), "znc.in/playback".to_owned()]);
    let Scene { world, bob, room, .. } = scene_in(World::builder().ircd(options).start().await).await;
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    assert_eq!(gaps(&world, &room).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_that_a_service_tells_as_talk_are_not_shown() {
    let scene = scene_with_history().await;
    let tags = reconnect_and_stall(&scene).await;
    let Scene { world, room, .. } = &scene;
    send_page(
        world,
        &tags,
        &[
            ("m1", ":HistServ!HistServ@localhost PRIVMSG #rust :bob joined the channel"),
            ("m2", ":bob!b@host PRIVMSG #rust :missed"),
        ],
    );
    world.homeserver.wait_message(room, "missed").await;
    let lines = world.homeserver.timeline_lines(room);
    assert!(!lines.iter().any(|line| line.contains("joined")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_kept_a_line_that_is_live_and_in_the_answer_is_shown_once() {
    let scene = scene_with_history().await;
    scene.alice.send_text(&scene.room, "!irc history keep off");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("kept")).await;
    let tags = reconnect_and_stall(&scene).await;
    let Scene { world, bob, room, .. } = &scene;
    world.ircd.wait_joined("#rust", "alice").await;
    world.ircd.send_raw("alice", b"@msgid=live :bob!b@host PRIVMSG #rust :live\r\n");
    let page = [("live", ":bob!b@host PRIVMSG #rust :live")];
    send_page(world, &tags, &page);
    bob.say("#rust", "after");
    world.homeserver.wait_message(room, "after").await;
    let lines = world.homeserver.timeline_lines(room);
    assert_eq!(lines.iter().filter(|line| *line == "live").count(), 1, "{lines:?}");
}
