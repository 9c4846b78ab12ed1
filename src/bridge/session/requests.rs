//! What a session can be asked for, by commands.

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::super::content::{self, unique};
use super::super::outcome::{Outcome, Refusal};
use super::{Actor, SessionHandle, WishChange};
use crate::format::{RichText, split_line};
use crate::irc::session::{MessageKind, State};
use crate::irc::wire::Line;
use crate::names::{Channel, Key, Nick};
use crate::store::settings::{self, Scope};
use crate::store::{BufferKind, NewBuffer, StoreError};

/// Something that a user asks of a session.
#[derive(Debug)]
pub enum Request {
    /// Connect, now.
    Connect,
    /// Disconnect, and stay so.
    Disconnect {
        /// What the others read.
        reason: String,
    },
    /// Be invited to the network room once more.
    Invite,
    /// Enter a channel, and stay in it over reconnections.
    Join {
        /// The channel.
        channel: Channel,
        /// Its key.
        key: Option<Key>,
    },
    /// Leave a channel, and stay out of it.
    Part {
        /// The channel.
        channel: Channel,
        /// What the others read.
        reason: String,
    },
    /// Take another nick, now and from now on; `None` to see it.
    Nick(Option<Nick>),
    /// Open the room of a conversation.
    Query {
        /// With whom.
        nick: Nick,
        /// What to say first.
        text: Option<String>,
    },
    /// Say something without a room.
    Message {
        /// To whom: a nick or a channel.
        target: String,
        /// What.
        text: String,
    },
    /// Send a line as it stands.
    Raw(String),
    /// Log in with SASL from now on, or no more.
    Sasl(Option<(String, SecretString)>),
    /// See how SASL is set.
    ShowSasl,
    /// See which capabilities are in force, or change which are asked for.
    Capabilities(WishChange),
}

/// A request and where its answer goes.
pub(super) type Envelope = (Request, oneshot::Sender<Outcome>);

