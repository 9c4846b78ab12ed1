//! What became of the user's messages, as the user sees it: questions about those that did not go, which a reaction
//! answers, and hourglasses under those that wait.
//!
//! A question is stored in the commit that settles its lines, and closed in the commit that stores the lines of its
//! answer, so that neither a crash nor a second reaction sends anything twice.

use sqlx::FromRow;

use super::lines::{self, LineKey, LineState};
use super::pool::{Tx, later, on};
use super::{Store, StoreError, inbox};

/// Open questions of one buffer; older ones are closed. As many as messages may wait there, so that an outage's end does
/// not ask what nobody can answer.
const MOST_OPEN: i64 = 500;

const SENT: &str = "UPDATE prompt SET state = 'sent', payload = NULL WHERE id = $1";

/// A question to be.
#[derive(Debug, Clone)]
pub struct NewPrompt {
    /// The number of the buffer.
    pub buffer: i64,
    /// The user's message.
    pub event_id: String,
    /// The transaction id of the outbox row that asks.
    pub txn_id: String,
    /// The transaction id of the reaction under it.
    pub button: String,
    /// What would be sent, as JSON.
    pub payload: String,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptState {
    /// It waits for an answer.
    Open,
    /// It was answered, or asked anew.
    Sent,
    /// It is too old to be answered.
    Closed,
}

/// A question that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Our number for it.
    pub id: i64,
    /// The user's message.
    pub event_id: String,
    /// The transaction id of the reaction under it.
    pub button: String,
    /// What would be sent, as JSON; nothing where it is not open, or does not open.
    pub payload: Option<String>,
    /// Where it stands.
    pub state: PromptState,
    /// It is the question that was looked for, and not another about the same message.
    pub is_under: bool,
}

/// An hourglass that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hourglass {
    /// The user's message.
    pub event_id: String,
    /// The number of the buffer.
    pub buffer: i64,
    /// The transaction id of the reaction's row.
    pub txn_id: String,
}

/// What became of messages, as part of one commit.
#[derive(Debug, Default)]
pub struct Fates {
    /// Lines that are settled, and how.
    pub settled: Vec<(LineKey, LineState)>,
    /// Questions.
    pub prompts: Vec<NewPrompt>,
    /// Questions that were asked anew.
    pub replaced: Vec<i64>,
    /// Events of the inbox that are done with it.
    pub finished: Vec<i64>,
    /// Messages that were taken back in a buffer: nobody asks about them any more.
    pub withdrawn: Vec<(i64, String)>,
    /// Hourglasses that appear.
    pub hourglasses: Vec<Hourglass>,
    /// Messages of a buffer whose hourglass goes.
    pub done: Vec<(i64, String)>,
}

impl Fates {
    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && self.prompts.is_empty()
            && self.replaced.is_empty()
            && self.finished.is_empty()
            && self.withdrawn.is_empty()
            && self.hourglasses.is_empty()
            && self.done.is_empty()
    }
}

pub(super) fn row_name(txn_id: &str) -> String {
    format!("prompt:{txn_id}")
}

#[derive(FromRow)]
struct Row {
    id: i64,
    event_id: String,
    txn_id: String,
    button: String,
    payload: Option<Vec<u8>>,
    state: String,
    is_under: bool,
}

