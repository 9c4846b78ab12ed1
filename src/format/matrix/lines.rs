//! Lines of IRC text, written word by word: spaces and line ends are put in when something follows them, so that no line
//! ends in one; what stands before each line of a quotation or list is repeated; looks are written in the style that
//! the reader wants.
//!
//! Not what HTML means, which is `render`. Invariant: text goes through `neutral`, so that the only codes in it are
//! those that are written here; and it grows no further than [`MOST_BYTES`].

use super::super::look::Look;
use super::super::neutral::push_neutral;
use super::IrcStyle;

/// So much is no message to anybody; HTML can ask for it with indentation.
const MOST_BYTES: usize = 256 * 1024;
/// Levels of quotations and lists that are shown; what is deeper stands with the last.
const MOST_INDENTS: usize = 8;

/// What stands before the lines of a quotation or of an item.
struct Indent {
    /// Before the first line, until it is written.
    first: Option<String>,
    rest: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that what comes next has to know")]
pub(super) struct Lines {
    out: String,
    style: IrcStyle,
    /// What is in force at the end of `out`.
    look: Look,
    /// What is to be in force for what comes next.
    wanted: Look,
    /// Something stands on this line.
    on_line: bool,
    /// A space comes before what comes next.
    space: bool,
    /// So many line ends do.
    breaks: usize,
    /// A paragraph has ended, and nothing stands behind it.
    after_paragraph: bool,
    /// The text so far addresses somebody, whose name is not yet followed by anything.
    addressed: bool,
    indents: Vec<Indent>,
    /// How many levels are not shown.
    hidden_indents: usize,
    /// Neutral text, before it is known whether anything is left of it.
    scratch: String,
}

impl Lines {
    pub(super) fn new(style: IrcStyle, capacity: usize) -> Self {
        Self {
            out: String::with_capacity(capacity),
            style,
            look: Look::default(),
            wanted: Look::default(),
            on_line: false,
            space: false,
            breaks: 0,
            after_paragraph: false,
            addressed: false,
            indents: Vec::new(),
            hidden_indents: 0,
            scratch: String::new(),
        }
    }

    pub(super) fn style(&self) -> IrcStyle {
        self.style
    }

    /// How what comes next looks.
    pub(super) fn look(&mut self, look: Look) {
        self.wanted = look;
    }

    /// Text whose white space says nothing but that there is some.
    pub(super) fn text(&mut self, text: &str) {
        for (place, word) in text.split(is_html_space).enumerate() {
            if place > 0 {
                self.space();
            }
            self.word(word);
        }
    }

    /// Text whose white space counts.
    pub(super) fn verbatim(&mut self, text: &str) {
        for (place, line) in text.split('\n').enumerate() {
            if place > 0 {
                self.line_break();
            }
            self.word(line);
        }
    }

    fn word(&mut self, word: &str) {
        if word.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.push(word);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        push_neutral(&mut scratch, word);
        for (place, line) in scratch.split('\n').enumerate() {
            if place > 0 {
                self.line_break();
            }
            self.push(line);
        }
        self.scratch = scratch;
    }

    fn push(&mut self, text: &str) {
        // Nothing but spaces, of whatever kind, begins no line: editors mark empty ones so.
        let begins_line = !self.on_line || self.breaks > 0;
        if text.is_empty() || self.is_overfull() || (begins_line && text.trim().is_empty()) {
            return;
        }
        self.begin(text);
        self.out.push_str(text);
    }

    /// A space, if anything comes before and after it on its line.
    pub(super) fn space(&mut self) {
        self.space |= self.on_line && self.breaks == 0;
    }

    /// What comes next begins a line.
    pub(super) fn line(&mut self) {
        if self.on_line || self.breaks > 0 {
            self.breaks = self.breaks.max(1);
        }
        self.space = false;
    }

    /// A line ends, empty or not. Of empty ones that follow each other one is left.
    pub(super) fn line_break(&mut self) {
        self.breaks = (self.breaks + 1).min(2);
        self.space = false;
        self.after_paragraph = false;
    }

