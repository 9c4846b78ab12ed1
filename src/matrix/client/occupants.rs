//! Who is in a room that anybody can enter, and by which names and where it is found.

use ruma::api::client;
use ruma::api::client::room::Visibility;
use ruma::events::room::member::MembershipState;
use serde::Deserialize;

use super::{Client, ClientError, room_id};

/// Somebody who is in a room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Occupant {
    /// Their Matrix id.
    #[serde(rename = "state_key")]
    pub user_id: String,
    /// The event by which they are there.
    pub event_id: String,
    /// When that was, in milliseconds since 1970, as their homeserver says.
    #[serde(rename = "origin_server_ts")]
    pub at: i64,
}

impl Client {
    /// `GET /rooms/{room}/members`: all who are in a room, and since which event.
    pub async fn occupants(&self, room: &str) -> Result<Vec<Occupant>, ClientError> {
        let mut request = client::membership::get_member_events::v3::Request::new(room_id(room)?);
        request.membership = Some(MembershipState::Join);
        let response = self.call(self.bot(), request).await?;
        // One that can't be read is nobody whom we could do anything about.
        let read = |event: &ruma::serde::Raw<_>| serde_json::from_str(event.json().get()).ok();
        Ok(response.chunk.iter().filter_map(read).collect())
    }

    /// `GET /directory/room/{alias}`: the room that an alias leads to, and a server that knows it; `None` where there is
    /// no such alias.
    pub async fn room_of_alias(&self, alias: &str) -> Result<Option<(String, Option<String>)>, ClientError> {
        let alias = ruma::RoomAliasId::parse(alias)
            .map_err(|_| ClientError::Invalid(format!("{alias} is no alias")))?;
        match self.call(self.bot(), client::alias::get_alias::v3::Request::new(alias)).await {
            Ok(found) => {
                let server = found.servers.into_iter().next().map(Into::into);
                Ok(Some((found.room_id.into(), server)))
            }
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /rooms/{room}/aliases`: the aliases that lead to a room here.
    pub async fn aliases(&self, room: &str) -> Result<Vec<String>, ClientError> {
        let request = client::room::aliases::v3::Request::new(room_id(room)?);
        let response = self.call(self.bot(), request).await?;
        Ok(response.aliases.into_iter().map(Into::into).collect())
    }

    /// `GET /directory/list/room/{room}`: whether a room stands in the homeserver's directory.
    pub async fn is_listed(&self, room: &str) -> Result<bool, ClientError> {
        let request = client::directory::get_room_visibility::v3::Request::new(room_id(room)?);
        Ok(self.call(self.bot(), request).await?.visibility == Visibility::Public)
    }

    /// `PUT /directory/list/room/{room}`: puts a room into the homeserver's directory, or takes it out.
    pub async fn list_room(&self, room: &str, is_listed: bool) -> Result<(), ClientError> {
        let visibility = if is_listed { Visibility::Public } else { Visibility::Private };
        let request = client::directory::set_room_visibility::v3::Request::new(room_id(room)?, visibility);
        self.call(self.bot(), request).await.map(drop)
    }
}
