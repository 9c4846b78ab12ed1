//! A session's buffers, found by name under the network's casemapping, by number and by room.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use serde_json::json;

use super::super::{Bridge, content};
use super::answers::Threads;
use super::charset::ChosenCharsets;
use super::edits::Remembered;
use super::people::Presence;
use super::shared::Shared;
use super::strangers::Stranger;
use super::{Actor, attendance};
use crate::irc::channels::{MarkedNicks, NickPool};
use crate::names::{CaseMap, CaseMapping, Channel, Key};
use crate::store::{Buffer, BufferKind, SessionRow, StoreError};

/// So many channels may have rooms for each that may be wanted.
const LEFT_CHANNELS: usize = 10;

/// A buffer with what only the running session knows of it.
pub(super) struct OpenBuffer {
    pub(super) row: Buffer,
    /// Nicks whose ghosts are in the room or on their way, as far as is known, and when they last spoke (`attendance`).
    pub(super) present: MarkedNicks,
    /// Those who spoke and were not in the channel when they first spoke, in that order.
    pub(super) strangers: VecDeque<Box<str>>,
    /// When something was last said here, in milliseconds since 1970.
    pub(super) last_line: i64,
    /// The user was told that messages wait.
    pub(super) told_waiting: bool,
    /// PART was asked for, and the server has not answered.
    pub(super) parting: bool,
    /// Why the server did not let us in, as the user was told.
    pub(super) refused: Option<u16>,
    /// A conversation's other side, as far as is known.
    pub(super) presence: Presence,
    /// What the user has said here a moment ago.
    pub(super) remembered: Remembered,
    /// The topic that the user has given the room, while it is on its way to IRC.
    pub(super) own_topic: Option<String>,
    /// The threads that the user speaks in.
    pub(super) threads: Threads,
    /// A conversation that is not taken up yet, or never.
    pub(super) stranger: Option<Stranger>,
    /// The owner is in the room or invited, as far as is known.
    pub(super) invited: bool,
    /// Since when lines are missing, in milliseconds since 1970, while we are not back.
    pub(super) gap_from: Option<i64>,
    /// Its room is shared with others.
    pub(super) shared: Option<Box<Shared>>,
}

#[derive(Default)]
pub(super) struct Buffers {
    list: Vec<OpenBuffer>,
    by_name: CaseMap<usize>,
    /// Matrix ids of rooms, as they became known: never more than there are buffers.
    by_room_id: HashMap<Box<str>, usize>,
    /// The user was told on this connection that there is room for no more channels.
    pub(super) told_full: bool,
    pub(super) charsets: ChosenCharsets,
    /// Some room is shared with others, or was.
    has_shared: bool,
    pool: NickPool,
}

impl Buffers {
    pub(super) async fn load(bridge: &Bridge, row: &SessionRow) -> Result<Self, StoreError> {
        let (store, session) = (&bridge.store, row.id);
        let charsets = ChosenCharsets::load(store, session).await?;
        let pool = bridge.nick_pool(&row.network);
        let mapping = bridge.mapping_of(&row.network);
        let by_name = CaseMap::new(mapping);
        // Stored before it was known, a buffer would be taken for another's.
        store.refold_buffers(session, mapping).await?;
        let mut buffers = Self { by_name, charsets, pool, ..Self::default() };
        let seen_at = store.seen_at(session).await?;
        for buffer in store.buffers(session).await? {
            if buffer.is_shared() {
                // What was missed is not fetched, but told in the room, and the members are those of who shows the channel.
                let shared = Shared::take(bridge, &buffer, row);
                let missing = buffer.gap_from.or(seen_at);
                let place = buffers.add(buffer);
                buffers.list[place].gap_from = missing;
                buffers.share(place, shared);
                continue;
            }
            let row = buffer;
            let room = row.room;
            let missing = row.gap_from.or(seen_at.filter(|_| row.kind == BufferKind::Channel && row.wanted));
            let place = buffers.add(row);
            buffers.list[place].gap_from = missing;
            for member in store.members(room).await? {
                buffers.list[place].present.set(&member.nick, attendance::mark(member.spoke_at));
            }
        }
        buffers.load_strangers(store, session).await?;
        Ok(buffers)
    }

