//! Networks: which there are, open, status, connect, reconnect, disconnect.

use std::sync::Arc;

use super::which::{self, Typed};
use super::{Context, first_steps, usage, usage_of};
use crate::bridge::{InQueue, Known, Leaving, Outcome, Place, Refusal, Request, SessionState, Status};
use crate::format::{RichText, Table};
use crate::names::{SessionName, session_address};

/// `networks`.
pub(super) async fn networks(context: Context<'_>) -> Outcome {
    let mine = context.bridge.sessions(Some(&context.call.user.user_id));
    let mut table = Table::new(["type", "network", ""]);
    for known in context.bridge.networks.seen_by(context.call.user.id) {
        let Known { network, .. } = &*known;
        let there = mine.iter().filter(|session| session.row.network == network.slug.as_str());
        let names: Vec<&str> = there.map(|session| session.row.name.as_str()).collect();
        let command = RichText::new().code(format!("open {}", network.slug));
        let open = names.iter().map(|name| match *name {
            "" => "open".to_owned(),
            name => format!("open as {name}"),
        });
        let note = RichText::plain(open.collect::<Vec<_>>().join(", "));
        table = table.row([command, RichText::plain(&network.name), note]);
    }
    Ok(RichText::plain("You can open:").table(table.without_empty_columns()))
}

/// The network that is to be opened, and the name that the session there is to have, which is empty where it has none.
fn to_open<'a>(context: &Context<'a>) -> Result<(Arc<Known>, &'a str, String), Refusal> {
    let alone: Vec<Typed<'_>> = which::readings(context.rest)
        .filter_map(|(typed, rest)| (rest.is_empty() && !typed.network.is_empty()).then_some(typed))
        .collect();
    let named = |typed: &Typed<'a>| {
        let known = context.bridge.networks.named(typed.network, context.call.user.id)?;
        Some((known, *typed))
    };
    let Some((known, typed)) = alone.iter().find_map(named) else {
        // Of two readings, `one/two` is a network and a session.
        let last = alone.last().ok_or_else(|| usage_of(context))?;
        return Err(no_network(context, last.network));
    };
    let name = match typed.name {
        Some(name) => SessionName::new(name)
            .map_err(|error| Refusal::asked(format!("{name} can't be the name of a session: {error}.")))?
            .as_str()
            .to_owned(),
        None => String::new(),
    };
    Ok((known, typed.network, name))
}

/// `open NETWORK [as NAME]`.
pub(super) async fn open(context: Context<'_>) -> Outcome {
    let bridge = context.bridge;
    let (known, typed, name) = to_open(&context)?;
    let network = &known.network;
    let address = session_address(network.slug.as_str(), &name);
    bridge.admits(&known).map_err(|reason| Refusal::asked(format!("It can't be done: {reason}.")))?;
    if let Some(why) = bridge.too_many_open(&context.call.user, &address).await? {
        return Err(Refusal::Asked(RichText::plain("You ").then(why)));
    }
    let opened = bridge.open_session(&context.call.user, network.slug.as_str(), &name).await?;
    let (session, new) = opened.ok_or_else(|| no_network(&context, typed))?;
    let shown = bridge.network_name(&address);
    if new {
        let text = format!("Connecting to {shown}. You are invited to its room, which tells how it goes.");
        let text = RichText::plain(text);
        return Ok(if context.is_beginning().await? { first_steps::after_open(text) } else { text });
    }
    let unusable = bridge.invite_to_network_room(&session).await?;
    let another =
        unusable.map(|why| format!(" Its room {why}, so I make another one: you are invited to that."));
    let another = RichText::plain(another.unwrap_or_default());
    match session.status().state {
        SessionState::Connected | SessionState::Connecting if unusable.is_none() => {
            Ok(RichText::plain(format!("{shown} is open already; you are invited to its room again.")))
        }
        SessionState::Connected | SessionState::Connecting => {
            Ok(RichText::plain(format!("{shown} is open already.")).then(another))
        }
        _ => match bridge.connect_session(&session).await {
            Ok(text) => Ok(text.then(another)),
            Err(Refusal::Asked(text)) => Err(Refusal::Asked(text.then(another))),
            failed => failed,
        },
    }
}

