//! What packages install beside the program: completions and manual pages.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use rstest::rstest;
use towline::cli::Cli;

use super::{outcome, towline};

/// The names of all commands, with what is before them: `history search`.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String], all: &mut Vec<Vec<String>>) {
        for inner in command.get_subcommands() {
            let path = [path, &[inner.get_name().to_owned()]].concat();
            below(inner, &path, all);
            all.push(path);
        }
    }
    let mut all = Vec::new();
    below(&Cli::command(), &[], &mut all);
    all
}

#[rstest]
#[case::bash("bash", "complete -F _towline")]
#[case::fish("fish", "complete -c towline")]
#[case::zsh("zsh", "#compdef towline")]
fn completions_know_every_command(#[case] shell: &str, #[case] beginning: &str) {
    let (code, script, error) = outcome(towline(&["completions", shell]));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(script.contains(beginning), "{script}");
    for name in commands().iter().flatten() {
        assert!(script.contains(name.as_str()), "{name}");
    }
}

#[test]
fn completions_for_an_unknown_shell_are_a_usage_error() {
    assert_eq!(outcome(towline(&["completions", "sh2"])).0, 2);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let (code, output, error) = outcome(towline(&["man", "--directory", folder.path().to_str().unwrap()]));
    assert_eq!((code, output.as_str(), error.as_str()), (0, "", ""));
    let found: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected = BTreeSet::from(["towline.1".to_owned()]);
    expected.extend(commands().iter().map(|path| format!("towline-{}.1", path.join("-"))));
    assert_eq!(found, expected);
    for page in &found {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH towline") && text.contains(".SH DESCRIPTION"), "{page}: {text}");
    }
}

#[test]
fn the_page_that_is_printed_names_every_command() {
    let (code, page, error) = outcome(towline(&["man"]));
    assert_eq!((code, error.as_str()), (0, ""));
    for path in commands().iter().filter(|path| path.len() == 1) {
        assert!(page.contains(&format!("towline\\-{}", path[0])), "{path:?}\n{page}");
    }
}

#[test]
fn pages_for_a_folder_that_is_not_there_are_refused_by_its_name() {
    let (code, _, error) = outcome(towline(&["man", "--directory", "/nowhere/at/all"]));
    assert_eq!(code, 11);
    assert!(error.contains("/nowhere/at/all"), "{error}");
}
