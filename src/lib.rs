//! Towline: an IRC bouncer for Matrix.
//!
//! An application service that keeps one IRC connection for each user and network, shows channels and queries as
//! Matrix rooms, and keeps their history.
//!
//! # The map
//! | module | what it is | what it may use |
//! |---|---|---|
//! | [`names`] | nicks, channels, keys, slugs, casemapping | nothing |
//! | [`irc`] | the IRC side: wire, session (sans-IO), connection, TLS | `names` |

pub mod irc;
pub mod names;
