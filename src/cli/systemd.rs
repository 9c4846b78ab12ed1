//! What systemd is told ([sd_notify]): that Towline is up, what it is doing, that it stops, and that it is alive.
//!
//! Not a log, and of no effect where nobody asked for it: without `NOTIFY_SOCKET` nothing is sent. Whatever goes wrong
//! here must not stop a bridge that works, so it is left to the log.
//!
//! [sd_notify]: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html

use sd_notify::NotifyState;

/// Towline is up. Said while it waits for its homeserver, too: whoever starts it need not wait for that.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Towline reads its configuration anew; [`ready`] ends it. systemd wants to know when that began, since it may ask again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since, NotifyState::Status("reading the configuration")]),
        Err(error) => tracing::debug!(%error, "systemd could not be told"),
    }
}

/// Towline stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says again and again that tasks still get their turn, where systemd watches over that (`WatchdogSec=`).
///
/// It asks neither the database nor the homeserver: to start anew helps against neither's absence.
pub(super) fn keep_alive() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tell(&[NotifyState::Watchdog]);
            tokio::time::sleep(limit / 3).await;
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
