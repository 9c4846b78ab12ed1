-- Channels that their user is in without seeing their rooms.

-- Since when, in milliseconds since 1970: what is said from then on goes to the history only.
ALTER TABLE buffer ADD COLUMN detached_at INTEGER;
