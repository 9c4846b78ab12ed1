//! `ban`, `kickban`, `quiet` and what takes them back.
//!
//! Somebody is banned by the host that they come from, whatever they call themselves: the server is asked for it, also
//! of who has just left. With `account` it is the account that they are logged in to, where the network can ban that.
//! What is taken back are the entries that are about somebody, however they were written.

use super::super::super::outcome::Refusal;
use super::super::Actor;
use super::super::series::{Sent, Step};
use super::lists::{self, entries, question};
use super::refusals::{in_words, refusals};
use super::timed::{BanTime, for_how_long};
use super::{are, listed};
use crate::format::RichText;
use crate::irc::isupport::ModeKind;
use crate::irc::lists::{ChannelList, Identity, ListKind, account_entry, complete, is_mask};
use crate::irc::modes::{self, ModeChange};
use crate::irc::numerics::{RPL_WHOISACCOUNT, RPL_WHOISUSER, RPL_WHOWASUSER};
use crate::irc::session::{Answer, InquiryReply};
use crate::irc::wire::{Line, WireError};
use crate::names::{CaseMapping, Channel, Nick};

/// Whom a command is about.
#[derive(Debug, Clone, Default)]
struct Meant {
    masks: Vec<String>,
    people: Vec<Identity>,
}

/// How somebody is banned.
pub(super) struct Manner {
    /// By their account, rather than by where they come from.
    pub(super) by_account: bool,
    /// They are put out as well, with this reason.
    pub(super) kick: Option<String>,
    /// How long it is to last.
    pub(super) time: Option<BanTime>,
}

/// A ban, when it is known who is meant.
struct Deed {
    channel: Channel,
    kind: ListKind,
    list: ChannelList,
    by_account: bool,
    kicks: Vec<Line>,
    time: Option<BanTime>,
}

/// What is done when it is known who is meant.
type GoOn = Box<dyn FnOnce(&mut Actor, Meant) -> Step + Send>;

/// What an answer to `WHOIS` or `WHOWAS` says of where somebody comes from. Only what it says of them: an answer that is
/// late may stand behind the next question, and nobody is banned in another's place.
fn identity(answer: &Answer, nick: &Nick, mapping: CaseMapping) -> Option<Identity> {
    let replies = || {
        let of = |reply: &&InquiryReply| {
            reply.params.first().is_some_and(|about| mapping.same(about, nick.as_str()))
        };
        answer.replies.iter().filter(of)
    };
    let person = replies().find_map(|reply| match (reply.code, &reply.params[..]) {
        (RPL_WHOISUSER | RPL_WHOWASUSER, [nick, user, host, ..]) => {
            Some(Identity { nick: nick.clone(), user: user.clone(), host: host.clone(), account: None })
        }
        _ => None,
    })?;
    let account = replies().find(|reply| reply.code == RPL_WHOISACCOUNT);
    let account = account.and_then(|reply| reply.params.get(1)).filter(|account| *account != "*");
    Some(Identity { account: account.cloned(), ..person })
}

/// Nicks among what was typed; the rest are masks.
fn parted(typed: &[String]) -> Result<(Vec<String>, Vec<Nick>), Refusal> {
    let (masks, nicks): (Vec<&String>, Vec<&String>) = typed.iter().partition(|one| is_mask(one));
    let nick = |text: &&String| {
        Nick::new(text).map_err(|error| Refusal::asked(format!("{text} is no nick and no mask: {error}.")))
    };
    Ok((masks.into_iter().cloned().collect(), nicks.iter().map(nick).collect::<Result<_, _>>()?))
}

fn question_about(verb: &'static str, nick: &Nick) -> Line {
    Line::new(verb).name(nick).finish()
}

fn unsendable(error: WireError) -> Refusal {
    Refusal::asked(format!("That can't be sent: {error}."))
}

impl Actor {
    pub(super) fn ban(
        &mut self,
        channel: Channel,
        kind: ListKind,
        typed: &[String],
        Manner { by_account, kick, time }: Manner,
    ) -> Result<Step, Refusal> {
        let link = self.inside(&channel)?;
        let list = self.list_of(kind)?;
        let (masks, nicks) = parted(typed)?;
        if let Some(own) = nicks.iter().find(|nick| link.session.is_own(nick.as_str())) {
            return Err(Refusal::asked(format!("{own} is you.")));
        }
        let mut kicks = Vec::new();
        if let Some(reason) = kick {
            if nicks.is_empty() {
                return Err(Refusal::asked(
                    "Name people to put out, not masks: who comes by a mask is not known.",
                ));
            }
            kicks = self.kick_lines(&channel, &nicks, &reason)?;
        }
        self.identify(
            masks,
            nicks,
            Box::new(move |actor, meant| {
                let deed = Deed { channel, kind, list, by_account, kicks, time };
                actor.ban_meant(deed, &meant).into()
            }),
        )
    }

