//! The settings table: the only way to add a setting that can change at run time.
//!
//! A setting has a key, a default, the scopes in which it may be set, who may set it, and whether it is a secret
//! (then it is sealed at rest and never shown). A value is looked up from the narrowest scope to the widest.

pub(in crate::store) mod named;
mod table;

use secrecy::{ExposeSecret, SecretString};

use super::pool::on;
use super::{Store, StoreError};
use crate::names::Frame;

pub use self::table::*;

/// Where a value applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// On one network.
    Network,
    /// For one user.
    User,
    /// In one session.
    Session,
    /// In one buffer.
    Buffer,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Network => "network",
            Self::User => "user",
            Self::Session => "session",
            Self::Buffer => "buffer",
        }
    }
}

/// Who may set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setter {
    /// The user whose session, buffer or account it is.
    Owner,
    /// An administrator.
    Admin,
}

/// What a setting may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What its own command makes of it.
    Own,
    /// One of these words, each with its meaning; the first holds where nothing else is said.
    Choice(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Number {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
        /// What holds where nothing else is said.
        default: u32,
    },
    /// A word.
    Word {
        /// Its characters, at most.
        most: usize,
        /// What holds where nothing else is said.
        default: &'static str,
    },
    /// What stands around a name.
    Frame {
        /// What holds where nothing else is said.
        default: &'static str,
    },
    /// Words with spaces between them, or `none`, which is what holds where nothing else is said.
    Words {
        /// How many, at most.
        most: usize,
    },
    /// `off`, which holds where nothing else is said, `on`, or so many minutes.
    Minutes {
        /// How many, at most.
        most: u32,
    },
}

/// No words.
const NONE: &str = "none";
/// Characters of one of several words.
const LONGEST_WORD: usize = 64;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the table and in commands.
    pub key: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Where it may be set, narrowest first.
    pub scopes: &'static [Scope],
    /// Who may set it.
    pub setter: Setter,
    /// Whether it is sealed and never shown.
    pub secret: bool,
    /// Whether it is about what stands in a conversation's room. In one that people share only what holds for all counts.
    pub in_room: bool,
    /// What it may be set to.
    pub kind: Kind,
}

/// A word or a number that a setting does not take; the text says what it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {takes}, not {value}")]
pub struct Unfit {
    key: &'static str,
    takes: String,
    value: String,
}

impl Setting {
    /// The setting of this name that `set` sets.
    pub fn find(key: &str) -> Option<&'static Self> {
        Self::choices().find(|setting| setting.key.eq_ignore_ascii_case(key))
    }

    /// The settings that `set` sets.
    pub fn choices() -> impl Iterator<Item = &'static Self> {
        ALL.iter().copied().filter(|setting| setting.kind != Kind::Own)
    }

    /// What holds where nothing else is said.
    pub fn default(&self) -> String {
        match self.kind {
            Kind::Own => String::new(),
            Kind::Choice(words) => words.first().map_or("", |(word, _)| word).to_owned(),
            Kind::Number { default, .. } => default.to_string(),
            Kind::Word { default, .. } | Kind::Frame { default } => default.to_owned(),
            Kind::Words { .. } => NONE.to_owned(),
            Kind::Minutes { .. } => "off".to_owned(),
        }
    }

    /// What it may be set to, in words.
    pub fn takes(&self) -> String {
        match self.kind {
            Kind::Own => "set by a command of its own".to_owned(),
            Kind::Choice(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                words.join(" or ")
            }
            Kind::Number { least, most, .. } => format!("a whole number from {least} to {most}"),
            Kind::Word { most, .. } => format!("a word of at most {most} characters"),
            Kind::Frame { .. } => Frame::RULE.to_owned(),
            Kind::Words { most } => format!("up to {most} words with spaces between them, or {NONE}"),
            Kind::Minutes { most } => format!("on, off, or a number of minutes from 1 to {most}"),
        }
    }

    /// A value as it is stored.
    ///
    /// # Errors
    /// Where it is none of the setting's.
    pub fn read(&self, value: &str) -> Result<String, Unfit> {
        let value = value.trim();
        let read = match self.kind {
            Kind::Own => None,
            Kind::Choice(words) => {
                let mut known = words.iter().map(|(word, _)| *word);
                let found = known.find(|word| word.eq_ignore_ascii_case(value));
                found.or_else(|| switched(words, value)).map(str::to_owned)
            }
            Kind::Number { least, most, .. } => {
                let number = value.parse().ok().filter(|number| (least..=most).contains(number));
                number.map(|number: u32| number.to_string())
            }
            Kind::Word { most, .. } => {
                let is_word =
                    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control());
                (is_word && value.chars().count() <= most).then(|| value.to_owned())
            }
            Kind::Frame { .. } => Frame::new(value).map(|_| value.to_owned()),
            Kind::Words { most } => read_words(value, most),
            Kind::Minutes { most } => match value.to_lowercase().as_str() {
                word @ ("on" | "off") => Some(word.to_owned()),
                number => {
                    let number = number.parse().ok().filter(|number| (1..=most).contains(number));
                    number.map(|number: u32| number.to_string())
                }
            },
        };
        read.ok_or_else(|| Unfit { key: self.key, takes: self.takes(), value: value.to_owned() })
    }
}

