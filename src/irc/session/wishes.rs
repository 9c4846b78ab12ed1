//! The channels that the user wants to be in, and what stands in the way of those that we are not in.
//!
//! Wanted and joined are two things. A wish is the user's, or comes of a join that somebody else made us do; only
//! the user and a forced `PART` end it. Whether we are in the channel the server says
//! ([`Channels`](crate::irc::channels::Channels)). Where both differ there is an [`Obstacle`], with the server's
//! reason and with what it takes to try again:
//!
//! | state | `obstacle` | `retry_at` |
//! |---|---|---|
//! | asked for, no answer yet | – | when a silent server is asked again |
//! | in it | – | – |
//! | kept out, and time may help | yes | the next try |
//! | kept out until the user, an invitation, a login, … changes something | yes | – |
//!
//! Nobody is hammered at: waits double, and a channel that throws us out twice is left alone.
//!
//! Invariant 9: wishes are bounded ([`MOST_WISHES`]).
//!
//! Spec: modern IRC docs "JOIN message"; RFC 2811 section 3 (`!` channels).

use std::time::{Duration, Instant};

use crate::irc::numerics::{
    ERR_BADCHANMASK, ERR_BADCHANNAME, ERR_BADCHANNELKEY, ERR_BANNEDFROMCHAN, ERR_CHANNELISFULL,
    ERR_DELAYREJOIN, ERR_INVITEONLYCHAN, ERR_LINKCHANNEL, ERR_NEEDREGGEDNICK, ERR_NOSUCHCHANNEL,
    ERR_OPERONLY, ERR_SECUREONLYCHAN, ERR_TARGETTOOFAST, ERR_THROTTLE, ERR_TOOMANYCHANNELS,
    ERR_UNAVAILRESOURCE,
};
use crate::irc::random::Jitter;
use crate::names::{CaseMap, CaseMapping, Channel, Key};

/// More wanted channels than any network lets one user enter.
pub(super) const MOST_WISHES: usize = 4096;

/// Bytes of a reason that are kept; no server's own words are longer than its lines.
const LONGEST_REASON: usize = 400;

/// Raw joins with keys that may be under way.
const MOST_NOTED: usize = 64;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// A JOIN may wait so long behind others for flood control, and a server may forget one.
const UNANSWERED: Duration = Duration::from_mins(10);
/// After a KICK: not at once, which is rude, and often answered by a ban.
const AFTER_KICK: Duration = MINUTE;
/// A second KICK within this time says that we are not to come back.
const FORGIVEN: Duration = HOUR;

/// What makes it worthwhile to try again, besides time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An invitation to the channel.
    Invitation,
    /// A login with services.
    Login,
    /// The right key.
    Key,
    /// That another channel is left.
    Place,
}

/// When a channel is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// In how long; none: time alone will not help.
    pub after: Option<Duration>,
    /// What makes it worthwhile earlier.
    pub on: &'static [Trigger],
}

/// Why we are not in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The numeric; 0 for a KICK.
    pub code: u16,
    /// The server's words, or those of who threw us out.
    pub reason: String,
    /// Since when.
    pub since: Instant,
    /// When it is tried again.
    pub retry_at: Option<Instant>,
    /// What makes it worthwhile earlier.
    pub retry_on: &'static [Trigger],
}

/// How we stand with a channel that the user wants to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// We are in it.
    Joined,
    /// The server was asked, or will be, and has not answered.
    Asked,
    /// It does not let us in.
    Blocked(&'a Obstacle),
}

/// The first wait and the longest, and what else helps.
pub(super) struct Policy {
    pub(super) waits: Option<(Duration, Duration)>,
    pub(super) on: &'static [Trigger],
}

/// What a refusal asks for. Where modes may change without a word to us, it is tried again once in a while.
pub(super) fn policy(code: u16, reason: &str) -> Policy {
    let says = |words: &[&str]| {
        let reason = reason.to_ascii_lowercase();
        words.iter().any(|word| reason.contains(word))
    };
    let (waits, on): (_, &[Trigger]) = match code {
        // The name is wrong, and stays so; or the way in is none that this connection could ever have.
        ERR_NOSUCHCHANNEL | ERR_BADCHANMASK | ERR_BADCHANNAME | ERR_SECUREONLYCHAN | ERR_OPERONLY => {
            (None, &[])
        }
        // 480 is a throttle on Solanum and a demand for TLS on others.
        ERR_THROTTLE if says(&["ssl", "tls", "secure", "(+s)"]) => (None, &[]),
        ERR_THROTTLE | ERR_DELAYREJOIN => (Some((MINUTE / 2, MINUTE * 10)), &[]),
        ERR_TARGETTOOFAST => (Some((MINUTE * 2, MINUTE * 10)), &[]),
        ERR_TOOMANYCHANNELS => (Some((HOUR / 2, HOUR * 6)), &[Trigger::Place]),
        ERR_UNAVAILRESOURCE | ERR_CHANNELISFULL => (Some((MINUTE, MINUTE * 30)), &[]),
        ERR_LINKCHANNEL => (Some((HOUR, HOUR * 6)), &[Trigger::Login]),
        ERR_INVITEONLYCHAN => (Some((HOUR, HOUR * 6)), &[Trigger::Invitation]),
        ERR_BANNEDFROMCHAN => (Some((MINUTE * 10, HOUR * 6)), &[Trigger::Login]),
        ERR_BADCHANNELKEY => (Some((HOUR, HOUR * 6)), &[Trigger::Key]),
        // Not every server tells of a login.
        ERR_NEEDREGGEDNICK => (Some((MINUTE * 5, HOUR)), &[Trigger::Login]),
        _ => (Some((MINUTE * 5, HOUR)), &[]),
    };
    Policy { waits, on }
}

