//! The words before those that are searched for: `in #channel`, `from nick`, `since 3d`, in any order. What follows them,
//! or `--`, is what is searched for.

use crate::bridge::Refusal;
use crate::format::RichText;

const HOUR: i64 = 60 * 60 * 1000;

/// Where to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where<'a> {
    /// `*`.
    Everywhere,
    /// A channel, a nick or a network.
    Named(&'a str),
}

/// What was typed behind `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filters<'a> {
    pub(super) place: Option<Where<'a>>,
    pub(super) sender: Option<&'a str>,
    /// Milliseconds since 1970.
    pub(super) since: Option<i64>,
    pub(super) words: &'a str,
}

/// Reads what was typed behind `search`.
pub(super) fn read(text: &str, now: i64) -> Result<Filters<'_>, Refusal> {
    let mut filters = Filters { place: None, sender: None, since: None, words: text.trim() };
    loop {
        let (name, rest) = split(filters.words);
        if name == "--" {
            filters.words = rest;
            return Ok(filters);
        }
        let (value, behind) = split(rest);
        if value.is_empty() {
            return Ok(filters);
        }
        match name.to_ascii_lowercase().as_str() {
            "in" if filters.place.is_none() => {
                filters.place = Some(if value == "*" { Where::Everywhere } else { Where::Named(value) });
            }
            "from" if filters.sender.is_none() => filters.sender = Some(value),
            "since" if filters.since.is_none() => {
                let since = since(value, now).ok_or_else(|| {
                    let remedy = format!(
                        "{value} is no time: write since 3d, 12h or 2w, or a day as 2026-11-01. If it is one of the \
                         words, write: "
                    );
                    Refusal::Asked(RichText::plain(remedy).code(format!("search -- {text}")))
                })?;
                filters.since = Some(since);
            }
            _ => return Ok(filters),
        }
        filters.words = behind;
    }
}

fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// A time before now, as `30m`, `12h`, `3d` or `2w`; or the beginning of a day.
pub fn since(text: &str, now: i64) -> Option<i64> {
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond());
    }
    let unit = match text.char_indices().next_back()? {
        (end, 'm' | 'M') => (end, HOUR / 60),
        (end, 'h' | 'H') => (end, HOUR),
        (end, 'd' | 'D') => (end, 24 * HOUR),
        (end, 'w' | 'W') => (end, 7 * 24 * HOUR),
        _ => return None,
    };
    let count: u32 = text[..unit.0].parse().ok()?;
    now.checked_sub(i64::from(count).checked_mul(unit.1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: i64 = 1_793_541_812_345;

    #[rstest]
    #[case::words("foo bar", None, None, None, "foo bar")]
    #[case::all("in #rust from bob since 3d foo", Some("#rust"), Some("bob"), Some(NOW - 72 * HOUR), "foo")]
    #[case::other_order("SINCE 90m  In  #a  foo", Some("#a"), None, Some(NOW - 90 * HOUR / 60), "foo")]
    #[case::later("foo in #rust", None, None, None, "foo in #rust")]
    #[case::twice("in #a in #b", Some("#a"), None, None, "in #b")]
    #[case::end("-- in the beginning", None, None, None, "in the beginning")]
    #[case::end_behind_a_filter("from bob -- since", None, Some("bob"), None, "since")]
    #[case::alone("since", None, None, None, "since")]
    #[case::sender_alone("from bob", None, Some("bob"), None, "")]
    #[case::nothing("", None, None, None, "")]
    fn filters_stand_before_the_words(
        #[case] text: &str,
        #[case] place: Option<&str>,
        #[case] sender: Option<&str>,
        #[case] time: Option<i64>,
        #[case] words: &str,
    ) {
        let read = read(text, NOW).unwrap();
        assert_eq!(read, Filters { place: place.map(Where::Named), sender, since: time, words });
    }

    #[rstest]
    #[case::day("2026-11-01", Some(1_793_491_200_000))]
    #[case::weeks("2w", Some(NOW - 14 * 24 * HOUR))]
    #[case::no_day("2026-13-01", None)]
    #[case::unit_alone("d", None)]
    #[case::other_unit("3y", None)]
    #[case::too_much("99999999999d", None)]
    #[case::other_script("3д", None)]
    fn a_time_is_an_age_or_a_day(#[case] text: &str, #[case] time: Option<i64>) {
        assert_eq!(since(text, NOW), time);
    }

    #[test]
    fn a_time_that_is_none_is_told() {
        assert!(
            read("since yesterday foo", NOW)
                .unwrap_err()
                .to_string()
                .contains("search -- since yesterday foo")
        );
        assert_eq!(read("in * foo", NOW).unwrap().place, Some(Where::Everywhere));
    }
}
