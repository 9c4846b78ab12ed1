//! How the server has the user: the modes that they have set on themselves, and that they are away.
//!
//! Being away outlives a connection, since it says something about a person; modes do not, since servers set their own.
//!
//! Spec: modern IRC docs "MODE message" (user mode), "AWAY message".

use super::super::outcome::Outcome;
use super::Actor;
use super::auto_away;
use super::inquiries::trouble;
use super::loose::Reply;
use super::profile::Change;
use crate::format::{RichText, strip_irc};
use crate::irc::numerics::RPL_UMODEIS;
use crate::irc::session::{Answer, State};
use crate::irc::wire::{Line, LineBuilder};
use crate::names::Nick;
use crate::store::StoreError;
use crate::store::settings;

/// What is asked about it.
#[derive(Debug)]
pub enum StandingRequest {
    /// The modes; changes as they are typed, or none to see them.
    Modes(String),
    /// Whether the user is away, and why.
    Away(Change<String>),
}

impl Actor {
    pub(super) async fn own_standing(&mut self, request: StandingRequest) -> Reply {
        match request {
            StandingRequest::Modes(changes) => self.own_modes(&changes),
            StandingRequest::Away(change) => match self.away(change).await {
                Ok(reply) => reply,
                Err(error) => Reply::Now(Err(error.into())),
            },
        }
    }

    pub(super) fn own_modes(&mut self, changes: &str) -> Reply {
        let own = self.link.as_ref().and_then(|link| Nick::new(link.session.nick()).ok());
        let mut line = Line::new("MODE");
        if let Some(own) = &own {
            line = line.name(own);
        }
        if changes.is_empty() {
            return self.inquire(line.finish(), modes_in_words);
        }
        let words = changes.split_whitespace();
        let line = words.fold(line, LineBuilder::name_literal).finish();
        self.inquire_then(line, |actor, answer| {
            Box::pin(async move {
                match trouble(&actor.network.name, &answer) {
                    Some(refusal) => Reply::Now(Err(refusal)),
                    // What came of it: servers leave out what they don't let everybody set.
                    None => actor.own_modes(""),
                }
            })
        })
    }

    async fn away(&mut self, change: Change<String>) -> Result<Reply, StoreError> {
        let network = self.network.name.clone();
        let why = match change {
            Change::Show => {
                let text = match self.stored(&settings::AWAY).await? {
                    Some(why) => format!("You are away on {network}: {}", why.text()),
                    None if self.is_away_by_itself() => {
                        format!(
                            "You are away on {network}, since your homeserver says that you are not there."
                        )
                    }
                    None if self.auto_away_at().is_some() => {
                        format!(
                            "You are not away on {network} yet; your homeserver says that you are not there."
                        )
                    }
                    None => format!("You are not away on {network}."),
                };
                return Ok(Reply::Now(Ok(RichText::plain(text))));
            }
            Change::Set(why) => Some(why),
            Change::Remove => None,
        };
        self.store_setting(&settings::AWAY, why.as_deref()).await?;
        self.end_auto_away().await?;
        if self.link.as_ref().is_none_or(|link| link.session.state() != State::Ready) {
            return Ok(Reply::Now(Ok(RichText::plain(match why {
                Some(_) => format!("You will be away when {network} is connected, until you type away off."),
                None => format!("You will not be away when {network} is connected."),
            }))));
        }
        Ok(self.inquire(away_line(why.as_deref()), away_in_words))
    }

    /// A connection begins: who was away still is.
    pub(super) async fn take_up_away(&mut self) -> Result<(), StoreError> {
        // It is no news, and nobody waits for the answer.
        match self.stored(&settings::AWAY).await? {
            Some(why) => self.tell_away(Some(why.text())),
            None if self.is_away_by_itself() => self.tell_away(Some(auto_away::WHY)),
            None => {}
        }
        Ok(())
    }
}

pub(super) fn away_line(why: Option<&str>) -> Line {
    match why {
        Some(why) => Line::with_text(Line::new("AWAY"), why),
        None => Line::new("AWAY").finish(),
    }
}

fn away_in_words(network: &str, answer: &Answer) -> Outcome {
    if let Some(refusal) = trouble(network, answer) {
        return Err(refusal);
    }
    Ok(RichText::plain(match answer.replies.first() {
        Some(reply) => format!("{network} says: {}", strip_irc(reply.params.last().unwrap_or(&reply.text))),
        None => format!("{network} was told."),
    }))
}

fn modes_in_words(network: &str, answer: &Answer) -> Outcome {
    let modes = answer.replies.iter().find(|reply| reply.code == RPL_UMODEIS);
    match modes {
        Some(reply) => {
            let modes = strip_irc(&reply.params.join(" "));
            let has_none = modes.trim_matches(['+', ' ']).is_empty();
            let modes = if has_none { "none" } else { modes.trim() };
            Ok(RichText::plain(format!("Your modes on {network}: {modes}")))
        }
        None => trouble(network, answer).map_or_else(
            || Ok(RichText::plain(format!("{network} does not say which modes you have."))),
            Err,
        ),
    }
}
