//! The space of a session's network, where its user wants one: it holds the network's room, then the channels', then the
//! conversations', each by name.
//!
//! Which rooms belong into it follows from the store; what the homeserver was told of them stands there, too. One lane
//! per session makes up the difference, and each step can be done again: so nothing must be remembered between tasks,
//! and a crash leaves nothing but steps to do. The space itself is made as rooms are (invariant 2).
//!
//! Spec: Matrix "Spaces", `m.space.child` and `m.space.parent`.

use serde_json::{Value, json};

use super::content::unique;
use super::delivery::temporary;
use super::ghosts::GhostError;
use super::rooms::space_power_levels;
use super::session::{Manners, SpaceWish};
use super::{Bridge, Outcome, SessionHandle};
use crate::format::RichText;
use crate::matrix::event::ROOM_MARKER;
use crate::matrix::{ClientError, CreateRoom};
use crate::store::{BufferKind, SpaceRoom, StoreError};

/// Characters of an `order`.
const LONGEST_PLACE: usize = 50;

/// Where a room stands in its space. Only printable ASCII is allowed there, and few characters.
fn place_of(room: &SpaceRoom) -> String {
    let class = match room.kind {
        None => '1',
        Some(BufferKind::Channel) => '2',
        Some(BufferKind::Query) => '3',
    };
    let name = room.name.to_lowercase();
    let name = name.chars().filter(|letter| (' '..='~').contains(letter));
    std::iter::once(class).chain(name).take(LONGEST_PLACE).collect()
}

impl Bridge {
    /// Somebody should look whether a session's space is as it should be.
    pub(super) fn wake_space(&self, session: i64) {
        let bridge = self.clone();
        self.spaces.wake(&self.tasks, &self.stop, session, move |session| bridge.clone().keep_space(session));
    }

    /// Puts a user's rooms of a network into a space, or takes them out of it.
    pub async fn show_space(&self, session: &SessionHandle, wanted: bool) -> Outcome {
        let network = self.network_name(&session.row.address());
        if !wanted {
            self.wake_space(session.row.id);
            return Ok(RichText::plain(format!(
                "The rooms of {network} leave their space; it stays empty, and you can leave it."
            )));
        }
        let known = self.store.space(session.row.id).await?.and_then(|space| space.room_id);
        if let Some(space) = known
            && let Err(error) = self.client.invite(self.client.bot(), &space, &session.row.user_id).await
        {
            // Who is there already needs no invitation.
            tracing::debug!(%error, "nobody was invited to a space");
            if error.is_final() && self.is_gone(self.client.bot(), &space).await {
                self.store.forget_space(session.row.id).await?;
            }
        }
        self.wake_space(session.row.id);
        Ok(RichText::plain(format!(
            "Your rooms of {network} stand in a space of their own; see your invitations, unless you are in it."
        )))
    }

    async fn keep_space(self, session: i64) {
        let mut attempt = 0;
        while let Err(error) = self.arrange(session).await {
            if matches!(error, GhostError::Store(StoreError::Closed)) {
                return;
            }
            let error = temporary(error);
            if error.is_final() {
                tracing::warn!(session, %error, "a space can't be made");
                return;
            }
            if attempt == 0 {
                tracing::warn!(session, %error, "a space can't be put in order yet");
            }
            if !self.pause_after(&error, attempt).await {
                return;
            }
            attempt += 1;
        }
    }

    async fn arrange(&self, session: i64) -> Result<(), GhostError> {
        let Some(handle) = self.session(session) else { return Ok(()) };
        let manners = Manners::load(self, handle.row.user, session, &handle.row.network).await?;
        let is_wanted = manners.of_session::<SpaceWish>() == SpaceWish::On;
        let known = self.store.space(session).await?.and_then(|space| space.room_id);
        let (space, rooms) = match (known, is_wanted) {
            (None, false) => return Ok(()),
            (Some(space), false) => (space, Vec::new()),
            (Some(space), true) => (space, self.store.rooms_for_space(session).await?),
            (None, true) => match self.make_space(&handle).await? {
                Some(space) => (space, self.store.rooms_for_space(session).await?),
                None => return Ok(()),
            },
        };
        let placed = self.store.space_children(session).await?;
        for room in &rooms {
            let place = place_of(room);
            if placed.iter().any(|(room_id, known)| *room_id == room.room_id && *known == place) {
                continue;
            }
            let child = json!({ "via": [self.client.domain()], "order": place });
            let parent = json!({ "via": [self.client.domain()], "canonical": true });
            if !self.tell_space(&space, &room.room_id, &child).await? {
                if self.is_gone(self.client.bot(), &space).await {
                    self.store.forget_space(session).await?;
                    self.wake_space(session);
                    return Ok(());
                }
                continue;
            }
            self.tell_child(&room.creator, &room.room_id, &space, &parent).await?;
            self.store.placed_in_space(session, &room.room_id, Some(&place)).await?;
        }
        for (room_id, _) in &placed {
            if rooms.iter().any(|room| room.room_id == *room_id) {
                continue;
            }
            self.tell_space(&space, room_id, &json!({})).await?;
            if let Some(room) = self.store.room_by_matrix_id(room_id).await? {
                self.tell_child(&room.creator, room_id, &space, &json!({})).await?;
            }
            self.store.placed_in_space(session, room_id, None).await?;
        }
        Ok(())
    }

