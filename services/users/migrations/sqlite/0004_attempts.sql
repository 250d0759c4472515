-- Sign-ins that failed, and the networks that accounts have signed in from.

CREATE TABLE attempts (
    -- What is counted: an account, a network, or both together, as an HMAC under a key of the mesh secret. Accounts that
    -- do not exist are counted like those that do.
    subject     BLOB   NOT NULL PRIMARY KEY,
    -- When the last one failed.
    fail_time   BIGINT NOT NULL,
    -- When all that failed is forgiven; each failure moves it by the same span.
    forget_time BIGINT NOT NULL
);

CREATE INDEX attempts_by_end ON attempts (forget_time);

CREATE TABLE known_networks (
    -- The account and the network together, as in attempts.
    subject  BLOB   NOT NULL PRIMARY KEY,
    use_time BIGINT NOT NULL
);

CREATE INDEX known_networks_by_use ON known_networks (use_time);
