-- Messages that are known by their ids on both sides, so that what is said about them finds them.

-- Replies, reactions and redactions name an event.
CREATE INDEX history_event ON history (buffer, event_id) WHERE event_id IS NOT NULL AND msgid IS NOT NULL;

-- Reactions, so that they can be taken back on either side.
CREATE TABLE reaction (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    buffer     INTEGER NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    msgid      TEXT NOT NULL,                       -- of the message on IRC
    nick       TEXT NOT NULL,                       -- whose it is, folded
    key        TEXT NOT NULL,
    txn_id     TEXT,                                -- of the row that shows it, where it came from IRC
    event_id   TEXT,                                -- the user's own, where it came from a room
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX reaction_message ON reaction (buffer, msgid, nick, key);
CREATE INDEX reaction_event ON reaction (buffer, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX reaction_created ON reaction (created_at);

-- Up to which time the user has read on IRC, as its server knows.
ALTER TABLE buffer ADD COLUMN read_at INTEGER;
