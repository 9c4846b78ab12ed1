//! Networks, and the rooms that show their channels.

use super::*;

#[test]
fn a_network_may_be_reached_through_a_proxy_or_from_certain_addresses() {
    let config = parse(&plus(
        "networks:\n  oftc: { proxy: { address: \"[::1]:9050\" } }\n  hackint:\n    proxy: { address: tor:9050, \
         user: u, password: hunter2 }\n  libera: { bind: [ 192.0.2.1, \"2001:db8::/64\" ] }\n\
         ident: { listen: \"[::]:113\" }\n",
    ))
    .unwrap();
    let proxy = |name: &str| config.network(name).unwrap().proxy.clone().unwrap();
    assert_eq!((proxy("oftc").host.as_str(), proxy("oftc").port), ("::1", 9050));
    assert!(proxy("oftc").login.is_none() && proxy("hackint").login.is_some());
    assert!(!format!("{config:?}").contains("hunter2"));
    let bind = &config.network("libera").unwrap().bind;
    let addresses: Vec<String> = bind.iter().map(|bind| bind.address(1).to_string()).collect();
    assert_eq!(addresses, ["192.0.2.1", "2001:db8::101"]);
    assert_eq!(config.ident.unwrap().port(), 113);
}

#[rstest]
#[case::neither("", History::Keep)]
#[case::everywhere("limits: { history: 30 }\n", History::Days(30))]
#[case::network("networks: { oftc: { history: 7d } }\nlimits: { history: 30 }\n", History::Days(7))]
#[case::network_longer("networks: { oftc: { history: keep } }\nlimits: { history: 30 }\n", History::Keep)]
fn a_network_may_have_its_history_kept_longer_or_shorter(#[case] more: &str, #[case] history: History) {
    let config = parse(&plus(more)).unwrap();
    let own = config.network("oftc").unwrap().history;
    assert_eq!(own.unwrap_or(config.limits.history), history);
}

#[rstest]
#[case::no_channel(
    "oftc: { channels: { tea: \"!a:b.c\" } }",
    "networks.oftc.channels.tea: it must be the name of a channel"
)]
#[case::an_alias("oftc: { channels: { \"#tea\": \"#a:b.c\" } }", "it must be the id of a room")]
#[case::no_id("oftc: { channels: { \"#tea\": \"!\" } }", "it must be the id of a room")]
#[case::a_channel_twice(
    "oftc: { channels: { \"#Tea[]\": \"!a:b.c\", \"#tea{}\": \"!d:e.f\" } }",
    "it is the same channel as #Tea[]"
)]
fn what_can_be_no_plumbed_room_is_refused(#[case] networks: &str, #[case] problem: &str) {
    let problems = problems(&plus(&format!("networks: {{ {networks} }}\n")));
    assert!(problems.len() == 1 && problems[0].contains(problem), "{problems:?}");
}

#[test]
fn a_room_may_show_several_channels_of_one_network_and_of_others() {
    let networks = "oftc: { channels: { \"#tea\": \"!a:b.c\", \"#pot\": \"!a:b.c\" } }, rizon: { channels: { \"#tea\": \"!a:b.c\" } }";
    let config = parse(&plus(&format!("networks: {{ {networks} }}\n"))).unwrap();
    let rooms = |network: &str| config.network(network).unwrap().channels.clone();
    let (oftc, rizon) = (rooms("oftc"), rooms("rizon"));
    assert_eq!(oftc.keys().collect::<Vec<_>>(), ["#pot", "#tea"]);
    assert!(oftc.values().chain(rizon.values()).all(|room| room == "!a:b.c") && rizon.len() == 1);
}

#[rstest]
#[case::found_and_closed(
    "{ published: true, join_rule: invite }",
    "networks.oftc.shared.published: whoever finds them there can't enter them with `join_rule: invite`"
)]
#[case::no_version(
    "{ room_version: \"11 or 12\" }",
    "networks.oftc.shared.room_version: it must be a room version"
)]
#[case::no_rule("{ join_rule: knock }", "networks.oftc.shared.join_rule: it must be one of public, invite")]
fn what_shared_rooms_can_not_be_is_refused(#[case] shared: &str, #[case] problem: &str) {
    let problems = problems(&plus(&format!("networks: {{ oftc: {{ shared: {shared} }} }}\n")));
    assert!(problems.len() == 1 && problems[0].contains(problem), "{problems:?}");
}

#[test]
fn existing_rooms_show_channels_of_a_preset_too() {
    let channels = "networks: { oftc: { channels: { \"#tea.pot\": \"!room-version-12\" } } }\n";
    let config = parse(&plus(channels)).unwrap();
    let shown: Vec<_> = config.network("oftc").unwrap().channels.iter().collect();
    assert_eq!(shown, [(&"#tea.pot".to_owned(), &"!room-version-12".to_owned())]);
}

#[test]
fn without_presets_there_is_what_the_file_says() {
    let config =
        parse(&plus("presets: false\nnetworks: { a: { servers: [{ host: \"[::1]\", tls: false }] } }\n"))
            .unwrap();
    assert_eq!(config.networks.len(), 1);
    let network = config.network("a").unwrap();
    assert_eq!(
        (network.servers[0].host.as_str(), network.servers[0].port, network.preset),
        ("::1", 6667, false)
    );
    assert_eq!(parse(&plus("presets: false\n")).unwrap().networks.len(), 0);
}

#[test]
fn every_preset_is_valid_and_on_tls_where_the_network_offers_it() {
    let config = parse(MINIMAL).unwrap();
    let without_tls: Vec<&str> = config
        .networks
        .values()
        .filter(|network| network.preset && !network.servers.iter().any(|server| server.tls))
        .map(|network| network.slug.as_str())
        .collect();
    assert_eq!(without_tls, ["quakenet", "undernet"]);
    let wanted = "dalnet efnet hackint ircnet libera oftc quakenet rizon snoonet tilde undernet";
    let found: Vec<&str> = config.networks.keys().map(towline::names::Slug::as_str).collect();
    assert_eq!(found, wanted.split(' ').collect::<Vec<_>>());
}
