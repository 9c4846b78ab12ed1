//! Commands whose answer somebody waits for.

use super::super::inquiries::{ANSWER, MOST_OPEN, MOST_REPLIES};
use super::*;
use crate::irc::wire::Line;
use rstest::rstest;

const LABELS: &str = "labeled-response echo-message batch message-tags server-time";

fn ask(bench: &mut Bench, line: &str) -> (u64, Vec<String>) {
    let number = bench.session.inquire(Line::raw(line).unwrap()).unwrap();
    (number, bench.sent())
}

/// What was answered: the command's number, and the texts.
fn answered(events: &[Event]) -> Vec<(u64, Vec<&str>)> {
    let answers = events.iter().filter_map(|event| match event {
        Event::Answered { inquiry, answer } => {
            Some((*inquiry, answer.replies.iter().map(|reply| reply.text.as_str()).collect()))
        }
        _ => None,
    });
    answers.collect()
}

#[rstest]
#[case::several_lines(&["BATCH +b labeled-response", "@batch=b :s 311 alice bob b h * :Bob", "@batch=b :s 318 alice bob :End", "BATCH -b"],
    &["bob b h * Bob", "bob: End"])]
#[case::one_line(&[":s 401 alice bob :No such nick"], &["bob: No such nick"])]
#[case::nothing_to_say(&[":s ACK"], &[])]
#[case::a_failure(&[":s FAIL WHOIS BAD :Not now"], &["Not now"])]
fn a_label_says_what_is_answered(#[case] lines: &[&str], #[case] texts: &[&str]) {
    let mut bench = Bench::ready_with_caps(LABELS, "");
    let (number, sent) = ask(&mut bench, "WHOIS bob");
    assert_eq!(sent, [format!("@label=q{number} WHOIS bob")]);
    // Said by the server meanwhile, to nobody's question.
    assert!(matches!(bench.server(":s 305 alice :You are back")[..], [Event::Numeric { code: 305, .. }]));
    let mut events = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let label = format!("@label=q{number} ");
        let line = if place == 0 { label + line } else { (*line).to_owned() };
        events.extend(bench.server(&line));
    }
    assert_eq!(answered(&events), [(number, texts.to_vec())]);
    assert_eq!(events.len(), 1, "{events:?}");
}

/// The one that was asked first leaves last, and is answered last.
#[test]
fn what_nobody_waits_for_lets_others_by_and_takes_none_of_their_answers() {
    let mut bench = Bench::ready();
    let behind = bench.session.inquire_in_background(Line::raw("WHO #tea").unwrap()).unwrap();
    let (number, sent) = ask(&mut bench, "WHOIS bob");
    let [whois, first, who, last] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((whois.as_str(), who.as_str()), ("WHOIS bob", "WHO #tea"));
    let mut events = bench.server(":s 311 alice bob b h * :Bob");
    events.extend(bench.server(&format!(":s PONG s {}", first.strip_prefix("PING ").unwrap())));
    events.extend(bench.server(":s 352 alice #tea b h s bob H :0 Bob"));
    events.extend(bench.server(&format!(":s PONG s {}", last.strip_prefix("PING ").unwrap())));
    assert_eq!(
        answered(&events),
        [(number, vec!["bob b h * Bob"]), (behind, vec!["#tea b h s bob H 0 Bob"])]
    );
}

/// Before, the answer was for the session alone, and who had asked was told that there was none.
#[rstest]
#[case::in_force("CAP LIST", &["CAP alice LIST * :batch echo-message", "CAP alice LIST :server-time"], &["LIST batch echo-message", "LIST server-time"])]
#[case::refused("CAP REQ :draft/x", &["CAP alice NAK :draft/x"], &["NAK draft/x"])]
#[case::what_the_server_tells_by_itself("CAP LIST", &["CAP alice NEW :draft/x"], &[])]
fn what_is_said_to_a_cap_by_hand_is_its_answer(
    #[case] command: &str,
    #[case] lines: &[&str],
    #[case] texts: &[&str],
    #[values(true, false)] has_labels: bool,
) {
    let mut bench = if has_labels { Bench::ready_with_caps(LABELS, "") } else { Bench::ready() };
    let (number, sent) = ask(&mut bench, command);
    let mut events = Vec::new();
    if has_labels {
        events.extend(bench.server(&format!("@label=q{number} BATCH +b labeled-response")));
        for line in lines {
            events.extend(bench.server(&format!("@batch=b :s {line}")));
        }
        events.extend(bench.server("BATCH -b"));
    } else {
        let token = sent[1].strip_prefix("PING ").unwrap();
        for line in lines {
            events.extend(bench.server(&format!(":s {line}")));
        }
        events.extend(bench.server(&format!(":s PONG s {token}")));
    }
    assert_eq!(answered(&events), [(number, texts.to_vec())]);
    assert_eq!(events.len(), 1, "{events:?}");
}

#[test]
fn without_labels_a_fence_ends_each_answer_in_its_turn() {
    let mut bench = Bench::ready();
    let (first, sent) = ask(&mut bench, "WHOIS bob");
    let [command, fence] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(command, "WHOIS bob");
    let first_token = fence.strip_prefix("PING ").unwrap().to_owned();
    let (second, sent) = ask(&mut bench, "VERSION");
    let second_token = sent[1].strip_prefix("PING ").unwrap().to_owned();
    assert_eq!(bench.server(":s 311 alice bob b h * :Bob"), []);
    assert_eq!(bench.server(":s 318 alice bob :End"), []);
    let events = bench.server(&format!(":s PONG s {first_token}"));
    assert_eq!(answered(&events), [(first, vec!["bob b h * Bob", "bob: End"])]);
    assert_eq!(bench.server(":s 351 alice 4 s :fine"), []);
    let events = bench.server(&format!(":s PONG s {second_token}"));
    assert_eq!(answered(&events), [(second, vec!["4 s fine"])]);
    assert!(matches!(bench.server(":s 305 alice :You are back")[..], [Event::Numeric { .. }]));
}

