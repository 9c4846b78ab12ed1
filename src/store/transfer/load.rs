//! Rows into a database in which nothing is, in one transaction: all of them or none.

use sqlx::AssertSqlSafe;

use super::file::Bytes;
use super::shape::{self, Kind, Table};
use super::{Counts, Sink, TransferError, Value};
use crate::store::pool::{self, Pool, Tx, later, on_tx};
use crate::store::seal::Sealer;
use crate::store::snapshot::{Snapshot, on_snapshot};
use crate::store::tx::Writing;
use crate::store::{OpenError, PROBE, PROBE_KEY, StoreOptions};

/// Rows that one statement inserts.
const AT_ONCE: usize = 50;

/// Writes rows into an empty database.
pub(super) struct Loader {
    readers: Pool,
    writing: Writing,
    tx: Tx,
    sealer: Sealer,
    tables: Vec<Table>,
    /// The table whose rows come.
    table: Option<Table>,
}

impl Loader {
    /// Makes the tables as they were at this schema, and begins.
    pub(super) async fn begin(to: &StoreOptions, schema: i64) -> Result<Self, TransferError> {
        let (readers, writing) = pool::open(&to.url).await?;
        match Self::prepare(&readers, &writing, schema).await {
            Ok((tx, tables)) => {
                let sealer = Sealer::new(&to.key);
                Ok(Self { readers, writing, tx, sealer, tables, table: None })
            }
            Err(error) => {
                close(&readers, &writing).await;
                Err(error)
            }
        }
    }

    async fn prepare(
        readers: &Pool,
        writing: &Writing,
        schema: i64,
    ) -> Result<(Tx, Vec<Table>), TransferError> {
        let mut before = readers.begin_to_read().await?;
        let empty = prove_empty(&mut before).await;
        before.end().await;
        empty?;
        let known = readers.newest_migration();
        if schema > known {
            return Err(TransferError::Newer { found: schema, known });
        }
        writing.migrate_to(schema).await?;
        if readers.schema().await? != schema {
            let newer = "it was made ready by a towline that is newer than the backup";
            return Err(TransferError::NotEmpty(newer.to_owned()));
        }
        let mut migrated = readers.begin_to_read().await?;
        let tables = shape::tables(&mut migrated).await;
        migrated.end().await;
        let tables = tables?;
        Ok((writing.begin().await?, tables))
    }

    /// Keeps what was written if all went well and all of it is there, and nothing otherwise.
    pub(super) async fn end(
        mut self,
        loaded: Result<Counts, TransferError>,
    ) -> Result<Counts, TransferError> {
        let kept = match loaded {
            Ok(counts) => self.check(&counts).await.map(|()| counts),
            Err(error) => Err(error),
        };
        let kept = match kept {
            Ok(counts) => self.tx.commit().await.map(drop).map(|()| counts).map_err(TransferError::from),
            Err(error) => {
                drop(self.tx.roll_back().await);
                Err(error)
            }
        };
        close(&self.readers, &self.writing).await;
        kept
    }

    /// Whether all rows have arrived. The index of the history's words is to be made anew.
    async fn check(&mut self, counts: &Counts) -> Result<(), TransferError> {
        const INDEXED: &str = "DELETE FROM instance WHERE key = 'history_words'";
        for (table, expected) in counts {
            let sql = count(table)?;
            let found: i64 =
                on_tx!(&mut self.tx, |c| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await)?;
            let found = found.unsigned_abs();
            if found != *expected {
                return Err(TransferError::Lost { table: table.clone(), found, expected: *expected });
            }
        }
        later!(&mut self.tx, INDEXED)?;
        Ok(())
    }

    /// Refuses what another key has sealed: nothing of it could be read.
    fn prove_key(&self, rows: &[Vec<Value>]) -> Result<(), TransferError> {
        let is_ours = |sealed: &[u8]| {
            self.sealer.open(sealed, &format!("instance:{PROBE_KEY}")).is_ok_and(|text| text == PROBE)
        };
        for row in rows {
            if let [Value::Text(key), Value::Bytes(Bytes(sealed))] = &row[..]
                && key == PROBE_KEY
                && !is_ours(sealed)
            {
                return Err(OpenError::WrongKey.into());
            }
        }
        Ok(())
    }

