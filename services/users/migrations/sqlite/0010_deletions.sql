-- Accounts that are being deleted, and were: an id, times, and what each service has erased. Nothing here says who it was.

CREATE TABLE deletions (
    id          TEXT   NOT NULL PRIMARY KEY,
    -- SHA-256 of the token that asks how far it is; the token itself is nowhere.
    token_hash  BLOB   NOT NULL,
    user_id     TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    -- When the last service had erased its part; kept for some time more, for whoever asks.
    done_time   BIGINT
);

CREATE UNIQUE INDEX deletions_by_token ON deletions (token_hash);
CREATE INDEX deletions_by_end ON deletions (done_time) WHERE done_time IS NOT NULL;

-- One row for each service that is to erase its part.
CREATE TABLE erasures (
    deletion_id TEXT   NOT NULL REFERENCES deletions (id) ON DELETE CASCADE,
    -- The service's role.
    service     TEXT   NOT NULL,
    -- How often it was asked, and when it is next.
    attempts    BIGINT NOT NULL DEFAULT 0,
    next_time   BIGINT NOT NULL,
    -- JSON: what it has erased, what it keeps, and when; NULL until then. The first one stays.
    receipt     TEXT,
    PRIMARY KEY (deletion_id, service)
);

CREATE INDEX erasures_waiting ON erasures (service, next_time) WHERE receipt IS NULL;

-- Anonymous accounts that nobody uses any more are found by their age.
CREATE INDEX users_anonymous ON users (create_time, id) WHERE role = 'anonymous';

-- An act names accounts by their ids alone, so that it can outlive them; two kinds of acts named e-mails as well.
DROP TRIGGER audit_events_stay;
UPDATE audit_events SET details = '{}' WHERE action IN ('email.verified', 'email.changed');
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit events are not changed'); END;
