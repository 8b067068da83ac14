-- What people called a false positive: no ticket and no message comes of it. Ended ones stay, to be read.
CREATE TABLE suppression (
    id       INTEGER PRIMARY KEY,
    object   INTEGER NOT NULL REFERENCES object (id),
    kind     TEXT, -- of an anomaly; none: of problems
    about    TEXT NOT NULL DEFAULT '', -- of an anomaly: the port, the address
    up_to    INTEGER, -- the worst state of a problem that it covers; none: any
    reason   TEXT NOT NULL,
    author   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    expires  INTEGER,
    ticket   INTEGER,
    alarm    INTEGER,
    rule     TEXT,
    held     INTEGER NOT NULL DEFAULT 0, -- problems so far
    last     INTEGER,
    ended    INTEGER,
    how      TEXT, -- it ended
    ended_by TEXT
) STRICT;
CREATE INDEX suppression_object ON suppression (object);
CREATE INDEX suppression_ended ON suppression (ended);
