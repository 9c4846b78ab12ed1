//! The documents that describe the configuration, held against the schema.

use std::collections::BTreeSet;

use serde_yaml::Value;
use towline::config::schema::{self, Default as SchemaDefault, Kind};

use super::{holds, parse, uncommented};

/// The value in a document at a path of the schema, for the first name and item.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(document, |value, part| {
        let (name, is_item) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let inner = match name {
            "*" => value.as_mapping()?.values().next()?,
            _ => value.get(name)?,
        };
        if is_item { inner.get(0) } else { Some(inner) }
    })
}

#[test]
fn the_example_is_a_minimal_file_with_the_defaults() {
    let example = parse(include_str!("../../../config.example.yaml")).unwrap();
    let minimal = parse(
        "homeserver: { url: \"https://matrix.example.org\", domain: example.org }\n\
         permissions: { example.org: user, \"@admin:example.org\": admin }\n",
    )
    .unwrap();
    assert_eq!(format!("{example:?}"), format!("{minimal:?}"));
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let document: Value = serde_yaml::from_str(&uncommented()).unwrap();
    for key in schema::keys() {
        let Some(found) = at(&document, key.path) else { panic!("config.example.yaml lacks {}", key.path) };
        if let SchemaDefault::Is(default) = key.default {
            let default: Value = serde_yaml::from_str(default).unwrap();
            assert_eq!(found, &default, "config.example.yaml shows another default of {}", key.path);
        }
    }
    // With all settings in force nothing is unknown or of the wrong type: what remains excludes each other.
    let exclusive = ["it is given more than once", "it is of no use with a proxy"];
    for problem in parse(&uncommented()).unwrap_err() {
        // Nor is there a second registration where this file says.
        let is_absent = problem.path == "double_puppet.registration_file";
        let is_exclusive = exclusive.iter().any(|words| problem.message.starts_with(words));
        assert!(is_exclusive || is_absent, "{problem}");
    }
}

#[test]
fn the_schema_has_every_key_once_and_below_a_section() {
    let paths: BTreeSet<&str> = schema::keys().map(|key| key.path).collect();
    assert_eq!(paths.len(), schema::keys().count());
    for key in schema::keys() {
        if let Some((section, _)) = key.path.rsplit_once('.') {
            let kind = schema::find(section).map(|key| key.kind);
            assert!(matches!(kind, Some(Kind::Section | Kind::Named)), "{}", key.path);
        }
        if key.secret {
            assert!(schema::find(&format!("{}_file", key.path)).is_some(), "{}", key.path);
        }
        assert!(key.doc.ends_with('.'), "{}", key.path);
    }
}

#[test]
fn the_documentation_is_what_the_schema_says() {
    holds("docs/configuration.md", &schema::document());
}
