//! Networks that were added while the bridge ran: administrators', and users' own.
//!
//! A row of `network` with a definition is one of them. What hangs on a short name (ghosts, conversations, history)
//! outlives it, and so does its row, with its owner: nobody else ever gets that name. A row that nothing hangs on goes
//! with the network, and a user's rows are counted, so that adding and removing ends somewhere (invariant 9).

use sqlx::FromRow;

use super::pool::{execute, on, on_tx};
use super::{Store, StoreError};

/// A network that was added.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AddedNetwork {
    /// Its short name.
    pub slug: String,
    /// The number of the user whose own it is.
    pub owner: Option<i64>,
    /// Their Matrix id.
    pub owner_id: Option<String>,
    /// What would stand in the configuration, as JSON.
    pub definition: String,
}

/// A network to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNetwork {
    /// Its short name.
    pub slug: String,
    /// The name that people see.
    pub name: String,
    /// The number of the user whose own it is.
    pub owner: Option<i64>,
    /// What would stand in the configuration, as JSON.
    pub definition: String,
    /// How many there may be: of this user's own, or for all.
    pub most: i64,
    /// How many short names may be this user's, with those of networks that are gone.
    pub most_names: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adding {
    /// It is there.
    Added,
    /// There is one of this short name, or it is somebody else's.
    Taken,
    /// There are as many as there may be.
    TooMany,
    /// As many short names are taken as may be.
    TooManyNames,
}

impl Store {
    /// All that were added, by their short names.
    pub async fn added_networks(&self) -> Result<Vec<AddedNetwork>, StoreError> {
        const SQL: &str = r#"SELECT network.slug, network.owner, "user".user_id AS owner_id, network.definition
            FROM network LEFT JOIN "user" ON "user".id = network.owner
            WHERE network.definition IS NOT NULL ORDER BY network.slug"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Adds a network, unless there is one of this short name or there are too many.
    pub async fn add_network(&self, new: NewNetwork, now: i64) -> Result<Adding, StoreError> {
        const THERE: &str =
            "SELECT COUNT(*) FROM network WHERE definition IS NOT NULL AND COALESCE(owner, 0) = $1";
        const NAMES: &str = "SELECT COUNT(*) FROM network WHERE owner = $1 AND slug <> $2";
        const ADD: &str = "INSERT INTO network (slug, name, owner, created_at, definition)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (slug) DO UPDATE
            SET name = excluded.name, definition = excluded.definition
            WHERE network.definition IS NULL AND COALESCE(network.owner, 0) = COALESCE(excluded.owner, 0)";
        let NewNetwork { slug, name, owner, definition, most, most_names } = new;
        self.write(move |tx| {
            Box::pin(async move {
                let of_whom = owner.unwrap_or_default();
                let there: i64 = on_tx!(tx, |c| sqlx::query_scalar(THERE).bind(of_whom).fetch_one(c).await)?;
                if there >= most {
                    return Ok(Adding::TooMany);
                }
                let names: i64 =
                    on_tx!(tx, |c| sqlx::query_scalar(NAMES).bind(of_whom).bind(&slug).fetch_one(c).await)?;
                if names >= most_names {
                    return Ok(Adding::TooManyNames);
                }
                let added = execute!(tx, ADD, &slug, name, owner, now, definition)?;
                Ok(if added == 0 { Adding::Taken } else { Adding::Added })
            })
        })
        .await
    }

    /// Says something else of a network that was added; `false` where there is none.
    pub async fn define_network(&self, slug: &str, definition: String) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE network SET definition = $2 WHERE slug = $1 AND definition IS NOT NULL";
        let slug = slug.to_owned();
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, slug, definition)? > 0) })).await
    }

    /// Removes a network that was added; `false` where there is none. Where anything hangs on its short name, its row
    /// stays.
    pub async fn remove_network(&self, slug: &str) -> Result<bool, StoreError> {
        const REMOVE: &str =
            "UPDATE network SET definition = NULL WHERE slug = $1 AND definition IS NOT NULL";
        const DROP: &str = "DELETE FROM network WHERE slug = $1
            AND NOT EXISTS (SELECT 1 FROM session WHERE session.network = $1)
            AND NOT EXISTS (SELECT 1 FROM ghost WHERE ghost.network = $1)
            AND NOT EXISTS (SELECT 1 FROM channel WHERE channel.network = $1)
            AND NOT EXISTS (SELECT 1 FROM link WHERE link.network = $1)";
        let slug = slug.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                if execute!(tx, REMOVE, &slug)? == 0 {
                    return Ok(false);
                }
                execute!(tx, DROP, &slug)?;
                Ok(true)
            })
        })
        .await
    }

    /// Who has a network open: their numbers and Matrix ids.
    pub async fn who_has_open(&self, network: &str) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = r#"SELECT DISTINCT "user".id, "user".user_id FROM session
            JOIN "user" ON "user".id = session."user"
            WHERE session.network = $1 AND NOT EXISTS (SELECT 1 FROM setting WHERE setting.scope = 'session'
                AND setting.key = 'closed' AND setting.scope_id = CAST(session.id AS TEXT))
            ORDER BY "user".id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(network).fetch_all(p).await)?)
    }
}
