//! The networks of a configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::problem::{child, item};
use super::resolve::Resolver;
use super::{
    Bind, Connections, Flood, History, Network, OwnNetworks, Proxy, Server, Template, Templates, presets,
    raw, shared_rooms,
};
use crate::addresses::{Range, Reach};
use crate::names::{CaseMapping, Channel, Slug};

/// The short name that `towline check` uses to see whether another bridge holds Towline's namespaces.
pub const PROBE: &str = "towline-probe";

pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    raw: BTreeMap<String, raw::Network>,
    templates: &Templates,
) -> BTreeMap<Slug, Network> {
    let mut networks = BTreeMap::new();
    for (slug, network) in raw {
        let path = child("networks", &slug);
        match slug_of(&slug) {
            Ok(slug) => {
                let network = one(resolver, slug.clone(), network, &path, templates);
                networks.insert(slug, network);
            }
            Err(message) => resolver.report.add(&path, message),
        }
    }
    names_differ(resolver, &networks);
    networks
}

/// A short name that a network for all may have.
///
/// # Errors
/// With what is wrong with it.
pub fn slug_of(text: &str) -> Result<Slug, String> {
    let slug = Slug::new(text).map_err(|error| error.to_string())?;
    if text == PROBE {
        return Err("`towline check` uses this short name itself".to_owned());
    }
    let of_user = text.strip_prefix('u').and_then(|rest| rest.split_once('-'));
    if of_user.is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
        return Err("short names of u, a number and - are those of users' own networks".to_owned());
    }
    Ok(slug)
}

/// What users may add.
pub(super) fn own(resolver: &mut Resolver<'_>, raw: raw::OwnNetworks) -> OwnNetworks {
    let mut ranges = Vec::new();
    for (index, text) in (0..).zip(raw.allow_private.unwrap_or_default()) {
        let path = item("own_networks.allow_private", index);
        match Range::parse(&text) {
            Some(range) => ranges.push(range),
            None if resolver.report.knows(&path) => {}
            None => resolver.report.add(
                &path,
                "it must be an IP address or a range of such, as 10.0.0.0/8, with zeros behind its length",
            ),
        }
    }
    OwnNetworks {
        most: raw.most.unwrap_or_default(),
        plaintext: raw.plaintext.unwrap_or_default(),
        reach: Reach::InternetAnd(ranges.into()),
    }
}

/// People open a network by either name, and trust the name that they see.
fn names_differ(resolver: &mut Resolver<'_>, networks: &BTreeMap<Slug, Network>) {
    let mut owners: BTreeMap<String, &Slug> =
        networks.keys().map(|slug| (slug.as_str().to_owned(), slug)).collect();
    for network in networks.values() {
        let owner = *owners.entry(network.name.to_lowercase()).or_insert(&network.slug);
        if owner != &network.slug {
            // Said of the one that the file can change, which is not a preset as it stands.
            let (ours, theirs) = if network.preset { (owner, &network.slug) } else { (&network.slug, owner) };
            let path = child(&child("networks", ours.as_str()), "name");
            resolver.report.add(&path, format!("the network `{theirs}` has the same name"));
        }
    }
}

/// What is said of channels, each of them once.
pub(super) fn of_channels(
    resolver: &mut Resolver<'_>,
    raw: BTreeMap<String, String>,
    path: &str,
    wrong_with: impl Fn(&str) -> Option<&'static str>,
) -> BTreeMap<String, String> {
    let mut channels: BTreeMap<String, String> = BTreeMap::new();
    let mut folded: BTreeMap<String, String> = BTreeMap::new();
    for (name, said) in raw {
        let here = child(path, &name);
        if Channel::new(&name).is_err() {
            resolver.report.add(&here, "it must be the name of a channel, such as \"#tea\", in quotes");
        } else if let Some(problem) = wrong_with(&said) {
            resolver.report.add(&here, problem);
        } else if let Some(other) = folded.insert(CaseMapping::Rfc1459.fold(&name), name.clone()) {
            resolver.report.add(&here, format!("it is the same channel as {other}"));
        } else {
            channels.insert(name, said);
        }
    }
    channels
}

/// What is wrong with the id of a room that shows a channel.
fn wrong_with_room(room: &str) -> Option<&'static str> {
    let is_room = room.len() > 1 && room.len() <= 255 && room.starts_with('!');
    (!is_room || room.contains(|c: char| c.is_whitespace() || c.is_control()))
        .then_some("it must be the id of a room, such as \"!AbCdEf:example.org\"; an alias is none")
}

