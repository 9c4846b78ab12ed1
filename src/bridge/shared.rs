//! Shared rooms: one for a channel and all who are in it through the bridge, each with their own IRC connection.
//!
//! The homeserver asks for an alias that does not exist; where it names a channel, the channel's room is made. That
//! query carries no person, so nothing else is done: no IRC connection is opened for it, and so many rooms are made in
//! an hour and no more. Who joins and has permission is taken into the channel by their own session, in the order of
//! their own lane; everybody else is removed, and told why. One of the sessions shows the channel there (`watch`).
//!
//! Rooms of other people that show a channel are in `plumbing`, and what those need in `needs`.
//!
//! Off unless `templates.shared_alias` is set, or a room is plumbed. Invariants 2 (the intent comes first), 9.

mod arrivals;
mod authority;
mod bans;
mod comparison;
mod connections;
mod forward;
mod holes;
mod instead;
mod listening;
mod needs;
mod one_at_a_time;
mod plumbing;
mod relay;
mod removals;
mod spellings;
mod underway;
mod upkeep;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch as watch_channel;

use super::content::{self, MessageType, unique};
use super::desk::lane_of;
use super::ghosts::GhostError;
use super::inbox::AskedFor;
use super::session::{ChannelRequest, OwnRoom, Request, SessionState, SharedRequest};
use super::{Bridge, Known, Refusal};
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::event::{Content, Event, Member};
use crate::matrix::ghost_id;
use crate::names::{Channel, session_address};
use crate::store::{Holder, InboxEvent, Link, NewRoom, RoomKind, RoomRow, SHARED, StoreError, User};

pub(super) use self::arrivals::Arrivals;
pub(super) use self::authority::{CANONICAL_ALIAS, Enacted};
pub(super) use self::comparison::{Duty, Found, LONGEST_LAG, Missing, Shown, Trace};
use self::connections::Activity;
pub(super) use self::holes::Hole;
use self::listening::{Listening, is_apart};
pub(super) use self::one_at_a_time::OneAtATime;
pub(super) use self::plumbing::PATIENCE as PLUMBING_PATIENCE;
pub use self::plumbing::{Asking, Plumbed};
pub(super) use self::plumbing::{Once, Plumber};
pub(super) use self::relay::RelayedNames;
use self::removals::Undecided;
pub use self::removals::removal;
pub(super) use self::underway::Begun;
use self::underway::Underway;
use self::upkeep::Awaited;
pub(super) use self::watch::{Said, Seat, Watches};

/// Why a ban does not stay in a shared room.
pub(super) const LIFTED: &str = "Bans are the channel's own";
/// Why a ghost's invitation does not stay there.
pub(super) const INVITED_ON_IRC: &str = "Who is invited is invited on IRC";
/// `#` as ids have it.
const HASH: &str = "=23";
/// The characters of the id of a channel that is safe from netsplits (RFC 2811, 3.1).
const CHANNEL_ID: usize = 5;
/// How long the homeserver waits for a room to be made: somebody waits for it there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rooms that were made of late because somebody looked for an alias.
#[derive(Debug, Default)]
struct Made {
    /// The homeserver does not say who: it may be anybody.
    by_strangers: AskedFor,
    /// Of those who typed it to the bot, by their number: each for themselves, so that no stranger can keep them from it.
    by_users: HashMap<i64, AskedFor>,
}

/// So many users may have rooms made within an hour.
const MOST_SEEKERS: usize = 100;

/// Who looks for a shared room.
#[derive(Debug, Clone, Copy)]
enum Seeker {
    Stranger,
    User(i64),
}

/// What comes of looking for shared rooms.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    made: std::sync::Mutex<Made>,
    awaited: std::sync::Mutex<Awaited>,
    /// Held while an alias is given to a room or taken from it.
    naming: OneAtATime<i64>,
    undecided: Undecided,
    underway: Underway,
    activity: Activity,
    listening: Listening,
    /// When what the homeserver has handed over of our own was made, at the latest, as it says.
    handed_over: watch_channel::Sender<i64>,
}

impl Bridge {
    /// The alias of a channel's shared room.
    pub(super) fn shared_alias(&self, network: &str, channel: &str) -> Option<String> {
        let template = self.config.templates.shared_alias.as_ref()?;
        // As people write it; an alias may hold that.
        let channel = ghost_id::escape(channel).replace(HASH, "#");
        let localpart = template.render_id(&[("network", network), ("channel", &channel)]);
        let domain = &self.config.homeserver.domain;
        Some(format!("#{}:{domain}", ghost_id::fit(localpart, domain)))
    }

