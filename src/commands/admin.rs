//! What administrators see and do: who may use the bridge, who uses it, how it is, and a word to all.
//!
//! Of others' sessions only how they stand is shown: no conversation, no channel, nothing that was said.

use super::meant::first_word;
use super::{Context, usage, which};
use crate::bridge::{Mask, Outcome, Refusal, Request, SessionState, Status};
use crate::config::Permission;
use crate::format::{RichText, Table, date};
use crate::store::SessionRow;

/// Rows of a table that one answer has.
pub(super) const MOST_ROWS: usize = 100;

/// `permissions`.
pub(super) async fn permissions(context: Context<'_>) -> Outcome {
    if !context.rest.is_empty() {
        return usage(&context, "permissions");
    }
    let mut table = Table::new(["who", "may", "set in"]);
    for line in context.bridge.permissions() {
        let place = if line.is_fixed { "the configuration" } else { "here" };
        table = table.row([
            RichText::new().code(line.mask),
            RichText::plain(line.permission.word()),
            RichText::plain(place),
        ]);
    }
    let text = "A full id counts before a server's name, and that before *. The configuration's lines change there only.";
    Ok(RichText::new().table(table).line().text(text))
}

/// `permit WHO admin|user|none [confirm]`.
pub(super) async fn permit(context: Context<'_>) -> Outcome {
    let words: Vec<&str> = context.rest.split_whitespace().collect();
    let (who, permission, is_sure) = match words[..] {
        [who, permission] => (who, permission, false),
        [who, permission, sure] if sure.eq_ignore_ascii_case("confirm") => (who, permission, true),
        _ => return usage(&context, "permit"),
    };
    let mask = mask(who)?;
    let Some(permission) = Permission::read(permission) else { return usage(&context, "permit") };
    if permission == Permission::Admin && !mask.is_one_person() && !is_sure {
        let text = RichText::plain(format!(
            "That makes everybody whom {mask} fits an administrator of this bridge."
        ));
        return Ok(context.ask(text, mask.to_string(), format!("permit {mask} admin confirm")));
    }
    context.bridge.permit(&mask, Some(permission)).await
}

/// `unpermit WHO`.
pub(super) async fn unpermit(context: Context<'_>) -> Outcome {
    let (who, rest) = context.word();
    if who.is_empty() || !rest.is_empty() {
        return usage(&context, "unpermit");
    }
    context.bridge.permit(&mask(who)?, None).await
}

fn mask(text: &str) -> Result<Mask, Refusal> {
    Mask::new(text).map_err(|error| Refusal::asked(format!("{text} is nobody: {error}.")))
}

/// `users`.
pub(super) async fn users(context: Context<'_>) -> Outcome {
    if !context.rest.is_empty() {
        return usage(&context, "users");
    }
    let users = context.bridge.store.users_since().await?;
    let mut table = Table::new(["user", "may", "networks", "since"]);
    for (user_id, since) in users.iter().take(MOST_ROWS) {
        let sessions = context.bridge.sessions(Some(user_id));
        let networks: Vec<String> = sessions.iter().map(|session| session.row.address()).collect();
        table = table.row([
            RichText::plain(user_id),
            RichText::plain(context.bridge.permission_of(user_id).word()),
            RichText::plain(networks.join(", ")),
            RichText::plain(date(*since)),
        ]);
    }
    let text = RichText::new().table(table);
    Ok(and_more(text, users.len(), "users"))
}

pub(super) fn and_more(text: RichText, count: usize, what: &str) -> RichText {
    match count.saturating_sub(MOST_ROWS) {
        0 => text,
        more => text.line().text(format!("And {more} more {what}.")),
    }
}

