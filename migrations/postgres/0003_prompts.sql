-- What the user is asked and shown about messages that did not go at once.

-- Questions about messages that did not go, or may not have gone: a reaction sends them.
CREATE TABLE prompt (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    buffer     BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL,                       -- the user's message
    txn_id     TEXT NOT NULL,                       -- of the row that asks …
    button     TEXT NOT NULL,                       -- … and of the reaction under it
    payload    BYTEA,                               -- sealed: what would be sent; erased when that is settled
    state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'closed')),
    created_at BIGINT NOT NULL
);
CREATE INDEX prompt_buffer ON prompt (buffer, id);

-- Hourglasses that stand under messages: reactions that go when the message is settled.
CREATE TABLE hourglass (
    event_id TEXT PRIMARY KEY,
    buffer   BIGINT NOT NULL REFERENCES buffer (id) ON DELETE CASCADE,
    txn_id   TEXT NOT NULL                          -- of the reaction's row
);
CREATE INDEX hourglass_buffer ON hourglass (buffer);
