//! Buffers: the channels and queries of a session, each with the room that shows it.

mod refold;
mod sharing;

use secrecy::{ExposeSecret, SecretString};
use sqlx::FromRow;

use super::pool::{Tx, execute, later, on, on_tx};
use super::rooms::{self, NewRoom};
use super::{Link, RoomKind, Store, StoreError, announced};
use crate::names::{CaseMapping, session_address};

/// Channel or query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferKind {
    /// A channel.
    Channel,
    /// A conversation with one nick.
    Query,
}

impl BufferKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Query => "query",
        }
    }
}

/// A buffer to be opened, with what its room needs.
#[derive(Debug, Clone)]
pub struct NewBuffer {
    /// The session it belongs to.
    pub session: i64,
    /// The session's network.
    pub network: String,
    /// Channel or query.
    pub kind: BufferKind,
    /// The channel's or nick's name, as first seen.
    pub name: String,
    /// The name under the network's casemapping.
    pub folded: String,
    /// The channel's key.
    pub key: Option<SecretString>,
    /// A random text for the room's marker.
    pub marker: String,
    /// The Matrix user who makes the room.
    pub creator: String,
    /// The number of the session's user.
    pub owner: i64,
    /// The queue in which the room's events wait.
    pub lane: String,
    /// Rooms that the homeserver no longer has: if one of them shows the buffer, it does so no more.
    pub gone: Vec<i64>,
    /// Whether the channel is wanted from now on; where not, it is if it was before.
    pub wanted: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// An open buffer.
#[derive(Debug, Clone)]
pub struct Buffer {
    /// Our number for it.
    pub id: i64,
    /// Channel or query.
    pub kind: BufferKind,
    /// The name as first seen.
    pub name: String,
    /// The name as the session last compared names: by this it is found again.
    pub folded: String,
    /// The number of its channel.
    pub channel: Option<i64>,
    /// Whether the channel should be joined.
    pub wanted: bool,
    /// Where its user is.
    pub user: Whereabouts,
    /// The channel's key.
    pub key: Option<SecretString>,
    /// The topic as last shown in the room, with IRC's codes.
    pub topic: Option<String>,
    /// Since when lines are missing that are still to be fetched, in milliseconds since 1970.
    pub gap_from: Option<i64>,
    /// Up to which time the user has read, as the server knows, in milliseconds since 1970.
    pub read_at: Option<i64>,
    /// Its room is new and is to begin with what was said before.
    pub refill: bool,
    /// Its user does not see its room: what is said behind the line of this number is in the history only.
    pub detached_after: Option<i64>,
    /// The number of its room.
    pub room: i64,
    /// The room's Matrix id, once it exists.
    pub room_id: Option<String>,
    /// The Matrix user who speaks for the bridge there: the bot, or a query's ghost.
    pub creator: String,
    /// Whose its room is.
    pub whose: Whose,
    /// For whom its session is in the channel.
    pub part: Part,
}

/// For whom a session is in a shared room's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// For its user, who is in the room.
    Member,
    /// For those in the room who have no connection of their own: it says what they say.
    Relay,
    /// For all who are in the room: it hears what is said.
    Listener,
}

/// Where the user of a buffer is, who has its room for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the room or invited, as far as is known.
    Inside,
    /// Out of it: they have left.
    Left,
    /// Out of it, and invited because they were invited to the channel on IRC.
    Offered,
}

/// Whose the room of a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The session's user's alone.
    Own,
    /// The channel's, and others are in it.
    Shared,
    /// Other people's who had it before: it shows the channel.
    Plumbed,
}

impl Buffer {
    /// Whether others are in its room.
    pub fn is_shared(&self) -> bool {
        self.whose != Whose::Own
    }

    /// Whether its room was there before, and is its people's.
    pub fn is_plumbed(&self) -> bool {
        self.whose == Whose::Plumbed
    }
}

/// A conversation that goes on under another nick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heir {
    /// The buffer's number.
    pub buffer: i64,
    /// The number of its room.
    pub room: i64,
    /// The new nick.
    pub name: String,
    /// The new nick under the network's casemapping.
    pub folded: String,
    /// The Matrix user who speaks for the bridge there from now on.
    pub user_id: String,
}

/// A buffer as its user may name it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OwnBuffer {
    /// Our number for it.
    pub id: i64,
    /// The number of its session.
    pub session: i64,
    /// The network's slug.
    pub network: String,
    /// The name of its session, empty where that has none.
    pub session_name: String,
    /// The channel's or nick's name.
    pub name: String,
    shared: i64,
}

impl OwnBuffer {
    /// Whether others see its room, too.
    pub fn is_shared(&self) -> bool {
        self.shared > 0
    }

