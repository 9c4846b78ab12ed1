//! Which tables and columns a database has, asked of itself: a backup of an older version has those of its time.

use super::TransferError;
use crate::store::snapshot::{Snapshot, on_snapshot};

/// All tables, each behind those that it refers to.
pub(super) const ORDER: [&str; 29] = [
    "instance",
    "user",
    "network",
    "channel",
    "session",
    "buffer",
    "room",
    "link",
    "ghost",
    "member",
    "setting",
    "inbox",
    "irc_line",
    "outbox",
    "fold",
    "history",
    "prompt",
    "hourglass",
    "reaction",
    "published",
    "question",
    "space",
    "space_child",
    "sts_policy",
    "timed_ban",
    "outsider",
    "policy_rule",
    "stay",
    "replaced",
];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    /// Only where the engine tells it from a number.
    Boolean,
    Text,
    Bytes,
}

/// A table, with its columns in their order.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Kind)>,
}

/// The tables of a database, in [`ORDER`].
pub(super) async fn tables(snapshot: &mut Snapshot) -> Result<Vec<Table>, TransferError> {
    const SQLITE: &str = "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite@_%' ESCAPE '@' AND m.name NOT LIKE '@_sqlx%' ESCAPE '@'
            AND m.name NOT LIKE 'history@_search%' ESCAPE '@'
        ORDER BY m.name, c.cid";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text, data_type::text
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name NOT LIKE '@_sqlx%' ESCAPE '@'
            AND table_name NOT LIKE 'history@_search%' ESCAPE '@'
        ORDER BY table_name, ordinal_position";
    let sql = if matches!(snapshot, Snapshot::Postgres(_)) { POSTGRES } else { SQLITE };
    let columns: Vec<(String, String, String)> =
        on_snapshot!(snapshot, |c| sqlx::query_as(sql).fetch_all(c).await)?;
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, declared) in columns {
        let kind = match declared.to_ascii_lowercase().as_str() {
            "integer" | "bigint" => Kind::Integer,
            "boolean" => Kind::Boolean,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Bytes,
            _ => return Err(TransferError::Unknown(format!("{table}.{column}"))),
        };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push((column, kind)),
            _ => tables.push(Table { name: table, columns: vec![(column, kind)] }),
        }
    }
    let place = |table: &Table| ORDER.iter().position(|name| *name == table.name);
    match tables.iter().find(|table| place(table).is_none()) {
        Some(unknown) => Err(TransferError::Unknown(unknown.name.clone())),
        None => {
            tables.sort_by_key(place);
            Ok(tables)
        }
    }
}
