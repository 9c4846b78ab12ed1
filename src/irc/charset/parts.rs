//! A line's parts, as far as its charset needs them: what is text, what may be a name, and what is neither.
//!
//! Not the parser, which gets decoded lines: this one works on bytes before they are read and after they are written.
//! In no charset of lines does a byte of a longer character look like the space between two parts.

/// What stands in a part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tags, which are UTF-8, and the verb.
    Plain,
    Source,
    /// A name, or what may be one; several with spaces between them.
    Names,
    Text,
}

pub(super) struct Part<'l> {
    pub(super) kind: Kind,
    /// What stands before it: the `@` of tags, the `:` of the source and of the last parameter.
    pub(super) sign: &'static str,
    pub(super) bytes: &'l [u8],
}

/// A line cut at its spaces.
pub(super) struct Parts<'l> {
    pub(super) list: Vec<Part<'l>>,
    /// Which of them says where the text belongs.
    pub(super) target: Option<usize>,
    /// The names in it are of those who are there. What somebody only speaks of, in an invitation or a list, may be
    /// another channel whose name reads the same.
    pub(super) vouches: bool,
}

impl<'l> Parts<'l> {
    pub(super) fn of(line: &'l [u8]) -> Self {
        let mut list: Vec<Part<'l>> = Vec::new();
        let mut rest = line.trim_ascii_start();
        let mut verb = None;
        while !rest.is_empty() {
            let is_first = list.is_empty();
            let sign = match rest[0] {
                b'@' if is_first => "@",
                b':' => ":",
                _ => "",
            };
            rest = &rest[sign.len()..];
            let is_trailing = sign == ":" && verb.is_some();
            let end =
                rest.iter().position(|byte| *byte == b' ').filter(|_| !is_trailing).unwrap_or(rest.len());
            let kind = match (sign, verb) {
                ("@", _) | ("", None) => Kind::Plain,
                (":", None) => Kind::Source,
                _ => Kind::Names,
            };
            if kind == Kind::Plain && sign.is_empty() {
                verb = Some(list.len());
            }
            list.push(Part { kind, sign, bytes: &rest[..end] });
            rest = rest.get(end + 1..).unwrap_or_default();
            if !is_trailing {
                rest = &rest[rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len())..];
            }
        }
        let mut parts = Self { list, target: None, vouches: false };
        if let Some(verb) = verb {
            parts.find_text(verb);
        }
        parts
    }

    /// Finds the parameter that is text, and the one that says where it belongs.
    fn find_text(&mut self, verb: usize) {
        let roles = roles(self.list[verb].bytes);
        let is_invitation = self.list[verb].bytes.eq_ignore_ascii_case(b"INVITE");
        self.vouches = matches!(roles, Roles::Text { .. } | Roles::Names) && !is_invitation;
        let (target, text) = match roles {
            Roles::Text { target, text } => (target, verb + 1 + text),
            Roles::LastIsText => (None, self.list.len() - 1),
            Roles::Names => return,
            Roles::Plain => return self.list.iter_mut().for_each(|part| part.kind = Kind::Plain),
        };
        let last = self.list.len() - 1;
        // Beyond the verb, and where nothing is known of the command, only behind a colon.
        if text > verb && text <= last && (target.is_some() || self.list[text].sign == ":") {
            self.list[text].kind = Kind::Text;
            self.target = target.map(|target| verb + 1 + target);
        }
    }
}

/// Which parameters of a command are names.
enum Roles {
    /// One is text, which belongs to what another names.
    Text { target: Option<usize>, text: usize },
    /// The last one is text if it stands behind a colon.
    LastIsText,
    /// None is text, also behind a colon.
    Names,
    /// They are secrets, whose bytes must not depend on a charset.
    Plain,
}

fn roles(verb: &[u8]) -> Roles {
    let text = |target, text| Roles::Text { target: Some(target), text };
    match verb.to_ascii_uppercase().as_slice() {
        b"PRIVMSG" | b"NOTICE" | b"TOPIC" | b"PART" => text(0, 1),
        b"KICK" | b"RELAYMSG" => text(0, 2),
        // Somebody is away; a channel's topic.
        b"301" | b"332" => text(1, 2),
        // The numerics: USERHOST, ISON, WHOIS' channels, NAMES, MONITOR.
        b"NICK" | b"JOIN" | b"MODE" | b"INVITE" | b"NAMES" | b"WHO" | b"WHOIS" | b"WHOWAS" | b"ISON"
        | b"USERHOST" | b"MONITOR" | b"ACCOUNT" | b"CHATHISTORY" | b"302" | b"303" | b"319" | b"353"
        | b"730" | b"731" | b"732" => Roles::Names,
        b"PASS" | b"OPER" | b"AUTHENTICATE" => Roles::Plain,
        _ => Roles::LastIsText,
    }
}