    /// The space of a session, unless that is closed meanwhile.
    async fn make_space(&self, handle: &SessionHandle) -> Result<Option<String>, GhostError> {
        let bot = self.client.bot();
        let (session, owner) = (handle.row.id, &handle.row.user_id);
        let intent = self.store.intend_space(session, unique(), self.clock.unix_ms()).await?;
        // The row may be old: whether the space exists is always looked up.
        let found = match &intent.room_id {
            Some(room_id) => Some(room_id.clone()),
            None => self.find_marked(bot, &intent.marker).await?,
        };
        let room_id = match found {
            Some(room_id) => room_id,
            None => {
                let mut creation_content = json!({ "type": "m.space", ROOM_MARKER: intent.marker });
                if owner.split_once(':').is_some_and(|(_, server)| server == self.config.homeserver.domain) {
                    creation_content["m.federate"] = false.into();
                }
                let known = self.networks.get(&handle.row.network);
                let avatar = known.and_then(|known| known.network.avatar.clone());
                let avatar = avatar.map(|url| ("m.room.avatar", String::new(), json!({ "url": url })));
                let plan = CreateRoom {
                    name: Some(self.network_name(&handle.row.address())),
                    invite: vec![owner.clone()],
                    creation_content,
                    initial_state: avatar.into_iter().collect(),
                    power_levels: space_power_levels(&self.homeserver, bot, owner),
                    ..CreateRoom::default()
                };
                self.client.create_room(bot, &plan).await?
            }
        };
        if !self.store.space_made(session, &room_id).await? {
            self.abandon(bot, &room_id, owner, "You have closed this network.").await;
            return Ok(None);
        }
        tracing::info!(%room_id, "a space was made");
        Ok(Some(room_id))
    }

    /// Tells a space of a room; `false` where it does not take that.
    async fn tell_space(&self, space: &str, room_id: &str, content: &Value) -> Result<bool, ClientError> {
        let told = self.client.send_state(self.client.bot(), space, "m.space.child", room_id, content).await;
        unless_final(told)
    }

    /// Tells a room of its space. It is in it also where it does not show that.
    async fn tell_child(
        &self,
        speaker: &str,
        room_id: &str,
        space: &str,
        content: &Value,
    ) -> Result<bool, ClientError> {
        let told = self.client.send_state(speaker, room_id, "m.space.parent", space, content).await;
        unless_final(told)
    }
}

/// Whether a room took a state; an error where it may take it later.
fn unless_final(told: Result<String, ClientError>) -> Result<bool, ClientError> {
    match told {
        Err(error) if !error.is_final() => Err(error),
        Err(error) => {
            tracing::warn!(%error, "a room and its space are not told of each other");
            Ok(false)
        }
        Ok(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn room(kind: Option<BufferKind>, name: &str) -> SpaceRoom {
        SpaceRoom { room_id: "!r:x".into(), creator: "@b:x".into(), kind, name: name.into() }
    }

    #[rstest]
    #[case::the_network(room(None, ""), "1")]
    #[case::a_channel(room(Some(BufferKind::Channel), "#Rust"), "2#rust")]
    #[case::a_nick(room(Some(BufferKind::Query), "bob"), "3bob")]
    #[case::of_other_letters(room(Some(BufferKind::Channel), "#café\u{7f}"), "2#caf")]
    fn a_rooms_place_is_by_kind_and_name(#[case] room: SpaceRoom, #[case] place: &str) {
        assert_eq!(place_of(&room), place);
    }

    #[test]
    fn a_place_is_no_longer_than_the_specification_allows() {
        assert_eq!(place_of(&room(Some(BufferKind::Channel), &"x".repeat(200))).len(), LONGEST_PLACE);
    }
}
