-- Released migrations are never edited: a change is a new file.
-- Times are microseconds since 1970 (UTC). States are numbers as in Nagios. Booleans are 0 and 1.

-- Everything refers to hosts and services by these numbers, so a rename is one row and a million
-- history lines do not repeat their names.
CREATE TABLE object (
    id      INTEGER PRIMARY KEY,
    host    TEXT NOT NULL,
    service TEXT NOT NULL DEFAULT '', -- '' is the host itself
    created INTEGER NOT NULL DEFAULT (1000000 * unixepoch()), -- since when it is watched
    UNIQUE (host, service)
) STRICT;

CREATE TABLE status (
    object              INTEGER PRIMARY KEY REFERENCES object (id),
    state               INTEGER NOT NULL,
    state_type          INTEGER NOT NULL,
    attempt             INTEGER NOT NULL,
    last_state          INTEGER NOT NULL,
    last_hard_state     INTEGER NOT NULL,
    has_been_checked    INTEGER NOT NULL,
    host_problem        INTEGER NOT NULL,
    is_flapping         INTEGER NOT NULL,
    is_passive          INTEGER NOT NULL,
    active_checks       INTEGER, -- switches a person turned; NULL: as defined
    passive_checks      INTEGER,
    notifications       INTEGER,
    flap_detection      INTEGER,
    event_handler       INTEGER,
    max_check_attempts  INTEGER,
    last_check          INTEGER,
    next_check          INTEGER,
    last_state_change   INTEGER,
    last_hard_state_change INTEGER,
    last_time_0         INTEGER, -- when it was last in the state of that number
    last_time_1         INTEGER,
    last_time_2         INTEGER,
    last_time_3         INTEGER,
    latency             INTEGER NOT NULL, -- tenths of a millisecond
    execution_time      INTEGER NOT NULL,
    output              TEXT NOT NULL,
    long_output         TEXT NOT NULL,
    perfdata            TEXT NOT NULL,
    flap_history        INTEGER NOT NULL,
    percent_state_change REAL NOT NULL,
    problem             INTEGER,
    last_problem        INTEGER,
    ack_author          TEXT, -- NULL: not acknowledged
    ack_comment         TEXT,
    ack_at              INTEGER,
    ack_sticky          INTEGER,
    ack_expires         INTEGER,
    downtime_depth      INTEGER NOT NULL,
    notification_number INTEGER NOT NULL,
    last_notification   INTEGER,
    notified_on         INTEGER NOT NULL,
    no_more             INTEGER NOT NULL
) STRICT;

