//! The configuration, as a file on disk and as the documents that describe it.

mod documents;
mod networks;
mod secrets;
mod templates;

use std::path::Path;
use std::time::Duration;

use rstest::rstest;
use towline::config::{Config, Database, History, LogFormat, Permission, Permissions, Problem, presets};

const MINIMAL: &str =
    "homeserver: { url: \"https://hs.example.org/\", domain: example.org }\npermissions: { \"*\": user }\n";

fn with_tokens(name: &str) -> Option<String> {
    match name {
        "TOWLINE_APPSERVICE_AS_TOKEN" => Some("as-token-of-the-test".to_owned()),
        "TOWLINE_APPSERVICE_HS_TOKEN" => Some("hs-token-of-the-test".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/towline/config.yaml"), &with_tokens)
        .map_err(|error| error.problems().to_vec())
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The minimal file and some more lines.
fn plus(more: &str) -> String {
    format!("{MINIMAL}{more}")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Compares a file of the repository with what it should say; with `UPDATE_DOCS=1`, writes it.
pub(crate) fn holds(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if updating() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is not what the code says; run the tests with UPDATE_DOCS=1");
}

#[test]
fn the_smallest_file_is_complete_with_the_defaults() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.homeserver.url, "https://hs.example.org");
    assert_eq!(config.bot_id(), "@towline:example.org");
    assert_eq!(config.appservice.id, "towline");
    assert_eq!(config.appservice.listen.to_string(), "127.0.0.1:9009");
    assert_eq!(config.appservice.url, "http://127.0.0.1:9009");
    assert_eq!(config.appservice.registration_file, Path::new("/etc/towline/registration.yaml"));
    assert_eq!(config.secret_key_file, Path::new("/etc/towline/towline.key"));
    assert!(
        matches!(&config.database, Database::Sqlite { path } if path == Path::new("/etc/towline/towline.db"))
    );
    assert_eq!(config.templates.ghost.as_str(), "irc_{network}_{nick}");
    assert_eq!(config.templates.alias, None);
    assert_eq!(config.limits.sessions_per_user, 20);
    assert_eq!(config.limits.inbox_body, 16 << 20);
    assert_eq!(config.limits.stale_after, Duration::from_mins(15));
    assert_eq!(config.limits.history, History::Keep);
    assert_eq!((config.log.level, config.log.format), (tracing::Level::INFO, LogFormat::Text));
    assert_eq!(config.networks.len(), presets::PRESETS.len());
}

#[rstest]
#[case::an_empty_file("", "homeserver.url: it is required")]
#[case::no_mapping("- a\n", "the file must be a mapping of keys to values, such as `homeserver:`")]
#[case::unknown_section(
    "homserver: {}\n",
    "line 1: homserver: there is no such key; did you mean `homeserver`?"
)]
#[case::unknown_key(
    "homeserver:\n  url: http://a\n  doman: b\n",
    "line 3: homeserver.doman: there is no such key; did you mean `domain`?"
)]
#[case::unknown_key_without_a_value(
    "homeserver:\n  doman:\n",
    "line 2: homeserver.doman: there is no such key; did you mean `domain`?"
)]
#[case::nothing_near(
    "log: { zzzzz: 1 }\n",
    "line 1: log.zzzzz: there is no such key; there are level, format"
)]
#[case::missing("homeserver:\n  url: http://a\n", "line 1: homeserver.domain: it is required")]
#[case::number_for_text(
    "appservice:\n  id: 5\n",
    "line 2: appservice.id: it must be text; put quotes around it"
)]
#[case::empty_text("appservice:\n  id: \"\"\n", "line 2: appservice.id: it is empty")]
#[case::text_for_section("log: info\n", "line 1: log: it must be a section")]
#[case::mapping_for_list(
    "networks:\n  a:\n    servers: { host: b }\n",
    "line 3: networks.a.servers: it must be a list"
)]
#[case::text_for_boolean("presets: yes\n", "line 1: presets: it must be true or false")]
#[case::too_large(
    "networks:\n  a:\n    servers:\n      - host: b\n        port: 66970\n",
    "line 5: networks.a.servers[0].port: it must be a whole number from 1 to 65535"
)]
#[case::negative(
    "limits:\n  sessions_per_user: -1\n",
    "line 2: limits.sessions_per_user: it must be a whole number from 1 to 10000"
)]
#[case::no_media(
    "networks:\n  oftc:\n    avatar: https://example.org/a.png\n",
    "line 3: networks.oftc.avatar: it must be an mxc:// address, as mxc://example.org/AbCdEf"
)]
#[case::no_time(
    "limits:\n  stale_after: 15 parsecs\n",
    "line 2: limits.stale_after: it must be a time from 10s to 3650d, such as 90, 15m, 2h or 1d"
)]
#[case::no_size(
    "limits:\n  inbox_body: 16MB\n",
    "line 2: limits.inbox_body: it must be a size from 8MiB to 1024MiB"
)]
#[case::no_days(
    "limits:\n  history: 1y\n",
    "line 2: limits.history: it must be `keep` or a number of days, such as 90 or 90d"
)]
#[case::other_word(
    "log:\n  level: loud\n",
    "line 2: log.level: it must be one of error, warn, info, debug, trace"
)]
#[case::no_url(
    "homeserver:\n  url: matrix\n",
    "line 2: homeserver.url: it must be a URL, such as https://matrix.example.org"
)]
#[case::other_scheme(
    "homeserver:\n  url: ftp://a\n",
    "line 2: homeserver.url: it must begin with http:// or https://"
)]
#[case::url_with_password(
    "homeserver:\n  url: https://a:b@c\n",
    "line 2: homeserver.url: it must not have a user or a password"
)]
#[case::url_of_an_endpoint(
    "homeserver:\n  url: http://a/_matrix/client\n",
    "line 2: homeserver.url: it must end before /_matrix"
)]
#[case::no_server_name(
    "homeserver:\n  domain: \"a b\"\n",
    "line 2: homeserver.domain: it must be a server's name, such as example.org"
)]
#[case::id(
    "appservice:\n  id: a|b\n",
    "line 2: appservice.id: only letters, digits and . _ ~ - may stand in it"
)]
#[case::bot(
    "appservice:\n  bot: Tow Line\n",
    "line 2: appservice.bot: it must be a localpart such as towline: only a-z, 0-9 and . _ / - may stand in it"
)]
#[case::bot_as_ghost(
    "appservice:\n  bot: irc_bot\n",
    "line 2: appservice.bot: the bot's localpart begins as `templates.ghost` does, so it would be taken for a ghost"
)]
#[case::listen(
    "appservice:\n  listen: localhost:9009\n",
    "line 2: appservice.listen: it must be an IP address and a port, such as 127.0.0.1:9009"
)]
#[case::listen_anywhere(
    "appservice:\n  listen: 0.0.0.0:9009\n",
    "line 1: appservice.url: it is required, since `listen` is an address for all interfaces, which nobody can call"
)]
#[case::listen_at_random(
    "appservice:\n  listen: 127.0.0.1:0\n",
    "line 2: appservice.listen: the port must not be 0, since the homeserver has to know it"
)]
#[case::database(
    "database:\n  url: mysql://a\n",
    "line 2: database.url: it must be sqlite:// and a file, or a URL that begins with postgres://"
)]
#[case::memory(
    "database:\n  url: \"sqlite://:memory:\"\n",
    "line 2: database.url: a database in memory would lose what Towline has accepted"
)]
#[case::permission(
    "permissions:\n  example.org: owner\n",
    "line 2: permissions.\"example.org\": it must be one of none, user, admin"
)]
#[case::permission_key(
    "permissions:\n  \"a b\": user\n",
    "line 2: permissions.\"a b\": it must be a Matrix id (@alice:example.org), a server's name or \"*\""
)]
#[case::nobody(
    "permissions:\n  \"*\": none\n",
    "line 1: permissions: nobody may use the bridge; give someone `user` or `admin`"
)]
#[case::star_without_quotes(
    "permissions:\n  *: user\n",
    "line 2: `*` and `&` have a meaning in YAML; put quotes around the name"
)]
#[case::slug(
    "networks:\n  My_Net: { servers: [{ host: a }] }\n",
    "line 2: networks.My_Net: a network's short name is 1 to 24 of a-z, 0-9 and -"
)]
#[case::slug_of_a_user(
    "networks:\n  u12-net: { servers: [{ host: a }] }\n",
    "line 2: networks.u12-net: short names of u, a number and - are those of users' own networks"
)]
#[case::slug_of_the_probe(
    "networks:\n  towline-probe: { servers: [{ host: a }] }\n",
    "line 2: networks.towline-probe: `towline check` uses this short name itself"
)]
#[case::no_servers("networks:\n  a: { name: A }\n", "line 2: networks.a.servers: it is required")]
#[case::empty_servers(
    "networks:\n  a:\n    servers: []\n",
    "line 3: networks.a.servers: it must have at least one server"
)]
#[case::same_name(
    "networks:\n  a: { name: libera.chat, servers: [{ host: a }] }\n",
    "line 2: networks.a.name: the network `libera` has the same name"
)]
#[case::name_is_a_short_name(
    "networks:\n  a: { name: OFTC, servers: [{ host: a }] }\n",
    "line 2: networks.a.name: the network `oftc` has the same name"
)]
#[case::host_with_port(
    "networks:\n  a:\n    servers:\n      - host: irc.example.org:6697\n",
    "line 4: networks.a.servers[0].host: it must be a host's name or an IP address; the port goes under `port`"
)]
#[case::item_without_host(
    "networks:\n  a:\n    servers:\n      - port: 1\n",
    "line 4: networks.a.servers[0].host: it is required"
)]
#[case::useless_authority(
    "networks:\n  a:\n    servers:\n      - host: b\n        tls: false\n        ca_file: ca.pem\n",
    "line 6: networks.a.servers[0].ca_file: it is of no use without `tls` and `verify`"
)]
#[case::useless_fingerprint(
    "networks:\n  a:\n    servers:\n      - host: b\n        tls: false\n        fingerprint: [ \"AB:CD\" ]\n",
    "line 6: networks.a.servers[0].fingerprint: it is of no use without `tls`"
)]
#[case::bad_fingerprint(
    "networks:\n  a:\n    servers:\n      - host: b\n        fingerprint:\n          - \"AB:CD\"\n",
    "line 6: networks.a.servers[0].fingerprint[0]: it must be a SHA-256 or SHA-512 in hexadecimal, of 64 or 128 digits"
)]
#[case::fingerprint_of_another_kind(
    "networks:\n  a:\n    servers:\n      - host: b\n        fingerprint:\n          - 12\n",
    "line 6: networks.a.servers[0].fingerprint[0]: it must be text; put quotes around it"
)]
#[case::password_without_tls(
    "networks:\n  a:\n    password: hunter2\n    servers:\n      - { host: b, tls: false }\n",
    "line 3: networks.a.password: it would never be sent: no server has verified TLS, and `plaintext_credentials` is \
     not set"
)]
#[case::bind_to_a_name(
    "networks:\n  oftc:\n    bind: [ eth0 ]\n",
    "line 3: networks.oftc.bind[0]: it must be an IP address, such as 192.0.2.7, or an IPv6 prefix, such as \
     2001:db8:1::/64"
)]
#[case::bind_to_a_prefixs_address(
    "networks:\n  oftc:\n    bind:\n      - 2001:db8::1/64\n",
    "line 4: networks.oftc.bind[0]: the bits after its length must be zero, as in 2001:db8:1::/64"
)]
#[case::bind_twice(
    "networks:\n  oftc:\n    bind:\n      - 192.0.2.1\n      - 192.0.2.2\n",
    "line 5: networks.oftc.bind[1]: there may be only one of each family, IPv4 and IPv6"
)]
#[case::bind_to_a_number(
    "networks:\n  oftc:\n    bind: [ 1 ]\n",
    "networks.oftc.bind[0]: it must be text; put quotes around it"
)]
#[case::bind_and_proxy(
    "networks:\n  oftc:\n    bind: [ 192.0.2.1 ]\n    proxy: { address: \"tor:9050\" }\n",
    "line 3: networks.oftc.bind: it is of no use with a proxy, which dials from its own address"
)]
#[case::proxy_without_port(
    "networks:\n  oftc:\n    proxy:\n      address: tor\n",
    "line 4: networks.oftc.proxy.address: it must be a host and a port, such as 127.0.0.1:9050 or [::1]:9050"
)]
#[case::proxy_without_address(
    "networks:\n  oftc:\n    proxy:\n      user: towline\n",
    "line 3: networks.oftc.proxy: it has no `address`"
)]
#[case::proxy_with_half_a_login(
    "networks:\n  oftc:\n    proxy:\n      address: tor:9050\n      user: towline\n",
    "line 3: networks.oftc.proxy: `user` and `password` go together"
)]
#[case::slower_than_to_begin_with(
    "networks:\n  oftc:\n    connections:\n      interval: 2\n      fastest: 3\n",
    "line 5: networks.oftc.connections.fastest: it must not be longer than `interval`"
)]
#[case::ident_without_port(
    "ident:\n  listen: 0.0.0.0\n",
    "line 2: ident.listen: it must be an IP address and a port, such as 0.0.0.0:113"
)]
#[case::charset(
    "networks:\n  libera:\n    charset: utf-16\n",
    "line 3: networks.libera.charset: it must be the label of an encoding that contains ASCII, such as utf-8, \
     windows-1252 or koi8-r"
)]
#[case::charset_of_nobody(
    "networks:\n  libera:\n    charset: x-user-defined\n",
    "line 3: networks.libera.charset: it must be the label of an encoding that contains ASCII, such as utf-8, \
     windows-1252 or koi8-r"
)]
#[case::nick_template(
    "networks:\n  libera:\n    nick: alice\n",
    "line 3: networks.libera.nick: it must have one of {localpart}, {display}, {user_id}, so that different people get \
     different names"
)]
#[case::key_twice(
    "log:\n  level: info\n  level: warn\n",
    "line 3: log.level: this key stands twice in its section"
)]
#[case::tab("log:\n\tlevel: info\n", "line 2: a tab is used for indentation; use spaces")]
#[case::value_that_needs_quotes(
    "log:\n  level: @info\n",
    "line 2: a value begins with a character that needs quotes around it"
)]
#[case::colon_in_a_value(
    "log:\n  level: a: b\n",
    "line 2: there is a colon where none can be; check the indentation, or quote the value"
)]
#[case::indentation(
    "log:\n  level: info\n format: text\n",
    "the indentation is not that of the keys around it"
)]
#[case::two_documents("a: 1\n---\nb: 2\n", "there is more than one document (`---`) in the file")]
#[case::open_quote("log: \"info\n", "line 2: a quote or bracket is not closed")]
fn every_problem_has_a_path_a_line_and_what_would_be_right(#[case] text: &str, #[case] expected: &str) {
    let found = problems(text);
    // A line more or less may come from a part of the file that is not the matter of the case.
    assert!(found.iter().any(|problem| problem.ends_with(expected)), "{found:#?}");
}

