//! Who is away on IRC, of those with whom the session shares a channel or has conversations; kept only while they are to be
//! shown so on Matrix (the setting `show-presence`): in rooms of the user's own by what they have chosen, in shared ones by what
//! holds for all, whosever session shows the channel.
//!
//! The server tells when somebody with whom we share a channel goes away or comes back (`away-notify`), and whom we watch
//! (`extended-monitor`). Who was away before we came is asked for, one small channel after another, behind all else that
//! leaves. Where the server does not tell who comes back, nobody is away: it would never end. So whom it tells of no longer,
//! because no channel is shared with them any more, is forgotten. That somebody is on the network says nothing of whether they
//! are away.
//!
//! Not how that is told to the homeserver (`bridge/presence.rs`). Invariants 4; 9 ([`MOST_AWAY`]).
//!
//! Spec: `IRCv3` "away-notify", "extended-monitor", "WHOX"; modern IRC docs "WHO message".

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::super::presence::{Named, Shown};
use super::Actor;
use super::attendance::{is_of_today, mark};
use super::buffers::OpenBuffer;
use super::loose::Reply;
use super::manners::Choice;
use crate::format::{RichText, neutral, strip_irc};
use crate::irc::numerics::{RPL_WHOREPLY, RPL_WHOSPCRPL};
use crate::irc::session::{Answer, PersonNews, Session, State};
use crate::irc::wire::Line;
use crate::names::{CaseMap, CaseMapping};
use crate::store::settings::{self, Setting};
use crate::store::{BufferKind, StoreError};

/// Of more people than this who are away nothing is known …
const MOST_AWAY: usize = 2_000;
/// … of whom no more than these are such as are not shown, and may be some time.
const MOST_UNSHOWN: usize = MOST_AWAY / 2;
/// In a channel of more people it is not asked who is away.
const MOST_ASKED: usize = 200;
/// Characters that are told of why somebody is away.
const LONGEST_REASON: usize = 200;
/// What is asked for with WHOX, and by which number its answer is known.
const WHOX: &str = "%tnf,153";
const TOKEN: &str = "153";

/// Whether people of IRC are shown as online, away or offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShowPresence {
    Off,
    On,
}

impl Choice for ShowPresence {
    const SETTING: &'static Setting = &settings::SHOW_PRESENCE;
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

/// Who is away.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// With why, where they say so.
    away: CaseMap<Option<Arc<str>>>,
    /// Channels whose people are yet to be asked for.
    to_ask: VecDeque<Box<str>>,
    /// Of whom the server has told since the question that is under way: its answer may be older.
    since_asked: Option<CaseMap<()>>,
    /// By this an answer knows that it was asked for here, and not before it was all forgotten.
    asker: Arc<()>,
    /// Whose people are shown.
    shown: ShownRooms,
}

/// In which rooms people are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ShownRooms {
    /// Those that the user has for themselves.
    own: bool,
    shared: bool,
}

impl Whereabouts {
    fn new(mapping: CaseMapping, shown: ShownRooms) -> Self {
        Self { away: CaseMap::new(mapping), shown, ..Self::default() }
    }

    fn note_told(&mut self, nick: &str) {
        if let Some(told) = self.since_asked.as_mut().filter(|told| told.len() < MOST_AWAY) {
            told.insert(nick, ());
        }
    }

    /// Somebody has gone away, who is shown or is not. Returns whether that is new.
    fn leave(&mut self, nick: &str, why: &str, is_shown: bool) -> bool {
        self.note_told(nick);
        let why = neutral(&strip_irc(why)).trim().chars().take(LONGEST_REASON).collect::<String>();
        let why: Option<Arc<str>> = (!why.is_empty()).then(|| why.into());
        if self.away.get(nick) == Some(&why) || !self.has_place(nick, is_shown) {
            return false;
        }
        self.away.insert(nick, why);
        true
    }

    /// Somebody is back, or not there at all. Returns whether they were away.
    fn come(&mut self, nick: &str) -> bool {
        self.note_told(nick);
        self.away.remove(nick).is_some()
    }

    /// Those who are not shown don't take the places of those who are.
    fn has_place(&self, nick: &str, is_shown: bool) -> bool {
        let most = if is_shown { MOST_AWAY } else { MOST_UNSHOWN };
        self.away.len() < most || self.away.contains(nick)
    }

    /// Forgets all but those of whom the server still tells.
    fn keep(&mut self, is_told_of: impl Fn(&str) -> bool) {
        let lost: Vec<String> =
            self.away.iter().map(|(nick, _)| nick.to_owned()).filter(|nick| !is_told_of(nick)).collect();
        for nick in lost {
            self.come(&nick);
        }
    }

