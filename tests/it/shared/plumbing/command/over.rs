//! What is asked ends: in time, when it is called off, and when somebody loses what they need.

use super::*;
use crate::support::ircd::Heard;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_invite_the_bot_within_five_minutes_asks_no_more() {
    let inn = Inn::build(&PUBLIC).await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #tea", inn.room));
    inn.told("To have #tea shown there, invite me").await;
    inn.world.pass("alice", Duration::from_secs(301)).await;
    inn.told("I was not invited to the room that is to show #tea within five minutes. Type plumb again.")
        .await;
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea has no room that shows a channel").await;
}

/// Before, the room, the channel and a place among those that may be asked were held for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_never_lets_the_bot_in_holds_nothing_for_ever() {
    let mut inn = Inn::build(&PUBLIC).await;
    let join = format!("/rooms/{}/join", inn.room);
    inn.world.homeserver.faults().fail("POST", &join, no_answer(), 10_000);
    inn.ask().await;
    inn.world.homeserver.wait_requests("POST", &join, 1).await;
    inn.world.pass("alice", Duration::from_secs(11 * 60 + 1)).await;
    inn.told("It took too long until all agreed that #tea is shown in that room.").await;
    let other = inn.alice.create_room(&PUBLIC);
    inn.alice.send_text(&inn.network, &format!("plumb {other} #tea"));
    inn.alice.invite(&other, &inn.bot());
    inn.agree().await;
    inn.bob.say("#tea", "in another");
    inn.world.homeserver.wait_message(&other, "in another").await;
    // What the homeserver may do late is seen to after a start at the latest.
    inn.world.homeserver.faults().clear();
    inn.world.stop_bridge().await;
    inn.world.start_bridge().await;
    let shown = format!("{other} command");
    inn.world.database().wait("one is left", PLUMBED, |rooms| *rooms == [shown.clone()]).await;
    assert!(!inn.world.homeserver.members(&inn.room, "join").contains(&inn.bot()));
}

/// Before, the operators were asked about a question that nobody asked any more, and the bot stayed in the room.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_while_the_bot_comes_in_is_over_when_it_is_there() {
    let inn = Inn::build(&PUBLIC).await;
    let join = format!("/rooms/{}/join", inn.room);
    inn.world.homeserver.faults().fail("POST", &join, Fault::Late(Duration::from_secs(1)), 1);
    inn.ask().await;
    inn.world.homeserver.wait_requests("POST", &join, 1).await;
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea is not shown there.").await;
    inn.is_left().await;
    assert!(inn.bob.messages("bob").is_empty(), "nobody is asked");
}

