//! `onjoin`: commands that are carried out whenever a channel is entered, as if they were typed in its room.
//!
//! Only such as act in the channel or say something: none that enters, leaves or asks. They are stored sealed, since one
//! may hold a password.

use super::{Context, find, name_and_rest, passwords, table, usage_of};
use crate::bridge::{Outcome, Refusal, enters_or_leaves};
use crate::format::{RichText, may_hold_password};
use crate::store::settings::{ON_JOIN, Scope};

/// Commands for one channel.
const MOST: usize = 5;
/// Bytes of one of them.
const LONGEST: usize = 400;
/// What may be done by itself.
const ALLOWED: [&str; 19] = [
    "mode", "op", "deop", "halfop", "dehalfop", "voice", "devoice", "topic", "invite", "ban", "unban",
    "quiet", "unquiet", "msg", "notice", "nickserv", "chanserv", "ctcp", "raw",
];

/// `onjoin [NETWORK] [#CHANNEL] [COMMAND | off]`.
pub(super) async fn on_join(context: Context<'_>) -> Outcome {
    let (session, channel, rest) = context.channel().await?;
    let store = &context.bridge.store;
    let buffer = context.own_channel(&session, &channel).await?;
    let known = store.setting(&ON_JOIN, Scope::Buffer, buffer).await?;
    let known = known.map(|value| value.text().to_owned()).unwrap_or_default();
    let mut commands: Vec<&str> = known.lines().collect();
    if rest.is_empty() {
        return Ok(shown(channel.as_str(), &commands));
    }
    if rest.eq_ignore_ascii_case("off") {
        store.set_setting(&ON_JOIN, Scope::Buffer, buffer, None).await?;
        return Ok(RichText::plain(format!("Nothing is done by itself any more when you enter {channel}.")));
    }
    let (name, behind) = name_and_rest(rest);
    let command = find(name, context.call.permission).filter(|command| ALLOWED.contains(&command.name));
    let Some(command) = command else {
        return Err(Refusal::asked(format!(
            "{name} is nothing that can be done by itself. What can be: {}.",
            known_names(&context)
        )));
    };
    if command.name == "raw" && enters_or_leaves(behind) {
        return Err(Refusal::asked(
            "Nothing that enters or leaves can be done by itself here: it would go on for ever.",
        ));
    }
    if rest.contains('\n') {
        return Err(usage_of(&context));
    }
    if commands.len() >= MOST || rest.len() > LONGEST {
        return Err(Refusal::asked(format!(
            "A channel has at most {MOST} of them, of {LONGEST} bytes each. To begin anew, set it to off."
        )));
    }
    commands.push(rest);
    store.set_setting(&ON_JOIN, Scope::Buffer, buffer, Some(&commands.join("\n"))).await?;
    Ok(shown(channel.as_str(), &commands))
}

/// Those of the allowed that there are for this person.
fn known_names(context: &Context<'_>) -> String {
    let known = ALLOWED.into_iter().filter(|name| find(name, context.call.permission).is_some());
    known.collect::<Vec<_>>().join(", ")
}

/// Whether a command holds a password or a channel's key.
pub(super) fn holds_secret(command: &str) -> bool {
    let (name, rest) = name_and_rest(command);
    let known = table::find(name).filter(|command| command.secret && command.name != "onjoin");
    may_hold_password(command) || known.is_some_and(|command| passwords::holds_secret(command, rest))
}

/// The commands of a channel; of one with a password no more than its name.
fn shown(channel: &str, commands: &[&str]) -> RichText {
    if commands.is_empty() {
        let text = RichText::plain(format!(
            "Nothing is done by itself when you enter {channel}. To change that, type "
        ));
        return text.code("onjoin COMMAND").text(".");
    }
    let text = RichText::new().bold(format!("When you enter {channel}:"));
    commands.iter().fold(text, |text, command| {
        let (name, _) = name_and_rest(command);
        if holds_secret(command) {
            text.line().text(format!("{name} … (not shown: it holds a password)"))
        } else {
            text.line().text(*command)
        }
    })
}
