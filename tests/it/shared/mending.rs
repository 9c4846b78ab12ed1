//! What was wrong in shared rooms at first: each test has the name of it.

use serde_json::{Value, json};

use super::*;
use crate::support::ircd::Options;

/// Before, whom the person ignored whose connection shows the channel nobody in the room heard.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_one_ignores_who_shows_a_channel_is_shown_to_the_others() {
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, network) = (&talk.world.homeserver, &talk.networks[0]);
    talk.alice.send_text(network, "ignore bob");
    let answer = homeserver.wait_event(network, begins("bob!*@* is ignored on fake")).await;
    assert!(answer.body().contains("In rooms that you share with others it is shown"), "{}", answer.body());
    let calls = async |text: &str| {
        talk.bob.say("#tea", text);
        let shown = homeserver.wait_message(&talk.room, text).await;
        shown.content["m.mentions"]["user_ids"].clone()
    };
    assert_eq!(calls("alice and carol, do you hear me?").await, json!([talk.carol.id()]));
    // What is for her alone is not shown.
    talk.bob.say("alice", "and you?");
    talk.heard("alice").await;
    assert!(homeserver.rooms_named("bob").is_empty());
    assert!(!homeserver.timeline_bodies(network).iter().any(|body| body.contains("and you?")));
    // Of one who does not show the channel nobody is called either.
    talk.alice.send_text(network, "unignore bob");
    homeserver.wait_event(network, begins("bob!*@* is not ignored")).await;
    talk.carol.send_text(&talk.networks[1], "ignore bob");
    homeserver.wait_event(&talk.networks[1], begins("bob!*@* is ignored on fake")).await;
    assert_eq!(calls("carol and alice, once more").await, json!([talk.alice.id()]));
}

/// What was said, as its event and its id on IRC, once its event is known to the store.
async fn shown(talk: &Talk, text: &str) -> (String, String) {
    let event = talk.world.homeserver.wait_message(&talk.room, text).await.event_id;
    talk.world.wait_outbox_empty().await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    (event, talk.world.ircd.wait_msgid(text).await)
}

/// Before, only the session that had shown a line knew of which message its event was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_about_a_message_finds_it_whoever_has_shown_it() {
    let talk = Talk::begin(world().ircd(Options::with_history()).start().await).await;
    let (homeserver, ircd) = (&talk.world.homeserver, &talk.world.ircd);
    talk.bob.say("#tea", "who is there?");
    let (question, msgid) = shown(&talk, "who is there?").await;
    // Of what alice's connection has shown, through carol's own.
    talk.carol.reply(&talk.room, &question, "me");
    let line = ircd.wait_line(|nick, line| nick == "carol" && line.ends_with("PRIVMSG #tea :me")).await;
    assert!(line.line().contains(&format!("+draft/reply={msgid}")), "{}", line.line());
    talk.carol.react(&talk.room, &question, "👍");
    let is_reaction = |nick: &str, line: &str| nick == "carol" && line.contains("react=👍");
    let line = ircd.wait_line(is_reaction).await;
    assert!(line.line().contains(&msgid) && line.line().ends_with("TAGMSG #tea"), "{}", line.line());
    // Of what another has said in the room.
    talk.alice.send_text(&talk.room, "and I");
    let (own, own_msgid) = shown(&talk, "and I").await;
    talk.carol.reply(&talk.room, &own, "good");
    let line = ircd.wait_line(|nick, line| nick == "carol" && line.ends_with("PRIVMSG #tea :good")).await;
    assert!(line.line().contains(&format!("+draft/reply={own_msgid}")), "{}", line.line());
    // On IRC, about what carol has said, which alice's connection shows.
    let (me, me_msgid) = shown(&talk, "me").await;
    talk.bob.raw_line(&format!("@+draft/reply={me_msgid} PRIVMSG #tea :welcome"));
    let welcome = homeserver.wait_message(&talk.room, "welcome").await;
    assert_eq!(welcome.content["m.relates_to"]["m.in_reply_to"]["event_id"], me);
    assert_eq!(welcome.content["m.mentions"]["user_ids"], json!([talk.carol.id()]));
    talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/react=lol TAGMSG #tea"));
    let lol = |one: &Event| one.content["m.relates_to"]["key"] == "lol";
    let reaction = homeserver.wait_event(&talk.room, lol).await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    // From now on carol's connection shows the channel.
    talk.alice.send_text(&talk.networks[0], "disconnect");
    homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    talk.bob.raw_line(&format!("@+draft/reply={msgid} PRIVMSG #tea :I had asked"));
    let asked = homeserver.wait_message(&talk.room, "I had asked").await;
    assert_eq!(asked.content["m.relates_to"]["m.in_reply_to"]["event_id"], question);
    talk.bob.raw_line(&format!("@+draft/reply={msgid};+draft/unreact=lol TAGMSG #tea"));
    homeserver.wait_event(&talk.room, |one| one.redacts.as_deref() == Some(&reaction.event_id)).await;
    // What nobody knows is a message like any other.
    talk.bob.raw_line("@+draft/reply=unknown PRIVMSG #tea :hello everybody");
    let plain = homeserver.wait_message(&talk.room, "hello everybody").await;
    assert_eq!(plain.content["m.relates_to"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_another_has_shown_names_its_sender_where_the_network_has_no_ids() {
    let options = Options::default().without(&["message-tags"]);
    let talk = Talk::begin(world().ircd(options).start().await).await;
    talk.bob.say("#tea", "who is there?");
    let question = talk.world.homeserver.wait_message(&talk.room, "who is there?").await.event_id;
    talk.world.wait_outbox_empty().await;
    talk.heard("carol").await;
    talk.carol.reply(&talk.room, &question, "me");
    talk.dan.wait_text("bob: me").await;
    // Who came later has not heard it, and nothing of it is repeated for them.
    let dave = talk.world.homeserver.user("dave");
    dave.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "dave").await;
    dave.reply(&talk.room, &question, "not me");
    talk.dan.wait_text("not me").await;
}
