//! History: what was said, by whom and when. It belongs to the buffer in private rooms and to the channel in shared
//! ones. Conversations with services never get here; that is decided where the line is read.
//!
//! | part | what it is |
//! |---|---|
//! | `number` | a line's number is its place in time |
//! | `words` | what a line is found by |
//! | `search` | newest first, on either engine |
//! | `read` | lines in their order |
//! | `redact` | lines by their ids, taken back |
//! | `others` | the same line in the histories of a channel's sessions |
//! | `retention` | for how long |
//! | `import` | lines from elsewhere |
//! | `forget` | nothing is left, and nothing comes back |
//!
//! A line and what it is found by are stored in one commit, and many lines in few statements: a netsplit is thousands.

pub(super) mod forget;
mod import;
mod number;
mod others;
mod read;
mod redact;
mod reindex;
mod retention;
mod search;
mod spans;
mod words;

use std::collections::HashSet;
use std::sync::LazyLock;

use sqlx::Row as _;

pub use self::import::Imported;
use self::number::{Numberer, Numbers};
pub use self::read::KeptLine;
pub use self::redact::Told;
pub(super) use self::redact::redact;
pub use self::retention::Retention;
use self::retention::Unkept;
pub use self::search::{Hit, Hits, Search, SearchScope};
use super::pieces::{self, pieces, placeholders};
use super::pool::{Tx, later, later_bound, on};
use super::{Store, StoreError, gaps, lines};

/// Whether a line came from IRC or went there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From IRC.
    In,
    /// From the user.
    Out,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// The number of the buffer.
    pub buffer: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// `message`, `notice`, `action`, `join`, `part`, `quit`, `kick`, `nick`, `mode`, `topic`; `redacted` for what was
    /// taken back.
    pub kind: &'static str,
    /// The nick of the one who said or did it.
    pub sender: String,
    /// Their account with the network's services, where the server tells.
    pub account: Option<String>,
    /// The new nick of a change of nick, the kicked nick of a kick, who has taken back what is redacted; of what was said
    /// to some of a channel (`STATUSMSG`), the sign of their rank.
    pub target: Option<String>,
    /// The text as it was received or sent: also a reason, modes, a topic, and the address of one who joins.
    pub text: String,
    /// The server's id for it.
    pub msgid: Option<String>,
    /// The Matrix event that it came from.
    pub event_id: Option<String>,
    /// From or to IRC.
    pub direction: Direction,
    /// It came with what was missed; so many of the same sender and text came before it in the same go.
    pub replayed: Option<u32>,
}

/// A line of ours, as it is found in the history.
#[derive(Debug, Clone)]
pub struct SentLine {
    /// The number of the buffer.
    pub buffer: i64,
    /// A time that is not later than the line's, in milliseconds since 1970.
    pub since: i64,
    /// The Matrix event that it went out from.
    pub event_id: String,
    /// Its text.
    pub text: String,
}

/// What became of a line that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// It has this number.
    As(i64),
    /// It was there already; the Matrix event that it went out from, where it is one of ours.
    Known(Option<String>),
    /// Its user wants nothing kept.
    Not,
}

/// What the writer knows of history besides the tables.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    numbers: Numbers,
    unkept: Unkept,
}

/// What is sent again was sent before within this time, in milliseconds: older questions are closed.
const SENT_AGAIN: i64 = 8 * 24 * 60 * 60 * 1000;

static LINES: LazyLock<[String; 2]> = LazyLock::new(|| {
    pieces::for_each(|rows| {
        let values = placeholders(rows, 11);
        format!(
            "INSERT INTO history (id, buffer, at, kind, sender, account, target, text, msgid, event_id, direction)
                VALUES {values} ON CONFLICT (buffer, msgid) WHERE msgid IS NOT NULL DO NOTHING RETURNING id"
        )
    })
});
static DOCUMENTS: LazyLock<[String; 2]> = LazyLock::new(|| {
    pieces::for_each(|rows| {
        format!("INSERT INTO history_search (rowid, words) VALUES {}", placeholders(rows, 2))
    })
});

/// Stores lines of one session in their order, and what they are found by.
pub(super) async fn keep(
    tx: &mut Tx,
    keeper: &Keeper,
    session: i64,
    lines: &[HistoryLine],
    now: i64,
) -> Result<Vec<Kept>, StoreError> {
    let mut numberer = Numberer::new(&keeper.numbers, now);
    let mut kept = vec![Kept::Known(None); lines.len()];
    let mut new = Vec::with_capacity(lines.len());
    let mut stored = HashSet::with_capacity(lines.len());
    let mut written = 0;
    for (line, place) in lines.iter().zip(&mut kept) {
        if keeper.unkept.holds(line.buffer) {
            if line.replayed.is_none() || gaps::is_missing(tx, line).await? {
                *place = Kept::Not;
            }
            continue;
        }
        if let Some(before) = line.replayed {
            if forget::was_forgotten(tx, line).await? {
                *place = Kept::Known(None);
                continue;
            }
            // It may be one of those before it.
            let may_be = |(_, earlier): &(i64, &HistoryLine)| {
                earlier.replayed.is_none() || (earlier.sender == line.sender && earlier.text == line.text)
            };
            if new[written..].iter().any(may_be) {
                insert(tx, &new[written..], &mut stored).await?;
                written = new.len();
            }
            if let Some(known) = gaps::find_known(tx, line, before).await? {
                *place = Kept::Known(known.sent_by);
                continue;
            }
        }
        let number = numberer.number(tx, line.at).await?;
        new.push((number, line));
        *place = Kept::As(number);
    }
    insert(tx, &new[written..], &mut stored).await?;
    new.retain(|(number, _)| stored.contains(number));
    index(tx, new.iter().map(|(number, line)| (*number, session, words::Said::of(line)))).await?;
    // What has the id of another line is that line.
    let is_other = |kept: &Kept| matches!(kept, Kept::As(number) if !stored.contains(number));
    kept.iter_mut().filter(|kept| is_other(kept)).for_each(|kept| *kept = Kept::Known(None));
    Ok(kept)
}

