//! Capability negotiation: what the server offers, what we ask for, what is in force.
//!
//! Not SASL's exchange ([`sasl`](super::sasl)) and not the end of registration, which the session decides.
//! A capability that is of no use without others is asked for only where those are offered too: a server that we
//! ask for history no longer repeats it by itself. For the same reason it falls with them, whoever takes them away.
//! What the user wants besides or does without are their [`CapabilityWishes`].
//!
//! Invariant 9: a server's list is cut at 256 names, a user's at 32.
//!
//! Spec: `IRCv3` "Capability Negotiation" 302 (`CAP LS`, `REQ`, `ACK`, `NAK`, `NEW`, `DEL`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::wire::Line;

mod wishes;
pub use wishes::{CapabilityWishes, InvalidWishes};

/// What we use, in the order in which it is asked for.
pub const WANTED: [&str; 26] = [
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
    "standard-replies",
    "no-implicit-names",
    "draft/no-implicit-names",
    "extended-monitor",
    "draft/chathistory",
    "draft/multiline",
    "draft/message-redaction",
    "draft/relaymsg",
    "draft/read-marker",
    "znc.in/self-message",
    "znc.in/playback",
];

/// What a capability is of no use without.
pub(super) fn needs(name: &str) -> &'static [&'static str] {
    match name {
        "labeled-response" | "draft/multiline" => &["batch", "message-tags"],
        "draft/message-redaction" | "draft/relaymsg" => &["message-tags"],
        "draft/chathistory" | "znc.in/playback" => &["batch", "server-time"],
        _ => &[],
    }
}

pub(super) const MOST_OFFERED: usize = 256;

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
    wishes: CapabilityWishes,
    /// Not asked for, whoever offers it.
    left_out: BTreeSet<&'static str>,
    /// Refused, until offered anew.
    refused: BTreeSet<Box<str>>,
    /// The list is not whole yet.
    is_reading: bool,
}

impl Capabilities {
    /// Nothing known yet. `sasl` is asked for only by who has credentials.
    #[must_use]
    pub fn new(want_sasl: bool, wishes: CapabilityWishes) -> Self {
        Self { want_sasl, wishes, ..Self::default() }
    }

    /// Other wishes from now on: what they change is asked for at once, if the server's list is known.
    pub fn set_wishes(&mut self, wishes: CapabilityWishes, lines: &mut Vec<Line>) {
        self.wishes = wishes;
        self.request(lines);
    }

    /// What is in force, in the order of the alphabet.
    pub fn in_force(&self) -> impl Iterator<Item = &str> {
        self.enabled.iter().map(|name| &**name)
    }

