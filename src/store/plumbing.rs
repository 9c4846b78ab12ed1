//! Rooms that were there before and show a channel: by the bridge's own record, so that a change of the configuration is
//! seen after a restart, and a bridge that was stopped while it left a room goes on with that.
//!
//! Such a room is a channel's shared room like one that the bridge has made; what differs is what is done in it. Its row
//! comes before the bridge enters it, and goes when it is out of it again. One that shows several channels has a row for
//! each, with the same Matrix id: to everything that is a channel's it is a room like any, and each row comes and goes by
//! itself.

use std::sync::Arc;

use super::history::stays::{self, Stayed};
use super::pool::{Tx, execute, later, on, on_tx};
use super::rooms::room_query;
use super::{NewOutbox, RoomRow, SHARED, Store, StoreError, announced, inbox, outbox};

/// The bridge takes itself out of the room.
pub(super) const ENDING: &str = "ending";

/// Who tied a room to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlumbedBy {
    /// The configuration says so.
    Configuration,
    /// Somebody who may say so has asked for it, and the channel's operators agree.
    Command,
}

impl PlumbedBy {
    const ALL: [(Self, &'static str); 2] =
        [(Self::Configuration, "configuration"), (Self::Command, "command")];

    pub(super) fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(by, _)| *by)
    }

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(by, _)| *by == self).map_or("", |(_, word)| word)
    }
}

/// Somebody in a plumbed room who is not in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outsider {
    /// They were, and have left it or were thrown out of it.
    HasLeft,
    /// They know that what they say does not go to IRC.
    Told,
}

/// A room that is to show a channel.
#[derive(Debug, Clone)]
pub struct NewPlumbing {
    /// The network's slug.
    pub network: String,
    /// The channel's name.
    pub name: String,
    /// The room's Matrix id.
    pub room_id: String,
    /// Who says so.
    pub by: PlumbedBy,
    /// The number of the user who has asked for it.
    pub asked_by: Option<i64>,
    /// A random text, as every room has one.
    pub marker: String,
    /// The bot.
    pub creator: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What both sides agree to.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// The room and the channel.
    pub plumbing: NewPlumbing,
    /// What the room is told of it. It is stored for whatever number the room has.
    pub announcement: NewOutbox,
}

/// What became of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plumbing {
    /// It shows the channel.
    Done(RoomRow),
    /// It is this room of the bridge's already, or is being left, or somebody is asked about it.
    RoomTaken(RoomRow),
    /// The channel has this shared room.
    ChannelTaken(RoomRow),
}

