//! EXTERNAL: the connection itself says who we are, by the client certificate that it showed.
//!
//! The authorisation identity stays empty: services know the account by the certificate, and some refuse a name
//! that is written otherwise than they have it.
//!
//! Spec: RFC 4422, appendix A.

/// The one message, which is empty.
pub(super) fn response() -> Vec<u8> {
    Vec::new()
}
