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
//! | `others` | what is another's in a shared room |
//! | `stays` | who reads what of a shared room's channel |
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
pub(super) mod stays;
mod words;

use std::collections::HashSet;
use std::sync::LazyLock;

pub use self::import::Imported;
use self::number::{Numberer, Numbers};
pub use self::read::KeptLine;
#[cfg(test)]
pub(super) use self::redact::REQUEST_OF_LINE;
pub use self::redact::Told;
pub(super) use self::redact::redact;
pub use self::retention::Retention;
use self::retention::Unkept;
pub use self::search::{Hit, Hits, Search, SearchScope};
pub(super) use self::stays::was_there;
use super::pieces::{self, pieces, placeholders};
use super::pool::{Tx, later, later_bound, on, on_tx};
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
    /// The number of the channel, where that is shown in a shared room: everybody there has the line.
    pub channel: Option<i64>,
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

impl HistoryLine {
    /// Whose buffer's it is, where it is not only the channel's.
    fn owner(&self) -> Option<i64> {
        let is_channels = self.channel.is_some() && self.direction == Direction::In;
        (!is_channels).then_some(self.buffer)
    }
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

/// What somebody in a shared room has said there, as another session has heard it.
#[derive(Debug, Clone)]
pub struct MembersLine {
    /// The number of the channel.
    pub channel: i64,
    /// The nick of the one who said it.
    pub sender: String,
    /// Its text.
    pub text: String,
    /// The server's id for it.
    pub msgid: String,
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

/// Two who hear a line do so within this time of each other, in milliseconds.
const APART: i64 = 2 * 60 * 1000;
/// What is sent again was sent before within this time, in milliseconds: older questions are closed.
const SENT_AGAIN: i64 = 8 * 24 * 60 * 60 * 1000;

/// Lines of which the server has said how it calls them: they may be there already.
static NAMED: LazyLock<[String; 2]> = LazyLock::new(|| lines_sql("ON CONFLICT DO NOTHING RETURNING id"));
static NAMELESS: LazyLock<[String; 2]> = LazyLock::new(|| lines_sql("RETURNING id"));

static DOCUMENTS: LazyLock<[String; 2]> = LazyLock::new(|| {
    pieces::for_each(|rows| {
        format!("INSERT INTO history_search (rowid, words) VALUES {}", placeholders(rows, 2))
    })
});

fn lines_sql(tail: &str) -> [String; 2] {
    pieces::for_each(|rows| {
        let values = placeholders(rows, 12);
        format!(
            "INSERT INTO history
                (id, buffer, channel, at, kind, sender, account, target, text, msgid, event_id, direction)
                VALUES {values} {tail}"
        )
    })
}

/// A line that is to be stored.
struct New<'a> {
    number: i64,
    /// Whose buffer's it is, where it is not only the channel's.
    owner: Option<i64>,
    line: &'a HistoryLine,
}

impl New<'_> {
    fn said(&self, session: i64) -> words::Said<'_> {
        let HistoryLine { channel, kind, sender, text, .. } = self.line;
        let whose = words::Whose { buffer: self.owner.map(|buffer| (buffer, session)), channel: *channel };
        words::Said { whose, kind, sender, text }
    }
}

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
        let owner = line.owner();
        if owner.is_some_and(|buffer| keeper.unkept.holds(buffer)) {
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
            let may_be = |New { line: earlier, .. }: &New<'_>| {
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
        // Who was there is decided by numbers, and so by our clock alone.
        let is_live = line.channel.is_some() && line.replayed.is_none();
        let number = numberer.number(tx, if is_live { now } else { line.at }).await?;
        new.push(New { number, owner, line });
        *place = Kept::As(number);
    }
    insert(tx, &new[written..], &mut stored).await?;
    new.retain(|new| stored.contains(&new.number));
    index(tx, new.iter().map(|new| (new.number, new.said(session)))).await?;
    // What has the id of another line is that line.
    let is_other = |kept: &Kept| matches!(kept, Kept::As(number) if !stored.contains(number));
    kept.iter_mut().filter(|kept| is_other(kept)).for_each(|kept| *kept = Kept::Known(None));
    Ok(kept)
}

macro_rules! bind_lines {
    ($query:expr, $piece:expr) => {{
        let mut query = $query;
        for New { number, owner, line } in $piece {
            query = query
                .bind(number)
                .bind(owner)
                .bind(line.channel)
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

async fn insert(tx: &mut Tx, lines: &[New<'_>], stored: &mut HashSet<i64>) -> Result<(), StoreError> {
    for (place, piece) in pieces(lines) {
        let are_nameless = piece.iter().all(|new| new.line.msgid.is_none());
        let sql = if are_nameless { NAMELESS[place].as_str() } else { NAMED[place].as_str() };
        let numbers: Vec<i64> =
            on_tx!(tx, |c| bind_lines!(sqlx::query_scalar(sql), piece).fetch_all(c).await)?;
        stored.extend(numbers);
    }
    Ok(())
}

/// Makes lines findable: their numbers, and what was said.
async fn index(tx: &mut Tx, lines: impl Iterator<Item = (i64, words::Said<'_>)>) -> Result<(), StoreError> {
    // SQLite's index gives the newest first by itself.
    let with_time = matches!(tx, Tx::Postgres(_));
    let document = |(number, said): (i64, words::Said<'_>)| {
        Some((number, words::document(&said, with_time.then_some(number))?))
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

/// Keeps the server's ids of lines that went out from others' buffers: whoever answers one may be heard here before the
/// session that sent it knows.
pub(super) async fn note_members(tx: &mut Tx, lines: Vec<MembersLine>, now: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE history SET msgid = $5 WHERE id = (SELECT MIN(id) FROM history
            WHERE channel = $1 AND id >= $2 AND sender = $3 AND text = $4 AND direction = 'out' AND msgid IS NULL)
        AND NOT EXISTS (SELECT 1 FROM history WHERE channel = $1 AND msgid = $5)";
    let since = number::first_at(now.saturating_sub(APART));
    for MembersLine { channel, sender, text, msgid } in lines {
        later!(tx, SQL, channel, since, sender, text, msgid)?;
    }
    Ok(())
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
