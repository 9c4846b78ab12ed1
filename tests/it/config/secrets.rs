//! Secrets: where they may come from, and that nothing shows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rstest::rstest;
use secrecy::ExposeSecret as _;
use towline::config::{Config, Database};

use super::{MINIMAL, plus};

#[rstest]
#[case::in_the_wrong_type("appservice: { as_token: [hunter2] }")]
#[case::a_whole_section("appservice: hunter2")]
#[case::as_a_number_of_days("limits: { history: hunter2 }")]
#[case::database_url("database: { url: \"mysql://towline:hunter2@host/\" }")]
#[case::homeserver_url("homeserver: { url: \"https://towline:hunter2@host/\" }")]
#[case::next_to_broken_yaml("appservice:\n  as_token: hunter2\n bad: [")]
#[case::next_to_a_key_that_stands_twice("appservice:\n  as_token: hunter2\n  id: a\n  id: b")]
#[case::twice("appservice: { as_token: hunter2, as_token_file: x }")]
#[case::not_for_a_header("appservice: { as_token: \"hunter2 hunter2\" }")]
#[case::both_tokens_the_same("appservice: { as_token: hunter2, hs_token: hunter2 }")]
#[case::permission("permissions: { \"*\": hunter2 }")]
#[case::template("templates: { ghost: \"{hunter2}\" }")]
#[case::host("networks: { a: { servers: [{ host: \"hunter2 \" }] } }")]
#[case::password("networks: { a: { password: \"hunter2\\n\", servers: [{ host: a }] } }")]
#[case::tag("log: !hunter2 { level: info }")]
fn no_error_shows_a_value(#[case] text: &str) {
    let error = Config::parse(text, Path::new("/c.yaml"), &|_| None).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn no_debug_output_shows_a_secret() {
    let text = plus(
        "appservice: { as_token: secret-one, hs_token: secret-two }\n\
         database: { url: \"postgres://towline:secret-three@db/towline?password=secret-four\" }\n\
         networks: { libera: { password: secret-five } }\n",
    );
    let config = Config::parse(&text, Path::new("/c.yaml"), &|_| None).unwrap();
    let shown = format!("{config:?} {}", config.database);
    assert!(!shown.contains("secret-"), "{shown}");
    assert!(shown.contains("postgres://towline:REDACTED@db/towline"), "{shown}");
    let Database::Postgres { url } = &config.database else { panic!("no PostgreSQL") };
    assert!(url.expose_secret().contains("secret-three"));
}

/// A folder with a configuration and other files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        let get = |name: &str| environment.get(name).map(|value| (*value).to_owned());
        Config::load(&self.path("config.yaml"), &get).map_err(|error| error.to_string())
    }
}

fn tokens(config: &Config) -> (&str, &str) {
    (config.appservice.as_token.expose_secret(), config.appservice.hs_token.expose_secret())
}

#[test]
fn a_secret_comes_from_the_key_a_file_or_the_environment() {
    let text = plus("appservice: { as_token: from-key, hs_token_file: secrets/hs }\n");
    let folder =
        Folder::new(&[("config.yaml", &text), ("secrets/hs", "from-file\r\n"), ("db", "postgres://h/d\n")]);
    let config = folder.load(&[("TOWLINE_DATABASE_URL", "postgres://env/d")]).unwrap();
    assert_eq!(tokens(&config), ("from-key", "from-file"));
    assert_eq!(config.database.to_string(), "postgres://env/d");
}

#[test]
fn a_secret_that_is_given_twice_is_refused() {
    let text = plus("appservice: { as_token: a, hs_token: b }\n");
    let error =
        Folder::new(&[("config.yaml", &text)]).load(&[("TOWLINE_APPSERVICE_AS_TOKEN", "c")]).unwrap_err();
    assert!(error.contains(
        "line 3: appservice.as_token: it is given more than once; use one of `as_token`, `as_token_file` and the \
         variable TOWLINE_APPSERVICE_AS_TOKEN"
    ));
}

#[test]
fn an_empty_variable_counts_as_none() {
    let text = plus("appservice: { as_token: a, hs_token: b }\n");
    let config = Folder::new(&[("config.yaml", &text)]).load(&[("TOWLINE_APPSERVICE_AS_TOKEN", "")]).unwrap();
    assert_eq!(tokens(&config), ("a", "b"));
}

#[test]
fn a_networks_password_has_a_variable_of_its_own() {
    let folder = Folder::new(&[("config.yaml", &plus("appservice: { as_token: a, hs_token: b }\n"))]);
    let config = folder.load(&[("TOWLINE_NETWORKS_LIBERA_PASSWORD", "p")]).unwrap();
    let password = config.network("libera").unwrap().password.as_ref().unwrap();
    assert_eq!(password.expose_secret(), "p");
}

#[test]
fn secrets_files_are_looked_for_among_the_credentials_first() {
    let text = plus("appservice: { as_token_file: a, hs_token_file: b }\nsecret_key_file: towline.key\n");
    let folder = Folder::new(&[
        ("config.yaml", &text),
        ("a", "beside"),
        ("b", "beside-too"),
        ("credentials/a", "credential"),
        ("credentials/towline.key", "k"),
    ]);
    let credentials = folder.path("credentials");
    let config = folder.load(&[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())]).unwrap();
    assert_eq!(tokens(&config), ("credential", "beside-too"));
    assert_eq!(config.secret_key_file, credentials.join("towline.key"));
}

#[test]
fn a_secrets_file_that_is_missing_or_empty_is_named() {
    let text = plus("appservice: { as_token_file: missing, hs_token_file: empty }\n");
    let error = Folder::new(&[("config.yaml", &text), ("empty", "\n")]).load(&[]).unwrap_err();
    assert!(
        error.contains("appservice.as_token_file: ") && error.contains("missing can't be read"),
        "{error}"
    );
    assert!(error.contains("appservice.hs_token_file: ") && error.contains("empty is empty"), "{error}");
    assert!(!error.contains("registration"), "nothing more is said of a token that is given: {error}");
}

#[test]
fn tokens_that_are_not_given_come_from_the_registration() {
    let registration = "as_token: \"one\"\nhs_token: \"two\"\n";
    let folder = Folder::new(&[("config.yaml", MINIMAL), ("registration.yaml", registration)]);
    assert_eq!(tokens(&folder.load(&[]).unwrap()), ("one", "two"));
    let config = folder.load(&[("TOWLINE_APPSERVICE_HS_TOKEN", "mine")]).unwrap();
    assert_eq!(tokens(&config), ("one", "mine"));

    let error = Folder::new(&[("config.yaml", MINIMAL)]).load(&[]).unwrap_err();
    assert!(error.contains("`towline registration` makes it"), "{error}");
    let folder = Folder::new(&[("config.yaml", MINIMAL), ("registration.yaml", "as_token: \"one\"\n")]);
    let error = folder.load(&[]).unwrap_err();
    assert!(error.contains("appservice.hs_token: it is neither given nor in"), "{error}");
}

#[test]
fn a_file_that_is_missing_or_not_text_is_an_error_and_no_panic() {
    let folder = Folder::new(&[]);
    assert!(folder.load(&[]).unwrap_err().contains("config.yaml"));
    std::fs::write(folder.path("config.yaml"), [0xff, 0xfe, 0]).unwrap();
    assert!(folder.load(&[]).unwrap_err().contains("it is not UTF-8"));
}
