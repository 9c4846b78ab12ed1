-- Somebody has invited a channel's user there on IRC, and the user to its room: who comes in there enters the channel.
ALTER TABLE buffer ADD COLUMN offered INTEGER NOT NULL DEFAULT 0;
