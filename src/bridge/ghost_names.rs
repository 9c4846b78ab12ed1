//! The display names of ghosts: the nick, and what the network vouches for besides: that it is a program, and whose
//! account it is where that has another name.
//!
//! No nick holds a space or a bracket, so nobody can give themselves what stands behind it. A name is set when it is
//! another than the one that was set last, and never for each line: each is an event in all rooms that the ghost is in,
//! so it gets another only so often ([`PAUSE`]). What the network said meanwhile shows when it speaks after that.
//!
//! Not the decision what is news, which is the session's (`session/tagged.rs`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Bridge;
use super::ghosts::GhostError;
use super::lanes::Lanes;
use crate::names::Nick;
use crate::store::Ghost;

/// A longer account is no name for people.
const LONGEST_ACCOUNT: usize = 60;
/// Of so many ghosts it is known; forgotten when there are more.
const REMEMBERED: usize = 50_000;
/// A ghost has a name at least for so long before it gets another.
const PAUSE: Duration = Duration::from_mins(10);

/// What the network says of whoever has a nick.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// It is a program.
    pub(super) bot: bool,
    /// The account that they are logged in to.
    pub(super) account: Option<String>,
}

impl Standing {
    /// What stands behind a nick.
    fn suffix(&self, nick: &str) -> String {
        let is_name = |account: &&String| {
            account.len() <= LONGEST_ACCOUNT
                && Nick::new(account).is_ok()
                && !account.chars().any(|c| c.is_control() || "()[]".contains(c))
        };
        let account = self.account.as_ref().filter(is_name);
        let account = account.filter(|account| !account.eq_ignore_ascii_case(nick));
        let account = account.map(|account| format!(" ({account})")).unwrap_or_default();
        let bot = if self.bot { " [bot]" } else { "" };
        account + bot
    }
}

/// A ghost that has got another name.
struct Renamed {
    at: Instant,
    /// There is another one for it by now.
    again: bool,
}

/// What the networks say of ghosts' nicks, where that is more than nothing.
#[derive(Default)]
pub(super) struct Standings {
    known: Mutex<HashMap<Box<str>, Standing>>,
    renamed: Mutex<HashMap<Box<str>, Renamed>>,
    /// Who gives a ghost another name: one at a time, so that the last is the last.
    naming: Lanes<String>,
}

impl Standings {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Standing>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever does not hear of accounts says nothing about them.
    fn set(&self, user_id: &str, mut standing: Standing, tells_accounts: bool) {
        let mut known = self.lock();
        if !tells_accounts {
            standing.account = known.get(user_id).and_then(|known| known.account.clone());
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        if standing == Standing::default() {
            known.remove(user_id);
        } else {
            known.insert(user_id.into(), standing);
        }
    }

    /// Whether a ghost may get another name now, which is noted; where not, it is to have one later.
    fn may_rename(&self, user_id: &str, now: Instant) -> bool {
        let mut renamed = self.renamed.lock().unwrap_or_else(PoisonError::into_inner);
        match renamed.get_mut(user_id) {
            Some(last) if now < last.at + PAUSE => {
                last.again = true;
                return false;
            }
            _ => {}
        }
        if renamed.len() >= REMEMBERED {
            renamed.clear();
        }
        renamed.insert(user_id.into(), Renamed { at: now, again: false });
        true
    }

    /// Whether a ghost that is to have another name may get it now.
    fn is_due(&self, user_id: &str, now: Instant) -> bool {
        let renamed = self.renamed.lock().unwrap_or_else(PoisonError::into_inner);
        renamed.get(user_id).is_some_and(|last| last.again && now >= last.at + PAUSE)
    }
}

impl Bridge {
    /// The name of a ghost, by what the network says of whoever has the nick.
    fn ghost_name(&self, ghost: &Ghost) -> String {
        let suffix = self.standings.lock().get(ghost.user_id.as_str()).map(|known| known.suffix(&ghost.nick));
        let fields = [("nick", ghost.nick.as_str()), ("network", ghost.network.as_str())];
        self.config.templates.ghost_displayname.render(&fields) + &suffix.unwrap_or_default()
    }

