//! The link to the network: dialled, kept, lost, dialled again.
//!
//! | state | `link` | `dialing` | `retry_at` | `stuck` |
//! |---|---|---|---|---|
//! | idle: the user wants no connection | – | – | – | no |
//! | waiting for its turn, or dialling | – | yes | – | no |
//! | registering or connected | yes | – | – | no |
//! | waiting for the next attempt | – | – | yes | no |
//! | needs the user (a wrong password, a forbidden nick) | – | – | – | yes |

mod ending;

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::super::outcome::Outcome;
use super::super::turns::Turn;
use super::approach::{Approach, NotReached, Reached};
use super::autocmd::Autocmd;
use super::credentials::{OFF, login_method};
use super::username::username;
use super::{Actor, wording};
use crate::config;
use crate::format::RichText;
use crate::irc::connection::Connection;
use crate::irc::dial::{Proxy, Route};
use crate::irc::flood::FloodLimits;
use crate::irc::governor::Urgency;
use crate::irc::ident::Entry;
use crate::irc::sasl::Credentials;
use crate::irc::session::{Entering, NonceSeed, Session, SessionConfig};
use crate::irc::wire::Message;
use crate::names::Nick;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// What came of dialling.
pub(super) struct Dialed {
    /// How long others had their turn before.
    waited: Duration,
    /// The connection, and the turn that it was made in.
    reached: Result<(Reached, Turn), NotReached>,
}
pub(super) type Dialing = BoxFuture<'static, Dialed>;

/// How long the last bytes of a session may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// Reasons that are remembered as told.
const MOST_REASONS: usize = 8;
/// Who has waited for so long for their turn has all their time from then on.
const LONG_WAIT: Duration = Duration::from_mins(1);
/// How long after its user was last there a session goes before others.
const ACTIVE: Duration = Duration::from_hours(1);

/// A connection and the protocol on it.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) connection: Connection,
    /// The server at its other end.
    pub(super) server: Box<config::Server>,
    /// For how long that wants to be talked to by TLS only, if it said so.
    pub(super) strict_for: Option<Duration>,
    /// Since when it has been on the network, in milliseconds since 1970.
    pub(super) since: Option<i64>,
    /// What is done by itself before channels are entered.
    pub(super) autocmd: Autocmd,
    /// Its turn to connect, and its place on the network.
    turn: Turn,
    /// Lets the server ask who this is.
    _ident: Option<Entry>,
}

/// How much the session wants to be connected.
pub(super) struct Wish {
    /// Since when.
    since: Instant,
    /// When the network refused it in words that may mean all of us.
    refused_at: Option<Instant>,
    /// When its user last wrote something.
    active_at: Option<Instant>,
    /// How far the inbox was then.
    cursor: i64,
    /// Its user asked for it.
    asked: bool,
    /// The network banned it when it was last there.
    banned: bool,
}

impl Wish {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, refused_at: None, active_at: None, cursor: 0, asked: false, banned: false }
    }
}

/// Waits for the dialler, for ever where nobody dials.
pub(super) async fn dialed(dialing: &mut Option<Dialing>) -> Dialed {
    match dialing {
        Some(dialing) => dialing.await,
        None => std::future::pending().await,
    }
}

/// Waits for lines, for ever where there is no connection.
pub(super) async fn receive(link: Option<&mut Link>, messages: &mut Vec<Message>) -> std::io::Result<bool> {
    match link {
        Some(link) => link.connection.receive(messages).await,
        None => std::future::pending().await,
    }
}

/// For jitter, which without randomness is still jitter.
pub(super) fn seed() -> u64 {
    let mut seed = [0; 8];
    let _ = crate::clock::random_bytes(&mut seed);
    u64::from_ne_bytes(seed)
}

impl Actor {
    /// The server whose turn it is. A password waits for one that may be told it, where the network has one: one that
    /// may not would need the user, although nothing is wrong but that another server was away for a moment.
    async fn server(&mut self) -> config::Server {
        let needs_trust = self.prefers_trusted || self.has_password().await;
        let all = &self.network.servers;
        let trusted: Vec<_> = all.iter().filter(|server| needs_trust && server.is_trusted()).collect();
        let candidates = if trusted.is_empty() { all.iter().collect() } else { trusted };
        candidates[self.next_server % candidates.len()].clone()
    }

