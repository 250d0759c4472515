-- Mails that are to be sent, and the tokens that the sent ones carry.

CREATE TABLE mails (
    -- UUIDv7. The token of a mail is made from its id under a key of the mesh secret, and is nowhere in this file.
    id          TEXT   NOT NULL PRIMARY KEY,
    purpose     TEXT   NOT NULL CHECK (purpose IN ('reset', 'verify', 'change', 'changing', 'changed')),
    -- In lower case. For 'reset' whatever was asked for: nobody has looked yet whether it has an account.
    recipient   TEXT   NOT NULL,
    -- NULL for 'reset'.
    user_id     TEXT   REFERENCES users (id) ON DELETE CASCADE,
    create_time BIGINT NOT NULL,
    -- How often it was begun to be sent, and when it is next.
    attempts    BIGINT NOT NULL DEFAULT 0,
    next_time   BIGINT NOT NULL,
    -- When it was sent, or given up; kept for an hour more, because what was sent bounds what is.
    done_time   BIGINT,
    CHECK ((user_id IS NULL) = (purpose = 'reset'))
);

CREATE INDEX mails_waiting ON mails (next_time) WHERE done_time IS NULL;
CREATE INDEX mails_by_recipient ON mails (recipient, purpose, create_time);
CREATE INDEX mails_by_user ON mails (user_id, purpose, create_time);
CREATE INDEX mails_by_time ON mails (create_time);

CREATE TABLE mail_tokens (
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash  BLOB   NOT NULL PRIMARY KEY,
    user_id     TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose     TEXT   NOT NULL CHECK (purpose IN ('reset', 'verify', 'change')),
    -- Where it was sent: the account's e-mail, or for 'change' the one that it wants.
    email       TEXT   NOT NULL,
    expire_time BIGINT NOT NULL
);

-- A newer one ends the older.
CREATE UNIQUE INDEX mail_tokens_of_account ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_end ON mail_tokens (expire_time);
