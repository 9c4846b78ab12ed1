//! The TLS set-ups of all servers, which their sessions share: reading roots for each connection would be waste.
//!
//! Only what works is kept, and not for ever: a file that was not there yet is read as soon as it is, and renewed roots
//! are seen while the process runs on.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use super::{Tls, TlsSettings};

/// Roots are read anew after so long, whether anything tells that they have changed or not.
const FRESH: Duration = Duration::from_hours(24);

/// What is ready, by its settings.
#[derive(Debug, Default)]
pub struct TlsSetups(HashMap<TlsSettings, Setup>);

#[derive(Debug)]
struct Setup {
    tls: Tls,
    made_at: Instant,
    /// When the CA file was last changed.
    changed_at: Option<SystemTime>,
}

impl TlsSetups {
    /// The set-up for these settings, made where none is ready.
    pub fn get(&mut self, settings: TlsSettings, now: Instant) -> Tls {
        let changed_at = settings.ca_file.as_ref().and_then(|file| file.metadata().ok()?.modified().ok());
        self.0.retain(|_, setup| now < setup.made_at + FRESH);
        if let Some(setup) = self.0.get(&settings).filter(|setup| setup.changed_at == changed_at) {
            return setup.tls.clone();
        }
        let tls = Tls::new(&settings);
        if tls.problem().is_none() {
            self.0.insert(settings, Setup { tls: tls.clone(), made_at: now, changed_at });
        }
        tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::Arc;

    /// The time is the test's own: a file system's may stand still between two writes.
    fn write(file: &Path, second: u64) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(file, made.cert.pem()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    }

    fn is_same(one: &Tls, other: &Tls) -> bool {
        let verifier = |tls: &Tls| Arc::clone(&tls.0.as_ref().unwrap().verifier);
        Arc::ptr_eq(&verifier(one), &verifier(other))
    }

    /// Before, what was wrong at the first attempt was told at each one until a restart.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn a_set_up_is_made_again_when_it_failed_when_its_file_changes_and_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let settings = || TlsSettings { ca_file: Some(file.clone()), ..TlsSettings::default() };
        let (mut setups, start) = (TlsSetups::default(), Instant::now());
        assert!(setups.get(settings(), start).problem().is_some());
        write(&file, 1);
        let first = setups.get(settings(), start);
        assert!(first.problem().is_none());
        assert!(is_same(&first, &setups.get(settings(), start + FRESH / 2)));
        write(&file, 2);
        let renewed = setups.get(settings(), start + FRESH / 2);
        assert!(!is_same(&first, &renewed));
        assert!(is_same(&renewed, &setups.get(settings(), start + FRESH)));
        assert!(!is_same(&renewed, &setups.get(settings(), start + FRESH * 2)));
    }
}
