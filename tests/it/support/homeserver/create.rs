//! `POST /createRoom`: presets, default power levels and what Synapse refuses (`handlers/room.py`, 1.163).

use serde_json::{Value, json};

use super::Refusal;
use super::core::Core;
use super::room::{Draft, Room};

impl Core {
    /// Makes a room as `creator` asks for it; returns its id. Refused requests leave nothing behind.
    pub(crate) fn create_room(&mut self, creator: &str, request: &Value, ts: u64) -> Result<String, Refusal> {
        let version = match &request["room_version"] {
            Value::Null => self.options.room_version.clone(),
            Value::String(version) if matches!(version.as_str(), "11" | "12") => version.clone(),
            Value::String(_) => {
                let why = "Your homeserver does not support this room version";
                return Err(Refusal::new(400, "M_UNSUPPORTED_ROOM_VERSION", why));
            }
            _ => return Err(Refusal::new(400, "M_BAD_JSON", "room_version must be a string")),
        };
        let wanted = Wanted::read(self, creator, request, &version)?;
        let id = match version.as_str() {
            "12" => format!("!{}", self.opaque()),
            _ => format!("!{}:{}", &self.opaque()[..18], self.options.server_name),
        };
        self.rooms.insert(id.clone(), Room::new(id.clone(), &version));
        match self.fill(&id, creator, &wanted, ts) {
            Ok(()) => Ok(id),
            Err(refusal) => {
                self.rooms.remove(&id);
                self.aliases.retain(|_, (room, _)| *room != id);
                self.queue.retain(|(room, _)| *room != id);
                Err(refusal)
            }
        }
    }

    fn fill(&mut self, room: &str, creator: &str, wanted: &Wanted, ts: u64) -> Result<(), Refusal> {
        self.append(room, Draft::state(creator, "m.room.create", "", wanted.creation.clone()), ts)?;
        self.set_membership(room, creator, creator, "join", None, ts)?;
        if let Some(alias) = &wanted.alias {
            self.aliases.insert(alias.clone(), (room.into(), creator.into()));
        }
        for (kind, key, content) in &wanted.state {
            self.append(room, Draft::state(creator, kind, key, content.clone()), ts)?;
        }
        for user in &wanted.invite {
            let mut content = json!({ "membership": "invite" });
            if let Some(name) = self.users.get(user).and_then(|profile| profile.displayname.clone()) {
                content["displayname"] = json!(name);
            }
            if wanted.is_direct {
                content["is_direct"] = json!(true);
            }
            self.append(room, Draft::state(creator, "m.room.member", user, content), ts)?;
        }
        Ok(())
    }
}

/// A request for a room, checked and with the presets filled in.
struct Wanted {
    creation: Value,
    state: Vec<(String, String, Value)>,
    alias: Option<String>,
    invite: Vec<String>,
    is_direct: bool,
}

impl Wanted {
    fn read(core: &Core, creator: &str, request: &Value, version: &str) -> Result<Self, Refusal> {
        let bad = |why: &str| Refusal::new(400, "M_UNKNOWN", why);
        let invite: Vec<String> = texts(&request["invite"]);
        if let Some(user) = invite.iter().find(|user| !user.starts_with('@') || !user.contains(':')) {
            return Err(bad(&format!("Invalid user_id: {user}")));
        }
        let alias = alias(core, request)?;
        let is_public = request["visibility"] == "public";
        let preset =
            request["preset"].as_str().unwrap_or(if is_public { "public_chat" } else { "private_chat" });
        let (join_rule, trusted, guests) = match preset {
            "private_chat" => ("invite", false, true),
            "trusted_private_chat" => ("invite", true, true),
            "public_chat" => ("public", false, false),
            other => return Err(bad(&format!("'{other}' is not a valid preset"))),
        };
        let creation = creation(request, version, if trusted { &invite } else { &[] });
        let given = |kind: &str| {
            let entries = request["initial_state"].as_array().into_iter().flatten();
            entries.rev().find(|entry| entry["type"] == kind).map(|entry| entry["content"].clone())
        };
        let levels = match given("m.room.power_levels") {
            Some(content) => content,
            None => power_levels(
                creator,
                request,
                version,
                (preset == "public_chat").then_some(50),
                if trusted { &invite } else { &[] },
            )?,
        };
        let mut state = vec![("m.room.power_levels".to_owned(), String::new(), levels)];
        let mut add = |kind: &str, content: Value| {
            if given(kind).is_none() {
                state.push((kind.to_owned(), String::new(), content));
            }
        };
        if let Some(alias) = &alias {
            add("m.room.canonical_alias", json!({ "alias": alias }));
        }
        add("m.room.join_rules", json!({ "join_rule": join_rule }));
        add("m.room.history_visibility", json!({ "history_visibility": "shared" }));
        if guests {
            add("m.room.guest_access", json!({ "guest_access": "can_join" }));
        }
        add_given_state(&mut state, request)?;
        Ok(Self { creation, state, alias, invite, is_direct: request["is_direct"] == true })
    }
}

