//! Rooms, as intents that become real: the row is committed before `createRoom` is asked, carries a marker that the
//! room will hold in its `m.room.create`, and gets its Matrix id when the homeserver has answered. No failed call
//! removes a row (invariant 2).

use sqlx::FromRow;

use super::plumbing::{self, PlumbedBy};
use super::pool::{Tx, execute, later, on, on_tx};
use super::{InboxEvent, NewOutbox, Store, StoreError, announced, inbox, outbox, replaced};
use crate::names::session_address;

/// What goes on in another room than before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The numbers of its rows.
    pub rows: Vec<i64>,
    /// One of them is there because the configuration says so.
    pub is_configured: bool,
}

/// What a room is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// A user's direct chat with the bot.
    Control,
    /// A session's room: server messages and session commands.
    Network,
    /// Where a network's ghosts are known from; nobody else ever enters.
    Lobby,
    /// One user's room for a channel.
    Private,
    /// One user's room for a query: only they and the ghost.
    Query,
    /// One room for a channel and all its users.
    Shared,
}

impl RoomKind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Control, "control"),
        (Self::Network, "network"),
        (Self::Lobby, "lobby"),
        (Self::Private, "private"),
        (Self::Query, "query"),
        (Self::Shared, "shared"),
    ];

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| StoreError::Unknown(format!("a room of kind {word}")))
    }
}

/// What a new room shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The control room of a user.
    Control {
        /// The user's number.
        user: i64,
    },
    /// The network room of a session.
    Network {
        /// The session's number.
        session: i64,
    },
    /// The lobby of a network.
    Lobby {
        /// The network's slug.
        network: String,
    },
    /// The private room of a buffer.
    Private {
        /// The buffer's number.
        buffer: i64,
    },
    /// The shared room of a channel.
    Shared {
        /// The network's slug.
        network: String,
        /// The channel's name, as first seen.
        name: String,
    },
}

/// A room to be.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// What it is for.
    pub kind: RoomKind,
    /// A random text, to find the room by after a crash.
    pub marker: String,
    /// The Matrix user who makes it.
    pub creator: String,
    /// The number of the one who may speak through it.
    pub owner: Option<i64>,
    /// Whose queue its events wait in.
    pub lane: String,
    /// What it shows.
    pub link: Link,
    /// The room's id, where the user has made it.
    pub room_id: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A room as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RoomRow {
    /// Our number for it.
    pub id: i64,
    /// Its Matrix id, once it exists.
    pub room_id: Option<String>,
    kind: String,
    /// The text in its `m.room.create`.
    pub marker: String,
    /// The Matrix user who makes it, or has it since.
    pub creator: String,
    /// The Matrix id of the one who may speak through it.
    pub owner: Option<String>,
    /// Whose queue its events wait in.
    pub lane: String,
    /// The network's slug, where it shows something of one network.
    pub network: Option<String>,
    /// The network's name.
    pub network_name: Option<String>,
    /// The name of the session that it is of, empty where that has none.
    session_name: Option<String>,
    /// The session, for network rooms, private rooms and queries.
    pub session: Option<i64>,
    /// The buffer, for private rooms and queries.
    pub buffer: Option<i64>,
    /// The channel's or nick's name, for private rooms, queries and shared rooms.
    pub buffer_name: Option<String>,
    /// Milliseconds since 1970 at which the row was made.
    pub created_at: i64,
    /// 0 for a room that begins empty.
    refill: i64,
    /// Who made it, where it was handed over to the creator of now.
    pub founder: Option<String>,
    /// Its owner was told that it is encrypted; of a plumbed room, that it is.
    pub explained: bool,
    plumbed: Option<String>,
}

impl RoomRow {
    /// Whether the room begins with what was said before it was made.
    pub fn is_refilled(&self) -> bool {
        self.refill > 0
    }

    /// The address of the session that it shows something of, else the network's slug.
    pub fn address(&self) -> Option<String> {
        Some(session_address(self.network.as_deref()?, self.session_name.as_deref().unwrap_or_default()))
    }

    /// Whether it is a room of other people that shows a channel: nothing in it is the bridge's but its own ghosts.
    pub fn is_plumbed(&self) -> bool {
        self.plumbed.is_some()
    }

    /// Whether it shows its channel in the room with this Matrix id, which is other people's.
    pub(super) fn shows_in(&self, room_id: &str) -> bool {
        self.room_id.as_deref() == Some(room_id) && self.is_plumbed() && !self.is_ending()
    }

    /// Whether the bridge takes itself out of it.
    pub fn is_ending(&self) -> bool {
        self.plumbed.as_deref() == Some(plumbing::ENDING)
    }

    /// Whether the bridge is in it, or comes, to ask whether it may show a channel: none is its own yet.
    pub fn is_visited(&self) -> bool {
        self.is_ending() && self.buffer_name.is_none()
    }

