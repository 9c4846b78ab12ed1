//! Who is excluded: by the configuration (`excluded`), and by policy lists (`policy_lists`), rooms whose state says so.
//!
//! Whoever fits a rule may not use the bridge: their sessions end and they are taken out of its shared rooms, as where a
//! permission is taken, and in a plumbed room nothing of theirs goes to IRC. A ghost that fits one does not come into
//! rooms, and what its nick says is not shown (`session/excluded.rs`). When the rule is gone, so is all of that. Nobody to
//! whom the configuration gives `admin` is excluded, and no rule is heeded that fits the bridge itself.
//!
//! The bot enters each list and reads its state once; from then on each rule that the homeserver hands over is asked for
//! by its key, so that what holds is what the room says, in whatever order that came. What was read is stored, and holds
//! from the next start on, before the list is read again.
//!
//! Invariants 2 (a list that can't be read says what it said), 9 ([`rules`]; so many rules wait to be asked for one by one,
//! [`MOST_CHANGES`]). Specification: client-server API, "Moderation policy lists".

mod rules;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use super::ghosts::GhostError;
use super::lanes::Lanes;
use super::session::{MembersRequest, Request};
use super::{Bridge, Shared};
use crate::config::{Config, Permission};
use crate::format::{RichText, neutral};
use crate::store::{PolicyRule, StoreError};

use self::rules::{About, Added, MOST_RULES, Ours, Rules};

pub use self::rules::Exclusion;

/// Beyond so many changes a list is read as a whole.
const MOST_CHANGES: usize = 50;
/// What changes together is read together.
const SETTLE: Duration = Duration::from_millis(500);
/// How often a list is tried again that can't be read.
const HOURLY: Duration = Duration::from_hours(1);
/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 200;

/// A rule's type and state key.
type RuleKey = (String, String);

/// What is known of who is excluded.
#[derive(Default)]
pub(super) struct Policy {
    rules: RwLock<Arc<Rules>>,
    lists: Mutex<Lists>,
    /// Held while rules change, so that what follows from that follows once.
    changing: tokio::sync::Mutex<()>,
    lanes: Lanes<String>,
}

#[derive(Default)]
struct Lists {
    /// Who is excluded by the configuration.
    fixed: Vec<String>,
    /// The lists, by what the configuration calls them.
    named: BTreeMap<String, List>,
    /// Rules that would exclude the bridge from itself, each with its list, of which the log was told.
    passed_over: BTreeSet<(String, String)>,
    /// There are more rules than are heeded.
    is_full: bool,
}

/// A policy list.
#[derive(Default)]
struct List {
    /// The room, as soon as the bot is in it.
    room_id: Option<String>,
    rules: BTreeMap<RuleKey, PolicyRule>,
    unread: Unread,
}

/// What a list says that was not read yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Unread {
    #[default]
    All,
    Changes(BTreeSet<RuleKey>),
}

impl Unread {
    fn none() -> Self {
        Self::Changes(BTreeSet::new())
    }

    fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::All, _) => {}
            (Self::Changes(_), Self::All) => *self = Self::All,
            (Self::Changes(changes), Self::Changes(more)) => {
                changes.extend(more);
                if changes.len() > MOST_CHANGES {
                    *self = Self::All;
                }
            }
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Changes(changes) if changes.is_empty())
    }
}

/// Whom rules of an event's type are about; the types from before the specification have the same meaning.
fn about(kind: &str) -> Option<About> {
    match kind {
        "m.policy.rule.user" | "m.room.rule.user" | "org.matrix.mjolnir.rule.user" => Some(About::User),
        "m.policy.rule.server" | "m.room.rule.server" | "org.matrix.mjolnir.rule.server" => {
            Some(About::Server)
        }
        _ => None,
    }
}

/// The rule that a state is, if it keeps somebody out.
fn read_rule((kind, state_key): &RuleKey, content: &Value) -> Option<PolicyRule> {
    let recommends = content["recommendation"].as_str()?;
    let entity = content["entity"].as_str()?;
    about(kind)?;
    // PostgreSQL stores no NUL, and no id has one.
    let is_text = !entity.is_empty() && !entity.contains('\0') && !state_key.contains('\0');
    if !is_text || !matches!(recommends, "m.ban" | "org.matrix.mjolnir.ban") {
        return None;
    }
    let reason = neutral(content["reason"].as_str().unwrap_or_default()).replace(['\n', '\r'], " ");
    Some(PolicyRule {
        kind: kind.clone(),
        state_key: state_key.clone(),
        entity: entity.to_owned(),
        reason: reason.chars().take(LONGEST_REASON).collect(),
    })
}

