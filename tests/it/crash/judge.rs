//! The judge: what people said, what the peers' own logs hold, and what follows from it. Towline itself is not asked.
//!
//! Towards Matrix each line stands in the room once, in the order in which the channel heard it; several may stand in
//! one event. Where the network keeps no history, lines that were said during an outage may be missing, if a notice
//! in the room says that nothing was seen then. Towards IRC a line arrives once at most, in order, and who sent one that
//! did not arrive was told so, or asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::support::homeserver::Event;

/// The key of a gap's notice.
const GAP: &str = "chat.towline.gap";
/// How the heading begins over lines that come late. Under it they stand between live lines, each kind in its order.
const HEADING: &str = "Missed lines, said since ";
/// A line may have been on its way for so long when the outage began: on a slow network, or read and waiting for a
/// disk that is busy.
const UNDER_WAY_MS: u64 = 2_000;
/// Breaches that are written out; the rest is counted.
const SHOWN: usize = 12;

/// A numbered line: who said it, and which of theirs it is.
pub(crate) type Numbered = (String, u32);

/// How a numbered line reads.
pub(crate) fn text_of(speaker: &str, number: u32) -> String {
    format!("{speaker}-{number}")
}

/// The numbered lines of these people in a text.
fn numbered_in(text: &str, speakers: &BTreeSet<String>) -> Vec<Numbered> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    words
        .filter_map(|word| {
            let (speaker, number) = word.split_once('-')?;
            speakers.contains(speaker).then(|| Some((speaker.to_owned(), number.parse().ok()?)))?
        })
        .collect()
}

/// What there is to judge.
pub(crate) struct Evidence<'a> {
    /// What was said on IRC, in the channel's order, with the time.
    pub(crate) said: Vec<(Numbered, u64)>,
    /// What was written in the room: the line and its event, in order.
    pub(crate) written: &'a [(Numbered, String)],
    /// All that the channel heard from the writer, in order.
    pub(crate) heard: &'a [String],
    /// The room, oldest event first.
    pub(crate) room: &'a [Event],
    /// When there was no connection, as far as the peers know.
    pub(crate) outages: &'a [(u64, u64)],
    /// Whether lines may be missing, said during an outage and inside a notice.
    pub(crate) may_miss: bool,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) said: usize,
    pub(crate) shown: usize,
    pub(crate) shown_twice: usize,
    /// Missing, and the room says when.
    pub(crate) in_gaps: usize,
    /// Missing without a word.
    pub(crate) lost: usize,
    pub(crate) gap_notices: usize,
    pub(crate) written: usize,
    pub(crate) arrived: usize,
    pub(crate) arrived_twice: usize,
    /// The sender was told that it did not arrive.
    pub(crate) told: usize,
    /// The sender was asked, and it had not arrived.
    pub(crate) asked: usize,
    /// The sender was asked, and it had arrived.
    pub(crate) asked_in_vain: usize,
    /// It did not arrive, and nobody said so.
    pub(crate) untold: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "IRC to Matrix: {} said, {} shown, {} doubled, {} inside {} gap notices, {} missing",
            self.said, self.shown, self.shown_twice, self.in_gaps, self.gap_notices, self.lost
        )?;
        write!(
            f,
            "Matrix to IRC: {} written, {} arrived, {} doubled, {} told, {} asked (and {} that had arrived), {} missing",
            self.written,
            self.arrived,
            self.arrived_twice,
            self.told,
            self.asked,
            self.asked_in_vain,
            self.untold
        )
    }
}

/// The figures, and what should not have been.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) figures: Figures,
    pub(crate) breaches: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.breaches.is_empty()
    }

    /// The breaches as a text of bounded length.
    pub(crate) fn describe(&self) -> String {
        let shown = self.breaches.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ");
        format!("{} breaches:\n  {shown}", self.breaches.len())
    }
}

pub(crate) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    towards_matrix(evidence, &mut verdict);
    towards_irc(evidence, &mut verdict);
    verdict
}

