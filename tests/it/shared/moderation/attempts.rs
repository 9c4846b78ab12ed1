//! Attempts to gain power in Matrix from IRC, or on IRC from Matrix: by modes, prefixes, nicks, aliases and names. All are refused.

use super::*;

impl Talk {
    /// On a server like most: it has operators, and voice.
    async fn on_ordinary_server() -> Self {
        talk_with("PREFIX=(ov)@+").await
    }

    /// A server that says which ranks there are as a hostile one may tells both that alice is an operator, and names those
    /// who are in the channel so: none of them gets a power. Then the channel is moderated, whatever the server's modes mean.
    async fn is_told_and_believes_nothing(&self, names: &str) {
        self.world.ircd.moderate("#tea");
        for nick in ["alice", "carol"] {
            self.receives(nick, ":bob!bob@host MODE #tea +o alice");
            self.receives(nick, &format!(":irc.test 353 {nick} = #tea :{names}"));
            self.receives(nick, &format!(":irc.test 366 {nick} #tea :End of names"));
            self.receives(nick, ":bob!bob@host MODE #tea +m");
        }
        let moderated = |levels: &Value| levels["events_default"] == 10;
        let levels = self.world.homeserver.wait_state(&self.room, LEVELS, "", moderated).await;
        let bot = self.world.homeserver.bot();
        assert!(levels["users"].as_object().unwrap().keys().all(|user| *user == bot), "{levels}");
    }
}

#[rstest]
#[case::the_modes_of_a_person(":alice MODE alice +o")]
#[case::another_channel(":bob!bob@host MODE #tea2 +o alice")]
#[case::to_operators_only(":bob!bob@host MODE @#tea +o alice")]
#[case::an_address_for_a_nick(":bob!bob@host MODE #tea +o alice!alice@host")]
#[case::a_nick_that_only_looks_like_it(":bob!bob@host MODE #tea +o аlice")]
#[case::a_letter_that_may_take_the_nick(":bob!bob@host MODE #tea +Xo alice")]
#[case::more_arguments_than_letters(":bob!bob@host MODE #tea +vX alice alice")]
#[case::a_list_eats_the_nick(":bob!bob@host MODE #tea +bo alice")]
#[case::an_owner_where_the_server_has_none(":bob!bob@host MODE #tea +q alice")]
#[case::a_protected_one_where_the_server_has_none(":bob!bob@host MODE #tea +a alice")]
#[case::half_an_operator_where_the_server_has_none(":bob!bob@host MODE #tea +h alice")]
#[case::a_servers_own_operator(":bob!bob@host MODE #tea +Y alice")]
#[case::a_prefix_for_a_letter(":bob!bob@host MODE #tea +@ alice")]
#[case::a_nick_with_a_prefix(":bob!bob@host MODE #tea +o @alice")]
#[case::no_nick(":bob!bob@host MODE #tea +o")]
#[case::an_empty_nick(":bob!bob@host MODE #tea +o :")]
#[case::a_flag_takes_no_nick(":bob!bob@host MODE #tea +n alice +o")]
#[case::a_limit_eats_the_nick(":bob!bob@host MODE #tea +lo alice")]
#[case::given_and_taken(":bob!bob@host MODE #tea +o-o alice alice")]
#[case::names_with_prefixes_that_the_server_does_not_have(
    ":irc.test 353 alice = #tea :~alice &carol %dan !bob"
)]
#[case::names_with_a_prefix_behind_another(":irc.test 353 alice = #tea :~@alice &@carol")]
#[case::names_of_another_channel(":irc.test 353 alice = #tea2 :@alice @carol")]
#[case::a_message_that_looks_like_it(":bob!bob@host PRIVMSG #tea :MODE #tea +o alice")]
#[case::a_notice_of_services(":ChanServ!s@services NOTICE alice :You are now an operator of #tea")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_crafted_line_is_refused(#[case] line: &str) {
    let talk = Talk::on_ordinary_server().await;
    talk.powers(&[(BOB, 50)]).await;
    for nick in ["alice", "carol"] {
        talk.receives(nick, line);
    }
    for nick in ["alice", "carol"] {
        talk.heard(nick).await;
    }
    talk.bob.mode("#tea", "+mv dan");
    let expected = [(BOB, 50), (DAN, 10)];
    // Voice is all that one of them gives.
    let bot = talk.world.homeserver.bot();
    let levels =
        talk.world.homeserver.wait_state(&talk.room, LEVELS, "", |levels| levels["users"][DAN] == 10).await;
    let users = levels["users"].as_object().unwrap().iter().filter(|(user, _)| **user != bot);
    for (user, level) in users {
        let known = expected.iter().find(|(known, _)| known == user).map_or(10, |(_, level)| *level);
        assert_eq!(*level, known, "{user}");
    }
    assert!(talk.alice.kick(&talk.room, talk.carol.id(), "").is_err());
}

