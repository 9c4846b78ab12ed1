-- A session that is in a shared room's channel to hear what is said there, for all who are in the room. It stands there for
-- them and not for its user, who may be there by another session.
ALTER TABLE link ADD COLUMN listens BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX link_listens ON link (room) WHERE listens;
