//! From a server's name to a connection: resolve, connect, greet by TLS.
//!
//! Not a policy of when to dial or which server comes next; one call is one attempt, with one limit for all its
//! steps. Errors are sentences that the user can act on, since they are shown as they are.
//!
//! | part | what it does |
//! |---|---|
//! | `proxy` | SOCKS5 |
//! | `race` | the addresses of a name, in which order and how long each |
//!
//! Invariant: a host that users may name is checked after it is resolved, so that no name can point the bridge at what
//! only its own machine may reach. Through a proxy nothing is resolved here, and the proxy has that duty; so what a user has
//! named is not reached through one.

mod proxy;
mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use encoding_rs::Encoding;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

pub use proxy::Proxy;

use super::connection::Connection;
use super::ident::{Entry, Ident};
use super::random::Jitter;
use super::tls::{Tls, TlsError};
use crate::addresses::Reach;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// A host name or address.
    pub host: String,
    /// The port, usually 6697.
    pub port: u16,
    /// By TLS from the first byte on.
    pub tls: bool,
    /// At which addresses it may be. Checked after the name is resolved, at each attempt and for each of its addresses, so
    /// that no name can point the bridge at what only its own machine may reach.
    pub reach: Reach,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which way to go.
#[derive(Debug, Clone)]
pub enum Route {
    /// From any address of this machine.
    Direct,
    /// From these addresses, at most one of each family; a family that has none is not used.
    From(Vec<IpAddr>),
    /// Through a proxy.
    Through(Proxy),
}

impl Route {
    /// How long an attempt may take on this way: resolving, connecting and TLS together.
    #[must_use]
    pub fn limit(&self) -> Duration {
        match self {
            Self::Direct | Self::From(_) => Duration::from_secs(15),
            // Tor builds a circuit first.
            Self::Through(_) => Duration::from_secs(45),
        }
    }
}

/// How to dial.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The way.
    pub route: Route,
    /// How long it may take; mostly [`Route::limit`].
    pub limit: Duration,
    /// The encoding of lines that are not UTF-8.
    pub fallback: Option<&'static Encoding>,
    /// For the order of addresses.
    pub seed: u64,
    /// Who asks for our user by RFC 1413 is told this name.
    pub ident: Option<(Ident, String)>,
}

/// An open connection, ready for registration's first line.
#[derive(Debug)]
pub struct Dialed {
    /// The connection.
    pub connection: Connection,
    /// While it is kept, the server can ask who this is.
    pub ident: Option<Entry>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("{server}: the name was not found: {reason}")]
    NotFound {
        /// The server.
        server: Server,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody listens there.
    #[error("{server} refused the connection")]
    Refused {
        /// The server.
        server: Server,
    },
    /// No answer came in time.
    #[error("{server} did not answer within {} seconds", .after.as_secs())]
    TimedOut {
        /// The server.
        server: Server,
        /// The limit.
        after: Duration,
    },
    /// Another failure of the network.
    #[error("{server} cannot be reached: {source}")]
    Unreachable {
        /// The server.
        server: Server,
        /// What the system says.
        source: io::Error,
    },
    /// The names of onion services mean nothing to a resolver, and must not be shown to it (RFC 7686).
    #[error("{server} is an onion service: it can be reached only through a proxy (Tor)")]
    Onion {
        /// The server.
        server: Server,
    },
    /// It has no address of a family that we dial from.
    #[error("{server} has only {} addresses, and `bind` names none of that kind to dial from", family(*.address))]
    Family {
        /// The server.
        server: Server,
        /// One of its addresses.
        address: IpAddr,
    },
    /// The address to dial from is not ours.
    #[error(
        "nothing can be dialled from {address}, which is no address of this machine: `bind` in the configuration \
         names it, and docs/operations.md tells how to make it one"
    )]
    NotOurs {
        /// The address.
        address: IpAddr,
    },
    /// The proxy did not connect us.
    #[error("{server} was not reached through the proxy {proxy}: {reason}")]
    Proxy {
        /// The server.
        server: Server,
        /// The proxy, as it is shown.
        proxy: String,
        /// What it answered.
        reason: String,
    },
    /// All its addresses are private, and it may not have such.
    #[error(
        "{server} is at a private address, {address}; where that is meant, set allow_private: true, or add the network \
         with the word private"
    )]
    Private {
        /// The server.
        server: Server,
        /// The first of them.
        address: IpAddr,
    },
    /// All its addresses are private, and a user has named it. Which they are is nobody's business.
    #[error("{server} is at a private address, where no network of a user's own may be")]
    Secluded {
        /// The server.
        server: Server,
    },
    /// A proxy resolves names, to whatever it likes.
    #[error("{server} was named by a user, and such are not reached through a proxy")]
    Unseen {
        /// The server.
        server: Server,
    },
    /// TLS failed.
    #[error("{server}: {source}")]
    Tls {
        /// The server.
        server: Server,
        /// Why.
        source: TlsError,
    },
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

