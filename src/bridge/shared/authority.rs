//! Powers and rules of shared rooms: they follow their channels' ranks and modes, and nothing else.
//!
//! | on IRC | in the room |
//! |---|---|
//! | owner, protected, operator, half-operator, voice | 70, 60, 50, 25, 10: of people who are there with their own connection |
//! | `+m` | speaking takes 10, and ghosts have the powers of their ranks, too |
//! | `+t` | setting the topic takes 50, and else nothing |
//! | `+i`, `+k` | for those who are invited, as ghosts are by the bot |
//! | `+s`, `+p` | not in the homeserver's directory, where the administrator has it there (`directory`) |
//!
//! Besides, it bears its alias while that leads to it and somebody holds it (`address`).
//!
//! Operators remove and ban people there, and change powers and the join rule: that is done on IRC by their own
//! connection (`session/moderation/by_matrix.rs`), and here put back until IRC has done it.
//!
//! The bot has all power, and nobody else has more than IRC gives them: whatever else the room's power levels say is put
//! back. Ghosts need none where everybody speaks: else each that came or went would be a change that everybody is sent.
//! A change of ranks or modes wakes the room's lane, which waits a moment, so that a storm is one change, asks the
//! session that shows the channel, and makes the difference to what the room has. While nobody shows the channel nobody
//! has power, and its rules are what they were. A ghost to whom the room does not listen under `+m` was heard on IRC, and
//! is let speak.
//!
//! Invariants 2 (a failed call is made again, and the room tells what it has), 4, 8 (no message waits for it).

mod address;
mod directory;
mod levels;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;

pub(in crate::bridge) use self::address::CANONICAL_ALIAS;
use self::levels::{JOIN_RULES, LEVELS, PowersByUser, VOICE, level_of, with_ranks};
use super::super::Bridge;
use super::super::delivery::temporary;
use super::super::ghosts::GhostError;
use super::super::handover::has_creators;
use super::super::rooms::{Homeserver, shared_power_levels};
use super::super::session::{Authority, ChannelRules, MembersRequest, Request};
use crate::irc::rank::Rank;
use crate::matrix::ClientError;
use crate::store::{RoomKind, RoomRow, StoreError};

/// What changes within it and changes back was nothing.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a room is left alone that has refused to follow.
const RESPITE: Duration = Duration::from_mins(10);
/// So many ghosts keep the voice that they have because they were heard; each other gets it again when it speaks.
const MOST_HEARD: usize = 200;

/// What rooms were made to follow last, so that they are not asked at each line.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Enacted(Mutex<Done>);

#[derive(Debug, Default)]
struct Done {
    last: HashMap<i64, Wanted>,
    /// Rooms that somebody else has changed since.
    changed: HashSet<i64>,
    /// Whether rooms are of a version in which their creators have all power and are not listed.
    with_creators: HashMap<i64, bool>,
    /// Whether rooms let none but invited people in: from before they are told to, and as they say where nobody tells.
    closed: HashMap<i64, bool>,
    /// Whether rooms stand in the homeserver's directory, as far as that was asked for.
    listed: HashMap<i64, bool>,
    /// Whether rooms were made to bear their aliases, or none.
    addressed: HashMap<i64, bool>,
    /// Since when rooms refuse to follow, which the log says once.
    refusing: HashMap<i64, Instant>,
}

/// The powers of people and ghosts, and the rules.
type Wanted = (PowersByUser, Option<ChannelRules>);

impl Enacted {
    fn lock(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, room: i64, is_closed: bool) {
        self.lock().closed.insert(room, is_closed);
    }

    /// A room does not do what it is asked for. Says whether that is news.
    fn refuse(&self, room: i64, now: Instant) -> bool {
        self.lock().refusing.insert(room, now).is_none()
    }

    /// Whether a room has refused a while ago, so that it is not asked again.
    fn has_refused(&self, room: i64, now: Instant) -> bool {
        let done = self.lock();
        done.refusing.get(&room).is_some_and(|since| now.saturating_duration_since(*since) < RESPITE)
    }
}

