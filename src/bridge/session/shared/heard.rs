//! What a session hears of a shared room's channel that another one shows: in case it takes over, and to see that the
//! other one hears less (`bridge/shared/comparison.rs`).
//!
//! A line is put into a ring, and no more is done for it. Those who would be next look from time to time what of that is
//! not shown; what was dropped before it was shown is told in the room. Invariant 9: so many lines, [`MOST_HEARD`].

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::super::super::shared::{Found, Hole, LONGEST_LAG, Missing, Said, Shown, Trace};
use super::super::Actor;
use super::super::shown::Line;
use super::Role;
use crate::names::CaseMapping;

/// So many lines are remembered that another session shows.
const MOST_HEARD: usize = 500;
/// What is heard is shown by then, and whether the server is there is known by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the one before has shown comes by then, if it comes at all: after that it may be said again, where no id tells. What is
/// shown twice is seen, what is left out is not.
const BEHIND: Duration = Duration::from_secs(30);

/// What is known of a line that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nobody has looked.
    Unknown,
    /// It is shown.
    Shown,
    /// Somebody in the room has said it there.
    Own,
    /// It is not shown.
    Missing,
}

/// A line that was heard.
struct HeardLine {
    line: Line,
    at: Instant,
    fate: Fate,
}

impl HeardLine {
    fn said(&self, mapping: CaseMapping) -> Said {
        let nick = mapping.fold(&self.line.from.nick);
        Said { msgid: self.line.msgid.clone(), nick, text: self.line.text.clone() }
    }
}

/// Somebody shows less than is heard.
#[derive(Clone, Copy)]
struct Doubt {
    observer: i64,
    since: Instant,
}

/// The last lines that were heard.
#[derive(Default)]
pub(super) struct Ring {
    /// Since when all is in it that is heard and not shown.
    since: Option<Instant>,
    lines: VecDeque<HeardLine>,
    /// The last that was dropped.
    dropped: Option<HeardLine>,
    /// When those were heard that were dropped and not shown: from the first to the last.
    lost: Option<(Instant, Instant)>,
    doubt: Option<Doubt>,
    /// What the one before has shown that is not heard yet, and when: the session that shows the channel now was behind.
    ahead: Vec<(Said, Instant)>,
    /// Until when one of these is known by its text.
    behind_until: Option<Instant>,
    /// This session is to see whether all of it is shown.
    compares: bool,
    compare_at: Option<Instant>,
}

/// What is to be shown of what was heard.
pub(super) struct Unshown {
    pub(super) lines: Vec<Line>,
    /// Before these were heard, more was that is not kept: from when to when.
    pub(super) lost: Option<(Instant, Instant)>,
}

