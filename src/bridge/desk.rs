//! The desk: where a person turns to the bot. One lane per user works through their invitations and commands, in
//! order; what a command does is the [`Console`]'s affair, what an invitation means is in `invitations`, what leaving
//! means in `leaving`, what a reaction answers in `questions`.
//!
//! An event is marked as done before its command runs: after a crash in the middle the person is told to look and ask
//! again (`errand`); the other way round a line would be sent to IRC twice. That a password goes from the room is stored
//! with that mark (invariant 10): nobody would look at the event again.

mod errand;
mod pills;
mod prefix;
mod turn;

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Bridge;
use super::content::{self, MessageType};
use crate::config::Permission;
use crate::format::{RichText, may_hold_password};
use crate::matrix::ClientError;
use crate::matrix::event::{Content, Event, Message};
use crate::store::{BufferKind, InboxEvent, NewOutbox, RoomKind, RoomRow, STRAY, StoreError, User};

use self::errand::Typed;
use super::Manners;
use super::delivery::temporary;
use super::ghosts::GhostError;

pub use self::errand::Progress;
pub(super) use self::prefix::{Address, Mark};
pub(super) use self::turn::Turns;

/// Events that are read at once.
const AT_ONCE: i64 = 20;

/// A command may be on its way for so long, however little patience there is with messages.
const SOON: Duration = Duration::from_mins(1);

/// What makes a message in a buffer's room a command, unless its user has chosen something else.
pub const PREFIX: &str = "!irc";
/// What the lanes of rooms begin with in which somebody is relayed.
const RELAY: &str = "relay";
/// Lines of the history that one answer lists, at most.
pub const MOST_LISTED: i64 = 200;

/// The lane of what a person says to the bot.
pub(super) fn lane_of(user_id: &str) -> String {
    format!("user/{user_id}")
}

/// Where a command was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the control room.
    Control,
    /// In the network room of this session.
    Network(i64),
    /// In a channel's or a conversation's room.
    Buffer {
        /// The session.
        session: i64,
        /// The buffer.
        buffer: i64,
        /// Which of the two it is.
        kind: BufferKind,
    },
}

/// A command, as it was typed.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who typed it.
    pub user: User,
    /// What they may do.
    pub permission: Permission,
    /// Where.
    pub place: Place,
    /// The number of the room.
    pub room: i64,
    /// The text.
    pub text: String,
    /// Where it tells how far it has come.
    pub progress: Option<Progress>,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What is said.
    pub text: RichText,
    /// How it went.
    pub end: End,
}

/// How a command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All was done that was asked for.
    Done,
    /// Not all was.
    Failed,
    /// Nothing is done before a question is answered.
    Asks,
}

/// Whoever understands commands.
pub trait Console: Send + Sync {
    /// Whether a command holds a secret: then its message must go, whatever the command comes to.
    fn holds_secret(&self, call: &Call) -> bool;

    /// Carries a command out and answers it. There is always an answer.
    fn answer<'a>(&'a self, bridge: &'a Bridge, call: Call) -> BoxFuture<'a, Answer>;

    /// What the bot says when somebody has invited it.
    fn greeting(&self, bridge: &Bridge, permission: Permission) -> RichText;
}

/// What is said of a command that is edited, or of what is edited into one.
pub(super) const EDITED: &str = "I do nothing about what is edited. Type the command anew.";

/// What a message is that is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoCommand {
    /// A program sent it. Those don't answer each other's notices.
    Noise,
    /// It has no text, or is meant otherwise.
    NoText,
    /// It takes another's place.
    Edit,
}

impl NoCommand {
    fn of(message: &Message) -> Option<Self> {
        const OF_PEOPLE: [&str; 6] = ["m.emote", "m.image", "m.file", "m.audio", "m.video", "m.location"];
        match message.kind.as_str() {
            kind if message.is_wordless || OF_PEOPLE.contains(&kind) => Some(Self::NoText),
            "m.text" => message.replaces.is_some().then_some(Self::Edit),
            _ => Some(Self::Noise),
        }
    }

