//! Commands that a session carries out by itself when it is on the network, before it enters channels.
//!
//! They are checked when they are typed, kept sealed, and read anew for each connection. What works is not told; what
//! does not is told once, and not again with each connection.
//!
//! Invariants 9 (so many, [`MOST`], each so long, [`LONGEST`], and none waits for ever), 10 (a password in one is shown
//! nowhere).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::outcome::Outcome;
use super::Actor;
use super::loose::Reply;
use super::say::{SayRequest, Service};
use crate::format::{RichText, may_hold_password, may_hold_password_for_service};
use crate::irc::session::{MessageKind, State};
use crate::irc::wire::Line;
use crate::store::settings::{self, Scope};
use crate::store::{Store, StoreError};

/// More would be a program.
pub(super) const MOST: usize = 20;
/// As long as a line of IRC.
const LONGEST: usize = 400;
/// The longest pause that may be asked for.
const LONGEST_WAIT: u64 = 30;
/// For so long a login is waited for.
const LOGIN: Duration = Duration::from_secs(30);

/// What is done at one step.
#[derive(Debug)]
enum Action {
    Wait(Duration),
    /// Goes on when the user is logged in.
    LoggedIn,
    Raw(String),
    Message {
        target: String,
        text: String,
    },
    Say(SayRequest),
    Modes(String),
}

/// Why a line is no such command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStep {
    /// It is none of those that may stand there.
    #[error("it takes raw, msg, notice, nickserv, chanserv, umode, wait SECONDS, and when logged in")]
    Unknown,
    /// Something is missing behind it.
    #[error("something is missing behind the command")]
    Short,
    /// It would end the connection.
    #[error("it would end the connection each time")]
    Quit,
    /// The pause is no number, or too long.
    #[error("it waits for 1 to {LONGEST_WAIT} seconds")]
    Wait,
    /// It can't be sent.
    #[error("it is longer than {LONGEST} bytes or has a line break")]
    Form,
    /// There are too many.
    #[error("there are {MOST} already")]
    TooMany,
}

fn action(line: &str) -> Result<Action, InvalidStep> {
    if line.len() > LONGEST || line.contains(char::is_control) {
        return Err(InvalidStep::Form);
    }
    let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    let some = |text: &str| {
        if text.is_empty() { Err(InvalidStep::Short) } else { Ok(text.to_owned()) }
    };
    let two = || {
        let (target, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Ok((some(target)?, some(text.trim())?))
    };
    let service = |service| Ok(Action::Say(SayRequest::Service { service, text: some(rest)? }));
    match word.to_ascii_lowercase().trim_start_matches(['/', '!']) {
        "wait" => match rest.parse() {
            Ok(seconds @ 1..=LONGEST_WAIT) => Ok(Action::Wait(Duration::from_secs(seconds))),
            _ => Err(InvalidStep::Wait),
        },
        "when" if rest.eq_ignore_ascii_case("logged in") => Ok(Action::LoggedIn),
        "raw" | "quote" => match Line::raw(&some(rest)?) {
            Ok(line) if line.verb() == "QUIT" => Err(InvalidStep::Quit),
            Ok(_) => Ok(Action::Raw(rest.to_owned())),
            Err(_) => Err(InvalidStep::Form),
        },
        "msg" => two().map(|(target, text)| Action::Message { target, text }),
        "notice" => two().map(|(target, text)| Action::Say(SayRequest::Notice { target, text })),
        "nickserv" | "ns" => service(Service::NickServ),
        "chanserv" | "cs" => service(Service::ChanServ),
        "umode" => some(rest).map(Action::Modes),
        _ => Err(InvalidStep::Unknown),
    }
}

/// A line as it may be shown.
fn veiled(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let (word, more) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_for_service =
        ["ns", "nickserv", "cs", "chanserv"].iter().any(|name| word.eq_ignore_ascii_case(name));
    let rest = line.strip_prefix(word).unwrap_or_default();
    let is_secret = may_hold_password(line) || (is_for_service && may_hold_password_for_service(rest.trim()));
    if is_secret { format!("{word} {more} …") } else { line.to_owned() }
}

/// The lines that a user has typed, in their order.
#[derive(Default)]
pub struct AutoCommands(Vec<String>);

impl AutoCommands {
    /// Reads what [`Self::to_stored`] has written.
    pub fn stored(text: &str) -> Self {
        Self(text.lines().filter(|line| action(line).is_ok()).take(MOST).map(str::to_owned).collect())
    }

    /// The lines as they are kept; nothing where there are none.
    pub fn to_stored(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("\n"))
    }

    /// Adds a line behind the others.
    ///
    /// # Errors
    /// Where it is none that may stand there.
    pub fn add(&mut self, line: &str) -> Result<(), InvalidStep> {
        action(line)?;
        if self.0.len() >= MOST {
            return Err(InvalidStep::TooMany);
        }
        self.0.push(line.trim().to_owned());
        Ok(())
    }

    /// Takes a line out, by its number from 1 on. Returns whether there was one.
    pub fn remove(&mut self, number: usize) -> bool {
        let is_there = (1..=self.0.len()).contains(&number);
        if is_there {
            self.0.remove(number - 1);
        }
        is_there
    }

    /// The lines, without what may be a password.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|line| veiled(line))
    }
}

