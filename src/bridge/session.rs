//! The session actor: one task for each user and network, and the only one that touches its IRC session, its
//! connection, its buffers and their members (invariant 5).
//!
//! It makes no request to the homeserver: what it reads from IRC it commits as rows of the outbox, which the rooms'
//! lanes deliver. So a slow homeserver never delays a PONG.
//!
//! One turn of its loop: wait for something (lines, the inbox, a request, a timer), handle it, then `Actor::flush`:
//! commit what was read and what is about to be sent, hand the bytes to the socket.

mod answers;
mod approach;
mod asides;
mod attachments;
mod attendance;
mod authority;
mod auto_away;
mod autocmd;
mod behind;
mod buffers;
mod called;
mod capabilities;
mod casemapping;
mod catch_up;
mod charset;
mod choices;
mod command;
mod consent;
mod credentials;
mod declined;
mod detach;
mod dropped;
mod edits;
mod excerpt;
mod excluded;
mod gaps;
mod handle;
mod highlights;
mod hourglass;
mod inbox;
mod incoming;
mod inquiries;
mod instead;
mod invitations;
mod link;
mod listening;
mod listing;
mod long;
mod loose;
mod manners;
mod markers;
mod members;
mod moderation;
mod monitor;
mod named;
mod netsplit;
mod network_room;
mod news;
mod nick;
mod on_join;
mod opening;
mod outbound;
mod outgoing;
mod pace;
mod people;
mod pictures;
mod pills;
mod plumbed;
mod profile;
mod prompts;
mod reactions;
mod record;
mod redactions;
mod refill;
mod relay;
mod relaymsg;
mod renames;
mod replies;
mod requests;
mod ringing;
mod say;
mod series;
mod set_aside;
mod settlement;
mod shared;
mod shown;
mod shut_out;
mod speakers;
mod speech;
mod standing;
mod start;
mod stop;
mod strangers;
pub(super) mod supervision;
mod tagged;
mod told;
mod told_passwords;
mod topics;
mod translation;
mod typing;
mod username;
mod waiting;
mod whereabouts;
mod who;
mod whois;
pub(super) mod wording;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use self::asides::Reacting;
pub(super) use self::attachments::NoLinks;
use self::auto_away::AutoAway;
use self::buffers::Buffers;
pub(super) use self::called::FirstNicks;
use self::catch_up::CatchingUp;
use self::consent::Consents;
use self::gaps::Heard;
use self::inquiries::Questions;
use self::invitations::Invitations;
use self::link::{Dialing, Link, Wish};
use self::moderation::TimedBans;
use self::monitor::Monitored;
use self::netsplit::Netsplits;
use self::news::News;
use self::outbound::Outbound;
use self::pace::Learnt;
use self::strangers::Newcomers;
use self::typing::Typists;
use self::whereabouts::Whereabouts;
use super::Bridge;
use super::ephemera::Passing;
use super::ghost_names::Standing;
use super::metrics::NetworkTally;
use super::usher::Ask;
use crate::config::{Network, Server};
use crate::format::RichText;
use crate::irc::backoff::Backoff;
use crate::irc::session::{Event, State};
use crate::irc::wire::Message;
use crate::names::{CaseMap, Nick};
use crate::store::{Incoming, LineState, SessionRow, StoreError};

pub use self::attendance::{MembersRequest, Ranked};
pub use self::authority::{Authority, ChannelRules, Entrance};
pub use self::autocmd::AutoCommands;
pub use self::capabilities::WishChange;
pub use self::charset::CharsetChange;
pub(super) use self::choices::Signs;
pub use self::credentials::{CertificateRequest, LoginMethod, LoginRequest, ServiceAddress};
pub use self::handle::{SessionHandle, SessionState, Status};
pub use self::highlights::Highlights;
pub use self::instead::OwnRoom;
pub use self::listing::ListRequest;
pub use self::manners::{Manners, Origin};
pub(super) use self::manners::{Ringing, RoomWish, SpaceWish};
pub use self::moderation::{BanTime, ChannelRequest, ListKind};
pub use self::on_join::enters_or_leaves;
pub use self::pace::Leaving;
pub use self::plumbed::SharedRequest;
pub use self::profile::{Change, ProfileRequest};
pub use self::requests::Request;
pub use self::say::{SayRequest, Service};
pub use self::standing::StandingRequest;
pub(super) use self::start::start;
pub use self::strangers::Welcome;
pub(super) use self::username::Usernames;
pub use self::who::LookRequest;

