//! `towline run`: opens the store, waits for the homeserver, starts the bridge, and stops it when it is told to.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::registration::differences;
use super::reload::Reloading;
use super::waiting::Waiting;
use super::{CliError, log, metrics, systemd};
use crate::bridge::{Bridge, Homeserver, Parts};
use crate::clock::{Clock, SystemClock};
use crate::commands::Commands;
use crate::config::{Config, Database, Media, secret};
use crate::matrix::double_puppet::DoublePuppet;
use crate::matrix::registration::Registration;
use crate::matrix::tokens::HomeserverToken;
use crate::matrix::{self, Client, ClientError};
use crate::store::{OpenError, SecretKey, Store, StoreOptions};
use crate::web;

/// How long the bridge may take to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a homeserver that does not answer at the start is left alone, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs the bridge until it is told to stop.
pub async fn run(config: Config) -> Result<(), CliError> {
    let log = log::start(&config);
    let hangups = signal(SignalKind::hangup()).map_err(anyhow::Error::from)?;
    let reloading = Reloading { hangups, file: config.file.clone(), log };
    let (signals, stop) = tokio::sync::oneshot::channel();
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let listening = tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        let _ = signals.send(());
        // Whoever asks twice means it.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        std::process::exit(i32::from(super::Code::Unexpected.number()));
    });
    // Before anything else: it takes what it finds out of the environment.
    let handed_over = handed_over()?;
    systemd::keep_alive();
    // The lock comes before the port: where another towline runs, that is what there is to say.
    let store = open_store(&config).await?;
    let result = match listen(config.appservice.listen).await {
        Ok(listener) => {
            let stop = async {
                let _ = stop.await;
            };
            let ports = Ports { homeserver: listener, ident: handed_over };
            Box::pin(serve_from(config, ports, &store, Arc::new(SystemClock), Some(reloading), stop)).await
        }
        Err(error) => Err(error),
    };
    close(&store).await;
    listening.abort();
    result
}

/// The open ports.
struct Ports {
    /// Where the homeserver calls.
    homeserver: TcpListener,
    /// Where IRC servers ask, beside `ident.listen`.
    ident: Vec<TcpListener>,
}

/// The sockets that systemd has opened for us, which may have ports that we may not open: those for `ident`.
fn handed_over() -> Result<Vec<TcpListener>, CliError> {
    let mut sockets = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        let unfit = |error: std::io::Error| {
            CliError::Unexpected(anyhow::anyhow!("socket {index} of LISTEN_FDS can't be used: {error}"))
        };
        if let Some(listener) = sockets.take_tcp_listener(index).map_err(unfit)? {
            listener.set_nonblocking(true).map_err(unfit)?;
            listeners.push(TcpListener::from_std(listener).map_err(unfit)?);
        }
    }
    Ok(listeners)
}

/// Opens the port on which IRC servers ask whose connection it is.
async fn listen_for_ident(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::Unexpected(anyhow::anyhow!(
            "can't listen on {address}: {error}. It is ident.listen in the configuration; for a port below 1024 see \
             docs/operations.md"
        ))
    })
}

/// Opens the port on which files and long texts are handed out.
async fn listen_for_media(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::Unexpected(anyhow::anyhow!(
            "can't listen on {address}: {error}. It is media.listen in the configuration; does another program listen \
             there?"
        ))
    })
}

/// Opens the port on which the homeserver calls.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::Unexpected(anyhow::anyhow!(
            "can't listen on {address}: {error}. It is appservice.listen in the configuration; does another program \
             listen there?"
        ))
    })
}

/// Runs the bridge on an open port until `stop` resolves, by the clock of the machine or by another.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()>,
) -> Result<(), CliError> {
    let store = open_store(&config).await?;
    let ports = Ports { homeserver: listener, ident: Vec::new() };
    let result = Box::pin(serve_from(config, ports, &store, clock, None, stop)).await;
    close(&store).await;
    result
}

/// The way to speak as users, if the homeserver knows the second registration. Nothing else depends on it.
async fn puppets(config: &Config) -> Result<Option<Client>, CliError> {
    let Some(double_puppet) = &config.double_puppet else { return Ok(None) };
    let http = matrix::http::client().map_err(anyhow::Error::from)?;
    let sender = DoublePuppet::name(&config.appservice.bot);
    let sender = format!("@{sender}:{}", config.homeserver.domain);
    let client = Client::new(http, &config.homeserver.url, double_puppet.as_token.clone(), &sender)
        .map_err(|error| CliError::Unexpected(error.into()))?;
    let mut pause = FIRST_PAUSE;
    loop {
        match client.whoami().await {
            Ok(known) if known == sender => return Ok(Some(client)),
            Ok(known) => {
                tracing::error!(%known, "no double puppeting: its registration is another's");
                return Ok(None);
            }
            // That says nothing about the registration, and the homeserver was there just now.
            Err(error) if error.is_temporary() => {
                tracing::warn!(%error, "double puppeting waits for the homeserver");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                let file = double_puppet.registration_file.display();
                tracing::error!(%error, "no double puppeting: has the homeserver been given {file}?");
                return Ok(None);
            }
        }
    }
}

