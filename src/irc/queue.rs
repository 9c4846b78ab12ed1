//! What waits to be sent, and whose turn it is.
//!
//! Not the socket's buffer, and not the pace, which is [`flood`](crate::irc::flood)'s. Servers throw out who talks too
//! fast, so lines wait here in five classes; a line of a lower class goes only when none of a higher one waits.
//! [`Class::Control`] does not wait at all, as a late `PONG` is a lost connection, but what it sends counts against the
//! others. Messages and requests for history take turns: neither may hold up the other for long.
//!
//! Within a class the lines of one target are a lane: they keep their order, and lanes take turns, so that a long text
//! for one channel does not hold up what is said in another. What is alone in its lane goes before all that comes
//! later, so a command between messages is where it was typed. A lane may be held until a time.
//!
//! Invariant 9: each class is bounded. Invariant 7: the time is passed in.

use std::collections::VecDeque;
use std::time::Instant;

use super::flood::{Cost, FloodLimits, Pace};

/// What a line is for, in the order of going first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// PONG, QUIT, CAP, AUTHENTICATE and all of registration.
    Control,
    /// What people wait for: their messages and commands.
    Interactive,
    /// Asking for what was said before.
    History,
    /// Entering channels.
    Join,
    /// What nobody waits for.
    Background,
}

const CLASSES: usize = 5;

/// Those that wait for flood control, in their order.
const PACED: [Class; CLASSES - 1] = [Class::Interactive, Class::History, Class::Join, Class::Background];

/// How many lines of each class may wait.
pub(super) const CAPACITY: [usize; CLASSES] = [256, 512, 64, 4096, 256];

/// There is no room for the line; the owner keeps it and tries later, or says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many lines are waiting to be sent")]
pub struct QueueFull;

/// The lines of one target, in their order; never empty.
#[derive(Debug)]
struct Lane<T> {
    /// What it is for; more than one where somebody had another nick while something waited for them.
    names: Vec<Box<str>>,
    items: VecDeque<(Cost, T)>,
    /// None of it goes before.
    held_until: Option<Instant>,
}

/// Names that a lane keeps: who has more while a line waits is nobody's conversation.
const MOST_NAMES: usize = 8;

impl<T> Lane<T> {
    fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|known| &**known == name)
    }
}

/// The lanes of a class. The first is next.
#[derive(Debug)]
struct Lanes<T> {
    lanes: VecDeque<Lane<T>>,
    count: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: VecDeque::new(), count: 0 }
    }
}

impl<T> Lanes<T> {
    fn lane(&mut self, name: &str) -> &mut Lane<T> {
        let place = self.lanes.iter().position(|lane| lane.is_for(name)).unwrap_or_else(|| {
            self.lanes.push_back(Lane { names: vec![name.into()], items: VecDeque::new(), held_until: None });
            self.lanes.len() - 1
        });
        &mut self.lanes[place]
    }

    /// When the next line may go for all that this class knows; none if nothing waits.
    fn ready_at(&self, otherwise: Instant) -> Option<Instant> {
        self.lanes.iter().map(|lane| lane.held_until.unwrap_or(otherwise)).min()
    }

    fn pop(&mut self, now: Instant) -> Option<(Cost, T)> {
        let place = self.lanes.iter().position(|lane| lane.held_until.is_none_or(|until| until <= now))?;
        let mut lane = self.lanes.remove(place)?;
        let item = lane.items.pop_front()?;
        lane.held_until = None;
        self.count -= 1;
        if !lane.items.is_empty() {
            self.lanes.push_back(lane);
        }
        Some(item)
    }
}

/// The lines that wait.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    classes: [Lanes<T>; CLASSES],
    pace: Pace,
    /// The last line that waited was a message: it is history's turn.
    yields: bool,
    started: Instant,
}

impl<T> Queue<T> {
    pub(crate) fn new(limits: FloodLimits, now: Instant) -> Self {
        Self { classes: Default::default(), pace: Pace::new(limits, now), yields: false, started: now }
    }

    /// What lines cost, and when they may go.
    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// Takes a line of this cost for a lane.
    pub(crate) fn push(&mut self, class: Class, lane: &str, cost: Cost, item: T) -> Result<(), QueueFull> {
        let lanes = &mut self.classes[class as usize];
        if lanes.count >= CAPACITY[class as usize] {
            return Err(QueueFull);
        }
        lanes.count += 1;
        lanes.lane(lane).items.push_back((cost, item));
        Ok(())
    }

    /// Puts a line back that was out before, to the head of its lane.
    pub(crate) fn push_front(&mut self, class: Class, lane: &str, cost: Cost, item: T) {
        let lanes = &mut self.classes[class as usize];
        lanes.count += 1;
        lanes.lane(lane).items.push_front((cost, item));
    }

    /// Nothing of a lane goes before this time, if something waits in it.
    pub(crate) fn hold(&mut self, class: Class, lane: &str, until: Instant) {
        let mut lanes = self.classes[class as usize].lanes.iter_mut();
        if let Some(lane) = lanes.find(|known| known.is_for(lane)) {
            lane.held_until = Some(until);
        }
    }

