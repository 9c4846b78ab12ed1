//! Rules that exclude: who fits one, found once for each user.
//!
//! A name without wildcards is looked up; patterns are tried one after the other, and what came of it is remembered with the
//! rules, so that a line costs one look-up however many there are. Other rules are another value, with nothing remembered.
//!
//! Invariant 9: so many rules ([`MOST_RULES`]), and so many verdicts ([`MOST_VERDICTS`]).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::names::Glob;

/// Rules that are heeded, all lists together.
pub(super) const MOST_RULES: usize = 20_000;
/// Users of whom it is remembered whether a rule fits them.
const MOST_VERDICTS: usize = 10_000;
/// No id is longer, and what is asked for is never longer than its own pattern needs.
const LONGEST: usize = 255;

/// Whom a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    User,
    Server,
}

/// Why somebody is excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The list whose rule it is; nothing where the configuration says so.
    pub list: Option<String>,
    /// What the list says of it; may be empty.
    pub reason: String,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.list {
            None => f.write_str("excluded from this bridge by its configuration"),
            Some(list) => write!(f, "excluded from this bridge by the policy list {list}"),
        }?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

/// Who is ours, so that no rule is about the bridge itself.
pub(super) struct Ours<'a> {
    pub(super) bot: &'a str,
    /// What the ids of ghosts begin with.
    pub(super) ghosts: &'a str,
    pub(super) domain: &'a str,
}

/// What becomes of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Heeded,
    /// It fits the bot, and would exclude the bridge from itself.
    Ours,
    /// There are [`MOST_RULES`] already.
    TooMany,
}

/// All rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    users: HashMap<String, Arc<Exclusion>>,
    servers: HashMap<String, Arc<Exclusion>>,
    user_patterns: Vec<(Glob, Arc<Exclusion>)>,
    server_patterns: Vec<(Glob, Arc<Exclusion>)>,
    count: usize,
    /// Whether one of them may fit a ghost.
    concern_ghosts: bool,
    verdicts: Mutex<HashMap<String, Option<Arc<Exclusion>>>>,
}

impl Rules {
    /// Adds a rule, unless it could fit nobody.
    pub(super) fn add(&mut self, ours: &Ours<'_>, about: About, entity: &str, why: &Arc<Exclusion>) -> Added {
        if entity.is_empty() || entity.len() > LONGEST {
            return Added::Heeded;
        }
        let glob = match about {
            About::User => Glob::new(entity),
            // Servers' names are the same in capitals.
            About::Server => Glob::new(&entity.to_ascii_lowercase()),
        };
        let fits_us = match about {
            About::User => glob.fits(ours.bot),
            About::Server => glob.fits(server_of(ours.bot).as_str()),
        };
        if fits_us {
            return Added::Ours;
        }
        if self.count >= MOST_RULES {
            return Added::TooMany;
        }
        self.count += 1;
        let end = format!(":{}", ours.domain);
        self.concern_ghosts |= about == About::User && glob.may_fit(ours.ghosts, &end);
        let (names, patterns) = match about {
            About::User => (&mut self.users, &mut self.user_patterns),
            About::Server => (&mut self.servers, &mut self.server_patterns),
        };
        if glob.is_literal() {
            names.entry(glob.as_str().to_owned()).or_insert_with(|| Arc::clone(why));
        } else {
            patterns.push((glob, Arc::clone(why)));
        }
        Added::Heeded
    }

    /// Whether one of them may fit a ghost.
    pub(super) fn concern_ghosts(&self) -> bool {
        self.concern_ghosts
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Why a user is excluded.
    pub(super) fn of(&self, user_id: &str) -> Option<Arc<Exclusion>> {
        if self.count == 0 {
            return None;
        }
        let verdicts = || self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = verdicts().get(user_id) {
            return known.clone();
        }
        let verdict = self.look(user_id);
        let mut verdicts = verdicts();
        if verdicts.len() >= MOST_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(user_id.to_owned(), verdict.clone());
        verdict
    }

    fn look(&self, user_id: &str) -> Option<Arc<Exclusion>> {
        let server = server_of(user_id);
        let named = self.users.get(user_id).or_else(|| self.servers.get(&server));
        let fitting = |patterns: &[(Glob, Arc<Exclusion>)], text: &str| {
            patterns.iter().find(|(glob, _)| glob.fits(text)).map(|(_, why)| Arc::clone(why))
        };
        named
            .cloned()
            .or_else(|| fitting(&self.user_patterns, user_id))
            .or_else(|| fitting(&self.server_patterns, &server))
    }
}

/// A user's server, without its port: rules about servers are about their names.
fn server_of(user_id: &str) -> String {
    let server = user_id.split_once(':').map_or("", |(_, server)| server);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match server.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => server,
    };
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const OURS: Ours<'_> = Ours { bot: "@towline:ours.org", ghosts: "@irc_", domain: "ours.org" };

