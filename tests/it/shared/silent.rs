//! Connections that hear less than others, while nothing says so.

use super::*;
use crate::support::bridge::ask;

/// A little more than is waited for.
const MOMENT: Duration = Duration::from_secs(6);
/// Longer than whoever shows a channel has it whatever others hear.
const LONG: Duration = Duration::from_mins(5);

/// Whether what an observer asks of their server is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers,
    Hangs,
}

impl Talk {
    /// One has heard what the other, who shows the channel, has not: that is noticed, and whoever shows it is asked.
    async fn compare(&self, [who, observer]: [&str; 2], server: Server) {
        let mark = self.world.ircd.mark();
        self.heard(who).await;
        self.world.pass(who, MOMENT).await;
        let probe = |nick: &str, line: &str| nick == observer && line.starts_with("PING");
        self.world.ircd.wait_line_after(mark, probe).await;
        if server == Server::Answers {
            // What has come to the server was answered in time.
            self.world.pass(observer, Duration::ZERO).await;
        }
        self.world.pass(who, MOMENT).await;
    }

    /// How often something is in the room.
    fn count(&self, line: &str) -> usize {
        self.lines(&[line]).len()
    }
}

/// Who hears what the other does not shows it, and nothing is shown twice when the other one hears again.
async fn is_shown_once_by_another(talk: &Talk, server: Server, end: impl AsyncFnOnce()) {
    talk.bob.say("#tea", "unheard");
    talk.compare(["carol", "alice"], server).await;
    talk.world.homeserver.wait_message(&talk.room, "unheard").await;
    talk.bob.say("#tea", "heard by carol");
    talk.world.homeserver.wait_message(&talk.room, "heard by carol").await;
    end().await;
    talk.dan.say("#tea", "heard by both");
    talk.world.homeserver.wait_message(&talk.room, "heard by both").await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
        talk.world.pass(nick, MOMENT).await;
        talk.world.pass(nick, MOMENT).await;
    }
    talk.world.wait_outbox_empty().await;
    let said = ["unheard", "heard by carol", "heard by both"];
    let lines: Vec<String> = talk.lines(&said).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, said);
    // Nobody had to be thrown out for that.
    for nick in ["alice", "carol"] {
        assert!(talk.world.ircd.names("#tea").contains(&nick.to_owned()), "{nick} is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_shows_no_channel_any_more_and_nothing_twice_when_it_wakes_up() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.mute("alice");
    is_shown_once_by_another(&talk, Server::Hangs, async || talk.world.ircd.unmute("alice")).await;
}

/// Before, the room stayed silent for everybody, for as long as one of them was.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1564_one_who_is_deaf_on_irc_keeps_no_line_from_the_others() {
    let talk = Talk::begin(world().start().await).await;
    let (alice, network) = (&talk.alice, &talk.networks[0]);
    ask(&talk.world, alice, network, "umode +D", "Your modes on FakeNet").await;
    let hears_again =
        async || drop(ask(&talk.world, alice, network, "umode -D", "Your modes on FakeNet").await);
    is_shown_once_by_another(&talk, Server::Answers, hears_again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_each_hears_what_the_other_does_not_the_channel_changes_hands_once_in_a_while() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.silence("alice", "bob");
    talk.world.ircd.silence("carol", "dan");
    talk.bob.say("#tea", "from bob");
    talk.compare(["carol", "alice"], Server::Answers).await;
    talk.world.homeserver.wait_message(&talk.room, "from bob").await;
    talk.dan.say("#tea", "from dan");
    talk.compare(["alice", "carol"], Server::Answers).await;
    // She was asked, and keeps it for now.
    talk.world.pass("carol", Duration::ZERO).await;
    talk.bob.say("#tea", "more from bob");
    talk.world.homeserver.wait_message(&talk.room, "more from bob").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.count("from dan"), 0);
    talk.world.pass("carol", LONG).await;
    talk.world.pass("alice", MOMENT).await;
    talk.world.homeserver.wait_message(&talk.room, "from dan").await;
    talk.heard("carol").await;
    talk.heard("alice").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(["from bob", "from dan", "more from bob"].map(|line| talk.count(line)), [1, 1, 1]);
}

