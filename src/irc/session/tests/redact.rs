//! Messages that are taken back, both ways.

use super::*;
use rstest::rstest;

fn redacted(target: MessageTarget, by: &str, reason: &str) -> Event {
    let (by, reason) = (Source::parse(by), reason.to_owned());
    Event::Redacted { target, msgid: "x1".into(), by, reason }
}

#[rstest]
#[case::in_a_channel(":bob!b@h REDACT #rust x1 :oops",
    MessageTarget::Channel { name: "#rust".into(), status: None }, "bob!b@h", "oops")]
#[case::without_a_reason(":bob!b@h REDACT #rust x1",
    MessageTarget::Channel { name: "#rust".into(), status: None }, "bob!b@h", "")]
#[case::to_us(":bob!b@h REDACT alice x1", MessageTarget::Own, "bob!b@h", "")]
#[case::by_us(":alice!al@h REDACT bob x1", MessageTarget::Other("bob".into()), "alice!al@h", "")]
fn what_is_taken_back_is_told(
    #[case] line: &str,
    #[case] target: MessageTarget,
    #[case] by: &str,
    #[case] reason: &str,
) {
    assert_eq!(Bench::ready().server(line), [redacted(target, by, reason)]);
}

#[rstest]
#[case::no_id(":bob!b@h REDACT #rust")]
#[case::nothing("REDACT")]
fn what_names_no_message_is_nothing(#[case] line: &str) {
    assert_eq!(Bench::ready().server(line), []);
}

#[test]
fn what_was_taken_back_earlier_comes_with_the_history() {
    let mut bench = Bench::ready_with_caps("batch", "NETWORK=Test");
    bench.server("BATCH +h chathistory #rust");
    let target = MessageTarget::Channel { name: "#rust".into(), status: None };
    assert_eq!(bench.server("@batch=h :bob!b@h REDACT #rust x1"), [redacted(target, "bob!b@h", "")]);
}

#[rstest]
#[case::offered("message-tags draft/message-redaction", "x1", Some("REDACT #rust x1"))]
#[case::not_offered("message-tags", "x1", None)]
#[case::without_tags("draft/message-redaction", "x1", None)]
#[case::an_id_that_is_no_word("message-tags draft/message-redaction", "x 1", None)]
#[case::an_id_with_a_line_break("message-tags draft/message-redaction", "x\r\nQUIT", None)]
fn a_message_of_ours_is_taken_back_where_that_can_be(
    #[case] caps: &str,
    #[case] msgid: &str,
    #[case] line: Option<&str>,
) {
    let mut bench = Bench::ready_with_caps(caps, "NETWORK=Test");
    assert_eq!(bench.session.redact(&Target::Channel(channel("#rust")), msgid), line.is_some());
    assert_eq!(bench.sent(), line.into_iter().collect::<Vec<_>>());
}
