//! How a connection to the network ends, and what follows from that.

use std::time::Duration;

use super::super::approach::by_tls;
use super::super::{Actor, wording};
use super::{FAREWELL, MOST_REASONS, receive};
use crate::config;
use crate::format::RichText;
use crate::irc::session::{Event, Verdict};
use crate::store::StoreError;

impl Actor {
    /// The connection is gone, or has to go.
    pub(in super::super) async fn lose_connection(&mut self, reason: &str) -> Result<(), StoreError> {
        let expelled = self.link.as_ref().and_then(|link| link.session.expelled());
        let (reason, verdict) = expelled
            .map_or((reason.to_owned(), Verdict::Retry), |(reason, verdict)| (reason.to_owned(), verdict));
        self.end_link(&reason, verdict).await
    }

    /// Ends the link and does what the verdict says.
    pub(in super::super) async fn end_link(
        &mut self,
        reason: &str,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        if let (Verdict::UseTls(port), Some(link)) = (verdict, &self.link) {
            self.upgrade = Some(Box::new(by_tls(&link.server, port)));
        }
        let verdict = self.final_verdict(verdict);
        if self.link.is_some() {
            self.bridge.gate(&self.network).refused(self.row.id, verdict);
            self.tally.ended(verdict);
        }
        if !self.close_link().await? {
            return Ok(());
        }
        Box::pin(self.learn_pace(reason)).await?;
        if self.told.iter().any(|told| told == reason) {
            // The greeting of a server that goes on to refuse us is no news either.
            self.server_text.clear();
        }
        self.wish.banned |= matches!(verdict, Verdict::Banned(_));
        match verdict {
            Verdict::Retry => self.retry(reason, None),
            Verdict::Hold(pause) => {
                let wait = self.backoff.held(pause);
                self.retry(reason, Some(wait));
            }
            Verdict::Throttled(pause) => {
                let wait = self.backoff.throttled(pause);
                self.retry(reason, Some(wait));
                self.wish.refused_at = Some(self.now());
            }
            Verdict::Banned(pause) => {
                let wait = self.backoff.held(pause);
                self.retry(reason, Some(wait));
                self.wish.refused_at = Some(self.now());
            }
            Verdict::UseTls(_) => self.dial().await,
            Verdict::NeedUser => {
                self.leave_all_shared("They are not connected to the network.").await?;
                self.stuck = true;
                self.last_reason = Some(reason.to_owned());
                self.alert(
                    &RichText::new()
                        .bold("Not connected")
                        .text(format!(": {reason}. I will not try again by myself; mend it, then type "))
                        .code("connect")
                        .text("."),
                );
            }
        }
        Ok(())
    }

    /// What a server without verified TLS refuses (a password, or us for having none), one that has it may take: only
    /// the last of a network's servers needs the user.
    fn final_verdict(&mut self, verdict: Verdict) -> Verdict {
        let is_news = self.link.as_ref().is_some_and(|link| {
            link.session.registered_at().is_none() && !link.server.is_trusted() && !self.prefers_trusted
        });
        if verdict == Verdict::NeedUser
            && is_news
            && self.network.servers.iter().any(config::Server::is_trusted)
        {
            self.prefers_trusted = true;
            return Verdict::Retry;
        }
        verdict
    }

    /// Closes the connection and keeps what did not leave on it; `false` where there was none.
    pub(super) async fn close_link(&mut self) -> Result<bool, StoreError> {
        // Boxed: few connections have anything to remember, and all would carry its state.
        Box::pin(self.remember_strict_transport()).await?;
        let Some(mut link) = self.link.take() else {
            return Ok(false);
        };
        self.tell_all_news();
        // Only what was committed as leaving is written: the lines that wait go with the next connection.
        let _ = tokio::time::timeout(FAREWELL, link.connection.close()).await;
        if let Some(registered_at) = link.session.registered_at() {
            let now = self.now();
            self.backoff.reset_after(now.saturating_duration_since(registered_at));
            self.wish.since = now;
        } else if self.upgrade.is_none() {
            self.next_server += 1;
        }
        self.note_nick_losses(&link.session);
        self.break_off_catch_up();
        self.hide_people();
        self.abandon_inquiries();
        self.abandon_ctcp();
        self.abandon_consents();
        self.typists.clear();
        self.begin_gaps(&link.session);
        self.give_back(&link.session).await?;
        Box::pin(self.keep_asked_nick(&link.session)).await?;
        Ok(true)
    }

    /// Says QUIT and reads on until the server closes: what it sent before belongs in the rooms, and what it
    /// confirms did arrive.
    pub(super) async fn say_goodbye(&mut self, reason: &str) -> Result<(), StoreError> {
        self.tell_all_news();
        let Some(link) = &mut self.link else { return Ok(()) };
        link.session.quit(reason);
        let is_known = link.session.registered_at().is_some();
        self.transmit().await?;
        // A server that has not taken us has nothing to say that anybody waits for.
        if !is_known {
            return Ok(());
        }
        let end = self.now() + FAREWELL;
        let mut messages = Vec::new();
        loop {
            let left = end.saturating_duration_since(self.now());
            let receiving = receive(self.link.as_mut(), &mut messages);
            let Ok(received) = tokio::time::timeout(left, receiving).await else {
                return Ok(());
            };
            let mut is_over = !matches!(received, Ok(true));
            for event in self.read_messages(&mut messages) {
                match event {
                    Event::Disconnect { .. } => is_over = true,
                    event => self.on_event(event).await?,
                }
            }
            self.flush_server_text();
            self.commit_incoming().await?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// Tries again later, not before the time that was named. The user is told why once, not at each attempt.
    pub(super) fn retry(&mut self, reason: &str, named: Option<Duration>) {
        let pause = named.unwrap_or_else(|| self.backoff.next());
        // Servers that are tried in turn fail each for its own reason.
        if !self.told.iter().any(|told| told == reason) {
            let again = wording::duration(pause);
            self.say(RichText::plain(format!("Not connected: {reason}. Trying again in {again}.")));
            self.told.truncate(MOST_REASONS - 1);
            self.told.insert(0, reason.to_owned());
        }
        self.last_reason = Some(reason.to_owned());
        let pause = named.map_or(pause, |named| self.backoff.beyond(named));
        self.retry_at = Some(self.now() + pause);
    }
}
