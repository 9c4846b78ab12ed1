//! SQLite without a thread between: a driver for sqlx that runs each statement where it is asked for.
//!
//! sqlx's own driver for SQLite has a thread for each connection, and every statement is a message there and one or more
//! back: to wake the two costs several times what the statement does. To sqlx this is one more database, and so a
//! statement is written once for it and PostgreSQL, and what is read from a row is what is read from any.
//!
//! What it is not: a way to do much at once. A statement holds up the thread on which it runs, and its rows are all there
//! before the first is handed on. The writer has a thread of its own (`writer`); those who read ask for few rows, or have
//! a thread for it (`readers`). Migrations, snapshots and `vacuum` have sqlx's driver.

mod error;
mod row;
mod unused;
mod values;

use std::path::Path;
use std::time::Duration;

use futures_util::future::{self, BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use rusqlite::config::DbConfig;
use rusqlite::{OpenFlags, Statement};
use sqlx::{Database, Either, Execute, Executor, SqlStr};
use sqlx_core::database::HasStatementCache;

use error::{of_rusqlite, of_values};
pub(in crate::store) use row::Row;
use row::{Column, Columns};
use unused::Unused;
use values::{Bound, Kind, Stored};

/// How long it waits for a lock that a backup or a checkpoint has.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Pages after which a commit writes the log back itself: what is there after a crash is read in some 20 ms.
const LONGEST_LOG: u32 = 4000;
/// Statements that stay prepared: all that lines and events need, and most others.
const KEPT: usize = 256;
/// The same for those who read: there are several, each with its own.
const KEPT_TO_READ: usize = 64;

/// What sqlx knows this database by.
#[derive(Debug)]
pub(in crate::store) struct Here;

impl Database for Here {
    type Connection = Unused;
    type TransactionManager = Unused;
    type Row = Row;
    type QueryResult = Done;
    type Column = Column;
    type TypeInfo = Kind;
    type Value = Stored;
    type ValueRef<'r> = &'r Stored;
    type Arguments = Bound;
    type ArgumentBuffer = Vec<rusqlite::types::Value>;
    type Statement = Unused;
    const NAME: &'static str = "SQLite";
    const URL_SCHEMES: &'static [&'static str] = &[];
}

/// Statements stay prepared, but where a query says that it is asked only once.
impl HasStatementCache for Here {}

/// What a statement has done.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::store) struct Done {
    changed: u64,
}

impl Done {
    /// The rows that it inserted, changed or deleted.
    pub(in crate::store) fn rows_affected(self) -> u64 {
        self.changed
    }
}

