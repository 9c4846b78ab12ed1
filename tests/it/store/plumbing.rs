//! Rooms that come to show channels because somebody has asked for it: what is stored before all agree holds nothing that
//! somebody else may want, and what is stored then is one commit.

use towline::store::{
    Agreement, BufferKind, Incoming, LineKey, LineState, Moved, NewBuffer, NewLine, NewPlumbing, Outgoing,
    PlumbedBy, Plumbing, RoomRow,
};

use super::belongings::{removal, shared_room};
use super::{NOW, Set, event, message};

fn asked(set: &Set, room_id: &str, channel: &str) -> NewPlumbing {
    NewPlumbing {
        network: "fake".into(),
        name: channel.into(),
        room_id: room_id.into(),
        by: PlumbedBy::Command,
        asked_by: Some(set.user.id),
        marker: format!("plumbed {room_id} {channel}"),
        creator: "@bot:x".into(),
        created_at: NOW,
    }
}

fn agreement(set: &Set, room_id: &str, channel: &str) -> Agreement {
    Agreement { plumbing: asked(set, room_id, channel), announcement: message(0, "@bot:x", "shown") }
}

#[tokio::test]
async fn a_room_that_is_only_visited_takes_no_channel_and_is_forgotten_without_a_trace() {
    let set = Set::new().await;
    let Plumbing::Done(visited) = set.store.visit(asked(&set, "!own:x", "#sea")).await.unwrap() else {
        panic!("it is free");
    };
    assert!(visited.is_visited() && visited.is_ending());
    assert_eq!(set.store.shared_room("fake", "#sea").await.unwrap(), None);
    let again = set.store.visit(asked(&set, "!own:x", "#lake")).await.unwrap();
    assert!(matches!(again, Plumbing::RoomTaken(room) if room.id == visited.id));
    // Somebody finds the channel by its alias meanwhile.
    let found = shared_room(&set, "#sea").await;
    let agreed = set.store.agree_to_plumbing(agreement(&set, "!own:x", "#sea"), NOW).await.unwrap();
    assert!(matches!(agreed, Plumbing::ChannelTaken(room) if room.id == found));
    assert!(set.store.room(visited.id).await.unwrap().unwrap().is_visited(), "nothing has changed");
    set.store.forget_plumbed(visited.id).await.unwrap();
    assert_eq!(set.store.room(visited.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_agreed_is_stored_whole_and_counts_as_theirs_who_asked_until_they_are_deleted() {
    let set = Set::new().await;
    let own = set.store.open_buffer(set.buffer(BufferKind::Channel, "#sea")).await.unwrap();
    set.store.visit(asked(&set, "!own:x", "#sea")).await.unwrap();
    let new = NewBuffer { marker: "another".into(), ..set.buffer(BufferKind::Channel, "#sea") };
    let told = vec![message(own.room, "@bot:x", "elsewhere")];
    let shared = set
        .store
        .share_as_agreed(new, agreement(&set, "!own:x", "#sea"), "user/@alice:x".into(), told)
        .await
        .unwrap()
        .unwrap();
    assert!(shared.is_plumbed() && shared.wanted);
    assert_eq!((shared.id, shared.room_id.as_deref()), (own.id, Some("!own:x")));
    for room in [own.room, shared.room] {
        assert_eq!(set.store.waiting_requests(room, 0, 9).await.unwrap().len(), 1, "{room}");
    }
    // Once more changes nothing, and tells nobody again.
    let again = set.store.agree_to_plumbing(agreement(&set, "!own:x", "#sea"), NOW).await.unwrap();
    assert!(matches!(again, Plumbing::Done(room) if room.id == shared.room));
    assert_eq!(set.store.waiting_requests(shared.room, 0, 9).await.unwrap().len(), 1);
    assert_eq!(set.store.plumbed_by_command(set.user.id).await.unwrap(), (1, 1));
    assert_eq!(set.store.who_asked().await.unwrap(), [(shared.room, "@alice:x".to_owned())]);
    set.store.delete_user(&set.user, removal, NOW).await.unwrap();
    assert!(set.store.room(shared.room).await.unwrap().is_some(), "it is its people's");
    assert_eq!(set.store.plumbed_by_command(set.user.id).await.unwrap(), (1, 0));
}

#[tokio::test]
async fn a_room_that_became_encrypted_while_it_was_asked_about_is_not_agreed_on() {
    let set = Set::new().await;
    let Plumbing::Done(visited) = set.store.visit(asked(&set, "!own:x", "#sea")).await.unwrap() else {
        panic!("it is free");
    };
    set.store.begin_ending(visited.id, true).await.unwrap();
    let agreed = set.store.agree_to_plumbing(agreement(&set, "!own:x", "#sea"), NOW).await.unwrap();
    assert!(matches!(agreed, Plumbing::RoomTaken(room) if room.id == visited.id));
    assert!(set.store.waiting_requests(visited.id, 0, 9).await.unwrap().is_empty());
}

/// The rows of a room that shows these channels.
async fn showing(set: &Set, room_id: &str, channels: &[&str]) -> Vec<i64> {
    let mut rows = Vec::new();
    for channel in channels {
        let became = set.store.plumb(asked(set, room_id, channel)).await.unwrap();
        let Plumbing::Done(room) = became else { panic!("{channel}: {became:?}") };
        rows.push(room.id);
    }
    rows
}

/// Where a room of the configuration goes on, by what is known of these.
async fn replaced(set: &Set, named: &[&str]) -> Vec<(String, String)> {
    set.store.replaced(named.iter().map(|&id| id.to_owned()).collect()).await.unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(old, new)| (old.to_owned(), new.to_owned())).collect()
}

/// Review, findings 1, 2 and 5: whoever had power in the closed room said what the file meant, a move that came late took its row
/// back, and what was known grew.
#[tokio::test]
async fn only_where_the_configurations_rooms_went_is_kept_and_by_the_last_of_them() {
    let set = Set::new().await;
    let of_file = NewPlumbing { by: PlumbedBy::Configuration, asked_by: None, ..asked(&set, "!a:x", "#sea") };
    let Plumbing::Done(room) = set.store.plumb(of_file).await.unwrap() else { panic!("it is free") };
    let moves = async |row: i64, old: &str, new: &str| {
        set.store.room_moved(row, old, new, Vec::new(), NOW).await.unwrap()
    };
    let moved = |rows: &[i64], is_configured| Moved { rows: rows.to_vec(), is_configured };
    let all = ["!a:x", "!b:x", "!c:x", "!own:x"];
    assert_eq!(moves(room.id, "!a:x", "!b:x").await, moved(&[room.id], true));
    assert_eq!(moves(room.id, "!b:x", "!c:x").await, moved(&[room.id], true));
    let known = pairs(&[("!a:x", "!c:x"), ("!b:x", "!c:x")]);
    assert_eq!(replaced(&set, &all).await, known);
    // Somebody has seen the first tombstone only now.
    assert_eq!(moves(room.id, "!a:x", "!b:x").await, Moved::default());
    assert_eq!(set.store.room(room.id).await.unwrap().unwrap().room_id.as_deref(), Some("!c:x"));
    assert_eq!(replaced(&set, &all).await, known);
    // Somebody asks for a channel in a room that was replaced, and replaces it once more.
    let Plumbing::Done(visit) = set.store.visit(asked(&set, "!a:x", "#lake")).await.unwrap() else {
        panic!("it is free");
    };
    assert_eq!(moves(visit.id, "!a:x", "!own:x").await, moved(&[visit.id], false));
    assert_eq!(replaced(&set, &all).await, known);
    // What no file names any more is not kept, and a room that comes again is itself.
    assert_eq!(replaced(&set, &["!a:x"]).await, known[..1]);
    assert_eq!(moves(room.id, "!c:x", "!a:x").await, moved(&[room.id], true));
    assert_eq!(replaced(&set, &all).await, pairs(&[("!c:x", "!a:x")]));
}

/// What waits in a lane: event and row of its room.
async fn copies(set: &Set, lane: &str) -> Vec<(String, i64)> {
    let waiting = set.store.waiting_events(lane, 0, 100).await.unwrap();
    waiting.into_iter().map(|event| (event.event_id, event.room)).collect()
}

#[tokio::test]
async fn each_channel_that_a_room_shows_gets_a_copy_of_an_event_once_whatever_it_shows_later() {
    let set = Set::new().await;
    let said = |id: &str| event(id, "!own:x");
    let lane = "user/@alice:x";
    let one = showing(&set, "!own:x", &["#sea"]).await[0];
    set.store.accept(vec![said("$1")], NOW).await.unwrap();
    let rows = showing(&set, "!own:x", &["#sea", "#lake", "#pond"]).await;
    assert_eq!((rows[0], set.store.rows_of_several().await.unwrap().len()), (one, 3));
    set.store.accept(vec![said("$1"), said("$2"), said("$2")], NOW).await.unwrap();
    let wanted = |id: &str, row: usize| (id.to_owned(), rows[row]);
    let all = [wanted("$1", 0), wanted("$2", 0), wanted("$2", 1), wanted("$2", 2)];
    assert_eq!(copies(&set, lane).await, all);
    // It shows fewer: what came before comes no second time, and goes to no other channel.
    set.store.forget_plumbed(rows[0]).await.unwrap();
    set.store.accept(vec![said("$1"), said("$2"), said("$3")], NOW).await.unwrap();
    let waiting = set.store.waiting_events(lane, 0, 100).await.unwrap();
    assert_eq!(waiting.len(), 6);
    for (number, row) in [(0, None), (1, None), (2, Some(rows[1])), (4, Some(rows[1])), (5, Some(rows[2]))] {
        let found = set.store.room_of_event(&waiting[number], "!own:x").await.unwrap();
        assert_eq!(found.map(|room| room.id), row, "{:?}", waiting[number]);
    }
}

/// Finding 4: it went to a channel that came later, and once for each that was gone.
#[tokio::test]
async fn what_waits_for_a_channel_that_a_room_shows_no_more_goes_to_no_other_and_to_that_one_when_it_is_back()
{
    let set = Set::new().await;
    let rows = showing(&set, "!own:x", &["#sea", "#lake"]).await;
    set.store.accept(vec![event("$1", "!own:x")], NOW).await.unwrap();
    let lane = "user/@alice:x";
    let waiting = set.store.waiting_events(lane, 0, 100).await.unwrap();
    for row in &rows {
        set.store.forget_plumbed(*row).await.unwrap();
    }
    let pond = showing(&set, "!own:x", &["#pond"]).await[0];
    for one in &waiting {
        assert_eq!(set.store.room_of_event(one, "!own:x").await.unwrap(), None, "{one:?}");
    }
    assert_eq!(set.store.former_channel(rows[1]).await.unwrap().as_deref(), Some("#lake"));
    assert_eq!(set.store.former_channel(pond).await.unwrap(), None, "it shows it");
    let again = NewPlumbing { marker: "again".into(), ..asked(&set, "!own:x", "#lake") };
    let Plumbing::Done(RoomRow { id: lake, .. }) = set.store.plumb(again).await.unwrap() else {
        panic!("it is free");
    };
    assert_ne!(lake, rows[1]);
    // Also for who has read it before.
    let found = set.store.room_of_event(&waiting[1], "!own:x").await.unwrap();
    assert_eq!(found.map(|room| room.id), Some(lake));
    assert_eq!(set.store.room_of_event(&waiting[0], "!own:x").await.unwrap(), None);
    assert_eq!(copies(&set, lane).await, [("$1".to_owned(), rows[0]), ("$1".to_owned(), lake)]);
}

#[tokio::test]
async fn lines_of_one_event_in_two_buffers_are_two() {
    let set = Set::new().await;
    let mut buffers = Vec::new();
    for channel in ["#sea", "#lake"] {
        buffers.push(set.store.open_buffer(set.buffer(BufferKind::Channel, channel)).await.unwrap().id);
    }
    let (state, payload) = (LineState::Queued, "line".to_owned());
    let line = |buffer: &i64| NewLine {
        buffer: *buffer,
        event_id: "$1".into(),
        part: 0,
        state,
        payload: payload.clone(),
    };
    let outgoing = Outgoing { lines: buffers.iter().map(line).collect(), ..Outgoing::default() };
    set.commit(Incoming { outgoing, ..Incoming::default() }).await;
    let refused = LineKey { buffer: buffers[0], event_id: "$1".into(), part: 0 };
    let settled = set.store.settle_lines(vec![refused], LineState::Refused, None).await;
    settled.committed().await.unwrap();
    let open = set.store.open_lines(set.session.id).await.unwrap();
    assert_eq!(open.iter().map(|line| line.buffer).collect::<Vec<_>>(), [buffers[1]]);
    for (buffer, was_refused) in buffers.iter().zip([true, false]) {
        assert_eq!(set.store.was_refused(*buffer, "$1").await.unwrap(), was_refused);
    }
}