#[rstest]
#[case::voice_that_looks_like_an_operator("PREFIX=(ov)+@")]
#[case::voice_above_an_operator("PREFIX=(vo)+@")]
#[case::a_symbol_twice("PREFIX=(ov)@@")]
#[case::another_letter("PREFIX=(xv)@+")]
#[case::another_symbol("PREFIX=(ov)!+")]
#[case::more_than_fit("PREFIX=(abcdefghov)0123456789")]
#[case::none_at_all("PREFIX=")]
#[case::half_an_operator_that_looks_like_one("PREFIX=(hv)@+")]
#[case::an_operator_that_looks_like_half_of_one("PREFIX=(ohv)%@+")]
#[case::an_owner_that_looks_like_an_operator("PREFIX=(qov)@~+")]
#[case::half_an_operator_above_an_operator("PREFIX=(hov)%@+")]
#[case::voice_above_all("PREFIX=(vqao)+~&@")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_hostile_servers_prefixes_is_refused(#[case] prefixes: &str) {
    let talk = talk_with(prefixes).await;
    // What is known of its modes is another matter.
    talk.is_told_and_believes_nothing("@alice !carol +bob dan").await;
}

#[rstest]
#[case::an_operator_that_is_a_list("beIo,k,l,imnpst")]
#[case::an_operator_that_is_a_flag("beI,k,l,imnpsto")]
#[case::voice_that_has_an_argument_of_its_own("beI,kv,l,imnpst")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_hostile_servers_kinds_of_modes_is_refused(#[case] kinds: &str) {
    let talk = talk_with(&format!("PREFIX=(ov)@+ CHANMODES={kinds}")).await;
    talk.is_told_and_believes_nothing("@alice +carol @bob dan").await;
}

/// What is one nick elsewhere is two here.
#[rstest]
#[case::braces("carol[x]", "carol{x}")]
#[case::a_bar("carol\\x", "carol|x")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_nick_that_is_another_by_another_mapping_is_refused(
    #[case] own: &str,
    #[case] operator: &str,
) {
    let talk = talk_with("PREFIX=(ov)@+ CASEMAPPING=ascii").await;
    talk.carol.send_text(&talk.networks[1], &format!("nick {own}"));
    talk.world.homeserver.wait_event(&talk.networks[1], begins(&format!("You are now {own}"))).await;
    talk.heard("alice").await;
    let other = talk.world.ircd.person(operator);
    other.join("#tea");
    talk.bob.mode("#tea", &format!("+o {operator}"));
    talk.powers_with_dan(&[(BOB, 50), (&ghost_of(&talk, operator, &other).await, 50)]).await;
}

/// The ghost of somebody who says something.
async fn ghost_of(talk: &Talk, nick: &str, person: &Person) -> String {
    let said = format!("I am {nick}");
    person.say("#tea", &said);
    talk.world.homeserver.wait_message(&talk.room, &said).await.sender
}

/// Their Matrix ids are an operator's nick, or look like an operator's ghost.
#[rstest]
#[case::an_operators_nick("bob")]
#[case::the_nick_of_somebodys_ghost("dan")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_matrix_id_that_is_an_operators_nick_is_refused(#[case] name: &str) {
    let talk = Talk::on_ordinary_server().await;
    let other = talk.world.homeserver.user(name);
    other.join(ALIAS).await;
    // The nick is taken: they are there under another.
    let is_theirs =
        |nick: &str, line: &str| nick.starts_with(name) && nick != name && line.starts_with("JOIN #tea");
    talk.world.ircd.wait_line(is_theirs).await;
    talk.bob.mode("#tea", &format!("+mo {name}"));
    let ghosts: &[(&str, i64)] = if name == "dan" { &[(BOB, 50), (DAN, 50)] } else { &[(BOB, 50)] };
    talk.moderated().await;
    talk.powers(ghosts).await;
}

