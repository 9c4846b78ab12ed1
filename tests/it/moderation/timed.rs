//! Bans that end by themselves.

use std::time::Duration;

use rstest::rstest;

use super::{a_guest_in_tea, ask, in_tea, like_inspircd, like_libera, squeezed, tokens};
use crate::support::bridge::World;
use crate::support::ircd::{Options, Person};

const MINUTE: Duration = Duration::from_mins(1);

/// A world in which a clock that was put forward makes no command a late one.
async fn start(options: Options) -> World {
    World::builder().ircd(options).config("limits: { stale_after: 10d }\n").start().await
}

/// A network with a rank beside voice that lets nobody set bans.
fn with_a_rank_that_sets_no_bans() -> Options {
    let isupport = tokens("PREFIX=(oyv)@!+ CHANMODES=b,k,l,imnpst");
    Options { isupport, ..Options::default() }
}

/// What alice has sent to take something from a list of #tea.
fn taken_back(world: &World) -> Vec<String> {
    let lines = world.ircd.lines_from("alice").into_iter();
    lines.filter(|line| line.starts_with("MODE #tea -")).collect()
}

#[rstest]
#[case::ban(like_libera(), "!irc ban bob 30m", "!irc bans", "MODE #tea -b *!*@people.fake")]
#[case::mask(
    like_libera(),
    "!irc ban evil.example.org 30m",
    "!irc bans",
    "MODE #tea -b *!*@evil.example.org"
)]
#[case::kickban(like_libera(), "!irc kickban bob 30m", "!irc bans", "MODE #tea -b *!*@people.fake")]
#[case::quiet(like_libera(), "!irc quiet bob 30m", "!irc quiets", "MODE #tea -q *!*@people.fake")]
#[case::quiet_as_a_ban(
    like_inspircd(),
    "!irc quiet bob 30m",
    "!irc quiets",
    "MODE #tea -b m:*!*@people.fake"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_for_a_time_is_shown_with_it_and_taken_back_when_it_is_over(
    #[case] options: Options,
    #[case] typed: &str,
    #[case] list: &str,
    #[case] line: &str,
) {
    let world = start(options).await;
    let (alice, room, _people) = in_tea(&world).await;
    let set = ask(&world, &alice, &room, &format!("{typed} too loud"), "of #tea is now").await;
    assert!(set.body().contains(", for 30 minutes"), "{}", set.body());
    let shown = ask(&world, &alice, &room, list, "too loud").await;
    assert!(squeezed(shown.body()).contains("minutes (too loud)"), "{}", shown.body());
    world.pass("alice", 28 * MINUTE).await;
    assert!(taken_back(&world).is_empty());
    let mark = world.ircd.mark();
    world.clock.advance(2 * MINUTE);
    // The server wakes the session, whose clock stands still otherwise.
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    world.ircd.wait_line_after(mark, |_, sent| sent == line).await;
    ask(&world, &alice, &room, list, "#tea has no").await;
    // And no second time.
    world.pass("alice", 60 * MINUTE).await;
    assert_eq!(taken_back(&world), [line]);
}

