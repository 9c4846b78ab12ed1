//! The IRC side: from bytes on a socket to events, and from messages to bytes.
//!
//! It knows nothing of Matrix, of the database or of who the user is; it imports nothing of ours but
//! [`names`](crate::names). The protocol is written here and not taken from a crate: what came in decides nothing
//! but through [`wire`], and what goes out is a [`Line`](wire::Line), which cannot be two.
//!
//! ```text
//! socket ─ connection ─ codec ─ wire ─┐
//!                                     session (sans-IO) ── events
//! socket ─ connection ─ wire::Line ───┘
//! ```
//!
//! Invariant 7: no clock, no randomness of its own. Spec: <https://modern.ircdocs.horse/>, <https://ircv3.net/>.

pub mod backoff;
pub mod caps;
pub mod channels;
pub mod charset;
pub mod codec;
pub mod connection;
pub mod ctcp;
pub mod dial;
pub mod flood;
pub mod governor;
pub mod ident;
pub mod ignores;
pub mod isupport;
pub mod lists;
pub mod modes;
pub mod numerics;
pub mod queue;
mod random;
pub mod rank;
pub mod sasl;
pub mod session;
pub mod tls;
pub mod wire;