#[test]
fn all_problems_are_said_at_once_and_in_the_order_of_the_file() {
    let text = "homeserver:\n  url: matrix\n  doman: example.org\nnetworks:\n  libera:\n    servers:\n      \
                - host: a b\n        port: 0\n      - prot: 1\nlog:\n  level: loud\n";
    let error = Config::parse(text, Path::new("/c.yaml"), &with_tokens).unwrap_err().to_string();
    insta::assert_snapshot!(error, @r"
    /c.yaml: 9 problems in the configuration
      permissions: it is required
      line 1: homeserver.domain: it is required
      line 2: homeserver.url: it must be a URL, such as https://matrix.example.org
      line 3: homeserver.doman: there is no such key; did you mean `domain`?
      line 7: networks.libera.servers[0].host: it must be a host's name or an IP address; the port goes under `port`
      line 8: networks.libera.servers[0].port: it must be a whole number from 1 to 65535
      line 9: networks.libera.servers[1].host: it is required
      line 9: networks.libera.servers[1].prot: there is no such key; did you mean `port`?
      line 11: log.level: it must be one of error, warn, info, debug, trace
    ");
}

#[rstest]
#[case::full_id_over_domain("@alice:example.org", Permission::Admin)]
#[case::full_id_may_also_take_away("@mallory:example.org", Permission::None)]
#[case::domain_over_star("@bob:example.org", Permission::User)]
#[case::domain_with_a_port("@bob:example.com:8448", Permission::Admin)]
#[case::domain_without_its_port("@bob:example.com", Permission::None)]
#[case::star("@carol:elsewhere.org", Permission::None)]
#[case::other_capitals_are_another_id("@Alice:example.org", Permission::User)]
#[case::no_user_id("example.org", Permission::None)]
#[case::no_sigil("alice:example.org", Permission::None)]
fn a_full_id_wins_over_a_domain_and_that_over_the_star(#[case] id: &str, #[case] expected: Permission) {
    let text = "homeserver: { url: \"http://a\", domain: example.org }\npermissions:\n  \"*\": none\n  \
                example.org: user\n  \"example.com:8448\": admin\n  \"@alice:example.org\": admin\n  \
                \"@mallory:example.org\": none\n";
    assert_eq!(parse(text).unwrap().permissions.of(id), expected);
}

#[test]
fn who_matches_nothing_may_nothing() {
    let permissions = Permissions::new([("example.org".to_owned(), Permission::Admin)]);
    assert_eq!(permissions.of("@a:elsewhere.org"), Permission::None);
    assert_eq!(Permissions::default().of("@a:example.org"), Permission::None);
    assert!(Permission::None < Permission::User && Permission::User < Permission::Admin);
}

#[test]
fn a_network_is_found_by_either_name_in_capitals_or_not() {
    let config = parse(MINIMAL).unwrap();
    let slug = |name: &str| config.network(name).map(|network| network.slug.to_string());
    for name in ["libera", "Libera", "libera.chat", "Libera.Chat", " LIBERA.CHAT "] {
        assert_eq!(slug(name).as_deref(), Some("libera"), "{name}");
    }
    assert_eq!(slug("freenode"), None);
}

#[test]
fn a_file_replaces_single_keys_of_a_preset() {
    let text = plus(
        "networks:\n  libera: { flood: { burst: 9 }, allow_private: true }\n  oftc:\n    servers:\n      - host: my.oftc.net\n  hackint:\n",
    );
    let config = parse(&text).unwrap();
    let libera = config.network("libera").unwrap();
    assert_eq!((libera.name.as_str(), libera.servers[0].host.as_str()), ("Libera.Chat", "irc.libera.chat"));
    assert_eq!((libera.flood.burst, libera.flood.interval), (9, Duration::from_secs(2)));
    assert!(libera.reach == towline::addresses::Reach::Anywhere && libera.preset);
    let oftc = config.network("oftc").unwrap();
    assert_eq!(
        (oftc.servers.len(), oftc.servers[0].host.as_str(), oftc.servers[0].port),
        (1, "my.oftc.net", 6697)
    );
    assert!(config.network("hackint").is_some());
}

#[rstest]
#[case::default("oftc", "", 4, 1_000, 250)]
#[case::a_presets_own("ircnet", "", 4, 5_000, 5_000)]
#[case::as_the_file_says("oftc", "parallel: 2, interval: 1m, fastest: 1500ms", 2, 60_000, 1_500)]
#[case::an_interval_is_a_limit("oftc", "interval: 10", 4, 10_000, 10_000)]
#[case::as_fast_as_can_be("oftc", "interval: 0", 4, 0, 0)]
fn connections_follow_each_other_as_the_network_bears(
    #[case] network: &str,
    #[case] connections: &str,
    #[case] parallel: u32,
    #[case] interval: u128,
    #[case] fastest: u128,
) {
    let more = match connections {
        "" => String::new(),
        connections => format!("networks: {{ {network}: {{ connections: {{ {connections} }} }} }}\n"),
    };
    let config = parse(&plus(&more)).unwrap();
    let found = config.network(network).unwrap().connections;
    let found = (found.parallel, found.interval.as_millis(), found.fastest.as_millis());
    assert_eq!(found, (parallel, interval, fastest));
}

#[rstest]
#[case::everybody("excluded: [ \"@*:*\" ]\n", "excluded[0]: it fits the bot itself")]
#[case::our_server("excluded: [ \"@a:b\", \"*.org\" ]\n", "excluded[1]: it fits the bot itself")]
#[case::no_mask("excluded: [ \"@alice\" ]\n", "excluded[0]: it must be a mask")]
#[case::words("excluded: [ \"all of them\" ]\n", "excluded[0]: it must be a mask")]
#[case::no_room("policy_lists: [ \"list\" ]\n", "policy_lists[0]: it must be a room's alias or id")]
#[case::no_server("policy_lists: [ \"#list\" ]\n", "policy_lists[0]: it must be a room's alias or id")]
#[case::twice("policy_lists: [ \"#a:b.c\", \"#a:b.c\" ]\n", "policy_lists[1]: it stands here twice")]
fn who_can_not_be_excluded_is_told(#[case] more: &str, #[case] problem: &str) {
    let problems = problems(&plus(more));
    assert!(problems.len() == 1 && problems[0].contains(problem), "{problems:?}");
}

/// `config.example.yaml` with every setting in force.
fn uncommented() -> String {
    let uncomment = |line: &str| {
        let text = line.trim_start();
        match text.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => {
                format!("{}{setting}\n", &line[..line.len() - text.len()])
            }
            _ => format!("{line}\n"),
        }
    };
    include_str!("../../config.example.yaml").lines().map(uncomment).collect()
}

