//! A new key: what older ones have sealed is sealed anew, a few rows at a time.
//!
//! Safe at each step: a row is sealed by one key or by the other, both open it, and the row that proves the key comes last.
//! So a database whose proof is sealed by the present key needs no other, but for what was sealed while the key changed;
//! whoever takes an older key away counts that first.
//!
//! The table below has each column in which something is sealed; a test holds it against the schema.

use super::error::{OpenError, StoreError};
use super::pool::{Tx, on, on_tx};
use super::seal::{Sealer, SecretKey};
use super::{PROBE_KEY, Store, inbox, lines, outbox, prompts, published, settings};
use super::{buffers, pool};

/// Rows of one commit.
const PAGE: i64 = 100;

/// A column with sealed values.
struct Column {
    /// Finds rows that another key has sealed: what tells the row, two words of its name, and the value. `$1` is the
    /// number of the present key, `$2` how many are passed over.
    find: &'static str,
    /// Puts the value `$1` into the row `$2`.
    put: &'static str,
    /// What the row is called when it is sealed.
    name: fn(&str, &str) -> String,
}

/// All but settings and the proof of the key.
static COLUMNS: [Column; 6] = [
    Column {
        find: "SELECT CAST(seq AS TEXT), event_id, '', payload FROM inbox
            WHERE payload IS NOT NULL AND substr(payload, 1, 1) <> $1 ORDER BY seq LIMIT 100 OFFSET $2",
        put: "UPDATE inbox SET payload = $1 WHERE seq = CAST(CAST($2 AS TEXT) AS BIGINT)",
        name: |event, _| inbox::row_name(event),
    },
    Column {
        find: "SELECT CAST(id AS TEXT), event_id, CAST(part AS TEXT), payload FROM irc_line
            WHERE payload IS NOT NULL AND substr(payload, 1, 1) <> $1 ORDER BY id LIMIT 100 OFFSET $2",
        put: "UPDATE irc_line SET payload = $1 WHERE id = CAST(CAST($2 AS TEXT) AS BIGINT)",
        name: |event, part| lines::row_name(event, part.parse().unwrap_or_default()),
    },
    Column {
        find: "SELECT CAST(seq AS TEXT), txn_id, '', payload FROM outbox
            WHERE payload IS NOT NULL AND substr(payload, 1, 1) <> $1 ORDER BY seq LIMIT 100 OFFSET $2",
        put: "UPDATE outbox SET payload = $1 WHERE seq = CAST(CAST($2 AS TEXT) AS BIGINT)",
        name: |txn, _| outbox::row_name(txn),
    },
    Column {
        find: "SELECT CAST(id AS TEXT), txn_id, '', payload FROM prompt
            WHERE payload IS NOT NULL AND substr(payload, 1, 1) <> $1 ORDER BY id LIMIT 100 OFFSET $2",
        put: "UPDATE prompt SET payload = $1 WHERE id = CAST(CAST($2 AS TEXT) AS BIGINT)",
        name: |txn, _| prompts::row_name(txn),
    },
    Column {
        find: "SELECT id, kind, '', content FROM published
            WHERE content IS NOT NULL AND substr(content, 1, 1) <> $1 ORDER BY id LIMIT 100 OFFSET $2",
        put: "UPDATE published SET content = $1 WHERE id = $2",
        // Its name has both; see `name_of`.
        name: |kind, id| published::row_name_of(kind, id),
    },
    Column {
        find: "SELECT CAST(id AS TEXT), CAST(session AS TEXT), folded, key FROM buffer
            WHERE key IS NOT NULL AND substr(key, 1, 1) <> $1 ORDER BY id LIMIT 100 OFFSET $2",
        put: "UPDATE buffer SET key = $1 WHERE id = CAST(CAST($2 AS TEXT) AS BIGINT)",
        name: |session, folded| buffers::key_row(session.parse().unwrap_or_default(), folded),
    },
];

const FIND_SETTINGS: &str = "SELECT scope_id, scope, key, value FROM setting
    WHERE key = $3 AND substr(value, 1, 1) <> $1 ORDER BY scope, scope_id LIMIT 100 OFFSET $2";
const PUT_SETTING: &str = "UPDATE setting SET value = $1 WHERE scope_id = $2 AND scope = $3 AND key = $4";

/// What tells a row, two words of its name, and its sealed value.
type Row = (String, String, String, Vec<u8>);

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    /// Values.
    pub values: u64,
    /// Values that no key opens: they were lost before.
    pub lost: u64,
}

impl Column {
    fn name_of(&self, (id, first, second, _): &Row) -> String {
        let second = if second.is_empty() { id } else { second };
        (self.name)(first, second)
    }
}

