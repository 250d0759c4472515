CREATE TABLE things (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    TEXT COLLATE "C" NOT NULL UNIQUE,
    text    TEXT,
    bytes   BYTEA,
    integer BIGINT,
    real    DOUBLE PRECISION,
    bool    BOOLEAN
);