#[rstest]
#[case::a_host("https://irc.example.org/", "https://irc.example.org", "")]
#[case::a_path("https://example.org/irc/files/", "https://example.org/irc/files", "/irc/files")]
#[case::a_port("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x", "/x")]
fn links_begin_with_the_base_url(#[case] url: &str, #[case] base_url: &str, #[case] prefix: &str) {
    let media = parse(&plus(&format!("media: {{ base_url: \"{url}\" }}\n"))).unwrap().media.unwrap();
    assert_eq!((media.base_url.as_str(), media.prefix()), (base_url, prefix));
    assert_eq!(
        (media.listen.to_string().as_str(), media.largest, media.parallel),
        ("127.0.0.1:9010", 100 << 20, 16)
    );
    assert_eq!(media.expire, History::Keep);
}

#[rstest]
#[case::no_scheme("base_url: irc.example.org", "media.base_url: it must be a URL")]
#[case::another_scheme("base_url: \"ftp://x\"", "media.base_url: it must begin with http:// or https://")]
#[case::a_query("base_url: \"https://x/?a\"", "media.base_url: it must end before any ? or #")]
#[case::an_odd_path(
    "base_url: \"https://x/(irc)\"",
    "only letters, digits and / . - _ ~ may stand in its path"
)]
#[case::no_port(
    "{ base_url: \"https://x\", listen: 127.0.0.1 }",
    "media.listen: it must be an IP address and a port"
)]
#[case::any_port("listen: \"127.0.0.1:0\"", "media.listen: it must be an IP address and a port")]
#[case::the_homeservers_port(
    "{ base_url: \"https://x\", listen: \"127.0.0.1:9009\" }",
    "it must differ from `appservice.listen`"
)]
fn a_base_url_that_nobody_can_open_is_told(#[case] media: &str, #[case] problem: &str) {
    let media = media.trim_start_matches("{ ").trim_end_matches(" }");
    let found = problems(&plus(&format!("media: {{ {media} }}\n")));
    assert!(found.iter().any(|found| found.contains(problem)), "{found:?}");
}

#[test]
fn without_a_base_url_there_are_no_links() {
    assert_eq!(parse(&plus("media: { largest: 1MiB }\n")).unwrap().media, None);
}
