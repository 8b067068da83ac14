-- Scans of net discovery, by jobs and by hand: who asked for what, and what came of it.
CREATE TABLE scan (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: people and links name it
    job       TEXT, -- none: by hand
    author    TEXT NOT NULL,
    targets   TEXT NOT NULL, -- as written
    scan      TEXT NOT NULL,
    timing    TEXT NOT NULL,
    engine    TEXT NOT NULL,
    state     TEXT NOT NULL, -- waiting, running, finished, stopped, failed, interrupted
    asked     INTEGER NOT NULL,
    begun     INTEGER,
    ended     INTEGER,
    looked_at INTEGER NOT NULL DEFAULT 0,
    found     INTEGER NOT NULL DEFAULT 0,
    new       INTEGER NOT NULL DEFAULT 0,
    changed   INTEGER NOT NULL DEFAULT 0,
    said      TEXT, -- what became of it, in a sentence
    report    TEXT -- JSON: what was found
) STRICT;
CREATE INDEX scan_open ON scan (id) WHERE ended IS NULL;
CREATE INDEX scan_ended ON scan (ended) WHERE ended IS NOT NULL;
CREATE INDEX scan_job ON scan (job, id) WHERE job IS NOT NULL;
