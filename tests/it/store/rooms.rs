//! Rooms, the buffers that they show, and the ghosts in them.

use towline::store::{Member, NewGhost, Part};

use super::belongings::shared_room;
use super::*;

#[tokio::test]
async fn a_room_is_an_intent_until_it_is_made_and_is_found_by_what_it_shows() {
    let Set { store, user, session, room, database: _kept, .. } = Set::new().await;
    let intent = |link, marker: &str, room_id: Option<&str>| NewRoom {
        kind: if matches!(link, Link::Lobby { .. }) { RoomKind::Lobby } else { RoomKind::Control },
        marker: marker.into(),
        creator: "@bot:x".into(),
        owner: None,
        lane: "lane".into(),
        link,
        room_id: room_id.map(Into::into),
        created_at: NOW,
    };
    assert_eq!((room.room_id.as_deref(), room.session), (None, Some(session.id)));
    assert_eq!((room.network.as_deref(), room.network_name.as_deref()), (Some("fake"), Some("FakeNet")));
    assert_eq!(room.owner.as_deref(), Some("@alice:x"));
    assert_eq!(room.kind().unwrap(), RoomKind::Network);
    let again =
        store.intend_room(intent(Link::Network { session: session.id }, "other", None)).await.unwrap();
    assert_eq!(again, room);
    assert_eq!(store.unmade_rooms().await.unwrap(), vec![room.clone()]);

    store.room_made(room.id, "!made:x").await.unwrap();
    assert!(store.unmade_rooms().await.unwrap().is_empty());
    assert_eq!(store.room_by_matrix_id("!made:x").await.unwrap().unwrap().id, room.id);
    assert_eq!(store.room(room.id).await.unwrap().unwrap().room_id.as_deref(), Some("!made:x"));
    assert_eq!(store.room(room.id + 100).await.unwrap(), None);
    assert_eq!(store.room_by_matrix_id("!unknown:x").await.unwrap(), None);

    let lobby = store.intend_room(intent(Link::Lobby { network: "fake".into() }, "l", None)).await.unwrap();
    let same = store.intend_room(intent(Link::Lobby { network: "fake".into() }, "m", None)).await.unwrap();
    assert_eq!((lobby.id, lobby.marker.as_str()), (same.id, "l"));

    let control = Link::Control { user: user.id };
    let first = store.intend_room(intent(control.clone(), "c1", Some("!one:x"))).await.unwrap();
    let second = store.intend_room(intent(control.clone(), "c2", None)).await.unwrap();
    let known = store.intend_room(intent(control, "c3", Some("!one:x"))).await.unwrap();
    assert_eq!(known.id, first.id);
    let found: Vec<i64> = store.control_rooms(user.id).await.unwrap().iter().map(|room| room.id).collect();
    assert_eq!(found, [second.id, first.id], "newest first");
}

