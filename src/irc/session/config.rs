//! What a session is given at its start.
//!
//! Values only; where they come from (settings, the database, the command line) is nobody's business here.

use secrecy::SecretString;

use crate::irc::caps::CapabilityWishes;
use crate::irc::channels::NickPool;
use crate::irc::flood::FloodLimits;
use crate::irc::sasl::Credentials;
use crate::names::{Channel, Key, Nick};

use super::login::NonceSeed;
use super::nickserv::LoginMethod;

/// When the channels are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entering {
    /// Once the server has greeted us.
    WhenReady,
    /// When the owner says so ([`Session::release_channels`](super::Session::release_channels)).
    WhenReleased,
}

/// The wishes of one user on one network.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The nick that the user wants; a fallback never takes its place here.
    pub nick: Nick,
    /// The end of the nick that tells it from other people's and from those of the user's other sessions on the network: of a
    /// nick that is too long for the server, it stays.
    pub nick_suffix: String,
    /// The nicks to take while that one is in use, the best first.
    pub alternatives: Vec<Nick>,
    /// How often somebody took that nick away from us on the connections before this one: after two we don't ask
    /// for it by ourselves.
    pub nick_losses: u32,
    /// The nick that was wanted and ours on an earlier connection.
    pub nick_had: Option<Nick>,
    /// The user name ("ident").
    pub username: String,
    /// The real name, which anybody can read.
    pub realname: String,
    /// The server's password (`PASS`).
    pub server_password: Option<SecretString>,
    /// The account with the network's services.
    pub sasl: Option<Credentials>,
    /// How that account is logged in to.
    pub login: LoginMethod,
    /// For the nonces of the login.
    pub nonce_seed: NonceSeed,
    /// Without a login there is no connection, so that nobody appears without their cloak.
    pub login_required: bool,
    /// The connection may carry credentials: verified TLS, or plaintext that the operator allowed for them.
    pub secure: bool,
    /// The connection is by TLS.
    pub tls: bool,
    /// The channels to enter once ready, in the order in which they are asked for.
    pub channels: Vec<(Channel, Option<Key>)>,
    /// When they are.
    pub entering: Entering,
    /// Where the nicks of the network's channels are kept.
    pub pool: NickPool,
    /// How fast lines may leave.
    pub flood: FloodLimits,
    /// What the user adds to the capabilities that are asked for, and does without.
    pub capabilities: CapabilityWishes,
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
            alternatives: Vec::new(),
            nick_suffix: String::new(),
            nick_losses: 0,
            nick_had: None,
            server_password: None,
            sasl: None,
            login: LoginMethod::default(),
            nonce_seed: NonceSeed::new([0; 32]),
            login_required: true,
            secure: false,
            tls: false,
            channels: Vec::new(),
            entering: Entering::WhenReady,
            pool: NickPool::default(),
            flood: FloodLimits::default(),
            capabilities: CapabilityWishes::default(),
            seed: 0,
            started_at_ms: 0,
        }
    }

    /// Whether the account is logged in to by SASL where there is SASL.
    pub(super) fn uses_sasl(&self) -> bool {
        self.sasl.is_some() && self.login == LoginMethod::Sasl
    }
}
