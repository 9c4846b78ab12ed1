//! What the homeserver refused for good, told in the session's network room: once in an hour for each room and reason,
//! with how many more were like it. What is still to be told stands in the refused rows themselves, so that a crash does
//! not silence it.

use std::time::Duration;

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::request::takes_back_anothers;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::store::{Outbox, OutboxKind, Refused, RoomKind, RoomRow, StoreError, Untold};

/// What comes together is told together.
const GATHERED: Duration = Duration::from_secs(2);
/// From one notice to the next of the same room and reason.
const PAUSE: Duration = Duration::from_hours(1);
/// Rooms and reasons that are told of at a time. What is beyond waits in the store.
const MOST: usize = 200;

/// A room and the code of the refusal.
pub(in crate::bridge) type Key = (i64, String);

/// What to type where a room may be gone: no failed call makes another by itself.
fn remedy(room: &RoomRow, code: &str) -> Option<String> {
    let name = room.buffer_name.as_deref().filter(|_| matches!(code, "M_FORBIDDEN" | "M_NOT_FOUND"))?;
    match room.kind().ok()? {
        RoomKind::Private => Some(format!("join {name}")),
        RoomKind::Query => Some(format!("query {name}")),
        _ => None,
    }
}

impl Bridge {
    /// Sets a request aside, with what its user is to be told, in one commit.
    pub(super) async fn set_aside(
        &self,
        room: &RoomRow,
        request: &Outbox,
        reason: &ClientError,
    ) -> Result<(), StoreError> {
        tracing::warn!(room = room.id, kind = ?request.kind, %reason, "the homeserver refuses a request for good");
        self.tally.set_aside(reason);
        let news = self.news_of(room, request, reason).await?;
        let (untold, note) = news.unzip();
        let mut follow_up = Vec::new();
        if takes_back_anothers(request) {
            // It held a secret, and the person believes it gone.
            let text = RichText::plain(
                "I am not allowed to remove your message with the password from this room. Please remove it yourself.",
            );
            let alert = content::message(MessageType::Text, &text, room.owner.as_deref());
            // Whoever was refused is in the room: the bot, or a query's ghost.
            follow_up.push(content::message_row(room.id, &request.sender, alert, None));
        }
        let note = note.unwrap_or_else(|| reason.to_string());
        let refused = Refused { note, untold: untold.clone(), follow_up };
        let place = (room.id, request.seq);
        let is_aside = self.store.set_aside(place, refused, self.clock.unix_ms()).await?;
        if let Some(code) = untold.filter(|_| is_aside) {
            self.wake_teller((room.id, code));
        }
        Ok(())
    }

    /// What the session's user is to be told of a refusal, under which code.
    async fn news_of(
        &self,
        room: &RoomRow,
        request: &Outbox,
        error: &ClientError,
    ) -> Result<Option<(String, String)>, StoreError> {
        // Of what is refused in the network room itself nothing could be said there.
        let (Some(_), RoomKind::Private | RoomKind::Query) = (room.session, room.kind()?) else {
            return Ok(None);
        };
        let fate = match request.kind {
            OutboxKind::Message => "It was not shown",
            OutboxKind::State => "It was not made",
            // Redactions have a notice of their own, and the others are no news.
            OutboxKind::Redact | OutboxKind::Invite | OutboxKind::Reaction => return Ok(None),
        };
        let ghost = self.store.ghost_by_user_id(&request.sender).await?;
        let what = match (request.kind, ghost) {
            (OutboxKind::State, _) => "a change of the room".to_owned(),
            (_, Some(ghost)) => format!("a message by {}", ghost.nick),
            (_, None) => "a message of mine".to_owned(),
        };
        let place = room.buffer_name.as_deref().unwrap_or_default();
        let (code, reason) = match error {
            ClientError::Refused { code, message, .. } if message.is_empty() => (code.clone(), code.clone()),
            ClientError::Refused { code, message, .. } => (code.clone(), message.clone()),
            error => (String::new(), error.to_string()),
        };
        let reason = reason.trim_end_matches('.');
        Ok(Some((code, format!("The homeserver refused {what} in {place}: {reason}. {fate}"))))
    }

    /// Has told what a process before this one has not, and what there was too much of.
    pub(in crate::bridge) async fn take_up_refusals(&self) {
        match self.store.untold_kinds(MOST as i64).await {
            Ok(kinds) => kinds.into_iter().for_each(|key| self.wake_teller(key)),
            Err(error) => tracing::warn!(%error, "refusals are not told yet"),
        }
    }

    fn wake_teller(&self, key: Key) {
        if self.tellers.len() < MOST {
            let bridge = self.clone();
            self.tellers.wake(&self.tasks, &self.stop, key, move |key| bridge.clone().tell_refusals(key));
        }
    }

    /// Tells the refusals of a room and reason, as long as there are any.
    async fn tell_refusals(self, key: Key) {
        let mut pause = GATHERED;
        while !self.wait_or_stop(pause).await {
            match self.tell_refusals_now(&key).await {
                Ok(true) => pause = PAUSE,
                Ok(false) => return,
                // It is tried again with the next refusal of this kind, and with all that are not told.
                Err(error) => return tracing::warn!(%error, "a refusal is not told yet"),
            }
        }
    }

    /// Tells what there is of a room and reason; `false` where there is nothing.
    async fn tell_refusals_now(&self, (room, code): &Key) -> Result<bool, StoreError> {
        let Some(Untold { first, count, last }) = self.store.untold(*room, code).await? else {
            return Ok(false);
        };
        let text = if count == 1 {
            format!("{first}.")
        } else {
            format!("{first}, and {} more like it.", count - 1)
        };
        let refusing = self.store.room(*room).await?;
        let network_room = match refusing.as_ref().and_then(|room| room.session) {
            Some(session) => self.store.network_room(session).await?,
            None => None,
        };
        let mut text = RichText::plain(text);
        if let Some(remedy) = refusing.as_ref().and_then(|room| remedy(room, code)) {
            text = text.text(" If that room is gone, I make another: type ").code(remedy).text(".");
        }
        let content = content::message(MessageType::Notice, &text, None);
        let row = network_room.map(|room| content::message_row(room, self.client.bot(), content, None));
        let rows: Vec<_> = row.into_iter().collect();
        self.store.tell_untold(*room, code, last, rows, self.clock.unix_ms()).await?;
        network_room.into_iter().for_each(|room| self.wake_delivery(room));
        Ok(true)
    }

    /// Waits; `true` when the bridge stops meanwhile.
    async fn wait_or_stop(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.stop.cancelled() => true,
        }
    }
}
