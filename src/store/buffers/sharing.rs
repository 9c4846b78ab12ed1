//! Buffers of channels whose room is shared with others.

use std::sync::Arc;

use super::super::history::Keeper;
use super::super::history::stays::{self, Stayed};
use super::super::pool::{Tx, execute, later, on_tx};
use super::super::{Agreement, NewOutbox, Plumbing, Store, StoreError, inbox, outbox, plumbing};
use super::{Buffer, FIND, MAKE, NewBuffer, Part, Row, adopt};

/// A shared room and the number of its channel.
type Shown = (i64, i64);

/// Has a channel's buffer shown in this room, with what its user has said there meanwhile, in this lane.
async fn show_in(
    tx: &mut Tx,
    keeper: &Keeper,
    new: &NewBuffer,
    shown: Shown,
    lane: &str,
) -> Result<Row, StoreError> {
    let row = link(tx, keeper, new, shown, Part::Member).await?;
    stays::begin(tx, keeper, row.id, shown.1).await?;
    plumbing::come_in(tx, shown.0, new.owner).await?;
    inbox::move_said(tx, shown.0, lane, &new.lane).await?;
    Ok(row)
}

/// Links a channel's buffer to this room.
async fn link(
    tx: &mut Tx,
    keeper: &Keeper,
    new: &NewBuffer,
    (room, channel): Shown,
    part: Part,
) -> Result<Row, StoreError> {
    // Lines may be on their way to the room before: it gets them still, and its session leaves it when that is closed.
    const FORMER: &str = "UPDATE link SET buffer = NULL, session = $2, channel = $3
        WHERE buffer = $1 AND role = 'private'";
    const UNLINK: &str = "DELETE FROM link WHERE buffer = $1";
    const RELAYS: &str = "SELECT COUNT(*) FROM link WHERE buffer = $1 AND room = $2 AND relays";
    const LINK: &str =
        "INSERT INTO link (room, role, buffer, relays, listens) VALUES ($1, 'shared', $2, $3, $4)";
    // It may have been opened under a name that is compared otherwise.
    const OF_ROOM: &str = "UPDATE buffer SET channel = $2 WHERE id = $1";
    adopt(tx, new, Some(channel)).await?;
    let id: i64 = on_tx!(tx, |c| sqlx::query_scalar(MAKE)
        .bind(new.session)
        .bind(new.kind.as_str())
        .bind(channel)
        .bind(&new.folded)
        .bind(&new.name)
        .bind(true)
        .bind(None::<Vec<u8>>)
        .bind(false)
        .fetch_one(c)
        .await)?;
    execute!(tx, FORMER, id, new.session, channel)?;
    // One that is shown there already goes on as it is.
    let relays: i64 = on_tx!(tx, |c| sqlx::query_scalar(RELAYS).bind(id).bind(room).fetch_one(c).await)?;
    stays::end(tx, keeper, Stayed::Buffer(id)).await?;
    execute!(tx, UNLINK, id)?;
    execute!(tx, LINK, room, id, relays > 0, part == Part::Listener)?;
    later!(tx, OF_ROOM, id, channel)?;
    Ok(on_tx!(tx, |c| sqlx::query_as(FIND).bind(id).fetch_one(c).await)?)
}

/// The same, in the place of whatever room its user has of the channel for themselves, with what is told there.
async fn show_instead(
    tx: &mut Tx,
    store: &Store,
    new: &NewBuffer,
    shown: Shown,
    (lane, told): (&str, Vec<(NewOutbox, Vec<u8>)>),
) -> Result<Row, StoreError> {
    const ATTACH: &str = "UPDATE buffer SET detached_after = NULL WHERE id = $1";
    let row = show_in(tx, store.keeper(), new, shown, lane).await?;
    later!(tx, ATTACH, row.id)?;
    outbox::insert(tx, store, told, new.created_at).await?;
    Ok(Row { detached_after: None, ..row })
}

/// Whether a session has a room of a channel for itself in which it wants to be.
async fn has_own_room(tx: &mut Tx, new: &NewBuffer) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM buffer JOIN link ON link.buffer = buffer.id AND link.role = 'private'
        WHERE buffer.session = $1 AND buffer.kind = 'channel' AND buffer.folded = $2 AND buffer.wanted";
    let own: Option<i32> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(new.session).bind(&new.folded).fetch_optional(c).await)?;
    Ok(own.is_some())
}

/// Whether this session may listen in a room: no other one does or relays there, and it is not there for its user.
async fn is_without_listener(tx: &mut Tx, new: &NewBuffer, room: i64) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM link JOIN buffer ON buffer.id = link.buffer WHERE link.room = $1
        AND (link.relays OR CASE WHEN link.listens THEN buffer.session <> $2 ELSE buffer.session = $2 END) LIMIT 1";
    let taken: Option<i32> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(room).bind(new.session).fetch_optional(c).await)?;
    Ok(taken.is_none())
}

