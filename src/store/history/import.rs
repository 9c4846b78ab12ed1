//! Lines from elsewhere, such as another program's logs. A buffer that there is not yet is made without a room: it can be
//! searched, and begins with its last lines once somebody enters it.

use std::sync::Arc;

use super::super::pool::{Tx, on_tx};
use super::super::{Store, StoreError, announced};
use super::number::first_at;
use super::stays::was_there;
use super::{APART, HistoryLine, Kept, keep};

/// What became of lines that were read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// They are kept from now on.
    pub stored: usize,
    /// They were there already.
    pub known: usize,
    /// Their user wants nothing of that buffer kept.
    pub unwanted: usize,
}

impl Store {
    /// The number of a session's buffer, made where it is missing. It is not joined by that.
    pub async fn import_buffer(&self, session: i64, name: &str) -> Result<i64, StoreError> {
        // Of two that have the same name by now the newer one is found (`refold_buffers`).
        const FIND: &str = "SELECT id, name FROM buffer WHERE session = $1 ORDER BY id DESC";
        const NETWORK: &str = "SELECT network FROM session WHERE id = $1";
        const MAKE: &str = "INSERT INTO buffer (session, kind, channel, folded, name, wanted)
            VALUES ($1, $2, $3, $4, $5, FALSE) RETURNING id";
        let name = name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let own: Vec<(i64, String)> =
                    on_tx!(tx, |c| sqlx::query_as(FIND).bind(session).fetch_all(c).await)?;
                let network: String =
                    on_tx!(tx, |c| sqlx::query_scalar(NETWORK).bind(session).fetch_one(c).await)?;
                let mapping = announced::mapping_of(tx, &network).await?;
                if let Some((id, _)) = own.into_iter().find(|(_, own)| mapping.same(own, &name)) {
                    return Ok(id);
                }
                let folded = mapping.fold(&name);
                let is_channel = name.starts_with(['#', '&', '+', '!']);
                let channel: Option<i64> =
                    if is_channel { Some(announced::channel(tx, &network, &name).await?) } else { None };
                let kind = if is_channel { "channel" } else { "query" };
                Ok(on_tx!(tx, |c| sqlx::query_scalar(MAKE)
                    .bind(session)
                    .bind(kind)
                    .bind(channel)
                    .bind(&folded)
                    .bind(&name)
                    .fetch_one(c)
                    .await)?)
            })
        })
        .await
    }

    /// Stores lines of a session that come from elsewhere, with whole seconds as their times, and each with how many
    /// that are alike came before it in its second. What has the id of a line that is there is left out, and so is
    /// what was heard here: the log of another program has it, too.
    pub async fn import_lines(
        &self,
        session: i64,
        lines: Vec<(HistoryLine, u32)>,
        now: i64,
    ) -> Result<Imported, StoreError> {
        let keeper = Arc::clone(self.keeper());
        let (kept, heard) = self
            .write(move |tx| {
                Box::pin(async move {
                    let mut unheard = Vec::with_capacity(lines.len());
                    let all = lines.len();
                    for (line, alike) in lines {
                        if !was_heard(tx, &line, alike).await? {
                            unheard.push(line);
                        }
                    }
                    let heard = all - unheard.len();
                    Ok((keep(tx, &keeper, session, &unheard, now).await?, heard))
                })
            })
            .await?;
        let count = |wanted: fn(&Kept) -> bool| kept.iter().filter(|kept| wanted(kept)).count();
        Ok(Imported {
            stored: count(|kept| matches!(kept, Kept::As(_))),
            known: heard + count(|kept| matches!(kept, Kept::Known(_))),
            unwanted: count(|kept| matches!(kept, Kept::Not)),
        })
    }
}

/// Whether the history has a line that did not come from a log and is the so-many-th of its kind in its second.
async fn was_heard(tx: &mut Tx, line: &HistoryLine, alike: u32) -> Result<bool, StoreError> {
    macro_rules! alike {
        () => {
            " AND at BETWEEN $2 AND $3 AND kind = $4 AND sender = $5 AND text = $6
            AND (kind IN ('message', 'notice', 'action') OR COALESCE(target, '') = $7)
            AND (msgid IS NULL OR msgid NOT LIKE 'log:%')"
        };
    }
    const SQL: &str = concat!(
        "SELECT id FROM (SELECT id FROM history WHERE buffer = $1",
        alike!(),
        " UNION ALL SELECT id FROM history WHERE id BETWEEN $9 AND $10 AND ",
        was_there!(),
        alike!(),
        ") AS heard ORDER BY id LIMIT 1 OFFSET $8"
    );
    let found: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(SQL)
        .bind(line.buffer)
        .bind(line.at)
        .bind(line.at.saturating_add(999))
        .bind(line.kind)
        .bind(&line.sender)
        .bind(&line.text)
        .bind(line.target.as_deref().unwrap_or_default())
        .bind(i64::from(alike))
        .bind(first_at(line.at.saturating_sub(APART)))
        .bind(first_at(line.at.saturating_add(APART)))
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}
