//! `PUT /_matrix/app/v1/transactions/{id}`: the homeserver's side of the application service API.
//!
//! One transaction in flight, up to 100 events; any answer but 200 is retried with the same id and events,
//! after 20 ms, doubling to 500 ms (Synapse: 2 s to 8.5 min), or at once when a ping says that it is back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Shared;
use super::core::Transaction;
use super::faults::Fault;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Delivers transactions until it is cancelled.
pub(super) async fn push(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let ready = {
            let mut core = shared.read();
            let url = core.options.appservice_url.clone();
            url.and_then(|url| Some((url, core.transaction()?)))
        };
        let Some((url, transaction)) = ready else {
            shared.push.notified().await;
            continue;
        };
        query_users(&shared, &url, &transaction).await;
        if deliver(&shared, &url, &transaction).await {
            pause = FIRST_PAUSE;
            shared.change(|core| {
                core.in_flight = None;
                core.transactions_done += 1;
            });
        } else {
            drop(tokio::time::timeout(pause, shared.retry.notified()).await);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether the application service has taken it, as far as the homeserver learns.
async fn deliver(shared: &Shared, url: &str, transaction: &Transaction) -> bool {
    let path = format!("/_matrix/app/v1/transactions/{}", transaction.id);
    match shared.faults.take("PUT", &path) {
        None => put(shared, url, transaction).await,
        Some(Fault::Late(time)) => {
            tokio::time::sleep(time).await;
            put(shared, url, transaction).await
        }
        Some(Fault::AnswerLost | Fault::AnswerLostBehindEcho | Fault::Unanswered) => {
            put(shared, url, transaction).await;
            false
        }
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            false
        }
        Some(Fault::Status(..) | Fault::RateLimited { .. } | Fault::Hang | Fault::Drop) => false,
    }
}

async fn put(shared: &Shared, url: &str, transaction: &Transaction) -> bool {
    let (body, token) = {
        let core = shared.read();
        (
            core.transaction_body(transaction, super::super::clock::now()).to_string(),
            core.options.hs_token.clone(),
        )
    };
    let request = shared
        .client
        .put(format!("{url}/_matrix/app/v1/transactions/{}", transaction.id))
        .bearer_auth(token)
        .header("Content-Type", "application/json")
        .timeout(Duration::from_mins(1))
        .body(body);
    match request.send().await {
        Ok(answer) => {
            let accepted = answer.status() == 200;
            // Read to the end, so that the connection is used again.
            drop(answer.bytes().await);
            accepted
        }
        Err(_) => false,
    }
}

/// Asks for users of the namespace whom an event names and nobody registered; like Synapse, before delivering
/// the event, once for each attempt, and whatever the answer.
async fn query_users(shared: &Shared, url: &str, transaction: &Transaction) {
    let unknown: Vec<String> = {
        let core = shared.read();
        let events = transaction.events.iter().filter_map(|(room, id)| core.rooms.get(room)?.event(id));
        let named =
            events.filter(|event| event.kind == "m.room.member").filter_map(|event| event.state_key.clone());
        named
            .filter(|user| {
                core.is_appservice_user(user) && *user != core.bot() && !core.users.contains_key(user)
            })
            .collect()
    };
    for user in unknown {
        query(shared, url, &["users", &user]).await;
    }
}

/// Asks the application service about a user or an alias; true if it says that it exists.
pub(super) async fn query(shared: &Shared, url: &str, what: &[&str; 2]) -> bool {
    let token = shared.read().options.hs_token.clone();
    let mut address = reqwest::Url::parse(url).unwrap();
    address.path_segments_mut().unwrap().pop_if_empty().extend(["_matrix", "app", "v1"]).extend(what);
    let request = shared.client.get(address).bearer_auth(token).timeout(Duration::from_mins(1));
    request.send().await.is_ok_and(|answer| answer.status() == 200)
}

/// `POST /_matrix/app/v1/ping`: the answer's status and body, or why there was none.
pub(super) async fn ping(
    shared: &Shared,
    url: &str,
    transaction: Option<&str>,
) -> Result<(u16, String), reqwest::Error> {
    let token = shared.read().options.hs_token.clone();
    let body = transaction.map_or(json!({}), |id| json!({ "transaction_id": id }));
    let request = shared.client.post(format!("{url}/_matrix/app/v1/ping")).bearer_auth(token);
    let request = request.header("Content-Type", "application/json").body(body.to_string());
    let answer = request.timeout(Duration::from_mins(1)).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}
