//! A message's HTML as a tree, as browsers would read it where composers and people are careless: ends that are left
//! out, ends in the wrong order, ends of nothing.
//!
//! Nodes lie in one list and point to each other by number, so that neither making nor dropping a deep tree goes deep.
//! Invariant: nothing is nested deeper than [`DEEPEST`], so that whoever walks the tree may call themselves for it.
//!
//! Spec: Matrix, "m.room.message msgtypes" (the tags, and that clients bear 100 levels); HTML, "Optional tags".

use super::tokens::{Attributes, Token, Tokens, Unfinished};

/// No deeper than clients need to show it.
pub(super) const DEEPEST: usize = 100;

/// The elements that mean something; what has the same meaning has the same tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Bold,
    Italic,
    Underline,
    Strike,
    Code,
    Sub,
    Sup,
    Span,
    Link,
    Image,
    Break,
    Paragraph,
    Division,
    Quote,
    Preformatted,
    Heading1,
    Heading2,
    Heading3,
    Heading4,
    Heading5,
    Heading6,
    Rule,
    Unordered,
    Ordered,
    Item,
    Table,
    Caption,
    Section,
    Row,
    HeadCell,
    Cell,
    Details,
    Summary,
    /// What is not part of what was said: a reply's fallback, scripts.
    Dropped,
    /// What can be ticked off, if that is what it is.
    Input,
    /// What has no content and no meaning here.
    Void,
    /// Only its content counts.
    Other,
}

impl Tag {
    fn named(name: &str) -> Self {
        match name {
            "b" | "strong" => Self::Bold,
            "i" | "em" | "cite" | "var" | "dfn" => Self::Italic,
            "u" | "ins" => Self::Underline,
            "s" | "del" | "strike" => Self::Strike,
            "code" | "tt" | "kbd" | "samp" => Self::Code,
            "sub" => Self::Sub,
            "sup" => Self::Sup,
            "span" | "font" => Self::Span,
            "a" => Self::Link,
            "img" => Self::Image,
            "br" => Self::Break,
            "p" => Self::Paragraph,
            "div" | "center" | "section" | "article" | "figure" | "figcaption" | "dl" | "dt" | "dd" => {
                Self::Division
            }
            "blockquote" => Self::Quote,
            "pre" => Self::Preformatted,
            "h1" => Self::Heading1,
            "h2" => Self::Heading2,
            "h3" => Self::Heading3,
            "h4" => Self::Heading4,
            "h5" => Self::Heading5,
            "h6" => Self::Heading6,
            "hr" => Self::Rule,
            "ul" | "menu" => Self::Unordered,
            "ol" => Self::Ordered,
            "li" => Self::Item,
            "table" => Self::Table,
            "caption" => Self::Caption,
            "thead" | "tbody" | "tfoot" => Self::Section,
            "tr" => Self::Row,
            "th" => Self::HeadCell,
            "td" => Self::Cell,
            "details" => Self::Details,
            "summary" => Self::Summary,
            "mx-reply" | "script" | "style" | "title" | "template" => Self::Dropped,
            "input" => Self::Input,
            "wbr" | "col" | "link" | "meta" | "area" | "base" | "embed" | "source" | "track" => Self::Void,
            _ if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Self::named(&name.to_ascii_lowercase())
            }
            _ => Self::Other,
        }
    }

    fn has_no_content(self) -> bool {
        matches!(self, Self::Break | Self::Rule | Self::Image | Self::Input | Self::Void)
    }

    fn set(self) -> Tags {
        1 << self as u8
    }

    /// Which elements that were not ended end where this one begins.
    fn ends(self) -> Tags {
        let cells = Self::Cell.set() | Self::HeadCell.set();
        match self {
            Self::Paragraph
            | Self::Division
            | Self::Quote
            | Self::Preformatted
            | Self::Heading1
            | Self::Heading2
            | Self::Heading3
            | Self::Heading4
            | Self::Heading5
            | Self::Heading6
            | Self::Rule
            | Self::Unordered
            | Self::Ordered
            | Self::Table
            | Self::Details
            | Self::Summary => Self::Paragraph.set(),
            Self::Item => Self::Paragraph.set() | Self::Item.set(),
            Self::Link => Self::Link.set(),
            Self::Cell | Self::HeadCell => cells,
            Self::Row => cells | Self::Row.set() | Self::Caption.set(),
            Self::Section => cells | Self::Row.set() | Self::Caption.set() | Self::Section.set(),
            _ => 0,
        }
    }

    /// Which elements, being open, keep this one from ending what is outside of them. Tables do so in any case.
    fn shielded_by(self) -> Tags {
        let cells = Self::Cell.set() | Self::HeadCell.set();
        match self {
            Self::Item => cells | Self::Unordered.set() | Self::Ordered.set(),
            Self::Cell | Self::HeadCell | Self::Row | Self::Section => 0,
            _ => cells,
        }
    }
}

