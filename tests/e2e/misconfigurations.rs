//! `towline check` on real servers, with one thing wrong at a time: it names that one, and what to do, and nothing else.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::rig::inspircd::Inspircd;
use crate::rig::synapse::{Plan, SERVER_NAME, Synapse};
use crate::rig::towline::{NetworkEntry, Towline};
use crate::rig::town::NETWORK;
use crate::support::ports::free_port;

/// All that can be wrong, as files.
#[derive(Debug, Clone, PartialEq)]
struct Files {
    /// `config.yaml`.
    config: String,
    /// The registration that Towline has.
    registration: String,
    /// The registration that Synapse has.
    given: String,
    /// `homeserver.yaml`.
    homeserver: Value,
}

/// Where things are that a mistake may name.
struct Places {
    inspircd: u16,
    taken: u16,
    other_bridge: PathBuf,
    url: String,
}

/// A mistake, and what `towline check` should say of it.
struct Mistake {
    name: &'static str,
    seed: fn(&mut Files, &Places),
    check: &'static str,
    says: &'static str,
    remedy: &'static str,
    code: i64,
}

/// Replaces what stands after `key: ` in double quotes.
fn set(text: &mut String, key: &str, with: &str) {
    let start = format!("{key}: \"");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {key} in {text}"));
    let (_, after) = rest.split_once('"').unwrap();
    *text = format!("{before}{start}{with}\"{after}");
}

/// Replaces a part of a text that must be there.
fn swap(text: &mut String, from: &str, to: &str) {
    assert!(text.contains(from), "no {from} in {text}");
    *text = text.replace(from, to);
}

/// Another bridge that holds the names of ghosts.
fn other_bridge(files: &mut Files, places: &Places) {
    let users = json!([{ "regex": format!("@irc_.*:{SERVER_NAME}"), "exclusive": true }]);
    let registration = json!({
        "id": "heisenbridge", "url": "http://127.0.0.1:1", "as_token": "a-token", "hs_token": "b-token",
        "sender_localpart": "heisenbridge", "rate_limited": false,
        "namespaces": { "users": users, "aliases": [], "rooms": [] },
    });
    std::fs::write(&places.other_bridge, registration.to_string()).unwrap();
    files.homeserver["app_service_config_files"].as_array_mut().unwrap().push(json!(places.other_bridge));
}

const MISTAKES: [Mistake; 17] = [
    Mistake {
        name: "Synapse was never given the registration",
        seed: |files, _| files.homeserver["app_service_config_files"] = json!([]),
        check: "as_token",
        says: "it does not know Towline's token",
        remedy: "registration.yaml to the homeserver (its first lines say how) and restart",
        code: 13,
    },
    Mistake {
        name: "Synapse has another hs_token",
        seed: |files, _| set(&mut files.given, "hs_token", "another"),
        check: "ping",
        says: "with another hs_token",
        remedy: "to the homeserver again",
        code: 13,
    },
    Mistake {
        name: "Synapse calls another address",
        seed: |files, _| set(&mut files.given, "url", &format!("http://127.0.0.1:{}", free_port())),
        check: "ping",
        says: "the homeserver can't reach the url of the registration",
        remedy: "`appservice.url` must be an address that the homeserver can call",
        code: 12,
    },
    Mistake {
        name: "Synapse calls something else",
        seed: |files, places| set(&mut files.given, "url", &places.url),
        check: "ping",
        says: "something else than Towline answers",
        remedy: "`appservice.url` must lead to `appservice.listen`",
        code: 12,
    },
    Mistake {
        name: "Synapse has another bot",
        seed: |files, _| set(&mut files.given, "sender_localpart", "other"),
        check: "as_token",
        says: "takes the token for @other:test.local",
        remedy: "make `appservice.bot`",
        code: 14,
    },
    Mistake {
        name: "Synapse has the registration under another id",
        seed: |files, _| set(&mut files.given, "id", "irc"),
        check: "ping",
        says: "under another id than towline",
        remedy: "`appservice.id` must be the id in the registration",
        code: 14,
    },
    Mistake {
        name: "Synapse holds Towline up",
        seed: |files, _| {
            swap(&mut files.given, "rate_limited: false", "rate_limited: true");
            files.homeserver["rc_message"] = json!({ "per_second": 0.2, "burst_count": 10 });
        },
        check: "rate limits",
        says: "not all are taken",
        remedy: "must say `rate_limited: false`",
        code: 14,
    },
    Mistake {
        name: "Synapse tells nothing that passes",
        seed: |files, _| {
            swap(&mut files.given, "receive_ephemeral: true", "receive_ephemeral: false");
            swap(&mut files.given, "push_ephemeral: true", "push_ephemeral: false");
        },
        check: "ephemeral events",
        says: "does not tell Towline who types",
        remedy: "must say `receive_ephemeral: true`",
        code: 14,
    },
    Mistake {
        name: "another bridge holds the names of ghosts",
        seed: other_bridge,
        check: "ghosts",
        says: "can't be created",
        remedy: "another bridge (Heisenbridge and appservice-irc use @irc_)",
        code: 14,
    },
    Mistake {
        name: "Synapse has a registration for other aliases",
        seed: |files, _| swap(&mut files.given, "^#irc_", "^#other_"),
        check: "aliases",
        says: "can't be created",
        remedy: "give it the present one again",
        code: 14,
    },
    Mistake {
        name: "the homeserver's name is wrong",
        seed: |files, _| {
            set(&mut files.config, "domain", "wrong.local");
            swap(&mut files.registration, "test\\\\.local", "wrong\\\\.local");
        },
        check: "as_token",
        says: "the homeserver's name is test.local",
        remedy: "set `homeserver.domain` to test.local",
        code: 14,
    },
    Mistake {
        name: "the homeserver's address is another service's",
        seed: |files, places| {
            swap(&mut files.config, &places.url, &format!("http://127.0.0.1:{}", places.inspircd));
        },
        check: "homeserver",
        says: "error",
        remedy: "whether `homeserver.url` is right",
        code: 12,
    },
    Mistake {
        name: "the configuration was changed and the registration not renewed",
        seed: |files, _| {
            swap(&mut files.config, "\nappservice:\n", "\nappservice:\n  url: http://bridge.test.local:9\n");
        },
        check: "registration file",
        says: "differ in url",
        remedy: "run `towline registration`",
        code: 14,
    },
    Mistake {
        name: "links lead nowhere",
        seed: |files, _| {
            swap(&mut files.config, "base_url: http://127.0.0.1:", "base_url: http://127.0.0.2:");
        },
        check: "media links",
        says: "nobody can open links to http://127.0.0.2:",
        remedy: "see whether the proxy at",
        code: 12,
    },
    Mistake {
        name: "the port for ident is taken",
        seed: |files, places| {
            let listen = format!("listen: 127.0.0.1:{}", places.taken);
            swap(&mut files.config, "#listen: 0.0.0.0:113", &listen);
        },
        check: "ident",
        says: "another program listens at",
        remedy: "another ident service",
        code: 1,
    },
    Mistake {
        name: "the database has no folder",
        seed: |files, _| {
            swap(&mut files.config, "#url: sqlite://towline.db", "url: sqlite://nowhere/towline.db");
        },
        check: "database",
        says: "there is no folder",
        remedy: "give it to the user that Towline runs as",
        code: 15,
    },
    Mistake {
        name: "a network's certificate is signed by nobody",
        seed: |files, _| {
            let (before, rest) = files.config.split_once(", ca_file: \"").unwrap();
            let (_, after) = rest.split_once('"').unwrap();
            files.config = format!("{before}{after}");
        },
        check: "network demo",
        says: "its certificate is not valid",
        remedy: "or write down its `fingerprint`",
        code: 12,
    },
];

