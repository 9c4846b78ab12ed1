//! The content of an `m.room.message`.
//!
//! Spec: Matrix, "Instant messaging", "Rich replies", "Event replacements", "Threading", "User and room mentions";
//! MSC4144 "Per-message profiles".

use std::borrow::Cow;

use serde_json::Value;

use super::attachment::Attachment;
use super::{event_id_in, wordless};

/// Mentions that are read of a message.
const MOST_MENTIONS: usize = 50;

/// An `m.room.message`.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// `m.text`, `m.emote`, `m.notice` …
    pub kind: String,
    /// The plain text, without a reply's fallback. With a file it is what was written to it, if anything.
    pub body: String,
    /// The same as HTML, a reply's fallback included.
    pub html: Option<String>,
    /// The file that it brings.
    pub attachment: Option<Box<Attachment>>,
    /// The users whom it mentions on purpose.
    pub mentions: Vec<String>,
    /// The event that it replaces.
    pub replaces: Option<String>,
    /// The event that it answers.
    pub replies_to: Option<String>,
    /// The event that began the thread that it belongs to.
    pub thread: Option<String>,
    /// It is no message, and the body says what it is.
    pub is_wordless: bool,
    /// The name that its sender goes by in it, if it says one.
    pub profile: Option<String>,
    /// That name stands before what it says, for clients that don't know such names.
    pub has_profile_fallback: bool,
}

impl Message {
    /// Reads a content. A field of the wrong type is a missing field.
    pub(super) fn read(content: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let relation = &content["m.relates_to"];
        let related =
            |kind: &str| event_id_in(&relation["event_id"]).filter(|_| relation["rel_type"] == kind);
        let replaces = related("m.replace");
        // A thread's fallback looks like a reply and is none.
        let falling_back = relation["is_falling_back"].as_bool().unwrap_or(false);
        let replies_to = event_id_in(&relation["m.in_reply_to"]["event_id"]).filter(|_| !falling_back);
        // An edit's own body is a fallback for clients that don't know edits.
        let shown = if replaces.is_some() && content["m.new_content"].is_object() {
            &content["m.new_content"]
        } else {
            content
        };
        let body = shown["body"].as_str().unwrap_or_default();
        let body = if relation["m.in_reply_to"].is_object() { without_fallback(body) } else { body };
        let html = text(&shown["formatted_body"]).filter(|_| shown["format"] == "org.matrix.custom.html");
        let kind = shown["msgtype"].as_str().unwrap_or_default();
        // A place is told in words.
        let place = (kind == "m.location").then(|| wordless::place(shown)).flatten();
        let (kind, body) = place.as_deref().map_or((kind, body), |place| ("m.text", place));
        let attachment = Attachment::read(shown).map(Box::new);
        let profiles = ["m.per_message_profile", "com.beeper.per_message_profile"].iter();
        let mut profiles = profiles.flat_map(|key| [&shown[*key], &content[*key]]);
        let profile = profiles.find(|profile| profile.is_object());
        // Where nothing is written to a file, the body is its name.
        let is_name = attachment.as_ref().is_some_and(|file| !file.has_caption);
        let (body, html) = if is_name { ("", None) } else { (body, html) };
        let mentions = shown["m.mentions"]["user_ids"].as_array().into_iter().flatten();
        Self {
            kind: kind.to_owned(),
            body: body.to_owned(),
            html,
            attachment,
            mentions: mentions.filter_map(text).take(MOST_MENTIONS).collect(),
            replaces,
            replies_to,
            thread: related("m.thread"),
            is_wordless: false,
            profile: profile.and_then(|profile| text(&profile["displayname"])),
            has_profile_fallback: profile.is_some_and(|profile| profile["has_fallback"] == true),
        }
    }

    /// The message without the name that its sender goes by in it, where that is wanted and stands in its text.
    pub fn without_profile(&self, is_wanted: bool) -> Cow<'_, Self> {
        let name = self.profile.as_ref().filter(|_| is_wanted && self.has_profile_fallback);
        let Some(name) = name else { return Cow::Borrowed(self) };
        let mut message = self.clone();
        if let Some(body) = self.body.strip_prefix(&format!("{name}: ")) {
            body.clone_into(&mut message.body);
        }
        let html = self.html.as_deref().and_then(|html| {
            let (before, behind) = html.split_once("<strong data-mx-profile-fallback")?;
            let (_, rest) = behind.split_once("</strong>")?;
            Some(format!("{before}{rest}"))
        });
        if html.is_some() {
            message.html = html;
        }
        Cow::Owned(message)
    }
}

/// The body of a reply without the quotation that old clients put before it (specification before v1.13).
fn without_fallback(body: &str) -> &str {
    if !body.starts_with("> ") {
        return body;
    }
    let mut rest = body;
    while rest.starts_with("> ") || rest.starts_with(">\n") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    match rest.strip_prefix('\n') {
        Some(text) if !text.is_empty() => text,
        // No empty line after the quotation: the person quotes by hand.
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::plain(json!({"msgtype": "m.text", "body": "hi"}), "hi", false)]
    #[case::fallback_is_stripped(json!({"msgtype": "m.text", "body": "> <@b:x> old\n> more\n\nnew",
        "m.relates_to": {"m.in_reply_to": {"event_id": "$o"}}}), "new", true)]
    #[case::hand_made_quotation_stays(json!({"msgtype": "m.text", "body": "> quoted\nand mine",
        "m.relates_to": {"m.in_reply_to": {"event_id": "$o"}}}), "> quoted\nand mine", true)]
    #[case::quotation_without_relation_stays(json!({"msgtype": "m.text", "body": "> a\n\nb"}), "> a\n\nb", false)]
    #[case::thread_fallback_is_no_reply(json!({"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread",
        "event_id": "$r", "is_falling_back": true, "m.in_reply_to": {"event_id": "$o"}}}), "x", false)]
    #[case::nothing_of_the_right_type(json!({"msgtype": 1, "body": [], "m.relates_to": "x", "formatted_body": 1,
        "m.mentions": [1]}), "", false)]
    fn messages_are_read_leniently(#[case] content: Value, #[case] body: &str, #[case] reply: bool) {
        let message = Message::read(&content);
        assert_eq!((message.body.as_str(), message.replies_to.is_some()), (body, reply));
    }

    #[test]
    fn an_edit_is_read_from_its_new_content() {
        let new = json!({"msgtype": "m.text", "body": "new", "format": "org.matrix.custom.html",
            "formatted_body": "<b>new</b>", "m.mentions": {"user_ids": ["@b:x"]}});
        let message = Message::read(&json!({"msgtype": "m.text", "body": "* new", "m.new_content": new,
            "m.mentions": {}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$o"}}));
        assert_eq!((message.body.as_str(), message.replaces.as_deref()), ("new", Some("$o")));
        assert_eq!(
            (message.html.as_deref(), message.mentions.as_slice()),
            (Some("<b>new</b>"), &["@b:x".to_owned()][..])
        );
    }

    #[test]
    fn html_of_another_format_is_none() {
        let message =
            Message::read(&json!({"body": "x", "format": "text/markdown", "formatted_body": "*x*"}));
        assert_eq!(message.html, None);
    }

    #[test]
    fn who_answers_in_a_thread_does_both() {
        let message =
            Message::read(&json!({"body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": "$r",
            "is_falling_back": false, "m.in_reply_to": {"event_id": "$o"}}}));
        assert_eq!((message.thread.as_deref(), message.replies_to.as_deref()), (Some("$r"), Some("$o")));
    }
}
