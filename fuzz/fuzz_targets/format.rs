//! What people say: mIRC's codes become rich text, long text becomes lines that fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use towline::format::{Limit, lines_of, read_irc, split_line, strip_irc};

fuzz_target!(|input: (u8, &str)| {
    let (budget, text) = input;
    let rich = read_irc(text);
    let plain = rich.to_plain();
    assert_eq!(plain, strip_irc(text));
    if let Some(html) = rich.to_html() {
        // Whatever was said, no tag but ours is in it.
        let tags = html.matches('<').count();
        let ours = ["b", "i", "u", "del", "code", "span", "a", "br", "font", "strong", "em"];
        let known: usize = ours
            .iter()
            .flat_map(|tag| {
                [format!("<{tag}>"), format!("<{tag} "), format!("</{tag}>"), format!("<{tag}/>")]
            })
            .map(|tag| html.matches(tag.as_str()).count())
            .sum();
        assert!(tags <= known, "{html}");
    }
    let budget = usize::from(budget);
    for line in lines_of(text) {
        assert!(!line.contains(['\r', '\n', '\0']));
        for piece in split_line(&line, &Limit::utf_8(budget)) {
            assert!(piece.len() <= budget.max(16) && !piece.is_empty());
        }
    }
});
