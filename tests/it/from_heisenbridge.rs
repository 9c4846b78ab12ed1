//! What `docs/from-heisenbridge.md` says is so: the commands, settings, keys and tests that it names exist.

use std::collections::BTreeSet;
use std::path::Path;

use super::architecture::sources;

const PAGE: &str = include_str!("../../docs/from-heisenbridge.md");

/// The columns of a page's tables.
pub(crate) fn rows(page: &'static str) -> Vec<[&'static str; 3]> {
    let rows = page.lines().filter_map(|line| {
        let mut columns = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let columns = [columns.next()?, columns.next()?, columns.next()?];
        (columns[1] != "here").then_some(columns)
    });
    rows.collect()
}

/// What stands in backticks.
pub(crate) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of all tests in these folders.
fn tests(folders: &[&str]) -> BTreeSet<String> {
    let mut files = Vec::new();
    folders
        .iter()
        .for_each(|folder| sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files));
    let text: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let names = text.iter().flat_map(|text| {
        // A function behind an attribute that makes it a test, with others perhaps between them.
        let parts = text.split("fn ").collect::<Vec<_>>();
        let is_test = |before: &str| {
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            ["#[test]", "#[tokio::test", "#[rstest]"].iter().any(|one| attributes.contains(one))
        };
        let names = parts.windows(2).filter(|pair| is_test(pair[0])).map(|pair| pair[1]);
        names
            .map(|rest| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
            })
            .collect::<Vec<_>>()
    });
    names.collect()
}

/// Where the test that shows a row has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Anywhere,
    OnRealServers,
}

/// The rows that name what does not exist, or that no test shows where it has to; and how many tests show something.
pub(crate) fn wrong_rows(page: &'static str, wanted: Shown) -> (Vec<String>, usize) {
    let reference = towline::commands::reference();
    let configuration = include_str!("../../docs/configuration.md");
    let is_command = |name: &str| {
        reference.contains(&format!("| `{name} "))
            || reference.contains(&format!("| `{name}`"))
            || reference.contains(&format!("Also: `{name}`"))
            || reference.contains(&format!(", `{name}`"))
    };
    let is_section = |name: &str| configuration.contains(&format!("| `{name}` |"));
    let is_known = |name: &str| match name.split_once(' ') {
        Some(("set", setting)) => reference.contains(&format!("| `{setting}` |")),
        Some(("towline", _)) => true,
        Some(_) => false,
        None if name.contains('.') => configuration.contains(&format!("`{name}")),
        None => is_command(name) || is_section(name),
    };
    let (tests, on_real_servers) = (tests(&["tests", "src"]), tests(&["tests/e2e"]));
    assert!(tests.len() > 500 && on_real_servers.len() > 40, "{} tests were found", tests.len());
    let mut wrong = Vec::new();
    let mut shown = 0;
    for [theirs, ours, test] in rows(page) {
        wrong.extend(
            code(ours).into_iter().filter(|name| !is_known(name)).map(|name| format!("{theirs}: {name}")),
        );
        wrong.extend(
            code(test)
                .into_iter()
                .filter(|name| !tests.contains(*name))
                .map(|name| format!("{theirs}: {name}")),
        );
        shown += usize::from(!code(test).is_empty());
        let says_no =
            ours.contains("nothing yet") || wanted == Shown::Anywhere && ours.contains("not needed");
        let is_shown = match wanted {
            Shown::Anywhere => test != "–",
            Shown::OnRealServers => code(test).first().is_some_and(|name| on_real_servers.contains(*name)),
        };
        if !(is_shown || test == "–" && says_no) {
            wrong.push(format!("{theirs}: its first test is not where it has to be, and it does not say that there is nothing"));
        }
    }
    (wrong, shown)
}

#[test]
fn every_command_setting_and_test_that_the_page_names_exists_and_each_row_is_shown_on_real_servers() {
    let (wrong, shown) = wrong_rows(PAGE, Shown::OnRealServers);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(shown > 50, "{shown}");
}

const COMMANDS: &str = "NETWORKS SERVERS OPEN STATUS QUIT HELP MASKS ADDMASK DELMASK ADDNETWORK DELNETWORK ADDSERVER DELSERVER FORGET \
               DISPLAYNAME AVATAR IDENT SYNC MAXLINES PASTEBIN REACTS MEDIAURL MEDIAPATH HIDDENROOM VERSION NICK USERNAME \
               REALNAME PASSWORD SASL CERTFP AUTOCMD CONNECT DISCONNECT RECONNECT RAW QUERY MSG CTCP CTCPCFG NICKSERV NS \
               CHANSERV CS JOIN PLUMB UNPLUMB UMODE WAIT PILLS AUTOQUERY WHOIS WHOAMI ROOM REJOIN SPACE CAPS FORWARD COLOR \
               PREFIXALL MODE NAMES TOPIC BANS OP DEOP VOICE DEVOICE KICK KB PART STOP UPGRADE DISPLAYNAMES \
               DISAMBIGUATION ZWSP NOTICERELAY RELAYTAG";

#[test]
fn every_command_of_heisenbridge_has_a_row() {
    let named: BTreeSet<&str> = rows(PAGE).iter().flat_map(|[theirs, ..]| code(theirs)).collect();
    let missing: Vec<&str> = COMMANDS.split_whitespace().filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn who_types_a_command_of_heisenbridge_is_understood_or_told_what_it_is_here() {
    let unknown: Vec<&str> =
        COMMANDS.split_whitespace().filter(|name| !towline::commands::is_understood(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(!towline::commands::is_understood("xyzzy"));
}

/// The rows of two columns.
fn options() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.filter_map(|row| row.split_once(" | ")).filter(|(_, ours)| !ours.contains(" | ")).collect()
}

#[test]
fn every_option_of_heisenbridges_command_line_has_a_row_and_each_key_that_it_names_exists() {
    let all = "homeserver -c --config -l --listen-address -p --listen-port -o --owner --generate --generate-compat -i --identd \
               --identd-port -u --uid -g --gid -v --version -h --reset --safe-mode --media-proxy media_url media_path \
               media_key displayname status_endpoint";
    let configuration = include_str!("../../docs/configuration.md");
    let options = options();
    let theirs: Vec<String> = options.iter().map(|(theirs, _)| format!("`{theirs}")).collect();
    let named: BTreeSet<&str> = theirs.iter().flat_map(|theirs| code(theirs)).collect();
    let missing: Vec<&str> = all.split_whitespace().filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let ours = options.iter().flat_map(|(_, ours)| code(ours)).filter(|name| name.contains('.'));
    let wrong: Vec<&str> = ours.filter(|name| !configuration.contains(&format!("| `{name}` |"))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
