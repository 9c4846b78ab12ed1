//! Who is named in what a benchmark translates.

use std::borrow::Cow;

use towline::format::Names;

/// Everybody has the same nick.
pub(crate) struct Somebody;

impl Names for Somebody {
    fn nick(&self, _user_id: &str) -> Option<Cow<'_, str>> {
        Some("alice".into())
    }

    fn channel(&self, _room: &str) -> Option<Cow<'_, str>> {
        Some("#towline".into())
    }

    fn display_name(&self, nick: &str) -> String {
        nick.to_owned()
    }
}
