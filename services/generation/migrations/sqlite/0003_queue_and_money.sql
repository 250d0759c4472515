-- What a generation belongs to in its service: the conversation of a reply, the image, the conversion.
ALTER TABLE generations ADD COLUMN subject TEXT NOT NULL DEFAULT '';
-- The weight of its owner's plan, so that the queue is the same after a restart.
ALTER TABLE generations ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
-- Given back by an owner that stops: whoever sees it may claim it at once.
ALTER TABLE generations ADD COLUMN released BOOLEAN NOT NULL DEFAULT FALSE;

-- From now on `state` is 1 (QUEUED) only for as long as nothing can have been sent to a provider. What an earlier version left
-- open may have been sent, whatever it says.
UPDATE generations SET state = 2 WHERE state = 1 AND end_time IS NULL;

-- The open ones of an owner, and all of them.
DROP INDEX generations_open;
CREATE INDEX generations_open ON generations (owner, id) WHERE end_time IS NULL;
-- Those whose end was asked for: looked at several times a second, and nearly always empty.
CREATE INDEX generations_cancelled ON generations (id) WHERE cancel_requested AND end_time IS NULL;

-- What the purse has not acknowledged yet: written with the end of the generation, and there after the record is forgotten.
CREATE TABLE generation_settlements (
    id          TEXT   PRIMARY KEY,
    -- atelier.generation.v1.Usage to be charged; NULL gives the whole reservation back.
    usage       BLOB,
    create_time BIGINT NOT NULL
);
