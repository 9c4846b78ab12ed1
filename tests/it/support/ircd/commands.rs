//! What clients say: registration, capabilities, messages, questions.

use super::network::{ClientId, Network, Silence, Stall};

/// A line taken apart.
pub(super) struct Line<'a> {
    pub(super) tags: &'a str,
    command: String,
    pub(super) params: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(mut rest: &'a str) -> Self {
        let mut tags = "";
        if let Some(tagged) = rest.strip_prefix('@') {
            (tags, rest) = tagged.split_once(' ').unwrap_or((tagged, ""));
        }
        rest = rest.trim_start_matches(' ');
        if rest.starts_with(':') {
            rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
        }
        let mut params = Vec::new();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':').filter(|_| !params.is_empty()) {
                params.push(trailing);
                break;
            }
            let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            if !word.is_empty() {
                params.push(word);
            }
            rest = tail;
        }
        let command = if params.is_empty() { String::new() } else { params.remove(0).to_ascii_uppercase() };
        Self { tags, command, params }
    }
}

impl Network {
    /// Does what a client says. Tags are looked at only where they are passed on.
    pub(super) fn obey(&mut self, id: ClientId, text: &str) {
        let line = Line::parse(text);
        let param = |at: usize| line.params.get(at).copied();
        match line.command.as_str() {
            "" | "PONG" => {}
            "CAP" => self.capability(id, param(0).unwrap_or_default(), param(1).unwrap_or_default()),
            "AUTHENTICATE" => self.authenticate(id, param(0).unwrap_or_default()),
            "PASS" => self.client(id).password = param(0).map(str::to_owned),
            "NICK" => self.change_nick(id, param(0)),
            "USER" if !self.clients[&id].registered => {
                let client = self.client(id);
                client.user = param(0).map(|name| format!("~{name}"));
                client.realname = param(3).unwrap_or_default().into();
                self.try_register(id);
            }
            "QUIT" => {
                let nick = self.clients[&id].nick().to_owned();
                self.deliver(id, "fake.irc", "", &format!("ERROR :Closing link: {nick}"));
                self.close(id);
                self.quit(id, &format!("Quit: {}", param(0).unwrap_or_default()));
            }
            "PING" if self.faults.silence == Silence::All => {}
            "PING" => {
                let token = param(0).unwrap_or_default();
                self.deliver(id, "fake.irc", "", &format!("PONG fake.irc :{token}"));
            }
            _ if !self.clients[&id].registered => self.numeric(id, 451, ":You have not registered"),
            _ => self.handle_registered(id, &line),
        }
    }

