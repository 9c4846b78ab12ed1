//! One room: its events, its state, and the rules by which an event is taken or refused.
//!
//! The rules are those of the specification's "Authorization rules" (room versions 11 and 12) with Synapse's
//! words and codes. There is one server, so no federation, no state resolution and no backfill.
//! Everything on the path of a message is a hash lookup: a benchmark sends through here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Refusal;

/// What happened in a room, as an observer sees it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "`event_id` is the specification's word")]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) sender: String,
    pub(crate) kind: String,
    /// Present for state, absent for messages; nothing else tells them apart.
    pub(crate) state_key: Option<String>,
    pub(crate) content: Value,
    pub(crate) redacts: Option<String>,
    pub(crate) ts: u64,
    /// The content of the state that this event replaced.
    pub(crate) previous: Option<Value>,
    /// The redaction that emptied this event.
    pub(crate) redacted_by: Option<String>,
}

impl Event {
    /// `content.body`, or nothing.
    pub(crate) fn body(&self) -> &str {
        self.content["body"].as_str().unwrap_or_default()
    }

    /// Whether this is the body, or one of its lines.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.body() == text || self.body().split('\n').any(|line| line == text)
    }

    /// `content.membership`, or nothing.
    pub(crate) fn membership(&self) -> &str {
        self.content["membership"].as_str().unwrap_or_default()
    }

    /// The format that clients and application services get.
    pub(crate) fn to_client(&self, room: &str, now: u64) -> Value {
        let mut unsigned = json!({ "age": now.saturating_sub(self.ts) });
        if let Some(previous) = &self.previous {
            unsigned["prev_content"] = previous.clone();
        }
        if let Some(redaction) = &self.redacted_by {
            unsigned["redacted_because"] = json!({ "event_id": redaction, "type": "m.room.redaction" });
        }
        let mut event = json!({
            "room_id": room, "event_id": self.event_id, "sender": self.sender, "user_id": self.sender,
            "type": self.kind, "content": self.content, "origin_server_ts": self.ts, "unsigned": unsigned,
        });
        if let Some(key) = &self.state_key {
            event["state_key"] = json!(key);
        }
        if let Some(target) = &self.redacts {
            event["redacts"] = json!(target);
        }
        event
    }
}

/// An event that asks to be taken.
#[derive(Debug, Clone)]
pub(crate) struct Draft<'a> {
    pub(crate) sender: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) content: Value,
    pub(crate) redacts: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub(crate) fn message(sender: &'a str, kind: &'a str, content: Value) -> Self {
        Self { sender, kind, state_key: None, content, redacts: None }
    }

    pub(crate) fn state(sender: &'a str, kind: &'a str, state_key: &'a str, content: Value) -> Self {
        Self { sender, kind, state_key: Some(state_key), content, redacts: None }
    }
}

/// A room.
pub(crate) struct Room {
    pub(crate) id: String,
    /// Version 12: no domain in the id, creators above all levels.
    pub(crate) version: String,
    pub(crate) events: Vec<Arc<Event>>,
    by_id: HashMap<String, usize>,
    state: HashMap<String, BTreeMap<String, usize>>,
    levels: Levels,
    creators: HashSet<String>,
    /// How many joined members belong to the application service: it hears of everything while there is one.
    pub(crate) appservice_members: usize,
    /// The latest receipt of each user, by kind: user → (kind, event id).
    pub(crate) receipts: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) forgotten_by: HashSet<String>,
}

/// `m.room.power_levels`, read once when it changes.
struct Levels {
    users: HashMap<String, i64>,
    events: HashMap<String, i64>,
    users_default: i64,
    events_default: i64,
    state_default: i64,
    ban: i64,
    kick: i64,
    redact: i64,
    invite: i64,
}

impl Levels {
    /// The defaults of a room without the event: note that `state_default` is 0 only then.
    fn absent() -> Self {
        Self { state_default: 0, ..Self::read(&json!({})) }
    }