/// `sessions [USER]`.
pub(super) async fn sessions(context: Context<'_>) -> Outcome {
    let (user, rest) = context.word();
    if !rest.is_empty() {
        return usage(&context, "sessions");
    }
    let sessions = context.bridge.sessions(Some(user).filter(|user| !user.is_empty()));
    if sessions.is_empty() {
        let who = if user.is_empty() { "Nobody" } else { user };
        return Ok(RichText::plain(format!("{who} has no network open.")));
    }
    let mut table = Table::new(["user", "network", "is", "nick", "channels", "waiting", "because"]);
    for session in sessions.iter().take(MOST_ROWS) {
        let Status { state, nick, channels, waiting, reason, .. } = session.status();
        table = table.row([
            RichText::plain(&session.row.user_id),
            RichText::plain(session.row.address()),
            RichText::plain(in_words(state)),
            RichText::plain(nick),
            RichText::plain(channels.to_string()),
            RichText::plain(waiting.to_string()),
            RichText::plain(reason.unwrap_or_default()),
        ]);
    }
    Ok(and_more(RichText::new().table(table), sessions.len(), "sessions"))
}

fn in_words(state: SessionState) -> &'static str {
    match state {
        SessionState::Idle => "not connected",
        SessionState::Connecting => "connecting",
        SessionState::Connected => "connected",
        SessionState::Waiting => "trying again",
        SessionState::Stuck => "stuck",
    }
}

/// `session USER NETWORK connect | disconnect [REASON]`.
pub(super) async fn session(context: Context<'_>) -> Outcome {
    let (user, rest) = context.word();
    let sessions = context.bridge.sessions(Some(user));
    let rows: Vec<&SessionRow> = sessions.iter().map(|session| &session.row).collect();
    let (meant, rest) = match which::one_of(&rows, rest, str::to_owned)? {
        Some((row, rest)) => (Ok(row.id), rest),
        None => {
            let (network, rest) = first_word(rest);
            (Err(network), rest)
        }
    };
    let (what, reason) = first_word(rest);
    let request = match what.to_ascii_lowercase().as_str() {
        "connect" if reason.is_empty() => None,
        "disconnect" => Some(Request::Disconnect { reason: reason.to_owned() }),
        _ => return usage(&context, "session"),
    };
    let found = meant.map(|id| sessions.iter().find(|session| session.row.id == id));
    match found {
        Ok(Some(session)) => match request {
            Some(request) => session.ask(request).await,
            None => context.bridge.connect_session(session).await,
        },
        Ok(None) => Err(Refusal::Stopping),
        Err(network) => {
            let text =
                RichText::plain(format!("{user} does not have {network} open. To see who has what, type "));
            Err(Refusal::Asked(text.code("sessions").text(".")))
        }
    }
}

/// `erase USER [confirm]`.
pub(super) async fn erase(context: Context<'_>) -> Outcome {
    let (user, sure) = context.word();
    let is_sure = sure.eq_ignore_ascii_case("confirm");
    if user.is_empty() || !(sure.is_empty() || is_sure) {
        return usage(&context, "erase");
    }
    if user == context.call.user.user_id {
        return Err(Refusal::asked(
            "That is you, and I could not answer. Another administrator can do it, or towline user delete while I am \
             stopped.",
        ));
    }
    if is_sure {
        let (by, progress) = (&context.call.user.user_id, context.call.progress.as_ref());
        return context.bridge.erase_user(by, user, progress).await;
    }
    if context.bridge.store.known_user(user).await?.is_none() {
        let text = RichText::plain(format!("Nothing is kept about {user}. To see who is known, type "));
        return Err(Refusal::Asked(text.code("users").text(".")));
    }
    let more = match context.bridge.permission_of(user) {
        Permission::None => String::new(),
        _ => format!(" They may begin anew; to keep them out, type permit {user} none first."),
    };
    let text = RichText::plain(format!(
        "This disconnects {user}, takes them out of all rooms that I made for them, and deletes all that is kept about \
         them, for good: networks, settings, history.{more}"
    ));
    Ok(context.ask(text, format!("erasing {user}"), format!("erase {user} confirm")))
}