impl SessionHandle {
    /// Asks the session for something and waits for what it comes to.
    pub async fn ask(&self, request: Request) -> Outcome {
        let (answer, answered) = oneshot::channel();
        // A session that does not run says why, such as a network that is not configured any more.
        let gone = || match self.status().reason {
            Some(reason) => Refusal::asked(format!("It can't be done: {reason}.")),
            None => Refusal::Stopping,
        };
        self.requests.send((request, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Opens the room of a conversation.
    pub async fn query(&self, nick: &str, text: Option<String>) -> Outcome {
        let nick = Nick::new(nick).map_err(|error| Refusal::asked(format!("{nick} is no nick: {error}.")))?;
        self.ask(Request::Query { nick, text }).await
    }
}

impl Actor {
    pub(super) async fn on_request(&mut self, (request, answer): Envelope) -> Result<(), StoreError> {
        let closes = matches!(request, Request::Disconnect { .. });
        let outcome = self.carry_out(request).await;
        let failure = match &outcome {
            Err(Refusal::Store(error)) => Err(error.clone()),
            _ => Ok(()),
        };
        // Who asked may have gone; what was done is done.
        let _ = answer.send(outcome);
        match failure {
            Err(error @ (StoreError::Superseded | StoreError::Closed)) => Err(error),
            // Lines of the connection that ended could not be kept.
            Err(error) if closes => Err(error),
            // The user was told that it failed; the session itself goes on.
            _ => Ok(()),
        }
    }

    async fn carry_out(&mut self, request: Request) -> Outcome {
        match request {
            Request::Connect => {
                if let Some(link) = &self.link {
                    let name = &self.network.name;
                    return Ok(RichText::plain(match link.session.registered_at() {
                        Some(_) => format!("You are connected to {name} already."),
                        None => format!("{name} greets already; its room tells how it goes."),
                    }));
                }
                self.connect().await?;
                Ok(RichText::plain(format!(
                    "Connecting to {}; its room tells how it goes.",
                    self.network.name
                )))
            }
            Request::Disconnect { reason } => {
                self.disconnect(&reason).await?;
                let text = format!("Disconnected from {}. To come back, type ", self.network.name);
                Ok(RichText::plain(text).code("connect").text("."))
            }
            Request::Invite => {
                let bot = self.bridge.client.bot();
                self.incoming.outbox.push(content::invite_row(self.network_room, bot, &self.row.user_id));
                Ok(RichText::new())
            }
            Request::Join { channel, key } => self.join(&channel, key).await,
            Request::Part { channel, reason } => self.part(&channel, &reason).await,
            Request::Nick(nick) => self.nick(nick).await,
            Request::Query { nick, text } => self.query(&nick, text).await,
            Request::Message { target, text } => self.message(&target, &text),
            Request::Raw(line) => self.raw(&line),
            Request::Sasl(login) => self.sasl(login).await,
            Request::ShowSasl => self.show_sasl().await,
            Request::Capabilities(change) => self.capabilities(change).await,
        }
    }

    async fn join(&mut self, channel: &Channel, key: Option<Key>) -> Outcome {
        let most = self.bridge.config.limits.channels_per_session as usize;
        let known = self.buffers.find(channel.as_str());
        let is_wanted = known.is_some_and(|place| self.buffers.get(place).row.wanted);
        if !is_wanted && self.buffers.wanted_channels() >= most {
            return Err(Refusal::asked(format!(
                "You are in {most} channels, the most that this bridge allows."
            )));
        }
        if let Some(link) = &self.link
            && link.session.state() == State::Ready
            && !link.session.isupport().is_channel(channel.as_str())
        {
            let kinds = link.session.isupport().channel_types();
            return Err(Refusal::asked(format!(
                "On {} channels begin with one of {kinds}.",
                self.network.name
            )));
        }
        let place = self.open_buffer(BufferKind::Channel, channel.as_str(), key.as_ref()).await?;
        self.invite_owner(place);
        self.buffers.get_mut(place).refused = None;
        let name = &self.network.name;
        let answer = format!("Joining {channel} on {name}.");
        let Some(link) = &self.link else {
            return Ok(RichText::plain(format!("You will be in {channel} when {name} is connected.")));
        };
        if link.session.channel(channel.as_str()).is_none() {
            self.enter(place);
        } else if !self.buffers.get(place).parting {
            return Ok(RichText::plain(format!(
                "You are in {channel} already; you are invited to its room again."
            )));
        }
        Ok(RichText::plain(answer))
    }

    /// Asks the server to let us into a buffer's channel.
    pub(super) fn enter(&mut self, place: usize) {
        use secrecy::ExposeSecret as _;
        let row = &self.buffers.get(place).row;
        let key = row.key.as_ref().and_then(|key| Key::new(key.expose_secret()).ok());
        if let (Some(link), Ok(channel)) = (&mut self.link, Channel::new(&row.name)) {
            link.session.join(&[(channel, key)]);
        }
    }

    /// Invites the user to a room that they may have left. For a new room this comes after its own invitation, and
    /// changes nothing.
    fn invite_owner(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        if row.room_id.is_some() {
            self.incoming.outbox.push(content::invite_row(row.room, &row.creator, &self.row.user_id));
        }
    }

    async fn part(&mut self, channel: &Channel, reason: &str) -> Outcome {
        let Some(place) = self.buffers.find(channel.as_str()) else {
            return Err(Refusal::asked(format!("You are not in {channel}.")));
        };
        self.bridge.store.set_wanted(self.buffers.get(place).row.id, false).await?;
        let buffer = self.buffers.get_mut(place);
        buffer.row.wanted = false;
        if let Some(link) = &mut self.link {
            buffer.parting = link.session.channel(channel.as_str()).is_some();
            link.session.part(channel, reason);
        }
        Ok(RichText::plain(format!("Leaving {channel}. Its room stays; leave it when you like.")))
    }

    async fn nick(&mut self, nick: Option<Nick>) -> Outcome {
        let Some(nick) = nick else {
            let now = match &self.link {
                Some(link) => format!("You are {}.", link.session.nick()),
                None => "You are not connected.".to_owned(),
            };
            let wanted = self.bridge.store.setting(&settings::NICK, Scope::Session, self.row.id).await?;
            let wanted = match &wanted {
                Some(value) => value.text().to_owned(),
                None => self.default_nick().as_str().to_owned(),
            };
            return Ok(RichText::plain(format!("{now} Your nick for {} is {wanted}.", self.network.name)));
        };
        let store = &self.bridge.store;
        store.set_setting(&settings::NICK, Scope::Session, self.row.id, Some(nick.as_str())).await?;
        match &mut self.link {
            Some(link) => {
                link.session.set_nick(nick.clone());
                Ok(RichText::plain(format!("Asking the server for the nick {nick}.")))
            }
            None => Ok(RichText::plain(format!("Your nick will be {nick}."))),
        }
    }

    async fn query(&mut self, nick: &Nick, text: Option<String>) -> Outcome {
        let place = self.open_buffer(BufferKind::Query, nick.as_str(), None).await?;
        self.invite_owner(place);
        self.bridge.wake_delivery(self.buffers.get(place).row.room);
        match text {
            Some(text) => {
                self.message(nick.as_str(), &text)?;
                // What services are told may be a password.
                if !super::wording::is_service(nick.as_str()) {
                    let quoted = format!("(you) {text}");
                    self.tell_buffer(place, &quoted);
                }
                Ok(RichText::plain(format!("Said to {nick}; the conversation has a room.")))
            }
            None => {
                Ok(RichText::plain(format!("The conversation with {nick} has a room; see your invitations.")))
            }
        }
    }

    fn message(&mut self, target: &str, text: &str) -> Outcome {
        let name = self.network.name.clone();
        if target.contains(',') {
            return Err(Refusal::asked("Only one at a time: a list of names can't be sent to."));
        }
        // What waits for the greeting would be lost with the connection, and the user told that it was sent.
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Err(not_connected(&name));
        };
        let budget = link.session.text_budget(target, MessageKind::Privmsg);
        for piece in split_line(text, budget) {
            let line = Line::new("PRIVMSG")
                .middle(target)
                .and_then(|line| line.trailing(piece))
                .map_err(|error| Refusal::asked(format!("{target} or the text can't be sent: {error}.")))?;
            link.session
                .command(line)
                .map_err(|error| Refusal::asked(format!("It was not sent: {error}.")))?;
        }
        Ok(RichText::plain(format!("Sent to {target}.")))
    }

    fn raw(&mut self, text: &str) -> Outcome {
        let name = self.network.name.clone();
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Err(not_connected(&name));
        };
        let line =
            Line::raw(text).map_err(|error| Refusal::asked(format!("The line can't be sent: {error}.")))?;
        link.session.command(line).map_err(|error| Refusal::asked(format!("It was not sent: {error}.")))?;
        Ok(RichText::plain(format!("Sent. What {name} answers stands in its room.")))
    }

    async fn sasl(&mut self, login: Option<(String, SecretString)>) -> Outcome {
        use secrecy::ExposeSecret as _;
        let store = &self.bridge.store;
        let (account, password) = login.unzip();
        let password = password.as_ref().map(SecretString::expose_secret);
        store.set_setting(&settings::SASL_PASSWORD, Scope::Session, self.row.id, password).await?;
        store.set_setting(&settings::SASL_ACCOUNT, Scope::Session, self.row.id, account.as_deref()).await?;
        let name = &self.network.name;
        Ok(match account {
            Some(account) => {
                let text = format!(
                    "From the next connection to {name} on you are logged in as {account}. The password \
                     is stored encrypted. To connect anew, type "
                );
                RichText::plain(text).code("disconnect").text(" and ").code("connect").text(".")
            }
            None => RichText::plain(format!(
                "You will not be logged in to {name} any more. The password is deleted."
            )),
        })
    }

    async fn show_sasl(&mut self) -> Outcome {
        let account = self.bridge.store.setting(&settings::SASL_ACCOUNT, Scope::Session, self.row.id).await?;
        let name = &self.network.name;
        Ok(match account {
            Some(account) => {
                RichText::plain(format!("You log in to {name} as {} (SASL PLAIN).", account.text()))
            }
            None => RichText::plain(format!("You don't log in to {name}. To do so, type "))
                .code("sasl ACCOUNT PASSWORD")
                .text("."),
        })
    }

    /// The buffer of this name, opened where it is new; a channel is wanted from then on.
    pub(super) async fn open_buffer(
        &mut self,
        kind: BufferKind,
        name: &str,
        key: Option<&Key>,
    ) -> Result<usize, StoreError> {
        let creator = match kind {
            BufferKind::Channel => self.bridge.client.bot().to_owned(),
            BufferKind::Query => self.ghost(name).await?.to_string(),
        };
        let new = NewBuffer {
            session: self.row.id,
            network: self.row.network.clone(),
            kind,
            name: name.to_owned(),
            folded: self.buffers.mapping().fold(name),
            key: key.map(|key| key.as_str().to_owned().into()),
            marker: unique(),
            creator,
            owner: self.row.user,
            lane: self.lane.clone(),
            created_at: self.bridge.clock.unix_ms(),
        };
        let row = self.bridge.store.open_buffer(new).await?;
        let place = self.buffers.add(row);
        self.refill(place).await?;
        Ok(place)
    }
}

fn not_connected(network: &str) -> Refusal {
    Refusal::asked(format!("You are not connected to {network}. Type connect first."))
}