/// What is still to be done on a connection, and what was done and not answered.
#[derive(Default)]
pub(super) struct Autocmd {
    steps: VecDeque<(String, Action)>,
    /// Until when it waits.
    until: Option<Instant>,
    open: Vec<(String, oneshot::Receiver<Outcome>)>,
}

impl Autocmd {
    pub(super) async fn load(store: &Store, session: i64) -> Result<Self, StoreError> {
        let stored = store.setting(&settings::AUTOCMD, Scope::Session, session).await?;
        let text = stored.as_ref().map_or("", settings::Value::text);
        let read = |line: &str| Some((veiled(line), action(line).ok()?));
        Ok(Self { steps: text.lines().filter_map(read).take(MOST).collect(), ..Self::default() })
    }

    /// Whether there is something to do before channels are entered.
    pub(super) fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// When it goes on.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// The step whose turn it is.
    fn next(&mut self, is_logged_in: bool, now: Instant) -> Next {
        let time_is_up = self.until.is_some_and(|until| until <= now);
        match self.steps.front() {
            None => return Next::Done,
            Some((_, Action::Wait(_) | Action::LoggedIn)) => {}
            Some(_) => return self.steps.pop_front().map_or(Next::Done, |(line, step)| Next::Do(line, step)),
        }
        let pause = match self.steps.front() {
            Some((_, Action::LoggedIn)) if !is_logged_in => LOGIN,
            Some((_, Action::Wait(pause))) if !time_is_up => *pause,
            _ => Duration::ZERO,
        };
        if pause.is_zero() {
            self.until = None;
            self.steps.pop_front();
            return self.next(is_logged_in, now);
        }
        if time_is_up {
            self.until = None;
            self.steps.clear();
            return Next::NoLogin;
        }
        self.until.get_or_insert(now + pause);
        Next::Wait
    }
}

enum Next {
    Do(String, Action),
    Wait,
    NoLogin,
    Done,
}