/// The files as they are right, and where they stand.
struct Desk {
    folder: PathBuf,
    given: PathBuf,
    right: Files,
    there: Files,
}

impl Desk {
    fn paths(&self) -> [PathBuf; 2] {
        [self.folder.join("config.yaml"), self.folder.join("registration.yaml")]
    }

    /// Puts these files in place, and lets Synapse read its own anew where they have changed.
    async fn put(&mut self, files: Files, synapse: &mut Synapse) {
        let [config, registration] = self.paths();
        std::fs::write(config, &files.config).unwrap();
        std::fs::write(registration, &files.registration).unwrap();
        if (&files.given, &files.homeserver) != (&self.there.given, &self.there.homeserver) {
            synapse.stop().await;
            std::fs::write(&self.given, &files.given).unwrap();
            std::fs::write(synapse.config_file(), files.homeserver.to_string()).unwrap();
            synapse.start_again().await;
        }
        self.there = files;
    }
}

/// The checks that failed: their names, what they say and their remedies.
fn failures(text: &str) -> Vec<(String, String, String)> {
    let found: Value = serde_json::from_str(text.split("\ntowline: ").next().unwrap()).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = found["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["outcome"] == "failed");
    failed.map(|check| (text(check, "check"), text(check, "detail"), text(check, "remedy"))).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn check_names_each_of_seventeen_mistakes_and_no_other() {
    let directory = TempDir::with_prefix("towline-mistakes-").unwrap();
    let at = |name: &str| directory.path().join(name);
    let inspircd = Inspircd::start(&at("inspircd")).await;
    let plan = Plan::new();
    let entry = NetworkEntry::tls("demo", NETWORK, &inspircd);
    let admin = format!("@alice:{SERVER_NAME}");
    let mut towline = Towline::init(&at("towline"), &plan, &admin, &[entry], None).await;
    towline.hand_out();
    let given = at("towline-registration.yaml");
    std::fs::copy(towline.registration(), &given).unwrap();
    let url = plan.url();
    let mut synapse = Synapse::start(plan, &at("synapse"), &[&given]).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = Places {
        inspircd: inspircd.port,
        taken: taken.local_addr().unwrap().port(),
        other_bridge: at("heisenbridge.yaml"),
        url,
    };
    let right = Files {
        config: read(&towline.directory().join("config.yaml")),
        registration: read(&towline.registration()),
        given: read(&given),
        homeserver: serde_json::from_str(&read(&synapse.config_file())).unwrap(),
    };
    let mut desk = Desk { folder: towline.directory().into(), given, right: right.clone(), there: right };
    let (code, said) = towline.check_as_json().await;
    assert_eq!((code, failures(&said)), (0, Vec::new()), "{said}");

    for mistake in &MISTAKES {
        let mut files = desk.right.clone();
        (mistake.seed)(&mut files, &places);
        assert_ne!(files, desk.right, "{}", mistake.name);
        desk.put(files, &mut synapse).await;
        let (code, said) = towline.check_as_json().await;
        let failed = failures(&said);
        let [(check, what, remedy)] = failed.as_slice() else { panic!("{}: {said}", mistake.name) };
        assert_eq!(check, mistake.check, "{}: {said}", mistake.name);
        assert!(what.contains(mistake.says), "{}: {what}", mistake.name);
        assert!(remedy.contains(mistake.remedy), "{}: {remedy}", mistake.name);
        assert_eq!(i64::from(code), mistake.code, "{}: {said}", mistake.name);
    }
    let right = desk.right.clone();
    desk.put(right, &mut synapse).await;
    let (code, said) = towline.check_as_json().await;
    assert_eq!((code, failures(&said)), (0, Vec::new()), "{said}");
}
