//! The integration tests: one binary, everything in one process, nothing outside loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod capabilities;
mod channels;
mod charsets;
mod cli;
mod commands;
mod config;
mod conversation;
mod corpus;
mod crash;
mod delivery;
mod edits;
mod gaps;
mod governor;
mod history;
mod ident;
mod incoming;
mod lifecycle;
mod logins;
mod memory;
mod messages;
mod multiline;
mod netsplits;
mod nicks;
mod pace;
mod pastes;
mod put_off;
mod queries;
mod questions;
mod reconnect;
mod redactions;
mod refill;
mod rig;
mod rooms;
mod server;
mod settings;
mod start;
mod stopping;
mod store;
#[expect(dead_code, reason = "the rig offers more than the tests of the day use")]
mod support;
mod tags;
mod translation;
mod web;
mod wishes;
