//! `plumb`, `unplumb`: rooms that exist already and show a channel.

use super::admin::{MOST_ROWS, and_more};
use super::meant::{channel_named, first_word};
use super::{Context, usage, usage_of};
use crate::bridge::{Outcome, SessionHandle};
use crate::config::Permission;
use crate::format::{RichText, Table};

/// Whether a word is a room's id or alias, and no channel.
fn is_room(word: &str) -> bool {
    word.starts_with('!') || word.starts_with('#') && word.contains(':')
}

fn is_admin(context: &Context<'_>) -> bool {
    context.call.permission == Permission::Admin
}

/// `plumb [NETWORK] [!ROOM:SERVER | #ALIAS:SERVER #CHANNEL]`.
pub(super) async fn plumb(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (room, rest) = first_word(rest);
    if room.is_empty() {
        return list(&context, &session).await;
    }
    let (channel, more) = first_word(rest);
    if !is_room(room) || channel.is_empty() || !more.is_empty() {
        return usage(&context, "plumb");
    }
    let channel = channel_named(channel)?;
    context.bridge.plumb(&session, context.call.permission, room, channel).await
}

async fn list(context: &Context<'_>, session: &SessionHandle) -> Outcome {
    let all = is_admin(context);
    let rooms = context.bridge.plumbed_on(session, all).await?;
    let network = context.bridge.network_name(&session.row.network);
    if rooms.is_empty() {
        let whose = if all { "" } else { "that you are in " };
        return Ok(RichText::plain(format!(
            "No room {whose}shows a channel of {network} because of plumb or the configuration."
        )));
    }
    let mut table = Table::new(["channel", "room", "by"]);
    for room in rooms.iter().take(MOST_ROWS) {
        let by = match &room.asked_by {
            _ if room.is_configured => "the configuration".to_owned(),
            Some(user_id) => format!("plumb, which {user_id} typed"),
            None => "plumb".to_owned(),
        };
        let channel = RichText::new().bold(&room.channel);
        table = table.row([channel, RichText::plain(&room.room_id), RichText::plain(by)]);
    }
    let text = RichText::plain(format!("Rooms that show channels of {network}:")).table(table);
    Ok(and_more(text, rooms.len(), "rooms"))
}

/// `unplumb [NETWORK] #CHANNEL | !ROOM:SERVER | #ALIAS:SERVER`.
pub(super) async fn unplumb(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (what, more) = first_word(rest);
    if what.is_empty() || !more.is_empty() {
        return Err(usage_of(&context));
    }
    let what = if is_room(what) { what.to_owned() } else { channel_named(what)?.as_str().to_owned() };
    context.bridge.unplumb(&session, is_admin(&context), &what).await
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_id("!AbCdEf:example.org", true)]
    #[case::an_id_without_a_server("!AbCdEf", true)]
    #[case::an_alias("#tea:example.org", true)]
    #[case::a_channel("#tea", false)]
    #[case::a_word("tea:example.org", false)]
    fn rooms_are_told_from_channels(#[case] word: &str, #[case] is_one: bool) {
        assert_eq!(is_room(word), is_one);
    }
}
