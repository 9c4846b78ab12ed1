-- A shared room has one history, which is its channel's, and everybody in it reads what was said while they were there.

-- What the channel has of its own is there once, however many have heard it.
CREATE UNIQUE INDEX history_heard ON history (channel, msgid)
    WHERE channel IS NOT NULL AND msgid IS NOT NULL AND buffer IS NULL;
CREATE INDEX history_channel_msgid ON history (channel, msgid) WHERE channel IS NOT NULL AND msgid IS NOT NULL;
CREATE INDEX history_channel_event ON history (channel, event_id) WHERE channel IS NOT NULL AND event_id IS NOT NULL;

-- From which line to which a buffer was shown in its channel's shared room.
CREATE TABLE stay (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    buffer  BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    channel BIGINT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    since   BIGINT NOT NULL,                       -- the least number that a line of it has
    until   BIGINT                                 -- the least that it no longer has; NULL while it lasts
);
CREATE INDEX stay_buffer ON stay (buffer, since);
CREATE INDEX stay_channel ON stay (channel, buffer);
CREATE UNIQUE INDEX stay_lasts ON stay (buffer) WHERE until IS NULL;
INSERT INTO stay (buffer, channel, since)
    SELECT buffer.id, buffer.channel, COALESCE((SELECT MAX(id) + 1 FROM history), 0)
    FROM link JOIN buffer ON buffer.id = link.buffer WHERE link.role = 'shared' AND buffer.channel IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM setting WHERE setting.scope = 'buffer' AND setting.key = 'history'
            AND setting.scope_id = CAST(buffer.id AS TEXT) AND convert_from(setting.value, 'UTF8') = 'off');
-- What was said before is still known by its event, for answers to it.
UPDATE history SET channel = (SELECT buffer.channel FROM buffer WHERE buffer.id = history.buffer)
    WHERE event_id IS NOT NULL AND buffer IN (SELECT buffer FROM link WHERE role = 'shared' AND buffer IS NOT NULL);
