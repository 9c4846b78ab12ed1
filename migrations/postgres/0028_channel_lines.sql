-- A line that one session of a channel has shown is found in another's history.
CREATE INDEX buffer_channel ON buffer (channel) WHERE channel IS NOT NULL;