/// The channel that a room shows, while it is to go on with that.
async fn channel_shown(tx: &mut Tx, room: i64) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "SELECT link.channel FROM link JOIN room ON room.id = link.room
        WHERE link.room = $1 AND link.role = 'shared' AND link.buffer IS NULL
            AND COALESCE(room.plumbed, '') <> 'ending'";
    let channel: Option<Option<i64>> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(room).fetch_optional(c).await)?;
    Ok(channel.flatten())
}

impl Store {
    /// Has a channel's buffer shown in the channel's shared room from now on. What its person has said there meanwhile,
    /// in this lane, goes to the session's, but for the event by which they came, which is done with. Nothing is done, and
    /// nothing given, where the channel is wanted and has a room of its own; nor where somebody is to listen, and another
    /// one does, or they are there for themselves.
    pub async fn share_buffer(
        &self,
        new: NewBuffer,
        (room, part): (i64, Part),
        (lane, came_by): (String, Option<i64>),
    ) -> Result<Option<Buffer>, StoreError> {
        let session = new.session;
        let keeper = Arc::clone(self.keeper());
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let channel = channel_shown(tx, room).await?;
                    let Some(channel) = channel else { return Ok(None) };
                    if has_own_room(tx, &new).await? {
                        return Ok(None);
                    }
                    if part == Part::Listener {
                        let is_needed = is_without_listener(tx, &new, room).await?;
                        let new = link(tx, &keeper, &new, (room, channel), part);
                        return Ok(if is_needed { Some(new.await?) } else { None });
                    }
                    // Before what they have said goes elsewhere, so that this does not.
                    if let Some(came_by) = came_by {
                        inbox::finish(tx, came_by, None).await?;
                    }
                    Ok(Some(show_in(tx, &keeper, &new, (room, channel), &lane).await?))
                })
            })
            .await?;
        row.map(|row| self.read_buffer(row, session)).transpose()
    }

    /// A room shows a channel from now on because somebody has asked for it, and shows it to them: whatever room they have
    /// of it for themselves is given up in the same commit, with what is told there. Else what the room or the channel has
    /// instead, and nothing is done.
    pub async fn share_as_agreed(
        &self,
        new: NewBuffer,
        agreement: Agreement,
        lane: String,
        told: Vec<NewOutbox>,
    ) -> Result<Result<Buffer, Plumbing>, StoreError> {
        const CHANNEL: &str =
            "SELECT channel FROM link WHERE room = $1 AND role = 'shared' AND buffer IS NULL";
        let (session, now) = (new.session, new.created_at);
        let sealed = self.seal_outbox(told);
        let store = self.clone();
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let room = match plumbing::agree(tx, &store, &agreement, now).await? {
                        Plumbing::Done(room) => room.id,
                        taken => return Ok(Err(taken)),
                    };
                    let channel: i64 =
                        on_tx!(tx, |c| sqlx::query_scalar(CHANNEL).bind(room).fetch_one(c).await)?;
                    Ok(Ok(show_instead(tx, &store, &new, (room, channel), (&lane, sealed)).await?))
                })
            })
            .await?;
        row.map(|row| self.read_buffer(row, session))
            .map_or_else(|taken| Ok(Err(taken)), |buffer| buffer.map(Ok))
    }

    /// Has a channel's buffer shown in the channel's shared room from now on, whatever room its person has of it for
    /// themselves: that is given up in the same commit, with what is told there. What they have said meanwhile, in this lane,
    /// goes to the session's. Nothing is done, and nothing given, where the room shows the channel no more.
    pub async fn share_buffer_instead(
        &self,
        new: NewBuffer,
        room: i64,
        lane: String,
        told: Vec<NewOutbox>,
    ) -> Result<Option<Buffer>, StoreError> {
        const CHANNEL: &str = "SELECT link.channel FROM link JOIN room ON room.id = link.room
            WHERE link.room = $1 AND link.role = 'shared' AND link.buffer IS NULL AND room.plumbed IS NULL";
        let session = new.session;
        let sealed = self.seal_outbox(told);
        let store = self.clone();
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let channel: Option<Option<i64>> =
                        on_tx!(tx, |c| sqlx::query_scalar(CHANNEL).bind(room).fetch_optional(c).await)?;
                    let Some(channel) = channel.flatten() else { return Ok(None) };
                    Ok(Some(show_instead(tx, &store, &new, (room, channel), (&lane, sealed)).await?))
                })
            })
            .await?;
        row.map(|row| self.read_buffer(row, session)).transpose()
    }
}
