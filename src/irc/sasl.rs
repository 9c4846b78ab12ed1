//! SASL PLAIN: the exchange that logs in before registration ends.
//!
//! Not the decision what a failure means for the connection; that is the session's. Only PLAIN is spoken yet.
//!
//! Invariant 10: the password leaves its [`SecretString`] only to become `AUTHENTICATE` lines, which show nothing
//! in `Debug`. Whether the connection may carry it is checked by the session before this is reached.
//!
//! Spec: `IRCv3` "SASL Authentication" 3.1 and 3.2; RFC 4616.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::wire::Line;

/// The credentials of PLAIN.
#[derive(Debug, Clone)]
pub struct SaslPlain {
    /// The account's name with the network's services.
    pub account: String,
    /// Its password.
    pub password: SecretString,
}

/// One `AUTHENTICATE` carries so many bytes of base64; a line of exactly so many means that more follows.
const CHUNK: usize = 400;

/// What a numeric of the exchange says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslResult {
    /// 903, 907: logged in.
    Done,
    /// The credentials or the mechanism will not do, also next time.
    Refused,
    /// 906: given up by us or by the services, which may be away.
    Aborted,
}

impl SaslResult {
    /// Reads a numeric; none for one that does not end the exchange.
    #[must_use]
    pub fn of(code: u16) -> Option<Self> {
        match code {
            903 | 907 => Some(Self::Done),
            // 902: the account is frozen or the nick locked; 905: our message was too long.
            902 | 904 | 905 => Some(Self::Refused),
            906 => Some(Self::Aborted),
            _ => None,
        }
    }
}

/// Whether the value of the `sasl` capability, or of numeric 908, allows PLAIN. Without a list it may.
#[must_use]
pub fn offers_plain(mechanisms: &str) -> bool {
    mechanisms.is_empty() || mechanisms.split(',').any(|mechanism| mechanism.eq_ignore_ascii_case("PLAIN"))
}

/// The first step: the mechanism's name.
#[must_use]
pub fn start() -> Line {
    Line::new("AUTHENTICATE").name_literal("PLAIN").finish()
}

/// Gives up.
#[must_use]
pub fn abort() -> Line {
    Line::new("AUTHENTICATE").name_literal("*").finish()
}

/// The second step, after the server's `AUTHENTICATE +`: the credentials in as many lines as they need.
#[must_use]
pub fn respond(credentials: &SaslPlain) -> Vec<Line> {
    // The authorisation identity stays empty: it follows from the account (RFC 4616, section 2).
    let message = format!("\0{}\0{}", credentials.account, credentials.password.expose_secret());
    chunks(&STANDARD.encode(message))
}

fn chunks(encoded: &str) -> Vec<Line> {
    let line = |chunk: &str| Line::new("AUTHENTICATE").name_literal(chunk).finish();
    let mut lines = Vec::new();
    let mut rest = encoded;
    while rest.len() >= CHUNK {
        let (chunk, after) = rest.split_at(CHUNK);
        lines.push(line(chunk));
        rest = after;
    }
    lines.push(line(if rest.is_empty() { "+" } else { rest }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_credentials_are_those_of_rfc_4616() {
        let lines = respond(&SaslPlain { account: "tim".into(), password: "tanstaaftanstaaf".into() });
        let texts: Vec<_> = lines.iter().map(Line::as_str).collect();
        assert_eq!(texts, ["AUTHENTICATE AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]);
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
    fn invariant_10_neither_credentials_nor_lines_show_the_password() {
        let credentials = SaslPlain { account: "tim".into(), password: "hunter2".into() };
        let shown = format!("{credentials:?} {:?}", respond(&credentials));
        assert!(!shown.contains("hunter2") && !shown.contains(&STANDARD.encode("hunter2")), "{shown}");
        assert!(!shown.contains("AHRpb"), "{shown}");
    }

    #[rstest]
    #[case::no_list("", true)]
    #[case::among_others("EXTERNAL,PLAIN", true)]
    #[case::lower_case("plain", true)]
    #[case::not_there("EXTERNAL,SCRAM-SHA-256", false)]
    #[case::longer_name("PLAINTEXT", false)]
    fn the_list_of_mechanisms_is_read(#[case] list: &str, #[case] offered: bool) {
        assert_eq!(offers_plain(list), offered);
    }
}
