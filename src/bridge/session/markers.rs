//! How far the user has read, told to servers that keep it for their other clients.
//!
//! A receipt in a room stands on an event; its line has the time that the server gave it. What the user said themselves
//! has none, and moves nothing. What the server knows is stored, so that it is not told what it knows.

use super::Actor;
use crate::irc::session::Target;
use crate::store::StoreError;

impl Actor {
    /// The user has read a room up to this event.
    pub(super) async fn mark_read(&mut self, place: usize, event_id: &str) -> Result<(), StoreError> {
        if !self.link.as_ref().is_some_and(|link| link.session.keeps_read_markers()) {
            return Ok(());
        }
        let lines = self.lines_of_event(place, event_id).await?;
        let last = lines.iter().filter(|line| !line.own).map(|line| line.at).max();
        let row = &self.buffers.get(place).row;
        let Some(time) = last.filter(|time| row.read_at.is_none_or(|read| read < *time)) else {
            return Ok(());
        };
        if let Some(link) = &mut self.link
            && let Ok(target) = Target::parse(&row.name, link.session.isupport())
        {
            link.session.mark_read(&target, time);
        }
        Ok(())
    }

    /// The server says how far the user has read.
    pub(super) fn on_read_marker(&mut self, target: &str, time: i64) {
        let Some(place) = self.buffers.find(target) else { return };
        let row = &mut self.buffers.get_mut(place).row;
        if row.read_at.is_none_or(|read| read < time) {
            row.read_at = Some(time);
            self.incoming.read.push((row.id, time));
        }
    }
}
