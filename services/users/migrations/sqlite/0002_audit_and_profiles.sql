-- What an account says of itself, where its sessions call from, and what happened that concerns security.

ALTER TABLE users ADD COLUMN email_verify_time BIGINT;
ALTER TABLE users ADD COLUMN bio TEXT NOT NULL DEFAULT '';
-- A JSON object of texts.
ALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN plan TEXT NOT NULL DEFAULT 'free';
-- When its second factor was confirmed; NULL without one. The factor itself is in a table of its own.
ALTER TABLE users ADD COLUMN second_factor_time BIGINT;

-- The network that the client last called from, as text; empty when it is not known.
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';

-- Rows are added and never changed: no foreign key, so that they outlive what they tell of.
CREATE TABLE audit_events (
    -- UUIDv7, so that its order is that of time.
    id      TEXT   NOT NULL PRIMARY KEY,
    time    BIGINT NOT NULL,
    action  TEXT   NOT NULL,
    -- An account's id, 'operator', or empty.
    actor   TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    -- A JSON object of texts.
    details TEXT   NOT NULL
);

CREATE INDEX audit_events_by_subject ON audit_events (subject, id);
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit events are not changed'); END;
CREATE TRIGGER audit_events_are_kept BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit events are not deleted'); END;