    async fn insert(&mut self, rows: &[Vec<Value>]) -> Result<(), TransferError> {
        let Some(table) = &self.table else {
            return Err(TransferError::Damaged("a row belongs to no table".to_owned()));
        };
        let is_postgres = matches!(self.tx, Tx::Postgres(_));
        let sql = insertion(table, rows.len(), is_postgres);
        on_tx!(&mut self.tx, |c| {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (value, (column, kind)) in rows.iter().flat_map(|row| row.iter().zip(&table.columns)) {
                query = match (kind, value) {
                    (Kind::Integer | Kind::Boolean, Value::Null) => query.bind(None::<i64>),
                    (Kind::Integer | Kind::Boolean, Value::Integer(number)) => query.bind(*number),
                    (Kind::Text, Value::Null) => query.bind(None::<&str>),
                    (Kind::Text, Value::Text(text)) => query.bind(text.as_str()),
                    (Kind::Bytes, Value::Null) => query.bind(None::<&[u8]>),
                    (Kind::Bytes, Value::Bytes(Bytes(bytes))) => query.bind(bytes.as_slice()),
                    _ => return Err(TransferError::Damaged(format!("{}.{column}", table.name))),
                };
            }
            query.execute(c).await.map(drop)
        })?;
        Ok(())
    }
}

impl Sink for Loader {
    async fn begin(&mut self, name: &str, columns: Vec<String>) -> Result<(), TransferError> {
        let unknown = |what: &str| TransferError::Unknown(format!("{name}{what}"));
        let table = self.tables.iter().find(|table| table.name == name).ok_or_else(|| unknown(""))?;
        let mut found = Vec::with_capacity(columns.len());
        for column in columns {
            let known = table.columns.iter().find(|(known, _)| *known == column);
            found.push(known.ok_or_else(|| unknown(&format!(".{column}")))?.clone());
        }
        self.table = Some(Table { name: name.to_owned(), columns: found });
        Ok(())
    }

    async fn rows(&mut self, rows: Vec<Vec<Value>>) -> Result<(), TransferError> {
        let width = self.table.as_ref().map_or(0, |table| table.columns.len());
        if rows.iter().any(|row| row.len() != width) {
            return Err(TransferError::Damaged("a row has not the columns of its table".to_owned()));
        }
        if self.table.as_ref().is_some_and(|table| table.name == "instance") {
            self.prove_key(&rows)?;
        }
        for rows in rows.chunks(AT_ONCE) {
            self.insert(rows).await?;
        }
        Ok(())
    }

    async fn sequence(&mut self, last: i64) -> Result<(), TransferError> {
        // Rows may have set it, or there were none.
        const FORGET: &str = "DELETE FROM sqlite_sequence WHERE name = $1";
        const SQLITE: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
        const POSTGRES: &str = "SELECT setval(pg_get_serial_sequence(quote_ident($1), $2), $3)";
        let Some(table) = &self.table else { return Ok(()) };
        match (&mut self.tx, table.columns.first()) {
            (tx @ Tx::Sqlite(_), _) => {
                later!(tx, FORGET, &table.name)?;
                later!(tx, SQLITE, &table.name, last)?;
            }
            // Without a sequence it is NULL, and so is what comes of it.
            (Tx::Postgres(connection), Some((column, _))) if last > 0 => {
                let query = sqlx::query(POSTGRES).bind(&table.name).bind(column).bind(last);
                query.execute(&mut **connection).await?;
            }
            (Tx::Postgres(_), _) => {}
        }
        Ok(())
    }
}

/// A statement that inserts so many rows.
fn insertion(table: &Table, rows: usize, is_postgres: bool) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let width = table.columns.len();
    let row = |row: usize| {
        let values = table.columns.iter().enumerate().map(|(column, (_, kind))| {
            let number = row * width + column + 1;
            if *kind == Kind::Boolean { format!("(${number}::bigint <> 0)") } else { format!("${number}") }
        });
        format!("({})", values.collect::<Vec<_>>().join(", "))
    };
    let values: Vec<String> = (0..rows).map(row).collect();
    let overriding = if is_postgres { "OVERRIDING SYSTEM VALUE " } else { "" };
    let (name, names, values) = (&table.name, names.join(", "), values.join(", "));
    format!("INSERT INTO \"{name}\" ({names}) {overriding}VALUES {values}")
}

/// Whether nothing is in a database but empty tables of ours.
async fn prove_empty(snapshot: &mut Snapshot) -> Result<(), TransferError> {
    let tables = shape::tables(snapshot).await.map_err(|error| match error {
        TransferError::Unknown(what) => TransferError::NotEmpty(format!("it has {what}")),
        error => error,
    })?;
    for table in tables {
        let sql = count(&table.name)?;
        let rows: i64 =
            on_snapshot!(snapshot, |c| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await)?;
        if rows > 0 {
            return Err(TransferError::NotEmpty(format!("{} has rows", table.name)));
        }
    }
    Ok(())
}

/// Asks how many rows a table has, whose name is one of the shape's.
fn count(table: &str) -> Result<String, TransferError> {
    if !shape::ORDER.contains(&table) {
        return Err(TransferError::Unknown(table.to_owned()));
    }
    Ok(format!("SELECT COUNT(*) FROM \"{table}\""))
}

async fn close(readers: &Pool, writing: &Writing) {
    writing.close().await;
    readers.close().await;
}
