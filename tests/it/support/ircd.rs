//! A fake ircd: a small correct server for many clients at once, people without a socket, and faults.
//!
//! It follows the Modern IRC Client Protocol and IRCv3's capability negotiation, SASL, message-tags,
//! server-time, echo-message, labeled-response, chathistory, multi-prefix, extended-join and account-tag; of these
//! it offers what its [`Options`] say, without TLS and on another port with it. It has one server, no operators and no flood
//! control, and a NickServ if asked for; like real ones it cuts relayed lines at 512 bytes and answers unknown commands with
//! 421.
//! People ([`Person`]) are clients whose lines come from the test: the same code handles them.

mod bytes;
mod channels;
mod commands;
mod connection;
mod history;
mod inquiring;
mod labels;
mod login;
mod modes;
mod multiline;
mod network;
mod person;
mod relaying;
mod tls;
mod watching;

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::bytes::text_of;
use self::connection::Out;
use self::network::{Hearing, Network, Silence, Stall};
pub(crate) use self::person::{Heard, Person};
use super::homeserver::LIMIT;
use super::ports::free_port;

/// What the server is told at its start.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Offered in `CAP LS 302`, with values.
    pub(crate) capabilities: Vec<String>,
    /// The tokens of 005.
    pub(crate) isupport: Vec<String>,
    /// (account, password).
    pub(crate) accounts: Vec<(String, String)>,
    /// Whether there is a NickServ, which knows IDENTIFY and, as a command, REGAIN.
    pub(crate) services: bool,
    /// The server's own password.
    pub(crate) password: Option<String>,
    /// Whether each line is remembered for [`Ircd::lines_from`]; a benchmark turns it off.
    pub(crate) record_lines: bool,
}

impl Default for Options {
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Self {
            capabilities: words("message-tags server-time multi-prefix account-tag cap-notify sasl=PLAIN"),
            isupport: words(
                "NETWORK=FakeNet CASEMAPPING=rfc1459 CHANTYPES=#& PREFIX=(ohv)@%+ CHANMODES=beI,k,l,imnpst \
                 NICKLEN=31 CHANNELLEN=64 TOPICLEN=307 KICKLEN=255 AWAYLEN=200 MODES=20 STATUSMSG=@%+",
            ),
            accounts: Vec::new(),
            services: false,
            password: None,
            record_lines: true,
        }
    }
}

impl Options {
    /// With all that a modern server has: echoes, labels, and history that can be asked for.
    pub(crate) fn with_history() -> Self {
        let mut options = Self::default();
        let more = "batch echo-message labeled-response draft/chathistory";
        options.capabilities.extend(more.split(' ').map(str::to_owned));
        let tokens = "CHATHISTORY=50 MSGREFTYPES=msgid,timestamp";
        options.isupport.extend(tokens.split(' ').map(str::to_owned));
        options
    }

    /// And with `RELAYMSG`, for operators of a channel.
    pub(crate) fn with_relaymsg() -> Self {
        let mut options = Self::with_history();
        options.capabilities.extend(["draft/relaymsg=/".to_owned(), "draft/message-redaction".to_owned()]);
        options
    }

    /// Without some of the capabilities.
    pub(crate) fn without(mut self, capabilities: &[&str]) -> Self {
        self.capabilities.retain(|one| !capabilities.contains(&one.as_str()));
        self
    }
}

/// A line that a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The nick it had then; `*` before it had one.
    pub(crate) nick: String,
    /// Without CR LF.
    pub(crate) bytes: Vec<u8>,
}

impl Received {
    pub(crate) fn line(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// What happens to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Accepted, and then never a word.
    Silent,
}

struct Shared {
    network: Mutex<Network>,
    /// Bumped after each change; observers look again then.
    changed: watch::Sender<u64>,
    door: Mutex<Door>,
}

impl Shared {
    fn read(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap()
    }

    fn change<T>(&self, step: impl FnOnce(&mut Network) -> T) -> T {
        let result = step(&mut self.read());
        self.changed.send_modify(|version| *version += 1);
        result
    }

