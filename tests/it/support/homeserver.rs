//! An in-memory homeserver: the client-server API that a bridge uses, the application service API towards it,
//! real rules for membership and power, faults on demand, and observers that wait for conditions.
//!
//! What it is not: a federation, a client's sync (tests act through [`TestUser`] and look through
//! [`Homeserver::events`] and the `wait_…` functions), or end-to-end encryption.
//! Its refusals are Synapse's (1.163), read in its source; it never succeeds silently where Synapse would not.
//! One difference on purpose: a transaction id counts once per access token. Synapse ignores the asserted user
//! there, the Conduit family the room and type; a bridge whose ids pass here is right on all of them.

mod api;
mod core;
mod create;
mod faults;
mod http;
mod options;
mod presence;
mod push;
mod room;
mod user;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::core::{Core, Profile};
pub(crate) use self::faults::{Fault, Faults};
pub(crate) use self::options::{Options, Presence};
pub(crate) use self::room::Event;
pub(crate) use self::user::{NewRoom, TestUser};
use super::clock::now;
use super::ports::free_port;

/// How long an observer waits for its condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A request that was refused, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) errcode: String,
    pub(crate) error: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, errcode: &str, error: &str) -> Self {
        Self { status, errcode: errcode.into(), error: error.into() }
    }

    fn forbidden(error: &str) -> Self {
        Self::new(403, "M_FORBIDDEN", error)
    }

    fn not_found(error: &str) -> Self {
        Self::new(404, "M_NOT_FOUND", error)
    }

    fn body(&self) -> Value {
        json!({ "errcode": self.errcode, "error": self.error })
    }
}

/// What the tasks share with the handle.
struct Shared {
    core: Mutex<Core>,
    /// Bumped after each change; observers look again then.
    changed: watch::Sender<u64>,
    /// Something waits for the application service.
    push: Notify,
    /// A ping succeeded: the application service is back, so retry now.
    retry: Notify,
    faults: Faults,
    client: reqwest::Client,
}

impl Shared {
    fn read(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap()
    }

    fn change<T>(&self, step: impl FnOnce(&mut Core) -> T) -> T {
        let result = step(&mut self.read());
        self.changed.send_modify(|version| *version += 1);
        self.push.notify_one();
        result
    }

    /// Returns when the application service has taken everything.
    async fn delivered(&self) {
        let mut changed = self.changed.subscribe();
        while !self.read().is_delivered() {
            changed.changed().await.expect("the homeserver lives");
        }
    }
}

/// The homeserver. It stops when this is dropped.
pub(crate) struct Homeserver {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    running: Mutex<Option<CancellationToken>>,
}

