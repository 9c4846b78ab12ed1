//! `towline check`, against a homeserver that refuses in every way.

mod networks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use towline::matrix::registration::Registration;
use towline::store::{SecretKey, Store, StoreOptions};

use super::Set;
use crate::support::ports::free_port;

/// A homeserver that grants everything except what it is told to refuse.
struct Homeserver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    // Serves until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

type Refusals = BTreeMap<&'static str, (u16, Value)>;

/// What a homeserver has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quirk {
    /// It lets ten messages pass.
    Limits,
    /// It tells nobody who types.
    Silent,
    /// It gives messages times of its own.
    OwnTimes,
    /// Its clock stands in 1994.
    Clock,
    /// It has kept something for Towline, which comes before anything else.
    Backlog,
    /// It comes with nothing, as it does for a while after Towline was not to be found.
    Away,
}

struct Behaviour {
    refusals: Refusals,
    quirk: Option<Quirk>,
    sent: AtomicUsize,
    registration: Registration,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Homeserver {
    fn start(refusals: Refusals, registration: Registration) -> Self {
        Self::start_with(None, refusals, registration)
    }

    fn start_with(quirk: Option<Quirk>, refusals: Refusals, registration: Registration) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let behaviour = Behaviour {
            refusals,
            quirk,
            sent: AtomicUsize::new(0),
            registration,
            requests: Arc::clone(&requests),
        };
        let router = Router::new().fallback(answer).with_state(Arc::new(behaviour));
        runtime.spawn(async move { axum::serve(socket, router).await });
        Self { address, requests, _runtime: runtime }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(State(behaviour): State<Arc<Behaviour>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches("/_matrix/client/").to_owned();
    let time = request.uri().query().and_then(|query| query.strip_prefix("ts=")).unwrap_or("7").to_owned();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let line = format!("{} {path}", parts.method);
    behaviour.requests.lock().unwrap().push(line.clone());
    let reply = |status: u16, body: &Value| {
        let mut reply = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
        if behaviour.quirk == Some(Quirk::Clock) {
            reply.headers_mut().insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        }
        reply
    };
    if let Some((_, (status, body))) = behaviour.refusals.iter().find(|(start, _)| line.starts_with(*start)) {
        return reply(*status, body);
    }
    let token = format!("Bearer {}", behaviour.registration.as_token.expose_secret());
    // As Synapse: a token that it does not know is refused even where none is needed.
    let needless =
        (path == "versions" || path.contains("federation")) && parts.headers.get("authorization").is_none();
    if !needless && parts.headers.get("authorization").is_none_or(|given| given != token.as_str()) {
        return reply(401, &json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "Unrecognised access token" }));
    }
    match line.as_str() {
        "GET versions" => reply(200, &json!({ "versions": ["v1.1", "v1.15"] })),
        "GET v3/capabilities" => {
            let known = json!({ "default": "11", "available": { "10": "stable", "11": "stable" } });
            reply(200, &json!({ "capabilities": { "m.room_versions": known } }))
        }
        "GET v3/account/whoami" => reply(200, &json!({ "user_id": "@towline:example.org" })),
        "POST v1/appservice/towline/ping" => ping(&behaviour.registration, &body).await,
        "GET /_matrix/federation/v1/version" => {
            reply(200, &json!({ "server": { "name": "Fake", "version": "1.2\u{7}" } }))
        }
        "POST v3/createRoom" => {
            let event = |room: &str, sender: &str, content: Value| json!({ "type": "m.x", "room_id": room, "sender": sender, "content": content });
            let own = |content| event("!room:example.org", "@towline:example.org", content);
            let registration = &behaviour.registration;
            if behaviour.quirk == Some(Quirk::Backlog) {
                let theirs = event("!room:example.org", "@alice:example.org", json!({}));
                for events in
                    [json!([own(json!({})), theirs]), json!([own(json!({ "chat.towline.key": "k" }))])]
                {
                    assert_eq!(push(registration, json!({ "events": events })).await, 503);
                }
            } else if behaviour.quirk != Some(Quirk::Away) {
                push(registration, json!({ "events": [own(json!({}))] })).await;
            }
            reply(200, &json!({ "room_id": "!room:example.org" }))
        }
        "POST v3/register" => {
            assert_eq!(body["type"], "m.login.application_service");
            assert_eq!(body["inhibit_login"], true);
            reply(200, &json!({ "user_id": body["username"] }))
        }
        _ if path.contains("/send/chat.towline.probe/") => {
            let count = behaviour.sent.fetch_add(1, Ordering::SeqCst);
            if behaviour.quirk == Some(Quirk::Limits) && count >= 10 {
                return reply(429, &json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests" }));
            }
            reply(200, &json!({ "event_id": format!("${time}") }))
        }
        _ if path.contains("/event/") => {
            let time: i64 = path.rsplit_once("%24").or(path.rsplit_once('$')).unwrap().1.parse().unwrap();
            let is_kept = behaviour.quirk != Some(Quirk::OwnTimes);
            reply(200, &json!({ "origin_server_ts": if is_kept { time } else { 8 } }))
        }
        _ if path.contains("/typing/") => {
            let users = json!({ "user_ids": ["@towline:example.org"] });
            let typing = json!({ "type": "m.typing", "room_id": "!room:example.org", "content": users });
            if behaviour.quirk != Some(Quirk::Silent) {
                let body = json!({ "events": [], "de.sorunome.msc2409.ephemeral": [typing] });
                push(&behaviour.registration, body).await;
            }
            reply(200, &json!({}))
        }
        _ => reply(200, &json!({})),
    }
}

/// Hands a transaction over, and gives the status of the answer.
async fn push(registration: &Registration, body: Value) -> u16 {
    let url = format!("{}/_matrix/app/v1/transactions/1", registration.url.as_deref().unwrap());
    let call = towline::matrix::http::client().unwrap().put(url).body(body.to_string());
    let sent = call.bearer_auth(registration.hs_token.expose_secret()).send().await;
    sent.map_or(0, |answer| answer.status().as_u16())
}

/// What a homeserver does when it is asked to ping.
async fn ping(registration: &Registration, body: &Value) -> Response {
    let url = format!("{}/_matrix/app/v1/ping", registration.url.as_deref().unwrap());
    let sent = towline::matrix::http::client()
        .unwrap()
        .post(url)
        .bearer_auth(registration.hs_token.expose_secret())
        .body(json!({ "transaction_id": body["transaction_id"] }).to_string())
        .send()
        .await;
    let (status, body) = match sent {
        Ok(answer) if answer.status().is_success() => (200, json!({ "duration_ms": 1 })),
        Ok(answer) => (502, json!({ "errcode": "M_BAD_STATUS", "status": answer.status().as_u16() })),
        Err(_) => (502, json!({ "errcode": "M_CONNECTION_FAILED", "error": "connection refused" })),
    };
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

/// A set whose homeserver knows its registration, apart from `change`.
fn with_homeserver(refusals: Refusals, change: impl FnOnce(&mut Registration)) -> (Set, Homeserver) {
    with_quirk(None, refusals, change)
}

fn with_quirk(
    quirk: Option<Quirk>,
    refusals: Refusals,
    change: impl FnOnce(&mut Registration),
) -> (Set, Homeserver) {
    let listen = format!("127.0.0.1:{}", free_port());
    let set = Set::new(&["--listen", &listen]);
    let mut registration = Registration::read(&set.read("registration.yaml")).unwrap();
    change(&mut registration);
    let homeserver = Homeserver::start_with(quirk, refusals, registration);
    set.edit("config.yaml", "http://127.0.0.1:1\"", &format!("http://{}/\"", homeserver.address));
    (set, homeserver)
}

#[test]
fn check_passes_where_all_is_well_and_takes_its_alias_away_again() {
    let (set, homeserver) = with_homeserver(Refusals::new(), |_| {});
    let (code, output, error) = set.run("check", &[]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    let names: Vec<&str> =
        output.lines().filter_map(|line| line.strip_prefix("ok       ")?.split(':').next()).collect();
    let expected = [
        "configuration",
        "key file",
        "registration file",
        "database speed",
        "homeserver",
        "clock",
        "as_token",
        "ping",
        "ghosts",
        "aliases",
        "message times",
        "rate limits",
        "ephemeral events",
    ];
    assert_eq!(names, expected, "{output}");
    assert!(output.contains("the homeserver reached this check"), "{output}");
    assert!(output.contains(" is Fake 1.2 , which speaks Matrix up to v1.15"), "{output}");
    assert!(output.contains("skipped  ident: there is no `ident.listen`"), "{output}");
    assert!(
        !set.path(".")
            .read_dir()
            .unwrap()
            .any(|file| { file.unwrap().file_name().to_string_lossy().contains("speed") })
    );
    assert!(output.contains("skipped  media links: there is no `media.base_url`"), "{output}");
    let requests = homeserver.requests();
    let alias = "v3/directory/room/%23irc_towline-probe:example.org";
    let after: Vec<&str> =
        requests.iter().skip_while(|line| !line.starts_with("PUT")).map(String::as_str).collect();
    assert_eq!(after[..2], [&format!("PUT {alias}"), &format!("DELETE {alias}")]);
    assert_eq!(after.iter().filter(|line| line.contains("/send/")).count(), 21);
    let left = ["POST v3/rooms/!room:example.org/leave", "POST v3/rooms/!room:example.org/forget"];
    assert!(after.ends_with(&left), "{after:?}");
}

#[rstest]
#[case::another_token("M_UNKNOWN_TOKEN", 13, &[("GET v3/account/whoami", 401, "M_UNKNOWN_TOKEN")], "restart the homeserver")]
#[case::another_bridges_ghosts("Heisenbridge", 14, &[("POST v3/register", 400, "M_EXCLUSIVE")], "templates.ghost")]
#[case::another_bridges_aliases("Heisenbridge", 14, &[("PUT v3/directory", 400, "M_EXCLUSIVE")], "templates.ghost")]
#[case::ping_of_another_id("under another id", 14, &[("POST v1/appservice", 403, "M_FORBIDDEN")], "appservice.id")]
#[case::ping_without_url("names no url", 14, &[("POST v1/appservice", 400, "M_URL_NOT_SET")], "again")]
#[case::ping_times_out("can't reach", 12, &[("POST v1/appservice", 504, "M_CONNECTION_TIMEOUT")], "appservice.url")]
#[case::no_homeserver("is no Matrix homeserver", 12, &[("GET versions", 404, "nginx")], "homeserver.url")]
fn check_explains_each_refusal_with_its_remedy(
    #[case] what: &str,
    #[case] code: i32,
    #[case] refusals: &[(&'static str, u16, &str)],
    #[case] remedy: &str,
) {
    let refusals = refusals
        .iter()
        .map(|(start, status, errcode)| (*start, (*status, json!({ "errcode": errcode, "error": "no" }))))
        .collect();
    let (set, _homeserver) = with_homeserver(refusals, |_| {});
    let (found, output, error) = set.run("check", &[]);
    assert_eq!(found, code, "{output}");
    let lines: Vec<&str> = output.lines().skip_while(|line| !line.starts_with("FAILED")).collect();
    assert!(output.contains(what), "{output}");
    assert!(lines.get(1).is_some_and(|line| line.contains("remedy: ")), "{output}");
    assert!(output.contains(remedy), "{output}");
    assert_eq!(error, "towline: one check failed\n");
}

#[rstest]
#[case::limits(Quirk::Limits, 14, "FAILED   rate limits: ", "rate_limited: false")]
#[case::no_ephemeral_events(Quirk::Silent, 14, "FAILED   ephemeral events: ", "receive_ephemeral: true")]
#[case::another_time(Quirk::Clock, 1, "FAILED   clock: ", "NTP")]
#[case::times_of_its_own(Quirk::OwnTimes, 0, "skipped  message times: ", "")]
#[case::a_backlog(
    Quirk::Backlog,
    0,
    "skipped  ephemeral events: what happened while Towline was away comes first",
    ""
)]
#[case::a_pause(
    Quirk::Away,
    0,
    "skipped  ephemeral events: what happened while Towline was away may be kept",
    ""
)]
fn check_finds_what_a_homeserver_does_otherwise(
    #[case] quirk: Quirk,
    #[case] code: i32,
    #[case] line: &str,
    #[case] remedy: &str,
) {
    let (set, _homeserver) = with_quirk(Some(quirk), Refusals::new(), |_| {});
    let (found, output, _) = set.run("check", &[]);
    assert_eq!(found, code, "{output}");
    assert!(output.contains(line) && output.contains(remedy), "{output}");
    assert_eq!(output.matches("FAILED").count(), usize::from(code != 0), "{output}");
}

