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
pub(in crate::bridge) const LONGEST_LAG: Duration = Duration::from_mins(2);
/// Who has just come may hear something that another has shown so long before.
const COMING: Duration = Duration::from_secs(10);

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

/// What was heard and is not shown.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Missing {
    pub(in crate::bridge) said: Said,
    pub(in crate::bridge) heard_at: Instant,
    /// So many lines had been shown in all before it was looked for.
    pub(in crate::bridge) looked_at: u64,
}

/// By what a line that was heard is found among those that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Trace {
    Id,
    /// The ids may be each bouncer's own, or there are none.
    Text,
}

/// Which lines that were heard are among those that were shown.
pub(in crate::bridge) struct Found {
    /// For each that was heard.
    pub(in crate::bridge) traces: Vec<Option<Trace>>,
    /// How many were shown up to the last that was heard.
    pub(in crate::bridge) until: usize,
}

/// What was shown in a room lately, for many lines to be looked for.
pub(in crate::bridge) struct Shown {
    msgids: HashMap<String, usize>,
    /// Who said what, line by line: the number of that in `places`.
    texts: HashMap<(String, String), usize>,
    /// Where each was said, in their order.
    places: Vec<Vec<usize>>,
    /// To which message each of those lines belongs, and when it was shown.
    parts: Vec<(usize, Instant)>,
    /// Since when all is known that was shown, where that is not everything.
    since: Option<Instant>,
    last: Option<Instant>,
}

impl Shown {
    pub(in crate::bridge) fn of(lines: &[(Said, Instant)]) -> Self {
        let (mut texts, mut places) = (HashMap::new(), Vec::<Vec<usize>>::new());
        let (mut msgids, mut parts) = (HashMap::new(), Vec::new());
        for (place, (said, at)) in lines.iter().enumerate() {
            msgids.extend(said.msgid.clone().map(|msgid| (msgid, place)));
            for line in lines_of(said) {
                let number = *texts.entry(line).or_insert(places.len());
                if number == places.len() {
                    places.push(Vec::new());
                }
                places[number].push(parts.len());
                parts.push((place, *at));
            }
        }
        let since = lines.first().filter(|_| lines.len() >= MOST_SAID).map(|(_, at)| *at);
        Self { msgids, texts, places, parts, since, last: lines.last().map(|(_, at)| *at) }
    }

    /// Looks for lines that were heard by one who hears since then, in their order. Each that was shown is one of them and no
    /// more: who says the same again says it twice. What was said long before or after is another.
    pub(in crate::bridge) fn find(&self, heard: &[(&Said, Instant)], since: Option<Instant>) -> Found {
        let by_id = |said: &Said| said.msgid.as_ref().and_then(|msgid| self.msgids.get(msgid)).copied();
        let messages: HashSet<usize> = heard.iter().filter_map(|(said, _)| by_id(said)).collect();
        let taken = self.parts.iter().map(|(place, _)| messages.contains(place)).collect();
        let mut taking = Taking { shown: self, since, taken, begun: vec![0; self.places.len()] };
        let trace = |(said, heard_at): &(&Said, Instant)| {
            let found = by_id(said).map(|_| Trace::Id);
            found.or_else(|| taking.take(said, *heard_at).then_some(Trace::Text))
        };
        let traces = heard.iter().map(trace).collect();
        let last =
            self.parts.iter().zip(&taking.taken).filter(|(_, taken)| **taken).map(|((place, _), _)| *place);
        Found { traces, until: last.max().map_or(0, |last| last + 1) }
    }

    fn has(&self, said: &Said, heard_at: Instant) -> bool {
        self.find(&[(said, heard_at)], None).traces.iter().all(Option::is_some)
    }

    /// Whether a line that was heard then would be found, if it was shown.
    pub(in crate::bridge) fn knows(&self, heard_at: Instant) -> bool {
        let is_known = self.since.is_none_or(|since| since + LONGEST_LAG <= heard_at);
        let is_silent = self.last.is_none_or(|last| last <= heard_at);
        is_known || is_silent
    }
}

/// What was shown is taken, line by line, by what was heard. Both are in the order of time: what is passed by is no more looked
/// at.
struct Taking<'a> {
    shown: &'a Shown,
    since: Option<Instant>,
    /// For each part.
    taken: Vec<bool>,
    /// How many of the places of each text are passed by.
    begun: Vec<usize>,
}

