//! Networks are added and removed while the bridge runs, and their servers change.
//!
//! Each change is made while no session starts: first in the store, then in what everybody looks at. After a crash in
//! between, the next start reads it from the store. Sessions of a network that is gone do not run until it is there again;
//! their rooms, conversations and history stay.

use serde::Serialize;

use super::{Known, Source, read};
use crate::addresses::Reach;
use crate::bridge::{Bridge, Outcome, Refusal};
use crate::config::network::slug_of;
use crate::config::{Server, presets};
use crate::format::RichText;
use crate::names::Slug;
use crate::store::{Adding, NewNetwork, StoreError, User};

/// Networks that administrators add.
const MOST_ADDED: i64 = 500;
/// Servers of a network that was added.
const MOST_SERVERS: usize = 20;
/// A user may have taken so many short names for each network that they may have.
const NAMES_EACH: usize = 4;
/// Bytes of a short name.
const LONGEST_SLUG: usize = 24;
/// Ports below 1024 are other services' but for these, which IRC and bouncers use.
const LOW_PORTS: [u16; 3] = [194, 443, 994];

/// A server to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewServer {
    /// A host's name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether to use TLS.
    pub tls: bool,
    /// Whether the certificate must be valid.
    pub verify: bool,
    /// What the certificate or its key must be.
    #[serde(rename = "fingerprint")]
    pub fingerprints: Vec<String>,
}

impl From<&Server> for NewServer {
    fn from(server: &Server) -> Self {
        Self {
            host: server.host.clone(),
            port: server.port,
            tls: server.tls,
            verify: server.verify,
            fingerprints: server.fingerprints.clone(),
        }
    }
}

/// What the store has of a network, as the configuration would have it. Without servers it is a built-in one's.
#[derive(Serialize)]
struct Definition {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    servers: Vec<NewServer>,
    allow_private: bool,
}

impl Definition {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What became of a network that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Done,
    /// These have it open, and it stays.
    Open(Vec<String>),
    /// None of this short name was added.
    Nothing,
}

impl Bridge {
    /// Adds a network for all.
    pub async fn add_network(&self, slug: &str, server: NewServer, private: bool) -> Outcome {
        let slug = slug_of(slug)
            .map_err(|problem| Refusal::asked(format!("{slug} can't be a short name: {problem}.")))?;
        if let Some(preset) = presets::find(slug.as_str()) {
            let text = format!("{slug} is the short name of {}, and of nothing else. ", preset.name);
            return Err(Refusal::Asked(match self.networks.get(slug.as_str()) {
                Some(_) => RichText::plain(text).text("It is there already."),
                None => RichText::plain(text)
                    .text("To add that, type ")
                    .code(format!("network add {slug}"))
                    .text("."),
            }));
        }
        self.add_for_all(slug, Definition { servers: vec![server], allow_private: private }).await
    }

    /// Adds a built-in network for all that is not there.
    pub async fn add_preset(&self, slug: &str) -> Outcome {
        let slug = Slug::new(slug).map_err(|error| Refusal::asked(error.to_string()))?;
        self.add_for_all(slug, Definition { servers: Vec::new(), allow_private: false }).await
    }

    async fn add_for_all(&self, slug: Slug, definition: Definition) -> Outcome {
        if !self.config.templates.tell_networks_apart() {
            return Err(Refusal::asked(
                "There can be no other network for all here: the aliases of shared rooms do not say of which network they are \
                 (templates.shared_alias in the configuration has no {network}).",
            ));
        }
        let text = definition.text();
        let known = self.read_new(&slug, &text, Source::Administrator)?;
        let name = &known.network.name;
        // People open a network by either name.
        let same = self.networks.public().into_iter().find(|other| {
            let names = [other.network.slug.as_str().to_owned(), other.network.name.to_lowercase()];
            names.contains(&slug.as_str().to_owned()) || names.contains(&name.to_lowercase())
        });
        if let Some(other) = same {
            let Known { network, source } = &*other;
            let text = format!("There is {} already, as {}", network.name, network.slug);
            return Err(Refusal::Asked(match source {
                Source::Configuration => RichText::plain(text)
                    .text("; what the configuration says of it can only be changed there."),
                _ => RichText::plain(text)
                    .text(". To give it another server, type ")
                    .code(format!("network server add {} SERVER", network.slug))
                    .text("."),
            }));
        }
        let new = NewNetwork {
            slug: slug.as_str().to_owned(),
            name: name.clone(),
            owner: None,
            definition: text,
            most: MOST_ADDED,
            most_names: i64::MAX,
        };
        let begin = match self.put_network(new, known.clone()).await? {
            Adding::Added => self.renew_declined(slug.as_str()).await?,
            Adding::TooMany | Adding::TooManyNames => {
                return Err(Refusal::asked(format!("{MOST_ADDED} networks were added, and more can't be.")));
            }
            Adding::Taken => return Err(Refusal::asked(format!("There is {slug} already."))),
        };
        let text = RichText::plain(format!("{name} is there, for all who may use this bridge: "))
            .code(format!("open {slug}"))
            .text(".");
        Ok(match begin {
            0 => text,
            1 => text.text(" One session that was left from before begins again."),
            more => text.text(format!(" {more} sessions that were left from before begin again.")),
        })
    }

