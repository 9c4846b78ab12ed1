//! What comes of asking somebody whether a shared room is to take the place of their own (`session/instead.rs`).
//!
//! Whoever does not want that, or does not answer, is taken out of the shared room by the commit that ends the question. With
//! yes the room is theirs first, and then the question ends: as long as it stands nobody takes them out (`may_stay`), and when it is
//! gone nobody does who has the channel there.

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::ghosts::GhostError;
use super::super::outcome::{Outcome, Refusal};
use super::super::questions::Matter;
use super::super::session::{Manners, OwnRoom, Request, RoomWish, SessionHandle, SharedRequest};
use super::Once;
use crate::format::RichText;
use crate::matrix::event::Event;
use crate::names::Channel;
use crate::store::{InboxEvent, NewOutbox, RoomRow, SessionRow, StoreError};

impl Bridge {
    /// Whether somebody who is in a shared room is asked whether it is to take the place of their own.
    pub(in crate::bridge) async fn is_asked_instead(
        &self,
        room: i64,
        user_id: &str,
    ) -> Result<bool, StoreError> {
        let open = self.questions_of(user_id).await?;
        Ok(open
            .iter()
            .any(|(_, matter)| matches!(matter, Matter::Instead { room: about, .. } if *about == room)))
    }

    /// The alias of the shared room to which `join` leads whoever has this session; nothing where it is to a room of their own, or
    /// they have one of the channel.
    pub async fn alias_to_join(
        &self,
        session: &SessionHandle,
        channel: &Channel,
    ) -> Result<Option<String>, StoreError> {
        let SessionRow { id, user, network, name, .. } = &session.row;
        let Some(alias) = self.findable_alias(network, channel.as_str()).filter(|_| name.is_empty()) else {
            return Ok(None);
        };
        if Manners::load(self, *user, *id, network).await?.of_session::<RoomWish>() == RoomWish::Own {
            return Ok(None);
        }
        let is_same = |known: &str| self.mapping_of(network).same(known, channel.as_str());
        // In the shared one the session says so.
        if self.store.buffers(*id).await?.iter().any(|own| own.wanted && is_same(&own.name)) {
            return Ok(None);
        }
        let shown = self.store.shared_room(network, channel.as_str()).await?;
        Ok(shown.is_none_or(|room| !room.is_plumbed()).then_some(alias))
    }

    /// Somebody who is asked that does something in the shared room: nothing of it goes to IRC, which they are told.
    pub(super) async fn answer_who_is_asked(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        let text = "This did not go to IRC: first say in the network's room whether this room is to take the place of your own.";
        Ok(self.answer_in_shared(stored, event, room, Once::Refused, text).await?)
    }

    /// What takes somebody out of the shared room again who keeps their own.
    pub(in crate::bridge) fn keeps_own_room(&self, room: i64, channel: &str, user_id: &str) -> NewOutbox {
        content::removal_row(room, self.client.bot(), user_id, &keeps_own(channel))
    }

    /// The same, where they have not got it: they may have said yes, and a crash came before the question was ended.
    pub(in crate::bridge) async fn keeps_own_room_if_not_there(
        &self,
        room: i64,
        channel: &str,
        user_id: &str,
    ) -> Result<Option<NewOutbox>, StoreError> {
        let is_there = self.store.session_in_shared_room(room, user_id).await?.is_some();
        Ok((!is_there).then(|| self.keeps_own_room(room, channel, user_id)))
    }

    /// Nobody has answered in time, or they can't any more.
    pub(in crate::bridge) async fn end_asking_instead(
        &self,
        session: &SessionRow,
        network_room: i64,
        (room, channel): (i64, &str),
        why: &str,
    ) -> Result<(), StoreError> {
        let (bot, user_id) = (self.client.bot(), &session.user_id);
        let asked = Matter::Instead { session: session.id, room, channel: channel.to_owned() };
        let open = self.questions_of(user_id).await?;
        // They have said yes, and a crash came before the question was ended.
        let is_there = self.store.session_in_shared_room(room, user_id).await? == Some(session.id);
        let about_this: Vec<_> = open.into_iter().filter(|(_, matter)| *matter == asked).collect();
        if about_this.is_empty() && !is_there {
            self.take_out_unasked(room, channel.to_owned(), user_id.clone());
        }
        for (question, _) in about_this {
            let text =
                RichText::new().bold(format!("You are not in the shared room of {channel}")).text(format!(
                    ": {why}. To be asked again, join it again; to be in it without being asked, first type "
                ));
            let text = text.code(format!("part {channel}")).text(".");
            let alert = content::message(MessageType::Text, &text, Some(user_id));
            let buttons =
                question.buttons.iter().map(|button| content::unreact_row(network_room, bot, button));
            let told = content::message_row(network_room, bot, alert, None);
            let out = [told, self.keeps_own_room(room, channel, user_id)];
            let rows = buttons.chain(out.into_iter().filter(|_| !is_there)).collect();
            if self.close_question(&question.txn_id, None, rows).await? {
                self.wake_delivery(network_room);
                self.wake_delivery(room);
                self.has_left_shared(room);
            }
        }
        Ok(())
    }

