//! What links on IRC lead to, for the port that hands it out.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Bridge;
use crate::matrix::ClientError;
use crate::matrix::client::{Download, Downloading};
use crate::matrix::media::MediaId;
use crate::store::{Published, PublishedKind};
use crate::web::{Failure, Found, Media, Part, Shelf, Stream, Text};

impl Bridge {
    async fn find<T: serde::de::DeserializeOwned>(
        &self,
        kind: PublishedKind,
        id: &str,
    ) -> Result<Found<T>, Failure> {
        let found = self.store.published(kind, id, self.clock.unix_ms()).await.map_err(|error| {
            tracing::warn!(%error, "what a link leads to can't be looked up");
            Failure::Unavailable
        })?;
        Ok(match found {
            Some(Published::Here(json)) => Found::Here(serde_json::from_str(&json).map_err(|error| {
                tracing::error!(%error, "what a link leads to can't be read");
                Failure::Unavailable
            })?),
            Some(Published::Gone) => Found::Gone,
            None => Found::Nothing,
        })
    }
}

impl Shelf for Bridge {
    async fn media(&self, id: &str) -> Result<Found<Media>, Failure> {
        self.find(PublishedKind::Media, id).await
    }

    async fn text(&self, id: &str) -> Result<Found<Text>, Failure> {
        self.find(PublishedKind::Text, id).await
    }

    async fn fetch(&self, media: &Media, range: Option<&str>) -> Result<Stream, Failure> {
        let source = MediaId::parse(&media.source).ok_or(Failure::Missing)?;
        match self.client.download(&source, range).await {
            Ok(Downloading::Comes(download)) => stream_of(download),
            Ok(Downloading::Missing) => Err(Failure::Missing),
            Ok(Downloading::BeyondEnd(range)) => {
                let size = range.and_then(|range| range.strip_prefix("bytes */")?.parse().ok());
                Err(Failure::BeyondEnd(size))
            }
            Err(error) => {
                tracing::debug!(%error, "the homeserver does not hand out a file");
                Err(Failure::Unavailable)
            }
        }
    }
}

fn stream_of(download: Download) -> Result<Stream, Failure> {
    let part = download.range().and_then(Part::read);
    if download.is_part() && part.is_none() {
        return Err(Failure::Unavailable);
    }
    let (length, mimetype) = (download.length(), download.mimetype().map(str::to_owned));
    let bytes = stream::unfold(Some(download), |download| async {
        let mut download = download?;
        match download.chunk().await {
            Ok(None) => None,
            Ok(Some(bytes)) => Some((Ok(bytes), Some(download))),
            Err(error) => Some((Err(failure(&error)), None)),
        }
    });
    Ok(Stream { part, length, mimetype, bytes: bytes.boxed() })
}

fn failure(error: &ClientError) -> Failure {
    tracing::debug!(%error, "a file did not come whole");
    Failure::Unavailable
}
