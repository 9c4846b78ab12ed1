-- A room of other people may show several channels: it has a row for each, with the same Matrix id, and each of them gets
-- a copy of what is said there. So a message may be lines of several buffers.

ALTER TABLE room DROP CONSTRAINT room_room_id_key;
CREATE INDEX room_room_id ON room (room_id);
CREATE UNIQUE INDEX room_own ON room (room_id) WHERE plumbed IS NULL;
-- The channel that other people's room has shown before.
ALTER TABLE room ADD COLUMN former BIGINT;

-- The row of its room that an event is for; 0 while that is not known.
ALTER TABLE inbox ADD COLUMN room BIGINT NOT NULL DEFAULT 0;
-- What waits is for the one row that its room has until now.
UPDATE inbox SET room = room.id FROM room WHERE room.room_id = inbox.room_id AND inbox.state = 'new';
ALTER TABLE inbox DROP CONSTRAINT inbox_event_id_key;
CREATE UNIQUE INDEX inbox_event ON inbox (event_id, room);

ALTER TABLE irc_line DROP CONSTRAINT irc_line_event_id_part_key;
CREATE UNIQUE INDEX irc_line_part ON irc_line (event_id, part, buffer);

ALTER TABLE hourglass DROP CONSTRAINT hourglass_pkey;
ALTER TABLE hourglass ADD PRIMARY KEY (event_id, buffer);
