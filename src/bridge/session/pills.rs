//! The people that a line names, as pills: links to their Matrix users that clients show by name.
//!
//! Of those who are in the channel now, by the session's own list of members: each word is looked up there once, and
//! nothing is built for a line. A pill leads to the ghost, whether that ever spoke or not: its id is fixed, and the
//! homeserver asks us for it when somebody looks. The user's own nick leads to the user, and is the only one that is in
//! `m.mentions`: ghosts need no notification.
//!
//! Not whether the line notifies, which `shown` decides. Spec: Matrix, "User and room mentions".

use std::sync::Arc;

use super::super::content;
use super::{Actor, wording};
use crate::format::{RichText, Word, WordPlace};
use crate::irc::channels::MemberLookup;
use crate::names::CaseMapping;
use crate::store::settings;
use crate::store::{BufferKind, StoreError};

/// A line that names more people than this speaks to none of them: it is a list, or a joke on who is highlighted.
const MOST: usize = 5;

/// Who is named, and where.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    User,
    Other(Arc<str>),
}

/// Which nicks become pills.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    /// A nick that is shorter is a word like others, unless it is spoken to; 0 for all but the user's own.
    shortest: usize,
    /// These are words wherever they stand.
    ignored: &'a str,
}

impl Actor {
    /// Makes links of the addresses and pills of the nicks in a line, and says whether it names the user.
    pub(super) async fn name_people(
        &mut self,
        place: usize,
        text: RichText,
    ) -> Result<(RichText, bool), StoreError> {
        let text = text.with_links();
        let row = &self.buffers.get(place).row;
        let Some(link) = self.link.as_ref().filter(|_| row.kind == BufferKind::Channel) else {
            return Ok((text, false));
        };
        let (own, mapping) = (link.session.nick(), self.buffers.mapping());
        let named = match link.session.channel(&row.name) {
            Some(state) => {
                let shortest = self.room_number(place, &settings::PILL_LENGTH) as usize;
                let ignored = self.room_value(place, &settings::PILL_IGNORE).unwrap_or_default();
                let wanted = Wanted { shortest, ignored };
                named_in(&text, &state.lookup(), own, mapping, wanted)
            }
            None => Vec::new(),
        };
        let names_user = wording::mentions(&text.to_plain(), own, mapping)
            || named.iter().any(|(_, named)| *named == Named::User)
            // Which words somebody looks out for is nobody else's business.
            || (!self.is_shared(place) && self.manners.highlights.are_in(&text.to_plain()));
        let mut words = Vec::with_capacity(named.len());
        let buffer = place;
        for (place, named) in named {
            let address = match named {
                Named::User => content::user_link(&self.row.user_id),
                Named::Other(nick) if let Some(person) = self.person_in_room(buffer, &nick) => {
                    content::user_link(&person)
                }
                Named::Other(nick) => {
                    let ghost = self.ghost(&nick).await?;
                    self.note_named(buffer, &nick, &ghost);
                    content::user_link(&ghost)
                }
            };
            words.push((place, address));
        }
        Ok((text.link_words(words), names_user))
    }
}

/// Who of a channel's members is named in a text, in order.
fn named_in(
    text: &RichText,
    members: &MemberLookup<'_>,
    own: &str,
    mapping: CaseMapping,
    Wanted { shortest, ignored }: Wanted<'_>,
) -> Vec<(WordPlace, Named)> {
    let mut named = Vec::new();
    let mut others: Vec<Arc<str>> = Vec::new();
    for word in text.words() {
        let of = |word: &Word<'_>| {
            if mapping.same(word.text, own) {
                return Some(Named::User);
            }
            let is_long = word.is_addressed || word.text.chars().count() >= shortest;
            let is_ignored = || settings::words_of(ignored).any(|one| mapping.same(one, word.text));
            let is_looked_up = is_long && shortest > 0 && others.len() <= MOST && !is_ignored();
            is_looked_up.then(|| members.find(word.text)).flatten().map(Named::Other)
        };
        let mut candidates = [Some(word), word.bare()].into_iter().flatten();
        let Some((place, who)) = candidates.find_map(|word| Some((word.place(), of(&word)?))) else {
            continue;
        };
        if let Named::Other(nick) = &who
            && !others.contains(nick)
        {
            others.push(Arc::clone(nick));
        }
        named.push((place, who));
    }
    if others.len() > MOST {
        named.retain(|(_, who)| *who == Named::User);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::read_irc;
    use crate::irc::channels::{Channels, NickPool};
    use rstest::rstest;

    /// What is named, `@` standing for the user. In the channel are these, and the user as alice.
    fn named(line: &str, ignored: &str, shortest: usize) -> Vec<String> {
        let mut channels = Channels::new(NickPool::default());
        channels.enter("#rust");
        for nick in ["alice", "Bob", "carol{}", "me", "dave", "erin", "frank", "grace", "heidi"] {
            channels.add("#rust", nick);
        }
        let text = read_irc(line).with_links();
        let wanted = Wanted { shortest, ignored };
        let lookup = channels.get("#rust").unwrap().lookup();
        let named = named_in(&text, &lookup, "alice", CaseMapping::Rfc1459, wanted);
        let who = |(_, named)| match named {
            Named::User => "@".to_owned(),
            Named::Other(nick) => nick.to_string(),
        };
        named.into_iter().map(who).collect()
    }

    #[rstest]
    #[case::spoken_to("bob: hi", &["Bob"])]
    #[case::in_a_sentence("did bob, or dave; see it?", &["Bob", "dave"])]
    #[case::the_case_does_not_matter("CAROL[]: hi", &["carol{}"])]
    #[case::the_user("ALICE, bob asks", &["@", "Bob"])]
    #[case::in_brackets("(bob) [dave] `erin`", &["Bob", "dave", "erin"])]
    #[case::part_of_a_word("bobsled, malice", &[])]
    #[case::nobody("zoe: hi", &[])]
    #[case::in_an_address("https://x.example/bob dave@x.example erin.txt", &[])]
    #[case::in_code("\x11bob\x11", &[])]
    #[case::a_short_nick_is_a_word("tell me", &[])]
    #[case::a_short_nick_spoken_to("me: hi", &["me"])]
    #[case::bold("\x02bob\x02: hi", &["Bob"])]
    #[case::five("bob dave erin frank grace", &["Bob", "dave", "erin", "frank", "grace"])]
    #[case::half_the_channel("bob dave erin frank grace heidi alice", &["@"])]
    #[case::twice_the_same("bob! bob!", &["Bob", "Bob"])]
    fn a_line_names_who_is_there(#[case] line: &str, #[case] expected: &[&str]) {
        assert_eq!(named(line, "", 3), expected);
    }

    #[rstest]
    #[case::in_a_sentence("did bob or dave see it?", &["dave"])]
    #[case::spoken_to("Bob: hi", &[])]
    #[case::in_capitals("CAROL[]!", &[])]
    #[case::the_user("alice and bob", &["@"])]
    fn who_is_ignored_is_a_word_wherever_they_stand(#[case] line: &str, #[case] expected: &[&str]) {
        assert_eq!(named(line, "bob carol{} alice", 3), expected);
    }

    #[test]
    fn where_no_length_is_enough_the_user_alone_stands_out() {
        assert_eq!(named("bob: alice and dave are here", "", 0), ["@"]);
    }
}
