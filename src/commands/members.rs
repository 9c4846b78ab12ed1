//! Who of a channel's people is in its room: sync.

use super::{Context, usage};
use crate::bridge::Outcome;

/// `sync [NETWORK] [#CHANNEL]`.
pub(super) async fn sync(context: Context<'_>) -> Outcome {
    let (session, channel, rest) = context.channel().await?;
    if !rest.is_empty() {
        return usage(&context, "sync");
    }
    context.bridge.sync_members(&session, channel.as_str().to_owned()).await
}
