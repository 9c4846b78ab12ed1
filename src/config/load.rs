//! Text → checked values: the only file that knows the YAML crate's parser.
//!
//! The text becomes a value, the value is walked along the schema, and whatever is wrong is reported and taken out,
//! so that one walk finds everything and the rest can still be checked for sense. Defaults come in on the same walk.
//! What is left fits the structs of `raw`; should it not, serde's error gives the path, and its text is not shown,
//! for it may quote a value.
//!
//! Invariant: no text makes this panic (property test), and no message holds a value of the file.

use std::collections::BTreeSet;
use std::path::Path;

use serde_yaml::{Mapping, Value};

use super::lines::Lines;
use super::problem::{Problem, Report, child, item};
use super::schema::{self, Default, Key, Kind};
use super::secret::Environment;
use super::{Config, Network, network, presets, raw, resolve};
use crate::names::Slug;

/// A text as a number of this key's kind: what a person types for it, not as a file.
pub(super) fn number(key: &Key, text: &str) -> Option<u64> {
    let text = text.trim();
    let value = text.parse::<u64>().map_or_else(|_| Value::String(text.to_owned()), Value::from);
    key.checked(value)?.as_u64()
}

/// The limits that a document gives itself.
fn limits_given(document: &Mapping) -> BTreeSet<String> {
    let limits = document.get("limits").and_then(Value::as_mapping);
    let given = limits.into_iter().flatten().filter(|(_, value)| !value.is_null());
    given.filter_map(|(name, _)| name.as_str().map(str::to_owned)).collect()
}

/// Reads a configuration that stands in `file`.
pub(super) fn parse(
    text: &str,
    file: &Path,
    environment: Environment<'_>,
    tokens: resolve::Tokens,
) -> Result<Config, Vec<Problem>> {
    let mut report = Report::new(Lines::scan(text));
    let Some((raw, limits_given)) = read(text, &mut report) else {
        report.finish()?;
        return Err(Vec::new());
    };
    let config = resolve::resolve(raw, file, environment, tokens, &mut report);
    let config = Config { limits_given, ..config };
    report.finish()?;
    Ok(config)
}

/// The file's values, as far as they are right; `None` where not even that can be said.
fn read(text: &str, report: &mut Report) -> Option<(raw::File, BTreeSet<String>)> {
    let document = match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Null) => Mapping::new(),
        Ok(Value::Mapping(mapping)) => mapping,
        Ok(_) => {
            report.add("", "the file must be a mapping of keys to values, such as `homeserver:`");
            return None;
        }
        Err(error) => {
            refuse_text(text, &error, report);
            return None;
        }
    };
    let limits_given = limits_given(&document);
    let checked = section("", with_presets(document), "", report);
    match serde_path_to_error::deserialize(Value::Mapping(checked)) {
        Ok(raw) => Some((raw, limits_given)),
        Err(error) => {
            let path = error.path().to_string();
            report.add(&path, "this value can't be used");
            None
        }
    }
}

/// Says that the text is no YAML. The crate's own words are used only where they are fixed.
fn refuse_text(text: &str, error: &serde_yaml::Error, report: &mut Report) {
    let twice: Vec<_> = report.lines().twice().to_vec();
    let words = error.to_string();
    if words.contains("duplicate entry") {
        if twice.is_empty() {
            report.add("", "a key stands twice in the same section");
        }
        for (path, line) in twice {
            report.add_at(&path, Some(line), "this key stands twice in its section");
        }
        return;
    }
    let fixed = [
        (
            "found character that cannot start any token",
            "a value begins with a character that needs quotes around it",
        ),
        (
            "mapping values are not allowed",
            "there is a colon where none can be; check the indentation, or quote the value",
        ),
        ("did not find expected key", "the indentation is not that of the keys around it"),
        (
            "did not find expected alphabetic",
            "`*` and `&` have a meaning in YAML; put quotes around the name",
        ),
        ("unknown anchor", "`*` has a meaning in YAML; put quotes around the name"),
        ("found unexpected end of stream", "a quote or bracket is not closed"),
        ("more than one document", "there is more than one document (`---`) in the file"),
        ("recursion limit", "it is nested too deeply"),
        ("repetition limit", "its aliases repeat too much"),
    ];
    let line = error.location().map(|location| location.line());
    let at_fault = line.and_then(|line| text.lines().nth(line.saturating_sub(1))).unwrap_or_default();
    let indentation = &at_fault[..at_fault.len() - at_fault.trim_start().len()];
    let message = match fixed.iter().find(|(theirs, _)| words.contains(theirs)) {
        _ if indentation.contains('\t') => "a tab is used for indentation; use spaces",
        Some((_, ours)) => ours,
        None => "it is not valid YAML",
    };
    report.add_at("", line, message);
}

