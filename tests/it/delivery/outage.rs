//! A homeserver that is away for a day, by the bridge's clock: queues stay within their bounds, and say what they did.

use std::time::Duration;

use super::Talk;

const HOURS: usize = 24;
/// Lines of an hour, besides one that mentions alice and one that is said to her alone.
const LINES: usize = 1_050;
/// The default of `limits.outbox`.
const BOUND: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_the_homeserver_folds_what_is_routine_and_delivers_the_rest() {
    let talk = Talk::begin().await;
    let homeserver = &talk.world.homeserver;
    talk.bob.say("alice", "psst");
    let query = homeserver.wait_invite(talk.alice.id()).await;
    homeserver.wait_message(&query, "psst").await;
    talk.world.wait_outbox_empty().await;
    homeserver.stop();
    for hour in 0..HOURS {
        talk.world.clock.advance(Duration::from_hours(1));
        for line in 0..LINES {
            talk.bob.say("#rust", &format!("line {}", hour * LINES + line));
            if line == LINES / 2 {
                talk.bob.say("#rust", &format!("alice: hour {hour}"));
                talk.bob.say("alice", &format!("psst, hour {hour}"));
            }
        }
        talk.all_stored().await;
    }
    // No more waits for the room than the bound, and for each hour the line that mentions alice and what stands for
    // the lines before it.
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM outbox JOIN room ON room.id = outbox.room
        WHERE state = 'queued' AND room.kind = 'private'";
    let waiting: usize = talk.world.database().texts(waiting).await[0].parse().unwrap();
    assert!((BOUND..=BOUND + 2 * HOURS).contains(&waiting), "{waiting} wait");
    let kept = "SELECT CAST(COUNT(*) AS TEXT) FROM history WHERE text LIKE 'line %'";
    assert_eq!(talk.world.database().texts(kept).await, [(HOURS * LINES).to_string()]);

    homeserver.start_again().await;
    // By now it is asked twice a minute. That it hands something over tells that it is back.
    talk.alice.typing(&talk.room, true);
    // What was folded after the last line that was not is told at the end.
    homeserver.wait_message(&talk.room, &format!("alice: hour {}", HOURS - 1)).await;
    let rest = format!("{} lines ", LINES - LINES / 2 - 1);
    homeserver.wait_event(&talk.room, |event| event.body().starts_with(&rest)).await;
    talk.world.wait_outbox_empty().await;
    // Each line is shown, in order, or counted where it would have been.
    let mut next = 0;
    let mut hours = 0;
    for line in homeserver.timeline_lines(&talk.room).iter().skip_while(|line| *line != "line 0") {
        if line.contains("not shown here") {
            next += line.split(' ').next().unwrap().replace(',', "").parse::<usize>().unwrap();
        } else if line.starts_with("line ") {
            assert_eq!(*line, format!("line {next}"));
            next += 1;
        } else {
            assert_eq!(
                (line.as_str(), next),
                (&*format!("alice: hour {hours}"), hours * LINES + LINES / 2 + 1)
            );
            hours += 1;
        }
    }
    assert_eq!((next, hours), (HOURS * LINES, HOURS));
    let said: Vec<String> = (0..HOURS).map(|hour| format!("psst, hour {hour}")).collect();
    assert_eq!(homeserver.timeline_lines(&query)[1..], said);
}
