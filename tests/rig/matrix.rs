//! A person on a real homeserver: registers, acts over HTTP, and sees what its sync brings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LIMIT, http_client};

/// After a failed sync; a homeserver that restarts is back in seconds.
const PAUSE: Duration = Duration::from_millis(100);

/// Someone on a homeserver. Their sync ends when this is dropped.
pub(crate) struct MatrixUser {
    session: Arc<Session>,
    view: Arc<View>,
    transactions: AtomicU64,
    sync: JoinHandle<()>,
}

struct Session {
    client: reqwest::Client,
    url: String,
    id: String,
    token: String,
}

/// What the syncs brought.
#[derive(Default)]
struct View {
    rooms: Mutex<Rooms>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Rooms {
    /// Joined rooms: state and timeline events in the order of their arrival.
    joined: BTreeMap<String, Vec<Value>>,
    /// Rooms that invite: their stripped state.
    invited: BTreeMap<String, Vec<Value>>,
}

impl Drop for MatrixUser {
    fn drop(&mut self) {
        self.sync.abort();
    }
}

impl MatrixUser {
    /// Registers on a homeserver with open registration, and starts to sync.
    pub(crate) async fn register(url: &str, name: &str, password: &str) -> Self {
        let body = json!({
            "username": name, "password": password, "auth": { "type": "m.login.dummy" },
            "initial_device_display_name": "rig",
        });
        Self::enter(url, "register", body).await
    }

    /// Logs in with a password, and starts to sync.
    pub(crate) async fn login(url: &str, name: &str, password: &str) -> Self {
        let identifier = json!({ "type": "m.id.user", "user": name });
        let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
        Self::enter(url, "login", body).await
    }

    async fn enter(url: &str, how: &str, body: Value) -> Self {
        let client = http_client();
        let answer =
            client.post(format!("{url}/_matrix/client/v3/{how}")).body(body.to_string()).send().await;
        let answer: Value = serde_json::from_slice(&answer.unwrap().bytes().await.unwrap()).unwrap();
        let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{how}: {answer}")).to_owned();
        let session = Session { client, url: url.into(), id: text("user_id"), token: text("access_token") };
        let (session, view) = (Arc::new(session), Arc::new(View::default()));
        let sync = tokio::spawn(sync(session.clone(), view.clone()));
        Self { session, view, transactions: AtomicU64::new(1), sync }
    }

    pub(crate) fn id(&self) -> &str {
        &self.session.id
    }

    /// Any request; the answer of a refused one is the error.
    pub(crate) async fn request(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        self.session.request(method, path, body).await
    }