    /// How its user calls its session.
    pub fn address(&self) -> String {
        session_address(&self.network, &self.session_name)
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    kind: String,
    name: String,
    folded: String,
    channel: Option<i64>,
    wanted: bool,
    whereabouts: String,
    key: Option<Vec<u8>>,
    topic: Option<String>,
    gap_from: Option<i64>,
    read_at: Option<i64>,
    refill: i64,
    detached_after: Option<i64>,
    room: i64,
    room_id: Option<String>,
    creator: String,
    role: String,
    plumbed: Option<String>,
    part: String,
}

macro_rules! buffer_query {
    ($tail:literal) => {
        concat!(
            "SELECT buffer.id, buffer.kind, buffer.name, buffer.folded, buffer.channel, buffer.wanted, buffer.key,
                CASE WHEN buffer.offered THEN 'offered' WHEN room.owner_left THEN 'left' ELSE 'inside' END AS whereabouts,
                buffer.topic, buffer.gap_from, buffer.read_at, room.refill, buffer.detached_after,
                room.id AS room, room.room_id, COALESCE(room.heir, room.creator) AS creator, link.role,
                room.plumbed,
                CASE WHEN link.relays THEN 'relay' WHEN link.listens THEN 'listener' ELSE 'member' END AS part
            FROM buffer JOIN link ON link.buffer = buffer.id AND link.role IN ('private', 'shared')
            JOIN room ON room.id = link.room ",
            $tail
        )
    };
}

const MAKE: &str = "INSERT INTO buffer (session, kind, channel, folded, name, wanted, key, offered)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (session, kind, folded)
    DO UPDATE SET wanted = (excluded.wanted OR buffer.wanted), offered = (excluded.offered AND NOT buffer.wanted),
        key = COALESCE(excluded.key, buffer.key) RETURNING id";
const FIND: &str = buffer_query!("WHERE buffer.id = $1");

/// The row that a channel's key is sealed for.
pub(super) fn key_row(session: i64, folded: &str) -> String {
    format!("buffer.key:{session}:{folded}")
}

impl Store {
    /// All buffers of a session.
    pub async fn buffers(&self, session: i64) -> Result<Vec<Buffer>, StoreError> {
        const SQL: &str = buffer_query!("WHERE buffer.session = $1 ORDER BY buffer.id");
        let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?;
        rows.into_iter().map(|row| self.read_buffer(row, session)).collect()
    }

