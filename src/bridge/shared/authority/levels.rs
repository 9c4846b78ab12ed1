//! What a shared room's power levels say, from its channel's ranks and modes.
//!
//! Whatever is not listed takes all power, and what would take the room out of the bridge's hands is listed with that:
//! an operator may list what is not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::super::session::ChannelRules;
use crate::irc::rank::Rank;

pub(super) const LEVELS: &str = "m.room.power_levels";
pub(super) const JOIN_RULES: &str = "m.room.join_rules";
/// What speaking takes where not everybody may.
pub(super) const VOICE: i64 = 10;

/// What moderating takes.
const OPERATOR: i64 = 50;
const ALL: i64 = 100;
/// What the bridge keeps to itself besides what it does in all rooms.
const KEPT: [&str; 19] = [
    "m.room.name",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.guest_access",
    "m.room.pinned_events",
    "m.room.third_party_invite",
    "m.room.related_groups",
    "m.space.child",
    "m.space.parent",
    "m.room.retention",
    "m.room.policy",
    "org.matrix.msc4284.policy",
    "m.policy.rule.user",
    "m.policy.rule.room",
    "m.policy.rule.server",
    "m.widget",
    "im.vector.modular.widgets",
    "m.call.member",
    "org.matrix.msc3401.call.member",
];

/// The power of a rank in its channel's room.
pub(super) fn level_of(rank: Rank) -> i64 {
    match rank {
        Rank::Owner => 70,
        Rank::Protected => 60,
        Rank::Operator => OPERATOR,
        Rank::HalfOperator => 25,
        Rank::Voice => VOICE,
    }
}

/// Powers above nobody's, by Matrix ids.
pub(super) type PowersByUser = BTreeMap<String, i64>;

/// A shared room's power levels, with the powers of ranks. Of those that it has now, only the voices of these ghosts stay, and
/// whether everybody speaks and sets the topic where that is not known.
pub(super) fn with_ranks(
    mut levels: Value,
    users: PowersByUser,
    rules: Option<ChannelRules>,
    current: &Value,
    heard: &BTreeSet<String>,
) -> Value {
    let was_moderated = current["events_default"].as_i64().is_some_and(|level| level >= VOICE);
    let is_moderated = rules.map_or(was_moderated, |rules| rules.is_moderated);
    if let Some(listed) = levels["users"].as_object_mut() {
        let heard = heard.iter().filter(|_| is_moderated);
        listed.extend(heard.map(|user_id| (user_id.clone(), VOICE.into())));
        listed.extend(users.into_iter().map(|(user_id, level)| (user_id, level.into())));
    }
    if is_moderated {
        levels["events_default"] = VOICE.into();
    }
    let anybody_set_topic = current["events"]["m.room.topic"] == 0;
    let anybody_sets_topic = rules.map_or(anybody_set_topic, |rules| !rules.is_topic_locked);
    for (kind, level) in [
        ("m.room.topic", if anybody_sets_topic { 0 } else { OPERATOR }),
        (LEVELS, OPERATOR),
        (JOIN_RULES, OPERATOR),
    ] {
        levels["events"][kind] = level.into();
    }
    // An operator could say what is not listed, and take it.
    for kind in KEPT {
        levels["events"][kind] = ALL.into();
    }
    levels["kick"] = OPERATOR.into();
    levels["ban"] = OPERATOR.into();
    levels
}

#[cfg(test)]
mod tests {
    use super::super::super::super::rooms::{Homeserver, shared_power_levels};
    use super::super::super::super::session::Entrance;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const RULES: ChannelRules =
        ChannelRules { entrance: Entrance::Open, is_moderated: false, is_topic_locked: false };

    fn levels(rules: Option<ChannelRules>, current: &Value) -> Value {
        let homeserver = Homeserver { room_version: "11".to_owned() };
        let base = shared_power_levels(&homeserver, "@bot:x");
        let users = PowersByUser::from([("@a:x".to_owned(), 50), ("@irc_bob:x".to_owned(), 25)]);
        let heard = BTreeSet::from(["@irc_dan:x".to_owned(), "@irc_bob:x".to_owned()]);
        with_ranks(base, users, rules, current, &heard)
    }

    #[rstest]
    #[case::where_everybody_speaks(RULES, json!({}))]
    #[case::where_not_everybody_does(
        ChannelRules { is_moderated: true, ..RULES },
        json!({ "@irc_dan:x": 10 })
    )]
    fn nobody_keeps_a_power_that_irc_does_not_give_but_the_voice_of_a_ghost(
        #[case] rules: ChannelRules,
        #[case] kept: Value,
    ) {
        let mut expected = json!({ "@bot:x": 100, "@a:x": 50, "@irc_bob:x": 25 });
        expected.as_object_mut().unwrap().extend(kept.as_object().unwrap().clone());
        let had = json!({ "@b:x": 100, "@c:x": 10, "@irc_dan:x": 50 });
        let current = json!({ "users": had, "users_default": 50, "state_default": 0, "events_default": 0 });
        let levels = levels(Some(rules), &current);
        assert_eq!(levels["users"], expected);
        assert_eq!((&levels["users_default"], &levels["state_default"]), (&json!(0), &json!(100)));
    }

    #[rstest]
    #[case::open(Some(RULES), (10, 50), (0, 0))]
    #[case::moderated(Some(ChannelRules { is_moderated: true, ..RULES }), (0, 0), (10, 0))]
    #[case::topic(Some(ChannelRules { is_topic_locked: true, ..RULES }), (0, 0), (0, 50))]
    #[case::not_known(None, (0, 50), (0, 50))]
    #[case::not_known_of_a_new_one(None, (0, 100), (0, 50))]
    #[case::not_known_of_an_open_one(None, (0, 0), (0, 0))]
    #[case::not_known_of_a_moderated_one(None, (10, 50), (10, 50))]
    fn speaking_and_the_topic_take_what_the_channels_modes_say(
        #[case] rules: Option<ChannelRules>,
        #[case] before: (i64, i64),
        #[case] expected: (i64, i64),
    ) {
        let current = json!({ "events_default": before.0, "events": { "m.room.topic": before.1 } });
        let levels = levels(rules, &current);
        let found = (levels["events_default"].as_i64(), levels["events"]["m.room.topic"].as_i64());
        assert_eq!(found, (Some(expected.0), Some(expected.1)));
    }

    #[test]
    fn what_would_take_the_room_out_of_the_bridges_hands_takes_all_power() {
        let levels = levels(Some(RULES), &json!({}));
        for kind in
            KEPT.iter().chain(&["m.room.encryption", "m.room.tombstone", "m.room.server_acl", "m.bridge"])
        {
            assert_eq!(levels["events"][kind], 100, "{kind}");
        }
        assert_eq!((&levels["state_default"], &levels["redact"]), (&json!(100), &json!(100)));
    }
}
