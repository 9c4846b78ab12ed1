//! Ghosts and where they are. The table is the way back from a Matrix id to a nick; an id never changes.

use sqlx::FromRow;

use super::pool::{Tx, execute, on, on_tx};
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

/// A ghost that should leave a room.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Departure {
    /// Our number for the ghost.
    pub ghost: i64,
    /// Its Matrix id.
    pub user_id: String,
    /// What IRC gave as the reason.
    pub reason: Option<String>,
    /// Who kicked it, if that was why.
    pub kicker: Option<String>,
}

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
        const FIND: &str = "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost
            WHERE network = $1 AND folded = $2";
        // The id can be taken where the network has changed its casemapping: it stays the same ghost.
        const BY_ID: &str =
            "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost WHERE user_id = $1";
        const MAKE: &str =
            "INSERT INTO ghost (network, folded, nick, user_id, seen_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING";
        let found =
            on!(self.readers(), |p| sqlx::query_as(FIND).bind(network).bind(folded).fetch_optional(p).await)?;
        if let Some(ghost) = found {
            return Ok(ghost);
        }
        let (network, folded) = (network.to_owned(), folded.to_owned());
        let (nick, user_id) = (nick.to_owned(), user_id.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, MAKE, &network, &folded, &nick, &user_id, now)?;
                let found: Option<Ghost> = on_tx!(tx, |c| sqlx::query_as(FIND)
                    .bind(&network)
                    .bind(&folded)
                    .fetch_optional(c)
                    .await)?;
                match found {
                    Some(ghost) => Ok(ghost),
                    None => Ok(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(&user_id).fetch_one(c).await)?),
                }
            })
        })
        .await
    }

    /// The ghost with this Matrix id.
    pub async fn ghost_by_user_id(&self, user_id: &str) -> Result<Option<Ghost>, StoreError> {
        const SQL: &str =
            "SELECT id, network, nick, user_id, display_name, in_lobby FROM ghost WHERE user_id = $1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user_id).fetch_optional(p).await)?)
    }

    /// Stores that the homeserver knows a ghost under this display name.
    pub async fn ghost_named(&self, ghost: i64, display_name: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE ghost SET display_name = $2 WHERE id = $1";
        let display_name = display_name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, SQL, ghost, display_name)?;
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
                execute!(tx, SQL, ghost, in_lobby)?;
                Ok(())
            })
        })
        .await
    }

    /// Whether a ghost is in a room, as far as was stored, and meant to stay.
    pub async fn is_member(&self, room: i64, ghost: i64) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT wanted FROM member WHERE room = $1 AND ghost = $2";
        let wanted: Option<bool> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).bind(ghost).fetch_optional(p).await)?;
        Ok(wanted == Some(true))
    }

    /// Stores that a ghost has joined a room. One that is to leave it again, and only came for what it said before,
    /// still is.
    pub async fn member_joined(&self, room: i64, ghost: i64) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO member (room, ghost, wanted) VALUES ($1, $2, TRUE)
            ON CONFLICT (room, ghost) DO NOTHING";
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, SQL, room, ghost)?;
                Ok(())
            })
        })
        .await
    }

    /// Stores that a ghost is no longer in a room, unless it was wanted again meanwhile.
    pub async fn member_left(&self, room: i64, ghost: i64) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM member WHERE room = $1 AND ghost = $2 AND NOT wanted";
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, SQL, room, ghost)?;
                Ok(())
            })
        })
        .await
    }

    /// Stores that a ghost was found not to be in a room.
    pub async fn member_lost(&self, room: i64, ghost: i64) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM member WHERE room = $1 AND ghost = $2";
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, SQL, room, ghost)?;
                Ok(())
            })
        })
        .await
    }

    /// The folded nicks of the ghosts in a room.
    pub async fn members(&self, room: i64) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT ghost.folded FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND member.wanted";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_all(p).await)?)
    }

    /// The Matrix ids of the ghosts in a room.
    pub async fn ghosts_in(&self, room: i64) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT ghost.user_id FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 ORDER BY ghost.id";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_all(p).await)?)
    }

    /// The ghosts that should leave a room, a few at a time. One for whom requests still wait there stays for them.
    pub async fn departures(&self, room: i64, limit: i64) -> Result<Vec<Departure>, StoreError> {
        const SQL: &str = "SELECT member.ghost, ghost.user_id, member.reason, member.kicker
            FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND NOT member.wanted AND ghost.user_id NOT IN
                (SELECT sender FROM outbox WHERE outbox.room = $1 AND outbox.state = 'queued')
            ORDER BY member.ghost LIMIT $2";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).bind(limit).fetch_all(p).await)?)
    }

    /// Whether some ghost should leave a room, now or later.
    pub async fn has_departures(&self, room: i64) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM member WHERE room = $1 AND NOT wanted LIMIT 1";
        let found: Option<i32> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_optional(p).await)?;
        Ok(found.is_some())
    }

    /// The rooms that some ghost should leave.
    pub async fn rooms_with_departures(&self) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT DISTINCT room FROM member WHERE NOT wanted";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p).await)?)
    }
}

/// Marks a ghost for departure from a room, also where it has yet to come for what it said.
pub(super) async fn depart(
    tx: &mut Tx,
    room: i64,
    network: &str,
    folded: &str,
    reason: &str,
    kicker: Option<&str>,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO member (room, ghost, wanted, reason, kicker)
        SELECT CAST($1 AS BIGINT), id, FALSE, CAST($4 AS TEXT), CAST($5 AS TEXT) FROM ghost
        WHERE network = $2 AND folded = $3
        ON CONFLICT (room, ghost) DO UPDATE SET wanted = FALSE, reason = excluded.reason, kicker = excluded.kicker";
    execute!(tx, SQL, room, network, folded, reason, kicker)?;
    Ok(())
}

/// Whoever speaks in a room is not about to leave it.
pub(super) async fn stay(tx: &mut Tx, room: i64, user_id: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE member SET wanted = TRUE, reason = NULL, kicker = NULL
        WHERE room = $1 AND NOT wanted AND ghost = (SELECT id FROM ghost WHERE user_id = $2)";
    execute!(tx, SQL, room, user_id)?;
    Ok(())
}
