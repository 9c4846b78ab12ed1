//! Checked values → [`Config`]: what must make sense by itself, and what must make sense together.
//!
//! Each function reports what is wrong and goes on with a stand-in, so that everything is said at once; no stand-in
//! leaves `load`, because a report with a problem in it never becomes a configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::problem::{Report, child};
use super::schema::{self, Default};
use super::secret::{self, Environment};
use super::{
    AppService, Config, Database, DoublePuppet, History, Homeserver, Limits, Log, LogFormat, Permission,
    Permissions, Pictures, Plumbers, Templates, media, network, policies, raw,
};
use crate::config::template::{Template, TemplateError};
use crate::names::Slug;

/// Whether a token must be somewhere already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    /// Towline is to run.
    Needed,
    /// The registration is about to be made.
    MayLack,
    /// Only the file itself is looked at, maybe on another machine: every secret that it leaves to another place is
    /// taken to be there.
    Elsewhere,
}

pub(super) struct Resolver<'a> {
    pub(super) folder: &'a Path,
    pub(super) environment: Environment<'a>,
    pub(super) report: &'a mut Report,
    tokens: Tokens,
}

pub(super) fn resolve(
    raw: raw::File,
    file: &Path,
    environment: Environment<'_>,
    tokens: Tokens,
    report: &mut Report,
) -> Config {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut resolver = Resolver { folder, environment, report, tokens };
    let homeserver = resolver.homeserver(raw.homeserver);
    let templates = resolver.templates(raw.templates);
    let appservice = resolver.appservice(raw.appservice);
    resolver.ids(&appservice.bot, &templates, &homeserver.domain);
    let limits = limits(&raw.limits);
    let bot = format!("@{}:{}", appservice.bot, homeserver.domain);
    let networks = network::resolve(&mut resolver, raw.networks.unwrap_or_default(), &templates);
    resolver.networks_apart(&templates, networks.keys().map(Slug::as_str));
    let excluded = raw.excluded.unwrap_or_default();
    Config {
        excluded: policies::excluded(&mut resolver, excluded, &bot, &homeserver.domain),
        policy_lists: policies::lists(&mut resolver, raw.policy_lists.unwrap_or_default()),
        file: file.to_owned(),
        database: resolver.database(raw.database),
        secret_key_file: resolver.key_file(raw.secret_key_file),
        permissions: resolver.permissions(raw.permissions),
        networks,
        own_networks: network::own(&mut resolver, raw.own_networks),
        plumb: super::Plumb {
            by: raw.plumb.by.as_deref().map(Plumbers::from_word).unwrap_or_default(),
            most: raw.plumb.most.unwrap_or_default(),
        },
        settings: raw.settings.unwrap_or_default(),
        limits,
        // Whoever has the text knows.
        limits_given: std::collections::BTreeSet::new(),
        media: media::resolve(&mut resolver, raw.media, appservice.listen),
        pictures: Pictures {
            largest: raw.pictures.largest.unwrap_or_default(),
            allow_private: raw.pictures.allow_private.unwrap_or_default(),
        },
        double_puppet: resolver.double_puppet(raw.double_puppet, tokens),
        ident: resolver.ident(raw.ident),
        metrics: resolver.metrics(raw.metrics),
        log: log(&raw.log),
        homeserver,
        appservice,
        templates,
    }
}

impl<'a> Resolver<'a> {
    /// For a part of a configuration that was checked before.
    pub(super) fn of_part(folder: &'a Path, environment: Environment<'a>, report: &'a mut Report) -> Self {
        Self { folder, environment, report, tokens: Tokens::Needed }
    }
}

