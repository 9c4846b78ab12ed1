//! The checks that ask the homeserver: whether it is one, whether it takes us, whether it reaches us, and whether the
//! names are ours. What needs a room is in `room`.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::listener::{Listener, Seen};
use super::{Failure, Findings, Outcome, room};
use crate::cli::{CliError, Code};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::config::network::PROBE;

/// How far two clocks may be apart, in milliseconds; a `Date` has seconds only, and has travelled.
const MOST_SKEW: i64 = 30_000;

/// Asks everything, in an order in which each answer makes sense of the next.
pub(super) async fn check(config: &Config, findings: &mut Findings<'_>) -> Result<(), CliError> {
    let client = crate::matrix::http::client().map_err(|error| CliError::Unexpected(error.into()))?;
    let base =
        reqwest::Url::parse(&config.homeserver.url).map_err(|error| CliError::Unexpected(error.into()))?;
    let homeserver = Homeserver { client, base, token: config.appservice.as_token.clone() };

    let (found, date) = versions(&homeserver, config).await;
    if !findings.add("homeserver", found)? {
        return Ok(());
    }
    findings.add("clock", clock(date.as_deref(), SystemClock.unix_ms()))?;
    if !findings.add("as_token", whoami(&homeserver, config).await)? {
        return Ok(());
    }
    // Where the port is taken, Towline itself answers, as a running Towline should.
    let listen = config.appservice.listen;
    let listener = match Listener::start(config).await {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => None,
        Err(error) => {
            let what = format!("can't listen at {listen}: {error}");
            let remedy = "`appservice.listen` must be an address of this machine";
            findings.add("ping", failed(Code::Unexpected, what, remedy))?;
            return Ok(());
        }
    };
    let looked = look(&homeserver, config, listener.as_ref(), findings).await;
    if let Some(listener) = listener {
        listener.end().await;
    }
    looked
}

/// What is seen with an ear at the port for the homeserver.
async fn look(
    homeserver: &Homeserver,
    config: &Config,
    listener: Option<&Listener>,
    findings: &mut Findings<'_>,
) -> Result<(), CliError> {
    let ping = ping(homeserver, listener, config).await;
    let is_reached = matches!(ping, Outcome::Ok(_));
    findings.add("ping", ping)?;
    findings.add("ghosts", probe_ghost(homeserver, config).await)?;
    let hears = is_reached.then_some(room::Ears { listener });
    room::check(homeserver, config, hears, findings).await?;
    if config.networks.values().any(|network| network.shared.room_version.is_some()) {
        let versions = room::versions(homeserver, config).await.unwrap_or_else(unreachable);
        findings.add("room versions", versions)?;
    }
    findings.add("authenticated media", media(homeserver, config).await)?;
    Ok(())
}

/// The homeserver, spoken to as the bot.
pub(super) struct Homeserver {
    pub(super) client: reqwest::Client,
    base: reqwest::Url,
    token: SecretString,
}

/// An answer of the homeserver, whether it grants or refuses.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    /// When it was given, by the homeserver's clock.
    date: Option<String>,
    /// What gave it: mostly the name of a program.
    server: Option<String>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn errcode(&self) -> &str {
        self.text("errcode")
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The refusal in the homeserver's words.
    pub(super) fn refusal(&self) -> String {
        match (self.errcode(), self.text("error")) {
            ("", _) => format!("the homeserver answered {}", self.status),
            (code, "") => format!("the homeserver answered {} {code}", self.status),
            (code, error) => format!("the homeserver answered {} {code}: {}", self.status, one_line(error)),
        }
    }
}

/// Words from elsewhere, as they may go to a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

impl Homeserver {
    /// Sends a request as the bot; an error is a homeserver that does not answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Answer, String> {
        self.ask_with(method, path, &[], body).await
    }

    /// The same with parameters: `user_id` for whom, and `ts` for what is to have happened at a certain time (Matrix
    /// application service API, "Identity assertion" and "Timestamp massaging").
    pub(super) async fn ask_with(
        &self,
        method: Method,
        path: &[&str],
        parameters: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, String> {
        let mut url = self.url(&["client"], path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.client.request(method, url).bearer_auth(self.token.expose_secret());
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
        send(self.client.get(self.url(&["client"], path))).await
    }

    fn url(&self, api: &[&str], path: &[&str]) -> reqwest::Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("_matrix").extend(api).extend(path);
        }
        url
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|error| causes(&error))?;
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (date, server) = (header(http::header::DATE), header(http::header::SERVER));
    let bytes = response.bytes().await.map_err(|error| causes(&error))?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), date, server })
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

pub(super) fn ok(detail: impl Into<String>) -> Outcome {
    Outcome::Ok(detail.into())
}

pub(super) fn failed(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure::new(code, what, remedy))
}

pub(super) fn unreachable(error: String) -> Outcome {
    failed(Code::Unreachable, error, "see whether the homeserver runs, and whether `homeserver.url` is right")
}

