-- Networks are added while the bridge runs. One that has a definition is there: what would stand in the configuration
-- under its short name, as JSON. Without one the row stands for the configuration's, or for one that was removed and has
-- left conversations behind. Whose own a network is says its owner, who keeps the short name for good.

ALTER TABLE network ADD COLUMN definition TEXT;
