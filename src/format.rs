//! What both sides say, as [`RichText`]: read from IRC's codes, written as Matrix HTML, split into lines that fit.
//!
//! Pure: text in, text out. It knows no rooms, no sessions and no clock.

mod history;
mod irc_codes;
mod look;
mod paragraphs;
mod rich_text;
mod secrets;
mod split;

pub use history::{date, history_line, hour};
pub use irc_codes::{read_irc, strip_irc};
pub use paragraphs::{cut, paragraphs};
pub use rich_text::{Colour, RichText, Style, escape_html};
pub use secrets::{may_hold_password, may_hold_password_for_service};
pub use split::{Limit, lines_of, split_line};
