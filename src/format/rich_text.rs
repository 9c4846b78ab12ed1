//! Styled text: a list of spans, and blocks between them. Both the plain body and the HTML of a Matrix message are
//! written from it (`html`), so that they can't say different things.

mod blocks;
mod html;

use std::borrow::Cow;

use blocks::Block;
pub use blocks::Table;
pub use html::escape_html;

/// Lines that are not folded away.
const UNFOLDED: usize = 12;

/// A colour, red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// How a span looks.
#[expect(clippy::struct_excessive_bools, reason = "styles combine freely: no state machine hides here")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Struck through.
    pub strike: bool,
    /// In a fixed-width font.
    pub monospace: bool,
    /// Hidden until the reader asks for it.
    pub spoiler: bool,
    /// Colour of the text.
    pub foreground: Option<Colour>,
    /// Colour behind the text.
    pub background: Option<Colour>,
}

/// Where a text leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// To this address, which stands in the place of the text where there is no style.
    Named(String),
    /// To this address; the text says enough by itself.
    Spoken(String),
}

impl Link {
    fn address(&self) -> &str {
        match self {
            Self::Named(address) | Self::Spoken(address) => address,
        }
    }
}

/// What a span is besides text that looks somehow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Special {
    /// It leads somewhere.
    Link(Link),
    /// It stands on lines of its own, and has no text.
    Block(Box<Block>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) special: Option<Special>,
}

impl Span {
    /// The text where there is no style.
    fn plain(&self) -> Cow<'_, str> {
        match &self.special {
            Some(Special::Link(Link::Named(address))) => address.into(),
            Some(Special::Block(block)) => block.to_plain().into(),
            _ => self.text.as_str().into(),
        }
    }

    fn link(&self) -> Option<&Link> {
        match &self.special {
            Some(Special::Link(link)) => Some(link),
            _ => None,
        }
    }

    fn block(&self) -> Option<&Block> {
        match &self.special {
            Some(Special::Block(block)) => Some(block),
            _ => None,
        }
    }
}

/// Styled text; a line feed in it begins a new line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RichText {
    pub(super) spans: Vec<Span>,
}

