//! The way to a server: by TLS where it has asked for that before, and with the certificate that its user shows.
//!
//! What the store says is read anew for each attempt, within the attempt, so that a command or another session's
//! connection is heard at the next one. Where the store does not answer there is no attempt: without TLS it might be
//! one that the server has forbidden.

use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument as _;

use super::Actor;
use super::called::display_name;
use super::username::ident;
use crate::addresses::Reach;
use crate::bridge::Bridge;
use crate::config::Server;
use crate::format::RichText;
use crate::irc::connection::Connection;
use crate::irc::dial::{self, Dial, DialError, Route};
use crate::irc::ident::Entry;
use crate::irc::tls::{CertificateProblem, ClientCertificate, Tls, TlsSettings};
use crate::store::settings::{self, Scope};
use crate::store::{SessionRow, StoreError};

/// From so long before its end on, a certificate's end is told at each connection, in milliseconds.
const NEAR_END: i64 = 30 * 24 * 60 * 60 * 1000;

/// A connection, and how it came to be.
pub(super) struct Reached {
    pub(super) connection: Connection,
    /// The server, as it was reached: by TLS, perhaps, where the configuration has none.
    pub(super) server: Server,
    /// When the certificate ends that was shown, in milliseconds since 1970.
    pub(super) certificate_ends_at: Option<i64>,
    /// While it is kept, the server can ask who this is.
    pub(super) ident: Option<Entry>,
    /// What the homeserver calls the user, where it matters and was said.
    pub(super) display: Option<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReached {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("towline can't read how to connect: {0}")]
    Store(#[from] StoreError),
    #[error("your certificate can't be read any more: {0}; type certfp remove")]
    Certificate(#[from] CertificateProblem),
}

/// One attempt: which server, for which session.
pub(super) struct Approach {
    pub(super) bridge: Bridge,
    pub(super) row: SessionRow,
    pub(super) server: Server,
    /// At which addresses the server may be.
    pub(super) reach: Reach,
    pub(super) charset: &'static encoding_rs::Encoding,
    pub(super) route: Route,
    /// For the order of addresses.
    pub(super) seed: u64,
}

impl Approach {
    /// Makes the attempt while the session does something else, too: that looks at it only between two turns, and an attempt
    /// whose turn it is to read the store would keep it from the turn that the session itself waits for.
    pub(super) async fn make_apart(self) -> Result<Reached, NotReached> {
        let tasks = self.bridge.tasks.clone();
        apart(&tasks, self.make()).await
    }

    async fn make(mut self) -> Result<Reached, NotReached> {
        let store = &self.bridge.store;
        if !self.server.tls
            && let Some(port) = store.sts_port(&self.server.host, self.bridge.clock.unix_ms()).await?
        {
            self.server = by_tls(&self.server, port);
        }
        let stored = store.setting(&settings::CERTIFICATE, Scope::Session, self.row.id).await?;
        let certificate = match stored.filter(|_| self.server.tls) {
            Some(pem) => Some(ClientCertificate::from_pem(&pem.into_secret())?),
            None => None,
        };
        let tls = self.bridge.tls_for(&self.server);
        let tls = certificate.as_ref().map(|certificate| tls.showing(certificate)).unwrap_or(tls);
        let Server { host, port, tls: by_tls, .. } = self.server.clone();
        let address = dial::Server { host, port, tls: by_tls, reach: self.reach };
        let ident = ident(&self.bridge, &self.row).await?;
        let how = Dial {
            limit: self.route.limit(),
            route: self.route,
            fallback: Some(self.charset),
            seed: self.seed,
            ident: Some((self.bridge.ident.clone(), ident)),
        };
        let network = self.bridge.networks.get(&self.row.network);
        let display = async {
            match &network {
                Some(known) => display_name(&self.bridge, &known.network, &self.row.user_id).await,
                None => None,
            }
        };
        // Where there is no connection, nobody waits for what they would be called on it.
        let dialed = async { dial::dial(&address, &tls, &how).await.map_err(NotReached::from) };
        let (dialed, display) = tokio::try_join!(dialed, async { Ok(display.await) })?;
        let dial::Dialed { connection, ident } = dialed;
        let certificate_ends_at = certificate.map(|certificate| certificate.ends_at());
        Ok(Reached { connection, server: self.server, certificate_ends_at, ident, display })
    }
}

/// Does something in a task of its own, which ends when nobody waits for it any more.
async fn apart<T: Send + 'static>(tasks: &TaskTracker, work: impl Future<Output = T> + Send + 'static) -> T {
    match AbortOnDropHandle::new(tasks.spawn(work.in_current_span())).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The same server by TLS, which then is verified whatever the configuration says: it has no say about this port.
pub(super) fn by_tls(server: &Server, port: u16) -> Server {
    Server { port, tls: true, verify: true, ..server.clone() }
}

impl Bridge {
    /// The TLS set-up for a server, which all sessions share.
    fn tls_for(&self, server: &Server) -> Tls {
        let settings = TlsSettings {
            ca_file: server.ca_file.clone(),
            verify: server.verify,
            fingerprints: server.fingerprints.clone(),
        };
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).get(settings, self.clock.now())
    }
}

impl Actor {
    /// The server wants TLS from now on, for so long after this connection's end.
    pub(super) async fn on_strict_transport(&mut self, duration: Duration) -> Result<(), StoreError> {
        if let Some(link) = &mut self.link {
            link.strict_for = Some(duration);
        }
        Box::pin(self.remember_strict_transport()).await
    }

