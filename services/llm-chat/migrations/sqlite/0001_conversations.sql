-- Conversations and their messages. What a reply's generation keeps is in the tables of the generation crate.
CREATE TABLE conversations (
    id            TEXT    PRIMARY KEY,
    owner         TEXT    NOT NULL,
    request_id    TEXT,
    -- SHA-256 of the request: what a repeated call is compared by.
    digest        BLOB    NOT NULL,
    title         TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    system_prompt TEXT    NOT NULL,
    message_count BIGINT  NOT NULL DEFAULT 0,
    create_time   BIGINT  NOT NULL,
    update_time   BIGINT  NOT NULL
);
CREATE UNIQUE INDEX conversations_by_request ON conversations (owner, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX conversations_by_owner ON conversations (owner, update_time DESC, id DESC);

CREATE TABLE messages (
    id              TEXT    PRIMARY KEY,
    conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position        BIGINT  NOT NULL,
    -- atelier.llm_chat.v1.Role
    role            INTEGER NOT NULL,
    text            TEXT    NOT NULL,
    -- For a reply: atelier.generation.v1.State, and what made it.
    state           INTEGER NOT NULL DEFAULT 0,
    generation_id   TEXT,
    provider        TEXT    NOT NULL DEFAULT '',
    model           TEXT    NOT NULL DEFAULT '',
    -- atelier.generation.v1.Usage
    usage           BLOB,
    create_time     BIGINT  NOT NULL,
    UNIQUE (conversation_id, position)
);
CREATE INDEX messages_by_generation ON messages (generation_id) WHERE generation_id IS NOT NULL;
