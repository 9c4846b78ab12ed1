//! The names of a session's buffers as they are compared, made anew where that is otherwise from now on.

use super::super::announced::{key_of_none, keys};
use super::super::pool::{later, on, on_tx};
use super::super::{Store, StoreError};
use super::key_row;
use crate::names::CaseMapping;

impl Store {
    /// Folds the names of a session's buffers by this mapping. Gives those that are folded otherwise by that.
    pub async fn refold_buffers(
        &self,
        session: i64,
        mapping: CaseMapping,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        // Of two that have the same name from now on it is the newer one.
        const ALL: &str = "SELECT id, name, folded, key FROM buffer WHERE session = $1 ORDER BY id DESC";
        const NAMES: &str = "SELECT id, name, folded FROM buffer WHERE session = $1 ORDER BY id DESC";
        const SET: &str = "UPDATE buffer SET folded = $2 WHERE id = $1";
        const SEAL: &str = "UPDATE buffer SET key = $2 WHERE id = $1";
        // All, also those that nothing shows; few are ever folded otherwise.
        let names: Vec<(i64, String, String)> =
            on!(self.readers(), |p| sqlx::query_as(NAMES).bind(session).fetch_all(p).await)?;
        let wanted = keys(mapping, names.iter().map(|(id, name, _)| (*id, name.as_str())));
        if names.iter().zip(&wanted).all(|((.., before), (_, key))| before == key) {
            return Ok(Vec::new());
        }
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let rows: Vec<(i64, String, String, Option<Vec<u8>>)> =
                    on_tx!(tx, |c| sqlx::query_as(ALL).bind(session).fetch_all(c).await)?;
                let keys = keys(mapping, rows.iter().map(|(id, name, ..)| (*id, name.as_str())));
                let is_changed =
                    |((_, _, before, _), (_, key)): &(&(_, _, String, _), &(_, String))| before != key;
                let changed: Vec<_> = rows.iter().zip(&keys).filter(is_changed).collect();
                // One's new name may be another's until then.
                for ((id, ..), _) in &changed {
                    later!(tx, SET, *id, key_of_none(*id))?;
                }
                for ((id, _, before, sealed), (_, folded)) in &changed {
                    later!(tx, SET, *id, folded.as_str())?;
                    // A channel's key is sealed for its place.
                    let Some(sealed) = sealed else { continue };
                    // One that can't be read now, as with another key file, stays as it is.
                    let Ok(key) = store.sealer().open(sealed, &key_row(session, before)) else { continue };
                    later!(tx, SEAL, *id, store.sealer().seal(&key, &key_row(session, folded)))?;
                }
                Ok(changed.into_iter().map(|(_, key)| key.clone()).collect())
            })
        })
        .await
    }
}
