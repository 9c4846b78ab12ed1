//! Whether links to files and long texts lead to Towline: asks, at the base URL, for something that does not exist, and
//! knows the answer. Where Towline does not run, it answers in its place.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, Outcome};
use crate::cli::{CliError, Code};
use crate::config::{Config, Media};
use crate::web::{self, Found, Shelf, Stream};

/// Nothing to hand out.
struct Empty;

impl Shelf for Empty {
    async fn media(&self, _id: &str) -> Result<Found<web::Media>, web::Failure> {
        Ok(Found::Nothing)
    }

    async fn text(&self, _id: &str) -> Result<Found<web::Text>, web::Failure> {
        Ok(Found::Nothing)
    }

    async fn fetch(&self, _media: &web::Media, _range: Option<&str>) -> Result<Stream, web::Failure> {
        Err(web::Failure::Missing)
    }
}

pub(super) async fn check(config: &Config) -> Result<Outcome, CliError> {
    let Some(media) = &config.media else {
        return Ok(Outcome::Skipped(
            "there is no `media.base_url`: files go to IRC without links".to_owned(),
        ));
    };
    // Where the port is taken, Towline answers there by itself.
    let standing_in = TcpListener::bind(media.listen).await.ok().map(|listener| {
        tokio::spawn(web::serve(listener, Arc::new(Empty), media.into(), std::future::pending()))
    });
    let outcome = ask(media).await;
    if let Some(standing_in) = standing_in {
        standing_in.abort();
    }
    outcome
}

/// Bytes of an answer's text that are read.
const MOST_OF_TEXT: usize = 1024;

async fn ask(media: &Media) -> Result<Outcome, CliError> {
    let client = crate::matrix::http::client().map_err(|error| CliError::Unexpected(error.into()))?;
    let id = web::link::new_id().map_err(|error| CliError::Unexpected(error.into()))?;
    let Media { base_url, listen, .. } = media;
    let url = format!("{base_url}{}", web::link::media_path(&id, ""));
    let failed = |code, what: String| {
        let remedy = format!(
            "see whether the proxy at {base_url} hands what it is asked for to {listen}; this machine must reach it, too"
        );
        Ok(Outcome::Failed(Failure::new(code, what, remedy)))
    };
    let mut answer = match client.get(url).timeout(Duration::from_secs(20)).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let reason = if error.is_timeout() { "no answer in time" } else { "it can't be reached" };
            return failed(Code::Unreachable, format!("nobody can open links to {base_url}: {reason}"));
        }
    };
    if answer.status() == http::StatusCode::NOT_FOUND && web::is_ours(answer.headers()) {
        let mut text = Vec::new();
        while text.len() < MOST_OF_TEXT
            && let Ok(Some(bytes)) = answer.chunk().await
        {
            text.extend_from_slice(&bytes);
        }
        if web::is_of_a_link(&text) {
            return Ok(Outcome::Ok(format!("{base_url} leads to {listen}")));
        }
        return failed(
            Code::Configuration,
            format!("links to {base_url} reach Towline under another path than they have"),
        );
    }
    let status = answer.status();
    failed(
        Code::Configuration,
        format!("{base_url} does not lead to Towline: something else answers with {status}"),
    )
}
