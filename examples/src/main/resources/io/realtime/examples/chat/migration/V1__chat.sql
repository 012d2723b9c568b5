-- For H2 2 and PostgreSQL.

CREATE TABLE conversation (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(200) NOT NULL UNIQUE,
    -- Counts the messages. Its row is locked from an insert to the commit, so numbers have no hole.
    last_number BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE message (
    conversation BIGINT NOT NULL REFERENCES conversation,
    number BIGINT NOT NULL,
    author VARCHAR(64) NOT NULL,
    client_id VARCHAR(64) NOT NULL,
    body VARCHAR(4000) NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (conversation, number),
    UNIQUE (author, client_id)
);

CREATE TABLE participant (
    person VARCHAR(64) NOT NULL,
    conversation BIGINT NOT NULL REFERENCES conversation,
    read_number BIGINT NOT NULL,
    PRIMARY KEY (person, conversation)
);

-- What was stored and is still to be published, in this order. A row goes when it was published.
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room VARCHAR(200),
    receiver VARCHAR(64),
    event VARCHAR(32) NOT NULL,
    data VARCHAR(65536) NOT NULL
);