impl RichText {
    /// No text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Text without style.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::new().text(text)
    }

    /// Adds text without style.
    #[must_use]
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.styled(text, Style::default())
    }

    /// Adds bold text.
    #[must_use]
    pub fn bold(self, text: impl AsRef<str>) -> Self {
        self.styled(text, Style { bold: true, ..Style::default() })
    }

    /// Adds text in a fixed-width font.
    #[must_use]
    pub fn code(self, text: impl AsRef<str>) -> Self {
        self.styled(text, Style { monospace: true, ..Style::default() })
    }

    /// Adds text in this style.
    #[must_use]
    pub fn styled(mut self, text: impl AsRef<str>, style: Style) -> Self {
        self.push(text.as_ref(), style);
        self
    }

    /// Adds a link. Where there is no style, the address itself stands in the place of the text.
    #[must_use]
    pub fn link(mut self, text: impl Into<String>, address: impl Into<String>) -> Self {
        let (text, special) = (text.into(), Some(Special::Link(Link::Named(address.into()))));
        self.spans.push(Span { text, style: Style::default(), special });
        self
    }

    /// Adds a text that leads to an address, which is not shown where there is no style.
    #[must_use]
    pub fn leading_to(mut self, text: impl Into<String>, address: impl Into<String>) -> Self {
        let (text, special) = (text.into(), Some(Special::Link(Link::Spoken(address.into()))));
        self.spans.push(Span { text, style: Style::default(), special });
        self
    }

    /// Adds a table, on lines of its own.
    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.block_of(Block::Table(table))
    }

    /// Adds what is folded away under its summary until the reader asks for it. Where there is no style, it stands under
    /// that.
    #[must_use]
    pub fn details(self, summary: impl AsRef<str>, inside: Self) -> Self {
        self.block_of(Block::Details { summary: summary.as_ref().to_owned(), inside })
    }

    /// Adds lines; many are folded away under a summary.
    #[must_use]
    pub fn list(self, summary: impl AsRef<str>, lines: Vec<Self>) -> Self {
        let is_long = lines.len() > UNFOLDED;
        let all = lines.into_iter().fold(Self::new(), |text, line| text.line().then(line));
        if is_long { self.details(summary, all) } else { self.line().then(all) }
    }

    fn block_of(mut self, block: Block) -> Self {
        let special = Some(Special::Block(Box::new(block)));
        self.spans.push(Span { text: String::new(), style: Style::default(), special });
        self
    }

    /// Adds the other text.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        for span in other.spans {
            match span.special {
                Some(_) => self.spans.push(span),
                None => self.push(&span.text, span.style),
            }
        }
        self
    }

    /// Puts other text in the place of what stands in a fixed-width font.
    #[must_use]
    pub fn map_code(mut self, replaced: &dyn Fn(&str) -> Option<String>) -> Self {
        for span in &mut self.spans {
            match &mut span.special {
                Some(Special::Block(block)) => block.map_code(replaced),
                None if span.style.monospace => {
                    if let Some(text) = replaced(&span.text) {
                        span.text = text;
                    }
                }
                _ => {}
            }
        }
        self
    }

    /// The same text without colours.
    #[must_use]
    pub fn without_colours(self) -> Self {
        self.spans.into_iter().fold(Self::new(), |mut text, span| {
            let style = Style { foreground: None, background: None, ..span.style };
            match span.special {
                Some(_) => text.spans.push(Span { style, ..span }),
                None => text.push(&span.text, style),
            }
            text
        })
    }

    /// Begins a new line, unless nothing stands before it.
    #[must_use]
    pub fn line(mut self) -> Self {
        if !self.is_empty() {
            self.push("\n", Style::default());
        }
        self
    }

    pub(super) fn push(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.style == style && last.special.is_none() => last.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), style, special: None }),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text without its style.
    pub fn to_plain(&self) -> String {
        let mut plain = String::new();
        let mut behind_block = false;
        for span in &self.spans {
            let text = span.plain();
            let is_block = span.block().is_some();
            if (is_block || behind_block && !text.starts_with('\n'))
                && !matches!(plain.chars().next_back(), None | Some('\n'))
            {
                plain.push('\n');
            }
            plain.push_str(&text);
            behind_block = is_block;
        }
        plain
    }

    /// As much of the text as fits, by what `fits` says of it, and then this sentence. A text that fits stays as it is.
    /// It ends behind a line, or behind a row of a table.
    #[must_use]
    pub fn fitting(self, more: &str, fits: impl Fn(&Self) -> bool) -> Self {
        if fits(&self) {
            return self;
        }
        let cut = |lines: usize| {
            let mut left = lines;
            blocks::first_lines(&self, &mut left).line().text(more)
        };
        // So many fit, so many don't.
        let (mut fitting, mut too_many) = (0, blocks::count_lines(&self));
        while too_many - fitting > 1 {
            let middle = usize::midpoint(fitting, too_many);
            if fits(&cut(middle)) {
                fitting = middle;
            } else {
                too_many = middle;
            }
        }
        cut(fitting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_style_needs_no_html() {
        assert_eq!(RichText::plain("a < b").to_html(), None);
    }

    #[test]
    fn every_text_in_html_is_escaped() {
        let text = RichText::new().bold("<script>").text("\"&'\nx");
        assert_eq!(text.to_html().unwrap(), "<b>&lt;script&gt;</b>&quot;&amp;&#39;<br>x");
        assert_eq!(text.to_plain(), "<script>\"&'\nx");
    }

    #[test]
    fn a_link_is_a_text_with_style_and_an_address_without() {
        let text = RichText::plain("see ").link("this", "https://x.example/?a&b").text(" now");
        assert_eq!(text.to_plain(), "see https://x.example/?a&b now");
        let html = "see <a href=\"https://x.example/?a&amp;b\">this</a> now";
        assert_eq!(text.to_html().unwrap(), html);
        assert_eq!(RichText::new().then(text).to_html().unwrap(), html);
    }

    #[test]
    fn without_colours_the_rest_stays() {
        let red = Style { bold: true, foreground: Some(Colour(255, 0, 0)), ..Style::default() };
        let text = RichText::plain("a ").styled("b", red).bold("c").link("d", "https://x.example/");
        let html = "a <b>bc</b><a href=\"https://x.example/\">d</a>";
        assert_eq!(text.without_colours().to_html().unwrap(), html);
    }

    #[test]
    fn styles_nest_and_close_in_order() {
        let style =
            Style { bold: true, monospace: true, foreground: Some(Colour(255, 0, 1)), ..Style::default() };
        let html = RichText::new().styled("x", style).to_html().unwrap();
        assert_eq!(html, "<span data-mx-color=\"#ff0001\"><b><code>x</code></b></span>");
    }
}