macro_rules! bind_lines {
    ($query:expr, $piece:expr) => {{
        let mut query = $query;
        for (number, line) in $piece {
            query = query
                .bind(number)
                .bind(line.buffer)
                .bind(line.at)
                .bind(line.kind)
                .bind(&line.sender)
                .bind(&line.account)
                .bind(&line.target)
                .bind(&line.text)
                .bind(&line.msgid)
                .bind(&line.event_id)
                .bind(line.direction.as_str());
        }
        query
    }};
}

async fn insert(
    tx: &mut Tx,
    lines: &[(i64, &HistoryLine)],
    stored: &mut HashSet<i64>,
) -> Result<(), StoreError> {
    for (place, piece) in pieces(lines) {
        let sql = LINES[place].as_str();
        let numbers: Vec<i64> = match tx {
            Tx::Postgres(connection) => {
                bind_lines!(sqlx::query_scalar(sql), piece).fetch_all(&mut **connection).await?
            }
            Tx::Sqlite(script) => {
                let script = bind_lines!(script.add(sql), piece).end()?;
                if piece.iter().all(|(_, line)| line.msgid.is_none()) {
                    // Nothing but an id can be there already.
                    script.settle_if_long().await?;
                    piece.iter().map(|(number, _)| *number).collect()
                } else {
                    script.run().await?.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?
                }
            }
        };
        stored.extend(numbers);
    }
    Ok(())
}

/// Makes lines findable: their numbers, their sessions, and what was said.
async fn index(
    tx: &mut Tx,
    lines: impl Iterator<Item = (i64, i64, words::Said<'_>)>,
) -> Result<(), StoreError> {
    // SQLite's index gives the newest first by itself.
    let with_time = matches!(tx, Tx::Postgres(_));
    let document = |(number, session, said): (i64, i64, words::Said<'_>)| {
        Some((number, words::document(&said, session, with_time.then_some(number))?))
    };
    let mut documents: Vec<(i64, String)> = lines.filter_map(document).collect();
    // SQLite's index begins a new part of itself where numbers go down.
    documents.sort_unstable_by_key(|(number, _)| *number);
    for (place, piece) in pieces(&documents) {
        let sql = DOCUMENTS[place].as_str();
        later_bound!(tx, sql, |query| piece
            .iter()
            .fold(query, |query, (number, words)| query.bind(number).bind(words)))?;
    }
    Ok(())
}

impl Store {
    /// Finds out what was given out before; nothing is written yet.
    pub(super) async fn begin_history(&self) -> Result<(), StoreError> {
        const LAST: &str = "SELECT MAX(id) FROM history";
        let last: Option<i64> = on!(self.readers(), |p| sqlx::query_scalar(LAST).fetch_one(p).await)?;
        self.keeper().numbers.begin(last.unwrap_or(0));
        self.begin_retention().await
    }

    /// Keeps the server's id of a line that went out from an event, so that the line is known when it comes again.
    pub async fn note_msgid(&self, line: SentLine, msgid: String) -> super::Ticket<()> {
        const SQL: &str = "UPDATE history SET msgid = $5 WHERE id = (SELECT MIN(id) FROM history
                WHERE buffer = $1 AND at >= $2 AND event_id = $3 AND text = $4 AND direction = 'out' AND msgid IS NULL)
            AND NOT EXISTS (SELECT 1 FROM history WHERE buffer = $1 AND msgid = $5)";
        self.submit(move |tx| {
            Box::pin(async move {
                let SentLine { buffer, since, event_id, text } = line;
                later!(tx, SQL, buffer, since, event_id, text, msgid)?;
                Ok(())
            })
        })
        .await
    }

    /// The last lines of a buffer, oldest first: sender and text.
    pub async fn last_lines(&self, buffer: i64, limit: i64) -> Result<Vec<(String, String)>, StoreError> {
        const SQL: &str = "SELECT sender, text FROM history WHERE buffer = $1 ORDER BY id DESC LIMIT $2";
        let mut lines: Vec<(String, String)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(limit).fetch_all(p).await)?;
        lines.reverse();
        Ok(lines)
    }
}

/// Forgets a line of ours that is sent again, or otherwise, unless the server has said how it calls it.
pub(super) async fn forget_sent(tx: &mut Tx, line: lines::Unkept, now: i64) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM history WHERE id = (SELECT MAX(id) FROM history
        WHERE buffer = $1 AND id > $2 AND event_id = $3 AND text = $4 AND direction = 'out' AND msgid IS NULL)";
    let lines::Unkept { buffer, event_id, text } = line;
    let since = number::first_at(now.saturating_sub(SENT_AGAIN));
    later!(tx, SQL, buffer, since, event_id, text)?;
    Ok(())
}
