//! What is done in a channel: its people, topic, modes, keys and lists. In the channel's own room its name may be left out.

use std::time::Duration;

use super::meant::{channel_named, first_word, nick_named};
use super::{Context, usage_of};
use crate::bridge::{BanTime, ChannelRequest, ListKind, Outcome, Refusal, Request, SessionHandle};
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
    let nick = |word: &String| nick_named(word.trim_end_matches([',', ':']));
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

/// `kickban [NETWORK] [#CHANNEL] NICK[,NICK…] [TIME] [REASON]`.
pub(super) async fn kickban(context: Context<'_>) -> Outcome {
    let about = about(&context).await?;
    let (people, reason) = people_and_reason(about.rest);
    let (word, behind) = first_word(reason);
    let (lasts, reason) = match read_time(word)? {
        Some(lasts) => (Some(lasts), behind),
        None => (None, reason),
    };
    let masks: Vec<String> = nicks(&people)?.iter().map(|nick| nick.as_str().to_owned()).collect();
    if masks.is_empty() {
        return Err(usage_of(&context));
    }
    let kick = Some(reason.to_owned());
    let time = lasts.map(|lasts| BanTime { lasts, reason: reason.to_owned() });
    about.ask(ChannelRequest::Ban { list: ListKind::Bans, masks, by_account: false, kick, time }).await
}

/// How long a ban is to last, as `30m`, `2h`, `7d` or `2w`; nothing where a word is no time.
fn read_time(word: &str) -> Result<Option<Duration>, Refusal> {
    const MINUTE: u64 = 60;
    const LONGEST: u64 = 365 * 24 * 60 * MINUTE;
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "s" => 1,
        "m" => MINUTE,
        "h" => 60 * MINUTE,
        "d" => 24 * 60 * MINUTE,
        "w" => 7 * 24 * 60 * MINUTE,
        _ => return Ok(None),
    };
    if number.is_empty() {
        return Ok(None);
    }
    let lasts = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    match lasts.filter(|lasts| (MINUTE..=LONGEST).contains(lasts)) {
        Some(lasts) => Ok(Some(Duration::from_secs(lasts))),
        None => Err(Refusal::asked(format!("{word} is no time for a ban: that is from 1m to 365d."))),
    }
}

/// The words before a time, and what it says with what stands behind it.
fn masks_and_time(words: Vec<String>) -> Result<(Vec<String>, Option<BanTime>), Refusal> {
    for at in 1..words.len() {
        if let Some(lasts) = read_time(&words[at])? {
            let reason = words[at + 1..].join(" ");
            return Ok((words[..at].to_vec(), Some(BanTime { lasts, reason })));
        }
    }
    Ok((words, None))
}

async fn ban_list(context: Context<'_>, list: ListKind) -> Outcome {
    let about = about(&context).await?;
    let (mut masks, time) = masks_and_time(about.words())?;
    let by_account = masks.len() > 1 && masks.last().is_some_and(|word| word.eq_ignore_ascii_case("account"));
    if by_account {
        masks.pop();
    }
    let masks = some_masks(&context, masks)?;
    about.ask(ChannelRequest::Ban { list, masks, by_account, kick: None, time }).await
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

/// `ban [NETWORK] [#CHANNEL] NICK|MASK… [account] [TIME [REASON]]`.
pub(super) async fn ban(context: Context<'_>) -> Outcome {
    ban_list(context, ListKind::Bans).await
}

/// `unban [NETWORK] [#CHANNEL] NICK|MASK…`.
pub(super) async fn unban(context: Context<'_>) -> Outcome {
    unban_list(context, ListKind::Bans).await
}

/// `quiet [NETWORK] [#CHANNEL] NICK|MASK… [account] [TIME [REASON]]`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// How many are meant, and for how many seconds and why; or why that can't be.
    type Read<'a> = Result<(usize, Option<(u64, &'a str)>), &'a str>;

    #[rstest]
    #[case::none("bob carol", Ok((2, None)))]
    #[case::minutes("bob 30m", Ok((1, Some((1_800, "")))))]
    #[case::hours_and_a_reason("bob carol 2H being loud at 7d", Ok((2, Some((7_200, "being loud at 7d")))))]
    #[case::days("*!*@x account 7d", Ok((2, Some((604_800, "")))))]
    #[case::weeks("bob 2w", Ok((1, Some((1_209_600, "")))))]
    #[case::a_nick_like_a_time("30m", Ok((1, None)))]
    #[case::a_mask_with_digits("bob 12x", Ok((2, None)))]
    #[case::a_unit_alone("bob m", Ok((2, None)))]
    #[case::too_short("bob 30s", Err("30s is no time for a ban: that is from 1m to 365d."))]
    #[case::too_long("bob 366d", Err("366d is no time for a ban: that is from 1m to 365d."))]
    #[case::beyond_all(
        "bob 99999999999999999999w",
        Err("99999999999999999999w is no time for a ban: that is from 1m to 365d.")
    )]
    fn a_time_stands_behind_those_who_are_meant(#[case] typed: &str, #[case] expected: Read<'_>) {
        let words = typed.split(' ').map(str::to_owned).collect();
        let read = masks_and_time(words).map_err(|refusal| refusal.into_text().to_plain());
        let read = match &read {
            Ok((masks, time)) => {
                Ok((masks.len(), time.as_ref().map(|time| (time.lasts.as_secs(), time.reason.as_str()))))
            }
            Err(text) => Err(text.as_str()),
        };
        assert_eq!(read, expected);
    }
}
