//! Netsplits: one line, and the ghosts stay.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::Event;

const SERVERS: &str = "irc.a.net hub.b.net";
const BOB: &str = "@irc_fake_bob:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_a_netsplit_is_a_line_and_moves_no_ghost_until_an_hour_has_passed() {
    let world = World::start().await;
    let nicks: Vec<String> = (0..30).map(|n| format!("user{n:02}")).chain(["bob".into()]).collect();
    let nicks: Vec<&str> = nicks.iter().map(String::as_str).collect();
    let people: Vec<_> = nicks.iter().map(|nick| world.ircd.person(nick)).collect();
    people.iter().for_each(|person| person.join("#rust"));
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    let say = |text: &str| people.iter().for_each(|person| person.say("#rust", text));
    say("hello");
    for nick in &nicks {
        world.homeserver.wait_member(&room, &format!("@irc_fake_{nick}:test.local"), "join").await;
    }
    // They come without a word, too: what the last of them said is there when all of it was read.
    world.homeserver.wait_event(&room, |event| event.sender == BOB && says("hello")(event)).await;
    world.homeserver.wait_delivered().await;
    world.wait_outbox_empty().await;
    let memberships = || {
        let events = world.homeserver.events(&room).into_iter();
        events.filter(|event| event.kind == "m.room.member").count()
    };
    let before = memberships();

    world.ircd.split(&nicks, SERVERS);
    world.ircd.wait_gone("bob").await;
    world.pass("alice", Duration::ZERO).await;
    world.pass("alice", Duration::from_secs(15)).await;
    let told = world.homeserver.wait_event(&room, says("have lost each other")).await;
    assert!(told.body().contains("and 26 others are gone"), "{}", told.body());
    assert_eq!(told.content["msgtype"], "m.notice");
    assert_eq!(memberships(), before);

    let people: Vec<_> = nicks.iter().map(|nick| world.ircd.person(nick)).collect();
    people.iter().for_each(|person| person.join("#rust"));
    let told = world.homeserver.wait_event(&room, says("are back")).await;
    assert!(told.body().ends_with("Everybody is here again."), "{}", told.body());
    people.last().unwrap().say("#rust", "here I am");
    world.homeserver.wait_message(&room, "here I am").await;
    assert_eq!(memberships(), before);

    world.ircd.split(&["bob"], SERVERS);
    world.pass("alice", Duration::ZERO).await;
    world.pass("alice", Duration::from_mins(50)).await;
    world.homeserver.wait_event(&room, says("bob is gone")).await;
    assert_eq!(memberships(), before);
    world.pass("alice", Duration::from_mins(11)).await;
    world.homeserver.wait_member(&room, BOB, "leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_under_another_nick_and_takes_their_own_is_back() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_member(&room, BOB, "join").await;
    world.ircd.split(&["bob"], SERVERS);
    world.ircd.wait_gone("bob").await;
    world.pass("alice", Duration::ZERO).await;
    world.pass("alice", Duration::from_secs(15)).await;
    world.homeserver.wait_event(&room, says("bob is gone")).await;

    let back = world.ircd.person("bob_");
    back.join("#rust");
    back.nick("bob");
    let told = world.homeserver.wait_event(&room, says("bob is back")).await;
    assert!(told.body().ends_with("Everybody is here again."), "{}", told.body());
    world.pass("alice", Duration::from_mins(61)).await;
    back.say("#rust", "an hour later");
    world.homeserver.wait_message(&room, "an hour later").await;
    let left = world.homeserver.events(&room).into_iter().filter(|event| {
        event.kind == "m.room.member"
            && event.state_key.as_deref() == Some(BOB)
            && event.content["membership"] == "leave"
    });
    assert_eq!(left.count(), 0);
}
