-- Accounts and what hangs on them. Ids are UUIDv7 texts, times are microseconds since the Unix epoch. What rows are ordered and
-- compared by is collated by its bytes, so that a page ends where the next one begins, whatever the language of the server.

CREATE TABLE users (
    id                 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- In lower case; NULL for an anonymous account, which has no password either.
    email              TEXT COLLATE "C",
    -- A PHC string: algorithm, parameters, salt and hash. The empty text, which no hash is, for an account that a provider made.
    password_hash      TEXT,
    display_name       TEXT   NOT NULL,
    role               TEXT   NOT NULL CHECK (role IN ('anonymous', 'user', 'moderator', 'admin')),
    create_time        BIGINT NOT NULL,
    update_time        BIGINT NOT NULL,
    email_verify_time  BIGINT,
    bio                TEXT   NOT NULL DEFAULT '',
    -- A JSON object of texts.
    preferences        TEXT   NOT NULL DEFAULT '{}',
    plan               TEXT   NOT NULL DEFAULT 'free',
    -- When its second factor was confirmed; NULL without one. The factor itself is in a table of its own.
    second_factor_time BIGINT,
    CHECK ((email IS NULL) = (role = 'anonymous')),
    CHECK ((email IS NULL) = (password_hash IS NULL))
);

CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX users_registered ON users (create_time, id) WHERE email IS NOT NULL;
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';
-- Anonymous accounts that nobody uses any more are found by their age.
CREATE INDEX users_anonymous ON users (create_time, id) WHERE role = 'anonymous';

-- One sign-in: a family of refresh tokens.
CREATE TABLE sessions (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent    TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    last_use_time BIGINT NOT NULL,
    expire_time   BIGINT NOT NULL,
    -- NULL while it lives.
    revoke_time   BIGINT,
    -- The network that the client last called from, as text; empty when it is not known.
    address       TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX sessions_by_user ON sessions (user_id, create_time, id);
CREATE INDEX sessions_by_end ON sessions (expire_time);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash  BYTEA  NOT NULL PRIMARY KEY,
    session_id  TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The token that this one was exchanged for; NULL for the first of a session.
    parent_hash BYTEA,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    -- NULL while it is unspent. A session has at most one unspent token.
    use_time    BIGINT,
    -- Until when the spent token may be presented again.
    grace_until BIGINT,
    -- The pair it was exchanged for, sealed under a key that only the token itself gives; erased after the grace.
    successor   BYTEA,
    CHECK ((use_time IS NULL) = (grace_until IS NULL))
);

CREATE UNIQUE INDEX refresh_tokens_unspent ON refresh_tokens (session_id) WHERE use_time IS NULL;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expire_time);
CREATE INDEX refresh_tokens_by_grace ON refresh_tokens (grace_until) WHERE successor IS NOT NULL;