/// A channel that the user wants to be in.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) channel: Channel,
    pub(super) key: Option<Key>,
    /// Lower goes first.
    rank: usize,
    obstacle: Option<Obstacle>,
    retry_at: Option<Instant>,
    /// Tries since we were last in it, or the user last asked.
    tries: u32,
    /// Times that it was asked for since the server last said something about it.
    unanswered: u32,
    kicked_at: Option<Instant>,
    /// Where the channel has sent us instead.
    leads_to: Option<Channel>,
}

/// All wishes of a session.
#[derive(Debug)]
pub(super) struct Wishes {
    map: CaseMap<Wish>,
    ranked: usize,
    /// The keys of joins that the user has typed as raw lines.
    noted: CaseMap<Key>,
    /// Channels that the user has left before the server let us in: until when that counts, and what they said at it.
    leaving: CaseMap<(Instant, String)>,
}

impl Default for Wishes {
    /// Until the server has said how it compares names, by what merges least: of two channels that are one, both are asked
    /// for; of two that were taken for one, the other would be forgotten.
    fn default() -> Self {
        let mapping = CaseMapping::Ascii;
        let (map, noted, leaving) = (CaseMap::new(mapping), CaseMap::new(mapping), CaseMap::new(mapping));
        Self { map, ranked: 0, noted, leaving }
    }
}

impl Wishes {
    pub(super) fn mapping(&self) -> CaseMapping {
        self.map.mapping()
    }

    /// Folds all names anew; from the names as they were written, since folding can't be undone.
    pub(super) fn set_mapping(&mut self, mapping: CaseMapping) {
        let old = std::mem::replace(&mut self.map, CaseMap::new(mapping));
        for wish in old.values() {
            self.map.insert(wish.channel.as_str(), wish.clone());
        }
        self.noted.set_mapping(mapping);
        self.leaving.set_mapping(mapping);
    }

    /// A key that the user tries without telling us more.
    pub(super) fn note_key(&mut self, channel: &str, key: Key) {
        if self.noted.len() >= MOST_NOTED {
            self.noted.clear();
        }
        self.noted.insert(channel, key);
    }

    /// The user wants it: whatever stood in the way is to be tried anew. Without a key the one that is known stays.
    pub(super) fn want(&mut self, channel: Channel, key: Option<Key>) {
        let name = channel.as_str().to_owned();
        self.leaving.remove(&name);
        let known = self.map.get(&name);
        if self.map.len() >= MOST_WISHES && known.is_none() {
            return;
        }
        let rank = known.map_or(self.ranked, |wish| wish.rank);
        self.ranked = self.ranked.max(rank + 1);
        let key = key.or_else(|| known?.key.clone());
        self.map.insert(
            &name,
            Wish {
                channel,
                key,
                rank,
                obstacle: None,
                retry_at: None,
                tries: 0,
                unanswered: 0,
                kicked_at: None,
                leads_to: None,
            },
        );
    }

    /// The user no longer wants it. Returns whether a JOIN for it is on its way.
    pub(super) fn forget(&mut self, channel: &str) -> bool {
        self.leaving.remove(channel);
        self.map.remove(channel).is_some_and(|wish| wish.unanswered > 0)
    }

    /// The user has left it while the server was asked to let us in: as soon as we are in, we are out again.
    pub(super) fn leave_when_in(&mut self, channel: &str, reason: &str, now: Instant) {
        if self.leaving.len() >= MOST_NOTED {
            self.leaving.clear();
        }
        self.leaving.insert(channel, (now + UNANSWERED, brief(reason)));
    }

