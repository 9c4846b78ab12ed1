//! Rooms that were replaced: a tombstone names another room, and the bridge follows it there.
//!
//! Anybody may say of their room that it comes after one of ours. So a room is followed only where both say so: the old
//! one's tombstone names the new one, the new one's creation names the old one, and whoever made the new one could have
//! closed the old one. What the bridge knows of the room stays: its history, who speaks there, what it shows. Where the
//! new room does not let us in, the invitation that comes later leads there.
//!
//! Homeservers let nobody speak in the old room from the tombstone on, and what is said on IRC comes before we hear of it:
//! that waits, and goes to the successor (invariant 1).
//!
//! Where nobody lets us in within a minute, the owner is told, once, elsewhere.
//!
//! Each step can be done again; what was followed is known by its new id.
//!
//! Spec: Matrix "Room upgrades", `m.room.tombstone`, `m.room.create`; room version 12 on creators.

use serde_json::Value;

use super::content::MessageType;
use super::ghosts::GhostError;
use super::handover::has_creators;
use super::{Bridge, bridge_info, content};
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::event::Event;
use crate::store::{InboxEvent, Moved, NewOutbox, RoomKind, RoomRow, StoreError};

/// What closes a room.
const CLOSING: &str = "m.room.tombstone";

/// Clients close a room first and then invite those who were there: for so long that is expected, in milliseconds.
const EXPECTED: i64 = 60_000;

/// Where a tombstone has led us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// To the successor.
    There,
    /// To a room that does not let us in yet.
    LockedOut,
    /// To a room that does not come after this one, or to none.
    Nowhere,
}

/// What a room's events say about who may do what.
pub(super) struct Powers<'a> {
    pub(super) levels: &'a Value,
    /// The whole `m.room.create`, with its sender.
    pub(super) creation: &'a Value,
}

/// A power level. Old rooms have numbers as text.
pub(super) fn power(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

impl Powers<'_> {
    /// Whether this user may set a state of this type.
    pub(super) fn allow(&self, user_id: &str, kind: &str) -> bool {
        const DEFAULT: i64 = 50;
        let content = &self.creation["content"];
        if has_creators(content) {
            let more = content["additional_creators"].as_array().into_iter().flatten();
            if self.creation["sender"] == user_id || more.into_iter().any(|creator| creator == user_id) {
                return true;
            }
        }
        let level = power(&self.levels["users"][user_id]);
        let level = level.or_else(|| power(&self.levels["users_default"])).unwrap_or_default();
        let needed = power(&self.levels["events"][kind]);
        level >= needed.or_else(|| power(&self.levels["state_default"])).unwrap_or(DEFAULT)
    }
}

impl Bridge {
    /// A room was closed, and another one is named in its place.
    pub(super) async fn on_tombstone(
        &self,
        stored: &InboxEvent,
        event: &Event,
        replacement: &str,
    ) -> Result<(), GhostError> {
        if let Some(room) = self.store.room_by_matrix_id(&event.room_id).await? {
            self.follow(&room, &event.room_id, replacement, &event.sender).await?;
        }
        Ok(self.store.finish_event(stored.seq, None).await?)
    }

    /// Whether a room that refuses a request was closed, so that the request waits for its successor. The tombstone may be
    /// on its way to us, or have been lost.
    pub(super) async fn is_closed(&self, room: &RoomRow, room_id: &str) -> Result<bool, StoreError> {
        let look = || async {
            let tombstone = self.client.state_event(self.looker(&room.creator), room_id, CLOSING).await?;
            let tombstone = tombstone.unwrap_or_default();
            let (new, sender) = (&tombstone["content"]["replacement_room"], &tombstone["sender"]);
            let (Some(new), Some(sender)) = (new.as_str(), sender.as_str()) else {
                return Ok(Followed::Nowhere);
            };
            let followed = self.follow(room, room_id, new, sender).await?;
            let closed_at = tombstone["origin_server_ts"].as_i64().unwrap_or_default();
            if followed == Followed::LockedOut
                && closed_at.saturating_add(EXPECTED) <= self.clock.unix_ms()
                && !room.explained
            {
                self.explain_locked_out(room).await?;
            }
            Ok(followed)
        };
        match self.insist(look).await {
            Some(Err(GhostError::Store(error))) => Err(error),
            Some(Ok(Followed::There | Followed::LockedOut)) | None => Ok(true),
            // Somebody else may have followed it meanwhile.
            Some(Ok(Followed::Nowhere) | Err(_)) => self.has_moved(room.id, room_id).await,
        }
    }

