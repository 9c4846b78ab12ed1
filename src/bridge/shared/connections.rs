//! How many connections are kept up for people in shared rooms, and for how long one that nobody uses. Nothing of this
//! happens unless an administrator asks for it, by `limits.shared_connections` and `limits.shared_idle`.
//!
//! Where there are as many on a network as there may be, who was active longest ago gives theirs up for one more: they are
//! disconnected and told, and keep their rooms, but for those of closed channels (`session/shared.rs`). What they write
//! there connects them again. Nobody gives it up who has rooms of their own on that network, did something within the last
//! hour, or has said what has not left yet.
//!
//! What somebody does is noted at most hourly (invariant 9), so that they may have done something an hour after it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::super::session::{Request, SessionHandle, SessionState};
use super::super::{Bridge, Outcome, Refusal};
use super::one_at_a_time::OneAtATime;
use crate::format::RichText;
use crate::store::settings::{self, Scope};
use crate::store::{Lurker, StoreError};

/// In milliseconds.
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// What people whose connections are for shared rooms do.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// When was last noted that a session's user did something, where that was within the hour.
    noted: Mutex<HashMap<i64, i64>>,
    /// The sessions that are about to be connected again.
    returning: Mutex<HashSet<i64>>,
    /// Held while somebody's place on a network is looked for and taken.
    places: OneAtATime<String>,
}