    /// With which reason a channel is to be left that we have just entered, by whatever name it was asked for.
    pub(super) fn leaving(&mut self, channel: &str, limit: usize, now: Instant) -> Option<String> {
        let mapping = self.mapping();
        let asked = self.leaving.iter().map(|(name, _)| name).find(|name| {
            mapping.same(name, channel)
                || is_short_for(name, channel, mapping)
                || is_cut_to(name, channel, limit, mapping)
        });
        let asked = asked?.to_owned();
        let (until, reason) = self.leaving.remove(&asked)?;
        if now >= until {
            return None;
        }
        self.leaving.insert(channel, (until, reason.clone()));
        Some(reason)
    }

    /// Whether a channel, by the server's name for it, is to be left.
    pub(super) fn is_leaving(&self, channel: &str) -> bool {
        self.leaving.contains(channel)
    }

    /// A channel that is to be left does not let us in. Where it sends us on, that is to be left.
    pub(super) fn refused_leaving(&mut self, channel: &str, forward: Option<&str>) -> bool {
        let Some((until, reason)) = self.leaving.remove(channel) else { return false };
        if let Some(forward) = forward {
            self.leaving.insert(forward, (until, reason));
        }
        true
    }

    /// The user has typed a `JOIN` themselves: whatever they said before, they want to be in it.
    pub(super) fn stay(&mut self, channel: &str) {
        self.leaving.remove(channel);
    }

    /// The channel has sent us to another one.
    pub(super) fn forwarded(&mut self, channel: &str, other: &str) {
        if let Some(wish) = self.map.get_mut(channel) {
            wish.leads_to = Channel::new(other).ok();
        }
    }

    /// The wishes that have led to this channel: each new try would lead there again.
    pub(super) fn leading_to(&self, other: &str) -> Vec<Channel> {
        let same = |channel: &Channel| self.map.mapping().same(channel.as_str(), other);
        self.names(|wish| wish.leads_to.as_ref().is_some_and(same))
    }

    /// Whether an answer is waited for.
    pub(super) fn is_asked(&self, channel: &str) -> bool {
        self.map.get(channel).is_some_and(|wish| wish.unanswered > 0)
    }

    /// The wish for a longer name, which the server has cut to this one.
    pub(super) fn by_cut_name(&self, channel: &str, limit: usize) -> Option<Channel> {
        let cut = |wish: &&Wish| {
            wish.unanswered > 0 && is_cut_to(wish.channel.as_str(), channel, limit, self.mapping())
        };
        self.map.values().find(cut).map(|wish| wish.channel.clone())
    }

    /// How many channels keep us out.
    pub(super) fn blocked(&self) -> usize {
        self.map.values().filter(|wish| wish.obstacle.is_some()).count()
    }

    pub(super) fn get(&self, channel: &str) -> Option<&Wish> {
        self.map.get(channel)
    }

    /// Names of all wishes for which this holds, those that came first before the others.
    pub(super) fn names(&self, holds: impl Fn(&Wish) -> bool) -> Vec<Channel> {
        let mut found: Vec<&Wish> = self.map.values().filter(|wish| holds(wish)).collect();
        found.sort_by_key(|wish| wish.rank);
        found.into_iter().map(|wish| wish.channel.clone()).collect()
    }

    /// How each stands, by name; `is_in` says whether we are in a channel.
    pub(super) fn standings(
        &self,
        is_in: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&Channel, Standing<'_>)> {
        self.map.values().map(move |wish| {
            let standing = match &wish.obstacle {
                _ if is_in(wish.channel.as_str()) => Standing::Joined,
                Some(obstacle) => Standing::Blocked(obstacle),
                None => Standing::Asked,
            };
            (&wish.channel, standing)
        })
    }

    /// Those that keep us out.
    pub(super) fn kept_out(&self) -> Vec<Channel> {
        self.names(|wish| wish.obstacle.is_some())
    }