/// `ident [USER [NAME | off]]`.
pub(super) async fn ident(context: Context<'_>) -> Outcome {
    let (user, rest) = context.word();
    let (name, more) = first_word(rest);
    if !more.is_empty() {
        return usage(&context, "ident");
    }
    if !user.is_empty() {
        let name = if name.eq_ignore_ascii_case("off") {
            Some("")
        } else {
            Some(name).filter(|name| !name.is_empty())
        };
        return context.bridge.set_ident(user, name).await;
    }
    let set = context.bridge.idents().await?;
    if set.is_empty() {
        let text = RichText::plain("All have the names that this bridge gives them. To set one, type ");
        return Ok(text.code("ident USER NAME").text("."));
    }
    let rows = set.iter().take(MOST_ROWS);
    let table = rows.fold(Table::new(["user", "is to IRC"]), |table, (user, name)| {
        table.row([RichText::plain(user), RichText::plain(name)])
    });
    Ok(and_more(RichText::new().table(table), set.len(), "users"))
}

/// `announce TEXT`.
pub(super) async fn announce(context: Context<'_>) -> Outcome {
    if context.rest.is_empty() {
        return usage(&context, "announce");
    }
    let told = context.bridge.announce(&context.call.user.user_id, context.rest).await?;
    Ok(RichText::plain(match told {
        1 => "One user is told, in their chat with me.".to_owned(),
        more => format!("{more} users are told, each in their chat with me."),
    }))
}

/// `stats`.
pub(super) async fn stats(context: Context<'_>) -> Outcome {
    if !context.rest.is_empty() {
        return usage(&context, "stats");
    }
    let census = context.bridge.census().await?;
    let mut table = Table::new(["", ""]);
    let mut row = |name: &str, value: String| {
        let full = std::mem::replace(&mut table, Table::new(["", ""]));
        table = full.row([RichText::plain(name), RichText::plain(value)]);
    };
    row("users", census.users.to_string());
    let states: Vec<String> =
        census.sessions.iter().map(|(state, count)| format!("{count} {}", in_words(*state))).collect();
    row("sessions", if states.is_empty() { "none".to_owned() } else { states.join(", ") });
    row("messages that wait to go to IRC", census.lines_waiting.to_string());
    row("messages from Matrix that wait", census.events_waiting.to_string());
    row(
        "events for Matrix that wait",
        format!("{} in {} rooms", census.requests_waiting, census.rooms_waiting),
    );
    row("set aside, since they could not be read", census.events_failed.to_string());
    row("rooms whose people are yet to come in", census.rooms_ushered.to_string());
    if let Some(bytes) = census.memory {
        row("memory", format!("{} MB", bytes / 1024 / 1024));
    }
    Ok(RichText::new().table(table))
}

/// `drain [off]`.
pub(super) async fn drain(context: Context<'_>) -> Outcome {
    match context.rest.to_ascii_lowercase().as_str() {
        "" => context.bridge.drain(true),
        "off" => {
            context.bridge.drain(false);
            return Ok(RichText::plain("Sessions connect again."));
        }
        _ => return usage(&context, "drain"),
    }
    let census = context.bridge.census().await?;
    let connected = census.sessions.iter().find(|(state, _)| *state == SessionState::Connected);
    let connected = connected.map_or(0, |(_, count)| *count);
    let connected =
        if connected == 1 { "One session is".to_owned() } else { format!("{connected} sessions are") };
    let text = format!(
        "Nobody connects anew until this bridge is restarted, or you type drain off. {connected} connected and stay so. \
         Still on their way: {} messages from Matrix, {} messages to IRC, {} events to Matrix. Nothing of it is lost by \
         a restart; type drain again to see how it goes.",
        census.events_waiting, census.lines_waiting, census.requests_waiting
    );
    Ok(RichText::plain(text))
}
