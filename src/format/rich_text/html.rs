//! [`RichText`] as Matrix HTML. HTML is only ever made here, and every text and every address in it is escaped.
//!
//! Not a translation of foreign HTML: what comes from Matrix is read elsewhere. What is written is within the tags and
//! attributes that the specification recommends, always closed, at most eight deep.
//!
//! Spec: Matrix, "m.room.message msgtypes", `org.matrix.custom.html`.

use std::fmt::Write as _;

use super::blocks::{Block, Table};
use super::{Colour, Link, RichText, Span, Special, Style};

/// A line: texts with how they look.
type Line<'t> = Vec<(&'t str, &'t Span)>;

impl RichText {
    /// The text as Matrix HTML, or `None` where it has no style to show.
    pub fn to_html(&self) -> Option<String> {
        if self.spans.iter().all(|span| span.style == Style::default() && span.special.is_none()) {
            return None;
        }
        let mut html = String::new();
        self.write_html(&mut html);
        Some(html)
    }

    fn write_html(&self, html: &mut String) {
        let lines = self.lines();
        let (mut at, mut after_text) = (0, false);
        while at < lines.len() {
            let block = code_block(&lines[at..]);
            if let [(_, Span { special: Some(Special::Block(block)), .. })] = lines[at].as_slice() {
                if after_text && matches!(block.as_ref(), Block::Details { .. }) {
                    html.push_str("<br>");
                }
                write_special(html, block);
                (at, after_text) = (at + 1, false);
            } else if block > 1 {
                write_block(html, &lines[at..at + block]);
                (at, after_text) = (at + block, false);
            } else {
                if after_text {
                    html.push_str("<br>");
                }
                lines[at].iter().for_each(|(text, span)| write_span(html, text, span, true));
                (at, after_text) = (at + 1, true);
            }
        }
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines = vec![Vec::new()];
        let mut behind_block = false;
        for span in &self.spans {
            let is_block = span.block().is_some();
            // A block has a line of its own.
            let begins = is_block || behind_block && !span.text.starts_with('\n');
            if begins && lines.last().is_some_and(|line| !line.is_empty()) {
                lines.push(Vec::new());
            }
            behind_block = is_block;
            if let Some(line) = lines.last_mut().filter(|_| is_block) {
                line.push(("", span));
                continue;
            }
            for (number, text) in span.text.split('\n').enumerate() {
                if number > 0 {
                    lines.push(Vec::new());
                }
                if let Some(line) = lines.last_mut().filter(|_| !text.is_empty()) {
                    line.push((text, span));
                }
            }
        }
        lines
    }
}

/// How many lines from the first one on are code and nothing else; the last of them is not empty.
fn code_block(lines: &[Line<'_>]) -> usize {
    let is_code =
        |line: &&Line<'_>| line.iter().all(|(_, span)| span.style.monospace && span.special.is_none());
    let code = lines.iter().take_while(is_code).count();
    match (lines.first(), lines[..code].iter().rposition(|line| !line.is_empty())) {
        (Some(first), Some(last)) if !first.is_empty() => last + 1,
        _ => 0,
    }
}

fn write_block(html: &mut String, lines: &[Line<'_>]) {
    html.push_str("<pre><code>");
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            html.push('\n');
        }
        line.iter().for_each(|(text, span)| write_span(html, text, span, false));
    }
    html.push_str("</code></pre>");
}

fn write_special(html: &mut String, block: &Block) {
    match block {
        Block::Table(table) => write_table(html, table),
        // Clients that know nothing of it leave its tags out: then the lines are apart by these breaks, which change
        // nothing where a block ends anyway.
        Block::Details { summary, inside } => {
            // Bold, since some show all of it at once: then it is the heading of what follows.
            html.push_str("<details><summary><b>");
            escape_into(html, summary);
            html.push_str("</b><br></summary>");
            inside.write_html(html);
            if !html.ends_with("</table>") && !html.ends_with("</pre>") && !html.ends_with("<br>") {
                html.push_str("<br>");
            }
            html.push_str("</details>");
        }
    }
}