/// A check that answered for Towline and took what was for Towline would have lost it.
#[test]
fn invariant_1_check_takes_nothing_that_is_for_towline() {
    // The homeserver asserts that it was refused.
    let (set, homeserver) = with_quirk(Some(Quirk::Backlog), Refusals::new(), |_| {});
    assert_eq!(set.run("check", &[]).0, 0);
    assert!(homeserver.requests().iter().any(|line| line == "POST v3/createRoom"));
    assert!(!homeserver.requests().iter().any(|line| line.contains("/typing/")));
}

#[test]
fn check_finds_a_port_for_ident_that_is_taken() {
    let (set, _homeserver) = with_homeserver(Refusals::new(), |_| {});
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    set.edit("config.yaml", "#listen: 0.0.0.0:113", &format!("listen: {address}"));
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 1, "{output}");
    assert!(output.contains(&format!("FAILED   ident: another program listens at {address}")), "{output}");
    drop(taken);
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 0 && output.contains("ok       ident: Towline may listen"), "{output}");
}

#[test]
fn check_finds_that_files_can_not_be_fetched_and_a_wrong_domain() {
    let old = ("GET v1/media/config", (404, json!({ "errcode": "M_UNRECOGNIZED" })));
    let (set, _homeserver) = with_homeserver([old].into_iter().collect(), |_| {});
    let port = free_port();
    let media = format!("base_url: \"http://127.0.0.1:{port}\"");
    set.edit("config.yaml", "#base_url: https://irc.example.org", &media);
    set.edit("config.yaml", "#listen: 127.0.0.1:9010", &format!("listen: 127.0.0.1:{port}"));
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 1 && output.contains("FAILED   authenticated media: "), "{output}");

    let bot = ("GET v3/account/whoami", (200, json!({ "user_id": "@towline:matrix.example.org" })));
    let (set, _homeserver) = with_homeserver([bot].into_iter().collect(), |_| {});
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 14 && output.contains("set `homeserver.domain` to matrix.example.org"), "{output}");
}

