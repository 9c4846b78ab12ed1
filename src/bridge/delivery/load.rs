//! How full the rooms' outboxes are, and what goes to history only beyond their bound.
//!
//! The figures are estimates in memory, kept up by whoever adds and whoever delivers: below the bound they cost a look
//! into a map for each commit. Near it the commit itself looks into the store, which has the last word. What must reach
//! the person is never folded: lines that mention them, answers, and everything that is said to them alone.
//!
//! | who | does |
//! |---|---|
//! | a session's commit | [`Bridge::commit_incoming`]: folds what there is no space for |
//! | the room's lane | closes the fold when the room has nothing left to send |
//! | the store | closes it before anything that is never folded |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::super::Bridge;
use super::super::desk::{MOST_LISTED, PREFIX};
use super::super::session::wording;
use super::merge;
use crate::format::{RichText, date};
use crate::store::{
    Committed, Errand, Folded, Folding, Incoming, NewOutbox, NewQuestion, OutboxKind, RoomKind, StoreError,
};

/// How full the rooms are.
#[derive(Default)]
pub(in crate::bridge) struct Load(Mutex<HashMap<i64, Room>>);

#[derive(Default)]
struct Room {
    /// Requests that wait, about.
    waiting: i64,
    /// Lines may be folded that no event stands for yet.
    may_have_fold: bool,
    /// Grows whenever requests are added or lines folded: what was seen before is no news about them.
    changes: u64,
}

/// When somebody looked: before so many changes.
pub(super) struct Look(u64);

impl Load {
    fn rooms(&self) -> MutexGuard<'_, HashMap<i64, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rooms have something waiting.
    pub(in crate::bridge) fn len(&self) -> usize {
        self.rooms().len()
    }

    /// What the store holds at a start.
    pub(in crate::bridge) fn begin(&self, waiting: &[(i64, i64)], folds: &[i64]) {
        let mut rooms = self.rooms();
        for (room, waiting) in waiting {
            rooms.entry(*room).or_default().waiting = *waiting;
        }
        for room in folds {
            rooms.entry(*room).or_default().may_have_fold = true;
        }
    }

    /// The rooms that may be full with these requests, and how many each of them has left.
    fn crowded(&self, rows: &[NewOutbox], limit: i64) -> BTreeMap<i64, i64> {
        let mut rooms = self.rooms();
        let mut crowded = BTreeMap::new();
        for (id, new) in count(rows) {
            if let Some(room) = rooms.get_mut(&id)
                && (room.may_have_fold || room.waiting + new > limit)
            {
                // From before the commit on: whoever looks meanwhile must not be sure that there is none.
                room.may_have_fold = true;
                room.changes += 1;
                crowded.insert(id, limit - room.waiting);
            }
        }
        crowded
    }

    /// Whether a room has so much waiting that what nobody waits for is better left out: lines have more of the space.
    fn is_busy(&self, room: i64, limit: i64) -> bool {
        self.rooms().get(&room).is_some_and(|load| load.waiting >= limit / 2)
    }

    /// These requests are stored, or folded.
    fn added(&self, new: &BTreeMap<i64, i64>, folded: &BTreeMap<i64, i64>) {
        let mut rooms = self.rooms();
        for (id, new) in new {
            let room = rooms.entry(*id).or_default();
            room.waiting += new;
            room.changes += 1;
        }
        for (id, folded) in folded {
            let room = rooms.entry(*id).or_default();
            room.waiting -= folded;
            // The lane may have closed a fold between the decision and the commit, and thinks that there is none.
            room.may_have_fold = true;
            room.changes += 1;
        }
    }

    /// The row that stands for a room's folded lines waits from now on.
    pub(super) fn closed(&self, room: i64) {
        self.added(&[(room, 1)].into(), &BTreeMap::new());
    }

