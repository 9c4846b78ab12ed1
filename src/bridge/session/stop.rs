//! `stop`: what waits for one channel or conversation does not go any more. A long paste can be taken back so, and
//! nothing else is touched by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Outcome, Refusal};
use super::Actor;
use super::outgoing::LineReference;
use crate::format::RichText;

impl Actor {
    /// Drops the user's lines to a buffer that have not left.
    pub(super) fn stop_lines(&mut self, name: &str) -> Outcome {
        let Some(place) = self.buffers.find(name) else {
            return Err(Refusal::asked(format!("You have no room for {name} on {}.", self.network.name)));
        };
        let row = &self.buffers.get(place).row;
        let (buffer, name) = (row.id, row.name.clone());
        let mut lines: Vec<LineReference> =
            self.outbound.resend.remove(&buffer).into_iter().flatten().collect();
        if let Some(link) = &mut self.link {
            let flying = &self.outbound.in_flight;
            let ids = link.session.withdraw(|id| flying.get(&id).is_some_and(|line| line.buffer == buffer));
            lines.extend(ids.into_iter().filter_map(|id| self.outbound.in_flight.remove(&id)));
        }
        let mut events: BTreeSet<Arc<str>> = BTreeSet::new();
        for line in lines {
            self.outbound.commit.refused.push((line.event_id.to_string(), line.part));
            self.settle_one(place, &line.cause);
            events.insert(line.event_id);
        }
        for held in self.outbound.held.remove(&buffer).into_iter().flatten() {
            self.outbound.commit.finished.push(held.seq);
            self.settle_one(place, &held.event_id);
            events.insert(held.about);
        }
        self.outbound.releasing.remove(&buffer);
        Ok(RichText::plain(match events.len() {
            0 => format!("Nothing waits to be sent to {name}."),
            1 => format!("Stopped: what had not left of one message to {name} is dropped."),
            more => format!("Stopped: what had not left of {more} messages to {name} is dropped."),
        }))
    }
}
