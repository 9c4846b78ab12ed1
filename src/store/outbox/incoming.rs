//! What a turn of a session actor came to, committed at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::history::{self, HistoryLine, Kept, MembersLine};
use super::super::pool::{Tx, later};
use super::super::{
    BanChange, Fates, Gaps, Heir, NewPublished, NewQuestion, NewReaction, Outgoing, Store, StoreError,
    buffers, gaps, lines, members, prompts, published, questions, reactions, sessions, timed_bans,
};
use super::fold::{Folder, Folding};
use super::look::{self, Look, Seen};
use super::{NewOutbox, Sealed, insert_rows};

/// What one turn of a session actor came to, as one commit: what it read from IRC, and what it made of the user's
/// events. They go together, since what is done with an event may be an answer to it.
#[derive(Debug, Default)]
pub struct Incoming {
    /// Requests, in order.
    pub outbox: Vec<NewOutbox>,
    /// Lines that are kept and not shown, each with the number of requests that come before it.
    pub history: Vec<(usize, HistoryLine)>,
    /// What others in shared rooms were heard to say there.
    pub by_members: Vec<MembersLine>,
    /// Ghosts that have left: room, folded nick, reason, kicker.
    pub departures: Vec<(i64, String, String, Option<String>)>,
    /// Who spoke in a room as not before on that day: room, folded nick.
    pub spoke: Vec<(i64, String)>,
    /// Topics as they will be shown: buffer, text.
    pub topics: Vec<(i64, String)>,
    /// Conversations that go on under another nick.
    pub heirs: Vec<Heir>,
    /// What is missing, and what no longer is.
    pub gaps: Gaps,
    /// What was made of the user's events, before any byte of it leaves.
    pub outgoing: Outgoing,
    /// What became of the user's messages.
    pub fates: Fates,
    /// Up to which time the user has read, as the server knows: buffer, milliseconds since 1970.
    pub read: Vec<(i64, i64)>,
    /// Reactions.
    pub reactions: Vec<NewReaction>,
    /// Reactions that were taken back.
    pub unreacted: Vec<i64>,
    /// Lines of history that were taken back, and by whom.
    pub redacted: Vec<(i64, String)>,
    /// Rooms whose first lines are among the requests.
    pub refilled: Vec<i64>,
    /// Channels whose rooms their user does not see any more, and the number of the last line before that, or sees again.
    pub detached: Vec<(i64, Option<i64>)>,
    /// What links in the user's messages lead to. A link is never committed after the line that says it.
    pub published: Vec<NewPublished>,
    /// Messages that were edited, so that the pages of what they said before are gone: buffer and event.
    pub edited: Vec<(i64, String)>,
    /// Messages that were taken back, so that their links lead nowhere any more: buffer and event.
    pub unpublished: Vec<(i64, String)>,
    /// Questions that are among the requests.
    pub questions: Vec<NewQuestion>,
    /// What becomes of bans that end by themselves, in order.
    pub bans: Vec<BanChange>,
    /// Which requests may be folded, where there are too many.
    pub folding: Folding,
    /// The room whose lane has nothing to do until now.
    pub idle_room: Option<i64>,
}

/// What the commit of an [`Incoming`] came to.
#[derive(Debug, Default)]
pub struct Committed {
    /// How many requests of which rooms were folded.
    pub folded: BTreeMap<i64, i64>,
    /// Lines of ours that came back: the buffer, the Matrix event that each went out from, and its text. They did arrive.
    pub came_back: Vec<(i64, String, String)>,
    /// What the lane of the idle room begins with, where the commit saw it.
    pub look: Option<Look>,
}

impl Incoming {
    /// Keeps a line that is not shown, behind what was read before it.
    pub fn keep(&mut self, line: HistoryLine) {
        self.history.push((self.outbox.len(), line));
    }

    /// Takes all lines out, in the order in which they were read, with the place of each request's own.
    fn take_lines(&mut self) -> (Vec<HistoryLine>, Vec<Option<usize>>) {
        let mut unshown = std::mem::take(&mut self.history).into_iter().peekable();
        let (mut lines, mut places) = (Vec::new(), Vec::with_capacity(self.outbox.len()));
        for (number, row) in self.outbox.iter_mut().enumerate() {
            while let Some((_, line)) = unshown.next_if(|(before, _)| *before <= number) {
                lines.push(line);
            }
            places.push(row.history.take().map(|line| {
                lines.push(line);
                lines.len() - 1
            }));
        }
        lines.extend(unshown.map(|(_, line)| line));
        (lines, places)
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.outbox.is_empty()
            && self.history.is_empty()
            && self.by_members.is_empty()
            && self.departures.is_empty()
            && self.spoke.is_empty()
            && self.topics.is_empty()
            && self.heirs.is_empty()
            && self.gaps.is_empty()
            && self.outgoing.is_empty()
            && self.fates.is_empty()
            && self.read.is_empty()
            && self.reactions.is_empty()
            && self.unreacted.is_empty()
            && self.redacted.is_empty()
            && self.refilled.is_empty()
            && self.detached.is_empty()
            && self.published.is_empty()
            && self.edited.is_empty()
            && self.unpublished.is_empty()
            && self.questions.is_empty()
            && self.bans.is_empty()
    }
}