/// Before, what fell out of the ring was gone without a word.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_and_is_not_kept_before_it_could_be_shown_is_told() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.silence("alice", "bob");
    talk.bob.say("#tea", "from bob");
    talk.compare(["carol", "alice"], Server::Answers).await;
    talk.world.homeserver.wait_message(&talk.room, "from bob").await;
    // Carol shows the channel from now on, for a while, whatever alice hears.
    talk.world.ircd.silence("carol", "dan");
    let said: Vec<String> = (0..510).map(|number| format!("line {number}")).collect();
    said.iter().for_each(|line| talk.dan.say("#tea", line));
    talk.heard("alice").await;
    talk.carol.send_text(&talk.networks[1], "disconnect");
    talk.world.homeserver.wait_event(&talk.room, |event| event.says("line 509")).await;
    talk.world.wait_outbox_empty().await;
    let mut shown = talk.world.homeserver.timeline_lines(&talk.room);
    let told = shown.iter().filter(|line| line.starts_with("Not all is here that was said from ")).count();
    shown.retain(|line| line.starts_with("line "));
    assert_eq!((shown.as_slice(), told), (&said[10..], 1));
}

/// Before, who showed the channel looked for the first line that it had missed in all that it had shown, found it there
/// from an hour ago, and kept the channel.
#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_observer_gives_way_though_the_first_line_it_missed_was_said_before() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.say("#tea", "lol");
    talk.world.homeserver.wait_message(&talk.room, "lol").await;
    talk.world.pass("alice", LONG).await;
    talk.heard("carol").await;
    ask(&talk.world, &talk.alice, &talk.networks[0], "umode +D", "Your modes on FakeNet").await;
    talk.bob.say("#tea", "lol");
    talk.bob.say("#tea", "the server burns");
    talk.compare(["carol", "alice"], Server::Answers).await;
    talk.world.homeserver.wait_message(&talk.room, "the server burns").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(["lol", "the server burns"].map(|line| talk.count(line)), [2, 1]);
}

/// Before, one line that was shown stood for all that were like it, and those were like it that had as many characters of
/// another script.
async fn is_not_taken_for_what_was_shown(first: &str, second: &str) {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.say("#tea", first);
    talk.world.homeserver.wait_message(&talk.room, first).await;
    talk.heard("carol").await;
    talk.world.ircd.mute("alice");
    talk.bob.say("#tea", second);
    talk.compare(["carol", "alice"], Server::Hangs).await;
    talk.bob.say("#tea", "heard by carol");
    talk.world.homeserver.wait_message(&talk.room, "heard by carol").await;
    talk.world.wait_outbox_empty().await;
    let mut shown = talk.world.homeserver.timeline_lines(&talk.room);
    shown.retain(|line| [first, second, "heard by carol"].contains(&line.as_str()));
    assert_eq!(shown, [first, second, "heard by carol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_another_script_are_not_taken_for_each_other_when_another_takes_over() {
    is_not_taken_for_what_was_shown("\u{597d}\u{7684}", "\u{53ef}\u{4ee5}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_again_is_shown_again_when_another_takes_over() {
    is_not_taken_for_what_was_shown("yes", "yes").await;
}

/// Before, who took over showed what came to it a little later once more.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_and_is_behind_shows_nothing_again() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.say("#tea", "one");
    talk.world.homeserver.wait_message(&talk.room, "one").await;
    talk.heard("carol").await;
    talk.world.ircd.silence("carol", "bob");
    talk.bob.say("#tea", "two");
    talk.world.homeserver.wait_message(&talk.room, "two").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    talk.world.ircd.wait_parted("#tea", "alice").await;
    talk.dan.say("#tea", "shown by carol");
    talk.world.homeserver.wait_message(&talk.room, "shown by carol").await;
    for line in ["two", "three"] {
        talk.world.ircd.send_raw("carol", format!(":bob!bob@test PRIVMSG #tea :{line}\r\n").as_bytes());
    }
    talk.world.homeserver.wait_message(&talk.room, "three").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(["one", "two", "three"].map(|line| talk.count(line)), [1, 1, 1]);
}
