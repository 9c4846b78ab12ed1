//! What the homeserver calls, over plain HTTP.

use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver;

const TRANSACTION: &str = "/_matrix/app/v1/transactions/1";

fn request(world: &World, method: Method, path: &str) -> RequestBuilder {
    homeserver::client().request(method, format!("{}{path}", world.appservice_url()))
}

/// A request with the right token: the status and the body.
pub(crate) async fn call(world: &World, method: Method, path: &str, body: &Value) -> (u16, Value) {
    answer(request(world, method, path).bearer_auth(world.homeserver.hs_token()).body(body.to_string())).await
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

#[rstest]
#[case::in_the_header(Some("hs-token"), None, 200, Value::Null)]
#[case::in_the_query_as_old_homeservers_do(None, Some("hs-token"), 200, Value::Null)]
#[case::in_both(Some("hs-token"), Some("hs-token"), 200, Value::Null)]
#[case::wrong_in_the_header(Some("wrong"), None, 403, json!("M_FORBIDDEN"))]
#[case::wrong_in_the_query(None, Some("wrong"), 403, json!("M_FORBIDDEN"))]
#[case::wrong_in_one_of_both(Some("hs-token"), Some("wrong"), 403, json!("M_FORBIDDEN"))]
#[case::wrong_in_the_other_of_both(Some("wrong"), Some("hs-token"), 403, json!("M_FORBIDDEN"))]
#[case::longer_than_the_right_one(Some("hs-token-and-more"), None, 403, json!("M_FORBIDDEN"))]
#[case::the_bridges_own_token(Some("as-token"), None, 403, json!("M_FORBIDDEN"))]
#[case::nowhere(None, None, 401, json!("M_UNAUTHORIZED"))]
#[tokio::test]
async fn a_call_needs_the_homeservers_token(
    #[case] header: Option<&str>,
    #[case] query: Option<&str>,
    #[case] status: u16,
    #[case] code: Value,
) {
    let world = World::start().await;
    let right = |token: &str| {
        let token = token.replace("hs-token", &world.homeserver.hs_token());
        token.replace("as-token", &world.homeserver.as_token())
    };
    for path in [TRANSACTION, "/transactions/1"] {
        let query = query.map(|token| format!("?access_token={}", right(token))).unwrap_or_default();
        let mut call = request(&world, Method::PUT, &format!("{path}{query}")).body(r#"{"events":[]}"#);
        if let Some(token) = header {
            call = call.bearer_auth(right(token));
        }
        let (found, body) = answer(call).await;
        assert_eq!((found, &body["errcode"]), (status, &code), "{path}");
    }
}

#[tokio::test]
async fn paths_are_known_or_unrecognized_and_methods_fit_them() {
    let world = World::start().await;
    let known = [
        (Method::PUT, "/_matrix/app/v1/transactions/7", 200),
        (Method::POST, "/_matrix/app/v1/ping", 200),
        (Method::GET, "/_matrix/app/v1/users/@stranger:test.local", 404),
        (Method::GET, "/_matrix/app/v1/users/@towline:test.local", 200),
        (Method::GET, "/_matrix/app/v1/rooms/%23irc_x:test.local", 404),
        (Method::GET, "/_matrix/app/v1/thirdparty/protocol/irc", 200),
        (Method::GET, "/_matrix/app/v1/thirdparty/protocol/gopher", 404),
        (Method::GET, "/_matrix/app/v1/thirdparty/user/irc?nickname=bob", 200),
        (Method::GET, "/_matrix/app/v1/thirdparty/location/irc", 200),
        (Method::GET, "/_matrix/app/v1/thirdparty/user?userid=@a:b", 200),
        (Method::GET, "/_matrix/app/v1/thirdparty/location?alias=%23a:b", 200),
        // From before the API had versions.
        (Method::PUT, "/transactions/8", 200),
        (Method::GET, "/users/@stranger:test.local", 404),
        (Method::GET, "/rooms/%23irc_x:test.local", 404),
        (Method::GET, "/_matrix/app/unstable/thirdparty/protocol/irc", 200),
    ];
    for (method, path, wanted) in known {
        let (status, body) = call(&world, method, path, &json!({ "events": [] })).await;
        assert_eq!(status, wanted, "{path}");
        assert_ne!(body["errcode"], "M_UNRECOGNIZED", "{path}");
        let (status, body) = call(&world, Method::DELETE, path, &json!({})).await;
        assert_eq!((status, &body["errcode"]), (405, &json!("M_UNRECOGNIZED")), "{path}");
    }
    for path in ["/_matrix/app/v1/keys/claim", "/_matrix/app/v2/ping", "/", "/_matrix/client/versions"] {
        let (status, body) = call(&world, Method::POST, path, &json!({})).await;
        assert_eq!((status, &body["errcode"]), (404, &json!("M_UNRECOGNIZED")), "{path}");
    }
}

#[tokio::test]
async fn the_directory_of_protocols_lists_the_networks() {
    let world = World::start().await;
    let (_, body) = call(&world, Method::GET, "/_matrix/app/v1/thirdparty/protocol/irc", &json!({})).await;
    let instances = body["instances"].as_array().unwrap();
    let fake = instances.iter().find(|one| one["network_id"] == "fake").unwrap();
    assert_eq!((&fake["desc"], &fake["fields"]["network"]), (&json!("FakeNet"), &json!("fake")));
    // Synapse drops a protocol that lacks one of these.
    for key in ["user_fields", "location_fields", "icon", "field_types", "instances"] {
        assert!(!body[key].is_null(), "{key}");
    }
    for field in
        body["user_fields"].as_array().unwrap().iter().chain(body["location_fields"].as_array().unwrap())
    {
        assert!(body["field_types"][field.as_str().unwrap()]["regexp"].is_string(), "{field}");
    }
}

#[tokio::test]
async fn a_ghost_that_is_asked_for_exists_from_then_on() {
    let world = World::start().await;
    let ghost = "@irc_fake_bob:test.local";
    let path = format!("/_matrix/app/v1/users/{ghost}");
    assert_eq!(call(&world, Method::GET, &path, &json!({})).await.0, 200);
    assert!(world.homeserver.is_registered(ghost));
    assert_eq!(world.homeserver.displayname(ghost).as_deref(), Some("bob"));
    for unknown in
        ["@irc_unknown_bob:test.local", "@irc_fake_:test.local", "@irc_fake_bob:elsewhere", "nonsense"]
    {
        let (status, _) =
            call(&world, Method::GET, &format!("/_matrix/app/v1/users/{unknown}"), &json!({})).await;
        assert_eq!(status, 404, "{unknown}");
        assert!(!world.homeserver.is_registered(unknown));
    }
}

#[tokio::test]
async fn a_transaction_of_fifteen_mebibytes_is_taken_and_one_beyond_the_limit_is_refused_without_harm() {
    let world = World::start().await;
    let (_, control) = world.user_with_control_room("alice").await;
    let transaction = |id: &str, text: &str, bytes: usize| {
        let filler = "x".repeat(60_000);
        let mut events: Vec<Value> = (0..bytes / 60_200)
            .map(|number| json!({ "event_id": format!("${id}{number}"), "room_id": "!other:test.local", "sender": "@a:b",
                "type": "m.room.message", "content": { "body": filler } }))
            .collect();
        events.push(json!({ "event_id": format!("${id}"), "room_id": control, "sender": "@alice:test.local",
            "type": "m.room.message", "content": { "msgtype": "m.text", "body": text } }));
        json!({ "events": events })
    };
    let large = transaction("large", "no-such-command", 15 << 20);
    assert!(large.to_string().len() > 15 << 20 >> 1);
    assert_eq!(call(&world, Method::PUT, TRANSACTION, &large).await.0, 200);
    world.homeserver.wait_event(&control, |event| event.body().contains("no-such-command")).await;
    // The answer comes before the body is read, so that the connection may end while it is written.
    let beyond = request(&world, Method::PUT, TRANSACTION)
        .bearer_auth(world.homeserver.hs_token())
        .body(transaction("beyond", "too-much", 17 << 20).to_string());
    if let Ok(answer) = beyond.send().await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(call(&world, Method::PUT, TRANSACTION, &transaction("next", "another", 0)).await.0, 200);
    world.homeserver.wait_event(&control, |event| event.body().contains("another")).await;
}

#[rstest]
#[case::no_json("{", 400)]
#[case::no_object("7", 400)]
#[case::events_of_another_type(r#"{"events":5}"#, 400)]
#[case::no_events("{}", 200)]
#[case::only_ephemeral_ones(
    r#"{"events":[],"ephemeral":[{"type":"m.typing"}],"de.sorunome.msc2409.ephemeral":[]}"#,
    200
)]
#[tokio::test]
async fn an_envelope_is_read_or_refused(#[case] body: &str, #[case] status: u16) {
    let world = World::start().await;
    let call = request(&world, Method::PUT, TRANSACTION)
        .bearer_auth(world.homeserver.hs_token())
        .body(body.to_owned());
    assert_eq!(answer(call).await.0, status);
}

