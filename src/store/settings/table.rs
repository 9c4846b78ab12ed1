//! The settings, each with its values and what they mean.

use super::{Kind, Scope, Setter, Setting};

/// A setting with a command of its own.
pub(super) const OF_ITS_OWN: Setting = Setting {
    key: "",
    meaning: "",
    scopes: &[],
    setter: Setter::Owner,
    secret: false,
    in_room: false,
    kind: Kind::Own,
};

/// Where a user may want a conversation otherwise than the others.
const ANYWHERE: &[Scope] = &[Scope::Buffer, Scope::Session, Scope::User];

/// What holds for a person, on one network or everywhere.
const PERSONAL: &[Scope] = &[Scope::Session, Scope::User];

macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident = { $($field:ident: $value:expr),* $(,)? };)*) => {
        $($(#[$meta])* pub const $name: Setting = Setting { $($field: $value,)* ..OF_ITS_OWN };)*
        /// All settings.
        pub const ALL: &[&Setting] = &[$(&$name),*];
    };
}

settings! {
    /// The nick that a session wants.
    NICK = {
        key: "nick", meaning: "the nick to use on IRC; by default from the template",
        scopes: &[Scope::Session, Scope::User], setter: Setter::Owner, secret: false,
    };
    /// What a session takes while that nick is in use.
    NICK_ALTERNATIVES = {
        key: "nick-alternatives", meaning: "the nicks to use while yours is in use, the best first",
        scopes: &[Scope::Session, Scope::User], setter: Setter::Owner, secret: false,
    };
    /// The user name: of a session what it gives, of a user what this bridge vouches for (ident).
    USERNAME = {
        key: "username", meaning: "the user name (ident) to give; by default from the Matrix id",
        scopes: &[Scope::Session, Scope::User], setter: Setter::Owner, secret: false,
    };
    /// The real name of a session.
    REALNAME = {
        key: "realname", meaning: "the real name that WHOIS shows; by default the nick",
        scopes: &[Scope::Session, Scope::User], setter: Setter::Owner, secret: false,
    };
    /// The account for SASL.
    SASL_ACCOUNT = {
        key: "sasl-account", meaning: "the account with the network's services",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// Whether there is a connection without a login.
    LOGIN_REQUIRED = {
        key: "login-required", meaning: "whether there is no connection without a login: on, unless it says off",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// How the account is logged in to.
    LOGIN_METHOD = {
        key: "login-method",
        meaning: "sasl, or nickserv, perhaps with its full address; by default sasl, and nickserv where there is none",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// The certificate that the connection shows, with its key.
    CERTIFICATE = {
        key: "certificate", meaning: "the client certificate and its key, as PEM",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: true,
    };
    /// Capabilities besides those that are asked for anyway, and those to do without.
    CAPABILITIES = {
        key: "capabilities", meaning: "capabilities to ask the server for besides the usual, and to do without",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// In which charset is read and written what is not UTF-8.
    CHARSET = {
        key: "charset", meaning: "the charset that is spoken besides UTF-8; by default as the configuration says",
        scopes: &[Scope::Buffer, Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// In which charset the server writes a conversation's name.
    NAME_CHARSET = {
        key: "name-charset", meaning: "the charset in which the server has last written the name",
        scopes: &[Scope::Buffer], setter: Setter::Owner, secret: false,
    };
    /// Whether a session is closed.
    CLOSED = {
        key: "closed", meaning: "whether the session is closed, and not started until it is opened again",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// When a session's user last did something.
    ACTIVE = {
        key: "active", meaning: "when the session's user last did something there",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// Where a session listens for others.
    LISTENS = {
        key: "listens", meaning: "in which shared rooms the session listens: those with fewer people than this",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// Which command is being carried out.
    ERRAND = {
        key: "errand", meaning: "the command that is being carried out",
        scopes: &[Scope::User], setter: Setter::Owner, secret: false,
    };
    /// What a session's network calls itself.
    NETWORK_NAME = {
        key: "network-name", meaning: "what the network has last called itself",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// How long history is kept.
    HISTORY = {
        key: "history", meaning: "how long what is said is kept; by default as the configuration says",
        scopes: &[Scope::Buffer], setter: Setter::Owner, secret: false,
    };
    /// What whoever a mask fits may do.
    PERMISSION = {
        key: "permission", meaning: "what those whom a mask fits may do, where the configuration does not say",
        scopes: &[Scope::Global], setter: Setter::Admin, secret: false,
    };
    /// How the bot is seen.
    BOT_PROFILE = {
        key: "bot-profile", meaning: "the bot's name and picture, where the configuration does not say",
        scopes: &[Scope::Global], setter: Setter::Admin, secret: false,
    };
    /// How much is taken on.
    LIMIT = {
        key: "limit", meaning: "the value of a limit, where the configuration does not say",
        scopes: &[Scope::Global], setter: Setter::Admin, secret: false,
    };
    /// The password for SASL.
    SASL_PASSWORD = {
        key: "sasl-password", meaning: "the password of that account",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: true,
    };
    /// What is done when a channel is entered.
    ON_JOIN = {
        key: "on-join", meaning: "commands that are carried out when the channel is entered",
        scopes: &[Scope::Buffer], setter: Setter::Owner, secret: true,
    };
    /// Whether signs stand under what somebody writes.
    SIGNS = {
        key: "signs",
        meaning: "whether signs stand under what you write: an hourglass under what waits or takes long, and under a command \
                  whether it was done",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("show", "they do"), ("hide", "they do not; what does not arrive is told all the same")]),
    };
    /// How a small edit is told.
    EDITS = {
        key: "edits", meaning: "how IRC is told of a small edit of what you have just said",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("correction", "s/teh/the/"), ("word", "* the"), ("full", "* the whole new text"),
        ]),
    };
    /// What IRC is told of reactions where it has none.
    REACTIONS = {
        key: "reactions", meaning: "what is told of your reactions where the network has none",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("silent", "nothing"), ("line", "a line, one for those that come together")]),
    };
    /// What IRC is told of redactions where it has none.
    REDACTIONS = {
        key: "redactions", meaning: "what is told of messages that you take back where the network can't take them back",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("silent", "nothing"), ("line", "that you take one back")]),
    };
    /// Whether a conversation says how it is with its other side.
    PRESENCE = {
        key: "presence", meaning: "whether a conversation says that the other is away, back, gone or here again",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("show", "it says so"), ("hide", "it does not")]),
    };
    /// Whether people of IRC have a presence on Matrix.
    SHOW_PRESENCE = {
        key: "show-presence",
        meaning: "whether people of IRC are seen on Matrix as they are there: online, away with why, or offline; all who see \
                  them see it, where the homeserver keeps presence; rooms that people share go by the configuration",
        scopes: PERSONAL,
        kind: Kind::Choice(&[("off", "they have no presence"), ("on", "they have, those nearest to you first")]),
    };
    /// That an administrator was told.
    PRESENCE_TOLD = {
        key: "presence-told", meaning: "whether the user, an administrator, was told that the homeserver keeps no presence",
        scopes: &[Scope::User],
    };
    /// How formatting goes to IRC.
    FORMATTING = {
        key: "formatting", meaning: "how bold text and the like that you write goes to IRC",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("codes", "with the codes of IRC"),
            ("plain", "without any"),
            ("markdown", "with signs, as in **bold**"),
        ]),
    };
    /// What becomes of a spoiler.
    SPOILERS = {
        key: "spoilers", meaning: "what becomes on IRC of a spoiler that you write",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("hide", "it is black on black, or between bars; left out where there is no formatting"),
            ("leave-out", "only its reason is said"),
            ("link", "its reason is said, and a link leads to the rest, where this bridge has an address for links"),
        ]),
    };
    /// What becomes of links to pictures.
    PICTURES = {
        key: "pictures", meaning: "what becomes of pictures that people on IRC link to",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[
            ("link", "they stay links"),
            ("show", "they are shown below the line, where this bridge fetches pictures"),
        ]),
    };
    /// How long a message may be.
    LINES = {
        key: "lines",
        meaning: "how many lines a message of yours may become on IRC before it is shortened to a link, or you are asked",
        scopes: ANYWHERE,
        kind: Kind::Number { least: 1, most: 60, default: 5 },
    };
    /// What becomes of one that is longer.
    LONG_TEXTS = {
        key: "long-texts",
        meaning: "what becomes of a message of yours that would be more lines on IRC than `lines` says",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("link", "its first lines go, and a link to a page with all of it, where this bridge has an address for links"),
            ("ask", "no page is made: all of it goes, from 16 lines on when you agree to that, and above 60 it does not go"),
        ]),
    };
    /// What a command begins with in a conversation's room.
    COMMAND_PREFIX = {
        key: "command-prefix",
        meaning: "what a command begins with in a conversation's room; !irc always does for commands that there are",
        scopes: ANYWHERE,
        kind: Kind::Word { most: 20, default: "!irc" },
    };
    /// Which nicks become pills.
    PILL_LENGTH = {
        key: "pill-length",
        meaning: "how long a nick must be to stand out wherever it is said; shorter ones do where they are spoken to; 0 \
                  for none but yours",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Number { least: 0, most: 99, default: 3 },
    };
    /// Which nicks never do.
    PILL_IGNORE = {
        key: "pill-ignore",
        meaning: "nicks that never stand out where they are said, since they are words as well; yours always does",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Words { most: 50 },
    };
    /// Whether a network has a space.
    SPACE = {
        key: "space", meaning: "whether the rooms of a network stand in a space of their own",
        scopes: &[Scope::Session, Scope::User],
        kind: Kind::Choice(&[("off", "they stand by themselves"), ("on", "they do, with the channels by name")]),
    };
    /// Which room `join` leads to.
    ROOMS = {
        key: "rooms",
        meaning: "which room join leads to where there is none of the channel yet; a session with a name, a join with a key and \
                  a network without shared rooms always have one of your own",
        scopes: PERSONAL,
        kind: Kind::Choice(&[
            ("own", "one of your own"), ("shared", "the shared one: you are invited, and enter by accepting that"),
        ]),
    };
    /// What a channel's room rings for.
    NOTIFY = {
        key: "notify", meaning: "what the room of a channel rings for, where your administrator has set up double puppeting",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("mentions", "what mentions you"), ("all", "whatever your client says"), ("none", "nothing"),
        ]),
    };
    /// That it was explained.
    NOTIFY_EXPLAINED = {
        key: "notify-explained", meaning: "whether it was said how to have a channel's room ring less",
        scopes: &[Scope::User],
    };
    /// What becomes of somebody who writes for the first time.
    STRANGERS = {
        key: "strangers", meaning: "what happens when somebody writes to you for the first time",
        scopes: &[Scope::Session, Scope::User],
        kind: Kind::Choice(&[
            ("open", "a room opens"), ("ask", "what they say waits, and you are asked in the network's room"),
        ]),
    };
    /// What was decided about one of them.
    STRANGER = {
        key: "stranger", meaning: "whether somebody who wrote for the first time waits, is ignored or blocked",
        scopes: &[Scope::Buffer],
    };
    /// Kicks, bans and modes.
    CHANNEL_NEWS = {
        key: "channel-news", meaning: "how a channel's room says who is kicked out and which modes and bans are set",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[
            ("fold", "several at once are one notice"),
            ("show", "each has its notice at once"),
            ("hide", "not at all"),
        ]),
    };
    /// Who of a channel's members is in its room.
    MEMBERS = {
        key: "members", meaning: "who of a channel's people are members of its room",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[
            ("auto", "all while they are fewer than 200, else as with active"),
            ("all", "all, whether they speak or not"),
            ("active", "those who speak, and those who are named; who is silent for a week leaves"),
            ("none", "those who speak, and nobody else; who is silent for a week leaves"),
        ]),
    };
    /// Whether names tell ranks.
    RANKS = {
        key: "ranks", meaning: "whether the names of a channel's operators tell their rank in its room",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[
            ("none", "they do not"),
            ("name", "as IRC writes it: @bob; who has voice alone has nothing before their name"),
        ]),
    };
    /// Joins, parts, quits and changes of nick.
    COMINGS = {
        key: "comings",
        meaning: "how a channel's room says who comes, goes or has another nick, beyond those who spoke there",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[
            ("hide", "not at all"),
            ("fold", "several at once are one notice"),
            ("show", "each has its notice at once"),
        ]),
    };
    /// The password of the server itself.
    SERVER_PASSWORD = {
        key: "server-password", meaning: "the password that the server wants of everybody",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: true,
    };
    /// Whom the user does not want to hear.
    IGNORES = {
        key: "ignores", meaning: "whom you do not want to hear",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// Words that mean the user.
    HIGHLIGHTS = {
        key: "highlights", meaning: "words besides the nick that mean you",
        scopes: PERSONAL, setter: Setter::Owner, secret: false,
    };
    /// Nicks of which the user wants to know.
    MONITORED = {
        key: "monitored", meaning: "the nicks of which you are told when they come and go",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// Commands that run by themselves; passwords may stand in them.
    AUTOCMD = {
        key: "autocmd", meaning: "the commands that run by themselves on each connection",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: true,
    };
    /// That the user is away.
    AWAY = {
        key: "away", meaning: "why the user is away, as long as they are",
        scopes: &[Scope::Session], setter: Setter::Owner, secret: false,
    };
    /// When the user is away by themselves.
    AUTO_AWAY = {
        key: "auto-away",
        meaning: "whether you are away on IRC while your homeserver says that you are idle or gone: on is after two \
                  minutes of that; what you say with away comes first",
        scopes: PERSONAL,
        kind: Kind::Minutes { most: 1440 },
    };
    /// That they are.
    AWAY_BY_ITSELF = {
        key: "away-by-itself", meaning: "whether the user is away since the homeserver says that they are not there",
        scopes: &[Scope::Session],
    };
    /// Whether programs' questions are answered.
    CTCP_REPLIES = {
        key: "ctcp-replies",
        meaning: "whether the questions of other people's programs (CTCP) are answered: few, slowly, and no more than \
                  any program tells",
        scopes: PERSONAL,
        kind: Kind::Choice(&[("on", "they are"), ("off", "they are not")]),
    };
    /// Whether somebody new gets a room.
    AUTOQUERY = {
        key: "autoquery", meaning: "whether a message from somebody without a room makes one",
        scopes: PERSONAL,
        kind: Kind::Choice(&[("on", "it does"), ("off", "it stands in the network's room")]),
    };
    /// Whether we go back after a KICK.
    REJOIN_ON_KICK = {
        key: "rejoin-on-kick", meaning: "whether a channel that threw you out is entered again, once, after a minute",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("on", "it is"), ("off", "it is not")]),
    };
    /// Whether invitations are followed.
    REJOIN_ON_INVITE = {
        key: "rejoin-on-invite",
        meaning: "whether an invitation to a channel that you are not in is followed by itself, a few in ten minutes",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("off", "you are told, and decide"),
            ("known", "to channels that have a room here"),
            ("all", "to all channels"),
        ]),
    };
    /// Where a channel's news stands.
    FORWARD = {
        key: "forward", meaning: "where a channel's news (modes, kicks, who comes and goes) is told",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("off", "in the channel's room"), ("on", "in the network's room")]),
    };
    /// Whether colours are shown.
    COLOURS = {
        key: "colours", meaning: "whether the colours of what is said on IRC are shown",
        scopes: ANYWHERE, in_room: true,
        kind: Kind::Choice(&[("show", "they are"), ("hide", "they are not")]),
    };
    /// Which way a topic goes.
    TOPIC_SYNC = {
        key: "topic-sync",
        meaning: "which way a topic goes between a channel and its room; of a room that people share only the configuration says \
                  what it shows, and you whether what you do there goes to IRC; rooms that were there before keep their own",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("auto", "to a room of your own from IRC, and both ways in a room that people share"),
            ("off", "none"),
            ("irc", "IRC's is shown in the room"),
            ("matrix", "the room's is set on IRC, by you"),
            ("any", "both ways"),
        ]),
    };
    /// How people are called who are relayed.
    RELAY_NAME = {
        key: "relay-name",
        meaning: "what people are called on IRC who have no connection of their own, where a session relays what they say; \
                  who shares a name with somebody in the room has their id behind it",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("display-name", "by the name that people see of them in the room"),
            ("localpart", "by the first part of their id"),
            ("id", "by their id"),
        ]),
    };
    /// What stands around that name.
    RELAY_FORMAT = {
        key: "relay-format",
        meaning: "what stands around the name of who is relayed; brackets of that kind in a name are left out, with their \
                  owner's id behind it",
        scopes: ANYWHERE,
        kind: Kind::Frame { default: "<{name}>" },
    };
    /// Where that name stands.
    RELAY_PREFIX = {
        key: "relay-prefix", meaning: "before which lines of a relayed message the name stands",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("all", "before each"), ("first", "before the first, and before those that would look like somebody else's"),
        ]),
    };
    /// Whether that name calls those on IRC who have it.
    RELAY_ANTIPING = {
        key: "relay-antiping",
        meaning: "whether a character that nobody sees keeps the name of who is relayed from notifying people on IRC",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[
            ("auto", "where somebody in the channel has it as their nick"), ("on", "always"), ("off", "never"),
        ]),
    };
    /// What tells those who are relayed from people of the network.
    RELAY_TAG = {
        key: "relay-tag",
        meaning: "what stands behind the nicks of those who are relayed, where the network lets them have one (RELAYMSG, as \
                  Carol/m); `off`: they have none, and their names stand before what they say, as they do elsewhere",
        scopes: ANYWHERE,
        kind: Kind::Word { most: 10, default: "m" },
    };
    /// Whether notices are relayed.
    RELAY_NOTICES = {
        key: "relay-notices", meaning: "whether notices are relayed, by which bots talk",
        scopes: ANYWHERE,
        kind: Kind::Choice(&[("off", "they are not"), ("on", "they are")]),
    };
}