    /// Adds a buffer, or refreshes the one with its number, and gives its place.
    pub(super) fn add(&mut self, row: Buffer) -> usize {
        if let Some(place) = self.list.iter().position(|buffer| buffer.row.id == row.id) {
            if self.list[place].row.room != row.room {
                // Another room is shown in: nobody is in it yet, and the one before is nobody's.
                self.by_room_id.retain(|_, shown| *shown != place);
                self.list[place].present = MarkedNicks::new(self.pool.clone(), self.by_name.mapping());
                self.list[place].invited = row.room_id.is_none();
                self.list[place].shared = None;
            }
            self.list[place].row = row;
            return place;
        }
        let place = self.list.len();
        self.by_name.insert(&row.name, place);
        let present = MarkedNicks::new(self.pool.clone(), self.by_name.mapping());
        // A room that is yet to be made invites them by itself.
        let invited = row.room_id.is_none();
        self.list.push(OpenBuffer {
            row,
            present,
            strangers: VecDeque::new(),
            last_line: 0,
            told_waiting: false,
            parting: false,
            refused: None,
            invited,
            gap_from: None,
            shared: None,
            presence: Presence::default(),
            remembered: Remembered::default(),
            own_topic: None,
            threads: Threads::default(),
            stranger: None,
        });
        place
    }

    /// A buffer's room is shared with others.
    pub(super) fn share(&mut self, place: usize, shared: Shared) {
        self.has_shared = true;
        self.list[place].shared = Some(Box::new(shared));
    }

    /// Whether some room may be shared with others.
    pub(super) fn has_shared(&self) -> bool {
        self.has_shared
    }

    /// Folds all names anew; from the names as they were written, since folding can't be undone.
    pub(super) fn set_mapping(&mut self, mapping: CaseMapping) {
        if mapping == self.by_name.mapping() {
            return;
        }
        self.by_name = CaseMap::new(mapping);
        for (place, buffer) in self.list.iter_mut().enumerate() {
            buffer.present.set_mapping(mapping);
            self.by_name.insert(&buffer.row.name, place);
        }
    }

