//! What is done in a channel by commands: its people, topic, modes, keys and lists.
//!
//! The server decides; what it says is put into words, and where it says nothing the session's own view tells whether
//! it was done. Which modes, ranks and lists there are comes from `ISUPPORT` (invariant 4).

mod banned;
mod bans;
mod by_matrix;
mod door;
mod lists;
mod modes;
mod people;
mod put_out;
mod refusals;
mod timed;
mod topic;

use super::super::outcome::Refusal;
use super::Actor;
use super::link::Link;
use super::loose::Reply;
use super::requests::not_connected;
use crate::format::RichText;
use crate::irc::isupport::Isupport;
pub use crate::irc::lists::ListKind;
use crate::irc::session::State;
use crate::names::{Channel, Key, Nick};

pub(super) use self::banned::TOLD_AGAIN;
pub use self::timed::BanTime;
pub(super) use self::timed::TimedBans;

/// Something that is asked of a session about one of its channels.
#[derive(Debug)]
pub enum ChannelRequest {
    /// See who is in it.
    Names,
    /// See the topic.
    Topic,
    /// Set the topic; an empty one is none.
    SetTopic(String),
    /// See the modes, or change them: what is typed behind `MODE #channel`.
    Modes(Vec<String>),
    /// Give people a rank, or take it from them.
    Rank {
        /// Whether it is given.
        give: bool,
        /// The rank's mode.
        rank: char,
        /// To whom.
        nicks: Vec<Nick>,
    },
    /// Invite people.
    Invite(Vec<Nick>),
    /// Put people out.
    Kick {
        /// Whom.
        nicks: Vec<Nick>,
        /// What they and the others read.
        reason: String,
    },
    /// Put a mask, or people, on a list.
    Ban {
        /// Which list.
        list: ListKind,
        /// Masks, or nicks whose hosts or accounts are meant.
        masks: Vec<String>,
        /// By which account they are, rather than from where.
        by_account: bool,
        /// Put them out as well, with this reason.
        kick: Option<String>,
        /// How long it is to last; none: until somebody takes it back.
        time: Option<BanTime>,
    },
    /// Take what is about a mask or a person from a list.
    Unban {
        /// Which list.
        list: ListKind,
        /// Masks or nicks.
        masks: Vec<String>,
    },
    /// See a list.
    List(ListKind),
    /// Stay in it without its room.
    Detach,
    /// Have its room back.
    Attach,
    /// Leave it, and enter it again.
    Cycle(String),
    /// See whether a key is known.
    Key,
    /// Remember the key to enter with; none: forget it.
    SetKey(Option<Key>),
    /// Ask those in it to be let in.
    Knock(String),
    /// Be out of it and of its shared room, because of this.
    ShutOut(String),
    /// Be out of it, if they were to be in it only until they came back to its shared room.
    EndStay,
    /// Say there what people say in its shared room who have no connection of their own, or no longer.
    Relay(bool),
    /// Have its topic be that of its shared room again.
    ShowTopic,
    /// Read in the network's room what became of something that was done there, and be notified.
    Tell(RichText),
}

impl Actor {
    /// Does what is asked about a channel.
    pub(super) async fn in_channel(&mut self, channel: Channel, request: ChannelRequest) -> Reply {
        let step = match request {
            ChannelRequest::Cycle(reason) => return self.cycle(&channel, &reason).await.into(),
            ChannelRequest::Detach => return self.detach_channel(&channel).await.into(),
            ChannelRequest::Attach => return self.attach_channel(&channel).await.into(),
            ChannelRequest::Key => return self.shown_key(&channel).into(),
            ChannelRequest::SetKey(key) => return self.change_key(&channel, key).await.into(),
            ChannelRequest::ShutOut(why) => return Box::pin(self.be_shut_out(&channel, &why)).await.into(),
            ChannelRequest::EndStay => return self.stay_no_longer(&channel).await.into(),
            ChannelRequest::Relay(relays) => return Box::pin(self.set_relay(&channel, relays)).await.into(),
            ChannelRequest::ShowTopic => {
                self.show_topic_again(&channel);
                return Ok(RichText::new()).into();
            }
            ChannelRequest::Tell(text) => {
                self.alert(&text);
                return Ok(RichText::new()).into();
            }
            ChannelRequest::Names => return self.names(&channel).into(),
            ChannelRequest::Topic => self.topic(channel),
            ChannelRequest::SetTopic(topic) => self.change_topic(channel, &topic),
            ChannelRequest::Modes(modes) if modes.is_empty() => self.modes(channel),
            ChannelRequest::Modes(modes) => self.change_modes(channel, &modes),
            ChannelRequest::Rank { give, rank, nicks } => self.change_rank(channel, give, rank, nicks),
            ChannelRequest::Invite(nicks) => self.invite_people(channel, nicks),
            ChannelRequest::Kick { nicks, reason } => self.kick(channel, nicks, &reason),
            ChannelRequest::Ban { list, masks, by_account, kick, time } => {
                self.ban(channel, list, &masks, bans::Manner { by_account, kick, time })
            }
            ChannelRequest::Unban { list, masks } => self.unban(channel, list, masks),
            ChannelRequest::List(list) => self.channel_list(channel, list),
            ChannelRequest::Knock(text) => self.knock(channel, &text),
        };
        Reply::Step(step.into())
    }

    /// The connection, if the greeting is over.
    fn ready(&self) -> Result<&Link, Refusal> {
        let ready = self.link.as_ref().filter(|link| link.session.state() == State::Ready);
        ready.ok_or_else(|| not_connected(&self.network.name))
    }

    /// The connection, if we are in the channel.
    pub(super) fn inside(&self, channel: &Channel) -> Result<&Link, Refusal> {
        let link = self.ready()?;
        if link.session.channel(channel.as_str()).is_some() {
            return Ok(link);
        }
        let text =
            RichText::plain(format!("You are not in {channel} on {}. To enter, type ", self.network.name));
        Err(Refusal::Asked(text.code(format!("join {channel}")).text(".")))
    }

    pub(super) fn isupport(&self) -> Option<&Isupport> {
        self.link.as_ref().map(|link| link.session.isupport())
    }

    /// Whether somebody is in a channel.
    fn is_in(&self, channel: &Channel, nick: &Nick) -> bool {
        let channel = self.link.as_ref().and_then(|link| link.session.channel(channel.as_str()));
        channel.is_some_and(|channel| channel.has(nick.as_str()))
    }
}

/// `a`, `a and b`, `a, b and c`; those beyond a dozen are counted.
fn listed<T: AsRef<str>>(all: &[T]) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = all.iter().take(MOST).map(AsRef::as_ref).collect();
    match (names.split_last(), all.len().saturating_sub(MOST)) {
        (None, _) => String::new(),
        (Some((last, [])), _) => (*last).to_owned(),
        (Some((last, first)), 0) => format!("{} and {last}", first.join(", ")),
        (Some(_), more) => format!("{} and {more} more", names.join(", ")),
    }
}

/// `is` or `are`.
fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
