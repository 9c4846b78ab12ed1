//! Rows into a database in which nothing is, in one transaction: all of them or none.

use sqlx::AssertSqlSafe;

use super::file::Bytes;
use super::shape::{self, Kind, Table};
use super::{Counts, Sink, TransferError, Value};
use crate::store::pool::{self, Pool, Tx, later, on_tx};
use crate::store::seal::Sealer;
use crate::store::{OpenError, PROBE, PROBE_KEY, StoreOptions};

/// Rows that one statement inserts.
const AT_ONCE: usize = 50;

/// Writes rows into an empty database.
pub(super) struct Loader {
    pools: [Pool; 2],
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
        let pools = [readers, writing];
        match Self::prepare(&pools[1], schema).await {
            Ok((tx, tables)) => Ok(Self { pools, tx, sealer: Sealer::new(&to.key), tables, table: None }),
            Err(error) => {
                close(&pools).await;
                Err(error)
            }
        }
    }

    async fn prepare(writing: &Pool, schema: i64) -> Result<(Tx, Vec<Table>), TransferError> {
        let mut tx = writing.begin().await?;
        let empty = prove_empty(&mut tx).await;
        tx.roll_back().await;
        empty?;
        let known = writing.newest_migration();
        if schema > known {
            return Err(TransferError::Newer { found: schema, known });
        }
        if writing.migrate_to(schema).await? != schema {
            let newer = "it was made ready by a towline that is newer than the backup";
            return Err(TransferError::NotEmpty(newer.to_owned()));
        }
        let mut tx = writing.begin().await?;
        match shape::tables(&mut tx).await {
            Ok(tables) => Ok((tx, tables)),
            Err(error) => {
                tx.roll_back().await;
                Err(error)
            }
        }
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
            Ok(counts) => match self.tx.commit().await {
                Ok(_) => Ok(counts),
                Err(uncommitted) => Err(uncommitted.give_up().await.into()),
            },
            Err(error) => {
                self.tx.roll_back().await;
                Err(error)
            }
        };
        close(&self.pools).await;
        kept
    }

    /// Whether all rows have arrived. The index of the history's words is to be made anew.
    async fn check(&mut self, counts: &Counts) -> Result<(), TransferError> {
        const INDEXED: &str = "DELETE FROM instance WHERE key = 'history_words'";
        for (table, expected) in counts {
            let found = count(&mut self.tx, table).await?;
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
async fn prove_empty(tx: &mut Tx) -> Result<(), TransferError> {
    let tables = shape::tables(tx).await.map_err(|error| match error {
        TransferError::Unknown(what) => TransferError::NotEmpty(format!("it has {what}")),
        error => error,
    })?;
    for table in tables {
        if count(tx, &table.name).await? > 0 {
            return Err(TransferError::NotEmpty(format!("{} has rows", table.name)));
        }
    }
    Ok(())
}

/// How many rows a table has, whose name is one of the shape's.
async fn count(tx: &mut Tx, table: &str) -> Result<u64, TransferError> {
    if !shape::ORDER.contains(&table) {
        return Err(TransferError::Unknown(table.to_owned()));
    }
    let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
    let count: i64 = on_tx!(tx, |c| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await)?;
    Ok(count.unsigned_abs())
}

async fn close(pools: &[Pool]) {
    for pool in pools {
        pool.close().await;
    }
}
