//! What networks' servers have last said of themselves, by ISUPPORT: for who asks before anybody is connected, and for the keys
//! by which channels are found, which are their names as their network compares them.
//!
//! That is one rule, and it is here: by what is stored of the network, and by RFC 1459 as long as nothing is. When it is
//! another, the keys of the network's channels are made anew in the same commit, from their names.

use std::collections::HashSet;

use super::pool::{Tx, later, on, on_tx};
use super::rooms::room_query;
use super::{RoomRow, Store, StoreError};
use crate::names::CaseMapping;

/// What the servers of a network have last said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// How it compares names.
    pub mapping: CaseMapping,
    /// The characters with which its channels begin.
    pub channel_types: String,
}

impl Store {
    /// What each network has said, by their short names.
    pub async fn announced(&self) -> Result<Vec<(String, Announced)>, StoreError> {
        const SQL: &str = "SELECT slug, casemapping, chantypes FROM network
            WHERE casemapping IS NOT NULL AND chantypes IS NOT NULL ORDER BY slug";
        let rows: Vec<(String, String, String)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?;
        let read = |(slug, token, channel_types): (String, String, String)| {
            (slug, Announced { mapping: CaseMapping::from_token(&token), channel_types })
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// A network's server has said this. Where names are compared otherwise by that, the channels are found otherwise from
    /// then on; given are the numbers of the shared rooms that are found no more, since an older one is the same channel's.
    pub async fn announce(&self, network: &str, said: Announced) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "UPDATE network SET casemapping = $2, chantypes = $3 WHERE slug = $1";
        let network = network.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let before = mapping_of(tx, &network).await?;
                later!(tx, SQL, &network, said.mapping.token(), said.channel_types)?;
                if before == said.mapping { Ok(Vec::new()) } else { refold(tx, &network, said.mapping).await }
            })
        })
        .await
    }

    /// The shared room of a channel.
    pub async fn shared_room(&self, network: &str, name: &str) -> Result<Option<RoomRow>, StoreError> {
        // As `mapping_of` reads it, in one statement: a network may say otherwise meanwhile.
        const SQL: &str = room_query!(
            "WHERE link.role = 'shared' AND link.network = $1 AND channel.network = $1 AND channel.folded =
                CASE (SELECT said.casemapping FROM network AS said WHERE said.slug = $1)
                    WHEN 'ascii' THEN $2 WHEN 'rfc1459-strict' THEN $3 WHEN 'precis' THEN $4 ELSE $5 END"
        );
        let [ascii, strict, precis, rfc1459] =
            [CaseMapping::Ascii, CaseMapping::Rfc1459Strict, CaseMapping::Precis, CaseMapping::Rfc1459]
                .map(|mapping| mapping.fold(name));
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(network)
            .bind(ascii)
            .bind(strict)
            .bind(precis)
            .bind(rfc1459)
            .fetch_optional(p)
            .await)?)
    }
}

/// How a network compares names, by what is stored of it.
pub(super) async fn mapping_of(tx: &mut Tx, network: &str) -> Result<CaseMapping, StoreError> {
    const SQL: &str = "SELECT casemapping FROM network WHERE slug = $1";
    let token: Option<Option<String>> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(network).fetch_optional(c).await)?;
    Ok(token.flatten().map_or(CaseMapping::Rfc1459, |token| CaseMapping::from_token(&token)))
}

/// The number of a channel.
pub(super) async fn channel(tx: &mut Tx, network: &str, name: &str) -> Result<i64, StoreError> {
    const SQL: &str = "INSERT INTO channel (network, folded, name) VALUES ($1, $2, $3)
        ON CONFLICT (network, folded) DO UPDATE SET folded = excluded.folded RETURNING id";
    let folded = mapping_of(tx, network).await?.fold(name);
    let id = on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(network).bind(folded).bind(name).fetch_one(c).await);
    Ok(id?)
}

/// The keys of these names. Of those that are the same by this mapping the first is found by it; the others have keys that no
/// name has, and so nothing of theirs is lost, and they have their own again when the mapping tells them apart.
pub(super) fn keys<'a>(
    mapping: CaseMapping,
    names: impl IntoIterator<Item = (i64, &'a str)>,
) -> Vec<(i64, String)> {
    let mut taken = HashSet::new();
    let mut key = |(id, name): (i64, &str)| {
        let folded = mapping.fold(name);
        (id, if taken.insert(folded.clone()) { folded } else { key_of_none(id) })
    };
    names.into_iter().map(&mut key).collect()
}

/// A key by which nothing is found: no name has a space.
pub(super) fn key_of_none(id: i64) -> String {
    format!(" {id}")
}

/// Makes the keys of a network's channels anew; the shared rooms that are found by none.
async fn refold(tx: &mut Tx, network: &str, mapping: CaseMapping) -> Result<Vec<i64>, StoreError> {
    // Who has a room comes first, and of those the oldest.
    const ALL: &str = "SELECT channel.id, channel.name, channel.folded, link.room FROM channel
        LEFT JOIN link ON link.channel = channel.id AND link.role = 'shared'
        WHERE channel.network = $1 ORDER BY link.room IS NULL, link.room, channel.id";
    const SET: &str = "UPDATE channel SET folded = $2 WHERE id = $1";
    let rows: Vec<(i64, String, String, Option<i64>)> =
        on_tx!(tx, |c| sqlx::query_as(ALL).bind(network).fetch_all(c).await)?;
    let keys = keys(mapping, rows.iter().map(|(id, name, ..)| (*id, name.as_str())));
    let changed: Vec<_> =
        rows.iter().zip(&keys).filter(|((_, _, before, _), (_, key))| before != key).collect();
    // One's new key may be another's until then.
    for (_, (id, _)) in &changed {
        later!(tx, SET, *id, key_of_none(*id))?;
    }
    for (_, (id, key)) in &changed {
        later!(tx, SET, *id, key.as_str())?;
    }
    let is_apart = |id: i64, key: &str| key == key_of_none(id);
    Ok(changed
        .into_iter()
        .filter(|(_, (id, key))| is_apart(*id, key))
        .filter_map(|((.., room), _)| *room)
        .collect())
}
