-- In which room a line is, and as which event, is looked up by the line.
CREATE INDEX outbox_history ON outbox (history) WHERE history IS NOT NULL;