    fn read(content: &Value) -> Self {
        let level = |name: &str, default| content[name].as_i64().unwrap_or(default);
        let map = |name: &str| {
            let entries = content[name].as_object().into_iter().flatten();
            entries.filter_map(|(key, value)| Some((key.clone(), value.as_i64()?))).collect()
        };
        Self {
            users: map("users"),
            events: map("events"),
            users_default: level("users_default", 0),
            events_default: level("events_default", 0),
            state_default: level("state_default", 50),
            ban: level("ban", 50),
            kick: level("kick", 50),
            redact: level("redact", 50),
            invite: level("invite", 0),
        }
    }
}

impl Room {
    pub(crate) fn new(id: String, version: &str) -> Self {
        Self {
            id,
            version: version.into(),
            events: Vec::new(),
            by_id: HashMap::new(),
            state: HashMap::new(),
            levels: Levels::absent(),
            creators: HashSet::new(),
            appservice_members: 0,
            receipts: BTreeMap::new(),
            forgotten_by: HashSet::new(),
        }
    }

    /// Whether creators stand above all power levels here.
    pub(crate) fn creators_rule(&self) -> bool {
        self.version == "12"
    }

    pub(crate) fn event(&self, id: &str) -> Option<&Arc<Event>> {
        self.by_id.get(id).map(|&at| &self.events[at])
    }

    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The current state event of a type and key.
    pub(crate) fn state(&self, kind: &str, key: &str) -> Option<&Arc<Event>> {
        self.state.get(kind)?.get(key).map(|&at| &self.events[at])
    }

    /// All current state, in the order of its events.
    pub(crate) fn full_state(&self) -> Vec<&Arc<Event>> {
        let mut at: Vec<_> = self.state.values().flat_map(|keys| keys.values().copied()).collect();
        at.sort_unstable();
        at.into_iter().map(|at| &self.events[at]).collect()
    }

    /// `join`, `invite`, `leave`, `ban`, `knock`; empty for someone who was never here.
    pub(crate) fn membership(&self, user: &str) -> &str {
        self.state("m.room.member", user).map_or("", |event| event.membership())
    }

    pub(crate) fn members_with(&self, membership: &str) -> Vec<String> {
        let members = self.state.get("m.room.member").into_iter().flatten();
        let wanted = members.filter(|(_, at)| self.events[**at].membership() == membership);
        wanted.map(|(user, _)| user.clone()).collect()
    }

    /// A user's level; a creator's is beyond all numbers.
    pub(crate) fn level(&self, user: &str) -> i64 {
        if self.creators.contains(user) {
            return i64::MAX;
        }
        if !self.state.contains_key("m.room.power_levels") {
            // Before the first power levels the creator has 100.
            let creator = self.events.first().is_some_and(|create| create.sender == user);
            return if creator { 100 } else { 0 };
        }
        self.levels.users.get(user).copied().unwrap_or(self.levels.users_default)
    }

    /// Whether someone in the room may let restricted joiners in.
    fn someone_invites(&self) -> bool {
        let members = self.state.get("m.room.member").into_iter().flatten();
        members
            .filter(|(_, at)| self.events[**at].membership() == "join")
            .any(|(user, _)| self.level(user) >= self.levels.invite)
    }

