//! What `/metrics` tells: the one table, from which docs/metrics.md is written.
//!
//! The values of labels are bounded: words of ours, networks that administrators have named, codes of the specification. No user,
//! room, nick or channel is ever one.

use std::fmt::Write as _;

use crate::metrics::{Family, Kind};

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind, labels, help }
}

pub(super) const SESSIONS: Family = family(
    "towline_sessions",
    Kind::Gauge,
    &["network", "state"],
    "Sessions, by how they stand: connected, connecting, waiting, stuck or idle.",
);
pub(super) const LAG: Family = family(
    "towline_irc_lag_seconds",
    Kind::Gauge,
    &["network", "of"],
    "How long the server took to answer last, of all connected sessions: the median and the largest.",
);
pub(super) const TURNS: Family = family(
    "towline_irc_connections_queued",
    Kind::Gauge,
    &["network"],
    "Sessions that wait for their turn to connect.",
);
pub(super) const CONNECTIONS: Family = family(
    "towline_irc_connections_total",
    Kind::Counter,
    &["network"],
    "Connections that the network has taken.",
);
pub(super) const DISCONNECTIONS: Family = family(
    "towline_irc_disconnections_total",
    Kind::Counter,
    &["network", "cause"],
    "Connections that ended or never came to be, unless their user wanted that: unreachable, lost, refused, throttled, \
     banned, tls (the server wants it) or needs_user.",
);
pub(super) const TO_IRC: Family = family(
    "towline_delivery_to_irc_seconds",
    Kind::Histogram,
    &["network"],
    "From a message of Matrix being taken up by its session until the IRC server had all of it.",
);
pub(super) const TO_MATRIX: Family = family(
    "towline_delivery_to_matrix_seconds",
    Kind::Histogram,
    &[],
    "From a request being stored until the homeserver had carried it out.",
);
pub(super) const LINES: Family = family(
    "towline_irc_lines_total",
    Kind::Counter,
    &["network", "outcome"],
    "Lines to IRC, by what became of them: confirmed, refused or uncertain. Who sent one of the last two was told.",
);
pub(super) const NOT_SHOWN: Family = family(
    "towline_irc_lines_not_shown_total",
    Kind::Counter,
    &["network", "reason"],
    "Lines from IRC that no event shows: folded (the room's queue was full; the history has them, and one event stands \
     for them) or malformed.",
);
pub(super) const QUEUE: Family = family(
    "towline_queue_length",
    Kind::Gauge,
    &["queue"],
    "What waits in the stored queues: inbox (events from the homeserver), outbox (requests to it) and lines (to IRC).",
);
pub(super) const OLDEST: Family = family(
    "towline_queue_oldest_seconds",
    Kind::Gauge,
    &["queue"],
    "For how long the oldest of what waits in a queue has waited; 0 where nothing waits.",
);
pub(super) const SET_ASIDE: Family = family(
    "towline_set_aside_total",
    Kind::Counter,
    &["queue", "reason"],
    "What could not be dealt with and stops nothing behind it: requests that the homeserver refuses for good, by its \
     code, and events that failed.",
);
pub(super) const PASSING_DROPPED: Family = family(
    "towline_passing_dropped_total",
    Kind::Counter,
    &[],
    "Transactions of which typing notices or receipts were dropped, since too many waited.",
);
pub(super) const TRANSACTIONS: Family = family(
    "towline_homeserver_transactions_total",
    Kind::Counter,
    &["outcome"],
    "Transactions from the homeserver: taken, or failed, which it repeats.",
);
pub(super) const REQUESTS: Family = family(
    "towline_homeserver_requests_total",
    Kind::Counter,
    &["outcome"],
    "Requests to the homeserver: done, unreachable, unknown (no usable answer), limited or refused. Some questions are \
     refused where all is well: whether there is such a state, for instance.",
);
pub(super) const RETRIES: Family = family(
    "towline_homeserver_retries_total",
    Kind::Counter,
    &[],
    "Pauses before a request to the homeserver is made again.",
);
pub(super) const DATABASE_UP: Family =
    family("towline_database_up", Kind::Gauge, &[], "Whether the database answers.");
pub(super) const COMMITS: Family = family(
    "towline_database_commits_total",
    Kind::Counter,
    &["outcome"],
    "Transactions of the database: done or failed.",
);
pub(super) const PARTS: Family = family(
    "towline_entries",
    Kind::Gauge,
    &["part"],
    "How much the parts hold in memory: tasks, nicks, ghost_memberships, requests_under_way, rooms_loaded, \
     rooms_ushered, and the workers of deliveries, departures, desks and spaces.",
);
pub(super) const INFO: Family = family("towline_info", Kind::Gauge, &["version"], "1, with the version.");
pub(super) const MEMORY: Family =
    family("process_resident_memory_bytes", Kind::Gauge, &[], "Memory that the process has, on Linux.");
pub(super) const STARTED: Family = family(
    "process_start_time_seconds",
    Kind::Gauge,
    &[],
    "When the bridge was started, in seconds since 1970.",
);

/// All of them, in the order of the page.
pub const FAMILIES: [Family; 22] = [
    SESSIONS,
    LAG,
    TURNS,
    CONNECTIONS,
    DISCONNECTIONS,
    TO_IRC,
    TO_MATRIX,
    LINES,
    NOT_SHOWN,
    QUEUE,
    OLDEST,
    SET_ASIDE,
    PASSING_DROPPED,
    TRANSACTIONS,
    REQUESTS,
    RETRIES,
    DATABASE_UP,
    COMMITS,
    PARTS,
    INFO,
    MEMORY,
    STARTED,
];

/// `docs/metrics.md`.
#[must_use]
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for Family { name, kind, labels, help } in FAMILIES {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(text, "| `{name}` | {} | {} | {help} |", kind.word(), labels.join(", "));
    }
    text
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Written from src/bridge/metrics/families.rs; a test compares. To write it anew: UPDATE_DOCS=1 cargo test --test it -->

With `metrics.enabled: true`, Towline tells Prometheus how it is, at `http://127.0.0.1:9011/metrics` (`metrics.listen`).
Nobody is asked for a password there, so keep the port to those who may know how many people use the bridge, and how
much. Users, rooms, nicks and channels are never named.

```yaml
# prometheus.yml
scrape_configs:
  - job_name: towline
    static_configs: [{ targets: [\"127.0.0.1:9011\"] }]
rule_files: [towline-alerts.yaml]
```

[towline-alerts.yaml](metrics/towline-alerts.yaml) has rules for what somebody should look at, and
[towline-dashboard.json](metrics/towline-dashboard.json) is a dashboard to import into Grafana.

- Counters and histograms count from the start of the process on.
- `network` is the short name of a network that is for all, or `other`.
- While Towline waits for its homeserver at the start, nothing answers there.

| Name | Kind | Labels | |
|---|---|---|---|
";
