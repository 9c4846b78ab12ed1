//! A conversation's room is handed over to the ghost of its person's new nick.
//!
//! The old ghost invites the new one and gives it its power, then leaves: the room has two members again, and goes on.
//! It is one request of the room's lane, behind what was said under the old nick and before what is said under the new
//! one. Each step looks at what is there already, so that it can be done again after a crash or a lost answer.
//!
//! Not the decision, which is the session's (`session/renames.rs`).
//!
//! Spec: Matrix, `m.room.power_levels`; room version 12 on creators, who have all power and must not be listed.

use serde_json::{Value, json};

use super::delivery::temporary;
use super::rooms::Homeserver;
use super::{Bridge, rooms};
use crate::matrix::ClientError;
use crate::store::RoomRow;

/// What a room is made with.
const ALL_POWER: i64 = 100;

impl Bridge {
    /// Hands a room over from one ghost of ours to another.
    pub(super) async fn hand_over(
        &self,
        room: &RoomRow,
        room_id: &str,
        from: &str,
        to: &str,
    ) -> Result<(), ClientError> {
        // The row may be older than an attempt that got further than its answer.
        let room = self.store.room(room.id).await.map_err(|error| temporary(error.into()))?;
        let Some(room) = room else { return Ok(()) };
        // Where an earlier handover was refused, somebody before has it.
        let from = if room.creator == to { from } else { &room.creator };
        if room.creator != to {
            self.let_heir_in(&room, room_id, from, to).await?;
            self.give_power(&room, room_id, from, to).await?;
            self.move_alias(&room, room_id, from).await?;
            self.store.room_handed_over(room.id, to).await.map_err(|error| temporary(error.into()))?;
            room.session.into_iter().for_each(|session| self.wake_space(session));
        }
        self.ghosts.forget(room.id, from);
        match self.client.leave(from, room_id, None).await {
            Err(error) if !error.is_final() => Err(error),
            // Not there any more is what was wanted.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn let_heir_in(
        &self,
        room: &RoomRow,
        room_id: &str,
        from: &str,
        to: &str,
    ) -> Result<(), ClientError> {
        let ghost = self.store.ghost_by_user_id(to).await.map_err(|error| temporary(error.into()))?;
        let ghost = ghost.ok_or_else(|| ClientError::Invalid(format!("{to} is no ghost of ours")))?;
        self.register_ghost(&ghost).await.map_err(temporary)?;
        rooms::invite_and_join(&self.client, from, room_id, to).await?;
        self.ghosts.forget(room.id, to);
        self.store.member_joined(room.id, ghost.id, None).await.map_err(|error| temporary(error.into()))
    }

    /// The room is found under its person's new nick, and no longer under the one before. An alias is a convenience:
    /// nothing fails for it.
    async fn move_alias(&self, room: &RoomRow, room_id: &str, from: &str) -> Result<(), ClientError> {
        let ghost = self.store.ghost_by_user_id(from).await.map_err(|error| temporary(error.into()))?;
        let before = ghost.and_then(|ghost| {
            let user = room.owner.as_deref()?.strip_prefix('@')?.split(':').next()?;
            self.alias(user, &room.address()?, &ghost.nick)
        });
        if before.is_some() && before != self.alias_of(room) {
            self.set_alias(room, room_id).await;
        }
        if let Some(before) = before.filter(|before| Some(before) != self.alias_of(room).as_ref())
            && let Err(error) = self.client.delete_alias(&before).await
        {
            tracing::debug!(alias = %before, %error, "an alias stays");
        }
        Ok(())
    }

    async fn give_power(
        &self,
        room: &RoomRow,
        room_id: &str,
        from: &str,
        to: &str,
    ) -> Result<(), ClientError> {
        const KIND: &str = "m.room.power_levels";
        let levels = self.client.state(to, room_id, KIND, "").await?.unwrap_or_default();
        let creation = self.client.state(to, room_id, "m.room.create", "").await?.unwrap_or_default();
        let founder = has_creators(&creation).then(|| room.founder.as_deref().unwrap_or(&room.creator));
        match with_heir(levels, from, to, founder) {
            Some(levels) => self.client.send_state(from, room_id, KIND, "", &levels).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Whether a room's creators have all power without being listed: by its own version, since the homeserver may make
/// others by now.
pub(super) fn has_creators(creation: &Value) -> bool {
    // Rooms of version 1 need not say it.
    let room_version = creation["room_version"].as_str().unwrap_or("1").to_owned();
    Homeserver { room_version }.has_creators()
}

/// The power levels of a room with one ghost in the place of another; nothing where they are so. A founder has all
/// power without being listed.
fn with_heir(mut levels: Value, from: &str, to: &str, founder: Option<&str>) -> Option<Value> {
    let has_power = founder == Some(to) || levels["users"][to] == ALL_POWER;
    if has_power && levels["users"][from].is_null() {
        return None;
    }
    if !levels["users"].is_object() {
        levels["users"] = json!({});
    }
    if let Some(users) = levels["users"].as_object_mut() {
        users.remove(from);
        if founder != Some(to) {
            users.insert(to.to_owned(), ALL_POWER.into());
        }
    }
    Some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::of_version_1(json!({}), false)]
    #[case::listed(json!({ "room_version": "11" }), false)]
    #[case::not_listed(json!({ "room_version": "12" }), true)]
    fn back_to_a_founder_who_must_be_listed_lists_them(#[case] creation: Value, #[case] is_above: bool) {
        assert_eq!(has_creators(&creation), is_above);
        let levels = with_heir(json!({ "users": { "a": 100 } }), "a", "b", is_above.then_some("b"));
        let listed = if is_above { json!(null) } else { json!(100) };
        assert_eq!(levels.unwrap()["users"]["b"], listed);
    }

    #[rstest]
    #[case::first(json!({ "a": 100, "me": 50 }), None, Some(json!({ "b": 100, "me": 50 })))]
    #[case::done(json!({ "b": 100, "me": 50 }), None, None)]
    #[case::from_a_founder(json!({ "me": 50 }), Some("a"), Some(json!({ "b": 100, "me": 50 })))]
    #[case::from_a_founder_done(json!({ "b": 100, "me": 50 }), Some("a"), None)]
    #[case::back_to_a_founder(json!({ "a": 100, "me": 50 }), Some("b"), Some(json!({ "me": 50 })))]
    #[case::back_to_a_founder_done(json!({ "me": 50 }), Some("b"), None)]
    fn one_ghost_takes_the_place_of_another(
        #[case] users: Value,
        #[case] founder: Option<&str>,
        #[case] expected: Option<Value>,
    ) {
        let levels = json!({ "users": users, "invite": 50 });
        let given = with_heir(levels, "a", "b", founder);
        assert_eq!(given.as_ref().map(|levels| levels["users"].clone()), expected);
        assert!(given.is_none_or(|levels| levels["invite"] == 50), "the rest stays");
    }
}
