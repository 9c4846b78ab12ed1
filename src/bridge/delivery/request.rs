//! One request: made again until its outcome is known.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::super::Bridge;
use super::super::content::{self, HOURGLASS, MessageType};
use super::attempts::UnderWay;
use super::{load, temporary};
use crate::matrix::ClientError;
use crate::matrix::event::CONTENT_KEY;
use crate::store::{Folded, Outbox, OutboxKind, RoomKind, RoomRow};

/// How often a ghost is let speak where others change the same powers meanwhile.
const MOST_TRIES: u32 = 3;

/// What a request came to.
pub(super) enum Outcome {
    Done(Option<String>),
    Refused(ClientError),
    /// The bridge stops; the request stays.
    Stopped,
}

#[derive(Deserialize)]
struct StateArguments {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    content: Value,
    /// It takes somebody out of a shared room, unless they are in its channel again.
    #[serde(default)]
    unless_back: bool,
}

#[derive(Deserialize)]
struct RedactArguments {
    #[serde(flatten)]
    event: Reference,
    reason: String,
    /// It was taken back on IRC.
    #[serde(default)]
    from_irc: bool,
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
    #[serde(default)]
    is_direct: bool,
    /// To have the room in the sender's place.
    #[serde(default)]
    hands_over: bool,
}

