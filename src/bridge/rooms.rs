//! Rooms: made once, found again, with the powers that their kind has.
//!
//! `createRoom` is not idempotent. So the row is committed first, the room carries the row's marker in its
//! `m.room.create`, and when an answer was lost, or the process died in between, the rooms of the creator are searched
//! for that marker before another is made (invariant 2).

use std::sync::{Arc, PoisonError};

use serde_json::{Map, Value, json};

use super::content::unique;
use super::ghosts::GhostError;
use super::{Bridge, bridge_info};
use crate::config::{SharedRooms, Template};
use crate::matrix::event::ROOM_MARKER;
use crate::matrix::{Client, ClientError, CreateRoom, ghost_id};
use crate::names::split_address;
use crate::store::{Link, NewRoom, RoomKind, RoomRow, StoreError};

/// What the homeserver's rooms are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homeserver {
    /// The version of the rooms that it makes.
    pub room_version: String,
}

impl Homeserver {
    fn number(&self) -> Option<u32> {
        self.room_version.parse().ok()
    }

    /// Whether creators have infinite power and must not be listed, as from version 12 on.
    pub(super) fn has_creators(&self) -> bool {
        self.number().is_some_and(|number| number >= 12) || self.room_version == "org.matrix.hydra.11"
    }

    /// Whether a room can let the members of another in, as from version 8 on.
    pub(super) fn has_restricted_rooms(&self) -> bool {
        self.number().is_none_or(|number| number >= 8)
    }
}

/// The least power for what is not listed otherwise.
struct Powers {
    owner: i64,
    invite: i64,
    default: i64,
}

/// One table for each kind of room: the bot (or a query's ghost) makes it and has all power, the owner may name it
/// and set its topic, ghosts may speak. What would take the room out of the bridge's hands needs the creator.
fn powers_of(kind: RoomKind) -> Powers {
    match kind {
        RoomKind::Lobby => Powers { owner: 0, invite: 100, default: 100 },
        RoomKind::Control | RoomKind::Network => Powers { owner: 50, invite: 100, default: 50 },
        RoomKind::Private | RoomKind::Query => Powers { owner: 50, invite: 50, default: 50 },
        // Everybody is equal there.
        RoomKind::Shared => Powers { owner: 0, invite: 50, default: 100 },
    }
}

fn power_levels(homeserver: &Homeserver, kind: RoomKind, creator: &str, owner: Option<&str>) -> Value {
    let silent = kind == RoomKind::Lobby;
    levels_with(homeserver, &powers_of(kind), silent, creator, owner)
}

/// The powers in a shared room where nobody has a rank.
pub(super) fn shared_power_levels(homeserver: &Homeserver, creator: &str) -> Value {
    power_levels(homeserver, RoomKind::Shared, creator, None)
}

/// In a space nobody talks, and its owner may name and order it.
pub(super) fn space_power_levels(homeserver: &Homeserver, creator: &str, owner: &str) -> Value {
    let powers = Powers { owner: 50, invite: 100, default: 50 };
    levels_with(homeserver, &powers, true, creator, Some(owner))
}

fn levels_with(
    homeserver: &Homeserver,
    powers: &Powers,
    silent: bool,
    creator: &str,
    owner: Option<&str>,
) -> Value {
    let mut users = Map::new();
    if !homeserver.has_creators() {
        users.insert(creator.to_owned(), 100.into());
    }
    if let Some(owner) = owner {
        users.insert(owner.to_owned(), powers.owner.into());
    }
    let guarded = [
        "m.room.encryption",
        "m.room.tombstone",
        "m.room.server_acl",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.bridge",
        "uk.half-shot.bridge",
    ];
    let events: Map<String, Value> = guarded.iter().map(|kind| ((*kind).to_owned(), 100.into())).collect();
    json!({
        "users": users,
        "users_default": 0,
        "events": events,
        "events_default": if silent { 100 } else { 0 },
        "state_default": powers.default,
        "invite": powers.invite,
        "kick": powers.default,
        "ban": powers.default,
        "redact": powers.default,
    })
}

/// Lets a user of ours in by invitation; one who is there already is a success.
pub(super) async fn invite_and_join(
    client: &Client,
    host: &str,
    room_id: &str,
    user_id: &str,
) -> Result<(), ClientError> {
    match client.invite(host, room_id, user_id).await {
        Err(error) if !error.is_final() => Err(error),
        // Already there, or already invited: the join tells.
        Ok(()) | Err(_) => client.join(user_id, room_id).await,
    }
}

