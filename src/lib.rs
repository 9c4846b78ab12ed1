//! Towline: an IRC bouncer for Matrix.
//!
//! An application service that keeps one IRC connection for each user and network, shows channels and queries as
//! Matrix rooms, and keeps their history. The binary is thin: everything is here, so that tests reach it.
//!
//! # The map, and who may use whom
//! | module | what it is | what of ours it may use |
//! |---|---|---|
//! | [`names`] | nicks, channels, keys, slugs, casemapping | nothing |
//! | [`addresses`] | which addresses are not on the internet, and where connections may lead | nothing |
//! | [`clock`] | time and randomness, passed in | nothing |
//! | [`metrics`] | counters, and how Prometheus reads them | nothing |
//! | [`failpoint`] | places at which tests kill the process | nothing |
//! | [`config`] | the file, checked and resolved | `addresses`, `names` |
//! | [`mod@format`] | text as both sides show it | `names` |
//! | [`irc`] | wire, session (sans-IO), connection, TLS | `addresses`, `names` |
//! | [`matrix`] | client, application service, registration | `metrics`, `names` |
//! | [`store`] | SQLite or PostgreSQL | `clock`, `metrics`, `names` |
//! | [`web`] | the port for people on IRC: files and long texts; pictures that they link to | `addresses`, `clock` |
//! | [`bridge`] | sessions, rooms, delivery: knows both sides | all above |
//! | [`commands`] | the control language | `bridge`, `store`, `config`, `format`, `names` |
//! | [`cli`] | the command line; puts everything together | all |
//!
//! Arrows go one way only; a test reads the sources and fails on any other.

#[macro_use]
pub mod failpoint;

pub mod addresses;
pub mod bridge;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod format;
pub mod irc;
pub mod matrix;
pub mod metrics;
pub mod names;
pub mod store;
pub mod web;
