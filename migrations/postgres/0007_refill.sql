-- A room that is made for what has a history already begins with its last lines: 1 until they are stored as requests,
-- 2 from then on.
ALTER TABLE room ADD COLUMN refill BIGINT NOT NULL DEFAULT 0;
