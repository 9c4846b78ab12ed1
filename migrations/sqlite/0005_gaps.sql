-- Where something may be missing in a room, and what tells whether a line is there already.

-- When the session last heard from its server, in milliseconds since 1970: what came later and was not stored is missing.
ALTER TABLE session ADD COLUMN seen_at INTEGER;

-- Since when lines of the buffer are missing that are still to be fetched.
ALTER TABLE buffer ADD COLUMN gap_from INTEGER;

-- A line is shown once, whether it came by itself or with what was missed.
DELETE FROM history WHERE msgid IS NOT NULL AND id NOT IN
    (SELECT MIN(id) FROM history WHERE msgid IS NOT NULL GROUP BY buffer, channel, msgid);
CREATE UNIQUE INDEX history_msgid ON history (buffer, msgid) WHERE msgid IS NOT NULL;

-- A line of the user's own that comes back is looked for among those that went out and have no id: they are few.
CREATE INDEX history_nameless ON history (buffer, sender, at) WHERE direction = 'out' AND msgid IS NULL;
