//! The figures: what each is, what is wanted of it, and the table and the JSON of both bridges beside each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Floor;

/// What was measured of one bridge, by key; or why it could not be.
pub(crate) type Results = BTreeMap<&'static str, Result<f64, String>>;

/// What is wanted of a figure.
#[derive(Clone, Copy)]
enum Target {
    None,
    AtMost(f64),
    AtLeast(f64),
    /// At most so much, and at most so many times the floor's latency.
    Latency(f64, f64),
    /// At least this share of the floor's rate.
    OfFloor(f64),
}

/// A figure of the table.
struct Figure {
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    decimals: usize,
    target: Target,
}

const fn figure(
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    decimals: usize,
    target: Target,
) -> Figure {
    Figure { key, name, unit, decimals, target }
}

const FIGURES: &[Figure] = &[
    figure("to_matrix_idle", "IRC → Matrix, idle, median", "ms", 2, Target::Latency(1.0, 2.0)),
    figure("to_matrix_idle_99", "IRC → Matrix, idle, 99 %", "ms", 2, Target::None),
    figure("stream", "IRC → Matrix, 20 lines/s, median", "ms", 2, Target::AtMost(1.0)),
    figure("stream_95", "IRC → Matrix, 20 lines/s, 95 %", "ms", 2, Target::None),
    figure("stream_99", "IRC → Matrix, 20 lines/s, 99 %", "ms", 2, Target::AtMost(5.0)),
    figure("stream_cpu", "CPU for one of these lines", "ms", 2, Target::None),
    figure("stream_requests", "HTTP requests for one of these lines", "", 2, Target::None),
    figure("to_irc", "Matrix → IRC, idle, median", "ms", 2, Target::AtMost(1.5)),
    figure("to_irc_99", "Matrix → IRC, idle, 99 %", "ms", 2, Target::None),
    figure("burst", "burst, 10 nicks in runs of 50, in order", "lines/s", 0, Target::AtLeast(15_000.0)),
    figure("burst_cpu", "CPU for that burst", "s", 2, Target::AtMost(0.15)),
    figure("burst_requests", "HTTP requests for one of its lines", "", 3, Target::None),
    figure("alternating", "burst, 10 nicks alternating, in order", "lines/s", 0, Target::OfFloor(0.8)),
    figure("alternating_cpu", "CPU for that burst", "s", 2, Target::None),
    figure("alternating_requests", "HTTP requests for one of its lines", "", 3, Target::None),
    figure("memory_idle", "resident memory, idle, one user", "MB", 1, Target::AtMost(12.0)),
    figure("memory_after_burst", "resident memory after the first burst", "MB", 1, Target::AtMost(20.0)),
    figure("memory_per_user", "memory for a user with 10 channels", "KB", 0, Target::AtMost(60.0)),
    figure("users_cpu", "CPU to set up 50 users with 10 channels", "s", 2, Target::AtMost(1.0)),
    figure("users_seconds", "time to set them up", "s", 1, Target::None),
    figure("users_requests", "HTTP requests to set them up", "", 0, Target::None),
    figure("restart", "restart until they are back, pacing off", "s", 1, Target::AtMost(3.0)),
    figure("restart_paced", "the same with the pacing that ships", "s", 1, Target::AtMost(30.0)),
    figure("members_1000", "joined #1,000 → first line in the room", "ms", 0, Target::None),
    figure("members_1000_lost", "lines lost meanwhile", "", 0, Target::None),
    figure("members_1000_cpu", "CPU to open it", "s", 2, Target::None),
    figure("members_1000_requests", "HTTP requests to open it", "", 0, Target::None),
    figure("members_5000", "joined #5,000 → first line in the room", "ms", 0, Target::None),
    figure("members_5000_lost", "lines lost meanwhile", "", 0, Target::None),
    figure("members_5000_cpu", "CPU to open it", "s", 2, Target::None),
    figure("members_5000_requests", "HTTP requests to open it", "", 0, Target::None),
];

/// Everything that was measured.
pub(crate) struct Comparison {
    /// One `fdatasync`, in milliseconds.
    pub(crate) sync: f64,
    pub(crate) floor: Floor,
    pub(crate) ours: Results,
    pub(crate) theirs: Results,
}

/// A row, ready to be shown.
struct Row {
    figure: &'static Figure,
    ours: Option<f64>,
    theirs: Option<f64>,
    /// How many times better ours is.
    ratio: Option<f64>,
    target: String,
    met: Option<bool>,
}