    /// Waits until a room is such in the homeserver's directory; gives what stands there.
    pub(crate) async fn wait_public(&self, room: &str, is_such: impl Fn(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                let public = self.must(Method::GET, "publicRooms", &json!({})).await;
                let listed =
                    public["chunk"].as_array().and_then(|all| all.iter().find(|one| one["room_id"] == room));
                if let Some(listed) = listed.filter(|listed| is_such(listed)) {
                    return listed.clone();
                }
                // Synapse tells nobody when that changes.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{room} is not such in the directory"))
    }

    async fn must(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.request(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{} {path}: {error}", self.id()))
    }

    /// Makes a room from a request's body; returns its id.
    pub(crate) async fn create_room(&self, request: &Value) -> String {
        let answer = self.must(Method::POST, "createRoom", request).await;
        answer["room_id"].as_str().unwrap().to_owned()
    }

    /// Starts a conversation with one other, as Element does, without encryption.
    pub(crate) async fn start_dm(&self, other: &str) -> String {
        let request = json!({
            "preset": "trusted_private_chat", "visibility": "private", "is_direct": true, "invite": [other],
        });
        self.create_room(&request).await
    }

    pub(crate) async fn invite(&self, room: &str, user: &str) {
        let path = format!("rooms/{}/invite", escape(room));
        self.must(Method::POST, &path, &json!({ "user_id": user })).await;
    }

    /// Joins, and waits until the room is in the sync.
    pub(crate) async fn join(&self, room: &str) {
        self.must(Method::POST, &format!("join/{}", escape(room)), &json!({})).await;
        self.wait(&format!("{room} among the joined rooms"), |rooms| rooms.joined.get(room).map(|_| ()))
            .await;
    }

    pub(crate) async fn leave(&self, room: &str) {
        self.must(Method::POST, &format!("rooms/{}/leave", escape(room)), &json!({})).await;
    }

    /// Says a line; returns the event's id.
    pub(crate) async fn say(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", &json!({ "msgtype": "m.text", "body": text })).await
    }

    /// `/me`.
    pub(crate) async fn action(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", &json!({ "msgtype": "m.emote", "body": text })).await
    }

    pub(crate) async fn send(&self, room: &str, kind: &str, content: &Value) -> String {
        let number = self.transactions.fetch_add(1, Ordering::Relaxed);
        let path = format!("rooms/{}/send/{kind}/rig-{number}", escape(room));
        self.must(Method::PUT, &path, content).await["event_id"].as_str().unwrap().to_owned()
    }

    /// Takes an event back.
    pub(crate) async fn redact(&self, room: &str, event: &str) {
        let number = self.transactions.fetch_add(1, Ordering::Relaxed);
        let path = format!("rooms/{}/redact/{}/rig-{number}", escape(room), escape(event));
        self.must(Method::PUT, &path, &json!({})).await;
    }

    /// Uploads a file; gives its `mxc://` address.
    pub(crate) async fn upload(&self, kind: &str, bytes: &[u8]) -> String {
        let Session { client, url, token, .. } = &*self.session;
        let request = client.post(format!("{url}/_matrix/media/v3/upload")).bearer_auth(token);
        let answer = request.header("content-type", kind).body(bytes.to_vec()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["content_uri"].as_str().unwrap_or_else(|| panic!("upload: {answer}")).to_owned()
    }

    /// The rooms that this user is in.
    pub(crate) fn joined_rooms(&self) -> Vec<String> {
        self.view.rooms.lock().unwrap().joined.keys().cloned().collect()
    }

    /// Everything the sync brought of a room.
    pub(crate) fn events(&self, room: &str) -> Vec<Value> {
        self.view.rooms.lock().unwrap().joined.get(room).cloned().unwrap_or_default()
    }

    /// What people read in a room: (sender, body).
    pub(crate) fn messages(&self, room: &str) -> Vec<(String, String)> {
        let message = |event: &Value| {
            let body = event["content"]["body"].as_str()?;
            (event["type"] == "m.room.message")
                .then(|| (event["sender"].as_str().unwrap_or_default().to_owned(), body.to_owned()))
        };
        self.events(room).iter().filter_map(message).collect()
    }

    /// The same line by line: lines of one sender that wait together are one message.
    pub(crate) fn lines(&self, room: &str) -> Vec<(String, String)> {
        let split = |(sender, body): (String, String)| {
            body.split('\n').map(|line| (sender.clone(), line.to_owned())).collect::<Vec<_>>()
        };
        self.messages(room).into_iter().flat_map(split).collect()
    }

    /// The display name of a member.
    pub(crate) fn displayname(&self, room: &str, user: &str) -> Option<String> {
        let events = self.events(room);
        let mut members = events.iter().rev().filter(|event| event["type"] == "m.room.member");
        members.find(|event| event["state_key"] == user)?["content"]["displayname"]
            .as_str()
            .map(str::to_owned)
    }

    /// Waits for an event of a joined room, past or to come.
    pub(crate) async fn wait_event(&self, room: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = |rooms: &Rooms| rooms.joined.get(room)?.iter().find(|event| wanted(event)).cloned();
        self.wait(&format!("an event in {room}"), look).await
    }

    /// Waits for a message whose body holds this text.
    pub(crate) async fn wait_message(&self, room: &str, text: &str) -> Value {
        let holds = |event: &Value| {
            event["type"] == "m.room.message"
                && event["content"]["body"].as_str().is_some_and(|body| body.contains(text))
        };
        let look = |rooms: &Rooms| rooms.joined.get(room)?.iter().find(|event| holds(event)).cloned();
        self.wait(&format!("a message with {text:?} in {room}"), look).await
    }

    /// Waits until a state of a joined room, of which there is one, is such.
    pub(crate) async fn wait_state(&self, room: &str, kind: &str, is_such: impl Fn(&Value) -> bool) {
        let look = |rooms: &Rooms| {
            let mut own = rooms.joined.get(room)?.iter().rev().filter(|event| event["type"] == kind);
            is_such(&own.next()?["content"]).then_some(())
        };
        self.wait(&format!("another {kind} in {room}"), look).await;
    }

    /// Waits until a member has this membership.
    pub(crate) async fn wait_member(&self, room: &str, user: &str, membership: &str) {
        let look = |rooms: &Rooms| {
            let events = rooms.joined.get(room)?.iter().rev();
            let mut own =
                events.filter(|event| event["type"] == "m.room.member" && event["state_key"] == user);
            (own.next()?["content"]["membership"] == membership).then_some(())
        };
        self.wait(&format!("{user} to be {membership:?} in {room}"), look).await;
    }

    /// Waits until this user is out of a room.
    pub(crate) async fn wait_out(&self, room: &str) {
        self.wait(&format!("being out of {room}"), |rooms| (!rooms.joined.contains_key(room)).then_some(()))
            .await;
    }

    /// Waits for an invite to a room with this name; returns the room.
    pub(crate) async fn wait_invite_named(&self, name: &str) -> String {
        let named = |event: &Value| event["type"] == "m.room.name" && event["content"]["name"] == name;
        let look = |rooms: &Rooms| {
            rooms.invited.iter().find(|(_, state)| state.iter().any(named)).map(|(room, _)| room.clone())
        };
        self.wait(&format!("an invite to {name:?}"), look).await
    }

    /// Waits for somebody's invite; returns the room.
    pub(crate) async fn wait_invite_from(&self, sender: &str) -> String {
        let invites = |event: &Value| {
            event["type"] == "m.room.member" && event["state_key"] == self.id() && event["sender"] == sender
        };
        let look = |rooms: &Rooms| {
            rooms.invited.iter().find(|(_, state)| state.iter().any(invites)).map(|(room, _)| room.clone())
        };
        self.wait(&format!("an invite from {sender}"), look).await
    }

    /// Waits for an invite to any room.
    pub(crate) async fn wait_invite(&self) -> String {
        self.wait("an invite", |rooms| rooms.invited.keys().next().cloned()).await
    }

    async fn wait<T>(&self, wanted: &str, look: impl Fn(&Rooms) -> Option<T>) -> T {
        let mut changed = self.view.changed.subscribe();
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                changed.borrow_and_update();
                let found = look(&self.view.rooms.lock().unwrap());
                match found {
                    Some(found) => return found,
                    None => changed.changed().await.expect("the sync lives"),
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{} waited {LIMIT:?} for {wanted}\n{}", self.id(), self.describe()))
    }

    /// What is to be seen, for a failure that can be read.
    fn describe(&self) -> String {
        let mut lines = vec![];
        let rooms = self.view.rooms.lock().unwrap();
        for (room, state) in &rooms.invited {
            let name = state.iter().find(|event| event["type"] == "m.room.name");
            lines.push(format!(
                "invited to {room} {}",
                name.map_or(&Value::Null, |event| &event["content"]["name"])
            ));
        }
        for (room, events) in &rooms.joined {
            lines.push(format!("joined {room}, the last events:"));
            for event in &events[events.len().saturating_sub(12)..] {
                let (sender, kind, content) = (&event["sender"], &event["type"], &event["content"]);
                lines.push(format!("  {sender} {kind} {content}"));
            }
        }
        lines.join("\n")
    }
}

impl Session {
    async fn request(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        let request = self.client.request(method, format!("{}/_matrix/client/v3/{path}", self.url));
        let request = request.bearer_auth(&self.token).body(body.to_string());
        let failed = |error: reqwest::Error| json!({ "error": error.to_string() });
        let answer = request.timeout(Duration::from_mins(1)).send().await.map_err(failed)?;
        let good = answer.status().is_success();
        let body = serde_json::from_slice(&answer.bytes().await.map_err(failed)?).unwrap_or_default();
        if good { Ok(body) } else { Err(body) }
    }
}

async fn sync(session: Arc<Session>, view: Arc<View>) {
    let filter = escape(
        &json!({ "room": { "timeline": { "limit": 1000 } }, "presence": { "types": [] } }).to_string(),
    );
    let mut since = String::new();
    loop {
        let path = format!("sync?timeout=30000&filter={filter}{since}");
        let Ok(answer) = session.request(Method::GET, &path, &json!({})).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        since = format!("&since={}", escape(answer["next_batch"].as_str().unwrap_or_default()));
        let mut rooms = view.rooms.lock().unwrap();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for (room, update) in answer["rooms"]["invite"].as_object().into_iter().flatten() {
            rooms.invited.insert(room.clone(), list(&update["invite_state"]["events"]));
        }
        for (room, update) in answer["rooms"]["join"].as_object().into_iter().flatten() {
            rooms.invited.remove(room);
            let events = rooms.joined.entry(room.clone()).or_default();
            events.extend(list(&update["state"]["events"]));
            events.extend(list(&update["timeline"]["events"]));
        }
        for (room, _) in answer["rooms"]["leave"].as_object().into_iter().flatten() {
            rooms.invited.remove(room);
            rooms.joined.remove(room);
        }
        drop(rooms);
        view.changed.send_modify(|version| *version += 1);
    }
}

/// Escapes a path segment or a query value.
fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