impl Store {
    /// Has a room show a channel. Where it does already, it is from now on by whoever says so now.
    pub async fn plumb(&self, new: NewPlumbing) -> Result<Plumbing, StoreError> {
        const ANEW: &str = "UPDATE room SET plumbed = $2, asked_by = $3 WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                let channel = announced::channel(tx, &new.network, &new.name).await?;
                let (rooms, shown) = taken(tx, &new.room_id, channel).await?;
                let is_in_the_way = |room: &RoomRow| !room.is_plumbed() || room.is_ending();
                let id = match (rooms.into_iter().find(is_in_the_way), shown) {
                    (_, Some(shown)) if shown.shows_in(&new.room_id) => {
                        execute!(tx, ANEW, shown.id, new.by.as_str(), new.asked_by)?;
                        shown.id
                    }
                    (Some(room), _) => return Ok(Plumbing::RoomTaken(room)),
                    (None, Some(shown)) => return Ok(Plumbing::ChannelTaken(shown)),
                    (None, None) => make(tx, &new, new.by.as_str(), Some(channel)).await?,
                };
                Ok(Plumbing::Done(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(id).fetch_one(c).await)?))
            })
        })
        .await
    }

    /// The bridge is about to enter a room in which somebody wants a channel shown. Until that is agreed it is one that the
    /// bridge takes itself out of, so that a crash leaves nothing behind; and the channel is free.
    pub async fn visit(&self, new: NewPlumbing) -> Result<Plumbing, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                if let Some(room) = rows(tx, &new.room_id).await?.into_iter().next() {
                    return Ok(Plumbing::RoomTaken(room));
                }
                let id = make(tx, &new, ENDING, None).await?;
                Ok(Plumbing::Done(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(id).fetch_one(c).await)?))
            })
        })
        .await
    }

    /// What was asked for is agreed: the room shows its channel from now on, and is told.
    pub async fn agree_to_plumbing(&self, agreement: Agreement, now: i64) -> Result<Plumbing, StoreError> {
        let store = self.clone();
        self.write(move |tx| Box::pin(async move { agree(tx, &store, &agreement, now).await })).await
    }

    /// How many rooms show channels because somebody has asked for it: all, and those of this user.
    pub async fn plumbed_by_command(&self, user: i64) -> Result<(i64, i64), StoreError> {
        const SQL: &str = "SELECT COUNT(*), COUNT(CASE WHEN asked_by = $1 THEN 1 END) FROM room
            WHERE plumbed = 'command'";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user).fetch_one(p).await)?)
    }

    /// Who has asked that rooms show channels, by the rooms' numbers.
    pub async fn who_asked(&self) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = r#"SELECT room.id, "user".user_id FROM room JOIN "user" ON "user".id = room.asked_by
            WHERE room.plumbed = 'command' ORDER BY room.id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// The numbers of the rows of rooms that show several channels.
    pub async fn rows_of_several(&self) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT id FROM room WHERE plumbed IS NOT NULL AND room_id IN
            (SELECT room_id FROM room WHERE plumbed IS NOT NULL GROUP BY room_id HAVING COUNT(*) > 1)";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p).await)?)
    }

    /// The row of a row's room by which somebody is in a channel; of several the first.
    pub async fn first_row_of(&self, room: i64, user_id: &str) -> Result<Option<i64>, StoreError> {
        const SQL: &str = r#"SELECT MIN(room.id) FROM room
            JOIN link ON link.room = room.id AND link.role = 'shared' AND NOT link.relays
                AND NOT link.listens
            JOIN buffer ON buffer.id = link.buffer JOIN session ON session.id = buffer.session
            JOIN "user" ON "user".id = session."user"
            WHERE room.room_id = (SELECT room_id FROM room WHERE id = $1) AND "user".user_id = $2"#;
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).bind(user_id).fetch_one(p).await)?)
    }

    /// Whether the space of a session has this Matrix id.
    pub async fn is_space(&self, room_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM space WHERE room_id = $1";
        let found: Option<i32> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room_id).fetch_optional(p).await)?;
        Ok(found.is_some())
    }

    /// All plumbed rooms, those that the bridge leaves among them.
    pub async fn plumbed_rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!("WHERE room.plumbed IS NOT NULL ORDER BY room.id");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// From now on nobody's channel is shown in a room any more, nor wanted by those whose was; and all ghosts are to leave
    /// it. May be repeated: one that speaks meanwhile comes in once more.
    pub async fn end_plumbing(&self, room: i64, reason: &str) -> Result<(), StoreError> {
        const END: &str = "UPDATE room SET plumbed = 'ending' WHERE id = $1";
        const UNWANT: &str = "UPDATE buffer SET wanted = FALSE
            WHERE id IN (SELECT buffer FROM link WHERE room = $1 AND role = 'shared' AND buffer IS NOT NULL)";
        const UNLINK: &str = "DELETE FROM link WHERE room = $1 AND role = 'shared' AND buffer IS NOT NULL";
        const DEPART: &str = "UPDATE member SET wanted = FALSE, reason = $2, kicker = NULL WHERE room = $1";
        let reason = reason.to_owned();
        let keeper = Arc::clone(self.keeper());
        self.write(move |tx| {
            Box::pin(async move {
                stays::end(tx, &keeper, Stayed::InRoom(room)).await?;
                for sql in [END, UNWANT, UNLINK] {
                    later!(tx, sql, room)?;
                }
                later!(tx, DEPART, room, &reason)?;
                Ok(())
            })
        })
        .await
    }

    /// A room is being left: no channel of anybody's is shown there from now on who is not there yet. Where it is encrypted,
    /// that is known from the same commit on.
    pub async fn begin_ending(&self, room: i64, is_encrypted: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE room SET plumbed = 'ending', explained = (explained OR $2) WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, is_encrypted)?;
                Ok(())
            })
        })
        .await
    }

    /// The bridge is out of a room: it is nobody's here, and may be tied to a channel again. What waited for it is set
    /// aside by its lane.
    pub async fn forget_plumbed(&self, room: i64) -> Result<(), StoreError> {
        self.forget_or_visit(room, None).await.map(drop)
    }

    /// The same where somebody wants another channel shown there: from the same commit on the bridge is there only for that.
    /// Returns the number of the row that says so.
    pub async fn forget_and_visit(&self, room: i64, new: NewPlumbing) -> Result<Option<i64>, StoreError> {
        self.forget_or_visit(room, Some(new)).await
    }

    async fn forget_or_visit(&self, room: i64, new: Option<NewPlumbing>) -> Result<Option<i64>, StoreError> {
        // One that never showed anything: no line is of it.
        const VISITED: &str = "DELETE FROM room WHERE id = $1 AND plumbed = 'ending'
            AND EXISTS (SELECT 1 FROM link WHERE link.room = room.id AND link.role = 'shared'
                AND link.buffer IS NULL AND link.channel IS NULL)";
        const UNLINK: &str = "DELETE FROM link WHERE room = $1";
        const FREE: &str = "UPDATE room SET room_id = NULL, plumbed = NULL, asked_by = NULL, former =
                (SELECT channel FROM link WHERE link.room = room.id AND link.role = 'shared' AND link.buffer IS NULL)
            WHERE id = $1";
        const OUTSIDERS: &str = "DELETE FROM outsider WHERE room = $1";
        let keeper = Arc::clone(self.keeper());
        self.write(move |tx| {
            Box::pin(async move {
                stays::end(tx, &keeper, Stayed::InRoom(room)).await?;
                for sql in [VISITED, FREE, UNLINK, OUTSIDERS] {
                    later!(tx, sql, room)?;
                }
                Ok(match new {
                    Some(new) => Some(make(tx, &new, ENDING, None).await?),
                    None => None,
                })
            })
        })
        .await
    }

    /// What is known of somebody in a plumbed room who is not in its channel: whether they were told that nothing of theirs
    /// goes to IRC, or else have left the channel. Nothing where neither is so.
    pub async fn outsider(&self, room: i64, user_id: &str) -> Result<Option<Outsider>, StoreError> {
        const SQL: &str = "SELECT told FROM outsider WHERE room = $1 AND user_id = $2";
        let is_told: Option<bool> = on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(room)
            .bind(user_id)
            .fetch_optional(p)
            .await)?;
        Ok(is_told.map(|is_told| if is_told { Outsider::Told } else { Outsider::HasLeft }))
    }

    /// Somebody has left a plumbed room: nothing is known of them there any more.
    pub async fn forget_outsider(&self, room: i64, user_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM outsider WHERE room = $1 AND user_id = $2";
        let user_id = user_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, &user_id)?;
                Ok(())
            })
        })
        .await
    }

    /// Stores that they were told. It is forgotten when their channel is shown there, and when they leave.
    pub async fn outsider_told(&self, room: i64, user_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO outsider (room, user_id, told) VALUES ($1, $2, TRUE)
            ON CONFLICT (room, user_id) DO UPDATE SET told = TRUE";
        let user_id = user_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, &user_id)?;
                Ok(())
            })
        })
        .await
    }
}