    /// Tells a room's owner that what is said there waits, since the room that comes after it does not let us in.
    async fn explain_locked_out(&self, room: &RoomRow) -> Result<(), StoreError> {
        let Some(owner) = &room.owner else { return Ok(()) };
        let user = self.store.ensure_user(owner, self.clock.unix_ms()).await?;
        let (to, mut rows) = self.way_to_but(user.id, owner, room.id).await?;
        if to.id == room.id {
            return Ok(());
        }
        let name = room.buffer_name.as_deref().unwrap_or_default();
        let (shown, remedy) = match room.kind()? {
            RoomKind::Private => (format!("The room of {name}"), Some(format!("join {name}"))),
            RoomKind::Query => (format!("The room of {name}"), Some(format!("query {name}"))),
            RoomKind::Network => {
                (format!("The room of {}", self.network_name(&room.address().unwrap_or_default())), None)
            }
            RoomKind::Control => ("Our chat".to_owned(), None),
            RoomKind::Lobby | RoomKind::Shared => return Ok(()),
        };
        let text = RichText::plain(format!(
            "{shown} was replaced by another one that does not let me in, so what is said waits. Invite {} there, and it \
             goes on there",
            self.looker(&room.creator)
        ));
        let text = match remedy {
            Some(remedy) => text.text("; or have me make a new one: type ").code(remedy).text("."),
            None => text.text("."),
        };
        let alert = content::message(MessageType::Text, &text, Some(owner));
        rows.push(content::message_row(to.id, self.looker(&to.creator), alert, None));
        if self.store.explain_room(room.id, rows, self.clock.unix_ms()).await? {
            self.wake_delivery(to.id);
        }
        Ok(())
    }

    /// Goes from one room to another, if that is its successor.
    pub(super) async fn follow(
        &self,
        room: &RoomRow,
        old: &str,
        new: &str,
        sender: &str,
    ) -> Result<Followed, GhostError> {
        let looker = self.looker(&room.creator).to_owned();
        // An invitation to the new room may be here before the tombstone, and who leaves a room is not invited any more.
        let tombstone = self.client.state(&looker, old, CLOSING, "").await?.unwrap_or_default();
        if tombstone["replacement_room"] != new {
            return Ok(Followed::Nowhere);
        }
        let via = sender.split_once(':').map_or(self.client.domain(), |(_, server)| server);
        match self.client.join_via(&looker, new, via).await {
            Ok(()) => {}
            Err(error) if error.is_final() => {
                tracing::info!(%old, %new, %error, "a room was replaced by one that does not let us in yet");
                return Ok(Followed::LockedOut);
            }
            Err(error) => return Err(error.into()),
        }
        if !self.is_successor(&looker, old, new).await? {
            tracing::warn!(%old, %new, %sender, "a room was not followed to one that does not come after it");
            self.leave_for_good(&looker, new).await?;
            return Ok(Followed::Nowhere);
        }
        let rows = self.rows_after_move(room, &looker, new).await?;
        let Moved { rows: moved, is_configured } =
            self.store.room_moved(room.id, old, new, rows, self.clock.unix_ms()).await?;
        if is_configured {
            self.note_replaced(old, new);
        }
        if moved.is_empty() && self.store.rooms_by_matrix_id(new).await?.is_empty() {
            // It was followed further meanwhile: nothing of it is here.
            self.leave_for_good(&looker, new).await?;
            return Ok(Followed::There);
        }
        // Also where that was done before, and cut short.
        self.ghosts.forget_room(room.id);
        moved.iter().for_each(|row| self.ghosts.forget_room(*row));
        tracing::info!(%old, %new, "a room was followed to its successor");
        if room.is_plumbed() {
            // The file may have the old id.
            self.take_up_mappings(Some(new));
        }
        self.set_alias(room, new).await;
        room.session.into_iter().for_each(|session| self.wake_space(session));
        self.wake_delivery(room.id);
        moved.iter().for_each(|row| self.wake_delivery(*row));
        self.wake_lane(&room.lane);
        self.leave_old_room(looker, old.to_owned());
        if room.is_plumbed() {
            // It may show other channels already.
            self.note_several().await?;
        }
        Ok(Followed::There)
    }

