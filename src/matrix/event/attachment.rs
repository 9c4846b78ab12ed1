//! What a message with a file says about it: `m.image`, `m.file`, `m.video` and `m.audio`, voice messages among them.
//!
//! Spec: Matrix, "Instant messaging", from "m.image" on, and "Media captions"; MSC3245 for voice messages. All of it is the
//! sender's word.

use serde_json::Value;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// What somebody said.
    Voice,
    /// A picture that is said like a word: the body is that word.
    Sticker,
    /// Anything else.
    File,
}

/// Where the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the homeserver, `mxc://…`.
    Plain(String),
    /// On the homeserver, and only those who are in the room have its key.
    Encrypted,
    /// Nowhere.
    Nowhere,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub shape: Shape,
    /// Its name; it may be empty.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// Its type.
    pub mimetype: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Width and height.
    pub extent: Option<(u64, u64)>,
    /// Milliseconds.
    pub duration: Option<u64>,
    /// The body says something to it, and is not its name.
    pub(super) has_caption: bool,
}

impl Attachment {
    /// Reads the file of a message; `None` where it has none.
    pub(super) fn read(content: &Value) -> Option<Self> {
        let shape = match content["msgtype"].as_str()? {
            "m.image" => Shape::Image,
            "m.video" => Shape::Video,
            "m.audio" if content["org.matrix.msc3245.voice"].is_object() => Shape::Voice,
            "m.audio" => Shape::Audio,
            "m.file" => Shape::File,
            _ => return None,
        };
        Some(Self::of(shape, content))
    }

    /// The picture of a sticker.
    pub(super) fn sticker(content: &Value) -> Self {
        Self::of(Shape::Sticker, content)
    }

    fn of(shape: Shape, content: &Value) -> Self {
        let info = &content["info"];
        let body = content["body"].as_str().unwrap_or_default();
        let filename = content["filename"].as_str().filter(|name| !name.is_empty());
        let source = match content["url"].as_str() {
            _ if content["file"].is_object() => Source::Encrypted,
            Some(url) => Source::Plain(url.to_owned()),
            None => Source::Nowhere,
        };
        let extent =
            info["w"].as_u64().zip(info["h"].as_u64()).filter(|&(width, height)| width > 0 && height > 0);
        let duration = [&info["duration"], &content["org.matrix.msc1767.audio"]["duration"]];
        Self {
            shape,
            name: filename.unwrap_or(body).to_owned(),
            source,
            mimetype: info["mimetype"].as_str().map(str::to_owned),
            size: info["size"].as_u64(),
            extent,
            duration: duration.into_iter().find_map(Value::as_u64),
            has_caption: filename.is_some_and(|name| name != body) && !body.trim().is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::the_body_is_the_name(json!({"msgtype": "m.image", "body": "a.jpg", "url": "mxc://x/a"}), "a.jpg", "")]
    #[case::as_new_clients_write_it(
        json!({"msgtype": "m.image", "body": "a.jpg", "filename": "a.jpg", "url": "mxc://x/a"}), "a.jpg", "")]
    #[case::a_caption(json!({"msgtype": "m.file", "body": "look", "filename": "a.jpg", "url": "mxc://x/a"}), "a.jpg", "look")]
    #[case::an_empty_caption(json!({"msgtype": "m.file", "body": " ", "filename": "a.jpg"}), "a.jpg", "")]
    #[case::an_empty_name(json!({"msgtype": "m.file", "body": "a.jpg", "filename": ""}), "a.jpg", "")]
    #[case::nothing(json!({"msgtype": "m.video"}), "", "")]
    fn a_file_has_a_name_and_perhaps_a_caption(
        #[case] content: Value,
        #[case] name: &str,
        #[case] body: &str,
    ) {
        let message = Message::read(&content);
        assert_eq!((message.attachment.unwrap().name.as_str(), message.body.as_str()), (name, body));
    }

    #[test]
    fn the_name_is_nobodys_caption_in_html_either() {
        let html = json!({"msgtype": "m.image", "body": "a.jpg", "format": "org.matrix.custom.html", "formatted_body": "a.jpg"});
        assert_eq!(Message::read(&html).html, None);
    }

    #[rstest]
    #[case::plain(json!({"msgtype": "m.image", "url": "mxc://x/a"}), Shape::Image, Source::Plain("mxc://x/a".into()))]
    #[case::encrypted(json!({"msgtype": "m.file", "file": {"url": "mxc://x/a"}}), Shape::File, Source::Encrypted)]
    #[case::both(json!({"msgtype": "m.file", "url": "mxc://x/a", "file": {}}), Shape::File, Source::Encrypted)]
    #[case::nowhere(json!({"msgtype": "m.video", "url": 7}), Shape::Video, Source::Nowhere)]
    #[case::a_sound(json!({"msgtype": "m.audio"}), Shape::Audio, Source::Nowhere)]
    #[case::a_voice(json!({"msgtype": "m.audio", "org.matrix.msc3245.voice": {}}), Shape::Voice, Source::Nowhere)]
    fn a_file_is_something_somewhere(#[case] content: Value, #[case] shape: Shape, #[case] source: Source) {
        let file = Attachment::read(&content).unwrap();
        assert_eq!((file.shape, file.source), (shape, source));
    }

    #[rstest]
    #[case::all(json!({"w": 2, "h": 3, "size": 5, "duration": 7, "mimetype": "a/b"}), Some((2, 3)), Some(5), Some(7))]
    #[case::half_an_extent(json!({"w": 2}), None, None, None)]
    #[case::no_extent(json!({"w": 0, "h": 3}), None, None, None)]
    #[case::of_the_wrong_type(json!({"w": "2", "h": -3, "size": 1.5, "duration": []}), None, None, None)]
    #[case::nothing(json!(null), None, None, None)]
    fn what_is_told_of_it_is_read_leniently(
        #[case] info: Value,
        #[case] extent: Option<(u64, u64)>,
        #[case] size: Option<u64>,
        #[case] duration: Option<u64>,
    ) {
        let file = Attachment::read(&json!({"msgtype": "m.image", "info": info})).unwrap();
        assert_eq!((file.extent, file.size, file.duration), (extent, size, duration));
    }

    #[test]
    fn a_text_has_no_file() {
        assert_eq!(Attachment::read(&json!({"msgtype": "m.text", "url": "mxc://x/a"})), None);
    }
}
