//! The configuration: one YAML file, checked as a whole, and from then on plain data.
//!
//! [`Config::load`] says everything that is wrong at once, with path and line, and never quotes a value. What it
//! returns is resolved: defaults filled in, names of files absolute, secrets read. Nothing here reads the
//! environment by itself or talks to anything.
//!
//! | module | what it is |
//! |---|---|
//! | [`schema`] | every key with its type, default and meaning: the one table |
//! | `load` | text → checked values; unknown keys, wrong types |
//! | `resolve`, [`network`], `media`, `shared_rooms` | values → [`Config`]; what only makes sense together |
//! | `differences` | what a restart is needed for |
//! | [`secret`] | key, file or environment variable |
//! | [`template`] | names and ids, and the proof that ids can't collide |
//! | [`permissions`], `policies`, [`presets`] | who may, who may not, and where to |
//! | [`bind`] | addresses to dial from |
//! | [`limits`] | the limits one by one |
//! | `lines`, [`problem`] | where in the file, and what to say |

pub mod bind;
mod differences;
pub mod limits;
mod lines;
mod load;
mod media;
pub mod network;
pub mod permissions;
mod policies;
pub mod presets;
pub mod problem;
mod raw;
mod resolve;
pub mod schema;
pub mod secret;
mod shared_rooms;
pub mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use secrecy::SecretString;

pub use self::bind::Bind;
pub use self::permissions::{Permission, Permissions};
pub use self::problem::{ConfigError, Problem};
pub use self::secret::Environment;
pub use self::shared_rooms::SharedRooms;
pub use self::template::Template;
use crate::addresses::Reach;
use crate::names::Slug;

/// Everything that the file, the secrets' files and the environment say.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from, absolute.
    pub file: PathBuf,
    /// The homeserver.
    pub homeserver: Homeserver,
    /// Towline's side of the application service API.
    pub appservice: AppService,
    /// The database.
    pub database: Database,
    /// The key file; see [`secret::read_keys`].
    pub secret_key_file: PathBuf,
    /// Who may use the bridge.
    pub permissions: Permissions,
    /// Masks of those who may not, whatever their permission: of Matrix ids, and of servers' names.
    pub excluded: Vec<String>,
    /// Rooms whose state says who may not: their aliases or ids.
    pub policy_lists: Vec<String>,
    /// The networks of the file and, unless turned off, the presets. While the bridge runs there may be more.
    pub networks: BTreeMap<Slug, Network>,
    /// What users may add.
    pub own_networks: OwnNetworks,
    /// Who may have existing rooms show channels by command.
    pub plumb: Plumb,
    /// What things are called.
    pub templates: Templates,
    /// How much Towline takes on.
    pub limits: Limits,
    /// Those of them that the file gives itself.
    pub limits_given: BTreeSet<String>,
    /// Files and long texts for people on IRC; nothing where they get no links.
    pub media: Option<Media>,
    /// Pictures that links on IRC lead to, for who wants to see them.
    pub pictures: Pictures,
    /// What holds where people have chosen nothing else, by the names of settings, as it was written.
    pub settings: BTreeMap<String, String>,
    /// The second registration, with which Towline speaks as users; nothing where it does not.
    pub double_puppet: Option<DoublePuppet>,
    /// Where to answer servers that ask whose connection it is.
    pub ident: Option<SocketAddr>,
    /// Where to tell Prometheus how it is; nothing where it is not told.
    pub metrics: Option<SocketAddr>,
    /// What it writes.
    pub log: Log,
}

/// The homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homeserver {
    /// Its client API, without a slash at the end.
    pub url: String,
    /// Its name.
    pub domain: String,
}

/// Towline's side of the application service API.
#[derive(Debug, Clone)]
pub struct AppService {
    /// The registration's id.
    pub id: String,
    /// The bot's localpart.
    pub bot: String,
    /// The name that people see of it, where the file says.
    pub bot_name: Option<String>,
    /// Its picture, `mxc://…`, where the file says.
    pub bot_avatar: Option<String>,
    /// Where Towline listens.
    pub listen: SocketAddr,
    /// What the homeserver calls, without a slash at the end.
    pub url: String,
    /// What Towline shows to the homeserver.
    pub as_token: SecretString,
    /// What the homeserver shows to Towline.
    pub hs_token: SecretString,
    /// The registration.
    pub registration_file: PathBuf,
    /// The tokens of before, while the homeserver may still have them: `as_token` and `hs_token`.
    pub previous: Option<(SecretString, SecretString)>,
}

