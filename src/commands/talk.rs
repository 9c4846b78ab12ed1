//! What is said otherwise than as a message: notices, CTCP requests, words to services.

use super::meant::nick_named;
use super::{Context, usage};
use crate::bridge::{Outcome, Refusal, Request, SayRequest, Service};

/// `notice [NETWORK] NICK | #CHANNEL TEXT`.
pub(super) async fn notice(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    match rest.split_once(char::is_whitespace) {
        Some((target, text)) if !text.trim().is_empty() => {
            let (target, text) = (target.to_owned(), text.trim().to_owned());
            session.ask(Request::Say(SayRequest::Notice { target, text })).await
        }
        _ => usage(&context, "notice"),
    }
}

/// `ctcp [NETWORK] NICK REQUEST [WORDS]`.
pub(super) async fn ctcp(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let Some((nick, rest)) = rest.split_once(char::is_whitespace) else {
        return usage(&context, "ctcp");
    };
    let (command, params) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let command = command.to_ascii_uppercase();
    match command.as_str() {
        "" => return usage(&context, "ctcp"),
        "ACTION" => return Err(Refusal::asked("An action is said in the conversation's room, with /me.")),
        "DCC" => {
            return Err(Refusal::asked(
                "A direct connection, for a file or a chat, can't be had through a bridge.",
            ));
        }
        _ => {}
    }
    let nick = nick_named(nick)?;
    let params = params.trim().to_owned();
    session.ask(Request::Say(SayRequest::Ctcp { nick, command, params })).await
}

/// `ping [NETWORK] [NICK]`.
pub(super) async fn ping(context: Context<'_>) -> Outcome {
    let (session, nick, rest) = context.nick().await?;
    if !rest.is_empty() {
        return usage(&context, "ping");
    }
    let request = SayRequest::Ctcp { nick, command: "PING".to_owned(), params: String::new() };
    session.ask(Request::Say(request)).await
}

/// `nickserv [NETWORK] TEXT`.
pub(super) async fn nickserv(context: Context<'_>) -> Outcome {
    service(context, Service::NickServ, "nickserv").await
}

/// `chanserv [NETWORK] TEXT`.
pub(super) async fn chanserv(context: Context<'_>) -> Outcome {
    service(context, Service::ChanServ, "chanserv").await
}

async fn service(context: Context<'_>, service: Service, name: &str) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return usage(&context, name);
    }
    session.ask(Request::Say(SayRequest::Service { service, text: rest.to_owned() })).await
}
