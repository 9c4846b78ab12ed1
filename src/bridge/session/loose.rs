//! What is said by a command (`msg`, `query`) and not in a room. It has no event that could wait or be answered, so
//! the command's answer waits for what becomes of it: taken by the server, refused, or not known.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::super::{Outcome, Refusal};
use super::Actor;
use super::inquiries::Use;
use super::requests::not_connected;
use super::series::Step;
use crate::format::{RichText, split_line};
use crate::irc::session::{MessageId, MessageKind, OutgoingMessage, State, Target};
use crate::store::{Direction, HistoryLine};

/// Something that was said by a command.
#[derive(Debug)]
pub(super) struct Loose {
    /// Its lines of which nothing is known yet, with their texts.
    open: Vec<(MessageId, String)>,
    /// How many lines it has.
    lines: usize,
    target: String,
    kind: MessageKind,
    /// The answer when all of it was taken.
    said: String,
    answer: Option<oneshot::Sender<Outcome>>,
    /// It is a CTCP request of this number, and who asked waits for more than that it has arrived.
    pub(super) asks: Option<u64>,
    /// Lines that leave again: the history has them.
    kept: BTreeSet<MessageId>,
}

/// What a request comes to.
pub(super) enum Reply {
    Now(Outcome),
    /// When it is known what became of it.
    Later(Loose),
    /// When the server has answered.
    Asked(u64, Use),
    /// When all that it takes is done.
    Step(Step),
}

impl From<Result<Loose, Refusal>> for Reply {
    fn from(said: Result<Loose, Refusal>) -> Self {
        said.map_or_else(|refusal| Self::Now(Err(refusal)), Self::Later)
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self::Now(outcome)
    }
}

impl Actor {
    /// Hands what a command says to the session.
    pub(super) fn say_loose(
        &mut self,
        target: &str,
        kind: MessageKind,
        text: &str,
        said: String,
    ) -> Result<Loose, Refusal> {
        if self.is_service(target) {
            self.on_told_service(text);
        }
        let name = &self.network.name;
        // What waits for the greeting would be lost with the connection.
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Err(not_connected(name));
        };
        if target.contains(',') {
            return Err(Refusal::asked("Only one at a time: a list of names can't be sent to."));
        }
        let unsendable = |error: &dyn std::fmt::Display| {
            Refusal::asked(format!("{target} or the text can't be sent: {error}."))
        };
        let parsed = Target::typed(target, link.session.isupport()).map_err(|error| unsendable(&error))?;
        let (text, lost) = link.as_written(target, text);
        let said = match link.lacking(target, lost) {
            Some(lacking) => format!("{said} But {lacking}."),
            None => said,
        };
        let mut open = Vec::new();
        for piece in split_line(&text, &link.limit(target, kind)) {
            let id = MessageId(self.outbound.next_id);
            let message =
                OutgoingMessage { id, target: parsed.clone(), kind, text: piece.clone(), reply: None };
            if let Err(error) = link.session.message(message) {
                let ours: BTreeSet<MessageId> = open.iter().map(|(id, _)| *id).collect();
                link.session.withdraw(|id| ours.contains(&id));
                return Err(unsendable(&error));
            }
            self.outbound.next_id += 1;
            open.push((id, piece));
        }
        let (lines, target) = (open.len(), target.to_owned());
        Ok(Loose { open, lines, target, kind, said, answer: None, asks: None, kept: BTreeSet::new() })
    }

    /// Waits for what becomes of it.
    pub(super) fn await_loose(&mut self, mut loose: Loose, answer: oneshot::Sender<Outcome>) {
        match loose.asks {
            Some(number) => self.await_ctcp(number, answer),
            None => loose.answer = Some(answer),
        }
        self.outbound.loose.push(loose);
    }

    /// Something is known of these lines: they were taken, or `fate` says what became of them.
    pub(super) fn settle_loose(&mut self, messages: &[MessageId], fate: Option<&str>) {
        let mut place = 0;
        while let Some(loose) = self.outbound.loose.get_mut(place) {
            let before = loose.open.len();
            loose.open.retain(|(id, _)| !messages.contains(id));
            let is_meant = loose.open.len() < before;
            if is_meant && (fate.is_some() || loose.open.is_empty()) {
                let loose = self.outbound.loose.swap_remove(place);
                self.answer_loose(loose, fate);
            } else {
                place += 1;
            }
        }
    }

    fn answer_loose(&mut self, loose: Loose, fate: Option<&str>) {
        let outcome = match fate {
            None => Ok(RichText::plain(loose.said)),
            Some(fate) => Err(Refusal::asked(format!("What you said to {} {fate}", loose.target))),
        };
        if let Some(number) = loose.asks {
            // That it has arrived is not the answer.
            if outcome.is_err() {
                self.refuse_ctcp(number, outcome);
            }
            return;
        }
        let left = loose.answer.and_then(|answer| answer.send(outcome).err());
        // Nobody waits for the answer any more; what went wrong must be known all the same.
        if let Some(Err(refusal)) = left {
            self.alert(&RichText::plain(refusal.to_string()));
        }
    }

    /// A line has left once and leaves again, if nothing is known yet of what else was said with it.
    pub(super) async fn put_off_loose(&mut self, id: MessageId, code: u16, reason: &str) {
        let mut all = self.outbound.loose.iter_mut();
        let loose = all.find(|loose| loose.open.iter().any(|(open, _)| *open == id));
        // Of one that is not known any more, all was told.
        let ids: Vec<MessageId> = match loose {
            Some(loose) if loose.open.len() == loose.lines => {
                loose.kept.insert(id);
                return;
            }
            Some(loose) => loose.open.iter().map(|(id, _)| *id).collect(),
            None => vec![id],
        };
        let Some(link) = &mut self.link else { return };
        let rest = link.session.withdraw(|id| ids.contains(&id));
        self.on_refused(rest, true, code, reason).await;
    }

    /// A line that leaves, as history keeps it: in the conversation, if there is one.
    pub(super) fn loose_line(&self, id: MessageId) -> Option<HistoryLine> {
        let mut lines =
            self.outbound.loose.iter().flat_map(|loose| loose.open.iter().map(move |line| (loose, line)));
        let (loose, (_, text)) = lines.find(|(_, (open, _))| *open == id)?;
        let kind = match loose.kind {
            MessageKind::Privmsg => "message",
            MessageKind::Notice => "notice",
            MessageKind::Action => "action",
            MessageKind::Ctcp => return None,
        };
        let is_kept = loose.kept.contains(&id) || self.is_service(&loose.target);
        let place = self.buffers.find(&loose.target).filter(|_| !is_kept)?;
        Some(HistoryLine {
            buffer: self.buffers.get(place).row.id,
            channel: self.shared_channel(place),
            at: self.bridge.clock.unix_ms(),
            kind,
            sender: self.link.as_ref()?.session.nick().to_owned(),
            account: None,
            target: None,
            text: text.clone(),
            msgid: None,
            event_id: None,
            direction: Direction::Out,
            replayed: None,
        })
    }
}