/// Puts the presets under `networks`, below what the file says there.
fn with_presets(mut document: Mapping) -> Mapping {
    if document.get("presets") == Some(&Value::Bool(false)) {
        return document;
    }
    let networks = document.entry("networks".into()).or_insert(Value::Null);
    if networks.is_null() {
        *networks = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(networks) = networks {
        for preset in presets::PRESETS {
            let of_file = networks.entry(preset.slug.into()).or_insert(Value::Null);
            if of_file.is_null() {
                *of_file = Value::Mapping(Mapping::new());
            }
            if let Value::Mapping(of_file) = of_file {
                with_preset(of_file, preset);
            }
        }
    }
    document
}

/// Puts a preset below what is said of it.
fn with_preset(section: &mut Mapping, preset: &presets::Preset) {
    for (key, value) in presets::section(preset) {
        let entry = section.entry(key).or_insert(Value::Null);
        if entry.is_null() {
            *entry = value;
        }
    }
}

/// A network that was added at run time, from a section as the file would have it; JSON is YAML.
pub(super) fn network(config: &Config, slug: &Slug, text: &str) -> Result<Network, Vec<Problem>> {
    let path = child("networks", slug.as_str());
    let mut report = Report::new(Lines::default());
    let mut mapping = serde_yaml::from_str::<Mapping>(text).unwrap_or_else(|_| {
        report.add(&path, "it can't be read");
        Mapping::new()
    });
    if let Some(preset) = presets::find(slug.as_str()) {
        with_preset(&mut mapping, preset);
    }
    let checked = section("networks.*", mapping, &path, &mut report);
    let Ok(raw) = serde_path_to_error::deserialize::<_, raw::Network>(Value::Mapping(checked)) else {
        report.add(&path, "it can't be used");
        return report.finish().and(Err(Vec::new()));
    };
    let folder = config.file.parent().unwrap_or(Path::new(""));
    let mut resolver = resolve::Resolver::of_part(folder, &|_| None, &mut report);
    let network = network::one(&mut resolver, slug.clone(), raw, &path, &config.templates);
    report.finish()?;
    Ok(network)
}

/// A section with what is wrong taken out and the defaults put in.
fn section(pattern: &str, mapping: Mapping, path: &str, report: &mut Report) -> Mapping {
    let mut checked = Mapping::new();
    for (name, value) in mapping {
        let Some(name) = name.as_str() else {
            report.add(path, "a key here is not text; put quotes around it");
            continue;
        };
        let here = child(path, name);
        match schema::within(pattern).find(|key| key.name() == name) {
            _ if value.is_null() => {
                if schema::within(pattern).all(|key| key.name() != name) {
                    report.add(&here, unknown(pattern, name));
                }
            }
            Some(key) => {
                if let Some(value) = walk(key, value, &here, report) {
                    checked.insert(name.into(), value);
                }
            }
            None => report.add(&here, unknown(pattern, name)),
        }
    }
    for key in schema::within(pattern).filter(|key| !key.secret) {
        if checked.contains_key(key.name()) {
            continue;
        }
        let here = child(path, key.name());
        let default = match key.default {
            _ if key.kind == Kind::Section => {
                Some(Value::Mapping(section(key.path, Mapping::new(), &here, report)))
            }
            Default::Is(text) => {
                serde_yaml::from_str(text).ok().and_then(|value| walk(key, value, &here, report))
            }
            Default::Required | Default::Note(_) => None,
        };
        if let Some(value) = default {
            checked.insert(key.name().into(), value);
        }
    }
    checked
}

/// A value in the plain type of its kind; `None`, and a report, where it is of another.
pub(super) fn walk(key: &Key, value: Value, path: &str, report: &mut Report) -> Option<Value> {
    let checked = match (key.kind, value) {
        (Kind::Section, Value::Mapping(mapping)) => {
            Some(Value::Mapping(section(key.path, mapping, path, report)))
        }
        (Kind::Named, Value::Mapping(mapping)) => Some(Value::Mapping(named(key, mapping, path, report))),
        (Kind::List, Value::Sequence(items)) => Some(Value::Sequence(list(key, items, path, report))),
        (Kind::Text | Kind::File, Value::String(text)) if text.trim().is_empty() => {
            report.add(path, "it is empty");
            return None;
        }
        (Kind::Text | Kind::File | Kind::Setting, Value::String(text)) => Some(text.into()),
        (Kind::Boolean, Value::Bool(value)) => Some(value.into()),
        (
            Kind::Integer(least, most) | Kind::Duration(least, most) | Kind::Size(least, most),
            Value::Number(n),
        ) => within(n.as_u64(), least, most),
        (Kind::Duration(least, most), Value::String(text)) => within(duration(&text), least, most),
        (Kind::Pace(least, most), Value::Number(n)) => {
            within(n.as_u64().and_then(|seconds| seconds.checked_mul(1_000)), least, most)
        }
        (Kind::Pace(least, most), Value::String(text)) => within(pace(&text), least, most),
        (Kind::Size(least, most), Value::String(text)) => within(size(&text), least, most),
        (Kind::Keep, Value::String(text)) if text == "keep" => Some(0.into()),
        (Kind::Keep, Value::Number(n)) => within(n.as_u64(), 1, MOST_DAYS),
        (Kind::Keep, Value::String(text)) => within(days(&text), 1, MOST_DAYS),
        (Kind::Setting, Value::Number(n)) => Some(n.to_string().into()),
        (Kind::Choice(words), Value::String(text)) => words.contains(&text.as_str()).then(|| text.into()),
        _ => None,
    };
    if checked.is_none() {
        let hint = match key.kind {
            Kind::Text => "; put quotes around it",
            _ => "",
        };
        report.add(path, format!("it must be {}{hint}", key.kind.describe()));
    }
    checked
}

fn named(key: &Key, mapping: Mapping, path: &str, report: &mut Report) -> Mapping {
    let mut checked = Mapping::new();
    let Some(each) = schema::find(&format!("{}.*", key.path)) else {
        return checked;
    };
    for (name, value) in mapping {
        let Some(name) = name.as_str() else {
            report.add(path, "a name here is not text; put quotes around it");
            continue;
        };
        let value = if value.is_null() && each.kind == Kind::Section {
            Value::Mapping(Mapping::new())
        } else {
            value
        };
        if let Some(value) = walk(each, value, &child(path, name), report) {
            checked.insert(name.into(), value);
        }
    }
    checked
}

fn list(key: &Key, items: Vec<Value>, path: &str, report: &mut Report) -> Vec<Value> {
    let Some(each) = schema::find(&format!("{}[]", key.path)) else {
        return Vec::new();
    };
    let numbered = (0..).zip(items);
    // An item that is wrong is kept as one that says nothing, so that the others keep their numbers.
    let nothing = || match each.kind {
        Kind::Section => Value::Mapping(Mapping::new()),
        _ => Value::String(String::new()),
    };
    numbered
        .map(|(index, value)| walk(each, value, &item(path, index), report).unwrap_or_else(nothing))
        .collect()
}

/// What to say of a key that the schema does not have.
fn unknown(pattern: &str, name: &str) -> String {
    let nearest = schema::within(pattern)
        .map(|key| (strsim::jaro_winkler(key.name(), &name.to_lowercase()), key.name()))
        .filter(|(nearness, _)| *nearness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, known)) = nearest {
        return format!("there is no such key; did you mean `{known}`?");
    }
    let known: Vec<&str> = schema::within(pattern).map(Key::name).collect();
    format!("there is no such key; there are {}", known.join(", "))
}

