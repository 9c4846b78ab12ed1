//! What somebody does in a shared room by Matrix's own means, as an operator or as anybody: it is done on IRC by their
//! own connection, by the commands that they could have typed.
//!
//! | in the room | on IRC |
//! |---|---|
//! | the topic | `TOPIC` |
//! | powers of people and ghosts | `+o`, `+h`, `+v` and back |
//! | who speaks, who sets the topic, who may join | `+m`, `+t`, `+i` and back |
//! | somebody is removed, or banned | `KICK`, `+b`: what it is about does not come in, and no ban stays in the room |
//!
//! IRC decides. The room's rules are put back to what IRC has made of them when it has answered, or in a few seconds
//! (`bridge/shared/authority.rs`); what can be done by no command is put back at once. Whom IRC keeps, or nobody could ask it about, is invited back, a ghost returns, and who tried is
//! told why. A ban is lifted before IRC is asked, so that none outlives the answer, and also where nobody is to be asked.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::super::content;
use super::super::super::outcome::{Outcome, Refusal};
use super::super::super::shared::{Begun, CANONICAL_ALIAS, LIFTED};
use super::super::{Actor, Request};
use super::{BanTime, ChannelRequest, ListKind};
use crate::format::{RichText, neutral};
use crate::irc::rank::{Rank, Ranks};
use crate::matrix::event::{Content, Levels, Member};
use crate::names::{Channel, Nick};
use crate::store::StoreError;

/// Powers from which on somebody is meant to have a rank.
const OPERATOR: i64 = 50;
const HALF_OPERATOR: i64 = 25;
const VOICE: i64 = 10;
const NOT_THERE: &str = "You are not in the channel now, by your own connection.";
/// How long the room may be otherwise than its channel while IRC is asked.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many ranks are changed by one change of powers.
const MOST_RANKS: usize = 12;

/// What a power in the room asks for, of those ranks that others give.
fn rank_for(level: i64, ranks: &Ranks) -> Option<Rank> {
    let wanted = match level {
        OPERATOR.. => Rank::Operator,
        HALF_OPERATOR.. if ranks.has(Rank::HalfOperator) => Rank::HalfOperator,
        VOICE.. => Rank::Voice,
        _ => return None,
    };
    Some(wanted).filter(|rank| ranks.has(*rank))
}

/// The mode of a rank that others give.
fn letter_of(rank: Rank) -> Option<char> {
    match rank {
        Rank::Operator => Some('o'),
        Rank::HalfOperator => Some('h'),
        Rank::Voice => Some('v'),
        Rank::Owner | Rank::Protected => None,
    }
}

/// What a join rule asks for on IRC.
enum JoinRule {
    Stays,
    Modes(&'static str),
    HasKey,
}

/// Changes of modes, as they are typed.
#[derive(Default)]
struct Typed {
    letters: String,
    arguments: Vec<String>,
}

impl Typed {
    fn add(&mut self, sign: char, letter: char, argument: Option<&Nick>) {
        self.letters.extend([sign, letter]);
        self.arguments.extend(argument.map(|nick| nick.as_str().to_owned()));
    }

    fn words(self) -> Option<Vec<String>> {
        (!self.letters.is_empty()).then(|| std::iter::once(self.letters).chain(self.arguments).collect())
    }
}

impl Actor {
    /// Whether a buffer's room has the powers and rules of its channel: those that are other people's don't.
    pub(in super::super) fn follows_channel(&self, place: usize) -> bool {
        self.is_shared(place) && !self.is_plumbed(place)
    }

