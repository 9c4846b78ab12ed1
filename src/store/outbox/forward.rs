//! What is stored for a shared room that was made anew goes to the one in its place: whoever stores it may not know yet
//! that the room before is gone.

use super::super::pool::{Tx, execute, on_tx};
use super::super::{Store, StoreError};
use super::fold;

impl Store {
    /// Gives what waits for a room that was made anew to the one in its place, and says which that is, and how many
    /// requests went there. Nothing is done with a room that shows something still, or that has none in its place.
    pub async fn forward_requests(&self, gone: i64, now: i64) -> Result<Option<(i64, u64)>, StoreError> {
        const SUCCESSOR: &str = "SELECT successor FROM room WHERE id = $1 AND successor IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM link WHERE link.room = $1)";
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let successor: Option<i64> =
                    on_tx!(tx, |c| sqlx::query_scalar(SUCCESSOR).bind(gone).fetch_optional(c).await)?;
                let Some(successor) = successor else { return Ok(None) };
                Ok(Some((successor, forward(tx, &store, (gone, successor), now).await?)))
            })
        })
        .await
    }
}

/// Has what waits for one room wait for another one; says how many requests that are.
pub(in crate::store) async fn forward(
    tx: &mut Tx,
    store: &Store,
    (gone, new): (i64, i64),
    now: i64,
) -> Result<u64, StoreError> {
    const MOVE: &str = "UPDATE outbox SET room = $2 WHERE room = $1 AND state = 'queued'";
    // What was folded is told of in its place among the others.
    fold::close(tx, store, gone, now).await?;
    Ok(execute!(tx, MOVE, gone, new)?)
}
