-- Accounts at other providers that accounts here are signed in with, and sign-ins that are under way.
-- An account that was made by a provider has no password: its password_hash is the empty text, which no hash is, since
-- SQLite cannot take back the CHECK that ties password_hash to email.

CREATE TABLE identities (
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Who says so, and whom it means: no e-mail is part of that.
    issuer        TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    -- What the provider told last, in lower case; empty where it told none.
    email         TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    last_use_time BIGINT NOT NULL
);

CREATE UNIQUE INDEX identities_of_provider ON identities (issuer, subject);
CREATE UNIQUE INDEX identities_of_account ON identities (user_id, issuer);

CREATE TABLE sign_ins (
    -- SHA-256 of the token that completes it; the token itself is nowhere.
    token_hash    BLOB   NOT NULL PRIMARY KEY,
    -- SHA-256 of the state that goes with the browser.
    state_hash    BLOB   NOT NULL,
    purpose       TEXT   NOT NULL CHECK (purpose IN ('sign_in', 'link')),
    -- Who began it: the account that it links to, or the anonymous one that it may register; NULL for nobody.
    user_id       TEXT   REFERENCES users (id) ON DELETE CASCADE,
    issuer        TEXT   NOT NULL,
    redirect_uri  TEXT   NOT NULL,
    -- The nonce and the PKCE verifier, sealed under a key of the mesh secret with token_hash as context.
    secrets       BLOB   NOT NULL,
    expire_time   BIGINT NOT NULL,
    -- When the code was taken to the provider: once.
    exchange_time BIGINT,
    -- What the provider said, sealed in the same way; NULL until it has held.
    person        BLOB,
    CHECK (purpose = 'sign_in' OR user_id IS NOT NULL),
    CHECK (person IS NULL OR exchange_time IS NOT NULL)
);

CREATE INDEX sign_ins_by_end ON sign_ins (expire_time);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);
