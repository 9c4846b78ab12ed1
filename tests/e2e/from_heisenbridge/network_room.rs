//! The room of a network: who one is there, the connection, and what is said by hand. With services.

use serde_json::json;
use tempfile::TempDir;

use super::{Steps, sees_alice, wait_taken_back, whois};
use crate::rig::atheme::Atheme;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town, ghost};
use crate::scene::{CHANNEL, Scene, ask};

/// What is sent as the server's password is handed to NickServ, as on many networks.
const HAND_ON: &str = "<module name=\"passforward\"><passforward nick=\"NickServ\" \
                       cmd=\"SQUERY $nickrequired :IDENTIFY $nick $pass\">\n";

#[tokio::test]
async fn who_one_is_and_what_is_said_by_hand_are_right_on_real_servers() {
    let steps =
        Steps::of("In a network's room", "who_one_is_and_what_is_said_by_hand_are_right_on_real_servers");
    let directory = TempDir::with_prefix("towline-network-").unwrap();
    let inspircd = Inspircd::start_with(&directory.path().join("inspircd"), HAND_ON).await;
    let atheme = Atheme::start(&inspircd).await;
    atheme.register_account(&inspircd, "alice", "looking-glass").await;
    let entry = NetworkEntry::tls("demo", NETWORK, &inspircd);
    let scene = Scene::in_town(Town::around(directory, inspircd, entry, &Extras::default()).await).await;
    names(&scene, &steps).await;
    services(&scene, &steps).await;
    by_itself(&scene, &steps).await;
    by_hand(&scene, &steps).await;
    requests(&scene, &steps).await;
    looks(&scene, &steps).await;
    steps.end();
}

async fn names(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("NICK");
    let mark = irene.mark();
    alice.say(network, "nick alicia").await;
    let changed = sees_alice(irene, mark, "NICK").await;
    assert!(changed.ends_with("alicia"), "{changed}");
    alice.wait_message(network, "You are now alicia.").await;
    alice.say(network, "nick alice").await;
    irene.wait_line_after(mark, |line| line.starts_with(":alicia!") && line.contains(" NICK ")).await;

    steps.begin("USERNAME REALNAME");
    ask(alice, network, "username wonderland", "Your user name will be wonderland.").await;
    ask(alice, network, "realname Alice Liddell", "Your real name will be Alice Liddell.").await;

    steps.begin("CONNECT DISCONNECT RECONNECT");
    let mark = irene.mark();
    alice.say(network, "disconnect out for tea").await;
    let left = sees_alice(irene, mark, "QUIT").await;
    assert!(left.contains("out for tea"), "{left}");
    alice.say(network, "connect").await;
    let entered = sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    assert!(entered.starts_with(":alice!wonderland@"), "{entered}");
    let told = whois(irene, "alice", 311).await;
    assert!(told.contains(" wonderland ") && told.ends_with(":Alice Liddell"), "{told}");

    steps.begin("PASSWORD");
    ask(alice, network, "password looking-glass", "server is stored encrypted.").await;
    let mark = irene.mark();
    alice.say(network, "reconnect").await;
    sees_alice(irene, mark, "QUIT").await;
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    alice.wait_message(network, "Logged in as alice").await;
    assert!(whois(irene, "alice", 330).await.contains(" alice alice "));
}

async fn services(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("NICKSERV NS CHANSERV CS");
    alice.say(network, "ns info alice").await;
    alice.wait_message(network, "Information on alice").await;
    let wonder = scene.town.join_channel(network, "#wonder").await;
    ask(alice, &wonder, "!irc names", "In #wonder is one person.").await;
    alice.say(network, "cs register #wonder").await;
    alice.wait_message(network, "#wonder is now registered to alice").await;
    irene.join("#wonder").await;
    alice.say(network, "chanserv op #wonder irene").await;
    irene.wait_line(|line| line.contains("MODE #wonder +o") && line.contains("irene")).await;
    let typed = alice.say(network, "nickserv set password through-the-looking-glass").await;
    wait_taken_back(alice, network, &json!({ "event_id": typed })).await;
    let told = alice.wait_message(network, "has been changed").await;
    assert!(!told["content"].to_string().contains("through-the-looking-glass"), "{told}");
}

