//! IRC's formatting codes (modern IRC docs, "IRC Formatting") as [`RichText`].

use super::look::{Ink, Look};
use super::rich_text::{Colour, RichText, Span, Style};

/// The palette of `\x03`: 0–15 as clients agree on them, 16–98 as mIRC 7 defined them.
#[expect(clippy::unreadable_literal, reason = "colours are written as they are everywhere")]
pub(super) const PALETTE: [u32; 99] = [
    0xffffff, 0x000000, 0x00007f, 0x009300, 0xff0000, 0x7f0000, 0x9c009c, 0xfc7f00, 0xffff00, 0x00fc00,
    0x009393, 0x00ffff, 0x0000fc, 0xff00ff, 0x7f7f7f, 0xd2d2d2, 0x470000, 0x472100, 0x474700, 0x324700,
    0x004700, 0x00472c, 0x004747, 0x002747, 0x000047, 0x2e0047, 0x470047, 0x47002a, 0x740000, 0x743a00,
    0x747400, 0x517400, 0x007400, 0x007449, 0x007474, 0x004074, 0x000074, 0x4b0074, 0x740074, 0x740045,
    0xb50000, 0xb56300, 0xb5b500, 0x7db500, 0x00b500, 0x00b571, 0x00b5b5, 0x0063b5, 0x0000b5, 0x7500b5,
    0xb500b5, 0xb5006b, 0xff0000, 0xff8c00, 0xffff00, 0xb2ff00, 0x00ff00, 0x00ffa0, 0x00ffff, 0x008cff,
    0x0000ff, 0xa500ff, 0xff00ff, 0xff0098, 0xff5959, 0xffb459, 0xffff71, 0xcfff60, 0x6fff6f, 0x65ffc9,
    0x6dffff, 0x59b4ff, 0x5959ff, 0xc459ff, 0xff66ff, 0xff59bc, 0xff9c9c, 0xffd39c, 0xffff9c, 0xe2ff9c,
    0x9cff9c, 0x9cffdb, 0x9cffff, 0x9cd3ff, 0x9c9cff, 0xdc9cff, 0xff9cff, 0xff94d3, 0x000000, 0x131313,
    0x282828, 0x363636, 0x4d4d4d, 0x656565, 0x818181, 0x9f9f9f, 0xbcbcbc, 0xe2e2e2, 0xffffff,
];

fn rgb(hex: u32) -> Colour {
    let [_, red, green, blue] = hex.to_be_bytes();
    Colour(red, green, blue)
}

/// Reads a line with formatting codes, or several. Other control characters are dropped: clients show them as noise.
pub fn read_irc(line: &str) -> RichText {
    let mut text = RichText::new();
    let mut look = Look::default();
    let mut rest = line;
    let mut run = String::new();
    while let Some(character) = rest.chars().next() {
        let before = look;
        if let Some(after) = look.read(rest) {
            text.push(&run, style(before));
            run.clear();
            rest = after;
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            // Of a message of several lines: codes hold to the end of a line.
            '\n' => {
                text.push(&run, style(look));
                look = Look::default();
                run.replace_range(.., "\n");
            }
            '\t' => run.push('\t'),
            character if character.is_control() => {}
            character => run.push(character),
        }
    }
    text.push(&run, style(look));
    hide_spoilers(&mut text);
    text
}

/// What is written in the colour that it stands on is hidden until its reader asks for it. Not in a picture made of
/// characters, where other colours stand beside it.
fn hide_spoilers(text: &mut RichText) {
    let hidden = |span: &Span| {
        let is_one_colour = span.style.foreground.is_some() && span.style.foreground == span.style.background;
        is_one_colour && span.text.chars().any(char::is_alphanumeric)
    };
    let has_background = |span: Option<&Span>| span.is_some_and(|span| span.style.background.is_some());
    for place in 0..text.spans.len() {
        let before = place.checked_sub(1).and_then(|before| text.spans.get(before));
        let is_picture = has_background(before) || has_background(text.spans.get(place + 1));
        if hidden(&text.spans[place]) && !is_picture {
            let style = &mut text.spans[place].style;
            (style.spoiler, style.foreground, style.background) = (true, None, None);
        }
    }
}

/// The text of a line without its codes.
pub fn strip_irc(line: &str) -> String {
    read_irc(line).to_plain()
}

/// What stands for text that cannot be seen: as long for all, since a length tells, too.
const VEIL: &str = "███";

/// The text of a line without its codes, as far as it could be seen with them: what stands in its own colour would be
/// bare without.
pub fn visible_irc(line: &str) -> String {
    let mut text = String::new();
    let mut was_hidden = false;
    for span in &read_irc(line).spans {
        let style = span.style;
        let is_one_colour = style.foreground.is_some() && style.foreground == style.background;
        let is_hidden = (style.spoiler || is_one_colour) && !span.text.trim().is_empty();
        if !is_hidden {
            text.push_str(&span.text);
        } else if !was_hidden {
            text.push_str(VEIL);
        }
        if is_hidden {
            text.push_str(&span.text[span.text.trim_end().len()..]);
        }
        was_hidden = is_hidden;
    }
    text
}

