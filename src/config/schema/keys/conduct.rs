//! What Towline does: names, limits, media, and what it tells of itself.

use super::super::{Default, Key, Kind, key, section};

const YEARS: u64 = 10 * 365 * 86_400;

/// In the order of the documentation.
pub(super) const KEYS: &[Key] = &[
    section(
        "templates",
        "What things are called on the other side. Those for ids (`ghost`, `alias`, `shared_alias`) must be settled before first \
         use: ids that exist keep their names.",
    ),
    key(
        "templates.ghost",
        Kind::Text,
        Default::Is("\"irc_{network}_{nick}\""),
        "The localpart of the Matrix user that stands for an IRC nick: a prefix that ends in `_`, `.`, `=`, `/` or \
         `-`, then `{network}`, then a separator that begins with `_`, `.`, `=` or `/`, then `{nick}`.",
    ),
    key(
        "templates.ghost_displayname",
        Kind::Text,
        Default::Is("\"{nick}\""),
        "The display name of such a user. `{nick}` and `{network}`.",
    ),
    key(
        "templates.alias",
        Kind::Text,
        Default::Note("none"),
        "The localpart of the alias of a private room, such as `irc_{user}_{network}_{channel}`; none unless set. \
         A prefix as in `ghost`, then `{user}` and `{network}` in either order, then `{channel}`, with separators \
         that begin with `_`, `.` or `/`.",
    ),
    key(
        "templates.shared_alias",
        Kind::Text,
        Default::Note("none"),
        "The localpart of the alias of a shared room, such as `irc_{network}_{channel}`, or `irc_{channel}` where there is one \
         network; without it there are no shared rooms. Whoever may use the bridge and joins such an alias is in the channel with their own IRC connection, and \
         in one room with all others who did the same. A prefix as in `ghost`, then `{network}`, then a separator that \
         begins with `_`, `.` or `/`, then `{channel}`; or the prefix and `{channel}`. Where `alias` is set, it must begin otherwise. After a change \
         renew the registration.",
    ),
    key(
        "templates.room",
        Kind::Text,
        Default::Is("\"{channel} ({network})\""),
        "The name of a channel's room. `{channel}` and `{network}`.",
    ),
    key(
        "templates.network_room",
        Kind::Text,
        Default::Is("\"{network}\""),
        "The name of a network's room. `{network}`.",
    ),
    key(
        "templates.nick",
        Kind::Text,
        Default::Is("\"{localpart}\""),
        "The nick that a person starts with, where they chose none. `{localpart}` of their Matrix id, `{user_id}`, or \
         `{display}`, their display name: where that has few letters of ours or looks like services, their localpart stands \
         for it, and who has a name that somebody else has got first has a number behind it. Where a network takes only \
         shorter nicks, what stands behind the field stays, as in `{localpart}[m]`.",
    ),
    key(
        "templates.realname",
        Kind::Text,
        Default::Note("what each person chooses"),
        "The real name that people have on IRC, such as `{user_id}`, so that operators know whom they see; then nobody chooses \
         one. `{user_id}`, `{localpart}`, `{display}` and `{nick}`; `{display}` stands behind `{user_id}` where it has both, since \
         servers cut what is long.",
    ),
    key(
        "templates.username",
        Kind::Text,
        Default::Note("`{localpart}`"),
        "What user names (idents) are made of, as `m.{localpart}`: `{localpart}` stands for the letters and digits in it, and \
         up to five other characters stay where the name is cut at nine. Who comes second to a name has their number behind \
         it.",
    ),
    key(
        "settings",
        Kind::Named,
        Default::Note("what is built in"),
        "What people's settings are where they have chosen nothing else: names and values as in `docs/commands.md`, \
         under Settings.",
    ),
    key("settings.*", Kind::Setting, Default::Required, "A setting's value."),
    section(
        "limits",
        "How much Towline takes on. What stands here holds; administrators can set the others while Towline runs, with \
         `limits`.",
    ),
    key(
        "limits.inbox_body",
        Kind::Size(8 << 20, 1 << 30),
        Default::Is("16MiB"),
        "The largest request that the homeserver may send. One that is refused is sent again for ever, so it must \
         be above what the homeserver puts into a transaction.",
    ),
    key(
        "limits.sessions_per_user",
        Kind::Integer(1, 10_000),
        Default::Is("20"),
        "How many networks one person may have open.",
    ),
    key(
        "limits.closed_sessions",
        Kind::Integer(1, 10_000),
        Default::Is("50"),
        "How many networks that one person has closed are kept, with what was said and set there. Who has so \
         many deletes one with `forget` before they open or close another.",
    ),
    key(
        "limits.shared_connections",
        Kind::Integer(0, 1_000_000),
        Default::Is("0"),
        "How many connections to one network are kept up for people in its shared rooms; 0 for as many as there are. Where \
         there is no more, who did nothing for longest, two hours at least, is disconnected for the next, told, and \
         connected again when they write. Nobody is who has rooms of their own on the network.",
    ),
    key(
        "limits.shared_idle",
        Kind::Integer(0, 3_650),
        Default::Is("0"),
        "After how many days of doing nothing somebody who is on a network for its shared rooms alone is disconnected \
         until they write again, and told; 0 for never.",
    ),
    key(
        "limits.channels_per_session",
        Kind::Integer(1, 10_000),
        Default::Is("500"),
        "How many channels one person may be in on one network.",
    ),
    key(
        "limits.outbox",
        Kind::Integer(100, 1_000_000),
        Default::Is("10000"),
        "How many events may wait for one room while the homeserver is away. What is said beyond it goes to the \
         history only, and one event says so; what mentions you and what is said to you alone always waits.",
    ),
    key(
        "limits.membership_calls",
        Kind::Integer(1, 1_000),
        Default::Is("20"),
        "How many requests per second the homeserver gets in the background, to bring people of IRC into rooms and take \
         them out. The first time somebody comes costs five, later ones cost one. Messages never wait for it.",
    ),
    key(
        "limits.refill",
        Kind::Integer(0, 1_000),
        Default::Is("50"),
        "With how many of its last lines a channel's or conversation's room begins when it is made again; 0 for none. \
         They have their own times and notify nobody.",
    ),
    key(
        "limits.lines",
        Kind::Integer(1, 60),
        Default::Is("5"),
        "How many lines one message may become on IRC. Of a longer one go the first lines and a link to all of it, where \
         `media.base_url` allows links; else its sender is asked from 16 lines on. Where a network takes messages of \
         several lines, what it takes as one goes as one.",
    ),
    key(
        "limits.stale_after",
        Kind::Duration(10, YEARS),
        Default::Is("15m"),
        "How old a message from Matrix may be and still be sent to IRC without asking.",
    ),
    key(
        "limits.history",
        Kind::Keep,
        Default::Is("keep"),
        "How long the history is kept, where a network does not say otherwise. People can have it kept shorter, or not \
         at all, for each of their conversations.",
    ),
    section(
        "media",
        "Files and long texts from Matrix, for people on IRC. They get links to a port of Towline's, which you make \
         reachable for everybody, behind a proxy that speaks HTTPS. Without `base_url` there are no links: files go as \
         names and sizes, long texts as lines.",
    ),
    key(
        "media.base_url",
        Kind::Text,
        Default::Note("no links"),
        "What links begin with, such as `https://irc.example.org` or `https://example.org/irc`. What is asked for there \
         goes to `listen`, with the path or without it. Best a host of its own: what people upload is shown there.",
    ),
    key(
        "media.listen",
        Kind::Text,
        Default::Is("127.0.0.1:9010"),
        "The address and port on which Towline hands them out. Nothing is opened there without `base_url`.",
    ),
    key(
        "media.largest",
        Kind::Size(1 << 10, 1 << 40),
        Default::Is("100MiB"),
        "The largest file that is handed out; of larger ones only name and size are said.",
    ),
    key(
        "media.expire",
        Kind::Keep,
        Default::Is("keep"),
        "How long links lead somewhere. They end before that when their message is taken back, or when the history of \
         its conversation is forgotten.",
    ),
    key(
        "media.parallel",
        Kind::Integer(1, 1_000),
        Default::Is("16"),
        "How many requests are answered at once; more wait their turn.",
    ),
    section(
        "pictures",
        "Pictures that people on IRC link to. Who sets `pictures` to `show` sees them in the room; Towline fetches them \
         for that, from the internet only, and puts them on your homeserver.",
    ),
    key(
        "pictures.largest",
        Kind::Size(0, 1 << 27),
        Default::Is("8MiB"),
        "The largest picture that is fetched; with `0B` none is, whatever people have set.",
    ),
    key(
        "pictures.allow_private",
        Kind::Boolean,
        Default::Is("false"),
        "Whether one may be fetched from a private address, too: of this machine, or of its network. Anybody on IRC can \
         link to such a one.",
    ),
    section(
        "double_puppet",
        "What people say from another IRC client appears as themselves, and rooms ring as they want. It needs a second \
         registration, with which Towline may speak as every user of the homeserver.",
    ),
    key(
        "double_puppet.registration_file",
        Kind::File,
        Default::Note("no double puppeting"),
        "The registration that `towline registration --double-puppet` writes, and that the homeserver has been given.",
    ),
    section(
        "ident",
        "The answer to servers that ask whose connection it is (RFC 1413): the person's user name on IRC.",
    ),
    key(
        "ident.listen",
        Kind::Text,
        Default::Note("not answered"),
        "The address and port to answer on, such as `0.0.0.0:113`. Sockets that systemd hands over are used without it.",
    ),
    section("metrics", "What Towline tells Prometheus: docs/metrics.md."),
    key("metrics.enabled", Kind::Boolean, Default::Is("false"), "Whether it does."),
    key(
        "metrics.listen",
        Kind::Text,
        Default::Is("127.0.0.1:9011"),
        "The address and port at which `/metrics` is. Nobody is asked for a password there.",
    ),
    section("log", "What Towline writes to standard error."),
    key(
        "log.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Default::Is("info"),
        "How much is written.",
    ),
    key("log.format", Kind::Choice(&["text", "json"]), Default::Is("text"), "For people, or for programs."),
];
