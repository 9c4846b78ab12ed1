//! `plumb`: what is asked of those who have a say, until both sides agree.
//!
//! | side | who agrees | |
//! |---|---|---|
//! | the room's | who may change its name there, by its own powers, and invites the bot | `say`, `entrance` |
//! | the channel's | who asks, being an operator there, or another operator, asked in private | `session/consent.rs` |
//!
//! An administrator of the bridge needs neither, as for what the configuration says; where the room is for those who are
//! invited, somebody in it has to invite the bot. What both sides have agreed to is in `agreement`.
//!
//! What is asked is in memory, and ends with the bridge. It holds nothing that somebody else may want: the channel has no
//! other room by it before all agree, and a room that the bot enters for it stands in the store as one that it takes itself
//! out of, so that the next start leaves it. One that the bot was in before it stays in, whatever comes of it.
//!
//! Invariant 9: so much is asked at a time, [`MOST`], and each ends by itself, [`WHOLE`].

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::super::super::session::{Request, SessionHandle, SharedRequest};
use super::super::super::{Bridge, Outcome, Refusal};
use super::{Cause, Plumber};
use crate::config::{Permission, Plumbers};
use crate::format::RichText;
use crate::names::{CaseMapping, Channel};
use crate::store::{PlumbedBy, RoomRow};

/// How long an invitation is waited for, and then an operator's answer.
pub(in crate::bridge) const PATIENCE: Duration = Duration::from_mins(5);
/// How long is asked at all, whatever the homeserver does meanwhile.
const WHOLE: Duration = Duration::from_mins(11);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A command answers after so long, whatever the homeserver does.
const SOON: Duration = Duration::from_secs(10);
/// Rooms that are asked about at a time, …
const MOST: usize = 100;
/// … those of one user among them …
const MOST_OF_ONE: usize = 3;
/// … and rooms that show a channel because somebody who is no administrator has asked.
const MOST_PLUMBED: i64 = 1000;

/// A room that somebody wants to show a channel.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Its own, whatever is asked about the same room later.
    pub(in crate::bridge) number: u64,
    /// The session by which they ask.
    pub(super) session: i64,
    /// Their number.
    pub(super) user: i64,
    /// Who they are.
    pub(in crate::bridge) by: String,
    pub(super) is_admin: bool,
    /// The room's Matrix id.
    pub(in crate::bridge) room_id: String,
    /// The network's slug.
    pub(super) network: String,
    /// The channel.
    pub(in crate::bridge) channel: Channel,
    /// Nobody waits for it any more.
    pub(super) over: CancellationToken,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The bot waits for its invitation.
    Waits,
    /// The bot comes in, or those are asked who have a say. It may be invited meanwhile, once more.
    Asked { is_invited: bool },
    /// All agree, which is being stored: nothing calls it off.
    Agreed,
}

/// What is kept of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) asking: Asking,
    stage: Stage,
    /// The number of the room, where the bot comes in for this.
    visited: Option<i64>,
    /// The homeserver may still bring the bot in.
    may_come_late: bool,
}

/// What is asked about, by rooms.
pub(super) type AskedAbout = HashMap<String, Entry>;

/// What is to be left when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) room: Option<i64>,
    pub(super) may_come_late: bool,
}

impl Plumber {
    fn asking(&self) -> MutexGuard<'_, AskedAbout> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked about a room just now.
    pub(super) fn asked(&self, room_id: &str) -> Option<Asking> {
        self.asking().get(room_id).map(|entry| entry.asking.clone())
    }

    /// What is asked about a room just now in which the bot is anyhow.
    pub(super) fn asked_inside(&self, room_id: &str) -> Option<Asking> {
        let all = self.asking();
        let entry = all.get(room_id).filter(|entry| entry.visited.is_none());
        entry.filter(|entry| matches!(entry.stage, Stage::Asked { .. })).map(|entry| entry.asking.clone())
    }

