//! What the user has chosen with `set`, and what holds in a buffer by it: what was chosen for the buffer, else for the
//! session, else for the user, else what the configuration says of the network, else what it says of all, else what is
//! built in.
//!
//! What stands in a room that people share is nobody's own choice: there the configuration decides ([`Actor::room_choice`]),
//! since whose connection shows the channel is chance, and is another's in the next minute.

use std::collections::{BTreeMap, HashMap};

use super::super::outcome::Outcome;
use super::super::{Bridge, PREFIX};
use super::Actor;
use super::asides::{Reactions, Redactions};
use super::highlights::Highlights;
use super::pictures::Pictures;
use crate::config::SharedRooms;
use crate::format::{EditStyle, IrcStyle, RichText, Spoilers};
use crate::irc::ignores::IgnoreList;
use crate::names::CaseMapping;
use crate::store::StoreError;
use crate::store::settings::{self, Scope, Setting};

/// Whether a conversation says how it is with its other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Show,
    Hide,
}

/// How news is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// Several pieces at once as one notice.
    Fold,
    /// Each by itself.
    Show,
    Hide,
}

/// How it is told who is kicked out of a channel, and what modes are set there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChannelNews(pub(super) Telling);

impl Choice for ChannelNews {
    const SETTING: &'static Setting = &settings::CHANNEL_NEWS;
    const WORDS: &'static [(&'static str, Self)] =
        &[("fold", Self(Telling::Fold)), ("show", Self(Telling::Show)), ("hide", Self(Telling::Hide))];
}

/// How it is told who comes into a channel, leaves it or has another nick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comings(pub(super) Telling);

impl Choice for Comings {
    const SETTING: &'static Setting = &settings::COMINGS;
    const WORDS: &'static [(&'static str, Self)] =
        &[("hide", Self(Telling::Hide)), ("fold", Self(Telling::Fold)), ("show", Self(Telling::Show))];
}

/// Whether a network has a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum SpaceWish {
    Off,
    On,
}

impl Choice for SpaceWish {
    const SETTING: &'static Setting = &settings::SPACE;
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

/// Which room `join` leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum RoomWish {
    Own,
    Shared,
}

impl Choice for RoomWish {
    const SETTING: &'static Setting = &settings::ROOMS;
    const WORDS: &'static [(&'static str, Self)] = &[("own", Self::Own), ("shared", Self::Shared)];
}

/// What a channel's room rings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Ringing {
    Mentions,
    All,
    None,
}

impl Choice for Ringing {
    const SETTING: &'static Setting = &settings::NOTIFY;
    const WORDS: &'static [(&'static str, Self)] =
        &[("mentions", Self::Mentions), ("all", Self::All), ("none", Self::None)];
}

/// What happens when somebody writes for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    Open,
    Ask,
}

impl Choice for Strangers {
    const SETTING: &'static Setting = &settings::STRANGERS;
    const WORDS: &'static [(&'static str, Self)] = &[("open", Self::Open), ("ask", Self::Ask)];
}

/// A setting whose values are words, as the code knows them.
pub(in crate::bridge) trait Choice: Copy + PartialEq + 'static {
    const SETTING: &'static Setting;
    /// The words and what they mean; the first holds where nothing else is said.
    const WORDS: &'static [(&'static str, Self)];
}

impl Choice for Presence {
    const SETTING: &'static Setting = &settings::PRESENCE;
    const WORDS: &'static [(&'static str, Self)] = &[("show", Self::Show), ("hide", Self::Hide)];
}

impl Choice for IrcStyle {
    const SETTING: &'static Setting = &settings::FORMATTING;
    const WORDS: &'static [(&'static str, Self)] =
        &[("codes", Self::Codes), ("plain", Self::Plain), ("markdown", Self::Markdown)];
}

/// What becomes of a spoiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpoilerChoice {
    Hide,
    LeaveOut,
    /// It is left out, and a link leads to it.
    Link,
}

impl SpoilerChoice {
    /// What stands of it on IRC.
    pub(super) fn shown(self) -> Spoilers {
        match self {
            Self::Hide => Spoilers::Hidden,
            Self::LeaveOut | Self::Link => Spoilers::LeftOut,
        }
    }
}

