//! What packages say of Towline must be what Towline says of itself. Whether they work is tested by `scripts/test`.

use std::collections::BTreeSet;

use rstest::rstest;
use towline::cli::Code;
use towline::config::schema::keys;

const MODULE: &str = include_str!("../../nixos-module/lib.nix");
const OPTIONS: &str = include_str!("../../nixos-module/options.nix");

#[test]
fn the_nixos_module_refuses_every_secret_of_the_configuration() {
    let (_, list) = MODULE.split_once("secretKeys = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let refused: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    // A database's URL is a secret only where a password is in it.
    let secrets: BTreeSet<&str> = keys()
        .filter(|key| key.secret && key.path != "database.url")
        .map(towline::config::schema::Key::name)
        .collect();
    assert_eq!(refused, secrets);
}

#[rstest]
#[case::appservice_listen("appservice.listen", "127.0.0.1:9009")]
#[case::id("appservice.id", "towline")]
#[case::bot("appservice.bot", "towline")]
fn the_nixos_module_has_the_defaults_of_the_configuration(#[case] path: &str, #[case] value: &'static str) {
    let key = towline::config::schema::find(path).unwrap();
    assert_eq!(key.default, towline::config::schema::Default::Is(value));
    let (_, option) = OPTIONS.split_once(&format!("        {} = mkOption {{", key.name())).unwrap();
    let (option, _) = option.split_once("};").unwrap();
    assert!(option.contains(&format!("default = \"{value}\";")), "{option}");
}

#[test]
fn units_give_up_only_where_another_attempt_would_end_the_same() {
    let codes = [Code::Usage, Code::Configuration, Code::SchemaNewer].map(|code| code.number().to_string());
    let line = format!("RestartPreventExitStatus = \"{}\";", codes.join(" "));
    assert!(include_str!("../../nixos-module/service.nix").contains(&line), "{line}");
}

/// What NixOS reloads Towline for is what Towline takes while it runs.
#[test]
fn the_nixos_module_restarts_for_each_section_that_needs_it_and_for_no_other() {
    let (_, list) = MODULE.split_once("needingRestart =").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let reloaded: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let needing = include_str!("../../src/config/differences.rs").split("look(\"").skip(1);
    let needing: BTreeSet<&str> = needing.filter_map(|rest| rest.split('"').next()).collect();
    let sections: BTreeSet<&str> =
        keys().map(|key| key.path).filter(|path| !path.contains(['.', '['])).collect();
    let whole: BTreeSet<&str> = needing.iter().copied().filter(|name| !name.contains('.')).collect();
    assert!(reloaded.is_disjoint(&whole), "{reloaded:?} {whole:?}");
    assert_eq!(reloaded.union(&whole).copied().collect::<BTreeSet<_>>(), sections);
    // Of a section of which a part needs a restart, the module looks at that part.
    for part in needing.iter().filter(|name| name.contains('.')) {
        assert!(MODULE.contains(&format!("settings.{part} or null")), "{part}");
    }
}
