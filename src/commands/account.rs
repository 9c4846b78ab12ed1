//! Who one is on a network, and what the connection can do: nick, login, capabilities.

use super::{Context, usage};
use crate::bridge::{Outcome, Refusal, Request, WishChange};
use crate::names::Nick;

/// `nick [NETWORK] [NICK]`.
pub(super) async fn nick(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return session.ask(Request::Nick(None)).await;
    }
    let nick = Nick::new(rest).map_err(|error| Refusal::asked(format!("{rest} is no nick: {error}.")))?;
    session.ask(Request::Nick(Some(nick))).await
}

/// `sasl [NETWORK] [ACCOUNT PASSWORD | off]`.
pub(super) async fn sasl(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let login = match rest.split_once(char::is_whitespace) {
        None if rest.is_empty() => return session.ask(Request::ShowSasl).await,
        None if rest.eq_ignore_ascii_case("off") => None,
        Some((account, password)) if !password.trim().is_empty() => {
            Some((account.to_owned(), password.trim().to_owned().into()))
        }
        _ => return usage("sasl"),
    };
    session.ask(Request::Sasl(login)).await
}

/// `capabilities [NETWORK] [+NAME | -NAME … | reset]`.
pub(super) async fn capabilities(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let change = match rest {
        "" => WishChange::Show,
        word if word.eq_ignore_ascii_case("reset") => WishChange::Reset,
        words if words.starts_with(['+', '-']) => match words.parse() {
            Ok(wishes) => WishChange::Change(wishes),
            Err(error) => return Err(Refusal::asked(format!("That can't be: {error}."))),
        },
        _ => return usage("capabilities"),
    };
    session.ask(Request::Capabilities(change)).await
}
