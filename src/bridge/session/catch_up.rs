//! What was said while the session was away, fetched where the server keeps it (`draft/chathistory`).
//!
//! A room's timeline has the order in which events were sent, whatever time they carry. So while a buffer's missing
//! lines are fetched, its live lines wait for them, ten seconds at most; what comes later stands under a heading. The
//! lines that wait are in memory only, and the gap stays in the store until it is closed: after a crash in the middle
//! the server is asked again, for them as well, and what is in the room already is known by its id.
//!
//! Spec: `IRCv3` draft "chathistory".

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::incoming::Line;
use super::{Actor, wording};
use crate::irc::session::{HistoryMark, Target};
use crate::names::Nick;
use crate::store::{BufferKind, StoreError};

/// How long live lines wait for those that were missed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_mins(1);
/// Live lines that may wait for a buffer.
const MOST_WAITING: usize = 1_000;
/// Lines that are fetched for a buffer; what is beyond is told of as missing.
const MOST_MISSED: usize = 10_000;
/// Lines are asked for from so much before the last one that is known, by the server's time: those of a moment need
/// not have come in the order of their times. What is known already is shown once. It is little, since a connection
/// that breaks again and again must get further each time.
const OVERLAP: i64 = 5 * 1000;
/// And so much earlier where only our own clock tells the time.
const SKEW: i64 = 5 * 60 * 1000;
/// A bouncer is asked for so much more than was missed, since its clock is not ours.
const PLAYBACK_OVERLAP: i64 = 60 * 1000;
/// Lines without an id are known again by their time, give or take this, in milliseconds.
const MOMENT: i64 = 1_000;
/// Conversations that are fetched after an absence.
const MOST_CONVERSATIONS: usize = 100;

/// A buffer whose missing lines are being fetched.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// Since when they are missing, in milliseconds since 1970.
    from: i64,
    /// The time of the last line before them that is stored, by the server's clock.
    known: Option<i64>,
    /// The request under way.
    request: u64,
    /// When it has taken too long.
    gives_up: Instant,
    /// Lines that have come.
    lines: usize,
    /// Where the next request goes on.
    last: Option<HistoryMark>,
    /// The time of the last line that came.
    last_time: Option<i64>,
    /// Live lines that wait, until when.
    waiting: VecDeque<(Line, Option<char>)>,
    waits_until: Option<Instant>,
    /// The heading was said.
    headed: bool,
}

/// What was repeated just now: lines without an id are told apart by how often they were.
#[derive(Debug, Default)]
struct Replay {
    /// The time of the last line: one that is older begins a new replay.
    last: i64,
    /// Time, nick and text of the lines of the last moment.
    recent: VecDeque<(i64, String, String)>,
}

