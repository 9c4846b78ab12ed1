//! A shared room that takes the place of a room of one's own.

use std::sync::Arc;

use super::super::pool::{later, on_tx};
use super::super::{NewOutbox, Store, StoreError, outbox};
use super::{Buffer, NewBuffer, Row, show_in};

impl Store {
    /// Has a channel's buffer shown in the channel's shared room from now on, whatever room its person has of it for
    /// themselves: that is given up in the same commit, with what is told there. What they have said meanwhile, in this lane,
    /// goes to the session's. Nothing is done, and nothing given, where the room shows the channel no more.
    pub async fn share_buffer_instead(
        &self,
        new: NewBuffer,
        room: i64,
        lane: String,
        told: Vec<NewOutbox>,
    ) -> Result<Option<Buffer>, StoreError> {
        const CHANNEL: &str = "SELECT link.channel FROM link JOIN room ON room.id = link.room
            WHERE link.room = $1 AND link.role = 'shared' AND link.buffer IS NULL AND room.plumbed IS NULL";
        const ATTACH: &str = "UPDATE buffer SET detached_after = NULL WHERE id = $1";
        let (session, now) = (new.session, new.created_at);
        let sealed = self.seal_outbox(told);
        let store = self.clone();
        let keeper = Arc::clone(self.keeper());
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let channel: Option<Option<i64>> =
                        on_tx!(tx, |c| sqlx::query_scalar(CHANNEL).bind(room).fetch_optional(c).await)?;
                    let Some(channel) = channel.flatten() else { return Ok(None) };
                    let row = show_in(tx, &keeper, &new, (room, channel), &lane).await?;
                    later!(tx, ATTACH, row.id)?;
                    outbox::insert(tx, &store, sealed, now).await?;
                    Ok(Some(Row { detached_after: None, ..row }))
                })
            })
            .await?;
        row.map(|row| self.read_buffer(row, session)).transpose()
    }
}
