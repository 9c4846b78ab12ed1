//! The documents that describe the command line, and the registration as others read it.

use assert_cmd::Command;
use clap::CommandFactory as _;
use rstest::rstest;
use serde_json::{Value, json};
use towline::cli::{Cli, Code};
use towline::matrix::registration::{Claims, Flavour, Registration};

use crate::config::holds;

#[test]
fn the_documentation_lists_every_exit_code() {
    let text = include_str!("../../../docs/operations.md");
    let rows: Vec<String> =
        Code::ALL.iter().map(|code| format!("| {} | {} |", code.number(), code.meaning())).collect();
    let table = format!("| Code | Meaning |\n|---|---|\n{}\n", rows.join("\n"));
    assert!(text.contains(&table), "docs/operations.md should have\n{table}");
}

#[test]
fn every_command_of_the_documentation_exists() {
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(
        names,
        [
            "init",
            "registration",
            "check",
            "run",
            "key",
            "user",
            "history",
            "backup",
            "restore",
            "copy",
            "vacuum",
            "completions",
            "man"
        ]
    );
    command.debug_assert();
}

#[test]
fn the_example_registrations_are_what_towline_writes() {
    let claims = Claims {
        id: "towline",
        bot: "towline",
        url: "http://127.0.0.1:9009",
        domain: "example.org",
        ghost_prefix: "irc_",
        alias_prefix: "irc_",
        shared_alias_prefix: None,
    };
    for flavour in Flavour::ALL {
        let example = Registration::new(
            &claims,
            "the token that Towline shows".into(),
            "the token that the homeserver shows".into(),
        );
        holds(&format!("registration/{}.yaml", flavour.word()), &example.to_yaml(flavour));
    }
}

/// What a YAML 1.1 reader would take for a number, a truth or a time is text in a registration.
#[rstest]
#[case::no("no")]
#[case::on("on")]
#[case::null("~")]
#[case::number("1_000")]
#[case::sexagesimal("3:25")]
#[case::date("2024-01-01")]
#[case::quotes("a\"b\\c'd")]
#[case::octal("0o17")]
fn a_yaml_1_1_reader_reads_the_same_texts(#[case] text: &str) {
    let claims = Claims {
        id: text,
        bot: "towline",
        url: "http://127.0.0.1:9009",
        domain: "example.org",
        ghost_prefix: "irc_",
        alias_prefix: "irc_",
        shared_alias_prefix: None,
    };
    let yaml = Registration::new(&claims, text.into(), format!("{text}2").into()).to_yaml(Flavour::Synapse);
    let words = ["true", "false", "[]", "[\"irc\"]", ""];
    for line in yaml.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.split_once(": ").map_or("", |(_, value)| value);
        assert!(words.contains(&value) || value.starts_with('"') && value.ends_with('"'), "{line}");
    }
    let script = "import sys, yaml, json; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let mut python = Command::new("python3");
    let Ok(output) = python.args(["-c", script]).write_stdin(yaml).output() else {
        return;
    };
    // PyYAML is Synapse's reader. Where it is not installed, the check of the quotes above stands alone.
    if output.status.success() {
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&read["id"], &read["as_token"]), (&json!(text), &json!(text)));
        assert_eq!(read["rate_limited"], json!(false));
        assert_eq!(read["receive_ephemeral"], json!(true));
        assert_eq!(read["namespaces"]["users"][0]["regex"], json!(r"^@towline:example\.org$"));
    }
}
