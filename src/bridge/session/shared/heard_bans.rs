//! Bans that were set in a channel while another session showed it: kept for a while in case this one takes over, since the one
//! before may have heard nothing of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::irc::isupport::Isupport;
use crate::irc::lists::Identity;

/// So many are kept, …
const MOST: usize = 50;
/// … for so long: longer than a connection can hang before it is given up.
const KEPT: Duration = Duration::from_mins(10);

/// A ban that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct HeardBan {
    /// Who set it.
    pub(in super::super) by: String,
    /// The mode.
    pub(in super::super) letter: char,
    pub(in super::super) entry: String,
}

/// Those that stand, the oldest first.
#[derive(Debug, Default)]
pub(in super::super) struct HeardBans(VecDeque<(Instant, HeardBan)>);

impl HeardBans {
    pub(in super::super) fn add(&mut self, ban: HeardBan, now: Instant) {
        self.lift(ban.letter, &ban.entry);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((now, ban));
    }

    /// One was taken back.
    pub(in super::super) fn lift(&mut self, letter: char, entry: &str) {
        self.0.retain(|(_, ban)| (ban.letter, ban.entry.as_str()) != (letter, entry));
    }

    /// Somebody was let in: those that are about them do not keep them out.
    pub(in super::super) fn let_in(&mut self, who: &Identity, isupport: &Isupport) {
        self.0.retain(|(_, ban)| !who.is_meant_by(&ban.entry, isupport));
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the last minutes; nothing of it is needed any more.
    pub(in super::super) fn take(&mut self, now: Instant) -> Vec<HeardBan> {
        let heard = std::mem::take(&mut self.0).into_iter();
        let recent = |(at, _): &(Instant, HeardBan)| now.saturating_duration_since(*at) < KEPT;
        heard.filter(recent).map(|(_, ban)| ban).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use rstest::rstest;

    fn ban(entry: &str) -> HeardBan {
        HeardBan { by: "bob".into(), letter: 'b', entry: entry.into() }
    }

    #[rstest]
    #[case::stands(|_: &mut HeardBans, _: Instant| {}, true)]
    #[case::taken_back(|bans: &mut HeardBans, _: Instant| bans.lift('b', "carol!*@*"), false)]
    #[case::another_list(|bans: &mut HeardBans, _: Instant| bans.lift('q', "carol!*@*"), true)]
    #[case::let_in_all_the_same(|bans: &mut HeardBans, _: Instant| {
        let carol = Identity { nick: "Carol".into(), user: "c".into(), host: "h".into(), account: None };
        bans.let_in(&carol, &Isupport::default());
    }, false)]
    #[case::somebody_else_let_in(|bans: &mut HeardBans, _: Instant| {
        bans.let_in(&Identity { nick: "dan".into(), ..Identity::default() }, &Isupport::default());
    }, true)]
    fn a_ban_is_kept_as_long_as_it_stands_and_keeps_out(
        #[case] then: fn(&mut HeardBans, Instant),
        #[case] is_kept: bool,
    ) {
        let (mut bans, now) = (HeardBans::default(), SystemClock.now());
        bans.add(ban("carol!*@*"), now);
        then(&mut bans, now);
        assert_eq!(bans.take(now), if is_kept { vec![ban("carol!*@*")] } else { Vec::new() });
        assert!(bans.is_empty());
    }

    #[test]
    fn invariant_9_so_many_are_kept_each_once_and_not_for_ever() {
        let (mut bans, now) = (HeardBans::default(), SystemClock.now());
        for number in 0..3 * MOST {
            bans.add(ban(&format!("n{number}!*@*")), now);
            bans.add(ban("again!*@*"), now);
        }
        assert_eq!(bans.0.len(), MOST);
        bans.add(ban("last!*@*"), now + KEPT);
        assert_eq!(bans.take(now + KEPT), [ban("last!*@*")]);
    }
}