    fn rules(rules: &[(About, &str)]) -> Rules {
        let mut all = Rules::default();
        for (about, entity) in rules {
            let why = Arc::new(Exclusion { list: Some("#list:x".to_owned()), reason: (*entity).to_owned() });
            assert_ne!(all.add(&OURS, *about, entity, &why), Added::TooMany);
        }
        all
    }

    #[rstest]
    #[case::a_name("@eve:a.org", Some("@eve:a.org"))]
    #[case::another_name("@adam:a.org", None)]
    #[case::a_pattern("@spam-17:a.org", Some("@spam*:a.org"))]
    #[case::a_server("@anybody:bad.org", Some("BAD.org"))]
    #[case::a_server_at_a_port("@anybody:Bad.org:8448", Some("BAD.org"))]
    #[case::one_below_it("@anybody:x.worse.org", Some("*.worse.org"))]
    #[case::not_itself("@anybody:worse.org", None)]
    #[case::an_address_in_brackets("@anybody:[::1]", Some("[::1]"))]
    #[case::a_ghost("@irc_libera_spam:ours.org", Some("@irc_libera_spam*:ours.org"))]
    #[case::another_ghost("@irc_libera_bob:ours.org", None)]
    #[case::no_id("spam", None)]
    fn who_fits_a_rule_is_excluded(#[case] user_id: &str, #[case] rule: Option<&str>) {
        let rules = rules(&[
            (About::User, "@eve:a.org"),
            (About::User, "@spam*:a.org"),
            (About::Server, "BAD.org"),
            (About::Server, "*.worse.org"),
            (About::Server, "[::1]"),
            (About::User, "@irc_libera_spam*:ours.org"),
        ]);
        for _ in 0..2 {
            assert_eq!(rules.of(user_id).map(|why| why.reason.clone()).as_deref(), rule);
        }
    }

    #[test]
    fn no_rule_excludes_the_bridge_from_itself() {
        let rules = rules(&[
            (About::Server, "ours.org"),
            (About::Server, "*"),
            (About::User, "@*:ours.org"),
            (About::User, "@towline:ours.org"),
        ]);
        assert_eq!(rules.len(), 0);
        assert_eq!(rules.of("@alice:ours.org"), None);
    }

    #[rstest]
    #[case::a_person("@spam*:elsewhere.org", false)]
    #[case::a_person_here("@eve:ours.org", false)]
    #[case::a_ghost("@irc_libera_*:ours.org", true)]
    fn lines_are_looked_at_only_where_a_rule_may_fit_a_ghost(#[case] entity: &str, #[case] concerns: bool) {
        assert_eq!(rules(&[(About::User, entity)]).concern_ghosts(), concerns);
    }

    #[test]
    fn invariant_9_rules_and_verdicts_are_bounded() {
        let mut rules = Rules::default();
        let why = Arc::new(Exclusion { list: None, reason: String::new() });
        for number in 0..MOST_RULES {
            assert_eq!(rules.add(&OURS, About::User, &format!("@{number}:a.org"), &why), Added::Heeded);
        }
        assert_eq!(rules.add(&OURS, About::User, "@more:a.org", &why), Added::TooMany);
        let no_id = "x".repeat(LONGEST + 1);
        assert_eq!(rules.add(&OURS, About::User, &no_id, &why), Added::Heeded, "it fits nobody");
        for number in 0..2 * MOST_VERDICTS {
            rules.of(&format!("@{number}:b.org"));
        }
        assert!(rules.verdicts.lock().unwrap().len() <= MOST_VERDICTS);
    }
}
