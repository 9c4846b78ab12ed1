//! A bridge that runs between its homeserver and the IRC server, and users who come to it by talking to its bot.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::LIMIT;
use super::bridge::{Bridge, NETWORK, Pacing, wait_answer};
use super::people::Person;
use crate::it::support::homeserver::{Homeserver, TestUser};

pub(crate) struct Town<B> {
    pub(crate) bridge: B,
    /// What the users' names end in, so that no two towns of a bridge share nicks.
    name: &'static str,
    _directory: tempfile::TempDir,
}

/// A user who is connected.
pub(crate) struct User {
    pub(crate) matrix: TestUser,
    pub(crate) nick: String,
    pub(crate) network: String,
}

impl<B: Bridge> Town<B> {
    /// Starts a bridge that has no users.
    pub(crate) async fn start(ircd: SocketAddr, name: &'static str) -> Self {
        let directory = tempfile::TempDir::with_prefix("towline-bench-").unwrap();
        let mut bridge = B::prepare(directory.path(), ircd).await;
        bridge.start(Pacing::Off);
        bridge.wait_ready().await;
        bridge.begin().await;
        Self { bridge, name, _directory: directory }
    }

    pub(crate) fn homeserver(&self) -> &Homeserver {
        self.bridge.homeserver()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.homeserver().requests("", "")
    }

    /// So many users, each in the network's room and registered on IRC. They come together.
    pub(crate) async fn users(&self, count: usize, watcher: &Person) -> Vec<User> {
        let people: Vec<TestUser> = (0..count)
            .map(|number| self.homeserver().user(&format!("{}{}{number}", B::PREFIX, self.name)))
            .collect();
        let bot = self.homeserver().bot();
        let controls: Vec<String> = people.iter().map(|person| person.start_dm(&bot)).collect();
        for (person, control) in people.iter().zip(&controls) {
            wait_answer(self.homeserver(), control, 0).await;
            self.bridge.open(person, control);
        }
        let mut users = Vec::with_capacity(count);
        for person in people {
            let network = self.wait_room(&person, NETWORK).await;
            self.bridge.connect(&person, &network).await;
            let nick = person.id()[1..].split(':').next().unwrap().to_owned();
            users.push(User { matrix: person, nick, network });
        }
        for user in &users {
            watcher.wait_online(&user.nick).await;
        }
        users
    }

    /// One user in one channel, and the channel's room.
    pub(crate) async fn user_in(&self, channel: &str, watcher: &Person) -> (User, String) {
        let user = self.users(1, watcher).await.pop().expect("one user");
        self.bridge.join(&user.matrix, &user.network, channel);
        let room = self.wait_room(&user.matrix, &channel_room(channel)).await;
        (user, room)
    }

    /// Waits until a user is invited to a room of this name, and takes the invitation, as any other on the way.
    pub(crate) async fn wait_room(&self, user: &TestUser, name: &str) -> String {
        let homeserver = self.homeserver();
        let found = async {
            loop {
                for room in user.accept_invites() {
                    if room_name(homeserver, &room) == name {
                        return room;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let late = |_| panic!("{} was not invited to {name}", user.id());
        tokio::time::timeout(LIMIT, found).await.unwrap_or_else(late)
    }

    /// Waits until so many rooms of channels have invited the users, who take each invitation.
    pub(crate) async fn wait_channel_rooms(&self, users: &[User], count: usize) {
        let mut rooms = BTreeMap::new();
        let found = async {
            while rooms.len() < count {
                for user in users {
                    let new = user.matrix.accept_invites();
                    let named = new.into_iter().map(|room| (room_name(self.homeserver(), &room), room));
                    rooms.extend(named.filter(|(name, _)| name.starts_with('#')));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        assert!(found.is_ok(), "{} of {count} rooms came", rooms.len());
    }
}

/// What both bridges call a channel's room.
fn channel_room(channel: &str) -> String {
    format!("{channel} ({NETWORK})")
}

/// Whether this is a channel's room.
pub(crate) fn is_room_of(homeserver: &Homeserver, room: &str, channel: &str) -> bool {
    room_name(homeserver, room) == channel_room(channel)
}

/// A room's name; none for a space, which has the same name as the network's room.
fn room_name(homeserver: &Homeserver, room: &str) -> String {
    if homeserver.state(room, "m.room.create", "")["type"] == "m.space" {
        return String::new();
    }
    homeserver.state(room, "m.room.name", "")["name"].as_str().unwrap_or_default().to_owned()
}
