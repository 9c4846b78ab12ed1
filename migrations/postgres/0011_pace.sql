-- What a session has learnt about its network's flood control.

-- How often the pace was halved because the network threw the session out for it, and when that was last, in
-- milliseconds since 1970.
ALTER TABLE session ADD COLUMN slowdown BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN slowed_at BIGINT;
