//! Whether the operators of a channel agree that a room shows it: they are asked in private, by the connection of the user
//! who wants it, and one who says yes in time is enough. Who answers is known by the code that was in the question, and
//! has to be an operator then.
//!
//! Invariants 7 (time is passed in) and 9: so often operators of one channel are asked, [`OFTEN`]. What is asked is in memory
//! only, as the rest of it is (`shared/plumbing/asking.rs`): it ends with the connection, and when it is called off there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::Asking;
use super::super::outcome::{Outcome, Refusal};
use super::super::shared::PLUMBING_PATIENCE;
use super::Actor;
use super::shown::Line;
use crate::format::{RichText, strip_irc};
use crate::irc::isupport::Isupport;
use crate::irc::session::{IncomingKind, MessageKind, MessageTarget, Origin, State};
use crate::names::{CaseMapping, Channel};

/// Operators who are asked.
const MOST_ASKED: usize = 3;
/// Those with a rank who are looked at for that.
const MOST_LOOKED_AT: usize = 50;
/// The first word of an answer.
const WORD: &str = "!plumb";
/// So often the operators of one channel are asked …
const OFTEN: usize = 3;
/// … within this time.
const WHILE: Duration = Duration::from_hours(1);
/// Questions that are over and are known still, so that who answers one is told.
const REMEMBERED: usize = 20;

/// One question.
#[derive(Debug)]
struct Wanted {
    asking: Asking,
    code: String,
    until: Instant,
}

/// What operators were asked.
#[derive(Debug, Default)]
pub(super) struct Consents {
    open: Vec<Wanted>,
    /// The codes and channels of questions that are over.
    over: VecDeque<(String, Channel)>,
    /// Which channel's operators were asked, letters folded, and when.
    asked: VecDeque<(String, Instant)>,
}

/// What an answer is about.
#[derive(Debug, PartialEq, Eq)]
enum Answered {
    /// The question at this place, and whether it is yes.
    Open(usize, bool),
    /// One that is over, about this channel.
    Over(Channel),
}

impl Consents {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(|wanted| wanted.until).min()
    }

    fn answered(&self, text: &str) -> Option<Answered> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [word, answer, code] = words[..] else { return None };
        let yes = [("yes", true), ("no", false)];
        let (_, is_yes) = yes.into_iter().find(|(known, _)| answer.eq_ignore_ascii_case(known))?;
        if !word.eq_ignore_ascii_case(WORD) {
            return None;
        }
        let is_it = |known: &str| known.eq_ignore_ascii_case(code);
        if let Some(place) = self.open.iter().position(|wanted| is_it(&wanted.code)) {
            return Some(Answered::Open(place, is_yes));
        }
        let over = self.over.iter().find(|(known, _)| is_it(known));
        over.map(|(_, channel)| Answered::Over(channel.clone()))
    }

    /// Takes out questions that nobody is to answer any more.
    fn take(&mut self, is_over: impl Fn(&Wanted) -> bool) -> Vec<Wanted> {
        let (over, open) = std::mem::take(&mut self.open).into_iter().partition(is_over);
        self.open = open;
        let over: Vec<Wanted> = over;
        self.over.extend(over.iter().map(|wanted| (wanted.code.clone(), wanted.asking.channel.clone())));
        while self.over.len() > REMEMBERED {
            self.over.pop_front();
        }
        over
    }

    /// Whether the operators of a channel may be asked once more.
    fn admit(&mut self, channel: &Channel, now: Instant) -> bool {
        self.asked.retain(|(_, at)| now.saturating_duration_since(*at) < WHILE);
        let folded = CaseMapping::Rfc1459.fold(channel.as_str());
        if self.asked.iter().filter(|(asked, _)| *asked == folded).count() >= OFTEN {
            return false;
        }
        self.asked.push_back((folded, now));
        true
    }
}

/// Some of these, by chance: else the same people would be asked each time, and others never.
fn some_of(mut people: Vec<String>, most: usize) -> Vec<String> {
    let mut chosen = Vec::new();
    while chosen.len() < most && !people.is_empty() {
        let mut random = [0; 2];
        // Without randomness the first will do.
        let _ = crate::clock::random_bytes(&mut random);
        chosen.push(people.swap_remove(usize::from(u16::from_le_bytes(random)) % people.len()));
    }
    chosen
}

