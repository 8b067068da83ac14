-- What is to be told of tickets: written with what happened, gone with the messages that it became.
CREATE TABLE ticket_mail (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL,
    note   INTEGER, -- none: it was opened
    what   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    author TEXT NOT NULL
) STRICT;
-- At most one row: that of an editor, in the place of the built-in one.
CREATE TABLE ticket_template (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    subject TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT;
