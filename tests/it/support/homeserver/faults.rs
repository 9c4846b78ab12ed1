//! Faults: what the homeserver does wrong, to which requests, how often.

use std::sync::{Arc, Mutex};

use serde_json::Value;

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Answered with this status and body, and not done.
    Status(u16, Value),
    /// Refused with 429 `M_LIMIT_EXCEEDED`, the wait in the body and in `Retry-After`.
    RateLimited { retry_after_ms: u64 },
    /// Never answered, and not done.
    Hang,
    /// The connection closes without an answer; not done.
    Drop,
    /// Done, and then the connection closes without an answer.
    AnswerLost,
}

#[derive(Debug)]
struct Rule {
    method: String,
    path: String,
    fault: Fault,
    times: usize,
    /// Only each so many-th of the requests that match.
    each: usize,
    seen: usize,
}

/// The faults in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<Rule>>>);

impl Faults {
    /// The next `times` requests of this method (empty: any) whose path holds `path` fail this way.
    /// Paths are compared with their percent signs resolved. Earlier rules go first.
    pub(crate) fn fail(&self, method: &str, path: &str, fault: Fault, times: usize) {
        self.fail_each(1, method, path, fault, times);
    }

    /// As [`Self::fail`], but only each so many-th of the requests that match.
    pub(crate) fn fail_each(&self, each: usize, method: &str, path: &str, fault: Fault, times: usize) {
        let rule = Rule { method: method.into(), path: path.into(), fault, times, each, seen: 0 };
        self.0.lock().unwrap().push(rule);
    }

    /// How many failures are still to come.
    pub(crate) fn remaining(&self) -> usize {
        self.0.lock().unwrap().iter().map(|rule| rule.times).sum()
    }

    /// Nothing fails from now on.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap();
        let matches =
            |rule: &Rule| (rule.method.is_empty() || rule.method == method) && path.contains(&rule.path);
        let at = rules.iter_mut().position(|rule| {
            rule.seen += usize::from(matches(rule));
            matches(rule) && rule.seen.is_multiple_of(rule.each)
        })?;
        rules[at].times -= 1;
        let fault = rules[at].fault.clone();
        rules.retain(|rule| rule.times > 0);
        Some(fault)
    }
}
