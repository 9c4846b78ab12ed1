//! Charsets: how text becomes bytes where it is not UTF-8, and how bytes become text.
//!
//! Not which of them is meant, which is [`Charsets`]' business. Reading never fails and writing never refuses: what a
//! charset lacks becomes a question mark, counted, and never the `&#1234;` of HTML forms.
//!
//! Invariant 3: no charset here makes a CR, LF or NUL of anything else. Those that do, such as UTF-16, are no
//! charsets of lines: [`Charset`] refuses them.
//!
//! Spec: WHATWG Encoding Standard; RFC 1468 for ISO-2022-JP, which looks like ASCII and is not.

mod lines;
mod parts;

pub use lines::Charsets;

use std::fmt;
use std::str::FromStr;

use encoding_rs::{
    EncoderResult, Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
    X_USER_DEFINED,
};

/// What switches ISO-2022-JP to its other alphabets.
const ESCAPE: u8 = 0x1b;

/// The end of mIRC's formatting, which ISO-2022-JP's decoder takes for a switch of alphabets, and what stands for it
/// there: a control character that nobody writes.
const FORMAT_END: u8 = 0x0f;
const STAND_IN: u8 = 0x05;

/// What a user chose for a network, a channel or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    encoding: &'static Encoding,
    writes: bool,
}

/// Why a text is no charset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCharset {
    /// The Encoding Standard does not know it.
    #[error(
        "{0} is no charset that is known; usual are utf-8, iso-8859-15, windows-1251, koi8-r and iso-2022-jp"
    )]
    Unknown(String),
    /// A line's end is not the byte that IRC ends lines with, or it is no charset that people write in.
    #[error("{0} can't stand in a line of IRC")]
    Unfit(&'static str),
}

impl Charset {
    /// A charset to read by, and to write in if it `writes`.
    #[must_use]
    pub fn new(encoding: &'static Encoding, writes: bool) -> Self {
        Self { encoding, writes }
    }

    /// What is not UTF-8 is read by this.
    #[must_use]
    pub fn encoding(self) -> &'static Encoding {
        self.encoding
    }

    /// What is written is written in this.
    #[must_use]
    pub fn writing(self) -> &'static Encoding {
        if self.writes { self.encoding } else { UTF_8 }
    }
}

/// A label of the Encoding Standard, and `read` behind it where it is not for writing.
impl FromStr for Charset {
    type Err = InvalidCharset;

    fn from_str(text: &str) -> Result<Self, InvalidCharset> {
        let (label, mode) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let is_read_only = mode.trim().eq_ignore_ascii_case("read");
        let found = Encoding::for_label(label.as_bytes());
        let Some(encoding) = found.filter(|_| is_read_only || mode.trim().is_empty()) else {
            return Err(InvalidCharset::Unknown(text.trim().to_owned()));
        };
        if [UTF_16BE, UTF_16LE, REPLACEMENT, X_USER_DEFINED].contains(&encoding) {
            return Err(InvalidCharset::Unfit(encoding.name()));
        }
        Ok(Self { encoding, writes: !is_read_only })
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding.name())?;
        if self.writes { Ok(()) } else { f.write_str(" read") }
    }
}

/// How many bytes a text has in a charset.
#[must_use]
pub fn length(encoding: &'static Encoding, text: &str) -> usize {
    if encoding == UTF_8 {
        return text.len();
    }
    let mut bytes = Vec::with_capacity(text.len());
    encode(encoding, text, &mut bytes);
    bytes.len()
}

/// A text as it will be read when it was written in a charset, and how many of its characters that lacks.
#[must_use]
pub fn as_written(encoding: &'static Encoding, text: &str) -> (String, usize) {
    if encoding == UTF_8 || (text.is_ascii() && encoding != ISO_2022_JP) {
        return (text.to_owned(), 0);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let lost = encode(encoding, text, &mut bytes);
    (decode(encoding, &bytes), lost)
}

/// Whether bytes are ISO-2022-JP and not the ASCII that they look like.
fn is_escaped(bytes: &[u8]) -> bool {
    bytes.contains(&ESCAPE) && bytes.is_ascii()
}

/// Appends a text; returns how many of its characters became question marks. It ends as it began, in ASCII.
fn encode(encoding: &'static Encoding, text: &str, bytes: &mut Vec<u8>) -> usize {
    if encoding == UTF_8 {
        bytes.extend_from_slice(text.as_bytes());
        return 0;
    }
    if encoding != ISO_2022_JP {
        return encode_part(encoding, text, bytes);
    }
    // What switches alphabets is left out.
    let mut lost = 0;
    for (place, part) in text.split(char::from(FORMAT_END)).enumerate() {
        if place > 0 {
            bytes.push(FORMAT_END);
        }
        lost += encode_part(encoding, &part.replace(['\x0e', '\x1b'], ""), bytes);
    }
    lost
}

fn encode_part(encoding: &'static Encoding, text: &str, bytes: &mut Vec<u8>) -> usize {
    let mut encoder = encoding.new_encoder();
    let (mut rest, mut lost) = (text, 0);
    loop {
        bytes.reserve(rest.len() + 16);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, bytes, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return lost,
            EncoderResult::OutputFull => {}
            // Wherever this comes, a question mark is the byte that it is in ASCII.
            EncoderResult::Unmappable(_) => {
                bytes.push(b'?');
                lost += 1;
            }
        }
    }
}

