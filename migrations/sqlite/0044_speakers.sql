-- Who has said what waits in a shared room's lane, or in that of the session that relays it: it is theirs, and not its user's.
ALTER TABLE inbox ADD COLUMN person TEXT;
CREATE INDEX inbox_person ON inbox (person) WHERE person IS NOT NULL;