    /// So many requests of a room wait no longer.
    pub(super) fn done(&self, room: i64, requests: usize) {
        if let Some(room) = self.rooms().get_mut(&room) {
            room.waiting = (room.waiting - requests as i64).max(0);
        }
    }

    /// What waited for a room, so many requests, waits for another one from now on.
    pub(in crate::bridge) fn moved(&self, from: i64, to: i64, requests: u64) {
        self.rooms().remove(&from);
        self.added(&[(to, i64::try_from(requests).unwrap_or(i64::MAX))].into(), &BTreeMap::new());
    }

    /// To be called before the store is asked what waits for a room.
    pub(super) fn look(&self, room: i64) -> Look {
        Look(self.rooms().get(&room).map_or(0, |room| room.changes))
    }

    /// A room had nothing to send at that look: whether lines may be folded.
    pub(super) fn drained(&self, room: i64, seen: &Look) -> Option<Look> {
        let mut rooms = self.rooms();
        let load = rooms.get(&room)?;
        if load.may_have_fold {
            return Some(Look(load.changes));
        }
        // With it goes what the estimate was wrong by; what came since waits, and must not go with it.
        if load.changes == seen.0 {
            rooms.remove(&room);
        }
        None
    }

    /// The store has no folded lines of a room, as far as they were folded before that look.
    pub(super) fn unfolded(&self, room: i64, seen: &Look) {
        if let Some(room) = self.rooms().get_mut(&room)
            && room.changes == seen.0
        {
            room.may_have_fold = false;
        }
    }
}

fn count(rows: &[NewOutbox]) -> BTreeMap<i64, i64> {
    let mut count = BTreeMap::new();
    for row in rows {
        *count.entry(row.room).or_default() += 1;
    }
    count
}

/// Whether a request is routine: it may go to history only.
fn is_foldable(row: &NewOutbox) -> bool {
    if row.kind != OutboxKind::Message {
        return false;
    }
    let content: Value = serde_json::from_str(&row.payload).unwrap_or_default();
    let mentions = &content["m.mentions"];
    let mentions_nobody =
        mentions["user_ids"].as_array().is_none_or(Vec::is_empty) && mentions["room"] != true;
    merge::is_known(&content) && mentions_nobody
}

/// What is said in place of lines that are not shown: of a channel's, or of the server's.
pub(super) fn notice_of(folded: Folded, is_channel: bool) -> RichText {
    let Folded { lines, unkept, first_at, last_at } = folded;
    let kept = lines.saturating_sub(unkept);
    let (what, they_are) = if lines == 1 {
        (format!("1 line of {} is", wording::time(first_at)), "It is")
    } else {
        (format!("{} lines {} are", with_commas(lines), wording::span(first_at, last_at)), "They are")
    };
    let text = RichText::plain(format!("{what} not shown here: the homeserver was away. "));
    if !is_channel {
        return text.text(match lines {
            1 => "It was the server's, and is not kept.",
            _ => "They were the server's, and are not kept.",
        });
    }
    let text = match (kept, unkept) {
        (..=0, _) => return text.text(format!("{they_are} not in the history either.")),
        (_, ..=0) => text.text(format!("{they_are} in the history; ")),
        _ => text.text(format!("{} of them are in the history, the others are not; ", with_commas(kept))),
    };
    // It stands in a channel's room, where words without the prefix would be said on IRC.
    if lines <= MOST_LISTED {
        text.text("type ").code(format!("{PREFIX} history {MOST_LISTED}")).text(".")
    } else {
        let day = date(first_at);
        text.text("to find one, type ").code(format!("{PREFIX} search since {day} WORDS")).text(".")
    }
}

/// A number with its thousands apart.
fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

impl Bridge {
    /// Whether a room takes a reaction: those that it doesn't are shown nowhere. Taking one back always has its place,
    /// since only what was taken can be taken back.
    pub(in crate::bridge) fn takes_reactions(&self, room: i64) -> bool {
        !self.load.is_busy(room, i64::from(self.limits().outbox))
    }

