//! The user's nick: what they want, what they take instead, and what they are told of it.
//!
//! How it is had back is the IRC session's business; here is what must outlive a connection.

use std::time::Duration;

use super::super::outcome::Outcome;
use super::Actor;
use crate::format::RichText;
use crate::irc::session::{MOST_LOSSES, Session};
use crate::names::Nick;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// Who was connected for so long has not lost the nick to the same war.
const PEACE: Duration = Duration::from_hours(24);

impl Actor {
    /// What the user reads when a server has taken us.
    pub(super) fn connected_text(&self, server: &str, nick: &str) -> String {
        let wanted = self.link.as_ref().map_or(nick, |link| link.session.wanted_nick());
        if self.buffers.mapping().same(wanted, nick) {
            return format!("Connected to {server} as {nick}.");
        }
        format!("Connected to {server} as {nick}, since the server does not give you {wanted}.")
    }

    /// A connection is over: who takes the nick from us each time is not fought on the next one.
    pub(super) fn note_nick_losses(&mut self, session: &Session) {
        let lasted = session.registered_at().map(|at| self.now().saturating_duration_since(at));
        let before = self.nick_losses;
        self.nick_losses = session.nick_losses();
        if session.had_wanted_nick() {
            self.nick_had = Nick::new(session.wanted_nick()).ok();
        }
        if lasted.is_some_and(|lasted| lasted >= PEACE) {
            self.nick_losses = self.nick_losses.saturating_sub(before);
        }
        if before < MOST_LOSSES && self.nick_losses >= MOST_LOSSES && session.nick_losses() > before {
            self.tell_given_up(session.wanted_nick());
        }
    }

    /// The nick is left to whoever takes it.
    pub(super) fn tell_given_up(&mut self, nick: &str) {
        let text =
            format!("{nick} was taken away from you again. I don't fight for it; to ask for it, type ");
        self.alert(&RichText::plain(text).code(format!("nick {nick}")).text("."));
    }

    pub(super) async fn nick(&mut self, nick: Option<Nick>) -> Outcome {
        let name = self.network.name.clone();
        let Some(nick) = nick else {
            let now = match &self.link {
                Some(link) => format!("You are {}.", link.session.nick()),
                None => "You are not connected.".to_owned(),
            };
            let wanted = self.bridge.store.setting(&settings::NICK, Scope::Session, self.row.id).await?;
            let wanted = match &wanted {
                Some(value) => value.text().to_owned(),
                None => self.default_nick().as_str().to_owned(),
            };
            return Ok(RichText::plain(format!("{now} Your nick for {name} is {wanted}.")));
        };
        self.nick_losses = 0;
        let is_asked = self.link.as_mut().map(|link| link.session.set_nick(nick.clone()));
        if is_asked == Some(true) {
            // It is the user's when the server has given it: one that the network allows to nobody would keep the
            // next connection from being made.
            return Ok(RichText::plain(format!("Asking the server for the nick {nick}.")));
        }
        self.keep_nick(nick.as_str()).await?;
        Ok(RichText::plain(match is_asked {
            Some(_) => format!("Your nick for {name} is {nick} from now on."),
            None => format!("Your nick will be {nick}."),
        }))
    }

    /// The user's nick, for connections to come.
    pub(super) async fn keep_nick(&mut self, nick: &str) -> Result<(), StoreError> {
        self.set_nick_setting(&settings::NICK, Some(nick)).await
    }

    /// A connection is over: a nick that the server was asked for and said nothing about is asked for on the next.
    pub(super) async fn keep_asked_nick(&mut self, session: &Session) -> Result<(), StoreError> {
        match session.asked_nick() {
            Some(nick) => self.keep_nick(nick.as_str()).await,
            None => Ok(()),
        }
    }

    /// Shows or sets what is taken while the nick is in use.
    pub(super) async fn alternatives(&mut self, nicks: Option<Vec<Nick>>) -> Outcome {
        let name = self.network.name.clone();
        let Some(nicks) = nicks else {
            let set = self.bridge.store.setting(&settings::NICK_ALTERNATIVES, Scope::Session, self.row.id);
            let text = match set.await? {
                Some(set) => format!("While your nick for {name} is in use you are one of: {}.", set.text()),
                None => format!("While your nick for {name} is in use you have an underscore behind it."),
            };
            return Ok(RichText::plain(text));
        };
        let list: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
        let list = list.join(" ");
        let value = (!list.is_empty()).then_some(list.as_str());
        self.set_nick_setting(&settings::NICK_ALTERNATIVES, value).await?;
        Ok(RichText::plain(match value {
            Some(list) => format!(
                "When your nick for {name} is in use you will be the first of these that is not: {list}."
            ),
            None => format!("When your nick for {name} is in use you will have an underscore behind it."),
        }))
    }

    async fn set_nick_setting(
        &mut self,
        setting: &'static settings::Setting,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        self.bridge.store.set_setting(setting, Scope::Session, self.row.id, value).await
    }
}