impl Drop for Homeserver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Homeserver {
    /// Starts on a loopback port of its own.
    pub(crate) async fn start(options: Options) -> Self {
        // It may stop, and must find its port again.
        let listener = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            core: Mutex::new(Core::new(options)),
            changed: watch::Sender::new(0),
            push: Notify::new(),
            retry: Notify::new(),
            faults: Faults::default(),
            client: client(),
        });
        let homeserver = Self { shared, address, running: Mutex::new(None) };
        homeserver.run(listener);
        homeserver
    }

    fn run(&self, listener: TcpListener) {
        let running = CancellationToken::new();
        tokio::spawn(running.clone().run_until_cancelled_owned(http::serve(
            listener,
            self.shared.clone(),
            running.clone(),
        )));
        tokio::spawn(running.clone().run_until_cancelled_owned(push::push(self.shared.clone())));
        *self.running.lock().unwrap() = Some(running);
    }

    /// Closes the port and all connections at once; what the homeserver knows stays.
    pub(crate) fn stop(&self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.cancel();
        }
    }

    /// Opens the same port again after [`Self::stop`].
    pub(crate) async fn start_again(&self) {
        assert!(self.running.lock().unwrap().is_none(), "the homeserver runs already");
        // The old listener goes when its task is next polled, which need not have happened yet.
        let listener = tokio::time::timeout(LIMIT, async {
            loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        self.run(listener.await.expect("the port is free again"));
    }

    /// Forgets transaction ids and begins its own at 1 again, as Synapse on SQLite does when it restarts.
    pub(crate) fn forget_transactions(&self) {
        self.shared.change(|core| {
            core.transactions.clear();
            core.next_transaction = 1;
        });
    }

    /// Keeps what the application service should get, or hands it over again.
    pub(crate) fn hold_transactions(&self, held: bool) {
        self.shared.change(|core| core.held = held);
    }

    /// Has a room no more, as when an administrator has purged it.
    pub(crate) fn purge(&self, room: &str) {
        self.shared.change(|core| {
            core.rooms.remove(room);
            core.aliases.retain(|_, (to, _)| to != room);
        });
    }

    /// Gives a user the power of the room's creator, as Synapse's administration API does.
    pub(crate) fn make_admin(&self, room: &str, user: &str) {
        let mut levels = self.state(room, "m.room.power_levels", "");
        levels["users"][user] = json!(100);
        let creator = self.events(room).swap_remove(0).sender;
        let draft = room::Draft::state(&creator, "m.room.power_levels", "", levels);
        self.shared.change(|core| core.append(room, draft, now())).expect("the creator has the power");
    }

    /// From now on the application service does not hear of what it has said itself.
    pub(crate) fn lose_echoes(&self) {
        self.shared.change(|core| core.echoes_lost = true);
    }

    /// Forgets what the application service has yet to get, as Synapse does when it restarts.
    pub(crate) fn lose_transactions(&self) {
        self.shared.change(|core| {
            core.queue.clear();
            core.in_flight = None;
        });
    }

    /// The base URL of the client-server API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the application service shows it.
    pub(crate) fn as_token(&self) -> String {
        self.shared.read().options.as_token.clone()
    }

    /// Has the application service's registration with other tokens from now on, as after a restart.
    pub(crate) fn set_tokens(&self, as_token: &str, hs_token: &str) {
        self.shared.change(|core| {
            core.options.as_token = as_token.into();
            core.options.hs_token = hs_token.into();
        });
    }

    /// What it shows the application service.
    pub(crate) fn hs_token(&self) -> String {
        self.shared.read().options.hs_token.clone()
    }

    /// Where transactions go; nothing is sent while there is no URL.
    pub(crate) fn set_appservice_url(&self, url: &str) {
        self.shared.change(|core| core.options.appservice_url = Some(url.into()));
    }

    /// What goes wrong on request.
    pub(crate) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// A local user who is not the application service's; registered if need be.
    pub(crate) fn user(&self, localpart: &str) -> TestUser {
        TestUser::register(self.shared.clone(), localpart)
    }

    /// The id of the application service's own user.
    pub(crate) fn bot(&self) -> String {
        self.shared.read().bot()
    }

    /// The bytes of a file that was uploaded.
    pub(crate) fn media(&self, id: &str) -> Vec<u8> {
        self.shared.read().media[id].bytes.to_vec()
    }

    /// All events of a room, oldest first.
    pub(crate) fn events(&self, room: &str) -> Vec<Event> {
        let core = self.shared.read();
        core.rooms
            .get(room)
            .map(|room| room.events.iter().map(|event| Event::clone(event)).collect())
            .unwrap_or_default()
    }

    /// How many events a room has.
    pub(crate) fn event_count(&self, room: &str) -> usize {
        self.shared.read().rooms.get(room).map_or(0, |room| room.events.len())
    }

    /// Something of the bridge's own happens in a room at another time than now, in milliseconds since 1970.
    pub(crate) fn own_event_at(&self, room: &str, ts: u64) {
        let bot = self.bot();
        let draft = room::Draft::message(&bot, "org.example.own", json!({}));
        self.shared.change(|core| core.append(room, draft, ts)).expect("the event is allowed");
    }

    /// What people read in a room: (sender, body) of each message that is not redacted.
    pub(crate) fn timeline(&self, room: &str) -> Vec<(String, String)> {
        let events = self.events(room).into_iter();
        let messages = events.filter(|event| event.kind == "m.room.message" && event.redacted_by.is_none());
        messages.map(|event| (event.sender.clone(), event.body().to_owned())).collect()
    }

    /// What people read in a room, line by line: lines that wait together become one event.
    pub(crate) fn timeline_by_line(&self, room: &str) -> Vec<(String, String)> {
        let messages = self.timeline(room).into_iter();
        let lines = |(sender, body): (String, String)| {
            body.split('\n').map(|line| (sender.clone(), line.to_owned())).collect::<Vec<_>>()
        };
        messages.flat_map(lines).collect()
    }

    /// The lines of [`Self::timeline_by_line`].
    pub(crate) fn timeline_lines(&self, room: &str) -> Vec<String> {
        self.timeline_by_line(room).into_iter().map(|(_, line)| line).collect()
    }

    /// The bodies of [`Self::timeline`].
    pub(crate) fn timeline_bodies(&self, room: &str) -> Vec<String> {
        self.timeline(room).into_iter().map(|(_, body)| body).collect()
    }

    /// Current state: the content of an event type and key, or null.
    pub(crate) fn state(&self, room: &str, kind: &str, key: &str) -> Value {
        let core = self.shared.read();
        let event = core.rooms.get(room).and_then(|room| room.state(kind, key));
        event.map_or(Value::Null, |event| event.content.clone())
    }

    /// Who has this membership in a room, sorted.
    pub(crate) fn members(&self, room: &str, membership: &str) -> Vec<String> {
        self.shared.read().rooms.get(room).map(|room| room.members_with(membership)).unwrap_or_default()
    }

    /// All rooms.
    pub(crate) fn rooms(&self) -> Vec<String> {
        self.shared.read().rooms.keys().cloned().collect()
    }

    /// The rooms with this name.
    pub(crate) fn rooms_named(&self, name: &str) -> Vec<String> {
        let core = self.shared.read();
        let named = core
            .rooms
            .values()
            .filter(|room| room.state("m.room.name", "").is_some_and(|event| event.content["name"] == name));
        named.map(|room| room.id.clone()).collect()
    }

    /// The one room with this name.
    pub(crate) fn room_named(&self, name: &str) -> String {
        let rooms = self.rooms_named(name);
        assert_eq!(rooms.len(), 1, "rooms named {name:?}");
        rooms[0].clone()
    }

    /// The room behind an alias.
    pub(crate) fn alias(&self, alias: &str) -> Option<String> {
        self.shared.read().aliases.get(alias).map(|(room, _)| room.clone())
    }

    /// Has an alias lead to a room.
    pub(crate) fn give_alias(&self, alias: &str, room: &str) {
        self.shared.change(|core| core.aliases.insert(alias.to_owned(), (room.to_owned(), String::new())));
    }

    /// Waits until an alias leads to this room, or nowhere.
    pub(crate) async fn wait_alias(&self, alias: &str, room: Option<&str>) {
        let leads = |core: &Core| core.aliases.get(alias).map(|(to, _)| to.clone());
        let look = |core: &Core| (leads(core).as_deref() == room).then_some(());
        self.wait(None, || format!("{alias} to lead to {room:?}"), look).await;
    }

    /// Waits until a room stands in the directory, or does not.
    pub(crate) async fn wait_listed(&self, room: &str, is_listed: bool) {
        let look = |core: &Core| (core.listed.contains(room) == is_listed).then_some(());
        self.wait(Some(room), || format!("a room that is listed: {is_listed}"), look).await;
    }

    /// A user's display name.
    pub(crate) fn displayname(&self, user: &str) -> Option<String> {
        self.shared.read().users.get(user)?.displayname.clone()
    }

    /// A user's picture.
    pub(crate) fn avatar(&self, user: &str) -> Option<String> {
        self.shared.read().users.get(user)?.avatar_url.clone()
    }

    /// A user has no name and no picture any more.
    pub(crate) fn forget_profile(&self, user: &str) {
        self.shared.change(|core| drop(core.users.insert(user.to_owned(), Profile::default())));
    }

    /// A push rule that a user has, by its kind and id.
    pub(crate) fn push_rule(&self, user: &str, kind: &str, rule: &str) -> Option<Value> {
        let key = (user.to_owned(), kind.to_owned(), rule.to_owned());
        self.shared.read().push_rules.get(&key).cloned()
    }

    /// Waits until a user has a push rule, or has it no more.
    pub(crate) async fn wait_push_rule(&self, user: &str, kind: &str, rule: &str, there: bool) {
        let key = (user.to_owned(), kind.to_owned(), rule.to_owned());
        let look = |core: &Core| (core.push_rules.contains_key(&key) == there).then_some(());
        self.wait(None, || format!("the push rule {key:?}: {there}"), look).await;
    }

    /// Waits until this user is in a room, and says which.
    pub(crate) async fn wait_room_of(&self, user: &str) -> String {
        let look = |core: &Core| {
            let joined = core.rooms.values().find(|room| room.membership(user) == "join");
            joined.map(|room| room.id.clone())
        };
        self.wait(None, || format!("a room of {user}"), look).await
    }

    /// Whether someone registered this user.
    pub(crate) fn is_registered(&self, user: &str) -> bool {
        self.shared.read().users.contains_key(user)
    }

    /// The receipts of a room: (user, kind, event id).
    pub(crate) fn receipts(&self, room: &str) -> Vec<(String, String, String)> {
        let core = self.shared.read();
        let users = core.rooms.get(room).into_iter().flat_map(|room| &room.receipts);
        let each = |(user, kinds): (&String, &std::collections::BTreeMap<String, String>)| {
            kinds.iter().map(|(kind, event)| (user.clone(), kind.clone(), event.clone())).collect::<Vec<_>>()
        };
        users.flat_map(each).collect()
    }

    /// How many requests of this method (empty: any) had `path` in their path or query.
    pub(crate) fn requests(&self, method: &str, path: &str) -> usize {
        let core = self.shared.read();
        let matches = |(m, p): &&(String, String)| (method.is_empty() || m == method) && p.contains(path);
        core.requests.iter().filter(matches).count()
    }

    /// How many transactions the application service has taken.
    pub(crate) fn transactions_done(&self) -> u64 {
        self.shared.read().transactions_done
    }

    /// How many events the application service has yet to take.
    pub(crate) fn backlog(&self) -> usize {
        let core = self.shared.read();
        core.queue.len() + core.in_flight.as_ref().map_or(0, |transaction| transaction.events.len())
    }

    /// Waits until the application service has taken everything.
    pub(crate) async fn wait_delivered(&self) {
        let wanted = || "the application service to take every event".to_owned();
        self.wait(None, wanted, |core| core.is_delivered().then_some(())).await;
    }

    /// Waits for an event in a room, past or to come.
    pub(crate) async fn wait_event(&self, room: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut seen = 0;
        let look = |core: &Core| {
            let events = core.rooms.get(room).map_or(&[][..], |room| &room.events);
            let found = events[seen.min(events.len())..].iter().find(|event| wanted(event));
            seen = events.len();
            found.map(|event| Event::clone(event))
        };
        self.wait(Some(room), || format!("an event in {room}"), look).await
    }

    /// Waits for a message with this body, or with this line beside others of its sender, past or to come.
    pub(crate) async fn wait_message(&self, room: &str, body: &str) -> Event {
        self.wait_message_after(room, 0, body).await
    }

    /// As [`Self::wait_message`], behind so many events of the room.
    pub(crate) async fn wait_message_after(&self, room: &str, after: usize, body: &str) -> Event {
        let mut seen = after;
        let look = |core: &Core| {
            let events = core.rooms.get(room).map_or(&[][..], |room| &room.events);
            let found = events[seen.min(events.len())..]
                .iter()
                .find(|event| event.kind == "m.room.message" && event.says(body));
            seen = events.len();
            found.map(|event| Event::clone(event))
        };
        self.wait(Some(room), || format!("the message {body:?} in {room}"), look).await
    }

    /// Waits until a user is invited somewhere; returns the room.
    pub(crate) async fn wait_invite(&self, user: &str) -> String {
        let look = |core: &Core| {
            core.rooms.values().find(|room| room.membership(user) == "invite").map(|room| room.id.clone())
        };
        self.wait(None, || format!("an invite for {user}"), look).await
    }

    /// Waits until a user has a membership in a room.
    pub(crate) async fn wait_member(&self, room: &str, user: &str, membership: &str) {
        let wanted = || format!("{user} to be {membership:?} in {room}");
        let look = |core: &Core| (core.rooms.get(room)?.membership(user) == membership).then_some(());
        self.wait(Some(room), wanted, look).await;
    }

    /// Waits until a state of a room is such.
    pub(crate) async fn wait_state(
        &self,
        room: &str,
        kind: &str,
        key: &str,
        is_such: impl Fn(&Value) -> bool,
    ) -> Value {
        let wanted = || format!("another {kind} in {room}: {}", self.state(room, kind, key));
        let look = |core: &Core| {
            let event = core.rooms.get(room)?.state(kind, key)?;
            is_such(&event.content).then(|| event.content.clone())
        };
        self.wait(Some(room), wanted, look).await
    }

    /// Waits until a room has this name; returns it.
    pub(crate) async fn wait_room_named(&self, name: &str) -> String {
        let look = |core: &Core| {
            let named = |event: &Arc<Event>| event.content["name"] == name;
            core.rooms
                .values()
                .find(|room| room.state("m.room.name", "").is_some_and(named))
                .map(|room| room.id.clone())
        };
        self.wait(None, || format!("a room named {name:?}"), look).await
    }

    /// Waits until `count` requests of this method have had `path` in their path.
    pub(crate) async fn wait_requests(&self, method: &str, path: &str, count: usize) {
        let look = |core: &Core| {
            let matches = |(m, p): &&(String, String)| (method.is_empty() || m == method) && p.contains(path);
            (core.requests.iter().filter(matches).count() >= count).then_some(())
        };
        self.wait(None, || format!("{count} requests {method} {path}"), look).await;
    }

    /// Waits until a user's receipt of any kind stands on an event.
    pub(crate) async fn wait_receipt(&self, room: &str, user: &str, event: &str) {
        let wanted = || format!("a receipt of {user} on {event}");
        let look = |core: &Core| {
            core.rooms.get(room)?.receipts.get(user)?.values().any(|at| at == event).then_some(())
        };
        self.wait(Some(room), wanted, look).await;
    }

    /// Whether somebody types in a room now.
    pub(crate) fn has_typed(&self, room: &str, user: &str) -> bool {
        self.shared.read().typing.get(room).is_some_and(|people| people.contains(user))
    }

    /// Waits until somebody types in a room, or no longer does.
    pub(crate) async fn wait_typing(&self, room: &str, user: &str, types: bool) {
        let wanted = || format!("{user} to type: {types}");
        let look = |core: &Core| {
            let found = core.typing.get(room).is_some_and(|people| people.contains(user));
            (found == types).then_some(())
        };
        self.wait(Some(room), wanted, look).await;
    }

    /// Waits until a user is invited to a space, or to a room that is none; returns it. Where both may come, the one that
    /// is wanted need not be first.
    pub(crate) async fn wait_invite_to(&self, user: &str, is_space: bool) -> String {
        let is_it = |room: &room::Room| {
            let creation = room.state("m.room.create", "");
            room.membership(user) == "invite"
                && creation.is_some_and(|event| event.content["type"] == "m.space") == is_space
        };
        let look = |core: &Core| core.rooms.values().find(|room| is_it(room)).map(|room| room.id.clone());
        self.wait(None, || format!("an invite for {user} (to a space: {is_space})"), look).await
    }

    /// Waits until `look` finds something. It is called after every change.
    async fn wait<T>(
        &self,
        room: Option<&str>,
        wanted: impl Fn() -> String,
        mut look: impl FnMut(&Core) -> Option<T>,
    ) -> T {
        let mut changed = self.shared.changed.subscribe();
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                changed.borrow_and_update();
                let found = look(&self.shared.read());
                match found {
                    Some(found) => return found,
                    None => changed.changed().await.expect("the homeserver lives"),
                }
            }
        });
        let late = |_| panic!("waited {LIMIT:?} for {}\n{}", wanted(), self.describe(room));
        found.await.unwrap_or_else(late)
    }

    /// The last events of a room, or of all rooms, for a failure that can be read.
    fn describe(&self, room: Option<&str>) -> String {
        let rooms = room.map_or_else(|| self.rooms(), |room| vec![room.to_owned()]);
        let mut text = String::new();
        for room in rooms {
            let events = self.events(&room);
            let name = self.state(&room, "m.room.name", "")["name"].clone();
            writeln!(text, "room {room} {name}: {} events, the last:", events.len()).unwrap();
            for event in events.iter().rev().take(12).rev() {
                let key = event.state_key.as_deref().map(|key| format!("[{key}]")).unwrap_or_default();
                let content: String = event.content.to_string().chars().take(160).collect();
                writeln!(text, "  {} {}{key} {content}", event.sender, event.kind).unwrap();
            }
        }
        text
    }
}

/// The homeserver's own client, for the application service.
#[expect(clippy::disallowed_methods, reason = "not the bridge's client: the homeserver's, in a test")]
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}
