-- The Matrix id by which the configuration still names a room that was replaced, where the bridge has followed it to this one.
ALTER TABLE room ADD COLUMN named TEXT;