/// Requests that may wait for a session.
const REQUESTS: usize = 32;
/// What passes and may wait for a session.
const PASSING: usize = 16;
/// Questions who should come into a room.
const ASKS: usize = 4;
/// Bytes that may wait for a server that does not read: it asks for answers without end.
const MOST_BACKLOG: usize = 256 * 1024;
/// Lines of a greeting that wait to be shown together.
const LONGEST_GREETING: usize = 60;
/// Ghosts whose ids a session remembers; forgotten when there are more.
const REMEMBERED_GHOSTS: usize = 1_000;

struct Actor {
    bridge: Bridge,
    row: SessionRow,
    network: Network,
    epoch: i64,
    lane: String,
    network_room: i64,
    buffers: Buffers,
    ghosts: CaseMap<Arc<str>>,
    /// What the network said last of those who spoke; forgotten when there are more.
    standings: CaseMap<Standing>,
    link: Option<Link>,
    dialing: Option<Dialing>,
    wish: Wish,
    backoff: Backoff,
    retry_at: Option<Instant>,
    next_server: usize,
    /// A server without verified TLS wants something that another one may not: only those are dialled that have it.
    prefers_trusted: bool,
    /// What to dial next, before the server whose turn it is.
    upgrade: Option<Box<Server>>,
    last_reason: Option<String>,
    /// What the network called itself when we were last there.
    last_named: Option<String>,
    /// Why it is not connected, as the user was told since it last was.
    told: Vec<String>,
    stuck: bool,
    /// The store failed: what is known of it must be read anew.
    must_reload: bool,
    incoming: Incoming,
    heard: Heard,
    catching_up: CatchingUp,
    netsplits: Netsplits,
    news: News,
    invitations: Invitations,
    newcomers: Newcomers,
    ringing: ringing::Explained,
    /// Conversations whose other side has gone, which is told when all that was read is known.
    gone: Vec<usize>,
    /// Of whom the server tells, in answer to a `WHOIS`.
    whois: Option<String>,
    /// How often the nick was taken from us since the user asked for it.
    nick_losses: u32,
    /// The nick that was last wanted and had.
    nick_had: Option<Nick>,
    /// What the homeserver called the user last, where a template wants it; empty where nothing is known.
    display: String,
    learnt: Learnt,
    tally: Arc<NetworkTally>,
    manners: Manners,
    no_links: attachments::Hint,
    pictures: pictures::Found,
    server_text: Vec<RichText>,
    outbound: Outbound,
    questions: Questions,
    monitored: Monitored,
    timed_bans: TimedBans,
    auto_away: AutoAway,
    /// Who is away, where the user wants them to be shown so.
    whereabouts: Option<Box<Whereabouts>>,
    typists: Typists,
    reacting: Reacting,
    consents: Consents,
    instead: instead::Instead,
    requests: mpsc::Receiver<requests::Envelope>,
    passing: mpsc::Receiver<(i64, Passing)>,
    asks: mpsc::Receiver<Ask>,
    /// When ghosts of those who are silent leave next.
    thin_at: Instant,
    wake: Arc<Notify>,
    status: watch::Sender<Status>,
}

/// What a turn of the loop begins with.
enum Woken {
    Stop,
    Request(Option<requests::Envelope>),
    Received(std::io::Result<bool>),
    Dialed(Box<link::Dialed>),
    Passing(i64, Passing),
    Asked(Ask),
    Inbox,
    Timer,
}

