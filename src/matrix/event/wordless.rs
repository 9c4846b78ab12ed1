//! Events that say something without being a message: as the words in which a client would show them that knows nothing
//! else. They are read into a [`Message`], so that they wait, answer and are taken back like one.
//!
//! A vote, a call that is renewed or ends, a live position and a verification say nothing to others.
//!
//! Spec: Matrix "Stickers", "Polls" (MSC3381), "m.location" (MSC3488 among it), "Voice over IP", `MatrixRTC` (MSC3401,
//! MSC4143); the widgets of Element.

use serde_json::Value;

use super::attachment::Attachment;
use super::message::Message;

/// Answers that a poll may have.
const MOST_ANSWERS: usize = 20;
/// Characters of a question, an answer or a name.
const LONGEST: usize = 300;

/// What an event that is no state says; nothing for one that says nothing to others.
pub(super) fn read(kind: &str, content: &Value) -> Option<Message> {
    let message = Message::read(content);
    if message.replaces.is_some() {
        // What was asked can't be asked otherwise.
        return None;
    }
    match kind {
        "m.sticker" => {
            let sticker = text(message, "m.text", &short(content["body"].as_str()?)?);
            Some(Message { attachment: Some(Box::new(Attachment::sticker(content))), ..sticker })
        }
        "m.poll.start" | "org.matrix.msc3381.poll.start" => {
            let poll = [&content["m.poll"], &content["org.matrix.msc3381.poll.start"]];
            let question = poll_text(poll.into_iter().find(|poll| poll.is_object())?)?;
            Some(text(message, "m.text", &question))
        }
        "m.poll.end" | "org.matrix.msc3381.poll.end" => {
            let end = plain(content).unwrap_or_else(|| "The poll has ended.".to_owned());
            // Which one, it says by a relation of its own.
            let poll = super::event_id_in(&content["m.relates_to"]["event_id"]);
            Some(Message { replies_to: poll, thread: None, ..text(message, "m.text", &end) })
        }
        "m.call.invite" => Some(text(message, "m.emote", "started a call, which can't be joined from IRC")),
        _ => None,
    }
}

/// What a state event says, with what the state was before.
pub(super) fn read_state(kind: &str, content: &Value, before: &Value) -> Option<Message> {
    let meeting = match kind {
        "im.vector.modular.widgets" | "m.widget" => meeting_of_widget(content)
            .filter(|meeting| meeting_of_widget(before).as_ref() != Some(meeting))?,
        "m.call.member" | "org.matrix.msc3401.call.member" => {
            (is_in_call(content) && !is_in_call(before)).then(String::new)?
        }
        _ => return None,
    };
    let body = if meeting.is_empty() {
        "started a call, which can't be joined from IRC".to_owned()
    } else {
        format!("started a meeting: {meeting}")
    };
    Some(text(Message::default(), "m.emote", &body))
}

/// Where something is: what it is called, and a link to a map.
pub(super) fn place(content: &Value) -> Option<String> {
    let location = [&content["m.location"], &content["org.matrix.msc3488.location"]];
    let location = location.into_iter().find(|location| location.is_object());
    let uri = location.and_then(|location| location["uri"].as_str()).or(content["geo_uri"].as_str())?;
    let position = uri.strip_prefix("geo:")?.split([';', '?']).next()?;
    let mut numbers = position.split(',').map(str::parse::<f64>);
    let (latitude, longitude) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) {
        return None;
    }
    let link = format!("https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}");
    let label = location.and_then(|location| location["description"].as_str()).or(content["body"].as_str());
    // Clients that have no name for it put the position there.
    match label.filter(|label| !label.contains("geo:")).and_then(short) {
        Some(label) => Some(format!("{label}: {link}")),
        None => Some(link),
    }
}

fn text(message: Message, kind: &str, body: &str) -> Message {
    Message { kind: kind.to_owned(), body: body.to_owned(), html: None, is_wordless: true, ..message }
}

/// A text of a line, bounded; nothing where there is none.
fn short(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(LONGEST).collect())
}

/// The plain text of extensible events, of either time.
fn plain(value: &Value) -> Option<String> {
    let listed = value["m.text"].as_array().and_then(|list| {
        let is_plain = |one: &&Value| one["mimetype"].as_str().is_none_or(|kind| kind == "text/plain");
        list.iter().find(is_plain)?["body"].as_str()
    });
    let names = ["m.text", "org.matrix.msc1767.text", "body"];
    short(listed.or_else(|| names.iter().find_map(|name| value[name].as_str()))?)
}

