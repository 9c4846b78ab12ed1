-- The shapes that docs/architecture.md describes; the same tables, with the same columns, as the SQLite file of
-- this number. Times are milliseconds since 1970. Landed migrations are never edited.

-- Facts about this installation: its id, and a sealed probe that proves the secret key.
CREATE TABLE instance (
    key   TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE "user" (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE network (
    slug       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    owner      BIGINT REFERENCES "user" (id),      -- NULL: the administrator's or a preset
    created_at BIGINT NOT NULL
);

CREATE TABLE channel (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network TEXT NOT NULL REFERENCES network (slug),
    folded  TEXT NOT NULL,
    name    TEXT NOT NULL,
    UNIQUE (network, folded)
);

CREATE TABLE session (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "user"     BIGINT NOT NULL REFERENCES "user" (id),
    network    TEXT NOT NULL REFERENCES network (slug),
    name       TEXT NOT NULL DEFAULT '',            -- tells several sessions on one network apart
    connect    BOOLEAN NOT NULL,                    -- whether it should be connected
    owner      TEXT,                                -- the instance that runs it …
    epoch      BIGINT NOT NULL DEFAULT 0,          -- … since this many takeovers; checked in each write
    created_at BIGINT NOT NULL,
    UNIQUE ("user", network, name)
);

CREATE TABLE buffer (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session BIGINT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('channel', 'query')),
    channel BIGINT REFERENCES channel (id),        -- for kind 'channel'
    folded  TEXT NOT NULL,
    name    TEXT NOT NULL,
    wanted  BOOLEAN NOT NULL,                       -- whether the channel should be joined
    key     BYTEA,                                   -- the channel's key, sealed
    topic   TEXT,                                   -- as last shown in its room
    UNIQUE (session, kind, folded)
);

CREATE TABLE room (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id    TEXT UNIQUE,                         -- NULL until the homeserver has made it
    kind       TEXT NOT NULL CHECK (kind IN ('control', 'network', 'lobby', 'private', 'query', 'shared')),
    marker     TEXT NOT NULL UNIQUE,                -- in its m.room.create, to find it again after a crash
    creator    TEXT NOT NULL,                       -- the Matrix user who makes it
    owner      BIGINT REFERENCES "user" (id),      -- the one person who may speak through it; NULL when shared
    lane       TEXT NOT NULL,                       -- whose queue its incoming events wait in
    explained  BOOLEAN NOT NULL DEFAULT FALSE, -- that the bridge can't read it, once it is encrypted
    created_at BIGINT NOT NULL
);

-- What a room shows. One room may show several things, as a plumbed room does.
CREATE TABLE link (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room    BIGINT NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('control', 'network', 'lobby', 'private', 'shared', 'plumbed')),
    "user"  BIGINT REFERENCES "user" (id),
    network TEXT REFERENCES network (slug),
    session BIGINT REFERENCES session (id) ON DELETE CASCADE,
    buffer  BIGINT REFERENCES buffer (id) ON DELETE CASCADE,
    channel BIGINT REFERENCES channel (id)
);
CREATE INDEX link_room ON link (room);
CREATE UNIQUE INDEX link_lobby ON link (network) WHERE role = 'lobby';
CREATE UNIQUE INDEX link_network ON link (session) WHERE role = 'network';
CREATE UNIQUE INDEX link_private ON link (buffer) WHERE role = 'private';
CREATE UNIQUE INDEX link_shared ON link (channel) WHERE role = 'shared';

CREATE TABLE ghost (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network      TEXT NOT NULL REFERENCES network (slug),
    folded       TEXT NOT NULL,
    nick         TEXT NOT NULL,
    user_id      TEXT NOT NULL UNIQUE,
    display_name TEXT,                              -- as last set on the homeserver; NULL: not registered there yet
    in_lobby     BOOLEAN NOT NULL DEFAULT FALSE,
    seen_at      BIGINT NOT NULL,
    UNIQUE (network, folded)
);

-- Which ghosts are in which rooms, and whether they should be.
CREATE TABLE member (
    room   BIGINT NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    ghost  BIGINT NOT NULL REFERENCES ghost (id),
    wanted BOOLEAN NOT NULL,
    reason TEXT,                                    -- of the departure, for the homeserver
    kicker TEXT,                                    -- a departure by KICK is the bot's doing, not the ghost's
    PRIMARY KEY (room, ghost)
);
CREATE INDEX member_ghost ON member (ghost);
CREATE INDEX member_unwanted ON member (room) WHERE NOT wanted;

CREATE TABLE setting (
    scope    TEXT NOT NULL CHECK (scope IN ('global', 'network', 'user', 'session', 'buffer')),
    scope_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    BYTEA NOT NULL,                         -- UTF-8 text, sealed where the settings table says secret
    PRIMARY KEY (scope, scope_id, key)
);

-- Events from the homeserver, in the order of their commits. Kept 90 days as the memory of what was seen.
CREATE TABLE inbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    TEXT NOT NULL UNIQUE,
    room_id     TEXT NOT NULL,
    lane        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'done', 'failed')),
    payload     BYTEA,                               -- sealed; erased when done
    note        TEXT,                               -- why it failed
    received_at BIGINT NOT NULL
);
CREATE INDEX inbox_new ON inbox (lane, seq) WHERE state = 'new';
CREATE INDEX inbox_stray ON inbox (room_id, seq) WHERE state = 'new' AND lane = 'stray';
CREATE INDEX inbox_received ON inbox (received_at);

-- Lines on their way to IRC.
CREATE TABLE irc_line (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session    BIGINT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    buffer     BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL,                       -- the Matrix event it belongs to …
    part       BIGINT NOT NULL,                    -- … and which of its lines it is
    state      TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'confirmed', 'refused', 'uncertain')),
    payload    BYTEA,                                -- sealed; erased when settled
    note       TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (event_id, part)
);
CREATE INDEX irc_line_open ON irc_line (session, id) WHERE state IN ('queued', 'sending');

-- Requests on their way to the homeserver. The content of a row never changes once it is committed.
CREATE TABLE outbox (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room       BIGINT NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    txn_id     TEXT NOT NULL UNIQUE,                -- also the event's content key
    sender     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('message', 'state', 'redact', 'invite')),
    payload    BYTEA,                                -- sealed; erased when done
    history    BIGINT,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'done', 'refused')),
    event_id   TEXT,
    note       TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX outbox_queued ON outbox (room, seq) WHERE state = 'queued';
CREATE INDEX outbox_created ON outbox (created_at);

-- What was said. It belongs to the buffer in private rooms, to the channel in shared ones.
CREATE TABLE history (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    buffer    BIGINT REFERENCES buffer (id) ON DELETE CASCADE,
    channel   BIGINT REFERENCES channel (id),
    at        BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    sender    TEXT NOT NULL,
    account   TEXT,
    text      TEXT NOT NULL,
    msgid     TEXT,
    event_id  TEXT,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out'))
);
CREATE INDEX history_buffer ON history (buffer, at);
CREATE INDEX history_channel ON history (channel, at);
