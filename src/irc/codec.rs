//! Bytes in, decoded lines out.
//!
//! Not a parser, and not the socket: the owner feeds what it read. Both line ends that servers use are taken,
//! CRLF and a bare LF. In which charset a line is read is the business of [`Charsets`].
//!
//! Invariant 9: at most [`LONGEST_LINE`] bytes are held, however long the line and however it is cut. A longer
//! line is skipped up to its end and counted; the connection goes on. Each byte is looked at once.
//!
//! Spec: modern IRC docs "Message Format" and "Character Encodings"; `IRCv3` "Message Tags" (8191 bytes of tags).

use super::charset::Charsets;

/// 8191 bytes of tags, a `LINELEN` of several kilobytes, and room to spare.
pub const LONGEST_LINE: usize = 16 * 1024;

/// What an empty buffer may keep allocated, so that an idle connection costs little.
const KEPT_CAPACITY: usize = 512;

/// The reading half of the framing.
#[derive(Debug)]
pub struct Codec {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The rest of the current line is thrown away.
    skipping: bool,
    skipped: u64,
    charsets: Charsets,
}

impl Codec {
    /// A codec that reads by these charsets.
    #[must_use]
    pub fn new(charsets: Charsets) -> Self {
        Self { partial: Vec::new(), skipping: false, skipped: 0, charsets }
    }

    /// The charsets of the connection.
    #[must_use]
    pub fn charsets(&self) -> &Charsets {
        &self.charsets
    }

    /// The charsets of the connection, to be changed.
    pub fn charsets_mut(&mut self) -> &mut Charsets {
        &mut self.charsets
    }

    /// Takes bytes and appends the lines that they complete, at most `limit` of them. Returns how many bytes
    /// were taken: all, unless the limit was reached. Empty lines are dropped.
    pub fn feed(&mut self, bytes: &[u8], limit: usize, lines: &mut Vec<String>) -> usize {
        let mut taken = 0;
        let mut found = 0;
        while found < limit && taken < bytes.len() {
            let rest = &bytes[taken..];
            let Some(end) = rest.iter().position(|&b| b == b'\n') else {
                self.hold(rest);
                return bytes.len();
            };
            taken += end + 1;
            if let Some(line) = self.complete(&rest[..end]) {
                lines.push(line);
                found += 1;
            }
        }
        taken
    }

