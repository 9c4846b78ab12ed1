-- What is answered, edited or taken back is found by its event also where the network gives no ids.
DROP INDEX history_event;
CREATE INDEX history_event ON history (buffer, event_id) WHERE event_id IS NOT NULL;
