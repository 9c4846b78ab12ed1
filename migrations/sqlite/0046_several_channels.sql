-- no-transaction
-- A room of other people may show several channels: it has a row for each, with the same Matrix id, and each of them gets
-- a copy of what is said there. So a message may be lines of several buffers.
--
-- SQLite changes such constraints only by making the table anew, which must not delete what refers to it: foreign keys are
-- off meanwhile, and that can't be in sqlx's transaction. Done once more after a crash it makes the same again. Where a
-- statement fails, nothing is stored, and the connection goes with the start that fails.
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;

CREATE TABLE room_anew (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id         TEXT,                           -- NULL until the homeserver has made it
    kind            TEXT NOT NULL CHECK (kind IN ('control', 'network', 'lobby', 'private', 'query', 'shared')),
    marker          TEXT NOT NULL UNIQUE,           -- in its m.room.create, to find it again after a crash
    creator         TEXT NOT NULL,                  -- the Matrix user who makes it
    owner           INTEGER REFERENCES "user" (id), -- the one person who may speak through it; NULL when shared
    lane            TEXT NOT NULL,                  -- whose queue its incoming events wait in
    explained       INTEGER NOT NULL DEFAULT 0,     -- that the bridge can't read it, once it is encrypted
    created_at      INTEGER NOT NULL,
    looked_at_event TEXT,
    refill          INTEGER NOT NULL DEFAULT 0,
    founder         TEXT,
    heir            TEXT,
    owner_left      INTEGER NOT NULL DEFAULT 0,
    aliased         INTEGER NOT NULL DEFAULT 0,
    plumbed         TEXT CHECK (plumbed IN ('configuration', 'command', 'ending')),
    successor       INTEGER,
    asked_by        INTEGER REFERENCES "user" (id) ON DELETE SET NULL,
    former          INTEGER                         -- the channel that other people's room has shown before
) STRICT;
INSERT INTO room_anew (id, room_id, kind, marker, creator, owner, lane, explained, created_at, looked_at_event, refill,
        founder, heir, owner_left, aliased, plumbed, successor, asked_by)
    SELECT id, room_id, kind, marker, creator, owner, lane, explained, created_at, looked_at_event, refill,
        founder, heir, owner_left, aliased, plumbed, successor, asked_by FROM room;
DELETE FROM sqlite_sequence WHERE name = 'room_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'room_anew', seq FROM sqlite_sequence WHERE name = 'room';
DROP TABLE room;
ALTER TABLE room_anew RENAME TO room;
CREATE INDEX room_room_id ON room (room_id);
CREATE UNIQUE INDEX room_own ON room (room_id) WHERE plumbed IS NULL;

CREATE TABLE inbox_anew (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    TEXT NOT NULL,
    room        INTEGER NOT NULL DEFAULT 0,         -- the row of its room that it is for; 0 while that is not known
    room_id     TEXT NOT NULL,
    lane        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'done', 'failed')),
    payload     BLOB,                               -- sealed; erased when done
    note        TEXT,                               -- why it failed
    received_at INTEGER NOT NULL,
    person      TEXT
) STRICT;
-- What waits is for the one row that its room has until now.
INSERT INTO inbox_anew (seq, event_id, room, room_id, lane, state, payload, note, received_at, person)
    SELECT seq, event_id,
        CASE WHEN state = 'new' THEN COALESCE((SELECT MIN(id) FROM room WHERE room.room_id = inbox.room_id), 0) ELSE 0 END,
        room_id, lane, state, payload, note, received_at, person FROM inbox;
DELETE FROM sqlite_sequence WHERE name = 'inbox_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'inbox_anew', seq FROM sqlite_sequence WHERE name = 'inbox';
DROP TABLE inbox;
ALTER TABLE inbox_anew RENAME TO inbox;
CREATE UNIQUE INDEX inbox_event ON inbox (event_id, room);
CREATE INDEX inbox_new ON inbox (lane, seq) WHERE state = 'new';
CREATE INDEX inbox_stray ON inbox (room_id, seq) WHERE state = 'new' AND lane = 'stray';
CREATE INDEX inbox_received ON inbox (received_at);
CREATE INDEX inbox_person ON inbox (person) WHERE person IS NOT NULL;

CREATE TABLE irc_line_anew (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session    INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    buffer     INTEGER NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL,                       -- the Matrix event it belongs to …
    part       INTEGER NOT NULL,                    -- … and which of its lines in the buffer it is
    state      TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'confirmed', 'refused', 'uncertain')),
    payload    BLOB,                                -- sealed; erased when settled
    note       TEXT,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO irc_line_anew (id, session, buffer, event_id, part, state, payload, note, created_at)
    SELECT id, session, buffer, event_id, part, state, payload, note, created_at FROM irc_line;
DELETE FROM sqlite_sequence WHERE name = 'irc_line_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'irc_line_anew', seq FROM sqlite_sequence WHERE name = 'irc_line';
DROP TABLE irc_line;
ALTER TABLE irc_line_anew RENAME TO irc_line;
CREATE UNIQUE INDEX irc_line_part ON irc_line (event_id, part, buffer);
CREATE INDEX irc_line_open ON irc_line (session, id) WHERE state IN ('queued', 'sending');
CREATE INDEX irc_line_buffer ON irc_line (buffer);
CREATE INDEX irc_line_session ON irc_line (session);

CREATE TABLE hourglass_anew (
    event_id TEXT NOT NULL,
    buffer   INTEGER NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    txn_id   TEXT NOT NULL,                         -- of the reaction's row
    PRIMARY KEY (event_id, buffer)
) STRICT;
INSERT INTO hourglass_anew (event_id, buffer, txn_id) SELECT event_id, buffer, txn_id FROM hourglass;
DROP TABLE hourglass;
ALTER TABLE hourglass_anew RENAME TO hourglass;
CREATE INDEX hourglass_buffer ON hourglass (buffer);

COMMIT;
PRAGMA foreign_keys = ON;
