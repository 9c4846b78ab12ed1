-- What waits, told apart from what is done by the index itself. SQLite reads an index of some rows only where it matches more of a
-- statement's terms than one of all rows: beside an index of a room's requests, of a session's and a buffer's lines and of a
-- room's members it went through all of these, and for each line twice through what its room had been sent before.
-- (The rowid, or what stands for it, is the end of every index here.)
DROP INDEX outbox_queued;
CREATE INDEX outbox_queued ON outbox (room, state) WHERE state = 'queued';
DROP INDEX irc_line_open;
CREATE INDEX irc_line_open ON irc_line (session, created_at) WHERE state IN ('queued', 'sending');
DROP INDEX irc_line_buffer;
CREATE INDEX irc_line_buffer ON irc_line (buffer, event_id);
DROP INDEX member_unwanted;
CREATE INDEX member_unwanted ON member (room, wanted) WHERE NOT wanted;
