//! Which way a topic goes between a channel and its room: to the room, to the channel, both or neither.
//!
//! In a private room its user says so; by itself it has the channel's topic. A room that people share has it, too, and who
//! changes it there changes it on IRC by their own connection: for what others read, only what holds for all counts, and
//! for what somebody does on IRC their own word as well. Other people's rooms keep theirs.
//!
//! What IRC refuses is told, and put back where the room has the channel's topic (`moderation/by_matrix`).

use super::super::content;
use super::Actor;
use super::manners::{Choice, Manners};
use super::moderation::ChannelRequest;
use crate::format::{RichText, neutral};
use crate::names::Channel;
use crate::store::BufferKind;
use crate::store::settings::{self, Setting};

/// Which way a topic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicSync {
    /// As the room is.
    Auto,
    Off,
    /// The room has the channel's.
    Irc,
    /// The channel has the room's.
    Matrix,
    Any,
}

impl Choice for TopicSync {
    const SETTING: &'static Setting = &settings::TOPIC_SYNC;
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("off", Self::Off),
        ("irc", Self::Irc),
        ("matrix", Self::Matrix),
        ("any", Self::Any),
    ];
}

impl TopicSync {
    /// Whether the channel's topic is shown.
    fn shows(self) -> bool {
        matches!(self, Self::Auto | Self::Irc | Self::Any)
    }

    /// Whether the room's is set on IRC.
    fn sets(self, is_shared: bool) -> bool {
        match self {
            Self::Auto => is_shared,
            Self::Matrix | Self::Any => true,
            Self::Off | Self::Irc => false,
        }
    }
}

impl Actor {
    /// Whether a room has its channel's topic.
    pub(super) fn has_topic_of_channel(&self, place: usize) -> bool {
        self.has_topic_by(place, &self.manners)
    }

    fn has_topic_by(&self, place: usize, manners: &Manners) -> bool {
        if self.is_plumbed(place) {
            return false;
        }
        self.room_choice_by::<TopicSync>(place, manners).shows()
    }

    fn sets_topic(&self, place: usize) -> bool {
        let sync: TopicSync = self.manners.choice(self.buffers.get(place).row.id);
        !self.is_plumbed(place) && sync.sets(self.is_shared(place))
    }

    /// A channel has this topic.
    pub(super) fn on_topic(&mut self, channel: &str, topic: &str) {
        let Some(place) = self.buffers.find(channel) else {
            return;
        };
        let buffer = self.buffers.get_mut(place);
        if buffer.row.topic.as_deref().unwrap_or_default() == topic {
            return;
        }
        // With its codes: another look is another topic.
        buffer.row.topic = Some(topic.to_owned());
        let is_from_room = buffer.own_topic.take().as_deref() == Some(topic);
        let buffer = buffer.row.id;
        self.incoming.topics.push((buffer, topic.to_owned()));
        if self.topic_is_news(place, topic) && self.has_topic_of_channel(place) && !is_from_room {
            self.put_topic(place);
        }
    }

    /// A room's user has given it another topic.
    pub(super) async fn on_own_topic(&mut self, place: usize, topic: &str) {
        let is_channel = self.buffers.get(place).row.kind == BufferKind::Channel;
        if !is_channel || topic == self.topic_content(place)["topic"] {
            return;
        }
        if !self.sets_topic(place) {
            // Where nothing of IRC's is shown, it is a note of the user's own.
            if self.has_topic_of_channel(place) {
                let row = &self.buffers.get(place).row;
                let (channel, prefix) = (&row.name, self.manners.prefix(row.id));
                let text = format!(
                    "Your topic is in this room alone, until {channel} gets another one. To set one on IRC, type {prefix} topic TEXT; to \
                     have what you do here go there, type {prefix} set topic-sync any"
                );
                self.tell_buffer(place, &text);
            }
            return;
        }
        let topic = neutral(topic).replace(['\n', '\r'], " ");
        // It need not be shown there once more.
        self.buffers.get_mut(place).own_topic = Some(topic.clone());
        self.do_on_irc(place, "On IRC the topic is", ChannelRequest::SetTopic(topic), None).await;
    }

    /// One of those in a shared room has given it another topic.
    pub(super) async fn change_shared_topic(&mut self, place: usize, topic: &str) {
        if topic == self.topic_content(place)["topic"] {
            // It may look otherwise, which IRC knows nothing of.
            return self.put_topic_back(place);
        }
        if !self.sets_topic(place) {
            if self.has_topic_of_channel(place) {
                self.put_topic_back(place);
                let text =
                    RichText::plain("Yours does not go there, as ").code("set topic-sync").text(" says.");
                self.tell_put_back(place, "The topic is", text);
            }
            return;
        }
        let request = ChannelRequest::SetTopic(neutral(topic).replace(['\n', '\r'], " "));
        self.do_on_irc(place, "The topic is", request, None).await;
    }

    fn topic_content(&self, place: usize) -> serde_json::Value {
        content::topic(self.buffers.get(place).row.topic.as_deref().unwrap_or_default())
    }

    fn put_topic(&mut self, place: usize) {
        let (room, bot) = (self.buffers.get(place).row.room, self.bridge.client.bot());
        let state = content::state_row(room, bot, "m.room.topic", &self.topic_content(place));
        self.incoming.outbox.push(state);
    }

    fn put_topic_back(&mut self, place: usize) {
        if self.has_topic_of_channel(place) {
            self.put_topic(place);
        }
    }

    /// The room of a channel has the topic again that the channel has by now.
    pub(super) fn show_topic_again(&mut self, channel: &Channel) {
        if let Some(place) = self.buffers.find(channel.as_str()) {
            self.buffers.get_mut(place).own_topic = None;
            self.put_topic_back(place);
        }
    }

    /// Rooms have their channels' topics from now on that had not before.
    pub(super) fn follow_topics(&mut self, before: &Manners) {
        for place in 0..self.buffers.len() {
            let row = &self.buffers.get(place).row;
            let is_there = row.kind == BufferKind::Channel && row.wanted && row.topic.is_some();
            if is_there && self.shows(place) && !self.has_topic_by(place, before) {
                self.put_topic_back(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::manners::tests::words_of;
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_code_knows_the_words_of_the_choice_in_their_order() {
        words_of::<TopicSync>();
    }

    #[rstest]
    #[case::by_itself(TopicSync::Auto, (true, false), (true, true))]
    #[case::off(TopicSync::Off, (false, false), (false, false))]
    #[case::from_irc(TopicSync::Irc, (true, false), (true, false))]
    #[case::from_matrix(TopicSync::Matrix, (false, true), (false, true))]
    #[case::both(TopicSync::Any, (true, true), (true, true))]
    fn a_topic_goes_where_the_setting_says(
        #[case] sync: TopicSync,
        #[case] private: (bool, bool),
        #[case] shared: (bool, bool),
    ) {
        assert_eq!((sync.shows(), sync.sets(false)), private);
        assert_eq!((sync.shows(), sync.sets(true)), shared);
    }
}
