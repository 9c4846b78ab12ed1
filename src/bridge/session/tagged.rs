//! What the network says of those who speak, for their ghosts' names: that somebody is a program, and to which account
//! they are logged in. Only what is news goes on (`bridge/ghost_names.rs`), and of so many people
//! ([`REMEMBERED_GHOSTS`], invariant 9).
//!
//! Spec: `IRCv3` "Bot mode", "account-tag".

use super::super::ghost_names::Standing;
use super::shown::Line;
use super::{Actor, REMEMBERED_GHOSTS};
use crate::irc::session::Origin;

impl Actor {
    /// Whoever said this line has this ghost.
    pub(super) fn note_standing(&mut self, line: &Line, ghost: &str) {
        let nick = line.from.nick.as_str();
        if line.own || line.tags.relayed_by.is_some() || line.origin != Origin::Live {
            return;
        }
        let known = self.standings.get(nick);
        // Without the tag nobody says that they are logged out.
        let tells_accounts = self.link.as_ref().is_some_and(|link| link.session.tells_accounts());
        let account =
            if tells_accounts { line.account.clone() } else { known.and_then(|known| known.account.clone()) };
        let standing = Standing { bot: line.tags.bot, account };
        if known == Some(&standing) {
            return self.bridge.show_standing_again(ghost);
        }
        if self.standings.len() >= REMEMBERED_GHOSTS {
            self.standings.clear();
        }
        self.standings.insert(nick, standing.clone());
        self.bridge.show_standing(ghost, standing, tells_accounts);
    }
}