/// What `yes` or `off` means where there are two words of which the one says yes and the other no.
fn switched(words: &[(&'static str, &str)], value: &str) -> Option<&'static str> {
    const PAIRS: [[&str; 2]; 2] = [["on", "off"], ["show", "hide"]];
    let [one, other] = words else { return None };
    let is_either = |word| [one.0, other.0].contains(&word);
    let [yes, no] = PAIRS.into_iter().find(|pair| pair.iter().all(|word| is_either(word)))?;
    match value.to_lowercase().as_str() {
        "on" | "yes" | "true" | "show" => Some(yes),
        "off" | "no" | "false" | "hide" => Some(no),
        _ => None,
    }
}

/// Words as they are stored: each once, in the order in which they came.
fn read_words(value: &str, most: usize) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    for word in value.split([' ', ',']).filter(|word| !word.is_empty()) {
        let is_word = !word.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_word || word.chars().count() > LONGEST_WORD {
            return None;
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    (1..=most).contains(&words.len()).then(|| words.join(" "))
}

/// The words of a setting that takes several.
pub fn words_of(value: &str) -> impl Iterator<Item = &str> {
    value.split(' ').filter(|word| !word.is_empty() && *word != NONE)
}

/// What somebody has set somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The setting.
    pub setting: &'static Setting,
    /// Where it holds …
    pub scope: Scope,
    /// … and whose it is: the user's, session's or buffer's number.
    pub id: i64,
    /// What it is.
    pub value: String,
}

/// A value as it was stored.
#[derive(Debug, Clone)]
pub struct Value(SecretString);

impl Value {
    /// The text; the caller knows from the setting whether it is a secret.
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// The text as a secret.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

fn row_name(scope: Scope, scope_id: &str, key: &str) -> String {
    row_name_of(scope.as_str(), scope_id, key)
}

/// The same of a scope as it is stored.
pub(super) fn row_name_of(scope: &str, scope_id: &str, key: &str) -> String {
    format!("setting:{scope}:{scope_id}:{key}")
}

impl Store {
    /// The value of a setting in one scope.
    pub async fn setting(
        &self,
        setting: &Setting,
        scope: Scope,
        id: i64,
    ) -> Result<Option<Value>, StoreError> {
        const SQL: &str = "SELECT value FROM setting WHERE scope = $1 AND scope_id = $2 AND key = $3";
        debug_assert!(setting.scopes.contains(&scope), "{} can't be set there", setting.key);
        let scope_id = id.to_string();
        let stored: Option<Vec<u8>> = on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(scope.as_str())
            .bind(&scope_id)
            .bind(setting.key)
            .fetch_optional(p)
            .await)?;
        let Some(stored) = stored else { return Ok(None) };
        let plain = if setting.secret {
            self.sealer().open(&stored, &row_name(scope, &scope_id, setting.key))?
        } else {
            stored
        };
        let text = String::from_utf8(plain).map_err(|_| StoreError::Sealed)?;
        Ok(Some(Value(text.into())))
    }

    /// The values of a setting that is no secret in all buffers of a session.
    pub async fn buffer_settings(
        &self,
        setting: &Setting,
        session: i64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = "SELECT buffer.id, setting.value FROM buffer
            JOIN setting ON setting.scope = 'buffer' AND setting.scope_id = CAST(buffer.id AS TEXT)
            WHERE buffer.session = $1 AND setting.key = $2 ORDER BY buffer.id";
        debug_assert!(!setting.secret, "{} is sealed", setting.key);
        let rows: Vec<(i64, Vec<u8>)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).bind(setting.key).fetch_all(p).await)?;
        let read = |(buffer, value)| Ok((buffer, String::from_utf8(value).map_err(|_| StoreError::Sealed)?));
        rows.into_iter().map(read).collect()
    }

    /// What a user has chosen with `set`: for themselves, for a session, and for its buffers.
    pub async fn chosen(&self, user: i64, session: i64) -> Result<Vec<Chosen>, StoreError> {
        const SQL: &str = "SELECT scope, scope_id, key, value FROM setting
            WHERE (scope = 'user' AND scope_id = $1) OR (scope = 'session' AND scope_id = $2)
                OR (scope = 'buffer'
                    AND scope_id IN (SELECT CAST(id AS TEXT) FROM buffer WHERE session = $3))";
        let rows: Vec<(String, String, String, Vec<u8>)> = on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(user.to_string())
            .bind(session.to_string())
            .bind(session)
            .fetch_all(p)
            .await)?;
        let scopes = [Scope::User, Scope::Session, Scope::Buffer];
        let read = |(scope, id, key, value): (String, String, String, Vec<u8>)| {
            Some(Chosen {
                setting: Setting::find(&key)?,
                scope: scopes.into_iter().find(|known| known.as_str() == scope)?,
                id: id.parse().ok()?,
                // What an earlier version knew, and this one does not, is as if it had not been said.
                value: Setting::find(&key)?.read(std::str::from_utf8(&value).ok()?).ok()?,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Sets a setting in one scope, or removes it there.
    pub async fn set_setting(
        &self,
        setting: &'static Setting,
        scope: Scope,
        id: i64,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        self.set_named_setting(setting, scope, &id.to_string(), value).await
    }

    /// Sets or removes several settings in one scope, all or none.
    pub async fn set_settings(
        &self,
        scope: Scope,
        id: i64,
        values: &[(&'static Setting, Option<&str>)],
    ) -> Result<(), StoreError> {
        self.store_settings(scope, &id.to_string(), values).await
    }
}

#[cfg(test)]
mod tests {
    use super::table::OF_ITS_OWN;
    use super::*;
    use rstest::rstest;

    const WORD: Setting =
        Setting { key: "word", kind: Kind::Choice(&[("one", ""), ("other", "")]), ..OF_ITS_OWN };
    const SHOWN: Setting =
        Setting { key: "shown", kind: Kind::Choice(&[("show", ""), ("hide", "")]), ..OF_ITS_OWN };
    const SWITCH: Setting =
        Setting { key: "switch", kind: Kind::Choice(&[("off", ""), ("on", "")]), ..OF_ITS_OWN };
    const FOLDED: Setting = Setting {
        key: "folded",
        kind: Kind::Choice(&[("fold", ""), ("show", ""), ("hide", "")]),
        ..OF_ITS_OWN
    };
    const OWN_WORD: Setting =
        Setting { key: "own-word", kind: Kind::Word { most: 3, default: "x" }, ..OF_ITS_OWN };
    const FRAME: Setting = Setting { key: "frame", kind: Kind::Frame { default: "<{name}>" }, ..OF_ITS_OWN };
    const WORDS: Setting = Setting { key: "words", kind: Kind::Words { most: 2 }, ..OF_ITS_OWN };
    const MINUTES: Setting = Setting { key: "minutes", kind: Kind::Minutes { most: 60 }, ..OF_ITS_OWN };
    const NUMBER: Setting =
        Setting { key: "number", kind: Kind::Number { least: 1, most: 9, default: 5 }, ..OF_ITS_OWN };

    #[rstest]
    #[case::a_word(WORD, "other", Ok("other"))]
    #[case::in_capitals(WORD, " ONE ", Ok("one"))]
    #[case::no_word_of_it(WORD, "on", Err("word is one or other, not on"))]
    #[case::what_is_shown_is_on(SHOWN, "On", Ok("show"))]
    #[case::what_is_hidden_is_off(SHOWN, "off", Ok("hide"))]
    #[case::what_is_hidden_is_no(SHOWN, "NO", Ok("hide"))]
    #[case::what_is_on_is_so(SWITCH, "true", Ok("on"))]
    #[case::what_is_off_is_hidden(SWITCH, "hide", Ok("off"))]
    #[case::neither(SWITCH, "maybe", Err("switch is off or on, not maybe"))]
    #[case::of_three_on_could_be_two(FOLDED, "on", Err("folded is fold or show or hide, not on"))]
    #[case::a_number(NUMBER, "09", Ok("9"))]
    #[case::too_large(NUMBER, "10", Err("number is a whole number from 1 to 9, not 10"))]
    #[case::no_number(NUMBER, "many", Err("number is a whole number from 1 to 9, not many"))]
    #[case::a_word_of_ones_own(OWN_WORD, " .. ", Ok(".."))]
    #[case::two_words(OWN_WORD, "a b", Err("own-word is a word of at most 3 characters, not a b"))]
    #[case::a_word_too_long(OWN_WORD, "abcd", Err("own-word is a word of at most 3 characters, not abcd"))]
    #[case::a_frame(FRAME, " [{name} of m] ", Ok("[{name} of m]"))]
    #[case::no_frame(
        FRAME,
        "!{name}",
        Err(
            "frame is {name} in a pair of brackets, once, with up to 24 other characters and no sign of a rank \
             before it, such as [{name}], not !{name}"
        )
    )]
    #[case::several_words(WORDS, "b, a  b", Ok("b a"))]
    #[case::no_words(WORDS, "none", Ok("none"))]
    #[case::too_many_words(
        WORDS,
        "a b c",
        Err("words is up to 2 words with spaces between them, or none, not a b c")
    )]
    #[case::nothing(WORDS, " , ", Err("words is up to 2 words with spaces between them, or none, not ,"))]
    #[case::switched_on(MINUTES, "ON", Ok("on"))]
    #[case::after_minutes(MINUTES, "05", Ok("5"))]
    #[case::too_many_minutes(
        MINUTES,
        "61",
        Err("minutes is on, off, or a number of minutes from 1 to 60, not 61")
    )]
    #[case::of_another_command(NICK, "alice", Err("nick is set by a command of its own, not alice"))]
    fn a_value_is_one_that_the_setting_takes(
        #[case] setting: Setting,
        #[case] value: &str,
        #[case] read: Result<&str, &str>,
    ) {
        assert_eq!(
            setting.read(value).map_err(|error| error.to_string()).as_deref(),
            read.map_err(str::to_owned).as_deref()
        );
    }

    #[test]
    fn every_setting_has_a_name_and_takes_its_default() {
        let mut keys: Vec<_> = ALL.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ALL.len());
        for setting in Setting::choices() {
            assert_eq!(setting.read(&setting.default()), Ok(setting.default()), "{}", setting.key);
            assert!(!setting.scopes.is_empty() && !setting.meaning.is_empty(), "{}", setting.key);
        }
    }
}
