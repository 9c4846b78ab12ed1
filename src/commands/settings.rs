//! `set` and `unset`: the settings that a person may choose for themselves, for a network, or for one conversation.

mod hints;

use super::{Context, usage, words};
use crate::bridge::{Manners, Origin, Outcome, PREFIX, Place, Refusal, Request, SessionHandle};
use crate::format::RichText;
use crate::names::CaseMapping;
use crate::store::OwnBuffer;
use crate::store::settings::{Kind, Scope, Setting};

/// Where a setting is looked at or set.
struct Where {
    scope: Scope,
    /// The number of the user, session or buffer.
    id: i64,
    /// In words, behind "for".
    name: String,
    /// The session, or all of the user's.
    sessions: Vec<SessionHandle>,
    session: i64,
    /// The network's short name; empty where it is about all.
    network: String,
    buffer: Option<i64>,
    /// It is a conversation whose room others see.
    is_shared: bool,
}

/// `set [NETWORK] [#CHANNEL | NICK] [NAME [VALUE]]`.
pub(super) async fn set(context: Context<'_>) -> Outcome {
    let (place, rest) = place_and_rest(&context).await?;
    let (key, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if key.is_empty() {
        return show_all(&context, &place).await;
    }
    let setting = setting_in(&place, key)?;
    if value.trim().is_empty() {
        return show(&context, &place, setting).await;
    }
    let value = setting.read(value).map_err(|unfit| Refusal::asked(format!("{unfit}.")))?;
    change(&context, &place, setting, Some(&value)).await?;
    let text = RichText::new().code(format!("{} {value}", setting.key)).text(format!(" for {}.", place.name));
    let text = text.text(hints::of(&context, setting, &value));
    if !setting.in_room || !has_shared(&context, &place).await? {
        return Ok(text);
    }
    Ok(match place.scope {
        Scope::Buffer => text.text(format!(
            " But others see the room of {}, too, so that what stands there is for this bridge's administrator to say, and \
             nothing changes.",
            place.name
        )),
        _ => text.text(" In the rooms that you share with others it stays as this bridge's administrator says."),
    })
}

/// Whether others see the room, or one of the rooms, for which something is set.
async fn has_shared(context: &Context<'_>, place: &Where) -> Result<bool, Refusal> {
    if place.scope == Scope::Buffer {
        return Ok(place.is_shared);
    }
    let own = context.bridge.store.own_buffers(context.call.user.id).await?;
    let is_meant = |own: &OwnBuffer| place.scope == Scope::User || own.session == place.session;
    Ok(own.iter().any(|own| own.is_shared() && is_meant(own)))
}

/// `unset [NETWORK] [#CHANNEL | NICK] NAME`.
pub(super) async fn unset(context: Context<'_>) -> Outcome {
    let (place, key) = place_and_rest(&context).await?;
    if key.is_empty() || key.contains(char::is_whitespace) {
        return usage(&context, "unset");
    }
    let setting = setting_in(&place, key)?;
    change(&context, &place, setting, None).await?;
    show(&context, &place, setting).await
}

async fn change(
    context: &Context<'_>,
    place: &Where,
    setting: &'static Setting,
    value: Option<&str>,
) -> Result<(), Refusal> {
    context.bridge.store.set_setting(setting, place.scope, place.id, value).await?;
    for session in &place.sessions {
        // One that does not run reads it when it starts.
        _ = session.ask(Request::Manners).await;
    }
    Ok(())
}

/// What a command is about, and what stands behind that.
async fn place_and_rest<'a>(context: &Context<'a>) -> Result<(Where, &'a str), Refusal> {
    let sessions = context.bridge.sessions(Some(&context.call.user.user_id));
    let is_everywhere =
        context.call.place == Place::Control && context.session_named(context.rest)?.is_none();
    if is_everywhere {
        let place = Where {
            scope: Scope::User,
            id: context.call.user.id,
            name: "you, on all networks".to_owned(),
            sessions,
            session: 0,
            network: String::new(),
            buffer: None,
            is_shared: false,
        };
        return Ok((place, context.rest));
    }
    let (session, rest) = context.session()?;
    let own = context.bridge.store.own_buffers(context.call.user.id).await?;
    let own: Vec<OwnBuffer> = own.into_iter().filter(|own| own.session == session.row.id).collect();
    let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let here = match context.call.place {
        Place::Buffer { buffer, .. } => own.iter().find(|own| own.id == buffer),
        _ => None,
    };
    // The name of a setting is no name of a conversation where it is typed just so.
    let named = own.iter().find(|own| own.name.eq_ignore_ascii_case(word));
    let named = named.filter(|_| Setting::find(word).is_none());
    let rest = if named.is_some() { behind.trim_start() } else { rest };
    let (number, network, address) = (session.row.id, session.row.network.clone(), session.row.address());
    let place = match named.or(here) {
        Some(own) => Where {
            scope: Scope::Buffer,
            id: own.id,
            name: own.name.clone(),
            sessions: vec![session],
            session: number,
            network,
            buffer: Some(own.id),
            is_shared: own.is_shared(),
        },
        None => Where {
            scope: Scope::Session,
            id: number,
            name: address,
            sessions: vec![session],
            session: number,
            network,
            buffer: None,
            is_shared: false,
        },
    };
    Ok((place, rest))
}

