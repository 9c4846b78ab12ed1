//! What was said while the session was away, fetched where the server keeps it (`draft/chathistory`).
//!
//! A room's timeline has the order in which events were sent, whatever time they carry. So while a buffer's missing
//! lines are fetched, its live lines wait for them, ten seconds at most; what comes later stands under a heading. The
//! lines that wait are in memory only, and the gap stays in the store until it is closed: after a crash in the middle
//! the server is asked again, for them as well, and what is in the room already is known by its id.
//!
//! Spec: `IRCv3` draft "chathistory".

mod replay;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use self::replay::Replay;
use super::shown::Line;
use super::{Actor, wording};
use crate::irc::session::{HistoryMark, Origin, State, Target};
use crate::names::Nick;
use crate::store::{BufferKind, StoreError};

/// How long live lines wait for those that were missed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Live lines that may wait for a buffer.
const MOST_WAITING: usize = 1_000;
/// Lines that are fetched for a buffer; what is beyond is told of as missing.
const MOST_MISSED: usize = 100_000;
/// Buffers that are asked for at a time; the others wait for their turn, since flood control lets few lines go.
const MOST_ASKED: usize = 4;
/// Lines are asked for from so much before the last one that is known, by the server's time: those of a moment need
/// not have come in the order of their times. What is known already is shown once. It is little, since a connection
/// that breaks again and again must get further each time.
const OVERLAP: i64 = 5 * 1000;
/// But where so many were said in less than that, not from before them.
const OVERLAPPING: usize = 100;
/// And so much earlier where only our own clock tells the time.
const SKEW: i64 = 5 * 60 * 1000;
/// A bouncer is asked for so much more than was missed, since its clock is not ours.
const PLAYBACK_OVERLAP: i64 = 60 * 1000;
/// Lines without an id are known again by their time, give or take this, in milliseconds.
const MOMENT: i64 = 1_000;
/// Conversations that are fetched after an absence.
const MOST_CONVERSATIONS: usize = 100;
/// Who tells of joins and quits in the history of a server that shows them as talk.
const HISTORY_SERVICE: &str = "HistServ";

type Waiting = VecDeque<(Line, Option<char>)>;

/// A buffer whose missing lines are being fetched.
#[derive(Debug)]
struct CatchUp {
    /// Since when they are missing, in milliseconds since 1970.
    from: i64,
    /// The time of the last line before them that is stored, by the server's clock.
    known: Option<i64>,
    /// What was asked for reaches back to that line: nothing is cut off.
    reaches_back: bool,
    /// The request under way; none while it waits for its turn.
    request: Option<u64>,
    /// The time from which that request asks on.
    asked_from: i64,
    /// Lines that have come.
    lines: usize,
    /// The time of the first line that came.
    first_time: Option<i64>,
    /// The time of the last one …
    last_time: Option<i64>,
    /// … and its id.
    last_id: Option<String>,
    /// Live lines that wait, until when.
    waiting: Waiting,
    waits_until: Option<Instant>,
    /// The ids of the live lines that came meanwhile: the answer has them, too.
    live: HashSet<String>,
    /// Live lines that waited when the last connection broke. What the server keeps of them comes again.
    left_over: Waiting,
    /// The heading was said.
    headed: bool,
}

/// Everything that is being fetched.
#[derive(Debug, Default)]
pub(super) struct CatchingUp {
    /// What comes again, by the number of the buffer.
    replays: HashMap<i64, Replay>,
    /// By the number of the buffer.
    buffers: HashMap<i64, CatchUp>,
    /// Buffers that wait for their turn to be asked for.
    queue: VecDeque<i64>,
    /// Live lines that waited when the connection broke, by the number of the buffer: the server keeps them, too, but
    /// the next one may not.
    left_over: HashMap<i64, Waiting>,
    /// The conversations of the absence were asked for; since when we were away.
    conversations: Option<(u64, i64)>,
    /// Since when we were away, until the conversations are asked for.
    pub(super) away_from: Option<i64>,
}

impl CatchingUp {
    /// We were away since this time.
    pub(super) fn since(away_from: Option<i64>) -> Self {
        Self { away_from, ..Self::default() }
    }

    /// While conversations are to be found, the absence goes on: a crash must not end it.
    pub(super) fn looks_for_conversations(&self) -> bool {
        self.conversations.is_some()
    }

    /// The buffers whose missing lines are still to come.
    pub(super) fn buffers(&self) -> impl Iterator<Item = i64> {
        self.buffers.keys().copied()
    }

    /// Whether a buffer's missing lines are still to come.
    pub(super) fn holds(&self, buffer: i64) -> bool {
        self.buffers.contains_key(&buffer)
    }

