//! Whether somebody is there, as the homeserver shows it.
//!
//! Spec: Matrix client-server API, "Presence".

use ruma::api::client::presence::{get_presence, set_presence};
use ruma::presence::PresenceState;

use super::{Client, ClientError, user_id};

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// They are not.
    Offline,
    /// They are.
    Online,
    /// They are, and do not look.
    Unavailable,
}

impl Client {
    /// `PUT /presence/{user}/status`.
    pub async fn set_presence(
        &self,
        user: &str,
        availability: Availability,
        message: Option<&str>,
    ) -> Result<(), ClientError> {
        let state = match availability {
            Availability::Offline => PresenceState::Offline,
            Availability::Online => PresenceState::Online,
            Availability::Unavailable => PresenceState::Unavailable,
        };
        let mut request = set_presence::v3::Request::new(user_id(user)?, state);
        request.status_msg = message.map(str::to_owned);
        self.call(user, request).await.map(drop)
    }

    /// `GET /presence/{user}/status`: whether a user is anything but offline, as they see it themselves.
    pub async fn is_seen_there(&self, user: &str) -> Result<bool, ClientError> {
        let response = self.call(user, get_presence::v3::Request::new(user_id(user)?)).await?;
        Ok(response.presence != PresenceState::Offline)
    }
}
