//! Whether each network's servers can be reached, by TLS where they should, and what they can do.

use super::{Failure, Findings, Outcome};
use crate::bridge::greeting::{self, Greeting, Unmet};
use crate::cli::{CliError, Code};
use crate::config::{Config, Network};

/// What makes a difference to people, of what servers can do.
const NOTEWORTHY: [&str; 7] = [
    "sasl",
    "server-time",
    "message-tags",
    "echo-message",
    "labeled-response",
    "draft/chathistory",
    "draft/multiline",
];

/// Looks at the networks that the file describes, and at the presets that are named: nobody knocks at ten networks
/// unasked.
pub(super) async fn check(
    config: &Config,
    named: &[String],
    findings: &mut Findings<'_>,
) -> Result<(), CliError> {
    let mut networks: Vec<&Network> = config.networks.values().filter(|network| !network.preset).collect();
    for name in named {
        let network = config.network(name).ok_or_else(|| {
            CliError::Usage(format!("there is no network {name}; see `networks` in the configuration"))
        })?;
        if networks.iter().all(|known| known.slug != network.slug) {
            networks.push(network);
        }
    }
    for network in networks {
        findings.add(&format!("network {}", network.slug), look(network).await)?;
    }
    Ok(())
}

async fn look(network: &Network) -> Outcome {
    let mut said = Vec::new();
    for server in &network.servers {
        match greeting::greet(network, server).await {
            Ok(greeting) => said.push(describe(&greeting)),
            Err(Unmet::Tls(error)) => {
                return failed(
                    error,
                    "the certificate must be made out to that name and signed by somebody whom this host trusts or by \
                     an authority in `ca_file`; or write down its `fingerprint`, after asking the network for it",
                );
            }
            Err(Unmet::Other(error)) => {
                let remedy = format!(
                    "see whether `networks.{}.servers` has the right names and ports, and whether this machine may \
                     connect to them",
                    network.slug
                );
                return failed(error, remedy);
            }
        }
    }
    Outcome::Ok(said.join("; "))
}

fn failed(what: String, remedy: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure::new(Code::Unreachable, what, remedy))
}

fn describe(greeting: &Greeting) -> String {
    let how = if greeting.tls { "with TLS" } else { "without TLS" };
    let (has, lacks): (Vec<&str>, Vec<&str>) =
        NOTEWORTHY.into_iter().partition(|name| greeting.offered.iter().any(|offered| offered == name));
    let list = |names: Vec<&str>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("{} answers {how}, has {} and lacks {}", greeting.server, list(has), list(lacks))
}
