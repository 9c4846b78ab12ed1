-- When somebody last spoke in a room, in milliseconds since 1970, to the day; NULL: their ghost is there without a word.
ALTER TABLE member ADD COLUMN spoke_at INTEGER;
-- So far only those had ghosts there who spoke.
UPDATE member SET spoke_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