fn setting_in(place: &Where, key: &str) -> Result<&'static Setting, Refusal> {
    let setting = Setting::find(key).ok_or_else(|| {
        let text = RichText::plain("There is no setting ").bold(key).text(". ");
        let text = match words::nearest_setting(key) {
            Some(nearest) => text.text("Did you mean ").code(format!("set {nearest}")).text("? "),
            None => text,
        };
        Refusal::Asked(text.text("Type ").code("set").text(" to see all."))
    })?;
    if setting.scopes.contains(&place.scope) {
        Ok(setting)
    } else {
        let text = format!("{} can't be set for {}.", setting.key, place.name);
        Err(Refusal::asked(text))
    }
}

async fn show(context: &Context<'_>, place: &Where, setting: &'static Setting) -> Outcome {
    let manners = manners_of(context, place).await?;
    let mut text = line_of(&manners, place, setting);
    if let Kind::Choice(words) = setting.kind {
        for (word, meaning) in words {
            text = text.line().code(*word).text(format!(": {meaning}"));
        }
    } else {
        text = text.line().text(format!("It is {}.", setting.takes()));
    }
    Ok(text)
}

async fn show_all(context: &Context<'_>, place: &Where) -> Outcome {
    let manners = manners_of(context, place).await?;
    let settings = Setting::choices().filter(|setting| setting.scopes.contains(&place.scope));
    let lines: Vec<RichText> = settings.map(|setting| line_of(&manners, place, setting)).collect();
    let text = RichText::new().bold(format!("Settings for {}", place.name));
    let example = "set NAME VALUE";
    Ok(text
        .list(format!("{} settings", lines.len()), lines)
        .line()
        .text("To change one, type ")
        .code(example)
        .text("; to see what it can be, ")
        .code("set NAME")
        .text("."))
}

fn line_of(manners: &Manners, place: &Where, setting: &'static Setting) -> RichText {
    let (value, origin) = if setting.in_room && place.is_shared {
        let mapping = place.sessions.first().map_or(CaseMapping::Rfc1459, |one| one.status().mapping);
        manners.value_for_all_in(setting, &place.name, mapping)
    } else {
        manners.value(setting, place.buffer)
    };
    let value = value.map_or_else(|| setting.default(), str::to_owned);
    let origin = match origin {
        Origin::BuiltIn => "built in",
        Origin::Configured => "from this bridge's configuration",
        Origin::ConfiguredForNetwork => "from this bridge's configuration, for this network",
        Origin::SetForAll => "set by this bridge's administrator",
        Origin::Set(scope) if scope == place.scope => "set here",
        Origin::Set(Scope::Session) => "set for the network",
        Origin::Set(_) => "set for all networks",
    };
    // Not as something to type: the names of some settings are commands as well.
    RichText::new().bold(format!("{} {value}", setting.key)).text(format!(" ({origin}): {}", setting.meaning))
}

async fn manners_of(context: &Context<'_>, place: &Where) -> Result<Manners, Refusal> {
    Ok(Manners::load(context.bridge, context.call.user.id, place.session, &place.network).await?)
}

/// The settings for `docs/commands.md`.
pub(super) fn reference() -> String {
    let mut text = format!(
        "\n## Settings\n\nFor yourself, for a network, or for one conversation; the narrowest decides. In a \
         conversation's room: `{PREFIX} set NAME VALUE`.\n\n| setting | meaning | values, the first by default |\n|---|---|---|\n"
    );
    for setting in Setting::choices() {
        let values = match setting.kind {
            Kind::Choice(words) => words
                .iter()
                .map(|(word, meaning)| format!("`{word}`: {meaning}"))
                .collect::<Vec<_>>()
                .join("; "),
            Kind::Own
            | Kind::Number { .. }
            | Kind::Word { .. }
            | Kind::Frame { .. }
            | Kind::Words { .. }
            | Kind::Minutes { .. } => {
                format!("{} ({})", setting.default(), setting.takes())
            }
        };
        text.push_str(&format!("| `{}` | {} | {values} |\n", setting.key, setting.meaning));
    }
    let in_rooms: Vec<String> = Setting::choices()
        .filter(|setting| setting.in_room)
        .map(|setting| format!("`{}`", setting.key))
        .collect();
    text.push_str(&format!(
        "\n{} are about what stands in a room. In a room that people share nobody chooses for the others: there they are as \
         the configuration's `settings` say, and `members` as its `networks.*.shared.members` says before that. So are a topic \
         that a shared room shows (`topic-sync`), what people are seen as there (`show-presence`), and how what is said there is \
         read (`charset`).\n",
        in_rooms.join("; ")
    ));
    text
}