    /// How many lines were skipped because they were too long.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many bytes of an unfinished line are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.partial.len() + bytes.len() > LONGEST_LINE {
            self.skipping = true;
            self.skipped += 1;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn complete(&mut self, end: &[u8]) -> Option<String> {
        if !self.partial.is_empty() || self.skipping {
            self.hold(end);
            if std::mem::take(&mut self.skipping) {
                return None;
            }
            let line = self.charsets.read(&self.partial);
            self.partial.clear();
            self.partial.shrink_to(KEPT_CAPACITY);
            return line;
        }
        if end.len() > LONGEST_LINE {
            self.skipped += 1;
            return None;
        }
        self.charsets.read(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn codec() -> Codec {
        Codec::new(Charsets::new(None))
    }

    fn lines_of(codec: &mut Codec, chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Vec::new();
        for chunk in chunks {
            assert_eq!(codec.feed(chunk, usize::MAX, &mut lines), chunk.len());
        }
        lines
    }

    #[rstest]
    #[case::crlf(b"PING :a\r\nPING :b\r\n", &["PING :a", "PING :b"])]
    #[case::bare_lf(b"PING :a\nPING :b\n", &["PING :a", "PING :b"])]
    #[case::empty_lines(b"\r\n\nA\r\n\r\n", &["A"])]
    #[case::unfinished(b"A\r\nB", &["A"])]
    #[case::nul_and_inner_cr(b"A\0B\rC\r\n", &["ABC"])]
    #[case::utf_8("é\n".as_bytes(), &["é"])]
    #[case::windows_1252(b"caf\xe9 \x80\n", &["café €"])]
    #[case::one_bad_byte_decides_for_the_text(b"QUIT :\xc3\xa9 \xff\n\xc3\xa9\n", &["QUIT :Ã© ÿ", "é"])]
    fn lines_are_split_and_decoded(#[case] bytes: &[u8], #[case] expected: &[&str]) {
        assert_eq!(lines_of(&mut codec(), &[bytes]), expected);
    }

    #[test]
    fn the_configured_encoding_is_the_fallback() {
        let mut codec = Codec::new(Charsets::new(Some(encoding_rs::KOI8_R)));
        assert_eq!(lines_of(&mut codec, &[b"QUIT :\xd0\xd2\xc9\xd7\xc5\xd4\n"]), ["QUIT :привет"]);
    }

    #[test]
    fn different_bytes_stay_different_in_the_default_fallback() {
        let mut seen = std::collections::HashSet::new();
        for byte in 0x80..=0xff_u8 {
            assert!(seen.insert(lines_of(&mut codec(), &[&[byte, b'\n']])), "{byte:#x}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let mut codec = codec();
        let long = vec![b'x'; LONGEST_LINE + 1];
        assert_eq!(lines_of(&mut codec, &[&long, b"tail\nPING :a\n"]), ["PING :a"]);
        assert_eq!(codec.skipped(), 1);
        let whole = [&long[..], b"\nPING :b\n"].concat();
        assert_eq!(lines_of(&mut codec, &[&whole]), ["PING :b"]);
        assert_eq!(codec.skipped(), 2);
    }

    #[test]
    fn the_longest_line_is_read_however_it_comes() {
        let long = "x".repeat(LONGEST_LINE);
        let (first, last) = long.as_bytes().split_at(9000);
        for chunks in
            [&[long.as_bytes(), b"\nA\n"][..], &[first, last, b"\n", b"A\n"], &[first, last, b"\nA\n"]]
        {
            let mut codec = codec();
            assert_eq!(lines_of(&mut codec, chunks), [long.as_str(), "A"]);
            assert_eq!((codec.skipped(), codec.held()), (0, 0));
        }
    }

    #[test]
    fn invariant_9_lines_that_are_too_long_one_after_the_other_are_each_skipped_whole() {
        let long = [vec![0xe9; LONGEST_LINE + 7], b"PRIVMSG #a :hidden\r\n".to_vec()].concat();
        for cut in [1, 7, LONGEST_LINE, LONGEST_LINE + 9] {
            let mut codec = codec();
            let mut lines = Vec::new();
            for chunk in [&long[..], &long[..], b"A\n"].concat().chunks(cut) {
                codec.feed(chunk, usize::MAX, &mut lines);
                assert!(codec.held() <= LONGEST_LINE);
            }
            assert_eq!((lines, codec.skipped()), (vec!["A".to_owned()], 2), "in pieces of {cut}");
        }
    }

    #[test]
    fn invariant_9_a_line_of_a_gigabyte_holds_no_memory() {
        let mut codec = codec();
        let chunk = vec![b'x'; 1 << 20];
        let mut lines = Vec::new();
        for _ in 0..1024 {
            codec.feed(&chunk, 256, &mut lines);
            assert!(codec.partial.capacity() <= 2 * LONGEST_LINE && lines.is_empty());
        }
        assert_eq!(lines_of(&mut codec, &[b"\nPING :still here\n"]), ["PING :still here"]);
        assert_eq!(codec.skipped(), 1);
        assert!(codec.partial.capacity() <= KEPT_CAPACITY);
    }

    #[test]
    fn the_limit_of_lines_leaves_the_rest_to_the_caller() {
        let mut lines = Vec::new();
        assert_eq!(codec().feed(b"A\nB\nC\n", 2, &mut lines), 4);
        assert_eq!(lines, ["A", "B"]);
    }

    proptest! {
        #[test]
        fn the_lines_do_not_depend_on_how_the_bytes_are_cut(
            parts in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                Just(b"\r\n".to_vec()),
                Just(vec![b'y'; LONGEST_LINE - 3]),
            ], 0..12),
            cuts in prop::collection::vec(1_usize..9000, 1..20),
        ) {
            let bytes = parts.concat();
            let mut whole = codec();
            let expected = lines_of(&mut whole, &[&bytes]);
            let mut cut = codec();
            let mut lines = Vec::new();
            let mut rest = &bytes[..];
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*size).min(rest.len()));
                cut.feed(now, usize::MAX, &mut lines);
                rest = later;
            }
            prop_assert_eq!(lines, expected);
            prop_assert_eq!(cut.skipped(), whole.skipped());
        }
    }
}
