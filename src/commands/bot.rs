//! `bot` and `avatar`: what administrators have people see of the bot, and of the ghosts of people on IRC.

use super::meant::first_word;
use super::{Context, usage};
use crate::bridge::Outcome;

/// `bot [name NAME | name off | avatar mxc://… | avatar off]`.
pub(super) async fn bot(context: Context<'_>) -> Outcome {
    let (part, value) = first_word(context.rest);
    let wanted = Some(value).filter(|value| !value.eq_ignore_ascii_case("off"));
    match (part.to_ascii_lowercase().as_str(), value) {
        ("", _) => context.bridge.bot_appearance().await,
        ("name", value) if !value.is_empty() => context.bridge.name_bot(wanted).await,
        ("avatar", value) if !value.is_empty() => context.bridge.picture_bot(wanted).await,
        _ => usage(&context, "bot"),
    }
}

/// `avatar [NETWORK] NICK mxc://… | off`.
pub(super) async fn avatar(context: Context<'_>) -> Outcome {
    let (session, nick, picture) = context.nick().await?;
    if picture.is_empty() {
        return usage(&context, "avatar");
    }
    let wanted = Some(picture).filter(|picture| !picture.eq_ignore_ascii_case("off"));
    context.bridge.picture_ghost(&session, &nick, wanted).await
}
