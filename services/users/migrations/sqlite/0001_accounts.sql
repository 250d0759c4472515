-- Accounts, their sessions, the refresh tokens of each session, and the keys that access tokens are signed with.
-- Ids are UUIDv7 texts, times are microseconds since the Unix epoch.

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    -- In lower case; NULL for an anonymous account, which has no password either.
    email         TEXT,
    -- A PHC string: algorithm, parameters, salt and hash.
    password_hash TEXT,
    display_name  TEXT   NOT NULL,
    role          TEXT   NOT NULL CHECK (role IN ('anonymous', 'user', 'moderator', 'admin')),
    create_time   BIGINT NOT NULL,
    update_time   BIGINT NOT NULL,
    CHECK ((email IS NULL) = (role = 'anonymous')),
    CHECK ((email IS NULL) = (password_hash IS NULL))
);

CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX users_registered ON users (create_time, id) WHERE email IS NOT NULL;
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';

-- One sign-in: a family of refresh tokens.
CREATE TABLE sessions (
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent    TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    last_use_time BIGINT NOT NULL,
    expire_time   BIGINT NOT NULL,
    -- NULL while it lives.
    revoke_time   BIGINT
);

CREATE INDEX sessions_by_user ON sessions (user_id, create_time, id);
CREATE INDEX sessions_by_end ON sessions (expire_time);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash  BLOB   NOT NULL PRIMARY KEY,
    session_id  TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The token that this one was exchanged for; NULL for the first of a session.
    parent_hash BLOB,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    -- NULL while it is unspent. A session has at most one unspent token.
    use_time    BIGINT,
    -- Until when the spent token may be presented again.
    grace_until BIGINT,
    -- The pair it was exchanged for, sealed under a key that only the token itself gives; erased after the grace.
    successor   BLOB,
    CHECK ((use_time IS NULL) = (grace_until IS NULL))
);

CREATE UNIQUE INDEX refresh_tokens_unspent ON refresh_tokens (session_id) WHERE use_time IS NULL;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expire_time);
CREATE INDEX refresh_tokens_by_grace ON refresh_tokens (grace_until) WHERE successor IS NOT NULL;

CREATE TABLE signing_keys (
    -- The RFC 7638 thumbprint of the public key.
    kid         TEXT   NOT NULL PRIMARY KEY,
    -- 'live': published, and the newest of them signs.
    state       TEXT   NOT NULL CHECK (state IN ('live')),
    -- The private key (PKCS#8), sealed under a key of the mesh secret.
    sealed      BLOB   NOT NULL,
    create_time BIGINT NOT NULL
);