    /// A paragraph begins: there is an empty line between it and another.
    pub(super) fn begin_paragraph(&mut self) {
        self.line();
        if self.after_paragraph {
            self.breaks = 2;
        }
    }

    pub(super) fn end_paragraph(&mut self) {
        self.line();
        self.after_paragraph = true;
    }

    /// From here on lines begin so, the first perhaps otherwise.
    pub(super) fn indent(&mut self, first: Option<String>, rest: String) {
        self.line();
        self.after_paragraph = false;
        if self.indents.len() < MOST_INDENTS {
            self.indents.push(Indent { first, rest });
        } else {
            self.hidden_indents += 1;
        }
    }

    pub(super) fn unindent(&mut self) {
        self.line();
        self.after_paragraph = false;
        if self.hidden_indents > 0 {
            self.hidden_indents -= 1;
        } else {
            self.indents.pop();
        }
    }

    /// Somebody's nick. Where it begins the text, what follows is said to them.
    pub(super) fn nick(&mut self, nick: &str, addresses: bool) {
        let is_first = addresses && self.out.is_empty() && self.indents.is_empty();
        let is_next = self.addressed && self.space && self.breaks == 0;
        if is_next {
            self.addressed = false;
            self.out.push(',');
        }
        self.word(nick);
        self.addressed = is_first || is_next;
    }

    /// Puts in front of what comes next what has to stand there.
    fn begin(&mut self, next: &str) {
        if std::mem::take(&mut self.addressed) && self.breaks == 0 {
            let is_apart = self.space && !next.starts_with([':', ',']);
            if is_apart || next.starts_with('\u{a0}') {
                self.out.push(':');
            }
        }
        if self.breaks > 0 && !self.out.is_empty() {
            self.end_line();
        }
        if !self.on_line {
            self.begin_line();
        } else if self.space {
            // A space between two looks has what both have, so that no line under it goes too far.
            self.change_look(self.look.common(self.wanted), " ");
            self.out.push(' ');
        }
        self.change_look(self.wanted, next);
        (self.on_line, self.space, self.breaks, self.after_paragraph) = (true, false, 0, false);
    }

    fn end_line(&mut self) {
        // A line's end ends its codes, but not its signs.
        if self.style == IrcStyle::Markdown {
            self.change_look(Look::default(), "");
        }
        self.look = Look::default();
        self.out.push('\n');
        if self.breaks > 1 && self.indents.is_empty() {
            self.out.push('\n');
        }
        self.on_line = false;
    }

    fn begin_line(&mut self) {
        for indent in &mut self.indents {
            match indent.first.take() {
                Some(first) => self.out.push_str(&first),
                None => self.out.push_str(&indent.rest),
            }
        }
    }

    fn change_look(&mut self, to: Look, next: &str) {
        match self.style {
            IrcStyle::Codes => self.look.write_change(to, next, &mut self.out),
            IrcStyle::Markdown => write_signs(self.look, to, &mut self.out),
            IrcStyle::Plain => {}
        }
        self.look = to;
    }

    /// Whether more was asked for than anybody reads.
    pub(super) fn is_overfull(&self) -> bool {
        self.out.len() > MOST_BYTES
    }

    /// The text; nothing where there was too much of it.
    pub(super) fn finish(mut self) -> Option<String> {
        if self.style == IrcStyle::Markdown {
            self.change_look(Look::default(), "");
        }
        (!self.is_overfull()).then_some(self.out)
    }
}

/// White space as HTML has it: not what keeps words together.
fn is_html_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Ends one look and begins another with the signs that people type.
fn write_signs(from: Look, to: Look, out: &mut String) {
    let signs = |look: Look| {
        [
            (look.is_hidden(), "||"),
            (look.bold, "**"),
            (look.italic, "_"),
            (look.underline, "__"),
            (look.strike, "~~"),
            (look.monospace, "`"),
        ]
    };
    let (before, after) = (signs(from), signs(to));
    for ((was, sign), (is, _)) in before.iter().zip(after).rev() {
        if *was && !is {
            out.push_str(sign);
        }
    }
    for ((was, _), (is, sign)) in before.iter().zip(after) {
        if is && !was {
            out.push_str(sign);
        }
    }
}
