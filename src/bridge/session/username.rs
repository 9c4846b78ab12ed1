//! The user name on IRC ("ident"): by it a network's operators can act against one user of a bridge and not all.
//!
//! It is the user's own where the administrator has set one; else the letters of their Matrix name. Nobody else of this
//! bridge has it: who came later to the same letters has their number behind them, so that no ban made for one meets
//! another, and nobody can choose a Matrix name to be taken for somebody.
//!
//! What a connection gives as its user name may be another one, of the user's choice and nobody else's; a server that
//! asks for the ident takes that in its place, so that nobody gets around a ban so.
//!
//! Spec: RFC 1413 section 6; ten characters are what servers show (RFC 2812).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Bridge;
use crate::store::settings::{self, Scope};
use crate::store::{SessionRow, StoreError};

/// Servers put a `~` in front where there is no ident, and cut at ten.
const LONGEST: usize = 9;

/// Longer ones are cut by every server.
const LONGEST_CHOSEN: usize = 16;

/// What a server is told that asks whose connection this is.
pub(super) async fn ident(bridge: &Bridge, row: &SessionRow) -> Result<String, StoreError> {
    if let Some(value) = bridge.store.setting(&settings::USERNAME, Scope::User, row.user).await? {
        return Ok(value.text().to_owned());
    }
    Ok(names_of(bridge).await?.of(&row.user_id, row.user))
}

/// The user name that a session gives.
pub(super) async fn username(bridge: &Bridge, row: &SessionRow) -> Result<String, StoreError> {
    match bridge.store.setting(&settings::USERNAME, Scope::Session, row.id).await? {
        Some(chosen) => Ok(chosen.text().to_owned()),
        None => ident(bridge, row).await,
    }
}

/// Why a user name can't be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it takes up to {LONGEST_CHOSEN} letters, digits, dots and underscores, a letter or digit first")]
    Form,
    #[error("somebody else of this bridge is known by it")]
    Taken,
}

/// Checks a user name that a user chooses.
pub(super) async fn check(
    bridge: &Bridge,
    row: &SessionRow,
    name: &str,
) -> Result<Result<(), Unfit>, StoreError> {
    // A hyphen stands before the number of somebody who came later to the same letters.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > LONGEST_CHOSEN || !name.chars().all(fits) {
        return Ok(Err(Unfit::Form));
    }
    let is_taken = names_of(bridge).await?.is_of_another(name, row.user);
    Ok(if is_taken { Err(Unfit::Taken) } else { Ok(()) })
}

async fn names_of(bridge: &Bridge) -> Result<&Usernames, StoreError> {
    let names = &bridge.usernames;
    if !names.are_read() {
        names.read(&bridge.store.user_ids().await?);
    }
    Ok(names)
}

/// Who first had each name; as many as there are users, since a name once given is nobody else's.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Usernames(Mutex<Option<HashMap<String, i64>>>);

impl Usernames {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn are_read(&self) -> bool {
        self.lock().is_some()
    }

    /// Takes all users that there are, in the order in which they came.
    fn read(&self, users: &[(i64, String)]) {
        let mut names = HashMap::with_capacity(users.len());
        for (number, user_id) in users {
            names.entry(letters(user_id).to_ascii_lowercase()).or_insert(*number);
        }
        self.lock().get_or_insert(names);
    }

    /// Whether a name, or what servers show of it, is somebody else's.
    fn is_of_another(&self, name: &str, number: i64) -> bool {
        let name: String = name.chars().take(LONGEST).collect();
        let owner = self.lock().get_or_insert_default().get(&name.to_ascii_lowercase()).copied();
        owner.is_some_and(|owner| owner != number)
    }

    /// The user name of a user, who may have come since.
    fn of(&self, user_id: &str, number: i64) -> String {
        let name = letters(user_id);
        let mut names = self.lock();
        let first = *names.get_or_insert_default().entry(name.to_ascii_lowercase()).or_insert(number);
        if first == number {
            return name;
        }
        // A hyphen is in no other name, so that no name can be made to end in somebody's number.
        let number = format!("-{number}");
        let kept = LONGEST.saturating_sub(number.len()).min(name.len());
        format!("{}{number}", &name[..kept])
    }
}

fn letters(user_id: &str) -> String {
    let localpart = user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
    let name: String = localpart.chars().filter(char::is_ascii_alphanumeric).take(LONGEST).collect();
    if name.is_empty() { "user".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn nobody_chooses_the_name_that_another_is_known_by() {
        let names = Usernames::default();
        names.read(&[(1, "@christopher:a.org".to_owned()), (2, "@bob:a.org".to_owned())]);
        assert!(names.is_of_another("Christopher", 2) && names.is_of_another("BOB", 1));
        assert!(!names.is_of_another("bob", 2) && !names.is_of_another("bobby", 1));
    }

    #[rstest]
    #[case::alone("@alice:a.org", &[], "alice")]
    #[case::others_differ("@alice:a.org", &["@bob:a.org"], "alice")]
    #[case::another_server("@alice:b.org", &["@alice:a.org"], "alice-12")]
    #[case::another_case("@ALICE:b.org", &["@alice:a.org"], "ALICE-12")]
    #[case::the_same_beginning("@christopher.b:a.org", &["@christopher.a:a.org"], "christ-12")]
    #[case::no_letter("@_:a.org", &["@ж:a.org"], "user-12")]
    #[case::no_hyphen_of_ones_own("@alice-12:a.org", &[], "alice12")]
    fn nobody_has_the_name_of_somebody_before_them(
        #[case] user_id: &str,
        #[case] earlier: &[&str],
        #[case] expected: &str,
    ) {
        let names = Usernames::default();
        let earlier: Vec<(i64, String)> = (1..).zip(earlier.iter().map(|id| (*id).to_owned())).collect();
        names.read(&earlier);
        for _ in 0..2 {
            let name = names.of(user_id, 12);
            assert_eq!(name, expected);
            assert!(name.len() <= LONGEST);
        }
        let later = names.of(user_id, 345);
        assert!(later.ends_with("-345") && later.len() <= LONGEST, "{later}");
    }
}
