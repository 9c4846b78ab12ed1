//! The figures, as a table for people and as JSON for machines.

use std::time::Duration;

use serde_json::{Value, json};

use super::history::Figures;
use super::vitals::Memory;

/// Times of the same thing, in milliseconds.
#[derive(Default)]
pub(crate) struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    pub(crate) fn of(times: Vec<Duration>) -> Self {
        let mut sorted: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64() * 1000.0).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The time that this share of all was below.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let place = (self.sorted.len() as f64 * share) as usize;
        self.sorted.get(place.min(self.sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn text(&self) -> String {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| self.at(share));
        format!("p50 {p50:.2} ms   p95 {p95:.2} ms   p99 {p99:.2} ms")
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "p50_ms": self.at(0.5), "p95_ms": self.at(0.95), "p99_ms": self.at(0.99), "count": self.sorted.len() })
    }
}

pub(crate) fn row(name: &str, figures: &str, target: &str) -> String {
    format!("{name:<36} {figures:<50} {target}\n")
}

pub(crate) fn at_most(target: &str) -> String {
    if target.is_empty() { String::new() } else { format!("≤ {target}") }
}

#[derive(Default)]
pub(crate) struct Report {
    pub(crate) memory_without_session: Memory,
    pub(crate) memory_with_session: Memory,
    pub(crate) memory_after: Memory,
    pub(crate) irc_to_matrix: Spread,
    pub(crate) matrix_to_irc: Spread,
    pub(crate) burst_lines: usize,
    pub(crate) burst_per_second: f64,
    pub(crate) burst_cpu_ms: f64,
    pub(crate) burst_in_order: bool,
    pub(crate) start: Spread,
    pub(crate) sync: Spread,
    pub(crate) history: Figures,
}

impl Report {
    fn memories(&self) -> [(&'static str, &'static str, Memory, &'static str); 3] {
        [
            ("memory_without_session", "resident memory, no session", self.memory_without_session, ""),
            ("memory_with_session", "resident memory, one idle session", self.memory_with_session, "15 MB"),
            ("memory_after", "resident memory, after all this", self.memory_after, ""),
        ]
    }

    fn spreads(&self) -> [(&'static str, &'static str, &Spread, &'static str); 4] {
        [
            ("irc_to_matrix", "an IRC line → the homeserver", &self.irc_to_matrix, "2 ms"),
            ("matrix_to_irc", "a Matrix message → the IRC server", &self.matrix_to_irc, "2 ms"),
            ("start", "start → on IRC again", &self.start, ""),
            ("fdatasync", "one fdatasync on this disk", &self.sync, ""),
        ]
    }

    pub(crate) fn table(&self) -> String {
        let mut text = row("", "", "target");
        for (_, name, memory, target) in self.memories() {
            let figures = format!("{:.1} MB (PSS {:.1} MB)", memory.resident, memory.proportional);
            text.push_str(&row(name, &figures, &at_most(target)));
        }
        for (_, name, spread, target) in self.spreads() {
            text.push_str(&row(name, &spread.text(), &at_most(target)));
        }
        let order = if self.burst_in_order { "all in order" } else { "NOT all in order" };
        let figures =
            format!("{:.0} lines/s   {:.2} CPU ms/line   {order}", self.burst_per_second, self.burst_cpu_ms);
        text.push_str(&row(&format!("a burst of {} lines", self.burst_lines), &figures, ""));
        text
    }

    pub(crate) fn history_table(&self) -> String {
        let Figures { lines, per_second, searches } = &self.history;
        let figures = format!("{per_second:.0} lines/s, with their words");
        let mut text = row(&format!("{lines} lines of history"), &figures, "≥ 5,000 lines/s");
        for (name, spread, target) in searches {
            text.push_str(&row(&format!("search: {name}"), &spread.text(), &at_most(target)));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let mut all = json!({
            "burst": {
                "lines": self.burst_lines, "lines_per_second": self.burst_per_second,
                "cpu_ms_per_line": self.burst_cpu_ms, "in_order": self.burst_in_order,
            },
        });
        let searches = self.history.searches.iter();
        let searches: serde_json::Map<_, _> =
            searches.map(|(name, spread, _)| ((*name).to_owned(), spread.json())).collect();
        all["history"] = json!({
            "lines": self.history.lines, "lines_per_second": self.history.per_second, "searches": searches,
        });
        for (key, _, memory, _) in self.memories() {
            all[key] = json!({ "rss_mb": memory.resident, "pss_mb": memory.proportional });
        }
        for (key, _, spread, _) in self.spreads() {
            all[key] = spread.json();
        }
        all
    }
}
