//! How a character looks by IRC's formatting codes: read from codes, and written as codes again.
//!
//! Not what Matrix makes of it, which is `irc_codes`; not where a line is cut, which is `split`. A [`Look`] holds what
//! the codes said and not the colours that they stand for, so that a line that goes on in another message can go on
//! with the same codes.
//!
//! Spec: modern IRC docs, "IRC Formatting".

use std::fmt::Write as _;

/// A colour as a code names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// A number of the palette, 0 to 98.
    Palette(u8),
    /// Red, green and blue.
    Hex(u32),
}

/// What is in force at a character.
#[expect(clippy::struct_excessive_bools, reason = "codes combine freely: no state machine hides here")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) underline: bool,
    pub(super) strike: bool,
    pub(super) monospace: bool,
    pub(super) reverse: bool,
    /// None is the reader's own.
    pub(super) foreground: Option<Ink>,
    /// None is the reader's own.
    pub(super) background: Option<Ink>,
}

/// The palette's number for the reader's own colour.
const OWN_COLOUR: u8 = 99;

/// Turned on and off again, it ends a colour's digits and changes nothing.
const SEPARATOR: &str = "\x02\x02";

/// A colour and what follows it; none is the reader's own.
type ReadInk = for<'t> fn(&'t str) -> Option<(Option<Ink>, &'t str)>;

impl Look {
    /// Reads the code that a text begins with; what follows it, or nothing where the text begins with no code.
    pub(super) fn read<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.get(1..)?;
        match text.as_bytes()[0] {
            0x02 => self.bold = !self.bold,
            0x1d => self.italic = !self.italic,
            0x1f => self.underline = !self.underline,
            0x1e => self.strike = !self.strike,
            0x11 => self.monospace = !self.monospace,
            0x16 => self.reverse = !self.reverse,
            0x0f => *self = Self::default(),
            0x03 => return Some(self.colours(rest, palette_ink)),
            0x04 => return Some(self.colours(rest, hex_ink)),
            _ => return None,
        }
        Some(rest)
    }

    /// What two looks have in common.
    pub(super) fn common(self, other: Self) -> Self {
        Self {
            bold: self.bold && other.bold,
            italic: self.italic && other.italic,
            underline: self.underline && other.underline,
            strike: self.strike && other.strike,
            monospace: self.monospace && other.monospace,
            reverse: self.reverse && other.reverse,
            foreground: self.foreground.filter(|ink| other.foreground == Some(*ink)),
            background: self.background.filter(|ink| other.background == Some(*ink)),
        }
    }

    /// Whether nothing can be seen, since it has the colour of what is behind it.
    pub(super) fn is_hidden(self) -> bool {
        self.foreground.is_some() && self.foreground == self.background
    }

    /// Reads `fg[,bg]` after a colour code; a code alone ends the colours.
    fn colours<'t>(&mut self, rest: &'t str, read: ReadInk) -> &'t str {
        let Some((foreground, rest)) = read(rest) else {
            (self.foreground, self.background) = (None, None);
            return rest;
        };
        self.foreground = foreground;
        match rest.strip_prefix(',').and_then(read) {
            Some((background, rest)) => {
                self.background = background;
                rest
            }
            None => rest,
        }
    }

    /// Writes the codes that lead from one look to another. `next` is the text that follows: a digit or a comma there
    /// must not become part of a colour.
    pub(super) fn write_change(self, to: Self, next: &str, out: &mut String) {
        if self == to {
            return;
        }
        if to == Self::default() {
            return out.push('\x0f');
        }
        // What behind the codes would be read as a part of them.
        let mut takes = "";
        if (self.foreground, self.background) != (to.foreground, to.background) {
            takes = to.write_colours(out, self.background);
        }
        for (is_on, was_on, code) in [
            (to.bold, self.bold, '\x02'),
            (to.italic, self.italic, '\x1d'),
            (to.underline, self.underline, '\x1f'),
            (to.strike, self.strike, '\x1e'),
            (to.monospace, self.monospace, '\x11'),
            (to.reverse, self.reverse, '\x16'),
        ] {
            if is_on != was_on {
                out.push(code);
                takes = "";
            }
        }
        if next.starts_with(|c| takes.contains(c)) {
            out.push_str(SEPARATOR);
        }
    }

    /// Writes these colours after others, with two digits each. Gives the characters that it would take for its own
    /// if they came next.
    fn write_colours(self, out: &mut String, before: Option<Ink>) -> &'static str {
        let start = out.len();
        let palette = |ink: Option<Ink>| match ink {
            Some(Ink::Palette(number)) => number,
            _ => OWN_COLOUR,
        };
        match (self.foreground, self.background) {
            (None, None) => {
                out.push('\x03');
                return "0123456789";
            }
            (foreground, Some(Ink::Hex(background))) => {
                let hex = match foreground {
                    Some(Ink::Hex(colour)) => colour,
                    _ => background,
                };
                let _ = write!(out, "\x04{hex:06x},{background:06x}");
                if !matches!(foreground, Some(Ink::Hex(_))) {
                    let _ = write!(out, "\x03{:02}", palette(foreground));
                }
            }
            (foreground, background) => {
                let is_hex = matches!(foreground, Some(Ink::Hex(_)));
                if background.is_some() || before.is_some() {
                    let _ = write!(out, "\x03{:02},{:02}", palette(foreground), palette(background));
                } else if !is_hex {
                    let _ = write!(out, "\x03{:02}", palette(foreground));
                }
                if let Some(Ink::Hex(colour)) = foreground {
                    let _ = write!(out, "\x04{colour:06x}");
                }
            }
        }
        let last = out[start..].rfind(['\x03', '\x04']).unwrap_or_default();
        // A second colour is a background.
        if out[start + last..].contains(',') { "" } else { "," }
    }
}