    /// What the server has, in the order of the alphabet.
    pub fn all_offered(&self) -> impl Iterator<Item = &str> {
        self.offered.keys().map(|name| &**name)
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
                    self.is_reading = true;
                    return CapStep::Wait;
                }
                self.is_reading = false;
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
                self.request(lines);
                step
            }
            "ACK" => {
                for name in names {
                    match name.strip_prefix('-') {
                        Some(off) => _ = self.enabled.remove(off),
                        None => _ = self.enable(name),
                    }
                    // A server may answer one request in several lines.
                    if let Some(request) = self.asked.front_mut() {
                        request.retain(|asked| &**asked != name);
                    }
                }
                while self.asked.front().is_some_and(Vec::is_empty) {
                    self.asked.pop_front();
                }
                // Meanwhile what it needs may have gone.
                self.request(lines);
                self.settled()
            }
            "NAK" => {
                // All of a request fails together; one by one, the rest may pass.
                match self.asked.pop_front() {
                    Some(refused) if refused.len() > 1 => {
                        for name in refused {
                            self.ask(vec![name], lines);
                        }
                    }
                    // Until it is offered anew.
                    Some(refused) => self.refused.extend(refused),
                    None => {}
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
        // What was not asked for would change the meaning of lines behind our back.
        let asked = self.asked.iter().flatten().any(|asked| &**asked == name);
        asked && self.enabled.insert(name.into())
    }

    /// All that may be asked for, in that order.
    fn wanted(&self) -> Vec<Box<str>> {
        let sasl = self.want_sasl.then_some("sasl");
        let added = self.wishes.added().filter(|name| !WANTED.contains(name));
        let all = WANTED.into_iter().chain(added).chain(sasl);
        let is_out = |name: &&str| self.wishes.removes(name) || self.left_out.contains(name);
        all.filter(|name| !is_out(name)).map(Into::into).collect()
    }

    /// Whether a capability is there, and all that it needs.
    fn is_useful(&self, name: &str) -> bool {
        let is_there = |name: &str| self.offered.contains_key(name) && !self.wishes.removes(name);
        is_there(name) && needs(name).iter().copied().all(is_there)
    }

    fn offer<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for entry in names {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            self.refused.remove(name);
            if self.offered.len() < MOST_OFFERED || self.offered.contains_key(name) {
                self.offered.insert(name.into(), value.into());
            }
        }
    }

    /// Asks for all that is wanted, useful, and neither in force nor asked for; and takes back what no longer is.
    fn request(&mut self, lines: &mut Vec<Line>) {
        if self.is_reading {
            return;
        }
        let wanted = self.wanted();
        let is_pending =
            |asked: &VecDeque<Vec<Box<str>>>, name: &str| asked.iter().flatten().any(|one| &**one == name);
        let falls = |name: &str| !wanted.iter().any(|wanted| &**wanted == name) || !self.is_useful(name);
        let gone: Vec<Box<str>> = self.enabled.iter().filter(|name| falls(name)).cloned().collect();
        let mut request: Vec<Box<str>> = Vec::new();
        for name in gone {
            // From now on it means nothing here, whatever the server says to that.
            self.enabled.remove(&name);
            if self.offered.contains_key(&name) {
                request.push(format!("-{name}").into());
            }
        }
        let is_new = |name: &str| {
            let is_settled = self.enabled.contains(name) || self.refused.contains(name);
            self.is_useful(name) && !is_settled && !is_pending(&self.asked, name)
        };
        request.extend(wanted.iter().filter(|name| is_new(name)).cloned());
        let mut bytes = 0;
        let mut part = Vec::new();
        for name in request {
            if bytes + name.len() + 1 > REQUEST_BYTES {
                self.ask(std::mem::take(&mut part), lines);
                bytes = 0;
            }
            bytes += name.len() + 1;
            part.push(name);
        }
        if !part.is_empty() {
            self.ask(part, lines);
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
    use rstest::rstest;

    fn cap(caps: &mut Capabilities, line: &str) -> (CapStep, Vec<String>) {
        let params =
            super::super::wire::Message::parse(line).map(|message| message.params).unwrap_or_default();
        let mut lines = Vec::new();
        let step = caps.handle(&params, &mut lines);
        (step, lines.iter().map(|line| line.as_str().to_owned()).collect())
    }

    #[test]
    fn a_list_of_several_lines_gives_one_request() {
        let mut caps = Capabilities::new(true, CapabilityWishes::default());
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
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        assert_eq!(cap(&mut caps, "CAP * LS :sasl batch").1, ["CAP REQ :batch"]);
    }

    #[test]
    fn a_server_that_offers_nothing_is_settled_at_once() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        assert_eq!(cap(&mut caps, "CAP * LS :"), (CapStep::Settled, vec![]));
    }

    #[test]
    fn an_answer_in_several_lines_is_one_answer() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, "CAP * LS :batch setname");
        assert_eq!(cap(&mut caps, "CAP me ACK :batch").0, CapStep::Wait);
        assert_eq!(cap(&mut caps, "CAP me ACK :setname").0, CapStep::Settled);
    }

    #[test]
    fn after_a_refusal_each_is_asked_for_alone_and_only_once() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, "CAP * LS :batch setname");
        let (step, lines) = cap(&mut caps, "CAP me NAK :batch setname");
        assert_eq!((step, lines.len()), (CapStep::Wait, 2));
        assert_eq!(cap(&mut caps, "CAP me NAK :batch"), (CapStep::Wait, vec![]));
        assert_eq!(cap(&mut caps, "CAP me ACK :setname"), (CapStep::Settled, vec![]));
        assert!(caps.enabled("setname") && !caps.enabled("batch"));
    }

    #[test]
    fn capabilities_come_and_go_later() {
        let mut caps = Capabilities::new(true, CapabilityWishes::default());
        cap(&mut caps, "CAP * LS :batch");
        cap(&mut caps, "CAP me ACK :batch");
        let (step, lines) = cap(&mut caps, "CAP me NEW :sasl=PLAIN chghost");
        assert_eq!((step, lines), (CapStep::SaslOffered, vec!["CAP REQ :chghost sasl".to_owned()]));
        assert_eq!(cap(&mut caps, "CAP me DEL :sasl batch").0, CapStep::SaslWithdrawn);
        assert!(!caps.enabled("batch") && caps.offered("sasl").is_none());
    }

    #[rstest]
    #[case::labels("batch", "CAP REQ :-draft/chathistory -labeled-response")]
    #[case::history("server-time", "CAP REQ :-draft/chathistory")]
    #[case::nothing("setname", "")]
    fn what_depends_on_another_falls_with_it_and_comes_back(#[case] gone: &str, #[case] request: &str) {
        let all = "server-time message-tags batch setname labeled-response draft/chathistory";
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, &format!("CAP * LS :{all}"));
        cap(&mut caps, &format!("CAP me ACK :{all}"));
        let lines = cap(&mut caps, &format!("CAP me DEL :{gone}")).1;
        assert_eq!(lines.join("\n"), request);
        let fallen: Vec<&str> = request.split(['-', ' ', ':']).filter(|name| all.contains(name)).collect();
        let still = |caps: &Capabilities, name: &&str| caps.enabled(name);
        assert!(!fallen.iter().any(|name| !name.is_empty() && still(&caps, name)), "{fallen:?}");
        if !request.is_empty() {
            assert_eq!(cap(&mut caps, &format!("CAP me ACK :{}", &request[9..])), (CapStep::Settled, vec![]));
        }
        let lines = cap(&mut caps, &format!("CAP me NEW :{gone}")).1;
        let asked: Vec<&str> = lines[0].trim_start_matches("CAP REQ :").split(' ').collect();
        assert_eq!(cap(&mut caps, &format!("CAP me ACK :{}", asked.join(" "))).0, CapStep::Settled);
        assert!(all.split(' ').all(|name| caps.enabled(name)), "{asked:?}");
    }

    #[test]
    fn a_refusal_to_end_one_changes_nothing() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, "CAP * LS :batch message-tags labeled-response");
        cap(&mut caps, "CAP me ACK :message-tags batch labeled-response");
        assert_eq!(cap(&mut caps, "CAP me DEL :message-tags").1, ["CAP REQ :-labeled-response"]);
        assert_eq!(cap(&mut caps, "CAP me NAK :-labeled-response"), (CapStep::Settled, vec![]));
        assert!(!caps.enabled("labeled-response") && caps.enabled("batch"));
    }

    #[test]
    fn what_is_taken_back_before_it_was_granted_is_not_in_force() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, "CAP * LS :batch message-tags labeled-response");
        assert_eq!(cap(&mut caps, "CAP me DEL :batch").1, Vec::<String>::new());
        let (step, lines) = cap(&mut caps, "CAP me ACK :message-tags batch labeled-response");
        assert_eq!((step, lines), (CapStep::Wait, vec!["CAP REQ :-labeled-response".to_owned()]));
        assert!(!caps.enabled("batch") && !caps.enabled("labeled-response"));
    }

    #[test]
    fn a_user_adds_and_removes_also_on_a_connection() {
        let wishes = |text: &str| text.parse::<CapabilityWishes>().unwrap();
        let mut caps = Capabilities::new(false, wishes("-setname +draft/x"));
        let lines = cap(&mut caps, "CAP * LS :batch setname draft/x draft/y").1;
        assert_eq!(lines, ["CAP REQ :batch draft/x"]);
        cap(&mut caps, "CAP me ACK :batch draft/x");
        let mut lines = Vec::new();
        caps.set_wishes(wishes("+draft/y -batch"), &mut lines);
        let lines: Vec<_> = lines.iter().map(Line::as_str).collect();
        assert_eq!(lines, ["CAP REQ :-batch -draft/x setname draft/y"]);
        cap(&mut caps, "CAP me ACK :-batch -draft/x setname draft/y");
        assert_eq!(caps.in_force().collect::<Vec<_>>(), ["draft/y", "setname"]);
    }

    #[test]
    fn what_was_not_asked_for_is_not_in_force() {
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        cap(&mut caps, "CAP me ACK :draft/event-playback evil");
        assert!(!caps.enabled("draft/event-playback") && !caps.enabled("evil"));
    }

    #[test]
    fn what_is_of_no_use_alone_is_not_asked_for_alone() {
        let all = "echo-message labeled-response draft/chathistory znc.in/playback";
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        assert_eq!(cap(&mut caps, &format!("CAP * LS :{all}")).1, ["CAP REQ :echo-message"]);
        let mut caps = Capabilities::new(false, CapabilityWishes::default());
        let (_, lines) = cap(&mut caps, &format!("CAP * LS :batch server-time message-tags {all}"));
        assert_eq!(lines, [format!("CAP REQ :server-time message-tags batch {all}")]);
    }

    #[test]
    fn every_request_fits_a_line() {
        let mut caps = Capabilities::new(true, CapabilityWishes::default());
        let (_, lines) = cap(&mut caps, &format!("CAP * LS :{} sasl", WANTED.join(" ")));
        assert!(lines.iter().all(|line| line.len() <= 510));
    }
}
