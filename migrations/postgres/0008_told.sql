-- What is told must be true, and must be told although the process ends before.

-- How many of the folded lines are in no history either.
ALTER TABLE fold ADD COLUMN unkept BIGINT NOT NULL DEFAULT 0;

-- Requests that were refused for good, and whose user is still to be told: under which code of the homeserver's.
ALTER TABLE outbox ADD COLUMN untold TEXT;
CREATE INDEX outbox_untold ON outbox (room, untold) WHERE untold IS NOT NULL;

-- When the buffer's history was forgotten last, in milliseconds since 1970: what was said before is not kept again.
ALTER TABLE buffer ADD COLUMN forgotten_at BIGINT;