const BY_ROOM_ID: &str = room_query!("WHERE room.room_id = $1 ORDER BY room.id");
const BY_CHANNEL: &str = room_query!("WHERE link.role = 'shared' AND link.channel = $1");
const BY_ID: &str = room_query!("WHERE room.id = $1");

/// What the room is already, and which room the channel has.
async fn taken(
    tx: &mut Tx,
    room_id: &str,
    channel: i64,
) -> Result<(Vec<RoomRow>, Option<RoomRow>), StoreError> {
    let rooms = rows(tx, room_id).await?;
    let shown = on_tx!(tx, |c| sqlx::query_as(BY_CHANNEL).bind(channel).fetch_optional(c).await)?;
    Ok((rooms, shown))
}

async fn rows(tx: &mut Tx, room_id: &str) -> Result<Vec<RoomRow>, StoreError> {
    Ok(on_tx!(tx, |c| sqlx::query_as(BY_ROOM_ID).bind(room_id).fetch_all(c).await)?)
}

/// The row of a room, with what it shows.
async fn make(
    tx: &mut Tx,
    new: &NewPlumbing,
    plumbed: &str,
    channel: Option<i64>,
) -> Result<i64, StoreError> {
    const MAKE: &str =
        "INSERT INTO room (room_id, kind, marker, creator, lane, created_at, plumbed, asked_by)
        VALUES ($1, 'shared', $2, $3, $4, $5, $6, $7) RETURNING id";
    const LINK: &str = "INSERT INTO link (room, role, network, channel) VALUES ($1, 'shared', $2, $3)";
    let id: i64 = on_tx!(tx, |c| sqlx::query_scalar(MAKE)
        .bind(&new.room_id)
        .bind(&new.marker)
        .bind(&new.creator)
        .bind(SHARED)
        .bind(new.created_at)
        .bind(plumbed)
        .bind(new.asked_by)
        .fetch_one(c)
        .await)?;
    execute!(tx, LINK, id, &new.network, channel)?;
    if let Some(channel) = channel {
        inbox::readdress(tx, id, &new.room_id, channel).await?;
    }
    Ok(id)
}

