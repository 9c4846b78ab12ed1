//! The keys themselves, in the order of the documentation.

use super::{Default, Key, Kind, key, secret, secret_file, section};

const YEARS: u64 = 10 * 365 * 86_400;

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    section("homeserver", "The Matrix homeserver that Towline belongs to."),
    key(
        "homeserver.url",
        Kind::Text,
        Default::Required,
        "Where Towline reaches the homeserver's client API, `http://` or `https://`.",
    ),
    key(
        "homeserver.domain",
        Kind::Text,
        Default::Required,
        "The homeserver's name: what follows the colon in its users' ids.",
    ),
    section("appservice", "Towline as an application service, as its registration describes it."),
    key(
        "appservice.id",
        Kind::Text,
        Default::Is("towline"),
        "The id of the registration. It must not change after the homeserver has it.",
    ),
    key(
        "appservice.bot",
        Kind::Text,
        Default::Is("towline"),
        "The localpart of the bot that people talk to.",
    ),
    key(
        "appservice.bot_name",
        Kind::Text,
        Default::Note("Towline, unless an administrator names it with `bot name`"),
        "The name that people see of the bot.",
    ),
    key(
        "appservice.bot_avatar",
        Kind::Text,
        Default::Note("none, unless an administrator sets one with `bot avatar`"),
        "The bot's picture, an `mxc://` address of an image that the homeserver has.",
    ),
    key(
        "appservice.listen",
        Kind::Text,
        Default::Is("127.0.0.1:9009"),
        "The address and port on which Towline waits for the homeserver.",
    ),
    key(
        "appservice.url",
        Kind::Text,
        Default::Note("`http://` and `listen`"),
        "What the homeserver calls to reach Towline. Needed where `listen` is an address for all interfaces.",
    ),
    secret(
        "appservice.as_token",
        Default::Note("from `registration_file`"),
        "The token with which Towline proves itself to the homeserver.",
    ),
    secret_file("appservice.as_token_file", "A file that holds `as_token`."),
    secret(
        "appservice.hs_token",
        Default::Note("from `registration_file`"),
        "The token with which the homeserver proves itself to Towline.",
    ),
    secret_file("appservice.hs_token_file", "A file that holds `hs_token`."),
    key(
        "appservice.registration_file",
        Kind::File,
        Default::Is("registration.yaml"),
        "The registration that `towline registration` writes. A token that is not given here is read from it.",
    ),
    section("database", "Where Towline keeps rooms, history and its queues."),
    secret(
        "database.url",
        Default::Is("sqlite://towline.db"),
        "`sqlite://` and a file, absolute (three slashes) or relative to this file's folder, or a `postgres://` URL.",
    ),
    secret_file("database.url_file", "A file that holds `url`."),
    key(
        "secret_key_file",
        Kind::File,
        Default::Is("towline.key"),
        "The key that seals passwords and queued messages in the database. Keep a copy of it apart from the \
         database's backups: without it they stay sealed.",
    ),
    key(
        "permissions",
        Kind::Named,
        Default::Required,
        "Who may use Towline. A full Matrix id wins over a server's name, and that over `*`; whoever matches \
         nothing may not. Quote `\"*\"` and ids, as YAML gives `*` and `@` a meaning of their own.",
    ),
    key(
        "permissions.*",
        Kind::Choice(&["none", "user", "admin"]),
        Default::Required,
        "`user` may use the bridge, `admin` may also see and change what belongs to others, `none` is refused.",
    ),
    key(
        "excluded",
        Kind::List,
        Default::Note("nobody"),
        "Who may not use Towline, whatever their permission, but for those to whom `permissions` gives `admin`. Also ghosts: \
         what their nicks say is not shown.",
    ),
    key(
        "excluded[]",
        Kind::Text,
        Default::Required,
        "A mask of Matrix ids, such as `@spam*:example.org`, or of servers' names, such as `*.example.org`; `*` stands for any \
         characters, `?` for one.",
    ),
    key(
        "policy_lists",
        Kind::List,
        Default::Note("none"),
        "Rooms whose state says who is excluded, as moderation bots keep and share them. The bot enters them and follows what \
         changes there.",
    ),
    key(
        "policy_lists[]",
        Kind::Text,
        Default::Required,
        "A room's alias, such as `#list:example.org`, or its id. One for invited people is named by its id, and the bot is \
         invited to it.",
    ),
    key(
        "presets",
        Kind::Boolean,
        Default::Is("true"),
        "Whether the built-in networks (see below) are there without being listed under `networks`.",
    ),
    key(
        "networks",
        Kind::Named,
        Default::Note("the presets"),
        "IRC networks, each under its short name of 1 to 24 of `a-z`, `0-9` and `-`, which never changes. Under \
         the short name of a preset, each key given here replaces that key of the preset (`servers` as a whole) \
         and the rest stays.",
    ),
    section("networks.*", "One network."),
    key(
        "networks.*.name",
        Kind::Text,
        Default::Note("the preset's, or the short name"),
        "The name that people see. It must differ from every other network's.",
    ),
    key(
        "networks.*.servers",
        Kind::List,
        Default::Note("the preset's"),
        "The network's servers, tried in turn. Required where there is no preset.",
    ),
    section("networks.*.servers[]", "One server."),
    key("networks.*.servers[].host", Kind::Text, Default::Required, "A host name or an IP address."),
    key(
        "networks.*.servers[].port",
        Kind::Integer(1, 65_535),
        Default::Note("6697 with TLS, 6667 without"),
        "The port.",
    ),
    key("networks.*.servers[].tls", Kind::Boolean, Default::Is("true"), "Whether to connect with TLS."),
    key(
        "networks.*.servers[].ca_file",
        Kind::File,
        Default::Note("the system's authorities"),
        "A PEM file with the authorities that may have signed this server's certificate.",
    ),
    key(
        "networks.*.servers[].verify",
        Kind::Boolean,
        Default::Is("true"),
        "Whether the server's certificate must be valid. Without it, and without a `fingerprint`, passwords are not sent to \
         the server.",
    ),
    key(
        "networks.*.servers[].fingerprint",
        Kind::List,
        Default::Note("none"),
        "The SHA-256 or SHA-512 of the server's certificate, or of its public key, in hexadecimal. With any here, one of \
         them decides, and neither `verify` nor `ca_file` nor the certificate's age.",
    ),
    key("networks.*.servers[].fingerprint[]", Kind::Text, Default::Note(""), "One fingerprint."),
    key(
        "networks.*.nick",
        Kind::Text,
        Default::Note("`templates.nick`"),
        "A template for the nicks that people start with on this network.",
    ),
    key(
        "networks.*.realname",
        Kind::Text,
        Default::Note("`templates.realname`"),
        "A template for the real names that people have on this network.",
    ),
    key(
        "networks.*.avatar",
        Kind::Text,
        Default::Note("none"),
        "The picture of the network's rooms, an `mxc://` address of an image that the homeserver has.",
    ),
    key(
        "networks.*.allow_private",
        Kind::Boolean,
        Default::Is("false"),
        "Whether the servers may be at addresses that the internet does not route: your own network, this machine.",
    ),
    key(
        "networks.*.bind",
        Kind::List,
        Default::Note("any address of this machine"),
        "The addresses to dial from, at most one of each family; only families that stand here are used. An IPv6 prefix \
         of /32 to /96 gives each person an address of their own, which stays the same.",
    ),
    key(
        "networks.*.bind[]",
        Kind::Text,
        Default::Required,
        "An address, such as `192.0.2.7`, or a prefix, such as `2001:db8:1::/64`.",
    ),
    section(
        "networks.*.proxy",
        "A SOCKS5 proxy to reach the network through, such as Tor. It resolves the names.",
    ),
    key(
        "networks.*.proxy.address",
        Kind::Text,
        Default::Note("no proxy"),
        "Its host and port, such as `127.0.0.1:9050`.",
    ),
    key(
        "networks.*.proxy.user",
        Kind::Text,
        Default::Note("one for each session"),
        "The user name that the proxy wants. Without it each session shows one of its own, so that Tor does not mix them.",
    ),
    secret("networks.*.proxy.password", Default::Note("one for each session"), "The password to `user`."),
    secret_file("networks.*.proxy.password_file", "A file that holds `password`."),
    secret(
        "networks.*.password",
        Default::Note("none"),
        "The password of the server itself, sent as `PASS`.",
    ),
    secret_file("networks.*.password_file", "A file that holds `password`."),
    key(
        "networks.*.charset",
        Kind::Text,
        Default::Is("windows-1252"),
        "How to read what is not UTF-8, as a label of the Encoding Standard. Users choose another with `charset`, and \
         then write in it.",
    ),
    section(
        "networks.*.flood",
        "How fast Towline may send, so that the server does not disconnect it. What a line costs by its bytes and its \
         command is in `docs/operations.md`.",
    ),
    key(
        "networks.*.flood.burst",
        Kind::Integer(1, 1_000),
        Default::Is("5"),
        "How many short lines may go at once after a pause.",
    ),
    key(
        "networks.*.flood.interval_ms",
        Kind::Integer(0, 60_000),
        Default::Is("2000"),
        "The milliseconds between short lines once the burst is spent; long lines and costly commands take longer. 0 for a \
         server that does not limit.",
    ),
    section(
        "networks.*.connections",
        "How fast connections to this network may follow each other, all users together. A network that refuses us for \
         their number makes it slower by itself.",
    ),
    key(
        "networks.*.connections.parallel",
        Kind::Integer(1, 1_000),
        Default::Is("4"),
        "How many may be on their way at once, until the server has taken them.",
    ),
    key(
        "networks.*.connections.interval",
        Kind::Pace(0, 3_600_000),
        Default::Note(
            "`1s`; with the preset `ircnet`, which bans for ten connections in half a minute, `5s`",
        ),
        "The time between two connections to begin with, a quarter more or less; 0 for a network that does not mind.",
    ),
    key(
        "networks.*.connections.fastest",
        Kind::Pace(0, 3_600_000),
        Default::Note("`250ms`, or `interval` where only that is given"),
        "How short this time may become, little by little, while the network takes every connection.",
    ),
    key(
        "networks.*.plaintext_credentials",
        Kind::Boolean,
        Default::Is("false"),
        "Whether passwords may also be sent to a server without verified TLS. Anyone on the way can read them.",
    ),
    key(
        "networks.*.history",
        Kind::Keep,
        Default::Note("`limits.history`"),
        "How long the history of this network is kept.",
    ),
    key(
        "networks.*.channels",
        Kind::Named,
        Default::Note("none"),
        "Channels that existing Matrix rooms show, each with the id of its room: what is said in the one is said in the \
         other. A room may show several; what is said in one of them is not said in the others. The bot must be able to \
         enter the room: invite it. See `docs/operations.md`.",
    ),
    key(
        "networks.*.channels.*",
        Kind::Text,
        Default::Required,
        "A room's id, such as `!AbCdEf:example.org`.",
    ),
    key(
        "networks.*.settings",
        Kind::Named,
        Default::Note("`settings`"),
        "What people's settings are on this network where they have chosen nothing else: as `settings`, and before what \
         stands there.",
    ),
    key("networks.*.settings.*", Kind::Setting, Default::Required, "A setting's value."),
    section(
        "networks.*.shared",
        "What the network's shared rooms are like (`templates.shared_alias`), besides what their channels say. At a reload \
         `published`, `join_rule` and `members` are applied to rooms that exist, too; the others hold for those that are made from then on.",
    ),
    key(
        "networks.*.shared.published",
        Kind::Boolean,
        Default::Is("false"),
        "Whether they stand in the homeserver's room directory: those of channels that are neither secret nor private \
         (`+s`, `+p`) nor closed (`+i`, `+k`), while somebody is there. The homeserver must let the bot publish rooms.",
    ),
    key(
        "networks.*.shared.join_rule",
        Kind::Choice(&["public", "invite"]),
        Default::Is("public"),
        "Whether everybody who knows the alias comes in, and is removed again where they may not use Towline, or only who \
         is invited: whoever may use Towline invites themselves with `join` and the alias.",
    ),
    key(
        "networks.*.shared.federated",
        Kind::Boolean,
        Default::Is("false"),
        "Whether people of other homeservers can be in them. A room stays as it was made.",
    ),
    key(
        "networks.*.shared.room_version",
        Kind::Text,
        Default::Note("the homeserver's own choice"),
        "Their room version, such as `\"11\"`. A room stays as it was made.",
    ),
    key(
        "networks.*.shared.members",
        Kind::Choice(&["auto", "all", "active", "none"]),
        Default::Note("`settings.members`"),
        "Who of a channel's people is a member of its room, as the setting `members` says it in `docs/commands.md`; also in \
         rooms under `channels`, and those that `plumb` has show a channel. What people set for themselves changes nothing there.",
    ),
    section(
        "own_networks",
        "Networks that people add for themselves with `network add irc.example.org`. Nobody else sees them, and their short \
         names are `u`, a number and a name, so that none passes for another network. What all see is under `networks`, or \
         added by an administrator with `network add`.",
    ),
    key(
        "own_networks.most",
        Kind::Integer(0, 100),
        Default::Is("0"),
        "How many one person may have; with 0 nobody adds any, and those that there are do not connect.",
    ),
    key("own_networks.plaintext", Kind::Boolean, Default::Is("false"), "Whether they may be without TLS."),
    key(
        "own_networks.allow_private",
        Kind::List,
        Default::Note("none"),
        "Private addresses at which they may be, too: ranges, such as `10.0.0.0/8`. Whoever may use Towline reaches what \
         listens there as if from this machine.",
    ),
    key("own_networks.allow_private[]", Kind::Text, Default::Required, "A range, or one address."),
    section(
        "plumb",
        "Existing Matrix rooms that show channels because somebody types `plumb`; those that the file names itself are under \
         `networks.*.channels`. See `docs/operations.md`.",
    ),
    key(
        "plumb.by",
        Kind::Choice(&["nobody", "administrators", "users"]),
        Default::Is("administrators"),
        "Who may. Administrators need nobody's consent. With `users` whoever may use Towline does it where both sides agree: in the \
         room whoever may change its name and invites the bot, in the channel an operator. What was agreed before goes on \
         whatever this is.",
    ),
    key(
        "plumb.most",
        Kind::Integer(0, 1_000),
        Default::Is("5"),
        "How many such rooms one person may have who is no administrator.",
    ),
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
         one. `{user_id}`, `{localpart}`, `{display}` and `{nick}`.",
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
