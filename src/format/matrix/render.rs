//! What HTML means, said in lines: blocks begin lines, quotations and lists stand before theirs, names of Matrix become
//! those of IRC.

use super::super::look::{Ink, Look};
use super::colours::nearest;
use super::entities::unescape;
use super::lines::Lines;
use super::links::{Goal, says_address};
use super::tokens::Attributes;
use super::tree::{Id, Kind, Tag, Tree};
use super::{IrcStyle, Names, Options, Spoilers, table};

/// Black on black.
const HIDDEN: Ink = Ink::Palette(1);

/// The languages that people write have short names.
const LONGEST_LANGUAGE: usize = 24;

pub(super) struct Renderer<'t, 'h> {
    pub(super) tree: &'t Tree<'h>,
    pub(super) names: &'t dyn Names,
    pub(super) options: Options,
    pub(super) lines: Lines,
}

impl Renderer<'_, '_> {
    pub(super) fn children(&mut self, id: Id, look: Look) {
        for child in self.tree.children(id) {
            if !self.lines.is_overfull() {
                self.node(child, look);
            }
        }
    }

    fn node(&mut self, id: Id, look: Look) {
        match self.tree.kind(id) {
            Kind::Text(text) => {
                self.lines.look(look);
                self.lines.text(&unescape(text));
            }
            Kind::Element(tag, attributes) => self.element(id, tag, attributes, look),
        }
    }

    fn element(&mut self, id: Id, tag: Tag, attributes: Attributes<'_>, look: Look) {
        match tag {
            Tag::Bold => self.children(id, Look { bold: true, ..look }),
            Tag::Italic => self.children(id, Look { italic: true, ..look }),
            Tag::Underline => self.children(id, Look { underline: true, ..look }),
            Tag::Strike => self.children(id, Look { strike: true, ..look }),
            Tag::Code => self.children(id, Look { monospace: true, ..look }),
            Tag::Span => self.span(id, attributes, look),
            Tag::Sup => self.raised(id, "^", look),
            Tag::Sub => self.raised(id, "_", look),
            Tag::Link => self.link(id, attributes, look),
            Tag::Image => self.image(attributes, look),
            Tag::Break => self.lines.line_break(),
            Tag::Paragraph => {
                self.lines.begin_paragraph();
                self.children(id, look);
                self.lines.end_paragraph();
            }
            Tag::Division | Tag::Details | Tag::Caption | Tag::Row => self.block(id, look),
            Tag::Summary => self.block(id, Look { bold: true, ..look }),
            Tag::Heading1 => self.heading(id, "#", look),
            Tag::Heading2 => self.heading(id, "##", look),
            Tag::Heading3 => self.heading(id, "###", look),
            Tag::Heading4 => self.heading(id, "####", look),
            Tag::Heading5 => self.heading(id, "#####", look),
            Tag::Heading6 => self.heading(id, "######", look),
            Tag::Quote => {
                self.lines.indent(None, "> ".to_owned());
                self.children(id, look);
                self.lines.unindent();
            }
            Tag::Preformatted => self.preformatted(id, look),
            Tag::Rule => {
                self.lines.line();
                self.write("---", look);
                self.lines.line();
            }
            Tag::Unordered | Tag::Ordered => self.list(id, tag, attributes, look),
            Tag::Item => self.item(id, "- ".to_owned(), look),
            Tag::Table => self.table(id, look),
            Tag::Cell | Tag::HeadCell => {
                self.lines.space();
                self.children(id, look);
                self.lines.space();
            }
            Tag::Section | Tag::Other => self.children(id, look),
            Tag::Input => self.checkbox(attributes, look),
            Tag::Dropped | Tag::Void => {}
        }
    }

    fn write(&mut self, text: &str, look: Look) {
        self.lines.look(look);
        self.lines.verbatim(text);
    }

    fn block(&mut self, id: Id, look: Look) {
        self.lines.line();
        self.children(id, look);
        self.lines.line();
    }

    fn heading(&mut self, id: Id, sign: &str, look: Look) {
        self.lines.line();
        let look = if self.lines.style() == IrcStyle::Markdown {
            self.write(sign, look);
            self.lines.space();
            look
        } else {
            Look { bold: true, ..look }
        };
        self.children(id, look);
        self.lines.line();
    }

    fn span(&mut self, id: Id, attributes: Attributes<'_>, look: Look) {
        if let Some(reason) = attributes.get("data-mx-spoiler") {
            return self.spoiler(id, &reason, look);
        }
        // Nothing in a spoiler has another colour than what hides it.
        if look.is_hidden() {
            return self.children(id, look);
        }
        let colour = |names: [&str; 2]| {
            names.iter().find_map(|name| nearest(&attributes.get(name)?)).map(Ink::Palette)
        };
        let foreground = colour(["data-mx-color", "color"]).or(look.foreground);
        let background = colour(["data-mx-bg-color", "bgcolor"]).or(look.background);
        self.children(id, Look { foreground, background, ..look });
    }

