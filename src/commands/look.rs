//! Who is there, and who was.

use std::time::Duration;

use super::meant::nick_named;
use super::{Context, usage};
use crate::bridge::{ListRequest, LookRequest, Outcome, Request};
use crate::format::RichText;

/// How often it is looked how much of a list has come.
const LOOK: Duration = Duration::from_secs(1);

/// `who [NETWORK] [#CHANNEL | NICK | MASK]`.
pub(super) async fn who(context: Context<'_>) -> Outcome {
    // Without a mask it would be everybody.
    let (session, mask) = context.name().await?;
    if mask.contains(char::is_whitespace) || mask.starts_with(':') {
        return usage(&context, "who");
    }
    session.ask(Request::Look(LookRequest::Who(mask))).await
}

/// `whowas [NETWORK] [NICK]`.
pub(super) async fn whowas(context: Context<'_>) -> Outcome {
    let (session, nick, _) = context.nick().await?;
    session.ask(Request::Look(LookRequest::Whowas(nick))).await
}

/// `list [NETWORK] [WORDS | MASK] [page N | more]`.
pub(super) async fn list(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
    let request = match &words[..] {
        [more] if is(more, "more") => ListRequest::More,
        [wanted @ .., page, number] if is(page, "page") && number.parse::<usize>().is_ok() => {
            ListRequest::Page { wanted: wanted.join(" "), page: number.parse().unwrap_or_default() }
        }
        wanted => ListRequest::Page { wanted: wanted.join(" "), page: 1 },
    };
    let name = context.bridge.network_name(&session.row.address());
    let mut listing = std::pin::pin!(session.ask(Request::Look(LookRequest::List(request))));
    loop {
        tokio::select! {
            outcome = &mut listing => return outcome,
            () = tokio::time::sleep(LOOK) => {}
        }
        let listed = session.status().listed;
        if listed > 0 {
            let far = format!("{name} sends its list: {listed} channels so far.");
            context.progress(&RichText::plain(far)).await;
        }
    }
}

/// `monitor [NETWORK] [+NICK | -NICK …]`.
pub(super) async fn monitor(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let mut changes = Vec::new();
    for word in rest.split_whitespace() {
        let nick = word.strip_prefix(['+', '-']).unwrap_or(word);
        changes.push((!word.starts_with('-'), nick_named(nick)?));
    }
    session.ask(Request::Look(LookRequest::Monitor(changes))).await
}

/// `motd [NETWORK]`.
pub(super) async fn motd(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "motd");
    }
    session.ask(Request::Raw("MOTD".to_owned())).await
}

/// `rejoin [NETWORK]`.
pub(super) async fn rejoin(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "rejoin");
    }
    session.ask(Request::Rejoin).await
}
