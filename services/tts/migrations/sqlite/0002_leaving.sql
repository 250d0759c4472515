-- Whose the objects were, so that an erasure waits for those that may still arrive. Empty for those that were left before.
ALTER TABLE leftovers ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
CREATE INDEX leftovers_by_user ON leftovers (user_id);
