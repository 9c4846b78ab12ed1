//! What is stored about one user, as JSON to read: `{"user": …, "exported_at": …, "tables": {"session": [{…}], …}}`.
//!
//! Each table has its rows with the names of their columns. What waits in a queue is opened. A secret is not: in its place
//! stands that there is one.

use std::io::Write;

use serde_json::{Map, json};

use super::file::Bytes;
use super::{Counts, Progress, Sink, TransferError, Value, dump, shape};
use crate::store::belongings::{self, Rows};
use crate::store::settings::Setting;
use crate::store::{Sealer, Store, User, inbox, lines, outbox, prompts, published};

/// What stands where a secret is.
const SECRET: &str = "a secret, which is not exported";
/// What stands where the key does not open a value.
const UNREADABLE: &str = "sealed, and the key does not open it";

/// Writes all that is stored about a user at one moment; says how many rows of each table that is.
///
/// # Errors
/// When the database can't be read, or the output not written.
pub async fn export(
    store: &Store,
    user: &User,
    output: &mut (dyn Write + Send),
    now: i64,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let mut snapshot = store.readers().begin_to_read().await?;
    let written = async {
        write!(output, "{{\"user\":{},\"exported_at\":{now},\"tables\":{{", json!(user.user_id))?;
        let mut counts = Counts::new();
        let mut rules = belongings::tables();
        for table in shape::tables(&mut snapshot).await? {
            let place = rules.iter().position(|(name, _)| *name == table.name);
            let Some(Rows::OfUser(those)) = place.map(|place| rules.swap_remove(place).1) else { continue };
            let mut condition = belongings::condition(&those);
            if table.name == "inbox" {
                // What others have said waits with what is the user's where their session relays it.
                condition += " AND (person IS NULL OR person = CAST($2 AS TEXT))";
            }
            let mut sink = Reading {
                output: &mut *output,
                sealer: store.sealer(),
                table: table.name.clone(),
                columns: table.columns.iter().map(|(name, _)| name.clone()).collect(),
                is_first: true,
            };
            let comma = if counts.is_empty() { "" } else { "," };
            write!(sink.output, "{comma}\n{}:[", json!(table.name))?;
            let count =
                dump::dump_table(&mut snapshot, &table, Some((&condition, user)), &mut sink, progress)
                    .await?;
            write!(sink.output, "]")?;
            counts.push((table.name, count));
        }
        writeln!(output, "}}}}")?;
        output.flush()?;
        Ok(counts)
    };
    let written = written.await;
    snapshot.end().await;
    written
}

/// Rows as objects.
struct Reading<'a> {
    output: &'a mut (dyn Write + Send),
    sealer: &'a Sealer,
    table: String,
    columns: Vec<String>,
    is_first: bool,
}

impl Sink for Reading<'_> {
    async fn begin(&mut self, _table: &str, _columns: Vec<String>) -> Result<(), TransferError> {
        Ok(())
    }

    async fn rows(&mut self, rows: Vec<Vec<Value>>) -> Result<(), TransferError> {
        for row in rows {
            let comma = if std::mem::take(&mut self.is_first) { "\n" } else { ",\n" };
            let object = self.read(&row);
            write!(self.output, "{comma}{object}")?;
        }
        Ok(())
    }

    async fn sequence(&mut self, _last: i64) -> Result<(), TransferError> {
        Ok(())
    }
}

impl Reading<'_> {
    fn read(&self, row: &[Value]) -> serde_json::Value {
        let named = self.columns.iter().zip(row);
        let values = named.map(|(name, value)| {
            let value = match value {
                Value::Null => serde_json::Value::Null,
                Value::Integer(number) => json!(number),
                Value::Text(text) => json!(text),
                Value::Bytes(Bytes(bytes)) => json!(self.open(name, bytes, row)),
            };
            (name.clone(), value)
        });
        serde_json::Value::Object(values.collect::<Map<_, _>>())
    }

    /// What stands in a column of bytes, as far as it is to be shown.
    fn open(&self, column: &str, bytes: &[u8], row: &[Value]) -> String {
        let text = |name: &str| {
            let place = self.columns.iter().position(|column| column == name);
            match place.and_then(|place| row.get(place)) {
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Integer(number)) => number.to_string(),
                _ => String::new(),
            }
        };
        let name = match (self.table.as_str(), column) {
            ("setting", "value") => {
                let is_secret = Setting::find(&text("key")).is_none_or(|setting| setting.secret);
                let plain = || String::from_utf8_lossy(bytes).into_owned();
                return if is_secret { SECRET.to_owned() } else { plain() };
            }
            ("inbox", "payload") => inbox::row_name(&text("event_id")),
            ("irc_line", "payload") => {
                lines::row_name(&text("event_id"), text("part").parse().unwrap_or_default())
            }
            ("outbox", "payload") => outbox::row_name(&text("txn_id")),
            ("prompt", "payload") => prompts::row_name(&text("txn_id")),
            ("published", "content") => published::row_name_of(&text("kind"), &text("id")),
            // A channel's key, and what nobody has thought of: rather too little than a secret too much.
            _ => return SECRET.to_owned(),
        };
        self.sealer.open_text(bytes, &name).unwrap_or_else(|_| UNREADABLE.to_owned())
    }
}
