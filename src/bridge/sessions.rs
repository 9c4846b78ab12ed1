//! Which sessions there are: they are opened, started, started anew and ended one at a time.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use super::Bridge;
use super::session::{self, SessionHandle};
use crate::store::{SessionRow, StoreError, User};

impl Bridge {
    /// The sessions of a user, or of all.
    pub fn sessions(&self, user_id: Option<&str>) -> Vec<SessionHandle> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .values()
            .filter(|handle| user_id.is_none_or(|user| handle.row.user_id == user))
            .cloned()
            .collect()
    }

    /// The session with this number.
    pub fn session(&self, id: i64) -> Option<SessionHandle> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Opens the session of this user with this name, or without one, or finds it; and says whether it is new. Nothing
    /// where the network has just gone.
    pub async fn open_session(
        &self,
        user: &User,
        slug: &str,
        session_name: &str,
    ) -> Result<Option<(SessionHandle, bool)>, StoreError> {
        let _one_at_a_time = self.starting.lock().await;
        let Some(known) = self.networks.get(slug).filter(|known| known.is_for(user.id)) else {
            return Ok(None);
        };
        let name = known.network.name.clone();
        let now = self.clock.unix_ms();
        let (row, new) = self.store.open_session(user, (slug, session_name), &name, now).await?;
        Ok(Some((self.start_locked(row).await?, new)))
    }

    /// Ends a session, unless it has a room that was not left: no start brings it back from now on, nor one that is under
    /// way.
    pub(super) async fn end_session(&self, id: i64, left: Vec<String>) -> Result<bool, StoreError> {
        let _one_at_a_time = self.starting.lock().await;
        let is_closed = self.store.close_session(id, left).await?;
        if is_closed {
            self.forget_session(id);
        }
        Ok(is_closed)
    }

    /// The session's actor, started unless it runs.
    pub(super) async fn start_session(&self, row: SessionRow) -> Result<SessionHandle, StoreError> {
        let _one_at_a_time = self.starting.lock().await;
        self.start_locked(row).await
    }

    async fn start_locked(&self, row: SessionRow) -> Result<SessionHandle, StoreError> {
        match self.session(row.id) {
            Some(running) => Ok(running),
            None => self.restart_locked(row, 0).await,
        }
    }

    /// Starts a session that has failed, unless it was closed since.
    pub(super) fn restart_session(&self, id: i64, failures: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let _one_at_a_time = self.starting.lock().await;
            if self.session(id).is_some_and(|session| !session.is_resting()) {
                return Ok(());
            }
            match self.store.session(id).await? {
                Some(row) => drop(self.restart_locked(row, failures).await?),
                None => self.forget_session(id),
            }
            Ok(())
        })
    }

    async fn restart_locked(&self, row: SessionRow, failures: u32) -> Result<SessionHandle, StoreError> {
        // A session is large, and so is whatever waits for one to begin.
        let handle = Box::pin(session::start(self, row, failures)).await?;
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(handle.row.id, handle.clone());
        self.wake_space(handle.row.id);
        Ok(handle)
    }

    /// Ends sessions as they run and starts them as they should: by who may use the bridge, and which networks there are,
    /// now. They end together, so that no network's silence adds to another's. One that can't be started keeps no other
    /// from it, and is tried again; the first error is given back.
    pub(super) async fn renew_sessions_of(&self, ids: &[i64]) -> Result<(), StoreError> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let _one_at_a_time = self.starting.lock().await;
        let known: Vec<_> =
            ids.iter().filter_map(|id| self.session(*id)).map(|old| (old.row.clone(), old.ends())).collect();
        // A session ends when nobody can ask it anything any more.
        known.iter().for_each(|(row, _)| self.forget_session(row.id));
        let ends = known.into_iter().map(|(row, mut ended)| async move {
            let is_over = async { while ended.changed().await.is_ok() {} };
            if tokio::time::timeout(PATIENCE, is_over).await.is_err() {
                tracing::warn!(session = row.id, "a session takes its time to end; its successor takes over");
            }
            row
        });
        let mut result = Ok(());
        for row in join_all(ends).await {
            if let Err(error) = self.start_again(&row).await {
                tracing::error!(session = row.id, %error, "a session could not be started; it is tried again");
                let again = session::supervision::start_anew(self.clone(), row, error.to_string(), 0);
                self.tasks.spawn(again);
                result = result.and(Err(error));
            }
        }
        result
    }

    async fn start_again(&self, row: &SessionRow) -> Result<(), StoreError> {
        let Some(row) = self.store.session(row.id).await? else { return Ok(()) };
        self.restart_locked(row, 0).await.map(drop)
    }

    /// A session does not run, until it starts anew.
    pub(super) fn rest_session(&self, row: &SessionRow, reason: &str) {
        let resting = SessionHandle::resting(row.clone(), reason);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id, resting);
    }

    /// There is no such session any more.
    fn forget_session(&self, id: i64) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.first_nicks.release(id);
    }
}
