//! Rows, as what has read them: they stay when the statement goes on.

use std::sync::Arc;

use rusqlite::Statement;
use rusqlite::types::{Value, ValueRef};
use sqlx::ColumnIndex;

use super::error::of_rusqlite;
use super::{Here, Kind, Stored};

/// A column of a statement.
#[derive(Debug)]
pub(in crate::store) struct Column {
    place: usize,
    name: Box<str>,
}

impl sqlx::Column for Column {
    type Database = Here;

    fn ordinal(&self) -> usize {
        self.place
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// In SQLite a value has a type, and not its column.
    fn type_info(&self) -> &Kind {
        &Kind::Null
    }
}

/// The columns of a statement.
#[derive(Debug, Clone)]
pub(super) struct Columns(Arc<[Column]>);

impl Columns {
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        let names = statement.column_names().into_iter().enumerate();
        Self(names.map(|(place, name)| Column { place, name: name.into() }).collect())
    }
}

/// A row that a statement gave.
#[derive(Debug)]
pub(in crate::store) struct Row {
    columns: Columns,
    values: Box<[Stored]>,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>, columns: &Columns) -> sqlx::Result<Self> {
        let value = |place: usize| match row.get_ref(place).map_err(of_rusqlite)? {
            ValueRef::Null => Ok(Stored(Value::Null)),
            ValueRef::Integer(number) => Ok(Stored(Value::Integer(number))),
            ValueRef::Real(number) => Ok(Stored(Value::Real(number))),
            ValueRef::Text(text) => match str::from_utf8(text) {
                Ok(text) => Ok(Stored(Value::Text(text.to_owned()))),
                Err(error) => {
                    Err(sqlx::Error::ColumnDecode { index: place.to_string(), source: error.into() })
                }
            },
            ValueRef::Blob(bytes) => Ok(Stored(Value::Blob(bytes.to_owned()))),
        };
        let values = (0..columns.0.len()).map(value).collect::<sqlx::Result<_>>()?;
        Ok(Self { columns: columns.clone(), values })
    }
}

impl sqlx::Row for Row {
    type Database = Here;

    fn columns(&self) -> &[Column] {
        &self.columns.0
    }

    fn try_get_raw<I: ColumnIndex<Self>>(&self, index: I) -> sqlx::Result<&Stored> {
        Ok(&self.values[index.index(self)?])
    }
}

impl ColumnIndex<Row> for usize {
    fn index(&self, row: &Row) -> sqlx::Result<usize> {
        let len = row.values.len();
        if *self < len { Ok(*self) } else { Err(sqlx::Error::ColumnIndexOutOfBounds { index: *self, len }) }
    }
}

impl ColumnIndex<Row> for str {
    fn index(&self, row: &Row) -> sqlx::Result<usize> {
        let place = row.columns.0.iter().position(|column| *column.name == *self);
        place.ok_or_else(|| sqlx::Error::ColumnNotFound(self.to_owned()))
    }
}
