//! Pictures that links on IRC lead to, fetched for people in Matrix who want to see them.
//!
//! Anybody on IRC names the address, and must not reach through the bridge what only its machine or network reaches. So
//! each address that is connected to is checked, also after a redirection, and no proxy connects in our stead. Size, time
//! and number are bounded, and a picture is what its bytes say, whatever the server says of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use tokio::sync::Semaphore;

use crate::addresses::{is_local_name, is_private};

/// Pictures that are fetched at a time; more stay links.
const AT_ONCE: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often one may be elsewhere.
const REDIRECTIONS: usize = 3;
/// What a picture of this many bytes is can be told.
const TELLING: usize = 64;
/// Letters of a name.
const LONGEST_NAME: usize = 80;
/// No client shows a wider or higher one.
const LARGEST_SIDE: usize = 30_000;

/// Who fetches pictures.
#[derive(Debug)]
pub struct Pictures {
    largest: usize,
    allow_private: bool,
    turns: Semaphore,
    /// Made with the first picture: most bridges fetch none.
    http: OnceLock<Option<reqwest::Client>>,
}

/// A picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it is.
    pub bytes: Vec<u8>,
    /// Of which type.
    pub mimetype: &'static str,
    /// Its width and height in pixels.
    pub extent: (usize, usize),
    /// What its address calls it.
    pub name: String,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// Too many are being fetched.
    #[error("too many are being fetched")]
    Busy,
    /// It took too long.
    #[error("it took too long")]
    Late,
    /// Nobody may ask there.
    #[error("it is at no address of the internet")]
    Forbidden,
    /// It did not come.
    #[error("it did not come: {0}")]
    Lost(reqwest::Error),
    /// The server has none.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// It leads on and on.
    #[error("it leads elsewhere too often")]
    Elsewhere,
    /// It is too large.
    #[error("it is too large")]
    TooLarge,
    /// It is something else.
    #[error("it is no picture that clients show")]
    Other,
}

/// Whether an address looks like one of a picture.
pub fn is_picture(address: &str) -> bool {
    const ENDINGS: [&str; 5] = [".png", ".jpg", ".jpeg", ".gif", ".webp"];
    let path = Url::parse(address).map(|url| url.path().to_ascii_lowercase());
    path.is_ok_and(|path| ENDINGS.iter().any(|ending| path.ends_with(ending)))
}

impl Pictures {
    /// Fetches pictures of so many bytes at most; from private addresses only where that is allowed.
    pub fn new(largest: usize, allow_private: bool) -> Self {
        Self { largest, allow_private, turns: Semaphore::new(AT_ONCE), http: OnceLock::new() }
    }

    /// Whether any is fetched.
    pub fn are_fetched(&self) -> bool {
        self.largest > 0
    }

    /// Fetches one.
    ///
    /// # Errors
    /// Where there is none that can be shown; without its address, which is not for the log.
    pub async fn fetch(&self, address: &str) -> Result<Picture, NoPicture> {
        let _turn = self.turns.try_acquire().map_err(|_| NoPicture::Busy)?;
        tokio::time::timeout(PATIENCE, self.follow(address)).await.map_err(|_| NoPicture::Late)?
    }

    async fn follow(&self, address: &str) -> Result<Picture, NoPicture> {
        let mut url = Url::parse(address).map_err(|_| NoPicture::Forbidden)?;
        for _ in 0..=REDIRECTIONS {
            if !self.may_ask(&url) {
                return Err(NoPicture::Forbidden);
            }
            let http = self.http.get_or_init(|| client(self.allow_private));
            let http = http.as_ref().ok_or(NoPicture::Other)?;
            let response = http.get(url.clone()).send().await.map_err(lost)?;
            let status = response.status();
            if status.is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
                let location = location.ok_or(NoPicture::Status(status.as_u16()))?;
                url = url.join(location).map_err(|_| NoPicture::Forbidden)?;
                continue;
            }
            if status != reqwest::StatusCode::OK {
                return Err(NoPicture::Status(status.as_u16()));
            }
            return self.read(response, name_of(&url)).await;
        }
        Err(NoPicture::Elsewhere)
    }

    /// Whether something may be asked at an address, as far as its letters tell. What a name stands for is seen when it is
    /// looked up.
    fn may_ask(&self, url: &Url) -> bool {
        let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
        // Other ports below these belong to services that are no web servers, and take what is written to them.
        let is_port = url.port_or_known_default().is_some_and(|port| matches!(port, 80 | 443 | 1024..));
        let is_public = match url.host_str() {
            None => false,
            Some(host) => {
                let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
                !is_local_name(host) && !literal.is_ok_and(is_private)
            }
        };
        is_web && is_port && (is_public || self.allow_private)
    }

    async fn read(&self, mut response: reqwest::Response, name: String) -> Result<Picture, NoPicture> {
        if response.content_length().is_some_and(|length| length > self.largest as u64) {
            return Err(NoPicture::TooLarge);
        }
        let mut bytes = Vec::new();
        while let Some(more) = response.chunk().await.map_err(lost)? {
            if bytes.len() + more.len() > self.largest {
                return Err(NoPicture::TooLarge);
            }
            let could_be_anything = bytes.len() < TELLING;
            bytes.extend_from_slice(&more);
            if could_be_anything && bytes.len() >= TELLING && type_of(&bytes).is_none() {
                return Err(NoPicture::Other);
            }
        }
        let mimetype = type_of(&bytes).ok_or(NoPicture::Other)?;
        let size = imagesize::blob_size(&bytes).map_err(|_| NoPicture::Other)?;
        let extent = (size.width, size.height);
        if extent.0.max(extent.1) > LARGEST_SIDE {
            return Err(NoPicture::TooLarge);
        }
        Ok(Picture { bytes, mimetype, extent, name })
    }
}