impl Store {
    /// Commits what a session has read: history rows, requests, departures, topics.
    pub async fn commit_incoming(
        &self,
        session: i64,
        epoch: i64,
        network: &str,
        mut incoming: Incoming,
        now: i64,
    ) -> Result<Committed, StoreError> {
        const TOPIC: &str = "UPDATE buffer SET topic = $2 WHERE id = $1";
        const READ: &str = "UPDATE buffer SET read_at = $2 WHERE id = $1";
        const DETACHED: &str = "UPDATE buffer SET detached_after = $2 WHERE id = $1";
        const REFILLED: &str = "UPDATE room SET refill = 2 WHERE id = $1";
        let (lines, places) = incoming.take_lines();
        let sealed = self.seal_outbox(incoming.outbox);
        let network = network.to_owned();
        let Incoming {
            by_members,
            departures,
            spoke,
            topics,
            heirs,
            gaps,
            mut outgoing,
            mut fates,
            folding,
            read,
            reactions,
            unreacted,
            redacted,
            refilled,
            detached,
            published,
            edited,
            unpublished,
            questions,
            bans,
            idle_room,
            ..
        } = Incoming { outbox: Vec::new(), ..incoming };
        let said = self.seal_lines(std::mem::take(&mut outgoing.lines));
        let published = self.seal_published(published);
        let prompts = self.seal_prompts(std::mem::take(&mut fates.prompts));
        let keeper = Arc::clone(self.keeper());
        let mut folder = Folder::new(self.clone(), folding, now);
        let unreadable = outgoing.failed.len() as u64;
        let seen = Seen::default();
        let look = idle_room.map(|room| (room, seen.clone()));
        let committed = self.write(move |tx| {
            Box::pin(async move {
                if let Some((room, seen)) = look {
                    look::after_commit(tx, room, seen);
                }
                sessions::check_epoch(tx, session, epoch).await?;
                let kept = history::keep(tx, &keeper, session, &lines, now).await?;
                history::note_members(tx, by_members, now).await?;
                let speakers: BTreeSet<(i64, String)> =
                    sealed.iter().map(|(row, _)| (row.room, row.sender.clone())).collect();
                insert_shown(tx, &mut folder, sealed, &places, &kept).await?;
                for (room, speaker) in speakers {
                    members::stay(tx, room, &speaker).await?;
                }
                for (room, folded, reason, kicker) in departures {
                    members::depart(tx, room, &network, &folded, &reason, kicker.as_deref()).await?;
                }
                for (room, folded) in spoke {
                    members::spoke(tx, room, &network, &folded, now).await?;
                }
                for (buffer, topic) in topics {
                    later!(tx, TOPIC, buffer, topic)?;
                }
                for heir in heirs {
                    buffers::inherit(tx, heir).await?;
                }
                for (buffer, time) in read {
                    later!(tx, READ, buffer, time)?;
                }
                reactions::note(tx, reactions, unreacted, now).await?;
                for (line, by) in redacted {
                    history::redact(tx, line, &by).await?;
                }
                for room in refilled {
                    later!(tx, REFILLED, room)?;
                }
                for (buffer, after) in detached {
                    later!(tx, DETACHED, buffer, after)?;
                }
                published::note(tx, edited, published, unpublished, now).await?;
                lines::note(tx, &keeper, session, outgoing, said, now).await?;
                prompts::note(tx, fates, prompts, now).await?;
                questions::insert(tx, questions, now).await?;
                timed_bans::note(tx, bans).await?;
                gaps::note(tx, session, gaps).await?;
                let came_back = lines.into_iter().zip(kept).filter_map(|(line, kept)| match kept {
                    Kept::Known(Some(event_id)) => Some((line.buffer, event_id, line.text)),
                    _ => None,
                });
                let (came_back, folded) = (came_back.collect(), folder.finish(tx).await?);
                Ok(Committed { came_back, folded, look: None })
            })
        });
        let committed = committed.await?;
        let committed = Committed { look: self.seen(&seen), ..committed };
        self.tally().events_set_aside.add(unreadable);
        Ok(committed)
    }
}

/// Stores the requests of a commit but for those that the room shows already, and those that are folded. Each has the
/// place of its line among those that were to be kept.
async fn insert_shown(
    tx: &mut Tx,
    folder: &mut Folder,
    sealed: Vec<(NewOutbox, Vec<u8>)>,
    places: &[Option<usize>],
    kept: &[Kept],
) -> Result<(), StoreError> {
    let now = folder.now();
    let mut rows = Vec::with_capacity(sealed.len());
    for (number, ((row, payload), place)) in sealed.into_iter().zip(places).enumerate() {
        let history = match place.map(|place| &kept[place]) {
            Some(Kept::Known(_)) => continue,
            Some(Kept::As(line)) => Some(*line),
            Some(Kept::Not) | None => None,
        };
        if folder.may_take(row.room) {
            // It counts what is stored, and may store a row of its own.
            insert_rows(tx, &std::mem::take(&mut rows), now).await?;
        }
        if !folder.takes(tx, number, row.room, history.is_some()).await? {
            rows.push(Sealed { row, payload, history });
        }
    }
    insert_rows(tx, &rows, now).await
}
