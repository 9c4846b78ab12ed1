//! The homeserver's calls: transactions go into the store and wake whoever they concern; the 200 waits for the commit
//! and for nothing else.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::lookups::told;
use super::{Bridge, Known};
use crate::matrix::server::{Appservice, Found, Transaction, Unavailable};
use crate::store::NewEvent;

/// New ghosts that are made because the homeserver asks for them …
pub(super) const MOST_ASKED_FOR: usize = 30;
/// … in this time. It does not say for whom it asks, and anybody can make it ask. Whoever may use the bridge has a ghost
/// made by their invitation, too.
const HOUR: Duration = Duration::from_hours(1);

/// How many ghosts were made of late because the homeserver asked for them.
#[derive(Debug, Default)]
pub(super) struct AskedFor {
    since: Option<Instant>,
    lately: usize,
}

impl AskedFor {
    /// Whether any of them counts still.
    pub(super) fn is_of_late(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) < HOUR)
    }

    /// Whether one more was asked for than is made.
    pub(super) fn is_used_up(&self, now: Instant) -> bool {
        self.is_of_late(now) && self.lately > MOST_ASKED_FOR
    }

    /// Whether one more is made.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= HOUR) {
            (self.since, self.lately) = (Some(now), 0);
        }
        self.lately += 1;
        self.lately <= MOST_ASKED_FOR
    }
}

/// What is needed of an event to store it.
#[derive(Deserialize)]
struct Header<'a> {
    event_id: String,
    room_id: String,
    sender: String,
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    state_key: Option<String>,
    content: Option<Content>,
    origin_server_ts: Option<Value>,
    unsigned: Option<Unsigned>,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    membership: Option<Value>,
    /// The content key of what the bridge has sent.
    #[serde(default, rename = "chat.towline.key")]
    key: Option<Value>,
    #[serde(default)]
    displayname: Option<Value>,
}

#[derive(Deserialize, Default)]
struct Unsigned {
    /// Synapse hands events to application services that it shows to no client.
    #[serde(default, rename = "io.element.synapse.soft_failed")]
    soft_failed: bool,
}

impl Appservice for Bridge {
    async fn transaction(&self, transaction: Transaction) -> Result<(), Unavailable> {
        self.client.note_call();
        let mut events = Vec::new();
        let mut newest_own = None;
        for event in &transaction.events {
            let Some(event) = self.read_event(event.get(), &mut newest_own) else { continue };
            match self.is_of_a_puppet(&event).await {
                Ok(true) => {}
                Ok(false) => events.push(event),
                Err(error) => {
                    self.tally.transactions_failed.count();
                    tracing::error!(%error, "it can't be told who said something; the homeserver will repeat it");
                    return Err(Unavailable);
                }
            }
        }
        if events.is_empty() {
            self.note_handed_over(newest_own);
            self.take_ephemera(&transaction.ephemeral);
            self.tally.transactions.count();
            return Ok(());
        }
        let encrypted: Vec<String> = events.iter().filter_map(|event| newly_encrypted(&event.json)).collect();
        match self.store.accept(events, self.clock.unix_ms()).await {
            Ok(lanes) => {
                failpoint!("inbox_committed");
                // Not before: what came with it would be taken for what never came.
                self.note_handed_over(newest_own);
                self.tally.transactions.count();
                lanes.iter().for_each(|lane| self.wake_lane(lane));
                encrypted.into_iter().for_each(|room_id| self.on_encryption_somewhere(room_id));
                // Behind the events: who has said something no longer types, and IRC is not told that they gave up.
                self.take_ephemera(&transaction.ephemeral);
                Ok(())
            }
            Err(error) => {
                self.tally.transactions_failed.count();
                tracing::error!(%error, "a transaction could not be stored; the homeserver will repeat it");
                Err(Unavailable)
            }
        }
    }

    async fn user_exists(&self, user_id: &str) -> bool {
        if user_id == self.client.bot() {
            return true;
        }
        let registered = async {
            let is_new = self.store.ghost_by_user_id(user_id).await?.is_none();
            if is_new
                && !self.asked_for.lock().unwrap_or_else(PoisonError::into_inner).admit(self.clock.now())
            {
                return Ok(false);
            }
            let Some(ghost) = self.ghost_named_by(user_id, None).await? else {
                return Ok(false);
            };
            self.register_ghost(&ghost).await?;
            Ok::<_, super::ghosts::GhostError>(true)
        };
        registered.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a ghost that the homeserver asked for could not be made");
            false
        })
    }

    async fn alias_exists(&self, alias: &str) -> bool {
        // Private rooms set their aliases themselves.
        self.has_alias(alias).await
    }

    fn networks(&self) -> Vec<(String, String)> {
        let name = |known: &Known| (known.network.slug.as_str().to_owned(), known.network.name.clone());
        self.networks.public().iter().map(|known| name(known)).collect()
    }

    async fn find_channel(&self, network: Option<&str>, channel: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for network in self.looked_up_in(network) {
            found.extend(told(self.alias_of_channel(&network, channel).await));
        }
        found
    }

    async fn find_nick(&self, network: Option<&str>, nick: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for network in self.looked_up_in(network) {
            found.extend(told(self.ghost_of_nick(&network, nick).await));
        }
        found
    }

    async fn channel_of_alias(&self, alias: &str) -> Option<Found> {
        let (network, channel) = self.read_shared_alias(alias)?;
        told(self.alias_of_channel(&network, channel.as_str()).await)
    }

    async fn nick_of_ghost(&self, user_id: &str) -> Option<Found> {
        told(self.nick_behind(user_id).await)
    }

    async fn is_ready(&self) -> bool {
        !self.stop.is_cancelled() && self.store.is_reachable().await
    }
}

