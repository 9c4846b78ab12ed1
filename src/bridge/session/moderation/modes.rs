//! `mode`: the modes of a channel, shown in words where all networks mean the same by them, and changed as they are typed.

use super::super::super::outcome::Refusal;
use super::super::Actor;
use super::super::series::Step;
use super::refusals::{in_words, refusals};
use crate::format::{RichText, strip_irc};
use crate::irc::isupport::{Isupport, ModeKind};
use crate::irc::modes::{self, ModeChange, ModeChanges};
use crate::irc::numerics::{RPL_CHANNELMODEIS, RPL_CREATIONTIME};
use crate::irc::session::Answer;
use crate::irc::wire::Line;
use crate::names::Channel;

/// What a mode means, where it means that everywhere.
fn meaning(letter: char, argument: Option<&str>) -> Option<String> {
    Some(match letter {
        'i' => "only those come in who are invited".to_owned(),
        'm' => "only those speak who have voice or more (moderated)".to_owned(),
        'n' => "nobody speaks from outside".to_owned(),
        'p' => "private: what others may see of it is limited".to_owned(),
        's' => "secret: others don't see it in lists".to_owned(),
        't' => "only operators set the topic".to_owned(),
        'c' => "no colours".to_owned(),
        'C' => "no CTCP".to_owned(),
        // A key is a secret among those who are in.
        'k' => "a key is needed to come in".to_owned(),
        'l' => format!("at most {} people come in", argument?),
        _ => return None,
    })
}

/// The modes of a channel in words, from the answer that tells them; nothing where none does.
fn shown(channel: &Channel, answers: &[Answer], isupport: &Isupport) -> Option<RichText> {
    let mut replies = answers.iter().flat_map(|answer| &answer.replies);
    let told = replies.rfind(|reply| reply.code == RPL_CHANNELMODEIS)?;
    let changes = ModeChanges::parse(told.params.get(1..).unwrap_or_default(), isupport);
    let set: Vec<&ModeChange> = changes.changes.iter().filter(|change| change.set).collect();
    if set.is_empty() {
        return Some(RichText::plain(format!("{channel} has no modes.")));
    }
    let letters: String = set.iter().map(|change| change.letter).collect();
    let text = RichText::new().bold(format!("{channel} has +{letters}"));
    Some(set.into_iter().fold(text, |text, change| {
        let argument = change.argument.as_deref();
        match (meaning(change.letter, argument), argument.filter(|_| change.letter != 'k')) {
            (Some(meaning), _) => {
                text.line().code(format!("+{}", change.letter)).text(format!(": {meaning}"))
            }
            (None, Some(argument)) => text.line().code(format!("+{} {}", change.letter, strip_irc(argument))),
            (None, None) => text,
        }
    }))
}

/// When a channel was made, from the answer that tells it.
fn since(answers: &[Answer]) -> Option<i64> {
    let mut replies = answers.iter().flat_map(|answer| &answer.replies);
    replies.find(|reply| reply.code == RPL_CREATIONTIME)?.params.last()?.parse().ok()
}

impl Actor {
    pub(super) fn modes(&mut self, channel: Channel) -> Result<Step, Refusal> {
        // Others may ask, too.
        self.ready()?;
        let line = Line::new("MODE").name(&channel).finish();
        Ok(Step::ask(vec![line], move |actor, answers| {
            let network = &actor.network.name;
            let shown = actor.isupport().and_then(|isupport| shown(&channel, &answers, isupport));
            match (shown, refusals(&answers)) {
                (Some(text), _) => Ok(match since(&answers) {
                    None => text,
                    Some(since) => {
                        let since = super::super::wording::time(since.saturating_mul(1000));
                        text.line().text(format!("The channel is there since {since}."))
                    }
                }),
                (None, refused) if refused.is_empty() => {
                    Err(Refusal::asked(format!("{network} told nothing of the modes of {channel}.")))
                }
                (None, refused) => Err(Refusal::Asked(in_words(network, &channel, &refused))),
            }
        }))
    }

    /// Changes modes as they are typed, and shows how they stand then. Letters without a sign are set.
    pub(super) fn change_modes(&mut self, channel: Channel, typed: &[String]) -> Result<Step, Refusal> {
        let link = self.inside(&channel)?;
        let isupport = link.session.isupport();
        if let [word] = typed
            && let [letter] = word.trim_start_matches('+').chars().collect::<Vec<_>>()[..]
            && isupport.mode_kind(letter) == Some(ModeKind::List)
        {
            let text = RichText::plain(format!("{letter} is a list of {channel}. To see it, type "));
            let text = text.code("bans").text(", ").code("quiets").text(", ");
            return Err(Refusal::Asked(text.code("excepts").text(" or ").code("invites").text(".")));
        }
        let changes = ModeChanges::parse(typed, isupport);
        let mut lines = if changes.ambiguous || changes.changes.is_empty() {
            // The server knows letters that it has not told of, and says what is wrong with the others.
            let line =
                typed.iter().try_fold(Line::new("MODE").name(&channel), |line, word| line.middle(word));
            vec![line.map_err(unfit)?.finish()]
        } else {
            modes::lines(&channel, &changes.changes, isupport).map_err(unfit)?
        };
        lines.push(Line::new("MODE").name(&channel).finish());
        Ok(Step::ask(lines, move |actor, answers| {
            let network = &actor.network.name;
            let refused = refusals(&answers);
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(network, &channel, &refused)));
            }
            let shown = actor.isupport().and_then(|isupport| shown(&channel, &answers, isupport));
            let done = RichText::plain(format!("{network} took it. "));
            Ok(shown.map_or_else(|| RichText::plain(format!("{network} took it.")), |text| done.then(text)))
        }))
    }
}

fn unfit(error: crate::irc::wire::WireError) -> Refusal {
    Refusal::asked(format!("That can't be sent: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::session::InquiryReply;
    use rstest::rstest;

    #[rstest]
    #[case::usual("+nt", "#c has +nt\n+n: nobody speaks from outside\n+t: only operators set the topic")]
    #[case::with_arguments(
        "+lk 50 sesame",
        "#c has +lk\n+l: at most 50 people come in\n+k: a key is needed to come in"
    )]
    #[case::unknown("+Zf #other", "#c has +Zf\n+f #other")]
    #[case::none("+", "#c has no modes.")]
    fn modes_are_told_in_words_and_no_key_is_shown(#[case] modes: &str, #[case] text: &str) {
        let mut isupport = Isupport::default();
        isupport.apply(["CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuzZ"]);
        let params = std::iter::once("#c").chain(modes.split(' ')).map(str::to_owned).collect();
        let reply = InquiryReply { code: RPL_CHANNELMODEIS, params, text: String::new() };
        let answers = [Answer { replies: vec![reply], ..Answer::default() }];
        assert_eq!(shown(&Channel::new("#c").unwrap(), &answers, &isupport).unwrap().to_plain(), text);
    }
}