    /// Takes an event that [`Self::authorise`] let through.
    pub(crate) fn take(&mut self, id: String, draft: Draft<'_>, ts: u64) {
        let at = self.events.len();
        let mut previous = None;
        if let Some(key) = draft.state_key {
            let keys = self.state.entry(draft.kind.into()).or_default();
            previous = keys.insert(key.into(), at).map(|old| self.events[old].content.clone());
            match draft.kind {
                "m.room.power_levels" => self.levels = Levels::read(&draft.content),
                "m.room.create" if self.version == "12" => {
                    let others = draft.content["additional_creators"].as_array().into_iter().flatten();
                    self.creators = others.filter_map(|id| id.as_str().map(str::to_owned)).collect();
                    self.creators.insert(draft.sender.into());
                }
                _ => {}
            }
        }
        if let Some(target) = draft.redacts
            && let Some(&at) = self.by_id.get(target)
        {
            let mut redacted = Event::clone(&self.events[at]);
            redacted.content = match redacted.kind.as_str() {
                "m.room.member" => json!({ "membership": redacted.content["membership"] }),
                _ => json!({}),
            };
            redacted.redacted_by = Some(id.clone());
            self.events[at] = Arc::new(redacted);
        }
        self.by_id.insert(id.clone(), at);
        self.events.push(Arc::new(Event {
            event_id: id,
            sender: draft.sender.into(),
            kind: draft.kind.into(),
            state_key: draft.state_key.map(Into::into),
            content: draft.content,
            redacts: draft.redacts.map(Into::into),
            ts,
            previous,
            redacted_by: None,
        }));
    }

    /// Whether the room takes this event, and if not, why. `in_allowed_room` says whether the sender is a
    /// member of a room that the restricted join rule names.
    pub(crate) fn authorise(&self, draft: &Draft<'_>, in_allowed_room: bool) -> Result<(), Refusal> {
        if draft.kind == "m.room.create" {
            if self.events.is_empty() {
                return Ok(());
            }
            return Err(Refusal::forbidden("Create event has prev events"));
        }
        if let (Some(target), "m.room.member") = (draft.state_key, draft.kind) {
            return self.authorise_member(draft, target, in_allowed_room);
        }
        if self.membership(draft.sender) != "join" {
            let (user, room) = (draft.sender, &self.id);
            return Err(Refusal::forbidden(&format!("User {user} not in room {room}")));
        }
        let level = self.level(draft.sender);
        let needed = self.send_level(draft.kind, draft.state_key.is_some());
        if level < needed {
            return Err(Refusal::forbidden(&format!(
                "You don't have permission to post that to the room. user_level ({level}) < send_level ({needed})"
            )));
        }
        if draft.state_key.is_some_and(|key| key.starts_with('@') && key != draft.sender) {
            return Err(Refusal::forbidden("You are not allowed to set others state"));
        }
        if let Some(target) = draft.redacts.and_then(|id| self.event(id))
            && target.sender != draft.sender
            && level < self.levels.redact
        {
            return Err(Refusal::forbidden("You don't have permission to redact events"));
        }
        match draft.kind {
            "m.room.power_levels" => self.authorise_levels(draft, level),
            _ => Ok(()),
        }
    }

    fn send_level(&self, kind: &str, is_state: bool) -> i64 {
        let default = if is_state { self.levels.state_default } else { self.levels.events_default };
        self.levels.events.get(kind).copied().unwrap_or(default)
    }

    fn authorise_member(&self, draft: &Draft<'_>, target: &str, allowed: bool) -> Result<(), Refusal> {
        let sender = draft.sender;
        let (caller, current) = (self.membership(sender), self.membership(target));
        let (level, target_level) = (self.level(sender), self.level(target));
        let wanted = draft.content["membership"].as_str().unwrap_or_default();
        let no = |why: &str| Err(Refusal::forbidden(why));

        // Leaving a room one has left is a no-op on Synapse; anything else needs membership.
        let declines = caller == "invite" && wanted == "leave" && sender == target;
        if !matches!(wanted, "join" | "knock") && !declines && caller != "join" {
            return no(&format!("{sender} not in room {}.", self.id));
        }
        match wanted {
            "join" => self.authorise_join(sender, target, current, allowed),
            "invite" if current == "ban" => no(&format!("{target} is banned from the room")),
            "invite" if current == "join" => no(&format!("{target} is already in the room.")),
            "invite" if level < self.levels.invite => no("You don't have permission to invite users"),
            "leave" if sender == target => Ok(()),
            "leave" if current == "ban" && level < self.levels.ban => {
                no(&format!("You cannot unban user {target}."))
            }
            "leave" if level < self.levels.kick || level <= target_level => {
                no(&format!("You cannot kick user {target}."))
            }
            "ban" if level < self.levels.ban => no("You don't have permission to ban"),
            "ban" if level <= target_level => no("You don't have permission to ban this user"),
            "invite" | "leave" | "ban" => Ok(()),
            "knock" => no("You don't have permission to knock"),
            _ => Err(Refusal::new(400, "M_BAD_JSON", "Invalid membership")),
        }
    }