    /// Adds a network for one user alone.
    pub async fn add_own_network(&self, user: &User, name: Option<&str>, server: NewServer) -> Outcome {
        self.check_own_server(&server)?;
        let most = self.networks.own().most;
        let slug = match name {
            Some(name) => self.own_slug(user.id, &name.to_ascii_lowercase())?,
            None => self.free_own_slug(user.id, &name_of_host(&server.host))?,
        };
        let text = Definition { servers: vec![server], allow_private: false }.text();
        let source = Source::User { id: user.id, user_id: user.user_id.clone() };
        let known = self.read_new(&slug, &text, source)?;
        let new = NewNetwork {
            slug: slug.as_str().to_owned(),
            name: known.network.name.clone(),
            owner: Some(user.id),
            definition: text,
            most: i64::try_from(most).unwrap_or(i64::MAX),
            most_names: i64::try_from(most.saturating_mul(NAMES_EACH)).unwrap_or(i64::MAX),
        };
        match self.put_network(new, known).await? {
            Adding::Added => {}
            Adding::TooMany => {
                let text = format!(
                    "You have {most} of your own, the most that this bridge allows. To remove one, type "
                );
                return Err(Refusal::Asked(RichText::plain(text).code("network remove NETWORK").text(".")));
            }
            Adding::TooManyNames => {
                return Err(Refusal::asked(
                    "You have had so many networks under other names that only those names are left to you: what was \
                     said there hangs on them. Type network add NAME SERVER with one of them.",
                ));
            }
            Adding::Taken => return Err(Refusal::asked(format!("You have {slug} already."))),
        }
        self.renew_declined(slug.as_str()).await?;
        Ok(RichText::plain("It is there, for you alone, as ")
            .code(slug.as_str())
            .text(". To connect, type ")
            .code(format!("open {slug}"))
            .text("."))
    }

    /// Whether a user may have a network there, as far as can be told before it is dialled.
    fn check_own_server(&self, server: &NewServer) -> Result<(), Refusal> {
        let own = self.networks.own();
        let NewServer { host, port, tls, .. } = server;
        if own.most == 0 {
            let text = "This bridge does not let users add networks of their own; ask its administrator for it. To see \
                        which there are, type ";
            return Err(Refusal::Asked(RichText::plain(text).code("networks").text(".")));
        }
        if !tls && !own.plaintext {
            return Err(Refusal::asked(
                "Without TLS anybody on the way can read and change what is said, and this bridge does not allow it for \
                 networks of your own.",
            ));
        }
        if !own.reach.may_allow(host) {
            return Err(Refusal::asked(format!(
                "{host} is a private address, and no network of a user's own may be at one."
            )));
        }
        if *port < 1024 && !LOW_PORTS.contains(port) {
            return Err(Refusal::asked(format!(
                "{port} is no port of IRC: below 1024 there are 194, 443 and 994."
            )));
        }
        let is_same = |other: &Server| {
            let bare = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
            let is_name = host.parse::<std::net::IpAddr>().is_err();
            bare(&other.host) == bare(host) && (is_name || other.port == *port)
        };
        let known =
            self.networks.public().into_iter().find(|known| known.network.servers.iter().any(is_same));
        match known {
            Some(known) => {
                let Known { network, .. } = &*known;
                let text = RichText::plain(format!("{host} is a server of {}: type ", network.name));
                Err(Refusal::Asked(text.code(format!("open {}", network.slug)).text(".")))
            }
            None => Ok(()),
        }
    }