impl Bridge {
    /// Ranks or modes of a channel may be others than before, if its room is shared.
    pub(in crate::bridge) fn note_authority(&self, room: i64) {
        if self.watches.has(room) {
            self.wake_authority(room);
        }
    }

    /// A ghost has left a room, in which it may have been let speak.
    pub(in crate::bridge) fn note_left(&self, room: i64) {
        let is_moderated = |(_, rules): &Wanted| rules.is_some_and(|rules| rules.is_moderated);
        let may_be_listed = self.enacted.lock().last.get(&room).is_some_and(is_moderated);
        if may_be_listed {
            self.reenact(room);
        }
    }

    /// Somebody has changed a shared room: it is made to follow its channel again.
    pub(in crate::bridge) fn reenact(&self, room: i64) {
        {
            let mut done = self.enacted.lock();
            done.changed.insert(room);
            done.addressed.remove(&room);
        }
        self.wake_authority(room);
    }

    pub(in crate::bridge) fn wake_authority(&self, room: i64) {
        let bridge = self.clone();
        let work = move |room| bridge.clone().keep_authority(room);
        self.authorities.wake(&self.tasks, &self.stop, room, work);
    }

    async fn keep_authority(self, room: i64) {
        let mut attempt = 0;
        loop {
            if self.stop.run_until_cancelled(tokio::time::sleep(SETTLE)).await.is_none() {
                return;
            }
            if self.enacted.has_refused(room, self.clock.now()) {
                return;
            }
            let error = match Box::pin(self.try_keep_authority(room)).await {
                Ok(()) => {
                    self.enacted.lock().refusing.remove(&room);
                    return;
                }
                Err(GhostError::Store(StoreError::Closed)) => return,
                Err(error) => temporary(error),
            };
            self.enacted.lock().changed.insert(room);
            if error.is_final() {
                if self.enacted.refuse(room, self.clock.now()) {
                    tracing::warn!(room, %error, "a shared room does not follow its channel's ranks and modes");
                }
                return;
            }
            if attempt == 0 {
                tracing::warn!(room, %error, "a shared room can't follow its channel's ranks and modes yet");
            }
            if !self.pause_after(&error, attempt).await {
                return;
            }
            attempt += 1;
        }
    }

    async fn try_keep_authority(&self, room: i64) -> Result<(), GhostError> {
        let Some(row) = self.store.room(room).await? else { return Ok(()) };
        let Some(room_id) = row.room_id.as_deref().filter(|_| follows_channel(&row)) else { return Ok(()) };
        Box::pin(self.try_follow(&row, room_id)).await?;
        self.enact_address(&row, room_id).await
    }

    /// Powers, rules and the place in the directory.
    async fn try_follow(&self, row: &RoomRow, room_id: &str) -> Result<(), GhostError> {
        let room = row.id;
        let mut authority = match self.watches.observer(room).and_then(|session| self.session(session)) {
            // Nobody is there who would know.
            None => Authority { people: Vec::new(), ghosts: Vec::new(), rules: None },
            Some(session) => {
                let (answer, answered) = oneshot::channel();
                let question = MembersRequest::Authority { room, answer };
                let asked = session.ask(Request::Members(question)).await;
                let (Ok(_), Ok(Some(authority))) = (asked, answered.await) else { return Ok(()) };
                authority
            }
        };
        if !authority.rules.is_some_and(|rules| rules.is_moderated) {
            authority.ghosts.clear();
        }
        let users = self.powers_of(row, &authority).await?;
        let wanted = (users, authority.rules);
        {
            let mut done = self.enacted.lock();
            // What is changed from now on is looked at again.
            let is_changed = done.changed.remove(&room);
            if !is_changed && done.last.get(&room) == Some(&wanted) {
                return Ok(());
            }
        }
        let for_invited = self.shared_settings(row.network.as_deref().unwrap_or_default()).for_invited;
        let is_closed = match wanted.1 {
            _ if for_invited => Some(true),
            rules => rules.map(ChannelRules::is_closed),
        };
        if is_closed.is_none() {
            self.learn_join_rule(room, room_id).await?;
        }
        self.enact_levels(row, room_id, wanted.0.clone(), wanted.1).await?;
        if let Some(is_closed) = is_closed {
            if is_closed {
                self.enacted.close(room, true);
            }
            self.enact_join_rule(room_id, is_closed).await?;
            self.enacted.close(room, is_closed);
        }
        let rules = wanted.1;
        // Who comes next has it looked at, and a room that nobody is in is not remembered.
        let is_watched = self.watches.has(room);
        {
            let mut done = self.enacted.lock();
            if is_watched {
                done.last.insert(room, wanted);
            } else {
                done.last.remove(&room);
            }
        }
        self.enact_listing(row, room_id, rules).await
    }