    /// The next try.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.map.values().filter_map(|wish| wish.retry_at).min()
    }

    /// Those whose time has come.
    pub(super) fn due(&self, now: Instant) -> Vec<Channel> {
        self.names(|wish| wish.retry_at.is_some_and(|at| at <= now))
    }

    /// Those that this may help.
    pub(super) fn waiting_for(&self, trigger: Trigger) -> Vec<Channel> {
        self.names(|wish| wish.obstacle.as_ref().is_some_and(|obstacle| obstacle.retry_on.contains(&trigger)))
    }

    /// It is asked for now: without an answer it is asked for again, ever later.
    pub(super) fn asked(&mut self, channel: &str, now: Instant, jitter: &mut Jitter) {
        if let Some(wish) = self.map.get_mut(channel) {
            let wait = UNANSWERED.saturating_mul(1 << wish.unanswered.min(4));
            wish.unanswered = wish.unanswered.saturating_add(1);
            wish.retry_at = Some(now + jitter.around(wait));
            if let Some(obstacle) = &mut wish.obstacle {
                obstacle.retry_at = wish.retry_at;
            }
        }
    }

    /// We are in it. Returns the key that opened it, if that is news.
    pub(super) fn joined(&mut self, channel: &str) -> Option<Key> {
        let noted = self.noted.remove(channel);
        let wish = self.map.get_mut(channel)?;
        (wish.obstacle, wish.retry_at, wish.tries, wish.unanswered) = (None, None, 0, 0);
        noted.filter(|key| self.learn_key(channel, key))
    }

    /// A channel has this key now. Returns whether that is news. That it has none any more is not kept: a key too
    /// many keeps nobody out, and it may come back.
    pub(super) fn learn_key(&mut self, channel: &str, key: &Key) -> bool {
        let wish = self.map.get_mut(channel).filter(|wish| wish.key.as_ref() != Some(key));
        wish.map(|wish| wish.key = Some(key.clone())).is_some()
    }

    /// It did not let us in. Returns when it is tried again, and whether that is news.
    pub(super) fn refused(
        &mut self,
        channel: &str,
        (code, reason): (u16, &str),
        now: Instant,
        jitter: &mut Jitter,
    ) -> (Retry, bool) {
        let Policy { waits, on } = policy(code, reason);
        let Some(wish) = self.map.get_mut(channel) else {
            return (Retry { after: None, on: &[] }, true);
        };
        let same = wish.obstacle.take_if(|obstacle| obstacle.code == code);
        if same.is_none() {
            wish.tries = 0;
        }
        let after = waits.map(|(first, longest)| {
            jitter.around(first.saturating_mul(1 << wish.tries.min(16)).min(longest))
        });
        wish.tries = wish.tries.saturating_add(1);
        wish.unanswered = 0;
        wish.retry_at = after.map(|after| now + after);
        let since = same.as_ref().map_or(now, |obstacle| obstacle.since);
        let obstacle = Obstacle { code, reason: brief(reason), since, retry_at: wish.retry_at, retry_on: on };
        wish.obstacle = Some(obstacle);
        (Retry { after, on }, same.is_none())
    }

    /// Somebody threw us out: we go back once.
    pub(super) fn kicked(
        &mut self,
        channel: &str,
        reason: &str,
        now: Instant,
        jitter: &mut Jitter,
    ) -> Option<Duration> {
        let wish = self.map.get_mut(channel)?;
        let before = wish.kicked_at.replace(now);
        let is_first = before.is_none_or(|before| now.saturating_duration_since(before) >= FORGIVEN);
        let after = is_first.then(|| jitter.around(AFTER_KICK));
        wish.retry_at = after.map(|after| now + after);
        wish.tries = 0;
        wish.obstacle = Some(Obstacle {
            code: 0,
            reason: brief(reason),
            since: now,
            retry_at: wish.retry_at,
            retry_on: &[Trigger::Invitation],
        });
        after
    }

    /// The user does not want to go back by themselves after a KICK.
    pub(super) fn stay_out(&mut self, channel: &str) {
        if let Some(wish) = self.map.get_mut(channel) {
            wish.retry_at = None;
            if let Some(obstacle) = &mut wish.obstacle {
                obstacle.retry_at = None;
            }
        }
    }

    /// A wish under another name: the server's own one for it.
    pub(super) fn rename(&mut self, from: &str, to: Channel) {
        if let Some(mut wish) = self.map.remove(from) {
            let name = to.as_str().to_owned();
            wish.channel = to;
            self.map.insert(&name, wish);
        }
    }

    /// The wish that a channel of `IRCnet`'s kind fulfils: `!ABCDEname` is what the server makes of `!name` and
    /// `!!name`.
    pub(super) fn by_short_name(&self, full: &str) -> Option<Channel> {
        let fits = |wish: &&Wish| is_short_for(wish.channel.as_str(), full, self.mapping());
        self.map.values().find(fits).map(|wish| wish.channel.clone())
    }
}

/// Whether a channel of `IRCnet`'s kind is meant by this name.
fn is_short_for(name: &str, full: &str, mapping: CaseMapping) -> bool {
    let short = short_name(full);
    name.starts_with('!') && short.is_some_and(|short| mapping.same(name.trim_start_matches('!'), short))
}

/// Whether a channel's name is what a server that takes so many bytes leaves of this one.
fn is_cut_to(name: &str, channel: &str, limit: usize, mapping: CaseMapping) -> bool {
    let start = name.get(..channel.len()).filter(|_| name.len() > channel.len());
    channel.len() == limit && start.is_some_and(|start| mapping.same(start, channel))
}

/// As much of a reason as is kept for as long as it holds.
fn brief(reason: &str) -> String {
    reason[..reason.floor_char_boundary(LONGEST_REASON)].to_owned()
}

/// What follows the five characters that a server puts behind the `!` of a channel.
pub(super) fn short_name(full: &str) -> Option<&str> {
    let (id, short) = full.strip_prefix('!')?.split_at_checked(5)?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (is_id && !short.is_empty()).then_some(short)
}