    /// Who tied it to its channel.
    pub fn plumbed_by(&self) -> Option<PlumbedBy> {
        PlumbedBy::read(self.plumbed.as_deref()?)
    }

    /// What the room is for.
    pub fn kind(&self) -> Result<RoomKind, StoreError> {
        RoomKind::read(&self.kind)
    }
}

macro_rules! room_query {
    ($tail:literal) => {
        $crate::store::rooms::room_query!("", $tail)
    };
    ($columns:literal, $tail:literal) => {
        concat!(
            r#"SELECT room.id, room.room_id, room.kind, room.marker, room.creator, "user".user_id AS owner, room.lane,
                COALESCE(link.network, own.network, parent.network) AS network,
                network.name AS network_name, COALESCE(own.name, parent.name) AS session_name,
                COALESCE(link.session, buffer.session) AS session,
                buffer.id AS buffer, COALESCE(buffer.name, channel.name) AS buffer_name, room.created_at,
                room.refill, room.founder, room.explained, room.plumbed"#,
            $columns,
            r#" FROM room
            JOIN link ON link.room = room.id AND (link.role <> 'shared' OR link.buffer IS NULL)
            LEFT JOIN channel ON channel.id = link.channel
            LEFT JOIN "user" ON "user".id = room.owner
            LEFT JOIN buffer ON buffer.id = link.buffer
            LEFT JOIN session AS own ON own.id = link.session
            LEFT JOIN session AS parent ON parent.id = buffer.session
            LEFT JOIN network ON network.slug = COALESCE(link.network, own.network, parent.network) "#,
            $tail
        )
    };
}
pub(super) use room_query;

impl Store {
    /// The room that shows this, its intent stored where it is new.
    pub async fn intend_room(&self, room: NewRoom) -> Result<RoomRow, StoreError> {
        self.write(move |tx| Box::pin(async move { intend(tx, room).await })).await
    }

