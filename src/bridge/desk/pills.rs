//! Whom a command is about, where its words are pills: what is shown of somebody may be any name, and is no nick.

use crate::bridge::Bridge;
use crate::format::{called_otherwise, pills};
use crate::matrix::event::Message;
use crate::store::StoreError;

/// Ids of people that stand in one command as they are.
const MOST: usize = 50;

impl Bridge {
    /// The text of commands with the nick in place of each pill and each Matrix id that stands for somebody on IRC: on
    /// this network, or on any where none is said.
    pub(super) async fn with_nicks(
        &self,
        text: String,
        message: &Message,
        network: Option<&str>,
        user: &str,
    ) -> Result<String, StoreError> {
        let pills = message.html.as_deref().map(pills).unwrap_or_default();
        let named = pills.into_iter().map(|pill| (pill.shown, pill.user_id));
        let text = self.called_by_nicks(text, named.collect(), network, user).await?;
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        let ids = words.map(|word| word.trim_end_matches(':')).filter(|word| self.is_ghost_id(word));
        let ids = ids.take(MOST).map(|id| (id.to_owned(), id.to_owned())).collect();
        self.called_by_nicks(text, ids, network, user).await
    }

    /// The same for those who stand there under these names and have these ids.
    async fn called_by_nicks(
        &self,
        text: String,
        named: Vec<(String, String)>,
        network: Option<&str>,
        user: &str,
    ) -> Result<String, StoreError> {
        let mut nicks = Vec::new();
        for (shown, user_id) in named {
            let ghost = self.ghost_named_by(&user_id, Some(user)).await?;
            let ghost = ghost.filter(|ghost| network.is_none_or(|network| ghost.network == network));
            nicks.extend(ghost.map(|ghost| (shown, ghost.nick)));
        }
        Ok(if nicks.is_empty() { text } else { called_otherwise(&text, &nicks) })
    }
}
