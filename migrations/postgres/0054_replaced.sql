-- Rooms of the configuration that were replaced, and where the bridge has followed them: the file may still have the old id.
CREATE TABLE replaced (
    old TEXT NOT NULL PRIMARY KEY,
    new TEXT NOT NULL
);
