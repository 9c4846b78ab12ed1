//! What is said in a shared room is kept once, and everybody who was there finds it, and nothing of before and after.

use towline::store::{
    Buffer, BufferKind, Direction, HistoryLine, Incoming, Link, MembersLine, NewBuffer, NewRoom, Part,
    Retention, RoomKind, SearchScope, SessionRow, User,
};

use super::super::{NOW, Raw, Set, line, message};
use super::search::search;

/// Alice and bob, who each have a session, and a channel with a shared room.
struct Shared {
    set: Set,
    bob: User,
    bobs: SessionRow,
    room: i64,
    alices: Buffer,
}

impl Shared {
    async fn new() -> Self {
        let set = Set::new().await;
        let bob = set.store.ensure_user("@bob:x", NOW).await.unwrap();
        let (bobs, _) = set.store.open_session(&bob, ("fake", ""), "FakeNet", NOW).await.unwrap();
        let room = set.store.intend_room(NewRoom {
            kind: RoomKind::Shared,
            marker: "shared".into(),
            creator: "@bot:x".into(),
            owner: None,
            lane: "shared".into(),
            link: Link::Shared { network: "fake".into(), name: "#tea".into() },
            room_id: Some("!tea:x".into()),
            created_at: NOW,
        });
        let room = room.await.unwrap().id;
        let new = set.buffer(BufferKind::Channel, "#tea");
        let alices = set
            .store
            .share_buffer(new, (room, Part::Member), ("user/@alice:x".into(), None))
            .await
            .unwrap()
            .unwrap();
        Self { set, bob, bobs, room, alices }
    }

    /// Bob comes into the room.
    async fn bob_comes(&self) -> Buffer {
        self.bob_comes_as(Part::Member).await
    }

    /// Bob's session is in the channel for him, or for others.
    async fn bob_comes_as(&self, part: Part) -> Buffer {
        let new = NewBuffer {
            session: self.bobs.id,
            owner: self.bob.id,
            lane: format!("session/{}", self.bobs.id),
            ..self.set.buffer(BufferKind::Channel, "#tea")
        };
        self.set
            .store
            .share_buffer(new, (self.room, part), ("user/@bob:x".into(), None))
            .await
            .unwrap()
            .unwrap()
    }

    /// Somebody on IRC says something that alice's session shows.
    async fn hear(&self, text: &str) {
        self.set.keep([self.heard(text)]).await;
    }

    fn heard(&self, text: &str) -> HistoryLine {
        let msgid = Some(format!("id of {text}"));
        HistoryLine { channel: self.alices.channel, msgid, ..line(self.alices.id, text) }
    }

    /// What alice says in the room.
    fn said(&self, text: &str) -> HistoryLine {
        HistoryLine {
            sender: "alice".into(),
            direction: Direction::Out,
            msgid: None,
            event_id: Some(format!("$of {text}")),
            ..self.heard(text)
        }
    }

    /// What a user finds by a word that is in all lines, oldest first; read and searched it is the same.
    async fn found(&self, user: &User, buffer: i64) -> Vec<String> {
        let lines = self.set.store.latest_lines(buffer, 100).await.unwrap();
        let read: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        let after = self.set.store.lines_after(buffer, 0, 100).await.unwrap();
        assert_eq!(after.into_iter().map(|line| line.text).collect::<Vec<_>>(), read);
        for scope in [SearchScope::All, SearchScope::Buffers(vec![buffer])] {
            let asked = towline::store::Search { user: user.id, scope, ..search("line") };
            let hits = self.set.store.search(&asked).await.unwrap();
            assert!(hits.lines.iter().all(|hit| hit.buffer_name == "#tea"), "{hits:?}");
            let texts: Vec<String> = hits.lines.into_iter().rev().map(|hit| hit.text).collect();
            assert_eq!(texts, read);
        }
        read
    }
}

#[tokio::test]
async fn who_was_there_finds_what_was_said_and_nothing_of_before_and_after() {
    let shared = Shared::new().await;
    let (store, alice) = (&shared.set.store, shared.set.user.clone());
    shared.hear("line 1").await;
    let bobs = shared.bob_comes().await.id;
    shared.hear("line 2").await;
    shared.set.keep([shared.said("line 3")]).await;
    store.unshare_buffer(bobs, Vec::new(), None, NOW).await.unwrap();
    shared.hear("line 4").await;
    let alices = shared.alices.id;
    assert_eq!(shared.found(&alice, alices).await, ["line 1", "line 2", "line 3", "line 4"]);
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 2", "line 3"]);
    let mallory = store.ensure_user("@mallory:x", NOW).await.unwrap();
    let asked = towline::store::Search { user: mallory.id, ..search("line") };
    assert!(store.search(&asked).await.unwrap().lines.is_empty());
    // Whose line it is, each sees from where they are.
    let own = async |buffer| {
        let lines = store.lines_of_event(buffer, "$of line 3").await.unwrap();
        lines.into_iter().map(|line| (line.text, line.own)).collect::<Vec<_>>()
    };
    assert_eq!(own(alices).await, [("line 3".to_owned(), true)]);
    assert_eq!(own(bobs).await, [("line 3".to_owned(), false)]);
    assert!(store.line_of_msgid(alices, "id of line 4").await.unwrap().is_some());
    assert!(store.line_of_msgid(bobs, "id of line 4").await.unwrap().is_none(), "he is out of the room");
    // Coming again opens what is said from then on.
    shared.bob_comes().await;
    shared.hear("line 5").await;
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 2", "line 3", "line 5"]);
    let mut raw = Raw::new(&shared.set.database).await;
    assert_eq!(raw.count("SELECT COUNT(*) FROM history").await, 5, "each is there once");
}