/// Before, they and all who were in them stayed until their owner was erased, however often a network was closed.
#[tokio::test]
async fn rooms_of_closed_networks_go_with_their_members_when_nothing_is_known_of_them_any_more() {
    const LATER: i64 = NOW + 1_000;
    let set = Set::new().await;
    let store = &set.store;
    let buffer = store.open_buffer(set.buffer(BufferKind::Channel, "#tea")).await.unwrap();
    let control = NewRoom {
        kind: RoomKind::Control,
        marker: "control".into(),
        creator: "@bot:x".into(),
        owner: Some(set.user.id),
        lane: "user/@alice:x".into(),
        link: Link::Control { user: set.user.id },
        room_id: Some("!control:x".into()),
        created_at: NOW,
    };
    store.intend_room(control).await.unwrap();
    for (room, room_id) in [(set.room.id, "!network:x"), (buffer.room, "!tea:x")] {
        store.room_made(room, room_id).await.unwrap();
    }
    let nicks = ["bob", "carol"].map(|nick| NewGhost {
        folded: nick.into(),
        nick: nick.into(),
        user_id: format!("@irc_{nick}:x"),
    });
    store.expect_members(buffer.room, "fake", nicks.into(), NOW).await.unwrap();
    store.enqueue(vec![message(buffer.room, "@bot:x", "on its way")], NOW).await.unwrap();
    let mut raw = Raw::new(&set.database).await;
    let left = [buffer.room, set.room.id];
    let kept = "SELECT kind FROM room ORDER BY id";
    // What is shown stays, however old it is.
    assert!(!store.prune_rooms(LATER).await.unwrap());
    assert_eq!(raw.texts(kept).await, ["network", "private", "control"], "{left:?}");
    assert!(store.close_session(set.session.id, vec!["!network:x".into(), "!tea:x".into()]).await.unwrap());
    assert_eq!(raw.count("SELECT COUNT(*) FROM member").await, 0, "nobody is in them");
    assert!(!store.prune_rooms(NOW).await.unwrap());
    assert_eq!(raw.texts(kept).await, ["network", "private", "control"], "they are too young");
    assert!(!store.prune_rooms(LATER).await.unwrap());
    assert_eq!(raw.texts(kept).await, ["private", "control"], "something is on its way there");
    raw.execute("UPDATE outbox SET state = 'refused'").await;
    store.prune_rooms(LATER).await.unwrap();
    assert_eq!(raw.texts(kept).await, ["private", "control"], "it is known what became of it");
    // Also where it came after the room was found; before, what became of it was forgotten with the room.
    for statement in [
        "UPDATE outbox SET state = 'queued'",
        "UPDATE outbox SET state = 'done'",
        "UPDATE outbox SET state = 'refused'",
    ] {
        raw.execute(statement).await;
        assert_eq!(store.prune_room(buffer.room).await.unwrap(), 0, "{statement}");
    }
    while store.prune(LATER).await.unwrap() {}
    store.prune_rooms(LATER).await.unwrap();
    assert_eq!(raw.texts(kept).await, ["control"]);
    // The network can be opened again.
    let (again, new) = store.open_session(&set.user, ("fake", ""), "FakeNet", LATER).await.unwrap();
    assert_eq!((again.id, new), (set.session.id, true));
}

#[tokio::test]
async fn a_room_is_explained_once_together_with_what_explains_it() {
    let set = Set::new().await;
    let row = || vec![message(set.room.id, "@bot:x", "why")];
    assert!(set.store.explain_room(set.room.id, row(), NOW).await.unwrap());
    assert!(!set.store.explain_room(set.room.id, row(), NOW).await.unwrap());
    assert_eq!(set.waiting().await, ["why"]);
}

#[tokio::test]
async fn a_buffer_keeps_its_room_and_its_key_and_says_whether_it_is_wanted() {
    use secrecy::ExposeSecret as _;
    let set = Set::new().await;
    let store = &set.store;
    let key = |key: &str| NewBuffer {
        key: Some(key.to_owned().into()),
        ..set.buffer(BufferKind::Channel, "#Rust")
    };
    let made = store.open_buffer(key("first")).await.unwrap();
    assert_eq!((made.kind, made.name.as_str(), made.wanted), (BufferKind::Channel, "#Rust", true));
    store.set_wanted(made.id, false).await.unwrap();
    let again = store.open_buffer(set.buffer(BufferKind::Channel, "#rust")).await.unwrap();
    assert_eq!((again.id, again.room, again.wanted), (made.id, made.room, true));
    assert_eq!(again.name, "#Rust", "a name stays as it was first seen");
    assert_eq!(again.key.unwrap().expose_secret(), "first", "without a new key the old one stays");
    assert_eq!(store.open_buffer(key("second")).await.unwrap().key.unwrap().expose_secret(), "second");

    let query = store.open_buffer(set.buffer(BufferKind::Query, "Bob")).await.unwrap();
    assert_eq!((query.kind, query.wanted), (BufferKind::Query, false));
    let all = store.buffers(set.session.id).await.unwrap();
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [made.id, query.id]);
    assert_eq!(all[0].key.as_ref().unwrap().expose_secret(), "second");
    let room = store.room(query.room).await.unwrap().unwrap();
    assert_eq!((room.kind().unwrap(), room.buffer_name.as_deref()), (RoomKind::Query, Some("Bob")));
}

