//! A person on the homeserver, driven by a test: what someone does in Element, without the socket.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clock::now;
use super::room::Draft;
use super::{Refusal, Shared, api};

/// A local user who is not the application service's.
#[derive(Clone)]
pub(crate) struct TestUser {
    shared: Arc<Shared>,
    id: String,
    token: String,
}

/// How a room is made; what is not said is Synapse's default.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewRoom<'a> {
    pub(crate) preset: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) invite: &'a [&'a str],
    pub(crate) is_direct: bool,
    pub(crate) encrypted: bool,
    pub(crate) room_version: Option<&'a str>,
    /// A join rule that lets the members of this room in.
    pub(crate) restricted_to: Option<&'a str>,
    /// The room that it comes after.
    pub(crate) predecessor: Option<&'a str>,
}

impl TestUser {
    pub(super) fn register(shared: Arc<Shared>, localpart: &str) -> Self {
        let (id, token) = shared.change(|core| {
            let id = core.user_id(localpart);
            assert!(!core.is_appservice_user(&id), "{id} is the application service's");
            // Asked for twice, it is the same person with one more device.
            drop(core.register(&id));
            let token = core.opaque();
            core.tokens.insert(token.clone(), id.clone());
            (id, token)
        });
        Self { shared, id, token }
    }

    /// The user's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// An access token for the HTTP API.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Makes a room.
    pub(crate) fn create_room(&self, room: &NewRoom<'_>) -> String {
        let mut state = vec![];
        if room.encrypted {
            let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
            state.push(json!({ "type": "m.room.encryption", "state_key": "", "content": content }));
        }
        if let Some(allowed) = room.restricted_to {
            let allow = json!([{ "type": "m.room_membership", "room_id": allowed }]);
            let content = json!({ "join_rule": "restricted", "allow": allow });
            state.push(json!({ "type": "m.room.join_rules", "state_key": "", "content": content }));
        }
        let request = json!({
            "preset": room.preset.unwrap_or("private_chat"), "visibility": "private", "name": room.name,
            "invite": room.invite, "is_direct": room.is_direct, "initial_state": state,
            "room_version": room.room_version,
            "creation_content": room.predecessor.map(|old| json!({ "predecessor": { "room_id": old } })),
        });
        self.shared.change(|core| core.create_room(&self.id, &request, now())).expect("the room is made")
    }

    /// Starts a conversation with one other, as Element does.
    pub(crate) fn start_dm(&self, other: &str) -> String {
        self.dm(other, false)
    }

    /// As [`Self::start_dm`], encrypted from the start.
    pub(crate) fn start_encrypted_dm(&self, other: &str) -> String {
        self.dm(other, true)
    }

    fn dm(&self, other: &str, encrypted: bool) -> String {
        let invite = [other];
        let room = NewRoom {
            preset: Some("trusted_private_chat"),
            invite: &invite,
            is_direct: true,
            encrypted,
            ..NewRoom::default()
        };
        let room = self.create_room(&room);
        self.shared.change(|core| {
            let key = (self.id.clone(), String::new(), "m.direct".to_owned());
            let direct = core.account_data.entry(key).or_insert_with(|| json!({}));
            if !direct[other].is_array() {
                direct[other] = json!([]);
            }
            direct[other].as_array_mut().expect("just made").push(json!(room));
        });
        room
    }

    /// Joins a room by id or alias; a missing alias is asked of the application service.
    pub(crate) async fn join(&self, room_or_alias: &str) -> String {
        self.try_join(room_or_alias).await.expect("the join is allowed")
    }

    pub(crate) async fn try_join(&self, room_or_alias: &str) -> Result<String, Refusal> {
        let room = if room_or_alias.starts_with('#') {
            api::resolve(&self.shared, room_or_alias).await?
        } else {
            room_or_alias.to_owned()
        };
        self.member(&room, &self.id, "join", None)?;
        Ok(room)
    }

    /// Joins each room that has invited the user; returns them.
    pub(crate) fn accept_invites(&self) -> Vec<String> {
        let invited: Vec<String> = {
            let core = self.shared.read();
            let rooms = core.rooms.values().filter(|room| room.membership(&self.id) == "invite");
            rooms.map(|room| room.id.clone()).collect()
        };
        for room in &invited {
            self.member(room, &self.id, "join", None).expect("an invited user may join");
        }
        invited
    }

    /// Leaves a room, or declines an invite.
    pub(crate) fn leave(&self, room: &str) {
        self.member(room, &self.id, "leave", None).expect("leaving is allowed");
    }

    pub(crate) fn invite(&self, room: &str, user: &str) {
        self.try_invite(room, user).expect("the invite is allowed");
    }

    pub(crate) fn try_invite(&self, room: &str, user: &str) -> Result<(), Refusal> {
        self.member(room, user, "invite", None)
    }

    pub(crate) fn kick(&self, room: &str, user: &str, reason: &str) -> Result<(), Refusal> {
        self.member(room, user, "leave", Some(reason))
    }

    pub(crate) fn ban(&self, room: &str, user: &str) -> Result<(), Refusal> {
        self.member(room, user, "ban", None)
    }

