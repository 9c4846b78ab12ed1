//! What stands on lines of its own in a [`RichText`]: tables, and what is folded away.
//!
//! As HTML they are written in `html`. Here is what they are where there is no style: columns under each other, or one
//! sentence per row where that would be too wide.
//!
//! Spec: Matrix, "m.room.message msgtypes", `org.matrix.custom.html`: `table`, `details`.

use super::super::width::width_of;
use super::{RichText, Span, Special, Style};

/// Stands between two cells.
const BETWEEN: &str = " | ";
/// How wide a table may be where there is no style; few windows are wider.
const WIDEST: usize = 100;

/// What stands on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) enum Block {
    /// A table.
    Table(Table),
    /// Folded away.
    Details {
        /// What is seen of it.
        summary: String,
        /// What is folded away.
        inside: RichText,
    },
}

/// A table: the words above its columns, and rows of cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<RichText>>,
}

impl Table {
    /// A table without rows.
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    #[must_use]
    pub fn row(mut self, cells: impl IntoIterator<Item = RichText>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// The table without columns in which nothing stands.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let is_empty =
            |column: usize| self.rows.iter().all(|row| row.get(column).is_none_or(RichText::is_empty));
        let empty: Vec<bool> = (0..columns).map(is_empty).collect();
        let stays = |column: usize| !empty.get(column).is_some_and(|empty| *empty);
        keep(&mut self.head, stays);
        self.rows.iter_mut().for_each(|row| keep(row, stays));
        self
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn to_plain(&self) -> String {
        let plain = |cell: &RichText| cell.to_plain().replace('\n', " ");
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(plain).collect()).collect();
        let lines = || std::iter::once(&self.head).filter(|head| !head.is_empty()).chain(&rows);
        let mut widths: Vec<usize> = Vec::new();
        for line in lines() {
            for (column, cell) in line.iter().enumerate() {
                widths.resize(widths.len().max(column + 1), 0);
                widths[column] = widths[column].max(width_of(cell));
            }
        }
        let width = widths.iter().sum::<usize>() + BETWEEN.len() * widths.len().saturating_sub(1);
        let shown: Vec<String> = if width <= WIDEST {
            lines().map(|line| columns(line, &widths)).collect()
        } else {
            rows.iter().map(|row| self.sentence(row)).collect()
        };
        shown.join("\n")
    }

    /// `libera: nick alice, lag 12 ms`.
    fn sentence(&self, row: &[String]) -> String {
        let Some((first, others)) = row.split_first() else { return String::new() };
        let heads = self.head.iter().skip(1).map(String::as_str).chain(std::iter::repeat(""));
        let told: Vec<String> = heads
            .zip(others)
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(head, cell)| format!("{head} {cell}").trim_start().to_owned())
            .collect();
        if told.is_empty() { first.clone() } else { format!("{first}: {}", told.join(", ")) }
    }
}

/// Leaves out the cells of columns that don't stay.
fn keep<T>(cells: &mut Vec<T>, stays: impl Fn(usize) -> bool) {
    let mut column = 0..;
    cells.retain(|_| column.next().is_some_and(&stays));
}

fn columns(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (number, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if number > 0 {
            line.push_str(BETWEEN);
        }
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(width_of(cell))));
    }
    line.truncate(line.trim_end().len());
    line
}

impl Block {
    /// The lines where there is no style.
    pub(super) fn to_plain(&self) -> String {
        match self {
            Self::Table(table) => table.to_plain(),
            Self::Details { summary, inside } if inside.is_empty() => summary.clone(),
            Self::Details { summary, inside } => format!("{summary}\n{}", inside.to_plain()),
        }
    }

    pub(super) fn map_code(&mut self, replaced: &dyn Fn(&str) -> Option<String>) {
        let change = |text: &mut RichText| *text = std::mem::take(text).map_code(replaced);
        match self {
            Self::Table(table) => table.rows.iter_mut().flatten().for_each(change),
            Self::Details { inside, .. } => std::iter::once(inside).for_each(change),
        }
    }

    fn count_lines(&self) -> usize {
        match self {
            Self::Table(table) => table.rows.len() + 1,
            Self::Details { inside, .. } => count_lines(inside) + 1,
        }
    }

    fn first_lines(&self, left: &mut usize) -> Self {
        *left -= 1;
        match self {
            Self::Table(Table { head, rows }) => {
                let rows: Vec<_> = rows.iter().take(*left).cloned().collect();
                *left -= rows.len();
                Self::Table(Table { head: head.clone(), rows })
            }
            Self::Details { summary, inside } => {
                Self::Details { summary: summary.clone(), inside: first_lines(inside, left) }
            }
        }
    }
}

/// How many lines a text may be cut to, all of it included.
pub(super) fn count_lines(text: &RichText) -> usize {
    let of_span = |span: &Span| match &span.special {
        Some(Special::Block(block)) => block.count_lines(),
        _ => span.text.matches('\n').count(),
    };
    text.spans.iter().map(of_span).sum::<usize>() + 1
}

