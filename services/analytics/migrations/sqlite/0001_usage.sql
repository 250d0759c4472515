-- Usage, twice: each event once, for lists and for telling a repetition, and the sums of each hour, for summaries.
-- Times are microseconds since the epoch.
CREATE TABLE usage_events (
    source        TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    outcome       TEXT    NOT NULL CHECK (outcome IN ('completed', 'failed', 'cancelled')),
    input_tokens  BIGINT  NOT NULL CHECK (input_tokens >= 0),
    output_tokens BIGINT  NOT NULL CHECK (output_tokens >= 0),
    images        BIGINT  NOT NULL CHECK (images >= 0),
    characters    BIGINT  NOT NULL CHECK (characters >= 0),
    audio_millis  BIGINT  NOT NULL CHECK (audio_millis >= 0),
    estimated     BOOLEAN NOT NULL,
    duration      BIGINT  NOT NULL CHECK (duration >= 0),
    time          BIGINT  NOT NULL CHECK (time >= 0),
    PRIMARY KEY (source, id)
) WITHOUT ROWID;

-- The two listings, newest first.
CREATE INDEX usage_events_by_time ON usage_events (time, source, id);
CREATE INDEX usage_events_by_user ON usage_events (user_id, time, source, id);

-- `estimated` counts the events whose figures are estimates, so that events can be taken out of a sum again.
CREATE TABLE usage_buckets (
    bucket_start  BIGINT NOT NULL CHECK (bucket_start % 3600000000 = 0),
    service       TEXT   NOT NULL,
    model         TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    generations   BIGINT NOT NULL,
    failed        BIGINT NOT NULL,
    cancelled     BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    images        BIGINT NOT NULL,
    characters    BIGINT NOT NULL,
    audio_millis  BIGINT NOT NULL,
    estimated     BIGINT NOT NULL,
    PRIMARY KEY (bucket_start, service, model, user_id)
) WITHOUT ROWID;

-- An account's own summary reads its own rows alone.
CREATE INDEX usage_buckets_by_user ON usage_buckets (user_id, bucket_start);
