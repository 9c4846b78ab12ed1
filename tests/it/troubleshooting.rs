//! What `docs/troubleshooting.md` quotes is said: each quotation stands in the sources.

use std::path::Path;

use super::architecture::sources;

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// What stands in quotation marks.
fn quotations() -> Vec<&'static str> {
    PAGE.split('“').skip(1).filter_map(|rest| rest.split('”').next()).collect()
}

/// What the program may say: its sources without comments and tests, with texts that go over several lines put together.
fn program() -> String {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut all = String::new();
    for file in
        files.iter().filter(|file| !file.ends_with("tests.rs") && !file.to_str().unwrap().contains("/tests/"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut continues = false;
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let line = if continues { line.trim_start() } else { line };
            continues = line.ends_with('\\');
            all.push_str(line.trim_end_matches('\\'));
            if !continues {
                all.push('\n');
            }
        }
    }
    all
}

/// The parts of a quotation between what differs from case to case.
fn parts(quotation: &str) -> Vec<&str> {
    quotation
        .split('…')
        .map(|part| part.trim_matches([' ', ':', '.', ',', ';']))
        .filter(|part| part.len() > 1)
        .collect()
}

#[test]
fn what_the_page_on_troubleshooting_quotes_is_what_towline_says() {
    let program = program();
    let quotations = quotations();
    assert!(quotations.len() > 40, "only {} were found", quotations.len());
    let is_said = |quotation: &&str| {
        let parts = parts(quotation);
        let longest = parts.iter().map(|part| part.len()).max().unwrap_or_default();
        longest >= 6 && parts.iter().all(|part| program.contains(part))
    };
    let wrong: Vec<&str> = quotations.into_iter().filter(|quotation| !is_said(quotation)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_check_of_quotations_finds_what_nobody_says() {
    let program = program();
    assert!(!program.contains("the homeserver has eaten the registration"));
    assert_eq!(parts("… did not answer within … seconds"), ["did not answer within", "seconds"]);
    // Nor what only a test or a comment says.
    assert!(!program.contains("What stands in quotation marks") && !program.contains("#[test]"));
}
