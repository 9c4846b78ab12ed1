-- Whether anything is known of what went to a room, and what goes with its row, is looked up by the room: without an index each
-- room that is forgotten takes a look at all requests, in the one writer.
CREATE INDEX outbox_room ON outbox (room);
