//! How many networks a person may have open, and of how many that they closed all is kept. The same holds whether they
//! type `open` or enter a shared room, which opens its network.

use super::Bridge;
use crate::format::RichText;
use crate::store::{SessionRow, StoreError, User};

/// Closed networks that an answer names.
const NAMED: usize = 10;

impl Bridge {
    /// Why somebody may not open one more session, under this address; what comes behind `you`. Nothing where they may, or it is
    /// open.
    pub async fn too_many_open(&self, user: &User, address: &str) -> Result<Option<RichText>, StoreError> {
        let open = self.sessions(Some(&user.user_id));
        if open.iter().any(|session| session.row.address() == address) {
            return Ok(None);
        }
        let most = self.limits().sessions_per_user as usize;
        if open.len() >= most {
            let text = format!("have {most} networks open, the most that this bridge allows.");
            return Ok(Some(RichText::plain(text)));
        }
        let closed = self.store.closed_sessions(user.id).await?;
        if closed.iter().any(|session| session.address() == address) {
            return Ok(None);
        }
        Ok(self.full_of_closed(&closed).map(|(kept, first)| {
            let text =
                format!("{kept}. Open one of them again, or delete what you need no more, such as with ");
            RichText::plain(text).code(format!("forget {first}")).text(".")
        }))
    }

    /// Why somebody may not close one more session; what comes behind `you`. Nothing where they may.
    pub async fn too_many_closed(&self, user: i64, address: &str) -> Result<Option<RichText>, StoreError> {
        let closed = self.store.closed_sessions(user).await?;
        Ok(self.full_of_closed(&closed).map(|(kept, first)| {
            let text =
                format!("{kept}. Before you close another, delete one that you need no more, such as with ");
            let text = RichText::plain(text)
                .code(format!("forget {first}"))
                .text(". To be offline there until then, type ");
            text.code(format!("disconnect {address}")).text(".")
        }))
    }

    /// What is kept of closed sessions where that is the most, and the address of the first.
    fn full_of_closed(&self, closed: &[SessionRow]) -> Option<(String, String)> {
        if closed.len() < self.limits().closed_sessions as usize {
            return None;
        }
        let addresses: Vec<String> = closed.iter().take(NAMED).map(SessionRow::address).collect();
        let more = match closed.len() - addresses.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let networks =
            if closed.len() == 1 { "one network".to_owned() } else { format!("{} networks", closed.len()) };
        let text = format!(
            "have closed {networks} and kept what was said and set there, which is the most that this bridge allows: \
             {}{more}",
            addresses.join(", ")
        );
        Some((text, addresses.into_iter().next().unwrap_or_default()))
    }
}