#[tokio::test]
async fn a_ghost_is_one_for_each_folded_nick_and_its_id_never_changes() {
    let Set { store, database: _kept, .. } = Set::new().await;
    let bob = store.ghost("fake", "bob", "Bob", "@irc_fake_bob:x", NOW).await.unwrap();
    let same = store.ghost("fake", "bob", "BOB", "@irc_fake_other:x", NOW).await.unwrap();
    assert_eq!(bob, same);
    // Another folding of the network, the same id: still the same ghost.
    let folded_anew = store.ghost("fake", "BOB", "BOB", "@irc_fake_bob:x", NOW).await.unwrap();
    assert_eq!(bob, folded_anew);
    assert_eq!((bob.display_name.as_deref(), bob.in_lobby), (None, false));
    store.ghost_named(bob.id, "Bob (IRC)").await.unwrap();
    store.ghost_in_lobby(bob.id, true).await.unwrap();
    let found = store.ghost_by_user_id("@irc_fake_bob:x").await.unwrap().unwrap();
    assert_eq!((found.display_name.as_deref(), found.in_lobby), (Some("Bob (IRC)"), true));
    assert_eq!(store.ghost_by_user_id("@nobody:x").await.unwrap(), None);
}

#[tokio::test]
async fn a_ghost_departs_after_its_last_words_and_stays_when_it_speaks_again() {
    let set = Set::new().await;
    let store = &set.store;
    let room = set.room.id;
    let bob = store.ghost("fake", "bob", "Bob", "@irc_fake_bob:x", NOW).await.unwrap();
    let gone = |reason: &str| (room, "bob".to_owned(), reason.to_owned(), Some("op".to_owned()));
    // It speaks and leaves before its words are delivered: it has yet to come.
    let words = || vec![message(room, "@irc_fake_bob:x", "words")];
    set.commit(Incoming { outbox: words(), departures: vec![gone("bye")], ..Incoming::default() }).await;
    assert!(store.departures(room, 10).await.unwrap().is_empty());
    assert!(store.has_departures(room).await.unwrap());
    assert_eq!(store.rooms_with_departures().await.unwrap(), [room]);
    store.member_joined(room, bob.id, Some(NOW)).await.unwrap();
    assert_eq!(store.membership(room, bob.id).await.unwrap(), Some(false), "it is to leave");
    let seq = store.waiting_requests(room, 0, 1).await.unwrap()[0].seq;
    store.requests_done(vec![(seq, None)]).await.committed().await.unwrap();
    let departures = store.departures(room, 10).await.unwrap();
    assert_eq!(departures[0].user_id, "@irc_fake_bob:x");
    assert_eq!((departures[0].reason.as_deref(), departures[0].kicker.as_deref()), (Some("bye"), Some("op")));
    // Before it is taken out it is back and speaks.
    let outbox = vec![message(room, "@irc_fake_bob:x", "back")];
    set.commit(Incoming { outbox, ..Incoming::default() }).await;
    assert!(!store.has_departures(room).await.unwrap());
    store.member_left(room, bob.id).await.unwrap();
    let membership = store.membership(room, bob.id).await.unwrap();
    assert_eq!(membership, Some(true), "wanted again: the late departure changes nothing");
    let member = |spoke_at| Member { nick: "Bob".to_owned(), spoke_at: Some(spoke_at) };
    assert_eq!(store.members(room).await.unwrap(), [member(NOW)]);
    let spoke = vec![(room, "bob".to_owned())];
    set.commit(Incoming { spoke, ..Incoming::default() }).await;
    assert_eq!(store.members(room).await.unwrap(), [member(NOW)]);
    store.member_lost(room, bob.id).await.unwrap();
    assert_eq!(store.membership(room, bob.id).await.unwrap(), None);
    // Nobody of that name: nothing happens.
    let departures = vec![(room, "stranger".to_owned(), String::new(), None)];
    set.commit(Incoming { departures, ..Incoming::default() }).await;
    assert!(!store.has_departures(room).await.unwrap());
}