/// The answer to a name that no network of the person has.
pub(super) fn no_network(context: &Context<'_>, name: &str) -> Refusal {
    let nearest = context.bridge.networks.nearest(name, context.call.user.id);
    let hint = nearest.map(|known| format!(" Did you mean {}?", known.network.slug)).unwrap_or_default();
    Refusal::asked(format!("There is no network {name} here.{hint} Type networks to see which there are."))
}

/// `status`.
pub(super) async fn status(context: Context<'_>) -> Outcome {
    let sessions = context.bridge.sessions(Some(&context.call.user.user_id));
    if sessions.is_empty() {
        return Ok(first_steps::on_no_network(context.bridge));
    }
    let now = context.bridge.unix_ms();
    let mut table = Table::new(["network", "is", "nick", "since", "lag", "channels", "waiting"]);
    let mut notes = RichText::new();
    for session in &sessions {
        let name = context.bridge.network_name(&session.row.address());
        let place = context.bridge.place(&session.row.network, session.row.id);
        let status = session.status();
        let cells = cells(&status, now).map(RichText::plain);
        table = table.row(std::iter::once(RichText::new().bold(&name)).chain(cells));
        for note in notes_on(&status, place, now) {
            notes = notes.line().bold(&name).text(": ").then(note).text(".");
        }
    }
    Ok(RichText::new().table(table.without_empty_columns()).then(notes))
}

/// How a session stands, without its network's name.
fn cells(status: &Status, now: i64) -> [String; 6] {
    let Status { state, nick, since, lag, channels, closed, waiting, leaving, .. } = status;
    let is = match state {
        SessionState::Idle | SessionState::Waiting => "not connected",
        SessionState::Connecting => "connecting",
        SessionState::Connected => "connected",
        SessionState::Stuck => "needs you",
    };
    let is_connected = *state == SessionState::Connected;
    let since = since.filter(|_| is_connected).map_or_else(String::new, |since| {
        match (now - since).max(0) / 60_000 {
            0 => "just now".to_owned(),
            1 => "1 minute".to_owned(),
            minutes @ 2..120 => format!("{minutes} minutes"),
            minutes @ 120..2_880 => format!("{} hours", minutes / 60),
            minutes => format!("{} days", minutes / 1_440),
        }
    });
    let channels = match (is_connected, closed) {
        (false, _) => String::new(),
        (true, 0) => channels.to_string(),
        (true, closed) => format!("{channels}, kept out of {closed}"),
    };
    let lines = leaving.as_ref().map_or(0, |leaving| leaving.backlog.lines);
    let waiting = match (lines, waiting) {
        (0, 0) => String::new(),
        (0, 1) => "1 message".to_owned(),
        (0, messages) => format!("{messages} messages"),
        (lines, 0) => counted(lines),
        (lines, messages) => format!("{}, {messages} messages", counted(lines)),
    };
    let lag = lag.map_or_else(String::new, |lag| format!("{} ms", lag.as_millis()));
    [is.to_owned(), nick.clone(), since, lag, channels, waiting]
}

