-- What delivery needs beyond one request per line: events that stand for several rows, times of their own, reactions,
-- lines that went to history only, and how far each room was looked back through.

-- SQLite can't change a CHECK: the table is made anew, with the numbers that its rows have.
CREATE TABLE outbox_new (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    room       INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    txn_id     TEXT NOT NULL UNIQUE,                -- also the event's content key
    sender     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('message', 'state', 'redact', 'invite', 'reaction')),
    payload    BLOB,                                -- sealed; erased when done
    ts         INTEGER,                             -- the event's own time, where it is not the time of sending
    batch      INTEGER,                             -- the seq of the first row of the event that this one is part of
    history    INTEGER,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'done', 'refused')),
    event_id   TEXT,
    note       TEXT,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_new (seq, room, txn_id, sender, kind, payload, history, state, event_id, note, created_at)
    SELECT seq, room, txn_id, sender, kind, payload, history, state, event_id, note, created_at FROM outbox;
-- Numbers are given out once, also those of rows that are gone.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'outbox_new', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox_new');
UPDATE sqlite_sequence
    SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0))
    WHERE name = 'outbox_new';
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_queued ON outbox (room, seq) WHERE state = 'queued';
CREATE INDEX outbox_created ON outbox (created_at);

-- Lines of a room that its outbox had no room for: one event will stand for them.
CREATE TABLE fold (
    room     INTEGER PRIMARY KEY REFERENCES room (id) ON DELETE CASCADE,
    lines    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT;

-- The newest event that was seen when the room was last looked back through.
ALTER TABLE room ADD COLUMN looked_at_event TEXT;
