//! What one should know who sets something: above all where this bridge or its homeserver can't do what is wanted.

use crate::commands::Context;
use crate::commands::mute::IN_THE_CLIENT;
use crate::store::settings::{AUTO_AWAY, LONG_TEXTS, NOTIFY, PICTURES, SHOW_PRESENCE, SPOILERS, Setting};

/// What is said behind the answer to `set`; nothing where all is as it sounds.
pub(super) fn of(context: &Context<'_>, setting: &Setting, value: &str) -> String {
    let bridge = context.bridge;
    match (setting.key, value) {
        (key, "on") if key == SHOW_PRESENCE.key => of_presence(context).to_owned(),
        (key, value) if key == AUTO_AWAY.key && value != "off" => of_auto_away(context).to_owned(),
        (key, "mentions" | "none") if key == NOTIFY.key && !bridge.acts_as(&context.call.user.user_id) => {
            format!(" But this bridge can't see to that, since it has no double puppeting: {IN_THE_CLIENT}.")
        }
        (key, "link") if key == SPOILERS.key && bridge.config.media.is_none() => {
            " But this bridge has no address for links, so that only the reason is said.".to_owned()
        }
        (key, "link") if key == LONG_TEXTS.key && bridge.config.media.is_none() => {
            " But this bridge has no address for links, so that all of it goes, or you are asked.".to_owned()
        }
        (key, "show") if key == PICTURES.key && bridge.config.pictures.largest == 0 => {
            " But this bridge fetches no pictures, so that they stay links.".to_owned()
        }
        _ => String::new(),
    }
}

fn of_presence(context: &Context<'_>) -> &'static str {
    if context.bridge.keeps_no_presence() {
        " But your homeserver keeps no presence, so that nothing is seen of it. The administrators of this bridge were told \
         what to do."
    } else {
        " Whoever shares a room with somebody's ghost sees it, also on other homeservers: of whom your connection sees in \
         your own rooms' channels, secret ones, too. In rooms that people share it is as the administrator says."
    }
}

fn of_auto_away(context: &Context<'_>) -> &'static str {
    if context.bridge.tells_presence() {
        " You are away when your homeserver says that you are not there, and back when it says otherwise, or when you \
         write."
    } else {
        " Your homeserver has told me nobody's presence so far. Many have it turned off, and then you stay as you are; \
         where it is on, you are away when it says that you are not there, and back when it says otherwise, or when you \
         write."
    }
}
