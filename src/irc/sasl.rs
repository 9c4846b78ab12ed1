//! SASL: the exchange that logs in, as a state machine of its own. Chunks in, lines out.
//!
//! Not the decision what a failure means for the connection; that is the session's. A mechanism is a file in `sasl/`;
//! here stand which of them is tried and how their messages are cut into lines. Channel binding is not spoken.
//!
//! Invariant 10: the password leaves its [`SecretString`] only to become `AUTHENTICATE` lines, which show nothing
//! in `Debug`. Whether the connection may carry it is checked by the session before this is reached. Invariant 9:
//! what a server sends is cut at `MOST_RECEIVED`. Invariant 7: nonces are passed in.
//!
//! Spec: `IRCv3` "SASL Authentication" 3.1 and 3.2; RFC 4422.

mod external;
mod plain;
mod scram;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::wire::Line;
use scram::{Hash, Scram};

/// With what somebody logs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account's name with the network's services.
    pub account: String,
    /// Its password; without one only a certificate can do.
    pub password: Option<SecretString>,
    /// The connection has shown a certificate of the user's.
    pub certificate: bool,
}

/// One `AUTHENTICATE` carries so many bytes of base64; a line of exactly so many means that more follows.
const CHUNK: usize = 400;

/// What a server may send in one message, in bytes of base64: many times what any mechanism needs.
pub(super) const MOST_RECEIVED: usize = 8 * CHUNK;

/// A way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// By the certificate that the connection shows.
    External,
    /// By a password that the server never gets to see.
    ScramSha512,
    /// The same with a shorter hash.
    ScramSha256,
    /// By telling the password.
    Plain,
}

impl Mechanism {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::External, Self::ScramSha512, Self::ScramSha256, Self::Plain];

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }

    /// Whether a server's list has it. Without a list it may be there.
    #[must_use]
    pub fn is_in(self, list: &str) -> bool {
        list.is_empty() || list.split([',', ' ']).any(|name| name.eq_ignore_ascii_case(self.name()))
    }

    fn works_with(self, credentials: &Credentials) -> bool {
        match self {
            Self::External => credentials.certificate,
            _ => credentials.password.is_some(),
        }
    }
}

/// The mechanisms to try: those that the server lists and the credentials allow, best first.
#[must_use]
pub fn choose(list: &str, credentials: &Credentials) -> Vec<Mechanism> {
    let is_possible = |one: &Mechanism| one.is_in(list) && one.works_with(credentials);
    Mechanism::ALL.into_iter().filter(is_possible).collect()
}

/// Why an exchange cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// More than any mechanism needs.
    #[error("the server sent more than a login takes")]
    TooLong,
    /// Not what the mechanism prescribes.
    #[error("the server's answer cannot be read")]
    Malformed,
    /// An answer to somebody else's exchange.
    #[error("the server's answer belongs to another login")]
    Nonce,
    /// So few that the proof would give the password away, or so many that they would keep this machine busy.
    #[error(
        "the server wants the password hashed {0} times, which is out of all proportion; a certificate would do"
    )]
    Iterations(u32),
    /// The server does not know what it would have to know.
    #[error(
        "the server could not prove that it knows the password: it may not be the one that it says it is"
    )]
    Signature,
    /// The server said no within the exchange.
    #[error("the network refused account or password: {0}")]
    Refused(String),
}

/// How much a server has learnt; what its refusal means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// The mechanism's name: a refusal is of the mechanism.
    Named,
    /// The account's name: a refusal is of the account, or of the mechanism for it.
    Identified,
    /// The proof: a refusal is of the proof.
    Proved,
}

/// What to do after a line of the server's.
#[derive(Debug)]
pub enum Step {
    /// More is to come.
    Wait,
    /// To be sent.
    Send(Vec<Line>),
    /// It is over.
    Fail(SaslError),
}

/// One attempt with one mechanism.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    /// The exchange of SCRAM, which has several steps.
    scram: Option<Scram>,
    progress: Progress,
    received: String,
}

impl Exchange {
    /// Begins, with the line that names the mechanism. The nonce must be new for each exchange and hold no comma.
    #[must_use]
    pub fn begin(mechanism: Mechanism, nonce: &str) -> (Self, Line) {
        let hash = match mechanism {
            Mechanism::ScramSha512 => Some(Hash::Sha512),
            Mechanism::ScramSha256 => Some(Hash::Sha256),
            Mechanism::External | Mechanism::Plain => None,
        };
        let scram = hash.map(|hash| Scram::new(hash, nonce));
        let exchange = Self { mechanism, scram, progress: Progress::Named, received: String::new() };
        (exchange, Line::new("AUTHENTICATE").name_literal(mechanism.name()).finish())
    }

    /// The mechanism that is tried.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// How much the server has learnt.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether the server's word that we are logged in may be taken: where the mechanism has the server prove itself,
    /// not before it has.
    #[must_use]
    pub fn may_succeed(&self) -> bool {
        match &self.scram {
            Some(scram) => scram.is_verified(),
            None => self.progress == Progress::Proved,
        }
    }

    /// Takes what stands in an `AUTHENTICATE` of the server's.
    pub fn handle(&mut self, chunk: &str, credentials: &Credentials) -> Step {
        if self.scram.is_none() && self.progress == Progress::Proved {
            // There is nothing more to say in a mechanism of one message.
            return Step::Wait;
        }
        if chunk != "+" {
            if self.received.len() + chunk.len() > MOST_RECEIVED {
                return Step::Fail(SaslError::TooLong);
            }
            self.received.push_str(chunk);
            if chunk.len() >= CHUNK {
                return Step::Wait;
            }
        }
        let Ok(message) = STANDARD.decode(std::mem::take(&mut self.received)) else {
            return Step::Fail(SaslError::Malformed);
        };
        match self.answer(&message, credentials) {
            Ok(answer) => Step::Send(chunks(&STANDARD.encode(answer))),
            Err(error) => Step::Fail(error),
        }
    }

    fn answer(&mut self, message: &[u8], credentials: &Credentials) -> Result<Vec<u8>, SaslError> {
        let answer = match &mut self.scram {
            Some(scram) => scram.answer(message, credentials)?,
            None if self.mechanism == Mechanism::External => external::response(),
            None => plain::response(credentials),
        };
        self.progress = match &self.scram {
            Some(scram) if !scram.has_proved() => Progress::Identified,
            _ => Progress::Proved,
        };
        Ok(answer)
    }
}

/// Gives up.
#[must_use]
pub fn abort() -> Line {
    Line::new("AUTHENTICATE").name_literal("*").finish()
}

/// A message in as many lines as it needs.
fn chunks(encoded: &str) -> Vec<Line> {
    let line = |chunk: &str| Line::new("AUTHENTICATE").name_literal(chunk).finish();
    let mut lines = Vec::new();
    let mut rest = encoded;
    while rest.len() >= CHUNK {
        let (chunk, after) = rest.split_at(CHUNK);
        lines.push(line(chunk));
        rest = after;
    }
    lines.push(line(if rest.is_empty() { "+" } else { rest }));
    lines
}

#[cfg(test)]
mod tests;
