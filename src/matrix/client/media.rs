//! Files that the homeserver has, as they come: nothing of them is kept.

use std::time::Duration;

use reqwest::header;
use ruma::api::client::media::create_content;
use secrecy::ExposeSecret;

use super::{Client, chain};
use crate::matrix::error::ClientError;
use crate::matrix::media::MediaId;

/// How long a file may take, to its last byte.
const LIMIT: Duration = Duration::from_mins(15);
/// How long the homeserver may take until it answers; it may have to fetch the file from another one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file on its way.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
}

/// What became of asking for a file.
#[derive(Debug)]
pub enum Downloading {
    /// It comes.
    Comes(Download),
    /// There is no such file, or none any more.
    Missing,
    /// The part that was asked for is beyond its end: the `Content-Range` that says so.
    BeyondEnd(Option<String>),
}

impl Client {
    /// `GET /_matrix/client/v1/media/download/{server}/{id}`, with `range` for a part of it, if the homeserver can that.
    /// Where it sends elsewhere nobody follows: that could be any address.
    pub async fn download(&self, media: &MediaId, range: Option<&str>) -> Result<Downloading, ClientError> {
        let url = media.url(&self.base).ok_or_else(|| ClientError::Invalid("no such address".to_owned()))?;
        let mut request = self.http.get(url).timeout(LIMIT).bearer_auth(self.token.first().expose_secret());
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        let response = tokio::time::timeout(PATIENCE, request.send())
            .await
            .map_err(|_| ClientError::Unknown("no answer in time".to_owned()))?
            .map_err(|error| ClientError::Unreachable(chain(&error.without_url())))?;
        match response.status().as_u16() {
            200 | 206 => Ok(Downloading::Comes(Download { response })),
            404 | 410 => Ok(Downloading::Missing),
            416 => {
                let range = response.headers().get(header::CONTENT_RANGE);
                let range = range.and_then(|range| range.to_str().ok()).map(str::to_owned);
                Ok(Downloading::BeyondEnd(range))
            }
            status => Err(ClientError::Unknown(format!("HTTP status {status}"))),
        }
    }
}

impl Client {
    /// `POST /_matrix/media/v3/upload`: gives the file's `mxc://` address.
    pub async fn upload(
        &self,
        sender: &str,
        bytes: Vec<u8>,
        mimetype: &str,
        name: &str,
    ) -> Result<String, ClientError> {
        let mut request = create_content::v3::Request::new(bytes);
        request.content_type = Some(mimetype.to_owned());
        request.filename = Some(name.to_owned());
        let response = self.call(sender, request).await?;
        Ok(response.content_uri.to_string())
    }
}

impl Download {
    /// The `Content-Range` of a part.
    pub fn range(&self) -> Option<&str> {
        let is_part = self.response.status() == reqwest::StatusCode::PARTIAL_CONTENT;
        self.header(header::CONTENT_RANGE).filter(|_| is_part)
    }

    /// Whether it is a part, whether or not it says which.
    pub fn is_part(&self) -> bool {
        self.response.status() == reqwest::StatusCode::PARTIAL_CONTENT
    }

    /// How many bytes come.
    pub fn length(&self) -> Option<u64> {
        self.header(header::CONTENT_LENGTH)?.parse().ok()
    }

    /// Its type.
    pub fn mimetype(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE)
    }

    /// The next bytes.
    pub async fn chunk(&mut self) -> Result<Option<axum::body::Bytes>, ClientError> {
        self.response.chunk().await.map_err(|error| ClientError::Unknown(chain(&error.without_url())))
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}
