//! Whom a command is about, where its words are pills: what is shown of somebody may be any name, and is no nick.

use crate::bridge::Bridge;
use crate::format::{called_otherwise, pills};
use crate::matrix::event::Message;
use crate::store::{StoreError, User};

/// Ids of people that stand in one command as they are.
const MOST: usize = 50;

impl Bridge {
    /// The text of commands with the nick in place of each pill and each Matrix id that stands for somebody on IRC, on the
    /// network that it is about. Of somebody on another network it has the id, so that nobody of that name is taken for them.
    pub(super) async fn with_nicks(
        &self,
        text: String,
        message: &Message,
        network: Option<String>,
        user: &User,
    ) -> Result<String, StoreError> {
        let networks = match network {
            Some(network) => vec![network],
            None => self.networks_named_in(&text, user).await?,
        };
        let (networks, user) = (networks.as_slice(), user.user_id.as_str());
        let pills = message.html.as_deref().map(pills).unwrap_or_default();
        let named = pills.into_iter().map(|pill| (pill.shown, pill.user_id));
        let text = self.called_by_nicks(text, named.collect(), networks, user).await?;
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        let ids = words.map(|word| word.trim_end_matches(':')).filter(|word| self.is_ghost_id(word));
        let ids = ids.take(MOST).map(|id| (id.to_owned(), id.to_owned())).collect();
        self.called_by_nicks(text, ids, networks, user).await
    }

    /// The networks that commands in the chat with the bot are about: those of the user's that they name, else the only one.
    async fn networks_named_in(&self, text: &str, user: &User) -> Result<Vec<String>, StoreError> {
        let mut networks: Vec<String> =
            self.store.sessions_of(user.id).await?.into_iter().map(|session| session.network).collect();
        networks.sort_unstable();
        networks.dedup();
        if networks.len() > 1 {
            let is_named =
                |network: &String| text.split_whitespace().any(|word| word.eq_ignore_ascii_case(network));
            networks.retain(is_named);
        }
        Ok(networks)
    }

    /// The same for those who stand there under these names and have these ids.
    async fn called_by_nicks(
        &self,
        text: String,
        named: Vec<(String, String)>,
        networks: &[String],
        user: &str,
    ) -> Result<String, StoreError> {
        let mut nicks = Vec::new();
        for (shown, user_id) in named {
            let ghost = self.ghost_named_by(&user_id, Some(user)).await?;
            match ghost.filter(|ghost| networks.contains(&ghost.network)) {
                Some(ghost) => nicks.push((shown, ghost.nick)),
                None if self.is_ghost_id(&user_id) => nicks.push((shown, user_id)),
                None => {}
            }
        }
        Ok(if nicks.is_empty() { text } else { called_otherwise(&text, &nicks) })
    }
}