    fn authorise_join(
        &self,
        sender: &str,
        target: &str,
        current: &str,
        allowed: bool,
    ) -> Result<(), Refusal> {
        let no = |why: &str| Err(Refusal::forbidden(why));
        let first = self.events.len() == 1 && self.events[0].sender == target;
        let rule = self
            .state("m.room.join_rules", "")
            .map_or("invite", |event| event.content["join_rule"].as_str().unwrap_or("invite"));
        match rule {
            _ if sender != target => no("Cannot force another user to join."),
            _ if current == "ban" => no("You are banned from this room"),
            _ if first || rule == "public" || matches!(current, "join" | "invite") => Ok(()),
            "restricted" | "knock_restricted" if !allowed => {
                no("You do not belong to any of the required rooms/spaces to join this room.")
            }
            "restricted" | "knock_restricted" if !self.someone_invites() => {
                let why = "Unable to find a user which could issue an invite";
                Err(Refusal::new(400, "M_UNABLE_TO_GRANT_JOIN", why))
            }
            "restricted" | "knock_restricted" => Ok(()),
            _ => no("You are not invited to this room."),
        }
    }

    fn authorise_levels(&self, draft: &Draft<'_>, level: i64) -> Result<(), Refusal> {
        let bad = |why: &str| Err(Refusal::new(400, "M_UNKNOWN", why));
        let empty = Map::new();
        for name in ["users", "events", "notifications"] {
            let entries = draft.content.get(name).and_then(Value::as_object).unwrap_or(&empty);
            if entries.values().any(|value| !value.is_i64()) {
                return bad(&format!("{name} must be a dict wherein all the values are integers."));
            }
        }
        let users = draft.content["users"].as_object().unwrap_or(&empty);
        if let Some(user) = users.keys().find(|user| !user.starts_with('@') || !user.contains(':')) {
            return bad(&format!("Not a valid user_id: {user}"));
        }
        if let Some(creator) = users.keys().find(|user| self.creators.contains(*user)) {
            return bad(&format!("Creator user {creator} must not appear in content.users"));
        }
        let Some(current) = self.state("m.room.power_levels", "") else {
            return Ok(());
        };
        let above = |old: Option<i64>, new: Option<i64>| {
            old != new && (old.is_some_and(|old| old > level) || new.is_some_and(|new| new > level))
        };
        for name in ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"] {
            if above(current.content[name].as_i64(), draft.content[name].as_i64()) {
                return Err(Refusal::forbidden(ABOVE_OWN));
            }
        }
        for part in ["users", "events"] {
            let old = current.content[part].as_object().unwrap_or(&empty);
            let new = draft.content[part].as_object().unwrap_or(&empty);
            for key in old.keys().chain(new.keys()) {
                let old = old.get(key).and_then(Value::as_i64);
                let new = new.get(key).and_then(Value::as_i64);
                if part == "users" && key != draft.sender && old != new && old == Some(level) {
                    return Err(Refusal::forbidden(
                        "You don't have permission to remove ops level equal to your own",
                    ));
                }
                if above(old, new) {
                    return Err(Refusal::forbidden(ABOVE_OWN));
                }
            }
        }
        Ok(())
    }
}

const ABOVE_OWN: &str = "You don't have permission to add ops level greater than your own";
