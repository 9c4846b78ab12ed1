//! Into a channel: its key, a knock, and out and in again.

use secrecy::SecretString;

use super::super::super::outcome::{Outcome, Refusal};
use super::super::Actor;
use super::super::series::Step;
use super::refusals::{in_words, refusals};
use crate::format::RichText;
use crate::irc::session::State;
use crate::irc::wire::Line;
use crate::names::{Channel, Key};
use crate::store::BufferKind;

impl Actor {
    /// Leaves a channel and enters it again when the server has said that we are out.
    pub(super) async fn cycle(&mut self, channel: &Channel, reason: &str) -> Outcome {
        self.inside(channel)?;
        let Some(place) = self.buffers.find(channel.as_str()) else {
            return Err(Refusal::asked(format!("You have no room for {channel}.")));
        };
        self.leave(place, reason).await?;
        self.open_buffer(BufferKind::Channel, channel.as_str(), None).await?;
        Ok(RichText::plain(format!("Leaving {channel}, and entering it again.")))
    }

    /// Whether there is a key to enter a channel with. A key is not shown: the room's history would keep it.
    pub(super) fn shown_key(&self, channel: &Channel) -> Outcome {
        let key = self.known(channel)?.row.key.as_ref();
        Ok(match key {
            Some(_) => {
                RichText::plain(format!("I know a key of {channel} and enter with it. To forget it, type "))
                    .code("key off")
                    .text(".")
            }
            None => RichText::plain(format!("I know no key of {channel}. To give it, type "))
                .code("key KEY")
                .text("; your message is removed from the room."),
        })
    }

    pub(super) async fn change_key(&mut self, channel: &Channel, key: Option<Key>) -> Outcome {
        let row = &self.known(channel)?.row;
        let secret = key.as_ref().map(|key| SecretString::from(key.as_str().to_owned()));
        self.bridge.store.set_channel_key(self.row.id, row.id, &row.folded, secret.clone()).await?;
        if let Some(place) = self.buffers.find(channel.as_str()) {
            self.buffers.get_mut(place).row.key = secret;
            let is_out = |link: &super::Link| {
                link.session.state() == State::Ready && link.session.channel(channel.as_str()).is_none()
            };
            if key.is_some() && self.buffers.get(place).row.wanted && self.link.as_ref().is_some_and(is_out) {
                self.enter(place);
                return Ok(RichText::plain(format!("I try the key of {channel}.")));
            }
        }
        Ok(RichText::plain(match key {
            Some(_) => format!("I will enter {channel} with that key."),
            None => format!("I know no key of {channel} any more."),
        }))
    }

    fn known(&self, channel: &Channel) -> Result<&super::super::buffers::OpenBuffer, Refusal> {
        let place = self.buffers.find(channel.as_str());
        place.map(|place| self.buffers.get(place)).ok_or_else(|| {
            let text = RichText::plain(format!("You have no room for {channel}. To enter it, type "));
            Refusal::Asked(text.code(format!("join {channel} KEY")).text("."))
        })
    }

    pub(super) fn knock(&mut self, channel: Channel, text: &str) -> Result<Step, Refusal> {
        let network = &self.network.name;
        let link = self.ready()?;
        if link.session.isupport().get("KNOCK").is_none() {
            return Err(Refusal::asked(format!(
                "{network} has no knocking. Ask one of the people in {channel} for an invitation."
            )));
        }
        if link.session.channel(channel.as_str()).is_some() {
            return Err(Refusal::asked(format!("You are in {channel}.")));
        }
        let (text, _) = link.as_written(channel.as_str(), text);
        let line = Line::new("KNOCK").name(&channel);
        let line = if text.is_empty() { Ok(line.finish()) } else { line.trailing(&text) };
        let line = line.map_err(|error| Refusal::asked(format!("That can't be sent: {error}.")))?;
        Ok(Step::ask(vec![line], move |actor, answers| {
            let refused = refusals(&answers);
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(&actor.network.name, &channel, &refused)));
            }
            let text = format!(
                "The people in {channel} know that you would like to come in. When one of them invites you, I tell you."
            );
            Ok(RichText::plain(text))
        }))
    }
}
