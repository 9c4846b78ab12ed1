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

/// Before, they sat in the room of a channel that did not want them: only the one that hung would have acted.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_a_hanging_connection_did_not_hear_holds_for_the_one_that_takes_over() {
    let talk = talk_with("PREFIX=(ov)@+").await;
    let (erin, frank) = (talk.joined_by("erin").await, talk.joined_by("frank").await);
    // Alice shows the channel, and does not hear of it.
    talk.world.ircd.mute("alice");
    talk.bob.mode("#tea", "+b frank!*@*");
    talk.bob.mode("#tea", "+b erin!*@*");
    talk.bob.mode("#tea", "-b frank!*@*");
    talk.heard("carol").await;
    talk.world.ircd.cut("alice");
    talk.world.homeserver.wait_member(&talk.room, erin.id(), "leave").await;
    talk.world.ircd.wait_parted("#tea", "erin").await;
    let reason = talk.world.homeserver.state(&talk.room, "m.room.member", erin.id())["reason"].clone();
    assert_eq!(reason, "bob banned you from #tea.");
    // Who is not banned any more stays.
    talk.bob.say("#tea", "who is left?");
    talk.world.homeserver.wait_message(&talk.room, "who is left?").await;
    talk.world.wait_outbox_empty().await;
    assert!(talk.world.homeserver.members(&talk.room, "join").contains(&frank.id().to_owned()));
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
