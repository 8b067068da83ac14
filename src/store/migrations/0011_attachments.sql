-- What people attach. The bytes lie below the state folder under their SHA-256; here is what they are called and where
-- they belong.
CREATE TABLE attachment (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER REFERENCES ticket (id),
    note   INTEGER, -- the line of history that it came with; NULL: it came with the ticket
    name   TEXT NOT NULL,
    kind   TEXT NOT NULL, -- what its first bytes are, whatever its name says
    size   INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    author TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX attachment_ticket ON attachment (ticket, id);
CREATE INDEX attachment_sha256 ON attachment (sha256);