    /// Waits until `look` finds something. It is called after every change.
    async fn wait<T>(&self, wanted: &str, mut look: impl FnMut(&Network) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                changed.borrow_and_update();
                let found = look(&self.read());
                match found {
                    Some(found) => return found,
                    None => changed.changed().await.expect("the ircd lives"),
                }
            }
        });
        let late = |_| panic!("waited {LIMIT:?} for {wanted}\n{}", self.read().describe());
        found.await.unwrap_or_else(late)
    }
}

/// The server. It stops when this is dropped.
pub(crate) struct Ircd {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    tls_address: std::net::SocketAddr,
    tls: tls::Tls,
    /// Ends the listener.
    listening: Mutex<Option<CancellationToken>>,
    /// Ends everything.
    running: CancellationToken,
}

impl Drop for Ircd {
    fn drop(&mut self) {
        self.running.cancel();
    }
}

impl Ircd {
    /// Starts on a loopback port of its own.
    pub(crate) async fn start(options: Options) -> Self {
        // It may stop, and must find its port again.
        let listener = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
        let by_tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ircd = Self {
            address: listener.local_addr().unwrap(),
            tls_address: by_tls.local_addr().unwrap(),
            tls: tls::Tls::new(),
            shared: Arc::new(Shared {
                network: Mutex::new(Network::new(options)),
                changed: watch::Sender::new(0),
                door: Mutex::new(Door::Open),
            }),
            listening: Mutex::new(None),
            running: CancellationToken::new(),
        };
        ircd.listen(listener);
        let acceptor = Some(ircd.tls.acceptor.clone());
        let accept = connection::accept(by_tls, ircd.shared.clone(), acceptor, ircd.running.clone());
        tokio::spawn(ircd.running.clone().run_until_cancelled_owned(accept));
        ircd
    }

    fn listen(&self, listener: TcpListener) {
        let listening = self.running.child_token();
        let accept = connection::accept(listener, self.shared.clone(), None, self.running.clone());
        tokio::spawn(listening.clone().run_until_cancelled_owned(accept));
        *self.listening.lock().unwrap() = Some(listening);
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Where it listens by TLS.
    pub(crate) fn tls_address(&self) -> std::net::SocketAddr {
        self.tls_address
    }

    /// Writes its certificate where a `ca_file` can name it.
    pub(crate) fn write_certificate(&self, file: &std::path::Path) {
        self.tls.write(file);
    }

    /// The SHA-256 of its certificate.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.tls.sha256
    }

    /// A person without a socket, registered and ready.
    pub(crate) fn person(&self, nick: &str) -> Person {
        Person::new(self.shared.clone(), nick)
    }

    /// So many people who are in a channel already and hear nothing of each other: `crowd0000` and so on.
    pub(crate) fn crowd(&self, channel: &str, count: usize) -> Vec<Person> {
        let people = (0..count).map(|number| self.person(&format!("crowd{number:04}")));
        people.inspect(|person| person.appear_in(channel)).collect()
    }

    // What a test looks at.

    /// The lines that clients sent while they had this nick.
    pub(crate) fn lines_from(&self, nick: &str) -> Vec<String> {
        let network = self.shared.read();
        network.received.iter().filter(|one| one.nick == nick).map(Received::line).collect()
    }

    /// All lines of all clients, in the order of their arrival.
    pub(crate) fn lines(&self) -> Vec<Received> {
        self.shared.read().received.clone()
    }

    /// The id of the last message that holds this text, once there is one.
    pub(crate) async fn wait_msgid(&self, text: &str) -> String {
        self.shared.wait(&format!("somebody to say {text}"), |network| network.msgid_of(text)).await
    }

    /// How many lines came so far, for [`Self::wait_line_after`].
    pub(crate) fn mark(&self) -> usize {
        self.shared.read().received.len()
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.read().connections
    }

    /// The most clients that have been connected at once without being registered.
    pub(crate) fn most_greeting(&self) -> usize {
        self.shared.read().most_greeting
    }

    /// Whether a nick came by TLS, and the fingerprint of the certificate that it has shown.
    pub(crate) fn tls_of(&self, nick: &str) -> Option<(bool, Option<String>)> {
        let network = self.shared.read();
        let client = &network.clients[&network.find(nick)?];
        Some((client.by_tls, client.certificate.clone()))
    }

    /// The nicks on the server now, sorted.
    pub(crate) fn nicks(&self) -> Vec<String> {
        self.shared.read().nicks()
    }