    /// Remembers what the server of the link wants, from now on. What an unverified server wants is nobody's business, and
    /// what holds for all is not for a server to say that some user has named: it may share its host with others.
    pub(super) async fn remember_strict_transport(&mut self) -> Result<(), StoreError> {
        if self.bridge.networks.get(&self.row.network).is_none_or(|known| known.is_own()) {
            return Ok(());
        }
        let Some(link) = self.link.as_ref().filter(|link| link.server.is_trusted()) else { return Ok(()) };
        let Some(duration) = link.strict_for else { return Ok(()) };
        let now = self.bridge.clock.unix_ms();
        let expires_at = now.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        self.bridge.store.set_sts_port(&link.server.host, link.server.port, expires_at, now).await
    }

    /// A certificate that ends soon, or has ended, still connects; services may not take it any more.
    pub(super) fn warn_of_certificate(&mut self, ends_at: Option<i64>) {
        let Some(left) = ends_at.map(|ends_at| ends_at - self.bridge.clock.unix_ms()) else { return };
        if left < NEAR_END {
            let days = left / (24 * 60 * 60 * 1000);
            let when = if left < 0 { "has ended".to_owned() } else { format!("ends in {days} days") };
            let text = format!("Your certificate {when}. For a new one, type ");
            self.say(
                RichText::plain(text).code("certfp remove").text(" and ").code("certfp generate").text("."),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    /// Alice's session waited for ever for the store, which her own attempt to connect had the turn to read.
    #[tokio::test]
    async fn what_dials_does_not_keep_its_session_from_the_store() {
        let (tasks, turns) = (TaskTracker::new(), Arc::new(Semaphore::new(0)));
        let reading = Arc::clone(&turns).acquire_owned().map(drop);
        let mut dialing = Box::pin(apart(&tasks, reading));
        assert_eq!(futures_util::poll!(&mut dialing), std::task::Poll::Pending);
        // The attempt stands in the queue, and the session behind it, which does not look at the attempt meanwhile.
        tokio::task::yield_now().await;
        turns.add_permits(1);
        let turn = tokio::time::timeout(Duration::from_secs(30), turns.acquire()).await;
        assert!(turn.is_ok(), "it is given back");
        dialing.await;
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let tasks = TaskTracker::new();
        let mut dialing = Box::pin(apart(&tasks, std::future::pending::<()>()));
        assert_eq!(futures_util::poll!(&mut dialing), std::task::Poll::Pending);
        drop(dialing);
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    #[should_panic(expected = "of its own")]
    async fn a_panic_is_the_panic_of_who_waits() {
        apart(&TaskTracker::new(), async { panic!("of its own") }).await;
    }
}
