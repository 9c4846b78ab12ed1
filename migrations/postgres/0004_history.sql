-- History that can be searched, and in which every line has its place in time.

-- The new nick of a change of nick, the kicked nick of a kick.
ALTER TABLE history ADD COLUMN target TEXT;

-- A line's number tells its time: the milliseconds since 1970 times 16, so that what is stored late (from a log, or after
-- a gap) stands where it belongs, and the newest line has the highest number. Those of before get such numbers, too.
ALTER TABLE history ALTER COLUMN id DROP IDENTITY;
CREATE TABLE history_number (old BIGINT PRIMARY KEY, new BIGINT NOT NULL);
INSERT INTO history_number (old, new)
    SELECT id, place + MAX(at * 16 - place) OVER (ORDER BY place)
    FROM (SELECT id, at, ROW_NUMBER() OVER (ORDER BY at, id) AS place FROM history) AS placed;
-- First out of the way of the numbers that are still to be changed.
UPDATE history SET id = -(SELECT new FROM history_number WHERE old = history.id);
UPDATE history SET id = -id WHERE id < 0;
UPDATE outbox SET history = (SELECT new FROM history_number WHERE old = outbox.history) WHERE history IS NOT NULL;
DROP TABLE history_number;
CREATE INDEX history_line ON history (buffer, id);
-- Of what belongs to no channel nothing has to stand in a channel's order.
DROP INDEX history_channel;
CREATE INDEX history_channel ON history (channel, id) WHERE channel IS NOT NULL;

-- The words of each line, normalised by towline, and whose line it is: whole words, so no parser has to know more.
CREATE TABLE history_search (rowid BIGINT PRIMARY KEY, words TEXT NOT NULL);
-- With a short list of pending entries: some hundred lines are sorted in together, which takes a quarter of the time
-- that they would take one by one, and some milliseconds of one commit.
CREATE INDEX history_search_words ON history_search
    USING gin (array_to_tsvector(string_to_array(words, ' '))) WITH (fastupdate = on, gin_pending_list_limit = 128);
CREATE FUNCTION history_search_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM history_search USING gone WHERE history_search.rowid = gone.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER history_search_forget AFTER DELETE ON history
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION history_search_forget();
