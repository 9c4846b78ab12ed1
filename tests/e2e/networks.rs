//! Networks that come while the bridge runs: an administrator's for all, and a user's own.

use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;
use crate::rig::synapse::SERVER_NAME;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, PASSWORD, Town};
use crate::scene::CHANNEL;

/// Somebody besides alice, and their conversation with the bot.
pub(crate) async fn user(town: &Town, name: &str) -> (MatrixUser, String) {
    let user = MatrixUser::register(&town.synapse.url, name, PASSWORD).await;
    let control = user.start_dm(&bot()).await;
    user.wait_member(&control, &bot(), "join").await;
    (user, control)
}

#[tokio::test]
async fn a_network_that_alice_adds_at_run_time_is_opened_and_talked_on_by_bob() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let server = format!("localhost:{}", town.inspircd.port);
    town.alice.say(&town.control, &format!("network add second {server} notls private")).await;
    town.alice.wait_message(&town.control, "second is there, for all who may use this bridge").await;

    let (bob, control) = user(&town, "bob").await;
    bob.say(&control, &format!("network add home {server} notls")).await;
    bob.wait_message(&control, "This bridge does not let users add networks of their own").await;
    bob.say(&control, "open second").await;
    let network = bob.wait_invite_named("second").await;
    bob.join(&network).await;
    bob.say(&network, &format!("join {CHANNEL}")).await;
    let room = bob.wait_invite_named(&format!("{CHANNEL} (second)")).await;
    bob.join(&room).await;
    bob.wait_message(&network, "Connected to").await;
    bob.say(&room, "hello irene").await;
    irene.wait_said("bob", CHANNEL, "hello irene").await;
    irene.say(CHANNEL, "hello bob");
    let said = bob.wait_message(&room, "hello bob").await;
    assert_eq!(said["sender"], format!("@irc_second_irene:{SERVER_NAME}"));
}

#[tokio::test]
async fn a_network_of_bobs_own_leads_to_an_allowed_range_by_verified_tls_and_is_his_alone() {
    let directory = TempDir::with_prefix("towline-own-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { own_networks: true, roots: Some(inspircd.ca_file()), ..Extras::default() };
    let town = Town::around(directory, inspircd, entry, &extras).await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;

    let (bob, control) = user(&town, "bob").await;
    bob.say(&control, &format!("network add elsewhere 10.0.0.1:{}", town.inspircd.tls_port)).await;
    bob.wait_message(&control, "10.0.0.1 is a private address").await;
    bob.say(&control, &format!("network add home localhost:{}", town.inspircd.tls_port)).await;
    let added = bob.wait_message(&control, "It is there, for you alone, as ").await;
    let body = added["content"]["body"].as_str().unwrap();
    let slug = body.split(' ').find_map(|word| word.strip_suffix('.').filter(|word| word.ends_with("-home")));
    let slug = slug.unwrap_or_else(|| panic!("{body}")).to_owned();
    bob.say(&control, "open home").await;
    let network = bob.wait_invite_named(&slug).await;
    bob.join(&network).await;
    bob.say(&network, &format!("join {CHANNEL}")).await;
    let room = bob.wait_invite_named(&format!("{CHANNEL} ({slug})")).await;
    bob.join(&room).await;
    bob.wait_message(&network, "Connected to").await;
    bob.say(&room, "from home").await;
    irene.wait_said("bob", CHANNEL, "from home").await;
    irene.say(CHANNEL, "welcome");
    let said = bob.wait_message(&room, "welcome").await;
    assert_eq!(said["sender"], format!("@irc_{slug}_irene:{SERVER_NAME}"));

    let (carol, hers) = user(&town, "carol").await;
    carol.say(&hers, &format!("open {slug}")).await;
    carol.wait_message(&hers, &format!("There is no network {slug} here.")).await;
}