-- What a signing key does follows from times alone, so that all processes agree without talking: of the keys whose
-- sign_time has come the last one signs, and the one before it is published until its last token is dead.
CREATE TABLE signing_keys (
    -- The RFC 7638 thumbprint of the public key. A row stays for ever, so that no key comes back.
    kid         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The private key (PKCS#8), sealed under a key of the mesh secret; NULL once it is published no more.
    sealed      BYTEA,
    create_time BIGINT NOT NULL,
    -- From when it signs; NULL for the first, which signed from the beginning.
    sign_time   BIGINT
);

-- Two keys never begin to sign at once.
CREATE UNIQUE INDEX signing_keys_in_turn ON signing_keys ((COALESCE(sign_time, 0)));

-- Rows are added and never changed: no foreign key, so that they outlive what they tell of.
CREATE TABLE audit_events (
    -- UUIDv7, so that its order is that of time.
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    time    BIGINT NOT NULL,
    action  TEXT   NOT NULL,
    -- An account's id, 'operator', or empty.
    actor   TEXT   NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    -- A JSON object of texts.
    details TEXT   NOT NULL
);

CREATE INDEX audit_events_by_subject ON audit_events (subject, id);

CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are not %', TG_ARGV[0];
END $$;
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse('changed');
CREATE TRIGGER audit_events_are_kept BEFORE DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse('deleted');
CREATE TRIGGER audit_events_are_all_kept BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse('deleted');

-- Mails that are to be sent, and the tokens that the sent ones carry.
CREATE TABLE mails (
    -- UUIDv7. The token of a mail is made from its id under a key of the mesh secret, and is nowhere in this database.
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    purpose     TEXT   NOT NULL CHECK (purpose IN ('reset', 'verify', 'change', 'changing', 'changed')),
    -- In lower case. For 'reset' whatever was asked for: nobody has looked yet whether it has an account.
    recipient   TEXT COLLATE "C" NOT NULL,
    -- NULL for 'reset'.
    user_id     TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
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
    token_hash  BYTEA  NOT NULL PRIMARY KEY,
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose     TEXT   NOT NULL CHECK (purpose IN ('reset', 'verify', 'change')),
    -- Where it was sent: the account's e-mail, or for 'change' the one that it wants.
    email       TEXT COLLATE "C" NOT NULL,
    expire_time BIGINT NOT NULL
);

-- A newer one ends the older.
CREATE UNIQUE INDEX mail_tokens_of_account ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_end ON mail_tokens (expire_time);

-- Sign-ins that failed, and the networks that accounts have signed in from.
CREATE TABLE attempts (
    -- What is counted: an account, a network, or both together, as an HMAC under a key of the mesh secret. Accounts that
    -- do not exist are counted like those that do.
    subject     BYTEA  NOT NULL PRIMARY KEY,
    -- When the last one failed.
    fail_time   BIGINT NOT NULL,
    -- When all that failed is forgiven; each failure moves it by the same span.
    forget_time BIGINT NOT NULL
);

CREATE INDEX attempts_by_end ON attempts (forget_time);

CREATE TABLE known_networks (
    -- The account and the network together, as in attempts.
    subject  BYTEA  NOT NULL PRIMARY KEY,
    use_time BIGINT NOT NULL
);

CREATE INDEX known_networks_by_use ON known_networks (use_time);

-- Authenticators as second factors, the recovery codes that stand in for them, and the wrong codes of each account.
CREATE TABLE second_factors (
    user_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- The secret, sealed under a key of the mesh secret with the account's id as context.
    sealed       BYTEA  NOT NULL,
    create_time  BIGINT NOT NULL,
    -- NULL until the first code has shown that the authenticator has the secret.
    confirm_time BIGINT,
    -- The time step of the last code that was taken: no code of it or of an earlier one is taken again.
    last_step    BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id   TEXT COLLATE "C" NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    -- SHA-256 of the code; a code that was used is deleted.
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- They outlive the factor, so that enrolling anew does not forget them.
CREATE TABLE second_factor_misses (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    time    BIGINT NOT NULL
);

CREATE INDEX second_factor_misses_by_user ON second_factor_misses (user_id, time);

-- Keys for programs. A key that is revoked is deleted: the audit log remembers it, and `revocations` its tokens.
CREATE TABLE api_keys (
    -- A UUIDv7, which is the `sid` of the tokens that the key is exchanged for.
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display_name  TEXT   NOT NULL,
    -- SHA-256 of the key; the key itself is nowhere.
    key_hash      BYTEA  NOT NULL,
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

-- Sessions and API keys whose access tokens no longer count although they have not expired. Rows are told to every
-- service in the order of their numbers, and are deleted when the last of their tokens is dead.
CREATE TABLE revocations (
    -- Whoever adds one is alone in this schema, so that they come to be seen in this order.
    number      BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The `sid` of the tokens.
    session_id  TEXT COLLATE "C" NOT NULL UNIQUE,
    forget_time BIGINT NOT NULL
);

CREATE INDEX revocations_by_end ON revocations (forget_time);

-- Accounts at other providers that accounts here are signed in with, and sign-ins that are under way.
CREATE TABLE identities (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Who says so, and whom it means: no e-mail is part of that.
    issuer        TEXT COLLATE "C" NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    -- What the provider told last, in lower case; empty where it told none.
    email         TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    last_use_time BIGINT NOT NULL
);

CREATE UNIQUE INDEX identities_of_provider ON identities (issuer, subject);
CREATE UNIQUE INDEX identities_of_account ON identities (user_id, issuer);

CREATE TABLE sign_ins (
    -- SHA-256 of the token that completes it; the token itself is nowhere.
    token_hash    BYTEA  NOT NULL PRIMARY KEY,
    -- SHA-256 of the state that goes with the browser.
    state_hash    BYTEA  NOT NULL,
    purpose       TEXT   NOT NULL CHECK (purpose IN ('sign_in', 'link')),
    -- Who began it: the account that it links to, or the anonymous one that it may register; NULL for nobody.
    user_id       TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    issuer        TEXT   NOT NULL,
    redirect_uri  TEXT   NOT NULL,
    -- The nonce and the PKCE verifier, sealed under a key of the mesh secret with token_hash as context.
    secrets       BYTEA  NOT NULL,
    expire_time   BIGINT NOT NULL,
    -- When the code was taken to the provider: once.
    exchange_time BIGINT,
    -- What the provider said, sealed in the same way; NULL until it has held.
    person        BYTEA,
    CHECK (purpose = 'sign_in' OR user_id IS NOT NULL),
    CHECK (person IS NULL OR exchange_time IS NOT NULL)
);

CREATE INDEX sign_ins_by_end ON sign_ins (expire_time);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);

-- Accounts that are being deleted, and were: an id, times, and what each service has erased. Nothing here says who it was.
CREATE TABLE deletions (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- SHA-256 of the token that asks how far it is; the token itself is nowhere.
    token_hash  BYTEA  NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    create_time BIGINT NOT NULL,
    -- When the last service had erased its part; kept for some time more, for whoever asks.
    done_time   BIGINT
);

CREATE UNIQUE INDEX deletions_by_token ON deletions (token_hash);
CREATE INDEX deletions_by_end ON deletions (done_time) WHERE done_time IS NOT NULL;

-- One row for each service that is to erase its part.
CREATE TABLE erasures (
    deletion_id TEXT COLLATE "C" NOT NULL REFERENCES deletions (id) ON DELETE CASCADE,
    -- The service's role.
    service     TEXT COLLATE "C" NOT NULL,
    -- How often it was asked, and when it is next.
    attempts    BIGINT NOT NULL DEFAULT 0,
    next_time   BIGINT NOT NULL,
    -- JSON: what it has erased, what it keeps, and when; NULL until then. The first one stays.
    receipt     TEXT,
    PRIMARY KEY (deletion_id, service)
);

CREATE INDEX erasures_waiting ON erasures (service, next_time) WHERE receipt IS NULL;

-- What credits need beside their book, which is in tables of its own in this schema.

-- What an admin has given under a request id: the same one gives nothing else.
CREATE TABLE credit_requests (
    -- The admin's account.
    actor       TEXT COLLATE "C" NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    -- 'admin': the account that was given credits. 'refund': the generation whose charge was given back.
    kind        TEXT   NOT NULL CHECK (kind IN ('admin', 'refund')),
    subject     TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (actor, request_id)
);

-- The currency of all amounts in the book.
CREATE TABLE credit_currency (
    one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    code TEXT   NOT NULL
);

-- Accounts that are deleted, and whose credits are still to be taken: a row goes when the book has been told.
CREATE TABLE departed_holders (
    deletion_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES deletions (id) ON DELETE CASCADE,
    user_id     TEXT COLLATE "C" NOT NULL
);