/// A room shows a channel from now on, because somebody has asked for it: one that the bridge visits for that, or was in
/// before. Where it does already, nothing is done.
pub(super) async fn agree(
    tx: &mut Tx,
    store: &Store,
    agreement: &Agreement,
    now: i64,
) -> Result<Plumbing, StoreError> {
    const TAKE: &str = "UPDATE room SET plumbed = $2, asked_by = $3 WHERE id = $1";
    const SHOW: &str = "UPDATE link SET channel = $2
        WHERE room = $1 AND role = 'shared' AND buffer IS NULL AND channel IS NULL";
    let new = &agreement.plumbing;
    let channel = announced::channel(tx, &new.network, &new.name).await?;
    let (mut rooms, shown) = taken(tx, &new.room_id, channel).await?;
    if let Some(shown) = &shown
        && shown.shows_in(&new.room_id)
    {
        let is_done = shown.plumbed_by() == Some(PlumbedBy::Command);
        return Ok((if is_done { Plumbing::Done } else { Plumbing::RoomTaken })(shown.clone()));
    }
    let is_in_the_way =
        |room: &RoomRow| !room.is_plumbed() || room.explained || room.is_ending() && !room.is_visited();
    if let Some(place) = rooms.iter().position(is_in_the_way) {
        return Ok(Plumbing::RoomTaken(rooms.swap_remove(place)));
    }
    if let Some(shown) = shown {
        return Ok(Plumbing::ChannelTaken(shown));
    }
    let id = match rooms.iter().find(|room| room.is_visited()) {
        Some(room) => {
            execute!(tx, TAKE, room.id, new.by.as_str(), new.asked_by)?;
            execute!(tx, SHOW, room.id, channel)?;
            inbox::readdress(tx, room.id, &new.room_id, channel).await?;
            room.id
        }
        None => make(tx, new, new.by.as_str(), Some(channel)).await?,
    };
    let announcement = NewOutbox { room: id, ..agreement.announcement.clone() };
    outbox::insert(tx, store, store.seal_outbox(vec![announcement]), now).await?;
    Ok(Plumbing::Done(on_tx!(tx, |c| sqlx::query_as(BY_ID).bind(id).fetch_one(c).await)?))
}

/// Somebody's channel is shown in a room.
pub(super) async fn come_in(tx: &mut Tx, room: i64, user: i64) -> Result<(), StoreError> {
    const SQL: &str = r#"DELETE FROM outsider
        WHERE room = $1 AND user_id = (SELECT user_id FROM "user" WHERE id = $2)"#;
    later!(tx, SQL, room, user)?;
    Ok(())
}

/// Somebody's channel is about to be shown in its room no more: where that is theirs and others', they stay there.
pub(super) async fn go_out(tx: &mut Tx, buffer: i64) -> Result<(), StoreError> {
    const SQL: &str = r#"INSERT INTO outsider (room, user_id, told)
        SELECT room.id, "user".user_id, FALSE FROM link JOIN room ON room.id = link.room
            JOIN buffer ON buffer.id = link.buffer JOIN session ON session.id = buffer.session
            JOIN "user" ON "user".id = session."user"
        WHERE link.buffer = $1 AND link.role = 'shared' AND NOT link.listens
            AND room.plumbed IN ('configuration', 'command')
        ON CONFLICT (room, user_id) DO NOTHING"#;
    later!(tx, SQL, buffer)?;
    Ok(())
}
