//! Questions about messages, and hourglasses under them.

use towline::store::{
    BufferKind, Fates, Hourglass, Incoming, LineKey, LineState, NewLine, NewOutbox, NewPrompt, Outgoing,
    Prompt, PromptState,
};

use super::{NOW, Raw, Set, event, message};

/// A question about a message, with the row that asks it.
fn question(buffer: i64, message: &str, txn_id: &str) -> NewPrompt {
    NewPrompt {
        buffer,
        event_id: message.into(),
        txn_id: txn_id.into(),
        button: format!("button of {txn_id}"),
        payload: format!("payload of {txn_id}"),
    }
}

impl Set {
    async fn note(&self, fates: Fates) {
        self.commit(Incoming { fates, ..Incoming::default() }).await;
    }

    /// Asks, and lets the question become an event.
    async fn ask(&self, buffer: i64, about: &str, txn_id: &str) {
        let row = NewOutbox { txn_id: txn_id.into(), ..message(self.room.id, "@bot:x", "?") };
        let prompts = vec![question(buffer, about, txn_id)];
        let fates = Fates { prompts, ..Fates::default() };
        self.commit(Incoming { outbox: vec![row], fates, ..Incoming::default() }).await;
        let rows = self.store.waiting_requests(self.room.id, 0, 10).await.unwrap();
        let done = rows.iter().map(|row| (row.seq, Some(format!("event of {}", row.txn_id)))).collect();
        self.store.requests_done(done).await.committed().await.unwrap();
    }
}

fn seen(prompts: &[Prompt]) -> Vec<(&str, PromptState, bool)> {
    prompts.iter().map(|one| (one.button.trim_start_matches("button of "), one.state, one.is_under)).collect()
}

#[tokio::test]
async fn questions_are_found_by_their_message_and_by_themselves_until_they_are_settled() {
    use PromptState::{Closed, Open, Sent};
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let other = store.open_buffer(set.buffer(BufferKind::Channel, "#tea")).await.unwrap().id;
    for (about, txn_id) in [("$1", "a"), ("$1", "b"), ("$2", "c")] {
        set.ask(buffer, about, txn_id).await;
    }
    let find = async |event_id: &str| store.prompts(buffer, event_id).await.unwrap();
    assert_eq!(seen(&find("$1").await), [("a", Open, false), ("b", Open, false)]);
    let found = find("event of b").await;
    assert_eq!(seen(&found), [("a", Open, false), ("b", Open, true)]);
    assert_eq!(found[1].payload.as_deref(), Some("payload of b"));
    assert!(store.prompts(other, "$1").await.unwrap().is_empty());
    // One is answered, with the lines of the answer; one is asked anew.
    let outgoing = Outgoing { answered: vec![found[0].id], ..Outgoing::default() };
    store
        .commit_incoming(set.session.id, set.epoch, "fake", Incoming { outgoing, ..Incoming::default() }, NOW)
        .await
        .unwrap();
    set.note(Fates { replaced: vec![found[1].id], ..Fates::default() }).await;
    let found = find("$1").await;
    assert_eq!(seen(&found), [("a", Sent, false), ("b", Sent, false)]);
    assert!(found.iter().all(|one| one.payload.is_none()));
    // The others grow old, and about what is taken back there is no question.
    store.close_prompts(NOW + 1).await.unwrap();
    assert_eq!(seen(&find("event of c").await), [("c", Closed, true)]);
    set.note(Fates { withdrawn: vec![(buffer, "$2".into())], ..Fates::default() }).await;
    assert!(find("$2").await.is_empty());
    assert!(!store.prune(NOW + 1).await.unwrap());
    assert!(find("$1").await.is_empty());
}

#[tokio::test]
async fn invariant_9_the_oldest_of_too_many_questions_are_closed() {
    let set = Set::new().await;
    let buffer = set.store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    let asked = |number: usize| question(buffer, &format!("${number}"), &number.to_string());
    set.note(Fates { prompts: (0..502).map(asked).collect(), ..Fates::default() }).await;
    let mut raw = Raw::new(&set.database).await;
    let closed = "SELECT event_id FROM prompt WHERE state = 'closed' AND payload IS NULL ORDER BY id";
    assert_eq!(raw.texts(closed).await, ["$0", "$1"]);
    assert_eq!(raw.count("SELECT COUNT(*) FROM prompt WHERE state = 'open'").await, 500);
}

#[tokio::test]
async fn an_hourglass_says_whether_anything_of_its_message_is_open() {
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap().id;
    store.accept(vec![event("$waits", "!a:x"), event("$done", "!a:x")], NOW).await.unwrap();
    let line = |event_id: &str| NewLine {
        buffer,
        event_id: event_id.into(),
        part: 0,
        state: LineState::Queued,
        payload: "line".into(),
    };
    let lines = vec![line("$queued"), line("$sent")];
    store
        .commit_incoming(
            set.session.id,
            set.epoch,
            "fake",
            Incoming { outgoing: Outgoing { lines, ..Outgoing::default() }, ..Incoming::default() },
            NOW,
        )
        .await
        .unwrap();
    let events = store.waiting_events(towline::store::STRAY, 0, 10).await.unwrap();
    let hourglass =
        |event_id: &str| Hourglass { event_id: event_id.into(), buffer, txn_id: format!("of {event_id}") };
    set.note(Fates {
        settled: vec![(LineKey { buffer, event_id: "$sent".into(), part: 0 }, LineState::Uncertain)],
        finished: vec![events[1].seq],
        hourglasses: ["$waits", "$done", "$queued", "$sent", "$gone"].map(hourglass).into(),
        done: vec![(buffer, "$gone".into())],
        ..Fates::default()
    })
    .await;
    let mut found = store.hourglasses(set.session.id).await.unwrap();
    found.sort_by(|one, other| one.0.event_id.cmp(&other.0.event_id));
    let found: Vec<_> = found.iter().map(|(one, open)| (one.event_id.as_str(), *open)).collect();
    assert_eq!(found, [("$done", false), ("$queued", true), ("$sent", false), ("$waits", true)]);
}
