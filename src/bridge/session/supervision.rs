//! A mistake in the code ends one session and no other: it starts anew, and its user is told.
//!
//! What the session had in memory is gone, as after a crash, and is taken up from the store in the same way: nothing
//! that was accepted is lost, and what may have left is asked about.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::Actor;
use crate::format::RichText;
use crate::store::SessionRow;

/// The pause before a session starts anew; it doubles with each time, up to the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// A session that ran for so long is a good one.
const GOOD: Duration = Duration::from_mins(10);

/// Runs a session, and starts it anew should it fail.
pub(super) fn supervise(actor: Actor, failures: u32) -> impl Future<Output = ()> + Send + 'static {
    let (bridge, row, network_room) = (actor.bridge.clone(), actor.row.clone(), actor.network_room);
    // In one place, and not in the supervisor as well: there are thousands of sessions.
    let running = Box::pin(actor.run());
    async move {
        let started = bridge.clock.now();
        if AssertUnwindSafe(running).catch_unwind().await.is_err() && !bridge.stop.is_cancelled() {
            start_anew(bridge, row, network_room, started, failures).await;
        }
    }
}

async fn start_anew(bridge: Bridge, row: SessionRow, network_room: i64, started: Instant, failures: u32) {
    let is_good = bridge.clock.now().saturating_duration_since(started) >= GOOD;
    let failures = if is_good { 0 } else { failures };
    let pause = PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_PAUSE);
    tracing::error!(session = row.id, ?pause, "a session failed by a mistake in towline; it starts anew");
    bridge.forget_session(row.id);
    tell(&bridge, &row.user_id, network_room).await;
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = bridge.stop.cancelled() => return,
    }
    if let Err(error) = bridge.restart_session(row, failures + 1).await {
        tracing::error!(%error, "the session could not be started anew; the next start of towline does it");
    }
}

async fn tell(bridge: &Bridge, user_id: &str, network_room: i64) {
    let text = RichText::plain(
        "Something went wrong inside Towline, and this connection was ended. It comes back by itself. The log says \
         more; please report it.",
    );
    let content = content::message(MessageType::Text, &text, Some(user_id));
    let row = content::message_row(network_room, bridge.client.bot(), content, None);
    match bridge.enqueue(vec![row]).await {
        Ok(()) => bridge.wake_delivery(network_room),
        Err(error) => tracing::error!(%error, "a user could not be told that a session failed"),
    }
}
