//! Messages of several lines (IRCv3, "Multiline messages", a draft): batches that clients send, relayed as batches to
//! those that know them, and line by line to others.

use super::commands::Line;
use super::labels::Reply;
use super::network::{ClientId, Network, Silence, Stamp};

/// A batch that a client has begun.
pub(super) struct Batch {
    reference: String,
    target: String,
    tags: String,
    pub(super) label: Option<String>,
    /// Its lines, each with whether it goes on with the one before.
    lines: Vec<(bool, String)>,
}

impl Network {
    /// `BATCH +reference draft/multiline target`, `BATCH -reference`.
    pub(super) fn client_batch(&mut self, id: ClientId, line: &Line<'_>) {
        let text = line.params.first().copied().unwrap_or_default();
        if let Some(reference) = text.strip_prefix('+') {
            let target = line.params.get(2).copied().unwrap_or_default().to_owned();
            let (reference, tags) = (reference.to_owned(), line.tags.to_owned());
            self.client(id).batch = Some(Batch { reference, target, tags, label: None, lines: Vec::new() });
        } else if let Some(batch) = self.client(id).batch.take() {
            assert_eq!(text, format!("-{}", batch.reference), "another batch ends than has begun");
            if let Some(label) = &batch.label {
                self.label(id, label);
            }
            self.relay_batch(id, &batch);
            self.answer_label();
        }
    }

    /// A line of a batch.
    pub(super) fn batch_line(&mut self, id: ClientId, line: &Line<'_>) {
        let [target, text] = line.params[..] else { panic!("a line of a batch without a text") };
        let joins = line.tags.split(';').any(|tag| tag == "draft/multiline-concat");
        let Some(batch) = &mut self.client(id).batch else {
            return self.deliver(id, "fake.irc", "", "FAIL BATCH MULTILINE_INVALID :No batch is open");
        };
        assert!(line.tags.contains(&format!("batch={}", batch.reference)) && batch.target == target);
        batch.lines.push((joins, format!("PRIVMSG {target} :{text}")));
    }

    fn relay_batch(&mut self, id: ClientId, batch: &Batch) {
        let limit = |name: &str| {
            let offered =
                self.options.capabilities.iter().find_map(|one| one.strip_prefix("draft/multiline="))?;
            offered
                .split(',')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
        };
        let head = format!("PRIVMSG {} :", batch.target).len();
        let bytes: usize =
            batch.lines.iter().map(|(joins, line)| line.len() - head + usize::from(!joins)).sum();
        let failure = match self.faults.refuses_multiline {
            Some(code) => Some(code.to_owned()),
            None if limit("max-bytes").is_none() => Some("MULTILINE_INVALID".into()),
            None if limit("max-bytes").is_some_and(|most| bytes - 1 > most) => {
                Some("MULTILINE_MAX_BYTES 1".into())
            }
            None if limit("max-lines").is_some_and(|most| batch.lines.len() > most) => {
                Some("MULTILINE_MAX_LINES 1".into())
            }
            None => None,
        };
        if let Some(code) = failure {
            return self.deliver(id, "fake.irc", "", &format!("FAIL BATCH {code} :Not so many lines"));
        }
        let Some(recipients) = self.recipients(id, &batch.target, true) else { return };
        let (source, stamp) = (self.clients[&id].source(), self.stamp());
        let account = self.clients[&id].account.clone();
        let answer = self.answer.take();
        for to in recipients {
            self.deliver_message(to, &source, account.as_deref(), &batch.tags, &batch.lines, stamp, None);
        }
        self.answer = answer;
        if self.clients[&id].has("echo-message") && self.faults.silence != Silence::Echoes {
            self.deliver_message(id, &source, account.as_deref(), &batch.tags, &batch.lines, stamp, None);
        }
        self.remember(id, &batch.target, stamp, &batch.tags, &batch.lines);
    }

    /// A message of one line or several, as this client gets it.
    #[expect(clippy::too_many_arguments, reason = "as `deliver_stamped`")]
    pub(super) fn deliver_message(
        &mut self,
        to: ClientId,
        source: &str,
        account: Option<&str>,
        tags: &str,
        lines: &[(bool, String)],
        stamp: Stamp,
        around: Option<&str>,
    ) {
        if lines.len() == 1 || !self.clients[&to].has("draft/multiline") {
            for (_, line) in lines.iter().filter(|(_, line)| !line.ends_with(" :")) {
                self.deliver_stamped(to, source, account, tags, line, stamp, around);
            }
            return;
        }
        let reference = self.batch_reference();
        let target = lines[0].1.split(' ').nth(1).unwrap_or_default().to_owned();
        let begin = format!("BATCH +{reference} draft/multiline {target}");
        self.deliver_stamped(to, source, account, tags, &begin, stamp, around);
        for (joins, line) in lines {
            let mut tags = vec![format!("batch={reference}")];
            tags.extend(joins.then(|| "draft/multiline-concat".to_owned()));
            self.answer_or_send(to, Reply { tags, body: format!(":{source} {line}") });
        }
        let end = Reply { tags: Vec::new(), body: format!(":fake.irc BATCH -{reference}") };
        self.answer_or_send(to, end);
    }

    fn answer_or_send(&mut self, to: ClientId, reply: Reply) {
        match &mut self.answer {
            Some(answer) if answer.to == to => answer.replies.push(reply),
            _ => self.send(to, &reply),
        }
    }
}
