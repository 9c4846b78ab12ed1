//! The user name on IRC ("ident"): by it a network's operators can act against one user of a bridge and not all.
//!
//! It is the user's own where the administrator has set one; else the letters of their Matrix name, in the administrator's
//! template if there is one. Nobody else of this
//! bridge has it: who came later to the same letters has their number behind them, so that no ban made for one meets
//! another, and nobody can choose a Matrix name to be taken for somebody.
//!
//! What a connection gives as its user name may be another one, of the user's choice and nobody else's; a server that
//! asks for the ident takes that in its place, so that nobody gets around a ban so. Where the administrator has set one
//! there is no other.
//!
//! Spec: RFC 1413 section 6; ten characters are what servers show (RFC 2812).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Bridge;
use super::super::outcome::{Outcome, Refusal};
use crate::config::Template;
use crate::format::RichText;
use crate::store::settings::{self, Scope};
use crate::store::{SessionRow, StoreError};

/// Servers put a `~` in front where there is no ident, and cut at ten.
const LONGEST: usize = 9;

/// Longer ones are cut by every server.
const LONGEST_CHOSEN: usize = 16;

/// What a server is told that asks whose connection this is.
pub(super) async fn ident(bridge: &Bridge, row: &SessionRow) -> Result<String, StoreError> {
    match fixed(bridge, row.user).await? {
        Some(name) => Ok(name),
        None => Ok(names_of(bridge).await?.of(&row.user_id, row.user)),
    }
}

/// The user name that the administrator has set for a user.
pub(super) async fn fixed(bridge: &Bridge, user: i64) -> Result<Option<String>, StoreError> {
    let value = bridge.store.setting(&settings::USERNAME, Scope::User, user).await?;
    Ok(value.map(|value| value.text().to_owned()))
}

/// The user name that a session gives.
pub(super) async fn username(bridge: &Bridge, row: &SessionRow) -> Result<String, StoreError> {
    if let Some(fixed) = fixed(bridge, row.user).await? {
        return Ok(fixed);
    }
    match bridge.store.setting(&settings::USERNAME, Scope::Session, row.id).await? {
        // An earlier version let two people choose the same.
        Some(chosen) if !names_of(bridge).await?.is_of_another(chosen.text(), row.user) => {
            Ok(chosen.text().to_owned())
        }
        _ => ident(bridge, row).await,
    }
}

/// Stores the user name that a session gives from now on, or that it gives none of its own: one after the other, so that
/// two people can't choose the same.
pub(super) async fn choose(
    bridge: &Bridge,
    row: &SessionRow,
    name: Option<&str>,
) -> Result<Result<(), Unfit>, StoreError> {
    let _one_at_a_time = bridge.usernames.choosing.lock().await;
    if let Some(name) = name
        && let Err(unfit) = check(bridge, row.user, name).await?
    {
        return Ok(Err(unfit));
    }
    bridge.store.set_setting(&settings::USERNAME, Scope::Session, row.id, name).await?;
    // What was chosen before is free again, unless somebody is known by it.
    bridge.usernames.replace(first_owners(bridge).await?);
    Ok(Ok(()))
}

/// Why a user name can't be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it takes up to {LONGEST_CHOSEN} letters, digits, dots and underscores, a letter or digit first")]
    Form,
    #[error("somebody else of this bridge is known by it")]
    Taken,
}

/// Checks a user name that a user chooses, or the administrator for them.
pub(super) async fn check(bridge: &Bridge, user: i64, name: &str) -> Result<Result<(), Unfit>, StoreError> {
    // A hyphen stands before the number of somebody who came later to the same letters.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > LONGEST_CHOSEN || !name.chars().all(fits) {
        return Ok(Err(Unfit::Form));
    }
    let is_taken = names_of(bridge).await?.is_of_another(name, user);
    Ok(if is_taken { Err(Unfit::Taken) } else { Ok(()) })
}

async fn names_of(bridge: &Bridge) -> Result<&Usernames, StoreError> {
    let names = &bridge.usernames;
    if !names.are_read() {
        names.fill(first_owners(bridge).await?);
    }
    Ok(names)
}

async fn first_owners(bridge: &Bridge) -> Result<HashMap<String, i64>, StoreError> {
    let users = bridge.store.user_ids().await?;
    let chosen = bridge.store.session_settings(&settings::USERNAME).await?;
    Ok(owners(bridge.usernames.template.as_ref(), &idents_set(bridge).await?, &chosen, &users))
}

