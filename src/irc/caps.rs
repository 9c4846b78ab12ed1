//! Capability negotiation: what the server offers, what we ask for, what is in force.
//!
//! Not SASL's exchange ([`sasl`](super::sasl)) and not the end of registration, which the session decides.
//! A capability that is of no use without others is asked for only where those are offered too: a server that we
//! ask for history no longer repeats it by itself.
//!
//! Invariant 9: a server's list is cut at 256 names.
//!
//! Spec: `IRCv3` "Capability Negotiation" 302 (`CAP LS`, `REQ`, `ACK`, `NAK`, `NEW`, `DEL`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::wire::Line;

/// What we use, in the order in which it is asked for.
pub const WANTED: [&str; 18] = [
    "server-time",
    "message-tags",
    "batch",
    "multi-prefix",
    "userhost-in-names",
    "account-tag",
    "account-notify",
    "extended-join",
    "away-notify",
    "chghost",
    "setname",
    "invite-notify",
    "cap-notify",
    "echo-message",
    "labeled-response",
    "draft/chathistory",
    "znc.in/self-message",
    "znc.in/playback",
];

/// What a capability is of no use without.
fn needs(name: &str) -> &'static [&'static str] {
    match name {
        "labeled-response" => &["batch", "message-tags"],
        "draft/chathistory" | "znc.in/playback" => &["batch", "server-time"],
        _ => &[],
    }
}

const MOST_OFFERED: usize = 256;

/// The names in one `CAP REQ`: 512 bytes less the command, and less what the server puts before its answer.
const REQUEST_BYTES: usize = 400;

/// What the session has to do after a `CAP` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapStep {
    /// Nothing, or wait for more.
    Wait,
    /// The list was read and all requests are answered.
    Settled,
    /// `sasl` was offered anew.
    SaslOffered,
    /// `sasl` was taken back.
    SaslWithdrawn,
}

/// The state of the negotiation.
#[derive(Debug, Default)]
pub struct Capabilities {
    offered: BTreeMap<Box<str>, Box<str>>,
    enabled: BTreeSet<Box<str>>,
    /// Requests that are not answered, oldest first.
    asked: VecDeque<Vec<Box<str>>>,
    /// Ask for `sasl` where it is offered.
    want_sasl: bool,
    /// Not asked for, whoever offers it.
    left_out: BTreeSet<&'static str>,
}

impl Capabilities {
    /// Nothing known yet. `sasl` is asked for only by who has credentials.
    #[must_use]
    pub fn new(want_sasl: bool) -> Self {
        Self { want_sasl, ..Self::default() }
    }

    /// The first line of a connection.
    #[must_use]
    pub fn first_line() -> Line {
        Line::with_text(Line::new("CAP").name_literal("LS"), "302")
    }

    /// Leaves a capability out: what it promises is not what this server does.
    pub fn leave_out(&mut self, name: &'static str) {
        self.left_out.insert(name);
    }

    /// Whether the capability is in force.
    #[must_use]
    pub fn enabled(&self, name: &str) -> bool {
        self.enabled.contains(name)
    }

    /// What the server said of a capability; empty for one without a value, none for one that it lacks.
    #[must_use]
    pub fn offered(&self, name: &str) -> Option<&str> {
        self.offered.get(name).map(|value| &**value)
    }

