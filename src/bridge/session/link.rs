//! The link to the network: dialled, kept, lost, dialled again.
//!
//! | state | `link` | `dialing` | `retry_at` | `stuck` |
//! |---|---|---|---|---|
//! | idle: the user wants no connection | – | – | – | no |
//! | dialling | – | yes | – | no |
//! | registering or connected | yes | – | – | no |
//! | waiting for the next attempt | – | – | yes | no |
//! | needs the user (a wrong password, a forbidden nick) | – | – | – | yes |

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Actor, wording};
use crate::config;
use crate::format::RichText;
use crate::irc::connection::Connection;
use crate::irc::dial::{self, DialError, Timeouts};
use crate::irc::queue::FloodLimits;
use crate::irc::sasl::SaslPlain;
use crate::irc::session::{Event, Session, SessionConfig, Verdict};
use crate::irc::tls::{Tls, TlsSettings};
use crate::irc::wire::Message;
use crate::names::{Channel, Key, Nick};
use crate::store::settings::{self, Scope};
use crate::store::{BufferKind, StoreError};

pub(super) type Dialed = Result<Connection, DialError>;
pub(super) type Dialing = BoxFuture<'static, Dialed>;

/// How long the last bytes of a session may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// Reasons that are remembered as told.
const MOST_REASONS: usize = 8;

/// A connection and the protocol on it.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) connection: Connection,
    /// Since when it has been on the network, in milliseconds since 1970.
    pub(super) since: Option<i64>,
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

impl Actor {
    /// The server whose turn it is.
    fn server(&self) -> config::Server {
        self.network.servers[self.next_server % self.network.servers.len()].clone()
    }

    /// Dials the server whose turn it is. The link, if there is one, stays as it is.
    pub(super) fn dial(&mut self) {
        self.retry_at = None;
        self.stuck = false;
        if self.link.is_some() || self.dialing.is_some() {
            return;
        }
        let server = self.server();
        if self.told.is_empty() {
            let how = if server.tls { "with TLS" } else { "without TLS" };
            self.say(RichText::plain(format!("Connecting to {}:{} {how}…", server.host, server.port)));
        }
        let tls = self.tls(&server);
        let charset = self.network.charset;
        let private = self.network.allow_private;
        self.dialing = Some(Box::pin(async move {
            let address = dial::Server { host: server.host, port: server.port, tls: server.tls, private };
            dial::dial(&address, &tls, Timeouts::default(), Some(charset)).await
        }));
    }

    /// The TLS set-up for a server, which all sessions share: roots are read once.
    fn tls(&self, server: &config::Server) -> Arc<Tls> {
        let mut known = self.bridge.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let make =
            || Arc::new(Tls::new(&TlsSettings { ca_file: server.ca_file.clone(), verify: server.verify }));
        Arc::clone(known.entry(server.clone()).or_insert_with(make))
    }

    pub(super) async fn on_dialed(&mut self, dialed: Dialed) -> Result<(), StoreError> {
        self.dialing = None;
        match dialed {
            Ok(connection) => {
                if self.must_reload {
                    self.reload().await?;
                }
                let config = self.session_config().await?;
                let session = Session::new(config, self.now());
                self.link = Some(Link { session, connection, since: None });
                Ok(())
            }
            Err(error) => {
                self.next_server += 1;
                self.retry(&error.to_string(), None);
                Ok(())
            }
        }
    }

    /// What the user wants of the session, from the settings and the buffers.
    async fn session_config(&mut self) -> Result<SessionConfig, StoreError> {
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
        let nick = nick.unwrap_or_else(|| self.default_nick());
        let username = text(wanted(&settings::USERNAME).await?).unwrap_or_else(|| self.default_username());
        let realname = text(wanted(&settings::REALNAME).await?).unwrap_or_else(|| nick.as_str().to_owned());
        let account = text(wanted(&settings::SASL_ACCOUNT).await?);
        let password = wanted(&settings::SASL_PASSWORD).await?;
        let sasl = account
            .zip(password)
            .map(|(account, password)| SaslPlain { account, password: password.into_secret() });
        let channels =
            self.buffers.iter().filter(|buffer| buffer.row.kind == BufferKind::Channel && buffer.row.wanted);
        let channels = channels.filter_map(|buffer| {
            use secrecy::ExposeSecret as _;
            let key = buffer.row.key.as_ref().and_then(|key| Key::new(key.expose_secret()).ok());
            Some((Channel::new(&buffer.row.name).ok()?, key))
        });
        let mut seed = [0; 8];
        let _ = crate::clock::random_bytes(&mut seed);
        Ok(SessionConfig {
            capabilities,
            nick,
            username,
            realname,
            server_password: self.network.password.clone(),
            sasl,
            sasl_required: true,
            secure: self.server().is_trusted() || self.network.plaintext_credentials,
            channels: channels.collect(),
            flood: FloodLimits { burst: self.network.flood.burst, interval: self.network.flood.interval },
            seed: u64::from_ne_bytes(seed),
            started_at_ms: self.bridge.clock.unix_ms(),
        })
    }

