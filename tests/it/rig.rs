//! The rig tests itself: a test that leans on a wrong server proves nothing.

mod history;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::support::database::TestDatabase;
use crate::support::homeserver::{Fault, Homeserver, NewRoom, Options, TestUser};
use crate::support::ircd::{self, Ircd};
use crate::support::ports::free_port;

mod proxy;

#[test]
fn a_port_is_given_once_and_the_kernel_gives_it_to_nobody() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let kernels: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let takers: Vec<_> = (0..4).map(|_| std::thread::spawn(|| [(); 150].map(|()| free_port()))).collect();
    let ports: Vec<u16> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
    let different: std::collections::BTreeSet<_> = ports.iter().collect();
    assert_eq!(different.len(), ports.len());
    assert!(ports.iter().all(|port| *port < kernels), "{ports:?}, and the kernel gives from {kernels}");
}

/// What a bridge's HTTP client does, as bare as possible.
struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    #[expect(clippy::disallowed_methods, reason = "not the bridge's client: the rig's own, in its own test")]
    fn new(homeserver: &Homeserver) -> Self {
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        Self { client, url: homeserver.url(), token: homeserver.as_token() }
    }

    async fn try_call(&self, method: &str, path: &str, body: Value) -> reqwest::Result<(u16, Value)> {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let answer = request.body(body.to_string()).send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.try_call(method, path, body).await.unwrap()
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    async fn register(&self, localpart: &str) -> String {
        let body =
            json!({ "type": "m.login.application_service", "username": localpart, "inhibit_login": true });
        let answer = self.ok("POST", "/_matrix/client/v3/register", body).await;
        answer["user_id"].as_str().unwrap().to_owned()
    }

    async fn create_room(&self, request: Value) -> String {
        let answer = self.ok("POST", "/_matrix/client/v3/createRoom", request).await;
        answer["room_id"].as_str().unwrap().to_owned()
    }

    async fn send(&self, room: &str, transaction: &str, body: &str) -> (u16, Value) {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}");
        self.call("PUT", &path, json!({ "msgtype": "m.text", "body": body })).await
    }
}

async fn bridge_and_alice(options: Options) -> (Homeserver, Api, TestUser) {
    let homeserver = Homeserver::start(options).await;
    let api = Api::new(&homeserver);
    api.register("towline").await;
    let alice = homeserver.user("alice");
    (homeserver, api, alice)
}

/// An application service that keeps what it gets, and refuses while it has no permits.
#[derive(Clone)]
struct Service {
    taken: Arc<Mutex<Vec<(String, Value)>>>,
    open: Arc<Semaphore>,
}

async fn take(
    State(service): State<Service>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    service.taken.lock().unwrap().push((id, body));
    match service.open.try_acquire() {
        Ok(_) => (StatusCode::OK, Json(json!({}))),
        Err(_) => (StatusCode::BAD_GATEWAY, Json(json!({}))),
    }
}

async fn service() -> (Service, String) {
    let service = Service { taken: Arc::default(), open: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) };
    let router =
        Router::new().route("/_matrix/app/v1/transactions/{id}", put(take)).with_state(service.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (service, url)
}

