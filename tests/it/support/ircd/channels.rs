//! Channels: who is in them with which modes, joining, leaving, topics, modes.

use std::collections::{BTreeMap, BTreeSet};

use super::modes::Entry;
use super::network::{ClientId, Network};

/// A channel. It stays when it is empty, with what a test arranged for it.
pub(super) struct Channel {
    pub(super) name: String,
    /// Members and their prefix modes, as letters.
    pub(super) members: BTreeMap<ClientId, BTreeSet<char>>,
    pub(super) topic: Option<(String, String)>,
    /// Modes without arguments.
    pub(super) modes: BTreeSet<char>,
    pub(super) key: Option<String>,
    pub(super) limit: Option<usize>,
    /// Bans and the like, by their modes.
    pub(super) lists: BTreeMap<char, Vec<Entry>>,
    pub(super) invited: BTreeSet<ClientId>,
    pub(super) refuse_joins: Option<u16>,
    pub(super) forward: Option<String>,
}

impl Channel {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            members: BTreeMap::new(),
            topic: None,
            modes: BTreeSet::from(['n', 't']),
            key: None,
            limit: None,
            lists: BTreeMap::new(),
            invited: BTreeSet::new(),
            refuse_joins: None,
            forward: None,
        }
    }

    /// Why a client may not join, if so.
    fn refuses(&self, id: ClientId, source: &str, key: Option<&str>) -> Option<(u16, &'static str)> {
        let (nick, address) = source.split_once('!').unwrap_or((source, ""));
        let of_host = format!("*!*@{}", address.split_once('@').map_or("", |(_, host)| host));
        let is_meant = |entry: &Entry| {
            entry.mask.split('!').next() == Some(nick)
                || entry.mask == of_host
                || entry.mask.strip_prefix("*!") == Some(address)
        };
        let banned = self.lists.get(&'b').is_some_and(|bans| bans.iter().any(is_meant));
        let full = self.limit.is_some_and(|limit| self.members.len() >= limit);
        match self.refuse_joins {
            Some(numeric) => Some((numeric, "Cannot join channel")),
            _ if banned => Some((474, "Cannot join channel (+b)")),
            _ if self.modes.contains(&'i') && !self.invited.contains(&id) => {
                Some((473, "Cannot join channel (+i)"))
            }
            _ if self.key.as_deref().is_some_and(|wanted| Some(wanted) != key) => {
                Some((475, "Cannot join channel (+k)"))
            }
            _ if full => Some((471, "Cannot join channel (+l)")),
            _ => None,
        }
    }

    pub(super) fn is_operator(&self, id: ClientId) -> bool {
        self.members
            .get(&id)
            .is_some_and(|modes| modes.iter().any(|mode| matches!(mode, 'q' | 'a' | 'o' | 'h')))
    }

    /// Whether a client may speak here.
    pub(super) fn hears(&self, id: ClientId) -> bool {
        let inside = self.members.get(&id);
        match inside {
            Some(modes) => !self.modes.contains(&'m') || !modes.is_empty(),
            None => !self.modes.contains(&'n') && !self.modes.contains(&'m'),
        }
    }
}