impl Ring {
    /// What is heard from now on is put in.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(super) fn add(&mut self, line: Line, now: Instant) {
        self.lines.push_back(HeardLine { line, at: now, fate: Fate::Unknown });
        if self.lines.len() > MOST_HEARD
            && let Some(dropped) = self.lines.pop_front()
        {
            if dropped.fate == Fate::Missing {
                let from = self.lost.map_or(dropped.at, |(from, _)| from);
                self.lost = Some((from, dropped.at));
            }
            self.dropped = Some(dropped);
        }
        if self.compares {
            self.compare_at = self.compare_at.or(Some(now + PATIENCE));
        }
    }

    /// A line was taken back: it is not shown later.
    pub(super) fn forget(&mut self, msgid: &str) {
        self.lines.retain(|one| one.line.msgid.as_deref() != Some(msgid));
    }

    /// Whether this session is to see whether all is shown.
    pub(super) fn set_comparing(&mut self, compares: bool, now: Instant) {
        if self.compares != compares {
            self.compares = compares;
            self.doubt = None;
            self.compare_at = (compares && !self.lines.is_empty()).then_some(now + PATIENCE);
        }
    }

    /// When that is to be looked at.
    pub(super) fn compare_at(&self) -> Option<Instant> {
        self.compare_at
    }

    /// Looks which lines are missing that are to be shown by now; gives the first, and when it was heard.
    fn compare(
        &mut self,
        shown: &Shown,
        mapping: CaseMapping,
        is_in_room: impl Fn(&str, Instant) -> bool,
        now: Instant,
    ) -> Option<(Said, Instant)> {
        let mut missing = None;
        self.compare_at = None;
        let is_ripe = |one: &HeardLine| one.at + PATIENCE <= now;
        for one in self.lines.iter_mut().filter(|one| one.fate == Fate::Unknown && is_ripe(one)) {
            // What those say who were in the room when another heard it is not shown there; who came later was not.
            if is_in_room(&one.line.from.nick, one.at) {
                one.fate = Fate::Own;
            }
        }
        // Also what is known to be shown: what is said again is not found in its place.
        let others = self.lines.iter_mut().filter(|one| one.fate != Fate::Own);
        let others: Vec<(&mut HeardLine, Said)> = others
            .map(|one| {
                let said = one.said(mapping);
                (one, said)
            })
            .collect();
        let heard: Vec<(&Said, Instant)> = others.iter().map(|(one, said)| (said, one.at)).collect();
        let traces = shown.find(&heard, self.since).traces;
        for ((one, said), trace) in others.into_iter().zip(traces) {
            if !is_ripe(one) {
                self.compare_at = Some(one.at + PATIENCE);
                break;
            }
            one.fate = match one.fate {
                _ if trace.is_some() => Fate::Shown,
                Fate::Unknown if shown.knows(one.at) => Fate::Missing,
                // Nobody can tell, or it was seen before.
                fate => fate,
            };
            if one.fate == Fate::Missing && missing.is_none() {
                missing = Some((said, one.at));
            }
        }
        if missing.is_some() {
            self.compare_at = Some(now + PATIENCE);
        } else {
            // Another one has taken over meanwhile, and has told it.
            self.lost = None;
        }
        missing
    }

    /// What is to be shown, where these lines were shown last.
    ///
    /// That is what is certainly not there, and all behind the run by which it is known where this session stands that is
    /// not found there. Either connection may have heard what the other has not.
    pub(super) fn take_unshown(
        &mut self,
        shown: &[(Said, Instant)],
        mapping: CaseMapping,
        is_in_room: impl Fn(&str, Instant) -> bool,
        now: Instant,
    ) -> Unshown {
        let Self { lines, dropped, mut lost, since, .. } = std::mem::take(self);
        let is_dropped = dropped.is_some();
        let mut heard: Vec<(HeardLine, Said)> = dropped
            .into_iter()
            .chain(lines)
            .map(|mut one| {
                if one.fate == Fate::Unknown && is_in_room(&one.line.from.nick, one.at) {
                    one.fate = Fate::Own;
                }
                let said = one.said(mapping);
                (one, said)
            })
            .collect();
        let lately = Shown::of(shown);
        let others = heard.iter().filter(|(one, _)| one.fate != Fate::Own);
        let others: Vec<(&Said, Instant)> = others.map(|(one, said)| (said, one.at)).collect();
        let Found { traces, until } = lately.find(&others, since);
        if until > 0 {
            self.ahead = shown[until..].to_vec();
            self.behind_until = Some(now + BEHIND);
        }
        // Found by their text alone, and nobody has looked before: the one that was shown may be another.
        let mut may_be_shown = HashSet::new();
        let others = heard.iter_mut().enumerate().filter(|(_, (one, _))| one.fate != Fate::Own);
        for ((place, (one, _)), trace) in others.zip(traces) {
            match (one.fate, trace) {
                (_, Some(Trace::Id)) | (Fate::Missing, Some(Trace::Text)) => one.fate = Fate::Shown,
                (_, Some(Trace::Text)) => {
                    may_be_shown.insert(place);
                }
                (Fate::Unknown, None) if lately.knows(one.at) => one.fate = Fate::Missing,
                (_, None) => {}
            }
        }
        // What is not there parts no run of what is.
        let is_there = |one: &HeardLine| matches!(one.fate, Fate::Unknown | Fate::Shown);
        let whole = heard.iter().enumerate().filter(|(_, (one, _))| is_there(one));
        let (places, whole): (Vec<usize>, Vec<Said>) =
            whole.map(|(place, (_, said))| (place, said.clone())).unzip();
        let said: Vec<Said> = shown.iter().map(|(said, _)| said.clone()).collect();
        let known = Said::shown_of(&whole, &said).checked_sub(1).map(|last| places[last]);
        if let Some((dropped, _)) = heard.first().filter(|_| is_dropped && known.is_none())
            && dropped.fate == Fate::Missing
        {
            // Not since what was shown last, or longer.
            let last = shown.last().map_or(dropped.at, |(_, at)| *at).min(dropped.at);
            lost = Some((lost.map_or(last, |(from, _)| from.min(last)), dropped.at));
        }
        let unshown = heard.into_iter().enumerate().skip(usize::from(is_dropped));
        let unshown = unshown.filter(|(place, (one, _))| match one.fate {
            Fate::Own | Fate::Shown => false,
            Fate::Missing => true,
            // Somebody may say the same again; of what is older than that it would have been seen.
            Fate::Unknown if may_be_shown.contains(place) && now > one.at + 2 * PATIENCE => false,
            Fate::Unknown => known.is_some_and(|known| *place > known),
        });
        Unshown { lines: unshown.map(|(_, (one, _))| one.line).collect(), lost }
    }

    /// Whether a line that is heard now was shown by the one before, who was ahead of this session.
    pub(super) fn was_ahead(&mut self, said: &Said, now: Instant) -> bool {
        if self.ahead.is_empty() {
            return false;
        }
        let is_by_text = self.behind_until.is_some_and(|until| now <= until);
        self.ahead.retain(|(one, at)| now <= *at + LONGEST_LAG && (is_by_text || one.msgid.is_some()));
        let has_id = said.msgid.is_some();
        let is_it = |one: &Said| one.is(said) && (is_by_text || has_id && one.msgid.is_some());
        let found = self.ahead.iter().position(|(one, _)| is_it(one));
        // Everybody's lines come in their order: what is before this one does not come any more.
        let mut place = 0..;
        self.ahead.retain(|(one, _)| {
            let is_behind = place.next() > found.or(Some(usize::MAX));
            one.nick != said.nick || is_behind
        });
        found.is_some()
    }
}

