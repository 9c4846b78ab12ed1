//! The store: everything that outlives the process, in SQLite or PostgreSQL.
//!
//! One set of statements serves both engines (`$1` placeholders, a portable subset of SQL); `pool` holds the enum
//! and the macro that dispatches. Every write goes through the one task in `writer`, which commits what has
//! gathered while the last commit was under way: one `fsync` for many writers, and a total order of commits.
//! Reads have connections of their own.
//!
//! What it is not: it knows no IRC and no Matrix beyond their identifiers. Payloads and secrets are sealed
//! (`seal`) before they reach a table.

mod activity;
mod announced;
mod belongings;
mod buffers;
mod errands;
mod error;
mod gaps;
mod ghosts;
mod history;
mod inbox;
mod lines;
mod lock;
mod look_back;
mod members;
mod networks;
mod outbox;
mod pieces;
#[cfg(test)]
mod plans;
mod plumbing;
mod policies;
mod pool;
mod prompts;
mod published;
mod questions;
mod queues;
mod ranks;
mod reactions;
mod readers;
mod relays;
mod replaced;
mod reseal;
mod rooms;
mod said;
mod seal;
mod sessions;
pub mod settings;
mod shared;
mod snapshot;
mod spaces;
mod speed;
mod sqlite;
mod sts;
mod tally;
mod timed_bans;
pub mod transfer;
mod tx;
mod vacuum;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

pub use activity::Lurker;
pub use announced::Announced;
pub use belongings::GoneSession;
pub use buffers::{Buffer, BufferKind, Heir, NewBuffer, OwnBuffer, Part, Whereabouts, Whose};
pub use errands::Errand;
pub use error::{Lost, OpenError, StoreError};
pub use gaps::Gaps;
pub use ghosts::{Ghost, NewGhost};
pub use history::{
    Direction, HistoryLine, Hit, Hits, Imported, KeptLine, MembersLine, Retention, Search, SearchScope,
    SentLine, Told,
};
pub use inbox::{InboxEvent, NewEvent, SHARED, STRAY, Stretch, relay_lane};
pub use lines::{LineKey, LineState, NewLine, Outgoing, StoredLine, Unkept};
pub use look_back::RoomToLookThrough;
pub use members::{Departure, Member};
pub use networks::{AddedNetwork, Adding, NewNetwork};
pub use outbox::{
    AT_ONCE, Committed, Folded, Folding, Incoming, Look, NewOutbox, Outbox, OutboxKind, Refused, Untold,
};
pub use plumbing::{Agreement, NewPlumbing, Outsider, PlumbedBy, Plumbing};
pub use policies::PolicyRule;
pub use prompts::{Fates, Hourglass, NewPrompt, Prompt, PromptState};
pub use published::{NewPublished, Published, PublishedKind};
pub use questions::{NewQuestion, Question};
pub use queues::{Queue, Queues};
pub use ranks::RankedGhost;
pub use reactions::{NewReaction, StoredReaction};
pub use relays::Relay;
pub use reseal::Resealed;
pub use rooms::{Link, Moved, NewRoom, RoomKind, RoomRow};
pub use said::Became;
pub use seal::SecretKey;
pub use sessions::{SessionRow, User};
pub use shared::{Delivered, Holder, Renewed};
pub use spaces::{Space, SpaceRoom};
pub use speed::commit_time;
pub use tally::Tally;
pub use timed_bans::{BanChange, TimedBan};
pub use vacuum::{Vacuumed, vacuum};
pub use writer::Ticket;

use lock::InstanceLock;
use pool::Pool;
use seal::Sealer;
use writer::Writer;

/// The row of `instance` that tells whether a key is the database's own, and what it says.
const PROBE_KEY: &str = "key_probe";
const PROBE: &[u8] = b"towline";

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite:///path` or `postgres://…`.
    pub url: SecretString,
    /// The key that seals payloads and secrets.
    pub key: SecretKey,
    /// Where the lock file lies for SQLite; beside the database when `None`.
    pub lock: Option<PathBuf>,
}

/// A handle on the open database; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    readers: Pool,
    writer: Writer,
    sealer: Sealer,
    keeper: Arc<history::Keeper>,
    lock: InstanceLock,
    tally: Arc<Tally>,
}