    /// The user has changed the room of a shared channel.
    pub(in super::super) async fn on_shared_state(
        &mut self,
        place: usize,
        content: &Content,
    ) -> Result<(), StoreError> {
        let room = self.buffers.get(place).row.room;
        match content {
            Content::Topic(topic) => self.change_shared_topic(place, topic).await,
            Content::PowerLevels { before, after, is_more } => {
                let words = self.ranks_meant(place, before.as_ref(), after).await?.words();
                if *is_more || words.is_none() {
                    self.bridge.reenact(room);
                }
                if let Some(words) = words {
                    let request = ChannelRequest::Modes(words);
                    self.do_on_irc(place, "Its powers are", request, None).await;
                }
            }
            Content::JoinRule(rule) => {
                let words = match self.words_for_join_rule(place, rule) {
                    JoinRule::Stays => {
                        self.bridge.reenact(room);
                        return Ok(());
                    }
                    JoinRule::Modes(words) => words,
                    JoinRule::HasKey => {
                        self.bridge.reenact(room);
                        let text =
                            "It has a key on IRC: to take that away, type mode -k KEY in the network's room.";
                        self.tell_put_back(place, "Who may join is", RichText::plain(text));
                        return Ok(());
                    }
                };
                let request = ChannelRequest::Modes(vec![words.to_owned()]);
                self.do_on_irc(place, "Who may join is", request, None).await;
            }
            Content::State { kind, .. } if kind == CANONICAL_ALIAS => self.bridge.reenact(room),
            Content::State { kind, key } => self.clear_state(place, kind, key),
            _ => {}
        }
        Ok(())
    }

    fn words_for_join_rule(&self, place: usize, rule: &str) -> JoinRule {
        let is_set = |letter| self.channel_at(place).and_then(|channel| channel.has_mode(letter));
        match (rule, is_set('i'), is_set('k')) {
            ("public", Some(true), _) => JoinRule::Modes("-i"),
            ("public", _, Some(true)) => JoinRule::HasKey,
            ("public", ..) | (_, Some(true), _) => JoinRule::Stays,
            _ => JoinRule::Modes("+i"),
        }
    }

    /// The ranks and modes that a change of powers asks for.
    async fn ranks_meant(
        &mut self,
        place: usize,
        before: Option<&Levels>,
        after: &Levels,
    ) -> Result<Typed, StoreError> {
        let mut typed = Typed::default();
        let ranks = self.isupport().map(Ranks::of).filter(|_| self.channel_at(place).is_some());
        let Some(ranks) = ranks else {
            self.tell_put_back(place, "Its powers are", RichText::plain(NOT_THERE));
            return Ok(typed);
        };
        let mut is_too_many = false;
        // Where the homeserver does not tell what was before, it is what IRC has.
        let gone = before.into_iter().flat_map(|before| before.users.keys());
        let gone = gone.filter(|user_id| !after.users.contains_key(*user_id));
        for user_id in gone.chain(after.users.keys()) {
            let wanted = rank_for(after.level(user_id), &ranks);
            let is_same = before.is_some_and(|before| rank_for(before.level(user_id), &ranks) == wanted);
            if is_same {
                continue;
            }
            if typed.arguments.len() >= MOST_RANKS {
                is_too_many = true;
                break;
            }
            let Some(nick) = self.nick_in_room(place, user_id).await? else { continue };
            let Some(channel) = self.channel_at(place) else { break };
            let Some(symbols) = channel.prefixes(nick.as_str()) else { continue };
            let has = ranks.highest(&symbols);
            if has == wanted {
                continue;
            }
            if let Some(letter) = has.and_then(letter_of) {
                typed.add('-', letter, Some(&nick));
            }
            if let Some(letter) = wanted.and_then(letter_of) {
                typed.add('+', letter, Some(&nick));
            }
        }
        if is_too_many {
            let channel = &self.buffers.get(place).row.name;
            let text = format!(
                "You changed more powers in the shared room of {channel} than are changed on IRC at once. Look who has \
                 which, and change the others again."
            );
            self.alert(&RichText::plain(text));
        }
        let was = |level: fn(&Levels) -> i64| before.map(|before| level(before) >= VOICE);
        let has = |letter| self.channel_at(place).and_then(|channel| channel.has_mode(letter));
        for (letter, was, is) in [
            ('m', was(|levels| levels.speaking), after.speaking >= VOICE),
            ('t', was(|levels| levels.topic), after.topic >= VOICE),
        ] {
            if was.or_else(|| has(letter)).is_some_and(|was| was != is) {
                typed.add(if is { '+' } else { '-' }, letter, None);
            }
        }
        Ok(typed)
    }