/// Several tags, a bit for each.
type Tags = u64;

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'h> {
    /// Text with its entities as they stand.
    Text(&'h str),
    Element(Tag, Attributes<'h>),
}

struct Node<'h> {
    kind: Kind<'h>,
    /// Its first child and what follows it; 0 is none, since nothing follows the root.
    first: u32,
    next: u32,
}

/// A message's HTML.
pub(super) struct Tree<'h> {
    nodes: Vec<Node<'h>>,
}

/// A node's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

/// Why HTML is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Unfinished,
    TooDeep,
}

impl From<Unfinished> for Unreadable {
    fn from(_: Unfinished) -> Self {
        Self::Unfinished
    }
}

impl<'h> Tree<'h> {
    pub(super) const ROOT: Id = Id(0);

    pub(super) fn read(html: &'h str) -> Result<Self, Unreadable> {
        let root = Kind::Element(Tag::Other, Attributes::default());
        let mut tree = Self { nodes: vec![Node { kind: root, first: 0, next: 0 }] };
        let mut open = vec![Open { id: 0, tag: Tag::Other, inside: 0, last: 0 }];
        let mut tokens = Tokens::new(html);
        while let Some(token) = tokens.next()? {
            match token {
                Token::Text(text) => _ = tree.add(&mut open, Kind::Text(text)),
                Token::Start(name, attributes) => {
                    let tag = Tag::named(name);
                    end_before(&mut open, tag);
                    let id = tree.add(&mut open, Kind::Element(tag, attributes));
                    if !tag.has_no_content() {
                        if open.len() > DEEPEST {
                            return Err(Unreadable::TooDeep);
                        }
                        let outer = open.last().map_or(0, |open| open.inside);
                        let inside = if tag == Tag::Table { tag.set() } else { outer | tag.set() };
                        open.push(Open { id, tag, inside, last: 0 });
                    }
                }
                Token::End(name) => end(&mut open, Tag::named(name)),
            }
        }
        Ok(tree)
    }

    fn add(&mut self, open: &mut [Open], kind: Kind<'h>) -> u32 {
        let id = self.nodes.len() as u32;
        self.nodes.push(Node { kind, first: 0, next: 0 });
        // The root is never ended.
        if let Some(parent) = open.last_mut() {
            match std::mem::replace(&mut parent.last, id) {
                0 => self.nodes[parent.id as usize].first = id,
                before => self.nodes[before as usize].next = id,
            }
        }
        id
    }

    pub(super) fn kind(&self, id: Id) -> Kind<'h> {
        self.nodes[id.0 as usize].kind
    }

    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let mut next = self.nodes[id.0 as usize].first;
        std::iter::from_fn(move || {
            let child = (next != 0).then_some(Id(next))?;
            next = self.nodes[next as usize].next;
            Some(child)
        })
    }
}

