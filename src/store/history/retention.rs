//! How long the lines of a buffer are kept: what its user has set, within what the configuration allows.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::pool::{execute, on};
use super::super::settings::{self, Scope};
use super::super::{Store, StoreError};
use super::number::first_at;
use super::stays;

/// How long a user wants the lines of a buffer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As long as the configuration allows.
    Forever,
    /// This many days.
    Days(u32),
    /// Not at all.
    Off,
}

impl Retention {
    /// Reads `forever`, `off`, or a number of days such as `30` or `30d`.
    pub fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "forever" => Some(Self::Forever),
            "off" => Some(Self::Off),
            days => match days.trim_end_matches('d').parse() {
                Ok(days @ 1..) => Some(Self::Days(days)),
                _ => None,
            },
        }
    }
}

impl std::fmt::Display for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// The buffers of which nothing is kept.
#[derive(Debug, Default)]
pub(super) struct Unkept(Mutex<HashSet<i64>>);

impl Unkept {
    pub(super) fn holds(&self, buffer: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&buffer)
    }

    fn set(&self, buffer: i64, unkept: bool) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unkept {
            buffers.insert(buffer);
        } else {
            buffers.remove(&buffer);
        }
    }
}

impl Store {
    /// How long the lines of a buffer are to be kept; `None` where its user has not said.
    pub async fn retention(&self, buffer: i64) -> Result<Option<Retention>, StoreError> {
        let value = self.setting(&settings::HISTORY, Scope::Buffer, buffer).await?;
        Ok(value.and_then(|value| Retention::read(value.text())))
    }

    /// Sets how long the lines of a buffer are to be kept. What is too old by that stays until it is pruned.
    pub async fn set_retention(&self, buffer: i64, retention: Retention) -> Result<(), StoreError> {
        let text = retention.to_string();
        let keeper = Arc::clone(self.keeper());
        let values = vec![(settings::HISTORY.key, Some(text.into_bytes()))];
        self.write(move |tx| {
            Box::pin(async move {
                settings::named::put(tx, Scope::Buffer, &buffer.to_string(), values).await?;
                stays::follow(tx, &keeper, buffer, retention).await
            })
        })
        .await?;
        self.keeper().unkept.set(buffer, retention == Retention::Off);
        Ok(())
    }

    /// Every buffer with its network and how long its user wants its lines kept.
    pub async fn retentions(&self) -> Result<Vec<(i64, String, Option<Retention>)>, StoreError> {
        const SQL: &str = "SELECT buffer.id, session.network, setting.value
            FROM buffer JOIN session ON session.id = buffer.session
            LEFT JOIN setting ON setting.scope = 'buffer' AND setting.scope_id = CAST(buffer.id AS TEXT)
                AND setting.key = $1
            ORDER BY buffer.id";
        let rows: Vec<(i64, String, Option<Vec<u8>>)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(settings::HISTORY.key).fetch_all(p).await)?;
        let read = |value: Vec<u8>| Retention::read(std::str::from_utf8(&value).ok()?);
        Ok(rows.into_iter().map(|(buffer, network, value)| (buffer, network, value.and_then(read))).collect())
    }

    pub(super) async fn begin_retention(&self) -> Result<(), StoreError> {
        for (buffer, _, retention) in self.retentions().await? {
            self.keeper().unkept.set(buffer, retention == Some(Retention::Off));
        }
        Ok(())
    }

    /// Forgets lines of a buffer from before a time, a bounded number at once; returns how many, and whether more may
    /// be left.
    pub async fn prune_history(&self, buffer: i64, before: i64) -> Result<(u64, bool), StoreError> {
        const BATCH: i64 = 500;
        const ANY: &str = "SELECT MIN(first) FROM (SELECT MIN(id) AS first FROM history WHERE buffer = $1
            UNION ALL SELECT MIN(since) FROM stay WHERE buffer = $1) AS firsts";
        const SQL: &str = "DELETE FROM history WHERE id IN
            (SELECT id FROM history WHERE buffer = $1 AND id < $2 ORDER BY id LIMIT $3)";
        let before = first_at(before);
        let oldest: Option<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(ANY).bind(buffer).fetch_one(p).await)?;
        // Most buffers have nothing to forget on most days, and need no write.
        if oldest.is_none_or(|oldest| oldest >= before) {
            return Ok((0, false));
        }
        let keeper = Arc::clone(self.keeper());
        let gone = self
            .write(move |tx| {
                Box::pin(async move {
                    stays::trim(tx, &keeper, buffer, before).await?;
                    Ok(execute!(tx, SQL, buffer, before, BATCH)?)
                })
            })
            .await?;
        Ok((gone, gone == BATCH as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::forever("Forever", Some(Retention::Forever))]
    #[case::off("OFF", Some(Retention::Off))]
    #[case::days("30d", Some(Retention::Days(30)))]
    #[case::number("7", Some(Retention::Days(7)))]
    #[case::none("0d", None)]
    #[case::weeks("2w", None)]
    #[case::nothing("", None)]
    #[case::d("d", None)]
    fn how_long_is_a_word_or_a_number_of_days(#[case] text: &str, #[case] retention: Option<Retention>) {
        assert_eq!(Retention::read(text), retention);
        if let Some(retention) = retention {
            assert_eq!(Retention::read(&retention.to_string()), Some(retention));
        }
    }
}
