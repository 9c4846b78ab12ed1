//! HTML cut into tags and text, in one pass, borrowed from what was read.
//!
//! Not a validator: it reads what composers write (Matrix specification, "m.room.message msgtypes"), and gives up where
//! a browser would drop the rest, since the plain body is better than half a message. Invariant: each byte is looked at
//! a bounded number of times.

use super::entities::unescape;
use std::borrow::Cow;

/// A piece of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'h> {
    /// Text, with its entities as they stand.
    Text(&'h str),
    /// A tag that begins an element.
    Start(&'h str, Attributes<'h>),
    /// A tag that ends one.
    End(&'h str),
}

/// A tag or a comment has no end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished;

/// The rest of HTML that is read.
pub(super) struct Tokens<'h> {
    rest: &'h str,
}

impl<'h> Tokens<'h> {
    pub(super) fn new(html: &'h str) -> Self {
        Self { rest: html }
    }

    /// The next piece; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'h>>, Unfinished> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let text = length_of_text(self.rest);
            if text > 0 {
                return Ok(Some(Token::Text(self.take(text))));
            }
            if let Some(comment) = self.rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->").ok_or(Unfinished)?.1;
            } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
                self.rest = self.rest.split_once('>').ok_or(Unfinished)?.1;
            } else {
                return self.tag().map(Some);
            }
        }
    }

    fn take(&mut self, length: usize) -> &'h str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn tag(&mut self) -> Result<Token<'h>, Unfinished> {
        let end = end_of_tag(self.rest).ok_or(Unfinished)?;
        let tag = &self.take(end)[1..end - 1];
        let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name = tag.bytes().take_while(|byte| !byte.is_ascii_whitespace() && *byte != b'/').count();
        let (name, attributes) = tag.split_at(name);
        Ok(if is_end { Token::End(name) } else { Token::Start(name, Attributes(attributes)) })
    }
}

/// How much text stands before the next tag. A `<` that begins none is text.
fn length_of_text(html: &str) -> usize {
    let mut from = 0;
    while let Some(at) = html[from..].find('<') {
        let tag = from + at;
        let mut after = html[tag + 1..].bytes();
        let is_tag = match after.next() {
            Some(b'/') => after.next().is_some_and(|byte| byte.is_ascii_alphabetic()),
            Some(byte) => byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?'),
            None => false,
        };
        if is_tag {
            return tag;
        }
        from = tag + 1;
    }
    html.len()
}

/// Where the tag that a text begins with ends: behind its first `>` that stands in no value.
fn end_of_tag(html: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            // A quote begins a value only behind `=`.
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    None
}

/// The attributes of a tag, not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Attributes<'h>(&'h str);

impl<'h> Attributes<'h> {
    /// The value of an attribute, empty where it has none.
    pub(super) fn get(self, name: &str) -> Option<Cow<'h, str>> {
        let mut rest = self.0;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            // A `=` at its beginning belongs to the name, as browsers read it.
            let length = 1 + rest.bytes().skip(1).take_while(|byte| !ends_name(*byte)).count();
            let (found, after) = rest.split_at_checked(length)?;
            let (value, after) = value(after);
            rest = after;
            if found.eq_ignore_ascii_case(name) {
                return Some(unescape(value));
            }
        }
    }
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/')
}

/// The value that follows an attribute's name, and what follows it.
fn value(rest: &str) -> (&str, &str) {
    let Some(value) = rest.trim_ascii_start().strip_prefix('=') else { return ("", rest) };
    let value = value.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(value) = value.strip_prefix(quote) {
            return value.split_once(quote).unwrap_or((value, ""));
        }
    }
    let length = value.bytes().take_while(|byte| !byte.is_ascii_whitespace()).count();
    value.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn shown(html: &str) -> Result<String, Unfinished> {
        let mut tokens = Tokens::new(html);
        let mut shown = String::new();
        while let Some(token) = tokens.next()? {
            match token {
                Token::Text(text) => shown.push_str(&format!("[{text}]")),
                Token::Start(name, _) => shown.push_str(&format!("+{name}")),
                Token::End(name) => shown.push_str(&format!("-{name}")),
            }
        }
        Ok(shown)
    }

    #[rstest]
    #[case::text("a &amp; b", "[a &amp; b]")]
    #[case::an_element("<b>x</b>", "+b[x]-b")]
    #[case::in_capitals("<B>x</B>", "+B[x]-B")]
    #[case::without_content("a<br>b<br/>c<br />", "[a]+br[b]+br[c]+br")]
    #[case::a_sign_is_text("1 < 2 <3 </ <", "[1 < 2 <3 </ <]")]
    #[case::a_comment("a<!-- <b> -->c", "[a][c]")]
    #[case::a_declaration("<!DOCTYPE html><?xml?>a", "[a]")]
    #[case::an_end_in_a_value("<a href=\"x>y\">z</a>", "+a[z]-a")]
    #[case::a_quote_that_begins_no_value("<b \">x", "+b[x]")]
    #[case::a_value_behind_spaces("<a href = '>'>z", "+a[z]")]
    #[case::an_end_with_spaces("<b>x</b >", "+b[x]-b")]
    #[case::nothing("", "")]
    fn html_is_tags_and_text(#[case] html: &str, #[case] tokens: &str) {
        assert_eq!(shown(html).unwrap(), tokens);
    }

    #[rstest]
    #[case::a_tag("a<b")]
    #[case::a_value("<a href=\"x>y")]
    #[case::a_comment("a<!-- b")]
    #[case::a_declaration("<!x")]
    fn what_has_no_end_is_not_read(#[case] html: &str) {
        assert_eq!(shown(html), Err(Unfinished));
    }

    #[rstest]
    #[case::quoted("a href=\"x\"", Some("x"))]
    #[case::with_the_other_quotes("a href='x \"y\"'", Some("x \"y\""))]
    #[case::bare("a href=x/y z", Some("x/y"))]
    #[case::with_spaces("a class=\"b\"  HREF = \"x\"", Some("x"))]
    #[case::entities("a href=\"?a=1&amp;b=2\"", Some("?a=1&b=2"))]
    #[case::no_value("a href", Some(""))]
    #[case::no_value_and_another("a href class=x", Some(""))]
    #[case::in_another_value("a title=\"href=x\"", None)]
    #[case::first_counts("a href=1 href=2", Some("1"))]
    #[case::of_a_longer_name("a hreflang=x", None)]
    #[case::not_ascii("a é=1 href=x", Some("x"))]
    #[case::signs("a ===/= href=x", Some("x"))]
    fn an_attribute_has_a_value(#[case] tag: &str, #[case] value: Option<&str>) {
        let html = format!("<{tag}>");
        let Ok(Some(Token::Start("a", attributes))) = Tokens::new(&html).next() else { panic!("no tag") };
        assert_eq!(attributes.get("href").as_deref(), value);
    }
}