    /// Commits requests that belong to no session's reading. They are counted like all others: a room that has less
    /// waiting than was thought is asked about, and one that has more would grow beyond its bound.
    pub(in crate::bridge) async fn enqueue(&self, rows: Vec<NewOutbox>) -> Result<(), StoreError> {
        let new = count(&rows);
        self.store.enqueue(rows, self.clock.unix_ms()).await?;
        self.load.added(&new, &BTreeMap::new());
        Ok(())
    }

    /// Commits the answer to an event and marks the event as done, together.
    pub(in crate::bridge) async fn answer_event(
        &self,
        seq: i64,
        rows: Vec<NewOutbox>,
    ) -> Result<(), StoreError> {
        let new = count(&rows);
        self.store.answer_event(seq, rows, self.clock.unix_ms()).await?;
        self.load.added(&new, &BTreeMap::new());
        Ok(())
    }

    /// Marks an event as done and commits that its command is under way.
    pub(in crate::bridge) async fn begin_errand(
        &self,
        seq: i64,
        user: i64,
        errand: &Errand,
        rows: Vec<NewOutbox>,
    ) -> Result<(), StoreError> {
        let new = count(&rows);
        self.store.begin_errand(seq, user, errand, rows, self.clock.unix_ms()).await?;
        self.load.added(&new, &BTreeMap::new());
        Ok(())
    }

    /// Commits the question that an event leads to and marks the event as done, together.
    pub(in crate::bridge) async fn ask(
        &self,
        seq: i64,
        rows: Vec<NewOutbox>,
        question: NewQuestion,
    ) -> Result<(), StoreError> {
        let new = count(&rows);
        self.store.ask(seq, rows, question, self.clock.unix_ms()).await?;
        self.load.added(&new, &BTreeMap::new());
        Ok(())
    }

    /// Commits the answer to a command, and that it is no longer under way.
    pub(in crate::bridge) async fn end_errand(
        &self,
        user: i64,
        rows: Vec<NewOutbox>,
    ) -> Result<(), StoreError> {
        let new = count(&rows);
        self.store.end_errand(user, rows, self.clock.unix_ms()).await?;
        self.load.added(&new, &BTreeMap::new());
        Ok(())
    }

    /// Commits that an event answers a question and is done with, together; `false` where that was answered before. A
    /// command was done with before it ran, and has no number.
    pub(in crate::bridge) async fn close_question(
        &self,
        txn_id: &str,
        seq: Option<i64>,
        rows: Vec<NewOutbox>,
    ) -> Result<bool, StoreError> {
        let new = count(&rows);
        let is_open = self.store.answer_question(txn_id, seq, rows, self.clock.unix_ms()).await?;
        if is_open {
            self.load.added(&new, &BTreeMap::new());
        }
        Ok(is_open)
    }