impl Actor {
    /// Does what may be done now. When all is, channels are entered.
    pub(super) fn run_autocmd(&mut self) {
        self.hear_autocmd();
        loop {
            let now = self.now();
            let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
                return;
            };
            let is_logged_in = link.session.account().is_some();
            let (line, action) = match link.autocmd.next(is_logged_in, now) {
                Next::Do(line, action) => (line, action),
                Next::Wait => return,
                Next::NoLogin => {
                    let text = "you were not logged in within half a minute, so what follows was not done.";
                    self.tell_autocmd("when logged in", &RichText::plain(text));
                    continue;
                }
                Next::Done => {
                    link.session.release_channels(now);
                    return;
                }
            };
            let reply = match action {
                Action::Raw(line) => self.raw(&line),
                Action::Message { target, text } => {
                    self.say_loose(&target, MessageKind::Privmsg, &text, String::new()).into()
                }
                Action::Say(request) => self.say_otherwise(request),
                Action::Modes(changes) => self.own_modes(&changes),
                Action::Wait(_) | Action::LoggedIn => continue,
            };
            self.await_autocmd(line, reply);
        }
    }

    fn await_autocmd(&mut self, line: String, reply: Reply) {
        let (answer, answered) = oneshot::channel();
        if let Some(link) = &mut self.link {
            link.autocmd.open.push((line, answered));
        }
        let _ = self.settle_request(reply, answer);
        self.hear_autocmd();
    }

    /// Tells what did not work.
    pub(super) fn hear_autocmd(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.autocmd.open.is_empty()) else { return };
        let mut failed = Vec::new();
        link.autocmd.open.retain_mut(|(line, answered)| match answered.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => true,
            Ok(Err(refusal)) => {
                failed.push((std::mem::take(line), refusal));
                false
            }
            _ => false,
        });
        for (line, refusal) in failed {
            self.tell_autocmd(&line, &refusal.into_text());
        }
    }

    fn tell_autocmd(&mut self, line: &str, why: &RichText) {
        let told = (line.to_owned(), why.to_plain());
        if self.questions.autocmd_told.contains(&told) {
            return;
        }
        self.questions.autocmd_told.truncate(MOST - 1);
        self.questions.autocmd_told.insert(0, told);
        let text = RichText::new().bold("autocmd ").code(line).text(": ").then(why.clone());
        self.alert(&text.text(" I don't repeat this."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::raw("raw MODE alice +R", Ok(()))]
    #[case::service("/NS identify hunter2", Ok(()))]
    #[case::message("msg Q@CServe.quakenet.org auth a b", Ok(()))]
    #[case::notice("notice bob hi", Ok(()))]
    #[case::modes("umode +R", Ok(()))]
    #[case::wait("wait 30", Ok(()))]
    #[case::login("When Logged In", Ok(()))]
    #[case::too_long_a_wait("wait 31", Err(InvalidStep::Wait))]
    #[case::no_wait("wait", Err(InvalidStep::Wait))]
    #[case::when_what("when bored", Err(InvalidStep::Unknown))]
    #[case::another_command("join #rust", Err(InvalidStep::Unknown))]
    #[case::nothing("", Err(InvalidStep::Unknown))]
    #[case::no_text("msg bob", Err(InvalidStep::Short))]
    #[case::nothing_for_the_service("cs", Err(InvalidStep::Short))]
    #[case::the_end("raw :alice QUIT :bye", Err(InvalidStep::Quit))]
    #[case::two_lines("raw A\nB", Err(InvalidStep::Form))]
    fn only_some_commands_run_by_themselves(#[case] line: &str, #[case] expected: Result<(), InvalidStep>) {
        let mut commands = AutoCommands::default();
        assert_eq!(commands.add(line), expected);
        let stored = commands.to_stored();
        assert_eq!(stored.is_some(), expected.is_ok());
        assert_eq!(AutoCommands::stored(&stored.unwrap_or_default()).0, commands.0);
    }

    #[rstest]
    #[case::identify("ns identify hunter2", "ns identify …")]
    #[case::unknown_word("nickserv confirm hunter2", "nickserv confirm …")]
    #[case::by_message("msg NickServ identify hunter2", "msg NickServ …")]
    #[case::raw("raw PRIVMSG Q@CServe :AUTH a hunter2", "raw PRIVMSG …")]
    #[case::none("ns info alice", "ns info alice")]
    #[case::modes("umode +R", "umode +R")]
    fn invariant_10_a_password_is_not_shown(#[case] line: &str, #[case] shown: &str) {
        let mut commands = AutoCommands::default();
        commands.add(line).unwrap();
        assert_eq!(commands.shown().collect::<Vec<_>>(), [shown]);
    }

    #[test]
    fn invariant_9_there_are_so_many_and_they_are_taken_out_by_number() {
        let mut commands = AutoCommands::default();
        (0..MOST).for_each(|_| commands.add("umode +R").unwrap());
        assert_eq!(commands.add("umode +R"), Err(InvalidStep::TooMany));
        assert!(!commands.remove(0) && !commands.remove(MOST + 1) && commands.remove(MOST));
        assert_eq!(commands.add(&format!("raw {}", "x".repeat(LONGEST))), Err(InvalidStep::Form));
    }
}
