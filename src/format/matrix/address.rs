//! Whom a plain text addresses.

/// A text that begins with one of somebody's names, as they are addressed on IRC: `nick: text`; nothing where it begins
/// with none, or where nothing parts the name from what follows.
pub(super) fn address(text: &str, names: &[&str], nick: &str) -> Option<String> {
    // The longest, since one may begin another.
    let mut names: Vec<&&str> = names.iter().filter(|name| !name.is_empty()).collect();
    names.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
    let text = text.trim_start();
    let rest = names.iter().find_map(|name| text.strip_prefix(**name).filter(|rest| is_apart(rest)))?;
    let said = rest.trim_start_matches([':', ',']).trim_start();
    Some(if said.is_empty() { format!("{nick}{rest}") } else { format!("{nick}: {said}") })
}

fn is_apart(rest: &str) -> bool {
    let after = rest.trim_start_matches([':', ',']);
    after.is_empty() || after.starts_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_name("Bob Smith hello", Some("bob: hello"))]
    #[case::with_a_colon("Bob Smith: hello", Some("bob: hello"))]
    #[case::with_a_comma("Bob Smith, hello", Some("bob: hello"))]
    #[case::an_id("@bob:x.example: hello", Some("bob: hello"))]
    #[case::the_shorter_of_two("Bob hello", Some("bob: hello"))]
    #[case::nothing_else("Bob", Some("bob"))]
    #[case::on_lines_of_their_own("Bob\nhello", Some("bob: hello"))]
    #[case::of_another("Bobby hello", None)]
    #[case::the_rest_of_a_word("Bob's hello", None)]
    #[case::in_between("hello Bob", None)]
    #[case::nothing("", None)]
    fn who_is_named_first_is_addressed(#[case] text: &str, #[case] addressed: Option<&str>) {
        let names = ["", "Bob", "Bob Smith", "@bob:x.example"];
        assert_eq!(address(text, &names, "bob").as_deref(), addressed);
    }
}