fn lost(error: reqwest::Error) -> NoPicture {
    NoPicture::Lost(error.without_url())
}

/// The type of a picture that every client shows, and that runs nothing.
fn type_of(bytes: &[u8]) -> Option<&'static str> {
    use imagesize::ImageType;
    match imagesize::image_type(bytes).ok()? {
        ImageType::Png => Some("image/png"),
        ImageType::Jpeg => Some("image/jpeg"),
        ImageType::Gif => Some("image/gif"),
        ImageType::Webp => Some("image/webp"),
        _ => None,
    }
}

/// The last part of an address.
fn name_of(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let name: String = last.chars().take(LONGEST_NAME).collect();
    if name.is_empty() { "picture".to_owned() } else { name }
}

/// A client that connects to the internet only.
#[expect(clippy::disallowed_methods, reason = "the one for the homeserver connects to any address")]
fn client(allow_private: bool) -> Option<reqwest::Client> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Lookup { allow_private })
        .user_agent(concat!("towline/", env!("CARGO_PKG_VERSION")))
        .build();
    client.inspect_err(|error| tracing::warn!(%error, "no pictures are fetched")).ok()
}

/// Looks names up, and forgets what is not on the internet.
struct Lookup {
    allow_private: bool,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // The port is not ours to say.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut addresses: Vec<SocketAddr> = found.collect();
            addresses.retain(|address| allow_private || !is_private(address.ip()));
            if addresses.is_empty() {
                return Err(NoPicture::Forbidden.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::picture("https://example.org/a.png", true)]
    #[case::capitals("https://example.org/A.JPEG?x=1#y", true)]
    #[case::page("https://example.org/a.html", false)]
    #[case::in_the_query("https://example.org/a?b.png", false)]
    #[case::vector("https://example.org/a.svg", false)]
    #[case::none("not an address.png", false)]
    fn an_address_looks_like_a_picture(#[case] address: &str, #[case] looks: bool) {
        assert_eq!(is_picture(address), looks);
    }

    #[rstest]
    #[case::public("http://93.184.216.34/a.png", true)]
    #[case::name("https://example.org/a.png", true)]
    #[case::high_port("https://example.org:8443/a.png", true)]
    #[case::loopback("http://127.0.0.1/a.png", false)]
    #[case::loopback_v6("http://[::1]/a.png", false)]
    #[case::as_a_number("http://2130706433/a.png", false)]
    #[case::in_hexadecimal("http://0x7f.1/a.png", false)]
    #[case::mapped("http://[::ffff:169.254.169.254]/a.png", false)]
    #[case::own_name("http://localhost/a.png", false)]
    #[case::mail("http://example.org:25/a.png", false)]
    #[case::with_a_name_and_password("http://user:secret@example.org/a.png", false)]
    #[case::other_scheme("file:///etc/a.png", false)]
    fn only_web_servers_of_the_internet_are_asked(#[case] address: &str, #[case] may: bool) {
        let pictures = Pictures::new(1_000, false);
        assert_eq!(pictures.may_ask(&Url::parse(address).unwrap()), may);
    }

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_is_not_asked() {
        let looked_up = |allow_private| Lookup { allow_private }.resolve("localhost".parse().unwrap());
        assert!(looked_up(false).await.is_err());
        assert!(looked_up(true).await.unwrap().count() > 0);
    }

    #[rstest]
    #[case::gif(b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff", Some("image/gif"))]
    #[case::vector(b"<svg xmlns='http://www.w3.org/2000/svg'/>", None)]
    #[case::page(b"<!DOCTYPE html>", None)]
    #[case::bitmap(b"BM\0\0\0\0\0\0\0\0\0\0\0\0", None)]
    #[case::nothing(b"", None)]
    fn a_picture_is_what_its_bytes_say(#[case] bytes: &[u8], #[case] mimetype: Option<&str>) {
        assert_eq!(type_of(bytes), mimetype);
    }
}