impl Choice for SpoilerChoice {
    const SETTING: &'static Setting = &settings::SPOILERS;
    const WORDS: &'static [(&'static str, Self)] =
        &[("hide", Self::Hide), ("leave-out", Self::LeaveOut), ("link", Self::Link)];
}

impl Choice for Pictures {
    const SETTING: &'static Setting = &settings::PICTURES;
    const WORDS: &'static [(&'static str, Self)] = &[("link", Self::Link), ("show", Self::Show)];
}

impl Choice for EditStyle {
    const SETTING: &'static Setting = &settings::EDITS;
    const WORDS: &'static [(&'static str, Self)] =
        &[("correction", Self::Correction), ("word", Self::Word), ("full", Self::Full)];
}

impl Choice for Reactions {
    const SETTING: &'static Setting = &settings::REACTIONS;
    const WORDS: &'static [(&'static str, Self)] = &[("silent", Self::Silent), ("line", Self::Line)];
}

impl Choice for Redactions {
    const SETTING: &'static Setting = &settings::REDACTIONS;
    const WORDS: &'static [(&'static str, Self)] = &[("silent", Self::Silent), ("line", Self::Line)];
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has said anything else.
    BuiltIn,
    /// The configuration says so.
    Configured,
    /// The configuration says so of the network.
    ConfiguredForNetwork,
    /// An administrator has set it for all while the bridge runs.
    SetForAll,
    /// It was set there.
    Set(Scope),
}

/// What was chosen, by setting.
#[derive(Debug, Default)]
pub struct Manners {
    user: i64,
    session: i64,
    chosen: HashMap<&'static str, Vec<(Scope, i64, String)>>,
    /// What holds for all on the network.
    configured: HashMap<&'static str, (String, Origin)>,
    /// What holds in the rooms that people share on the session's network, before that.
    in_shared: HashMap<&'static str, (String, Origin)>,
    /// Who is a member of single channels' rooms that people share, before that.
    members_of: BTreeMap<String, String>,
    /// Whom the user does not want to hear.
    pub(super) ignores: IgnoreList,
    /// Words that mean them.
    pub(super) highlights: Highlights,
}

impl Manners {
    /// Reads what holds for a user, in a session of theirs on a network, and in its buffers; or for the user wherever they
    /// are, where none is named.
    pub async fn load(bridge: &Bridge, user: i64, session: i64, network: &str) -> Result<Self, StoreError> {
        let configured = configured(bridge, network);
        // One of the words, by the schema.
        let SharedRooms { members, members_of, .. } = bridge.shared_settings(network);
        let members = members.map(|word| (settings::MEMBERS.key, (word, Origin::ConfiguredForNetwork)));
        let in_shared = members.into_iter().collect();
        let mut manners = Self { user, session, configured, in_shared, members_of, ..Self::default() };
        for chosen in bridge.store.chosen(user, session).await? {
            let known = manners.chosen.entry(chosen.setting.key).or_default();
            known.push((chosen.scope, chosen.id, chosen.value));
        }
        let stored = async |setting: &Setting, scope, id| {
            let value = bridge.store.setting(setting, scope, id).await?;
            Ok::<_, StoreError>(value.map(|value| value.text().to_owned()).unwrap_or_default())
        };
        manners.ignores = IgnoreList::stored(&stored(&settings::IGNORES, Scope::Session, session).await?);
        let here = Highlights::stored(&stored(&settings::HIGHLIGHTS, Scope::Session, session).await?);
        let everywhere = Highlights::stored(&stored(&settings::HIGHLIGHTS, Scope::User, user).await?);
        manners.highlights = here.and(everywhere);
        Ok(manners)
    }

    /// What holds in rooms that people share, whatever one of them says, and where that was said.
    pub fn value_for_all(&self, setting: &Setting) -> (Option<&str>, Origin) {
        match self.in_shared.get(setting.key).or_else(|| self.configured.get(setting.key)) {
            Some((value, origin)) => (Some(value), *origin),
            None => (None, Origin::BuiltIn),
        }
    }

