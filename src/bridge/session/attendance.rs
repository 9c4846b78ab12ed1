//! Who of a channel's people is a member of its room: by the setting `members` all of them, or those who speak.
//!
//! What is known is a mark for each nick whose ghost is in the room or on its way: the day on which they last spoke
//! there, or that they never did. Who should come and has not is found by holding that against the session's own list,
//! when the usher asks (`bridge/usher.rs`): nothing is kept of it, and nothing is done for a member at a line. After a
//! restart the table of members says who is there, and only the difference to the list of names is made.
//!
//! Not how a ghost comes in, and not who goes because they have left IRC, which is in `speakers`. Invariants 8; 9 (four
//! bytes for each member).

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::ghosts::Coming;
use super::super::outcome::{Outcome, Refusal};
use super::super::presence::Named;
use super::super::ranks::MOST_RANKED;
use super::super::usher::Ask;
use super::Actor;
use super::authority::Authority;
use super::excluded::MOST_PASSED_OVER;
use super::manners::Choice;
use crate::format::RichText;
use crate::irc::channels::ChannelState;
use crate::names::CaseMapping;
use crate::store::settings::{self, Setting};
use crate::store::{BufferKind, NewGhost, StoreError};

/// Below so many a channel is small.
const SMALL: usize = 200;
/// Who came in while a channel was small stays until it is as large as this: it may be small again tomorrow.
const LARGE: usize = 2 * SMALL;
/// Who said nothing for so many days is silent.
const SILENT_DAYS: u8 = 7;
/// Ghosts of silent people that leave at once; the others do a little later.
const MOST_AT_ONCE: usize = 200;
/// When those who are silent leave, after the start …
pub(super) const FIRST_THINNING: Duration = Duration::from_hours(1);
/// … then …
const THINNING: Duration = Duration::from_hours(24);
/// … or while there are more of them.
const MORE_THINNING: Duration = Duration::from_secs(10);

const DAY: i64 = 24 * 60 * 60 * 1000;
/// The mark of who is in the room and never spoke there; others are days, from 1 to 255 and again.
const NEVER: u8 = 0;

/// When somebody last spoke in a room, in milliseconds since 1970, as a mark.
pub(super) fn mark(spoke_at: Option<i64>) -> u8 {
    let day = spoke_at.map(|at| at.div_euclid(DAY).rem_euclid(255) + 1);
    day.and_then(|day| u8::try_from(day).ok()).unwrap_or(NEVER)
}

/// Whether who has this mark is silent. In 255 days marks return, which is long after the silent have gone.
fn is_silent(mark: u8, today: u8) -> bool {
    mark == NEVER || (i16::from(today) - i16::from(mark)).rem_euclid(255) >= i16::from(SILENT_DAYS)
}

/// Whether who has this mark spoke today.
pub(super) fn is_of_today(mark: u8, today: u8) -> bool {
    mark != NEVER && mark == today
}

/// Who of a channel's people is in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    Auto,
    All,
    Active,
    None,
}

impl Choice for Members {
    const SETTING: &'static Setting = &settings::MEMBERS;
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("all", Self::All), ("active", Self::Active), ("none", Self::None)];
}

impl Members {
    /// Whether everybody comes into the room of a channel with so many people.
    fn brings(self, count: usize) -> bool {
        self == Self::All || self == Self::Auto && count < SMALL
    }

    /// Whether those who are silent stay there.
    fn keeps(self, count: usize) -> bool {
        self == Self::All || self == Self::Auto && count < LARGE
    }
}

/// What is asked about the members of a channel's room.
#[derive(Debug)]
pub enum MembersRequest {
    /// The number of a channel's room.
    Find {
        /// The channel.
        name: String,
        /// Where it goes.
        room: oneshot::Sender<i64>,
    },
    /// Who has which rank in a room's channel.
    Ranks {
        /// The room's number.
        room: i64,
        /// The nicks, as they are compared, whose names show one.
        shown: Vec<String>,
        /// Where it goes.
        answer: oneshot::Sender<Ranked>,
    },
    /// What a shared room's powers and rules follow from; nothing where this session can't tell.
    Authority {
        /// The room's number.
        room: i64,
        /// Where it goes.
        answer: oneshot::Sender<Option<Authority>>,
    },
    /// How people are shown whom the session sees, those nearest to its user first.
    Shown {
        /// No more than so many.
        most: usize,
        /// Where it goes.
        answer: oneshot::Sender<Named>,
    },
    /// The rules of who is excluded are others.
    Excluded,
    /// Make the members of a room, who are now as the table says, those of its channel.
    Sync {
        /// The room's number.
        room: i64,
    },
}

