-- What is asked besides messages, who has left their rooms, and the space of a network.

-- The room's owner has left it, as far as the homeserver told.
ALTER TABLE room ADD COLUMN owner_left BOOLEAN NOT NULL DEFAULT FALSE;

-- Questions that a reaction answers, and that are not about a message of the user's.
CREATE TABLE question (
    txn_id     TEXT PRIMARY KEY,                    -- of the outbox row that asks
    "user"     BIGINT NOT NULL REFERENCES "user" (id),
    matter     TEXT NOT NULL,                       -- what is asked, as JSON
    buttons    TEXT NOT NULL,                       -- the rows of the reactions under it, as JSON
    created_at BIGINT NOT NULL
);
CREATE INDEX question_user ON question ("user", created_at);

-- A session's space: an intent until the homeserver has made it, as rooms are.
CREATE TABLE space (
    session    BIGINT PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    room_id    TEXT UNIQUE,
    marker     TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- The rooms that stand in it, as the homeserver was last told.
CREATE TABLE space_child (
    session BIGINT NOT NULL REFERENCES space (session) ON DELETE CASCADE,
    room_id TEXT NOT NULL,
    place   TEXT NOT NULL,                          -- the `order` in the space
    PRIMARY KEY (session, room_id)
);
