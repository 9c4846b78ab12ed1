//! Push rules for one room, as clients set them ([specification]): a room that rings for mentions only has a room rule
//! that does nothing, a muted one an override that does nothing.
//!
//! [specification]: https://spec.matrix.org/v1.19/client-server-api/#push-rules

use ruma::api::client::push::{delete_pushrule, set_pushrule};
use ruma::push::{
    EventMatchConditionData, NewConditionalPushRule, NewPushRule, NewSimplePushRule, PushCondition, RuleKind,
};

use super::{Client, ClientError, room_id};

impl Client {
    /// `PUT /pushrules/global/room/{room}`: only what mentions the user rings.
    pub async fn notify_mentions(&self, user: &str, room: &str) -> Result<(), ClientError> {
        let rule = NewPushRule::Room(NewSimplePushRule::new(room_id(room)?, Vec::new()));
        self.call(user, set_pushrule::v3::Request::new(rule)).await.map(drop)
    }

    /// `DELETE /pushrules/global/room/{room}`: the room rings as rooms do.
    pub async fn notify_all(&self, user: &str, room: &str) -> Result<(), ClientError> {
        self.forget_rule(user, RuleKind::Room, room).await
    }

    /// `PUT /pushrules/global/override/{room}`: nothing rings.
    pub async fn mute(&self, user: &str, room: &str) -> Result<(), ClientError> {
        let is_room =
            PushCondition::EventMatch(EventMatchConditionData::new("room_id".to_owned(), room.to_owned()));
        let rule = NewConditionalPushRule::new(room.to_owned(), vec![is_room], Vec::new());
        self.call(user, set_pushrule::v3::Request::new(NewPushRule::Override(rule))).await.map(drop)
    }

    /// `DELETE /pushrules/global/override/{room}`: the room is not muted.
    pub async fn unmute(&self, user: &str, room: &str) -> Result<(), ClientError> {
        self.forget_rule(user, RuleKind::Override, room).await
    }

    async fn forget_rule(&self, user: &str, kind: RuleKind, room: &str) -> Result<(), ClientError> {
        match self.call(user, delete_pushrule::v3::Request::new(kind, room.to_owned())).await {
            // There was none.
            Err(error) if error.is("M_NOT_FOUND") => Ok(()),
            result => result.map(drop),
        }
    }
}
