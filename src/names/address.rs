//! How a session is called: by its network's short name, and behind a `/` by a name of its own where its user has
//! several there. Neither of the two holds a `/`, so that two sessions of a user never have one address.

use super::InvalidName;

/// What stands between a network and the session's name.
const SEPARATOR: char = '/';
/// It becomes part of a nick.
const LONGEST: usize = 16;

/// The name of a user's further session on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(Box<str>);

impl SessionName {
    /// Reads it, in capitals or not.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let name = text.to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=LONGEST).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('-');
        if is_name { Ok(Self(name.into())) } else { Err(InvalidName::Session) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The address of a session: `libera`, or `libera/work` where it has a name.
#[must_use]
pub fn session_address(network: &str, name: &str) -> String {
    if name.is_empty() { network.to_owned() } else { format!("{network}{SEPARATOR}{name}") }
}

/// The network and the session's name, which is empty where there is none.
#[must_use]
pub fn split_address(address: &str) -> (&str, &str) {
    address.split_once(SEPARATOR).unwrap_or((address, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_word("work", Some("work"))]
    #[case::in_capitals("Work-2", Some("work-2"))]
    #[case::empty("", None)]
    #[case::a_separator("a/b", None)]
    #[case::begins_with_a_hyphen("-a", None)]
    #[case::another_script("büro", None)]
    #[case::too_long("abcdefghijklmnopq", None)]
    fn a_sessions_name_can_be_part_of_a_nick_and_of_an_address(
        #[case] text: &str,
        #[case] name: Option<&str>,
    ) {
        assert_eq!(SessionName::new(text).ok().as_ref().map(SessionName::as_str), name);
    }

    #[rstest]
    #[case::without_a_name("libera", "")]
    #[case::with_a_name("libera", "work")]
    fn an_address_is_read_as_it_was_made(#[case] network: &str, #[case] name: &str) {
        assert_eq!(split_address(&session_address(network, name)), (network, name));
    }
}