fn towards_matrix(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let Verdict { figures, breaches } = verdict;
    let speakers: BTreeSet<String> = evidence.said.iter().map(|((speaker, _), _)| speaker.clone()).collect();
    let place: HashMap<&Numbered, usize> =
        evidence.said.iter().enumerate().map(|(place, (line, _))| (line, place)).collect();
    let messages =
        evidence.room.iter().filter(|event| event.kind == "m.room.message" && event.redacted_by.is_none());
    let gaps: Vec<(u64, u64)> = messages
        .clone()
        .filter_map(|event| {
            let gap = event.content.get(GAP)?;
            Some((gap["from"].as_u64()?, gap["to"].as_u64()?))
        })
        .collect();
    let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
    // The last line that stands there: of those that came late, and of all others.
    let (mut late, mut live) = (None, None);
    let mut is_headed = false;
    for event in messages {
        if event.body().starts_with(HEADING) {
            (late, is_headed) = (None, true);
        }
        for line in numbered_in(event.body(), &speakers) {
            let text = text_of(&line.0, line.1);
            let Some(&place) = place.get(&line) else {
                breaches.push(format!("{text} stands in the room, and nobody said it"));
                continue;
            };
            let times = shown.entry(place).or_default();
            *times += 1;
            let is_late = is_headed && live.is_some_and(|live| live > place);
            let latest = if is_late { &mut late } else { &mut live };
            if *times > 1 {
                figures.shown_twice += 1;
                breaches.push(format!("{text} stands in the room {times} times"));
            } else if latest.is_some_and(|latest| latest > place) {
                breaches.push(format!("{text} stands in the room behind what was said later"));
            }
            *latest = (*latest).max(Some(place));
        }
    }
    let within = |at: u64, intervals: &[(u64, u64)], before: u64| {
        intervals.iter().any(|(from, to)| from.saturating_sub(before) <= at && at <= *to)
    };
    (figures.said, figures.shown, figures.gap_notices) = (evidence.said.len(), shown.len(), gaps.len());
    for (number, ((speaker, line), at)) in evidence.said.iter().enumerate() {
        if shown.contains_key(&number) {
            continue;
        }
        let text = text_of(speaker, *line);
        let fault = if !evidence.may_miss {
            Some("and it could have been fetched")
        } else if !within(*at, &gaps, 0) {
            Some("and no notice covers it")
        } else if !within(*at, evidence.outages, UNDER_WAY_MS) {
            Some("and there was a connection then")
        } else {
            None
        };
        match fault {
            None => figures.in_gaps += 1,
            Some(fault) => {
                figures.lost += 1;
                breaches.push(format!("{text}, said at {at}, is missing in the room, {fault}"));
            }
        }
    }
}

fn towards_irc(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let Verdict { figures, breaches } = verdict;
    let writers: BTreeSet<String> =
        evidence.written.iter().map(|((speaker, _), _)| speaker.clone()).collect();
    let mut heard: HashMap<Numbered, usize> = HashMap::new();
    let mut latest: HashMap<String, u32> = HashMap::new();
    for line in evidence.heard.iter().flat_map(|text| numbered_in(text, &writers)) {
        let text = text_of(&line.0, line.1);
        let times = heard.entry(line.clone()).or_default();
        *times += 1;
        let latest = latest.entry(line.0).or_default();
        if *times > 1 {
            figures.arrived_twice += 1;
            breaches.push(format!("{text} arrived on IRC {times} times"));
        } else if *latest > line.1 {
            breaches.push(format!("{text} arrived on IRC behind what was written later"));
        }
        *latest = line.1.max(*latest);
    }
    let mut fates: HashMap<&str, Fate> = HashMap::new();
    for event in evidence.room.iter().filter(|event| event.redacted_by.is_none()) {
        let about = event.content["m.relates_to"]["m.in_reply_to"]["event_id"].as_str();
        if let (Some(about), Some(fate)) = (about, Fate::of(event.body())) {
            // What is certain says more than a question.
            let known = fates.entry(about).or_insert(fate);
            *known = (*known).max(fate);
        }
    }
    // A reply may say which message it is about.
    let is_others = |event: &&Event| {
        !writers.iter().any(|writer| event.sender.starts_with(&format!("@{writer}:")))
            && event.content["m.relates_to"]["m.in_reply_to"].is_null()
    };
    for line in evidence.room.iter().filter(is_others).flat_map(|event| numbered_in(event.body(), &writers)) {
        breaches.push(format!("{} came back into the room", text_of(&line.0, line.1)));
    }
    (figures.written, figures.arrived) = (evidence.written.len(), heard.len());
    for ((writer, number), event) in evidence.written {
        let text = text_of(writer, *number);
        match (heard.contains_key(&(writer.clone(), *number)), fates.get(event.as_str())) {
            (true, None) => {}
            (true, Some(Fate::Asked)) => figures.asked_in_vain += 1,
            (true, Some(Fate::Told)) => {
                breaches.push(format!("{text} arrived on IRC, and its sender was told that it did not"));
            }
            (false, Some(Fate::Asked)) => figures.asked += 1,
            (false, Some(Fate::Told)) => figures.told += 1,
            (false, None) => {
                figures.untold += 1;
                breaches.push(format!("{text} did not arrive on IRC, and nobody said so ({event})"));
            }
        }
    }
}