    /// When live lines have waited long enough. For an answer the session waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.buffers.values().filter_map(|one| one.waits_until).min()
    }

    /// The buffer that a request is about.
    fn buffer_of(&self, request: u64) -> Option<i64> {
        self.buffers.iter().find(|(_, one)| one.request == Some(request)).map(|(buffer, _)| *buffer)
    }
}

impl Actor {
    /// Asks for what is missing in a buffer since this time; `false` where the server can't tell.
    pub(super) async fn catch_up(&mut self, place: usize, from: i64) -> Result<bool, StoreError> {
        let buffer = self.buffers.get(place).row.id;
        let left_over = self.catching_up.left_over.remove(&buffer).unwrap_or_default();
        if !self.link.as_ref().is_some_and(|link| link.session.has_history()) {
            // They don't come again.
            for (line, status) in left_over {
                self.show(place, line, status).await?;
            }
            return Ok(false);
        }
        // Lines are stored in order until a gap begins, so that the last one before it is where to go on.
        let heard = self.bridge.store.last_heard_before(buffer, from, OVERLAPPING).await?;
        let known = heard.first().copied();
        let catch_up = CatchUp {
            from,
            known,
            reaches_back: known.is_none(),
            request: None,
            asked_from: known.map_or(from - SKEW, |known| known - overlap(&heard)),
            lines: 0,
            first_time: None,
            last_time: None,
            last_id: None,
            waiting: VecDeque::new(),
            waits_until: Some(self.now() + PATIENCE),
            live: HashSet::new(),
            left_over,
            headed: false,
        };
        self.catching_up.buffers.insert(buffer, catch_up);
        self.catching_up.queue.push_back(buffer);
        self.incoming.gaps.buffers.push((buffer, Some(from)));
        self.ask_next().await?;
        Ok(true)
    }

