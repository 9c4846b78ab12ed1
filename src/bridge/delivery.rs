//! Delivery to Matrix: one lane per room works through the room's outbox, in order, one request at a time.
//!
//! A request that fails for now is made again, with the same transaction id, for as long as it takes. When the outcome
//! of the last attempt is unknown (an answer was lost, the process was restarted) the room is searched for the
//! request's content key first: homeservers remember transaction ids only for a while. A request that is refused for
//! good is set aside and counted; it stops nothing behind it.
//!
//! | module | what it is |
//! |---|---|
//! | `attempts` | requests under way, and their echoes |
//! | `heads` | what a lane begins with |
//! | `load` | how full rooms are, and what is folded |
//! | `merge` | rows that become one event |
//! | `refusals` | what is refused for good, told |
//! | `request` | one request, until its outcome is known |

mod attempts;
mod heads;
mod load;
mod merge;
mod refusals;
mod request;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

pub(super) use self::attempts::Attempts;
pub(super) use self::heads::Heads;
pub(super) use self::load::Load;
use self::merge::Planned;
pub(super) use self::refusals::Key as RefusalKey;
use self::request::{Outcome, has_key, heir_of};
use super::Bridge;
use super::ghosts::GhostError;
use crate::matrix::ClientError;
use crate::matrix::event::CONTENT_KEY;
use crate::store::settings::{self, Scope};
use crate::store::{AT_ONCE, Look, Outbox, OutboxKind, RoomRow, STRAY, StoreError, Ticket};

/// How many messages of the same senders are searched for what may have been sent: one request at most is in flight in
/// a room, and of those before it so many may have been answered without the answer being committed.
const SEARCHED: usize = 2 * AT_ONCE as usize;

/// Outcomes that are on their way into the store. After a crash their rows are found as if they had not been sent, so
/// there are never more of them than are read at once, together with the request that is made next.
#[derive(Default)]
struct Uncommitted {
    tickets: Vec<Ticket<()>>,
    rows: usize,
}

impl Uncommitted {
    async fn make_room_for(&mut self, next: &Planned) -> Result<(), StoreError> {
        // A request may be about an event whose id is not committed yet.
        let refers = matches!(next.request.kind, OutboxKind::Redact | OutboxKind::Reaction);
        if refers || self.rows + next.rows() > AT_ONCE as usize { self.commit().await } else { Ok(()) }
    }

    fn add(&mut self, rows: usize, ticket: Ticket<()>) {
        self.rows += rows;
        self.tickets.push(ticket);
    }

    /// Waits until the outcomes are committed: before, the requests would be read again.
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.rows = 0;
        for ticket in std::mem::take(&mut self.tickets) {
            ticket.committed().await?;
            failpoint!("request_marked");
        }
        Ok(())
    }
}

impl Bridge {
    /// Works through a room's outbox until it is empty or the bridge stops.
    #[tracing::instrument(name = "delivery", skip_all, fields(room = room))]
    pub(super) async fn deliver(self, room: i64) {
        let mut run = self.heads.begin(room);
        let mut attempt = 0;
        while let Err(error) = self.try_deliver(room, run.look.take()).await {
            if matches!(error, StoreError::Closed) {
                return;
            }
            tracing::error!(room, %error, "delivery is held up");
            // What was sent meanwhile may not be stored as sent.
            self.unsure.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
            if !self.pause_after(&temporary(error.into()), attempt).await {
                return;
            }
            attempt += 1;
        }
        if self.postponed.lock().unwrap_or_else(PoisonError::into_inner).contains(&room) {
            self.wake_departures(room);
        }
    }

