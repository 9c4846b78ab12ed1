-- A shared room that the homeserver lost is made anew: what is stored for it afterwards is for the one in its place.
-- No reference, since that one is made later than this.
ALTER TABLE room ADD COLUMN successor INTEGER;