    /// Finds out where people come from, then goes on: by who they are, and of who has left by who they were.
    fn identify(&mut self, masks: Vec<String>, nicks: Vec<Nick>, go_on: GoOn) -> Result<Step, Refusal> {
        self.ready()?;
        if nicks.is_empty() {
            return Ok(go_on(self, Meant { masks, people: Vec::new() }));
        }
        let lines = nicks.iter().map(|nick| question_about("WHOIS", nick)).collect();
        Ok(Step::ask_first(lines, move |actor, answers| {
            let mut people = Vec::new();
            let mut gone = Vec::new();
            let mapping = actor.buffers.mapping();
            for (nick, answer) in nicks.into_iter().zip(&answers) {
                match identity(answer, &nick, mapping) {
                    Some(person) => people.push(person),
                    None => gone.push(nick),
                }
            }
            if gone.is_empty() {
                return go_on(actor, Meant { masks, people });
            }
            let lines = gone.iter().map(|nick| question_about("WHOWAS", nick)).collect();
            Step::ask_first(lines, move |actor, answers| {
                let mapping = actor.buffers.mapping();
                for (nick, answer) in gone.into_iter().zip(&answers) {
                    // Of a stranger no more is known than the nick.
                    let stranger = || Identity { nick: nick.as_str().to_owned(), ..Identity::default() };
                    people.push(identity(answer, &nick, mapping).unwrap_or_else(stranger));
                }
                go_on(actor, Meant { masks, people })
            })
        }))
    }

    fn ban_meant(&mut self, deed: Deed, meant: &Meant) -> Result<Step, Refusal> {
        let Deed { channel, kind, list, by_account, kicks, time } = deed;
        let isupport = self.inside(&channel)?.session.isupport();
        let network = &self.network.name;
        let mut masks: Vec<String> = meant.masks.iter().map(|mask| complete(mask, isupport)).collect();
        for person in &meant.people {
            let nick = &person.nick;
            masks.push(match &person.account {
                Some(account) if by_account => account_entry(account, isupport)
                    .ok_or_else(|| Refusal::asked(format!("{network} can't ban accounts.")))?,
                None if by_account => {
                    let text = format!("{nick} is not logged in. To ban their host, type ");
                    let text = RichText::plain(text).code(format!("ban {nick}")).text(".");
                    return Err(Refusal::Asked(text));
                }
                _ if person.host.is_empty() => {
                    return Err(Refusal::asked(format!(
                        "{network} knows no {nick}, and nothing was banned. A mask can be banned all the same, as in \
                         {nick}!*@*."
                    )));
                }
                _ => person.host_mask(),
            });
        }
        masks.sort();
        masks.dedup();
        let change = |mask: &String| ModeChange {
            set: true,
            letter: list.letter,
            kind: ModeKind::List,
            argument: Some(list.entry(mask)),
        };
        let changes: Vec<ModeChange> = masks.iter().map(change).collect();
        let mut lines = modes::lines(&channel, &changes, isupport).map_err(unsendable)?;
        let puts_out = !kicks.is_empty();
        lines.extend(kicks);
        let nicks: Vec<String> = meant.people.iter().map(|person| person.nick.clone()).collect();
        // Stored before the line leaves: what was set for a time must not stay for want of a note.
        let before = self.time_bans(&channel, &list, &masks, time.as_ref())?;
        let unsent = before.clone();
        let step = Step::ask(lines, move |actor, answers| {
            let refused = refusals(&answers);
            if !refused.is_empty() {
                actor.restore_bans(before);
                return Err(Refusal::Asked(in_words(&actor.network.name, &channel, &refused)));
            }
            let text = RichText::plain(format!(
                "Among the {} of {channel} {} now ",
                lists::name(kind),
                are(masks.len())
            ));
            let text = text.code(masks.join(" "));
            let text = if nicks.is_empty() { text } else { text.text(format!(" ({})", listed(&nicks))) };
            let text = text.text(for_how_long(time.as_ref()));
            let is_out = |nick: &&String| Nick::new(nick).is_ok_and(|nick| !actor.is_in(&channel, &nick));
            let out: Vec<&String> = nicks.iter().filter(|_| puts_out).filter(is_out).collect();
            Ok(match out.len() {
                0 => text.text("."),
                count => text.text(format!(", and {} {} out.", listed(&out), are(count))),
            })
        });
        Ok(step.or_undo(|actor, sent| match sent {
            Sent::Nothing => actor.restore_bans(unsent),
            Sent::Perhaps => actor.keep_what_may_stand(unsent),
        }))
    }

