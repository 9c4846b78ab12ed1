//! What a session tells its owner.
//!
//! Only data: how an event is shown, stored or answered is the owner's business. Names are as the server wrote
//! them; whoever uses one as a key folds it (invariant 4).

use std::time::Duration;

use crate::irc::wire::Source;
use crate::names::Key;

use super::inquiries::Answer;
use super::listing::ChannelList;
use super::wishes::Retry;

use super::tags::{MessageTags, Typing};

/// The owner's number for a message that it asked to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// Where a message was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageTarget {
    /// To a channel, or only to its members of a status and above.
    Channel {
        /// The channel's name.
        name: String,
        /// The status' symbol, `@` or `+`.
        status: Option<char>,
    },
    /// To us: a query with the sender.
    Own,
    /// Our own message to a nick, sent from elsewhere.
    Other(String),
}

impl MessageTarget {
    /// Whether all who are in a channel read it.
    pub(super) fn is_everybodys(&self) -> bool {
        matches!(self, Self::Channel { status: None, .. })
    }
}

/// Whether a message was said just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Now, as far as the server says.
    Live,
    /// Earlier: part of the answer to a request of ours.
    History {
        /// The request's number.
        request: u64,
    },
    /// Earlier: repeated by a server or bouncer of its own accord, or by ZNC because it was asked.
    Playback,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingKind {
    /// Ordinary text.
    Privmsg,
    /// Text that no program answers.
    Notice,
    /// `/me`.
    Action,
    /// Another CTCP request; the text is what follows the command.
    Ctcp {
        /// The command, in upper case.
        command: String,
    },
    /// A CTCP reply.
    CtcpReply {
        /// The command, in upper case.
        command: String,
    },
}

/// What a message from the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerMessageKind {
    /// A notice from the server, or to everybody on it.
    Notice,
    /// `WALLOPS`.
    Wallops,
    /// `ERROR`: the server closes the connection.
    Error,
    /// A command that we do not know.
    Other,
}

/// How serious a standard reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// `FAIL`: a command did not work.
    Fail,
    /// `WARN`.
    Warn,
    /// `NOTE`.
    Note,
}

/// What the server says about a command, or about nothing in particular.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandardReply {
    /// How serious it is.
    pub kind: ReplyKind,
    /// The command; none where it is about none.
    pub command: Option<String>,
    /// The word for programs.
    pub code: String,
    /// What it is about: targets, parameters.
    pub context: Vec<String>,
    /// The sentence for people.
    pub text: String,
}

/// What to do after a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Connect again, after the usual backoff.
    Retry,
    /// Not before this time has gone: somebody wanted this connection to end.
    Hold(Duration),
    /// Not before this time has gone: too many connections, or too fast. All who connect from here may be meant.
    Throttled(Duration),
    /// Not before this time has gone: a ban, perhaps of all who connect from here.
    Banned(Duration),
    /// At once, by TLS on this port: the server wants it so.
    UseTls(u16),
    /// Only when the user has changed something.
    NeedUser,
}

