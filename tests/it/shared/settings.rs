//! What stands in a shared room is not for whoever happens to show its channel to choose, but for the configuration.

use encoding_rs::KOI8_R;

use super::*;
use crate::reload::reload;
use crate::support::bridge::ask;
use crate::support::ircd::text_of;

/// What the administrator says, and what somebody sets for themselves.
const FOR_ALL: &str = "settings:\n  members: active\n  ranks: name\n  channel-news: show\n  comings: show\n";
const THEIR_OWN: [&str; 7] = [
    "members none",
    "ranks none",
    "channel-news hide",
    "comings hide",
    "colours hide",
    "pill-length 99",
    "pill-ignore eve frank",
];

impl Talk {
    /// What somebody who comes new is seen to do, as the configuration says.
    async fn is_as_configured(&self, nick: &str) {
        let (homeserver, room) = (&self.world.homeserver, &self.room);
        let ghost = format!("@irc_fake_{nick}:test.local");
        let person = self.world.ircd.person(nick);
        person.join("#tea");
        homeserver.wait_message(room, &format!("{nick} came in")).await;
        self.bob.say("#tea", &format!("have some tea, {nick}"));
        let named = homeserver.wait_message(room, &format!("have some tea, {nick}")).await;
        let html = named.content["formatted_body"].as_str().unwrap_or_default();
        assert!(html.contains(&ghost), "{html}");
        // Who is named comes in, and with a rank shows that.
        homeserver.wait_member(room, &ghost, "join").await;
        self.bob.mode("#tea", &format!("+o {nick}"));
        homeserver.wait_message(room, &format!("bob sets +o {nick}")).await;
        let is_ranked = |member: &serde_json::Value| member["displayname"] == format!("@{nick}");
        homeserver.wait_state(room, "m.room.member", &ghost, is_ranked).await;
        self.bob.say("#tea", &format!("\x0304red\x03 for {nick}"));
        let red = homeserver.wait_message(room, &format!("red for {nick}")).await;
        let html = red.content["formatted_body"].as_str().unwrap_or_default();
        assert!(html.contains("data-mx-color"), "{html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_sets_who_shows_the_channel_changes_nothing_for_the_others_also_when_another_takes_over()
 {
    let talk = Talk::begin(world().config(FOR_ALL).start().await).await;
    let [alices, carols] = &talk.networks;
    for setting in THEIR_OWN {
        let key = setting.split(' ').next().unwrap();
        let answer = ask(&talk.world, &talk.alice, alices, &format!("set {setting}"), "for fake.").await;
        let told = "In the rooms that you share with others it stays as this bridge's administrator says.";
        assert!(answer.body().ends_with(told), "{}", answer.body());
        let answer = ask(&talk.world, &talk.carol, carols, &format!("set #tea {setting}"), "for #tea.").await;
        assert!(answer.body().contains("others see the room of #tea, too"), "{}", answer.body());
        let held =
            ask(&talk.world, &talk.carol, carols, &format!("set #tea {key}"), &format!("{key} ")).await;
        assert!(!held.body().starts_with(setting), "{}", held.body());
    }
    talk.is_as_configured("eve").await;
    talk.alice.send_text(alices, "disconnect");
    talk.world.homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    talk.bob.say("#tea", "carol shows it now");
    talk.world.homeserver.wait_message(&talk.room, "carol shows it now").await;
    talk.is_as_configured("frank").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_of_shared_rooms_is_said_for_a_network_before_it_is_for_all() {
    // Its channels are small: by itself everybody would be there.
    let shared = "{ burst: 100, interval_ms: 0 }\n    shared: { members: none }";
    let world = world().flood(shared).without_bridge().await;
    let process = world.start_process_with(&[]);
    let talk = Talk::begin(world).await;
    let shown = "members none (from this bridge's configuration, for this network)";
    ask(&talk.world, &talk.alice, &talk.networks[0], "set #tea members", shown).await;
    ask(&talk.world, &talk.alice, &talk.networks[0], "set members", "members auto (built in)").await;
    // Who is named does not come by that, and who speaks does.
    talk.bob.say("#tea", "dan: are you there?");
    talk.world.homeserver.wait_message(&talk.room, "dan: are you there?").await;
    talk.world.wait_outbox_empty().await;
    let members = talk.world.homeserver.members(&talk.room, "join");
    assert!(!members.iter().any(|member| member == DAN), "{members:?}");
    reload(&talk.world, &process, |text| text.replace("{ members: none }", "{ members: all }")).await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "join").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_of_a_channels_shared_room_is_said_for_the_channel_before_its_network() {
    // Written otherwise than the channel is called.
    let shared =
        "{ burst: 100, interval_ms: 0 }\n    shared: { members: all, members_of: { \"#TEA\": none } }";
    let world = world().flood(shared).without_bridge().await;
    let process = world.start_process_with(&[]);
    let talk = Talk::begin(world).await;
    let shown = "members none (from this bridge's configuration, for this network)";
    ask(&talk.world, &talk.alice, &talk.networks[0], "set #tea members", shown).await;
    talk.bob.say("#tea", "dan: are you there?");
    talk.world.homeserver.wait_message(&talk.room, "dan: are you there?").await;
    talk.world.wait_outbox_empty().await;
    let members = talk.world.homeserver.members(&talk.room, "join");
    assert!(!members.iter().any(|member| member == DAN), "{members:?}");
    reload(&talk.world, &process, |text| text.replace("\"#TEA\": none", "\"#coffee\": none")).await;
    talk.world.homeserver.wait_member(&talk.room, DAN, "join").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_shared_room_is_read_as_the_configuration_says_and_written_as_each_chose() {
    let talk = Talk::begin(world().start().await).await;
    let [network, _] = &talk.networks;
    ask(&talk.world, &talk.alice, network, "charset koi8-r", "FakeNet: KOI8-R is written").await;
    let answer = ask(&talk.world, &talk.alice, network, "charset #tea", "#tea: KOI8-R is written").await;
    assert!(answer.body().contains("what is not UTF-8 is read as windows-1252"), "{}", answer.body());
    talk.bob.say("#tea", &text_of(b"caf\xe9"));
    talk.world.homeserver.wait_message(&talk.room, "café").await;
    talk.alice.send_text(&talk.room, "привет");
    talk.bob.wait_text(&text_of(&KOI8_R.encode("привет").0)).await;
    talk.heard("alice").await;
    talk.heard("carol").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(talk.lines(&["привет", "café"]).len(), 2);
}

/// Before, the channel was read on in one's own room as in the shared one, until the next connection.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_shared_room_for_one_of_their_own_reads_the_channel_as_they_chose() {
    let talk = Talk::begin(world().start().await).await;
    let [network, _] = &talk.networks;
    ask(&talk.world, &talk.alice, network, "charset #tea koi8-r", "#tea: KOI8-R is written").await;
    ask(&talk.world, &talk.alice, network, "part #tea", "#tea").await;
    talk.world.homeserver.wait_member(&talk.room, talk.alice.id(), "leave").await;
    talk.alice.send_text(network, "join #tea");
    let own = talk.alice.join(&talk.world.homeserver.wait_invite(talk.alice.id()).await).await;
    assert_ne!(own, talk.room);
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.bob.say("#tea", &text_of(&KOI8_R.encode("привет").0));
    talk.world.homeserver.wait_message(&own, "привет").await;
}