    /// Who somebody of a shared room is on IRC.
    async fn nick_in_room(&mut self, place: usize, user_id: &str) -> Result<Option<Nick>, StoreError> {
        if !self.bridge.is_ours(user_id) {
            let seat = self.shared(place).and_then(|shared| shared.seat());
            return Ok(seat.and_then(|seat| seat.nick_of(user_id)).and_then(|nick| Nick::new(&nick).ok()));
        }
        let ghost = self.bridge.store.ghost_by_user_id(user_id).await?;
        let ghost = ghost.filter(|ghost| ghost.network == self.row.network);
        Ok(ghost.and_then(|ghost| Nick::new(&ghost.nick).ok()))
    }

    /// The user has put a ghost out of a shared room. A ban is the channel's, which lets nobody in whom it is about, and
    /// not the room's: so whoever takes it back on IRC has taken it back. Says whether the event is done with; else it is when
    /// IRC has answered.
    pub(in super::super) async fn put_ghost_out(
        &mut self,
        place: usize,
        seq: i64,
        member: &Member,
    ) -> Result<bool, StoreError> {
        let is_ban = member.membership == "ban";
        let room = self.buffers.get(place).row.room;
        if is_ban {
            let lifted = content::removal_row(room, self.bridge.client.bot(), &member.user_id, LIFTED);
            self.bridge.enqueue(vec![lifted]).await?;
            self.bridge.wake_delivery(room);
        }
        let known = self.bridge.store.ghost_by_user_id(&member.user_id).await?;
        let was_there = match &known {
            Some(ghost) => self.bridge.store.membership(room, ghost.id).await?.is_some(),
            None => false,
        };
        if was_there || is_ban {
            // Once the ghost is lost, nobody would see that it was put out.
            self.bridge.store.begin_event(seq).await?;
        }
        let Some(ghost) = self.lose_ghost(place, member).await? else { return Ok(true) };
        if !was_there && !is_ban {
            // An invitation is withdrawn, or a ban is taken back: nobody was put out.
            return Ok(true);
        }
        let row = &self.buffers.get(place).row;
        let (Ok(channel), Ok(nick)) = (Channel::new(&row.name), Nick::new(&ghost.nick)) else {
            return Ok(true);
        };
        let reason = neutral(&member.reason).replace(['\n', '\r'], " ");
        if self.channel_at(place).is_none() {
            self.tell_put_back(place, &format!("{nick} is"), RichText::plain(NOT_THERE));
            return Ok(true);
        }
        let is_there = self.is_in(&channel, &nick);
        let request = if is_ban {
            ban_of(nick.as_str(), is_there.then_some(reason))
        } else if is_there {
            ChannelRequest::Kick { nicks: vec![nick.clone()], reason }
        } else {
            return Ok(true);
        };
        failpoint!("ghost_put_out");
        let begun = self.bridge.begin(seq);
        Ok(!self.do_on_irc(place, &format!("{nick} is"), request, Some(begun)).await)
    }

    /// The user has given a shared room a state that it is not to have, while its powers let them.
    fn clear_state(&mut self, place: usize, kind: &str, key: &str) {
        let row = &self.buffers.get(place).row;
        let cleared = content::keyed_state_row(row.room, &row.creator, kind, key, &serde_json::json!({}));
        self.incoming.outbox.push(cleared);
    }