    /// The buffers of all sessions of a user.
    pub async fn own_buffers(&self, user: i64) -> Result<Vec<OwnBuffer>, StoreError> {
        const SQL: &str = r#"SELECT buffer.id, buffer.session, session.network, session.name AS session_name, buffer.name,
                (SELECT COUNT(*) FROM link WHERE link.buffer = buffer.id AND link.role = 'shared') AS shared
            FROM buffer JOIN session ON session.id = buffer.session
            WHERE session."user" = $1 ORDER BY buffer.id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user).fetch_all(p).await)?)
    }

    /// The buffer, its room's intent stored where it is new or the one before is gone. A channel that is opened is wanted from then on; a key
    /// that is given replaces the one before.
    pub async fn open_buffer(&self, new: NewBuffer) -> Result<Buffer, StoreError> {
        const GONE: &str = "DELETE FROM link WHERE role = 'private' AND buffer = $1 AND room = $2";
        const UNFOLD: &str = "DELETE FROM fold WHERE room = $1";
        const SHARED: &str = "SELECT 1 FROM link WHERE buffer = $1 AND role = 'shared'";
        // What waits in the outbox will be shown; what the history has beyond it was shown in a room that is gone.
        const REFILL: &str = "UPDATE room SET refill = 1 WHERE room_id IS NULL AND refill = 0
            AND id = (SELECT room FROM link WHERE link.buffer = $1 AND link.role = 'private')
            AND (EXISTS (SELECT 1 FROM history WHERE history.buffer = $1)
                OR EXISTS (SELECT 1 FROM stay WHERE stay.buffer = $1))
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.room = room.id)";
        let session = new.session;
        let folded = new.folded.clone();
        let key = new
            .key
            .as_ref()
            .map(|key| self.sealer().seal(key.expose_secret().as_bytes(), &key_row(session, &folded)));
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let number: Option<i64> = match new.kind {
                        BufferKind::Channel => Some(announced::channel(tx, &new.network, &new.name).await?),
                        BufferKind::Query => None,
                    };
                    adopt(tx, &new, number).await?;
                    let id: i64 = on_tx!(tx, |c| sqlx::query_scalar(MAKE)
                        .bind(new.session)
                        .bind(new.kind.as_str())
                        .bind(number)
                        .bind(&new.folded)
                        .bind(&new.name)
                        .bind(new.wanted)
                        .bind(key)
                        .bind(new.kind == BufferKind::Channel && !new.wanted)
                        .fetch_one(c)
                        .await)?;
                    for room in new.gone {
                        if execute!(tx, GONE, id, room)? > 0 {
                            tracing::info!(room, "a room that the homeserver no longer has is made anew");
                            // What was folded is in the history, as what the new room begins with.
                            later!(tx, UNFOLD, room)?;
                        }
                    }
                    let shared: Option<i32> =
                        on_tx!(tx, |c| sqlx::query_scalar(SHARED).bind(id).fetch_optional(c).await)?;
                    if shared.is_some() {
                        let row: Row = on_tx!(tx, |c| sqlx::query_as(FIND).bind(id).fetch_one(c).await)?;
                        return Ok(row);
                    }
                    let kind = match new.kind {
                        BufferKind::Channel => RoomKind::Private,
                        BufferKind::Query => RoomKind::Query,
                    };
                    rooms::intend(
                        tx,
                        NewRoom {
                            kind,
                            marker: new.marker,
                            creator: new.creator,
                            owner: Some(new.owner),
                            lane: new.lane,
                            link: Link::Private { buffer: id },
                            room_id: None,
                            created_at: new.created_at,
                        },
                    )
                    .await?;
                    later!(tx, REFILL, id)?;
                    let row: Row = on_tx!(tx, |c| sqlx::query_as(FIND).bind(id).fetch_one(c).await)?;
                    Ok(row)
                })
            })
            .await?;
        self.read_buffer(row, session)
    }

    /// Says whether a channel should be joined. One that should not is not detached: when it is entered again, its user
    /// sees it.
    pub async fn set_wanted(&self, buffer: i64, wanted: bool) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE buffer SET wanted = $2, offered = FALSE, detached_after = CASE WHEN $2 THEN detached_after END
            WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, buffer, wanted)?;
                Ok(())
            })
        })
        .await
    }

    /// A channel is entered with this key from now on, or without one.
    pub async fn set_channel_key(
        &self,
        session: i64,
        buffer: i64,
        folded: &str,
        key: Option<SecretString>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE buffer SET key = $2 WHERE id = $1";
        let row = key_row(session, folded);
        let key = key.map(|key| self.sealer().seal(key.expose_secret().as_bytes(), &row));
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, buffer, key)?;
                Ok(())
            })
        })
        .await
    }

    /// A channel is known by another name from now on. What belongs to it stays with it.
    pub async fn rename_buffer(&self, buffer: i64, name: &str, folded: &str) -> Result<(), StoreError> {
        const FIND: &str = "SELECT buffer.session, buffer.folded, buffer.key, session.network
            FROM buffer JOIN session ON session.id = buffer.session WHERE buffer.id = $1";
        // In a shared room what is said is the room's channel's.
        const RENAME: &str = "UPDATE buffer SET folded = $3, name = $4, key = $5, channel = CASE WHEN EXISTS
            (SELECT 1 FROM link WHERE link.buffer = $1 AND link.role = 'shared') THEN channel ELSE $2 END WHERE id = $1";
        let (name, folded) = (name.to_owned(), folded.to_owned());
        let old: Option<(i64, String, Option<Vec<u8>>, String)> =
            on!(self.readers(), |p| sqlx::query_as(FIND).bind(buffer).fetch_optional(p).await)?;
        let Some((session, before, key, network)) = old else { return Ok(()) };
        // A key is sealed for its place.
        let key = key.and_then(|sealed| self.sealer().open(&sealed, &key_row(session, &before)).ok());
        let key = key.map(|key| self.sealer().seal(&key, &key_row(session, &folded)));
        self.write(move |tx| {
            Box::pin(async move {
                let channel = announced::channel(tx, &network, &name).await?;
                later!(tx, RENAME, buffer, channel, folded, name, key)?;
                Ok(())
            })
        })
        .await
    }

    /// Whether a conversation under this nick was read in from logs, and has no room yet.
    pub async fn has_query_read_in(&self, session: i64, folded: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM buffer WHERE session = $1 AND kind = 'query' AND folded = $2
            AND NOT EXISTS (SELECT 1 FROM link WHERE link.buffer = buffer.id)";
        let found: Option<i32> = on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(session)
            .bind(folded)
            .fetch_optional(p)
            .await)?;
        Ok(found.is_some())
    }

    /// When something was last said in each channel of a session, in milliseconds since 1970.
    pub async fn last_said(&self, session: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        const SQL: &str =
            "SELECT buffer.id, COALESCE((SELECT MAX(at) FROM (
                    SELECT MAX(at) AS at FROM history WHERE history.buffer = buffer.id
                    UNION ALL SELECT MAX(id) / 16 FROM history WHERE history.channel =
                        (SELECT stay.channel FROM stay WHERE stay.buffer = buffer.id AND stay.until IS NULL)) AS said), 0)
            FROM buffer WHERE buffer.session = $1 AND buffer.kind = 'channel'";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?)
    }

    fn read_buffer(&self, row: Row, session: i64) -> Result<Buffer, StoreError> {
        let key = match row.key {
            Some(sealed) => match self.sealer().open_text(&sealed, &key_row(session, &row.folded)) {
                Ok(text) => Some(text.into()),
                // The channel may have no key any more; if it has, it says so, and its user can give it anew.
                Err(error) => {
                    tracing::error!(session, buffer = row.id, %error, "a channel's key can't be read and is left out");
                    None
                }
            },
            None => None,
        };
        let kind = match row.kind.as_str() {
            "channel" => BufferKind::Channel,
            "query" => BufferKind::Query,
            other => return Err(StoreError::Unknown(format!("a buffer of kind {other}"))),
        };
        let Row {
            id,
            name,
            folded,
            channel,
            wanted,
            whereabouts,
            topic,
            gap_from,
            read_at,
            refill,
            detached_after,
            room,
            room_id,
            creator,
            role,
            plumbed,
            part,
            ..
        } = row;
        let refill = refill == 1;
        let user = match whereabouts.as_str() {
            "offered" => Whereabouts::Offered,
            "left" => Whereabouts::Left,
            _ => Whereabouts::Inside,
        };
        let whose = match (role.as_str(), plumbed) {
            ("shared", None) => Whose::Shared,
            ("shared", Some(_)) => Whose::Plumbed,
            _ => Whose::Own,
        };
        let part = match part.as_str() {
            "relay" => Part::Relay,
            "listener" => Part::Listener,
            _ => Part::Member,
        };
        Ok(Buffer {
            id,
            kind,
            name,
            folded,
            channel,
            wanted,
            user,
            key,
            topic,
            gap_from,
            read_at,
            refill,
            detached_after,
            room,
            room_id,
            creator,
            whose,
            part,
        })
    }
}

