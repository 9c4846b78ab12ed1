//! Channels and people: join, part, query, msg, charset, raw.

use super::meant::channel_named;
use super::table::Spot;
use super::{Context, first_steps, usage, usage_of};
use crate::bridge::{Charset, CharsetChange, InvalidCharset, Outcome, Refusal, Request, SessionHandle};
use crate::format::RichText;
use crate::names::{Channel, Key, Nick};

/// Channels that one command may enter.
const MOST_CHANNELS: usize = 20;

/// Whether a word behind the first of `join` is a further channel and no key.
pub(super) fn is_further_channel(word: &str) -> bool {
    word.starts_with(['#', '&'])
}

/// Channels, each with its key if one was typed.
type ToJoin = Vec<(Channel, Option<Key>)>;

/// The channels of a `join`, each with its key: `#tea,#cake key1,key2`, as on IRC, or with spaces between them.
fn to_join(rest: &str) -> Option<Result<ToJoin, Refusal>> {
    let mut words = rest.split_whitespace();
    let mut names: Vec<&str> = words.next()?.split(',').collect();
    let mut keys = Vec::new();
    for word in words {
        match word {
            channels if keys.is_empty() && is_further_channel(channels) => names.extend(channels.split(',')),
            _ if keys.is_empty() => keys = word.split(',').collect(),
            _ => return None,
        }
    }
    names.retain(|name| !name.is_empty());
    if names.is_empty() || names.len() > MOST_CHANNELS || keys.len() > names.len() {
        return None;
    }
    let keys = keys.into_iter().map(Some).chain(std::iter::repeat(None));
    let read = |(name, key): (&str, Option<&str>)| {
        let key = key.filter(|key| !key.is_empty()).map(Key::new).transpose();
        Ok((channel_named(name)?, key.map_err(|error| Refusal::asked(format!("That is no key: {error}.")))?))
    };
    Some(names.into_iter().zip(keys).map(read).collect())
}

/// `join [NETWORK] #CHANNEL[,#CHANNEL…] [KEY[,KEY…]]`, or `join ALIAS`.
pub(super) async fn join(context: Context<'_>) -> Outcome {
    if let Some(answer) = context.bridge.invite_to_shared(&context.call.user, context.rest.trim()).await {
        return answer;
    }
    let (session, rest) = context.session()?;
    let Some(channels) = to_join(rest) else { return usage(&context, "join") };
    let channels = channels?;
    let is_first = context.is_beginning().await?;
    let (mut text, mut is_refused) = (RichText::new(), false);
    let first = channels[0].0.clone();
    for (channel, key) in channels {
        let said = match enter(&context, &session, channel, key).await {
            Ok(said) => said,
            Err(refusal) => {
                is_refused = true;
                refusal.into_text()
            }
        };
        text = if text.is_empty() { said } else { text.line().then(said) };
    }
    if is_refused {
        return Err(Refusal::Asked(text));
    }
    Ok(if is_first { first_steps::after_join(text, first.as_str()) } else { text })
}

/// Enters a channel, or leads to its shared room where the user wants to be there.
async fn enter(
    context: &Context<'_>,
    session: &SessionHandle,
    channel: Channel,
    key: Option<Key>,
) -> Outcome {
    if key.is_none()
        && let Some(alias) = context.bridge.alias_to_join(session, &channel).await?
        && let Some(answer) = context.bridge.invite_to_shared(&context.call.user, &alias).await
    {
        return answer;
    }
    context.bridge.join(session, channel, key).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one("tea", Some("#tea"))]
    #[case::with_a_key("#tea sesame", Some("#tea=sesame"))]
    #[case::with_commas("#tea,&cake,", Some("#tea &cake"))]
    #[case::with_commas_and_keys("#tea,#cake,#pie one,,three", Some("#tea=one #cake #pie=three"))]
    #[case::with_spaces("#tea #cake", Some("#tea #cake"))]
    #[case::with_spaces_and_keys("#tea #cake one,two", Some("#tea=one #cake=two"))]
    #[case::a_key_that_looks_like_a_channel("#tea key,#cake", None)]
    #[case::more_behind_the_key("#tea key more", None)]
    #[case::a_channel_behind_the_key("#tea key #cake", None)]
    #[case::nothing("", None)]
    #[case::nothing_between_commas(",,", None)]
    #[case::too_many("#1,#2,#3,#4,#5,#6,#7,#8,#9,#10,#11,#12,#13,#14,#15,#16,#17,#18,#19,#20,#21", None)]
    fn several_channels_are_entered_as_on_irc(#[case] rest: &str, #[case] found: Option<&str>) {
        let told = to_join(rest).map(|channels| {
            let told = channels.unwrap().into_iter().map(|(channel, key)| match key {
                Some(key) => format!("{channel}={}", key.as_str()),
                None => channel.to_string(),
            });
            told.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(told.as_deref(), found);
    }
}