impl Store {
    /// The questions about a message of a buffer, in the order in which they were asked; `event_id` is the message's or
    /// one of the questions'.
    pub async fn prompts(&self, buffer: i64, event_id: &str) -> Result<Vec<Prompt>, StoreError> {
        const SQL: &str = "SELECT prompt.id, prompt.event_id, prompt.txn_id, prompt.button, prompt.payload,
                prompt.state, COALESCE(outbox.event_id = $2, FALSE) AS is_under
            FROM prompt LEFT JOIN outbox ON outbox.txn_id = prompt.txn_id
            WHERE prompt.buffer = $1 AND (prompt.event_id = $2 OR prompt.event_id IN
                (SELECT other.event_id FROM prompt AS other JOIN outbox ON outbox.txn_id = other.txn_id
                    WHERE other.buffer = $1 AND outbox.event_id = $2))
            ORDER BY prompt.id";
        let rows: Vec<Row> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(event_id).fetch_all(p).await)?;
        let read = |Row { id, event_id, txn_id, button, payload, state, is_under }: Row| {
            let payload =
                payload.and_then(|sealed| self.sealer().open_text(&sealed, &row_name(&txn_id)).ok());
            let state = match state.as_str() {
                "open" => PromptState::Open,
                "sent" => PromptState::Sent,
                _ => PromptState::Closed,
            };
            Prompt { id, event_id, button, payload, state, is_under }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// The event that is the hourglass under a message, for another channel that its room shows than the request with this
    /// transaction id; nothing within where that is on its way.
    pub async fn hourglass_beside(
        &self,
        event_id: &str,
        txn_id: &str,
    ) -> Result<Option<Option<String>>, StoreError> {
        const SQL: &str =
            "SELECT outbox.event_id FROM hourglass JOIN outbox ON outbox.txn_id = hourglass.txn_id
            WHERE hourglass.event_id = $1 AND hourglass.txn_id <> $2
                AND (outbox.event_id IS NOT NULL OR outbox.state = 'queued')
            ORDER BY outbox.event_id IS NULL LIMIT 1";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(event_id)
            .bind(txn_id)
            .fetch_optional(p)
            .await)?)
    }

    /// Whether an event is an hourglass that some message still has.
    pub async fn is_hourglass(&self, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM hourglass JOIN outbox ON outbox.txn_id = hourglass.txn_id
            WHERE outbox.event_id = $1)";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(event_id).fetch_one(p).await)?)
    }

    /// Whether something is asked about a message, or was, in another buffer that its room shows: this is the message's
    /// event, or the question's.
    pub async fn is_asked_elsewhere(&self, buffer: i64, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM prompt LEFT JOIN outbox ON outbox.txn_id = prompt.txn_id
            WHERE prompt.buffer <> $1 AND (prompt.event_id = $2 OR outbox.event_id = $2))";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(buffer).bind(event_id).fetch_one(p).await)?)
    }

    /// The questions of a buffer that wait for an answer.
    pub async fn open_prompts(&self, buffer: i64) -> Result<Vec<Prompt>, StoreError> {
        const SQL: &str =
            "SELECT id, event_id, button FROM prompt WHERE buffer = $1 AND state = 'open' ORDER BY id";
        let rows: Vec<(i64, String, String)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).fetch_all(p).await)?;
        let read = |(id, event_id, button)| Prompt {
            id,
            event_id,
            button,
            payload: None,
            state: PromptState::Open,
            is_under: false,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// The hourglasses of a session, and whether something of the message is still open.
    pub async fn hourglasses(&self, session: i64) -> Result<Vec<(Hourglass, bool)>, StoreError> {
        const SQL: &str = "SELECT hourglass.event_id, hourglass.buffer, hourglass.txn_id,
                EXISTS (SELECT 1 FROM irc_line
                    WHERE irc_line.event_id = hourglass.event_id AND irc_line.buffer = hourglass.buffer
                        AND irc_line.state IN ('queued', 'sending'))
                OR EXISTS (SELECT 1 FROM inbox
                    WHERE inbox.event_id = hourglass.event_id AND inbox.state = 'new' AND (inbox.room = 0
                        OR inbox.room IN (SELECT room FROM link WHERE link.buffer = hourglass.buffer))) AS open
            FROM hourglass JOIN buffer ON buffer.id = hourglass.buffer WHERE buffer.session = $1";
        let rows: Vec<(String, i64, String, bool)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?;
        let hourglass = |(event_id, buffer, txn_id, open)| (Hourglass { event_id, buffer, txn_id }, open);
        Ok(rows.into_iter().map(hourglass).collect())
    }

    /// Closes questions of before a time, which nobody answers any more.
    pub async fn close_prompts(&self, before: i64) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE prompt SET state = 'closed', payload = NULL WHERE state = 'open' AND created_at < $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, before)?;
                Ok(())
            })
        })
        .await
    }

    /// Seals what questions hold.
    pub(super) fn seal_prompts(&self, prompts: Vec<NewPrompt>) -> Vec<(NewPrompt, Vec<u8>)> {
        let seal = |prompt: NewPrompt| {
            let payload = self.sealer().seal(prompt.payload.as_bytes(), &row_name(&prompt.txn_id));
            (prompt, payload)
        };
        prompts.into_iter().map(seal).collect()
    }
}

/// Stores what became of messages; `prompts` are the sealed questions of `fates`.
pub(super) async fn note(
    tx: &mut Tx,
    fates: Fates,
    prompts: Vec<(NewPrompt, Vec<u8>)>,
    now: i64,
) -> Result<(), StoreError> {
    const ASK: &str = "INSERT INTO prompt (buffer, event_id, txn_id, button, payload, state, created_at)
        VALUES ($1, $2, $3, $4, $5, 'open', $6)";
    const BOUND: &str = "UPDATE prompt SET state = 'closed', payload = NULL
        WHERE buffer = $1 AND state = 'open' AND id <= (SELECT id FROM prompt
            WHERE buffer = $1 AND state = 'open' ORDER BY id DESC LIMIT 1 OFFSET $2)";
    const WITHDRAW: &str = "DELETE FROM prompt WHERE buffer = $1 AND event_id = $2";
    const TURN: &str = "INSERT INTO hourglass (event_id, buffer, txn_id) VALUES ($1, $2, $3)
        ON CONFLICT (event_id, buffer) DO NOTHING";
    const DONE: &str = "DELETE FROM hourglass WHERE buffer = $1 AND event_id = $2";
    for (line, state) in fates.settled {
        lines::set_state(tx, line, state, None).await?;
    }
    for (prompt, payload) in prompts {
        let NewPrompt { buffer, event_id, txn_id, button, .. } = prompt;
        later!(tx, ASK, buffer, event_id, txn_id, button, payload, now)?;
        later!(tx, BOUND, buffer, MOST_OPEN)?;
    }
    for prompt in fates.replaced {
        later!(tx, SENT, prompt)?;
    }
    for seq in fates.finished {
        inbox::finish(tx, seq, None).await?;
    }
    for (buffer, event_id) in fates.withdrawn {
        later!(tx, WITHDRAW, buffer, event_id)?;
    }
    for Hourglass { event_id, buffer, txn_id } in fates.hourglasses {
        later!(tx, TURN, event_id, buffer, txn_id)?;
    }
    for (buffer, event_id) in fates.done {
        later!(tx, DONE, buffer, event_id)?;
    }
    Ok(())
}

/// Marks a question as answered, in the commit that stores the lines.
pub(super) async fn answer(tx: &mut Tx, prompt: i64) -> Result<(), StoreError> {
    later!(tx, SENT, prompt)?;
    Ok(())
}
