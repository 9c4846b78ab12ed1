//! The shape of the file after `load` has checked it: defaults filled in, values in their plain types.
//!
//! `Option` is what may be absent even then. The structs refuse unknown keys, so that a key which the schema has
//! and these lack (or the other way round) fails the test that reads every key.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What `load` must provide for a section that is there.
#[expect(clippy::struct_field_names, reason = "they are the keys of the file")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) homeserver: Homeserver,
    pub(super) appservice: AppService,
    pub(super) database: Database,
    pub(super) secret_key_file: Option<String>,
    pub(super) permissions: Option<BTreeMap<String, String>>,
    pub(super) excluded: Option<Vec<String>>,
    pub(super) policy_lists: Option<Vec<String>>,
    #[expect(dead_code, reason = "`load` puts the presets in before it fills this")]
    pub(super) presets: Option<bool>,
    pub(super) networks: Option<BTreeMap<String, Network>>,
    pub(super) own_networks: OwnNetworks,
    pub(super) plumb: Plumb,
    pub(super) templates: Templates,
    pub(super) settings: Option<BTreeMap<String, String>>,
    pub(super) limits: Limits,
    pub(super) media: Media,
    pub(super) pictures: Pictures,
    pub(super) double_puppet: DoublePuppet,
    pub(super) ident: Ident,
    pub(super) metrics: Metrics,
    pub(super) log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Homeserver {
    pub(super) url: Option<String>,
    pub(super) domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppService {
    pub(super) id: Option<String>,
    pub(super) bot: Option<String>,
    pub(super) bot_name: Option<String>,
    pub(super) bot_avatar: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) url: Option<String>,
    pub(super) as_token: Option<String>,
    pub(super) as_token_file: Option<String>,
    pub(super) hs_token: Option<String>,
    pub(super) hs_token_file: Option<String>,
    pub(super) registration_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) url: Option<String>,
    pub(super) url_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) name: Option<String>,
    pub(super) servers: Option<Vec<Server>>,
    pub(super) nick: Option<String>,
    pub(super) realname: Option<String>,
    pub(super) avatar: Option<String>,
    pub(super) allow_private: Option<bool>,
    pub(super) bind: Option<Vec<String>>,
    pub(super) proxy: Proxy,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) flood: Flood,
    pub(super) connections: Connections,
    pub(super) plaintext_credentials: Option<bool>,
    /// Days; 0 for `keep`.
    pub(super) history: Option<u32>,
    pub(super) channels: Option<BTreeMap<String, String>>,
    pub(super) settings: Option<BTreeMap<String, String>>,
    pub(super) shared: SharedRooms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SharedRooms {
    pub(super) published: Option<bool>,
    pub(super) join_rule: Option<String>,
    pub(super) federated: Option<bool>,
    pub(super) room_version: Option<String>,
    pub(super) members: Option<String>,
    pub(super) members_of: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnNetworks {
    pub(super) most: Option<usize>,
    pub(super) plaintext: Option<bool>,
    pub(super) allow_private: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plumb {
    pub(super) by: Option<String>,
    pub(super) most: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tls: Option<bool>,
    pub(super) ca_file: Option<String>,
    pub(super) verify: Option<bool>,
    pub(super) fingerprint: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flood {
    pub(super) burst: Option<u32>,
    pub(super) interval_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proxy {
    pub(super) address: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Media {
    pub(super) base_url: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) largest: Option<u64>,
    /// Days; 0 for `keep`.
    pub(super) expire: Option<u32>,
    pub(super) parallel: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pictures {
    pub(super) largest: Option<usize>,
    pub(super) allow_private: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoublePuppet {
    pub(super) registration_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ident {
    pub(super) listen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) enabled: Option<bool>,
    pub(super) listen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connections {
    pub(super) parallel: Option<u32>,
    /// Milliseconds.
    pub(super) interval: Option<u64>,
    /// Milliseconds.
    pub(super) fastest: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Templates {
    pub(super) ghost: Option<String>,
    pub(super) ghost_displayname: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) shared_alias: Option<String>,
    pub(super) room: Option<String>,
    pub(super) network_room: Option<String>,
    pub(super) nick: Option<String>,
    pub(super) realname: Option<String>,
    pub(super) username: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) inbox_body: Option<usize>,
    pub(super) sessions_per_user: Option<u32>,
    pub(super) closed_sessions: Option<u32>,
    pub(super) shared_connections: Option<u32>,
    pub(super) shared_idle: Option<u32>,
    pub(super) channels_per_session: Option<u32>,
    pub(super) outbox: Option<u32>,
    pub(super) membership_calls: Option<u32>,
    pub(super) refill: Option<u32>,
    pub(super) lines: Option<u32>,
    /// Seconds.
    pub(super) stale_after: Option<u64>,
    /// Days; 0 for `keep`.
    pub(super) history: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) level: Option<String>,
    pub(super) format: Option<String>,
}
