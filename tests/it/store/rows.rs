//! A row for each table, with what is hard to carry (nothing, signs of all kinds, truths, bytes, large numbers), as each
//! version of the schema could have it. A migration that makes a table adds a row here, and one for a new column.

use super::Raw;
use crate::support::database::TestDatabase;

/// Since which migration, in which table, and the statement. `BYTES(00ff)` becomes what the engine takes.
const ROWS: [(i64, &str, &str); 45] = [
    (1, "user", r#"INSERT INTO "user" (user_id, created_at) VALUES ('@alice:x', 1)"#),
    (
        1,
        "network",
        r#"INSERT INTO network (slug, name, owner, created_at) VALUES ('fake', 'It''s "mine" \ 日本 🎉', 1, -1)"#,
    ),
    (1, "channel", "INSERT INTO channel (network, folded, name) VALUES ('fake', '#a', '#A')"),
    (1, "session", r#"INSERT INTO session ("user", network, connect, created_at) VALUES (1, 'fake', TRUE, 2)"#),
    (
        1,
        "buffer",
        "INSERT INTO buffer (session, kind, channel, folded, name, wanted, key, topic)
            VALUES (1, 'channel', 1, '#a', '#A', TRUE, BYTES(00ff0a22), 'line\nbreak')",
    ),
    (
        1,
        "buffer",
        "INSERT INTO buffer (session, kind, folded, name, wanted) VALUES (1, 'query', 'bob', 'Bob', FALSE)",
    ),
    (
        1,
        "room",
        "INSERT INTO room (kind, marker, creator, lane, created_at, explained)
            VALUES ('private', 'm', '@b:x', 'l', 9007199254740993, TRUE)",
    ),
    (1, "link", "INSERT INTO link (room, role, buffer) VALUES (1, 'private', 1)"),
    (
        1,
        "ghost",
        "INSERT INTO ghost (network, folded, nick, user_id, in_lobby, seen_at)
            VALUES ('fake', 'bob', 'Bob', '@bob:x', TRUE, 2)",
    ),
    (1, "member", "INSERT INTO member (room, ghost, wanted, reason) VALUES (1, 1, FALSE, '')"),
    (
        1,
        "setting",
        "INSERT INTO setting (scope, scope_id, key, value) VALUES ('user', '1', 'nick', BYTES(616c))",
    ),
    (
        1,
        "inbox",
        "INSERT INTO inbox (event_id, room_id, lane, state, payload, received_at)
            VALUES ('$e', '!r', 'l', 'new', BYTES(), 3)",
    ),
    (
        1,
        "irc_line",
        "INSERT INTO irc_line (session, buffer, event_id, part, state, created_at) VALUES (1, 1, '$e', 0, 'queued', 4)",
    ),
    (
        1,
        "outbox",
        "INSERT INTO outbox (room, txn_id, sender, kind, state, created_at) VALUES (1, 't', '@b:x', 'invite', 'queued', 5)",
    ),
    // A number that was given and is free again.
    (
        1,
        "",
        "INSERT INTO outbox (room, txn_id, sender, kind, state, created_at) VALUES (1, 'u', '@b:x', 'state', 'done', 5);
         DELETE FROM outbox WHERE txn_id = 'u'",
    ),
    (
        1,
        "history",
        "INSERT INTO history (id, buffer, at, kind, sender, text, direction) OVERRIDING
            VALUES (112, 1, 7, 'message', 'bob', 'tea or coffee', 'in')",
    ),
    (2, "fold", "INSERT INTO fold (room, lines, first_at, last_at) VALUES (1, 1, 6, 7)"),
    (
        3,
        "prompt",
        "INSERT INTO prompt (buffer, event_id, button, txn_id, state, created_at) VALUES (1, '$e', 'b', 't', 'open', 8)",
    ),
    (3, "hourglass", "INSERT INTO hourglass (event_id, buffer, txn_id) VALUES ('$e', 1, 't')"),
    (6, "sts_policy", "INSERT INTO sts_policy (host, port, expires_at) VALUES ('irc.example.org', 6697, 13)"),
    (10, "reaction", "INSERT INTO reaction (buffer, msgid, nick, key, created_at) VALUES (1, 'm', 'bob', '👍', 9)"),
    (
        12,
        "published",
        "INSERT INTO published (id, kind, buffer, event_id, created_at) VALUES ('p', 'text', 1, '$e', 10)",
    ),
    (13, "", "UPDATE room SET founder = '@f:x', heir = '@h:x'"),
    (
        17,
        "question",
        r#"INSERT INTO question (txn_id, "user", matter, buttons, created_at) VALUES ('t', 1, '{}', '[]', 11)"#,
    ),
    (17, "space", "INSERT INTO space (session, marker, created_at) VALUES (1, 'm3', 12)"),
    (17, "space_child", "INSERT INTO space_child (session, room_id, place) VALUES (1, '!r', 'a')"),
    (18, "", "UPDATE member SET spoke_at = 14"),
    (30, "", "UPDATE member SET rank = '@'"),
    (
        27,
        "timed_ban",
        "INSERT INTO timed_ban (buffer, letter, entry, until, reason) VALUES (1, 'b', '*!*@x', 15, 'loud')",
    ),
    (29, "", "UPDATE room SET aliased = TRUE"),
    (35, "", "UPDATE room SET plumbed = 'configuration'"),
    (35, "outsider", "INSERT INTO outsider (room, user_id, told) VALUES (1, '@alice:x', TRUE)"),
    (37, "", "UPDATE room SET successor = 2"),
    (38, "", "UPDATE link SET relays = TRUE"),
    (43, "stay", "INSERT INTO stay (buffer, channel, since, until) VALUES (1, 1, 16, 32)"),
    (41, "", "UPDATE room SET asked_by = 1"),
    (44, "", "UPDATE inbox SET person = '@alice:x'"),
    (46, "", "UPDATE room SET former = 1"),
    (52, "", "UPDATE link SET listens = TRUE"),
    (54, "replaced", "INSERT INTO replaced (old, new) VALUES ('!old:x', '!new:x')"),
    (53, "", "UPDATE network SET casemapping = 'ascii', chantypes = '#&'"),
    (51, "", "UPDATE buffer SET offered = TRUE"),
    (22, "", "UPDATE buffer SET detached_after = 9223372036854775807"),
    (23, "", r#"UPDATE network SET definition = '{"servers":[]}'"#),
    (
        40,
        "policy_rule",
        "INSERT INTO policy_rule (list, kind, state_key, entity, reason)
            VALUES ('#list:x', 'm.policy.rule.user', 'rule:@*:b', '@*:b', '')",
    ),
];

/// The tables in which there is a row, at this version of the schema.
pub(super) fn tables(version: i64) -> impl Iterator<Item = &'static str> {
    ROWS.into_iter()
        .filter(move |(since, table, _)| *since <= version && !table.is_empty())
        .map(|(_, table, _)| table)
}

/// Puts a row in each table that a version of the schema has.
pub(super) async fn fill(raw: &mut Raw, database: &TestDatabase, version: i64) {
    for (_, _, sql) in ROWS.into_iter().filter(|(since, ..)| *since <= version) {
        raw.execute(for_engine(sql, database).leak()).await;
    }
}

fn for_engine(sql: &str, database: &TestDatabase) -> String {
    let is_sqlite = database.url().starts_with("sqlite");
    let overriding = if is_sqlite { "" } else { "OVERRIDING SYSTEM VALUE" };
    let (begin, end) = if is_sqlite { ("x'", "'") } else { (r"'\x", "'::bytea") };
    let sql = sql.replace("OVERRIDING", overriding);
    let mut parts = sql.split("BYTES(");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (bytes, rest) = part.split_once(')').unwrap();
        text.push_str(&format!("{begin}{bytes}{end}{rest}"));
    }
    text
}