    /// The nicks in a channel now, sorted.
    pub(crate) fn names(&self, channel: &str) -> Vec<String> {
        self.shared.read().names(channel)
    }

    /// A channel's topic.
    pub(crate) fn topic(&self, channel: &str) -> Option<String> {
        self.shared.read().channel(channel)?.topic.clone().map(|(text, _)| text)
    }

    /// Waits for a line from a client (nick, line), past or to come.
    pub(crate) async fn wait_line(&self, wanted: impl Fn(&str, &str) -> bool) -> Received {
        self.wait_line_after(0, wanted).await
    }

    /// Waits for a line that comes after a [`Self::mark`].
    pub(crate) async fn wait_line_after(&self, mark: usize, wanted: impl Fn(&str, &str) -> bool) -> Received {
        let mut seen = mark;
        let look = |network: &Network| {
            let new = &network.received[seen..];
            let found =
                new.iter().find(|one| wanted(&one.nick, &String::from_utf8_lossy(&one.bytes))).cloned();
            seen = network.received.len();
            found
        };
        self.shared.wait("a line from a client", look).await
    }

    /// Waits until a nick is registered.
    pub(crate) async fn wait_registered(&self, nick: &str) {
        let look = |network: &Network| network.registered(nick).then_some(());
        self.shared.wait(&format!("{nick} to be registered"), look).await;
    }

    /// Waits until nobody has this nick.
    pub(crate) async fn wait_gone(&self, nick: &str) {
        let look = |network: &Network| (!network.registered(nick)).then_some(());
        self.shared.wait(&format!("{nick} to be gone"), look).await;
    }

    /// Waits until so many clients are registered.
    pub(crate) async fn wait_clients(&self, count: usize) {
        let look = |network: &Network| (network.nicks().len() == count).then_some(());
        self.shared.wait(&format!("{count} clients"), look).await;
    }

    /// Waits until a nick is in a channel.
    pub(crate) async fn wait_joined(&self, channel: &str, nick: &str) {
        let look = |network: &Network| network.names(channel).iter().any(|one| one == nick).then_some(());
        self.shared.wait(&format!("{nick} to be in {channel}"), look).await;
    }

    /// Waits until a nick is no longer in a channel.
    pub(crate) async fn wait_parted(&self, channel: &str, nick: &str) {
        let look = |network: &Network| (!network.names(channel).iter().any(|one| one == nick)).then_some(());
        self.shared.wait(&format!("{nick} to be out of {channel}"), look).await;
    }

    /// Waits until this many connections were accepted in all.
    pub(crate) async fn wait_connections(&self, count: usize) {
        let look = |network: &Network| (network.connections >= count).then_some(());
        self.shared.wait(&format!("{count} connections"), look).await;
    }

    // What a test arranges.

    /// Only voiced people speak in this channel; others get 404.
    pub(crate) fn moderate(&self, channel: &str) {
        self.shared.change(|network| network.channel_entry(channel).modes.insert('m'));
    }

    /// Somebody has this mode in a channel already, which nobody was told.
    pub(crate) fn give(&self, channel: &str, nick: &str, mode: char) {
        self.shared.change(|network| network.give(channel, nick, mode));
    }

    /// Somebody has this mode in a channel no more, which nobody was told.
    pub(crate) fn take(&self, channel: &str, nick: &str, mode: char) {
        self.shared.change(|network| network.take(channel, nick, mode));
    }

    /// Nobody joins this channel: they get this numeric (471, 473, 474, 475, …).
    pub(crate) fn ban_joins(&self, channel: &str, numeric: u16) {
        self.shared.change(|network| network.channel_entry(channel).refuse_joins = Some(numeric));
    }

    /// Ends [`Self::ban_joins`].
    pub(crate) fn allow_joins(&self, channel: &str) {
        self.shared.change(|network| network.channel_entry(channel).refuse_joins = None);
    }

    /// Somebody is logged in to an account.
    pub(crate) fn set_account(&self, nick: &str, account: &str) {
        self.shared.change(|network| {
            let id = network.find(nick).unwrap();
            network.client(id).account = Some(account.into());
        });
    }

