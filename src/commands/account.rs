//! Who one is on a network: nick and login.

use super::{Context, usage};
use crate::bridge::{Outcome, Refusal, Request};
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

/// More would only make a refusal slow.
const MOST_ALTERNATIVES: usize = 8;

/// `nicks [NETWORK] [NICK… | off]`.
pub(super) async fn nicks(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return session.ask(Request::Alternatives(None)).await;
    }
    let words: Vec<&str> = rest.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if words.len() > MOST_ALTERNATIVES {
        return Err(Refusal::asked(format!("{MOST_ALTERNATIVES} nicks are enough.")));
    }
    if rest.eq_ignore_ascii_case("off") {
        return session.ask(Request::Alternatives(Some(Vec::new()))).await;
    }
    let nick =
        |word: &&str| Nick::new(word).map_err(|error| Refusal::asked(format!("{word} is no nick: {error}.")));
    let nicks = words.iter().map(nick).collect::<Result<_, _>>()?;
    session.ask(Request::Alternatives(Some(nicks))).await
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
        _ => return usage(&context, "sasl"),
    };
    session.ask(Request::Sasl(login)).await
}
