//! Answers to CTCP requests: few, slow, and to the one who asks only.
//!
//! An answer tells no more than any client's: the program's name and version, the time, which requests there are. It goes
//! behind all that people say, and a flood of requests gets silence. Files and direct chats (DCC) can't be had through
//! a bridge, which both sides are told.
//!
//! Spec: draft-oakley-irc-ctcp-02; modern IRC docs "CTCP".

use std::time::{Duration, Instant};

use crate::irc::queue::Class;
use crate::irc::wire::Line;
use crate::names::Nick;

use super::{Session, State};

/// So many answers at once …
const BURST: u32 = 3;
/// … and then one in each of these.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// What is echoed of a `PING` is cut here: nobody makes us say much.
const LONGEST_ECHO: usize = 64;

/// How many answers may go.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// None go.
    off: bool,
    /// When the bucket would be full again.
    full_at: Option<Instant>,
}

impl Replies {
    fn may_go(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let may = full_at.saturating_duration_since(now) <= INTERVAL * (BURST - 1);
        if may {
            self.full_at = Some(full_at + INTERVAL);
        }
        may
    }
}

impl Session {
    /// Whether requests are answered from now on.
    pub fn answer_ctcp_requests(&mut self, answers: bool) {
        self.replies.off = !answers;
    }

    /// Answers a request, if it is one that is answered.
    pub(super) fn answer_ctcp(&mut self, from: &str, command: &str, params: &str, now: Instant) {
        let Ok(nick) = Nick::new(from) else { return };
        if self.state != State::Ready || self.is_own(from) || self.replies.off {
            return;
        }
        let answer = match command {
            "VERSION" => concat!("VERSION Towline ", env!("CARGO_PKG_VERSION")).to_owned(),
            "CLIENTINFO" => "CLIENTINFO ACTION CLIENTINFO PING TIME VERSION".to_owned(),
            "PING" => {
                let echo: String = params.chars().take(LONGEST_ECHO).collect();
                format!("PING {echo}")
            }
            "TIME" => {
                let Some(time) = self.wall_clock(now) else { return };
                format!("TIME {}", time.strftime("%a, %d %b %Y %H:%M:%S +0000"))
            }
            "DCC" => {
                let what: Vec<&str> = params.split(' ').take(2).collect();
                format!("DCC REJECT {}", what.join(" "))
            }
            _ => return,
        };
        if !self.replies.may_go(now) {
            return;
        }
        let answer = answer.replace(['\x01', '\r', '\n', '\0'], "");
        let line = Line::with_text(Line::new("NOTICE").name(&nick), &format!("\x01{answer}\x01"));
        self.queue_line(Class::Background, line);
    }

    /// The time of day.
    fn wall_clock(&self, now: Instant) -> Option<jiff::Timestamp> {
        let gone = i64::try_from(now.saturating_duration_since(self.started).as_millis()).ok()?;
        jiff::Timestamp::from_millisecond(self.config.started_at_ms.checked_add(gone)?).ok()
    }
}