pub(super) fn one(
    resolver: &mut Resolver<'_>,
    slug: Slug,
    raw: raw::Network,
    path: &str,
    templates: &Templates,
) -> Network {
    let servers_path = child(path, "servers");
    let servers = resolver.required(raw.servers, &servers_path);
    if servers.as_ref().is_some_and(Vec::is_empty) {
        resolver.report.add(&servers_path, "it must have at least one server");
    }
    let servers: Vec<Server> = (0..)
        .zip(servers.unwrap_or_default())
        .map(|(index, raw)| server(resolver, raw, &item(&servers_path, index)))
        .collect();
    let password = resolver.secret(&child(path, "password"), raw.password, raw.password_file);
    let plaintext_credentials = raw.plaintext_credentials.unwrap_or_default();
    let sendable = plaintext_credentials || servers.iter().any(Server::is_trusted) || servers.is_empty();
    if password.is_some() && !sendable {
        resolver.report.add(
            &child(path, "password"),
            "it would never be sent: no server has verified TLS, and `plaintext_credentials` is not set",
        );
    }
    if password.as_ref().is_some_and(|password| !fits_a_line(password)) {
        resolver.report.add(&child(path, "password"), "it must be one line");
    }
    let name = raw.name.unwrap_or_else(|| slug.to_string());
    if name.chars().any(char::is_control) || name.len() > 100 {
        resolver.report.add(&child(path, "name"), "it must be at most 100 bytes, without control characters");
    }
    let nick = match raw.nick {
        None => templates.nick.clone(),
        Some(text) => resolver.template(Some(text), &child(path, "nick"), Template::parse_nick),
    };
    let realname = match raw.realname {
        None => templates.realname.clone(),
        Some(text) => Some(resolver.template(Some(text), &child(path, "realname"), Template::parse_realname)),
    };
    let picture = raw.avatar.map(|address| avatar(resolver, address, &child(path, "avatar")));
    let proxy = proxy(resolver, raw.proxy, &child(path, "proxy"));
    let bind = bind(resolver, raw.bind.unwrap_or_default(), &child(path, "bind"));
    if proxy.is_some() && !bind.is_empty() {
        resolver
            .report
            .add(&child(path, "bind"), "it is of no use with a proxy, which dials from its own address");
    }
    Network {
        bind,
        proxy,
        avatar: picture,
        preset: presets::find(slug.as_str()).is_some(),
        name,
        servers,
        nick,
        realname,
        reach: if raw.allow_private.unwrap_or_default() { Reach::Anywhere } else { Reach::Internet },
        password,
        charset: charset(resolver, raw.charset.as_deref(), &child(path, "charset")),
        flood: Flood {
            burst: raw.flood.burst.unwrap_or_default(),
            interval: Duration::from_millis(raw.flood.interval_ms.unwrap_or_default()),
        },
        connections: connections(resolver, &raw.connections, &child(path, "connections")),
        plaintext_credentials,
        history: raw.history.map(History::of_days),
        channels: of_channels(
            resolver,
            raw.channels.unwrap_or_default(),
            &child(path, "channels"),
            wrong_with_room,
        ),
        settings: raw.settings.unwrap_or_default(),
        shared: shared_rooms::resolve(resolver, raw.shared, &child(path, "shared")),
        slug,
    }
}

/// The addresses to dial from.
fn bind(resolver: &mut Resolver<'_>, texts: Vec<String>, path: &str) -> Vec<Bind> {
    let mut binds: Vec<Bind> = Vec::new();
    for (index, text) in (0..).zip(texts) {
        let path = item(path, index);
        match Bind::parse(&text) {
            Ok(bind) if binds.iter().any(|other| other.is_ipv6() == bind.is_ipv6()) => {
                resolver.report.add(&path, "there may be only one of each family, IPv4 and IPv6");
            }
            Ok(bind) => binds.push(bind),
            Err(problem) if !resolver.report.knows(&path) => resolver.report.add(&path, problem),
            Err(_) => {}
        }
    }
    binds
}

fn proxy(resolver: &mut Resolver<'_>, raw: raw::Proxy, path: &str) -> Option<Proxy> {
    let password = resolver.secret(&child(path, "password"), raw.password, raw.password_file);
    let Some(address) = raw.address else {
        if raw.user.is_some() || password.is_some() {
            resolver.report.add(path, "it has no `address`");
        }
        return None;
    };
    let login = match (raw.user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (user, _) => {
            // A password that could not be read has been told.
            let known = resolver.is_elsewhere()
                || ["password", "password_file"].iter().any(|key| resolver.report.knows(&child(path, key)));
            if user.is_none() || !known {
                resolver.report.add(path, "`user` and `password` go together");
            }
            None
        }
    };
    let fits = |text: &str| (1..=255).contains(&text.len());
    if login.as_ref().is_some_and(|(user, password)| !fits(user) || !fits(password.expose_secret())) {
        resolver.report.add(path, "`user` and `password` must have 1 to 255 bytes each");
    }
    let parts = address.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_right =
            bare.map_or(!host.contains(':') && is_host(host), |host| host.parse::<IpAddr>().is_ok());
        is_right.then(|| (bare.unwrap_or(host).to_owned(), port))
    });
    let Some((host, port)) = parts else {
        let problem = "it must be a host and a port, such as 127.0.0.1:9050 or [::1]:9050";
        resolver.report.add(&child(path, "address"), problem);
        return None;
    };
    Some(Proxy { host, port, login })
}

