//! What `/proc` tells of a process: its CPU time, its memory, and whether it is at rest.

use std::time::Duration;

/// How long it may take to come to rest: the people of a large channel come into its room in the background.
const LIMIT: Duration = Duration::from_mins(10);

/// What a process occupies, in MB.
#[derive(Default, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// Its share: pages that other processes have too count in part.
    pub(crate) proportional: f64,
}

/// A process that is measured, by its id.
#[derive(Clone, Copy)]
pub(crate) struct Vitals {
    id: u32,
}

impl Vitals {
    pub(crate) fn of(id: u32) -> Self {
        Self { id }
    }

    fn proc(self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.id);
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("the bridge has ended: {error}"))
    }

    /// The CPU time that it has used, in seconds, to the clock tick.
    pub(crate) fn cpu(self) -> f64 {
        /// Linux gives these times in hundredths of a second on every architecture.
        const TICKS: f64 = 100.0;
        let stat = self.proc("stat");
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / TICKS
    }

    /// How often its threads were put on a CPU.
    fn runs(self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id)).unwrap();
        let runs = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(2)?.parse::<u64>().ok()
        };
        tasks.flatten().filter_map(runs).sum()
    }

    /// Waits until it has done nothing for half a second.
    pub(crate) async fn wait_idle(self) {
        self.wait_still(Duration::from_millis(500), LIMIT, |vitals| (vitals.cpu() * 100.0) as u64).await;
    }

    /// Waits until none of its threads has run for some milliseconds: what followed the last line is over.
    pub(crate) async fn wait_asleep(self) {
        self.wait_still(Duration::from_millis(5), LIMIT, Self::runs).await;
    }

    /// Waits until this has not changed for so long.
    async fn wait_still(self, rest: Duration, limit: Duration, look: impl Fn(Self) -> u64) {
        let still = async {
            let mut before = look(self);
            loop {
                tokio::time::sleep(rest).await;
                let now = look(self);
                if now == before {
                    return;
                }
                before = now;
            }
        };
        tokio::time::timeout(limit, still).await.expect("the bridge comes to rest");
    }

    pub(crate) fn memory(self) -> Memory {
        let megabytes = |file: &str, key: &str| {
            let text = self.proc(file);
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            let kilobytes: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
            kilobytes / 1024.0
        };
        Memory { resident: megabytes("status", "VmRSS:"), proportional: megabytes("smaps_rollup", "Pss:") }
    }
}
