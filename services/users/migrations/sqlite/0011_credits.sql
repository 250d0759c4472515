-- What credits need beside their book, which is in tables of its own in this file.

-- What an admin has given under a request id: the same one gives nothing else.
CREATE TABLE credit_requests (
    -- The admin's account.
    actor       TEXT   NOT NULL,
    request_id  TEXT   NOT NULL,
    -- 'admin': the account that was given credits. 'refund': the generation whose charge was given back.
    kind        TEXT   NOT NULL CHECK (kind IN ('admin', 'refund')),
    subject     TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (actor, request_id)
) WITHOUT ROWID;

-- The currency of all amounts in the book.
CREATE TABLE credit_currency (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    code TEXT    NOT NULL
) WITHOUT ROWID;

-- Accounts that are deleted, and whose credits are still to be taken: a row goes when the book has been told.
CREATE TABLE departed_holders (
    deletion_id TEXT NOT NULL PRIMARY KEY REFERENCES deletions (id) ON DELETE CASCADE,
    user_id     TEXT NOT NULL
);
