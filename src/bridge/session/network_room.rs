//! What a session says in its network's room: the server's words, and what its user must know.

use super::super::Bridge;
use super::super::content::{self, MessageType, unique};
use super::super::desk::lane_of;
use super::super::outcome::Outcome;
use super::super::questions::{self, Asked, Matter};
use super::Actor;
use crate::format::RichText;
use crate::store::{Link, NewRoom, RoomKind, RoomRow, SessionRow, StoreError};

/// Bytes of the server's text that one message holds: a MOTD in few pieces, and no event too large.
const TOGETHER: usize = 12 * 1024;

/// The network room of a session; it is stored before it is made.
pub(super) async fn intend(bridge: &Bridge, session: &SessionRow) -> Result<RoomRow, StoreError> {
    bridge.store.intend_room(room_of(bridge, session)).await
}

fn room_of(bridge: &Bridge, session: &SessionRow) -> NewRoom {
    NewRoom {
        kind: RoomKind::Network,
        marker: unique(),
        creator: bridge.client.bot().to_owned(),
        owner: Some(session.user),
        lane: lane_of(&session.user_id),
        link: Link::Network { session: session.id },
        room_id: None,
        created_at: bridge.clock.unix_ms(),
    }
}

impl Actor {
    /// Invites the user to the network room. Where that is `gone` another one takes its place, with what was not shown yet.
    pub(super) async fn invite_to_network_room(&mut self, gone: Option<i64>) -> Outcome {
        let before = self.network_room;
        if gone != Some(before) {
            let bot = self.bridge.client.bot();
            self.incoming.outbox.push(content::invite_row(before, bot, &self.row.user_id));
            return Ok(RichText::new());
        }
        let new = room_of(&self.bridge, &self.row);
        let room = self.bridge.store.renew_network_room(before, new).await?;
        self.network_room = room.id;
        for row in self.incoming.outbox.iter_mut().filter(|row| row.room == before) {
            row.room = room.id;
        }
        self.bridge.wake_delivery(room.id);
        Ok(RichText::new())
    }

    /// Says something in the network room, as routine; lines that come together are one message.
    pub(super) fn say(&mut self, text: RichText) {
        self.server_text.push(text);
    }

    /// Says something in the network room that must reach the user.
    pub(super) fn alert(&mut self, text: &RichText) {
        self.flush_server_text();
        let content = content::message(MessageType::Text, text, Some(&self.row.user_id));
        let row = content::message_row(self.network_room, self.bridge.client.bot(), content, None);
        self.incoming.outbox.push(row);
    }

    /// Asks the user something in the network room.
    pub(super) fn ask_user(&mut self, text: &RichText, matter: &Matter) {
        self.flush_server_text();
        let asked = Asked {
            room: self.network_room,
            speaker: self.bridge.client.bot(),
            user: self.row.user,
            user_id: &self.row.user_id,
        };
        let (rows, question) = questions::question(&asked, text, matter);
        self.incoming.outbox.extend(rows);
        self.incoming.questions.push(question);
    }

    pub(super) fn flush_server_text(&mut self) {
        let mut text = RichText::new();
        let mut length = 0;
        for line in std::mem::take(&mut self.server_text) {
            let more = line.to_plain().len() + 1;
            if length > 0 && length + more > TOGETHER {
                self.say_at_once(&std::mem::take(&mut text));
                length = 0;
            }
            length += more;
            text = text.line().then(line);
        }
        if !text.is_empty() {
            self.say_at_once(&text);
        }
    }

    pub(super) fn say_at_once(&mut self, text: &RichText) {
        let content = content::message(MessageType::Notice, text, None);
        let row = content::message_row(self.network_room, self.bridge.client.bot(), content, None);
        self.incoming.outbox.push(row);
    }
}
