//! Which charset is meant: line by line, in both directions.
//!
//! A text is UTF-8 where it can be; else it is read by its channel's charset, else by the network's, else as
//! windows-1252. Names are another matter: a nick is in many channels, and the same bytes must be the same nick in all.
//! So names never follow a channel. Each is read by itself, as UTF-8, by the network's charset if that gives the same
//! bytes back, else as windows-1252, where different bytes are different characters.
//!
//! A name goes back as the bytes that it came in: what was read otherwise than it would be written is remembered.
//!
//! The bytes of a text may look like UTF-8 by chance (KOI8-R's "её" is "ţ"), and the charset may be changed before a text
//! comes back: what was written is remembered, and read as what it was.
//!
//! Invariant 9: only names that differ are remembered, and so many of them ([`MOST_NAMES`]), none longer than servers
//! take; of texts the last ([`MOST_TEXTS`]), which are no longer than lines.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::parts::{Kind, Part, Parts};
use super::{Charset, decode, encode, is_escaped, read};
use crate::irc::wire::Line;
use crate::names::CaseMap;

/// Names that are remembered for the charset in which they came: twice so many at most.
const MOST_NAMES: usize = 512;

/// No name that a server takes is longer; a hostile one could have us remember lines.
const LONGEST_NAME: usize = 400;

/// Texts that are remembered as they were written: more than are on their way before the server answers.
const MOST_TEXTS: usize = 64;

/// A text that was written otherwise than in UTF-8.
struct Written {
    target: Box<str>,
    encoding: &'static Encoding,
    bytes: Box<[u8]>,
}

/// Invariant 10: people's words are in here.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written(.. {} bytes)", self.bytes.len())
    }
}

type Names = HashMap<Box<str>, &'static Encoding>;

/// The charsets of one connection.
#[derive(Debug)]
pub struct Charsets {
    /// What the configuration says: to read by.
    fallback: &'static Encoding,
    /// What the user chose for the network.
    network: Option<Charset>,
    /// What the user chose for channels and queries.
    targets: CaseMap<Charset>,
    /// Channels of which others read what is read here: by what the configuration says.
    shared: CaseMap<()>,
    /// The server takes nothing but UTF-8.
    utf8_only: bool,
    /// Names whose charset is known from earlier connections.
    known: Names,
    /// Names whose charset was seen: lately, and before.
    lately: Names,
    before: Names,
    /// The last texts that were written otherwise than in UTF-8.
    written: VecDeque<Written>,
}

impl Charsets {
    /// With the charset of what is not UTF-8; windows-1252 where none is given.
    #[must_use]
    pub fn new(fallback: Option<&'static Encoding>) -> Self {
        Self {
            fallback: fallback.unwrap_or(WINDOWS_1252),
            network: None,
            targets: CaseMap::default(),
            shared: CaseMap::default(),
            utf8_only: false,
            known: Names::new(),
            lately: Names::new(),
            before: Names::new(),
            written: VecDeque::new(),
        }
    }

    /// What the user chose: for the network, for channels and queries, and in which charset names came on earlier
    /// connections.
    pub fn choose(
        &mut self,
        network: Option<Charset>,
        targets: CaseMap<Charset>,
        known: impl IntoIterator<Item = (Box<str>, &'static Encoding)>,
    ) {
        self.network = network;
        self.targets = targets;
        let usual = self.writing_names();
        self.known = known.into_iter().filter(|(_, encoding)| *encoding != usual).collect();
    }

    /// What is said in these channels others read, too, whatever the user chose.
    pub fn share(&mut self, channels: CaseMap<()>) {
        self.shared = channels;
    }

    /// The server takes nothing but UTF-8, or does.
    pub fn set_utf8_only(&mut self, utf8_only: bool) {
        self.utf8_only = utf8_only;
    }

    /// In which charset a message to this target is written.
    #[must_use]
    pub fn writing(&self, target: &str) -> &'static Encoding {
        if self.utf8_only {
            return UTF_8;
        }
        self.of_target(target).or(self.network).map_or(UTF_8, Charset::writing)
    }

    /// How many bytes a name has as it is written.
    #[must_use]
    pub fn name_length(&self, name: &str) -> usize {
        let mut bytes = Vec::new();
        self.write_names(name, &mut bytes);
        bytes.len()
    }