impl AppService {
    /// Where the registration of before is kept while tokens change.
    pub fn previous_file(&self) -> PathBuf {
        previous_file(&self.registration_file)
    }
}

fn previous_file(registration: &Path) -> PathBuf {
    let mut name = registration.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

/// Double puppeting.
#[derive(Debug, Clone)]
pub struct DoublePuppet {
    /// The second registration.
    pub registration_file: PathBuf,
    /// What Towline shows to the homeserver; empty where the registration is about to be made.
    pub as_token: SecretString,
    /// What the homeserver would show to Towline; empty as above.
    pub hs_token: SecretString,
}

/// The database.
#[derive(Clone)]
pub enum Database {
    /// A file, absolute.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// Its URL, which may hold a password.
        url: SecretString,
    },
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

/// Where the database is, without its password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "sqlite://{}", path.display()),
            Self::Postgres { url } => f.write_str(&resolve::redacted(url)),
        }
    }
}

/// An IRC network.
#[derive(Debug, Clone)]
pub struct Network {
    /// The short name, which never changes.
    pub slug: Slug,
    /// The name that people see.
    pub name: String,
    /// The servers, tried in turn; at least one.
    pub servers: Vec<Server>,
    /// The nick that people start with; `{localpart}`, `{display}`, `{user_id}`.
    pub nick: Template,
    /// The real name that people have, whatever they would rather have; `{nick}` besides.
    pub realname: Option<Template>,
    /// The picture of its rooms, `mxc://…`.
    pub avatar: Option<String>,
    /// At which addresses its servers may be.
    pub reach: Reach,
    /// The addresses to dial from, at most one of each family; none: any.
    pub bind: Vec<Bind>,
    /// The way, if it is not straight.
    pub proxy: Option<Proxy>,
    /// The server's password.
    pub password: Option<SecretString>,
    /// How lines that are not UTF-8 are read.
    pub charset: &'static encoding_rs::Encoding,
    /// How fast lines may go.
    pub flood: Flood,
    /// How fast connections may follow each other.
    pub connections: Connections,
    /// Whether passwords may go over a connection without verified TLS.
    pub plaintext_credentials: bool,
    /// Whether it is one of the built-in networks.
    pub preset: bool,
    /// How long its history is kept, where that is not as long as `limits` say.
    pub history: Option<History>,
    /// Channels that rooms show which were there before: their names, and those rooms' ids.
    pub channels: BTreeMap<String, String>,
    /// What its users' settings are where they have chosen nothing else, before what holds for all networks.
    pub settings: BTreeMap<String, String>,
    /// What its shared rooms are like.
    pub shared: SharedRooms,
}

/// Networks that users add for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnNetworks {
    /// How many one person may have; none where that is 0.
    pub most: usize,
    /// Whether they may be without TLS.
    pub plaintext: bool,
    /// At which addresses they may be.
    pub reach: Reach,
}

/// Existing rooms that show channels because somebody types `plumb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plumb {
    /// Who may.
    pub by: Plumbers,
    /// How many such rooms one person may have who is no administrator.
    pub most: u32,
}

/// Who may have existing rooms show channels by command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plumbers {
    /// Nobody.
    Nobody,
    /// The administrators of the bridge.
    #[default]
    Administrators,
    /// Whoever may use the bridge, where those agree who have a say in the room and in the channel.
    Users,
}

impl Plumbers {
    const WORDS: [(&'static str, Self); 3] =
        [("nobody", Self::Nobody), ("administrators", Self::Administrators), ("users", Self::Users)];

    fn from_word(word: &str) -> Self {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, plumbers)| *plumbers).unwrap_or_default()
    }

