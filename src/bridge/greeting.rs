//! A look at an IRC server without becoming its client: it is dialled as sessions dial it, asked for its capabilities,
//! and left.
//!
//! Nobody introduces themselves, so the network sees no user and no nick is taken.

use std::time::Duration;

use crate::config::{Network, Server};
use crate::irc::caps::{CapStep, Capabilities, CapabilityWishes};
use crate::irc::dial::{self, Dial, DialError, Dialed, Proxy, Route};
use crate::irc::tls::{Tls, TlsSettings};
use crate::irc::wire::{Line, Verb};

/// How long a server may take to say what it can: some look its client up first.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who can't be looked up has the first address of a prefix.
const NOBODY: i64 = 0;

/// What a server answered.
#[derive(Debug)]
pub struct Greeting {
    /// Its name and port.
    pub server: String,
    /// Whether by TLS.
    pub tls: bool,
    /// Its capabilities; none where it does not know the question.
    pub offered: Vec<String>,
}

/// Why it did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Unmet {
    /// Its certificate, or ours to judge it by.
    #[error("{0}")]
    Tls(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Asks a server of a network what it can do.
///
/// # Errors
/// In words for the administrator.
pub async fn greet(network: &Network, server: &Server) -> Result<Greeting, Unmet> {
    let Server { host, port, tls, ca_file, verify, fingerprints } = server.clone();
    let setup = Tls::new(&TlsSettings { ca_file, verify, fingerprints });
    let address = dial::Server { host, port, tls, reach: network.reach.clone() };
    let route = match &network.proxy {
        Some(proxy) => {
            let (user, password) =
                proxy.login.clone().unwrap_or_else(|| ("towline".to_owned(), "check".into()));
            Route::Through(Proxy { host: proxy.host.clone(), port: proxy.port, user, password })
        }
        None if network.bind.is_empty() => Route::Direct,
        None => Route::From(network.bind.iter().map(|bind| bind.address(NOBODY)).collect()),
    };
    let how = Dial { limit: route.limit(), route, fallback: Some(network.charset), seed: 0, ident: None };
    let dialed = dial::dial(&address, &setup, &how).await.map_err(|error| match error {
        DialError::Tls { .. } => Unmet::Tls(error.to_string()),
        error => Unmet::Other(error.to_string()),
    })?;
    let server = address.to_string();
    match tokio::time::timeout(PATIENCE, ask(dialed)).await {
        Ok(Ok(offered)) => Ok(Greeting { server, tls, offered }),
        Ok(Err(reason)) => Err(Unmet::Other(format!("{server} {reason}"))),
        Err(_) => Err(Unmet::Other(format!("{server} did not answer within {} seconds", PATIENCE.as_secs()))),
    }
}

async fn ask(mut dialed: Dialed) -> Result<Vec<String>, String> {
    let connection = &mut dialed.connection;
    connection.queue(&Capabilities::first_line());
    // Who knows no CAP answers this, before a registration as after it, with an error or what was asked.
    connection.queue(&Line::ping("towline"));
    let mut capabilities = Capabilities::new(false, CapabilityWishes::default());
    loop {
        let mut messages = Vec::new();
        let goes_on = connection
            .receive(&mut messages)
            .await
            .map_err(|error| format!("ended the connection: {error}"))?;
        for message in &messages {
            match &message.verb {
                Verb::Word(word) if **word == *"CAP" => {
                    let mut requests = Vec::new();
                    let step = capabilities.handle(&message.params, &mut requests);
                    if step == CapStep::Settled || !requests.is_empty() {
                        connection.queue(&Line::quit("towline check"));
                        connection.close().await;
                        return Ok(capabilities.all_offered().map(str::to_owned).collect());
                    }
                }
                Verb::Word(word) if **word == *"ERROR" => {
                    let reason: String =
                        message.param(0).chars().filter(|c| !c.is_control()).take(200).collect();
                    return Err(format!("closed the connection: {reason}"));
                }
                // Unknown command, not registered, or the answer: the question before it was not understood.
                Verb::Word(word) if **word == *"PONG" => return Ok(Vec::new()),
                Verb::Numeric(421 | 451) => return Ok(Vec::new()),
                _ => {}
            }
        }
        if !goes_on {
            return Err("closed the connection without a word".to_owned());
        }
    }
}
