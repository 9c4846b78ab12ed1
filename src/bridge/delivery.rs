//! Delivery to Matrix: one lane per room works through the room's outbox, in order, one request at a time.
//!
//! A request that fails for now is made again, with the same transaction id, for as long as it takes. When the outcome
//! of the last attempt is unknown (an answer was lost, the process was restarted) the room is searched for the
//! request's content key first: homeservers remember transaction ids only for a while. A request that is refused for
//! good is set aside and counted; it stops nothing behind it.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use serde::Deserialize;
use serde_json::Value;

use super::ghosts::GhostError;
use super::{Bridge, content};
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::event::CONTENT_KEY;
use crate::store::{Outbox, OutboxKind, RoomRow, STRAY, StoreError, Ticket};

/// Requests that are read at once, and the most whose outcome is not yet known to be committed.
const AT_ONCE: i64 = 50;
/// How many messages of the same senders are searched for what may have been sent: one request at most is in flight in
/// a room, and of those before it so many may have been answered without the answer being committed.
const SEARCHED: usize = 2 * AT_ONCE as usize;

/// What a request came to.
enum Outcome {
    Done(Option<String>),
    Refused(String),
    /// The bridge stops; the request stays.
    Stopped,
}

#[derive(Deserialize)]
struct StateArguments {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    content: Value,
}

#[derive(Deserialize)]
struct RedactArguments {
    #[serde(flatten)]
    event: Reference,
    reason: String,
}

#[derive(Deserialize)]
struct ReactionArguments {
    #[serde(flatten)]
    event: Reference,
    key: String,
}

/// An event that a request is about.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reference {
    /// By its id.
    EventId(String),
    /// By the row before this one that it came from.
    TxnId(String),
}

#[derive(Deserialize)]
struct InviteArguments {
    user_id: String,
}

impl Bridge {
    /// Works through a room's outbox until it is empty or the bridge stops.
    pub(super) async fn deliver(self, room: i64) {
        let mut attempt = 0;
        while let Err(error) = self.try_deliver(room).await {
            if matches!(error, StoreError::Closed) {
                return;
            }
            tracing::error!(room, %error, "delivery is held up");
            // What was sent meanwhile may not be stored as sent.
            self.unsure.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
            if !self.pause_after(&temporary(error.into()), attempt).await {
                return;
            }
            attempt += 1;
        }
        if self.postponed.lock().unwrap_or_else(PoisonError::into_inner).contains(&room) {
            self.wake_departures(room);
        }
    }

    async fn try_deliver(&self, room: i64) -> Result<(), StoreError> {
        let Some(row) = self.store.room(room).await? else {
            return Ok(());
        };
        let Some(room_id) = self.wait_for_room(&row).await else {
            return Ok(());
        };
        let mut tickets: Vec<Ticket<()>> = Vec::new();
        let mut after = 0;
        loop {
            let requests = self.store.waiting_requests(room, after, AT_ONCE).await?;
            if requests.is_empty() {
                break;
            }
            let unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
            let mut sent = HashMap::new();
            if unsure {
                let Some(found) = self.wait_for_sent(&row, &room_id, &requests).await else {
                    return Ok(());
                };
                sent = found;
            }
            for request in requests {
                after = request.seq;
                // It may be about an event whose id is not committed yet.
                if matches!(request.kind, OutboxKind::Redact | OutboxKind::Reaction) {
                    commit(std::mem::take(&mut tickets)).await?;
                }
                let known = sent.remove(&(request.sender.clone(), request.txn_id.clone()));
                let outcome = match known {
                    Some(event_id) => Outcome::Done(Some(event_id)),
                    None => self.request(&row, &room_id, &request).await,
                };
                match outcome {
                    Outcome::Done(event_id) => {
                        failpoint!("put_answered");
                        tickets.push(self.store.requests_done(vec![(request.seq, event_id)]).await);
                    }
                    Outcome::Refused(reason) => self.set_aside(&row, &request, &reason).await?,
                    Outcome::Stopped => {
                        commit(tickets).await?;
                        return Ok(());
                    }
                }
                if tickets.len() >= AT_ONCE as usize {
                    commit(std::mem::take(&mut tickets)).await?;
                }
            }
        }
        commit(tickets).await
    }

