//! Sessions that are there for others: `relay`, which says in a channel what people say in its shared room who have no
//! connection of their own, and `listen`, which hears the channels of shared rooms with few people.

use super::meant::channel_named;
use super::{Context, usage};
use crate::bridge::{Outcome, SessionState};
use crate::format::{RichText, Table};

/// Nobody is to listen in rooms with more people.
const MOST_PEOPLE: usize = 1_000;
/// Channels that are named in a table.
const MOST_NAMED: usize = 10;

/// `relay [NETWORK] [#CHANNEL [off]]`.
pub(super) async fn relay(context: Context<'_>) -> Outcome {
    if context.rest.is_empty() {
        return relays(&context).await;
    }
    let (session, rest) = context.session()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        [] => relays(&context).await,
        [channel] => context.bridge.relay(&session, &channel_named(channel)?).await,
        [channel, off] if off.eq_ignore_ascii_case("off") => {
            context.bridge.end_relay(&session, &channel_named(channel)?).await
        }
        _ => usage(&context, "relay"),
    }
}

/// `listen [NETWORK] [NUMBER | off]`.
pub(super) async fn listen(context: Context<'_>) -> Outcome {
    if context.rest.is_empty() {
        return listeners(&context).await;
    }
    let (session, rest) = context.session()?;
    let below = match rest.trim() {
        "" => return listeners(&context).await,
        off if off.eq_ignore_ascii_case("off") => None,
        number => match number.parse() {
            Ok(below) if (1..=MOST_PEOPLE).contains(&below) => Some(below),
            _ => return usage(&context, "listen"),
        },
    };
    context.bridge.listen(&session, below).await
}

async fn listeners(context: &Context<'_>) -> Outcome {
    let chosen = context.bridge.store.listening().await?;
    if chosen.is_empty() {
        let text = "No session listens for others: what is said in a channel reaches its shared room through those who are \
                    there. To change that, type ";
        return Ok(RichText::plain(text).code("help listen").text("."));
    }
    let there = context.bridge.store.listeners().await?;
    let mut table = Table::new(["through", "of", "nick", "in rooms with fewer than", "channels now"]);
    for (id, network, below) in chosen.iter().take(super::admin::MOST_ROWS) {
        let Some(session) = context.bridge.session(*id) else {
            table = table.row(
                [format!("{network}, closed"), String::new(), String::new(), below.clone(), String::new()]
                    .map(RichText::plain),
            );
            continue;
        };
        let channels: Vec<&str> =
            there.iter().filter(|one| one.session == *id).map(|one| one.channel.as_str()).collect();
        let channels = match channels.len() {
            _ if session.status().state != SessionState::Connected => "not connected".to_owned(),
            0 => "no channel".to_owned(),
            1..=MOST_NAMED => channels.join(" "),
            count => format!("{} and {} more", channels[..MOST_NAMED].join(" "), count - MOST_NAMED),
        };
        table = table.row(
            [
                session.row.address(),
                session.row.user_id.clone(),
                session.status().nick,
                below.clone(),
                channels,
            ]
            .map(RichText::plain),
        );
    }
    Ok(super::admin::and_more(RichText::new().table(table), chosen.len(), "listeners"))
}

async fn relays(context: &Context<'_>) -> Outcome {
    let relays = context.bridge.store.relays().await?;
    if relays.is_empty() {
        let text = "Nobody is relayed: what people say in rooms of channels who have no connection of their own stays \
                    there. To change that, type ";
        return Ok(RichText::plain(text).code("help relay").text("."));
    }
    let mut table = Table::new(["channel", "through", "of", "nick"]);
    for relay in relays.iter().take(super::admin::MOST_ROWS) {
        let session = context.bridge.session(relay.session);
        let (address, nick) = session.map_or_else(
            || ("none any more".to_owned(), String::new()),
            |session| (session.row.address(), session.status().nick),
        );
        table = table.row([
            RichText::plain(&relay.channel),
            RichText::plain(address),
            RichText::plain(&relay.user_id),
            RichText::plain(nick),
        ]);
    }
    Ok(super::admin::and_more(RichText::new().table(table), relays.len(), "relays"))
}
