//! What Towline needs to run at all: the homeserver, itself, the database, and who may use it.

use super::super::{Default, Key, Kind, key, secret, secret_file, section};

/// In the order of the documentation.
pub(super) const KEYS: &[Key] = &[
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
];
