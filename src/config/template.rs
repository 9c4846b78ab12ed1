//! Templates: what things are called on the other side, and the proof that ids made from them can't collide.
//!
//! A template is text with fields in braces. For names that people read, [`Template::render`] is all. An id must
//! also be readable backwards: there, every value but the last is escaped to `[a-z0-9=-]`, and each separator begins
//! with a character that no such value holds, so that [`Template::read_id`] finds the values again and two different
//! sets of values can never be one id.

use std::fmt::Write as _;

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its partner.
    #[error("it has a brace without its partner")]
    Brace,
    /// A field that has no meaning there.
    #[error("it has a field that has no meaning here; there are {0}")]
    UnknownField(String),
    /// A field is needed for the result to tell things apart.
    #[error("it must have {{{0}}}, so that different things get different names")]
    MissingField(&'static str),
    /// One of some fields is needed for the result to tell people apart.
    #[error("it must have one of {0}, so that different people get different names")]
    NoField(String),
    /// Whoever chooses a long display name has the id behind it cut off, or writes somebody else's there.
    #[error(
        "{{user_id}} must stand before {{display}}: servers cut long real names, and a display name, which people choose, \
         could hide the id or show another one in its place"
    )]
    HidesId,
    /// A user name is short, and of few characters.
    #[error(
        "outside {{localpart}} it takes up to five letters, digits, dots and underscores, a letter or digit first"
    )]
    Username,
    /// A field stands in the template more than once.
    #[error("it has {{{0}}} more than once")]
    FieldTwice(String),
    /// A character that would break a name that people read.
    #[error("it has a control character")]
    Control,
    /// An id's fields must be in an order that can be read backwards.
    #[error("the fields must be in the order {0}, and nothing may follow the last")]
    Order(&'static str),
    /// An id may hold only some characters.
    #[error("outside the fields only a-z, 0-9 and . _ = - / may stand, since it becomes part of an id")]
    IdCharacter,
    /// Without a prefix every user's name would be claimed.
    #[error(
        "it must begin with a prefix that ends in one of _ . = / - (such as irc_), so that it claims no one's own name"
    )]
    Prefix,
    /// Two fields must be kept apart.
    #[error(
        "between two fields there must be a separator that begins with one of {0}, which their values never hold"
    )]
    Separator(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
}

/// A text with fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

impl Template {
    /// Reads a template that may have these fields.
    pub fn parse(text: &str, fields: &[&str]) -> Result<Self, TemplateError> {
        if text.chars().any(char::is_control) {
            return Err(TemplateError::Control);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal = &rest[..rest.find(['{', '}']).unwrap_or(rest.len())];
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            rest = &rest[literal.len()..];
            if !rest.is_empty() {
                let (name, after) =
                    rest.strip_prefix('{').and_then(|r| r.split_once('}')).ok_or(TemplateError::Brace)?;
                if !fields.contains(&name) {
                    return Err(TemplateError::UnknownField(braced(fields)));
                }
                parts.push(Part::Field(name.to_owned()));
                rest = after;
            }
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// Reads a template for names that people read, which must have some of its fields.
    pub fn parse_name(text: &str, fields: &[&str], required: &'static str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, fields)?;
        if template.fields().any(|field| field == required) {
            Ok(template)
        } else {
            Err(TemplateError::MissingField(required))
        }
    }

    /// Reads a template for people's nicks.
    pub fn parse_nick(text: &str) -> Result<Self, TemplateError> {
        const FIELDS: [&str; 3] = ["localpart", "display", "user_id"];
        let template = Self::parse(text, &FIELDS)?;
        if template.fields().next().is_none() {
            return Err(TemplateError::NoField(braced(&FIELDS)));
        }
        Ok(template)
    }

    /// Reads a template for people's real names.
    pub fn parse_realname(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, &["display", "localpart", "user_id", "nick"])?;
        let place = |field: &str| template.fields().position(|found| found == field);
        match (place("display"), place("user_id")) {
            (Some(display), Some(id)) if display < id => Err(TemplateError::HidesId),
            _ => Ok(template),
        }
    }

    /// Reads a template for people's user names, of which servers show nine characters.
    pub fn parse_username(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, &["localpart"])?;
        template.require(&["localpart"])?;
        let around = template.render(&[]);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        if around.len() > 5 || !around.chars().all(fits) || template.prefix().starts_with(['.', '_']) {
            return Err(TemplateError::Username);
        }
        Ok(template)
    }

