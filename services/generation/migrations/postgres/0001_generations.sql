-- The durable record of every generation of one service, and what waits beside it.
CREATE TABLE generations (
    id               TEXT COLLATE "C" PRIMARY KEY,
    owner            TEXT COLLATE "C" NOT NULL,
    request_id       TEXT COLLATE "C",
    -- SHA-256 of kind and body: what a repeated call is compared by.
    digest           BYTEA   NOT NULL,
    kind             TEXT    NOT NULL,
    -- What it belongs to in its service: the conversation of a reply, the image, the conversion.
    subject          TEXT    NOT NULL DEFAULT '',
    -- The weight of its owner's plan, so that the queue is the same after a restart.
    priority         BIGINT  NOT NULL DEFAULT 1,
    task             BYTEA   NOT NULL,
    -- atelier.generation.v1.State; 1 (QUEUED) only for as long as nothing can have been sent to a provider.
    state            INTEGER NOT NULL,
    epoch            BIGINT  NOT NULL,
    heartbeat        BIGINT  NOT NULL,
    -- Given back by an owner that stops: whoever sees it may claim it at once.
    released         BOOLEAN NOT NULL DEFAULT FALSE,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    provider         TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    -- atelier.generation.v1.Snapshot
    snapshot         BYTEA   NOT NULL,
    sequence         BIGINT  NOT NULL,
    finish_reason    INTEGER NOT NULL DEFAULT 0,
    failure_reason   TEXT,
    failure_message  TEXT,
    retryable        BOOLEAN NOT NULL DEFAULT FALSE,
    -- When a request that failed may succeed at the earliest, in microseconds since 1970; NULL where nobody knows.
    retry_time       BIGINT,
    create_time      BIGINT  NOT NULL,
    end_time         BIGINT
)
-- A row is written about once a second while it is at work: room for that where it stands, without a word to the indexes.
WITH (fillfactor = 70);
CREATE UNIQUE INDEX generations_by_request ON generations (owner, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX generations_by_owner ON generations (owner, id);
-- The open ones, of an owner and of all.
CREATE INDEX generations_open ON generations (owner, id) WHERE end_time IS NULL;
-- Those whose end was asked for: looked at several times a second, and nearly always empty.
CREATE INDEX generations_cancelled ON generations (id) WHERE cancel_requested AND end_time IS NULL;

-- Usage events that wait to be counted.
CREATE TABLE generation_outbox (
    id          TEXT COLLATE "C" PRIMARY KEY,
    -- Whose it is, so that an erasure can wait until it is counted.
    owner       TEXT COLLATE "C" NOT NULL,
    -- atelier.analytics.v1.UsageEvent
    event       BYTEA  NOT NULL,
    create_time BIGINT NOT NULL
);
CREATE INDEX generation_outbox_by_time ON generation_outbox (create_time, id);
CREATE INDEX generation_outbox_by_owner ON generation_outbox (owner);

-- What the purse has not acknowledged yet: written with the end of the generation, and there after the record is forgotten.
CREATE TABLE generation_settlements (
    id          TEXT COLLATE "C" PRIMARY KEY,
    -- atelier.generation.v1.Usage to be charged; NULL gives the whole reservation back.
    usage       BYTEA,
    create_time BIGINT NOT NULL
);

-- Accounts that have left. Nothing of them begins any more, whatever token of theirs still lives: an id and a time, kept
-- for good.
CREATE TABLE generation_departed (
    owner TEXT COLLATE "C" PRIMARY KEY,
    time  BIGINT NOT NULL
);
