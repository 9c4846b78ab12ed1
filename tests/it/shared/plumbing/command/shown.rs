//! What becomes of the room that whoever asks has of the channel for themselves; and of what others have.

use super::*;

/// Before, a line that was taken and not yet read was gone without a word.
#[tokio::test(flavor = "multi_thread")]
async fn each_line_in_ones_own_room_goes_to_irc_or_is_answered_while_that_is_given_up() {
    let inn = Inn::build(&PUBLIC).await;
    let own = inn.own();
    inn.ask().await;
    let (_, code) = inn.question().await;
    let mut lines = Vec::new();
    for number in 0..30 {
        let line = format!("line {number}");
        lines.push((inn.alice.send_text(&own, &line), line));
        if number == 10 {
            inn.bob.say("alice", &format!("!plumb yes {code}"));
        }
    }
    inn.told("bob agrees. #tea is shown in that room from now on.").await;
    inn.is_attended_to().await;
    inn.has_heard().await;
    let events = inn.world.homeserver.events(&own);
    let answered: Vec<&str> = events
        .iter()
        .filter(|event| {
            event.body().starts_with("Your message was not sent: #tea is shown in another room now")
        })
        .filter_map(|event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"].as_str())
        .collect();
    for (event, line) in &lines {
        if !answered.contains(&event.as_str()) {
            inn.bob.wait_text(line).await;
        }
    }
    let heard: Vec<String> = inn.bob.messages("#tea").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard.len() + answered.len(), lines.len(), "{heard:?}");
}

/// Before, it looked like a live room, and all that was typed there was swallowed.
#[tokio::test(flavor = "multi_thread")]
async fn who_writes_on_in_the_room_that_was_given_up_is_told_where_the_channel_is() {
    let inn = Inn::open().await;
    let own = inn.own();
    let gone =
        inn.world.homeserver.wait_event(&own, begins("#tea is shown in another room from now on")).await;
    assert!(gone.body().contains(&inn.room), "{}", gone.body());
    let event = inn.alice.send_text(&own, "does anybody hear me?");
    let told =
        inn.world.homeserver.wait_event(&own, begins("Your message was not sent: #tea is shown")).await;
    assert!(told.body().contains(&inn.room), "{}", told.body());
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event.as_str());
    assert!(!inn.bob.messages("#tea").iter().any(|(_, text)| text == "does anybody hear me?"));
    // Also when the other one shows it no more.
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.is_left().await;
    inn.alice.send_text(&own, "and now?");
    let told = begins(
        "Your message was not sent: this room shows #tea no more. To have another one, type join #tea",
    );
    inn.world.homeserver.wait_event(&own, told).await;
}

fn with_aliases() -> Builder {
    world().config(USERS)
}

/// Before, anybody could have the bridge leave any channel's room that nobody was in just then.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_asks_takes_no_room_from_anybody() {
    let inn = Inn::in_world(with_aliases().start().await, &PUBLIC).await;
    let (dora, _, _) = inn.world.greeted_user("dora").await;
    let found = dora.join(ALIAS).await;
    inn.world.ircd.wait_joined("#tea", "dora").await;
    dora.leave(&found);
    inn.world.ircd.wait_parted("#tea", "dora").await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    // While it is asked, others find the channel's room as before.
    assert_eq!(dora.join(ALIAS).await, found);
    inn.world.ircd.wait_joined("#tea", "dora").await;
    inn.bob.say("#tea", "hello, dora");
    inn.world.homeserver.wait_message(&found, "hello, dora").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees. #tea has a shared room, which is found by its alias, and people are in it.").await;
    inn.is_left().await;
    inn.bob.say("#tea", "still here");
    inn.world.homeserver.wait_message(&found, "still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_nobody_is_in_gives_way_when_all_agree() {
    let inn = Inn::in_world(with_aliases().start().await, &PUBLIC).await;
    let (dora, _, _) = inn.world.greeted_user("dora").await;
    let found = dora.join(ALIAS).await;
    inn.world.ircd.wait_joined("#tea", "dora").await;
    dora.leave(&found);
    inn.world.ircd.wait_parted("#tea", "dora").await;
    inn.ask().await;
    inn.agree().await;
    inn.shows("welcome").await;
    inn.world.homeserver.wait_member(&found, &inn.bot(), "leave").await;
}

/// Before, the mapping was dead until the next reload, and the room was left.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_the_configuration_names_while_it_is_asked_about_is_the_configurations() {
    let world = World::builder().config(USERS).without_bridge().await;
    let process = world.start_process_with(&[]);
    let inn = Inn::in_world(world, &PUBLIC).await;
    inn.ask().await;
    let (_, code) = inn.question().await;
    inn.alice.send_text(&inn.network, "part #tea");
    inn.world.ircd.wait_parted("#tea", "alice").await;
    let line = format!("    channels: {{ {} }}\n", mapping("#tea", &inn.room));
    reload(&inn.world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    inn.told("the configuration says now what the room shows").await;
    inn.world.ircd.wait_joined("#tea", "alice").await;
    inn.shows("by the file").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.bob.wait_message(|heard| heard.text().starts_with("That is not asked any more")).await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, [format!("{} configuration", inn.room)]);
    assert!(inn.world.homeserver.members(&inn.room, "join").contains(&inn.bot()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_two_who_ask_for_one_channel_has_it_and_a_room_is_asked_about_once() {
    let inn = Inn::build(&PUBLIC).await;
    let (erin, _, network) = inn.world.greeted_user("erin").await;
    let told = async |part: &str| {
        inn.world.homeserver.wait_event(&network, |event| event.body().contains(part)).await;
    };
    inn.ask().await;
    let (_, code) = inn.question().await;
    erin.send_text(&network, &format!("plumb {} #tea", inn.room));
    told("That was asked already, and is waited for.").await;
    let other = erin.create_room(&PUBLIC);
    erin.send_text(&network, &format!("plumb {other} #tea"));
    told("To have #tea shown there, invite me").await;
    inn.bob.mode("#tea", "+o erin");
    erin.send_text(&network, "join #tea");
    let own = inn.world.homeserver.wait_invite(erin.id()).await;
    erin.join(&own).await;
    inn.world.ircd.wait_joined("#tea", "erin").await;
    inn.bob.mode("#tea", "+o erin");
    inn.bob.say("#tea", "you are one");
    inn.world.homeserver.wait_message(&own, "you are one").await;
    inn.bob.say("alice", &format!("!plumb yes {code}"));
    inn.told("bob agrees. #tea is shown in that room from now on.").await;
    inn.shows("to alice").await;
    erin.invite(&other, &inn.bot());
    told("#tea is shown in another room. To end that, type unplumb #tea first.").await;
    inn.world.homeserver.wait_member(&other, &inn.bot(), "leave").await;
    inn.shows("still to alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_named_by_its_alias_too() {
    let inn = Inn::build(&PUBLIC).await;
    let alias = "#tearoom:test.local";
    inn.alice.set_alias(alias, &inn.room);
    inn.alice.send_text(&inn.network, &format!("plumb {alias} #tea"));
    inn.told("To have #tea shown there, invite me").await;
    inn.alice.invite(&inn.room, &inn.bot());
    inn.agree().await;
    inn.shows("welcome").await;
    inn.alice.send_text(&inn.network, &format!("unplumb {alias}"));
    inn.is_left().await;
}