fn poll_text(poll: &Value) -> Option<String> {
    let mut lines = vec![format!("Poll: {}", plain(&poll["question"])?)];
    let answers = poll["answers"].as_array()?;
    let answers = answers.iter().filter_map(plain).take(MOST_ANSWERS).enumerate();
    lines.extend(answers.map(|(place, answer)| format!("{}. {answer}", place + 1)));
    Some(lines.join("\n"))
}

/// The link to the meeting that a widget is, empty where it has none that others can use.
fn meeting_of_widget(widget: &Value) -> Option<String> {
    match widget["type"].as_str()? {
        "jitsi" | "m.jitsi" => {
            let data = &widget["data"];
            let (host, room) = (data["domain"].as_str(), data["conferenceId"].as_str());
            let is_host = |host: &&str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
            let is_room = |room: &&str| room.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            let host = host.filter(is_host).filter(|host| host.contains('.') && host.len() <= 253);
            let room = room.filter(is_room).filter(|room| !room.is_empty() && room.len() <= LONGEST);
            let link = host.zip(room).map(|(host, room)| format!("https://{host}/{room}"));
            Some(link.unwrap_or_default())
        }
        "m.call" | "io.element.call" => Some(String::new()),
        _ => None,
    }
}

/// Whether somebody's state says that they are in a call: the old way a list, the new way anything.
fn is_in_call(content: &Value) -> bool {
    match content.get("memberships").or_else(|| content.get("m.calls")) {
        Some(list) => list.as_array().is_some_and(|list| !list.is_empty()),
        None => content.as_object().is_some_and(|fields| !fields.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const CALL: &str = "started a call, which can't be joined from IRC";

    #[rstest]
    #[case::sticker("m.sticker", json!({"body": "Cat\nwaving", "url": "mxc://x/y", "info": {}}), "m.text", "Cat waving")]
    #[case::poll("m.poll.start", json!({"m.text": [{"body": "fallback"}], "m.poll": {"kind": "m.disclosed",
        "max_selections": 1, "question": {"m.text": [{"mimetype": "text/html", "body": "<b>Tea?</b>"},
        {"body": "Tea?"}]}, "answers": [{"m.id": "a", "m.text": [{"body": "Yes"}]}, {"m.id": "b", "m.text": [{"body": "No"}]}]}}),
        "m.text", "Poll: Tea?\n1. Yes\n2. No")]
    #[case::poll_of_element("org.matrix.msc3381.poll.start", json!({"org.matrix.msc1767.text": "Tea?\n1. Yes\n2. No",
        "org.matrix.msc3381.poll.start": {"kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1,
        "question": {"body": "Tea?", "msgtype": "m.text", "org.matrix.msc1767.text": "Tea?"},
        "answers": [{"id": "a", "org.matrix.msc1767.text": "Yes"}, {"id": "b", "org.matrix.msc1767.text": "No\r\nQUIT"}]}}),
        "m.text", "Poll: Tea?\n1. Yes\n2. No QUIT")]
    #[case::end("m.poll.end", json!({"m.relates_to": {"rel_type": "m.reference", "event_id": "$p"},
        "m.text": [{"body": "The poll has ended. Top answer: Yes"}], "m.poll.results": {"a": 1}}),
        "m.text", "The poll has ended. Top answer: Yes")]
    #[case::end_without_words("org.matrix.msc3381.poll.end", json!({"org.matrix.msc3381.poll.end": {}}), "m.text",
        "The poll has ended.")]
    #[case::call("m.call.invite", json!({"call_id": "c", "version": "1", "offer": {"sdp": "x"}}), "m.emote", CALL)]
    fn what_has_no_words_is_shown_in_some(
        #[case] kind: &str,
        #[case] content: Value,
        #[case] shown_as: &str,
        #[case] body: &str,
    ) {
        let message = read(kind, &content).unwrap();
        assert_eq!((message.kind.as_str(), message.body.as_str()), (shown_as, body));
    }

    #[rstest]
    #[case::vote("m.poll.response", json!({"m.relates_to": {"rel_type": "m.reference", "event_id": "$p"}}))]
    #[case::changed_poll("m.poll.start", json!({"m.relates_to": {"rel_type": "m.replace", "event_id": "$p"},
        "m.poll": {"question": {"m.text": "x"}, "answers": []}}))]
    #[case::poll_without_question("m.poll.start", json!({"m.poll": {"answers": []}}))]
    #[case::poll_of_nothing("m.poll.start", json!(7))]
    #[case::sticker_without_words("m.sticker", json!({"body": " \n"}))]
    #[case::answer_to_a_call("m.call.answer", json!({}))]
    #[case::hangup("m.call.hangup", json!({}))]
    #[case::candidates("m.call.candidates", json!({}))]
    #[case::ringing("org.matrix.msc4075.call.notify", json!({"notify_type": "ring"}))]
    #[case::verification("m.key.verification.start", json!({"body": "x"}))]
    #[case::position("m.beacon", json!({"body": "x", "m.location": {"uri": "geo:1,2"}}))]
    #[case::unknown("com.example.anything", json!({"body": "x"}))]
    fn noise_says_nothing(#[case] kind: &str, #[case] content: Value) {
        assert!(read(kind, &content).is_none());
    }

    fn jitsi(domain: &str, room: &str) -> Value {
        json!({"type": "jitsi", "name": "Meeting", "url": "https://app.element.io/jitsi.html#x",
            "data": {"domain": domain, "conferenceId": room, "isAudioOnly": false}})
    }

    #[rstest]
    #[case::jitsi("im.vector.modular.widgets", jitsi("meet.element.io", "JitsiAbc1"), json!(null),
        Some("started a meeting: https://meet.element.io/JitsiAbc1"))]
    #[case::the_same_again(
        "im.vector.modular.widgets",
        jitsi("meet.element.io", "a"),
        jitsi("meet.element.io", "a"),
        None
    )]
    #[case::another(
        "im.vector.modular.widgets",
        jitsi("meet.element.io", "b"),
        jitsi("meet.element.io", "a"),
        Some("started a meeting: https://meet.element.io/b")
    )]
    #[case::removed("im.vector.modular.widgets", json!({}), jitsi("meet.element.io", "a"), None)]
    #[case::no_host("im.vector.modular.widgets", jitsi("x y@evil/", "a"), json!(null), Some(CALL))]
    #[case::no_room("im.vector.modular.widgets", jitsi("meet.element.io", "../a b"), json!(null), Some(CALL))]
    #[case::clock("im.vector.modular.widgets", json!({"type": "m.custom", "url": "https://x"}), json!(null), None)]
    #[case::element_call("org.matrix.msc3401.call.member", json!({"application": "m.call", "call_id": ""}), json!({}),
        Some(CALL))]
    #[case::old_element_call("org.matrix.msc3401.call.member", json!({"memberships": [{"call_id": ""}]}), json!(null),
        Some(CALL))]
    #[case::renewed("m.call.member", json!({"application": "m.call", "expires": 2}), json!({"application": "m.call"}), None)]
    #[case::left("m.call.member", json!({}), json!({"application": "m.call"}), None)]
    #[case::left_the_old_way("m.call.member", json!({"memberships": []}), json!({"memberships": [{}]}), None)]
    #[case::other_state("m.room.pinned_events", json!({"pinned": []}), json!(null), None)]
    fn a_meeting_is_told_once(
        #[case] kind: &str,
        #[case] content: Value,
        #[case] before: Value,
        #[case] expected: Option<&str>,
    ) {
        let found = read_state(kind, &content, &before);
        assert_eq!(found.as_ref().map(|message| message.body.as_str()), expected);
        assert!(found.is_none_or(|message| message.kind == "m.emote"));
    }

    #[rstest]
    #[case::named(json!({"body": "Location: geo:52.5,13.4", "geo_uri": "geo:52.5,13.4",
        "m.location": {"uri": "geo:52.5,13.4;u=10", "description": "The pub"}}),
        Some("The pub: https://www.openstreetmap.org/?mlat=52.5&mlon=13.4"))]
    #[case::old(json!({"body": "Big Ben, London", "geo_uri": "geo:51.5008,-0.1247"}),
        Some("Big Ben, London: https://www.openstreetmap.org/?mlat=51.5008&mlon=-0.1247"))]
    #[case::without_a_name(json!({"body": "geo:51,0", "org.matrix.msc3488.location": {"uri": "geo:51,0"}}),
        Some("https://www.openstreetmap.org/?mlat=51&mlon=0"))]
    #[case::nowhere(json!({"body": "x", "geo_uri": "geo:x,y"}), None)]
    #[case::off_the_earth(json!({"body": "x", "geo_uri": "geo:91,0"}), None)]
    #[case::no_number(json!({"body": "x", "geo_uri": "geo:NaN,inf"}), None)]
    #[case::another_kind(json!({"body": "x", "geo_uri": "https://x"}), None)]
    #[case::nothing(json!({"body": "x", "geo_uri": 7}), None)]
    fn a_place_has_a_name_and_a_map(#[case] content: Value, #[case] expected: Option<&str>) {
        assert_eq!(place(&content).as_deref(), expected);
    }
}
