//! Plumbed rooms: rooms of other people that show a channel, because the configuration says so, or because somebody has asked
//! for it and those agree who have a say (`asking`).
//!
//! Such a room is a shared room (`bridge/shared.rs`) with one difference: nothing in it is the bridge's but its own ghosts.
//! Its name, topic and powers stay as they are, and nobody is removed from it: delivery refuses to make such requests there
//! (`delivery/request.rs`), whoever asks for them. Who has a session on the network is in the channel by it; what the others
//! say is not sent, of which they are told once (`people`).
//!
//! A room that shows several channels has a row for each. What is said in it goes to each of them by itself: an event has a
//! copy for each row, which goes the way of that channel. What is said in one of them is said by a ghost of ours, and so is
//! not carried to the others. Whatever is about the room as a whole (who asks, whether the bot leaves it) looks at all rows.
//!
//! The row of a room comes before the bot enters it, and goes when the bridge is out of it again; both can be taken up
//! where a crash left them, and where a request failed. One task at a time sees to a room, and none holds another's:
//! a server that does not answer costs its own rooms, and nothing is held while a failure is waited out. That a room shows
//! nothing more waits for nobody.

mod agreement;
mod asking;
mod ending;
mod entrance;
mod people;
mod say;
mod several;
mod successors;
mod unplumb;

pub use self::asking::Asking;
pub(in crate::bridge) use self::asking::PATIENCE;
pub(in crate::bridge) use self::several::Once;
pub use self::unplumb::Plumbed;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::content::{self, MessageType, unique};
use super::super::delivery::temporary;
use super::super::ghosts::GhostError;
use super::super::inbox::AskedFor;
use super::super::{Bridge, Refusal};
use super::needs;
use super::one_at_a_time::OneAtATime;
use crate::format::RichText;
use crate::store::{NewPlumbing, Outsider, PlumbedBy, Plumbing, RoomRow, StoreError};

/// How long is waited at first where a room waits for another, or for what its ghosts still say; then ever longer.
const MOMENT: Duration = Duration::from_secs(1);
/// So often a failure is followed by another try soon after …
const OFTEN: u32 = 10;
/// … and then after so long.
const SELDOM: Duration = Duration::from_mins(10);
/// So many rooms are taken up at once.
const AT_ONCE: usize = 8;
/// What ghosts leave with.
const NO_MORE: &str = "This room no longer shows the channel.";
const NOT_AGREED: &str = "It is not agreed that this room shows a channel.";
const UNPLUMBED: &str = "Somebody who has a say in it has ended that this room shows the channel.";
const ENCRYPTED: &str = "This room is encrypted, and I have no keys: what is said on IRC would stand here for all to read, \
                         and nothing that is said here could go there.";

/// A room that the configuration ties to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    network: String,
    channel: String,
    room_id: String,
    /// The id in the file, where the room has come in that one's place.
    named: Option<String>,
}

/// Why a room is seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Cause {
    /// It is to be what the configuration says: at the start, at a reload, and when the bot is invited.
    Configuration,
    /// The bot was taken out of it.
    TakenOut,
    /// It is encrypted from now on.
    Encrypted,
    /// Those who have a say do not agree.
    NotAgreed,
    /// Somebody who has a say has ended it.
    Unplumbed,
}

/// A room that is seen to, why, and which row of it; else all of them.
type Seen = (String, Cause, Option<i64>);

/// What is kept of plumbed rooms besides the store's record.
#[derive(Debug)]
pub(in crate::bridge) struct Plumber {
    /// Held while a room is taken up or let go of, by its id.
    rooms: OneAtATime<String>,
    /// One for each room that is taken up just now.
    places: Semaphore,
    /// Who sees to a room since when, for each cause: whoever did before need not go on.
    latest: Mutex<HashMap<Seen, u64>>,
    count: AtomicU64,
    /// How many were told of late that what they say does not go to IRC.
    told: Mutex<AskedFor>,
    /// What rooms were told last of what they lack, by their Matrix ids.
    lacking: Mutex<HashMap<String, Vec<String>>>,
    /// Rooms that were not encrypted when that was looked for since the start, by their Matrix ids; of what comes after, events
    /// tell.
    readable: Mutex<HashSet<String>>,
    asking: Mutex<asking::AskedAbout>,
    /// The rows of rooms that show several channels.
    several: Mutex<HashSet<i64>>,
    /// Held while those are looked for.
    noting: tokio::sync::Mutex<()>,
    answered: Mutex<several::Answered>,
    /// Rooms of the configuration that were replaced, and the last that came after each.
    replaced: Mutex<HashMap<String, String>>,
}

