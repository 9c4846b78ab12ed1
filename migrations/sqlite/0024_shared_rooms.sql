-- A buffer is shown in one room: its own, or that of its channel, which others share.
CREATE UNIQUE INDEX link_buffer ON link (buffer) WHERE buffer IS NOT NULL;
DROP INDEX link_private;
