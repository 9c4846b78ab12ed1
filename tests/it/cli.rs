//! The command line, as a process.

mod check;
mod documents;
mod pages;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use assert_cmd::Command;
use clap::Parser;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use towline::cli::init;
use towline::config::{Config, Database, Permission};
use towline::matrix::registration::Registration;

fn towline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline"));
    command.args(arguments).env_clear();
    command
}

/// The exit code, standard output and standard error.
fn outcome(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A folder that `towline init` has filled.
struct Set {
    folder: tempfile::TempDir,
}

impl Set {
    fn new(more: &[&str]) -> Self {
        let set = Self { folder: tempfile::tempdir().unwrap() };
        let (code, _, error) = outcome(towline(&set.init_arguments(more)));
        assert_eq!((code, error.as_str()), (0, ""));
        set
    }

    fn init_arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["init", "--directory", self.folder.path().to_str().unwrap()];
        for (flag, value) in [
            ("--homeserver", "http://127.0.0.1:1"),
            ("--domain", "example.org"),
            ("--admin", "@alice:example.org"),
        ] {
            if !more.contains(&flag) {
                arguments.extend([flag, value]);
            }
        }
        arguments.extend(more);
        arguments
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{from}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    fn load(&self) -> Config {
        Config::load(&self.path("config.yaml"), &|_| None).unwrap()
    }

    fn run_words(&self, words: &[&str]) -> (i32, String, String) {
        let config = self.path("config.yaml");
        outcome(towline(&[words, &["--config", config.to_str().unwrap()]].concat()))
    }

    fn run(&self, command: &str, more: &[&str]) -> (i32, String, String) {
        let config = self.path("config.yaml");
        let mut arguments = vec![command, "--config", config.to_str().unwrap()];
        arguments.extend(more);
        outcome(towline(&arguments))
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let (code, output, _) = outcome(towline(&["--version"]));
    assert_eq!((code, output), (0, format!("towline {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_is_no_command_is_a_usage_error() {
    assert_eq!(outcome(towline(&["fly"])).0, 2);
    assert_eq!(outcome(towline(&["run", "--as-token", "x"])).0, 2);
}

#[test]
fn init_writes_a_second_registration_where_that_is_wanted_and_the_command_keeps_its_tokens() {
    let set = Set::new(&["--double-puppet"]);
    let file = set.path("double-puppet.yaml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let config = set.load();
    let known = config.double_puppet.unwrap();
    assert_eq!(known.registration_file, file);
    assert!(set.read("double-puppet.yaml").contains(known.as_token.expose_secret()));
    assert_ne!(known.as_token.expose_secret(), config.appservice.as_token.expose_secret());
    let before = set.read("double-puppet.yaml");
    let (code, output, _) = set.run("registration", &["--double-puppet"]);
    assert_eq!((code, set.read("double-puppet.yaml")), (0, before.clone()), "{output}");
    let (code, output, _) = set.run("registration", &["--double-puppet", "--print"]);
    assert_eq!((code, output), (0, before));
    // Where it is gone, it is told how to make it, and made.
    std::fs::remove_file(&file).unwrap();
    let (code, _, error) = set.run("check", &[]);
    assert_ne!(code, 0);
    assert!(error.contains("towline registration --double-puppet"), "{error}");
    assert_eq!(set.run("registration", &["--double-puppet"]).0, 0);
    assert!(set.load().double_puppet.is_some());
    // Nobody has one who did not ask for it.
    let set = Set::new(&[]);
    assert!(set.load().double_puppet.is_none() && !set.path("double-puppet.yaml").exists());
    assert_ne!(set.run("registration", &["--double-puppet"]).0, 0);
}

#[test]
fn init_writes_three_private_files_that_load() {
    let set = Set::new(&[
        "--listen",
        "0.0.0.0:9010",
        "--url",
        "http://bridge:9010",
        "--database",
        "postgres://u@db/t",
    ]);
    for name in ["config.yaml", "registration.yaml", "towline.key"] {
        let mode = std::fs::metadata(set.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let config = set.load();
    assert_eq!(config.homeserver.url, "http://127.0.0.1:1");
    assert_eq!(config.permissions.of("@alice:example.org"), Permission::Admin);
    assert_eq!(config.permissions.of("@bob:example.org"), Permission::User);
    assert_eq!(config.permissions.of("@carol:elsewhere.org"), Permission::None);
    assert_eq!(config.appservice.listen.to_string(), "0.0.0.0:9010");
    assert_eq!(config.appservice.url, "http://bridge:9010");
    assert!(
        matches!(&config.database, Database::Postgres { url } if url.expose_secret() == "postgres://u@db/t")
    );
    assert!(towline::config::secret::read_keys(&config.secret_key_file).is_ok());
    let (code, output, error) = set.run("check", &["--offline"]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert_eq!(output.lines().filter(|line| line.starts_with("ok ")).count(), 3, "{output}");
}

#[rstest]
#[case::synapse("synapse", "app_service_config_files:")]
#[case::conduit("conduit", "!admin appservices register")]
#[case::dendrite("dendrite", "config_files:")]
fn init_says_what_to_do_next(#[case] flavour: &str, #[case] expected: &str) {
    let set = Set { folder: tempfile::tempdir().unwrap() };
    let (code, output, _) = outcome(towline(&set.init_arguments(&["--flavour", flavour])));
    assert_eq!(code, 0);
    assert!(output.contains(expected) && output.contains("towline check --config"), "{output}");
    assert!(set.read("registration.yaml").contains(expected));
}

#[rstest]
#[case::config("config.yaml")]
#[case::registration("registration.yaml")]
#[case::key("towline.key")]
fn init_never_overwrites_and_then_writes_nothing(#[case] name: &str) {
    let set = Set { folder: tempfile::tempdir().unwrap() };
    std::fs::write(set.path(name), "mine").unwrap();
    let (code, _, error) = outcome(towline(&set.init_arguments(&[])));
    assert_eq!(code, 11);
    assert!(error.contains(name) && error.contains("exists"), "{error}");
    assert_eq!(set.read(name), "mine");
    assert_eq!(std::fs::read_dir(set.folder.path()).unwrap().count(), 1);
}

#[test]
fn init_without_a_terminal_lists_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let (code, _, error) = outcome(towline(&["init", "--directory", directory, "--domain", "example.org"]));
    assert_eq!(code, 2);
    assert!(error.ends_with("needed: --homeserver, --admin\n"), "{error}");
}

#[rstest]
#[case::homeserver("--homeserver", "localhost", "--homeserver: it must")]
#[case::domain("--domain", "exa mple", "--domain: it must be a server's name")]
#[case::admin_without_server("--admin", "@alice", "--admin: it must be a Matrix id")]
#[case::admin_is_a_domain("--admin", "example.org", "--admin: it must be a full Matrix id")]
#[case::listen("--listen", "9009", "--listen: it must be an IP address and a port")]
#[case::listen_anywhere("--listen", "[::]:9009", "--url is needed")]
#[case::url("--url", "ftp://a", "--url: it must begin with http:// or https://")]
#[case::database("--database", "mysql://a", "--database: it must be sqlite://")]
#[case::password(
    "--database",
    "postgres://a:hunter2@b/c",
    "--database: a password must not stand on the command line"
)]
#[case::password_parameter(
    "--database",
    "postgres://a@b/c?password=hunter2",
    "--database: a password must not"
)]
#[case::yaml("--homeserver", "http://a\"\nlog: x", "--homeserver: it must")]
fn init_judges_each_answer_by_its_flag(#[case] flag: &str, #[case] value: &str, #[case] expected: &str) {
    let set = Set { folder: tempfile::tempdir().unwrap() };
    let (code, _, error) = outcome(towline(&set.init_arguments(&[flag, value])));
    assert_eq!(code, 2, "{error}");
    assert!(error.starts_with(&format!("towline: {expected}")), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert_eq!(std::fs::read_dir(set.folder.path()).unwrap().count(), 0);
}

#[derive(Parser)]
struct InitArguments {
    #[command(flatten)]
    arguments: init::Arguments,
}

#[test]
fn init_asks_for_what_is_missing_and_again_for_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        InitArguments::parse_from(["init", "--directory", folder.path().to_str().unwrap()]).arguments;
    let answers =
        "localhost\nhttps://matrix.example.net\n\n@eve\n@eve:example.net\n\n\nmysql://x\n\nhs\nconduit\n";
    let mut output = Vec::new();
    init::init(&arguments, &mut answers.as_bytes(), true, &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("[example.net]: "), "the domain is guessed from the address: {output}");
    for problem in
        ["it must be a URL", "it must be a Matrix id", "it must be sqlite://", "it is none of the three"]
    {
        assert!(output.contains(problem), "{problem}: {output}");
    }
    let config = Config::load(&folder.path().join("config.yaml"), &|_| None).unwrap();
    assert_eq!(config.homeserver.domain, "example.net");
    assert_eq!(config.permissions.of("@eve:example.net"), Permission::Admin);
}

#[test]
fn the_registration_keeps_id_and_tokens_and_renews_the_rest() {
    let set = Set::new(&[]);
    let before = Registration::read(&set.read("registration.yaml")).unwrap();
    set.edit("config.yaml", "  #url: http://127.0.0.1:9009\n", "  url: http://bridge:1\n");
    set.edit("config.yaml", "  #ghost: \"irc_{", "  ghost: \"towline_i_{");
    set.edit("config.yaml", "  #bot: towline\n", "  bot: bridge\n");
    assert_eq!(set.run("check", &["--offline"]).0, 14, "the registration is older than the configuration");

    std::fs::set_permissions(set.path("registration.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, output, error) = set.run("registration", &[]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        output.contains("changed: url, sender_localpart, namespaces.users, namespaces.aliases"),
        "{output}"
    );
    let after = Registration::read(&set.read("registration.yaml")).unwrap();
    assert_eq!(
        after.differences(&before),
        ["url", "sender_localpart", "namespaces.users", "namespaces.aliases"]
    );
    assert_eq!(after.users[1], r"^@towline_i_.+:example\.org$");
    let mode = std::fs::metadata(set.path("registration.yaml")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "the file's mode is kept");
    assert_eq!(std::fs::read_dir(set.folder.path()).unwrap().count(), 3, "nothing else is left behind");
    assert_eq!(set.run("check", &["--offline"]).0, 0);
    assert!(set.run("registration", &[]).1.contains("says the same as before"));
}

#[test]
fn a_missing_registration_is_made_with_new_tokens_and_mode_0600() {
    let set = Set::new(&[]);
    let before = Registration::read(&set.read("registration.yaml")).unwrap();
    std::fs::remove_file(set.path("registration.yaml")).unwrap();
    assert_eq!(
        set.run("registration", &["--print"]).0,
        14,
        "tokens that are printed and not kept are of no use"
    );
    assert_eq!(set.run("registration", &[]).0, 0);
    let after = Registration::read(&set.read("registration.yaml")).unwrap();
    assert_eq!(after.differences(&before), ["as_token", "hs_token"]);
    let mode = std::fs::metadata(set.path("registration.yaml")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn printing_a_registration_changes_nothing() {
    let set = Set::new(&[]);
    let before = set.read("registration.yaml");
    let (code, output, _) = set.run("registration", &["--print", "--flavour", "synapse"]);
    assert_eq!((code, output.as_str()), (0, before.as_str()));
    let (_, output, _) = set.run("registration", &["--print", "--flavour", "conduit"]);
    assert!(output.contains("!admin appservices register"), "{output}");
    assert_eq!(set.read("registration.yaml"), before);
}

#[test]
fn a_registration_of_another_id_or_of_nothing_is_not_replaced() {
    let set = Set::new(&[]);
    set.edit("registration.yaml", "id: \"towline\"", "id: \"other\"");
    let (code, _, error) = set.run("registration", &[]);
    assert_eq!(code, 14);
    assert!(error.contains("an id never changes"), "{error}");

    set.edit("config.yaml", "  #as_token: the-first-token\n", "  as_token: aaaa\n");
    set.edit("config.yaml", "  #hs_token: the-other-token\n", "  hs_token: bbbb\n");
    std::fs::write(set.path("registration.yaml"), "a letter to my mother").unwrap();
    assert_eq!(set.run("registration", &[]).0, 14);
    assert_eq!(set.read("registration.yaml"), "a letter to my mother");
}

#[test]
fn a_wrong_configuration_is_said_in_full_with_code_10() {
    let set = Set::new(&[]);
    set.edit("config.yaml", "  domain: \"example.org\"\n", "  domain: \"\"\n  doman: x\n");
    for command in ["check", "registration", "run"] {
        let (code, output, error) = set.run(command, &[]);
        assert_eq!((code, output.as_str()), (10, ""), "{command}");
        assert!(
            error.starts_with("towline: ") && error.contains("homeserver.domain: it is empty"),
            "{error}"
        );
        assert!(error.contains("homeserver.doman: there is no such key"), "{error}");
    }
    assert_eq!(outcome(towline(&["run", "--config", "/nowhere/config.yaml"])).0, 10);
}

#[rstest]
#[case::missing(None)]
#[case::rubbish(Some("rubbish"))]
fn check_finds_a_key_file_that_is_missing_or_wrong(#[case] content: Option<&str>) {
    let set = Set::new(&[]);
    match content {
        None => std::fs::remove_file(set.path("towline.key")).unwrap(),
        Some(content) => std::fs::write(set.path("towline.key"), content).unwrap(),
    }
    let (code, output, error) = set.run("check", &["--offline"]);
    assert_eq!(code, 10);
    assert!(output.contains("FAILED   key file: the key file ") && output.contains("remedy: "), "{output}");
    assert!(!output.contains("rubbish"), "{output}");
    assert_eq!(error, "towline: one check failed\n");
}

/// A package checks what it will install elsewhere: no secret is there yet.
#[test]
fn a_file_can_be_checked_alone_where_nothing_is_that_it_refers_to() {
    let set = Set::new(&[]);
    for name in ["registration.yaml", "towline.key"] {
        std::fs::remove_file(set.path(name)).unwrap();
    }
    set.edit("config.yaml", "  #as_token_file: as_token\n", "  as_token_file: as-token\n");
    set.edit("config.yaml", "  #url_file: database_url\n", "  url_file: /run/database-url\n");
    let network = "networks:\n  home:\n    name: Home\n    servers: [ { host: irc.home.arpa } ]\n    \
                   password_file: home-password\n    proxy: { address: \"127.0.0.1:9050\", user: tor }\n";
    set.edit("config.yaml", "#networks:\n", network);
    assert_eq!(set.run("check", &["--offline"]).0, 10, "where it is to run, they are missed");
    let (code, output, error) = set.run("check", &["--file-only"]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert_eq!(output.lines().count(), 1, "nothing else is looked at: {output}");
    set.edit("config.yaml", "    name: Home\n", "    nmae: Home\n");
    set.edit("config.yaml", "  #presence: show\n", "  presense: show\n");
    let (code, _, error) = set.run("check", &["--file-only"]);
    assert_eq!(code, 10);
    assert!(error.contains("networks.home.nmae: there is no such key; did you mean `name`?"), "{error}");
}

/// Review of several channels, finding 15: an id that was pasted twice tied two channels to one room without a word.
#[test]
fn a_room_that_shows_several_channels_is_told_by_the_check() {
    let set = Set::new(&[]);
    let network = "networks:\n  home:\n    name: Home\n    servers: [ { host: irc.home.arpa } ]\n    \
                   channels: { \"#a\": \"!x:y.z\", \"#b\": \"!x:y.z\", \"#c\": \"!w:y.z\" }\n";
    set.edit("config.yaml", "#networks:\n", network);
    let (code, output, error) = set.run("check", &["--file-only"]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    let rooms: Vec<&str> = output.lines().filter(|line| line.contains("room !")).collect();
    assert_eq!(rooms, ["ok       room !x:y.z: shows #a on home and #b on home"]);
}

#[test]
fn a_set_is_found_beside_its_configuration() {
    let set = Set::new(&[]);
    let mut command = towline(&["check", "--offline"]);
    command.current_dir(set.folder.path());
    let (code, output, _) = outcome(command);
    assert_eq!(code, 0, "{output}");
    assert_eq!(set.load().secret_key_file, set.path("towline.key"));
}

#[test]
fn new_tokens_keep_those_of_before_beside_them_until_the_homeserver_has_the_new() {
    let set = Set::new(&[]);
    let before = set.load();
    let (code, output, error) = set.run("registration", &["--new-tokens"]);
    assert_eq!((code, error.as_str()), (0, ""));
    for step in ["registration.yaml.previous", "Reload Towline", "homeserver", "delete"] {
        assert!(output.contains(step), "{step} in {output}");
    }
    let now = set.load();
    let tokens = |config: &Config| {
        [&config.appservice.as_token, &config.appservice.hs_token]
            .map(|token| token.expose_secret().to_owned())
    };
    assert!(tokens(&before).iter().all(|old| !tokens(&now).contains(old)));
    let (own, theirs) = now.appservice.previous.as_ref().unwrap();
    assert_eq!([own, theirs].map(|token| token.expose_secret().to_owned()), tokens(&before));
    let kept = set.path("registration.yaml.previous");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(before.differences(&now).is_empty(), "that needs no restart");
    assert!(!output.contains(&tokens(&now)[0]) && !output.contains(&tokens(&before)[0]));

    let (code, _, error) = set.run("registration", &["--new-tokens"]);
    assert!(code == 14 && error.contains("the last change of tokens is not finished"), "{error}");
    std::fs::remove_file(&kept).unwrap();
    assert!(set.load().appservice.previous.is_none());
    set.edit("config.yaml", "appservice:\n", "appservice:\n  as_token: elsewhere\n");
    let (code, _, error) = set.run("registration", &["--new-tokens"]);
    assert!(code == 14 && error.contains("Change them there"), "{error}");
    assert!(!kept.exists());
}

#[test]
fn a_new_key_stands_above_the_old_one() {
    let set = Set::new(&[]);
    let old = set.read("towline.key");
    let (code, output, error) = set.run_words(&["key", "rotate"]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    let text = set.read("towline.key");
    assert!(text.starts_with("2 ") && text.ends_with(&format!("\n{old}")), "the order of the lines");
    assert_eq!(set.path("towline.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!output.contains(old.trim()));
    let (code, output, _) = set.run("check", &["--offline"]);
    assert!(
        code == 0 && output.contains("an older key is there, too, until `towline key retire`"),
        "{output}"
    );
    let (code, _, error) = set.run_words(&["key", "retire"]);
    assert!(code == 15, "there is no database yet: {error}");
    assert_eq!(set.read("towline.key"), text);
}
