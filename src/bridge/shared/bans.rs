//! Bans in a shared room of people who are not in its channel by a connection of their own.

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::ghosts::GhostError;
use super::LIFTED;
use crate::format::RichText;
use crate::matrix::event::{Event, Member};
use crate::store::{InboxEvent, NewOutbox, RoomRow};

impl Bridge {
    /// Somebody was banned from a shared room who has no channel there, so that nothing is to be done on IRC: a ban that
    /// stayed would be one that nobody sees there, and that nobody there takes back.
    pub(super) async fn lift_ban(
        &self,
        stored: &InboxEvent,
        event: &Event,
        member: &Member,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        if let Some(ghost) = self.store.ghost_by_user_id(&member.user_id).await? {
            self.ghosts.forget(room.id, &member.user_id);
            self.store.member_lost(room.id, ghost.id).await?;
        }
        let bot = self.client.bot();
        let rows = vec![content::removal_row(room.id, bot, &member.user_id, LIFTED)];
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let text = RichText::new().bold(format!("{} is not banned", member.user_id)).text(format!(
            " in the shared room of {channel}: bans are the channel's own. To see those, type "
        ));
        let text = text.code(format!("bans {channel}")).text("; to ban somebody, type ");
        let text = text.code(format!("ban {channel} NICK")).text(".");
        self.answer_who_banned(stored, event, room, rows, text).await
    }

    /// Somebody was banned who is in the channel through its relay alone: no ban on IRC could be about them, and this one keeps them
    /// from writing in the room, so it stays.
    pub(super) async fn keep_ban(
        &self,
        stored: &InboxEvent,
        event: &Event,
        member: &Member,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let text = RichText::new().bold(format!("{} is banned", member.user_id)).text(format!(
            " from the shared room of {channel}, and nothing of theirs goes to IRC any more. Others speak for them there, so \
             that no ban on IRC is about them: to take it back, lift it in the room."
        ));
        self.answer_who_banned(stored, event, room, Vec::new(), text).await
    }

    /// Tells whoever has banned somebody, where they are in the channel, with what else is to be done.
    async fn answer_who_banned(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
        mut rows: Vec<NewOutbox>,
        text: RichText,
    ) -> Result<(), GhostError> {
        let sender = self.store.session_in_shared_room(room.id, &event.sender).await?;
        let told_in = match sender {
            Some(session) => self.store.network_room(session).await?,
            None => None,
        };
        if let Some(told_in) = told_in {
            let alert = content::message(MessageType::Text, &text, Some(&event.sender));
            rows.push(content::message_row(told_in, self.client.bot(), alert, None));
        }
        self.answer_event(stored.seq, rows).await?;
        self.wake_delivery(room.id);
        if let Some(told_in) = told_in {
            self.wake_delivery(told_in);
        }
        Ok(())
    }
}