    fn handle_registered(&mut self, id: ClientId, line: &Line<'_>) {
        let param = |at: usize| line.params.get(at).copied();
        let needed = match line.command.as_str() {
            "JOIN" | "PART" | "TOPIC" | "MODE" | "NAMES" | "WHO" | "WHOIS" | "WHOWAS" => 1,
            "KICK" | "INVITE" => 2,
            _ => 0,
        };
        if line.params.len() < needed {
            return self.numeric(id, 461, &format!("{} :Not enough parameters", line.command));
        }
        let first = param(0).unwrap_or_default();
        match line.command.as_str() {
            "JOIN" if first == "0" => {
                for name in self.channels_of(id) {
                    self.part(id, &name, None);
                }
            }
            "JOIN" => {
                let mut keys = param(1).unwrap_or_default().split(',');
                for name in first.split(',') {
                    self.join(id, name, keys.next().filter(|key| !key.is_empty()));
                }
            }
            "PART" => first.split(',').for_each(|name| self.part(id, name, param(1))),
            "TOPIC" => self.set_topic(id, first, param(1)),
            "KICK" => {
                let own = self.clients[&id].nick().to_owned();
                let reason = param(2).unwrap_or(&own);
                self.kick(id, first, param(1).unwrap_or_default(), reason);
            }
            "MODE" if self.faults.ignores_modes && self.is_channel(first) => self.answer = None,
            "MODE" if self.is_channel(first) => self.channel_mode(id, first, &line.params[1..]),
            "MODE" => self.own_mode(id, first, param(1)),
            "NAMES" => first.split(',').for_each(|name| self.send_names(id, name)),
            "BATCH" => self.client_batch(id, line),
            "PRIVMSG" | "NOTICE" if line.tags.split(';').any(|tag| tag.starts_with("batch=")) => {
                self.batch_line(id, line);
            }
            "PRIVMSG" if self.faults.silence == Silence::All => self.answer = None,
            "PRIVMSG" | "NOTICE" | "TAGMSG" => self.message(id, line),
            "MARKREAD" if self.offers("draft/read-marker") => {
                let time = param(1).unwrap_or("*").to_owned();
                self.deliver(id, "fake.irc", "", &format!("MARKREAD {first} {time}"));
            }
            "RELAYMSG" if self.clients[&id].has("draft/relaymsg") => self.relay_as(id, line),
            "REDACT" if self.offers("draft/message-redaction") => self.redact(id, &line.params),
            "CHATHISTORY" => self.chathistory(id, &line.params),
            "INVITE" => self.invite(id, first, param(1).unwrap_or_default()),
            "AWAY" => {
                let text = param(0).filter(|text| !text.is_empty()).map(str::to_owned);
                let (number, says) = match text {
                    Some(_) => (306, ":You have been marked as being away"),
                    None => (305, ":You are no longer marked as being away"),
                };
                self.client(id).away = text;
                self.numeric(id, number, says);
                let told = self.neighbours(id);
                self.tell_away(id, told);
            }
            "WHO" => self.who(id, first, param(1)),
            "WHOIS" => self.whois(id, line.params.last().copied().unwrap_or_default()),
            "WHOWAS" => self.whowas(id, first),
            "KNOCK" if self.options.isupport.iter().any(|token| token == "KNOCK") => {
                self.knock(id, first, param(1).unwrap_or_default());
            }
            "SETNAME" if self.offers("setname") => self.set_name(id, first),
            "MOTD" => self.motd(id),
            "ISON" => self.ison(id, &line.params),
            "MONITOR" if self.isupport("MONITOR").is_some() => {
                self.monitor(id, first, param(1).unwrap_or_default());
            }
            "NICKSERV" if self.options.services => self.nickserv_command(id, &line.params),
            "LIST" => {
                let list: Vec<String> = self
                    .channels
                    .values()
                    .filter(|channel| !channel.members.is_empty())
                    .map(|channel| {
                        let topic = channel.topic.as_ref().map_or("", |(text, _)| text.as_str());
                        format!("{} {} :{topic}", channel.name, channel.members.len())
                    })
                    .collect();
                for entry in list {
                    self.numeric(id, 322, &entry);
                }
                if !self.faults.stalls.contains(&Stall::ListEnd) {
                    self.numeric(id, 323, ":End of channel list.");
                }
            }
            command => self.numeric(id, 421, &format!("{command} :Unknown command")),
        }
    }

    fn channels_of(&self, id: ClientId) -> Vec<String> {
        let joined = self.channels.values().filter(|channel| channel.members.contains_key(&id));
        joined.map(|channel| channel.name.clone()).collect()
    }

    fn capability(&mut self, id: ClientId, verb: &str, list: &str) {
        let nick = self.clients[&id].nick().to_owned();
        let offered = self.options.capabilities.clone();
        let mut say = |text: String| self.deliver(id, "fake.irc", "", &format!("CAP {nick} {text}"));
        match verb.to_ascii_uppercase().as_str() {
            "LS" => {
                let values = list.parse::<u32>().is_ok_and(|version| version >= 302);
                let shown: Vec<&str> = offered
                    .iter()
                    .map(|one| if values { one } else { one.split('=').next().unwrap_or_default() })
                    .collect();
                // As much as fits in a line.
                let mut rest = &shown[..];
                while values && rest.join(" ").len() > 400 {
                    let (part, after) = rest.split_at(rest.len() / 2);
                    say(format!("LS * :{}", part.join(" ")));
                    rest = after;
                }
                say(format!("LS :{}", rest.join(" ")));
                let client = self.client(id);
                client.negotiating = !client.registered;
            }
            "REQ" => {
                let known = |name: &str| offered.iter().any(|one| one.split('=').next() == Some(name));
                let wanted: Vec<&str> = list.split_whitespace().collect();
                if wanted.iter().all(|one| known(one.trim_start_matches('-'))) {
                    say(format!("ACK :{list}"));
                    let client = self.client(id);
                    for one in wanted {
                        match one.strip_prefix('-') {
                            Some(name) => client.capabilities.remove(name),
                            None => client.capabilities.insert(one.to_owned()),
                        };
                    }
                } else {
                    say(format!("NAK :{list}"));
                }
                let client = self.client(id);
                client.negotiating = !client.registered;
            }
            "LIST" => {
                let active: Vec<_> = self.clients[&id].capabilities.iter().cloned().collect();
                self.deliver(id, "fake.irc", "", &format!("CAP {nick} LIST :{}", active.join(" ")));
            }
            "END" => {
                self.client(id).negotiating = false;
                self.try_register(id);
            }
            other => self.numeric(id, 410, &format!("{other} :Invalid CAP command")),
        }
    }

    /// `CAP NEW`, to those that want to know.
    pub(super) fn offer(&mut self, list: &str) {
        self.options.capabilities.extend(list.split(' ').map(str::to_owned));
        self.tell_capabilities("NEW", list);
    }

