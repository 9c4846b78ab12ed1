//! How much of a text fits into a line to IRC.

use super::link::Link;
use crate::format::Limit;
use crate::irc::session::MessageKind;

impl Link {
    /// How much of a text fits into one message to this target.
    pub(super) fn limit(&self, target: &str, kind: MessageKind) -> Limit {
        Limit::utf_8(self.session.text_budget(target, kind))
    }
}