    /// Joining this channel takes a key.
    pub(crate) fn set_key(&self, channel: &str, key: &str) {
        self.shared.change(|network| network.channel_entry(channel).key = Some(key.into()));
    }

    /// Joins of this channel lead to another, with 470.
    pub(crate) fn forward(&self, channel: &str, to: &str) {
        self.shared.change(|network| network.channel_entry(channel).forward = Some(to.into()));
    }

    /// From now on, what a client says is not shown to it, as with some services; labels are answered by `ACK`.
    pub(crate) fn drop_echoes(&self, drops: bool) {
        self.shared
            .change(|network| network.faults.silence = if drops { Silence::Echoes } else { Silence::None });
    }

    /// Messages are read, and neither passed on nor answered, nor is a `PING` behind them.
    pub(crate) fn swallow_messages(&self, swallows: bool) {
        self.shared
            .change(|network| network.faults.silence = if swallows { Silence::All } else { Silence::None });
    }

    /// From now on, changes of channels' modes are read, and neither made nor answered, not even a label's.
    pub(crate) fn ignore_modes(&self, ignores: bool) {
        self.shared.change(|network| network.faults.ignores_modes = ignores);
    }

    /// Forgets what was said so far.
    pub(crate) fn drop_history(&self) {
        self.shared.change(|network| network.history.clear());
    }

    /// From now on, this certificate logs in to this account.
    pub(crate) fn add_certificate(&self, sha256: &str, account: &str) {
        self.shared.change(|network| network.certificates.insert(sha256.to_owned(), account.to_owned()));
    }

    /// From now on, the server can't prove that it knows passwords.
    pub(crate) fn forget_passwords(&self) {
        self.shared.change(|network| network.faults.forgot_passwords = true);
    }

    /// This capability is offered to connections to come.
    pub(crate) fn offer_capability(&self, capability: &str) {
        self.shared.change(|network| network.options.capabilities.push(capability.to_owned()));
    }

    /// From now on, batches of several lines are refused with this code.
    pub(crate) fn refuse_multiline(&self, code: &'static str) {
        self.shared.change(|network| network.faults.refuses_multiline = Some(code));
    }

    /// From now on, `RELAYMSG` is refused with this code, or as its sender's rank says.
    pub(crate) fn refuse_relays(&self, code: Option<&'static str>) {
        self.shared.change(|network| network.faults.refuses_relays = code);
    }

    /// From now on, `CHATHISTORY` gets no answer, not even a label's.
    pub(crate) fn stall_history(&self, stalls: bool) {
        self.shared.change(|network| {
            network.faults.stalls.retain(|one| *one != Stall::History);
            network.faults.stalls.extend(stalls.then_some(Stall::History));
        });
    }

    /// From now on, the end of a `LIST` stays out; [`Self::end_list`] tells it.
    pub(crate) fn stall_list(&self) {
        self.shared.change(|network| network.faults.stalls.push(Stall::ListEnd));
    }

    /// The end of a `LIST` that stayed out.
    pub(crate) fn end_list(&self, nick: &str) {
        self.send_line(nick, &format!("323 {nick} :End of channel list."));
    }

    /// This capability is not offered to connections to come.
    pub(crate) fn forget_capability(&self, name: &str) {
        self.shared.change(|network| network.options.capabilities.retain(|one| one != name));
    }

    /// Offers capabilities to those that are connected, and to others to come.
    pub(crate) fn offer(&self, list: &str) {
        self.shared.change(|network| network.offer(list));
    }

    /// Takes capabilities back from everybody.
    pub(crate) fn withdraw(&self, list: &str) {
        self.shared.change(|network| network.withdraw(list));
    }

    /// The capabilities that a client has in force.
    pub(crate) async fn wait_capabilities(&self, nick: &str, wanted: impl Fn(&[String]) -> bool) {
        let look = |network: &Network| {
            let client = &network.clients[&network.find(nick)?];
            let all: Vec<String> = client.capabilities.iter().cloned().collect();
            wanted(&all).then_some(())
        };
        self.shared.wait(&format!("{nick} to have other capabilities"), look).await;
    }

    /// Bytes to a client, as they are.
    pub(crate) fn send_raw(&self, nick: &str, bytes: &[u8]) {
        self.shared.change(|network| network.out(nick, Out::Bytes(bytes.to_vec())));
    }

