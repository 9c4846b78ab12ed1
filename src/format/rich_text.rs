//! Styled text: a list of spans. Both the plain body and the HTML of a Matrix message are written from it (`html`), so
//! that they can't say different things.

mod html;

pub use html::escape_html;

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) link: Option<Link>,
}

impl Span {
    /// The text where there is no style.
    fn plain(&self) -> &str {
        match &self.link {
            Some(Link::Named(address)) => address,
            _ => &self.text,
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
        let (text, link) = (text.into(), Some(Link::Named(address.into())));
        self.spans.push(Span { text, style: Style::default(), link });
        self
    }

    /// Adds the other text.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        for span in other.spans {
            match span.link {
                Some(_) => self.spans.push(span),
                None => self.push(&span.text, span.style),
            }
        }
        self
    }

    /// Puts other text in the place of what stands in a fixed-width font.
    #[must_use]
    pub fn map_code(mut self, replaced: impl Fn(&str) -> Option<String>) -> Self {
        for span in self.spans.iter_mut().filter(|span| span.style.monospace && span.link.is_none()) {
            if let Some(text) = replaced(&span.text) {
                span.text = text;
            }
        }
        self
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
            Some(last) if last.style == style && last.link.is_none() => last.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), style, link: None }),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text without its style.
    pub fn to_plain(&self) -> String {
        self.spans.iter().map(Span::plain).collect()
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
    fn styles_nest_and_close_in_order() {
        let style =
            Style { bold: true, monospace: true, foreground: Some(Colour(255, 0, 1)), ..Style::default() };
        let html = RichText::new().styled("x", style).to_html().unwrap();
        assert_eq!(html, "<span data-mx-color=\"#ff0001\"><b><code>x</code></b></span>");
    }
}
