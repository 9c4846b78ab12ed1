//! PLAIN: account and password, as they are.
//!
//! The authorisation identity stays empty: it follows from the account (section 2).
//!
//! Spec: RFC 4616.

use secrecy::ExposeSecret;

use super::Credentials;

/// The one message.
pub(super) fn response(credentials: &Credentials) -> Vec<u8> {
    let password = credentials.password.as_ref().map_or("", ExposeSecret::expose_secret);
    format!("\0{}\0{password}", credentials.account).into_bytes()
}