#[test]
fn check_finds_a_room_version_that_the_homeserver_does_not_make() {
    let (set, _homeserver) = with_homeserver(Refusals::new(), |_| {});
    set.edit(
        "config.yaml",
        "#networks:",
        "networks: { libera: { shared: { room_version: \"10\" } } }\n#networks:",
    );
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 0 && output.contains("ok       room versions: "), "{output}");
    set.edit("config.yaml", "room_version: \"10\"", "room_version: \"9\"");
    let (code, output, _) = set.run("check", &[]);
    assert!(code == 10 && output.contains("FAILED   room versions: "), "{output}");
    assert!(output.contains("set `networks.libera.shared.room_version` to one that it makes"), "{output}");
}

#[test]
fn check_passes_over_what_a_homeserver_does_not_have_or_has_already() {
    let answers = [
        ("POST v1/appservice", (404, json!({ "errcode": "M_UNRECOGNIZED" }))),
        ("POST v3/register", (400, json!({ "errcode": "M_USER_IN_USE" }))),
        ("PUT v3/directory", (409, json!({ "errcode": "M_UNKNOWN", "error": "already exists" }))),
    ];
    let (set, homeserver) = with_homeserver(answers.into_iter().collect(), |_| {});
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("skipped  ping: this homeserver has no ping"), "{output}");
    assert!(homeserver.requests().iter().any(|line| line.starts_with("DELETE v3/directory")));
}

