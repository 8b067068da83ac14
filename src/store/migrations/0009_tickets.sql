-- Who edits says which version they saw.
ALTER TABLE ticket ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
-- How many pieces of it the search knows: what it was opened with, and each note.
ALTER TABLE ticket ADD COLUMN pieces INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ticket_updated ON ticket (updated);
CREATE INDEX ticket_opened ON ticket (opened);
CREATE INDEX ticket_priority ON ticket (priority, opened);
CREATE INDEX ticket_in_charge ON ticket (in_charge);
CREATE INDEX ticket_submitter ON ticket (submitter);
CREATE INDEX ticket_note_author ON ticket_note (author, ticket);
CREATE INDEX ticket_note_transferred ON ticket_note (transferred_to, ticket) WHERE transferred_to IS NOT NULL;
CREATE INDEX ticket_tag_tag ON ticket_tag (tag);
-- An object that the world looks up the latest ticket of.
CREATE INDEX ticket_latest ON ticket (object, id) WHERE problem IS NOT NULL AND deleted IS NULL;

-- What a note changed, and what it was before: JSON, a list of [field, before, after].
ALTER TABLE ticket_note ADD COLUMN changes TEXT;

-- A ticket holds the name of its type, so that it reads on its own.
CREATE TABLE ticket_type (
    name        TEXT PRIMARY KEY COLLATE NOCASE,
    description TEXT NOT NULL DEFAULT '',
    is_system   INTEGER NOT NULL DEFAULT 0 -- cannot be renamed or deleted
) STRICT;
INSERT INTO ticket_type VALUES
    ('Generic', 'What has no better type', 1),
    ('Availability', 'A host or service that is down or does not work', 0),
    ('Expansion Virus', 'A program that spreads by itself', 0),
    ('Corporative Net Attack', 'An attack on the own network', 0),
    ('Policy Violation', 'Something that is not allowed', 0),
    ('Security Weakness', 'Something that an attack could use', 0),
    ('Net Performance', 'A network that is slow or lossy', 0),
    ('Application and System Failures', 'A program or system that fails', 0),
    ('Anomalies', 'Something changed that nobody announced', 0),
    ('Vulnerability', 'A finding of a scanner', 1);
INSERT OR IGNORE INTO ticket_type (name) SELECT DISTINCT type FROM ticket;

-- Who hears of each change.
CREATE TABLE ticket_subscriber (
    ticket INTEGER NOT NULL REFERENCES ticket (id),
    name   TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (ticket, name)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO ticket_subscriber SELECT id, in_charge FROM ticket WHERE in_charge IS NOT NULL;
INSERT OR IGNORE INTO ticket_subscriber SELECT id, submitter FROM ticket WHERE submitter <> 'vigia';

-- Any part of a word is found. The row is the ticket's number times 2^20, plus which piece of it.
CREATE VIRTUAL TABLE ticket_text USING fts5(text, content='', tokenize='trigram');
INSERT INTO ticket_text (rowid, text) SELECT id << 20, title || char(10) || text FROM ticket;
INSERT INTO ticket_text (rowid, text)
    SELECT (ticket << 20) + row_number() OVER (PARTITION BY ticket ORDER BY id),
        text || char(10) || coalesce(action, '') FROM ticket_note;
UPDATE ticket SET pieces = 1 + (SELECT count(*) FROM ticket_note WHERE ticket_note.ticket = ticket.id);