impl Comparison {
    fn rows(&self) -> Vec<Row> {
        let tried =
            |figure: &&Figure| self.ours.contains_key(figure.key) || self.theirs.contains_key(figure.key);
        FIGURES.iter().filter(tried).map(|figure| self.row(figure)).collect()
    }

    fn row(&self, figure: &'static Figure) -> Row {
        let value =
            |results: &Results| results.get(figure.key).and_then(|result| result.as_ref().ok().copied());
        let (ours, theirs) = (value(&self.ours), value(&self.theirs));
        let more_is_better = figure.unit == "lines/s";
        let ratio = ours.zip(theirs).and_then(|(ours, theirs)| {
            let (better, worse) = if more_is_better { (ours, theirs) } else { (theirs, ours) };
            (worse > 0.0).then(|| better / worse)
        });
        let number = |value: f64| format!("{value:.*} {}", figure.decimals, figure.unit);
        let (target, met) = match figure.target {
            Target::None => (String::new(), None),
            Target::AtMost(most) => {
                (format!("≤ {most} {}", figure.unit), Some(ours.is_some_and(|ours| ours <= most)))
            }
            Target::AtLeast(least) => {
                (format!("≥ {}", number(least)), Some(ours.is_some_and(|ours| ours >= least)))
            }
            Target::Latency(most, times) => {
                let limit = most.min(times * self.floor.latency);
                let text = format!("≤ {most} {} and ≤ {times} × the floor", figure.unit);
                (text, Some(ours.is_some_and(|ours| ours <= limit)))
            }
            Target::OfFloor(share) => {
                let least = share * self.floor.rate;
                (format!("≥ {share} × the floor"), Some(ours.is_some_and(|ours| ours >= least)))
            }
        };
        Row { figure, ours, theirs, ratio, target, met }
    }

    /// How many targets there are, and how many are met.
    fn targets(&self) -> (usize, usize) {
        let judged: Vec<bool> = self.rows().iter().filter_map(|row| row.met).collect();
        (judged.iter().filter(|met| **met).count(), judged.len())
    }

    /// Whether everything could be measured.
    pub(crate) fn is_complete(&self) -> bool {
        self.ours.values().chain(self.theirs.values()).all(Result::is_ok)
    }

    pub(crate) fn table(&self) -> String {
        let shown = |figure: &Figure, value: Option<f64>| {
            value.map_or("failed".to_owned(), |value| format!("{value:.*} {}", figure.decimals, figure.unit))
        };
        let mut text = row("", "Towline", "Heisenbridge", "ratio", "         target");
        for line in self.rows() {
            let ratio = line.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let met = line.met.map_or("", |met| if met { "met" } else { "NOT met" });
            let target = format!("{met:<8} {}", line.target);
            let (ours, theirs) = (shown(line.figure, line.ours), shown(line.figure, line.theirs));
            text.push_str(&row(line.figure.name, &ours, &theirs, &ratio, target.trim_end()));
        }
        let Floor { latency, stream, rate } = self.floor;
        let _ = write!(
            text,
            "\nThe ratio says how many times better Towline is. Flood control and, but for the last restart, the \
             pacing of\nconnections are off in both. The floor, which only forwards: {latency:.2} ms idle, \
             {stream:.2} ms at 20 lines/s,\n{rate:.0} lines/s. One fdatasync: {:.2} ms.\n",
            self.sync
        );
        for (name, results) in [("Towline", &self.ours), ("Heisenbridge", &self.theirs)] {
            for (key, why) in results.iter().filter_map(|(key, result)| Some((key, result.as_ref().err()?))) {
                let _ = writeln!(text, "{name}: {key} failed: {why}");
            }
        }
        let (met, all) = self.targets();
        let _ = writeln!(text, "{met} of {all} targets met");
        text
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.rows().into_iter().map(|row| {
            json!({
                "key": row.figure.key, "name": row.figure.name, "unit": row.figure.unit,
                "decimals": row.figure.decimals, "towline": row.ours, "heisenbridge": row.theirs,
                "ratio": row.ratio, "target": row.target, "met": row.met,
            })
        });
        let (met, all) = self.targets();
        json!({
            "figures": rows.collect::<Vec<_>>(),
            "floor": {
                "latency_ms": self.floor.latency,
                "stream_ms": self.floor.stream,
                "lines_per_second": self.floor.rate,
            },
            "fdatasync_ms": self.sync, "targets_met": met, "targets": all,
        })
    }
}

fn row(name: &str, ours: &str, theirs: &str, ratio: &str, target: &str) -> String {
    format!("{name:<42} {ours:>14} {theirs:>14} {ratio:>8}   {target}\n")
}