    fn own_slug(&self, user: i64, name: &str) -> Result<Slug, Refusal> {
        let slug = format!("u{user}-{name}");
        let refuse = |why: &str| {
            let most = LONGEST_SLUG.saturating_sub(slug.len() - name.len());
            Refusal::asked(format!("{name} can't be its name: {why} (up to {most} of a-z, 0-9 and -)."))
        };
        if name.is_empty() {
            return Err(refuse("it is empty"));
        }
        let slug = Slug::new(&slug).map_err(|_| refuse("it is too long, or holds other signs"))?;
        match self.networks.get(slug.as_str()) {
            Some(_) => Err(Refusal::asked(format!("You have {slug} already."))),
            None => Ok(slug),
        }
    }

    /// A short name like this one that is not taken.
    fn free_own_slug(&self, user: i64, name: &str) -> Result<Slug, Refusal> {
        let room = LONGEST_SLUG.saturating_sub(format!("u{user}-").len());
        let cut = |name: &str, room: usize| name[..name.len().min(room)].trim_end_matches('-').to_owned();
        let numbered = (2..=9).map(|number| format!("{}-{number}", cut(name, room.saturating_sub(2))));
        let mut names = std::iter::once(cut(name, room)).chain(numbered);
        let free = names.find_map(|name| self.own_slug(user, &name).ok());
        free.ok_or_else(|| Refusal::asked("Say under which name: network add NAME SERVER."))
    }

    fn read_new(&self, slug: &Slug, definition: &str, source: Source) -> Result<Known, Refusal> {
        let known = read(&self.config, &self.networks.own(), slug.as_str(), definition, source);
        known.map_err(|problem| Refusal::asked(format!("That can't be: {problem}.")))
    }

    /// Stores a network and lets everybody see it.
    async fn put_network(&self, new: NewNetwork, known: Known) -> Result<Adding, StoreError> {
        let _no_session_starts = self.starting.lock().await;
        if self.networks.get(&new.slug).is_some() {
            return Ok(Adding::Taken);
        }
        let adding = self.store.add_network(new, self.clock.unix_ms()).await?;
        if adding == Adding::Added {
            tracing::info!(network = %known.network.slug, source = ?known.source, "a network was added");
            self.load_network_memory().await?;
            self.networks.put(known);
        }
        Ok(adding)
    }

    /// Starts the sessions of a network that did not run for lack of it. Returns how many.
    async fn renew_declined(&self, slug: &str) -> Result<usize, StoreError> {
        let sessions = self.sessions(None);
        let of_network =
            sessions.iter().filter(|session| session.row.network == slug && session.is_declined());
        let left: Vec<i64> = of_network.map(|session| session.row.id).collect();
        drop(sessions);
        self.renew_sessions_of(&left).await?;
        Ok(left.len())
    }

    /// Removes a network that was added; where somebody has it open, only if that is meant.
    pub async fn remove_network(&self, slug: &str, though_open: bool) -> Result<Removal, StoreError> {
        let users = {
            let _no_session_starts = self.starting.lock().await;
            let users = self.store.who_has_open(slug).await?;
            // What the configuration has goes on as it is.
            let users = if self.networks.hides(slug) { Vec::new() } else { users };
            if !users.is_empty() && !though_open {
                return Ok(Removal::Open(users.into_iter().map(|(_, user_id)| user_id).collect()));
            }
            if !self.store.remove_network(slug).await? {
                return Ok(Removal::Nothing);
            }
            self.networks.remove(slug);
            if self.networks.get(slug).is_none() {
                // Before another of this name can be added, and sessions wait for it.
                self.forget_network(slug);
            }
            users
        };
        tracing::info!(network = slug, "a network was removed");
        if self.networks.get(slug).is_none() {
            let sessions = self.sessions(None).into_iter().filter(|session| session.row.network == slug);
            let left: Vec<i64> = sessions.map(|session| session.row.id).collect();
            self.renew_sessions_of(&left).await?;
        }
        for (user, user_id) in &users {
            let text = format!(
                "An administrator has removed {slug} from this bridge, and you are no longer connected to it. What was \
                 said there is kept."
            );
            self.tell(*user, user_id, &RichText::plain(text)).await?;
        }
        Ok(Removal::Done)
    }

