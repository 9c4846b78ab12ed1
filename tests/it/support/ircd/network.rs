//! Who is on the server and what they get to read: clients, nicks, channels, tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::super::clock;
use super::bytes;
use super::channels::Channel;
use super::connection::Out;
use super::history::Said;
use super::labels::{Answer, Reply};
use super::login::Exchange;
use super::multiline::Batch;
use super::{Heard, Options, Received};

pub(super) type ClientId = u64;

/// Bytes of a line, CR LF included, tags not (Modern IRC, "Message Format").
pub(super) const LONGEST_LINE: usize = 512;

/// Who hears whom of a client and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    Both,
    /// The client is heard, and nothing reaches it.
    Server,
    /// Half open: nothing is heard of it and nothing reaches it.
    None,
}

/// A client, with a socket or a person of the test's.
pub(super) struct Client {
    pub(super) nick: Option<String>,
    pub(super) user: Option<String>,
    pub(super) realname: String,
    pub(super) host: String,
    pub(super) account: Option<String>,
    pub(super) away: Option<String>,
    /// The modes that it has set on itself.
    pub(super) modes: BTreeSet<char>,
    pub(super) password: Option<String>,
    pub(super) capabilities: BTreeSet<String>,
    pub(super) negotiating: bool,
    pub(super) registered: bool,
    /// What has come of a SASL exchange.
    pub(super) sasl: Option<Exchange>,
    /// The fingerprint of the certificate that its connection has shown.
    pub(super) certificate: Option<String>,
    /// It came by TLS.
    pub(super) by_tls: bool,
    /// The batch that it sends.
    pub(super) batch: Option<Batch>,
    out: Option<UnboundedSender<Out>>,
    hearing: Hearing,
    /// Whom it does not hear in channels, folded, as by `SILENCE`.
    silenced: BTreeSet<String>,
    pub(super) heard: Vec<Heard>,
}

impl Client {
    pub(super) fn nick(&self) -> &str {
        self.nick.as_deref().unwrap_or("*")
    }

    /// `nick!user@host`.
    pub(super) fn source(&self) -> String {
        format!("{}!{}@{}", self.nick(), self.user.as_deref().unwrap_or("*"), self.host)
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }
}

/// When something is said, and what it is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    number: u64,
    /// In milliseconds since 1970.
    pub(super) time: i64,
}

impl Stamp {
    pub(super) fn msgid(self) -> String {
        format!("fake-{}", self.number)
    }

    /// Whether this is its id; without a text for each of many.
    pub(super) fn is(self, msgid: &str) -> bool {
        msgid.strip_prefix("fake-").is_some_and(|number| number.parse() == Ok(self.number))
    }
}

/// What is not said about messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Silence {
    #[default]
    None,
    /// Nothing that is said is shown to who said it.
    Echoes,
    /// Messages are read, and neither passed on nor answered, nor is a `PING` behind them.
    All,
}

/// What never comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    /// `CHATHISTORY` gets no answer at all.
    History,
    /// `LIST` comes without its end.
    ListEnd,
}

/// What a test has arranged to go wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) silence: Silence,
    /// Batches of several lines are refused with this code.
    pub(super) refuses_multiline: Option<&'static str>,
    /// `RELAYMSG` is refused with this code.
    pub(super) refuses_relays: Option<&'static str>,
    pub(super) stalls: Vec<Stall>,
    /// Changes of channels' modes are read, and neither made nor answered.
    pub(super) ignores_modes: bool,
    /// A new connection gets this as its `ERROR`, and ends.
    pub(super) turns_away: Option<String>,
    /// In SCRAM the server cannot prove that it knows passwords.
    pub(super) forgot_passwords: bool,
}

