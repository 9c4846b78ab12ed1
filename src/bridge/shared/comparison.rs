//! Whether who shows a shared room's channel still hears it: those who would be next hold what they hear against what is
//! shown.
//!
//! A connection may be half open, or its server may keep from it what is said (a user mode, `SILENCE`) while its PING is
//! answered. Who hears more asks the session that shows the channel to give that up. It does so itself, when all that it
//! has accepted is stored: at no time two of them show a line. Where each hears what the other does not, the channel
//! changes hands no more often than once in [`REST`], unless the server does not answer.
//!
//! Not what the next one shows then, which is in `session/shared/showing.rs`. Nothing is compared for each line: see
//! `session/shared/heard.rs`.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::watch::{MOST_SAID, Said, Seat, Watch};
use crate::names::CaseMapping;

/// So many of those who would be next compare: the first may be one that hears less, too.
const COMPARING: usize = 2;
/// Who shows a channel has it for so long, whatever others hear, while the server answers.
const REST: Duration = Duration::from_mins(5);
/// One connection may be behind another by so much.
const LONGEST_LAG: Duration = Duration::from_mins(2);

/// What somebody has said who is gone from the room may be heard for so long.
const ON_ITS_WAY: Duration = Duration::from_secs(30);
/// So many of them are remembered.
const MOST_GONE: usize = 200;

/// What a session has to do for a shared room's channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::bridge) enum Duty {
    /// Nothing: it may be needed later.
    #[default]
    Waits,
    /// To see whether all is shown that it hears.
    Compares,
    /// To show it.
    Shows,
    /// To show it, or to let another one do that, who has heard something that is not shown.
    IsAsked,
}

/// What was shown in a room lately, for many lines to be looked for.
pub(in crate::bridge) struct Shown {
    msgids: HashSet<String>,
    /// Lines without their ids, and when each was shown.
    texts: HashMap<(String, String), Vec<Instant>>,
    /// Since when all is known that was shown, where that is not everything.
    since: Option<Instant>,
    last: Option<Instant>,
}

impl Shown {
    pub(in crate::bridge) fn of(lines: &[(Said, Instant)]) -> Self {
        let msgids = lines.iter().filter_map(|(said, _)| said.msgid.clone()).collect();
        let mut texts: HashMap<_, Vec<Instant>> = HashMap::new();
        for (said, at) in lines {
            outlines(said).for_each(|outline| texts.entry(outline).or_default().push(*at));
        }
        let since = lines.first().filter(|_| lines.len() >= MOST_SAID).map(|(_, at)| *at);
        Self { msgids, texts, since, last: lines.last().map(|(_, at)| *at) }
    }

    /// Whether a line is there. By its text, too, where the ids are each bouncer's own: what is said twice is not looked
    /// for.
    pub(in crate::bridge) fn has(&self, said: &Said) -> bool {
        self.has_id(said) || outlines(said).all(|outline| self.texts.contains_key(&outline))
    }

    /// Whether it is there for sure.
    pub(in crate::bridge) fn has_id(&self, said: &Said) -> bool {
        said.msgid.as_ref().is_some_and(|msgid| self.msgids.contains(msgid))
    }

    /// Whether a line is there that was heard then: what was said long before or after is another.
    pub(in crate::bridge) fn has_near(&self, said: &Said, heard_at: Instant) -> bool {
        let is_near = |at: &Instant| *at <= heard_at + LONGEST_LAG && heard_at <= *at + LONGEST_LAG;
        self.has_id(said)
            || outlines(said).all(|outline| self.texts.get(&outline).is_some_and(|at| at.iter().any(is_near)))
    }

    /// Whether a line that was heard then is certainly not there.
    pub(in crate::bridge) fn misses(&self, said: &Said, heard_at: Instant) -> bool {
        let is_known = self.since.is_none_or(|since| since + LONGEST_LAG <= heard_at);
        let is_silent = self.last.is_none_or(|last| last <= heard_at);
        (is_known || is_silent) && !self.has_near(said, heard_at)
    }
}

/// A message line by line, as two connections have it alike: one may take several lines as one message, and what is not
/// UTF-8 is read as each user wants it.
fn outlines(said: &Said) -> impl Iterator<Item = (String, String)> {
    said.text.split('\n').map(|line| {
        let mut outline: String = line.chars().filter(char::is_ascii).collect();
        let others = line.chars().filter(|c| !c.is_ascii()).count();
        if others > 0 {
            outline.push('\n');
            outline += &others.to_string();
        }
        (said.nick.clone(), outline)
    })
}

impl Watch {
    /// Somebody goes from the room.
    pub(super) fn note_gone(&mut self, nick: Box<str>, now: Instant) {
        if self.gone.len() >= MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((nick, now));
    }
}

impl Seat {
    /// Whether somebody was in the room when something was heard that they said, or is there now: who shows the channel may
    /// have heard it as theirs.
    pub(in crate::bridge) fn was_person(
        &self,
        nick: &str,
        mapping: CaseMapping,
        heard_at: Instant,
        now: Instant,
    ) -> bool {
        let was_there = |(gone, at): &(Box<str>, Instant)| {
            heard_at < *at + ON_ITS_WAY && *at < heard_at + ON_ITS_WAY && mapping.same(gone, nick)
        };
        self.person(nick, mapping, now).is_some() || self.with(|watch| watch.gone.iter().any(was_there))
    }

