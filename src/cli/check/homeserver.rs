//! The checks that ask the homeserver.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::listener::{Listener, Seen};
use super::{Failure, Findings, Outcome};
use crate::cli::{CliError, Code};
use crate::config::Config;
use crate::config::network::PROBE;

/// Asks everything, in an order in which each answer makes sense of the next.
pub(super) async fn check(config: &Config, findings: &mut Findings<'_>) -> Result<(), CliError> {
    let client = crate::matrix::http::client().map_err(|error| CliError::Unexpected(error.into()))?;
    let base =
        reqwest::Url::parse(&config.homeserver.url).map_err(|error| CliError::Unexpected(error.into()))?;
    let homeserver = Homeserver { client, base, token: config.appservice.as_token.clone() };

    if !findings.add("homeserver", versions(&homeserver, config).await)? {
        return Ok(());
    }
    if !findings.add("as_token", whoami(&homeserver, config).await)? {
        return Ok(());
    }
    findings.add("ping", ping(&homeserver, config).await)?;
    findings.add("ghosts", probe_ghost(&homeserver, config).await)?;
    findings.add("aliases", probe_alias(&homeserver, config).await)?;
    Ok(())
}

/// The homeserver, spoken to as the bot.
struct Homeserver {
    client: reqwest::Client,
    base: reqwest::Url,
    token: SecretString,
}

/// An answer of the homeserver, whether it grants or refuses.
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn errcode(&self) -> &str {
        self.text("errcode")
    }

    fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The refusal in the homeserver's words.
    fn refusal(&self) -> String {
        match (self.errcode(), self.text("error")) {
            ("", _) => format!("the homeserver answered {}", self.status),
            (code, "") => format!("the homeserver answered {} {code}", self.status),
            (code, error) => format!("the homeserver answered {} {code}: {}", self.status, one_line(error)),
        }
    }
}

/// Words from elsewhere, as they may go to a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

impl Homeserver {
    /// Sends a request as the bot; an error is a homeserver that does not answer.
    async fn ask(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<Answer, String> {
        let request = self.request(method, path).bearer_auth(self.token.expose_secret());
        send(match body {
            Some(body) => {
                request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string())
            }
            None => request,
        })
        .await
    }

    /// Asks without a token, with which Synapse refuses even `versions` where it does not know the token.
    async fn ask_openly(&self, path: &[&str]) -> Result<Answer, String> {
        send(self.request(Method::GET, path)).await
    }

    fn request(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("_matrix").push("client").extend(path);
        }
        self.client.request(method, url)
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|error| causes(&error))?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(|error| causes(&error))?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
}

/// An error with what caused it: reqwest's own text stops before the part that helps.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    one_line(&text)
}

fn ok(detail: impl Into<String>) -> Outcome {
    Outcome::Ok(detail.into())
}

fn failed(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure::new(code, what, remedy))
}

fn unreachable(error: String) -> Outcome {
    failed(Code::Unreachable, error, "see whether the homeserver runs, and whether `homeserver.url` is right")
}

async fn versions(homeserver: &Homeserver, config: &Config) -> Outcome {
    let answer = match homeserver.ask_openly(&["versions"]).await {
        Ok(answer) => answer,
        Err(error) => return unreachable(error),
    };
    let versions = answer.body.get("versions").and_then(Value::as_array);
    match versions.and_then(|versions| versions.last()).and_then(Value::as_str) {
        Some(last) => ok(format!("{} speaks Matrix up to {}", config.homeserver.url, one_line(last))),
        None => failed(
            Code::Unreachable,
            format!("{} is no Matrix homeserver: it answered {}", config.homeserver.url, answer.status),
            "`homeserver.url` must be the address of its client API, without /_matrix",
        ),
    }
}

