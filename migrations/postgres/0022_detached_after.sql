-- A detached channel is told by the last line that its user has seen, not by a time: a line's time may be the server's.

ALTER TABLE buffer RENAME COLUMN detached_at TO detached_after;
-- The number of that line; numbers are times 16.
UPDATE buffer SET detached_after = detached_after * 16 WHERE detached_after IS NOT NULL;
