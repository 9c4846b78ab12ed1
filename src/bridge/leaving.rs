//! What it means that somebody leaves a room in which they talk with the bot: their control room, or a network's.
//!
//! Who leaves the control room ends that chat and nothing else: the next invitation of the bot begins another, and what
//! must be told comes in a room of the bot's. Who leaves a network's room may want its messages no longer, or to leave the
//! network: they are asked. What leaving a channel's or a conversation's room means is the session's
//! (`session/inbox.rs`).

use super::ghosts::GhostError;
use super::questions::{self, Asked, Matter};
use super::session::SessionState;
use super::{Bridge, SessionHandle};
use crate::format::RichText;
use crate::matrix::event::{Event, Member};
use crate::store::{InboxEvent, RoomKind, RoomRow};

impl Bridge {
    /// The owner of a room, or the bot in it, has come or gone.
    pub(super) async fn on_member(
        &self,
        stored: &InboxEvent,
        event: &Event,
        member: &Member,
    ) -> Result<(), GhostError> {
        let room = self.store.room_of_event(stored, &event.room_id).await?;
        let is_out = matches!(member.membership.as_str(), "leave" | "ban");
        let bot = self.client.bot();
        match room {
            Some(room) if room.owner.as_deref() == Some(&member.user_id) => {
                self.store.owner_moved(room.id, is_out).await?;
                if let Some(session) = room.session {
                    self.wake_space(session);
                }
                match room.kind()? {
                    RoomKind::Network if is_out => return self.ask_to_disconnect(stored, &room).await,
                    RoomKind::Control if is_out && room.creator != bot => {
                        // Nobody can enter that room any more; the next chat is another.
                        self.client.leave(bot, &event.room_id, None).await?;
                        self.store.drop_control_room(room.id).await?;
                    }
                    _ => {}
                }
            }
            // Thrown out of a chat that its user has made: it is over.
            Some(room) if member.user_id == bot && is_out && room.kind()? == RoomKind::Control => {
                self.store.drop_control_room(room.id).await?;
            }
            _ => {}
        }
        Ok(self.store.finish_event(stored.seq, None).await?)
    }

    async fn ask_to_disconnect(&self, stored: &InboxEvent, room: &RoomRow) -> Result<(), GhostError> {
        let session = room.session.and_then(|id| self.session(id));
        let (Some(session), Some(user_id)) = (session, room.owner.as_deref()) else {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        let Some(text) = self.left_network(&session) else {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        let (own, mut rows) = self.way_to(session.row.user, user_id).await?;
        let asked = Asked { room: own.id, speaker: self.client.bot(), user: session.row.user, user_id };
        let (asking, question) =
            questions::question(&asked, &text, &Matter::Disconnect { session: session.row.id });
        rows.extend(asking);
        self.ask(stored.seq, rows, question).await?;
        self.wake_delivery(own.id);
        Ok(())
    }

    /// What is asked; nothing where there is nothing to disconnect.
    fn left_network(&self, session: &SessionHandle) -> Option<RichText> {
        let status = session.status();
        let network = self.network_name(&session.row.address());
        let how = match status.state {
            SessionState::Idle | SessionState::Stuck => return None,
            SessionState::Connected => {
                let channels = match status.channels {
                    0 => String::new(),
                    1 => ", in one channel".to_owned(),
                    several => format!(", in {several} channels"),
                };
                format!("You are still there as {}{channels}; nothing else has changed.", status.nick)
            }
            SessionState::Connecting | SessionState::Waiting => "I still try to connect you.".to_owned(),
        };
        let yes = questions::Answer::Yes.button();
        let text = format!(
            "You have left the room of {network}. {how} Shall I disconnect? To do it, react to this with {yes}. To have \
             the room back, type "
        );
        Some(RichText::plain(text).code(format!("open {}", session.row.address())).text("."))
    }
}
