//! The time zone of a log, in which its times are written without saying so.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

/// A time zone.
#[derive(Debug, Clone)]
pub(super) struct Zone(TimeZone);

impl std::str::FromStr for Zone {
    type Err = String;

    /// Reads `UTC`, a place as `Europe/Berlin`, or an offset as `+02:00`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Ok(Self(TimeZone::UTC));
        }
        if let Some(offset) = offset(text) {
            return Ok(Self(TimeZone::fixed(offset)));
        }
        TimeZone::get(text).map(Self).map_err(|_| {
            "it is no time zone that this machine knows; write UTC, Europe/Berlin or +02:00".to_owned()
        })
    }
}

/// `+02:00` or `-0530`.
fn offset(text: &str) -> Option<Offset> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().filter(|_| minutes < 60)
}

impl Zone {
    /// A time in milliseconds since 1970, as it is written here.
    pub(super) fn local(&self, time: i64) -> Zoned {
        Timestamp::from_millisecond(time).unwrap_or_default().to_zoned(self.0.clone())
    }

    /// What a time that is written here is in milliseconds since 1970. In the hour that comes twice a year, it is the
    /// one that is not before the line before.
    pub(super) fn read(&self, local: DateTime, before: Option<i64>) -> Option<i64> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        let first = ambiguous.earlier().ok()?.as_millisecond();
        let second = ambiguous.later().ok()?.as_millisecond();
        let is_late = before.is_some_and(|before| first < before && before <= second);
        Some(if is_late { second } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::utc("UTC", "2026-11-01T14:03:32", 1_793_541_812_000)]
    #[case::offset("+02:00", "2026-11-01T16:03:32", 1_793_541_812_000)]
    #[case::offset_without_a_colon("-0530", "2026-11-01T08:33:32", 1_793_541_812_000)]
    fn a_time_is_read_as_it_was_written(#[case] zone: &str, #[case] local: &str, #[case] time: i64) {
        let zone: Zone = zone.parse().unwrap();
        assert_eq!(zone.read(local.parse().unwrap(), None), Some(time));
        assert_eq!(zone.local(time).datetime(), local.parse().unwrap());
    }

    #[rstest]
    #[case::nowhere("Atlantis/Capital")]
    #[case::no_offset("+2")]
    #[case::too_many_minutes("+02:75")]
    #[case::nothing("")]
    fn what_is_no_zone_is_told(#[case] zone: &str) {
        assert!(zone.parse::<Zone>().is_err());
    }

    #[test]
    fn in_the_hour_that_comes_twice_a_line_is_not_before_the_line_before() {
        // As the zone database of the machine may be missing, by the rule itself.
        let rule = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let zone = Zone(rule);
        let local = |text: &str| text.parse::<DateTime>().unwrap();
        let first = zone.read(local("2026-10-25T02:50:00"), None).unwrap();
        let second = zone.read(local("2026-10-25T02:10:00"), Some(first)).unwrap();
        assert_eq!(second - first, 20 * 60 * 1000);
        assert_eq!(zone.read(local("2026-10-25T02:55:00"), Some(first)).unwrap() - first, 5 * 60 * 1000);
    }
}
