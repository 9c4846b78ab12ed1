-- A session that says in a shared room's channel what people say there who have no connection of their own. It stands there
-- for them and not for its user, who may be there by another session.
ALTER TABLE link ADD COLUMN relays INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX link_relays ON link (room) WHERE relays;
