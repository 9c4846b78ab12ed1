//! The ranks that ghosts' names show in rooms.

use sqlx::FromRow;

use super::pool::{execute, on, on_apart, on_tx};
use super::{Store, StoreError};

/// A ghost that is in a room, and the rank that its name shows there.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RankedGhost {
    /// Our number for the ghost.
    pub ghost: i64,
    /// Its Matrix id.
    pub user_id: String,
    /// The nick as it is compared.
    pub folded: String,
    /// The prefix before its name, if there is one.
    pub rank: Option<String>,
}

const RANKED: &str = "SELECT member.ghost, ghost.user_id, ghost.folded, member.rank
    FROM member JOIN ghost ON ghost.id = member.ghost WHERE member.room = $1 AND member.wanted";

impl Store {
    /// Those whose names show a rank in a room.
    pub async fn shown_ranks(&self, room: i64) -> Result<Vec<RankedGhost>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{RANKED} AND member.rank IS NOT NULL ORDER BY member.ghost"));
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).bind(room).fetch_all(p).await)?)
    }

    /// The ghost of a nick, if it is in a room and is to stay.
    pub async fn member_named(
        &self,
        room: i64,
        network: &str,
        folded: &str,
    ) -> Result<Option<RankedGhost>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{RANKED} AND ghost.network = $2 AND ghost.folded = $3"));
        Ok(on!(self.readers(), |p| sqlx::query_as(sql)
            .bind(room)
            .bind(network)
            .bind(folded)
            .fetch_optional(p)
            .await)?)
    }

    /// The ghosts that are in a room and are to stay, by their nicks as they are compared.
    pub async fn ghosts_named_in(
        &self,
        room: i64,
        network: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        const SQL: &str =
            "SELECT ghost.folded, ghost.user_id FROM member JOIN ghost ON ghost.id = member.ghost
            WHERE member.room = $1 AND member.wanted AND ghost.network = $2";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).bind(network).fetch_all(p).await)?)
    }

    /// Stores which rank a ghost's name shows in a room before that name; `false` where it has another one by now.
    pub async fn rank_shown(
        &self,
        room: i64,
        ghost: i64,
        rank: Option<String>,
        name: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE member SET rank = $3 WHERE room = $1 AND ghost = $2
            AND EXISTS (SELECT 1 FROM ghost WHERE ghost.id = $2 AND ghost.display_name = $4)";
        let name = name.to_owned();
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, room, ghost, rank, name)? > 0) }))
            .await
    }

    /// A ghost has the same name everywhere, as homeservers make it when it gets another. Returns the rooms in which it
    /// showed a rank.
    pub async fn ranks_lost(&self, ghost: i64) -> Result<Vec<i64>, StoreError> {
        const FIND: &str = "SELECT room FROM member WHERE ghost = $1 AND rank IS NOT NULL";
        const SQL: &str = "UPDATE member SET rank = NULL WHERE ghost = $1 AND rank IS NOT NULL";
        let rooms: Vec<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(FIND).bind(ghost).fetch_all(p).await)?;
        if !rooms.is_empty() {
            self.write(move |tx| {
                Box::pin(async move {
                    on_tx!(tx, |c| sqlx::query(SQL).bind(ghost).execute(c).await.map(drop))?;
                    Ok(())
                })
            })
            .await?;
        }
        Ok(rooms)
    }

    /// The rooms in which some ghost's name shows a rank.
    pub async fn rooms_with_ranks(&self) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT DISTINCT room FROM member WHERE rank IS NOT NULL";
        Ok(on_apart!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p))?)
    }
}
