//! Logging in to a network, and the way there: SASL, certificates, NickServ, fingerprints, STS.

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

fn with_account(sasl: &str) -> ircd::Options {
    let mut options = ircd::Options {
        accounts: vec![("alice".to_owned(), "s3cret horse".to_owned())],
        ..ircd::Options::default()
    };
    options.capabilities.retain(|one| !one.starts_with("sasl"));
    options.capabilities.extend((!sasl.is_empty()).then(|| sasl.to_owned()));
    options
}

const BY_TLS: &str = "{ host: 127.0.0.1, port: TLS_PORT, ca_file: \"CA\" }";

/// The lines that came since a mark.
fn lines_after(world: &World, mark: usize) -> Vec<String> {
    world.ircd.lines().into_iter().skip(mark).map(|one| one.line()).collect()
}

/// The SHA-256 that the bot tells of a certificate.
async fn fingerprint(world: &World, alice: &TestUser, control: &str) -> String {
    alice.send_text(control, "certfp show");
    let told = world.homeserver.wait_event(control, says("SHA-256: ")).await;
    told.body().split("SHA-256: ").nth(1).unwrap()[..64].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_comes_before_plain_and_never_shows_the_password() {
    let options = with_account("sasl=PLAIN,SCRAM-SHA-256");
    let world = World::builder().ircd(options).server(BY_TLS).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "sasl alice s3cret horse\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    let lines = lines_after(&world, mark);
    assert!(lines.contains(&"AUTHENTICATE SCRAM-SHA-256".to_owned()), "{lines:?}");
    // "\0alice\0s3cret horse", as PLAIN would have it.
    assert!(!lines.iter().any(|line| line.contains("AGFsaWNlAHMzY3JldCBob3JzZQ")), "{lines:?}");
    alice.send_text(&control, "login");
    world.homeserver.wait_event(&control, says("as alice, by SASL, with your password. Without that")).await;

    // A wrong password is found out by the proof alone.
    alice.send_text(&control, "sasl alice wrong\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("I will not try again by myself")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_the_password_is_not_believed() {
    let options = with_account("sasl=PLAIN,SCRAM-SHA-256");
    let world = World::builder().ircd(options).server(BY_TLS).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    world.ircd.forget_passwords();
    let mark = world.ircd.mark();
    alice.send_text(&control, "join #rust\nsasl alice s3cret horse\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("could not prove that it knows the password")).await;
    world.homeserver.wait_event(&network, says("I will not try again by myself")).await;
    let lines = lines_after(&world, mark);
    let connect = lines.iter().rposition(|line| line.starts_with("CAP LS")).unwrap();
    let since: Vec<_> =
        lines[connect..].iter().filter(|line| line.contains("PLAIN") || line.contains("JOIN")).collect();
    assert_eq!(since, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_747_a_certificate_that_was_made_here_logs_in_on_its_own_network_only() {
    let options = with_account("sasl=EXTERNAL,PLAIN");
    let world = World::builder().ircd(options).server(BY_TLS).network("other", "OtherNet").start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "sasl alice");
    world.homeserver.wait_event(&control, says("Without one you need a certificate")).await;
    alice.send_text(&control, "certfp generate");
    world.homeserver.wait_event(&control, says("The certificate is stored encrypted.")).await;
    let sha256 = fingerprint(&world, &alice, &control).await;
    assert_eq!(world.ircd.tls_of("alice"), Some((true, None)), "it is shown from the next connection on");
    let connections = world.ircd.connections();
    let mark = world.ircd.mark();
    alice.send_text(&control, "disconnect\nconnect");
    // The one before must be gone, too: the server may take the new one before it has read the other's end.
    world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line.starts_with("QUIT")).await;
    world.ircd.wait_connections(connections + 1).await;
    world.ircd.wait_registered("alice").await;
    assert_eq!(world.ircd.tls_of("alice"), Some((true, Some(sha256.clone()))));

    // The services do not know it yet, then they do.
    alice.send_text(&control, "sasl alice\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("the network does not know the certificate")).await;
    world.ircd.add_certificate(&sha256, "alice");
    alice.send_text(&control, "connect");
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    alice.send_text(&control, "login");
    world.homeserver.wait_event(&control, says("by SASL, with your certificate")).await;

    // Another network must not know who this is.
    alice.send_text(&control, "open other");
    world.ircd.wait_registered("alice_").await;
    assert_eq!(world.ircd.tls_of("alice_"), Some((true, None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_certificate_is_taken_from_a_message_that_is_removed_and_is_sealed() {
    let mut world = World::builder().server(BY_TLS).start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    let made = rcgen::generate_simple_self_signed(vec!["alice".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let typed = alice.send_text(&control, &format!("certfp set\n{certificate}{key}"));
    world.homeserver.wait_event(&control, says("The certificate is stored encrypted.")).await;
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&typed)).await;
    assert_eq!(fingerprint(&world, &alice, &control).await.len(), 64);
    // One that stands is not lost by a slip.
    alice.send_text(&control, "certfp generate");
    world.homeserver.wait_event(&control, says("type certfp remove first")).await;
    // A key behind a mistyped command is a key.
    let typed = alice.send_text(&control, &format!("certfo set\n{key}"));
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&typed)).await;
    alice.send_text(&control, "certfp remove\ncertfp show");
    world.homeserver.wait_event(&control, says("You have no certificate")).await;
    let typed = alice.send_text(&control, &format!("certfp set\n{certificate}{key}"));
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&typed)).await;
    world.stop_bridge().await;
    if let Some(bytes) = world.database().bytes() {
        let body = key.lines().nth(1).unwrap().as_bytes();
        assert!(!bytes.windows(20).any(|window| window == &body[..20]), "the key is stored in clear");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1483_where_there_is_no_sasl_nickserv_is_told_and_only_then_channels_are_entered() {
    let mut options = ircd::Options { services: true, ..with_account("") };
    options.accounts[0].1 = "s3cret".to_owned();
    options.capabilities.push("echo-message".to_owned());
    let world = World::builder().ircd(options).start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    let mark = world.ircd.mark();
    alice.send_text(&control, "sasl alice s3cret\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    world.ircd.wait_line_after(mark, |_, line| line == "JOIN #rust").await;
    let lines = lines_after(&world, mark);
    let told =
        lines.iter().position(|line| line == "PRIVMSG NickServ@services.fake :IDENTIFY s3cret").unwrap();
    assert!(lines.iter().position(|line| line == "JOIN #rust").unwrap() > told, "{lines:?}");
    // The server has shown us our own line; the rooms have not.
    world.homeserver.wait_event(&network, says("You are now identified.")).await;
    for room in [&network, &control] {
        let said = world.homeserver.timeline_bodies(room);
        assert!(!said.iter().any(|body| body.contains("IDENTIFY s3cret")), "{said:?}");
    }

    // A wrong password enters nothing.
    let mark = world.ircd.mark();
    alice.send_text(&control, "sasl alice wrong\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("I will not try again by myself")).await;
    let lines = lines_after(&world, mark);
    assert!(!lines.iter().any(|line| line.starts_with("JOIN")), "{lines:?}");

    // Unless the user wants it so.
    alice.send_text(&control, "login optional\nconnect");
    world.ircd.wait_joined("#rust", "alice").await;
}

/// Services give another nick to who does not log in in time; that is nobody's wish.
#[tokio::test(flavor = "multi_thread")]
async fn complaint_1350_after_a_forced_rename_the_next_login_is_by_the_account_and_with_ones_own_nick() {
    let world = World::builder().ircd(with_account("sasl=PLAIN")).server(BY_TLS).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let (connections, mark) = (world.ircd.connections(), world.ircd.mark());
    alice.send_text(&control, "sasl alice s3cret horse\ndisconnect\nconnect");
    world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line.starts_with("QUIT")).await;
    world.ircd.wait_connections(connections + 1).await;
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    // Which is before the greeting.
    world.ircd.wait_registered("alice").await;
    world.pass("alice", std::time::Duration::ZERO).await;
    world.ircd.send_raw("alice", b":alice!alice@host NICK Guest77\r\n");
    alice.send_text(&network, "nick");
    world.homeserver.wait_event(&network, says("You are Guest77")).await;
    let mark = world.ircd.mark();
    world.ircd.cut("alice");
    world.ircd.wait_line_after(mark, |_, line| line == "CAP END").await;
    let lines = lines_after(&world, mark);
    assert!(lines.contains(&"NICK alice".to_owned()), "{lines:?}");
    assert!(lines.contains(&"AUTHENTICATE PLAIN".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("Guest77")), "{lines:?}");
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_fingerprint_is_told_with_the_one_it_has() {
    let nonsense = "0".repeat(64);
    let server = format!("{{ host: 127.0.0.1, port: TLS_PORT, fingerprint: [ \"{nonsense}\" ] }}");
    let mut world = World::builder().server(&server).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    let told =
        world.homeserver.wait_event(&network, says("none of the fingerprints that are configured")).await;
    let seen = world.ircd.fingerprint().to_owned();
    assert!(told.body().contains(&format!("its SHA-256 fingerprint is {seen}")), "{}", told.body());
    assert_eq!(world.ircd.connections(), 0);

    // Written down, it is enough, whoever signed the certificate.
    world.stop_bridge().await;
    let mut config = world.config();
    config.networks.values_mut().for_each(|network| {
        network.servers.iter_mut().for_each(|server| server.fingerprints.push(seen.clone()));
    });
    world.start_bridge_with(config).await;
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_tls_gets_it_at_once_and_from_then_on() {
    let mut world = World::builder().without_bridge().await;
    let port = world.ircd.tls_address().port();
    world.ircd.offer_capability(&format!("sts=port={port},duration=3600"));
    let mut config = world.config();
    let authority = world.directory.path().join("ca.pem");
    config.networks.values_mut().for_each(|network| {
        network.servers.iter_mut().for_each(|server| server.ca_file = Some(authority.clone()));
    });
    world.start_bridge_with(config.clone()).await;
    let (_, _, network) = world.connected_user("alice").await;
    world.homeserver.wait_event(&network, says("Connected to fake.irc as alice.")).await;
    assert_eq!(world.ircd.tls_of("alice"), Some((true, None)));
    assert_eq!(world.ircd.connections(), 2, "one without TLS, and the one that it was left for");
    let lines = lines_after(&world, 0);
    let first = lines.iter().rposition(|line| line.starts_with("CAP LS")).unwrap();
    assert!(
        lines[..first].iter().all(|line| ["CAP", "NICK", "USER"].contains(&line.split(' ').next().unwrap()))
    );
    assert!(!lines[..first].iter().any(|line| line == "CAP END"), "{lines:?}");

    // It is remembered over a restart.
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge_with(config.clone()).await;
    world.ircd.wait_registered("alice").await;
    assert_eq!((world.ircd.connections(), world.ircd.tls_of("alice").unwrap().0), (3, true));

    // Who does not trust the certificate does not fall back to a connection without TLS.
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.homeserver.wait_event(&network, says("its certificate is not valid")).await;
    assert_eq!(world.ircd.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate_is_told_when_it_is_near() {
    let world = World::builder().server(BY_TLS).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 31);
    let certificate = params.self_signed(&key).unwrap().pem();
    alice.send_text(&control, &format!("certfp set\n{certificate}{}", key.serialize_pem()));
    world.homeserver.wait_event(&control, says("ends on 2020-01-31")).await;
    alice.send_text(&control, "disconnect\nconnect");
    world.homeserver.wait_event(&network, says("Your certificate has ended. For a new one, type")).await;
}

/// Before, the turn of the other server ended the session for good, with nothing wrong but one blip of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_waits_for_the_server_that_may_be_told_it() {
    let servers = "{ host: 127.0.0.1, port: TLS_PORT, verify: false }, { host: 127.0.0.1, port: 1 }";
    let world = World::builder().ircd(with_account("sasl=PLAIN")).server(servers).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "sasl alice s3cret horse\ndisconnect\nconnect");
    let told = world.homeserver.wait_event(&network, says("Not connected")).await;
    assert!(told.body().contains("127.0.0.1:1 ") && told.body().contains("Trying again"), "{}", told.body());
    assert_eq!(world.ircd.connections(), 1, "nobody else is dialled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_without_tls_refuses_is_tried_with_tls_before_the_user_is_needed() {
    let servers = format!("{{ host: 127.0.0.1, port: PORT, tls: false }}, {BY_TLS}");
    let world = World::builder().server(&servers).start().await;
    world.ircd.turn_away("Closing Link: alice (TLS required for this server)");
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(alice.id()).await;
    world.homeserver.wait_event(&network, says("Trying again")).await;
    world.ircd.welcome().await;
    world.ircd.wait_registered("alice").await;
    assert_eq!(world.ircd.tls_of("alice"), Some((true, None)));
}
