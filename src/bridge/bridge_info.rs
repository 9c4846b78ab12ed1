//! Bridge information: state by which clients show under "Bridges" what a room is connected with, and who brought it.
//!
//! It stands in the rooms of channels, conversations and networks under a key made of what the room shows, so that it
//! changes its key with a name. Under two types: Element reads the older one, too.
//!
//! Spec: MSC2346.

use serde_json::{Value, json};

use super::Bridge;
use super::content;
use crate::names::split_address;
use crate::store::NewOutbox;

/// The types.
pub(super) const KINDS: [&str; 2] = ["m.bridge", "uk.half-shot.bridge"];

/// The key of what a room shows of a session, or of a network.
pub(super) fn key_of(address: &str, shown: &str) -> String {
    let (network, _) = split_address(address);
    format!("chat.towline://irc/{}/{}", network.replace('/', "%2F"), shown.replace('/', "%2F"))
}

impl Bridge {
    /// What a room is connected with: a channel or a person of a network, or the network itself; by the address of the
    /// session that has the room, where it is one's.
    pub(super) fn bridge_info(&self, address: &str, shown: &str, owner: Option<&str>) -> Value {
        let (network, network_name) = (split_address(address).0, self.network_name(address));
        let mut info = json!({
            "bridgebot": self.client.bot(),
            "creator": owner.unwrap_or(self.client.bot()),
            "protocol": { "id": "irc", "displayname": "IRC" },
            "network": { "id": network, "displayname": network_name },
            "channel": { "id": shown, "displayname": shown },
        });
        if let Some(avatar) = self.networks.get(network).and_then(|known| known.network.avatar.clone()) {
            info["network"]["avatar_url"] = avatar.into();
        }
        info
    }

    /// The rows by which a room tells that it shows something under another name than before.
    pub(super) fn bridge_info_moves(
        &self,
        room: i64,
        speaker: &str,
        owner: &str,
        address: &str,
        (before, now): (&str, &str),
    ) -> Vec<NewOutbox> {
        let (old_key, key) = (key_of(address, before), key_of(address, now));
        if old_key == key {
            return Vec::new();
        }
        let info = self.bridge_info(address, now, Some(owner));
        let row =
            |kind, key: &str, content: &Value| content::keyed_state_row(room, speaker, kind, key, content);
        KINDS.into_iter().flat_map(|kind| [row(kind, &old_key, &json!({})), row(kind, &key, &info)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_channel("#rust", "chat.towline://irc/libera/#rust")]
    #[case::with_a_slash("#a/b", "chat.towline://irc/libera/#a%2Fb")]
    #[case::a_nick("bob|away", "chat.towline://irc/libera/bob|away")]
    fn the_key_names_protocol_network_and_channel(#[case] shown: &str, #[case] key: &str) {
        assert_eq!(key_of("libera", shown), key);
        assert_eq!(key_of("libera/work", shown), key, "a further session is on the same network");
    }
}
