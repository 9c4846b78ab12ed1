//! Shared rooms: who is in them by the bridge's own record, which is a link for each buffer that is shown there.
//!
//! Whoever loses their link is taken out of the room by a request that is in the same commit.

use std::sync::Arc;

use sqlx::FromRow;

use super::history::stays::{self, Stayed};
use super::pool::{execute, later, on, on_tx};
use super::{NewOutbox, RoomRow, SHARED, Store, StoreError, inbox, outbox, plumbing, rooms::room_query};

/// Somebody who has a channel in a shared room.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Holder {
    /// The number of their session.
    pub session: i64,
    /// Their Matrix id.
    pub user_id: String,
    /// The number of the room.
    pub room: i64,
    /// The channel's name.
    pub channel: String,
    /// They are there to listen, and not in the room.
    pub listens: bool,
}

/// A shared room that was made anew.
#[derive(Debug)]
pub struct Renewed {
    /// The room that the channel has from now on.
    pub room: RoomRow,
    /// Who has the channel there.
    pub holders: Vec<Holder>,
    /// How many requests waited for the one before.
    pub forwarded: u64,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The homeserver has not handed it over, or that was long ago.
    Unknown,
    /// It waits.
    Waiting,
    /// It was dealt with.
    Done,
}

macro_rules! holders {
    ($condition:literal) => {
        concat!(
            r#"SELECT buffer.session, "user".user_id, link.room, buffer.name AS channel, link.listens
            FROM link JOIN buffer ON buffer.id = link.buffer JOIN session ON session.id = buffer.session
            JOIN "user" ON "user".id = session."user" WHERE link.role = 'shared' AND "#,
            $condition
        )
    };
}

impl Store {
    /// A buffer is shown in its channel's shared room no more, nor is the channel wanted; with the requests that follow, and
    /// that the event is begun which asks for it.
    pub async fn unshare_buffer(
        &self,
        buffer: i64,
        rows: Vec<NewOutbox>,
        begun: Option<i64>,
        now: i64,
    ) -> Result<(), StoreError> {
        const UNWANT: &str = "UPDATE buffer SET wanted = FALSE, gap_from = NULL WHERE id = $1";
        const UNLINK: &str = "DELETE FROM link WHERE buffer = $1 AND role = 'shared'";
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        let keeper = Arc::clone(self.keeper());
        self.write(move |tx| {
            Box::pin(async move {
                plumbing::go_out(tx, buffer).await?;
                stays::end(tx, &keeper, Stayed::Buffer(buffer)).await?;
                if execute!(tx, UNLINK, buffer)? > 0 {
                    later!(tx, UNWANT, buffer)?;
                    if let Some(seq) = begun {
                        inbox::begin(tx, seq).await?;
                    }
                    outbox::insert(tx, &store, sealed, now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// No channel of a session is shown in a shared room any more, nor wanted that was; with the request that follows for
    /// each of those where the user was in the room. All of them are given.
    pub async fn unshare_session(
        &self,
        session: i64,
        row: impl Fn(&Holder) -> NewOutbox + Send + 'static,
        now: i64,
    ) -> Result<Vec<Holder>, StoreError> {
        const HELD: &str = holders!("buffer.session = $1 ORDER BY link.room");
        const UNWANT: &str = "UPDATE buffer SET wanted = FALSE, gap_from = NULL WHERE session = $1
            AND id IN (SELECT buffer FROM link WHERE role = 'shared' AND buffer IS NOT NULL)";
        const UNLINK: &str = "DELETE FROM link WHERE role = 'shared'
            AND buffer IN (SELECT id FROM buffer WHERE session = $1)";
        let store = self.clone();
        let keeper = Arc::clone(self.keeper());
        self.write(move |tx| {
            Box::pin(async move {
                let held: Vec<Holder> =
                    on_tx!(tx, |c| sqlx::query_as(HELD).bind(session).fetch_all(c).await)?;
                if !held.is_empty() {
                    stays::end(tx, &keeper, Stayed::Session(session)).await?;
                    later!(tx, UNWANT, session)?;
                    later!(tx, UNLINK, session)?;
                    let members = held.iter().filter(|one| !one.listens);
                    let sealed = store.seal_outbox(members.map(row).collect());
                    outbox::insert(tx, &store, sealed, now).await?;
                }
                Ok(held)
            })
        })
        .await
    }

    /// The session of somebody whose channel is shown in this shared room; not one that is there for others.
    pub async fn session_in_shared_room(&self, room: i64, user_id: &str) -> Result<Option<i64>, StoreError> {
        const SQL: &str = r#"SELECT buffer.session FROM link JOIN buffer ON buffer.id = link.buffer
            JOIN session ON session.id = buffer.session JOIN "user" ON "user".id = session."user"
            WHERE link.room = $1 AND link.role = 'shared' AND NOT link.relays AND NOT link.listens
                AND "user".user_id = $2"#;
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).bind(user_id).fetch_optional(p).await)?)
    }

    /// Where channels of a session are shown in shared rooms.
    pub async fn shared_rooms_of(&self, session: i64) -> Result<Vec<Holder>, StoreError> {
        const SQL: &str = holders!("buffer.session = $1 ORDER BY link.room");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?)
    }

    /// All who have a channel in a shared room.
    pub async fn holders(&self, room: i64) -> Result<Vec<Holder>, StoreError> {
        const SQL: &str = holders!("link.room = $1 ORDER BY buffer.session");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).fetch_all(p).await)?)
    }

