-- The durable record of every generation of one service, and the usage events that wait to be counted.
CREATE TABLE generations (
    id               TEXT    PRIMARY KEY,
    owner            TEXT    NOT NULL,
    request_id       TEXT,
    -- SHA-256 of kind and body: what a repeated call is compared by.
    digest           BLOB    NOT NULL,
    kind             TEXT    NOT NULL,
    task             BLOB    NOT NULL,
    -- atelier.generation.v1.State
    state            INTEGER NOT NULL,
    epoch            BIGINT  NOT NULL,
    heartbeat        BIGINT  NOT NULL,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    provider         TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    -- atelier.generation.v1.Snapshot
    snapshot         BLOB    NOT NULL,
    sequence         BIGINT  NOT NULL,
    finish_reason    INTEGER NOT NULL DEFAULT 0,
    failure_reason   TEXT,
    failure_message  TEXT,
    retryable        BOOLEAN NOT NULL DEFAULT FALSE,
    create_time      BIGINT  NOT NULL,
    end_time         BIGINT
);
CREATE UNIQUE INDEX generations_by_request ON generations (owner, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX generations_open ON generations (id) WHERE end_time IS NULL;

CREATE TABLE generation_outbox (
    id          TEXT   PRIMARY KEY,
    -- atelier.analytics.v1.UsageEvent
    event       BLOB   NOT NULL,
    create_time BIGINT NOT NULL
);
CREATE INDEX generation_outbox_by_time ON generation_outbox (create_time, id);
