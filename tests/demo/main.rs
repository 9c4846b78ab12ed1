//! The demo: a conversation between a Matrix user and an IRC person through the real bridge, as both see it.
//!
//! `scripts/demo` installs the servers, builds and runs this. `--once` ends after the transcript; without it
//! everything stays up, to look around with a Matrix client.
#![expect(clippy::unwrap_used, reason = "a demo that cannot go on says where and stops")]
#![expect(clippy::print_stdout, reason = "the transcript is what this is for")]

use std::time::Duration;

#[path = "../rig/rig.rs"]
#[expect(dead_code, reason = "the end-to-end tests and this share the rig; neither uses all of it")]
mod rig;
#[path = "../it/support"]
mod support {
    pub(crate) mod ports;
}

use rig::irc::IrcPerson;
use rig::town::{PASSWORD, Town, ghost};

const CHANNEL: &str = "#towline";
/// The width of one side of the transcript.
const WIDTH: usize = 46;

/// Who says what.
enum Line {
    Irene(&'static str),
    Alice(&'static str),
    IreneDoes(&'static str),
    AliceDoes(&'static str),
}

const CONVERSATION: &[Line] = &[
    Line::Irene("hi! is this the towline channel?"),
    Line::Alice("it is. I'm in Element, and you?"),
    Line::Irene("in a terminal. you look quite at home"),
    Line::Alice("so do you :)"),
    Line::IreneDoes("waves"),
    Line::AliceDoes("waves back"),
    Line::Irene("Ελληνικά, 日本語, 🦀: do they arrive?"),
    Line::Alice("Ja, żółć and 🎉 too"),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let once = std::env::args().any(|argument| argument == "--once");
    println!("Starting Synapse, InspIRCd and Towline …");
    let mut town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let mark = irene.mark();
    println!("alice writes to the bot:  open demo,  then  join {CHANNEL}");
    let network = town.open_network().await;
    let room = town.join_channel(&network, CHANNEL).await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;

    println!();
    row(&format!("alice, in Matrix: {CHANNEL} (Demo)"), &format!("irene, on IRC: {CHANNEL}"));
    row(&"─".repeat(WIDTH), &"─".repeat(WIDTH));
    for line in CONVERSATION {
        say(&town, &irene, &room, line).await;
    }
    println!("\nEach of the {} lines arrived on both sides.", CONVERSATION.len());
    if !once {
        println!("\nLook around with Element or another Matrix client:");
        println!("  homeserver  {}", town.synapse.url);
        println!("  user        alice");
        println!("  password    {PASSWORD}");
        println!("An IRC client meets you in {CHANNEL} at {}.", town.inspircd.address());
        println!("Ctrl-C ends everything.");
        tokio::signal::ctrl_c().await.unwrap();
    }
    // The bridge says goodbye on IRC before its servers go. Ctrl-C has reached it too, so it may be gone.
    let stopped = town.towline.stop();
    drop(tokio::time::timeout(Duration::from_secs(10), stopped).await);
}

/// One says a line, the other gets it, and both views are printed as they were seen.
async fn say(town: &Town, irene: &IrcPerson, room: &str, line: &Line) {
    let (who, text, is_action) = match *line {
        Line::Irene(text) => ("irene", text, false),
        Line::Alice(text) => ("alice", text, false),
        Line::IreneDoes(text) => ("irene", text, true),
        Line::AliceDoes(text) => ("alice", text, true),
    };
    let sender = match (who, is_action) {
        ("irene", false) => {
            irene.say(CHANNEL, text);
            ghost("irene")
        }
        ("irene", _) => {
            irene.action(CHANNEL, text);
            ghost("irene")
        }
        (_, false) => {
            town.alice.say(room, text).await;
            town.alice.id().to_owned()
        }
        _ => {
            town.alice.action(room, text).await;
            town.alice.id().to_owned()
        }
    };
    let said =
        |event: &serde_json::Value| event["content"]["body"] == text && event["sender"] == sender.as_str();
    let event = town.alice.wait_event(room, said).await;
    let name = town.alice.displayname(room, &sender).unwrap_or(sender);
    let emote = event["content"]["msgtype"] == "m.emote";
    let left = shown(&name, event["content"]["body"].as_str().unwrap(), emote);
    let right = if who == "irene" {
        shown("irene", text, is_action)
    } else {
        let wanted = if is_action { format!("\u{1}ACTION {text}\u{1}") } else { text.to_owned() };
        irene.wait_said("alice", CHANNEL, &wanted).await;
        shown("alice", text, is_action)
    };
    row(&left, &right);
}

fn shown(nick: &str, text: &str, is_action: bool) -> String {
    if is_action { format!("* {nick} {text}") } else { format!("<{nick}> {text}") }
}

fn row(left: &str, right: &str) {
    let left: String = left.chars().take(WIDTH).collect();
    // A terminal shows these two columns wide.
    let wide = left.chars().filter(|c| matches!(*c as u32, 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xff00..=0xff60 | 0x1f300..=0x1faff));
    let padding = WIDTH.saturating_sub(left.chars().count() + wide.count());
    println!("  {left}{} │ {right}", " ".repeat(padding));
}
