//! Templates: which are refused, and that ids can be read backwards; and that nothing panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use towline::config::schema::{self, Key};
use towline::config::{Problem, Template};

use super::{parse, plus, uncommented};

#[rstest]
#[case::default("irc_{network}_{nick}", "")]
#[case::slashes("_irc/{network}/{nick}", "")]
#[case::equals_sign("irc={network}={nick}", "")]
#[case::long_separator("irc.{network}_-_{nick}", "")]
#[case::no_network("irc_{nick}", "it must have {network}")]
#[case::no_nick("irc_{network}_x", "it must have {nick}")]
#[case::nick_first("irc_{nick}_{network}", "the fields must be in the order")]
#[case::something_after("irc_{network}_{nick}_x", "the fields must be in the order")]
#[case::network_twice("irc_{network}_{network}_{nick}", "it has {network} more than once")]
#[case::no_separator("irc_{network}{nick}", "between two fields there must be a separator")]
#[case::separator_of_a_slug("irc_{network}-{nick}", "between two fields there must be a separator")]
#[case::separator_begins_as_a_slug("irc_{network}x_{nick}", "between two fields there must be a separator")]
#[case::no_prefix("{network}_{nick}", "it must begin with a prefix")]
#[case::prefix_of_peoples_names("irc{network}_{nick}", "it must begin with a prefix")]
#[case::capitals("IRC_{network}_{nick}", "outside the fields only")]
#[case::space("irc_{network}_ {nick}", "outside the fields only")]
#[case::other_field("irc_{network}_{channel}", "it has a field that has no meaning here")]
#[case::open_brace("irc_{network}_{nick", "it has a brace without its partner")]
#[case::closing_brace("irc_}{network}_{nick}", "it has a brace without its partner")]
#[case::too_long(
    "irc_looooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo\
     oooooooooooooooooooooooooooooooooooooooooooooooong_{network}_{nick}",
    "with the server's name it leaves too little"
)]
fn a_ghost_template_is_refused_if_two_nicks_could_get_one_id(#[case] template: &str, #[case] problem: &str) {
    judge("ghost", template, problem);
}

#[rstest]
#[case::documented("irc_{user}_{network}_{channel}", "")]
#[case::network_first("irc/{network}/{user}/{channel}", "")]
#[case::no_user("irc_{network}_{channel}", "it must have {user}")]
#[case::channel_first("irc_{channel}_{user}_{network}", "the fields must be in the order")]
#[case::separator_of_escapes(
    "irc_{user}={network}_{channel}",
    "between two fields there must be a separator"
)]
#[case::separator_of_a_slug("irc_{user}_{network}-{channel}", "between two fields there must be a separator")]
#[case::no_prefix("{user}_{network}_{channel}", "it must begin with a prefix")]
fn an_alias_template_is_refused_if_two_rooms_could_get_one_alias(
    #[case] template: &str,
    #[case] problem: &str,
) {
    judge("alias", template, problem);
}

#[rstest]
#[case::documented("irc_{network}_{channel}", "")]
#[case::no_network("irc_{channel}", "without {network} there must be exactly one network, and there are: ")]
#[case::no_channel("irc_{network}_x", "it must have {channel}")]
#[case::channel_first("irc_{channel}_{network}", "the fields must be in the order")]
#[case::separator_of_a_slug("irc_{network}-{channel}", "between two fields there must be a separator")]
#[case::separator_of_escapes("irc_{network}={channel}", "between two fields there must be a separator")]
#[case::no_prefix("{network}_{channel}", "it must begin with a prefix")]
#[case::a_users_room("irc_{user}_{network}_{channel}", "it has a field that has no meaning here")]
#[case::as_private_rooms(
    "irc_{network}_{channel}\"\n  alias: \"irc_{user}_{network}_{channel}",
    "it must begin otherwise than `templates.alias`"
)]
#[case::as_the_beginning_of_private_rooms(
    "irc_{network}_{channel}\"\n  alias: \"irc_own_{user}_{network}_{channel}",
    "it must begin otherwise than `templates.alias`"
)]
#[case::beside_private_rooms("chat_{network}_{channel}\"\n  alias: \"irc_{user}_{network}_{channel}", "")]
fn a_shared_alias_template_is_refused_if_two_rooms_could_get_one_alias(
    #[case] template: &str,
    #[case] problem: &str,
) {
    judge("shared_alias", template, problem);
}

#[rstest]
#[case::ghost_displayname("ghost_displayname", "{network}", "it must have {nick}")]
#[case::room("room", "{network}", "it must have {channel}")]
#[case::network_room("network_room", "IRC", "it must have {network}")]
#[case::nick("nick", "guest", "it must have one of {localpart}, {display}, {user_id}")]
#[case::nick_with_a_mark("nick", "{localpart}[m]", "")]
#[case::nick_of_a_display_name("nick", "{display}", "")]
#[case::nick_of_an_id("nick", "{user_id}", "")]
#[case::nick_of_a_nick("nick", "{nick}", "it has a field that has no meaning here")]
#[case::real_name("realname", "{user_id}", "")]
#[case::real_name_of_all("realname", "{user_id} ({display}), {nick}, {localpart}", "")]
#[case::real_name_of_a_display_name("realname", "{display} on Matrix", "")]
#[case::real_name_that_hides_the_id(
    "realname",
    "{display} ({user_id})",
    "{user_id} must stand before {display}"
)]
#[case::real_name_that_shows_the_id_first("realname", "{user_id} {display} {user_id}", "")]
#[case::real_name_of_no_person("realname", "{network}", "it has a field that has no meaning here")]
#[case::user_name("username", "m.{localpart}", "")]
#[case::user_name_of_nobody("username", "matrix", "it must have {localpart}")]
#[case::user_name_twice("username", "{localpart}{localpart}", "it has {localpart} more than once")]
#[case::user_name_with_much_else("username", "matrix{localpart}", "outside {localpart} it takes up to five")]
#[case::user_name_with_a_number("username", "{localpart}-1", "outside {localpart} it takes up to five")]
#[case::user_name_with_a_dot_first("username", ".{localpart}", "outside {localpart} it takes up to five")]
#[case::control_character("room", "{channel}\\u0007", "it has a control character")]
#[case::fine("room", "{channel} · {network} 🧵", "")]
fn a_name_template_has_what_tells_things_apart(
    #[case] key: &str,
    #[case] template: &str,
    #[case] problem: &str,
) {
    judge(key, template, problem);
}

