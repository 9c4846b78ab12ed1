//! What the server is told of the user when the session connects: user name, real name, and the server's own password.
//!
//! What is set here holds from the next connection on; the real name at once where the server has `SETNAME`.
//!
//! Invariant 10: the password goes into the store, sealed, and nowhere else; no answer shows it.
//!
//! Spec: modern IRC docs "USER message", "PASS message"; `IRCv3` "setname".

use secrecy::{ExposeSecret, SecretString};

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::called::LONGEST_REALNAME;
use super::inquiries::trouble;
use super::loose::Reply;
use super::username;
use crate::format::RichText;
use crate::irc::session::State;
use crate::irc::wire::Line;
use crate::store::StoreError;
use crate::store::settings::{self, Setting};

/// What is asked about something that is kept.
#[derive(Debug)]
pub enum Change<T> {
    /// See it.
    Show,
    /// This from now on.
    Set(T),
    /// As if nothing had been said.
    Remove,
}

/// What is asked about the user's profile.
#[derive(Debug)]
pub enum ProfileRequest {
    /// About the user name.
    Username(Change<String>),
    /// About the real name.
    Realname(Change<String>),
    /// About the server's password.
    Password(Change<SecretString>),
}

impl Actor {
    pub(super) async fn profile(&mut self, request: ProfileRequest) -> Reply {
        match request {
            ProfileRequest::Username(change) => self.username(change).await.into(),
            ProfileRequest::Realname(change) => match self.realname(change).await {
                Ok(reply) => reply,
                Err(error) => Reply::Now(Err(error.into())),
            },
            ProfileRequest::Password(change) => self.server_password(change).await.into(),
        }
    }

    async fn username(&mut self, change: Change<String>) -> Outcome {
        let network = self.network.name.clone();
        let chosen = match change {
            Change::Show => {
                let name = username::username(&self.bridge, &self.row).await?;
                let text = format!("Your user name on {network} is {name}.");
                return Ok(self.with_ident(RichText::plain(text)).await?);
            }
            Change::Set(name) => {
                self.may_choose_username().await?;
                Some(name)
            }
            Change::Remove => None,
        };
        if let Err(unfit) = username::choose(&self.bridge, &self.row, chosen.as_deref()).await? {
            let name = chosen.unwrap_or_default();
            return Err(Refusal::asked(format!("{name} can't be your user name: {unfit}.")));
        }
        let name = username::username(&self.bridge, &self.row).await?;
        let text = self.when_connected_anew(RichText::plain(format!("Your user name will be {name}.")));
        Ok(self.with_ident(text).await?)
    }

    /// What the administrator has set can't be chosen otherwise.
    async fn may_choose_username(&mut self) -> Result<(), Refusal> {
        match username::fixed(&self.bridge, self.row.user).await? {
            Some(fixed) => Err(Refusal::asked(format!(
                "Your user name is {fixed}: the administrator of this bridge has set it, and only they can change it."
            ))),
            None => Ok(()),
        }
    }

    /// What others see all the same where the server asks this bridge.
    async fn with_ident(&mut self, text: RichText) -> Result<RichText, StoreError> {
        if self.bridge.config.ident.is_none() {
            return Ok(text);
        }
        let ident = username::ident(&self.bridge, &self.row).await?;
        Ok(text.text(format!(" A server that asks this bridge who you are is told {ident}.")))
    }

    /// Why nobody chooses a real name on the network, where it is so.
    pub(super) fn no_choice_of_realname(&self) -> Option<String> {
        // Before the nick, which is not asked for in vain.
        self.network.realname.as_ref()?;
        let nick = self.link.as_ref().map(|link| link.session.wanted_nick().to_owned());
        let nick = nick.unwrap_or_else(|| self.default_nick().as_str().to_owned());
        let (network, given) = (&self.network.name, self.given_realname(&nick)?);
        Some(format!(
            "Your real name on {network} is {given}: the administrator of this bridge says what real names are there."
        ))
    }

    async fn realname(&mut self, change: Change<String>) -> Result<Reply, StoreError> {
        let network = self.network.name.clone();
        if let Some(text) = self.no_choice_of_realname() {
            let is_asked = matches!(change, Change::Show);
            let reply = if is_asked { Ok(RichText::plain(text)) } else { Err(Refusal::asked(text)) };
            return Ok(Reply::Now(reply));
        }
        let name = match change {
            Change::Show => {
                let name = self.stored(&settings::REALNAME).await?;
                let text = match name {
                    Some(name) => format!("Your real name on {network} is {}.", name.text()),
                    None => format!("Your real name on {network} is your nick: you have set none."),
                };
                return Ok(Reply::Now(Ok(RichText::plain(text))));
            }
            Change::Set(name) if name.len() > LONGEST_REALNAME => {
                let text = format!("No server takes a real name of more than {LONGEST_REALNAME} bytes.");
                return Ok(Reply::Now(Err(Refusal::asked(text))));
            }
            Change::Set(name) => Some(name),
            Change::Remove => None,
        };
        let link = self.link.as_ref().filter(|link| link.session.state() == State::Ready);
        if let Some(link) = link
            && link.session.capabilities().enabled("setname")
        {
            let shown = name.clone().unwrap_or_else(|| link.session.nick().to_owned());
            let line = Line::with_text(Line::new("SETNAME"), &shown);
            return Ok(self.inquire_then(line, move |actor, answer| {
                Box::pin(async move {
                    // What the server does not take is not what the next connection begins with.
                    if let Some(refusal) = trouble(&actor.network.name, &answer) {
                        return Reply::Now(Err(refusal));
                    }
                    let stored = actor.store_setting(&settings::REALNAME, name.as_deref()).await;
                    let network = &actor.network.name;
                    let text = RichText::plain(format!("Your real name on {network} is {shown}."));
                    Reply::Now(stored.map(|()| text).map_err(Refusal::from))
                })
            }));
        }
        self.store_setting(&settings::REALNAME, name.as_deref()).await?;
        let text = match name {
            Some(name) => format!("Your real name will be {name}."),
            None => "Your real name will be your nick.".to_owned(),
        };
        Ok(Reply::Now(Ok(self.when_connected_anew(RichText::plain(text)))))
    }

    async fn server_password(&mut self, change: Change<SecretString>) -> Outcome {
        const SETTING: &Setting = &settings::SERVER_PASSWORD;
        let network = self.network.name.clone();
        match change {
            Change::Show => {
                let is_set = self.stored(SETTING).await?.is_some();
                let text = match (is_set, self.network.password.is_some()) {
                    (true, _) => format!("You have set a password for {network}'s server."),
                    (false, true) => format!("This bridge's own password for {network}'s server is used."),
                    (false, false) => format!("No password for {network}'s server is set."),
                };
                let text = RichText::plain(text).text(" It is the server's own; for your account type ");
                Ok(text.code("sasl ACCOUNT PASSWORD").text("."))
            }
            Change::Set(password) => {
                self.store_setting(SETTING, Some(password.expose_secret())).await?;
                let text = format!("The password for {network}'s server is stored encrypted.");
                Ok(self.when_connected_anew(RichText::plain(text)))
            }
            Change::Remove => {
                self.store_setting(SETTING, None).await?;
                let text = if self.network.password.is_some() {
                    format!("Your password for {network}'s server is deleted; this bridge's own is used.")
                } else {
                    format!("The password for {network}'s server is deleted.")
                };
                Ok(RichText::plain(text))
            }
        }
    }
}
