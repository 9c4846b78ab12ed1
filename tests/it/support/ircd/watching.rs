//! Who asks after whom: `MONITOR`, `ISON`; and services that give a nick back (`NICKSERV REGAIN`).

use super::connection::Out;
use super::network::{ClientId, Network};

impl Network {
    pub(super) fn ison(&mut self, id: ClientId, nicks: &[&str]) {
        let online: Vec<&str> = nicks.iter().copied().filter(|nick| self.registered(nick)).collect();
        let online = online.join(" ");
        self.numeric(id, 303, &format!(":{online}"));
    }

    pub(super) fn monitor(&mut self, id: ClientId, sign: &str, nicks: &str) {
        for nick in nicks.split(',').filter(|nick| !nick.is_empty()) {
            let watchers = self.monitors.entry(self.fold(nick)).or_default();
            if sign == "-" {
                watchers.remove(&id);
                continue;
            }
            watchers.insert(id);
            self.tell_watcher(id, nick);
        }
    }

    fn tell_watcher(&mut self, id: ClientId, nick: &str) {
        match self.find(nick).filter(|other| self.clients[other].registered) {
            Some(other) => {
                let source = self.clients[&other].source();
                self.numeric(id, 730, &format!(":{source}"));
            }
            None => self.numeric(id, 731, &format!(":{nick}")),
        }
    }

    /// Somebody has come by this nick, or lost it.
    pub(super) fn tell_watchers(&mut self, nick: &str) {
        let watchers = self.monitors.get(&self.fold(nick)).cloned().unwrap_or_default();
        for id in watchers.into_iter().filter(|id| self.clients.contains_key(id)).collect::<Vec<_>>() {
            self.tell_watcher(id, nick);
        }
    }

    /// Services end whoever has the nick, and give it to who is logged in.
    pub(super) fn nickserv_command(&mut self, id: ClientId, words: &[&str]) {
        let services = "NickServ!services@services.fake";
        let (word, nick) = (words.first().copied().unwrap_or_default(), words.get(1).copied());
        let nick = nick.unwrap_or_default().to_owned();
        let own = self.clients[&id].nick().to_owned();
        if !word.eq_ignore_ascii_case("REGAIN") {
            return self.deliver(id, services, "", &format!("NOTICE {own} :Invalid command."));
        }
        if self.clients[&id].account.is_none() {
            return self.deliver(id, services, "", &format!("NOTICE {own} :You are not logged in."));
        }
        if let Some(holder) = self.find(&nick) {
            self.deliver(holder, "fake.irc", "", &format!("ERROR :Closing link: (Killed ({word} command))"));
            if !self.is_person(holder) {
                self.out(&nick, Out::Close);
            }
            self.quit(holder, &format!("Killed (services ({word} command used by {own}))"));
        }
        let source = self.clients[&id].source();
        let mut told = self.neighbours(id);
        told.insert(id);
        self.deliver_to(told, &source, "", &format!("NICK :{nick}"));
        self.rename(id, &nick);
    }
}
