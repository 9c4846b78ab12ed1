//! What clients ask about people, and what they say of themselves: `WHO` with WHOX, `SETNAME`, their own modes.

use std::collections::BTreeSet;

use super::network::{ClientId, Network};

/// Bytes of a real name.
const LONGEST_NAME: usize = 100;

impl Network {
    pub(super) fn who(&mut self, id: ClientId, mask: &str, fields: Option<&str>) {
        let found: Vec<ClientId> = match self.channel(mask) {
            Some(channel) => channel.members.keys().copied().collect(),
            None => self.find(mask).into_iter().collect(),
        };
        for other in found {
            let prefix = self.prefix(mask, other, false);
            let client = &self.clients[&other];
            let here = if client.away.is_some() { 'G' } else { 'H' };
            let (user, host) = (client.user.as_deref().unwrap_or("*"), &client.host);
            let (nick, name) = (client.nick(), &client.realname);
            // The fields that the bridge asks for, and no others.
            if fields == Some("%tnf,153") && self.options.isupport.iter().any(|token| token == "WHOX") {
                let reply = format!("153 {nick} {here}{prefix}");
                self.numeric(id, 354, &reply);
            } else if fields == Some("%tcuhnfar,152")
                && self.options.isupport.iter().any(|token| token == "WHOX")
            {
                let account = client.account.as_deref().unwrap_or("0");
                let reply = format!("152 {mask} {user} {host} {nick} {here}{prefix} {account} :{name}");
                self.numeric(id, 354, &reply);
            } else {
                let reply = format!("{mask} {user} {host} fake.irc {nick} {here}{prefix} :0 {name}");
                self.numeric(id, 352, &reply);
            }
        }
        self.numeric(id, 315, &format!("{mask} :End of /WHO list."));
    }

    /// Tells that somebody is away, or back, to those who want to know (`away-notify`).
    pub(super) fn tell_away(&mut self, id: ClientId, mut told: BTreeSet<ClientId>) {
        told.retain(|one| self.clients[one].has("away-notify"));
        let source = self.clients[&id].source();
        let line = match &self.clients[&id].away {
            Some(why) => format!("AWAY :{why}"),
            None => "AWAY".to_owned(),
        };
        self.deliver_to(told, &source, "", &line);
    }

    pub(super) fn set_name(&mut self, id: ClientId, name: &str) {
        if name.len() > LONGEST_NAME {
            let fail = "FAIL SETNAME INVALID_REALNAME :Realname is not valid";
            return self.deliver(id, "fake.irc", "", fail);
        }
        name.clone_into(&mut self.client(id).realname);
        let source = self.clients[&id].source();
        let mut told = self.neighbours(id);
        told.insert(id);
        told.retain(|one| self.clients[one].has("setname"));
        self.deliver_to(told, &source, "", &format!("SETNAME :{name}"));
    }

    /// `MODE nick [changes]`; of those that there are, everybody may set all.
    pub(super) fn own_mode(&mut self, id: ClientId, nick: &str, changes: Option<&str>) {
        if self.find(nick) != Some(id) {
            return self.numeric(id, 502, ":Can't change mode for other users");
        }
        let Some(changes) = changes else {
            let modes: String = self.clients[&id].modes.iter().collect();
            return self.numeric(id, 221, &format!("+{modes}"));
        };
        if changes.chars().any(|c| !"+-ioswxRD".contains(c)) {
            return self.numeric(id, 501, ":Unknown MODE flag");
        }
        let mut adds = true;
        for c in changes.chars() {
            match c {
                '+' | '-' => adds = c == '+',
                c if adds => _ = self.client(id).modes.insert(c),
                c => _ = self.client(id).modes.remove(&c),
            }
        }
        let source = self.clients[&id].source();
        self.deliver(id, &source, "", &format!("MODE {nick} :{changes}"));
    }
}
