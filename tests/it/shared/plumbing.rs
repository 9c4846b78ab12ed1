//! Plumbed rooms: rooms that were there before and show a channel because the configuration says so. They stay as their
//! people have them.

mod command;
mod ending;
mod several;

use serde_json::{Value, json};

use super::*;
use crate::reload::reload;
use crate::support::homeserver::NewRoom;
use crate::support::ircd::Options;

pub(super) const PUBLIC: NewRoom<'_> = NewRoom {
    preset: Some("public_chat"),
    name: Some("Tea house"),
    invite: &[],
    is_direct: false,
    encrypted: false,
    room_version: None,
    restricted_to: None,
    predecessor: None,
};
/// Who is in a plumbed room and not in its channel, as far as that is stored.
const KNOWN: &str = "SELECT user_id FROM outsider ORDER BY user_id";
const PRIVATE: NewRoom<'_> = NewRoom { preset: Some("private_chat"), ..PUBLIC };

pub(super) fn mapping(channel: &str, room: &str) -> String {
    format!("\"{channel}\": \"{room}\"")
}

fn no_answer() -> Fault {
    Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "no server answers" }))
}

/// Carol's room, in which alice is, who is on the network, and #tea, in which bob is.
struct House {
    world: World,
    alice: TestUser,
    carol: TestUser,
    bob: Person,
    control: String,
    network: String,
    room: String,
}

impl House {
    async fn build(builder: Builder, room: &NewRoom<'_>) -> Self {
        let world = builder.start().await;
        let bob = world.ircd.person("bob");
        bob.join("#tea");
        let (alice, control, network) = world.greeted_user("alice").await;
        let carol = world.homeserver.user("carol");
        let room = carol.create_room(room);
        carol.invite(&room, alice.id());
        alice.join(&room).await;
        Self { world, alice, carol, bob, control, network, room }
    }

    /// From the next start on the room shows the channel.
    async fn restart_with(&mut self, channels: &str) {
        self.world.stop_bridge().await;
        self.world.plumb(channels);
        self.world.start_bridge().await;
    }

    /// The room shows the channel, and alice is there.
    async fn open(room: &NewRoom<'_>) -> Self {
        let mut house = Self::build(World::builder(), room).await;
        house.restart_with(&mapping("#tea", &house.room.clone())).await;
        house.world.ircd.wait_joined("#tea", "alice").await;
        house.bob.say("#tea", "welcome");
        house.world.homeserver.wait_message(&house.room, "welcome").await;
        house
    }

    async fn is_heard(&self, user: &TestUser, text: &str, nick: &str) {
        user.send_text(&self.room, text);
        assert_eq!(self.bob.wait_text(text).await.nick(), nick);
    }

    /// The room is encrypted from now on.
    fn encrypt(&self) {
        let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        self.carol.send_state(&self.room, "m.room.encryption", "", content).unwrap();
    }

    /// What bob says waits: the homeserver takes no more messages for the room.
    async fn hold(&self, text: &str) {
        let (homeserver, send) = (&self.world.homeserver, format!("/rooms/{}/send", self.room));
        let before = homeserver.requests("PUT", &send);
        homeserver.faults().fail("PUT", &send, no_answer(), 10_000);
        self.bob.say("#tea", text);
        homeserver.wait_requests("PUT", &send, before + 1).await;
    }

    /// What the bridge has made of the room, besides who is in it.
    fn changes(&self) -> Vec<(String, Value)> {
        let events = self.world.homeserver.events(&self.room).into_iter();
        let is_ours =
            |event: &Event| event.sender == self.world.homeserver.bot() || event.sender.starts_with("@irc_");
        let others = events.filter(|event| is_ours(event) && event.state_key.is_some());
        let others = others.filter(|event| {
            event.kind != "m.room.member" || event.state_key.as_deref() != Some(event.sender.as_str())
        });
        others.map(|event| (event.kind.clone(), event.content)).collect()
    }

