//! Which networks are found, by whom and by what.

use std::path::Path;

use super::*;

const FILE: &str = "homeserver: { url: \"http://a\", domain: example.org }\npermissions: { example.org: user }\n\
                    own_networks: { most: 2 }\nappservice: { as_token: a, hs_token: b }\n";

fn config() -> Config {
    Config::parse(FILE, Path::new("/towline.yaml"), &|_| None).unwrap()
}

fn added(slug: &str, owner: Option<i64>) -> AddedNetwork {
    AddedNetwork {
        slug: slug.to_owned(),
        owner,
        owner_id: owner.map(|owner| format!("@{owner}:example.org")),
        definition: r#"{"servers":[{"host":"irc.example.org"}],"allow_private":true}"#.to_owned(),
    }
}

fn networks() -> Networks {
    let config = config();
    let networks = Networks::new(&config);
    let all = [
        added("town", None),
        added("u7-home", Some(7)),
        added("u7-libera", Some(7)),
        added("u8-home", Some(8)),
        added("oftc", None),
    ];
    networks.take_up(&config, all.into());
    networks
}

#[rstest::rstest]
#[case::of_the_configuration("libera", 7, Some("libera"))]
#[case::by_its_name(" LIBERA.CHAT ", 7, Some("libera"))]
#[case::of_an_administrator("Town", 7, Some("town"))]
#[case::ones_own("u7-home", 7, Some("u7-home"))]
#[case::ones_own_in_short("home", 7, Some("u7-home"))]
#[case::anothers_own_in_short("home", 8, Some("u8-home"))]
#[case::nobodys_own("home", 9, None)]
#[case::somebody_elses("u7-home", 8, None)]
#[case::ones_own_of_a_known_name("u7-libera", 7, Some("u7-libera"))]
#[case::none("freenode", 7, None)]
fn a_network_is_found_by_who_sees_it_and_none_stands_in_for_another(
    #[case] name: &str,
    #[case] user: i64,
    #[case] slug: Option<&str>,
) {
    let found = networks().named(name, user);
    assert_eq!(found.as_ref().map(|known| known.network.slug.as_str()), slug);
}

#[test]
fn the_nearest_is_one_that_the_user_sees() {
    let nearest = |name: &str, user| networks().nearest(name, user).map(|known| known.network.name.clone());
    assert_eq!(nearest("libra", 7).as_deref(), Some("Libera.Chat"));
    assert_eq!(nearest("Quaknet", 7).as_deref(), Some("QuakeNet"));
    assert_eq!(nearest("u7-hom", 7).as_deref(), Some("u7-home"));
    assert_eq!(nearest("u7-hom", 9), None);
    assert_eq!(nearest("zzz", 7), None);
}

#[test]
fn what_all_see_holds_nobodys_own_and_the_configuration_hides_what_was_added() {
    let networks = networks();
    assert!(networks.public().iter().all(|known| !known.is_own()));
    assert_eq!(networks.all().len(), networks.public().len() + 3);
    assert!(networks.hides("oftc") && !networks.hides("town"));
    assert_eq!(networks.get("oftc").unwrap().source, Source::Configuration);
    networks.remove("oftc");
    assert!(networks.get("oftc").is_some() && !networks.hides("oftc"));
    networks.remove("town");
    assert!(networks.get("town").is_none());
}

#[test]
fn a_users_own_reaches_what_users_may_reach_whatever_stands_in_the_store() {
    let networks = networks();
    let reaches = |slug: &str| networks.get(slug).unwrap().network.reach.may_allow("127.0.0.1");
    assert!(reaches("town"));
    assert!(!reaches("u7-home"));
    assert!(networks.get("u7-home").unwrap().network.proxy.is_none());
}

#[test]
fn one_that_can_not_be_read_is_left_out() {
    let config = config();
    let networks = Networks::new(&config);
    let broken = |definition: &str| AddedNetwork { definition: definition.into(), ..added("broken", None) };
    for definition in
        ["", "{", "[]", "{}", r#"{"servers":[]}"#, r#"{"servers":[{"host":"a b"}]}"#, r#"{"x":1}"#]
    {
        networks.take_up(&config, vec![broken(definition)]);
        assert!(networks.get("broken").is_none(), "{definition}");
    }
    networks.take_up(
        &config,
        vec![AddedNetwork { definition: "{}".into(), ..added("broken", None) }, added("town", None)],
    );
    assert!(networks.get("town").is_some());
}
