//! Shared rooms in what Element looks through: the homeserver's room directory, and its third-party lookups.

use super::*;

#[tokio::test]
async fn a_shared_room_is_found_in_the_directory_and_by_looking_its_channel_up_on_synapse() {
    let directory = TempDir::with_prefix("towline-shared-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let mut entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    entry.more.push_str("    shared: { published: true }\n");
    let extras = Extras { rooms: Rooms { shared: true, ..Rooms::default() }, ..Extras::default() };
    let town = Town::around(directory, inspircd, entry, &extras).await;
    let alice = &town.alice;
    let get = async |path: String| alice.request(Method::GET, &path, &json!({})).await.unwrap();

    // The channel leads to an alias, before there is a room, and the nick to its ghost.
    let channel = format!("%23{}", &CHANNEL[1..]);
    let alias = format!("#irc_demo_{CHANNEL}:{SERVER_NAME}");
    let found = get(format!("thirdparty/location/irc?network=demo&channel={channel}")).await;
    assert_eq!(found[0]["alias"], alias.as_str(), "{found}");
    let found = get("thirdparty/user/irc?network=demo&nickname=Irene".to_owned()).await;
    assert_eq!(found[0]["userid"], ghost("irene").as_str(), "{found}");

    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let room = join_shared(alice).await;
    alice.say(&room, "alice is here").await;
    irene.wait_said("alice", CHANNEL, "alice is here").await;
    town.synapse.wait_published(&room, true).await;
    // It bears its alias, and whoever finds it there is shown that.
    let listed = alice.wait_public(&room, |listed| listed["canonical_alias"] == alias.as_str()).await;
    assert_eq!(listed["name"], format!("{CHANNEL} ({NETWORK})"), "{listed}");

    // A secret channel is none of the directory's.
    irene.raw(&format!("MODE {CHANNEL} +s"));
    town.synapse.wait_published(&room, false).await;
    irene.raw(&format!("MODE {CHANNEL} -s"));
    town.synapse.wait_published(&room, true).await;
}