/// Before, the network's room had the key in clear: behind a bouncer that tells all of it at each connection, and for a
/// raw `MODE`.
#[rstest]
#[case::a_key("#rust +nlk 50 sesame", "#rust +n +l 50 +k (key)")]
#[case::no_key("#rust +nt", "#rust +nt")]
#[case::what_nobody_can_pair("#rust +zk x sesame", "#rust +zk")]
#[case::nothing("#rust", "#rust")]
fn invariant_10_a_channels_modes_are_told_without_its_key(#[case] modes: &str, #[case] text: &str) {
    let mut bench = Bench::ready();
    let line = format!(":s 324 alice {modes}");
    let told = bench.server(&line);
    assert!(matches!(&told[..], [Event::Numeric { text: told, .. }] if told == text), "{told:?}");
    let (number, sent) = ask(&mut bench, "MODE #rust");
    let token = sent[1].strip_prefix("PING ").unwrap().to_owned();
    bench.server(&line);
    let events = bench.server(&format!(":s PONG s {token}"));
    assert_eq!(answered(&events), [(number, vec![text])]);
}

#[rstest]
#[case::throttled_or_forbidden("480 alice #new :Can't KNOCK on #new (+K)")]
#[case::no_such_channel("403 alice #new :No such channel")]
fn what_is_said_to_a_knock_is_no_news_of_the_door(
    #[case] error: &str,
    #[values("", LABELS)] capabilities: &str,
) {
    let mut bench =
        if capabilities.is_empty() { Bench::ready() } else { Bench::ready_with_caps(capabilities, "") };
    bench.session.join(&[(channel("#new"), None)]);
    bench.sent();
    bench.server(":s 473 alice #new :Cannot join channel (+i)");
    let (number, sent) = ask(&mut bench, "KNOCK #new");
    let label = if capabilities.is_empty() { String::new() } else { format!("@label=q{number} ") };
    let mut events = bench.server(&format!("{label}:s {error}"));
    if let Some(token) = sent.iter().find_map(|line| line.strip_prefix("PING ")) {
        events.extend(bench.server(&format!(":s PONG s {token}")));
    }
    assert_eq!(answered(&events).len(), 1, "{events:?}");
    assert_eq!((answered(&events)[0].1.len(), events.len()), (1, 1), "{events:?}");
    // What was asked before it is about the door still.
    bench.session.join(&[(channel("#new"), None)]);
    bench.sent();
    ask(&mut bench, "KNOCK #new");
    let events = bench.server(":s 474 alice #new :Cannot join channel (+b)");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 474, .. }]), "{events:?}");
}

#[test]
fn what_changes_the_session_does_so_in_an_answer_too() {
    let mut bench = Bench::ready_with_caps(LABELS, "");
    bench.server(":alice!al@host.test JOIN #rust");
    let (number, _) = ask(&mut bench, "TOPIC #rust");
    let events = bench.server(&format!("@label=q{number} :s 332 alice #rust :Safe"));
    assert!(matches!(events[..], [Event::Topic { .. }, Event::Answered { .. }]), "{events:?}");
    assert_eq!(answered(&events), [(number, vec!["#rust: Safe"])]);
}

#[test]
fn an_error_about_a_message_that_is_on_its_way_is_the_messages() {
    let mut bench = Bench::ready();
    bench.say(1, "bob", "hi");
    let (number, sent) = ask(&mut bench, "WHOIS carol");
    let refused = bench.server(":s 401 alice bob :No such nick");
    assert!(matches!(refused[..], [Event::Refused { .. }]), "{refused:?}");
    let token = sent.last().unwrap().strip_prefix("PING ").unwrap().to_owned();
    assert_eq!(answered(&bench.server(&format!(":s PONG s {token}"))), [(number, vec![])]);
}

#[test]
fn a_server_that_does_not_end_its_answer_has_ended_it_after_a_while() {
    let mut bench = Bench::ready_with_caps(LABELS, "");
    let (number, _) = ask(&mut bench, "WHOIS bob");
    bench.server(&format!("@label=q{number} BATCH +b labeled-response"));
    bench.server("@batch=b :s 311 alice bob b h * :Bob");
    let (events, _) = bench.wait(ANSWER + Duration::from_secs(1));
    assert_eq!(answered(&events), [(number, vec!["bob b h * Bob"])]);
}

#[test]
fn invariant_9_answers_and_questions_are_bounded() {
    let mut bench = Bench::ready_with_caps(LABELS, "");
    let (number, _) = ask(&mut bench, "LIST");
    bench.server(&format!("@label=q{number} BATCH +b labeled-response"));
    for place in 0..MOST_REPLIES + 5 {
        bench.server(&format!("@batch=b :s 322 alice #c{place} 1 :"));
    }
    let events = bench.server("BATCH -b");
    let [Event::Answered { answer, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((answer.replies.len(), answer.left_out), (MOST_REPLIES, 5));
    for _ in 0..MOST_OPEN {
        bench.session.inquire(Line::raw("LIST").unwrap()).unwrap();
    }
    assert!(bench.session.inquire(Line::raw("LIST").unwrap()).is_err());
}
