//! `mute` and `unmute`: the setting `notify` of one channel, by the words that people look for.
//!
//! Where the bridge can't act as its user nothing of theirs rings otherwise by it, so nothing is stored, and the answer
//! says where they do it themselves.

use super::{Context, usage_of};
use crate::bridge::{Manners, Outcome, Refusal, Request, SessionHandle};
use crate::format::RichText;
use crate::names::Channel;
use crate::store::settings::{Kind, NOTIFY, Scope};

/// Where people see to it themselves.
pub(super) const IN_THE_CLIENT: &str =
    "in Element open the room's settings, then Notifications; what you choose there holds";

/// A channel of the person's.
struct About {
    session: SessionHandle,
    channel: Channel,
    buffer: i64,
}

async fn about(context: &Context<'_>) -> Result<About, Refusal> {
    let (session, channel, rest) = context.channel().await?;
    if !rest.is_empty() {
        return Err(usage_of(context));
    }
    let buffer = context.own_channel(&session, &channel).await?;
    if !context.bridge.acts_as(&context.call.user.user_id) {
        return Err(Refusal::asked(format!(
            "This bridge can't set that for you, since it has no double puppeting: {IN_THE_CLIENT}."
        )));
    }
    Ok(About { session, channel, buffer })
}

/// `mute [NETWORK] [#CHANNEL]`.
pub(super) async fn mute(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    context.bridge.store.set_setting(&NOTIFY, Scope::Buffer, about.buffer, Some("none")).await?;
    _ = about.session.ask(Request::Manners).await;
    let text = format!("The room of {} rings for nothing any more. To change that, type ", about.channel);
    let command = format!("unmute {}", about.channel);
    Ok(RichText::plain(text).code(command).text("."))
}

/// `unmute [NETWORK] [#CHANNEL]`.
pub(super) async fn unmute(context: Context<'_>) -> Outcome {
    let About { session, channel, buffer } = about(&context).await?;
    let (store, user) = (&context.bridge.store, context.call.user.id);
    store.set_setting(&NOTIFY, Scope::Buffer, buffer, None).await?;
    let load = || Manners::load(context.bridge, user, session.row.id, &session.row.network);
    let mut manners = load().await?;
    if manners.value(&NOTIFY, Some(buffer)).0 == Some("none") {
        // All channels are mute by what is set further out, and this one is not to be.
        store.set_setting(&NOTIFY, Scope::Buffer, buffer, Some(&NOTIFY.default())).await?;
        manners = load().await?;
    }
    _ = session.ask(Request::Manners).await;
    let value = manners.value(&NOTIFY, Some(buffer)).0.map_or_else(|| NOTIFY.default(), str::to_owned);
    let Kind::Choice(words) = NOTIFY.kind else { return Err(usage_of(&context)) };
    let meaning = words.iter().find(|(word, _)| *word == value).map_or("", |(_, meaning)| meaning);
    Ok(RichText::plain(format!("The room of {channel} rings for {meaning}.")))
}
