//! IRC networks, and those that people add.

use super::super::{Default, Key, Kind, key, secret, secret_file, section};

/// In the order of the documentation.
pub(super) const KEYS: &[Key] = &[
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
    key(
        "networks.*.shared.members_of",
        Kind::Named,
        Default::Note("`networks.*.shared.members`"),
        "The same for single channels, such as one whose people are too many, or another where all are to be seen.",
    ),
    key(
        "networks.*.shared.members_of.*",
        Kind::Choice(&["auto", "all", "active", "none"]),
        Default::Required,
        "Who of the channel's people is a member of its room.",
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
];