    /// What the server says to a question who is away in a channel.
    fn learn(&mut self, answer: &Answer) {
        let told = self.since_asked.take().unwrap_or_default();
        for reply in &answer.replies {
            let params: Vec<&str> = reply.params.iter().map(String::as_str).collect();
            let (nick, flags) = match (reply.code, &params[..]) {
                // 352 <channel> <user> <host> <server> <nick> <flags> :<hops> <name>, and 354 <token> <nick> <flags>
                (RPL_WHOREPLY, [_, _, _, _, nick, flags, ..]) | (RPL_WHOSPCRPL, [TOKEN, nick, flags]) => {
                    (*nick, flags)
                }
                _ => continue,
            };
            if told.contains(nick) {
            } else if !flags.starts_with('G') {
                self.away.remove(nick);
            } else if self.has_place(nick, false) {
                // It does not say why; who has said so before still means it.
                self.away.entry(nick, || None);
            }
        }
    }

    fn set_mapping(&mut self, mapping: CaseMapping) {
        self.away.set_mapping(mapping);
        if let Some(told) = &mut self.since_asked {
            told.set_mapping(mapping);
        }
    }
}

/// Whether the server tells who of a channel's people goes away and comes back.
fn tells_away(session: &Session) -> bool {
    session.capabilities().enabled("away-notify")
}

impl Actor {
    /// The session is on its network, or its user has chosen otherwise.
    pub(super) fn reconsider_presence(&mut self) {
        let shown = ShownRooms {
            own: self.manners.of_session::<ShowPresence>() == ShowPresence::On,
            shared: self.manners.for_all::<ShowPresence>() == ShowPresence::On,
        };
        let is_wanted = shown != ShownRooms::default() && !self.bridge.keeps_no_presence();
        let Some(link) = self.link.as_ref().filter(|link| is_wanted && link.session.state() == State::Ready)
        else {
            return self.hide_people();
        };
        if let Some(whereabouts) = &mut self.whereabouts {
            if whereabouts.shown != shown {
                whereabouts.shown = shown;
                self.bridge.note_presence();
            }
            return;
        }
        let channels: Vec<String> =
            link.session.channels().map(|channel| channel.name().to_owned()).collect();
        self.whereabouts = Some(Box::new(Whereabouts::new(self.buffers.mapping(), shown)));
        channels.iter().for_each(|channel| self.ask_who_is_away(channel));
        self.bridge.show_people_of(self.row.id);
    }

    /// Nobody is shown by this session any more.
    pub(super) fn hide_people(&mut self) {
        if self.whereabouts.take().is_some() {
            self.bridge.hide_people_of(self.row.id);
        }
    }

    /// Somebody's news, as far as it says whether they are there.
    pub(super) fn note_whereabouts(&mut self, nick: &str, news: &PersonNews) {
        if self.whereabouts.is_none() {
            return;
        }
        let is_shown = self.is_shown_somewhere(nick);
        let Some(whereabouts) = &mut self.whereabouts else { return };
        let is_new = match news {
            PersonNews::Away(why) => whereabouts.leave(nick, why, is_shown),
            PersonNews::Back => whereabouts.come(nick),
            PersonNews::Gone => {
                whereabouts.come(nick);
                true
            }
            // They may be away all the same.
            PersonNews::Here => true,
            PersonNews::LoggedIn(_) | PersonNews::LoggedOut | PersonNews::RealName(_) => false,
        };
        if is_new && is_shown {
            self.bridge.note_presence();
        }
    }

    /// Somebody has another nick, and is away as they were. To be told before they count as gone under the one before.
    pub(super) fn move_whereabouts(&mut self, from: &str, to: &str) {
        if self.whereabouts.is_none() {
            return;
        }
        let is_shown = self.is_shown_somewhere(from) || self.is_shown_somewhere(to);
        let Some(whereabouts) = &mut self.whereabouts else { return };
        if let Some(why) = whereabouts.away.remove(from) {
            whereabouts.note_told(to);
            whereabouts.away.insert(to, why);
        }
        if is_shown {
            self.bridge.note_presence();
        }
    }

    /// Somebody is in a channel no longer, from whose room their ghost goes if it was there.
    pub(super) fn lose_sight_of(&mut self, nick: &str, was_there: bool) {
        if self.whereabouts.is_none() {
            return;
        }
        let is_told_of = self.is_told_of(nick);
        if let Some(whereabouts) = self.whereabouts.as_mut().filter(|_| !is_told_of) {
            whereabouts.come(nick);
        }
        if was_there {
            self.bridge.note_presence();
        }
    }

    /// The user is in a channel no longer.
    pub(super) fn lose_sight(&mut self) {
        if let Some(mut whereabouts) = self.whereabouts.take() {
            whereabouts.keep(|nick| self.is_told_of(nick));
            self.whereabouts = Some(whereabouts);
            self.bridge.note_presence();
        }
    }