    pub(super) fn unban(
        &mut self,
        channel: Channel,
        kind: ListKind,
        typed: Vec<String>,
    ) -> Result<Step, Refusal> {
        self.inside(&channel)?;
        let list = self.list_of(kind)?;
        let (masks, nicks) = parted(&typed)?;
        self.identify(
            masks,
            nicks,
            Box::new(move |_, meant| {
                let line = question(&channel, &list);
                Step::ask_first(vec![line], move |actor, answers| {
                    actor.unban_meant(channel, kind, &list, &meant, &typed, &answers).into()
                })
            }),
        )
    }

    fn unban_meant(
        &mut self,
        channel: Channel,
        kind: ListKind,
        list: &ChannelList,
        meant: &Meant,
        typed: &[String],
        answers: &[Answer],
    ) -> Result<Step, Refusal> {
        let isupport = self.inside(&channel)?.session.isupport();
        let mapping = isupport.casemapping();
        let wanted: Vec<String> = meant.masks.iter().map(|mask| complete(mask, isupport)).collect();
        let is_meant = |entry: &str| {
            list.mask(entry).is_some_and(|mask| {
                wanted.iter().any(|wanted| mapping.same(wanted, mask))
                    || meant.people.iter().any(|person| person.is_meant_by(mask, isupport))
            })
        };
        let found: Vec<String> =
            answers.iter().flat_map(entries).map(|one| one.mask).filter(|entry| is_meant(entry)).collect();
        let name = lists::name(kind);
        let letter = list.letter;
        if found.is_empty() {
            let refused = refusals(answers);
            if refused.is_empty() {
                // It stands there no more, whoever took it back while we did not hear of it.
                let timed = self.timed_entries(&channel, letter);
                let gone: Vec<String> = timed.into_iter().filter(|entry| is_meant(entry)).collect();
                self.forget_times(&channel, letter, &gone);
            }
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(&self.network.name, &channel, &refused)));
            }
            let command = if kind == ListKind::Quiets { "quiets" } else { "bans" };
            let text =
                format!("None of the {name} of {channel} is about {}. To see them, type ", listed(typed));
            return Err(Refusal::Asked(RichText::plain(text).code(command).text(".")));
        }
        let change = |entry: &String| ModeChange {
            set: false,
            letter: list.letter,
            kind: ModeKind::List,
            argument: Some(entry.clone()),
        };
        let changes: Vec<ModeChange> = found.iter().map(change).collect();
        let lines = modes::lines(&channel, &changes, isupport).map_err(unsendable)?;
        Ok(Step::ask(lines, move |actor, answers| {
            let refused = refusals(&answers);
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(&actor.network.name, &channel, &refused)));
            }
            actor.forget_times(&channel, letter, &found);
            let text = RichText::plain(format!("No longer among the {name} of {channel}: "));
            Ok(text.code(found.join(" ")).text("."))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn answer(lines: &[&str]) -> Answer {
        let reply = |line: &&str| {
            let mut words = line.split(' ').map(str::to_owned);
            let code = words.next().unwrap().parse().unwrap();
            InquiryReply { code, params: words.collect(), text: String::new() }
        };
        Answer { replies: lines.iter().map(reply).collect(), ..Answer::default() }
    }

    /// Before, the first answer counted: somebody else was banned where one came late.
    #[rstest]
    #[case::asked_for(&["311 BOB b bobs.test * Bob"], Some(("bobs.test", None)))]
    #[case::with_an_account(&["311 bob b bobs.test * Bob", "330 bob bobby x"], Some(("bobs.test", Some("bobby"))))]
    #[case::behind_anothers(&["311 carol c carols.test * C", "330 carol carola x", "318 carol x", "311 bob b bobs.test * B"],
        Some(("bobs.test", None)))]
    #[case::of_another_alone(&["311 carol c carols.test * C"], None)]
    #[case::before(&["314 bob b bobs.test * Bob"], Some(("bobs.test", None)))]
    #[case::nobody(&["401 bob No-such-nick"], None)]
    fn who_is_banned_is_who_was_asked_for(
        #[case] lines: &[&str],
        #[case] found: Option<(&str, Option<&str>)>,
    ) {
        let person = identity(&answer(lines), &Nick::new("bob").unwrap(), CaseMapping::Rfc1459);
        let person = person.as_ref().map(|one| (one.host.as_str(), one.account.as_deref()));
        assert_eq!(person, found);
    }
}