impl Bridge {
    /// Something of our own that was made at this time was handed over.
    fn note_handed_over(&self, at: Option<i64>) {
        at.into_iter().for_each(|at| self.wanted_aliases.note_handed_over(at));
    }

    /// An event as it is stored; `None` for one that concerns nobody. Of our own, when the homeserver made the newest.
    pub(super) fn read_event(&self, json: &str, newest_own: &mut Option<i64>) -> Option<NewEvent> {
        match serde_json::from_str::<Header<'_>>(json) {
            Ok(header) => self.sort_event(header, json, newest_own),
            Err(error) => {
                // Nobody could be told, and to refuse it would stop all that follows.
                tracing::warn!(%error, "an event from the homeserver is no event");
                None
            }
        }
    }

    /// Which lane an event belongs to; `None` for what the bridge itself has sent.
    fn sort_event(&self, header: Header<'_>, json: &str, newest_own: &mut Option<i64>) -> Option<NewEvent> {
        if header.unsigned.is_some_and(|unsigned| unsigned.soft_failed) {
            return None;
        }
        if self.is_ours(&header.sender) {
            // A message may bear the time at which it was said on IRC, by another clock.
            if header.kind != "m.room.message" {
                let at = header.origin_server_ts.as_ref().and_then(Value::as_i64);
                *newest_own = at.max(*newest_own);
            }
            if let Some(Value::String(key)) = header.content.and_then(|content| content.key) {
                self.attempts.echoed(&key, &header.room_id, &header.sender, &header.event_id);
            }
            return None;
        }
        // PostgreSQL stores no NUL, and a transaction that can't be stored would come again for ever.
        let state_key = header.state_key.as_ref().filter(|_| header.kind == "m.room.member");
        let ids = [&header.event_id, &header.room_id, &header.sender].into_iter().chain(state_key);
        if ids.into_iter().any(|id| id.contains('\0')) {
            tracing::warn!("an event from the homeserver has an id that is none");
            return None;
        }
        if let (Some(user_id), Some(content)) = (state_key, &header.content)
            && !self.is_ours(user_id)
        {
            let is_there = content.membership.as_ref().is_some_and(|membership| membership == "join");
            let name = content.displayname.as_ref().and_then(Value::as_str);
            self.relayed_names.note(&header.room_id, user_id, is_there, name);
            self.arrivals.note(&header.room_id, user_id, is_there, self.store.next_line());
        }
        // An invitation concerns the person who invites: its room is not known yet.
        let membership = header.content.and_then(|content| content.membership);
        let invites_us = header.kind == "m.room.member"
            && membership.as_ref().is_some_and(|membership| membership == "invite")
            && header.state_key.as_deref().is_some_and(|user| self.is_ours(user));
        if !invites_us {
            let state = header.state_key.as_deref().map(|key| (&*header.kind, key));
            let is_out = membership.is_some_and(|membership| membership == "leave" || membership == "ban");
            if self.is_of_policy_list(&header.room_id, state, is_out) {
                return None;
            }
        }
        let lane = invites_us.then(|| super::desk::lane_of(&header.sender));
        let said_at = header.origin_server_ts.as_ref().and_then(Value::as_i64);
        let Header { event_id, room_id, sender, kind, state_key, .. } = header;
        let is_said = state_key.is_none();
        // Somebody's coming and going is about them, whoever brings it about.
        let person = match state_key {
            Some(user_id) if kind == "m.room.member" && !self.is_ours(&user_id) => user_id,
            _ => sender,
        };
        Some(NewEvent { event_id, room_id, lane, person, is_said, json: json.to_owned(), said_at })
    }
}

/// The room that an event says is encrypted from now on.
fn newly_encrypted(json: &str) -> Option<String> {
    const KIND: &str = "m.room.encryption";
    // Most events don't hold the word, and are not read again for it.
    let header: Header<'_> = json.contains(KIND).then(|| serde_json::from_str(json).ok()).flatten()?;
    (header.kind == KIND && header.state_key.as_deref() == Some("")).then_some(header.room_id)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::matrix::event::CONTENT_KEY;

    #[test]
    fn the_content_key_is_read_where_the_bridge_writes_it() {
        let content = json!({ CONTENT_KEY: "txn", "membership": 7 }).to_string();
        let content: Content = serde_json::from_str(&content).unwrap();
        assert_eq!(content.key, Some("txn".into()));
    }

    #[rstest]
    #[case::it_is("m.room.encryption", Some(""), json!({}), true)]
    #[case::a_message_of_that_type("m.room.encryption", None, json!({}), false)]
    #[case::another_state_of_that_type("m.room.encryption", Some("x"), json!({}), false)]
    #[case::a_message_about_it("m.room.message", None, json!({ "body": "\"m.room.encryption\"" }), false)]
    fn a_room_that_becomes_encrypted_is_told_from_words_about_it(
        #[case] kind: &str,
        #[case] state_key: Option<&str>,
        #[case] content: Value,
        #[case] is_told: bool,
    ) {
        let mut event = json!({
            "event_id": "$1", "room_id": "!tea", "sender": "@carol:example.org", "type": kind, "content": content,
        });
        if let Some(state_key) = state_key {
            event["state_key"] = state_key.into();
        }
        assert_eq!(newly_encrypted(&event.to_string()), is_told.then(|| "!tea".to_owned()));
    }
}
