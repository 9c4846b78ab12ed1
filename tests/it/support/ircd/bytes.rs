//! Bytes that are no UTF-8, as characters: the ircd's lines are text, and real servers carry any bytes.
//!
//! Each such byte is a character of a private plane, which nobody writes, and goes out as the byte that it was.

use super::network::LONGEST_LINE;

const FIRST: u32 = 0x10_ff00;

/// Bytes as the ircd's text.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from_u32(FIRST + u32::from(*byte)).unwrap()));
    }
    text
}

/// The ircd's text as bytes.
pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character).checked_sub(FIRST).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Cuts a line as servers do, without its end.
pub(super) fn cut(line: &mut String) {
    let mut bytes = 0;
    let end = line.char_indices().find(|(_, character)| {
        bytes += if u32::from(*character) >= FIRST { 1 } else { character.len_utf8() };
        bytes > LONGEST_LINE - 2
    });
    let end = end.map_or(line.len(), |(at, _)| at);
    line.truncate(end);
}