-- The next number of each counter.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The log, in the order things happened. What concerns states has its own columns: the history
-- of an object is a range of this table.
CREATE TABLE event (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    object     INTEGER REFERENCES object (id),
    before     INTEGER,
    state      INTEGER,
    state_type INTEGER,
    attempt    INTEGER,
    author     TEXT,
    record     INTEGER, -- number of the alarm, ticket, comment or downtime
    text       TEXT NOT NULL DEFAULT '',
    long_text  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX event_object ON event (object, at);
CREATE INDEX event_at ON event (at);

CREATE TABLE comment (
    id     INTEGER PRIMARY KEY,
    object INTEGER NOT NULL REFERENCES object (id),
    author TEXT NOT NULL,
    text   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    kind   INTEGER NOT NULL -- 0 user, 1 downtime, 2 flapping, 3 acknowledgement
) STRICT;
CREATE INDEX comment_object ON comment (object);

-- Ended ones stay: availability reports ask for them.
CREATE TABLE downtime (
    id           INTEGER PRIMARY KEY,
    object       INTEGER NOT NULL REFERENCES object (id),
    author       TEXT NOT NULL,
    comment      TEXT NOT NULL,
    entered      INTEGER NOT NULL,
    start        INTEGER NOT NULL,
    "end"        INTEGER NOT NULL,
    flexible     INTEGER, -- microseconds; NULL: fixed
    triggered_by INTEGER,
    started      INTEGER,
    ended        INTEGER,
    how          TEXT -- over, cancelled, unused
) STRICT;
CREATE INDEX downtime_object ON downtime (object, start);
CREATE INDEX downtime_open ON downtime (id) WHERE ended IS NULL;

CREATE TABLE alarm (
    id          INTEGER PRIMARY KEY,
    object      INTEGER NOT NULL REFERENCES object (id),
    problem     INTEGER NOT NULL,
    is_open     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    severity    INTEGER NOT NULL,
    asset_value INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    output      TEXT NOT NULL,
    closed      INTEGER,
    ticket      INTEGER,
    root        INTEGER REFERENCES object (id),
    owner       TEXT,
    labels      TEXT NOT NULL DEFAULT '[]' -- JSON
) STRICT;
CREATE INDEX alarm_object ON alarm (object, last);
CREATE INDEX alarm_open ON alarm (is_open, last);

CREATE TABLE ticket (
    id         INTEGER PRIMARY KEY,
    class      TEXT NOT NULL, -- its prefix: AVA, ALA, …
    type       TEXT NOT NULL,
    title      TEXT NOT NULL,
    text       TEXT NOT NULL,
    priority   INTEGER NOT NULL,
    status     TEXT NOT NULL,
    resolution TEXT,
    in_charge  TEXT,
    submitter  TEXT NOT NULL,
    opened     INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    closed     INTEGER,
    reopened   INTEGER NOT NULL DEFAULT 0, -- how often
    object     INTEGER REFERENCES object (id),
    problem    INTEGER,
    rule       TEXT,
    recovered  INTEGER,
    last_note  INTEGER,
    alarm      INTEGER,
    extra      TEXT NOT NULL DEFAULT '{}', -- JSON, by class
    deleted    INTEGER -- a tombstone: the number is never used again
) STRICT;
CREATE INDEX ticket_status ON ticket (status, updated);
CREATE INDEX ticket_object ON ticket (object);

CREATE TABLE ticket_tag (
    ticket INTEGER NOT NULL REFERENCES ticket (id),
    tag    TEXT NOT NULL,
    PRIMARY KEY (ticket, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket_note (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket         INTEGER NOT NULL REFERENCES ticket (id),
    at             INTEGER NOT NULL,
    author         TEXT NOT NULL,
    text           TEXT NOT NULL,
    action         TEXT,
    status         TEXT,
    resolution     TEXT,
    priority       INTEGER,
    was_in_charge  TEXT,
    transferred_to TEXT
) STRICT;
CREATE INDEX ticket_note_ticket ON ticket_note (ticket, id);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    author  TEXT NOT NULL,
    peer    TEXT,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL, -- as it was called then
    detail  TEXT NOT NULL DEFAULT '{}' -- JSON
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_author ON audit (author, at);

CREATE TABLE user (
    name         TEXT PRIMARY KEY COLLATE NOCASE,
    role         TEXT NOT NULL,
    password     TEXT, -- a PHC string; NULL: cannot log in with one
    contact      TEXT,
    sight        TEXT, -- a selector; NULL: everything
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    disabled     INTEGER, -- since
    failed       INTEGER NOT NULL DEFAULT 0, -- tries in a row
    locked_until INTEGER,
    last_login   INTEGER
) STRICT;

CREATE TABLE session (
    hash    BLOB PRIMARY KEY, -- SHA-256 of the token
    user    TEXT NOT NULL COLLATE NOCASE REFERENCES user (name) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL,
    peer    TEXT,
    agent   TEXT
) STRICT;
CREATE INDEX session_user ON session (user);

CREATE TABLE token (
    hash    BLOB PRIMARY KEY, -- SHA-256 of the token
    user    TEXT NOT NULL COLLATE NOCASE REFERENCES user (name) ON DELETE CASCADE,
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    used    INTEGER
) STRICT;
CREATE INDEX token_user ON token (user);
