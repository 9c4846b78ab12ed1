//! Networks that were added at run time: once each, in bounds, and no short name for a second owner.

use towline::store::{Adding, NewNetwork};

use super::{NOW, open};
use crate::support::database::TestDatabase;

fn network(slug: &str, owner: Option<i64>) -> NewNetwork {
    NewNetwork {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        owner,
        definition: "{}".to_owned(),
        most: 2,
        most_names: 3,
    }
}

#[tokio::test]
async fn of_two_that_add_a_network_at_once_one_does() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (one, other) = tokio::join!(
        store.add_network(network("town", None), NOW),
        store.add_network(network("town", None), NOW)
    );
    let mut both = [one.unwrap(), other.unwrap()];
    both.sort_by_key(|adding| *adding != Adding::Added);
    assert_eq!(both, [Adding::Added, Adding::Taken]);
    assert_eq!(store.added_networks().await.unwrap().len(), 1);
    store.close().await;
    let store = open(&database).await;
    let found = store.added_networks().await.unwrap().remove(0);
    assert_eq!((found.slug.as_str(), found.owner, found.definition.as_str()), ("town", None, "{}"));
}

#[tokio::test]
async fn invariant_9_who_adds_and_removes_networks_for_ever_leaves_a_few_names() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let alice = store.ensure_user("@alice:x", NOW).await.unwrap();
    let add = async |name: &str| store.add_network(network(name, Some(alice.id)), NOW).await.unwrap();
    // What nothing hangs on goes without a trace.
    for number in 0..20 {
        let name = format!("u1-n{number}");
        assert_eq!(add(&name).await, Adding::Added);
        assert!(store.remove_network(&name).await.unwrap() && !store.remove_network(&name).await.unwrap());
    }
    for name in ["u1-a", "u1-b", "u1-c"] {
        assert_eq!(add(name).await, Adding::Added);
        let (session, _) = store.open_session(&alice, (name, ""), name, NOW).await.unwrap();
        assert_eq!(store.who_has_open(name).await.unwrap(), [(alice.id, "@alice:x".to_owned())]);
        assert!(store.close_session(session.id, Vec::new()).await.unwrap());
        assert!(store.who_has_open(name).await.unwrap().is_empty());
        assert!(store.remove_network(name).await.unwrap());
    }
    assert_eq!(add("u1-d").await, Adding::TooManyNames);
    assert_eq!(
        (add("u1-c").await, add("u1-a").await, add("u1-b").await),
        (Adding::Added, Adding::Added, Adding::TooMany)
    );
    assert_eq!(store.added_networks().await.unwrap()[0].owner_id.as_deref(), Some("@alice:x"));
}

#[tokio::test]
async fn a_short_name_that_was_somebodys_is_never_anothers() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let alice = store.ensure_user("@alice:x", NOW).await.unwrap();
    let bob = store.ensure_user("@bob:x", NOW).await.unwrap();
    assert_eq!(store.add_network(network("u1-a", Some(alice.id)), NOW).await.unwrap(), Adding::Added);
    store.open_session(&alice, ("u1-a", ""), "u1-a", NOW).await.unwrap();
    assert!(store.remove_network("u1-a").await.unwrap());
    for owner in [Some(bob.id), None] {
        assert_eq!(store.add_network(network("u1-a", owner), NOW).await.unwrap(), Adding::Taken);
    }
    // Nor does what opens a network change whose it is.
    store.ensure_network("u1-a", "other", NOW).await.unwrap();
    assert_eq!(store.add_network(network("u1-a", Some(alice.id)), NOW).await.unwrap(), Adding::Added);
}

#[tokio::test]
async fn only_what_is_there_gets_another_definition() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    assert!(!store.define_network("town", "{}".to_owned()).await.unwrap());
    store.ensure_network("town", "Town", NOW).await.unwrap();
    assert!(!store.define_network("town", "{}".to_owned()).await.unwrap(), "it is the configuration's");
    assert_eq!(store.add_network(network("town", None), NOW).await.unwrap(), Adding::Added);
    assert!(store.define_network("town", r#"{"servers":[]}"#.to_owned()).await.unwrap());
    assert_eq!(store.added_networks().await.unwrap()[0].definition, r#"{"servers":[]}"#);
}