fn style(look: Look) -> Style {
    let colour = |ink| match ink {
        Ink::Palette(number) => PALETTE.get(usize::from(number)).copied().map(rgb),
        Ink::Hex(hex) => Some(rgb(hex)),
    };
    let mut style = Style {
        bold: look.bold,
        italic: look.italic,
        underline: look.underline,
        strike: look.strike,
        monospace: look.monospace,
        spoiler: false,
        foreground: look.foreground.and_then(colour),
        background: look.background.and_then(colour),
    };
    if look.reverse {
        (style.foreground, style.background) = (
            Some(style.background.unwrap_or(Colour(255, 255, 255))),
            Some(style.foreground.unwrap_or(Colour(0, 0, 0))),
        );
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::bold("a\x02b\x02c", "a<b>b</b>c")]
    #[case::reset("\x02\x1da\x0fb", "<b><i>a</i></b>b")]
    #[case::palette("\x034red\x03 plain", "<span data-mx-color=\"#ff0000\">red</span> plain")]
    #[case::both_colours(
        "\x0304,01x",
        "<span data-mx-color=\"#ff0000\" data-mx-bg-color=\"#000000\">x</span>"
    )]
    #[case::comma_is_text("\x034,x", "<span data-mx-color=\"#ff0000\">,x</span>")]
    #[case::default_colour("\x0304a\x0399b", "<span data-mx-color=\"#ff0000\">a</span>b")]
    #[case::hex("\x04ff8000x", "<span data-mx-color=\"#ff8000\">x</span>")]
    #[case::three_digits_are_two_and_a_text("\x03041", "<span data-mx-color=\"#ff0000\">1</span>")]
    #[case::monospace("\x11x\x11", "<code>x</code>")]
    #[case::reverse("\x16x", "<span data-mx-color=\"#ffffff\" data-mx-bg-color=\"#000000\">x</span>")]
    #[case::strike_and_italic("\x1e\x1dx", "<i><del>x</del></i>")]
    #[case::underline("\x1fx\x1f y", "<u>x</u> y")]
    #[case::extended_palette("\x0352x", "<span data-mx-color=\"#ff0000\">x</span>")]
    #[case::last_of_the_palette("\x0398x", "<span data-mx-color=\"#ffffff\">x</span>")]
    #[case::reverse_of_colours(
        "\x0304,01\x16x",
        "<span data-mx-color=\"#000000\" data-mx-bg-color=\"#ff0000\">x</span>"
    )]
    #[case::spoiler("it is \x0301,01Rosebud\x03.", "it is <span data-mx-spoiler>Rosebud</span>.")]
    #[case::spoiler_in_bold("\x02\x0301,01x", "<span data-mx-spoiler><b>x</b></span>")]
    #[case::spoiler_in_hex("\x04112233,112233x", "<span data-mx-spoiler>x</span>")]
    #[case::spoilers_of_one_colour(
        "\x0300,88x",
        "<span data-mx-color=\"#ffffff\" data-mx-bg-color=\"#000000\">x</span>"
    )]
    #[case::a_picture(
        "\x0304,04x\x0302,02x",
        "<span data-mx-color=\"#ff0000\" data-mx-bg-color=\"#ff0000\">x</span><span data-mx-color=\"#00007f\" \
         data-mx-bg-color=\"#00007f\">x</span>"
    )]
    #[case::a_block("\x0304,04  ", "<span data-mx-color=\"#ff0000\" data-mx-bg-color=\"#ff0000\">  </span>")]
    #[case::a_quote_is_text("> \x02so\x02 <b>", "&gt; <b>so</b> &lt;b&gt;")]
    #[case::lines_of_code("\x11a\n\x11b", "<pre><code>a\nb</code></pre>")]
    fn codes_become_html(#[case] line: &str, #[case] html: &str) {
        assert_eq!(read_irc(line).to_html().unwrap(), html);
    }

    #[rstest]
    #[case::nothing("a\x02b\x02 c", "ab c")]
    #[case::spoiler("it is \x0301,01Rosebud\x03.", "it is ███.")]
    #[case::in_two_looks("\x0301,01Rose \x02bud \x0fx", "███  x")]
    #[case::in_hex("\x04112233,112233x", "███")]
    #[case::two_numbers_of_one_colour("\x0301,88x", "███")]
    #[case::lines("\x0301,01a\nb \x0301,01c", "███\nb ███")]
    #[case::reversed("\x0301,01\x16x", "███")]
    fn what_is_hidden_stays_hidden_without_codes(#[case] line: &str, #[case] visible: &str) {
        assert_eq!(visible_irc(line), visible);
    }

    #[test]
    fn other_control_characters_are_dropped() {
        assert_eq!(strip_irc("a\x01\x07b\u{9b}c"), "abc");
    }

    proptest! {
        #[test]
        fn no_line_panics_and_no_code_is_left(line in "[\x00-\x1f\x7fa-z0-9,é#]{0,60}") {
            let plain = strip_irc(&line);
            prop_assert!(plain.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n')));
        }
    }
}
