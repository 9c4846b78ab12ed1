-- What a network's servers have last said of themselves (ISUPPORT), for who asks before anybody is connected: how it
-- compares names, and with which characters channels begin.
ALTER TABLE network ADD COLUMN casemapping TEXT;
ALTER TABLE network ADD COLUMN chantypes TEXT;