/// Everything the server remembers.
pub(super) struct Network {
    pub(super) options: Options,
    pub(super) clients: BTreeMap<ClientId, Client>,
    nicks: HashMap<String, ClientId>,
    /// Who was here, as `WHOWAS` tells it.
    pub(super) gone: BTreeMap<String, String>,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) received: Vec<Received>,
    pub(super) connections: usize,
    /// The most clients that were there at once without being registered.
    pub(super) most_greeting: usize,
    /// Which accounts certificates belong to, by their SHA-256.
    pub(super) certificates: BTreeMap<String, String>,
    next: ClientId,
    messages: u64,
    /// What was said, by channel or by both nicks.
    /// Shared with whoever is told of it: asking for a page shall not cost a copy of all.
    pub(super) history: BTreeMap<String, Arc<Vec<Said>>>,
    /// The answer to the labelled line that is being worked on.
    pub(super) answer: Option<Answer>,
    pub(super) batches: u64,
    pub(super) faults: Faults,
    /// Who is told when a nick comes or goes.
    pub(super) monitors: BTreeMap<String, BTreeSet<ClientId>>,
}

impl Network {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            clients: BTreeMap::new(),
            nicks: HashMap::new(),
            gone: BTreeMap::new(),
            channels: BTreeMap::new(),
            received: Vec::new(),
            connections: 0,
            most_greeting: 0,
            certificates: BTreeMap::new(),
            next: 1,
            messages: 0,
            history: BTreeMap::new(),
            answer: None,
            batches: 0,
            faults: Faults::default(),
            monitors: BTreeMap::new(),
        }
    }

    /// Whether a capability is offered to clients.
    pub(super) fn offers(&self, capability: &str) -> bool {
        self.options.capabilities.iter().any(|one| one.split('=').next() == Some(capability))
    }

    /// The value of an ISUPPORT token.
    pub(super) fn isupport(&self, name: &str) -> Option<&str> {
        let value = |token: &'_ String| token.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        self.options.isupport.iter().find(|token| value(token)).map(|token| &token[name.len() + 1..])
    }

    /// A name as this server compares it.
    pub(super) fn fold(&self, name: &str) -> String {
        let rfc1459 = self.isupport("CASEMAPPING").is_none_or(|mapping| mapping.starts_with("rfc1459"));
        let fold = |c: char| match c {
            '[' if rfc1459 => '{',
            ']' if rfc1459 => '}',
            '\\' if rfc1459 => '|',
            '~' if rfc1459 && self.isupport("CASEMAPPING") != Some("rfc1459-strict") => '^',
            c => c.to_ascii_lowercase(),
        };
        name.chars().map(fold).collect()
    }

    pub(super) fn connect(&mut self, out: Option<UnboundedSender<Out>>, host: &str) -> ClientId {
        let id = self.next;
        self.next += 1;
        self.connections += usize::from(out.is_some());
        let client = Client {
            nick: None,
            user: None,
            realname: String::new(),
            host: host.into(),
            account: None,
            away: None,
            modes: BTreeSet::from(['i']),
            password: None,
            capabilities: BTreeSet::new(),
            negotiating: false,
            registered: false,
            sasl: None,
            certificate: None,
            by_tls: false,
            batch: None,
            out,
            hearing: Hearing::Both,
            silenced: BTreeSet::new(),
            heard: Vec::new(),
        };
        self.clients.insert(id, client);
        self.turn_away(id);
        let greeting = self.clients.values().filter(|client| client.out.is_some() && !client.registered);
        self.most_greeting = self.most_greeting.max(greeting.count());
        id
    }

    fn turn_away(&mut self, id: ClientId) {
        let Some(words) = &self.faults.turns_away else { return };
        let line = format!("ERROR :{words}\r\n");
        let client = self.clients.get_mut(&id).expect("a client that just connected");
        if let Some(out) = &client.out {
            client.hearing = Hearing::None;
            for piece in [Out::Bytes(line.into_bytes()), Out::Close] {
                drop(out.send(piece));
            }
        }
    }

    /// A line from a client's socket.
    pub(super) fn receive(&mut self, id: ClientId, bytes: &[u8]) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        if self.options.record_lines {
            self.received.push(Received { nick: client.nick().to_owned(), bytes: bytes.to_vec() });
        }
        if client.hearing != Hearing::None {
            self.handle(id, &bytes::text_of(bytes));
        }
    }

    pub(super) fn find(&self, nick: &str) -> Option<ClientId> {
        self.nicks.get(&self.fold(nick)).copied()
    }

    pub(super) fn client(&mut self, id: ClientId) -> &mut Client {
        self.clients.get_mut(&id).expect("a client that just acted")
    }

    pub(super) fn registered(&self, nick: &str) -> bool {
        self.find(nick).is_some_and(|id| self.clients[&id].registered)
    }

    pub(super) fn nicks(&self) -> Vec<String> {
        let mut nicks: Vec<_> = self
            .clients
            .values()
            .filter(|client| client.registered)
            .map(|client| client.nick().to_owned())
            .collect();
        nicks.sort();
        nicks
    }

    /// The nicks of those with a socket.
    pub(super) fn connected(&self) -> Vec<String> {
        let connected = self.clients.values().filter(|client| client.out.is_some() && client.nick.is_some());
        connected.map(|client| client.nick().to_owned()).collect()
    }

    /// Whether nobody has a socket here.
    pub(super) fn is_deserted(&self) -> bool {
        self.clients.values().all(|client| client.out.is_none())
    }

    /// Gives a client a nick that nobody else has.
    pub(super) fn rename(&mut self, id: ClientId, nick: &str) {
        if let Some(old) = self.clients[&id].nick.clone() {
            self.nicks.remove(&self.fold(&old));
            self.tell_watchers(&old);
        }
        self.nicks.insert(self.fold(nick), id);
        self.client(id).nick = Some(nick.into());
        self.tell_watchers(nick);
    }

    /// A client goes; those who share a channel with it are told.
    pub(super) fn quit(&mut self, id: ClientId, reason: &str) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let source = client.source();
        let nick = client.nick.clone();
        let gone = nick.clone();
        let told = self.neighbours(id);
        for other in told {
            self.deliver(other, &source, "", &format!("QUIT :{reason}"));
        }
        for channel in self.channels.values_mut() {
            channel.members.remove(&id);
            channel.invited.remove(&id);
        }
        if let Some(nick) = nick {
            let folded = self.fold(&nick);
            let client = &self.clients[&id];
            let was = (client.user.clone().unwrap_or_default(), client.host.clone(), client.realname.clone());
            self.gone.insert(folded.clone(), format!("{nick} {} {} * :{}", was.0, was.1, was.2));
            if self.nicks.get(&folded) == Some(&id) {
                self.nicks.remove(&folded);
            }
        }
        self.clients.remove(&id);
        if let Some(nick) = gone {
            self.tell_watchers(&nick);
        }
    }

    pub(super) fn is_person(&self, id: ClientId) -> bool {
        self.clients[&id].out.is_none()
    }

    pub(super) fn quit_nick(&mut self, nick: &str, reason: &str) {
        if let Some(id) = self.find(nick) {
            self.quit(id, reason);
        }
    }

    /// Everyone who shares a channel with a client, without the client.
    pub(super) fn neighbours(&self, id: ClientId) -> BTreeSet<ClientId> {
        let shared = self.channels.values().filter(|channel| channel.members.contains_key(&id));
        shared.flat_map(|channel| channel.members.keys().copied()).filter(|other| *other != id).collect()
    }

    pub(super) fn out(&mut self, nick: &str, out: Out) {
        let id = self.find(nick).unwrap_or_else(|| panic!("nobody is called {nick}"));
        if let Some(sender) = &self.clients[&id].out {
            drop(sender.send(out));
        }
    }

    pub(super) fn set_hearing(&mut self, nick: &str, hearing: Hearing) {
        let id = self.find(nick).unwrap_or_else(|| panic!("nobody is called {nick}"));
        self.client(id).hearing = hearing;
    }

    pub(super) fn silence(&mut self, nick: &str, whom: &str) {
        let id = self.find(nick).unwrap_or_else(|| panic!("nobody is called {nick}"));
        let whom = self.fold(whom);
        self.client(id).silenced.insert(whom);
    }

    /// Whether what somebody says in a channel reaches a client there: not where that is deaf, or has silenced them.
    pub(super) fn reaches(&self, speaker: ClientId, id: ClientId) -> bool {
        let client = &self.clients[&id];
        !client.modes.contains(&'D')
            && (client.silenced.is_empty()
                || !client.silenced.contains(&self.fold(self.clients[&speaker].nick())))
    }

    /// A numeric from the server: `rest` is what follows the client's nick.
    pub(super) fn numeric(&mut self, id: ClientId, number: u16, rest: &str) {
        let nick = self.clients[&id].nick().to_owned();
        self.deliver(id, "fake.irc", "", &format!("{number:03} {nick} {rest}"));
    }

    /// Sends one line to one client, with the tags it negotiated. `tags` are the sender's client-only tags.
    pub(super) fn deliver(&mut self, to: ClientId, source: &str, tags: &str, line: &str) {
        self.deliver_to([to], source, tags, line);
    }

    /// One message to many: the same msgid and time for all of them. Returns these.
    pub(super) fn deliver_to(
        &mut self,
        all: impl IntoIterator<Item = ClientId>,
        source: &str,
        tags: &str,
        line: &str,
    ) -> Stamp {
        let stamp = self.stamp();
        let account = self.account_of(source);
        for to in all {
            self.deliver_stamped(to, source, account.as_deref(), tags, line, stamp, None);
        }
        stamp
    }

    /// The next message's number, and now.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.messages += 1;
        Stamp { number: self.messages, time: clock::now() as i64 }
    }

    #[expect(clippy::too_many_arguments, reason = "all that makes a line: nothing else is put together here")]
    pub(super) fn deliver_stamped(
        &mut self,
        to: ClientId,
        source: &str,
        account: Option<&str>,
        tags: &str,
        line: &str,
        stamp: Stamp,
        batch: Option<&str>,
    ) {
        let Some(client) = self.clients.get_mut(&to) else {
            return;
        };
        if client.out.is_none() {
            client.heard.push(Heard::new(source, line));
            return;
        }
        let mut prefix: Vec<String> = batch.iter().map(|batch| format!("batch={batch}")).collect();
        if client.has("server-time") {
            let time = jiff::Timestamp::from_millisecond(stamp.time).unwrap();
            prefix.push(format!("time={time:.3}"));
        }
        let is_message = ["PRIVMSG ", "NOTICE ", "TAGMSG ", "REDACT ", "BATCH +"]
            .iter()
            .any(|verb| line.starts_with(verb));
        if client.has("message-tags") && is_message {
            prefix.push(format!("msgid={}", stamp.msgid()));
            let relays = client.has("draft/relaymsg");
            let is_passed = |tag: &&str| tag.starts_with('+') || relays && tag.starts_with("draft/relaymsg=");
            prefix.extend(tags.split(';').filter(is_passed).map(str::to_owned));
        }
        if let (Some(account), true) = (account, client.has("account-tag")) {
            prefix.push(format!("account={account}"));
        }
        let mut body = format!(":{source} {line}");
        bytes::cut(&mut body);
        let reply = Reply { tags: prefix, body };
        match &mut self.answer {
            Some(answer) if answer.to == to => answer.replies.push(reply),
            _ => self.send(to, &reply),
        }
    }

    /// A line to a client's socket.
    pub(super) fn send(&self, to: ClientId, reply: &Reply) {
        let client = self.clients.get(&to).filter(|client| client.hearing == Hearing::Both);
        if let Some(out) = client.and_then(|client| client.out.as_ref()) {
            drop(out.send(Out::Bytes(bytes::bytes_of(&reply.text()))));
        }
    }

    fn account_of(&self, source: &str) -> Option<String> {
        let (nick, _) = source.split_once('!')?;
        self.clients[&self.find(nick)?].account.clone()
    }

    pub(super) fn close(&mut self, id: ClientId) {
        if let Some(out) = &self.clients[&id].out {
            drop(out.send(Out::Close));
        }
    }

    /// Has what goes to a client go elsewhere; returns where it went.
    pub(super) fn exchange_out(
        &mut self,
        nick: &str,
        out: Option<UnboundedSender<Out>>,
    ) -> Option<UnboundedSender<Out>> {
        let id = self.find(nick).unwrap_or_else(|| panic!("nobody is called {nick}"));
        std::mem::replace(&mut self.client(id).out, out)
    }

    /// Who is where, and what came last: for a failure that can be read.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("on the server: {}\n", self.nicks().join(" "));
        for channel in self.channels.values() {
            writeln!(text, "{}: {}", channel.name, self.names(&channel.name).join(" ")).unwrap();
        }
        text.push_str("the last lines from clients:\n");
        for one in self.received.iter().rev().take(15).rev() {
            writeln!(text, "  {}> {}", one.nick, Value::from(one.line())).unwrap();
        }
        text
    }
}