    /// Whether there is a password that only a trusted server may be told. What the store does not tell might be one.
    async fn has_password(&mut self) -> bool {
        if self.network.plaintext_credentials {
            return false;
        }
        let (store, session) = (&self.bridge.store, self.row.id);
        let mut has_any = self.network.password.is_some();
        for setting in [&settings::SASL_PASSWORD, &settings::SERVER_PASSWORD] {
            has_any = has_any || !matches!(store.setting(setting, Scope::Session, session).await, Ok(None));
        }
        has_any
    }

    /// Dials the server whose turn it is, when it is ours. The link, if there is one, stays as it is.
    pub(super) async fn dial(&mut self) {
        if self.waits_for_turn() {
            self.have_waited_outside();
        }
        self.retry_at = None;
        self.wish.refused_at = None;
        self.stuck = false;
        if self.link.is_some() || self.dialing.is_some() {
            return;
        }
        // Its servers may have changed since.
        if let Some(known) = self.bridge.networks.get(&self.row.network) {
            self.network = known.network.clone();
        }
        let server = match self.upgrade.take() {
            Some(server) => *server,
            None => self.server().await,
        };
        if self.told.is_empty() {
            // The way there may yet learn that the server wants TLS; what it said before is known now.
            let strict = self.bridge.store.sts_port(&server.host, self.bridge.clock.unix_ms()).await;
            let (port, how) = match strict {
                Ok(Some(port)) if !server.tls => (port, "with TLS"),
                _ => (server.port, if server.tls { "with TLS" } else { "without TLS" }),
            };
            self.say(RichText::plain(format!("Connecting to {}:{port} {how}…", server.host)));
        }
        let (gate, route) = (self.bridge.gate(&self.network), self.route());
        if self.bridge.is_draining() {
            let text = "The administrator of this bridge prepares maintenance; I connect when that is over.";
            self.say(RichText::plain(text));
        }
        let (session, urgency, since) = (self.row.id, self.urgency(), self.wish.since);
        let approach = Approach {
            bridge: self.bridge.clone(),
            row: self.row.clone(),
            server,
            reach: self.network.reach.clone(),
            charset: self.network.charset,
            route,
            seed: seed(),
        };
        self.dialing = Some(Box::pin(async move {
            let asked = approach.bridge.clock.now();
            approach.bridge.drained().await;
            let turn = gate.turn(session, urgency, since).await;
            let waited = approach.bridge.clock.now().saturating_duration_since(asked);
            Dialed { waited, reached: approach.make_apart().await.map(|reached| (reached, turn)) }
        }));
    }

    /// Whether it is not connected because others have their turn, or since the network has found too many of us.
    pub(super) fn waits_for_turn(&self) -> bool {
        let waits = self.dialing.is_some() || self.wish.refused_at.is_some();
        self.row.connect && self.link.is_none() && waits && !self.wish.banned
    }

    /// The way to the network. Through a proxy each session shows another login, unless the proxy wants a certain one.
    fn route(&self) -> Route {
        match &self.network.proxy {
            Some(proxy) => {
                let of_session = || {
                    let session = format!("session-{}", self.row.id);
                    ("towline".to_owned(), session.into())
                };
                let (user, password) = proxy.login.clone().unwrap_or_else(of_session);
                Route::Through(Proxy { host: proxy.host.clone(), port: proxy.port, user, password })
            }
            None if self.network.bind.is_empty() => Route::Direct,
            None => Route::From(self.network.bind.iter().map(|bind| bind.address(self.row.user)).collect()),
        }
    }

    fn urgency(&self) -> Urgency {
        let now = self.now();
        let is_active = self.wish.active_at.is_some_and(|at| now < at + ACTIVE);
        if self.wish.asked {
            Urgency::Asked
        } else if is_active || self.outbound.waiting() > 0 {
            Urgency::Active
        } else {
            Urgency::Ordinary
        }
    }

    /// Looks, after it was woken, whether it is needed more than it was, and whether it still has to wait.
    pub(super) fn look_at_gate(&mut self) {
        let now = self.now();
        if std::mem::replace(&mut self.wish.cursor, self.outbound.cursor) != self.outbound.cursor {
            self.wish.active_at = Some(now);
        }
        let urgency = self.urgency();
        if self.dialing.is_some() && urgency > Urgency::Ordinary {
            self.bridge.gate(&self.network).raise(self.row.id, urgency);
        }
        if self.wish.refused_at.is_some_and(|at| self.bridge.gate(&self.network).opened_after(at)) {
            self.wish.refused_at = None;
            self.retry_at = self.retry_at.map(|at| at.min(now));
        }
    }

