//! The failpoints stand where they should: each once, and between the lines that make its step.

use std::path::Path;

use towline::failpoint::{INSTEAD, NAMES, PLUMB, PUT_OUT, RELAY};

use crate::architecture::sources;

/// A failpoint: its name, its file, what the code before it does, and what the code after it does.
const PLACES: [(&str, &str, &str, &str); 20] = [
    ("line_read", "bridge/session.rs", "-> Result<(), StoreError> {", "self.read_messages(messages)"),
    ("incoming_committed", "bridge/session.rs", ".commit_incoming(", "wake_delivery("),
    ("put_sending", "bridge/delivery/request.rs", "loop {", "self.attempt("),
    ("put_sent", "matrix/client.rs", "self.http.execute(", "response.bytes()"),
    ("put_answered", "bridge/delivery.rs", "Outcome::Done(event_id) =>", ".requests_done("),
    ("request_marked", "bridge/delivery.rs", "ticket.committed().await?", "}"),
    ("inbox_committed", "bridge/inbox.rs", "self.store.accept(", "self.wake_lane("),
    ("transaction_answered", "matrix/server.rs", ".transaction(", "Json(json!({})).into_response()"),
    ("line_sending", "bridge/session/outgoing.rs", ".commit_incoming()", "link.connection.queue("),
    ("line_written", "irc/connection.rs", "poll_flush(", "}"),
    ("line_confirmed", "bridge/session/settlement.rs", "LineState::Confirmed", "}"),
    ("put_out", "bridge/session/moderation/put_out.rs", "self.leave_shared_by(", "self.put_out_by("),
    ("relay_placed", "bridge/shared/relay.rs", ".rewrite_event(", "self.wake_lane("),
    ("put_out_done", "bridge/session/moderation/put_out.rs", "put_out.run(", "begun.done("),
    ("ghost_put_out", "bridge/session/moderation/by_matrix.rs", "ChannelRequest::Kick", "self.do_on_irc("),
    ("plumb_visit", "bridge/shared/plumbing/entrance.rs", "self.visit(", "self.client.join("),
    ("plumb_agree", "bridge/shared/plumbing/agreement.rs", "is_settled_by_configuration(", "session.ask("),
    ("plumb_agreed", "bridge/session/shared.rs", ".share_as_agreed(", "self.take_seat("),
    ("instead_asked", "bridge/session/instead.rs", ".commit_incoming(", ".finish_event("),
    ("instead_agreed", "bridge/session/instead.rs", ".share_buffer_instead(", "self.take_seat("),
];

/// How far from a failpoint its neighbours stand, in lines of code.
const NEAR: usize = 12;

#[test]
fn each_failpoint_stands_at_its_step_and_nowhere_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let code: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
        for (at, line) in code.iter().enumerate() {
            let Some((_, point)) = line.split_once("failpoint!(\"") else { continue };
            let point = point.split('"').next().unwrap();
            let Some((_, place, before, after)) = PLACES.iter().find(|(known, ..)| *known == point) else {
                panic!("{name} has a failpoint {point:?} that nobody knows");
            };
            assert_eq!(name, *place, "the failpoint {point} has moved");
            let (above, below) = (&code[at.saturating_sub(NEAR)..at], &code[at + 1..]);
            assert!(above.iter().any(|line| line.contains(before)), "{point} does not follow {before}");
            assert!(
                below.iter().take(NEAR).any(|line| line.contains(after)),
                "{point} has no {after} behind it"
            );
            found.push(point.to_owned());
        }
    }
    found.sort_unstable();
    let mut wanted: Vec<&str> = [&NAMES[..], &PUT_OUT, &RELAY, &PLUMB, &INSTEAD].concat();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "each failpoint stands once");
    assert!(PLACES.iter().all(|(name, ..)| wanted.contains(name)), "the table names what is not there");
}
