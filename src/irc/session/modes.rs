//! `MODE` and 324, read into the channels' state and told on.
//!
//! The pairing of letters and arguments is in [`modes`](crate::irc::modes). Where it is ambiguous, the members are
//! asked for again rather than guessed (invariant 4). A new key of a channel that the user wants to be in is remembered.
//!
//! Spec: modern IRC docs "MODE message", `RPL_CHANNELMODEIS`.

use std::time::Instant;

use crate::irc::modes::ModeChanges;
use crate::irc::wire::Message;
use crate::names::Key;

use super::Session;
use super::event::Event;

impl Session {
    pub(super) fn on_mode(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let target = message.param(0).to_owned();
        let own = self.is_own(&target);
        if message.params.len() < 2 || !(own || self.channels.contains(&target)) {
            return;
        }
        let params = &message.params[1..];
        let mut changes = params.join(" ");
        if !own {
            let parsed = ModeChanges::parse(params, &self.isupport);
            self.channels.apply_modes(&target, &parsed);
            self.learn_key(&target, events);
            self.relays.forget(&self.isupport.casemapping().fold(&target));
            if parsed.ambiguous {
                self.ask_names(&target);
            } else {
                changes = parsed.to_string();
            }
        }
        let is_registered = own && adds(&changes, 'r');
        events.push(Event::ModeChanged { target, by: self.source(message), changes, own });
        if is_registered {
            self.on_registered_mode(now, events);
        }
        if own && (is_registered || adds(&message.params[1..].join(" "), 'R')) {
            self.look_again();
        }
    }

    /// 324 <channel> <modes> [arguments]: all flags of a channel. `params` come without our nick.
    pub(super) fn on_channel_modes(&mut self, params: &[String], events: &mut Vec<Event>) {
        let Some((channel, modes)) = params.split_first() else {
            return;
        };
        if self.channels.contains(channel) {
            self.channels.clear_modes(channel);
            self.channels.apply_modes(channel, &ModeChanges::parse(modes, &self.isupport));
            self.learn_key(channel, events);
        }
    }

    /// 324 as a text, without the channel's key: it is shown and kept (invariant 10).
    pub(super) fn modes_without_key(&self, params: &[String]) -> String {
        let Some((channel, modes)) = params.split_first() else { return String::new() };
        let parsed = ModeChanges::parse(modes, &self.isupport);
        match modes.first() {
            None => channel.clone(),
            // Which of the arguments is a key is not known.
            Some(letters) if parsed.ambiguous => format!("{channel} {letters}"),
            Some(_) => format!("{channel} {parsed}"),
        }
    }

    /// The channel has a key: with it we come in again. Some servers have a mark in its place for some people.
    fn learn_key(&mut self, channel: &str, events: &mut Vec<Event>) {
        let known = self.channels.get(channel).and_then(|state| state.key());
        let key = known.filter(|key| *key != "*" && !key.starts_with('<')).and_then(|key| Key::new(key).ok());
        if let Some(key) = key.filter(|key| self.wishes.learn_key(channel, key)) {
            events.push(Event::KeyLearnt { channel: channel.to_owned(), key });
        }
    }
}

/// Whether changes of modes without arguments add this one.
fn adds(changes: &str, mode: char) -> bool {
    let mut adding = true;
    changes.chars().any(|c| {
        adding = if matches!(c, '+' | '-') { c == '+' } else { adding };
        adding && c == mode
    })
}