impl Bridge {
    /// Makes a request until its outcome is known.
    pub(super) async fn request(
        &self,
        room: &RoomRow,
        room_id: &str,
        request: &Outbox,
        under_way: &UnderWay<'_>,
    ) -> Outcome {
        if let Some(event_id) = under_way.echo() {
            return Outcome::Done(Some(event_id));
        }
        let mut attempt = 0;
        let mut brought_back = false;
        let mut let_speak = 0;
        loop {
            failpoint!("put_sending");
            let error = match self.attempt(room, room_id, request).await {
                Ok(event_id) => return Outcome::Done(event_id),
                Err(error) => error,
            };
            // A room in which not everybody speaks hears whom IRC lets speak.
            if error.is("M_FORBIDDEN") && let_speak < MOST_TRIES {
                let_speak += 1;
                if self.let_speak(room, room_id, &request.sender).await.unwrap_or(false) {
                    continue;
                }
            }
            // A ghost that somebody removed comes back once; that it is refused again is the room's last word.
            if error.is("M_FORBIDDEN") && !brought_back && request.sender != room.creator {
                brought_back = true;
                if self.forget_member(room, &request.sender).await
                    || self.enter_as_puppet(&request.sender, room_id).await.unwrap_or(false)
                {
                    continue;
                }
            }
            if error.is_final() {
                return Outcome::Refused(error);
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
        let Outbox { sender, txn_id, payload, .. } = request;
        // The name, the topic, the powers of other people's room and who is in it are theirs.
        if room.is_plumbed()
            && (request.kind == OutboxKind::State || !self.may_be_shown(room, room_id).await?)
        {
            return Ok(None);
        }
        if let Some(heir) = heir_of(request) {
            return self.hand_over(room, room_id, sender, &heir).await.map(|()| None);
        }
        self.bring_in(room, room_id, sender).await.map_err(temporary)?;
        match request.kind {
            OutboxKind::Message => {
                let content = content_of(room, request);
                let sent = self.client_as(sender).send(
                    sender,
                    room_id,
                    "m.room.message",
                    txn_id,
                    &content,
                    request.ts,
                );
                sent.await.map(Some)
            }
            OutboxKind::State => {
                let StateArguments { kind, state_key, content, unless_back } = read(payload)?;
                if unless_back {
                    let reason = content["reason"].as_str().unwrap_or_default();
                    let is_due = self.is_removal_due(room, room_id, &state_key, reason, request.created_at);
                    if !is_due.await.map_err(temporary)? {
                        return Ok(None);
                    }
                }
                self.client.send_state(sender, room_id, &kind, &state_key, &content).await.map(Some)
            }
            OutboxKind::Redact => {
                let RedactArguments { event, reason, .. } = read(payload)?;
                // What never came into being needs no redaction.
                let is_own = matches!(event, Reference::TxnId(_));
                let Some(event_id) = self.event_of(event).await? else { return Ok(None) };
                if is_own
                    && self.store.is_hourglass(&event_id).await.map_err(|error| temporary(error.into()))?
                {
                    // The message waits still for another channel that the room shows.
                    return Ok(None);
                }
                self.client_as(sender).redact(sender, room_id, &event_id, txn_id, &reason).await.map(Some)
            }
            OutboxKind::Reaction => {
                let ReactionArguments { event, key } = read(payload)?;
                let Some(event_id) = self.event_of(event).await? else { return Ok(None) };
                let content = content::reaction(&event_id, &key, txn_id).to_string();
                let sent = self.client_as(sender).send(sender, room_id, "m.reaction", txn_id, &content, None);
                match sent.await {
                    // Where the message waits for another channel of the room, too, one hourglass stands for both.
                    Err(error) if key == HOURGLASS && error.is("M_DUPLICATE_ANNOTATION") => {
                        self.standing_hourglass(&event_id, txn_id).await
                    }
                    sent => sent.map(Some),
                }
            }
            OutboxKind::Invite => {
                let InviteArguments { user_id, is_direct, .. } = read(payload)?;
                let invited = if is_direct {
                    // `POST …/invite` can't say so, and clients would show the conversation as another room.
                    let content = serde_json::json!({ "membership": "invite", "is_direct": true });
                    let sent = self.client.send_state(sender, room_id, "m.room.member", &user_id, &content);
                    sent.await.map(drop)
                } else {
                    self.client.invite(sender, room_id, &user_id).await
                };
                match invited {
                    // Who is there already needs no invitation.
                    Err(error) if !error.is_final() => Err(error),
                    Ok(()) | Err(_) => Ok(None),
                }
            }
        }
    }

    /// The hourglass that another channel of the room has set under a message. That it stands may be stored in a moment.
    async fn standing_hourglass(&self, event_id: &str, txn_id: &str) -> Result<Option<String>, ClientError> {
        const LOOKS: u32 = 50;
        const LOOK: Duration = Duration::from_millis(100);
        for _ in 0..LOOKS {
            let beside = self.store.hourglass_beside(event_id, txn_id).await;
            match beside.map_err(|error| temporary(error.into()))? {
                Some(None) => {}
                standing => return Ok(standing.flatten()),
            }
            if self.stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                break;
            }
        }
        Ok(None)
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
}

/// Whether it takes back what somebody else has said, and not a reaction of our own.
pub(super) fn takes_back_anothers(request: &Outbox) -> bool {
    request.kind == OutboxKind::Redact
        && read::<RedactArguments>(&request.payload)
            .is_ok_and(|arguments| !arguments.from_irc && matches!(arguments.event, Reference::EventId(_)))
}

/// Who has the room after this request in the place of its sender, if it is one to hand it over.
pub(super) fn heir_of(request: &Outbox) -> Option<String> {
    let arguments = || read::<InviteArguments>(&request.payload).ok();
    let invitation = (request.kind == OutboxKind::Invite).then(arguments).flatten()?;
    invitation.hands_over.then_some(invitation.user_id)
}

/// Whether the event that comes of it carries the content key.
pub(super) fn has_key(kind: OutboxKind) -> bool {
    matches!(kind, OutboxKind::Message | OutboxKind::Reaction)
}

/// The content of a message. It is the row's own, unless that stands for lines that were folded.
fn content_of<'a>(room: &RoomRow, request: &'a Outbox) -> Cow<'a, str> {
    let Ok(folded) = serde_json::from_str::<Folded>(&request.payload) else {
        return Cow::Borrowed(&request.payload);
    };
    let is_channel = room.kind().is_ok_and(|kind| matches!(kind, RoomKind::Private | RoomKind::Shared));
    let text = load::notice_of(folded, is_channel);
    let mut content = content::message(MessageType::Notice, &text, None);
    content[CONTENT_KEY] = request.txn_id.as_str().into();
    Cow::Owned(content.to_string())
}

fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, ClientError> {
    serde_json::from_str(payload).map_err(|error| ClientError::Invalid(error.to_string()))
}