/// The user names that the administrator has set, by the users' numbers.
async fn idents_set(bridge: &Bridge) -> Result<Vec<(i64, String)>, StoreError> {
    let set = bridge.store.named_settings(&settings::USERNAME, Scope::User).await?;
    let read = |(user, name): (String, settings::Value)| Some((user.parse().ok()?, name.text().to_owned()));
    Ok(set.into_iter().filter_map(read).collect())
}

impl Bridge {
    /// Who is not there any more has no user name.
    pub(in crate::bridge) async fn reread_usernames(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.usernames.choosing.lock().await;
        self.usernames.replace(first_owners(self).await?);
        Ok(())
    }

    /// The user names that the administrator has set, by the users' Matrix ids.
    pub async fn idents(&self) -> Result<Vec<(String, String)>, StoreError> {
        let users: HashMap<i64, String> = self.store.user_ids().await?.into_iter().collect();
        let set = idents_set(self).await?;
        Ok(set.into_iter().filter_map(|(user, name)| Some((users.get(&user)?.clone(), name))).collect())
    }

    /// Sets the user name of a user on all networks, shows it (none), or takes that back (an empty one).
    pub async fn set_ident(&self, user_id: &str, name: Option<&str>) -> Outcome {
        let users = self.store.user_ids().await?;
        let Some((user, _)) = users.into_iter().find(|(_, known)| known == user_id) else {
            let text =
                RichText::plain(format!("{user_id} has never used this bridge. To see who has, type "));
            return Err(Refusal::Asked(text.code("users").text(".")));
        };
        let own = names_of(self).await?.of(user_id, user);
        let Some(name) = name else {
            return Ok(RichText::plain(match fixed(self, user).await? {
                Some(fixed) => format!("{user_id} is {fixed} to IRC, as was set here."),
                None => format!("{user_id} is {own} to IRC, unless they have chosen another name."),
            }));
        };
        let from_then_on = "from their next connections on";
        let _one_at_a_time = self.usernames.choosing.lock().await;
        if name.is_empty() {
            self.store.set_setting(&settings::USERNAME, Scope::User, user, None).await?;
            return Ok(RichText::plain(format!(
                "{user_id} is {own} to IRC again {from_then_on}, unless they have chosen another name."
            )));
        }
        if let Err(unfit) = check(self, user, name).await? {
            return Err(Refusal::asked(format!("{name} can't be a user name: {unfit}.")));
        }
        self.usernames.reserve(name, user);
        self.store.set_setting(&settings::USERNAME, Scope::User, user, Some(name)).await?;
        tracing::info!(%user_id, %name, "an administrator has set a user name");
        Ok(RichText::plain(format!("{user_id} is {name} to IRC {from_then_on}, and can't choose another.")))
    }
}

/// Who has each name: as administrators have set them, as people have chosen, then all users that there are, in the order in
/// which they came.
fn owners(
    template: Option<&Template>,
    set: &[(i64, String)],
    chosen: &[(i64, String)],
    users: &[(i64, String)],
) -> HashMap<String, i64> {
    let mut names = HashMap::with_capacity(set.len() + chosen.len() + users.len());
    for (number, name) in set.iter().chain(chosen) {
        names.entry(shown(name)).or_insert(*number);
    }
    for (number, user_id) in users {
        names.entry(base(template, user_id).to_ascii_lowercase()).or_insert(*number);
    }
    names
}

/// Who first had each name; as many as there are users and sessions, since a name once given is nobody else's.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Usernames {
    /// What names are made of, where they are not the letters alone.
    template: Option<Template>,
    first: Mutex<Option<HashMap<String, i64>>>,
    /// Held while one is chosen.
    choosing: tokio::sync::Mutex<()>,
}

