-- Bans and quiets that end by themselves: the bridge takes them back when their time is over.

CREATE TABLE timed_ban (
    buffer BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    letter TEXT NOT NULL,                           -- of the mode that the list is
    entry  TEXT NOT NULL,                           -- as it stands in that list
    until  BIGINT NOT NULL,                        -- milliseconds since 1970
    reason TEXT NOT NULL,
    PRIMARY KEY (buffer, letter, entry)
);
