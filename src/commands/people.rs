//! Whom one does not want to hear, and which words mean one.

use super::{Context, usage};
use crate::bridge::{Highlights, IgnoreList, Ignored, Outcome, Place, Refusal, Request, SessionHandle};
use crate::format::RichText;
use crate::store::settings::{self, Scope};

/// `ignores [NETWORK]`, and `ignore` without anybody.
pub(super) async fn ignores(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if !rest.is_empty() {
        return usage(&context, "ignores");
    }
    show_ignored(&context, &session).await
}

/// `ignore [NETWORK] [NICK | MASK | account:NAME]`.
pub(super) async fn ignore(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return show_ignored(&context, &session).await;
    }
    let ignored = who(&context, &session, rest).await?;
    if rest.eq_ignore_ascii_case(&session.status().nick) {
        return Err(Refusal::asked("That is you."));
    }
    let mut list = ignored_in(&context, &session).await?;
    if !list.add(ignored.clone()) {
        return Err(Refusal::asked(
            "You ignore as many as I can keep in mind. Take some back with unignore.",
        ));
    }
    keep(&context, &session, &list).await?;
    let name = session.row.address();
    let text = format!("{ignored} is ignored on {name}: what they say is neither shown nor kept.");
    Ok(RichText::plain(text)
        .text(match ignored {
            Ignored::Account(_) => " It holds where the network tells the account of who speaks.",
            Ignored::Mask(_) => "",
        })
        .text(if context.bridge.store.shared_rooms_of(session.row.id).await?.is_empty() {
            ""
        } else {
            " In rooms that you share with others it is shown and kept all the same, and does not notify you."
        }))
}

/// `unignore [NETWORK] NICK | MASK | account:NAME`.
pub(super) async fn unignore(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return usage(&context, "unignore");
    }
    let ignored = who(&context, &session, rest).await?;
    let mut list = ignored_in(&context, &session).await?;
    if !list.remove(&ignored, session.status().mapping) {
        let text = format!("You don't ignore {ignored}. Whom you do is shown by ");
        return Err(Refusal::Asked(RichText::plain(text).code("ignores").text(".")));
    }
    keep(&context, &session, &list).await?;
    Ok(RichText::plain(format!("{ignored} is not ignored on {} any more.", session.row.address())))
}

/// Who is typed: on IRC, or as their Matrix user.
async fn who(context: &Context<'_>, session: &SessionHandle, typed: &str) -> Result<Ignored, Refusal> {
    let typed = typed.trim();
    let name = if typed.starts_with('@') && typed.contains(':') {
        let nobody = || Refusal::asked(format!("{typed} is nobody on {}.", session.row.network));
        context.bridge.nick_of(typed, &session.row.network, &session.row.user_id).await?.ok_or_else(nobody)?
    } else {
        typed.to_owned()
    };
    name.parse().map_err(|error| Refusal::asked(format!("{typed} can't be ignored: {error}.")))
}

async fn ignored_in(context: &Context<'_>, session: &SessionHandle) -> Result<IgnoreList, Refusal> {
    let stored = context.bridge.store.setting(&settings::IGNORES, Scope::Session, session.row.id).await?;
    Ok(IgnoreList::stored(stored.as_ref().map_or("", settings::Value::text)))
}

async fn keep(context: &Context<'_>, session: &SessionHandle, list: &IgnoreList) -> Result<(), Refusal> {
    let text = list.to_string();
    let value = (!list.is_empty()).then_some(text.as_str());
    context.bridge.store.set_setting(&settings::IGNORES, Scope::Session, session.row.id, value).await?;
    // One that does not run reads it when it starts.
    _ = session.ask(Request::Manners).await;
    Ok(())
}

async fn show_ignored(context: &Context<'_>, session: &SessionHandle) -> Outcome {
    let list = ignored_in(context, session).await?;
    let name = session.row.address();
    if list.is_empty() {
        return Ok(RichText::plain(format!("You ignore nobody on {name}. To do so, type "))
            .code("ignore NICK")
            .text("."));
    }
    let text = RichText::plain(format!("You ignore on {name}:"));
    Ok(list.iter().fold(text, |text, ignored| text.line().code(ignored.to_string())))
}

/// Where words are looked at or set: on a network, or everywhere.
struct Where {
    scope: Scope,
    id: i64,
    name: String,
    sessions: Vec<SessionHandle>,
}

/// In the control room words hold everywhere, unless a network is named.
fn place_and_rest<'a>(context: &Context<'a>) -> Result<(Where, &'a str), Refusal> {
    let sessions = context.bridge.sessions(Some(&context.call.user.user_id));
    let is_everywhere =
        context.call.place == Place::Control && context.session_named(context.rest)?.is_none();
    if is_everywhere {
        let (id, name) = (context.call.user.id, "all networks".to_owned());
        return Ok((Where { scope: Scope::User, id, name, sessions }, context.rest));
    }
    let (session, rest) = context.session()?;
    let (id, name) = (session.row.id, session.row.address());
    Ok((Where { scope: Scope::Session, id, name, sessions: vec![session] }, rest))
}

/// `highlight [NETWORK] [WORD …]`.
pub(super) async fn highlight(context: Context<'_>) -> Outcome {
    change_words(context, "highlight", |words, word| {
        words
            .add(word)
            .then_some(())
            .ok_or_else(|| format!("{word} can't be one: up to 50 words of up to 50 letters are kept."))
    })
    .await
}

/// `unhighlight [NETWORK] WORD …`.
pub(super) async fn unhighlight(context: Context<'_>) -> Outcome {
    change_words(context, "unhighlight", |words, word| {
        words.remove(word).then_some(()).ok_or_else(|| format!("{word} is none of your words there."))
    })
    .await
}

async fn change_words(
    context: Context<'_>,
    name: &str,
    change: impl Fn(&mut Highlights, &str) -> Result<(), String>,
) -> Outcome {
    const SETTING: &settings::Setting = &settings::HIGHLIGHTS;
    let (place, rest) = place_and_rest(&context)?;
    let stored = context.bridge.store.setting(SETTING, place.scope, place.id).await?;
    let mut words = Highlights::stored(stored.as_ref().map_or("", settings::Value::text));
    if rest.is_empty() && name == "unhighlight" {
        return usage(&context, name);
    }
    for word in rest.split_whitespace() {
        change(&mut words, word).map_err(Refusal::asked)?;
    }
    if !rest.is_empty() {
        let value = words.to_stored();
        context.bridge.store.set_setting(SETTING, place.scope, place.id, value.as_deref()).await?;
        for session in &place.sessions {
            _ = session.ask(Request::Manners).await;
        }
    }
    let list: Vec<&str> = words.iter().collect();
    Ok(RichText::plain(if list.is_empty() {
        format!("On {} nothing but your nick calls you.", place.name)
    } else {
        format!("On {} these words call you, besides your nick: {}.", place.name, list.join(", "))
    }))
}