    /// Does what the user could have typed. Where IRC refuses, the room is as the channel again, and they are told why. Nothing
    /// is put back before that which IRC may be about to do, unless it takes long: who changes the room again meanwhile
    /// does so from what it is then. What was begun ends with that. Says whether IRC is asked.
    pub(in super::super) async fn do_on_irc(
        &mut self,
        place: usize,
        what: &str,
        request: ChannelRequest,
        begun: Option<Begun>,
    ) -> bool {
        let is_topic = matches!(request, ChannelRequest::SetTopic(_));
        let is_rule = matches!(request, ChannelRequest::Modes(_));
        let row = &self.buffers.get(place).row;
        let (Ok(channel), room) = (Channel::new(&row.name), row.room) else { return false };
        let Some(own) = self.bridge.session(self.row.id) else { return false };
        let (answer, mut answered) = oneshot::channel::<Outcome>();
        let reply = Box::pin(self.in_channel(channel.clone(), request)).await;
        self.settle_request(reply, answer);
        let (bridge, what) = (self.bridge.clone(), put_back_words(&channel, what, self.is_shared(place)));
        self.bridge.tasks.spawn(async move {
            let early = tokio::time::timeout(PATIENCE, &mut answered).await;
            if is_rule {
                bridge.reenact(room);
            }
            let outcome = match early {
                Ok(outcome) => outcome,
                Err(_) => {
                    let late = answered.await;
                    if is_rule {
                        bridge.reenact(room);
                    }
                    late
                }
            };
            let gone = || Err(Refusal::asked("The connection ended meanwhile."));
            if let Err(refusal) = outcome.unwrap_or_else(|_| gone()) {
                if bridge.stop.is_cancelled() {
                    // They are told after the next start.
                    return;
                }
                if is_topic {
                    // It may be another than before by now.
                    drop(own.ask(Request::Channel(channel.clone(), ChannelRequest::ShowTopic)).await);
                }
                let told = ChannelRequest::Tell(what.then(refusal.into_text()));
                drop(own.ask(Request::Channel(channel, told)).await);
            }
            if let Some(begun) = begun {
                begun.done().await;
            }
        });
        true
    }

    pub(in super::super) fn tell_put_back(&mut self, place: usize, what: &str, why: RichText) {
        if let Ok(channel) = Channel::new(&self.buffers.get(place).row.name) {
            self.alert(&put_back_words(&channel, what, self.is_shared(place)).then(why));
        }
    }
}

fn put_back_words(channel: &Channel, what: &str, is_shared: bool) -> RichText {
    let text = RichText::new().bold(format!("Not done in {channel}"));
    let room = if is_shared { "shared room" } else { "room" };
    text.text(format!(": what you did in its {room} was not done on IRC. {what} as before. "))
}

pub(super) fn ban_of(mask: &str, kick: Option<String>) -> ChannelRequest {
    let time: Option<BanTime> = None;
    ChannelRequest::Ban { list: ListKind::Bans, masks: vec![mask.to_owned()], by_account: false, kick, time }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::isupport::Isupport;
    use rstest::rstest;

    #[rstest]
    #[case::operator("(qaohv)~&@%+", 50, Some(Rank::Operator))]
    #[case::no_more_than_that("(qaohv)~&@%+", 99, Some(Rank::Operator))]
    #[case::half("(ohv)@%+", 49, Some(Rank::HalfOperator))]
    #[case::no_half("(ov)@+", 49, Some(Rank::Voice))]
    #[case::voice("(ov)@+", 10, Some(Rank::Voice))]
    #[case::nothing("(ov)@+", 9, None)]
    #[case::less_than_nothing("(ov)@+", -5, None)]
    #[case::in_doubt("(ov)+@", 50, None)]
    fn a_power_asks_for_a_rank_that_the_server_has(
        #[case] prefixes: &str,
        #[case] level: i64,
        #[case] rank: Option<Rank>,
    ) {
        let mut isupport = Isupport::default();
        isupport.apply([format!("PREFIX={prefixes}").as_str()]);
        assert_eq!(rank_for(level, &Ranks::of(&isupport)), rank);
    }
}