#[tokio::test]
async fn a_direct_chat_reaches_the_service_and_its_answer_reaches_the_person() {
    let (service, url) = service().await;
    let (homeserver, api, alice) = bridge_and_alice(Options::default()).await;
    homeserver.set_appservice_url(&url);
    let room = alice.start_dm(&homeserver.bot());
    homeserver.wait_delivered().await;

    let (id, first) = service.taken.lock().unwrap()[0].clone();
    assert_eq!(id, "1", "Synapse counts from 1");
    let invite = &first["events"][0];
    assert_eq!(
        (&invite["type"], &invite["state_key"]),
        (&json!("m.room.member"), &json!("@towline:test.local"))
    );
    assert_eq!(first["events"].as_array().unwrap().len(), 1, "nothing of the room before the bot is in it");
    let shown: Vec<_> =
        invite["unsigned"]["invite_room_state"].as_array().unwrap().iter().map(|e| &e["type"]).collect();
    assert!(
        shown.contains(&&json!("m.room.create")) && shown.contains(&&json!("m.room.member")),
        "{shown:?}"
    );

    api.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({})).await;
    homeserver.wait_member(&room, "@towline:test.local", "join").await;
    alice.send_text(&room, "help");
    api.send(&room, "t1", "welcome").await;
    homeserver.wait_message(&room, "welcome").await;
    assert_eq!(homeserver.timeline_bodies(&room), ["help", "welcome"]);
    homeserver.wait_delivered().await;
    let bodies: Vec<Value> = service
        .taken
        .lock()
        .unwrap()
        .iter()
        .flat_map(|(_, body)| body["events"].as_array().unwrap().clone())
        .collect();
    let help = bodies.iter().find(|event| event["content"]["body"] == "help").unwrap();
    assert!(help.get("state_key").is_none(), "a message has no state key");
    assert_eq!(help["room_id"], json!(room));
}

#[tokio::test]
async fn a_refused_transaction_comes_again_with_its_id_until_it_is_taken() {
    let (service, url) = service().await;
    service.open.close();
    let (homeserver, _, alice) = bridge_and_alice(Options::default()).await;
    homeserver.set_appservice_url(&url);
    alice.start_dm(&homeserver.bot());
    while service.taken.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    alice.start_dm(&homeserver.bot());
    let ids: Vec<_> = service.taken.lock().unwrap().iter().map(|(id, _)| id.clone()).collect();
    assert!(ids.iter().all(|id| id == "1"), "one in flight, the same id: {ids:?}");
    assert_eq!(homeserver.backlog(), 2);
}

#[tokio::test]
async fn a_transaction_id_counts_once_whatever_the_room_and_user() {
    let (homeserver, api, _) = bridge_and_alice(Options::default()).await;
    let (one, two) = (api.create_room(json!({})).await, api.create_room(json!({})).await);
    let (_, first) = api.send(&one, "same", "hello").await;
    assert_eq!(api.send(&one, "same", "hello").await.1, first);
    assert_eq!(api.send(&two, "same", "hello").await.1, first, "the Conduit family ignores the room");
    assert_eq!((homeserver.timeline(&one).len(), homeserver.timeline(&two).len()), (1, 0));
    homeserver.forget_transactions();
    assert_ne!(api.send(&one, "same", "hello").await.1, first, "a restart forgets them");
}

#[tokio::test]
async fn an_assertion_needs_the_namespace_and_a_registration() {
    let (_homeserver, api, _) = bridge_and_alice(Options::default()).await;
    let whoami = async |user: &str| {
        api.call("GET", &format!("/_matrix/client/v3/account/whoami?user_id={user}"), json!({})).await
    };
    assert_eq!(whoami("@alice:test.local").await.0, 403);
    assert_eq!(whoami("@irc_libera_bob:test.local").await.0, 403);
    api.register("irc_libera_bob").await;
    assert_eq!(whoami("%40irc_libera_bob%3Atest.local").await.1["user_id"], "@irc_libera_bob:test.local");
    let again = json!({ "type": "m.login.application_service", "username": "irc_libera_bob" });
    assert_eq!(api.call("POST", "/_matrix/client/v3/register", again).await.1["errcode"], "M_USER_IN_USE");
    let outside = json!({ "type": "m.login.application_service", "username": "mallory" });
    assert_eq!(api.call("POST", "/_matrix/client/v3/register", outside).await.1["errcode"], "M_EXCLUSIVE");
}