/// Connects to a server, ready for registration's first line.
pub async fn dial(server: &Server, tls: &Tls, how: &Dial) -> Result<Dialed, DialError> {
    let attempt = timeout(how.limit, attempt(server, tls, how)).await;
    attempt.unwrap_or_else(|_| Err(DialError::TimedOut { server: server.clone(), after: how.limit }))
}

async fn attempt(server: &Server, tls: &Tls, how: &Dial) -> Result<Dialed, DialError> {
    let mut jitter = Jitter::new(how.seed);
    let stream = match &how.route {
        Route::Direct => connect(server, &[], &mut jitter).await?,
        Route::From(addresses) => connect(server, addresses, &mut jitter).await?,
        Route::Through(proxy) => connect_through(server, proxy, &mut jitter).await?,
    };
    // Lines are small, and people wait for them.
    let _ = stream.set_nodelay(true);
    // Before TLS: many servers ask while they greet.
    let ident = match &how.route {
        Route::Through(_) => None,
        _ => how.ident.as_ref().and_then(|(ident, name)| {
            Some(ident.register(stream.local_addr().ok()?, stream.peer_addr().ok()?, name))
        }),
    };
    if !server.tls {
        return Ok(Dialed { connection: Connection::new(stream, how.fallback), ident });
    }
    match tls.connect(&server.host, stream).await {
        Ok(stream) => Ok(Dialed { connection: Connection::new(stream, how.fallback), ident }),
        Err(source) => Err(DialError::Tls { server: server.clone(), source }),
    }
}

async fn connect(server: &Server, from: &[IpAddr], jitter: &mut Jitter) -> Result<TcpStream, DialError> {
    if is_onion(server) {
        return Err(DialError::Onion { server: server.clone() });
    }
    let not_found = |reason: String| DialError::NotFound { server: server.clone(), reason };
    let found = lookup_host((server.host.as_str(), server.port)).await;
    let mut addresses: Vec<SocketAddr> = found.map_err(|error| not_found(error.to_string()))?.collect();
    let Some(first) = addresses.first().map(SocketAddr::ip) else {
        return Err(not_found("it has no address".to_owned()));
    };
    addresses.retain(|address| server.reach.allows(address.ip()));
    if addresses.is_empty() {
        return Err(private(server, first));
    }
    let source = |to: &SocketAddr| from.iter().copied().find(|from| from.is_ipv6() == to.is_ipv6());
    if !from.is_empty() {
        let first = addresses[0].ip();
        addresses.retain(|address| source(address).is_some());
        if addresses.is_empty() {
            return Err(DialError::Family { server: server.clone(), address: first });
        }
    }
    let attempt = |address: SocketAddr| connect_to(server, source(&address), address);
    let connected = race::race(race::order(addresses, jitter), attempt).await;
    connected.unwrap_or_else(|| Err(not_found("it has no address".to_owned())))
}

async fn connect_to(server: &Server, from: Option<IpAddr>, to: SocketAddr) -> Result<TcpStream, DialError> {
    let socket = if to.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() };
    let unreachable = |source| DialError::Unreachable { server: server.clone(), source };
    let socket = socket.map_err(unreachable)?;
    if let Some(address) = from {
        socket.bind(SocketAddr::new(address, 0)).map_err(|source| match source.kind() {
            io::ErrorKind::AddrNotAvailable => DialError::NotOurs { address },
            _ => unreachable(source),
        })?;
    }
    socket.connect(to).await.map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused { server: server.clone() },
        _ => unreachable(source),
    })
}

async fn connect_through(
    server: &Server,
    proxy: &Proxy,
    jitter: &mut Jitter,
) -> Result<TcpStream, DialError> {
    if let Reach::InternetAnd(_) = server.reach {
        return Err(DialError::Unseen { server: server.clone() });
    }
    // The proxy resolves names; an address that stands there as such needs nobody to.
    if !server.reach.may_allow(&server.host) {
        let address = server.host.parse().unwrap_or(IpAddr::from([127, 0, 0, 1]));
        return Err(private(server, address));
    }
    let failed = |error: DialError| DialError::Proxy {
        server: server.clone(),
        proxy: proxy.server().to_string(),
        reason: error.to_string(),
    };
    let stream = connect(&proxy.server(), &[], jitter).await.map_err(failed)?;
    proxy::connect(stream, proxy, server).await
}

fn private(server: &Server, address: IpAddr) -> DialError {
    let server = server.clone();
    match server.reach {
        Reach::InternetAnd(_) => DialError::Secluded { server },
        Reach::Anywhere | Reach::Internet => DialError::Private { server, address },
    }
}

fn is_onion(server: &Server) -> bool {
    server.host.trim_end_matches('.').to_ascii_lowercase().ends_with(".onion")
}

#[cfg(test)]
mod tests;