/// Closes the store. A database that does not answer keeps the process no longer than this: what could not be committed
/// was promised to nobody, and where the lock is lost another process may run already.
async fn close(store: &Store) {
    const LIMIT: Duration = Duration::from_secs(5);
    if tokio::time::timeout(LIMIT, store.close()).await.is_err() {
        tracing::warn!("the database could not be closed in time");
    }
}

async fn serve_from(
    config: Config,
    ports: Ports,
    store: &Store,
    clock: Arc<dyn Clock>,
    reloading: Option<Reloading>,
    stop: impl Future<Output = ()>,
) -> Result<(), CliError> {
    tokio::pin!(stop);
    // With what loses this race the bridge stops at once: another process may have its sessions already.
    tokio::select! {
        result = serve_with(config, ports, store, clock, reloading, &mut stop) => result,
        lost = store.lost() => Err(CliError::Database(lost.to_string())),
    }
}

async fn serve_with(
    config: Config,
    mut ports: Ports,
    store: &Store,
    clock: Arc<dyn Clock>,
    reloading: Option<Reloading>,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<(), CliError> {
    compare_registration(&config);
    if let Some(address) = config.ident {
        ports.ident.push(listen_for_ident(address).await?);
    }
    let web = match &config.media {
        Some(media) => Some((listen_for_media(media.listen).await?, media.into())),
        None => None,
    };
    let metrics = match config.metrics {
        Some(address) => Some(metrics::listen(address).await?),
        None => None,
    };
    let http = matrix::http::client().map_err(anyhow::Error::from)?;
    let token = config.appservice.as_token.clone();
    let client = Client::new(http, &config.homeserver.url, token, &config.bot_id())
        .map_err(|error| CliError::Unexpected(error.into()))?;
    if let Some((own, _)) = &config.appservice.previous {
        client.add_token(own.clone());
    }
    let homeserver = tokio::select! {
        homeserver = meet_homeserver(&config, &client, &ports.homeserver) => homeserver?,
        () = &mut *stop => return Ok(()),
    };
    let puppets = tokio::select! {
        puppets = puppets(&config) => puppets?,
        () = &mut *stop => return Ok(()),
    };
    let previous = config.appservice.previous.as_ref().map(|(_, theirs)| theirs.clone());
    let hs_token = HomeserverToken::new(config.appservice.hs_token.clone(), previous);
    let id = config.appservice.id.clone();
    let bridge = Bridge::new(Parts {
        config,
        store: store.clone(),
        client,
        puppets,
        homeserver,
        clock,
        console: Arc::new(Commands::default()),
    });
    let _stops_with_this = bridge.stop_with();
    let Ports { homeserver: listener, ident } = ports;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    ident.into_iter().for_each(|listener| bridge.answer_ident(listener));
    // Sessions first: a command that came before them would find none, or open one twice. Calls wait at the port.
    bridge.start().await.map_err(|error| CliError::Database(error.to_string()))?;
    let server = tokio::spawn(answer(listener, bridge.clone(), hs_token.clone()));
    let web = web.map(|(listener, options)| tokio::spawn(hand_out(listener, bridge.clone(), options)));
    let metrics = metrics.map(|listener| tokio::spawn(metrics::serve(listener, bridge.clone())));
    tracing::info!(%address, "towline is running");
    let status = format!("running at {address}");
    systemd::ready(&status);
    let reloading =
        reloading.map(|reloading| tokio::spawn(reloading.listen(bridge.clone(), hs_token, status)));
    bridge.ask_for_queue(&id);
    stop.await;
    tracing::info!("stopping");
    systemd::stopping();
    bridge.stop(FAREWELL).await;
    server.abort();
    for task in [web, metrics, reloading].into_iter().flatten() {
        task.abort();
    }
    Ok(())
}

/// Says where the registration does not claim what the configuration wants: the homeserver would never ask us about it, and
/// nobody would learn why. What counts is what the homeserver has, so nothing is refused for that.
fn compare_registration(config: &Config) {
    let file = config.appservice.registration_file.display();
    // Where the tokens are given otherwise there may be none.
    let Ok(text) = std::fs::read_to_string(&config.appservice.registration_file) else { return };
    match Registration::read(&text) {
        Ok(found) => {
            let differences = differences(config, &found);
            if !differences.is_empty() {
                tracing::error!(
                    "{file} and the configuration differ in {}: run `towline registration`, give the file to the homeserver \
                     again and restart the homeserver",
                    differences.join(", ")
                );
            }
        }
        Err(error) => tracing::error!(%error, "{file} is no registration: run `towline registration`"),
    }
}

async fn hand_out(listener: TcpListener, bridge: Bridge, options: web::Options) {
    let stopping = bridge.clone();
    let stopping = async move { stopping.stopping().await };
    web::serve(listener, Arc::new(bridge), options, stopping).await;
}

/// What the port for files may do.
impl From<&Media> for web::Options {
    fn from(media: &Media) -> Self {
        Self { prefix: media.prefix().to_owned(), largest: media.largest, parallel: media.parallel }
    }
}

async fn answer(listener: TcpListener, bridge: Bridge, hs_token: HomeserverToken) {
    let largest_body = bridge.config.limits.inbox_body;
    let router = matrix::server::router(Arc::new(bridge.clone()), hs_token, largest_body);
    let stopping = async move { bridge.stopping().await };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopping).await {
        tracing::error!(%error, "the port for the homeserver is closed");
    }
}