impl Replay {
    /// How many lines like this one came a moment before it.
    fn count(&mut self, line: &Line) -> u32 {
        let (Some(time), None) = (line.time, &line.msgid) else { return 0 };
        if time < self.last {
            self.recent.clear();
        }
        self.last = time;
        while self.recent.front().is_some_and(|(earlier, ..)| time - earlier > MOMENT)
            || self.recent.len() >= MOST_WAITING
        {
            self.recent.pop_front();
        }
        let alike =
            self.recent.iter().filter(|(_, nick, text)| *nick == line.from.nick && *text == line.text);
        let count = alike.count();
        self.recent.push_back((time, line.from.nick.clone(), line.text.clone()));
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Everything that is being fetched.
#[derive(Debug, Default)]
pub(super) struct CatchingUp {
    /// What comes again, by the number of the buffer.
    replays: HashMap<i64, Replay>,
    /// By the number of the buffer.
    buffers: HashMap<i64, CatchUp>,
    /// Live lines that waited when the connection broke, by the number of the buffer: the server keeps them, too, but
    /// the next one may not.
    left_over: HashMap<i64, VecDeque<(Line, Option<char>)>>,
    /// The conversations of the absence were asked for, until when; since when we were away.
    conversations: Option<(u64, Instant, i64)>,
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

    /// When something has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let buffers = self.buffers.values().flat_map(|one| [Some(one.gives_up), one.waits_until]);
        buffers.flatten().chain(self.conversations.map(|(_, until, _)| until)).min()
    }

    /// The buffer that a request is about.
    fn buffer_of(&self, request: u64) -> Option<i64> {
        self.buffers.iter().find(|(_, one)| one.request == request).map(|(buffer, _)| *buffer)
    }
}

impl Actor {
    /// Asks for what is missing in a buffer since this time; `false` where the server can't tell.
    pub(super) async fn catch_up(&mut self, place: usize, from: i64) -> Result<bool, StoreError> {
        let buffer = self.buffers.get(place).row.id;
        // Lines are stored in order until a gap begins, so that the last one before it is where to go on.
        let known = self.bridge.store.last_heard_before(buffer, from).await?;
        let mark = HistoryMark::Time(known.map_or(from - SKEW, |known| known - OVERLAP));
        let asked = self.ask_for_history(place, mark);
        // They come again, where they belong; unless nobody else has them.
        let left_over = self.catching_up.left_over.remove(&buffer).unwrap_or_default();
        let Some(request) = asked else {
            for (line, status) in left_over {
                self.show(place, line, status).await?;
            }
            return Ok(false);
        };
        let now = self.now();
        let catch_up = CatchUp {
            from,
            known,
            request,
            gives_up: now + ANSWER,
            lines: 0,
            last: None,
            last_time: None,
            waiting: VecDeque::new(),
            waits_until: Some(now + PATIENCE),
            headed: false,
        };
        self.catching_up.buffers.insert(buffer, catch_up);
        self.incoming.gaps.buffers.push((buffer, Some(from)));
        Ok(true)
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
        if catch_up.waits_until.is_none() {
            return Ok(Some((line, status)));
        }
        catch_up.waiting.push_back((line, status));
        if catch_up.waiting.len() >= MOST_WAITING {
            self.let_live_lines_go(buffer).await?;
        }
        Ok(None)
    }

    /// A line that was missed has come: how many like it came before it.
    pub(super) fn on_missed_line(&mut self, place: usize, line: &Line) -> u32 {
        let buffer = self.buffers.get(place).row.id;
        let before = self.catching_up.replays.entry(buffer).or_default().count(line);
        let Some(catch_up) = self.catching_up.buffers.get_mut(&buffer) else { return before };
        catch_up.lines += 1;
        catch_up.last_time = line.time.or(catch_up.last_time);
        let mark = line.msgid.clone().map(HistoryMark::MessageId);
        catch_up.last = mark.or(line.time.map(HistoryMark::Time)).or(catch_up.last.take());
        if catch_up.waits_until.is_none() && !std::mem::replace(&mut catch_up.headed, true) {
            let text = format!("Missed lines, said since {}:", wording::time(catch_up.from));
            self.tell_buffer(place, &text);
        }
        before
    }

    /// An answer is complete, or there is none.
    pub(super) async fn on_history_end(
        &mut self,
        request: u64,
        lines: usize,
        failed: Option<String>,
    ) -> Result<(), StoreError> {
        if self.catching_up.conversations.is_some_and(|(asked, ..)| asked == request) {
            tracing::debug!(?failed, "the conversations of the absence can't be told");
            self.catching_up.conversations = None;
            return Ok(());
        }
        let Some(buffer) = self.catching_up.buffer_of(request) else { return Ok(()) };
        let Some(place) = self.buffers.find_id(buffer) else { return Ok(()) };
        let limit = self.link.as_ref().map_or(0, |link| link.session.history_limit());
        let Some(catch_up) = self.catching_up.buffers.get(&buffer) else { return Ok(()) };
        let (from, last_time) = (catch_up.from, catch_up.last_time);
        if let Some(reason) = failed {
            tracing::info!(%reason, "what was missed can't be fetched");
            self.tell_gap(place, last_time.unwrap_or(from));
            return self.end_catch_up(buffer).await;
        }
        if lines < limit || lines == 0 {
            return self.end_catch_up(buffer).await;
        }
        let next = if catch_up.lines < MOST_MISSED { catch_up.last.clone() } else { None };
        let asked = next.and_then(|mark| self.ask_for_history(place, mark));
        let gives_up = self.now() + ANSWER;
        match (asked, self.catching_up.buffers.get_mut(&buffer)) {
            (Some(request), Some(catch_up)) => {
                (catch_up.request, catch_up.gives_up) = (request, gives_up);
                catch_up.known = last_time.or(catch_up.known);
                self.shorten_gap(buffer);
            }
            _ => {
                self.tell_gap(place, last_time.unwrap_or(from));
                self.end_catch_up(buffer).await?;
            }
        }
        Ok(())
    }

