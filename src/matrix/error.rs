//! What a request to the homeserver can come to, sorted by what to do next.

use std::time::Duration;

/// A request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The request never reached the homeserver: nothing was done.
    #[error("the homeserver can't be reached: {0}")]
    Unreachable(String),
    /// The answer was lost, or the homeserver failed: the request may have been carried out.
    #[error("the homeserver gave no usable answer: {0}")]
    Unknown(String),
    /// The homeserver asks to wait: nothing was done.
    #[error("the homeserver asks to wait {0:?} (is rate_limited: false in the registration?)")]
    Limited(Duration),
    /// The homeserver refuses, and will again.
    #[error("the homeserver refused: {code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The `M_…` code.
        code: String,
        /// The homeserver's words.
        message: String,
    },
    /// The request can't be written, as for an id that is none.
    #[error("the request can't be made: {0}")]
    Invalid(String),
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unknown(_) | Self::Limited(_))
    }

    /// Whether the homeserver will never do this. A refused token says nothing about the request: somebody will mend
    /// the registration, and what waits for that must not be thrown away.
    pub fn is_final(&self) -> bool {
        !self.is_temporary() && !self.is("M_UNKNOWN_TOKEN") && !self.is("M_MISSING_TOKEN")
    }

    /// Whether the request may have been carried out although it failed.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether the homeserver refused with this code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}
