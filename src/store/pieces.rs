//! Lists in few statements: each inserts or changes several rows, of the largest number that is left, so that few
//! statements are prepared.

/// How many rows a statement is for. SQLite finds the name of a value (`$7`) by going through all of the statement's, so
/// that more rows in one would cost more than another statement.
const ROWS: [usize; 2] = [10, 1];

/// The same statement for each number of rows.
pub(in crate::store) fn for_each(sql: impl Fn(usize) -> String) -> [String; 2] {
    ROWS.map(sql)
}

/// `($1, $2), ($3, $4)` and so on.
pub(in crate::store) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| format!("({})", list(row * columns + 1, columns));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$3, $4, $5`: so many, from this number on.
pub(in crate::store) fn list(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// Cuts a list into pieces for which there is a statement, and says which.
pub(in crate::store) fn pieces<T>(mut list: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    std::iter::from_fn(move || {
        let place = ROWS.iter().position(|&rows| rows <= list.len())?;
        let (piece, rest) = list.split_at(ROWS[place]);
        list = rest;
        Some((place, piece))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_pieces_that_have_a_statement() {
        let list: Vec<u32> = (0..32).collect();
        let sizes: Vec<usize> = pieces(&list).map(|(_, piece)| piece.len()).collect();
        assert_eq!(sizes, [10, 10, 10, 1, 1]);
        assert!(pieces(&list).flat_map(|(_, piece)| piece).eq(&list));
    }

    #[test]
    fn values_have_their_places() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(list(2, 3), "$2, $3, $4");
    }
}