/// The ranks that names are to show in a channel's room.
#[derive(Debug, Default)]
pub struct Ranked {
    /// Whether the room's names show ranks at all.
    pub is_wanted: bool,
    /// Nicks, as they are compared, each with its prefix.
    pub ranks: Vec<(String, char)>,
    /// Those of the shown that have none, or are not to show it, any more.
    pub without: Vec<String>,
}

/// Whether the names of a channel's operators show their rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranks {
    None,
    Name,
}

impl Choice for Ranks {
    const SETTING: &'static Setting = &settings::RANKS;
    const WORDS: &'static [(&'static str, Self)] = &[("none", Self::None), ("name", Self::Name)];
}

impl Actor {
    /// Ranks in a channel may be others than before, or are to be shown from now on.
    pub(super) fn note_ranks(&self, place: usize) {
        let row = &self.buffers.get(place).row;
        let is_wanted = row.kind == BufferKind::Channel && self.wants_ranks(place);
        if is_wanted && self.shows(place) {
            self.bridge.want_ranks(row.room);
        } else {
            self.bridge.note_ranks(row.room);
        }
    }

    /// Modes of a channel were changed, perhaps ranks.
    pub(super) fn note_ranks_in(&self, channel: &str) {
        if let Some(place) = self.buffers.find(channel) {
            self.note_ranks(place);
        }
    }

    /// Whether names are to show ranks in a buffer's room: where that shows several channels, nobody could say in which.
    fn wants_ranks(&self, place: usize) -> bool {
        let room = self.buffers.get(place).row.room;
        self.room_choice::<Ranks>(place) == Ranks::Name && !self.bridge.shows_several(room)
    }

    fn ranks_in(&self, room: i64, shown: Vec<String>) -> Ranked {
        let Some(place) = self.buffers.find_room(room) else { return Ranked::default() };
        let is_wanted = self.wants_ranks(place);
        // Nothing is known of who is in a channel that we are not in: names stay as they are.
        let Some(channel) = self.channel_at(place).filter(|_| self.shows(place)) else {
            return Ranked { is_wanted, ..Ranked::default() };
        };
        let mapping: CaseMapping = self.buffers.mapping();
        let ranked = if is_wanted { channel.ranked(MOST_RANKED) } else { Vec::new() };
        let ranks: Vec<(String, char)> =
            ranked.into_iter().map(|(nick, prefix)| (mapping.fold(&nick), prefix)).collect();
        let has_none = |nick: &String| {
            !ranks.iter().any(|(ranked, _)| ranked == nick) && (!is_wanted || channel.has(nick))
        };
        let without = shown.into_iter().filter(has_none).collect();
        Ranked { is_wanted, ranks, without }
    }

    fn today(&self) -> u8 {
        mark(Some(self.bridge.clock.unix_ms()))
    }

