//! Rooms of the configuration that were replaced, and where the bridge has followed them: what the old ids in the file mean,
//! also when their rows are gone.

use std::collections::HashSet;

use super::pool::{Tx, later, on_tx};
use super::{Store, StoreError};

impl Store {
    /// The last room after each of these that was replaced. Of others nothing is known any more.
    pub async fn replaced(&self, named: HashSet<String>) -> Result<Vec<(String, String)>, StoreError> {
        const ALL: &str = "SELECT old, new FROM replaced ORDER BY old";
        const FORGET: &str = "DELETE FROM replaced WHERE old = $1";
        self.write(move |tx| {
            Box::pin(async move {
                let all: Vec<(String, String)> = on_tx!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
                let (known, others): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|(old, _)| named.contains(old));
                for (old, _) in others {
                    later!(tx, FORGET, old)?;
                }
                Ok(known)
            })
        })
        .await
    }
}

/// A room goes on in another one, and so does what had gone on in it.
pub(super) async fn replace(tx: &mut Tx, old: &str, new: &str) -> Result<(), StoreError> {
    const LATER: &str = "UPDATE replaced SET new = $2 WHERE new = $1";
    const ANEW: &str = "INSERT INTO replaced (old, new) VALUES ($1, $2)
        ON CONFLICT (old) DO UPDATE SET new = excluded.new";
    const BACK: &str = "DELETE FROM replaced WHERE old = $1";
    later!(tx, LATER, old, new)?;
    later!(tx, ANEW, old, new)?;
    later!(tx, BACK, new)?;
    Ok(())
}