    /// The alias by which somebody finds a channel's shared room, whether that is there yet or not; nothing where a channel of
    /// this name has none.
    pub(super) fn findable_alias(&self, network: &str, channel: &str) -> Option<String> {
        let alias = self.shared_alias(network, &channel.to_ascii_lowercase())?;
        let (_, channel) = self.read_shared_alias(&alias)?;
        self.offers(network, &channel).then_some(alias)
    }

    /// The network and the channel, letters folded, of a shared room's alias; nothing where it names none of ours.
    pub(super) fn read_shared_alias(&self, alias: &str) -> Option<(String, Channel)> {
        let localpart = alias.strip_prefix('#')?.split(':').next()?;
        let fields = self.config.templates.shared_alias.as_ref()?.read_id(localpart)?;
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        // Somebody's own network is theirs alone.
        let known = match field("network") {
            Some(slug) => self.networks.get(slug).filter(|known| !known.is_own())?,
            None => self.only_network()?,
        };
        let network = known.network.slug.as_str().to_owned();
        let channel = for_all(ghost_id::unescape(&field("channel")?.replace('#', HASH))?)?;
        let is_it = self.shared_alias(&network, &channel)? == alias;
        Some((network, Channel::new(&channel).ok().filter(|_| is_it)?))
    }

    /// The network that is for all, if there is only one.
    fn only_network(&self) -> Option<Arc<Known>> {
        let mut public = self.networks.public();
        public.pop().filter(|_| public.is_empty())
    }

    /// Whether an alias leads to a room, which is made where it names a channel.
    pub(super) async fn has_alias(&self, alias: &str) -> bool {
        let Some((network, channel)) = self.read_shared_alias(alias) else { return false };
        match tokio::time::timeout(
            PATIENCE,
            self.find_shared_room(alias, &network, &channel, Seeker::Stranger),
        )
        .await
        {
            Ok(Ok(room)) => room.is_some(),
            Ok(Err(error)) => {
                tracing::warn!(%alias, %error, "a shared room that somebody looks for can't be had yet");
                false
            }
            Err(_) => {
                tracing::warn!(%alias, "a shared room that somebody looks for is not made in time");
                false
            }
        }
    }

    /// The number of a channel's shared room, which is found by this alias from then on; nothing where there is none.
    async fn find_shared_room(
        &self,
        alias: &str,
        network: &str,
        channel: &Channel,
        seeker: Seeker,
    ) -> Result<Option<i64>, GhostError> {
        let (now, at) = (self.clock.now(), self.clock.unix_ms());
        let room = match self.store.shared_room(network, channel.as_str()).await? {
            // A room of other people is found by what they call it.
            Some(room) if room.is_plumbed() => return Ok(None),
            Some(room) if self.is_of_another(&room, network, channel) => {
                tracing::warn!(%alias, "on this network the channel is another than the one whose room that would be");
                return Ok(None);
            }
            Some(room) => self.renewed(room).await?,
            None if !self.offers(network, channel) => {
                tracing::debug!(%alias, "a shared room is not made: its network has no channels of this kind");
                return Ok(None);
            }
            None if !self.wanted_aliases.admit(seeker, now) => {
                tracing::warn!(%alias, ?seeker, "a shared room is not made: too many were asked for within the hour");
                return Ok(None);
            }
            None => {
                self.store.ensure_network(network, &self.network_name(network), at).await?;
                let name = channel.as_str().to_owned();
                let new = NewRoom {
                    kind: RoomKind::Shared,
                    marker: unique(),
                    creator: self.client.bot().to_owned(),
                    owner: None,
                    lane: SHARED.to_owned(),
                    link: Link::Shared { network: network.to_owned(), name },
                    room_id: None,
                    created_at: at,
                };
                let intended = self.store.intend_room(new).await?;
                if self.is_of_another(&intended, network, channel) {
                    tracing::warn!(%alias, "the channel may be another than one that is known already");
                    return Ok(None);
                }
                intended
            }
        };
        let Some(room_id) = self.made(room.id).await? else { return Ok(None) };
        self.open_deserted(&room, &room_id).await?;
        let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
        // Before the alias is there, so that none is forgotten.
        self.wanted_aliases.await_somebody(room.id, now);
        self.store.set_aliased(room.id, true).await?;
        // The homeserver asks only for what it does not have.
        match self.client.set_alias(alias, &room_id).await {
            Err(error) if !error.is_final() => Err(error.into()),
            Err(error) => {
                tracing::debug!(%alias, %error, "an alias is set already, or can't be");
                Ok(Some(room.id))
            }
            Ok(()) => {
                // It bears that again if somebody is in its channel, as where it was made anew.
                self.note_address(room.id);
                Ok(Some(room.id))
            }
        }
    }

