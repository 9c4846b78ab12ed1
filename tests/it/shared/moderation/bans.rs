//! Bans on IRC that come at the wrong moment for those who are in a shared room.

use super::*;

impl Talk {
    /// Somebody else is in the room and its channel, too.
    async fn joined_by(&self, name: &str) -> TestUser {
        let user = self.world.homeserver.user(name);
        user.join(ALIAS).await;
        user.send_text(&self.room, &format!("{name} is here"));
        self.bob.wait_text(&format!("{name} is here")).await;
        user
    }
}

/// Before, they sat in the room of a channel that did not want them, until another connection showed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_holds_though_the_connection_that_shows_the_channel_hears_nothing_of_it() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    let (erin, frank) = (talk.joined_by("erin").await, talk.joined_by("frank").await);
    // Alice shows the channel, and does not hear of it.
    talk.world.ircd.mute("alice");
    talk.bob.mode("#tea", "+b erin!*@*");
    talk.world.homeserver.wait_member(&talk.room, erin.id(), "leave").await;
    talk.world.ircd.wait_parted("#tea", "erin").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", erin.id())["reason"].clone();
    assert_eq!(reason, "bob banned you from #tea.");
    frank.send_text(&talk.room, "who is left?");
    talk.bob.wait_text("who is left?").await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&frank.id().to_owned()));
}

/// Before, each who took over judged the bans of the last ten minutes by who was there then: nobody but carol.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_may_have_meant_somebody_who_has_gone_since_takes_nobody_out_when_another_takes_over() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    let erin = talk.joined_by("erin").await;
    let carl = talk.world.ircd.person("carl");
    carl.join("#tea");
    talk.world.ircd.wait_joined("#tea", "carl").await;
    // Carl is meant; carol could be, and the server lets her in.
    talk.bob.mode("#tea", "+b car*!*@*");
    talk.bob.kick("#tea", "carl", "enough");
    // Erin's nick is banned while it is nobody's.
    talk.bob.mode("#tea", "+b nina!*@*");
    talk.heard("carol").await;
    let nick = talk.world.homeserver.wait_invite(erin.id()).await;
    erin.join(&nick).await;
    erin.send_text(&nick, "nick nina");
    talk.world.ircd.wait_joined("#tea", "nina").await;
    talk.alice.send_text(&talk.networks[0], "disconnect");
    talk.world.ircd.wait_parted("#tea", "alice").await;
    talk.bob.say("#tea", "who shows it now?");
    talk.world.homeserver.wait_message(&talk.room, "who shows it now?").await;
    for (user, text) in [(&talk.carol, "I am still here"), (&erin, "and so am I")] {
        user.send_text(&talk.room, text);
        talk.bob.wait_text(text).await;
    }
    talk.world.wait_outbox_empty().await;
    let members = talk.world.homeserver.members(&talk.room, "join");
    assert!([talk.carol.id(), erin.id()].iter().all(|id| members.contains(&(*id).to_owned())), "{members:?}");
}

/// Nobody of ours is there to hear of it: the server says so to whoever comes.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_banned_while_the_bridge_was_away_is_out_of_the_room_when_it_is_back() {
    let mut talk = talk_with("PREFIX=(ov)@+").await;
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.bob.mode("#tea", "+b carol!*@*");
    talk.world.start_bridge().await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.world.homeserver.wait_event(&talk.networks[1], begins("Not in #tea")).await;
    // Taken back by services or whoever it was, while the bridge is away again.
    talk.world.stop_bridge().await;
    talk.bob.mode("#tea", "-b carol!*@*");
    talk.world.start_bridge().await;
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
}
