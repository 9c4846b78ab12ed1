//! Networks: which there are, open, status, connect, disconnect.

use super::{Context, usage};
use crate::bridge::{InQueue, Leaving, Outcome, Refusal, Request, SessionState, Status};
use crate::format::RichText;

/// `networks`.
pub(super) async fn networks(context: Context<'_>) -> Outcome {
    let mine = context.bridge.sessions(Some(&context.call.user.user_id));
    let mut text = RichText::plain("You can open:");
    for network in context.bridge.config.networks.values() {
        let is_open = mine.iter().any(|session| session.row.network == network.slug.as_str());
        let note = if is_open { " (open)" } else { "" };
        text = text.line().code(network.slug.as_str()).text(format!(" – {}{note}", network.name));
    }
    Ok(text)
}

/// `open NETWORK`.
pub(super) async fn open(context: Context<'_>) -> Outcome {
    let bridge = context.bridge;
    let (name, rest) = context.word();
    if name.is_empty() || !rest.is_empty() {
        return usage(&context, "open");
    }
    let Some(network) = bridge.config.network(name) else {
        let nearest = bridge.config.nearest_network(name);
        let hint = nearest.map(|network| format!(" Did you mean {}?", network.slug)).unwrap_or_default();
        return Err(Refusal::asked(format!(
            "There is no network {name} here.{hint} Type networks to see which there are."
        )));
    };
    let most = bridge.config.limits.sessions_per_user as usize;
    let mine = bridge.sessions(Some(&context.call.user.user_id));
    if mine.len() >= most && !mine.iter().any(|session| session.row.network == network.slug.as_str()) {
        return Err(Refusal::asked(format!(
            "You have {most} networks open, the most that this bridge allows."
        )));
    }
    let (session, new) = bridge.open_session(&context.call.user, network.slug.as_str()).await?;
    if new {
        return Ok(RichText::plain(format!(
            "Connecting to {}. You are invited to its room, which tells how it goes.",
            network.name
        )));
    }
    session.ask(Request::Invite).await?;
    match session.status().state {
        SessionState::Connected | SessionState::Connecting => Ok(RichText::plain(format!(
            "{} is open already; you are invited to its room again.",
            network.name
        ))),
        _ => session.ask(Request::Connect).await,
    }
}

/// `status`.
pub(super) async fn status(context: Context<'_>) -> Outcome {
    let sessions = context.bridge.sessions(Some(&context.call.user.user_id));
    if sessions.is_empty() {
        return Ok(RichText::plain("You are on no network yet. Type ")
            .code("open libera")
            .text(" to begin."));
    }
    let now = context.bridge.unix_ms();
    Ok(sessions.iter().fold(RichText::new(), |text, session| {
        let name = context
            .bridge
            .config
            .network(&session.row.network)
            .map_or(session.row.network.as_str(), |n| &n.name);
        let place = context.bridge.place(&session.row.network, session.row.id);
        text.line().bold(name).text(": ").then(describe(&session.status(), place, now))
    }))
}

fn describe(status: &Status, place: Option<InQueue>, now: i64) -> RichText {
    let Status { state, nick, since, lag, channels, closed, waiting, leaving, slower_since, reason } = status;
    let mut text = match state {
        SessionState::Idle => RichText::plain("not connected; type ").code("connect").text(" to change that"),
        SessionState::Connecting => RichText::plain(match place {
            Some(InQueue { closed: true, .. }) => {
                "waiting to connect: the network refuses this bridge for now, and I look again from time to time"
                    .to_owned()
            }
            Some(InQueue { before: 0, .. }) => "waiting to connect: you are next".to_owned(),
            Some(InQueue { before: 1, .. }) => {
                "waiting to connect: one of this bridge's users goes before you".to_owned()
            }
            Some(InQueue { before, .. }) => format!("waiting to connect: {before} of this bridge's users go before you"),
            None => "connecting".to_owned(),
        }),
        SessionState::Connected => {
            let minutes = since.map_or(0, |since| (now - since).max(0) / 60_000);
            let time = match minutes {
                0 => "just now".to_owned(),
                1..120 => format!("for {minutes} minutes"),
                _ => format!("for {} hours", minutes / 60),
            };
            RichText::plain(format!("connected {time} as {nick}, in {channels} channels"))
        }
        SessionState::Waiting => RichText::plain("not connected; I keep trying"),
        SessionState::Stuck => RichText::plain("not connected, and needs you"),
    };
    if let Some(lag) = lag {
        text = text.text(format!(", lag {} ms", lag.as_millis()));
    }
    if *closed > 0 {
        text = text.text(format!(", kept out of {closed} (type ")).code("channels").text(" to see why)");
    }
    if let Some(leaving) = leaving {
        text = text.text(format!(", {}", describe_leaving(leaving, now)));
    }
    if *waiting > 0 {
        text = text.text(format!(", {waiting} of your messages wait"));
    }
    if let Some(since) = slower_since {
        let day =
            jiff::Timestamp::from_millisecond(*since).unwrap_or_default().strftime("%Y-%m-%d").to_string();
        text = text.text(format!(", sends slower since Excess Flood on {day}"));
    }
    if let Some(reason) = reason {
        text = text.text(format!(" ({reason})"));
    }
    text
}

/// Rooms of lines that wait, which are named.
const NAMED: usize = 3;

/// `7 lines wait (#rust 5, bob 2), the last goes in 12 s`.
fn describe_leaving(Leaving { backlog, last_at }: &Leaving, now: i64) -> String {
    let lines =
        if backlog.lines == 1 { "1 line waits".to_owned() } else { format!("{} lines wait", backlog.lines) };
    let mut targets: Vec<&(String, usize)> = backlog.targets.iter().collect();
    targets.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut named: Vec<String> =
        targets.iter().take(NAMED).map(|(name, count)| format!("{name} {count}")).collect();
    if targets.len() > NAMED {
        named.push(format!("{} more", targets.len() - NAMED));
    }
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    let seconds = (last_at - now).max(0) / 1000;
    let last = match seconds {
        0 => "now".to_owned(),
        1..120 => format!("in {seconds} s"),
        _ => format!("in {} minutes", seconds / 60),
    };
    format!("{lines}{named}, the last goes {last}")
}

/// `connect [NETWORK]`.
pub(super) async fn connect(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "connect");
    }
    session.ask(Request::Connect).await
}

/// `disconnect [NETWORK] [REASON]`.
pub(super) async fn disconnect(context: Context<'_>) -> Outcome {
    let (session, reason) = context.session()?;
    session.ask(Request::Disconnect { reason: reason.to_owned() }).await
}