impl Store {
    /// Seals with another key from now on, where that opens what is sealed; says whether it is another.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] where it does not belong to this database; then nothing has changed.
    pub async fn change_key(&self, key: &SecretKey) -> Result<bool, OpenError> {
        if *key == self.sealer().key() {
            return Ok(false);
        }
        if !self.is_proved_to(&Sealer::new(key)).await? {
            return Err(OpenError::WrongKey);
        }
        self.sealer().change(key);
        Ok(true)
    }

    /// Whether there are older keys than the one that seals.
    pub fn has_older_keys(&self) -> bool {
        self.sealer().key().has_older()
    }

    /// Seals anew what older keys have sealed.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let mut all = Resealed::default();
        for column in &COLUMNS {
            let mut lost = 0;
            loop {
                let (values, unreadable) = self.reseal_page(column, lost).await?;
                lost += unreadable;
                all.values += values;
                if values == 0 && unreadable < PAGE {
                    break;
                }
            }
            all.lost += lost.unsigned_abs();
        }
        for setting in settings::ALL.iter().filter(|setting| setting.secret) {
            let mut lost = 0;
            loop {
                let (values, unreadable) = self.reseal_settings(setting.key, lost).await?;
                lost += unreadable;
                all.values += values;
                if values == 0 && unreadable < PAGE {
                    break;
                }
            }
            all.lost += lost.unsigned_abs();
        }
        self.reseal_proof().await?;
        Ok(all)
    }

    /// A page of a column: how many values were sealed anew, and how many can't be.
    async fn reseal_page(&self, column: &'static Column, lost: i64) -> Result<(u64, i64), StoreError> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let rows = find(tx, column.find, store.sealer().number(), lost).await?;
                let (mut values, mut unreadable) = (0, 0);
                for row in rows {
                    let name = column.name_of(&row);
                    let Ok(plain) = store.sealer().open(&row.3, &name) else {
                        unreadable += 1;
                        continue;
                    };
                    let sealed = store.sealer().seal(&plain, &name);
                    values += pool::execute!(tx, column.put, sealed, row.0)?;
                }
                Ok((values, unreadable))
            })
        })
        .await
    }

    async fn reseal_settings(&self, key: &'static str, lost: i64) -> Result<(u64, i64), StoreError> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let number = vec![store.sealer().number()];
                let rows: Vec<Row> = on_tx!(tx, |c| sqlx::query_as(FIND_SETTINGS)
                    .bind(&number)
                    .bind(lost)
                    .bind(key)
                    .fetch_all(c)
                    .await)?;
                let (mut values, mut unreadable) = (0, 0);
                for (id, scope, key, sealed) in rows {
                    let name = settings::row_name_of(&scope, &id, &key);
                    let Ok(plain) = store.sealer().open(&sealed, &name) else {
                        unreadable += 1;
                        continue;
                    };
                    let sealed = store.sealer().seal(&plain, &name);
                    values += pool::execute!(tx, PUT_SETTING, sealed, id, scope, key)?;
                }
                Ok((values, unreadable))
            })
        })
        .await
    }

    /// The row that proves the key.
    async fn reseal_proof(&self) -> Result<(), StoreError> {
        let sealed = self.sealed_proof();
        self.write(move |tx| {
            Box::pin(async move {
                const SQL: &str = "UPDATE instance SET value = $2 WHERE key = $1";
                pool::execute!(tx, SQL, PROBE_KEY, sealed)?;
                Ok(())
            })
        })
        .await
    }

    /// How many values only an older key opens.
    pub async fn sealed_by_older_keys(&self) -> Result<u64, StoreError> {
        let mut count = u64::from(!self.is_proved_by(self.sealer().number()).await?);
        let number = vec![self.sealer().number()];
        for column in &COLUMNS {
            let mut passed = 0;
            loop {
                let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(column.find)
                    .bind(&number)
                    .bind(passed)
                    .fetch_all(p)
                    .await)?;
                passed += PAGE;
                let opens = |row: &&Row| self.sealer().open(&row.3, &column.name_of(row)).is_ok();
                count += rows.iter().filter(opens).count() as u64;
                if rows.is_empty() {
                    break;
                }
            }
        }
        for setting in settings::ALL.iter().filter(|setting| setting.secret) {
            let mut passed = 0;
            loop {
                let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(FIND_SETTINGS)
                    .bind(&number)
                    .bind(passed)
                    .bind(setting.key)
                    .fetch_all(p)
                    .await)?;
                passed += PAGE;
                let opens = |row: &&Row| {
                    let name = settings::row_name_of(&row.1, &row.0, &row.2);
                    self.sealer().open(&row.3, &name).is_ok()
                };
                count += rows.iter().filter(opens).count() as u64;
                if rows.is_empty() {
                    break;
                }
            }
        }
        Ok(count)
    }
}

async fn find(tx: &mut Tx, sql: &'static str, number: u8, passed: i64) -> Result<Vec<Row>, StoreError> {
    let number = vec![number];
    Ok(on_tx!(tx, |c| sqlx::query_as(sql).bind(&number).bind(passed).fetch_all(c).await)?)
}
