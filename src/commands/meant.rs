//! What a command is about: a session, a channel, a conversation or somebody.
//!
//! In the room of a channel or a conversation it is that one, unless the first words name another. In a network's room
//! and in the control room it is named. Every command finds out here, so that the same words mean the same for all. A
//! name means one of the person's own: nobody reaches anybody else's session (invariant 6).

use super::{Context, usage_of};
use crate::bridge::{Place, Refusal, SessionHandle};
use crate::format::RichText;
use crate::names::{CaseMapping, Channel, Nick};
use crate::store::OwnBuffer;

/// What channels' names begin with, on one network or another.
const PREFIXES: [char; 4] = ['#', '&', '+', '!'];
/// How names are compared as long as only the session knows how its network does.
const MAPPING: CaseMapping = CaseMapping::Rfc1459;

/// The first word, and what follows.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// The number of the session in whose rooms a place is.
pub(super) fn session_of(place: Place) -> Option<i64> {
    match place {
        Place::Control => None,
        Place::Network(session) | Place::Buffer { session, .. } => Some(session),
    }
}

/// A channel's name, its prefix left out or not.
pub(super) fn channel_named(name: &str) -> Result<Channel, Refusal> {
    let with_prefix = if name.starts_with(PREFIXES) { name.to_owned() } else { format!("#{name}") };
    Channel::new(&with_prefix).map_err(|error| Refusal::asked(format!("{name} is no channel: {error}.")))
}

/// A nick. As clients show somebody, their rank may stand before it, which begins no nick.
pub(super) fn nick_named(name: &str) -> Result<Nick, Refusal> {
    Nick::new(name.strip_prefix(['&', '@', '%', '+']).unwrap_or(name))
        .map_err(|error| Refusal::asked(format!("{name} is no nick: {error}.")))
}

impl<'a> Context<'a> {
    /// The first word of what stands behind the command's name, and what follows.
    pub(super) fn word(&self) -> (&'a str, &'a str) {
        first_word(self.rest)
    }

    /// The session that a command is about, and the rest of the command.
    ///
    /// In a network room, or in one of its channels', it is that network's. In the control room it is the one that the
    /// first word names, else the only one that there is.
    pub(super) fn session(&self) -> Result<(SessionHandle, &'a str), Refusal> {
        let sessions = self.bridge.sessions(Some(&self.call.user.user_id));
        if let Some(id) = session_of(self.call.place) {
            let session = sessions.into_iter().find(|session| session.row.id == id);
            return session.map(|session| (session, self.rest)).ok_or(Refusal::Stopping);
        }
        if let Some(named) = self.session_named(self.rest)? {
            return Ok(named);
        }
        match sessions.as_slice() {
            [only] => Ok((only.clone(), self.rest)),
            [] => Err(Refusal::Asked(super::first_steps::on_no_network(self.bridge))),
            several => {
                let names: Vec<String> = several.iter().map(|session| session.row.address()).collect();
                let names = names.join(", ");
                Err(Refusal::asked(format!(
                    "You are on {names}: say which one first, as in {} join #channel, or type the command in the \
                     network's room.",
                    several[0].row.address()
                )))
            }
        }
    }

    /// The conversation in whose room the command was typed.
    pub(super) async fn here(&self) -> Result<Option<OwnBuffer>, Refusal> {
        let Place::Buffer { buffer, .. } = self.call.place else { return Ok(None) };
        let own = self.bridge.store.own_buffers(self.call.user.id).await?;
        Ok(own.into_iter().find(|own| own.id == buffer))
    }

    /// The channel that a command is about, with its session and the rest of the command.
    ///
    /// In a channel's room it is that one, unless the first word names another. Elsewhere the first word names it; its
    /// prefix may be left out where the person has a channel of that name.
    pub(super) async fn channel(&self) -> Result<(SessionHandle, Channel, &'a str), Refusal> {
        let (session, rest) = self.session()?;
        let (word, behind) = first_word(rest);
        let here = self.here().await?.filter(|here| here.name.starts_with(PREFIXES));
        let mut own = self.bridge.store.own_buffers(self.call.user.id).await?;
        own.retain(|own| own.session == session.row.id && own.name.starts_with(PREFIXES));
        let mapping = session.status().mapping;
        let known = |name: &str| own.iter().any(|own| mapping.same(&own.name, name));
        // As the network writes it, however it was typed.
        let spelled =
            |channel: Channel| match own.iter().find(|own| mapping.same(&own.name, channel.as_str())) {
                Some(own) => channel_named(&own.name),
                None => Ok(channel),
            };
        // Modes begin with + and what is said may with !: those are channels where the person has them.
        let is_named = word.starts_with(['#', '&']) || known(word);
        match here {
            Some(here) if !is_named => Ok((session, channel_named(&here.name)?, rest)),
            _ if is_named || known(&format!("#{word}")) => {
                Ok((session, spelled(channel_named(word)?)?, behind))
            }
            _ if word.is_empty() => Err(usage_of(self)),
            _ => {
                let text = format!("{word} is no channel of yours here. Type it like this: ");
                Err(Refusal::Asked(RichText::plain(text).code(super::help::usage_here(self))))
            }
        }
    }

