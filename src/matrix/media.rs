//! Media ids: `mxc://server/id`, checked by the specification's grammar before anything is asked of the homeserver.
//!
//! What stands in an event was written by its sender: a `/` or `..` in it must not lead to another of the homeserver's
//! endpoints, which all open to the bridge's token.

use reqwest::Url;

/// Letters in an id that any homeserver gives.
const LONGEST: usize = 255;

/// Where the homeserver has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaId {
    server: String,
    id: String,
}

impl MediaId {
    /// Reads an `mxc://` address.
    pub fn parse(text: &str) -> Option<Self> {
        let (server, id) = text.strip_prefix("mxc://")?.split_once('/')?;
        let is_id = (1..=LONGEST).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_step = server.starts_with('.') || server.contains("..");
        let is_server = server.len() <= LONGEST && !is_step && <&ruma::ServerName>::try_from(server).is_ok();
        (is_id && is_server).then(|| Self { server: server.to_owned(), id: id.to_owned() })
    }

    /// Where the homeserver at `base` hands it out to those who are logged in ([specification]).
    ///
    /// [specification]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid
    pub(super) fn url(&self, base: &str) -> Option<Url> {
        let mut url = Url::parse(base).ok()?;
        let path = ["_matrix", "client", "v1", "media", "download", &self.server, &self.id];
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(
        "mxc://example.org/AbC-_9",
        "http://hs/_matrix/client/v1/media/download/example.org/AbC-_9"
    )]
    #[case::a_port("mxc://hs:8448/a", "http://hs/_matrix/client/v1/media/download/hs:8448/a")]
    #[case::an_address("mxc://[::1]:80/a", "http://hs/_matrix/client/v1/media/download/[::1]:80/a")]
    fn a_media_id_is_an_address_of_the_homeserver(#[case] mxc: &str, #[case] url: &str) {
        let id = MediaId::parse(mxc).unwrap();
        let found = id.url("http://hs").unwrap().to_string();
        assert_eq!(found.replace("%5B", "[").replace("%5D", "]"), url);
        let behind = id.url("http://hs/behind/").unwrap();
        assert!(behind.path().starts_with("/behind/_matrix/client/v1/media/download/"));
    }

    #[rstest]
    #[case::traversal("mxc://x/../../v3/account/whoami")]
    #[case::traversal_in_the_server("mxc://../a")]
    #[case::dots("mxc://x/..")]
    #[case::percent("mxc://x/%2e%2e")]
    #[case::a_path("mxc://x/a/b")]
    #[case::a_query("mxc://x/a?b")]
    #[case::a_fragment("mxc://x/a#b")]
    #[case::another_scheme("https://x/a")]
    #[case::a_line_feed("mxc://x/a\nb")]
    #[case::no_id("mxc://x/")]
    #[case::no_server("mxc:///a")]
    #[case::nothing("")]
    fn what_is_no_media_id_is_asked_of_nobody(#[case] mxc: &str) {
        assert_eq!(MediaId::parse(mxc), None);
    }
}