    /// Whether somebody with this permission may.
    #[must_use]
    pub fn admit(self, permission: Permission) -> bool {
        match self {
            Self::Nobody => false,
            Self::Administrators => permission == Permission::Admin,
            Self::Users => permission >= Permission::User,
        }
    }
}

/// An IRC server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// A host's name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether to use TLS.
    pub tls: bool,
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the certificate must be valid.
    pub verify: bool,
    /// The certificates or public keys that the server may have, where that is written down: SHA-256 or SHA-512 in
    /// lower-case hexadecimal. Then nothing else is asked of its certificate.
    pub fingerprints: Vec<String>,
}

impl Server {
    /// Whether nobody on the way can read what is sent, or answer in the server's place.
    pub fn is_trusted(&self) -> bool {
        self.tls && (self.verify || !self.fingerprints.is_empty())
    }
}

/// How fast lines may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// How many at once after a pause.
    pub burst: u32,
    /// The time between lines after that.
    pub interval: Duration,
}

/// A SOCKS5 proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// A host's name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user name and password that it wants.
    pub login: Option<(String, SecretString)>,
}

/// How fast the connections of all users to a network may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// How many may be on their way at once.
    pub parallel: u32,
    /// The time between two, to begin with.
    pub interval: Duration,
    /// How short it may become; no longer than `interval`.
    pub fastest: Duration,
}

/// What things are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    /// A ghost's localpart; `{network}`, `{nick}`.
    pub ghost: Template,
    /// A ghost's display name; `{nick}`, `{network}`.
    pub ghost_displayname: Template,
    /// A private room's alias; `{user}`, `{network}`, `{channel}`.
    pub alias: Option<Template>,
    /// A shared room's alias; `{network}`, `{channel}`. Without it there are no shared rooms.
    pub shared_alias: Option<Template>,
    /// A channel's room; `{channel}`, `{network}`.
    pub room: Template,
    /// A network's room; `{network}`.
    pub network_room: Template,
    /// A first nick; `{localpart}`, `{display}`, `{user_id}`. A network may have its own: [`Network::nick`].
    pub nick: Template,
    /// A real name; `{nick}` besides. A network may have its own: [`Network::realname`].
    pub realname: Option<Template>,
    /// What user names are made of; `{localpart}`.
    pub username: Option<Template>,
}

impl Templates {
    /// Whether the aliases of shared rooms say of which network they are: else there can be only one for all.
    #[must_use]
    pub fn tell_networks_apart(&self) -> bool {
        // One that could not be read has no fields, and is told of already.
        self.shared_alias.as_ref().is_none_or(|template| template.has("network") || !template.has("channel"))
    }

    /// What the aliases in Towline's namespace begin with.
    pub fn alias_prefix(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.ghost).prefix()
    }
}

/// How much Towline takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest request from the homeserver.
    pub inbox_body: usize,
    /// Networks that one person may have open.
    pub sessions_per_user: u32,
    /// Networks that one person has closed and not had deleted.
    pub closed_sessions: u32,
    /// Connections to one network that are kept up for people in shared rooms; 0 for as many as there are.
    pub shared_connections: u32,
    /// Days after which such a connection is given up that nobody used; 0 for never.
    pub shared_idle: u32,
    /// Channels that one person may be in on one network.
    pub channels_per_session: u32,
    /// How many requests to the homeserver may wait for one room before its lines go to the history only.
    pub outbox: u32,
    /// Requests per second that bring people into rooms and take them out, in the background.
    pub membership_calls: u32,
    /// Lines with which a room begins that is made again.
    pub refill: u32,
    /// Lines that one message may become on IRC before the rest is behind a link.
    pub lines: u32,
    /// The age beyond which a message is not sent to IRC without asking.
    pub stale_after: Duration,
    /// How long history is kept, also of networks that are not configured any more.
    pub history: History,
}

/// How files and long texts are handed out to people on IRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What links begin with, without a slash at the end.
    pub base_url: String,
    /// Where Towline hands them out.
    pub listen: SocketAddr,
    /// Bytes of the largest file.
    pub largest: u64,
    /// How long links lead somewhere.
    pub expire: History,
    /// Requests that are answered at once.
    pub parallel: usize,
}

