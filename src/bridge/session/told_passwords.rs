//! Passwords that services were told: some repeat them in what they answer ("the password has been changed to …"), and
//! what they answer is shown (invariant 10). Not the password's way to the service, nor its message in the room, which
//! are whoever's that send it.
//!
//! Invariant 9: the last words ([`MOST`]) for so long ([`HELD`]), in memory only.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};

use super::Actor;
use super::shown::Line;
use crate::format::possible_passwords;

/// Words of the last messages that are held.
const MOST: usize = 32;
/// Services answer at once, or when they are back.
const HELD: Duration = Duration::from_mins(10);

/// Words that may be passwords, the oldest first.
#[derive(Default)]
pub(super) struct ToldPasswords {
    words: VecDeque<(SecretString, Instant)>,
}

impl ToldPasswords {
    fn learn(&mut self, word: &str, now: Instant) {
        self.words.push_back((word.into(), now));
        if self.words.len() > MOST {
            self.words.pop_front();
        }
    }

    /// A text without them.
    fn out_of(&mut self, mut text: String, now: Instant) -> String {
        self.words.retain(|(_, at)| now.saturating_duration_since(*at) < HELD);
        // The longer ones first: of one that begins with another, the rest would stand there.
        let mut words: Vec<&str> = self.words.iter().map(|(word, _)| word.expose_secret()).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        for word in words {
            if text.contains(word) {
                text = text.replace(word, "…");
            }
        }
        text
    }
}

impl Actor {
    /// A service is told something, by whichever way.
    pub(super) fn on_told_service(&mut self, text: &str) {
        let now = self.now();
        let own = self.link.as_ref().map(|link| [Some(link.session.nick()), link.session.account()]);
        for word in possible_passwords(text) {
            // Who one is and where is no secret, and often part of an answer.
            let is_own = own.iter().flatten().flatten().any(|name| name.eq_ignore_ascii_case(word));
            let is_channel = word.starts_with(['#', '&']) && self.buffers.find(word).is_some();
            if !is_own && !is_channel {
                self.questions.told.learn(word, now);
            }
        }
    }

    /// What a service says, without the passwords that it was told.
    pub(super) fn without_told_passwords(&mut self, mut line: Line) -> Line {
        if !line.own && self.is_service(&line.from.nick) {
            let now = self.now();
            line.text = self.questions.told.out_of(line.text, now);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any time will do to count from")]
    fn invariant_9_only_so_many_words_are_held_and_only_so_long() {
        let (start, mut told) = (Instant::now(), ToldPasswords::default());
        (0..=MOST).for_each(|number| told.learn(&format!("secret-{number};"), start));
        let answer = format!("secret-0; secret-1; secret-{MOST};");
        assert_eq!(told.out_of(answer.clone(), start), "secret-0; … …");
        assert_eq!(told.out_of(answer.clone(), start + HELD), answer);
        assert!(told.words.is_empty());
    }

    /// Before, what the one has more than the other was shown.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "any time will do to count from")]
    fn invariant_10_of_two_passwords_that_begin_alike_nothing_is_shown() {
        let (start, mut told) = (Instant::now(), ToldPasswords::default());
        ["hunter", "hunter2"].into_iter().for_each(|word| told.learn(word, start));
        assert_eq!(told.out_of("from hunter to hunter2.".to_owned(), start), "from … to ….");
    }
}
