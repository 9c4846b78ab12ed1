//! Who is ignored is not heard.

use super::*;
use crate::irc::ignores::IgnoreList;
use rstest::rstest;

fn ignoring(text: &str) -> Bench {
    let mut bench = Bench::in_channel("bob");
    bench.session.ignore(IgnoreList::stored(text));
    bench.sent();
    bench
}

#[rstest]
#[case::to_us(":bob!b@h PRIVMSG alice :hi")]
#[case::a_notice(":bob!b@h NOTICE alice :hi")]
#[case::an_action(":bob!b@h PRIVMSG alice :\x01ACTION waves\x01")]
#[case::a_request(":bob!b@h PRIVMSG alice :\x01VERSION\x01")]
#[case::a_request_to_all(":bob!b@h PRIVMSG #rust :\x01VERSION\x01")]
#[case::to_some_of_a_channel(":bob!b@h PRIVMSG @#rust :hi")]
#[case::a_reaction("@+draft/reply=x;+draft/react=y :bob!b@h TAGMSG alice")]
#[case::typing("@+typing=active :bob!b@h TAGMSG alice")]
#[case::an_invitation(":bob!b@h INVITE alice #tea")]
fn who_is_ignored_is_not_heard(#[case] line: &str) {
    for list in ["bob", "*!b@h"] {
        let mut bench = ignoring(list);
        assert_eq!(bench.server(line), []);
        assert_eq!(bench.sent(), [""; 0]);
    }
    let mut bench = ignoring("carol\n*!*@other");
    assert!(!bench.server(line).is_empty());
}

/// Whether others share the channel's room the session does not know.
#[rstest]
#[case::a_message(":bob!b@h PRIVMSG #rust :hi")]
#[case::a_notice(":bob!b@h NOTICE #rust :hi")]
#[case::an_action(":bob!b@h PRIVMSG #rust :\x01ACTION waves\x01")]
#[case::a_reaction("@+draft/reply=x;+draft/react=y :bob!b@h TAGMSG #rust")]
#[case::typing("@+typing=active :bob!b@h TAGMSG #rust")]
fn what_the_ignored_say_to_a_channel_is_marked(#[case] line: &str) {
    let is_marked = |list: &str| {
        let events = ignoring(list).server(line);
        match &events[..] {
            [
                Event::Message { ignored, .. }
                | Event::Reacted { ignored, .. }
                | Event::Typing { ignored, .. },
            ] => *ignored,
            _ => panic!("{events:?}"),
        }
    };
    assert!(is_marked("bob"));
    assert!(!is_marked("carol"));
}

#[rstest]
#[case::that_they_leave(":bob!b@h PART #rust")]
#[case::a_new_nick(":bob!b@h NICK robert")]
#[case::a_kick(":bob!b@h KICK #rust alice")]
#[case::a_topic(":bob!b@h TOPIC #rust :new")]
fn what_the_ignored_do_is_known_all_the_same(#[case] line: &str) {
    assert!(!ignoring("bob").server(line).is_empty());
}

#[test]
fn an_account_is_ignored_where_the_server_tells_it() {
    let mut bench = ignoring("account:bobby");
    assert_eq!(bench.server("@account=bobby :bob!b@h PRIVMSG alice :hi"), []);
    assert_eq!(bench.server("@account=other :bob!b@h PRIVMSG alice :hi").len(), 1);
}

#[test]
fn nobody_ignores_themselves() {
    let mut bench = ignoring("alice\n*!*@host.test");
    assert_eq!(bench.server(":alice!al@host.test PRIVMSG #rust :hi").len(), 1);
}
