//! Tests of the session: a server's lines in, events and our lines out, with simulated time.

mod delivery;
mod echoes;
mod history;
mod ignores;
mod inquiries;
mod joins;
mod listing;
mod login;
mod markers;
mod membership;
mod messages;
mod multiline;
mod netsplits;
mod nicks;
mod nickserv;
mod pacing;
mod people;
mod recognition;
mod redact;
mod regain;
mod registration;
mod relaymsg;
mod replies;
mod robustness;
mod servers;
mod support;
mod tags;
mod timers;

use super::*;
use crate::irc::flood::FloodLimits;
use crate::names::Nick;

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn channel(text: &str) -> Channel {
    Channel::new(text).unwrap()
}

/// A session with a clock and a scripted server.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn new(config: SessionConfig) -> Self {
        let now = Instant::now();
        Self { session: Session::new(config, now), now }
    }

    /// A session for `alice` without flood control.
    fn config() -> SessionConfig {
        SessionConfig {
            flood: FloodLimits { burst: 1, interval: Duration::ZERO },
            ..SessionConfig::new(nick("alice"))
        }
    }

    /// Registered and ready, with a server that says little.
    fn ready() -> Self {
        Self::ready_with(Self::config(), "CASEMAPPING=rfc1459 NETWORK=Test")
    }

    fn ready_with(config: SessionConfig, isupport: &str) -> Self {
        Self::ready_as(config, "", isupport)
    }

    fn ready_with_caps(caps: &str, isupport: &str) -> Self {
        Self::ready_as(Self::config(), caps, isupport)
    }

    fn ready_as(config: SessionConfig, caps: &str, isupport: &str) -> Self {
        let mut bench = Self::new(config);
        bench.sent();
        bench.server(&format!("CAP * LS :{caps}"));
        // What is of no use alone is not asked for, but a server may say that it is in force.
        bench.server(&format!("CAP * ACK :{caps}"));
        bench.server(":irc.test 001 alice :Welcome to Test alice!al@host.test");
        bench.server(&format!(":irc.test 005 alice {isupport} :are supported by this server"));
        bench.server(":irc.test 422 alice :No MOTD");
        assert!(bench.sent().iter().any(|line| line == "CAP END"));
        bench
    }

    /// In `#rust`, with these members.
    fn in_channel(names: &str) -> Self {
        let mut bench = Self::ready_with(
            Self::config(),
            "PREFIX=(ov)@+ CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuz STATUSMSG=@+",
        );
        bench.server(":alice!al@host.test JOIN #rust");
        bench.server(&format!(":irc.test 353 alice = #rust :alice {names}"));
        bench.server(":irc.test 366 alice #rust :End of /NAMES list.");
        bench
    }

    /// What the session makes of a line.
    fn server(&mut self, line: &str) -> Vec<Event> {
        let mut events = Vec::new();
        self.session.handle(&Message::parse(line).unwrap(), self.now, &mut events);
        events
    }

    fn transmit(&mut self) -> Transmit {
        self.session.transmit(self.now)
    }

    /// The lines that leave now.
    fn sent(&mut self) -> Vec<String> {
        self.transmit().lines.iter().map(|line| line.as_str().to_owned()).collect()
    }

    /// Lets time go by as an owner would, who wakes at each deadline. Returns events, and lines with their second.
    fn wait(&mut self, duration: Duration) -> (Vec<Event>, Vec<(u64, String)>) {
        let (start, end) = (self.now, self.now + duration);
        let (mut events, mut lines) = (Vec::new(), Vec::new());
        for step in 0.. {
            assert!(step < 20_000, "a deadline that has come does nothing");
            self.session.tick(self.now, &mut events);
            let second = (self.now - start).as_secs();
            lines.extend(self.sent().into_iter().map(|line| (second, line)));
            match self.session.deadline() {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
        (events, lines)
    }

    fn say(&mut self, id: u64, target: &str, text: &str) {
        let target = Target::parse(target, self.session.isupport()).unwrap();
        let message = OutgoingMessage {
            id: MessageId(id),
            target,
            kind: MessageKind::Privmsg,
            text: text.to_owned(),
            reply: None,
        };
        self.session.message(message).unwrap();
    }
}

fn ids(numbers: &[u64]) -> Vec<MessageId> {
    numbers.iter().copied().map(MessageId).collect()
}

fn disconnected(events: &[Event]) -> Option<Verdict> {
    events.iter().find_map(|event| match event {
        Event::Disconnect { verdict, .. } => Some(*verdict),
        _ => None,
    })
}
