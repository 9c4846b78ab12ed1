//! The proxy's faults, each seen from both of its sides.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::RawClient;
use crate::support::ircd::{self, Ircd, Person};
use crate::support::proxy::Proxy;

/// Ann, who is in #c through a proxy, and bob, who is there without.
struct Scene {
    ircd: Ircd,
    proxy: Proxy,
    ann: RawClient,
    bob: Person,
}

impl Scene {
    async fn begin() -> Self {
        let ircd = Ircd::start(ircd::Options::default()).await;
        let proxy = Proxy::start(ircd.address()).await;
        let bob = ircd.person("bob");
        bob.join("#c");
        let ann = enter(proxy.address()).await;
        Self { ircd, proxy, ann, bob }
    }
}

async fn enter(address: SocketAddr) -> RawClient {
    let mut ann = RawClient::connect(address, "NICK ann\nUSER u 0 * :r\nJOIN #c").await;
    ann.hear(" 366 ").await;
    ann
}

#[expect(clippy::disallowed_methods, reason = "a delay is measured by the real clock")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn the_proxy_cuts_and_restores() {
    let ircd = Ircd::start(ircd::Options::default()).await;
    let proxy = Proxy::start(ircd.address()).await;
    let mut ann = RawClient::connect(proxy.address(), "NICK ann\nUSER u 0 * :r").await;
    ann.hear(" 376 ").await;
    proxy.cut();
    assert!(ann.stream.read_to_end(&mut Vec::new()).await.is_ok_and(|count| count == 0));
    ircd.wait_gone("ann").await;
    proxy.restore();
    let mut ann = RawClient::connect(proxy.address(), "NICK ann\nUSER u 0 * :r").await;
    ann.hear(" 376 ").await;
    proxy.stop_after(9);
    ann.say("PING one\nPING two").await;
    proxy.wait_stopped().await;
    proxy.restore();
    ann.hear("PONG fake.irc :two").await;
}

#[tokio::test]
async fn the_proxy_delays_in_both_directions() {
    let mut scene = Scene::begin().await;
    scene.proxy.delay(Duration::from_millis(40));
    let start = now();
    scene.ann.say("PING later").await;
    scene.ann.hear("PONG fake.irc :later").await;
    assert!(start.elapsed() >= Duration::from_millis(80), "{:?}", start.elapsed());
    for number in 0..20 {
        scene.bob.say("#c", &format!("line {number}"));
    }
    for number in 0..20 {
        assert!(scene.ann.hear("PRIVMSG").await.ends_with(&format!(" :line {number}")), "in order");
    }
    scene.proxy.restore();
    scene.ann.say("PING now").await;
    scene.ann.hear("PONG fake.irc :now").await;
}

#[tokio::test]
async fn the_proxy_is_slow() {
    let mut scene = Scene::begin().await;
    scene.proxy.slow(10);
    let start = now();
    let text = "x".repeat(300);
    scene.ann.say(&format!("PRIVMSG #c :{text}")).await;
    assert_eq!(scene.bob.wait_text(&text).await.nick(), "ann");
    // 314 bytes there, at 10 in a millisecond.
    assert!(start.elapsed() >= Duration::from_millis(31), "{:?}", start.elapsed());
    let start = now();
    scene.bob.say("#c", &text);
    scene.ann.hear(&text).await;
    assert!(start.elapsed() >= Duration::from_millis(31), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_half_open_connection_leads_nowhere_and_neither_side_knows() {
    let mut scene = Scene::begin().await;
    scene.proxy.half_open();
    let mark = scene.ircd.mark();
    scene.ann.say("PRIVMSG #c :nobody hears this").await;
    scene.bob.say("#c", "and this");
    // What passes on a new connection comes after what would have passed on the old.
    let mut cid = RawClient::connect(scene.proxy.address(), "NICK cid\nUSER u 0 * :r\nJOIN #c").await;
    cid.hear(" 366 ").await;
    cid.say("PRIVMSG #c :I am new").await;
    scene.bob.wait_text("I am new").await;
    assert!(scene.ircd.lines()[mark..].iter().all(|line| line.nick != "ann"));
    assert!(scene.ircd.names("#c").contains(&"ann".to_owned()), "the server thinks that she is there");
    drop(scene.ann.stream.into_inner());
    cid.say("PING again").await;
    cid.hear("PONG fake.irc :again").await;
    assert!(scene.ircd.names("#c").contains(&"ann".to_owned()), "also when she has gone");
    scene.proxy.close_connections();
    scene.ircd.wait_gone("ann").await;
}

#[tokio::test]
async fn garbage_comes_as_a_line_of_its_own_towards_the_client() {
    let mut scene = Scene::begin().await;
    scene.bob.say("#c", "before");
    scene.ann.hear("before").await;
    let mark = scene.ircd.mark();
    scene.proxy.garbage(b"@;;= :\x01 no-line-of-irc");
    assert_eq!(scene.ann.hear("no-line-of-irc").await, "@;;= :\u{1} no-line-of-irc");
    scene.bob.say("#c", "after");
    assert!(scene.ann.hear("after").await.starts_with(":bob!"));
    assert_eq!(scene.ircd.mark(), mark, "the server has seen nothing of it");
}
