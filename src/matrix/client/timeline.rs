//! Reading a room's timeline backwards ([specification]).
//!
//! [specification]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages

use ruma::api::client::message::get_message_events::v3::Request;
use serde_json::Value;

use super::{Client, ClientError, room_id, user_id};

/// A part of a room's timeline, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events, as the homeserver gives them.
    pub events: Vec<Value>,
    /// Where the next part begins; `None` where there is none.
    pub end: Option<String>,
}

/// What a message looked up in a room tells.
#[derive(Debug, Clone)]
pub struct FoundEvent {
    /// Its id.
    pub event_id: String,
    /// Its sender.
    pub sender: String,
    /// Its content.
    pub content: Value,
}

impl Client {
    /// `GET /rooms/{room}/messages`: the latest messages and reactions of these people, newest first, `limit` at most.
    pub async fn latest_messages(
        &self,
        sender: &str,
        room: &str,
        people: &[&str],
        limit: usize,
    ) -> Result<Vec<FoundEvent>, ClientError> {
        /// Some homeservers look through so many events before they filter.
        const PAGES: usize = 10;
        const TYPES: [&str; 2] = ["m.room.message", "m.reaction"];
        let mut found = Vec::new();
        let mut from = None;
        for _ in 0..PAGES {
            let page = self.page_before(sender, room, people, &TYPES, limit, from).await?;
            found.extend(page.events.into_iter().filter_map(|mut event| {
                Some(FoundEvent {
                    event_id: event["event_id"].as_str()?.to_owned(),
                    sender: event["sender"].as_str()?.to_owned(),
                    content: event["content"].take(),
                })
            }));
            from = page.end;
            if from.is_none() || found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// `GET /rooms/{room}/messages`: events of these people and types, newest first, `limit` at most. From the end of
    /// another page, or from the end of the timeline.
    pub async fn page_before(
        &self,
        sender: &str,
        room: &str,
        people: &[&str],
        types: &[&str],
        limit: usize,
        from: Option<String>,
    ) -> Result<Page, ClientError> {
        let mut request = Request::backward(room_id(room)?);
        request.filter.types = Some(types.iter().map(|&kind| kind.to_owned()).collect());
        request.filter.senders = Some(people.iter().map(|user| user_id(user)).collect::<Result<_, _>>()?);
        request.limit = u32::try_from(limit).unwrap_or(u32::MAX).into();
        request.from = from;
        let response = self.call(sender, request).await?;
        let events = response.chunk.iter().filter_map(|event| serde_json::from_str(event.json().get()).ok());
        Ok(Page { events: events.collect(), end: response.end })
    }
}
