-- Messages that are known by their ids on both sides, so that what is said about them finds them.

-- Replies, reactions and redactions name an event.
CREATE INDEX history_event ON history (buffer, event_id) WHERE event_id IS NOT NULL AND msgid IS NOT NULL;