    /// Takes the parameters of a `CAP` line: client, subcommand, perhaps `*`, list. Adds requests to `lines`.
    pub fn handle(&mut self, params: &[String], lines: &mut Vec<Line>) -> CapStep {
        let subcommand = params.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let more = params.len() > 3 && params[2] == "*";
        let list = if params.len() > 2 { params[params.len() - 1].as_str() } else { "" };
        let names = list.split(' ').filter(|name| !name.is_empty());
        match subcommand.as_str() {
            "LS" => {
                self.offer(names);
                if more {
                    return CapStep::Wait;
                }
                self.request(lines);
                self.settled()
            }
            "NEW" => {
                let before = self.offered("sasl").is_some();
                self.offer(names);
                self.request(lines);
                let anew = !before && self.offered("sasl").is_some();
                if anew { CapStep::SaslOffered } else { CapStep::Wait }
            }
            "DEL" => {
                let mut step = CapStep::Wait;
                for name in names {
                    self.offered.remove(name);
                    self.enabled.remove(name);
                    if name == "sasl" {
                        step = CapStep::SaslWithdrawn;
                    }
                }
                step
            }
            "ACK" => {
                for name in names {
                    match name.strip_prefix('-') {
                        Some(off) => _ = self.enabled.remove(off),
                        None => _ = self.enable(name),
                    }
                }
                // A server may answer one request in several lines.
                if self
                    .asked
                    .front()
                    .is_some_and(|request| request.iter().all(|name| self.enabled.contains(name)))
                {
                    self.asked.pop_front();
                }
                self.settled()
            }
            "NAK" => {
                // All of a request fails together; one by one, the rest may pass.
                if let Some(refused) = self.asked.pop_front()
                    && refused.len() > 1
                {
                    for name in refused {
                        self.ask(vec![name], lines);
                    }
                }
                self.settled()
            }
            _ => CapStep::Wait,
        }
    }

    fn settled(&self) -> CapStep {
        if self.asked.is_empty() { CapStep::Settled } else { CapStep::Wait }
    }

    fn enable(&mut self, name: &str) -> bool {
        let wanted = WANTED.contains(&name) || name == "sasl";
        wanted && self.enabled.insert(name.into())
    }

