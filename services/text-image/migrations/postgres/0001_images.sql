-- Pictures. What a picture's generation keeps is in the tables of the generation crate, under the same id.
CREATE TABLE images (
    id                TEXT COLLATE "C" PRIMARY KEY,
    user_id           TEXT COLLATE "C" NOT NULL,
    prompt            TEXT    NOT NULL,
    width             BIGINT  NOT NULL,
    height            BIGINT  NOT NULL,
    style             TEXT    NOT NULL,
    seed              BIGINT  NOT NULL,
    -- atelier.generation.v1.State: pending until its object is stored.
    state             INTEGER NOT NULL,
    provider          TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    s3_key            TEXT    NOT NULL DEFAULT '',
    content_type      TEXT    NOT NULL DEFAULT '',
    size_bytes        BIGINT  NOT NULL DEFAULT 0,
    sha256            TEXT    NOT NULL DEFAULT '',
    processing_micros BIGINT  NOT NULL DEFAULT 0,
    create_time       BIGINT  NOT NULL,
    update_time       BIGINT  NOT NULL
);
CREATE INDEX images_by_user ON images (user_id, create_time DESC, id DESC);
CREATE INDEX images_by_time ON images (create_time DESC, id DESC);

-- Days of a user's history whose file in the object store is behind the table.
CREATE TABLE stale_histories (
    user_id TEXT COLLATE "C" NOT NULL,
    -- Days since the Unix epoch, in UTC.
    day     BIGINT NOT NULL,
    -- Grows with every change, so that a change during the writing is not lost.
    version BIGINT NOT NULL,
    PRIMARY KEY (user_id, day)
);

-- Objects that belong to no picture any more.
CREATE TABLE leftovers (
    prefix   TEXT COLLATE "C" PRIMARY KEY,
    due_time BIGINT NOT NULL,
    -- Whose they were, so that an erasure waits for those that may still arrive.
    user_id  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX leftovers_by_due_time ON leftovers (due_time);
CREATE INDEX leftovers_by_user ON leftovers (user_id);
