//! What is done in a channel by commands: its people, topic, modes, keys and lists.

mod bans;
mod door;
mod people;
mod timed;

use crate::support::bridge::{World, ask};
use crate::support::homeserver::TestUser;
use crate::support::ircd::{self, Person};

/// A text without what only makes its columns even.
fn squeezed(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A network as Libera is: quiets and exceptions are lists, accounts can be banned, people knock.
fn like_libera() -> ircd::Options {
    ircd::Options {
        isupport: tokens(
            "PREFIX=(ov)@+ CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuz EXCEPTS INVEX EXTBAN=$,ajrxz KNOCK MODES=4 MAXLIST=bqeI:3",
        ),
        ..ircd::Options::default()
    }
}

/// A network as InspIRCd makes them: quiets are a kind of ban.
fn like_inspircd() -> ircd::Options {
    ircd::Options {
        isupport: tokens(
            "PREFIX=(qaohv)~&@%+ CHANMODES=IXbegw,k,FHJLfjl,ACKMNOPQRSTcimnprstz EXCEPTS=e INVEX=I EXTBAN=,ACNOQRSTUacjmnprswz MODES=20 MAXLIST=bI:100",
        ),
        ..ircd::Options::default()
    }
}

/// A network of the plainest kind.
fn plain() -> ircd::Options {
    ircd::Options { isupport: tokens("PREFIX=(ov)@+ CHANMODES=b,k,l,imnpst"), ..ircd::Options::default() }
}

fn tokens(more: &str) -> Vec<String> {
    let usual =
        "NETWORK=FakeNet CASEMAPPING=rfc1459 CHANTYPES=#& NICKLEN=31 TOPICLEN=60 KICKLEN=40 STATUSMSG=@+";
    usual.split(' ').chain(more.split(' ')).map(str::to_owned).collect()
}

/// Alice, an operator of #tea, where bob and carol are.
async fn in_tea(world: &World) -> (TestUser, String, [Person; 2]) {
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let people = ["bob", "carol"].map(|nick| {
        let person = world.ircd.person(nick);
        person.join("#tea");
        person
    });
    // What came before it is known to the bridge.
    people[1].say("#tea", "here we are");
    world.homeserver.wait_message(&room, "here we are").await;
    (alice, room, people)
}

/// Alice, who has no rank in bob's #tea.
async fn a_guest_in_tea(world: &World) -> (TestUser, String, Person) {
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    bob.say("#tea", "hello alice");
    world.homeserver.wait_message(&room, "hello alice").await;
    (alice, room, bob)
}