    /// The room with this number.
    pub async fn room(&self, id: i64) -> Result<Option<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE room.id = $1");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(id).fetch_optional(p).await)?)
    }

    /// Another network room in place of one that is gone, its intent stored; what waits for that one waits for it.
    pub async fn renew_network_room(&self, gone: i64, room: NewRoom) -> Result<RoomRow, StoreError> {
        const UNLINK: &str = "DELETE FROM link WHERE role = 'network' AND room = $1";
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let now = room.created_at;
                later!(tx, UNLINK, gone)?;
                let new = intend(tx, room).await?;
                outbox::forward(tx, &store, (gone, new.id), now).await?;
                tracing::info!(
                    room = gone,
                    "a network's room that the homeserver no longer has is made anew"
                );
                Ok(new)
            })
        })
        .await
    }

    /// The number of a session's network room.
    pub async fn network_room(&self, session: i64) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT room FROM link WHERE role = 'network' AND session = $1";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(session).fetch_optional(p).await)?)
    }

    /// The room with this Matrix id; the first row of one that shows several channels.
    pub async fn room_by_matrix_id(&self, room_id: &str) -> Result<Option<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE room.room_id = $1 ORDER BY room.id LIMIT 1");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room_id).fetch_optional(p).await)?)
    }

    /// All rows of the room with this Matrix id: one for each channel that it shows.
    pub async fn rooms_by_matrix_id(&self, room_id: &str) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE room.room_id = $1 ORDER BY room.id");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room_id).fetch_all(p).await)?)
    }

    /// The row of a room that a copy of an event is for, as it is by now; none where that is gone. What came before its room
    /// was known is for the first.
    pub async fn room_of_event(
        &self,
        stored: &InboxEvent,
        room_id: &str,
    ) -> Result<Option<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            "WHERE room.room_id = $1 AND room.id = COALESCE(
                NULLIF(COALESCE((SELECT inbox.room FROM inbox WHERE inbox.seq = $2), CAST($3 AS BIGINT)), 0), room.id)
            ORDER BY room.id LIMIT 1"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(room_id)
            .bind(stored.seq)
            .bind(stored.room)
            .fetch_optional(p)
            .await)?)
    }

    /// The name of the channel that a row of a room has shown, where the bridge is out of that by now.
    pub async fn former_channel(&self, room: i64) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT channel.name FROM room JOIN channel ON channel.id = room.former
            WHERE room.id = $1 AND room.room_id IS NULL";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_optional(p).await)?)
    }

    /// The rooms of a session: its network's, and those of its channels and conversations.
    pub async fn rooms_of_session(&self, session: i64) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE link.session = $1 OR buffer.session = $1 ORDER BY room.id");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?)
    }

    /// The control rooms of a user, newest first.
    pub async fn control_rooms(&self, user: i64) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str =
            room_query!(r#"WHERE link.role = 'control' AND link."user" = $1 ORDER BY room.id DESC"#);
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user).fetch_all(p).await)?)
    }

    /// The newest control room in which a user can be reached: they are in it, and it is not encrypted.
    pub async fn control_room_in_use(&self, user: i64) -> Result<Option<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            r#"WHERE link.role = 'control' AND link."user" = $1 AND room.room_id IS NOT NULL
                AND NOT room.owner_left AND NOT room.explained ORDER BY room.id DESC LIMIT 1"#
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user).fetch_optional(p).await)?)
    }

    /// Stores whether a room's owner has left it.
    pub async fn owner_moved(&self, id: i64, has_left: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE room SET owner_left = $2 WHERE id = $1 AND owner_left <> $2";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, id, has_left)?;
                Ok(())
            })
        })
        .await
    }

    /// Forgets a control room that is none: its user has ended it, or it was never one.
    pub async fn drop_control_room(&self, id: i64) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM room WHERE id = $1 AND kind = 'control'";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, id)?;
                Ok(())
            })
        })
        .await
    }

    /// Deletes some of the rooms that people had for themselves and that show nothing any more, since whoever had one has
    /// closed its network or has another one. Those of before a time, of which no request is known, for it might still be under
    /// way. Says whether there may be more.
    pub async fn prune_rooms(&self, before: i64) -> Result<bool, StoreError> {
        const BATCH: i64 = 100;
        const FIND: &str =
            "SELECT id FROM room WHERE kind IN ('network', 'private', 'query') AND created_at < $1
            AND NOT EXISTS (SELECT 1 FROM link WHERE link.room = room.id)
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.room = room.id) ORDER BY id LIMIT $2";
        let found: Vec<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(FIND).bind(before).bind(BATCH).fetch_all(p).await)?;
        let (mut gone, all) = (0, found.len() as i64);
        for room in found {
            // Each by itself, so that nobody waits long for the writer.
            gone += self.prune_room(room).await?;
        }
        Ok(all == BATCH && gone > 0)
    }

    /// Deletes a room that shows nothing any more, unless something is known of a request for it: that may have come since it was
    /// looked for, and would go with the room. Says how many were deleted.
    pub async fn prune_room(&self, room: i64) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM room WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM link WHERE link.room = room.id)
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.room = room.id)";
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, room)?) })).await
    }

    /// Rooms that were meant to be and have no Matrix id.
    pub async fn unmade_rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE room.room_id IS NULL ORDER BY room.id");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Stores that the owner is told about the room's encryption, with the requests that tell them; `false` where they
    /// were told before.
    pub async fn explain_room(&self, id: i64, rows: Vec<NewOutbox>, now: i64) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE room SET explained = TRUE WHERE id = $1 AND NOT explained";
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if execute!(tx, SQL, id)? == 0 {
                    return Ok(false);
                }
                outbox::insert(tx, &store, sealed, now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Stores that a room has been handed over.
    pub async fn room_handed_over(&self, id: i64, user_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE room SET founder = COALESCE(founder, creator), creator = $2 WHERE id = $1 AND creator <> $2";
        let user_id = user_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, id, user_id)?;
                Ok(())
            })
        })
        .await
    }

    /// Stores that a room goes on under another Matrix id than the old one, with the requests that the new one needs; what was
    /// said there before goes to its lane. Nobody is in it yet. Where it is in the old one no more nothing is done. One that
    /// shows several channels goes on with all of them: returns its rows. That the configuration's goes on there is kept for
    /// longer than its row.
    pub async fn room_moved(
        &self,
        id: i64,
        old: &str,
        room_id: &str,
        rows: Vec<NewOutbox>,
        now: i64,
    ) -> Result<Moved, StoreError> {
        // The bot may have been invited there before it was known whose successor it is.
        const CLEAR: &str = "DELETE FROM room WHERE room_id = $2 AND id <> $1 AND kind = 'control'";
        const ROWS: &str = "SELECT id, plumbed FROM room WHERE room_id = $2 AND (id = $1
            OR plumbed <> 'ending' AND EXISTS (SELECT 1 FROM room WHERE id = $1 AND room_id = $2)) ORDER BY id";
        const MOVE: &str = "UPDATE room SET room_id = $2, looked_at_event = NULL, explained = FALSE
            WHERE id = $1 RETURNING lane";
        const NOBODY: &str = "DELETE FROM member WHERE room = $1";
        let (old, room_id) = (old.to_owned(), room_id.to_owned());
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let rows: Vec<(i64, Option<String>)> =
                    on_tx!(tx, |c| sqlx::query_as(ROWS).bind(id).bind(&old).fetch_all(c).await)?;
                if rows.is_empty() {
                    return Ok(Moved::default());
                }
                later!(tx, CLEAR, id, &room_id)?;
                let by = |plumbed: &Option<String>| plumbed.as_deref().and_then(PlumbedBy::read);
                let is_configured =
                    rows.iter().any(|(_, plumbed)| by(plumbed) == Some(PlumbedBy::Configuration));
                if is_configured {
                    replaced::replace(tx, &old, &room_id).await?;
                }
                let rows: Vec<i64> = rows.into_iter().map(|(row, _)| row).collect();
                let mut lane: Option<String> = None;
                for row in &rows {
                    lane = on_tx!(tx, |c| sqlx::query_scalar(MOVE)
                        .bind(*row)
                        .bind(&room_id)
                        .fetch_optional(c)
                        .await)?;
                    later!(tx, NOBODY, *row)?;
                }
                if let Some(lane) = lane {
                    outbox::insert(tx, &store, sealed, now).await?;
                    inbox::claim_strays(tx, &room_id, &lane).await?;
                }
                Ok(Moved { rows, is_configured })
            })
        })
        .await
    }

    /// Stores the Matrix id of a room that the homeserver has made; what was said there before goes to its lane.
    pub async fn room_made(&self, id: i64, room_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE room SET room_id = $2 WHERE id = $1 RETURNING lane";
        let room_id = room_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let lane: Option<String> =
                    on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(id).bind(&room_id).fetch_optional(c).await)?;
                match lane {
                    Some(lane) => inbox::claim_strays(tx, &room_id, &lane).await,
                    None => Ok(()),
                }
            })
        })
        .await
    }
}