/// What the homeserver is, and the time by its clock.
async fn versions(homeserver: &Homeserver, config: &Config) -> (Outcome, Option<String>) {
    let answer = match homeserver.ask_openly(&["versions"]).await {
        Ok(answer) => answer,
        Err(error) => return (unreachable(error), None),
    };
    let versions = answer.body.get("versions").and_then(Value::as_array);
    let url = &config.homeserver.url;
    let Some(last) = versions.and_then(|versions| versions.last()).and_then(Value::as_str) else {
        let outcome = failed(
            Code::Unreachable,
            format!("{url} is no Matrix homeserver: it answered {}", answer.status),
            "`homeserver.url` must be the address of its client API, without /_matrix",
        );
        return (outcome, None);
    };
    // Where the federation's API is at another port, the name of the program that answers is often the homeserver's.
    let program = homeserver.client.get(homeserver.url(&["federation"], &["v1", "version"]));
    let program = send(program).await.ok().filter(Answer::is_success).and_then(|answer| {
        let server = answer.body.get("server")?;
        let text = |key: &str| server.get(key).and_then(Value::as_str);
        Some(format!("{} {}", text("name")?, text("version").unwrap_or_default()))
    });
    let program =
        program.or(answer.server).unwrap_or_else(|| "a homeserver that does not tell its name".to_owned());
    let detail = format!("{url} is {}, which speaks Matrix up to {}", one_line(&program), one_line(last));
    (ok(detail), answer.date)
}

/// Whether the homeserver's clock and ours say the same: messages have the times of both.
fn clock(date: Option<&str>, now: i64) -> Outcome {
    let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(theirs) = theirs.map(|time| time.timestamp().as_millisecond()) else {
        return Outcome::Skipped("the homeserver does not tell its time".to_owned());
    };
    let skew = now - theirs;
    if skew.abs() <= MOST_SKEW {
        return ok("this machine and the homeserver agree about the time");
    }
    let (seconds, which) = (skew.abs() / 1000, if skew < 0 { "behind" } else { "ahead of" });
    failed(
        Code::Unexpected,
        format!("this machine's clock is {seconds} s {which} the homeserver's"),
        "have both set their clocks by NTP (timedatectl set-ntp true): times of messages and certificates depend on it",
    )
}

/// Whether files can be fetched, which are given only to those who are logged in (Matrix 1.11).
async fn media(homeserver: &Homeserver, config: &Config) -> Outcome {
    if config.media.is_none() {
        return Outcome::Skipped("there is no `media.base_url`: no file is fetched".to_owned());
    }
    match homeserver.ask(Method::GET, &["v1", "media", "config"], None).await {
        Err(error) => unreachable(error),
        Ok(answer) if answer.is_success() => ok("the homeserver hands out files to those who are logged in"),
        Ok(answer) => failed(
            Code::Unexpected,
            format!("files can't be fetched: {}", answer.refusal()),
            "Towline fetches files with a login (Matrix 1.11): bring the homeserver up to date, and see whether a proxy in \
             front of it lets /_matrix/client/v1/media through",
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
        user if answer.is_success() && user.starts_with(&format!("@{}:", config.appservice.bot)) => {
            let domain = one_line(user.split_once(':').map_or("", |(_, domain)| domain));
            failed(
                Code::Registration,
                format!(
                    "the homeserver's name is {domain}, and `homeserver.domain` is {}",
                    config.homeserver.domain
                ),
                format!(
                    "set `homeserver.domain` to {domain}, run `towline registration`, give the file to the homeserver \
                     again and restart it"
                ),
            )
        }
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

async fn ping(homeserver: &Homeserver, listener: Option<&Listener>, config: &Config) -> Outcome {
    let path = ["v1", "appservice", &config.appservice.id, "ping"];
    let body = json!({ "transaction_id": "towline-check" });
    let answer = match homeserver.ask(Method::POST, &path, Some(body)).await {
        Ok(answer) => answer,
        Err(error) => return unreachable(error),
    };
    let seen = listener.map_or(Seen::Ping, Listener::seen);
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

/// The ghost that only checks have.
pub(super) fn ghost_of_checks(config: &Config) -> (String, String) {
    let localpart = config.templates.ghost.render_id(&[("network", PROBE), ("nick", "probe")]);
    let id = format!("@{localpart}:{}", config.homeserver.domain);
    (localpart, id)
}

async fn probe_ghost(homeserver: &Homeserver, config: &Config) -> Outcome {
    let (localpart, id) = ghost_of_checks(config);
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
pub(super) fn claimed(sigil: &str, prefix: &str, key: &str) -> String {
    format!(
        "either the homeserver has an older registration of Towline: give it the present one again and restart it; or \
         another bridge (Heisenbridge and appservice-irc use {sigil}irc_) claims {sigil}{prefix}: before Towline is \
         first used, give `{key}` another prefix, such as towline_, then run `towline registration` and give the file \
         to the homeserver"
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Outcome, clock};

    #[rstest]
    #[case::same(Some("Sun, 22 Nov 2026 04:00:00 GMT"), Some("agree"))]
    #[case::a_little_behind(Some("Sun, 22 Nov 2026 04:00:29 GMT"), Some("agree"))]
    #[case::behind(Some("Sun, 22 Nov 2026 04:02:00 GMT"), Some("120 s behind"))]
    #[case::ahead(Some("Sun, 22 Nov 2026 03:00:00 GMT"), Some("3600 s ahead of"))]
    #[case::no_time(Some("soon"), None)]
    #[case::nothing(None, None)]
    fn clocks_that_differ_are_told(#[case] date: Option<&str>, #[case] said: Option<&str>) {
        let now = 1_795_320_000_000;
        match (clock(date, now), said) {
            (Outcome::Ok(detail), Some(said)) => {
                assert!(said == "agree" && detail.contains(said), "{detail}");
            }
            (Outcome::Failed(failure), Some(said)) => {
                assert!(failure.what.contains(said), "{}", failure.what);
            }
            (Outcome::Skipped(_), None) => {}
            _ => panic!("{date:?}"),
        }
    }
}
