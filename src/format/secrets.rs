//! Words that stand before passwords, in what people type to services and to the bot.

/// Whether a text has such a word. When in doubt it has: a message too few in a room's history is a smaller harm than
/// a password in it.
pub fn may_hold_password(text: &str) -> bool {
    const TELLING: [&str; 13] = [
        "identify",
        "register",
        "ghost",
        "recover",
        "regain",
        "release",
        "login",
        "pass",
        "auth",
        "oper",
        "set",
        "authenticate",
        "sasl",
    ];
    let is_key = text.contains("-----BEGIN ");
    is_key
        || text.to_lowercase().split_whitespace().any(|word| TELLING.contains(&word.trim_start_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::services("IDENTIFY hunter2", true)]
    #[case::raw("PRIVMSG NickServ :identify hunter2", true)]
    #[case::private_key("-----BEGIN PRIVATE KEY-----", true)]
    #[case::part_of_a_word("reset the identifying passage", false)]
    #[case::talk("hello there", false)]
    fn a_word_tells_that_a_password_follows(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(may_hold_password(text), expected);
    }
}
