//! How a session comes to a buffer that it did not have: a channel that is entered, a conversation that begins.

use super::super::content::{self, unique};
use super::Actor;
use super::loose::Reply;
use crate::format::RichText;
use crate::irc::session::MessageKind;
use crate::names::{Channel, Key, Nick};
use crate::store::{BufferKind, NewBuffer, StoreError};

impl Actor {
    pub(super) async fn query(&mut self, nick: &Nick, text: Option<String>, gone: Vec<i64>) -> Reply {
        let place = match self.open_anew(BufferKind::Query, nick.as_str(), None, gone).await {
            Ok(place) => place,
            Err(error) => return Reply::Now(Err(error.into())),
        };
        if let Err(error) = self.take_up(place).await {
            return Reply::Now(Err(error.into()));
        }
        self.invite_owner(place);
        self.bridge.wake_delivery(self.buffers.get(place).row.room);
        match text {
            Some(text) => {
                let said = format!("Said to {nick}; the conversation has a room.");
                let loose = match self.say_loose(nick.as_str(), MessageKind::Privmsg, &text, said) {
                    Ok(loose) => loose,
                    Err(refusal) => return Reply::Now(Err(refusal)),
                };
                // What services are told may be a password.
                if !self.is_service(nick.as_str()) {
                    let quoted = format!("(you) {text}");
                    self.tell_buffer(place, &quoted);
                }
                Reply::Later(loose)
            }
            None => {
                let text = format!("The conversation with {nick} has a room; see your invitations.");
                Reply::Now(Ok(RichText::plain(text)))
            }
        }
    }

    /// The buffer of this name, opened where it is new; a channel is wanted from then on.
    pub(super) async fn open_buffer(
        &mut self,
        kind: BufferKind,
        name: &str,
        key: Option<&Key>,
    ) -> Result<usize, StoreError> {
        self.open_anew(kind, name, key, Vec::new()).await
    }

    /// As [`Self::open_buffer`]; if its room is one of those that are gone, it gets another.
    pub(super) async fn open_anew(
        &mut self,
        kind: BufferKind,
        name: &str,
        key: Option<&Key>,
        gone: Vec<i64>,
    ) -> Result<usize, StoreError> {
        self.open(kind, name, key, gone, kind == BufferKind::Channel).await
    }

    /// A channel's buffer and room, for a user who may not want to be there.
    pub(super) async fn open_unwanted(&mut self, channel: &Channel) -> Result<usize, StoreError> {
        self.open(BufferKind::Channel, channel.as_str(), None, Vec::new(), false).await
    }

    async fn open(
        &mut self,
        kind: BufferKind,
        name: &str,
        key: Option<&Key>,
        gone: Vec<i64>,
        wanted: bool,
    ) -> Result<usize, StoreError> {
        self.follow_network().await?;
        // A conversation that has got another name in what was just read still has the old one in the store.
        if !self.incoming.heirs.is_empty() {
            self.commit_incoming().await?;
        }
        let creator = match kind {
            BufferKind::Channel => self.bridge.client.bot().to_owned(),
            BufferKind::Query => self.ghost(name).await?.to_string(),
        };
        // How the network compares names is known only when it has said so, and may change.
        let known =
            self.buffers.find(name).map(|place| &self.buffers.get(place).row).filter(|row| row.kind == kind);
        let folded = known.map_or_else(|| self.buffers.mapping().fold(name), |row| row.folded.clone());
        let new = NewBuffer {
            session: self.row.id,
            network: self.row.network.clone(),
            kind,
            name: name.to_owned(),
            folded,
            key: key.map(|key| key.as_str().to_owned().into()),
            marker: unique(),
            creator,
            owner: self.row.user,
            lane: self.lane.clone(),
            gone,
            wanted,
            created_at: self.bridge.clock.unix_ms(),
        };
        let row = self.bridge.store.open_buffer(new).await?;
        let known = self.buffers.find_id(row.id).map(|place| self.buffers.get(place).row.room);
        let place = self.buffers.add(row);
        if let Some(gone) = known.filter(|room| *room != self.buffers.get(place).row.room) {
            // A shared room is read as the configuration says, and one's own as one has chosen.
            self.apply_charsets();
            self.show_topic_anew(place);
            // What waits for the one before is set aside.
            self.bridge.wake_delivery(gone);
            self.bridge.wake_delivery(self.buffers.get(place).row.room);
        }
        if known.is_none() {
            self.recall_stranger(place).await?;
        }
        if !self.is_turned_away(place) {
            self.refill(place).await?;
        }
        if let (Some(link), Ok(nick), BufferKind::Query) = (&mut self.link, Nick::new(name), kind) {
            link.session.watch_people([nick]);
        }
        Ok(place)
    }

    /// A room that is made in the place of another has no topic yet.
    fn show_topic_anew(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        let shown = row.topic.as_deref().filter(|topic| !topic.is_empty());
        if let Some(topic) = shown.filter(|_| self.has_topic_of_channel(place)) {
            let content = content::topic(topic);
            self.incoming.outbox.push(content::state_row(row.room, &row.creator, "m.room.topic", &content));
        }
    }
}
