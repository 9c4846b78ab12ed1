//! `stop`: what waits for one channel or conversation does not go any more. A long paste can be taken back so, and
//! nothing else is touched by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Outcome, Refusal};
use super::Actor;
use super::outbound::LineReference;
use crate::format::RichText;

impl Actor {
    /// Drops the user's lines to a buffer that have not left.
    pub(super) async fn stop_lines(&mut self, name: &str) -> Outcome {
        if self.must_reload {
            self.reload().await?;
        }
        let Some(place) = self.buffers.find(name) else {
            return Err(Refusal::asked(format!("You have no room for {name} on {}.", self.network.name)));
        };
        let row = &self.buffers.get(place).row;
        let (buffer, name) = (row.id, row.name.clone());
        // What was said before this and is not read yet is stopped, too; what is said elsewhere goes on.
        self.read_past(place);
        self.read_inbox().await?;
        let Some(place) = self.buffers.find_id(buffer) else { return Ok(RichText::new()) };
        let unread = self.drop_behind(buffer).await?;
        let mut lines: Vec<LineReference> =
            self.outbound.resend.remove(&buffer).into_iter().flatten().collect();
        if let Some(link) = &mut self.link {
            let flying = &self.outbound.in_flight;
            let ids = link.session.withdraw(|id| flying.get(&id).is_some_and(|line| line.buffer == buffer));
            lines.extend(ids.into_iter().filter_map(|id| self.outbound.in_flight.remove(&id)));
        }
        let mut events: BTreeSet<Arc<str>> = BTreeSet::new();
        for line in lines {
            self.drop_line(&line);
            events.insert(line.event_id);
        }
        for held in self.outbound.held.remove(&buffer).into_iter().flatten() {
            self.outbound.commit.finished.extend(held.places());
            self.settle_one(place, &held.event_id);
            events.insert(held.about);
        }
        self.outbound.releasing.remove(&buffer);
        let mut count = events.len();
        if let Some((last, unread)) = unread {
            count += usize::try_from(unread).unwrap_or_default();
            let last = last.into();
            self.set_progress(buffer, &last, &last, 0);
            self.advance(place);
        }
        // What is told is so, also after a crash.
        self.transmit().await?;
        Ok(RichText::plain(match count {
            0 => format!("Nothing waits to be sent to {name}."),
            1 => format!("Stopped: what had not left of one message to {name} is dropped."),
            more => format!("Stopped: what had not left of {more} messages to {name} is dropped."),
        }))
    }
}