/// Before, they were thanked, told that the channel is shown, and whoever had asked was told later that nobody had agreed.
#[tokio::test(flavor = "multi_thread")]
async fn who_agrees_to_what_was_called_off_is_told_so() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.told("I have asked bob in your name").await;
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea is not shown there.").await;
    inn.is_left().await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    let answer = inn.bob.wait_message(|heard| heard.text().starts_with("That is not asked any more")).await;
    assert!(answer.text().contains("#tea is not shown anywhere by your answer"), "{}", answer.text());
    inn.world.pass("alice", Duration::from_secs(301)).await;
    inn.has_heard().await;
    let told = inn.world.homeserver.timeline_bodies(&inn.network);
    assert!(!told.iter().any(|body| body.contains("no operator has agreed")), "{told:?}");
    let talks = inn.world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await;
    assert_eq!(talks, Vec::<String>::new(), "the answer is no conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_connection_ends_has_asked_for_nothing() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    inn.told("I have asked bob in your name").await;
    let (_, code) = inn.question().await;
    inn.world.ircd.cut("alice");
    inn.told("#tea is not shown in that room: your connection ended before an operator has agreed.").await;
    inn.world.ircd.wait_joined("#tea", "alice").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_and_is_an_operator_no_more_does_not_count_under_any_nick() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    // Who becomes one after they were asked may agree, too, by the same code.
    inn.bob.mode("#tea", "+o dan");
    inn.bob.mode("#tea", "-o bob");
    inn.bob.nick("rob");
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("rob has answered whether #tea may be shown, and is no operator there").await;
    inn.dan.say("alice", &format!("!plumb yes {code}"));
    inn.told("dan agrees.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_bot_out_while_it_is_asked_ends_that() {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    inn.told("I have asked bob in your name").await;
    let (_, code) = inn.question().await;
    inn.alice.kick(&inn.room, &inn.bot(), "not now").unwrap();
    inn.told("#tea is not shown in that room: I was taken out of it.").await;
    inn.is_left().await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.bob.wait_message(|heard| heard.text().starts_with("That is not asked any more")).await;
}

/// Before, one failed request threw the agreement away, and the bot left.
#[rstest]
#[case::the_powers("GET", "state/m.room.power_levels")]
#[case::who_is_there("GET", "joined_members")]
#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_outlives_what_the_homeserver_fails_to_answer_for_now(
    #[case] method: &str,
    #[case] path: &str,
) {
    let inn = Inn::build(&PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    let path = format!("/rooms/{}/{path}", inn.room);
    inn.world.homeserver.faults().fail(method, &path, no_answer(), 1);
    inn.world.homeserver.faults().fail(method, &path, Fault::RateLimited { retry_after_ms: 50 }, 1);
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees. #tea is shown in that room from now on.").await;
    inn.shows("welcome").await;
    assert_eq!(inn.world.homeserver.faults().remaining(), 0);
}

/// Before, "try again in a while" was all that they were told, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_the_channel_ends_it_where_the_bot_may_not_look_into_the_room() {
    let inn = Inn::open().await;
    let (erin, _, network) = inn.world.greeted_user("erin").await;
    let told = async |part: &str| {
        inn.world.homeserver.wait_event(&network, |event| event.body().contains(part)).await;
    };
    let refused = Fault::Status(403, json!({ "errcode": "M_FORBIDDEN", "error": "you are not there" }));
    let members = format!("/rooms/{}/joined_members", inn.room);
    inn.world.homeserver.faults().fail("GET", &members, refused, 1);
    erin.send_text(&network, "unplumb #tea");
    told("You may not end that").await;
    erin.send_text(&network, "join #tea");
    let own = inn.world.homeserver.wait_invite(erin.id()).await;
    erin.join(&own).await;
    inn.world.ircd.wait_joined("#tea", "erin").await;
    inn.bob.mode("#tea", "+o erin");
    inn.bob.say("#tea", "you are one");
    inn.world.homeserver.wait_message(&own, "you are one").await;
    let looks = inn.world.homeserver.requests("GET", &members);
    erin.send_text(&network, "unplumb #tea");
    told("#tea is not shown in that room any more").await;
    assert_eq!(inn.world.homeserver.requests("GET", &members), looks, "nobody had to look");
    inn.world.homeserver.wait_member(&inn.room, &inn.bot(), "leave").await;
}

/// Review of several channels, finding 7: the bot left with the channel that went, and who asked had to invite it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_in_which_another_channel_is_asked_about_is_not_left_with_its_last_one() {
    let inn = Inn::open().await;
    inn.bob.join("#zoo");
    inn.world.ircd.give("#zoo", "bob", 'o');
    inn.alice.send_text(&inn.network, "join #zoo");
    inn.world.ircd.wait_joined("#zoo", "alice").await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #zoo", inn.room));
    let is_question = |heard: &Heard| heard.text().contains("#zoo") && heard.text().contains("!plumb yes ");
    let question = inn.bob.wait_message(is_question).await;
    let code = question.text().split("!plumb yes ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea is not shown in that room any more").await;
    let visited = "SELECT room.plumbed FROM room JOIN link ON link.room = room.id
        WHERE room.plumbed IS NOT NULL AND link.buffer IS NULL AND link.channel IS NULL";
    inn.world.database().wait("it is only visited", visited, |rows| rows == ["ending"]).await;
    inn.world.homeserver.wait_member(&inn.room, BOB, "leave").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees. #zoo is shown in that room from now on.").await;
    inn.bob.say("#zoo", "animals");
    inn.world.homeserver.wait_message(&inn.room, "animals").await;
    let events = inn.world.homeserver.events(&inn.room);
    let is_bots = |event: &&Event| event.state_key.as_deref() == Some(&inn.bot());
    assert!(!events.iter().filter(is_bots).any(|event| event.content["membership"] == "leave"));
}