#[test]
fn check_tells_a_wrong_as_token_from_a_wrong_hs_token_and_a_wrong_bot() {
    let (set, _homeserver) = with_homeserver(Refusals::new(), |registration| {
        registration.as_token = "other".into();
    });
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 13);
    assert!(output.contains("FAILED   as_token: "), "{output}");

    let (set, _homeserver) = with_homeserver(Refusals::new(), |registration| {
        registration.hs_token = "other".into();
    });
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 13);
    assert!(output.contains("FAILED   ping: ") && output.contains("with another hs_token"), "{output}");

    let bot = ("GET v3/account/whoami", (200, json!({ "user_id": "@other:example.org" })));
    let (set, _homeserver) = with_homeserver([bot].into_iter().collect(), |_| {});
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 14);
    assert!(output.contains("for @other:example.org, not @towline:example.org"), "{output}");
}

#[test]
fn check_finds_a_homeserver_that_calls_another_address() {
    let elsewhere = format!("http://127.0.0.1:{}", free_port());
    let (set, _homeserver) =
        with_homeserver(Refusals::new(), |registration| registration.url = Some(elsewhere));
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 12);
    assert!(output.contains("FAILED   ping: ") && output.contains("can't reach"), "{output}");
}

#[test]
fn check_leaves_the_port_to_a_towline_that_runs() {
    let listens = Refusals::from([("POST /_matrix/app/v1/ping", (200, json!({})))]);
    let set = Set::new(&[]);
    let running = Homeserver::start(listens, Registration::read(&set.read("registration.yaml")).unwrap());
    set.edit("config.yaml", "  #listen: 127.0.0.1:9009", &format!("  listen: {}", running.address));
    assert_eq!(set.run("registration", &[]).0, 0);
    let registration = Registration::read(&set.read("registration.yaml")).unwrap();
    let homeserver = Homeserver::start(Refusals::new(), registration);
    set.edit("config.yaml", "http://127.0.0.1:1\"", &format!("http://{}/\"", homeserver.address));
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("the homeserver reached the running Towline"), "{output}");
    let requests = running.requests();
    assert_eq!(requests.first().map(String::as_str), Some("POST /_matrix/app/v1/ping"));
    assert!(requests.iter().any(|line| line == "GET /_towline/heard"), "{requests:?}");
    assert!(output.contains("skipped  ephemeral events: the Towline that runs does not tell"), "{output}");
}