/// How many bytes the code has that a text begins with; 0 where it begins with none.
pub(super) fn code_length(text: &str) -> usize {
    Look::default().read(text).map_or(0, |rest| text.len() - rest.len())
}

/// One or two digits; 99 is the reader's own colour.
fn palette_ink(text: &str) -> Option<(Option<Ink>, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let number: u8 = text[..digits].parse().ok()?;
    Some(((number != OWN_COLOUR).then_some(Ink::Palette(number)), &text[digits..]))
}

/// Six hexadecimal digits.
fn hex_ink(text: &str) -> Option<(Option<Ink>, &str)> {
    let (digits, rest) = text.split_at_checked(6)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok().map(Ink::Hex), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn look_of(codes: &str) -> Look {
        let mut look = Look::default();
        let mut rest = codes;
        while let Some(after) = look.read(rest) {
            rest = after;
        }
        look
    }

    fn change(from: &str, to: &str, next: &str) -> String {
        let mut codes = String::new();
        look_of(from).write_change(look_of(to), next, &mut codes);
        codes
    }

    #[rstest]
    #[case::nothing("", "", "x", "")]
    #[case::bold("", "\x02", "x", "\x02")]
    #[case::the_end_of_all("\x02\x0304", "", "x", "\x0f")]
    #[case::two_digits("", "\x034", "x", "\x0304")]
    #[case::a_digit_behind("", "\x034", "1", "\x0304")]
    #[case::a_comma_behind("", "\x034", ",5", "\x0304\x02\x02")]
    #[case::a_comma_behind_a_style("", "\x034\x1d", ",1", "\x0304\x1d")]
    #[case::a_comma_behind_both_colours("", "\x034,5", ",1", "\x0304,05")]
    #[case::both_colours("", "\x034,12", "x", "\x0304,12")]
    #[case::the_end_of_colours("\x02\x034", "\x02", "x", "\x03")]
    #[case::the_end_of_colours_before_a_digit("\x02\x034", "\x02", "7", "\x03\x02\x02")]
    #[case::the_end_of_a_background("\x034,12", "\x034", "x", "\x0304,99")]
    #[case::only_a_background("", "\x034,12\x0399", "x", "\x0399,12")]
    #[case::hexadecimal("", "\x04FF8000", "x", "\x04ff8000")]
    #[case::hexadecimal_on_a_palettes("", "\x0301,02\x04ff8000", "x", "\x0399,02\x04ff8000")]
    #[case::a_palettes_on_hexadecimal("", "\x04112233,445566\x0305", "x", "\x04445566,445566\x0305")]
    fn a_change_of_looks_is_written_in_few_codes(
        #[case] from: &str,
        #[case] to: &str,
        #[case] next: &str,
        #[case] codes: &str,
    ) {
        assert_eq!(change(from, to, next), codes);
    }

    #[rstest]
    #[case::none("x\x02", 0)]
    #[case::nothing("", 0)]
    #[case::bold("\x02x", 1)]
    #[case::colour("\x0304,12x", 6)]
    #[case::comma_is_text("\x0304,x", 3)]
    #[case::third_digit_is_text("\x03041", 3)]
    #[case::hexadecimal("\x04ff8000,112233x", 14)]
    #[case::five_digits_are_text("\x04ff800x", 1)]
    #[case::another_script("é\x02", 0)]
    fn a_code_ends_where_its_digits_end(#[case] text: &str, #[case] length: usize) {
        assert_eq!(code_length(text), length);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was_meant(
            from in "([\x02\x1d\x11\x16\x0f]|\x03[0-9]{0,2}(,[0-9]{1,2})?|\x04[0-9a-f]{6}(,[0-9a-f]{6})?){0,6}",
            to in "([\x02\x1d\x11\x16\x0f]|\x03[0-9]{0,2}(,[0-9]{1,2})?|\x04[0-9a-f]{6}(,[0-9a-f]{6})?){0,6}",
            next in "[0-9,a-f]{1,16}",
        ) {
            let written = change(&from, &to, &next) + &next;
            let mut look = look_of(&from);
            let mut rest = written.as_str();
            while let Some(after) = look.read(rest) {
                rest = after;
            }
            prop_assert_eq!((look, rest), (look_of(&to), next.as_str()));
        }
    }
}