async fn by_itself(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);
    // Her lines have the server's time.
    let clock = IrcPerson::connect(scene.town.inspircd.address(), "clock").await;
    clock.raw("CAP REQ :server-time");
    clock.wait_line(|line| line.contains(" ACK ")).await;

    steps.begin("AUTOCMD");
    ask(alice, network, "password off", "is deleted").await;
    ask(alice, network, "autocmd add msg clock one", "1. msg clock one").await;
    ask(alice, network, "autocmd add wait 2", "2. wait 2").await;
    ask(alice, network, "autocmd add msg clock two", "3. msg clock two").await;
    ask(alice, network, "autocmd add umode +w", "4. umode +w").await;
    ask(alice, network, "autocmd add msg irene before channels", "5. msg irene before channels").await;
    let mark = irene.mark();
    alice.say(network, "reconnect").await;
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    let lines = irene.lines_after(mark);
    let place = |part: &str| lines.iter().position(|line| line.starts_with(":alice!") && line.contains(part));
    assert!(place("before channels").unwrap() < place(" JOIN ").unwrap(), "{lines:?}");

    steps.begin("UMODE WAIT");
    let [one, two] = [said_at(&clock, "one").await, said_at(&clock, "two").await];
    let waited = one.duration_until(two);
    assert!(waited >= jiff::SignedDuration::from_secs(1), "{waited}");
    let shown = ask(alice, network, "umode", "Your modes on Demo: ").await;
    assert!(shown.contains('w'), "{shown}");
    ask(alice, network, "umode -w+i", "Your modes on Demo: ").await;
    let shown = ask(alice, network, "raw MODE alice", "Demo answers:").await;
    assert!(shown.contains('i') && !shown.contains("+w") && !shown.contains("iw"), "{shown}");
    ask(alice, network, "autocmd off", "Nothing runs by itself").await;
}

/// When somebody with the server's time was told this.
async fn said_at(clock: &IrcPerson, text: &str) -> jiff::Timestamp {
    let end = format!(" PRIVMSG clock {text}");
    let line = clock.wait_line(|line| line.replace(" :", " ").ends_with(&end)).await;
    let time = line.split("time=").nth(1).unwrap_or_else(|| panic!("no time: {line}"));
    time.split([' ', ';']).next().unwrap().parse().unwrap()
}

async fn by_hand(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("RAW");
    let told = ask(alice, network, "raw WHOIS irene", "Demo answers:").await;
    assert!(told.contains(" 127.0.0.1 "), "{told}");
    alice.say(network, "raw PRIVMSG irene :by hand").await;
    irene.wait_said("alice", "irene", "by hand").await;

    steps.begin("MSG");
    ask(alice, network, "msg irene don't panic", "Sent to irene.").await;
    irene.wait_said("alice", "irene", "don't panic").await;
}

async fn requests(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("CTCP CTCPCFG");
    alice.say(network, "ctcp irene version").await;
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains("\u{1}VERSION\u{1}")).await;
    irene.notice("alice", "\u{1}VERSION knots and ropes 4\u{1}");
    alice.wait_message(network, "irene answers VERSION: knots and ropes 4").await;
    irene.say("alice", "\u{1}VERSION\u{1}");
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains("\u{1}VERSION Towline")).await;
    ask(alice, network, "set ctcp-replies off", "ctcp-replies off for demo").await;
    irene.say("alice", "\u{1}PING unanswered\u{1}");
    alice.wait_message(network, "irene sent CTCP PING unanswered").await;
    alice.say(network, "msg irene nothing more").await;
    irene.wait_said("alice", "irene", "nothing more").await;
    assert!(!irene.lines().iter().any(|line| line.contains("PING unanswered")), "{:?}", irene.lines());
}

async fn looks(scene: &Scene, steps: &Steps) {
    let (alice, network, irene) = (&scene.town.alice, scene.network.as_str(), &scene.irene);

    steps.begin("WHOIS WHOAMI");
    let told = ask(alice, network, "whois irene", "irene is ").await;
    assert!(told.contains("irene@127.0.0.1") && told.contains(CHANNEL), "{told}");
    let told = ask(alice, network, "whoami", "alice is ").await;
    assert!(told.contains("wonderland@127.0.0.1") && told.contains("Alice Liddell"), "{told}");

    steps.begin("ROOM");
    let names = ask(alice, network, &format!("names {CHANNEL}"), "In #towline are 3 people.").await;
    assert!(names.contains("irene") && names.contains("witness"), "{names}");
    irene.raw(&format!("TOPIC {CHANNEL} :Ropes & knots"));
    irene.wait_line(|line| line.contains(&format!(" TOPIC {CHANNEL} "))).await;
    ask(alice, network, &format!("topic {CHANNEL}"), "Topic of #towline: Ropes & knots").await;

    steps.begin("STATUS");
    ask(alice, network, "status", "Demo | connected | alice |").await;
    irene.join("#closed").await;
    irene.raw("MODE #closed +i");
    alice.say(network, "join #closed").await;
    alice.wait_message(network, "Not in #closed").await;
    let channels = ask(alice, network, "channels", "(473). I try again").await;
    assert!(channels.contains("#towline") && channels.contains("#closed"), "{channels}");

    steps.begin("CAPS");
    // Whoever asks for something else behind it knows that the server has answered it.
    let has = async |name: &str| {
        ask(alice, network, "whois irene", "irene is ").await;
        let shown = ask(alice, network, "capabilities", "In force").await;
        let in_force = shown.lines().find(|line| line.contains("In force")).unwrap_or_default().to_owned();
        in_force.contains(name)
    };
    assert!(has("invite-notify").await);
    ask(alice, network, "capabilities -invite-notify", "-invite-notify").await;
    assert!(!has("invite-notify").await);
    ask(alice, network, "capabilities reset", "Asking Demo for the usual.").await;
    assert!(has("invite-notify").await);
    alice.wait_member(&scene.room, &ghost("witness"), "join").await;
}
