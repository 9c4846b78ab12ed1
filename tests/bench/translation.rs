//! What it costs to translate a message, either way: an ordinary one, and the worst of the size that an event may have.
//!
//! In this process and without any server, so that nothing else is measured. The best of several runs counts: what else
//! the machine does can only make it slower.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::report::{at_most, row};
use super::somebody::Somebody;
use towline::format::{Limit, Options, Word, lines_of, read_irc, read_matrix, split_line};

/// As large as an event may be.
const LARGEST: usize = 64 * 1024;
/// How often an ordinary message is translated in a run, and how many runs there are.
const TIMES: u32 = 5_000;
const RUNS: usize = 7;

/// How long one message of each kind took.
#[derive(Default)]
pub(crate) struct Translation {
    ordinary: Vec<(&'static str, Duration)>,
    worst: Vec<(&'static str, Duration)>,
}

pub(crate) fn measure() -> Translation {
    let ordinary = [
        ("to IRC: a plain line", to_irc("have you seen what they did to the build?", None)),
        (
            "to IRC: three styles and a link",
            to_irc(
                "-",
                Some(
                    "<strong>read</strong> the <em>whole</em> of <code>README.md</code> at \
                     <a href=\"https://docs.example/start?a=1&amp;b=2\">the docs</a> first",
                ),
            ),
        ),
        (
            "to IRC: Element's, with a pill",
            to_irc(
                "-",
                Some(
                    "<p><a href=\"https://matrix.to/#/@alice:example.org\">Alice</a>: have you seen this?</p>\n\
                     <blockquote>\n<p>the <strong>build</strong> is red</p>\n</blockquote>\n<p>It was &quot;fine&quot; \
                     yesterday.</p>\n",
                ),
            ),
        ),
        ("to Matrix: a line to somebody", to_matrix("alice: have you seen what they did to the build?")),
        (
            "to Matrix: three styles and a link",
            to_matrix(
                "\x02read\x02 the \x1dwhole\x1d of \x0304README\x03 at https://docs.example/start?a=1&b=2",
            ),
        ),
    ];
    Translation { ordinary: ordinary.to_vec(), worst: worst_cases() }
}

fn worst_cases() -> Vec<(&'static str, Duration)> {
    let filled = |part: &str| part.repeat(LARGEST / part.len());
    let nested = |tag: &str| {
        let levels = 95;
        let around =
            format!("{}{{}}{}", format!("<{tag}>").repeat(levels), format!("</{tag}>").repeat(levels));
        let inner = "a<br>".repeat((LARGEST - around.len()) / 5);
        around.replace("{}", &inner)
    };
    let html = [
        ("to IRC: line breaks", filled("a<br>")),
        ("to IRC: paragraphs", filled("<p>a")),
        ("to IRC: looks", filled("<b>a</b>")),
        ("to IRC: colours", filled("<font color=#123456>a</font>")),
        ("to IRC: links", filled("<a href=https://a.bc>x</a>")),
        ("to IRC: pills", filled("<a href=https://matrix.to/#/@a:b>x</a>")),
        ("to IRC: lists", filled("<ul><li>a</ul>")),
        ("to IRC: a table", "<table>".to_owned() + &filled("<tr><td>a<td>b").split_off(7)),
        ("to IRC: quotations in each other", nested("blockquote")),
        ("to IRC: looks in each other", nested("b")),
        ("to IRC: divisions in each other", filled(&("<div>".repeat(99) + &"</div>".repeat(99)))),
        ("to IRC: too deep", filled("<b>")),
        ("to IRC: entities", filled("&lt;")),
        ("to IRC: signs that are no tags", filled("< ")),
        ("to IRC: invisible characters", filled("a\u{200b}")),
        ("to IRC: another script", filled("日本 ")),
    ];
    let mut worst: Vec<(&str, Duration)> = html
        .iter()
        .map(|(name, html)| (*name, once(|| read_matrix("", Some(html), &[], Options::default(), &Somebody))))
        .collect();
    let cut = |text: &str| -> usize {
        lines_of(text).flat_map(|line| split_line(&line, &Limit::utf_8(400))).map(|piece| piece.len()).sum()
    };
    let (long, coloured) = (filled("a word "), filled("\x0304a\x02"));
    worst.push(("cut into lines: words", once(|| cut(&long))));
    worst.push(("cut into lines: colours", once(|| cut(&coloured))));
    for (name, text) in [
        ("to Matrix: colours", filled("\x0304a\x02")),
        ("to Matrix: text", filled("a <b> ")),
        ("to Matrix: nicks", filled("alice ")),
        ("to Matrix: addresses", filled("http://a.bc ")),
        ("to Matrix: beginnings of addresses", filled("http://(")),
        ("to Matrix: an address without end", filled("http://a")),
        ("to Matrix: nobody's mail", filled("mailto:")),
    ] {
        worst.push((name, once(|| html_of(&text))));
    }
    worst
}

fn to_irc(body: &str, html: Option<&str>) -> Duration {
    often(|| read_matrix(black_box(body), black_box(html), &[], Options::default(), &Somebody))
}

fn to_matrix(line: &str) -> Duration {
    often(|| html_of(black_box(line)))
}

/// As the bridge does it, but that Alice is all whom it knows.
fn html_of(line: &str) -> (String, Option<String>) {
    let text = read_irc(line).with_links();
    let alice = |word: &Word<'_>| {
        (word.text == "alice").then(|| (word.place(), "https://matrix.to/#/@alice:example.org".to_owned()))
    };
    let named: Vec<_> = text.words().filter_map(|word| alice(&word)).collect();
    let text = text.link_words(named);
    (text.to_plain(), text.to_html())
}

fn often<T>(translate: impl Fn() -> T) -> Duration {
    once(|| (0..TIMES).for_each(|_| drop(black_box(translate())))) / TIMES
}

/// The best of several runs.
fn once<T>(translate: impl Fn() -> T) -> Duration {
    let run = |_| {
        let start = Instant::now();
        black_box(translate());
        start.elapsed()
    };
    (0..RUNS).map(run).min().unwrap_or_default()
}

impl Translation {
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        let kinds =
            [("a message", &self.ordinary, 1e6, "µs", "10 µs"), ("64 KB", &self.worst, 1e3, "ms", "5 ms")];
        for (kind, times, scale, unit, target) in kinds {
            for (name, time) in times {
                let figure = format!("{:.2} {unit}", time.as_secs_f64() * scale);
                table.push_str(&row(&format!("{kind} {name}"), &figure, &at_most(target)));
            }
        }
        table
    }

    /// The same in microseconds, for the report of figures.
    pub(crate) fn json(&self) -> serde_json::Value {
        let all = self.ordinary.iter().chain(&self.worst);
        all.map(|(name, time)| ((*name).to_owned(), time.as_secs_f64() * 1e6)).collect()
    }
}