    /// The same in the room of one channel, by how its network compares names.
    pub fn value_for_all_in(
        &self,
        setting: &Setting,
        channel: &str,
        mapping: CaseMapping,
    ) -> (Option<&str>, Origin) {
        if setting.key == settings::MEMBERS.key
            && let Some((_, word)) = self.members_of.iter().find(|(name, _)| mapping.same(name, channel))
        {
            return (Some(word), Origin::ConfiguredForNetwork);
        }
        self.value_for_all(setting)
    }

    /// What holds in a buffer, or in none, and where it was set.
    pub fn value(&self, setting: &Setting, buffer: Option<i64>) -> (Option<&str>, Origin) {
        let chosen = self.chosen.get(setting.key).map(Vec::as_slice).unwrap_or_default();
        let places = [
            buffer.map(|buffer| (Scope::Buffer, buffer)),
            Some((Scope::Session, self.session)),
            Some((Scope::User, self.user)),
        ];
        let found = places
            .into_iter()
            .flatten()
            .find_map(|(scope, id)| chosen.iter().find(|(known, of, _)| (*known, *of) == (scope, id)));
        match (found, self.configured.get(setting.key)) {
            (Some((scope, _, value)), _) => (Some(value), Origin::Set(*scope)),
            (None, Some((value, origin))) => (Some(value), *origin),
            (None, None) => (None, Origin::BuiltIn),
        }
    }

    /// The number that holds in a buffer.
    pub(super) fn number(&self, setting: &Setting, buffer: i64) -> u32 {
        number(setting, self.value(setting, Some(buffer)).0)
    }

    /// What a command begins with in a buffer's room.
    pub(in crate::bridge) fn prefix(&self, buffer: i64) -> &str {
        self.value(&settings::COMMAND_PREFIX, Some(buffer)).0.unwrap_or(PREFIX)
    }

    /// What holds in a buffer.
    pub(in crate::bridge) fn choice<C: Choice>(&self, buffer: i64) -> C {
        self.choice_in(Some(buffer))
    }

    /// What holds in the session, whatever its buffers say.
    pub(in crate::bridge) fn of_session<C: Choice>(&self) -> C {
        self.choice_in(None)
    }

    /// What holds for all users of the bridge on the network, whatever one of them says.
    pub(super) fn for_all<C: Choice>(&self) -> C {
        Self::read(self.value_for_all(C::SETTING).0)
    }

    /// What holds in a buffer, or in the session where none is named.
    pub(in crate::bridge) fn choice_in<C: Choice>(&self, buffer: Option<i64>) -> C {
        Self::read(self.value(C::SETTING, buffer).0)
    }

    fn read<C: Choice>(word: Option<&str>) -> C {
        let known = C::WORDS.iter().find(|(known, _)| Some(*known) == word);
        known.unwrap_or(&C::WORDS[0]).1
    }
}

/// What holds on a network, or on none, where nobody has chosen anything.
fn configured(bridge: &Bridge, network: &str) -> HashMap<&'static str, (String, Origin)> {
    let mut configured = HashMap::new();
    let mut take = |said: &BTreeMap<String, String>, origin: Origin| {
        // Checked when it was read.
        let read = said.iter().filter_map(|(key, value)| {
            let setting = Setting::find(key)?;
            Some((setting.key, (setting.read(value).ok()?, origin)))
        });
        configured.extend(read);
    };
    take(&bridge.defaults(), Origin::Configured);
    if let Some(known) = bridge.networks.get(network) {
        take(&known.network.settings, Origin::ConfiguredForNetwork);
    }
    let lines = bridge.limits().lines.to_string();
    if lines != settings::LINES.default() {
        let is_given = bridge.has_lines_configured();
        let origin = if is_given { Origin::Configured } else { Origin::SetForAll };
        configured.entry(settings::LINES.key).or_insert((lines, origin));
    }
    configured
}

/// A number as it was chosen, else the one that is built in.
fn number(setting: &Setting, chosen: Option<&str>) -> u32 {
    let chosen = chosen.and_then(|value| value.parse().ok());
    chosen.or_else(|| setting.default().parse().ok()).unwrap_or_default()
}

impl Actor {
    /// What holds for what stands in a buffer's room: the user's choice, and what holds for all where others see it.
    pub(super) fn room_choice<C: Choice>(&self, place: usize) -> C {
        self.room_choice_by(place, &self.manners)
    }

