//! Replies, reactions, typing, bots and relays.

use super::*;
use rstest::rstest;

const RUST: &str = ":bob!b@h TAGMSG #rust";

fn rust() -> MessageTarget {
    MessageTarget::Channel { name: "#rust".into(), status: None }
}

fn bench_with(isupport: &str) -> Bench {
    Bench::ready_with_caps("message-tags", isupport)
}

fn target() -> Target {
    Target::Channel(channel("#rust"))
}

impl Bench {
    fn types(&mut self, typing: Typing) -> bool {
        self.types_to("#rust", typing)
    }

    fn types_to(&mut self, target: &str, typing: Typing) -> bool {
        let target = Target::parse(target, self.session.isupport()).unwrap();
        self.session.typing(&target, typing, self.now)
    }
}

#[rstest]
#[case::draft("+draft/reply=x1", Some("x1"), false, None)]
#[case::specification("+reply=x1", Some("x1"), false, None)]
#[case::empty("+draft/reply", None, false, None)]
#[case::a_bot("bot", None, true, None)]
#[case::a_bot_of_the_draft("draft/bot", None, true, None)]
#[case::what_a_client_says_of_itself("+bot", None, false, None)]
#[case::relayed("draft/relaymsg=relay", None, false, Some("relay"))]
#[case::relayed_by_the_specification("relaymsg=relay", None, false, Some("relay"))]
#[case::nothing("x=y", None, false, None)]
fn a_message_says_more_than_its_text(
    #[case] tags: &str,
    #[case] reply: Option<&str>,
    #[case] bot: bool,
    #[case] relayed_by: Option<&str>,
) {
    let mut bench = Bench::ready();
    let events = bench.server(&format!("@{tags} :bob!b@h PRIVMSG #rust :hi"));
    let [Event::Message { tags, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        *tags,
        MessageTags { reply: reply.map(str::to_owned), bot, relayed_by: relayed_by.map(str::to_owned) }
    );
}

#[rstest]
#[case::reaction("+draft/reply=x1;+draft/react=👍", "👍", false)]
#[case::of_the_specification("+reply=x1;+react=lol", "lol", false)]
#[case::taken_back("+draft/reply=x1;+draft/unreact=👍", "👍", true)]
#[case::taken_back_by_the_specification("+reply=x1;+unreact=:)", ":)", true)]
fn a_reaction_names_its_message(#[case] tags: &str, #[case] key: &str, #[case] removed: bool) {
    let events = Bench::ready().server(&format!("@{tags} {RUST}"));
    let from = Source::parse("bob!b@h");
    let (msgid, key) = ("x1".to_owned(), key.to_owned());
    assert_eq!(
        events,
        [Event::Reacted { target: rust(), from, own: false, msgid, key, removed, ignored: false }]
    );
}

#[rstest]
#[case::without_a_message("+draft/react=lol")]
#[case::without_a_reaction("+draft/reply=x1;+draft/react=")]
#[case::too_long(&format!("+draft/reply=x1;+draft/react={}", "x".repeat(101)))]
#[case::a_line_break(r"+draft/reply=x1;+draft/react=a\nb")]
#[case::an_id_with_a_line_break(r"+draft/reply=x\r1;+draft/react=a")]
#[case::an_id_too_long(&format!("+draft/reply={};+draft/react=x", "x".repeat(301)))]
#[case::no_state_of_typing("+typing=perhaps")]
#[case::nothing("x=y")]
fn tags_that_mean_nothing_are_nothing(#[case] tags: &str) {
    assert_eq!(Bench::ready().server(&format!("@{tags} {RUST}")), []);
}

#[rstest]
#[case::active("active", Typing::Active)]
#[case::paused("paused", Typing::Paused)]
#[case::done("done", Typing::Done)]
fn somebody_types(#[case] value: &str, #[case] typing: Typing) {
    let mut bench = Bench::ready();
    let events = bench.server(&format!("@+typing={value} {RUST}"));
    assert_eq!(
        events,
        [Event::Typing { target: rust(), from: Source::parse("bob!b@h"), typing, ignored: false }]
    );
    assert_eq!(bench.server(&format!("@+typing={value} :alice!al@h TAGMSG #rust")), [], "our own echo");
    bench.server("BATCH +h chathistory #rust");
    assert_eq!(bench.server(&format!("@batch=h;+typing={value} {RUST}")), [], "of the past");
}

#[rstest]
#[case::all_allowed(
    "NETWORK=Test",
    "@+typing=active TAGMSG #rust",
    "@+draft/reply=x1;+draft/react=👍 TAGMSG #rust"
)]
#[case::all_denied("CLIENTTAGDENY=*", "", "")]
#[case::all_but_typing("CLIENTTAGDENY=*,-typing", "@+typing=active TAGMSG #rust", "")]
#[case::typing_denied("CLIENTTAGDENY=typing", "", "@+draft/reply=x1;+draft/react=👍 TAGMSG #rust")]
#[case::drafts_denied(
    "CLIENTTAGDENY=draft/reply,draft/react",
    "@+typing=active TAGMSG #rust",
    "@+reply=x1;+react=👍 TAGMSG #rust"
)]
#[case::replies_denied("CLIENTTAGDENY=*,-draft/react", "", "")]
#[case::some_allowed("CLIENTTAGDENY=*,-react,-draft/reply", "", "@+draft/reply=x1;+react=👍 TAGMSG #rust")]
fn what_the_server_denies_is_not_sent(#[case] isupport: &str, #[case] typing: &str, #[case] reaction: &str) {
    let mut bench = bench_with(isupport);
    assert_eq!(bench.types(Typing::Active), !typing.is_empty());
    assert_eq!(bench.sent().join("\n"), typing);
    assert_eq!(bench.session.react(&target(), "x1", "👍", false), !reaction.is_empty());
    assert_eq!(bench.sent().join("\n"), reaction);
    assert_eq!(bench.session.sends_replies(), !isupport.contains('*') || isupport.contains("-draft/reply"));
}