impl Store {
    /// Opens the database: takes the single-process lock, brings the schema up to date and proves the secret key.
    ///
    /// # Errors
    /// [`OpenError`] says which of these failed, in words for the administrator.
    pub async fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        let sealer = Sealer::new(&options.key);
        let lock = InstanceLock::take(&options.url, options.lock.as_deref()).await?;
        let (readers, writing) = pool::open(&options.url).await?;
        writing.migrate().await?;
        let (tally, keeper) = (Arc::<Tally>::default(), Arc::default());
        let writer = Writer::start(writing, Arc::clone(&tally))?;
        let store = Self { shared: Arc::new(Shared { readers, writer, sealer, keeper, lock, tally }) };
        store.prove_key().await?;
        store.begin_history().await?;
        Ok(store)
    }

    /// Opens the database to read only, also while another process has it. What is written fails.
    ///
    /// # Errors
    /// As [`Store::open`]; a schema that is older is as wrong as one that is newer, since nothing may be changed.
    pub async fn open_to_read(options: &StoreOptions) -> Result<Self, OpenError> {
        let sealer = Sealer::new(&options.key);
        let readers = pool::open_to_read(&options.url).await?;
        readers.check_schema().await?;
        let (writer, keeper, lock) = (Writer::closed(), Arc::default(), InstanceLock::Nothing);
        let tally = Arc::default();
        Ok(Self { shared: Arc::new(Shared { readers, writer, sealer, keeper, lock, tally }) })
    }

    /// Waits until the store is of no use to this process any more: its lock is lost, which SQLite's file lock can't be, or
    /// nothing can be written. Also after [`Store::close`].
    pub async fn lost(&self) -> Lost {
        tokio::select! {
            () = self.shared.lock.lost() => Lost::Lock,
            () = self.shared.writer.ended() => Lost::Writer,
        }
    }

    /// Whether the database answers, within some seconds.
    pub async fn is_reachable(&self) -> bool {
        const SQL: &str = "SELECT value FROM instance WHERE key = $1";
        const PATIENCE: Duration = Duration::from_secs(5);
        let asked = async {
            let found: sqlx::Result<Option<Vec<u8>>> =
                pool::on_apart!(self.readers(), |p| sqlx::query_scalar(SQL)
                    .bind(PROBE_KEY)
                    .fetch_optional(p));
            found.is_ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(false)
    }

    /// Whether the key is the one that the database was made with.
    pub async fn is_of_this_key(&self) -> Result<bool, StoreError> {
        self.is_proved_to(self.sealer()).await
    }

    async fn is_proved_to(&self, sealer: &Sealer) -> Result<bool, StoreError> {
        let Some(sealed) = self.instance_value(PROBE_KEY).await? else { return Ok(true) };
        Ok(sealer.open(&sealed, &format!("instance:{PROBE_KEY}")).is_ok_and(|text| text == PROBE))
    }

    /// Finishes what is queued, closes all connections and lets the next instance in.
    pub async fn close(&self) {
        self.shared.writer.close().await;
        self.shared.readers.close().await;
        self.shared.lock.release().await;
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.shared.sealer
    }

    fn keeper(&self) -> &Arc<history::Keeper> {
        &self.shared.keeper
    }

    fn readers(&self) -> &Pool {
        &self.shared.readers
    }

    async fn prove_key(&self) -> Result<(), OpenError> {
        if !self.is_of_this_key().await? {
            return Err(OpenError::WrongKey);
        }
        if self.instance_value(PROBE_KEY).await?.is_none() {
            let sealed = self.sealed_proof();
            self.write(move |tx| {
                Box::pin(async move {
                    const SQL: &str = "INSERT INTO instance (key, value) VALUES ($1, $2)";
                    pool::later!(tx, SQL, PROBE_KEY, sealed)?;
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }

    fn sealed_proof(&self) -> Vec<u8> {
        self.sealer().seal(PROBE, &format!("instance:{PROBE_KEY}"))
    }

    /// Whether the key of this number has sealed what proves the key.
    async fn is_proved_by(&self, number: u8) -> Result<bool, StoreError> {
        let sealed = self.instance_value(PROBE_KEY).await?;
        Ok(sealed.is_none_or(|sealed| sealed.first() == Some(&number)))
    }

    async fn instance_value(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "SELECT value FROM instance WHERE key = $1";
        Ok(pool::on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(key).fetch_optional(p).await)?)
    }
}
