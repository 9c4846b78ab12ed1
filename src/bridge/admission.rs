//! Who may use the bridge: what the configuration says, and what administrators have added to it at run time.
//!
//! A mask is a full id, a server's name or `*`, the narrower before the wider. What the configuration says of a mask holds,
//! and nobody can take from its administrators what they are. What was added stands in the store.
//!
//! Not what somebody may do with which command: the table of commands says that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Bridge, Outcome, Refusal};
use crate::config::{Permission, Permissions};
use crate::format::RichText;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// What the configuration says, and what was added at run time, by mask.
#[derive(Default)]
pub(super) struct Admission {
    fixed: Mutex<Permissions>,
    added: Mutex<BTreeMap<String, Permission>>,
}

/// Whom a permission is for: a full id, a server's name or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(String);

/// What a mask is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a full id as @alice:example.org, a server's name as example.org, or * for everybody")]
pub struct InvalidMask;

impl Mask {
    /// Reads a mask; `@*:example.org` is all of a server, too.
    ///
    /// # Errors
    /// What is none of the three.
    pub fn new(text: &str) -> Result<Self, InvalidMask> {
        let text = match text {
            "@*:*" | "*:*" => "*",
            _ => text.strip_prefix("@*:").or_else(|| text.strip_prefix("*:")).unwrap_or(text),
        };
        let is_mask = text == "*"
            // A star within a name would be a part of the name.
            || (!text.contains('*') && <&ruma::UserId>::try_from(text).is_ok())
            || (!text.starts_with('@') && <&ruma::ServerName>::try_from(text).is_ok());
        if is_mask { Ok(Self(text.to_owned())) } else { Err(InvalidMask) }
    }

    /// Whether it is a full id.
    #[must_use]
    pub fn is_one_person(&self) -> bool {
        self.0.starts_with('@')
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the table of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// Whom it is for.
    pub mask: String,
    /// What they may do.
    pub permission: Permission,
    /// Whether the configuration says so, so that nothing here can change it.
    pub is_fixed: bool,
}

impl Admission {
    pub(super) fn new(fixed: Permissions) -> Self {
        Self { fixed: Mutex::new(fixed), added: Mutex::default() }
    }

    fn added(&self) -> MutexGuard<'_, BTreeMap<String, Permission>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locked before what was added, where both are.
    fn fixed(&self) -> MutexGuard<'_, Permissions> {
        self.fixed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the configuration makes somebody an administrator.
    pub(super) fn is_fixed_admin(&self, user_id: &str) -> bool {
        self.fixed().of(user_id) == Permission::Admin
    }

    /// What a user may do unless they are excluded.
    pub(super) fn of(&self, user_id: &str) -> Permission {
        let fixed = self.fixed();
        let by_configuration = fixed.of(user_id);
        if by_configuration == Permission::Admin {
            return Permission::Admin;
        }
        fixed.with(&self.added()).of(user_id)
    }
}

impl Bridge {
    /// Reads what was added to the configuration's permissions.
    pub(super) async fn load_permissions(&self) -> Result<(), StoreError> {
        let stored = self.store.named_settings(&settings::PERMISSION, Scope::Global).await?;
        let read = |(mask, value): (String, settings::Value)| Some((mask, Permission::read(value.text())?));
        *self.admission.added() = stored.into_iter().filter_map(read).collect();
        Ok(())
    }

    /// What this user may do.
    pub fn permission_of(&self, user_id: &str) -> Permission {
        match self.admission.of(user_id) {
            Permission::None => Permission::None,
            _ if self.exclusion_of(user_id).is_some() => Permission::None,
            permission => permission,
        }
    }

    /// The table of permissions: the configuration's lines, then those that were added.
    pub fn permissions(&self) -> Vec<Permitted> {
        let fixed = self.admission.fixed();
        let line = |(mask, permission): (&String, &Permission), is_fixed| Permitted {
            mask: mask.clone(),
            permission: *permission,
            is_fixed,
        };
        let added = self.admission.added();
        let added = added.iter().filter(|(mask, _)| !fixed.says(mask));
        fixed.entries().map(|entry| line(entry, true)).chain(added.map(|entry| line(entry, false))).collect()
    }

