-- Accounts that have left. Nothing of them begins any more, whatever token of theirs still lives: an id and a time, kept
-- for good.
CREATE TABLE generation_departed (
    owner TEXT   PRIMARY KEY,
    time  BIGINT NOT NULL
);

-- Whose usage event it is, so that an erasure can wait until it is counted.
ALTER TABLE generation_outbox ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE generation_outbox SET owner = COALESCE((SELECT g.owner FROM generations g WHERE g.id = generation_outbox.id), '');
CREATE INDEX generation_outbox_by_owner ON generation_outbox (owner);

CREATE INDEX generations_by_owner ON generations (owner, id);