    async fn try_deliver(&self, room: i64, head: Option<Look>) -> Result<(), StoreError> {
        let mut look = self.load.look(room);
        let (row, waiting) = match head {
            Some(Look { room, waiting: Some(waiting) }) => (Some(room), waiting),
            // Most rooms are made, and what waits first is known as soon as that.
            _ => tokio::try_join!(self.store.room(room), self.store.waiting_requests(room, 0, AT_ONCE))?,
        };
        let Some(mut row) = row else {
            // It was gone on the homeserver, and another one was made.
            return self.forward(room).await;
        };
        if self.is_strangers(&row).await? {
            // It is made when its user wants it.
            return Ok(());
        }
        // What waits for a room may change meanwhile.
        let mut first = row.room_id.is_some().then_some(waiting);
        let Some(room_id) = self.wait_for_room(&mut row).await? else {
            return self.forward(room).await;
        };
        let mut uncommitted = Uncommitted::default();
        let mut after = 0;
        loop {
            let rows = match first.take() {
                Some(rows) => rows,
                None => {
                    look = self.load.look(room);
                    self.store.waiting_requests(room, after, AT_ONCE).await?
                }
            };
            if after > 0 && row.room_id.is_some() && self.has_moved(room, &room_id).await? {
                // It was followed to its successor, or made anew: the rest goes there.
                uncommitted.commit().await?;
                self.wake_delivery(room);
                return Ok(());
            }
            let Some(last) = rows.last() else {
                let Some(fold) = self.load.drained(room, &look) else { break };
                if self.store.close_fold(room, self.clock.unix_ms()).await? {
                    self.load.closed(room);
                }
                self.load.unfolded(room, &fold);
                continue;
            };
            after = last.seq;
            let unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
            let mut sent = HashMap::new();
            let mut perhaps_sent = Vec::new();
            if unsure {
                // From here on an echo tells, too.
                let keyed = rows.iter().filter(|row| has_key(row.kind));
                perhaps_sent.extend(keyed.map(|row| self.attempts.begin(row, &room_id)));
                let Some(found) = self.wait_for_sent(&row, &room_id, &rows).await else {
                    return Ok(());
                };
                sent = found;
            }
            let mut planned = merge::plan(rows, !unsure, self.client.bot());
            self.settle_batches(room, &planned).await?;
            while let Some(mut next) = planned.pop_front() {
                uncommitted.make_room_for(&next).await?;
                let request = &next.request;
                let known = sent.remove(&(request.sender.clone(), request.txn_id.clone()));
                let under_way = self.attempts.begin(request, &room_id);
                let outcome = match known {
                    Some(event_id) => Outcome::Done(Some(event_id)),
                    None => self.request(&row, &room_id, request, &under_way).await,
                };
                match outcome {
                    Outcome::Done(event_id) => {
                        failpoint!("put_answered");
                        let took = self.clock.unix_ms() - request.created_at;
                        self.tally.to_matrix.observe(Duration::from_millis(took.try_into().unwrap_or(0)));
                        let done = next.seqs().into_iter().map(|seq| (seq, event_id.clone())).collect();
                        uncommitted.add(next.rows(), self.store.requests_done(done).await);
                        self.load.done(room, next.rows());
                        if heir_of(&next.request).is_some()
                            && let Some(handed_over) = self.store.room(room).await?
                        {
                            row = handed_over;
                        }
                    }
                    // One line may be what is refused, or only that they are so many.
                    Outcome::Refused(_) if next.rows() > 1 => {
                        self.store.separate_requests(room, request.seq).await?;
                        next.split().into_iter().rev().for_each(|single| planned.push_front(single));
                    }
                    Outcome::Refused(error) if self.is_elsewhere(&row, &room_id, &error).await? => {
                        return uncommitted.commit().await;
                    }
                    Outcome::Refused(error) => {
                        self.set_aside(&row, request, &error).await?;
                        self.load.done(room, 1);
                    }
                    Outcome::Stopped => return uncommitted.commit().await,
                }
            }
            drop(perhaps_sent);
        }
        uncommitted.commit().await
    }

    /// Whether a room has another Matrix id by now, or nothing is shown in it any more.
    pub(super) async fn has_moved(&self, room: i64, room_id: &str) -> Result<bool, StoreError> {
        let now = self.store.room(room).await?;
        Ok(now.is_none_or(|now| now.room_id.is_some_and(|now| now != room_id)))
    }

    /// Whether a room is a stranger's with whom its user does not talk yet.
    async fn is_strangers(&self, room: &RoomRow) -> Result<bool, StoreError> {
        let (None, Some(buffer)) = (&room.room_id, room.buffer) else { return Ok(false) };
        let standing = self.store.setting(&settings::STRANGER, Scope::Buffer, buffer).await?;
        Ok(standing.is_some())
    }

    /// Commits which rows become one event, before any of them is sent.
    async fn settle_batches(&self, room: i64, planned: &VecDeque<Planned>) -> Result<(), StoreError> {
        let new = planned.iter().filter(|planned| planned.is_new);
        let groups: Vec<(i64, i64)> = new.map(|planned| (planned.request.seq, planned.last_seq())).collect();
        if groups.is_empty() { Ok(()) } else { self.store.batch_requests(room, groups).await }
    }

    /// The room's Matrix id, when the homeserver has made it; `None` when the bridge stops before, or nothing is shown in
    /// it any more.
    async fn wait_for_room(&self, room: &mut RoomRow) -> Result<Option<String>, StoreError> {
        let perhaps_made = || self.perhaps_made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = 0;
        loop {
            let may_exist = perhaps_made().contains(&room.id);
            match self.real_room(room, may_exist).await {
                Ok(room_id) => {
                    perhaps_made().remove(&room.id);
                    if room.room_id.is_none() {
                        if self.store.room(room.id).await?.is_none() {
                            self.give_up(room).await;
                            return Ok(None);
                        }
                        self.rooms_made.notify_waiters();
                        self.set_alias(room, &room_id).await;
                        self.set_ringing(room, &room_id);
                        if let Some(session) = room.session {
                            self.wake_space(session);
                        }
                        // What was said there before we knew it is in its lane now; what is still stray is nobody's.
                        self.wake_lane(&room.lane);
                        self.wake_lane(STRAY);
                        self.usher_in(room.id);
                        self.bring_in_early(room.id);
                    }
                    return Ok(Some(room_id));
                }
                Err(error) => {
                    // Also where the homeserver answered, and the store could not keep it.
                    perhaps_made().insert(room.id);
                    let error = temporary(error);
                    if attempt == 0 || error.is_final() {
                        tracing::warn!(%error, "a room can't be made yet");
                    }
                    if !self.pause_after(&error, attempt).await {
                        return Ok(None);
                    }
                    let Some(now) = self.store.room(room.id).await? else {
                        self.give_up(room).await;
                        return Ok(None);
                    };
                    *room = now;
                }
            }
            attempt += 1;
        }
    }

