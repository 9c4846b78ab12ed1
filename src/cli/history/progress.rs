//! How far it is, on the standard error of somebody who watches.

use std::io::{IsTerminal as _, Write as _};

/// Lines between two reports.
const STEP: u64 = 10_000;

/// A count that is shown on a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    is_watched: bool,
    count: u64,
    shown: u64,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, is_watched: std::io::stderr().is_terminal(), count: 0, shown: 0 }
    }

    pub(super) fn add(&mut self, lines: usize) {
        self.count += lines as u64;
        if self.is_watched && self.count - self.shown >= STEP {
            self.shown = self.count;
            // Nobody needs it, so nothing fails without it.
            let _ = write!(std::io::stderr(), "\r{} lines {}", self.count, self.what);
        }
    }

    pub(super) fn end(self) -> u64 {
        if self.shown > 0 {
            let _ = writeln!(std::io::stderr(), "\r{} lines {}", self.count, self.what);
        }
        self.count
    }
}
