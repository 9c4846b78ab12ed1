//! The network's list of channels.

use super::super::inquiries::ANSWER;
use super::*;
use rstest::rstest;

fn listed(events: &[Event]) -> Option<(&ChannelList, Vec<u16>)> {
    events.iter().find_map(|event| match event {
        Event::Listed { list, refusal, .. } => {
            let codes = refusal.iter().flat_map(|answer| &answer.replies).map(|reply| reply.code);
            Some((list, codes.collect()))
        }
        _ => None,
    })
}

fn names(list: &ChannelList) -> Vec<String> {
    list.channels.iter().map(|channel| format!("{} {}", channel.name.0, channel.people)).collect()
}

#[rstest]
#[case::everything("", &["#rust 30", "#c 20", "#tea 3", "#quiet 0"])]
#[case::words("TEA", &["#c 20", "#tea 3"])]
#[case::a_mask("#?*t*", &["#rust 30", "#quiet 0"])]
#[case::nothing("haskell", &[])]
fn a_list_has_what_was_looked_for_and_the_largest_first(#[case] typed: &str, #[case] expected: &[&str]) {
    let mut bench = Bench::ready();
    bench.session.list_channels(Wanted::typed(typed)).unwrap().unwrap();
    let sent = bench.sent();
    assert_eq!(sent[0], "LIST");
    let mut events = bench.server(":s 321 alice Channel :Users Name");
    for line in ["#tea 3 :x", "#rust 30 :Safe", "* 7 :", "#quiet x :", "#c 20 :\u{2}Tea\u{2} drinkers"] {
        events.extend(bench.server(&format!(":s 322 alice {line}")));
    }
    // A server that sends it bit by bit answers what was asked behind it before it is whole.
    events.extend(bench.server(&format!(":s PONG s {}", sent[1].strip_prefix("PING ").unwrap())));
    assert_eq!(events, []);
    let events = bench.server(":s 323 alice :End");
    let (list, _) = listed(&events).unwrap();
    assert_eq!(names(list), expected);
    assert_eq!((list.fitting, list.broke_off, events.len()), (expected.len(), false, 1));
}

#[rstest]
#[case::inspircd("[+nt] Welcome", "Welcome")]
#[case::unreal("[+ntl 50]  Welcome", "Welcome")]
#[case::no_topic("[+nt]", "")]
#[case::no_modes("[rust] Welcome", "[rust] Welcome")]
#[case::no_end("[+nt Welcome", "[+nt Welcome")]
#[case::a_word_behind("[+nt]x", "[+nt]x")]
fn a_channels_modes_are_no_part_of_its_topic(#[case] sent: &str, #[case] shown: &str) {
    let mut bench = Bench::ready();
    bench.session.list_channels(Wanted::All).unwrap().unwrap();
    bench.server(":s 321 alice Channel :Users Name");
    bench.server(&format!(":s 322 alice #rust 3 :{sent}"));
    let events = bench.server(":s 323 alice :End");
    let (list, _) = listed(&events).unwrap();
    assert_eq!(&*list.channels[0].topic, shown);
}

#[test]
fn invariant_9_of_fifty_thousand_channels_the_largest_are_kept() {
    let mut bench = Bench::ready_with_caps("labeled-response echo-message batch message-tags", "");
    let number = bench.session.list_channels(Wanted::All).unwrap().unwrap();
    assert_eq!(bench.session.list_channels(Wanted::All).unwrap(), None, "one at a time");
    bench.sent();
    bench.server(&format!("@label=q{number} BATCH +b labeled-response"));
    let topic = "long ".repeat(70);
    for place in 0..50_000_u32 {
        let people = place.wrapping_mul(2_654_435_761) % 50_000;
        assert_eq!(bench.server(&format!("@batch=b :s 322 alice #c{place} {people} :{topic}")), []);
    }
    let events = bench.server("@batch=b :s 323 alice :End");
    let (list, _) = listed(&events).unwrap();
    assert_eq!((list.channels.len(), list.fitting), (MOST_KEPT, 50_000));
    assert!(list.channels.is_sorted_by(|one, other| one.people >= other.people));
    assert!(list.channels.last().unwrap().people > 48_000);
    assert!(list.channels.iter().all(|channel| channel.topic.len() == 200));
    assert_eq!(bench.server("BATCH -b"), []);
    assert!(bench.session.list_channels(Wanted::All).unwrap().is_some());
}

#[rstest]
#[case::too_busy(":s 263 alice LIST :Try again later", 263)]
#[case::no_such_command(":s 421 alice LIST :Unknown command", 421)]
#[case::too_much(":s 416 alice LIST :Output too large, truncated", 416)]
fn a_refused_list_ends_with_the_refusal(#[case] line: &str, #[case] code: u16) {
    let mut bench = Bench::ready();
    bench.session.list_channels(Wanted::All).unwrap().unwrap();
    let sent = bench.sent();
    assert_eq!(bench.server(line), []);
    let events = bench.server(&format!(":s PONG s {}", sent[1].strip_prefix("PING ").unwrap()));
    assert_eq!(listed(&events).unwrap().1, [code]);
}

#[rstest]
#[case::after_a_channel(true)]
#[case::at_once(false)]
fn a_list_that_does_not_end_is_what_has_come_of_it(#[case] begins: bool) {
    let mut bench = Bench::ready();
    bench.session.list_channels(Wanted::All).unwrap().unwrap();
    let sent = bench.sent();
    bench.server(&format!(":s PONG s {}", sent[1].strip_prefix("PING ").unwrap()));
    if begins {
        bench.server(":s 322 alice #rust 3 :x");
    }
    let (events, _) = bench.wait(ANSWER + Duration::from_secs(1));
    let (list, _) = listed(&events).unwrap();
    assert_eq!((list.channels.len(), list.broke_off), (usize::from(begins), true));
}

#[rstest]
#[case::with_masks("ELIST=CMNTU", "LIST *rust*")]
#[case::without("ELIST=TU", "LIST")]
fn a_mask_is_the_servers_business_where_it_takes_one(#[case] token: &str, #[case] line: &str) {
    let mut bench = Bench::ready_with(Bench::config(), token);
    bench.session.list_channels(Wanted::typed("*rust*")).unwrap().unwrap();
    assert_eq!(bench.sent()[0], line);
}