#[tokio::test]
async fn health_needs_no_token_and_readiness_follows_the_database() {
    let world = World::start().await;
    assert_eq!(answer(request(&world, Method::GET, "/health")).await.0, 200);
    assert_eq!(answer(request(&world, Method::GET, "/ready")).await.0, 200);
    // Nothing else answers without one.
    assert_eq!(answer(request(&world, Method::GET, "/metrics")).await.0, 401);
}

#[tokio::test]
async fn who_has_the_homeservers_token_hears_whether_typing_notices_arrive() {
    let world = World::start().await;
    let heard = async || call(&world, Method::GET, "/_towline/heard", &Value::Null).await;
    let (status, body) = heard().await;
    let before = body["ephemeral"].as_u64().unwrap();
    assert_eq!(status, 200);
    let typing = json!({ "type": "m.typing", "room_id": "!nowhere:test", "content": { "user_ids": [] } });
    for (key, body) in [
        ("ephemeral", json!({ "events": [], "ephemeral": [typing] })),
        ("old", json!({ "events": [], "de.sorunome.msc2409.ephemeral": [typing] })),
        ("none", json!({ "events": [], "ephemeral": [] })),
    ] {
        let path = format!("/_matrix/app/v1/transactions/heard-{key}");
        assert_eq!(call(&world, Method::PUT, &path, &body).await.0, 200);
    }
    assert_eq!(heard().await.1["ephemeral"].as_u64(), Some(before + 2));
    let (status, _) = answer(request(&world, Method::GET, "/_towline/heard")).await;
    assert_eq!(status, 401);
}