impl Taking<'_> {
    /// Takes what was said from what was shown, if all of it is there still.
    fn take(&mut self, said: &Said, heard_at: Instant) -> bool {
        let mut own: Vec<(usize, usize)> = Vec::new();
        for line in lines_of(said) {
            let Some((text, place)) = self.next(&line, heard_at) else {
                for (text, place) in own {
                    self.taken[self.shown.places[text][place]] = false;
                    self.begun[text] = self.begun[text].min(place);
                }
                return false;
            };
            self.taken[self.shown.places[text][place]] = true;
            own.push((text, place));
        }
        true
    }

    /// The first place of a line that may be the one that was heard then, and is not taken.
    fn next(&mut self, line: &(String, String), heard_at: Instant) -> Option<(usize, usize)> {
        let text = *self.shown.texts.get(line)?;
        let places = &self.shown.places[text];
        let is_over = |part: &usize| {
            let (_, at) = self.shown.parts[*part];
            let was_before = self.since.is_some_and(|since| at + COMING < since);
            self.taken[*part] || was_before || at + LONGEST_LAG < heard_at
        };
        let place =
            self.begun[text] + places[self.begun[text]..].iter().take_while(|part| is_over(part)).count();
        self.begun[text] = place;
        let (_, at) = self.shown.parts[*places.get(place)?];
        (at <= heard_at + LONGEST_LAG).then_some((text, place))
    }
}

/// Who says what, line by line: of two connections one may take several lines as one message. The words are the same: what
/// is said in a shared room's channel is read alike by all.
fn lines_of(said: &Said) -> impl Iterator<Item = (String, String)> {
    said.text.split('\n').map(|line| (said.nick.clone(), line.to_owned()))
}

impl Watch {
    /// Somebody goes from the room.
    pub(super) fn note_gone(&mut self, nick: Box<str>, now: Instant) {
        if self.gone.len() >= MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((nick, now));
    }

    /// What was shown after so many lines in all, as far as it is remembered.
    fn shown_since(&mut self, count: u64) -> &[(Said, Instant)] {
        let newer = usize::try_from(self.shown_count.saturating_sub(count)).unwrap_or(usize::MAX);
        let before = self.shown.len().saturating_sub(newer);
        &self.shown.make_contiguous()[before..]
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
    pub(in crate::bridge) fn ask_for_channel(&self, observer: i64, missing: Missing) {
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
            let Missing { said, heard_at, looked_at } = missing;
            if !may_change || Shown::of(watch.shown_since(looked_at)).has(&said, heard_at) {
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
    #[case::of_the_same_line_twice_one_is_not("one\none", &["one"], false)]
    #[case::as_long_in_another_script("\u{597d}\u{7684}", &["\u{53ef}\u{4ee5}"], false)]
    #[case::in_another_alphabet("\u{434}\u{430}", &["\u{43d}\u{435}\u{442}"], false)]
    fn a_line_is_found_however_another_connection_has_it(
        #[case] heard: &str,
        #[case] shown: &[&str],
        #[case] is_found: bool,
    ) {
        let now = now();
        let shown: Vec<(Said, Instant)> = shown.iter().map(|words| (said(words), now)).collect();
        assert_eq!(Shown::of(&shown).has(&said(heard), now), is_found);
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
        assert_eq!(Shown::of(&shown).knows(at(heard)), is_missing);
    }

    #[rstest]
    #[case::said_twice_and_shown_once(&["yes", "yes"], &["yes"], &[Some(Trace::Text), None], 1)]
    #[case::said_twice_and_shown_twice(&["yes", "yes"], &["yes", "yes"], &[Some(Trace::Text); 2], 2)]
    #[case::the_second_by_its_id(&["yes@1", "yes@2"], &["yes@2"], &[None, Some(Trace::Id)], 1)]
    #[case::a_part_is_gone(&["one", "one\ntwo", "two"], &["one", "two"], &[Some(Trace::Text), None, Some(Trace::Text)], 2)]
    #[case::more_was_shown(&["one"], &["one", "two"], &[Some(Trace::Text)], 1)]
    fn what_was_shown_once_is_found_once(
        #[case] heard: &[&str],
        #[case] shown: &[&str],
        #[case] traces: &[Option<Trace>],
        #[case] until: usize,
    ) {
        let now = now();
        let shown: Vec<(Said, Instant)> = shown.iter().map(|words| (said(words), now)).collect();
        let heard: Vec<Said> = heard.iter().map(|words| said(words)).collect();
        let heard: Vec<(&Said, Instant)> = heard.iter().map(|said| (said, now)).collect();
        let found = Shown::of(&shown).find(&heard, None);
        assert_eq!((found.traces.as_slice(), found.until), (traces, until));
    }

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn now() -> Instant {
        Instant::now()
    }
}