    /// In which charset a name came, or would be written if it never came. Nothing for one that is the same in all.
    #[must_use]
    pub fn charset_of_name(&self, name: &str) -> Option<&'static Encoding> {
        (!name.is_ascii()).then(|| self.remembered(name).unwrap_or_else(|| self.writing_names()))
    }

    /// A channel's charset, or a query's.
    fn of_target(&self, target: &str) -> Option<Charset> {
        known_of(&self.targets, target).copied()
    }

    /// By what the text of a line is read. What is said to us is read by the charset of who says it.
    fn reading(&self, target: &str, source: &str) -> &'static Encoding {
        if known_of(&self.shared, target).is_some() {
            return self.fallback;
        }
        let is_channel = target.starts_with(['#', '&', '+', '!', '@', '%', '~']);
        let of_source = || (!is_channel).then(|| self.of_target(source)).flatten();
        let chosen = self.of_target(target).or_else(of_source).map(Charset::encoding);
        chosen.filter(|encoding| *encoding != UTF_8).unwrap_or_else(|| self.reading_names())
    }

    fn reading_names(&self) -> &'static Encoding {
        let chosen = self.network.map(Charset::encoding).filter(|encoding| *encoding != UTF_8);
        chosen.unwrap_or(self.fallback)
    }

    /// In which charset a name is written that never came.
    fn writing_names(&self) -> &'static Encoding {
        self.network.map_or(UTF_8, Charset::writing)
    }

    /// Nothing but UTF-8 was ever seen or asked for.
    fn is_plain(&self) -> bool {
        self.known.is_empty()
            && self.lately.is_empty()
            && self.before.is_empty()
            && self.writing_names() == UTF_8
    }

    /// Reads a line, with its end or without. What no line may hold is left out; nothing where that leaves nothing.
    pub fn read(&mut self, line: &[u8]) -> Option<String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = match std::str::from_utf8(line) {
            Ok(text) if self.is_read_as_it_is(text) => text.replace(['\r', '\n', '\0'], ""),
            _ => self.read_parts(line),
        };
        (!text.is_empty()).then_some(text)
    }

    /// A line that is UTF-8 is read as that, unless a name in it would have to be noted, or it only looks like ASCII.
    fn is_read_as_it_is(&self, line: &str) -> bool {
        ((self.is_plain() && self.written.is_empty()) || line.is_ascii()) && !is_escaped(line.as_bytes())
    }

    fn read_parts(&mut self, line: &[u8]) -> String {
        let parts = Parts::of(line);
        let mut text = String::with_capacity(line.len() + 16);
        let (mut source, mut target) = (String::new(), String::new());
        for (place, part) in parts.list.iter().enumerate() {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(part.sign);
            match part.kind {
                Kind::Plain => text.push_str(&read(WINDOWS_1252, part.bytes)),
                Kind::Source => {
                    source = self.read_name(part.bytes, true);
                    text.push_str(&source);
                    source.truncate(source.find('!').unwrap_or(source.len()));
                }
                Kind::Names => {
                    let names = self.read_names(part.bytes, parts.vouches);
                    text.push_str(&names);
                    if Some(place) == parts.target {
                        target = names;
                    }
                }
                Kind::Text => text.push_str(&match self.charset_of_text(&target, part.bytes) {
                    Some(encoding) => decode(encoding, part.bytes),
                    None => read(self.reading(&target, &source), part.bytes),
                }),
            }
        }
        text
    }

    /// Reads words, each of which may be a name.
    fn read_names(&mut self, bytes: &[u8], vouches: bool) -> String {
        let words = bytes.split(|byte| *byte == b' ').map(|word| self.read_name(word, vouches));
        words.collect::<Vec<String>>().join(" ")
    }

    /// Reads a name, with the signs before it and the user and host behind it, and notes its charset if the line
    /// vouches for it.
    fn read_name(&mut self, bytes: &[u8], vouches: bool) -> String {
        if bytes.is_ascii() && !bytes.contains(&super::ESCAPE) {
            return read(UTF_8, bytes);
        }
        let end = bytes.iter().position(|byte| *byte == b'!').filter(|end| *end > 0).unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at(end);
        let (mut text, encoding) = name_of(self.reading_names(), name);
        if vouches {
            self.note(text.trim_start_matches(STATUS), encoding);
        }
        if !rest.is_empty() {
            text.push_str(&name_of(self.reading_names(), rest).0);
        }
        text
    }

    fn note(&mut self, name: &str, encoding: &'static Encoding) {
        if name.is_ascii() || name.len() > LONGEST_NAME {
            return;
        }
        if encoding == self.writing_names() {
            self.lately.remove(name);
            self.before.remove(name);
            if !self.known.contains_key(name) {
                return;
            }
        }
        if self.lately.len() >= MOST_NAMES && !self.lately.contains_key(name) {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(name.into(), encoding);
    }

    fn remembered(&self, name: &str) -> Option<&'static Encoding> {
        [&self.lately, &self.before, &self.known].into_iter().find_map(|names| names.get(name)).copied()
    }

    /// In which charset exactly this was written to a target, not long ago.
    fn charset_of_text(&self, target: &str, bytes: &[u8]) -> Option<&'static Encoding> {
        let same = |name: &str| self.targets.mapping().same(name, target);
        let found =
            self.written.iter().rev().find(|written| *written.bytes == *bytes && same(&written.target));
        found.map(|written| written.encoding)
    }

    /// Remembers a text that could be read as another when it comes back.
    fn remember(&mut self, target: &str, encoding: &'static Encoding, bytes: &[u8]) {
        if encoding == UTF_8 || (bytes.is_ascii() && !is_escaped(bytes)) {
            return;
        }
        if self.written.len() >= MOST_TEXTS {
            self.written.pop_front();
        }
        self.written.push_back(Written { target: target.into(), encoding, bytes: bytes.into() });
    }

    /// Writes a line with its end.
    pub fn write(&mut self, line: &Line, bytes: &mut Vec<u8>) {
        let text = line.as_str();
        let is_as_it_is = self.utf8_only
            || line.is_utf_8()
            || (text.is_ascii() && !is_escaped(text.as_bytes()))
            || (self.is_plain() && self.targets.is_empty());
        if is_as_it_is {
            return bytes.extend_from_slice(line.as_bytes());
        }
        let start = bytes.len();
        let parts = Parts::of(text.as_bytes());
        // They were cut at spaces, and are text as the whole is.
        let of = |part: &Part<'_>| String::from_utf8_lossy(part.bytes).into_owned();
        let target = parts.target.map(|place| of(&parts.list[place])).unwrap_or_default();
        for (place, part) in parts.list.iter().enumerate() {
            if place > 0 {
                bytes.push(b' ');
            }
            bytes.extend_from_slice(part.sign.as_bytes());
            match part.kind {
                Kind::Plain => bytes.extend_from_slice(part.bytes),
                Kind::Source | Kind::Names => {
                    for (place, word) in of(part).split(' ').enumerate() {
                        if place > 0 {
                            bytes.push(b' ');
                        }
                        self.write_names(word, bytes);
                    }
                }
                Kind::Text => {
                    let (encoding, start) = (self.writing(&target), bytes.len());
                    encode(encoding, &of(part), bytes);
                    self.remember(&target, encoding, &bytes[start..]);
                }
            }
        }
        // No charset makes these; whatever one might do, a line is one line.
        debug_assert!(!bytes[start..].iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        let mut place = 0;
        bytes.retain(|byte| {
            place += 1;
            place <= start || !matches!(byte, b'\r' | b'\n' | 0)
        });
        bytes.extend_from_slice(b"\r\n");
    }

    /// Writes a list of names.
    fn write_names(&self, names: &str, bytes: &mut Vec<u8>) {
        for (place, name) in names.split(',').enumerate() {
            if place > 0 {
                bytes.push(b',');
            }
            self.write_name(name, bytes);
        }
    }

    fn write_name(&self, name: &str, bytes: &mut Vec<u8>) {
        if self.utf8_only || name.is_ascii() {
            return bytes.extend_from_slice(name.as_bytes());
        }
        let nick = name.split('!').next().unwrap_or_default();
        let known = self.remembered(name).or_else(|| self.remembered(name.trim_start_matches(STATUS)));
        let encoding = known.or_else(|| self.remembered(nick)).unwrap_or_else(|| self.writing_names());
        let mut written = Vec::with_capacity(name.len());
        let lost = encode(encoding, name, &mut written);
        // A name that the charset lacks, or that would fall apart in it, is one of another charset.
        if lost > 0 || written.iter().any(|byte| matches!(byte, b' ' | b',' | 0x07)) {
            written = name.as_bytes().to_vec();
        }
        bytes.extend_from_slice(&written);
    }
}