/// What is new about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonNews {
    /// They are on the network.
    Here,
    /// They are not.
    Gone,
    /// They are away, and say why.
    Away(String),
    /// They are no longer away.
    Back,
    /// They are logged in to this account.
    LoggedIn(String),
    /// They are logged in to none.
    LoggedOut,
    /// They have another real name.
    RealName(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server has taken us (001).
    Registered {
        /// Our nick, as the server has it.
        nick: String,
        /// The server's name.
        server: String,
    },
    /// The greeting is over; channels are entered now.
    Ready {
        /// What the network calls itself.
        network: Option<String>,
    },
    /// We are logged in to services.
    LoggedIn {
        /// The account.
        account: String,
    },
    /// We are no longer logged in.
    LoggedOut,
    /// For so long, from the end of this connection on, the server wants to be talked to by TLS only; zero takes that
    /// back.
    StrictTransport {
        /// How long.
        duration: Duration,
    },
    /// The login did not work.
    LoginFailed {
        /// It will not work next time either.
        permanent: bool,
        /// The connection ends over it.
        ends: bool,
        /// Why, in a sentence.
        reason: String,
    },
    /// Somebody said something.
    Message {
        /// Who.
        from: Source,
        /// Where.
        target: MessageTarget,
        /// How.
        kind: IncomingKind,
        /// What, with formatting codes as they came.
        text: String,
        /// When, in milliseconds since 1970, if the server says so.
        time: Option<i64>,
        /// The message's id, if it has one.
        msgid: Option<String>,
        /// The sender's account, if the server tells.
        account: Option<String>,
        /// It is from our own nick.
        own: bool,
        /// The user does not want to hear them; told of what all in a channel can read, since others may share its room.
        ignored: bool,
        /// Whether it was said just now.
        origin: Origin,
        /// What it says besides.
        tags: MessageTags,
    },
    /// Somebody reacted to a message, or took that back.
    Reacted {
        /// Where.
        target: MessageTarget,
        /// Who.
        from: Source,
        /// It is from our own nick.
        own: bool,
        /// The message's id.
        msgid: String,
        /// An emoji, or a word.
        key: String,
        /// They took it back.
        removed: bool,
        /// As in [`Event::Message`].
        ignored: bool,
    },
    /// Somebody types, or does no longer.
    Typing {
        /// Where.
        target: MessageTarget,
        /// Who.
        from: Source,
        /// How far they are.
        typing: Typing,
        /// As in [`Event::Message`].
        ignored: bool,
    },
    /// Somebody entered a channel.
    Joined {
        /// The channel.
        channel: String,
        /// Who.
        who: Source,
        /// Their account, if the server tells.
        account: Option<String>,
        /// It is us.
        own: bool,
    },
    /// Somebody left a channel.
    Parted {
        /// The channel.
        channel: String,
        /// Who.
        who: Source,
        /// Why; may be empty.
        reason: String,
        /// It is us.
        own: bool,
    },
    /// Somebody was thrown out of a channel.
    Kicked {
        /// The channel.
        channel: String,
        /// Who was.
        nick: String,
        /// By whom.
        by: Source,
        /// Why; may be empty.
        reason: String,
        /// It is us.
        own: bool,
        /// It is us, and in so long we go back by ourselves.
        back_in: Option<Duration>,
    },
    /// Somebody left the network.
    Quit {
        /// Who.
        who: Source,
        /// Why; may be empty.
        reason: String,
        /// The channels that we shared.
        channels: Vec<String>,
        /// It is us.
        own: bool,
        /// The two servers whose connection broke, if it was for that.
        split: Option<String>,
    },
    /// Somebody has another nick.
    NickChanged {
        /// Who, by the old nick.
        from: Source,
        /// The new nick.
        to: String,
        /// The channels that we share.
        channels: Vec<String>,
        /// It is us.
        own: bool,
    },
    /// A channel's topic.
    Topic {
        /// The channel.
        channel: String,
        /// The topic; empty for none.
        topic: String,
        /// Who set it just now; none: this is how it stands (331, 332).
        by: Option<Source>,
    },
    /// A channel's list of members is whole (366).
    Names {
        /// The channel.
        channel: String,
    },
    /// Modes were changed.
    ModeChanged {
        /// The channel, or our nick.
        target: String,
        /// By whom.
        by: Source,
        /// `+o alice -v bob`.
        changes: String,
        /// The target is us.
        own: bool,
    },
    /// News of somebody else.
    Person {
        /// Their nick.
        nick: String,
        /// What is new.
        news: PersonNews,
    },
    /// Somebody invited somebody, perhaps us.
    Invited {
        /// The channel.
        channel: String,
        /// Who was invited.
        nick: String,
        /// By whom.
        by: Source,
        /// It was us, and we are in the channel, or enter it, since the user wants to be there.
        followed: bool,
    },
    /// A channel did not let us in.
    JoinFailed {
        /// The channel.
        channel: String,
        /// The numeric.
        code: u16,
        /// The server's reason.
        reason: String,
        /// Where the server sends us instead.
        forward: Option<String>,
        /// When it is tried again.
        retry: Retry,
    },
    /// A channel that we asked for has another name: `!name` is `!ABCDEname`, for which we are told of a join next.
    ChannelNamed {
        /// As we asked.
        asked: String,
        /// As the server says.
        channel: String,
    },
    /// A channel's key is another than the one that we know.
    KeyLearnt {
        /// The channel.
        channel: String,
        /// The key.
        key: Key,
    },
    /// Names are compared in another way from now on.
    CasemappingChanged,
    /// The server takes nothing but UTF-8 from now on, or other charsets again.
    Utf8OnlyChanged,
    /// The wanted nick was taken away from us more than once: we no longer ask for it by ourselves.
    NickGivenUp {
        /// The nick.
        nick: String,
    },
    /// The server gave the nick that the user asked for, which is the wanted one from now on.
    NickGiven {
        /// As it was asked for; the server may have cut it.
        nick: String,
    },
    /// A change of nick was refused, after registration.
    NickRefused {
        /// The nick that we asked for.
        nick: String,
        /// The numeric.
        code: u16,
        /// The server's reason.
        reason: String,
    },
    /// The server has taken these messages.
    Confirmed {
        /// In the order in which they were sent.
        messages: Vec<MessageId>,
    },
    /// The server has shown us a message of ours as others see it: it is confirmed. This may also come after
    /// [`Event::Confirmed`] or an uncertain [`Event::Refused`], where the echo is slower than the answer to a
    /// `PING`; then it adds what the message is known by. It comes once for a message.
    Echoed {
        /// Which.
        message: MessageId,
        /// The message's id, if it has one.
        msgid: Option<String>,
        /// When, in milliseconds since 1970, if the server says so.
        time: Option<i64>,
    },
    /// The server has refused these messages, or one of them.
    Refused {
        /// Those that it may be about.
        messages: Vec<MessageId>,
        /// It is the only one that it can be about.
        certain: bool,
        /// The numeric; 0 for `FAIL`.
        code: u16,
        /// The server's reason.
        reason: String,
    },
    /// The server has not taken this message now, and says when it will: it has not left after all, and leaves again
    /// then, before all that waits for the same target, unless its owner withdraws it.
    PutOff {
        /// Which.
        message: MessageId,
        /// The number of the server's answer.
        code: u16,
        /// The server's reason.
        reason: String,
    },
    /// The server has not taken a message of several lines, none of it: it may go as single lines.
    MultilineRefused {
        /// Which.
        message: MessageId,
        /// The server's reason; none where it does not take such messages any more.
        reason: Option<String>,
    },
    /// The server has not taken what was said under somebody's name: it may go otherwise.
    RelayRefused {
        /// Which; all of them at once where it does not take such messages any more.
        messages: Vec<MessageId>,
        /// The server's reason; none where it does not take such messages any more.
        reason: Option<String>,
    },
    /// How far the user has read, as the server knows.
    ReadMarker {
        /// The channel, or the nick.
        target: String,
        /// Up to the message of this time, in milliseconds since 1970.
        time: i64,
    },
    /// A message was taken back.
    Redacted {
        /// Where it was said.
        target: MessageTarget,
        /// The message's id.
        msgid: String,
        /// By whom.
        by: Source,
        /// Why; may be empty.
        reason: String,
    },
    /// A request for history has got all that it gets.
    HistoryEnd {
        /// The request's number.
        request: u64,
        /// What was asked about; empty for a list of targets.
        target: String,
        /// How many messages came, those included that are no [`Event::Message`].
        lines: usize,
        /// Why it was refused.
        failed: Option<String>,
    },
    /// Where something was said.
    HistoryTargets {
        /// The request's number.
        request: u64,
        /// Channels and nicks with the time of the last message there, in milliseconds since 1970.
        targets: Vec<(String, i64)>,
    },
    /// What the server said to a command.
    Answered {
        /// The command's number.
        inquiry: u64,
        /// All of it.
        answer: Answer,
    },
    /// The network's list of channels.
    Listed {
        /// The command's number.
        inquiry: u64,
        /// What came of it.
        list: ChannelList,
        /// What the server said instead, or besides.
        refusal: Option<Answer>,
    },
    /// Any other numeric.
    Numeric {
        /// The numeric.
        code: u16,
        /// Its parameters without our nick, which comes first on the wire.
        params: Vec<String>,
        /// The parameters as one readable line.
        text: String,
    },
    /// The server said something about a command.
    StandardReply(StandardReply),
    /// The server said something.
    ServerMessage {
        /// The server, or an operator.
        from: Source,
        /// How.
        kind: ServerMessageKind,
        /// What.
        text: String,
    },
    /// The connection is to be closed, or is about to be by the server. The last event of a session.
    Disconnect {
        /// Why, in a sentence.
        reason: String,
        /// What to do next.
        verdict: Verdict,
    },
}