    /// What is said of it.
    fn answer(self) -> Option<&'static str> {
        match self {
            Self::Noise => None,
            Self::NoText => Some("I read only plain text here, and did nothing about that."),
            Self::Edit => Some(EDITED),
        }
    }
}

/// What is said of a file that is taken out of the room, since it may be a private key.
const KEY_FILE: &str = "I read only plain text here, and did nothing about that. It may be a private key, so I have taken it out \
                        of this room; your homeserver may still have the file.";

/// Whether a message brings a file of the kind that private keys and certificates come in.
fn may_be_private_key(message: &Message) -> bool {
    const ENDINGS: [&str; 4] = [".pem", ".key", ".p12", ".pfx"];
    let name = message.attachment.as_ref().map(|attachment| attachment.name.to_ascii_lowercase());
    name.is_some_and(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// A notice about a message.
pub(super) fn notice_row(room: i64, speaker: &str, text: &str, about: &str) -> NewOutbox {
    let content = content::message(MessageType::Notice, &RichText::plain(text), None);
    content::message_row(room, speaker, content::in_reply_to(content, about), None)
}

impl Bridge {
    /// Works through a lane until it is empty or the bridge stops.
    #[tracing::instrument(name = "desk", skip_all, fields(lane = %lane))]
    pub(super) async fn attend(self, lane: String) {
        let turn = self.turns.with(&lane);
        let (mut after, mut deletions) = (0, *turn.begin().await);
        'read: loop {
            let read = || async { Ok(self.store.waiting_events(&lane, after, AT_ONCE).await?) };
            let events = match self.insist(read).await {
                Some(Ok(events)) => events,
                Some(Err(error)) => {
                    tracing::error!(%lane, %error, "what was said to the bot can't be read");
                    return;
                }
                None => return,
            };
            if events.is_empty() {
                return;
            }
            for event in events {
                // A turn for each attempt: what can't be done for now holds nobody up.
                let deal = || async {
                    let deleted = turn.begin().await;
                    if *deleted != deletions {
                        return Ok(Some(*deleted));
                    }
                    let dealt = match lane.split_once('/') {
                        _ if lane == STRAY => self.place_stray(&event).await,
                        Some((RELAY, _)) => Box::pin(self.attend_to_relayed(&event)).await,
                        _ => self.attend_to(&event).await,
                    };
                    dealt.map(|()| None)
                };
                let Some(done) = self.insist(deal).await else { return };
                if let Ok(Some(deleted)) = done {
                    // What was read is not there any more.
                    (after, deletions) = (0, deleted);
                    continue 'read;
                }
                after = event.seq;
                if let Err(error) = done {
                    // A poison event is set aside; it must not be what every start fails on.
                    tracing::warn!(event = %event.event_id, %error, "an event to the bot could not be dealt with");
                    let reason = error.to_string();
                    let set_aside = || async { Ok(self.store.finish_event(event.seq, Some(&reason)).await?) };
                    if self.insist(set_aside).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// An event of a room that was not known when it came: it belongs to a lane now, or it will when the room that its
    /// sender waits for is known to exist, or to nobody.
    async fn place_stray(&self, stored: &InboxEvent) -> Result<(), GhostError> {
        const KEPT: i64 = 60 * 60 * 1000;
        let Ok(event) = Event::read(&stored.json) else {
            return Ok(self.store.finish_event(stored.seq, Some("not readable")).await?);
        };
        // A room that is stored in between takes its events with it, and there is nothing to finish.
        let unmade = self.store.unmade_rooms().await?;
        let expected = unmade.iter().any(|room| room.owner.as_deref() == Some(&event.sender));
        if expected && self.clock.unix_ms().saturating_sub(stored.received_at) < KEPT {
            return Ok(());
        }
        Ok(self.store.finish_event(stored.seq, None).await?)
    }

    /// What fails for now is done again from the beginning, so each step before an event's end can be repeated.
    #[tracing::instrument(name = "message", skip_all, fields(event = %stored.event_id))]
    async fn attend_to(&self, stored: &InboxEvent) -> Result<(), GhostError> {
        let event = match Event::read(&stored.json) {
            Ok(event) => event,
            Err(error) => {
                return Ok(self.store.finish_event(stored.seq, Some(&error.to_string())).await?);
            }
        };
        if let Some(room) = self.shared_room_of(stored, &event).await? {
            return Box::pin(self.attend_to_shared(stored, &event, &room)).await;
        }
        if self.refuse_for_former(stored, &event).await? {
            return Ok(());
        }
        match &event.content {
            Content::Member(member) if member.membership == "invite" && self.is_ours(&member.user_id) => {
                self.on_invite(stored, &event, member).await
            }
            Content::Member(member) => self.on_member(stored, &event, member).await,
            Content::Tombstone(replacement) => self.on_tombstone(stored, &event, replacement).await,
            Content::Reaction(reaction) => self.on_reaction(stored, &event, reaction).await,
            // That somebody calls or opens a widget is nothing that is said to the bot.
            Content::Message(message) if !message.is_wordless || message.kind != "m.emote" => {
                self.on_message(stored, &event, message).await
            }
            Content::Encrypted | Content::Encryption => {
                self.explain_encryption(&event).await?;
                Ok(self.store.finish_event(stored.seq, None).await?)
            }
            _ => Ok(self.store.finish_event(stored.seq, None).await?),
        }
    }

    async fn on_message(
        &self,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), GhostError> {
        let room = self.store.room_by_matrix_id(&event.room_id).await?;
        let room = room.filter(|room| room.owner.as_deref() == Some(&event.sender));
        let Some(room) = &room else {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        let place = match (room.kind()?, room.session, room.buffer) {
            (RoomKind::Network, Some(session), _) => Place::Network(session),
            (kind, Some(session), Some(buffer)) => {
                let kind = if kind == RoomKind::Query { BufferKind::Query } else { BufferKind::Channel };
                Place::Buffer { session, buffer, kind }
            }
            _ => Place::Control,
        };
        let user = self.store.ensure_user(&event.sender, self.clock.unix_ms()).await?;
        let session = match place {
            Place::Control => None,
            Place::Network(session) | Place::Buffer { session, .. } => self.session(session),
        };
        let network = session.map(|session| session.row.network.clone());
        let text = match place {
            Place::Buffer { session, buffer, .. } => {
                let network = network.as_deref().unwrap_or_default();
                let manners = Manners::load(self, user.id, session, network).await?;
                let address = self.address(manners.prefix(buffer));
                address.commands(message)
            }
            _ => self.address(PREFIX).commands(message),
        };
        let text = self.with_nicks(text, message, network, &user).await?;
        let permission = self.permission_of(&event.sender);
        let call = Call { user, permission, place, room: room.id, text, progress: None };
        // In a query the bot is not there; the ghost speaks for it. A control room may be of its user's making.
        let speaker = if self.is_ours(&room.creator) { room.creator.as_str() } else { self.client.bot() };
        let holds_password = self.console.holds_secret(&call) || may_hold_password(&message.body);
        let is_key = may_be_private_key(message);
        let why_it_goes = if is_key { "It may hold a private key" } else { "It held a password" };
        let redaction = || content::redact_row(room.id, speaker, &event.event_id, why_it_goes);
        // A password goes all the same.
        if let Some(what) = NoCommand::of(message) {
            let about = message.replaces.as_ref().unwrap_or(&event.event_id);
            let answer = what.answer().map(|answer| if is_key { KEY_FILE } else { answer });
            let answer = answer.map(|answer| notice_row(room.id, speaker, answer, about));
            let mut rows: Vec<NewOutbox> = answer.into_iter().collect();
            rows.extend((holds_password || is_key).then(redaction));
            self.answer_event(stored.seq, rows).await?;
            self.wake_delivery(room.id);
            return Ok(());
        }
        if self.is_older(stored, self.limits().stale_after.max(SOON)) {
            // What was meant for that hour is not done in this one.
            let why = "This reached me only now, long after you wrote it. I did nothing; type it again.";
            let mut rows = vec![notice_row(room.id, speaker, why, &event.event_id)];
            rows.extend(holds_password.then(redaction));
            self.answer_event(stored.seq, rows).await?;
            self.wake_delivery(room.id);
            return Ok(());
        }
        let typed = Typed { seq: stored.seq, event_id: &event.event_id, room, speaker };
        Ok(self.run_errand(typed, call).await?)
    }

    /// How the bot is spoken to where commands have this prefix.
    pub(super) fn address<'a>(&'a self, prefix: &'a str) -> Address<'a> {
        Address { prefix, bot: self.client.bot(), name: self.bot_name() }
    }

    /// Whether an event has waited for so long.
    pub(super) fn is_older(&self, stored: &InboxEvent, age: Duration) -> bool {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        stored.received_at <= self.clock.unix_ms().saturating_sub(age)
    }

    /// The bot can't read an encrypted room. It says so where it can be read: in a room of its own.
    pub(super) async fn explain_encryption(&self, event: &Event) -> Result<(), GhostError> {
        let Some(room) = self.store.room_by_matrix_id(&event.room_id).await? else {
            return Ok(());
        };
        let (Some(owner), true) = (&room.owner, room.owner.as_deref() == Some(&event.sender)) else {
            return Ok(());
        };
        let text = RichText::plain(
            "That chat is encrypted, and I can't read what you write there: I have no keys, since what you write \
             goes to IRC as plain text anyway. Talk to me here instead; this room is not encrypted. ",
        )
        .text("Type ")
        .code("help")
        .text(" to begin");
        let text = match room.address().filter(|_| matches!(room.kind(), Ok(RoomKind::Network))) {
            Some(network) => {
                text.text(", or ").code(format!("open {network}")).text(" for another room of that network.")
            }
            None => text.text("."),
        };
        let user = self.store.ensure_user(owner, self.clock.unix_ms()).await?;
        let own: RoomRow = self.own_control_room(user.id).await?;
        let bot = self.client.bot();
        let alert = content::message(MessageType::Text, &text, Some(owner));
        let mut rows = vec![content::message_row(own.id, bot, alert, None)];
        if own.room_id.is_some() {
            rows.insert(0, content::invite_row(own.id, bot, owner));
        }
        if self.store.explain_room(room.id, rows, self.clock.unix_ms()).await? {
            self.wake_delivery(own.id);
        }
        Ok(())
    }

    /// Makes an idempotent request until its outcome is known or the bridge stops.
    pub(super) async fn persist<T, F>(&self, request: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut attempt = 0;
        loop {
            match request().await {
                Err(error) if !error.is_final() && self.pause_after(&error, attempt).await => attempt += 1,
                result => return result,
            }
        }
    }

    /// Does something that can be repeated, until it is done or can't be done; `None` where the bridge stops before.
    pub(super) async fn insist<T, F>(&self, step: impl Fn() -> F) -> Option<Result<T, GhostError>>
    where
        F: Future<Output = Result<T, GhostError>>,
    {
        let mut attempt = 0;
        loop {
            let error = match step().await {
                Err(GhostError::Client(error)) if !error.is_final() => error,
                Err(GhostError::Store(StoreError::Closed)) => return None,
                Err(GhostError::Store(error)) if error.is_temporary() => temporary(error.into()),
                result => return Some(result),
            };
            if attempt == 0 {
                tracing::warn!(%error, "a step fails for now and is done again");
            }
            if !self.pause_after(&error, attempt).await {
                return None;
            }
            attempt += 1;
        }
    }
}
