//! The checks that need a room: its alias, the time of a message, how many may come at once, and whether the homeserver
//! tells us that somebody types.
//!
//! The room is the bot's own and nobody else's, is not federated, and is left and forgotten in the end.

use std::time::Duration;

use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::homeserver::{Homeserver, claimed, failed, ghost_of_checks, ok, unreachable};
use super::listener::Listener;
use super::{Findings, Outcome};
use crate::cli::{CliError, Code};
use crate::config::Config;
use crate::config::network::PROBE;

/// How long the homeserver may take to tell what has happened.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who types is said again so often: a homeserver that has just found Towline again may pass over the first.
const AGAIN: Duration = Duration::from_secs(1);
/// Messages that are sent at once. Synapse lets ten pass of those whom it limits, Dendrite five.
const AT_ONCE: usize = 20;
/// A time that no clock has any more: in the year 2020.
const LONG_AGO: i64 = 1_600_000_000_000;

/// Where what the homeserver tells is heard: by the check, or by Towline, which runs.
#[derive(Clone, Copy)]
pub(super) struct Ears<'a> {
    pub(super) listener: Option<&'a Listener>,
}

/// Makes the room, asks everything, and leaves it.
pub(super) async fn check(
    homeserver: &Homeserver,
    config: &Config,
    ears: Option<Ears<'_>>,
    findings: &mut Findings<'_>,
) -> Result<(), CliError> {
    let body = json!({
        "preset": "private_chat",
        "name": "Towline check",
        "creation_content": { "m.federate": false },
    });
    let room = match homeserver.ask(Method::POST, &["v3", "createRoom"], Some(body)).await {
        Ok(answer) if !answer.text("room_id").is_empty() => answer.text("room_id").to_owned(),
        Ok(answer) => {
            let what = format!("no room for the probe can be made: {}", answer.refusal());
            findings.add("aliases", failed(Code::Unexpected, what, "see the homeserver's log"))?;
            return Ok(());
        }
        Err(error) => {
            findings.add("aliases", unreachable(error))?;
            return Ok(());
        }
    };
    findings.add("aliases", alias(homeserver, config, &room).await.unwrap_or_else(unreachable))?;
    findings.add("message times", times(homeserver, &room).await.unwrap_or_else(unreachable))?;
    findings.add("rate limits", rate(homeserver, config, &room).await.unwrap_or_else(unreachable))?;
    let heard = match ears {
        Some(ears) => typing(homeserver, config, &room, ears).await.unwrap_or_else(unreachable),
        None => Outcome::Skipped("the homeserver does not reach Towline".to_owned()),
    };
    findings.add("ephemeral events", heard)?;
    // What can't be left now stays as an empty room.
    let (_, ghost) = ghost_of_checks(config);
    for parameters in [&[("user_id", ghost.as_str())][..], &[]] {
        for what in ["leave", "forget"] {
            let path = ["v3", "rooms", &room, what];
            let _ = homeserver.ask_with(Method::POST, &path, parameters, Some(json!({}))).await;
        }
    }
    Ok(())
}

/// Whether the homeserver makes rooms of the versions that the configuration wants for shared ones.
pub(super) async fn versions(homeserver: &Homeserver, config: &Config) -> Result<Outcome, String> {
    let answer = homeserver.ask(Method::GET, &["v3", "capabilities"], None).await?;
    if !answer.is_success() {
        let what = format!("it is not known which it makes: {}", answer.refusal());
        return Ok(failed(Code::Unexpected, what, "see the homeserver's log"));
    }
    let known = &answer.body["capabilities"]["m.room_versions"]["available"];
    for network in config.networks.values() {
        let Some(version) = &network.shared.room_version else { continue };
        if known.get(version).is_none() {
            let slug = network.slug.as_str();
            return Ok(failed(
                Code::Configuration,
                format!(
                    "the homeserver makes no rooms of version {version}, so {slug} gets no new shared rooms"
                ),
                format!("set `networks.{slug}.shared.room_version` to one that it makes, or leave it out"),
            ));
        }
    }
    Ok(ok("the homeserver makes those that shared rooms are to have"))
}

