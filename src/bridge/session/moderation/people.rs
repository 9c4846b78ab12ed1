//! A channel's people: who is in it, ranks, invitations, and putting somebody out.

use std::fmt::Write as _;

use super::super::super::outcome::{Outcome, Refusal};
use super::super::Actor;
use super::super::series::Step;
use super::refusals::{in_words, is_about, refusals};
use super::{are, listed};
use crate::format::{RichText, Table, strip_irc};
use crate::irc::isupport::{Isupport, ModeKind};
use crate::irc::modes::{self, ModeChange};
use crate::irc::numerics::{ERR_USERONCHANNEL, RPL_AWAY};
use crate::irc::session::{Answer, InquiryReply};
use crate::irc::wire::Line;
use crate::names::{CaseMapping, Channel, Nick};

/// So many names of one rank are shown.
const MOST_NAMES: usize = 200;

/// A rank by its mode, as one and as several have it.
fn rank_words(letter: char) -> Option<(&'static str, &'static str)> {
    Some(match letter {
        'q' => ("an owner", "owners"),
        'a' => ("an administrator", "administrators"),
        'o' => ("an operator", "operators"),
        'h' => ("a half-operator", "half-operators"),
        'v' => ("somebody with voice", "people with voice"),
        _ => return None,
    })
}

/// The heading of those with a rank.
fn heading(letter: char, symbol: char) -> String {
    let name = match letter {
        'q' => "Owners",
        'a' => "Administrators",
        'o' => "Operators",
        'h' => "Half-operators",
        'v' => "With voice",
        _ => return format!("With {symbol}"),
    };
    format!("{name} ({symbol})")
}

/// Nicks in their order, as many as are shown.
fn named(mut nicks: Vec<String>, mapping: CaseMapping) -> RichText {
    nicks.sort_by_cached_key(|nick| mapping.fold(nick));
    let mut names = nicks[..nicks.len().min(MOST_NAMES)].join(", ");
    if let Some(more) = nicks.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        let _ = write!(names, " and {more} more");
    }
    RichText::plain(names)
}

impl Actor {
    /// Who is in a channel, by rank: from the session's own list.
    pub(super) fn names(&self, channel: &Channel) -> Outcome {
        let link = self.inside(channel)?;
        let isupport = link.session.isupport();
        let Some(state) = link.session.channel(channel.as_str()).filter(|state| state.member_count() > 0)
        else {
            return Ok(RichText::plain(format!(
                "{} has not told yet who is in {channel}. Try again in a moment.",
                self.network.name
            )));
        };
        // The highest counts; who has none stands last.
        let ranks = isupport.prefixes();
        let mut rows: Vec<Vec<String>> = vec![Vec::new(); ranks.len() + 1];
        for (nick, symbols) in state.members() {
            let rank =
                symbols.chars().next().and_then(|first| ranks.iter().position(|(_, one)| *one == first));
            rows[rank.unwrap_or(ranks.len())].push(nick.to_string());
        }
        let count = state.member_count();
        let people = if count == 1 { "one person".to_owned() } else { format!("{count} people") };
        let text = RichText::plain(format!("In {} {} {people}.", state.name(), are(count)));
        let mapping = isupport.casemapping();
        let others = rows.pop().unwrap_or_default();
        let mut table = Table::new(["rank", "people", "who"]);
        for ((letter, symbol), nicks) in ranks.iter().zip(rows).filter(|(_, nicks)| !nicks.is_empty()) {
            let number = RichText::plain(nicks.len().to_string());
            let heading = RichText::new().bold(heading(*letter, *symbol));
            table = table.row([heading, number, named(nicks, mapping)]);
        }
        let text = if table.is_empty() { text } else { text.table(table) };
        Ok(match others.len() {
            0 => text,
            count => text.details(format!("Without a rank: {count}"), named(others, mapping)),
        })
    }

    pub(super) fn change_rank(
        &mut self,
        channel: Channel,
        give: bool,
        rank: char,
        nicks: Vec<Nick>,
    ) -> Result<Step, Refusal> {
        let link = self.inside(&channel)?;
        let isupport = link.session.isupport();
        let words = rank_words(rank).ok_or_else(|| Refusal::asked("There is no such rank."))?;
        if isupport.mode_kind(rank) != Some(ModeKind::Member) {
            return Err(Refusal::asked(format!("{} has no {}.", self.network.name, words.1)));
        }
        let change = |nick: &Nick| ModeChange {
            set: give,
            letter: rank,
            kind: ModeKind::Member,
            argument: Some(nick.as_str().to_owned()),
        };
        let changes: Vec<ModeChange> = nicks.iter().map(change).collect();
        let lines = modes::lines(&channel, &changes, isupport)
            .map_err(|error| Refusal::asked(format!("That can't be sent: {error}.")))?;
        Ok(Step::ask(lines, move |actor, answers| {
            let has = |nick: &Nick| actor.rank_of(&channel, nick).is_some_and(|ranks| ranks.contains(rank));
            let not = if give { "" } else { " no longer" };
            let is_done = |nick: &Nick| actor.is_in(&channel, nick) && has(nick) == give;
            actor.told(&channel, &nicks, &answers, is_done, |done| {
                let what = if done.len() == 1 { words.0 } else { words.1 };
                format!("{} {}{not} {what} in {channel}.", listed(done), are(done.len()))
            })
        }))
    }