/// What stands before a name and is no part of it.
const STATUS: [char; 5] = ['@', '%', '+', '~', '&'];

/// What is known of a target: before a channel may stand the signs of those whom a message is for.
fn known_of<'m, T>(known: &'m CaseMap<T>, target: &str) -> Option<&'m T> {
    let mut name = target;
    loop {
        if let Some(found) = known.get(name) {
            return Some(found);
        }
        // A nick may begin so, too, and is no other's.
        name =
            name.strip_prefix(STATUS).filter(|rest| rest.starts_with(CHANNEL) || rest.starts_with(STATUS))?;
    }
}

/// What channels begin with.
const CHANNEL: [char; 4] = ['#', '&', '+', '!'];

/// Reads a name by the first charset that gives the same bytes back, and so gives no other name the same characters.
fn name_of(encoding: &'static Encoding, bytes: &[u8]) -> (String, &'static Encoding) {
    if !is_escaped(bytes)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return (text.replace(['\r', '\n', '\0'], ""), UTF_8);
    }
    let text = decode(encoding, bytes);
    let mut again = Vec::with_capacity(bytes.len());
    let lost = encode(encoding, &text, &mut again);
    // What is ASCII in disguise would pass for another name.
    if encoding != UTF_8 && lost == 0 && again == bytes && !text.is_ascii() && !text.starts_with(':') {
        return (text, encoding);
    }
    if bytes.is_ascii() {
        return (read(UTF_8, bytes), UTF_8);
    }
    (decode(WINDOWS_1252, bytes), WINDOWS_1252)
}

#[cfg(test)]
mod tests;