async fn alias(homeserver: &Homeserver, config: &Config, room: &str) -> Result<Outcome, String> {
    let localpart = match &config.templates.alias {
        Some(template) => template.render_id(&[("user", PROBE), ("network", PROBE), ("channel", "probe")]),
        None => format!("{}{PROBE}", config.templates.alias_prefix()),
    };
    let alias = format!("#{localpart}:{}", config.homeserver.domain);
    let directory = ["v3", "directory", "room", &alias];
    let put = homeserver.ask(Method::PUT, &directory, Some(json!({ "room_id": room }))).await?;
    // 409: it is there, left by a check that was interrupted.
    if put.is_success() || put.status == 409 {
        homeserver.ask(Method::DELETE, &directory, None).await?;
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

/// Sends something that nobody sees, and gives its id or the refusal.
async fn send(
    homeserver: &Homeserver,
    room: &str,
    number: usize,
    parameter: (&str, &str),
) -> Result<Result<String, (u16, String)>, String> {
    let txn = format!("towline-check-{number}");
    let path = ["v3", "rooms", room, "send", "chat.towline.probe", &txn];
    let answer = homeserver.ask_with(Method::PUT, &path, &[parameter], Some(json!({}))).await?;
    if answer.is_success() {
        return Ok(Ok(answer.text("event_id").to_owned()));
    }
    Ok(Err((answer.status, answer.refusal())))
}

/// Whether a message may have the time at which it was said.
async fn times(homeserver: &Homeserver, room: &str) -> Result<Outcome, String> {
    let event = match send(homeserver, room, 0, ("ts", &LONG_AGO.to_string())).await? {
        Ok(event) => event,
        Err((_, refusal)) => {
            let what = format!("nothing can be sent: {refusal}");
            return Ok(failed(Code::Unexpected, what, "see the homeserver's log"));
        }
    };
    let answer = homeserver.ask(Method::GET, &["v3", "rooms", room, "event", &event], None).await?;
    Ok(match answer.body.get("origin_server_ts").and_then(Value::as_i64) {
        Some(LONG_AGO) => ok("messages have the times at which they were said"),
        Some(_) => Outcome::Skipped(
            "this homeserver gives messages the time at which they arrive, also those that Towline fetches later".to_owned(),
        ),
        None => failed(
            Code::Unexpected,
            format!("what was sent can't be read: {}", answer.refusal()),
            "see the homeserver's log",
        ),
    })
}

/// Whether as many messages as a busy channel has may come at once: from a ghost, since homeservers let the bot do what
/// they let nobody else do.
async fn rate(homeserver: &Homeserver, config: &Config, room: &str) -> Result<Outcome, String> {
    let (_, ghost) = ghost_of_checks(config);
    let limited = |refusal: String| {
        failed(
            Code::Registration,
            format!("of {AT_ONCE} messages at once not all are taken: {refusal}"),
            "the registration that the homeserver has must say `rate_limited: false`: run `towline registration`, give \
             the file to the homeserver again and restart it; or its configuration limits this address",
        )
    };
    let invited = json!({ "user_id": ghost });
    for (what, parameters, body) in
        [("invite", &[][..], invited), ("join", &[("user_id", ghost.as_str())][..], json!({}))]
    {
        let path = ["v3", "rooms", room, what];
        let answer = homeserver.ask_with(Method::POST, &path, parameters, Some(body)).await?;
        if answer.status == 429 {
            return Ok(limited(answer.refusal()));
        }
        if !answer.is_success() {
            return Ok(Outcome::Skipped(format!("no ghost can speak: {}", answer.refusal())));
        }
    }
    let all = (1..=AT_ONCE).map(|number| send(homeserver, room, number, ("user_id", &ghost)));
    for sent in futures_util::future::join_all(all).await {
        match sent? {
            Ok(_) => {}
            Err((429, refusal)) => return Ok(limited(refusal)),
            Err((_, refusal)) => {
                let what = format!("nothing can be sent: {refusal}");
                return Ok(failed(Code::Unexpected, what, "see the homeserver's log"));
            }
        }
    }
    Ok(ok(format!("the homeserver took {AT_ONCE} messages at once")))
}

/// Whether the homeserver tells us that somebody types.
async fn typing(
    homeserver: &Homeserver,
    config: &Config,
    room: &str,
    ears: Ears<'_>,
) -> Result<Outcome, String> {
    let mut before = 0;
    if let Some(listener) = ears.listener {
        // What happens in rooms comes from every homeserver that comes at all.
        if tokio::time::timeout(PATIENCE, listener.heard_of(room)).await.is_err() {
            let why = if listener.has_refused() { "comes first" } else { "may be kept back for a while" };
            let why = format!("what happened while Towline was away {why}");
            return Ok(Outcome::Skipped(format!("{why}: start Towline, and check again while it runs")));
        }
    } else if let Some(count) = told(homeserver, config).await {
        before = count;
    } else {
        let why = "the Towline that runs does not tell whether it hears of them: it is of another version";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    let heard = async {
        match ears.listener {
            Some(listener) => listener.heard_of_typing().await,
            // A Towline that stops meanwhile tells nothing more.
            None => {
                while told(homeserver, config).await.is_none_or(|count| count <= before) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    let bot = config.bot_id();
    let types = async {
        loop {
            for body in [json!({ "typing": true, "timeout": 30_000 }), json!({ "typing": false })] {
                let path = ["v3", "rooms", room, "typing", &bot];
                let answer = homeserver.ask(Method::PUT, &path, Some(body)).await?;
                if !answer.is_success() {
                    return Ok(format!("nobody can type: {}", answer.refusal()));
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    let is_heard = tokio::select! {
        () = heard => true,
        refusal = types => {
            return refusal.map(|refusal| failed(Code::Unexpected, refusal, "see the homeserver's log"));
        }
        () = tokio::time::sleep(PATIENCE) => false,
    };
    if is_heard {
        return Ok(ok("the homeserver tells Towline who types and what is read"));
    }
    Ok(failed(
        Code::Registration,
        "the homeserver does not tell Towline who types and what is read",
        "the registration that the homeserver has must say `receive_ephemeral: true` and \
         `de.sorunome.msc2409.push_ephemeral: true`: run `towline registration`, give the file to the homeserver again \
         and restart it; Dendrite has no such thing",
    ))
}

/// How often the homeserver has told the running Towline of something that passes.
async fn told(homeserver: &Homeserver, config: &Config) -> Option<u64> {
    let url = format!("http://{}/_towline/heard", config.appservice.listen);
    let token = config.appservice.hs_token.expose_secret();
    let answer = homeserver.client.get(url).bearer_auth(token).timeout(PATIENCE).send().await.ok()?;
    let body: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    body.get("ephemeral")?.as_u64()
}
