//! What the user asks the server, and waits for its answer: `raw`, `whois` and what is like them.
//!
//! A question that the connection does not outlive is answered by that.

use tokio::sync::oneshot;

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::loose::Reply;
use super::requests::not_connected;
use super::series::Series;
use crate::format::RichText;
use crate::irc::session::{Answer, State};
use crate::irc::wire::Line;

/// What is told of an answer by the network's name.
pub(super) type InWords = fn(&str, &Answer) -> Outcome;

/// What comes of an answer.
pub(super) enum Use {
    InWords(InWords),
    /// It is one of several that a command takes.
    Series(Series),
}

/// A question that the server has not answered.
pub(super) struct Inquiry {
    number: u64,
    used: Use,
    answer: oneshot::Sender<Outcome>,
}

impl Actor {
    /// Asks the server. What it answers is told in these words.
    pub(super) fn inquire(&mut self, line: Line, in_words: InWords) -> Reply {
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Reply::Now(Err(not_connected(&self.network.name)));
        };
        match link.session.inquire(line) {
            Ok(number) => Reply::Asked(number, Use::InWords(in_words)),
            Err(error) => Reply::Now(Err(Refusal::asked(format!("It was not sent: {error}.")))),
        }
    }

    /// Waits for the server's answer.
    pub(super) fn await_answer(&mut self, number: u64, used: Use, answer: oneshot::Sender<Outcome>) {
        self.inquiries.push(Inquiry { number, used, answer });
    }

    /// The server has answered.
    pub(super) fn on_answered(&mut self, number: u64, answer: &Answer) {
        let Some(place) = self.inquiries.iter().position(|inquiry| inquiry.number == number) else { return };
        let Inquiry { used, answer: asker, .. } = self.inquiries.remove(place);
        match used {
            Use::InWords(in_words) => self.answer_or_say(asker, in_words(&self.network.name, answer)),
            Use::Series(series) => self.go_on(series, answer, asker),
        }
    }

    /// The connection is gone, and with it the answers.
    pub(super) fn abandon_inquiries(&mut self) {
        for inquiry in self.inquiries.drain(..) {
            let why = "The connection was lost before the server had answered. Try again when it is back.";
            let _ = inquiry.answer.send(Err(Refusal::asked(why)));
        }
    }
}

/// A raw line's answer, as it stands.
#[expect(clippy::unnecessary_wraps, reason = "others refuse")]
pub(super) fn as_it_stands(network: &str, answer: &Answer) -> Outcome {
    if answer.replies.is_empty() {
        return Ok(RichText::plain(format!("Sent. {network} says nothing to it so far.")));
    }
    let lines =
        answer.replies.iter().fold(RichText::new().bold(format!("{network} answers:")), |text, reply| {
            text.line().then(crate::format::read_irc(&reply.text))
        });
    Ok(match answer.left_out {
        0 => lines,
        more => lines.line().text(format!("… and {more} lines more.")),
    })
}