    /// Whether a room that another one names in its place says that it comes after that.
    async fn is_successor(&self, looker: &str, old: &str, new: &str) -> Result<bool, ClientError> {
        let founding = self.client.state_event(looker, new, "m.room.create").await?.unwrap_or_default();
        if founding["content"]["predecessor"]["room_id"] != old {
            return Ok(false);
        }
        let levels = self.client.state(looker, old, "m.room.power_levels", "").await?.unwrap_or_default();
        let creation = self.client.state_event(looker, old, "m.room.create").await?.unwrap_or_default();
        let founder = founding["sender"].as_str().unwrap_or_default();
        Ok(Powers { levels: &levels, creation: &creation }.allow(founder, CLOSING))
    }

    /// What the new room lacks: homeservers take over what they know. Where we have no power, that is what we say: who
    /// founds a room of version 12 need not give it to those who had it before.
    async fn rows_after_move(
        &self,
        room: &RoomRow,
        looker: &str,
        new: &str,
    ) -> Result<Vec<NewOutbox>, GhostError> {
        let address = room.address().unwrap_or_default();
        let shown = match room.kind()? {
            RoomKind::Private | RoomKind::Query => room.buffer_name.clone().unwrap_or_default(),
            RoomKind::Network => self.network_name(&address),
            RoomKind::Control | RoomKind::Lobby | RoomKind::Shared => return Ok(Vec::new()),
        };
        let levels = self.client.state(looker, new, "m.room.power_levels", "").await?.unwrap_or_default();
        let creation = self.client.state_event(looker, new, "m.room.create").await?.unwrap_or_default();
        if !(Powers { levels: &levels, creation: &creation }).allow(looker, bridge_info::KINDS[0]) {
            let text = RichText::plain(
                "I have followed you to this room, and have no power here. Make me an administrator of it (100), so that \
                 I can bring people in and show the topic.",
            );
            let owner = room.owner.as_deref();
            let alert = content::message(MessageType::Text, &text, owner);
            return Ok(vec![content::message_row(room.id, &room.creator, alert, None)]);
        }
        let info = self.bridge_info(&address, &shown, room.owner.as_deref());
        let key = bridge_info::key_of(&address, &shown);
        let row = |kind| content::keyed_state_row(room.id, &room.creator, kind, &key, &info);
        Ok(bridge_info::KINDS.into_iter().map(row).collect())
    }

    pub(super) async fn leave_for_good(&self, user: &str, room_id: &str) -> Result<(), ClientError> {
        match self.client.leave(user, room_id, None).await {
            Err(error) if !error.is_final() => Err(error),
            // Not there any more is what was wanted.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Takes all of us out of a room that is closed, in the background: whoever stays there hears of it for ever. Nothing
    /// depends on it.
    fn leave_old_room(&self, looker: String, room_id: String) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let members = bridge.persist(|| bridge.client.members(&looker, &room_id)).await;
            let members = members.unwrap_or_default().into_iter();
            // The one who looks goes last.
            let ours = members.filter(|member| bridge.is_ours(member) && *member != looker);
            for member in ours.chain([looker.clone()]) {
                let _budget = bridge.membership_budget.acquire().await;
                if bridge.persist(|| bridge.leave_for_good(&member, &room_id)).await.is_err() {
                    return;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::with_the_power(json!({ "users": { "@a:x": 100 }, "events": { "m.room.tombstone": 100 } }), "11", true)]
    #[case::without(json!({ "users": { "@a:x": 50 }, "events": { "m.room.tombstone": 100 } }), "11", false)]
    #[case::by_default(json!({ "users": { "@a:x": 50 } }), "11", true)]
    #[case::as_anybody(json!({ "users_default": 50 }), "11", true)]
    #[case::as_nobody(json!({}), "11", false)]
    #[case::as_a_creator(json!({}), "12", true)]
    fn who_could_close_the_old_room_may_found_the_next(
        #[case] levels: Value,
        #[case] version: &str,
        #[case] allowed: bool,
    ) {
        let content = json!({ "room_version": version, "additional_creators": ["@a:x"] });
        let creation = json!({ "sender": "@b:x", "content": content });
        assert_eq!(Powers { levels: &levels, creation: &creation }.allow("@a:x", CLOSING), allowed);
        assert_eq!(
            Powers { levels: &json!({}), creation: &creation }.allow("@b:x", CLOSING),
            version == "12"
        );
    }
}