/// An operator's nick after the operator is gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_the_nick_of_an_operator_who_is_gone_is_refused() {
    let talk = Talk::on_ordinary_server().await;
    let erin = talk.world.ircd.person("erin");
    erin.join("#tea");
    talk.bob.mode("#tea", "+o erin");
    erin.quit("bye");
    talk.world.ircd.wait_gone("erin").await;
    talk.carol.send_text(&talk.networks[1], "nick erin");
    talk.world.homeserver.wait_event(&talk.networks[1], begins("You are now erin")).await;
    talk.heard("alice").await;
    talk.powers_with_dan(&[(BOB, 50)]).await;
}

/// As the founder of a channel that only looks like another, whose room would be the other's.
#[rstest]
#[case::to_operators_only("#irc_fake_@#tea:test.local")]
#[case::another_kind_of_channel("#irc_fake_&tea:test.local")]
#[case::two_channels("#irc_fake_#tea,#mine:test.local")]
#[case::a_bell("#irc_fake_#tea=07:test.local")]
#[case::a_line_break("#irc_fake_#tea=0d=0a:test.local")]
#[case::another_server("#irc_fake_#tea:evil.example")]
#[case::a_slash("#irc_fake_/#tea:test.local")]
#[case::a_nick("#irc_fake_bob:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_an_alias_that_is_not_the_channels_is_refused(#[case] alias: &str) {
    let talk = Talk::on_ordinary_server().await;
    let rooms = talk.world.homeserver.rooms().len();
    assert!(talk.carol.try_join(alias).await.is_err());
    assert_eq!(talk.world.homeserver.rooms().len(), rooms);
    talk.powers_with_dan(&[(BOB, 50)]).await;
}

