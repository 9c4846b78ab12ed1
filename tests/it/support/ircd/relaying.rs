//! Messages under somebody else's nick (`IRCv3` "RELAYMSG", a draft), as Ergo takes them: from operators of the channel, under
//! nicks that nobody has.

use super::commands::Line;
use super::network::{ClientId, Network};

impl Network {
    /// `RELAYMSG #channel nick :text`.
    pub(super) fn relay_as(&mut self, id: ClientId, line: &Line<'_>) {
        let [target, nick, text] = line.params[..] else {
            return self.numeric(id, 461, "RELAYMSG :Not enough parameters");
        };
        let member = self.channel(target).and_then(|channel| channel.members.get(&id));
        let is_operator = member.is_some_and(|modes| modes.contains(&'o'));
        let is_legal = nick.contains('/') && !nick.contains(|c| "!+%@&#$:'\"?*,.".contains(c));
        let failure = match self.faults.refuses_relays {
            Some(code) => Some(code),
            None if !is_operator => Some("PRIVS_NEEDED"),
            None if !is_legal => Some("INVALID_NICK"),
            None => None,
        };
        if let Some(code) = failure {
            return self.deliver(id, "fake.irc", "", &format!("FAIL RELAYMSG {code} :{nick} is not relayed"));
        }
        let Some(recipients) = self.recipients(id, target, true) else { return };
        let (source, said) = (format!("{nick}!relay@fake.irc"), format!("PRIVMSG {target} :{text}"));
        let tags = format!("{};draft/relaymsg={}", line.tags, self.clients[&id].nick());
        let answer = self.answer.take();
        let stamp = self.deliver_to(recipients, &source, &tags, &said);
        self.answer = answer;
        // Whoever relays gets it, too.
        self.deliver_stamped(id, &source, None, &tags, &said, stamp, None);
        self.remember_as(id, &source, target, stamp, &said);
    }
}
