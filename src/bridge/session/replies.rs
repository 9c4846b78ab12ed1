//! Standard replies in plain words, where the user is: in the room of what they are about.
//!
//! Those that are the fate of a message or the answer to a request never come here: they are told there.
//!
//! Spec: `IRCv3` "Standard Replies".

use super::Actor;
use crate::format::strip_irc;
use crate::irc::session::{ReplyKind, StandardReply};

impl Actor {
    pub(super) fn on_standard_reply(&mut self, reply: &StandardReply) {
        if reply.command.as_deref() == Some("MARKREAD") {
            // The user has only read something.
            tracing::debug!(code = %reply.code, text = %reply.text, "the server keeps no read marker");
            return;
        }
        let text = in_words(reply);
        match reply.context.iter().find_map(|word| self.buffers.find(word)) {
            Some(place) => self.tell_buffer(place, &text),
            None => self.say(crate::format::RichText::plain(text)),
        }
    }
}

fn in_words(reply: &StandardReply) -> String {
    let about = reply.command.as_deref().map(strip_irc).unwrap_or_default();
    let subject = match (reply.kind, about.as_str()) {
        (ReplyKind::Fail, "") => "The server refuses".to_owned(),
        (ReplyKind::Fail, about) => format!("The server refuses {about}"),
        (ReplyKind::Warn, "") => "The server warns".to_owned(),
        (ReplyKind::Warn, about) => format!("The server warns about {about}"),
        (ReplyKind::Note, "") => "The server says".to_owned(),
        (ReplyKind::Note, about) => format!("The server says about {about}"),
    };
    // The code is for programs, but where there is no sentence it is all that was said.
    let said = strip_irc(if reply.text.is_empty() { &reply.code } else { &reply.text });
    if said.is_empty() { format!("{subject}.") } else { format!("{subject}: {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::fail(
        ReplyKind::Fail,
        Some("REDACT"),
        "TOO_OLD",
        "It is too old",
        "The server refuses REDACT: It is too old"
    )]
    #[case::without_a_sentence(
        ReplyKind::Fail,
        Some("JOIN"),
        "TOO_MANY",
        "",
        "The server refuses JOIN: TOO_MANY"
    )]
    #[case::with_nothing(ReplyKind::Fail, None, "", "", "The server refuses.")]
    #[case::warning(
        ReplyKind::Warn,
        Some("REHASH"),
        "CERTS",
        "They expired",
        "The server warns about REHASH: They expired"
    )]
    #[case::warning_of_all(
        ReplyKind::Warn,
        None,
        "LOW",
        "Low on \x02memory",
        "The server warns: Low on memory"
    )]
    #[case::note(ReplyKind::Note, None, "MAINTENANCE", "Down at nine", "The server says: Down at nine")]
    #[case::note_on_a_command(
        ReplyKind::Note,
        Some("OPER"),
        "X",
        "As you wish",
        "The server says about OPER: As you wish"
    )]
    fn a_reply_is_told_in_words(
        #[case] kind: ReplyKind,
        #[case] command: Option<&str>,
        #[case] code: &str,
        #[case] text: &str,
        #[case] words: &str,
    ) {
        let (command, code, text) = (command.map(str::to_owned), code.to_owned(), text.to_owned());
        let reply = StandardReply { kind, command, code, context: Vec::new(), text };
        assert_eq!(in_words(&reply), words);
    }
}