    /// Gives those whom a mask fits this permission, or takes back what was given.
    pub async fn permit(&self, mask: &Mask, permission: Option<Permission>) -> Outcome {
        let Mask(mask) = mask;
        if self.admission.fixed().says(mask) {
            return Err(Refusal::asked(format!(
                "What {mask} may do stands in the configuration, under permissions, and can only be changed there."
            )));
        }
        let had = self.admission.added().contains_key(mask);
        if permission.is_none() && !had {
            return Err(Refusal::asked(format!("Nothing was set for {mask}.")));
        }
        let word = permission.map(Permission::word);
        self.store.set_named_setting(&settings::PERMISSION, Scope::Global, mask, word).await?;
        {
            let mut added = self.admission.added();
            match permission {
                Some(permission) => _ = added.insert(mask.clone(), permission),
                None => _ = added.remove(mask),
            }
        }
        let changed = self.renew_sessions().await?;
        let text = match word {
            Some(word) => format!("{mask}: {word}, from now on."),
            None => format!("What was set for {mask} is taken back."),
        };
        Ok(RichText::plain(match changed {
            0 => text,
            1 => format!("{text} One open connection begins or ends with that."),
            more => format!("{text} {more} open connections begin or end with that."),
        }))
    }

    /// The configuration says something else from now on. Returns how many sessions begin or end with that.
    pub async fn set_permissions(&self, fixed: Permissions) -> Result<usize, StoreError> {
        *self.admission.fixed() = fixed;
        self.renew_sessions().await
    }

    /// Starts the sessions that may run now, by their users and networks, and ends those that may no more. Returns how many.
    pub(super) async fn renew_sessions(&self) -> Result<usize, StoreError> {
        let is_other = |session: &super::SessionHandle| self.may_run(&session.row) == session.is_declined();
        let others: Vec<i64> =
            self.sessions(None).iter().filter(|session| is_other(session)).map(|one| one.row.id).collect();
        self.renew_sessions_of(&others).await?;
        Ok(others.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::an_id("@alice:example.org", Some("@alice:example.org"))]
    #[case::a_server("example.org", Some("example.org"))]
    #[case::with_a_port("example.org:8448", Some("example.org:8448"))]
    #[case::everybody("*", Some("*"))]
    #[case::of_a_server("@*:example.org", Some("example.org"))]
    #[case::of_a_server_in_short("*:example.org", Some("example.org"))]
    #[case::of_all_servers("*:*", Some("*"))]
    #[case::no_server("@alice", None)]
    #[case::half_a_name("@a*:example.org", None)]
    #[case::words("everybody here", None)]
    #[case::nothing("", None)]
    fn a_mask_is_an_id_a_server_or_everybody(#[case] text: &str, #[case] mask: Option<&str>) {
        assert_eq!(Mask::new(text).ok().map(|mask| mask.0).as_deref(), mask);
    }

    #[rstest]
    #[case::added("@bob:b.org", Permission::User)]
    #[case::added_for_a_server("@carol:c.org", Permission::User)]
    #[case::narrower_than_the_file("@mallory:a.org", Permission::None)]
    #[case::the_files_own_mask_holds("@alice:a.org", Permission::User)]
    #[case::no_admin_of_the_file_is_locked_out("@root:a.org", Permission::Admin)]
    #[case::nor_one_by_server("@anybody:admins.org", Permission::Admin)]
    #[case::nobody("@dave:d.org", Permission::None)]
    fn what_was_added_holds_beside_the_configuration(#[case] user_id: &str, #[case] expected: Permission) {
        use Permission::{Admin, None, User};
        let table = |entries: &[(&str, Permission)]| {
            entries.iter().map(|(mask, permission)| ((*mask).to_owned(), *permission)).collect::<Vec<_>>()
        };
        let fixed =
            Permissions::new(table(&[("a.org", User), ("@root:a.org", Admin), ("admins.org", Admin)]));
        let admission = Admission::new(fixed);
        admission.added().extend(table(&[
            ("@bob:b.org", User),
            ("c.org", User),
            ("@mallory:a.org", None),
            ("a.org", None),
            ("@root:a.org", None),
            ("@anybody:admins.org", None),
        ]));
        assert_eq!(admission.of(user_id), expected);
    }
}
