//! The client-server API, as far as a bridge uses it, with Synapse's answers.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::super::clock::now;
use super::core::{Core, Media};
use super::http::{Answer, Call};
use super::room::{Draft, Room};
use super::{Refusal, Shared, push};

type Reply = Result<Value, Refusal>;

/// Who asks.
struct Caller {
    user: String,
    token: String,
    is_appservice: bool,
}

/// Answers a call.
pub(super) async fn handle(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Refusal> {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let json = |reply: Reply| reply.map(Answer::Json);
    match (&call.method, segments.as_slice()) {
        (m, ["_matrix", "client", "versions"]) if m == get => {
            let versions: Vec<String> = (1..=13).map(|minor| format!("v1.{minor}")).collect();
            json(Ok(json!({ "versions": versions, "unstable_features": {} })))
        }
        (m, ["_matrix", "client", "v3", "register"]) if m == post => json(register(shared, call)),
        (m, ["_matrix", "client", "v1", "appservice", id, "ping"]) if m == post => {
            json(ping(shared, call, id).await)
        }
        (m, ["_matrix", "client", "v3", "directory", "room", alias]) if m == get => {
            json(resolve(shared, alias).await.map(|room| room_and_servers(shared, &room)))
        }
        // Nobody needs to be logged in for this.
        (m, ["_matrix", "client", "v3", "directory", "list", "room", room]) if m == get => {
            let visibility = if shared.read().listed.contains(*room) { "public" } else { "private" };
            json(Ok(json!({ "visibility": visibility })))
        }
        (m, ["_matrix", "client", "v3", "join", room]) if m == post => {
            let caller = shared.read().caller(call)?;
            let room = if room.starts_with('#') { resolve(shared, room).await? } else { (*room).to_owned() };
            json(shared.change(|core| core.join(&caller, &room, &call.json()?)))
        }
        // As Synapse does before it says that an alias leads elsewhere.
        (m, ["_matrix", "client", "v3", "rooms", room, "state", "m.room.canonical_alias", ..])
            if m == put =>
        {
            let caller = shared.read().caller(call)?;
            if let Some(alias) = call.json()?["alias"].as_str() {
                drop(resolve(shared, alias).await);
            }
            let rest = ["rooms", *room, "state", "m.room.canonical_alias"];
            json(shared.change(|core| core.put(&caller, call, &rest)))
        }
        (m, ["_matrix", "media", "v3", "upload"]) if m == post => {
            json(shared.change(|core| core.upload(call)))
        }
        (m, ["_matrix", "client", "v1", "media", "download", server, id, ..]) if m == get => {
            shared.read().download(call, server, id)
        }
        (m, ["_matrix", "client", "v3", rest @ ..]) => {
            let reply = if m == get {
                let core = shared.read();
                core.caller(call).and_then(|caller| core.get(&caller, call, rest))
            } else if m == post {
                shared.change(|core| core.caller(call).and_then(|caller| core.post(&caller, call, rest)))
            } else if m == put {
                shared.change(|core| core.caller(call).and_then(|caller| core.put(&caller, call, rest)))
            } else if let (&Method::DELETE, ["pushrules", "global", kind, rule]) = (m, rest) {
                shared
                    .change(|core| core.caller(call).and_then(|caller| core.delete_rule(&caller, kind, rule)))
            } else if let (&Method::DELETE, ["directory", "room", alias]) = (m, rest) {
                shared.change(|core| core.caller(call).and_then(|caller| core.delete_alias(&caller, alias)))
            } else {
                Err(unrecognized())
            };
            json(reply)
        }
        _ => Err(unrecognized()),
    }
}

fn unrecognized() -> Refusal {
    Refusal::new(404, "M_UNRECOGNIZED", "Unrecognized request")
}

fn room_and_servers(shared: &Shared, room: &str) -> Value {
    json!({ "room_id": room, "servers": [shared.read().options.server_name] })
}

fn register(shared: &Shared, call: &Call) -> Reply {
    let body = call.json()?;
    if body["type"] != "m.login.application_service" {
        return Err(Refusal::forbidden("Registration has been disabled"));
    }
    let username = body["username"]
        .as_str()
        .ok_or_else(|| Refusal::new(400, "M_MISSING_PARAM", "Desired Username is missing or not a string"))?;
    shared.change(|core| {
        if call.token.as_ref() != Some(&core.options.as_token) {
            return Err(Refusal::new(401, "M_UNKNOWN_TOKEN", "Invalid access token passed."));
        }
        let user = core.user_id(username);
        if !core.is_appservice_user(&user) {
            let why = "Invalid user localpart for this application service.";
            return Err(Refusal::new(400, "M_EXCLUSIVE", why));
        }
        core.register(&user)?;
        let mut answer = json!({ "user_id": user, "home_server": core.options.server_name });
        if body["inhibit_login"] != true {
            let token = core.opaque();
            answer["access_token"] = json!(token);
            answer["device_id"] = json!(&core.opaque()[..10]);
            core.tokens.insert(token, user);
        }
        Ok(answer)
    })
}

async fn ping(shared: &Shared, call: &Call, id: &str) -> Reply {
    let url = {
        let core = shared.read();
        if !core.caller(call)?.is_appservice {
            return Err(Refusal::forbidden(
                "Only application services can use the /appservice/ping endpoint",
            ));
        }
        if id != core.options.appservice_id {
            return Err(Refusal::forbidden("Mismatching application service ID in path"));
        }
        core.options.appservice_url.clone()
    };
    let why = "The application service does not have a URL set";
    let url = url.ok_or_else(|| Refusal::new(400, "M_URL_NOT_SET", why))?;
    let body = call.json()?;
    match push::ping(shared, &url, body["transaction_id"].as_str()).await {
        Ok((200, _)) => {
            shared.retry.notify_one();
            Ok(json!({ "duration_ms": 1 }))
        }
        Ok((status, body)) => Err(Refusal::new(502, "M_BAD_STATUS", &format!("HTTP {status}: {body}"))),
        Err(error) if error.is_timeout() => Err(Refusal::new(504, "M_CONNECTION_TIMEOUT", "timed out")),
        Err(error) => Err(Refusal::new(502, "M_CONNECTION_FAILED", &error.to_string())),
    }
}

/// The room behind an alias; a missing one in the namespace is asked of the application service.
pub(super) async fn resolve(shared: &Shared, alias: &str) -> Result<String, Refusal> {
    let known = |core: &Core| core.aliases.get(alias).map(|(room, _)| room.clone());
    let (found, url) = {
        let core = shared.read();
        let url = core.options.appservice_url.clone().filter(|_| core.is_appservice_alias(alias));
        (known(&core), url)
    };
    if let (None, Some(url)) = (&found, url)
        && push::query(shared, &url, &["rooms", alias]).await
    {
        return known(&shared.read()).ok_or_else(|| Refusal::not_found("Room alias not found"));
    }
    found.ok_or_else(|| Refusal::not_found(&format!("Room alias {alias} not found")))
}

impl Core {
    fn caller(&self, call: &Call) -> Result<Caller, Refusal> {
        let missing = || Refusal::new(401, "M_MISSING_TOKEN", "Missing access token");
        let token = call.token.clone().ok_or_else(missing)?;
        if token == self.options.as_token {
            let user = call.parameter("user_id").map_or_else(|| self.bot(), str::to_owned);
            if user != self.bot() && !self.is_appservice_user(&user) {
                let why = format!("Application service cannot masquerade as this user ({user}).");
                return Err(Refusal::forbidden(&why));
            }
            if user != self.bot() && !self.users.contains_key(&user) {
                let why = format!("Application service has not registered this user ({user})");
                return Err(Refusal::forbidden(&why));
            }
            return Ok(Caller { user, token, is_appservice: true });
        }
        if Some(&token) == self.options.puppet_token.as_ref() {
            let sender = self.user_id("towline-double-puppet");
            let user = call.parameter("user_id").map_or(sender, str::to_owned);
            return Ok(Caller { user, token, is_appservice: true });
        }
        match self.tokens.get(&token) {
            Some(user) => Ok(Caller { user: user.clone(), token, is_appservice: false }),
            None => Err(Refusal::new(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")),
        }
    }

    fn get(&self, caller: &Caller, call: &Call, rest: &[&str]) -> Reply {
        let user = &caller.user;
        let list = |events: Vec<&Arc<super::Event>>, room: &Room| -> Value {
            events.into_iter().map(|event| event.to_client(&room.id, now())).collect()
        };
        match rest {
            ["account", "whoami"] => Ok(json!({ "user_id": user })),
            ["capabilities"] => Ok(json!({ "capabilities": { "m.room_versions": {
                "default": self.options.room_version, "available": { "11": "stable", "12": "stable" },
            } } })),
            ["joined_rooms"] => {
                let joined = self.rooms.values().filter(|room| room.membership(user) == "join");
                Ok(json!({ "joined_rooms": joined.map(|room| &room.id).collect::<Vec<_>>() }))
            }
            ["profile", target, part @ ..] => {
                let profile =
                    self.users.get(*target).ok_or_else(|| Refusal::not_found("Profile was not found"))?;
                let mut parts = Map::new();
                let known = [("displayname", &profile.displayname), ("avatar_url", &profile.avatar_url)];
                for (key, value) in known.into_iter().filter(|(key, _)| part.is_empty() || part == [*key]) {
                    value.as_ref().map(|value| parts.insert(key.into(), json!(value)));
                }
                Ok(parts.into())
            }
            ["user", owner, "account_data", kind] if owner == user => self.account_data(owner, "", kind),
            ["user", owner, "rooms", room, "account_data", kind] if owner == user => {
                self.account_data(owner, room, kind)
            }
            ["presence", target, "status"] => Ok(self.presence_of(target)),
            ["rooms", room, "state"] => {
                let room = self.room_of(room, user)?;
                Ok(list(room.full_state(), room))
            }
            ["rooms", room, "state", kind] => self.state_content(room, user, kind, "", call),
            ["rooms", room, "state", kind, key] => self.state_content(room, user, kind, key, call),
            ["rooms", room, "event", id] => {
                let event = self.room_of(room, user)?.event(id);
                event
                    .map(|event| event.to_client(room, now()))
                    .ok_or_else(|| Refusal::not_found("Event not found."))
            }
            ["rooms", room, "members"] => {
                let wanted = |event: &&Arc<super::Event>| {
                    event.kind == "m.room.member"
                        && call.parameter("membership").is_none_or(|only| only == event.membership())
                        && call.parameter("not_membership").is_none_or(|not| not != event.membership())
                };
                let room = self.room_of(room, user)?;
                Ok(json!({ "chunk": list(room.full_state().into_iter().filter(wanted).collect(), room) }))
            }
            ["rooms", room, "aliases"] => {
                self.room_of(room, user)?;
                let leads_there = self.aliases.iter().filter(|(_, (to, _))| **to == **room);
                let aliases: Vec<_> = leads_there.map(|(alias, _)| alias.clone()).collect();
                Ok(json!({ "aliases": aliases }))
            }
            ["rooms", room, "joined_members"] => {
                let room = self.room_of(room, user)?;
                let member = |user: String| {
                    let content = &room.state("m.room.member", &user).expect("a member").content;
                    let shown = json!({ "display_name": content["displayname"], "avatar_url": content["avatar_url"] });
                    (user, shown)
                };
                let joined: Map<_, _> = room.members_with("join").into_iter().map(member).collect();
                Ok(json!({ "joined": joined }))
            }
            ["rooms", room, "messages"] => Ok(messages(self.room_of(room, user)?, call)),
            _ => Err(unrecognized()),
        }
    }

    fn delete_rule(&mut self, caller: &Caller, kind: &str, rule: &str) -> Reply {
        let gone = self.push_rules.remove(&(caller.user.clone(), kind.into(), rule.into()));
        gone.map(|_| json!({})).ok_or_else(|| Refusal::not_found("No such push rule"))
    }

    fn account_data(&self, user: &str, room: &str, kind: &str) -> Reply {
        let key = (user.to_owned(), room.to_owned(), kind.to_owned());
        self.account_data.get(&key).cloned().ok_or_else(|| Refusal::not_found("Account data not found"))
    }

    fn state_content(&self, room: &str, user: &str, kind: &str, key: &str, call: &Call) -> Reply {
        let room = self.room_of(room, user)?;
        let event = room.state(kind, key).ok_or_else(|| Refusal::not_found("Event not found."))?;
        Ok(match call.parameter("format") {
            Some("event") => event.to_client(&room.id, now()),
            _ => event.content.clone(),
        })
    }

    fn post(&mut self, caller: &Caller, call: &Call, rest: &[&str]) -> Reply {
        let body = call.json()?;
        let user = caller.user.as_str();
        let target = || {
            let missing = || Refusal::new(400, "M_MISSING_PARAM", "Missing params: ['user_id']");
            body["user_id"].as_str().ok_or_else(missing)
        };
        let mut set = |room: &str, target: &str, membership: &str| {
            self.set_membership(room, user, target, membership, body["reason"].as_str(), now())?;
            Ok(json!({}))
        };
        match rest {
            ["createRoom"] => Ok(json!({ "room_id": self.create_room(user, &body, now())? })),
            ["rooms", room, "join"] => self.join(caller, room, &body),
            ["rooms", room, "leave"] => set(room, user, "leave"),
            ["rooms", room, "invite"] => set(room, target()?, "invite"),
            ["rooms", room, "kick"] => {
                let current = self.room(room)?.membership(target()?).to_owned();
                if !matches!(current.as_str(), "join" | "invite") {
                    return Err(Refusal::forbidden("The target user is not in the room"));
                }
                self.set_membership(room, user, target()?, "leave", body["reason"].as_str(), now())?;
                Ok(json!({}))
            }
            ["rooms", room, "ban"] => set(room, target()?, "ban"),
            ["rooms", room, "unban"] => set(room, target()?, "leave"),
            ["rooms", room, "forget"] => {
                let current = self.room(room)?.membership(user).to_owned();
                if matches!(current.as_str(), "join" | "invite") {
                    let why = format!("User {user} in room {room}");
                    return Err(Refusal::new(400, "M_UNKNOWN", &why));
                }
                self.rooms.get_mut(*room).expect("known").forgotten_by.insert(user.into());
                Ok(json!({}))
            }
            ["rooms", room, "receipt", kind, event] => self.receipt(room, user, &[(kind, event)]),
            ["rooms", room, "read_markers"] => {
                let kinds = ["m.read", "m.read.private", "m.fully_read"];
                let marks = kinds.iter().filter_map(|kind| Some((*kind, body[*kind].as_str()?)));
                self.receipt(room, user, &marks.collect::<Vec<_>>())
            }
            _ => Err(unrecognized()),
        }
    }

    fn put(&mut self, caller: &Caller, call: &Call, rest: &[&str]) -> Reply {
        let body = call.json()?;
        let user = caller.user.as_str();
        let ts = call.parameter("ts").filter(|_| caller.is_appservice);
        let ts = ts.and_then(|ts| ts.parse().ok()).unwrap_or_else(now);
        match rest {
            ["directory", "list", "room", room] => {
                self.room_of(room, user)?;
                match body["visibility"].as_str() {
                    Some("private") => _ = self.listed.remove(*room),
                    Some("public") if self.options.refuses_publishing => {
                        return Err(Refusal::forbidden("Not allowed to publish room"));
                    }
                    _ => _ = self.listed.insert((*room).to_owned()),
                }
                Ok(json!({}))
            }
            ["rooms", room, "send", kind, transaction] => {
                self.send_once(caller, transaction, room, Draft::message(user, kind, body), ts)
            }
            ["rooms", room, "redact", event, transaction] => {
                let mut content = body;
                content["redacts"] = json!(event);
                let draft =
                    Draft { redacts: Some(event), ..Draft::message(user, "m.room.redaction", content) };
                self.send_once(caller, transaction, room, draft, ts)
            }
            ["rooms", room, "state", kind] => self.put_state(room, Draft::state(user, kind, "", body), ts),
            ["rooms", room, "state", kind, key] => {
                self.put_state(room, Draft::state(user, kind, key, body), ts)
            }
            ["rooms", room, "typing", who] if *who == user => self.typing(room, user, body["typing"] == true),
            ["profile", who, part @ ("displayname" | "avatar_url")] => {
                if *who != user {
                    return Err(Refusal::forbidden("Cannot set another user's displayname"));
                }
                let value = body[*part]
                    .as_str()
                    .ok_or_else(|| Refusal::new(400, "M_MISSING_PARAM", &format!("Missing key '{part}'")))?;
                self.set_profile(user, part, Some(value), now())?;
                Ok(json!({}))
            }
            ["presence", who, "status"] => self.put_presence(user, who, body),
            ["directory", "room", alias] => self.put_alias(caller, alias, &body),
            ["pushrules", "global", kind, rule] => {
                self.push_rules.insert((user.into(), (*kind).into(), (*rule).into()), body);
                Ok(json!({}))
            }
            ["user", who, "account_data", kind] if *who == user => {
                self.account_data.insert((user.into(), String::new(), (*kind).into()), body);
                Ok(json!({}))
            }
            ["user", who, "rooms", room, "account_data", kind] if *who == user => {
                self.account_data.insert((user.into(), (*room).into(), (*kind).into()), body);
                Ok(json!({}))
            }
            _ => Err(unrecognized()),
        }
    }

    fn send_once(
        &mut self,
        caller: &Caller,
        transaction: &str,
        room: &str,
        draft: Draft<'_>,
        ts: u64,
    ) -> Reply {
        let key = (caller.token.clone(), transaction.to_owned());
        if let Some(event) = self.transactions.get(&key) {
            return Ok(json!({ "event_id": event }));
        }
        let event = self.append(room, draft, ts)?;
        self.transactions.insert(key, event.clone());
        Ok(json!({ "event_id": event }))
    }

    fn put_state(&mut self, room: &str, draft: Draft<'_>, ts: u64) -> Reply {
        Ok(json!({ "event_id": self.append(room, draft, ts)? }))
    }

    fn join(&mut self, caller: &Caller, room: &str, body: &Value) -> Reply {
        if !self.rooms.contains_key(room) {
            return Err(Refusal::new(
                404,
                "M_NOT_FOUND",
                "Can't join remote room because no servers that are in the room have been provided.",
            ));
        }
        self.set_membership(room, &caller.user, &caller.user, "join", body["reason"].as_str(), now())?;
        Ok(json!({ "room_id": room }))
    }

    /// Moves someone's receipts; the same for a call and for a test's own user.
    pub(super) fn receipt(&mut self, room: &str, user: &str, marks: &[(&str, &str)]) -> Reply {
        self.room_of(room, user)?;
        let current = self.rooms.get_mut(room).expect("known");
        for (kind, event) in marks {
            let receipts = current.receipts.get(user);
            let old = receipts.and_then(|kinds| current.position(kinds.get(*kind)?));
            // A receipt never moves back.
            if current.position(event) < old {
                continue;
            }
            current.receipts.entry(user.into()).or_default().insert((*kind).into(), (*event).into());
        }
        for (kind, event) in marks.iter().filter(|(kind, _)| *kind != "m.fully_read") {
            self.push_ephemeral(room, "m.receipt", &json!({ *event: { *kind: { user: { "ts": now() } } } }));
        }
        Ok(json!({}))
    }

    /// Starts or stops typing.
    pub(super) fn typing(&mut self, room: &str, user: &str, typing: bool) -> Reply {
        self.room_of(room, user)?;
        let people: &mut HashSet<String> = self.typing.entry(room.into()).or_default();
        let changed = if typing { people.insert(user.into()) } else { people.remove(user) };
        if changed {
            let mut people: Vec<_> = people.iter().cloned().collect();
            people.sort();
            self.push_ephemeral(room, "m.typing", &json!({ "user_ids": people }));
        }
        Ok(json!({}))
    }

    fn put_alias(&mut self, caller: &Caller, alias: &str, body: &Value) -> Reply {
        let exclusive = |why| Err(Refusal::new(400, "M_EXCLUSIVE", why));
        match (caller.is_appservice, self.is_appservice_alias(alias)) {
            (true, false) => {
                return exclusive("This application service has not reserved this kind of alias.");
            }
            (false, true) => return exclusive("This alias is reserved by an application service."),
            _ => {}
        }
        let room = body["room_id"].as_str().filter(|room| self.rooms.contains_key(*room));
        let room = room.ok_or_else(|| Refusal::new(400, "M_UNKNOWN", "Room does not exist"))?;
        if !alias.ends_with(&format!(":{}", self.options.server_name)) {
            return Err(Refusal::new(400, "M_UNKNOWN", "Room alias must be local"));
        }
        if alias.len() > 255 {
            let why = "Can't create aliases longer than 255 characters";
            return Err(Refusal::new(400, "M_INVALID_PARAM", why));
        }
        if self.aliases.contains_key(alias) {
            return Err(Refusal::new(409, "M_UNKNOWN", &format!("Room alias {alias} already exists")));
        }
        self.aliases.insert(alias.into(), (room.into(), caller.user.clone()));
        Ok(json!({}))
    }

    fn delete_alias(&mut self, caller: &Caller, alias: &str) -> Reply {
        let (_, creator) = self.aliases.get(alias).ok_or_else(|| Refusal::not_found("Unknown room alias"))?;
        if *creator != caller.user && !(caller.is_appservice && self.is_appservice_alias(alias)) {
            return Err(Refusal::forbidden("You don't have permission to delete the alias."));
        }
        self.aliases.remove(alias);
        Ok(json!({}))
    }

    fn upload(&mut self, call: &Call) -> Reply {
        self.caller(call)?;
        let id = self.opaque()[..24].to_owned();
        let name = call.parameter("filename").map(str::to_owned);
        let bytes = call.body.to_vec().into();
        let media = Media { content_type: call.content_type.clone(), name, bytes };
        self.media.insert(id.clone(), media);
        Ok(json!({ "content_uri": format!("mxc://{}/{id}", self.options.server_name) }))
    }

    fn download(&self, call: &Call, server: &str, id: &str) -> Result<Answer, Refusal> {
        self.caller(call)?;
        let found = self.media.get(id).filter(|_| server == self.options.server_name);
        let media = found.ok_or_else(|| Refusal::not_found("Not found"))?;
        Ok(Answer::File(media.clone()))
    }
}

/// `GET /rooms/{room}/messages`. Tokens are positions; the filter knows types and senders.
fn messages(room: &Room, call: &Call) -> Value {
    let filter: Value =
        call.parameter("filter").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let listed = |key: &str, value: &str| {
        filter[key].as_array().is_none_or(|list| list.iter().any(|one| one == value))
    };
    let backwards = call.parameter("dir").unwrap_or("f") == "b";
    let limit = call.parameter("limit").and_then(|text| text.parse().ok()).unwrap_or(10);
    let end = room.events.len();
    let from = call.parameter("from").and_then(|token| token.strip_prefix('t')?.parse().ok());
    let from: usize = from.unwrap_or(if backwards { end } else { 0 }).min(end);
    let wanted = |at: &usize| {
        let event = &room.events[*at];
        listed("types", &event.kind) && listed("senders", &event.sender)
    };
    let at: Vec<usize> = if backwards {
        (0..from).rev().filter(wanted).take(limit).collect()
    } else {
        (from..end).filter(wanted).take(limit).collect()
    };
    let chunk: Vec<Value> = at.iter().map(|&at| room.events[at].to_client(&room.id, now())).collect();
    let mut answer = json!({ "start": format!("t{from}"), "chunk": chunk });
    // Without an end the client has seen everything there is in this direction.
    if let Some(&last) = at.last()
        && at.len() == limit
    {
        answer["end"] = json!(format!("t{}", if backwards { last } else { last + 1 }));
    }
    answer
}