impl Actor {
    /// Where others show less than this session hears, their servers are asked whether they are there; then who shows it
    /// is asked to let another one do that.
    pub(in super::super) fn compare_heard(&mut self) {
        let (now, mapping) = (self.now(), self.buffers.mapping());
        for shared in self.buffers.iter_mut().filter_map(|buffer| buffer.shared.as_deref_mut()) {
            let ring = &mut shared.heard;
            if ring.compare_at.take_if(|at| *at <= now).is_none() || shared.role != Role::Waits {
                continue;
            }
            let Some(seat) = &shared.seat else { continue };
            let looked_at = seat.shown_count();
            let shown = Shown::of(&seat.shown());
            let is_in_room = |nick: &str, at: Instant| seat.was_person(nick, mapping, at, now);
            let Some((said, heard_at)) = ring.compare(&shown, mapping, is_in_room, now) else {
                ring.doubt = None;
                continue;
            };
            match ring.doubt.filter(|doubt| Some(doubt.observer) == seat.observer()) {
                Some(Doubt { observer, since }) if now.saturating_duration_since(since) >= PATIENCE => {
                    seat.ask_for_channel(observer, Missing { said, heard_at, looked_at });
                }
                Some(_) => {}
                None => {
                    ring.doubt = seat.probe_observer().map(|observer| Doubt { observer, since: now });
                }
            }
        }
    }