impl Resolver<'_> {
    /// A value that the file must give; nothing is added where it was given and is wrong.
    pub(super) fn required<T>(&mut self, value: Option<T>, path: &str) -> Option<T> {
        if value.is_none() && !self.report.knows(path) {
            self.report.add(path, "it is required");
        }
        value
    }

    /// A secret from one of its three places; `None` where it is in none.
    pub(super) fn secret(
        &mut self,
        path: &str,
        value: Option<String>,
        file: Option<String>,
    ) -> Option<SecretString> {
        let variable = schema::variable(path);
        let of_environment = (self.environment)(&variable).filter(|value| !value.is_empty());
        let file_path = format!("{path}_file");
        let given = [value.is_some(), file.is_some(), of_environment.is_some()];
        if given.iter().filter(|&&given| given).count() > 1 {
            let name = path.rsplit('.').next().unwrap_or(path);
            self.report.add(
                path,
                format!("it is given more than once; use one of `{name}`, `{name}_file` and the variable {variable}"),
            );
            return None;
        }
        if let Some(file) = file {
            if self.is_elsewhere() {
                return Some(stand_in(path));
            }
            let read = secret::read(&secret::file(&file, self.folder, self.environment));
            return read.map_err(|message| self.report.add(&file_path, message)).ok();
        }
        value.or(of_environment).map(SecretString::from)
    }

    /// Whether secrets are where nobody looks.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.tokens == Tokens::Elsewhere
    }

    /// Whether something was already said about a secret or its file.
    fn knows_secret(&self, path: &str) -> bool {
        self.report.knows(path) || self.report.knows(&format!("{path}_file"))
    }

    fn homeserver(&mut self, raw: raw::Homeserver) -> Homeserver {
        let url = self.required(raw.url, "homeserver.url").unwrap_or_default();
        let domain = self.required(raw.domain, "homeserver.domain").unwrap_or_default();
        if !domain.is_empty() && <&ruma::ServerName>::try_from(domain.as_str()).is_err() {
            self.report.add("homeserver.domain", "it must be a server's name, such as example.org");
        }
        Homeserver { url: self.url(url, "homeserver.url"), domain }
    }

    /// An address for HTTP, without the slash at its end.
    pub(super) fn url(&mut self, text: String, path: &str) -> String {
        if text.is_empty() {
            return text;
        }
        let problem = match reqwest::Url::parse(&text) {
            Err(_) => Some("it must be a URL, such as https://matrix.example.org"),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                Some("it must begin with http:// or https://")
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Some("it must not have a user or a password")
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                Some("it must end before any ? or #")
            }
            Ok(url) if url.path().contains("/_matrix") => Some("it must end before /_matrix"),
            Ok(_) if !text.is_ascii() || text.contains(char::is_whitespace) => {
                Some("it must not have spaces, and international names go in their xn-- form")
            }
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            self.report.add(path, problem);
        }
        text.trim_end_matches('/').to_owned()
    }

    fn appservice(&mut self, raw: raw::AppService) -> AppService {
        let id = raw.id.unwrap_or_default();
        let in_path = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        if !id.bytes().all(in_path) {
            self.report.add("appservice.id", "only letters, digits and . _ ~ - may stand in it");
        }
        let bot = raw.bot.unwrap_or_default();
        // Synapse refuses a sender whose name changes when it is quoted in a URL, which leaves these.
        let in_localpart = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._/-".contains(&b);
        if !bot.bytes().all(in_localpart) {
            self.report.add(
                "appservice.bot",
                "it must be a localpart such as towline: only a-z, 0-9 and . _ / - may stand in it",
            );
        }
        let (listen, url) = self.addresses(raw.listen, raw.url);
        let registration_file = self.folder.join(raw.registration_file.unwrap_or_default());
        let as_token = self.secret("appservice.as_token", raw.as_token, raw.as_token_file);
        let hs_token = self.secret("appservice.hs_token", raw.hs_token, raw.hs_token_file);
        let (as_token, hs_token) = self.tokens(as_token, hs_token, &registration_file);
        let previous = self.previous_tokens(&registration_file);
        let bot_name = raw.bot_name.map(|name| self.bot_name(name));
        let bot_avatar = raw.bot_avatar.map(|url| network::avatar(self, url, "appservice.bot_avatar"));
        AppService {
            id,
            bot,
            bot_name,
            bot_avatar,
            listen,
            url,
            as_token,
            hs_token,
            registration_file,
            previous,
        }
    }

    /// A name that homeservers take and clients show in a line.
    fn bot_name(&mut self, name: String) -> String {
        if !super::is_display_name(&name) {
            self.report.add("appservice.bot_name", "it must be one line of at most 100 characters");
        }
        name
    }

    /// The second registration, and its token.
    fn double_puppet(&mut self, raw: raw::DoublePuppet, needed: Tokens) -> Option<DoublePuppet> {
        const PATH: &str = "double_puppet.registration_file";
        let registration_file = self.folder.join(raw.registration_file?);
        if self.is_elsewhere() {
            let token = SecretString::default;
            return Some(DoublePuppet { registration_file, as_token: token(), hs_token: token() });
        }
        let found = secret::registration_tokens(&registration_file);
        let (as_token, hs_token) = match found {
            Ok(found) => (found.as_token.unwrap_or_default(), found.hs_token.unwrap_or_default()),
            Err(_) if needed == Tokens::MayLack && !registration_file.exists() => {
                (SecretString::default(), SecretString::default())
            }
            Err(message) => {
                self.report.add(PATH, format!("{message}; `towline registration --double-puppet` makes it"));
                return None;
            }
        };
        let token = as_token.expose_secret();
        if needed == Tokens::Needed && token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            self.report.add(PATH, "it holds no token; `towline registration --double-puppet` makes it anew");
        }
        Some(DoublePuppet { registration_file, as_token, hs_token })
    }

    /// Where to answer who a connection is.
    fn ident(&mut self, raw: raw::Ident) -> Option<SocketAddr> {
        let address = raw.listen?.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        if address.is_none() && !self.report.knows("ident.listen") {
            self.report.add("ident.listen", "it must be an IP address and a port, such as 0.0.0.0:113");
        }
        address
    }

    /// Where to tell Prometheus how it is.
    fn metrics(&mut self, raw: raw::Metrics) -> Option<SocketAddr> {
        let address = raw.listen.and_then(|text| text.parse::<SocketAddr>().ok());
        let address = address.filter(|address| address.port() != 0);
        if address.is_none() && !self.report.knows("metrics.listen") {
            self.report.add("metrics.listen", "it must be an IP address and a port, such as 127.0.0.1:9011");
        }
        address.filter(|_| raw.enabled == Some(true))
    }

    fn addresses(&mut self, listen: Option<String>, url: Option<String>) -> (SocketAddr, String) {
        let parsed = listen.and_then(|text| text.parse::<SocketAddr>().ok());
        if parsed.is_none() && !self.report.knows("appservice.listen") {
            self.report
                .add("appservice.listen", "it must be an IP address and a port, such as 127.0.0.1:9009");
        }
        let listen = parsed.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9009)));
        if listen.port() == 0 {
            self.report
                .add("appservice.listen", "the port must not be 0, since the homeserver has to know it");
        }
        if url.is_none() && listen.ip().is_unspecified() && !self.report.knows("appservice.url") {
            self.report.add(
                "appservice.url",
                "it is required, since `listen` is an address for all interfaces, which nobody can call",
            );
        }
        let url = url.unwrap_or_else(|| format!("http://{listen}"));
        (listen, self.url(url, "appservice.url"))
    }

    /// The tokens; what the file and the environment lack comes from the registration.
    fn tokens(
        &mut self,
        as_token: Option<SecretString>,
        hs_token: Option<SecretString>,
        registration: &Path,
    ) -> (SecretString, SecretString) {
        let lacking = |resolver: &Self, token: &Option<SecretString>, path: &str| {
            token.is_none() && !resolver.knows_secret(path)
        };
        let without_as = lacking(self, &as_token, "appservice.as_token");
        let hs_lacking = lacking(self, &hs_token, "appservice.hs_token");
        let mut pair = (as_token, hs_token);
        if (without_as || hs_lacking) && !self.is_elsewhere() {
            match secret::registration_tokens(registration) {
                Ok(found) => {
                    pair = (pair.0.or(found.as_token), pair.1.or(found.hs_token));
                    self.found(without_as && pair.0.is_none(), "appservice.as_token", registration);
                    self.found(hs_lacking && pair.1.is_none(), "appservice.hs_token", registration);
                }
                Err(_) if self.tokens == Tokens::MayLack && !registration.exists() => {}
                Err(message) => self.report.add(
                    "appservice.registration_file",
                    format!("{message}; it must hold the tokens, since they are not given otherwise: `towline registration` makes it"),
                ),
            }
        }
        let (as_token, hs_token) = (pair.0.unwrap_or_default(), pair.1.unwrap_or_default());
        for (token, path) in [(&as_token, "appservice.as_token"), (&hs_token, "appservice.hs_token")] {
            if !token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
                self.report
                    .add(path, "it must be of visible ASCII characters, since it goes into an HTTP header");
            }
        }
        let same = as_token.expose_secret() == hs_token.expose_secret();
        if same && !as_token.expose_secret().is_empty() {
            self.report.add("appservice.hs_token", "it must differ from `as_token`");
        }
        (as_token, hs_token)
    }

    /// The tokens of before, where they are kept.
    fn previous_tokens(&mut self, registration: &Path) -> Option<(SecretString, SecretString)> {
        let file = super::previous_file(registration);
        if self.is_elsewhere() || !file.exists() {
            return None;
        }
        match secret::registration_tokens(&file) {
            Ok(secret::Tokens { as_token: Some(as_token), hs_token: Some(hs_token) }) => {
                Some((as_token, hs_token))
            }
            Ok(_) => {
                let message = format!("{} lacks a token; delete it", file.display());
                self.report.add("appservice.registration_file", message);
                None
            }
            Err(message) => {
                self.report.add("appservice.registration_file", message);
                None
            }
        }
    }

    fn found(&mut self, missing: bool, path: &str, registration: &Path) {
        if missing && self.tokens == Tokens::Needed {
            let file = registration.display();
            self.report
                .add(path, format!("it is neither given nor in {file}; `towline registration` makes it"));
        }
    }

    fn database(&mut self, raw: raw::Database) -> Database {
        let path = if raw.url_file.is_some() { "database.url_file" } else { "database.url" };
        let given = self.secret("database.url", raw.url, raw.url_file);
        let default = match schema::find("database.url").map(|key| key.default) {
            Some(Default::Is(url)) => url,
            _ => "",
        };
        let url = given.unwrap_or_else(|| default.into());
        let text = url.expose_secret();
        if let Some(file) = text.strip_prefix("sqlite://") {
            let problem = match file {
                "" => Some(
                    "it names no file; write sqlite:// and the file, such as sqlite:///var/lib/towline/towline.db",
                ),
                ":memory:" => Some("a database in memory would lose what Towline has accepted"),
                _ if file.contains(['?', '#']) => Some("a SQLite database takes no parameters"),
                _ => None,
            };
            if let Some(problem) = problem {
                self.report.add(path, problem);
            }
            return Database::Sqlite { path: self.folder.join(file) };
        }
        let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if !is_postgres || reqwest::Url::parse(text).is_err() {
            self.report.add(path, "it must be sqlite:// and a file, or a URL that begins with postgres://");
        }
        Database::Postgres { url }
    }

    fn key_file(&self, file: Option<String>) -> PathBuf {
        secret::file(&file.unwrap_or_default(), self.folder, self.environment)
    }

    fn permissions(&mut self, raw: Option<std::collections::BTreeMap<String, String>>) -> Permissions {
        let Some(raw) = self.required(raw, "permissions") else {
            return Permissions::default();
        };
        for key in raw.keys() {
            let valid = match key.as_str() {
                "*" => true,
                id if id.starts_with('@') => <&ruma::UserId>::try_from(id).is_ok(),
                domain => <&ruma::ServerName>::try_from(domain).is_ok(),
            };
            if !valid {
                let path = child("permissions", key);
                self.report
                    .add(&path, "it must be a Matrix id (@alice:example.org), a server's name or \"*\"");
            }
        }
        let permissions =
            Permissions::new(raw.into_iter().map(|(key, word)| (key, Permission::from_word(&word))));
        if !permissions.admit_anyone() && !self.report.knows("permissions") {
            self.report.add("permissions", "nobody may use the bridge; give someone `user` or `admin`");
        }
        permissions
    }

    fn templates(&mut self, raw: raw::Templates) -> Templates {
        let name = |fields: &'static [&'static str], required| {
            move |text: &str| Template::parse_name(text, fields, required)
        };
        let alias = raw.alias.map(|text| self.template(Some(text), "templates.alias", Template::parse_alias));
        let shared_alias = raw
            .shared_alias
            .map(|text| self.template(Some(text), "templates.shared_alias", Template::parse_shared_alias));
        if let (Some(alias), Some(shared)) = (&alias, &shared_alias)
            && (alias.prefix().starts_with(shared.prefix()) || shared.prefix().starts_with(alias.prefix()))
            && !["templates.alias", "templates.shared_alias"].iter().any(|path| self.report.knows(path))
        {
            let problem = "it must begin otherwise than `templates.alias`, and neither with the other's beginning, so that no \
                           shared room gets the alias of a private one";
            self.report.add("templates.shared_alias", problem);
        }
        Templates {
            ghost: self.template(raw.ghost, "templates.ghost", Template::parse_ghost),
            ghost_displayname: self.template(
                raw.ghost_displayname,
                "templates.ghost_displayname",
                name(&["nick", "network"], "nick"),
            ),
            alias,
            shared_alias,
            room: self.template(raw.room, "templates.room", name(&["channel", "network"], "channel")),
            network_room: self.template(
                raw.network_room,
                "templates.network_room",
                name(&["network"], "network"),
            ),
            nick: self.template(raw.nick, "templates.nick", Template::parse_nick),
            realname: raw
                .realname
                .map(|text| self.template(Some(text), "templates.realname", Template::parse_realname)),
            username: raw
                .username
                .map(|text| self.template(Some(text), "templates.username", Template::parse_username)),
        }
    }

    /// Aliases without a network's name are those of the only one.
    fn networks_apart<'n>(&mut self, templates: &Templates, networks: impl Iterator<Item = &'n str>) {
        const PATH: &str = "templates.shared_alias";
        let networks: Vec<&str> = networks.collect();
        if templates.tell_networks_apart() || networks.len() == 1 || self.report.knows(PATH) {
            return;
        }
        let there = if networks.is_empty() { "none".to_owned() } else { networks.join(", ") };
        let problem = format!(
            "without {{network}} there must be exactly one network, and there are: {there}. Put {{network}} into it, or name one \
             network and set `presets: false`"
        );
        self.report.add(PATH, problem);
    }

    pub(super) fn template(
        &mut self,
        text: Option<String>,
        path: &str,
        parse: impl Fn(&str) -> Result<Template, TemplateError>,
    ) -> Template {
        parse(&text.unwrap_or_default()).unwrap_or_else(|error| {
            if !self.report.knows(path) {
                self.report.add(path, error.to_string());
            }
            Template::default()
        })
    }

    /// What the ids of bot and ghosts must be to each other.
    fn ids(&mut self, bot: &str, templates: &Templates, domain: &str) {
        let prefix = templates.ghost.prefix();
        if !prefix.is_empty() && bot.starts_with(prefix) {
            self.report.add(
                "appservice.bot",
                "the bot's localpart begins as `templates.ghost` does, so it would be taken for a ghost",
            );
        }
        // An id has at most 255 bytes; 24 for the short name and 64 for a nick, which is hashed beyond that.
        let longest = |template: &Template| template.render(&[]).len() + 24 + 64 + domain.len() + 2;
        if longest(&templates.ghost) > 255 {
            self.report
                .add("templates.ghost", "with the server's name it leaves too little of an id's 255 bytes");
        }
        if format!("@{bot}:{domain}").len() > 255 {
            self.report.add("appservice.bot", "with the server's name it is longer than an id's 255 bytes");
        }
    }
}

