//! `bot`: what administrators have people see of the bot.

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
