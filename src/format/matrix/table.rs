//! Tables as lines: columns under each other, bounded in number and width, since few fonts and fewer windows of IRC's
//! clients bear more.

use unicode_segmentation::UnicodeSegmentation as _;

use super::super::width::width_of;

/// Columns that are shown.
pub(super) const MOST_COLUMNS: usize = 12;
/// Rows that are shown; the others are counted.
pub(super) const MOST_ROWS: usize = 40;
/// How wide a column may be.
const WIDEST: usize = 40;

/// Stands between two cells.
const BETWEEN: &str = " | ";

/// A row, and whether it is a heading.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) is_heading: bool,
}

/// The rows as lines of the same columns.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let cut: Vec<Vec<(&str, bool, usize)>> =
        rows.iter().map(|row| row.cells.iter().map(|cell| cut(cell)).collect()).collect();
    let columns = cut.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            cut.iter().filter_map(|row| row.get(column)).map(|cell| cell.2).max().unwrap_or_default()
        })
        .collect();
    cut.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[(&str, bool, usize)], widths: &[usize]) -> String {
    let mut line = String::new();
    let mut missing = 0;
    for (place, ((text, is_cut, width), column)) in row.iter().zip(widths).enumerate() {
        if place > 0 {
            // What is missing before it is filled only where something follows.
            line.extend(std::iter::repeat_n(' ', missing));
            line.push_str(BETWEEN);
        }
        line.push_str(text);
        if *is_cut {
            line.push('…');
        }
        missing = column - width;
    }
    line.truncate(line.trim_end().len());
    line
}

/// Under a heading, where its look does not set it apart.
pub(super) fn underline(line: &str) -> String {
    let dashes = |cell: &str| "-".repeat(width_of(cell).max(3));
    line.split(BETWEEN).map(dashes).collect::<Vec<_>>().join(BETWEEN)
}

/// As much of a cell as a column may hold, whether that is not all, and how wide it is.
fn cut(cell: &str) -> (&str, bool, usize) {
    let (mut bytes, mut width) = (0, 0);
    // Where it has to end if what follows does not fit.
    let mut end = (0, 0);
    for grapheme in cell.graphemes(true) {
        width += width_of(grapheme);
        if width > WIDEST {
            return (&cell[..end.0], true, end.1 + 1);
        }
        bytes += grapheme.len();
        if width < WIDEST {
            end = (bytes, width);
        }
    }
    (cell, false, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Rows end in `/`, cells in `,`.
    fn shown(rows: &str) -> Vec<String> {
        let row =
            |cells: &str| Row { cells: cells.split(',').map(str::to_owned).collect(), is_heading: false };
        lines(&rows.split('/').map(row).collect::<Vec<_>>())
    }

    #[rstest]
    #[case::columns("a,bb/ccc,d", &["a   | bb", "ccc | d"])]
    #[case::missing_cells("a/b,c", &["a", "b | c"])]
    #[case::empty_cells(",b,/aa,,c", &["   | b |", "aa |   | c"])]
    #[case::two_columns_wide("日本,x/a,y", &["日本 | x", "a    | y"])]
    #[case::accents("e\u{301},x/a,y", &["e\u{301} | x", "a | y"])]
    fn cells_stand_under_each_other(#[case] rows: &str, #[case] lines: &[&str]) {
        assert_eq!(shown(rows), lines);
    }

    #[rstest]
    #[case::ascii("x", 41, "x", 39)]
    #[case::exactly("x", 40, "x", 40)]
    #[case::two_columns_wide("日", 21, "日", 19)]
    fn a_wide_cell_is_cut(
        #[case] text: &str,
        #[case] times: usize,
        #[case] shown_text: &str,
        #[case] left: usize,
    ) {
        let line = shown(&text.repeat(times)).remove(0);
        let ending = if left < times { "…" } else { "" };
        assert_eq!(line, shown_text.repeat(left) + ending);
    }

    #[test]
    fn a_heading_is_underlined_as_wide_as_it_is() {
        assert_eq!(underline("a     | bb"), "----- | ---");
    }
}