async fn whoami(homeserver: &Homeserver, config: &Config) -> Outcome {
    let path = ["v3", "account", "whoami"];
    let mut answer = match homeserver.ask(Method::GET, &path, None).await {
        Ok(answer) => answer,
        Err(error) => return unreachable(error),
    };
    if answer.errcode() == "M_FORBIDDEN" {
        // Some homeservers take the token only once the bot is registered.
        answer = match register(homeserver, &config.appservice.bot).await {
            Err(error) => return unreachable(error),
            Ok(_) => match homeserver.ask(Method::GET, &path, None).await {
                Ok(answer) => answer,
                Err(error) => return unreachable(error),
            },
        };
    }
    let bot = config.bot_id();
    match answer.text("user_id") {
        user if answer.is_success() && user == bot => ok(format!("the homeserver takes it for {bot}")),
        user if answer.is_success() => failed(
            Code::Registration,
            format!("the homeserver takes the token for {}, not {bot}", one_line(user)),
            "make `appservice.bot` and `homeserver.domain` what the homeserver has, or give it the registration again",
        ),
        _ if answer.errcode() == "M_UNKNOWN_TOKEN" || answer.status == 401 => failed(
            Code::TokenRefused,
            format!("{}; it does not know Towline's token", answer.refusal()),
            format!(
                "give {} to the homeserver (its first lines say how) and restart the homeserver",
                config.appservice.registration_file.display()
            ),
        ),
        _ => failed(Code::Unexpected, answer.refusal(), "see the homeserver's log"),
    }
}

async fn ping(homeserver: &Homeserver, config: &Config) -> Outcome {
    let listen = config.appservice.listen;
    // Where the port is taken, Towline itself answers, as a running Towline should.
    let listener = match Listener::start(listen, config.appservice.hs_token.clone()).await {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => None,
        Err(error) => {
            let what = format!("can't listen at {listen}: {error}");
            return failed(Code::Unexpected, what, "`appservice.listen` must be an address of this machine");
        }
    };
    let path = ["v1", "appservice", &config.appservice.id, "ping"];
    let body = json!({ "transaction_id": "towline-check" });
    let answer = match homeserver.ask(Method::POST, &path, Some(body)).await {
        Ok(answer) => answer,
        Err(error) => return unreachable(error),
    };
    let seen = listener.as_ref().map_or(Seen::Ping, Listener::seen);
    judge_ping(&answer, seen, listener.is_none(), config)
}

fn judge_ping(answer: &Answer, seen: Seen, running: bool, config: &Config) -> Outcome {
    let url = &config.appservice.url;
    let file = config.appservice.registration_file.display();
    let again = format!("give {file} to the homeserver again and restart the homeserver");
    let refusal = answer.refusal();
    match (answer.errcode(), answer.is_success()) {
        (_, true) if seen == Seen::Ping => {
            let who = if running { "the running Towline" } else { "this check" };
            ok(format!("the homeserver reached {who} at {url}"))
        }
        (_, true) => failed(
            Code::Unreachable,
            format!("the homeserver reached something at {url}, but not Towline"),
            "see what answers there: `appservice.url` must lead to `appservice.listen`",
        ),
        ("M_UNRECOGNIZED", _) => Outcome::Skipped("this homeserver has no ping".to_owned()),
        (_, false) if answer.status == 404 || answer.status == 405 => {
            Outcome::Skipped("this homeserver has no ping".to_owned())
        }
        ("M_URL_NOT_SET", _) => failed(
            Code::Registration,
            format!("{refusal}; the registration that the homeserver has names no url"),
            again,
        ),
        ("M_FORBIDDEN", _) => failed(
            Code::Registration,
            format!(
                "{refusal}; the homeserver knows the token under another id than {}",
                config.appservice.id
            ),
            format!("`appservice.id` must be the id in the registration that the homeserver has, or {again}"),
        ),
        ("M_BAD_STATUS", _) if seen == Seen::WrongToken || status_of_towline(answer) == Some(403) => {
            failed(Code::TokenRefused, format!("the homeserver comes to {url} with another hs_token"), again)
        }
        ("M_BAD_STATUS", _) => failed(
            Code::Unreachable,
            format!("{refusal}; something else than Towline answers at {url}"),
            "see what listens there: `appservice.url` must lead to `appservice.listen`",
        ),
        ("M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT", _) => failed(
            Code::Unreachable,
            format!(
                "{refusal}; the homeserver can't reach the url of the registration that it has, here {url}"
            ),
            "`appservice.url` must be an address that the homeserver can call, and `appservice.listen` one where it \
             arrives; from another machine or container 127.0.0.1 does not; then run `towline registration` and give \
             the file to the homeserver again",
        ),
        _ => failed(Code::Unexpected, refusal, "see the homeserver's log"),
    }
}

/// What the homeserver says that Towline answered.
fn status_of_towline(answer: &Answer) -> Option<u64> {
    answer.body.get("status").and_then(Value::as_u64)
}