#[test]
fn without_tags_nothing_is_sent() {
    let mut bench = Bench::ready();
    assert!(!bench.types(Typing::Done));
    assert!(!bench.session.react(&target(), "x1", "x", true));
    assert!(!bench.session.sends_replies());
}

#[test]
fn invariant_3_what_somebody_reacts_with_ends_no_line_and_no_tag() {
    let mut bench = bench_with("NETWORK=Test");
    assert!(bench.session.react(&target(), "x;1", "a b\r\nQUIT\0\\", true));
    assert_eq!(bench.sent(), [r"@+draft/reply=x\:1;+draft/unreact=a\sb\r\nQUIT\\ TAGMSG #rust"]);
    assert!(!bench.session.react(&target(), "x1", &"x".repeat(101), false));
}

#[test]
fn a_message_says_which_one_it_answers() {
    let mut bench =
        Bench::ready_with_caps("message-tags batch echo-message labeled-response", "NETWORK=Test");
    let message = OutgoingMessage {
        id: MessageId(1),
        target: target(),
        kind: MessageKind::Privmsg,
        text: "yes".into(),
        reply: Some("x1".into()),
    };
    bench.session.message(message.clone()).unwrap();
    assert_eq!(bench.sent(), ["@label=m1;+draft/reply=x1 PRIVMSG #rust :yes"]);
    let mut bench = Bench::ready();
    bench.session.message(message).unwrap();
    assert_eq!(bench.sent()[0], "PRIVMSG #rust :yes");
}

#[test]
fn typing_gives_way_to_everything() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 1, interval: Duration::from_secs(10) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_as(config, "message-tags", "NETWORK=Test");
    bench.say(1, "#rust", "first");
    assert!(!bench.types(Typing::Active));
    bench.wait(Duration::from_mins(1));
    assert!(bench.types(Typing::Active));
    assert!(!bench.types(Typing::Active), "the first has not left");
}

#[rstest]
#[case::who_is_offline(":s 401 alice bob :No such nick/channel", "bob")]
#[case::a_moderated_channel(":s 404 alice #rust :Cannot send to channel (+m)", "#rust")]
#[case::who_reads_only_friends(":s 716 alice Bob :is in +g mode (server-side ignore)", "bob")]
#[case::restricted(":s 531 alice bob :You cannot send messages to this user", "bob")]
fn what_the_server_says_against_typing_is_no_news_and_ends_it_there(
    #[case] error: &str,
    #[case] target: &str,
) {
    let mut bench = bench_with("NETWORK=Test");
    assert!(bench.types_to(target, Typing::Active));
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.server(error), []);
    assert!(!bench.types_to(target, Typing::Active));
    assert!(bench.types_to("carol", Typing::Active), "others read it");
    bench.sent();
    bench.now += Duration::from_mins(10);
    assert!(bench.types_to(target, Typing::Active));
    bench.sent();
    // Each is answered once: the next error is the answer to something else.
    assert_eq!(bench.server(error), []);
    assert_eq!(bench.server(error).len(), 1);
}

