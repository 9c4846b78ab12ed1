//! Questions that a reaction answers, beside those about messages: each stands in the commit of the rows that ask it.
//!
//! A question is answered once: its row goes in the commit that marks the reaction as done, so that neither a crash nor a
//! second reaction does anything twice. Nobody has more open questions than [`MOST_OPEN`] (invariant 9).

use sqlx::FromRow;

use super::pool::{Tx, execute, later, on};
use super::{NewOutbox, Store, StoreError, inbox, outbox};

/// Open questions of one user; older ones can't be answered any more.
const MOST_OPEN: i64 = 200;

/// A question to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQuestion {
    /// The transaction id of the outbox row that asks.
    pub txn_id: String,
    /// The number of the user who is asked.
    pub user: i64,
    /// What it is about, as JSON.
    pub matter: String,
    /// The transaction ids of the reactions under it.
    pub buttons: Vec<String>,
}

/// A question that was asked and is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The transaction id of the outbox row that asks.
    pub txn_id: String,
    /// What it is about, as JSON.
    pub matter: String,
    /// The transaction ids of the reactions under it.
    pub buttons: Vec<String>,
}

#[derive(FromRow)]
struct Row {
    txn_id: String,
    matter: String,
    buttons: String,
}

impl From<Row> for Question {
    fn from(Row { txn_id, matter, buttons }: Row) -> Self {
        Self { txn_id, matter, buttons: serde_json::from_str(&buttons).unwrap_or_default() }
    }
}

impl Store {
    /// Commits that the event with this number is done with, by a question and the requests that ask it.
    pub async fn ask(
        &self,
        seq: i64,
        rows: Vec<NewOutbox>,
        question: NewQuestion,
        now: i64,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                inbox::finish(tx, seq, None).await?;
                outbox::insert(tx, &store, sealed, now).await?;
                insert(tx, vec![question], now).await
            })
        })
        .await
    }

    /// The question that this event asks of this user.
    pub async fn question(&self, user_id: &str, event_id: &str) -> Result<Option<Question>, StoreError> {
        const SQL: &str = r#"SELECT question.txn_id, question.matter, question.buttons
            FROM question JOIN outbox ON outbox.txn_id = question.txn_id
            JOIN "user" ON "user".id = question."user"
            WHERE "user".user_id = $1 AND outbox.event_id = $2"#;
        let row: Option<Row> = on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(user_id)
            .bind(event_id)
            .fetch_optional(p)
            .await)?;
        Ok(row.map(Question::from))
    }

    /// The questions that this user is asked in a room, in the order in which they were asked.
    pub async fn questions_in(&self, user: i64, room: i64) -> Result<Vec<Question>, StoreError> {
        const SQL: &str = r#"SELECT question.txn_id, question.matter, question.buttons
            FROM question JOIN outbox ON outbox.txn_id = question.txn_id
            WHERE question."user" = $1 AND outbox.room = $2 ORDER BY outbox.seq"#;
        let rows: Vec<Row> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(user).bind(room).fetch_all(p).await)?;
        Ok(rows.into_iter().map(Question::from).collect())
    }

    /// All questions that a user is asked, in the order in which they were.
    pub async fn questions_of(&self, user_id: &str) -> Result<Vec<Question>, StoreError> {
        const SQL: &str = r#"SELECT question.txn_id, question.matter, question.buttons
            FROM question JOIN "user" ON "user".id = question."user"
            WHERE "user".user_id = $1 ORDER BY question.created_at, question.txn_id"#;
        let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(SQL).bind(user_id).fetch_all(p).await)?;
        Ok(rows.into_iter().map(Question::from).collect())
    }

    /// Whether a user is asked about this.
    pub async fn has_question(&self, user: i64, matter: &str) -> Result<bool, StoreError> {
        const SQL: &str = r#"SELECT 1 FROM question WHERE "user" = $1 AND matter = $2"#;
        let found: Option<i32> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(user).bind(matter).fetch_optional(p).await)?;
        Ok(found.is_some())
    }

    /// Commits that a question is answered, by the event with this number or by one that is done with already, and what
    /// follows of that; `false` where it was answered before.
    pub async fn answer_question(
        &self,
        txn_id: &str,
        seq: Option<i64>,
        rows: Vec<NewOutbox>,
        now: i64,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM question WHERE txn_id = $1";
        let txn_id = txn_id.to_owned();
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if let Some(seq) = seq {
                    inbox::finish(tx, seq, None).await?;
                }
                if execute!(tx, SQL, txn_id)? == 0 {
                    return Ok(false);
                }
                outbox::insert(tx, &store, sealed, now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Forgets questions of before a time, which nobody answers any more.
    pub async fn prune_questions(&self, before: i64) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM question WHERE created_at < $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, before)?;
                Ok(())
            })
        })
        .await
    }
}

/// Stores questions, in the commit of the rows that ask them.
pub(super) async fn insert(tx: &mut Tx, questions: Vec<NewQuestion>, now: i64) -> Result<(), StoreError> {
    const SQL: &str = r#"INSERT INTO question (txn_id, "user", matter, buttons, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (txn_id) DO NOTHING"#;
    const BOUND: &str = r#"DELETE FROM question WHERE txn_id IN (SELECT txn_id FROM question
        WHERE "user" = $1 ORDER BY created_at DESC, txn_id LIMIT 1000 OFFSET $2)"#;
    for NewQuestion { txn_id, user, matter, buttons } in questions {
        let buttons = serde_json::to_string(&buttons).unwrap_or_default();
        later!(tx, SQL, txn_id, user, matter, buttons, now)?;
        later!(tx, BOUND, user, MOST_OPEN)?;
    }
    Ok(())
}
