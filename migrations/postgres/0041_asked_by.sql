-- Who has asked that an existing room shows a channel: so many rooms may be one person's. NULL where the configuration says so.
ALTER TABLE room ADD COLUMN asked_by BIGINT REFERENCES "user" (id) ON DELETE SET NULL;
