//! Failpoints: named places at which a test kills the process, as `kill -9` would, just there.
//!
//! `failpoint!("put_sent")` stands at each step of a delivery. Without the cargo feature `failpoints` it is nothing at
//! all. With it, `TOWLINE_FAILPOINT=put_sent:17` kills the process at the seventeenth pass of that place; nothing is
//! flushed, closed or dropped. The feature is for tests: a release refuses to be built with it.
//!
//! A leaf: it knows nothing of ours.

/// The steps of a delivery at which a failpoint stands, in the order in which a message passes them.
pub const NAMES: [&str; 11] = [
    // IRC to Matrix.
    "line_read",
    "incoming_committed",
    "put_sending",
    "put_sent",
    "put_answered",
    "request_marked",
    // Matrix to IRC.
    "inbox_committed",
    "transaction_answered",
    "line_sending",
    "line_written",
    "line_confirmed",
];

/// The steps at which a failpoint stands while somebody is put out of a shared room.
pub const PUT_OUT: [&str; 3] = ["put_out", "put_out_done", "ghost_put_out"];

/// The step at which a failpoint stands while something is given to the session that relays it.
pub const RELAY: [&str; 1] = ["relay_placed"];

/// The steps at which a failpoint stands while a room comes to show a channel because somebody has asked for it.
pub const PLUMB: [&str; 3] = ["plumb_visit", "plumb_agree", "plumb_agreed"];

/// The steps at which a failpoint stands while a shared room takes the place of somebody's own.
pub const INSTEAD: [&str; 2] = ["instead_asked", "instead_agreed"];

/// The environment variable that says where the process ends.
pub const VARIABLE: &str = "TOWLINE_FAILPOINT";

/// The environment variable with the text at which a session fails, as by a mistake in the code.
pub const PANIC_VARIABLE: &str = "TOWLINE_PANIC_AT";

/// A place at which a test may kill the process; see the module. With a condition, only passes that meet it count;
/// with `soon`, the end comes a moment after the pass, when what the place has made is on its way. With `fails_at`, only
/// the task fails, where the text is the one that a test has named.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
    (fails_at $text:expr) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::panic_at($text);
    };
    ($name:literal, soon) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached_soon($name);
    };
    ($name:literal, $counts:expr) => {
        #[cfg(feature = "failpoints")]
        {
            if $counts {
                $crate::failpoint::reached($name);
            }
        }
        // What is known only for this is known for nothing elsewhere, and costs nothing there.
        #[cfg(not(feature = "failpoints"))]
        let _ = || $counts;
    };
}

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!(
    "the feature `failpoints` is for tests: with it, an environment variable can kill the process"
);

#[cfg(feature = "failpoints")]
pub(crate) use armed::{panic_at, reached, reached_soon};

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::{INSTEAD, NAMES, PANIC_VARIABLE, PLUMB, PUT_OUT, RELAY, VARIABLE};

    /// Long enough for bytes to leave a loopback socket, short enough to come before what follows is done.
    const SOON: Duration = Duration::from_millis(3);

    /// Where the process ends.
    #[derive(Debug, PartialEq, Eq)]
    struct Place {
        name: String,
        pass: u32,
    }

    impl Place {
        /// Reads `name:pass`.
        fn read(text: &str) -> Result<Self, String> {
            let (name, pass) = text.split_once(':').ok_or("it is name:pass, as in put_sent:17")?;
            if ![&NAMES[..], &PUT_OUT, &RELAY, &PLUMB, &INSTEAD].iter().any(|names| names.contains(&name)) {
                return Err(format!("there is no failpoint {name:?}"));
            }
            match pass.parse() {
                Ok(pass @ 1..) => Ok(Self { name: name.to_owned(), pass }),
                _ => Err(format!("{pass:?} is no number of a pass")),
            }
        }
    }

    /// Counts a pass of a place; true at the one at which the process ends.
    fn is_the_end(name: &str) -> bool {
        static PLACE: OnceLock<Option<Place>> = OnceLock::new();
        static PASSES: AtomicU32 = AtomicU32::new(0);
        let place = PLACE.get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            // A test that kills nothing would prove nothing.
            Some(Place::read(&text).unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}")))
        });
        place.as_ref().is_some_and(|place| {
            place.name == name && PASSES.fetch_add(1, Ordering::SeqCst) + 1 == place.pass
        })
    }

    /// Counts a pass of a place, and does not return from the one at which the process ends.
    pub(crate) fn reached(name: &str) {
        if is_the_end(name) {
            die();
        }
    }

    /// As [`reached`], but the process ends a moment later.
    pub(crate) fn reached_soon(name: &str) {
        if is_the_end(name) {
            std::thread::spawn(|| {
                std::thread::sleep(SOON);
                die();
            });
        }
    }

    /// Fails where a session reads the text that a test has named.
    pub(crate) fn panic_at(text: &str) {
        static TEXT: OnceLock<Option<String>> = OnceLock::new();
        let wanted = TEXT.get_or_init(|| std::env::var(PANIC_VARIABLE).ok());
        assert!(wanted.as_deref() != Some(text), "a test wanted this");
    }

    fn die() -> ! {
        // Only a process that is gone already can't be killed.
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[rstest::rstest]
        #[case::a_place("put_sent:17", Ok(Place { name: "put_sent".to_owned(), pass: 17 }))]
        #[case::no_pass("put_sent", Err("it is name:pass, as in put_sent:17"))]
        #[case::an_unknown_place("put_set:1", Err("there is no failpoint \"put_set\""))]
        #[case::the_pass_before_the_first("put_sent:0", Err("\"0\" is no number of a pass"))]
        #[case::no_number("put_sent:x", Err("\"x\" is no number of a pass"))]
        fn a_place_is_a_name_and_a_pass(#[case] text: &str, #[case] wanted: Result<Place, &str>) {
            assert_eq!(Place::read(text), wanted.map_err(str::to_owned));
        }
    }
}