#[tokio::test]
async fn what_two_sessions_show_is_kept_and_shown_once() {
    let shared = Shared::new().await;
    let shown = |txn: &str| towline::store::NewOutbox {
        history: Some(shared.heard("line")),
        ..message(shared.room, "@g:x", txn)
    };
    for txn in ["by one", "by the other"] {
        shared.set.commit(Incoming { outbox: vec![shown(txn)], ..Incoming::default() }).await;
    }
    let mut raw = Raw::new(&shared.set.database).await;
    assert_eq!(raw.texts("SELECT txn_id FROM outbox").await, ["txn by one"]);
    assert_eq!(raw.count("SELECT COUNT(*) FROM history").await, 1);
}

#[tokio::test]
async fn who_wants_nothing_kept_finds_nothing_of_that_time_and_nobody_what_they_said() {
    let shared = Shared::new().await;
    let bobs = shared.bob_comes().await.id;
    shared.hear("line 1").await;
    shared.set.store.set_retention(bobs, Retention::Off).await.unwrap();
    shared.hear("line 2").await;
    let own = HistoryLine { buffer: bobs, sender: "bob".into(), ..shared.said("line of his own") };
    let incoming = Incoming { history: vec![(0, own)], ..Incoming::default() };
    let epoch = shared.set.store.claim_session(shared.bobs.id, "one").await.unwrap();
    shared.set.store.commit_incoming(shared.bobs.id, epoch, "fake", incoming, NOW).await.unwrap();
    shared.set.store.set_retention(bobs, Retention::Forever).await.unwrap();
    shared.hear("line 3").await;
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 1", "line 3"]);
    let alice = shared.set.user.clone();
    assert_eq!(shared.found(&alice, shared.alices.id).await, ["line 1", "line 2", "line 3"]);
    shared.set.store.set_retention(bobs, Retention::Off).await.unwrap();
    shared.set.store.prune_history(bobs, i64::MAX).await.unwrap();
    assert!(shared.found(&shared.bob, bobs).await.is_empty());
}

#[tokio::test]
async fn who_forgets_a_shared_channel_finds_what_is_said_from_then_on() {
    let shared = Shared::new().await;
    let bobs = shared.bob_comes().await.id;
    shared.hear("line 1").await;
    shared.set.store.forget_history(shared.bob.id, bobs, NOW).await.unwrap();
    shared.hear("line 2").await;
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 2"]);
    assert_eq!(shared.found(&shared.set.user.clone(), shared.alices.id).await, ["line 1", "line 2"]);
}

#[tokio::test]
async fn what_nobody_was_there_for_who_is_known_is_pruned_and_what_is_too_old() {
    let shared = Shared::new().await;
    let store = &shared.set.store;
    shared.hear("line 1").await;
    shared.set.keep([shared.said("line 2")]).await;
    let bobs = shared.bob_comes().await.id;
    shared.hear("line 3").await;
    let channel = shared.alices.channel.unwrap();
    assert_eq!(store.channels_with_lines().await.unwrap(), [(channel, "fake".to_owned())]);
    assert_eq!(store.prune_channel(channel, None).await.unwrap(), (0, false));
    store.delete_user(&shared.set.user, |room| message(room, "@bot:x", "out"), NOW).await.unwrap();
    let mut raw = Raw::new(&shared.set.database).await;
    let texts = "SELECT text FROM history ORDER BY id";
    assert_eq!(raw.texts(texts).await, ["line 1", "line 3"], "what alice said goes with her");
    assert_eq!(store.prune_channel(channel, None).await.unwrap(), (1, false));
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 3"]);
    assert_eq!(store.prune_channel(channel, Some(NOW + 86_400_000)).await.unwrap(), (1, false));
    assert!(shared.found(&shared.bob, bobs).await.is_empty());
}

/// Whoever answers at once may be heard before the session that sent it knows the id.
#[tokio::test]
async fn the_id_of_what_somebody_said_is_known_by_whoever_heard_it_first() {
    let shared = Shared::new().await;
    let bobs = shared.bob_comes().await.id;
    shared.set.keep([shared.said("line"), shared.said("another line")]).await;
    let by_members = ["one", "again"].map(|msgid| MembersLine {
        channel: shared.alices.channel.unwrap(),
        sender: "alice".into(),
        text: "line".into(),
        msgid: msgid.into(),
    });
    shared.set.commit(Incoming { by_members: by_members.into(), ..Incoming::default() }).await;
    let known = shared.set.store.line_of_msgid(bobs, "one").await.unwrap().unwrap();
    assert_eq!((known.text.as_str(), known.event_id.as_deref()), ("line", Some("$of line")));
    assert!(shared.set.store.line_of_msgid(bobs, "again").await.unwrap().is_none());
}

