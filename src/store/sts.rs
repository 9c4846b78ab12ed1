//! Hosts that want to be talked to by TLS only, and until when. What a server says to one session holds for all.

use super::pool::{later, on};
use super::{Store, StoreError};

impl Store {
    /// The port at which a host must be reached by TLS; `None` where it asks for nothing, or no longer.
    pub async fn sts_port(&self, host: &str, now: i64) -> Result<Option<u16>, StoreError> {
        const SQL: &str = "SELECT port FROM sts_policy WHERE host = $1 AND expires_at > $2";
        let host = host.to_ascii_lowercase();
        let port: Option<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(&host).bind(now).fetch_optional(p).await)?;
        Ok(port.and_then(|port| u16::try_from(port).ok()))
    }

    /// Remembers that a host must be reached by TLS until then. A time that is over forgets it, and with it all whose
    /// time is over.
    pub async fn set_sts_port(
        &self,
        host: &str,
        port: u16,
        expires_at: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO sts_policy (host, port, expires_at) VALUES ($1, $2, $3)
            ON CONFLICT (host) DO UPDATE SET port = excluded.port, expires_at = excluded.expires_at";
        const FORGET: &str = "DELETE FROM sts_policy WHERE expires_at <= $1";
        let host = host.to_ascii_lowercase();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SET, host, i64::from(port), expires_at)?;
                later!(tx, FORGET, now)?;
                Ok(())
            })
        })
        .await
    }
}
