//! Whether the port for ident is Towline's to open.

use tokio::net::{TcpListener, TcpStream};

use super::{Failure, Outcome};
use crate::cli::Code;
use crate::config::Config;

pub(super) async fn check(config: &Config) -> Outcome {
    let Some(address) = config.ident else {
        return Outcome::Skipped("there is no `ident.listen`".to_owned());
    };
    let failed = |what: String, remedy: &str| Outcome::Failed(Failure::new(Code::Unexpected, what, remedy));
    match TcpListener::bind(address).await {
        Ok(_) => Outcome::Ok(format!("Towline may listen at {address}")),
        // It would not run without that port.
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && runs(config).await => {
            Outcome::Ok(format!("the running Towline listens at {address}"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => failed(
            format!("another program listens at {address}"),
            "stop it (another ident service, such as oidentd), or let `ident.listen` be another address",
        ),
        Err(error) => failed(
            format!("can't listen at {address}: {error}"),
            "`ident.listen` must be an address of this machine; for a port below 1024 Towline needs \
             CAP_NET_BIND_SERVICE or a systemd socket: see docs/operations.md. What another user may is not checked",
        ),
    }
}

/// Whether Towline runs, as far as its port for the homeserver tells.
async fn runs(config: &Config) -> bool {
    TcpStream::connect(config.appservice.listen).await.is_ok()
}
