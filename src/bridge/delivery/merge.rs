//! Lines that wait together go together: rows of one nick that follow each other in a room's queue become one event.
//!
//! A room has one request in flight at a time, so a burst would take as many round trips as it has lines. The rows of
//! an event are committed as its batch before it is first sent, and what it says is made of them alone: after a crash
//! the same rows make the same event again, under the transaction id and content key of the first. What stands in a
//! batch, also in one of its own, is never merged anew.
//!
//! Pure: rows in, requests out.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::format::escape_html;
use crate::matrix::event::CONTENT_KEY;
use crate::store::{Outbox, OutboxKind};

/// A pause after which lines belong together no more, in milliseconds.
const LONGEST_PAUSE: u64 = 2_000;
/// Lines of one event.
const MOST_LINES: usize = 30;
/// Bytes of one event's body: what an event may hold is four times that, and escaping can double it.
const LONGEST_BODY: usize = 16 * 1024;
/// Bytes of one event's HTML.
const LONGEST_HTML: usize = 32 * 1024;

/// A request as it will be made, and the rows that it stands for.
#[derive(Debug)]
pub(super) struct Planned {
    /// The first row; where there are several, with the content of all.
    pub(super) request: Outbox,
    /// The rows, where there are several.
    merged: Vec<Outbox>,
    /// Whether the batch is still to be committed.
    pub(super) is_new: bool,
}

impl Planned {
    fn single(row: Outbox) -> Self {
        Self { request: row, merged: Vec::new(), is_new: false }
    }

    /// How many rows it stands for.
    pub(super) fn rows(&self) -> usize {
        self.merged.len().max(1)
    }

    /// The rows' places in the order.
    pub(super) fn seqs(&self) -> Vec<i64> {
        match self.merged.as_slice() {
            [] => vec![self.request.seq],
            rows => rows.iter().map(|row| row.seq).collect(),
        }
    }

    /// The place of its last row.
    pub(super) fn last_seq(&self) -> i64 {
        self.merged.last().unwrap_or(&self.request).seq
    }

    /// Each row by itself, where there are several.
    pub(super) fn split(&mut self) -> Vec<Self> {
        std::mem::take(&mut self.merged).into_iter().map(Self::single).collect()
    }
}

/// Makes requests of rows that follow each other. Where nothing may be merged, because some of the rows may have been
/// sent, only the batches that are stored stay together. What the bot says is never merged: each is an answer or a
/// piece of news.
pub(super) fn plan(rows: Vec<Outbox>, may_merge: bool, bot: &str) -> VecDeque<Planned> {
    let mut planned = VecDeque::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        let mut group = vec![first];
        let stored = group[0].batch;
        let mut text = Text::default();
        if stored.is_some() {
            while let Some(next) = rows.next_if(|row| row.batch == stored) {
                group.push(next);
            }
            if group.len() > 1 {
                group.iter().for_each(|row| text.add(&content_of(row)));
            }
        } else if may_merge && group[0].sender != bot && rows.peek().is_some() {
            gather(&mut group, &mut text, &mut rows);
        }
        if group.len() > 1 {
            let request = Outbox { payload: text.content().to_string(), ..group[0].clone() };
            planned.push_back(Planned { request, merged: group, is_new: stored.is_none() });
        } else {
            planned.extend(group.pop().map(Planned::single));
        }
    }
    planned
}

/// Takes the rows that belong to the first one.
fn gather(
    group: &mut Vec<Outbox>,
    text: &mut Text,
    rows: &mut std::iter::Peekable<std::vec::IntoIter<Outbox>>,
) {
    if !is_line(&group[0]) {
        return;
    }
    let first = content_of(&group[0]);
    if !is_plain(&first) {
        return;
    }
    text.add(&first);
    loop {
        let last = &group[group.len() - 1];
        let fits = |row: &Outbox| {
            is_line(row)
                && row.sender == last.sender
                && row.ts.is_some() == last.ts.is_some()
                && time_of(row).abs_diff(time_of(last)) <= LONGEST_PAUSE
        };
        let Some(next) = rows.peek().filter(|row| fits(row)) else { return };
        let content = content_of(next);
        if !is_plain(&content) || content["msgtype"] != first["msgtype"] || !text.has_room_for(&content) {
            return;
        }
        text.add(&content);
        group.extend(rows.next());
    }
}

/// Whether a row may be one line of several, as far as can be seen without reading it.
fn is_line(row: &Outbox) -> bool {
    row.kind == OutboxKind::Message && row.batch.is_none()
}

/// When it was said.
fn time_of(row: &Outbox) -> i64 {
    row.ts.unwrap_or(row.created_at)
}

fn content_of(row: &Outbox) -> Value {
    serde_json::from_str(&row.payload).unwrap_or_default()
}

/// Whether a content is a text or a notice and nothing else: no action, no answer, nothing that this does not know.
fn is_plain(content: &Value) -> bool {
    is_known(content)
        && matches!(content["msgtype"].as_str(), Some("m.text" | "m.notice"))
        && content["body"].is_string()
        && (content["format"].is_null() || content["format"] == "org.matrix.custom.html")
}