#[test]
fn check_says_that_the_homeserver_is_down() {
    let set = Set::new(&[]);
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 12);
    assert!(output.contains("FAILED   homeserver: ") && output.contains("Connection refused"), "{output}");
    assert!(output.contains("remedy: see whether the homeserver runs"), "{output}");
}

#[test]
fn no_command_prints_a_token() {
    let refusals = [("POST v3/register", (400, json!({ "errcode": "M_EXCLUSIVE" })))].into_iter().collect();
    let (set, _homeserver) = with_homeserver(refusals, |registration| registration.hs_token = "other".into());
    let config = set.load();
    for (command, more) in [("check", vec![]), ("registration", vec![])] {
        let (_, output, error) = set.run(command, &more);
        for token in [&config.appservice.as_token, &config.appservice.hs_token] {
            assert!(!format!("{output}{error}").contains(token.expose_secret()), "{command}");
        }
    }
}

#[rstest]
#[case::straight("", "", 0, "ok       media links")]
#[case::behind_a_path("/irc", "", 0, "ok       media links")]
#[case::to_something_else(
    "",
    "the homeserver's",
    10,
    "does not lead to Towline: something else answers with 401"
)]
#[case::to_nothing("", "nobody's", 12, "it can't be reached")]
fn check_opens_a_link_as_people_on_irc_would(
    #[case] path: &str,
    #[case] port_of: &str,
    #[case] code: i32,
    #[case] what: &str,
) {
    let (set, homeserver) = with_homeserver(Refusals::new(), |_| {});
    let ours = free_port();
    let port = match port_of {
        "" => ours,
        "nobody's" => free_port(),
        _ => homeserver.address.port(),
    };
    let base_url = format!("base_url: \"http://127.0.0.1:{port}{path}\"");
    set.edit("config.yaml", "#base_url: https://irc.example.org", &base_url);
    set.edit("config.yaml", "#listen: 127.0.0.1:9010", &format!("listen: 127.0.0.1:{ours}"));
    let (found, output, error) = set.run("check", &[]);
    assert_eq!(found, code, "{output}{error}");
    assert!(output.contains(what), "{output}");
}

#[test]
fn check_prints_the_same_as_json() {
    let refusals = [("POST v3/register", (400, json!({ "errcode": "M_EXCLUSIVE" })))].into_iter().collect();
    let (set, _homeserver) = with_homeserver(refusals, |_| {});
    let (code, output, _) = set.run("check", &["--json"]);
    assert_eq!(code, 14, "{output}");
    let found: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&found["failed"], &found["code"]), (&json!(1), &json!(14)));
    let checks = found["checks"].as_array().unwrap();
    let of = |name: &str| checks.iter().find(|check| check["check"] == name).unwrap();
    assert_eq!((of("ghosts")["outcome"].as_str(), &of("ghosts")["code"]), (Some("failed"), &json!(14)));
    assert!(of("ghosts")["remedy"].as_str().unwrap().contains("templates.ghost"), "{output}");
    assert_eq!(of("homeserver")["outcome"], "ok");
    assert_eq!(of("media links")["outcome"], "skipped");
    assert!(of("homeserver").get("remedy").is_none());

    set.edit("config.yaml", "domain:", "domian:");
    let (code, output, _) = set.run("check", &["--json"]);
    let found: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &found["code"]), (10, &json!(10)), "{output}");
    assert!(found["checks"][0]["detail"].as_str().unwrap().contains("domian"), "{output}");
}

#[test]
fn check_finds_a_database_of_another_key_and_one_without_a_folder() {
    let (set, _homeserver) = with_homeserver(Refusals::new(), |_| {});
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("skipped  database: ") && output.contains("the first start makes it"),
        "{output}"
    );

    let url = format!("sqlite://{}", set.path("towline.db").display());
    let make = |key: [u8; 32]| {
        let options = StoreOptions { url: url.clone().into(), key: SecretKey::new(key), lock: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Store::open(&options).await.unwrap().close().await });
    };
    make([9; 32]);
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 10, "{output}");
    assert!(output.contains("FAILED   database: ") && output.contains("another key"), "{output}");

    set.edit("config.yaml", "#url: sqlite://towline.db", "url: sqlite://nowhere/towline.db");
    let (code, output, _) = set.run("check", &[]);
    assert_eq!(code, 15, "{output}");
    assert!(output.contains("there is no folder for"), "{output}");
}
