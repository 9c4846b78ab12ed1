-- What is told must be true, and must be told although the process ends before.

-- How many of the folded lines are in no history either.
ALTER TABLE fold ADD COLUMN unkept BIGINT NOT NULL DEFAULT 0;