    /// What waits in a lane is held no more.
    pub(crate) fn release(&mut self, class: Class, lane: &str) {
        let mut lanes = self.classes[class as usize].lanes.iter_mut();
        if let Some(lane) = lanes.find(|known| known.is_for(lane)) {
            lane.held_until = None;
        }
    }

    /// What waits in one lane and what comes for it or for another is one order, until nothing waits in it.
    pub(crate) fn merge(&mut self, class: Class, from: &str, into: &str) {
        let lanes = &mut self.classes[class as usize].lanes;
        let Some(place) = lanes.iter().position(|lane| lane.is_for(from)) else {
            return;
        };
        if lanes[place].is_for(into) {
            return;
        }
        let other = lanes.iter().position(|lane| lane.is_for(into)).and_then(|other| lanes.remove(other));
        // The other one may have stood before it.
        let Some(lane) = lanes.iter_mut().find(|lane| lane.is_for(from)) else { return };
        match other {
            Some(other) => {
                lane.items.extend(other.items);
                lane.names.extend(other.names);
                lane.held_until = lane.held_until.max(other.held_until);
            }
            None => lane.names.push(into.into()),
        }
        let too_many = lane.names.len().saturating_sub(MOST_NAMES);
        lane.names.drain(..too_many);
    }

    /// The next line that may go now, if the class is allowed: before registration only `Control` is.
    pub(crate) fn pop(&mut self, lowest: Class, now: Instant) -> Option<(Class, T)> {
        if let Some((cost, item)) = self.classes[Class::Control as usize].pop(now) {
            self.pace.spend_at_once(cost, now);
            return Some((Class::Control, item));
        }
        if self.pace.open_at() > now {
            return None;
        }
        let turn = self.yields.then_some(Class::History);
        for class in turn.into_iter().chain(PACED) {
            if class <= lowest
                && let Some((cost, item)) = self.classes[class as usize].pop(now)
            {
                self.yields = class == Class::Interactive;
                self.pace.spend(cost, now);
                return Some((class, item));
            }
        }
        None
    }

    /// When [`Queue::pop`] has something to give; none if nothing waits.
    pub(crate) fn ready_at(&self, lowest: Class) -> Option<Instant> {
        if self.len(Class::Control) > 0 {
            return Some(self.started);
        }
        let classes = PACED.into_iter().filter(|class| *class <= lowest);
        let first = classes.filter_map(|class| self.classes[class as usize].ready_at(self.started)).min()?;
        Some(first.max(self.pace.open_at()))
    }

    /// When the last line of people's goes, as far as is known: with `besides` for what goes between them.
    pub(crate) fn last_leaves_at(&self, besides: Cost, now: Instant) -> Option<Instant> {
        let lanes = &self.classes[Class::Interactive as usize];
        let costs = || lanes.lanes.iter().flat_map(|lane| lane.items.iter().map(|(cost, _)| *cost));
        // Which is the last does not matter much; that it does not wait for itself does.
        let last = lanes.lanes.iter().filter_map(|lane| lane.items.back()).map(|(cost, _)| *cost).min()?;
        let history = Cost::LINE.times(u32::try_from(lanes.count.min(self.len(Class::History))).unwrap_or(0));
        let all = costs().fold(besides.plus(history), Cost::plus);
        let paced = self.pace.open_after(all.without(last), now);
        let held = lanes.lanes.iter().filter_map(|lane| lane.held_until).max();
        Some(held.map_or(paced, |until| until.max(paced)))
    }

    /// How many lines of a class wait.
    pub(crate) fn len(&self, class: Class) -> usize {
        self.classes[class as usize].count
    }

    /// Takes out the lines of a class for which this holds, each lane's in order.
    pub(crate) fn take_out(&mut self, class: Class, holds: impl Fn(&T) -> bool) -> Vec<T> {
        let lanes = &mut self.classes[class as usize];
        let mut taken = Vec::new();
        for lane in &mut lanes.lanes {
            let (out, kept): (VecDeque<_>, _) =
                std::mem::take(&mut lane.items).into_iter().partition(|(_, item)| holds(item));
            taken.extend(out.into_iter().map(|(_, item)| item));
            lane.items = kept;
        }
        lanes.lanes.retain(|lane| !lane.items.is_empty());
        lanes.count -= taken.len();
        taken
    }

    /// Changes the waiting lines of a class, each lane's in order.
    pub(crate) fn change(&mut self, class: Class, mut change: impl FnMut(&mut Cost, &mut T)) {
        let lanes = self.classes[class as usize].lanes.iter_mut();
        lanes.flat_map(|lane| &mut lane.items).for_each(|(cost, item)| change(cost, item));
    }

    /// The waiting lines of a class that nothing holds but the pace.
    pub(crate) fn moving(&self, class: Class, now: Instant) -> impl Iterator<Item = &T> {
        let lanes = self.classes[class as usize].lanes.iter();
        let moving = lanes.filter(move |lane| lane.held_until.is_none_or(|until| until <= now));
        moving.flat_map(|lane| lane.items.iter().map(|(_, item)| item))
    }

    /// The waiting lines of a class, each lane's in order.
    pub(crate) fn iter(&self, class: Class) -> impl Iterator<Item = &T> {
        self.classes[class as usize].lanes.iter().flat_map(|lane| lane.items.iter().map(|(_, item)| item))
    }
}

#[cfg(test)]
mod tests;
