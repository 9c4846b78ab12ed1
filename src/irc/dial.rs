//! From a server's name to a connection: resolve, connect, greet by TLS.
//!
//! Not a policy of when to dial or which server comes next; one call is one attempt. Each step has its own limit,
//! so that one address that swallows packets does not hold up the others for long.
//!
//! Errors are sentences that the user can act on, since they are shown as they are.

use std::io;
use std::net::SocketAddr;
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
    let addresses: Vec<SocketAddr> = found.map_err(|error| not_found(error.to_string()))?.collect();
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

#[cfg(test)]
mod tests;
