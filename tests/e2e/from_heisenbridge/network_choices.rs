//! The room of a network: what one has set there.

use reqwest::Method;
use serde_json::json;

use super::{Steps, html_of, sees_alice};
use crate::rig::irc::IrcPerson;
use crate::rig::town::ghost;
use crate::scene::{CHANNEL, Scene, ask};

#[tokio::test]
async fn what_one_sets_for_a_network_holds_on_real_servers() {
    let steps = Steps::of("In a network's room", "what_one_sets_for_a_network_holds_on_real_servers");
    let scene = Scene::start().await;
    shown(&scene, &steps).await;
    news(&scene, &steps).await;
    back_into_channels(&scene, &steps).await;
    strangers(&scene, &steps).await;
    picture(&scene, &steps).await;
    steps.end();
}

async fn shown(scene: &Scene, steps: &Steps) {
    let (alice, network, room, irene) =
        (&scene.town.alice, scene.network.as_str(), scene.room.as_str(), &scene.irene);
    let pill = format!("<a href=\"https://matrix.to/#/{}\">witness</a>", ghost("witness"));

    steps.begin("PILLS");
    irene.say(CHANNEL, "I saw witness there");
    assert_eq!(html_of(alice, room, "I saw witness there").await, format!("I saw {pill} there"));
    ask(alice, network, "set pill-length 8", "pill-length 8 for demo").await;
    irene.say(CHANNEL, "I see witness here");
    assert_eq!(html_of(alice, room, "I see witness here").await, "");
    irene.say(CHANNEL, "witness: do you see me?");
    assert_eq!(html_of(alice, room, "do you see me?").await, format!("{pill}: do you see me?"));
    ask(alice, network, "set pill-ignore witness", "pill-ignore witness for demo").await;
    irene.say(CHANNEL, "witness: you are a word");
    assert_eq!(html_of(alice, room, "you are a word").await, "");

    steps.begin("COLOR");
    irene.say(CHANNEL, "\u{3}04red\u{3} and \u{2}bold\u{2}");
    assert!(html_of(alice, room, "red and bold").await.contains("data-mx-color"));
    ask(alice, network, "set colours hide", "colours hide for demo").await;
    irene.say(CHANNEL, "\u{3}04blue\u{3} and \u{2}bold\u{2}");
    assert_eq!(html_of(alice, room, "blue and bold").await, "blue and <b>bold</b>");
}

async fn news(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("FORWARD");
    ask(alice, network, "set channel-news show", "channel-news show for demo").await;
    ask(alice, network, "set forward on", "forward on for demo").await;
    irene.raw(&format!("MODE {CHANNEL} +m"));
    alice.wait_message(network, "#towline: irene sets +m").await;
    ask(alice, network, "unset forward", "forward").await;
    irene.raw(&format!("MODE {CHANNEL} -m"));
    alice.wait_message(&scene.room, "irene sets -m").await;
    let said = alice.messages(&scene.room);
    assert!(!said.iter().any(|(_, text)| text.contains("irene sets +m")), "{said:?}");
}

async fn back_into_channels(scene: &Scene, steps: &Steps) {
    let (alice, network, room, irene) =
        (&scene.town.alice, scene.network.as_str(), scene.room.as_str(), &scene.irene);

    steps.begin("REJOIN");
    ask(alice, network, "set rejoin-on-kick off", "rejoin-on-kick off for demo").await;
    irene.raw(&format!("KICK {CHANNEL} alice :out"));
    alice.wait_message(room, "I don't go back by myself").await;
    let mark = irene.mark();
    alice.say(network, "rejoin").await;
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    ask(alice, network, "set rejoin-on-kick on", "rejoin-on-kick on for demo").await;
    irene.raw(&format!("KICK {CHANNEL} alice :out again"));
    alice.wait_message(room, "I go back once").await;

    ask(alice, network, "set rejoin-on-invite known", "rejoin-on-invite known for demo").await;
    let mark = irene.mark();
    irene.raw(&format!("INVITE alice {CHANNEL}"));
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    irene.join("#elsewhere").await;
    irene.raw("INVITE alice #elsewhere");
    alice.wait_message(network, "irene invites you to #elsewhere.").await;
    ask(alice, network, "set rejoin-on-invite all", "rejoin-on-invite all for demo").await;
    irene.join("#anywhere").await;
    irene.raw("INVITE alice #anywhere");
    sees_alice(irene, mark, "JOIN #anywhere").await;
    assert!(!irene.names("#elsewhere").await.contains(&"alice".to_owned()));
}

async fn strangers(scene: &Scene, steps: &Steps) {
    let (alice, network) = (&scene.town.alice, scene.network.as_str());
    let server = scene.town.inspircd.address();

    steps.begin("AUTOQUERY");
    ask(alice, network, "set autoquery off", "autoquery off for demo").await;
    let otto = IrcPerson::connect(server, "otto").await;
    otto.say("alice", "psst");
    alice.wait_message(network, "otto: psst").await;
    ask(alice, network, "unset autoquery", "autoquery").await;
    ask(alice, network, "set strangers ask", "strangers ask for demo").await;
    let eve = IrcPerson::connect(server, "eve").await;
    eve.say("alice", "it is cheap");
    let question = alice.wait_message(network, "eve (eve@").await;
    assert!(question["content"]["body"].as_str().unwrap().contains("it is cheap"), "{question}");
    let accept = json!({ "m.relates_to":
        { "rel_type": "m.annotation", "event_id": question["event_id"], "key": "✅" } });
    alice.send(network, "m.reaction", &accept).await;
    let room = alice.wait_invite_from(&ghost("eve")).await;
    alice.join(&room).await;
    assert_eq!(alice.wait_message(&room, "it is cheap").await["sender"], ghost("eve"));
    ask(alice, network, "unset strangers", "strangers").await;
    otto.say("alice", "may I?");
    let room = alice.wait_invite_from(&ghost("otto")).await;
    alice.join(&room).await;
    assert_eq!(alice.wait_message(&room, "may I?").await["sender"], ghost("otto"));
}

async fn picture(scene: &Scene, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let shown = async || {
        let path = format!("profile/{}", ghost("irene"));
        let profile = alice.request(Method::GET, &path, &json!({})).await.unwrap();
        profile["avatar_url"].as_str().unwrap_or_default().to_owned()
    };
    steps.begin("AVATAR");
    let picture = alice.upload("image/png", b"\x89PNG\r\n\x1a\n").await;
    let typed = format!("avatar irene {picture}");
    ask(alice, control, &typed, "irene on Demo has another picture from now on.").await;
    assert_eq!(shown().await, picture);
    ask(alice, control, "avatar irene off", "irene on Demo has no picture from now on.").await;
    assert_eq!(shown().await, "");
}
