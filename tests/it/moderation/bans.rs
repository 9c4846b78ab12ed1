//! Bans, quiets, and what stands in their lists.

use rstest::rstest;

use super::{a_guest_in_tea, ask, in_tea, like_inspircd, like_libera, plain, squeezed};
use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

/// What alice has sent to the server about modes with a sign.
fn changes(world: &World) -> Vec<String> {
    let lines = world.ircd.lines_from("alice").into_iter();
    lines.filter(|line| line.starts_with("MODE #tea ") && line.split(' ').count() > 3).collect()
}

#[rstest]
#[case::host_of_a_nick("!irc ban bob", "MODE #tea +b *!*@people.fake")]
#[case::mask("!irc ban evil.example.org", "MODE #tea +b *!*@evil.example.org")]
#[case::part_of_a_nick("!irc ban spam*", "MODE #tea +b spam*!*@*")]
#[case::extended("!irc ban $r:spam", "MODE #tea +b $r:spam")]
#[case::account("!irc ban bob account", "MODE #tea +b $a:bobby")]
#[case::several("!irc ban bob *!~x@*", "MODE #tea +bb *!*@people.fake *!~x@*")]
#[case::quiet("!irc quiet bob", "MODE #tea +q *!*@people.fake")]
#[case::quiet_account("!irc quiet bob account", "MODE #tea +q $a:bobby")]
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_is_about_the_host_or_what_is_said(#[case] typed: &str, #[case] line: &str) {
    let mut options = like_libera();
    options.accounts = vec![("bobby".into(), "secret".into())];
    let world = World::builder().ircd(options).start().await;
    let (alice, room, [bob, _]) = in_tea(&world).await;
    world.ircd.set_account("bob", "bobby");
    let told = ask(&world, &alice, &room, typed, "of #tea").await;
    assert!(told.body().starts_with("Among the "), "{}", told.body());
    assert_eq!(changes(&world), [line]);
    drop(bob);
}

