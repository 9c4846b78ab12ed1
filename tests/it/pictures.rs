//! Pictures that people on IRC link to: fetched where the user wants that, from where nobody is harmed by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use rstest::rstest;
use tokio::net::TcpListener;
use towline::web::pictures::{NoPicture, Pictures};

use crate::support::bridge::World;
use crate::support::homeserver::Fault;

/// A web server with pictures, on loopback.
struct Site {
    base: String,
    asked: Arc<AtomicUsize>,
}

/// What there is to know of a PNG of 3 × 2 pixels.
fn png() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0".to_vec();
    bytes.resize(200, 0);
    bytes
}

impl Site {
    async fn open() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let to = |place: &'static str| {
            get(move || async move { (StatusCode::FOUND, [(header::LOCATION, place)]) })
        };
        let counter = Arc::clone(&asked);
        let router = Router::new()
            .route("/a.png", get(|| async { ([(header::CONTENT_TYPE, "text/html")], png()) }))
            .route("/there.png", to("/a.png"))
            .route("/round.png", to("/round.png"))
            .route("/file.png", to("file:///etc/passwd"))
            .route(
                "/page.png",
                get(|| async { ([(header::CONTENT_TYPE, "image/png")], "<html>".repeat(50)) }),
            )
            .route("/drawing.png", get(|| async { "<svg xmlns='http://www.w3.org/2000/svg'></svg>" }))
            .route("/large.png", get(|| async { [png(), vec![0; 10_000]].concat() }))
            .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
                counter.fetch_add(1, Ordering::Relaxed);
                async move { request }
            }))
            .fallback(|| async { StatusCode::NOT_FOUND.into_response() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, asked }
    }
}

#[rstest]
#[case::picture("/a.png", "3×2 image/png a.png")]
#[case::elsewhere("/there.png", "3×2 image/png a.png")]
#[case::round_and_round("/round.png", "it leads elsewhere too often")]
#[case::to_a_file("/file.png", "it is at no address of the internet")]
#[case::page("/page.png", "it is no picture that clients show")]
#[case::drawing("/drawing.png", "it is no picture that clients show")]
#[case::too_large("/large.png", "it is too large")]
#[case::none("/none.png", "the server answers with status 404")]
#[tokio::test]
async fn a_picture_is_fetched_or_it_is_known_why_not(#[case] path: &str, #[case] outcome: &str) {
    let site = Site::open().await;
    let found = match Pictures::new(5_000, true).fetch(&format!("{}{path}", site.base)).await {
        Ok(picture) => {
            assert_eq!(picture.bytes, png());
            format!("{}×{} {} {}", picture.extent.0, picture.extent.1, picture.mimetype, picture.name)
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(found, outcome);
}

#[tokio::test]
async fn invariant_9_a_picture_at_a_private_address_is_not_asked_for() {
    let site = Site::open().await;
    let pictures = Pictures::new(5_000, false);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let address = site.base.replace("127.0.0.1", host) + "/a.png";
        let fetched = pictures.fetch(&address).await;
        assert!(matches!(fetched, Err(NoPicture::Forbidden | NoPicture::Lost(_))), "{host}: {fetched:?}");
    }
    assert_eq!(site.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_linked_to_is_shown_where_the_user_wants_it() {
    let site = Site::open().await;
    let world = World::builder().config("pictures: { allow_private: true }\n").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let link = format!("look: {}/a.png, nice", site.base);
    bob.say("#rust", &link);
    let line = world.homeserver.wait_message(&room, &link).await;
    assert_eq!(site.asked.load(Ordering::Relaxed), 0, "nobody has asked for it");
    alice.send_text(&control, "set pictures show");
    world.homeserver.wait_message(&control, "pictures show for you, on all networks.").await;
    bob.say("#rust", &link);
    let shown = world.homeserver.wait_event(&room, |event| event.content["msgtype"] == "m.image").await;
    assert_eq!(shown.sender, line.sender);
    assert_eq!(shown.body(), "a.png");
    assert_eq!(
        shown.content["info"],
        serde_json::json!({ "mimetype": "image/png", "size": 200, "w": 3, "h": 2 })
    );
    let id = shown.content["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(world.homeserver.media(&id), png());
}

/// The homeserver did not know who uploads it yet, and it was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_a_persons_first_line_links_to_is_shown() {
    let site = Site::open().await;
    // She comes when she speaks, and not before the homeserver fails.
    let config = "pictures: { allow_private: true }\nsettings:\n  members: active\n";
    let world = World::builder().config(config).start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "set pictures show");
    world.homeserver.wait_message(&control, "pictures show for you, on all networks.").await;
    let carol = world.ircd.person("carol");
    carol.join("#rust");
    let fault = Fault::Status(502, serde_json::json!("<html>502 Bad Gateway</html>"));
    world.homeserver.faults().fail("POST", "/register", fault, 4);
    carol.say("#rust", &format!("{}/a.png", site.base));
    let shown = world.homeserver.wait_event(&room, |event| event.content["msgtype"] == "m.image").await;
    assert_eq!(shown.sender, "@irc_fake_carol:test.local");
    assert_eq!(world.homeserver.faults().remaining(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_nothing_is_fetched_for_a_stranger_who_is_asked_about() {
    let site = Site::open().await;
    let world = World::builder().config("pictures: { allow_private: true }\n").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    for setting in ["pictures show", "strangers ask"] {
        alice.send_text(&control, &format!("set {setting}"));
        let done = format!("{setting} for you");
        world.homeserver.wait_event(&control, |event| event.body().contains(&done)).await;
    }
    let link = format!("{}/a.png", site.base);
    world.ircd.person("eve").say("alice", &link);
    world.homeserver.wait_event(&network, |event| event.body().contains("for the first time")).await;
    bob.say("#rust", &link);
    world.homeserver.wait_event(&room, |event| event.content["msgtype"] == "m.image").await;
    assert_eq!(site.asked.load(Ordering::Relaxed), 1, "for bob alone");
}