impl Usernames {
    pub(in crate::bridge) fn new(template: Option<Template>) -> Self {
        Self { template, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, i64>>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// They were read, unless somebody else has read them before.
    fn fill(&self, owners: HashMap<String, i64>) {
        self.lock().get_or_insert(owners);
    }

    /// They were read anew.
    fn replace(&self, owners: HashMap<String, i64>) {
        *self.lock() = Some(owners);
    }

    fn are_read(&self) -> bool {
        self.lock().is_some()
    }

    /// A name is a user's from now on, whoever comes.
    fn reserve(&self, name: &str, number: i64) {
        self.lock().get_or_insert_default().entry(shown(name)).or_insert(number);
    }

    /// Whether a name, or what servers show of it, is somebody else's.
    fn is_of_another(&self, name: &str, number: i64) -> bool {
        let owner = self.lock().get_or_insert_default().get(&shown(name)).copied();
        owner.is_some_and(|owner| owner != number)
    }

    /// The user name of a user, who may have come since.
    fn of(&self, user_id: &str, number: i64) -> String {
        let name = base(self.template.as_ref(), user_id);
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

/// What servers show of a name at least, however it is written.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST).collect::<String>().to_ascii_lowercase()
}

/// The name that somebody has if nobody had it before: the letters of their Matrix name, in the template if there is one,
/// which stays as it is where there is too much of them.
fn base(template: Option<&Template>, user_id: &str) -> String {
    let localpart = user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
    let taken = template.map_or(0, |template| template.render(&[]).len());
    let letters = localpart.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.take(LONGEST.saturating_sub(taken)).collect();
    let name = if name.is_empty() { "user".to_owned() } else { name };
    template.map_or(name.clone(), |template| template.render(&[("localpart", &name)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn nobody_chooses_the_name_that_another_is_known_by() {
        let names = Usernames::default();
        names.fill(owners(
            None,
            &[],
            &[],
            &[(1, "@christopher:a.org".to_owned()), (2, "@bob:a.org".to_owned())],
        ));
        assert!(names.is_of_another("Christopher", 2) && names.is_of_another("BOB", 1));
        assert!(!names.is_of_another("bob", 2) && !names.is_of_another("bobby", 1));
    }

    #[test]
    fn what_was_set_for_somebody_is_nobody_elses_though_they_came_before() {
        let names = Usernames::default();
        names.fill(owners(
            None,
            &[(2, "Alice".to_owned())],
            &[],
            &[(1, "@alice:a.org".to_owned()), (2, "@bob:a.org".to_owned())],
        ));
        assert_eq!(
            (names.of("@alice:a.org", 1), names.of("@bob:a.org", 2)),
            ("alice-1".into(), "bob".into())
        );
        assert!(names.is_of_another("ALICE", 1) && !names.is_of_another("alice", 2));
        names.reserve("carol", 2);
        assert_eq!(names.of("@carol:a.org", 3), "carol-3");
    }

    /// Before, two people could choose the same name, and who came later was known by it, too.
    #[test]
    fn what_somebody_has_chosen_is_nobody_elses() {
        let names = Usernames::default();
        let users = [(1, "@alice:a.org".to_owned()), (3, "@queen:a.org".to_owned())];
        names.fill(owners(None, &[], &[(1, "Queen".to_owned())], &users));
        assert!(names.is_of_another("queen", 2) && !names.is_of_another("queen", 1));
        assert_eq!(
            (names.of("@alice:a.org", 1), names.of("@queen:a.org", 3)),
            ("alice".into(), "queen-3".into())
        );
    }

    #[rstest]
    #[case::short("m.{localpart}", "@alice:a.org", "m.alice", "m.alice-2")]
    #[case::long("m.{localpart}", "@christopher:a.org", "m.christo", "m.chris-2")]
    #[case::behind("{localpart}_mx", "@christopher:a.org", "christ_mx", "christ_-2")]
    #[case::no_letter("m{localpart}", "@ж:a.org", "muser", "muser-2")]
    fn names_are_made_of_a_template_and_are_nobody_elses(
        #[case] template: &str,
        #[case] user_id: &str,
        #[case] name: &str,
        #[case] second: &str,
    ) {
        let template = Template::parse_username(template).unwrap();
        let names = Usernames::new(Some(template.clone()));
        names.fill(owners(Some(&template), &[], &[], &[(1, user_id.to_owned())]));
        assert_eq!((names.of(user_id, 1), names.of(user_id, 2)), (name.to_owned(), second.to_owned()));
        assert!(names.is_of_another(name, 2) && names.is_of_another(&name.to_uppercase(), 3));
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
        names.fill(owners(None, &[], &[], &earlier));
        for _ in 0..2 {
            let name = names.of(user_id, 12);
            assert_eq!(name, expected);
            assert!(name.len() <= LONGEST);
        }
        let later = names.of(user_id, 345);
        assert!(later.ends_with("-345") && later.len() <= LONGEST, "{later}");
    }
}