    /// What is asked about a channel just now by this user, or else by anybody.
    pub(super) fn asked_of_channel(
        &self,
        (network, mapping): (&str, CaseMapping),
        channel: &str,
        by: &str,
    ) -> Option<Asking> {
        let all = self.asking();
        let is_it =
            |asking: &&Asking| asking.network == network && mapping.same(asking.channel.as_str(), channel);
        let mut those: Vec<&Asking> = all.values().map(|entry| &entry.asking).filter(is_it).collect();
        those.sort_by_key(|asking| (asking.by != by, asking.number));
        those.first().map(|asking| (*asking).clone())
    }

    fn with<T>(&self, asking: &Asking, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut all = self.asking();
        all.get_mut(&asking.room_id).filter(|entry| entry.asking.number == asking.number).map(change)
    }

    /// Whether it is still asked.
    pub(super) fn is_asked(&self, asking: &Asking) -> bool {
        self.with(asking, |_| ()).is_some()
    }

    /// The bot is there, or invited: whether nobody else has seen that.
    pub(super) fn begin_to_ask(&self, asking: &Asking) -> bool {
        let begin = |entry: &mut Entry| match &mut entry.stage {
            Stage::Waits => {
                entry.stage = Stage::Asked { is_invited: false };
                true
            }
            Stage::Asked { is_invited } => {
                *is_invited = true;
                false
            }
            Stage::Agreed => false,
        };
        self.with(asking, begin).unwrap_or(false)
    }

    /// The bot was not let in: whether it was invited meanwhile. Else it waits for that.
    pub(super) fn was_invited_meanwhile(&self, asking: &Asking) -> bool {
        let look = |entry: &mut Entry| {
            let was = entry.stage == Stage::Asked { is_invited: true };
            entry.stage = if was { Stage::Asked { is_invited: false } } else { Stage::Waits };
            was
        };
        self.with(asking, look).unwrap_or(false)
    }

    /// The bot comes in for this, and is to leave when nothing comes of it. `false` where it is over.
    pub(super) fn visits(&self, asking: &Asking, room: i64) -> bool {
        self.with(asking, |entry| entry.visited = Some(room)).is_some()
    }

    /// Nobody knows whether the bot was let in.
    pub(super) fn may_come_late(&self, asking: &Asking, may: bool) {
        self.with(asking, |entry| entry.may_come_late = may);
    }

    fn waits_for_invitation(&self, asking: &Asking) -> bool {
        self.with(asking, |entry| entry.stage == Stage::Waits).unwrap_or(false)
    }

    /// All agree: nothing calls it off from here on. `false` where it is over.
    pub(super) fn claim(&self, asking: &Asking) -> bool {
        let claim = |entry: &mut Entry| std::mem::replace(&mut entry.stage, Stage::Agreed) != Stage::Agreed;
        self.with(asking, claim).unwrap_or(false)
    }

    /// Ends what is asked, unless all agree by now; gives what is to be left.
    fn end_asking(&self, asking: &Asking, also_agreed: bool) -> Option<Visit> {
        let mut all = self.asking();
        let entry = all.get(&asking.room_id)?;
        if entry.asking.number != asking.number || entry.stage == Stage::Agreed && !also_agreed {
            return None;
        }
        entry.asking.over.cancel();
        let visit = Visit { room: entry.visited, may_come_late: entry.may_come_late };
        all.remove(&asking.room_id);
        Some(visit)
    }

    /// What was agreed is stored, or can't be; gives what is to be left where it can't.
    pub(super) fn settle(&self, asking: &Asking) -> Option<Visit> {
        self.end_asking(asking, true)
    }