/// The alias that the request names, if it may.
fn alias(core: &Core, request: &Value) -> Result<Option<String>, Refusal> {
    let bad = |why: &str| Refusal::new(400, "M_UNKNOWN", why);
    let Some(name) = request["room_alias_name"].as_str() else {
        return Ok(None);
    };
    if name.contains(char::is_whitespace) {
        return Err(bad("Invalid characters in room alias"));
    }
    if name.contains(':') {
        return Err(bad("':' is not permitted in the room alias name."));
    }
    let alias = format!("#{name}:{}", core.options.server_name);
    if core.aliases.contains_key(&alias) {
        return Err(Refusal::new(400, "M_ROOM_IN_USE", "Room alias already taken"));
    }
    Ok(Some(alias))
}

/// The content of `m.room.create`; who is trusted from the start is a creator too, where creators rule.
fn creation(request: &Value, version: &str, trusted: &[String]) -> Value {
    let mut creation = request["creation_content"].clone();
    if !creation.is_object() {
        creation = json!({});
    }
    creation["room_version"] = json!(version);
    if version == "12" && !trusted.is_empty() {
        let mut creators = texts(&creation["additional_creators"]);
        for user in trusted {
            if !creators.contains(user) {
                creators.push(user.clone());
            }
        }
        creation["additional_creators"] = json!(creators);
    }
    creation
}

/// `initial_state`, then the name and the topic.
fn add_given_state(state: &mut Vec<(String, String, Value)>, request: &Value) -> Result<(), Refusal> {
    for entry in request["initial_state"].as_array().into_iter().flatten() {
        let kind = entry["type"]
            .as_str()
            .ok_or_else(|| Refusal::new(400, "M_UNKNOWN", "initial_state entry has no type"))?;
        if kind != "m.room.power_levels" {
            let key = entry["state_key"].as_str().unwrap_or_default();
            state.push((kind.into(), key.into(), entry["content"].clone()));
        }
    }
    if let Some(name) = request["name"].as_str() {
        state.push(("m.room.name".into(), String::new(), json!({ "name": name })));
    }
    if let Some(topic) = request["topic"].as_str() {
        let rich = json!({ "m.text": [{ "body": topic }] });
        state.push(("m.room.topic".into(), String::new(), json!({ "topic": topic, "m.topic": rich })));
    }
    Ok(())
}

/// The default levels under the request's override, which replaces whole keys.
fn power_levels(
    creator: &str,
    request: &Value,
    version: &str,
    public_invite: Option<i64>,
    trusted: &[String],
) -> Result<Value, Refusal> {
    let creators_rule = version == "12";
    let given = &request["power_level_content_override"];
    if let (false, Some(users)) = (creators_rule, given["users"].as_object())
        && !users.contains_key(creator)
    {
        let why = format!("Not a valid power_level_content_override: 'users' did not contain {creator}");
        return Err(Refusal::new(400, "M_UNKNOWN", &why));
    }
    let mut levels = json!({
        "users": {}, "users_default": 0, "events_default": 0, "state_default": 50,
        "ban": 50, "kick": 50, "redact": 50, "invite": public_invite.unwrap_or(0), "historical": 100,
        "events": {
            "m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100,
            "m.room.canonical_alias": 50, "m.room.avatar": 50, "m.room.server_acl": 100,
            "m.room.tombstone": if creators_rule { 150 } else { 100 }, "m.room.encryption": 100,
        },
    });
    if !creators_rule {
        levels["users"][creator] = json!(100);
        for user in trusted {
            levels["users"][user] = json!(100);
        }
    }
    for (key, value) in given.as_object().into_iter().flatten() {
        levels[key] = value.clone();
    }
    Ok(levels)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}