    fn spoiler(&mut self, id: Id, reason: &str, look: Look) {
        self.lines.look(look);
        self.lines.text(&spoiler_sign(reason));
        if self.hides_spoilers() {
            self.lines.space();
            self.children(id, hidden(look));
        }
    }

    /// Whether the text of a spoiler is there, for those who want to see it.
    fn hides_spoilers(&self) -> bool {
        self.options.spoilers == Spoilers::Hidden && self.lines.style() != IrcStyle::Plain
    }

    /// Whether there is a spoiler in a node.
    fn has_spoiler(&self, id: Id) -> bool {
        self.tree.children(id).any(|child| match self.tree.kind(child) {
            Kind::Element(_, attributes) => {
                attributes.get("data-mx-spoiler").is_some() || self.has_spoiler(child)
            }
            Kind::Text(_) => false,
        })
    }

    /// What stands above or below the line, as people type it: `x^2`, `a_(n+1)`.
    fn raised(&mut self, id: Id, sign: &str, look: Look) {
        let text = self.text_of(id);
        let text = text.trim();
        let is_short = text.chars().count() < 2 || text.bytes().all(|byte| byte.is_ascii_digit());
        self.lines.look(look);
        match text {
            "" => {}
            text if is_short => self.lines.text(&format!("{sign}{text}")),
            text => self.lines.text(&format!("{sign}({text})")),
        }
    }

    fn image(&mut self, attributes: Attributes<'_>, look: Look) {
        let names = ["alt", "title"].into_iter().filter_map(|name| attributes.get(name));
        let name = names.into_iter().find(|name| !name.trim().is_empty());
        let name = name.as_deref().map_or("[image]", str::trim);
        self.lines.look(look);
        let is_word = name.is_ascii() && !name.starts_with(':');
        if is_word && attributes.get("data-mx-emoticon").is_some() {
            return self.lines.text(&format!(":{name}:"));
        }
        self.lines.text(name);
    }