#[rstest]
#[case::they_speak(":bob!b@h PRIVMSG alice :back", "bob")]
#[case::they_enter_a_channel(":BOB!b@h JOIN #rust", "bob")]
#[case::the_channel_is_opened(":chanop!o@h MODE #rust -m", "#rust")]
fn typing_is_told_again_where_it_may_be_read(#[case] sign: &str, #[case] target: &str) {
    let mut bench = bench_with("NETWORK=Test");
    bench.types_to(target, Typing::Active);
    bench.sent();
    bench.server(&format!(":s 401 alice {target} :No such nick/channel"));
    for line in [":carol!c@h PRIVMSG alice :hi", ":carol!c@h PRIVMSG #rust :hi", ":carol!c@h JOIN #rust"] {
        bench.server(line);
    }
    assert!(!bench.types_to(target, Typing::Active));
    bench.server(sign);
    assert!(bench.types_to(target, Typing::Active));
}

#[test]
fn what_the_user_asks_about_somebody_is_answered_to_the_user() {
    let mut bench = bench_with("NETWORK=Test");
    bench.types_to("bob", Typing::Active);
    bench.session.command(Line::raw("WHOIS bob").unwrap()).unwrap();
    bench.sent();
    assert_eq!(bench.server(":s 401 alice bob :No such nick/channel").len(), 1);
}

#[test]
fn an_error_may_be_about_a_message_before_it_is_about_typing() {
    let mut bench = bench_with("NETWORK=Test");
    bench.types_to("bob", Typing::Active);
    bench.sent();
    bench.say(1, "bob", "hi");
    bench.sent();
    let events = bench.server(":s 401 alice bob :No such nick/channel");
    assert!(matches!(&events[..], [Event::Refused { certain: true, .. }]), "{events:?}");
    assert_eq!(bench.server(":s 401 alice bob :No such nick/channel"), []);
}

#[test]
fn with_labels_no_error_about_anything_else_is_taken_for_a_messages() {
    let mut bench =
        Bench::ready_with_caps("message-tags batch echo-message labeled-response", "NETWORK=Test");
    assert!(bench.types_to("bob", Typing::Active));
    assert_eq!(bench.sent(), ["@label=t1;+typing=active TAGMSG bob"]);
    bench.say(1, "bob", "hi");
    assert_eq!(bench.sent(), ["@label=m1 PRIVMSG bob :hi"]);
    assert_eq!(bench.server("@label=t1 :s 401 alice bob :No such nick/channel"), []);
    // The answer to what somebody typed.
    let events = bench.server(":s 401 alice bob :No such nick/channel");
    assert!(matches!(&events[..], [Event::Numeric { code: 401, .. }]), "{events:?}");
    assert!(matches!(&bench.server(":s 411 alice :No recipient")[..], [Event::Numeric { .. }]));
    assert!(!bench.types_to("bob", Typing::Active));
    let events = bench.server("@label=m1 :alice!al@host.test PRIVMSG bob :hi");
    assert!(matches!(&events[..], [Event::Echoed { .. }]), "{events:?}");
}

#[test]
fn a_labelled_answer_to_typing_of_several_lines_is_no_news() {
    let mut bench =
        Bench::ready_with_caps("message-tags batch echo-message labeled-response", "NETWORK=Test");
    bench.types_to("bob", Typing::Active);
    bench.sent();
    for line in [
        "@label=t1 :s BATCH +x labeled-response",
        "@batch=x :s 716 alice bob :is in +g mode",
        "@batch=x :s 717 alice bob :has been informed that you messaged them",
        ":s BATCH -x",
    ] {
        assert_eq!(bench.server(line), [], "{line}");
    }
    assert!(!bench.types_to("bob", Typing::Active));
    assert_eq!(bench.server(":bob!b@h PRIVMSG alice :hi").len(), 1);
}
