//! STS: a server that wants to be talked to by TLS only, now and for some time.
//!
//! Not the memory of that, which is the owner's: here the capability's value is read. Without TLS its port is where to
//! go at once, and nothing more is sent; how long it holds is said by TLS only, since anybody on the way could say it
//! otherwise. `CAP DEL` changes nothing, as the specification wants.
//!
//! Spec: `IRCv3` "Strict Transport Security".

use std::time::Duration;

use super::Session;
use super::event::{Event, Verdict};

/// What the capability's value says; keys that are not known mean nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sts {
    port: Option<u16>,
    duration: Option<Duration>,
}

impl Sts {
    fn parse(value: &str) -> Self {
        let find = |name: &str| {
            let mut pairs = value.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        Self {
            port: find("port").and_then(|port| port.parse().ok()).filter(|port| *port != 0),
            // Longer than anybody lives is as good as that.
            duration: find("duration")
                .and_then(|seconds| seconds.parse::<u64>().ok())
                .map(|seconds| Duration::from_secs(seconds.min(u64::from(u32::MAX)))),
        }
    }
}

impl Session {
    /// Looks at the capability after the server's list, or more of it, has come. Returns whether this connection must
    /// not be used any further.
    pub(super) fn must_use_tls(&mut self, events: &mut Vec<Event>) -> bool {
        let Some(sts) = self.caps.offered("sts").map(Sts::parse) else { return false };
        if self.config.tls {
            if let Some(duration) = sts.duration
                && self.sts != Some(duration)
            {
                self.sts = Some(duration);
                events.push(Event::StrictTransport { duration });
            }
            return false;
        }
        if let Some(port) = sts.port {
            self.disconnect("the server wants to be talked to by TLS", Verdict::UseTls(port), events);
        }
        sts.port.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plaintext("port=6697", Some(6697), None)]
    #[case::by_tls("duration=2592000,preload", None, Some(2_592_000))]
    #[case::both("duration=0,port=6697", Some(6697), Some(0))]
    #[case::for_ever("duration=99999999999999", None, Some(4_294_967_295))]
    #[case::no_number("port=x,duration=-1", None, None)]
    #[case::no_port("port=0", None, None)]
    #[case::port_too_large("port=66000", None, None)]
    #[case::twice("port=1,port=2", Some(1), None)]
    #[case::nothing("", None, None)]
    #[case::no_value("port,duration", None, None)]
    fn a_value_is_read(#[case] value: &str, #[case] port: Option<u16>, #[case] seconds: Option<u64>) {
        assert_eq!(Sts::parse(value), Sts { port, duration: seconds.map(Duration::from_secs) });
    }
}
