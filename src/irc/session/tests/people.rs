//! What is told of other people, and whom the server is asked to watch.

use super::*;
use rstest::rstest;

fn news(events: &[Event]) -> Vec<(&str, PersonNews)> {
    let news = events.iter().filter_map(|event| match event {
        Event::Person { nick, news } => Some((nick.as_str(), news.clone())),
        _ => None,
    });
    news.collect()
}

#[rstest]
#[case::away(":bob!b@h AWAY :lunch", PersonNews::Away("lunch".into()))]
#[case::back(":bob!b@h AWAY", PersonNews::Back)]
#[case::logged_in(":bob!b@h ACCOUNT bobby", PersonNews::LoggedIn("bobby".into()))]
#[case::logged_out(":bob!b@h ACCOUNT *", PersonNews::LoggedOut)]
#[case::real_name(":bob!b@h SETNAME :Bob the Builder", PersonNews::RealName("Bob the Builder".into()))]
fn what_is_new_about_somebody_is_told(#[case] line: &str, #[case] expected: PersonNews) {
    let mut bench = Bench::in_channel("bob");
    assert_eq!(news(&bench.server(line)), [("bob", expected)]);
    let of_ourselves = line.replace(":bob!b@h", ":alice!al@host.test");
    assert!(news(&bench.server(&of_ourselves)).is_empty());
}

#[test]
fn whom_we_watch_is_asked_for_in_lines_that_fit_once_and_as_many_as_the_server_takes() {
    let mut bench = Bench::ready_with(Bench::config(), "MONITOR=60 CASEMAPPING=ascii");
    let name = |n: usize| nick(&format!("somebody-with-a-long-nick-{n:02}"));
    bench.session.watch_people((0..80).map(name));
    let lines: Vec<String> =
        bench.wait(Duration::from_mins(10)).1.into_iter().map(|(_, line)| line).collect();
    let watched: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("MONITOR + "))
        .inspect(|list| assert!(list.len() + "MONITOR + \r\n".len() <= 512))
        .flat_map(|list| list.split(','))
        .collect();
    assert_eq!(watched.len(), 59, "one place is for the nick that we want back");
    bench.session.watch_people((0..10).map(name));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn nobody_is_watched_where_the_server_can_not() {
    let mut bench = Bench::ready();
    bench.session.watch_people([nick("bob")]);
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn those_who_come_and_go_are_told_and_what_is_about_others_stays_an_answer() {
    let mut bench = Bench::ready_with(Bench::config(), "MONITOR=100");
    bench.session.watch_people([nick("Bob"), nick("carol")]);
    assert_eq!(bench.sent(), ["MONITOR + Bob,carol"]);
    let events = bench.server(":s 730 alice :bob!b@h,carol!c@h");
    assert_eq!(news(&events), [("bob", PersonNews::Here), ("carol", PersonNews::Here)]);
    assert_eq!(events.len(), 2);
    assert_eq!(news(&bench.server(":s 731 alice :bob")), [("bob", PersonNews::Gone)]);
    assert!(matches!(&bench.server(":s 731 alice :dave")[..], [Event::Numeric { code: 731, .. }]));
    // There is no room for one: they are not watched, and that is nobody's news.
    assert_eq!(bench.server(":s 734 alice 100 carol :Monitor list is full"), []);
    assert!(news(&bench.server(":s 731 alice :carol")).is_empty());
}

#[test]
fn where_there_is_only_watch_it_tells_the_same() {
    let mut bench = Bench::ready_with(Bench::config(), "WATCH=128");
    bench.session.watch_people([nick("Bob"), nick("carol"), nick("dave")]);
    assert_eq!(bench.sent(), ["WATCH +Bob +carol +dave"]);
    assert!(bench.session.watches("bob"));
    let told = |bench: &mut Bench, line: &str| {
        let events = bench.server(line);
        assert_eq!(news(&events).len(), events.len(), "{events:?}");
        news(&events).into_iter().map(|(nick, news)| (nick.to_owned(), news)).collect::<Vec<_>>()
    };
    let here = told(&mut bench, ":s 604 alice bob b h 1700000000 :is online");
    assert_eq!(here, vec![("bob".to_owned(), PersonNews::Here)]);
    let gone = told(&mut bench, ":s 605 alice carol * * 0 :is offline");
    assert_eq!(gone, vec![("carol".to_owned(), PersonNews::Gone)]);
    assert_eq!(told(&mut bench, ":s 600 alice carol c h 1700000000 :logged online")[0].1, PersonNews::Here);
    assert_eq!(told(&mut bench, ":s 601 alice bob b h 1700000000 :logged offline")[0].1, PersonNews::Gone);
    assert!(told(&mut bench, ":s 512 alice dave :Maximum size for WATCH-list is 128 entries").is_empty());
    assert!(!bench.session.watches("dave"));
    bench.session.unwatch_person(&nick("bob"));
    assert_eq!(bench.sent(), ["WATCH -bob"]);
    assert!(told(&mut bench, ":s 602 alice bob b h 0 :stopped watching").is_empty());
    // What is about others is an answer.
    assert!(matches!(
        &bench.server(":s 604 alice erin e h 0 :is online")[..],
        [Event::Numeric { code: 604, .. }]
    ));
}

#[test]
fn the_nick_that_we_want_back_is_watched_beside_them() {
    let mut bench = Bench::new(Bench::config());
    bench.server(":irc.test 433 * alice :Nickname is already in use");
    bench.server(":irc.test 001 alice_ :Welcome");
    bench.server(":irc.test 005 alice_ MONITOR=100 :are supported");
    bench.server(":irc.test 422 alice_ :No MOTD");
    bench.session.watch_people([nick("bob")]);
    bench.wait(Duration::from_secs(30));
    let events = bench.server(":s 731 alice_ :alice,bob");
    assert_eq!(news(&events), [("bob", PersonNews::Gone)]);
    assert_eq!(events.len(), 1);
    assert!(bench.sent().contains(&"NICK alice".to_owned()));
}
