//! What sqlx asks of every database and nobody here uses: connections from its pool, its transactions, and statements
//! prepared beforehand. There are no values of this type, so that nothing of it can ever run.

use std::str::FromStr;
use std::time::Duration;

use sqlx::{Either, Error, SqlStr, Transaction};
use sqlx_core::Url;
use sqlx_core::transaction::TransactionManager;

use super::{Bound, Column, Here, Kind};

#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Unused {}

/// What whoever wants one of those is told.
pub(super) fn refusal() -> Error {
    Error::Configuration("this driver has only statements".into())
}

impl sqlx::Connection for Unused {
    type Database = Here;
    type Options = Self;

    async fn close(self) -> sqlx::Result<()> {
        match self {}
    }

    async fn close_hard(self) -> sqlx::Result<()> {
        match self {}
    }

    async fn ping(&mut self) -> sqlx::Result<()> {
        match *self {}
    }

    async fn begin(&mut self) -> sqlx::Result<Transaction<'_, Here>> {
        match *self {}
    }

    fn shrink_buffers(&mut self) {
        match *self {}
    }

    async fn flush(&mut self) -> sqlx::Result<()> {
        match *self {}
    }

    fn should_flush(&self) -> bool {
        match *self {}
    }
}

impl FromStr for Unused {
    type Err = Error;

    fn from_str(_: &str) -> sqlx::Result<Self> {
        Err(refusal())
    }
}

impl sqlx::ConnectOptions for Unused {
    type Connection = Self;

    fn from_url(_: &Url) -> sqlx::Result<Self> {
        Err(refusal())
    }

    async fn connect(&self) -> sqlx::Result<Self> {
        match *self {}
    }

    fn log_statements(self, _: log::LevelFilter) -> Self {
        self
    }

    fn log_slow_statements(self, _: log::LevelFilter, _: Duration) -> Self {
        self
    }
}

impl TransactionManager for Unused {
    type Database = Here;

    async fn begin(connection: &mut Self, _: Option<SqlStr>) -> sqlx::Result<()> {
        match *connection {}
    }

    async fn commit(connection: &mut Self) -> sqlx::Result<()> {
        match *connection {}
    }

    async fn rollback(connection: &mut Self) -> sqlx::Result<()> {
        match *connection {}
    }

    fn start_rollback(connection: &mut Self) {
        match *connection {}
    }

    fn get_transaction_depth(connection: &Self) -> usize {
        match *connection {}
    }
}

impl sqlx::Statement for Unused {
    type Database = Here;

    fn into_sql(self) -> SqlStr {
        match self {}
    }

    fn sql(&self) -> &SqlStr {
        match *self {}
    }

    fn parameters(&self) -> Option<Either<&[Kind], usize>> {
        match *self {}
    }

    fn columns(&self) -> &[Column] {
        match *self {}
    }

    sqlx_core::impl_statement_query!(Bound);
}