impl Policy {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What holds from now on; returns what did before.
    fn replace(&self, rules: Rules) -> Arc<Rules> {
        let mut now = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, Arc::new(rules))
    }

    /// The list of a room.
    fn list_in(&self, room_id: &str) -> Option<String> {
        let lists = self.lists();
        let is_it = |(_, list): &(&String, &List)| list.room_id.as_deref() == Some(room_id);
        lists.named.iter().find(is_it).map(|(name, _)| name.clone())
    }

    /// Takes what is to be read of a list, and its room; nothing where it is named no more.
    fn take_unread(&self, name: &str) -> Option<(Option<String>, Unread)> {
        let mut lists = self.lists();
        let list = lists.named.get_mut(name)?;
        Some((list.room_id.clone(), std::mem::replace(&mut list.unread, Unread::none())))
    }

    fn add_unread(&self, name: &str, more: Unread) {
        if let Some(list) = self.lists().named.get_mut(name) {
            list.unread.add(more);
        }
    }
}

impl Shared {
    /// Why a user is excluded, whom the configuration does not make an administrator.
    pub fn exclusion_of(&self, user_id: &str) -> Option<Arc<Exclusion>> {
        self.policy.rules().of(user_id).filter(|_| !self.admission.is_fixed_admin(user_id))
    }

    /// Why a user may not use the bridge.
    pub(super) fn why_not_admitted(&self, user_id: &str) -> String {
        match self.exclusion_of(user_id) {
            Some(why) => format!("{user_id} is {why}."),
            None => format!(
                "{user_id} has no permission to use this bridge. Its administrator can give it, under permissions in \
                 the configuration."
            ),
        }
    }

    /// Whether a rule may be about ghosts.
    pub(super) fn excludes_ghosts(&self) -> bool {
        self.policy.rules().concern_ghosts()
    }

    /// Whether a ghost is excluded.
    pub(super) fn excludes_ghost(&self, user_id: &str) -> bool {
        self.policy.rules().of(user_id).is_some()
    }
}

impl Bridge {
    /// What is stored of the lists that the configuration names holds from the start on.
    pub(super) async fn load_policies(&self) -> Result<(), StoreError> {
        self.name_policies(&self.config).await?;
        self.store.keep_policy_lists(&self.config.policy_lists).await?;
        self.policy.replace(self.gather_rules());
        Ok(())
    }

    /// Returns the rooms that are no lists any more.
    async fn name_policies(&self, config: &Config) -> Result<Vec<String>, StoreError> {
        let mut known = BTreeMap::new();
        for name in &config.policy_lists {
            let stored = self.store.policy_rules(name).await?;
            let rules = stored.into_iter().map(|rule| ((rule.kind.clone(), rule.state_key.clone()), rule));
            known.insert(name.clone(), List { rules: rules.collect(), ..List::default() });
        }
        let mut lists = self.policy.lists();
        lists.fixed.clone_from(&config.excluded);
        let mut before = std::mem::take(&mut lists.named);
        // What was read since the start is what is stored.
        lists.named = known
            .into_iter()
            .map(|(name, list)| (name.clone(), before.remove(&name).unwrap_or(list)))
            .collect();
        Ok(before.into_values().filter_map(|list| list.room_id).collect())
    }

    /// The configuration says this from now on.
    ///
    /// # Errors
    /// Where the store fails; then not all of it holds yet.
    pub async fn set_policies(&self, config: &Config) -> Result<(), StoreError> {
        for room_id in self.name_policies(config).await? {
            let bridge = self.clone();
            self.tasks.spawn(async move {
                let leave = || bridge.client.leave(bridge.client.bot(), &room_id, None);
                if let Err(error) = bridge.persist(leave).await {
                    tracing::debug!(room = room_id, %error, "the bot stays in a room that was a policy list");
                }
            });
        }
        self.store.keep_policy_lists(&config.policy_lists).await?;
        self.apply_rules().await?;
        self.read_policy_lists();
        Ok(())
    }

