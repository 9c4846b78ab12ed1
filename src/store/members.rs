//! Which ghosts are in which rooms, and whether they should be.
//!
//! A row says that a ghost is in a room, or is to leave it (`wanted` is false); none says that it is not there. What was
//! stored may be behind what the homeserver has: [`Store::take_stock`] sets it right.

use std::collections::HashSet;

use sqlx::FromRow;

use super::pool::{Tx, later, on, on_tx};
use super::{Ghost, NewGhost, Store, StoreError, ghosts};

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
    /// Its display name, as far as it has one.
    pub display_name: Option<String>,
}

/// Somebody whose ghost is in a room.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Member {
    /// The nick as first seen.
    pub nick: String,
    /// When they last spoke there, to the day, in milliseconds since 1970.
    pub spoke_at: Option<i64>,
}

pub(super) const ONE_UNWANTED: &str = "SELECT 1 FROM member WHERE room = $1 AND NOT wanted LIMIT 1";

impl Store {
    /// Whether a ghost is in a room and meant to stay, as far as was stored; `None` where it is not there.
    pub async fn membership(&self, room: i64, ghost: i64) -> Result<Option<bool>, StoreError> {
        const SQL: &str = "SELECT wanted FROM member WHERE room = $1 AND ghost = $2";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).bind(ghost).fetch_optional(p).await)?)
    }

    /// Those who are about to come into a room, with ghosts that are made where they are new, in one commit. Who was
    /// about to leave it stays.
    pub async fn expect_members(
        &self,
        room: i64,
        network: &str,
        nicks: Vec<NewGhost>,
        now: i64,
    ) -> Result<Vec<Ghost>, StoreError> {
        let network = network.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let mut expected = Vec::with_capacity(nicks.len());
                for new in nicks {
                    let ghost = ghosts::find_or_make(tx, &network, new, now).await?;
                    stay(tx, room, &ghost.user_id).await?;
                    expected.push(ghost);
                }
                Ok(expected)
            })
        })
        .await
    }

    /// Stores that a ghost has joined a room, to speak then or to be there. One that is to leave it again, and only came
    /// for what it said before, still is.
    pub async fn member_joined(
        &self,
        room: i64,
        ghost: i64,
        spoke_at: Option<i64>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO member (room, ghost, wanted, spoke_at) VALUES ($1, $2, TRUE, $3)
            ON CONFLICT (room, ghost) DO UPDATE SET spoke_at = COALESCE(excluded.spoke_at, member.spoke_at)";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, ghost, spoke_at)?;
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
                later!(tx, SQL, room, ghost)?;
                Ok(())
            })
        })
        .await
    }

    /// Another row of a row's room in which a ghost is, since it shows another channel in which they are.
    pub async fn row_beside_with(&self, room: i64, ghost: i64) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT other.id FROM room JOIN room AS other ON other.room_id = room.room_id
                AND other.id <> room.id JOIN member ON member.room = other.id
            WHERE room.id = $1 AND member.ghost = $2 AND member.wanted ORDER BY other.id LIMIT 1";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).bind(ghost).fetch_optional(p).await)?)
    }

    /// Stores that a ghost was found not to be in a room.
    pub async fn member_lost(&self, room: i64, ghost: i64) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { lose(tx, room, ghost).await })).await
    }

    /// Those whose ghosts are in a room.
    pub async fn members(&self, room: i64) -> Result<Vec<Member>, StoreError> {
        const SQL: &str =
            "SELECT ghost.nick, member.spoke_at FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND member.wanted";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).fetch_all(p).await)?)
    }

    /// The Matrix ids of the ghosts in a room.
    pub async fn ghosts_in(&self, room: i64) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT ghost.user_id FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 ORDER BY ghost.id";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_all(p).await)?)
    }

    /// Sets right who is in a room, by the Matrix ids of all who are. Returns those who were thought to be there and are
    /// not. Who is there for another channel that the room shows, is there for that.
    pub async fn take_stock(&self, room: i64, joined: Vec<String>) -> Result<Vec<String>, StoreError> {
        const KNOWN: &str = "SELECT ghost.id, ghost.user_id FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND member.wanted";
        const FOUND: &str = "INSERT INTO member (room, ghost, wanted)
            SELECT CAST($1 AS BIGINT), id, TRUE FROM ghost WHERE user_id = $2 AND NOT EXISTS
                (SELECT 1 FROM room JOIN room AS other ON other.room_id = room.room_id AND other.id <> room.id
                    JOIN member ON member.room = other.id WHERE room.id = $1 AND member.ghost = ghost.id)
            ON CONFLICT (room, ghost) DO NOTHING";
        self.write(move |tx| {
            Box::pin(async move {
                let known: Vec<(i64, String)> =
                    on_tx!(tx, |c| sqlx::query_as(KNOWN).bind(room).fetch_all(c).await)?;
                let there: HashSet<&str> = joined.iter().map(String::as_str).collect();
                let mut lost = Vec::new();
                for (ghost, user_id) in &known {
                    if !there.contains(user_id.as_str()) {
                        lose(tx, room, *ghost).await?;
                        lost.push(user_id.clone());
                    }
                }
                let known: HashSet<&str> = known.iter().map(|(_, user_id)| user_id.as_str()).collect();
                for user_id in joined.iter().filter(|user_id| !known.contains(user_id.as_str())) {
                    later!(tx, FOUND, room, user_id)?;
                }
                Ok(lost)
            })
        })
        .await
    }

    /// The ghosts that should leave a room, a few at a time. One for whom requests still wait there stays for them.
    pub async fn departures(&self, room: i64, limit: i64) -> Result<Vec<Departure>, StoreError> {
        const SQL: &str =
            "SELECT member.ghost, ghost.user_id, member.reason, member.kicker, ghost.display_name
            FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND NOT member.wanted AND ghost.user_id NOT IN
                (SELECT sender FROM outbox WHERE outbox.room = $1 AND outbox.state = 'queued')
            ORDER BY member.ghost LIMIT $2";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).bind(limit).fetch_all(p).await)?)
    }

    /// Whether some ghost should leave a room, now or later.
    pub async fn has_departures(&self, room: i64) -> Result<bool, StoreError> {
        let found: Option<i32> =
            on!(self.readers(), |p| sqlx::query_scalar(ONE_UNWANTED).bind(room).fetch_optional(p).await)?;
        Ok(found.is_some())
    }

    /// The rooms that some ghost should leave.
    pub async fn rooms_with_departures(&self) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT DISTINCT room FROM member WHERE NOT wanted";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p).await)?)
    }
}

async fn lose(tx: &mut Tx, room: i64, ghost: i64) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM member WHERE room = $1 AND ghost = $2";
    later!(tx, SQL, room, ghost)?;
    Ok(())
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
    later!(tx, SQL, room, network, folded, reason, kicker)?;
    Ok(())
}

/// Whoever speaks in a room is not about to leave it.
pub(super) async fn stay(tx: &mut Tx, room: i64, user_id: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE member SET wanted = TRUE, reason = NULL, kicker = NULL
        WHERE room = $1 AND NOT wanted AND ghost = (SELECT id FROM ghost WHERE user_id = $2)";
    later!(tx, SQL, room, user_id)?;
    Ok(())
}

/// Stores that somebody spoke in a room.
pub(super) async fn spoke(
    tx: &mut Tx,
    room: i64,
    network: &str,
    folded: &str,
    now: i64,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE member SET spoke_at = $4
        WHERE room = $1 AND ghost = (SELECT id FROM ghost WHERE network = $2 AND folded = $3)";
    later!(tx, SQL, room, network, folded, now)?;
    Ok(())
}
