//! Who has a say in what a room shows: by its own powers, as the homeserver tells them now.

use super::super::super::upgrades::Powers;
use super::super::super::{Bridge, Refusal};
use super::Asking;
use crate::matrix::ClientError;

/// What gives somebody a say in what their room shows.
const SAY: &str = "m.room.name";

pub(super) fn not_now(error: &ClientError) -> Refusal {
    Refusal::asked(format!(
        "The homeserver does not let me look into that room now: {error}. Try again in a while."
    ))
}

impl Bridge {
    /// Asks the homeserver for something until it answers, or nobody waits for it any more: no failure of the moment throws
    /// away what somebody has agreed to.
    pub(super) async fn look<T, F>(&self, asking: &Asking, request: impl Fn() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        match asking.over.run_until_cancelled(self.persist(request)).await {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) if error.is_final() => Err(not_now(&error)),
            Some(Err(_)) | None => Err(self.over(asking)),
        }
    }

    /// Whether those who ask have a say in a room, and whether it can show anything. Gives whether they are in it.
    pub(super) async fn has_a_say(&self, asking: &Asking) -> Result<bool, Refusal> {
        let Asking { room_id, by, .. } = asking;
        let bot = self.client.bot();
        let creation = self.look(asking, || self.client.state_event(bot, room_id, "m.room.create")).await?;
        if creation.unwrap_or_default()["content"]["type"].as_str().is_some() {
            return Err(Refusal::asked(
                "That is a space or the like, where nobody talks: a channel needs a room.",
            ));
        }
        if self.look(asking, || self.is_encrypted(room_id)).await? {
            return Err(Refusal::asked(
                "That room is encrypted, and I have no keys: what is said on IRC would stand there in clear, and nothing \
                 that is said there could go to IRC. Take one that is not.",
            ));
        }
        if asking.is_admin {
            return self.look(asking, || self.is_member(room_id, by)).await;
        }
        if self.look(asking, || self.has_power_in(room_id, by)).await? {
            return Ok(true);
        }
        Err(Refusal::asked(
            "You may not say what that room shows: only those who are in it and may change its name can. Somebody who may \
             can ask me, or give you the power to.",
        ))
    }

    async fn is_member(&self, room_id: &str, user_id: &str) -> Result<bool, ClientError> {
        let members = self.client.joined_members(self.client.bot(), room_id).await?;
        Ok(members.iter().any(|member| member == user_id))
    }

    /// Whether somebody is in a room and may change its name.
    pub(super) async fn has_power_in(&self, room_id: &str, user_id: &str) -> Result<bool, ClientError> {
        if !self.is_member(room_id, user_id).await? {
            return Ok(false);
        }
        let bot = self.client.bot();
        let levels = self.client.state(bot, room_id, "m.room.power_levels", "").await?.unwrap_or_default();
        let creation = self.client.state_event(bot, room_id, "m.room.create").await?.unwrap_or_default();
        Ok(Powers { levels: &levels, creation: &creation }.allow(user_id, SAY))
    }
}