/// Whether these prefixes, the highest first, make somebody an operator.
fn are_operators(prefixes: &str, isupport: &Isupport) -> bool {
    let ranks = isupport.prefixes();
    let least = ranks.iter().position(|(mode, _)| *mode == 'o');
    prefixes.chars().any(|symbol| {
        let rank = ranks.iter().position(|(_, known)| *known == symbol);
        rank.zip(least).is_some_and(|(rank, least)| rank <= least)
    })
}

/// Six letters and digits that are not taken for each other.
fn new_code() -> Option<String> {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = [0; 6];
    crate::clock::random_bytes(&mut random).ok()?;
    Some(random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}

impl Actor {
    /// Whether somebody is an operator of a channel that the user is in; without a nick, the user.
    pub(super) fn is_operator(&self, channel: &Channel, nick: Option<&str>) -> bool {
        let Some(link) = self.link.as_ref().filter(|link| link.session.state() == State::Ready) else {
            return false;
        };
        let Some(there) = link.session.channel(channel.as_str()) else { return false };
        let prefixes = there.prefixes(nick.unwrap_or(link.session.nick()));
        prefixes.is_some_and(|prefixes| are_operators(&prefixes, link.session.isupport()))
    }

    /// Asks some operators of a channel whether a room may show it.
    pub(super) fn ask_operators(&mut self, asking: Asking) -> Outcome {
        let channel = asking.channel.clone();
        let operators: Vec<String> = {
            let link = self.inside(&channel)?;
            let there = link.session.channel(channel.as_str());
            let ranked = there.map(|there| there.ranked(MOST_LOOKED_AT)).unwrap_or_default();
            let is_one = |rank: char| are_operators(&rank.to_string(), link.session.isupport());
            let people = ranked.into_iter().filter(|(nick, rank)| is_one(*rank) && !self.is_service(nick));
            some_of(people.map(|(nick, _)| nick.to_string()).collect(), MOST_ASKED)
        };
        if operators.is_empty() {
            return Err(Refusal::asked(format!(
                "Nobody is in {channel} now who is its operator and could agree. Try again when somebody is, or ask the \
                 bridge's administrator."
            )));
        }
        let now = self.now();
        if !self.consents.admit(&channel, now) {
            return Err(Refusal::asked(format!(
                "The operators of {channel} were asked {OFTEN} times within the hour in your name. Talk to them first."
            )));
        }
        let Some(code) = new_code() else {
            return Err(Refusal::asked("There is no randomness to be had for a code. Try again."));
        };
        let question = format!(
            "{} would like to show {channel} in the Matrix room {}: all there would read what is said here, and those with \
             a connection of their own could speak here. If you agree, answer {WORD} yes {code} within five minutes, and \
             {WORD} no {code} if you do not.",
            asking.by, asking.room_id
        );
        for nick in &operators {
            self.tell_on_irc(nick, MessageKind::Privmsg, &question);
        }
        let until = now + PLUMBING_PATIENCE;
        self.consents.open.push(Wanted { asking, code, until });
        Ok(RichText::plain(format!(
            "I have asked {} in your name, who may agree for {channel}, and wait for five minutes. What becomes of it I tell in \
             the network's room.",
            operators.join(", ")
        )))
    }

    /// Says something in the user's name that nobody waits for; that it does not arrive is told.
    fn tell_on_irc(&mut self, nick: &str, kind: MessageKind, text: &str) {
        match self.say_loose(nick, kind, text, String::new()) {
            Ok(loose) => self.await_loose(loose, oneshot::channel().0),
            Err(refusal) => self.say(refusal.into_text()),
        }
    }

    /// Tells somebody on IRC what became of their answer.
    pub(super) fn notify_on_irc(&mut self, nick: &str, text: &str) {
        if self.link.is_some() {
            self.tell_on_irc(nick, MessageKind::Notice, text);
        }
    }

    /// Whether a line is an operator's answer, which is acted on and not shown.
    pub(super) fn hears_consent(&mut self, target: &MessageTarget, line: &Line) -> bool {
        let is_said_to_us =
            matches!(target, MessageTarget::Own) && matches!(line.kind, IncomingKind::Privmsg);
        if !is_said_to_us || line.own || line.origin != Origin::Live {
            return false;
        }
        let nick = line.from.nick.clone();
        let (place, is_yes) = match self.consents.answered(&strip_irc(&line.text)) {
            Some(Answered::Open(place, is_yes)) => (place, is_yes),
            Some(Answered::Over(channel)) => {
                let text =
                    format!("That is not asked any more: {channel} is not shown anywhere by your answer.");
                self.notify_on_irc(&nick, &text);
                return true;
            }
            None => return false,
        };
        let channel = self.consents.open[place].asking.channel.clone();
        if !self.is_operator(&channel, Some(&nick)) {
            self.notify_on_irc(&nick, &format!("You are no operator of {channel} now."));
            self.say(RichText::plain(format!(
                "{nick} has answered whether {channel} may be shown, and is no operator there: that does not count."
            )));
            return true;
        }
        let number = self.consents.open[place].asking.number;
        for Wanted { asking, .. } in self.consents.take(|wanted| wanted.asking.number == number) {
            if is_yes {
                // What comes of it is told when that is known.
                self.notify_on_irc(&nick, "Thank you. I look whether that can be done.");
                self.bridge.on_agreed(asking, nick.clone());
            } else {
                self.notify_on_irc(&nick, &format!("Thank you: {channel} is not shown there."));
                self.say(RichText::plain(format!(
                    "{nick} does not agree that {channel} is shown in that room."
                )));
                self.bridge.stop_asking(&asking);
            }
        }
        true
    }

    /// Nobody waits for an answer that did not come in time.
    pub(super) fn tick_consents(&mut self) {
        let now = self.now();
        let over = self.consents.take(|one| one.until <= now);
        self.end_consents(over, "no operator has agreed within five minutes");
    }

    /// What was asked is called off, of which the user knows.
    pub(super) fn withdraw_question(&mut self, number: u64) {
        self.consents.take(|wanted| wanted.asking.number == number);
    }

    /// The connection is gone by which operators were asked.
    pub(super) fn abandon_consents(&mut self) {
        let over = self.consents.take(|_| true);
        self.end_consents(over, "your connection ended before an operator has agreed");
    }

    fn end_consents(&mut self, over: Vec<Wanted>, why: &str) {
        for Wanted { asking, .. } in over {
            if self.bridge.stop_asking(&asking) {
                self.say(RichText::plain(format!("{} is not shown in that room: {why}.", asking.channel)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_operator("@", true)]
    #[case::above("~", true)]
    #[case::with_voice_besides("@+", true)]
    #[case::half("%", false)]
    #[case::voice("+", false)]
    #[case::nothing("", false)]
    fn an_operator_is_who_has_that_rank_or_more(#[case] prefixes: &str, #[case] is_one: bool) {
        let mut isupport = Isupport::default();
        isupport.apply(["PREFIX=(qaohv)~&@%+"].into_iter());
        assert_eq!(are_operators(prefixes, &isupport), is_one);
    }

    #[test]
    fn everybody_who_may_agree_is_asked_sooner_or_later_and_nobody_twice_at_once() {
        let people = || (0..5).map(|number| format!("op{number}")).collect::<Vec<_>>();
        let mut asked = std::collections::BTreeSet::new();
        while asked.len() < 5 {
            let some: std::collections::BTreeSet<String> = some_of(people(), 3).into_iter().collect();
            assert_eq!(some.len(), 3);
            asked.extend(some);
        }
        assert_eq!(some_of(people(), 9).len(), 5);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn the_operators_of_a_channel_are_asked_so_often_in_an_hour_and_those_of_another_all_the_same() {
        let (mut consents, now) = (Consents::default(), Instant::now());
        let (tea, zoo) = (Channel::new("#tea").unwrap(), Channel::new("#zoo").unwrap());
        for _ in 0..OFTEN {
            assert!(consents.admit(&tea, now));
        }
        assert!(!consents.admit(&tea, now));
        assert!(consents.admit(&zoo, now));
        assert!(!consents.admit(&tea, now + WHILE.saturating_sub(Duration::from_secs(1))));
        assert!(consents.admit(&tea, now + WHILE));
    }

    #[test]
    fn a_code_is_six_letters_that_are_told_apart() {
        let (one, other) = (new_code().unwrap(), new_code().unwrap());
        assert_eq!(one.len(), 6);
        assert_ne!(one, other);
        assert!(!one.contains(['0', 'o', '1', 'l', 'i']), "{one}");
    }
}
