//! `towline check` against a real homeserver, with one thing wrong at a time: it names that one, and its remedy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::synapse::SERVER_NAME;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town};
use crate::support::ports::free_port;

/// What is done wrong.
enum Seed {
    /// In a file, this becomes that; `PORT` is one at which nobody listens.
    Edit(&'static str, &'static str, &'static str),
    /// The file is gone.
    Remove(&'static str),
    /// The key is another.
    OtherKey,
    /// `towline registration` is run.
    Renew,
    /// The homeserver reads its registrations.
    Restart,
    /// The homeserver is stopped.
    Stop,
}
use Seed::{Edit, OtherKey, Remove, Renew, Restart, Stop};

struct Case {
    what: &'static str,
    seeds: &'static [Seed],
    /// The checks that fail.
    failed: &'static [&'static str],
    /// What the remedy of the first says.
    remedy: &'static str,
    code: i64,
}

const CONFIG: &str = "towline/config.yaml";
const REGISTRATION: &str = "towline/registration.yaml";
/// The registration of another bridge.
const OTHER: &str = "other.yaml";

const CASES: [Case; 13] = [
    Case {
        what: "another key",
        seeds: &[OtherKey],
        failed: &["database"],
        remedy: "bring that key file back",
        code: 10,
    },
    Case {
        what: "no key",
        seeds: &[Remove("towline/towline.key")],
        failed: &["key file"],
        remedy: "bring the file back from a copy",
        code: 10,
    },
    Case {
        what: "a database in a folder that is not there",
        seeds: &[Edit(CONFIG, "  #url: sqlite://towline.db", "  url: sqlite://nowhere/towline.db")],
        failed: &["database"],
        remedy: "make it",
        code: 15,
    },
    Case {
        what: "a homeserver's address at which nobody is",
        seeds: &[Edit(CONFIG, "\n  url: \"http://127.0.0.1:", "\n  url: \"http://127.0.0.1:PORT/\" #")],
        failed: &["homeserver"],
        remedy: "`homeserver.url`",
        code: 12,
    },
    Case {
        what: "another server's name",
        seeds: &[Edit(CONFIG, "  domain: \"test.local\"", "  domain: \"example.org\""), Renew],
        failed: &["as_token"],
        remedy: "`homeserver.domain`",
        code: 14,
    },
    Case {
        what: "a token that the homeserver does not know",
        seeds: &[Edit(REGISTRATION, "as_token: \"", "as_token: \"0")],
        failed: &["as_token"],
        remedy: "restart the homeserver",
        code: 13,
    },
    Case {
        what: "a homeserver that has another token",
        seeds: &[Edit(REGISTRATION, "hs_token: \"", "hs_token: \"0")],
        failed: &["ping"],
        remedy: "to the homeserver again",
        code: 13,
    },
    Case {
        what: "an address at which the homeserver does not reach Towline",
        seeds: &[
            Edit(CONFIG, "appservice:\n", "appservice:\n  url: \"http://127.0.0.1:PORT\"\n"),
            Renew,
            Restart,
        ],
        failed: &["ping"],
        remedy: "`appservice.url` must be an address that the homeserver can call",
        code: 12,
    },
    Case {
        what: "an id that was changed afterwards",
        seeds: &[Edit(CONFIG, "  #id: towline", "  id: other"), Renew],
        failed: &["ping"],
        remedy: "`appservice.id`",
        code: 14,
    },
    Case {
        what: "names that were changed and not given to the homeserver",
        seeds: &[
            Edit(CONFIG, "\nnetworks:", "\ntemplates: { ghost: \"towline_{network}_{nick}\" }\nnetworks:"),
            Renew,
        ],
        failed: &["ghosts", "aliases"],
        remedy: "give it the present one again",
        code: 14,
    },
    Case {
        what: "names that were changed without writing the registration anew",
        seeds: &[Edit(
            CONFIG,
            "\nnetworks:",
            "\ntemplates: { ghost: \"towline_{network}_{nick}\" }\nnetworks:",
        )],
        failed: &["registration file", "ghosts", "aliases"],
        remedy: "run `towline registration`",
        code: 14,
    },
    Case {
        what: "another bridge that claims the ghosts",
        seeds: &[Edit(OTHER, "@nobody_.*", "@irc_.*"), Restart],
        failed: &["ghosts"],
        remedy: "another bridge (Heisenbridge and appservice-irc use @irc_)",
        code: 14,
    },
    Case {
        what: "a homeserver that is down",
        seeds: &[Stop],
        failed: &["homeserver"],
        remedy: "see whether the homeserver runs",
        code: 12,
    },
];

/// All files that a seed may change, as they are now.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let names = [CONFIG, REGISTRATION, OTHER, "towline/towline.key"];
    names.iter().map(|name| folder.join(name)).map(|file| (file.clone(), read(&file))).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

async fn sow(seed: &Seed, folder: &Path, town: &mut Town) {
    match seed {
        Edit(name, from, to) => {
            let text = read(&folder.join(name));
            assert!(text.contains(from), "{from} in\n{text}");
            let text = text.replacen(from, &to.replace("PORT", &free_port().to_string()), 1);
            std::fs::write(folder.join(name), text).unwrap();
        }
        OtherKey => {
            let key = towline::config::secret::key_line(&[9; 32]);
            std::fs::write(folder.join("towline/towline.key"), key).unwrap();
        }
        Remove(name) => std::fs::remove_file(folder.join(name)).unwrap(),
        Renew => town.towline.renew_registration().await,
        Restart => town.synapse.restart().await,
        Stop => town.synapse.stop().await,
    }
}

async fn check(town: &Town) -> (i32, Value) {
    let (code, said) = town.towline.check_with(&["--json"]).await;
    let end = said.rfind("\n}").unwrap_or_else(|| panic!("no JSON in\n{said}"));
    (code, serde_json::from_str(&said[..end + 2]).unwrap())
}

#[tokio::test]
async fn check_names_each_of_many_misconfigurations_and_its_remedy_and_nothing_else() {
    let directory = TempDir::with_prefix("towline-check-").unwrap();
    let folder = directory.path().to_owned();
    let inspircd = Inspircd::start(&folder.join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let other = folder.join(OTHER);
    let registration = json!({
        "id": "other", "url": "http://127.0.0.1:1", "as_token": "a-token", "hs_token": "b-token",
        "sender_localpart": "other", "rate_limited": false,
        "namespaces": {
            "users": [{ "regex": format!("@nobody_.*:{SERVER_NAME}"), "exclusive": true }],
            "aliases": [], "rooms": [],
        },
    });
    std::fs::write(&other, registration.to_string()).unwrap();
    let extras = Extras { registrations: vec![other], links: true, ..Extras::default() };
    let mut town = Town::around(directory, inspircd, entry, &extras).await;
    assert!(town.towline.stop().await.success());
    let (code, found) = check(&town).await;
    assert_eq!((code, &found["failed"]), (0, &json!(0)), "{found:#}");
    let checks = found["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["outcome"] == "ok"), "{found:#}");

    let right = files(&folder);
    for Case { what, seeds, failed, remedy, code } in &CASES {
        for seed in *seeds {
            sow(seed, &folder, &mut town).await;
        }
        let (ended, found) = check(&town).await;
        assert_eq!((i64::from(ended), &found["code"]), (*code, &json!(code)), "{what}: {found:#}");
        let checks = found["checks"].as_array().unwrap();
        let failures: Vec<&Value> = checks.iter().filter(|check| check["outcome"] == "failed").collect();
        let names: Vec<&str> = failures.iter().map(|check| check["check"].as_str().unwrap()).collect();
        assert_eq!(names, *failed, "{what}: {found:#}");
        assert!(failures[0]["remedy"].as_str().unwrap().contains(remedy), "{what}: {found:#}");
        for (file, text) in &right {
            std::fs::write(file, text).unwrap();
        }
        match seeds.last() {
            Some(Restart) => town.synapse.restart().await,
            Some(Stop) => town.synapse.start_again().await,
            _ => {}
        }
    }
    let (code, found) = check(&town).await;
    assert_eq!(code, 0, "{found:#}");
}