    /// Whether somebody's ghost is in a room of the session's, or there is a conversation with them.
    fn is_shown_somewhere(&self, nick: &str) -> bool {
        self.buffers.find(nick).is_some() || self.buffers.iter().any(|buffer| buffer.present.contains(nick))
    }

    /// Whether the server tells when somebody goes away and comes back.
    fn is_told_of(&self, nick: &str) -> bool {
        self.link.as_ref().is_some_and(|link| {
            let session = &link.session;
            session.watches(nick) && session.capabilities().enabled("extended-monitor")
                || tells_away(session) && session.channels().any(|channel| channel.has(nick))
        })
    }

    /// The network compares names otherwise.
    pub(super) fn set_whereabouts_mapping(&mut self, mapping: CaseMapping) {
        if let Some(whereabouts) = &mut self.whereabouts {
            whereabouts.set_mapping(mapping);
        }
    }

    /// Who is in a channel is known: now it is asked who of them is away.
    pub(super) fn ask_who_is_away(&mut self, channel: &str) {
        let (Some(whereabouts), Some(link)) = (&mut self.whereabouts, &self.link) else { return };
        let is_small =
            link.session.channel(channel).is_some_and(|channel| channel.member_count() <= MOST_ASKED);
        let is_asked = whereabouts.to_ask.iter().any(|one| **one == *channel);
        if is_small && !is_asked && tells_away(&link.session) {
            whereabouts.to_ask.push_back(channel.into());
            self.ask_next_who_is_away();
        }
    }

    /// One question at a time.
    fn ask_next_who_is_away(&mut self) {
        let (Some(whereabouts), Some(link)) = (&mut self.whereabouts, &mut self.link) else { return };
        if whereabouts.since_asked.is_some() {
            return;
        }
        let Some(channel) = whereabouts.to_ask.pop_front() else { return };
        let asker = Arc::clone(&whereabouts.asker);
        let has_whox = link.session.isupport().has_whox();
        let line = Line::new("WHO").name_literal(&channel);
        let line = if has_whox { line.name_literal(WHOX) } else { line }.finish();
        let Reply::Asked(number, used) = self.inquire_in_background(line, |actor, answer| {
            Box::pin(async move {
                actor.on_who_is_away(&asker, &answer);
                Ok(RichText::new()).into()
            })
        }) else {
            // Too much waits for answers: they are online until the server tells otherwise, or it is asked after the next.
            if let Some(whereabouts) = &mut self.whereabouts {
                whereabouts.to_ask.push_front(channel);
            }
            return;
        };
        self.await_quietly(number, used);
        if let Some(whereabouts) = &mut self.whereabouts {
            whereabouts.since_asked = Some(CaseMap::new(whereabouts.away.mapping()));
        }
    }

    fn on_who_is_away(&mut self, asker: &Arc<()>, answer: &Answer) {
        let Some(whereabouts) = &mut self.whereabouts else { return };
        if !Arc::ptr_eq(asker, &whereabouts.asker) {
            return;
        }
        whereabouts.learn(answer);
        self.bridge.note_presence();
        self.ask_next_who_is_away();
    }

    /// Whom this session sees, and how they are shown: first those of its user's conversations, then of each channel those
    /// who have spoken today, then the others; no more than so many.
    pub(super) async fn people_shown(&mut self, most: usize) -> Result<Named, StoreError> {
        let seen = self.people_seen(most);
        let mut people = Vec::with_capacity(seen.len());
        for (nick, how) in seen {
            people.push((self.ghost(&nick).await?, how));
        }
        let now = self.now();
        let is_in_doubt = self.link.as_ref().is_some_and(|link| link.session.is_in_doubt(now));
        Ok(Named { people, is_in_doubt })
    }