fn counted(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

/// Why it stands so, and what to do.
fn notes_on(status: &Status, place: Option<InQueue>, now: i64) -> Vec<RichText> {
    let Status { state, closed, waiting, leaving, slower_since, reason, .. } = status;
    let mut notes = Vec::new();
    let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match state {
        SessionState::Idle => {
            let text = format!("not connected{because}; to change that, type ");
            notes.push(RichText::plain(text).code("connect"));
        }
        SessionState::Connecting if place.is_none() && reason.is_none() => {}
        SessionState::Connecting => {
            let how = place.map_or_else(|| "connecting".to_owned(), turn);
            notes.push(RichText::plain(format!("{how}{because}")));
        }
        SessionState::Connected => {}
        SessionState::Waiting => {
            notes.push(RichText::plain(format!("not connected; I keep trying{because}")));
        }
        SessionState::Stuck => notes.push(RichText::plain(format!("not connected, and needs you{because}"))),
    }
    if *closed > 0 {
        let channels = if *closed == 1 { "1 channel".to_owned() } else { format!("{closed} channels") };
        let text = format!("kept out of {channels}; to see why, type ");
        notes.push(RichText::plain(text).code("channels"));
    }
    if let Some(leaving) = leaving {
        notes.push(RichText::plain(describe_leaving(leaving, now)));
    }
    if *waiting > 0 {
        notes.push(RichText::plain(format!("{waiting} of your messages wait until they can be sent")));
    }
    if let Some(since) = slower_since {
        let day = jiff::Timestamp::from_millisecond(*since).unwrap_or_default().strftime("%Y-%m-%d");
        notes.push(RichText::plain(format!("sends slower since Excess Flood on {day}")));
    }
    notes
}

/// Whose turn it is to connect.
fn turn(place: InQueue) -> String {
    match place {
        InQueue { closed: true, .. } => {
            "waiting to connect: the network refuses this bridge for now, and I look again from time to time"
                .to_owned()
        }
        InQueue { before: 0, .. } => "waiting to connect: you are next".to_owned(),
        InQueue { before: 1, .. } => {
            "waiting to connect: one of this bridge's users goes before you".to_owned()
        }
        InQueue { before, .. } => {
            format!("waiting to connect: {before} of this bridge's users go before you")
        }
    }
}

/// Rooms of lines that wait, which are named.
const NAMED: usize = 3;

/// `7 lines wait (#rust 5, bob 2), the last goes in 12 s`.
fn describe_leaving(Leaving { backlog, last_at }: &Leaving, now: i64) -> String {
    let lines = format!("{} {}", counted(backlog.lines), if backlog.lines == 1 { "waits" } else { "wait" });
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

/// `close [NETWORK] [confirm]`.
pub(super) async fn close(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let address = session.row.address();
    // Before the question and after it: another may have been closed in between.
    if let Some(why) = context.bridge.too_many_closed(context.call.user.id, &address).await? {
        return Err(Refusal::Asked(RichText::plain("You ").then(why)));
    }
    if rest.eq_ignore_ascii_case("confirm") {
        return context.bridge.close_session(&session, context.call.progress.as_ref()).await;
    }
    if !rest.is_empty() {
        return usage(&context, "close");
    }
    let name = context.bridge.network_name(&address);
    let text = format!(
        "This disconnects you from {name} and takes you out of its rooms. What was said is kept, and can be searched."
    );
    let command = match context.call.place {
        Place::Control => format!("close {address} confirm"),
        _ => "close confirm".to_owned(),
    };
    Ok(context.ask(RichText::plain(text), format!("closing {name}"), command))
}

/// `connect [NETWORK]`.
pub(super) async fn connect(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "connect");
    }
    context.bridge.connect_session(&session).await
}

/// `reconnect [NETWORK]`.
pub(super) async fn reconnect(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "reconnect");
    }
    context.bridge.reconnect_session(&session).await
}

/// `disconnect [NETWORK] [REASON]`.
pub(super) async fn disconnect(context: Context<'_>) -> Outcome {
    let (session, reason) = context.session()?;
    session.ask(Request::Disconnect { reason: reason.to_owned() }).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn connected() -> Status {
        Status { state: SessionState::Connected, nick: "alice".to_owned(), ..Status::default() }
    }

    #[rstest::rstest]
    #[case::now(59_999, "just now")]
    #[case::a_minute(MINUTE, "1 minute")]
    #[case::minutes(2 * MINUTE, "2 minutes")]
    #[case::the_last_minutes(119 * MINUTE, "119 minutes")]
    #[case::hours(120 * MINUTE, "2 hours")]
    #[case::days(48 * 60 * MINUTE, "2 days")]
    #[case::a_clock_that_was_set_back(-MINUTE, "just now")]
    fn status_tells_since_when_somebody_is_connected(#[case] ago: i64, #[case] told: &str) {
        let now = 1_767_225_600_000;
        let status = Status { since: Some(now - ago), ..connected() };
        assert_eq!(cells(&status, now)[2], told);
        let gone = Status { state: SessionState::Waiting, ..status };
        assert_eq!(cells(&gone, now)[2], "");
    }

    #[test]
    fn status_tells_the_lag_the_channels_and_what_waits() {
        let status = Status {
            lag: Some(Duration::from_micros(48_700)),
            channels: 12,
            closed: 2,
            waiting: 1,
            ..connected()
        };
        assert_eq!(cells(&status, 0), ["connected", "alice", "", "48 ms", "12, kept out of 2", "1 message"]);
    }
}
