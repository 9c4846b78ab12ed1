//! Lines on their way to IRC. A line is committed as `sending` before its bytes leave; one that is found so after a
//! crash is uncertain, and its sender is asked rather than the line sent twice.

use sqlx::FromRow;

use super::history::{self, HistoryLine, Keeper};
use super::inbox::Stretch;
use super::pool::{Tx, later, on};
use super::{Store, StoreError, inbox, prompts};

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// It waits for the connection, the channel or the flood control.
    Queued,
    /// Its bytes may have left.
    Sending,
    /// The server took it.
    Confirmed,
    /// The server refused it, or it may have; its sender was told.
    Refused,
    /// Nobody knows; its sender was told.
    Uncertain,
}

impl LineState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
        }
    }

    fn is_settled(self) -> bool {
        matches!(self, Self::Confirmed | Self::Refused | Self::Uncertain)
    }
}

/// Which line it is: one message may be lines in several buffers, where its room shows several channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineKey {
    /// The number of the buffer.
    pub buffer: i64,
    /// The Matrix event that it belongs to.
    pub event_id: String,
    /// Which of the event's lines there it is.
    pub part: i64,
}

/// A line to be sent.
#[derive(Debug, Clone)]
pub struct NewLine {
    /// The number of the buffer.
    pub buffer: i64,
    /// The Matrix event that it belongs to.
    pub event_id: String,
    /// Which of the event's lines it is.
    pub part: i64,
    /// Queued or sending.
    pub state: LineState,
    /// What the session needs to send it, as JSON.
    pub payload: String,
}

/// A line that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// The number of the buffer.
    pub buffer: i64,
    /// The Matrix event that it belongs to.
    pub event_id: String,
    /// Which of the event's lines it is.
    pub part: i64,
    /// Whether its bytes may have left.
    pub sending: bool,
    /// What the session needs to send it, as JSON; empty where it does not open, so that the line is settled and its
    /// sender told.
    pub payload: String,
}

/// A line of ours that went out otherwise than it was kept, and has no id.
#[derive(Debug, Clone)]
pub struct Unkept {
    /// The number of the buffer.
    pub buffer: i64,
    /// The Matrix event that it went out from.
    pub event_id: String,
    /// Its text.
    pub text: String,
}

/// What a session actor has made of the user's events.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Events that are done.
    pub finished: Vec<i64>,
    /// Events that can't be understood, with the reason.
    pub failed: Vec<(i64, String)>,
    /// Events that were taken back before they were read.
    pub withdrawn: Vec<i64>,
    /// Events that are done without being read.
    pub dropped: Vec<Stretch>,
    /// Their lines.
    pub lines: Vec<NewLine>,
    /// The lines as history keeps them.
    pub history: Vec<HistoryLine>,
    /// Lines that history keeps otherwise from now on.
    pub unkept: Vec<Unkept>,
    /// Lines stored before whose bytes are about to leave.
    pub sending: Vec<LineKey>,
    /// Lines stored before that can't be sent.
    pub refused: Vec<LineKey>,
    /// Questions that the lines answer.
    pub answered: Vec<i64>,
}

impl Outgoing {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.finished.is_empty()
            && self.failed.is_empty()
            && self.withdrawn.is_empty()
            && self.dropped.is_empty()
            && self.lines.is_empty()
            && self.sending.is_empty()
            && self.refused.is_empty()
            && self.answered.is_empty()
    }
}

#[derive(FromRow)]
struct Row {
    buffer: i64,
    event_id: String,
    part: i64,
    state: String,
    payload: Vec<u8>,
}

pub(super) fn row_name(event_id: &str, part: i64) -> String {
    format!("irc_line:{event_id}:{part}")
}

/// The time is no condition, but a second column of the index of those that are open: SQLite would go through all lines of the
/// session.
pub(super) const OPEN: &str = "SELECT buffer, event_id, part, state, payload FROM irc_line
    WHERE session = $1 AND state IN ('queued', 'sending') AND created_at >= 0 ORDER BY id";

impl Store {
    /// Seals what lines hold.
    pub(super) fn seal_lines(&self, lines: Vec<NewLine>) -> Vec<(NewLine, Vec<u8>)> {
        let seal = |line: NewLine| {
            let payload = self.sealer().seal(line.payload.as_bytes(), &row_name(&line.event_id, line.part));
            (line, payload)
        };
        lines.into_iter().map(seal).collect()
    }

    /// Settles lines; the ticket resolves with the commit.
    pub async fn settle_lines(
        &self,
        lines: Vec<LineKey>,
        state: LineState,
        note: Option<&str>,
    ) -> super::Ticket<()> {
        let note = note.map(str::to_owned);
        self.submit(move |tx| {
            Box::pin(async move {
                for line in lines {
                    set_state(tx, line, state, note.as_deref()).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The lines of a session that are not settled, in order.
    pub async fn open_lines(&self, session: i64) -> Result<Vec<StoredLine>, StoreError> {
        let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(OPEN).bind(session).fetch_all(p).await)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let name = row_name(&row.event_id, row.part);
                let payload = self.sealer().open_text(&row.payload, &name).unwrap_or_else(|error| {
                    tracing::error!(event = %row.event_id, part = row.part, %error, "a line can't be read");
                    String::new()
                });
                let sending = row.state == "sending";
                StoredLine { buffer: row.buffer, event_id: row.event_id, part: row.part, sending, payload }
            })
            .collect())
    }
}

/// Stores what was made of the user's events, before any byte of it leaves; `lines` are the sealed ones of `outgoing`.
pub(super) async fn note(
    tx: &mut Tx,
    keeper: &Keeper,
    session: i64,
    outgoing: Outgoing,
    lines: Vec<(NewLine, Vec<u8>)>,
    now: i64,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO irc_line (session, buffer, event_id, part, state, payload, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (event_id, part, buffer) DO NOTHING";
    for seq in outgoing.finished {
        inbox::finish(tx, seq, None).await?;
    }
    for (seq, reason) in outgoing.failed {
        inbox::finish(tx, seq, Some(&reason)).await?;
    }
    for seq in outgoing.withdrawn {
        inbox::withdraw(tx, seq).await?;
    }
    for stretch in outgoing.dropped {
        inbox::drop_stretch(tx, stretch).await?;
    }
    for (line, payload) in lines {
        let NewLine { buffer, event_id, part, state, .. } = line;
        later!(tx, SQL, session, buffer, event_id, part, state.as_str(), payload, now)?;
    }
    for line in outgoing.unkept {
        history::forget_sent(tx, line, now).await?;
    }
    history::keep(tx, keeper, session, &outgoing.history, now).await?;
    for line in outgoing.sending {
        set_state(tx, line, LineState::Sending, None).await?;
    }
    for line in outgoing.refused {
        set_state(tx, line, LineState::Refused, None).await?;
    }
    for prompt in outgoing.answered {
        prompts::answer(tx, prompt).await?;
    }
    Ok(())
}

pub(super) async fn set_state(
    tx: &mut Tx,
    LineKey { buffer, event_id, part }: LineKey,
    state: LineState,
    note: Option<&str>,
) -> Result<(), StoreError> {
    const KEEP: &str =
        "UPDATE irc_line SET state = $4, note = $5 WHERE event_id = $1 AND part = $2 AND buffer = $3";
    const ERASE: &str = "UPDATE irc_line SET state = $4, note = $5, payload = NULL
        WHERE event_id = $1 AND part = $2 AND buffer = $3";
    let sql = if state.is_settled() { ERASE } else { KEEP };
    later!(tx, sql, event_id, part, buffer, state.as_str(), note)?;
    Ok(())
}
