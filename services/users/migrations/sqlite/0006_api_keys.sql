-- Keys for programs. A key that is revoked is deleted: the audit log remembers it, and `revocations` its tokens.

CREATE TABLE api_keys (
    -- A UUIDv7, which is the `sid` of the tokens that the key is exchanged for.
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display_name  TEXT   NOT NULL,
    -- SHA-256 of the key; the key itself is nowhere.
    key_hash      BLOB   NOT NULL,
    -- Its beginning, for its owner's eyes.
    prefix        TEXT   NOT NULL,
    -- Names of scopes with spaces between them.
    scopes        TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    -- NULL for a key that does not expire.
    expire_time   BIGINT,
    -- To the minute; NULL before its first use.
    last_use_time BIGINT
);

CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (key_hash);
CREATE INDEX api_keys_by_user ON api_keys (user_id, create_time, id);
