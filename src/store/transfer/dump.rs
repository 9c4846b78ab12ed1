//! Rows out of a database, as it was at one moment.

use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use super::file::Bytes;
use super::shape::{self, Kind, Table};
use super::{Counts, Progress, Sink, TransferError, Value};
use crate::store::User;
use crate::store::pool::Pool;
use crate::store::snapshot::{Snapshot, on_snapshot};

/// Rows that are handed on at once.
const PAGE: usize = 100;

/// Hands on all rows of all tables, each table behind those that it refers to.
pub(super) async fn dump(
    pool: &Pool,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let mut snapshot = pool.begin_to_read().await?;
    let dumped = dump_all(&mut snapshot, sink, progress).await;
    snapshot.end().await;
    dumped
}

async fn dump_all(
    snapshot: &mut Snapshot,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let mut counts = Counts::new();
    for table in shape::tables(snapshot).await? {
        sink.begin(&table.name, table.columns.iter().map(|(name, _)| name.clone()).collect()).await?;
        let count = dump_table(snapshot, &table, None, sink, progress).await?;
        if let Some(last) = last_number(snapshot, &table).await? {
            sink.sequence(last).await?;
        }
        counts.push((table.name, count));
    }
    Ok(counts)
}

/// Hands on the rows of a table, or those that a condition finds for a user.
pub(super) async fn dump_table(
    snapshot: &mut Snapshot,
    table: &Table,
    of_user: Option<(&str, &User)>,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<u64, TransferError> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| match kind {
            Kind::Boolean => format!("\"{name}\"::int::bigint"),
            Kind::Integer | Kind::Text | Kind::Bytes => format!("\"{name}\""),
        })
        .collect();
    // The names are the database's own, and each is in our table of tables or beside one that is.
    let mut sql = format!("SELECT {} FROM \"{}\"", columns.join(", "), table.name);
    if let Some((condition, _)) = of_user {
        sql.push_str(" WHERE ");
        sql.push_str(condition);
    }
    let (mut count, mut page) = (0, Vec::with_capacity(PAGE));
    on_snapshot!(snapshot, |c| {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = match of_user {
            Some((_, user)) => query.bind(user.id).bind(&user.user_id),
            None => query,
        };
        let mut rows = query.fetch(c);
        while let Some(row) = rows.try_next().await? {
            let mut values = Vec::with_capacity(table.columns.len());
            for (place, (_, kind)) in table.columns.iter().enumerate() {
                let value = match kind {
                    Kind::Integer | Kind::Boolean => {
                        row.try_get::<Option<i64>, _>(place)?.map(Value::Integer)
                    }
                    Kind::Text => row.try_get::<Option<String>, _>(place)?.map(Value::Text),
                    Kind::Bytes => {
                        row.try_get::<Option<Vec<u8>>, _>(place)?.map(|bytes| Value::Bytes(Bytes(bytes)))
                    }
                };
                values.push(value.unwrap_or(Value::Null));
            }
            page.push(values);
            if page.len() == PAGE {
                count += PAGE as u64;
                sink.rows(std::mem::replace(&mut page, Vec::with_capacity(PAGE))).await?;
                progress(&table.name, count);
            }
        }
        Ok::<(), TransferError>(())
    })?;
    count += page.len() as u64;
    if !page.is_empty() {
        sink.rows(page).await?;
    }
    progress(&table.name, count);
    Ok(count)
}

/// The last number that a table has given: what had it may be gone, and the number is not given again.
async fn last_number(snapshot: &mut Snapshot, table: &Table) -> Result<Option<i64>, TransferError> {
    const SQLITE: &str = "SELECT seq FROM sqlite_sequence WHERE name = $1";
    const POSTGRES: &str = "SELECT last_value FROM pg_sequences
        WHERE format('%I.%I', schemaname, sequencename)::regclass = pg_get_serial_sequence(quote_ident($1), $2)::regclass";
    let number = match (&mut *snapshot, table.columns.first()) {
        (Snapshot::Sqlite(connection), _) => {
            let query = sqlx::query_scalar(SQLITE).bind(&table.name);
            query.fetch_optional(&mut *connection).await?
        }
        (Snapshot::Postgres(connection), Some((column, _))) => {
            let query = sqlx::query_scalar(POSTGRES).bind(&table.name).bind(column);
            let last: Option<Option<i64>> = query.fetch_optional(&mut **connection).await?;
            last.flatten()
        }
        (Snapshot::Postgres(_), None) => None,
    };
    Ok(number)
}