    /// The server has taken us: the next one may go, and whoever waits for the network to open.
    pub(super) fn on_taken(&mut self) {
        (self.wish.asked, self.wish.banned) = (false, false);
        self.tally.connections.count();
        if self.link.as_ref().is_some_and(|link| link.turn.registered()) {
            self.bridge.wake_sessions_of(&self.row.network);
        }
    }

    /// The servers of the network are others, or the way there is: who is under way, or waits to try again, goes by that. A
    /// connection that stands stays; what the network has refused, or the user has to mend, is not tried for that.
    pub(super) async fn go_other_way(&mut self) -> RichText {
        let waits = self.dialing.is_some() || (self.retry_at.is_some() && self.wish.refused_at.is_none());
        if self.link.is_none() && waits {
            self.dialing = None;
            self.upgrade = None;
            self.next_server = 0;
            self.told.clear();
            self.dial().await;
        }
        RichText::new()
    }

    pub(super) async fn on_dialed(&mut self, dialed: Dialed) -> Result<(), StoreError> {
        if dialed.waited >= LONG_WAIT && self.waits_for_turn() {
            self.have_waited_outside();
        }
        self.dialing = None;
        match dialed.reached {
            Ok((Reached { connection, server, certificate_ends_at, ident, display }, turn)) => {
                if self.must_reload {
                    self.reload().await?;
                }
                self.display = display.unwrap_or_else(|| std::mem::take(&mut self.display));
                let mut config = self.session_config(&server, certificate_ends_at.is_some()).await?;
                let autocmd = Autocmd::load(&self.bridge.store, self.row.id).await?;
                if autocmd.has_steps() {
                    config.entering = Entering::WhenReleased;
                }
                let session = Session::new(config, self.now());
                self.link = Some(Link {
                    session,
                    connection,
                    server: Box::new(server),
                    strict_for: None,
                    since: None,
                    autocmd,
                    turn,
                    _ident: ident,
                });
                self.apply_charsets();
                self.apply_manners();
                self.warn_of_certificate(certificate_ends_at);
                Ok(())
            }
            Err(error) => {
                self.next_server += 1;
                self.tally.unreachable.count();
                self.retry(&error.to_string(), None);
                Ok(())
            }
        }
    }

    /// What the user wants of the session, from the settings and the buffers.
    async fn session_config(
        &mut self,
        server: &config::Server,
        certificate: bool,
    ) -> Result<SessionConfig, StoreError> {
        let capabilities = self.wishes().await?;
        let store = &self.bridge.store;
        let (session, user) = (self.row.id, self.row.user);
        let wanted = async |setting: &settings::Setting| {
            let mut value = store.setting(setting, Scope::Session, session).await?;
            if value.is_none() && setting.scopes.contains(&Scope::User) {
                value = store.setting(setting, Scope::User, user).await?;
            }
            Ok::<_, StoreError>(value)
        };
        let text = |value: Option<settings::Value>| value.map(|value| value.text().to_owned());
        let nick = text(wanted(&settings::NICK).await?).and_then(|nick| Nick::new(&nick).ok());
        let (nick, nick_suffix) = match nick {
            Some(nick) => (nick, wording::nick_suffix(&self.row.name)),
            None => {
                let first = self.first_nick();
                (first.within(self.bridge.nick_length(&self.row.network)), first.kept().to_owned())
            }
        };
        let alternatives = text(wanted(&settings::NICK_ALTERNATIVES).await?).unwrap_or_default();
        let alternatives = alternatives.split(' ').filter_map(|nick| Nick::new(nick).ok()).collect();
        let username = username(&self.bridge, &self.row).await?;
        let realname = match self.given_realname(nick.as_str()) {
            Some(given) => given,
            None => text(wanted(&settings::REALNAME).await?).unwrap_or_else(|| nick.as_str().to_owned()),
        };
        let account = text(wanted(&settings::SASL_ACCOUNT).await?);
        let password = wanted(&settings::SASL_PASSWORD).await?;
        let password = password.map(settings::Value::into_secret);
        let sasl = account.map(|account| Credentials { account, password, certificate });
        let server_password = wanted(&settings::SERVER_PASSWORD).await?.map(settings::Value::into_secret);
        let login = text(wanted(&settings::LOGIN_METHOD).await?).unwrap_or_default();
        let required = text(wanted(&settings::LOGIN_REQUIRED).await?);
        let channels = self.channels_to_enter().await?;
        let mut nonce_seed = [0; 32];
        crate::clock::random_bytes(&mut nonce_seed)
            .expect("the system has randomness, or nothing could be sealed");
        Ok(SessionConfig {
            capabilities,
            nick,
            nick_suffix,
            alternatives,
            nick_had: self.nick_had.clone(),
            nick_losses: self.nick_losses,
            username,
            realname,
            server_password: server_password.or_else(|| self.network.password.clone()),
            sasl,
            login: login_method(&login),
            nonce_seed: NonceSeed::new(nonce_seed),
            login_required: required.as_deref() != Some(OFF),
            secure: server.is_trusted() || self.network.plaintext_credentials,
            tls: server.tls,
            channels,
            entering: Entering::WhenReady,
            pool: self.bridge.nick_pool(&self.row.network),
            flood: FloodLimits { burst: self.network.flood.burst, interval: self.network.flood.interval },
            seed: seed(),
            started_at_ms: self.bridge.clock.unix_ms(),
        })
    }