    /// A line from the server itself to a client.
    pub(crate) fn send_line(&self, nick: &str, line: &str) {
        self.send_raw(nick, format!(":fake.irc {line}\r\n").as_bytes());
    }

    /// Bytes that are no IRC, followed by a line end.
    pub(crate) fn garbage(&self, nick: &str, bytes: &[u8]) {
        self.send_raw(nick, &[bytes, b"\r\n"].concat());
    }

    /// `ERROR`, and the connection ends.
    pub(crate) fn error(&self, nick: &str, text: &str) {
        self.send_raw(nick, format!("ERROR :{text}\r\n").as_bytes());
        self.shared.change(|network| {
            network.out(nick, Out::Close);
            network.quit_nick(nick, text);
        });
    }

    /// A server goes, and these people with it: nobody is told why but by the two servers' names.
    pub(crate) fn split(&self, nicks: &[&str], servers: &str) {
        self.shared.change(|network| nicks.iter().for_each(|nick| network.quit_nick(nick, servers)));
    }

    /// The connection is reset.
    pub(crate) fn cut(&self, nick: &str) {
        self.shared.change(|network| {
            network.out(nick, Out::Reset);
            network.quit_nick(nick, "Connection reset by peer");
        });
    }

    /// All clients' connections are reset.
    pub(crate) fn cut_all(&self) {
        let nicks = self.shared.read().connected();
        for nick in nicks {
            self.cut(&nick);
        }
    }

    /// The other end goes away without a word: the client's lines are read and ignored, nothing is sent.
    pub(crate) fn half_open(&self, nick: &str) {
        self.shared.change(|network| network.set_hearing(nick, Hearing::None));
    }

    /// The client's lines are heard, and from now on nothing reaches it.
    pub(crate) fn mute(&self, nick: &str) {
        self.shared.change(|network| network.set_hearing(nick, Hearing::Server));
    }

    /// Ends [`Self::mute`] and [`Self::half_open`]: what was said meanwhile does not come any more.
    pub(crate) fn unmute(&self, nick: &str) {
        self.shared.change(|network| network.set_hearing(nick, Hearing::Both));
    }

    /// What somebody says in channels does not reach the client any more.
    pub(crate) fn silence(&self, nick: &str, whom: &str) {
        self.shared.change(|network| network.silence(nick, whom));
    }

    /// New connections are refused; those there stay.
    pub(crate) fn refuse(&self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.cancel();
        }
    }

    /// New connections are accepted, and nothing is ever said to them.
    pub(crate) fn hang(&self) {
        *self.shared.door.lock().unwrap() = Door::Silent;
    }

    /// New connections get an `ERROR` with these words.
    pub(crate) fn turn_away(&self, words: &str) {
        self.shared.change(|network| network.faults.turns_away = Some(words.to_owned()));
    }

    /// Ends [`Self::refuse`], [`Self::hang`] and [`Self::turn_away`].
    pub(crate) async fn welcome(&self) {
        self.shared.change(|network| network.faults.turns_away = None);
        *self.shared.door.lock().unwrap() = Door::Open;
        if self.listening.lock().unwrap().is_some() {
            return;
        }
        let listener = tokio::time::timeout(LIMIT, async {
            loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        self.listen(listener.await.expect("the port is free again"));
    }

    /// Waits until nobody is connected: a server may learn long after a client that their connection has ended.
    pub(crate) async fn wait_nobody_connected(&self) {
        let look = |network: &Network| network.is_deserted().then_some(());
        self.shared.wait("all connections to have ended", look).await;
    }

    /// What a client is told of all this reaches it in one piece, however slow its connection is.
    pub(crate) fn at_once(&self, nick: &str, acts: impl FnOnce()) {
        let (gathering, mut gathered) = tokio::sync::mpsc::unbounded_channel();
        let own = self.shared.change(|network| network.exchange_out(nick, Some(gathering)));
        acts();
        self.shared.change(|network| {
            drop(network.exchange_out(nick, own));
            let mut all = Vec::new();
            while let Ok(Out::Bytes(bytes)) = gathered.try_recv() {
                all.extend(bytes);
            }
            network.out(nick, Out::Bytes(all));
        });
    }
}