/// Whether a content is a message without anything special about it, such as what it answers.
pub(super) fn is_known(content: &Value) -> bool {
    const KNOWN: [&str; 6] = ["msgtype", "body", "format", "formatted_body", "m.mentions", CONTENT_KEY];
    content.as_object().is_some_and(|fields| fields.keys().all(|key| KNOWN.contains(&key.as_str())))
}

/// What several rows say together.
#[derive(Default)]
struct Text {
    first: Value,
    body: String,
    lines: usize,
    html: String,
    is_styled: bool,
    mentioned: BTreeSet<String>,
    mentions_room: bool,
}

impl Text {
    fn has_room_for(&self, content: &Value) -> bool {
        let body = content["body"].as_str().unwrap_or_default();
        self.lines + body.split('\n').count() <= MOST_LINES
            && self.body.len() + 1 + body.len() <= LONGEST_BODY
            && self.html.len() + "<br>".len() + html_of(content).len() <= LONGEST_HTML
    }

    fn add(&mut self, content: &Value) {
        let body = content["body"].as_str().unwrap_or_default();
        if self.lines == 0 {
            self.first = content.clone();
        } else {
            self.body.push('\n');
            self.html.push_str("<br>");
        }
        self.body.push_str(body);
        self.lines += body.split('\n').count();
        self.html.push_str(&html_of(content));
        self.is_styled |= content["formatted_body"].is_string();
        let mentions = &content["m.mentions"];
        let users = mentions["user_ids"].as_array().into_iter().flatten();
        self.mentioned.extend(users.filter_map(|user| user.as_str().map(str::to_owned)));
        self.mentions_room |= mentions["room"] == true;
    }

    /// The content of the event: that of the first row, with what all say.
    fn content(self) -> Value {
        let mut content = self.first;
        content["body"] = self.body.into();
        if self.is_styled {
            content["format"] = "org.matrix.custom.html".into();
            content["formatted_body"] = self.html.into();
        }
        let mut mentions = json!({});
        if !self.mentioned.is_empty() {
            mentions["user_ids"] = json!(self.mentioned);
        }
        if self.mentions_room {
            mentions["room"] = true.into();
        }
        content["m.mentions"] = mentions;
        content
    }
}

