//! How a session's actor begins: with what the store knows of it, or not at all, where nobody may run it.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};

use super::super::Bridge;
use super::asides::Reacting;
use super::auto_away::AutoAway;
use super::buffers::Buffers;
use super::catch_up::CatchingUp;
use super::consent::Consents;
use super::declined::{self, Declined};
use super::gaps::Heard;
use super::inquiries::Questions;
use super::instead::Instead;
use super::invitations::Invitations;
use super::link::Wish;
use super::moderation::TimedBans;
use super::monitor::Monitored;
use super::netsplit::Netsplits;
use super::news::News;
use super::outbound::Outbound;
use super::pace::Learnt;
use super::strangers::Newcomers;
use super::typing::Typists;
use super::{
    ASKS, Actor, Manners, PASSING, REQUESTS, SessionHandle, SessionState, Status, attachments, attendance,
    network_room, pictures, ringing, seed, supervision,
};
use crate::config::{Network, Permission};
use crate::irc::backoff::Backoff;
use crate::names::CaseMap;
use crate::store::settings::{self, Scope};
use crate::store::{Incoming, SessionRow, StoreError};

/// The network of a session that may run, or why it may not.
fn network_of(bridge: &Bridge, row: &SessionRow) -> Result<Network, String> {
    if bridge.permission_of(&row.user_id) == Permission::None {
        return Err(match bridge.exclusion_of(&row.user_id) {
            Some(why) => format!("{} is {why}", row.user_id),
            None => format!("{} has no permission to use the bridge any more", row.user_id),
        });
    }
    let known = bridge.networks.get(&row.network).filter(|known| known.is_for(row.user));
    let known = known.ok_or_else(|| format!("{} is none of this bridge's networks any more", row.network))?;
    bridge.admits(&known)?;
    Ok(known.network.clone())
}

/// What rooms that are shared with others say of somebody whose session does not run.
fn out_for(bridge: &Bridge, user_id: &str) -> String {
    match bridge.exclusion_of(user_id) {
        Some(why) => format!("{user_id} is {why}."),
        None => "They do not use this network here any more.".to_owned(),
    }
}

impl Bridge {
    /// Whether a session may run.
    pub(in crate::bridge) fn may_run(&self, row: &SessionRow) -> bool {
        network_of(self, row).is_ok()
    }
}

/// Starts the actor of a session, which has failed so often.
pub(in crate::bridge) async fn start(
    bridge: &Bridge,
    row: SessionRow,
    failures: u32,
) -> Result<SessionHandle, StoreError> {
    let (requests, mailbox) = mpsc::channel(REQUESTS);
    let (passing, passes) = mpsc::channel(PASSING);
    let (arrivals, asks) = mpsc::channel(ASKS);
    let wake = Arc::new(Notify::new());
    let (status, observed) = watch::channel(Status::default());
    let handle = SessionHandle {
        row: row.clone(),
        requests,
        passing,
        arrivals,
        wake: Arc::clone(&wake),
        status: observed,
    };
    let network = match network_of(bridge, &row) {
        Ok(network) => network,
        Err(reason) => {
            tracing::warn!(session = row.id, %reason, "a session does not run");
            let (state, told) = (SessionState::Stuck, Some(reason.clone()));
            status.send_replace(Status { state, reason: told, ..Status::default() });
            let (session, own, lane) = (row.id, bridge.clone(), format!("session/{}", row.id));
            let is_out_for = out_for(bridge, &row.user_id);
            let declined = Declined { bridge: own, lane, reason, is_out_for, session, wake, asks, status };
            bridge.tasks.spawn(declined::decline(declined));
            return Ok(handle);
        }
    };
    let store = &bridge.store;
    let epoch = store.claim_session(row.id, bridge.client.bot()).await?;
    let buffers = Buffers::load(bridge, &row).await?;
    let manners = Manners::load(bridge, row.user, row.id, &row.network).await?;
    let named = store.setting(&settings::NETWORK_NAME, Scope::Session, row.id).await?;
    let monitored = store.setting(&settings::MONITORED, Scope::Session, row.id).await?;
    let mut actor = Actor {
        bridge: bridge.clone(),
        epoch,
        lane: format!("session/{}", row.id),
        network_room: network_room::intend(bridge, &row).await?.id,
        buffers,
        ghosts: CaseMap::default(),
        standings: CaseMap::default(),
        link: None,
        dialing: None,
        wish: Wish::new(bridge.clock.now()),
        backoff: Backoff::new(seed()),
        retry_at: row.connect.then(|| bridge.clock.now()),
        next_server: 0,
        prefers_trusted: false,
        upgrade: None,
        last_reason: None,
        last_named: named.map(|value| value.text().to_owned()),
        told: Vec::new(),
        stuck: false,
        must_reload: false,
        incoming: Incoming::default(),
        heard: Heard::default(),
        catching_up: CatchingUp::since(store.seen_at(row.id).await?),
        netsplits: Netsplits::default(),
        news: News::default(),
        invitations: Invitations::default(),
        newcomers: Newcomers::default(),
        ringing: ringing::Explained::default(),
        gone: Vec::new(),
        whois: None,
        nick_losses: 0,
        nick_had: None,
        display: String::new(),
        learnt: Learnt::load(store, row.id).await?,
        tally: bridge.network_tally(&row.network),
        manners,
        no_links: attachments::Hint::default(),
        pictures: pictures::Found::default(),
        server_text: Vec::new(),
        outbound: Outbound::default(),
        questions: Questions::default(),
        monitored: Monitored::stored(monitored.as_ref().map_or("", settings::Value::text)),
        timed_bans: TimedBans::stored(store.timed_bans(row.id).await?),
        auto_away: AutoAway::load(store, row.id).await?,
        whereabouts: None,
        typists: Typists::default(),
        reacting: Reacting::default(),
        consents: Consents::default(),
        instead: Instead::load(bridge, &row).await?,
        requests: mailbox,
        passing: passes,
        asks,
        thin_at: bridge.clock.now() + attendance::FIRST_THINNING,
        wake,
        status,
        network,
        row,
    };
    actor.take_up_lines().await?;
    for place in 0..actor.buffers.len() {
        actor.refill(place).await?;
    }
    // The room comes into being with the session, not with its first line.
    bridge.wake_delivery(actor.network_room);
    bridge.tasks.spawn(supervision::supervise(actor, failures));
    Ok(handle)
}
