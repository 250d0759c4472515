-- Spoken texts. What a conversion's generation keeps is in the tables of the generation crate, under the same id.
-- No URL is kept, because URLs expire, and no bucket, because that is a setting of the store.
CREATE TABLE tts_conversions (
    id                TEXT             PRIMARY KEY,
    user_id           TEXT             NOT NULL,
    text              TEXT             NOT NULL,
    provider          TEXT             NOT NULL,
    model             TEXT             NOT NULL,
    voice             TEXT             NOT NULL,
    language          TEXT             NOT NULL,
    -- `wav` or `flac`.
    format            TEXT             NOT NULL,
    speed             DOUBLE PRECISION NOT NULL,
    pitch             DOUBLE PRECISION NOT NULL,
    -- atelier.generation.v1.State: queued until its generation has ended.
    state             INTEGER          NOT NULL,
    duration_micros   BIGINT           NOT NULL DEFAULT 0,
    file_size_bytes   BIGINT           NOT NULL DEFAULT 0,
    sha256            TEXT             NOT NULL DEFAULT '',
    s3_key            TEXT             NOT NULL DEFAULT '',
    processing_micros BIGINT           NOT NULL DEFAULT 0,
    -- JSON: request_id, provider, latency_ms, status_code, cost_usd, record_key, input_key.
    metadata          TEXT             NOT NULL,
    create_time       BIGINT           NOT NULL,
    update_time       BIGINT           NOT NULL
);
CREATE INDEX tts_conversions_by_user ON tts_conversions (user_id, create_time DESC, id DESC);

-- Objects that belong to no conversion any more.
CREATE TABLE leftovers (
    prefix   TEXT   PRIMARY KEY,
    due_time BIGINT NOT NULL
);
CREATE INDEX leftovers_by_due_time ON leftovers (due_time);
