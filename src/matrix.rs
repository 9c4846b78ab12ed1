//! The Matrix side: the client that acts as the bot and as ghosts, the application service's server, and the narrow
//! types in which events enter the bridge. `ruma`'s types stay in this folder.

pub mod client;
pub mod double_puppet;
pub mod ephemeral;
pub mod error;
pub mod event;
pub mod ghost_id;
pub mod http;
pub mod media;
pub mod registration;
pub mod server;
pub mod tally;
pub mod tokens;

pub use client::{Client, CreateRoom, Page};
pub use error::ClientError;