fn seed() -> u64 {
    let mut seed = [0; 8];
    // Jitter without randomness is still jitter.
    let _ = crate::clock::random_bytes(&mut seed);
    u64::from_ne_bytes(seed)
}

impl Actor {
    #[tracing::instrument(name = "session", skip_all, fields(user = %self.row.user_id, network = %self.row.network))]
    async fn run(mut self: Box<Self>) {
        let mut messages = Vec::new();
        self.wake.notify_one();
        loop {
            self.publish_status();
            let deadline = self.deadline();
            let clock = Arc::clone(&self.bridge.clock);
            let was_due = deadline.is_some_and(|deadline| deadline <= clock.now());
            let woken = tokio::select! {
                biased;
                () = self.bridge.stop.cancelled() => Woken::Stop,
                request = self.requests.recv() => Woken::Request(request),
                dialed = link::dialed(&mut self.dialing) => Woken::Dialed(Box::new(dialed)),
                received = link::receive(self.link.as_mut(), &mut messages) => Woken::Received(received),
                () = self.wake.notified() => Woken::Inbox,
                Some((room, passing)) = self.passing.recv() => Woken::Passing(room, passing),
                Some(ask) = self.asks.recv() => Woken::Asked(ask),
                () = until(deadline, clock.now()) => Woken::Timer,
            };
            // Lines that keep coming would put off what is due for as long.
            let is_due = was_due || matches!(woken, Woken::Timer);
            // There are thousands of sessions, and nearly all of them wait: what a turn needs is gone with it.
            match Box::pin(self.turn(woken, is_due, &mut messages)).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(StoreError::Superseded | StoreError::Closed) => {
                    tracing::warn!(
                        "the session is run by another process, or the store is closed: it ends here"
                    );
                    break;
                }
                Err(error) => self.on_store_failure(&error),
            }
        }
        Box::pin(self.quit()).await;
    }

    /// Does what it was woken for; whether it goes on.
    async fn turn(
        &mut self,
        woken: Woken,
        is_due: bool,
        messages: &mut Vec<Message>,
    ) -> Result<bool, StoreError> {
        match woken {
            Woken::Stop | Woken::Request(None) => return Ok(false),
            Woken::Request(Some(envelope)) => self.on_request(envelope).await?,
            Woken::Dialed(dialed) => self.on_dialed(*dialed).await?,
            Woken::Received(received) => self.on_received(received, messages).await?,
            Woken::Inbox => {
                let read = self.read_inbox().await;
                self.look_at_gate();
                read?;
            }
            Woken::Passing(room, passing) => self.on_passing(room, &passing).await?,
            Woken::Asked(ask) => self.on_ask(ask).await?,
            Woken::Timer => {}
        }
        if is_due {
            self.on_timer().await?;
        }
        self.flush().await?;
        Ok(true)
    }

    fn now(&self) -> Instant {
        self.bridge.clock.now()
    }

    fn deadline(&self) -> Option<Instant> {
        let session = self.link.as_ref().and_then(|link| link.session.deadline());
        [
            session,
            self.retry_at,
            self.expires_at(),
            self.next_hourglass(),
            self.outbound.uncertain.deadline(),
            self.catching_up.deadline(),
            self.netsplits.deadline(),
            self.reacting.deadline(),
            self.news.deadline(),
            self.typists.deadline(),
            self.questions.asked.deadline(),
            self.list_ends_at(),
            self.monitored.deadline().filter(|_| self.link.is_some()),
            self.link.as_ref().and_then(|link| link.autocmd.deadline()),
            self.auto_away_at(),
            self.shared_deadline(),
            self.bans_end_at(),
            self.consents.deadline(),
            Some(self.thin_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    async fn on_received(
        &mut self,
        received: std::io::Result<bool>,
        messages: &mut Vec<Message>,
    ) -> Result<(), StoreError> {
        failpoint!("line_read", !messages.is_empty());
        let heard = !messages.is_empty();
        for event in self.read_messages(messages) {
            self.on_event(event).await?;
        }
        self.tell_of_gone();
        self.hear_autocmd();
        self.lift_bans();
        if heard {
            self.hear();
        }
        match self.link.as_mut().map_or(0, |link| link.connection.newly_skipped()) {
            0 => {}
            lines => {
                self.tally.malformed.add(lines);
                self.say(RichText::plain(format!(
                    "The server sent {lines} {} too long or without a command, which can't be shown.",
                    if lines == 1 { "line" } else { "lines" }
                )));
            }
        }
        let backlog = self.link.as_ref().map_or(0, |link| link.connection.backlog());
        match received {
            Ok(true) if backlog > MOST_BACKLOG => {
                self.lose_connection("the server does not read what it is sent").await
            }
            Ok(true) => Ok(()),
            Ok(false) => self.lose_connection("the server closed the connection").await,
            Err(error) => self.lose_connection(&format!("the connection broke: {error}")).await,
        }
    }

    fn read_messages(&mut self, messages: &mut Vec<Message>) -> Vec<Event> {
        let now = self.now();
        let mut events = Vec::new();
        for message in messages.drain(..) {
            failpoint!(fails_at message.params.last().map_or("", String::as_str));
            if let Some(link) = &mut self.link {
                link.session.handle(&message, now, &mut events);
            }
        }
        self.pass_over_excluded(&mut events);
        events
    }

    async fn on_passing(&mut self, room: i64, passing: &Passing) -> Result<(), StoreError> {
        if let Passing::Presence(is_here) = passing {
            return self.on_presence(*is_here).await;
        }
        let Some(place) = self.buffers.find_room(room) else { return Ok(()) };
        match passing {
            Passing::Typing(types) => {
                self.on_own_typing(place, *types);
                if *types {
                    self.note_here().await?;
                }
            }
            Passing::Read(event_id) => {
                self.bridge.note_active(self.row.id).await?;
                self.mark_read(place, event_id).await?;
            }
            Passing::Presence(_) => {}
        }
        Ok(())
    }

    async fn on_timer(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let mut events = Vec::new();
        if let Some(link) = &mut self.link {
            link.session.tick(now, &mut events);
        }
        self.pass_over_excluded(&mut events);
        for event in events {
            self.on_event(event).await?;
        }
        self.expire().await?;
        self.turn_hourglasses();
        self.tick_uncertain();
        self.tick_typing();
        self.tick_ctcp();
        self.forget_list();
        self.tick_monitor();
        self.run_autocmd();
        self.tick_reactions().await?;
        self.tick_catch_up().await?;
        self.tick_netsplits();
        self.tick_news();
        self.tick_members();
        self.lift_bans();
        self.tick_consents();
        self.tick_auto_away().await?;
        self.tick_shared().await?;
        self.compare_heard();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.dial().await;
        }
        Ok(())
    }

    /// Commits what was read and what is about to be sent, then hands over the bytes.
    async fn flush(&mut self) -> Result<(), StoreError> {
        // Whoever reads what is told now may ask at once how things stand.
        self.publish_status();
        // A greeting comes in pieces, and is one message.
        let is_greeting = self.link.as_ref().is_some_and(|link| {
            link.session.registered_at().is_some() && link.session.state() == State::Registering
        });
        if !is_greeting || self.server_text.len() >= LONGEST_GREETING {
            self.flush_server_text();
        }
        self.keep_pace();
        self.name_seats();
        self.take_returned_ghosts_out();
        self.transmit().await?;
        // Boxed: few sessions have a shared room.
        Box::pin(self.keep_seats()).await?;
        self.fetch_pictures();
        self.take_more().await
    }

    async fn commit_incoming(&mut self) -> Result<(), StoreError> {
        self.note_heard();
        if self.incoming.is_empty() {
            return Ok(());
        }
        let incoming = std::mem::take(&mut self.incoming);
        let mut rooms: Vec<i64> = incoming.outbox.iter().map(|row| row.room).collect();
        rooms.sort_unstable();
        rooms.dedup();
        let is_space_other = !incoming.detached.is_empty();
        let fates: Vec<LineState> = incoming.fates.settled.iter().map(|(.., state)| *state).collect();
        let departed: Vec<i64> = incoming.departures.iter().map(|(room, ..)| *room).collect();
        let committed =
            self.bridge.commit_incoming(self.row.id, self.epoch, &self.row.network, incoming).await?;
        failpoint!("incoming_committed");
        fates.into_iter().for_each(|state| self.tally.settled(state, 1));
        self.tally.folded.add(committed.folded.values().sum::<i64>() as u64);
        rooms.into_iter().for_each(|room| self.bridge.wake_delivery(room));
        departed.into_iter().for_each(|room| self.bridge.wake_departures(room));
        if is_space_other {
            self.bridge.wake_space(self.row.id);
        }
        for (buffer, event_id, text) in committed.came_back {
            self.confirm_uncertain(buffer, &event_id, &text).await;
        }
        Ok(())
    }

    /// The Matrix id of a nick's ghost.
    async fn ghost(&mut self, nick: &str) -> Result<Arc<str>, StoreError> {
        if let Some(known) = self.ghosts.get(nick) {
            return Ok(Arc::clone(known));
        }
        let folded = self.ghosts.mapping().fold(nick);
        let new = self.bridge.ghost_user_id(&self.row.network, nick);
        let now = self.bridge.clock.unix_ms();
        let ghost = self.bridge.store.ghost(&self.row.network, &folded, nick, &new, now).await?;
        if self.ghosts.len() >= REMEMBERED_GHOSTS {
            self.ghosts.clear();
        }
        let user_id: Arc<str> = ghost.user_id.into();
        self.ghosts.insert(nick, Arc::clone(&user_id));
        Ok(user_id)
    }

    /// What was read can't be stored: going on would lose it silently.
    fn on_store_failure(&mut self, error: &StoreError) {
        const PAUSE: Duration = Duration::from_mins(1);
        tracing::error!(%error, "the session closes its connection: what it reads can't be stored");
        self.incoming = Incoming::default();
        self.server_text.clear();
        // A commit whose outcome is unknown may have been done: only the store knows what has left.
        self.outbound = Outbound::default();
        self.must_reload = true;
        // The next connection numbers its questions anew: who waits for an answer of this one must get none of those.
        self.abandon_inquiries();
        self.abandon_ctcp();
        self.abandon_consents();
        self.hide_people();
        self.lose_seats();
        self.link = None;
        self.dialing = None;
        self.last_reason = Some(format!("towline can't store messages: {error}"));
        self.retry_at = self.row.connect.then(|| self.now() + PAUSE);
    }

    /// Reads what the session knows from the store, after that has failed.
    async fn reload(&mut self) -> Result<(), StoreError> {
        self.buffers = Buffers::load(&self.bridge, &self.row).await?;
        self.ghosts = CaseMap::default();
        self.standings = CaseMap::default();
        self.outbound = Outbound::default();
        let away_from = self.bridge.store.seen_at(self.row.id).await?;
        self.catching_up = CatchingUp::since(away_from);
        self.load_timed_bans().await?;
        self.take_up_lines().await?;
        for place in 0..self.buffers.len() {
            self.refill(place).await?;
        }
        self.must_reload = false;
        self.wake.notify_one();
        if let Some(reason) = &self.last_reason {
            let text = format!("{reason}. What was said while I was away is missing in the rooms.");
            self.alert(&RichText::plain(text));
        }
        Ok(())
    }
}

pub(super) async fn until(deadline: Option<Instant>, now: Instant) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.saturating_duration_since(now)).await,
        None => std::future::pending().await,
    }
}
