//! What the user asks the server, and waits for its answer: `raw`, `whois` and what is like them.
//!
//! A question that the connection does not outlive is answered by that.

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::listing::Listed;
use super::loose::Reply;
use super::requests::not_connected;
use super::say::Asked;
use super::series::Series;
use super::told_passwords::ToldPasswords;
use crate::format::{RichText, strip_irc};
use crate::irc::numerics::{ERR_UNKNOWNCOMMAND, RPL_TRYAGAIN};
use crate::irc::queue::QueueFull;
use crate::irc::session::{Answer, Session, State};
use crate::irc::wire::Line;

/// What is told of an answer by the network's name.
pub(super) type InWords = fn(&str, &Answer) -> Outcome;

/// What is done with an answer; it may ask further.
pub(super) type Then = Box<dyn for<'a> FnOnce(&'a mut Actor, Answer) -> BoxFuture<'a, Reply> + Send>;

/// What comes of an answer.
pub(super) enum Use {
    InWords(InWords),
    /// It is one of several that a command takes.
    Series(Series),
    Then(Then),
    /// A page of the list of channels that was asked for.
    List {
        wanted: String,
        page: usize,
    },
}

/// What was asked, and what came of the list of channels.
#[derive(Default)]
pub(super) struct Questions {
    open: Vec<Inquiry>,
    /// CTCP requests.
    pub(super) asked: Asked,
    pub(super) listed: Option<Listed>,
    /// What was told of commands that run by themselves, the last first.
    pub(super) autocmd_told: Vec<(String, String)>,
    /// What services were told and should not repeat.
    pub(super) told: ToldPasswords,
}

/// A question that the server has not answered.
struct Inquiry {
    number: u64,
    used: Use,
    answer: oneshot::Sender<Outcome>,
    /// Nobody asked: the session itself wants to know.
    is_quiet: bool,
}

impl Actor {
    /// Asks the server. What it answers is told in these words.
    pub(super) fn inquire(&mut self, line: Line, in_words: InWords) -> Reply {
        self.ask_server(line, Use::InWords(in_words))
    }

    /// Asks the server, and does this with its answer.
    pub(super) fn inquire_then(
        &mut self,
        line: Line,
        then: impl for<'a> FnOnce(&'a mut Actor, Answer) -> BoxFuture<'a, Reply> + Send + 'static,
    ) -> Reply {
        self.ask_server(line, Use::Then(Box::new(then)))
    }

    /// As [`Self::inquire_then`], behind all that somebody waits for.
    pub(super) fn inquire_in_background(
        &mut self,
        line: Line,
        then: impl for<'a> FnOnce(&'a mut Actor, Answer) -> BoxFuture<'a, Reply> + Send + 'static,
    ) -> Reply {
        self.ask_server_by(line, Use::Then(Box::new(then)), Session::inquire_in_background)
    }

    fn ask_server(&mut self, line: Line, used: Use) -> Reply {
        self.ask_server_by(line, used, Session::inquire)
    }

    fn ask_server_by(
        &mut self,
        line: Line,
        used: Use,
        ask: fn(&mut Session, Line) -> Result<u64, QueueFull>,
    ) -> Reply {
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Reply::Now(Err(not_connected(&self.network.name)));
        };
        match ask(&mut link.session, line) {
            Ok(number) => Reply::Asked(number, used),
            Err(error) => Reply::Now(Err(Refusal::asked(format!("It was not sent: {error}.")))),
        }
    }

    /// Waits for the server's answer.
    pub(super) fn await_answer(&mut self, number: u64, used: Use, answer: oneshot::Sender<Outcome>) {
        self.questions.open.push(Inquiry { number, used, answer, is_quiet: false });
    }

    /// As [`Self::await_answer`] where nobody waits for more than what is done with the answer.
    pub(super) fn await_quietly(&mut self, number: u64, used: Use) {
        let answer = oneshot::channel().0;
        self.questions.open.push(Inquiry { number, used, answer, is_quiet: true });
    }

    /// Gives the answer to whoever asked, or has them wait for it. What is done gives its outcome back where nobody
    /// waits any more.
    pub(super) fn settle_request(
        &mut self,
        reply: Reply,
        answer: oneshot::Sender<Outcome>,
    ) -> Option<Outcome> {
        match reply {
            Reply::Now(outcome) => return answer.send(outcome).err(),
            Reply::Later(loose) => self.await_loose(loose, answer),
            Reply::Asked(number, used) => self.await_answer(number, used, answer),
            Reply::Step(step) => self.take_step(step, answer),
        }
        None
    }

    /// The server has answered.
    pub(super) async fn on_answered(&mut self, number: u64, answer: Answer) {
        let Some((used, asker)) = self.take_inquiry(number) else { return };
        let reply = match used {
            Use::InWords(in_words) => Reply::Now(in_words(&self.network.name, &answer)),
            Use::Then(then) => then(self, answer).await,
            Use::Series(series) => return self.go_on(series, &answer, asker),
            // A list comes as one.
            Use::List { .. } => return,
        };
        // Who asked was told that it may take its time.
        let left =
            self.settle_request(reply, asker).map(|outcome| outcome.unwrap_or_else(Refusal::into_text));
        if let Some(text) = left.filter(|text| !text.is_empty()) {
            self.say(text);
        }
    }

    /// What was asked under this number, and who waits for the answer.
    pub(super) fn take_inquiry(&mut self, number: u64) -> Option<(Use, oneshot::Sender<Outcome>)> {
        let place = self.questions.open.iter().position(|inquiry| inquiry.number == number)?;
        let Inquiry { used, answer, .. } = self.questions.open.remove(place);
        Some((used, answer))
    }

    /// The connection is gone, and with it the answers.
    pub(super) fn abandon_inquiries(&mut self) {
        self.timed_bans.abandon();
        for Inquiry { used, answer, is_quiet, .. } in std::mem::take(&mut self.questions.open) {
            if let Use::Series(series) = used {
                self.break_off(series);
            }
            let why = "The connection was lost before the server had answered. Try again when it is back.";
            let untold = answer.send(Err(Refusal::asked(why))).is_err();
            // Who asked was told that the network's room says it, should it fail.
            if untold && !is_quiet {
                self.say(RichText::plain(why));
            }
        }
    }
}

/// Why the server did not do what it was asked, where it says so.
pub(super) fn trouble(network: &str, answer: &Answer) -> Option<Refusal> {
    let reply = answer.replies.iter().find(|reply| matches!(reply.code, 0 | RPL_TRYAGAIN | 400..600))?;
    let words = reply.params.last().map(|words| strip_irc(words)).unwrap_or_default();
    let words = words.trim_end_matches('.');
    Some(Refusal::asked(match reply.code {
        ERR_UNKNOWNCOMMAND => format!("{network} has no such command: {words}."),
        RPL_TRYAGAIN => format!("{network} has too much to do for that now: {words}. Try again in a while."),
        _ => format!("{network} says: {words}."),
    }))
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
