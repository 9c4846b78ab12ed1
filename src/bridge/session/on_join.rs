//! What the user wants done whenever a channel is entered: commands, carried out as if they were typed in its room. Only
//! what goes wrong is told there, unless the connection is gone: then it is done again with the next.

use super::super::content::{self, MessageType};
use super::super::desk::{Call, Place};
use super::{Actor, SessionHandle, SessionState};
use crate::format::RichText;
use crate::store::StoreError;
use crate::store::settings::{ON_JOIN, Scope};

impl Actor {
    /// Has the commands of a channel carried out that was just entered. They come back to this session as requests, so
    /// nothing here waits for them.
    pub(super) async fn run_on_join(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let Some(commands) = self.bridge.store.setting(&ON_JOIN, Scope::Buffer, row.id).await? else {
            return Ok(());
        };
        let user = self.bridge.store.ensure_user(&self.row.user_id, self.bridge.clock.unix_ms()).await?;
        let call = Call {
            permission: self.bridge.permission_of(&self.row.user_id),
            place: Place::Buffer { session: self.row.id, buffer: row.id, kind: row.kind },
            text: commands.text().to_owned(),
            progress: None,
            user,
        };
        let (bridge, room, creator) = (self.bridge.clone(), row.room, row.creator.clone());
        let (session, since) = (self.row.id, self.link.as_ref().and_then(|link| link.since));
        self.bridge.tasks.spawn(async move {
            let answer = bridge.console.answer(&bridge, call).await;
            let is_same = |handle: &SessionHandle| {
                let status = handle.status();
                handle.row.id == session && status.state == SessionState::Connected && status.since == since
            };
            if answer.is_done || !bridge.sessions(None).iter().any(is_same) {
                return;
            }
            let text = RichText::new().bold("What is done when you enter the channel did not all work:");
            let text = content::message(MessageType::Notice, &text.line().then(answer.text), None);
            let row = content::message_row(room, &creator, text, None);
            if let Err(error) = bridge.enqueue(vec![row]).await {
                tracing::warn!(room, %error, "what went wrong on joining could not be told");
            }
            bridge.wake_delivery(room);
        });
        Ok(())
    }
}