    /// The room's Matrix id, when the homeserver has made it; `None` when the bridge stops before.
    async fn wait_for_room(&self, room: &RoomRow) -> Option<String> {
        let perhaps_made = || self.perhaps_made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = 0;
        loop {
            let may_exist = perhaps_made().contains(&room.id);
            match self.real_room(room, may_exist).await {
                Ok(room_id) => {
                    perhaps_made().remove(&room.id);
                    if room.room_id.is_none() {
                        self.set_alias(room, &room_id).await;
                        // What was said there before we knew it is in its lane now; what is still stray is nobody's.
                        self.wake_lane(&room.lane);
                        self.wake_lane(STRAY);
                    }
                    return Some(room_id);
                }
                Err(error) => {
                    // Also where the homeserver answered, and the store could not keep it.
                    perhaps_made().insert(room.id);
                    let error = temporary(error);
                    if attempt == 0 || error.is_final() {
                        tracing::warn!(%error, "a room can't be made yet");
                    }
                    if !self.pause_after(&error, attempt).await {
                        return None;
                    }
                }
            }
            attempt += 1;
        }
    }

    async fn set_alias(&self, room: &RoomRow, room_id: &str) {
        const ATTEMPTS: u32 = 3;
        let Some(alias) = self.alias_of(room) else { return };
        for attempt in 0..ATTEMPTS {
            match self.client.set_alias(&alias, room_id).await {
                Ok(()) => return,
                // An alias is a convenience; messages don't wait long for it.
                Err(error) if error.is_final() || attempt + 1 == ATTEMPTS => {
                    tracing::warn!(%alias, %error, "a room has no alias");
                    return;
                }
                Err(error) => {
                    if !self.pause_after(&error, attempt).await {
                        return;
                    }
                }
            }
        }
    }

    /// What was sent to a room by us of late: (sender, content key) → event id.
    async fn wait_for_sent(
        &self,
        room: &RoomRow,
        room_id: &str,
        requests: &[Outbox],
    ) -> Option<HashMap<(String, String), String>> {
        let messages = requests.iter().filter(|request| has_key(request.kind));
        let senders: BTreeSet<&str> = messages.map(|request| request.sender.as_str()).collect();
        let senders: Vec<&str> = senders.into_iter().collect();
        if senders.is_empty() {
            return Some(HashMap::new());
        }
        // A control room was made by its user, and there the bot looks.
        let looker = if self.is_ours(&room.creator) { room.creator.as_str() } else { self.client.bot() };
        let mut attempt = 0;
        loop {
            match self.client.latest_messages(looker, room_id, &senders, SEARCHED).await {
                Ok(events) => {
                    let found = events.into_iter().filter_map(|event| {
                        // The key alone proves nothing: anybody may copy it. With the sender it does.
                        let key = event.content[CONTENT_KEY].as_str()?.to_owned();
                        self.is_ours(&event.sender).then_some(((event.sender, key), event.event_id))
                    });
                    return Some(found.collect());
                }
                Err(error) if !error.is_final() => {
                    if !self.pause_after(&error, attempt).await {
                        return None;
                    }
                }
                // Without access there is nothing to find, and nothing that could be sent twice.
                Err(_) => return Some(HashMap::new()),
            }
            attempt += 1;
        }
    }

