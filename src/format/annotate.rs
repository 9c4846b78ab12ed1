//! What in a text leads somewhere: addresses become links, and words that whoever asked knows as nicks become pills.
//!
//! Not who is named, which only the session knows: it gets the words ([`RichText::words`]) and says where they lead
//! ([`RichText::link_words`]). Nothing in code is a link, as in Element, and nothing within a link is a nick.

use super::links::addresses;
use super::rich_text::{Link, RichText, Span, Special};

/// More words of one message are not looked at: no nick stands in so long a text by design.
const MOST_WORDS: usize = 5_000;

/// A word that may be a nick, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'t> {
    /// The word, of characters that nicks are made of.
    pub text: &'t str,
    /// The line begins with it, and a `:` or `,` follows: somebody is spoken to.
    pub is_addressed: bool,
    span: usize,
    start: usize,
}

/// A word without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordPlace {
    span: usize,
    start: usize,
    length: usize,
}

impl Word<'_> {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> WordPlace {
        WordPlace { span: self.span, start: self.start, length: self.text.len() }
    }

    /// The word without the brackets and signs around it, which nicks may have and sentences, too; none where there
    /// are none.
    #[must_use]
    pub fn bare(&self) -> Option<Self> {
        let is_sign = |c: char| "[]{}`|^\\-_".contains(c);
        let text = self.text.trim_matches(is_sign);
        let start = self.text.find(text).unwrap_or_default();
        (!text.is_empty() && text.len() < self.text.len()).then_some(Self {
            text,
            start: self.start + start,
            ..*self
        })
    }
}

/// Whether nicks have this character (RFC 2812, section 2.3.1, and letters of other scripts).
pub(super) fn is_nick_char(character: char) -> bool {
    character.is_alphanumeric() || "-_[]{}\\`^|".contains(character)
}

impl RichText {
    /// Makes links of the addresses in the text.
    #[must_use]
    pub fn with_links(self) -> Self {
        let mut linked = Self::new();
        let mut before = None;
        for span in self.spans {
            let last = span.text.chars().next_back();
            if span.special.is_some() || span.style.monospace {
                linked.spans.push(span);
            } else {
                let found = addresses(&span.text, before);
                let parts = found.into_iter().map(|address| (address.range, Link::Spoken(address.href)));
                linked.push_parts(span, parts);
            }
            before = last.or(before);
        }
        linked
    }

    fn push_parts(&mut self, span: Span, parts: impl Iterator<Item = (std::ops::Range<usize>, Link)>) {
        let mut from = 0;
        for (range, link) in parts {
            self.push(&span.text[from..range.start], span.style);
            let text = span.text[range.clone()].to_owned();
            self.spans.push(Span { text, style: span.style, special: Some(Special::Link(link)) });
            from = range.end;
        }
        if from == 0 {
            self.spans.push(span);
        } else {
            self.push(&span.text[from..], span.style);
        }
    }