impl Default for Plumber {
    fn default() -> Self {
        Self {
            rooms: OneAtATime::default(),
            places: Semaphore::new(AT_ONCE),
            latest: Mutex::default(),
            count: AtomicU64::new(0),
            told: Mutex::default(),
            lacking: Mutex::default(),
            readable: Mutex::default(),
            asking: Mutex::default(),
            several: Mutex::default(),
            noting: tokio::sync::Mutex::default(),
            answered: Mutex::default(),
            replaced: Mutex::default(),
        }
    }
}

impl Plumber {
    fn latest(&self) -> MutexGuard<'_, HashMap<Seen, u64>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that nothing has had before.
    fn next_number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn begin(&self, seen: Seen) -> u64 {
        let number = self.next_number();
        self.latest().insert(seen, number);
        number
    }

    fn is_latest(&self, seen: &Seen, number: u64) -> bool {
        self.latest().get(seen) == Some(&number)
    }

    fn end(&self, seen: &Seen, number: u64) {
        self.latest().retain(|known, one| known != seen || *one != number);
    }

    fn lacking(&self) -> MutexGuard<'_, HashMap<String, Vec<String>>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replaced(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn readable(&self) -> MutexGuard<'_, HashSet<String>> {
        self.readable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// What the file says, with the rooms that came after those that it names.
    fn mappings(&self) -> Vec<Mapping> {
        let public = self.networks.public();
        let of_network = |known: &std::sync::Arc<super::super::Known>| {
            let network = known.network.slug.as_str().to_owned();
            let channels = known.network.channels.clone().into_iter();
            let mapping = move |(channel, room_id)| {
                Mapping { network: network.clone(), channel, room_id, named: None }.followed(&self.plumber)
            };
            channels.map(mapping).collect::<Vec<_>>()
        };
        public.iter().flat_map(of_network).collect()
    }

    fn mappings_of(&self, room_id: &str) -> Vec<Mapping> {
        let mut mappings = self.mappings();
        mappings.retain(|mapping| mapping.room_id == room_id);
        mappings
    }

    /// Whether the configuration ties this room to a channel.
    pub(in crate::bridge) fn is_mapped(&self, room_id: &str) -> bool {
        !self.mappings_of(room_id).is_empty()
    }

    /// Whether the configuration tied a room to its channel, and does no longer.
    fn is_over(&self, room: &RoomRow) -> bool {
        let mappings = room.room_id.as_deref().map(|room_id| self.mappings_of(room_id)).unwrap_or_default();
        room.plumbed_by() == Some(PlumbedBy::Configuration)
            && !mappings.iter().any(|mapping| self.is_about(mapping, room))
    }

    /// Whether both are about the same channel.
    fn is_about(&self, mapping: &Mapping, room: &RoomRow) -> bool {
        let (network, channel) =
            (room.network.as_deref().unwrap_or_default(), room.buffer_name.as_deref().unwrap_or_default());
        mapping.network == network && self.mapping_of(network).same(&mapping.channel, channel)
    }

    /// Has rooms be what the configuration says of them: all, or this one.
    pub(in crate::bridge) fn take_up_mappings(&self, only: Option<&str>) {
        let (bridge, only) = (self.clone(), only.map(str::to_owned));
        self.tasks.spawn(async move {
            let rooms = match only {
                Some(room_id) => vec![room_id],
                None => bridge.rooms_to_see_to().await,
            };
            for room_id in rooms {
                let one = bridge.clone();
                bridge.tasks.spawn(async move {
                    Box::pin(one.see_to(&room_id, Cause::Configuration, None)).await;
                });
            }
        });
    }

    /// Those that are plumbed, then those that are to be.
    async fn rooms_to_see_to(&self) -> Vec<String> {
        let plumbed = self.store.plumbed_rooms().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "rooms may show channels that the configuration names no more, until the next start");
            Vec::new()
        });
        let known = plumbed.into_iter().filter_map(|room| room.room_id);
        let mut seen = HashSet::new();
        let mapped = self.mappings().into_iter().map(|mapping| mapping.room_id);
        known.chain(mapped).filter(|room_id| seen.insert(room_id.clone())).collect()
    }

    /// Sees to a room until it is as it should be, or somebody else does so for the same cause. What is about one row
    /// is not about another that the room has later.
    async fn see_to(&self, room_id: &str, cause: Cause, row: Option<i64>) {
        let seen = (room_id.to_owned(), cause, row);
        let number = self.plumber.begin(seen.clone());
        let mut attempt: u32 = 0;
        loop {
            let tried = {
                // To let go of a room waits for no place.
                let is_limited = cause == Cause::Configuration;
                let _place = if is_limited { self.plumber.places.acquire().await.ok() } else { None };
                let _turn = self.plumber.rooms.lock(room_id.to_owned()).await;
                if !self.plumber.is_latest(&seen, number) || self.stop.is_cancelled() {
                    return;
                }
                Box::pin(self.try_to_see_to(room_id, cause, row)).await
            };
            let goes_on = match tried {
                Ok(true) | Err(GhostError::Store(StoreError::Closed)) => false,
                Ok(false) => self.sleeps(MOMENT * 2_u32.pow(attempt.min(5))).await,
                Err(GhostError::Client(error)) if error.is_final() => {
                    tracing::warn!(room = room_id, %error, "a room is not what the configuration says");
                    false
                }
                Err(error) => {
                    let error = temporary(error);
                    if attempt == 0 {
                        tracing::warn!(room = room_id, %error, "a room is not what the configuration says yet");
                    }
                    if attempt < OFTEN {
                        self.pause_after(&error, attempt).await
                    } else {
                        self.sleeps(SELDOM).await
                    }
                }
            };
            if !goes_on {
                return self.plumber.end(&seen, number);
            }
            attempt = attempt.saturating_add(1);
        }
    }

    /// `false` when the bridge stops meanwhile.
    async fn sleeps(&self, time: Duration) -> bool {
        self.stop.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
    }

    /// Each step can be repeated. `false` where something is waited for.
    async fn try_to_see_to(&self, room_id: &str, cause: Cause, row: Option<i64>) -> Result<bool, GhostError> {
        let mappings = self.mappings_of(room_id);
        if cause == Cause::Configuration {
            mappings.iter().for_each(Mapping::ask_for_new_id);
        }
        let asking = self.plumber.asked(room_id).filter(|_| cause == Cause::Configuration);
        if let Some(asking) = asking.as_ref().filter(|_| !mappings.is_empty()) {
            self.end_for_configuration(asking).await;
        }
        // Of a channel that is asked about whoever asks sees to it.
        let is_asked = asking.is_some() && mappings.is_empty();
        let mut is_done = true;
        for room in self.store.rooms_by_matrix_id(room_id).await? {
            let is_seen_to = room.is_plumbed() && row.is_none_or(|row| row == room.id);
            if is_seen_to && !(is_asked && room.is_visited()) {
                is_done &= Box::pin(self.see_to_row(&room, room_id, cause, !mappings.is_empty())).await?;
            }
        }
        if !is_done || !matches!(cause, Cause::Configuration | Cause::NotAgreed) {
            return Ok(is_done);
        }
        // One that was asked about may be the configuration's by now.
        for mapping in mappings {
            is_done &= Box::pin(self.take_up(&mapping)).await?;
        }
        Ok(is_done)
    }

    /// What is to be done about one of the channels that a room shows, or has shown.
    async fn see_to_row(
        &self,
        room: &RoomRow,
        room_id: &str,
        cause: Cause,
        is_mapped: bool,
    ) -> Result<bool, GhostError> {
        match cause {
            Cause::NotAgreed if room.is_ending() => {
                self.let_go(room, Some(NOT_AGREED).filter(|_| !is_mapped)).await
            }
            Cause::Unplumbed => self.let_go(room, Some(UNPLUMBED)).await,
            Cause::Encrypted => self.let_go(room, Some(ENCRYPTED)).await,
            // It may have been invited and have come since: then nobody is to go.
            Cause::TakenOut if !room.is_ending() && self.is_bot_in(room_id).await? => Ok(true),
            Cause::TakenOut => self.let_go(room, None).await,
            Cause::Configuration if room.is_ending() || self.is_over(room) => {
                // One that is to show another channel is not left for that: nobody might invite the bot again.
                self.let_go(room, Some(NO_MORE).filter(|_| !is_mapped)).await
            }
            Cause::Configuration if room.plumbed_by() == Some(PlumbedBy::Command) => {
                self.keep_as_asked(room, room_id).await
            }
            Cause::NotAgreed | Cause::Configuration => Ok(true),
        }
    }

    /// A room that shows a channel because somebody has asked for it goes on to, as long as the bot is there. Nobody but those
    /// who have a say wants it there: it never comes back by itself, and brings nobody into the channel.
    async fn keep_as_asked(&self, room: &RoomRow, room_id: &str) -> Result<bool, GhostError> {
        if !self.is_bot_in(room_id).await? {
            tracing::info!(
                room = room_id,
                "the bot was taken out of a room, which shows its channel no more"
            );
            return self.let_go(room, None).await;
        }
        if self.is_encrypted(room_id).await? {
            return self.let_go(room, Some(ENCRYPTED)).await;
        }
        self.plumber.readable().insert(room_id.to_owned());
        self.tell_needs(room, room_id).await?;
        self.wake_listener(room.id);
        Ok(true)
    }

    async fn is_bot_in(&self, room_id: &str) -> Result<bool, GhostError> {
        let bot = self.client.bot();
        match self.client.state(bot, room_id, "m.room.member", bot).await {
            Err(error) if !error.is_final() => Err(error.into()),
            // Who is not there may not ask.
            member => Ok(member.ok().flatten().is_some_and(|member| member["membership"] == "join")),
        }
    }

    async fn take_up(&self, mapping: &Mapping) -> Result<bool, GhostError> {
        let Mapping { network, channel, room_id, .. } = mapping;
        let room = match self.intend_plumbing(mapping).await? {
            ControlFlow::Continue(room) => room,
            ControlFlow::Break(is_done) => return Ok(is_done),
        };
        let bot = self.client.bot();
        match self.client.join(bot, room_id).await {
            Err(error) if error.is_final() => {
                tracing::warn!(
                    %network, %channel, room = %room_id, %error,
                    "the bot is not let into a room that is to show a channel: invite {bot} there, and it comes"
                );
                return Ok(true);
            }
            entered => entered?,
        }
        if self.is_encrypted(room_id).await? {
            tracing::warn!(%network, %channel, room = %room_id, "an encrypted room can't show a channel: name another");
            return self.let_go(&room, Some(ENCRYPTED)).await;
        }
        self.plumber.readable().insert(room_id.clone());
        self.tell_needs(&room, room_id).await?;
        for user_id in self.client.joined_members(bot, room_id).await? {
            // Nor do a start and a reload bring anybody back who has left the channel.
            let has_left = self.store.outsider(room.id, &user_id).await? == Some(Outsider::HasLeft);
            if self.is_ours(&user_id) || has_left {
                continue;
            }
            match self.take_in(&room, &user_id, None).await {
                Ok(_) => {}
                Err(Refusal::Asked(text)) => {
                    tracing::info!(%user_id, %channel, reason = text.to_plain(), "somebody is not taken into a channel");
                }
                Err(Refusal::Store(error)) => return Err(error.into()),
                Err(Refusal::Stopping) => return Ok(true),
            }
        }
        self.wake_listener(room.id);
        Ok(true)
    }

    /// Stores that the room shows the channel. Where it can't, says why, or that it can later.
    async fn intend_plumbing(&self, mapping: &Mapping) -> Result<ControlFlow<bool, RoomRow>, GhostError> {
        let Mapping { network, channel, room_id, .. } = mapping;
        let now = self.clock.unix_ms();
        self.store.ensure_network(network, &self.network_name(network), now).await?;
        let new = || NewPlumbing {
            network: network.clone(),
            name: channel.clone(),
            room_id: room_id.clone(),
            by: PlumbedBy::Configuration,
            asked_by: None,
            marker: unique(),
            creator: self.client.bot().to_owned(),
            created_at: now,
        };
        let mut became = self.store.plumb(new()).await?;
        if let Plumbing::ChannelTaken(other) = &became {
            if other.is_ending() || self.is_over(other) {
                // It is let go of by whoever sees to it.
                return Ok(ControlFlow::Break(false));
            }
            let is_deserted = !other.is_plumbed() && self.store.holders(other.id).await?.is_empty();
            if is_deserted && other.room_id.is_some() {
                // It was found by alias, and everybody has left.
                self.give_up_aliases(other).await;
                self.store.begin_ending(other.id, false).await?;
                self.take_up_mappings(other.room_id.as_deref());
                return Ok(ControlFlow::Break(false));
            }
            if is_deserted {
                // Nor was it ever made.
                self.let_go(other, None).await?;
                became = self.store.plumb(new()).await?;
            }
        }
        let why = match became {
            Plumbing::Done(room) => {
                self.note_several().await?;
                return Ok(ControlFlow::Continue(room));
            }
            Plumbing::RoomTaken(other) if other.is_ending() => {
                // Somebody has asked for a channel there, which is just being called off, or it has shown one.
                return Ok(ControlFlow::Break(false));
            }
            Plumbing::RoomTaken(_) => "the bridge uses that room for something else",
            Plumbing::ChannelTaken(other) if other.plumbed_by() == Some(PlumbedBy::Command) => {
                "the channel is shown in another room, because somebody has asked for that: end that with unplumb, and reload \
                 the configuration"
            }
            Plumbing::ChannelTaken(_) => {
                "the channel has another shared room, and people are in it: have them leave it, and reload the configuration"
            }
        };
        tracing::warn!(%network, %channel, room = %room_id, "a room can't show a channel: {why}");
        Ok(ControlFlow::Break(true))
    }

    /// Says in a room what it lacks for the people of IRC to come in and be heard, unless it knows.
    async fn tell_needs(&self, room: &RoomRow, room_id: &str) -> Result<(), GhostError> {
        let bot = self.client.bot();
        let levels = self.client.state(bot, room_id, "m.room.power_levels", "").await?;
        let rule = self.client.state(bot, room_id, "m.room.join_rules", "").await?;
        let rule = rule.as_ref().and_then(|rule| rule["join_rule"].as_str()).unwrap_or("invite");
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let lacking = needs::lacking(&levels.unwrap_or_default(), rule, bot);
        let told = {
            let mut told = self.plumber.lacking();
            told.insert(room_id.to_owned(), lacking.clone()).unwrap_or_default()
        };
        if lacking.is_empty() || lacking == told {
            return Ok(());
        }
        tracing::warn!(%channel, room = room_id, "a room lacks something to show its channel: {}", lacking.join(" "));
        let text =
            RichText::plain(format!("This room is to show {channel}, and can't yet. {}", lacking.join(" ")));
        let notice = content::message(MessageType::Notice, &text, None);
        self.enqueue(vec![content::message_row(room.id, bot, notice, None)]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }
}

/// Why something is not done for whoever asks.
fn refusal(error: GhostError) -> Refusal {
    match error {
        GhostError::Store(error) => Refusal::Store(error),
        GhostError::Client(error) => say::not_now(&error),
    }
}