/// Finds the room that shows this, or stores the intent.
pub(super) async fn intend(tx: &mut Tx, room: NewRoom) -> Result<RoomRow, StoreError> {
    const MAKE: &str = "INSERT INTO room (room_id, kind, marker, creator, owner, lane, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    const LINK: &str = r#"INSERT INTO link (room, role, "user", network, session, buffer, channel)
        VALUES ($1, $2, $3, $4, $5, $6, $7)"#;
    const BY_ID: &str = room_query!("WHERE room.id = $1");
    const BY_ROOM_ID: &str = room_query!("WHERE room.room_id = $1");
    const BY_SESSION: &str = room_query!("WHERE link.role = 'network' AND link.session = $1");
    const BY_NETWORK: &str = room_query!("WHERE link.role = 'lobby' AND link.network = $1");
    const BY_BUFFER: &str = room_query!("WHERE link.role = 'private' AND link.buffer = $1");
    const BY_CHANNEL: &str = room_query!("WHERE link.role = 'shared' AND link.channel = $1");

    let channel = match &room.link {
        Link::Shared { network, name } => Some(announced::channel(tx, network, name).await?),
        _ => None,
    };

    let found: Option<RoomRow> = match (&room.link, &room.room_id) {
        (_, Some(room_id)) => {
            on_tx!(tx, |c| sqlx::query_as(BY_ROOM_ID).bind(room_id).fetch_optional(c).await)?
        }
        (Link::Control { .. }, None) => None,
        (Link::Network { session }, None) => {
            on_tx!(tx, |c| sqlx::query_as(BY_SESSION).bind(*session).fetch_optional(c).await)?
        }
        (Link::Lobby { network }, None) => {
            on_tx!(tx, |c| sqlx::query_as(BY_NETWORK).bind(network).fetch_optional(c).await)?
        }
        (Link::Private { buffer }, None) => {
            on_tx!(tx, |c| sqlx::query_as(BY_BUFFER).bind(*buffer).fetch_optional(c).await)?
        }
        (Link::Shared { .. }, None) => {
            on_tx!(tx, |c| sqlx::query_as(BY_CHANNEL).bind(channel).fetch_optional(c).await)?
        }
    };
    if let Some(found) = found {
        return Ok(found);
    }
    if let Some(room_id) = &room.room_id {
        inbox::claim_strays(tx, room_id, &room.lane).await?;
    }
    let id: i64 = on_tx!(tx, |c| sqlx::query_scalar(MAKE)
        .bind(room.room_id)
        .bind(room.kind.as_str())
        .bind(room.marker)
        .bind(room.creator)
        .bind(room.owner)
        .bind(room.lane)
        .bind(room.created_at)
        .fetch_one(c)
        .await)?;
    let (role, user, network, session, buffer) = match room.link {
        Link::Control { user } => ("control", Some(user), None, None, None),
        Link::Network { session } => ("network", None, None, Some(session), None),
        Link::Lobby { network } => ("lobby", None, Some(network), None, None),
        Link::Private { buffer } => ("private", None, None, None, Some(buffer)),
        Link::Shared { network, .. } => ("shared", None, Some(network), None, None),
    };
    later!(tx, LINK, id, role, user, network, session, buffer, channel)?;
    Ok(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(id).fetch_one(c).await)?)
}