    /// Takes it up, where not too much is asked.
    fn begin_asking(&self, asking: &Asking) -> Result<(), Refusal> {
        let mut all = self.asking();
        if all.contains_key(&asking.room_id) {
            return Err(Refusal::asked("That was asked already, and is waited for."));
        }
        let own = all.values().filter(|entry| entry.asking.by == asking.by).count();
        if own >= MOST_OF_ONE || all.len() >= MOST {
            return Err(Refusal::asked("So much is asked already. Wait until that is answered."));
        }
        let entry =
            Entry { asking: asking.clone(), stage: Stage::Waits, visited: None, may_come_late: false };
        all.insert(asking.room_id.clone(), entry);
        Ok(())
    }

    /// Whether this is the row of the room that the bot comes into for this.
    pub(super) fn is_visit(&self, asking: &Asking, room: i64) -> bool {
        self.with(asking, |entry| entry.visited == Some(room)).unwrap_or(false)
    }

    fn count_of(&self, asking: &Asking) -> usize {
        self.asking().values().filter(|entry| entry.asking.by == asking.by).count()
    }
}

impl Bridge {
    /// Has a room show a channel, as soon as those agree who have a say.
    pub async fn plumb(
        &self,
        session: &SessionHandle,
        permission: Permission,
        room: &str,
        channel: Channel,
    ) -> Outcome {
        self.may_plumb(permission)?;
        let (room_id, via) = self.room_named(room).await?;
        let asking = Asking {
            number: self.plumber.next_number(),
            session: session.row.id,
            user: session.row.user,
            by: session.row.user_id.clone(),
            is_admin: permission == Permission::Admin,
            room_id,
            network: session.row.network.clone(),
            channel,
            over: self.stop.child_token(),
        };
        self.is_free(&asking).await?;
        self.plumber.begin_asking(&asking)?;
        if let Err(refusal) = self.has_some_left(&asking).await {
            self.stop_asking(&asking);
            return Err(refusal);
        }
        self.limit(&asking);
        // Whatever the homeserver does, the next command is not kept waiting.
        let (told, mut outcome) = oneshot::channel();
        let (bridge, one) = (self.clone(), asking.clone());
        self.tasks.spawn(async move {
            let outcome = Box::pin(bridge.begin_by_entering(&one, via.as_deref())).await;
            if let Err(outcome) = told.send(outcome) {
                bridge.tell_asker(&one, outcome.unwrap_or_else(Refusal::into_text)).await;
            }
        });
        if let Ok(Ok(outcome)) = tokio::time::timeout(SOON, &mut outcome).await {
            return outcome;
        }
        outcome.close();
        outcome.try_recv().unwrap_or_else(|_| {
            Ok(RichText::plain(
                "The homeserver takes its time with that room. What becomes of it I tell in the network's room.",
            ))
        })
    }

    /// Whether somebody may have rooms show channels by command, as the configuration says.
    fn may_plumb(&self, permission: Permission) -> Result<(), Refusal> {
        let by = self.networks.plumb().by;
        if by.admit(permission) {
            return Ok(());
        }
        Err(Refusal::asked(match by {
            Plumbers::Nobody => {
                "This bridge has no room show a channel by command: its configuration says so under plumb.by. It can name \
                 such rooms itself."
            }
            _ => {
                "Only the administrators of this bridge have rooms show channels. Ask one of them, or that the \
                 configuration lets all, under plumb.by."
            }
        }))
    }

    /// Whether those who ask may do so still. Much may have changed while an invitation or an answer was waited for.
    pub(super) fn may_still_plumb(&self, asking: &Asking) -> Result<(), Refusal> {
        let permission = self.permission_of(&asking.by);
        self.may_plumb(permission)?;
        if asking.is_admin && permission != Permission::Admin {
            return Err(Refusal::asked(
                "You are no administrator of this bridge any more. Type plumb again.",
            ));
        }
        Ok(())
    }