/// A line as HTML.
fn html_of(content: &Value) -> String {
    match content["formatted_body"].as_str() {
        Some(html) => html.to_owned(),
        None => escape_html(content["body"].as_str().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BOT: &str = "@bot:x";

    fn row(seq: i64, content: Value) -> Outbox {
        let txn_id = format!("txn{seq}");
        let mut content = content;
        content[CONTENT_KEY] = txn_id.clone().into();
        Outbox {
            seq,
            room: 1,
            txn_id,
            sender: "@bob:x".into(),
            kind: OutboxKind::Message,
            payload: content.to_string(),
            ts: None,
            batch: None,
            created_at: 1_000 + seq,
        }
    }

    fn text(seq: i64, body: &str) -> Outbox {
        row(seq, json!({ "msgtype": "m.text", "body": body, "m.mentions": {} }))
    }

    /// The places of each request's rows.
    fn shape(planned: &VecDeque<Planned>) -> Vec<Vec<i64>> {
        planned.iter().map(Planned::seqs).collect()
    }

    fn content(planned: &Planned) -> Value {
        serde_json::from_str(&planned.request.payload).unwrap()
    }

    #[test]
    fn lines_that_follow_each_other_are_one_event_under_the_first_ones_key() {
        let planned = plan(vec![text(1, "one"), text(2, "two"), text(5, "three")], true, BOT);
        assert_eq!(shape(&planned), [[1, 2, 5]]);
        assert_eq!((planned[0].rows(), planned[0].last_seq(), planned[0].is_new), (3, 5, true));
        assert_eq!(planned[0].request.txn_id, "txn1");
        let wanted =
            json!({ "msgtype": "m.text", "body": "one\ntwo\nthree", "m.mentions": {}, CONTENT_KEY: "txn1" });
        assert_eq!(content(&planned[0]), wanted);
    }

    #[test]
    fn lines_without_html_are_escaped_beside_those_with_html() {
        let styled = json!({ "msgtype": "m.text", "body": "bold", "format": "org.matrix.custom.html",
            "formatted_body": "<b>bold</b>", "m.mentions": { "user_ids": ["@b:x"] } });
        let named =
            json!({ "msgtype": "m.text", "body": "hi", "m.mentions": { "user_ids": ["@a:x", "@b:x"] } });
        let planned = plan(vec![text(1, "a < b & c"), row(2, styled), row(3, named)], true, BOT);
        let content = content(&planned[0]);
        assert_eq!(content["body"], "a < b & c\nbold\nhi");
        assert_eq!(content["formatted_body"], "a &lt; b &amp; c<br><b>bold</b><br>hi");
        assert_eq!(content["format"], "org.matrix.custom.html");
        assert_eq!(content["m.mentions"], json!({ "user_ids": ["@a:x", "@b:x"] }));
    }

    #[rstest]
    #[case::another_sender(Outbox { sender: "@carol:x".into(), ..text(2, "two") })]
    #[case::an_action(row(2, json!({ "msgtype": "m.emote", "body": "waves", "m.mentions": {} })))]
    #[case::a_notice_after_a_text(row(2, json!({ "msgtype": "m.notice", "body": "psst", "m.mentions": {} })))]
    #[case::a_reply(row(2, json!({ "msgtype": "m.text", "body": "no", "m.mentions": {},
        "m.relates_to": { "m.in_reply_to": { "event_id": "$e" } } })))]
    #[case::something_unknown(row(2, json!({ "msgtype": "m.text", "body": "x", "org.example": 1 })))]
    #[case::another_format(row(2, json!({ "msgtype": "m.text", "body": "x", "format": "org.example" })))]
    #[case::a_pause(Outbox { created_at: 3_002, ..text(2, "two") })]
    #[case::a_time_of_its_own(Outbox { ts: Some(7), ..text(2, "two") })]
    #[case::a_state_event(Outbox { kind: OutboxKind::State, ..text(2, "two") })]
    #[case::a_redaction(Outbox { kind: OutboxKind::Redact, ..text(2, "two") })]
    #[case::an_invitation(Outbox { kind: OutboxKind::Invite, ..text(2, "two") })]
    #[case::a_reaction(Outbox { kind: OutboxKind::Reaction, ..text(2, "two") })]
    #[case::an_event_of_its_own(Outbox { batch: Some(2), ..text(2, "two") })]
    #[case::too_long(text(2, &"x".repeat(LONGEST_BODY - 3)))]
    #[case::too_many_lines(text(2, &"\n".repeat(MOST_LINES - 1)))]
    #[case::too_much_html(text(2, &"'".repeat(LONGEST_HTML / 5)))]
    fn what_is_not_one_persons_next_line_ends_an_event(#[case] second: Outbox) {
        let first = Outbox { created_at: 1_001, ..text(1, "one") };
        let third = text(3, "three");
        let payload = second.payload.clone();
        let planned = plan(vec![first, second, third], true, BOT);
        assert_eq!(planned[0].seqs(), [1]);
        assert_eq!(planned[1].request.seq, 2);
        assert!(!planned[0].is_new && (planned[1].is_new || planned[1].request.payload == payload));
    }

    #[test]
    fn what_has_a_time_or_a_batch_of_its_own_takes_no_line_in_either() {
        for first in [
            Outbox { ts: Some(7), ..text(1, "one") },
            Outbox { batch: Some(1), ..text(1, "one") },
            Outbox { kind: OutboxKind::State, ..text(1, "one") },
            Outbox { payload: "no json".into(), ..text(1, "one") },
            Outbox { sender: BOT.into(), ..text(1, "one") },
        ] {
            let second = Outbox { sender: first.sender.clone(), ..text(2, "two") };
            assert_eq!(shape(&plan(vec![first, second], true, BOT)), [[1], [2]]);
        }
    }

    #[test]
    fn lines_that_were_missed_are_one_event_where_they_were_said_in_one_go() {
        let at = |seq, ts| Outbox { ts: Some(ts), ..text(seq, "x") };
        let planned = plan(vec![at(1, 7_000), at(2, 9_000), at(3, 11_001), text(4, "now")], true, BOT);
        assert_eq!(shape(&planned), [vec![1, 2], vec![3], vec![4]]);
        assert_eq!(planned[0].request.ts, Some(7_000));
    }

    #[test]
    fn an_event_has_thirty_lines_at_the_most() {
        let planned = plan((1..=70).map(|seq| text(seq, "x")).collect(), true, BOT);
        assert_eq!(planned.iter().map(Planned::rows).collect::<Vec<_>>(), [30, 30, 10]);
    }

    #[test]
    fn invariant_1_a_stored_batch_is_the_same_event_again_and_takes_nothing_in() {
        let before = plan(vec![text(1, "one"), text(2, "two")], true, BOT);
        let stored = |seq, body: &str| Outbox { batch: Some(1), ..text(seq, body) };
        for may_merge in [true, false] {
            let again = plan(vec![stored(1, "one"), stored(2, "two"), text(3, "three")], may_merge, BOT);
            assert_eq!(shape(&again), [vec![1, 2], vec![3]]);
            assert_eq!(content(&again[0]), content(&before[0]));
            assert!(!again[0].is_new);
        }
    }

    #[test]
    fn invariant_1_what_may_have_been_sent_by_itself_stays_by_itself() {
        let planned = plan(vec![text(1, "one"), text(2, "two")], false, BOT);
        assert_eq!(shape(&planned), [[1], [2]]);
    }

    #[test]
    fn an_event_that_is_too_large_falls_into_its_rows() {
        let mut planned = plan(vec![text(1, "one"), text(2, "two")], true, BOT);
        let split = planned[0].split();
        assert_eq!(split.iter().map(|one| content(one)["body"].clone()).collect::<Vec<_>>(), ["one", "two"]);
    }
}