    /// All shared rooms that the bridge has made.
    pub async fn shared_rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            "WHERE link.role = 'shared' AND room.room_id IS NOT NULL AND room.plumbed IS NULL
                ORDER BY room.id"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// What is known of an event.
    pub async fn delivered(&self, event_id: &str) -> Result<Delivered, StoreError> {
        const SQL: &str =
            "SELECT state = 'new' FROM inbox WHERE event_id = $1 ORDER BY state = 'new' DESC LIMIT 1";
        let waits: Option<bool> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(event_id).fetch_optional(p).await)?;
        Ok(match waits {
            None => Delivered::Unknown,
            Some(true) => Delivered::Waiting,
            Some(false) => Delivered::Done,
        })
    }

    /// Stores that a room's alias leads to it, or does no longer.
    pub async fn set_aliased(&self, room: i64, is_aliased: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE room SET aliased = $2 WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, is_aliased)?;
                Ok(())
            })
        })
        .await
    }

    /// Whether an alias leads to a room, as far as is stored.
    pub async fn is_aliased(&self, room: i64) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT aliased FROM room WHERE id = $1";
        let is_aliased: Option<bool> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_optional(p).await)?;
        Ok(is_aliased.unwrap_or(false))
    }

    /// Stores that a room's alias leads to it no longer, unless somebody has a channel there; says whether nobody has.
    pub async fn set_unaliased(&self, room: i64) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE room SET aliased = FALSE WHERE id = $1 AND NOT EXISTS
            (SELECT 1 FROM link WHERE link.room = room.id AND link.role = 'shared' AND link.buffer IS NOT NULL)";
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, room)? > 0) })).await
    }

    /// The shared room of a buffer's channel.
    pub async fn shared_room_of_channel(&self, buffer: i64) -> Result<Option<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            "WHERE link.role = 'shared' AND link.channel = (SELECT channel FROM buffer WHERE id = $1)"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).fetch_optional(p).await)?)
    }

    /// Shared rooms that an alias leads to and nobody has a channel in.
    pub async fn deserted_rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            "WHERE link.role = 'shared' AND room.aliased AND room.room_id IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM link AS held WHERE held.room = room.id AND held.buffer IS NOT NULL)
            ORDER BY room.id"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Intends another room in the place of one that the homeserver no longer has, and gives it with those who had a
    /// channel there: they have it in the new one, and what waits goes there, also what is stored for the one before
    /// from now on ([`Store::forward_requests`]). Nothing is given where that is done already.
    pub async fn renew_shared_room(
        &self,
        gone: i64,
        marker: String,
        rows: impl Fn(&[Holder], i64) -> Vec<NewOutbox> + Send + 'static,
        now: i64,
    ) -> Result<Option<Renewed>, StoreError> {
        const HELD: &str = holders!("link.room = $1 ORDER BY buffer.session");
        const IS_SHOWN: &str = "SELECT creator FROM room WHERE id = $1
            AND EXISTS (SELECT 1 FROM link WHERE room = $1 AND role = 'shared')";
        const MAKE: &str = "INSERT INTO room (kind, marker, creator, lane, created_at)
            VALUES ('shared', $1, $2, $3, $4) RETURNING id";
        const LINK: &str = "UPDATE link SET room = $2 WHERE room = $1 AND role = 'shared'";
        // Also of one before it, whose lines come this way.
        const FORWARD: &str = "UPDATE room SET successor = $2 WHERE id = $1 OR successor = $1";
        const BY_ID: &str = room_query!("WHERE room.id = $1");
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let creator: Option<String> =
                    on_tx!(tx, |c| sqlx::query_scalar(IS_SHOWN).bind(gone).fetch_optional(c).await)?;
                let Some(creator) = creator else { return Ok(None) };
                let new: i64 = on_tx!(tx, |c| sqlx::query_scalar(MAKE)
                    .bind(marker)
                    .bind(creator)
                    .bind(SHARED)
                    .bind(now)
                    .fetch_one(c)
                    .await)?;
                execute!(tx, LINK, gone, new)?;
                execute!(tx, FORWARD, gone, new)?;
                let forwarded = outbox::forward(tx, &store, (gone, new), now).await?;
                let held: Vec<Holder> = on_tx!(tx, |c| sqlx::query_as(HELD).bind(new).fetch_all(c).await)?;
                let sealed = store.seal_outbox(rows(&held, new));
                outbox::insert(tx, &store, sealed, now).await?;
                let row: Option<RoomRow> =
                    on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(new).fetch_optional(c).await)?;
                Ok(row.map(|room| Renewed { room, holders: held, forwarded }))
            })
        })
        .await
    }
}
