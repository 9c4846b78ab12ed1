//! What is counted, and how it is written for Prometheus ([text format]).
//!
//! Counters and histograms are atomics: who counts takes no lock and allocates nothing. A page is written when somebody
//! asks for it. What there is to count is no affair of this module; the bridge has the table.
//!
//! [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of a histogram's buckets, in seconds.
const BOUNDS: [f64; 15] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 21_600.0];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took, by how often it took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for what took longer than all.
    buckets: [Counter; BOUNDS.len() + 1],
    microseconds: Counter,
}

impl Histogram {
    /// It took so long.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].count();
        self.microseconds.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How often it was observed.
    pub fn total(&self) -> u64 {
        self.buckets.iter().map(Counter::get).sum()
    }
}

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from the start of the process on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A [`Histogram`].
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Numbers that mean the same, told apart by labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What its numbers mean.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What is counted, in a sentence.
    pub help: &'static str,
}

/// What Prometheus gets.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A family begins; all its numbers follow.
    pub fn begin(&mut self, family: &Family) {
        let Family { name, kind, help, .. } = family;
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
    }

    /// A number, with the values of the family's labels.
    pub fn number(&mut self, family: &Family, values: &[&str], number: f64) {
        self.line(family.name, family.labels.iter().copied().zip(values.iter().copied()), number);
    }

    /// A histogram, with the values of the family's labels.
    pub fn histogram(&mut self, family: &Family, values: &[&str], histogram: &Histogram) {
        let labels = || family.labels.iter().copied().zip(values.iter().copied());
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let (bucket, mut total) = (format!("{}_bucket", family.name), 0);
        for (bound, counter) in bounds.zip(&histogram.buckets) {
            total += counter.get();
            self.line(&bucket, labels().chain([("le", bound.as_str())]), total as f64);
        }
        let sum = histogram.microseconds.get() as f64 / 1_000_000.0;
        self.line(&format!("{}_sum", family.name), labels(), sum);
        self.line(&format!("{}_count", family.name), labels(), total as f64);
    }

    fn line<'a>(&mut self, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>, number: f64) {
        let labels: Vec<String> =
            labels.map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {number}");
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: Family =
        Family { name: "x_seconds", kind: Kind::Histogram, labels: &["network"], help: "How long." };

    #[test]
    fn a_histogram_has_what_took_no_longer_than_each_bound_and_all_in_the_end() {
        let histogram = Histogram::default();
        for time in [10, 11, 500, 90_000_000] {
            histogram.observe(Duration::from_millis(time));
        }
        let mut page = Page::default();
        page.begin(&FAMILY);
        page.histogram(&FAMILY, &["libera"], &histogram);
        let text = page.finish();
        for line in [
            "# HELP x_seconds How long.",
            "# TYPE x_seconds histogram",
            r#"x_seconds_bucket{network="libera",le="0.01"} 1"#,
            r#"x_seconds_bucket{network="libera",le="0.025"} 2"#,
            r#"x_seconds_bucket{network="libera",le="0.5"} 3"#,
            r#"x_seconds_bucket{network="libera",le="21600"} 3"#,
            r#"x_seconds_bucket{network="libera",le="+Inf"} 4"#,
            r#"x_seconds_sum{network="libera"} 90000.521"#,
            r#"x_seconds_count{network="libera"} 4"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_value_can_not_end_its_label() {
        let family = Family { name: "x", kind: Kind::Gauge, labels: &["a", "b"], help: "" };
        let mut page = Page::default();
        page.number(&family, &["\"} 1\n", "\\"], 2.0);
        assert_eq!(page.finish(), "x{a=\"\\\"} 1\\n\",b=\"\\\\\"} 2\n");
    }
}
