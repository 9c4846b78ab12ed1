//! Who has which name in the rooms where somebody is relayed, so that two of one name can be told apart.
//!
//! In memory, and read from the homeserver when a room is first needed; from then on the events of its members tell. So
//! many people are remembered ([`MOST`]); of a room with more the rest go by their ids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::format::{Called, relayed_name};

/// People who are remembered, over all rooms: when there are more, all is forgotten and read anew.
const MOST: usize = 50_000;
/// Those of one room.
const MOST_OF_ROOM: usize = 20_000;

#[derive(Debug, Default)]
struct Room {
    /// Counts the changes, so that what was asked for before one of them is not taken for what is.
    changes: u64,
    is_known: bool,
    /// Not all who are there are remembered.
    is_cut: bool,
    people: HashMap<String, Box<str>>,
    /// How many have a name, as it is compared.
    named: HashMap<String, usize>,
    localparts: HashMap<String, usize>,
}

/// The names of those who are in rooms, by the rooms' Matrix ids.
#[derive(Debug, Default)]
pub(in crate::bridge) struct RelayedNames(Mutex<HashMap<String, Room>>);

fn localpart(user_id: &str) -> String {
    user_id.trim_start_matches('@').split(':').next().unwrap_or_default().to_lowercase()
}

/// As names are compared: as they stand on IRC, in whatever case.
fn folded(name: &str) -> String {
    relayed_name(name).unwrap_or_default().to_lowercase()
}

fn take_one(counts: &mut HashMap<String, usize>, of: &str) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

impl Room {
    fn set(&mut self, user_id: &str, name: Option<&str>) {
        self.remove(user_id);
        if self.people.len() == MOST_OF_ROOM {
            self.is_cut = true;
            return;
        }
        // Who has no name goes by the first part of their id.
        let local = localpart(user_id);
        let name = name.filter(|name| relayed_name(name).is_some()).unwrap_or(&local);
        *self.named.entry(folded(name)).or_default() += 1;
        *self.localparts.entry(local.clone()).or_default() += 1;
        // What is behind the part that is shown matters to nobody.
        let kept: String = name.chars().take(200).collect();
        self.people.insert(user_id.to_owned(), kept.into());
    }

    fn remove(&mut self, user_id: &str) {
        if let Some(name) = self.people.remove(user_id) {
            take_one(&mut self.named, &folded(&name));
            take_one(&mut self.localparts, &localpart(user_id));
        }
    }
}

impl RelayedNames {
    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the names of a room are known.
    pub(super) fn knows(&self, room_id: &str) -> bool {
        self.rooms().get(room_id).is_some_and(|room| room.is_known)
    }

    /// They are about to be asked for.
    pub(super) fn begin(&self, room_id: &str) -> u64 {
        self.rooms().entry(room_id.to_owned()).or_default().changes
    }

    /// They are these, unless somebody came or went meanwhile: then those who did are as they are since.
    pub(super) fn learn(
        &self,
        room_id: &str,
        begun: u64,
        named: impl Iterator<Item = (String, Option<String>)>,
    ) {
        let mut rooms = self.rooms();
        if rooms.values().map(|room| room.people.len()).sum::<usize>() > MOST {
            rooms.clear();
        }
        let room = rooms.entry(room_id.to_owned()).or_default();
        let has_changed = room.changes != begun;
        for (user_id, name) in named {
            if !has_changed || !room.people.contains_key(&user_id) {
                room.set(&user_id, name.as_deref());
            }
        }
        room.is_known = true;
    }

    /// Somebody came, has another name, or went.
    pub(in crate::bridge) fn note(&self, room_id: &str, user_id: &str, is_there: bool, name: Option<&str>) {
        let mut rooms = self.rooms();
        let Some(room) = rooms.get_mut(room_id) else { return };
        room.changes += 1;
        if is_there {
            room.set(user_id, name);
        } else {
            room.remove(user_id);
        }
    }

