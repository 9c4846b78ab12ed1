//! What people see of the bot: its name and its picture; and the pictures that administrators give to ghosts.
//!
//! What the configuration says holds; else what administrators have set at run time, which stands in the store; else the
//! name that is built in, and no picture. The homeserver has it before it is stored, so that what is refused is not kept.

use std::sync::{Arc, Mutex, PoisonError};

use super::ghosts::GhostError;
use super::{Bridge, Outcome, Refusal, SessionHandle};
use crate::config;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::names::Nick;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// The name where nobody has chosen another.
pub const BOT_NAME: &str = "Towline";

/// Under these names the store has what was set, and which picture the homeserver was given last.
const NAME: &str = "name";
const AVATAR: &str = "avatar";
const SHOWN_AVATAR: &str = "shown-avatar";

/// The bot as it is seen.
pub(super) struct Appearance {
    name: Mutex<Arc<str>>,
    /// Held while it changes, so that store and homeserver say the same.
    changing: tokio::sync::Mutex<()>,
}

impl Default for Appearance {
    fn default() -> Self {
        Self { name: Mutex::new(BOT_NAME.into()), changing: tokio::sync::Mutex::default() }
    }
}

impl Appearance {
    fn set(&self, name: &str) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name.into();
    }
}

impl Bridge {
    /// The name that people see of the bot.
    pub fn bot_name(&self) -> Arc<str> {
        self.appearance.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells the homeserver how the bot is to be seen. Nothing depends on it.
    pub(super) async fn show_bot(&self) -> Result<(), StoreError> {
        let bot = self.client.bot();
        let given = &self.config.appservice;
        let set = self.stored_appearance(NAME).await?;
        let name = given.bot_name.clone().or(set).unwrap_or_else(|| BOT_NAME.to_owned());
        self.appearance.set(&name);
        if let Err(error) = self.client.set_display_name(bot, &name).await {
            tracing::warn!(%error, "the bot has no display name");
        }
        let avatar = given.bot_avatar.clone().or(self.stored_appearance(AVATAR).await?);
        let shown = self.stored_appearance(SHOWN_AVATAR).await?;
        // A picture that is not from here stays.
        if avatar.is_some() || shown.is_some() {
            match self.client.set_avatar(bot, avatar.as_deref()).await {
                Ok(()) => self.store_appearance(SHOWN_AVATAR, avatar.as_deref()).await?,
                Err(error) => tracing::warn!(%error, "the bot has not the picture that was set"),
            }
        }
        Ok(())
    }

    async fn stored_appearance(&self, part: &str) -> Result<Option<String>, StoreError> {
        let stored = self.store.named_settings(&settings::BOT_PROFILE, Scope::Global).await?;
        Ok(stored.into_iter().find(|(name, _)| name == part).map(|(_, value)| value.text().to_owned()))
    }

    async fn store_appearance(&self, part: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.store.set_named_setting(&settings::BOT_PROFILE, Scope::Global, part, value).await
    }

    /// The name and the picture, with where they come from.
    pub async fn bot_appearance(&self) -> Outcome {
        let given = &self.config.appservice;
        let from = |given: bool, set: bool| match (given, set) {
            (true, _) => "from this bridge's configuration",
            (false, true) => "set here",
            (false, false) => "built in",
        };
        let has_name = self.stored_appearance(NAME).await?.is_some();
        let text = RichText::plain("My name is ").code(&*self.bot_name());
        let text = text.text(format!(" ({}). ", from(given.bot_name.is_some(), has_name)));
        let set = self.stored_appearance(AVATAR).await?;
        Ok(match given.bot_avatar.clone().or(set) {
            Some(avatar) => {
                let origin = from(given.bot_avatar.is_some(), true);
                text.text("My picture is ").code(avatar).text(format!(" ({origin})."))
            }
            None => text.text("I have no picture."),
        })
    }

    /// Names the bot, or gives it the name that is built in.
    pub async fn name_bot(&self, name: Option<&str>) -> Outcome {
        let fixed = self.config.appservice.bot_name.is_some();
        may_change(fixed, "My name", "appservice.bot_name")?;
        if name.is_some_and(|name| !config::is_display_name(name)) {
            return Err(Refusal::asked("A name is one line of at most 100 characters."));
        }
        let _one_at_a_time = self.appearance.changing.lock().await;
        let shown = name.unwrap_or(BOT_NAME);
        self.client.set_display_name(self.client.bot(), shown).await.map_err(|error| refused(&error))?;
        self.store_appearance(NAME, name).await?;
        self.appearance.set(shown);
        Ok(RichText::plain("My name is ").code(shown).text(" from now on."))
    }

    /// Gives the ghost of a nick a picture, or takes it. The homeserver keeps it.
    pub async fn picture_ghost(&self, session: &SessionHandle, nick: &Nick, avatar: Option<&str>) -> Outcome {
        check_picture(avatar)?;
        let (network, nick) = (&session.row.network, nick.as_str());
        let folded = session.status().mapping.fold(nick);
        let user_id = self.ghost_user_id(network, nick);
        let ghost = self.store.ghost(network, &folded, nick, &user_id, self.clock.unix_ms()).await?;
        self.register_ghost(&ghost).await.map_err(|error| match error {
            GhostError::Store(error) => Refusal::Store(error),
            GhostError::Client(error) => refused(&error),
        })?;
        self.client.set_avatar(&ghost.user_id, avatar).await.map_err(|error| refused(&error))?;
        for room in self.store.ranks_lost(ghost.id).await? {
            self.note_ranks(room);
        }
        let network = self.network_name(network);
        let has = if avatar.is_some() { "another" } else { "no" };
        Ok(RichText::plain(format!("{nick} on {network} has {has} picture from now on.")))
    }

    /// Gives the bot a picture, or takes it.
    pub async fn picture_bot(&self, avatar: Option<&str>) -> Outcome {
        let fixed = self.config.appservice.bot_avatar.is_some();
        may_change(fixed, "My picture", "appservice.bot_avatar")?;
        check_picture(avatar)?;
        let _one_at_a_time = self.appearance.changing.lock().await;
        self.client.set_avatar(self.client.bot(), avatar).await.map_err(|error| refused(&error))?;
        self.store_appearance(AVATAR, avatar).await?;
        self.store_appearance(SHOWN_AVATAR, avatar).await?;
        Ok(RichText::plain(if avatar.is_some() { "I have another picture." } else { "I have no picture." }))
    }
}

fn may_change(fixed: bool, what: &str, key: &str) -> Result<(), Refusal> {
    if fixed {
        let text = format!("{what} stands in the configuration, under {key}, and can only be changed there.");
        return Err(Refusal::asked(text));
    }
    Ok(())
}

fn refused(error: &ClientError) -> Refusal {
    Refusal::asked(format!(
        "The homeserver did not take it: {error}. Everything stays as it was; try again later."
    ))
}

fn check_picture(avatar: Option<&str>) -> Result<(), Refusal> {
    match avatar.filter(|avatar| !config::network::is_media(avatar)) {
        Some(unfit) => Err(Refusal::asked(format!(
            "{unfit} is no address of a picture that the homeserver has, as mxc://example.org/AbCdEf is. Send the picture \
             to an unencrypted room; its address stands in the message's source."
        ))),
        None => Ok(()),
    }
}
