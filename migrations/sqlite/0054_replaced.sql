-- Rooms of other people that showed channels and were replaced, and where the bridge has followed them. The configuration may
-- still have the old id.
CREATE TABLE replaced (
    old TEXT NOT NULL PRIMARY KEY,
    new TEXT NOT NULL
);
