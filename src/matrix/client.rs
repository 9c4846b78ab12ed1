//! The client-server API as an application service uses it: with the `as_token`, as the bot or as a ghost
//! (`?user_id=`, [specification]). One attempt for each call: who calls decides what to do about a failure, and
//! `ClientError` says what is known about the outcome.
//!
//! [specification]: https://spec.matrix.org/v1.19/application-service-api/#identity-assertion

mod media;
mod occupants;
mod policy;
mod presence;
mod profile;
mod push_rules;
mod status;
mod timeline;

use std::borrow::Cow;
use std::time::Duration;

use http::Request as HttpRequest;
use ruma::api::auth_scheme::{AuthScheme, SendAccessToken};
use ruma::api::client;
use ruma::api::client::uiaa::UiaaResponse;
use ruma::api::error::{Error as MatrixError, ErrorBody, ErrorKind, FromHttpResponseError, RetryAfter};
use ruma::api::path_builder::VersionHistory;
use ruma::api::{
    AppserviceUserIdentity, FeatureFlag, IncomingResponseExt as _, MatrixVersion, OutgoingRequest,
    OutgoingRequestAppserviceExt as _, SupportedVersions,
};
use ruma::serde::Raw;
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedTransactionId, OwnedUserId, RoomId, UInt,
    UserId,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::ClientError;
use super::tally::Tally;
use super::tokens::OwnToken;
pub use media::{Download, Downloading};
pub use occupants::Occupant;
use presence::Presence;
pub use status::Availability;
pub use timeline::{FoundEvent, Page};

/// How long to wait where a 429 does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// How long to wait for a message to be taken. It can be searched for afterwards, while others wait behind it.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// The bridge's access to its homeserver.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: OwnToken,
    bot: OwnedUserId,
    versions: SupportedVersions,
    presence: Presence,
    tally: Tally,
}

/// A room to be made.
#[derive(Debug, Default, Clone)]
pub struct CreateRoom {
    /// The room's name.
    pub name: Option<String>,
    /// The room's topic.
    pub topic: Option<String>,
    /// Who is invited.
    pub invite: Vec<String>,
    /// Whether the invitation is to a direct chat.
    pub is_direct: bool,
    /// Extra content of `m.room.create`.
    pub creation_content: Value,
    /// State events: type, state key, content.
    pub initial_state: Vec<(&'static str, String, Value)>,
    /// Overrides in `m.room.power_levels`.
    pub power_levels: Value,
    /// The room's version, where it is not the homeserver's choice.
    pub room_version: Option<String>,
}

/// A token, as requests bear it.
fn bearer(token: &SecretString) -> Result<http::HeaderValue, ClientError> {
    let bearer = format!("Bearer {}", token.expose_secret());
    bearer.try_into().map_err(|_| ClientError::Invalid("no such token".to_owned()))
}

impl Client {
    /// A client that acts for the bot `bot` on the homeserver at `base`.
    pub fn new(
        http: reqwest::Client,
        base: &str,
        token: SecretString,
        bot: &str,
    ) -> Result<Self, ClientError> {
        let base = base.trim_end_matches('/').to_owned();
        // Every homeserver that an application service can meet knows the v3 paths; nothing newer is needed but the
        // ping, which those that have it have at its stable path.
        let versions = SupportedVersions {
            versions: [MatrixVersion::V1_1].into(),
            features: [FeatureFlag::from("fi.mau.msc2659.stable")].into(),
        };
        Ok(Self {
            http,
            base,
            token: OwnToken::new(token),
            bot: user_id(bot)?,
            versions,
            presence: Presence::default(),
            tally: Tally::default(),
        })
    }

    /// Shows this token, too, where the homeserver refuses the one that it took last.
    pub fn add_token(&self, token: SecretString) {
        self.token.add(token);
    }

    /// The bot's Matrix id.
    pub fn bot(&self) -> &str {
        self.bot.as_str()
    }

    /// The homeserver's domain.
    pub fn domain(&self) -> &str {
        self.bot.server_name().as_str()
    }

    /// How the homeserver's answers were.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    async fn call<R>(&self, sender: &str, request: R) -> Result<R::IncomingResponse, ClientError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        R::EndpointError: Failure,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    {
        self.call_within(None, sender, request).await
    }

    /// As `call`, with a limit of its own.
    async fn call_within<R>(
        &self,
        limit: Option<Duration>,
        sender: &str,
        request: R,
    ) -> Result<R::IncomingResponse, ClientError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        R::EndpointError: Failure,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    {
        let result = self.exchange(limit, sender, request).await;
        self.presence.note(&result);
        self.tally.count(&result);
        result
    }

