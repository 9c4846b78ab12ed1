//! `autocmd`: what runs by itself on each connection, before channels are entered.

use super::table::Spot;
use super::{Context, usage};
use crate::bridge::{AutoCommands, Outcome, Refusal};
use crate::format::RichText;
use crate::store::settings::{self, Scope};

/// `autocmd [NETWORK] [add COMMAND | remove NUMBER | off]`.
pub(super) async fn autocmd(context: Context<'_>) -> Outcome {
    if Spot::of(context.call.place) == Spot::Channel {
        // Before channels are entered it could do nothing about this one.
        let text =
            RichText::plain("What is done when you enter this channel is set with ").code("onjoin COMMAND");
        return Err(Refusal::Asked(text.text(
            ". What is done on each connection, before channels are entered, is set with autocmd in the network's room.",
        )));
    }
    let (session, rest) = context.session()?;
    let (store, id) = (&context.bridge.store, session.row.id);
    let stored = store.setting(&settings::AUTOCMD, Scope::Session, id).await?;
    let mut commands = AutoCommands::stored(stored.as_ref().map_or("", settings::Value::text));
    let (word, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match (word.to_ascii_lowercase().as_str(), more.trim()) {
        ("", "") => return Ok(shown(&commands, &session.row.address())),
        ("add", command) if !command.is_empty() => {
            let unfit = |error| Refusal::asked(format!("That can't run by itself: {error}."));
            commands.add(command).map_err(unfit)?;
        }
        ("remove", number) => {
            let number = number.parse().unwrap_or_default();
            if !commands.remove(number) {
                let text =
                    RichText::plain("There is no command of that number. Which there are is shown by ");
                return Err(Refusal::Asked(text.code("autocmd").text(".")));
            }
        }
        ("off", "") => commands = AutoCommands::default(),
        _ => return usage(&context, "autocmd"),
    }
    store.set_setting(&settings::AUTOCMD, Scope::Session, id, commands.to_stored().as_deref()).await?;
    Ok(shown(&commands, &session.row.address()))
}

fn shown(commands: &AutoCommands, network: &str) -> RichText {
    let lines: Vec<String> = commands.shown().collect();
    if lines.is_empty() {
        return RichText::plain(format!(
            "Nothing runs by itself on {network}. To have something do so, type "
        ))
        .code("autocmd add COMMAND")
        .text(".");
    }
    let text = RichText::plain(format!("On each connection to {network}, before channels are entered:"));
    lines
        .iter()
        .zip(1..)
        .fold(text, |text, (line, number)| text.line().text(format!("{number}. ")).code(line))
}