    /// The same by what was, or is to be, chosen.
    pub(super) fn room_choice_by<C: Choice>(&self, place: usize, manners: &Manners) -> C {
        let row = &self.buffers.get(place).row;
        if self.is_shared(place) {
            let mapping = self.buffers.mapping();
            return Manners::read(manners.value_for_all_in(C::SETTING, &row.name, mapping).0);
        }
        manners.choice(row.id)
    }

    /// The same of a setting that is no choice between words.
    pub(super) fn room_value(&self, place: usize, setting: &Setting) -> Option<&str> {
        let row = &self.buffers.get(place).row;
        if self.is_shared(place) {
            return self.manners.value_for_all_in(setting, &row.name, self.buffers.mapping()).0;
        }
        self.manners.value(setting, Some(row.id)).0
    }

    /// The same of a number.
    pub(super) fn room_number(&self, place: usize, setting: &Setting) -> u32 {
        number(setting, self.room_value(place, setting))
    }

    /// Reads what the user has chosen anew.
    pub(super) async fn learn_manners(&mut self) -> Outcome {
        let new = Manners::load(&self.bridge, self.row.user, self.row.id, &self.row.network).await?;
        let before = std::mem::replace(&mut self.manners, new);
        self.apply_manners();
        self.ring_as_wanted(&before);
        self.follow_topics(&before);
        self.bridge.wake_space(self.row.id);
        self.reconsider_members();
        self.reconsider_presence();
        self.reconsider_auto_away().await?;
        Ok(RichText::new())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::settings::Kind;

    pub(in super::super) fn words_of<C: Choice>() {
        let Kind::Choice(words) = C::SETTING.kind else { panic!("{} has no words", C::SETTING.key) };
        let words = words.iter().map(|(word, _)| *word);
        assert!(words.eq(C::WORDS.iter().map(|(word, _)| *word)), "{}", C::SETTING.key);
    }

    #[test]
    fn the_code_knows_the_words_of_each_choice_in_their_order() {
        words_of::<Presence>();
        words_of::<IrcStyle>();
        words_of::<SpoilerChoice>();
        words_of::<Pictures>();
        words_of::<EditStyle>();
        words_of::<Reactions>();
        words_of::<Redactions>();
        words_of::<ChannelNews>();
        words_of::<Comings>();
        words_of::<SpaceWish>();
        words_of::<RoomWish>();
        words_of::<Strangers>();
        words_of::<Ringing>();
        words_of::<super::super::excerpt::LongTexts>();
        words_of::<super::super::attendance::Members>();
        words_of::<super::super::attendance::Ranks>();
    }

    #[test]
    fn a_number_is_the_one_that_was_chosen_or_built_in() {
        let mut manners = Manners { user: 1, session: 2, ..Manners::default() };
        assert_eq!(manners.number(&settings::PILL_LENGTH, 7), 3);
        manners.chosen.entry("pill-length").or_default().push((Scope::Session, 2, "5".to_owned()));
        assert_eq!(manners.number(&settings::PILL_LENGTH, 7), 5);
    }

    #[test]
    fn the_narrowest_place_decides() {
        let mut manners = Manners { user: 1, session: 2, ..Manners::default() };
        let mut set = |scope, id, value: &str| {
            manners.chosen.entry("presence").or_default().push((scope, id, value.to_owned()));
            let value = |buffer| manners.value(&settings::PRESENCE, buffer);
            (value(Some(7)).1, value(Some(8)).1, value(None).1, manners.choice::<Presence>(7))
        };
        let (built_in, of) = (Origin::BuiltIn, Origin::Set);
        assert_eq!(set(Scope::User, 3, "hide"), (built_in, built_in, built_in, Presence::Show));
        let user = of(Scope::User);
        assert_eq!(set(Scope::User, 1, "hide"), (user, user, user, Presence::Hide));
        assert_eq!(set(Scope::Buffer, 7, "show"), (of(Scope::Buffer), user, user, Presence::Show));
        let session = of(Scope::Session);
        assert_eq!(set(Scope::Session, 2, "show"), (of(Scope::Buffer), session, session, Presence::Show));
    }
}