fn judge(key: &str, template: &str, problem: &str) {
    let text = plus(&format!("templates:\n  {key}: \"{template}\"\n"));
    match (parse(&text), problem) {
        (Ok(_), "") => {}
        (Ok(_), problem) => panic!("{template} is accepted, but {problem}"),
        (Err(found), "") => panic!("{template} is refused: {found:?}"),
        (Err(found), problem) => {
            let path = format!("templates.{key}");
            let fits = |p: &Problem| p.path == path && p.line == Some(4) && p.message.starts_with(problem);
            assert!(found.len() == 1 && found.iter().all(fits), "{template}: {found:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_ghosts_id_can_be_read_backwards(network in "[a-z0-9-]{1,24}", nick in "[a-z0-9._=/-]{1,40}", which in 0_usize..4) {
        let templates = ["irc_{network}_{nick}", "_i/{network}/{nick}", "i={network}=x-{nick}", "i-{network}.{nick}"];
        let template = Template::parse_ghost(templates[which]).unwrap();
        let id = template.render_id(&[("network", &network), ("nick", &nick)]);
        prop_assert_eq!(template.read_id(&id), Some(vec![("network", network), ("nick", nick)]));
    }

    #[test]
    fn two_private_rooms_never_share_an_alias(
        one in ("\\PC{1,12}", "[a-z0-9-]{1,24}", "[a-z0-9_=./-]{1,12}"),
        other in ("[a_=]{1,3}", "[a-]{1,3}", "[a_=-]{1,3}"),
        third in ("[a_=]{1,3}", "[a-]{1,3}", "[a_=-]{1,3}"),
        which in 0_usize..2,
    ) {
        let templates = ["irc_{user}_{network}_{channel}", "i.{network}_-{user}._{channel}"];
        let template = Template::parse_alias(templates[which]).unwrap();
        let render = |v: &(String, String, String)| {
            template.render_id(&[("user", &v.0), ("network", &v.1), ("channel", &v.2)])
        };
        let read: BTreeMap<_, _> = template.read_id(&render(&one)).unwrap().into_iter().collect();
        prop_assert_eq!((&read["user"], &read["network"], &read["channel"]), (&one.0, &one.1, &one.2));
        prop_assert_eq!(other == third, render(&other) == render(&third));
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_yaml_makes_the_loader_panic(lines in prop::collection::vec(yaml_line(), 0..12)) {
        let _ = parse(&lines.concat());
    }

    #[test]
    fn no_damage_to_the_example_makes_the_loader_panic(at in 0_usize..3_000, cut in 0_usize..40, put in "[ -~\n\t]{0,8}") {
        let example = uncommented();
        let at = at.min(example.len());
        let (head, tail) = example.split_at(at);
        let _ = parse(&format!("{head}{put}{}", &tail[cut.min(tail.len())..]));
    }
}

fn yaml_line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = schema::keys().map(Key::name).collect();
    let key = prop::sample::select(names);
    let value = prop_oneof![
        Just(String::new()),
        Just("[]".to_owned()),
        Just("{ host: a }".to_owned()),
        Just("!tag x".to_owned()),
        Just("|".to_owned()),
        Just("&a [*a]".to_owned()),
        Just("<<".to_owned()),
        "-?[0-9]{1,22}",
        "[a-z:/\"'{}#*&-]{0,9}",
    ];
    (0_usize..4, any::<bool>(), key, value).prop_map(|(indent, item, key, value)| {
        format!("{}{}{key}: {value}\n", "  ".repeat(indent), if item { "- " } else { "" })
    })
}

#[test]
fn an_alias_without_a_network_is_that_of_the_only_one() {
    let alias = "templates: { shared_alias: \"irc_{channel}\" }\npresets: false\nnetworks:\n";
    let network = |slug: &str| format!("  {slug}: {{ servers: [ {{ host: irc.{slug}.org }} ] }}\n");
    assert!(parse(&plus(&format!("{alias}{}", network("tea")))).is_ok());
    let two = parse(&plus(&format!("{alias}{}{}", network("tea"), network("pot")))).unwrap_err();
    let [Problem { path, message, .. }] = &two[..] else { panic!("{two:?}") };
    assert_eq!(path, "templates.shared_alias");
    assert!(message.contains("and there are: pot, tea. Put {network} into it"), "{message}");
    let none = parse(&plus("templates: { shared_alias: \"irc_{channel}\" }\npresets: false\n")).unwrap_err();
    assert!(none[0].message.contains("and there are: none"), "{none:?}");
}
