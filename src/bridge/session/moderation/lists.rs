//! `bans`, `quiets`, `excepts`, `invites`: what stands in a channel's lists, by whom and since when.

use std::cmp::Reverse;

use super::super::super::outcome::{Outcome, Refusal};
use super::super::series::Step;
use super::super::{Actor, wording};
use super::refusals::{in_words, refusals};
use crate::format::{RichText, Table, strip_irc};
use crate::irc::lists::{ChannelList, ListKind};
use crate::irc::numerics::{RPL_BANLIST, RPL_EXCEPTLIST, RPL_INVITELIST, RPL_QUIETLIST};
use crate::irc::session::Answer;
use crate::irc::wire::Line;
use crate::names::Channel;

/// So many entries are shown.
const MOST_SHOWN: usize = 100;

/// A list as people call it.
pub(super) fn name(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Bans => "bans",
        ListKind::Quiets => "quiets",
        ListKind::Exceptions => "exceptions from bans",
        ListKind::Invitations => "standing invitations",
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As it stands in the mode's list.
    pub(super) mask: String,
    /// Who set it.
    pub(super) by: Option<String>,
    /// When, in seconds since 1970.
    pub(super) at: Option<i64>,
}

/// The entries that an answer holds.
pub(super) fn entries(answer: &Answer) -> Vec<Entry> {
    let entries = answer.replies.iter().filter_map(|reply| {
        let rest = match reply.code {
            RPL_BANLIST | RPL_EXCEPTLIST | RPL_INVITELIST => reply.params.get(1..)?,
            // It names the list's mode, too.
            RPL_QUIETLIST => reply.params.get(2..)?,
            _ => return None,
        };
        let (entry, rest) = rest.split_first()?;
        let by = rest.first().map(|by| by.split('!').next().unwrap_or(by).to_owned());
        let at = rest.get(1).and_then(|at| at.parse().ok());
        Some(Entry { mask: entry.clone(), by, at })
    });
    entries.collect()
}

/// The question for a list.
pub(super) fn question(channel: &Channel, list: &ChannelList) -> Line {
    Line::new("MODE").name(channel).name_literal(&format!("+{}", list.letter)).finish()
}

impl Actor {
    /// The list of this kind, if the network has it.
    pub(super) fn list_of(&self, kind: ListKind) -> Result<ChannelList, Refusal> {
        let isupport = self.ready()?.session.isupport();
        ChannelList::of(kind, isupport).ok_or_else(|| {
            let network = &self.network.name;
            match kind {
                ListKind::Quiets => Refusal::asked(format!(
                    "{network} has no quiets. To silence people, make the channel moderated (mode +m) and give the \
                     others voice, or ban them."
                )),
                _ => Refusal::asked(format!("{network} has no {}.", name(kind))),
            }
        })
    }

    pub(super) fn channel_list(&mut self, channel: Channel, kind: ListKind) -> Result<Step, Refusal> {
        let list = self.list_of(kind)?;
        let line = question(&channel, &list);
        Ok(Step::ask(vec![line], move |actor, answers| actor.shown_list(&channel, kind, &list, &answers)))
    }

    fn shown_list(
        &self,
        channel: &Channel,
        kind: ListKind,
        list: &ChannelList,
        answers: &[Answer],
    ) -> Outcome {
        let network = &self.network.name;
        let mut own: Vec<Entry> = answers
            .iter()
            .flat_map(entries)
            .filter_map(|one| list.mask(&one.mask).map(str::to_owned).map(|mask| Entry { mask, ..one }))
            .collect();
        let refused = refusals(answers);
        if own.is_empty() && !refused.is_empty() {
            return Err(Refusal::Asked(in_words(network, channel, &refused)));
        }
        let name = name(kind);
        if own.is_empty() {
            return Ok(RichText::plain(format!("{channel} has no {name}.")));
        }
        own.sort_by_key(|entry| Reverse(entry.at));
        let limit = self.isupport().and_then(|isupport| list.limit(isupport));
        let of = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let text = RichText::new().bold(format!("{channel}, {name}: {}{of}", own.len()));
        let ends: Vec<Option<String>> =
            own.iter().take(MOST_SHOWN).map(|one| self.ends_in_words(channel, list, &one.mask)).collect();
        let text = if ends.iter().all(Option::is_none) {
            let table = Table::new(["who is meant", "by", "since"]);
            text.table(own.iter().take(MOST_SHOWN).fold(table, |table, one| table.row(shown(one))))
        } else {
            let table = Table::new(["who is meant", "by", "since", "ends"]);
            text.table(own.iter().zip(ends).fold(table, |table, (one, ends)| {
                let [mask, by, since] = shown(one);
                table.row([mask, by, since, RichText::plain(ends.unwrap_or_default())])
            }))
        };
        Ok(match own.len().saturating_sub(MOST_SHOWN) {
            0 => text,
            more => text.line().text(format!("And {more} older ones.")),
        })
    }
}

fn shown(entry: &Entry) -> [RichText; 3] {
    let by = entry.by.as_deref().map(strip_irc).unwrap_or_default();
    let at = entry.at.filter(|at| *at > 0).map(|at| wording::time(at.saturating_mul(1000)));
    [
        RichText::new().code(strip_irc(&entry.mask)),
        RichText::plain(by),
        RichText::plain(at.unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::session::InquiryReply;
    use rstest::rstest;

    #[rstest]
    #[case::ban("367 #c *!*@h bob!b@h 1700000000", ["*!*@h", "bob", "2023-11-14 22:13:20 UTC"])]
    #[case::quiet("728 #c q *!*@h bob 1700000000", ["*!*@h", "bob", "2023-11-14 22:13:20 UTC"])]
    #[case::exception("348 #c *!*@h bob", ["*!*@h", "bob", ""])]
    #[case::invitation("346 #c *!*@h", ["*!*@h", "", ""])]
    fn an_entry_is_told_with_who_and_when(#[case] line: &str, #[case] cells: [&str; 3]) {
        let (code, rest) = line.split_once(' ').unwrap();
        let params = rest.split(' ').map(str::to_owned).collect();
        let reply = InquiryReply { code: code.parse().unwrap(), params, text: String::new() };
        let entries = entries(&Answer { replies: vec![reply], ..Answer::default() });
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(shown(entry).map(|cell| cell.to_plain()), cells);
    }
}