    /// The number of the person's buffer for a channel.
    pub(super) async fn own_channel(
        &self,
        session: &SessionHandle,
        channel: &Channel,
    ) -> Result<i64, Refusal> {
        let own = self.bridge.store.own_buffers(self.call.user.id).await?;
        let mapping = session.status().mapping;
        let is_it =
            |own: &&OwnBuffer| own.session == session.row.id && mapping.same(&own.name, channel.as_str());
        own.iter().find(is_it).map(|own| own.id).ok_or_else(|| {
            let text = RichText::plain(format!("You have no room for {channel}. To enter it, type "));
            Refusal::Asked(text.code(format!("join {channel}")).text("."))
        })
    }

    /// Somebody whom a command is about, with the session and the rest of the command: who is named first, else the
    /// other of the conversation in whose room it was typed.
    pub(super) async fn nick(&self) -> Result<(SessionHandle, Nick, &'a str), Refusal> {
        let (session, rest) = self.session()?;
        let (word, behind) = first_word(rest);
        if !word.is_empty() {
            return Ok((session, nick_named(word)?, behind));
        }
        match self.here().await? {
            Some(here) if !here.name.starts_with(PREFIXES) => Ok((session, nick_named(&here.name)?, "")),
            _ => Err(usage_of(self)),
        }
    }

    /// A channel or somebody by name, with the session: who is named, else the one in whose room it was typed.
    pub(super) async fn name(&self) -> Result<(SessionHandle, String), Refusal> {
        let (session, rest) = self.session()?;
        match self.here().await? {
            _ if !rest.is_empty() => Ok((session, rest.to_owned())),
            Some(here) => Ok((session, here.name)),
            None => Err(usage_of(self)),
        }
    }

    /// The one conversation that a command is about, whether its session runs or not, and the rest of the command.
    pub(super) async fn conversation(&self) -> Result<(OwnBuffer, &'a str), Refusal> {
        let (mut word, mut rest) = self.word();
        let mut session = session_of(self.call.place);
        if session.is_none()
            && !rest.is_empty()
            && let Some((named, behind)) = self.session_named(self.rest)?
        {
            // A word that stands alone is the conversation and no network, as below.
            session = Some(named.row.id);
            (word, rest) = first_word(behind);
        }
        let mut buffers = if word.is_empty() { Vec::new() } else { self.buffers_named(word).await? };
        buffers.retain(|buffer| session.is_none_or(|session| buffer.session == session));
        if buffers.is_empty()
            && let Some(here) = self.here().await?
        {
            return Ok((here, self.rest));
        }
        match buffers.as_slice() {
            [only] => Ok((only.clone(), rest)),
            [] if word.is_empty() => Err(Refusal::asked("Say which conversation: a #channel or a nick.")),
            [] => Err(Refusal::asked(format!("There is no conversation {word} of yours."))),
            several => {
                let networks: Vec<String> = several.iter().map(OwnBuffer::address).collect();
                Err(Refusal::asked(format!(
                    "There is {word} on {}: say which one first, as in {} {word}.",
                    networks.join(" and "),
                    networks[0]
                )))
            }
        }
    }

    /// The buffers of the person that bear a name: those of the place's network, or of all in the control room.
    pub(super) async fn buffers_named(&self, name: &str) -> Result<Vec<OwnBuffer>, Refusal> {
        let mut buffers = self.bridge.store.own_buffers(self.call.user.id).await?;
        let session = session_of(self.call.place);
        let with_prefix = format!("#{name}");
        buffers.retain(|buffer| session.is_none_or(|session| buffer.session == session));
        // The prefix of a channel may be left out, unless somebody is called so. What is written as it was typed comes first:
        // on some network it may be another than what most networks take for the same.
        for wanted in [name, &with_prefix] {
            for mapping in [CaseMapping::Ascii, MAPPING] {
                let is_it = |buffer: &OwnBuffer| mapping.same(&buffer.name, wanted);
                if buffers.iter().any(is_it) {
                    buffers.retain(is_it);
                    return Ok(buffers);
                }
            }
        }
        Ok(Vec::new())
    }
}
