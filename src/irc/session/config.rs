//! What a session is given at its start.
//!
//! Values only; where they come from (settings, the database, the command line) is nobody's business here.

use secrecy::SecretString;

use crate::irc::caps::Wishes;
use crate::irc::queue::FloodLimits;
use crate::irc::sasl::SaslPlain;
use crate::names::{Channel, Key, Nick};

/// The wishes of one user on one network.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The nick that the user wants; a fallback never takes its place here.
    pub nick: Nick,
    /// The user name ("ident").
    pub username: String,
    /// The real name, which anybody can read.
    pub realname: String,
    /// The server's password (`PASS`).
    pub server_password: Option<SecretString>,
    /// The account with the network's services.
    pub sasl: Option<SaslPlain>,
    /// Without a login there is no connection, so that nobody appears without their cloak.
    pub sasl_required: bool,
    /// The connection may carry credentials: verified TLS, or plaintext that the operator allowed for them.
    pub secure: bool,
    /// The channels to enter once ready.
    pub channels: Vec<(Channel, Option<Key>)>,
    /// How fast lines may leave.
    pub flood: FloodLimits,
    /// What the user adds to the capabilities that are asked for, and does without.
    pub capabilities: Wishes,
    /// For jitter.
    pub seed: u64,
    /// When the connection began, in milliseconds since 1970: what the server dates well before is the past.
    pub started_at_ms: i64,
}

impl SessionConfig {
    /// A configuration with nothing but a nick: no credentials, no channels, default limits.
    #[must_use]
    pub fn new(nick: Nick) -> Self {
        Self {
            username: nick.as_str().to_owned(),
            realname: nick.as_str().to_owned(),
            nick,
            server_password: None,
            sasl: None,
            sasl_required: true,
            secure: false,
            channels: Vec::new(),
            flood: FloodLimits::default(),
            capabilities: Wishes::default(),
            seed: 0,
            started_at_ms: 0,
        }
    }
}
