//! SQLite in few trips.
//!
//! A statement of SQLite takes microseconds, but each is a message to the thread that has the connection, and its
//! answer another: waking the two costs more than the statement. So what a write need not know the result of waits, and
//! goes with the next statement whose result it reads, or with its end: a line from IRC is two trips and not nine.
//! PostgreSQL gets each statement by itself.
//!
//! To a write it is as if each statement ran where it stands, but for one thing: that it failed is told with the next
//! one that does not wait, or at the end of the write.

use futures_util::TryStreamExt;
use sqlx::Either;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Executor, Sqlite, Type};

use super::outbox::Seen;

/// Statements that may wait: their texts and values are in memory until then.
const MOST: usize = 64;
/// Scripts of no more statements than that come again and again: they stay prepared.
const KEPT: usize = 12;

/// A connection, and statements that wait for it.
pub(in crate::store) struct Scripted {
    connection: PoolConnection<Sqlite>,
    sql: String,
    arguments: SqliteArguments,
    statements: usize,
    /// How many were done of those that ran last.
    done: usize,
    look: Option<(&'static str, [i64; 2], Seen)>,
}

/// A commit that failed.
pub(in crate::store) struct NotCommitted {
    pub(in crate::store) error: sqlx::Error,
    /// By a statement that had waited: the transaction is open.
    pub(in crate::store) by_statement: bool,
}

/// A statement that is about to wait.
#[must_use = "it waits only when it has ended"]
pub(in crate::store) struct Adding<'a> {
    script: &'a mut Scripted,
    failed: Option<BoxDynError>,
}

impl<'a> Adding<'a> {
    pub(in crate::store) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        if self.failed.is_none() {
            self.failed = self.script.arguments.add(value).err();
        }
        self
    }

    /// All its values are there.
    pub(in crate::store) fn end(self) -> sqlx::Result<&'a mut Scripted> {
        match self.failed {
            Some(error) => Err(sqlx::Error::Encode(error)),
            None => Ok(self.script),
        }
    }
}

impl Scripted {
    pub(in crate::store) fn new(connection: PoolConnection<Sqlite>) -> Self {
        let (sql, arguments) = (String::new(), SqliteArguments::default());
        Self { connection, sql, arguments, statements: 0, done: 0, look: None }
    }

    /// Puts a statement behind those that wait; its values are bound next.
    pub(in crate::store) fn add(&mut self, sql: &str) -> Adding<'_> {
        if self.statements > 0 {
            self.sql.push_str(";\n");
        }
        renumber(sql, self.arguments.len(), &mut self.sql);
        self.statements += 1;
        Adding { script: self, failed: None }
    }

    /// Runs what waits, if that is much.
    pub(in crate::store) async fn settle_if_long(&mut self) -> sqlx::Result<()> {
        if self.statements < MOST { Ok(()) } else { self.run().await.map(drop) }
    }

    /// The connection, when nothing waits for it any more.
    pub(in crate::store) async fn ready(&mut self) -> sqlx::Result<&mut SqliteConnection> {
        self.run().await?;
        Ok(&mut self.connection)
    }

    /// Runs what waits, and gives the rows of its last statement. After a failure nothing waits: what came behind it was
    /// not run.
    pub(in crate::store) async fn run(&mut self) -> sqlx::Result<Vec<SqliteRow>> {
        self.done = 0;
        let mut rows = Vec::new();
        if self.statements == 0 {
            return Ok(rows);
        }
        let sql = std::mem::take(&mut self.sql);
        let arguments = std::mem::take(&mut self.arguments);
        let statements = std::mem::take(&mut self.statements);
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(statements <= KEPT);
        let mut results = self.connection.fetch_many(query);
        while let Some(result) = results.try_next().await? {
            match result {
                Either::Left(_) => self.done += 1,
                Either::Right(row) if self.done + 1 == statements => rows.push(row),
                // Nobody wants to know what those before it gave.
                Either::Right(_) => {}
            }
        }
        Ok(rows)
    }

    /// Reads this when the write is committed, in the same trip; of several the last.
    pub(in crate::store) fn look_after_commit(&mut self, sql: &'static str, values: [i64; 2], seen: Seen) {
        self.look = Some((sql, values, seen));
    }

    /// Runs what waits and commits.
    pub(in crate::store) async fn commit(&mut self) -> Result<(), NotCommitted> {
        let before = self.statements;
        let look = self.look.take();
        let ran = match self.add("COMMIT").end() {
            Ok(script) => {
                if let Some((sql, [one, other], _)) = &look {
                    // Numbers can always be bound.
                    let _ = script.add(sql).bind(*one).bind(*other).end();
                }
                script.run().await
            }
            Err(error) => Err(error),
        };
        match (ran, look) {
            (Ok(rows), Some((.., seen))) => seen.keep(rows),
            (Ok(_), None) => {}
            // What was seen afterwards is no part of it.
            (Err(_), _) if self.done > before => {}
            (Err(error), _) => return Err(NotCommitted { error, by_statement: self.done < before }),
        }
        Ok(())
    }

    pub(in crate::store) fn into_connection(self) -> PoolConnection<Sqlite> {
        self.connection
    }
}

/// Writes a statement whose values come behind so many others: its first, `$1`, is the next of all.
fn renumber(sql: &str, before: usize, to: &mut String) {
    to.reserve(sql.len() + 16);
    let mut rest = sql;
    while let Some(place) = rest.find('$') {
        let (text, number) = rest.split_at(place + 1);
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = number.split_at(digits);
        to.push_str(text);
        match number.parse::<usize>() {
            Ok(number) => to.push_str(&(number + before).to_string()),
            Err(_) => to.push_str(number),
        }
        rest = behind;
    }
    to.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_behind_those_of_the_statements_before() {
        for (before, sql, wanted) in [
            (0, "SELECT $1", "SELECT $1"),
            (3, "VALUES ($1, $2, $10)", "VALUES ($4, $5, $13)"),
            (2, "SELECT '$'", "SELECT '$'"),
            (9, "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"),
        ] {
            let mut text = String::new();
            renumber(sql, before, &mut text);
            assert_eq!(text, wanted);
        }
    }
}
