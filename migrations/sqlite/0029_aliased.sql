-- An alias leads to the room: to a shared one while somebody has its channel there.
ALTER TABLE room ADD COLUMN aliased INTEGER NOT NULL DEFAULT 0;
UPDATE room SET aliased = TRUE WHERE kind = 'shared';
