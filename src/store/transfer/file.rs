//! A backup: JSON, a value on each line, the same for both engines.
//!
//! | line | what it says |
//! |---|---|
//! | `{"towline_backup": 1, "schema": 22, …}` | the first: which format, and the number of the newest migration |
//! | `{"table": "user", "columns": ["id", …]}` | the rows of this table follow |
//! | `[1, "text", null, {"base64": "…"}]` | a row |
//! | `{"last_number": 7}` | the last number that the table has given |
//! | `{"rows": {"user": 1, …}, "sha256": "…"}` | the last: how many there are, and the sum of all lines before it |
//!
//! What is sealed in the database is sealed here. The history is not.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Counts, Progress, Sink, TransferError, Value};

/// The number of this format.
const FORMAT: u32 = 1;
/// The longest line that is read: far beyond the longest that is written.
const LONGEST: u64 = 1 << 28;
/// Rows that are handed on at once.
const PAGE: usize = 100;

/// Bytes, which JSON has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

#[derive(Serialize, Deserialize)]
struct Encoded {
    base64: String,
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encoded { base64: STANDARD.encode(&self.0) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Encoded { base64 } = Encoded::deserialize(deserializer)?;
        STANDARD.decode(base64).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
struct First {
    towline_backup: u32,
    schema: i64,
    version: String,
    /// Milliseconds since 1970.
    made_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Row(Vec<Value>),
    Table { table: String, columns: Vec<String> },
    Sequence { last_number: i64 },
    Last { rows: BTreeMap<String, u64>, sha256: String },
}

/// Writes a backup.
pub(super) struct Writer<'a> {
    output: &'a mut (dyn Write + Send),
    sum: Context,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(
        output: &'a mut (dyn Write + Send),
        schema: i64,
        now: i64,
    ) -> Result<Self, TransferError> {
        let mut writer = Self { output, sum: Context::new(&SHA256) };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        writer.write(&First { towline_backup: FORMAT, schema, version, made_at: now })?;
        Ok(writer)
    }

    pub(super) fn end(mut self, counts: &Counts) -> Result<(), TransferError> {
        let sha256 = hexadecimal(self.sum.clone());
        self.write(&Line::Last { rows: counts.iter().cloned().collect(), sha256 })?;
        self.output.flush()?;
        Ok(())
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), TransferError> {
        let mut line = serde_json::to_vec(line).map_err(std::io::Error::from)?;
        line.push(b'\n');
        self.sum.update(&line);
        self.output.write_all(&line)?;
        Ok(())
    }
}

impl Sink for Writer<'_> {
    async fn begin(&mut self, table: &str, columns: Vec<String>) -> Result<(), TransferError> {
        self.write(&Line::Table { table: table.to_owned(), columns })
    }

    async fn rows(&mut self, rows: Vec<Vec<Value>>) -> Result<(), TransferError> {
        rows.into_iter().try_for_each(|row| self.write(&Line::Row(row)))
    }

    async fn sequence(&mut self, last: i64) -> Result<(), TransferError> {
        self.write(&Line::Sequence { last_number: last })
    }
}

/// Reads a backup.
pub(super) struct Reader<'a> {
    input: &'a mut (dyn BufRead + Send),
    sum: Context,
    first: First,
}

impl<'a> Reader<'a> {
    /// Reads the first line.
    pub(super) fn begin(input: &'a mut (dyn BufRead + Send)) -> Result<Self, TransferError> {
        let mut sum = Context::new(&SHA256);
        let line = next_line(input)?;
        sum.update(&line);
        let first: First = serde_json::from_slice(&line)
            .map_err(|_| TransferError::Damaged("its first line is not that of a backup".to_owned()))?;
        if first.towline_backup != FORMAT {
            return Err(TransferError::Damaged(format!("its format is number {}", first.towline_backup)));
        }
        Ok(Self { input, sum, first })
    }

    /// The number of the newest migration of the database that it was made from.
    pub(super) fn schema(&self) -> i64 {
        self.first.schema
    }

    /// Hands on all that it holds, to its last line.
    pub(super) async fn read_into(
        &mut self,
        sink: &mut impl Sink,
        progress: Progress<'_>,
    ) -> Result<Counts, TransferError> {
        let mut counts = Counts::new();
        let mut page = Vec::with_capacity(PAGE);
        loop {
            let text = next_line(self.input)?;
            let line =
                serde_json::from_slice(&text).map_err(|_| TransferError::Damaged(unreadable(&counts)))?;
            // The last line has the sum of those before it.
            if !matches!(line, Line::Last { .. }) {
                self.sum.update(&text);
            }
            if let Line::Row(row) = line {
                page.push(row);
                if page.len() < PAGE {
                    continue;
                }
                hand_on(&mut page, sink, &mut counts, progress).await?;
                continue;
            }
            hand_on(&mut page, sink, &mut counts, progress).await?;
            match line {
                Line::Row(_) => {}
                Line::Table { table, columns } => {
                    sink.begin(&table, columns).await?;
                    counts.push((table, 0));
                }
                Line::Sequence { last_number } => sink.sequence(last_number).await?,
                Line::Last { rows, sha256 } => {
                    if sha256 != hexadecimal(self.sum.clone()) || rows != counts.iter().cloned().collect() {
                        return Err(TransferError::Damaged("its lines are not those of its last".to_owned()));
                    }
                    return Ok(counts);
                }
            }
        }
    }
}

/// Hands on the rows that were read of the last table.
async fn hand_on(
    page: &mut Vec<Vec<Value>>,
    sink: &mut impl Sink,
    counts: &mut Counts,
    progress: Progress<'_>,
) -> Result<(), TransferError> {
    if page.is_empty() {
        return Ok(());
    }
    let Some((table, count)) = counts.last_mut() else {
        return Err(TransferError::Damaged("a row belongs to no table".to_owned()));
    };
    *count += page.len() as u64;
    sink.rows(std::mem::take(page)).await?;
    progress(table, *count);
    Ok(())
}

fn unreadable(counts: &Counts) -> String {
    match counts.last() {
        Some((table, count)) => format!("behind row {count} of {table} it can't be read"),
        None => "it can't be read".to_owned(),
    }
}

/// The next line, with its end: one without was cut off.
fn next_line(input: &mut (dyn BufRead + Send)) -> Result<Vec<u8>, TransferError> {
    let mut line = Vec::new();
    input.take(LONGEST).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        Ok(line)
    } else {
        Err(TransferError::Damaged("its end is missing".to_owned()))
    }
}

fn hexadecimal(sum: Context) -> String {
    sum.finish().as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