impl Bridge {
    /// The Matrix id of a room, made now where it does not exist yet. Only the room's own lane calls this.
    pub(super) async fn real_room(&self, room: &RoomRow, may_exist: bool) -> Result<String, GhostError> {
        if let Some(room_id) = &room.room_id {
            return Ok(room_id.clone());
        }
        if room.creator != self.client.bot()
            && let Some(ghost) = self.store.ghost_by_user_id(&room.creator).await?
        {
            self.register_ghost(&ghost).await?;
        }
        let found = if may_exist { self.find_marked(&room.creator, &room.marker).await? } else { None };
        let room_id = match found {
            Some(room_id) => room_id,
            None => {
                let plan = self.plan(room).await?;
                self.client.create_room(&room.creator, &plan).await?
            }
        };
        if room.kind()? == RoomKind::Shared {
            self.note_shared_made(room);
        }
        self.store.room_made(room.id, &room_id).await?;
        tracing::info!(kind = room.kind()?.as_str(), %room_id, "a room was made");
        Ok(room_id)
    }

    /// The lobby of a network.
    pub(super) async fn lobby(&self, network: &str) -> Result<String, GhostError> {
        let cell = {
            let mut lobbies = self.lobbies.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lobbies.entry(network.to_owned()).or_default())
        };
        let room_id = cell
            .get_or_try_init(|| async {
                let room = self
                    .store
                    .intend_room(NewRoom {
                        kind: RoomKind::Lobby,
                        marker: unique(),
                        creator: self.client.bot().to_owned(),
                        owner: None,
                        lane: format!("lobby/{network}"),
                        link: Link::Lobby { network: network.to_owned() },
                        room_id: None,
                        created_at: self.clock.unix_ms(),
                    })
                    .await?;
                // The row may be old: whether the room exists is always looked up.
                Box::pin(self.real_room(&room, true)).await
            })
            .await?;
        Ok(room_id.clone())
    }

    /// The user's control room where one is known, else the intent of one that the bot makes.
    pub(super) async fn own_control_room(&self, user: i64) -> Result<RoomRow, StoreError> {
        let bot = self.client.bot();
        if let Some(room) = self.store.control_rooms(user).await?.into_iter().find(|room| room.creator == bot)
        {
            return Ok(room);
        }
        let owner = self.store.user_id(user).await?;
        self.store
            .intend_room(NewRoom {
                kind: RoomKind::Control,
                marker: unique(),
                creator: bot.to_owned(),
                owner: Some(user),
                lane: super::desk::lane_of(&owner),
                link: Link::Control { user },
                room_id: None,
                created_at: self.clock.unix_ms(),
            })
            .await
    }

    /// A room of this creator that carries the marker.
    pub(super) async fn find_marked(
        &self,
        creator: &str,
        marker: &str,
    ) -> Result<Option<String>, GhostError> {
        for room_id in self.client.joined_rooms(creator).await? {
            match self.store.room_by_matrix_id(&room_id).await? {
                // Somebody was faster.
                Some(known) if known.marker == marker => return Ok(Some(room_id)),
                Some(_) => continue,
                None => {}
            }
            let create = match self.client.state(creator, &room_id, "m.room.create", "").await {
                Ok(create) => create,
                // A room that can't be looked into was not made by us.
                Err(error) if error.is_final() => continue,
                Err(error) => return Err(error.into()),
            };
            if create.is_some_and(|create| create[ROOM_MARKER] == marker) {
                return Ok(Some(room_id));
            }
        }
        Ok(None)
    }

    async fn plan(&self, room: &RoomRow) -> Result<CreateRoom, GhostError> {
        let kind = room.kind()?;
        let network = room.network.as_deref().unwrap_or_default();
        let address = room.address().unwrap_or_default();
        let network_name = self.network_name(&address);
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let owner = room.owner.as_deref();
        let templates = &self.config.templates;
        // Two sessions of a user on a network may be in one channel: their rooms have two names.
        let session_name = split_address(&address).1;
        let within_brackets = match session_name {
            "" => network_name.clone(),
            name => format!("{}, {name}", self.network_name(network)),
        };
        let named = |template: &Template, network: &str| {
            let name = template.render(&[("channel", channel), ("network", network)]);
            let is_told = session_name.is_empty() || name.contains(network);
            Some(if is_told { name } else { format!("{name} ({session_name})") })
        };
        let (name, topic) = match kind {
            RoomKind::Control => {
                (Some("Towline".to_owned()), Some("Talk to the IRC bouncer here: type help".to_owned()))
            }
            RoomKind::Network => (
                named(&templates.network_room, &network_name),
                Some(format!("What {network_name} says, and commands for it: type help")),
            ),
            RoomKind::Lobby => (Some(format!("Lobby of {network_name}")), None),
            // The topic has a request of its own, which comes when IRC has told it.
            RoomKind::Private | RoomKind::Shared => (named(&templates.room, &within_brackets), None),
            // Two members: clients show it under the other one's name.
            RoomKind::Query => (None, None),
        };
        let shared =
            if kind == RoomKind::Shared { self.shared_settings(network) } else { SharedRooms::default() };
        let mut initial_state = Vec::new();
        if kind == RoomKind::Private && self.homeserver.has_restricted_rooms() {
            match self.lobby(network).await {
                Ok(lobby) => {
                    let allow = json!([{ "type": "m.room_membership", "room_id": lobby }]);
                    let rule = json!({ "join_rule": "restricted", "allow": allow });
                    initial_state.push(("m.room.join_rules", String::new(), rule));
                }
                Err(GhostError::Client(error)) if error.is_final() => {
                    tracing::warn!(%error, "a network has no lobby: its ghosts are invited one by one");
                }
                Err(error) => return Err(error),
            }
        }
        if kind == RoomKind::Shared {
            // Whoever comes in is looked at then: an alias leads everybody here, and nobody to what was said before.
            for (kind, content) in [
                (
                    "m.room.join_rules",
                    json!({ "join_rule": if shared.for_invited { "invite" } else { "public" } }),
                ),
                ("m.room.history_visibility", json!({ "history_visibility": "joined" })),
                ("m.room.guest_access", json!({ "guest_access": "forbidden" })),
            ] {
                initial_state.push((kind, String::new(), content));
            }
        }
        if !matches!(kind, RoomKind::Control | RoomKind::Lobby) {
            let shown = if kind == RoomKind::Network { network_name.as_str() } else { channel };
            let info = self.bridge_info(&address, shown, owner);
            let state_key = bridge_info::key_of(network, shown);
            initial_state.extend(bridge_info::KINDS.map(|kind| (kind, state_key.clone(), info.clone())));
        }
        let avatar = self.networks.get(network).and_then(|known| known.network.avatar.clone());
        if let Some(avatar) = avatar
            && matches!(kind, RoomKind::Private | RoomKind::Network | RoomKind::Shared)
        {
            initial_state.push(("m.room.avatar", String::new(), json!({ "url": avatar })));
        }
        let domain = &self.config.homeserver.domain;
        let is_here = |owner: &str| owner.split_once(':').is_some_and(|(_, server)| server == domain);
        let is_local = owner.is_none_or(is_here) && !shared.federated;
        // Where a room begins with what was said before, its owner is invited after that.
        let invited = owner.filter(|_| !room.is_refilled());
        let room_version = shared.room_version.clone();
        let homeserver =
            room_version.map_or_else(|| self.homeserver.clone(), |room_version| Homeserver { room_version });
        let mut creation_content = json!({ ROOM_MARKER: room.marker });
        if is_local {
            creation_content["m.federate"] = false.into();
        }
        Ok(CreateRoom {
            name,
            topic,
            invite: invited.map(str::to_owned).into_iter().collect(),
            is_direct: matches!(kind, RoomKind::Control | RoomKind::Query),
            creation_content,
            initial_state,
            power_levels: power_levels(&homeserver, kind, &room.creator, owner),
            room_version: shared.room_version,
        })
    }

    /// The room's alias, where the template asks for one.
    pub(super) fn alias_of(&self, room: &RoomRow) -> Option<String> {
        let (owner, channel) = (room.owner.as_deref()?, room.buffer_name.as_deref()?);
        let user = owner.strip_prefix('@')?.split(':').next()?;
        self.alias(user, &room.address()?, channel)
    }

    /// The alias of a user's room, by the address of their session: two of their sessions have two addresses.
    pub(super) fn alias(&self, user: &str, address: &str, channel: &str) -> Option<String> {
        let template = self.config.templates.alias.as_ref()?;
        let channel = ghost_id::escape(channel);
        let localpart = template.render_id(&[("user", user), ("network", address), ("channel", &channel)]);
        let domain = &self.config.homeserver.domain;
        Some(format!("#{}:{domain}", ghost_id::fit(localpart, domain)))
    }

    /// The address of the session and the channel, letters folded, of a room's alias; nothing where it was not made of
    /// them.
    pub(super) fn read_alias(&self, alias: &str) -> Option<(String, String)> {
        let localpart = alias.strip_prefix('#')?.split(':').next()?;
        let fields = self.config.templates.alias.as_ref()?.read_id(localpart)?;
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let (user, address) = (field("user")?, field("network")?);
        let channel = ghost_id::unescape(field("channel")?)?;
        let made = self.alias(user, address, &channel)?;
        (made == alias).then(|| (address.clone(), channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn homeserver(version: &str) -> Homeserver {
        Homeserver { room_version: version.to_owned() }
    }

    #[test]
    fn creators_are_listed_up_to_version_11_and_never_from_12_on() {
        let levels = |version| power_levels(&homeserver(version), RoomKind::Private, "@bot:x", Some("@a:x"));
        assert_eq!(levels("11")["users"], json!({ "@bot:x": 100, "@a:x": 50 }));
        assert_eq!(levels("12")["users"], json!({ "@a:x": 50 }));
    }

    /// Of each kind: what the owner has, what a ghost may do, who may let somebody in, and who may set a state.
    #[rstest]
    #[case::control(RoomKind::Control, json!(50), 0, 100, 50)]
    #[case::network(RoomKind::Network, json!(50), 0, 100, 50)]
    #[case::private(RoomKind::Private, json!(50), 0, 50, 50)]
    #[case::query(RoomKind::Query, json!(50), 0, 50, 50)]
    #[case::shared(RoomKind::Shared, json!(0), 0, 50, 100)]
    #[case::lobby(RoomKind::Lobby, json!(null), 100, 100, 100)]
    fn each_kind_of_room_has_its_powers_in_each_version(
        #[case] kind: RoomKind,
        #[case] owner: Value,
        #[case] speak: i64,
        #[case] invite: i64,
        #[case] state: i64,
    ) {
        for (version, creator) in [("10", json!(100)), ("11", json!(100)), ("12", json!(null))] {
            let owned = (kind != RoomKind::Lobby).then_some("@a:x");
            let levels = power_levels(&homeserver(version), kind, "@bot:x", owned);
            assert_eq!(
                (&levels["users"]["@bot:x"], &levels["users"]["@a:x"]),
                (&creator, &owner),
                "{version}"
            );
            assert_eq!(levels["users_default"], 0, "ghosts have none");
            let least = ["events_default", "invite", "state_default"].map(|name| levels[name].as_i64());
            assert_eq!(least, [Some(speak), Some(invite), Some(state)], "{version}");
        }
    }

    #[rstest]
    #[case::name("m.room.name")]
    #[case::topic("m.room.topic")]
    #[case::pins("m.room.pinned_events")]
    #[case::widgets("im.vector.modular.widgets")]
    #[case::widgets_of_the_specification("m.widget")]
    fn an_owner_may_name_their_rooms_and_pin_and_set_widgets_and_nobody_else_may(#[case] event: &str) {
        for kind in [RoomKind::Control, RoomKind::Network, RoomKind::Private, RoomKind::Query] {
            for version in ["11", "12"] {
                let levels = power_levels(&homeserver(version), kind, "@bot:x", Some("@a:x"));
                let needed =
                    levels["events"].get(event).unwrap_or(&levels["state_default"]).as_i64().unwrap();
                let (owner, others) = (&levels["users"]["@a:x"], &levels["users_default"]);
                assert!(owner.as_i64().unwrap() >= needed, "{event} in {kind:?}");
                assert!(others.as_i64().unwrap() < needed, "{event} in {kind:?}");
            }
        }
    }

    #[test]
    fn in_a_space_its_owner_orders_and_nobody_talks() {
        for (version, creator) in [("11", json!(100)), ("12", json!(null))] {
            let levels = space_power_levels(&homeserver(version), "@bot:x", "@a:x");
            assert_eq!((&levels["users"]["@bot:x"], &levels["users"]["@a:x"]), (&creator, &json!(50)));
            assert_eq!(
                (&levels["events_default"], &levels["events"]["m.room.tombstone"]),
                (&json!(100), &json!(100))
            );
        }
    }

    #[test]
    fn what_takes_a_room_out_of_our_hands_needs_its_creator_in_every_kind() {
        for kind in
            [RoomKind::Control, RoomKind::Network, RoomKind::Private, RoomKind::Query, RoomKind::Lobby]
        {
            let levels = power_levels(&homeserver("11"), kind, "@bot:x", Some("@a:x"));
            for event in ["m.room.encryption", "m.room.tombstone", "m.room.power_levels", "m.room.join_rules"]
            {
                assert_eq!(levels["events"][event], 100, "{event} in {kind:?}");
            }
        }
    }

    #[test]
    fn only_the_bot_can_let_anybody_into_a_lobby() {
        let levels = power_levels(&homeserver("12"), RoomKind::Lobby, "@bot:x", None);
        assert_eq!((&levels["invite"], &levels["users"]), (&json!(100), &json!({})));
    }
}
