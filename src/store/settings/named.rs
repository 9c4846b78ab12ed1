//! Settings of things that go by a name and not by a number: a network by its slug, a permission by its mask.

use super::{Scope, Setting, Value, row_name};
use crate::store::pool::{Tx, execute, on, on_tx};
use crate::store::{Store, StoreError};

impl Store {
    /// All values of a setting in one scope, by the names for which it is set, in their order.
    pub async fn named_settings(
        &self,
        setting: &Setting,
        scope: Scope,
    ) -> Result<Vec<(String, Value)>, StoreError> {
        const SQL: &str =
            "SELECT scope_id, value FROM setting WHERE scope = $1 AND key = $2 ORDER BY scope_id";
        debug_assert!(setting.scopes.contains(&scope), "{} can't be set there", setting.key);
        let rows: Vec<(String, Vec<u8>)> = on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(scope.as_str())
            .bind(setting.key)
            .fetch_all(p)
            .await)?;
        let read = |(name, stored): (String, Vec<u8>)| {
            let plain = if setting.secret {
                self.sealer().open(&stored, &row_name(scope, &name, setting.key))?
            } else {
                stored
            };
            let text = String::from_utf8(plain).map_err(|_| StoreError::Sealed)?;
            Ok((name, Value(text.into())))
        };
        rows.into_iter().map(read).collect()
    }

    /// Sets a setting for a name, or removes it there.
    pub async fn set_named_setting(
        &self,
        setting: &'static Setting,
        scope: Scope,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        debug_assert!(setting.scopes.contains(&scope), "{} can't be set there", setting.key);
        self.store_settings(scope, name, &[(setting, value)]).await
    }

    /// The values of a setting that is no secret in all sessions, each with its user's number, the oldest session first.
    pub async fn session_settings(&self, setting: &Setting) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = r#"SELECT session."user", setting.value FROM session
            JOIN setting ON setting.scope = 'session' AND setting.scope_id = CAST(session.id AS TEXT)
            WHERE setting.key = $1 ORDER BY session.id"#;
        debug_assert!(!setting.secret, "{} is sealed", setting.key);
        let rows: Vec<(i64, Vec<u8>)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(setting.key).fetch_all(p).await)?;
        let read = |(user, value)| Ok((user, String::from_utf8(value).map_err(|_| StoreError::Sealed)?));
        rows.into_iter().map(read).collect()
    }

    /// Sets or removes several settings of one thing, all or none.
    pub(super) async fn store_settings(
        &self,
        scope: Scope,
        scope_id: &str,
        values: &[(&'static Setting, Option<&str>)],
    ) -> Result<(), StoreError> {
        let sealed = |setting: &Setting, value: &str| {
            if setting.secret {
                self.sealer().seal(value.as_bytes(), &row_name(scope, scope_id, setting.key))
            } else {
                value.as_bytes().to_vec()
            }
        };
        let values: Vec<(&'static str, Option<Vec<u8>>)> = values
            .iter()
            .map(|(setting, value)| (setting.key, value.map(|value| sealed(setting, value))))
            .collect();
        let scope_id = scope_id.to_owned();
        self.write(move |tx| Box::pin(async move { put(tx, scope, &scope_id, values).await })).await
    }
}

/// Sets or removes settings, as they are stored.
pub(in crate::store) async fn put(
    tx: &mut Tx,
    scope: Scope,
    scope_id: &str,
    values: Vec<(&'static str, Option<Vec<u8>>)>,
) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO setting (scope, scope_id, key, value) VALUES ($1, $2, $3, $4)
        ON CONFLICT (scope, scope_id, key) DO UPDATE SET value = excluded.value";
    const REMOVE: &str = "DELETE FROM setting WHERE scope = $1 AND scope_id = $2 AND key = $3";
    if !has_owner(tx, scope, scope_id).await? {
        return Err(StoreError::Superseded);
    }
    for (key, stored) in values {
        match stored {
            Some(stored) => execute!(tx, SET, scope.as_str(), scope_id, key, stored)?,
            None => execute!(tx, REMOVE, scope.as_str(), scope_id, key)?,
        };
    }
    Ok(())
}

/// Whether they are there, or were deleted meanwhile, of whom something is to be set.
async fn has_owner(tx: &mut Tx, scope: Scope, scope_id: &str) -> Result<bool, StoreError> {
    const USER: &str = r#"SELECT id FROM "user" WHERE id = $1"#;
    const SESSION: &str = "SELECT id FROM session WHERE id = $1";
    const BUFFER: &str = "SELECT id FROM buffer WHERE id = $1";
    let sql = match scope {
        Scope::Global | Scope::Network => return Ok(true),
        Scope::User => USER,
        Scope::Session => SESSION,
        Scope::Buffer => BUFFER,
    };
    let id: i64 = scope_id.parse().unwrap_or_default();
    let found: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(sql).bind(id).fetch_optional(c).await)?;
    Ok(found.is_some())
}