/// An element that has not ended.
struct Open {
    id: u32,
    tag: Tag,
    /// Its tag and those of what it is in, as far as its table: nobody looks for others further out, so that many
    /// tags in many levels cost no more than they are.
    inside: Tags,
    last: u32,
}

/// Ends what ends by the beginning of another.
fn end_before(open: &mut Vec<Open>, tag: Tag) {
    let (ends, shields) = (tag.ends(), tag.shielded_by());
    let mut ended = None;
    for (place, outer) in open.iter().enumerate().skip(1).rev() {
        if outer.inside & ends == 0 {
            break;
        }
        if outer.tag.set() & ends != 0 {
            ended = Some(place);
        } else if outer.tag.set() & shields != 0 {
            break;
        }
    }
    if let Some(place) = ended {
        open.truncate(place);
    }
}

/// Ends the innermost of this tag with all that is in it; of nothing, nothing.
fn end(open: &mut Vec<Open>, tag: Tag) {
    let is_open = open.last().is_some_and(|open| open.inside & tag.set() != 0);
    if let Some(place) = open.iter().rposition(|open| open.tag == tag).filter(|place| is_open && *place > 0) {
        open.truncate(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn shown(tree: &Tree<'_>, id: Id) -> String {
        tree.children(id)
            .map(|child| match tree.kind(child) {
                Kind::Text(text) => text.to_owned(),
                Kind::Element(tag, _) => format!("{tag:?}").to_lowercase() + "(" + &shown(tree, child) + ")",
            })
            .collect()
    }

    #[rstest]
    #[case::in_each_other("<b>a<i>b</i></b>c", "bold(aitalic(b))c")]
    #[case::other_names("<STRONG>a</strong><em>b</EM>", "bold(a)italic(b)")]
    #[case::ends_in_the_wrong_order("<b>a<i>b</b>c</i>d", "bold(aitalic(b))cd")]
    #[case::ends_of_nothing("a</b></p></table>b", "ab")]
    #[case::no_ends("<b>a<i>b", "bold(aitalic(b))")]
    #[case::a_paragraph_ends_another("<p>a<p>b<ul><li>c", "paragraph(a)paragraph(b)unordered(item(c))")]
    #[case::an_item_ends_another("<ul><li>a<li>b</ul>c", "unordered(item(a)item(b))c")]
    #[case::an_item_in_an_item(
        "<ul><li>a<ul><li>b</ul><li>c</ul>",
        "unordered(item(aunordered(item(b)))item(c))"
    )]
    #[case::cells_and_rows(
        "<table><tr><td>a<td>b<tr><td>c</table>",
        "table(row(cell(a)cell(b))row(cell(c)))"
    )]
    #[case::a_table_in_a_cell(
        "<table><tr><td><table><tr><td>a</table><td>b</table>",
        "table(row(cell(table(row(cell(a))))cell(b)))"
    )]
    #[case::no_end_leaves_a_table("<b><table><tr><td>a</b>b</table>", "bold(table(row(cell(ab))))")]
    #[case::no_link_in_a_link("<a>x<a>y</a>", "link(x)link(y)")]
    #[case::without_content("a<br>b<hr>c<img>d", "abreak()brule()cimage()d")]
    #[case::unknown("<blink>a</blink>", "other(a)")]
    fn elements_are_nested(#[case] html: &str, #[case] tree: &str) {
        let read = Tree::read(html).unwrap();
        assert_eq!(shown(&read, Tree::ROOT), tree);
    }

    #[test]
    fn what_is_nested_too_deep_is_not_read() {
        let nested = |levels: usize| Tree::read(&"<b>".repeat(levels)).map(|_| ());
        assert_eq!(nested(DEEPEST), Ok(()));
        assert_eq!(nested(DEEPEST + 1), Err(Unreadable::TooDeep));
        assert_eq!(nested(15_000), Err(Unreadable::TooDeep));
    }
}
