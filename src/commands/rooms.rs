//! Rooms: the space of a network.

use super::{Context, usage};
use crate::bridge::{Outcome, Request};
use crate::store::settings::{self, Scope};

/// `space [NETWORK] [on | off]`.
pub(super) async fn space(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let wanted = match rest.to_ascii_lowercase().as_str() {
        "" | "on" => true,
        "off" => false,
        _ => return usage(&context, "space"),
    };
    let word = if wanted { "on" } else { "off" };
    context.bridge.store.set_setting(&settings::SPACE, Scope::Session, session.row.id, Some(word)).await?;
    // One that does not run reads it when it starts.
    _ = session.ask(Request::Manners).await;
    context.bridge.show_space(&session, wanted).await
}
