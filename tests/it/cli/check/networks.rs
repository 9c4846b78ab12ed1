//! `towline check` at the networks' servers.

use rstest::rstest;

use super::super::Set;
use super::{Refusals, with_homeserver};
use crate::support::ircd::{Ircd, Options};
use crate::support::ports::free_port;

/// An IRC network that lives until it is dropped.
struct Network {
    ircd: Ircd,
    _runtime: tokio::runtime::Runtime,
}

impl Network {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ircd = runtime.block_on(Ircd::start(Options::default()));
        Self { ircd, _runtime: runtime }
    }
}

/// A set with a network that has this server.
fn with_server(server: &str) -> (Set, impl Sized) {
    let (set, homeserver) = with_homeserver(Refusals::new(), |_| {});
    let text = set.read("config.yaml");
    let network =
        format!("\nnetworks:\n  fake:\n    allow_private: true\n    servers:\n      - {{ {server} }}\n");
    std::fs::write(set.path("config.yaml"), text + &network).unwrap();
    (set, homeserver)
}

#[rstest]
#[case::plain("host: 127.0.0.1, port: PLAIN, tls: false", 0, "answers without TLS, has sasl, server-time")]
#[case::by_tls("host: localhost, port: TLS, tls: true, ca_file: fake.pem", 0, "answers with TLS")]
#[case::unknown_signer("host: localhost, port: TLS, tls: true", 12, "its certificate is not valid")]
#[case::no_tls_there("host: localhost, port: PLAIN, tls: true", 12, "the TLS handshake failed")]
#[case::nobody("host: 127.0.0.1, port: NOBODY, tls: false", 12, "refused the connection")]
fn check_asks_each_network_what_it_can(#[case] server: &str, #[case] code: i32, #[case] said: &str) {
    let network = Network::start();
    let server = server
        .replace("PLAIN", &network.ircd.address().port().to_string())
        .replace("NOBODY", &free_port().to_string())
        .replace("TLS", &network.ircd.tls_address().port().to_string());
    let (set, _homeserver) = with_server(&server);
    network.ircd.write_certificate(&set.path("fake.pem"));
    let (found, output, error) = set.run("check", &[]);
    assert_eq!(found, code, "{output}{error}");
    let word = if code == 0 { "ok      " } else { "FAILED  " };
    let line = output.lines().find(|line| line.contains(" network fake: ")).unwrap_or_default();
    assert!(line.starts_with(word) && line.contains(said), "{output}");
    assert_eq!(output.matches("FAILED").count(), usize::from(code != 0), "{output}");
    assert_eq!(network.ircd.nicks(), Vec::<String>::new(), "nobody introduced themselves");
}

#[test]
fn check_knocks_at_a_preset_network_only_where_it_is_named() {
    let (set, _homeserver) = with_homeserver(Refusals::new(), |_| {});
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 0 && !output.contains(" network "), "{output}");
    let port = free_port();
    let text = set.read("config.yaml");
    let libera = format!(
        "\nnetworks:\n  libera:\n    allow_private: true\n    servers: [{{ host: 127.0.0.1, port: {port} }}]\n"
    );
    std::fs::write(set.path("config.yaml"), text + &libera).unwrap();
    assert_eq!(set.run("check", &[]).0, 0);
    let (code, output, _) = set.run("check", &["--network", "Libera.Chat"]);
    assert!(code == 12 && output.contains("FAILED   network libera: "), "{output}");
    let (code, _, error) = set.run("check", &["--network", "nowhere"]);
    assert!(code == 2 && error.contains("there is no network nowhere"), "{error}");
}
