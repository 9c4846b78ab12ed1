//! `topic`: what a channel is about, who said so, and saying something else.

use super::super::super::outcome::{Outcome, Refusal};
use super::super::series::Step;
use super::super::{Actor, wording};
use super::refusals::{in_words, refusals};
use crate::format::{RichText, read_irc, strip_irc};
use crate::irc::wire::Line;
use crate::names::Channel;

impl Actor {
    /// Asks for the topic, since only the answer tells when it was set.
    pub(super) fn topic(&mut self, channel: Channel) -> Result<Step, Refusal> {
        self.inside(&channel)?;
        let line = Line::new("TOPIC").name(&channel).finish();
        Ok(Step::ask(vec![line], move |actor, answers| {
            let refused = refusals(&answers);
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(&actor.network.name, &channel, &refused)));
            }
            actor.shown_topic(&channel)
        }))
    }

    fn shown_topic(&self, channel: &Channel) -> Outcome {
        let link = self.inside(channel)?;
        let state = link.session.channel(channel.as_str());
        let Some(topic) = state.and_then(|state| state.topic()) else {
            let text = RichText::plain(format!("{channel} has no topic. To set one, type "));
            return Ok(text.code("topic TEXT").text("."));
        };
        let text = RichText::new().bold(format!("Topic of {channel}: ")).then(read_irc(topic).with_links());
        Ok(match state.and_then(|state| state.topic_origin()) {
            None => text,
            Some((by, at)) => {
                let when = wording::time(at.saturating_mul(1000));
                text.line().text(format!("Set by {} on {when}.", strip_irc(by)))
            }
        })
    }

    pub(super) fn change_topic(&mut self, channel: Channel, topic: &str) -> Result<Step, Refusal> {
        let network = &self.network.name;
        let link = self.inside(&channel)?;
        let (topic, lost) = link.as_written(channel.as_str(), topic);
        if let Some(most) = link.session.isupport().topic_length().filter(|most| topic.len() > *most) {
            return Err(Refusal::asked(format!(
                "{network} takes topics of {most} bytes; this one has {}. Say it in fewer words.",
                topic.len()
            )));
        }
        let lacking = link.lacking(channel.as_str(), lost);
        let line = Line::topic(&channel, &topic)
            .map_err(|error| Refusal::asked(format!("That can't be a topic: {error}.")))?;
        Ok(Step::ask(vec![line], move |actor, answers| {
            let network = &actor.network.name;
            let refused = refusals(&answers);
            if !refused.is_empty() {
                return Err(Refusal::Asked(in_words(network, &channel, &refused)));
            }
            let link = actor.inside(&channel)?;
            let now =
                link.session.channel(channel.as_str()).and_then(|state| state.topic()).unwrap_or_default();
            let text = match (now == topic, topic.is_empty()) {
                (true, true) => format!("{channel} has no topic now."),
                (true, false) => format!("{channel} has its new topic."),
                (false, _) => {
                    let now = strip_irc(now);
                    return Ok(RichText::plain(format!(
                        "{network} took it, and so far shows another topic in {channel}: {now}"
                    )));
                }
            };
            Ok(RichText::plain(match lacking {
                Some(lacking) => format!("{text} But {lacking}."),
                None => text,
            }))
        }))
    }
}