    /// Whether one more room may show a channel because of this user.
    async fn has_some_left(&self, asking: &Asking) -> Result<(), Refusal> {
        if asking.is_admin {
            return Ok(());
        }
        let (all, own) = self.store.plumbed_by_command(asking.user).await?;
        let most = self.networks.plumb().most;
        let asked = i64::try_from(self.plumber.count_of(asking)).unwrap_or(i64::MAX);
        if own.saturating_add(asked) > i64::from(most) {
            return Err(Refusal::asked(format!(
                "This bridge has {most} rooms of one person show channels, and you have as many. End that for one by unplumb, \
                 or ask the bridge's administrator."
            )));
        }
        if all >= MOST_PLUMBED {
            return Err(Refusal::asked(
                "So many rooms show channels already that only the bridge's administrator may add one.",
            ));
        }
        Ok(())
    }

    /// Whether the configuration says what a room shows, or which room shows a channel.
    pub(super) fn is_settled_by_configuration(&self, asking: &Asking) -> bool {
        let compared = self.mapping_of(&asking.network);
        let same = |name: &str| compared.same(name, asking.channel.as_str());
        self.mappings().iter().any(|mapping| {
            mapping.room_id == asking.room_id || mapping.network == asking.network && same(&mapping.channel)
        })
    }

    /// Whether neither the room nor the channel has anything else to do with the other side.
    async fn is_free(&self, asking: &Asking) -> Result<(), Refusal> {
        let Asking { network, room_id, channel, .. } = asking;
        if self.networks.get(network).is_none_or(|known| known.is_own()) {
            return Err(Refusal::asked("A network that is yours alone can't be shown in a room of others."));
        }
        if self.is_settled_by_configuration(asking) {
            return Err(settled_by_configuration());
        }
        if self.store.is_space(room_id).await? {
            return Err(Refusal::asked(
                "That is a space of mine, where nobody talks: a channel needs a room.",
            ));
        }
        let compared = self.mapping_of(network);
        let shows_it = |room: &RoomRow| {
            let shown = room.buffer_name.as_deref();
            room.network.as_deref() == Some(network)
                && shown.is_some_and(|shown| compared.same(shown, channel.as_str()))
        };
        let rooms = self.store.rooms_by_matrix_id(room_id).await?;
        // Other channels may be shown there, too.
        let is_in_the_way = |room: &&RoomRow| !room.is_plumbed() || room.is_ending() || shows_it(room);
        if let Some(room) = rooms.iter().find(is_in_the_way) {
            return Err(self.room_taken(room, asking));
        }
        match self.store.shared_room(network, channel.as_str()).await? {
            Some(other) if !self.gives_way(&other).await? => Err(channel_taken(&other, channel)),
            _ => Ok(()),
        }
    }

    /// Whether a channel's room is left, or can be, since nobody needs it.
    pub(super) async fn gives_way(&self, other: &RoomRow) -> Result<bool, Refusal> {
        Ok(other.is_ending() || !other.is_plumbed() && self.store.holders(other.id).await?.is_empty())
    }

    pub(super) fn room_taken(&self, room: &RoomRow, asking: &Asking) -> Refusal {
        let shown = room.buffer_name.as_deref().unwrap_or_default();
        let is_it = room.network.as_deref() == Some(asking.network.as_str())
            && self.mapping_of(&asking.network).same(shown, asking.channel.as_str());
        match (room.is_plumbed(), room.is_ending()) {
            (false, _) => Refusal::asked("That room is one of mine already, for something else."),
            (true, true)
                if self.plumber.asked(&asking.room_id).is_some_and(|one| one.number != asking.number) =>
            {
                Refusal::asked("That was asked already, and is waited for.")
            }
            (true, true) => {
                self.take_up_mappings(room.room_id.as_deref());
                Refusal::asked("I am just leaving that room. Try again in a minute.")
            }
            (true, false) if is_it => Refusal::asked(format!("That room shows {shown} already.")),
            // What else it shows is theirs who are in it.
            (true, false) => {
                self.take_up_mappings(room.room_id.as_deref());
                Refusal::asked("I was taken out of that room just now. Try again in a minute.")
            }
        }
    }

