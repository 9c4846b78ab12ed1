//! Both sides agree, or do not: the end of what `plumb` has begun.
//!
//! That a room shows a channel is one commit, with what the room is told of it and with whoever asks being there by it (invariant 2):
//! no crash leaves somebody out of their channel, or a room that nobody has told.

use tokio::sync::oneshot;

use super::super::super::content::{self, MessageType};
use super::super::super::session::{Request, SessionState, SharedRequest};
use super::super::super::{Bridge, Outcome, Refusal};
use super::MOMENT;
use super::asking::{Asking, channel_taken, settled_by_configuration};
use crate::format::RichText;
use crate::store::{Agreement, Plumbing};

/// How a channel is shown in a room that has been agreed on.
enum Shown {
    /// To whoever asks, first of all.
    AtOnce,
    /// As soon as somebody comes by whose connection shows it, and why not before.
    Later(Option<Refusal>),
}

impl Bridge {
    /// The bot is in the room: asks those who have a say.
    pub(super) async fn go_on_asking(&self, asking: &Asking) -> Outcome {
        let asked = async {
            let is_there = self.has_a_say(asking).await?;
            if asking.is_admin {
                return Ok((None, is_there));
            }
            let session = self.session(asking.session).ok_or(Refusal::Stopping)?;
            let (answer, is_operator) = oneshot::channel();
            let request = SharedRequest::AskOperators(Box::new(asking.clone()), answer);
            let text = session.ask(Request::Shared(request)).await?;
            if !self.plumber.is_asked(asking) {
                // It was called off just then: nor does anybody answer it.
                drop(session.ask(Request::Shared(SharedRequest::Withdraw(asking.number))).await);
                return Err(self.over(asking));
            }
            let is_operator = is_operator.await == Ok(true);
            Ok((Some(text).filter(|_| !is_operator), is_there))
        };
        match asked.await {
            Ok((None, is_there)) => self.agree(asking, is_there).await,
            Ok((Some(text), _)) => Ok(text),
            Err(refusal) => {
                self.stop_asking(asking);
                Err(refusal)
            }
        }
    }