#[tokio::test]
async fn a_log_has_what_a_shared_room_has_said_too() {
    let shared = Shared::new().await;
    shared.hear("line").await;
    let bobs = shared.bob_comes().await.id;
    shared.hear("line heard").await;
    let logged = |text: &str| (HistoryLine { at: NOW / 1_000 * 1_000, ..line(bobs, text) }, 0);
    let lines = vec![logged("line"), logged("line heard")];
    let imported = shared.set.store.import_lines(shared.bobs.id, lines, NOW).await.unwrap();
    assert_eq!((imported.stored, imported.known), (1, 1), "bob was not there for the first");
}

/// Whoever shows the channel acts for all: before, what was taken back stayed where the one who shows it had come later.
#[tokio::test]
async fn who_shows_the_channel_knows_lines_that_they_do_not_read() {
    let shared = Shared::new().await;
    shared.hear("line 1").await;
    let bobs = shared.bob_comes().await.id;
    shared.set.store.set_retention(bobs, Retention::Off).await.unwrap();
    shared.hear("line 2").await;
    assert!(shared.found(&shared.bob, bobs).await.is_empty());
    for msgid in ["id of line 1", "id of line 2"] {
        assert!(shared.set.store.line_of_msgid(bobs, msgid).await.unwrap().is_some(), "{msgid}");
    }
}

/// Review of the listener, M1: who had their lines kept longer for it read the channel from then on.
#[tokio::test]
async fn whose_session_listens_reads_nothing_by_it_however_long_its_lines_are_kept() {
    let shared = Shared::new().await;
    let bobs = shared.bob_comes_as(Part::Listener).await.id;
    shared.hear("line 1").await;
    for retention in [Retention::Off, Retention::Days(30), Retention::Forever] {
        shared.set.store.set_retention(bobs, retention).await.unwrap();
        shared.hear("line 2").await;
    }
    assert_eq!(shared.found(&shared.bob, bobs).await, Vec::<String>::new());
}

/// Before, a line that a slow server said was five minutes old stood before who had come since.
#[tokio::test]
async fn no_servers_clock_says_who_was_there() {
    let shared = Shared::new().await;
    shared.hear("line 1").await;
    let bobs = shared.bob_comes().await.id;
    shared.set.keep([HistoryLine { at: NOW - 300_000, ..shared.heard("line 2") }]).await;
    shared.set.store.unshare_buffer(bobs, Vec::new(), None, NOW).await.unwrap();
    shared.set.keep([HistoryLine { at: NOW - 300_000, ..shared.heard("line 3") }]).await;
    assert_eq!(shared.found(&shared.bob, bobs).await, ["line 2"]);
}

/// Where a network compares names otherwise than the alias does, a room of one's own may be another channel's.
#[tokio::test]
async fn a_buffer_in_a_shared_room_is_of_the_rooms_channel() {
    let shared = Shared::new().await;
    let new = NewBuffer {
        session: shared.bobs.id,
        owner: shared.bob.id,
        lane: format!("session/{}", shared.bobs.id),
        ..shared.set.buffer(BufferKind::Channel, "#Tea!")
    };
    let before = shared.set.store.open_buffer(new.clone()).await.unwrap();
    assert_ne!(before.channel, shared.alices.channel);
    shared.set.store.set_wanted(before.id, false).await.unwrap();
    let lane = "user/@bob:x".to_owned();
    let after =
        shared.set.store.share_buffer(new, (shared.room, Part::Member), (lane, None)).await.unwrap().unwrap();
    assert_eq!((after.id, after.channel), (before.id, shared.alices.channel));
    shared.set.store.rename_buffer(after.id, "#Tea", "#tea?").await.unwrap();
    let again = shared.set.store.buffers(shared.bobs.id).await.unwrap();
    assert_eq!((again[0].name.as_str(), again[0].channel), ("#Tea", shared.alices.channel));
}

/// Back in a room of one's own the network's history brings what was heard in the shared one.
#[tokio::test]
async fn what_was_heard_in_a_shared_room_is_known_when_it_comes_again() {
    let shared = Shared::new().await;
    let (store, alices) = (&shared.set.store, shared.alices.id);
    shared.hear("line 1").await;
    store.unshare_buffer(alices, Vec::new(), None, NOW).await.unwrap();
    let own = store.open_buffer(shared.set.buffer(BufferKind::Channel, "#tea")).await.unwrap();
    assert_eq!((own.id, own.refill), (alices, true));
    let again = |text: &str| HistoryLine { channel: None, replayed: Some(0), ..shared.heard(text) };
    shared.set.keep([again("line 1"), again("line 2")]).await;
    let alice = shared.set.user.clone();
    assert_eq!(shared.found(&alice, alices).await, ["line 1", "line 2"]);
    assert_eq!(store.last_heard_before(alices, NOW, 5).await.unwrap(), [NOW, NOW]);
}
