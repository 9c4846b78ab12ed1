//! A real InspIRCd with most of IRCv3, plain and on TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use tokio::net::TcpStream;

use super::process::{Process, command};
use crate::support::ports::free_port;

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
        Self::start_with(directory, "").await
    }

    /// The same with more in its configuration, where `@TLS@` is its port for TLS.
    pub(crate) async fn start_with(directory: &Path, more: &str) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        write_certificates(directory);
        let (port, tls_port, services_port) = (free_port(), free_port(), free_port());
        let config = [include_str!("inspircd.conf.in"), more]
            .concat()
            .replace("@RUN@", directory.to_str().unwrap())
            .replace("@PLAIN@", &port.to_string())
            .replace("@TLS@", &tls_port.to_string())
            .replace("@SERVERS@", &services_port.to_string());
        std::fs::write(directory.join("inspircd.conf"), config).unwrap();
        std::fs::write(directory.join("motd"), "Nothing here is real.\n").unwrap();
        let process = spawn(directory);
        let mut inspircd = Self { port, tls_port, services_port, directory: directory.into(), process };
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

    /// Stops it.
    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Lets it do nothing until [`Self::go_on`].
    pub(crate) async fn pause(&self) {
        self.process.pause().await;
    }

    /// Lets it go on.
    pub(crate) async fn go_on(&self) {
        self.process.go_on().await;
    }

    /// Starts it again after [`Self::stop`], empty.
    pub(crate) async fn start_again(&mut self) {
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
        // It goes on without a port that it does not get, and then another server answers there.
        let said = std::fs::read_to_string(self.directory.join("output.log")).unwrap();
        assert!(!said.contains("failed to bind"), "InspIRCd did not get its ports:\n{said}");
    }
}

fn spawn(directory: &Path) -> Process {
    let mut inspircd = command("inspircd", None);
    // It may leave a core file when it is stopped; not where the tests are started.
    inspircd.current_dir(directory);
    inspircd.args(["--nofork", "--config"]).arg(directory.join("inspircd.conf"));
    if super::process::is_root() {
        inspircd.arg("--runasroot");
    }
    Process::start("InspIRCd", inspircd, &directory.join("output.log"))
}

/// An authority and a certificate from it. Their names differ: with equal ones the certificate would look
/// signed by itself, which OpenSSL refuses.
fn write_certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = named("The rig's authority", &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    std::fs::write(directory.join("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut server = named("The rig's IRC server", &["localhost", "127.0.0.1"]);
    server.use_authority_key_identifier_extension = true;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&key, &issuer).unwrap();
    std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
