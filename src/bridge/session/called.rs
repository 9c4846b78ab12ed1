//! What the administrator's templates make of a person on a network: the nick that they start with, and their real name.
//!
//! A display name comes from the homeserver, which is asked while the server is dialled and not for long. Where it does
//! not answer, what it said last counts, and before that the first part of the id. No two sessions of a network get one
//! nick by display names, which anybody may choose: who comes second has their number behind it.
//!
//! The length that a network takes is what its servers said last, so that what a template has behind a name is not what is
//! cut off.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::Bridge;
use super::Actor;
use super::wording::nick_suffix;
use crate::config::{Network, Template};
use crate::format::{FirstNick, neutral, nick_of_display_name, relayed_name};
use crate::names::{CaseMapping, Nick};

/// How long the homeserver may take to say what somebody is called: a server is waiting.
const PATIENCE: Duration = Duration::from_secs(3);
/// Servers cut real names at 50 to 150 bytes.
pub(super) const LONGEST_REALNAME: usize = 200;
/// The template's field for it.
const DISPLAY: &str = "display";
/// Characters of a display name that are looked at: no server shows more of one, and its owner says how long it is.
const LONGEST_DISPLAY: usize = 200;
/// Nicks that are tried for one that is nobody's: more than anybody has sessions to take what somebody else's would be.
const MOST_TRIED: i64 = 1000;

/// The nicks that display names have given, each to one session of a network; in memory, one for each session.
#[derive(Debug, Default)]
pub(in crate::bridge) struct FirstNicks(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    /// By network and folded nick.
    owners: HashMap<(String, String), i64>,
    of_session: HashMap<i64, (String, String)>,
}

impl FirstNicks {
    /// The first of these nicks that is no other session's, which is this one's from now on, in the place of the one before.
    fn claim(
        &self,
        network: &str,
        session: i64,
        nicks: impl Iterator<Item = FirstNick>,
        most: Option<usize>,
    ) -> FirstNick {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.release(session);
        let mut last = None;
        for nick in nicks {
            // The widest casemapping: what is one nick on any network is one here.
            let key = (network.to_owned(), CaseMapping::Rfc1459.fold(nick.within(most).as_str()));
            if !given.owners.contains_key(&key) {
                given.owners.insert(key.clone(), session);
                given.of_session.insert(session, key);
                return nick;
            }
            last = Some(nick);
        }
        last.unwrap_or_else(|| FirstNick::new("", "", ""))
    }

    /// The session is no more.
    pub(in crate::bridge) fn release(&self, session: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).release(session);
    }
}

impl Given {
    fn release(&mut self, session: i64) {
        if let Some(key) = self.of_session.remove(&session) {
            self.owners.remove(&key);
        }
    }
}

/// The first part of a Matrix id.
fn localpart(user_id: &str) -> &str {
    user_id.trim_start_matches('@').split(':').next().unwrap_or_default()
}

/// A nick, and what its owner has where it is somebody else's.
fn numbered(nick: &FirstNick, user: i64) -> impl Iterator<Item = FirstNick> {
    (0..MOST_TRIED).map(move |tried| match tried {
        0 => nick.clone(),
        1 => nick.numbered(user),
        // Somebody calls themselves what this one would be.
        tried => nick.numbered(user).numbered(tried),
    })
}

/// Whether what people are called on a network depends on their display names.
fn shows_display_names(network: &Network) -> bool {
    network.nick.has(DISPLAY) || network.realname.as_ref().is_some_and(|template| template.has(DISPLAY))
}

/// What the homeserver calls somebody, empty for nothing, where a network's templates want to know it and the homeserver says
/// it in time.
pub(super) async fn display_name(bridge: &Bridge, network: &Network, user_id: &str) -> Option<String> {
    if !shows_display_names(network) {
        return None;
    }
    match tokio::time::timeout(PATIENCE, bridge.client.display_name(user_id)).await {
        Ok(Ok(name)) => Some(beginning(name.unwrap_or_default())),
        Ok(Err(error)) => {
            tracing::warn!(%user_id, %error, "the homeserver does not say what somebody is called");
            None
        }
        Err(_) => {
            tracing::warn!(%user_id, "the homeserver does not say in time what somebody is called");
            None
        }
    }
}

/// As much of a display name as is kept, while a session lasts.
fn beginning(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(LONGEST_DISPLAY) {
        name.truncate(end);
        name.shrink_to_fit();
    }
    name
}

impl Actor {
    /// The nick that the network's template makes of the user. A further session has its name behind it: no two can
    /// have one nick.
    pub(super) fn first_nick(&self) -> FirstNick {
        let (template, network) = (&self.network.nick, self.row.network.as_str());
        let local = localpart(&self.row.user_id);
        let networks = [network, self.network.name.as_str(), self.named()];
        let id = self.row.user_id.trim_start_matches('@');
        let called = |display: &str| {
            let values = [("localpart", local), (DISPLAY, display), ("user_id", id)];
            let (base, behind) = template.render_parted(&values);
            FirstNick::new(&base, behind, &nick_suffix(&self.row.name))
        };
        if !template.has(DISPLAY) {
            return called(local);
        }
        let (user, session, most) = (self.row.user, self.row.id, self.bridge.nick_length(network));
        let is_services = |nick: &FirstNick| nick.is_cut_to_services(most, &networks);
        let displayed = nick_of_display_name(&self.display, &networks).map(|display| called(&display));
        let displayed = displayed.filter(|nick| !is_services(nick) && !is_services(&nick.numbered(user)));
        let nick = displayed.unwrap_or_else(|| called(local));
        self.bridge.first_nicks.claim(network, session, numbered(&nick, user), most)
    }

