-- What policy lists say, as it was read last, so that it holds from the start on.
CREATE TABLE policy_rule (
    list      TEXT NOT NULL,                        -- as the configuration calls it: an alias, or a room's id
    kind      TEXT NOT NULL,                        -- the type of the rule's event
    state_key TEXT NOT NULL,
    entity    TEXT NOT NULL,                        -- whom it is about: a pattern of Matrix ids, or of servers' names
    reason    TEXT NOT NULL,
    PRIMARY KEY (list, kind, state_key)
) STRICT, WITHOUT ROWID;