    /// Ends it in time, whatever becomes of the homeserver, the session or its connection.
    fn limit(&self, asking: &Asking) {
        let (bridge, asking, began) = (self.clone(), asking.clone(), self.clock.now());
        self.tasks.spawn(async move {
            while asking.over.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
                let passed = bridge.clock.now().saturating_duration_since(began);
                let channel = &asking.channel;
                let why = if passed >= PATIENCE && bridge.plumber.waits_for_invitation(&asking) {
                    format!(
                        "I was not invited to the room that is to show {channel} within five minutes. Type plumb again."
                    )
                } else if passed >= WHOLE {
                    format!("It took too long until all agreed that {channel} is shown in that room. Type plumb again.")
                } else {
                    continue;
                };
                if bridge.stop_asking(&asking) {
                    bridge.tell_asker(&asking, RichText::plain(why)).await;
                }
                return;
            }
        });
    }

    /// It is not agreed: nobody is asked any more, and the bot leaves the room if it came for that, in the background.
    /// `false` where it was over, or all agree.
    pub(in crate::bridge) fn stop_asking(&self, asking: &Asking) -> bool {
        let Some(visit) = self.plumber.end_asking(asking, false) else { return false };
        self.end_visit(asking, visit);
        let (bridge, asking) = (self.clone(), asking.clone());
        self.tasks.spawn(async move {
            let Some(session) = bridge.session(asking.session) else { return };
            // Where it does not run, what it has asked is forgotten.
            drop(session.ask(Request::Shared(SharedRequest::Withdraw(asking.number))).await);
        });
        true
    }

    /// The bot leaves a room that it came into only to ask.
    pub(super) fn end_visit(&self, asking: &Asking, visit: Visit) {
        /// After so long a homeserver has given up what it was doing, too.
        const LATE: Duration = Duration::from_mins(10);
        let Some(room) = visit.room else { return };
        if !visit.may_come_late {
            return self.let_go_soon(room, Cause::NotAgreed);
        }
        let (bridge, room_id) = (self.clone(), asking.room_id.clone());
        self.tasks.spawn(async move {
            // The row stays, so that the bot is taken out where it comes in after this.
            if let Err(error) =
                bridge.client.leave(bridge.client.bot(), &room_id, Some(super::NOT_AGREED)).await
            {
                tracing::debug!(room = room_id, %error, "a room was not left yet");
            }
            if bridge.sleeps(LATE).await {
                bridge.let_go_soon(room, Cause::NotAgreed);
            }
        });
    }

    pub(super) async fn tell_asker(&self, asking: &Asking, text: RichText) {
        let Some(session) = self.session(asking.session) else { return };
        if let Err(error) = session.ask(Request::Shared(SharedRequest::Tell(text))).await {
            tracing::debug!(session = asking.session, %error, "somebody was not told what became of a room");
        }
    }

    /// Nobody waits for it any more, or the bridge stops.
    pub(super) fn over(&self, asking: &Asking) -> Refusal {
        if self.stop.is_cancelled() {
            return Refusal::Stopping;
        }
        Refusal::asked(format!("It is not asked any more whether that room shows {}.", asking.channel))
    }
}

pub(super) fn settled_by_configuration() -> Refusal {
    Refusal::asked(
        "The configuration says what that room or that channel has to do with the other side, and can only be changed there.",
    )
}

/// Why a channel is not shown in one more room.
pub(super) fn channel_taken(other: &RoomRow, channel: &Channel) -> Refusal {
    if other.is_ending() {
        return Refusal::asked(format!(
            "I am just leaving a room that has shown {channel}. Try again in a minute."
        ));
    }
    match other.plumbed_by() {
        Some(PlumbedBy::Command | PlumbedBy::Configuration) => {
            let text = format!("{channel} is shown in another room. To end that, type ");
            Refusal::Asked(RichText::plain(text).code(format!("unplumb {channel}")).text(" first."))
        }
        None => Refusal::asked(format!(
            "{channel} has a shared room, which is found by its alias, and people are in it. When they have left it, \
             another one can take its place."
        )),
    }
}