    /// What somebody is called in a room; by `given`, if a message bears a name of its own.
    pub(super) fn name(&self, room_id: &str, user_id: &str, given: Option<&str>, called: Called) -> String {
        let rooms = self.rooms();
        let Some(room) = rooms.get(room_id) else { return called.name(user_id, given, true) };
        let own = room.people.get(user_id).map(|name| &**name);
        let name = given.filter(|name| relayed_name(name).is_some()).or(own);
        let is_shared = match called {
            // Of somebody who is not remembered it is not known whose name else it is.
            _ if own.is_none() || room.is_cut => true,
            Called::Displayed => {
                let name = name.map(folded).unwrap_or_default();
                let is_own = own.is_some_and(|own| folded(own) == name);
                room.named.get(&name).copied().unwrap_or_default() > usize::from(is_own)
            }
            Called::Localpart => room.localparts.get(&localpart(user_id)).is_some_and(|count| *count > 1),
            Called::Id => false,
        };
        called.name(user_id, name, is_shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(people: &[(&str, Option<&str>)]) -> RelayedNames {
        let names = RelayedNames::default();
        let begun = names.begin("!tea");
        let people = people.iter().map(|(id, name)| ((*id).to_owned(), name.map(str::to_owned)));
        names.learn("!tea", begun, people);
        names
    }

    fn called(names: &RelayedNames, user_id: &str, given: Option<&str>) -> String {
        names.name("!tea", user_id, given, Called::Displayed)
    }

    #[test]
    fn two_of_one_name_have_their_ids_behind_it_and_nobody_else() {
        let names = names(&[
            ("@sam:x", Some("Sam")),
            ("@sam2:x", Some("s\u{200b}am")),
            ("@carol:x", Some("Carol")),
            ("@dave:x", None),
        ]);
        assert_eq!(called(&names, "@sam:x", None), "Sam (@sam:x)");
        assert_eq!(called(&names, "@sam2:x", None), "sam (@sam2:x)");
        assert_eq!(called(&names, "@carol:x", None), "Carol");
        assert_eq!(called(&names, "@dave:x", None), "dave");
        assert_eq!(called(&names, "@stranger:x", None), "stranger (@stranger:x)");
        // A name that a message gives itself, too.
        assert_eq!(called(&names, "@carol:x", Some("Tulip")), "Tulip");
        assert_eq!(called(&names, "@carol:x", Some("Sam")), "Sam (@carol:x)");
        assert_eq!(called(&names, "@carol:x", Some("Dave")), "Dave (@carol:x)");
        assert_eq!(called(&names, "@carol:x", Some("<>")), "Carol");
        assert_eq!(names.name("!tea", "@carol:y", None, Called::Localpart), "carol (@carol:y)");
        assert_eq!(names.name("!tea", "@carol:x", None, Called::Localpart), "carol");
    }

    #[test]
    fn names_follow_those_who_change_them_come_and_go() {
        let names = names(&[("@sam:x", Some("Sam")), ("@carol:x", Some("Carol"))]);
        names.note("!tea", "@carol:x", true, Some("Sam"));
        assert_eq!(called(&names, "@sam:x", None), "Sam (@sam:x)");
        names.note("!tea", "@carol:x", false, None);
        assert_eq!(called(&names, "@sam:x", None), "Sam");
        names.note("!den", "@carol:x", true, Some("Sam"));
        assert!(!names.knows("!den"), "what nobody asked for is not kept");
    }

    #[test]
    fn who_changes_their_name_while_names_are_read_has_the_later_one() {
        let names = RelayedNames::default();
        let begun = names.begin("!tea");
        names.note("!tea", "@sam:x", true, Some("Samuel"));
        let read = [("@sam:x".to_owned(), Some("Sam".to_owned())), ("@carol:x".to_owned(), None)];
        names.learn("!tea", begun, read.into_iter());
        assert_eq!(called(&names, "@sam:x", None), "Samuel");
        assert_eq!(called(&names, "@carol:x", None), "carol");
    }

    #[test]
    fn invariant_9_so_many_people_are_remembered_and_the_rest_go_by_their_ids() {
        let names = RelayedNames::default();
        let many = (0..=MOST_OF_ROOM).map(|number| (format!("@u{number}:x"), Some(format!("U{number}"))));
        names.learn("!tea", names.begin("!tea"), many);
        assert_eq!(names.rooms()["!tea"].people.len(), MOST_OF_ROOM);
        assert_eq!(called(&names, "@u1:x", None), "U1 (@u1:x)");
    }
}
