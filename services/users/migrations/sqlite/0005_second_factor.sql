-- Authenticators as second factors, the recovery codes that stand in for them, and the wrong codes of each account.

CREATE TABLE second_factors (
    user_id      TEXT   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- The secret, sealed under a key of the mesh secret with the account's id as context.
    sealed       BLOB   NOT NULL,
    create_time  BIGINT NOT NULL,
    -- NULL until the first code has shown that the authenticator has the secret.
    confirm_time BIGINT,
    -- The time step of the last code that was taken: no code of it or of an earlier one is taken again.
    last_step    BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id   TEXT NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    -- SHA-256 of the code; a code that was used is deleted.
    code_hash BLOB NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- They outlive the factor, so that enrolling anew does not forget them.
CREATE TABLE second_factor_misses (
    user_id TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    time    BIGINT NOT NULL
);

CREATE INDEX second_factor_misses_by_user ON second_factor_misses (user_id, time);
