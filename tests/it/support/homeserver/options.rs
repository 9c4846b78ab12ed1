//! What the fake homeserver is told at its start.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::now;

/// What becomes of what users say of being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Kept,
    /// It is taken and forgotten, as Synapse does where it is turned off.
    Forgotten,
}

/// What the homeserver is told at its start: what a registration file says, and how it makes rooms.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) server_name: String,
    pub(crate) appservice_id: String,
    pub(crate) as_token: String,
    pub(crate) hs_token: String,
    pub(crate) appservice_url: Option<String>,
    pub(crate) sender_localpart: String,
    pub(crate) user_namespaces: Vec<String>,
    pub(crate) alias_namespaces: Vec<String>,
    pub(crate) receive_ephemeral: bool,
    /// The token of a second registration, which may act as all users and hears nothing.
    pub(crate) puppet_token: Option<String>,
    pub(crate) room_version: String,
    /// Whether no room may be put into the directory.
    pub(crate) refuses_publishing: bool,
    pub(crate) presence: Presence,
    /// Whether each request is remembered for [`Homeserver::requests`]; a benchmark turns it off.
    pub(crate) record_requests: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: "test.local".into(),
            appservice_id: "towline".into(),
            as_token: new_token("as-token"),
            hs_token: new_token("hs-token"),
            appservice_url: None,
            sender_localpart: "towline".into(),
            user_namespaces: vec![r"^@irc_[^:]+:test\.local$".into()],
            alias_namespaces: vec![r"^#irc_[^:]+:test\.local$".into()],
            receive_ephemeral: true,
            puppet_token: None,
            room_version: "12".into(),
            refuses_publishing: false,
            presence: Presence::Kept,
            record_requests: true,
        }
    }
}

/// A token that nobody else has. A bridge that an earlier run left behind goes on at the port where its homeserver was; the
/// next run has a homeserver at the same one, with the same names and ids.
fn new_token(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{}-{}-{}", std::process::id(), now(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Options {
    /// Reads a registration file, as a homeserver does.
    pub(crate) fn from_registration(yaml: &str) -> Self {
        let file: Value = serde_yaml::from_str(yaml).expect("a registration in YAML");
        let text = |key: &str| file[key].as_str().map(str::to_owned);
        let needed = |key: &str| text(key).unwrap_or_else(|| panic!("the registration has no {key}"));
        let regexes = |kind: &str| {
            let entries = file["namespaces"][kind].as_array().into_iter().flatten();
            entries.map(|entry| entry["regex"].as_str().expect("a regex").to_owned()).collect()
        };
        Self {
            appservice_id: needed("id"),
            as_token: needed("as_token"),
            hs_token: needed("hs_token"),
            appservice_url: text("url"),
            sender_localpart: needed("sender_localpart"),
            user_namespaces: regexes("users"),
            alias_namespaces: regexes("aliases"),
            receive_ephemeral: file["receive_ephemeral"] == true
                || file["de.sorunome.msc2409.push_ephemeral"] == true,
            ..Self::default()
        }
    }
}
