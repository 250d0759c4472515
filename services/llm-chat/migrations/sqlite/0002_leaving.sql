-- Whoever takes his conversations along reads them in the order of their ids, which does not change while he does.
CREATE INDEX conversations_by_id ON conversations (owner, id);
