//! How the bot comes into a room in which somebody wants a channel shown: by the invitation of whoever asks, or by itself where
//! an administrator asks and anybody may come in.
//!
//! Its row comes before it enters. Whether somebody has a say there can be seen only from inside.

use super::super::super::{Bridge, Outcome, Refusal};
use super::Asking;
use super::say::not_now;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::event::{Event, Member};
use crate::store::{NewPlumbing, PlumbedBy, Plumbing, RoomRow};

impl Bridge {
    /// A room's id, and a server that may know it.
    pub(super) async fn room_named(&self, name: &str) -> Result<(String, Option<String>), Refusal> {
        if !name.starts_with('#') {
            let is_room = name.len() <= 255 && !name.contains(|c: char| c.is_control() || c == '/');
            let server = name.split_once(':').map(|(_, server)| server.to_owned());
            if !is_room {
                return Err(Refusal::asked(format!(
                    "{name} is no room: its id is like !AbCdEf:example.org."
                )));
            }
            return Ok((name.to_owned(), server));
        }
        match self.client.room_of_alias(name).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Refusal::asked(format!("{name} leads to no room. Look how it is spelled."))),
            Err(error @ ClientError::Invalid(_)) => Err(Refusal::asked(format!("That can't be: {error}."))),
            Err(error) => Err(not_now(&error)),
        }
    }

    /// Looks whether the bot is in the room, or can enter it, and asks on; else asks for its invitation.
    pub(super) async fn begin_by_entering(&self, asking: &Asking, via: Option<&str>) -> Outcome {
        let channel = &asking.channel;
        let is_in = match self.is_bot_in(&asking.room_id).await {
            Ok(is_in) => is_in,
            Err(error) => {
                self.stop_asking(asking);
                return Err(super::refusal(error));
            }
        };
        if (is_in || asking.is_admin) && !self.plumber.begin_to_ask(asking) {
            // It was invited just now.
            return Ok(RichText::plain(
                "I was invited there just now; what becomes of it I tell in the network's room.",
            ));
        }
        if is_in {
            return self.go_on_asking(asking).await;
        }
        if asking.is_admin {
            match self.enter_to_ask(asking, Some(via.unwrap_or(self.client.domain()))).await {
                Ok(true) => return self.go_on_asking(asking).await,
                Ok(false) if self.plumber.was_invited_meanwhile(asking) => {
                    return self.on_invited_to_asked(asking).await;
                }
                Ok(false) => {}
                Err(refusal) => {
                    self.stop_asking(asking);
                    return Err(refusal);
                }
            }
        }
        let invite = RichText::plain(format!("To have {channel} shown there, invite me to that room: type "))
            .code(format!("/invite {}", self.client.bot()))
            .text(" there within five minutes. ");
        Ok(invite.text(if asking.is_admin {
            "Anybody there can do that."
        } else {
            "You have to do that yourself."
        }))
    }

    /// Enters the room for as long as that is asked. `false` where the bot is not let in.
    async fn enter_to_ask(&self, asking: &Asking, via: Option<&str>) -> Result<bool, Refusal> {
        let (bot, room_id) = (self.client.bot(), &asking.room_id);
        let mut attempt = 0;
        loop {
            let error = {
                // Who lets go of the room waits for what comes of this.
                let _turn = self.plumber.rooms.lock(room_id.clone()).await;
                self.visit(asking).await?;
                failpoint!("plumb_visit");
                let entered = match via {
                    Some(via) => self.client.join_via(bot, room_id, via).await,
                    None => self.client.join(bot, room_id).await,
                };
                let is_open = entered.as_ref().is_err_and(|error| !error.is_final());
                self.plumber.may_come_late(asking, is_open);
                match entered {
                    Ok(()) => return Ok(true),
                    Err(error) if error.is_final() => return Ok(false),
                    Err(error) => error,
                }
            };
            let paused = asking.over.run_until_cancelled(self.pause_after(&error, attempt)).await;
            if paused != Some(true) {
                return Err(self.over(asking));
            }
            attempt += 1;
        }
    }

    /// Stores that the bot enters a room only to ask.
    async fn visit(&self, asking: &Asking) -> Result<(), Refusal> {
        let now = self.clock.unix_ms();
        self.store.ensure_network(&asking.network, &self.network_name(&asking.network), now).await?;
        if !self.plumber.is_asked(asking) {
            return Err(self.over(asking));
        }
        let room = match self.store.visit(self.new_plumbing(asking)).await? {
            Plumbing::Done(room) => room,
            // By an attempt before.
            Plumbing::RoomTaken(room) if self.plumber.is_visit(asking, room.id) => room,
            Plumbing::RoomTaken(other) | Plumbing::ChannelTaken(other) => {
                return Err(self.room_taken(&other, asking));
            }
        };
        if !self.plumber.visits(asking, room.id) {
            self.let_go_soon(room.id, super::Cause::NotAgreed);
            return Err(self.over(asking));
        }
        Ok(())
    }

    pub(super) fn new_plumbing(&self, asking: &Asking) -> NewPlumbing {
        NewPlumbing {
            network: asking.network.clone(),
            name: asking.channel.as_str().to_owned(),
            room_id: asking.room_id.clone(),
            by: PlumbedBy::Command,
            asked_by: Some(asking.user),
            marker: super::unique(),
            creator: self.client.bot().to_owned(),
            created_at: self.clock.unix_ms(),
        }
    }

    /// The bot is invited: whether that is because somebody asks for a channel there, and all that there is to it.
    pub(in crate::bridge) fn on_invitation_to_asked(&self, room_id: &str, sender: &str) -> bool {
        let Some(asking) = self.plumber.asked(room_id) else { return false };
        if !asking.is_admin && asking.by != sender {
            // For a reason of their own.
            return false;
        }
        if self.plumber.begin_to_ask(&asking) {
            let bridge = self.clone();
            self.tasks.spawn(async move {
                let outcome = Box::pin(bridge.on_invited_to_asked(&asking)).await;
                bridge.tell_asker(&asking, outcome.unwrap_or_else(Refusal::into_text)).await;
            });
        }
        true
    }

    async fn on_invited_to_asked(&self, asking: &Asking) -> Outcome {
        match self.enter_to_ask(asking, None).await {
            Ok(true) => self.go_on_asking(asking).await,
            Ok(false) => {
                self.stop_asking(asking);
                Err(Refusal::asked("I was not let into that room although I was invited. Type plumb again."))
            }
            Err(refusal) => {
                self.stop_asking(asking);
                Err(refusal)
            }
        }
    }

    /// Something happens to the bot in a room that is plumbed, or visited: to that sees whoever asks.
    pub(super) fn on_bot_there(&self, room: &RoomRow, event: &Event, member: &Member) {
        if !room.is_visited() || !self.on_bot_in_asked(event, member) {
            self.on_bot_member(room.id, event, member);
        }
    }

    /// The bot is invited to a plumbed room, or taken out of it.
    pub(in crate::bridge) fn on_bot_member(&self, room: i64, event: &Event, member: &Member) {
        if self.on_bot_in_asked(event, member) && member.membership == "invite" {
            return;
        }
        match member.membership.as_str() {
            "invite" => self.take_up_mappings(Some(&event.room_id)),
            "leave" | "ban" => self.let_go_soon(room, super::Cause::TakenOut),
            _ => {}
        }
    }

    /// Something happens to the bot in a room about which somebody is asked; `false` where nobody is.
    fn on_bot_in_asked(&self, event: &Event, member: &Member) -> bool {
        let Some(asking) = self.plumber.asked(&event.room_id) else { return false };
        match member.membership.as_str() {
            "invite" => _ = self.on_invitation_to_asked(&event.room_id, &event.sender),
            "leave" | "ban" => {
                let bridge = self.clone();
                self.tasks.spawn(async move {
                    // What is told late may be of another time.
                    let is_in = bridge.look(&asking, || bridge.is_in_for_now(&asking.room_id)).await;
                    if matches!(is_in, Ok(false)) && bridge.stop_asking(&asking) {
                        let channel = &asking.channel;
                        let text = format!("{channel} is not shown in that room: I was taken out of it.");
                        bridge.tell_asker(&asking, RichText::plain(text)).await;
                    }
                });
            }
            _ => {}
        }
        true
    }

    async fn is_in_for_now(&self, room_id: &str) -> Result<bool, ClientError> {
        self.is_bot_in(room_id).await.map_err(super::temporary)
    }
}
