-- What somebody is to be told, and what became of it.

-- One message to one contact, as it was decided. Never changed.
CREATE TABLE message (
    id      INTEGER PRIMARY KEY,
    key     TEXT NOT NULL UNIQUE, -- the same for the same decision
    at      INTEGER NOT NULL,
    contact TEXT NOT NULL,
    kind    TEXT NOT NULL, -- as $NOTIFICATIONTYPE$; DIGEST: a summary of many
    object  INTEGER REFERENCES object (id),
    problem INTEGER,
    number  INTEGER NOT NULL DEFAULT 0,
    state   INTEGER,
    detail  TEXT NOT NULL -- JSON: the rest of what is told
) STRICT;
CREATE INDEX message_at ON message (at);
CREATE INDEX message_object ON message (object, at);

-- One way of telling it. A message without any is kept too: its contact has no channel.
CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY,
    message  INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    contact  TEXT NOT NULL,
    object   INTEGER REFERENCES object (id),
    channel  TEXT NOT NULL, -- email, webhook, command, run
    target   TEXT NOT NULL, -- the address, the call of the command
    status   TEXT NOT NULL, -- waiting, sending, sent, failed, unknown, summed
    attempts INTEGER NOT NULL DEFAULT 0,
    next     INTEGER, -- not before
    ended    INTEGER,
    reason   TEXT NOT NULL DEFAULT '',
    digest   INTEGER REFERENCES message (id) ON DELETE SET NULL, -- the summary that tells of it
    UNIQUE (message, channel, target)
) STRICT;
CREATE INDEX delivery_waiting ON delivery (channel, contact, id) WHERE status = 'waiting';
-- What is told of one object by one way keeps its order.
CREATE INDEX delivery_open ON delivery (object, contact, channel, target, id) WHERE status IN ('waiting', 'sending');
CREATE INDEX delivery_object ON delivery (object);
CREATE INDEX delivery_sent ON delivery (contact, ended) WHERE status = 'sent';
