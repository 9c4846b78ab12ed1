//! A shared room whose channel services keep: what they change on IRC is what the room shows.

use serde_json::{Value, json};

use super::*;
use crate::rig::atheme::Atheme;

/// The registered channel of a town with services, its founder, and its room, where alice is.
async fn registered() -> (Town, Atheme, IrcPerson, String) {
    let town = with_shared_rooms("").await;
    let atheme = Atheme::start(&town.inspircd).await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.say("NickServ", "REGISTER looking-glass irene@test.local");
    irene.wait_line(|line| line.contains("NOTICE") && line.contains("is now registered")).await;
    irene.join(CHANNEL).await;
    irene.say("ChanServ", &format!("REGISTER {CHANNEL}"));
    irene.wait_line(|line| line.contains("NOTICE") && line.contains("is now registered to")).await;
    let room = join_shared(&town.alice).await;
    town.alice.say(&room, "alice is here").await;
    irene.wait_said("alice", CHANNEL, "alice is here").await;
    (town, atheme, irene, room)
}

#[tokio::test]
async fn what_channel_services_change_is_so_in_a_shared_room_on_atheme() {
    let (town, _atheme, irene, room) = registered().await;
    let alice = &town.alice;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is here").await;
    irene.wait_said("carol", CHANNEL, "carol is here").await;
    let tell = |words: &str| irene.say("ChanServ", words);
    let has_power = |user: &str, power: Value| {
        let user = user.to_owned();
        move |levels: &Value| levels["users"][&user] == power
    };

    // Ranks.
    tell(&format!("OP {CHANNEL} alice"));
    alice.wait_state(&room, "m.room.power_levels", has_power(alice.id(), json!(50))).await;
    tell(&format!("VOICE {CHANNEL} carol"));
    alice.wait_state(&room, "m.room.power_levels", has_power(carol.id(), json!(10))).await;
    tell(&format!("DEVOICE {CHANNEL} carol"));
    alice.wait_state(&room, "m.room.power_levels", has_power(carol.id(), Value::Null)).await;

    // The topic, and modes that services hold fast: what a moderator changes in the room is put back there, too.
    tell(&format!("TOPIC {CHANNEL} Kept by services"));
    alice.wait_state(&room, "m.room.topic", |content| content["topic"] == "Kept by services").await;
    tell(&format!("SET {CHANNEL} MLOCK +m-i"));
    alice.wait_state(&room, "m.room.power_levels", |levels| levels["events_default"] == 10).await;
    let mark = irene.mark();
    put_state(alice, &room, "m.room.join_rules", &json!({ "join_rule": "invite" })).await;
    let closed = |line: &str| line.starts_with(":alice!") && line.contains(" MODE ") && line.contains("+i");
    irene.wait_line_after(mark, closed).await;
    let opened =
        |line: &str| line.starts_with(":ChanServ!") && line.contains(" MODE ") && line.contains("-i");
    irene.wait_line_after(mark, opened).await;
    alice.wait_state(&room, "m.room.join_rules", |rules| rules["join_rule"] == "public").await;
    tell(&format!("SET {CHANNEL} MLOCK -mi"));
    alice.wait_state(&room, "m.room.power_levels", |levels| levels["events_default"] == 0).await;

    // Out, with the reason that services give.
    tell(&format!("KICK {CHANNEL} carol not today"));
    carol.wait_out(&room).await;
    let is_removal = |event: &Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == carol.id()
            && event["content"]["membership"] == "leave"
            && event["content"]["reason"].as_str().is_some_and(|reason| reason.contains("not today"))
    };
    alice.wait_event(&room, is_removal).await;
    tell(&format!("DEOP {CHANNEL} alice"));
    alice.wait_state(&room, "m.room.power_levels", has_power(alice.id(), Value::Null)).await;

    // Services are no member: nobody of that name has come.
    let members = alice.events(&room);
    let is_service = |event: &&Value| event["state_key"] == ghost("chanserv").as_str();
    assert_eq!(members.iter().find(is_service), None);
}
