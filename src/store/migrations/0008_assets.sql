-- What is known of machines beyond checking them. Scans write what they find; what people said has columns of its own,
-- which no scan touches.

-- Which ports complete scans asked: thousands of assets share a few of these.
CREATE TABLE port_set (
    id    INTEGER PRIMARY KEY,
    ports TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE asset (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL, -- as it was found
    host        TEXT UNIQUE, -- the host of the configuration that it is
    origin      TEXT NOT NULL, -- scan, configuration, hand
    names       TEXT NOT NULL DEFAULT '[]', -- JSON: names that point back to its addresses
    os          TEXT,
    os_evidence TEXT NOT NULL DEFAULT '',
    ssh_key     TEXT,
    asked       INTEGER REFERENCES port_set (id), -- NULL: no complete scan yet
    first_seen  INTEGER,
    last_seen   INTEGER,
    missed      INTEGER NOT NULL DEFAULT 0, -- complete scans in a row
    stale       INTEGER, -- since
    -- said by people
    set_name    TEXT,
    set_os      TEXT,
    kind        TEXT,
    description TEXT,
    owner       TEXT,
    place       TEXT,
    latitude    REAL,
    longitude   REAL,
    value       INTEGER,
    notes       TEXT
) STRICT;
CREATE INDEX asset_ssh ON asset (ssh_key) WHERE ssh_key IS NOT NULL;
CREATE INDEX asset_seen ON asset (last_seen);

-- An address belongs to one asset. The sort key is the address in 16 bytes, so that a network is a range.
CREATE TABLE asset_address (
    address     TEXT PRIMARY KEY,
    asset       INTEGER NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    sort        BLOB NOT NULL,
    mac         TEXT,
    vendor      TEXT,
    mac_before  TEXT,
    mac_changed INTEGER,
    last_seen   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_address_asset ON asset_address (asset);
CREATE INDEX asset_address_sort ON asset_address (sort);
CREATE INDEX asset_address_mac ON asset_address (mac) WHERE mac IS NOT NULL;

CREATE TABLE asset_service (
    asset      INTEGER NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    port       INTEGER NOT NULL,
    transport  TEXT NOT NULL,
    name       TEXT NOT NULL,
    is_sure    INTEGER NOT NULL,
    product    TEXT,
    version    TEXT,
    note       TEXT,
    tls_key    TEXT,
    tls_until  INTEGER,
    origins    INTEGER NOT NULL, -- bits: 1 active, 2 passive, 4 by hand
    address    TEXT, -- where it was seen last
    first_seen INTEGER,
    last_seen  INTEGER,
    missed     INTEGER NOT NULL DEFAULT 0,
    gone       INTEGER,
    PRIMARY KEY (asset, port, transport)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_service_port ON asset_service (port, asset);
CREATE INDEX asset_service_tls ON asset_service (tls_key) WHERE tls_key IS NOT NULL;

-- Addresses that complete scans have looked at: a host that appears there later is news.
CREATE TABLE watched (
    first BLOB PRIMARY KEY,
    last  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE anomaly (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    asset      INTEGER NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL, -- 22/tcp, an address; '' is the asset itself
    old        TEXT NOT NULL,
    new        TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    status     TEXT NOT NULL, -- open, accepted, kept, over
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    decided_by TEXT,
    decided    INTEGER,
    ticket     INTEGER,
    ruled      INTEGER NOT NULL DEFAULT 0 -- the rules have seen it
) STRICT;
-- One of a kind stands at a time: what it calls old is what is right.
CREATE UNIQUE INDEX anomaly_standing ON anomaly (asset, kind, subject) WHERE status IN ('open', 'kept');
CREATE INDEX anomaly_status ON anomaly (status, last);
CREATE INDEX anomaly_asset ON anomaly (asset, last);
CREATE INDEX anomaly_unruled ON anomaly (id) WHERE ruled = 0;