    /// `CAP DEL`: what is gone is in force no more.
    pub(super) fn withdraw(&mut self, list: &str) {
        let names: Vec<&str> = list.split(' ').collect();
        let is_gone = |one: &str| names.contains(&one.split('=').next().unwrap_or_default());
        self.options.capabilities.retain(|one| !is_gone(one));
        self.tell_capabilities("DEL", list);
        for client in self.clients.values_mut() {
            client.capabilities.retain(|one| !is_gone(one));
        }
    }

    fn tell_capabilities(&mut self, verb: &str, list: &str) {
        let told: Vec<ClientId> =
            self.clients.iter().filter(|(_, client)| client.has("cap-notify")).map(|(id, _)| *id).collect();
        for id in told {
            let nick = self.clients[&id].nick().to_owned();
            self.deliver(id, "fake.irc", "", &format!("CAP {nick} {verb} :{list}"));
        }
    }

    fn change_nick(&mut self, id: ClientId, nick: Option<&str>) {
        let Some(nick) = nick else {
            return self.numeric(id, 431, ":No nickname given");
        };
        let longest = self.isupport("NICKLEN").and_then(|length| length.parse().ok()).unwrap_or(30);
        let special = "[]\\`_^{|}-";
        let allowed = |c: char| c.is_ascii_alphanumeric() || special.contains(c);
        let starts = |c: char| !c.is_ascii_digit() && c != '-';
        if nick.len() > longest || !nick.chars().all(allowed) || !nick.starts_with(starts) {
            return self.numeric(id, 432, &format!("{nick} :Erroneous Nickname"));
        }
        if self.find(nick).is_some_and(|other| other != id) {
            return self.numeric(id, 433, &format!("{nick} :Nickname is already in use."));
        }
        let source = self.clients[&id].source();
        if self.clients[&id].registered {
            let mut told = self.neighbours(id);
            told.insert(id);
            self.deliver_to(told, &source, "", &format!("NICK :{nick}"));
        }
        self.rename(id, nick);
        self.try_register(id);
    }

    fn try_register(&mut self, id: ClientId) {
        let client = &self.clients[&id];
        if client.registered || client.negotiating || client.nick.is_none() || client.user.is_none() {
            return;
        }
        if self.options.password.is_some() && client.password != self.options.password {
            self.numeric(id, 464, ":Password incorrect");
            self.close(id);
            return;
        }
        let source = client.source();
        self.client(id).registered = true;
        let network = self.isupport("NETWORK").unwrap_or("FakeNet").to_owned();
        self.numeric(id, 1, &format!(":Welcome to the {network} IRC Network {source}"));
        self.numeric(id, 2, ":Your host is fake.irc, running version fake-1");
        self.numeric(id, 3, ":This server was created for a test");
        self.numeric(id, 4, "fake.irc fake-1 iosw bklmnopstv");
        for tokens in self.options.isupport.clone().chunks(12) {
            self.numeric(id, 5, &format!("{} :are supported by this server", tokens.join(" ")));
        }
        self.motd(id);
        let nick = self.clients[&id].nick().to_owned();
        self.tell_watchers(&nick);
    }

    fn motd(&mut self, id: ClientId) {
        self.numeric(id, 375, ":- fake.irc Message of the day -");
        self.numeric(id, 372, ":- Nothing here is real.");
        self.numeric(id, 376, ":End of message of the day.");
    }

    fn message(&mut self, id: ClientId, line: &Line<'_>) {
        let (Some(targets), text) = (line.params.first(), line.params.get(1)) else {
            return self.numeric(id, 411, ":No recipient given");
        };
        if line.command != "TAGMSG" && text.is_none_or(|text| text.is_empty()) {
            return self.numeric(id, 412, ":No text to send");
        }
        for target in targets.split(',') {
            let head = format!("{} {target}", line.command);
            let nick = target.strip_suffix("@services.fake").unwrap_or(target);
            if let (true, Some(text)) = (self.options.services && nick.eq_ignore_ascii_case("NickServ"), text)
            {
                let source = self.clients[&id].source();
                self.nickserv(id, text);
                if self.clients[&id].has("echo-message") {
                    self.deliver(id, &source, "", &format!("{} {target} :{text}", line.command));
                }
                continue;
            }
            let said = text.map_or_else(|| head.clone(), |text| format!("{head} :{text}"));
            self.relay(id, target, line, &said);
        }
    }

