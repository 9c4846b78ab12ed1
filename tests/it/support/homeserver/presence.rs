//! Who is there, as users say it of themselves. It does not lapse here.

use serde_json::{Value, json};

use super::core::Core;
use super::{Homeserver, Presence, Refusal};

impl Core {
    pub(super) fn presence_of(&self, user: &str) -> Value {
        self.presence.get(user).cloned().unwrap_or_else(|| json!({ "presence": "offline" }))
    }

    pub(super) fn put_presence(&mut self, user: &str, who: &str, said: Value) -> Result<Value, Refusal> {
        if user != who {
            return Err(Refusal::forbidden("Can only set your own presence state"));
        }
        if !said["presence"].is_string() || !(said["status_msg"].is_null() || said["status_msg"].is_string())
        {
            return Err(Refusal::new(400, "M_UNKNOWN", "Unable to parse state"));
        }
        if self.options.presence == Presence::Kept {
            self.presence.insert(user.to_owned(), said);
        }
        Ok(json!({}))
    }
}

impl Homeserver {
    /// Waits until a user is seen as `online`, `unavailable` or `offline`, with these words or none.
    pub(crate) async fn wait_presence(&self, user: &str, state: &str, words: Option<&str>) {
        let look = |core: &Core| {
            let seen = core.presence_of(user);
            (seen["presence"] == state && seen["status_msg"].as_str() == words).then_some(())
        };
        self.wait(None, || format!("{user} to be {state} ({words:?})"), look).await;
    }
}