    pub(super) fn channel_at(&self, place: usize) -> Option<ChannelState<'_>> {
        let row = &self.buffers.get(place).row;
        let link = self.link.as_ref().filter(|_| row.kind == BufferKind::Channel)?;
        link.session.channel(&row.name)
    }

    fn members_of(&self, place: usize) -> Members {
        self.room_choice(place)
    }

    /// Whether everybody who is in a channel is to be in its room.
    pub(super) fn brings_everybody(&self, place: usize) -> bool {
        let count = self.channel_at(place).map(|channel| channel.member_count());
        !self.is_detached(place)
            && self.shows(place)
            && count.is_some_and(|count| self.members_of(place).brings(count))
    }

    /// Somebody may have to come into a channel's room.
    pub(super) fn usher_in(&self, place: usize) {
        if self.brings_everybody(place) {
            self.bridge.usher_in(self.buffers.get(place).row.room);
        }
    }

    /// Somebody is named in a channel, so that their ghost comes into its room.
    pub(super) fn note_named(&mut self, place: usize, nick: &str, ghost: &str) {
        let is_there = self.buffers.get(place).present.contains(nick);
        if self.members_of(place) == Members::None || is_there || self.is_excluded(nick) {
            return;
        }
        let today = self.today();
        let buffer = self.buffers.get_mut(place);
        buffer.present.set(nick, today);
        self.bridge.bring_in_soon(buffer.row.room, ghost);
    }

    /// Somebody spoke in a channel. Returns whether their ghost was there.
    pub(super) fn note_spoken(&mut self, place: usize, nick: &str) -> bool {
        let today = self.today();
        let mapping = self.buffers.mapping();
        let buffer = self.buffers.get_mut(place);
        let before = buffer.present.get(nick);
        if before != Some(today) {
            buffer.present.set(nick, today);
            if before.is_some() {
                // Who comes now, comes with the day.
                self.incoming.spoke.push((buffer.row.room, mapping.fold(nick)));
            }
        }
        before.is_some()
    }

    /// Says who should come into a room. They count as being there from now on, so that they leave when they go.
    pub(super) async fn on_ask(&mut self, ask: Ask) -> Result<(), StoreError> {
        let Ask { room, most, answer } = ask;
        let coming = match self.who_comes(room, most).await {
            Err(error @ (StoreError::Superseded | StoreError::Closed)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a channel's members can't come in yet");
                Vec::new()
            }
            Ok(coming) => coming,
        };
        // Who asked may have gone; then they come when they speak.
        let _ = answer.send(coming);
        Ok(())
    }

    async fn who_comes(&mut self, room: i64, most: usize) -> Result<Vec<Coming>, StoreError> {
        let Some(place) = self.buffers.find_room(room).filter(|place| self.brings_everybody(*place)) else {
            return Ok(Vec::new());
        };
        let (Some(link), Some(channel)) = (&self.link, self.channel_at(place)) else {
            return Ok(Vec::new());
        };
        // The user's own nick is theirs, and so are those of others who are there with their own connections: no ghost of
        // theirs comes, however often it is looked who should.
        let own = self.seat(place).map_or(1, |seat| seat.count().max(1));
        let passed_over = if self.bridge.excludes_ghosts() { MOST_PASSED_OVER } else { 0 };
        let mut nicks = self.buffers.get(place).present.lacking(channel, most + own + passed_over);
        nicks.retain(|nick| !link.session.is_own(nick) && self.person_in_room(place, nick).is_none());
        nicks.retain(|nick| !self.is_excluded(nick));
        nicks.truncate(most);
        if nicks.is_empty() {
            return Ok(Vec::new());
        }
        let network = &self.row.network;
        let mapping: CaseMapping = self.buffers.mapping();
        let new = nicks.iter().map(|nick| NewGhost {
            folded: mapping.fold(nick),
            nick: nick.to_string(),
            user_id: self.bridge.ghost_user_id(network, nick),
        });
        let now = self.bridge.clock.unix_ms();
        let ghosts = self.bridge.store.expect_members(room, network, new.collect(), now).await?;
        let present = &mut self.buffers.get_mut(place).present;
        let mut coming = Vec::with_capacity(ghosts.len());
        for (nick, ghost) in nicks.iter().zip(ghosts) {
            // One that is leaving comes when it has left.
            if let Some(one) = Coming::begin(&self.bridge, room, &ghost.user_id) {
                present.set(nick, NEVER);
                coming.push(one);
            }
        }
        Ok(coming)
    }

    /// Takes out the ghosts of those who are silent, where only those who speak are wanted.
    pub(super) fn tick_members(&mut self) {
        let now = self.now();
        if self.thin_at > now {
            return;
        }
        let mut left = MOST_AT_ONCE;
        for place in 0..self.buffers.len() {
            left -= self.thin(place, left);
        }
        self.thin_at = now + if left == 0 { MORE_THINNING } else { THINNING };
    }

    /// No more than so many; returns how many.
    fn thin(&mut self, place: usize, most: usize) -> usize {
        let Some(count) = self.channel_at(place).map(|channel| channel.member_count()) else { return 0 };
        if self.members_of(place).keeps(count) {
            return 0;
        }
        let today = self.today();
        let buffer = self.buffers.get(place);
        let silent = buffer.present.marked(|mark| is_silent(mark, today), most);
        let channel = buffer.row.name.clone();
        for nick in &silent {
            self.depart(&channel, nick, "Has been silent", None);
        }
        silent.len()
    }

    /// The setting may be another: who is wanted comes, and who is not goes.
    pub(super) fn reconsider_members(&mut self) {
        for place in 0..self.buffers.len() {
            self.usher_in(place);
            self.note_ranks(place);
        }
        self.thin_at = self.now();
    }

    pub(super) async fn members(&mut self, request: MembersRequest) -> Outcome {
        match request {
            MembersRequest::Find { name, room } => {
                let Some(place) = self.buffers.find(&name) else {
                    return Err(Refusal::asked(format!("You have no room for {name}.")));
                };
                // Who asked waits for it.
                let _ = room.send(self.buffers.get(place).row.room);
                Ok(RichText::new())
            }
            MembersRequest::Sync { room } => self.sync_members(room).await,
            MembersRequest::Excluded => {
                self.follow_exclusions();
                Ok(RichText::new())
            }
            MembersRequest::Authority { room, answer } => {
                // Who asked waits for it.
                let _ = answer.send(self.authority_in(room));
                Ok(RichText::new())
            }
            MembersRequest::Shown { most, answer } => {
                // Who asked waits for it, or does no longer.
                if !answer.is_closed() {
                    let _ = answer.send(self.people_shown(most).await?);
                }
                Ok(RichText::new())
            }
            MembersRequest::Ranks { room, shown, answer } => {
                // Who asked waits for it.
                let _ = answer.send(self.ranks_in(room, shown));
                Ok(RichText::new())
            }
        }
    }

    /// Makes a room's members those of its channel, whatever was known of them.
    async fn sync_members(&mut self, room: i64) -> Outcome {
        let Some(place) = self.buffers.find_room(room) else {
            return Err(Refusal::asked("That room is not shown any more."));
        };
        let name = self.buffers.get(place).row.name.clone();
        if !self.shows(place) {
            return Err(Refusal::asked(format!("Somebody else's connection sees to the room of {name}.")));
        }
        let Some(count) = self.channel_at(place).map(|channel| channel.member_count()) else {
            return Err(Refusal::asked(format!("You are not in {name} now.")));
        };
        let there = self.bridge.store.members(room).await?;
        let shown = there.len();
        let present = &mut self.buffers.get_mut(place).present;
        present.clear();
        for member in there {
            present.set(&member.nick, mark(member.spoke_at));
        }
        if let Some(link) = &mut self.link {
            link.session.look_who_is_in(&name);
        }
        let people = if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
        let text = format!("{name} has {people}, and its room has {shown} of them. ");
        let more = match self.members_of(place) {
            members if members.brings(count) => {
                let rate = self.bridge.limits().membership_calls;
                format!(
                    "Those who are missing come in now, at {rate} requests per second, and who has left goes."
                )
            }
            Members::Auto => format!(
                "Of a channel with {SMALL} people or more, those come in who speak or are named; to have all of them, "
            ),
            _ => "Others come in when they speak; to have all of them, ".to_owned(),
        };
        let text = RichText::plain(text + &more);
        if self.members_of(place).brings(count) {
            return Ok(text);
        }
        if self.is_shared(place) {
            return Ok(text.text("ask this bridge's administrator, since the room is not yours alone."));
        }
        let text = text.text("type ");
        Ok(text.code(format!("set {name} members all")).text("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::never(None, 100, true)]
    #[case::today(Some(100), 100, false)]
    #[case::six_days_ago(Some(94), 100, false)]
    #[case::a_week_ago(Some(93), 100, true)]
    #[case::across_the_return(Some(254), 256, false)]
    #[case::long_ago_across_the_return(Some(240), 256, true)]
    fn who_said_nothing_for_a_week_is_silent(
        #[case] day: Option<i64>,
        #[case] today: i64,
        #[case] silent: bool,
    ) {
        let at = |day: i64| mark(Some(day * DAY + 7));
        assert_eq!(is_silent(day.map_or(mark(None), at), at(today)), silent);
    }

    #[rstest]
    #[case::small(Members::Auto, 199, (true, true))]
    #[case::no_longer_small(Members::Auto, 200, (false, true))]
    #[case::large(Members::Auto, 400, (false, false))]
    #[case::all(Members::All, 20_000, (true, true))]
    #[case::active(Members::Active, 3, (false, false))]
    #[case::nobody(Members::None, 3, (false, false))]
    fn who_comes_and_stays_depends_on_how_many_there_are(
        #[case] members: Members,
        #[case] count: usize,
        #[case] brings_and_keeps: (bool, bool),
    ) {
        assert_eq!((members.brings(count), members.keeps(count)), brings_and_keeps);
    }
}
