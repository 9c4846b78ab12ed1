//! What clients look up by the homeserver: which room shows a channel, which id a nick has, and the other way round
//! ([specification]).
//!
//! [specification]: https://spec.matrix.org/v1.19/application-service-api/#third-party-networks

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::{Appservice, Context, error, url_form};

/// The one protocol there is.
const PROTOCOL: &str = "irc";

/// Something on a network of IRC, and what it is in Matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The network's slug.
    pub network: String,
    /// The channel, or the nick.
    pub name: String,
    /// The alias of its room, or the id of its ghost.
    pub id: String,
}

impl Found {
    fn location(&self) -> Value {
        let fields = json!({ "network": self.network, "channel": self.name });
        json!({ "alias": self.id, "protocol": PROTOCOL, "fields": fields })
    }

    fn user(&self) -> Value {
        let fields = json!({ "network": self.network, "nickname": self.name });
        json!({ "userid": self.id, "protocol": PROTOCOL, "fields": fields })
    }
}

pub(super) fn router<A: Appservice>() -> Router<Context<A>> {
    Router::new()
        .route("/protocol/{protocol}", get(protocol::<A>))
        .route("/location/{protocol}", get(location::<A>))
        .route("/user/{protocol}", get(user::<A>))
        .route("/location", get(alias::<A>))
        .route("/user", get(ghost::<A>))
}

fn another_protocol() -> Response {
    error(StatusCode::NOT_FOUND, "M_NOT_FOUND", "this bridge speaks irc")
}

/// The first value of this name in a query string, if it is not empty.
fn field(query: Option<&str>, name: &str) -> Option<String> {
    let (_, value) = url_form(query?).find(|(known, _)| known == name)?;
    Some(value).filter(|value| !value.is_empty())
}

async fn protocol<A: Appservice>(
    State(context): State<Context<A>>,
    Path(protocol): Path<String>,
) -> Response {
    if protocol != PROTOCOL {
        return another_protocol();
    }
    let instances: Vec<Value> = context
        .appservice
        .networks()
        .into_iter()
        .map(|(slug, name)| json!({ "desc": name, "network_id": slug, "fields": { "network": slug } }))
        .collect();
    let text = |placeholder: &str| json!({ "regexp": "[^ ,]+", "placeholder": placeholder });
    Json(json!({
        "user_fields": ["network", "nickname"],
        "location_fields": ["network", "channel"],
        "icon": "",
        "field_types": { "network": text("libera"), "nickname": text("nick"), "channel": text("#channel") },
        "instances": instances,
    }))
    .into_response()
}

async fn location<A: Appservice>(
    State(context): State<Context<A>>,
    Path(protocol): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if protocol != PROTOCOL {
        return another_protocol();
    }
    let query = query.as_deref();
    let found = match field(query, "channel") {
        Some(channel) => context.appservice.find_channel(field(query, "network").as_deref(), &channel).await,
        None => Vec::new(),
    };
    Json(found.iter().map(Found::location).collect::<Value>()).into_response()
}

async fn user<A: Appservice>(
    State(context): State<Context<A>>,
    Path(protocol): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if protocol != PROTOCOL {
        return another_protocol();
    }
    let query = query.as_deref();
    let found = match field(query, "nickname") {
        Some(nick) => context.appservice.find_nick(field(query, "network").as_deref(), &nick).await,
        None => Vec::new(),
    };
    Json(found.iter().map(Found::user).collect::<Value>()).into_response()
}

async fn alias<A: Appservice>(State(context): State<Context<A>>, RawQuery(query): RawQuery) -> Json<Value> {
    let found = match field(query.as_deref(), "alias") {
        Some(alias) => context.appservice.channel_of_alias(&alias).await,
        None => None,
    };
    Json(found.iter().map(Found::location).collect())
}

async fn ghost<A: Appservice>(State(context): State<Context<A>>, RawQuery(query): RawQuery) -> Json<Value> {
    let found = match field(query.as_deref(), "userid") {
        Some(user_id) => context.appservice.nick_of_ghost(&user_id).await,
        None => None,
    };
    Json(found.iter().map(Found::user).collect())
}
