//! What a network has of one: user name, real name, the server's password, modes, being away.

use super::{Context, usage};
use crate::bridge::{Change, Outcome, ProfileRequest, Request, StandingRequest};

/// What is typed behind a command that keeps something: nothing, a word that takes it back, or what is to be kept.
fn change(rest: &str, words_back: &[&str]) -> Change<String> {
    let rest = rest.trim();
    if rest.is_empty() {
        Change::Show
    } else if words_back.iter().any(|word| rest.eq_ignore_ascii_case(word)) {
        Change::Remove
    } else {
        Change::Set(rest.to_owned())
    }
}

/// `username [NETWORK] [NAME | off]`.
pub(super) async fn username(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    session.ask(Request::Profile(ProfileRequest::Username(change(rest, &["off"])))).await
}

/// `realname [NETWORK] [NAME | off]`.
pub(super) async fn realname(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    session.ask(Request::Profile(ProfileRequest::Realname(change(rest, &["off"])))).await
}

/// `password [NETWORK] [PASSWORD | off]`.
pub(super) async fn password(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let change = match change(rest, &["off"]) {
        Change::Show => Change::Show,
        Change::Set(password) => Change::Set(password.into()),
        Change::Remove => Change::Remove,
    };
    session.ask(Request::Profile(ProfileRequest::Password(change))).await
}

/// `umode [NETWORK] [MODES]`.
pub(super) async fn umode(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    session.ask(Request::Standing(StandingRequest::Modes(rest.to_owned()))).await
}

/// `back [NETWORK]`.
pub(super) async fn back(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "back");
    }
    session.ask(Request::Standing(StandingRequest::Away(Change::Remove))).await
}

/// `away [NETWORK] [WHY | off]`.
pub(super) async fn away(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    session.ask(Request::Standing(StandingRequest::Away(change(rest, &["off", "back"])))).await
}