    /// What this session has to do.
    pub(in crate::bridge) fn duty(&self) -> Duty {
        self.with(|watch| {
            let own = watch.sitting.get(&self.session).filter(|own| own.number == self.number);
            let Some((own, since)) = own.and_then(|own| Some((own, own.since?))) else { return Duty::Waits };
            let before = watch.sitting.values().filter(|one| one.since.is_some_and(|other| other < since));
            match before.take(COMPARING + 1).count() {
                0 if own.asked.is_some() => Duty::IsAsked,
                0 => Duty::Shows,
                1..=COMPARING => Duty::Compares,
                _ => Duty::Waits,
            }
        })
    }

    /// Has who shows the channel see whether their server is still there. Gives the number of that session.
    pub(in crate::bridge) fn probe_observer(&self) -> Option<i64> {
        let observer = self.bridge.watches.observer(self.room)?;
        self.bridge.session(observer)?.probe();
        Some(observer)
    }

    /// Asks this session, which shows the channel, to let one do that who has heard this line.
    pub(in crate::bridge) fn ask_for_channel(&self, observer: i64, missing: Said) {
        let is_it = self.with(|watch| {
            let is_other = observer != self.session && watch.observer() == Some(observer);
            let asked = watch.sitting.get_mut(&observer).filter(|_| is_other);
            asked.is_some_and(|one| one.asked.replace((self.session, missing)).is_none())
        });
        self.wake(Some(observer).filter(|_| is_it));
    }

    /// Lets another one show the channel, as this session was asked to. Returns whether it does.
    pub(in crate::bridge) fn give_way(
        &self,
        heard_until: Option<i64>,
        is_in_doubt: bool,
        now: Instant,
    ) -> bool {
        let next = self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session).filter(|own| own.number == self.number)?;
            let (next, missing) = own.asked.take()?;
            let has_rested = |at| now.saturating_duration_since(at) >= REST;
            let may_change = is_in_doubt || watch.handed_on.is_none_or(has_rested);
            // It may only have been busy, and have shown it meanwhile.
            if !may_change || Shown::of(watch.shown.make_contiguous()).has(&missing) {
                return None;
            }
            // Whoever is between the two may hear no more than this one.
            let came = watch.sitting.get(&next)?.since?;
            let mut before: Vec<&mut u64> =
                watch.sitting.values_mut().filter_map(|one| one.since.as_mut()).collect();
            before.retain(|since| **since < came);
            before.sort_unstable();
            for since in before {
                watch.count += 1;
                *since = watch.count;
            }
            watch.handed_on = Some(now);
            if let Some(hole) = watch.hole_behind(self.session, heard_until) {
                self.bridge.watches.note_hole(self.room, hole);
            }
            Some(next)
        });
        self.wake(next);
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn said(words: &str) -> Said {
        let (text, msgid) = words.split_once('@').map_or((words, None), |(text, id)| (text, Some(id.into())));
        Said { msgid, nick: "bob".into(), text: text.into() }
    }

    #[rstest]
    #[case::it_is_there("one", &["one", "two"], true)]
    #[case::it_is_not("three", &["one", "two"], false)]
    #[case::by_its_id("one@1", &["another@1"], true)]
    #[case::the_ids_are_each_bouncers_own("one@1", &["one@2"], true)]
    #[case::another_connection_has_no_ids("one@1", &["one"], true)]
    #[case::a_line_of_several("two", &["one\ntwo@1"], true)]
    #[case::several_lines_as_one("one\ntwo", &["one@1", "two"], true)]
    #[case::of_several_lines_one_is_not("one\ntwo", &["one"], false)]
    #[case::in_another_charset("f\u{fc}nf", &["f\u{44c}nf"], true)]
    #[case::in_another_alphabet("\u{434}\u{430}", &["\u{43d}\u{435}\u{442}"], false)]
    fn a_line_is_found_however_another_connection_has_it(
        #[case] heard: &str,
        #[case] shown: &[&str],
        #[case] is_found: bool,
    ) {
        let shown: Vec<(Said, Instant)> = shown.iter().map(|words| (said(words), now())).collect();
        assert_eq!(Shown::of(&shown).has(&said(heard)), is_found);
    }

    #[rstest]
    #[case::few_were_shown(3, 0, 0, true)]
    #[case::what_was_shown_then_is_known(MOST_SAID, 0, 180, true)]
    #[case::it_may_have_been_shown_and_forgotten(MOST_SAID, 0, 60, false)]
    #[case::nothing_was_shown_since(MOST_SAID, 0, 100, true)]
    fn a_line_is_missing_only_where_what_was_shown_then_is_known(
        #[case] count: usize,
        #[case] first: u64,
        #[case] heard: u64,
        #[case] is_missing: bool,
    ) {
        let start = now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut shown = vec![(said("other"), at(first)); count];
        shown.last_mut().unwrap().1 = at(90);
        assert_eq!(Shown::of(&shown).misses(&said("one"), at(heard)), is_missing);
    }

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn now() -> Instant {
        Instant::now()
    }
}
