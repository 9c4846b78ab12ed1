//! What somebody is told who has never done this: at each step the next one, until they talk in a channel.

use super::Context;
use crate::bridge::{Bridge, Refusal};
use crate::config::Permission;
use crate::format::RichText;

/// The network that most people look for.
const BEST_KNOWN: &str = "libera";
/// Networks that are named besides the example.
const NAMED: usize = 4;

/// The network that is the example, if there is any.
fn example(slugs: &[String]) -> Option<&str> {
    slugs.iter().find(|slug| *slug == BEST_KNOWN).or_else(|| slugs.first()).map(String::as_str)
}

/// The networks that are for all.
fn slugs(bridge: &Bridge) -> Vec<String> {
    bridge.networks.public().iter().map(|known| known.network.slug.as_str().to_owned()).collect()
}

/// What the bot says to somebody new.
pub(super) fn greeting(bridge: &Bridge, permission: Permission) -> RichText {
    let text = RichText::plain("Hello! I am ")
        .bold("Towline")
        .text(": I keep you on IRC, and show its channels as rooms.");
    let slugs = slugs(bridge);
    let text = match example(&slugs) {
        Some(slug) => {
            let others = slugs.iter().map(String::as_str).filter(|other| *other != slug);
            let others: Vec<&str> = others.take(NAMED).collect();
            let text = text.line().text("To begin, type ").code(format!("open {slug}"));
            let text = match others.as_slice() {
                [] => text.text("."),
                others => text
                    .text(format!(", or another network ({} …); ", others.join(", ")))
                    .code("networks")
                    .text(" shows all."),
            };
            text.line().text("For everything else there is ").code("help").text(".")
        }
        None => text.line().text("To begin, ask the administrator for a network: none is configured."),
    };
    if permission == Permission::Admin {
        text.line().text("You are an administrator of this bridge.")
    } else {
        text
    }
}

/// The answer to who is on no network.
pub(super) fn on_no_network(bridge: &Bridge) -> RichText {
    let text = RichText::plain("You are on no network yet. To begin, type ");
    text.code(format!("open {}", example(&slugs(bridge)).unwrap_or("NETWORK")))
        .text("; ")
        .code("networks")
        .text(" shows which there are.")
}

impl Context<'_> {
    /// Whether the person has not been in any channel or conversation so far.
    pub(super) async fn is_beginning(&self) -> Result<bool, Refusal> {
        Ok(self.bridge.store.own_buffers(self.call.user.id).await?.is_empty())
    }
}

/// What comes after a network was opened.
pub(super) fn after_open(answer: RichText) -> RichText {
    answer.line().text("Next, enter a channel: type ").code("join #channel").text(", here or there.")
}

/// What comes after a channel was entered.
pub(super) fn after_join(answer: RichText, channel: &str) -> RichText {
    answer
        .line()
        .text(format!(
            "You are invited to its room: what you write there is said in {channel}. Commands begin with "
        ))
        .code("!irc")
        .text(" there.")
}