    /// An operator of the channel has said yes. Who asks may have lost their say meanwhile.
    pub(in crate::bridge) fn on_agreed(&self, asking: Asking, operator: String) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let channel = &asking.channel;
            let is_asked = bridge.plumber.is_asked(&asking);
            let outcome = match bridge.has_a_say(&asking).await {
                Ok(is_there) => bridge.agree(&asking, is_there).await,
                Err(refusal) => {
                    bridge.stop_asking(&asking);
                    Err(refusal)
                }
            };
            let told = match &outcome {
                Ok(_) => format!("{channel} is shown in that room from now on."),
                Err(_) => format!(
                    "{channel} is not shown in that room: who asked has called it off, or can't have it."
                ),
            };
            if let Some(session) = bridge.session(asking.session) {
                drop(session.ask(Request::Shared(SharedRequest::Notify(operator.clone(), told))).await);
            }
            if is_asked {
                let text = RichText::plain(format!("{operator} agrees. "));
                bridge.tell_asker(&asking, text.then(outcome.unwrap_or_else(Refusal::into_text))).await;
            }
        });
    }

    /// All agree: the room shows the channel from now on.
    async fn agree(&self, asking: &Asking, is_there: bool) -> Outcome {
        let Asking { channel, room_id, by, .. } = asking;
        let agreed = async {
            self.may_still_plumb(asking)?;
            self.make_way(asking).await?;
            let _turn = self.plumber.rooms.lock(room_id.clone()).await;
            if !self.plumber.claim(asking) {
                return Err(self.over(asking));
            }
            self.commit_agreement(asking, is_there).await
        };
        let agreed = agreed.await;
        let visit = self.plumber.settle(asking);
        let (room, shown) = match agreed {
            Ok(agreed) => agreed,
            Err(refusal) => {
                visit.into_iter().for_each(|visit| self.end_visit(asking, visit));
                return Err(refusal);
            }
        };
        tracing::info!(%by, %channel, room = %room_id, "a room shows a channel because somebody has asked for it");
        // The bot may have been taken out of it just now, and the room may lack something.
        self.take_up_mappings(Some(room_id));
        self.wake_delivery(room);
        let end = format!("unplumb {channel}");
        let text = match shown {
            Shown::AtOnce => RichText::plain(format!(
                "{channel} is shown in that room from now on. Those in it who are connected to the network speak in the \
                 channel by their own connection, when they write there."
            )),
            Shown::Later(why) => {
                let text = format!(
                    "{channel} is tied to that room from now on. What is said in the channel is shown there as soon as \
                     somebody writes in the room who is connected to the network; they speak in the channel by that."
                );
                let why = why.map(|why| RichText::plain(" You are not there: ").then(why.into_text()));
                RichText::plain(text).then(why.unwrap_or_else(RichText::new))
            }
        };
        Ok(text.text(" To end it, type ").code(end).text("."))
    }

    /// Has a room that was found by alias, and that nobody is in any more, give way; waits for one that is being left.
    async fn make_way(&self, asking: &Asking) -> Result<(), Refusal> {
        loop {
            let other = self.store.shared_room(&asking.network, asking.channel.as_str()).await?;
            let Some(other) = other else { return Ok(()) };
            if !self.gives_way(&other).await? {
                return Err(channel_taken(&other, &asking.channel));
            }
            if !self.plumber.is_asked(asking) {
                return Err(self.over(asking));
            }
            if !other.is_ending() && other.room_id.is_none() {
                // Nor was it ever made.
                self.let_go(&other, None).await.map_err(super::refusal)?;
                continue;
            }
            if !other.is_ending() {
                self.store.begin_ending(other.id, false).await?;
            }
            self.take_up_mappings(other.room_id.as_deref());
            if asking.over.run_until_cancelled(tokio::time::sleep(MOMENT)).await.is_none() {
                return Err(self.over(asking));
            }
        }
    }

    /// Stores it. Whoever asks is there first, and gives up the room that they have of the channel for themselves.
    async fn commit_agreement(&self, asking: &Asking, is_there: bool) -> Result<(i64, Shown), Refusal> {
        if self.is_settled_by_configuration(asking) {
            return Err(settled_by_configuration());
        }
        let now = self.clock.unix_ms();
        self.store.ensure_network(&asking.network, &self.network_name(&asking.network), now).await?;
        let session = self.session(asking.session).filter(|_| is_there);
        let is_connected =
            session.as_ref().is_some_and(|session| session.status().state == SessionState::Connected);
        let mut why = None;
        failpoint!("plumb_agree");
        if let Some(session) = session {
            let agreement = Box::new(self.agreement(asking, is_connected));
            let request = SharedRequest::ShareAsAgreed { channel: asking.channel.clone(), agreement };
            match session.ask(Request::Shared(request)).await {
                Ok(_) if is_connected => why = Some(Shown::AtOnce),
                Ok(_) => {
                    let text = "you are not connected to the network just now, and come when you are.";
                    why = Some(Shown::Later(Some(Refusal::asked(text))));
                }
                Err(refusal) => why = Some(Shown::Later(Some(refusal))),
            }
        }
        // Where that is done, this does nothing, and says which room it is.
        let agreed = self.store.agree_to_plumbing(self.agreement(asking, false), now).await?;
        self.note_several().await?;
        match agreed {
            Plumbing::Done(room) => Ok((room.id, why.unwrap_or(Shown::Later(None)))),
            Plumbing::RoomTaken(other) => Err(self.room_taken(&other, asking)),
            Plumbing::ChannelTaken(other) => Err(channel_taken(&other, &asking.channel)),
        }
    }

    fn agreement(&self, asking: &Asking, is_shown: bool) -> Agreement {
        let Asking { channel, by, .. } = asking;
        let network = self.network_name(&asking.network);
        let text = if is_shown {
            format!(
                "This room shows {channel} on {network} from now on, because {by} has asked for it. What somebody writes here \
                 who is connected to that network by this bridge is said there, too, under their nick."
            )
        } else {
            format!(
                "This room is tied to {channel} on {network} from now on, because {by} has asked for it. What is said there is \
                 shown here as soon as somebody writes here who is connected to that network by this bridge; what they \
                 write is said there, too, under their nick."
            )
        };
        let notice = content::message(MessageType::Notice, &RichText::plain(text), None);
        // The number is that of the room when it is stored.
        let announcement = content::message_row(0, self.client.bot(), notice, None);
        Agreement { plumbing: self.new_plumbing(asking), announcement }
    }

    /// What is asked about a room that the configuration has a use for ends: the file wins.
    pub(super) async fn end_for_configuration(&self, asking: &Asking) {
        if self.stop_asking(asking) {
            let text = format!(
                "{} is not shown in that room by your command: the configuration says now what the room shows.",
                asking.channel
            );
            self.tell_asker(asking, RichText::plain(text)).await;
        }
    }
}