    /// A room's Matrix id, as soon as its lane has made it.
    async fn made(&self, room: i64) -> Result<Option<String>, GhostError> {
        loop {
            let next = self.rooms_made.notified();
            let Some(row) = self.store.room(room).await? else { return Ok(None) };
            if row.room_id.is_some() {
                return Ok(row.room_id);
            }
            self.wake_delivery(room);
            next.await;
        }
    }

    /// The shared room in which something happened: the row of it that this copy of the event is for.
    pub(super) async fn shared_room_of(
        &self,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<Option<RoomRow>, GhostError> {
        let room = self.store.room_of_event(stored, &event.room_id).await?;
        Ok(room.filter(|room| room.kind().is_ok_and(|kind| kind == RoomKind::Shared)))
    }

    /// Somebody does something in a shared room who was not yet in its channel when it came.
    pub(super) async fn attend_to_shared(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        match &event.content {
            Content::Member(_) if room.is_plumbed() => {
                return Box::pin(self.attend_to_plumbed(stored, event, room)).await;
            }
            Content::Member(member) if member.membership == "join" && !self.is_ours(&member.user_id) => {
                return self.on_shared_join(stored, &event.room_id, &member.user_id, room).await;
            }
            Content::Member(member) if member.membership == "ban" => {
                if self.is_heard_by_relay(room, &member.user_id).await? {
                    return self.keep_ban(stored, event, member, room).await;
                }
                return self.lift_ban(stored, event, member, room).await;
            }
            Content::Member(member) if member.membership == "invite" && self.is_ours(&member.user_id) => {
                return self.pass_invitation(stored, event, member, room).await;
            }
            Content::Member(member) if member.membership == "leave" && member.user_id == event.sender => {
                self.end_stay(room, &member.user_id);
            }
            Content::Member(_) => {}
            // They are by now, and what was behind their coming went there with it.
            _ => {
                if let Some(session) = self.store.session_in_shared_room(room.id, &event.sender).await? {
                    let lane = format!("session/{session}");
                    self.store.move_event(stored.seq, &lane).await?;
                    self.wake_lane(&lane);
                    return Ok(());
                }
                if room.is_plumbed() {
                    return Box::pin(self.attend_to_plumbed(stored, event, room)).await;
                }
                // Whatever it is, it changes nothing there.
                self.reenact(room.id);
                if self.is_asked_instead(room.id, &event.sender).await? {
                    return self.answer_who_is_asked(stored, event, room).await;
                }
                if self.is_relayed(stored, event, room).await? {
                    return Ok(());
                }
                if self.may_stay(room, &event.sender).await? {
                    return Ok(self.refuse_command(stored, event, room).await?);
                }
                // Nobody would hear it: they are in the room and not in the channel, as where a crash came between.
                let channel = room.buffer_name.as_deref().unwrap_or_default();
                let reason = format!("You are not in {channel} any more. To enter it, join this room again.");
                self.remove(room, &event.room_id, &event.sender, &reason).await?;
            }
        }
        Ok(self.store.finish_event(stored.seq, None).await?)
    }

    /// A ghost was invited: who did so invites on IRC, by their own session. Of anybody else the invitation is withdrawn, too.
    async fn pass_invitation(
        &self,
        stored: &InboxEvent,
        event: &Event,
        member: &Member,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        if let Some(session) = self.store.session_in_shared_room(room.id, &event.sender).await? {
            let lane = format!("session/{session}");
            self.store.move_event(stored.seq, &lane).await?;
            self.wake_lane(&lane);
            return Ok(());
        }
        let withdrawn = content::removal_row(room.id, self.client.bot(), &member.user_id, INVITED_ON_IRC);
        self.answer_event(stored.seq, vec![withdrawn]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// Somebody does not come back to a shared room to which they were invited: they may be in its channel still.
    fn end_stay(&self, room: &RoomRow, user_id: &str) {
        let Some(channel) = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok()) else {
            return;
        };
        let mut sessions = self.sessions(Some(user_id));
        sessions.retain(|session| Some(session.row.network.as_str()) == room.network.as_deref());
        // Their session is waited for by nobody.
        self.tasks.spawn(async move {
            for session in sessions {
                drop(session.ask(Request::Channel(channel.clone(), ChannelRequest::EndStay)).await);
            }
        });
    }

    /// Each step can be repeated: the event is done at the end.
    async fn on_shared_join(
        &self,
        stored: &InboxEvent,
        room_id: &str,
        user_id: &str,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        let bot = self.client.bot();
        if self.permission_of(user_id) == Permission::None {
            if self.may_stay(room, user_id).await? {
                return Ok(self.store.finish_event(stored.seq, None).await?);
            }
            let reason = self.why_not_admitted(user_id);
            self.remove(room, room_id, user_id, &reason).await?;
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let user = self.store.ensure_user(user_id, self.clock.unix_ms()).await?;
        let refusal = match self.take_into_channel(&user, room, stored.seq).await {
            Ok(session) => {
                // What they have said meanwhile waits there.
                self.wake_lane(&format!("session/{session}"));
                return Ok(self.store.finish_event(stored.seq, None).await?);
            }
            Err(Refusal::Store(error)) => return Err(error.into()),
            // It goes on after the next start.
            Err(Refusal::Stopping) => return Ok(()),
            Err(Refusal::Asked(refusal)) => refusal,
        };
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        // Others read it there.
        let reason = format!("Not in {channel}: the chat with the bot says why.");
        self.remove(room, room_id, user_id, &reason).await?;
        let text = RichText::new().bold(format!("You can't be in the shared room of {channel}")).text(": ");
        let alert = content::message(MessageType::Text, &text.then(refusal), Some(user_id));
        let (own, mut rows) = self.way_to(user.id, user_id).await?;
        rows.push(content::message_row(own.id, bot, alert, None));
        self.answer_event(stored.seq, rows).await?;
        self.wake_delivery(own.id);
        Ok(())
    }

    /// Opens the session if need be, and has it enter the channel. The event by which they came is done with as soon as
    /// they have a link: looked at later again, it would take them in once more who may be out by then.
    async fn take_into_channel(&self, user: &User, room: &RoomRow, came_by: i64) -> Result<i64, Refusal> {
        let network = room.network.as_deref().unwrap_or_default();
        let Some(channel) = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok()) else {
            return Err(Refusal::asked("its channel is none any more."));
        };
        let gone = || Refusal::asked(format!("{network} is none of this bridge's networks any more."));
        let known = self.networks.get(network).ok_or_else(gone)?;
        self.admits(&known).map_err(|reason| Refusal::asked(format!("{reason}.")))?;
        // One of a user's sessions stands in the room: the one that does already, else the one without a name, else the
        // oldest that they have there.
        let standing = self.store.session_in_shared_room(room.id, &user.user_id).await?;
        let relay = self.store.relay_of(room.id).await?.map(|relay| relay.session);
        let apart = self.store.listening().await?;
        let name = {
            let mine = self.sessions(Some(&user.user_id));
            let there = mine.iter().filter(|session| {
                let is_standing = standing == Some(session.row.id);
                session.row.network == network && (is_standing || !is_apart(session, &apart))
            });
            let one = there.min_by_key(|session| {
                let id = Some(session.row.id);
                (id != standing, id == relay, !session.row.name.is_empty())
            });
            one.map(|session| session.row.name.clone()).unwrap_or_default()
        };
        if let Some(why) = self.too_many_open(user, &session_address(network, &name)).await? {
            return Err(Refusal::Asked(RichText::plain("you ").then(why)));
        }
        let mine = self.sessions(Some(&user.user_id));
        let own = mine.iter().find(|one| one.row.network == network && one.row.name == name);
        // People of plumbed rooms are not counted.
        let _place = if room.is_plumbed() { None } else { self.make_place(network, own).await? };
        let Some((session, is_new)) = self.open_session(user, network, &name).await? else {
            return Err(gone());
        };
        let state = session.status().state;
        if !is_new && !matches!(state, SessionState::Connected | SessionState::Connecting) {
            session.ask(Request::Connect).await?;
        }
        let own = if room.is_plumbed() { OwnRoom::Stays } else { OwnRoom::IsAskedAbout };
        let request = SharedRequest::Share { channel, room: room.id, came_by: Some(came_by), own };
        session.ask(Request::Shared(request)).await?;
        self.note_active(session.row.id).await?;
        if !self.is_asked_instead(room.id, &user.user_id).await? {
            self.is_entered(room.id);
        }
        Ok(session.row.id)
    }

    /// Somebody has a channel in a shared room.
    fn is_entered(&self, room: i64) {
        self.wanted_aliases.end(room);
        // Who comes in waits for no alias.
        let bridge = self.clone();
        self.tasks.spawn(async move {
            bridge.keep_alias(room).await;
            // Whom the channel has refused already had gone while they were awaited, when the alias stays.
            bridge.has_left_shared(room);
        });
    }

    /// Takes somebody out of a room, unless they have left by themselves; nobody out of one that is other people's.
    async fn remove(
        &self,
        room: &RoomRow,
        room_id: &str,
        user_id: &str,
        reason: &str,
    ) -> Result<(), GhostError> {
        if room.is_plumbed() {
            return Ok(());
        }
        match self.client.kick(self.client.bot(), room_id, user_id, reason).await {
            Err(error) if !error.is_final() => Err(error.into()),
            Err(error) => {
                tracing::debug!(room = room_id, user = user_id, %error, "somebody was not removed from a room");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes somebody whose session ends out of the shared rooms that it shows.
    pub(super) async fn leave_shared_rooms(&self, session: i64, reason: &str) -> Result<(), StoreError> {
        let (bot, reason) = (self.client.bot().to_owned(), reason.to_owned());
        let kick = move |held: &Holder| content::removal_row(held.room, &bot, &held.user_id, &reason);
        let held = self.store.unshare_session(session, kick, self.clock.unix_ms()).await?;
        for Holder { room, .. } in held {
            self.wake_delivery(room);
            self.has_left_shared(room);
            self.wake_listener(room);
        }
        Ok(())
    }

    /// The lane in which waits what somebody says in a shared room before their session shows the channel there.
    pub(super) fn lane_before_sharing(user_id: &str) -> String {
        lane_of(user_id)
    }
}

/// A channel's name, as an alias has it, where it is the same channel for all of its network.
fn for_all(channel: String) -> Option<String> {
    match channel.strip_prefix('!') {
        None => channel.starts_with(['#', '+']).then_some(channel),
        // Behind `!` stands the channel's id and then its name (RFC 2811, 3.1). Without the id it is whichever channel bears
        // the name just now, and with another `!` a new one for each who asks.
        Some(named) => {
            let (id, name) = named.split_at_checked(CHANNEL_ID)?;
            let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (is_id && !name.is_empty()).then(|| format!("!{}{name}", id.to_ascii_uppercase()))
        }
    }
}

impl Wanted {
    /// Whether one more room is made.
    fn admit(&self, seeker: Seeker, now: Instant) -> bool {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match seeker {
            Seeker::Stranger => made.by_strangers.admit(now),
            Seeker::User(user) => {
                made.by_users.retain(|_, asked| asked.is_of_late(now));
                if made.by_users.len() >= MOST_SEEKERS && !made.by_users.contains_key(&user) {
                    return false;
                }
                made.by_users.entry(user).or_default().admit(now)
            }
        }
    }

    /// Whether a user has had all the rooms made that they may: else so many others had some that no more are.
    fn has_had_all(&self, user: i64, now: Instant) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.by_users.get(&user).is_some_and(|asked| asked.is_used_up(now))
    }

    /// Something of our own was handed over that was made at this time.
    pub(super) fn note_handed_over(&self, at: i64) {
        self.handed_over.send_if_modified(|until| {
            let is_later = at > *until;
            *until = at.max(*until);
            is_later
        });
    }

    fn awaited(&self) -> std::sync::MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to come into a room.
    fn await_somebody(&self, room: i64, now: Instant) {
        self.awaited().add(room, now);
    }

    /// They have.
    fn end(&self, room: i64) {
        self.awaited().end(room);
    }

    fn is_awaited(&self, room: i64, now: Instant) -> bool {
        self.awaited().has(room, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before, who came after so many others was told that they had had thirty rooms made.
    #[test]
    fn who_may_have_no_more_rooms_made_is_told_apart_from_who_comes_after_too_many_others() {
        #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
        let now = Instant::now();
        let (wanted, most) = (Wanted::default(), i64::try_from(MOST_SEEKERS).unwrap());
        while wanted.admit(Seeker::User(0), now) {}
        for user in 1..most {
            assert!(wanted.admit(Seeker::User(user), now));
        }
        assert!(!wanted.admit(Seeker::User(most), now));
        assert_eq!([0, 1, most].map(|user| wanted.has_had_all(user, now)), [true, false, false]);
    }
}
