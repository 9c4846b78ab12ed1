//! What is done in a channel: its people, topic, modes, keys and lists. In the channel's own room its name may be left out.

use super::meant::channel_named;
use super::{Context, usage_of};
use crate::bridge::{ChannelRequest, ListKind, Outcome, Refusal, Request, SessionHandle};
use crate::names::{Channel, Key, Nick};

/// People that one command may name.
const MOST_PEOPLE: usize = 20;

/// What a command is about, and what stands behind that.
struct About<'a> {
    session: SessionHandle,
    channel: Channel,
    rest: &'a str,
}

impl About<'_> {
    async fn ask(self, request: ChannelRequest) -> Outcome {
        self.session.ask(Request::Channel(self.channel, request)).await
    }

    fn words(&self) -> Vec<String> {
        self.rest.split_whitespace().map(str::to_owned).collect()
    }
}

async fn about<'a>(context: &Context<'a>) -> Result<About<'a>, Refusal> {
    let (session, channel, rest) = context.channel().await?;
    Ok(About { session, channel, rest })
}

fn nicks(words: &[String]) -> Result<Vec<Nick>, Refusal> {
    if words.len() > MOST_PEOPLE {
        return Err(Refusal::asked(format!("At most {MOST_PEOPLE} people at once.")));
    }
    // As Element writes a pill at a message's beginning.
    let nick = |word: &String| {
        let word = word.trim_end_matches([',', ':']);
        Nick::new(word).map_err(|error| Refusal::asked(format!("{word} is no nick: {error}.")))
    };
    words.iter().map(nick).collect()
}

/// `names [NETWORK] [#CHANNEL]`.
pub(super) async fn names(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    if !about.rest.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::Names).await
}

/// `topic [NETWORK] [#CHANNEL] [TEXT | clear]`.
pub(super) async fn topic(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let request = match about.rest.trim() {
        "" => ChannelRequest::Topic,
        clear if clear.eq_ignore_ascii_case("clear") => ChannelRequest::SetTopic(String::new()),
        topic => ChannelRequest::SetTopic(topic.to_owned()),
    };
    about.ask(request).await
}

/// `mode [NETWORK] [#CHANNEL] [MODES]`.
pub(super) async fn mode(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let modes = about.words();
    about.ask(ChannelRequest::Modes(modes)).await
}

async fn rank(context: Context<'_>, give: bool, rank: char) -> Outcome {
    let about = about(&context).await?;
    let nicks = nicks(&about.words())?;
    if nicks.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::Rank { give, rank, nicks }).await
}

/// `op [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn op(context: Context<'_>) -> Outcome {
    rank(context, true, 'o').await
}

/// `deop [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn deop(context: Context<'_>) -> Outcome {
    rank(context, false, 'o').await
}

/// `halfop [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn halfop(context: Context<'_>) -> Outcome {
    rank(context, true, 'h').await
}

/// `dehalfop [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn dehalfop(context: Context<'_>) -> Outcome {
    rank(context, false, 'h').await
}

/// `voice [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn voice(context: Context<'_>) -> Outcome {
    rank(context, true, 'v').await
}

/// `devoice [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn devoice(context: Context<'_>) -> Outcome {
    rank(context, false, 'v').await
}

/// `invite [NETWORK] [#CHANNEL] NICK…`.
pub(super) async fn invite(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let nicks = nicks(&about.words())?;
    if nicks.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::Invite(nicks)).await
}

/// `kick [NETWORK] [#CHANNEL] NICK[,NICK…] [REASON]`.
pub(super) async fn kick(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let (people, reason) = people_and_reason(about.rest);
    let nicks = nicks(&people)?;
    if nicks.is_empty() {
        return Err(usage_of(&context));
    }
    let reason = reason.to_owned();
    about.ask(ChannelRequest::Kick { nicks, reason }).await
}

