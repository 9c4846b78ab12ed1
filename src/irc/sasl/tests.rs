//! Mechanisms as lines: chosen, cut into chunks, put together, bounded.

use super::*;
use rstest::rstest;

fn credentials() -> Credentials {
    Credentials { account: "tim".into(), password: Some("tanstaaftanstaaf".into()), certificate: false }
}

fn texts(step: Step) -> Vec<String> {
    match step {
        Step::Send(lines) => lines.iter().map(|line| line.as_str().to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_credentials_are_those_of_rfc_4616() {
    let (mut exchange, first) = Exchange::begin(Mechanism::Plain, "n");
    assert_eq!((first.as_str(), exchange.progress()), ("AUTHENTICATE PLAIN", Progress::Named));
    assert!(!exchange.may_succeed());
    let lines = texts(exchange.handle("+", &credentials()));
    assert_eq!(lines, ["AUTHENTICATE AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]);
    assert!(exchange.may_succeed() && exchange.progress() == Progress::Proved);
    // A server that asks again is not told again.
    assert!(matches!(exchange.handle("+", &credentials()), Step::Wait));
}

#[test]
fn external_says_nothing_but_that_it_is_meant() {
    let (mut exchange, first) = Exchange::begin(Mechanism::External, "n");
    assert_eq!(first.as_str(), "AUTHENTICATE EXTERNAL");
    assert_eq!(texts(exchange.handle("+", &credentials())), ["AUTHENTICATE +"]);
    assert!(exchange.may_succeed());
}

#[test]
fn scram_succeeds_only_after_the_servers_signature() {
    let user = Credentials { account: "user".into(), password: Some("pencil".into()), certificate: false };
    let (mut exchange, first) = Exchange::begin(Mechanism::ScramSha256, "rOprNGfwEbeRWgbNEkqO");
    assert_eq!(first.as_str(), "AUTHENTICATE SCRAM-SHA-256");
    let lines = texts(exchange.handle("+", &user));
    assert_eq!(lines, [format!("AUTHENTICATE {}", STANDARD.encode("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))]);
    assert_eq!(exchange.progress(), Progress::Identified);
    let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    texts(exchange.handle(&STANDARD.encode(challenge), &user));
    assert_eq!((exchange.progress(), exchange.may_succeed()), (Progress::Proved, false));
    let signature = STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(texts(exchange.handle(&signature, &user)), ["AUTHENTICATE +"]);
    assert!(exchange.may_succeed());
}

#[rstest]
#[case::short(10, &[10])]
#[case::exactly_one(400, &[400, 1])]
#[case::one_and_a_bit(401, &[400, 1])]
#[case::exactly_two(800, &[400, 400, 1])]
fn long_credentials_go_in_chunks_of_400(#[case] length: usize, #[case] sizes: &[usize]) {
    let lines = chunks(&"A".repeat(length));
    let found: Vec<_> = lines.iter().map(|line| line.as_str().len() - "AUTHENTICATE ".len()).collect();
    assert_eq!(found, sizes);
    assert!(lines.iter().all(|line| line.len() <= 512));
}

#[test]
fn a_long_challenge_is_put_together_from_its_chunks() {
    let (mut exchange, _) = Exchange::begin(Mechanism::ScramSha256, "abc");
    exchange.handle("+", &credentials());
    // A salt so long that the message ends with a chunk of exactly 400 and a plus.
    let mut challenge = format!("r=abcdef,s={},i=4096", STANDARD.encode([7; 210]));
    while challenge.len() % 300 != 0 {
        challenge.push(if challenge.ends_with(",i=4096") { ',' } else { 'x' });
    }
    let encoded = STANDARD.encode(&challenge);
    assert_eq!(encoded.len(), 400);
    assert!(matches!(exchange.handle(&encoded, &credentials()), Step::Wait));
    assert_eq!(texts(exchange.handle("+", &credentials())).len(), 1);
    assert_eq!(exchange.progress(), Progress::Proved);
}

#[test]
fn invariant_9_a_challenge_without_end_is_cut() {
    let (mut exchange, _) = Exchange::begin(Mechanism::Plain, "n");
    let chunk = "A".repeat(400);
    for _ in 0..8 {
        assert!(matches!(exchange.handle(&chunk, &credentials()), Step::Wait));
    }
    assert!(matches!(exchange.handle(&chunk, &credentials()), Step::Fail(SaslError::TooLong)));
}

#[test]
fn what_is_no_base64_is_an_error() {
    let (mut exchange, _) = Exchange::begin(Mechanism::ScramSha256, "n");
    assert!(matches!(exchange.handle("***", &credentials()), Step::Fail(SaslError::Malformed)));
}

#[test]
fn invariant_10_neither_credentials_nor_lines_show_the_password() {
    let (mut exchange, _) = Exchange::begin(Mechanism::Plain, "n");
    let credentials = Credentials { password: Some("hunter2".into()), ..credentials() };
    let step = exchange.handle("+", &credentials);
    let shown = format!("{credentials:?} {step:?} {exchange:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(&STANDARD.encode("hunter2")), "{shown}");
    assert!(!shown.contains("AHRpb"), "{shown}");
}

#[rstest]
#[case::no_list("", &["EXTERNAL", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])]
#[case::all("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,EXTERNAL", &["EXTERNAL", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])]
#[case::lower_case("plain", &["PLAIN"])]
#[case::with_channel_binding("SCRAM-SHA-256-PLUS", &[])]
#[case::others("ECDSA-NIST256P-CHALLENGE,SCRAM-SHA-1", &[])]
#[case::longer_name("PLAINTEXT", &[])]
fn the_best_that_is_offered_comes_first(#[case] list: &str, #[case] expected: &[&str]) {
    let names = |credentials: &Credentials| -> Vec<&str> {
        choose(list, credentials).into_iter().map(Mechanism::name).collect()
    };
    let both = Credentials { certificate: true, ..credentials() };
    assert_eq!(names(&both), expected);
    // Without a certificate there is no EXTERNAL, and without a password nothing else.
    let without: Vec<&str> = expected.iter().copied().filter(|name| *name != "EXTERNAL").collect();
    assert_eq!(names(&credentials()), without);
    let only: Vec<&str> = expected.iter().copied().filter(|name| *name == "EXTERNAL").collect();
    assert_eq!(names(&Credentials { password: None, ..both }), only);
}