/// Bob has made alice's channel his own: she is no operator when she comes back.
async fn over_while_away(world: &mut World, bob: &Person) {
    world.stop_bridge().await;
    world.clock.advance(60 * MINUTE);
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "welcome back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_ends_while_nobody_is_there_to_take_it_back_is_said_and_taken_back_by_who_becomes_operator()
 {
    let mut world = start(like_libera()).await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc op bob", "bob is an operator").await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    over_while_away(&mut world, &bob).await;
    world.homeserver.wait_message(&room, "welcome back").await;
    world.pass("alice", MINUTE).await;
    world.pass("alice", MINUTE).await;
    let told =
        "The time of *!*@evil.example.org among the bans of #tea is over, but you are no operator there.";
    world.homeserver.wait_event(&room, |event| event.body().starts_with(told)).await;
    let shown = ask(&world, &alice, &room, "!irc bans", "*!*@evil.example.org").await;
    assert!(shown.body().contains("as soon as I can take it back"), "{}", shown.body());
    assert!(taken_back(&world).is_empty());
    let mark = world.ircd.mark();
    bob.mode("#tea", "+v alice");
    bob.mode("#tea", "+o alice");
    world.ircd.wait_line_after(mark, |_, line| line == "MODE #tea -b *!*@evil.example.org").await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
    let events = world.homeserver.events(&room);
    assert_eq!(events.iter().filter(|event| event.body().starts_with(told)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_to_take_back_is_said_and_tried_again_with_another_rank() {
    let world = start(with_a_rank_that_sets_no_bans()).await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc op bob", "bob is an operator").await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    bob.mode("#tea", "+y alice");
    bob.mode("#tea", "-o alice");
    bob.say("#tea", "you are half of what you were");
    world.homeserver.wait_message(&room, "you are half of what you were").await;
    world.clock.advance(31 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    let told =
        "The time of *!*@evil.example.org among the bans of #tea is over, but FakeNet does not take it back";
    world.homeserver.wait_event(&room, |event| event.body().starts_with(told)).await;
    let mark = world.ircd.mark();
    bob.mode("#tea", "+o alice");
    world.ircd.wait_line_after(mark, |_, line| line == "MODE #tea -b *!*@evil.example.org").await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
}

#[rstest]
#[case::unban(Some("!irc unban evil.example.org"), "No longer among the bans")]
#[case::a_ban_without_a_time(None, "")]
#[case::taken_back_by_another(Some("bob"), "")]
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_stays_whose_time_was_taken_from_it(#[case] by: Option<&str>, #[case] answer: &str) {
    let world = start(like_libera()).await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc op bob", "bob is an operator").await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    match by {
        Some("bob") => {
            bob.mode("#tea", "-b *!*@evil.example.org");
            bob.say("#tea", "I have pardoned them");
            world.homeserver.wait_message(&room, "I have pardoned them").await;
        }
        Some(typed) => drop(ask(&world, &alice, &room, typed, answer).await),
        None => {}
    }
    ask(&world, &alice, &room, "!irc ban evil.example.org", "*!*@evil.example.org.").await;
    let before = taken_back(&world);
    world.pass("alice", 60 * MINUTE).await;
    bob.say("#tea", "an hour later");
    world.homeserver.wait_message(&room, "an hour later").await;
    assert_eq!(taken_back(&world), before);
    let shown = ask(&world, &alice, &room, "!irc bans", "*!*@evil.example.org").await;
    assert!(!shown.body().contains("ends"), "{}", shown.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_was_refused_has_no_time() {
    let world = start(like_libera()).await;
    let (alice, room, bob) = a_guest_in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", "FakeNet says: You're not").await;
    bob.mode("#tea", "+o alice");
    world.pass("alice", 60 * MINUTE).await;
    bob.say("#tea", "an hour later");
    world.homeserver.wait_message(&room, "an hour later").await;
    assert!(taken_back(&world).is_empty());
    assert!(world.database().texts("SELECT entry FROM timed_ban").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_none_is_refused_before_anything_is_set() {
    let world = start(like_libera()).await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban bob 10s", "10s is no time for a ban: that is from 1m to 365d.")
        .await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_bans_those_that_were_set_have_their_time_though_another_was_refused() {
    let world = start(like_libera()).await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban a.test b.test c.test d.test 30m", "The list is full").await;
    let mark = world.ircd.mark();
    world.clock.advance(31 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    for host in ["a", "b", "c"] {
        let line = format!("MODE #tea -b *!*@{host}.test");
        world.ircd.wait_line_after(mark, |_, sent| sent == line).await;
    }
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
    assert_eq!(taken_back(&world).len(), 3);
}

/// A network that answers each command by its label.
fn with_labels() -> Options {
    let mut options = like_libera();
    options.capabilities.extend(["batch", "echo-message", "labeled-response"].map(str::to_owned));
    options
}

/// Time goes by until a ban of half an hour is over, and the server does not answer that it is to be taken back.
async fn over_without_an_answer(world: &World) {
    world.ircd.ignore_modes(true);
    let mark = world.ircd.mark();
    world.clock.advance(31 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    world.ircd.wait_line_after(mark, |_, line| line.ends_with(LIFTED)).await;
    world.ircd.ignore_modes(false);
}

const LIFTED: &str = "MODE #tea -b *!*@evil.example.org";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_answer_is_taken_back_again() {
    let world = start(with_labels()).await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    over_without_an_answer(&world).await;
    let mark = world.ircd.mark();
    world.pass("alice", MINUTE).await;
    world.clock.advance(2 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    world.ircd.wait_line_after(mark, |_, line| line.ends_with(LIFTED)).await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_is_set_anew_while_it_is_taken_back_has_its_new_time() {
    let world = start(with_labels()).await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    over_without_an_answer(&world).await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 3h still", ", for 3 hours").await;
    let mark = world.ircd.mark();
    // What was to take it back is not waited for any more.
    world.pass("alice", MINUTE).await;
    world.pass("alice", 60 * MINUTE).await;
    let shown = ask(&world, &alice, &room, "!irc bans", "*!*@evil.example.org").await;
    assert!(squeezed(shown.body()).contains("minutes (still)"), "{}", shown.body());
    let since = world.ircd.lines().split_off(mark);
    assert!(!since.iter().any(|received| received.line().ends_with(LIFTED)), "{since:?}");
    world.clock.advance(120 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    world.ircd.wait_line_after(mark, |_, line| line.ends_with(LIFTED)).await;
}

/// Before, what was known of the earlier time was lost, or not followed any more.
#[rstest]
#[case::it_ends_by_itself(false)]
#[case::by_another(true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_without_a_time_that_is_refused_leaves_the_earlier_one_its_time(#[case] by_another: bool) {
    let world = start(like_libera()).await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc op bob", "bob is an operator").await;
    ask(&world, &alice, &room, "!irc ban evil.example.org 30m", ", for 30 minutes").await;
    bob.mode("#tea", "-o alice");
    bob.say("#tea", "you are no operator");
    world.homeserver.wait_message(&room, "you are no operator").await;
    ask(&world, &alice, &room, "!irc ban evil.example.org", "FakeNet says: You're not").await;
    if by_another {
        bob.mode("#tea", "-b *!*@evil.example.org");
    }
    bob.mode("#tea", "+o alice");
    bob.say("#tea", "now you are again");
    world.homeserver.wait_message(&room, "now you are again").await;
    let mark = world.ircd.mark();
    world.pass("alice", 31 * MINUTE).await;
    if by_another {
        assert!(taken_back(&world).is_empty());
        assert!(world.database().texts("SELECT entry FROM timed_ban").await.is_empty());
    } else {
        world.ircd.wait_line_after(mark, |_, line| line == LIFTED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_that_are_too_many_to_be_sent_have_no_time() {
    let world = start(like_libera()).await;
    let (alice, room, _people) = in_tea(&world).await;
    let guests: Vec<Person> = (0..20).map(|number| world.ircd.person(&format!("guest{number}"))).collect();
    guests.iter().for_each(|guest| guest.join("#tea"));
    guests[19].say("#tea", "all are here");
    world.homeserver.wait_message(&room, "all are here").await;
    let nicks: Vec<String> = guests.iter().map(Person::current_nick).collect();
    // One line for their host, and one for each of them.
    let typed = format!("!irc kickban {} 30m", nicks.join(","));
    ask(&world, &alice, &room, &typed, "That would take 21 lines to the server").await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
    assert!(world.database().texts("SELECT entry FROM timed_ban").await.is_empty());
}

/// Before, what was noted was forgotten with the connection, and the ban stood for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_whose_answer_was_lost_with_the_connection_is_taken_back_when_it_is_over() {
    let world = start(like_libera()).await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc op bob", "bob is an operator").await;
    world.ircd.mute("alice");
    let mark = world.ircd.mark();
    alice.send_text(&room, "!irc ban evil.example.org 30m");
    world.ircd.wait_line_after(mark, |_, line| line == "MODE #tea +b *!*@evil.example.org").await;
    world.ircd.cut("alice");
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN #tea")).await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.mode("#tea", "+o alice");
    bob.say("#tea", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    ask(&world, &alice, &room, "!irc bans", "*!*@evil.example.org").await;
    let mark = world.ircd.mark();
    world.clock.advance(31 * MINUTE);
    world.ircd.send_raw("alice", b"PING :wake\r\n");
    world.ircd.wait_line_after(mark, |_, line| line == LIFTED).await;
    ask(&world, &alice, &room, "!irc bans", "#tea has no bans.").await;
}
