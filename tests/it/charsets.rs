//! Charsets besides UTF-8: chosen by the user, in both directions, and names that come and go as the same bytes.

use encoding_rs::KOI8_R;
use proptest::prelude::*;
use rstest::rstest;
use towline::format::{Limit, split_line};
use towline::irc::charset::{Charset, as_written, length};

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ircd::{Options, Person, text_of};

/// What the ircd takes for a text in KOI8-R.
fn koi8(text: &str) -> String {
    text_of(&KOI8_R.encode(text).0)
}

async fn alice_and_bob(options: Options) -> (World, TestUser, Person, String) {
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

fn echoes() -> Options {
    let mut options = Options::default();
    options.capabilities.push("echo-message".to_owned());
    options
}

#[rstest]
#[case::answered_by_a_ping(Options::default())]
#[case::echoed(echoes())]
#[case::labelled(Options::with_history())]
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_in_koi8_r_is_read_and_written_in_it(#[case] options: Options) {
    let (mut world, alice, bob, room) = alice_and_bob(options).await;
    alice.send_text(&room, "!irc charset koi8-r");
    world
        .homeserver
        .wait_message(&room, "#rust: KOI8-R is written, and what is not UTF-8 is read as KOI8-R.")
        .await;
    bob.say("#rust", &koi8("привет"));
    world.homeserver.wait_message(&room, "привет").await;
    bob.say("#rust", "и в UTF-8");
    world.homeserver.wait_message(&room, "и в UTF-8").await;
    let event = alice.send_text(&room, "да 👋 日");
    bob.wait_text(&koi8("да ? ?")).await;
    let lost = "Of your message 2 characters are not in KOI8-R and became ?. To write UTF-8 here, type !irc \
                charset utf-8.";
    let told = world.homeserver.wait_message(&room, lost).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;

    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    let event = alice.send_text(&room, "снова");
    bob.wait_text(&koi8("снова")).await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    // Its bytes are UTF-8, too.
    let event = alice.send_text(&room, "её");
    bob.wait_text("ţ").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    // Nothing of it passes for something that was said elsewhere.
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "the end").await;
    let bodies = world.homeserver.timeline_bodies(&room);
    let own: Vec<_> = bodies
        .iter()
        .filter(|body| ["да 👋 日", "да ? ?", "снова", "её", "ţ"].contains(&body.as_str()))
        .collect();
    assert_eq!(own, ["да 👋 日", "снова", "её"]);
    let kept = world.database().texts("SELECT text FROM history WHERE direction = 'out' ORDER BY id").await;
    assert_eq!(kept, ["да ? ?", "снова", "её"], "what the others saw");

    alice.send_text(&room, "!irc charset koi8-r read");
    world
        .homeserver
        .wait_message(&room, "#rust: UTF-8 is written, and what is not UTF-8 is read as KOI8-R.")
        .await;
    alice.send_text(&room, "по-новому");
    bob.wait_text("по-новому").await;
    alice.send_text(&room, "!irc charset off");
    world
        .homeserver
        .wait_message(&room, "#rust: UTF-8 is written, and what is not UTF-8 is read as windows-1252.")
        .await;
    bob.say("#rust", &text_of(b"caf\xe9"));
    world.homeserver.wait_message(&room, "café").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_counts_as_the_bytes_that_it_has_on_the_wire() {
    let (world, alice, bob, room) = alice_and_bob(Options::default()).await;
    let text = "слово ".repeat(65) + "конец";
    alice.send_text(&room, &text);
    bob.wait_message(|one| one.text().ends_with("конец")).await;
    let lines = || bob.messages("#rust").len();
    assert_eq!(lines(), 2);
    alice.send_text(&room, "!irc charset koi8-r");
    world.homeserver.wait_event(&room, |event| event.body().contains("KOI8-R is written")).await;
    alice.send_text(&room, &text);
    bob.wait_text(&koi8(&text)).await;
    assert_eq!(lines(), 3);
    let longest = world.ircd.lines().iter().map(|line| line.bytes.len()).max();
    assert!(longest < Some(510), "{longest:?}");
}

/// Alice in #rust, whose network takes few lines at once.
async fn slowly(command: &str) -> (World, TestUser, Person, String) {
    let world = World::builder().ircd(echoes()).flood("{ burst: 2, interval_ms: 300 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, command);
    world.homeserver.wait_event(&control, |event| event.body().starts_with("#rust: ")).await;
    (world, alice, bob, room)
}

/// Each fits in KOI8-R, and is two of UTF-8.
fn long_lines() -> Vec<String> {
    let mut lines: Vec<String> = (0..6).map(|number| format!("{number} {}.", "слово ".repeat(60))).collect();
    lines[5] = lines[5].replace(" .", " конец.");
    lines
}

/// What bob has heard, and what history has, both without spaces, when he has heard this.
async fn all_until(world: &World, bob: &Person, last: &str) -> (String, String) {
    bob.wait_message(|one| one.text().ends_with(last)).await;
    world.ircd.send_line("alice", "NOTICE alice :all of it");
    let network = world.homeserver.wait_room_named("FakeNet").await;
    world.homeserver.wait_event(&network, |event| event.body().contains("all of it")).await;
    let heard: String = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    let kept = world.database().texts("SELECT text FROM history WHERE direction = 'out' ORDER BY id").await;
    (heard.replace(' ', ""), kept.concat().replace(' ', ""))
}

#[rstest]
#[case::said("m.text")]
#[case::done("m.emote")]
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_cut_anew_where_it_becomes_longer(#[case] kind: &str) {
    let (world, alice, bob, room) = slowly("charset #rust koi8-r").await;
    let lines = long_lines();
    let content = serde_json::json!({ "msgtype": kind, "body": lines.join("\n") });
    alice.send(&room, "m.room.message", content);
    bob.wait_message(|one| one.target() == "#rust").await;
    alice.send_text(&room, "!irc charset utf-8");
    let last = if kind == "m.text" { "конец." } else { "конец.\u{1}" };
    let (heard, kept) = all_until(&world, &bob, last).await;
    let strip = |text: &str| text.replace("\u{1}ACTION", "").replace('\u{1}', "");
    let said = lines.concat().replace(' ', "");
    assert_eq!(kept, said);
    // What had left before is in KOI8-R, and the last of it is not cut.
    let heard = strip(&heard);
    assert!(heard.ends_with(&lines[5].replace(' ', "")), "{heard}");
    assert_eq!(heard.matches('.').count(), 6, "nothing is lost and nothing is doubled: {heard}");
    let longest = world.ircd.lines().iter().map(|line| line.bytes.len()).max();
    assert!(longest < Some(510), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_loses_letters_by_another_charset_is_told_of_and_shown_once() {
    let (world, alice, bob, room) = slowly("charset #rust utf-8").await;
    let lines: Vec<String> = (0..6).map(|number| format!("да {number} 👋")).collect();
    let event = alice.send_text(&room, &lines.join("\n"));
    bob.wait_text("да 0 👋").await;
    alice.send_text(&room, "!irc charset koi8-r");
    let told = world.homeserver.wait_event(&room, |event| event.body().contains("became ?")).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event);
    let (_, kept) = all_until(&world, &bob, &koi8("да 5 ?")).await;
    assert!(kept.ends_with("да5?") && kept.matches("да").count() == 6, "{kept}");
    let bodies = world.homeserver.timeline_bodies(&room);
    let own = bodies.iter().filter(|body| body.starts_with("да")).count();
    assert_eq!(own, 1, "nothing passes for something that was said elsewhere: {bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_in_utf_8_when_the_server_takes_nothing_else_any_more() {
    let (world, alice, bob, room) = slowly("charset #rust koi8-r").await;
    let lines = long_lines();
    alice.send_text(&room, &lines.join("\n"));
    bob.wait_message(|one| one.target() == "#rust").await;
    world.ircd.send_line("alice", "005 alice UTF8ONLY :are supported by this server");
    let network = world.homeserver.wait_room_named("FakeNet").await;
    let told = |body: &str| body.contains("FakeNet takes nothing but UTF-8: what you say is written so");
    world.homeserver.wait_event(&network, |event| told(event.body())).await;
    let (heard, kept) = all_until(&world, &bob, "конец.").await;
    assert_eq!(kept, lines.concat().replace(' ', ""));
    assert!(heard.ends_with(&lines[5].replace(' ', "")), "{heard}");
    let longest = world.ircd.lines().iter().map(|line| line.bytes.len()).max();
    assert!(longest < Some(510), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_in_koi8_r_is_read_and_written_in_it() {
    let world = World::builder().ircd(Options::with_history()).start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    let bob = world.ircd.person("bob");
    bob.say("alice", "hello");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    alice.send_text(&control, "charset bob koi8-r");
    world.homeserver.wait_event(&control, |event| event.body().starts_with("bob: KOI8-R is written")).await;
    bob.say("alice", &koi8("привет"));
    world.homeserver.wait_message(&room, "привет").await;
    alice.send_text(&room, "да");
    bob.wait_text(&koi8("да")).await;
    alice.send_text(&control, "msg bob это 👋");
    bob.wait_text(&koi8("это ?")).await;
    world
        .homeserver
        .wait_message(&control, "Sent to bob. But one character is not in KOI8-R and became ?.")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_name_is_no_utf_8_is_entered_by_the_bytes_that_it_has() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let (mail, news) = (koi8("#почта"), koi8("#новости"));
    bob.join(&mail);
    bob.join(&news);
    world.ircd.forward("#post", &mail);
    let (alice, control, _) = world.connected_user("alice").await;
    // The server leads there, and nobody has chosen anything but how to read.
    alice.send_text(&control, "charset koi8-r read");
    world
        .homeserver
        .wait_event(&control, |event| event.body().starts_with("FakeNet: UTF-8 is written"))
        .await;
    alice.send_text(&control, "join #post");
    world.ircd.wait_joined(&mail, "alice").await;
    let room = world.homeserver.wait_room_named("#почта (FakeNet)").await;
    alice.join(&room).await;
    alice.send_text(&room, "да");
    bob.wait_message(|one| one.target() == mail && one.text() == "да").await;
    // A name that was never seen is written as was chosen.
    alice.send_text(&control, "charset koi8-r");
    world
        .homeserver
        .wait_event(&control, |event| event.body().starts_with("FakeNet: KOI8-R is written"))
        .await;
    alice.send_text(&control, "join #новости");
    world.ircd.wait_joined(&news, "alice").await;
    alice.send_text(&control, "charset off");
    world.homeserver.wait_event(&control, |event| event.body().contains("read as windows-1252")).await;

    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_joined(&mail, "alice").await;
    world.ircd.wait_joined(&news, "alice").await;
    let lines = world.ircd.lines().split_off(mark);
    let joins: Vec<_> = lines.iter().filter(|line| line.bytes.starts_with(b"JOIN ")).collect();
    let wanted = [&b"JOIN "[..], &KOI8_R.encode("#новости,#почта").0, b",#post"].concat();
    assert_eq!(joins.iter().map(|line| &line.bytes).collect::<Vec<_>>(), [&wanted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_only_utf_8_gets_nothing_else() {
    let mut options = Options::with_history();
    options.isupport.push("UTF8ONLY".to_owned());
    let (mut world, alice, bob, room) = alice_and_bob(options).await;
    alice.send_text(&room, "!irc charset koi8-r");
    let answer = "#rust: KOI8-R is written, and what is not UTF-8 is read as KOI8-R. But FakeNet takes nothing but \
                  UTF-8, so UTF-8 is written.";
    world.homeserver.wait_message(&room, answer).await;
    alice.send_text(&room, "да 👋");
    bob.wait_text("да 👋").await;
    world
        .ircd
        .send_raw("alice", &[b":bob!b@h PRIVMSG #rust :", &KOI8_R.encode("привет").0[..], b"\r\n"].concat());
    world.homeserver.wait_message(&room, "привет").await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    let told = |body: &str| body.contains("FakeNet takes nothing but UTF-8: what you say is written so");
    world.homeserver.wait_event(&network, |event| told(event.body())).await;
}

proptest! {
    #[test]
    fn pieces_fit_in_every_charset_and_none_divides_a_character(
        text in "(日本語|привет|é|ｱ|👋|안녕|[a-z ]|\u{2}|\u{f}|\u{3}0[0-9]){1,80}",
        label in prop::sample::select(vec![
            "utf-8", "koi8-r", "windows-1251", "iso-8859-15", "iso-2022-jp", "shift_jis", "euc-kr", "big5", "gb18030",
        ]),
        bytes in 40_usize..90,
    ) {
        let encoding = label.parse::<Charset>().unwrap().encoding();
        let (text, _) = as_written(encoding, &text);
        let pieces = split_line(&text, &Limit::new(bytes, move |text| length(encoding, text)));
        for piece in &pieces {
            prop_assert!(length(encoding, piece) <= bytes, "{piece:?}");
            prop_assert_eq!(as_written(encoding, piece), (piece.clone(), 0), "it is read as it was meant");
        }
        let visible = |text: &str| towline::format::strip_irc(text).replace(' ', "");
        prop_assert_eq!(pieces.iter().map(|piece| visible(piece)).collect::<String>(), visible(&text));
    }
}

#[rstest]
#[case::utf_16("charset utf-16", "UTF-16LE can't stand in a line of IRC.")]
#[case::unknown(
    "charset koi7",
    "koi7 is neither a charset that I know nor a conversation of yours on FakeNet."
)]
#[case::unknown_in_a_channel(
    "charset #rust koi7",
    "koi7 is no charset that is known; usual are utf-8, iso-8859-15, windows-1251, koi8-r and iso-2022-jp."
)]
#[case::nowhere(
    "charset #go koi8-r",
    "#go is neither a charset that I know nor a conversation of yours on FakeNet."
)]
#[case::shown("charset", "FakeNet: UTF-8 is written, and what is not UTF-8 is read as windows-1252.")]
#[case::shown_for_a_channel(
    "charset #rust",
    "#rust: UTF-8 is written, and what is not UTF-8 is read as windows-1252."
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_charsets_is_answered(#[case] command: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, command);
    world.homeserver.wait_message(&control, answer).await;
}