/// As an operator on the other side of a netsplit.
#[rstest]
#[case::their_own("carol")]
#[case::the_one_that_shows_the_channel("alice")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_that_one_connection_alone_has_seen_is_refused(#[case] sees: &str) {
    let talk = Talk::on_ordinary_server().await;
    talk.receives(sees, ":bob!bob@host MODE #tea +o carol");
    talk.heard(sees).await;
    talk.powers_with_dan(&[(BOB, 50)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_the_nick_that_somebody_had_before_is_refused() {
    let talk = Talk::on_ordinary_server().await;
    talk.carol.send_text(&talk.networks[1], "nick caroline");
    talk.world.homeserver.wait_event(&talk.networks[1], begins("You are now caroline")).await;
    talk.heard("alice").await;
    let mallory = talk.world.ircd.person("carol");
    mallory.join("#tea");
    talk.bob.mode("#tea", "+o carol");
    talk.powers_with_dan(&[(BOB, 50)]).await;
}

/// Where nicks are made of display names: neither the name nor the nick that comes of it gives anything.
#[rstest]
#[case::the_bots("towline", "towline")]
#[case::the_bots_id("@towline:test.local", "towline_test_local")]
#[case::an_operators("bob", "bob_")]
#[case::an_operators_with_a_rank("@bob", "bob_")]
#[case::an_operators_with_all_ranks("~&@%+bob", "bob_")]
#[case::an_operators_ghosts_id("@irc_fake_bob:test.local", "irc_fake_bob_test_local")]
#[case::an_operators_address("bob!bob@host", "bob_bob_host")]
#[case::written_backwards("\u{202e}bob", "bob_")]
#[case::in_wide_letters("ｂｏｂ", "bob_")]
#[case::nothing_that_is_seen("bob\u{200b}", "bob_")]
#[case::another_users("alice", "alice_NUMBER")]
#[case::services("ChanServ", "carol")]
#[case::services_in_parts("Nick.Serv", "carol")]
#[case::services_in_digits("N1ck53rv", "carol")]
#[case::a_command("x\r\nMODE #tea +o x", "x_MODE_tea_o_x")]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_a_display_name_is_refused(#[case] name: &str, #[case] nick: &str) {
    let mut options = Options::default();
    options.isupport.retain(|other| !other.starts_with("PREFIX="));
    options.isupport.push("PREFIX=(ov)@+".to_owned());
    let config = "templates: { shared_alias: \"irc_{network}_{channel}\", nick: \"{display}\" }\n";
    let talk = Talk::begin(World::builder().config(config).ircd(options).start().await).await;
    talk.carol.set_displayname(name);
    let mark = talk.world.ircd.mark();
    talk.carol.send_text(&talk.networks[1], "reconnect");
    let joins = |_: &str, line: &str| line.starts_with("JOIN ") && line.contains("#tea");
    let of_carol = talk.world.ircd.wait_line_after(mark, joins).await.nick;
    talk.world.ircd.wait_joined("#tea", &of_carol).await;
    match nick.strip_suffix("NUMBER") {
        Some(beginning) => {
            let number = of_carol.strip_prefix(beginning).unwrap_or_default();
            assert!(number.parse::<i64>().is_ok(), "{of_carol}");
        }
        None => assert_eq!(of_carol, nick),
    }
    talk.powers_with_dan(&[(BOB, 50)]).await;
    assert!(talk.carol.kick(&talk.room, talk.alice.id(), "").is_err());
    let asked = talk.world.ircd.lines().into_iter().map(|one| one.line());
    assert!(!asked.into_iter().any(|line| line.starts_with("MODE #tea +o")));
}

/// The bot's own nick on IRC, and nicks that are a part of ids.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_to_gain_power_by_the_bots_nick_is_refused() {
    let talk = Talk::on_ordinary_server().await;
    let bot = talk.world.homeserver.bot();
    let before = talk.powers(&[(BOB, 50)]).await["users"][&bot].clone();
    let nick = bot.trim_start_matches('@').split(':').next().unwrap().to_owned();
    let other = talk.world.ircd.person(&nick);
    other.join("#tea");
    let ghost = format!("@irc_fake_{}:test.local", nick.replace('_', "=5f"));
    other.say("#tea", "I am the bot");
    let said = talk.world.homeserver.wait_message(&talk.room, "I am the bot").await;
    assert_ne!(said.sender, bot);
    talk.bob.mode("#tea", &format!("+mo {nick}"));
    talk.moderated().await;
    let levels = talk.powers(&[(BOB, 50), (&said.sender, 50)]).await;
    assert_eq!(levels["users"][&bot], before, "{ghost}");
}

#[rstest]
#[case::powers(LEVELS, json!({ "users": { "@alice:test.local": 100 } }))]
#[case::powers_of_all(LEVELS, json!({ "users_default": 100 }))]
#[case::encryption("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" }))]
#[case::another_room("m.room.tombstone", json!({ "replacement_room": "!mine:test.local" }))]
#[case::servers("m.room.server_acl", json!({ "deny": ["*"] }))]
#[case::history("m.room.history_visibility", json!({ "history_visibility": "world_readable" }))]
#[case::guests("m.room.guest_access", json!({ "guest_access": "can_join" }))]
#[case::an_alias("m.room.canonical_alias", json!({ "alias": "#irc_fake_#other:test.local" }))]
#[case::a_name("m.room.name", json!({ "name": "mine" }))]
#[case::a_widget("im.vector.modular.widgets", json!({ "url": "https://example.org" }))]
#[case::how_long_it_is_kept("m.room.retention", json!({ "max_lifetime": 1 }))]
#[case::a_policy("m.policy.rule.user", json!({ "entity": "@*", "recommendation": "m.ban" }))]
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_of_an_operator_to_take_a_room_from_the_bridge_is_refused(
    #[case] kind: &str,
    #[case] content: Value,
) {
    let talk = Talk::begin(world().start().await).await;
    talk.bob.mode("#tea", "+o alice");
    talk.powers(&[(BOB, 50), (talk.alice.id(), 50)]).await;
    assert_eq!(talk.alice.send_state(&talk.room, kind, "", content).unwrap_err().status, 403);
}