    /// Drops all that waits for a room which nobody will see.
    pub(in crate::bridge) async fn drop_requests(&self, room: i64) -> Result<(), StoreError> {
        let dropped = self.store.drop_requests(room).await?;
        self.load.done(room, usize::try_from(dropped).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Commits what a session has read. Beyond a room's bound its routine goes to history only.
    pub(in crate::bridge) async fn commit_incoming(
        &self,
        session: i64,
        epoch: i64,
        network: &str,
        mut incoming: Incoming,
    ) -> Result<Committed, StoreError> {
        let limit = i64::from(self.limits().outbox);
        let new = count(&incoming.outbox);
        let mut left = self.load.crowded(&incoming.outbox, limit);
        for room in left.keys().copied().collect::<Vec<_>>() {
            // What is said to somebody alone always waits.
            let kind = self.store.room(room).await?.map(|room| room.kind()).transpose()?;
            if kind.is_none_or(|kind| kind == RoomKind::Query) {
                left.remove(&room);
            }
        }
        if !left.is_empty() {
            let rows = incoming.outbox.iter().enumerate();
            let foldable = rows.filter(|(_, row)| left.contains_key(&row.room) && is_foldable(row));
            let foldable: BTreeSet<usize> = foldable.map(|(place, _)| place).collect();
            incoming.folding = Folding { limit, left, foldable };
        }
        // Where one room gets something, and has nothing to do.
        let idle = new.keys().next().filter(|_| new.len() == 1);
        let idle = idle.and_then(|room| Some((*room, self.heads.quiet(*room)?)));
        incoming.idle_room = idle.map(|(room, _)| room);
        let now = self.clock.unix_ms();
        let mut committed = self.store.commit_incoming(session, epoch, network, incoming, now).await?;
        self.load.added(&new, &committed.folded);
        if let (Some((room, quiet)), Some(look)) = (idle, committed.look.take()) {
            self.heads.offer(room, quiet, look);
        }
        Ok(committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::content::{self, MessageType};
    use rstest::rstest;

    fn line(kind: MessageType, mentioned: Option<&str>) -> NewOutbox {
        content::message_row(1, "@g:x", content::message(kind, &RichText::plain("hi"), mentioned), None)
    }

    fn answer() -> NewOutbox {
        let content = content::message(MessageType::Text, &RichText::plain("hi"), None);
        content::message_row(1, "@g:x", content::in_reply_to(content, "$e"), None)
    }

    #[rstest]
    #[case::a_line(line(MessageType::Text, None), true)]
    #[case::an_action(line(MessageType::Emote, None), true)]
    #[case::a_notice(line(MessageType::Notice, None), true)]
    #[case::a_highlight(line(MessageType::Text, Some("@a:x")), false)]
    #[case::an_answer(answer(), false)]
    #[case::a_topic(content::state_row(1, "@g:x", "m.room.topic", &serde_json::json!({ "topic": "x" })), false)]
    #[case::a_redaction(content::redact_row(1, "@g:x", "$e", "x"), false)]
    #[case::an_invitation(content::invite_row(1, "@g:x", "@a:x"), false)]
    fn only_routine_is_folded(#[case] row: NewOutbox, #[case] foldable: bool) {
        assert_eq!(is_foldable(&row), foldable);
    }

    const FIRST: i64 = 1_763_726_590_000;
    const DAY: &str = "from 2025-11-21 12:03:10 to 12:07:45 UTC";
    const LAST: i64 = 1_763_726_865_000;

    #[rstest]
    #[case::many(
        (4_210, 0), LAST, true,
        &format!("4,210 lines {DAY} are not shown here: the homeserver was away. They are in the history; to find one, \
            type !irc search since 2025-11-21 WORDS."),
    )]
    #[case::few(
        (200, 0), LAST, true,
        &format!("200 lines {DAY} are not shown here: the homeserver was away. They are in the history; type !irc history \
            200."),
    )]
    #[case::one(
        (1, 0), FIRST, true,
        "1 line of 2025-11-21 12:03:10 UTC is not shown here: the homeserver was away. \
        It is in the history; type !irc history 200.",
    )]
    #[case::not_kept(
        (50, 50), LAST, true,
        &format!("50 lines {DAY} are not shown here: the homeserver was away. They are not in the history either."),
    )]
    #[case::one_not_kept(
        (1, 1), FIRST, true,
        "1 line of 2025-11-21 12:03:10 UTC is not shown here: the homeserver was away. It is not in the history either.",
    )]
    #[case::some_kept(
        (50, 20), LAST, true,
        &format!("50 lines {DAY} are not shown here: the homeserver was away. 30 of them are in the history, the others \
            are not; type !irc history 200."),
    )]
    #[case::of_the_server(
        (1_000_000, 1_000_000), LAST, false,
        &format!("1,000,000 lines {DAY} are not shown here: the homeserver was away. They were the server's, and are \
            not kept."),
    )]
    fn the_notice_says_how_many_and_where_they_are(
        #[case] (lines, unkept): (i64, i64),
        #[case] last_at: i64,
        #[case] is_channel: bool,
        #[case] wanted: &str,
    ) {
        let folded = Folded { lines, unkept, first_at: FIRST, last_at };
        assert_eq!(notice_of(folded, is_channel).to_plain(), wanted);
    }

    #[test]
    fn a_room_is_crowded_when_it_would_be_more_than_full_and_while_lines_are_folded() {
        let load = Load::default();
        let one = [line(MessageType::Text, None)];
        assert!(load.crowded(&one, 10).is_empty());
        load.begin(&[(1, 9)], &[]);
        assert!(load.crowded(&one, 10).is_empty(), "the tenth has its place");
        load.added(&count(&one), &BTreeMap::new());
        assert_eq!(load.crowded(&one, 10), [(1, 0)].into());
        load.done(1, 5);
        assert_eq!(load.crowded(&one, 10), [(1, 5)].into(), "until the lane has looked");
    }

    #[test]
    fn half_of_the_space_is_for_lines_alone() {
        let load = Load::default();
        assert!(!load.is_busy(1, 10));
        load.begin(&[(1, 4)], &[]);
        assert!(!load.is_busy(1, 10));
        load.added(&count(&[answer()]), &BTreeMap::new());
        assert!(load.is_busy(1, 10));
        load.done(1, 1);
        assert!(!load.is_busy(1, 10));
    }

    #[test]
    fn an_answer_that_is_done_late_takes_no_lines_place() {
        let load = Load::default();
        load.added(&count(&[answer()]), &BTreeMap::new());
        load.added(&count(&[line(MessageType::Text, None)]), &BTreeMap::new());
        load.done(1, 1);
        let ten: Vec<NewOutbox> = (0..10).map(|_| line(MessageType::Text, None)).collect();
        assert_eq!(load.crowded(&ten, 10), [(1, 9)].into());
    }

    #[test]
    fn an_estimate_that_was_wrong_is_forgotten_when_a_room_has_nothing_to_send() {
        let load = Load::default();
        load.begin(&[(1, 9)], &[]);
        load.done(1, 5);
        assert!(load.drained(1, &load.look(1)).is_none());
        let ten: Vec<NewOutbox> = (0..10).map(|_| line(MessageType::Text, None)).collect();
        assert!(load.crowded(&ten, 10).is_empty());
    }

    /// Before, a line that came while the lane found nothing to send was not counted, and the room took one too many.
    #[test]
    fn a_line_that_comes_between_the_look_and_its_end_is_counted() {
        let load = Load::default();
        let look = load.look(1);
        load.added(&count(&[line(MessageType::Text, None)]), &BTreeMap::new());
        assert!(load.drained(1, &look).is_none());
        let ten: Vec<NewOutbox> = (0..10).map(|_| line(MessageType::Text, None)).collect();
        assert_eq!(load.crowded(&ten, 10), [(1, 9)].into());
    }

    #[test]
    fn a_fold_made_while_another_is_closed_is_not_forgotten() {
        let load = Load::default();
        let one = [line(MessageType::Text, None)];
        load.begin(&[(1, 10)], &[]);
        load.crowded(&one, 10);
        load.added(&count(&one), &[(1, 1)].into());
        load.done(1, 10);
        // The lane looks, a line is folded, the lane learns that the first ones are told.
        let seen = load.drained(1, &load.look(1)).unwrap();
        load.crowded(&one, 10);
        load.added(&count(&one), &[(1, 1)].into());
        load.unfolded(1, &seen);
        let seen = load.drained(1, &load.look(1)).expect("the last one is still to be told");
        load.unfolded(1, &seen);
        assert!(load.drained(1, &load.look(1)).is_none());
        assert!(load.rooms().is_empty(), "nothing is kept of a room that has nothing to send");
    }
}
