//! Moderation in shared rooms: ranks and modes of the channel are powers and rules of its room.

mod attempts;
mod bans;
mod by_matrix;
mod mending;

use serde_json::Value;

use super::*;
use crate::support::ircd::{Heard, Options};

const LEVELS: &str = "m.room.power_levels";
const RULES: &str = "m.room.join_rules";

impl Talk {
    /// Waits until these people and no others have a power besides the bot; of ghosts while not everybody speaks.
    async fn powers(&self, expected: &[(&str, i64)]) -> Value {
        let bot = self.world.homeserver.bot();
        let is_so = |levels: &Value| {
            let Some(users) = levels["users"].as_object() else { return false };
            let others = users.iter().filter(|(user, _)| **user != bot);
            let is_moderated = levels["events_default"] == 10;
            let mut expected = expected.iter().filter(|(user, _)| is_moderated || !user.starts_with("@irc_"));
            others.count() == expected.clone().count()
                && expected.all(|(user, level)| users.get(*user) == Some(&json!(level)))
        };
        self.world.homeserver.wait_state(&self.room, LEVELS, "", is_so).await
    }

    async fn moderated(&self) {
        let is_so = |levels: &Value| levels["events_default"] == 10;
        self.world.homeserver.wait_state(&self.room, LEVELS, "", is_so).await;
    }

    /// Waits until all that was done before has come to the room: dan gets voice and his ghost its power.
    async fn powers_with_dan(&self, others: &[(&str, i64)]) {
        self.bob.mode("#tea", "+mv dan");
        self.moderated().await;
        self.powers(&[others, &[(DAN, 10)]].concat()).await;
    }

    /// A line that the server sends to somebody alone.
    fn receives(&self, nick: &str, line: &str) {
        self.world.ircd.send_raw(nick, format!("{line}\r\n").as_bytes());
    }

    async fn rule(&self, rule: &str) {
        self.world.homeserver.wait_state(&self.room, RULES, "", |rules| rules["join_rule"] == rule).await;
    }
}

