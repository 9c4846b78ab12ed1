-- A conversation follows its person to another nick: another ghost speaks for the bridge there.

-- Who made the room, where somebody else has its power since.
ALTER TABLE room ADD COLUMN founder TEXT;
-- Who is to have it, from the commit of the change on.
ALTER TABLE room ADD COLUMN heir TEXT;