#[tokio::test]
async fn a_restricted_room_lets_in_the_members_of_its_lobby_and_nobody_else() {
    let (homeserver, api, alice) = bridge_and_alice(Options::default()).await;
    let lobby = api.create_room(json!({ "creation_content": { "m.federate": false } })).await;
    assert_eq!(homeserver.state(&lobby, "m.room.create", "")["m.federate"], false);
    let rule =
        json!({ "join_rule": "restricted", "allow": [{ "type": "m.room_membership", "room_id": lobby }] });
    let state = json!([{ "type": "m.room.join_rules", "state_key": "", "content": rule }]);
    let levels = json!({ "invite": 100 });
    let room =
        api.create_room(json!({ "initial_state": state, "power_level_content_override": levels })).await;
    let refused = alice.try_join(&room).await.unwrap_err();
    assert_eq!((refused.status, refused.errcode.as_str()), (403, "M_FORBIDDEN"));

    let ghost = api.register("irc_libera_bob").await;
    let as_ghost = |path: String| format!("{path}?user_id={ghost}");
    let join = |room: &str| as_ghost(format!("/_matrix/client/v3/join/{room}"));
    assert_eq!(api.call("POST", &join(&room), json!({})).await.0, 403);
    api.ok("POST", &format!("/_matrix/client/v3/rooms/{lobby}/invite"), json!({ "user_id": ghost })).await;
    api.ok("POST", &join(&lobby), json!({})).await;
    api.ok("POST", &join(&room), json!({})).await;
    let invite = as_ghost(format!("/_matrix/client/v3/rooms/{room}/invite"));
    assert_eq!(api.call("POST", &invite, json!({ "user_id": alice.id() })).await.0, 403);
    assert_eq!(homeserver.members(&room, "join").len(), 2);
}

#[tokio::test]
async fn creators_rule_version_12_and_are_not_listed() {
    let (homeserver, api, alice) = bridge_and_alice(Options::default()).await;
    let listed = json!({ "power_level_content_override": { "users": { "@towline:test.local": 100 } } });
    assert_eq!(api.call("POST", "/_matrix/client/v3/createRoom", listed.clone()).await.0, 400);
    assert!(homeserver.rooms().is_empty(), "a refused room leaves nothing behind");
    let room = alice.start_dm(&homeserver.bot());
    assert!(!room.contains(':'));
    api.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({})).await;
    assert!(alice.kick(&room, "@towline:test.local", "").is_err(), "both are creators");

    let mut old = listed;
    old["room_version"] = json!("11");
    let room = api.create_room(old).await;
    assert!(room.ends_with(":test.local"));
    let without = json!({ "room_version": "11", "power_level_content_override": { "users": {} } });
    assert_eq!(api.call("POST", "/_matrix/client/v3/createRoom", without).await.0, 400);
}

#[tokio::test]
async fn power_decides_who_changes_state_and_kicks_and_redacts() {
    let (homeserver, api, alice) = bridge_and_alice(Options::default()).await;
    let room = api.create_room(json!({ "preset": "public_chat", "name": "#rust" })).await;
    assert_eq!(homeserver.room_named("#rust"), room);
    assert_eq!(alice.try_send(&room, "m.room.message", json!({ "body": "hi" })).unwrap_err().status, 403);
    alice.join(&room).await;
    assert_eq!(
        alice.send_state(&room, "m.room.name", "", json!({ "name": "mine" })).unwrap_err().status,
        403
    );
    assert!(alice.kick(&room, "@towline:test.local", "").is_err());
    let (_, said) = api.send(&room, "t", "secret").await;
    assert!(alice.redact(&room, said["event_id"].as_str().unwrap()).is_err());
    let own = alice.send_text(&room, "oops");
    alice.redact(&room, &own).unwrap();
    assert_eq!(homeserver.timeline_bodies(&room), ["secret"]);
    api.ok(
        "POST",
        &format!("/_matrix/client/v3/rooms/{room}/kick"),
        json!({ "user_id": alice.id(), "reason": "bye" }),
    )
    .await;
    homeserver.wait_member(&room, alice.id(), "leave").await;
}

