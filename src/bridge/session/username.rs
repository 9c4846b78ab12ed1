//! The user name on IRC ("ident"): by it a network's operators can act against one user of a bridge and not all.
//!
//! It is the user's own where the administrator has set one; else the letters of their Matrix name. Nobody else of this
//! bridge has it: who came later to the same letters has their number behind them, so that no ban made for one meets
//! another, and nobody can choose a Matrix name to be taken for somebody.
//!
//! Spec: RFC 1413 section 6; ten characters are what servers show (RFC 2812).

use super::super::Bridge;
use crate::store::settings::{self, Scope};
use crate::store::{SessionRow, StoreError};

/// Servers put a `~` in front where there is no ident, and cut at ten.
const LONGEST: usize = 9;

/// The user name of a session.
pub(super) async fn username(bridge: &Bridge, row: &SessionRow) -> Result<String, StoreError> {
    let mut value = bridge.store.setting(&settings::USERNAME, Scope::Session, row.id).await?;
    if value.is_none() && settings::USERNAME.scopes.contains(&Scope::User) {
        value = bridge.store.setting(&settings::USERNAME, Scope::User, row.user).await?;
    }
    if let Some(value) = value {
        return Ok(value.text().to_owned());
    }
    let earlier = bridge.store.users_before(row.user).await?;
    Ok(default_username(&row.user_id, row.user, earlier.iter().map(String::as_str)))
}

fn default_username<'a>(user_id: &str, number: i64, mut earlier: impl Iterator<Item = &'a str>) -> String {
    let name = letters(user_id);
    if earlier.any(|other| letters(other).eq_ignore_ascii_case(&name)) {
        // A hyphen is in no other name, so that no name can be made to end in somebody's number.
        let number = format!("-{number}");
        let kept = LONGEST.saturating_sub(number.len()).min(name.len());
        return format!("{}{number}", &name[..kept]);
    }
    name
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
        let name = default_username(user_id, 12, earlier.iter().copied());
        assert_eq!(name, expected);
        assert!(name.len() <= LONGEST);
    }
}
