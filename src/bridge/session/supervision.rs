//! A mistake in the code ends one session and no other: it starts anew, and its user is told.
//!
//! What the session had in memory is gone, as after a crash, and is taken up from the store in the same way: nothing
//! that was accepted is lost, and what may have left is asked about. One that can't be started is tried again in the
//! same way, so that neither a row that can't be read nor a database that was busy keeps anybody else from theirs.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::Actor;
use crate::format::RichText;
use crate::store::{SessionRow, StoreError};

/// The pause before a session starts anew; it doubles with each time, up to the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Why a session does not run, where a panic ended it.
const MISTAKE: &str = "something went wrong inside Towline";
/// A session that ran for so long is a good one.
const GOOD: Duration = Duration::from_mins(10);

/// Runs a session, and starts it anew should it fail.
pub(super) fn supervise(actor: Actor, failures: u32) -> impl Future<Output = ()> + Send + 'static {
    let (bridge, row) = (actor.bridge.clone(), actor.row.clone());
    // In one place, and not in the supervisor as well: there are thousands of sessions.
    let running = Box::pin(Box::new(actor).run());
    async move {
        let started = bridge.clock.now();
        if AssertUnwindSafe(running).catch_unwind().await.is_err() && !bridge.stop.is_cancelled() {
            let is_good = bridge.clock.now().saturating_duration_since(started) >= GOOD;
            tracing::error!(session = row.id, "a session failed by a mistake in towline; it starts anew");
            // Until then it is none, and nobody is told that it is connected.
            bridge.rest_session(&row, MISTAKE);
            tell(&bridge, &row).await;
            Box::pin(start_anew(bridge, row, MISTAKE.to_owned(), if is_good { 0 } else { failures })).await;
        }
    }
}

/// Starts a session that does not run, for as often as it takes. What its user has asked of it since it began stands in
/// the store.
pub(in crate::bridge) async fn start_anew(
    bridge: Bridge,
    row: SessionRow,
    mut reason: String,
    mut failures: u32,
) {
    loop {
        bridge.rest_session(&row, &reason);
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = bridge.stop.cancelled() => return,
        }
        failures = failures.saturating_add(1);
        reason = match AssertUnwindSafe(bridge.restart_session(row.id, failures)).catch_unwind().await {
            Ok(Ok(()) | Err(StoreError::Closed)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => MISTAKE.to_owned(),
        };
        tracing::error!(session = row.id, %reason, "a session could not be started; it is tried again");
    }
}

async fn tell(bridge: &Bridge, session: &SessionRow) {
    let text = RichText::plain(
        "Something went wrong inside Towline, and this connection was ended. It comes back by itself. The log says \
         more; please report it.",
    );
    let content = content::message(MessageType::Text, &text, Some(&session.user_id));
    let told = async {
        let Some(room) = bridge.store.network_room(session.id).await? else { return Ok(()) };
        bridge.enqueue(vec![content::message_row(room, bridge.client.bot(), content, None)]).await?;
        bridge.wake_delivery(room);
        Ok::<_, StoreError>(())
    };
    match told.await {
        Ok(()) => {}
        Err(error) => tracing::error!(%error, "a user could not be told that a session failed"),
    }
}
