-- History that can be searched, and in which every line has its place in time.

-- The new nick of a change of nick, the kicked nick of a kick.
ALTER TABLE history ADD COLUMN target TEXT;

-- A line's number tells its time: the milliseconds since 1970 times 16, so that what is stored late (from a log, or after
-- a gap) stands where it belongs, and the newest line has the highest number. Those of before get such numbers, too.
CREATE TABLE history_number (old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT;
INSERT INTO history_number (old, new)
    SELECT id, place + MAX(at * 16 - place) OVER (ORDER BY place)
    FROM (SELECT id, at, ROW_NUMBER() OVER (ORDER BY at, id) AS place FROM history);
-- First out of the way of the numbers that are still to be changed.
UPDATE history SET id = -(SELECT new FROM history_number WHERE old = history.id);
UPDATE history SET id = -id WHERE id < 0;
UPDATE outbox SET history = (SELECT new FROM history_number WHERE old = outbox.history) WHERE history IS NOT NULL;
DROP TABLE history_number;
CREATE INDEX history_line ON history (buffer, id);
-- Of what belongs to no channel nothing has to stand in a channel's order.
DROP INDEX history_channel;
CREATE INDEX history_channel ON history (channel, id) WHERE channel IS NOT NULL;

-- The words of each line, normalised by towline, and whose line it is: whole words, so no tokenizer has to know more.
CREATE VIRTUAL TABLE history_search USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '_'"
);
-- Twice the lines per second of the default, and a tenth of the longest commit.
INSERT INTO history_search (history_search, rank) VALUES ('automerge', 8);
CREATE TRIGGER history_search_forget AFTER DELETE ON history BEGIN
    DELETE FROM history_search WHERE rowid = old.id;
END;