    /// Asks for the buffers whose turn it is.
    pub(super) async fn ask_next(&mut self) -> Result<(), StoreError> {
        while self.link.as_ref().is_some_and(|link| link.session.state() == State::Ready)
            && self.catching_up.buffers.values().filter(|one| one.request.is_some()).count() < MOST_ASKED
            && let Some(buffer) = self.catching_up.queue.pop_front()
        {
            let Some(place) = self.buffers.find_id(buffer) else { continue };
            let Some(catch_up) = self.catching_up.buffers.get(&buffer) else { continue };
            let mark = HistoryMark::Time(catch_up.asked_from);
            let request = self.ask_for_history(place, mark);
            if let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) {
                catch_up.request = request;
            }
            if request.is_none() {
                self.give_up(place, "the server can't be asked for it").await?;
            }
        }
        Ok(())
    }

    fn ask_for_history(&mut self, place: usize, mark: HistoryMark) -> Option<u64> {
        let name = &self.buffers.get(place).row.name;
        let session = &mut self.link.as_mut()?.session;
        let target = Target::parse(name, session.isupport()).ok()?;
        session.request_history(&target, mark)
    }

    /// Whether a live line has to wait for what was said before it; then it is kept.
    pub(super) async fn waits_for_history(
        &mut self,
        place: usize,
        line: Line,
        status: Option<char>,
    ) -> Result<Option<(Line, Option<char>)>, StoreError> {
        let buffer = self.buffers.get(place).row.id;
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else {
            return Ok(Some((line, status)));
        };
        // What no server keeps is in nobody's hands but ours, and goes at once.
        let Some(id) = line.msgid.clone().filter(|_| status.is_none()) else {
            return Ok(Some((line, status)));
        };
        if catch_up.live.len() < MOST_WAITING {
            catch_up.live.insert(id);
        }
        if catch_up.waits_until.is_none() {
            return Ok(Some((line, status)));
        }
        catch_up.waiting.push_back((line, status));
        if catch_up.waiting.len() >= MOST_WAITING {
            self.let_live_lines_go(buffer).await?;
        }
        Ok(None)
    }

    /// A line that was missed has come: how many like it came before it; `None` where it is not to be shown.
    pub(super) fn on_missed_line(&mut self, place: usize, line: &Line) -> Option<u32> {
        let buffer = self.buffers.get(place).row.id;
        let before = self.catching_up.replays.entry(buffer).or_default().count(line);
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else { return Some(before) };
        if !matches!(line.origin, Origin::History { .. }) {
            return Some(before);
        }
        catch_up.lines += 1;
        catch_up.reaches_back |= catch_up.known.zip(line.time).is_some_and(|(known, time)| time <= known);
        catch_up.first_time = catch_up.first_time.or(line.time);
        catch_up.last_time = line.time.or(catch_up.last_time);
        catch_up.last_id.clone_from(&line.msgid);
        let is_live = line.msgid.as_ref().is_some_and(|id| catch_up.live.contains(id));
        if is_live || line.from.nick.eq_ignore_ascii_case(HISTORY_SERVICE) {
            return None;
        }
        if catch_up.waits_until.is_none() && !std::mem::replace(&mut catch_up.headed, true) {
            let text = format!("Missed lines, said since {}:", wording::time(catch_up.from));
            self.tell_buffer(place, &text);
        }
        Some(before)
    }

    /// An answer is complete, or there is none.
    pub(super) async fn on_history_end(
        &mut self,
        request: u64,
        lines: usize,
        failed: Option<String>,
    ) -> Result<(), StoreError> {
        if self.catching_up.conversations.is_some_and(|(asked, _)| asked == request) {
            tracing::debug!(?failed, "the conversations of the absence can't be told");
            self.catching_up.conversations = None;
            return Ok(());
        }
        let Some(buffer) = self.catching_up.buffer_of(request) else { return Ok(()) };
        let Some(place) = self.buffers.find_id(buffer) else { return Ok(()) };
        let limit = self.link.as_ref().map_or(0, |link| link.session.history_limit());
        if let Some(reason) = failed {
            self.give_up(place, &reason).await?;
        } else {
            let Some(catch_up) = self.catching_up.buffers.get(&buffer) else { return Ok(()) };
            if !catch_up.reaches_back {
                // The server has dropped what came right after what is known.
                let (from, to) = (catch_up.from, catch_up.first_time);
                self.tell_gap(place, from, to);
            }
            if lines < limit || lines == 0 {
                self.end_catch_up(buffer).await?;
            } else {
                self.ask_on(place).await?;
            }
        }
        self.ask_next().await
    }

    /// There may be more: asks on from the last line that came.
    async fn ask_on(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place).row.id;
        let finds_ids =
            self.link.as_ref().is_some_and(|link| link.session.isupport().finds_messages_by("msgid"));
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else { return Ok(()) };
        catch_up.reaches_back = true;
        let id = catch_up.last_id.take().filter(|_| finds_ids);
        // By time the lines of a moment come again, since the page may have been cut among them.
        let on = catch_up.last_time.map(|time| time - MOMENT).filter(|on| *on > catch_up.asked_from);
        let mark = id.map(HistoryMark::MessageId).or(on.map(HistoryMark::Time));
        if catch_up.lines >= MOST_MISSED {
            return self.give_up(place, "there is too much of it").await;
        }
        catch_up.asked_from = on.unwrap_or(catch_up.asked_from);
        let request = mark.and_then(|mark| self.ask_for_history(place, mark));
        if request.is_none() {
            return self.give_up(place, "the server can't be asked for more of it").await;
        }
        if let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) {
            catch_up.request = request;
            catch_up.known = catch_up.last_time.or(catch_up.known);
        }
        self.shorten_gap(buffer);
        Ok(())
    }

    /// What is still missing can't be fetched.
    async fn give_up(&mut self, place: usize, reason: &str) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place).row.id;
        let Some(catch_up) = self.catching_up.buffers.get(&buffer) else { return Ok(()) };
        tracing::info!(%reason, "what was missed can't be fetched");
        let from = catch_up.last_time.unwrap_or(catch_up.from);
        self.tell_gap(place, from, None);
        self.end_catch_up(buffer).await
    }

    /// All that can be fetched has come.
    async fn end_catch_up(&mut self, buffer: i64) -> Result<(), StoreError> {
        let left_over =
            self.catching_up.buffers.get_mut(&buffer).map(|one| std::mem::take(&mut one.left_over));
        if let Some(place) = self.buffers.find_id(buffer) {
            for (mut line, status) in left_over.into_iter().flatten() {
                // The server may have told it again just now.
                line.origin = Origin::Playback;
                self.show(place, line, status).await?;
            }
        }
        self.let_live_lines_go(buffer).await?;
        self.catching_up.buffers.remove(&buffer);
        self.incoming.gaps.buffers.push((buffer, None));
        // What the network did not keep may never have arrived; what it did is known by the commit.
        self.commit_incoming().await?;
        self.ask_about_uncertain(|line| line == buffer);
        Ok(())
    }

    /// A gap begins where the last line before it was said: what has come since is stored with this, and nobody asks
    /// for it again.
    fn shorten_gap(&mut self, buffer: i64) {
        if let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer)
            && let Some(known) = catch_up.known
        {
            catch_up.from = known;
            self.incoming.gaps.buffers.push((buffer, Some(known)));
        }
    }

    async fn let_live_lines_go(&mut self, buffer: i64) -> Result<(), StoreError> {
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else { return Ok(()) };
        catch_up.waits_until = None;
        // From now on lines are stored that came after the gap.
        self.shorten_gap(buffer);
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else { return Ok(()) };
        let waiting = std::mem::take(&mut catch_up.waiting);
        if let Some(place) = self.buffers.find_id(buffer) {
            for (line, status) in waiting {
                self.show(place, line, status).await?;
            }
        }
        Ok(())
    }

    /// Lets live lines go that have waited long enough.
    pub(super) async fn tick_catch_up(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let buffers = &self.catching_up.buffers;
        let is_late = |one: &CatchUp| one.waits_until.is_some_and(|until| until <= now);
        let late: Vec<i64> = buffers.iter().filter(|(_, one)| is_late(one)).map(|(id, _)| *id).collect();
        for buffer in late {
            self.let_live_lines_go(buffer).await?;
        }
        Ok(())
    }

    /// The connection is gone, and the gaps stay open. What waits is not shown: it would stand before what was said
    /// earlier and is still to be fetched.
    pub(super) fn break_off_catch_up(&mut self) {
        for (buffer, catch_up) in std::mem::take(&mut self.catching_up.buffers) {
            if let Some(place) = self.buffers.find_id(buffer) {
                self.buffers.get_mut(place).gap_from = Some(catch_up.from);
                let lines = catch_up.left_over.into_iter().chain(catch_up.waiting);
                self.catching_up.left_over.insert(buffer, lines.take(MOST_WAITING).collect());
            }
        }
        self.catching_up.queue.clear();
        self.catching_up.replays.clear();
        if let Some((_, from)) = self.catching_up.conversations.take() {
            self.catching_up.away_from = Some(from);
        }
    }

    /// The network can be spoken to: who spoke to us meanwhile? ZNC tells all that it kept, where it can.
    pub(super) async fn look_for_conversations(&mut self) -> Result<(), StoreError> {
        let away_from = self.catching_up.away_from.take();
        let to = self.bridge.clock.unix_ms().saturating_add(SKEW);
        let Some(link) = &mut self.link else { return Ok(()) };
        if let Some(from) = away_from {
            link.session.request_playback(from.saturating_sub(PLAYBACK_OVERLAP) / 1000);
            let asked = link.session.request_history_targets(from - SKEW, to);
            self.catching_up.conversations = asked.map(|request| (request, from));
        }
        // What was broken off the last time.
        for place in 0..self.buffers.len() {
            let buffer = self.buffers.get_mut(place);
            if buffer.row.kind == BufferKind::Query
                && let Some(from) = buffer.gap_from.take()
            {
                self.fetch_or_forget(place, from).await?;
            }
        }
        // Channels that we were in before the greeting was over.
        self.ask_next().await
    }

    pub(super) async fn on_history_targets(
        &mut self,
        request: u64,
        targets: Vec<(String, i64)>,
    ) -> Result<(), StoreError> {
        let Some((_, from)) = self.catching_up.conversations.take_if(|(asked, _)| *asked == request) else {
            return Ok(());
        };
        let nicks = self.nicks_of(targets);
        for name in nicks {
            let place = match self.buffers.find(&name) {
                Some(place) => place,
                None if self.has_room_for_query() => self.open_to(&name).await?,
                None => continue,
            };
            if !self.catching_up.holds(self.buffers.get(place).row.id) {
                self.fetch_or_forget(place, from).await?;
            }
        }
        Ok(())
    }

    /// The conversations among those where something was said.
    fn nicks_of(&self, targets: Vec<(String, i64)>) -> Vec<String> {
        let is_nick = |name: &String| {
            let is_channel = self.link.as_ref().is_some_and(|link| link.session.isupport().is_channel(name));
            !is_channel && !self.is_service(name) && Nick::new(name).is_ok()
        };
        targets.into_iter().map(|(name, _)| name).filter(is_nick).take(MOST_CONVERSATIONS).collect()
    }

    /// In a conversation nothing is missing where the server keeps nothing: who spoke was told that we were away.
    async fn fetch_or_forget(&mut self, place: usize, from: i64) -> Result<(), StoreError> {
        if !self.catch_up(place, from).await? {
            let buffer = self.buffers.get(place).row.id;
            self.incoming.gaps.buffers.push((buffer, None));
        }
        Ok(())
    }
}

/// From how long before the last of these times lines are asked for.
fn overlap(heard: &[i64]) -> i64 {
    match (heard.first(), heard.get(OVERLAPPING - 1)) {
        (Some(last), Some(before)) => (last - before).clamp(MOMENT, OVERLAP),
        _ => OVERLAP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_quiet_channel(3, 60_000, 5_000)]
    #[case::a_busy_one(100, 20, 1_980)]
    #[case::a_flood(100, 1, 1_000)]
    #[case::as_many_in_a_day(100, 600_000, 5_000)]
    #[case::nobody_ever(0, 0, 5_000)]
    fn what_is_asked_for_twice_is_little_where_much_is_said(
        #[case] lines: i64,
        #[case] apart: i64,
        #[case] milliseconds: i64,
    ) {
        let heard: Vec<i64> = (0..lines).map(|line| 1_000_000_000 - line * apart).collect();
        assert_eq!(overlap(&heard), milliseconds);
    }
}