    /// Before anybody tells whether a channel is closed, its room is as it was.
    async fn learn_join_rule(&self, room: i64, room_id: &str) -> Result<(), ClientError> {
        if self.enacted.lock().closed.contains_key(&room) {
            return Ok(());
        }
        let current =
            self.client.state(self.client.bot(), room_id, JOIN_RULES, "").await?.unwrap_or_default();
        self.enacted.close(room, current["join_rule"] != "public");
        Ok(())
    }

    /// Who has which power. Ghosts that are not there yet get it when they are.
    async fn powers_of(&self, row: &RoomRow, authority: &Authority) -> Result<PowersByUser, StoreError> {
        let network = row.network.as_deref().unwrap_or_default();
        let mut users = PowersByUser::new();
        if !authority.ghosts.is_empty() {
            let ghosts: HashMap<&str, Rank> =
                authority.ghosts.iter().map(|(folded, rank)| (folded.as_str(), *rank)).collect();
            for (folded, user_id) in self.store.ghosts_named_in(row.id, network).await? {
                if let Some(rank) = ghosts.get(folded.as_str()) {
                    users.insert(user_id, level_of(*rank));
                }
            }
        }
        let people = authority.people.iter().filter(|(user_id, _)| !self.is_ours(user_id));
        users.extend(people.map(|(user_id, rank)| (user_id.clone(), level_of(*rank))));
        users.retain(|user_id, _| user_id != self.client.bot() && *user_id != row.creator);
        Ok(users)
    }

    async fn enact_levels(
        &self,
        row: &RoomRow,
        room_id: &str,
        users: PowersByUser,
        rules: Option<ChannelRules>,
    ) -> Result<(), GhostError> {
        let bot = self.client.bot();
        let current = self.client.state(bot, room_id, LEVELS, "").await?.unwrap_or_default();
        let room_version = if self.is_with_creators(row.id, room_id).await? { "12" } else { "11" };
        let homeserver = Homeserver { room_version: room_version.to_owned() };
        let base = shared_power_levels(&homeserver, &row.creator);
        let heard = self.heard_ghosts(row.id, &current).await?;
        let people = users.iter().filter(|(user_id, _)| !self.is_ours(user_id));
        let people = people.map(|(user_id, level)| (user_id.clone(), *level)).collect();
        let wanted = with_ranks(base.clone(), users, rules, &current, &heard);
        if wanted == current {
            return Ok(());
        }
        match self.client.send_state(bot, room_id, LEVELS, "", &wanted).await {
            // Ghosts whom the room does not listen to are let speak one by one; what people may do is not put off.
            Err(error) if error.is("M_TOO_LARGE") => {
                let fewer = with_ranks(base, people, rules, &current, &BTreeSet::new());
                if fewer != current {
                    self.client.send_state(bot, room_id, LEVELS, "", &fewer).await?;
                }
            }
            sent => _ = sent?,
        }
        Ok(())
    }

    /// A room's version stays what it was.
    async fn is_with_creators(&self, room: i64, room_id: &str) -> Result<bool, ClientError> {
        let known = self.enacted.lock().with_creators.get(&room).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let bot = self.client.bot();
        let creation = self.client.state(bot, room_id, "m.room.create", "").await?;
        let is_so = has_creators(creation.as_ref().unwrap_or(&Value::Null));
        if creation.is_some() {
            self.enacted.lock().with_creators.insert(room, is_so);
        }
        Ok(is_so)
    }

