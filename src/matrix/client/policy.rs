//! Policy lists: rooms whose state says who is to be kept out ([specification]).
//!
//! [specification]: https://spec.matrix.org/v1.19/client-server-api/#moderation-policy-lists

use ruma::api::client;
use serde::Deserialize;
use serde_json::Value;

use super::{Client, ClientError, room_id};

/// A state of a room.
#[derive(Debug, Clone, Deserialize)]
pub struct StateEvent {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its key.
    pub state_key: String,
    /// What it says.
    pub content: Value,
}

impl Client {
    /// `POST /join/{room or alias}` as the bot; gives the room's id. Where the bot is there already, it stays.
    pub async fn enter(&self, room_or_alias: &str) -> Result<String, ClientError> {
        let name = ruma::RoomOrAliasId::parse(room_or_alias).map_err(|_| {
            ClientError::Invalid(format!("{room_or_alias} is neither a room's id nor an alias"))
        })?;
        // Its own server knows a room whose id names one.
        let via = name.server_name().map(ToOwned::to_owned);
        let mut request = client::membership::join_room_by_id_or_alias::v3::Request::new(name);
        request.via = via.into_iter().collect();
        Ok(self.call(self.bot(), request).await?.room_id.into())
    }

    /// `GET /rooms/{room}/state`: all states of a room whose types are such.
    pub async fn states(
        &self,
        room: &str,
        is_such: impl Fn(&str) -> bool,
    ) -> Result<Vec<StateEvent>, ClientError> {
        let request = client::state::get_state_events::v3::Request::new(room_id(room)?);
        let response = self.call(self.bot(), request).await?;
        // What can't be read says nothing.
        let read = |event: &ruma::serde::Raw<_>| serde_json::from_str::<StateEvent>(event.json().get()).ok();
        Ok(response.room_state.iter().filter_map(read).filter(|state| is_such(&state.kind)).collect())
    }
}
