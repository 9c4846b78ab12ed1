//! Colours of Matrix and of old HTML as those of IRC's palette.

use super::super::irc_codes::PALETTE;

/// The names that people give to colours: HTML 4, section 6.5.
#[expect(clippy::unreadable_literal, reason = "colours are written as they are everywhere")]
const NAMES: [(&str, u32); 17] = [
    ("black", 0x000000),
    ("silver", 0xc0c0c0),
    ("gray", 0x808080),
    ("white", 0xffffff),
    ("maroon", 0x800000),
    ("red", 0xff0000),
    ("purple", 0x800080),
    ("fuchsia", 0xff00ff),
    ("green", 0x008000),
    ("lime", 0x00ff00),
    ("olive", 0x808000),
    ("yellow", 0xffff00),
    ("navy", 0x000080),
    ("blue", 0x0000ff),
    ("teal", 0x008080),
    ("aqua", 0x00ffff),
    ("orange", 0xffa500),
];

/// The colours that every client knows.
const CLASSIC: usize = 16;
/// Nobody sees a smaller distance than this.
const VISIBLE: i32 = 256;

/// The number of the palette's colour that is nearest to `#rrggbb`, `#rgb` or a name; one that every client knows, if
/// it looks the same.
pub(super) fn nearest(colour: &str) -> Option<u8> {
    let wanted = read(colour.trim())?;
    let nearest_of = |palette: &[u32]| {
        let distances = palette.iter().map(|known| distance(wanted, *known)).enumerate();
        distances.min_by_key(|(_, distance)| *distance)
    };
    let (classic, difference) = nearest_of(&PALETTE[..CLASSIC])?;
    let number = if difference < VISIBLE { classic } else { nearest_of(&PALETTE)?.0 };
    u8::try_from(number).ok()
}

fn read(colour: &str) -> Option<u32> {
    let Some(digits) = colour.strip_prefix('#') else {
        return NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(colour)).map(|(_, hex)| *hex);
    };
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let hex = u32::from_str_radix(digits, 16).ok()?;
    match digits.len() {
        6 => Some(hex),
        3 => Some(((hex & 0xf00) << 8 | (hex & 0xf0) << 4 | hex & 0xf) * 0x11),
        _ => None,
    }
}

/// How different two colours look: eyes see green best, and red the better the redder it is.
fn distance(one: u32, other: u32) -> i32 {
    let parts = |colour: u32| {
        let [_, red, green, blue] = colour.to_be_bytes();
        (i32::from(red), i32::from(green), i32::from(blue))
    };
    let ((red, green, blue), (other_red, other_green, other_blue)) = (parts(one), parts(other));
    let redness = i32::midpoint(red, other_red);
    let square = |difference: i32| difference * difference;
    (((512 + redness) * square(red - other_red)) >> 8)
        + 4 * square(green - other_green)
        + (((767 - redness) * square(blue - other_blue)) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::red("#ff0000", Some(4))]
    #[case::white("#FFFFFF", Some(0))]
    #[case::short("#f00", Some(4))]
    #[case::that_every_client_knows("#00ff00", Some(9))]
    #[case::a_name("Red", Some(4))]
    #[case::nearly_black("#010101", Some(1))]
    #[case::between("#ff8800", Some(53))]
    #[case::of_the_larger_palette("#ffb459", Some(65))]
    #[case::no_colour("red-ish", None)]
    #[case::no_digits("#+f0000", None)]
    #[case::too_few("#ff", None)]
    #[case::nothing("", None)]
    #[case::not_ascii("#ééé", None)]
    fn a_colour_is_the_nearest_of_the_palette(#[case] colour: &str, #[case] number: Option<u8>) {
        assert_eq!(nearest(colour), number);
    }

    #[test]
    fn each_colour_of_the_palette_looks_as_before() {
        for colour in PALETTE {
            let number = nearest(&format!("#{colour:06x}")).unwrap();
            assert!(distance(PALETTE[usize::from(number)], colour) < VISIBLE, "{colour:06x}");
        }
    }
}