/// Waits until the homeserver answers and knows us; says so while it does not.
async fn meet_homeserver(
    config: &Config,
    client: &Client,
    port: &TcpListener,
) -> Result<Homeserver, CliError> {
    let mut pause = FIRST_PAUSE;
    let mut waiting: Option<Waiting> = None;
    loop {
        match introduce(config, client).await {
            Ok(homeserver) => {
                if let Some(waiting) = waiting {
                    waiting.end().await;
                }
                return Ok(homeserver);
            }
            Err(error) if error.is_temporary() => {
                if waiting.is_none() {
                    tracing::warn!(%error, url = %config.homeserver.url, "waiting for the homeserver");
                    waiting = Some(Waiting::begin(port).map_err(anyhow::Error::from)?);
                    systemd::ready(&format!("waiting for {}", config.homeserver.url));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) if error.is("M_UNKNOWN_TOKEN") || error.is("M_MISSING_TOKEN") => {
                return Err(CliError::TokenRefused(format!(
                    "{} does not know the as_token: give it {} and restart it; `towline check` tells more",
                    config.homeserver.url,
                    config.appservice.registration_file.display()
                )));
            }
            Err(error) => {
                return Err(CliError::Registration(format!(
                    "{} refuses {}: {error}; `towline check` tells more",
                    config.homeserver.url,
                    config.bot_id()
                )));
            }
        }
    }
}

async fn introduce(config: &Config, client: &Client) -> Result<Homeserver, ClientError> {
    // Some homeservers make the bot with the registration, some when it registers.
    match client.register(&config.appservice.bot).await {
        Ok(()) => {}
        Err(error) if error.is("M_EXCLUSIVE") || error.is("M_FORBIDDEN") => {}
        Err(error) => return Err(error),
    }
    let bot = client.whoami().await?;
    if bot != client.bot() {
        return Err(ClientError::Refused {
            status: 403,
            code: "M_FORBIDDEN".to_owned(),
            message: format!("the token belongs to {bot}"),
        });
    }
    let (room_version, known) = client.room_versions().await?;
    for network in config.networks.values() {
        let wanted = network.shared.room_version.as_ref();
        if let Some(version) = wanted.filter(|version| !known.contains(version)) {
            let slug = network.slug.as_str();
            tracing::error!(
                "networks.{slug}.shared.room_version is {version}, which the homeserver can't make: there are no new \
                 shared rooms on {slug}"
            );
        }
    }
    Ok(Homeserver { room_version })
}

/// Opens the store and takes the lock that keeps every other process out.
pub(super) async fn open_store(config: &Config) -> Result<Store, CliError> {
    Store::open(&store_options(config)?).await.map_err(|error| unopened(error, config))
}

/// Opens the store to read, also while the bridge runs.
pub(super) async fn open_store_to_read(config: &Config) -> Result<Store, CliError> {
    Store::open_to_read(&store_options(config)?).await.map_err(|error| unopened(error, config))
}

pub(super) fn store_options(config: &Config) -> Result<StoreOptions, CliError> {
    let key = secret_key(config)?;
    let url = match &config.database {
        Database::Sqlite { path } => sqlite_url(path).into(),
        Database::Postgres { url } => url.clone(),
    };
    Ok(StoreOptions { url, key, lock: None })
}

/// The key file's content, as the store takes it.
pub(super) fn secret_key(config: &Config) -> Result<SecretKey, CliError> {
    let keys = secret::read_keys(&config.secret_key_file)?;
    Ok(SecretKey::with_older(keys.present, keys.older))
}

pub(super) fn unopened(error: OpenError, config: &Config) -> CliError {
    match error {
        OpenError::Locked => CliError::Locked(error.to_string()),
        OpenError::SchemaNewer { .. } => CliError::SchemaNewer(error.to_string()),
        error => CliError::Database(format!("{error} (database.url is {})", config.database)),
    }
}

/// The URL of a database file. `%` and `?` mean something else in a URL.
fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display().to_string().replace('%', "%25").replace('?', "%3F"))
}

#[cfg(test)]
mod tests {
    use super::sqlite_url;

    #[test]
    fn a_databases_file_may_have_any_name() {
        for name in ["/var/lib/towline/towline.db", "/tmp/100% sure?.db", "/tmp/%41.db"] {
            let options: sqlx::sqlite::SqliteConnectOptions = sqlite_url(name.as_ref()).parse().unwrap();
            assert_eq!(options.get_filename().to_str(), Some(name));
        }
    }
}
