//! What the user adds to the capabilities that their connection asks for, and does without: shown, changed, kept.
//!
//! What is asked for by itself, and what comes of a server's answer, is `irc::caps`.

use super::Actor;
use crate::bridge::outcome::{Outcome, Refusal};
use crate::format::RichText;
use crate::irc::caps::CapabilityWishes;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// Names that are not folded away.
const UNFOLDED: usize = 8;

/// What a user asks about their wishes.
#[derive(Debug)]
pub enum WishChange {
    /// To see them, and what is in force.
    Show,
    /// These from now on, besides those that they say nothing of.
    Change(CapabilityWishes),
    /// None any more.
    Reset,
}

impl Actor {
    /// The session's wishes.
    pub(super) async fn wishes(&mut self) -> Result<CapabilityWishes, StoreError> {
        let stored = self.bridge.store.setting(&settings::CAPABILITIES, Scope::Session, self.row.id).await?;
        // They were checked before they were stored.
        Ok(stored.and_then(|value| value.text().parse().ok()).unwrap_or_default())
    }

    pub(super) async fn capabilities(&mut self, change: WishChange) -> Outcome {
        let wishes = match change {
            WishChange::Show => return self.show_capabilities().await,
            WishChange::Reset => CapabilityWishes::default(),
            WishChange::Change(wishes) => self
                .wishes()
                .await?
                .change(wishes)
                .map_err(|error| Refusal::asked(format!("That can't be: {error}.")))?,
        };
        let text = wishes.to_string();
        let value = (!wishes.is_empty()).then_some(text.as_str());
        self.bridge.store.set_setting(&settings::CAPABILITIES, Scope::Session, self.row.id, value).await?;
        let name = &self.network.name;
        let what = if wishes.is_empty() { "the usual".to_owned() } else { format!("the usual, and {text}") };
        Ok(RichText::plain(match &mut self.link {
            Some(link) => {
                link.session.set_capabilities(wishes);
                let text = format!("Asking {name} for {what}.");
                let (long, relayed) = (link.session.refuse_multiline(), link.session.refuse_relays());
                long.into_iter().for_each(|message| self.on_multiline_refused(message, None));
                self.on_relays_refused(&relayed, None);
                text
            }
            None => format!("From the next connection on, {name} is asked for {what}."),
        }))
    }

    async fn show_capabilities(&mut self) -> Outcome {
        let wishes = self.wishes().await?;
        let name = &self.network.name;
        let mut text = RichText::new();
        match self.link.as_ref().map(|link| link.session.capabilities()) {
            Some(known) => {
                let in_force: Vec<&str> = known.in_force().collect();
                let unused: Vec<&str> = known.all_offered().filter(|name| !known.enabled(name)).collect();
                text = text.bold("In force").text(format!(": {}", list(&in_force)));
                let heading = format!("Offered by {name}, and not used");
                text = if unused.len() > UNFOLDED {
                    text.details(format!("{heading}: {}", unused.len()), RichText::plain(list(&unused)))
                } else {
                    text.line().bold(heading).text(format!(": {}", list(&unused)))
                };
            }
            None => text = text.text(format!("You are not connected to {name}.")),
        }
        if !wishes.is_empty() {
            text = text.line().bold("Your choice").text(format!(": {wishes}"));
        }
        Ok(text)
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}