    fn people_seen(&self, most: usize) -> Vec<(Arc<str>, Shown)> {
        let (Some(link), Some(whereabouts)) = (&self.link, &self.whereabouts) else { return Vec::new() };
        let (session, mapping) = (&link.session, self.buffers.mapping());
        let how = |nick: &str, is_told: bool| match whereabouts.away.get(nick).filter(|_| is_told) {
            Some(why) => Shown::Away(why.clone()),
            None => Shown::Online,
        };
        let mut seen = Vec::new();
        let rooms = whereabouts.shown;
        let is_conversation = |buffer: &&OpenBuffer| {
            rooms.own && buffer.row.kind == BufferKind::Query && buffer.row.room_id.is_some()
        };
        let mut conversations: Vec<&OpenBuffer> = self.buffers.iter().filter(is_conversation).collect();
        conversations.sort_by_key(|buffer| Reverse(buffer.last_line));
        for buffer in conversations.into_iter().take(most) {
            let nick = buffer.row.name.as_str();
            let is_near = session.channels().any(|channel| channel.has(nick));
            let is_watched = session.watches(nick) && buffer.presence.is_here();
            let is_told = is_near && tells_away(session)
                || is_watched && session.capabilities().enabled("extended-monitor");
            if is_near || is_watched {
                seen.push((Arc::from(nick), how(nick, is_told)));
            }
        }
        let mut known: HashSet<String> = seen.iter().map(|(nick, _)| mapping.fold(nick)).collect();
        let today = mark(Some(self.bridge.clock.unix_ms()));
        for speaks in [true, false] {
            for place in 0..self.buffers.len() {
                let is_wanted = if self.is_shared(place) { rooms.shared } else { rooms.own };
                let Some(channel) = self.channel_at(place).filter(|_| is_wanted && self.shows(place)) else {
                    continue;
                };
                let present = &self.buffers.get(place).present;
                for nick in present.marked(|mark| is_of_today(mark, today) == speaks, most) {
                    if channel.has(&nick) && !session.is_own(&nick) && known.insert(mapping.fold(&nick)) {
                        let how = how(&nick, tells_away(session));
                        seen.push((nick, how));
                    }
                    if seen.len() >= most {
                        return seen;
                    }
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::session::InquiryReply;
    use rstest::rstest;

    fn new() -> Whereabouts {
        Whereabouts::new(CaseMapping::Rfc1459, ShownRooms { own: true, shared: false })
    }

    fn answer(lines: &[&str]) -> Answer {
        let reply = |line: &&str| {
            let mut words = line.split(' ').map(str::to_owned);
            let code = words.next().unwrap().parse().unwrap();
            InquiryReply { code, params: words.collect(), text: (*line).to_owned() }
        };
        Answer { replies: lines.iter().map(reply).collect(), ..Answer::default() }
    }

    #[rstest]
    #[case::plain("352 #rust bob h.test irc.test bob G@ :0", true)]
    #[case::with_whox("354 153 BOB G*", true)]
    #[case::here("354 153 bob H", false)]
    #[case::another_questions_answer("354 152 bob G", false)]
    #[case::somebody_else("354 153 carol G", false)]
    fn who_is_away_is_read_from_what_who_says(#[case] line: &str, #[case] is_away: bool) {
        let mut whereabouts = new();
        whereabouts.learn(&answer(&[line, "315 #rust :End"]));
        assert_eq!(whereabouts.away.get("bob").is_some_and(Option::is_none), is_away);
    }

    #[test]
    fn an_answer_does_not_undo_what_the_server_has_told_since_it_was_asked_for() {
        let mut whereabouts = new();
        whereabouts.leave("dave", "asleep", true);
        whereabouts.since_asked = Some(CaseMap::new(CaseMapping::Rfc1459));
        assert!(whereabouts.leave("bob", "\x02lunch\x02", true));
        whereabouts.leave("carol", "", true);
        assert!(whereabouts.come("carol"));
        whereabouts.learn(&answer(&["354 153 bob H", "354 153 carol G", "354 153 dave G", "354 153 erin G"]));
        let mut away: Vec<_> = whereabouts.away.iter().map(|(nick, why)| (nick, why.as_deref())).collect();
        away.sort_unstable();
        assert_eq!(away, [("bob", Some("lunch")), ("dave", Some("asleep")), ("erin", None)]);
        assert!(!whereabouts.leave("bob", "lunch", true), "that is no news");
    }

    #[test]
    fn invariant_9_so_many_are_known_to_be_away() {
        let mut whereabouts = new();
        for number in 0..MOST_AWAY + 10 {
            whereabouts.leave(&format!("n{number}"), &"x".repeat(10_000), true);
        }
        assert_eq!(whereabouts.away.len(), MOST_AWAY);
        assert!(whereabouts.away.values().all(|why| why.as_deref().unwrap().len() <= LONGEST_REASON));
        assert!(whereabouts.leave("n7", "elsewhere", true), "who is known can change");
    }

    /// Before, the people of a large channel who are in no room took all the places.
    #[test]
    fn those_who_are_not_shown_do_not_take_the_places_of_those_who_are() {
        let mut whereabouts = new();
        for number in 0..MOST_AWAY {
            whereabouts.leave(&format!("n{number}"), "", false);
        }
        assert!(whereabouts.leave("bob", "lunch", true));
        assert_eq!(whereabouts.away.len(), MOST_UNSHOWN + 1);
    }

    /// Before, who had parted stayed away for good, since nobody tells when they come back.
    #[test]
    fn of_whom_the_server_tells_no_longer_nothing_is_known_any_more() {
        let mut whereabouts = new();
        whereabouts.leave("bob", "lunch", true);
        whereabouts.leave("carol", "asleep", true);
        whereabouts.keep(|nick| nick == "carol");
        let away: Vec<_> = whereabouts.away.iter().map(|(nick, _)| nick).collect();
        assert_eq!(away, ["carol"]);
    }
}
