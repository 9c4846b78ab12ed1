//! Faults: what the homeserver does wrong, to which requests, how often.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::random::Random;

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
    /// No answer for so long, and then the connection closes; not done.
    Stall(Duration),
    /// Done and answered, but only after so long.
    Late(Duration),
    /// Done, and then the connection closes without an answer.
    AnswerLost,
    /// The same, but only when the application service has taken every event.
    AnswerLostBehindEcho,
    /// Done and never answered.
    Unanswered,
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

/// Faults at random, in both directions.
#[derive(Debug)]
struct Storm {
    random: Random,
    percent: u64,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Rule>,
    storm: Option<Storm>,
    storm_faults: usize,
}

/// The faults in force. A path below `/_matrix/app` concerns a transaction on its way to the application service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Inner>>);

impl Faults {
    /// The next `times` requests of this method (empty: any) whose path holds `path` fail this way.
    /// Paths are compared with their percent signs resolved. Earlier rules go first.
    pub(crate) fn fail(&self, method: &str, path: &str, fault: Fault, times: usize) {
        self.fail_each(1, method, path, fault, times);
    }

    /// As [`Self::fail`], but only each so many-th of the requests that match.
    pub(crate) fn fail_each(&self, each: usize, method: &str, path: &str, fault: Fault, times: usize) {
        let rule = Rule { method: method.into(), path: path.into(), fault, times, each, seen: 0 };
        self.0.lock().unwrap().rules.push(rule);
    }

    /// So many of a hundred requests fail from now on, in both directions: by 502, by 429, by a connection that
    /// closes before or after the request is done, or by one that is silent for a while before it closes.
    pub(crate) fn storm(&self, random: Random, percent: u64) {
        self.0.lock().unwrap().storm = Some(Storm { random, percent });
    }

    /// How many requests the storms have made fail.
    pub(crate) fn storm_faults(&self) -> usize {
        self.0.lock().unwrap().storm_faults
    }

    /// How many failures are still to come.
    pub(crate) fn remaining(&self) -> usize {
        self.0.lock().unwrap().rules.iter().map(|rule| rule.times).sum()
    }

    /// Nothing fails from now on.
    pub(crate) fn clear(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.rules.clear();
        inner.storm = None;
    }

    /// The earliest of the faults in force ends; those behind it count from now on. Between [`Self::clear`] and
    /// [`Self::fail`] a request could pass.
    pub(crate) fn end_first(&self) {
        self.0.lock().unwrap().rules.remove(0);
    }

    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut inner = self.0.lock().unwrap();
        let rules = &mut inner.rules;
        let matches =
            |rule: &Rule| (rule.method.is_empty() || rule.method == method) && path.contains(&rule.path);
        let at = rules.iter_mut().position(|rule| {
            rule.seen += usize::from(matches(rule));
            matches(rule) && rule.seen.is_multiple_of(rule.each)
        });
        let Some(at) = at else {
            let fault = inner.storm.as_mut().and_then(Storm::strike);
            inner.storm_faults += usize::from(fault.is_some());
            return fault;
        };
        rules[at].times -= 1;
        let fault = rules[at].fault.clone();
        rules.retain(|rule| rule.times > 0);
        Some(fault)
    }
}

impl Storm {
    fn strike(&mut self) -> Option<Fault> {
        self.random.percent(self.percent).then(|| {
            let wait = self.random.between(5, 40);
            self.random
                .pick(&[
                    Fault::Status(502, json!("<html>502 Bad Gateway</html>")),
                    // Without the header, which counts in whole seconds.
                    Fault::Status(429, json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": wait })),
                    Fault::Drop,
                    Fault::Stall(Duration::from_millis(wait)),
                    Fault::AnswerLost,
                ])
                .clone()
        })
    }
}
