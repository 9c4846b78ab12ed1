-- A buffer or session that is forgotten takes its lines along: without these, each looked through those of everybody.
CREATE INDEX irc_line_buffer ON irc_line (buffer);
CREATE INDEX irc_line_session ON irc_line (session);
