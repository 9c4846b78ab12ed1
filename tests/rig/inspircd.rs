//! A real InspIRCd with most of IRCv3, plain and on TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::TcpStream;

use super::free_port;
use super::process::{Process, command};

/// A running InspIRCd.
pub(crate) struct Inspircd {
    /// The port for plain connections.
    pub(crate) port: u16,
    /// The port for TLS; its certificate is for `localhost` and 127.0.0.1, from [`Self::ca_file`].
    pub(crate) tls_port: u16,
    /// The port that services link to.
    pub(crate) services_port: u16,
    directory: PathBuf,
    process: Process,
}

impl Inspircd {
    /// Starts one in `directory`, which need not exist.
    pub(crate) async fn start(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        write_certificates(directory);
        let (port, tls_port, services_port) = (free_port(), free_port(), free_port());
        let config = include_str!("inspircd.conf.in")
            .replace("@RUN@", directory.to_str().unwrap())
            .replace("@PLAIN@", &port.to_string())
            .replace("@TLS@", &tls_port.to_string())
            .replace("@SERVERS@", &services_port.to_string());
        std::fs::write(directory.join("inspircd.conf"), config).unwrap();
        std::fs::write(directory.join("motd"), "Nothing here is real.\n").unwrap();
        let process = spawn(directory);
        let mut inspircd = Self {
            port,
            tls_port,
            services_port,
            directory: directory.into(),
            process,
        };
        inspircd.wait_ready().await;
        inspircd
    }

    /// Where it listens without TLS.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The authority that signed its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Stops it and starts it again, empty.
    pub(crate) async fn restart(&mut self) {
        self.process.stop().await;
        self.process = spawn(&self.directory);
        self.wait_ready().await;
    }

    async fn wait_ready(&mut self) {
        let addresses = [self.port, self.tls_port, self.services_port];
        let ready = async || {
            for port in addresses {
                if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                    return false;
                }
            }
            true
        };
        self.process.wait_ready(ready).await;
    }
}

fn spawn(directory: &Path) -> Process {
    let mut inspircd = command("inspircd", None);
    inspircd
        .args(["--nofork", "--config"])
        .arg(directory.join("inspircd.conf"));
    if super::process::is_root() {
        inspircd.arg("--runasroot");
    }
    Process::start("InspIRCd", inspircd, &directory.join("output.log"))
}

/// An authority and a certificate from it.
fn write_certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}
