//! The two tokens of the registration, and how both change while everything runs.
//!
//! A homeserver takes a new registration at a moment of its own, mostly when it is restarted. Until then it knows the tokens
//! of before, and from then on only the new ones. So there are two of each for a while: Towline shows the one that was
//! taken last, and the other where that is refused; it admits a homeserver with either, until one has come with the new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};

/// What Towline shows to the homeserver.
#[derive(Debug)]
pub(super) struct OwnToken(Mutex<Own>);

#[derive(Debug)]
struct Own {
    taken: SecretString,
    other: Option<SecretString>,
}

impl OwnToken {
    pub(super) fn new(token: SecretString) -> Self {
        Self(Mutex::new(Own { taken: token, other: None }))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one to show first.
    pub(super) fn first(&self) -> SecretString {
        self.own().taken.clone()
    }

    /// The one to show where this one was refused.
    pub(super) fn instead_of(&self, refused: &SecretString) -> Option<SecretString> {
        let own = self.own();
        if is_same(&own.taken, refused) { own.other.clone() } else { Some(own.taken.clone()) }
    }

    /// Adds one that the homeserver may take, now or soon.
    pub(super) fn add(&self, token: SecretString) {
        let mut own = self.own();
        if !is_same(&own.taken, &token) {
            own.other = Some(token);
        }
    }

    /// The homeserver has taken this one.
    pub(super) fn took(&self, token: SecretString) {
        let mut own = self.own();
        if !is_same(&own.taken, &token) {
            own.other = Some(std::mem::replace(&mut own.taken, token));
        }
    }
}

/// What the homeserver shows to Towline; clones share it.
#[derive(Debug, Clone)]
pub struct HomeserverToken(Arc<Mutex<Theirs>>);

#[derive(Debug)]
struct Theirs {
    present: SecretString,
    previous: Option<SecretString>,
}

/// Which of its tokens a homeserver has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Present,
    Previous,
}

impl HomeserverToken {
    /// The token, and the one of before while that may still be shown.
    #[must_use]
    pub fn new(present: SecretString, previous: Option<SecretString>) -> Self {
        Self(Arc::new(Mutex::new(Theirs { present, previous })))
    }

    fn theirs(&self) -> MutexGuard<'_, Theirs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one is the present one from now on; the one of before is admitted until this one is shown.
    pub fn change(&self, token: SecretString) {
        let mut theirs = self.theirs();
        if !is_same(&theirs.present, &token) {
            let present = std::mem::replace(&mut theirs.present, token);
            // Where one is admitted still, it is what the homeserver has: it has not shown the one after it.
            theirs.previous.get_or_insert(present);
        }
    }

    /// Which one this is, if any.
    pub(super) fn judge(&self, shown: &str) -> Option<Shown> {
        let theirs = self.theirs();
        let is = |token: &SecretString| {
            aws_lc_rs::constant_time::verify_slices_are_equal(
                shown.as_bytes(),
                token.expose_secret().as_bytes(),
            )
            .is_ok()
        };
        if is(&theirs.present) {
            return Some(Shown::Present);
        }
        theirs.previous.as_ref().is_some_and(is).then_some(Shown::Previous)
    }

    /// The homeserver has the present one: the one of before is no more. Says whether there was one.
    pub(super) fn settle(&self) -> bool {
        self.theirs().previous.take().is_some()
    }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_that_was_taken_last_is_shown_first() {
        let token = OwnToken::new("old".into());
        assert!(token.instead_of(&"old".into()).is_none());
        token.add("old".into());
        assert!(token.instead_of(&"old".into()).is_none());
        token.add("new".into());
        assert_eq!(token.first().expose_secret(), "old");
        assert_eq!(token.instead_of(&"old".into()).unwrap().expose_secret(), "new");
        token.took("new".into());
        assert_eq!(token.first().expose_secret(), "new");
        // Who was refused with the old one meanwhile.
        assert_eq!(token.instead_of(&"old".into()).unwrap().expose_secret(), "new");
        assert_eq!(token.instead_of(&"new".into()).unwrap().expose_secret(), "old");
    }

    #[test]
    fn the_token_of_before_is_admitted_until_the_new_one_is_shown() {
        let token = HomeserverToken::new("old".into(), None);
        assert_eq!((token.judge("old"), token.judge("new")), (Some(Shown::Present), None));
        token.change("new".into());
        token.change("new".into());
        assert_eq!((token.judge("old"), token.judge("new")), (Some(Shown::Previous), Some(Shown::Present)));
        assert!(token.settle());
        assert!(!token.settle());
        assert_eq!((token.judge("old"), token.judge("new")), (None, Some(Shown::Present)));
    }
}
