-- The rank that a ghost's name shows in a room, as its prefix; NULL: its name is as elsewhere.
ALTER TABLE member ADD COLUMN rank TEXT;