    /// Reads lists that were not read since the start, and tries those again that could not be.
    pub(super) async fn keep_policies(self) {
        loop {
            self.read_policy_lists();
            tokio::select! {
                () = tokio::time::sleep(HOURLY) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Reads what was not read of the lists.
    pub(super) fn read_policy_lists(&self) {
        let unread = |(name, list): (&String, &List)| (!list.unread.is_nothing()).then(|| name.clone());
        let unread: Vec<String> = self.policy.lists().named.iter().filter_map(unread).collect();
        unread.into_iter().for_each(|name| self.wake_policy_list(name));
    }

    fn wake_policy_list(&self, name: String) {
        let bridge = self.clone();
        let work = move |name: String| bridge.clone().keep_policy_list(name);
        self.policy.lanes.wake(&self.tasks, &self.stop, name, work);
    }

    /// Whether an event is a policy list's, which is no room of ours otherwise. What a state there says is asked for, by its
    /// type and key. Somebody may be out of it by that.
    pub(super) fn is_of_policy_list(&self, room_id: &str, state: Option<(&str, &str)>, is_out: bool) -> bool {
        let Some(name) = self.policy.list_in(room_id) else { return false };
        let Some((kind, state_key)) = state else { return true };
        if kind == "m.room.member" && is_out && state_key == self.client.bot() {
            tracing::warn!(
                list = name,
                "the bot was taken out of a policy list: what it said holds; to follow it again, invite the bot there"
            );
            if let Some(list) = self.policy.lists().named.get_mut(&name) {
                (list.room_id, list.unread) = (None, Unread::All);
            }
        } else if about(kind).is_some() && !state_key.contains('\0') {
            let change = (kind.to_owned(), state_key.to_owned());
            self.policy.add_unread(&name, Unread::Changes(BTreeSet::from([change])));
            self.wake_policy_list(name);
        }
        true
    }

    /// Whether a room is a list that the configuration names by its id, so that the bot enters it when it is invited.
    pub(super) fn is_policy_list(&self, room_id: &str) -> bool {
        self.policy.lists().named.contains_key(room_id)
    }

    async fn keep_policy_list(self, name: String) {
        if self.stop.run_until_cancelled(tokio::time::sleep(SETTLE)).await.is_none() {
            return;
        }
        let read = self.insist(|| Box::pin(self.read_policy_list(&name))).await;
        if let Some(Err(error)) = read {
            tracing::warn!(
                list = name,
                %error,
                "a policy list can't be read, and what it said before holds; it is tried again within the hour, or when \
                 somebody invites the bot to its room"
            );
        }
    }

    async fn read_policy_list(&self, name: &str) -> Result<(), GhostError> {
        let Some((room_id, unread)) = self.policy.take_unread(name) else { return Ok(()) };
        if unread.is_nothing() {
            return Ok(());
        }
        let done = self.read_unread(name, room_id, &unread).await;
        if done.is_err() {
            self.policy.add_unread(name, unread);
        }
        done
    }

    async fn read_unread(
        &self,
        name: &str,
        room_id: Option<String>,
        unread: &Unread,
    ) -> Result<(), GhostError> {
        let room_id = match room_id {
            Some(room_id) => room_id,
            None => {
                let room_id = self.client.enter(name).await?;
                if self.store.room_by_matrix_id(&room_id).await?.is_some() {
                    // What happens there is for others; an alias may be made to lead anywhere.
                    tracing::error!(
                        list = name,
                        room = room_id,
                        "a policy list leads to a room that shows IRC: it is not read"
                    );
                    return Ok(());
                }
                // From now on its events are known. What is read below is behind that.
                if let Some(list) = self.policy.lists().named.get_mut(name) {
                    list.room_id = Some(room_id.clone());
                }
                room_id
            }
        };
        match unread {
            Unread::All => {
                let states = self.client.states(&room_id, |kind| about(kind).is_some()).await?;
                let keyed = states.into_iter().map(|state| ((state.kind, state.state_key), state.content));
                let mut rules: BTreeMap<RuleKey, PolicyRule> = keyed
                    .filter_map(|(key, content)| Some((key.clone(), read_rule(&key, &content)?)))
                    .collect();
                while rules.len() > MOST_RULES {
                    rules.pop_last();
                }
                tracing::info!(list = name, rules = rules.len(), "a policy list was read");
                self.store.set_policy_rules(name, rules.values().cloned().collect()).await?;
                if let Some(list) = self.policy.lists().named.get_mut(name) {
                    list.rules = rules;
                }
            }
            Unread::Changes(changes) => {
                let mut read = Vec::new();
                for key in changes {
                    let state = self.client.state(self.client.bot(), &room_id, &key.0, &key.1).await?;
                    read.push((key.clone(), state.and_then(|content| read_rule(key, &content))));
                }
                self.store.change_policy_rules(name, read.clone()).await?;
                if let Some(list) = self.policy.lists().named.get_mut(name) {
                    for (key, rule) in read {
                        match rule {
                            Some(rule) if list.rules.len() < MOST_RULES => _ = list.rules.insert(key, rule),
                            _ => _ = list.rules.remove(&key),
                        }
                    }
                }
            }
        }
        Ok(self.apply_rules().await?)
    }

    /// The rules of the configuration and of all lists.
    fn gather_rules(&self) -> Rules {
        let ghosts = format!("@{}", self.config.templates.ghost.prefix());
        let ours = Ours { bot: self.client.bot(), ghosts: &ghosts, domain: &self.config.homeserver.domain };
        let mut lists = self.policy.lists();
        let mut rules = Rules::default();
        let by_configuration = Arc::new(Exclusion { list: None, reason: String::new() });
        for mask in &lists.fixed {
            let about = if mask.starts_with('@') { About::User } else { About::Server };
            rules.add(&ours, about, mask, &by_configuration);
        }
        let (mut passed_over, mut is_full) = (BTreeSet::new(), false);
        for (name, list) in &lists.named {
            for rule in list.rules.values() {
                let why = Arc::new(Exclusion { list: Some(name.clone()), reason: rule.reason.clone() });
                match about(&rule.kind).map(|about| rules.add(&ours, about, &rule.entity, &why)) {
                    Some(Added::Ours) => _ = passed_over.insert((name.clone(), rule.entity.clone())),
                    Some(Added::TooMany) => is_full = true,
                    Some(Added::Heeded) | None => {}
                }
            }
        }
        for (list, rule) in passed_over.difference(&lists.passed_over) {
            tracing::warn!(list, rule, "a rule is passed over that fits this bridge itself");
        }
        if is_full && !lists.is_full {
            tracing::warn!("of all policy lists {MOST_RULES} rules are heeded, and there are more");
        }
        (lists.passed_over, lists.is_full) = (passed_over, is_full);
        rules
    }

    /// The rules are others: sessions end and begin by them, whoever loses theirs is told why, and ghosts go and come.
    async fn apply_rules(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.policy.changing.lock().await;
        let before = self.policy.replace(self.gather_rules());
        let after = self.policy.rules();
        tracing::debug!(rules = after.len(), "rules of who is excluded hold");
        let mut excluded = Vec::new();
        let mut seen = HashSet::new();
        for session in self.sessions(None) {
            let user_id = &session.row.user_id;
            if seen.insert(user_id.clone())
                && before.of(user_id).is_none()
                && self.admission.of(user_id) > Permission::None
                && let Some(why) = self.exclusion_of(user_id)
            {
                excluded.push((session.row.user, user_id.clone(), why));
            }
        }
        self.renew_sessions().await?;
        for (user, user_id, why) in excluded {
            tracing::info!(%user_id, %why, "a user is excluded from now on");
            let text = RichText::new().bold("You can't use this bridge any more").text(format!(
                ": you are {why}. Your connections to IRC are closed; what was said there is kept. Should that be a \
                 mistake, its administrator or the list's people can take it back."
            ));
            self.tell(user, &user_id, &text).await?;
        }
        if before.concern_ghosts() || after.concern_ghosts() {
            let bridge = self.clone();
            self.tasks.spawn(async move {
                for session in bridge.sessions(None) {
                    drop(session.ask(Request::Members(MembersRequest::Excluded)).await);
                }
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::a_ban("m.policy.rule.user", json!({ "entity": "@a:b", "recommendation": "m.ban", "reason": "spam" }), true)]
    #[case::of_a_server("m.policy.rule.server", json!({ "entity": "b", "recommendation": "m.ban" }), true)]
    #[case::by_an_old_name("org.matrix.mjolnir.rule.user", json!({ "entity": "@a:b", "recommendation": "org.matrix.mjolnir.ban" }), true)]
    #[case::of_a_room("m.policy.rule.room", json!({ "entity": "!a:b", "recommendation": "m.ban" }), false)]
    #[case::something_else("m.policy.rule.user", json!({ "entity": "@a:b", "recommendation": "m.takedown" }), false)]
    #[case::taken_back("m.policy.rule.user", json!({}), false)]
    #[case::no_text("m.policy.rule.user", json!({ "entity": 7, "recommendation": "m.ban" }), false)]
    #[case::no_id("m.policy.rule.user", json!({ "entity": "@a\0:b", "recommendation": "m.ban" }), false)]
    fn a_rule_is_what_recommends_a_ban(#[case] kind: &str, #[case] content: Value, #[case] is_rule: bool) {
        assert_eq!(read_rule(&(kind.to_owned(), "key".to_owned()), &content).is_some(), is_rule);
    }

    #[test]
    fn a_reason_is_one_line_that_can_stand_in_any_text() {
        let content = json!({ "entity": "@a:b", "recommendation": "m.ban", "reason": format!("a\nb\u{202e}{}", "c".repeat(500)) });
        let rule = read_rule(&("m.policy.rule.user".to_owned(), String::new()), &content).unwrap();
        assert!(
            rule.reason.starts_with("a bc") && rule.reason.chars().count() == LONGEST_REASON,
            "{}",
            rule.reason
        );
    }

    #[test]
    fn invariant_9_many_changes_are_one_look_at_the_whole_list() {
        let mut unread = Unread::none();
        assert!(unread.is_nothing());
        for number in 0..=MOST_CHANGES {
            assert!(matches!(unread, Unread::Changes(_)));
            unread.add(Unread::Changes(BTreeSet::from([("kind".to_owned(), number.to_string())])));
        }
        assert_eq!(unread, Unread::All);
        unread.add(Unread::none());
        assert_eq!(unread, Unread::All);
    }
}
