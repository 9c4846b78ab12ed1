//! What whoever runs the process sees of it: what systemd is told, and what signals do.

use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixDatagram};

use crate::support::bridge::World;
use crate::support::homeserver::LIMIT;

/// systemd, as far as it listens.
struct Systemd {
    socket: UnixDatagram,
}

impl Systemd {
    fn listen(file: &Path) -> Self {
        Self { socket: UnixDatagram::bind(file).unwrap() }
    }

    /// What is said up to and including this.
    async fn hear(&self, text: &str) -> Vec<String> {
        let mut said = Vec::new();
        let heard = tokio::time::timeout(LIMIT, async {
            let mut buffer = [0; 1024];
            loop {
                let length = self.socket.recv(&mut buffer).await.unwrap();
                said.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                if said.iter().any(|message| message.contains(text)) {
                    return;
                }
            }
        });
        assert!(heard.await.is_ok(), "no {text:?} in {said:?}");
        said
    }
}

/// What the port for the homeserver answers, without a token.
async fn ask(world: &World, path: &str) -> (u16, String) {
    let url = format!("{}{path}", world.appservice_url());
    let answer = towline::matrix::http::client().unwrap().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_that_it_is_up_that_it_lives_and_that_it_stops() {
    let world = World::builder().without_bridge().await;
    let file = world.directory.path().join("notify");
    let systemd = Systemd::listen(&file);
    let process = world.start_process_with(&[
        ("NOTIFY_SOCKET", file.to_str().unwrap()),
        // It is expected to say so every three tenths of a second.
        ("WATCHDOG_USEC", "300000"),
    ]);
    let said = systemd.hear("READY=1").await;
    assert!(said.last().unwrap().contains("STATUS=running at 127.0.0.1:"), "{said:?}");
    for _ in 0..3 {
        systemd.hear("WATCHDOG=1").await;
    }
    // It waits where nobody reads on: only so much is kept for a reader.
    let mut said = Vec::new();
    let code = {
        let mut ends = std::pin::pin!(process.stop());
        loop {
            tokio::select! {
                code = &mut ends => break code,
                heard = systemd.hear("") => said.extend(heard),
            }
        }
    };
    assert_eq!(code, Some(0));
    if !said.iter().any(|message| message.contains("STOPPING=1")) {
        said.extend(systemd.hear("STOPPING=1").await);
    }
    assert!(!said.iter().any(|message| message.contains("READY=1")), "once: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_when_the_configuration_is_read_anew_and_when_that_is_over() {
    let world = World::builder().without_bridge().await;
    let file = world.directory.path().join("notify");
    let systemd = Systemd::listen(&file);
    let process = world.start_process_with(&[("NOTIFY_SOCKET", file.to_str().unwrap())]);
    systemd.hear("READY=1").await;
    process.hang_up().await;
    let said = systemd.hear("RELOADING=1").await;
    assert!(said.last().unwrap().contains("MONOTONIC_USEC="), "{said:?}");
    let said = systemd.hear("READY=1").await;
    assert!(said.last().unwrap().contains("STATUS=running at 127.0.0.1:"), "{said:?}");

    // It is up all the same, and says what is wrong.
    std::fs::write(world.directory.path().join("config.yaml"), "homeserver: 1\n").unwrap();
    process.hang_up().await;
    systemd.hear("RELOADING=1").await;
    let said = systemd.hear("READY=1").await;
    assert!(said.last().unwrap().contains("the configuration in the file is wrong"), "{said:?}");
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_it_need_not_wait_for_the_homeserver() {
    let world = World::builder().without_bridge().await;
    world.homeserver.stop();
    let file = world.directory.path().join("notify");
    let systemd = Systemd::listen(&file);
    let process = world.start_process_with(&[("NOTIFY_SOCKET", file.to_str().unwrap())]);
    let said = systemd.hear("READY=1").await;
    assert!(said[0].contains("STATUS=waiting for http://"), "{said:?}");
    assert!(!said.iter().any(|message| message.contains("WATCHDOG")), "nobody asked for that: {said:?}");
    assert_eq!(ask(&world, "/health").await, (200, "ok\n".to_owned()));
    assert_eq!(ask(&world, "/ready").await, (503, "not ready\n".to_owned()));
    assert_eq!(ask(&world, "/_matrix/app/v1/users/x").await.0, 503, "for the homeserver it is too early");
    world.homeserver.start_again().await;
    systemd.hear("STATUS=running at").await;
    assert_eq!(ask(&world, "/ready").await, (200, "ready\n".to_owned()));
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_run_is_never_called_up() {
    let world = World::builder()
        .homeserver_options(|options| options.as_token = "another".into())
        .without_bridge()
        .await;
    let file = world.directory.path().join("notify");
    let systemd = Systemd::listen(&file);
    let process = world.start_process_with(&[("NOTIFY_SOCKET", file.to_str().unwrap())]);
    assert_eq!(process.wait_ended().await, Some(13));
    let mut buffer = [0; 1024];
    assert!(systemd.socket.try_recv(&mut buffer).is_err(), "something was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_lets_it_say_goodbye_and_the_second_ends_it_at_once() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let network = format!(
        "  slow:\n    name: SlowNet\n    allow_private: true\n    \
         servers: [ {{ host: 127.0.0.1, port: {}, tls: false }} ]\n",
        server.local_addr().unwrap().port()
    );
    let world = World::builder().raw_network(&network).without_bridge().await;
    let process = world.start_process();
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open slow");
    // It takes the QUIT and does not close, so that there is something to wait for.
    let (stream, _) = tokio::time::timeout(LIMIT, server.accept()).await.expect("it connects").unwrap();
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let welcome = b":irc.test 001 alice :Welcome\r\n:irc.test 422 alice :No MOTD\r\nPING :there\r\n";
    writing.write_all(welcome).await.unwrap();
    // It has read the welcome: of a server that has not taken it, it takes no leave.
    let greeted = async { while !lines.next_line().await.unwrap().expect("it stays").starts_with("PONG") {} };
    tokio::time::timeout(LIMIT, greeted).await.expect("it answers");
    process.terminate().await;
    let quit = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with("QUIT") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(LIMIT, quit).await.expect("it quits in time"), "it says goodbye");
    process.terminate().await;
    assert_eq!(process.wait_ended().await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_the_log_says_whose_it_is_and_at_no_level_what_was_said() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[("TOWLINE_LOG", "warn,towline=trace")]);
    let log = process.log_file();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    bob.say("#rust", "SENTINEL from IRC");
    world.homeserver.wait_message(&room, "SENTINEL from IRC").await;
    alice.send_text(&room, "SENTINEL from Matrix");
    bob.wait_text("SENTINEL from Matrix").await;
    bob.say("alice", "SENTINEL for alice alone");
    let query = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    alice.send_text(&query, "SENTINEL for bob alone");
    bob.wait_text("SENTINEL for bob alone").await;
    for (room, typed) in [
        (&control, "sasl alice SENTINEL-password"),
        (&network, "password SENTINEL-server-password"),
        (&network, "key #closed SENTINEL-key"),
        (&network, "topic #rust SENTINEL-topic"),
        (&network, "search SENTINEL"),
    ] {
        crate::commands::ask(&world, &alice, room, typed).await;
    }
    assert_eq!(process.stop().await, Some(0));
    let text = std::fs::read_to_string(&log).unwrap();
    let told: Vec<&str> = text.lines().filter(|line| line.contains("SENTINEL")).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(text.contains("delivery{room="), "nobody is told which room it is about\n{text}");
}