    fn is_in(&self, user: &str) -> bool {
        self.world.homeserver.members(&self.room, "join").iter().any(|member| member == user)
    }
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn an_existing_room_shows_a_channel_both_ways_and_stays_as_its_people_have_it(#[case] version: &str) {
    let house = House::open(&NewRoom { room_version: Some(version), ..PUBLIC }).await;
    house.is_heard(&house.alice, "good morning", "alice").await;
    house.bob.topic("#tea", "green tea");
    house.bob.say("#tea", "alice: good morning");
    let shown = house.world.homeserver.wait_message(&house.room, "alice: good morning").await;
    assert_eq!(shown.sender, BOB);
    assert_eq!(shown.content["m.mentions"]["user_ids"], json!([house.alice.id()]));
    house.world.wait_outbox_empty().await;
    assert_eq!(house.changes(), [], "nothing of the room is changed");
    let said = house.world.homeserver.timeline_by_line(&house.room);
    for (line, by) in [("good morning", house.alice.id()), ("alice: good morning", BOB), ("welcome", BOB)] {
        let once: Vec<_> = said.iter().filter(|(_, one)| one == line).collect();
        assert_eq!(once.len(), 1, "{line}: {said:?}");
        assert_eq!(once[0].0, by);
    }
    assert_eq!(house.world.homeserver.rooms_named("#tea (FakeNet)"), Vec::<String>::new());
    assert!(!house.is_in("@irc_fake_alice:test.local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_comes_when_it_is_invited_and_says_what_it_needs_until_it_has_it() {
    let mut house = House::build(World::builder(), &PRIVATE).await;
    let levels = |bot: i64| {
        let bot = json!({ house.world.homeserver.bot(): bot });
        json!({ "invite": 50, "users": bot, "users_default": 0, "events_default": 0, "state_default": 50 })
    };
    let (without, with) = (levels(0), levels(50));
    let options = NewRoom { room_version: Some("12"), ..PRIVATE };
    house.room = house.carol.create_room(&options);
    house.carol.send_state(&house.room, "m.room.power_levels", "", without).unwrap();
    house.carol.invite(&house.room, house.alice.id());
    house.alice.join(&house.room).await;
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    let bot = house.world.homeserver.bot();
    house.carol.invite(&house.room, &bot);
    let said = house.world.homeserver.wait_event(&house.room, begins("This room is to show #tea")).await;
    assert_eq!((said.sender.as_str(), said.content["msgtype"].as_str()), (bot.as_str(), Some("m.notice")));
    let remedy = format!(
        "inviting needs power 50, and mine is 0. Somebody who may change powers here can give it to me: /op {bot} 50"
    );
    assert!(said.body().ends_with(&remedy), "{}", said.body());
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.carol.send_state(&house.room, "m.room.power_levels", "", with).unwrap();
    house.bob.say("#tea", "may I?");
    assert_eq!(house.world.homeserver.wait_message(&house.room, "may I?").await.sender, BOB);
    house.is_heard(&house.alice, "you may", "alice").await;
    assert!(
        house
            .changes()
            .iter()
            .all(|(kind, content)| { kind == "m.room.member" && content["membership"] == "invite" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_session_is_told_once_that_nothing_of_theirs_goes_to_irc() {
    let house = House::open(&PUBLIC).await;
    let homeserver = &house.world.homeserver;
    let first = house.carol.send_text(&house.room, "does anybody hear me?");
    let told = homeserver.wait_event(&house.room, begins("@carol:test.local: what you write here")).await;
    assert_eq!(
        told.body(),
        "@carol:test.local: what you write here does not go to #tea on FakeNet: you are not connected to that network. To \
         be there under a nick of your own, open a chat with me, type open fake there, then write here again. I say this \
         once."
    );
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], first.as_str());
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([house.carol.id()]));
    house.carol.send_text(&house.room, "and now?");
    homeserver.wait_delivered().await;
    // With a network of her own she is heard, and not before.
    let (_, control) = house.world.user_with_control_room("carol").await;
    house.carol.send_text(&control, "open fake");
    house.world.ircd.wait_registered("carol").await;
    house.is_heard(&house.carol, "now I do", "carol").await;
    let heard: Vec<String> = house.bob.messages("#tea").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["now I do"]);
    let bodies = homeserver.timeline_bodies(&house.room);
    assert_eq!(bodies.iter().filter(|body| body.contains("what you write here")).count(), 1, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_use_the_bridge_stays_in_the_room_and_is_told_why_nothing_goes() {
    let mut house = House::open(&PUBLIC).await;
    house.world.forbid("@carol:test.local");
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.carol.send_text(&house.room, "hello?");
    let told = house.world.homeserver.wait_event(&house.room, begins("@carol:test.local: what you")).await;
    assert!(told.body().contains("no permission to use this bridge"), "{}", told.body());
    // Nor is anybody removed who comes in.
    house.carol.leave(&house.room);
    house.carol.join(&house.room).await;
    house.carol.send_text(&house.room, "again");
    house.world.homeserver.wait_delivered().await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.is_heard(&house.alice, "she can't", "alice").await;
    assert!(house.is_in(house.carol.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_room_of_their_own_for_the_channel_keeps_it_and_is_told_how_to_change_that() {
    let mut house = House::build(World::builder(), &PUBLIC).await;
    house.alice.send_text(&house.control, "join #tea");
    let own = house.world.homeserver.wait_invite(house.alice.id()).await;
    house.alice.join(&own).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.world.homeserver.wait_member(&house.room, &house.world.homeserver.bot(), "join").await;
    house.alice.send_text(&house.room, "do you read me?");
    let told = house.world.homeserver.wait_event(&house.room, begins("@alice:test.local: what you")).await;
    assert!(told.body().contains("in a room of your own. To leave that, type part #tea"), "{}", told.body());
    house.alice.send_text(&house.network, "part #tea");
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.is_heard(&house.alice, "now I am here", "alice").await;
    house.bob.say("#tea", "so you are");
    house.world.homeserver.wait_message(&house.room, "so you are").await;
    let heard: Vec<String> = house.bob.messages("#tea").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["now I am here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_channel_stays_in_the_room_and_comes_back_by_writing_there() {
    let house = House::open(&PUBLIC).await;
    let homeserver = &house.world.homeserver;
    house.alice.send_text(&house.network, "part #tea");
    let answer = homeserver.wait_event(&house.network, begins("Leaving #tea")).await;
    assert_eq!(answer.body(), "Leaving #tea. To return there, write in its room.");
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.is_heard(&house.alice, "back again", "alice").await;
    house.bob.kick("#tea", "alice", "enough");
    let told = homeserver.wait_event(&house.network, |event| event.body().contains("kicked you out")).await;
    assert!(told.body().contains("To try again, write there again."), "{}", told.body());
    house.is_heard(&house.alice, "sorry", "alice").await;
    // Who disconnects stays there, too, and is back with the connection.
    house.alice.send_text(&house.network, "disconnect");
    house.world.ircd.wait_gone("alice").await;
    house.alice.send_text(&house.network, "connect");
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "there you are");
    homeserver.wait_message(&house.room, "there you are").await;
    house.world.wait_outbox_empty().await;
    assert!(house.is_in(house.alice.id()));
    assert_eq!(house.changes(), []);
    // Who leaves the room leaves the channel.
    house.alice.leave(&house.room);
    house.world.ircd.wait_parted("#tea", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_the_channel_is_not_brought_back_by_a_start() {
    let mut house = House::open(&PUBLIC).await;
    house.alice.send_text(&house.network, "part #tea");
    house.world.ircd.wait_parted("#tea", "alice").await;
    let other = house.carol.create_room(&PUBLIC);
    house.alice.join(&other).await;
    let mark = house.world.ircd.lines_from("alice").len();
    let members = format!("/rooms/{}/joined_members", house.room);
    let looks = house.world.homeserver.requests("GET", &members);
    house.restart_with(&format!("{}, {}", mapping("#tea", &house.room), mapping("#zoo", &other))).await;
    house.world.homeserver.wait_requests("GET", &members, looks + 1).await;
    house.world.ircd.wait_joined("#zoo", "alice").await;
    let lines = house.world.ircd.lines_from("alice");
    assert!(lines[mark..].iter().all(|line| !line.contains("#tea")), "{lines:?}");
    house.is_heard(&house.alice, "by myself", "alice").await;
    // A room that is to show another channel shows that, without another invitation.
    house.restart_with(&mapping("#den", &house.room.clone())).await;
    house.world.ircd.wait_joined("#den", "alice").await;
    house.bob.join("#den");
    house.bob.say("#den", "another channel");
    house.world.homeserver.wait_message(&house.room, "another channel").await;
    let bot = house.world.homeserver.bot();
    let events = house.world.homeserver.events(&house.room);
    let moves = events.iter().filter(|event| event.state_key.as_deref() == Some(&bot)).count();
    assert_eq!(moves, 1, "the bot came once, and stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_channel_refuses_stays_in_the_room_and_is_told_what_becomes_of_their_message() {
    let house = House::open(&PUBLIC).await;
    house.alice.send_text(&house.network, "part #tea");
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.world.ircd.ban_joins("#tea", 474);
    house.alice.send_text(&house.room, "let me in");
    let told = house.world.homeserver.wait_event(&house.network, begins("Not in #tea")).await;
    assert!(told.body().contains("What you write in its room does not go there now."), "{}", told.body());
    let left = "SELECT user_id FROM outsider";
    house.world.database().wait("she is out", left, |left| left == ["@alice:test.local"]).await;
    // It waits or was not sent, as it was read before or after the refusal; it says which.
    house.world.homeserver.wait_event(&house.room, begins("Your message w")).await;
    assert!(house.is_in(house.alice.id()));
    house.world.ircd.allow_joins("#tea");
    house.is_heard(&house.alice, "let me in, please", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybody_who_has_a_session_there_nothing_is_shown() {
    let house = House::open(&PUBLIC).await;
    house.alice.leave(&house.room);
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.bob.say("#tea", "nobody hears this");
    house.alice.join(&house.room).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "somebody hears this");
    house.world.homeserver.wait_message(&house.room, "somebody hears this").await;
    assert!(!house.world.homeserver.timeline_lines(&house.room).contains(&"nobody hears this".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plumbed_channel_has_no_alias_and_a_deserted_shared_room_gives_way() {
    let mut house = House::build(world(), &PUBLIC).await;
    let found = house.alice.join(ALIAS).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "by alias");
    house.world.homeserver.wait_message(&found, "by alias").await;
    house.alice.leave(&found);
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.world.homeserver.wait_alias(ALIAS, None).await;
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "by its id");
    house.world.homeserver.wait_message(&house.room, "by its id").await;
    for user in [BOB.to_owned(), house.world.homeserver.bot()] {
        house.world.homeserver.wait_member(&found, &user, "leave").await;
    }
    assert!(house.carol.try_join(ALIAS).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_taken_up_and_let_go_of_while_the_bridge_runs() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, _) = world.greeted_user("alice").await;
    let room = alice.create_room(&PUBLIC);
    let connections = world.ircd.connections();
    let line = format!("    channels: {{ {} }}\n", mapping("#tea", &room));
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    reload(&world, &process, |text| text.replace(&line, "")).await;
    world.ircd.wait_parted("#tea", "alice").await;
    world.homeserver.wait_member(&room, &world.homeserver.bot(), "leave").await;
    assert_eq!(world.ircd.connections(), connections, "nobody was disconnected");
    assert_eq!(process.stop().await, Some(0));
}

/// Before, a reload or a restart brought their next identity into the channel, and the room showed it by that one.
#[tokio::test(flavor = "multi_thread")]
async fn whose_connection_is_closed_is_not_brought_into_the_channel_by_another_identity_of_theirs() {
    let mut house = House::open(&PUBLIC).await;
    house.alice.send_text(&house.control, "open fake as work");
    let work = house.world.homeserver.wait_invite(house.alice.id()).await;
    house.alice.join(&work).await;
    house.world.ircd.wait_registered("alice_work").await;
    house.alice.send_text(&house.network, "disconnect");
    house.world.ircd.wait_gone("alice").await;
    let members = format!("/rooms/{}/joined_members", house.room);
    let before = house.world.homeserver.requests("GET", &members);
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.world.homeserver.wait_requests("GET", &members, before + 1).await;
    // Nor does a new name, which is an event of somebody who joins.
    house.alice.set_displayname("Alice at home");
    house.world.homeserver.wait_delivered().await;
    house.world.ircd.wait_registered("alice_work").await;
    house.alice.send_text(&house.network, "connect");
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.is_heard(&house.alice, "by my own nick", "alice").await;
    let lines = house.world.ircd.lines_from("alice_work");
    assert!(lines.iter().all(|line| !line.starts_with("JOIN")), "{lines:?}");
}

/// Before, all rooms waited for the one, and another that had become encrypted went on to show what was said on IRC.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_server_does_not_answer_holds_up_no_other() {
    let mut house = House::open(&PUBLIC).await;
    let dead = house.carol.create_room(&PUBLIC);
    let homeserver = &house.world.homeserver;
    let (bot, join) = (homeserver.bot(), format!("/rooms/{dead}/join"));
    homeserver.faults().fail("POST", &join, no_answer(), 10_000);
    // It comes first by the name of its channel.
    let other = house.alice.create_room(&PUBLIC);
    let channels =
        [("#a", &dead), ("#tea", &house.room), ("#zoo", &other)].map(|(name, room)| mapping(name, room));
    house.restart_with(&channels.join(", ")).await;
    let homeserver = &house.world.homeserver;
    homeserver.wait_requests("POST", &join, 1).await;
    house.world.ircd.wait_joined("#zoo", "alice").await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.encrypt();
    homeserver.wait_member(&house.room, &bot, "leave").await;
    house.world.ircd.wait_parted("#tea", "alice").await;
    // And it is taken up when its server answers, sooner if the homeserver is heard from.
    homeserver.faults().clear();
    house.bob.join("#zoo");
    house.bob.say("#zoo", "meanwhile");
    homeserver.wait_message(&other, "meanwhile").await;
    homeserver.wait_member(&dead, &bot, "join").await;
}

/// Before, the bot redacted it with the power that it was given to invite.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_of_the_channel_takes_back_stays_in_other_peoples_room() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let mut house = House::build(World::builder().ircd(options), &PUBLIC).await;
    let mut levels = house.world.homeserver.state(&house.room, "m.room.power_levels", "");
    levels["users"][house.world.homeserver.bot()] = json!(50);
    house.carol.send_state(&house.room, "m.room.power_levels", "", levels).unwrap();
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    let (homeserver, ircd) = (&house.world.homeserver, &house.world.ircd);
    ircd.wait_joined("#tea", "alice").await;
    house.is_heard(&house.alice, "from Matrix", "alice").await;
    house.bob.say("#tea", "from IRC");
    let own = homeserver.wait_message(&house.room, "from IRC").await.event_id;
    for text in ["from Matrix", "from IRC"] {
        house.bob.raw_line(&format!("REDACT #tea {}", ircd.wait_msgid(text).await));
    }
    homeserver.wait_event(&house.room, |event| event.redacts.as_deref() == Some(&own)).await;
    house.world.wait_outbox_empty().await;
    let events = homeserver.events(&house.room);
    let redacted: Vec<_> = events.iter().filter_map(|event| event.redacts.as_ref()).collect();
    assert_eq!(redacted, [&own]);
}

/// Before, a row stayed for each stranger who had ever said something there.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_other_peoples_room_is_forgotten_there() {
    let house = House::open(&PUBLIC).await;
    let (database, room) = (house.world.database(), &house.room);
    house.carol.send_text(room, "hello?");
    database.wait("she was told", KNOWN, |known| known == ["@carol:test.local"]).await;
    house.alice.send_text(&house.network, "part #tea");
    house.world.ircd.wait_parted("#tea", "alice").await;
    database.wait("she is out", KNOWN, |known| known == ["@alice:test.local", "@carol:test.local"]).await;
    house.carol.leave(room);
    database.wait("carol is gone", KNOWN, |known| known == ["@alice:test.local"]).await;
    house.is_heard(&house.alice, "back", "alice").await;
    house.alice.leave(room);
    house.world.ircd.wait_parted("#tea", "alice").await;
    database.wait("nobody is known", KNOWN, <[String]>::is_empty).await;
}

/// Before, `erase` said that nothing was kept about her.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_whom_no_more_is_kept_than_that_they_are_in_other_peoples_room_can_be_erased() {
    let house = House::open(&PUBLIC).await;
    house.carol.send_text(&house.room, "hello?");
    house.world.database().wait("she was told", KNOWN, |known| known == ["@carol:test.local"]).await;
    let (admin, chat) = house.world.user_with_control_room("admin").await;
    admin.send_text(&chat, "erase @carol:test.local confirm");
    let deleted = begins("Deleted: all that was kept about @carol:test.local");
    house.world.homeserver.wait_event(&chat, deleted).await;
    assert_eq!(house.world.database().texts(KNOWN).await, Vec::<String>::new());
    assert!(house.is_in(house.carol.id()), "the room is not the bridge's");
    house.is_heard(&house.alice, "she is still here", "alice").await;
}

/// They are its people's, whatever the channel's are.
#[tokio::test(flavor = "multi_thread")]
async fn the_powers_and_rules_of_an_existing_room_don_t_follow_its_channel_nor_the_other_way_round() {
    let mut house = House::build(world(), &PUBLIC).await;
    house.restart_with(&mapping("#tea", &house.room.clone())).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "welcome");
    house.world.homeserver.wait_message(&house.room, "welcome").await;
    let homeserver = &house.world.homeserver;
    let mut levels = homeserver.state(&house.room, "m.room.power_levels", "");
    levels["users"][house.alice.id()] = 50.into();
    house.carol.send_state(&house.room, "m.room.power_levels", "", levels).unwrap();
    let state =
        || ["m.room.power_levels", "m.room.join_rules"].map(|kind| homeserver.state(&house.room, kind, ""));
    let (before, changes) = (state(), house.changes());
    house.bob.mode("#tea", "+moi alice");
    house.bob.mode("#tea", "+b alice!*@*");
    // In a room that the bridge has made, later, they do.
    let other = house.alice.join("#irc_fake_#cake:test.local").await;
    let is_operator = |levels: &Value| levels["users"][house.alice.id()] == 50;
    homeserver.wait_state(&other, "m.room.power_levels", "", is_operator).await;
    assert_eq!((state(), house.changes()), (before, changes));
    // What she does to the room she does not do on IRC.
    house.alice.kick(&house.room, "@irc_fake_bob:test.local", "").unwrap();
    house.alice.send_state(&house.room, "m.room.topic", "", json!({ "topic": "hers" })).unwrap();
    house.is_heard(&house.alice, "is bob gone?", "alice").await;
    let lines = house.world.ircd.lines_from("alice");
    let done = |line: &&String| ["KICK", "TOPIC", "PART"].iter().any(|verb| line.starts_with(verb));
    assert_eq!(lines.iter().find(done), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1268_who_says_nothing_for_weeks_stays_in_a_plumbed_room_and_in_its_channel() {
    let house = House::open(&PUBLIC).await;
    for _ in 0..60 {
        house.world.pass("alice", Duration::from_hours(12)).await;
    }
    house.bob.say("#tea", "is anybody still here?");
    house.world.homeserver.wait_message(&house.room, "is anybody still here?").await;
    let members = house.world.homeserver.members(&house.room, "join");
    for user in [&house.alice, &house.carol] {
        assert!(members.contains(&user.id().to_owned()), "{members:?}");
    }
    assert!(house.world.ircd.names("#tea").contains(&"alice".to_owned()));
}