impl Extend<Self> for Done {
    fn extend<I: IntoIterator<Item = Self>>(&mut self, others: I) {
        self.changed += others.into_iter().map(|done| done.changed).sum::<u64>();
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Access {
    /// It writes, in the process that has the lock.
    Writes,
    /// It reads beside the one that writes.
    Reads,
    /// It reads in another process.
    Looks,
}

/// A connection.
#[derive(Debug)]
pub(in crate::store) struct Connection {
    inner: rusqlite::Connection,
}

impl Connection {
    /// Opens a database that is there.
    pub(in crate::store) fn open(file: &Path, access: Access) -> sqlx::Result<Self> {
        let mode = match access {
            Access::Writes | Access::Reads => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Looks => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let open = || {
            let inner = rusqlite::Connection::open_with_flags(file, flags)?;
            inner.busy_timeout(BUSY)?;
            // A plan may not go by what a parameter stands for, such as that of `LIMIT`: it would be made anew each time
            // that another value comes.
            inner.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            if access == Access::Writes {
                inner.pragma_update(None, "journal_mode", "WAL")?;
                // A commit is what a 200 to the homeserver promises: it must survive power loss.
                inner.pragma_update(None, "synchronous", "FULL")?;
                // What is deleted is gone, and not only out of sight.
                inner.pragma_update(None, "secure_delete", "ON")?;
                inner.pragma_update(None, "foreign_keys", "ON")?;
                // The writer has it written back before that, when nobody waits.
                inner.pragma_update(None, "wal_autocheckpoint", LONGEST_LOG)?;
            } else {
                inner.pragma_update(None, "query_only", "ON")?;
                // Whatever is written empties it; the operating system has the pages.
                inner.pragma_update(None, "cache_size", -250)?;
            }
            inner.set_prepared_statement_cache_capacity(if access == Access::Writes {
                KEPT
            } else {
                KEPT_TO_READ
            });
            Ok(Self { inner })
        };
        open().map_err(of_rusqlite)
    }

    /// How long it waits for a lock.
    pub(in crate::store) fn set_patience(&self, patience: Duration) -> sqlx::Result<()> {
        self.inner.busy_timeout(patience).map_err(of_rusqlite)
    }

    /// Runs a statement to its end, and gives as many of its rows as are wanted.
    fn run<'q>(&self, query: impl Execute<'q, Here>, most: usize) -> sqlx::Result<(Done, Vec<Row>)> {
        let mut query = query;
        let values = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
        let is_kept = query.persistent();
        let sql = query.sql();
        let rows = if is_kept {
            let mut statement = self.inner.prepare_cached(sql.as_str()).map_err(of_rusqlite)?;
            rows_of(&mut statement, values, most)?
        } else {
            let mut statement = self.inner.prepare(sql.as_str()).map_err(of_rusqlite)?;
            rows_of(&mut statement, values, most)?
        };
        Ok((Done { changed: self.inner.changes() }, rows))
    }
}

fn rows_of(statement: &mut Statement<'_>, values: Bound, most: usize) -> sqlx::Result<Vec<Row>> {
    bind(statement, values)?;
    // What changes something is done when it has ended, and only then are all its constraints checked. (A `COMMIT` reads,
    // says SQLite; it has no rows.)
    let may_stop = most > 0 && statement.readonly();
    let (mut found, mut columns) = (Vec::new(), None);
    let mut rows = statement.raw_query();
    while !(may_stop && found.len() == most) {
        let Some(row) = rows.next().map_err(of_rusqlite)? else { break };
        if found.len() < most {
            let columns = columns.get_or_insert_with(|| Columns::of(row.as_ref()));
            found.push(Row::read(row, columns)?);
        }
    }
    Ok(found)
}

/// Binds each value to the placeholder of its number: SQLite itself numbers `$2` and `$1` by which comes first.
fn bind(statement: &mut Statement<'_>, values: Bound) -> sqlx::Result<()> {
    let mut values: Vec<_> = values.into_values().into_iter().map(Some).collect();
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let place = number.unwrap_or(index).wrapping_sub(1);
        // Each number is one parameter, however often it stands there.
        let Some(value) = values.get_mut(place).and_then(Option::take) else {
            return Err(of_values(place));
        };
        statement.raw_bind_parameter(index, value).map_err(of_rusqlite)?;
    }
    Ok(())
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Here;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Done>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Here>,
    {
        future::ready(self.run(query, 0).map(|(done, _)| done)).boxed()
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<Done, Row>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Here>,
    {
        match self.run(query, usize::MAX) {
            Ok((done, rows)) => {
                let rows = rows.into_iter().map(Either::Right);
                stream::iter(rows.chain([Either::Left(done)]).map(Ok)).boxed()
            }
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<Row>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Here>,
    {
        future::ready(self.run(query, 1).map(|(_, rows)| rows.into_iter().next())).boxed()
    }

    fn prepare_with<'e>(self, _: SqlStr, _: &'e [Kind]) -> BoxFuture<'e, sqlx::Result<Unused>>
    where
        'c: 'e,
    {
        future::ready(Err(unused::refusal())).boxed()
    }

    /// A method that sqlx asks drivers for since its `macros` are on.
    fn describe<'e>(self, _: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<Here>>>
    where
        'c: 'e,
    {
        future::ready(Err(unused::refusal())).boxed()
    }
}

#[cfg(test)]
mod tests;