#[rstest]
#[case::not_logged_in(
    "!irc ban carol account",
    "carol is not logged in. To ban their host, type !irc ban carol."
)]
#[case::nobody("!irc ban dave", "FakeNet knows no dave, and nothing was banned.")]
#[case::oneself("!irc ban alice", "alice is you.")]
#[case::nothing("!irc ban", "Type it like this: !irc ban [#CHANNEL] NICK|MASK… [account] [TIME [REASON]]")]
#[case::unban_of_nobody(
    "!irc unban dave",
    "None of the bans of #tea is about dave. To see them, type !irc bans."
)]
#[case::kickban_of_a_mask("!irc kickban *!*@x", "*!*@x is no nick")]
#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_banned_is_said(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, typed, answer).await;
    assert!(changes(&world).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_left_is_banned_by_the_host_that_they_had() {
    let world = World::start().await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    bob.quit("you can't catch me");
    world.ircd.wait_gone("bob").await;
    ask(&world, &alice, &room, "!irc ban bob", "Among the bans of #tea is now *!*@people.fake (bob).").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kickban_keeps_out_whom_it_puts_out() {
    let world = World::start().await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    let answer = "Among the bans of #tea is now *!*@people.fake (bob), and bob is out.";
    ask(&world, &alice, &room, "!irc kb bob no advertising", answer).await;
    bob.wait_heard(|one| one.command == "KICK" && one.text() == "no advertising").await;
    bob.raw_line("JOIN #tea");
    bob.wait_heard(|one| one.command == "474").await;
}

async fn banned_by_bob(world: &World) -> (TestUser, String) {
    let (alice, room, [bob, _carol]) = in_tea(world).await;
    ask(world, &alice, &room, "!irc op bob", "bob is an operator").await;
    bob.mode("#tea", "+b *!*@people.fake");
    bob.mode("#tea", "+b carol!*@*");
    bob.mode("#tea", "+b *!*@elsewhere.example");
    (alice, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_are_told_with_who_and_when_and_how_many_fit() {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room) = banned_by_bob(&world).await;
    let told = ask(&world, &alice, &room, "!irc bans", "#tea, bans: 3 of 3").await;
    let body = squeezed(told.body());
    assert!(
        body.contains("\n*!*@people.fake | bob | 20") && body.contains("\ncarol!*@* | bob | 20"),
        "{body}"
    );
    let refused = ask(&world, &alice, &room, "!irc ban x!*@*", "The list is full").await;
    assert!(refused.body().starts_with("FakeNet says: Channel list is full."), "{}", refused.body());
    ask(&world, &alice, &room, "!irc quiets", "#tea has no quiets.").await;
    ask(&world, &alice, &room, "!irc excepts", "#tea has no exceptions from bans.").await;
    ask(&world, &alice, &room, "!irc invites", "#tea has no standing invitations.").await;
}

#[rstest]
#[case::nick("!irc unban carol", "MODE #tea -bb *!*@people.fake carol!*@*")]
#[case::mask("!irc unban CAROL!*@*", "MODE #tea -b carol!*@*")]
#[case::host("!irc unban elsewhere.example", "MODE #tea -b *!*@elsewhere.example")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unban_takes_back_what_is_about_somebody(#[case] typed: &str, #[case] line: &str) {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room) = banned_by_bob(&world).await;
    ask(&world, &alice, &room, typed, "No longer among the bans of #tea: ").await;
    assert_eq!(changes(&world).last().unwrap(), line);
}

#[rstest]
#[case::a_list_of_its_own(like_libera(), "MODE #tea +q *!*@people.fake", "MODE #tea -q *!*@people.fake")]
#[case::a_kind_of_ban(like_inspircd(), "MODE #tea +b m:*!*@people.fake", "MODE #tea -b m:*!*@people.fake")]
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_is_what_the_network_has_for_it(
    #[case] options: ircd::Options,
    #[case] set: &str,
    #[case] taken_back: &str,
) {
    let world = World::builder().ircd(options).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc ban other.example", "Among the bans of #tea").await;
    ask(&world, &alice, &room, "!irc quiet bob", "Among the quiets of #tea is now *!*@people.fake (bob).")
        .await;
    let told = ask(&world, &alice, &room, "!irc quiets", "#tea, quiets: 1").await;
    assert!(squeezed(told.body()).contains("\n*!*@people.fake | alice | "), "{}", told.body());
    ask(&world, &alice, &room, "!irc unquiet bob", "No longer among the quiets of #tea: ").await;
    let changes = changes(&world);
    assert_eq!(changes[1..], [set, taken_back]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_network_lacks_a_list_it_says_what_to_do_instead() {
    let world = World::builder().ircd(plain()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc quiet bob", "FakeNet has no quiets. To silence people, make the").await;
    ask(&world, &alice, &room, "!irc excepts", "FakeNet has no exceptions from bans.").await;
    ask(&world, &alice, &room, "!irc invites", "FakeNet has no standing invitations.").await;
    world.ircd.set_account("bob", "bobby");
    ask(&world, &alice, &room, "!irc ban bob account", "FakeNet can't ban accounts.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_whose_connection_is_lost_meanwhile_is_answered() {
    let world = World::start().await;
    let (alice, room, _bob) = a_guest_in_tea(&world).await;
    world.ircd.mute("alice");
    alice.send_text(&room, "!irc ban bob");
    world.ircd.wait_line(|_, line| line.starts_with("WHOIS")).await;
    world.ircd.cut("alice");
    let words = "The connection was lost before the server had answered.";
    world.homeserver.wait_event(&room, |one| one.body().starts_with(words)).await;
}

/// Before, it waited still when the next connection was there, and the first answer of that was taken for its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_waits_for_an_answer_ends_when_the_store_fails() {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    world.ircd.mute("alice");
    alice.send_text(&room, "!irc ban bob");
    world.ircd.wait_line(|_, line| line == "WHOIS bob").await;
    let lose_lines = if world.database().bytes().is_some() {
        "CREATE TRIGGER lose_lines BEFORE INSERT ON irc_line BEGIN SELECT RAISE(ABORT, 'lost'); END"
    } else {
        "CREATE FUNCTION lose_lines() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'lost'; END $$;
         CREATE TRIGGER lose_lines BEFORE INSERT ON irc_line FOR EACH ROW EXECUTE FUNCTION lose_lines()"
    };
    world.database().execute(lose_lines).await;
    alice.send_text(&room, "this can't be stored");
    let told =
        |one: &Event| one.body().starts_with("The connection was lost before the server had answered.");
    world.homeserver.wait_event(&room, told).await;
    assert!(changes(&world).is_empty());
    drop(bob);
}