    /// The user wants the session to be connected.
    pub(super) async fn connect(&mut self) -> Result<(), StoreError> {
        if self.is_aside() {
            self.are_outside_from_now_on();
        }
        self.row.connect = true;
        self.bridge.store.set_connect(self.row.id, true).await?;
        self.last_reason = None;
        self.nick_losses = 0;
        self.told.clear();
        self.wish.asked = true;
        self.prefers_trusted = false;
        if self.dialing.is_none() && self.retry_at.is_none() {
            self.wish.since = self.now();
        }
        if self.dialing.is_some() {
            self.bridge.gate(&self.network).raise(self.row.id, Urgency::Asked);
        }
        self.dial().await;
        self.wake_listeners();
        Ok(())
    }

    /// The user does not want the session to be connected.
    pub(super) async fn disconnect(&mut self, reason: &str) -> Result<(), StoreError> {
        self.bridge.store.set_connect(self.row.id, false).await?;
        self.forget_wish();
        self.leave_all_shared("They have disconnected from the network.").await?;
        self.end_connection(reason).await?;
        self.say(RichText::plain("Disconnected."));
        self.wake_listeners();
        Ok(())
    }

    /// The session is not to be connected from now on, as is stored.
    pub(super) fn forget_wish(&mut self) {
        self.row.connect = false;
        (self.retry_at, self.dialing, self.stuck, self.last_reason) = (None, None, false, None);
        self.wish = Wish::new(self.now());
        self.told.clear();
    }

    /// Ends the connection that there is.
    pub(super) async fn end_connection(&mut self, reason: &str) -> Result<(), StoreError> {
        self.say_goodbye(reason).await?;
        self.close_link().await?;
        Ok(())
    }

    /// The user wants another connection. They are to be connected all the while: whatever happens in between, they leave
    /// no room by it, and the session connects.
    pub(super) async fn reconnect(&mut self) -> Outcome {
        (self.retry_at, self.dialing, self.stuck) = (None, None, false);
        self.wish = Wish::new(self.now());
        self.say_goodbye("Reconnecting").await?;
        self.close_link().await?;
        self.connect().await?;
        Ok(RichText::plain(format!("Connecting to {}; its room tells how it goes.", self.network.name)))
    }

    /// Says QUIT, when the bridge stops.
    pub(super) async fn quit(mut self) {
        if let Err(error) = self.say_goodbye("Towline is restarting").await {
            tracing::warn!(%error, "what the server said last could not be stored");
            self.lose_seats();
        }
        if let Some(mut link) = self.link.take() {
            if let Err(error) = self.keep_asked_nick(&link.session).await {
                tracing::warn!(%error, "the nick that was asked for could not be stored");
            }
            let _ = tokio::time::timeout(FAREWELL, link.connection.close()).await;
        }
        self.tell_standing();
    }
}
