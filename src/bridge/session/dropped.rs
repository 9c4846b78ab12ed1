//! `cancel` in a conversation's room: what is asked there about messages that did not go is asked no more.

use super::super::Outcome;
use super::Actor;
use crate::format::RichText;

impl Actor {
    /// Closes the questions that are open in a buffer, and says how many those were; nothing where there were none.
    pub(super) async fn drop_questions(&mut self, buffer: i64) -> Outcome {
        // What was asked in this turn, too.
        self.transmit().await?;
        let Some(place) = self.buffers.find_id(buffer) else { return Ok(RichText::new()) };
        let prompts = self.bridge.store.open_prompts(buffer).await?;
        for prompt in &prompts {
            self.remove_button(place, prompt);
            self.incoming.fates.replaced.push(prompt.id);
        }
        // What is told is so, also after a crash.
        self.transmit().await?;
        Ok(match prompts.len() {
            0 => RichText::new(),
            1 => RichText::plain("a message"),
            more => RichText::plain(format!("{more} messages")),
        })
    }
}
