//! What Prometheus is told, and that the documents name nothing else.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::json;
use towline::bridge::metrics::families::{FAMILIES, document};
use towline::metrics::Kind;

use crate::config::holds;
use crate::support::bridge::World;
use crate::support::homeserver::{Fault, LIMIT};
use crate::support::ports::free_port;

/// A world whose bridge tells how it is, and where.
async fn told_world() -> (World, String) {
    let port = free_port();
    let section = format!("metrics: {{ enabled: true, listen: \"127.0.0.1:{port}\" }}\n");
    (World::builder().config(&section).start().await, format!("http://127.0.0.1:{port}/metrics"))
}

async fn page(url: &str) -> String {
    let response = towline::matrix::http::client().unwrap().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    response.text().await.unwrap()
}

/// The number that a line of the page has.
fn number(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

/// Asks until a number is at least so large.
async fn wait_number(url: &str, name: &str, least: f64) -> String {
    let mut last = String::new();
    let reached = async {
        loop {
            last = page(url).await;
            if number(&last, name).is_some_and(|found| found >= least) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(LIMIT, reached).await.is_ok();
    assert!(in_time, "{name} does not come to {least}:\n{last}");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_counted_and_nobody_is_named() {
    let (world, url) = told_world().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    alice.send_text(&room, "hi bob");
    bob.wait_text("hi bob").await;

    wait_number(&url, "towline_irc_lines_total{network=\"fake\",outcome=\"confirmed\"}", 1.0).await;
    wait_number(&url, "towline_delivery_to_irc_seconds_count{network=\"fake\"}", 1.0).await;
    let page = wait_number(&url, "towline_delivery_to_matrix_seconds_count", 1.0).await;
    for (name, least) in [
        ("towline_sessions{network=\"fake\",state=\"connected\"}", 1.0),
        ("towline_irc_connections_total{network=\"fake\"}", 1.0),
        ("towline_homeserver_requests_total{outcome=\"done\"}", 5.0),
        ("towline_homeserver_transactions_total{outcome=\"taken\"}", 2.0),
        ("towline_database_commits_total{outcome=\"done\"}", 5.0),
        ("towline_database_up", 1.0),
        ("towline_entries{part=\"nicks\"}", 2.0),
    ] {
        assert!(number(&page, name).is_some_and(|found| found >= least), "{name} in\n{page}");
    }
    for family in FAMILIES {
        let kind = format!("# TYPE {} {}\n", family.name, family.kind.word());
        assert_eq!(page.matches(&kind).count(), 1, "{} in\n{page}", family.name);
    }
    for secret in ["alice", "bob", "rust", "test.local", "hello", "@", "!"] {
        assert!(!page.contains(secret), "{secret} in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_is_set_aside_is_told() {
    let (world, url) = told_world().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    // What stands in the network's room may still be on its way.
    let sends = format!("/rooms/{room}/send/");
    let refused = "towline_set_aside_total{queue=\"outbox\",reason=\"M_TOO_LARGE\"}";
    assert_eq!(number(&page(&url).await, refused), Some(0.0));
    world.homeserver.faults().fail(
        "PUT",
        &sends,
        Fault::Status(413, json!({ "errcode": "M_TOO_LARGE", "error": "too large" })),
        1,
    );
    bob.say("#rust", "too much");
    wait_number(&url, refused, 1.0).await;

    world.homeserver.faults().fail("PUT", &sends, Fault::Hang, 1);
    bob.say("#rust", "on its way");
    wait_number(&url, "towline_queue_length{queue=\"outbox\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configuration_nothing_is_told() {
    let world = World::start().await;
    world.connected_user("alice").await;
    let url = format!("{}/metrics", world.appservice_url());
    let response = towline::matrix::http::client().unwrap().get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);
}

#[test]
fn the_documentation_lists_every_metric() {
    holds("docs/metrics.md", &document());
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_exist() {
    let dashboard = include_str!("../../docs/metrics/towline-dashboard.json");
    let alerts = include_str!("../../docs/metrics/towline-alerts.yaml");
    serde_json::from_str::<serde_json::Value>(dashboard).unwrap();
    serde_yaml::from_str::<serde_yaml::Value>(alerts).unwrap();
    let known: BTreeSet<String> = FAMILIES
        .iter()
        .flat_map(|family| match family.kind {
            Kind::Histogram => {
                ["bucket", "sum", "count"].map(|end| format!("{}_{end}", family.name)).to_vec()
            }
            Kind::Counter | Kind::Gauge => vec![family.name.to_owned()],
        })
        .collect();
    let labels: BTreeSet<&str> =
        FAMILIES.iter().flat_map(|family| family.labels).copied().chain(["le", "job"]).collect();
    let names = Regex::new(r"\b(?:towline|process)_[a-z_]+").unwrap();
    let matchers = Regex::new(r"[{,(]\s*([a-z]+)=~?\\?").unwrap();
    for (document, text) in [("the dashboard", dashboard), ("the alerts", alerts)] {
        let named: BTreeSet<&str> = names.find_iter(text).map(|found| found.as_str()).collect();
        assert!(named.len() > 8, "{document} names only {named:?}");
        for name in named {
            assert!(known.contains(name), "{document} names {name}, which there is not");
        }
        for found in matchers.captures_iter(text) {
            let label = found.get(1).unwrap().as_str();
            assert!(labels.contains(label), "{document} asks for {label}, which is no label");
        }
    }
}