async fn register(homeserver: &Homeserver, localpart: &str) -> Result<Answer, String> {
    let body = json!({
        "type": "m.login.application_service",
        "username": localpart,
        // Mandatory where people log in with OAuth, and right everywhere: nobody logs in as a ghost.
        "inhibit_login": true,
    });
    homeserver.ask(Method::POST, &["v3", "register"], Some(body)).await
}

async fn probe_ghost(homeserver: &Homeserver, config: &Config) -> Outcome {
    let localpart = config.templates.ghost.render_id(&[("network", PROBE), ("nick", "probe")]);
    let id = format!("@{localpart}:{}", config.homeserver.domain);
    let answer = match register(homeserver, &localpart).await {
        Ok(answer) => answer,
        Err(error) => return unreachable(error),
    };
    match answer.errcode() {
        _ if answer.is_success() => ok(format!("Towline may create users such as {id}")),
        "M_USER_IN_USE" => ok(format!("Towline may create users such as {id}")),
        "M_EXCLUSIVE" => failed(
            Code::Registration,
            format!("{id} can't be created: {}", answer.refusal()),
            claimed("@", config.templates.ghost.prefix(), "templates.ghost"),
        ),
        _ => failed(
            Code::Unexpected,
            format!("{id} can't be created: {}", answer.refusal()),
            "see the homeserver's log",
        ),
    }
}

/// What to do where a name is someone else's.
fn claimed(sigil: &str, prefix: &str, key: &str) -> String {
    format!(
        "either the homeserver has an older registration of Towline: give it the present one again and restart it; or \
         another bridge (Heisenbridge and appservice-irc use {sigil}irc_) claims {sigil}{prefix}: before Towline is \
         first used, give `{key}` another prefix, such as towline_, then run `towline registration` and give the file \
         to the homeserver"
    )
}

async fn probe_alias(homeserver: &Homeserver, config: &Config) -> Outcome {
    let localpart = match &config.templates.alias {
        Some(template) => template.render_id(&[("user", PROBE), ("network", PROBE), ("channel", "probe")]),
        None => format!("{}{PROBE}", config.templates.alias_prefix()),
    };
    let alias = format!("#{localpart}:{}", config.homeserver.domain);
    probe_alias_in_a_room(homeserver, config, &alias).await.unwrap_or_else(unreachable)
}

async fn probe_alias_in_a_room(
    homeserver: &Homeserver,
    config: &Config,
    alias: &str,
) -> Result<Outcome, String> {
    let joined = homeserver.ask(Method::GET, &["v3", "joined_rooms"], None).await?;
    let known = joined.body.get("joined_rooms").and_then(|rooms| rooms.get(0)).and_then(Value::as_str);
    // An alias needs a room; one that the bot is in anyway will do for the moment.
    let own = known.is_none();
    let room = if let Some(room) = known {
        room.to_owned()
    } else {
        let body = json!({
            "preset": "private_chat",
            "name": "Towline check",
            "creation_content": { "m.federate": false },
        });
        let answer = homeserver.ask(Method::POST, &["v3", "createRoom"], Some(body)).await?;
        let room = answer.text("room_id");
        if room.is_empty() {
            let what = format!("no room for the probe can be made: {}", answer.refusal());
            return Ok(failed(Code::Unexpected, what, "see the homeserver's log"));
        }
        room.to_owned()
    };
    let directory = ["v3", "directory", "room", alias];
    let put = homeserver.ask(Method::PUT, &directory, Some(json!({ "room_id": room }))).await?;
    // 409: it is there, left by a check that was interrupted.
    if put.is_success() || put.status == 409 {
        homeserver.ask(Method::DELETE, &directory, None).await?;
    }
    if own {
        homeserver.ask(Method::POST, &["v3", "rooms", &room, "leave"], Some(json!({}))).await?;
        homeserver.ask(Method::POST, &["v3", "rooms", &room, "forget"], Some(json!({}))).await?;
    }
    let key = if config.templates.alias.is_some() { "templates.alias" } else { "templates.ghost" };
    Ok(match put.errcode() {
        _ if put.is_success() || put.status == 409 => {
            ok(format!("Towline may create aliases such as {alias}"))
        }
        "M_EXCLUSIVE" => failed(
            Code::Registration,
            format!("{alias} can't be created: {}", put.refusal()),
            claimed("#", config.templates.alias_prefix(), key),
        ),
        _ => failed(
            Code::Unexpected,
            format!("{alias} can't be created: {}", put.refusal()),
            "see the homeserver's log; it may restrict who may create aliases",
        ),
    })
}
