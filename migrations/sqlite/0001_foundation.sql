-- The shapes that docs/architecture.md describes; the same tables, with the same columns, as the PostgreSQL file of
-- this number. Times are milliseconds since 1970. Landed migrations are never edited.

-- Facts about this installation: its id, and a sealed probe that proves the secret key.
CREATE TABLE instance (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE "user" (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE network (
    slug       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    owner      INTEGER REFERENCES "user" (id),      -- NULL: the administrator's or a preset
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE channel (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    network TEXT NOT NULL REFERENCES network (slug),
    folded  TEXT NOT NULL,
    name    TEXT NOT NULL,
    UNIQUE (network, folded)
) STRICT;

CREATE TABLE session (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    "user"     INTEGER NOT NULL REFERENCES "user" (id),
    network    TEXT NOT NULL REFERENCES network (slug),
    name       TEXT NOT NULL DEFAULT '',            -- tells several sessions on one network apart
    connect    INTEGER NOT NULL,                    -- whether it should be connected
    owner      TEXT,                                -- the instance that runs it …
    epoch      INTEGER NOT NULL DEFAULT 0,          -- … since this many takeovers; checked in each write
    created_at INTEGER NOT NULL,
    UNIQUE ("user", network, name)
) STRICT;

CREATE TABLE buffer (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('channel', 'query')),
    channel INTEGER REFERENCES channel (id),        -- for kind 'channel'
    folded  TEXT NOT NULL,
    name    TEXT NOT NULL,
    wanted  INTEGER NOT NULL,                       -- whether the channel should be joined
    key     BLOB,                                   -- the channel's key, sealed
    topic   TEXT,                                   -- as last shown in its room
    UNIQUE (session, kind, folded)
) STRICT;

CREATE TABLE room (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id    TEXT UNIQUE,                         -- NULL until the homeserver has made it
    kind       TEXT NOT NULL CHECK (kind IN ('control', 'network', 'lobby', 'private', 'query', 'shared')),
    marker     TEXT NOT NULL UNIQUE,                -- in its m.room.create, to find it again after a crash
    creator    TEXT NOT NULL,                       -- the Matrix user who makes it
    owner      INTEGER REFERENCES "user" (id),      -- the one person who may speak through it; NULL when shared
    lane       TEXT NOT NULL,                       -- whose queue its incoming events wait in
    explained  INTEGER NOT NULL DEFAULT 0, -- that the bridge can't read it, once it is encrypted
    created_at INTEGER NOT NULL
) STRICT;

-- What a room shows. One room may show several things, as a plumbed room does.
CREATE TABLE link (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    room    INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('control', 'network', 'lobby', 'private', 'shared', 'plumbed')),
    "user"  INTEGER REFERENCES "user" (id),
    network TEXT REFERENCES network (slug),
    session INTEGER REFERENCES session (id) ON DELETE CASCADE,
    buffer  INTEGER REFERENCES buffer (id) ON DELETE CASCADE,
    channel INTEGER REFERENCES channel (id)
) STRICT;
CREATE INDEX link_room ON link (room);
CREATE UNIQUE INDEX link_lobby ON link (network) WHERE role = 'lobby';
CREATE UNIQUE INDEX link_network ON link (session) WHERE role = 'network';
CREATE UNIQUE INDEX link_private ON link (buffer) WHERE role = 'private';
CREATE UNIQUE INDEX link_shared ON link (channel) WHERE role = 'shared';

CREATE TABLE ghost (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    network      TEXT NOT NULL REFERENCES network (slug),
    folded       TEXT NOT NULL,
    nick         TEXT NOT NULL,
    user_id      TEXT NOT NULL UNIQUE,
    display_name TEXT,                              -- as last set on the homeserver; NULL: not registered there yet
    in_lobby     INTEGER NOT NULL DEFAULT 0,
    seen_at      INTEGER NOT NULL,
    UNIQUE (network, folded)
) STRICT;

-- Which ghosts are in which rooms, and whether they should be.
CREATE TABLE member (
    room   INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    ghost  INTEGER NOT NULL REFERENCES ghost (id),
    wanted INTEGER NOT NULL,
    reason TEXT,                                    -- of the departure, for the homeserver
    kicker TEXT,                                    -- a departure by KICK is the bot's doing, not the ghost's
    PRIMARY KEY (room, ghost)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_ghost ON member (ghost);
CREATE INDEX member_unwanted ON member (room) WHERE NOT wanted;

CREATE TABLE setting (
    scope    TEXT NOT NULL CHECK (scope IN ('global', 'network', 'user', 'session', 'buffer')),
    scope_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    BLOB NOT NULL,                         -- UTF-8 text, sealed where the settings table says secret
    PRIMARY KEY (scope, scope_id, key)
) STRICT, WITHOUT ROWID;

-- Events from the homeserver, in the order of their commits. Kept 90 days as the memory of what was seen.
CREATE TABLE inbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    TEXT NOT NULL UNIQUE,
    room_id     TEXT NOT NULL,
    lane        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'done', 'failed')),
    payload     BLOB,                               -- sealed; erased when done
    note        TEXT,                               -- why it failed
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_new ON inbox (lane, seq) WHERE state = 'new';
CREATE INDEX inbox_stray ON inbox (room_id, seq) WHERE state = 'new' AND lane = 'stray';
CREATE INDEX inbox_received ON inbox (received_at);

-- Lines on their way to IRC.
CREATE TABLE irc_line (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session    INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    buffer     INTEGER NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL,                       -- the Matrix event it belongs to …
    part       INTEGER NOT NULL,                    -- … and which of its lines it is
    state      TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'confirmed', 'refused', 'uncertain')),
    payload    BLOB,                                -- sealed; erased when settled
    note       TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (event_id, part)
) STRICT;
CREATE INDEX irc_line_open ON irc_line (session, id) WHERE state IN ('queued', 'sending');

-- Requests on their way to the homeserver. The content of a row never changes once it is committed.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    room       INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    txn_id     TEXT NOT NULL UNIQUE,                -- also the event's content key
    sender     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('message', 'state', 'redact', 'invite')),
    payload    BLOB,                                -- sealed; erased when done
    history    INTEGER,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'done', 'refused')),
    event_id   TEXT,
    note       TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_queued ON outbox (room, seq) WHERE state = 'queued';
CREATE INDEX outbox_created ON outbox (created_at);

-- What was said. It belongs to the buffer in private rooms, to the channel in shared ones.
CREATE TABLE history (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    buffer    INTEGER REFERENCES buffer (id) ON DELETE CASCADE,
    channel   INTEGER REFERENCES channel (id),
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    sender    TEXT NOT NULL,
    account   TEXT,
    text      TEXT NOT NULL,
    msgid     TEXT,
    event_id  TEXT,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out'))
) STRICT;
CREATE INDEX history_buffer ON history (buffer, at);
CREATE INDEX history_channel ON history (channel, at);