#[tokio::test]
async fn who_is_expected_has_a_ghost_and_does_not_leave_and_stock_taking_sets_the_table_right() {
    let set = Set::new().await;
    let (store, room) = (&set.store, set.room.id);
    let id = |nick: &str| format!("@irc_fake_{nick}:x");
    let new = |nick: &str| NewGhost { folded: nick.into(), nick: nick.into(), user_id: id(nick) };
    let expected = vec![new("bob"), new("carol"), new("dave")];
    let ghosts = store.expect_members(room, "fake", expected, NOW).await.unwrap();
    let [bob, carol, dave] = &ghosts[..] else { panic!("{ghosts:?}") };
    for ghost in [bob, carol] {
        store.member_joined(room, ghost.id, None).await.unwrap();
    }
    let departures = vec![(room, "bob".to_owned(), "bye".to_owned(), None)];
    set.commit(Incoming { departures, ..Incoming::default() }).await;
    assert_eq!(store.membership(room, bob.id).await.unwrap(), Some(false));
    store.expect_members(room, "fake", vec![new("bob")], NOW).await.unwrap();
    assert_eq!(store.membership(room, bob.id).await.unwrap(), Some(true));

    let there = vec![id("bob"), id("dave"), "@alice:x".to_owned()];
    assert_eq!(store.take_stock(room, there).await.unwrap(), [id("carol")]);
    let mut nicks: Vec<String> =
        store.members(room).await.unwrap().into_iter().map(|member| member.nick).collect();
    nicks.sort();
    assert_eq!(nicks, ["bob", "dave"]);
    assert_eq!(store.membership(room, carol.id).await.unwrap(), None);
    assert_eq!(store.membership(room, dave.id).await.unwrap(), Some(true));
}

/// Before, it was set aside: nobody saw it.
#[tokio::test]
async fn what_is_stored_for_a_room_after_it_was_made_anew_is_for_the_one_in_its_place() {
    let set = Set::new().await;
    let first = shared_room(&set, "#sea").await;
    let new = NewBuffer { marker: "of alice".into(), ..set.buffer(BufferKind::Channel, "#sea") };
    set.store
        .share_buffer(new, (first, Part::Member), ("user/@alice:x".into(), None))
        .await
        .unwrap()
        .unwrap();
    let say = async |room: i64, text: &str| {
        set.store.enqueue(vec![message(room, "@g:x", text)], NOW).await.unwrap();
    };
    let renew = async |gone: i64, marker: &str| {
        let renewed = set.store.renew_shared_room(gone, marker.into(), |_, _| Vec::new(), NOW).await;
        renewed.unwrap().unwrap()
    };
    let waiting = async |room: i64| set.store.waiting_requests(room, 0, 9).await.unwrap();
    say(first, "1").await;
    assert_eq!(set.store.forward_requests(first, NOW).await.unwrap(), None, "it is there");
    let second = renew(first, "second").await;
    assert_eq!((second.forwarded, second.holders.len()), (1, 1));
    let second = second.room.id;
    // That it was on its way to the one before when that refused it is no reason.
    let on_its_way = waiting(second).await[0].seq;
    assert!(!set.store.set_aside((first, on_its_way), refused("gone"), NOW).await.unwrap());
    say(first, "2").await;
    assert_eq!(set.store.forward_requests(first, NOW).await.unwrap(), Some((second, 1)));
    let third = renew(second, "third").await.room.id;
    say(first, "3").await;
    say(second, "4").await;
    for gone in [first, second] {
        assert_eq!(set.store.forward_requests(gone, NOW).await.unwrap(), Some((third, 1)));
    }
    let said: Vec<String> = waiting(third).await.into_iter().map(|row| row.payload).collect();
    assert_eq!(said, ["1", "2", "3", "4"]);
    assert!(set.store.set_aside((third, on_its_way), refused("gone"), NOW).await.unwrap());
}
