//! What the homeserver remembers: users, rooms, aliases, media, and what it owes the application service.
//!
//! Plain data behind one lock; nothing here waits, so every request is one step and needs no more locking.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde_json::{Value, json};

use super::room::{Draft, Room};
use super::{Options, Refusal};

/// Synapse takes events up to 64 KiB; the envelope around a content is a few hundred bytes.
const LARGEST_CONTENT: usize = 65_000;

/// Everything the homeserver remembers.
pub(crate) struct Core {
    pub(crate) options: Options,
    user_namespaces: Vec<Regex>,
    alias_namespaces: Vec<Regex>,
    pub(crate) users: BTreeMap<String, Profile>,
    /// Access tokens of users; the application service's is in the options.
    pub(crate) tokens: HashMap<String, String>,
    pub(crate) rooms: BTreeMap<String, Room>,
    /// Alias → room and who made it.
    pub(crate) aliases: BTreeMap<String, (String, String)>,
    /// Rooms in the directory.
    pub(crate) listed: HashSet<String>,
    pub(crate) media: HashMap<String, Media>,
    /// (user, room or nothing, type) → account data.
    pub(crate) account_data: BTreeMap<(String, String, String), Value>,
    /// Transactions seen: (access token, transaction id) → event id. Lost when a homeserver restarts.
    pub(crate) transactions: HashMap<(String, String), String>,
    pub(crate) typing: BTreeMap<String, HashSet<String>>,
    /// (user, kind, id) → rule.
    pub(crate) push_rules: BTreeMap<(String, String, String), Value>,
    /// User → what they have said of being there.
    pub(crate) presence: BTreeMap<String, Value>,
    /// Each request: method, and path and query with the percent signs resolved.
    pub(crate) requests: Vec<(String, String)>,
    /// Events that the application service has yet to get: (room, event id).
    pub(crate) queue: VecDeque<(String, String)>,
    pub(crate) ephemeral: Vec<Value>,
    pub(crate) in_flight: Option<Transaction>,
    /// Nothing is handed to the application service for now.
    pub(crate) held: bool,
    /// The application service does not hear of what it has sent itself.
    pub(crate) echoes_lost: bool,
    pub(crate) transactions_done: u64,
    pub(crate) next_transaction: u64,
    counter: u64,
}

/// An uploaded file.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) content_type: String,
    pub(crate) name: Option<String>,
    pub(crate) bytes: Arc<[u8]>,
}

/// A registered user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) displayname: Option<String>,
    pub(crate) avatar_url: Option<String>,
}

/// One transaction to the application service; retries carry the same events and nothing ephemeral.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) id: u64,
    pub(crate) events: Vec<(String, String)>,
    pub(crate) ephemeral: Vec<Value>,
    pub(crate) attempts: u32,
}

impl Core {
    pub(crate) fn new(options: Options) -> Self {
        // Synapse anchors a namespace's regex at its start only.
        let read = |all: &[String]| -> Vec<Regex> {
            all.iter().map(|one| Regex::new(&format!("^(?:{one})")).expect("a namespace's regex")).collect()
        };
        Self {
            user_namespaces: read(&options.user_namespaces),
            alias_namespaces: read(&options.alias_namespaces),
            options,
            users: BTreeMap::new(),
            tokens: HashMap::new(),
            rooms: BTreeMap::new(),
            aliases: BTreeMap::new(),
            listed: HashSet::new(),
            media: HashMap::new(),
            account_data: BTreeMap::new(),
            transactions: HashMap::new(),
            typing: BTreeMap::new(),
            push_rules: BTreeMap::new(),
            presence: BTreeMap::new(),
            requests: Vec::new(),
            queue: VecDeque::new(),
            ephemeral: Vec::new(),
            in_flight: None,
            held: false,
            echoes_lost: false,
            transactions_done: 0,
            next_transaction: 1,
            counter: 0,
        }
    }

    pub(crate) fn bot(&self) -> String {
        self.user_id(&self.options.sender_localpart)
    }

