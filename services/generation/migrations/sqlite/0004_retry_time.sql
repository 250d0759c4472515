-- When a request that failed may succeed at the earliest, in microseconds since 1970; NULL where nobody knows.
ALTER TABLE generations ADD COLUMN retry_time BIGINT;
