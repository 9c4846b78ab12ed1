//! From a server's name to a connection: resolve, connect, greet by TLS.
//!
//! Not a policy of when to dial or which server comes next; one call is one attempt. Each step has its own limit,
//! so that one address that swallows packets does not hold up the others for long.
//!
//! Errors are sentences that the user can act on, since they are shown as they are.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use encoding_rs::Encoding;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::connection::Connection;
use super::tls::{Tls, TlsError};

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// A host name or address.
    pub host: String,
    /// The port, usually 6697.
    pub port: u16,
    /// By TLS from the first byte on.
    pub tls: bool,
    /// Whether it may be at an address that the internet does not route. Checked after the name is resolved, so that
    /// no name can point the bridge at what only its own machine may reach.
    pub private: bool,
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

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving the name, and each address.
    pub connect: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), handshake: Duration::from_secs(15) }
    }
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
    /// All its addresses are private, and it may not have such.
    #[error("{server} is at a private address, {address}; where that is meant, set allow_private: true")]
    Private {
        /// The server.
        server: Server,
        /// The first of them.
        address: IpAddr,
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

/// More addresses of one name are not tried: the attempt would take minutes.
const MOST_ADDRESSES: usize = 6;

/// Connects to a server, ready for registration's first line.
pub async fn dial(
    server: &Server,
    tls: &Tls,
    timeouts: Timeouts,
    fallback: Option<&'static Encoding>,
) -> Result<Connection, DialError> {
    let stream = connect(server, timeouts.connect).await?;
    // Lines are small, and people wait for them.
    let _ = stream.set_nodelay(true);
    if !server.tls {
        return Ok(Connection::new(stream, fallback));
    }
    match timeout(timeouts.handshake, tls.connect(&server.host, stream)).await {
        Ok(Ok(stream)) => Ok(Connection::new(stream, fallback)),
        Ok(Err(source)) => Err(DialError::Tls { server: server.clone(), source }),
        Err(_) => Err(DialError::TimedOut { server: server.clone(), after: timeouts.handshake }),
    }
}

async fn connect(server: &Server, limit: Duration) -> Result<TcpStream, DialError> {
    let timed_out = || DialError::TimedOut { server: server.clone(), after: limit };
    let not_found = |reason: String| DialError::NotFound { server: server.clone(), reason };
    let found =
        timeout(limit, lookup_host((server.host.as_str(), server.port))).await.map_err(|_| timed_out())?;
    let mut addresses: Vec<SocketAddr> = found.map_err(|error| not_found(error.to_string()))?.collect();
    if !server.private
        && let Some(first) = addresses.first().map(SocketAddr::ip)
    {
        addresses.retain(|address| !is_private(address.ip()));
        if addresses.is_empty() {
            return Err(DialError::Private { server: server.clone(), address: first });
        }
    }
    let mut last = not_found("it has no address".to_owned());
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        last = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                DialError::Refused { server: server.clone() }
            }
            Ok(Err(source)) => DialError::Unreachable { server: server.clone(), source },
            Err(_) => timed_out(),
        };
    }
    Err(last)
}

/// Whether an address is one that the internet does not route: loopback, private, link-local, shared, unique local,
/// documentation, multicast, or one of these written as IPv6.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                // Carriers' own (RFC 6598) and benchmarks (RFC 2544).
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                // NAT64 and 6to4 lead to IPv4 addresses of somebody's choice; documentation.
                || (first == 0x64 && second == 0xff9b)
                || first == 0x2002
                || (first == 0x2001 && second == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests;
