//! A session that does not run: its network is there no more, or its user may not use the bridge. Whoever
//! speaks through one of its rooms is told so; nothing waits for what will not come.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::usher::Ask;
use super::Status;
use crate::format::RichText;
use crate::matrix::event::{Content, Event};
use crate::store::{InboxEvent, RoomKind, RoomRow, StoreError};

/// Events that are read at once.
const AT_ONCE: i64 = 100;

/// What is left of a session that does not run.
pub(super) struct Declined {
    pub(super) bridge: Bridge,
    pub(super) lane: String,
    pub(super) reason: String,
    /// What its user's rooms that are shared with others say of that.
    pub(super) is_out_for: String,
    /// The number of the session.
    pub(super) session: i64,
    pub(super) wake: Arc<Notify>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) status: watch::Sender<Status>,
}

/// Answers what comes into a lane, until the bridge stops or nobody has a handle on the session any more.
pub(super) async fn decline(declined: Declined) {
    let Declined { bridge, lane, reason, is_out_for, session, wake, mut asks, status: _ends_with_this } =
        declined;
    // What others show there is not for them any more.
    let left = bridge.leave_shared_rooms(session, &is_out_for).await;
    if let Err(error) = left {
        tracing::error!(%error, lane, "a session that does not run may have stayed in shared rooms");
    }
    wake.notify_one();
    loop {
        tokio::select! {
            biased;
            () = bridge.stop.cancelled() => return,
            ask = asks.recv() => match ask {
                // Nobody comes into its rooms.
                Some(_) => continue,
                // Another runs in its place.
                None => return,
            },
            () = wake.notified() => {}
        }
        if let Err(error) = decline_all(&bridge, &lane, &reason).await {
            tracing::error!(%error, lane, "what was said through a session that does not run could not be answered");
        }
    }
}

async fn decline_all(bridge: &Bridge, lane: &str, reason: &str) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let events = bridge.store.waiting_events(lane, after, AT_ONCE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.seq;
        for stored in &events {
            decline_one(bridge, stored, reason).await?;
        }
    }
}

async fn decline_one(bridge: &Bridge, stored: &InboxEvent, reason: &str) -> Result<(), StoreError> {
    let event = match Event::read(&stored.json) {
        Ok(event) => event,
        Err(error) => return bridge.store.finish_event(stored.seq, Some(&error.to_string())).await,
    };
    let room = bridge.store.room_of_event(stored, &event.room_id).await?;
    let is_shared = |room: &RoomRow| room.kind().is_ok_and(|kind| kind == RoomKind::Shared);
    let Some(room) = room.filter(|room| room.owner.as_deref() == Some(&event.sender) || is_shared(room))
    else {
        return bridge.store.finish_event(stored.seq, None).await;
    };
    match (&event.content, room.buffer) {
        (Content::Message(_) | Content::Encrypted, _) => {}
        // The web port hands out what this session has published, whether it runs or not.
        (Content::Redaction(event_id), Some(buffer)) => {
            let now = bridge.clock.unix_ms();
            return bridge.store.finish_taking_back(stored.seq, buffer, event_id, now).await;
        }
        _ => return bridge.store.finish_event(stored.seq, None).await,
    }
    let text = RichText::plain(format!("Your message was not sent: {reason}."));
    let content = content::message(MessageType::Text, &text, Some(&event.sender));
    let content = content::in_reply_to(content, &event.event_id);
    let row = content::message_row(room.id, &room.creator, content, None);
    bridge.answer_event(stored.seq, vec![row]).await?;
    bridge.wake_delivery(room.id);
    Ok(())
}
