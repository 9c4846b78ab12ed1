//! Settings that say yes or no to something that a session does by itself, and what follows from them.
//!
//! How a value is found is [`manners`](super::manners)'s business.

use super::Actor;
use super::manners::Choice;
use crate::store::settings::{self, Setting};

macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident of $setting:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::bridge) enum $name { $($variant),* }

        impl Choice for $name {
            const SETTING: &'static Setting = &settings::$setting;
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),*];
        }
    )*};
}

choices! {
    /// Whether programs' questions are answered.
    CtcpReplies of CTCP_REPLIES { On = "on", Off = "off" }
    /// Whether somebody new gets a room.
    Autoquery of AUTOQUERY { On = "on", Off = "off" }
    /// Whether we go back after a KICK.
    RejoinOnKick of REJOIN_ON_KICK { On = "on", Off = "off" }
    /// Whether invitations are followed.
    RejoinOnInvite of REJOIN_ON_INVITE { Off = "off", Known = "known", All = "all" }
    /// Where a channel's news stands.
    Forward of FORWARD { Off = "off", On = "on" }
    /// Whether colours are shown.
    Colours of COLOURS { Show = "show", Hide = "hide" }
    /// Whether signs stand under what the user writes.
    Signs of SIGNS { Show = "show", Hide = "hide" }
}

impl Actor {
    /// What the IRC session must know of the settings.
    pub(super) fn apply_manners(&mut self) {
        let answers = self.manners.of_session::<CtcpReplies>() == CtcpReplies::On;
        if let Some(link) = &mut self.link {
            link.session.answer_ctcp_requests(answers);
            link.session.ignore(self.manners.ignores.clone());
        }
        self.ignore_in_shared();
    }
}

#[cfg(test)]
mod tests {
    use super::super::manners::tests::words_of;
    use super::*;

    #[test]
    fn the_code_knows_the_words_of_each_choice_in_their_order() {
        words_of::<CtcpReplies>();
        words_of::<Autoquery>();
        words_of::<RejoinOnKick>();
        words_of::<RejoinOnInvite>();
        words_of::<Forward>();
        words_of::<Colours>();
        words_of::<Signs>();
    }
}