    /// A question that is neither there nor answered, as where too many others were asked since, leaves nobody in the shared room
    /// who has no channel there. Who has answered is out of it, or in the channel.
    fn take_out_unasked(&self, room: i64, channel: String, user_id: String) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = bridge.try_to_take_out_unasked(room, &channel, &user_id).await {
                tracing::warn!(room, user = user_id, %error, "somebody may be in a shared room and not in its channel");
            }
        });
    }

    async fn try_to_take_out_unasked(
        &self,
        room: i64,
        channel: &str,
        user_id: &str,
    ) -> Result<(), GhostError> {
        let row = self.store.room(room).await?;
        let Some((row, room_id)) = row.and_then(|row| row.room_id.clone().map(|id| (row, id))) else {
            return Ok(());
        };
        let there = self.persist(|| self.client.occupants(&room_id)).await?;
        if let Some(one) = there.into_iter().find(|one| one.user_id == user_id) {
            self.remove_when_decided(&row, &room_id, one, &keeps_own(channel));
            self.has_left_shared(room);
        }
        Ok(())
    }

    /// A session ends: what it has asked is not asked any more.
    pub(in crate::bridge) async fn end_asking_of(&self, session: &SessionRow) -> Result<(), StoreError> {
        for (question, matter) in self.questions_of(&session.user_id).await? {
            let Matter::Instead { session: asks, room, channel } = matter else { continue };
            if asks != session.id {
                continue;
            }
            let rows = vec![self.keeps_own_room(room, &channel, &session.user_id)];
            if self.close_question(&question.txn_id, None, rows).await? {
                self.wake_delivery(room);
            }
        }
        Ok(())
    }

    /// A shared room takes the place of somebody's own, as they have said. Where it can't, they are to be taken out of it.
    pub(in crate::bridge) async fn take_instead(
        &self,
        session: &SessionHandle,
        room: i64,
        channel: &str,
    ) -> Outcome {
        match Box::pin(self.try_to_take_instead(session, room, channel)).await {
            Ok(()) => Ok(RichText::plain(format!(
                "You are in the shared room of {channel} now. Your own shows it no more, and keeps what was said in it."
            ))),
            Err(Refusal::Asked(why)) => {
                let text = RichText::new().bold(format!("You keep your own room of {channel}")).text(": ");
                Err(Refusal::Asked(text.then(why)))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn try_to_take_instead(
        &self,
        session: &SessionHandle,
        room: i64,
        channel: &str,
    ) -> Result<(), Refusal> {
        let gone = || Refusal::asked(format!("the shared room of {channel} is none any more."));
        let name = Channel::new(channel).map_err(|_| gone())?;
        let row = self.store.room(room).await?.filter(|row| !row.is_plumbed()).ok_or_else(gone)?;
        let room_id = row.room_id.ok_or_else(gone)?;
        let not_now =
            || Refusal::asked("the homeserver does not say who is in the shared room. Join it again.");
        let there = self.client.occupants(&room_id).await.map_err(|_| not_now())?;
        if !there.iter().any(|one| one.user_id == session.row.user_id) {
            let text =
                format!("you are in the shared room of {channel} no more. To be asked again, join it again.");
            return Err(Refusal::asked(text));
        }
        let request = SharedRequest::Share { channel: name, room, came_by: None, own: OwnRoom::GivesWay };
        session.ask(Request::Shared(request)).await?;
        self.note_active(session.row.id).await?;
        self.is_entered(room);
        Ok(())
    }
}

/// Why somebody is taken out of a shared room who keeps their own.
fn keeps_own(channel: &str) -> String {
    format!("You have a room of your own for {channel}")
}
