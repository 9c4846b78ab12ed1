//! What the network calls itself, which tells services of one letter (`Q`, `X`) from people. Known while connected, and
//! kept for when we are not: what is typed to them then may hold a password as well.
//!
//! Not the name that the configuration gives it, which may be any.

use super::Actor;
use crate::store::settings::{self, Scope};
use crate::store::{Announced, StoreError};

impl Actor {
    /// What the network calls itself, or did when we were last there; nothing where it never said.
    pub(super) fn named(&self) -> &str {
        let now = self.link.as_ref().and_then(|link| link.session.isupport().get("NETWORK"));
        now.or(self.last_named.as_deref()).unwrap_or_default()
    }

    /// What the server says of itself counts for who connects next.
    pub(super) async fn remember_network(&mut self) -> Result<(), StoreError> {
        let Some(link) = &self.link else { return Ok(()) };
        let isupport = link.session.isupport();
        let said =
            Announced { mapping: isupport.casemapping(), channel_types: isupport.channel_types().to_owned() };
        let nick_length = isupport.nick_length();
        self.bridge.is_able_to_listen(self.row.id, &self.row.network);
        self.bridge.remember_network(&self.row.network, nick_length, said).await
    }

    /// Keeps it, where it is news.
    pub(super) async fn keep_named(&mut self) -> Result<(), StoreError> {
        let name = self.named().to_owned();
        if name.is_empty() || self.last_named.as_ref() == Some(&name) {
            return Ok(());
        }
        self.bridge
            .store
            .set_setting(&settings::NETWORK_NAME, Scope::Session, self.row.id, Some(&name))
            .await?;
        self.last_named = Some(name);
        Ok(())
    }
}
