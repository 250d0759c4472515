CREATE TABLE things (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL UNIQUE,
    text    TEXT,
    bytes   BLOB,
    integer BIGINT,
    real    REAL,
    bool    BOOLEAN
);
