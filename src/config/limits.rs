//! The limits one by one, by the names that they have in the file: for who sees and sets them while Towline runs.

use std::time::Duration;

use super::problem::Report;
use super::schema::{self, Default, Key, Kind};
use super::{History, Limits, load};

/// What a limit can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {takes}")]
pub struct UnfitLimit {
    name: &'static str,
    takes: String,
}

/// A limit's place in the table of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(&'static Key);

impl Limit {
    /// All of them, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        schema::within("limits").map(Self)
    }

    /// The one of this name, in capitals or not.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|limit| limit.name().eq_ignore_ascii_case(name))
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What it is for.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.0.doc
    }

    /// Whether a restart is needed for another value: the port for the homeserver is opened with it.
    #[must_use]
    pub fn needs_restart(self) -> bool {
        self.name() == "inbox_body"
    }

    /// Its value as a file would have it.
    #[must_use]
    pub fn value(self, limits: &Limits) -> String {
        let number = match self.name() {
            "inbox_body" => limits.inbox_body as u64,
            "sessions_per_user" => limits.sessions_per_user.into(),
            "closed_sessions" => limits.closed_sessions.into(),
            "shared_connections" => limits.shared_connections.into(),
            "shared_idle" => limits.shared_idle.into(),
            "channels_per_session" => limits.channels_per_session.into(),
            "outbox" => limits.outbox.into(),
            "membership_calls" => limits.membership_calls.into(),
            "refill" => limits.refill.into(),
            "lines" => limits.lines.into(),
            "stale_after" => limits.stale_after.as_secs(),
            "history" => match limits.history {
                History::Keep => 0,
                History::Days(days) => days.into(),
            },
            _ => return String::new(),
        };
        self.0.kind.in_words(number)
    }

    /// What holds where nobody says anything else, as a file would have it.
    #[must_use]
    pub fn default(self) -> &'static str {
        match self.0.default {
            Default::Is(value) => value,
            Default::Required | Default::Note(_) => "",
        }
    }

    /// The same limits, this one with the value of a text as a file would have it.
    ///
    /// # Errors
    /// Where the file would not take it either.
    pub fn set(self, limits: &Limits, text: &str) -> Result<Limits, UnfitLimit> {
        let number = load::number(self.0, text);
        self.with(*limits, number).ok_or_else(|| {
            // A file quotes what a person types.
            let takes = self.0.kind.describe().replace('`', "");
            UnfitLimit { name: self.name(), takes }
        })
    }

    fn with(self, limits: Limits, number: Option<u64>) -> Option<Limits> {
        let number = number?;
        let small = u32::try_from(number).ok()?;
        Some(match self.name() {
            "inbox_body" => Limits { inbox_body: usize::try_from(number).ok()?, ..limits },
            "sessions_per_user" => Limits { sessions_per_user: small, ..limits },
            "closed_sessions" => Limits { closed_sessions: small, ..limits },
            "shared_connections" => Limits { shared_connections: small, ..limits },
            "shared_idle" => Limits { shared_idle: small, ..limits },
            "channels_per_session" => Limits { channels_per_session: small, ..limits },
            "outbox" => Limits { outbox: small, ..limits },
            "membership_calls" => Limits { membership_calls: small, ..limits },
            "refill" => Limits { refill: small, ..limits },
            "lines" => Limits { lines: small, ..limits },
            "stale_after" => Limits { stale_after: Duration::from_secs(number), ..limits },
            "history" => Limits { history: History::of_days(small), ..limits },
            _ => return None,
        })
    }
}

impl Kind {
    /// A number of this kind, as a file would have it.
    fn in_words(self, number: u64) -> String {
        match self {
            Self::Duration(..) => schema::time(number),
            Self::Size(..) => schema::size(number),
            Self::Keep if number == 0 => "keep".to_owned(),
            Self::Keep => format!("{number}d"),
            _ => number.to_string(),
        }
    }
}

impl Key {
    /// A text as a value of this key.
    pub(super) fn checked(&self, value: serde_yaml::Value) -> Option<serde_yaml::Value> {
        let mut report = Report::new(super::lines::Lines::default());
        load::walk(self, value, self.path, &mut report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn defaults() -> Limits {
        let nothing = Limits {
            inbox_body: 0,
            sessions_per_user: 0,
            closed_sessions: 0,
            shared_connections: 0,
            shared_idle: 0,
            channels_per_session: 0,
            outbox: 0,
            membership_calls: 0,
            refill: 0,
            lines: 0,
            stale_after: Duration::ZERO,
            history: History::Days(1),
        };
        Limit::all().fold(nothing, |limits, limit| limit.set(&limits, limit.default()).unwrap())
    }

    #[test]
    fn each_limit_can_be_set_and_is_shown_as_it_was_written() {
        let limits = defaults();
        for limit in Limit::all() {
            assert_eq!(limit.value(&limits), limit.default(), "{}", limit.name());
        }
        assert_eq!(Limit::all().filter(|limit| limit.needs_restart()).count(), 1);
    }

    #[rstest]
    #[case::number("lines", "12", Ok("12"))]
    #[case::too_many("lines", "61", Err("lines is a whole number from 1 to 60"))]
    #[case::no_number("outbox", "many", Err("outbox is a whole number from 100 to 1000000"))]
    #[case::time("STALE_AFTER", "90m", Ok("90m"))]
    #[case::seconds("stale_after", "90", Ok("90s"))]
    #[case::short(
        "stale_after",
        "1s",
        Err("stale_after is a time from 10s to 3650d, such as 90, 15m, 2h or 1d")
    )]
    #[case::size("inbox_body", "32MiB", Ok("32MiB"))]
    #[case::kept("history", "keep", Ok("keep"))]
    #[case::days("history", "30d", Ok("30d"))]
    #[case::no_days("history", "0", Err("history is keep or a number of days, such as 90 or 90d"))]
    fn a_limit_takes_what_the_file_takes(
        #[case] name: &str,
        #[case] text: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let limit = Limit::find(name).unwrap();
        let set = limit.set(&defaults(), text).map(|limits| limit.value(&limits));
        assert_eq!(set.as_deref().map_err(ToString::to_string), expected.map_err(str::to_owned));
    }
}
