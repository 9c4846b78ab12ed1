//! Ghosts: the table is the way back from a Matrix id to a nick; an id never changes. Where they are is in `members`.

use sqlx::FromRow;

use super::pool::{Tx, later, on, on_tx};
use super::{Store, StoreError};

/// The Matrix user that stands for a nick.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Ghost {
    /// Our number for it.
    pub id: i64,
    /// The network's slug.
    pub network: String,
    /// The nick as first seen.
    pub nick: String,
    /// Its Matrix id.
    pub user_id: String,
    /// The display name as last set on the homeserver; `None` until it is registered there.
    pub display_name: Option<String>,
    /// Whether it is in its network's lobby.
    pub in_lobby: bool,
}

/// A ghost as it is to be, where its nick is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGhost {
    /// The nick under the network's casemapping.
    pub folded: String,
    /// The nick.
    pub nick: String,
    /// Its Matrix id.
    pub user_id: String,
}

const FIND: &str = "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost
    WHERE network = $1 AND folded = $2";

impl Store {
    /// The ghost of a nick, made with this Matrix id where the nick is new.
    pub async fn ghost(
        &self,
        network: &str,
        folded: &str,
        nick: &str,
        user_id: &str,
        now: i64,
    ) -> Result<Ghost, StoreError> {
        if let Some(ghost) = self.ghost_of_nick(network, folded).await? {
            return Ok(ghost);
        }
        let new = NewGhost { folded: folded.to_owned(), nick: nick.to_owned(), user_id: user_id.to_owned() };
        let network = network.to_owned();
        self.write(move |tx| Box::pin(async move { find_or_make(tx, &network, new, now).await })).await
    }

    /// The ghost with this Matrix id.
    pub async fn ghost_by_user_id(&self, user_id: &str) -> Result<Option<Ghost>, StoreError> {
        const SQL: &str =
            "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost WHERE user_id = $1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user_id).fetch_optional(p).await)?)
    }

    /// The ghost of a nick, letters folded, if it was ever needed.
    pub async fn ghost_of_nick(&self, network: &str, folded: &str) -> Result<Option<Ghost>, StoreError> {
        Ok(on!(self.readers(), |p| sqlx::query_as(FIND).bind(network).bind(folded).fetch_optional(p).await)?)
    }

    /// Stores that the homeserver knows a ghost under this display name.
    pub async fn ghost_named(&self, ghost: i64, display_name: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE ghost SET display_name = $2 WHERE id = $1";
        let display_name = display_name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, ghost, display_name)?;
                Ok(())
            })
        })
        .await
    }

    /// Stores whether a ghost is in its network's lobby.
    pub async fn ghost_in_lobby(&self, ghost: i64, in_lobby: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE ghost SET in_lobby = $2 WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, ghost, in_lobby)?;
                Ok(())
            })
        })
        .await
    }
}

/// The ghost of a nick, made where it is new.
pub(super) async fn find_or_make(
    tx: &mut Tx,
    network: &str,
    new: NewGhost,
    now: i64,
) -> Result<Ghost, StoreError> {
    // The id can be taken where the network has changed its casemapping: it stays the same ghost.
    const BY_ID: &str =
        "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost WHERE user_id = $1";
    const MAKE: &str =
        "INSERT INTO ghost (network, folded, nick, user_id, seen_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    let NewGhost { folded, nick, user_id } = new;
    later!(tx, MAKE, network, &folded, &nick, &user_id, now)?;
    let found: Option<Ghost> =
        on_tx!(tx, |c| sqlx::query_as(FIND).bind(network).bind(&folded).fetch_optional(c).await)?;
    match found {
        Some(ghost) => Ok(ghost),
        None => Ok(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(&user_id).fetch_one(c).await)?),
    }
}
