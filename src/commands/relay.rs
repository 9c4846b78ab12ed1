//! `relay`: a session that says in a channel what people say in its shared room who have no connection of their own.

use super::meant::channel_named;
use super::{Context, usage};
use crate::bridge::Outcome;
use crate::format::{RichText, Table};

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
