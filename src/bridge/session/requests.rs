//! What a session can be asked for, by commands.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::super::outcome::{Outcome, Refusal};
use super::attendance::MembersRequest;
use super::charset::CharsetChange;
use super::credentials::{CertificateRequest, LoginRequest};
use super::inquiries::as_it_stands;
use super::loose::Reply;
use super::plumbed::SharedRequest;
use super::profile::ProfileRequest;
use super::say::SayRequest;
use super::shut_out::ONE_OF_SEVERAL;
use super::standing::StandingRequest;
use super::who::LookRequest;
use super::{Actor, ChannelRequest, SessionHandle, Welcome, WishChange, whois, wording};
use crate::format::RichText;
use crate::irc::session::{MessageKind, Standing, State};
use crate::irc::wire::Line;
use crate::names::{Channel, Key, Nick};
use crate::store::{BufferKind, StoreError, Whereabouts};

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
    /// Disconnect until the user does something, and keep the shared rooms.
    SetAside {
        /// Unless they did something after this, in milliseconds since 1970.
        idle_since: i64,
        /// What they are told, as a sentence that goes on.
        why: String,
    },
    /// Disconnect and connect anew, and stay where one is.
    Reconnect,
    /// Be invited to the network room once more.
    Invite {
        /// The room, where the homeserver no longer has it.
        gone: Option<i64>,
    },
    /// Enter a channel, and stay in it over reconnections.
    Join {
        /// The channel.
        channel: Channel,
        /// Its key.
        key: Option<Key>,
        /// Rooms that the homeserver no longer has; if one of them is the channel's, there will be another.
        gone: Vec<i64>,
    },
    /// Something about a channel whose room is shared.
    Shared(SharedRequest),
    /// Leave a channel, and stay out of it.
    Part {
        /// The channel.
        channel: Channel,
        /// What the others read.
        reason: String,
    },
    /// See the channels, and how each stands.
    Channels,
    /// See or change something in a channel.
    Channel(Channel, ChannelRequest),
    /// Take another nick, now and from now on; `None` to see it.
    Nick(Option<Nick>),
    /// Take one of these while that one is in use; `None` to see them.
    Alternatives(Option<Vec<Nick>>),
    /// Open the room of a conversation.
    Query {
        /// With whom.
        nick: Nick,
        /// What to say first.
        text: Option<String>,
        /// Rooms that the homeserver no longer has; if one of them is the conversation's, there will be another.
        gone: Vec<i64>,
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
    /// See who somebody is.
    Whois(Nick),
    /// Drop what waits for a channel or a conversation.
    Stop {
        /// Its name.
        name: String,
    },
    /// See whether the server is still there.
    Probe,
    /// Log in from now on, with a password or by the certificate alone, or no more.
    Sasl(Option<(String, Option<SecretString>)>),
    /// See or change how that is done.
    Login(LoginRequest),
    /// See, make, take or forget the certificate to log in with.
    Certificate(CertificateRequest),
    /// See or change in which charset a conversation is read and written.
    Charset {
        /// Its name; none means the network.
        name: Option<String>,
        /// What.
        change: CharsetChange,
    },
    /// See which capabilities are in force, or change which are asked for.
    Capabilities(WishChange),
    /// What is done about somebody who wrote for the first time: the number of the buffer, and what.
    Welcome(i64, Welcome),
    /// Do from now on as the settings say.
    Manners,
    /// Go another way to the network, unless it is there.
    OtherWay,
    /// Ask no more about the messages of a conversation that did not go.
    DropQuestions {
        /// Its number.
        buffer: i64,
    },
    /// See or change what the server is told of the user when it connects.
    Profile(ProfileRequest),
    /// See or change how the server has the user.
    Standing(StandingRequest),
    /// Say something otherwise than as a message.
    Say(SayRequest),
    /// Look who is there.
    Look(LookRequest),
    /// Try again to enter all channels that keep the user out.
    Rejoin,
    /// Make the members of a channel's room those of the channel.
    Members(MembersRequest),
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request and where its answer goes.
pub(super) type Envelope = (Request, oneshot::Sender<Outcome>);

impl SessionHandle {
    /// Asks the session for something and waits for what it comes to.
    pub async fn ask(&self, request: Request) -> Outcome {
        let (answer, answered) = oneshot::channel();
        // A session that does not run says why, such as a network that is not configured any more.
        let gone = || match self.status().reason {
            Some(reason) => Refusal::asked(format!("It can't be done: {reason}.")),
            None if self.requests.is_closed() => Refusal::Stopping,
            None => Refusal::asked(
                "What came of it is not known. Look how things stand, and type it again if need be.",
            ),
        };
        match tokio::time::timeout(PATIENCE, self.requests.send((request, answer))).await {
            Ok(sent) => sent.map_err(|_| gone())?,
            // Where so much waits, one more that is done at some time would be no help.
            Err(_) => {
                return Err(Refusal::asked(
                    "The network's session has too much to do for that now, and nothing was done. Try again in a minute.",
                ));
            }
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(gone())),
            // A server that is silent is not waited for: the commands that follow may be about that.
            Err(_) => Ok(RichText::plain(
                "It was handed on, and nothing was heard of it so far. Should it fail, the network's room says so.",
            )),
        }
    }

    /// Has the session see whether its server is still there. One that has much to do will find out by itself.
    pub(in crate::bridge) fn probe(&self) {
        let (answer, _) = oneshot::channel();
        let _ = self.requests.try_send((Request::Probe, answer));
    }
}