    /// Gives a ghost that the homeserver knows its name.
    pub(super) async fn name_ghost(&self, ghost: &Ghost) -> Result<(), GhostError> {
        let turn = self.turns.with(&ghost.user_id);
        // A rank that is being shown, or taken, stands before the old name.
        let no_rank_is_shown = turn.begin().await;
        let name = self.ghost_name(ghost);
        match self.client.set_display_name(&ghost.user_id, &name).await {
            Ok(()) => {}
            // It can speak under its id, too; its messages must not wait for a name that is refused.
            Err(error) if error.is_final() => {
                tracing::warn!(ghost = %ghost.user_id, %error, "a ghost has no display name");
            }
            Err(error) => return Err(error.into()),
        }
        self.store.ghost_named(ghost.id, &name).await?;
        for room in self.store.ranks_lost(ghost.id).await? {
            self.note_ranks(room);
        }
        drop(no_rank_is_shown);
        if self.ghost_name(ghost) != name {
            self.rename_soon(&ghost.user_id);
        }
        Ok(())
    }

    /// The network says something else of a nick than before. A ghost that has a name gets another one in the background;
    /// where that fails, it has it when this changes next.
    pub(super) fn show_standing(&self, user_id: &str, standing: Standing, tells_accounts: bool) {
        self.standings.set(user_id, standing, tells_accounts);
        self.rename_soon(user_id);
    }

    /// The network says the same of a nick as before: its ghost may still have to get its name.
    pub(super) fn show_standing_again(&self, user_id: &str) {
        if self.standings.is_due(user_id, self.clock.now()) {
            self.rename_soon(user_id);
        }
    }

    fn rename_soon(&self, user_id: &str) {
        let bridge = self.clone();
        self.standings.naming.wake(&self.tasks, &self.stop, user_id.to_owned(), move |user_id| {
            let bridge = bridge.clone();
            async move {
                if !bridge.membership_turn(1).await {
                    return;
                }
                let _budget = bridge.membership_budget.acquire().await;
                if let Err(error) = bridge.name_anew(&user_id).await {
                    tracing::debug!(ghost = %user_id, %error, "a ghost keeps the name that it has");
                }
            }
        });
    }

    async fn name_anew(&self, user_id: &str) -> Result<(), GhostError> {
        // Who has no name yet gets this one when it comes first.
        match self.store.ghost_by_user_id(user_id).await? {
            Some(ghost)
                if ghost.display_name.as_ref().is_some_and(|name| *name != self.ghost_name(&ghost))
                    && self.standings.may_rename(user_id, self.clock.now()) =>
            {
                self.name_ghost(&ghost).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing(false, None, "")]
    #[case::a_program(true, None, " [bot]")]
    #[case::the_same_name(false, Some("Bob"), "")]
    #[case::another_name(false, Some("robert"), " (robert)")]
    #[case::both(true, Some("robert"), " (robert) [bot]")]
    #[case::an_imitation(false, Some("x)[bot]"), "")]
    #[case::a_control_character(false, Some("a\u{202}\x02"), "")]
    #[case::too_long(false, Some(&*"x".repeat(61)), "")]
    fn a_name_says_what_the_network_vouches_for(
        #[case] bot: bool,
        #[case] account: Option<&str>,
        #[case] suffix: &str,
    ) {
        let standing = Standing { bot, account: account.map(str::to_owned) };
        assert_eq!(standing.suffix("bob"), suffix);
    }

    fn by_account(account: &str) -> Standing {
        Standing { bot: false, account: Some(account.to_owned()) }
    }

    #[test]
    fn who_hears_of_no_accounts_takes_none_away() {
        let standings = Standings::default();
        standings.set("@bob", by_account("robert"), true);
        standings.set("@bob", Standing { bot: true, account: None }, false);
        let both = Standing { bot: true, ..by_account("robert") };
        assert_eq!(standings.lock().get("@bob"), Some(&both));
        standings.set("@bob", Standing::default(), true);
        assert_eq!(standings.lock().get("@bob"), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any time is as good as another")]
    fn a_ghost_gets_another_name_once_in_ten_minutes() {
        let (standings, start) = (Standings::default(), Instant::now());
        assert!(standings.may_rename("@bob", start));
        assert!(!standings.is_due("@bob", start + PAUSE), "there is no other name for it");
        assert!(!standings.may_rename("@bob", start + PAUSE / 2));
        assert!(standings.may_rename("@carol", start + PAUSE / 2));
        assert!(!standings.is_due("@bob", start + PAUSE / 2));
        assert!(standings.is_due("@bob", start + PAUSE));
        assert!(standings.may_rename("@bob", start + PAUSE));
        assert!(!standings.is_due("@bob", start + PAUSE * 2));
    }
}
