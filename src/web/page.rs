//! The page of a long text: who said it where and when, the text with numbered lines, and nothing that runs.
//!
//! Code stands between fences, as people write it (```` ```rust ````), and is coloured here (`highlight`); a browser gets
//! text, one style that its policy names, and no script. The numbers are links to their lines.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::highlight::{self, Piece};
use super::link;

/// A text that was too long for IRC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text, without formatting.
    pub text: String,
    /// The nick of the one who said it.
    pub who: String,
    /// The channel, or whom it was said to.
    pub place: String,
    /// The network's name.
    pub network: String,
    /// Milliseconds since 1970.
    pub at: i64,
}

const STYLE: &str = include_str!("page.css");

/// The policy of a page: its one style, and nothing else.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(digest);
    format!("sandbox; default-src 'none'; style-src 'sha256-{hash}'")
});

/// A stretch of lines that look alike.
enum Block<'t> {
    Words(Vec<&'t str>),
    /// The language, its first line of fence among the lines.
    Code(Option<&'t str>, Vec<&'t str>),
}

/// The page as HTML. Colouring takes as long as it takes for 64 KB at most: who calls does so where that stops nobody.
pub(super) fn html(id: &str, text: &Text) -> String {
    let title = format!("{} on {}", text.who, text.place);
    let when = jiff::Timestamp::from_millisecond(text.at).unwrap_or_default();
    let (time, shown) = (when.strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime("%Y-%m-%d %H:%M UTC"));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><h1><b>{who}</b> on {place} <small>{network}</small></h1>\n\
         <p><time datetime=\"{time}\">{shown}</time> · <a href=\"{raw}\">as plain text</a></p></header>\n<main>\n",
        title = escape(&title),
        who = escape(&text.who),
        place = escape(&text.place),
        network = escape(&text.network),
        raw = link::raw_name(id),
    );
    let mut number = 0;
    for block in blocks(&text.text) {
        match block {
            Block::Words(lines) => {
                page.push_str("<div class=\"words\">\n");
                for line in lines {
                    push_line(&mut page, &mut number, &escape(line));
                }
            }
            Block::Code(language, lines) => {
                page.push_str("<div class=\"code\">\n");
                for pieces in highlight::lines(language, &lines) {
                    let line = pieces.iter().fold(String::new(), |mut line, Piece { kind, text }| {
                        let text = escape(text);
                        let _ = match kind.class() {
                            Some(class) => write!(line, "<i class=\"{class}\">{text}</i>"),
                            None => write!(line, "{text}"),
                        };
                        line
                    });
                    push_line(&mut page, &mut number, &line);
                }
            }
        }
        page.push_str("</div>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn push_line(page: &mut String, number: &mut usize, html: &str) {
    *number += 1;
    let _ = writeln!(page, "<p id=\"L{number}\"><a href=\"#L{number}\">{number}</a><span>{html}</span></p>");
}

/// The text apart where a fence begins or ends code. The fences themselves are left out; the last one may lack.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut words = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```").filter(|rest| !rest.contains('`')) else {
            words.push(line);
            continue;
        };
        let mut code = Vec::new();
        for line in lines.by_ref() {
            if line.trim() == "```" {
                break;
            }
            code.push(line);
        }
        push_words(&mut blocks, std::mem::take(&mut words));
        blocks.push(Block::Code(Some(language.trim()).filter(|language| !language.is_empty()), code));
    }
    push_words(&mut blocks, words);
    blocks
}

/// Blank lines around code are its distance.
fn push_words<'t>(blocks: &mut Vec<Block<'t>>, mut words: Vec<&'t str>) {
    while words.last().is_some_and(|line| line.trim().is_empty()) {
        words.pop();
    }
    let blank = words.iter().take_while(|line| line.trim().is_empty()).count();
    if words.len() > blank {
        blocks.push(Block::Words(words.split_off(blank)));
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // What turns code around would show other code than there is (CVE-2021-42574).
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{FFFD}'),
            letter if letter.is_control() && letter != '\t' => escaped.push('\u{FFFD}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text {
            text: text.into(),
            who: "alice".into(),
            place: "#rust".into(),
            network: "FakeNet".into(),
            at: 1_700_000_000_000,
        }
    }

    fn main_of(page: &str) -> &str {
        let start = page.find("<main>\n").unwrap() + 7;
        &page[start..page.find("</main>").unwrap()]
    }

    #[test]
    fn a_page_says_who_where_and_when_and_numbers_its_lines() {
        let page = html("ID", &text("one\n  two"));
        assert!(page.contains("<title>alice on #rust</title>"));
        assert!(page.contains("2023-11-14 22:13 UTC"));
        insta::assert_snapshot!(main_of(&page), @r##"
        <div class="words">
        <p id="L1"><a href="#L1">1</a><span>one</span></p>
        <p id="L2"><a href="#L2">2</a><span>  two</span></p>
        </div>
        "##);
    }

    #[test]
    fn code_is_coloured_and_numbers_run_through() {
        let page = html("ID", &text("look:\n\n```rust\nlet a = \"<\";\n```\n\nwell"));
        insta::assert_snapshot!(main_of(&page), @r##"
        <div class="words">
        <p id="L1"><a href="#L1">1</a><span>look:</span></p>
        </div>
        <div class="code">
        <p id="L2"><a href="#L2">2</a><span><i class="k">let</i> a = <i class="s">&quot;&lt;&quot;</i>;</span></p>
        </div>
        <div class="words">
        <p id="L3"><a href="#L3">3</a><span>well</span></p>
        </div>
        "##);
    }

    #[test]
    fn nothing_that_was_said_becomes_a_tag() {
        let evil = "</span><script>alert(1)</script>' onload=\"x\" \u{202e}&amp;\u{0}";
        let page =
            html("ID", &Text { who: evil.into(), place: evil.into(), network: evil.into(), ..text(evil) });
        assert!(!page.contains("<script") && !page.contains("onload=\"") && !page.contains('\u{202e}'));
        let code = html("ID", &text(&format!("```{evil}\n{evil}\n```\n```html\n{evil}")));
        assert!(!code.contains("<script") && !code.contains("onload=\"") && !code.contains('\u{202e}'));
    }

    #[test]
    fn the_policy_names_the_one_style() {
        assert!(POLICY.starts_with("sandbox; default-src 'none'; style-src 'sha256-"));
        assert!(html("ID", &text("x")).contains(&format!("<style>{STYLE}</style>")));
    }
}
