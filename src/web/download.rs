//! Handing out a file while it comes from the homeserver, whole or in part, without keeping any of it.
//!
//! Where the homeserver gives no parts, as Synapse does not, the part is cut out here. No more bytes go out than the
//! largest file may have, whatever the homeserver announces or does not.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::OwnedSemaphorePermit;

use super::range::{self, Part, Range};
use super::{Failure, Media, Shelf, Stream, Web, failed, headers, refusal};

/// How long the homeserver may take for its next bytes.
const SILENCE: Duration = Duration::from_secs(30);

impl<S: Shelf> Web<S> {
    pub(super) async fn download(
        &self,
        id: &str,
        media: &Media,
        request: &HeaderMap,
        turn: OwnedSemaphorePermit,
    ) -> Response {
        // What a link leads to never changes.
        let etag = format!("\"{id}\"");
        if is_known(request, &etag) {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            describe(response.headers_mut(), &etag);
            headers::protect(response.headers_mut(), headers::NOTHING_RUNS, headers::ASK_EACH_TIME);
            return response;
        }
        let asked = range::asked(request, &etag);
        let header = asked.map(Range::header);
        let stream = match self.shelf.fetch(media, header.as_deref()).await {
            Ok(stream) => stream,
            Err(failure) => return failed(failure),
        };
        let mimetype = stream.mimetype.clone();
        match cut(stream, asked, self.options.largest) {
            Ok(cut) => respond(cut, media, mimetype.as_deref(), &etag, turn),
            Err(NotCut::BeyondEnd(size)) => failed(Failure::BeyondEnd(Some(size))),
            Err(NotCut::Other) => failed(Failure::Unavailable),
            Err(NotCut::TooLarge) => refusal(StatusCode::PAYLOAD_TOO_LARGE),
        }
    }
}

/// Whether the one who asks has it already.
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let mut versions = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    versions.any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|version| version == "*" || version.trim_start_matches("W/") == etag)
    })
}

fn describe(headers: &mut HeaderMap, etag: &str) {
    headers::set(headers, header::ETAG, etag);
    headers::set(headers, header::ACCEPT_RANGES, "bytes");
}

/// What goes out.
struct Cut {
    bytes: BoxStream<'static, Result<Bytes, Failure>>,
    part: Option<Part>,
    length: Option<u64>,
}

enum NotCut {
    BeyondEnd(u64),
    TooLarge,
    Other,
}

/// Cuts what was asked for out of what the homeserver gives.
fn cut(stream: Stream, asked: Option<Range>, largest: u64) -> Result<Cut, NotCut> {
    let Stream { part, length, bytes, .. } = stream;
    let Some(asked) = asked else {
        // A part that nobody asked for is no file.
        return match (part, length) {
            (Some(_), _) => Err(NotCut::Other),
            (None, Some(length)) if length > largest => Err(NotCut::TooLarge),
            (None, length) => {
                Ok(Cut { bytes: slice(bytes, 0, length.unwrap_or(largest), length.is_some()), part, length })
            }
        };
    };
    if let Some(part) = part {
        let fits = match asked {
            Range::From(first, last) => part.first == first && last.is_none_or(|last| part.last <= last),
            Range::Last(_) => part.size.is_some_and(|size| asked.of(size) == Some(part)),
        };
        return match (fits, part.size.unwrap_or(part.last.saturating_add(1)) > largest) {
            (false, _) => Err(NotCut::Other),
            (true, true) => Err(NotCut::TooLarge),
            (true, false) => {
                let length = part.length();
                Ok(Cut { bytes: slice(bytes, 0, length, true), part: Some(part), length: Some(length) })
            }
        };
    }
    match length {
        Some(size) if size > largest => Err(NotCut::TooLarge),
        Some(size) => {
            let part = asked.of(size).ok_or(NotCut::BeyondEnd(size))?;
            let length = part.length();
            Ok(Cut { bytes: slice(bytes, part.first, length, true), part: Some(part), length: Some(length) })
        }
        // Where the end is unknown, so is what a part of it would be.
        None => Ok(Cut { bytes: slice(bytes, 0, largest, false), part: None, length: None }),
    }
}

struct Slice {
    bytes: BoxStream<'static, Result<Bytes, Failure>>,
    skip: u64,
    left: u64,
    /// So much must come; else it is the most that may.
    is_exact: bool,
    is_over: bool,
}

/// `length` bytes behind the first `skip`. It ends with an error where too few come, or where more come than may: then the
/// one who asks knows that it is not whole.
fn slice(
    bytes: BoxStream<'static, Result<Bytes, Failure>>,
    skip: u64,
    length: u64,
    is_exact: bool,
) -> BoxStream<'static, Result<Bytes, Failure>> {
    let slice = Slice { bytes, skip, left: length, is_exact, is_over: false };
    stream::unfold(slice, |mut slice| async {
        let item = slice.next().await?;
        slice.is_over = item.is_err();
        Some((item, slice))
    })
    .boxed()
}

impl Slice {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        if self.is_over || (self.is_exact && self.left == 0) {
            return None;
        }
        loop {
            let mut chunk = match tokio::time::timeout(SILENCE, self.bytes.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(failure))) => return Some(Err(failure)),
                Ok(None) => return self.is_exact.then_some(Err(Failure::Unavailable)),
                Err(_) => return Some(Err(Failure::Timeout)),
            };
            let skipped = self.skip.min(chunk.len() as u64);
            self.skip -= skipped;
            chunk = chunk.slice(skipped as usize..);
            if chunk.is_empty() {
                continue;
            }
            if chunk.len() as u64 > self.left {
                if !self.is_exact {
                    return Some(Err(Failure::Unavailable));
                }
                chunk.truncate(self.left as usize);
            }
            self.left -= chunk.len() as u64;
            return Some(Ok(chunk));
        }
    }
}

fn respond(
    cut: Cut,
    media: &Media,
    mimetype: Option<&str>,
    etag: &str,
    turn: OwnedSemaphorePermit,
) -> Response {
    let Cut { bytes, part, length } = cut;
    // The turn ends with the download.
    let bytes = bytes.map(move |item| {
        let _turn = &turn;
        item.map_err(|_| std::io::Error::other("the file did not come whole"))
    });
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    describe(headers, etag);
    let (content_type, is_shown) = headers::kind(mimetype.or(media.mimetype.as_deref()));
    let plays = content_type.starts_with("video/") || content_type.starts_with("audio/");
    let policy = if plays { headers::NOTHING_RUNS_BUT_RECORDINGS } else { headers::NOTHING_RUNS };
    headers::protect(headers, policy, headers::ASK_EACH_TIME);
    headers::set(headers, header::CONTENT_TYPE, content_type);
    headers::set(headers, header::CONTENT_DISPOSITION, &headers::disposition(&media.name, is_shown));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(part) = part {
        headers::set(headers, header::CONTENT_RANGE, &part.to_string());
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}
