//! Labelled responses: what a client gets for a labelled line is held until the line is done, and goes out as one
//! answer: a tagged line, a batch, or `ACK` (IRCv3, "Labeled Responses").

use super::network::{ClientId, Network};

/// A line with its tags, not sent yet.
pub(super) struct Reply {
    pub(super) tags: Vec<String>,
    /// `:source COMMAND …`, without CR LF.
    pub(super) body: String,
}

impl Reply {
    pub(super) fn text(&self) -> String {
        let tags = if self.tags.is_empty() { String::new() } else { format!("@{} ", self.tags.join(";")) };
        format!("{tags}{}\r\n", self.body)
    }

    /// The reference of the batch that this begins.
    fn begins(&self) -> Option<&str> {
        self.body.split(' ').nth(2)?.strip_prefix('+').filter(|_| self.body.contains(" BATCH +"))
    }
}

/// The answer to a labelled line, in the making.
pub(super) struct Answer {
    pub(super) to: ClientId,
    label: String,
    pub(super) replies: Vec<Reply>,
}

impl Network {
    /// Does what a client says, and labels the answer where it is asked to.
    pub(super) fn handle(&mut self, id: ClientId, text: &str) {
        let tags = text.strip_prefix('@').and_then(|text| text.split(' ').next()).unwrap_or_default();
        let label =
            tags.split(';').find_map(|tag| tag.strip_prefix("label=")).filter(|label| !label.is_empty());
        let Some(label) = label.filter(|_| self.clients[&id].has("labeled-response")) else {
            return self.obey(id, text);
        };
        // A batch is answered when it is whole.
        if text.contains(" BATCH +") {
            self.obey(id, text);
            if let Some(batch) = &mut self.client(id).batch {
                batch.label = Some(label.to_owned());
            }
            return;
        }
        self.label(id, label);
        self.obey(id, text);
        self.answer_label();
    }

    /// What comes for this client is the answer to a label, from now on …
    pub(super) fn label(&mut self, id: ClientId, label: &str) {
        self.answer = Some(Answer { to: id, label: label.to_owned(), replies: Vec::new() });
    }

    /// … until here.
    pub(super) fn answer_label(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.send_answer(answer);
        }
    }

    fn send_answer(&mut self, answer: Answer) {
        let Answer { to, label, mut replies } = answer;
        let label = format!("label={label}");
        match &mut replies[..] {
            [] => replies.push(Reply { tags: vec![label], body: ":fake.irc ACK".into() }),
            [only] => only.tags.push(label),
            // An answer that is one batch needs none around it.
            [first, .., last]
                if first.begins().is_some_and(|one| last.body.ends_with(&format!(" -{one}"))) =>
            {
                first.tags.push(label);
            }
            _ => {
                let reference = self.batch_reference();
                for reply in &mut replies {
                    if !reply.tags.iter().any(|tag| tag.starts_with("batch=")) {
                        reply.tags.push(format!("batch={reference}"));
                    }
                }
                let begin = format!(":fake.irc BATCH +{reference} labeled-response");
                replies.insert(0, Reply { tags: vec![label], body: begin });
                replies.push(Reply { tags: Vec::new(), body: format!(":fake.irc BATCH -{reference}") });
            }
        }
        replies.iter().for_each(|reply| self.send(to, reply));
    }

    /// A new name for a batch.
    pub(super) fn batch_reference(&mut self) -> String {
        self.batches += 1;
        format!("b{}", self.batches)
    }
}
