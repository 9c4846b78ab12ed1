//! A real Synapse on SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::process::{Process, command};
use super::{LIMIT, http_client};
use crate::support::ports::free_port;

/// The server name of the rig's homeserver.
pub(crate) const SERVER_NAME: &str = "test.local";

/// A running Synapse.
pub(crate) struct Synapse {
    /// The base URL of its client-server API.
    pub(crate) url: String,
    directory: PathBuf,
    process: Process,
}

/// Where a Synapse will be: known before it runs, because the bridge's registration comes first.
pub(crate) struct Plan {
    port: u16,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self { port: free_port() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Synapse {
    /// Starts one in `directory`, which need not exist, with these registrations.
    pub(crate) async fn start(plan: Plan, directory: &Path, registrations: &[&Path]) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let seed = aws_lc_rs::rand::generate::<[u8; 32]>(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let seed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, seed.expose());
        std::fs::write(directory.join("signing.key"), format!("ed25519 a_rig {seed}\n")).unwrap();
        let config = config(plan.port, directory, registrations);
        // JSON is YAML.
        std::fs::write(directory.join("homeserver.yaml"), format!("{config:#}\n")).unwrap();
        std::fs::write(directory.join("log.yaml"), format!("{:#}\n", log_config())).unwrap();
        let process = spawn(directory);
        let mut synapse = Self { url: plan.url(), directory: directory.into(), process };
        synapse.wait_ready().await;
        synapse
    }

    /// Its configuration, which it reads when it starts.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.directory.join("homeserver.yaml")
    }

    /// Stops it and starts it again; what it stored is still there, what it remembered is not.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Stops it.
    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Starts it again after [`Self::stop`].
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(&self.directory);
        self.wait_ready().await;
    }

    /// The events that it has stored for the bridge and not handed over, by its own table.
    ///
    /// A transaction that Synapse stores in the instant between emptying its queue and marking the bridge as up
    /// again stays there until the next outage. What never reached the bridge is not what the bridge has lost.
    pub(crate) async fn kept_back(&self) -> Vec<String> {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}?mode=ro", self.directory.join("homeserver.db").display());
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let rows: Vec<String> = sqlx::query_scalar("SELECT event_ids FROM application_services_txns")
            .fetch_all(&mut database)
            .await
            .unwrap();
        rows.iter().flat_map(|ids| serde_json::from_str::<Vec<String>>(ids).unwrap()).collect()
    }

    /// Waits until a room is in the directory, or is not.
    pub(crate) async fn wait_published(&self, room: &str, is_published: bool) {
        let client = http_client();
        let url = format!("{}/_matrix/client/v3/directory/list/room/{room}", self.url);
        let wanted = if is_published { "public" } else { "private" };
        let becomes = async {
            loop {
                let answer = client.get(&url).send().await.unwrap().text().await.unwrap();
                if answer.contains(wanted) {
                    return;
                }
                // Synapse tells nobody when that changes.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, becomes).await.unwrap_or_else(|_| panic!("{room} is not {wanted}"));
    }

    async fn wait_ready(&mut self) {
        let client = http_client();
        let url = format!("{}/_matrix/client/versions", self.url);
        let ready = async || client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
        self.process.wait_ready(ready).await;
    }
}

/// The Python that has Synapse: `TOWLINE_SYNAPSE_PYTHON`, or the venv that `scripts/lib.sh` makes.
fn python() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    std::env::var_os("TOWLINE_SYNAPSE_PYTHON").map_or_else(default, Into::into)
}

fn spawn(directory: &Path) -> Process {
    let mut synapse = command(python(), None);
    synapse.args(["-m", "synapse.app.homeserver", "-c"]).arg(directory.join("homeserver.yaml"));
    synapse.current_dir(directory);
    Process::start("Synapse", synapse, &directory.join("synapse.log"))
}

fn config(port: u16, directory: &Path, registrations: &[&Path]) -> serde_json::Value {
    let fast = json!({ "per_second": 100_000, "burst_count": 100_000 });
    json!({
        "server_name": SERVER_NAME,
        "public_baseurl": format!("http://127.0.0.1:{port}/"),
        "listeners": [{
            "port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": false,
            "resources": [{ "names": ["client"], "compress": false }],
        }],
        "database": { "name": "sqlite3", "args": { "database": directory.join("homeserver.db") } },
        "log_config": directory.join("log.yaml"),
        "media_store_path": directory.join("media"),
        "signing_key_path": directory.join("signing.key"),
        "pid_file": directory.join("homeserver.pid"),
        "macaroon_secret_key": "rig", "form_secret": "rig",
        "report_stats": false,
        "serve_server_wellknown": false,
        "trusted_key_servers": [], "suppress_key_server_warning": true,
        "presence": { "enabled": false },
        // Without it nobody publishes a room.
        "room_list_publication_rules": [{ "user_id": super::towline::bot(), "action": "allow" }],
        "enable_registration": true, "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "app_service_config_files": registrations,
        "rc_message": fast, "rc_registration": fast, "rc_admin_redaction": fast,
        "rc_room_creation": fast, "rc_3pid_validation": fast, "rc_joins_per_room": fast,
        "rc_invites": { "per_room": fast, "per_user": fast, "per_issuer": fast },
        "rc_joins": { "local": fast, "remote": fast },
        "rc_login": { "address": fast, "account": fast, "failed_attempts": fast },
    })
}

/// To the standard error, without the hundred background updates of a new database.
fn log_config() -> serde_json::Value {
    json!({
        "version": 1,
        "formatters": { "short": { "format": "%(asctime)s %(levelname)s %(name)s: %(message)s" } },
        "handlers": { "console": { "class": "logging.StreamHandler", "formatter": "short" } },
        "loggers": { "synapse.storage": { "level": "WARNING" }, "synapse.util": { "level": "WARNING" } },
        "root": { "level": "INFO", "handlers": ["console"] },
        "disable_existing_loggers": false,
    })
}