    async fn exchange<R>(
        &self,
        limit: Option<Duration>,
        sender: &str,
        request: R,
    ) -> Result<R::IncomingResponse, ClientError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        R::EndpointError: Failure,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    {
        let sender = user_id(sender)?;
        let identity = if sender == self.bot {
            AppserviceUserIdentity::default()
        } else {
            AppserviceUserIdentity::new(&sender)
        };
        let token = self.token.first();
        let request: HttpRequest<Vec<u8>> = request
            .try_into_http_request_with_identity(
                &self.base,
                SendAccessToken::Appservice(token.expose_secret()),
                identity,
                Cow::Borrowed(&self.versions),
            )
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        let mut request: reqwest::Request =
            request.try_into().map_err(|error: reqwest::Error| ClientError::Invalid(error.to_string()))?;
        if limit.is_some() {
            *request.timeout_mut() = limit;
        }
        // Homeservers may want to know who asks also where the specification lets anybody.
        if !request.headers().contains_key(http::header::AUTHORIZATION) {
            request.headers_mut().insert(http::header::AUTHORIZATION, bearer(&token)?);
        }
        // Most of the time there is no other token, and nothing to keep for it.
        let again = self.token.instead_of(&token).and_then(|other| Some((other, request.try_clone()?)));
        let result = self.answer::<R>(request, limit).await;
        match (&result, again) {
            (Err(error), Some((other, mut request))) if error.is("M_UNKNOWN_TOKEN") => {
                request.headers_mut().insert(http::header::AUTHORIZATION, bearer(&other)?);
                let result = self.answer::<R>(request, limit).await;
                if !matches!(&result, Err(error) if error.is("M_UNKNOWN_TOKEN") || error.is_temporary()) {
                    tracing::info!("the homeserver takes the other as_token from now on");
                    self.token.took(other);
                }
                result
            }
            _ => result,
        }
    }

    /// Sends a request, and reads what comes back.
    async fn answer<R>(
        &self,
        request: reqwest::Request,
        limit: Option<Duration>,
    ) -> Result<R::IncomingResponse, ClientError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        R::EndpointError: Failure,
    {
        // No address in the errors: it is the administrator's own, and long.
        let response = self.http.execute(request).await.map_err(|error| {
            let error = error.without_url();
            if error.is_connect() {
                ClientError::Unreachable(chain(&error))
            } else {
                ClientError::Unknown(chain(&error))
            }
        })?;
        // A limit of its own has what sends a message.
        failpoint!("put_sent", limit.is_some());
        let status = response.status();
        let mut answer = http::Response::builder().status(status);
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let body =
            response.bytes().await.map_err(|error| ClientError::Unknown(chain(&error.without_url())))?;
        let answer = answer.body(&body[..]).map_err(|error| ClientError::Unknown(error.to_string()))?;
        match R::IncomingResponse::try_from_http_response(answer) {
            Ok(response) => Ok(response),
            Err(FromHttpResponseError::Server(error)) => Err(error.sorted()),
            Err(error) => Err(ClientError::Unknown(error.to_string())),
        }
    }

    /// `GET /account/whoami`: whom the token belongs to.
    pub async fn whoami(&self) -> Result<String, ClientError> {
        let response = self.call(self.bot(), client::account::whoami::v3::Request::new()).await?;
        Ok(response.user_id.into())
    }

    /// `POST /appservice/{id}/ping`: asks the homeserver to call back.
    pub async fn ping(&self, id: &str) -> Result<Duration, ClientError> {
        let request = client::appservice::request_ping::v1::Request::new(id.to_owned());
        Ok(self.call(self.bot(), request).await?.duration)
    }