    fn relay(&mut self, id: ClientId, target: &str, line: &Line<'_>, said: &str) {
        let Some(mut recipients) = self.recipients(id, target, line.command == "PRIVMSG") else { return };
        if line.command == "TAGMSG" {
            recipients.retain(|one| self.clients[one].has("message-tags"));
        }
        let source = self.clients[&id].source();
        // To oneself a message comes as it does to others, and only the echo has the label.
        let answer = self.answer.take();
        let stamp = self.deliver_to(recipients, &source, line.tags, said);
        self.answer = answer;
        if self.clients[&id].has("echo-message") && self.faults.silence != Silence::Echoes {
            let account = self.clients[&id].account.clone();
            self.deliver_stamped(id, &source, account.as_deref(), line.tags, said, stamp, None);
        }
        if !target.starts_with(|c| self.isupport("STATUSMSG").unwrap_or_default().contains(c)) {
            self.remember(id, target, stamp, line.tags, &[(false, said.to_owned())]);
        }
    }

    /// Who gets what is said to a target; `None` where that is not allowed, which is complained about.
    pub(super) fn recipients(&mut self, id: ClientId, target: &str, complain: bool) -> Option<Vec<ClientId>> {
        let statuses = self.isupport("STATUSMSG").unwrap_or_default().to_owned();
        let bare = target.trim_start_matches(|c| statuses.contains(c));
        // NOTICE never causes an error (RFC 2812, 3.3.2).
        let recipients: Vec<ClientId> = if self.is_channel(bare) {
            match self.channel(bare) {
                Some(channel) if channel.hears(id) => {
                    let to_some = bare.len() < target.len();
                    let members = channel.members.iter().filter(|(_, modes)| !to_some || !modes.is_empty());
                    let others = members.map(|(member, _)| *member).filter(|member| *member != id);
                    others.filter(|member| self.reaches(id, *member)).collect()
                }
                found => {
                    let (number, why) = match found {
                        Some(_) => (404, "Cannot send to channel"),
                        None => (403, "No such channel"),
                    };
                    if complain {
                        self.numeric(id, number, &format!("{target} :{why}"));
                    }
                    return None;
                }
            }
        } else {
            match self.find(target).filter(|other| self.clients[other].registered) {
                Some(other) => {
                    if let (Some(away), true) = (self.clients[&other].away.clone(), complain) {
                        self.numeric(id, 301, &format!("{target} :{away}"));
                    }
                    vec![other]
                }
                None => {
                    if complain {
                        self.numeric(id, 401, &format!("{target} :No such nick/channel"));
                    }
                    return None;
                }
            }
        };
        Some(recipients)
    }

    fn invite(&mut self, id: ClientId, nick: &str, channel: &str) {
        let Some(target) = self.find(nick) else {
            return self.numeric(id, 401, &format!("{nick} :No such nick"));
        };
        if !self.channel(channel).is_some_and(|one| one.members.contains_key(&id)) {
            return self.numeric(id, 442, &format!("{channel} :You're not on that channel"));
        }
        if self.channel(channel).is_some_and(|one| one.members.contains_key(&target)) {
            return self.numeric(id, 443, &format!("{nick} {channel} :is already on channel"));
        }
        self.channel_entry(channel).invited.insert(target);
        self.numeric(id, 341, &format!("{nick} {channel}"));
        if let Some(away) = self.clients[&target].away.clone() {
            self.numeric(id, 301, &format!("{nick} :{away}"));
        }
        let source = self.clients[&id].source();
        self.deliver(target, &source, "", &format!("INVITE {nick} :{channel}"));
    }

    fn whowas(&mut self, id: ClientId, nick: &str) {
        match self.gone.get(&self.fold(nick)).cloned() {
            Some(was) => self.numeric(id, 314, &was),
            None => self.numeric(id, 406, &format!("{nick} :There was no such nickname")),
        }
        self.numeric(id, 369, &format!("{nick} :End of WHOWAS"));
    }

    fn whois(&mut self, id: ClientId, nick: &str) {
        if self.options.services && nick.eq_ignore_ascii_case("NickServ") {
            return self.whois_nickserv(id);
        }
        if let Some(other) = self.find(nick) {
            let client = &self.clients[&other];
            let (user, host) = (client.user.clone().unwrap_or_default(), client.host.clone());
            let (name, account) = (client.realname.clone(), client.account.clone());
            self.numeric(id, 311, &format!("{nick} {user} {host} * :{name}"));
            let channels = self.channels_of(other);
            if !channels.is_empty() {
                self.numeric(id, 319, &format!("{nick} :{}", channels.join(" ")));
            }
            self.numeric(id, 312, &format!("{nick} fake.irc :A fake server"));
            if let Some(account) = account {
                self.numeric(id, 330, &format!("{nick} {account} :is logged in as"));
            }
        } else {
            self.numeric(id, 401, &format!("{nick} :No such nick"));
        }
        self.numeric(id, 318, &format!("{nick} :End of /WHOIS list."));
    }
}
