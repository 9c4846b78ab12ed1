//! Values: what is bound to a statement, and what a row holds.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Arguments, Decode, Encode, IntoArguments, Type, TypeInfo, ValueRef};

use super::Here;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Null,
    Integer,
    Real,
    Text,
    Bytes,
}

impl TypeInfo for Kind {
    fn is_null(&self) -> bool {
        *self == Self::Null
    }

    fn name(&self) -> &str {
        match self {
            Self::Null => "NULL",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Bytes => "BLOB",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A value of a row.
#[derive(Debug, Clone)]
pub(in crate::store) struct Stored(pub(super) Value);

impl Stored {
    fn kind(&self) -> Kind {
        match self.0 {
            Value::Null => Kind::Null,
            Value::Integer(_) => Kind::Integer,
            Value::Real(_) => Kind::Real,
            Value::Text(_) => Kind::Text,
            Value::Blob(_) => Kind::Bytes,
        }
    }

    fn is_not(&self, wanted: Kind) -> BoxDynError {
        format!("{} is not {wanted}", self.kind()).into()
    }
}

impl sqlx::Value for Stored {
    type Database = Here;

    fn as_ref(&self) -> &Self {
        self
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(self.kind())
    }

    fn is_null(&self) -> bool {
        self.0 == Value::Null
    }
}

impl<'r> ValueRef<'r> for &'r Stored {
    type Database = Here;

    fn to_owned(&self) -> Stored {
        (*self).clone()
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(self.kind())
    }

    fn is_null(&self) -> bool {
        self.0 == Value::Null
    }
}

/// The values of a statement, in the order of their numbers.
#[derive(Debug, Default)]
pub(in crate::store) struct Bound(Vec<Value>);

impl Bound {
    pub(super) fn into_values(self) -> Vec<Value> {
        self.0
    }
}

impl Arguments for Bound {
    type Database = Here;

    fn reserve(&mut self, additional: usize, _size: usize) {
        self.0.reserve(additional);
    }

    fn add<'t, T: Encode<'t, Here> + Type<Here>>(&mut self, value: T) -> Result<(), BoxDynError> {
        if value.encode(&mut self.0)?.is_null() {
            self.0.push(Value::Null);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl IntoArguments<Here> for Bound {
    fn into_arguments(self) -> Self {
        self
    }
}

impl<'q, T: Encode<'q, Here> + Type<Here> + 'q> Encode<'q, Here> for Option<T> {
    fn encode(self, to: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
        match self {
            Some(value) => value.encode(to),
            None => Ok(IsNull::Yes),
        }
    }

    fn encode_by_ref(&self, to: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
        match self {
            Some(value) => value.encode_by_ref(to),
            None => Ok(IsNull::Yes),
        }
    }
}

macro_rules! value {
    ($type:ty, $kind:expr $(, $also:expr)?) => {
        impl Type<Here> for $type {
            fn type_info() -> Kind {
                $kind
            }

            fn compatible(kind: &Kind) -> bool {
                *kind == $kind $(|| *kind == $also)?
            }
        }
    };
}

macro_rules! bound {
    ($type:ty, |$value:ident| $as:expr) => {
        impl Encode<'_, Here> for $type {
            fn encode_by_ref(&self, to: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
                let $value = self;
                to.push($as);
                Ok(IsNull::No)
            }
        }
    };
    ($type:ty, |$value:ident| $as:expr, owned $variant:path) => {
        impl Encode<'_, Here> for $type {
            fn encode(self, to: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
                to.push($variant(self));
                Ok(IsNull::No)
            }

            fn encode_by_ref(&self, to: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
                let $value = self;
                to.push($as);
                Ok(IsNull::No)
            }
        }
    };
}

value!(i64, Kind::Integer);
value!(i32, Kind::Integer);
value!(bool, Kind::Integer);
value!(str, Kind::Text);
value!(String, Kind::Text);
value!([u8], Kind::Bytes, Kind::Text);
value!(Vec<u8>, Kind::Bytes, Kind::Text);

bound!(i64, |number| Value::Integer(*number));
bound!(i32, |number| Value::Integer(i64::from(*number)));
bound!(bool, |is| Value::Integer(i64::from(*is)));
bound!(&str, |text| Value::Text((*text).to_owned()));
bound!(String, |text| Value::Text(text.clone()), owned Value::Text);
bound!(&[u8], |bytes| Value::Blob(bytes.to_vec()));
bound!(Vec<u8>, |bytes| Value::Blob(bytes.clone()), owned Value::Blob);

impl<'r> Decode<'r, Here> for i64 {
    fn decode(value: &'r Stored) -> Result<Self, BoxDynError> {
        if let Value::Integer(number) = value.0 { Ok(number) } else { Err(value.is_not(Kind::Integer)) }
    }
}

impl<'r> Decode<'r, Here> for i32 {
    fn decode(value: &'r Stored) -> Result<Self, BoxDynError> {
        Ok(<i64 as Decode<Here>>::decode(value)?.try_into()?)
    }
}

impl<'r> Decode<'r, Here> for bool {
    fn decode(value: &'r Stored) -> Result<Self, BoxDynError> {
        Ok(<i64 as Decode<Here>>::decode(value)? != 0)
    }
}

impl<'r> Decode<'r, Here> for String {
    fn decode(value: &'r Stored) -> Result<Self, BoxDynError> {
        if let Value::Text(text) = &value.0 { Ok(text.clone()) } else { Err(value.is_not(Kind::Text)) }
    }
}

impl<'r> Decode<'r, Here> for Vec<u8> {
    fn decode(value: &'r Stored) -> Result<Self, BoxDynError> {
        match &value.0 {
            Value::Blob(bytes) => Ok(bytes.clone()),
            Value::Text(text) => Ok(text.clone().into_bytes()),
            _ => Err(value.is_not(Kind::Bytes)),
        }
    }
}
