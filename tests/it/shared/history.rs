//! A shared room has one history: each line is there once, and whoever was in the room finds it.

use super::*;
use crate::support::ircd::Options;

/// Whether somebody finds a line.
async fn finds(talk: &Talk, nick: &str, words: &str) -> bool {
    let carols = nick == "carol";
    let user = if carols { &talk.carol } else { &talk.alice };
    let network = &talk.networks[usize::from(carols)];
    let before = talk.world.homeserver.event_count(network);
    user.send_text(network, &format!("search {words}"));
    let bot = talk.world.homeserver.bot();
    // Each event is looked at once.
    let seen = std::cell::Cell::new(0);
    let is_answer = |event: &Event| {
        seen.set(seen.get() + 1);
        seen.get() > before && event.sender == bot && event.body().contains(words)
    };
    let answer = talk.world.homeserver.wait_event(network, is_answer).await;
    !answer.body().starts_with("Nothing was found")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_shared_room_is_kept_once_and_found_by_those_who_were_there() {
    let talk = Talk::begin(world().start().await).await;
    let say = async |line: &str| {
        talk.bob.say("#tea", line);
        talk.world.homeserver.wait_message(&talk.room, line).await;
    };
    say("oolong for both").await;
    talk.alice.send_text(&talk.room, "sencha for all");
    talk.bob.wait_text("sencha for all").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
        for (words, is_found) in [("here", nick == "alice"), ("oolong", true), ("sencha", true)] {
            assert_eq!(finds(&talk, nick, words).await, is_found, "{nick} looks for {words}");
        }
    }
    let kept = "SELECT text FROM history WHERE text LIKE '%for both' OR text LIKE '%for all' ORDER BY id";
    assert_eq!(talk.world.database().texts(kept).await, ["oolong for both", "sencha for all"]);
    // What stood in their room while they were not connected is theirs to find, too; what is said when they have left is not.
    talk.carol.send_text(&talk.networks[1], "part #tea");
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    say("matcha without her").await;
    assert!(!finds(&talk, "carol", "matcha").await);
    assert!(finds(&talk, "alice", "matcha").await);
    assert!(finds(&talk, "carol", "oolong").await, "what she was there for stays hers");
}

/// Before each kept what they heard themselves, and found nothing of what stood in their room meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_stood_in_a_shared_room_while_somebody_in_it_was_not_connected_is_found_by_them() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.refuse();
    talk.world.ircd.cut("carol");
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not connected")).await;
    talk.bob.say("#tea", "lapsang meanwhile");
    talk.world.homeserver.wait_message(&talk.room, "lapsang meanwhile").await;
    assert!(finds(&talk, "carol", "lapsang").await);
}

/// The session that shows the channel knows by what it hears itself which line somebody answers.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_known_as_one_though_the_connection_of_whom_it_answers_hears_nothing() {
    let mut options = Options::with_history();
    options.capabilities.push("message-tags".to_owned());
    let talk = Talk::begin(world().ircd(options).start().await).await;
    talk.world.ircd.mute("carol");
    let asked = talk.carol.send_text(&talk.room, "who has the kettle?");
    talk.bob.wait_text("who has the kettle?").await;
    let msgid = talk.world.ircd.wait_msgid("who has the kettle?").await;
    talk.bob.raw_line(&format!("@+draft/reply={msgid} PRIVMSG #tea :dan has it"));
    let answer = talk.world.homeserver.wait_message(&talk.room, "dan has it").await;
    assert_eq!(answer.content["m.relates_to"]["m.in_reply_to"]["event_id"], asked.as_str());
}

/// What is answered is repeated to all, or named to them: nobody has what was said before they came said to them.
#[rstest]
#[case::in_words(&["message-tags"])]
#[case::by_a_tag(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_repeats_nothing_from_before_its_writer_came(#[case] lacks: &[&str]) {
    let talk = Talk::begin(world().ircd(Options::with_history().without(lacks)).start().await).await;
    let before = talk.world.homeserver.wait_message(&talk.room, "alice is here").await.event_id;
    talk.bob.say("#tea", "both are here");
    let since = talk.world.homeserver.wait_message(&talk.room, "both are here").await.event_id;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    let is_shown = async |user: &TestUser, to: &str, text: &str| {
        user.reply(&talk.room, to, text);
        let line = talk.world.ircd.wait_line(|_, line| line.ends_with(text)).await.line();
        line.contains("+draft/reply=") || !line.ends_with(&format!("PRIVMSG #tea :{text}"))
    };
    assert!(!is_shown(&talk.carol, &before, "is she?").await);
    assert!(is_shown(&talk.carol, &since, "we are").await);
    assert!(is_shown(&talk.alice, &before, "so I am").await);
}

#[rstest]
#[case::kicked(false)]
#[case::banned(true)]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_of_the_channel_finds_nothing_of_what_is_said_from_then_on(#[case] is_banned: bool) {
    let talk = Talk::begin(world().start().await).await;
    let say = async |line: &str| {
        talk.bob.say("#tea", line);
        talk.world.homeserver.wait_message(&talk.room, line).await;
    };
    say("oolong for both").await;
    talk.heard("carol").await;
    if is_banned {
        talk.bob.mode("#tea", "+b carol!*@*");
    }
    talk.bob.kick("#tea", "carol", "enough");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    say("matcha without her").await;
    assert!(!finds(&talk, "carol", "matcha").await);
    assert!(finds(&talk, "alice", "matcha").await);
    assert!(finds(&talk, "carol", "oolong").await, "what she was there for stays hers");
}