/// On a server that says these things of itself, and of others what most say.
async fn talk_with(tokens: &str) -> Talk {
    let mut options = Options::default();
    for token in tokens.split(' ') {
        let name = token.split_inclusive('=').next().unwrap_or_default();
        options.isupport.retain(|other| !other.starts_with(name));
        options.isupport.push(token.to_owned());
    }
    let talk = Talk::begin(world().ircd(options).start().await).await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "join").await;
    talk
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn ranks_in_the_channel_are_powers_in_its_shared_room_and_go_with_them(#[case] version: &str) {
    let talk = Talk::begin(world().room_version(version).start().await).await;
    let (alice, carol) = (talk.alice.id(), talk.carol.id());
    talk.powers(&[(BOB, 50)]).await;
    talk.bob.mode("#tea", "+vo alice carol");
    let levels = talk.powers(&[(BOB, 50), (alice, 10), (carol, 50)]).await;
    let bot = talk.world.homeserver.bot();
    assert_eq!(levels["users"][&bot], if version == "12" { Value::Null } else { json!(100) });
    talk.bob.mode("#tea", "-vo alice carol");
    talk.powers(&[(BOB, 50)]).await;
    // Who leaves has none any more, also where they come again.
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(BOB, 50), (carol, 50)]).await;
    talk.carol.leave(&talk.room);
    talk.powers(&[(BOB, 50)]).await;
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
    talk.heard("carol").await;
    talk.powers_with_dan(&[(BOB, 50)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rank_has_its_own_power() {
    let talk = talk_with("PREFIX=(qaohv)~&@%+").await;
    talk.powers(&[(BOB, 50)]).await;
    for (mode, level) in [('q', 70), ('a', 60), ('o', 50), ('h', 25), ('v', 10)] {
        talk.bob.mode("#tea", &format!("+{mode} alice"));
        talk.powers(&[(BOB, 50), (talk.alice.id(), level)]).await;
        talk.bob.mode("#tea", &format!("-{mode} alice"));
        talk.powers(&[(BOB, 50)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn powers_outlive_a_restart_only_as_far_as_the_ranks_do() {
    let mut talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+o carol");
    talk.powers(&[(BOB, 50), (talk.carol.id(), 50)]).await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.start_bridge().await;
    talk.powers(&[(BOB, 50)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_553_in_a_moderated_channels_room_those_speak_who_have_voice_until_it_is_open_again() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+m");
    talk.moderated().await;
    let refused =
        talk.alice.try_send(&talk.room, "m.room.message", json!({ "msgtype": "m.text", "body": "me?" }));
    assert_eq!(refused.unwrap_err().status, 403);
    // Servers let some speak who have no voice.
    talk.receives("alice", ":dan!dan@host PRIVMSG #tea :as an exception");
    assert_eq!(talk.world.homeserver.wait_message(&talk.room, "as an exception").await.sender, DAN);
    talk.bob.mode("#tea", "+v alice");
    talk.powers(&[(BOB, 50), (DAN, 10), (talk.alice.id(), 10)]).await;
    talk.alice.send_text(&talk.room, "with voice");
    talk.bob.wait_text("with voice").await;
    talk.bob.mode("#tea", "-m");
    talk.powers(&[(BOB, 50), (talk.alice.id(), 10)]).await;
    talk.carol.send_text(&talk.room, "all again");
    talk.bob.wait_text("all again").await;
}

/// The mode was seen by nobody of ours when it went.
#[rstest]
#[case::moderated_and_a_restart("m", true)]
#[case::moderated_and_a_cut("m", false)]
#[case::for_invited_people_and_a_restart("i", true)]
#[case::for_invited_people_and_a_cut("i", false)]
#[tokio::test(flavor = "multi_thread")]
async fn complaint_553_what_a_channel_is_no_more_its_room_is_no_more_either_where_that_changed_while_nobody_was_there(
    #[case] mode: &str,
    #[case] restarts: bool,
) {
    let mut talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", &format!("+{mode}"));
    if mode == "m" {
        talk.moderated().await;
    } else {
        talk.rule("invite").await;
    }
    if restarts {
        talk.world.stop_bridge().await;
    } else {
        talk.world.ircd.refuse();
        for (nick, network) in ["alice", "carol"].into_iter().zip(&talk.networks) {
            talk.world.ircd.cut(nick);
            talk.world.homeserver.wait_event(network, begins("Not connected")).await;
        }
    }
    talk.bob.mode("#tea", &format!("-{mode}"));
    if restarts {
        talk.world.start_bridge().await;
    } else {
        talk.world.ircd.welcome().await;
        for (user, network) in [&talk.alice, &talk.carol].into_iter().zip(&talk.networks) {
            user.send_text(network, "connect");
        }
    }
    talk.world.ircd.wait_joined("#tea", "carol").await;
    if mode == "m" {
        let is_open = |levels: &Value| levels["events_default"].as_i64().unwrap_or_default() == 0;
        talk.world.homeserver.wait_state(&talk.room, LEVELS, "", is_open).await;
    } else {
        talk.rule("public").await;
    }
    talk.carol.send_text(&talk.room, "all again");
    talk.bob.wait_text("all again").await;
}

#[rstest]
#[case::for_invited_people("+i", "-i")]
#[case::with_a_key("+k earlgrey", "-k earlgrey")]
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_closed_has_a_closed_room_and_opens_with_it(
    #[case] close: &str,
    #[case] open: &str,
) {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", close);
    talk.rule("invite").await;
    let erin = talk.world.homeserver.user("erin");
    assert_eq!(erin.try_join(ALIAS).await.unwrap_err().status, 403);
    talk.bob.mode("#tea", open);
    talk.rule("public").await;
    erin.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "erin").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_an_operator_sets_the_key_from_matrix_and_it_stands_in_no_room() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+o alice");
    talk.powers(&[(BOB, 50), (talk.alice.id(), 50)]).await;
    let gone = async |room: &str, typed: &str| {
        let event = talk.alice.send_text(room, typed);
        talk.world.homeserver.wait_event(room, |one| one.redacts.as_ref() == Some(&event)).await;
    };
    // The others would read it there, so it is not done.
    for typed in ["!irc mode +k lapsang", "!irc key lapsang", "/mode #tea +k lapsang"] {
        gone(&talk.room, typed).await;
    }
    gone(&talk.networks[0], "mode #tea +k earlgrey").await;
    let is_set =
        |heard: &Heard| heard.source.starts_with("alice!") && heard.params == ["#tea", "+k", "earlgrey"];
    talk.bob.wait_heard(is_set).await;
    talk.rule("invite").await;
    let lines = talk.world.ircd.lines_from("alice");
    assert!(!lines.iter().any(|line| line.contains("lapsang")), "{lines:?}");
    // Who has left gets in by it.
    talk.carol.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.carol.send_text(&talk.networks[1], "join #tea earlgrey");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "invite").await;
    talk.carol.join(&talk.room).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
    gone(&talk.networks[0], "mode #tea -k+k earlgrey assam").await;
    talk.alice.send_text(&talk.networks[0], "mode #tea -k assam");
    talk.rule("public").await;
    for room in talk.networks.iter().chain([&talk.room]) {
        let shown = talk.world.homeserver.timeline_bodies(room);
        let has_key =
            |body: &String| ["lapsang", "earlgrey", "+k assam"].iter().any(|key| body.contains(key));
        assert!(!shown.iter().any(has_key), "{shown:?}");
    }
}

/// Nobody would have opened it, whatever the channel does.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_room_that_everybody_has_left_is_open_to_whoever_looks_for_it() {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+i");
    talk.rule("invite").await;
    for user in [&talk.alice, &talk.carol] {
        user.leave(&talk.room);
    }
    talk.world.homeserver.wait_alias(ALIAS, None).await;
    talk.bob.mode("#tea", "-i");
    assert_eq!(talk.alice.join(ALIAS).await, talk.room);
    talk.world.ircd.wait_joined("#tea", "alice").await;
}

/// Before, they sat in the room of a channel that did not want them.
#[tokio::test(flavor = "multi_thread")]
async fn whom_a_ban_means_and_nobody_else_is_out_of_the_room_and_told_by_whom() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", "+b carol!*@*");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", talk.carol.id())["reason"].clone();
    assert_eq!(reason, "bob banned you from #tea.");
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.world.homeserver.wait_event(&talk.networks[1], begins("bob banned you from #tea. So you are")).await;
    // While it stands she is not let in.
    talk.carol.join(ALIAS).await;
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not in #tea")).await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.bob.mode("#tea", "-b carol!*@*");
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}

#[rstest]
#[case::anybody("*!*@*")]
#[case::any_nick_of_a_length("?????!*@*")]
#[case::two_of_them("*a*!*@*")]
#[case::one_of_them_and_somebody_else("*o*!*@*")]
#[case::somebody_else("dan!*@*")]
#[case::the_host_of_all_who_use_the_bridge("*!*@127.0.0.1")]
#[case::an_account("$a:carol")]
#[case::something_that_is_no_mask("~q:carol!*@*")]
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_may_mean_others_takes_nobody_out(#[case] mask: &str) {
    let talk = talk_with("PREFIX=(ov)@+").await;
    talk.bob.mode("#tea", &format!("+b {mask}"));
    talk.powers_with_dan(&[(BOB, 50)]).await;
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    let members = talk.world.homeserver.members(&talk.room, "join");
    for user in [&talk.alice, &talk.carol] {
        assert!(members.contains(&user.id().to_owned()), "{members:?}");
    }
}
