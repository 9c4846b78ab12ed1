//! Who comes and goes in a buffer's room, as Matrix tells it: its owner, and ghosts that the owner throws out.
//!
//! Leaving a channel's room leaves the channel, whoever took the owner out of it, and entering it enters the channel;
//! leaving a conversation's room closes it quietly, and the next message opens it again. A ghost is thrown out on IRC where
//! the user may do that; where not, the channel's members are IRC's affair, and the ghost comes back when it has something
//! to say.

use super::super::content::{self, MessageType};
use super::Actor;
use crate::format::{RichText, neutral};
use crate::irc::wire::Line;
use crate::matrix::event::{Event, Member};
use crate::names::{Channel, Nick};
use crate::store::{BufferKind, Ghost, Store, StoreError, Whereabouts};

/// The prefixes of those who may throw somebody out of a channel.
pub(super) const KICKERS: [char; 5] = ['~', '&', '@', '%', '!'];

impl Actor {
    /// Says whether the event is done with.
    pub(super) async fn on_member(
        &mut self,
        place: usize,
        seq: i64,
        event: &Event,
        member: &Member,
    ) -> Result<bool, StoreError> {
        if self.is_shared(place) {
            return self.on_shared_member(place, seq, event, member).await;
        }
        let is_out = matches!(member.membership.as_str(), "leave" | "ban");
        if member.user_id == self.row.user_id {
            let room = self.buffers.get(place).row.room;
            if is_out {
                self.bridge.store.owner_moved(room, true).await?;
                // By themselves, or by an administrator.
                self.leave_buffer(place, event.sent_at).await?;
                self.buffers.get_mut(place).row.user = Whereabouts::Left;
            } else if member.membership == "join" {
                let was_out = self.buffers.get(place).row.user != Whereabouts::Inside;
                // Where the homeserver does not tell what was before, as when it sends something once more.
                if member.comes_in() || member.before.is_none() && was_out {
                    self.come_into(place).await?;
                }
                self.bridge.store.owner_moved(room, false).await?;
                let buffer = self.buffers.get_mut(place);
                (buffer.invited, buffer.row.user) = (true, Whereabouts::Inside);
            }
            self.bridge.wake_space(self.row.id);
        } else if is_out && event.sender == self.row.user_id && self.bridge.is_ours(&member.user_id) {
            self.throw_out(place, member).await?;
        }
        Ok(true)
    }

    /// Invites the user to a room that they may have left. For a new room this comes after its own invitation, and
    /// changes nothing.
    pub(super) fn invite_owner(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        // Who has a channel in a shared room is in it.
        if row.room_id.is_some() && !self.is_shared(place) {
            self.incoming.outbox.push(content::invite_row(row.room, &row.creator, &self.row.user_id));
        }
    }

