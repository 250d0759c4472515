-- Sessions and API keys whose access tokens no longer count although they have not expired. Rows are told to every
-- service in the order of their numbers, and are deleted when the last of their tokens is dead.

CREATE TABLE revocations (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The `sid` of the tokens.
    session_id  TEXT    NOT NULL UNIQUE,
    forget_time BIGINT  NOT NULL
);

CREATE INDEX revocations_by_end ON revocations (forget_time);
