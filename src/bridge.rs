//! The bridge: the only place that knows both sides.
//!
//! | part | what it does | owns |
//! |---|---|---|
//! | `inbox` | takes transactions, commits them, wakes lanes | nothing |
//! | `session` | one actor per user and network | its IRC session, connection, buffers |
//! | `desk` | one lane per user: invitations, commands | nothing |
//! | `delivery` | one lane per room: the outbox, in order | nothing |
//! | `turns` | one queue per network: who may connect when | its governor |
//! | `look_back` | finds what the homeserver has not handed over | nothing |
//! | `ephemera` | passes typing and receipts on, best effort | nothing |
//! | `networks` | knows which networks there are | what the file says, and what was added to it |
//! | `network_memory` | knows what networks said last of themselves | that |
//! | `admission` | knows who may use the bridge | what was added to the configuration |
//! | `defaults` | knows what the file says of settings | nothing |
//! | `bot`, `limits` | how the bot is seen, how much is taken on | what was set beside the configuration |
//! | `rooms`, `ghosts` | make rooms and bring ghosts in | caches only |
//! | `spaces` | one lane per session: its network's space | nothing |
//! | `shared` | shared rooms: who comes in, who shows the channel, who has which power | who is in them |
//! | `usher` | brings in who is in a channel and silent | a queue of rooms |
//! | `metrics` | counts | what it has counted |
//! | `presence` | shows who of IRC is online or away | what the homeserver was told |
//! | `ranks` | one lane per room: operators' ranks before their names | which rooms show them |
//! | `renewal` | rooms that the homeserver no longer has | nothing |
//! | `upgrades` | rooms that were replaced | nothing |
//!
//! State that must outlive the process is in the store; what lies between tasks are wake-ups, which may be lost
//! and repeated, since whoever wakes looks into the store.

mod administration;
mod admission;
mod bot;
mod bridge_info;
mod closing;
mod content;
mod defaults;
mod delivery;
mod desk;
mod ephemera;
mod ghost_names;
mod ghosts;
pub mod greeting;
mod handover;
mod inbox;
mod invitations;
mod lanes;
mod leaving;
mod limits;
mod look_back;
mod lookups;
pub mod metrics;
mod network_memory;
mod networks;
mod outcome;
mod pause;
mod policy;
mod presence;
mod puppets;
mod questions;
mod ranks;
mod renewal;
mod rooms;
mod session;
mod session_limits;
mod sessions;
mod shared;
mod shelf;
mod spaces;
mod turns;
mod upgrades;
mod upkeep;
mod usher;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::irc::channels::NickPool;
use crate::irc::ident::Ident;
use crate::irc::tls::TlsSetups;
use crate::matrix::Client;
use crate::matrix::ephemeral::Ephemeral;
use crate::names::split_address;
use crate::store::{RoomKind, Store, StoreError};
use crate::web::pictures::Pictures;

pub use crate::irc::charset::{Charset, InvalidCharset};
pub use crate::irc::governor::InQueue;
pub use crate::irc::ignores::{IgnoreList, Ignored};
pub use administration::Census;
pub use admission::{InvalidMask, Mask, Permitted};
pub use bot::BOT_NAME;
pub use desk::{Answer, Call, Console, End, MOST_LISTED, PREFIX, Place, Progress};
pub use limits::LimitOrigin;
pub use networks::{Changes, Known, Networks, NewServer, Removal, Source};
pub use outcome::{Outcome, Refusal};
pub use policy::Exclusion;
pub use presence::{Shown, ShownPerson};
pub use rooms::Homeserver;
pub use session::{
    Authority, AutoCommands, BanTime, CertificateRequest, Change, ChannelRequest, ChannelRules,
    CharsetChange, Entrance, Highlights, Leaving, ListKind, ListRequest, LoginMethod, LoginRequest,
    LookRequest, Manners, MembersRequest, Origin, OwnRoom, ProfileRequest, Ranked, Request, SayRequest,
    Service, ServiceAddress, SessionHandle, SessionState, SharedRequest, StandingRequest, Status, Welcome,
    WishChange, enters_or_leaves,
};
pub use shared::{Asking, Plumbed, removal};

use ghosts::Ghosts;
use lanes::Lanes;

/// Invitations, joins and leaves that may be under way at once, so that they leave room for messages.
const MEMBERSHIP_BUDGET: usize = 4;

/// What the bridge is made of.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// The open store.
    pub store: Store,
    /// The homeserver, as the bot and as ghosts.
    pub client: Client,
    /// The homeserver, as its own users; nothing where there is no double puppeting.
    pub puppets: Option<Client>,
    /// What the homeserver is like.
    pub homeserver: Homeserver,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who answers commands.
    pub console: Arc<dyn Console>,
}