/// What a sender learned of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Asked,
    Told,
}

impl Fate {
    /// What a reply says; `None` where it only says that the message waits.
    fn of(reply: &str) -> Option<Self> {
        if reply.contains("may not have arrived") {
            Some(Self::Asked)
        } else if reply.contains("did not arrive") || reply.contains("was not sent") {
            Some(Self::Told)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(id: &str, sender: &str, content: Value) -> Event {
        Event {
            event_id: id.to_owned(),
            sender: sender.to_owned(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content,
            redacts: None,
            ts: 0,
            previous: None,
            redacted_by: None,
        }
    }

    fn shown(body: &str) -> Event {
        event("$shown", "@irc_fake_bob:test.local", json!({ "body": body }))
    }

    fn reply(body: &str) -> Event {
        let relation = json!({ "m.in_reply_to": { "event_id": "$1" } });
        event("$reply", "@towline:test.local", json!({ "body": body, "m.relates_to": relation }))
    }

    fn gap(from: u64, to: u64) -> Event {
        let content =
            json!({ "body": "Nothing was seen here", "chat.towline.gap": { "from": from, "to": to } });
        event("$gap", "@towline:test.local", content)
    }

    fn heading() -> Event {
        let body = "Missed lines, said since 2026-11-21 12:03:10 UTC:";
        event("$heading", "@towline:test.local", json!({ "body": body }))
    }

    /// What is wrong with a room where bob and carol said bob-1, carol-1 and bob-2 at 10,000, 20,000 and 30,000.
    fn wrongs(room: &[Event], outages: &[(u64, u64)], may_miss: bool) -> Vec<String> {
        let line = |who: &str, number, at| ((who.to_owned(), number), at);
        let said = vec![line("bob", 1, 10_000), line("carol", 1, 20_000), line("bob", 2, 30_000)];
        judge(&Evidence { said, written: &[], heard: &[], room, outages, may_miss }).breaches
    }

    #[rstest::rstest]
    #[case::all_in_order(&[shown("bob-1"), shown("carol-1"), shown("bob-2")], &[])]
    #[case::several_in_one_event(&[shown("bob-1\n<carol> carol-1\nbob-2")], &[])]
    #[case::one_missing(&[shown("bob-1"), shown("bob-2")],
        &["carol-1, said at 20000, is missing in the room, and it could have been fetched"])]
    #[case::one_twice(&[shown("bob-1"), shown("carol-1\nbob-1"), shown("bob-2")], &["bob-1 stands in the room 2 times"])]
    #[case::out_of_order(&[shown("bob-1"), shown("bob-2"), shown("carol-1")],
        &["carol-1 stands in the room behind what was said later"])]
    #[case::late_under_a_heading(&[shown("bob-2"), heading(), shown("bob-1"), shown("carol-1")], &[])]
    #[case::late_between_live_ones(&[shown("carol-1"), heading(), shown("bob-1"), shown("bob-2")], &[])]
    #[case::late_under_a_heading_and_out_of_order(
        &[shown("bob-2"), heading(), shown("carol-1"), shown("bob-1")],
        &["bob-1 stands in the room behind what was said later"])]
    #[case::out_of_nowhere(&[shown("bob-1"), shown("carol-1"), shown("bob-2"), shown("bob-3")],
        &["bob-3 stands in the room, and nobody said it"])]
    #[case::a_gap_is_no_excuse(&[gap(0, 90_000), shown("bob-1"), shown("carol-1")],
        &["bob-2, said at 30000, is missing in the room, and it could have been fetched"])]
    fn what_was_said_stands_in_the_room_once_and_in_order(#[case] room: &[Event], #[case] wanted: &[&str]) {
        assert_eq!(wrongs(room, &[], false), wanted);
    }

    #[rstest::rstest]
    #[case::inside(&[shown("bob-1"), gap(15_000, 25_000), shown("bob-2")], &[(18_000, 22_000)], &[])]
    #[case::no_notice(&[shown("bob-1"), gap(25_000, 26_000), shown("bob-2")], &[(18_000, 22_000)],
        &["carol-1, said at 20000, is missing in the room, and no notice covers it"])]
    #[case::no_outage(&[shown("bob-1"), gap(0, 90_000), shown("bob-2")], &[(23_000, 25_000)],
        &["carol-1, said at 20000, is missing in the room, and there was a connection then"])]
    fn what_is_missing_lies_in_an_outage_and_in_a_notice(
        #[case] room: &[Event],
        #[case] outages: &[(u64, u64)],
        #[case] wanted: &[&str],
    ) {
        assert_eq!(wrongs(room, outages, true), wanted);
    }

    #[rstest::rstest]
    #[case::both_arrived(&["alice-1", "alice-2"], &[], &[])]
    #[case::the_first_was_asked_about(&["alice-2"], &[reply("Your message may not have arrived: …")], &[])]
    #[case::the_first_was_told(&["alice-2"], &[reply("Your message did not arrive: …")], &[])]
    #[case::the_first_was_not_sent(&["alice-2"], &[reply("Your message was not sent: …")], &[])]
    #[case::asked_in_vain(&["alice-1", "alice-2"], &[reply("Your message may not have arrived: …")], &[])]
    #[case::nobody_said_so(&["alice-2"], &[], &["alice-1 did not arrive on IRC, and nobody said so ($1)"])]
    #[case::it_only_waits(&["alice-2"], &[reply("Your message waits: …")],
        &["alice-1 did not arrive on IRC, and nobody said so ($1)"])]
    #[case::it_came_back(&["alice-1", "alice-2"], &[shown("alice-1")], &["alice-1 came back into the room"])]
    #[case::it_was_a_lie(&["alice-1", "alice-2"], &[reply("Your message was not sent: …")],
        &["alice-1 arrived on IRC, and its sender was told that it did not"])]
    #[case::twice(&["alice-1", "alice-2", "alice-1"], &[], &["alice-1 arrived on IRC 2 times"])]
    #[case::out_of_order(&["alice-2", "alice-1"], &[], &["alice-1 arrived on IRC behind what was written later"])]
    fn what_was_written_arrives_once_at_most_or_its_sender_knows(
        #[case] heard: &[&str],
        #[case] room: &[Event],
        #[case] wanted: &[&str],
    ) {
        let heard: Vec<String> = heard.iter().map(|&text| text.to_owned()).collect();
        let line = |number, event: &str| (("alice".to_owned(), number), event.to_owned());
        let written = [line(1, "$1"), line(2, "$2")];
        let evidence =
            Evidence { said: vec![], written: &written, heard: &heard, room, outages: &[], may_miss: false };
        assert_eq!(judge(&evidence).breaches, wanted);
    }
}