    /// All that can be fetched has come.
    async fn end_catch_up(&mut self, buffer: i64) -> Result<(), StoreError> {
        self.let_live_lines_go(buffer).await?;
        self.catching_up.buffers.remove(&buffer);
        self.incoming.gaps.buffers.push((buffer, None));
        // What the network did not keep may never have arrived; what it did is known by the commit.
        self.commit_incoming().await?;
        self.ask_about_uncertain(Some(buffer));
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

    /// Does what has waited too long.
    pub(super) async fn tick_catch_up(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if self.catching_up.conversations.is_some_and(|(_, until, _)| until <= now) {
            self.catching_up.conversations = None;
        }
        let due = |at: Instant| at <= now;
        let buffers = &self.catching_up.buffers;
        let late: Vec<i64> =
            buffers.iter().filter(|(_, one)| one.waits_until.is_some_and(due)).map(|(id, _)| *id).collect();
        for buffer in late {
            self.let_live_lines_go(buffer).await?;
        }
        let lost: Vec<u64> = self
            .catching_up
            .buffers
            .values()
            .filter(|one| due(one.gives_up))
            .map(|one| one.request)
            .collect();
        for request in lost {
            self.on_history_end(request, 0, Some("the server does not answer".to_owned())).await?;
        }
        Ok(())
    }

    /// The connection is gone, and the gaps stay open. What waits is not shown: it would stand before what was said
    /// earlier and is still to be fetched.
    pub(super) fn break_off_catch_up(&mut self) {
        for (buffer, catch_up) in std::mem::take(&mut self.catching_up.buffers) {
            if let Some(place) = self.buffers.find_id(buffer) {
                self.buffers.get_mut(place).gap_from = Some(catch_up.from);
                self.catching_up.left_over.insert(buffer, catch_up.waiting);
            }
        }
        self.catching_up.replays.clear();
        if let Some((.., from)) = self.catching_up.conversations.take() {
            self.catching_up.away_from = Some(from);
        }
    }

    /// The network can be spoken to: who spoke to us meanwhile? ZNC tells all that it kept, where it can.
    pub(super) async fn look_for_conversations(&mut self) -> Result<(), StoreError> {
        let away_from = self.catching_up.away_from.take();
        let until = self.now() + ANSWER;
        let to = self.bridge.clock.unix_ms().saturating_add(SKEW);
        let Some(link) = &mut self.link else { return Ok(()) };
        if let Some(from) = away_from {
            link.session.request_playback(from.saturating_sub(PLAYBACK_OVERLAP) / 1000);
            let asked = link.session.request_history_targets(from - SKEW, to);
            self.catching_up.conversations = asked.map(|request| (request, until, from));
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
        Ok(())
    }

    pub(super) async fn on_history_targets(
        &mut self,
        request: u64,
        targets: Vec<(String, i64)>,
    ) -> Result<(), StoreError> {
        let Some((_, _, from)) = self.catching_up.conversations.take_if(|(asked, ..)| *asked == request)
        else {
            return Ok(());
        };
        for (name, _) in targets.into_iter().take(MOST_CONVERSATIONS) {
            let is_channel = self.link.as_ref().is_some_and(|link| link.session.isupport().is_channel(&name));
            if is_channel || wording::is_service(&name) || Nick::new(&name).is_err() {
                continue;
            }
            let place = match self.buffers.find(&name) {
                Some(place) => place,
                None if self.has_room_for_query() => self.open_buffer(BufferKind::Query, &name, None).await?,
                None => continue,
            };
            if !self.catching_up.buffers.contains_key(&self.buffers.get(place).row.id) {
                self.fetch_or_forget(place, from).await?;
            }
        }
        Ok(())
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
