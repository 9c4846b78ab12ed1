//! Pictures that people on IRC link to: shown below the line by whoever linked to them, where the user wants that.
//!
//! The line does not wait for them, and where one does not come the link is there. So nothing is kept of a picture under
//! way, and a restart forgets it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::Bridge;
use super::super::content;
use super::Actor;
use crate::format::{RichText, web_addresses};
use crate::matrix::ClientError;
use crate::web::pictures::{Picture, is_picture};

/// Pictures of one line.
const MOST_OF_LINE: usize = 3;
/// Pictures that are fetched for a session …
const MOST: usize = 20;
/// … in this time; more stay links.
const TIME: Duration = Duration::from_mins(1);

/// What becomes of links to pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pictures {
    Link,
    Show,
}

/// Pictures that were linked to in this turn, and how many were lately.
#[derive(Debug, Default)]
pub(super) struct Found {
    new: Vec<Link>,
    since: Option<Instant>,
    lately: usize,
}

#[derive(Debug)]
struct Link {
    room: i64,
    ghost: Arc<str>,
    address: String,
}

impl Found {
    /// Whether one more is fetched.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= TIME) {
            (self.since, self.lately) = (Some(now), 0);
        }
        self.lately += 1;
        self.lately <= MOST
    }
}

impl Actor {
    /// Finds pictures that a line links to, if they are to be shown.
    pub(super) fn find_pictures(&mut self, place: usize, ghost: &Arc<str>, text: &RichText) {
        let row = &self.buffers.get(place).row;
        if !self.bridge.pictures.are_fetched()
            || self.room_choice::<Pictures>(place) == Pictures::Link
            || self.is_service(&row.name)
            // Who is not talked with yet has nothing fetched from an address that they choose.
            || self.is_strangers(place)
        {
            return;
        }
        let (room, now) = (row.room, self.now());
        let addresses = web_addresses(&text.to_plain()).into_iter();
        for address in addresses.filter(|address| is_picture(address)).take(MOST_OF_LINE) {
            if self.pictures.has_room(now) {
                self.pictures.new.push(Link { room, ghost: Arc::clone(ghost), address });
            }
        }
    }

    /// Has them fetched, once the lines are stored below which they are shown.
    pub(super) fn fetch_pictures(&mut self) {
        for link in std::mem::take(&mut self.pictures.new) {
            let bridge = self.bridge.clone();
            let stop = bridge.stop.clone();
            let showing = async move { bridge.show_picture(link).await };
            self.bridge.tasks.spawn(stop.run_until_cancelled_owned(showing));
        }
    }
}

impl Bridge {
    async fn show_picture(&self, Link { room, ghost, address }: Link) {
        let picture = match self.pictures.fetch(&address).await {
            Ok(picture) => picture,
            Err(error) => return tracing::debug!(%error, "a picture stays a link"),
        };
        let Picture { bytes, mimetype, extent: (width, height), name } = picture;
        let size = bytes.len();
        // It may be the first that they say: the line itself is on its way.
        let known = self.insist(|| async {
            match self.store.ghost_by_user_id(&ghost).await? {
                Some(ghost) => self.register_ghost(&ghost).await,
                None => Ok(()),
            }
        });
        match known.await {
            Some(Ok(())) => {}
            Some(Err(error)) => return tracing::debug!(%error, "a picture stays a link"),
            None => return,
        }
        let source = match self.client.upload(&ghost, bytes, mimetype, &name).await {
            Ok(source) => source,
            Err(error @ ClientError::Refused { .. }) => {
                return tracing::warn!(%error, "the homeserver does not take a picture that was linked to");
            }
            Err(error) => return tracing::debug!(%error, "a picture stays a link"),
        };
        let info = serde_json::json!({ "mimetype": mimetype, "size": size, "w": width, "h": height });
        let content = content::picture(&name, &source, &info);
        let row = content::message_row(room, &ghost, content, None);
        if let Err(error) = self.enqueue(vec![row]).await {
            return tracing::warn!(%error, "a picture could not be shown");
        }
        self.wake_delivery(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn invariant_9_so_many_pictures_are_fetched_in_a_minute_and_no_more() {
        let (start, mut found) = (SystemClock.now(), Found::default());
        assert!((0..MOST).all(|_| found.has_room(start)));
        assert!(!found.has_room(start + TIME / 2));
        assert!(found.has_room(start + TIME));
    }
}
