//! A hostile server against a session. Each line is one from the server; one that begins with `>` is something that
//! the owner does, one that begins with `~` lets time go by.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use towline::irc::session::{
    Event, HistoryMark, MessageId, MessageKind, OutgoingMessage, Session, SessionConfig, Target,
};
use towline::irc::wire::Message;
use towline::names::{Channel, Nick};

/// More steps say nothing new.
const MOST_STEPS: usize = 300;

fuzz_target!(|text: &str| {
    let (Ok(nick), Ok(channel)) = (Nick::new("alice"), Channel::new("#rust")) else { return };
    let mut now = Instant::now();
    let config = SessionConfig { channels: vec![(channel.clone(), None)], ..SessionConfig::new(nick) };
    let mut session = Session::new(config, now);
    let mut events = Vec::new();
    let mut ended = false;
    for (step, line) in text.split('\n').take(MOST_STEPS).enumerate() {
        match line.split_at_checked(1) {
            Some((">", what)) => act(&mut session, what, step as u64, &channel),
            Some(("~", seconds)) => {
                now += Duration::from_secs(seconds.parse::<u16>().unwrap_or(1).into());
                session.tick(now, &mut events);
            }
            _ => {
                if let Some(message) = Message::parse(line) {
                    session.handle(&message, now, &mut events);
                }
            }
        }
        for line in session.transmit(now).lines {
            let inner = &line.as_bytes()[..line.as_bytes().len() - 2];
            assert!(!inner.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
        assert!(!ended || events.is_empty(), "something after the end: {events:?}");
        ended |= events.drain(..).any(|event| matches!(event, Event::Disconnect { .. }));
        for channel in session.channels() {
            assert_eq!(channel.members().count(), channel.member_count());
        }
    }
});

fn act(session: &mut Session, what: &str, step: u64, channel: &Channel) {
    match what.split_at_checked(1) {
        Some(("m", text)) => {
            let message = OutgoingMessage {
                id: MessageId(step),
                target: Target::Channel(channel.clone()),
                kind: MessageKind::Privmsg,
                text: text.to_owned(),
                reply: None,
            };
            let _ = session.message(message);
        }
        Some(("n", text)) => {
            if let Ok(nick) = Nick::new(text) {
                session.set_nick(nick);
            }
        }
        Some(("j", text)) => {
            if let Ok(channel) = Channel::new(text) {
                session.join(&[(channel, None)]);
            }
        }
        Some(("p", text)) => drop(session.part(channel, text)),
        Some(("q", text)) => session.quit(text),
        Some(("h", _)) => {
            session.request_history(&Target::Channel(channel.clone()), HistoryMark::Latest);
        }
        _ => {
            let _ = session.text_budget("#rust", MessageKind::Action);
        }
    }
}
