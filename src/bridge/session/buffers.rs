//! A session's buffers, found by name under the network's casemapping, by number and by room.

use std::collections::HashMap;

use crate::names::{CaseMap, CaseMapping};
use crate::store::{Buffer, BufferKind, Store, StoreError};

/// A buffer with what only the running session knows of it.
pub(super) struct OpenBuffer {
    pub(super) row: Buffer,
    /// Nicks whose ghosts are in the room, as far as is known.
    pub(super) speakers: CaseMap<()>,
    /// When something was last said here, in milliseconds since 1970.
    pub(super) last_line: i64,
    /// The user was told that messages wait.
    pub(super) told_waiting: bool,
    /// PART was asked for, and the server has not answered.
    pub(super) parting: bool,
    /// Why the server did not let us in, as the user was told.
    pub(super) refused: Option<u16>,
    /// The owner is in the room or invited, as far as is known.
    pub(super) invited: bool,
    /// Since when lines are missing, in milliseconds since 1970, while we are not back.
    pub(super) gap_from: Option<i64>,
}

#[derive(Default)]
pub(super) struct Buffers {
    list: Vec<OpenBuffer>,
    by_name: CaseMap<usize>,
    /// Matrix ids of rooms, as they became known: never more than there are buffers.
    by_room_id: HashMap<Box<str>, usize>,
}

impl Buffers {
    pub(super) async fn load(store: &Store, session: i64) -> Result<Self, StoreError> {
        let mut buffers = Self::default();
        let seen_at = store.seen_at(session).await?;
        for row in store.buffers(session).await? {
            let room = row.room;
            let missing = row.gap_from.or(seen_at.filter(|_| row.kind == BufferKind::Channel && row.wanted));
            let place = buffers.add(row);
            buffers.list[place].gap_from = missing;
            for folded in store.members(room).await? {
                if let Some(last) = buffers.list.last_mut() {
                    last.speakers.insert(&folded, ());
                }
            }
        }
        Ok(buffers)
    }

    /// Adds a buffer, or refreshes the one with its number, and gives its place.
    pub(super) fn add(&mut self, row: Buffer) -> usize {
        if let Some(place) = self.list.iter().position(|buffer| buffer.row.id == row.id) {
            self.list[place].row = row;
            return place;
        }
        let place = self.list.len();
        self.by_name.insert(&row.name, place);
        let speakers = CaseMap::new(self.by_name.mapping());
        // A room that is yet to be made invites them by itself.
        let invited = row.room_id.is_none();
        self.list.push(OpenBuffer {
            row,
            speakers,
            last_line: 0,
            told_waiting: false,
            parting: false,
            refused: None,
            invited,
            gap_from: None,
        });
        place
    }

    /// Folds all names anew; from the names as they were written, since folding can't be undone.
    pub(super) fn set_mapping(&mut self, mapping: CaseMapping) {
        if mapping == self.by_name.mapping() {
            return;
        }
        self.by_name = CaseMap::new(mapping);
        for (place, buffer) in self.list.iter_mut().enumerate() {
            buffer.speakers.set_mapping(mapping);
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

    pub(super) fn find_room_id(&self, room_id: &str) -> Option<usize> {
        self.by_room_id.get(room_id).copied()
    }

    /// Remembers the Matrix id of a room, if it is a buffer's.
    pub(super) fn learn_room_id(&mut self, room_id: &str, room: i64) -> Option<usize> {
        let place = self.list.iter().position(|buffer| buffer.row.room == room)?;
        self.by_room_id.insert(room_id.into(), place);
        Some(place)
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
        self.list.iter().filter(|buffer| buffer.row.kind == BufferKind::Channel && buffer.row.wanted).count()
    }
}