/// Which pictures are fetched that people on IRC link to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pictures {
    /// Bytes of the largest; 0 for none.
    pub largest: usize,
    /// Whether one may be at a private address.
    pub allow_private: bool,
}

impl Media {
    /// The base URL's path, without a slash at its end.
    pub fn prefix(&self) -> &str {
        let behind_scheme = self.base_url.find("://").map_or(0, |at| at + 3);
        self.base_url[behind_scheme..].find('/').map_or("", |at| &self.base_url[behind_scheme + at..])
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// For ever.
    Keep,
    /// This many days.
    Days(u32),
}

impl History {
    fn of_days(days: u32) -> Self {
        if days == 0 { Self::Keep } else { Self::Days(days) }
    }
}

/// Whether people can see this as somebody's name: one line, not too long for homeservers and lists.
#[must_use]
pub fn is_display_name(text: &str) -> bool {
    let is_line = !text.trim().is_empty() && !text.chars().any(char::is_control);
    is_line && text.chars().count() <= 100
}

/// What Towline writes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// From this level on.
    pub level: tracing::Level,
    /// In which form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Config {
    /// Reads a configuration and everything that it refers to.
    ///
    /// # Errors
    /// With every problem that there is.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        Self::load_with(path, environment, resolve::Tokens::Needed)
    }

    /// As [`Config::load`], for making a registration: a token that is nowhere yet is left empty.
    pub fn load_before_registration(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        Self::load_with(path, environment, resolve::Tokens::MayLack)
    }

    /// As [`Config::load`], for a look at the file alone: secrets that it leaves to other files or to the environment
    /// are not read, and what stands for them is of no use.
    pub fn load_file_only(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        Self::load_with(path, environment, resolve::Tokens::Elsewhere)
    }

    /// Reads a configuration from text, as if it were in this file.
    pub fn parse(text: &str, file: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        load::parse(text, file, environment, resolve::Tokens::Needed)
            .map_err(|problems| ConfigError::Invalid { file: file.to_owned(), problems })
    }

    /// A network that the file has not, from what would stand there under its short name.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn network_from(&self, slug: &Slug, section: &str) -> Result<Network, String> {
        load::network(self, slug, section)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    fn load_with(
        path: &Path,
        environment: Environment<'_>,
        tokens: resolve::Tokens,
    ) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { file: path.to_owned(), source };
        let bytes = fs::read(path).map_err(read)?;
        // Not the file that a link leads to: the files that it names are beside the link.
        let file = std::path::absolute(path).map_err(read)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| read(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8")))?;
        load::parse(&text, &file, environment, tokens)
            .map_err(|problems| ConfigError::Invalid { file: path.to_owned(), problems })
    }

    /// Has whoever knows the settings look at theirs.
    ///
    /// # Errors
    /// With every value that is refused, and why.
    pub fn check_settings(
        &self,
        check: impl Fn(&str, &str) -> Result<(), String>,
    ) -> Result<(), ConfigError> {
        let of_networks = self.networks.values().filter(|network| !network.settings.is_empty());
        let of_networks =
            of_networks.map(|network| (format!("networks.{}.settings", network.slug), &network.settings));
        let sections = std::iter::once(("settings".to_owned(), &self.settings)).chain(of_networks);
        let mut problems = Vec::new();
        for (section, settings) in sections {
            problems.extend(settings.iter().filter_map(|(key, value)| {
                let message = check(key, value).err()?;
                Some(Problem { path: format!("{section}.{key}"), line: None, message })
            }));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid { file: self.file.clone(), problems })
    }

    /// The bot's Matrix id.
    pub fn bot_id(&self) -> String {
        format!("@{}:{}", self.appservice.bot, self.homeserver.domain)
    }

    /// The network that a person means: by its short name or its name, in capitals or not.
    pub fn network(&self, name: &str) -> Option<&Network> {
        let name = name.trim();
        self.networks
            .values()
            .find(|n| n.slug.as_str().eq_ignore_ascii_case(name))
            .or_else(|| self.networks.values().find(|n| n.name.to_lowercase() == name.to_lowercase()))
    }
}
