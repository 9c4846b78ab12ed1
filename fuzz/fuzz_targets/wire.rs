//! Bytes from a socket, cut anywhere, become lines, and lines messages; what a user types becomes one line or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use towline::irc::charset::{Charset, Charsets};
use towline::irc::codec::{Codec, LONGEST_LINE};
use towline::irc::wire::{Line, Message};
use towline::names::CaseMap;

const LABELS: [&str; 7] =
    ["windows-1252", "koi8-r", "iso-2022-jp", "shift_jis", "gb18030", "utf-8", "windows-1252 read"];

/// The charsets of a user who has chosen one for the network and one for `#a`.
fn charsets(which: u8) -> Charsets {
    let label = |place: u8| LABELS[usize::from(place) % LABELS.len()].parse::<Charset>().unwrap();
    let mut targets = CaseMap::default();
    targets.insert("#a", label(which / 7));
    let mut charsets = Charsets::new(None);
    charsets.choose(Some(label(which)), targets, []);
    charsets
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let mut whole = Codec::new(charsets(cut));
    let mut lines = Vec::new();
    whole.feed(bytes, usize::MAX, &mut lines);
    assert!(whole.held() <= LONGEST_LINE);
    let mut pieces = Codec::new(charsets(cut));
    let mut again = Vec::new();
    for piece in bytes.chunks(usize::from(cut) + 1) {
        pieces.feed(piece, usize::MAX, &mut again);
    }
    assert_eq!(lines, again);
    for line in &lines {
        assert!(!line.contains(['\r', '\n', '\0']));
        if let Some(message) = Message::parse(line) {
            let _ = (message.server_time(), message.msgid(), message.account(), message.batch());
            assert!(message.params.iter().all(|param| !param.contains(['\r', '\n', '\0'])));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        for line in [Line::raw(text), Line::new("PRIVMSG").middle("#a").and_then(|line| line.trailing(text))]
            .into_iter()
            .flatten()
        {
            let (inner, end) = line.as_bytes().split_at(line.as_bytes().len() - 2);
            assert_eq!(end, b"\r\n");
            assert!(!inner.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            let _ = (line.verb(), format!("{line:?}"));
            let mut written = Vec::new();
            whole.charsets_mut().write(&line, &mut written);
            let (inner, end) = written.split_at(written.len() - 2);
            assert_eq!(end, b"\r\n");
            assert!(!inner.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }
});