/// The first lines of a text; how many more there could have been is `left`.
pub(super) fn first_lines(text: &RichText, left: &mut usize) -> RichText {
    let mut first = RichText::new();
    for span in &text.spans {
        if *left == 0 {
            break;
        }
        match &span.special {
            Some(Special::Block(block)) => {
                let special = Some(Special::Block(Box::new(block.first_lines(left))));
                first.spans.push(Span { text: String::new(), style: Style::default(), special });
            }
            special => {
                let end = span.text.match_indices('\n').nth(*left - 1).map(|(end, _)| end);
                let text = &span.text[..end.unwrap_or(span.text.len())];
                *left = if end.is_some() { 0 } else { *left - text.matches('\n').count() };
                let (text, special) = (text.to_owned(), special.clone());
                first.spans.push(Span { text, style: span.style, special });
            }
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn table() -> Table {
        Table::new(["network", "nick"])
            .row([RichText::new().bold("Test"), RichText::new().code("a<b")])
            .row([RichText::plain("Another"), RichText::new()])
    }

    #[test]
    fn a_table_has_columns_with_style_and_without() {
        let text = RichText::plain("You are on:").table(table()).text("That is all.");
        assert_eq!(text.to_plain(), "You are on:\nnetwork | nick\nTest    | a<b\nAnother |\nThat is all.");
        assert_eq!(
            text.to_html().unwrap(),
            "You are on:<table><thead><tr><th>network</th><th>nick</th></tr></thead><tbody>\
             <tr><td><b>Test</b></td><td><code>a&lt;b</code></td></tr><tr><td>Another</td><td></td></tr>\
             </tbody></table>That is all."
        );
    }

    #[test]
    fn a_line_feed_around_a_block_is_no_empty_line() {
        let text = RichText::plain("a").line().table(Table::new(["b"])).line().text("c");
        assert_eq!(text.to_plain(), "a\nb\nc");
        assert_eq!(
            text.to_html().unwrap(),
            "a<table><thead><tr><th>b</th></tr></thead><tbody></tbody></table>c"
        );
        let details =
            RichText::new().details("more", RichText::plain("x")).details("most", RichText::plain("y"));
        assert_eq!(details.to_plain(), "more\nx\nmost\ny");
    }

    #[test]
    fn a_column_in_which_nothing_stands_is_left_out() {
        let table = Table::new(["network", "lag", "nick"])
            .row(["Test", "", "alice"].map(RichText::plain))
            .row(["Other", "", ""].map(RichText::plain));
        assert_eq!(
            RichText::new().table(table.without_empty_columns()).to_plain(),
            "network | nick\nTest    | alice\nOther   |"
        );
    }

    #[test]
    fn a_row_of_a_wide_table_is_a_sentence() {
        let long = "x".repeat(WIDEST);
        let table = Table::new(["network", "nick", "why"])
            .row(["Test", "alice", &long].map(RichText::plain))
            .row(["Other", "", ""].map(RichText::plain));
        assert_eq!(RichText::new().table(table).to_plain(), format!("Test: nick alice, why {long}\nOther"));
    }

    #[test]
    fn what_is_folded_away_stands_under_its_summary() {
        let text =
            RichText::plain("a").details("more & more", RichText::new().bold("b").line().table(table()));
        assert!(text.to_plain().starts_with("a\nmore & more\nb\nnetwork | nick\n"), "{}", text.to_plain());
        let html = text.to_html().unwrap();
        assert!(
            html.starts_with("a<br><details><summary><b>more &amp; more</b><br></summary><b>b</b><table>"),
            "{html}"
        );
        assert!(html.ends_with("</table></details>"), "{html}");
        // As a client shows it that leaves out tags that it does not know.
        let text =
            RichText::plain("a").details("b", RichText::new().code("c")).details("d", RichText::plain("e"));
        let html = text.text("f").to_html().unwrap();
        let known = html
            .replace("<details>", "")
            .replace("</details>", "")
            .replace("<summary>", "")
            .replace("</summary>", "");
        assert_eq!(known, "a<br><b>b</b><br><code>c</code><br><b>d</b><br>e<br>f");
    }

    #[rstest]
    #[case::few(12, "all:\n1")]
    #[case::many(13, "all:\n13 lines\n1")]
    fn many_lines_are_folded_away(#[case] count: usize, #[case] begins: &str) {
        let lines = (1..=count).map(|line| RichText::plain(line.to_string())).collect();
        let text = RichText::plain("all:").list(format!("{count} lines"), lines);
        assert!(text.to_plain().starts_with(begins), "{}", text.to_plain());
        assert_eq!(text.to_html().is_some(), count > 12);
    }

    #[test]
    fn commands_in_a_block_are_reached() {
        let text = RichText::new()
            .details("x", RichText::new().table(table()))
            .map_code(&|code| Some(format!("!{code}")));
        assert!(text.to_plain().contains("Test    | !a<b"), "{}", text.to_plain());
    }

    #[rstest]
    #[case::all(100, "1\n2\nsummary\n3\n4\nnetwork | nick\nTest    | a<b\nAnother |")]
    #[case::a_row(40, "1\n2\nsummary\n3\n4\nnetwork | nick\nmore")]
    #[case::folded_lines(20, "1\n2\nsummary\n3\nmore")]
    #[case::lines(10, "1\nmore")]
    #[case::nothing(4, "more")]
    #[case::not_even_that(0, "more")]
    fn a_text_too_long_ends_behind_a_line_and_says_so(#[case] most: usize, #[case] cut: &str) {
        let text = RichText::plain("1\n2").details("summary", RichText::plain("3\n4")).table(table());
        let fitting = text.fitting("more", |text| text.to_plain().len() <= most);
        assert_eq!(fitting.to_plain(), cut);
    }
}
