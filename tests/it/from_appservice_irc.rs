//! What `docs/from-appservice-irc.md` says is so, as for Heisenbridge.

use std::collections::BTreeSet;

use super::from_heisenbridge::{Shown, code, rows, wrong_rows};

const PAGE: &str = include_str!("../../docs/from-appservice-irc.md");

#[test]
fn every_command_setting_and_test_that_the_page_on_appservice_irc_names_exists() {
    let (wrong, shown) = wrong_rows(PAGE, Shown::Anywhere);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(shown > 30, "{shown}");
}

#[test]
fn every_command_of_appservice_irc_has_a_row() {
    let all = "!join !cmd !whois !nick !username !storepass !removepass !reconnect !quit !active !listrooms !feature \
               !bridgeversion !help !plumb !unlink !unplumb";
    let named: BTreeSet<&str> = rows(PAGE).iter().flat_map(|[theirs, ..]| code(theirs)).collect();
    let missing: Vec<&str> = all.split_whitespace().filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let is_understood = |name: &&str| towline::commands::is_understood(name.trim_start_matches('!'));
    let unknown: Vec<&str> = all.split_whitespace().filter(|name| !is_understood(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
