-- Hosts that want to be talked to by TLS only (IRCv3 "Strict Transport Security"), for all sessions alike.
CREATE TABLE sts_policy (
    host       TEXT PRIMARY KEY,
    port       INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