fn write_table(html: &mut String, table: &Table) {
    html.push_str("<table>");
    if !table.head.is_empty() {
        html.push_str("<thead><tr>");
        for cell in &table.head {
            html.push_str("<th>");
            escape_into(html, cell);
            html.push_str("</th>");
        }
        html.push_str("</tr></thead>");
    }
    html.push_str("<tbody>");
    for row in &table.rows {
        html.push_str("<tr>");
        for cell in row {
            html.push_str("<td>");
            cell.write_html(html);
            html.push_str("</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
}

/// Writes a text as its span looks; `code` only where it is not within code already.
fn write_span(html: &mut String, text: &str, span: &Span, code: bool) {
    let style = &span.style;
    let mut close = Vec::new();
    if let Some(address) = span.link().map(Link::address) {
        html.push_str("<a href=\"");
        escape_into(html, address);
        html.push_str("\">");
        close.push("a");
    }
    if style.spoiler || style.foreground.is_some() || style.background.is_some() {
        html.push_str("<span");
        if style.spoiler {
            html.push_str(" data-mx-spoiler");
        }
        for (name, colour) in [("data-mx-color", style.foreground), ("data-mx-bg-color", style.background)] {
            if let Some(Colour(red, green, blue)) = colour {
                let _ = write!(html, " {name}=\"#{red:02x}{green:02x}{blue:02x}\"");
            }
        }
        html.push('>');
        close.push("span");
    }
    let tags = [
        (style.bold, "b"),
        (style.italic, "i"),
        (style.underline, "u"),
        (style.strike, "del"),
        (style.monospace && code, "code"),
    ];
    for (_, tag) in tags.iter().filter(|(wanted, _)| *wanted) {
        let _ = write!(html, "<{tag}>");
        close.push(tag);
    }
    escape_into(html, text);
    for tag in close.iter().rev() {
        let _ = write!(html, "</{tag}>");
    }
}

/// A text as HTML without any style.
pub fn escape_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    escape_into(&mut html, text);
    html
}

fn escape_into(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>"),
            _ => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::super::{Names, Options, read_irc, read_matrix, strip_irc};
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn code(text: &str) -> RichText {
        RichText::new().code(text)
    }

    #[rstest]
    #[case::one_line(code("a"), "<code>a</code>")]
    #[case::two_lines(code("a\n  b < c"), "<pre><code>a\n  b &lt; c</code></pre>")]
    #[case::a_blank_line_within(code("a\n\nb"), "<pre><code>a\n\nb</code></pre>")]
    #[case::a_blank_line_behind(code("a\nb\n").text("c"), "<pre><code>a\nb</code></pre>c")]
    #[case::text_around(
        RichText::plain("see\n").code("a\nb").text("\nthere"),
        "see<pre><code>a\nb</code></pre>there"
    )]
    #[case::text_in_a_line(code("a\nb").text(" is b"), "<code>a</code><br><code>b</code> is b")]
    #[case::colours_within(
        code("let\n").styled("x", Style { monospace: true, bold: true, ..Style::default() }),
        "<pre><code>let\n<b>x</b></code></pre>"
    )]
    fn lines_of_code_are_one_block(#[case] text: RichText, #[case] html: &str) {
        assert_eq!(text.to_html().unwrap(), html);
    }

    /// Says what is wrong with HTML that is ours: tags that don't nest, or that the specification does not have.
    fn wrong(html: &str) -> Option<String> {
        const TAGS: [&str; 9] = ["a", "span", "b", "i", "u", "del", "code", "pre", "br"];
        let tag = regex::Regex::new(r#"<(/?)([a-z]+)((?: [a-z-]+(?:="[^"<>]*")?)*)>"#).unwrap();
        let attribute = regex::Regex::new(
            r##"^(| href="(?:https?|ftp|ircs?|mailto|magnet|matrix):[^"<>\s]*"|(?: data-mx-spoiler)?(?: data-mx-color="#[0-9a-f]{6}")?(?: data-mx-bg-color="#[0-9a-f]{6}")?)$"##,
        )
        .unwrap();
        let mut open: Vec<&str> = Vec::new();
        for found in tag.captures_iter(html) {
            let (closes, name) = (&found[1] == "/", found.get(2).unwrap().as_str());
            if !TAGS.contains(&name) || !attribute.is_match(&found[3]) {
                return Some(found[0].to_owned());
            }
            match (closes, name) {
                (_, "br") => {}
                (false, _) => open.push(name),
                (true, _) if open.pop() == Some(name) => {}
                (true, _) => return Some(format!("{} closes nothing", &found[0])),
            }
        }
        let text = tag.replace_all(html, "");
        let entity = regex::Regex::new("&(amp|lt|gt|quot|#39);").unwrap();
        let rest = entity.replace_all(&text, "");
        let is_clean = open.is_empty() && !rest.contains(['<', '>', '&', '"', '\'']);
        (!is_clean).then(|| format!("{open:?} {rest}"))
    }

    struct Nobody;

    impl Names for Nobody {
        fn nick(&self, _: &str) -> Option<Cow<'_, str>> {
            None
        }

        fn channel(&self, _: &str) -> Option<Cow<'_, str>> {
            None
        }

        fn display_name(&self, nick: &str) -> String {
            nick.to_owned()
        }
    }

    proptest! {
        #[test]
        fn what_is_written_nests_and_has_only_tags_of_the_specification(
            line in "([\x02\x1d\x1f\x1e\x11\x16\x0f]|\x03[0-9]{0,2}(,[0-9]{1,2})?|\x04[0-9a-f]{6}(,[0-9a-f]{6})?|https?://[a-z\"'<>&]{1,5}|mailto:[a@]{1,3}|<script>|[a-z<>&\"'=/\n #;é]){0,40}",
        ) {
            if let Some(html) = read_irc(&line).with_links().to_html() {
                prop_assert_eq!(wrong(&html), None, "{}", html);
            }
        }

        #[test]
        fn what_goes_there_and_back_keeps_its_text(
            line in "(([\x02\x1d\x1f\x1e\x0f]|\x030[2-9]|\x11)?([a-z]{1,6}|https://x\\.example/[a-z]{0,3}|&lt;|<b>) ){1,12}[a-z]",
        ) {
            if let Some(html) = read_irc(&line).with_links().to_html() {
                let back = read_matrix("", Some(&html), &[], Options::default(), &Nobody);
                prop_assert_eq!(strip_irc(&back), strip_irc(&line), "{}", html);
            }
        }

        #[test]
        fn no_line_is_dear(line in "([\x02\x11]|\x0304|[)(:<a ]|https://|bob){0,400}") {
            let html = read_irc(&line).with_links().to_html().unwrap_or_default();
            prop_assert!(html.len() <= 100 * (line.len() + 1));
        }
    }
}