    pub(crate) fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.options.server_name)
    }

    pub(crate) fn is_appservice_user(&self, user: &str) -> bool {
        let local = user.split_once(':').is_some_and(|(_, server)| server == self.options.server_name);
        local
            && (user[1..].split_once(':').is_some_and(|(part, _)| part == self.options.sender_localpart)
                || self.user_namespaces.iter().any(|regex| regex.is_match(user)))
    }

    pub(crate) fn is_appservice_alias(&self, alias: &str) -> bool {
        self.alias_namespaces.iter().any(|regex| regex.is_match(alias))
    }

    /// A fresh opaque name, the same in every run: 43 characters, as a SHA-256 in base64.
    pub(crate) fn opaque(&mut self) -> String {
        self.counter += 1;
        let text = format!("{}/{}", self.options.server_name, self.counter);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    pub(crate) fn room(&self, id: &str) -> Result<&Room, Refusal> {
        self.rooms.get(id).ok_or_else(|| Refusal::forbidden(&format!("User not in room {id}")))
    }

    /// The room, for someone who is in it.
    pub(crate) fn room_of(&self, id: &str, user: &str) -> Result<&Room, Refusal> {
        let room = self.room(id)?;
        match room.membership(user) {
            "join" => Ok(room),
            _ => Err(Refusal::forbidden(&format!("User {user} not in room {id}"))),
        }
    }

    pub(crate) fn register(&mut self, user: &str) -> Result<(), Refusal> {
        if self.users.contains_key(user) {
            return Err(Refusal::new(400, "M_USER_IN_USE", "User ID already taken."));
        }
        let localpart = user[1..].split(':').next().unwrap_or_default();
        let profile = Profile { displayname: Some(localpart.into()), avatar_url: None };
        self.users.insert(user.into(), profile);
        Ok(())
    }

    /// Lets a room take an event or says why not; returns the event's id.
    pub(crate) fn append(&mut self, room: &str, draft: Draft<'_>, ts: u64) -> Result<String, Refusal> {
        let allowed = self.in_allowed_room(room, draft.sender);
        let current = self.room(room)?;
        current.authorise(&draft, allowed)?;
        if draft.kind == "m.room.canonical_alias" {
            let leads_here = |alias: &str| self.aliases.get(alias).is_some_and(|(to, _)| to == room);
            if draft.content["alias"].as_str().is_some_and(|alias| !leads_here(alias)) {
                return Err(Refusal::new(400, "M_BAD_ALIAS", "Room alias does not point to the room"));
            }
        }
        self.append_unasked(room, draft, ts)
    }

    /// Appends an event that nobody is asked about, as a homeserver's administrator can.
    pub(crate) fn append_unasked(
        &mut self,
        room: &str,
        draft: Draft<'_>,
        ts: u64,
    ) -> Result<String, Refusal> {
        let current = self.room(room)?;
        // Measuring costs a serialisation, so only what could be too large is measured.
        if draft.content.to_string().len() > LARGEST_CONTENT {
            return Err(Refusal::new(413, "M_TOO_LARGE", "event too large"));
        }
        if let Some(key) = draft.state_key
            && let Some(same) = current.state(draft.kind, key)
            && same.content == draft.content
            && same.sender == draft.sender
        {
            return Ok(same.event_id.clone());
        }
        let member = draft.state_key.filter(|_| draft.kind == "m.room.member").map(str::to_owned);
        let is_own = self.is_appservice_user(draft.sender);
        let concerns = is_own || member.as_deref().is_some_and(|user| self.is_appservice_user(user));
        let moved = member.filter(|user| self.is_appservice_user(user)).map(|user| {
            let before = current.membership(&user) == "join";
            let after = draft.content["membership"] == "join";
            i8::from(after) - i8::from(before)
        });
        let id = format!("${}", self.opaque());
        let current = self.rooms.get_mut(room).expect("it was there a moment ago");
        let lost = self.echoes_lost && draft.state_key.is_none() && is_own;
        let interested = !lost && (concerns || current.appservice_members > 0);
        current.take(id.clone(), draft, ts);
        current.appservice_members =
            current.appservice_members.saturating_add_signed(moved.unwrap_or_default().into());
        if interested {
            self.queue.push_back((room.into(), id.clone()));
        }
        Ok(id)
    }

    /// Whether the user is in a room that this room's restricted join rule names.
    fn in_allowed_room(&self, room: &str, user: &str) -> bool {
        let Some(rule) = self.rooms.get(room).and_then(|room| room.state("m.room.join_rules", "")) else {
            return false;
        };
        let allow = rule.content["allow"].as_array().into_iter().flatten();
        allow
            .filter(|entry| entry["type"] == "m.room_membership")
            .filter_map(|entry| self.rooms.get(entry["room_id"].as_str()?))
            .any(|room| room.membership(user) == "join")
    }

    /// Changes someone's membership: a join carries the profile, as clients and Synapse make it.
    pub(crate) fn set_membership(
        &mut self,
        room: &str,
        sender: &str,
        target: &str,
        membership: &str,
        reason: Option<&str>,
        ts: u64,
    ) -> Result<(), Refusal> {
        self.room(room)?;
        if membership == "leave" && sender == target && self.room(room)?.membership(target) == "leave" {
            return Ok(());
        }
        let mut content = json!({ "membership": membership });
        if let (Some(profile), "join" | "invite") = (self.users.get(target), membership) {
            if let Some(name) = &profile.displayname {
                content["displayname"] = json!(name);
            }
            if let Some(url) = &profile.avatar_url {
                content["avatar_url"] = json!(url);
            }
        }
        if let Some(reason) = reason {
            content["reason"] = json!(reason);
        }
        let direct = self.room(room)?.state("m.room.member", target);
        if membership == "join" && direct.is_some_and(|event| event.membership() == "join") {
            return Ok(());
        }
        self.append(room, Draft::state(sender, "m.room.member", target, content), ts)?;
        Ok(())
    }

    /// Sets a part of a profile and shows it in each joined room, as Synapse does.
    pub(crate) fn set_profile(
        &mut self,
        user: &str,
        key: &str,
        value: Option<&str>,
        ts: u64,
    ) -> Result<(), Refusal> {
        let value = value.filter(|value| !value.is_empty()).map(str::to_owned);
        let (longest, what) = if key == "displayname" { (256, "Displayname") } else { (1000, "Avatar URL") };
        if value.as_ref().is_some_and(|value| value.chars().count() > longest) {
            return Err(Refusal::new(400, "M_UNKNOWN", &format!("{what} is too long (max {longest})")));
        }
        let profile = self.users.entry(user.into()).or_default();
        let old = if key == "displayname" { &mut profile.displayname } else { &mut profile.avatar_url };
        if *old == value {
            return Ok(());
        }
        old.clone_from(&value);
        let joined: Vec<String> = self
            .rooms
            .values()
            .filter(|room| room.membership(user) == "join")
            .map(|room| room.id.clone())
            .collect();
        for room in joined {
            let mut content = self.room(&room)?.state("m.room.member", user).expect("joined").content.clone();
            match &value {
                Some(value) => content[key] = json!(value),
                None => drop(content.as_object_mut().expect("an object").remove(key)),
            }
            self.append(&room, Draft::state(user, "m.room.member", user, content), ts)?;
        }
        Ok(())
    }

    /// The next transaction to the application service: the one in flight, or a new one if anything waits.
    pub(crate) fn transaction(&mut self) -> Option<Transaction> {
        if self.held {
            return None;
        }
        if self.in_flight.is_none() && !(self.queue.is_empty() && self.ephemeral.is_empty()) {
            let events = self.queue.drain(..self.queue.len().min(100)).collect();
            let ephemeral = self.ephemeral.drain(..self.ephemeral.len().min(100)).collect();
            let id = self.next_transaction;
            self.next_transaction += 1;
            self.in_flight = Some(Transaction { id, events, ephemeral, attempts: 0 });
        }
        let transaction = self.in_flight.as_mut()?;
        transaction.attempts += 1;
        if transaction.attempts > 1 {
            transaction.ephemeral.clear();
        }
        Some(transaction.clone())
    }

    /// Whether the application service has taken everything.
    pub(crate) fn is_delivered(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_none()
    }

    /// A transaction as it goes over the wire. Built anew for each attempt: what was redacted since is empty.
    pub(crate) fn transaction_body(&self, transaction: &Transaction, now: u64) -> Value {
        // What stands in a room that was purged since is gone with it.
        let events = transaction.events.iter().filter_map(|(room, id)| {
            let room = self.rooms.get(room)?;
            let event = room.event(id).expect("events stay");
            let mut body = event.to_client(&room.id, now);
            // Synapse reads the events of one that failed anew, and then without what was before them.
            if transaction.attempts > 1 {
                body["unsigned"].as_object_mut().expect("an object").remove("prev_content");
            }
            if event.kind == "m.room.member" && event.membership() == "invite" {
                body["unsigned"]["invite_room_state"] = invite_state(room, &event.sender, &body);
            }
            Some(body)
        });
        let events: Vec<Value> = events.collect();
        json!({
            "events": events,
            "ephemeral": transaction.ephemeral,
            "de.sorunome.msc2409.ephemeral": transaction.ephemeral,
        })
    }

    /// Tells who is there, as a homeserver does of who shares a room with the bot.
    pub(crate) fn presence(&mut self, user: &str, state: &str) {
        if self.options.receive_ephemeral {
            let content = json!({ "presence": state, "last_active_ago": 1 });
            self.ephemeral.push(json!({ "type": "m.presence", "sender": user, "content": content }));
        }
    }

    pub(crate) fn push_ephemeral(&mut self, room: &str, kind: &str, content: &Value) {
        let interested = self.rooms.get(room).is_some_and(|room| room.appservice_members > 0);
        if self.options.receive_ephemeral && interested {
            self.ephemeral.push(json!({ "type": kind, "room_id": room, "content": content }));
        }
    }
}

/// The stripped state that an invitation shows of its room.
fn invite_state(room: &Room, inviter: &str, invite: &Value) -> Value {
    let shown = ["create", "join_rules", "canonical_alias", "avatar", "encryption", "name", "topic"];
    let strip = |event: &Value| json!({ "type": event["type"], "state_key": event["state_key"], "sender": event["sender"], "content": event["content"] });
    let states = shown.iter().filter_map(|kind| room.state(&format!("m.room.{kind}"), ""));
    let member = room.state("m.room.member", inviter);
    let events = states.chain(member).map(|event| strip(&event.to_client(&room.id, 0)));
    events.chain([strip(invite)]).collect()
}