impl Network {
    pub(super) fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.get(&self.fold(name))
    }

    pub(super) fn channel_entry(&mut self, name: &str) -> &mut Channel {
        let folded = self.fold(name);
        self.channels.entry(folded).or_insert_with(|| Channel::new(name))
    }

    pub(super) fn is_channel(&self, name: &str) -> bool {
        let types = self.isupport("CHANTYPES").unwrap_or("#&");
        name.starts_with(|c| types.contains(c)) && !name.contains([' ', ',', '\u{7}'])
    }

    /// The nicks in a channel, sorted.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let members = self.channel(name).into_iter().flat_map(|channel| channel.members.keys());
        let mut names: Vec<_> = members.map(|id| self.clients[id].nick().to_owned()).collect();
        names.sort();
        names
    }

    /// Gives a member a mode without a word.
    pub(super) fn give(&mut self, channel: &str, nick: &str, mode: char) {
        let id = self.find(nick).expect("somebody of that nick");
        let members = &mut self.channel_entry(channel).members;
        members.get_mut(&id).expect("a member").insert(mode);
    }

    pub(super) fn take(&mut self, channel: &str, nick: &str, mode: char) {
        let id = self.find(nick).expect("somebody of that nick");
        let members = &mut self.channel_entry(channel).members;
        members.get_mut(&id).expect("a member").remove(&mode);
    }

    /// `(modes, prefixes)` of ISUPPORT's PREFIX, highest first.
    pub(super) fn prefixes(&self) -> Vec<(char, char)> {
        let token = self.isupport("PREFIX").unwrap_or("(ov)@+").trim_start_matches('(');
        let (modes, symbols) = token.split_once(')').unwrap_or(("", ""));
        modes.chars().zip(symbols.chars()).collect()
    }

    /// A member's prefixes as this reader gets them: all or the highest.
    pub(super) fn prefix(&self, name: &str, id: ClientId, all: bool) -> String {
        let Some(modes) = self.channel(name).and_then(|channel| channel.members.get(&id)) else {
            return String::new();
        };
        let shown =
            self.prefixes().into_iter().filter(|(mode, _)| modes.contains(mode)).map(|(_, symbol)| symbol);
        shown.take(if all { usize::MAX } else { 1 }).collect()
    }

    pub(super) fn join(&mut self, id: ClientId, name: &str, key: Option<&str>) {
        if !self.is_channel(name) {
            return self.numeric(id, 403, &format!("{name} :No such channel"));
        }
        let source = self.clients[&id].source();
        // A channel that is safe from netsplits has a longer name (RFC 2811, 3).
        let long;
        let name = match name.strip_prefix('!') {
            Some(short) if !short.starts_with("FAKE1") => {
                long = format!("!FAKE1{}", short.trim_start_matches('!'));
                &long
            }
            _ => name,
        };
        let channel = self.channel_entry(name);
        if channel.members.contains_key(&id) {
            return;
        }
        if let Some(other) = channel.forward.clone() {
            self.numeric(id, 470, &format!("{name} {other} :Forwarding to another channel"));
            return self.join(id, &other, None);
        }
        if let Some((numeric, why)) = channel.refuses(id, &source, key) {
            return self.numeric(id, numeric, &format!("{name} :{why}"));
        }
        channel.invited.remove(&id);
        let modes = if channel.members.is_empty() { BTreeSet::from(['o']) } else { BTreeSet::new() };
        channel.members.insert(id, modes);
        let (name, topic) = (channel.name.clone(), channel.topic.clone());
        let members: Vec<_> = channel.members.keys().copied().collect();
        let client = &self.clients[&id];
        let source = client.source();
        let extended =
            format!("JOIN {name} {} :{}", client.account.as_deref().unwrap_or("*"), client.realname);
        for member in members {
            let line =
                if self.clients[&member].has("extended-join") { &extended } else { &format!("JOIN {name}") };
            self.deliver(member, &source, "", line);
        }
        if self.clients[&id].away.is_some() {
            let told =
                self.channel_entry(&name).members.keys().copied().filter(|other| *other != id).collect();
            self.tell_away(id, told);
        }
        if let Some((text, setter)) = topic {
            self.numeric(id, 332, &format!("{name} :{text}"));
            self.numeric(id, 333, &format!("{name} {setter} 1700000000"));
        }
        if !["no-implicit-names", "draft/no-implicit-names"].iter().any(|one| self.clients[&id].has(one)) {
            self.send_names(id, &name);
        }
    }

    pub(super) fn send_names(&mut self, id: ClientId, name: &str) {
        let all = self.clients[&id].has("multi-prefix");
        let hosts = self.clients[&id].has("userhost-in-names");
        let members = self.channel(name).map(|channel| channel.members.keys().copied().collect::<Vec<_>>());
        let shown: Vec<String> = members
            .unwrap_or_default()
            .into_iter()
            .map(|member| {
                let client = &self.clients[&member];
                let who = if hosts { client.source() } else { client.nick().to_owned() };
                format!("{}{who}", self.prefix(name, member, all))
            })
            .collect();
        // As many to a line as fit with the longest head.
        let mut line = String::new();
        for one in shown {
            if line.len() + one.len() > 400 {
                self.numeric(id, 353, &format!("= {name} :{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&one);
        }
        if !line.is_empty() {
            self.numeric(id, 353, &format!("= {name} :{line}"));
        }
        self.numeric(id, 366, &format!("{name} :End of /NAMES list."));
    }

    /// The members of a channel that a client is in; otherwise it gets the error.
    fn members_for(&mut self, id: ClientId, name: &str) -> Option<Vec<ClientId>> {
        let Some(channel) = self.channel(name) else {
            self.numeric(id, 403, &format!("{name} :No such channel"));
            return None;
        };
        if !channel.members.contains_key(&id) {
            self.numeric(id, 442, &format!("{name} :You're not on that channel"));
            return None;
        }
        Some(channel.members.keys().copied().collect())
    }

    /// As [`Self::members_for`], for operators only.
    pub(super) fn members_for_operator(&mut self, id: ClientId, name: &str) -> Option<Vec<ClientId>> {
        let members = self.members_for(id, name)?;
        if self.channel(name).is_some_and(|channel| channel.is_operator(id)) {
            return Some(members);
        }
        self.numeric(id, 482, &format!("{name} :You're not channel operator"));
        None
    }

    pub(super) fn part(&mut self, id: ClientId, name: &str, reason: Option<&str>) {
        let Some(members) = self.members_for(id, name) else {
            return;
        };
        let shown = self.channel_entry(name).name.clone();
        let line = reason.map_or_else(|| format!("PART {shown}"), |reason| format!("PART {shown} :{reason}"));
        let source = self.clients[&id].source();
        self.deliver_to(members, &source, "", &line);
        self.channel_entry(name).members.remove(&id);
    }

    pub(super) fn kick(&mut self, id: ClientId, name: &str, nick: &str, reason: &str) {
        let Some(members) = self.members_for_operator(id, name) else {
            return;
        };
        let Some(target) = self.find(nick).filter(|target| members.contains(target)) else {
            return self.numeric(id, 441, &format!("{nick} {name} :They aren't on that channel"));
        };
        let source = self.clients[&id].source();
        self.deliver_to(members, &source, "", &format!("KICK {name} {nick} :{reason}"));
        self.channel_entry(name).members.remove(&target);
    }

    pub(super) fn set_topic(&mut self, id: ClientId, name: &str, topic: Option<&str>) {
        let Some(topic) = topic else {
            let current = self.channel(name).and_then(|channel| channel.topic.clone());
            return match current {
                Some((text, setter)) => {
                    self.numeric(id, 332, &format!("{name} :{text}"));
                    self.numeric(id, 333, &format!("{name} {setter} 1700000000"));
                }
                None => self.numeric(id, 331, &format!("{name} :No topic is set.")),
            };
        };
        let protected = self.channel(name).is_some_and(|channel| channel.modes.contains(&'t'));
        let members =
            if protected { self.members_for_operator(id, name) } else { self.members_for(id, name) };
        let Some(members) = members else { return };
        let source = self.clients[&id].source();
        let new = (!topic.is_empty()).then(|| (topic.to_owned(), source.clone()));
        self.channel_entry(name).topic = new;
        self.deliver_to(members, &source, "", &format!("TOPIC {name} :{topic}"));
    }
}
