//! Commands that take several lines, or a question first: `ban NICK` asks where somebody comes from, then bans them.
//!
//! One line is on its way at a time, and what the server says to each is gathered (see [`inquiries`](super::inquiries)
//! for a single one). What comes next is decided with all answers at hand, and with what the session knows by then: a
//! change that the server made without a word is seen there.
//!
//! Invariant 9: a series has so many lines ([`MOST_LINES`]), and so many wait for answers as questions may.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::inquiries::Use;
use super::requests::not_connected;
use crate::irc::session::{Answer, State};
use crate::irc::wire::Line;

/// Lines of one series.
const MOST_LINES: usize = 20;

/// What is made of the answers.
pub(super) type Conclusion = Box<dyn FnOnce(&mut Actor, Vec<Answer>) -> Step + Send>;

/// What is done next.
pub(super) enum Step {
    /// Nothing: this came of it.
    Done(Outcome),
    /// The server is told or asked this, line by line.
    Ask(Vec<Line>, Conclusion, Option<Undo>),
}

/// What the server may have got of a series that comes to no conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    Perhaps,
}

/// What is done where the server's answers don't all come: not everything left, or the connection is gone.
pub(super) type Undo = Box<dyn FnOnce(&mut Actor, Sent) + Send>;

impl Step {
    /// Asks the server, and makes an outcome of its answers.
    pub(super) fn ask(
        lines: Vec<Line>,
        conclude: impl FnOnce(&mut Actor, Vec<Answer>) -> Outcome + Send + 'static,
    ) -> Self {
        Self::Ask(lines, Box::new(move |actor, answers| Self::Done(conclude(actor, answers))), None)
    }

    /// Asks the server, and goes on with its answers.
    pub(super) fn ask_first(
        lines: Vec<Line>,
        go_on: impl FnOnce(&mut Actor, Vec<Answer>) -> Self + Send + 'static,
    ) -> Self {
        Self::Ask(lines, Box::new(go_on), None)
    }

    /// As before; and this where no conclusion is come to.
    pub(super) fn or_undo(self, undo: impl FnOnce(&mut Actor, Sent) + Send + 'static) -> Self {
        match self {
            Self::Ask(lines, conclude, _) => Self::Ask(lines, conclude, Some(Box::new(undo))),
            done @ Self::Done(_) => done,
        }
    }
}

impl From<Result<Step, Refusal>> for Step {
    fn from(result: Result<Step, Refusal>) -> Self {
        result.unwrap_or_else(|refusal| Self::Done(Err(refusal)))
    }
}

/// A series under way, behind the line whose answer is awaited.
pub(super) struct Series {
    rest: VecDeque<Line>,
    answers: Vec<Answer>,
    conclude: Conclusion,
    undo: Option<Undo>,
}

impl Actor {
    /// Does what comes next, and answers when nothing more does.
    pub(super) fn take_step(&mut self, step: Step, answer: oneshot::Sender<Outcome>) {
        match step {
            Step::Done(outcome) => self.answer_or_say(answer, outcome),
            Step::Ask(lines, _, undo) if lines.len() > MOST_LINES => {
                let why = format!("That would take {} lines to the server; do it in parts.", lines.len());
                self.undo(undo, Sent::Nothing);
                self.answer_or_say(answer, Err(Refusal::asked(why)));
            }
            Step::Ask(lines, conclude, undo) => {
                let series = Series { rest: lines.into(), answers: Vec::new(), conclude, undo };
                self.send_next(series, answer);
            }
        }
    }

    fn send_next(&mut self, mut series: Series, answer: oneshot::Sender<Outcome>) {
        let Some(line) = series.rest.pop_front() else {
            let step = (series.conclude)(self, series.answers);
            return self.take_step(step, answer);
        };
        let sent = if series.answers.is_empty() { Sent::Nothing } else { Sent::Perhaps };
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            let refusal = not_connected(&self.network.name);
            self.undo(series.undo, sent);
            return self.answer_or_say(answer, Err(refusal));
        };
        match link.session.inquire(line) {
            Ok(number) => self.await_answer(number, Use::Series(series), answer),
            Err(error) => {
                let refusal = Refusal::asked(format!("It was not sent, or only in part: {error}."));
                self.undo(series.undo, sent);
                self.answer_or_say(answer, Err(refusal));
            }
        }
    }

    fn undo(&mut self, undo: Option<Undo>, sent: Sent) {
        if let Some(undo) = undo {
            undo(self, sent);
        }
    }

    /// The answers to a series don't come any more; the line that waits for one may have arrived.
    pub(super) fn break_off(&mut self, series: Series) {
        self.undo(series.undo, Sent::Perhaps);
    }

    /// The server has answered a line.
    pub(super) fn go_on(&mut self, mut series: Series, reply: &Answer, answer: oneshot::Sender<Outcome>) {
        series.answers.push(reply.clone());
        self.send_next(series, answer);
    }

    /// Answers who asked, and says it in the network's room where they were told that it may take its time.
    pub(super) fn answer_or_say(&mut self, answer: oneshot::Sender<Outcome>, outcome: Outcome) {
        if let Err(outcome) = answer.send(outcome) {
            self.say(outcome.unwrap_or_else(Refusal::into_text));
        }
    }
}
