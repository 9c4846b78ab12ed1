//! What both sides say, as [`RichText`]: read from IRC's codes, written as Matrix HTML, split into lines that fit;
//! and Matrix HTML as text for IRC.
//!
//! Pure: text in, text out. It knows no rooms, no sessions and no clock.

mod annotate;
mod diff;
mod edit;
mod first_nick;
mod history;
mod irc_codes;
mod links;
mod look;
mod matrix;
mod neutral;
mod paragraphs;
mod quote;
mod relay_nick;
mod relayed;
mod rich_text;
mod secrets;
mod split;
mod typed;
mod width;

pub use annotate::{Word, WordPlace};
pub use edit::{Correction, EditStyle, Edited};
pub use first_nick::{FirstNick, nick_of_display_name};
pub use history::{date, history_line, hour};
pub use irc_codes::{read_irc, strip_irc, visible_irc};
pub use links::web_addresses;
pub use matrix::{IrcStyle, Names, Options, Pill, Spoilers, called_otherwise, pills, read_matrix};
pub use neutral::neutral;
pub use paragraphs::{cut, paragraphs};
pub use quote::{Answered, quote};
pub use relay_nick::NickRules;
pub use relayed::{Called, Prefix, parted, relayed_name};
pub use rich_text::{Colour, RichText, Style, Table, escape_html};
pub use secrets::{may_hold_password, may_hold_password_for_service, possible_passwords, sets_key};
pub use split::{Limit, lines_of, split_line};
pub use typed::{Typed, typed};