    /// The words that may be nicks: neither in code nor in a link, and no part of an address, a path or a number.
    pub fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let is_text = |(_, span): &(usize, &Span)| span.special.is_none() && !span.style.monospace;
        let spans = self.spans.iter().enumerate().filter(is_text);
        spans.flat_map(|(number, span)| self.words_of(number, &span.text)).take(MOST_WORDS)
    }

    fn words_of<'t>(&'t self, span: usize, text: &'t str) -> impl Iterator<Item = Word<'t>> {
        let before = span.checked_sub(1).and_then(|before| self.spans[before].text.chars().next_back());
        let after = self.spans.get(span + 1).and_then(|after| after.text.chars().next());
        let mut rest_at = 0;
        std::iter::from_fn(move || {
            let start = rest_at + text[rest_at..].find(is_nick_char)?;
            let length = text[start..].find(|c| !is_nick_char(c)).unwrap_or(text.len() - start);
            rest_at = start + length;
            Some((start, length))
        })
        .filter_map(move |(start, length)| {
            let end = start + length;
            let previous = if start == 0 { before } else { text[..start].chars().next_back() };
            let mut next = text[end..].chars().chain(after);
            let (first, second) = (next.next(), next.next());
            let is_joined = match first {
                Some('.' | '@' | '/' | ':' | '#' | '&' | '=') => {
                    second.is_some_and(|c| is_nick_char(c) || c == '/')
                }
                Some(first) => end == text.len() && is_nick_char(first),
                None => false,
            };
            let is_part = match previous {
                Some('#' | '/' | '.' | '!' | '=' | '&' | '$') => true,
                // Of an address; `@nick` is how some speak to people.
                Some('@') => text[..start].trim_end_matches('@').ends_with(is_nick_char),
                Some(c) => start == 0 && is_nick_char(c),
                None => false,
            };
            let begins = previous.is_none_or(|c| c == '\n');
            let is_addressed = begins && matches!(first, Some(':' | ','));
            let word = Word { text: &text[start..end], is_addressed, span, start };
            (!is_joined && !is_part).then_some(word)
        })
    }

    /// Makes links of these words, which stand in order.
    #[must_use]
    pub fn link_words(self, words: Vec<(WordPlace, String)>) -> Self {
        if words.is_empty() {
            return self;
        }
        let mut words = words.into_iter().peekable();
        let mut linked = Self::new();
        for (number, span) in self.spans.into_iter().enumerate() {
            let own = std::iter::from_fn(|| words.next_if(|(place, _)| place.span == number));
            let parts =
                own.map(|(place, href)| (place.start..place.start + place.length, Link::Spoken(href)));
            linked.push_parts(span, parts.collect::<Vec<_>>().into_iter());
        }
        linked
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_irc;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(
        "see https://x.example/?a&b.",
        "see <a href=\"https://x.example/?a&amp;b\">https://x.example/?a&amp;b</a>."
    )]
    #[case::bold("\x02https://x.example\x02!", "<a href=\"https://x.example\"><b>https://x.example</b></a>!")]
    #[case::in_code("\x11curl https://x.example\x11", "<code>curl https://x.example</code>")]
    #[case::quoted(
        "<https://x.example/'>",
        "&lt;<a href=\"https://x.example/\">https://x.example/</a>&#39;&gt;"
    )]
    #[case::coloured_brackets(
        "\x0304(\x03https://x.example\x0304)",
        "<span data-mx-color=\"#ff0000\">(</span><a href=\"https://x.example\">https://x.example</a><span \
         data-mx-color=\"#ff0000\">)</span>"
    )]
    fn an_address_is_a_link_and_the_body_stays_as_it_was(#[case] line: &str, #[case] html: &str) {
        let text = read_irc(line).with_links();
        assert_eq!(text.to_html().unwrap(), html);
        assert_eq!(text.to_plain(), read_irc(line).to_plain());
    }

    #[test]
    fn an_address_split_by_a_style_is_no_link_within_a_word() {
        let text = read_irc("x\x02https://x.example").with_links();
        assert_eq!(text.to_html().unwrap(), "x<b>https://x.example</b>");
    }

    #[rstest]
    #[case::spoken_to("bob: hi", &["bob:", "hi"])]
    #[case::signs("(bob), carol! dave?", &["bob", "carol", "dave"])]
    #[case::possession("bob's", &["bob", "s"])]
    #[case::an_address("bob@x.example", &[])]
    #[case::a_file("bob.txt", &[])]
    #[case::a_path("/home/bob/x", &[])]
    #[case::a_channel("#bob", &[])]
    #[case::in_a_link("https://x.example/bob bob", &["bob"])]
    #[case::in_code("\x11bob\x11 carol", &["carol"])]
    #[case::part_of_a_word_by_style("foo\x02bob\x02", &[])]
    #[case::a_word_with_a_style("hi \x0304bob\x03: yes", &["hi", "bob", "yes"])]
    #[case::second_line("a\nbob, hi", &["a", "bob:", "hi"])]
    #[case::an_end(".bob", &[])]
    #[case::a_sentence("bob. And", &["bob", "And"])]
    #[case::nick_characters("[b]ob|away_ x", &["[b]ob|away_", "x"])]
    #[case::other_script("Björn: ja", &["Björn:", "ja"])]
    #[case::mail_sign("@bob hi", &["bob", "hi"])]
    #[case::a_hostmask("bob!b@h", &["bob"])]
    fn words_are_what_may_be_a_nick(#[case] line: &str, #[case] expected: &[&str]) {
        let text = read_irc(line).with_links();
        let words = text.words().map(|word| {
            let sign = if word.is_addressed { ":" } else { "" };
            format!("{}{sign}", word.text)
        });
        assert_eq!(words.collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case::brackets("[bob]", Some("bob"))]
    #[case::underscore("bob_", Some("bob"))]
    #[case::nothing_around("bob", None)]
    #[case::only_signs("--", None)]
    fn a_word_may_stand_in_brackets(#[case] line: &str, #[case] bare: Option<&str>) {
        let text = read_irc(line);
        assert_eq!(text.words().next().and_then(|word| word.bare()).map(|word| word.text), bare);
    }

    #[test]
    fn words_become_links_where_they_stand() {
        let text = read_irc("\x02bob\x02: ask [carol], bob").with_links();
        let place = |word: Word<'_>| word.bare().unwrap_or(word).place();
        let named = |word: &Word<'_>| word.text.contains("bob") || word.text.contains("carol");
        let places: Vec<_> = text.words().filter(named).map(|word| (place(word), "x:y".to_owned())).collect();
        let linked = text.clone().link_words(places);
        let html = "<a href=\"x:y\"><b>bob</b></a>: ask [<a href=\"x:y\">carol</a>], <a href=\"x:y\">bob</a>";
        assert_eq!(linked.to_html().unwrap(), html);
        assert_eq!(linked.to_plain(), text.to_plain());
    }

    proptest! {
        #[test]
        fn the_text_stays_the_same_whatever_leads_somewhere(
            line in "([a-c:/.,()<\n @]|https://a|\x02|\x11|\x0304){0,40}",
        ) {
            let plain = read_irc(&line).to_plain();
            let text = read_irc(&line).with_links();
            prop_assert_eq!(&text.to_plain(), &plain);
            let places = text.words().map(|word| (word.place(), "x:y".to_owned())).collect();
            prop_assert_eq!(text.link_words(places).to_plain(), plain);
        }
    }
}
