//! Answers to CTCP requests.

use super::*;
use rstest::rstest;

fn ask(bench: &mut Bench, target: &str, text: &str) -> Vec<String> {
    bench.server(&format!(":bob!b@h PRIVMSG {target} :\x01{text}\x01"));
    bench.sent()
}

#[rstest]
#[case::version("VERSION", concat!("VERSION Towline ", env!("CARGO_PKG_VERSION")))]
#[case::ping("PING 12 34", "PING 12 34")]
#[case::ping_cut(
    "PING 0123456789012345678901234567890123456789012345678901234567890123456789",
    "PING 0123456789012345678901234567890123456789012345678901234567890123"
)]
#[case::client_info("CLIENTINFO", "CLIENTINFO ACTION CLIENTINFO PING TIME VERSION")]
#[case::time("TIME", "TIME Thu, 01 Jan 1970 00:00:00 +0000")]
#[case::a_file("DCC SEND secrets.txt 2130706433 5000 12", "DCC REJECT SEND secrets.txt")]
fn a_request_is_answered_to_its_sender(#[case] request: &str, #[case] answer: &str) {
    let mut bench = Bench::in_channel("bob");
    bench.sent();
    for target in ["alice", "#rust"] {
        assert_eq!(ask(&mut bench, target, request), [format!("NOTICE bob :\x01{answer}\x01")]);
    }
}

#[rstest]
#[case::an_action(":bob!b@h PRIVMSG alice :\x01ACTION waves\x01")]
#[case::something_else(":bob!b@h PRIVMSG alice :\x01FINGER\x01")]
#[case::an_answer(":bob!b@h NOTICE alice :\x01VERSION x\x01")]
#[case::from_us(":alice!a@b PRIVMSG #rust :\x01VERSION\x01")]
#[case::from_the_past("@time=1960-01-01T00:00:00.000Z :bob!b@h PRIVMSG alice :\x01VERSION\x01")]
fn what_is_no_request_of_now_is_not_answered(#[case] line: &str) {
    let mut bench = Bench::in_channel("bob");
    bench.sent();
    bench.server(line);
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn a_flood_of_requests_gets_few_answers() {
    let mut bench = Bench::in_channel("bob");
    bench.sent();
    let answered = (0..100).filter(|_| !ask(&mut bench, "alice", "VERSION").is_empty()).count();
    assert_eq!(answered, 3);
    bench.now += Duration::from_secs(10);
    assert_eq!(ask(&mut bench, "alice", "VERSION").len(), 1);
    assert_eq!(ask(&mut bench, "alice", "VERSION").len(), 0);
}

#[test]
fn nothing_that_is_sent_back_ends_the_line_or_the_answer() {
    let mut bench = Bench::in_channel("bob");
    bench.sent();
    assert_eq!(ask(&mut bench, "alice", "PING a\x01\x01b"), ["NOTICE bob :\x01PING a\x01"]);
}

#[test]
fn who_wants_no_answers_gives_none() {
    let mut bench = Bench::in_channel("bob");
    bench.sent();
    bench.session.answer_ctcp_requests(false);
    assert_eq!(ask(&mut bench, "alice", "VERSION"), [""; 0]);
    bench.session.answer_ctcp_requests(true);
    assert_eq!(ask(&mut bench, "alice", "VERSION").len(), 1);
}