    /// The nick that the network's template makes of the Matrix id.
    pub(super) fn default_nick(&self) -> Nick {
        let localpart = self.row.user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
        wording::nick_from(&self.network.nick.render(&[("localpart", localpart)]))
    }

    fn default_username(&self) -> String {
        let localpart = self.row.user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
        let name: String = localpart.chars().filter(char::is_ascii_alphanumeric).take(9).collect();
        if name.is_empty() { "user".to_owned() } else { name }
    }

    /// The connection is gone, or has to go.
    pub(super) async fn lose_connection(&mut self, reason: &str) -> Result<(), StoreError> {
        self.end_link(reason, Verdict::Retry).await
    }

    /// Ends the link and does what the verdict says.
    pub(super) async fn end_link(&mut self, reason: &str, verdict: Verdict) -> Result<(), StoreError> {
        if !self.close_link().await? {
            return Ok(());
        }
        match verdict {
            Verdict::Retry => self.retry(reason, None),
            Verdict::Hold(pause) => self.retry(reason, Some(pause)),
            Verdict::NeedUser => {
                self.stuck = true;
                self.last_reason = Some(reason.to_owned());
                self.alert(
                    &RichText::new()
                        .bold("Not connected")
                        .text(format!(": {reason}. I will not try again by myself; mend it, then type "))
                        .code("connect")
                        .text("."),
                );
            }
        }
        Ok(())
    }

    /// Closes the connection and keeps what did not leave on it; `false` where there was none.
    async fn close_link(&mut self) -> Result<bool, StoreError> {
        let Some(mut link) = self.link.take() else {
            return Ok(false);
        };
        // Only what was committed as leaving is written: the lines that wait go with the next connection.
        let _ = tokio::time::timeout(FAREWELL, link.connection.close()).await;
        if let Some(registered_at) = link.session.registered_at() {
            self.backoff.reset_after(self.now().saturating_duration_since(registered_at));
        } else {
            self.next_server += 1;
        }
        self.break_off_catch_up();
        self.typists.clear();
        self.begin_gaps(&link.session);
        self.give_back(&link.session).await?;
        Ok(true)
    }

    /// Says QUIT and reads on until the server closes: what it sent before belongs in the rooms, and what it
    /// confirms did arrive.
    async fn say_goodbye(&mut self, reason: &str) -> Result<(), StoreError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        link.session.quit(reason);
        let is_known = link.session.registered_at().is_some();
        self.transmit().await?;
        // A server that has not taken us has nothing to say that anybody waits for.
        if !is_known {
            return Ok(());
        }
        let end = self.now() + FAREWELL;
        let mut messages = Vec::new();
        loop {
            let left = end.saturating_duration_since(self.now());
            let receiving = receive(self.link.as_mut(), &mut messages);
            let Ok(received) = tokio::time::timeout(left, receiving).await else {
                return Ok(());
            };
            let mut is_over = !matches!(received, Ok(true));
            for event in self.read_messages(&mut messages) {
                match event {
                    Event::Disconnect { .. } => is_over = true,
                    event => self.on_event(event).await?,
                }
            }
            self.flush_server_text();
            self.commit_incoming().await?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// Tries again later. The user is told why once, not at each attempt.
    fn retry(&mut self, reason: &str, pause: Option<Duration>) {
        let pause = pause.unwrap_or_else(|| self.backoff.next());
        // Servers that are tried in turn fail each for its own reason.
        if !self.told.iter().any(|told| told == reason) {
            let again = wording::duration(pause);
            self.say(RichText::plain(format!("Not connected: {reason}. Trying again in {again}.")));
            self.told.truncate(MOST_REASONS - 1);
            self.told.insert(0, reason.to_owned());
        }
        self.last_reason = Some(reason.to_owned());
        self.retry_at = Some(self.now() + pause);
    }

    /// The user wants the session to be connected.
    pub(super) async fn connect(&mut self) -> Result<(), StoreError> {
        self.row.connect = true;
        self.bridge.store.set_connect(self.row.id, true).await?;
        self.last_reason = None;
        self.told.clear();
        self.dial();
        Ok(())
    }

    /// The user does not want the session to be connected.
    pub(super) async fn disconnect(&mut self, reason: &str) -> Result<(), StoreError> {
        self.row.connect = false;
        self.bridge.store.set_connect(self.row.id, false).await?;
        (self.retry_at, self.dialing, self.stuck, self.last_reason) = (None, None, false, None);
        self.told.clear();
        self.say_goodbye(reason).await?;
        self.close_link().await?;
        self.say(RichText::plain("Disconnected."));
        Ok(())
    }

    /// Says QUIT, when the bridge stops.
    pub(super) async fn quit(mut self) {
        if let Err(error) = self.say_goodbye("Towline is restarting").await {
            tracing::warn!(%error, "what the server said last could not be stored");
        }
        if let Some(mut link) = self.link.take() {
            let _ = tokio::time::timeout(FAREWELL, link.connection.close()).await;
        }
    }
}