/// What passes for a secret that is elsewhere: right by itself, and another for each.
fn stand_in(path: &str) -> SecretString {
    if path == "database.url" { "postgres://elsewhere".into() } else { path.into() }
}

fn limits(raw: &raw::Limits) -> Limits {
    Limits {
        inbox_body: raw.inbox_body.unwrap_or_default(),
        sessions_per_user: raw.sessions_per_user.unwrap_or_default(),
        closed_sessions: raw.closed_sessions.unwrap_or_default(),
        shared_connections: raw.shared_connections.unwrap_or_default(),
        shared_idle: raw.shared_idle.unwrap_or_default(),
        channels_per_session: raw.channels_per_session.unwrap_or_default(),
        outbox: raw.outbox.unwrap_or_default(),
        membership_calls: raw.membership_calls.unwrap_or_default(),
        refill: raw.refill.unwrap_or_default(),
        lines: raw.lines.unwrap_or_default(),
        stale_after: Duration::from_secs(raw.stale_after.unwrap_or_default()),
        history: raw.history.map_or(History::Keep, History::of_days),
    }
}

fn log(raw: &raw::Log) -> Log {
    let level = raw.level.as_deref().and_then(|level| level.parse().ok());
    Log {
        level: level.unwrap_or(tracing::Level::INFO),
        format: if raw.format.as_deref() == Some("json") { LogFormat::Json } else { LogFormat::Text },
    }
}

/// A database's URL without its password, wherever it stands.
pub(super) fn redacted(url: &SecretString) -> String {
    let Ok(mut url) = reqwest::Url::parse(url.expose_secret()) else {
        return "postgres://…".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("REDACTED")).is_err() {
        return "postgres://…".to_owned();
    }
    // Parameters may hold a password too, and say nothing that a log needs.
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}
