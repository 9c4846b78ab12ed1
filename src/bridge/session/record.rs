//! What happens in channels besides talk, as lines of history: who comes, goes, is thrown out, changes nick, mode or
//! topic. One line for each buffer that it concerns; what has no buffer is not kept.
//!
//! Talk itself is kept where it is shown (`incoming`, `outgoing`). Conversations with services are never kept.

use super::Actor;
use crate::irc::session::Event;
use crate::irc::wire::Source;
use crate::store::{BufferKind, Direction, HistoryLine};

/// Something that happened, and where.
#[derive(Debug)]
pub(super) struct Happening {
    places: Vec<String>,
    kind: &'static str,
    sender: String,
    account: Option<String>,
    target: Option<String>,
    text: String,
}

impl Happening {
    /// What is to be kept of an event, if anything is.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let happening = |places: Vec<String>, kind, who: &Source| Self {
            places,
            kind,
            sender: who.nick.clone(),
            account: None,
            target: None,
            text: String::new(),
        };
        let in_channel = |channel: &String, kind, who: &Source| happening(vec![channel.clone()], kind, who);
        Some(match event {
            Event::Joined { channel, who, account, .. } => {
                let text = address(who);
                Self { account: account.clone(), text, ..in_channel(channel, "join", who) }
            }
            Event::Parted { channel, who, reason, .. } => {
                Self { text: reason.clone(), ..in_channel(channel, "part", who) }
            }
            Event::Kicked { channel, nick, by, reason, .. } => {
                let target = Some(nick.clone());
                Self { target, text: reason.clone(), ..in_channel(channel, "kick", by) }
            }
            Event::Quit { who, reason, channels, .. } => {
                Self { text: reason.clone(), ..happening(channels.clone(), "quit", who) }
            }
            Event::NickChanged { from, to, channels, .. } => {
                let mut places = channels.clone();
                // The conversation with them, too, under whichever nick it is now.
                places.push(from.nick.clone());
                if !from.nick.eq_ignore_ascii_case(to) {
                    places.push(to.clone());
                }
                Self { target: Some(to.clone()), ..happening(places, "nick", from) }
            }
            Event::Topic { channel, topic, by: Some(by) } => {
                Self { text: topic.clone(), ..in_channel(channel, "topic", by) }
            }
            Event::ModeChanged { target, by, changes, own: false } => {
                Self { text: changes.clone(), ..in_channel(target, "mode", by) }
            }
            _ => return None,
        })
    }
}

/// `user@host`, as far as the server tells.
fn address(who: &Source) -> String {
    match (&who.user, &who.host) {
        (Some(user), Some(host)) => format!("{user}@{host}"),
        (None, Some(host)) => host.clone(),
        _ => String::new(),
    }
}

impl Actor {
    /// Keeps what happened, in each buffer that it concerns.
    pub(super) fn record(&mut self, happening: Option<Happening>) {
        let Some(Happening { places, kind, sender, account, target, text }) = happening else { return };
        let at = self.bridge.clock.unix_ms();
        for name in places {
            let Some(place) = self.buffers.find(&name) else { continue };
            if !self.shows(place) {
                // Whoever shows the channel keeps it for all.
                continue;
            }
            let channel = self.shared_channel(place);
            let row = &self.buffers.get(place).row;
            if row.kind == BufferKind::Query && self.is_service(&row.name) {
                continue;
            }
            self.incoming.keep(HistoryLine {
                buffer: row.id,
                channel,
                at,
                kind,
                sender: sender.clone(),
                account: account.clone(),
                target: target.clone(),
                text: text.clone(),
                msgid: None,
                event_id: None,
                direction: Direction::In,
                replayed: None,
            });
        }
    }
}