impl Activity {
    /// Whether it is to be noted that a session's user does something.
    fn is_news(&self, session: i64, now: i64) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&session).is_some_and(|at| now - at < HOUR) {
            return false;
        }
        noted.retain(|_, at| now - *at < HOUR);
        noted.insert(session, now);
        true
    }

    fn returning<T>(&self, look: impl FnOnce(&mut HashSet<i64>) -> T) -> T {
        look(&mut self.returning.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether somebody's connection may be given up, where they did nothing since this time.
fn is_idle(lurker: &Lurker, since: i64) -> bool {
    !lurker.has_own_rooms && lurker.active_at.is_some_and(|at| at <= since)
}

impl Bridge {
    /// The user of a session does something.
    pub(in crate::bridge) async fn note_active(&self, session: i64) -> Result<(), StoreError> {
        let now = self.clock.unix_ms();
        if !self.wanted_aliases.activity.is_news(session, now) {
            return Ok(());
        }
        let at = now.to_string();
        self.store.set_setting(&settings::ACTIVE, Scope::Session, session, Some(&at)).await
    }

    /// Somebody types a command, wherever they do.
    pub(in crate::bridge) async fn note_commanding(&self, user_id: &str) {
        for session in self.sessions(Some(user_id)) {
            if let Err(error) = self.note_active(session.row.id).await {
                tracing::debug!(session = session.row.id, %error, "that somebody is active is not noted");
            }
        }
    }

    /// Sees to it that there may be one more connection to a network for somebody in its shared rooms, which they have for
    /// sure while they hold what is given. Who is connected already is never refused.
    pub(in crate::bridge) async fn make_place(
        &self,
        network: &str,
        newcomer: Option<&SessionHandle>,
    ) -> Result<Option<OwnedMutexGuard<()>>, Refusal> {
        let most = self.limits().shared_connections as usize;
        if most == 0 {
            return Ok(None);
        }
        let held = self.wanted_aliases.activity.places.lock(network.to_owned()).await;
        let mut there = self.lurkers(Some(network)).await?;
        let own = newcomer.map(|session| session.row.id);
        let is_connected = newcomer.is_some_and(|session| {
            !matches!(session.status().state, SessionState::Idle | SessionState::Stuck)
        });
        if is_connected && there.iter().any(|(session, _)| Some(session.row.id) == own) {
            return Ok(None);
        }
        there.retain(|(session, _)| Some(session.row.id) != own);
        let mut taken = there.len();
        // Noted an hour before they last did something, at most.
        let quiet_since = self.clock.unix_ms() - 2 * HOUR;
        for (session, _) in there.iter().filter(|(_, lurker)| is_idle(lurker, quiet_since)) {
            if taken < most {
                break;
            }
            let why = "others need the connection, and you did nothing there of late.";
            if self.set_aside_session(session, quiet_since, why).await? {
                taken -= 1;
            }
        }
        if taken < most || is_connected {
            return Ok(Some(held));
        }
        let name = self.network_name(network);
        Err(Refusal::asked(format!(
            "{name} has as many people in shared rooms as this bridge keeps connected ({most}), and none of them was idle \
             for long enough. Try again in an hour or two."
        )))
    }

    /// The sessions that are connected, or to be, for shared rooms, of one network or of all.
    async fn lurkers(&self, network: Option<&str>) -> Result<Vec<(SessionHandle, Lurker)>, StoreError> {
        let mut found = Vec::new();
        for lurker in self.store.lurkers().await? {
            let Some(session) = self.session(lurker.session) else { continue };
            if network.is_some_and(|network| session.row.network != network) {
                continue;
            }
            if lurker.active_at.is_none() {
                // Nobody has looked before: from now on.
                self.note_active(lurker.session).await?;
            }
            found.push((session, lurker));
        }
        Ok(found)
    }

    /// Gives the connections up that nobody used for as long as an administrator has said.
    pub(super) async fn set_idlers_aside(&self) -> Result<(), StoreError> {
        let days = self.limits().shared_idle;
        if days == 0 {
            return Ok(());
        }
        let since = self.clock.unix_ms() - i64::from(days) * DAY;
        let why = format!(
            "you did nothing there for {}.",
            if days == 1 { "a day".to_owned() } else { format!("{days} days") }
        );
        for (session, lurker) in self.lurkers(None).await? {
            if !is_idle(&lurker, since) {
                continue;
            }
            match self.set_aside_session(&session, since, &why).await {
                Ok(_) => {}
                Err(Refusal::Store(error)) => return Err(error),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Gives the connection of a session up whose user did nothing since this time, and tells them; `false` where it can't
    /// be done.
    async fn set_aside_session(
        &self,
        session: &SessionHandle,
        idle_since: i64,
        why: &str,
    ) -> Result<bool, Refusal> {
        let row = &session.row;
        let request = Request::SetAside { idle_since, why: why.to_owned() };
        if let Err(refusal) = session.ask(request).await {
            let Refusal::Asked(reason) = refusal else { return Err(refusal) };
            let reason = reason.to_plain();
            tracing::debug!(session = row.id, %reason, "somebody idle keeps their connection");
            return Ok(false);
        }
        tracing::info!(session = row.id, %why, "the connection of somebody in shared rooms is given up");
        Ok(true)
    }

    /// Has a session connect, if its user may have a connection.
    pub async fn connect_session(&self, session: &SessionHandle) -> Outcome {
        self.connect_by(session, Request::Connect).await
    }

    /// Has a session connect anew, if its user may have a connection.
    pub async fn reconnect_session(&self, session: &SessionHandle) -> Outcome {
        self.connect_by(session, Request::Reconnect).await
    }

    async fn connect_by(&self, session: &SessionHandle, request: Request) -> Outcome {
        let row = &session.row;
        let _place = if self.store.is_lurker(row.id).await? {
            self.make_place(&row.network, Some(session)).await?
        } else {
            None
        };
        session.ask(request).await
    }

    /// Somebody whose connection was given up has written in a shared room.
    pub(in crate::bridge) fn bring_back(&self, session: i64) {
        if !self.wanted_aliases.activity.returning(|returning| returning.insert(session)) {
            return;
        }
        let bridge = self.clone();
        self.tasks.spawn(async move {
            // One that has just begun is known when it has started.
            drop(bridge.starting.lock().await);
            if let Some(handle) = bridge.session(session) {
                bridge.try_to_bring_back(&handle).await;
            }
            bridge.wanted_aliases.activity.returning(|returning| returning.remove(&session));
        });
    }

    async fn try_to_bring_back(&self, session: &SessionHandle) {
        let Err(refusal) = self.connect_session(session).await else { return };
        let row = &session.row;
        let name = self.network_name(&row.address());
        let told = match refusal {
            Refusal::Asked(why) => {
                let text = RichText::new().bold(format!("You can't be connected to {name} now")).text(": ");
                self.tell(row.user, &row.user_id, &text.then(why)).await
            }
            Refusal::Store(error) => Err(error),
            Refusal::Stopping => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(session = row.id, %error, "somebody who has written in a shared room is not connected");
        }
    }
}