    /// Takes a ban back.
    pub(crate) fn unban(&self, room: &str, user: &str) {
        self.member(room, user, "leave", None).expect("a ban that this user may take back");
    }

    fn member(&self, room: &str, user: &str, membership: &str, reason: Option<&str>) -> Result<(), Refusal> {
        self.shared.change(|core| core.set_membership(room, &self.id, user, membership, reason, now()))
    }

    /// Joins a room at another time than now, in milliseconds since 1970.
    pub(crate) fn join_at(&self, room: &str, ts: u64) {
        let join = |core: &mut super::Core| core.set_membership(room, &self.id, &self.id, "join", None, ts);
        self.shared.change(join).expect("the join is allowed");
    }

    /// Says a line; returns the event's id.
    pub(crate) fn send_text(&self, room: &str, body: &str) -> String {
        self.send(room, "m.room.message", json!({ "msgtype": "m.text", "body": body }))
    }

    /// Says a line at another time than now, in milliseconds since 1970.
    pub(crate) fn send_text_at(&self, room: &str, body: &str, ts: u64) -> String {
        let content = json!({ "msgtype": "m.text", "body": body });
        let draft = Draft::message(&self.id, "m.room.message", content);
        self.shared.change(|core| core.append(room, draft, ts)).expect("the event is allowed")
    }

    /// Says a line with formatting.
    pub(crate) fn send_html(&self, room: &str, body: &str, html: &str) -> String {
        let content = json!({
            "msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html,
        });
        self.send(room, "m.room.message", content)
    }

    /// Sends any event that is no state.
    pub(crate) fn send(&self, room: &str, kind: &str, content: Value) -> String {
        self.try_send(room, kind, content).expect("the event is allowed")
    }

    pub(crate) fn try_send(&self, room: &str, kind: &str, content: Value) -> Result<String, Refusal> {
        self.shared.change(|core| core.append(room, Draft::message(&self.id, kind, content), now()))
    }

    /// Sends a state event.
    pub(crate) fn send_state(
        &self,
        room: &str,
        kind: &str,
        key: &str,
        content: Value,
    ) -> Result<String, Refusal> {
        self.shared.change(|core| core.append(room, Draft::state(&self.id, kind, key, content), now()))
    }

    /// Sends a state event for which they have no power, as a homeserver's administrator can give it to themselves.
    pub(crate) fn send_state_by_force(&self, room: &str, kind: &str, key: &str, content: Value) {
        let draft = Draft::state(&self.id, kind, key, content);
        self.shared.change(|core| core.append_unasked(room, draft, now())).expect("nobody is asked");
    }

    /// Reacts to an event.
    pub(crate) fn react(&self, room: &str, event: &str, key: &str) -> String {
        let relation = json!({ "rel_type": "m.annotation", "event_id": event, "key": key });
        self.send(room, "m.reaction", json!({ "m.relates_to": relation }))
    }

    /// Replies to an event.
    pub(crate) fn reply(&self, room: &str, event: &str, body: &str) -> String {
        let relation = json!({ "m.in_reply_to": { "event_id": event } });
        self.send(
            room,
            "m.room.message",
            json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation }),
        )
    }

    /// Replaces an own message.
    pub(crate) fn edit(&self, room: &str, event: &str, body: &str) -> String {
        let content = json!({
            "msgtype": "m.text", "body": format!("* {body}"),
            "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": event },
        });
        self.send(room, "m.room.message", content)
    }

    /// Redacts an event; returns the redaction's id.
    pub(crate) fn redact(&self, room: &str, event: &str) -> Result<String, Refusal> {
        let draft = Draft {
            redacts: Some(event),
            ..Draft::message(&self.id, "m.room.redaction", json!({ "redacts": event }))
        };
        self.shared.change(|core| core.append(room, draft, now()))
    }

    /// Has an alias lead to a room.
    pub(crate) fn set_alias(&self, alias: &str, room: &str) {
        let entry = (room.to_owned(), self.id.clone());
        self.shared.change(|core| drop(core.aliases.insert(alias.to_owned(), entry)));
    }

    /// Takes an alias away, as an administrator of the homeserver can.
    pub(crate) fn take_alias(&self, alias: &str) {
        self.shared.change(|core| drop(core.aliases.remove(alias)));
    }

    /// Reads up to an event.
    pub(crate) fn read(&self, room: &str, event: &str) {
        self.shared
            .change(|core| core.receipt(room, &self.id, &[("m.read", event)]))
            .expect("a member may read");
    }

    /// Starts or stops typing.
    pub(crate) fn typing(&self, room: &str, typing: bool) {
        self.shared.change(|core| core.typing(room, &self.id, typing)).expect("a member may type");
    }

    /// Is there, or not: `online`, `unavailable`, `offline`.
    pub(crate) fn presence(&self, state: &str) {
        self.shared.change(|core| core.presence(&self.id, state));
    }

    /// Changes the display name, in each joined room too.
    pub(crate) fn set_displayname(&self, name: &str) {
        self.shared
            .change(|core| core.set_profile(&self.id, "displayname", Some(name), now()))
            .expect("a valid name");
    }
}