    /// Reads a template for ghosts' localparts: `prefix{network}separator{nick}`.
    pub fn parse_ghost(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, &["network", "nick"])?;
        template.require(&["network", "nick"])?;
        template.check_id(&[&["network", "nick"]], "{network}, {nick}", "_.=/")?;
        Ok(template)
    }

    /// Reads a template for the aliases of private rooms: a prefix, `{user}` and `{network}` in either order, then
    /// `{channel}`. Here `=` separates nothing, since a user's escaped localpart may hold it.
    pub fn parse_alias(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, &["user", "network", "channel"])?;
        template.require(&["user", "network", "channel"])?;
        let orders: &[&[&str]] = &[&["user", "network", "channel"], &["network", "user", "channel"]];
        template.check_id(orders, "{user}, {network}, {channel}", "_./")?;
        Ok(template)
    }

    /// Reads a template for the aliases of shared rooms: `prefix{network}separator{channel}`, or `prefix{channel}` where there
    /// is one network.
    pub fn parse_shared_alias(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, &["network", "channel"])?;
        let required: &[_] = if template.has("network") { &["network", "channel"] } else { &["channel"] };
        template.require(required)?;
        template.check_id(&[&["network", "channel"], &["channel"]], "{network}, {channel}", "_./")?;
        Ok(template)
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every result begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// Fills in the fields. A field without a value is left empty.
    #[must_use]
    pub fn render(&self, values: &[(&str, &str)]) -> String {
        self.fill(values, |value, _| value.to_owned())
    }

    /// Whether it has a field.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.fields().any(|found| found == field)
    }

    /// Fills in the fields, and tells apart what stands behind the last one.
    #[must_use]
    pub fn render_parted(&self, values: &[(&str, &str)]) -> (String, &str) {
        let behind = match self.parts.last() {
            Some(Part::Literal(text)) => text.as_str(),
            _ => "",
        };
        let mut text = self.render(values);
        text.truncate(text.len() - behind.len());
        (text, behind)
    }

    /// Fills in the fields of an id so that [`Template::read_id`] is the way back: every value but the last is
    /// escaped. The last must be made valid for an id by the caller, who knows how it is to be folded.
    #[must_use]
    pub fn render_id(&self, values: &[(&str, &str)]) -> String {
        self.fill(values, |value, last| if last { value.to_owned() } else { escape(value) })
    }

    /// The values from which [`Template::render_id`] made this, in the order of the template; `None` where it did not.
    #[must_use]
    pub fn read_id<'t>(&'t self, id: &str) -> Option<Vec<(&'t str, String)>> {
        let mut values = Vec::new();
        let mut rest = id;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match (part, parts.peek()) {
                (Part::Literal(text), _) => rest = rest.strip_prefix(text.as_str())?,
                (Part::Field(field), Some(Part::Literal(next))) => {
                    let end = rest.find(next.as_str())?;
                    values.push((field.as_str(), unescape(&rest[..end])?));
                    rest = &rest[end..];
                }
                (Part::Field(field), _) => {
                    values.push((field.as_str(), std::mem::take(&mut rest).to_owned()));
                }
            }
        }
        let full = values.iter().all(|(_, value)| !value.is_empty());
        (rest.is_empty() && full).then_some(values)
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    fn fill(&self, values: &[(&str, &str)], write: impl Fn(&str, bool) -> String) -> String {
        let mut text = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Field(field) => {
                    let value = values.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value);
                    text.push_str(&write(value, index + 1 == self.parts.len()));
                }
            }
        }
        text
    }

    fn require(&self, required: &[&'static str]) -> Result<(), TemplateError> {
        for &field in required {
            match self.fields().filter(|&found| found == field).count() {
                0 => return Err(TemplateError::MissingField(field)),
                1 => {}
                _ => return Err(TemplateError::FieldTwice(field.to_owned())),
            }
        }
        Ok(())
    }

    fn check_id(
        &self,
        orders: &[&[&str]],
        order: &'static str,
        separators: &'static str,
    ) -> Result<(), TemplateError> {
        let fields: Vec<&str> = self.fields().collect();
        let ends_in_field = matches!(self.parts.last(), Some(Part::Field(_)));
        if !ends_in_field || !orders.contains(&fields.as_slice()) {
            return Err(TemplateError::Order(order));
        }
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._=-/".contains(&b);
        let literals = self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text),
            Part::Field(_) => None,
        });
        if !literals.into_iter().all(|text| text.bytes().all(valid)) {
            return Err(TemplateError::IdCharacter);
        }
        if !self.prefix().ends_with(['_', '.', '=', '/', '-']) {
            return Err(TemplateError::Prefix);
        }
        let separated = self.parts[1..].windows(2).all(|pair| match pair {
            [Part::Field(_), Part::Literal(text)] => text.starts_with(|c| separators.contains(c)),
            [Part::Field(_), Part::Field(_)] => false,
            _ => true,
        });
        if separated { Ok(()) } else { Err(TemplateError::Separator(separators)) }
    }
}

fn braced(fields: &[&str]) -> String {
    fields.iter().map(|field| format!("{{{field}}}")).collect::<Vec<_>>().join(", ")
}

/// A value in which only `[a-z0-9-]` and `=` stand: each other byte becomes `=` and two hexadecimal digits.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "={byte:02x}");
        }
    }
    text
}

/// The value that [`escape`] wrote as this; `None` for what it never writes.
#[must_use]
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    let value = String::from_utf8(bytes).ok()?;
    (escape(&value) == text).then_some(value)
}
