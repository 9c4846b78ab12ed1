//! What the shared rooms of a network are like, as far as the administrator says so and not the channel.

use std::collections::BTreeMap;

use super::problem::child;
use super::resolve::Resolver;
use super::{network, raw};

/// How shared rooms are found and entered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedRooms {
    /// Whether they stand in the homeserver's directory while their channels are no secret.
    pub published: bool,
    /// Whether nobody comes in who is not invited, also while the channel is open.
    pub for_invited: bool,
    /// Whether people of other homeservers can be in those that are made from now on.
    pub federated: bool,
    /// The version of those that are made from now on, where it is not the homeserver's.
    pub room_version: Option<String>,
    /// Who of their channels' people is a member, as the setting of this name says it, where it is not as in other rooms.
    pub members: Option<String>,
    /// The same for single channels, before that.
    pub members_of: BTreeMap<String, String>,
}

pub(super) fn resolve(resolver: &mut Resolver<'_>, raw: raw::SharedRooms, path: &str) -> SharedRooms {
    let for_invited = raw.join_rule.as_deref() == Some("invite");
    let published = raw.published.unwrap_or_default();
    if published && for_invited {
        let problem = "whoever finds them there can't enter them with `join_rule: invite`";
        resolver.report.add(&child(path, "published"), problem);
    }
    let is_version = |version: &str| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        (1..=32).contains(&version.len()) && version.chars().all(is_letter)
    };
    if raw.room_version.as_deref().is_some_and(|version| !is_version(version)) {
        let problem = "it must be a room version that the homeserver knows, such as \"11\"";
        resolver.report.add(&child(path, "room_version"), problem);
    }
    // Which words there are says the schema.
    let members_of = raw.members_of.unwrap_or_default();
    let members_of = network::of_channels(resolver, members_of, &child(path, "members_of"), |_| None);
    SharedRooms {
        published,
        for_invited,
        federated: raw.federated.unwrap_or_default(),
        room_version: raw.room_version,
        members: raw.members,
        members_of,
    }
}
