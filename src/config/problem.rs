//! What is wrong with a configuration: every problem with its path and line, never with a value.
//!
//! A value is never quoted back, since the line next to a mistake may hold a password.

use std::fmt;
use std::path::PathBuf;

use super::lines::Lines;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as in `networks.libera.servers[0].port`; empty for the whole file.
    pub path: String,
    /// The line of the key, or of the nearest section around it that the file has.
    pub line: Option<usize>,
    /// What, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read and says something wrong: all of it, in the order of the file.
    #[error("{}: {} in the configuration{}", file.display(), count(problems), list(problems))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// The single problems; none where the file could not be read at all.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "one problem".to_owned(),
        n => format!("{n} problems"),
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |list, problem| list + "\n  " + &problem.to_string())
}

/// Collects problems and knows the lines of the file that they are about.
pub(super) struct Report {
    lines: Lines,
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, problems: Vec::new() }
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        let line = self.lines.near(path);
        self.add_at(path, line, message);
    }

    pub(super) fn add_at(&mut self, path: &str, line: Option<usize>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.to_owned(), line, message: message.into() });
    }

    /// Whether this key or a section around it was already found wrong: then nothing more is said about it.
    pub(super) fn knows(&self, path: &str) -> bool {
        let covers = |known: &str| {
            known == path || path.strip_prefix(known).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.problems.iter().any(|problem| covers(&problem.path))
    }

    /// The problems, if any, in the order of the file.
    pub(super) fn finish(mut self) -> Result<(), Vec<Problem>> {
        self.problems.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
        self.problems.dedup();
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// The path of a key within a section; a name that would read as something else is quoted.
pub(super) fn child(section: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if plain { key.to_owned() } else { format!("\"{}\"", key.escape_default()) };
    if section.is_empty() { key } else { format!("{section}.{key}") }
}

/// The path of the `index`th item of a list.
pub(super) fn item(list: &str, index: usize) -> String {
    format!("{list}[{index}]")
}

/// The path without its last part.
pub(super) fn parent(path: &str) -> &str {
    let end = match path.strip_suffix('"') {
        Some(quoted) => quoted.rfind('"').unwrap_or(0).saturating_sub(1),
        None => path.rfind(['.', '[']).unwrap_or(0),
    };
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::key("homeserver.url", "homeserver")]
    #[case::item("networks.libera.servers[0]", "networks.libera.servers")]
    #[case::quoted("permissions.\"@a.b:example.org\"", "permissions")]
    #[case::top("log", "")]
    #[case::quoted_top("\"x y\"", "")]
    fn a_path_is_within_its_parent(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(parent(path), expected);
    }

    #[test]
    fn a_problem_covers_what_is_below_it_and_nothing_beside() {
        let mut report = Report::new(Lines::default());
        report.add("networks.a", "wrong");
        assert!(report.knows("networks.a") && report.knows("networks.a.servers[0]"));
        assert!(!report.knows("networks.ab") && !report.knows("networks"));
    }
}