    /// The letters of somebody's ranks in a channel.
    pub(super) fn rank_of(&self, channel: &Channel, nick: &Nick) -> Option<String> {
        let link = self.link.as_ref()?;
        let symbols = link.session.channel(channel.as_str())?.prefixes(nick.as_str())?;
        let letter = |symbol: char| {
            let known = link.session.isupport().prefixes().iter().find(|(_, one)| *one == symbol);
            known.map(|(letter, _)| *letter)
        };
        Some(symbols.chars().filter_map(letter).collect())
    }

    /// What became of something that was done to several people: who it was done to, as the channel shows it, and what
    /// the server says of the others.
    fn told(
        &self,
        channel: &Channel,
        nicks: &[Nick],
        answers: &[Answer],
        is_done: impl Fn(&Nick) -> bool,
        done_words: impl Fn(&[&Nick]) -> String,
    ) -> Outcome {
        let network = &self.network.name;
        let refused = refusals(answers);
        let (done, open): (Vec<&Nick>, Vec<&Nick>) = nicks.iter().partition(|nick| is_done(nick));
        let mut text = RichText::new();
        if !done.is_empty() {
            text = text.text(done_words(&done));
        }
        if !refused.is_empty() {
            text = text.line().then(in_words(network, channel, &refused));
        }
        let mapping = self.isupport().map(Isupport::casemapping).unwrap_or_default();
        let is_told = |nick: &&&Nick| refused.iter().any(|reply| is_about(reply, nick.as_str(), mapping));
        let is_untold = |nick: &&Nick| !is_told(&nick);
        let untold: Vec<&Nick> = open.iter().copied().filter(is_untold).collect();
        // An error that names nobody is about all.
        if !untold.is_empty() && refused.is_empty() {
            text = text.line().text(format!(
                "{network} says nothing of {}, and so far the channel shows no change.",
                listed(&untold)
            ));
        }
        if done.is_empty() { Err(Refusal::Asked(text)) } else { Ok(text) }
    }

    pub(super) fn invite_people(&mut self, channel: Channel, nicks: Vec<Nick>) -> Result<Step, Refusal> {
        self.ready()?;
        let lines = nicks.iter().map(|nick| Line::invite(nick, &channel)).collect();
        Ok(Step::ask(lines, move |actor, answers| {
            let network = &actor.network.name;
            let refused = refusals(&answers);
            let mapping = actor.isupport().map(Isupport::casemapping).unwrap_or_default();
            let invited: Vec<&Nick> = nicks
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| refusals(std::slice::from_ref(answer)).is_empty())
                .map(|(nick, _)| nick)
                .collect();
            let mut text = RichText::new();
            if !invited.is_empty() {
                text =
                    text.text(format!("{} {} invited to {channel}.", listed(&invited), are(invited.len())));
            }
            for reply in answers.iter().flat_map(|answer| &answer.replies) {
                if let Some(away) = away(reply) {
                    text = text.line().text(away);
                }
            }
            if !refused.is_empty() {
                let is_there = |reply: &&InquiryReply| {
                    reply.code == ERR_USERONCHANNEL
                        && nicks.iter().any(|nick| is_about(reply, nick.as_str(), mapping))
                };
                text = text.line().then(in_words(network, &channel, &refused));
                if invited.is_empty() && !refused.iter().all(is_there) {
                    return Err(Refusal::Asked(text));
                }
            }
            Ok(text)
        }))
    }

    pub(super) fn kick(&mut self, channel: Channel, nicks: Vec<Nick>, reason: &str) -> Result<Step, Refusal> {
        let lines = self.kick_lines(&channel, &nicks, reason)?;
        Ok(Step::ask(lines, move |actor, answers| {
            actor.told(
                &channel,
                &nicks,
                &answers,
                |nick| !actor.is_in(&channel, nick),
                |done| format!("{} {} out of {channel}.", listed(done), are(done.len())),
            )
        }))
    }

    /// The lines that put people out, if they are in. One line for each: not every server takes several.
    pub(super) fn kick_lines(
        &self,
        channel: &Channel,
        nicks: &[Nick],
        reason: &str,
    ) -> Result<Vec<Line>, Refusal> {
        let link = self.inside(channel)?;
        let absent: Vec<&Nick> = nicks.iter().filter(|nick| !self.is_in(channel, nick)).collect();
        if !absent.is_empty() {
            let text = format!("{} {} not in {channel}; see ", listed(&absent), are(absent.len()));
            return Err(Refusal::Asked(RichText::plain(text).code("names").text(".")));
        }
        let (reason, _) = link.as_written(channel.as_str(), reason);
        let most = link.session.isupport().get("KICKLEN").and_then(|length| length.parse().ok());
        if let Some(most) = most.filter(|most| reason.len() > *most) {
            return Err(Refusal::asked(format!(
                "{} takes reasons of {most} bytes; this one has {}.",
                self.network.name,
                reason.len()
            )));
        }
        let line = |nick: &Nick| Line::kick(channel, nick, &reason);
        let lines: Result<Vec<Line>, _> = nicks.iter().map(line).collect();
        lines.map_err(|error| Refusal::asked(format!("That can't be sent: {error}.")))
    }
}

/// That somebody is away, who therefore may not read their invitation.
fn away(reply: &InquiryReply) -> Option<String> {
    match (&reply.params[..], reply.code) {
        ([nick, why], RPL_AWAY) => Some(format!("{nick} is away: {}", strip_irc(why))),
        _ => None,
    }
}