/// Names with commas between them, and what stands behind them.
fn people_and_reason(rest: &str) -> (Vec<String>, &str) {
    let (people, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let people = people.split(',').filter(|one| !one.is_empty()).map(str::to_owned);
    (people.collect(), reason.trim())
}

/// `kickban [NETWORK] [#CHANNEL] NICK[,NICK…] [REASON]`.
pub(super) async fn kickban(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let (people, reason) = people_and_reason(about.rest);
    let masks: Vec<String> = nicks(&people)?.iter().map(|nick| nick.as_str().to_owned()).collect();
    if masks.is_empty() {
        return Err(usage_of(&context));
    }
    let kick = Some(reason.to_owned());
    about.ask(ChannelRequest::Ban { list: ListKind::Bans, masks, by_account: false, kick }).await
}

async fn ban_list(context: Context<'_>, list: ListKind) -> Outcome {
    let about = about(&context).await?;
    let mut masks = about.words();
    let by_account = masks.len() > 1 && masks.last().is_some_and(|word| word.eq_ignore_ascii_case("account"));
    if by_account {
        masks.pop();
    }
    let masks = some_masks(&context, masks)?;
    about.ask(ChannelRequest::Ban { list, masks, by_account, kick: None }).await
}

async fn unban_list(context: Context<'_>, list: ListKind) -> Outcome {
    let about = about(&context).await?;
    let masks = some_masks(&context, about.words())?;
    about.ask(ChannelRequest::Unban { list, masks }).await
}

fn some_masks(context: &Context<'_>, masks: Vec<String>) -> Result<Vec<String>, Refusal> {
    match masks.len() {
        0 => Err(usage_of(context)),
        1..=MOST_PEOPLE => Ok(masks),
        _ => Err(Refusal::asked(format!("At most {MOST_PEOPLE} at once."))),
    }
}

/// `ban [NETWORK] [#CHANNEL] NICK|MASK… [account]`.
pub(super) async fn ban(context: Context<'_>) -> Outcome {
    ban_list(context, ListKind::Bans).await
}

/// `unban [NETWORK] [#CHANNEL] NICK|MASK…`.
pub(super) async fn unban(context: Context<'_>) -> Outcome {
    unban_list(context, ListKind::Bans).await
}

/// `quiet [NETWORK] [#CHANNEL] NICK|MASK… [account]`.
pub(super) async fn quiet(context: Context<'_>) -> Outcome {
    ban_list(context, ListKind::Quiets).await
}

/// `unquiet [NETWORK] [#CHANNEL] NICK|MASK…`.
pub(super) async fn unquiet(context: Context<'_>) -> Outcome {
    unban_list(context, ListKind::Quiets).await
}

async fn list(context: Context<'_>, list: ListKind) -> Outcome {
    let about = about(&context).await?;
    if !about.rest.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::List(list)).await
}

/// `bans [NETWORK] [#CHANNEL]`.
pub(super) async fn bans(context: Context<'_>) -> Outcome {
    list(context, ListKind::Bans).await
}

/// `quiets [NETWORK] [#CHANNEL]`.
pub(super) async fn quiets(context: Context<'_>) -> Outcome {
    list(context, ListKind::Quiets).await
}

/// `excepts [NETWORK] [#CHANNEL]`.
pub(super) async fn excepts(context: Context<'_>) -> Outcome {
    list(context, ListKind::Exceptions).await
}

/// `invites [NETWORK] [#CHANNEL]`.
pub(super) async fn invites(context: Context<'_>) -> Outcome {
    list(context, ListKind::Invitations).await
}

/// `cycle [NETWORK] [#CHANNEL] [REASON]`.
pub(super) async fn cycle(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let reason = about.rest.trim().to_owned();
    about.ask(ChannelRequest::Cycle(reason)).await
}

/// `detach [NETWORK] [#CHANNEL]`.
pub(super) async fn detach(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    if !about.rest.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::Detach).await
}

/// `attach [NETWORK] #CHANNEL`.
pub(super) async fn attach(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    if !about.rest.is_empty() {
        return Err(usage_of(&context));
    }
    about.ask(ChannelRequest::Attach).await
}

/// `key [NETWORK] [#CHANNEL] [KEY | off]`.
pub(super) async fn key(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let request = match &about.words()[..] {
        [] => ChannelRequest::Key,
        [off] if off.eq_ignore_ascii_case("off") => ChannelRequest::SetKey(None),
        [key] => {
            let key = Key::new(key).map_err(|error| Refusal::asked(format!("That is no key: {error}.")))?;
            ChannelRequest::SetKey(Some(key))
        }
        _ => return Err(usage_of(&context)),
    };
    about.ask(request).await
}

/// Whether the words behind `key` hold one: in a channel's room it may stand alone.
pub(super) fn holds_key(rest: &str) -> bool {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        [] => false,
        [word] => !word.eq_ignore_ascii_case("off") && !word.starts_with(['#', '&', '+', '!']),
        [.., last] => !last.eq_ignore_ascii_case("off"),
    }
}

/// Whether the words behind `mode` set a key.
pub(super) fn sets_key(rest: &str) -> bool {
    let words: Vec<&str> = rest.split_whitespace().collect();
    // The first word with a sign has the letters, and the key stands behind it.
    let letters = words.iter().position(|word| word.starts_with(['+', '-']));
    letters.is_some_and(|at| crate::format::sets_key(&words[at..]))
}

/// `knock [NETWORK] #CHANNEL [TEXT]`.
pub(super) async fn knock(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(usage_of(&context));
    }
    let channel = channel_named(name)?;
    session.ask(Request::Channel(channel, ChannelRequest::Knock(text.trim().to_owned()))).await
}