    /// The owner has come into the room: into the channel as well, where they are not in it.
    async fn come_into(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place);
        if buffer.row.kind != BufferKind::Channel || buffer.row.wanted {
            return Ok(());
        }
        let channel = buffer.row.name.clone();
        if !self.has_room_for_channel(Some(place)) {
            let text = format!(
                "You don't enter {channel}: this bridge allows you no more channels. Part from one, then type join {channel} in the \
                 network's room."
            );
            self.tell_buffer(place, &text);
            return self.set_wanted(place, false).await;
        }
        self.set_wanted(place, true).await?;
        self.buffers.get_mut(place).refused = None;
        if self.link.is_some() {
            self.enter(place);
        } else {
            let network = &self.network.name;
            self.tell_buffer(place, &format!("You will be in {channel} when {network} is connected."));
        }
        Ok(())
    }

    /// The owner has left the room: out of the channel as well.
    async fn leave_buffer(&mut self, place: usize, left_at: i64) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        buffer.invited = false;
        let is_declined = buffer.row.user == Whereabouts::Offered;
        // Something may have been said since then, while the news was on its way here.
        if buffer.row.kind == BufferKind::Query && buffer.last_line >= left_at {
            self.invite_back(place);
            return Ok(());
        }
        if buffer.row.kind == BufferKind::Channel && buffer.row.wanted {
            self.leave(place, "").await?;
        } else if is_declined {
            self.set_wanted(place, false).await?;
        }
        Ok(())
    }

    /// A room that the bridge can't read: said once, where it can be read, with what to do. Only a homeserver or its
    /// administrator encrypts a room of ours.
    pub(super) async fn explain_encryption(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let name = &row.name;
        let command = match row.kind {
            BufferKind::Channel => format!("join {name}"),
            BufferKind::Query => format!("query {name}"),
        };
        let text = format!(
            "The room of {name} is encrypted, and I can't read what you write there: I have no keys, since it goes to IRC \
             as plain text anyway. Encryption can't be taken back. Leave that room, and then type "
        );
        let text = RichText::plain(text).code(command).text(
            ": you get another one. If that is encrypted as well, your homeserver encrypts all rooms; its administrator \
             can change that.",
        );
        let alert = content::message(MessageType::Text, &text, Some(&self.row.user_id));
        let alert = content::message_row(self.network_room, self.bridge.client.bot(), alert, None);
        if self.bridge.store.explain_room(row.room, vec![alert], self.bridge.clock.unix_ms()).await? {
            self.bridge.wake_delivery(self.network_room);
        }
        Ok(())
    }

    /// A ghost was thrown out of a room: nobody counts it as being there.
    pub(super) async fn lose_ghost(
        &mut self,
        place: usize,
        member: &Member,
    ) -> Result<Option<Ghost>, StoreError> {
        let room = self.buffers.get(place).row.room;
        let Some(ghost) = self.bridge.store.ghost_by_user_id(&member.user_id).await? else { return Ok(None) };
        self.bridge.ghosts.forget(room, &member.user_id);
        self.bridge.store.member_lost(room, ghost.id).await?;
        self.buffers.get_mut(place).present.remove(&ghost.nick);
        Ok(Some(ghost))
    }

    /// The owner has thrown a ghost out of a channel's room, or lets it in again.
    async fn throw_out(&mut self, place: usize, member: &Member) -> Result<(), StoreError> {
        let room = self.buffers.get(place).row.room;
        let was_there = has_ghost(&self.bridge.store, room, &member.user_id).await?;
        let Some(ghost) = self.lose_ghost(place, member).await? else { return Ok(()) };
        let row = &self.buffers.get(place).row;
        let (is_channel, name) = (row.kind == BufferKind::Channel, row.name.clone());
        let is_banned = member.membership == "ban";
        let (Ok(channel), Ok(nick), true) = (Channel::new(&name), Nick::new(&ghost.nick), is_channel) else {
            return Ok(());
        };
        // Who was not there was put out by nobody: a ban is taken back, or an invitation.
        if !is_banned && (member.lifts_ban() || !was_there) {
            self.take_own_ban_back(place, &channel, &nick, member.lifts_ban());
            return Ok(());
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some(state) = link.session.channel(&name).filter(|state| state.has(nick.as_str())) else {
            return Ok(());
        };
        let own = state.prefixes(link.session.nick()).unwrap_or_default();
        if !own.contains(KICKERS) {
            let then = if is_banned {
                "What they say is not shown in this room until you lift the ban."
            } else {
                "They come back to this room when they say something."
            };
            self.tell_buffer(place, &format!("{nick} is still in {name}: you are no operator there. {then}"));
            return Ok(());
        }
        let reason = neutral(&member.reason).replace(['\n', '\r'], " ");
        let ban = Line::raw(&format!("MODE {channel} +b {nick}!*@*")).ok().filter(|_| is_banned);
        for line in ban.into_iter().chain(Line::kick(&channel, &nick, &reason).ok()) {
            if let Err(error) = link.session.command(line) {
                tracing::debug!(%error, "a kick could not be sent");
            }
        }
        Ok(())
    }
}

/// Whether somebody's ghost is known to be in a room.
async fn has_ghost(store: &Store, room: i64, user_id: &str) -> Result<bool, StoreError> {
    let Some(ghost) = store.ghost_by_user_id(user_id).await? else { return Ok(false) };
    Ok(store.membership(room, ghost.id).await?.is_some())
}