/// A conversation goes on under another nick: its buffer's name, and who is to have its room. Where there is one under
/// that nick, both stay as they are.
pub(super) async fn inherit(tx: &mut Tx, heir: Heir) -> Result<(), StoreError> {
    const RENAME: &str = "UPDATE buffer SET name = $2, folded = $3 WHERE id = $1 AND NOT EXISTS
        (SELECT 1 FROM buffer AS other WHERE other.session = buffer.session AND other.kind = buffer.kind
            AND other.folded = $3 AND other.id <> buffer.id)";
    const SPEAK: &str = "UPDATE room SET heir = $2 WHERE id = $1";
    let Heir { buffer, room, name, folded, user_id } = heir;
    if execute!(tx, RENAME, buffer, name, folded)? > 0 {
        later!(tx, SPEAK, room, user_id)?;
    } else {
        tracing::warn!(buffer, room, "a conversation keeps its name, since there is one under its new name");
    }
    Ok(())
}

/// Makes a buffer that was only read in from logs the one that is opened. Its name was folded without knowing how the
/// network does that, and a second buffer would part the conversation from what was said before.
async fn adopt(tx: &mut Tx, new: &NewBuffer, channel: Option<i64>) -> Result<(), StoreError> {
    const OWN: &str = "SELECT id FROM buffer WHERE session = $1 AND kind = $2 AND folded = $3";
    const READ_IN: &str = "SELECT id, name FROM buffer WHERE session = $1 AND kind = $2
        AND NOT EXISTS (SELECT 1 FROM link WHERE link.buffer = buffer.id) ORDER BY id";
    const ADOPT: &str = "UPDATE buffer SET folded = $2, name = $3, channel = $4 WHERE id = $1";
    let kind = new.kind.as_str();
    let own: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(OWN)
        .bind(new.session)
        .bind(kind)
        .bind(&new.folded)
        .fetch_optional(c)
        .await)?;
    if own.is_some() {
        return Ok(());
    }
    let read_in: Vec<(i64, String)> =
        on_tx!(tx, |c| sqlx::query_as(READ_IN).bind(new.session).bind(kind).fetch_all(c).await)?;
    // Whatever the network's mapping is, it takes these for the same.
    let found = read_in.into_iter().find(|(_, name)| CaseMapping::Ascii.same(name, &new.name));
    if let Some((id, _)) = found {
        later!(tx, ADOPT, id, &new.folded, &new.name, channel)?;
    }
    Ok(())
}
