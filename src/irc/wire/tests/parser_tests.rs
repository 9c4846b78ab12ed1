//! The public vectors of the IRC parser tests, where a checkout of <https://github.com/ircdocs/parser-tests> is at hand:
//! `TOWLINE_PARSER_TESTS` names its folder of YAML files. The tables beside this file cover the same ground.

use serde::Deserialize;

use super::*;

fn read(name: &str) -> String {
    let folder = std::env::var("TOWLINE_PARSER_TESTS").expect("TOWLINE_PARSER_TESTS names a folder");
    std::fs::read_to_string(format!("{folder}/{name}.yaml")).unwrap()
}

/// One of the files.
#[derive(Deserialize)]
struct Vectors<T> {
    tests: Vec<T>,
}

#[derive(Deserialize, Default)]
struct Atoms {
    #[serde(default)]
    tags: BTreeMap<String, Option<String>>,
    source: Option<String>,
    #[serde(default)]
    verb: String,
    #[serde(default)]
    params: Vec<String>,
}

#[test]
#[ignore = "needs a checkout of the parser tests in TOWLINE_PARSER_TESTS"]
fn lines_split_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Split {
        input: String,
        atoms: Atoms,
    }
    let text = read("msg-split");
    let vectors: Vectors<Split> = serde_yaml::from_str(&text).unwrap();
    assert!(vectors.tests.len() > 30);
    for Split { input, atoms } in vectors.tests {
        let message = Message::parse(&input).unwrap_or_else(|| panic!("{input:?}"));
        assert_eq!(message.verb.to_string(), atoms.verb.to_ascii_uppercase(), "{input:?}");
        assert_eq!(message.params, atoms.params, "{input:?}");
        assert_eq!(message.source.as_ref().map(ToString::to_string), atoms.source, "{input:?}");
        let tags: BTreeMap<_, _> =
            message.tags.iter().map(|(key, value)| (key.to_string(), Some(value.to_string()))).collect();
        assert_eq!(tags, atoms.tags, "{input:?}");
    }
}

#[test]
#[ignore = "needs a checkout of the parser tests in TOWLINE_PARSER_TESTS"]
fn lines_join_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Join {
        atoms: Atoms,
        matches: Vec<String>,
    }
    let text = read("msg-join");
    let vectors: Vectors<Join> = serde_yaml::from_str(&text).unwrap();
    let mut joined = 0;
    for Join { atoms, matches } in vectors.tests {
        // Clients send neither tags nor a source yet; those cases are read back instead.
        if atoms.source.is_some() || !atoms.tags.is_empty() {
            for line in &matches {
                assert_eq!(Message::parse(line).unwrap().params, atoms.params, "{line:?}");
            }
            continue;
        }
        let mut line = Line::new(Box::leak(atoms.verb.into_boxed_str()));
        let found = match atoms.params.split_last() {
            None => line.finish(),
            Some((last, middles)) => {
                for middle in middles {
                    line = line.middle(middle).unwrap();
                }
                match line.clone().middle(last) {
                    Ok(line) => line.finish(),
                    Err(_) => line.trailing(last).unwrap(),
                }
            }
        };
        assert!(matches.iter().any(|line| line == found.as_str()), "{found:?} of {matches:?}");
        joined += 1;
    }
    assert!(joined > 3);
}

#[test]
#[ignore = "needs a checkout of the parser tests in TOWLINE_PARSER_TESTS"]
fn sources_split_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Userhost {
        source: String,
        atoms: Parts,
    }
    #[derive(Deserialize)]
    struct Parts {
        nick: String,
        user: Option<String>,
        host: Option<String>,
    }
    let text = read("userhost-split");
    let vectors: Vectors<Userhost> = serde_yaml::from_str(&text).unwrap();
    assert!(vectors.tests.len() > 5);
    for Userhost { source, atoms } in vectors.tests {
        let Parts { nick, user, host } = atoms;
        assert_eq!(Source::parse(&source), Source { nick, user, host });
    }
}