    /// Ghosts that a room lets speak because they were heard, of those who are there.
    async fn heard_ghosts(&self, room: i64, current: &Value) -> Result<BTreeSet<String>, StoreError> {
        let listed = current["users"].as_object().into_iter().flatten();
        let is_one = |user_id: &str| user_id != self.client.bot() && self.is_ours(user_id);
        let listed = listed.filter(|(user_id, level)| **level == VOICE && is_one(user_id));
        let mut heard: BTreeSet<String> = listed.map(|(user_id, _)| user_id.clone()).collect();
        if heard.is_empty() {
            return Ok(heard);
        }
        let there: HashSet<String> = self.store.ghosts_in(room).await?.into_iter().collect();
        heard.retain(|user_id| there.contains(user_id));
        Ok(heard.into_iter().take(MOST_HEARD).collect())
    }

    async fn enact_join_rule(&self, room_id: &str, is_closed: bool) -> Result<(), ClientError> {
        let bot = self.client.bot();
        let current = self.client.state(bot, room_id, JOIN_RULES, "").await?.unwrap_or_default();
        let rule = if is_closed { "invite" } else { "public" };
        if current["join_rule"] != rule {
            self.client.send_state(bot, room_id, JOIN_RULES, "", &json!({ "join_rule": rule })).await?;
        }
        Ok(())
    }

    /// Opens a shared room that nobody is in: nobody there would know whether its channel is open, and whoever comes in
    /// learns that from the channel itself.
    pub(super) async fn open_deserted(&self, row: &RoomRow, room_id: &str) -> Result<(), GhostError> {
        if !self.store.holders(row.id).await?.is_empty() {
            return Ok(());
        }
        self.enacted.lock().last.remove(&row.id);
        let for_invited = self.shared_settings(row.network.as_deref().unwrap_or_default()).for_invited;
        self.enact_join_rule(room_id, for_invited).await?;
        self.enacted.close(row.id, for_invited);
        Ok(())
    }

    /// A shared room is about to be there: ghosts come into it as its rule says.
    pub(in crate::bridge) fn note_shared_made(&self, row: &RoomRow) {
        let network = row.network.as_deref().unwrap_or_default();
        self.enacted.close(row.id, self.shared_settings(network).for_invited);
    }

    /// Whether a shared room was made to let none but invited people in.
    pub(in crate::bridge) fn is_for_invited(&self, room: i64) -> bool {
        self.enacted.lock().closed.get(&room).copied().unwrap_or(false)
    }

    /// Lets a ghost speak that was heard on IRC, where its room does not let everybody. Returns whether it could not.
    pub(in crate::bridge) async fn let_speak(
        &self,
        row: &RoomRow,
        room_id: &str,
        user_id: &str,
    ) -> Result<bool, ClientError> {
        let bot = self.client.bot();
        if !follows_channel(row) || user_id == bot || !self.is_ours(user_id) {
            return Ok(false);
        }
        let mut levels = self.client.state(bot, room_id, LEVELS, "").await?.unwrap_or_default();
        let needed = levels["events_default"].as_i64().unwrap_or_default();
        let own = levels["users"][user_id].as_i64().or_else(|| levels["users_default"].as_i64());
        if own.unwrap_or_default() >= needed || !levels["users"].is_object() {
            return Ok(false);
        }
        levels["users"][user_id] = needed.into();
        let sent = self.client.send_state(bot, room_id, LEVELS, "", &levels).await;
        // Somebody may have lost a power meanwhile, and have it again by this.
        self.reenact(row.id);
        sent.map(|_| true)
    }
}

/// Whether a room has the powers and rules of its channel: those that are other people's don't.
fn follows_channel(row: &RoomRow) -> bool {
    !row.is_plumbed() && row.kind().is_ok_and(|kind| kind == RoomKind::Shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_refuses_is_news_once_and_left_alone_for_a_while() {
        #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
        let (enacted, now) = (Enacted::default(), Instant::now());
        assert!(!enacted.has_refused(1, now));
        assert!(enacted.refuse(1, now));
        assert!(enacted.has_refused(1, now + RESPITE / 2) && !enacted.has_refused(2, now));
        assert!(!enacted.has_refused(1, now + RESPITE));
        assert!(!enacted.refuse(1, now + RESPITE), "the log has it");
        assert!(enacted.has_refused(1, now + RESPITE));
    }
}
