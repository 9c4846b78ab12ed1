//! Everything at once: a homeserver, an IRC network, the bridge between them, and alice who opens a network.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::inspircd::Inspircd;
use super::irc::IrcPerson;
use super::matrix::MatrixUser;
use super::synapse::{Plan, SERVER_NAME, Synapse};
use super::towline::{NetworkEntry, Towline, bot};

/// The name of the network in rooms.
pub(crate) const NETWORK: &str = "Demo";
/// Alice's password on the homeserver.
pub(crate) const PASSWORD: &str = "wonderland";

/// What rooms are like in some towns.
#[derive(Default)]
pub(crate) struct Rooms {
    /// What is said elsewhere appears as alice herself.
    pub(crate) double_puppet: bool,
    /// Channels have shared ones.
    pub(crate) shared: bool,
}

/// What only some towns have.
#[derive(Default)]
pub(crate) struct Extras {
    /// The bridge's database, where it is not SQLite.
    pub(crate) database: Option<String>,
    /// What the bridge trusts in place of the host's roots.
    pub(crate) roots: Option<PathBuf>,
    /// Whether files and long texts have links.
    pub(crate) links: bool,
    /// Whether users may have networks of their own, on this machine.
    pub(crate) own_networks: bool,
    /// What its rooms are like.
    pub(crate) rooms: Rooms,
    /// Registrations of other bridges.
    pub(crate) registrations: Vec<PathBuf>,
}

/// All servers. The bridge goes first when this is dropped, so that nothing it says is an error.
pub(crate) struct Town {
    pub(crate) towline: Towline,
    pub(crate) synapse: Synapse,
    pub(crate) inspircd: Inspircd,
    pub(crate) alice: MatrixUser,
    /// Alice's conversation with the bot.
    pub(crate) control: String,
    _directory: TempDir,
}

impl Town {
    /// Starts an IRC network with plain connections, and everything else.
    pub(crate) async fn start() -> Self {
        let directory = TempDir::with_prefix("towline-town-").unwrap();
        let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
        let network = NetworkEntry::plain("demo", NETWORK, &inspircd);
        Self::around(directory, inspircd, network, &Extras::default()).await
    }

    /// Starts everything else around an IRC network.
    pub(crate) async fn around(
        directory: TempDir,
        inspircd: Inspircd,
        network: NetworkEntry,
        extras: &Extras,
    ) -> Self {
        let at = |name: &str| directory.path().join(name);
        let plan = Plan::new();
        let admin = format!("@alice:{SERVER_NAME}");
        let mut towline =
            Towline::init(&at("towline"), &plan, &admin, &[network], extras.database.as_deref()).await;
        if extras.links {
            towline.hand_out();
        }
        if extras.own_networks {
            towline.allow_own_networks();
        }
        if extras.rooms.shared {
            towline.share_rooms().await;
        }
        let mut registration = vec![towline.registration()];
        if extras.rooms.double_puppet {
            registration.push(towline.double_puppet().await);
        }
        let registrations: Vec<&Path> =
            extras.registrations.iter().chain(&registration).map(PathBuf::as_path).collect();
        let synapse = Synapse::start(plan, &at("synapse"), &registrations).await;
        extras.roots.iter().for_each(|roots| towline.trust(roots));
        towline.run().await;
        let alice = MatrixUser::register(&synapse.url, "alice", PASSWORD).await;
        let control = alice.start_dm(&bot()).await;
        alice.wait_member(&control, &bot(), "join").await;
        Self { towline, synapse, inspircd, alice, control, _directory: directory }
    }

    /// `open demo`: alice enters the network's room.
    pub(crate) async fn open_network(&self) -> String {
        self.alice.say(&self.control, "open demo").await;
        self.accept(NETWORK).await
    }

    /// `join #channel` in the network's room: alice enters the channel's room.
    pub(crate) async fn join_channel(&self, network_room: &str, channel: &str) -> String {
        self.alice.say(network_room, &format!("join {channel}")).await;
        self.accept(&format!("{channel} ({NETWORK})")).await
    }

    async fn accept(&self, name: &str) -> String {
        let room = self.alice.wait_invite_named(name).await;
        self.alice.join(&room).await;
        room
    }

    /// Waits until alice's IRC connection is in a channel, by a person's own view there.
    pub(crate) async fn wait_alice_in(&self, person: &IrcPerson, channel: &str, mark: usize) {
        if person.names(channel).await.iter().any(|nick| nick == "alice") {
            return;
        }
        let joined =
            |line: &str| line.starts_with(":alice!") && line.contains(" JOIN ") && line.contains(channel);
        person.wait_line_after(mark, joined).await;
    }
}

/// The Matrix id of an IRC person's ghost.
pub(crate) fn ghost(nick: &str) -> String {
    format!("@irc_demo_{}:{SERVER_NAME}", nick.to_ascii_lowercase())
}