#[tokio::test]
async fn faults_hit_the_requests_they_name() {
    let (homeserver, api, _) = bridge_and_alice(Options::default()).await;
    let room = api.create_room(json!({})).await;
    let faults = homeserver.faults();
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/");
    let send = async |transaction: &str| {
        api.try_call("PUT", &format!("{path}{transaction}"), json!({ "body": transaction })).await
    };

    faults.fail("PUT", "/send/", Fault::RateLimited { retry_after_ms: 1500 }, 1);
    faults.fail("PUT", "/send/", Fault::Status(502, json!({})), 1);
    faults.fail("PUT", "/send/", Fault::Drop, 1);
    faults.fail("PUT", "/send/", Fault::AnswerLost, 1);
    let (status, body) = send("a").await.unwrap();
    assert_eq!((status, &body["retry_after_ms"]), (429, &json!(1500)));
    assert_eq!(send("b").await.unwrap().0, 502);
    assert!(send("c").await.is_err());
    assert!(homeserver.timeline(&room).is_empty());
    assert!(send("d").await.is_err());
    assert_eq!(homeserver.events(&room).last().unwrap().body(), "d", "done, though the answer was lost");
    assert_eq!((faults.remaining(), homeserver.requests("PUT", "/send/")), (0, 4));

    faults.fail("GET", "whoami", Fault::Hang, 1);
    let hanging = api.call("GET", "/_matrix/client/v3/account/whoami", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(50), hanging).await.is_err());

    homeserver.stop();
    assert!(send("e").await.is_err());
    homeserver.start_again().await;
    assert_eq!(send("e").await.unwrap().0, 200);
}

#[tokio::test]
async fn aliases_profiles_receipts_media_and_history_are_kept() {
    let (homeserver, api, alice) = bridge_and_alice(Options::default()).await;
    let room =
        api.create_room(json!({ "preset": "public_chat", "room_alias_name": "irc_libera_rust" })).await;
    assert_eq!(alice.join("#irc_libera_rust:test.local").await, room);
    let other = json!({ "room_id": room });
    let refused = api.call("PUT", "/_matrix/client/v3/directory/room/%23mine%3Atest.local", other).await;
    assert_eq!(refused.1["errcode"], "M_EXCLUSIVE");
    let name = "/_matrix/client/v3/profile/@towline:test.local/displayname";
    api.ok("PUT", name, json!({ "displayname": "Towline" })).await;
    assert_eq!(homeserver.state(&room, "m.room.member", "@towline:test.local")["displayname"], "Towline");
    let said = alice.send_text(&room, "one");
    alice.send_text(&room, "two");
    api.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/receipt/m.read/{said}"), json!({})).await;
    homeserver.wait_receipt(&room, "@towline:test.local", &said).await;
    let filter = "%7B%22types%22%3A%5B%22m.room.message%22%5D%7D";
    let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=1&filter={filter}");
    let page = api.ok("GET", &path, json!({})).await;
    assert_eq!(page["chunk"][0]["content"]["body"], "two");
    let page = api.ok("GET", &format!("{path}&from={}", page["end"].as_str().unwrap()), json!({})).await;
    assert_eq!(page["chunk"][0]["event_id"], json!(said));
    let (_, media) = api.call("POST", "/_matrix/media/v3/upload?filename=a", json!({ "a": 1 })).await;
    let id = media["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    assert_eq!(
        api.ok("GET", &format!("/_matrix/client/v1/media/download/{id}"), json!({})).await,
        json!({ "a": 1 })
    );
}

/// A client on a bare socket.
struct RawClient {
    stream: BufReader<TcpStream>,
}

impl RawClient {
    async fn connect(address: std::net::SocketAddr, hello: &str) -> Self {
        let mut client = Self { stream: BufReader::new(TcpStream::connect(address).await.unwrap()) };
        client.say(hello).await;
        client
    }

    async fn say(&mut self, lines: &str) {
        self.stream.write_all(lines.replace('\n', "\r\n").as_bytes()).await.unwrap();
        self.stream.write_all(b"\r\n").await.unwrap();
    }

    /// Reads until a line holds the text; returns that line.
    async fn hear(&mut self, text: &str) -> String {
        self.hear_all_until(text).await.lines().last().unwrap_or_default().to_owned()
    }