    fn offer<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for entry in names {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            if self.offered.len() < MOST_OFFERED || self.offered.contains_key(name) {
                self.offered.insert(name.into(), value.into());
            }
        }
    }

    /// Asks for all that is wanted, offered, and neither in force nor asked for.
    fn request(&mut self, lines: &mut Vec<Line>) {
        let sasl = self.want_sasl.then_some("sasl");
        let mut request = Vec::new();
        let mut bytes = 0;
        for name in WANTED.into_iter().chain(sasl) {
            let pending = self.asked.iter().flatten().any(|asked| &**asked == name);
            let is_offered = |name: &str| self.offered.contains_key(name);
            let is_useful = is_offered(name) && needs(name).iter().copied().all(is_offered);
            if !is_useful || self.left_out.contains(name) || self.enabled.contains(name) || pending {
                continue;
            }
            if bytes + name.len() + 1 > REQUEST_BYTES {
                self.ask(std::mem::take(&mut request), lines);
                bytes = 0;
            }
            bytes += name.len() + 1;
            request.push(name.into());
        }
        if !request.is_empty() {
            self.ask(request, lines);
        }
    }

    fn ask(&mut self, names: Vec<Box<str>>, lines: &mut Vec<Line>) {
        lines.push(Line::with_text(Line::new("CAP").name_literal("REQ"), &names.join(" ")));
        self.asked.push_back(names);
    }

    /// `CAP END`.
    #[must_use]
    pub fn last_line() -> Line {
        Line::new("CAP").name_literal("END").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(caps: &mut Capabilities, line: &str) -> (CapStep, Vec<String>) {
        let params =
            super::super::wire::Message::parse(line).map(|message| message.params).unwrap_or_default();
        let mut lines = Vec::new();
        let step = caps.handle(&params, &mut lines);
        (step, lines.iter().map(|line| line.as_str().to_owned()).collect())
    }

    #[test]
    fn a_list_of_several_lines_gives_one_request() {
        let mut caps = Capabilities::new(true);
        assert_eq!(
            cap(&mut caps, "CAP * LS * :server-time sasl=PLAIN,EXTERNAL draft/x"),
            (CapStep::Wait, vec![])
        );
        let (step, lines) = cap(&mut caps, "CAP * LS :batch draft/y");
        assert_eq!((step, lines), (CapStep::Wait, vec!["CAP REQ :server-time batch sasl".to_owned()]));
        assert_eq!(caps.offered("sasl"), Some("PLAIN,EXTERNAL"));
        assert_eq!(cap(&mut caps, "CAP me ACK :server-time batch sasl ").0, CapStep::Settled);
        assert!(caps.enabled("sasl") && !caps.enabled("draft/y"));
        assert_eq!(caps.offered("draft/y"), Some(""));
    }

    #[test]
    fn sasl_is_not_asked_for_without_credentials() {
        let mut caps = Capabilities::new(false);
        assert_eq!(cap(&mut caps, "CAP * LS :sasl batch").1, ["CAP REQ :batch"]);
    }

    #[test]
    fn a_server_that_offers_nothing_is_settled_at_once() {
        let mut caps = Capabilities::new(false);
        assert_eq!(cap(&mut caps, "CAP * LS :"), (CapStep::Settled, vec![]));
    }

    #[test]
    fn an_answer_in_several_lines_is_one_answer() {
        let mut caps = Capabilities::new(false);
        cap(&mut caps, "CAP * LS :batch setname");
        assert_eq!(cap(&mut caps, "CAP me ACK :batch").0, CapStep::Wait);
        assert_eq!(cap(&mut caps, "CAP me ACK :setname").0, CapStep::Settled);
    }

    #[test]
    fn after_a_refusal_each_is_asked_for_alone_and_only_once() {
        let mut caps = Capabilities::new(false);
        cap(&mut caps, "CAP * LS :batch setname");
        let (step, lines) = cap(&mut caps, "CAP me NAK :batch setname");
        assert_eq!((step, lines.len()), (CapStep::Wait, 2));
        assert_eq!(cap(&mut caps, "CAP me NAK :batch"), (CapStep::Wait, vec![]));
        assert_eq!(cap(&mut caps, "CAP me ACK :setname"), (CapStep::Settled, vec![]));
        assert!(caps.enabled("setname") && !caps.enabled("batch"));
    }

    #[test]
    fn capabilities_come_and_go_later() {
        let mut caps = Capabilities::new(true);
        cap(&mut caps, "CAP * LS :batch");
        cap(&mut caps, "CAP me ACK :batch");
        let (step, lines) = cap(&mut caps, "CAP me NEW :sasl=PLAIN chghost");
        assert_eq!((step, lines), (CapStep::SaslOffered, vec!["CAP REQ :chghost sasl".to_owned()]));
        assert_eq!(cap(&mut caps, "CAP me DEL :sasl batch").0, CapStep::SaslWithdrawn);
        assert!(!caps.enabled("batch") && caps.offered("sasl").is_none());
    }

    #[test]
    fn what_was_not_asked_for_is_not_in_force() {
        let mut caps = Capabilities::new(false);
        cap(&mut caps, "CAP me ACK :draft/event-playback evil");
        assert!(!caps.enabled("draft/event-playback") && !caps.enabled("evil"));
    }

    #[test]
    fn what_is_of_no_use_alone_is_not_asked_for_alone() {
        let all = "echo-message labeled-response draft/chathistory znc.in/playback";
        let mut caps = Capabilities::new(false);
        assert_eq!(cap(&mut caps, &format!("CAP * LS :{all}")).1, ["CAP REQ :echo-message"]);
        let mut caps = Capabilities::new(false);
        let (_, lines) = cap(&mut caps, &format!("CAP * LS :batch server-time message-tags {all}"));
        assert_eq!(lines, [format!("CAP REQ :server-time message-tags batch {all}")]);
    }

    #[test]
    fn every_request_fits_a_line() {
        let mut caps = Capabilities::new(true);
        let (_, lines) = cap(&mut caps, &format!("CAP * LS :{} sasl", WANTED.join(" ")));
        assert!(lines.iter().all(|line| line.len() <= 510));
    }
}
