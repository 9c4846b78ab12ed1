//! What a Matrix message says, as text for IRC: its HTML where that is sane, else its plain body.
//!
//! Lines are parted by line feeds and may be longer than IRC takes: `split` and `paragraphs` cut them. It knows neither
//! rooms nor nicks but by [`Names`], no replies, no edits. Invariant 3: no text of somebody else brings in a control
//! character or a formatting code.
//!
//! HTML is read here and not by html5ever (docs/architecture.md, "Text" says why). It is bounded before anything is
//! made of it: in size here, in depth by `tree`, in what becomes of it by `lines`.
//!
//! Spec: Matrix, "m.room.message msgtypes", "User and room mentions"; modern IRC docs, "IRC Formatting".

mod address;
mod colours;
mod entities;
mod lines;
mod links;
mod pills;
mod render;
mod table;
mod tokens;
mod tree;

use std::borrow::Cow;

pub use self::pills::{Pill, called_otherwise, pills};

use self::address::address;
use self::lines::Lines;
use self::render::Renderer;
use self::tree::Tree;
use super::look::Look;
use super::neutral::neutral;

/// No event is larger.
const MOST_HTML: usize = 64 * 1024;

/// How formatting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IrcStyle {
    /// With IRC's own codes.
    #[default]
    Codes,
    /// Without any.
    Plain,
    /// With the signs that people type: `**bold**`.
    Markdown,
}

/// What becomes of a spoiler's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spoilers {
    /// It is hidden: black on black, or between `||`. Without any formatting it is left out.
    #[default]
    Hidden,
    /// It is left out.
    LeftOut,
}

/// How a message is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How formatting is written.
    pub style: IrcStyle,
    /// What becomes of a spoiler's text.
    pub spoilers: Spoilers,
    /// Whether a mention that begins the message addresses somebody, `nick: text`: not where the sender's own nick
    /// stands before it.
    pub addresses: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { style: IrcStyle::default(), spoilers: Spoilers::default(), addresses: true }
    }
}

/// Who and what is called how on IRC.
pub trait Names {
    /// The nick of a Matrix user, by their id.
    fn nick(&self, user_id: &str) -> Option<Cow<'_, str>>;
    /// The channel that a room shows, by its alias or id.
    fn channel(&self, room: &str) -> Option<Cow<'_, str>>;
    /// What Matrix shows as the name of somebody who has this nick.
    fn display_name(&self, nick: &str) -> String;
}

/// What a message says: by its HTML where that can be read, else by its plain body. `mentions` are the ids of those
/// whom it mentions.
pub fn read_matrix(
    body: &str,
    html: Option<&str>,
    mentions: &[String],
    options: Options,
    names: &dyn Names,
) -> String {
    html.and_then(|html| read_html(html, options, names))
        .unwrap_or_else(|| read_body(body, mentions, options, names))
}

/// What a plain body says. Where it begins with the name of the only one whom it mentions, it addresses them.
fn read_body(body: &str, mentions: &[String], options: Options, names: &dyn Names) -> String {
    let body = neutral(body);
    let mentioned = mentions.first().filter(|_| mentions.len() == 1 && options.addresses);
    let addressed = mentioned.and_then(|user_id| {
        let nick = names.nick(user_id)?;
        address(&body, &[&nick, &names.display_name(&nick), user_id], &nick)
    });
    addressed.unwrap_or(body)
}

/// What HTML says; nothing where it is too large, too deep, broken, or says nothing that IRC can show.
fn read_html(html: &str, options: Options, names: &dyn Names) -> Option<String> {
    if html.len() > MOST_HTML {
        return None;
    }
    let tree = Tree::read(html).ok()?;
    let lines = Lines::new(options.style, html.len());
    let mut renderer = Renderer { tree: &tree, names, options, lines };
    renderer.children(Tree::ROOT, Look::default());
    renderer.lines.finish().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
