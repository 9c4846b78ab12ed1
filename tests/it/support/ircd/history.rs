//! What was said, and `CHATHISTORY`, by which clients get it (IRCv3, "chathistory", a draft).
//!
//! Kept for each channel and each pair of nicks, whoever is there. Who asks about a channel has to be in it.

use std::sync::Arc;

use super::network::{ClientId, Network, Stall, Stamp};

/// A message that was said.
#[derive(Clone)]
pub(super) struct Said {
    stamp: Stamp,
    source: String,
    account: Option<String>,
    tags: String,
    /// Its lines, each with whether it goes on with the one before.
    lines: Vec<(bool, String)>,
}

/// What is wrong with a request: the code, and what it is about.
struct Failure(&'static str, String);

/// Where a request begins or ends.
enum Mark {
    /// The message at this place.
    At(usize),
    /// A message id that is not in this history.
    Unknown,
    Time(i64),
}

impl Network {
    fn keeps_history(&self) -> bool {
        self.offers("draft/chathistory")
    }

    /// Notes what a client said to a channel or a nick.
    pub(super) fn remember(
        &mut self,
        id: ClientId,
        target: &str,
        stamp: Stamp,
        tags: &str,
        lines: &[(bool, String)],
    ) {
        if self.keeps_history() && !lines[0].1.starts_with("TAGMSG") {
            let key = self.history_key(id, target);
            let source = self.clients[&id].source();
            let account = self.clients[&id].account.clone();
            let said = Said { stamp, source, account, tags: tags.into(), lines: lines.to_vec() };
            Arc::make_mut(self.history.entry(key).or_default()).push(said);
        }
    }

    /// The same of what a client said under another name.
    pub(super) fn remember_as(&mut self, id: ClientId, source: &str, target: &str, stamp: Stamp, said: &str) {
        if self.keeps_history() {
            let (key, lines) = (self.history_key(id, target), vec![(false, said.to_owned())]);
            let said = Said { stamp, source: source.to_owned(), account: None, tags: String::new(), lines };
            Arc::make_mut(self.history.entry(key).or_default()).push(said);
        }
    }

    /// `REDACT target msgid [:reason]`: of one's own messages, and as an operator of all.
    pub(super) fn redact(&mut self, id: ClientId, params: &[&str]) {
        let [target, msgid, ..] = params[..] else {
            return self.numeric(id, 461, "REDACT :Not enough parameters");
        };
        let key = self.history_key(id, target);
        let source = self.clients[&id].source();
        let said = self.history.get(&key).and_then(|said| said.iter().position(|said| said.stamp.is(msgid)));
        let fail = |code: &str| format!("FAIL REDACT {code} {target} {msgid} :It can't be deleted");
        let Some(at) = said else { return self.deliver(id, "fake.irc", "", &fail("UNKNOWN_MSGID")) };
        let member = self.channel(target).and_then(|channel| channel.members.get(&id));
        let is_operator = member.is_some_and(|modes| modes.contains(&'o'));
        if self.history[&key][at].source != source && !is_operator {
            return self.deliver(id, "fake.irc", "", &fail("REDACT_FORBIDDEN"));
        }
        Arc::make_mut(self.history.get_mut(&key).expect("it was found there")).remove(at);
        let Some(recipients) = self.recipients(id, target, true) else { return };
        let told = recipients.into_iter().chain([id]);
        let told: Vec<ClientId> = told.filter(|to| self.clients[to].has("draft/message-redaction")).collect();
        let reason = params.get(2).map(|reason| format!(" :{reason}")).unwrap_or_default();
        self.deliver_to(told, &source, "", &format!("REDACT {target} {msgid}{reason}"));
    }

    /// The id of the last message that holds this text.
    pub(super) fn msgid_of(&self, text: &str) -> Option<String> {
        let all = self.history.values().flat_map(|said| said.iter());
        let found = all.filter(|said| said.lines.iter().any(|(_, line)| line.contains(text)));
        found.max_by_key(|said| said.stamp.time).map(|said| said.stamp.msgid())
    }

    /// A channel's name, or both nicks of a conversation.
    fn history_key(&self, id: ClientId, target: &str) -> String {
        let target = self.fold(target);
        if self.is_channel(&target) {
            return target;
        }
        let mut nicks = [self.fold(self.clients[&id].nick()), target];
        nicks.sort();
        nicks.join(" ")
    }

    /// `CHATHISTORY subcommand …`.
    pub(super) fn chathistory(&mut self, id: ClientId, params: &[&str]) {
        if !self.keeps_history() {
            return self.numeric(id, 421, "CHATHISTORY :Unknown command");
        }
        if self.faults.stalls.contains(&Stall::History) {
            // Not even the label is answered.
            self.answer = None;
            return;
        }
        let subcommand = params.first().copied().unwrap_or("*").to_ascii_uppercase();
        let answer = match (subcommand.as_str(), params.get(1..).unwrap_or_default()) {
            ("TARGETS", [from, to, limit]) => self.list_targets(id, from, to, limit),
            ("AFTER" | "BEFORE" | "LATEST", [target, mark, limit]) => {
                self.send_history(id, &subcommand, target, &[mark], limit)
            }
            ("BETWEEN", [target, from, to, limit]) => {
                self.send_history(id, &subcommand, target, &[from, to], limit)
            }
            ("AFTER" | "BEFORE" | "LATEST" | "BETWEEN" | "TARGETS", _) => {
                Err(Failure("NEED_MORE_PARAMS", subcommand.clone()))
            }
            _ => Err(Failure("UNKNOWN_COMMAND", subcommand.clone())),
        };
        if let Err(Failure(code, about)) = answer {
            let line = format!("FAIL CHATHISTORY {code} {about} :Messages could not be retrieved");
            self.deliver(id, "fake.irc", "", &line);
        }
    }

    fn send_history(
        &mut self,
        id: ClientId,
        subcommand: &str,
        target: &str,
        marks: &[&str],
        limit: &str,
    ) -> Result<(), Failure> {
        let about = format!("{subcommand} {target}");
        let inside = self.channel(target).is_some_and(|channel| channel.members.contains_key(&id));
        if self.is_channel(target) && !inside {
            return Err(Failure("INVALID_TARGET", about));
        }
        let limit = self.limit(limit).ok_or_else(|| Failure("INVALID_PARAMS", about.clone()))?;
        let said = self.history.get(&self.history_key(id, target)).cloned().unwrap_or_default();
        let wholly = subcommand == "LATEST" && marks == ["*"];
        let marks: Vec<Mark> = if wholly {
            Vec::new()
        } else {
            let read = |mark: &&str| self.mark(&said, mark).map_err(|code| Failure(code, about.clone()));
            marks.iter().map(read).collect::<Result<_, _>>()?
        };
        if marks.iter().any(|mark| matches!(mark, Mark::Unknown)) {
            return Err(Failure("MESSAGE_ERROR", about));
        }
        let after = |mark: &Mark, place: usize| match mark {
            Mark::At(at) => place > *at,
            Mark::Unknown => false,
            Mark::Time(time) => said[place].stamp.time > *time,
        };
        let before = |mark: &Mark, place: usize| match mark {
            Mark::At(at) => place < *at,
            Mark::Unknown => false,
            Mark::Time(time) => said[place].stamp.time < *time,
        };
        // From the beginning on, or back from the end.
        let (onwards, wanted): (bool, Vec<usize>) = match (subcommand, &marks[..]) {
            ("AFTER", [mark]) => (true, (0..said.len()).filter(|at| after(mark, *at)).collect()),
            ("BEFORE", [mark]) => (false, (0..said.len()).filter(|at| before(mark, *at)).collect()),
            ("BETWEEN", [from, to]) => {
                let within = |from: &Mark, to: &Mark| -> Vec<usize> {
                    (0..said.len()).filter(|at| after(from, *at) && before(to, *at)).collect()
                };
                let onwards = within(from, to);
                if onwards.is_empty() { (false, within(to, from)) } else { (true, onwards) }
            }
            (_, [mark]) => (false, (0..said.len()).filter(|at| after(mark, *at)).collect()),
            _ => (false, (0..said.len()).collect()),
        };
        let surplus = wanted.len().saturating_sub(limit);
        let given = if onwards { &wanted[..wanted.len() - surplus] } else { &wanted[surplus..] };
        let batch = self.begin_batch(id, &format!("chathistory {target}"));
        for place in given {
            let Said { stamp, source, account, tags, lines } = &said[*place];
            self.deliver_message(id, source, account.as_deref(), tags, lines, *stamp, batch.as_deref());
        }
        self.end_batch(id, batch);
        Ok(())
    }

    /// `CHATHISTORY TARGETS`: where something was said between two times, and when last.
    fn list_targets(&mut self, id: ClientId, from: &str, to: &str, limit: &str) -> Result<(), Failure> {
        let failure = || Failure("INVALID_PARAMS", "TARGETS".into());
        let time = |text: &str| text.strip_prefix("timestamp=").and_then(parse_time).ok_or_else(failure);
        let (from, to) = (time(from)?, time(to)?);
        let limit = self.limit(limit).ok_or_else(failure)?;
        let own = self.fold(self.clients[&id].nick());
        let name = |key: &String| match key.split_once(' ') {
            None => {
                let channel = self.channels.get(key).filter(|channel| channel.members.contains_key(&id));
                channel.map(|channel| channel.name.clone())
            }
            Some((one, other)) if one == own => Some(other.to_owned()),
            Some((one, other)) => (other == own).then(|| one.to_owned()),
        };
        let last = |said: &Vec<Said>| said.last().map(|said| said.stamp.time);
        let within = |time: &i64| from.min(to) < *time && *time < from.max(to);
        let mut found: Vec<(i64, String)> = self
            .history
            .iter()
            .filter_map(|(key, said)| Some((last(said).filter(within)?, name(key)?)))
            .collect();
        found.sort();
        if from > to {
            found.reverse();
        }
        let batch = self.begin_batch(id, "draft/chathistory-targets");
        for (time, target) in found.into_iter().take(limit) {
            let time = jiff::Timestamp::from_millisecond(time).unwrap();
            let line = format!("CHATHISTORY TARGETS {target} {time:.3}");
            let stamp = self.stamp();
            self.deliver_stamped(id, "fake.irc", None, "", &line, stamp, batch.as_deref());
        }
        self.end_batch(id, batch);
        Ok(())
    }

    fn limit(&self, text: &str) -> Option<usize> {
        let most = self.isupport("CHATHISTORY").and_then(|limit| limit.parse().ok()).filter(|most| *most > 0);
        text.parse().ok().filter(|limit| *limit > 0).map(|limit: usize| limit.min(most.unwrap_or(usize::MAX)))
    }

    /// Reads `msgid=…` or `timestamp=…`.
    fn mark(&self, said: &[Said], text: &str) -> Result<Mark, &'static str> {
        let (kind, value) = text.split_once('=').ok_or("INVALID_PARAMS")?;
        if self.isupport("MSGREFTYPES").is_some_and(|kinds| !kinds.split(',').any(|one| one == kind)) {
            return Err("INVALID_MSGREFTYPE");
        }
        match kind {
            "msgid" => {
                let at = said.iter().position(|said| said.stamp.is(value));
                Ok(at.map_or(Mark::Unknown, Mark::At))
            }
            "timestamp" => parse_time(value).map(Mark::Time).ok_or("INVALID_PARAMS"),
            _ => Err("INVALID_MSGREFTYPE"),
        }
    }

    /// Begins a batch for a client that knows what that is.
    fn begin_batch(&mut self, id: ClientId, kind: &str) -> Option<String> {
        self.clients[&id].has("batch").then(|| {
            let reference = self.batch_reference();
            self.deliver(id, "fake.irc", "", &format!("BATCH +{reference} {kind}"));
            reference
        })
    }

    fn end_batch(&mut self, id: ClientId, batch: Option<String>) {
        if let Some(reference) = batch {
            self.deliver(id, "fake.irc", "", &format!("BATCH -{reference}"));
        }
    }
}

fn parse_time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
