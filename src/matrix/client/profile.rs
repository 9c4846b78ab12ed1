//! What people see of a user: name and picture.
//!
//! Spec: Matrix client-server API, "Profiles".

use super::{Client, ClientError, user_id};
use ruma::api::client::profile;

impl Client {
    /// `GET /profile/{user}/displayname`; `None` where they have none. That there is no profile, or none for us, says
    /// nothing of who is of another homeserver: it may be out of reach.
    pub async fn display_name(&self, user: &str) -> Result<Option<String>, ClientError> {
        #[expect(deprecated, reason = "its successor needs servers of 2025 and later")]
        let request = profile::get_display_name::v3::Request::new(user_id(user)?);
        match self.call(self.bot(), request).await {
            Ok(response) => Ok(response.displayname),
            Err(ClientError::Refused { status: 403 | 404, .. }) if is_of(self.domain(), user) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `PUT /profile/{user}/displayname`.
    pub async fn set_display_name(&self, user: &str, name: &str) -> Result<(), ClientError> {
        #[expect(deprecated, reason = "its successor needs servers of 2025 and later")]
        let request = profile::set_display_name::v3::Request::new(user_id(user)?, Some(name.to_owned()));
        self.call(user, request).await.map(drop)
    }

    /// `PUT /profile/{user}/avatar_url`; without a picture as clients do it, with an empty address: that it is left out
    /// some servers refuse.
    pub async fn set_avatar(&self, user: &str, picture: Option<&str>) -> Result<(), ClientError> {
        let picture = picture.unwrap_or_default().into();
        #[expect(deprecated, reason = "its successor needs servers of 2025 and later")]
        let request = profile::set_avatar_url::v3::Request::new(user_id(user)?, Some(picture));
        self.call(user, request).await.map(drop)
    }
}

/// Whether a user is of this homeserver.
fn is_of(domain: &str, user: &str) -> bool {
    user.split_once(':').is_some_and(|(_, server)| server == domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_homeserver_knows_that_somebody_has_no_profile() {
        assert!(
            is_of("example.org", "@alice:example.org") && is_of("example.org:8448", "@a:example.org:8448")
        );
        for user in ["@alice:example.com", "@alice:sub.example.org", "@alice:example.org:8448", "@alice"] {
            assert!(!is_of("example.org", user), "{user}");
        }
    }
}
