//! The arrows between the modules, read from the sources: `src/lib.rs` says who may use whom.

use std::path::{Path, PathBuf};

/// Module → the modules of ours that it may name.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("addresses", &[]),
    ("names", &[]),
    ("clock", &[]),
    ("failpoint", &[]),
    ("metrics", &[]),
    ("config", &["addresses", "names"]),
    ("format", &["names"]),
    ("irc", &["addresses", "names"]),
    ("matrix", &["metrics", "names"]),
    ("store", &["clock", "metrics", "names"]),
    ("web", &["addresses", "clock"]),
    (
        "bridge",
        &["addresses", "clock", "config", "format", "irc", "matrix", "metrics", "names", "store", "web"],
    ),
    ("commands", &["bridge", "config", "format", "names", "store"]),
    ("cli", &["bridge", "clock", "commands", "config", "format", "matrix", "names", "store", "web"]),
];

pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules of ours that a source names.
fn named(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| {
        line.match_indices("crate::").map(move |(start, found)| &line[start + found.len()..])
    })
    .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
    .filter(|name| ALLOWED.iter().any(|(module, _)| module == name))
    .collect()
}

#[test]
fn modules_use_only_what_the_map_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "only {} sources were found", files.len());
    let mut forbidden = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap();
        let module = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == module) else {
            assert!(["lib", "main"].contains(&module), "{module} is not in the map");
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("crate::{"), "{}: a group of imports hides what it names", path.display());
        for name in named(&text) {
            if name != module && !allowed.contains(&name) {
                forbidden.push(format!("{} uses crate::{name}", path.display()));
            }
        }
    }
    assert!(forbidden.is_empty(), "{}", forbidden.join("\n"));
}

#[test]
fn the_map_in_the_library_names_the_same_modules() {
    let lib = include_str!("../../src/lib.rs");
    for (module, _) in ALLOWED {
        assert!(lib.contains(&format!("pub mod {module};")), "{module} is no module any more");
    }
    assert_eq!(lib.matches("pub mod ").count(), ALLOWED.len());
}

#[test]
fn no_source_is_larger_than_a_file_should_be() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 800, "{} has {lines} lines", file.display());
    }
}

/// The lines of code (comments and tests aside) of all sources, with their files.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut lines = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        lines.extend(
            code.lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| (name.clone(), line.to_owned())),
        );
    }
    assert!(lines.len() > 5_000, "only {} lines were found", lines.len());
    lines
}

#[test]
fn invariant_5_no_channel_between_tasks_is_unbounded() {
    for (file, line) in code() {
        assert!(!line.contains("unbounded"), "{file}: {line}");
    }
}

#[test]
fn invariant_7_only_the_clock_reads_the_time_and_each_client_is_built_in_one_place() {
    let places = [
        ("Instant::now(", "clock.rs"),
        ("SystemTime::now(", "clock.rs"),
        ("rand::fill(", "clock.rs"),
        // For the homeserver …
        ("Client::builder(", "matrix/http.rs"),
        ("Client::new(", "matrix/http.rs"),
        // … and for the internet, which looks where it connects to.
        ("Client::builder(", "web/pictures.rs"),
    ];
    for (file, line) in code() {
        // Our own client is made with the one that is passed in.
        for (call, _) in
            places.iter().filter(|(call, _)| line.replace("Client::new(http,", "").contains(call))
        {
            assert!(places.contains(&(*call, file.as_str())), "{file}: {line}");
        }
    }
}