    /// That nick, as long as the network takes one.
    pub(super) fn default_nick(&self) -> Nick {
        self.first_nick().within(self.bridge.nick_length(&self.row.network))
    }

    /// The real name that the administrator's template makes of the user, whatever they would rather have.
    pub(super) fn given_realname(&self, nick: &str) -> Option<String> {
        let template = self.network.realname.as_ref()?;
        let user_id = self.row.user_id.as_str();
        let local = localpart(user_id);
        let display = relayed_name(&self.display).unwrap_or_else(|| local.to_owned());
        let values = [("localpart", local), (DISPLAY, &display), ("user_id", user_id), ("nick", nick)];
        Some(realname(template, &values))
    }
}

/// A real name, without anything in it that acts on those who read it.
fn realname(template: &Template, values: &[(&str, &str)]) -> String {
    let name = neutral(&template.render(values)).split_whitespace().collect::<Vec<_>>().join(" ");
    name[..name.floor_char_boundary(LONGEST_REALNAME)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn nick(text: &str) -> FirstNick {
        FirstNick::new(text, "", "")
    }

    #[test]
    fn a_nick_is_one_sessions_until_that_has_another() {
        let nicks = FirstNicks::default();
        let claim = |network: &str, session: i64, text: &str| {
            let tried = [nick(text), nick(text).numbered(session)];
            nicks.claim(network, session, tried.into_iter(), None).within(None).as_str().to_owned()
        };
        assert_eq!(claim("a", 1, "Alice"), "Alice");
        assert_eq!((claim("a", 2, "alice"), claim("b", 3, "alice")), ("alice_2".into(), "alice".into()));
        // Whose it is may ask again.
        assert_eq!((claim("a", 1, "Alice"), claim("a", 2, "alice")), ("Alice".into(), "alice_2".into()));
        assert_eq!((claim("a", 1, "Bob"), claim("a", 2, "alice")), ("Bob".into(), "alice".into()));
        nicks.release(2);
        assert_eq!(claim("a", 4, "ALICE"), "ALICE");
    }

    /// Before, the ninth that was tried was given to two.
    #[rstest]
    #[case::nobody_knows(None)]
    #[case::a_short_one(Some(9))]
    fn who_calls_themselves_what_others_would_be_is_never_called_as_they_are(#[case] most: Option<usize>) {
        let nicks = FirstNicks::default();
        let alice = FirstNick::new("Alice", "[m]", "");
        let mut taken = Vec::new();
        for (session, tried) in (0_i64..).zip(numbered(&alice, 7).take(50)) {
            taken.push(nicks.claim("a", session, std::iter::once(tried), most).within(most));
        }
        let given = nicks.claim("a", 1000, numbered(&alice, 7), most).within(most);
        assert!(!taken.contains(&given), "{given}");
    }

    #[test]
    fn two_nicks_that_are_cut_to_one_are_one() {
        let nicks = FirstNicks::default();
        let claim = |session: i64, text: &str| {
            let tried = [nick(text), nick(text).numbered(session)];
            nicks.claim("a", session, tried.into_iter(), Some(9)).within(Some(9)).as_str().to_owned()
        };
        assert_eq!(
            (claim(1, "christopher"), claim(2, "christophe")),
            ("christoph".into(), "christo_2".into())
        );
    }

    #[test]
    fn invariant_9_of_a_display_name_no_more_is_kept_than_is_looked_at() {
        assert_eq!(beginning("é".repeat(100_000)), "é".repeat(LONGEST_DISPLAY));
        assert_eq!(beginning("Zoë".to_owned()), "Zoë");
    }

    #[rstest]
    #[case::an_id("{user_id}", "@alice:test.local")]
    #[case::all("{display} is {nick}, {localpart}", "Alice is al, alice")]
    #[case::none("of Matrix", "of Matrix")]
    fn a_real_name_is_made_of_a_template(#[case] template: &str, #[case] name: &str) {
        let fields = ["display", "localpart", "user_id", "nick"];
        let template = Template::parse(template, &fields).unwrap();
        let values =
            [("localpart", "alice"), ("display", "Alice"), ("user_id", "@alice:test.local"), ("nick", "al")];
        assert_eq!(realname(&template, &values), name);
    }

    #[test]
    fn a_real_name_has_an_end_and_no_codes() {
        let template = Template::parse("{display}", &["display"]).unwrap();
        let long = format!("\u{2}\u{202e}é{}", "é".repeat(300));
        let name = realname(&template, &[("display", &long)]);
        assert_eq!(name, "é".repeat(LONGEST_REALNAME / 2));
    }
}
