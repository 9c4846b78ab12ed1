//! The port for people on IRC, over real connections, with a shelf that can do anything a homeserver may.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use towline::web::{self, Failure, Found, Media, Options, Part, Shelf, Stream, Text};

use crate::support::homeserver;

const CAT: &str = "CatCatCatCatCat01";
const PAGE: &str = "PagePagePagePage1";
const GONE: &str = "GoneGoneGoneGone1";
const NEVER: &str = "NeverNeverNever01";

/// How the homeserver hands a file out.
#[derive(Clone, Default)]
struct File {
    content: Vec<u8>,
    mimetype: &'static str,
    /// It does not say how long it is.
    hides_length: bool,
    /// It can give parts.
    gives_parts: bool,
    /// It gives another part than was asked for.
    gives_wrong_part: bool,
    /// Its connection ends after so many bytes.
    breaks_after: Option<usize>,
    failure: Option<Failure>,
}

#[derive(Default)]
struct Homeserver {
    files: HashMap<&'static str, (&'static str, File)>,
}

impl Shelf for Homeserver {
    async fn media(&self, id: &str) -> Result<Found<Media>, Failure> {
        if id == GONE {
            return Ok(Found::Gone);
        }
        let found = self.files.get_key_value(id);
        Ok(found.map_or(Found::Nothing, |(id, (name, _))| {
            let media = Media { source: (*id).to_owned(), name: (*name).to_owned(), mimetype: None };
            Found::Here(media)
        }))
    }

    async fn text(&self, id: &str) -> Result<Found<Text>, Failure> {
        let text = Text {
            text: "<script>document.title = 'ran'</script>\n```rust\nlet a = 1;\n```".into(),
            who: "alice".into(),
            place: "#rust".into(),
            network: "FakeNet".into(),
            at: 1_700_000_000_000,
        };
        Ok(match id {
            PAGE => Found::Here(text),
            GONE => Found::Gone,
            _ => Found::Nothing,
        })
    }

    async fn fetch(&self, media: &Media, range: Option<&str>) -> Result<Stream, Failure> {
        let (_, file) = self.files[media.source.as_str()].clone();
        if let Some(failure) = file.failure {
            return Err(failure);
        }
        let size = file.content.len() as u64;
        let part = range.filter(|_| file.gives_parts).map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let first = first.parse().unwrap_or(0) + u64::from(file.gives_wrong_part);
            Part { first, last: last.parse().unwrap_or(size - 1), size: Some(size) }
        });
        let content = match part {
            Some(part) => file.content[part.first as usize..=part.last as usize].to_vec(),
            None => file.content,
        };
        let length = (!file.hides_length).then_some(content.len() as u64);
        let mut chunks: Vec<Result<Bytes, Failure>> = content
            .get(..file.breaks_after.unwrap_or(content.len()))
            .unwrap_or_default()
            .chunks(7)
            .map(|chunk| Ok(chunk.to_vec().into()))
            .collect();
        if file.breaks_after.is_some() {
            chunks.push(Err(Failure::Unavailable));
        }
        let mimetype = Some(file.mimetype.to_owned());
        Ok(Stream { part, length, mimetype, bytes: stream::iter(chunks).boxed() })
    }
}

/// A hundred bytes, each its number.
fn cat() -> File {
    File { content: (0..100).collect(), mimetype: "image/png", ..File::default() }
}

struct Web {
    base: String,
    client: reqwest::Client,
}

impl Web {
    async fn with(name: &'static str, file: File) -> Self {
        let options = Options { prefix: "/irc".into(), largest: 1_000, parallel: 4 };
        Self::with_options(name, file, options).await
    }

