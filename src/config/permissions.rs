//! Who may use the bridge.

use std::collections::BTreeMap;

/// What someone may do. Ordered, so that `permission >= Permission::User` asks whether they may use the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Permission {
    /// Nothing.
    #[default]
    None,
    /// Use the bridge.
    User,
    /// Also see and change what belongs to others.
    Admin,
}

impl Permission {
    const WORDS: [(&'static str, Self); 3] =
        [("none", Self::None), ("user", Self::User), ("admin", Self::Admin)];

    /// The permission of this name.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        known.map(|(_, permission)| *permission)
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, permission)| *permission == self).map_or("", |(word, _)| word)
    }

    pub(super) fn from_word(word: &str) -> Self {
        Self::read(word).unwrap_or_default()
    }
}

/// The table of permissions: a full id wins over a server's name, that over `*`; without a match it is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    table: BTreeMap<String, Permission>,
}

impl Permissions {
    /// A table of full ids, servers' names and `*`.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (String, Permission)>) -> Self {
        Self { table: entries.into_iter().collect() }
    }

    /// What this user may do.
    #[must_use]
    pub fn of(&self, user_id: &str) -> Permission {
        let server = user_id.split_once(':').map(|(_, server)| server);
        // Not a user id: not even `*` is meant for it.
        let (Some(server), true) = (server, user_id.starts_with('@')) else {
            return Permission::None;
        };
        [user_id, server, "*"].iter().find_map(|&key| self.table.get(key)).copied().unwrap_or_default()
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = (&String, &Permission)> {
        self.table.iter()
    }

    /// Whether it has an entry for this very id, server or `*`.
    #[must_use]
    pub fn says(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// This table and what another has besides.
    #[must_use]
    pub fn with(&self, others: &BTreeMap<String, Permission>) -> Self {
        let mut table = others.clone();
        table.extend(self.table.clone());
        Self { table }
    }

    /// Whether anyone at all may use the bridge.
    #[must_use]
    pub fn admit_anyone(&self) -> bool {
        self.table.values().any(|&permission| permission > Permission::None)
    }

    /// The full ids with at least this permission.
    pub fn ids_with(&self, least: Permission) -> impl Iterator<Item = &str> {
        self.table
            .iter()
            .filter(move |(key, p)| key.starts_with('@') && **p >= least)
            .map(|(key, _)| key.as_str())
    }
}