    /// `POST /register`: makes a ghost or the bot; a user that exists already is a success.
    pub async fn register(&self, localpart: &str) -> Result<(), ClientError> {
        let mut request = client::account::register::v3::Request::new();
        request.username = Some(localpart.to_owned());
        request.login_type = Some(client::account::register::LoginType::ApplicationService);
        request.inhibit_login = true;
        match self.call(self.bot(), request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is("M_USER_IN_USE") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `POST /createRoom`. Not idempotent: the caller stores the intent first.
    pub async fn create_room(&self, sender: &str, room: &CreateRoom) -> Result<String, ClientError> {
        use client::room::create_room::v3::{Request, RoomPreset};
        let mut request = Request::new();
        request.preset = Some(RoomPreset::PrivateChat);
        request.name.clone_from(&room.name);
        request.topic.clone_from(&room.topic);
        request.is_direct = room.is_direct;
        request.invite = room.invite.iter().map(|user| user_id(user)).collect::<Result<_, _>>()?;
        request.creation_content = Some(raw(&room.creation_content)?);
        let version = |version: &String| {
            ruma::RoomVersionId::try_from(version.as_str())
                .map_err(|_| ClientError::Invalid(format!("{version} is no room version")))
        };
        request.room_version = room.room_version.as_ref().map(version).transpose()?;
        request.power_level_content_override = Some(raw(&room.power_levels)?);
        for (kind, state_key, content) in &room.initial_state {
            let event = serde_json::json!({ "type": kind, "state_key": state_key, "content": content });
            request.initial_state.push(raw(&event)?);
        }
        Ok(self.call(sender, request).await?.room_id.into())
    }

    /// `POST /rooms/{room}/invite`.
    pub async fn invite(&self, sender: &str, room: &str, user: &str) -> Result<(), ClientError> {
        use client::membership::invite_user::v3::{InvitationRecipient, InviteUserId, Request};
        let recipient = InvitationRecipient::UserId(InviteUserId::new(user_id(user)?));
        self.call(sender, Request::new(room_id(room)?, recipient)).await.map(drop)
    }

    /// `POST /rooms/{room}/join`.
    pub async fn join(&self, sender: &str, room: &str) -> Result<(), ClientError> {
        self.call(sender, client::membership::join_room_by_id::v3::Request::new(room_id(room)?))
            .await
            .map(drop)
    }

    /// `POST /join/{room}`, by way of a server that may know the room.
    pub async fn join_via(&self, sender: &str, room: &str, via: &str) -> Result<(), ClientError> {
        let mut request =
            client::membership::join_room_by_id_or_alias::v3::Request::new(room_id(room)?.into());
        // A name that is none is no way to anywhere.
        request.via = ruma::ServerName::parse(via).into_iter().collect();
        self.call(sender, request).await.map(drop)
    }

    /// `POST /rooms/{room}/leave`; a user who is not there has left already.
    pub async fn leave(&self, sender: &str, room: &str, reason: Option<&str>) -> Result<(), ClientError> {
        let mut request = client::membership::leave_room::v3::Request::new(room_id(room)?);
        request.reason = reason.map(str::to_owned);
        self.call(sender, request).await.map(drop)
    }

    /// `PUT /rooms/{room}/state/m.room.member/{user}`: as `/leave`, or as `/kick` where somebody else sends it, with the
    /// name that the user had. Those calls leave it out, and clients show an id for whoever has gone.
    pub async fn leave_by_name(
        &self,
        sender: &str,
        room: &str,
        user: &str,
        name: &str,
        reason: Option<&str>,
    ) -> Result<(), ClientError> {
        let mut content = serde_json::json!({ "membership": "leave", "displayname": name });
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        self.send_state(sender, room, "m.room.member", user, &content).await.map(drop)
    }

    /// `POST /rooms/{room}/kick`.
    pub async fn kick(&self, sender: &str, room: &str, user: &str, reason: &str) -> Result<(), ClientError> {
        let mut request = client::membership::kick_user::v3::Request::new(room_id(room)?, user_id(user)?);
        request.reason = Some(reason.to_owned());
        self.call(sender, request).await.map(drop)
    }

    /// `PUT /rooms/{room}/send/{type}/{txn}` with this JSON as its content, and as if it were sent at `ts` where that is
    /// given (milliseconds since 1970; "Timestamp massaging" for application services).
    pub async fn send(
        &self,
        sender: &str,
        room: &str,
        kind: &str,
        txn_id: &str,
        content: &str,
        ts: Option<i64>,
    ) -> Result<String, ClientError> {
        use client::message::send_message_event::v3::Request;
        let body = Raw::from_json_string(content.to_owned())
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        let txn_id: OwnedTransactionId = txn_id.into();
        let mut request = Request::new_raw(room_id(room)?, txn_id, kind.into(), body);
        let time = ts.and_then(|ts| UInt::try_from(ts).ok());
        request.timestamp = time.map(MilliSecondsSinceUnixEpoch);
        Ok(self.call_within(Some(SEND_LIMIT), sender, request).await?.event_id.into())
    }

    /// `PUT /rooms/{room}/state/{type}/{key}`.
    pub async fn send_state(
        &self,
        sender: &str,
        room: &str,
        kind: &str,
        state_key: &str,
        content: &Value,
    ) -> Result<String, ClientError> {
        use client::state::send_state_event::v3::Request;
        let request = Request::new_raw(room_id(room)?, kind.into(), state_key.to_owned(), raw(content)?);
        Ok(self.call(sender, request).await?.event_id.into())
    }

    /// `GET /rooms/{room}/state/{type}/{key}`; `None` when there is no such state.
    pub async fn state(
        &self,
        sender: &str,
        room: &str,
        kind: &str,
        key: &str,
    ) -> Result<Option<Value>, ClientError> {
        use client::state::get_state_event_for_key::v3::Request;
        let request = Request::new(room_id(room)?, kind.into(), key.to_owned());
        match self.call(sender, request).await {
            Ok(response) => Ok(serde_json::from_str(response.event_or_content.get()).ok()),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /rooms/{room}/state/{type}`, the whole event with its sender; `None` when there is no such state.
    pub async fn state_event(
        &self,
        sender: &str,
        room: &str,
        kind: &str,
    ) -> Result<Option<Value>, ClientError> {
        use client::state::get_state_event_for_key::v3::{Request, StateEventFormat};
        let mut request = Request::new(room_id(room)?, kind.into(), String::new());
        request.format = StateEventFormat::Event;
        match self.call(sender, request).await {
            Ok(response) => Ok(serde_json::from_str(response.event_or_content.get()).ok()),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `PUT /rooms/{room}/redact/{event}/{txn}`.
    pub async fn redact(
        &self,
        sender: &str,
        room: &str,
        event: &str,
        txn_id: &str,
        reason: &str,
    ) -> Result<String, ClientError> {
        let event: OwnedEventId =
            event.try_into().map_err(|_| ClientError::Invalid(format!("{event} is no event id")))?;
        let mut request =
            client::redact::redact_event::v3::Request::new(room_id(room)?, event, txn_id.into());
        request.reason = Some(reason.to_owned());
        Ok(self.call(sender, request).await?.event_id.into())
    }

    /// `POST /rooms/{room}/receipt/m.read/{event}`.
    pub async fn mark_read(&self, sender: &str, room: &str, event: &str) -> Result<(), ClientError> {
        use client::receipt::create_receipt::v3::{ReceiptType, Request};
        let event: OwnedEventId =
            event.try_into().map_err(|_| ClientError::Invalid(format!("{event} is no event id")))?;
        self.call(sender, Request::new(room_id(room)?, ReceiptType::Read, event)).await.map(drop)
    }

    /// `PUT /rooms/{room}/typing/{user}`: somebody types for the next seconds, or no longer.
    pub async fn set_typing(&self, sender: &str, room: &str, types: bool) -> Result<(), ClientError> {
        use client::typing::create_typing_event::v3::{Request, Typing, TypingInfo};
        // A little longer than clients on IRC take to say it again.
        const A_WHILE: Duration = Duration::from_secs(6);
        let typing = if types { Typing::Yes(TypingInfo::new(A_WHILE)) } else { Typing::No };
        self.call(sender, Request::new(user_id(sender)?, room_id(room)?, typing)).await.map(drop)
    }

    /// `GET /joined_rooms`.
    pub async fn joined_rooms(&self, sender: &str) -> Result<Vec<String>, ClientError> {
        let response = self.call(sender, client::membership::joined_rooms::v3::Request::new()).await?;
        Ok(response.joined_rooms.into_iter().map(Into::into).collect())
    }

    /// `GET /rooms/{room}/joined_members`: the ids of all who are there.
    pub async fn joined_members(&self, sender: &str, room: &str) -> Result<Vec<String>, ClientError> {
        use client::membership::joined_members::v3::Request;
        let response = self.call(sender, Request::new(room_id(room)?)).await?;
        Ok(response.joined.into_keys().map(Into::into).collect())
    }

    /// `GET /rooms/{room}/joined_members`: the ids of all who are there, and their names where they have any.
    pub async fn names_in(
        &self,
        sender: &str,
        room: &str,
    ) -> Result<Vec<(String, Option<String>)>, ClientError> {
        use client::membership::joined_members::v3::Request;
        let response = self.call(sender, Request::new(room_id(room)?)).await?;
        let joined = response.joined.into_iter();
        Ok(joined.map(|(user_id, member)| (user_id.into(), member.display_name)).collect())
    }

    /// `GET /rooms/{room}/joined_members`, for whether the sender may ask that at all.
    pub async fn look_into(&self, sender: &str, room: &str) -> Result<(), ClientError> {
        use client::membership::joined_members::v3::Request;
        self.call(sender, Request::new(room_id(room)?)).await.map(drop)
    }

    /// `GET /rooms/{room}/joined_members`: who is in a room.
    pub async fn members(&self, sender: &str, room: &str) -> Result<Vec<String>, ClientError> {
        use client::membership::joined_members::v3::Request;
        let response = self.call(sender, Request::new(room_id(room)?)).await?;
        Ok(response.joined.into_keys().map(Into::into).collect())
    }

    /// `PUT /directory/room/{alias}`.
    pub async fn set_alias(&self, alias: &str, room: &str) -> Result<(), ClientError> {
        let alias = ruma::RoomAliasId::parse(alias)
            .map_err(|_| ClientError::Invalid(format!("{alias} is no alias")))?;
        let request = client::alias::create_alias::v3::Request::new(alias, room_id(room)?);
        self.call(self.bot(), request).await.map(drop)
    }

    /// `DELETE /directory/room/{alias}`.
    pub async fn delete_alias(&self, alias: &str) -> Result<(), ClientError> {
        let alias = ruma::RoomAliasId::parse(alias)
            .map_err(|_| ClientError::Invalid(format!("{alias} is no alias")))?;
        self.call(self.bot(), client::alias::delete_alias::v3::Request::new(alias)).await.map(drop)
    }

    /// `GET /capabilities`: the version of the rooms that the homeserver makes, and all versions that it can make.
    pub async fn room_versions(&self) -> Result<(String, Vec<String>), ClientError> {
        let response = self.call(self.bot(), client::discovery::get_capabilities::v3::Request::new()).await?;
        let versions = response.capabilities.room_versions;
        let known = versions.available.keys().map(ToString::to_string).collect();
        Ok((versions.default.to_string(), known))
    }
}

/// The errors of endpoints: the common one, and the one of those that may ask for more authentication.
trait Failure {
    fn sorted(&self) -> ClientError;
}

impl Failure for MatrixError {
    fn sorted(&self) -> ClientError {
        sort(self)
    }
}

impl Failure for UiaaResponse {
    fn sorted(&self) -> ClientError {
        match self {
            Self::MatrixError(error) => sort(error),
            Self::AuthResponse(_) => ClientError::Refused {
                status: 401,
                code: "M_UNAUTHORIZED".to_owned(),
                message: "the homeserver wants a login for what an application service may do".to_owned(),
            },
        }
    }
}

fn user_id(text: &str) -> Result<OwnedUserId, ClientError> {
    UserId::parse(text).map_err(|_| ClientError::Invalid(format!("{text} is no user id")))
}

fn room_id(text: &str) -> Result<OwnedRoomId, ClientError> {
    RoomId::parse(text).map_err(|_| ClientError::Invalid(format!("{text} is no room id")))
}

fn raw<T>(value: &Value) -> Result<Raw<T>, ClientError> {
    let json =
        serde_json::value::to_raw_value(value).map_err(|error| ClientError::Invalid(error.to_string()))?;
    Ok(Raw::from_json(json))
}

/// An error with its causes: `reqwest` hides them from its first line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Sorts the homeserver's error by what to do next.
fn sort(error: &MatrixError) -> ClientError {
    let status = error.status_code.as_u16();
    let (code, message) = match &error.body {
        ErrorBody::Standard(body) => (body.kind.errcode().to_string(), body.message.clone()),
        _ => (String::new(), format!("HTTP status {status}")),
    };
    if let Some(ErrorKind::LimitExceeded(limit)) = error.error_kind() {
        return ClientError::Limited(match limit.retry_after {
            Some(RetryAfter::Delay(delay)) => delay,
            _ => DEFAULT_WAIT,
        });
    }
    match status {
        429 => ClientError::Limited(DEFAULT_WAIT),
        500.. => ClientError::Unknown(format!("HTTP status {status}: {message}")),
        // Whoever says it, it will not become smaller.
        413 => ClientError::Refused { status, code: "M_TOO_LARGE".to_owned(), message },
        // Without a Matrix error code it was no homeserver that spoke, but a proxy before it.
        _ if code.is_empty() => ClientError::Unknown(message),
        _ => ClientError::Refused { status, code, message },
    }
}