    pub(super) async fn set_alias(&self, room: &RoomRow, room_id: &str) {
        const ATTEMPTS: u32 = 3;
        let Some(alias) = self.alias_of(room) else { return };
        for attempt in 0..ATTEMPTS {
            match self.client.set_alias(&alias, room_id).await {
                Ok(()) => return,
                // An alias is a convenience; messages don't wait long for it.
                Err(error) if error.is_final() || attempt + 1 == ATTEMPTS => {
                    tracing::warn!(%alias, %error, "a room has no alias");
                    return;
                }
                Err(error) => {
                    if !self.pause_after(&error, attempt).await {
                        return;
                    }
                }
            }
        }
    }

    /// What was sent to a room by us of late: (sender, content key) → event id.
    async fn wait_for_sent(
        &self,
        room: &RoomRow,
        room_id: &str,
        requests: &[Outbox],
    ) -> Option<HashMap<(String, String), String>> {
        let keyed: Vec<&Outbox> = requests.iter().filter(|request| has_key(request.kind)).collect();
        let senders: BTreeSet<&str> = keyed.iter().map(|request| request.sender.as_str()).collect();
        let senders: Vec<&str> = senders.into_iter().collect();
        let looker = self.looker(&room.creator);
        let mut attempt = 0;
        loop {
            // An echo tells as much, and may be there before the homeserver can be searched again.
            let echo = |request: &&Outbox| {
                let name = (request.sender.clone(), request.txn_id.clone());
                Some((name, self.attempts.echo(&request.txn_id)?))
            };
            let echoes: HashMap<_, _> = keyed.iter().filter_map(echo).collect();
            if echoes.len() == keyed.len() {
                return Some(echoes);
            }
            match self.client.latest_messages(looker, room_id, &senders, SEARCHED).await {
                Ok(events) => {
                    let found = events.into_iter().filter_map(|event| {
                        // The key alone proves nothing: anybody may copy it. With the sender it does.
                        let key = event.content[CONTENT_KEY].as_str()?.to_owned();
                        let is_asked_for = senders.contains(&event.sender.as_str());
                        is_asked_for.then_some(((event.sender, key), event.event_id))
                    });
                    return Some(found.collect());
                }
                Err(error) if !error.is_final() => {
                    if !self.pause_after(&error, attempt).await {
                        return None;
                    }
                }
                // Without access there is nothing to find, and nothing that could be sent twice.
                Err(_) => return Some(HashMap::new()),
            }
            attempt += 1;
        }
    }

    /// Who can see a room that this user has made: a control room was made by its owner, and there the bot looks.
    pub(super) fn looker<'a>(&'a self, creator: &'a str) -> &'a str {
        if self.is_ours(creator) { creator } else { self.client.bot() }
    }

    /// Moves the bridge's read receipt in a room to this event, as the one who speaks for the bridge there.
    pub(super) fn settle_up_to(&self, room: i64, sender: &str, event_id: &str) {
        let place = (sender.to_owned(), event_id.to_owned());
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).insert(room, place);
        let bridge = self.clone();
        self.receipts.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().mark_read(room));
    }

    async fn mark_read(self, room: i64) {
        let take = || self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
        let Some((mut sender, mut event_id)) = take() else { return };
        let Ok(Some(RoomRow { room_id: Some(room_id), .. })) = self.store.room(room).await else {
            return;
        };
        let mut attempt = 0;
        while let Err(error) = self.client.mark_read(&sender, &room_id, &event_id).await {
            if error.is_final() || !self.pause_after(&error, attempt).await {
                tracing::debug!(%error, "a receipt was not taken");
                return;
            }
            attempt += 1;
            // Receipts are cumulative: a newer one says this one, too.
            if let Some(newer) = take() {
                (sender, event_id) = newer;
            }
        }
    }
}

/// A failure of the store is as temporary as one of the homeserver: nothing is given up because of it.
pub(super) fn temporary(error: GhostError) -> ClientError {
    match error {
        GhostError::Client(error) => error,
        GhostError::Store(error) => ClientError::Unreachable(error.to_string()),
    }
}
