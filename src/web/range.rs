//! Parts of a file (RFC 9110, "Range Requests"): one at a time. Who asks for several gets the whole file, as the RFC allows.

use axum::http::{HeaderMap, header};

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// From one byte to another, both included, or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// A part of a file: first and last byte, and how large the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
    /// The whole file, where that is known.
    pub size: Option<u64>,
}

/// What is asked for; `None` where it is the whole file. `If-Range` with another version asks for that, too.
pub(super) fn asked(headers: &HeaderMap, etag: &str) -> Option<Range> {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let is_current =
        headers.get(header::IF_RANGE).is_none_or(|version| version.as_bytes() == etag.as_bytes());
    if !is_current {
        return None;
    }
    read(value.to_str().ok()?)
}

fn read(text: &str) -> Option<Range> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    match (first, last) {
        ("", last) => number(last).map(Range::Last),
        (first, "") => Some(Range::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::From(first, Some(last)))
        }
    }
}

impl Range {
    /// As a header says it.
    pub(super) fn header(self) -> String {
        match self {
            Self::From(first, Some(last)) => format!("bytes={first}-{last}"),
            Self::From(first, None) => format!("bytes={first}-"),
            Self::Last(count) => format!("bytes=-{count}"),
        }
    }

    /// The part of a file of this size; `None` where it is beyond the end.
    pub(super) fn of(self, size: u64) -> Option<Part> {
        let end = size.checked_sub(1)?;
        let (first, last) = match self {
            Self::From(first, last) => (first, last.map_or(end, |last| last.min(end))),
            Self::Last(0) => return None,
            Self::Last(count) => (size.saturating_sub(count), end),
        };
        (first <= end).then_some(Part { first, last, size: Some(size) })
    }
}

impl Part {
    /// Reads a `Content-Range` header.
    pub fn read(text: &str) -> Option<Self> {
        let (bytes, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = bytes.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let size = if size == "*" { None } else { Some(size.parse().ok()?) };
        let makes_sense = first <= last && size.is_none_or(|size: u64| last < size);
        makes_sense.then_some(Self { first, last, size })
    }

    /// How many bytes it has.
    pub(super) fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bytes {}-{}/", self.first, self.last)?;
        match self.size {
            Some(size) => write!(f, "{size}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::from_to("bytes=0-99", Some("bytes 0-99/1000"))]
    #[case::one_byte("bytes=5-5", Some("bytes 5-5/1000"))]
    #[case::to_the_end("bytes=900-", Some("bytes 900-999/1000"))]
    #[case::beyond_the_end("bytes=900-5000", Some("bytes 900-999/1000"))]
    #[case::the_last("bytes=-10", Some("bytes 990-999/1000"))]
    #[case::more_than_all("bytes=-5000", Some("bytes 0-999/1000"))]
    #[case::none_of_the_last("bytes=-0", None)]
    #[case::behind_the_end("bytes=1000-", None)]
    #[case::as_large_as_can_be("bytes=18446744073709551615-", None)]
    fn a_range_is_a_part_or_beyond_the_end(#[case] text: &str, #[case] part: Option<&str>) {
        let range = read(text).unwrap();
        assert_eq!(range.of(1_000).map(|part| part.to_string()).as_deref(), part);
        assert_eq!(range.of(0), None, "nothing has no parts");
        assert_eq!(range.header(), text);
    }

    #[rstest]
    #[case::several("bytes=0-1,5-6")]
    #[case::backwards("bytes=9-5")]
    #[case::another_unit("lines=1-2")]
    #[case::no_numbers("bytes=a-b")]
    #[case::a_sign("bytes=+1-2")]
    #[case::too_large("bytes=99999999999999999999-")]
    #[case::nothing("bytes=-")]
    #[case::empty("")]
    fn what_is_no_range_asks_for_the_whole(#[case] text: &str) {
        assert_eq!(read(text), None);
    }

    #[rstest]
    #[case::known("bytes 0-9/100", Some(10))]
    #[case::unknown("bytes 5-9/*", Some(5))]
    #[case::backwards("bytes 9-0/100", None)]
    #[case::larger_than_all("bytes 0-100/100", None)]
    #[case::nonsense("bytes x", None)]
    fn a_homeservers_part_makes_sense(#[case] text: &str, #[case] length: Option<u64>) {
        let part = Part::read(text);
        assert_eq!(part.map(Part::length), length);
        assert!(part.is_none_or(|part| part.to_string() == text));
    }
}
