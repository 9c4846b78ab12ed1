//! Modes of channels: flags, keys, limits, ranks and lists, and the errors about them.

use super::super::clock;
use super::network::{ClientId, Network};

/// An entry of a ban list or its like.
pub(super) struct Entry {
    pub(super) mask: String,
    by: String,
    /// In seconds since 1970.
    at: u64,
}

impl Network {
    /// The modes that are lists.
    fn list_modes(&self) -> &str {
        self.isupport("CHANMODES").and_then(|modes| modes.split(',').next()).unwrap_or("b")
    }

    /// How many entries a list may have.
    fn list_limit(&self, mode: char) -> usize {
        let limits = self.isupport("MAXLIST").unwrap_or_default().split(',');
        let limit = limits.filter_map(|one| one.split_once(':')).find(|(modes, _)| modes.contains(mode));
        limit.and_then(|(_, limit)| limit.parse().ok()).unwrap_or(usize::MAX)
    }

    /// `MODE #channel …`: asks, or changes modes as an operator.
    pub(super) fn channel_mode(&mut self, id: ClientId, name: &str, changes: &[&str]) {
        let Some(channel) = self.channel(name) else {
            return self.numeric(id, 403, &format!("{name} :No such channel"));
        };
        let Some((letters, arguments)) = changes.split_first() else {
            let mut modes: String = channel.modes.iter().collect();
            let mut arguments = String::new();
            if let Some(key) = &channel.key {
                modes.push('k');
                arguments = format!("{arguments} {key}");
            }
            if let Some(limit) = channel.limit {
                modes.push('l');
                arguments = format!("{arguments} {limit}");
            }
            self.numeric(id, 324, &format!("{name} +{modes}{arguments}"));
            return self.numeric(id, 329, &format!("{name} :1700000000"));
        };
        let asked: Vec<char> = letters.trim_start_matches('+').chars().collect();
        if let (&[mode], true) = (&asked[..], arguments.is_empty())
            && self.list_modes().contains(mode)
        {
            return self.send_list(id, name, mode);
        }
        let Some(members) = self.members_for_operator(id, name) else {
            return;
        };
        let applied = self.apply_modes(id, name, letters, arguments);
        if !applied.is_empty() {
            let source = self.clients[&id].source();
            self.deliver_to(members, &source, "", &format!("MODE {name} {applied}"));
        }
    }

    fn send_list(&mut self, id: ClientId, name: &str, mode: char) {
        let (entry, end, quiet) = match mode {
            'e' => (348, 349, ""),
            'I' => (346, 347, ""),
            'q' => (728, 729, "q "),
            _ => (367, 368, ""),
        };
        let channel = self.channel(name).expect("a channel that was found");
        let entries = channel.lists.get(&mode).into_iter().flatten();
        let lines: Vec<String> =
            entries.map(|one| format!("{name} {quiet}{} {} {}", one.mask, one.by, one.at)).collect();
        for line in lines {
            self.numeric(id, entry, &line);
        }
        self.numeric(id, end, &format!("{name} {quiet}:End of channel list"));
    }

    fn apply_modes(&mut self, id: ClientId, name: &str, letters: &str, arguments: &[&str]) -> String {
        let ranks: Vec<char> = self.prefixes().into_iter().map(|(mode, _)| mode).collect();
        let lists = self.list_modes().to_owned();
        let known = self.isupport("CHANMODES").unwrap_or("b,k,l,imnpst").to_owned();
        let (mut sign, mut shown, mut given) = ('+', String::new(), Vec::new());
        let mut arguments = arguments.iter();
        for letter in letters.chars() {
            if matches!(letter, '+' | '-') {
                sign = letter;
                continue;
            }
            if !ranks.contains(&letter) && !known.contains(letter) {
                self.numeric(id, 472, &format!("{letter} :is unknown mode char to me"));
                continue;
            }
            let adds = sign == '+';
            let takes_argument =
                ranks.contains(&letter) || lists.contains(letter) || letter == 'k' || (letter == 'l' && adds);
            let argument = if takes_argument { arguments.next().copied() } else { None };
            if takes_argument && argument.is_none() {
                continue;
            }
            let changed = match argument {
                Some(nick) if ranks.contains(&letter) => self.rank(id, name, nick, letter, adds),
                Some(mask) if lists.contains(letter) => self.list(id, name, mask, letter, adds),
                _ => {
                    let channel = self.channel_entry(name);
                    match (letter, argument) {
                        ('k', Some(key)) => channel.key = adds.then(|| key.to_owned()),
                        ('l', limit) => channel.limit = limit.and_then(|limit| limit.parse().ok()),
                        _ if adds => drop(channel.modes.insert(letter)),
                        _ => drop(channel.modes.remove(&letter)),
                    }
                    true
                }
            };
            if changed {
                shown.push(sign);
                shown.push(letter);
                given.extend(argument);
            }
        }
        [&[shown.as_str()], given.as_slice()].concat().join(" ").trim().to_owned()
    }

    fn rank(&mut self, id: ClientId, name: &str, nick: &str, letter: char, adds: bool) -> bool {
        let Some(other) = self.find(nick) else {
            self.numeric(id, 401, &format!("{nick} :No such nick"));
            return false;
        };
        let Some(modes) = self.channel_entry(name).members.get_mut(&other) else {
            self.numeric(id, 441, &format!("{nick} {name} :They aren't on that channel"));
            return false;
        };
        if adds { modes.insert(letter) } else { modes.remove(&letter) }
    }

    fn list(&mut self, id: ClientId, name: &str, mask: &str, letter: char, adds: bool) -> bool {
        let limit = self.list_limit(letter);
        let by = self.clients[&id].source();
        let entries = self.channel_entry(name).lists.entry(letter).or_default();
        let known = entries.iter().position(|one| one.mask == mask);
        match (known, adds) {
            (None, true) if entries.len() >= limit => {
                self.numeric(id, 478, &format!("{name} {letter} :Channel list is full"));
                return false;
            }
            (None, true) => entries.push(Entry { mask: mask.into(), by, at: clock::now() / 1000 }),
            (Some(at), false) => drop(entries.remove(at)),
            _ => return false,
        }
        true
    }

    /// `KNOCK`: those who may invite are told.
    pub(super) fn knock(&mut self, id: ClientId, name: &str, text: &str) {
        let Some(channel) = self.channel(name) else {
            return self.numeric(id, 403, &format!("{name} :No such channel"));
        };
        if !channel.modes.contains(&'i') {
            return self.numeric(id, 713, &format!("{name} :Channel is open."));
        }
        let told: Vec<ClientId> =
            channel.members.keys().copied().filter(|member| channel.is_operator(*member)).collect();
        let source = self.clients[&id].source();
        for member in told {
            self.numeric(member, 710, &format!("{name} {source} :{text}"));
        }
        self.numeric(id, 711, &format!("{name} :Your KNOCK has been delivered."));
    }
}
