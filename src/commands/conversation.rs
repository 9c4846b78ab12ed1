//! Channels and people: join, part, query, msg, charset, raw.

use super::meant::channel_named;
use super::table::Spot;
use super::{Context, first_steps, usage, usage_of};
use crate::bridge::{Charset, CharsetChange, InvalidCharset, Outcome, Refusal, Request};
use crate::names::{Key, Nick};

/// `join [NETWORK] #CHANNEL [KEY]`, or `join ALIAS`.
pub(super) async fn join(context: Context<'_>) -> Outcome {
    if let Some(answer) = context.bridge.invite_to_shared(&context.call.user, context.rest.trim()).await {
        return answer;
    }
    let (session, rest) = context.session()?;
    let mut words = rest.split_whitespace();
    let (Some(name), key, None) = (words.next(), words.next(), words.next()) else {
        return usage(&context, "join");
    };
    let channel = channel_named(name)?;
    let key =
        key.map(Key::new).transpose().map_err(|error| Refusal::asked(format!("That is no key: {error}.")))?;
    let is_first = context.is_beginning().await?;
    let name = channel.clone();
    let answer = context.bridge.join(&session, channel, key).await?;
    Ok(if is_first { first_steps::after_join(answer, name.as_str()) } else { answer })
}

/// `part [NETWORK] #CHANNEL [REASON]`.
pub(super) async fn part(context: Context<'_>) -> Outcome {
    let (session, channel, reason) = context.channel().await?;
    session.ask(Request::Part { channel, reason: reason.trim().to_owned() }).await
}

/// `channels [NETWORK]`.
pub(super) async fn channels(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "channels");
    }
    session.ask(Request::Channels).await
}

/// `query [NETWORK] NICK [TEXT]`.
pub(super) async fn query(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (nick, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if nick.is_empty() {
        return usage(&context, "query");
    }
    let text = text.trim();
    context.bridge.query(&session, nick, (!text.is_empty()).then(|| text.to_owned())).await
}

/// `msg [NETWORK] NICK TEXT`.
pub(super) async fn message(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    match rest.split_once(char::is_whitespace) {
        Some((target, text)) if !text.trim().is_empty() => {
            session.ask(Request::Message { target: target.to_owned(), text: text.trim().to_owned() }).await
        }
        _ => usage(&context, "msg"),
    }
}

/// `charset [NETWORK] [#CHANNEL | NICK] [CHARSET [read] | off]`.
pub(super) async fn charset(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let refuse = |error: InvalidCharset| Refusal::asked(format!("{error}."));
    let (name, change) = match charset_change(rest) {
        Ok(change) => (context.here().await?.map(|here| here.name), change),
        Err(error @ InvalidCharset::Unfit(_)) => return Err(refuse(error)),
        Err(InvalidCharset::Unknown(_)) => {
            let (name, change) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            (Some(name.to_owned()), charset_change(change).map_err(refuse)?)
        }
    };
    session.ask(Request::Charset { name, change }).await
}

fn charset_change(text: &str) -> Result<CharsetChange, InvalidCharset> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(CharsetChange::Show),
        "off" => Ok(CharsetChange::Off),
        charset => charset.parse::<Charset>().map(CharsetChange::Set),
    }
}

/// `stop [NETWORK] [#CHANNEL | NICK]`.
pub(super) async fn stop(context: Context<'_>) -> Outcome {
    let (session, name) = context.name().await?;
    session.ask(Request::Stop { name }).await
}

/// `whois [NETWORK] [NICK]`.
pub(super) async fn whois(context: Context<'_>) -> Outcome {
    let (_, rest) = context.session()?;
    if rest.is_empty() && Spot::of(context.call.place) != Spot::Query {
        return whoami(context).await;
    }
    let (session, nick, _) = context.nick().await?;
    session.ask(Request::Whois(nick)).await
}

/// `whoami [NETWORK]`, and `whois` without anybody.
pub(super) async fn whoami(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return Err(usage_of(&context));
    }
    match Nick::new(&session.status().nick) {
        Ok(nick) => session.ask(Request::Whois(nick)).await,
        Err(_) => {
            let name = context.bridge.network_name(&session.row.address());
            Err(Refusal::asked(format!("You are not connected to {name}.")))
        }
    }
}

/// `raw [NETWORK] LINE`.
pub(super) async fn raw(context: Context<'_>) -> Outcome {
    let (session, line) = context.session()?;
    if line.is_empty() {
        return usage(&context, "raw");
    }
    session.ask(Request::Raw(line.to_owned())).await
}
