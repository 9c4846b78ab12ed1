//! Colours in code: which letters are a keyword, a string, a comment …, by the grammars that `syntect` brings.
//!
//! The grammars are unpacked when the first page needs them, and kept. Code is whatever somebody has typed, so the work is
//! bounded: what is longer than this, or a line that no person would write, stays uncoloured.

use std::sync::LazyLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// Bytes of code that are coloured: as much as an event can hold.
const LONGEST: usize = 64 * 1024;
/// Bytes of a line that is coloured: grammars may look through it again for each of its letters.
const LONGEST_LINE: usize = 1_000;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Keyword,
    String,
    Comment,
    Number,
    Function,
    Type,
    Added,
    Removed,
}

impl Kind {
    /// Its class in the page's style.
    pub(super) fn class(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Keyword => Some("k"),
            Self::String => Some("s"),
            Self::Comment => Some("c"),
            Self::Number => Some("n"),
            Self::Function => Some("f"),
            Self::Type => Some("t"),
            Self::Added => Some("a"),
            Self::Removed => Some("d"),
        }
    }
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// Scopes, as Sublime Text's grammars name them, and what they are; of several that hold the innermost decides.
static SCOPES: LazyLock<Vec<(Scope, Kind)>> = LazyLock::new(|| {
    [
        ("comment", Kind::Comment),
        ("string", Kind::String),
        ("constant.character", Kind::String),
        ("constant", Kind::Number),
        ("keyword.operator", Kind::Plain),
        ("keyword", Kind::Keyword),
        ("storage", Kind::Keyword),
        ("variable.language", Kind::Keyword),
        ("entity.name.function", Kind::Function),
        ("variable.function", Kind::Function),
        ("support.function", Kind::Function),
        ("entity.name.tag", Kind::Keyword),
        ("entity.other.attribute-name", Kind::Type),
        ("entity.name", Kind::Type),
        ("support.type", Kind::Type),
        ("support.class", Kind::Type),
        ("markup.inserted", Kind::Added),
        ("markup.deleted", Kind::Removed),
        ("markup.heading", Kind::Keyword),
    ]
    .into_iter()
    .filter_map(|(name, kind)| Some((Scope::new(name).ok()?, kind)))
    .collect()
});

/// The pieces of each line, in the language that is named, or in the one that the first line shows.
pub(super) fn lines(language: Option<&str>, lines: &[&str]) -> Vec<Vec<Piece>> {
    let plain = |line: &str| vec![Piece { kind: Kind::Plain, text: line.to_owned() }];
    let size: usize = lines.iter().map(|line| line.len() + 1).sum();
    let Some(syntax) = syntax(language, lines).filter(|_| size <= LONGEST) else {
        return lines.iter().map(|line| plain(line)).collect();
    };
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let coloured = |line: &&str| {
        if line.len() > LONGEST_LINE {
            return plain(line);
        }
        colour(line, &mut state, &mut stack).unwrap_or_else(|| plain(line))
    };
    lines.iter().map(coloured).collect()
}

fn syntax(language: Option<&str>, lines: &[&str]) -> Option<&'static SyntaxReference> {
    match language {
        Some(language) => SYNTAXES.find_syntax_by_token(&alias(language)),
        None => SYNTAXES.find_syntax_by_first_line(lines.first().filter(|line| line.len() <= LONGEST_LINE)?),
    }
}

/// Names that people use and the grammars do not.
fn alias(language: &str) -> String {
    let name = language.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
    let known = match name.as_str() {
        "shell" | "console" | "zsh" => "bash",
        "typescript" | "ts" | "jsx" | "tsx" | "mjs" => "js",
        "c++" => "cpp",
        "golang" => "go",
        "python3" => "python",
        "jsonc" => "json",
        "patch" => "diff",
        other => other,
    };
    known.to_owned()
}

fn colour(line: &str, state: &mut ParseState, stack: &mut ScopeStack) -> Option<Vec<Piece>> {
    let changes = state.parse_line(&format!("{line}\n"), &SYNTAXES).ok()?;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |from: usize, to: usize, stack: &ScopeStack| {
        let Some(text) = line.get(from..to.min(line.len())).filter(|text| !text.is_empty()) else { return };
        let kind = if text.trim().is_empty() { Kind::Plain } else { kind(stack) };
        match pieces.last_mut().filter(|last| last.kind == kind) {
            Some(last) => last.text.push_str(text),
            None => pieces.push(Piece { kind, text: text.to_owned() }),
        }
    };
    let mut start = 0;
    for (at, change) in changes {
        push(start, at, stack);
        start = start.max(at.min(line.len()));
        stack.apply(&change).ok()?;
    }
    push(start, line.len(), stack);
    Some(pieces)
}

fn kind(stack: &ScopeStack) -> Kind {
    let of =
        |scope: &Scope| SCOPES.iter().find(|(known, _)| known.is_prefix_of(*scope)).map(|(_, kind)| *kind);
    // Within a comment or a string everything is.
    let outer = stack.as_slice().iter().find_map(|scope| of(scope).filter(|kind| *kind == Kind::Comment));
    outer.or_else(|| stack.as_slice().iter().rev().find_map(of)).unwrap_or(Kind::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn shown(language: Option<&str>, code: &str) -> String {
        let all: Vec<&str> = code.lines().collect();
        let line = |pieces: Vec<Piece>| {
            let piece = |Piece { kind, text }: Piece| match kind.class() {
                Some(class) => format!("[{class}:{text}]"),
                None => text,
            };
            pieces.into_iter().map(piece).collect::<String>()
        };
        lines(language, &all).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[rstest]
    #[case::rust(Some("rust"), "let a = 1; // one", "[k:let] a = [n:1]; [c:// one]")]
    #[case::python(Some("python3"), "return \"a\"", "[k:return] [s:\"a\"]")]
    #[case::by_alias(Some("shell"), "# hello", "[c:# hello]")]
    #[case::with_attributes(Some("Rust,ignore"), "let", "[k:let]")]
    #[case::by_its_first_line(None, "#!/bin/bash\n# x", "[c:#!/bin/bash]\n[c:# x]")]
    #[case::diff(Some("diff"), "+a\n-b", "[a:+a]\n[d:-b]")]
    #[case::unknown(Some("klingon"), "let a = 1;", "let a = 1;")]
    #[case::nothing_known(None, "let a = 1;", "let a = 1;")]
    #[case::empty(Some("rust"), "", "")]
    fn code_has_colours(#[case] language: Option<&str>, #[case] code: &str, #[case] pieces: &str) {
        assert_eq!(shown(language, code), pieces);
    }

    #[test]
    fn a_string_goes_on_over_lines_and_no_letter_is_lost() {
        let code = "let a = \"one\n  two\"; é();";
        let all: Vec<&str> = code.lines().collect();
        let found = lines(Some("rust"), &all);
        let text = |pieces: &Vec<Piece>| pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), all);
        assert_eq!(found[1][0], Piece { kind: Kind::String, text: "  two\"".to_owned() });
    }

    #[test]
    fn what_no_person_would_write_stays_plain() {
        let long = "(".repeat(LONGEST_LINE + 1);
        assert_eq!(shown(Some("rust"), &long), long);
        let much = "let\n".repeat(LONGEST);
        assert!(!shown(Some("rust"), &much).contains('['));
    }
}
