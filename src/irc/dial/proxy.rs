//! Through a SOCKS5 proxy: it gets the server's name as it stands, so that nothing is resolved here.
//!
//! Each session shows a user name and a password of its own, unless the proxy wants certain ones: Tor gives streams
//! with different credentials different circuits, so no exit sees that two sessions are of one bridge.
//!
//! Spec: RFC 1928, RFC 1929; Tor's socks-extensions.

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use super::{DialError, Server};
use crate::addresses::Reach;

/// A SOCKS5 proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its host name or address, which may be private.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user name that it is shown.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

impl Proxy {
    /// The proxy as a server that may be anywhere.
    pub(super) fn server(&self) -> Server {
        Server { host: self.host.clone(), port: self.port, tls: false, reach: Reach::Anywhere }
    }
}

/// Asks the proxy, over an open connection, for the server.
pub(super) async fn connect(
    stream: TcpStream,
    proxy: &Proxy,
    server: &Server,
) -> Result<TcpStream, DialError> {
    let target = (server.host.as_str(), server.port);
    let password = proxy.password.expose_secret();
    let asked = Socks5Stream::connect_with_password_and_socket(stream, target, &proxy.user, password).await;
    asked.map(Socks5Stream::into_inner).map_err(|error| DialError::Proxy {
        server: server.clone(),
        proxy: proxy.server().to_string(),
        reason: describe(&error),
    })
}

/// What the proxy's answer means.
fn describe(error: &Error) -> String {
    match error {
        Error::ConnectionRefused => "the server refused the connection",
        Error::HostUnreachable | Error::NetworkUnreachable => "the server cannot be reached from there",
        Error::TtlExpired => "the server did not answer in time",
        Error::GeneralSocksServerFailure => "it failed; is the name right?",
        Error::ConnectionNotAllowedByRuleset => "its rules forbid the connection",
        Error::NoAcceptableAuthMethods | Error::PasswordAuthFailure(_) => {
            "it does not accept the user name and password"
        }
        Error::InvalidResponseVersion | Error::ProxyServerUnreachable => "it does not speak SOCKS5",
        Error::Io(error) => return format!("the connection to it broke: {error}"),
        other => return other.to_string(),
    }
    .to_owned()
}