/// Bytes as text, by this charset whatever they look like. What no line may hold is left out.
fn decode(encoding: &'static Encoding, bytes: &[u8]) -> String {
    let mut text = if encoding == ISO_2022_JP && bytes.contains(&FORMAT_END) {
        let spared = bytes.iter().filter(|byte| **byte != STAND_IN);
        let spared: Vec<u8> = spared.map(|byte| if *byte == FORMAT_END { STAND_IN } else { *byte }).collect();
        let text = encoding.decode_without_bom_handling(&spared).0;
        text.replace(char::from(STAND_IN), "\x0f")
    } else {
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    };
    text.retain(|c| !matches!(c, '\r' | '\n' | '\0'));
    text
}

/// Reads a text: UTF-8 where it can be that, else by this charset. Whatever was tried, different bytes of windows-1252
/// are different characters.
fn read(encoding: &'static Encoding, bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if encoding != ISO_2022_JP || !is_escaped(bytes) => text.replace(['\r', '\n', '\0'], ""),
        Err(_) if encoding == UTF_8 || encoding == ISO_2022_JP => decode(WINDOWS_1252, bytes),
        _ => decode(encoding, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, GBK, ISO_8859_15, KOI8_R, SHIFT_JIS, WINDOWS_1251};
    use rstest::rstest;

    /// All that a user can choose.
    pub(super) fn all() -> Vec<&'static Encoding> {
        let labels = "utf-8 ibm866 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 \
                      iso-8859-8-i iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u macintosh \
                      windows-874 windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 \
                      windows-1256 windows-1257 windows-1258 x-mac-cyrillic gbk gb18030 big5 euc-jp iso-2022-jp \
                      shift_jis euc-kr";
        labels.split(' ').map(|label| label.parse::<Charset>().unwrap().encoding()).collect()
    }

    #[rstest]
    #[case::both_ways("koi8-r", "KOI8-R")]
    #[case::only_to_read("KOI8-R read", "KOI8-R read")]
    #[case::an_alias(" latin1 ", "windows-1252")]
    #[case::stateful("iso-2022-jp", "ISO-2022-JP")]
    #[case::utf_8("utf8", "UTF-8")]
    fn a_charset_is_known_by_its_labels(#[case] text: &str, #[case] shown: &str) {
        let charset: Charset = text.parse().unwrap();
        assert_eq!(charset.to_string(), shown);
        assert_eq!(shown.parse(), Ok(charset), "what is stored is read again");
    }

    #[rstest]
    #[case::utf_16("utf-16", "UTF-16LE can't stand in a line of IRC")]
    #[case::utf_16_be("utf-16be", "UTF-16BE can't stand in a line of IRC")]
    #[case::replacement("hz-gb-2312", "replacement can't stand in a line of IRC")]
    #[case::user_defined("x-user-defined", "x-user-defined can't stand in a line of IRC")]
    fn invariant_3_what_has_other_line_ends_is_no_charset(#[case] text: &str, #[case] why: &str) {
        assert_eq!(text.parse::<Charset>().unwrap_err().to_string(), why);
    }

    #[rstest]
    #[case::nothing("")]
    #[case::unknown("koi7")]
    #[case::another_mode("koi8-r write")]
    fn what_is_unknown_is_said_so(#[case] text: &str) {
        assert_eq!(text.parse::<Charset>(), Err(InvalidCharset::Unknown(text.to_owned())));
    }

    #[rstest]
    #[case::koi8_r(KOI8_R, "привет", b"\xd0\xd2\xc9\xd7\xc5\xd4")]
    #[case::windows_1251(WINDOWS_1251, "привет", b"\xef\xf0\xe8\xe2\xe5\xf2")]
    #[case::euro(ISO_8859_15, "5 €", b"5 \xa4")]
    #[case::big5(BIG5, "你好", b"\xa7\x41\xa6\x6e")]
    #[case::gb18030(GB18030, "你ß", b"\xc4\xe3\x81\x30\x89\x38")]
    #[case::gbk(GBK, "你好", b"\xc4\xe3\xba\xc3")]
    #[case::euc_kr(EUC_KR, "안녕", b"\xbe\xc8\xb3\xe7")]
    #[case::euc_jp(EUC_JP, "日本", b"\xc6\xfc\xcb\xdc")]
    #[case::shift_jis_with_a_backslash(SHIFT_JIS, "表", b"\x95\x5c")]
    #[case::iso_2022_jp(ISO_2022_JP, "日本 a", b"\x1b$BF|K\\\x1b(B a")]
    #[case::iso_2022_jp_with_formatting(
        ISO_2022_JP,
        "\x02日\x0f本",
        b"\x02\x1b$BF|\x1b(B\x0f\x1b$BK\\\x1b(B"
    )]
    fn text_becomes_bytes_and_comes_back(
        #[case] encoding: &'static Encoding,
        #[case] text: &str,
        #[case] bytes: &[u8],
    ) {
        let mut written = Vec::new();
        assert_eq!(encode(encoding, text, &mut written), 0);
        assert_eq!(written, bytes);
        assert_eq!(read(encoding, bytes), text);
        assert_eq!((length(encoding, text), as_written(encoding, text)), (bytes.len(), (text.to_owned(), 0)));
    }

    #[rstest]
    #[case::utf_8_wins(KOI8_R, "é".as_bytes(), "é")]
    #[case::else_by_charset(KOI8_R, b"\xc1", "а")]
    #[case::no_charset_that_has_it(UTF_8, b"\xe9\x80", "é€")]
    #[case::eight_bits_in_a_charset_of_seven(ISO_2022_JP, b"\xe9", "é")]
    #[case::utf_8_in_a_charset_of_seven(ISO_2022_JP, "日本".as_bytes(), "日本")]
    #[case::utf_8_with_an_escape(ISO_2022_JP, "é\x1b$B".as_bytes(), "é\x1b$B")]
    #[case::an_escape_elsewhere(KOI8_R, b"\x1b$B", "\x1b$B")]
    #[case::no_line_break(KOI8_R, b"a\r\xc1\0", "aа")]
    fn bytes_are_read_as_what_they_can_be(
        #[case] encoding: &'static Encoding,
        #[case] bytes: &[u8],
        #[case] text: &str,
    ) {
        assert_eq!(read(encoding, bytes), text);
    }

    #[rstest]
    #[case::koi8_r(KOI8_R, "привет 👋 日", "привет ? ?", 2)]
    #[case::in_japanese(ISO_2022_JP, "日👋本", "日?本", 1)]
    #[case::a_width_that_is_not_there(ISO_2022_JP, "ｱ", "ア", 0)]
    #[case::a_switch_of_alphabets(ISO_2022_JP, "a\x1b$Bb\x0ec", "a$Bbc", 0)]
    #[case::formatting_stays(ISO_2022_JP, "\x0304日\x0f", "\x0304日\x0f", 0)]
    #[case::utf_8_has_all(UTF_8, "👋\x1b", "👋\x1b", 0)]
    fn what_a_charset_lacks_becomes_a_question_mark(
        #[case] encoding: &'static Encoding,
        #[case] text: &str,
        #[case] expected: &str,
        #[case] lost: usize,
    ) {
        assert_eq!(as_written(encoding, text), (expected.to_owned(), lost));
    }

    #[test]
    fn invariant_3_no_charset_makes_a_line_break_of_anything() {
        // Of the many that are alike some: the encoders look each up in long tables.
        let is_alike = |c: &char| matches!(c, '\u{3400}'..='\u{d7ff}' | '\u{e000}'..='\u{f8ff}');
        let characters: Vec<char> = ('\u{1}'..='\u{1ffff}')
            .filter(|c| !matches!(c, '\r' | '\n') && (*c < '\u{10000}' || u32::from(*c) % 64 == 0))
            .filter(|c| !is_alike(c) || u32::from(*c) % 16 == 0)
            .collect();
        for encoding in all() {
            for some in characters.chunks(4096) {
                let text: String = some.iter().collect();
                let mut bytes = Vec::new();
                encode(encoding, &text, &mut bytes);
                assert!(!bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{}", encoding.name());
                let (once, _) = as_written(encoding, &text);
                assert_eq!(as_written(encoding, &once), (once.clone(), 0), "{}", encoding.name());
                assert!(!once.contains("&#"), "{}", encoding.name());
            }
        }
    }
}
