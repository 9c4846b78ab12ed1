-- Rooms that were there before and show a channel, and who in them is not in it.

-- Who ties the room to its channel; `ending` while the bridge takes itself out of it. NULL: the bridge has made the room.
ALTER TABLE room ADD COLUMN plumbed TEXT CHECK (plumbed IN ('configuration', 'command', 'ending'));

CREATE TABLE outsider (
    room    BIGINT NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    told    BOOLEAN NOT NULL,                       -- that nothing of theirs goes to IRC; else they have left the channel
    PRIMARY KEY (room, user_id)
);
