-- What people on IRC can fetch from Towline: media of messages that were said there, and texts that were too long.

CREATE TABLE published (
    id         TEXT PRIMARY KEY,                    -- what stands in the link: nobody can guess it
    kind       TEXT NOT NULL CHECK (kind IN ('media', 'text')),
    buffer     BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL,                       -- the user's message
    content    BYTEA,                               -- sealed; erased when it is taken back or has expired
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    gone_at    BIGINT                               -- since when there is nothing to fetch any more
);
CREATE INDEX published_buffer ON published (buffer, created_at);
CREATE INDEX published_event ON published (event_id);
CREATE INDEX published_expires ON published (expires_at) WHERE gone_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX published_gone ON published (gone_at) WHERE gone_at IS NOT NULL;