    pub(super) fn mapping(&self) -> CaseMapping {
        self.by_name.mapping()
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn find_id(&self, id: i64) -> Option<usize> {
        self.list.iter().position(|buffer| buffer.row.id == id)
    }

    pub(super) fn find_room(&self, room: i64) -> Option<usize> {
        self.list.iter().position(|buffer| buffer.row.room == room)
    }

    /// The buffer that a Matrix room shows, where it shows it by the row with this number: 0 where that is not known.
    pub(super) fn find_room_id(&self, room: i64, room_id: &str) -> Option<usize> {
        if room == 0 {
            return self.by_room_id.get(room_id).copied();
        }
        let is_it = |row: &Buffer| row.room == room && row.room_id.as_deref() == Some(room_id);
        self.list.iter().position(|buffer| is_it(&buffer.row))
    }

    /// The channel that a room shows, by the room's Matrix id.
    pub(super) fn channel_of(&self, room_id: &str) -> Option<&str> {
        let is_it =
            |row: &&Buffer| row.kind == BufferKind::Channel && row.room_id.as_deref() == Some(room_id);
        self.list.iter().map(|buffer| &buffer.row).find(is_it).map(|row| row.name.as_str())
    }

    /// Remembers the Matrix id of a room, if it is a buffer's.
    pub(super) fn learn_room_id(&mut self, room_id: &str, room: i64) -> Option<usize> {
        let place = self.list.iter().position(|buffer| buffer.row.room == room)?;
        self.by_room_id.insert(room_id.into(), place);
        // It may have been followed to another since.
        self.list[place].row.room_id = Some(room_id.to_owned());
        Some(place)
    }

    /// A buffer has another name from now on.
    pub(super) fn rename(&mut self, place: usize, name: &str, folded: String) {
        self.list[place].row.folded = folded;
        let old = std::mem::replace(&mut self.list[place].row.name, name.to_owned());
        self.by_name.remove(&old);
        self.by_name.insert(name, place);
    }

    pub(super) fn get(&self, place: usize) -> &OpenBuffer {
        &self.list[place]
    }

    pub(super) fn get_mut(&mut self, place: usize) -> &mut OpenBuffer {
        &mut self.list[place]
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenBuffer> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenBuffer> {
        self.list.iter_mut()
    }

    /// How many queries there are.
    pub(super) fn queries(&self) -> usize {
        self.list.iter().filter(|buffer| buffer.row.kind == BufferKind::Query).count()
    }

    /// How many channels should be joined.
    pub(super) fn wanted_channels(&self) -> usize {
        self.channels().filter(|buffer| buffer.row.wanted).count()
    }

    /// All channels, left ones too.
    pub(super) fn channels(&self) -> impl Iterator<Item = &OpenBuffer> {
        self.list.iter().filter(|buffer| buffer.row.kind == BufferKind::Channel)
    }
}

impl Actor {
    /// Whether one more channel may be wanted: one that has a buffer, or else a new one. What was left counts, too,
    /// as long as its owner is in the room, though less: who is made to enter and leave ever new channels would have
    /// rooms made without end (invariant 9).
    pub(super) fn has_room_for_channel(&self, known: Option<usize>) -> bool {
        let most = self.bridge.limits().channels_per_session as usize;
        let rooms = self.buffers.channels().filter(|buffer| buffer.row.wanted || buffer.invited);
        let has_room = known.is_some() || rooms.count() < most.saturating_mul(LEFT_CHANNELS);
        self.buffers.wanted_channels() < most && has_room
    }

    /// The channels that the user wants to be in, those first where something was said last, with their keys.
    pub(super) async fn channels_to_enter(&mut self) -> Result<Vec<(Channel, Option<Key>)>, StoreError> {
        use secrecy::ExposeSecret as _;
        let said: HashMap<i64, i64> = self.bridge.store.last_said(self.row.id).await?.into_iter().collect();
        let wanted = |buffer: &&OpenBuffer| buffer.row.kind == BufferKind::Channel && buffer.row.wanted;
        let mut buffers: Vec<&OpenBuffer> = self.buffers.iter().filter(wanted).collect();
        buffers.sort_by_key(|buffer| Reverse(said.get(&buffer.row.id).copied()));
        let channels = buffers.into_iter().filter_map(|buffer| {
            let key = buffer.row.key.as_ref().and_then(|key| Key::new(key.expose_secret()).ok());
            Some((Channel::new(&buffer.row.name).ok()?, key))
        });
        Ok(channels.collect())
    }

    /// Whether a buffer has a room that people see.
    pub(super) fn is_shown(&self, place: usize) -> bool {
        self.buffers.get(place).row.room_id.is_some()
    }

    /// A channel's key is another: the next connection comes in with it.
    pub(super) async fn keep_key(&mut self, channel: &str, key: &Key) -> Result<(), StoreError> {
        let place = self.buffers.find(channel).filter(|&place| self.buffers.get(place).row.wanted);
        if place.is_some() {
            self.open_buffer(BufferKind::Channel, channel, Some(key)).await?;
        }
        Ok(())
    }

    /// The server has its own name for a channel that the user asked for: the buffer and its room go on under that.
    /// Where there is a buffer of that name already, it is the one, and the other waits for nothing any more.
    pub(super) async fn rename_channel(&mut self, asked: &str, channel: &str) -> Result<(), StoreError> {
        let Some(place) = self.buffers.find(asked) else {
            return Ok(());
        };
        if self.buffers.find(channel).is_some_and(|other| other != place) {
            return self.set_wanted(place, false).await;
        }
        let id = self.buffers.get(place).row.id;
        let folded = self.buffers.mapping().fold(channel);
        self.bridge.store.rename_buffer(id, channel, &folded).await?;
        self.buffers.rename(place, channel, folded);
        self.apply_charsets();
        if self.is_shown(place) && !self.is_shared(place) {
            let room = self.buffers.get(place).row.room;
            let name = json!({ "name": format!("{channel} ({})", self.network.name) });
            let row = content::state_row(room, self.bridge.client.bot(), "m.room.name", &name);
            self.incoming.outbox.push(row);
            self.tell_new_name(place, asked, channel);
            self.bridge.wake_space(self.row.id);
            self.tell_buffer(place, &format!("{asked} is {channel} now."));
        }
        Ok(())
    }
}
