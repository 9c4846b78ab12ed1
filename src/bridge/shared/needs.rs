//! What a room of other people lacks for the people of IRC to come in and to be heard there, in words for those who can
//! change it.

use serde_json::Value;

use super::super::upgrades::power;

/// Each lack, with what to do about it. `rule` is the room's join rule.
pub(super) fn lacking(levels: &Value, rule: &str, bot: &str) -> Vec<String> {
    let number = |value: &Value, default: i64| power(value).unwrap_or(default);
    let everybody = number(&levels["users_default"], 0);
    let own = number(&levels["users"][bot], everybody);
    let mut lacking = Vec::new();
    let invite = number(&levels["invite"], 0);
    if rule != "public" && own < invite {
        lacking.push(format!(
            "The people of IRC can't come in: only those who are invited can, inviting needs power {invite}, and mine is \
             {own}. Somebody who may change powers here can give it to me: /op {bot} {invite}"
        ));
    }
    let said = number(&levels["events"]["m.room.message"], number(&levels["events_default"], 0));
    if everybody < said {
        lacking.push(format!(
            "What is said on IRC can't be shown: messages need power {said}, and whoever comes in from IRC has \
             {everybody}. Somebody who may change powers here can let everybody send messages, in the room's settings."
        ));
    }
    lacking
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const BOT: &str = "@towline:example.org";

    #[rstest]
    #[case::nothing_said(json!({}), "invite", &[])]
    #[case::open_to_all(json!({ "invite": 50 }), "public", &[])]
    #[case::by_invitation(json!({ "invite": 50 }), "invite", &["/op @towline:example.org 50"])]
    #[case::by_a_rule_of_its_own(json!({ "invite": 50 }), "restricted", &["inviting needs power 50, and mine is 0"])]
    #[case::the_bot_has_power(json!({ "invite": 50, "users": { BOT: 50 } }), "invite", &[])]
    #[case::everybody_has(json!({ "invite": 50, "users_default": 50 }), "invite", &[])]
    #[case::numbers_as_text(json!({ "invite": "50", "users": { BOT: "49" } }), "invite", &["mine is 49"])]
    #[case::for_announcements(json!({ "events_default": 50 }), "public", &["messages need power 50"])]
    #[case::messages_are_free(
        json!({ "events_default": 50, "events": { "m.room.message": 0 } }), "public", &[]
    )]
    #[case::neither(
        json!({ "invite": 100, "events": { "m.room.message": 10 } }), "knock", &["power 100", "need power 10"]
    )]
    fn what_a_room_lacks_is_said_with_what_to_do(
        #[case] levels: Value,
        #[case] rule: &str,
        #[case] parts: &[&str],
    ) {
        let lacking = lacking(&levels, rule, BOT);
        assert_eq!(lacking.len(), parts.len(), "{lacking:?}");
        for (said, part) in lacking.iter().zip(parts) {
            assert!(said.contains(part), "{said}");
        }
    }
}