impl Actor {
    pub(super) async fn on_request(&mut self, (request, answer): Envelope) -> Result<(), StoreError> {
        let ends = matches!(
            request,
            Request::Disconnect { .. } | Request::SetAside { .. } | Request::Reconnect | Request::Stop { .. }
        );
        let reply = self.carry_out(request).await;
        let failure = match &reply {
            Reply::Now(Err(Refusal::Store(error))) => Err(error.clone()),
            _ => Ok(()),
        };
        // Whoever is told that it is done finds it so.
        self.publish_status();
        // Who asked may have gone; what was done is done.
        let _ = self.settle_request(reply, answer);
        match failure {
            Err(error @ (StoreError::Superseded | StoreError::Closed)) => Err(error),
            // Lines of the connection that ended could not be kept, or what came could not be read.
            Err(error) if ends => Err(error),
            // The user was told that it failed; the session itself goes on.
            _ => Ok(()),
        }
    }

    async fn carry_out(&mut self, request: Request) -> Reply {
        match request {
            Request::Connect => self.connect_now().await.into(),
            Request::Disconnect { reason } => self.disconnect_now(&reason).await.into(),
            Request::SetAside { idle_since, why } => Box::pin(self.set_aside(idle_since, &why)).await.into(),
            Request::Reconnect => self.reconnect().await.into(),
            Request::Invite { gone } => self.invite_to_network_room(gone).await.into(),
            Request::Join { channel, key, gone } => self.join(&channel, key, gone).await.into(),
            Request::Shared(request) => Box::pin(self.in_shared(request)).await.into(),
            Request::Part { channel, reason } => self.part(&channel, &reason).await.into(),
            Request::Channels => Reply::Now(Ok(self.channels())),
            Request::Channel(channel, request) => self.in_channel(channel, request).await,
            Request::Alternatives(nicks) => self.alternatives(nicks).await.into(),
            Request::Nick(nick) => self.nick(nick).await.into(),
            Request::Query { nick, text, gone } => self.query(&nick, text, gone).await,
            Request::Message { target, text } => {
                let said = format!("Sent to {target}.");
                self.say_loose(&target, MessageKind::Privmsg, &text, said).into()
            }
            Request::Raw(line) => self.raw(&line),
            Request::Whois(nick) => self.inquire(Line::new("WHOIS").name(&nick).finish(), whois::in_words),
            Request::Stop { name } => self.stop_lines(&name).await.into(),
            Request::Probe => {
                let now = self.now();
                if let Some(link) = &mut self.link {
                    link.session.probe(now);
                }
                Reply::Now(Ok(RichText::new()))
            }
            Request::Sasl(login) => self.sasl(login).await.into(),
            Request::Login(request) => self.login(request).await.into(),
            Request::Certificate(request) => self.certificate(request).await.into(),
            Request::Charset { name, change } => self.charset(name.as_deref(), change).await.into(),
            Request::Capabilities(change) => self.capabilities(change).await.into(),
            Request::Welcome(buffer, welcome) => self.welcome(buffer, welcome).await.into(),
            Request::Manners => self.learn_manners().await.into(),
            Request::OtherWay => Reply::Now(Ok(self.go_other_way().await)),
            Request::DropQuestions { buffer } => self.drop_questions(buffer).await.into(),
            Request::Profile(request) => self.profile(request).await,
            Request::Standing(request) => self.own_standing(request).await,
            Request::Say(request) => self.say_otherwise(request),
            Request::Look(request) => self.look(request).await,
            Request::Rejoin => self.rejoin().into(),
            Request::Members(request) => self.members(request).await.into(),
        }
    }