    /// An item of a list of what is to be done.
    fn checkbox(&mut self, attributes: Attributes<'_>, look: Look) {
        if attributes.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("checkbox")) {
            self.write(if attributes.get("checked").is_some() { "[x]" } else { "[ ]" }, look);
            self.lines.space();
        }
    }

    fn link(&mut self, id: Id, attributes: Attributes<'_>, look: Look) {
        let goal = attributes.get("href").map_or(Goal::Nowhere, |href| Goal::of(&href));
        self.lines.look(look);
        match goal {
            Goal::User(user_id) => {
                let nick = self.names.nick(&user_id);
                let shown = nick.unwrap_or_else(|| {
                    let text = self.text_of(id).split_whitespace().collect::<Vec<_>>().join(" ");
                    if text.is_empty() { user_id.into() } else { text.into() }
                });
                self.lines.nick(&shown, self.options.addresses);
            }
            Goal::Room(room) => {
                let shown = self.names.channel(&room).unwrap_or_else(|| {
                    let text = self.text_of(id);
                    // An alias says more than a name; an id says nothing.
                    if room.starts_with('#') || text.trim().is_empty() { room.into() } else { text.into() }
                });
                self.lines.text(&shown);
            }
            Goal::Address(address) => {
                if self.has_spoiler(id) {
                    // The address may say what its words hide.
                    self.children(id, look);
                    if self.hides_spoilers() {
                        self.lines.look(look);
                        self.lines.space();
                        self.write(&format!("({address})"), hidden(look));
                    }
                    return;
                }
                let text = self.text_of(id);
                let text = text.trim();
                if text.is_empty() || says_address(text, &address) {
                    // Nobody writes the scheme of what is not looked at in a browser.
                    let bare = ["mailto:", "tel:"].iter().find_map(|scheme| address.strip_prefix(scheme));
                    return self.write(bare.unwrap_or(&address), look);
                }
                self.children(id, look);
                self.lines.look(look);
                self.lines.space();
                self.lines.verbatim(&format!("({address})"));
            }
            Goal::Nowhere => self.children(id, look),
        }
    }

    fn preformatted(&mut self, id: Id, look: Look) {
        let text = self.text_of(id);
        let text = text.strip_prefix('\n').unwrap_or(&text).trim_end_matches('\n');
        self.lines.line();
        self.write(&format!("```{}", self.language(id)), look);
        self.lines.line();
        self.lines.verbatim(text);
        self.lines.line();
        self.lines.verbatim("```");
        self.lines.line();
    }

    /// The language of a block's code.
    fn language(&self, id: Id) -> String {
        let mut languages = self.tree.children(id).filter_map(|child| match self.tree.kind(child) {
            Kind::Element(Tag::Code, attributes) => {
                let class = attributes.get("class")?;
                class
                    .split_ascii_whitespace()
                    .find_map(|class| class.strip_prefix("language-"))
                    .map(str::to_owned)
            }
            _ => None,
        });
        languages.next().filter(|language| language.len() <= LONGEST_LANGUAGE).unwrap_or_default()
    }

    fn list(&mut self, id: Id, tag: Tag, attributes: Attributes<'_>, look: Look) {
        // As far as numbers of items may go, so that all have few digits.
        let number =
            |value: &str| value.trim().parse().ok().filter(|number| (0..1_000_000_000_u64).contains(number));
        let mut next = attributes.get("start").and_then(|start| number(&start)).unwrap_or(1);
        self.lines.line();
        for child in self.tree.children(id) {
            match self.tree.kind(child) {
                Kind::Element(Tag::Item, item) if tag == Tag::Ordered => {
                    next = item.get("value").and_then(|value| number(&value)).unwrap_or(next);
                    self.item(child, format!("{next}. "), look);
                    next += 1;
                }
                Kind::Element(Tag::Item, _) => self.item(child, "- ".to_owned(), look),
                // A list in a list that is in no item belongs to the item before it.
                Kind::Element(Tag::Unordered | Tag::Ordered, _) => {
                    self.lines.indent(None, "  ".to_owned());
                    self.node(child, look);
                    self.lines.unindent();
                }
                _ => self.node(child, look),
            }
            if self.lines.is_overfull() {
                break;
            }
        }
        self.lines.line();
    }

    fn item(&mut self, id: Id, marker: String, look: Look) {
        let rest = " ".repeat(marker.len());
        self.lines.indent(Some(marker), rest);
        self.children(id, look);
        self.lines.unindent();
    }

    fn table(&mut self, id: Id, look: Look) {
        let mut rows = Vec::new();
        let mut left_out = 0;
        self.rows(id, look, &mut rows, &mut left_out);
        let style = self.lines.style();
        self.lines.line();
        for (row, line) in rows.iter().zip(table::lines(&rows)) {
            self.write(&line, Look { bold: look.bold || row.is_heading, ..look });
            self.lines.line();
            if row.is_heading && style != IrcStyle::Codes {
                self.write(&table::underline(&line), look);
                self.lines.line();
            }
        }
        if left_out > 0 {
            self.write(&format!("… and {left_out} more rows"), look);
            self.lines.line();
        }
    }

    fn rows(&mut self, id: Id, look: Look, rows: &mut Vec<table::Row>, left_out: &mut usize) {
        for child in self.tree.children(id) {
            match self.tree.kind(child) {
                Kind::Element(Tag::Section, _) => self.rows(child, look, rows, left_out),
                Kind::Element(Tag::Row, _) if rows.len() < table::MOST_ROWS => rows.push(self.row(child)),
                Kind::Element(Tag::Row, _) => *left_out += 1,
                // What stands between rows is shown before all of them.
                _ => self.node(child, look),
            }
        }
    }

    fn row(&self, id: Id) -> table::Row {
        let mut row = table::Row { cells: Vec::new(), is_heading: true };
        for child in self.tree.children(id) {
            let Kind::Element(Tag::Cell | Tag::HeadCell, _) = self.tree.kind(child) else { continue };
            row.is_heading &= matches!(self.tree.kind(child), Kind::Element(Tag::HeadCell, _));
            if row.cells.len() == table::MOST_COLUMNS {
                break;
            }
            row.cells.push(self.cell(child));
        }
        row.is_heading &= !row.cells.is_empty();
        row
    }

    /// A cell's text in one line, without a look that would have to be counted.
    fn cell(&self, id: Id) -> String {
        let options = Options { style: IrcStyle::Plain, addresses: false, ..self.options };
        let lines = Lines::new(IrcStyle::Plain, 0);
        let mut cell = Renderer { tree: self.tree, names: self.names, options, lines };
        cell.children(id, Look::default());
        cell.lines.finish().unwrap_or_default().replace('\n', " ")
    }

    /// The text of a node without anything else; what a line break ends, a line feed ends. Of a spoiler it says that there
    /// is one, since text alone can hide nothing.
    fn text_of(&self, id: Id) -> String {
        let mut text = String::new();
        self.add_text(id, &mut text);
        text
    }

    fn add_text(&self, id: Id, text: &mut String) {
        match self.tree.kind(id) {
            Kind::Text(found) => text.push_str(&unescape(found)),
            Kind::Element(Tag::Break, _) => text.push('\n'),
            Kind::Element(Tag::Image, attributes) => {
                text.push_str(&attributes.get("alt").unwrap_or_default());
            }
            Kind::Element(Tag::Dropped, _) => {}
            Kind::Element(_, attributes) if attributes.get("data-mx-spoiler").is_some() => {
                text.push_str(&spoiler_sign(&attributes.get("data-mx-spoiler").unwrap_or_default()));
            }
            Kind::Element(..) => self.tree.children(id).for_each(|child| self.add_text(child, text)),
        }
    }
}

/// What stands before a spoiler, or for it.
fn spoiler_sign(reason: &str) -> String {
    match reason.trim() {
        "" => "[spoiler]".to_owned(),
        reason => format!("[spoiler: {reason}]"),
    }
}

fn hidden(look: Look) -> Look {
    Look { foreground: Some(HIDDEN), background: Some(HIDDEN), ..look }
}