fn connections(resolver: &mut Resolver<'_>, raw: &raw::Connections, path: &str) -> Connections {
    const INTERVAL: Duration = Duration::from_secs(1);
    const FASTEST: Duration = Duration::from_millis(250);
    let given = raw.interval.map(Duration::from_millis);
    let interval = given.unwrap_or(INTERVAL);
    let fastest = raw.fastest.map(Duration::from_millis);
    if fastest.is_some_and(|fastest| fastest > interval) {
        resolver.report.add(&child(path, "fastest"), "it must not be longer than `interval`");
    }
    Connections {
        parallel: raw.parallel.unwrap_or_default(),
        interval,
        fastest: fastest.or(given).unwrap_or(FASTEST),
    }
}

/// The address of a picture that the homeserver has.
pub(super) fn avatar(resolver: &mut Resolver<'_>, address: String, path: &str) -> String {
    if !is_media(&address) {
        resolver.report.add(path, "it must be an mxc:// address, as mxc://example.org/AbCdEf");
    }
    address
}

/// Whether this is `mxc://server/media`, with the alphabet that the specification gives to each.
#[must_use]
pub fn is_media(text: &str) -> bool {
    let Some((server, media)) = text.strip_prefix("mxc://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_server = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let is_media = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    !server.is_empty() && server.chars().all(is_server) && !media.is_empty() && media.chars().all(is_media)
}

fn fits_a_line(password: &secrecy::SecretString) -> bool {
    !password.expose_secret().contains(['\r', '\n', '\0'])
}

fn server(resolver: &mut Resolver<'_>, raw: raw::Server, path: &str) -> Server {
    let host = resolver.required(raw.host, &child(path, "host")).unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host).to_owned();
    if !host.is_empty() && !is_host(&host) {
        resolver.report.add(
            &child(path, "host"),
            "it must be a host's name or an IP address; the port goes under `port`",
        );
    }
    let tls = raw.tls.unwrap_or_default();
    let verify = raw.verify.unwrap_or_default();
    if raw.ca_file.is_some() && !(tls && verify) {
        resolver.report.add(&child(path, "ca_file"), "it is of no use without `tls` and `verify`");
    }
    let fingerprint_path = child(path, "fingerprint");
    let fingerprints = raw.fingerprint.unwrap_or_default();
    if !fingerprints.is_empty() && !tls {
        resolver.report.add(&fingerprint_path, "it is of no use without `tls`");
    }
    let numbered = (0..).zip(fingerprints);
    let read = |(index, text): (usize, String)| {
        let fingerprint = fingerprint(&text);
        let here = item(&fingerprint_path, index);
        if fingerprint.is_none() && !resolver.report.knows(&here) {
            resolver.report.add(&here, "it must be a SHA-256 or SHA-512 in hexadecimal, of 64 or 128 digits");
        }
        fingerprint
    };
    let fingerprints = numbered.filter_map(read).collect();
    Server {
        fingerprints,
        host,
        port: raw.port.unwrap_or(if tls { 6697 } else { 6667 }),
        tls,
        ca_file: raw.ca_file.map(|file| resolver.folder.join(file)),
        verify,
    }
}

/// Hexadecimal as any tool writes it, with colons or without, in the form in which it is compared.
fn fingerprint(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let is_whole = matches!(digits.len(), 64 | 128) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| digits.to_ascii_lowercase())
}

fn is_host(host: &str) -> bool {
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    host.parse::<IpAddr>().is_ok()
        || (host.len() <= 253 && host.bytes().all(of_name) && !host.starts_with(['-', '.']))
}

fn charset(resolver: &mut Resolver<'_>, label: Option<&str>, path: &str) -> &'static encoding_rs::Encoding {
    let found = encoding_rs::Encoding::for_label_no_replacement(label.unwrap_or_default().as_bytes())
        // In UTF-16 a line's end is not the byte that IRC ends lines with; the last one is nobody's alphabet.
        .filter(|&encoding| encoding.is_ascii_compatible() || encoding == encoding_rs::ISO_2022_JP)
        .filter(|&encoding| encoding != encoding_rs::X_USER_DEFINED);
    found.unwrap_or_else(|| {
        if !resolver.report.knows(path) {
            resolver.report.add(
                path,
                "it must be the label of an encoding that contains ASCII, such as utf-8, windows-1252 or koi8-r",
            );
        }
        encoding_rs::WINDOWS_1252
    })
}
