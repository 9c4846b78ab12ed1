//! Which line of a YAML file a key stands on: a light scan of block style, used for messages only.
//!
//! Not a parser. The parser keeps no positions once a document is a value, and its own errors would need the
//! document to be right first. Where the scan cannot see a key (flow style, say), the section around it answers.

use std::collections::HashMap;

use super::problem::{child, item, parent};

/// The lines of a file's keys.
#[derive(Debug, Default, Clone)]
pub(super) struct Lines {
    of: HashMap<String, usize>,
    twice: Vec<(String, usize)>,
}

struct Open {
    indent: usize,
    path: String,
    items: usize,
    is_item: bool,
}

impl Lines {
    pub(super) fn scan(text: &str) -> Self {
        let mut lines = Self::default();
        let mut open: Vec<Open> = Vec::new();
        // The indentation of the key whose block scalar is being passed over.
        let mut block: Option<usize> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let rest = line.trim_start_matches(' ');
            let mut indent = line.len() - rest.len();
            if rest.trim().is_empty() {
                continue;
            }
            if let Some(outer) = block {
                if indent > outer {
                    continue;
                }
                block = None;
            }
            if rest.starts_with('#') || line.starts_with("---") || line.starts_with("...") {
                continue;
            }
            let mut rest = rest;
            while let Some(after) = dash(rest) {
                open.retain(|o| o.indent < indent || (o.indent == indent && !o.is_item));
                let path = match open.last_mut() {
                    Some(list) => {
                        list.items += 1;
                        item(&list.path, list.items - 1)
                    }
                    None => item("", 0),
                };
                lines.record(&path, number);
                open.push(Open { indent, path, items: 0, is_item: true });
                let inner = after.trim_start_matches(' ');
                indent += rest.len() - inner.len();
                rest = inner;
            }
            if let Some((key, value)) = key(rest) {
                open.retain(|o| o.indent < indent);
                let path = child(open.last().map_or("", |o| &o.path), &key);
                lines.record(&path, number);
                if value.starts_with(['|', '>']) {
                    block = Some(indent);
                }
                open.push(Open { indent, path, items: 0, is_item: false });
            }
        }
        lines
    }

    /// The line of a key, or of the nearest section around it.
    pub(super) fn near(&self, path: &str) -> Option<usize> {
        let mut path = path;
        while !path.is_empty() {
            if let Some(&line) = self.of.get(path) {
                return Some(line);
            }
            path = parent(path);
        }
        None
    }

    /// Keys that stand twice in their section, with the line of the second.
    pub(super) fn twice(&self) -> &[(String, usize)] {
        &self.twice
    }

    fn record(&mut self, path: &str, line: usize) {
        if self.of.contains_key(path) {
            self.twice.push((path.to_owned(), line));
        } else {
            self.of.insert(path.to_owned(), line);
        }
    }
}

/// What follows the dash of a list item.
fn dash(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('-')?;
    (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
}

/// A key and what follows its colon.
fn key(text: &str) -> Option<(String, &str)> {
    let first = text.chars().next()?;
    let (key, rest) = if matches!(first, '"' | '\'') {
        let inner = &text[1..];
        let end = inner.find(first)?;
        (&inner[..end], inner[end + 1..].trim_start().strip_prefix(':')?)
    } else {
        let end = text.find(": ").or_else(|| text.trim_end().strip_suffix(':').map(str::len))?;
        (&text[..end], &text[end + 1..])
    };
    Some((key.trim_end().to_owned(), rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_items_and_quoted_names_have_lines() {
        let text = "# note\nhomeserver:\n  url: x\npermissions:\n  \"@a:b.c\": user\nnetworks:\n  libera:\n    \
                    servers:\n    - host: a\n      port: 1\n    -\n      host: b\n    name: L\n";
        let lines = Lines::scan(text);
        let table = [
            ("homeserver.url", 3),
            ("permissions.\"@a:b.c\"", 5),
            ("networks.libera.servers[0].host", 9),
            ("networks.libera.servers[0].port", 10),
            ("networks.libera.servers[1].host", 12),
            ("networks.libera.name", 13),
        ];
        for (path, line) in table {
            assert_eq!(lines.near(path), Some(line), "{path}");
        }
    }

    #[test]
    fn what_the_file_lacks_has_the_line_of_its_section() {
        let lines = Lines::scan("homeserver:\n  url: x\nlog: { level: info }\n");
        assert_eq!(lines.near("homeserver.domain"), Some(1));
        assert_eq!(lines.near("log.level"), Some(3));
        assert_eq!(lines.near("database.url"), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_found_and_a_block_scalar_is_not_searched() {
        let lines = Lines::scan("a:\n  b: |\n    c: 1\n    c: 2\n  d: 1\n  d: 2\n");
        assert_eq!(lines.twice(), [("a.d".to_owned(), 6)]);
    }
}
