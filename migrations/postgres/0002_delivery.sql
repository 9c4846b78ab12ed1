-- What delivery needs beyond one request per line: events that stand for several rows, times of their own, reactions,
-- lines that went to history only, and how far each room was looked back through.

ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CHECK (kind IN ('message', 'state', 'redact', 'invite', 'reaction'));
ALTER TABLE outbox ADD COLUMN ts BIGINT;            -- the event's own time, where it is not the time of sending
ALTER TABLE outbox ADD COLUMN batch BIGINT;         -- the seq of the first row of the event that this one is part of

-- Lines of a room that its outbox had no room for: one event will stand for them.
CREATE TABLE fold (
    room     BIGINT PRIMARY KEY REFERENCES room (id) ON DELETE CASCADE,
    lines    BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL
);

-- The newest event that was seen when the room was last looked back through.
ALTER TABLE room ADD COLUMN looked_at_event TEXT;
