//! Questions that a reaction answers, the rooms that their users have left, and spaces.

use towline::store::NewQuestion;

use super::*;

fn question(user: i64, txn_id: &str, matter: &str) -> NewQuestion {
    NewQuestion {
        txn_id: txn_id.into(),
        user,
        matter: matter.into(),
        buttons: vec!["yes".into(), "no".into()],
    }
}

impl Set {
    /// Stores an event, and says its number.
    async fn event(&self, id: &str) -> i64 {
        self.store.accept(vec![event(id, "!r:x")], NOW).await.unwrap();
        let waiting = self.store.waiting_events(STRAY, 0, 100).await.unwrap();
        waiting.iter().find(|one| one.event_id == id).unwrap().seq
    }

    /// Everything that waits for the homeserver has become an event.
    async fn send_all(&self) {
        let rows = self.store.waiting_requests(self.room.id, 0, 1_000).await.unwrap();
        let done = rows.iter().map(|row| (row.seq, Some(format!("event of {}", row.txn_id)))).collect();
        self.store.requests_done(done).await.committed().await.unwrap();
    }
}

#[tokio::test]
async fn a_question_is_found_by_its_event_and_answered_once() {
    let set = Set::new().await;
    let (store, user) = (&set.store, set.user.id);
    let cause = set.event("$cause").await;
    let rows = vec![message(set.room.id, "@bot:x", "well?")];
    store.ask(cause, rows, question(user, "txn well?", "matter"), NOW).await.unwrap();
    assert!(store.waiting_events(STRAY, 0, 10).await.unwrap().is_empty(), "the event is done with");
    assert_eq!(store.question("@alice:x", "event of txn well?").await.unwrap(), None, "not yet");
    set.send_all().await;
    let found = store.question("@alice:x", "event of txn well?").await.unwrap().unwrap();
    assert_eq!((found.matter.as_str(), found.buttons.len()), ("matter", 2));
    assert_eq!(store.question("@mallory:x", "event of txn well?").await.unwrap(), None);
    assert!(store.has_question(user, "matter").await.unwrap());
    assert!(!store.has_question(user, "other").await.unwrap());
    assert_eq!(store.questions_in(user, set.room.id).await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(store.questions_in(user, set.room.id + 1).await.unwrap(), []);
    assert_eq!(store.questions_in(user + 1, set.room.id).await.unwrap(), []);
    for (reaction, is_first) in [("$one", true), ("$two", false)] {
        let seq = set.event(reaction).await;
        let rows = vec![message(set.room.id, "@bot:x", reaction)];
        assert_eq!(store.answer_question(&found.txn_id, Some(seq), rows, NOW).await.unwrap(), is_first);
    }
    assert_eq!(set.waiting().await, ["$one"]);
    assert!(store.waiting_events(STRAY, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn invariant_9_nobody_has_more_questions_than_so_many_and_old_ones_go() {
    let set = Set::new().await;
    let questions: Vec<_> =
        (0..250).map(|n| question(set.user.id, &format!("t{n:03}"), &format!("m{n}"))).collect();
    for (n, question) in questions.into_iter().enumerate() {
        let now = NOW + n as i64;
        let incoming = Incoming { questions: vec![question], ..Incoming::default() };
        set.store.commit_incoming(set.session.id, set.epoch, "fake", incoming, now).await.unwrap();
    }
    let is_open = async |n: u32| set.store.has_question(set.user.id, &format!("m{n}")).await.unwrap();
    assert_eq!((is_open(49).await, is_open(50).await, is_open(249).await), (false, true, true));
    set.store.prune_questions(NOW + 100).await.unwrap();
    assert_eq!((is_open(99).await, is_open(100).await), (false, true));
}

#[tokio::test]
async fn a_user_is_reached_in_the_newest_control_room_that_they_are_in() {
    let Set { store, user, database: _kept, .. } = Set::new().await;
    let mut rooms = Vec::new();
    for room_id in ["!one:x", "!two:x", "!three:x"] {
        let room = NewRoom {
            kind: RoomKind::Control,
            marker: room_id.into(),
            creator: "@alice:x".into(),
            owner: Some(user.id),
            lane: "lane".into(),
            link: Link::Control { user: user.id },
            room_id: Some(room_id.into()),
            created_at: NOW,
        };
        rooms.push(store.intend_room(room).await.unwrap().id);
    }
    let reached = async || store.control_room_in_use(user.id).await.unwrap().map(|room| room.id);
    assert_eq!(reached().await, Some(rooms[2]));
    store.owner_moved(rooms[2], true).await.unwrap();
    assert_eq!(reached().await, Some(rooms[1]));
    store.explain_room(rooms[1], Vec::new(), NOW).await.unwrap();
    assert_eq!(reached().await, Some(rooms[0]));
    store.drop_control_room(rooms[0]).await.unwrap();
    assert_eq!(reached().await, None);
    store.owner_moved(rooms[2], false).await.unwrap();
    assert_eq!(reached().await, Some(rooms[2]));
}

#[tokio::test]
async fn a_space_is_intended_once_and_knows_its_rooms() {
    let set = Set::new().await;
    let (store, session) = (&set.store, set.session.id);
    assert_eq!(store.space(session).await.unwrap(), None);
    let intent = store.intend_space(session, "marker".into(), NOW).await.unwrap();
    assert_eq!(store.intend_space(session, "another".into(), NOW).await.unwrap(), intent);
    store.space_made(session, "!space:x").await.unwrap();
    assert_eq!(store.space(session).await.unwrap().unwrap().room_id.as_deref(), Some("!space:x"));

    let channel = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap();
    let query = store.open_buffer(set.buffer(BufferKind::Query, "bob")).await.unwrap();
    store.room_made(set.room.id, "!network:x").await.unwrap();
    store.room_made(channel.room, "!rust:x").await.unwrap();
    let names = async || {
        let rooms = store.rooms_for_space(session).await.unwrap();
        rooms.into_iter().map(|room| (room.room_id, room.kind, room.name)).collect::<Vec<_>>()
    };
    let network = ("!network:x".to_owned(), None, String::new());
    let rust = ("!rust:x".to_owned(), Some(BufferKind::Channel), "#rust".to_owned());
    assert_eq!(names().await, [network.clone(), rust]);
    store.room_made(query.room, "!bob:x").await.unwrap();
    store.owner_moved(channel.room, true).await.unwrap();
    assert_eq!(names().await, [network, ("!bob:x".into(), Some(BufferKind::Query), "bob".into())]);

    store.placed_in_space(session, "!network:x", Some("1")).await.unwrap();
    store.placed_in_space(session, "!rust:x", Some("2")).await.unwrap();
    store.placed_in_space(session, "!network:x", Some("3")).await.unwrap();
    store.placed_in_space(session, "!rust:x", None).await.unwrap();
    assert_eq!(store.space_children(session).await.unwrap(), [("!network:x".to_owned(), "3".to_owned())]);
}

#[tokio::test]
async fn what_waits_for_a_room_that_nobody_will_see_is_dropped() {
    let set = Set::new().await;
    let rows = ["a", "b"].map(|text| message(set.room.id, "@bot:x", text)).to_vec();
    set.store.enqueue(rows, NOW).await.unwrap();
    assert_eq!(set.store.drop_requests(set.room.id).await.unwrap(), 2);
    assert!(set.waiting().await.is_empty());
}