    async fn connect_now(&mut self) -> Outcome {
        if let Some(link) = &self.link {
            let name = &self.network.name;
            return Ok(RichText::plain(match link.session.registered_at() {
                Some(_) => format!("You are connected to {name} already."),
                None => format!("{name} greets already; its room tells how it goes."),
            }));
        }
        self.connect().await?;
        Ok(RichText::plain(format!("Connecting to {}; its room tells how it goes.", self.network.name)))
    }

    async fn disconnect_now(&mut self, reason: &str) -> Outcome {
        self.disconnect(reason).await?;
        let text = format!("Disconnected from {}. To come back, type ", self.network.name);
        Ok(RichText::plain(text).code("connect").text("."))
    }

    async fn join(&mut self, channel: &Channel, key: Option<Key>, gone: Vec<i64>) -> Outcome {
        let known = self.buffers.find(channel.as_str());
        let is_wanted = known.is_some_and(|place| self.buffers.get(place).row.wanted);
        if !is_wanted && !self.has_room_for_channel(known) {
            let most = self.bridge.limits().channels_per_session;
            return Err(Refusal::asked(format!(
                "You are in as many channels as this bridge allows ({most}), or in the rooms of ten times as many that \
                 you have left. Part some, or leave rooms that you need no more."
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
        if let Some(answer) = self.key_for_shared(known, channel, key.as_ref()).await {
            return answer;
        }
        let before = known.map(|place| self.buffers.get(place).row.room);
        let place = self.open_anew(BufferKind::Channel, channel.as_str(), key.as_ref(), gone).await?;
        let is_anew = before.is_some_and(|room| room != self.buffers.get(place).row.room);
        if self.is_detached(place) {
            self.bring_back(place).await?;
        } else {
            self.invite_owner(place);
        }
        self.buffers.get_mut(place).refused = None;
        let name = &self.network.name;
        let answer = format!("Joining {channel} on {name}.");
        let Some(link) = &self.link else {
            return Ok(RichText::plain(format!("You will be in {channel} when {name} is connected.")));
        };
        if link.session.channel(channel.as_str()).is_none() {
            self.enter(place);
        } else if is_anew {
            return Ok(RichText::plain(format!(
                "The room of {channel} could not be used any more; it gets a new one."
            )));
        } else if self.is_shared(place) && !self.buffers.get(place).parting {
            return Ok(RichText::plain(format!("You are in {channel} already, in its shared room.")));
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

    async fn part(&mut self, channel: &Channel, reason: &str) -> Outcome {
        let Some(place) = self.buffers.find(channel.as_str()) else {
            return Err(Refusal::asked(format!("You are not in {channel}.")));
        };
        // First, since it ends the wish to be there, too.
        self.leave_shared(place, Some("You left the channel."), super::shared::WayBack::Shut).await?;
        let leading = self.leave(place, reason).await?;
        let mut text = if self.is_plumbed(place) {
            let room = self.buffers.get(place).row.room;
            let how = if self.bridge.shows_several(room) { ONE_OF_SEVERAL } else { "write in its room." };
            format!("Leaving {channel}. To return there, {how}")
        } else if self.is_shared(place) {
            self.left_shared_words(place, channel)
        } else {
            format!("Leaving {channel}. Its room stays; leave it when you like.")
        };
        for one in leading {
            text += &format!(" {one}, which led you there, is no longer tried.");
        }
        Ok(RichText::plain(text))
    }

    /// Out of a buffer's channel, for good. Returns those that led there: entering them again would undo it.
    pub(super) async fn leave(&mut self, place: usize, reason: &str) -> Result<Vec<Channel>, StoreError> {
        self.set_wanted(place, false).await?;
        let buffer = self.buffers.get_mut(place);
        let (Some(link), Ok(channel)) = (&mut self.link, Channel::new(&buffer.row.name)) else {
            return Ok(Vec::new());
        };
        buffer.parting = link.session.channel(channel.as_str()).is_some();
        let leading = link.session.part(&channel, reason);
        for one in &leading {
            if let Some(place) = self.buffers.find(one.as_str()) {
                self.set_wanted(place, false).await?;
            }
        }
        Ok(leading)
    }

    /// Whether a channel is entered again after a reconnection.
    pub(super) async fn set_wanted(&mut self, place: usize, wanted: bool) -> Result<(), StoreError> {
        if !wanted {
            self.end_detachment(place);
        }
        let row = &mut self.buffers.get_mut(place).row;
        row.wanted = wanted;
        if row.user == Whereabouts::Offered {
            row.user = Whereabouts::Inside;
        }
        self.bridge.store.set_wanted(row.id, wanted).await
    }

    /// The channels that the user wants to be in, and how each stands.
    fn channels(&self) -> RichText {
        let name = &self.network.name;
        let Some(link) = self.link.as_ref().filter(|link| link.session.state() == State::Ready) else {
            let wanted = self.buffers.wanted_channels();
            return RichText::plain(format!(
                "You are not connected to {name}. When you are, you will be in {wanted} channels."
            ));
        };
        let now = self.now();
        let (mut joined, mut others) = (Vec::new(), Vec::new());
        for (channel, standing) in link.session.wishes() {
            let lines = if matches!(standing, Standing::Joined) { &mut joined } else { &mut others };
            let mut how = wording::standing(standing, now);
            if self.buffers.find(channel.as_str()).is_some_and(|place| self.is_detached(place)) {
                how += ", detached";
            }
            lines.push(RichText::new().bold(channel.as_str()).text(format!(": {how}")));
        }
        if joined.is_empty() && others.is_empty() {
            return RichText::plain(format!("You are in no channel of {name}. Type "))
                .code("join #channel")
                .text(".");
        }
        let kept_out = format!("{} channels that you are kept out of", others.len());
        let inside = format!("{} channels that you are in", joined.len());
        RichText::new().list(kept_out, others).list(inside, joined)
    }

    pub(super) fn raw(&mut self, text: &str) -> Reply {
        self.on_told_service(text);
        let line = match Line::raw(text) {
            Ok(line) => line,
            Err(error) => {
                return Reply::Now(Err(Refusal::asked(format!("The line can't be sent: {error}."))));
            }
        };
        if line.verb() == "SETNAME"
            && let Some(text) = self.no_choice_of_realname()
        {
            return Reply::Now(Err(Refusal::asked(text)));
        }
        let name = &self.network.name;
        if line.verb() != "QUIT" {
            return self.inquire(line, as_it_stands);
        }
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Reply::Now(Err(not_connected(name)));
        };
        let sent = link.session.command(line);
        let sent = sent.map_err(|error| Refusal::asked(format!("It was not sent: {error}.")));
        Reply::Now(sent.map(|()| RichText::plain("Sent.")))
    }

    fn rejoin(&mut self) -> Outcome {
        let name = &self.network.name;
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Err(not_connected(name));
        };
        let channels = link.session.rejoin();
        let names: Vec<&str> = channels.iter().map(Channel::as_str).collect();
        Ok(RichText::plain(match names.len() {
            0 => format!("No channel of {name} keeps you out."),
            _ => format!(
                "Trying again to enter {}; the network's room says what comes of it.",
                names.join(", ")
            ),
        }))
    }
}

pub(super) fn not_connected(network: &str) -> Refusal {
    let text = format!("You are not connected to {network}. Type ");
    Refusal::Asked(RichText::plain(text).code("connect").text(" first."))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{mpsc, watch};

    use super::super::Status;
    use super::*;
    use crate::store::SessionRow;

    /// Before, a session that took no requests kept its user's commands waiting for ever.
    #[tokio::test(start_paused = true)]
    async fn a_session_that_takes_no_requests_is_not_waited_for() {
        let (requests, mailbox) = mpsc::channel(1);
        let (status, shown) = watch::channel(Status::default());
        let session = SessionHandle {
            row: SessionRow {
                id: 1,
                user: 1,
                user_id: "@alice:test.local".to_owned(),
                network: "fake".to_owned(),
                name: String::new(),
                connect: true,
            },
            requests,
            passing: mpsc::channel(1).0,
            arrivals: mpsc::channel(1).0,
            wake: Arc::default(),
            status: shown,
        };
        let handed_on = session.ask(Request::Rejoin).await.unwrap().to_plain();
        assert!(handed_on.starts_with("It was handed on"), "{handed_on}");
        let refused = session.ask(Request::Rejoin).await.unwrap_err().to_string();
        assert!(refused.contains("nothing was done"), "{refused}");
        drop((mailbox, status));
    }
}