    async fn with_options(name: &'static str, file: File, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/irc", listener.local_addr().unwrap());
        let shelf = Homeserver { files: [(CAT, (name, file))].into() };
        tokio::spawn(web::serve(listener, Arc::new(shelf), options, std::future::pending()));
        Self { base, client: homeserver::client() }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let Ok(answer) = request.send().await else {
            return Answer { status: 0, headers: HeaderMap::new(), body: None };
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.ok().map(|bytes| bytes.to_vec()) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    async fn range(&self, range: &str) -> Answer {
        self.ask(Method::GET, &format!("/m/{CAT}"), &[("range", range)]).await
    }
}

struct Answer {
    /// 0 where the connection ended before anything came.
    status: u16,
    headers: HeaderMap,
    /// Nothing where the connection ended within it.
    body: Option<Vec<u8>>,
}

impl Answer {
    fn header(&self, name: &'static str) -> &str {
        self.headers.get(HeaderName::from_static(name)).map_or("", |value| value.to_str().unwrap())
    }

    fn body(&self) -> &[u8] {
        self.body.as_deref().expect("the body came whole")
    }
}

#[tokio::test]
async fn a_file_comes_whole_with_everything_that_protects() {
    let web = Web::with("my cat.png", cat()).await;
    let answer = web.get(&format!("/m/{CAT}/my-cat.png")).await;
    assert_eq!((answer.status, answer.body()), (200, &cat().content[..]));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", "100"),
        ("content-disposition", "inline; filename=\"my cat.png\""),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("cache-control", "private, no-cache"),
        ("accept-ranges", "bytes"),
        ("etag", "\"CatCatCatCatCat01\""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn head_says_what_get_would_and_no_more() {
    let web = Web::with("cat.png", cat()).await;
    let answer = web.ask(Method::HEAD, &format!("/m/{CAT}"), &[]).await;
    assert_eq!((answer.status, answer.body()), (200, &[][..]));
    assert_eq!(answer.header("content-length"), "100");
    assert_eq!(answer.header("content-type"), "image/png");
    assert_eq!(answer.header("etag"), "\"CatCatCatCatCat01\"");
}

/// The first group is cut here, as Synapse gives no parts; the second comes cut.
#[rstest]
#[case::from_to("bytes=10-19", 206, "bytes 10-19/100", 10..20)]
#[case::within_a_chunk("bytes=8-8", 206, "bytes 8-8/100", 8..9)]
#[case::from("bytes=90-", 206, "bytes 90-99/100", 90..100)]
#[case::beyond_the_end("bytes=90-500", 206, "bytes 90-99/100", 90..100)]
#[case::behind_the_end("bytes=100-", 416, "bytes */100", 0..0)]
#[case::several("bytes=0-1,5-6", 200, "", 0..100)]
#[case::nonsense("bytes=9-1", 200, "", 0..100)]
#[tokio::test]
async fn a_part_is_cut_out_where_the_homeserver_gives_none(
    #[case] range: &str,
    #[case] status: u16,
    #[case] content_range: &str,
    #[case] bytes: std::ops::Range<u8>,
) {
    let web = Web::with("cat.png", cat()).await;
    let answer = web.range(range).await;
    assert_eq!((answer.status, answer.header("content-range")), (status, content_range));
    if status != 416 {
        let wanted: Vec<u8> = bytes.collect();
        assert_eq!(answer.body(), wanted);
        assert_eq!(answer.header("content-length"), wanted.len().to_string());
    }
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'");
}

#[rstest]
#[case::as_asked(File { gives_parts: true, ..cat() }, "bytes=10-19", 206, Some(10))]
#[case::another_part(File { gives_parts: true, gives_wrong_part: true, ..cat() }, "bytes=10-19", 502, None)]
#[case::the_last_cut_here(cat(), "bytes=-5", 206, Some(95))]
#[case::without_a_length(File { hides_length: true, ..cat() }, "bytes=10-19", 200, Some(0))]
#[case::beyond_the_end(File { failure: Some(Failure::BeyondEnd(Some(100))), ..cat() }, "bytes=500-", 416, None)]
#[tokio::test]
async fn a_part_of_the_homeservers_is_passed_on_if_it_is_the_right_one(
    #[case] file: File,
    #[case] range: &str,
    #[case] status: u16,
    #[case] first: Option<u8>,
) {
    let answer = Web::with("cat.png", file).await.range(range).await;
    assert_eq!(answer.status, status);
    if let Some(first) = first {
        assert_eq!(answer.body().first(), Some(&first));
    }
}

#[rstest]
#[case::the_same("\"CatCatCatCatCat01\"", 206)]
#[case::another("\"other\"", 200)]
#[case::a_date("Wed, 21 Oct 2015 07:28:00 GMT", 200)]
#[tokio::test]
async fn a_part_of_another_version_is_the_whole_of_this_one(#[case] version: &str, #[case] status: u16) {
    let web = Web::with("cat.png", cat()).await;
    let headers = [("range", "bytes=0-1"), ("if-range", version)];
    assert_eq!(web.ask(Method::GET, &format!("/m/{CAT}"), &headers).await.status, status);
}

#[rstest]
#[case::the_same("\"CatCatCatCatCat01\"", 304)]
#[case::weak("W/\"CatCatCatCatCat01\"", 304)]
#[case::in_a_list("\"x\", \"CatCatCatCatCat01\"", 304)]
#[case::any("*", 304)]
#[case::another("\"x\"", 200)]
#[tokio::test]
async fn who_has_it_is_told_that_it_is_still_there(#[case] versions: &str, #[case] status: u16) {
    let web = Web::with("cat.png", cat()).await;
    let headers = [("if-none-match", versions)];
    assert_eq!(web.ask(Method::GET, &format!("/m/{CAT}"), &headers).await.status, status);
    assert_eq!(web.ask(Method::GET, &format!("/m/{GONE}"), &headers).await.status, 410, "and if it is not");
}

#[rstest]
#[case::guessed(Method::GET, "/m/NeverNeverNever01", 404)]
#[case::guessed_head(Method::HEAD, "/m/NeverNeverNever01", 404)]
#[case::shortened(Method::GET, "/m/CatCatCatCatCat0", 404)]
#[case::lengthened(Method::GET, "/m/CatCatCatCatCat012", 404)]
#[case::in_other_letters(Method::GET, "/m/catcatcatcatcat01", 404)]
#[case::escaped(Method::GET, "/m/%43atCatCatCatCat01", 404)]
#[case::deeper(Method::GET, "/m/CatCatCatCatCat01/a/b", 404)]
#[case::an_mxc(Method::GET, "/m/test.local/abcdef", 404)]
#[case::steps(Method::GET, "/m/..%2f..%2f_matrix/client", 404)]
#[case::the_homeservers(Method::GET, "/_matrix/client/v1/media/download/test.local/abc", 404)]
#[case::the_applications(Method::PUT, "/_matrix/app/v1/transactions/1", 404)]
#[case::the_root(Method::GET, "/", 404)]
#[case::posted(Method::POST, "/m/CatCatCatCatCat01", 405)]
#[case::deleted(Method::DELETE, "/m/CatCatCatCatCat01", 405)]
#[case::options(Method::OPTIONS, "/m/CatCatCatCatCat01", 405)]
#[case::taken_back(Method::GET, "/m/GoneGoneGoneGone1", 410)]
#[case::taken_back_head(Method::HEAD, "/m/GoneGoneGoneGone1", 410)]
#[tokio::test]
async fn what_is_not_there_is_refused_in_one_way(
    #[case] method: Method,
    #[case] path: &str,
    #[case] status: u16,
) {
    let web = Web::with("cat.png", cat()).await;
    let answer = web.ask(method, path, &[]).await;
    assert_eq!(answer.status, status);
    assert!(web::is_ours(&answer.headers));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!String::from_utf8_lossy(answer.body()).contains(NEVER), "what was asked for is not echoed");
}

#[rstest]
#[case::missing(File { failure: Some(Failure::Missing), ..cat() }, 404)]
#[case::failing(File { failure: Some(Failure::Unavailable), ..cat() }, 502)]
#[case::slow(File { failure: Some(Failure::Timeout), ..cat() }, 504)]
#[case::too_large(File { content: vec![0; 1_001], ..cat() }, 413)]
#[case::just_not_too_large(File { content: vec![0; 1_000], ..cat() }, 200)]
#[case::empty(File { content: vec![], ..cat() }, 200)]
#[tokio::test]
async fn what_the_homeserver_does_not_give_is_an_error_of_its_kind(#[case] file: File, #[case] status: u16) {
    let answer = Web::with("cat.png", file).await.get(&format!("/m/{CAT}")).await;
    assert_eq!(answer.status, status);
}

#[rstest]
#[case::it_breaks_off(File { breaks_after: Some(50), ..cat() })]
#[case::it_breaks_off_without_a_length(File { breaks_after: Some(50), hides_length: true, ..cat() })]
#[case::it_has_no_end(File { content: vec![0; 1_001], hides_length: true, ..cat() })]
#[tokio::test]
async fn a_file_that_does_not_come_whole_does_not_look_whole(#[case] file: File) {
    let answer = Web::with("cat.png", file).await.get(&format!("/m/{CAT}")).await;
    assert!([0, 200].contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.body, None);
}

#[rstest]
#[case::svg("evil.svg", "image/svg+xml")]
#[case::html("evil.html", "text/html")]
#[case::xhtml("evil.xhtml", "application/xhtml+xml; charset=utf-8")]
#[case::pdf("paper.pdf", "application/pdf")]
#[case::script("evil.js", "text/javascript")]
#[case::by_name_only("evil.html", "")]
#[tokio::test]
async fn what_could_run_is_saved_and_not_shown(#[case] name: &'static str, #[case] mimetype: &'static str) {
    let file = File { mimetype, ..cat() };
    let answer = Web::with(name, file).await.get(&format!("/m/{CAT}/{name}")).await;
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'");
}

#[tokio::test]
async fn a_text_has_a_page_on_which_nothing_runs_and_stands_alone() {
    let web = Web::with("cat.png", cat()).await;
    let page = web.get(&format!("/p/{PAGE}")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("sandbox; default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(page.header("cache-control"), "private, no-cache");
    let html = String::from_utf8_lossy(page.body());
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    assert!(html.contains(&format!("href=\"{PAGE}/raw\"")));
    let raw = web.get(&format!("/p/{PAGE}/raw")).await;
    assert_eq!((raw.status, raw.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert_eq!(raw.header("content-security-policy"), "sandbox; default-src 'none'");
    assert!(raw.body().starts_with(b"<script>"));
    let head = web.ask(Method::HEAD, &format!("/p/{PAGE}"), &[]).await;
    assert_eq!(head.header("content-length"), page.body().len().to_string());
    for (path, status) in [
        ("/p/NeverNeverNever01", 404),
        ("/p/CatCatCatCatCat01", 404),
        ("/m/PagePagePagePage1", 404),
        ("/p/GoneGoneGoneGone1", 410),
        ("/p/GoneGoneGoneGone1/raw", 410),
    ] {
        assert_eq!(web.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_recording_may_load_itself() {
    let file = File { mimetype: "video/mp4", ..cat() };
    let answer = Web::with("cat.mp4", file).await.get(&format!("/m/{CAT}")).await;
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'; media-src 'self'");
}

#[tokio::test]
async fn a_download_gives_its_turn_back() {
    let options = Options { prefix: String::new(), largest: 1_000, parallel: 1 };
    let web = Web::with_options("cat.png", cat(), options).await;
    let web = Web { base: web.base.replace("/irc", ""), ..web };
    for method in [Method::GET, Method::HEAD, Method::GET] {
        assert_eq!(web.ask(method, &format!("/m/{CAT}"), &[]).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_text_gives_its_turn_back_and_downloads_keep_none_waiting() {
    let options = Options { prefix: "/irc".into(), largest: 1_000, parallel: 1 };
    let web = Web::with_options("cat.png", cat(), options).await;
    for path in ["", "/raw", "", "/raw"] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(web.ask(method, &format!("/p/{PAGE}{path}"), &[]).await.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let web = Web::with("cat.png", cat()).await;
    let address = web.base.strip_prefix("http://").unwrap().strip_suffix("/irc").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    // With the settings that every client begins with.
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
}

#[rstest]
#[case::a_file("/m/NeverNeverNever01", true)]
#[case::a_page("/p/NeverNeverNever01", true)]
#[case::another_path("/files/m/NeverNeverNever01", false)]
#[case::no_path("/", false)]
#[tokio::test]
async fn a_link_that_leads_to_nothing_differs_from_a_path_that_no_link_has(
    #[case] path: &str,
    #[case] is_link: bool,
) {
    let answer = Web::with("cat.png", cat()).await.get(path).await;
    assert_eq!((answer.status, web::is_of_a_link(answer.body())), (404, is_link));
}
