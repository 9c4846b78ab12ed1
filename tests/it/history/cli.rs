//! `towline history`: what is kept goes out while the bridge runs, and logs come in while it does not.

use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::Value;

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;

/// Alice in `#rust` with Bob, and what they have said.
struct Scene {
    world: World,
    alice: TestUser,
    control: String,
}

async fn scene() -> Scene {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello <world>");
    bob.action("#rust", "waves");
    bob.topic("#rust", "tea & talk");
    bob.notice("#rust", "mind\ttabs");
    bob.mode("#rust", "+v alice");
    bob.kick("#rust", "bob", "out");
    bob.join("#rust");
    bob.nick("rob");
    bob.part("#rust", "bye (now)");
    bob.join("#rust");
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "the end").await;
    alice.send_text(&room, "mine");
    bob.wait_text("mine").await;
    bob.say("alice", "psst");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    world.homeserver.wait_message(&query, "psst").await;
    Scene { world, alice, control }
}

impl Scene {
    /// Runs `towline history`; the exit code, standard output and standard error.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let config = self.world.config_file();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_towline"));
        command.env_clear().arg("history").arg(arguments[0]).arg("--config").arg(config);
        let output = command.args(&arguments[1..]).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let (code, output, error) = self.run(arguments).await;
        assert_eq!((code, error.as_str()), (0, ""), "{output}");
        output
    }

    /// Runs it for Alice on the network.
    async fn of_alice(&self, command: &str, more: &[&str]) -> (i32, String, String) {
        let whose = [command, "--user", self.alice.id(), "--network", "FakeNet"];
        self.run(&[&whose, more].concat()).await
    }

    async fn export(&self, more: &[&str]) -> String {
        let whose = ["export", "--user", self.alice.id(), "--network", "fake"];
        self.ok(&[&whose, more].concat()).await
    }

    async fn import(&self, more: &[&str]) -> String {
        let whose = ["import", "--user", self.alice.id(), "--network", "fake"];
        self.ok(&[&whose, more].concat()).await
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.world.directory.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Buffer, kind, sender, target and text of each line of a JSON export.
fn lines(json: &str) -> Vec<[String; 5]> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        ["buffer", "kind", "sender", "target", "text"]
            .map(|field| line[field].as_str().unwrap_or_default().to_owned())
    };
    json.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_everything_and_is_written_while_the_bridge_runs() {
    let scene = scene().await;
    let all = scene.export(&["--format", "json"]).await;
    let said = lines(&all);
    let wanted = [
        ["#rust", "join", "alice", "", "~alice@127.0.0.1"],
        ["#rust", "message", "bob", "", "hello <world>"],
        ["#rust", "action", "bob", "", "waves"],
        ["#rust", "topic", "bob", "", "tea & talk"],
        ["#rust", "notice", "bob", "", "mind\ttabs"],
        ["#rust", "mode", "bob", "", "+v alice"],
        ["#rust", "kick", "bob", "bob", "out"],
        ["#rust", "join", "bob", "", "~bob@people.fake"],
        ["#rust", "nick", "bob", "rob", ""],
        ["#rust", "part", "rob", "", "bye (now)"],
        ["#rust", "join", "rob", "", "~bob@people.fake"],
        ["#rust", "message", "rob", "", "the end"],
        ["#rust", "message", "alice", "", "mine"],
        ["rob", "message", "rob", "", "psst"],
    ];
    assert_eq!(said, wanted);
    let own: Value =
        serde_json::from_str(all.lines().find(|line| line.contains("\"mine\"")).unwrap()).unwrap();
    assert_eq!((&own["direction"], &own["network"]), (&"out".into(), &"fake".into()));
    assert!(own["event_id"].as_str().unwrap().starts_with('$'));
    assert!(own["time"].as_str().unwrap().ends_with('Z'));
    let one = scene.export(&["--format", "json", "--buffer", "ROB"]).await;
    assert_eq!(lines(&one), [wanted[13]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_readable_and_holds_nothing_that_somebody_made_up() {
    let scene = scene().await;
    let file = scene.folder("page.html");
    scene.export(&["--format", "html", "--output", text(&file)]).await;
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<b>bob</b>: hello &lt;world&gt;</p>") && !page.contains("<world>"), "{page}");
    assert_eq!(page.matches("<h2>").count(), 2);
    // What is there is not overwritten.
    let (code, _, error) = scene.of_alice("export", &["--format", "html", "--output", text(&file)]).await;
    assert_eq!((code, error.contains("is not overwritten")), (11, true), "{error}");
}

/// What is written is read again as what it was.
#[rstest]
#[case::weechat("weechat")]
#[case::znc("znc")]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_written_forgotten_and_read_again_is_what_it_was(#[case] format: &str) {
    let mut scene = scene().await;
    let before = lines(&scene.export(&["--format", "json"]).await);
    let logs = scene.folder("logs");
    scene.export(&["--format", format, "--timezone", "+03:30", "--output", text(&logs)]).await;
    let (code, _, error) = scene.of_alice("import", &["--format", format, text(&logs)]).await;
    assert_eq!((code, error.contains("another towline is running")), (16, true), "{error}");
    scene.alice.send_text(&scene.control, "forget fake confirm");
    scene
        .world
        .homeserver
        .wait_event(&scene.control, |event| event.body().starts_with("Forgotten: 14"))
        .await;
    scene.world.stop_bridge().await;
    let zone = ["--format", format, "--timezone", "+03:30", text(&logs)];
    let said = scene.import(&zone).await;
    assert_eq!(said, "#rust: 13 lines read in\nrob: 1 lines read in\n");
    // Once is enough.
    let said = scene.import(&zone).await;
    assert_eq!(said, "#rust: 0 lines read in, 13 were there\nrob: 0 lines read in, 1 were there\n");
    let after = scene.export(&["--format", "json"]).await;
    assert_eq!(lines(&after), before);
    // Times have whole seconds in a log.
    assert!(after.lines().all(|line| line.contains(".000Z\"")), "{after}");
    // What was read in is found.
    let found = scene.of_alice("search", &["--from", "bob", "HELLO", "wor*"]).await;
    assert!(found.1.ends_with(" #rust bob: hello <world>\n"), "{found:?}");
    scene.world.start_bridge().await;
    scene.alice.send_text(&scene.control, "search hello");
    let shown = |body: &str| body.contains("bob: hello <world>");
    scene.world.homeserver.wait_event(&scene.control, |event| shown(event.body())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_never_entered_here_is_read_in_and_found_and_no_room_is_made() {
    let mut scene = scene().await;
    scene.world.stop_bridge().await;
    let rooms = scene.world.homeserver.rooms().len();
    let folder = scene.folder("users/alice/moddata/log");
    for (file, content) in [
        ("fake/#old/2015-03-29.log", "[01:59:59] <bob> before\n[03:00:00] <bob> summer\n"),
        (
            "fake/#old/2015-10-25.log",
            "[02:30:00] <bob> first\n[02:10:00] <bob> second\nrubbish\n\n[02:10:01] *** x\n",
        ),
        ("fake/nickserv/2015-10-25.log", "[02:30:00] <NickServ> your password is hunter2\n"),
        ("other/#old/2015-10-25.log", "[02:30:00] <bob> elsewhere\n"),
        ("fake/#old/notes.txt", "nothing\n"),
    ] {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let said = scene.import(&["--format", "znc", "--timezone", "+01:00", text(&folder)]).await;
    let wanted = "#old: 4 lines read in, 1 of other things left out, 1 NOT UNDERSTOOD (";
    assert!(said.starts_with(wanted) && said.contains("2015-10-25.log:3)"), "{said}");
    assert!(said.contains("nickserv: left out"), "{said}");
    let (_, said, _) = scene.of_alice("search", &["--buffer", "#old", "--from", "bob"]).await;
    let texts: Vec<&str> = said.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    // By their times, and not by the order in the file.
    assert_eq!(texts, ["first", "second", "summer", "before"], "{said}");
    assert!(said.contains("2015-10-25 01:30 #old bob: first"), "{said}");
    scene.world.start_bridge().await;
    scene.alice.send_text(&scene.control, "search in #old summer");
    scene.world.homeserver.wait_event(&scene.control, |event| event.body().contains("bob: summer")).await;
    assert_eq!(scene.world.homeserver.rooms().len(), rooms, "no room was made");
    assert!(scene.world.ircd.names("#old").is_empty(), "and no channel entered");
    // Who enters it finds what was said.
    scene.alice.send_text(&scene.control, "join #old");
    let room = scene.world.homeserver.wait_room_named("#old (FakeNet)").await;
    scene.world.homeserver.wait_message(&room, "summer").await;
}

#[rstest]
#[case::nobody(&["--user", "@nobody:test.local", "--network", "fake", "--format", "json"], 2, "has no session on fake")]
#[case::no_network(&["--user", "@alice:test.local", "--network", "oftc", "--format", "json"], 2, "has no session on oftc")]
#[case::no_buffer(
    &["--user", "@alice:test.local", "--network", "fake", "--format", "json", "--buffer", "#tea"], 2,
    "there is no #tea of @alice:test.local"
)]
#[case::no_folder(&["--user", "@alice:test.local", "--network", "fake", "--format", "znc"], 2, "name a folder with --output")]
#[case::no_zone(
    &["--user", "@alice:test.local", "--network", "fake", "--format", "html", "--timezone", "Atlantis"], 2,
    "it is no time zone"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_written_is_told(#[case] arguments: &[&str], #[case] code: i32, #[case] said: &str) {
    let scene = scene().await;
    let (found, _, error) = scene.run(&[&["export"], arguments].concat()).await;
    assert_eq!((found, error.contains(said)), (code, true), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_dont_say_whose_they_are_are_not_read() {
    let mut scene = scene().await;
    scene.world.stop_bridge().await;
    let folder = scene.folder("logs");
    std::fs::create_dir_all(folder.join("a/#x")).unwrap();
    std::fs::create_dir_all(folder.join("b/#x")).unwrap();
    for file in ["a/#x/2015-03-29.log", "b/#x/2015-03-29.log", "some.log"] {
        std::fs::write(folder.join(file), "[01:59:59] <bob> hi\n").unwrap();
    }
    let import =
        async |format: &str, path: &Path| scene.of_alice("import", &["--format", format, text(path)]).await;
    let (code, _, error) = import("znc", &folder).await;
    assert_eq!((code, error.contains("these are logs of a, b: name")), (2, true), "{error}");
    let (code, _, error) = import("znc", &folder.join("some.log")).await;
    assert_eq!((code, error.contains("tells neither its conversation")), (2, true), "{error}");
    let (code, _, error) = import("weechat", &folder).await;
    assert_eq!((code, error.contains("there are no logs of this kind")), (2, true), "{error}");
    let (code, _, error) = import("znc", &folder.join("nothing")).await;
    assert_eq!((code, error.contains("can't be read")), (2, true), "{error}");
    assert_eq!(scene.import(&["--format", "znc", text(&folder.join("a"))]).await, "#x: 1 lines read in\n");
    let other = folder.join("b/#x/2015-03-29.log");
    let said = scene.import(&["--format", "znc", "--buffer", "#y", text(&other)]).await;
    assert_eq!(said, "#y: 1 lines read in\n");
}

/// Before, each line that the bridge had heard itself was doubled by another program's log of it.
#[rstest]
#[case::weechat("weechat")]
#[case::znc("znc")]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_what_was_heard_here_adds_nothing(#[case] format: &str) {
    let mut scene = scene().await;
    let before = lines(&scene.export(&["--format", "json"]).await);
    let logs = scene.folder("logs");
    scene.export(&["--format", format, "--output", text(&logs)]).await;
    scene.world.stop_bridge().await;
    let said = scene.import(&["--format", format, text(&logs)]).await;
    assert_eq!(said, "#rust: 0 lines read in, 13 were there\nrob: 0 lines read in, 1 were there\n");
    assert_eq!(lines(&scene.export(&["--format", "json"]).await), before);
}

/// Before, the second of such lines ended the export: its file was there already.
#[rstest]
#[case::weechat("weechat")]
#[case::znc("znc")]
#[tokio::test(flavor = "multi_thread")]
async fn times_that_go_back_over_midnight_and_names_that_become_one_are_written(#[case] format: &str) {
    let scene = scene().await;
    let database = scene.world.database();
    database
        .execute("UPDATE history SET at = at - 172800000 WHERE text = 'waves' OR text = '+v alice'")
        .await;
    // Two names that are one as a file's.
    database
        .execute(
            "INSERT INTO buffer (session, kind, folded, name, wanted)
                SELECT MIN(id), 'query', 'other', '#RUST', FALSE FROM session;
            INSERT INTO history (id, buffer, at, kind, sender, text, direction)
                SELECT 16, MAX(id), 1, 'message', 'bob', 'elsewhere', 'in' FROM buffer",
        )
        .await;
    let logs = scene.folder("logs");
    scene.export(&["--format", format, "--output", text(&logs)]).await;
    let mut written = Vec::new();
    let mut folders = vec![logs.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                written.push((text(&path).to_owned(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let count = written.iter().map(|(_, text)| text.lines().count()).sum::<usize>();
    assert_eq!(count, 15, "{written:?}");
    let elsewhere: Vec<_> = written.iter().filter(|(_, text)| text.contains("elsewhere")).collect();
    assert!(elsewhere.len() == 1 && elsewhere[0].0.contains("#rust~2"), "{elsewhere:?}");
    assert_eq!(elsewhere[0].1.lines().count(), 1);
    // Once more, it is not overwritten.
    let (code, _, error) = scene.of_alice("export", &["--format", format, "--output", text(&logs)]).await;
    assert_eq!((code, error.contains("is not overwritten")), (11, true), "{error}");
}

/// Before, a network's only session was not found where it had a name, nor a name in capitals.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_sessions_on_a_network_is_exported_searched_and_imported_by_its_own_name() {
    let mut scene = scene().await;
    scene.alice.send_text(&scene.control, "open fake as work");
    scene.world.ircd.wait_registered("alice_work").await;
    scene.alice.send_text(&scene.control, "join fake as work #tea");
    scene.world.ircd.wait_joined("#tea", "alice_work").await;
    let carol = scene.world.ircd.person("carol");
    carol.join("#tea");
    carol.say("#tea", "said at work");
    let room = scene.world.homeserver.wait_room_named("#tea (FakeNet, work)").await;
    scene.world.homeserver.wait_message(&room, "said at work").await;
    let of = async |command: &str, network: &str, more: &[&str]| {
        let whose = [command, "--user", scene.alice.id(), "--network", network];
        scene.run(&[&whose, more].concat()).await
    };
    let json = ["--format", "json"];
    let (_, work, _) = of("export", "fake/work", &json).await;
    assert!(work.contains("said at work") && !work.contains("#rust"), "{work}");
    let (_, again, _) = of("export", "FakeNet/Work", &json).await;
    assert_eq!(again, work);
    let (_, home, _) = of("export", "fake", &json).await;
    assert!(home.contains("#rust") && !home.contains("said at work"), "{home}");
    let (_, found, _) = of("search", "fake/work", &["--", "said"]).await;
    assert!(found.ends_with(" #tea carol: said at work\n"), "{found}");
    assert_eq!(of("search", "fake", &["--", "said"]).await.1, "");
    let (code, _, error) = of("export", "fake/home", &json).await;
    let told = "has no session fake/home there, but fake, fake/work: say which one";
    assert_eq!((code, error.contains(told)), (2, true), "{error}");

    scene.world.stop_bridge().await;
    let log = scene.folder("2015-03-29.log");
    std::fs::write(&log, "[01:59:59] <carol> long ago\n").unwrap();
    let arguments = ["--format", "znc", "--buffer", "#tea", text(&log)];
    let whose = ["import", "--user", scene.alice.id(), "--network", "fake/work"];
    assert_eq!(scene.ok(&[&whose[..], &arguments].concat()).await, "#tea: 1 lines read in\n");
    let whose = ["export", "--user", scene.alice.id(), "--network"];
    let work = scene.ok(&[&whose[..], &["fake/work", "--format", "json"]].concat()).await;
    assert!(work.contains("long ago") && work.contains("said at work"), "{work}");
    let home = scene.ok(&[&whose[..], &["fake", "--format", "json"]].concat()).await;
    assert!(!home.contains("long ago"), "{home}");
}