    /// Reads until a line holds the text; returns all lines up to it.
    async fn hear_all_until(&mut self, text: &str) -> String {
        let found = tokio::time::timeout(Duration::from_secs(10), async {
            let mut all = String::new();
            loop {
                let begin = all.len();
                let count = self.stream.read_line(&mut all).await.unwrap();
                assert!(count > 0, "the connection ended before {text:?}");
                if all[begin..].contains(text) {
                    return all.trim_end().to_owned();
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("waited for {text:?}"))
    }
}

#[tokio::test]
async fn clients_and_a_person_talk_on_the_fake_ircd() {
    let options = ircd::Options { accounts: vec![("ann".into(), "pass".into())], ..ircd::Options::default() };
    let ircd = Ircd::start(options).await;
    let bob = ircd.person("bob");
    bob.join("#rust");
    bob.topic("#rust", "about rust");
    let mut ann = RawClient::connect(ircd.address(), "CAP LS 302\nNICK ann\nUSER ann 0 * :Ann").await;
    ann.hear("sasl=PLAIN").await;
    ann.say("CAP REQ :sasl server-time message-tags\nAUTHENTICATE PLAIN").await;
    ann.hear("AUTHENTICATE +").await;
    ann.say("AUTHENTICATE AGFubgBwYXNz").await;
    ann.hear(" 903 ann ").await;
    ann.say("CAP END").await;
    ann.hear(" 001 ann ").await;
    ann.hear("CASEMAPPING=rfc1459").await;
    ann.say("JOIN #RUST").await;
    ann.hear("332 ann #rust :about rust").await;
    ann.hear("353 ann = #rust :@bob ann").await;
    let mut cid = RawClient::connect(ircd.address(), "NICK cid\nUSER cid 0 * :Cid\nJOIN #rust,#other").await;
    cid.hear("366 cid #other").await;
    ann.say("PRIVMSG #rust :hello").await;
    assert_eq!(cid.hear("hello").await, ":ann!~ann@127.0.0.1 PRIVMSG #rust :hello");
    assert_eq!(bob.wait_text("hello").await.nick(), "ann");
    bob.action("#rust", "waves");
    let tagged = ann.hear("ACTION waves").await;
    assert!(tagged.starts_with("@time=") && tagged.contains(";msgid="), "{tagged}");
    assert!(cid.hear("ACTION waves").await.starts_with(":bob!"), "no tags without the capability");

    ircd.moderate("#rust");
    ann.say("PRIVMSG #rust :unheard").await;
    ann.hear(" 404 ann #rust ").await;
    bob.mode("#rust", "+v ann");
    ann.hear("MODE #rust +v ann").await;
    ircd.ban_joins("#secret", 474);
    ann.say("JOIN #secret\nNICK bob\nPRIVMSG nobody :x\nBLAH").await;
    for numeric in [" 474 ", " 433 ", " 401 ", " 421 "] {
        ann.hear(numeric).await;
    }
    bob.kick("#rust", "cid", "out");
    cid.hear("KICK #rust cid :out").await;
    assert_eq!(ircd.names("#rust"), ["ann", "bob"]);
    assert_eq!(ircd.lines_from("cid").last().unwrap(), "JOIN #rust,#other");
    cid.say("QUIT :bye").await;
    cid.hear("ERROR :").await;
    ircd.wait_gone("cid").await;
}

#[tokio::test]
async fn the_fake_ircd_fails_on_demand() {
    let ircd = Ircd::start(ircd::Options::default()).await;
    let hello = |nick: &str| format!("NICK {nick}\nUSER u 0 * :r");
    let mut ann = RawClient::connect(ircd.address(), &hello("ann")).await;
    ann.hear(" 376 ").await;
    ircd.garbage("ann", b"\xff\xfe rubbish");
    let mut bytes = vec![0; 12];
    ann.stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"\xff\xfe rubbish\r\n"[..12]);
    ircd.cut("ann");
    assert!(ann.stream.read_to_end(&mut Vec::new()).await.is_err(), "reset, not closed");
    assert!(ircd.nicks().is_empty());

    let mut bob = RawClient::connect(ircd.address(), &hello("bob")).await;
    bob.hear(" 376 ").await;
    ircd.error("bob", "Closing Link: (K-lined)");
    bob.hear("ERROR :Closing Link").await;
    assert_eq!(bob.stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);

    ircd.refuse();
    while TcpStream::connect(ircd.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    ircd.hang();
    ircd.welcome().await;
    let mut cid = RawClient::connect(ircd.address(), &hello("cid")).await;
    cid.hear(" 376 ").await;
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, two) = (TestDatabase::new().await, TestDatabase::new().await);
    assert_ne!(one.url(), two.url());
    if one.url().starts_with("postgres") {
        let mut connection = PgConnection::connect(&one.url()).await.unwrap();
        let (name,): (String,) =
            sqlx::query_as("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
        assert!(one.url().ends_with(&name), "{name}");
    }
}

#[tokio::test]
async fn a_room_made_as_asked() {
    let (homeserver, _, alice) =
        bridge_and_alice(Options { room_version: "11".into(), ..Options::default() }).await;
    let encrypted = alice.start_encrypted_dm(&homeserver.bot());
    assert_eq!(homeserver.state(&encrypted, "m.room.encryption", "")["algorithm"], "m.megolm.v1.aes-sha2");
    assert_eq!(homeserver.state(&encrypted, "m.room.power_levels", "")["users"]["@towline:test.local"], 100);
    let bob = homeserver.user("bob");
    let room = alice.create_room(&NewRoom { invite: &[bob.id()], name: Some("two"), ..NewRoom::default() });
    assert_eq!(homeserver.wait_invite(bob.id()).await, room);
    assert_eq!(bob.accept_invites(), [room]);
}

/// The benchmark rests on these two; `cargo test --release --test it how_fast -- --ignored --nocapture` prints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints a measurement"]
async fn how_fast_the_servers_are() {
    const SENDS: u32 = 20_000;
    const CLIENTS: u32 = 8;
    let (homeserver, api, _) =
        bridge_and_alice(Options { record_requests: false, ..Options::default() }).await;
    let room = api.create_room(json!({})).await;
    let (address, token) = (homeserver.url().trim_start_matches("http://").to_owned(), homeserver.as_token());
    let started = tokio::time::sleep(Duration::ZERO).deadline();
    let clients = (0..CLIENTS).map(|client| {
        let (room, address, token) = (room.clone(), address.clone(), token.clone());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let body = r#"{"msgtype":"m.text","body":"hello there"}"#;
            for number in 0..SENDS / CLIENTS {
                let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{client}-{number}");
                let length = body.len();
                let request = format!(
                    "PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"\"}") {
                    stream.read_buf(&mut answer).await.unwrap();
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let ended = tokio::time::sleep(Duration::ZERO).deadline();
    assert_eq!(homeserver.timeline(&room).len(), SENDS as usize);
    println!("homeserver: {:.0} sends/s", f64::from(SENDS) / (ended - started).as_secs_f64());

    let ircd = Ircd::start(ircd::Options { record_lines: false, ..ircd::Options::default() }).await;
    let mut reader = RawClient::connect(ircd.address(), "NICK reader\nUSER u 0 * :r\nJOIN #c").await;
    let mut writer = RawClient::connect(ircd.address(), "NICK writer\nUSER u 0 * :r\nJOIN #c").await;
    reader.hear("JOIN #c").await;
    writer.hear(" 366 ").await;
    let started = tokio::time::sleep(Duration::ZERO).deadline();
    let lines = "PRIVMSG #c :hello there\n".repeat(SENDS as usize);
    tokio::join!(async { writer.say(&format!("{lines}PRIVMSG #c :last")).await }, reader.hear(":last"));
    let ended = tokio::time::sleep(Duration::ZERO).deadline();
    println!("ircd: {:.0} lines/s", f64::from(SENDS) / (ended - started).as_secs_f64());
}
