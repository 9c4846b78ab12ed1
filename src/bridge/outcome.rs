//! What became of something that a user asked for, in words for them.

use crate::format::RichText;
use crate::store::StoreError;

/// It was done, or begun; the text says what.
pub type Outcome = Result<RichText, Refusal>;

/// It was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was asked can't be done; the text says why and what to do.
    #[error("{}", .0.to_plain())]
    Asked(RichText),
    /// The bridge failed.
    #[error("towline could not store this: {0}. Nothing was changed; try again, and tell the administrator")]
    Store(#[from] StoreError),
    /// The session ended meanwhile.
    #[error("towline is stopping; try again when it is back")]
    Stopping,
}

impl Refusal {
    /// A refusal that explains itself.
    pub fn asked(text: impl AsRef<str>) -> Self {
        Self::Asked(RichText::plain(text))
    }

    /// What the person reads.
    pub fn into_text(self) -> RichText {
        match self {
            Self::Asked(text) => text,
            other => RichText::plain(other.to_string()),
        }
    }
}
