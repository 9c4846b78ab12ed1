//! Read markers, both ways.

use super::*;
use rstest::rstest;

#[rstest]
#[case::a_time("MARKREAD #rust timestamp=2024-01-01T00:00:00.000Z", Some(1_704_067_200_000))]
#[case::none("MARKREAD #rust *", None)]
#[case::nonsense("MARKREAD #rust timestamp=yesterday", None)]
#[case::nothing("MARKREAD", None)]
fn the_servers_marker_is_told(#[case] line: &str, #[case] time: Option<i64>) {
    let events = time.map(|time| Event::ReadMarker { target: "#rust".into(), time });
    assert_eq!(Bench::ready().server(line), events.into_iter().collect::<Vec<_>>());
}

#[rstest]
#[case::wanted("draft/read-marker", &["MARKREAD #rust timestamp=2024-01-01T00:00:00.001Z"])]
#[case::not_wanted("batch", &[])]
fn ours_goes_where_it_is_wanted(#[case] caps: &str, #[case] lines: &[&str]) {
    let mut bench = Bench::ready_with_caps(caps, "NETWORK=Test");
    let target = Target::Channel(channel("#rust"));
    assert_eq!(bench.session.mark_read(&target, 1_704_067_200_001), !lines.is_empty());
    assert_eq!(bench.sent(), lines);
}
