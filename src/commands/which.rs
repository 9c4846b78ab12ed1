//! Which of a person's sessions is meant: `libera`, and where they have several on it `libera/work` or `libera as work`.
//!
//! A network alone means the session there that has no name; where there is none, the only one that there is. Every
//! command reads it here, so that it means the same for all.

use super::Context;
use super::meant::first_word;
use crate::bridge::{Refusal, SessionHandle};
use crate::names::session_address;
use crate::store::SessionRow;

/// A network as it was typed, and the name of a session where one is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Typed<'t> {
    pub(super) network: &'t str,
    pub(super) name: Option<&'t str>,
}

/// What the first words of a text may mean, each with what follows, the longest first.
pub(super) fn readings(text: &str) -> impl Iterator<Item = (Typed<'_>, &str)> {
    let (word, rest) = first_word(text);
    let (between, more) = first_word(rest);
    let (name, behind) = first_word(more);
    let is_spelled_out = between.eq_ignore_ascii_case("as") && !name.is_empty();
    let spelled_out = is_spelled_out.then_some((Typed { network: word, name: Some(name) }, behind));
    // The name that people see of a network may hold the separator itself.
    let whole = (Typed { network: word, name: None }, rest);
    let short = word.rsplit_once('/').map(|(network, name)| (Typed { network, name: Some(name) }, rest));
    spelled_out.into_iter().chain([whole]).chain(short)
}

/// Those of some sessions that are meant by a network's short name and the name of a session.
pub(super) fn those<'r>(
    rows: impl IntoIterator<Item = &'r SessionRow>,
    slug: &str,
    name: Option<&str>,
) -> Vec<&'r SessionRow> {
    let on_network = rows.into_iter().filter(|row| row.network.eq_ignore_ascii_case(slug));
    let mut found: Vec<&SessionRow> = match name {
        Some(name) => {
            on_network.filter(|row| !name.is_empty() && row.name.eq_ignore_ascii_case(name)).collect()
        }
        None => on_network.collect(),
    };
    if let Some(unnamed) = found.iter().position(|row| row.name.is_empty()) {
        found = vec![found[unnamed]];
    }
    found
}

/// The one that is meant, and what follows; nothing where the first words name none. Which network a word names says
/// `slug_of`.
pub(super) fn one_of<'r, 't>(
    rows: &[&'r SessionRow],
    text: &'t str,
    slug_of: impl Fn(&str) -> String,
) -> Result<Option<(&'r SessionRow, &'t str)>, Refusal> {
    for (typed, rest) in readings(text) {
        let slug = slug_of(typed.network);
        match those(rows.iter().copied(), &slug, typed.name).as_slice() {
            [] => {}
            [one] => return Ok(Some((one, rest))),
            several => {
                let addresses: Vec<String> = several.iter().map(|row| row.address()).collect();
                return Err(Refusal::asked(format!(
                    "There are several sessions on {slug}: {}. Say which one.",
                    addresses.join(", ")
                )));
            }
        }
    }
    // Who writes a separator means a session and nothing else.
    let (word, _) = first_word(text);
    if let Some((network, name)) = word.split_once('/')
        && !name.is_empty()
    {
        let slug = slug_of(network);
        if rows.iter().any(|row| row.network.eq_ignore_ascii_case(&slug)) {
            let address = session_address(&slug, name);
            return Err(Refusal::asked(format!(
                "There is no session {address}. To begin one, type open {slug} as {name}, in the chat with me."
            )));
        }
    }
    Ok(None)
}

impl Context<'_> {
    /// The short name of the network that a word names.
    pub(super) fn slug_of(&self, word: &str) -> String {
        let known = self.bridge.networks.named(word, self.call.user.id);
        // One that is gone keeps its session, which can be closed by its short name.
        known.map_or_else(|| word.to_owned(), |known| known.network.slug.as_str().to_owned())
    }

    /// The person's session that the first words of a text name, and what follows.
    pub(super) fn session_named<'t>(
        &self,
        text: &'t str,
    ) -> Result<Option<(SessionHandle, &'t str)>, Refusal> {
        let sessions = self.bridge.sessions(Some(&self.call.user.user_id));
        let rows: Vec<&SessionRow> = sessions.iter().map(|session| &session.row).collect();
        let found = one_of(&rows, text, |word| self.slug_of(word))?;
        Ok(found.and_then(|(row, rest)| {
            let session = sessions.iter().find(|session| session.row.id == row.id)?;
            Some((session.clone(), rest))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn rows(addresses: &[&str]) -> Vec<SessionRow> {
        let row = |(id, address): (i64, &&str)| {
            let (network, name) = crate::names::split_address(address);
            SessionRow {
                id,
                user: 1,
                user_id: "@alice:test.local".into(),
                network: network.into(),
                name: name.into(),
                connect: true,
            }
        };
        (0..).zip(addresses).map(row).collect()
    }

    /// What is meant and what follows; or what the answer names.
    #[rstest]
    #[case::the_only_one(&["libera"], "libera #tea", Ok(Some(("libera", "#tea"))))]
    #[case::the_one_without_a_name(&["libera/work", "libera"], "libera #tea", Ok(Some(("libera", "#tea"))))]
    #[case::the_only_one_has_a_name(&["oftc", "libera/work"], "libera", Ok(Some(("libera/work", ""))))]
    #[case::short(&["libera", "libera/work"], "Libera/Work #tea", Ok(Some(("libera/work", "#tea"))))]
    #[case::spelled_out(&["libera", "libera/work"], "libera AS work #tea", Ok(Some(("libera/work", "#tea"))))]
    #[case::just_words(&["libera", "libera/work"], "libera as usual", Ok(Some(("libera", "as usual"))))]
    #[case::none_has_no_name(&["libera/a", "libera/b"], "libera #tea", Err("libera/a, libera/b"))]
    #[case::no_such_session(&["libera"], "libera/work #tea", Err("open libera as work"))]
    #[case::an_empty_name(&["libera"], "libera/ #tea", Ok(None))]
    #[case::another_network(&["libera"], "oftc/work #tea", Ok(None))]
    #[case::no_network(&["libera"], "#tea", Ok(None))]
    #[case::nothing(&["libera"], "", Ok(None))]
    fn the_first_words_say_which_session_is_meant(
        #[case] addresses: &[&str],
        #[case] text: &str,
        #[case] meant: Result<Option<(&str, &str)>, &str>,
    ) {
        let rows = rows(addresses);
        let rows: Vec<&SessionRow> = rows.iter().collect();
        match (one_of(&rows, text, str::to_owned), meant) {
            (Ok(found), Ok(meant)) => {
                let found = found.map(|(row, rest)| (row.address(), rest));
                assert_eq!(found.as_ref().map(|(row, rest)| (row.as_str(), *rest)), meant);
            }
            (Err(refusal), Err(part)) => assert!(refusal.to_string().contains(part), "{refusal}"),
            (found, _) => panic!("{:?}", found.map(|found| found.map(|(row, _)| row.address()))),
        }
    }
}