const MOST_DAYS: u64 = 36_500;

fn within(number: Option<u64>, least: u64, most: u64) -> Option<Value> {
    number.filter(|n| (least..=most).contains(n)).map(Value::from)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Seconds.
fn duration(text: &str) -> Option<u64> {
    with_unit(text, &[("", 1), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)])
}

/// Milliseconds.
fn pace(text: &str) -> Option<u64> {
    with_unit(text, &[("ms", 1)]).or_else(|| duration(text)?.checked_mul(1_000))
}

/// Bytes.
fn size(text: &str) -> Option<u64> {
    with_unit(text, &[("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)])
}

fn days(text: &str) -> Option<u64> {
    with_unit(text, &[("", 1), ("d", 1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("90", Some(90))]
    #[case::seconds("2s", Some(2))]
    #[case::minutes("15m", Some(900))]
    #[case::space("2 h", Some(7_200))]
    #[case::days("1d", Some(86_400))]
    #[case::other_unit("1y", None)]
    #[case::no_number("m", None)]
    #[case::too_much("99999999999999999999d", None)]
    #[case::overflow("999999999999999999d", None)]
    fn a_time_is_a_number_with_or_without_a_unit(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(duration(text), seconds);
    }

    #[rstest]
    #[case::plain("3", Some(3_000))]
    #[case::milliseconds("250ms", Some(250))]
    #[case::minutes("1m", Some(60_000))]
    #[case::other_unit("250us", None)]
    #[case::overflow("18446744073709551615", None)]
    fn a_pace_may_be_in_milliseconds(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(pace(text), milliseconds);
    }

    #[test]
    fn every_default_of_the_schema_is_of_its_own_kind() {
        let mut report = Report::new(Lines::default());
        section("", with_presets(Mapping::new()), "", &mut report);
        assert_eq!(report.finish(), Ok(()));
    }
}
