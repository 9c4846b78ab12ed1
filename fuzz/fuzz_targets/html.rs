//! What people write with Matrix clients: whatever HTML it is, lines that IRC takes, with no code but ours.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use towline::format::{IrcStyle, Limit, Names, Options, Spoilers, lines_of, neutral, read_matrix, split_line};

struct Somebody;

impl Names for Somebody {
    fn nick(&self, user_id: &str) -> Option<Cow<'_, str>> {
        user_id.starts_with("@a").then_some("alice".into())
    }

    fn channel(&self, room: &str) -> Option<Cow<'_, str>> {
        room.starts_with("#a").then_some("#towline".into())
    }

    fn display_name(&self, nick: &str) -> String {
        nick.to_owned()
    }
}

fuzz_target!(|input: (u8, &str)| {
    let (choices, html) = input;
    let styles = [IrcStyle::Codes, IrcStyle::Plain, IrcStyle::Markdown];
    let style = styles[usize::from(choices % 3)];
    let spoilers = if choices & 64 == 0 { Spoilers::Hidden } else { Spoilers::LeftOut };
    let options = Options { style, spoilers, addresses: choices & 128 == 0 };
    let mentions = ["@a:x".to_owned()];
    let text = read_matrix(html, Some(html), &mentions, options, &Somebody);
    let is_ours = |c: char| style == IrcStyle::Codes && "\x02\x03\x0f\x11\x1d\x1e\x1f".contains(c);
    assert!(text.chars().all(|c| c == '\n' || is_ours(c) || !c.is_control()), "{text:?}");
    if style != IrcStyle::Codes {
        assert_eq!(neutral(&text), text);
    }
    for line in lines_of(&text) {
        for piece in split_line(&line, &Limit::utf_8(usize::from(choices) + 64)) {
            assert!(piece.len() <= usize::from(choices) + 64 && !piece.is_empty());
        }
    }
});