    /// Makes a request until its outcome is known.
    async fn request(&self, room: &RoomRow, room_id: &str, request: &Outbox) -> Outcome {
        let mut attempt = 0;
        let mut brought_back = false;
        loop {
            failpoint!("put_sending");
            let error = match self.attempt(room, room_id, request).await {
                Ok(event_id) => return Outcome::Done(event_id),
                Err(error) => error,
            };
            // A ghost that somebody removed comes back once; that it is refused again is the room's last word.
            if error.is("M_FORBIDDEN") && !brought_back && request.sender != room.creator {
                brought_back = true;
                if self.forget_member(room, &request.sender).await {
                    continue;
                }
            }
            if error.is_final() {
                return Outcome::Refused(error.to_string());
            }
            if attempt == 0 {
                tracing::warn!(room = room.id, %error, "a request will be made again");
            }
            if !self.pause_after(&error, attempt).await {
                return Outcome::Stopped;
            }
            if error.is_unknown() && has_key(request.kind) {
                let Some(mut sent) = self.wait_for_sent(room, room_id, std::slice::from_ref(request)).await
                else {
                    return Outcome::Stopped;
                };
                if let Some(event_id) = sent.remove(&(request.sender.clone(), request.txn_id.clone())) {
                    return Outcome::Done(Some(event_id));
                }
            }
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        room: &RoomRow,
        room_id: &str,
        request: &Outbox,
    ) -> Result<Option<String>, ClientError> {
        self.bring_in(room, room_id, &request.sender).await.map_err(temporary)?;
        let Outbox { sender, txn_id, payload, .. } = request;
        match request.kind {
            OutboxKind::Message => self
                .client
                .send(sender, room_id, "m.room.message", txn_id, payload, request.ts)
                .await
                .map(Some),
            OutboxKind::State => {
                let StateArguments { kind, state_key, content } = read(payload)?;
                self.client.send_state(sender, room_id, &kind, &state_key, &content).await.map(Some)
            }
            OutboxKind::Redact => {
                let RedactArguments { event, reason } = read(payload)?;
                // What never came into being needs no redaction.
                let Some(event_id) = self.event_of(event).await? else { return Ok(None) };
                self.client.redact(sender, room_id, &event_id, txn_id, &reason).await.map(Some)
            }
            OutboxKind::Reaction => {
                let ReactionArguments { event, key } = read(payload)?;
                let Some(event_id) = self.event_of(event).await? else { return Ok(None) };
                let content = content::reaction(&event_id, &key, txn_id).to_string();
                self.client.send(sender, room_id, "m.reaction", txn_id, &content, None).await.map(Some)
            }
            OutboxKind::Invite => {
                let InviteArguments { user_id } = read(payload)?;
                match self.client.invite(sender, room_id, &user_id).await {
                    // Who is there already needs no invitation.
                    Err(error) if !error.is_final() => Err(error),
                    Ok(()) | Err(_) => Ok(None),
                }
            }
        }
    }

    /// The id of an event that a request is about.
    async fn event_of(&self, reference: Reference) -> Result<Option<String>, ClientError> {
        match reference {
            Reference::EventId(event_id) => Ok(Some(event_id)),
            Reference::TxnId(txn_id) => {
                let found = self.store.event_of_request(&txn_id).await;
                found.map_err(|error| temporary(error.into()))
            }
        }
    }

    /// Forgets that a ghost is in a room, so that it is brought in again.
    async fn forget_member(&self, room: &RoomRow, user_id: &str) -> bool {
        self.ghosts.forget(room.id, user_id);
        match self.store.ghost_by_user_id(user_id).await {
            Ok(Some(ghost)) => {
                // The homeserver may not know it any more at all, as after a restored backup.
                let localpart = user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
                if let Err(error) = self.client.register(localpart).await {
                    tracing::debug!(%error, "a ghost was not registered again");
                }
                self.store.member_lost(room.id, ghost.id).await.is_ok()
            }
            _ => false,
        }
    }

    async fn set_aside(&self, room: &RoomRow, request: &Outbox, reason: &str) -> Result<(), StoreError> {
        tracing::warn!(room = room.id, kind = ?request.kind, %reason, "the homeserver refuses a request for good");
        self.store.request_refused(request.seq, reason).await?;
        if request.kind == OutboxKind::Redact {
            // It held a secret, and the person believes it gone.
            let text = RichText::plain(
                "I am not allowed to remove your message with the password from this room. Please remove it yourself.",
            );
            let alert = content::message(content::MessageType::Text, &text, room.owner.as_deref());
            // Whoever was refused is in the room: the bot, or a query's ghost.
            let row = content::message_row(room.id, &request.sender, alert, None);
            self.store.enqueue(vec![row], self.clock.unix_ms()).await?;
        }
        Ok(())
    }

    /// Moves the bridge's read receipt in a room to this event, as the one who speaks for the bridge there.
    pub(super) fn settle_up_to(&self, room: i64, sender: &str, event_id: &str) {
        let place = (sender.to_owned(), event_id.to_owned());
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).insert(room, place);
        let bridge = self.clone();
        self.receipts.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().mark_read(room));
    }

    async fn mark_read(self, room: i64) {
        let take = || self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
        let Some((mut sender, mut event_id)) = take() else { return };
        let Ok(Some(RoomRow { room_id: Some(room_id), .. })) = self.store.room(room).await else {
            return;
        };
        let mut attempt = 0;
        while let Err(error) = self.client.mark_read(&sender, &room_id, &event_id).await {
            if error.is_final() || !self.pause_after(&error, attempt).await {
                tracing::debug!(%error, "a receipt was not taken");
                return;
            }
            attempt += 1;
            // Receipts are cumulative: a newer one says this one, too.
            if let Some(newer) = take() {
                (sender, event_id) = newer;
            }
        }
    }
}

/// Whether the event that comes of it carries the content key.
fn has_key(kind: OutboxKind) -> bool {
    matches!(kind, OutboxKind::Message | OutboxKind::Reaction)
}

/// A failure of the store is as temporary as one of the homeserver: nothing is given up because of it.
pub(super) fn temporary(error: GhostError) -> ClientError {
    match error {
        GhostError::Client(error) => error,
        GhostError::Store(error) => ClientError::Unreachable(error.to_string()),
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, ClientError> {
    serde_json::from_str(payload).map_err(|error| ClientError::Invalid(error.to_string()))
}

/// Waits until the outcomes are committed: before, the requests would be read again.
async fn commit(tickets: Vec<Ticket<()>>) -> Result<(), StoreError> {
    for ticket in tickets {
        ticket.committed().await?;
        failpoint!("request_marked");
    }
    Ok(())
}