    /// The networks of a user who is gone are nobody's any more.
    pub(in crate::bridge) fn forget_own_networks(&self, user: i64) {
        for known in self.networks.all() {
            if known.is_own() && known.is_for(user) {
                let slug = known.network.slug.as_str();
                self.networks.remove(slug);
                self.forget_network(slug);
            }
        }
    }

    /// Gives a network that was added a further server.
    pub async fn add_server(&self, known: &Known, server: NewServer, private: bool) -> Outcome {
        if known.is_own() {
            self.check_own_server(&server)?;
        }
        let added = format!("{}:{}", server.host, server.port);
        self.change_servers(known, private, |servers| {
            if servers.iter().any(|other| (&other.host, other.port) == (&server.host, server.port)) {
                return Err(Refusal::asked(format!("{added} is one of its servers already.")));
            }
            if servers.len() >= MOST_SERVERS {
                return Err(Refusal::asked(format!("It has {MOST_SERVERS} servers, and more can't be.")));
            }
            servers.push(server);
            Ok(())
        })
        .await?;
        Ok(RichText::plain(format!(
            "{added} is a server of {} from the next connection on.",
            known.network.slug
        )))
    }

    /// Takes a server from a network that was added.
    pub async fn remove_server(&self, known: &Known, host: &str, port: Option<u16>) -> Outcome {
        self.change_servers(known, false, |servers| {
            let before = servers.len();
            let is_it = |server: &NewServer| {
                server.host.eq_ignore_ascii_case(host) && port.is_none_or(|port| port == server.port)
            };
            servers.retain(|server| !is_it(server));
            match (before - servers.len(), servers.len()) {
                (0, _) => Err(Refusal::asked(format!("{host} is none of its servers."))),
                (_, 0) => Err(Refusal::asked("A network has at least one server: add another first.")),
                _ => Ok(()),
            }
        })
        .await?;
        Ok(RichText::plain(format!(
            "{host} is no server of {} any more. Who is connected there stays until that connection ends.",
            known.network.slug
        )))
    }

    async fn change_servers(
        &self,
        known: &Known,
        private: bool,
        change: impl FnOnce(&mut Vec<NewServer>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let slug = &known.network.slug;
        let gone = || Refusal::asked(format!("{slug} is not there any more."));
        let _no_session_starts = self.starting.lock().await;
        // Another change may have come first.
        let now =
            self.networks.get(slug.as_str()).filter(|now| now.source == known.source).ok_or_else(gone)?;
        let mut servers: Vec<NewServer> = now.network.servers.iter().map(NewServer::from).collect();
        change(&mut servers)?;
        let allow_private = !now.is_own() && (private || now.network.reach == Reach::Anywhere);
        let definition = Definition { servers, allow_private }.text();
        let changed = self.read_new(slug, &definition, now.source.clone())?;
        if !self.store.define_network(slug.as_str(), definition).await? {
            return Err(gone());
        }
        self.networks.put(changed);
        Ok(())
    }
}

/// What a network is called after its server: `irc.example.org` is `example`.
fn name_of_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let dashed = |text: &str| {
        let text: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        text.trim_matches('-').to_owned()
    };
    if host.parse::<std::net::IpAddr>().is_ok() {
        return dashed(host);
    }
    let labels: Vec<&str> = host.split('.').collect();
    let is_usual = |label: &str| ["irc", "ircs", "chat", "ssl", "tls", "znc", "bouncer"].contains(&label);
    let name = match labels[..] {
        [first, second, _, ..] if is_usual(first) => second,
        [first, ..] => first,
        [] => "",
    };
    match dashed(name) {
        name if name.is_empty() => "network".to_owned(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("irc.example.org", "example")]
    #[case("Chat.Example.Org.", "example")]
    #[case("example.org", "example")]
    #[case("irc.org", "irc")]
    #[case("localhost", "localhost")]
    #[case("192.0.2.7", "192-0-2-7")]
    #[case("2001:db8::1", "2001-db8--1")]
    #[case("_", "network")]
    fn a_network_is_called_after_its_server(#[case] host: &str, #[case] name: &str) {
        assert_eq!(name_of_host(host), name);
    }
}