    /// More was said in a channel than is kept, and who showed it did not hear it.
    pub(super) fn tell_lost(&mut self, place: usize, (from, to): (Instant, Instant)) {
        let (now, unix_ms) = (self.now(), self.bridge.clock.unix_ms());
        let ms = |at: Instant| unix_ms - now.saturating_duration_since(at).as_millis() as i64;
        self.tell_dropped(place, Hole { from: ms(from), to: Some(ms(to)) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    use crate::irc::session::{IncomingKind, MessageTags, Origin};
    use crate::irc::wire::Source;

    fn line(text: &str) -> Line {
        Line {
            from: Source { nick: "bob".into(), user: None, host: None },
            kind: IncomingKind::Privmsg,
            text: text.into(),
            time: None,
            msgid: None,
            account: None,
            own: false,
            ignored: false,
            origin: Origin::Live,
            tags: MessageTags::default(),
        }
    }

    fn said(text: &str, at: Instant) -> (Said, Instant) {
        (Said { msgid: None, nick: "bob".into(), text: text.into() }, at)
    }

    fn texts(unshown: &Unshown) -> Vec<&str> {
        unshown.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn what_one_line_after_another_was_kept_from_who_showed_them_is_shown_by_the_next() {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let mut ring = Ring::default();
        ring.set_comparing(true, start);
        assert_eq!(ring.compare_at(), None);
        for text in ["one", "kept", "two", "three"] {
            ring.add(line(text), start);
        }
        assert_eq!(ring.compare_at(), Some(start + PATIENCE));
        let shown = ["one", "two", "three"].map(|text| said(text, start));
        let later = start + PATIENCE;
        let missing = ring.compare(&Shown::of(&shown), mapping, |_, _| false, later);
        assert_eq!(missing.map(|(said, _)| said.text).as_deref(), Some("kept"));
        ring.add(line("four"), later);
        assert_eq!(texts(&ring.take_unshown(&shown, mapping, |_, _| false, later)), ["kept", "four"]);
        assert_eq!(ring.compare_at(), None);
    }

    /// Review of the change that has others show more, H1 and H2.
    #[rstest]
    #[case::who_showed_them_has_heard_another(&["1", "2", "3", "4"], &["1", "2", "3", "4", "x"], &[])]
    #[case::each_has_heard_another(&["1", "2", "3", "4", "y"], &["1", "2", "3", "4", "x"], &["y"])]
    #[case::the_last_has_not_come_here(&["1", "2", "3"], &["1", "2", "3", "4"], &[])]
    #[case::one_of_the_last_is_young(&["1", "2", "young", "3"], &["1", "2", "3"], &["young"])]
    #[case::said_twice(&["1", "2", "3", "1"], &["1", "2", "3"], &["1"])]
    #[case::in_another_script(&["\u{597d}\u{7684}", "\u{53ef}\u{4ee5}"], &["\u{597d}\u{7684}"], &["\u{53ef}\u{4ee5}"])]
    #[case::nothing_was_shown(&["1", "2"], &[], &["1", "2"])]
    fn nothing_is_shown_twice_and_nothing_left_out_where_each_hears_what_the_other_does_not(
        #[case] heard: &[&str],
        #[case] shown: &[&str],
        #[case] unshown: &[&str],
    ) {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        for has_ids in [false, true] {
            let id = |place: usize| has_ids.then(|| place.to_string());
            let mut ring = Ring::default();
            let shown: Vec<(Said, Instant)> = shown
                .iter()
                .enumerate()
                .map(|(place, text)| (Said { msgid: id(place + 100), ..said(text, start).0 }, start))
                .collect();
            for (place, text) in heard.iter().enumerate() {
                let before = &heard[..place];
                let same = shown.iter().find(|(one, _)| one.text == *text && !before.contains(text));
                let msgid = same.map_or_else(|| id(place), |(one, _)| one.msgid.clone());
                ring.add(Line { msgid, ..line(text) }, start);
            }
            assert_eq!(
                texts(&ring.take_unshown(&shown, mapping, |_, _| false, start)),
                unshown,
                "with ids: {has_ids}"
            );
        }
    }

    /// Review of 0.9, 2: one line that was shown stood for any number of those that were heard.
    #[rstest]
    #[case::the_same_again("yes", "yes")]
    #[case::as_long_in_another_script("\u{597d}\u{7684}", "\u{53ef}\u{4ee5}")]
    fn what_is_said_after_the_other_one_hears_nothing_is_missing_and_is_shown(
        #[case] first: &str,
        #[case] second: &str,
    ) {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let silent = start + Duration::from_secs(40);
        let mut ring = Ring::default();
        ring.set_comparing(true, start);
        ring.add(line(first), start);
        let shown = [said(first, start)];
        let later = start + PATIENCE;
        assert_eq!(ring.compare(&Shown::of(&shown), mapping, |_, _| false, later), None);
        ring.add(line(second), silent);
        let later = silent + PATIENCE;
        let missing = ring.compare(&Shown::of(&shown), mapping, |_, _| false, later);
        assert_eq!(missing, Some((said(second, silent).0, silent)));
        let unshown = ring.take_unshown(&shown, mapping, |_, _| false, later + PATIENCE);
        assert_eq!(texts(&unshown), [second]);
    }

    /// Review, finding M3: it was taken for what they had said before this session came, and left out.
    #[rstest]
    #[case::long_before(60, &["yes"])]
    #[case::a_moment_before(5, &[])]
    fn what_is_said_again_after_one_came_is_not_what_was_shown_before(
        #[case] came_after: u64,
        #[case] unshown: &[&str],
    ) {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let came = start + Duration::from_secs(came_after);
        let again = came + PATIENCE;
        let shown = [said("yes", start)];
        for has_compared in [false, true] {
            let mut ring = Ring::default();
            ring.begin(came);
            ring.set_comparing(true, came);
            ring.add(line("yes"), again);
            let later = again + PATIENCE;
            if has_compared {
                let missing = ring.compare(&Shown::of(&shown), mapping, |_, _| false, later);
                assert_eq!(missing.is_some(), !unshown.is_empty());
            }
            assert_eq!(texts(&ring.take_unshown(&shown, mapping, |_, _| false, later)), unshown);
        }
    }

    #[rstest]
    #[case::they_come(&["4", "5"], &["4", "5"])]
    #[case::each_once(&["4", "4", "5"], &["4"])]
    #[case::one_is_lost(&["5", "4"], &["5"])]
    #[case::another_comes_first(&["6", "4", "5"], &[])]
    fn what_the_one_before_has_shown_and_comes_here_later_is_not_shown_again(
        #[case] comes: &[&str],
        #[case] is_ahead: &[&str],
    ) {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let taken_over = |now: Instant| {
            let mut ring = Ring::default();
            ["1", "2", "3"].into_iter().for_each(|text| ring.add(line(text), start));
            let shown = ["1", "2", "3", "4", "5"].map(|text| said(text, start));
            assert_eq!(texts(&ring.take_unshown(&shown, mapping, |_, _| false, now)), Vec::<&str>::new());
            ring
        };
        let mut ring = taken_over(start);
        let mut found = comes.to_vec();
        found.retain(|text| ring.was_ahead(&said(text, start).0, start));
        assert_eq!(found, is_ahead);
        // Somebody else's is another.
        let other = Said { nick: "dan".into(), ..said("4", start).0 };
        assert!(!taken_over(start).was_ahead(&other, start));
        let long_after = start + BEHIND + PATIENCE;
        assert!(!taken_over(start).was_ahead(&said("4", start).0, long_after));
    }

    /// Review, finding 4: a line was lost that somebody said again long after it was shown.
    #[test]
    fn what_was_shown_long_before_somebody_took_over_does_not_come_any_more() {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let taken_over = |now: Instant| {
            let mut ring = Ring::default();
            ring.add(line("1"), start);
            let with_id = Said { msgid: Some("id".into()), ..said("3", start).0 };
            let shown = [said("1", start), said("2", start), (with_id, start)];
            assert_eq!(texts(&ring.take_unshown(&shown, mapping, |_, _| false, now)), Vec::<&str>::new());
            ring
        };
        assert!(taken_over(start).was_ahead(&said("2", start).0, start + BEHIND));
        let long_after = start + 4 * LONGEST_LAG;
        assert!(!taken_over(long_after).was_ahead(&said("2", start).0, long_after));
        // One that has an id comes with it, or soon.
        let (again, same) = (said("3", start).0, Said { msgid: Some("id".into()), ..said("3", start).0 });
        let later = start + BEHIND + PATIENCE;
        assert!(taken_over(start).was_ahead(&again, start + BEHIND));
        assert!(!taken_over(start).was_ahead(&again, later));
        assert!(taken_over(start).was_ahead(&same, later));
    }

    /// Review of the mend, H1 and M1: the third who takes over has never compared, and what is long shown is not remembered.
    #[test]
    fn what_was_shown_long_ago_is_not_shown_again_by_who_has_never_compared() {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let at = |number: usize| start + Duration::from_secs(number as u64);
        let texts_heard: Vec<String> = (0..MOST_HEARD).map(|number| number.to_string()).collect();
        let heard_last = MOST_HEARD - 40;
        let mut ring = Ring::default();
        for (number, text) in texts_heard[..heard_last].iter().enumerate() {
            ring.add(line(text), at(number));
        }
        // The others are forty lines ahead, and of the first hundred nobody knows any more that they were shown.
        let mut shown: Vec<(Said, Instant)> =
            (100..MOST_HEARD).map(|number| said(&texts_heard[number], at(number))).collect();
        shown.extend(std::iter::repeat_n(said("other", at(MOST_HEARD)), 100));
        let unshown = ring.take_unshown(&shown, mapping, |_, _| false, at(600));
        assert_eq!(texts(&unshown), Vec::<&str>::new());
        let mut ring = Ring::default();
        ring.add(line("mine"), start);
        assert!(
            ring.take_unshown(&[], mapping, |_, _| true, start).lines.is_empty(),
            "they have said it there"
        );
    }

    #[test]
    fn what_is_shown_a_little_late_is_missing_no_more() {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let mut ring = Ring::default();
        ring.set_comparing(true, start);
        ring.add(line("one"), start);
        let later = start + PATIENCE;
        let none = Shown::of(&[]);
        assert_eq!(ring.compare(&none, mapping, |_, _| true, start), None, "it has time");
        assert_eq!(ring.compare_at(), Some(later));
        assert!(ring.compare(&none, mapping, |_, _| false, later).is_some());
        assert_eq!(ring.compare_at(), Some(later + PATIENCE));
        let shown = [said("one", later)];
        assert_eq!(ring.compare(&Shown::of(&shown), mapping, |_, _| false, later + PATIENCE), None);
        assert_eq!(ring.compare_at(), None);
        assert!(ring.take_unshown(&shown, mapping, |_, _| false, start).lines.is_empty());
    }

    #[test]
    fn invariant_9_what_falls_out_of_the_ring_is_lost_if_it_was_not_shown() {
        let (start, mapping) = (now(), CaseMapping::Rfc1459);
        let fill = || {
            let mut ring = Ring::default();
            (0..=MOST_HEARD + 1).for_each(|number| ring.add(line(&number.to_string()), start));
            ring
        };
        let unshown = fill().take_unshown(&[said("before", start)], mapping, |_, _| false, start);
        assert_eq!((unshown.lines.len(), unshown.lost), (MOST_HEARD, Some((start, start))));
        // The last that was dropped was the last that was shown.
        let unshown =
            fill().take_unshown(&[said("0", start), said("1", start)], mapping, |_, _| false, start);
        assert_eq!((unshown.lines.len(), unshown.lost), (MOST_HEARD, None));
    }
}
