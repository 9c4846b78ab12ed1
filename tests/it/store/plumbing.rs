//! Rooms that come to show channels because somebody has asked for it: what is stored before all agree holds nothing that
//! somebody else may want, and what is stored then is one commit.

use towline::store::{Agreement, BufferKind, NewBuffer, NewPlumbing, PlumbedBy, Plumbing};

use super::belongings::{removal, shared_room};
use super::{NOW, Set, message};

fn asked(set: &Set, room_id: &str, channel: &str) -> NewPlumbing {
    NewPlumbing {
        network: "fake".into(),
        name: channel.into(),
        folded: channel.into(),
        room_id: room_id.into(),
        by: PlumbedBy::Command,
        asked_by: Some(set.user.id),
        marker: format!("plumbed {room_id}"),
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