/// A handle on the bridge; clones share it.
#[derive(Clone)]
pub struct Bridge(Arc<Shared>);

impl Deref for Bridge {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What all parts of the bridge see.
pub struct Shared {
    /// The configuration, as it was at the start: of what can change when it is read anew, others know more.
    pub config: Config,
    /// The store.
    pub store: Store,
    pub(crate) client: Client,
    puppets: Option<Client>,
    pub(crate) clock: Arc<dyn Clock>,
    homeserver: Homeserver,
    console: Arc<dyn Console>,
    tls: Mutex<TlsSetups>,
    admission: admission::Admission,
    policy: policy::Policy,
    /// All networks.
    pub networks: Networks,
    appearance: bot::Appearance,
    limits: limits::RunningLimits,
    defaults: defaults::Defaults,
    /// The nicks of each network, which its sessions share.
    nicks: Mutex<HashMap<String, NickPool>>,
    gates: turns::Gates,
    /// What networks have said of themselves.
    memory: network_memory::NetworkMemory,
    /// Which nick a display name has given to whom.
    first_nicks: session::FirstNicks,
    /// Who has which user name on IRC.
    usernames: session::Usernames,
    /// Which IRC connection is whose.
    ident: Ident,
    ghosts: Ghosts,
    standings: ghost_names::Standings,
    asked_for: Mutex<inbox::AskedFor>,
    /// Shared rooms that were asked for.
    wanted_aliases: shared::Wanted,
    /// Who shows the channels of shared rooms.
    watches: shared::Watches,
    plumber: shared::Plumber,
    relayed_names: shared::RelayedNames,
    /// Since which line people are in rooms.
    arrivals: shared::Arrivals,
    /// A room was made.
    rooms_made: Notify,
    lobbies: Mutex<HashMap<String, Arc<tokio::sync::OnceCell<String>>>>,
    membership_budget: Semaphore,
    /// How fast memberships change in the background.
    pace: usher::Pace,
    usher: usher::Usher,
    presence: presence::Presence,
    tally: metrics::Tally,
    sessions: Mutex<BTreeMap<i64, SessionHandle>>,
    /// Held while a session starts, so that none starts twice: the port is open before all are started. Also while the
    /// networks change, so that none starts on one that goes.
    starting: tokio::sync::Mutex<()>,
    heads: delivery::Heads<crate::store::Look>,
    deliveries: Lanes<i64>,
    departures: Lanes<i64>,
    /// Who has names show ranks.
    ranks: Lanes<i64>,
    ranked_rooms: ranks::RankedRooms,
    /// Who has shared rooms follow their channels' ranks and modes.
    authorities: Lanes<i64>,
    enacted: shared::Enacted,
    desks: Lanes<String>,
    turns: desk::Turns,
    receipts: Lanes<i64>,
    /// The spaces of sessions.
    spaces: Lanes<i64>,
    /// Who has the rooms of sessions ring.
    ringing: Lanes<i64>,
    /// What is wanted on entering a channel, by its buffer.
    joinings: Lanes<i64>,
    /// Rooms that are to ring otherwise, and their buffers, by session.
    to_ring: Mutex<HashMap<i64, BTreeMap<String, i64>>>,
    /// The event up to which each room is settled, until the homeserver knows.
    settled: Mutex<HashMap<i64, (String, String)>>,
    /// What is being sent, to be confirmed by its echo.
    attempts: delivery::Attempts,
    /// Who tells about requests that were refused.
    tellers: Lanes<delivery::RefusalKey>,
    /// How full the rooms' outboxes are.
    load: delivery::Load,
    /// Rooms whose first requests may have been carried out although nothing was stored about that.
    unsure: Mutex<HashSet<i64>>,
    /// Rooms that may exist although nothing was stored about that.
    perhaps_made: Mutex<HashSet<i64>>,
    /// Rooms where departures wait until the room's requests are through.
    postponed: Mutex<HashSet<i64>>,
    /// What passes, on its way to the sessions.
    ephemera: mpsc::Sender<Ephemeral>,
    /// The other end, until somebody passes it on.
    passing: Mutex<Option<mpsc::Receiver<Ephemeral>>>,
    /// The homeserver has told of somebody's presence.
    tells_presence: AtomicBool,
    typing_budget: Arc<Semaphore>,
    no_links: session::NoLinks,
    pictures: Pictures,
    /// Nobody connects anew, since maintenance is near.
    draining: watch::Sender<bool>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Bridge {
    /// Puts the parts together. Nothing runs until [`Bridge::start`].
    pub fn new(parts: Parts) -> Self {
        let Parts { config, store, client, puppets, homeserver, clock, console } = parts;
        let pictures = Pictures::new(config.pictures.largest, config.pictures.allow_private);
        let admission = admission::Admission::new(config.permissions.clone());
        let networks = Networks::new(&config);
        let tally = metrics::Tally::new(clock.unix_ms());
        let pace = usher::Pace::new(config.limits.membership_calls);
        let limits = limits::RunningLimits::new(&config);
        let defaults = defaults::Defaults::new(&config);
        let username = config.templates.username.clone();
        let arrivals = shared::Arrivals::new(store.next_line());
        let (ephemera, passing) = mpsc::channel(ephemera::MOST_WAITING);
        Self(Arc::new(Shared {
            config,
            store,
            client,
            puppets,
            clock,
            homeserver,
            console,
            tls: Mutex::default(),
            admission,
            policy: policy::Policy::default(),
            networks,
            appearance: bot::Appearance::default(),
            limits,
            defaults,
            nicks: Mutex::default(),
            gates: turns::Gates::default(),
            memory: network_memory::NetworkMemory::default(),
            first_nicks: session::FirstNicks::default(),
            usernames: session::Usernames::new(username),
            ident: Ident::default(),
            ghosts: Ghosts::default(),
            standings: ghost_names::Standings::default(),
            asked_for: Mutex::default(),
            wanted_aliases: shared::Wanted::default(),
            watches: shared::Watches::default(),
            plumber: shared::Plumber::default(),
            relayed_names: shared::RelayedNames::default(),
            arrivals,
            rooms_made: Notify::new(),
            lobbies: Mutex::default(),
            membership_budget: Semaphore::new(MEMBERSHIP_BUDGET),
            pace,
            usher: usher::Usher::default(),
            presence: presence::Presence::default(),
            tally,
            sessions: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            heads: delivery::Heads::default(),
            deliveries: Lanes::default(),
            departures: Lanes::default(),
            ranks: Lanes::default(),
            ranked_rooms: ranks::RankedRooms::default(),
            authorities: Lanes::default(),
            enacted: shared::Enacted::default(),
            desks: Lanes::default(),
            turns: desk::Turns::default(),
            receipts: Lanes::default(),
            spaces: Lanes::default(),
            ringing: Lanes::default(),
            joinings: Lanes::default(),
            to_ring: Mutex::default(),
            settled: Mutex::default(),
            attempts: delivery::Attempts::default(),
            tellers: Lanes::default(),
            load: delivery::Load::default(),
            unsure: Mutex::default(),
            perhaps_made: Mutex::default(),
            postponed: Mutex::default(),
            ephemera,
            passing: Mutex::new(Some(passing)),
            tells_presence: AtomicBool::default(),
            typing_budget: Arc::new(Semaphore::new(ephemera::TYPING_BUDGET)),
            no_links: session::NoLinks::default(),
            pictures,
            draining: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Starts every session and takes up what was left in the queues.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.load_permissions().await?;
        self.load_policies().await?;
        self.load_networks().await?;
        self.load_network_memory().await?;
        self.load_limits().await?;
        self.load_ranks().await?;
        self.load_holes().await?;
        self.note_several().await?;
        self.load_replaced().await?;
        self.show_bot().await?;
        let waiting = self.store.rooms_with_requests().await?;
        let folds = self.store.rooms_with_folds().await?;
        self.load.begin(&waiting, &folds);
        let rooms: Vec<i64> = waiting.into_iter().map(|(room, _)| room).collect();
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner).extend(&rooms);
        let mut unmade = Vec::new();
        for room in self.store.unmade_rooms().await? {
            // A lobby is made by the first who needs it, and nothing waits for it by itself.
            if room.kind()? != RoomKind::Lobby {
                unmade.push(room.id);
            }
        }
        self.perhaps_made.lock().unwrap_or_else(PoisonError::into_inner).extend(&unmade);
        for session in self.store.open_sessions().await? {
            match self.start_session(session.clone()).await {
                Ok(_) => {}
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                // One row that can't be read keeps nobody else from theirs.
                Err(error) => {
                    let reason = error.to_string();
                    tracing::error!(session = session.id, %reason, "a session could not be started; it is tried again");
                    let again = session::supervision::start_anew(self.clone(), session, reason, 0);
                    self.tasks.spawn(again);
                }
            }
        }
        rooms.into_iter().chain(folds).chain(unmade).for_each(|room| self.wake_delivery(room));
        for room in self.store.rooms_with_departures().await? {
            self.wake_departures(room);
        }
        self.take_up_errands().await?;
        for lane in self.store.waiting_lanes().await? {
            self.wake_lane(&lane);
        }
        let passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(passing) = passing {
            self.tasks.spawn(self.clone().pass_on_ephemera(passing));
        }
        self.start_ushers();
        self.tasks.spawn(self.clone().keep_presence());
        self.tasks.spawn(self.clone().index_history());
        if self.store.has_older_keys() {
            self.tasks.spawn(self.clone().reseal());
        }
        self.scrub_history();
        self.tasks.spawn(self.clone().tidy_daily());
        self.tasks.spawn(self.clone().keep_looking_back());
        self.tasks.spawn(self.clone().keep_shared_rooms());
        self.tasks.spawn(self.clone().keep_listening());
        self.take_up_mappings(None);
        self.tasks.spawn(self.clone().keep_policies());
        self.tasks.spawn(self.clone().watch_for_suspension());
        Ok(())
    }

    /// Stops: each session says QUIT, workers end after the request that is under way. Waits for them, no longer
    /// than `limit`.
    pub async fn stop(&self, limit: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time; it goes on after the next start");
        }
    }

    /// Everything begins to stop when this is dropped, at the latest; nobody waits for it.
    pub fn stop_with(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    /// Asks the homeserver to call, which makes it deliver what it has kept, and says so where it can't.
    pub fn ask_for_queue(&self, registration: &str) {
        let (bridge, registration) = (self.clone(), registration.to_owned());
        self.tasks.spawn(async move {
            match bridge.client.ping(&registration).await {
                Ok(time) => tracing::info!(?time, "the homeserver reaches towline"),
                // Dendrite has no ping.
                Err(error) if error.is("M_UNRECOGNIZED") => {}
                Err(error) => {
                    tracing::warn!(%error, "the homeserver can't reach towline: `towline check` tells more");
                }
            }
        });
    }

    /// Answers IRC servers that ask whose connection it is, until the bridge stops.
    pub fn answer_ident(&self, listener: tokio::net::TcpListener) {
        let serving = self.ident.clone().serve(listener);
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(serving));
    }

    /// Resolves when the bridge begins to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Notices when the machine was suspended: connections may be dead, and their timers have stood still.
    async fn watch_for_suspension(self) {
        const EACH: Duration = Duration::from_secs(10);
        const MOST_DRIFT: i64 = 15_000;
        let mut last = (self.clock.now(), self.clock.unix_ms());
        loop {
            tokio::select! {
                () = tokio::time::sleep(EACH) => {}
                () = self.stop.cancelled() => return,
            }
            let now = (self.clock.now(), self.clock.unix_ms());
            let awake =
                i64::try_from(now.0.saturating_duration_since(last.0).as_millis()).unwrap_or(i64::MAX);
            if now.1.saturating_sub(last.1).saturating_sub(awake) >= MOST_DRIFT {
                tracing::info!("the machine was suspended, or its clock was set: all connections are tried");
                self.sessions(None).iter().for_each(SessionHandle::probe);
            }
            last = now;
        }
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// The name that people see of a network, by its short name or by the address of a session there: `Libera.Chat`, or
    /// `Libera.Chat (work)`.
    pub(crate) fn network_name(&self, address: &str) -> String {
        let (slug, session_name) = split_address(address);
        let known = self.networks.get(slug);
        let name = known.map_or_else(|| slug.to_owned(), |known| known.network.name.clone());
        if session_name.is_empty() { name } else { format!("{name} ({session_name})") }
    }

    /// Where the nicks of a network's channels are kept.
    fn nick_pool(&self, network: &str) -> NickPool {
        let mut pools = self.nicks.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(network.to_owned()).or_default().clone()
    }

    fn wake_delivery(&self, room: i64) {
        let bridge = self.clone();
        self.deliveries.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().deliver(room));
    }

    fn wake_departures(&self, room: i64) {
        let bridge = self.clone();
        self.departures.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().see_off(room));
    }

    /// Somebody should look at what waits in this lane of the inbox.
    fn wake_lane(&self, lane: &str) {
        match lane.split_once('/') {
            Some(("session", id)) => {
                if let Some(session) = id.parse().ok().and_then(|id| self.session(id)) {
                    session.wake();
                }
            }
            _ => {
                let bridge = self.clone();
                self.desks
                    .wake(&self.tasks, &self.stop, lane.to_owned(), move |lane| bridge.clone().attend(lane));
            }
        }
    }
}
