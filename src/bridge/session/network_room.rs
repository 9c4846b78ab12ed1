//! What a session says in its network's room: the server's words, and what its user must know.

use super::super::Bridge;
use super::super::content::{self, MessageType, unique};
use super::super::desk::lane_of;
use super::super::questions::{self, Asked, Matter};
use super::Actor;
use crate::format::RichText;
use crate::store::{Link, NewRoom, RoomKind, RoomRow, SessionRow, StoreError};

/// Bytes of the server's text that one message holds: a MOTD in few pieces, and no event too large.
const TOGETHER: usize = 12 * 1024;

/// The network room of a session; it is stored before it is made.
pub(super) async fn intend(bridge: &Bridge, session: &SessionRow) -> Result<RoomRow, StoreError> {
    let room = NewRoom {
        kind: RoomKind::Network,
        marker: unique(),
        creator: bridge.client.bot().to_owned(),
        owner: Some(session.user),
        lane: lane_of(&session.user_id),
        link: Link::Network { session: session.id },
        room_id: None,
        created_at: bridge.clock.unix_ms(),
    };
    bridge.store.intend_room(room).await
}

impl Actor {
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
